// The learners: each answers drawings (784 numbers each) after it was shown a few examples with labels 0...n-1.
// `together` says which images batch norm sees: the support alone, or the queries as well (a transductive answer).

import { body, classificationGradient, convReluPool, curve, dense, descend, softmax, squaredDistance, squaredErrorGradient, stack }
  from "./nn.js";

/** Minus the squared distance of each query to the nearest example of each class. */
export function pixels(support, labels, n, queries) {
  return queries.map((query) => nearest(support.map((image) => -squaredDistance(query, image)), labels, n));
}

/** Prototypical network: { scores: minus the squared distances, support, query, prototypes }. */
export function prototypical(params, support, labels, n, queries, together) {
  const images = stack([...support, ...queries]);
  const { rows } = body(params, images, together ? images.m : support.length);
  const embedded = rows.slice(0, support.length);
  const query = rows.slice(support.length);
  const prototypes = means(embedded, labels, n);
  return { scores: query.map((q) => prototypes.map((p) => -squaredDistance(q, p))), support: embedded, query, prototypes };
}

/** The same for queries alone, from what is already known of the support: its statistics and its prototypes. */
export function prototypicalFrom(params, statistics, prototypes, queries) {
  const query = body(params, stack(queries), statistics).rows;
  return { scores: query.map((q) => prototypes.map((p) => -squaredDistance(q, p))), query };
}

export function means(rows, labels, n) {
  const sums = Array.from({ length: n }, () => new Float64Array(rows[0].length));
  const counts = new Array(n).fill(0);
  rows.forEach((row, m) => {
    counts[labels[m]] += 1;
    row.forEach((value, d) => (sums[labels[m]][d] += value));
  });
  return sums.map((sum, k) => sum.map((value) => value / counts[k]));
}

/** Embeddings of a Siamese network, whose batch norm knows the statistics of its training images. */
export function siameseEmbed(params, statistics, drawings) {
  return body(params, stack(drawings), statistics, "flatten").rows;
}

/** Distances of each query to the nearest example of each class, from embeddings. */
export function siameseDistances(support, labels, n, queries) {
  return queries.map((query) => nearest(
    support.map((row) => -Math.sqrt(squaredDistance(query, row))), labels, n).map((score) => -score));
}

// ---------------------------------------------------------------- the network of lesson 5, if there is one

/** Its embeddings: two convolutions with pooling, and Dense 128. */
export function projectEmbed(params, drawings) {
  const maps = convReluPool(convReluPool(stack(drawings), params.conv1), params.conv2);
  const size = maps.h * maps.w * maps.c;
  const rows = drawings.map((_, m) => maps.data.subarray(m * size, (m + 1) * size));
  return dense(params.dense, rows).map((row) => row.map((value) => Math.max(0, value)));
}

/** Its probability of *same* of each query with each class: of the mean of the log-odds over the class's examples. */
export function projectProbabilities(params, support, labels, n, queries) {
  const { w, b } = params.head;
  return queries.map((query) => {
    const logits = support.map((row) => [row.reduce((sum, value, d) => sum + w[d] * Math.abs(query[d] - value), b[0])]);
    return means(logits, labels, n).map(([logit]) => 1 / (1 + Math.exp(-logit)));
  });
}

function nearest(scores, labels, n) {
  const best = new Array(n).fill(-Infinity);
  scores.forEach((score, m) => (best[labels[m]] = Math.max(best[labels[m]], score)));
  return best;
}

// ---------------------------------------------------------------- MAML

/** A head for n classes made of the trained columns, used again from the first on: `head_for` in networks.py. */
export function headFor(params, n) {
  const trained = params.head.b.length;
  const w = new Float64Array((params.head.w.length / trained) * n);
  for (let i = 0; i < w.length; i++) w[i] = params.head.w[Math.floor(i / n) * trained + ((i % n) % trained)];
  return { ...params, head: { w, b: Float64Array.from({ length: n }, (_, o) => params.head.b[o % trained]) } };
}

/** The parameters after some steps of gradient descent on the support. */
export function adapt(params, support, labels, n, steps, rate) {
  const images = stack(support);
  let adapted = headFor(params, n);
  for (let step = 0; step < steps; step++) {
    adapted = descend(adapted, classificationGradient(adapted, images, labels).gradient, rate);
  }
  return adapted;
}

