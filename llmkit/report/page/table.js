// The table of samples. Only the rows in sight exist; empty rows above and below keep the page as long as it should be.

const MARGIN = 600;
const PRINTED = 100;

const table = document.getElementById("samples");
const state = { filter: "all", search: "", fields: {}, sort: null };
const open = new Map(); // row -> height of its sheet in pixels
const live = new Map(); // row -> its elements
let list = [];
let tops = new Float64Array(1);
let rowHeight = 40;
let active = 0;
let printing = false;

const above = el("tr", { class: "gap-row", "aria-hidden": "true" }, el("td", {}));
const below = el("tr", { class: "gap-row", "aria-hidden": "true" }, el("td", {}));

const PAIRED = ROWS.some((row) => row.base);
const NARROW = matchMedia("(max-width: 60rem)").matches;

const COLUMNS = [
  { key: "id", head: "sample", name: "id", rem: NARROW ? 8.5 : 11, cell: (row) => opener(row) },
  { key: "asked", head: "input", name: "asked", rem: NARROW || PAIRED ? 11 : 16, cell: (row) => el("bdi", {}, oneLine(asked(row))) },
  { key: "said", head: "output", name: "said", rem: NARROW || PAIRED ? 11 : 16, cell: (row) => el("bdi", {}, oneLine(said(row))) },
  { key: "tags", head: "notes", name: "tags", rem: PAIRED ? 11.5 : 6.5, cell: (row) => row.tags.map(tag) },
  ...SCORERS.map((scorer, i) => ({ key: i, head: scorer.name, name: "score num", rem: PAIRED ? 9 : 7.5, cell: (row) => scoreCell(row, scorer, i) })),
];

const tag = (name) => el("span", { class: `tag ${TONES[name]}` }, name);

function opener(row) {
  return el("button", { type: "button", class: "open", tabindex: -1, "aria-expanded": open.has(row), title: row.key.slice(0, 300) }, oneLine(row.key) || "(empty id)");
}

function scoreCell(row, scorer, i) {
  const now = oneScore(scorer, row.v[i]);
  if (!row.base || row.base.v[i] === row.v[i]) return now;
  return [el("span", { class: "was" }, oneScore(scorer, row.base.v[i]), " → "), now];
}

function oneScore(scorer, value) {
  if (value === null || value === undefined) return el("span", { class: "no-value" }, "–", readOnly("no score"));
  if (!scorer.yesNo || (value !== 0 && value !== 1)) return number(value, scorer.unit);
  const good = scorer.better === 0 ? "" : value === (scorer.better > 0 ? 1 : 0) ? "good" : "bad";
  return el("span", { class: good }, el("span", { "aria-hidden": "true" }, value ? "✓" : "✕"), readOnly(value ? "yes" : "no"));
}

function buildHead() {
  const cells = COLUMNS.map((column) => {
    const button = el("button", { type: "button", title: `Sort by ${column.head}` }, column.head);
    button.addEventListener("click", () => sortBy(column));
    return el("th", { role: "columnheader", scope: "col", class: column.name }, button);
  });
  table.tHead.replaceChildren(el("tr", { role: "row", "aria-rowindex": 1 }, cells));
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  table.classList.toggle("compared", PAIRED);
  table.style.minWidth = `${COLUMNS.reduce((sum, column) => sum + column.rem, 0) * rem}px`;
  above.firstChild.colSpan = below.firstChild.colSpan = COLUMNS.length;
}

function sortBy(column) {
  const first = typeof column.key === "number" ? SCORERS[column.key].better >= 0 : true;
  const again = state.sort && state.sort.key === column.key;
  state.sort = { key: column.key, ascending: again ? !state.sort.ascending : first };
  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    if (COLUMNS[place] === column) cell.setAttribute("aria-sort", state.sort.ascending ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  });
  update();
}

function update() {
  list = selected(state);
  active = 0;
  for (const parts of live.values()) parts.forEach((part) => part.remove());
  live.clear();
  table.setAttribute("aria-rowcount", list.length + 1);
  measure();
  render();
  const held = ROWS.length.toLocaleString("en");
  const which = list.length === ROWS.length ? `${held} samples` : `${list.length.toLocaleString("en")} of ${held} samples`;
  const how = state.sort ? "" : DATA.compared ? ", changed ones first" : MAIN < 0 ? "" : ", worst first";
  document.getElementById("count").textContent = list.length ? which + how : "No sample fits; change the search or the filter.";
}

