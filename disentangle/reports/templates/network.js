"use strict";
/* Networks in plain JavaScript: what `page_layers.py` defines in torch. Values are Float32Arrays of
   [C, H, W] or [D]; a layer knows the shape of its input (`from`) and of its output (`to`). */

class Network {
  constructor({ shape, layers, weights }) {
    this.size = product(shape);
    const stream = new Weights(weights);
    this.layers = prepare(layers, shape, stream);
  }

  run(input) {
    if (input.length !== this.size) throw new RangeError(`expected ${this.size} values, got ${input.length}`);
    return runLayers(this.layers, Float32Array.from(input));
  }
}

/* Weights in base64, read from the first to the last: float32 if they have one axis; else for each
   entry of the first axis a scale in float32, then whole numbers of 16 bits. */
class Weights {
  constructor(base64) {
    const text = atob(base64);
    this.view = new DataView(new ArrayBuffer(text.length));
    for (let i = 0; i < text.length; i++) this.view.setUint8(i, text.charCodeAt(i));
    this.place = 0;
  }

  take(dims) {
    const scales = this.floats(dims[0]);
    if (dims.length < 2) return scales;
    const values = new Float32Array(product(dims));
    const size = values.length / dims[0];
    for (let row = 0, i = 0; row < dims[0]; row++) {
      for (const end = i + size; i < end; i++, this.place += 2) {
        values[i] = this.view.getInt16(this.place, true) * scales[row];
      }
    }
    return values;
  }

  floats(count) {
    return Float32Array.from({ length: count }, () => this.view.getFloat32((this.place += 4) - 4, true));
  }
}

function product(numbers) {
  return numbers.reduce((all, n) => all * n, 1);
}

function prepare(layers, shape, stream) {
  let from = shape;
  return layers.map((layer) => {
    const ready = { ...layer, from, to: layer.shape, weights: {}, dims: layer.tensors };
    for (const [name, dims] of Object.entries(layer.tensors)) ready.weights[name] = stream.take(dims);
    if (layer.layers) ready.layers = prepare(layer.layers, from, stream);
    from = layer.shape;
    return ready;
  });
}

function runLayers(layers, input) {
  return layers.reduce((x, layer) => KINDS[layer.kind](x, layer), input);
}

const KINDS = {
  residual: (x, layer) => runLayers(layer.layers, x).map((y, i) => x[i] + y),
  reshape: (x) => x,
  linear,
  conv: (x, layer) => convolve(x, layer, false),
  transposed: (x, layer) => convolve(x, layer, true),
  affine: (x, { inner, weights: { scale, shift } }) => x.map((v, i) => {
    const k = Math.floor(i / inner) % scale.length;
    return v * scale[k] + shift[k];
  }),
  norm,
  "max-pool": (x, layer) => pool(x, layer, windows(layer), largest),
  "average-pool": (x, layer) => pool(x, layer, windows(layer), average),
  "adaptive-pool": (x, layer) => pool(x, layer, parts(layer), average),
  upsample,
  shuffle: (x, layer) => shuffle(x, layer.from, layer.factor, false),
  unshuffle: (x, layer) => shuffle(x, layer.to, layer.factor, true),
  relu: (x) => x.map((v) => (v > 0 ? v : 0)),
  "leaky-relu": (x, { slope }) => x.map((v) => (v > 0 ? v : v * slope)),
  elu: (x, { alpha }) => x.map((v) => (v > 0 ? v : alpha * Math.expm1(v))),
  gelu: (x) => x.map((v) => (v / 2) * (1 + erf(v / Math.SQRT2))),
  "gelu-tanh": (x) => x.map((v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
  silu: (x) => x.map((v) => v * sigmoid(v)),
  tanh: (x) => x.map(Math.tanh),
  sigmoid: (x) => x.map(sigmoid),
  softplus: (x, { beta, threshold }) => x.map((v) => (v * beta > threshold ? v : Math.log1p(Math.exp(v * beta)) / beta)),
  "continuous-bernoulli": (x) => x.map(continuousMean),
  nearest,
  "most-probable": mostProbable,
  deviations: (x) => x.map((v, i) => (i < x.length / 2 ? v : Math.exp(v / 2))),
};

function sigmoid(v) {
  return 1 / (1 + Math.exp(-v));
}

/* The mean of a continuous Bernoulli with this logit; near 0 the start of its Taylor series. */
function continuousMean(logit) {
  if (Math.abs(logit) < 0.01) return 0.5 + logit / 12;
  return 1 / -Math.expm1(-logit) - 1 / logit;
}

/* Abramowitz and Stegun (1964), 7.1.26: the error is below 2e-7. */
function erf(v) {
  const t = 1 / (1 + 0.3275911 * Math.abs(v));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(v) * (1 - sum * Math.exp(-v * v));
}

function linear(x, { dims, to, weights: { weight, bias } }) {
  const [outputs, inputs] = dims.weight;
  const y = new Float32Array(product(to));
  for (let row = 0; row < y.length / outputs; row++) {
    const start = row * inputs;
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0, at = o * inputs; i < inputs; i++) sum += x[start + i] * weight[at + i];
      y[row * outputs + o] = sum;
    }
  }
  return y;
}

