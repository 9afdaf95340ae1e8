"use strict";
// How a row is put together: the documents of its packed row, the branches of its tree.

const BRANCHES = 40; // bars of a tree; more cannot be told apart

// Returns what shows how a row is put together, null where it is an ordinary sequence.
function drawShape(row, record, open) {
  if (row.packed) return drawPack(row, open);
  return record.b ? drawTree(record) : null;
}

// The documents of one packed row, as long as they are; those that are not on this page leave their room empty.
function drawPack(row, open) {
  const [pack, number] = row.packed;
  const others = page.rows.filter((other) => other.packed?.[0] === pack);
  const packing = page.meta.statistics.packing;
  const used = others.reduce((sum, other) => sum + other.tokens, 0);
  const room = Math.max(packing?.rows ? packing.slots / packing.rows : 0, used);
  const bars = others.map((other) => {
    const title = `document ${other.packed[1]}, row ${other.number}: ${counted(other.tokens, "token")}, ${figure(other.trained)} trained`;
    const here = other === row;
    const made = element("button", { class: here ? "here" : null, title, "aria-label": title, onclick: () => open(other) });
    made.style.width = `${(100 * other.tokens) / room}%`;
    return made;
  });
  const text = `document ${number} of packed row ${pack}, ${figure(room)} tokens`;
  return element("div", { class: "shape" }, element("span", {}, text), element("div", { class: "pack" }, bars));
}

// The branches of a tree, one below the other, each where its tokens stand in the sequences that it is part of.
function drawTree({ b, t }) {
  const bases = [];
  const ends = b.map(([start, on, parent], number) => {
    bases.push(number ? bases[parent] + (on - b[parent][0]) : 0);
    return bases[number] + (b[number + 1]?.[0] ?? t.length) - start;
  });
  const longest = Math.max(...ends);
  const bars = b.slice(0, BRANCHES).map(([start, , , trained], number) => {
    const size = ends[number] - bases[number];
    const title = `branch ${number + 1} of ${b.length}: ${counted(size, "token")}, ${figure(trained)} trained`;
    const bar = element("button", { title, "aria-label": title, onclick: () => showUnitOf(start) });
    bar.style.marginLeft = `${(100 * bases[number]) / longest}%`;
    bar.style.width = `max(4px, ${(100 * size) / longest}%)`;
    const filled = element("span", {});
    filled.style.width = `${(100 * trained) / size}%`;
    bar.append(filled);
    return bar;
  });
  const text = `a tree of ${counted(b.length, "branch", "branches")}, each with the tokens that it does not share`;
  return element("div", { class: "shape" }, element("span", {}, text), element("div", { class: "tree" }, bars));
}

// Goes to a token of the row.
function showUnitOf(token) {
  const { firsts } = shown.laid;
  const unit = lastUpTo(firsts.length - 1, (place) => firsts[place], token);
  if (rangeOfUnit(unit)) showUnit(unit, { scroll: true });
}
