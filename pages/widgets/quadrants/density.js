// The density of all samples, the histograms at its margins, and the legend.

// `score` is cividis, lighter where the page is dark.
const COLORS = {
  light: { kept: ["#B9DCF2", "#004C7F"], rest: ["#E3E5E8", "#5D636C"], bars: ["#0072B2", "#C3C8CF"],
           score: ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#FEE838"] },
  dark: { kept: ["#0F3F5F", "#8FD0FF"], rest: ["#2A313B", "#AEB6C2"], bars: ["#4FA8E0", "#4B5563"],
          score: ["#3A5A97", "#66749A", "#8B8C96", "#B1A683", "#D8C76C", "#FEE838"] },
};
// Shares, from orange to blue: readable with any color vision, as cividis is.
const SHARE_COLORS = ["#D55E00", "#E8B98F", "#DADDE1", "#86B7D9", "#0072B2"];
const REST_ALPHA = 105;

class Density {
  constructor() {
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Density of all samples over two scores");
    this.legend = element("div", "qc-legend");
  }

  // Two images of the same cells: one in the colors of what is kept, one in those of the rest.
  prepare(grid, counts) {
    Object.assign(this, { grid, counts });
    const { axes, coarse, color, dark } = grid;
    const [columns, rows] = (this.size = [axes.x.bins / coarse, axes.y.bins / coarse]);
    const samples = Array.from({ length: columns * rows }, (_, cell) =>
      this.samplesIn(cell % columns, Math.floor(cell / columns)));
    const most = samples.reduce((largest, count) => Math.max(largest, count), 1);
    const levels = color && decodeBase64(color.levels);
    // From 0 to 255; null where nothing is drawn.
    const shades = samples.map((count, cell) => {
      if (!count || levels?.[cell] === 0) return null;
      return levels ? levels[cell] : Math.round((255 * Math.log(count)) / Math.log(Math.max(most, 2)));
    });
    this.colors = COLORS[dark ? "dark" : "light"];
    const scale = color?.share ? SHARE_COLORS : this.colors.score;
    this.kept = this.image(shades, levels ? scale : this.colors.kept, 255);
    this.rest = this.image(shades, levels ? scale : this.colors.rest, levels ? REST_ALPHA : 255);
    this.explain(scale, most);
  }

  // Samples in a cell of the picture, which has `coarse` cells of the grid along either axis.
  samplesIn(column, row) {
    const { coarse } = this.grid;
    return this.counts.between(column * coarse, (column + 1) * coarse, row * coarse, (row + 1) * coarse);
  }

  image(shades, scale, alpha) {
    const [columns, rows] = this.size;
    const colors = Array.from({ length: 256 }, (_, i) => [...interpolate(scale, i / 255), alpha]);
    const pixels = new ImageData(columns, rows);
    shades.forEach((shade, cell) => {
      // Rows of pixels run downwards.
      const row = rows - 1 - Math.floor(cell / columns);
      if (shade !== null) pixels.data.set(colors[shade], (row * columns + (cell % columns)) * 4);
    });
    const image = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    image.getContext("2d").putImageData(pixels, 0, 0);
    return image;
  }

  explain(scale, most) {
    const { color } = this.grid;
    const ramp = colors => {
      const bar = element("i");
      bar.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
      return bar;
    };
    const gap = () => element("span", "gap");
    const word = text => element("span", "", text);
    const mean = value => color.share ? formatShare(value, 1) : trueMinus(value.toPrecision(3));
    this.legend.replaceChildren(...(color
      ? [word(color.title), gap(), word(mean(color.low)), ramp(scale), word(mean(color.high)), gap(),
         word("paler: not kept")]
      : [word("kept"), ramp(this.colors.kept), gap(), word("not kept"), ramp(this.colors.rest), gap(),
         word(most > 1 ? `1–${formatCount(most)} samples per cell (log)` : "1 sample per cell")]));
  }

  // `lines`: the pixels of both lines, null where there is none; `edges`: those that the lines are on,
  // or the next above.
  draw(frame, lines, edges) {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [frame.chartWidth, HEIGHT].map(length => Math.round(length * scale));
    if (this.canvas.width !== width || this.canvas.height !== height)
      Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, frame.chartWidth, HEIGHT);
    pen.imageSmoothingEnabled = false;
    this.drawCells(pen, frame, lines);
    for (const name of ["x", "y"]) this.drawMarginal(pen, frame, name, lines, edges);
  }

  drawCells(pen, { left, top, right, width, height }, lines) {
    pen.drawImage(this.rest, left, top, width, height);
    if (lines.x == null || lines.y == null) return;
    const kept = [lines.x, top, right - lines.x, lines.y - top];
    pen.clearRect(...kept);
    pen.save();
    pen.beginPath();
    pen.rect(...kept);
    pen.clip();
    pen.drawImage(this.kept, left, top, width, height);
    pen.restore();
  }

  // The histogram along one axis of all samples in the picture; in color those that both lines keep.
  drawMarginal(pen, frame, name, lines, edges) {
    const { axes, coarse } = this.grid;
    const [keptColor, color] = this.colors.bars;
    const isX = name === "x";
    const bars = this.size[isX ? 0 : 1];
    const [other, end] = isX ? ["y", axes.y.bins] : ["x", axes.x.bins];
    const count = (bar, from) => isX
      ? this.counts.between(bar * coarse, (bar + 1) * coarse, from, end)
      : this.counts.between(from, end, bar * coarse, (bar + 1) * coarse);
    const most = Math.max(...Array.from({ length: bars }, (_, bar) => count(bar, 0)), 1);
    const room = (isX ? frame.top - frame.outerTop : frame.outerRight - frame.right) - 6;
    const draw = (samples, from, to) => {
      const length = (samples / most) * room;
      if (isX) pen.fillRect(from, frame.top - 4 - length, to - from + 0.3, length);
      else pen.fillRect(frame.right + 4, to, length, from - to + 0.3);
    };
    const hasLines = lines.x != null && lines.y != null;
    for (let bar = 0; bar < bars; bar++) {
      const [low, high] = [bar, bar + 1].map(edge =>
        frame.toPixel(name, axes[name].start + edge * coarse * axes[name].step));
      pen.fillStyle = color;
      draw(count(bar, 0), low, high);
      if (!hasLines) continue;
      const start = isX ? Math.max(low, lines.x) : Math.min(low, lines.y);
      pen.fillStyle = keptColor;
      if (isX ? start < high : start > high) draw(count(bar, Math.min(edges[other], end)), start, high);
    }
  }
}
