"use strict";
// What is known of the token under the pointer or the keyboard. Tokens are no elements: they are ranges of the text,
// found from the place under the pointer, so that a row of 50,000 tokens costs no more than its text.

let current = -1; // unit
const paint = (name, ranges) => {
  // Without the Custom Highlight API the page does all the same, unmarked.
  if (!globalThis.CSS?.highlights) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
};

function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const found = document.caretPositionFromPoint(x, y);
    return found && [found.offsetNode, found.offset];
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range && [range.startContainer, range.startOffset];
}

function covers(node, offset, x, y) {
  const range = document.createRange();
  range.setStart(node, offset);
  range.setEnd(node, offset + 1);
  return [...range.getClientRects()].some((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
}

// Returns the unit at a point of the window, -1 where there is none. Beside the text the nearest caret says nothing,
// but for a line break, which is all that a line has there.
function unitFrom(x, y, target) {
  const caret = caretAt(x, y);
  let entry = caret && shown.byNode.get(caret[0]);
  let offset = caret?.[1] ?? 0;
  if (!entry) {
    // Over the mark of a line break or a tab the caret is the element, not its text.
    entry = shown.byNode.get(target.firstChild);
    return entry && target.matches("i") ? entry.unit : -1;
  }
  if (!target.closest(".segment")) return entry.node.data === "\n" ? entry.unit : -1;
  if (entry.spelt) return entry.unit;
  // A caret stands between two characters: the one that is meant is the one whose box covers the point.
  if (offset > 0 && (offset >= entry.node.length || !covers(entry.node, offset, x, y))) offset--;
  return unitAt(entry.start + offset);
}

function showUnit(unit, { scroll = false } = {}) {
  current = unit;
  const panel = document.getElementById("inspector");
  const range = unit >= 0 ? rangeOfUnit(unit) : null;
  paint("token", range ? [range] : []);
  // A range does not cover the mark of a line break, which is no text.
  document.querySelector("#row .current")?.classList.remove("current");
  range?.endContainer.parentElement.closest(".break, .tab")?.classList.add("current");
  if (unit < 0 || !shown.laid) {
    panel.replaceChildren(
      element(
        "p",
        { class: "hint" },
        "Point at a token, or press → to walk along the row, s to go to what is trained, ? for all keys.",
      ),
    );
    return;
  }
  if (range && scroll) reveal(range);
  panel.replaceChildren(...describeUnit(unit));
}

function describeUnit(unit) {
  const { laid, record } = shown;
  const [first, end] = [laid.firsts[unit], laid.firsts[unit + 1]];
  const tokens = record.t.slice(first, end);
  const kind = page.kinds[laid.kinds[unit]];
  const ids = tokens.map((token) => page.meta.tokens.id[token]);
  const bytes = joined(tokens);
  const places = end - first > 1 ? `tokens ${figure(first)}–${figure(end - 1)}` : `token ${figure(first)}`;
  const text = laid.text.slice(laid.starts[unit], laid.starts[unit + 1]);
  const partial = tokens.length === 1 && textOf(tokens[0]) === null;
  const flags = [
    page.special[tokens[0]] && "special token",
    kind.split && "a token was split before it",
    end - first > 1 && `${end - first} tokens make this text`,
    partial && "a part of a character",
    kind.other !== null && (kind.other ? "trained in the other" : "masked in the other"),
  ].filter(Boolean);
  const fact = (name, ...value) =>
    element("div", { class: `fact fact-${name}` }, element("dt", {}, name), element("dd", {}, ...value));
  return [
    element("div", { class: `what ${kind.trained ? "trained" : "masked"}` }, kind.trained ? "trained" : "masked"),
    element("div", { class: "quoted" }, partial ? `‹${hexOf(bytes)}›` : plainQuoted(text)),
    element(
      "dl",
      {},
      fact("index", `${places} of ${figure(record.t.length)}`),
      fact("id", ids.join(" + ")),
      fact("label", kind.trained ? ids.join(" + ") : "−100"),
      fact("role", plain(kind.role)),
      fact("part", plain(kind.part)),
      fact("message", kind.message >= 0 ? String(kind.message) : "none"),
      fact("bytes", hexOf(bytes.slice(0, 24)) + (bytes.length > 24 ? " …" : "")),
      flags.length ? fact("note", flags.join("; ")) : null,
    ),
  ];
}

function plainQuoted(text) {
  return element("q", {}, plain(text.length > 200 ? `${text.slice(0, 200)}…` : text));
}

function openInspector() {
  const view = document.getElementById("row");
  let waiting = false;
  view.addEventListener("pointermove", (event) => {
    // One look-up a frame is all that can be seen.
    if (waiting || event.pointerType === "touch") return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const unit = unitFrom(event.clientX, event.clientY, event.target);
      if (unit >= 0 && unit !== current) showUnit(unit);
    });
  });
  view.addEventListener("click", (event) => {
    const unit = unitFrom(event.clientX, event.clientY, event.target);
    if (unit >= 0) showUnit(unit);
  });
}

// Goes to the next stretch of trained tokens, around the end.
function stepStretch() {
  if (!shown.laid) return;
  const { kinds } = shown.laid;
  const trained = (unit) => unit >= 0 && page.kinds[kinds[unit]].trained;
  for (let distance = 1; distance <= kinds.length; distance++) {
    const unit = (current + distance) % kinds.length;
    if (trained(unit) && !trained(unit - 1) && rangeOfUnit(unit)) return showUnit(unit, { scroll: true });
  }
}

// Goes to the next (1) or previous (-1) token that is not folded.
function stepToken(step) {
  if (!shown.laid) return;
  const last = shown.laid.firsts.length - 2;
  for (let unit = current < 0 && step < 0 ? last : current + step; unit >= 0 && unit <= last; unit += step) {
    if (rangeOfUnit(unit)) return showUnit(unit, { scroll: true });
  }
}
