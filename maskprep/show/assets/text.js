"use strict";
// Text from data, made harmless and visible. All that enters the document enters through `element` and `marked`, as
// text nodes: nothing here or anywhere in the page makes markup of a string.

// What would act, or hide: the rule of safe.py. Control and format characters, separators, lone surrogates, private
// and unassigned code points; but not the joiners that emoji and several scripts are spelt with, nor visible signs of
// Arabic.
const ACTS =
  "(?![\\u200c\\u200d\\u0600-\\u0605\\u06dd\\u070f\\u08e2])[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}]";
// In turn: a line break; a tab; blanks that are easily missed; other white space; what acts.
const MARKED = new RegExp(`(\\n)|(\\t)|( {2,}|(?<=\\n) | (?=\\n)|^ | $)|((?! )\\p{Zs})|(${ACTS})`, "gu");
const FORMS = ["break", "tab", "blanks", "space", "spelt"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

function spelt(character) {
  const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  if (known) return known;
  const code = character.codePointAt(0);
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

// Returns text on one line with what acts spelt out, for names and places.
function plain(text) {
  return String(text).replace(new RegExp(ACTS, "gu"), spelt);
}

// Calls `take(form, text)` for each piece of text, in order; form is null for ordinary text.
function pieces(text, take) {
  let at = 0;
  for (const match of text.matchAll(MARKED)) {
    if (match.index > at) take(null, text.slice(at, match.index));
    take(FORMS[match.slice(1).findIndex((group) => group !== undefined)], match[0]);
    at = match.index + match[0].length;
  }
  if (at < text.length) take(null, text.slice(at));
}

// Returns the node of a piece. Line breaks, tabs and blanks keep their own characters and get their marks from the
// style sheet, so that what is copied is the text itself; only what acts is replaced.
function pieceNode(form, text) {
  if (form === null) return document.createTextNode(text);
  if (form === "spelt")
    return element("i", { class: "spelt", title: "spelt out: a character that acts or hides" }, spelt(text));
  return element(
    "i",
    {
      class: form,
      title: form === "space" ? `U+${text.codePointAt(0).toString(16).padStart(4, "0").toUpperCase()}` : null,
    },
    text,
  );
}

// Returns the nodes of text for display beside the rows: messages, sources, prompts.
function marked(text) {
  const nodes = [];
  pieces(String(text), (form, piece) => nodes.push(pieceNode(form, piece)));
  return nodes;
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
