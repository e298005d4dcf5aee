// Text of strangers becomes text nodes, never markup. Characters that cannot be seen, or that turn the direction of what
// follows, are shown by their number.

const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb\p{Cs}]/gu;

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const readOnly = (text) => el("span", { class: "sr" }, text);

function textOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return "text" in value ? value.text : JSON.stringify(value);
  return String(value);
}

function shown(text) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > last) parts.push(text.slice(last, match.index));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(el("span", { class: "hidden-mark", title: "a character that cannot be seen" }, `U+${code}`));
    last = match.index + match[0].length;
  }
  parts.push(text.slice(last));
  return parts;
}

function cutNote(value) {
  if (!value || typeof value !== "object" || !value.cut) return null;
  const more = (value.cut - value.text.length).toLocaleString("en");
  return el("p", { class: "cut" }, `${more} more characters are not on this page; the run folder has them.`);
}

function passage(value, extra) {
  const box = el("pre", { class: `said-text ${extra || ""}`.trim(), dir: "auto", tabindex: 0 });
  box.append(...shown(textOf(value)));
  return el("div", {}, box, cutNote(value));
}

const oneLine = (text) => text.slice(0, 300).replace(HIDDEN, "\ufffd").replace(/\s+/g, " ").trim();

function number(value, unit) {
  if (value === null || value === undefined) return "–";
  if (!unit) return Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(2);
  const text = value === 0 ? "0" : significant(value);
  return unit === "$" ? `$${text}` : `${text} ${unit}`;
}

function significant(value) {
  const decimals = Math.min(Math.max(2 - Math.floor(Math.log10(Math.abs(value))), 0), 12);
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