/** Logits of the queries; together: batch norm sees all queries (and no support), as in MAML's paper. */
export function mamlLogits(adapted, support, queries, together) {
  if (together) {
    return dense(adapted.head, body(adapted, stack(queries), queries.length).rows);
  }
  const { rows } = body(adapted, stack([...support, ...queries]), support.length);
  return dense(adapted.head, rows.slice(support.length));
}

export const probabilities = (scores) => scores.map(softmax);

// ---------------------------------------------------------------- curves

/** The parameters after some steps on the points; the loss before each step and after the last. */
export function adaptCurve(params, x, y, steps, rate) {
  let adapted = params;
  const losses = [];
  for (let step = 0; step <= steps; step++) {
    const { gradient, loss } = squaredErrorGradient(adapted, x, y);
    losses.push(loss);
    if (step < steps) adapted = descend(adapted, gradient, rate);
  }
  return { params: adapted, losses };
}

export const curveAt = (params, x) => curve(params, x).y;

// ---------------------------------------------------------------- the two coordinates in which points spread most

/** The plane through the mean of rows (M,D) along their two principal components, { mean, axes: two unit vectors (D), or
 * zeros where there is no such direction }, by Jacobi's rotations of the matrix of inner products. */
export function principalPlane(rows) {
  const m = rows.length;
  const mean = means(rows, new Array(m).fill(0), 1)[0];
  const centred = rows.map((row) => row.map((value, d) => value - mean[d]));
  const { values, vectors } = eigen(centred.map((a) => centred.map((b) => product(a, b))));
  const order = values.map((_, i) => i).sort((a, b) => values[b] - values[a]).slice(0, 2);
  const axes = order.map((k) => mean.map((_, d) => (values[k] > 1e-12 * values[order[0]]
    ? centred.reduce((sum, row, i) => sum + vectors[i][k] * row[d], 0) / Math.sqrt(values[k]) : 0)));
  return { mean, axes: [...axes, mean.map(() => 0)].slice(0, 2) };
}

/** The two coordinates of a row's projection onto the plane. */
export const placeOnPlane = ({ mean, axes }, row) => axes.map((axis) => product(axis, row.map((value, d) => value - mean[d])));

export function principalComponents(rows) {
  const plane = principalPlane(rows);
  return rows.map((row) => placeOnPlane(plane, row));
}

const product = (a, b) => a.reduce((sum, value, d) => sum + value * b[d], 0);

/** Eigenvalues and eigenvectors (in columns) of a symmetric matrix. */
function eigen(matrix) {
  const m = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) {
      all += a[i][j] ** 2;
      if (i !== j) off += a[i][j] ** 2;
    }
    if (off <= 1e-24 * all) break;
    for (let p = 0; p < m; p++) for (let q = p + 1; q < m; q++) {
      if (a[p][q] === 0) continue;
      const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
      const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
      const c = 1 / Math.sqrt(t * t + 1);
      const s = t * c;
      for (let k = 0; k < m; k++) [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
      for (let k = 0; k < m; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
      for (let k = 0; k < m; k++) [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
    }
  }
  return { values: a.map((row, i) => row[i]), vectors: v };
}

/** Points with the signs of their axes chosen so that they lie as near as possible to earlier ones. */
export function keepSigns(points, before) {
  return points.map((point) => point.map((value, k) => {
    const agreement = points.reduce((sum, p, i) => sum + p[k] * (before[i]?.[k] ?? 0), 0);
    return agreement < 0 ? -value : value;
  }));
}

// ---------------------------------------------------------------- intervals for a few trials

/** Wilson's 95 % interval of k right answers out of n. */
export function wilson(k, n) {
  const z = 1.96;
  const p = k / n;
  const middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const half = (z / (1 + z * z / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** The paired difference of two shares, first minus second, with Bonett & Price's (2012) 95 % interval. */
export function pairedDifference(first, second) {
  const n = first.length;
  const onlyFirst = first.filter((right, i) => right && !second[i]).length;
  const onlySecond = second.filter((right, i) => right && !first[i]).length;
  const [p, q] = [(onlyFirst + 1) / (n + 2), (onlySecond + 1) / (n + 2)];
  const half = 1.96 * Math.sqrt((p + q - (p - q) ** 2) / (n + 2));
  return { difference: (onlyFirst - onlySecond) / n, interval: [Math.max(-1, p - q - half), Math.min(1, p - q + half)] };
}
