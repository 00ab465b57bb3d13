"use strict";
document.documentElement.classList.add("script");

function startGallery(cards) {
  const shelves = [...document.querySelectorAll(".shelf")];
  const items = [...document.querySelectorAll(".card")];
  const data = new Map(items.map((item, i) => [item, cards[i]]));
  const order = new Map(items.map((item, i) => [item, i]));
  const [model, dataset, study, score] = ["model", "dataset", "study", "score"].map((name) => document.getElementById(`by-${name}`));
  const status = document.querySelector("#choices [role=status]");

  function rank(item) {
    const { scores, last } = data.get(item);
    const own = scores[score.value]?.[0] ?? null;
    return own === null ? -Infinity : last ? -Number.MAX_VALUE : own;
  }

  // Runs without the score come last, and before them those that collapsed: they are not ranked.
  function compare(a, b) {
    const [first, second] = [rank(a), rank(b)];
    return (score.value && first !== second ? (first < second ? 1 : -1) : 0) || order.get(a) - order.get(b);
  }

  function show(item, name) {
    const list = item.querySelector(".card-scores");
    if (!list) return;
    list.querySelector(".added")?.remove();
    const rows = [...list.children];
    const value = data.get(item).scores[name]?.[1];
    let chosen = rows.find((row) => row.querySelector("dt").textContent === name);
    if (value !== undefined && !chosen) {
      chosen = list.appendChild(document.createElement("div"));
      chosen.className = "added";
      chosen.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }));
    }
    for (const row of list.children) row.classList.toggle("chosen", row === chosen);
  }

  function update() {
    let shown = 0;
    for (const item of items) {
      const own = data.get(item);
      item.hidden = [[model, "model"], [dataset, "dataset"], [study, "study"]].some(([{ value }, key]) => value && value !== own[key]);
      shown += !item.hidden;
      show(item, score.value);
    }
    for (const shelf of shelves) {
      const list = shelf.querySelector(".cards");
      list.append(...[...list.children].sort(compare));
      shelf.hidden = [...list.children].every((item) => item.hidden);
    }
    status.textContent = shown < items.length ? `${shown} of ${items.length} runs` : `${shown} runs`;
  }

  for (const choice of [model, dataset, study, score]) choice.addEventListener("change", update);
  update();
}

startGallery(JSON.parse(document.getElementById("cards").textContent));
