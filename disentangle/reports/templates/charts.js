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

function settingAxis(values, log) {
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

function scoreAxis(values) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low >= 0 && low < 0.6 * high) low = 0;
  if (low === high) high = low + 1;
  const margin = 0.04 * (high - low); // no mark is half outside
  if (low !== 0) low -= margin;
  high += margin;
  return { ticks: ticks(low, high, 5), part: (v) => (v - low) / (high - low), label: (v) => String(Number(v.toPrecision(4))) };
}

function legend(parent, names, all) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const name of names) {
    const item = document.createElement("li");
    const svg = draw(item, "svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" });
    draw(svg, "path", look(all.indexOf(name)));
    item.append(name);
    list.append(item);
  }
  parent.append(list);
}
