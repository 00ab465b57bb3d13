"use strict";
/* An image of the reader's as the input of a network, prepared as the dataset's images are:
   transparent parts on white, cropped to the centre, resized by Pillow's Lanczos filter. */

/* The pixels [C, H, W] in [0, 1] of an ImageData, or of any { width, height, data } in RGBA;
   `published` is the crop { side, width, height } of the dataset's published images, or null. */
function imageInput({ width, height, data }, [channels, rows, columns], published = null) {
  const crop = croppedSize(width, height, columns / rows, published);
  crop.left = Math.floor((width - crop.width) / 2);
  crop.top = Math.floor((height - crop.height) / 2);
  const input = new Float32Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    const read = channels === 1 ? grey : (pixels, at) => onWhite(pixels, at, c);
    const plane = cropped(data, width, crop, read);
    const small = resizedPlane(plane, crop, { width: columns, height: rows });
    for (let i = 0; i < small.length; i++) input[c * small.length + i] = small[i] / 255;
  }
  return input;
}

/* The crop of the published images for an image of their size, else the largest of this aspect. */
function croppedSize(width, height, aspect, published) {
  if (published && width === published.width && height === published.height) {
    return { width: published.side, height: published.side };
  }
  const rows = Math.min(width / aspect, height);
  return { width: Math.round(rows * aspect), height: Math.round(rows) };
}

function onWhite(data, at, c) {
  const alpha = data[at + 3];
  return alpha === 255 ? data[at + c] : Math.round((data[at + c] * alpha + 255 * (255 - alpha)) / 255);
}

/* Luma of ITU-R 601-2, in Pillow's whole numbers. */
function grey(data, at) {
  const [red, green, blue] = [onWhite(data, at, 0), onWhite(data, at, 1), onWhite(data, at, 2)];
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

function cropped(data, width, crop, read) {
  const plane = new Uint8ClampedArray(crop.width * crop.height);
  for (let y = 0, i = 0; y < crop.height; y++) {
    let at = 4 * ((crop.top + y) * width + crop.left);
    for (let x = 0; x < crop.width; x++, at += 4) plane[i++] = read(data, at);
  }
  return plane;
}

/* As in Pillow, rows first, rounded to bytes, then columns. */
function resizedPlane(plane, from, to) {
  const wide = resample(plane, { count: from.height, size: from.width, next: 1, line: from.width }, to.width);
  return resample(wide, { count: to.width, size: from.height, next: to.width, line: 1 }, to.height);
}

/* Each of `count` lines of `size` bytes at a distance of `next`, resized; lines start `line` apart. */
function resample(bytes, { count, size, next, line }, to) {
  if (size === to) return bytes;
  const result = new Uint8ClampedArray(count * to);
  const [nextResult, lineResult] = next === 1 ? [1, to] : [next, line];
  filters(size, to).forEach(({ first, weights }, i) => {
    for (let n = 0; n < count; n++) {
      let sum = 0.5;
      for (let k = 0, at = n * line + first * next; k < weights.length; k++, at += next) sum += weights[k] * bytes[at];
      result[n * lineResult + i * nextResult] = Math.floor(sum);
    }
  });
  return result;
}

/* For each new pixel the first old one that it covers, and the weights from there. */
function filters(from, to) {
  const scale = from / to;
  const spread = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 3 * spread + 0.5));
    const last = Math.min(from, Math.floor(centre + 3 * spread + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, k) => lanczos((first + k - centre + 0.5) / spread));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

function lanczos(x) {
  return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
