// The quadrant chart's picture and lines, below and above Plotly's axes. What it counts by is in
// quadrant_sums.js, which is read before it.

const RAMPS = {
  light: { kept: ["#B9DCF2", "#004C7F"], rest: ["#E3E5E8", "#5D636C"], bar: ["#0072B2", "#C3C8CF"] },
  dark: { kept: ["#0F3F5F", "#8FD0FF"], rest: ["#2A313B", "#AEB6C2"], bar: ["#4FA8E0", "#4B5563"] },
};
// Orange to blue for shares, and cividis for any other score: both hold for every eye.
const SHARE = ["#D55E00", "#E8B98F", "#DADDE1", "#86B7D9", "#0072B2"];
const SCORE = ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838"];
const NAMES = { x: "Across", y: "Up" };

const charts = new WeakMap();

export default function ({ data: [data], parentElement, setTriggerValue }) {
  const place = parentElement.closest(`.st-key-${data.key}`);
  // It may be gone already.
  if (!place) return;
  if (!charts.has(place)) charts.set(place, new Chart(place));
  const chart = charts.get(place);
  chart.update(data, parentElement, setTriggerValue);
  return () => chart.stop();
}

class Chart {
  constructor(place) {
    this.place = place;
    this.under = element("div", "qc-under");
    this.canvas = element("canvas");
    this.under.append(this.canvas);
    this.over = element("div", "qc-over");
    this.corners = QUADRANTS.map(name => element("div", `qc-corner ${name}`));
    this.box = element("div", "qc-box");
    this.legend = element("div", "qc-legend");
    this.lines = { x: this.line("x"), y: this.line("y") };
    this.cross = element("div", "qc-cross");
    this.cross.title = "Drag both lines";
    this.draggable(this.cross, ["x", "y"]);
    const { x, y } = this.lines;
    this.over.append(this.box, this.legend, x, y, ...this.corners, this.cross);
    this.known = new WeakSet();
    this.again = () => this.soon();
    this.sizes = new ResizeObserver(this.again);
    this.comes = new MutationObserver(() => this.listen());
  }

  update(data, foot, tell) {
    this.tell = tell;
    if (this.data?.cells !== data.cells || this.data.grid !== data.grid) this.sums = new Sums(data);
    this.data = data;
    // What the server has not heard of yet holds against what it says.
    const isHeard = !this.sent || data.heard >= this.sent;
    if (isHeard && !this.holding && !this.pressed) {
      this.held = false;
      this.at = { ...data.lines };
      this.index = { x: null, y: null };
      this.live(false);
    }
    this.pictures();
    if (!this.under.isConnected) {
      foot.append(this.under, this.over);
      this.sizes.observe(this.place);
      this.comes.observe(this.place, { childList: true, subtree: true });
    }
    this.listen();
    this.soon();
  }

  stop() {
    this.sizes.disconnect();
    this.comes.disconnect();
    this.under.remove();
    this.over.remove();
  }

  // Two pictures of the same cells: as kept, and as left.
  pictures() {
    const { dark, colour } = this.data;
    const key = `${this.data.grid} ${dark} ${colour?.title} ${colour?.levels}`;
    if (key === this.painted) return;
    this.painted = key;
    const ramps = RAMPS[dark ? "dark" : "light"];
    const levels = colour && bytes(colour.levels);
    const scale = colour?.share ? SHARE : SCORE;
    const top = Math.log(Math.max(this.sums.most, 2));
    // From 0 to 255, or nothing.
    const shade = i => {
      if (!this.sums.held[i] || levels?.[i] === 0) return null;
      return levels ? levels[i] : Math.round((255 * Math.log(this.sums.held[i])) / top);
    };
    this.kept = this.paint(shade, levels ? scale : ramps.kept, 255);
    this.rest = this.paint(shade, levels ? scale : ramps.rest, levels ? 105 : 255);
    this.drawLegend(ramps, scale);
  }

