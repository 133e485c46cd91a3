// MAML's steps run here, so that drawing never waits for them.

import { adapt, mamlLogits } from "./learners.js";
import { load, networkOf } from "./weights.js";

let params;
let known;

onmessage = async ({ data }) => {
  try {
    params ??= networkOf((await load("./weights/networks.bin")).arrays, "maml");
    const { id, key, support, labels, n, steps, rate, queries, together } = data;
    const started = performance.now();
    if (!key || known?.key !== key) known = { key, adapted: adapt(params, support, labels, n, steps, rate) };
    const logits = queries.length ? mamlLogits(known.adapted, support, queries, together) : [];
    postMessage({ id, logits, milliseconds: performance.now() - started, adapted: data.wantParams && known.adapted });
  } catch (error) {
    postMessage({ id: data.id, error: error.message });
  }
};
