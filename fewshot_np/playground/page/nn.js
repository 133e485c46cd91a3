// The layers of lessons 3 and 4 and their derivatives, by hand. Images (M,H,W,C) are one Float64Array, channels last,
// as in Python: { m, h, w, c, data }. Parameters are { layer: { key: Float64Array } }.

const EPS = 1e-5;
export const BLOCKS = ["block1", "block2", "block3", "block4"];

/** A stack of drawings, each 784 numbers, as images of 28 x 28 x 1. */
export function stack(drawings) {
  const data = new Float64Array(drawings.length * 784);
  drawings.forEach((drawing, i) => data.set(drawing, i * 784));
  return { m: drawings.length, h: 28, w: 28, c: 1, data };
}

// ---------------------------------------------------------------- layers

/** A 3x3 convolution of stride 2 with one row and column of zeros on each side. */
export function conv(x, kernel) {
  const o = kernel.length / (9 * x.c);
  const y = { m: x.m, h: (x.h + 1) >> 1, w: (x.w + 1) >> 1, c: o };
  y.data = new Float64Array(y.m * y.h * y.w * o);
  forEachTap(x, y, (xi, yi, ki) => addTap(x.data, xi, x.c, kernel, ki, y.data, yi, o));
  return y;
}

/** relu(a 3x3 convolution of stride 1 without padding + bias), then the largest of each 2x2 pixels: lesson 5's layers. */
export function convReluPool(x, { w, b }) {
  const y = { m: x.m, h: x.h - 2, w: x.w - 2, c: b.length };
  y.data = new Float64Array(y.m * y.h * y.w * y.c);
  for (let i = 0; i < y.data.length; i += y.c) y.data.set(b, i);
  forEachTap(x, y, (xi, yi, ki) => addTap(x.data, xi, x.c, w, ki, y.data, yi, y.c), 1, 0);
  const pooled = { m: y.m, h: y.h >> 1, w: y.w >> 1, c: y.c };
  pooled.data = new Float64Array(pooled.m * pooled.h * pooled.w * pooled.c);  // of zeros: the least that relu leaves
  for (let m = 0; m < y.m; m++) {
    for (let i = 0; i < 2 * pooled.h; i++) {
      for (let j = 0; j < 2 * pooled.w; j++) {
        const from = ((m * y.h + i) * y.w + j) * y.c;
        const to = ((m * pooled.h + (i >> 1)) * pooled.w + (j >> 1)) * y.c;
        for (let c = 0; c < y.c; c++) pooled.data[to + c] = Math.max(pooled.data[to + c], y.data[from + c]);
      }
    }
  }
  return pooled;
}

/** y += pixel times kernel, for one pixel of c channels and one of the kernel's nine places. */
function addTap(x, xi, c, kernel, ki, y, yi, o) {
  for (let ci = 0; ci < c; ci++, ki += o) {
    const value = x[xi + ci];
    if (value !== 0) for (let oi = 0; oi < o; oi++) y[yi + oi] += value * kernel[ki + oi];
  }
}

/** Of the cotangent g of the maps: [that of the images, or null where it is not wanted; that of the kernel]. */
export function convBackward(x, kernel, g, wantImages) {
  const gk = new Float64Array(kernel.length);
  const gx = wantImages ? new Float64Array(x.data.length) : null;
  forEachTap(x, g, (xi, yi, ki) => {
    addKernelTap(x.data, xi, x.c, gk, ki, g.data, yi, g.c);
    if (gx) addImageTap(gx, xi, x.c, kernel, ki, g.data, yi, g.c);
  });
  return [gx && { ...x, data: gx }, gk];
}

function addKernelTap(x, xi, c, gk, ki, g, yi, o) {
  for (let ci = 0; ci < c; ci++, ki += o) {
    const value = x[xi + ci];
    if (value !== 0) for (let oi = 0; oi < o; oi++) gk[ki + oi] += value * g[yi + oi];
  }
}

function addImageTap(gx, xi, c, kernel, ki, g, yi, o) {
  for (let ci = 0; ci < c; ci++, ki += o) {
    let even = 0;
    let odd = 0;  // two sums, because one would have to wait for itself
    for (let oi = 1; oi < o; oi += 2) {
      even += kernel[ki + oi - 1] * g[yi + oi - 1];
      odd += kernel[ki + oi] * g[yi + oi];
    }
    if (o % 2) even += kernel[ki + o - 1] * g[yi + o - 1];
    gx[xi + ci] += even + odd;
  }
}

