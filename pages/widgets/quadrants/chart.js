// The quadrant chart: what is painted below and above Plotly's layers, and what the pointer does there.
//
// The server tells it in two parts, each when it changes: the grid, which is large, and the lines.
// Its pieces are in sums.js, frame.js, paint.js and lines.js, which
// are read before this.

const charts = new WeakMap();

export default function ({ data: [told], parentElement, setTriggerValue }) {
  const place = parentElement.closest(`.st-key-${told.key}`);
  // It may be gone already.
  if (!place) return;
  if (!charts.has(place)) charts.set(place, new Chart(place));
  const chart = charts.get(place);
  if (told.cells) return chart.hearGrid(told);
  chart.hearLines(told, parentElement, setTriggerValue);
  // An earlier call may be cleared away after a later one.
  const turn = (chart.turn = {});
  return () => chart.turn === turn && chart.stop();
}

class Chart {
  constructor(place) {
    this.place = place;
    this.painter = new Painter();
    this.axes = new Axes();
    this.lines = new Lines(this, () => this.moved(), moved => this.tell("moved", moved));
    this.corners = QUADRANTS.map(name => element("div", `qc-corner ${name}`));
    this.box = element("div", "qc-box");
    this.under = element("div", "qc-under");
    this.under.append(this.painter.canvas, this.axes.layer);
    this.over = element("div", "qc-over");
    const { x, y, cross } = this.lines;
    this.over.append(this.box, this.painter.legend, x, y, ...this.corners, cross);
    this.tiles = new Tiles();
    this.known = new WeakSet();
    this.again = () => this.soon();
    this.sizes = new ResizeObserver(this.again);
    this.comes = new MutationObserver(() => this.listen());
  }

  hearGrid(grid) {
    const same = key => grid[key] === this.nextGrid?.[key];
    const isSame = ["name", "cells", "dark"].every(same)
      && ["title", "levels"].every(key => grid.color?.[key] === this.nextGrid.color?.[key]);
    if (isSame) return;
    this.nextGrid = grid;
    this.hear();
  }

  hearLines(said, foot, tell) {
    this.tell = tell;
    this.nextSaid = said;
    this.hear();
    if (!this.under.isConnected) {
      foot.append(this.under, this.over);
      this.sizes.observe(this.place);
      this.comes.observe(this.place, { childList: true, subtree: true });
    }
    this.listen();
  }

  // Lines are stated on a grid: neither counts before the other is there.
  hear() {
    const { nextGrid, nextSaid } = this;
    if (!nextGrid || nextGrid.name !== nextSaid?.grid) return;
    if (nextGrid !== this.grid) {
      // Another grid: the edges that lines were moved to are not its.
      if (nextGrid.name !== this.grid?.name) this.lines.forget();
      this.grid = nextGrid;
      this.sums = new Sums(nextGrid);
      this.painter.prepare(nextGrid, this.sums);
    }
    // A new session has heard of nothing, and never will.
    if (nextSaid.session !== this.said?.session) this.lines.forget();
    this.said = nextSaid;
    if (this.lines.hear(nextSaid)) this.tiles.uncover();
    this.soon();
  }

  stop() {
    this.sizes.disconnect();
    this.comes.disconnect();
    this.lines.forget();
    this.tiles.uncover();
    this.under.remove();
    this.over.remove();
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
    this.soon();
    if (!this.grid || !Object.keys(change).some(key => /^[xy]axis\.(range|autorange)/.test(key))) return;
    const { x, y } = this.grid.axes;
    const { xaxis, yaxis } = plot._fullLayout;
    const shown = [...xaxis.range, ...yaxis.range];
    const whole = [x.start, endOf(x), y.start, endOf(y)];
    const moved = shown.some((v, i) => Math.abs(v - whole[i]) > (i < 2 ? x : y).step / 2);
    // Plotly answers a double click with the axes that it began with.
    if (moved && !(performance.now() - this.doubled < 500)) this.tell("zoom", shown);
  }