function measure() {
  tops = new Float64Array(list.length + 1);
  list.forEach((row, place) => {
    tops[place + 1] = tops[place] + rowHeight + (open.get(row) || 0);
  });
}

function placeAt(y) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= y) low = middle + 1;
    else high = middle;
  }
  return low;
}

function render() {
  const body = table.tBodies[0];
  const y = -body.getBoundingClientRect().top;
  const start = printing ? 0 : placeAt(Math.max(0, y - MARGIN));
  const end = printing ? Math.min(PRINTED, list.length) : Math.min(list.length, placeAt(Math.max(0, y + innerHeight + MARGIN)) + 1);
  const wanted = new Set(list.slice(start, end));
  for (const [row, parts] of live) {
    if (wanted.has(row)) continue;
    parts.forEach((part) => part.remove());
    live.delete(row);
  }
  if (above.parentNode !== body) body.replaceChildren(above, below);
  let before = above;
  for (let place = start; place < end; place++) {
    const parts = elements(list[place], place);
    for (const part of parts) {
      if (before.nextSibling !== part) before.after(part);
      before = part;
    }
  }
  if (learnHeights()) measure();
  above.firstChild.style.height = printing ? "0" : `${tops[start]}px`;
  below.firstChild.style.height = printing ? "0" : `${tops[list.length] - tops[end]}px`;
  rove(start, end);
}

function elements(row, place) {
  let parts = live.get(row);
  if (!parts) {
    const cells = COLUMNS.map((column, i) => el(i ? "td" : "th", { role: i ? "cell" : "rowheader", scope: i ? undefined : "row", class: column.name }, column.cell(row)));
    const line = el("tr", { role: "row", class: "row", "aria-rowindex": place + 2 }, cells);
    line.dataset.place = place;
    parts = [line];
    live.set(row, parts);
  }
  if (open.has(row) && parts.length === 1) {
    const box = sheet(row);
    box.style.width = `${document.getElementById("frame").clientWidth}px`;
    const more = el("tr", { role: "row", class: "more" }, el("td", { role: "cell", colspan: COLUMNS.length }, box));
    parts.push(more);
    resizes.observe(box);
  } else if (!open.has(row) && parts.length > 1) parts.pop().remove();
  parts[0].querySelector(".open").setAttribute("aria-expanded", open.has(row));
  return parts;
}

// The height of an open sheet is known once it is laid out, and changes with what is unfolded in it.
function learnHeights() {
  let changed = false;
  for (const [row, parts] of live) {
    if (parts.length < 2 || open.get(row) === parts[1].offsetHeight) continue;
    open.set(row, parts[1].offsetHeight);
    changed = true;
  }
  return changed;
}

const resizes = new ResizeObserver(() => {
  if (learnHeights()) {
    measure();
    requestAnimationFrame(render);
  }
});

function toggle(place) {
  const row = list[place];
  if (open.has(row)) open.delete(row);
  else open.set(row, 0);
  active = place;
  measure();
  render();
  if (open.has(row)) remember(`#sample=${encodeURIComponent(row.key.replace(/\p{Cs}/gu, "\ufffd"))}`);
}

function remember(hash) {
  try {
    history.replaceState(null, "", hash);
  } catch {
    // A page without an address of its own has nothing to remember.
  }
}

function rove(start, end) {
  const stop = active >= start && active < end ? active : start;
  for (const [row, parts] of live) {
    parts[0].querySelector(".open").tabIndex = list[stop] === row ? 0 : -1;
  }
}

function go(place) {
  active = Math.min(Math.max(place, 0), list.length - 1);
  if (active < 0) return;
  const top = table.tBodies[0].getBoundingClientRect().top + scrollY + tops[active];
  const room = 64;
  if (top < scrollY + room) scrollTo(0, top - room);
  else if (top + rowHeight > scrollY + innerHeight) scrollTo(0, top + rowHeight - innerHeight + 8);
  render();
  live.get(list[active])[0].querySelector(".open").focus({ preventScroll: true });
}
