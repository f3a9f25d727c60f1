// The threshold lines: dragged, or moved by the arrow keys, along the edges of the grid.
//
// What a person holds is theirs: until the server has heard of it, what it says of the lines waits.

const NAMES = { x: "Across", y: "Up" };

class Lines {
  // `chart` has the frame, the axes and what the server said; `changed` is called for every move and
  // `tell` with where the lines were let go.
  constructor(chart, changed, tell) {
    Object.assign(this, { chart, changed, tell });
    this.x = this.line("x");
    this.y = this.line("y");
    this.cross = element("div", "qc-cross");
    this.cross.title = "Drag both lines";
    this.draggable(this.cross, ["x", "y"]);
    // Where they are as people read the axes, and on which edge of the grid if they were moved.
    this.at = { x: null, y: null };
    this.index = { x: null, y: null };
  }

  // What the server says: whether it counts now.
  hear(said) {
    const isHeard = !this.sent || said.heard >= this.sent;
    if (!isHeard || this.isHeld || this.isPressed) return false;
    this.haveMoved = false;
    this.at = { ...said.lines };
    this.index = { x: null, y: null };
    return true;
  }

  // What the server was not told, or not known to have heard, counts no more.
  forget() {
    clearTimeout(this.rests);
    this.isPressed = false;
    this.sent = undefined;
    this.index = { x: null, y: null };
  }

  // The edge that a line lies on, or the next above it.
  row(name) {
    return this.index[name] ?? this.chart.said.rows[name];
  }

  line(name) {
    const line = element("div", `qc-line ${name}`);
    line.append(element("span", "pill"));
    line.tabIndex = 0;
    line.setAttribute("role", "slider");
    line.setAttribute("aria-label", `${NAMES[name]}: line`);
    line.setAttribute("aria-orientation", name === "x" ? "horizontal" : "vertical");
    line.title = "Drag, or use the arrow keys";
    this.draggable(line, [name]);
    line.addEventListener("keydown", event => this.press(event, name));
    line.addEventListener("blur", () => this.settle());
    return line;
  }

  draggable(handle, names) {
    let moves = false;
    handle.addEventListener("pointerdown", event => {
      if (event.button) return;
      event.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(event.pointerId);
      handle.classList.add("held");
      this.isHeld = true;
      moves = false;
    });
    handle.addEventListener("pointermove", event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { frame, place } = this.chart;
      const { left, top } = place.getBoundingClientRect();
      const pointer = { x: event.clientX - left, y: event.clientY - top };
      for (const name of names) this.move(name, this.nearest(name, frame.from(name, pointer[name])));
      moves = true;
    });
    const release = event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      handle.releasePointerCapture(event.pointerId);
      handle.classList.remove("held");
      this.isHeld = false;
      if (moves) this.letGo();
    };
    handle.addEventListener("pointerup", release);
    handle.addEventListener("pointercancel", release);
  }

  press(event, name) {
    const { start, step, bins } = this.chart.grid.axes[name];
    const far = event.shiftKey ? 10 : 1;
    const up = { ArrowRight: far, ArrowUp: far, PageUp: 10 };
    const down = { ArrowLeft: -far, ArrowDown: -far, PageDown: -10 };
    const end = { Home: 0, End: bins }[event.key];
    const by = { ...up, ...down }[event.key];
    if ((end ?? by) === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // From between two edges the next one is a step.
    const between = by > 0 && !this.chart.said.edge[name] ? 1 : 0;
    const now = this.index[name] ?? this.row(name) - between;
    const index = end ?? Math.min(Math.max(now + by, 0), bins);
    // Beyond what is shown there is no edge to go on to.
    if (end === undefined && (start + index * step - this.at[name]) * by < 0) return;
    this.move(name, index);
    this.isPressed = true;
    clearTimeout(this.rests);
    this.rests = setTimeout(() => this.settle(), 400);
  }

  settle() {
    clearTimeout(this.rests);
    if (this.isPressed) this.letGo();
    this.isPressed = false;
  }

  nearest(name, value) {
    const { start, step, bins } = this.chart.grid.axes[name];
    return Math.min(Math.max(Math.round((value - start) / step), 0), bins);
  }

  move(name, index) {
    const { start, step } = this.chart.grid.axes[name];
    this.index[name] = index;
    this.at[name] = start + index * step;
    this.haveMoved = true;
    this.changed();
  }

  // All that the server has not heard of: one message may overtake another.
  letGo() {
    this.sent = Math.max(Date.now(), (this.sent ?? 0) + 1);
    const moved = { sent: this.sent, percentile: this.chart.grid.axes.x.percentile };
    for (const name of ["x", "y"]) {
      const { start, step } = this.chart.grid.axes[name];
      const index = this.index[name];
      if (index != null) moved[name] = Number((start + index * step).toFixed(digits(step)));
    }
    this.tell(moved);
  }

  // `at`: their pixels, or null where there is no line.
  draw(frame, at, counts) {
    for (const name of ["x", "y"]) {
      const line = this[name];
      line.hidden = at[name] == null;
      if (line.hidden) continue;
      Object.assign(line.style, name === "x"
        ? { left: px(at.x), top: px(frame.outer.top), height: px(frame.bottom - frame.outer.top) }
        : { top: px(at.y), left: px(frame.left), width: px(frame.outer.right - frame.left) });
      line.classList.toggle("away", Math.abs(frame.to(name, this.at[name]) - at[name]) > 1);
      this.say(line, name, counts);
    }
    this.cross.hidden = at.x == null || at.y == null;
    Object.assign(this.cross.style, { left: px(at.x ?? 0), top: px(at.y ?? 0) });
    if (at.x == null) return;
    // The value stays above the plot when its line is at an end.
    const pill = this.x.firstChild;
    const half = pill.offsetWidth / 2;
    const room = [frame.left + half - at.x, frame.right - half - at.x];
    pill.style.marginLeft = px(Math.min(Math.max(0, room[0]), room[1]));
  }

  say(line, name, { each, total }) {
    const axis = this.chart.grid.axes[name];
    const value = this.at[name];
    const kept = percent(each[0] + each[name === "x" ? 2 : 1], total);
    const text = axis.percentile
      ? `top ${(100 - value).toFixed(1)} %`
      : `${format(value, axis.step)} · top ${kept}`;
    line.firstChild.textContent = text;
    line.setAttribute("aria-valuenow", value);
    line.setAttribute("aria-valuemin", axis.start);
    line.setAttribute("aria-valuemax", endOf(axis));
    line.setAttribute("aria-valuetext", `${axis.title} ${text}, ${whole(each[0])} kept`);
  }
}