  paint(shade, stops, alpha) {
    const [columns, rows] = this.sums.size;
    const colours = Array.from({ length: 256 }, (_, i) => [...between(stops, i / 255), alpha]);
    const picture = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    for (let j = 0; j < rows; j++)
      for (let k = 0; k < columns; k++) {
        const at = shade(j * columns + k);
        if (at !== null) image.data.set(colours[at], ((rows - 1 - j) * columns + k) * 4);
      }
    picture.getContext("2d").putImageData(image, 0, 0);
    return picture;
  }

  drawLegend(ramps, scale) {
    const { colour } = this.data;
    const ramp = stops => {
      const bar = element("i");
      bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
      return bar;
    };
    const gap = () => element("span", "gap");
    const word = text => element("span", "", text);
    const parts = colour
      ? [word(colour.title), gap(), word(short(colour.low, colour.share)), ramp(scale),
         word(short(colour.high, colour.share)), gap(), word("paler: not kept")]
      : [word("kept"), ramp(ramps.kept), gap(), word("not kept"), ramp(ramps.rest), gap(),
         word(`1 to ${whole(this.sums.most)} samples a cell (log)`)];
    this.legend.replaceChildren(...parts);
  }

  // Where the plot is: as Plotly says, or as it will when it is there.
  frame() {
    const { frame, axes } = this.data;
    const place = this.place.getBoundingClientRect();
    const plot = this.place.querySelector(".js-plotly-plot");
    const laid = plot?._fullLayout?.xaxis && plot._fullLayout;
    const area = (plot ?? this.place).getBoundingClientRect();
    const [left, top] = [area.left - place.left, area.top - place.top];
    const end = name => axes[name].start + axes[name].bins * axes[name].step;
    if (laid) {
      const { xaxis, yaxis } = laid;
      return { left: left + xaxis._offset, top: top + yaxis._offset, width: xaxis._length,
               height: yaxis._length, x: xaxis.range, y: yaxis.range,
               outer: [left + laid.width - frame.right, top + frame.top, top + laid.height], place };
    }
    const inner = [area.width - frame.left - frame.right, frame.height - frame.top - frame.bottom];
    const [width, height] = inner.map(length => length * frame.domain);
    return { left: left + frame.left, top: top + frame.top + inner[1] - height, width, height,
             x: [axes.x.start, end("x")], y: [axes.y.start, end("y")],
             outer: [left + area.width - frame.right, top + frame.top, top + frame.height], place };
  }

  listen() {
    const plot = this.place.querySelector(".js-plotly-plot");
    if (!plot?.on || this.known.has(plot)) return;
    this.known.add(plot);
    for (const event of ["plotly_relayouting", "plotly_afterplot"]) plot.on(event, this.again);
    plot.on("plotly_relayout", change => this.zoomed(plot, change));
    plot.on("plotly_doubleclick", () => {
      this.doubled = performance.now();
      this.tell("zoom", "all");
    });
    this.soon();
  }

  zoomed(plot, change) {
    const { axes } = this.data;
    this.soon();
    if (!Object.keys(change).some(key => /^[xy]axis\.(range|autorange)/.test(key))) return;
    const { xaxis, yaxis } = plot._fullLayout;
    const shown = [...xaxis.range, ...yaxis.range];
    const whole = ["x", "y"].flatMap(n =>
      [axes[n].start, axes[n].start + axes[n].bins * axes[n].step]);
    const moved = shown.some((v, i) => Math.abs(v - whole[i]) > axes[i < 2 ? "x" : "y"].step / 2);
    // Plotly answers a double click with the axes that it began with.
    if (moved && !(performance.now() - this.doubled < 500)) this.tell("zoom", shown);
  }

  soon() {
    this.waits ??= requestAnimationFrame(() => {
      this.waits = null;
      if (this.under.isConnected) this.draw();
    });
  }

  draw() {
    const f = (this.f = this.frame());
    const { place } = f;
    const foot = this.under.offsetParent?.getBoundingClientRect() ?? place;
    for (const layer of [this.under, this.over]) {
      Object.assign(layer.style, { left: px(place.left - foot.left), top: px(place.top - foot.top),
                                   width: px(place.width), height: px(place.height) });
    }
    const scale = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(place.width * scale), Math.round(place.height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, place.width, place.height);
    pen.imageSmoothingEnabled = false;
    const at = { x: this.pixel("x"), y: this.pixel("y") };
    this.drawCells(pen, f, at);
    this.drawMargins(pen, f, at);
    this.drawOver(f, at);
  }

