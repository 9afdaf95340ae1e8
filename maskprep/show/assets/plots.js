"use strict";
// Plots, drawn as SVG by hand: bars that need no library.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Returns a histogram as SVG. `form` writes a value of the axis; `percentiles` marks the median. All bins are drawn
// equally wide: the last one may reach as far as one row that is much longer than all others.
function histogram({ edges, counts }, { form, percentiles, label }) {
  const [width, height, left, right, top, bottom] = [560, 210, 44, 22, 22, 34];
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const most = Math.max(...counts, 1);
  const across = (width - left - right) / counts.length;
  // Where a value lies among the edges.
  const x = (value) => {
    const bin = Math.min(Math.max(edges.findLastIndex((edge) => edge <= value), 0), counts.length - 1);
    return left + (bin + (value - edges[bin]) / (edges[bin + 1] - edges[bin] || 1)) * across;
  };
  const y = (count) => top + (1 - count / most) * (height - top - bottom);
  const plot = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const count of new Set([0, most > 3 ? Math.round(most / 2) : 0, most])) {
    plot.append(
      shape("line", { class: "grid", x1: left, x2: width - right, y1: y(count), y2: y(count) }),
      shape("text", { class: "tick", x: left - 8, y: y(count) + 4, "text-anchor": "end" }, figure(count)),
    );
  }
  counts.forEach((count, i) => {
    const title = `${form(edges[i])} to ${form(edges[i + 1])}: ${counted(count, "sequence")}`;
    const size = { x: left + i * across + 1, width: Math.max(1, across - 2) };
    // A bin with rows shows, however few they are.
    const tall = count ? Math.max(2, y(0) - y(count)) : 0;
    const hover = shape("rect", { class: "target", ...size, y: top, height: y(0) - top });
    plot.append(
      shape(
        "g",
        {},
        shape("title", {}, title),
        hover,
        shape("rect", { class: "bar-fill", ...size, y: y(0) - tall, height: tall, rx: 2 }),
      ),
    );
  });
  const step = edges.length > 12 ? 4 : 1;
  const far = edges.length > 2 && edges.at(-1) - edges.at(-2) > 1.5 * (edges[1] - edges[0]); // a bin of outliers
  edges.forEach((edge, i) => {
    const last = i === edges.length - 1;
    // The edge before the last bin is told where that bin is wider than the others.
    if (!last && !(far && i === edges.length - 2) && (i % step || i > edges.length - 1 - step / 2 - (far ? 1 : 0))) return;
    const at = { x: left + i * across, y: height - 14, "text-anchor": "middle" };
    plot.append(shape("text", { class: "tick", ...at }, last && far ? `…${form(edge)}` : form(edge)));
  });
  const median = percentiles?.["50"];
  if (median !== undefined && median >= low && median <= high) {
    const anchor = x(median) > width * 0.8 ? "end" : x(median) < width * 0.2 ? "start" : "middle";
    plot.append(
      shape("line", { class: "median", x1: x(median), x2: x(median), y1: top - 4, y2: y(0) }),
      shape(
        "text",
        { class: "median-label", x: x(median), y: top - 9, "text-anchor": anchor },
        `median ${form(median)}`,
      ),
    );
  }
  return plot;
}

// Returns rows of horizontal bars. An item is {name, value, filled, note, role}; `filled` of `value` is drawn full, the
// rest hatched, so that the two are told apart without their hue.
function bars(items, { most = Math.max(...items.map((item) => item.value), 1) } = {}) {
  return element(
    "div",
    { class: "bars" },
    items.flatMap(({ name, value, filled, note, role }) => {
      const full = element("span", { class: "full" });
      const rest = element("span", { class: "rest" });
      const visible = (amount) => (amount ? `max(2px, ${(100 * amount) / most}%)` : "0");
      full.style.width = visible(filled);
      rest.style.width = visible(value - filled);
      return [
        element("div", { class: "name", "data-role": role }, plain(name)),
        element("div", { class: "track", title: `${plain(name)}: ${plain(note)}` }, full, rest),
        element("div", { class: "note" }, plain(note)),
      ];
    }),
  );
}

function percentileTable(percentiles, mean, form) {
  const name = (rank) => ({ 0: "min", 100: "max" })[rank] ?? `p${rank}`;
  const cells = [...Object.entries(percentiles).map(([rank, value]) => [name(rank), value]), ["mean", mean]];
  return element(
    "table",
    { class: "percentiles" },
    element(
      "tr",
      {},
      cells.map(([name]) => element("th", { scope: "col" }, name)),
    ),
    element(
      "tr",
      {},
      cells.map(([, value]) => element("td", {}, form(value))),
    ),
  );
}
