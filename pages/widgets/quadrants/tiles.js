// The counts in the page's tiles while a line moves.
//
// The tiles' own texts belong to Streamlit, so others are laid over them.

class Tiles {
  constructor() {
    this.covers = [];
  }

  cards() {
    return [...document.querySelectorAll("[class*=st-key-quadrant_cards] [data-testid=stMetric]")];
  }

  cover() {
    const cards = this.cards();
    if (cards.length && cards.every((card, i) => this.covers[i]?.[0].parentElement === card)) return;
    this.uncover();
    this.covers = cards.map(card => ["stMetricValue", "stMetricDelta"].map(name => coverOf(card, name)));
    cards.forEach((card, i) => {
      card.append(...this.covers[i]);
      card.classList.add("qc-moving");
    });
  }

  uncover() {
    for (const card of this.cards()) card.classList.remove("qc-moving");
    for (const cover of this.covers.flat()) cover.remove();
    this.covers = [];
  }

  write(counts, total) {
    this.covers.forEach(([count, share], i) => {
      count.textContent = formatCount(counts[i]);
      share.textContent = formatShare(counts[i], total) + (i ? "" : " kept");
    });
  }
}

// An element with the position and the font of the text that a card has under a test id.
function coverOf(card, testId) {
  const cover = element("span", "qc-live");
  const original = [...card.querySelectorAll(`[data-testid=${testId}], [data-testid=${testId}] *`)]
    .find(part => [...part.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  if (!original) return cover;
  const [outer, inner] = [card, original].map(node => node.getBoundingClientRect());
  const { fontSize, fontWeight, lineHeight, color } = getComputedStyle(original);
  Object.assign(cover.style, { fontSize, fontWeight, lineHeight, color });
  arrange(cover, {
    left: inner.left - outer.left - card.clientLeft, top: inner.top - outer.top - card.clientTop,
  });
  return cover;
}
