"use strict";

function startFactors({ factors, latents, codes, untrained }) {
  const section = document.getElementById("factors");
  const picture = section.querySelector(".factor-picture");
  const columns = Number(picture.style.getPropertyValue("--columns"));
  const [active, inactive] = section.querySelectorAll(".factor-bars");
  const heads = [...section.querySelectorAll("#factor-moves thead th")];
  const lines = [...section.querySelectorAll("#factor-moves tbody tr")];
  const outside = new Set(untrained);
  const values = codes.flat().filter((value) => value !== null);
  const edge = Math.max(1e-9, ...[Math.max(...values), -Math.min(...values)].filter(Number.isFinite));
  const at = factors.map(({ names }) => Math.floor(names.length / 2));
  let start = null; // the positions of all factors before the move
  let last = null; // the factor of the last move

  const make = (parent, tag, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const number = (value) => (value === null ? "n/a" : (Math.round(value * 100) / 100 + 0).toFixed(2).replace("-", "\u2212"));
  const signed = (value) => (Math.round(value * 100) > 0 ? "+" : "") + number(value);
  const place = (positions) => positions.reduce((sum, position, k) => sum * factors[k].names.length + position, 0);
  const difference = (after, before) => (after === null || before === null ? 0 : after - before);

  function slider({ name, names, scored }, k) {
    const row = make(section.querySelector(".factor-sliders"), "div", { className: "factor-slider" });
    const label = make(row, "label", { htmlFor: `factor-${k}`, textContent: name });
    if (!scored) make(label, "span", { className: "quiet small", textContent: " not scored" });
    const value = make(row, "span");
    const input = make(row, "input", { type: "range", id: `factor-${k}`, min: 0, max: names.length - 1, step: 1, value: at[k], autocomplete: "off" });
    input.addEventListener("input", () => move(k, Number(input.value)));
    input.addEventListener("change", () => { start = null; });
    return { input, value };
  }

  function bar({ name, weight, active: on }) {
    const row = make(on ? active : inactive, "li", { title: weight });
    make(row, "b", { textContent: name });
    const track = make(row, "div", { className: "factor-bar", ariaHidden: "true" });
    const [length, step, before] = ["length", "step", "before"].map((className) => make(track, "i", { className }));
    return { length, step, before, value: make(row, "span"), change: make(row, "span", { className: "factor-change" }) };
  }

  function span(element, one, other) {
    element.style.setProperty("--from", Math.min(one, other) / edge);
    element.style.setProperty("--to", Math.max(one, other) / edge);
  }

  // Values between the first `input` event of a drag and its `change` event are one move.
  function move(k, position) {
    if (start === null || last !== k) start = [...at];
    last = k;
    at[k] = position;
    show();
  }

  function say(now, before) {
    if (last === null) return "Move a factor.";
    const { name, names } = factors[last];
    const moved = latents.map((latent, d) => ({ name: latent.name, by: difference(now[d], before[d]) }))
      .filter(({ by }) => Math.abs(by) >= 0.005).sort((a, b) => Math.abs(b.by) - Math.abs(a.by)).slice(0, 3);
    const most = moved.map((each) => `${each.name} ${signed(each.by)}`).join(", ") || "none";
    return `${name} from ${names[start[last]]} to ${names[at[last]]}. Latents that moved most: ${most}.`;
  }

  function show() {
    const index = place(at), now = codes[index], before = codes[place(start ?? at)];
    picture.style.setProperty("--x", index % columns);
    picture.style.setProperty("--y", Math.floor(index / columns));
    picture.setAttribute("aria-label", `Image with ${factors.map(({ name, names }, k) => `${name} ${names[at[k]]}`).join(", ")}`);
    section.querySelector(".factor-note").textContent = outside.has(index) ? "Not trained on." : "";
    factors.forEach(({ names }, k) => {
      sliders[k].value.textContent = names[at[k]];
      sliders[k].input.setAttribute("aria-valuetext", names[at[k]]);
    });
    bars.forEach((row, d) => {
      const change = difference(now[d], before[d]);
      span(row.length, 0, now[d] ?? 0);
      span(row.step, before[d] ?? 0, now[d] ?? 0);
      span(row.before, before[d] ?? 0, before[d] ?? 0);
      row.before.hidden = last === null;
      row.value.textContent = number(now[d]);
      row.change.textContent = Math.abs(change) < 0.005 ? "" : signed(change);
    });
    heads.forEach((head, k) => head.classList.toggle("now", k === last));
    for (const line of lines) [...line.querySelectorAll("td")].forEach((cell, k) => cell.classList.toggle("now", k === last));
    section.querySelector(".factor-said").textContent = say(now, before);
  }

  const sliders = factors.map(slider), bars = latents.map(bar);
  const rest = inactive.closest("details");
  rest.hidden = !inactive.children.length;
  rest.querySelector("summary").textContent = `${inactive.children.length} inactive latent${inactive.children.length > 1 ? "s" : ""}`;
  show();
}

startFactors(JSON.parse(document.getElementById("factor-data").textContent));