  to(name, value) {
    const f = this.f;
    const part = (value - f[name][0]) / (f[name][1] - f[name][0]);
    return name === "x" ? f.left + part * f.width : f.top + (1 - part) * f.height;
  }

  from(name, pixel) {
    const f = this.f;
    const part = name === "x" ? (pixel - f.left) / f.width : 1 - (pixel - f.top) / f.height;
    return f[name][0] + part * (f[name][1] - f[name][0]);
  }

  // Where a line is, within the plot.
  pixel(name) {
    const f = this.f;
    if (this.at[name] == null) return null;
    const [low, high] = name === "x" ? [f.left, f.left + f.width] : [f.top, f.top + f.height];
    return Math.min(Math.max(this.to(name, this.at[name]), low), high);
  }

  drawCells(pen, f, at) {
    const { axes } = this.data;
    const end = name => axes[name].start + axes[name].bins * axes[name].step;
    const [left, right] = [this.to("x", axes.x.start), this.to("x", end("x"))];
    const [top, bottom] = [this.to("y", end("y")), this.to("y", axes.y.start)];
    const show = (picture, ...clip) => {
      pen.save();
      pen.beginPath();
      for (const [x, y, w, h] of clip) pen.rect(x, y, Math.max(w, 0), Math.max(h, 0));
      pen.clip();
      pen.drawImage(picture, left, top, right - left, bottom - top);
      pen.restore();
    };
    if (at.x == null || at.y == null) return show(this.rest, [f.left, f.top, f.width, f.height]);
    const [r, b] = [f.left + f.width, f.top + f.height];
    show(this.rest, [f.left, f.top, at.x - f.left, f.height], [at.x, at.y, r - at.x, b - at.y]);
    show(this.kept, [at.x, f.top, r - at.x, at.y - f.top]);
  }

  // How the samples lie along each axis, and what of them is kept by both lines.
  drawMargins(pen, f, at) {
    const { axes, coarse, dark } = this.data;
    const [keep, all] = RAMPS[dark ? "dark" : "light"].bar;
    const [columns, rows] = this.sums.size;
    for (const name of ["x", "y"]) {
      const bars = name === "x" ? columns : rows;
      const across = name === "x" ? (k, j) => this.sums.at(k, j) : (j, k) => this.sums.at(k, j);
      const beside = name === "x" ? "y" : "x";
      const other = Math.min(this.row(beside), axes[beside].bins);
      const beyond = (n, from) => across(n, from) - across(n, axes[beside].bins);
      const count = (n, from) => beyond(n * coarse, from) - beyond((n + 1) * coarse, from);
      const most = Math.max(...Array.from({ length: bars }, (_, n) => count(n, 0)), 1);
      const room = name === "x" ? f.top - f.outer[1] - 6 : f.outer[0] - f.left - f.width - 6;
      for (let n = 0; n < bars; n++) {
        const [low, high] = [n, n + 1].map(m => this.to(name, axes[name].start + m * coarse * axes[name].step));
        const bar = (share, colour, from, to) => {
          const length = (share / most) * room;
          pen.fillStyle = colour;
          if (name === "x") pen.fillRect(from, f.top - 4 - length, to - from + 0.3, length);
          else pen.fillRect(f.left + f.width + 4, to, length, from - to + 0.3);
        };
        const [first, last] = name === "x" ? [f.left, f.left + f.width] : [f.top + f.height, f.top];
        const within = v => (name === "x" ? Math.min(Math.max(v, first), last) : Math.max(Math.min(v, first), last));
        bar(count(n, 0), all, within(low), within(high));
        if (at.x == null || at.y == null) continue;
        const start = name === "x" ? Math.max(low, at.x) : Math.min(low, at.y);
        if (name === "x" ? start < high : start > high) bar(count(n, other), keep, within(start), within(high));
      }
    }
  }