/** Calls f(place in x, place in y, place in the kernel) for every pixel of y and every pixel of x under its kernel. */
function forEachTap(x, y, f, stride = 2, pad = 1) {
  const size = x.c * y.c;
  for (let m = 0; m < y.m; m++) {
    for (let i = 0; i < y.h; i++) {
      for (let j = 0; j < y.w; j++) {
        const yi = ((m * y.h + i) * y.w + j) * y.c;
        for (let di = 0; di < 3; di++) {
          const row = stride * i + di - pad;
          if (row < 0 || row >= x.h) continue;
          for (let dj = 0; dj < 3; dj++) {
            const column = stride * j + dj - pad;
            if (column >= 0 && column < x.w) f(((m * x.h + row) * x.w + column) * x.c, yi, (di * 3 + dj) * size);
          }
        }
      }
    }
  }
}

/** The mean and the inverse standard deviation of each channel over the first n images. */
export function moments(x, n = x.m) {
  const mean = new Float64Array(x.c);
  const variance = new Float64Array(x.c);
  const count = n * x.h * x.w;
  for (let i = 0; i < count * x.c; i += x.c) for (let c = 0; c < x.c; c++) mean[c] += x.data[i + c] / count;
  for (let i = 0; i < count * x.c; i += x.c) for (let c = 0; c < x.c; c++) variance[c] += (x.data[i + c] - mean[c]) ** 2 / count;
  return { mean, inverse: variance.map((value) => 1 / Math.sqrt(value + EPS)) };
}

/** relu(batch norm of x) with given statistics. */
function normAndRelu(x, { gamma, beta }, { mean, inverse }) {
  const y = { ...x, data: new Float64Array(x.data.length) };
  for (let i = 0; i < y.data.length; i += x.c) {
    for (let c = 0; c < x.c; c++) {
      const value = gamma[c] * (x.data[i + c] - mean[c]) * inverse[c] + beta[c];
      if (value > 0) y.data[i + c] = value;
    }
  }
  return y;
}

/** The derivative of normAndRelu where the statistics are those of x: [gx, ggamma, gbeta]. */
function normAndReluBackward(x, y, { gamma }, { mean, inverse }, g) {
  const count = x.m * x.h * x.w;
  const ggamma = new Float64Array(x.c);
  const gbeta = new Float64Array(x.c);
  const gx = new Float64Array(x.data.length);
  for (let i = 0; i < gx.length; i += x.c) {
    for (let c = 0; c < x.c; c++) {
      if (y.data[i + c] <= 0) continue;
      gbeta[c] += g[i + c];
      ggamma[c] += g[i + c] * (x.data[i + c] - mean[c]) * inverse[c];
    }
  }
  for (let i = 0; i < gx.length; i += x.c) {
    for (let c = 0; c < x.c; c++) {
      const standard = (x.data[i + c] - mean[c]) * inverse[c];
      const here = y.data[i + c] > 0 ? g[i + c] : 0;
      gx[i + c] = gamma[c] * inverse[c] * (here - (gbeta[c] + standard * ggamma[c]) / count);
    }
  }
  return [{ ...x, data: gx }, ggamma, gbeta];
}

/** Rows of features (M,D) times w (D,O) plus b. */
export function dense({ w, b }, rows) {
  return rows.map((row) => {
    const output = Float64Array.from(b);
    for (let d = 0; d < row.length; d++) {
      if (row[d] !== 0) for (let o = 0; o < b.length; o++) output[o] += row[d] * w[d * b.length + o];
    }
    return output;
  });
}

// ---------------------------------------------------------------- the network of four blocks

/**
 * The features of images, a row each: the mean over the last map, or all of it ("flatten").
 * statistics: { block: { mean, inverse } } for batch norm, or the number of first images from which they are taken.
 * Returns { rows, statistics, tape }; the tape is what the derivative needs.
 */
