"use strict";
// The row that is shown: blocks of messages, in them segments; the rest of the document knows it through `shown`.

// nodes: {node, start, spelt, unit} in the order of the text; byNode finds them; solo: unit → element of a segment that
// is one unit and not its own text. start is a place in laid.text, -1 in a node that stands for hidden text.
// unfolded: the folds that were opened, by their first unit.
const shown = { row: null, record: null, laid: null, nodes: [], byNode: new Map(), solo: new Map(), unfolded: new Set() };
// Whether only what is trained is shown, and nothing folded; roles and parts that are switched off.
const choice = { trained: false, full: false, roles: new Set(), parts: new Set() };

function isVisible(kind) {
  return (!choice.trained || kind.trained) && !choice.roles.has(kind.role) && !choice.parts.has(kind.part);
}

function drawRow(row, record) {
  const empty = { nodes: [], byNode: new Map(), solo: new Map(), unfolded: new Set() };
  Object.assign(shown, { row, record, laid: layOut(record), ...empty });
  redraw();
}

function redraw() {
  const { laid } = shown;
  if (!laid) return;
  Object.assign(shown, { nodes: [], byNode: new Map(), solo: new Map() });
  const blocks = [];
  const levels = levelsOf(shown.record.b ?? []);
  const folds = foldsOf(laid);
  let level = 0;
  let text = null;
  let begun = { role: "template", message: -1 }; // what the next block is, until there is something to put into it
  let hidden = 0; // tokens that are switched off and not told yet
  const into = () => {
    if (!begun) return text;
    text = element("div", { class: "text" });
    const name = element("div", { class: "gutter" }, element("b", {}, begun.role), numbered(begun.message));
    blocks.push(element("section", { class: "block", "data-role": begun.role, "data-level": level || null }, name, text));
    begun = null;
    return text;
  };
  const tell = () => {
    if (hidden) into().append(element("span", { class: "fold" }, `… ${counted(hidden, "token")} …`));
    hidden = 0;
  };
  laid.segments.forEach((segment, place) => {
    const kind = page.kinds[segment.kind];
    if (laid.cuts.has(place)) {
      tell();
      begun = laid.cuts.get(place);
      if (begun.branch) {
        level = levels[begun.branch];
        blocks.push(branchHeading(begun.branch, level));
      }
    }
    if (!isVisible(kind)) {
      hidden += laid.firsts[segment.last] - laid.firsts[segment.first];
      return;
    }
    tell();
    let unit = segment.first;
    while (unit < segment.last) {
      while (folds.length && folds[0].last <= unit) folds.shift();
      const fold = folds[0];
      const end = Math.min(segment.last, fold?.first ?? Infinity);
      if (end > unit) {
        // The block goes on in the middle of its text.
        if (begun && unit > segment.first) into().append(element("span", { class: "resumed" }, "… "));
        into().append(drawSegment(segment, kind, unit, end));
        unit = end;
      } else {
        if (fold.first === unit) into().append(foldButton(fold));
        unit = Math.min(segment.last, fold.last);
      }
    }
  });
  tell();
  const view = document.getElementById("row");
  view.replaceChildren(...blocks);
  // A block with nothing to read in it is folded to one line.
  for (const block of blocks) block.classList.toggle("folded", !block.querySelector(".segment, .on"));
  markFound();
  showUnit(-1);
}

const numbered = (message) => (message >= 0 ? ` ${message}` : "");

// Returns how far each branch of a tree is set in: one step further than the one that it hangs on, up to four.
function levelsOf(branches) {
  const levels = [];
  for (const [, , parent] of branches) levels.push(levels.length ? Math.min(levels[parent] + 1, 4) : 0);
  return levels;
}

function branchHeading(number, level) {
  const { b, t } = shown.record;
  const [start, on, parent, trained] = b[number];
  const size = (b[number + 1]?.[0] ?? t.length) - start - 1;
  const told = `instead of what follows token ${figure(on)} of branch ${parent + 1}: `;
  const counts = `${counted(size, "token")}, ${figure(trained)} trained`;
  const title = element("b", {}, `branch ${number + 1} of ${b.length}`);
  return element("h3", { class: "block branch", "data-level": level }, title, element("span", { class: "on" }, told, counts));
}

// Draws the units first:last of a segment.
function drawSegment(segment, kind, first, last) {
  const names = ["segment", segment.form, `part-${kind.part}`, kind.trained ? "trained" : "masked"];
  if (kind.split && first === segment.first) names.push("split");
  if (kind.other !== null && kind.other !== kind.trained) names.push(kind.trained ? "only-here" : "only-there");
  const made = element("span", { class: names.join(" "), "data-role": kind.role });
  const { laid } = shown;
  if (segment.form === "bytes" || segment.form === "empty") {
    const token = shown.record.t[laid.firsts[segment.first]];
    const node = document.createTextNode(segment.form === "empty" ? "‹∅›" : `‹${hexOf(bytesOf(token))}›`);
    made.append(node);
    know(node, segment.from, true, segment.first);
    shown.solo.set(segment.first, made);
    return made;
  }
  let start = laid.starts[first];
  pieces(laid.text.slice(start, laid.starts[last]), (form, text) => {
    const piece = pieceNode(form, text);
    made.append(piece);
    know(form === null ? piece : piece.firstChild, start, form === "spelt", unitAt(start));
    start += text.length;
  });
  return made;
}

function know(node, start, spelt, unit) {
  const entry = { node, start, spelt, unit };
  shown.nodes.push(entry);
  shown.byNode.set(node, entry);
}

// Returns the last place of a sorted list whose value is not above `value`, by halving.
function lastUpTo(count, valueAt, value) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (valueAt(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const unitAt = (start) => lastUpTo(shown.laid.firsts.length - 1, (unit) => shown.laid.starts[unit], start);

// Returns the range of the document that shows text[from:to], null where all of it is hidden.
function rangeOf(from, to) {
  const { nodes } = shown;
  const entryAt = (place) => nodes[lastUpTo(nodes.length, (i) => nodes[i].start, place)];
  const [head, tail] = [entryAt(from), entryAt(to - 1)];
  if (!head || !tail) return null;
  const length = (entry) => (entry.spelt ? 1 : entry.node.length);
  if (from >= head.start + length(head) || to > tail.start + length(tail)) return null;
  const range = document.createRange();
  range.setStart(head.node, head.spelt ? 0 : from - head.start);
  range.setEnd(tail.node, tail.spelt ? tail.node.length : to - tail.start);
  return range;
}

function rangeOfUnit(unit) {
  const { laid, solo } = shown;
  if (!solo.has(unit)) return rangeOf(laid.starts[unit], laid.starts[unit + 1]);
  const range = document.createRange();
  range.selectNodeContents(solo.get(unit));
  return range;
}

// Brings a range into view without moving more than it must.
function reveal(range) {
  const view = document.getElementById("row");
  // Blocks out of view may not be laid out yet: their section is, and brings them in.
  range.startContainer.parentElement.closest(".block")?.scrollIntoView({ block: "nearest" });
  const [box, frame] = [range.getBoundingClientRect(), view.getBoundingClientRect()];
  const margin = Math.min(60, frame.height / 4);
  if (box.top < frame.top + margin) view.scrollTop -= frame.top + margin - box.top;
  else if (box.bottom > frame.bottom - margin) view.scrollTop += box.bottom - frame.bottom + margin;
}
