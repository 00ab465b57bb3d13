const CROSS = "M-4.5-4.5L4.5 4.5M-4.5 4.5L4.5-4.5";

function choiceOf(select) {
  const [kind, ...rest] = select.value.split(":");
  const name = rest.join(":");
  return { name, score: kind === "score", of: (point) => (kind === "score" ? point.scores : point.knobs)[name] };
}

function longest(texts) {
  return Math.max(0, ...texts.map((text) => text.length));
}

function axisOf(choice, values, logarithmic) {
  return choice.score ? scoreAxis(values) : settingAxis(values, logarithmic.includes(choice.name));
}

function drawVertical(svg, axis, box) {
  for (const value of axis.ticks) {
    draw(svg, "path", { class: "grid", d: `M${box.left} ${box.down(value)}H${box.right}` });
    draw(svg, "text", { class: "end", x: box.left - 8, y: box.down(value) + 4 }, cut(axis.label(value), (box.left - 8) / 6.7));
  }
}

function drawHorizontal(svg, axis, box) {
  for (const value of axis.ticks) {
    const at = box.across(value), y = box.bottom + 18;
    const position = box.slanted ? { class: "end", transform: `translate(${at + 4} ${y - 4}) rotate(-35)` } : { class: "middle", x: at, y };
    draw(svg, "text", position, axis.label(value));
  }
}

function drawLines(svg, lines, y, box) {
  let below = -Infinity;
  for (const [name, of] of lines.sort(([, a], [, b]) => b[y.name] - a[y.name])) {
    const at = box.down(of[y.name]);
    draw(svg, "path", { class: "baseline", d: `M${box.left} ${at}H${box.right}` });
    const down = Math.max(at + 4, below); // labels do not overlap
    const text = draw(svg, "text", { class: "beside", x: box.right + 7, y: down }, cut(name, (box.width - box.right - 7) / 6.7));
    draw(text, "title", {}, `${name}\n${y.name} ${of[y.name].toPrecision(4)}`);
    below = down + 12;
  }
}

function drawCrosses(svg, lines, x, y, box) {
  for (const [name, of] of lines) {
    const left = box.across(of[x.name]), top = box.down(of[y.name]);
    const cross = draw(svg, "path", { class: "cross", d: CROSS, transform: `translate(${left} ${top})` });
    draw(cross, "title", {}, `${name}\n${y.name} ${of[y.name].toPrecision(4)}\n${x.name} ${of[x.name].toPrecision(4)}`);
    const side = left > box.right - 90 ? { class: "end", x: left - 8 } : { x: left + 8 };
    draw(svg, "text", { ...side, y: top + 4 }, name);
  }
}

function drawPoints(svg, points, models, x, y, box) {
  for (const point of points) {
    const [across, down] = [x, y].map((choice) => `${choice.name} ${choice.label(choice.of(point))}`);
    const words = { "aria-label": `${point.label}, ${down}, ${across}` };
    const parent = point.href ? draw(svg, "a", { href: point.href, ...words }) : svg;
    const place = `translate(${box.across(x.of(point))} ${box.down(y.of(point))})`;
    const mark = draw(parent, "path", { ...look(models.indexOf(point.model)), transform: place, ...(point.href ? {} : { role: "img", ...words }) });
    draw(mark, "title", {}, `${point.label}\n${down}\n${across}`);
  }
}

function startScatter(figure) {
  const { points, baselines, levels: kinds, logarithmic } = JSON.parse(document.getElementById(`${figure.dataset.table}-data`).textContent);
  const selects = figure.querySelectorAll("select");
  const field = figure.querySelector(".field");
  const levels = figure.querySelector(".levels"), toggle = figure.querySelector("input");
  const models = [...new Set(points.map((point) => point.model))];

  function paint() {
    const [y, x] = [...selects].map(choiceOf);
    const shown = points.filter((point) => [x.of(point), y.of(point)].every((v) => v !== undefined));
    const missing = points.length - shown.length;
    figure.querySelector(".missing").textContent = missing ? `Not shown: ${missing} of ${points.length} runs, which lack ${y.name} or ${x.name}.` : "";
    field.replaceChildren();
    if (levels) levels.hidden = true;
    if (!shown.length) return;
    const scores = [x, y].filter((choice) => choice.score);
    const lines = y.score && toggle?.checked !== false ? Object.entries(baselines).filter(([, of]) => scores.every((choice) => choice.name in of)) : [];
    const values = (choice) => [...shown.map(choice.of), ...(choice.score ? lines.map(([, of]) => of[choice.name]) : [])];
    const across = axisOf(x, values(x), logarithmic), down = axisOf(y, values(y), logarithmic);
    for (const [choice, axis] of [[x, across], [y, down]]) choice.label = choice.score ? (v) => v.toPrecision(4) : axis.label;
    const beside = x.score ? [] : lines;
    if (levels) levels.hidden = !lines.length;
    if (levels) levels.textContent = `${x.score ? "Crosses" : "Dotted lines"}: ${kinds}.`;
    const box = boxOf(field, across, down, longest(beside.map(([name]) => name)));
    const svg = draw(field, "svg", { class: "scatter chart", width: box.width, height: box.height, viewBox: `0 0 ${box.width} ${box.height}`, role: "group", "aria-label": `${y.name} against ${x.name}, ${shown.length} runs` });
    draw(svg, "text", { class: "title", x: 0, y: 12 }, y.name + (down.log ? " (log scale)" : ""));
    drawVertical(svg, down, box);
    drawHorizontal(svg, across, box);
    draw(svg, "text", { class: "middle", x: (box.left + box.right) / 2, y: box.height - 4 }, x.name + (across.log ? " (log scale)" : ""));
    if (x.score) drawCrosses(svg, lines, x, y, box);
    else drawLines(svg, lines, y, box);
    drawPoints(svg, shown, models, x, y, box);
    if (models.length > 1) legend(field, models.filter((model) => shown.some((point) => point.model === model)), models);
  }

  figure.addEventListener("change", paint);
  new ResizeObserver(paint).observe(figure);
}

function boxOf(field, across, down, labels) {
  const width = Math.max(280, Math.min(field.clientWidth, 760));
  const left = Math.min(width / 3, Math.max(52, 10 + 6.7 * longest(down.ticks.map(down.label))));
  const right = width - (labels ? Math.min(12 + 6.7 * labels, width / 3) : 12);
  const letters = longest(across.ticks.map(across.label));
  const slanted = Boolean(across.words) && letters * 7 > (right - left) / across.ticks.length - 6;
  const bottom = 26 + 238;
  return {
    width, left, right, bottom, slanted,
    height: bottom + 24 + (slanted ? Math.min(110, letters * 4.6) : 20),
    across: (v) => left + across.part(v) * (right - left),
    down: (v) => bottom - down.part(v) * 238,
  };
}

document.querySelectorAll("figure.plot").forEach(startScatter);
