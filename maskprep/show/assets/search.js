"use strict";
// Search in the text of all rows: the list is filtered to those that match, with the number of their matches. Blocks
// are unpacked one after the other, and the page stays alive in between.

const search = { pattern: null, fault: "", hits: new Map(), run: 0, scanned: Promise.resolve() };
const MARKS = 1000; // matches that are marked in one row
const IDLE = 150; // milliseconds without a key until all rows are searched

// Returns the pattern of what is sought; case does not matter. Throws where it is no regular expression.
function patternOf(needle, regular) {
  if (!needle) return null;
  // An escape of `u` mode may not stand before anything but these.
  return new RegExp(regular ? needle : needle.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
}

function say(text) {
  document.getElementById("found").textContent = text;
}

function countIn(text) {
  let count = 0;
  for (const [match] of text.matchAll(search.pattern)) if (match) count++;
  return count;
}

// Marks the matches in the row that is shown; returns how many there are.
function markFound() {
  const ranges = [];
  let count = 0;
  if (search.pattern && shown.laid) {
    for (const match of shown.laid.text.matchAll(search.pattern)) {
      if (!match[0]) continue;
      count++;
      const range = ranges.length < MARKS ? rangeOf(match.index, match.index + match[0].length) : null;
      if (range) ranges.push(range);
    }
  }
  paint("found", ranges);
  search.first = ranges[0] ?? null;
  return count;
}

// Searches all rows; a newer search ends this one.
async function scan() {
  const run = ++search.run;
  search.hits = new Map();
  if (!search.pattern) {
    say(search.fault);
    return filterRows();
  }
  let paused = performance.now();
  let matches = 0;
  for (const row of page.rows) {
    const count = countIn(rowText(await recordOf(row)));
    if (run !== search.run) return;
    if (count) search.hits.set(row.place, count);
    matches += count;
    if (performance.now() - paused > 50) {
      say(`searching … ${figure(row.place + 1)} of ${figure(page.rows.length)}`);
      filterRows();
      await new Promise((go) => setTimeout(go));
      paused = performance.now();
    }
    if (run !== search.run) return;
  }
  filterRows();
  say(summed(matches));
}

function summed(matches) {
  if (!matches) return "no row has it";
  const rows = `${figure(search.hits.size)} of ${counted(page.rows.length, "row")}`;
  return `${counted(matches, "match", "matches")} in ${rows}`;
}

// Goes to the next (1) or previous (-1) row that matches, around the end; `open` shows it.
async function findRow(step, open) {
  settle();
  await search.scanned;
  const rows = list.order;
  if (!search.pattern || !rows.length) return;
  const here = shown.row?.place ?? -1;
  const after = rows.findIndex((row) => (step > 0 ? row.place > here : row.place >= here));
  const next = step > 0 ? (after < 0 ? 0 : after) : (after < 0 ? rows.length : after) - 1;
  const row = rows[(next + rows.length) % rows.length];
  await open(row);
  if (search.first) reveal(search.first);
  const hits = counted(search.hits.get(row.place) ?? 0, "match", "matches");
  say(`${hits} here, row ${figure(rows.indexOf(row) + 1)} of ${figure(rows.length)} with it`);
}

let pending = null;

// Begins the search that waits for the next key, if one does.
function settle() {
  if (pending === null) return;
  clearTimeout(pending);
  pending = null;
  search.scanned = scan();
}

function change() {
  const needle = document.getElementById("needle").value;
  const regular = document.getElementById("regex").getAttribute("aria-pressed") === "true";
  search.fault = "";
  try {
    search.pattern = patternOf(needle, regular);
  } catch {
    search.pattern = null;
    search.fault = "no regular expression yet";
  }
  redraw(); // what is folded depends on it
  if (search.first) reveal(search.first);
  clearTimeout(pending);
  pending = setTimeout(settle, IDLE);
}

function openSearch(open) {
  document.getElementById("needle").addEventListener("input", change);
  document.getElementById("needle").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    findRow(event.shiftKey ? -1 : 1, open);
  });
  const regex = document.getElementById("regex");
  regex.addEventListener("click", () => {
    regex.setAttribute("aria-pressed", String(regex.getAttribute("aria-pressed") !== "true"));
    change();
  });
  document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
}
