// Where the plot is, in pixels of the chart, and the two axes with their ticks and titles.

const HEIGHT = 640;
// Around the plot and the histograms at its margins.
const MARGIN = { left: 66, right: 10, top: 10, bottom: 92 };
// The plot's share of what is inside the margins; the histograms take the rest.
const PLOT_SHARE = 0.87;

class Frame {
  constructor(width, axes) {
    const [innerWidth, innerHeight] =
      [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
    this.axes = axes;
    this.chartWidth = width;
    this.width = innerWidth * PLOT_SHARE;
    this.height = innerHeight * PLOT_SHARE;
    this.left = MARGIN.left;
    this.right = this.left + this.width;
    this.bottom = HEIGHT - MARGIN.bottom;
    this.top = this.bottom - this.height;
    // The far ends of the histograms.
    this.outerRight = width - MARGIN.right;
    this.outerTop = MARGIN.top;
  }

  get plot() {
    const { left, top, width, height } = this;
    return { left, top, width, height };
  }

  toPixel(name, value) {
    const { start } = this.axes[name];
    const part = (value - start) / (endOf(this.axes[name]) - start);
    return name === "x" ? this.left + part * this.width : this.bottom - part * this.height;
  }

  toValue(name, pixel) {
    const part = name === "x" ? (pixel - this.left) / this.width : (this.bottom - pixel) / this.height;
    const { start } = this.axes[name];
    return start + part * (endOf(this.axes[name]) - start);
  }

  // The pixel of a value, or the plot's end where the value is beyond it.
  clampedPixel(name, value) {
    const [low, high] = name === "x" ? [this.left, this.right] : [this.top, this.bottom];
    return clamp(this.toPixel(name, value), low, high);
  }
}

// Ticks, their numbers and the titles: drawn when the frame changes, not when a line moves.
class Axes {
  constructor() {
    this.layer = element("div", "qc-axes");
  }

  draw(frame) {
    arrange(this.layer, frame.plot);
    this.layer.replaceChildren(...["x", "y"].flatMap(name => {
      const { title, percentile } = frame.axes[name];
      return [...this.ticks(frame, name),
              element("span", `qc-title ${name}`, percentile ? `${title}, percentile` : title)];
    }));
  }

  ticks(frame, name) {
    const { start } = frame.axes[name];
    const end = endOf(frame.axes[name]);
    const [length, room] = name === "x" ? [frame.width, 76] : [frame.height, 52];
    const step = roundStep((end - start) / Math.max(Math.floor(length / room), 1));
    const first = Math.ceil(start / step - 1e-9), last = Math.floor(end / step + 1e-9);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, n) => {
      const value = (first + n) * step;
      const tick = element("span", `qc-tick ${name}`, tickText(value, step, Math.max(-start, end)));
      const pixel = frame.toPixel(name, value);
      arrange(tick, name === "x" ? { left: pixel - frame.left } : { top: pixel - frame.top });
      return tick;
    });
  }
}

// A tick's number, with a unit where the axis reaches millions.
function tickText(value, step, largest) {
  if (step < 1e-8) return trueMinus(value.toExponential(2));
  const [size, unit] = [[1e9, "G"], [1e6, "M"]].find(([size]) => largest >= size) ?? [1, ""];
  return formatValue(value / size, step / size) + unit;
}
