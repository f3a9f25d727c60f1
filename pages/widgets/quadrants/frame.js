// Where the plot is within its place, in pixels, and the axes beside it.
//
// Plotly draws no axes: what is drawn here is there before Plotly is, and stays the same when it comes.

class Frame {
  // As Plotly says, or as it will when it is there.
  constructor(place, { frame, axes, name }) {
    const plot = place.querySelector(".js-plotly-plot");
    const laid = plot?._fullLayout?.xaxis && plot._fullLayout;
    const area = (plot ?? place).getBoundingClientRect();
    this.place = place.getBoundingClientRect();
    const [left, top] = [area.left - this.place.left, area.top - this.place.top];
    if (laid) {
      const { xaxis, yaxis } = laid;
      Object.assign(this, {
        left: left + xaxis._offset, top: top + yaxis._offset,
        width: xaxis._length, height: yaxis._length,
      });
    } else {
      const inner = [area.width - frame.left - frame.right, frame.height - frame.top - frame.bottom];
      const [width, height] = inner.map(length => length * frame.domain);
      Object.assign(this, {
        left: left + frame.left, top: top + frame.top + inner[1] - height, width, height,
      });
    }
    // Plotly may still have the ranges of the grid before.
    for (const of of ["x", "y"])
      this[of] = laid?.meta === name ? laid[`${of}axis`].range : [axes[of].start, endOf(axes[of])];
    this.right = this.left + this.width;
    this.bottom = this.top + this.height;
    // With the histograms at the margins, and all that is below the plot.
    this.outer = {
      right: left + (laid?.width ?? area.width) - frame.right, top: top + frame.top,
      bottom: top + (laid?.height ?? frame.height),
    };
  }

  // The pixel of a value, and the value of a pixel.
  to(name, value) {
    const part = (value - this[name][0]) / (this[name][1] - this[name][0]);
    return name === "x" ? this.left + part * this.width : this.top + (1 - part) * this.height;
  }

  from(name, pixel) {
    const part = name === "x" ? (pixel - this.left) / this.width : 1 - (pixel - this.top) / this.height;
    return this[name][0] + part * (this[name][1] - this[name][0]);
  }

  // The pixel of a value, or the plot's end where it lies beyond.
  within(name, value) {
    const [low, high] = name === "x" ? [this.left, this.right] : [this.top, this.bottom];
    return Math.min(Math.max(this.to(name, value), low), high);
  }
}

// Ticks, their numbers and the titles, made anew when what is shown changes, not when a line moves.
class Axes {
  constructor() {
    this.layer = element("div", "qc-axes");
  }

  draw(frame, axes) {
    const key = JSON.stringify([frame.left, frame.top, frame.width, frame.height, frame.x, frame.y,
                                axes.x.title, axes.y.title, axes.x.percentile]);
    if (key === this.drawn) return;
    this.drawn = key;
    const { left, top, width, height } = frame;
    Object.assign(this.layer.style, {
      left: px(left), top: px(top), width: px(width), height: px(height),
    });
    this.layer.replaceChildren(...["x", "y"].flatMap(name => {
      const { title, percentile } = axes[name];
      return [...this.ticks(frame, name),
              element("span", `qc-title ${name}`, percentile ? `${title}, percentile` : title)];
    }));
  }

  ticks(frame, name) {
    const [low, high] = frame[name];
    const [length, room] = name === "x" ? [frame.width, 76] : [frame.height, 52];
    const step = roundStep((high - low) / Math.max(Math.floor(length / room), 1));
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, n) => {
      const value = (first + n) * step;
      const tick = element("span", `qc-tick ${name}`, tickText(value, step, Math.max(-low, high)));
      const at = frame.to(name, value);
      tick.style[name === "x" ? "left" : "top"] = px(at - (name === "x" ? frame.left : frame.top));
      return tick;
    });
  }
}

// A number at a tick, short where the axis has large ones.
function tickText(value, step, most) {
  if (step < 1e-8) return minus(value.toExponential(2));
  const [unit, name] = [[1e9, "G"], [1e6, "M"]].find(([size]) => most >= size) ?? [1, ""];
  return format(value / unit, step / unit) + name;
}

const endOf = axis => axis.start + axis.bins * axis.step;

// The smallest of 1, 2 and 5 times a power of ten that is not less.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(times => times * power).find(step => step >= least * (1 - 1e-9));
}
