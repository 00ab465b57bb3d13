"use strict";
document.documentElement.classList.add("script");

function startTraversals({ values, own }) {
  const rows = [...document.querySelectorAll(".latent")];
  const bases = [...document.querySelectorAll("input[name=base]")];
  const button = document.getElementById("play");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const moved = new Set();
  let timer = null;

  function put(row, index) {
    const d = Number(row.dataset.row);
    const slider = row.querySelector("input");
    const picture = row.querySelector(".picture");
    const value = values[d][index];
    slider.value = index;
    slider.setAttribute("aria-valuetext", value);
    row.style.setProperty("--x", index);
    row.querySelector("output").textContent = value;
    picture.setAttribute("aria-label", `${row.querySelector("b").textContent} at ${value}`);
  }

  function reset() {
    const base = own[bases.findIndex((radio) => radio.checked)];
    for (const row of rows) {
      if (!moved.has(row)) put(row, base[Number(row.dataset.row)]);
    }
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function play() {
    const count = values[0].length;
    const turn = Math.max(1, 2 * (count - 1));
    let time = 0;
    button.textContent = "Stop";
    timer = setInterval(() => {
      const index = time < count ? time : turn - time;
      rows.forEach((row) => { moved.add(row); put(row, index); });
      time = (time + 1) % turn;
    }, still.matches ? 500 : 90);
  }

  for (const row of rows) {
    row.querySelector("input").addEventListener("input", (event) => {
      stop();
      moved.add(row);
      put(row, Number(event.target.value));
    });
  }
  for (const radio of bases) radio.addEventListener("change", reset);
  button.addEventListener("click", () => (timer === null ? play() : stop()));
  document.getElementById("rest").addEventListener("click", () => { stop(); moved.clear(); reset(); });
  reset();
}

startTraversals(JSON.parse(document.getElementById("latents").textContent));
