"use strict";
// From the columns of a row to what is drawn: segments of text in one style, and units, the smallest things to point
// at.
//
//   tokens     <|im_start|>  user  \n  Gr  ü(1)  ü(2)  ße
//   units      <|im_start|>  user  \n  Gr  ü           ße        tokens that make one character are one unit
//   segments   [special    ] [scaffold] [content          ]      one text run each, so that scripts join and marks combine

// Combining marks, joiners, variation selectors, skin tones.
const JOINS = /^[\p{M}\u{200d}\u{1f3fb}-\u{1f3ff}]/u;

// Returns {text, starts, firsts, kinds, segments, cuts}. Unit u, of kinds[u], stands at text[starts[u]:starts[u+1]]
// and begins with token firsts[u]. A segment is {kind, form, from, to, first, last}: text[from:to] and units
// first:last; its form is "plain", "special", "bytes" (a part of a character: one place in the text) or "empty". A
// cut is a segment that begins a block.
function layOut(record) {
  const laid = { starts: [], firsts: [], kinds: [], segments: [], cuts: new Map() };
  const cuts = cutsOf(record);
  const texts = [];
  let length = 0;
  let token = 0;
  let open = null;
  for (let run = 0; run < record.r.length; run += 2) {
    const end = token + record.r[run];
    const kind = record.r[run + 1];
    if (open && !continues(page.kinds[open.kind], page.kinds[kind])) open = null;
    while (token < end) {
      let text = textOf(record.t[token]);
      let taken = 1;
      let form = page.special[record.t[token]] ? "special" : "plain";
      if (text === null) {
        [text, taken] = gather(record.t, token, end);
        if (text === null) [text, form] = ["\ufffd", "bytes"];
      } else if (!text) form = "empty";
      if (open?.form !== "plain" || form !== "plain" || cuts.has(token)) {
        open = { kind, form, from: length, to: length, first: laid.firsts.length, last: 0 }; // last: 0 while empty
        if (cuts.has(token)) laid.cuts.set(laid.segments.length, cuts.get(token));
        laid.segments.push(open);
      }
      // What joins the character before it cannot be pointed at alone.
      const joins = open.last && (JOINS.test(text) || texts.at(-1).endsWith("\u200d"));
      if (!joins) {
        laid.starts.push(length);
        laid.firsts.push(token);
        laid.kinds.push(kind);
      }
      texts.push(text);
      length += text.length;
      open.to = length;
      open.last = laid.firsts.length;
      token += taken;
    }
  }
  laid.starts.push(length);
  laid.firsts.push(token);
  laid.text = texts.join("");
  return laid;
}

// Tells whether one kind looks like the other. A split is marked where it is; what follows goes on in the same text.
function continues(before, kind) {
  const like = (name) => before[name] === kind[name];
  return !kind.split && ["role", "part", "message", "trained", "other"].every(like);
}

// Returns where the blocks of messages begin: token → kind that names the block. The mask does not need them, the eye
// does; so where a header begins is guessed, from special tokens or else line breaks between two messages.
function cutsOf(record) {
  const cuts = new Map();
  const branches = new Map((record.b ?? []).map(([start], number) => [start, number]));
  let current = -1;
  let loose = 0; // the first token since the last one of a message
  let stopped = true;
  let token = 0;
  for (let run = 0; run < record.r.length; run += 2) {
    const kind = page.kinds[record.r[run + 1]];
    if (branches.get(token)) {
      // The copy with which a branch opens stands in the block of what follows it.
      const after = page.kinds[record.r[run + 3]];
      const named = record.r[run] === 1 && !branches.has(token + 1) && after ? after : kind;
      cuts.set(token, { ...named, branch: branches.get(token) });
      current = named.message;
      loose = token + record.r[run];
      stopped = kind.part === "stop";
    } else if (kind.message >= 0) {
      if (kind.message !== current) {
        const cut = headerBetween(record.t, loose, token, stopped, current < 0);
        if (current < 0 && cut > 0) cuts.set(0, { role: "template", message: -1 });
        cuts.set(cut, kind);
        current = kind.message;
      }
      loose = token + record.r[run];
      stopped = kind.part === "stop";
    }
    token += record.r[run];
  }
  if (current < 0 && !cuts.has(0)) cuts.set(0, { role: "template", message: -1 });
  return cuts;
}

// Returns the token with which the next message's header begins. It is a special token behind a line break or behind
// another special token, but not the one that closes the message before. Of the first message it is the last such
// token.
function headerBetween(tokens, from, to, stopped, first) {
  let special = -1;
  let newline = -1;
  let header = -1;
  for (let place = from; place < to; place++) {
    const before = place ? (page.special[tokens[place - 1]] ? "\n" : textOf(tokens[place - 1])) : "\n";
    if (page.special[tokens[place]]) {
      if (special < 0) special = place;
      if ((place > from || stopped) && before?.endsWith("\n") && (first || header < 0)) header = place;
    }
    if (newline < 0 && textOf(tokens[place])?.includes("\n")) newline = place + 1;
  }
  return [header, special, newline, from].find((place) => place >= 0);
}
