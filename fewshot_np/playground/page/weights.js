// Reads the files that `fewshot_np/playground/weights.py` writes.

const MAGIC = "fewshot\0";
const READERS = {
  float32: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  float16: { size: 2, read: (view, at) => half(view.getUint16(at, true)) },
  uint8: { size: 1, read: (view, at) => view.getUint8(at) },
};

/** Fetches and decodes a file: { arrays: { name: { shape, data: Float64Array } }, settings }. Throws an Error. */
export async function load(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return decode(await response.arrayBuffer(), url);
}

export function decode(buffer, url = "file") {
  try {
    const bytes = new Uint8Array(buffer);
    if (String.fromCharCode(...bytes.slice(0, 8)) !== MAGIC) throw new Error("wrong format");
    const start = 12 + new DataView(buffer).getUint32(8, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.slice(12, start)));
    if (crc32(bytes.subarray(start)) !== header.crc32) throw new Error("wrong check sum");
    const view = new DataView(buffer);
    const arrays = {};
    let at = start;
    for (const { name, dtype, shape } of header.arrays) {
      const { size, read } = READERS[dtype];
      const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
      for (let i = 0; i < data.length; i++, at += size) data[i] = read(view, at);
      arrays[name] = { shape, data };
    }
    return { arrays, settings: header.settings };
  } catch (error) {
    throw new Error(`${url}: ${error.message}`);
  }
}

/** The parameters of one network, { layer: { key: Float64Array } }, from arrays named network.layer.key. */
export function networkOf(arrays, network) {
  const params = {};
  for (const [name, { data }] of Object.entries(arrays)) {
    if (!name.startsWith(`${network}.`)) continue;
    const [layer, key] = name.slice(network.length + 1).split(".");
    if (key === undefined) params[layer] = data;
    else (params[layer] ??= {})[key] = data;
  }
  return params;
}

/** The reader's own model of lesson 5, where the page was opened by `lesson5_project --draw`: { params, threshold }. */
export async function ownModel() {
  if (new URLSearchParams(location.search).get("model") !== "project") return null;
  const { arrays, settings } = await load("./weights/project.bin");
  return { params: networkOf(arrays, "project"), threshold: settings.threshold };
}

/** What the drawing scenes use: the networks, the Siamese network's statistics and threshold, MAML's inner rate. */
export function drawingNetworks({ arrays, settings }) {
  const halves = (both) => ({ mean: both.subarray(0, both.length / 2), inverse: both.subarray(both.length / 2) });
  const statistics = Object.entries(networkOf(arrays, "statistics"));
  return {
    prototypical: networkOf(arrays, "prototypical"),
    siamese: networkOf(arrays, "siamese"),
    statistics: Object.fromEntries(statistics.map(([block, both]) => [block, halves(both)])),
    threshold: settings.threshold,
    rate: settings.inner_lr,
  };
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

let table;

function crc32(bytes) {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
