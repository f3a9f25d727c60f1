// The quadrant chart: density, axes, histograms and legend, with two threshold lines to drag.
//
// The server sends two messages, each when it changes: the grid of counts, which is large, and the
// state of the lines. Both reach this function, which draws into the element of the second.
// The other scripts of this folder are read before this one.

const charts = new WeakMap();

export default function ({ data: [message], parentElement, setTriggerValue }) {
  const container = parentElement.closest(`.st-key-${message.key}`);
  // Streamlit may have removed it already.
  if (!container) return;
  if (!charts.has(container)) charts.set(container, new Chart());
  const chart = charts.get(container);
  if (message.cells) return chart.receiveGrid(message);
  chart.receiveState(message, parentElement, setTriggerValue);
  // Streamlit may clean up after an earlier call when a later one has begun.
  const call = (chart.call = {});
  return () => chart.call === call && chart.remove();
}

class Chart {
  constructor() {
    this.density = new Density();
    this.axes = new Axes();
    this.lines = new Lines(this, () => this.lineMoved(), moved => this.send("moved", moved));
    this.pointer = new PlotPointer(this, (name, range) => this.sendRange(name, range));
    this.corners = QUADRANTS.map(name => element("div", `qc-corner ${name}`));
    this.box = element("div", "qc-box");
    this.tiles = new Tiles();
    this.root = element("div", "qc-chart");
    const { lines, pointer, density } = this;
    this.root.append(density.canvas, this.axes.layer, pointer.surface, this.box, pointer.rectangle,
      density.legend, lines.x, lines.y, ...this.corners, lines.cross, pointer.toolbar, pointer.hint);
    this.resized = new ResizeObserver(() => this.drawSoon());
  }

  receiveGrid(grid) {
    const isSame = ["name", "cells", "dark"].every(key => grid[key] === this.nextGrid?.[key])
      && ["title", "levels"].every(key => grid.color?.[key] === this.nextGrid.color?.[key]);
    if (isSame) return;
    this.nextGrid = grid;
    this.update();
  }

  receiveState(state, parent, send) {
    this.send = send;
    this.nextState = state;
    if (this.root.parentElement !== parent) {
      parent.append(this.root);
      this.resized.observe(this.root);
    }
    this.update();
  }

  // The state refers to edges of a grid: neither is used before both are there.
  update() {
    const { nextGrid, nextState } = this;
    if (!nextGrid || nextGrid.name !== nextState?.grid) return;
    if (nextGrid !== this.grid) {
      // Lines that were moved are on edges of the grid before.
      if (nextGrid.name !== this.grid?.name) this.lines.forget();
      this.grid = nextGrid;
      this.counts = new Counts(nextGrid);
      this.density.prepare(nextGrid, this.counts);
    }
    // A new session of the server answers no move of the one before.
    if (nextState.session !== this.state?.session) this.lines.forget();
    this.state = nextState;
    this.isLaidOut = false;
    if (this.lines.receive(nextState)) this.tiles.uncover();
    this.drawSoon();
  }

  remove() {
    this.resized.disconnect();
    this.lines.forget();
    this.tiles.uncover();
    this.root.remove();
  }

  // The pointer's position in pixels of the chart.
  position({ clientX, clientY }) {
    const { left, top } = this.root.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  sendRange(name, range) {
    this.send(name, { range, percentile: this.grid.axes.x.percentile });
  }

  lineMoved() {
    this.tiles.cover();
    this.drawSoon();
  }

  drawSoon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (this.root.isConnected && this.state) this.draw();
    });
  }

  draw() {
    const { lines, state } = this;
    if (!this.isLaidOut || this.frame.chartWidth !== this.root.clientWidth) this.layOut();
    const { frame } = this;
    const pixel = name =>
      lines.values[name] == null ? null : frame.clampedPixel(name, lines.values[name]);
    const pixels = { x: pixel("x"), y: pixel("y") };
    const counts = this.counts.quadrants(state, lines.edges);
    this.density.draw(frame, pixels, { x: lines.nextEdge("x"), y: lines.nextEdge("y") });
    lines.draw(frame, pixels, counts);
    this.drawCorners(frame, counts);
    if (lines.haveMoved) this.tiles.write(counts, this.counts.total);
  }

  // What stays where it is while a line moves.
  layOut() {
    const frame = (this.frame = new Frame(this.root.clientWidth, this.grid.axes));
    this.isLaidOut = true;
    this.axes.draw(frame);
    this.pointer.layOut(frame);
    this.drawBox(frame);
    const { left, chartWidth } = frame;
    arrange(this.density.legend, { left, top: HEIGHT - 26, maxWidth: chartWidth - left });
  }

  drawBox(frame) {
    const { box } = this.state;
    this.box.hidden = !box;
    if (!box) return;
    const [left, right] = [box[0], box[1]].map(value => frame.clampedPixel("x", value));
    const [bottom, top] = [box[2], box[3]].map(value => frame.clampedPixel("y", value));
    this.box.hidden = right - left < 1 && bottom - top < 1;
    arrange(this.box, { left, top, width: right - left, height: bottom - top });
  }

  drawCorners(frame, counts) {
    this.corners.forEach((corner, i) => {
      const [isRight, isTop] = QUADRANTS[i].split("_").map(side => side === "high");
      const share = element("b", "", formatShare(counts[i], this.counts.total));
      corner.replaceChildren(this.state.names[i], element("br"), share, ` · ${formatCount(counts[i])}`);
      arrange(corner, {
        [isRight ? "right" : "left"]: (isRight ? frame.chartWidth - frame.right : frame.left) + 5,
        [isTop ? "top" : "bottom"]: (isTop ? frame.top : HEIGHT - frame.bottom) + 5,
        maxWidth: frame.width * 0.46,
      });
    });
  }
}
