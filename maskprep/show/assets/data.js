"use strict";
// The data of the page: one block that all rows share, and blocks of rows that are unpacked when one of theirs is
// wanted.

const BLOCKS_KEPT = 8; // unpacked blocks, about 65,000 tokens each
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const page = { meta: null, rows: [], blocks: [], unpacked: new Map() };

async function unpack(element) {
  const packed = atob(element.textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// Fills `page`. A row of `page.rows` is what is known of it without its block.
async function openPage() {
  const meta = await unpack(document.querySelector("script.meta"));
  const { rows, kinds, tokens } = meta;
  page.meta = meta;
  page.blocks = [...document.querySelectorAll("script.rows")];
  page.special = new Uint8Array(tokens.id.length);
  for (const place of tokens.special) page.special[place] = 1;
  page.kinds = kinds.map(([role, part, message, trained, split, other]) => ({
    role,
    part,
    message,
    trained,
    split,
    other,
  }));
  let block = 0;
  page.rows = rows.number.map((number, place) => {
    if (block + 1 < meta.blocks.length && place >= meta.blocks[block + 1]) block++;
    return {
      place,
      block,
      number,
      file: meta.files[rows.file[place]],
      line: rows.line[place],
      sequence: rows.sequence[place],
      tokens: rows.tokens[place],
      trained: rows.trained[place],
      findings: rows.findings[place],
      rejected: rows.rejected[place],
      preview: rows.preview[place],
      packed: rows.packed[place], // the packed row that it stands in, and its number there
      branches: rows.branches[place],
    };
  });
}

// Returns a promise of the record of a row: its token numbers and runs, or what is known of a reject.
async function recordOf(row) {
  const kept = page.unpacked;
  // A promise is kept, not its result, so that two who want a block at the same time unpack it once.
  const promise = kept.get(row.block) ?? unpack(page.blocks[row.block]);
  kept.delete(row.block);
  kept.set(row.block, promise);
  if (kept.size > BLOCKS_KEPT) kept.delete(kept.keys().next().value);
  return (await promise)[row.place - page.meta.blocks[row.block]];
}

// Returns the text of a token, null where it is a part of a character.
function textOf(token) {
  const text = page.meta.tokens.text[token];
  return typeof text === "string" ? text : null;
}

function bytesOf(token) {
  const text = page.meta.tokens.text[token];
  if (typeof text === "string") return new TextEncoder().encode(text);
  const [hex] = text;
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function joined(tokens) {
  return Uint8Array.from(tokens.flatMap((token) => [...bytesOf(token)]));
}

// Finds the tokens that, from `first` on and before `end`, make whole characters together. Returns their text and how
// many they are; null and 1 where they make none: a character that the data cuts off, or that a boundary of the mask
// parts.
function gather(tokens, first, end) {
  // A character is at most four bytes, so that four tokens finish one, if any do.
  for (let last = first + 2; last <= Math.min(end, first + 4) && textOf(tokens[last - 1]) === null; last++) {
    try {
      return [utf8.decode(joined(tokens.slice(first, last))), last - first];
    } catch {
      // not whole yet
    }
  }
  return [null, 1];
}

// Returns the text of a row, for searching.
function rowText(record) {
  if (!record.t) return [record.message, record.hint, record.source, record.around?.before, record.around?.after].join("\n");
  const texts = record.t.map(textOf);
  if (!texts.includes(null)) return texts.join("");
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(joined(record.t));
}

const figure = (number) => Math.round(number).toLocaleString("en");
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
const counted = (number, noun, more = `${noun}s`) => `${figure(number)} ${number === 1 ? noun : more}`;
