"""The characters of a writing whose names have parts, and drawings of them. `np` is plain NumPy."""

import unicodedata

import numpy as np

from fewshot_np.data import glyphs
from fewshot_np.data.cache import cached
from fewshot_np.lesson2_zero_shot.names import parts_of, with_common_parts

HAND = {"rotation": 6, "shear": 0.15, "stretch": 0.1, "shift": 1.2, "elastic": 0.8}  # a steady hand


def characters(pattern):
    """The characters that the fonts have and whose name matches (see NAMES): (code points, names, parts).

    parts: a tuple per character with one value per part of its name, as in ("SMALL LETTER E", "TILDE"). A character
    with a rare part is left out, see `with_common_parts`.
    """
    named = []
    for code_point in sorted(frozenset().union(*map(glyphs.code_points_of, glyphs.FACES))):
        name = unicodedata.name(chr(code_point), "")
        if parts := parts_of(name, pattern):
            named.append((code_point, name, parts))
    kept = with_common_parts([parts for _, _, parts in named])
    return tuple(zip(*(named[k] for k in kept), strict=True))


def drawings(code_points, seed, progress=iter):
    """The characters, drawn by a steady hand, each placed as in a line of text: (Z, DRAWINGS, SIZE, SIZE, 1) uint8.

    They are not centred and not scaled to one size, because then a comma above would look like a comma below, and one
    dot of Braille like any other; "em" asks for that. progress: wraps the code points, as tqdm does, when they are
    drawn and not cached.
    """
    def draw_all():
        return np.stack([glyphs.draw_character(code_point, seed, "em", **HAND) for code_point in progress(code_points)])

    name = "em-" + "-".join(f"{key}{value}" for key, value in HAND.items())
    return cached(f"{name}-{glyphs.cache_name(code_points, seed)}", draw_all)
