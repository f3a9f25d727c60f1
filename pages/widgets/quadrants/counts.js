// Exact counts for lines on any edges of the grid, without the server.
//
// The server sends the number of samples in each cell once. Cumulative sums give the number right of
// and above any two edges.

const QUADRANTS = ["high_high", "low_high", "high_low", "low_low"];

class Counts {
  // `cells`: rows of the y axis, each with the cells of the x axis; the first and the last of either
  // hold the samples beyond the axis.
  constructor({ cells, axes }) {
    const samples = new Uint32Array(decodeBase64(cells).buffer);
    const [columns, rows] = [axes.x.bins + 2, axes.y.bins + 2];
    const sums = new Float64Array((columns + 1) * (rows + 1));
    const at = (column, row) => row * (columns + 1) + column;
    for (let row = rows - 1; row >= 0; row--) {
      let inRow = 0;
      for (let column = columns - 1; column >= 0; column--) {
        inRow += samples[row * columns + column];
        sums[at(column, row)] = inRow + sums[at(column, row + 1)];
      }
    }
    // Samples on or above edge `x` of one axis and edge `y` of the other; edge −1 is below them all.
    this.above = (x, y) => sums[at(x + 1, y + 1)];
    this.total = this.above(-1, -1);
  }

  // Samples between two edges of each axis; those on a lower edge included.
  between(x0, x1, y0, y1) {
    return this.above(x0, y0) - this.above(x1, y0) - this.above(x0, y1) + this.above(x1, y1);
  }

  // The counts of QUADRANTS. `edges` has the edge that each line was moved to, null where it was not
  // moved. Such a line may be between two edges: the server sends the counts, the next edge, and the
  // samples from the line to that edge (`strips`), counted along the other axis.
  quadrants({ counts, strips, nextEdges }, edges) {
    const [both, onlyY, onlyX] = counts;
    if (edges.x == null && edges.y == null) return counts;
    const x = edges.x == null ? both + onlyX : this.above(edges.x, -1);
    const y = edges.y == null ? both + onlyY : this.above(-1, edges.y);
    const inStrip = (strip, edge) => strip.slice(edge + 1).reduce((sum, count) => sum + count, 0);
    let kept = this.above(edges.x ?? nextEdges.x, edges.y ?? nextEdges.y);
    if (edges.x == null) kept += inStrip(strips.x, edges.y);
    if (edges.y == null) kept += inStrip(strips.y, edges.x);
    return [kept, y - kept, x - kept, this.total - x - y + kept];
  }
}
