"use strict";
// What the data set is made of: figures, plots, and everything that was noticed, with examples.

function drawOverview(open) {
  const facts = page.meta.statistics;
  const fraction = (value) => `${Math.round(100 * value)} %`;
  const cards = [
    ["conversations", facts.rows, `${figure(facts.rows_used)} used, ${figure(facts.rows_rejected)} rejected`],
    ["sequences", facts.sequences, `the longest ${counted(facts.longest_sequence, "token")}`],
    ["tokens", facts.tokens, "in all sequences"],
    ["trained", facts.trained_tokens, `${share(facts.trained_tokens, facts.tokens)} of all tokens`],
  ];
  if (facts.unfaithful_tokens)
    cards.push(["unfaithful", facts.unfaithful_tokens, "trained in a context that no server sends"]);
  const { packing } = facts;
  if (packing?.rows) {
    const length = figure(packing.slots / packing.rows);
    cards.push(["packed rows", packing.rows, `of ${length} tokens, ${(100 * packing.fill).toFixed(1)} % filled`]);
  }
  const trees = page.rows.filter((row) => row.branches).length;
  if (trees) cards.push(["trees", trees, "of the rows on this page"]);
  const parts = facts.by_role_and_part.map(({ role, part, tokens, trained_tokens: trained }) => ({
    name: `${role} · ${part}`,
    role,
    value: tokens,
    filled: trained,
    note: `${figure(trained)} of ${figure(tokens)} trained`,
  }));
  const turns = Object.entries(facts.trained_turns).map(([count, rows]) => ({
    name: counted(Number(count), "turn"),
    value: rows,
    filled: rows,
    note: `${counted(rows, "sequence")}, ${share(rows, facts.sequences)}`,
  }));
  document.getElementById("overview").replaceChildren(
    element("p", { class: "measured" }, `Figures of ${page.meta.measured}.`),
    element("div", { class: "cards" }, cards.map(card)),
    element(
      "div",
      { class: "grid" },
      column(
        panel(
          "Length of a sequence, in tokens",
          histogram(facts.length.histogram, {
            form: figure,
            percentiles: facts.length.percentiles,
            label: "Lengths",
          }),
          percentileTable(facts.length.percentiles, facts.length.mean, figure),
        ),
        panel("Tokens by role and part", key(), bars(parts)),
        panel("Trained turns of a sequence", bars(turns)),
      ),
      column(
        panel(
          "Trained share of a sequence",
          histogram(facts.trained_fraction.histogram, {
            form: fraction,
            percentiles: facts.trained_fraction.percentiles,
            label: "Trained shares",
          }),
          percentileTable(facts.trained_fraction.percentiles, facts.trained_fraction.mean, fraction),
        ),
        panel(
          "Rejected rows",
          element("div", { class: "rejects" }, noticed(facts.rejects, open, "No row was rejected.")),
        ),
        panel(
          "Findings in rows that were used",
          element("div", { class: "findings" }, noticed(facts.findings, open, "Nothing was found.")),
        ),
        panel("Keys of the data that were not read", element("div", { class: "not-read" }, notRead(facts.not_read))),
      ),
    ),
  );
}

function card([name, value, note]) {
  return element(
    "div",
    { class: `card card-${name.replaceAll(" ", "-")}` },
    element("span", {}, name),
    element("b", {}, figure(value)),
    element("small", {}, note),
  );
}

function column(...panels) {
  return element("div", { class: "column" }, panels);
}

function panel(title, ...children) {
  return element("section", { class: "panel" }, element("h2", {}, title), ...children);
}

function key() {
  return element(
    "p",
    { class: "key" },
    element("span", { class: "full" }),
    " trained ",
    element("span", { class: "rest" }),
    " masked",
  );
}

// Returns the codes as bars, and under them one example each.
function noticed(codes, open, none) {
  const sorted = Object.entries(codes).sort(([, a], [, b]) => b.rows - a.rows);
  if (!sorted.length) return [element("p", { class: "none" }, none)];
  const items = sorted.map(([code, { rows }]) => ({
    name: code,
    value: rows,
    filled: rows,
    note: counted(rows, "row"),
  }));
  return [bars(items), ...sorted.map(([code, facts]) => exampleOf(code, facts, open))];
}

// Returns the keys that nothing read as bars: how many rows have each.
function notRead(keys) {
  const sorted = Object.entries(keys ?? {}).sort(([, a], [, b]) => b - a);
  if (!sorted.length) return [element("p", { class: "none" }, "Every key was read, or means nothing for training.")];
  return [bars(sorted.map(([key, rows]) => ({ name: plain(key), value: rows, filled: 0, note: counted(rows, "row") })))];
}

function exampleOf(code, { example, hint }, open) {
  const there = page.rows.filter(({ file, line }) => file === example.file && line === example.line);
  // A rejected row opens as itself; a finding opens a row that has it.
  const has = (row) => row.rejected === code || row.findings.some(([found]) => found === code);
  const row = there.find(has) ?? there[0];
  const place = `${plain(example.file)}:${example.line}`;
  return element(
    "div",
    { class: "example" },
    element("b", {}, plain(code)),
    row
      ? element("button", { class: "link", onclick: () => open(row) }, place)
      : element("span", { class: "place" }, place),
    element("p", { dir: "auto" }, ...marked(example.message)),
    hint ? element("p", { class: "fix", dir: "auto" }, ...marked(hint)) : null,
  );
}
