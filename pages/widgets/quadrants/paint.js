// The picture of all samples, the histograms at its margins, and the legend.

// Of a score: cividis, lighter where the page is dark.
const RAMPS = {
  light: { kept: ["#B9DCF2", "#004C7F"], rest: ["#E3E5E8", "#5D636C"], bar: ["#0072B2", "#C3C8CF"],
           score: ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838"] },
  dark: { kept: ["#0F3F5F", "#8FD0FF"], rest: ["#2A313B", "#AEB6C2"], bar: ["#4FA8E0", "#4B5563"],
          score: ["#3A5A97", "#66749A", "#8B8C96", "#B1A683", "#D8C76C", "#FEE838"] },
};
// Orange to blue for shares: it holds for every eye, as cividis does.
const SHARE = ["#D55E00", "#E8B98F", "#DADDE1", "#86B7D9", "#0072B2"];

class Painter {
  constructor() {
    this.canvas = element("canvas");
    this.legend = element("div", "qc-legend");
  }

  // Two pictures of the same cells: as kept, and as left.
  prepare(grid, sums) {
    const { dark, color } = grid;
    this.grid = grid;
    this.sums = sums;
    this.ramps = RAMPS[dark ? "dark" : "light"];
    const levels = color && bytes(color.levels);
    const scale = color?.share ? SHARE : this.ramps.score;
    const top = Math.log(Math.max(sums.most, 2));
    // From 0 to 255, or nothing.
    const shade = i => {
      if (!sums.held[i] || levels?.[i] === 0) return null;
      return levels ? levels[i] : Math.round((255 * Math.log(sums.held[i])) / top);
    };
    this.kept = this.picture(shade, levels ? scale : this.ramps.kept, 255);
    this.rest = this.picture(shade, levels ? scale : this.ramps.rest, levels ? 105 : 255);
    this.tell(scale);
  }

  picture(shade, stops, alpha) {
    const [columns, rows] = this.sums.size;
    const colors = Array.from({ length: 256 }, (_, i) => [...between(stops, i / 255), alpha]);
    const picture = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    for (let j = 0; j < rows; j++)
      for (let k = 0; k < columns; k++) {
        const at = shade(j * columns + k);
        if (at !== null) image.data.set(colors[at], ((rows - 1 - j) * columns + k) * 4);
      }
    picture.getContext("2d").putImageData(image, 0, 0);
    return picture;
  }

  tell(scale) {
    const { color } = this.grid;
    const ramp = stops => {
      const bar = element("i");
      bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
      return bar;
    };
    const gap = () => element("span", "gap");
    const word = text => element("span", "", text);
    const parts = color
      ? [word(color.title), gap(), word(short(color.low, color.share)), ramp(scale),
         word(short(color.high, color.share)), gap(), word("paler: not kept")]
      : [word("kept"), ramp(this.ramps.kept), gap(), word("not kept"), ramp(this.ramps.rest), gap(),
         word(`1 to ${whole(this.sums.most)} samples a cell (log)`)];
    this.legend.replaceChildren(...parts);
  }

  // `at`: the pixels of the lines, or null; `rows`: the edges of the grid that they lie on or below.
  draw(frame, at, rows) {
    const { place } = frame;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [place.width, place.height].map(length => Math.round(length * scale));
    if (this.canvas.width !== width || this.canvas.height !== height)
      Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, place.width, place.height);
    pen.imageSmoothingEnabled = false;
    this.drawCells(pen, frame, at);
    for (const name of ["x", "y"]) this.drawMargin(pen, frame, at, rows, name);
    const { style } = this.legend;
    Object.assign(style, { left: px(frame.left), top: px(frame.outer.bottom - 26),
                           maxWidth: px(place.width - frame.left) });
  }

  drawCells(pen, f, at) {
    const { x, y } = this.grid.axes;
    const [left, right] = [f.to("x", x.start), f.to("x", endOf(x))];
    const [top, bottom] = [f.to("y", endOf(y)), f.to("y", y.start)];
    const show = (picture, ...clip) => {
      pen.save();
      pen.beginPath();
      for (const [x, y, w, h] of clip) pen.rect(x, y, Math.max(w, 0), Math.max(h, 0));
      pen.clip();
      pen.drawImage(picture, left, top, right - left, bottom - top);
      pen.restore();
    };
    if (at.x == null || at.y == null) return show(this.rest, [f.left, f.top, f.width, f.height]);
    show(this.rest, [f.left, f.top, at.x - f.left, f.height],
         [at.x, at.y, f.right - at.x, f.bottom - at.y]);
    show(this.kept, [at.x, f.top, f.right - at.x, at.y - f.top]);
  }

  // How the samples lie along an axis, and what of them is kept by both lines.
  drawMargin(pen, f, at, rows, name) {
    const { axes, coarse } = this.grid;
    const [keep, all] = this.ramps.bar;
    const isAcross = name === "x";
    const bars = this.sums.size[isAcross ? 0 : 1];
    const beside = isAcross ? "y" : "x";
    const sum = isAcross ? (n, from) => this.sums.at(n, from) : (n, from) => this.sums.at(from, n);
    const beyond = (n, from) => sum(n, from) - sum(n, axes[beside].bins);
    const count = (n, from) => beyond(n * coarse, from) - beyond((n + 1) * coarse, from);
    const most = Math.max(...Array.from({ length: bars }, (_, n) => count(n, 0)), 1);
    const room = isAcross ? f.top - f.outer.top - 6 : f.outer.right - f.right - 6;
    const bar = (samples, color, from, to) => {
      const length = (samples / most) * room;
      pen.fillStyle = color;
      if (isAcross) pen.fillRect(from, f.top - 4 - length, to - from + 0.3, length);
      else pen.fillRect(f.right + 4, to, length, from - to + 0.3);
    };
    for (let n = 0; n < bars; n++) {
      const [low, high] = [n, n + 1].map(m =>
        f.within(name, axes[name].start + m * coarse * axes[name].step));
      bar(count(n, 0), all, low, high);
      if (at.x == null || at.y == null) continue;
      const start = isAcross ? Math.max(low, at.x) : Math.min(low, at.y);
      if (isAcross ? start < high : start > high)
        bar(count(n, Math.min(rows[beside], axes[beside].bins)), keep, start, high);
    }
  }
}
