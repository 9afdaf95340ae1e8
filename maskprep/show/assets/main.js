"use strict";
// Puts the page together: which row is shown, what is switched on, keys, light and dark.

const byId = (id) => document.getElementById(id);
const VIEWS = ["rows", "overview", "verify"];
const NARROW = matchMedia("(max-width: 820px)"); // as in narrow.css
let opening = 0;

async function openRow(row) {
  const turn = ++opening; // of rows asked for in haste, the last one is shown
  const record = await recordOf(row);
  if (turn !== opening) return;
  switchTo("rows");
  markInList(row);
  drawHeading(row, record);
  byId("toggles").hidden = byId("legend-box").hidden = byId("inspector").hidden = row.rejected !== null;
  if (row.rejected === null) drawRow(row, record);
  else drawReject(row, record);
  openDrawer(false);
  byId("row").scrollTop = 0;
  // A link to this row can be shared; the history is not filled with rows that one leafed through.
  location.replace(`#row-${row.place}`);
}

function drawHeading(row, record) {
  const origin = `${plain(row.file)}:${row.line}`;
  const of =
    row.rejected === null
      ? `${counted(row.tokens, "token")}, ${figure(row.trained)} trained (${share(row.trained, row.tokens)})`
      : `rejected: ${plain(row.rejected)}`;
  const { sequences } = page.meta.statistics;
  const all = page.meta.measured === "the build" ? ` of ${figure(sequences)}` : "";
  byId("heading").replaceChildren(
    element("h2", {}, row.number < 0 ? "Rejected row" : `Row ${row.number}`, row.rejected === null ? element("small", {}, all) : null),
    element("span", { class: "origin" }, origin + (row.rejected === null ? `, sequence ${row.sequence}` : "")),
    element("span", { class: row.rejected === null ? "summary" : "summary bad" }, of),
    ...[row.rejected === null ? drawShape(row, record, openRow) : null].filter(Boolean),
    ...drawFindings(row.findings),
  );
}

// One line a code: a conversation of forty turns may have forty findings of one kind.
function drawFindings(findings) {
  const details = new Map();
  for (const [code, detail] of findings) details.set(code, [...(details.get(code) ?? []), detail]);
  return [...details].map(([code, [first, ...more]]) => {
    const line = [element("b", {}, plain(code)), " ", ...marked(first)];
    if (!more.length) return element("p", { class: "found-here", dir: "auto" }, line);
    const rest = more.map((detail) => element("p", { dir: "auto" }, marked(detail)));
    const summary = element(
      "summary",
      {},
      line,
      element("span", { class: "more" }, ` and ${figure(more.length)} more`),
    );
    return element("details", { class: "found-here" }, summary, rest);
  });
}

function step(by) {
  // A row that the filter does not let through lies between two that it does.
  const after = list.order.findIndex((row) => row.place > (shown.row?.place ?? -1));
  const next = after < 0 ? list.order.length : after;
  const place = list.place >= 0 ? list.place + by : by > 0 ? next : next - 1;
  if (list.order[place]) openRow(list.order[place]);
}

function switchTo(name) {
  for (const view of VIEWS) {
    byId(view).hidden = view !== name;
    byId(`tab-${view}`).setAttribute("aria-selected", String(view === name));
  }
  if (name === "rows") drawList();
}

// Chips that switch roles and parts off and on again; what is off is folded in the row.
function drawToggles() {
  const chip = (name, on, role, toggle) => {
    const button = element("button", { class: "chip", "aria-pressed": String(on), "data-role": role }, plain(name));
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(toggle()));
      redraw();
    });
    return button;
  };
  const flip = (set, name) => () => (set.delete(name) ? true : (set.add(name), false));
  const names = (key) => [...new Set(page.kinds.map((kind) => kind[key]))].sort();
  const only = chip("only trained", false, null, () => (choice.trained = !choice.trained));
  only.id = "only-trained";
  const full = chip("all text", false, null, () => (choice.full = !choice.full));
  full.id = "all-text";
  full.title = "Do not fold long masked text (f)";
  byId("toggles").replaceChildren(
    only,
    full,
    element("span", { class: "group" }, "roles"),
    ...names("role").map((role) => chip(role, true, role, flip(choice.roles, role))),
    element("span", { class: "group" }, "parts"),
    ...names("part").map((part) => chip(part, true, null, flip(choice.parts, part))),
  );
}

