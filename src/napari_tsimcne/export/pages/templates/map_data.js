// What the page holds, in words and colours.
const byId = (id) => document.getElementById(id);
const content = JSON.parse(byId("content").textContent);
const ARRAYS = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
  float32: Float32Array, float64: Float64Array,
};
const COUNT = content.count;

function numbers(stored) {
  const text = atob(stored.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[stored.type](bytes.buffer);
}

const places = numbers(content.coordinates);
const patches = numbers(content.patches);
const tiles = content.pictures ? numbers(content.pictures.tiles) : null;
for (const column of content.columns) column.values = numbers(column.values);
for (const one of content.colorings) one.codes = numbers(one.codes);

// --- words ----------------------------------------------------------------------------------

const whole = (number) => number.toLocaleString("en-US");

function short(number, digits = 4) {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "none" : String(number);
  const text = number.toPrecision(digits);
  return text.includes("e") || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
}

function valueOf(column, i) {
  const value = column.values[i];
  if (column.kind === "text") return value < column.texts.length ? column.texts[value] : "none";
  if (column.kind === "whole") return Number.isNaN(value) ? "none" : whole(value);
  return short(value);
}

// Text is only ever set as text: names of clusters and files are never markup.
function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = name;
  return made;
}

// --- colours --------------------------------------------------------------------------------

let coloring = content.colorings[0];
let hidden = new Set();
let matching = null; // of what is looked for, one byte a patch
const dark = matchMedia("(prefers-color-scheme: dark)");

// As the pixels of a canvas are stored: from the lowest byte red, green, blue, opaque.
function packed(color) {
  const n = parseInt(color.slice(1), 16);
  return (0xff000000 | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

const isShown = (i) => !hidden.has(coloring.codes[i]);

// What has no value or does not match is drawn first; all else in an order that favours none.
const shuffled = Uint32Array.from({ length: COUNT }, (_, i) => i);
for (let i = COUNT - 1, state = 1; i > 0; i--) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  const j = Math.floor((state / 4294967296) * (i + 1));
  [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
}
let order = shuffled;

function arrange() {
  const behind = (i) => (matching && !matching[i]) || coloring.codes[i] === coloring.missing;
  const shown = shuffled.filter(isShown);
  order = Uint32Array.from([...shown.filter(behind), ...shown.filter((i) => !behind(i))]);
  redraw();
}
