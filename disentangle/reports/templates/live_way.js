/** The way from the base (A) to a second image (B): a straight line in latent space. */
class Way {
  constructor(panel) {
    this.panel = panel;
    this.slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, autocomplete: "off", "aria-label": "From A to B" });
    panel.find(".way").append(make("span", {}, "A"), this.slider, make("span", {}, "B"));
    this.canvases = Array.from({ length: STEPS }, () => make("canvas", {}));
    this.canvases.forEach((canvas, i) => canvas.addEventListener("click", () => { this.slider.value = i / (STEPS - 1); this.go(); }));
    panel.find(".steps").append(...this.canvases);
    this.slider.addEventListener("input", () => this.go());
  }

  choose(target) {
    this.target = target;
    target.radios[1].checked = true;
    if (Number(this.slider.value) > 0) this.go();
    this.paintSteps();
  }

  at(part) {
    const { base, rows } = this.panel;
    const z = Array(rows.length);
    for (const row of rows) {
      const a = base.z[row.latent], b = this.target.z[row.latent];
      z[row.latent] = part === 0 ? a : part === 1 ? b : row.snapped(a + part * (b - a));
    }
    return z;
  }

  go() {
    const part = Number(this.slider.value);
    this.slider.setAttribute("aria-valuetext", `${Math.round(100 * part)} % from ${this.panel.base.label} to ${this.target.label}`);
    this.panel.setAll(this.at(part));
  }

  /** Goes back to A. */
  rewind() {
    this.slider.value = 0;
    this.go();
  }

  /** Paints the steps, one a frame, until A or B changes. */
  async paintSteps() {
    const { panel: { base }, target } = this;
    for (const [i, canvas] of this.canvases.entries()) {
      await nextFrame();
      if (base !== this.panel.base || target !== this.target) return;
      paintImage(canvas, this.panel.decode(this.at(i / (STEPS - 1))), this.panel.shape);
    }
  }
}
