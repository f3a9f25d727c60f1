// Marks on cards: shows them, and sends the app what a curator does.
// Text of a dataset is set as text here, never as HTML.

const ICONS = {
  keep: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  drop: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12z",
};
const NAMES = { keep: "Keep", drop: "Drop" };
const STATES = { keep: "manually kept", drop: "manually dropped" };
const KEYS = [["K", "keep"], ["D", "drop"], ["U", "undo"]];
const KEYS_AMONG = [["← ↑ ↓ →", "move"], ["Enter", "open"]];
// Elements that use letter keys themselves.
const TYPED_INTO = "input, textarea, select, [contenteditable=true], [role=listbox], [role=menu]";
// Milliseconds until an action that the app has not confirmed is given up.
const PATIENCE = 10_000;

// Shared by all galleries of the page: the last known mark of each sample, the actions that the app
// has not confirmed, and the sample that is about to open.
const page = (window[Symbol.for("curation marks")] ??= listening({
  galleries: new Map(), marks: new Map(), waiting: [], logLength: 0, total: "", workspace: null,
  last: 0, opening: null,
}));

// The sample that a page is about gets the keys that are pressed anywhere.
function listening(state) {
  document.addEventListener("keydown", event => {
    if (event.target.closest(`figure[data-uid], ${TYPED_INTO}`)) return;
    for (const gallery of state.galleries.values()) {
      if (gallery.data.isPage && gallery.container.isConnected) gallery.press(event, gallery.cards[0]);
    }
  });
  return state;
}

export default function ({ data: [data], parentElement, setTriggerValue }) {
  const container = parentElement.closest(`.st-key-${data.key}`);
  // Streamlit may have removed it already.
  if (!container) return;
  // A container outlives the component in it.
  if (!page.galleries.has(container)) page.galleries.set(container, new Gallery(container));
  for (const old of page.galleries.keys()) if (!old.isConnected) page.galleries.delete(old);
  page.galleries.get(container).update(data, parentElement, setTriggerValue);
}

class Gallery {
  constructor(container) {
    this.container = container;
    container.addEventListener("click", event => this.click(event));
    container.addEventListener("keydown", event => this.press(event));
    container.addEventListener("focusin", event => this.stopAt(event.target.closest("figure")));
    // Streamlit may replace the cards after this script ran.
    new MutationObserver(() => this.draw()).observe(container, { childList: true, subtree: true });
  }

  update(data, parent, send) {
    this.data = data;
    this.send = send;
    this.bar ??= new Bar(data.isPage ? KEYS : [...KEYS, ...KEYS_AMONG]);
    learn(data);
    // Only the component's own elements have the theme's colors.
    const ring = getComputedStyle(parent).getPropertyValue("--st-primary-color");
    this.container.style.setProperty("--ring", ring);
    if (!parent.contains(this.bar.element)) parent.append(this.bar.element);
    const hadFocus = document.activeElement === this.bar.button;
    this.bar.show(data.message, data.step);
    if (hadFocus && !data.step) this.stop?.focus();
    // Streamlit keeps the scroll position when the page changes to another sample.
    if (data.isPage && page.opening in data.marks) {
      page.opening = null;
      this.container.closest("[data-testid=stMain]")?.scrollTo(0, 0);
    }
    for (const gallery of page.galleries.values()) gallery.draw();
    // The app may have missed these while it was busy.
    if (this.waiting.length) this.send("act", this.waiting);
  }

  get cards() {
    return [...this.container.querySelectorAll("figure[data-uid]")];
  }

  get stop() {
    return this.cards.find(card => card.getAttribute("tabindex") === "0");
  }

  get waiting() {
    return page.waiting.filter(({ key }) => key === this.data.key).map(({ action }) => action);
  }

