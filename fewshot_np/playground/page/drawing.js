// From strokes to the 28 x 28 pixels that a network sees: `rasterise` of fewshot_np/playground/strokes.py.

export const SIZE = 28;
const PEN = 2.5;
const SMALLEST = 0.25;
const FITTED = 20 / 28;

/** Strokes, lists of [x, y] with the pad's side 1, as 784 numbers, ink 1: centred, and as large as the glyphs. */
export function rasterise(strokes) {
  const points = strokes.flat();
  if (!points.length) throw new Error("nothing is drawn");
  const low = [0, 1].map((k) => points.reduce((least, p) => Math.min(least, p[k]), Infinity));
  const high = [0, 1].map((k) => points.reduce((most, p) => Math.max(most, p[k]), -Infinity));
  const scale = (FITTED * SIZE - PEN) / Math.max(high[0] - low[0], high[1] - low[1], SMALLEST);
  const fit = (p) => p.map((value, k) => (value - (low[k] + high[k]) / 2) * scale + SIZE / 2);
  const nearest = new Float64Array(SIZE * SIZE).fill(Infinity);
  for (const stroke of strokes.filter((each) => each.length)) {
    const fitted = stroke.map(fit);
    const ends = fitted.length > 1 ? fitted.slice(1) : fitted;
    ends.forEach((end, i) => nearer(nearest, fitted[i], end));
  }
  return nearest.map((squared) => Math.min(1, Math.max(0, PEN / 2 + 0.5 - Math.sqrt(squared))));
}

/** Lowers each pixel's squared distance to that of the line from start to end, where that is less. */
function nearer(nearest, start, end) {
  const along = [end[0] - start[0], end[1] - start[1]];
  const length2 = along[0] ** 2 + along[1] ** 2;
  for (let i = 0; i < nearest.length; i++) {
    const dx = (i % SIZE) + 0.5 - start[0];
    const dy = Math.floor(i / SIZE) + 0.5 - start[1];
    const share = Math.min(1, Math.max(0, (dx * along[0] + dy * along[1]) / (length2 || 1)));
    const squared = (dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2;
    if (squared < nearest[i]) nearest[i] = squared;
  }
}

/** Paints 784 numbers on a canvas, in the page's own ink and paper. */
export function paint(canvas, image) {
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(SIZE, SIZE);
  image.forEach((ink, i) => pixels.data.set([0, 0, 0, Math.round(255 * ink)], 4 * i));
  context.putImageData(pixels, 0, 0);
}
