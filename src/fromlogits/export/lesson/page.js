// Small means of building the page: elements, numbers for people, digits that are lost.

const byId = (id) => document.getElementById(id);

// An element of HTML; an attribute "on…" is a listener, true an empty value, and false or null none.
function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null));
  return element;
}

const isNarrow = () => matchMedia("(max-width: 480px)").matches;

// Four digits, or powers of ten where it is very small or large.
function short(x, digits = 4) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size < (digits > 2 ? 1e-4 : 1e-2) || size >= 1e6 ? x.toExponential(Math.max(0, digits - 2)) : x.toPrecision(digits);
  return minus(text);
}

const fixed = (x, digits) => (Number.isFinite(x) ? minus(x.toFixed(digits)) : short(x));
const minus = (text) => text.replace(/-/g, "−");
const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

// All digits that a type holds.
function whole(x, type) {
  if (!Number.isFinite(x) || x === 0) return short(x);
  const { digits } = FLOATS[type], size = Math.abs(x);
  return minus(size < 1e-4 || size >= 1e9 ? x.toExponential(digits - 1) : x.toPrecision(digits));
}

// To the tenth of a digit that is shown.
const isAll = (lost, type) => lost > FLOATS[type].held - 0.05;

// A number, its digits marked from the first that is not the truth's.
function withLost(found, truth, type) {
  const text = whole(found, type);
  const lost = digitsLost(found, truth, type);
  if (lost < 0.5) return el("span", { class: "number" }, text);
  if (isAll(lost, type)) return el("span", { class: "number" }, el("span", { class: "lost" }, text));
  return el("span", { class: "number" }, markedFrom(text, Math.abs(found - truth)));
}

// A number's text, its digits marked from the first that an error reaches; what is no number is marked whole.
function markedFrom(text, error) {
  const [mantissa, power = "0"] = text.replace(/−/g, "-").split("e");
  const whole = /^-?(\d+)/.exec(mantissa)?.[1];
  if (whole === undefined || !Number.isFinite(error)) return [el("span", { class: "lost" }, text)];
  let place = Number(power) + whole.length - 1;
  for (let at = 0; at < mantissa.length; at++) {
    if (!/\d/.test(mantissa[at])) continue;
    if (10 ** place <= error) return [text.slice(0, at), el("span", { class: "lost" }, text.slice(at))];
    place--;
  }
  return [text];
}

function lostInWords(found, truth, type) {
  const { held } = FLOATS[type], lost = digitsLost(found, truth, type);
  if (lost < 0.05) return "none";
  return isAll(lost, type) ? "all" : `${lost.toFixed(1)} of ${held.toFixed(1)}`;
}

const BOTH_WAYS = ["from the logits", "textbook", "digits lost"];

// A table's row: a value from the logits, the textbook's with what it lost marked, and how much that is.
function bothWays(name, ours, theirs, type) {
  const cells = [el("span", { class: "number" }, whole(ours, type)), withLost(theirs, ours, type), lostInWords(theirs, ours, type)];
  return el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell, at) => el("td", { "data-name": BOTH_WAYS[at] }, cell)));
}

const fieldset = (legend, labels) => el("fieldset", {}, el("legend", {}, legend), el("div", {}, labels));

// Radio buttons of a choice; `changed` is given the key.
function radios(legend, name, choices, chosen, changed) {
  return fieldset(legend, Object.entries(choices).map(([key, words]) =>
    el("label", {}, el("input", { type: "radio", name, value: key, checked: key === chosen, onchange: () => changed(key) }), ` ${words}`)));
}

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
};

const THEMES = ["system", "light", "dark"];

function nextTheme({ target }) {
  const { dataset } = document.documentElement, next = THEMES[(THEMES.indexOf(dataset.theme ?? "system") + 1) % 3];
  if (next === "system") delete dataset.theme;
  else dataset.theme = next;
  target.textContent = `Theme: ${next}`;
}