  draw() {
    if (!this.data) return;
    const cards = this.cards;
    for (const card of cards) {
      if (!card.querySelector(".acts")) dress(card, !this.data.isPage);
      lead(card, this.data.parameters);
      show(card, page.marks.get(card.dataset.uid));
    }
    // All cards share one tab stop; arrow keys move between them.
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
    page.waiting.push({ key: this.data.key, action: [page.last, action, uid], at: Date.now() });
    if (uid) page.marks.set(uid, action);
    for (const gallery of page.galleries.values()) {
      if (gallery !== this) gallery.bar.quiet();
      gallery.draw();
    }
    this.send("act", this.waiting);
  }

  open(card) {
    page.opening = card.dataset.uid;
    this.send("open", card.dataset.uid);
  }

  click(event) {
    const card = event.target.closest("figure[data-uid]");
    const button = event.target.closest("button[data-act]");
    if (button) {
      const again = button.getAttribute("aria-pressed") === "true";
      this.act(again ? "none" : button.dataset.act, card);
    } else if (event.target.closest("a.open")) {
      // A modifier key opens a new tab; otherwise open it in this session.
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
      // A key that is held down counts once.
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
      // There is no other card to move to.
      return;
    } else if (card === event.target && key === "enter") {
      event.preventDefault();
      this.open(card);
    } else if (card && key.startsWith("arrow")) {
      event.preventDefault();
      event.stopPropagation();
      this.neighbor(card, key)?.focus();
    }
  }

  neighbor(card, key) {
    const cards = this.cards;
    const across = cards.filter(other => other.offsetTop === cards[0].offsetTop).length;
    const step = { arrowleft: -1, arrowright: 1, arrowup: -across, arrowdown: across }[key];
    return cards[cards.indexOf(card) + step];
  }
}

// The bar below the cards. It is created once, so that screen readers announce changes only.
class Bar {
  constructor(known) {
    this.element = element("div", { className: "marks-bar" });
    this.status = element("span", { className: "status", role: "status" });
    this.message = element("span", { className: "message" });
    this.all = element("span", { className: "total" });
    this.button = element("button", { type: "button", hidden: true });
    const keys = element("span", { className: "keys" });
    for (const [key, what] of known) {
      keys.append(element("kbd", { textContent: key }), ` ${what}`);
    }
    this.status.append(this.message, " ", this.all);
    this.element.append(this.status, this.button, keys);
  }

  show(message, step) {
    write(this.message, message);
    write(this.button, STEP_NAMES[step] ?? "");
    this.button.dataset.act = step;
    this.button.hidden = !step;
    this.element.classList.toggle("active", Boolean(message));
  }

  quiet() {
    this.element.classList.remove("active");
  }

  total(total) {
    write(this.all, total);
  }
}

const STEP_NAMES = { undo: "Undo", redo: "Redo" };

function learn(data) {
  if (page.workspace !== data.workspace) {
    const { workspace } = data;
    Object.assign(page, { workspace, logLength: 0, marks: new Map(), waiting: [] });
  }
  page.waiting = page.waiting.filter(
    ({ key, action, at }) => (key !== data.key || action[0] > data.done) && Date.now() - at < PATIENCE,
  );
  // A gallery that is only redrawn brings older data.
  if (data.logLength >= page.logLength) {
    page.logLength = data.logLength;
    page.total = data.total;
    for (const [uid, mark] of Object.entries(data.marks)) page.marks.set(uid, mark);
  }
  // Actions that the app has not confirmed override its data.
  for (const { action: [, mark, uid] } of page.waiting) if (uid) page.marks.set(uid, mark);
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

function lead(card, parameters) {
  const link = card.querySelector("a.open");
  if (!link) return;
  const address = new URL("sample", location.href);
  for (const [name, value] of [["uid", card.dataset.uid], ...parameters]) {
    address.searchParams.set(name, value);
  }
  link.href = address.href;
}

function show(card, mark) {
  const caption = card.querySelector(".caption")?.textContent ?? "";
  card.setAttribute("aria-label", mark in STATES ? `${caption}, ${STATES[mark]}` : caption);
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
  const created = Object.assign(document.createElement(name), properties);
  if (role) created.setAttribute("role", role);
  return created;
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