  drawOver(f, at) {
    const { box } = this.data;
    const { x, y } = this.lines;
    const reach = { x: f.outer[0] - f.left, y: f.top + f.height - f.outer[1] };
    const counts = this.counts();
    for (const [name, line] of [["x", x], ["y", y]]) {
      line.hidden = at[name] == null;
      if (line.hidden) continue;
      const style = name === "x"
        ? { left: px(at.x), top: px(f.outer[1]), height: px(reach.y) }
        : { top: px(at.y), left: px(f.left), width: px(reach.x) };
      Object.assign(line.style, style);
      const seen = this.to(name, this.at[name]);
      line.classList.toggle("away", Math.abs(seen - at[name]) > 1);
      this.say(line, name, counts);
      if (name === "x") {
        // The value stays above the plot when its line is at an end.
        const half = line.firstChild.offsetWidth / 2;
        const room = [f.left + half - at.x, f.left + f.width - half - at.x];
        line.firstChild.style.marginLeft = px(Math.min(Math.max(0, room[0]), room[1]));
      }
    }
    this.cross.hidden = at.x == null || at.y == null;
    Object.assign(this.cross.style, { left: px(at.x ?? 0), top: px(at.y ?? 0) });
    this.box.hidden = !box;
    if (box) {
      const across = v => Math.min(Math.max(this.to("x", v), f.left), f.left + f.width);
      const up = v => Math.min(Math.max(this.to("y", v), f.top), f.top + f.height);
      const [left, right] = [across(box[0]), across(box[1])];
      const [bottom, top] = [up(box[2]), up(box[3])];
      this.box.hidden = right - left < 1 && bottom - top < 1;
      Object.assign(this.box.style, { left: px(left), top: px(top), width: px(right - left), height: px(bottom - top) });
    }
    this.corners.forEach((corner, i) => {
      const [right, up] = QUADRANTS[i].split("_").map(side => side === "high");
      const share = element("b", "", percent(counts.each[i], counts.total));
      corner.replaceChildren(this.data.names[i], element("br"), share, ` · ${whole(counts.each[i])}`);
      Object.assign(corner.style, {
        [right ? "right" : "left"]: px((right ? f.place.width - f.left - f.width : f.left) + 5),
        [up ? "top" : "bottom"]: px((up ? f.top : f.place.height - f.top - f.height) + 5),
        maxWidth: px(f.width * 0.46),
      });
    });
    Object.assign(this.legend.style, { left: px(f.left), top: px(f.outer[2] - 26), maxWidth: px(f.place.width - f.left) });
    if (this.held) this.drawTiles(counts);
  }

  say(line, name, counts) {
    const axis = this.data.axes[name];
    const value = this.at[name];
    const kept = percent(counts.each[0] + counts.each[name === "x" ? 2 : 1], counts.total);
    const shown = axis.percentile ? `top ${(100 - value).toFixed(1)} %` : format(value, axis.step);
    const text = axis.percentile ? shown : `${shown} · top ${kept}`;
    line.firstChild.textContent = text;
    line.setAttribute("aria-valuenow", value);
    line.setAttribute("aria-valuemin", axis.start);
    line.setAttribute("aria-valuemax", axis.start + axis.bins * axis.step);
    line.setAttribute("aria-valuetext", `${axis.title} ${text}, ${whole(counts.each[0])} kept`);
    line.setAttribute("aria-label", `${NAMES[name]}: line`);
  }

  // A line, its value beside it: dragged, or moved by the arrow keys when it has the focus.
  line(name) {
    const line = element("div", `qc-line ${name}`);
    line.append(element("span", "pill"));
    line.tabIndex = 0;
    line.setAttribute("role", "slider");
    line.setAttribute("aria-orientation", name === "x" ? "horizontal" : "vertical");
    line.title = "Drag, or use the arrow keys";
    this.draggable(line, [name]);
    line.addEventListener("keydown", event => this.press(event, name));
    line.addEventListener("blur", () => this.settle());
    return line;
  }