  moved() {
    this.tiles.cover();
    this.soon();
  }

  soon() {
    this.waits ??= requestAnimationFrame(() => {
      this.waits = null;
      if (this.under.isConnected && this.said) this.draw();
    });
  }

  draw() {
    const { grid, lines, said } = this;
    const f = (this.frame = new Frame(this.place, { ...grid, frame: said.frame }));
    const foot = this.under.offsetParent?.getBoundingClientRect() ?? f.place;
    for (const layer of [this.under, this.over]) {
      Object.assign(layer.style, {
        left: px(f.place.left - foot.left), top: px(f.place.top - foot.top),
        width: px(f.place.width), height: px(f.place.height),
      });
    }
    const pixel = name => (lines.at[name] == null ? null : f.within(name, lines.at[name]));
    const at = { x: pixel("x"), y: pixel("y") };
    const counts = this.sums.quadrants(said, lines.index);
    this.axes.draw(f, grid.axes);
    this.painter.draw(f, at, { x: lines.row("x"), y: lines.row("y") });
    lines.draw(f, at, counts);
    this.drawBox(f);
    this.drawCorners(f, counts);
    if (lines.haveMoved) this.tiles.say(counts);
  }

  drawBox(f) {
    const { box } = this.said;
    this.box.hidden = !box;
    if (!box) return;
    const [left, right] = [f.within("x", box[0]), f.within("x", box[1])];
    const [bottom, top] = [f.within("y", box[2]), f.within("y", box[3])];
    this.box.hidden = right - left < 1 && bottom - top < 1;
    Object.assign(this.box.style, {
      left: px(left), top: px(top), width: px(right - left), height: px(bottom - top),
    });
  }

  drawCorners(f, { each, total }) {
    this.corners.forEach((corner, i) => {
      const [right, up] = QUADRANTS[i].split("_").map(side => side === "high");
      const share = element("b", "", percent(each[i], total));
      corner.replaceChildren(this.said.names[i], element("br"), share, ` · ${whole(each[i])}`);
      Object.assign(corner.style, {
        [right ? "right" : "left"]: px((right ? f.place.width - f.right : f.left) + 5),
        [up ? "top" : "bottom"]: px((up ? f.top : f.place.height - f.bottom) + 5),
        maxWidth: px(f.width * 0.46),
      });
    });
  }
}

// The page's tiles, whose words are the server's to change: while a line moves, others cover them.
class Tiles {
  constructor() {
    this.words = [];
  }

  cards() {
    return [...document.querySelectorAll("[class*=st-key-quadrant_cards] [data-testid=stMetric]")];
  }

  cover() {
    const cards = this.cards();
    if (cards.length && cards.every((card, i) => this.words[i]?.[0]?.parentElement === card)) return;
    this.uncover();
    this.words = cards.map(card => ["stMetricValue", "stMetricDelta"].map(name => coverOf(card, name)));
    cards.forEach((card, i) => {
      card.append(...this.words[i]);
      card.classList.add("qc-moving");
    });
  }

  uncover() {
    for (const card of this.cards()) card.classList.remove("qc-moving");
    for (const word of this.words.flat()) word.remove();
    this.words = [];
  }

  say({ each, total }) {
    this.words.forEach(([number, share], i) => {
      number.textContent = whole(each[i]);
      share.textContent = percent(each[i], total) + (i ? "" : " kept");
    });
  }
}

// A word where a tile has one, and like it.
function coverOf(card, name) {
  const from = card.getBoundingClientRect();
  const word = element("span", "qc-live");
  const said = [...card.querySelectorAll(`[data-testid=${name}], [data-testid=${name}] *`)]
    .find(part => [...part.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  if (!said) return word;
  const at = said.getBoundingClientRect();
  const { fontSize, fontWeight, lineHeight, color } = getComputedStyle(said);
  Object.assign(word.style, {
    top: px(at.top - from.top - card.clientTop), left: px(at.left - from.left - card.clientLeft),
    fontSize, fontWeight, lineHeight, color,
  });
  return word;
}
