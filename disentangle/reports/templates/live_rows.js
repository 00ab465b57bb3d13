function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function readable(value) {
  return (Math.round(100 * value) / 100 + 0).toFixed(2).replace("-", "\u2212");
}

/** The row of a latent: its slider, its number and the button that sweeps it. */
class LatentRow {
  constructor({ latent, name, weight, low, high, values }) {
    Object.assign(this, { latent, name, low, high, values });
    const step = values ? 1 : (high - low) / 120 || 1;
    this.slider = make("input", { type: "range", step, autocomplete: "off", "aria-label": `${name}, ${weight}` });
    this.number = make("input", { type: "number", step: "any", autocomplete: "off", "aria-label": `Value of ${name}` });
    this.button = make("button", { type: "button", "aria-label": `Sweep ${name}`, "aria-pressed": "false", title: `Sweep ${name}` });
    const title = make("div", { class: "title" }, make("b", {}, name), " ", make("span", { class: "quiet" }, weight));
    this.element = make("div", { class: "row" }, title, this.slider, this.number, this.button);
  }

  /** Calls `move(value, source)` with each value that is given, and `reset()` to go back to the base's. */
  listen(move, reset) {
    const drag = (place) => move(this.valueAt(place), "slider");
    this.slider.addEventListener("input", () => drag(Number(this.slider.value)));
    this.slider.addEventListener("keydown", (event) => this.press(event, drag, reset));
    this.number.addEventListener("input", () => { if (this.number.value !== "") move(this.snapped(Number(this.number.value)), "number"); });
    this.number.addEventListener("change", () => this.write());
    this.number.addEventListener("keydown", (event) => this.count(event, move));
    this.element.addEventListener("dblclick", (event) => { if (!event.target.closest("button, [type=number]")) reset(); });
  }

  press(event, drag, reset) {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") reset();
    else if (way && event.shiftKey) drag(Number(this.slider.value) + 10 * way * Number(this.slider.step));
    else return;
    event.preventDefault();
  }

  /** Arrows change the number by the slider's steps, beyond its ends too. */
  count(event, move) {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const place = this.placeOf(this.value) + way * (event.shiftKey ? 10 : 1) * Number(this.slider.step);
    move(this.values ? this.valueAt(place) : place);
  }

  /** Shows a value, given by the row's own "slider" or "number" or by something else. */
  show(value, source) {
    this.value = value;
    if (source !== "slider") this.setEnds();
    this.slider.value = this.placeOf(value);
    this.slider.setAttribute("aria-valuetext", readable(value));
    if (source !== "number") this.write();
  }

  write() {
    if (this.number.value === "" || Number(this.number.value) !== this.value) this.number.value = this.value.toFixed(2);
  }

  /** Sets the ends of the slider: the latent's own, or the value and the base's if these lie beyond. */
  setEnds() {
    const { slider, values, low, high, own, value } = this;
    slider.min = values ? 0 : Math.min(low, own, value);
    slider.max = values ? values.length - 1 : Math.max(high, own, value);
    this.element.style.setProperty("--own", (this.placeOf(own) - slider.min) / (slider.max - slider.min || 1));
  }

  placeOf(value) {
    return this.values ? this.nearest(value) : value;
  }

  nearest(value) {
    return this.values.reduce((best, other, i) => (Math.abs(other - value) < Math.abs(this.values[best] - value) ? i : best), 0);
  }

  snapped(value) {
    return this.values ? this.values[this.nearest(value)] : value;
  }

  valueAt(place) {
    const { values, slider } = this;
    const within = Math.min(Number(slider.max), Math.max(Number(slider.min), place));
    return values ? values[Math.round(within)] : within;
  }

  /** The value at a part of the latent's range, from 0 to 1. */
  along(part) {
    return this.snapped(this.low + part * (this.high - this.low));
  }

  get part() {
    return Math.min(1, Math.max(0, (this.value - this.low) / (this.high - this.low || 1)));
  }
}
