// The samples: what is said of each, and which are shown in which order.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SCORERS = DATA.scorers;
const ROWS = DATA.rows;
const MAIN = SCORERS.findIndex((scorer) => scorer.better !== 0);
const MOST_CHOICES = 200;

const FILTERS = [
  ["all", "All"],
  ["changed", "Changed"],
  ["failed", "Failed"],
  ["flaky", "Flaky"],
  ["errors", "Errors"],
];
const TONES = { changed: "plain", failed: "bad", flaky: "warn", errors: "bad" };

function prepare() {
  const rank = new Map(DATA.changed.map((id, place) => [id, place]));
  const flaky = new Set(DATA.flaky);
  for (const row of ROWS) {
    row.key = textOf(row.id);
    row.rank = rank.get(row.key) ?? Infinity;
    row.tags = [];
    if (isChanged(row)) row.tags.push("changed");
    if (SCORERS.some((scorer, i) => saysNo(scorer, row.v[i]))) row.tags.push("failed");
    const unsure = SCORERS.some((scorer, i) => scorer.yesNo && row.v[i] > 0 && row.v[i] < 1);
    if (flaky.has(row.key) || unsure) row.tags.push("flaky");
    if (hasError(row)) row.tags.push("errors");
  }
}

function isChanged(row) {
  if (DATA.compared) return row.rank !== Infinity;
  return Boolean(row.base) && SCORERS.some((scorer, i) => scorer.better && row.base.v[i] !== row.v[i]);
}

function saysNo(scorer, value) {
  if (!scorer.yesNo || !scorer.better || value === null) return false;
  return scorer.better > 0 ? value < 1 : value > 0;
}

function hasError(row) {
  if (row.outputs.some((output) => output.error)) return true;
  return (row.scores || []).some((every) => every && every.some((score) => score.status === "error"));
}

function asked(row) {
  if (!row.input) return "";
  const messages = Array.isArray(row.input) ? row.input : [];
  return messages.length ? textOf(messages.at(-1).text) : textOf(row.input);
}

function said(row) {
  const first = row.outputs[0];
  if (!first) return "";
  return first.error ? `${textOf(first.error.kind)}: ${textOf(first.error.message)}` : textOf(first.text);
}

function haystack(row) {
  if (row.hay === undefined) {
    const texts = [row.key, ...[row.input || []].flat().map((item) => textOf(item))];
    for (const key of ["turns", "contexts", "references", "choices"]) texts.push(...(row[key] || []).map(textOf));
    for (const output of [...row.outputs, ...((row.base && row.base.outputs) || [])]) {
      texts.push(output.error ? `${textOf(output.error.kind)} ${textOf(output.error.message)}` : textOf(output.text));
    }
    for (const every of row.scores || []) for (const score of every || []) texts.push(textOf(score.reason));
    row.hay = texts.join("\n").toLowerCase();
  }
  return row.hay;
}

function selected(state) {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const fields = Object.entries(state.fields);
  const found = ROWS.filter(
    (row) =>
      (state.filter === "all" || row.tags.includes(state.filter)) &&
      fields.every(([field, value]) => row.slices && textOf(row.slices[field]) === value) &&
      words.every((word) => haystack(row).includes(word)),
  );
  return found.sort(order(state.sort));
}

function order(sort) {
  if (!sort) return readingOrder;
  const value = typeof sort.key === "number" ? (row) => row.v[sort.key] : TEXTS[sort.key];
  const sign = sort.ascending ? 1 : -1;
  return (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === b) return one.n - other.n;
    if (a === null || a === "") return 1;
    if (b === null || b === "") return -1;
    return sign * (typeof a === "string" ? COLLATOR.compare(a, b) : a - b);
  };
}

const COLLATOR = new Intl.Collator("en", { numeric: true });
const TEXTS = {
  id: (row) => row.n,
  asked: (row) => asked(row).slice(0, 100),
  said: (row) => said(row).slice(0, 100),
  tags: (row) => row.tags.join(" "),
};

function readingOrder(one, other) {
  return one.rank - other.rank || worth(other) - worth(one) || badness(other) - badness(one) || one.n - other.n;
}

const worth = (row) => (row.tags.includes("errors") ? 1 : 0);

function badness(row) {
  const value = MAIN < 0 ? null : row.v[MAIN];
  return value === null ? -1e300 : -SCORERS[MAIN].better * value;
}
