/** An image of the reader's own, chosen, dropped or pasted: encoded in the page, it becomes the base. */
class OwnImage {
  constructor(panel, encoder) {
    this.panel = panel;
    this.encoder = new Network(encoder);
    const input = make("input", { type: "file", accept: "image/*" });
    const tile = make("label", { class: "own", title: "Choose, drop or paste an image" }, input, make("span", {}, "Your image"));
    panel.find("[data-list=base] legend").after(tile);
    input.addEventListener("change", () => { this.take(input.files); input.value = ""; });
    document.addEventListener("paste", (event) => this.take(event.clipboardData.files));
    this.listenToDrops();
  }

  /** A file may be dropped anywhere on the page: beside the panel the browser would open it instead. */
  listenToDrops() {
    const over = (on) => this.panel.root.classList.toggle("over", on);
    const onFiles = (type, act) => document.addEventListener(type, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      act(event);
    });
    onFiles("dragover", () => over(true));
    onFiles("dragleave", (event) => over(event.relatedTarget !== null));
    onFiles("drop", (event) => { over(false); this.take(event.dataTransfer.files); });
  }

  async take([file]) {
    if (!file) return;
    const problem = this.panel.find(".problem");
    try {
      problem.textContent = "";
      this.show(file.name, await readImage(file));
    } catch (error) {
      problem.textContent = `${file.name}: not an image that this browser reads (${error.message}). Choose a PNG, JPEG, WebP or GIF file.`;
    }
  }

  show(name, image) {
    const { panel } = this;
    const pixels = imageInput(image, panel.shape, panel.crop);
    const original = make("canvas", {});
    paintImage(original, pixels, panel.shape);
    const z = [...this.encoder.run(pixels).slice(0, panel.z.length)];
    const base = { label: `your image ${name}`, z, original };
    panel.addBase(base, true);
    panel.choose(base);
  }
}

/** The pixels of a file, as they are stored: no colour profile is applied. */
async function readImage(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = make("canvas", { width, height }).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height);
}