export function body(params, images, statistics, features = "mean") {
  const tape = [];
  const used = {};
  let x = images;
  for (const block of BLOCKS) {
    const maps = conv(x, params[block].w);
    used[block] = typeof statistics === "number" ? moments(maps, statistics) : statistics[block];
    const y = normAndRelu(maps, params[block], used[block]);
    tape.push({ block, x, maps, y });
    x = y;
  }
  const size = x.h * x.w * x.c;
  const rows = [];
  for (let m = 0; m < x.m; m++) {
    const all = x.data.subarray(m * size, (m + 1) * size);
    rows.push(features === "flatten" ? all : pooled(all, x));
  }
  return { rows, statistics: used, tape };
}

function pooled(all, { h, w, c }) {
  const row = new Float64Array(c);
  for (let i = 0; i < all.length; i++) row[i % c] += all[i] / (h * w);
  return row;
}

/** The gradient of the mean cross-entropy of body and head on images with labels; statistics of the images. */
export function classificationGradient(params, images, labels) {
  const { rows, statistics, tape } = body(params, images, images.m);
  const n = params.head.b.length;
  const gradient = { head: { w: new Float64Array(params.head.w.length), b: new Float64Array(n) } };
  const last = tape[tape.length - 1].y;
  const pixels = last.h * last.w;
  let g = new Float64Array(last.data.length);
  let loss = 0;
  dense(params.head, rows).forEach((logits, m) => {
    const p = softmax(logits);
    loss -= Math.log(p[labels[m]]) / images.m;
    for (let o = 0; o < n; o++) {
      const slope = (p[o] - (o === labels[m] ? 1 : 0)) / images.m;
      gradient.head.b[o] += slope;
      for (let d = 0; d < last.c; d++) {
        gradient.head.w[d * n + o] += slope * rows[m][d];
        const part = (slope * params.head.w[d * n + o]) / pixels;
        for (let i = 0; i < pixels; i++) g[(m * pixels + i) * last.c + d] += part;
      }
    }
  });
  for (const { block, x, maps, y } of tape.reverse()) {
    const [gMaps, gamma, beta] = normAndReluBackward(maps, y, params[block], statistics[block], g);
    const [gx, w] = convBackward(x, params[block].w, gMaps, block !== BLOCKS[0]);
    gradient[block] = { w, gamma, beta };
    g = gx?.data;
  }
  return { gradient, loss };
}

// ---------------------------------------------------------------- the network for curves: 1, 40, 40, 1

/** The outputs for numbers x, and the activations on the way. */
export function curve(params, x) {
  const h0 = [...x].map((value) => [value]);
  const h1 = dense(params.dense1, h0).map((row) => row.map((v) => Math.max(0, v)));
  const h2 = dense(params.dense2, h1).map((row) => row.map((v) => Math.max(0, v)));
  return { y: dense(params.head, h2).map((row) => row[0]), layers: [["dense1", h0, h1], ["dense2", h1, h2]], h2 };
}

/** The gradient of the mean squared error at the points. */
export function squaredErrorGradient(params, x, target) {
  const { y, layers, h2 } = curve(params, x);
  const gradient = {};
  let g = y.map((value, m) => [(2 * (value - target[m])) / y.length]);
  let input = h2;
  const back = (name) => {
    const { w, b } = params[name];
    const gw = new Float64Array(w.length);
    const gb = new Float64Array(b.length);
    const gInput = input.map((row, m) => {
      g[m].forEach((slope, o) => {
        gb[o] += slope;
        row.forEach((value, d) => (gw[d * b.length + o] += slope * value));
      });
      return Array.from(row, (_, d) => g[m].reduce((sum, slope, o) => sum + slope * w[d * b.length + o], 0));
    });
    gradient[name] = { w: gw, b: gb };
    g = gInput;
  };
  back("head");
  for (const [name, before, after] of layers.reverse()) {
    g = g.map((row, m) => row.map((slope, d) => (after[m][d] > 0 ? slope : 0)));
    input = before;
    back(name);
  }
  return { gradient, loss: y.reduce((sum, value, m) => sum + (value - target[m]) ** 2, 0) / y.length };
}

// ---------------------------------------------------------------- small things

/** params - rate * gradient, a new object. */
export function descend(params, gradient, rate) {
  return Object.fromEntries(Object.entries(params).map(([layer, arrays]) => [layer, Object.fromEntries(
    Object.entries(arrays).map(([key, array]) => [key, array.map((p, i) => p - rate * gradient[layer][key][i])]))]));
}

export function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

export function squaredDistance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}
