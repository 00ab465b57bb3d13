function digits(size) {
  return size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
}

function numberTexts(a, b, counts) {
  const numbers = [a, b, b - a];
  const like = Math.min(Math.abs(a), Math.abs(b));
  const large = numbers.some((v) => Math.abs(v) >= 1e5);
  const whole = numbers.every(Number.isInteger);
  const text = (v) => (large ? v.toExponential(3) : v.toFixed(counts ? (whole ? 0 : 1) : digits(like)));
  const size = text(Math.abs(b - a));
  const sign = Number(size) === 0 ? "" : b > a ? "+" : "\u2212";
  return [text(a), text(b), sign + size];
}

function seedsDrawn(scores, names) {
  const values = scores.flatMap((score) => score.values);
  const low = Math.min(...values), high = Math.max(...values);
  const across = (v) => 70 + 140 * (high === low ? 0.5 : (v - low) / (high - low));
  const short = (v) => String(Number(v.toPrecision(4)));
  const label = scores.map((score, i) => `${names[i]}: ${score.values.map(short).join(", ")}`).join("; ");
  const cell = document.createElement("td");
  const svg = draw(cell, "svg", { class: "chart seeds", width: 280, height: 36, viewBox: "0 0 280 36", role: "img", "aria-label": label });
  draw(svg, "text", { class: "end", x: 58, y: 22 }, short(low));
  draw(svg, "text", { x: 222, y: 22 }, short(high));
  scores.forEach((score, i) => {
    const y = 10 + 16 * i;
    draw(svg, "path", { class: "grid", d: `M70 ${y}H210` });
    for (const value of score.values) {
      const mark = draw(svg, "path", { ...look(i), transform: `translate(${across(value)} ${y})` });
      draw(mark, "title", {}, `${names[i]}: ${value}`);
    }
  });
  return cell;
}

function cellOf(tag, text, attributes = {}) {
  const cell = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) cell.setAttribute(key, value);
  cell.append(text);
  return cell;
}

function headOf(row, i) {
  const head = cellOf("th", "", { scope: "col", class: "number" });
  const svg = draw(head, "svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" });
  draw(svg, "path", look(i));
  head.append(row.name);
  if (row.pages.length) {
    const links = document.createElement("span");
    for (const [name, href] of row.pages) links.append(" ", cellOf("a", name, { href, "aria-label": `${row.name}, ${name}` }));
    head.append(links);
  }
  return head;
}

function comparison(two, columns) {
  const names = two.map((row) => row.name);
  const table = document.createElement("table");
  const top = table.createTHead().insertRow();
  top.append(cellOf("th", "score", { scope: "col" }), ...two.map(headOf));
  top.append(cellOf("th", "difference", { scope: "col", class: "number" }), cellOf("th", "seeds", { scope: "col" }));
  const body = table.createTBody();
  for (const { score, counts, index } of columns) {
    const [a, b] = two.map((row) => row.scores[index]);
    if (!a && !b) continue;
    const row = body.insertRow();
    const one = (of) => (of ? numberTexts(of.centre, of.centre, counts)[0] : "n/a");
    const texts = a && b ? numberTexts(a.centre, b.centre, counts) : [one(a), one(b), ""];
    row.append(cellOf("th", score, { scope: "row" }), ...texts.map((text) => cellOf("td", text, { class: "number" })));
    row.append(a && b ? seedsDrawn([a, b], names) : cellOf("td", ""));
  }
  return table;
}

function startCompare(panel) {
  const table = document.getElementById(panel.dataset.table);
  const { rows, columns } = JSON.parse(document.getElementById(`${table.id}-data`).textContent).compared;
  const [status, field, explained, clear] = panel.querySelectorAll("[role=status], .wide, .explained, button");
  const words = table.tHead.querySelectorAll("[data-column]").length - columns.length;
  const picked = []; // checkboxes, in the order in which they were checked
  const named = columns.map((column, index) => ({ ...column, index }));
  const shown = ({ index }) => !table.tHead.querySelector(`[data-column="${words + index}"]`).hidden;

  function said(two) {
    if (!two.length) return "Check two rows of the table to compare them.";
    if (two.length === 1) return `Check another row to compare it with ${two[0].name}.`;
    return `${two[0].name} and ${two[1].name}.`;
  }

  function paint() {
    const two = picked.map((box) => rows[box.value]);
    status.textContent = said(two);
    field.hidden = explained.hidden = two.length < 2;
    clear.hidden = !two.length;
    field.replaceChildren(...(two.length === 2 ? [comparison(two, named.filter(shown))] : []));
  }

  function pick(box) {
    if (box.checked) picked.push(box);
    else picked.splice(picked.indexOf(box), 1);
    if (picked.length > 2) picked.shift().checked = false;
    paint();
  }

  for (const row of table.tBodies[0].rows) {
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: row.dataset.row, autocomplete: "off" });
    box.setAttribute("aria-label", `Compare ${rows[box.value].name}`);
    box.addEventListener("change", () => pick(box));
    row.cells[0].prepend(box);
  }
  clear.addEventListener("click", () => {
    for (const box of picked.splice(0)) box.checked = false;
    paint();
    table.querySelector("input").focus();
  });
  table.addEventListener("columns", paint);
}

document.querySelectorAll(".compare").forEach(startCompare);
