"""From strokes to the pixels that a network sees; the page does the same in `drawing.js`. `np` is plain NumPy."""

import numpy as np

from fewshot_np.data.folders import FITTED

SIZE = 28        # pixels along the side of the image that is classified
PEN = 2.5        # width of a stroke in these pixels: about that of the glyphs
SMALLEST = 0.25  # share of the pad: smaller drawings are enlarged as if so large, or a dot would become a ball


def rasterise(strokes, size=SIZE, pen=PEN):
    """Strokes as an image (size, size, 1) float32, ink 1: centred, as large and with as broad a pen as the glyphs.

    strokes: one or more arrays (P, 2) of positions on the pad, x to the right and y downwards; the pad's side is 1.
    A pixel's ink follows from its distance to the nearest line.

    Raises: ValueError where there is no point.
    """
    strokes = [np.asarray(stroke, dtype=float).reshape(-1, 2) for stroke in strokes]
    if not sum(map(len, strokes)):
        raise ValueError("nothing is drawn")
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (FITTED * size - pen) / max(*(high - low), SMALLEST)       # the pen's own width is part of the drawing
    strokes = [(stroke - (low + high) / 2) * scale + size / 2 for stroke in strokes if len(stroke)]
    starts = np.concatenate([stroke[:-1] if len(stroke) > 1 else stroke for stroke in strokes])    # (S, 2)
    ends = np.concatenate([stroke[1:] if len(stroke) > 1 else stroke for stroke in strokes])       # a dot ends there
    centres = np.arange(size) + 0.5
    pixels = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 1, 2)                    # (size^2, 1, 2)
    distances = np.sqrt(_squared_distances_to_lines(pixels, starts, ends).min(axis=1))
    return np.clip(pen / 2 + 0.5 - distances, 0, 1).reshape(size, size, 1).astype(np.float32)


def _squared_distances_to_lines(pixels, starts, ends):
    """From each pixel (P,1,2) to each line from start to end (S,2): (P,S)."""
    along = ends - starts
    length2 = np.sum(along ** 2, axis=-1)
    share = np.sum((pixels - starts) * along, axis=-1) / (length2 + (length2 == 0))   # 0 at the start, 1 at the end
    foot = starts + np.clip(share, 0, 1)[..., None] * along
    return np.sum((pixels - foot) ** 2, axis=-1)
