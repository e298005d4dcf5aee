// What happens when: keys, clicks, scrolling, printing, the theme.

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };

function listen() {
  const body = table.tBodies[0];
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr.row");
    if (line && !String(getSelection())) toggle(Number(line.dataset.place));
  });
  body.addEventListener("keydown", (event) => {
    if (!event.target.matches(".open")) return;
    if (event.key in STEPS) {
      event.preventDefault();
      go(active + STEPS[event.key]);
    } else if (event.key === "Escape" && open.has(list[active])) toggle(active);
  });
  body.addEventListener("focusin", (event) => {
    if (event.target.matches(".open")) active = Number(event.target.closest("tr").dataset.place);
  });
  let waiting = false;
  const later = () => {
    if (!waiting) requestAnimationFrame(() => { waiting = false; render(); });
    waiting = true;
  };
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", () => {
    const width = document.getElementById("frame").clientWidth;
    for (const box of document.querySelectorAll(".sheet")) box.style.width = `${width}px`;
    later();
  });
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  addEventListener("hashchange", openNamed);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    document.getElementById("search").focus();
  });
}

function print(on) {
  printing = on;
  render();
  const some = on && list.length > PRINTED;
  document.getElementById("hint").textContent = some ? "" : HINT;
  if (some) document.getElementById("count").textContent = `The first ${PRINTED} of ${list.length.toLocaleString("en")} samples are printed.`;
  else if (!on) update();
}

const HINT = document.getElementById("hint")?.textContent;

function controls() {
  const search = document.getElementById("search");
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { state.search = search.value; update(); }, 120);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && search.value) { search.value = state.search = ""; update(); }
    if (event.key === "ArrowDown" && list.length) { event.preventDefault(); go(0); }
  });
  const box = document.getElementById("filters");
  for (const [name, word] of FILTERS) {
    const count = name === "all" ? ROWS.length : ROWS.filter((row) => row.tags.includes(name)).length;
    if (!count) continue;
    const button = el("button", { type: "button", "aria-pressed": name === state.filter }, `${word} `, el("span", { class: "n" }, count.toLocaleString("en")));
    button.addEventListener("click", () => {
      state.filter = name;
      for (const other of box.children) other.setAttribute("aria-pressed", other === button);
      update();
    });
    box.append(button);
  }
  for (const field of DATA.fields) fieldChoice(field);
  document.getElementById("controls").hidden = false;
}

function fieldChoice(field) {
  const values = [...new Set(ROWS.map((row) => textOf(row.slices && row.slices[field])))].sort(COLLATOR.compare);
  if (values.length < 2 || values.length > MOST_CHOICES) return;
  const options = values.map((value) => el("option", { value }, oneLine(value)));
  const select = el("select", { "aria-label": `Only where ${field} is` }, el("option", { value: "" }, `${field}: all`), options);
  select.addEventListener("change", () => {
    if (select.selectedIndex) state.fields[field] = values[select.selectedIndex - 1];
    else delete state.fields[field];
    update();
  });
  document.getElementById("fields").append(select);
}

function openNamed() {
  const match = /^#sample=(.*)$/.exec(location.hash);
  if (!match) return;
  let wanted = match[1];
  try {
    wanted = decodeURIComponent(wanted);
  } catch {
    // An address typed by hand; it is taken as it is.
  }
  const place = list.findIndex((row) => row.key === wanted);
  if (place < 0) return;
  if (!open.has(list[place])) toggle(place);
  scrollTo(0, table.tBodies[0].getBoundingClientRect().top + scrollY + tops[place] - innerHeight / 4);
  go(place);
}

function theme() {
  const button = document.getElementById("theme");
  const words = { "": "system", light: "light", dark: "dark" };
  const names = Object.keys(words);
  const apply = (name) => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    button.replaceChildren(el("span", { class: "long" }, "Theme: "), words[name]);
    button.setAttribute("aria-label", `Theme: ${words[name]}`);
  };
  const kept = memory((store) => store.getItem("llmkit-theme")) || "";
  apply(names.includes(kept) ? kept : "");
  button.addEventListener("click", () => {
    const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
    apply(next);
    memory((store) => store.setItem("llmkit-theme", next));
  });
  button.hidden = false;
}

// Some browsers forbid files to remember anything.
function memory(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

theme();
if (table && ROWS.length) {
  prepare();
  controls();
  buildHead();
  table.hidden = false;
  update();
  const first = table.querySelector("tr.row");
  if (first && first.offsetHeight !== rowHeight) {
    rowHeight = first.getBoundingClientRect().height;
    measure();
    render();
  }
  listen();
  openNamed();
}
