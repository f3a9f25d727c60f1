// The threshold lines: dragged, or moved with the arrow keys, along the edges of the grid.
//
// A line that a person has moved stays where they put it until the server answers that very move;
// answers to earlier moves are ignored.

const LINE_NAMES = { x: "X axis cutoff", y: "Y axis cutoff" };
// Arrow keys count as one move when they rest for so many milliseconds.
const KEYS_REST = 400;

class Lines {
  // `chart` has the frame, the grid and what the server sent. `changed` is called at every step of a
  // move, `send` with all moved lines at its end.
  constructor(chart, changed, send) {
    Object.assign(this, { chart, changed, send });
    this.x = this.makeLine("x");
    this.y = this.makeLine("y");
    this.cross = element("div", "qc-cross");
    this.cross.title = "Drag both lines";
    this.makeDraggable(this.cross, ["x", "y"]);
    // Each line's value on its axis, null where there is none, and its edge if it was moved.
    this.values = { x: null, y: null };
    this.edges = { x: null, y: null };
  }

  // Takes the server's lines unless a move is not answered yet; returns whether it did.
  receive(state) {
    const isAnswered = !this.sent || state.answered >= this.sent;
    if (!isAnswered || this.isDragged || this.isPressed) return false;
    this.haveMoved = false;
    this.values = { ...state.lines };
    this.edges = { x: null, y: null };
    return true;
  }

  // Forgets moves that the server was not sent, or will not answer.
  forget() {
    clearTimeout(this.keysRest);
    this.isPressed = false;
    this.sent = undefined;
    this.edges = { x: null, y: null };
  }

  // The edge that a line is on, or the next above it.
  nextEdge(name) {
    return this.edges[name] ?? this.chart.state.nextEdges[name];
  }

  makeLine(name) {
    const line = element("div", `qc-line ${name}`);
    line.append(element("span", "pill"));
    line.tabIndex = 0;
    line.setAttribute("role", "slider");
    line.setAttribute("aria-label", LINE_NAMES[name]);
    line.setAttribute("aria-orientation", name === "x" ? "horizontal" : "vertical");
    line.title = "Drag, or use the arrow keys";
    this.makeDraggable(line, [name]);
    line.addEventListener("keydown", event => this.press(event, name));
    line.addEventListener("blur", () => this.endKeys());
    return line;
  }

  makeDraggable(handle, names) {
    let hasMoved = false;
    handle.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(event.pointerId);
      handle.classList.add("held");
      this.isDragged = true;
      hasMoved = false;
    });
    handle.addEventListener("pointermove", event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const pointer = this.chart.position(event);
      for (const name of names)
        this.move(name, this.nearestEdge(name, this.chart.frame.toValue(name, pointer[name])));
      hasMoved = true;
    });
    const release = event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      handle.releasePointerCapture(event.pointerId);
      handle.classList.remove("held");
      this.isDragged = false;
      if (hasMoved) this.finish();
    };
    handle.addEventListener("pointerup", release);
    handle.addEventListener("pointercancel", release);
  }

  press(event, name) {
    const { start, step, bins } = this.chart.grid.axes[name];
    const steps = event.shiftKey ? 10 : 1;
    const up = { ArrowRight: steps, ArrowUp: steps, PageUp: 10 };
    const down = { ArrowLeft: -steps, ArrowDown: -steps, PageDown: -10 };
    const end = { Home: 0, End: bins }[event.key];
    const by = { ...up, ...down }[event.key];
    if ((end ?? by) === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // Between two edges, the next edge is the first step up.
    const isBetween = by > 0 && !this.chart.state.onEdge[name] ? 1 : 0;
    const now = this.edges[name] ?? this.nextEdge(name) - isBetween;
    const edge = end ?? clamp(now + by, 0, bins);
    // A line outside the axis does not jump back onto it when moved further out.
    if (end === undefined && (start + edge * step - this.values[name]) * by < 0) return;
    this.move(name, edge);
    this.isPressed = true;
    clearTimeout(this.keysRest);
    this.keysRest = setTimeout(() => this.endKeys(), KEYS_REST);
  }

  endKeys() {
    clearTimeout(this.keysRest);
    if (this.isPressed) this.finish();
    this.isPressed = false;
  }

  nearestEdge(name, value) {
    const { start, step, bins } = this.chart.grid.axes[name];
    return clamp(Math.round((value - start) / step), 0, bins);
  }

  move(name, edge) {
    const { start, step } = this.chart.grid.axes[name];
    this.edges[name] = edge;
    this.values[name] = start + edge * step;
    this.haveMoved = true;
    this.changed();
  }

  // Sends every line moved since the last answer, as one message may overtake another.
  finish() {
    this.sent = Math.max(Date.now(), (this.sent ?? 0) + 1);
    const moved = { sent: this.sent, percentile: this.chart.grid.axes.x.percentile };
    for (const name of ["x", "y"]) {
      const { start, step } = this.chart.grid.axes[name];
      const edge = this.edges[name];
      if (edge != null) moved[name] = Number((start + edge * step).toFixed(digitsOf(step)));
    }
    this.send(moved);
  }

  // `pixels`: those of the lines, null where there is none.
  draw(frame, pixels, counts) {
    for (const name of ["x", "y"]) {
      const line = this[name];
      line.hidden = pixels[name] == null;
      if (line.hidden) continue;
      arrange(line, name === "x"
        ? { left: pixels.x, top: frame.outerTop, height: frame.bottom - frame.outerTop }
        : { top: pixels.y, left: frame.left, width: frame.outerRight - frame.left });
      const isOutside = Math.abs(frame.toPixel(name, this.values[name]) - pixels[name]) > 1;
      line.classList.toggle("outside", isOutside);
      this.describe(line, name, counts);
    }
    this.cross.hidden = pixels.x == null || pixels.y == null;
    arrange(this.cross, { left: pixels.x ?? 0, top: pixels.y ?? 0 });
    if (pixels.x == null) return;
    // The label of the x axis stays above the plot when its line is near an end.
    const label = this.x.firstChild;
    const half = label.offsetWidth / 2;
    const shift = clamp(pixels.x, frame.left + half, frame.right - half) - pixels.x;
    label.style.marginLeft = px(shift);
  }

  describe(line, name, counts) {
    const axis = this.chart.grid.axes[name];
    const value = this.values[name];
    const kept = counts[0] + counts[name === "x" ? 2 : 1];
    const text = axis.percentile
      ? `top ${(100 - value).toFixed(1)} %`
      : `${formatValue(value, axis.step)} · top ${formatShare(kept, this.chart.counts.total)}`;
    line.firstChild.textContent = text;
    line.setAttribute("aria-valuenow", value);
    line.setAttribute("aria-valuemin", axis.start);
    line.setAttribute("aria-valuemax", endOf(axis));
    line.setAttribute("aria-valuetext", `${axis.title} ${text}, ${formatCount(counts[0])} kept`);
  }
}
