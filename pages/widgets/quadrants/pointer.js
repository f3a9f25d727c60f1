// What the pointer does in the plot: it reads a cell, or drags a rectangle to select or to zoom into.

const MODES = { box: "Select", zoom: "Zoom" };
const MODE_HINTS = { box: "Drag a box to see its samples", zoom: "Drag a part to zoom into it" };
// A shorter drag, in pixels, is a click.
const SHORTEST_DRAG = 5;

class PlotPointer {
  // `send` is called with "box" or "zoom" and [x from, x to, y from, y to], on the axes; with "zoom"
  // and "all" for a double click.
  constructor(chart, send) {
    Object.assign(this, { chart, send });
    this.surface = element("div", "qc-surface");
    this.rectangle = element("div", "qc-box");
    this.rectangle.hidden = true;
    this.hint = element("div", "qc-hint");
    this.hint.hidden = true;
    this.toolbar = element("div", "qc-toolbar");
    this.toolbar.append(...Object.keys(MODES).map(mode => this.makeButton(mode)));
    this.choose("box");
    this.listen();
  }

  makeButton(mode) {
    const button = element("button", mode, MODES[mode]);
    button.type = "button";
    button.title = MODE_HINTS[mode];
    button.addEventListener("click", () => this.choose(mode));
    return button;
  }

  choose(mode) {
    this.mode = mode;
    for (const button of this.toolbar.children)
      button.setAttribute("aria-pressed", button.classList.contains(mode));
  }

  listen() {
    const { surface } = this;
    surface.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      surface.setPointerCapture(event.pointerId);
      this.from = this.chart.position(event);
      this.hint.hidden = true;
    });
    surface.addEventListener("pointermove", event => {
      if (this.from) this.drag(this.chart.position(event));
      else this.readCell(this.chart.position(event));
    });
    surface.addEventListener("pointerup", event => this.release(this.chart.position(event)));
    surface.addEventListener("pointercancel", () => this.cancel());
    surface.addEventListener("pointerleave", () => { this.hint.hidden = true; });
    surface.addEventListener("dblclick", () => this.send("zoom", "all"));
  }

  // The dragged rectangle, inside the plot.
  inside(to) {
    const { frame } = this.chart;
    const xs = [this.from.x, to.x].map(x => clamp(x, frame.left, frame.right));
    const ys = [this.from.y, to.y].map(y => clamp(y, frame.top, frame.bottom));
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
  }

  drag(to) {
    this.rectangle.hidden = false;
    arrange(this.rectangle, this.inside(to));
  }

  release(to) {
    if (!this.from) return;
    const { left, top, width, height } = this.inside(to);
    this.cancel();
    if (Math.min(width, height) < SHORTEST_DRAG) return;
    const { frame } = this.chart;
    this.send(this.mode, [frame.toValue("x", left), frame.toValue("x", left + width),
                          frame.toValue("y", top + height), frame.toValue("y", top)]);
  }

  cancel() {
    this.from = null;
    this.rectangle.hidden = true;
  }

  // Says how many samples are in the cell under the pointer, and where the cell is.
  readCell(pointer) {
    const { frame, grid, density } = this.chart;
    const cell = { x: 0, y: 0 };
    const middles = ["x", "y"].map(name => {
      const { start, step, bins } = grid.axes[name];
      const width = step * grid.coarse;
      const last = bins / grid.coarse - 1;
      cell[name] = clamp(Math.floor((frame.toValue(name, pointer[name]) - start) / width), 0, last);
      return formatValue(start + (cell[name] + 0.5) * width, step / 10);
    });
    const count = density.samplesIn(cell.x, cell.y);
    this.hint.hidden = !count;
    if (!count) return;
    const samples = `${formatCount(count)} sample${count === 1 ? "" : "s"}`;
    this.hint.replaceChildren(middles.join(", "), element("br"), samples);
    this.hint.classList.toggle("left", pointer.x > (frame.left + frame.right) / 2);
    arrange(this.hint, { left: pointer.x, top: pointer.y });
  }

  layOut(frame) {
    arrange(this.surface, frame.plot);
    arrange(this.toolbar, { left: frame.right + 8, top: frame.outerTop });
  }
}