function drawLegend() {
  const sample = (names, text, role = "assistant") =>
    element("span", { class: `segment plain ${names}`, "data-role": role }, text);
  const parts = new Set(page.kinds.filter((kind) => kind.trained).map((kind) => kind.part));
  const known = ["content", "reasoning", "tool_call", "scaffold", "stop"].filter((part) => parts.has(part));
  const roles = [...new Set(page.kinds.filter((kind) => !kind.trained).map((kind) => kind.role))].sort();
  const compared = page.kinds.some((kind) => kind.other !== null);
  const entries = [
    element(
      "span",
      {},
      "trained ",
      ...known.flatMap((part) => [sample(`trained part-${part}`, part === "scaffold" ? "template tokens" : part), " "]),
    ),
    element(
      "span",
      {},
      "masked ",
      ...roles.flatMap((role) => [
        sample(`masked part-${role === "template" ? "scaffold" : "content"}`, plain(role), role),
        " ",
      ]),
    ),
    element("span", {}, sample("special masked", "special token", "template")),
    element("span", {}, sample("split masked", "", "template"), " a token was split here"),
    element("span", {}, element("i", { class: "break" }), " line break"),
    element("span", {}, element("i", { class: "tab" }), " tab"),
    element("span", {}, element("i", { class: "blanks" }, "  "), " blanks"),
    element("span", {}, element("i", { class: "spelt" }, "\\x1b"), " control"),
    element("span", {}, sample("bytes masked", "‹E4 BD›", "template"), " part of a character"),
    compared
      ? element(
          "span",
          {},
          sample("only-here trained", "trained here only"),
          " ",
          sample("only-there masked", "there only"),
        )
      : null,
  ];
  byId("legend").replaceChildren(...entries.filter(Boolean));
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  ArrowRight: () => stepToken(1),
  ArrowLeft: () => stepToken(-1),
  s: stepStretch,
  f: () => byId("all-text").click(),
  r: () => byId("regex").click(),
  v: () => byId("tab-verify").hidden || switchTo(byId("verify").hidden ? "verify" : "rows"),
  "/": () => (switchTo("rows"), byId("needle").focus(), byId("needle").select()),
  n: () => findRow(1, openRow),
  N: () => findRow(-1, openRow),
  t: () => byId("only-trained").click(),
  o: () => switchTo(byId("rows").hidden ? "rows" : "overview"),
  d: switchTheme,
  "?": () => byId("help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const inList = document.activeElement === byId("list");
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action =
    inList && event.key === "ArrowDown" ? KEYS.j : inList && event.key === "ArrowUp" ? KEYS.k : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function openHash() {
  const view = location.hash.slice(1);
  if (view === "overview" || (view === "verify" && !byId("tab-verify").hidden)) return switchTo(view);
  const row = page.rows[Number(/^#row-(\d+)$/.exec(location.hash)?.[1] ?? 0)] ?? page.rows[0];
  if (row && row !== shown.row) return openRow(row);
}

// On a narrow screen the list lies over the row, and is opened when it is wanted.
function openDrawer(open) {
  byId("aside").classList.toggle("open", open);
  byId("list-open").setAttribute("aria-expanded", String(open));
  if (open) drawList();
}

async function start() {
  await openPage();
  byId("notice").remove();
  byId("tab-verify").hidden = !document.querySelector(".verdicts");
  byId("legend-box").open = !NARROW.matches;
  drawRun();
  openList((place) => openRow(page.rows[place]));
  openInspector();
  openSearch(openRow);
  drawToggles();
  drawLegend();
  drawOverview(openRow);
  byId("list-open").addEventListener("click", () => openDrawer(!byId("aside").classList.contains("open")));
  byId("step-back").addEventListener("click", KEYS.k);
  byId("step-on").addEventListener("click", KEYS.j);
  byId("theme").addEventListener("click", switchTheme);
  byId("help-open").addEventListener("click", KEYS["?"]);
  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => switchTo(view));
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", openHash);
  const verified = !location.hash && !byId("tab-verify").hidden;
  if (page.rows.length) await openHash();
  else switchTo("overview");
  if (verified) switchTo("verify"); // which is what the page was written for
  document.documentElement.dataset.ready = "";
}

if (typeof DecompressionStream === "undefined") {
  byId("notice").textContent =
    "This browser cannot unpack the rows. Chrome 80, Edge 80, Firefox 113, Safari 16.4 and newer can.";
} else {
  start().catch((error) => {
    byId("notice")?.replaceChildren(`The page is not complete: ${error.message}`);
    throw error;
  });
}
