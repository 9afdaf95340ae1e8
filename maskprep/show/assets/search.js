"use strict";
// Search in the text of all rows. Blocks are unpacked one after the other, and the page stays alive in between.

const search = { pattern: null, run: 0 };
const MARKS = 1000; // matches that are marked in one row

function patternOf(needle) {
  // Case does not matter. An escape of `u` mode may not stand before anything but these.
  return needle ? new RegExp(needle.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu") : null;
}

function say(text) {
  document.getElementById("found").textContent = text;
}

// Marks the matches in the row that is shown; returns how many there are.
function markFound() {
  const ranges = [];
  let count = 0;
  if (search.pattern && shown.laid) {
    for (const match of shown.laid.text.matchAll(search.pattern)) {
      count++;
      const range = ranges.length < MARKS ? rangeOf(match.index, match.index + match[0].length) : null;
      if (range) ranges.push(range);
    }
  }
  paint("found", ranges);
  search.first = ranges[0] ?? null;
  return count;
}

// Goes to the next (1) or previous (-1) row with the text, around the end; `open` shows it.
async function findRow(step, open) {
  const run = ++search.run; // a newer search ends this one
  const rows = list.order;
  if (!search.pattern || !rows.length) return say("");
  const begin = Math.max(list.place, 0);
  let paused = performance.now();
  for (let distance = 1; distance <= rows.length; distance++) {
    const row = rows[(begin + step * distance + rows.length * 2) % rows.length];
    if (rowText(await recordOf(row)).search(search.pattern) >= 0) {
      if (run !== search.run) return;
      await open(row);
      const hits = markFound();
      if (search.first) reveal(search.first);
      const only = distance === rows.length ? ", no other row" : "";
      return say(`row ${row.number}${hits ? `: ${counted(hits, "match").replace("matchs", "matches")}` : ""}${only}`);
    }
    if (performance.now() - paused > 50) {
      say(`searching … ${figure(distance)} of ${figure(rows.length)}`);
      await new Promise((go) => setTimeout(go));
      paused = performance.now();
    }
    if (run !== search.run) return;
  }
  say("no row has it");
}

function openSearch(open) {
  const field = document.getElementById("needle");
  field.addEventListener("input", () => {
    search.run++;
    search.pattern = patternOf(field.value);
    const hits = markFound();
    say(search.pattern ? `${figure(hits)} here, Enter for the next row` : "");
    if (search.first) reveal(search.first);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    findRow(event.shiftKey ? -1 : 1, open);
  });
  document.getElementById("search").addEventListener("submit", (event) => event.preventDefault());
}
