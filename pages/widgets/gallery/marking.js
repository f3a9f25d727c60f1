// Marks on cards: shows them, and tells the app what a curator does to them.
// Everything of a dataset is text here, never HTML.

const ICONS = {
  keep: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  drop: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
};
const NAMES = { keep: "Keep", drop: "Drop" };
const SAID = { keep: "manually kept", drop: "manually dropped" };
const KEYS = [["K", "keep"], ["D", "drop"], ["U", "undo"]];
const KEYS_AMONG = [["← ↑ ↓ →", "move"], ["Enter", "open"]];
// What has a use for letters itself.
const TYPED_INTO = "input, textarea, select, [contenteditable=true], [role=listbox], [role=menu]";
// Milliseconds after which the app will not hear any more of what was done.
const PATIENCE = 10_000;

// One for all galleries of the page, whichever of them brought this script along:
// what the app said last of each sample, what it has not heard of yet, and which one is to open.
const page = (window[Symbol.for("curation marks")] ??= listening({
  galleries: new Map(), marks: new Map(), waiting: [], lines: 0, total: "", of: null, last: 0,
  opening: null,
}));

// Of the sample that a page is all about, keys are pressed anywhere.
function listening(made) {
  document.addEventListener("keydown", event => {
    if (event.target.closest(`figure[data-uid], ${TYPED_INTO}`)) return;
    for (const gallery of made.galleries.values()) {
      if (gallery.data.isPage && gallery.place.isConnected) gallery.press(event, gallery.cards[0]);
    }
  });
  return made;
}

export default function ({ data: [data], parentElement, setTriggerValue }) {
  const place = parentElement.closest(`.st-key-${data.key}`);
  // It may be gone already.
  if (!place) return;
  // A container outlives the component in it.
  if (!page.galleries.has(place)) page.galleries.set(place, new Gallery(place));
  for (const old of page.galleries.keys()) if (!old.isConnected) page.galleries.delete(old);
  page.galleries.get(place).update(data, parentElement, setTriggerValue);
}

class Gallery {
  constructor(place) {
    this.place = place;
    place.addEventListener("click", event => this.click(event));
    place.addEventListener("keydown", event => this.press(event));
    place.addEventListener("focusin", event => this.stopAt(event.target.closest("figure")));
    // The cards may be drawn anew after this was told of them.
    new MutationObserver(() => this.draw()).observe(place, { childList: true, subtree: true });
  }

  update(data, foot, tell) {
    this.data = data;
    this.tell = tell;
    this.bar ??= new Bar(data.isPage ? KEYS : [...KEYS, ...KEYS_AMONG]);
    learn(data);
    // The theme's colors are known below the component only.
    const ring = getComputedStyle(foot).getPropertyValue("--st-primary-color");
    this.place.style.setProperty("--ring", ring);
    if (!foot.contains(this.bar.element)) foot.append(this.bar.element);
    const hadFocus = document.activeElement === this.bar.button;
    this.bar.say(data.said, data.next);
    if (hadFocus && !data.next) this.stop?.focus();
    // Streamlit leaves a page that is only another sample's now where it was scrolled to.
    if (data.isPage && page.opening in data.marks) {
      page.opening = null;
      this.place.closest("[data-testid=stMain]")?.scrollTo(0, 0);
    }
    for (const gallery of page.galleries.values()) gallery.draw();
    // It was busy when it was told.
    if (this.waiting.length) this.tell("act", this.waiting);
  }

  get cards() {
    return [...this.place.querySelectorAll("figure[data-uid]")];
  }

  get stop() {
    return this.cards.find(card => card.getAttribute("tabindex") === "0");
  }

  get waiting() {
    return page.waiting.filter(act => act.key === this.data.key).map(act => act.told);
  }

  draw() {
    if (!this.data) return;
    const cards = this.cards;
    for (const card of cards) {
      if (!card.querySelector(".acts")) dress(card, !this.data.isPage);
      lead(card, this.data.kept);
      show(card, page.marks.get(card.dataset.uid));
    }
    // One stop of the Tab key for them all: arrows go on from there.
    this.stopAt(this.stop ?? cards[0]);
    this.bar.total(page.total);
  }

  stopAt(card) {
    if (!card) return;
    for (const other of this.cards) {
      other.tabIndex = other === card ? 0 : -1;
      for (const inside of other.querySelectorAll("a, button")) inside.tabIndex = other.tabIndex;
    }
  }

  act(action, card) {
    const uid = card?.dataset.uid ?? null;
    page.last = Math.max(page.last + 1, this.data.done + 1, Date.now());
    page.waiting.push({ key: this.data.key, told: [page.last, action, uid], at: Date.now() });
    if (uid) page.marks.set(uid, action);
    for (const gallery of page.galleries.values()) {
      if (gallery !== this) gallery.bar.quiet();
      gallery.draw();
    }
    this.tell("act", this.waiting);
  }

  open(card) {
    page.opening = card.dataset.uid;
    this.tell("open", card.dataset.uid);
  }

