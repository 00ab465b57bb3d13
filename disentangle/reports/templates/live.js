const SWEEP = 2500; // milliseconds from one end of a latent's range to the other
const QUIET = 400; // milliseconds without a move before the summary is read out
const STEPS = 9;

const nextFrame = () => new Promise(requestAnimationFrame);

function listed(parts) {
  const more = parts.length - 3;
  return more > 1 ? [...parts.slice(0, 3), `${more} more`].join(", ") : parts.join(", ");
}

/** The panel: latents `z` under sliders, and the picture that the decoder makes of them. */
class LivePanel {
  constructor(root, { latents, bases, sheet, crop }, networks, sprites) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.shape = networks.image_shape;
    this.crop = crop;
    this.decoder = new Network(networks.decoder);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.rows = latents.map((latent) => this.makeRow(latent));
    this.bases = [];
    this.z = Array(latents.length).fill(0);
    this.placeRows(latents);
    this.wireButtons();
    this.way = new Way(this);
    for (const base of bases) this.addBase({ ...base, original: base.place === null ? null : this.cut(sprites, base.place) });
    this.way.target = this.bases.find((base, i) => i > 0 && base.original) ?? this.bases.at(-1);
    this.way.target.radios[1].checked = true;
    this.choose(this.bases[0]);
    this.tell();
    if (networks.encoder) new OwnImage(this, networks.encoder);
  }

  decode(z) {
    return this.decoder.run(Float32Array.from(z));
  }

  cut(sprites, place) {
    const [, height, width] = this.shape;
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d").drawImage(sprites, 1 + place * (width + 2), 1, width, height, 0, 0, width, height);
    return canvas;
  }

  /* rows */

  makeRow(latent) {
    const row = new LatentRow(latent);
    row.listen(
      (value, source) => { this.stop(row); this.set(row, value, source); },
      () => { this.stop(row); this.set(row, this.base.z[row.latent]); },
    );
    row.button.addEventListener("click", () => this.sweep(row));
    return row;
  }

  placeRows(latents) {
    const [active, rest] = [true, false].map((on) => this.rows.filter((row, i) => latents[i].active === on));
    const folded = this.find(".rest");
    this.find(".rows").append(...active.map((row) => row.element));
    if (!active.length) this.find(".rows").append(make("p", {}, "No latent is active: the codes of all images are almost the same."));
    folded.hidden = !rest.length;
    folded.querySelector("summary").textContent = `${rest.length} inactive latent${rest.length === 1 ? "" : "s"}`;
    folded.querySelector(".rows").append(...rest.map((row) => row.element));
  }

  wireButtons() {
    this.find(".reset").addEventListener("click", () => this.way.rewind());
    this.find(".sample")?.addEventListener("click", () => this.setAll(this.z.map(normal)));
    this.find(".outlined").addEventListener("change", () => this.draw());
    this.find("select").addEventListener("change", () => this.draw());
  }

  set(row, value, source) {
    this.z[row.latent] = value;
    row.show(value, source);
    this.draw();
  }

  /** Gives all latents new values, which end a sweep. */
  setAll(z) {
    this.stop();
    for (const row of this.rows) this.set(row, z[row.latent]);
  }

  /* sweeps */

  sweep(row) {
    const running = this.swept === row;
    this.stop();
    if (running) return;
    if (this.still.matches) return this.step(row);
    this.swept = row;
    row.button.setAttribute("aria-pressed", "true");
    const start = performance.now() - row.part * SWEEP;
    const go = (now) => {
      if (this.swept !== row) return;
      const turns = ((now - start) / SWEEP) % 2;
      this.set(row, row.along(turns < 1 ? turns : 2 - turns));
      requestAnimationFrame(go);
    };
    requestAnimationFrame(go);
  }

  /** Without motion, each press is one step of the sweep. */
  step(row) {
    if (row.part >= 1) row.down = true;
    if (row.part <= 0) row.down = false;
    const parts = row.values ? row.values.length - 1 : 10;
    const part = Math.round(row.part * parts) + (row.down ? -1 : 1);
    this.set(row, row.along(Math.min(1, Math.max(0, part / parts))));
  }

  stop(row = this.swept) {
    if (!row || this.swept !== row) return;
    this.swept.button.setAttribute("aria-pressed", "false");
    this.swept = null;
  }

  /* bases */

  /** Adds a base, with a thumbnail to start from it and one to go to it; the latest may come first. */
  addBase(base, first = false) {
    this.bases.push(base);
    base.radios = ["base", "target"].map((list) => this.addThumbnail(list, base, first));
  }

  addThumbnail(list, base, first) {
    const radio = make("input", { type: "radio", name: `live-${list}`, autocomplete: "off", "aria-label": base.label });
    const canvas = make("canvas", { "aria-hidden": "true" });
    const field = this.find(`[data-list=${list}]`);
    radio.addEventListener("change", () => (list === "base" ? this.choose(base) : this.way.choose(base)));
    this.paintBase(canvas, base);
    field.insertBefore(make("label", { class: "thumb", title: base.label }, radio, canvas), first ? field.querySelector(".thumb") : null);
    return radio;
  }

  paintBase(canvas, base) {
    if (!base.original) return paintImage(canvas, this.decoded(base), this.shape);
    [canvas.width, canvas.height] = [base.original.width, base.original.height];
    canvas.getContext("2d").drawImage(base.original, 0, 0);
  }

  decoded(base) {
    base.pixels ??= this.decode(base.z);
    return base.pixels;
  }

  choose(base) {
    this.base = base;
    base.radios[0].checked = true;
    for (const row of this.rows) row.own = base.z[row.latent];
    this.way.rewind();
    this.way.paintSteps();
  }

  /* pictures */

  draw() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.paint(); });
  }

  paint() {
    const pixels = this.decode(this.z);
    const base = this.decoded(this.base);
    paintImage(this.find(".decoded"), pixels, this.shape);
    this.paintBeside(pixels, base);
    this.paintChange(pixels, base);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), QUIET);
  }

  paintBeside(pixels, base) {
    const canvas = this.find(".beside"), chosen = this.find("select");
    const original = chosen.options[0];
    original.disabled = !this.base.original;
    if (original.disabled && original.selected) chosen.value = "base";
    if (chosen.value === "difference") paintDifference(canvas, pixels, base, this.shape);
    else if (chosen.value === "base") paintImage(canvas, base, this.shape);
    else this.paintBase(canvas, this.base);
    canvas.setAttribute("aria-label", `${chosen.selectedOptions[0].textContent}: ${this.base.label}`);
  }

  paintChange(pixels, base) {
    const canvas = this.find(".outlines"), shown = this.find(".outlined").checked;
    canvas.hidden = !shown;
    const count = shown ? `; ${paintOutlines(canvas, pixels, base, this.shape)} pixels changed by more than ${THRESHOLD}` : "";
    this.find(".amount").textContent = `Mean change from the base ${meanChange(pixels, base).toFixed(4)}${count}`;
  }

  tell() {
    const moved = this.rows.filter((row) => row.value !== this.base.z[row.latent]);
    const changes = moved.map((row) => `${row.name} = ${readable(row.value)}`);
    const text = [this.base.label, ...(changes.length ? [listed(changes)] : [])].join("; ");
    this.find(".summary").textContent = text;
    this.find(".decoded").setAttribute("aria-label", `Decoded picture: ${text}`);
  }
}

/** A sample of the standard normal distribution (Box and Muller). */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

async function startLive() {
  const [data, networks] = ["live-data", "networks"].map((id) => JSON.parse(document.getElementById(id).textContent));
  const sprites = new Image();
  if (data.sheet) {
    sprites.src = data.sheet;
    await sprites.decode();
  }
  new LivePanel(document.querySelector("#live .panel"), data, networks, sprites);
  document.getElementById("live").classList.add("ready");
}

startLive();
