"use strict";
// Long masked stretches are folded, so that what is trained is on the first screen: their ends stay, and the
// surroundings of what is searched for. A click on a fold, or the key f, shows them.
//
//   masked 5,000 tokens   ├60┤ … 4,880 masked tokens … ├60┤ trained

const FOLDED = 200; // units that are never folded
const ENDS = 60; // of a longer stretch, so many stay at either end
const AROUND = 20; // and so many at either side of a match
const LEAST = 40; // fewer are not worth a fold

// Returns the folds of a row in order, as {run, first, last}: units first:last are hidden, and `run` names the stretch.
function foldsOf(laid) {
  if (choice.full) return [];
  const folds = [];
  let first = -1;
  const close = (last) => {
    if (first >= 0 && last - first > FOLDED && !shown.unfolded.has(first)) {
      for (const [from, to] of without(matchesIn(laid, first, last), first + ENDS, last - ENDS))
        if (to - from >= LEAST) folds.push({ run: first, first: from, last: to });
    }
    first = -1;
  };
  laid.segments.forEach((segment, place) => {
    const kind = page.kinds[segment.kind];
    if (laid.cuts.get(place)?.branch) close(segment.first);
    if (kind.trained || !isVisible(kind) || marksDifference(kind)) close(segment.first);
    else if (first < 0) first = segment.first;
  });
  close(laid.firsts.length - 1);
  return folds;
}

const marksDifference = (kind) => kind.other !== null && kind.other !== kind.trained;

// Returns the units around each match between two units.
function matchesIn(laid, first, last) {
  const around = [];
  if (!search.pattern) return around;
  for (const match of laid.text.matchAll(search.pattern)) {
    const [from, to] = [unitAt(match.index), unitAt(match.index + Math.max(match[0].length, 1) - 1)];
    if (match[0] && to >= first && from < last) around.push([from - AROUND, to + 1 + AROUND]);
    if (around.length > MARKS) break;
  }
  return around;
}

// Yields what is left of from:to without some ranges, which are in order.
function* without(ranges, from, to) {
  for (const [start, end] of ranges) {
    if (start > from) yield [from, Math.min(start, to)];
    from = Math.max(from, end);
  }
  if (from < to) yield [from, to];
}

function foldButton({ run, first, last }) {
  const tokens = shown.laid.firsts[last] - shown.laid.firsts[first];
  const unfold = () => {
    shown.unfolded.add(run);
    redraw();
  };
  return element(
    "button",
    { class: "fold", title: "Show them", onclick: unfold },
    `… ${figure(tokens)} masked ${tokens === 1 ? "token" : "tokens"} …`,
  );
}
