// Counts of a quadrant for lines on any edges of the grid, in the browser.
//
// The server sends how many samples lie in each cell, once. What lies right of and above any edge
// follows from their sums, so that a line and all that depends on it move without the server.

const QUADRANTS = ["high_high", "low_high", "high_low", "low_low"];

class Sums {
  constructor({ cells, axes, coarse }) {
    const [nx, ny] = [axes.x.bins, axes.y.bins];
    const own = new Uint32Array(bytes(cells).buffer);
    const across = nx + 2;
    const sums = new Float64Array(across * (ny + 2));
    const right = new Float64Array(across);
    const above = new Float64Array(ny + 2);
    for (let j = ny; j >= -1; j--) {
      let row = 0;
      for (let k = nx; k >= -1; k--) {
        const count = own[(j + 1) * across + k + 1];
        row += count;
        if (k >= 0) right[k] += row;
        if (k >= 0 && j >= 0) sums[j * across + k] = row + sums[(j + 1) * across + k];
      }
      if (j >= 0) above[j] = row + above[j + 1];
      this.total = (this.total ?? 0) + row;
    }
    // Samples at or right of edge k and at or above edge j; of all, right of k, and above j.
    this.at = (k, j) => sums[j * across + k];
    this.right = k => right[k];
    this.above = j => above[j];
    const [columns, rows] = [nx / coarse, ny / coarse];
    this.size = [columns, rows];
    this.held = new Float64Array(columns * rows);
    for (let j = 0; j < ny; j++)
      for (let k = 0; k < nx; k++)
        this.held[Math.floor(j / coarse) * columns + Math.floor(k / coarse)] +=
          own[(j + 1) * across + k + 1];
    this.most = this.held.reduce((most, count) => Math.max(most, count), 1);
  }

  // Where a line was moved it is on an edge, `index`; where it was not it may lie between two, and
  // `parts` are the samples from it to the next. Either way the counts are exact.
  quadrants({ counts, parts, rows }, { x: k, y: j }) {
    const [both, yOnly, xOnly] = counts;
    if (k == null && j == null) return { each: counts, total: counts.reduce((a, b) => a + b, 0) };
    const x = k == null ? both + xOnly : this.right(k);
    const y = j == null ? both + yOnly : this.above(j);
    const from = (part, edge) => part.slice(edge + 1).reduce((a, b) => a + b, 0);
    let kept = this.at(k ?? rows.x, j ?? rows.y);
    if (k == null) kept += from(parts.x, j);
    if (j == null) kept += from(parts.y, k);
    return { each: [kept, y - kept, x - kept, this.total - x - y + kept], total: this.total };
  }
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

// The color at a place from 0 to 1 along some stops, as [r, g, b].
function between(stops, at) {
  const place = Math.min(Math.max(at, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const [from, to] = [stops[low], stops[low + 1]].map(hex =>
    [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)));
  return from.map((v, i) => Math.round(v + (to[i] - v) * (place - low)));
}

const px = value => `${value}px`;
const whole = value => Math.round(value).toLocaleString("en-US");
const percent = (part, all) => (all ? `${((100 * part) / all).toFixed(1)} %` : "—");
const minus = text => text.replace("-", "−");
const digits = step => Math.min(Math.max(Math.ceil(-Math.log10(step) - 1e-9), 0), 9);
const format = (value, step) => minus(value.toFixed(digits(step)));
const short = (value, share) => (share ? percent(value, 1) : minus(value.toPrecision(3)));
