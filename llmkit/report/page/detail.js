// Everything about one sample, shown when its row opens.

function sheet(row) {
  const box = el("div", { class: "sheet" });
  const add = (title, ...parts) => {
    const full = parts.flat().filter(Boolean);
    if (full.length) box.append(el("div", {}, el("h3", {}, title), full));
  };
  add("Input", input(row));
  add("Contexts", listed(row.contexts));
  add("References", listed(row.references));
  add("Choices", choices(row));
  if (!row.choices && row.answer !== undefined) add("Answer wanted", passage(row.answer));
  outputs(row, add);
  add("Scores", scoreTable(row));
  judgments(row, add);
  add("About this sample", facts(row));
  return box;
}

function input(row) {
  if (!row.input) return null;
  const asked = Array.isArray(row.input) ? row.input : [{ role: "", text: row.input }];
  const turns = (row.turns || []).map((text) => ({ role: "then the user", text }));
  return [...asked, ...turns].map(message);
}

function message(item) {
  const role = textOf(item.role);
  return el("div", { class: "message" }, role && el("span", { class: "role" }, shown(role)), passage(item.text));
}

function listed(texts) {
  if (!texts || !texts.length) return null;
  if (texts.length === 1) return passage(texts[0]);
  return el("ol", {}, texts.map((text) => el("li", {}, passage(text))));
}

function choices(row) {
  if (!row.choices) return null;
  const items = row.choices.map((text, place) => {
    const right = row.answer === place || row.answer === textOf(text) || row.answer === String.fromCharCode(65 + place);
    return el("li", {}, shown(textOf(text)), right ? el("span", { class: "tag good" }, "right") : null);
  });
  return el("ol", { type: "A" }, items);
}

function outputs(row, add) {
  const many = row.outputs.length > 1;
  row.outputs.forEach((output, place) => {
    const title = many ? `Output, repeat ${place + 1}` : "Output";
    const before = row.base && row.base.outputs[place];
    add(title, before ? sides(before, output) : oneOutput(output), passages(output));
  });
}

function sides(before, now) {
  const compare = !before.error && !now.error;
  const found = compare ? difference(textOf(before.text), textOf(now.text)) : null;
  const equal = compare && textOf(before.text) === textOf(now.text);
  const side = (title, output, parts, name) =>
    el("div", {}, el("h3", {}, title), found ? [marked(parts, name), cutNote(output.text)] : oneOutput(output));
  return el(
    "div",
    { class: "sides" },
    side("before", before, found && found.before, "del"),
    side(equal ? "now (the same)" : "now", now, found && found.now, "ins"),
  );
}

function oneOutput(output) {
  if (output.error) {
    const text = `${textOf(output.error.kind)}: ${textOf(output.error.message)}`;
    return [passage(text, "failed"), cutNote(output.error.message)];
  }
  const turns = (output.turns || []).slice(0, -1).map((text) => el("div", { class: "message" }, passage(text)));
  return [...turns, passage(output.text)];
}

function passages(output) {
  if (!output.retrieved || !output.retrieved.length) return null;
  const items = output.retrieved.map((item) => {
    const score = item.score === undefined ? "" : ` · ${number(item.score, "")}`;
    return el("li", {}, el("span", { class: "role" }, shown(textOf(item.id)), score), item.text ? passage(item.text) : null);
  });
  return el("details", {}, el("summary", {}, `${items.length} retrieved passage${items.length > 1 ? "s" : ""}`), el("ol", {}, items));
}

function scoreTable(row) {
  const lines = [];
  SCORERS.forEach((scorer, i) => {
    const every = (row.scores && row.scores[i]) || (row.v[i] === null ? [] : [{ value: row.v[i] }]);
    every.forEach((score, place) => lines.push(scoreLine(row, scorer, i, score, every.length > 1 ? place + 1 : 0)));
  });
  if (!lines.length) return null;
  const heads = ["scorer", ...(row.base ? ["before"] : []), "score", "why"];
  return el(
    "div",
    { class: "wide" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, lines),
    ),
  );
}

function scoreLine(row, scorer, i, score, repeat) {
  const status = score.status ? el("span", { class: `tag ${score.status === "error" ? "bad" : ""}` }, score.status) : null;
  const before = row.base ? el("td", { class: "num was" }, repeat > 1 ? "" : number(row.base.v[i], scorer.unit)) : null;
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("code", {}, scorer.name), repeat ? el("span", { class: "sub" }, `repeat ${repeat}`) : null),
    before,
    el("td", { class: "num" }, status || number(score.value, scorer.unit)),
    el("td", {}, shown(textOf(score.reason)), cutNote(score.reason)),
  );
}

function judgments(row, add) {
  for (const [scorer, every] of Object.entries(row.judgments || {})) {
    const exchanges = every.flatMap((one) => one.exchange);
    if (!exchanges.length) continue;
    const parts = exchanges.map((item) => [
      ...item.messages.map(message),
      el("div", { class: "message" }, el("span", { class: "role" }, "the judge answered"), passage(item.text)),
    ]);
    const title = `What ${scorer} asked and heard, ${exchanges.length} exchange${exchanges.length > 1 ? "s" : ""}`;
    add("Judge", el("details", {}, el("summary", {}, title), parts.flat()));
  }
}

function facts(row) {
  const pairs = [["id", row.key], ["row", row.n.toLocaleString("en")]];
  for (const [field, value] of Object.entries({ ...row.slices, ...row.meta })) pairs.push([field, textOf(value)]);
  row.outputs.forEach((output, place) => {
    const which = row.outputs.length > 1 ? `, repeat ${place + 1}` : "";
    if (output.latency) pairs.push([`latency${which}`, number(output.latency, "s")]);
    if (output.cost) pairs.push([`cost${which}`, number(output.cost, "$")]);
  });
  return el("dl", { class: "facts" }, pairs.flatMap(([key, value]) => [el("dt", {}, shown(key)), el("dd", {}, shown(value))]));
}