  draggable(handle, names) {
    handle.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(event.pointerId);
      handle.classList.add("held");
      this.holding = true;
      this.moves = false;
    });
    handle.addEventListener("pointermove", event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, top } = this.place.getBoundingClientRect();
      const pointer = { x: event.clientX - left, y: event.clientY - top };
      for (const name of names) this.move(name, this.nearest(name, this.from(name, pointer[name])));
      this.moves = true;
    });
    const release = event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      handle.releasePointerCapture(event.pointerId);
      handle.classList.remove("held");
      this.holding = false;
      if (this.moves) this.letGo();
    };
    handle.addEventListener("pointerup", release);
    handle.addEventListener("pointercancel", release);
  }

  press(event, name) {
    const { bins } = this.data.axes[name];
    const far = event.shiftKey ? 10 : 1;
    const up = { ArrowRight: far, ArrowUp: far, PageUp: 10, Home: -bins, End: bins };
    const down = { ArrowLeft: -far, ArrowDown: -far, PageDown: -10 };
    const by = { ...up, ...down }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // From between two edges the next one is a step.
    const now = this.index[name] ?? (by > 0 ? this.row(name) - (this.data.edge[name] ? 0 : 1) : this.row(name));
    this.move(name, Math.min(Math.max(now + by, 0), bins));
    this.pressed = true;
    clearTimeout(this.rests);
    this.rests = setTimeout(() => this.settle(), 400);
  }

  settle() {
    clearTimeout(this.rests);
    if (this.pressed) this.letGo();
    this.pressed = false;
  }

  nearest(name, value) {
    const { start, step, bins } = this.data.axes[name];
    return Math.min(Math.max(Math.round((value - start) / step), 0), bins);
  }

  move(name, index) {
    const { start, step } = this.data.axes[name];
    this.index[name] = index;
    this.at[name] = start + index * step;
    this.held = true;
    this.live(true);
    this.soon();
  }

  // All that the server has not heard of: one message may overtake another.
  letGo() {
    this.sent = Math.max(Date.now(), (this.sent ?? 0) + 1);
    const moved = { sent: this.sent };
    for (const name of ["x", "y"]) {
      const { start, step } = this.data.axes[name];
      const index = this.index[name];
      if (index != null) moved[name] = Number((start + index * step).toFixed(digits(step)));
    }
    this.tell("moved", moved);
  }

  row(name) {
    return this.index[name] ?? this.data.rows[name];
  }

  counts() {
    return this.sums.quadrants(this.data, this.index);
  }

  // While a line moves, what the tiles above the chart say follows.
  live(on) {
    const cards = document.querySelectorAll("[class*=st-key-quadrant_cards] [data-testid=stMetric]");
    for (const card of on ? cards : []) if (!card.querySelector(".qc-live")) cover(card);
    for (const card of on ? [] : cards) {
      card.classList.remove("qc-moving");
      card.querySelectorAll(".qc-live").forEach(word => word.remove());
    }
    this.tiles = on ? [...cards].map(card => [...card.querySelectorAll(".qc-live")]) : [];
  }

  drawTiles({ each, total }) {
    this.tiles.forEach(([number, share], i) => {
      number.textContent = whole(each[i]);
      share.textContent = percent(each[i], total) + (i ? "" : " kept");
    });
  }
}

// Words of our own in the place of a tile's, which are the server's to change.
function cover(card) {
  const from = card.getBoundingClientRect();
  for (const name of ["stMetricValue", "stMetricDelta"]) {
    const said = [...card.querySelectorAll(`[data-testid=${name}], [data-testid=${name}] *`)]
      .find(part => [...part.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
    const word = element("span", "qc-live");
    if (said) {
      const at = said.getBoundingClientRect();
      const { fontSize, fontWeight, lineHeight, color } = getComputedStyle(said);
      const place = { top: px(at.top - from.top - card.clientTop), left: px(at.left - from.left - card.clientLeft) };
      Object.assign(word.style, place, { fontSize, fontWeight, lineHeight, color });
    }
    card.append(word);
  }
  card.classList.add("qc-moving");
}