/* A convolution takes from the large grid to the small one, a transposed one the other way: place i
   of the small grid meets place i * stride - pad + k * dilation of the large one at tap k. */
function convolve(x, { from, to, stride, pad, dilation, groups, dims, weights: { weight, bias } }, transposed) {
  const [small, large] = transposed ? [from, to] : [to, from];
  const [, each, kernelHeight, kernelWidth] = dims.weight;
  const taps = kernelHeight * kernelWidth;
  const [inputs, outputs] = [from[0] / groups, to[0] / groups];
  const [inPlane, outPlane] = [from[1] * from[2], to[1] * to[2]];
  const [inStep, outStep] = transposed ? [1, stride[1]] : [stride[1], 1];
  const [nextInput, nextOutput] = transposed ? [each * taps, taps] : [taps, each * taps];
  const y = new Float32Array(product(to));
  for (let o = 0; o < to[0]; o++) y.fill(bias[o], o * outPlane, (o + 1) * outPlane);
  for (let group = 0; group < groups; group++) {
    const groupWeights = group * (transposed ? inputs : outputs) * each * taps;
    for (let o = 0; o < outputs; o++) {
      const outChannel = (group * outputs + o) * outPlane;
      for (let c = 0; c < inputs; c += 4) {
        const at = groupWeights + o * nextOutput + c * nextInput;
        const inChannel = (group * inputs + c) * inPlane;
        const [c1, c2, c3] = [1, 2, 3].map((k) => (c + k < inputs ? k : 0));
        for (let ky = 0; ky < kernelHeight; ky++) {
          const offsetY = ky * dilation[0] - pad[2];
          const [top, bottom] = overlap(small[1], large[1], stride[0], offsetY);
          for (let kx = 0; kx < kernelWidth; kx++) {
            const offsetX = kx * dilation[1] - pad[0];
            const [left, right] = overlap(small[2], large[2], stride[1], offsetX);
            const tap = at + ky * kernelWidth + kx;
            const w0 = weight[tap];
            const w1 = c1 ? weight[tap + nextInput] : 0;
            const w2 = c2 ? weight[tap + 2 * nextInput] : 0;
            const w3 = c3 ? weight[tap + 3 * nextInput] : 0;
            for (let i = top; i < bottom; i++) {
              const j = i * stride[0] + offsetY;
              const largeX = left * stride[1] + offsetX;
              let p0 = inChannel + (transposed ? i * from[2] + left : j * from[2] + largeX);
              let p1 = p0 + c1 * inPlane, p2 = p0 + c2 * inPlane, p3 = p0 + c3 * inPlane;
              let q = outChannel + (transposed ? j * to[2] + largeX : i * to[2] + left);
              for (let n = left; n < right; n++) {
                y[q] += w0 * x[p0] + w1 * x[p1] + w2 * x[p2] + w3 * x[p3];
                p0 += inStep; p1 += inStep; p2 += inStep; p3 += inStep;
                q += outStep;
              }
            }
          }
        }
      }
    }
  }
  return y;
}

/* First and last + 1 of the places of the small grid that meet a place of the large one. */
function overlap(small, large, stride, offset) {
  return [Math.max(0, Math.ceil(-offset / stride)), Math.min(small, Math.floor((large - 1 - offset) / stride) + 1)];
}

function norm(x, { groups, eps }) {
  const y = new Float32Array(x.length);
  const size = x.length / groups;
  for (let start = 0; start < x.length; start += size) {
    let mean = 0, square = 0;
    for (let i = start; i < start + size; i++) mean += x[i] / size;
    for (let i = start; i < start + size; i++) square += (x[i] - mean) ** 2 / size;
    const scale = 1 / Math.sqrt(square + eps);
    for (let i = start; i < start + size; i++) y[i] = (x[i] - mean) * scale;
  }
  return y;
}

