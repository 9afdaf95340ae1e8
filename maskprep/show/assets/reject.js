"use strict";
// A source row that cannot be used: why, the text around the fault, and the fixes.

const TOLD = new Set(["prompt", "rendered", "graft", "train"]);

function drawReject(row, record) {
  Object.assign(shown, { row, record, laid: null, nodes: [], byNode: new Map(), solo: new Map() });
  const { details } = record;
  const parts = [
    element("p", { class: "reason" }, ...marked(record.message)),
    record.hint ? section("Fix", element("p", {}, ...marked(record.hint))) : null,
  ];
  if (isParting(details.prompt) && isParting(details.rendered)) {
    parts.push(
      section(
        "Where they part",
        element(
          "div",
          { class: "pair" },
          side("The server's prompt", details.prompt),
          side("The turn as rendered", details.rendered),
        ),
      ),
    );
    if (details.graft || details.train) {
      parts.push(
        section(
          "What the other policies would train",
          element("div", { class: "pair" }, policy("graft", details.graft), policy("train", details.train)),
        ),
      );
    }
  }
  const other = Object.entries(details).filter(([name]) => !TOLD.has(name) || !isParting(details.prompt));
  if (other.length)
    parts.push(
      section(
        "Details",
        element(
          "dl",
          {},
          other.flatMap(([name, value]) => [element("dt", {}, plain(name)), element("dd", {}, ...marked(told(value)))]),
        ),
      ),
    );
  if (record.around) {
    const { title, before, after } = record.around;
    const fault = before ? element("span", { class: "parting", title: "the fault" }, "▶") : null;
    const told = [element("span", { class: "before" }, ...marked(before)), fault, ...marked(after)];
    parts.push(section("The fault", element("p", {}, plain(title)), element("pre", { dir: "auto" }, told)));
  }
  if (record.source)
    parts.push(section("The row begins", element("pre", { class: "source", dir: "auto" }, ...marked(record.source))));
  document.getElementById("row").replaceChildren(element("div", { class: "rejection" }, ...parts.filter(Boolean)));
  paint("found", []);
  showUnit(-1);
}

const told = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const isParting = (value) => typeof value?.before === "string" && typeof value?.after === "string";

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

// The first difference is between `before`, the same in both texts, and `after`.
function side(title, text) {
  return element(
    "figure",
    {},
    element("figcaption", {}, title),
    element(
      "pre",
      { dir: "auto" },
      element("span", { class: "before" }, ...marked(text.before)),
      element("span", { class: "parting", title: "the first difference" }, "▶"),
      element("mark", {}, ...marked(text.after || "")),
      text.after ? null : element("span", { class: "end" }, "ends here"),
    ),
  );
}

function policy(name, text) {
  return element(
    "figure",
    {},
    element("figcaption", {}, element("code", {}, `--prompt-mismatch ${name}`)),
    element("pre", { dir: "auto" }, ...marked(text ?? "")),
  );
}
