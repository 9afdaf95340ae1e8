"use strict";
// The list of rows. Only the items in view are in the document: their height is fixed, so that their places are known.

const ITEM = 74; // pixels, as in page.css
const list = { order: [], place: -1 }; // the rows that the filter lets through; which of them is shown

function openList(onChoose) {
  const scroller = document.getElementById("list");
  let waiting = false;
  scroller.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawList();
    });
  });
  scroller.addEventListener("click", (event) => {
    const item = event.target.closest(".item");
    if (item) onChoose(Number(item.dataset.place));
  });
  new ResizeObserver(drawList).observe(scroller);
  openFilter();
}

function openFilter() {
  const codes = new Map();
  for (const row of page.rows) {
    const own = row.rejected === null ? new Set(row.findings.map(([code]) => code)) : [`rejected: ${row.rejected}`];
    for (const code of own) codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const select = document.getElementById("filter");
  const option = (value, text) => element("option", { value }, plain(text));
  select.append(option("", `all rows (${figure(page.rows.length)})`));
  for (const [code, count] of [...codes].sort()) select.append(option(code, `${code} (${figure(count)})`));
  select.addEventListener("change", () => filterRows(true));
  filterRows(true);
}

// Lets the rows through that have the chosen code, and what is searched for.
function filterRows(afresh) {
  const code = document.getElementById("filter").value;
  const has = (row) => !code || `rejected: ${row.rejected}` === code || row.findings.some(([found]) => found === code);
  list.order = page.rows.filter((row) => has(row) && (!search.pattern || search.hits.has(row.place)));
  list.place = list.order.indexOf(shown.row);
  document.querySelector("#list > div").style.height = `${list.order.length * ITEM}px`;
  if (afresh) document.getElementById("list").scrollTop = 0;
  drawList();
}

// Shows which row is chosen, and brings its item into view.
function markInList(row) {
  list.place = list.order.indexOf(row);
  if (list.place < 0 && document.getElementById("filter").value) {
    document.getElementById("filter").value = "";
    filterRows(true);
    list.place = list.order.indexOf(row);
  }
  if (list.place < 0) return drawList(); // a row without what is searched for
  const scroller = document.getElementById("list");
  const top = list.place * ITEM;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ITEM > scroller.scrollTop + scroller.clientHeight)
    scroller.scrollTop = top + ITEM - scroller.clientHeight;
  drawList();
}

function drawList() {
  const scroller = document.getElementById("list");
  const first = Math.max(0, Math.floor(scroller.scrollTop / ITEM) - 4);
  const last = Math.min(list.order.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ITEM) + 4);
  const items = list.order.slice(first, last).map((row, i) => {
    const item = drawItem(row, first + i === list.place);
    item.style.top = `${(first + i) * ITEM}px`;
    return item;
  });
  document.querySelector("#list > div").replaceChildren(...items);
  scroller.setAttribute("aria-activedescendant", list.place >= first && list.place < last ? "chosen" : "");
}

function drawItem(row, chosen) {
  const codes = [...new Set(row.findings.map(([code]) => code))];
  // One badge, so that the origin can be read; the others are counted in it.
  const name = row.rejected ?? (codes.length > 1 ? `${codes[0]} +${codes.length - 1}` : codes[0]);
  const kind = row.rejected === null ? "finding" : "reject";
  const badge =
    name && element("span", { class: `badge ${kind}`, title: plain(codes.join(", ") || name) }, plain(name));
  const meter = element("span", { class: "meter" }, element("span", {}));
  meter.firstChild.style.width = `${row.tokens ? (100 * row.trained) / row.tokens : 0}%`;
  const counts = `${figure(row.trained)} of ${figure(row.tokens)} trained`;
  const hits = search.pattern ? element("span", { class: "badge hits" }, `${figure(search.hits.get(row.place) ?? 0)} ×`) : null;
  const form = row.packed ? `pack ${row.packed[0]} · ${row.packed[1]}` : row.branches ? `tree of ${row.branches}` : null;
  return element(
    "div",
    {
      class: chosen ? "item chosen" : "item",
      id: chosen ? "chosen" : null,
      role: "option",
      "aria-selected": String(chosen),
      "data-place": row.place,
      title: `${plain(row.file)}:${row.line}`,
    },
    element(
      "div",
      { class: "line" },
      element("b", {}, row.number < 0 ? "✗" : String(row.number)),
      element("span", { class: "origin" }, plain(row.file.split("/").pop() || row.file)),
      element("span", { class: "place" }, `:${row.line}${row.sequence ? ` · ${row.sequence}` : ""}`),
      hits,
      badge,
    ),
    element("div", { class: "preview", dir: "auto" }, plain(row.preview)),
    row.rejected === null
      ? element("div", { class: "line" }, meter, form && element("span", { class: "form" }, form), element("span", { class: "count" }, counts))
      : element("div", { class: "line count" }, "rejected"),
  );
}