/* The places of a window along each axis, [vertical, horizontal], of output i. */
function windows({ kernel, stride, padding, dilation = [1, 1] }) {
  return (axis, i) => {
    const first = i * stride[axis] - padding[axis];
    return { first, last: first + kernel[axis] * dilation[axis], step: dilation[axis] };
  };
}

function parts({ from, to }) {
  return (axis, i) => {
    const [old, now] = [from[axis + 1], to[axis + 1]];
    return { first: Math.floor((i * old) / now), last: Math.ceil(((i + 1) * old) / now), step: 1 };
  };
}

function pool(x, layer, place, reduce) {
  const { from: [, height, width], to: [channels, rows, columns] } = layer;
  const y = new Float32Array(channels * rows * columns);
  for (let c = 0, out = 0; c < channels; c++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const [v, h] = [place(0, i), place(1, j)];
        const values = [];
        for (let a = v.first; a < v.last; a += v.step) {
          for (let b = h.first; b < h.last; b += h.step) {
            if (a >= 0 && a < height && b >= 0 && b < width) values.push(x[(c * height + a) * width + b]);
          }
        }
        y[out++] = reduce(values, layer, v, h);
      }
    }
  }
  return y;
}

function largest(values) {
  return values.reduce((most, v) => Math.max(most, v), -Infinity);
}

/* With padding the window counts as far as the padded image goes. */
function average(values, { from, padded, divisor, padding }, v, h) {
  const counted = [v, h].map(({ first, last }, axis) => Math.min(last, from[axis + 1] + (padded ? padding[axis] : 0)) - first);
  const count = divisor ?? (padded ? product(counted) : values.length);
  return values.reduce((sum, value) => sum + value, 0) / count;
}

function upsample(x, layer) {
  const { from: [channels, height, width], size: [rows, columns] } = layer;
  const y = new Float32Array(channels * rows * columns);
  const [down, across] = [neighbours(layer, 0, height), neighbours(layer, 1, width)];
  for (let c = 0, out = 0; c < channels; c++) {
    for (const [top, bottom, below] of down) {
      for (const [left, right, beside] of across) {
        const at = (row, column) => x[(c * height + row) * width + column];
        const upper = at(top, left) * (1 - beside) + at(top, right) * beside;
        const lower = at(bottom, left) * (1 - beside) + at(bottom, right) * beside;
        y[out++] = upper * (1 - below) + lower * below;
      }
    }
  }
  return y;
}

/* For each new pixel along an axis the two old ones beside it, and the share of the second. */
function neighbours({ mode, size, step, corners }, axis, old) {
  const spacing = corners ? (old - 1) / Math.max(1, size[axis] - 1) : step[axis];
  return Array.from({ length: size[axis] }, (_, i) => {
    if (mode === "nearest") return Array(2).fill(Math.min(old - 1, Math.floor(Math.fround(i * Math.fround(spacing))))).concat(0);
    const place = Math.min(old - 1, Math.max(0, corners ? i * spacing : (i + 0.5) * spacing - 0.5));
    const low = Math.floor(place);
    return [low, Math.min(low + 1, old - 1), place - low];
  });
}

/* Pixels of [C r^2, H, W] in order of [C, H r, W r], or back. */
function shuffle(x, [channels, height, width], r, back) {
  const y = new Float32Array(x.length);
  for (let c = 0, narrow = 0; c < channels; c++) {
    const [plane, row, column] = [Math.floor(c / (r * r)), Math.floor(c / r) % r, c % r];
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++, narrow++) {
        const wide = ((plane * height + i) * r + row) * width * r + j * r + column;
        if (back) y[narrow] = x[wide];
        else y[wide] = x[narrow];
      }
    }
  }
  return y;
}

function nearest(x, { dims: { values: [, count] }, weights: { values } }) {
  return x.map((v, d) => values.slice(d * count, (d + 1) * count)
    .reduce((best, value) => (Math.abs(value - v) < Math.abs(best - v) ? value : best)));
}

function mostProbable(x, { dims: { values: [latents, count] }, weights: { values } }) {
  return Float32Array.from({ length: latents }, (_, d) => {
    const logits = x.subarray(d * count, (d + 1) * count);
    return values[d * count + logits.indexOf(Math.max(...logits))];
  });
}
