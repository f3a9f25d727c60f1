// Marks on a gallery's cards: shows them, and tells the app what a curator does to them.
// Everything of a dataset is text here, never HTML.

const ICONS = {
  keep: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  drop: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
};
const NAMES = { keep: "Keep", drop: "Drop" };
const KEYS = [["K", "keep"], ["D", "drop"], ["U", "undo"], ["← ↑ ↓ →", "move"], ["Enter", "open"]];

// A container outlives the component in it.
const galleries = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.closest(`.st-key-${data.key}`);
  if (!galleries.has(place)) galleries.set(place, new Gallery(place));
  galleries.get(place).update(data, parentElement, setTriggerValue);
}

class Gallery {
  constructor(place) {
    this.place = place;
    place.addEventListener("click", event => this.click(event));
    place.addEventListener("keydown", event => this.press(event));
    place.addEventListener("focusin", event => this.focus(event.target.closest("figure")));
    // The cards may be drawn anew after this was told of them.
    new MutationObserver(() => this.draw()).observe(place, { childList: true, subtree: true });
  }

  update(data, foot, tell) {
    if (this.data?.key !== data.key) this.waiting = [];
    this.data = data;
    this.tell = tell;
    // What the app has not heard of yet holds against what it says.
    this.waiting = this.waiting.filter(([number]) => number > data.done);
    // The theme's colours are known below the component only.
    const ring = getComputedStyle(foot).getPropertyValue("--st-primary-color");
    this.place.style.setProperty("--ring", ring);
    this.draw();
    this.drawBar(foot);
  }

  get cards() {
    return [...this.place.querySelectorAll("figure[data-uid]")];
  }

  draw() {
    const cards = this.cards;
    const marks = { ...this.data.marks };
    for (const [, action, uid] of this.waiting) if (uid) marks[uid] = action;
    for (const card of cards) {
      if (!card.querySelector(".acts")) dress(card, this.data.ws);
      show(card, marks[card.dataset.uid]);
    }
    // One stop of the Tab key for them all: arrows go on from there.
    const stop = cards.find(card => card.tabIndex === 0 && card.hasAttribute("tabindex"));
    for (const card of cards) card.tabIndex = card === (stop ?? cards[0]) ? 0 : -1;
  }

  drawBar(foot) {
    const { said, next, total } = this.data;
    const status = element("span", { className: "said", role: "status", textContent: said });
    const parts = [status];
    if (next) {
      const name = next === "undo" ? "Undo" : "Redo";
      parts.push(element("button", { type: "button", textContent: name, act: next }));
    }
    if (total) parts.push(element("span", { className: "total", textContent: total }));
    const keys = element("span", { className: "keys" });
    for (const [key, what] of KEYS) {
      keys.append(element("kbd", { textContent: key }), ` ${what}`);
    }
    parts.push(keys);
    let bar = foot.querySelector(".marks-bar");
    if (!bar) foot.append((bar = element("div", { className: "marks-bar" })));
    const had = bar.contains(document.activeElement);
    bar.replaceChildren(...parts);
    bar.classList.toggle("active", Boolean(said));
    if (had) bar.querySelector("button")?.focus();
  }

  act(action, card) {
    const uid = card?.dataset.uid ?? null;
    last = Math.max(last + 1, Date.now());
    this.waiting.push([last, action, uid]);
    // The same sample may stand on the page twice.
    if (uid) document.querySelectorAll(`figure[data-uid="${uid}"]`).forEach(c => show(c, action));
    document.querySelectorAll(".marks-bar.active").forEach(bar => bar.classList.remove("active"));
    this.tell("act", this.waiting);
  }

  mark(action, card) {
    if (card.dataset.mark !== action) this.act(action, card);
  }

  open(card) {
    this.tell("open", card.dataset.uid);
  }

  focus(card) {
    if (card) for (const other of this.cards) other.tabIndex = other === card ? 0 : -1;
  }

  click(event) {
    const card = event.target.closest("figure[data-uid]");
    const button = event.target.closest("button[data-act]");
    if (button) {
      const action = button.dataset.act;
      const again = button.getAttribute("aria-pressed") === "true";
      this.act(again ? "none" : action, card);
    } else if (event.target.closest("a.open")) {
      // In a tab of its own if a key says so; else in this session.
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.open(card);
      return;
    }
    card?.focus({ preventScroll: true });
  }

  press(event) {
    const card = event.target.closest("figure[data-uid]");
    const key = event.key.toLowerCase();
    const isOurs = card || event.target.closest(".marks-bar");
    if (!isOurs || event.altKey) return;
    const done = () => { event.preventDefault(); event.stopPropagation(); };
    if (event.ctrlKey || event.metaKey) {
      if (key === "z" || key === "y") {
        done();
        this.act(key === "y" || event.shiftKey ? "redo" : "undo");
      }
    } else if (key === "u") {
      done();
      this.act("undo");
    } else if (card && key === "k") {
      done();
      this.mark("keep", card);
    } else if (card && key === "d") {
      done();
      this.mark("drop", card);
    } else if (card === event.target && key === "enter") {
      done();
      this.open(card);
    } else if (card && key.startsWith("arrow")) {
      const next = this.beside(card, key);
      done();
      next?.focus();
    }
  }

  beside(card, key) {
    const cards = this.cards;
    const across = cards.filter(other => other.offsetTop === cards[0].offsetTop).length;
    const step = { arrowleft: -1, arrowright: 1, arrowup: -across, arrowdown: across }[key];
    return cards[cards.indexOf(card) + step];
  }
}

// Never twice the same, in whichever gallery.
let last = 0;

function dress(card, ws) {
  const address = new URL("sample", location.href);
  address.searchParams.set("uid", card.dataset.uid);
  if (ws) address.searchParams.set("ws", ws);
  const link = element("a", { className: "open", href: address.href, title: "Open this sample" });
  link.setAttribute("aria-label", "Open this sample");
  const marked = element("span", { className: "marked" });
  const acts = element("div", { className: "acts" });
  for (const action of ["keep", "drop"]) {
    const sign = element("span", { className: action });
    sign.append(icon(action), NAMES[action]);
    marked.append(sign);
    const title = `${NAMES[action]} (${action[0].toUpperCase()})`;
    const button = element("button", { type: "button", className: action, title, act: action });
    button.setAttribute("aria-label", NAMES[action]);
    button.append(icon(action));
    acts.append(button);
  }
  card.append(link, marked, acts);
}

function show(card, mark) {
  if (mark in NAMES) card.dataset.mark = mark;
  else delete card.dataset.mark;
  for (const button of card.querySelectorAll(".acts button")) {
    button.setAttribute("aria-pressed", String(button.dataset.act === mark));
  }
}

function element(name, { act, role, ...properties }) {
  const made = Object.assign(document.createElement(name), properties);
  if (act) made.dataset.act = act;
  if (role) made.setAttribute("role", role);
  return made;
}

function icon(action) {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[action]);
  picture.append(path);
  return picture;
}
