const THRESHOLD = 0.1; // the least change of a pixel that is outlined
const FINE = 4; // pixels of the outlines' canvas for each pixel of the picture

function paintImage(canvas, values, [channels, height, width], byte = (value) => 255 * value) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const size = width * height;
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = byte(values[(channels === 1 ? 0 : c) * size + i]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintDifference(canvas, values, base, shape) {
  paintImage(canvas, values.map((value, i) => value - base[i]), shape, (change) => 127.5 * (1 + change));
}

function meanChange(values, base) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] - base[i]);
  return sum / values.length;
}

function changedPixels(values, base, [channels, height, width]) {
  const size = height * width, changed = new Uint8Array(size);
  for (let i = 0; i < channels * size; i++) {
    if (Math.abs(values[i] - base[i]) > THRESHOLD) changed[i % size] = 1;
  }
  return changed;
}

function outlineOf(changed, [, height, width]) {
  const path = new Path2D();
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && changed[y * width + x] === 1;
  const line = (x, y, x2, y2) => { path.moveTo(FINE * x, FINE * y); path.lineTo(FINE * x2, FINE * y2); };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      if (!at(x, y - 1)) line(x, y, x + 1, y);
      if (!at(x, y + 1)) line(x, y + 1, x + 1, y + 1);
      if (!at(x - 1, y)) line(x, y, x, y + 1);
      if (!at(x + 1, y)) line(x + 1, y, x + 1, y + 1);
    }
  }
  return path;
}

/** Outlines the pixels that changed, in orange with a black rim, seen on any picture. Returns their number. */
function paintOutlines(canvas, values, base, shape) {
  const changed = changedPixels(values, base, shape);
  canvas.width = FINE * shape[2];
  canvas.height = FINE * shape[1];
  const context = canvas.getContext("2d"), path = outlineOf(changed, shape);
  for (const [colour, width] of [["#000", 3], ["#ffa94d", 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineCap = "square";
    context.stroke(path);
  }
  return changed.reduce((sum, one) => sum + one, 0);
}
