"use strict";
document.documentElement.classList.add("script");

const audit = JSON.parse(document.getElementById("audit").textContent);
const dialog = document.getElementById("cell");
const WIDE = 420, HIGH = 150, LEFT = 34, BELOW = 22;

function element(name, text = "", style = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (style) made.className = style;
  return made;
}

function shape(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function level(score, name) {
  const cell = audit.cells[score][name];
  return cell && cell.values.length ? mean(cell.values[cell.values.length - 1][1]) : null;
}

function chart(score, cell, unit) {
  const all = cell.values.flatMap(([, values]) => values);
  const low = Math.min(0, ...all), high = Math.max(1, ...all);
  const y = (value) => 8 + (HIGH - BELOW - 16) * (high - value) / (high - low || 1);
  const step = (WIDE - LEFT) / cell.values.length;
  const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", role: "img" });
  svg.setAttribute("aria-label", "values by amount; the table below has the numbers");
  for (const value of [low, high]) {
    svg.append(shape("line", { x1: LEFT, x2: WIDE, y1: y(value), y2: y(value), class: "grid" }));
    const label = String(Math.round(value * 100) / 100);
    svg.append(shape("text", { x: LEFT - 6, y: y(value) + 4, class: "end" }, label));
  }
  for (const name of ["oracle", "noise"]) {
    const value = level(score, name);
    if (value === null) continue;
    svg.append(shape("line", { x1: LEFT, x2: WIDE, y1: y(value), y2: y(value), class: "baseline" }));
    svg.append(shape("text", { x: WIDE, y: y(value) - 4, class: "end" }, name));
  }
  cell.values.forEach(([amount, values], i) => {
    const x = LEFT + step * (i + 0.5);
    for (const value of values) svg.append(shape("circle", { cx: x, cy: y(value), r: 4, class: "dot" }));
    if (unit) svg.append(shape("text", { x, y: HIGH - 6, class: "middle" }, amount.toLocaleString("en")));
  });
  return svg;
}

function table(cell, unit) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  const seeds = Math.max(...cell.values.map(([, values]) => values.length));
  if (unit) head.append(element("th", unit));
  for (let i = 0; i < seeds; i++) head.append(element("th", `seed ${audit.seeds[i]}`, "number"));
  if (seeds > 1) head.append(element("th", "mean", "number"));
  const body = made.createTBody();
  for (const [amount, values] of cell.values) {
    const row = body.insertRow();
    if (unit) row.append(element("th", amount.toLocaleString("en")));
    for (const value of values) row.append(element("td", value.toFixed(4), "number"));
    if (seeds > 1) row.append(element("td", mean(values).toFixed(4), "number"));
  }
  const wide = element("div", "", "wide");
  wide.append(made);
  return wide;
}

function expectations(score, about) {
  const claims = audit.claims[score];
  const list = element("ul", "", "faults");
  for (const { property, must, reason } of about.expected) {
    if (!claims.includes(property)) continue;
    const item = element("li", `${property}: ${must} `);
    item.append(element("span", `(${reason})`, "quiet"));
    list.append(item);
  }
  if (!list.children.length) list.append(element("li", "nothing of what this score claims", "quiet"));
  return list;
}

function open(score, name) {
  const cell = audit.cells[score]?.[name];
  if (!cell) return;
  const about = audit.cases[name];
  const close = element("button", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const title = element("h3", `${score}: ${name}`);
  title.id = "cell-title";
  const verdict = element("p", `${cell.verdict}${cell.why ? ": " : ""}`, "judged");
  verdict.classList.add(cell.verdict === "fails" ? "bad" : "good");
  verdict.append(element("span", cell.why, "why"));
  const claims = audit.claims[score].join(" and ") || "nothing";
  const parts = [title, verdict, element("p", `${about.codes} Factors: ${about.factors}.`), element("p", about.expects, "quiet")];
  parts.push(element("h4", `Expected of a score that claims ${claims}`), expectations(score, about));
  if (cell.values.length) parts.push(element("h4", "Values"), chart(score, cell, about.unit), table(cell, about.unit));
  dialog.replaceChildren(close, ...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  history.replaceState(null, "", `#${encodeURIComponent(score)}/${encodeURIComponent(name)}`);
}

function openNamed() {
  const [score, name] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (score && name) open(score, name);
}

document.querySelectorAll("#verdicts td.verdict").forEach((cell) => {
  const score = cell.parentElement.dataset.score;
  const button = element("button", cell.textContent);
  button.type = "button";
  button.setAttribute("aria-label", `${score}, ${cell.dataset.case}: ${audit.cells[score][cell.dataset.case].verdict}`);
  button.title = `${score}: ${cell.dataset.case}`;
  button.addEventListener("click", () => open(score, cell.dataset.case));
  cell.replaceChildren(button);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
addEventListener("hashchange", openNamed);
openNamed();