  click(event) {
    const card = event.target.closest("figure[data-uid]");
    const button = event.target.closest("button[data-act]");
    if (button) {
      const again = button.getAttribute("aria-pressed") === "true";
      this.act(again ? "none" : button.dataset.act, card);
    } else if (event.target.closest("a.open")) {
      // In a tab of its own if a key says so; else in this session.
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.open(card);
      return;
    }
    card?.focus({ preventScroll: true });
  }

  press(event, card = event.target.closest("figure[data-uid]")) {
    const key = event.key.toLowerCase();
    const isOurs = card || event.target.closest(".marks-bar");
    if (!isOurs || event.altKey) return;
    const acts = action => {
      event.preventDefault();
      event.stopPropagation();
      // A key that is held down is one decision.
      if (!event.repeat) this.act(action, action in NAMES ? card : null);
    };
    if (event.ctrlKey || event.metaKey) {
      if (key === "z" || key === "y") acts(key === "y" || event.shiftKey ? "redo" : "undo");
    } else if (key === "u") {
      acts("undo");
    } else if (card && key === "k") {
      acts("keep");
    } else if (card && key === "d") {
      acts("drop");
    } else if (this.data.isPage) {
      // There is no other card to go to.
      return;
    } else if (card === event.target && key === "enter") {
      event.preventDefault();
      this.open(card);
    } else if (card && key.startsWith("arrow")) {
      event.preventDefault();
      event.stopPropagation();
      this.beside(card, key)?.focus();
    }
  }

  beside(card, key) {
    const cards = this.cards;
    const across = cards.filter(other => other.offsetTop === cards[0].offsetTop).length;
    const step = { arrowleft: -1, arrowright: 1, arrowup: -across, arrowdown: across }[key];
    return cards[cards.indexOf(card) + step];
  }
}

// The line below the cards. It is made once: what reads it aloud tells of changes only.
class Bar {
  constructor(known) {
    this.element = element("div", { className: "marks-bar" });
    this.status = element("span", { className: "status", role: "status" });
    this.told = element("span", { className: "said" });
    this.all = element("span", { className: "total" });
    this.button = element("button", { type: "button", hidden: true });
    const keys = element("span", { className: "keys" });
    for (const [key, what] of known) {
      keys.append(element("kbd", { textContent: key }), ` ${what}`);
    }
    this.status.append(this.told, " ", this.all);
    this.element.append(this.status, this.button, keys);
  }

  say(said, next) {
    write(this.told, said);
    write(this.button, NAMES_OF_STEPS[next] ?? "");
    this.button.dataset.act = next;
    this.button.hidden = !next;
    this.element.classList.toggle("active", Boolean(said));
  }

  quiet() {
    this.element.classList.remove("active");
  }

  total(total) {
    write(this.all, total);
  }
}

const NAMES_OF_STEPS = { undo: "Undo", redo: "Redo" };

function learn(data) {
  if (page.of !== data.of) Object.assign(page, { of: data.of, lines: 0, marks: new Map(), waiting: [] });
  page.waiting = page.waiting.filter(
    ({ key, told, at }) => (key !== data.key || told[0] > data.done) && Date.now() - at < PATIENCE,
  );
  // What is older than what is known already was only drawn again.
  if (data.lines >= page.lines) {
    page.lines = data.lines;
    page.total = data.total;
    for (const [uid, mark] of Object.entries(data.marks)) page.marks.set(uid, mark);
  }
  // What the app has not heard of yet holds against what it says.
  for (const { told: [, action, uid] } of page.waiting) if (uid) page.marks.set(uid, action);
}

function dress(card, leads) {
  const link = element("a", { className: "open", title: "Open this sample" });
  link.setAttribute("aria-label", "Open this sample");
  const marked = element("span", { className: "marked" });
  marked.setAttribute("aria-hidden", "true");
  const acts = element("div", { className: "acts" });
  for (const action of ["keep", "drop"]) {
    const sign = element("span", { className: action });
    sign.append(icon(action), NAMES[action]);
    marked.append(sign);
    const title = `${NAMES[action]} (${action[0].toUpperCase()})`;
    const button = element("button", { type: "button", className: action, title });
    button.dataset.act = action;
    button.setAttribute("aria-label", NAMES[action]);
    button.append(icon(action), element("span", { textContent: NAMES[action] }));
    acts.append(button);
  }
  card.setAttribute("aria-keyshortcuts", leads ? "K D U Enter" : "K D U");
  card.append(...(leads ? [link] : []), marked, acts);
}

function lead(card, kept) {
  const link = card.querySelector("a.open");
  if (!link) return;
  const address = new URL("sample", location.href);
  for (const [name, value] of [["uid", card.dataset.uid], ...kept]) {
    address.searchParams.set(name, value);
  }
  link.href = address.href;
}

function show(card, mark) {
  const caption = card.querySelector(".caption")?.textContent ?? "";
  card.setAttribute("aria-label", mark in SAID ? `${caption}, ${SAID[mark]}` : caption);
  if (mark in NAMES) card.dataset.mark = mark;
  else delete card.dataset.mark;
  for (const button of card.querySelectorAll(".acts button")) {
    button.setAttribute("aria-pressed", String(button.dataset.act === mark));
  }
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function element(name, { role, ...properties }) {
  const made = Object.assign(document.createElement(name), properties);
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
