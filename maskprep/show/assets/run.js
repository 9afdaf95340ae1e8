"use strict";
// The run that made the rows: which data set this is, and by what it was made.

// A page that lies in a build names it by the folder that it lies in now: it may have been moved.
function nameOf() {
  const found = /([^/]+)\/maskprep\/report\.html$/.exec(location.pathname);
  if (location.protocol !== "file:" || !found) return page.meta.title;
  try {
    return `${plain(decodeURIComponent(found[1]))} · ${page.meta.title}`;
  } catch {
    return page.meta.title;
  }
}

function drawRun() {
  const name = nameOf();
  if (name !== page.meta.title) {
    document.title = plain(name);
    document.getElementById("title").replaceChildren(plain(name));
  }
  const box = document.getElementById("run");
  const { run } = page.meta;
  box.hidden = false;
  const facts = [];
  if (run) {
    const template = `${run.template} (${run.template_digest})`;
    facts.push(["tokenizer", run.tokenizer], ["template", template], ["built", run.date.slice(0, 16).replace("T", " ")]);
  }
  const fact = ([key, value]) => element("span", { class: "fact" }, element("span", { class: "key" }, key), ` ${plain(value)}`);
  box.querySelector("summary").replaceChildren(element("b", {}, sampled()), ...facts.map(fact));
  const listed = (values) => (values.length ? values : [["none", ""]]);
  const settings = listed(Object.entries(run?.settings ?? {}).map(([key, value]) => [key, shortly(value)]));
  const entries = run
    ? [
        ["output", nameOf()],
        ["sources", run.sources.join(", ")],
        ["tokenizer", run.tokenizer],
        ["chat template", `${run.template}, sha256 ${run.template_digest}…`],
        ["settings that differ from the defaults", settings.map(([key, value]) => (value ? `${key}: ${value}` : key)).join("\n")],
        ["versions", Object.entries(run.versions).map((pair) => pair.join(" ")).join(", ")],
        ["date", run.date],
      ]
    : [["made by", page.meta.title]];
  box
    .querySelector("dl")
    .replaceChildren(...entries.flatMap(([key, value]) => [element("dt", {}, key), element("dd", { dir: "auto" }, ...marked(value))]));
}

const shortly = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// Says how many of the rows are here.
function sampled() {
  const used = page.rows.filter((row) => row.rejected === null).length;
  const rejected = page.rows.length - used;
  const { sequences, rows_rejected: refused } = page.meta.statistics;
  const whole = page.meta.measured === "the build";
  const all = whole && sequences === used ? `all ${counted(used, "row")}` : counted(used, "row");
  const told = whole && sequences > used ? `a sample of ${figure(used)} of ${counted(sequences, "row")}` : all;
  if (!rejected) return told;
  return `${told}, ${figure(rejected)} ${whole && refused > rejected ? `of ${figure(refused)} ` : ""}rejected`;
}
