// Elements, colors and numbers, as every other part of the chart needs them.

function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// Moves and sizes an element: `rectangle` has some of left, top, width and height, in pixels.
function arrange(node, rectangle) {
  for (const [name, value] of Object.entries(rectangle)) node.style[name] = px(value);
}

function decodeBase64(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

// The color at `position`, 0 to 1, on a scale of equally spaced hex colors, as [r, g, b].
function interpolate(colors, position) {
  const scaled = clamp(position, 0, 1) * (colors.length - 1);
  const low = Math.min(Math.floor(scaled), colors.length - 2);
  const [from, to] = [colors[low], colors[low + 1]].map(hex =>
    [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)));
  return from.map((v, i) => Math.round(v + (to[i] - v) * (scaled - low)));
}

// The smallest of 1, 2 and 5 times a power of ten that is at least `least`.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(times => times * power).find(step => step >= least * (1 - 1e-9));
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const endOf = axis => axis.start + axis.bins * axis.step;
const px = value => `${value}px`;
const formatCount = value => Math.round(value).toLocaleString("en-US");
const formatShare = (part, all) => (all ? `${((100 * part) / all).toFixed(1)} %` : "—");
const trueMinus = text => text.replace("-", "−");
const digitsOf = step => clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 9);
// A number with as many digits as its axis' step has.
const formatValue = (value, step) => trueMinus(value.toFixed(digitsOf(step)));
