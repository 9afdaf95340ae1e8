"use strict";
// The run that made the rows: which data set this is, and by what it was made.

// Returns the folder of the build that the page lies in now, null where it lies in none: it may have been moved.
function folderOf() {
  const found = /^(.*[^/])\/maskprep\/report\.html$/.exec(location.pathname);
  if (location.protocol !== "file:" || !found) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return null;
  }
}

function drawRun() {
  const folder = folderOf();
  const made = page.meta.title.split(" · ");
  if (folder) {
    const name = plain([folder.split("/").at(-1), ...made.slice(-1)].join(" · "));
    document.title = name;
    document.getElementById("title").replaceChildren(name);
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
  const settings = Object.entries(run?.settings ?? {}).map(([key, value]) => `${key}: ${shortly(value)}`);
  const entries = run
    ? [
        ["output", folder ?? made[0]],
        ["sources", run.sources.join(", ")],
        ["tokenizer", run.tokenizer],
        ["chat template", `${run.template}, sha256 ${run.template_digest}…`],
        ["settings that differ from the defaults", ...(settings.length ? settings : ["none"])],
        ["versions", Object.entries(run.versions).map((pair) => pair.join(" ")).join(", ")],
        ["date", run.date],
      ]
    : [["made by", page.meta.title]];
  const lines = (values) => values.map((value) => element("div", { dir: "auto" }, ...marked(value)));
  const pair = ([key, ...values]) => [element("dt", {}, key), element("dd", {}, lines(values))];
  box.querySelector("dl").replaceChildren(...entries.flatMap(pair));
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
