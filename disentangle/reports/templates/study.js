"use strict";
document.documentElement.classList.add("script");

function startTable(table) {
  const scores = table.tHead.querySelectorAll("[data-column]"); // may be in two rows
  const heads = scores.length ? [...scores] : [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];

  function sortKey(row, column) {
    const cell = row.cells[column];
    const key = cell.dataset.sort;
    const text = cell.textContent.trim();
    if (key === "last") return "";
    return key ? Number(key) : text === "n/a" ? "" : text;
  }

  function compare(a, b, sign) {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  heads.forEach((head, i) => {
    const column = Number(head.dataset.column ?? i);
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const now = before === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [sortKey(row, column), row]);
      rows.sort((a, b) => compare(a[0], b[0], sign));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function startFilter(input) {
  const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
  const status = input.parentElement.querySelector("[role=status]");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    status.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}

document.querySelectorAll("table.sortable").forEach(startTable);
document.querySelectorAll("input[type=search]").forEach(startFilter);

const MARKS = [
  "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0-4.5 0Z", "M-4-4H4V4H-4Z", "M0-5.5L5.2 4H-5.2Z",
  "M0-5.5L5.5 0L0 5.5L-5.5 0Z", "M0 5.5L5.2-4H-5.2Z", "M-5-1.7H-1.7V-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5Z",
  "M-5.5-2.2H5.5V2.2H-5.5Z", "M-2.2-5.5H2.2V5.5H-2.2Z",
];

function draw(parent, name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 2.5, 5, 10].find((m) => m * unit >= raw * 0.999);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) values.push(Number((i * step).toPrecision(12)));
  return values;
}

function logTicks(low, high) {
  const powers = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) powers.push(10 ** e);
  return [low, ...powers.filter((v) => v > low * 2 && v < high / 2), high];
}

function horizontal(values, log) {
  if (values.some((v) => typeof v !== "number")) {
    const words = [...new Set(values.map(String))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    return { words: true, ticks: words, part: (v) => (words.indexOf(String(v)) + 0.5) / words.length, label: String };
  }
  const low = Math.min(...values), high = Math.max(...values);
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const on = log ? Math.log : (v) => v;
  const length = on(high) - on(low) || 1;
  const label = (v) => (Math.abs(v) >= 1e4 ? v.toLocaleString("en") : String(Number(v.toPrecision(4))));
  const part = (v) => 0.04 + 0.92 * (high === low ? 0.5 : (on(v) - on(low)) / length);
  const few = log && distinct.length <= 7;
  const whole = values.every(Number.isInteger); // no tick at seed 0.5
  const even = () => ticks(low, high, 5).filter((v) => !whole || Number.isInteger(v));
  const spread = () => (log ? logTicks(low, high) : even());
  return { log, part, label, ticks: few || high === low ? distinct : spread() };
}

function cut(name, most) {
  return name.length <= most ? name : `${name.slice(0, most - 1)}…`;
}

function look(index) {
  return { class: `point c${(index + Math.floor(index / MARKS.length)) % 8}`, d: MARKS[index % MARKS.length] };
}

function startPlot(figure) {
  const { points, baselines, logarithmic } = JSON.parse(document.getElementById(figure.dataset.plot).textContent);
  const [scores, knobs] = figure.querySelectorAll("select");
  const field = figure.querySelector(".field");
  const models = [...new Set(points.map((point) => point.model))];

  function paint() {
    const score = scores.value, knob = knobs.value;
    const scored = points.filter((point) => score in point.scores);
    const shown = scored.filter((point) => knob in point.knobs);
    const missing = scored.length - shown.length;
    figure.querySelector(".missing").textContent = missing ? `Not shown: ${missing} of ${scored.length} runs without ${knob}.` : "";
    field.replaceChildren();
    if (!shown.length) return;
    const x = horizontal(shown.map((point) => point.knobs[knob]), logarithmic.includes(knob));
    const lines = Object.entries(baselines).filter(([, of]) => score in of);
    const values = [...shown.map((point) => point.scores[score]), ...lines.map(([, of]) => of[score])];
    let low = Math.min(...values), high = Math.max(...values);
    if (low >= 0 && low < 0.6 * high) low = 0;
    if (low === high) high = low + 1;
    const margin = 0.04 * (high - low); // no mark is half outside
    if (low !== 0) low -= margin;
    high += margin;
    const width = Math.max(280, Math.min(field.clientWidth, 760));
    const longest = Math.max(0, ...lines.map(([name]) => name.length));
    const left = 52, right = lines.length ? Math.min(12 + 6.7 * longest, width / 3) : 12, top = 12;
    const room = (width - left - right) / x.ticks.length;
    const slanted = x.words && Math.max(...x.ticks.map((t) => t.length)) * 7 > room - 6;
    const bottom = slanted ? 26 + Math.min(110, Math.max(...x.ticks.map((t) => t.length)) * 4.6) : 42;
    const height = 250 + bottom;
    const across = (v) => left + x.part(v) * (width - left - right);
    const down = (v) => top + ((high - v) / (high - low)) * (height - top - bottom);
    const svg = draw(field, "svg", { class: "scatter chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${score} against ${knob}, ${shown.length} runs` });
    for (const value of ticks(low, high, 5)) {
      draw(svg, "path", { class: "grid", d: `M${left} ${down(value)}H${width - right}` });
      draw(svg, "text", { class: "end", x: left - 8, y: down(value) + 4 }, String(value));
    }
    for (const value of x.ticks) {
      const at = across(value), y = height - bottom + 18;
      const position = slanted ? { class: "end", transform: `translate(${at + 4} ${y - 4}) rotate(-35)` } : { class: "middle", x: at, y };
      draw(svg, "text", position, x.label(value));
    }
    if (knob !== "model") draw(svg, "text", { class: "middle", x: (left + width - right) / 2, y: height - 4 }, knob + (x.log ? " (log scale)" : ""));
    let below = -Infinity;
    for (const [name, of] of lines.sort(([, a], [, b]) => b[score] - a[score])) {
      draw(svg, "path", { class: "baseline", d: `M${left} ${down(of[score])}H${width - right}` });
      const y = Math.max(down(of[score]) + 4, below); // labels do not overlap
      const text = draw(svg, "text", { class: "beside", x: width - right + 7, y }, cut(name, (right - 7) / 6.7));
      draw(text, "title", {}, `${name}\n${score} ${of[score].toPrecision(4)}`);
      below = y + 12;
    }
    for (const point of shown) {
      const index = models.indexOf(point.model);
      const parent = point.href ? draw(svg, "a", { href: point.href, "aria-label": point.label }) : svg;
      const mark = draw(parent, "path", { ...look(index), transform: `translate(${across(point.knobs[knob])} ${down(point.scores[score])})` });
      draw(mark, "title", {}, `${point.label}\n${score} ${point.scores[score].toPrecision(4)}\n${knob} ${x.label(point.knobs[knob])}`);
    }
    if (knob !== "model" && models.length > 1) legend(field, models.filter((model) => shown.some((point) => point.model === model)));
  }

  function legend(parent, names) {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const name of names) {
      const item = document.createElement("li");
      const svg = draw(item, "svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" });
      draw(svg, "path", look(models.indexOf(name)));
      item.append(name);
      list.append(item);
    }
    parent.append(list);
  }

  scores.addEventListener("change", paint);
  knobs.addEventListener("change", paint);
  new ResizeObserver(paint).observe(figure);
}

document.querySelectorAll("figure.plot").forEach(startPlot);
