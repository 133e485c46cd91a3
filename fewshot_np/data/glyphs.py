"""Real characters of many scripts, drawn from the fonts that come with matplotlib, so there is nothing to download.

A class is a character, its group the script, and a drawing of it is one font face pushed through a random
affine map, an elastic warp and a stroke weight. From the outline to the data set, read downwards:

    render_character    one character in one face, as printed   -> (SIDE, SIDE)
    draw                imitates a hand: warp and stroke weight  -> (M, 28, 28)
    distinct_letters    chooses the characters that are classes, listed in glyph_list.txt
    load                the data set, rendered once, then read from the cache

`python -m fewshot_np.data.glyphs` counts the classes; `--relist` applies the rule again.
"""

import argparse
import functools
import hashlib
import os
import unicodedata
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fewshot_np.data.cache import cached
from fewshot_np.data.classes import ImageClasses
from fewshot_np.data.files import write_atomically

VERSION = 1                 # of the drawings; raise it when a change below alters a byte of them
DRAWINGS = 20               # per character
SIZE = 28                   # pixels along the side of a drawing
SIDE = 3 * SIZE             # pixels along the side of the canvas from which a drawing is warped
EM = 2 * SIDE // 3          # pixels per em in the em placement, which leaves room for accents and descenders
BASELINE = 61               # row of the canvas on which letters stand in the em placement
FITTED = 60                 # pixels of the longer side of a fitted character: 20 of the 28 of a drawing
LOOK_ALIKE = 0.95           # correlation of regular faces above which two characters look the same and become one class
SAME_IN_A_FACE = 0.97       # the same in any other face: bold letters are all a little alike

# Named one by one, because a newer matplotlib adds a font that maps every code point to a placeholder box.
# The first face that has a character is its regular face.
FACES = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSans-BoldOblique.ttf",
    "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf",
    "DejaVuSansMono-Oblique.ttf", "DejaVuSansMono-BoldOblique.ttf",
    "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSerif-BoldItalic.ttf",
    "STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf",
)

# A script is the beginning of a Unicode name. Scripts related to Latin are all in train, because a "new" script
# must not contain familiar shapes (Old Italic has a K, Lisu a rotated one).
SPLITS = {
    "train": ("LATIN", "GREEK", "COPTIC", "CYRILLIC", "OLD ITALIC", "LISU", "CANADIAN SYLLABICS"),
    "validation": ("ARABIC", "NKO", "LAO", "OGHAM"),
    "test": ("ARMENIAN", "HEBREW", "GEORGIAN", "TIFINAGH"),
}
QUICK_CLASSES = {"train": 100, "validation": 50, "test": 50}
LIST_FILE = Path(__file__).with_name("glyph_list.txt")


# --- A character in a face -------------------------------------------------------------------------------


@functools.cache
def open_face(face):
    """The font file `face`, one of FACES, as a matplotlib FT2Font."""
    # Imported here because importing matplotlib takes longer than reading the cache.
    import matplotlib
    from matplotlib.ft2font import FT2Font

    return FT2Font(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", face))


@functools.cache
def code_points_of(face):
    """The code points that `face` has a shape for."""
    return frozenset(open_face(face).get_charmap())


def faces_of(code_point):
    """The faces, in the order of FACES, that have a shape for the code point."""
    return [face for face in FACES if code_point in code_points_of(face)]


def render_character(code_point, face, placement="fit"):
    """A printed character, (SIDE, SIDE) float32: ink 1 on paper 0.

    placement "fit" centres the character and scales its longer side to FITTED pixels (anything smaller than half an
    em is scaled like half an em, so that a dot stays small); "em" keeps its size and its place in the em square, which
    distinguishes characters that differ in nothing else.

    Raises: ValueError for another placement or a code point that the face lacks.
    """
    if placement not in ("fit", "em"):
        raise ValueError(f"placement must be 'fit' or 'em', got {placement!r}")
    if code_point not in code_points_of(face):
        raise ValueError(f"{face} has no U+{code_point:04X}")
    font = open_face(face)
    font.set_size(EM, 72)                          # at 72 dots per inch a point is a pixel
    glyph = font.load_char(code_point)
    left, bottom, right, top = (edge / 64 for edge in glyph.bbox)      # FreeType counts in 64ths of a pixel
    if placement == "fit":
        font.set_size(EM * FITTED / max(right - left, top - bottom, EM / 2), 72)
    font.set_text(chr(code_point))
    font.draw_glyphs_to_bitmap(antialiased=True)
    ink = trim(np.asarray(font.get_image(), np.float32) / 255)
    if placement == "fit":
        return paste(ink, (SIDE - ink.shape[0]) / 2, (SIDE - ink.shape[1]) / 2)
    advance = glyph.linearHoriAdvance / 65536      # the width that the character takes up in a line of text
    return paste(ink, BASELINE - top, (SIDE - advance) / 2 + left)


def trim(ink):
    """The image without the empty rows and columns around the ink."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        return ink[:0, :0]
    return ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def paste(ink, top, left):
    """A canvas (SIDE, SIDE) with `ink` at that place; anything outside is cut off."""
    wide = np.zeros((3 * SIDE, 3 * SIDE), np.float32)        # the canvas is the middle ninth
    top, left = SIDE + round(top), SIDE + round(left)
    wide[top:top + ink.shape[0], left:left + ink.shape[1]] = ink
    return wide[SIDE:2 * SIDE, SIDE:2 * SIDE]


# --- The hand that draws it ------------------------------------------------------------------------------


def draw(bases, rng, rotation=12, shear=0.25, stretch=0.25, shift=2.2, elastic=1.0, weight=(0.25, 0.42)):
    """Draw each base (M, SIDE, SIDE) once, by a random hand. -> (M, SIZE, SIZE) float32 in [0, 1]

    rotation  largest angle either way, in degrees       stretch  of height and width, each by up to e^stretch
    shear     largest shift of columns per row           shift    in pixels of the drawing, down and across
    elastic   standard deviation of the warp, in pixels of the drawing
    weight    range of the threshold at which grey becomes ink; a low threshold makes a broad pen
    """
    x, y = affine_positions(len(bases), rng, rotation, shear, stretch, shift)
    x, y = x + elastic_warp(len(bases), rng, elastic), y + elastic_warp(len(bases), rng, elastic)
    ink = sample(bases, x, y)
    ink = ink.reshape(-1, SIZE, 2, SIZE, 2).mean((2, 4))     # two samples per pixel and axis: smooth edges
    return pen(ink, rng.uniform(*weight, len(bases)))


def affine_positions(m, rng, rotation, shear, stretch, shift):
    """The positions from which `m` drawings are sampled: x and y, each (m, 2·SIZE, 2·SIZE), 0 in the centre."""
    angle, slant = np.deg2rad(rng.uniform(-rotation, rotation, m)), rng.uniform(-shear, shear, m)
    width, height = np.exp(rng.uniform(-stretch, stretch, (2, m)))
    right, down = rng.uniform(-shift, shift, (2, m))
    along = (np.arange(2 * SIZE, dtype=np.float32) + 0.5) / 2 - SIZE / 2
    x, y = along - column(right), along[:, None] - column(down)
    cos, sin = column(np.cos(angle)), column(np.sin(angle))
    x, y = (cos * x + sin * y) / column(width), (cos * y - sin * x) / column(height)
    return x + column(slant) * y, y


def column(values):
    """(m,) -> (m, 1, 1): one value for all pixels of a drawing."""
    return values.astype(np.float32)[:, None, None]


def elastic_warp(m, rng, strength):
    """Smooth random displacements (m, 2·SIZE, 2·SIZE): 5 x 5 random numbers, interpolated."""
    knots = rng.normal(0, strength, (m, 5, 5)).astype(np.float32)
    place = np.linspace(0, 4, 2 * SIZE)[:, None]
    tents = np.maximum(0, 1 - abs(place - np.arange(5))).astype(np.float32)      # (2·SIZE, 5), linear
    return tents @ knots @ tents.T


def sample(bases, x, y):
    """The ink of the bases (M, SIDE, SIDE) at positions in pixels of the drawing, bilinearly."""
    edge = SIDE - 1.001                            # just before the last pixel, which has no neighbour to mix with
    x = np.clip((x + SIZE / 2) * (SIDE / SIZE) - 0.5, 0, edge)
    y = np.clip((y + SIZE / 2) * (SIDE / SIZE) - 0.5, 0, edge)
    left, above = x.astype(np.int32), y.astype(np.int32)
    x, y = x - left.astype(np.float32), y - above.astype(np.float32)
    flat = bases.ravel()                           # indexed by one number per sample: faster than by three
    here = np.arange(len(bases))[:, None, None] * SIDE**2 + above * SIDE + left
    upper = flat[here] * (1 - x) + flat[here + 1] * x
    lower = flat[here + SIDE] * (1 - x) + flat[here + SIDE + 1] * x
    return upper * (1 - y) + lower * y


def pen(ink, threshold):
    """Redraw ink (M, SIZE, SIZE) with another stroke: blur it, then turn grey above the threshold into ink."""
    p = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    sides = p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]
    blurred = (sides + 2 * ink) / 6                # divided by 0.25 below, so that edges are grey and not jagged
    return np.clip((blurred - column(threshold)) / 0.25 + 0.5, 0, 1)


def draw_character(code_point, seed, placement="fit", **hand):
    """All drawings of one character, (DRAWINGS, SIZE, SIZE, 1) uint8, each in a random one of its faces.

    Every character has a generator of its own, so it does not matter which others are drawn, and in which order.
    placement: see `render_character`.   hand: arguments of `draw` in place of its defaults.

    Raises: ValueError for a character that no face has.
    """
    rng = np.random.default_rng([seed, code_point])
    faces = faces_of(code_point)
    if not faces:
        raise ValueError(f"no face has U+{code_point:04X}")
    printed = np.stack([render_character(code_point, face, placement) for face in faces])
    ink = draw(printed[rng.integers(len(faces), size=DRAWINGS)], rng, **hand)
    return np.rint(255 * ink).astype(np.uint8)[..., None]


# --- Which characters are classes ------------------------------------------------------------------------


def script_of(name):
    """The script in SPLITS with which a Unicode name begins, None for any other."""
    for script in sum(SPLITS.values(), ()):
        if name.startswith(script + " "):
            return script
    return None


def distinct_letters():
    """The rule that makes glyph_list.txt: [(code point, Unicode name)], by code point.

    These are the letters of the scripts in SPLITS that have no decomposition (e with a tilde is an e and a tilde;
    lesson 2 uses such letters for zero-shot learning) and do not look like an earlier one (Greek, too, has an A): the
    correlation of their regular faces is at most LOOK_ALIKE, and that in each face that both have SAME_IN_A_FACE.
    """
    kept, regular, in_face = [], Shapes(), {face: Shapes() for face in FACES}
    for code_point in sorted(frozenset().union(*map(code_points_of, FACES))):
        letter = chr(code_point)
        name = unicodedata.name(letter, "")
        if (unicodedata.category(letter) not in ("Lu", "Ll", "Lo") or unicodedata.decomposition(letter)
                or script_of(name) is None):
            continue
        faces = faces_of(code_point)
        shapes = [shape_of(code_point, face) for face in faces]
        if regular.closest(shapes[0]) > LOOK_ALIKE or any(
                in_face[face].closest(shape) > SAME_IN_A_FACE for face, shape in zip(faces, shapes, strict=True)):
            continue
        kept.append((code_point, name))
        regular.add(shapes[0])
        for face, shape in zip(faces, shapes, strict=True):
            in_face[face].add(shape)
    return kept


def shape_of(code_point, face):
    """A character as printed, (SIZE²,), of mean 0 and length 1, so that a product of two is their correlation."""
    printed = render_character(code_point, face)
    shape = printed.reshape(SIZE, 3, SIZE, 3).mean((1, 3)).ravel()
    return (shape - shape.mean()) / (shape.std() * SIZE)


class Shapes:
    """Shapes to compare others with, in an array that doubles when it is full."""

    def __init__(self):
        self.rows, self.count = np.empty((16, SIZE * SIZE), np.float32), 0

    def add(self, shape):
        if self.count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[self.count] = shape
        self.count += 1

    def closest(self, shape):
        """The largest correlation with any of them, -1 without one."""
        return (self.rows[:self.count] @ shape).max(initial=-1)


def write_list(letters):
    """Write glyph_list.txt: a line per class with its code point in hexadecimal and its name.

    The first line names the version of FreeType, because another one moves a few look-alikes across the threshold.
    """
    lines = [f"# python -m fewshot_np.data.glyphs --relist, {' '.join(font_versions())}\n"]
    lines += [f"{code_point:05X} {name}\n" for code_point, name in letters]
    with write_atomically(LIST_FILE) as file:
        file.write("".join(lines).encode("ascii"))


def read_list():
    """The committed classes, [(code point, Unicode name)], which do not depend on the installed fonts."""
    lines = LIST_FILE.read_text(encoding="ascii").splitlines()
    return [(int(line[:5], 16), line[6:]) for line in lines if not line.startswith("#")]


def quick_letters(letters):
    """QUICK_CLASSES of each split, evenly spaced, so that every large script is among them."""
    chosen = []
    for split, n in QUICK_CLASSES.items():
        of_split = [letter for letter in letters if script_of(letter[1]) in SPLITS[split]]
        chosen += [of_split[k * len(of_split) // n] for k in range(n)]
    return sorted(chosen)


# --- The data set ----------------------------------------------------------------------------------------


def load(split=None, quick=False, seed=0):
    """The glyphs as ImageClasses, DRAWINGS of each class, (M, SIZE, SIZE, 1); group = script.

    split: "train", "validation" or "test", disjoint by script; None for all three.
    quick: 200 of the classes (with the same drawings).   seed: of the drawings, 0 or more.
    The first call draws everything. Later calls read the cache, and draw again, with a warning, if it is damaged.

    Raises: ValueError for an unknown split or a negative seed.
    """
    if split not in (None, *SPLITS):
        raise ValueError(f"split must be None or one of {', '.join(map(repr, SPLITS))}, got {split!r}")
    letters = quick_letters(read_list()) if quick else read_list()
    code_points, names = zip(*letters, strict=True)

    def draw_all():
        progress = tqdm(code_points, desc="rendering glyphs", unit=" characters", ascii=True, leave=False)
        return np.concatenate([draw_character(code_point, seed) for code_point in progress])

    images = cached(cache_name(code_points, seed), draw_all, (len(code_points) * DRAWINGS, SIZE, SIZE, 1))
    groups = [script_of(name) for name in names]
    classes = ImageClasses(images, np.repeat(np.arange(len(names)), DRAWINGS), names, groups)
    if split is None:
        return classes
    return classes.subset([k for k, group in enumerate(groups) if group in SPLITS[split]])


def cache_name(code_points, seed):
    """The name under which drawings are kept; everything that can change a byte of them is part of it."""
    letters = hashlib.sha256(np.asarray(code_points, "<i4").tobytes()).hexdigest()[:8]
    versions = "-".join((f"numpy{np.__version__}", *font_versions()))
    return f"glyphs-v{VERSION}-{len(code_points)}-{letters}-seed{seed}-{versions}"


def font_versions():
    """The versions of the fonts and of what renders them, such as ("matplotlib3.11.2", "freetype2.14.3")."""
    import matplotlib
    from matplotlib import ft2font

    return f"matplotlib{matplotlib.__version__}", f"freetype{ft2font.__freetype_version__}"


def main(arguments=None):
    """Count the classes of each script; with --relist, apply the rule to the installed fonts first."""
    parser = argparse.ArgumentParser(prog="python -m fewshot_np.data.glyphs", description=main.__doc__)
    parser.add_argument("--relist", action="store_true", help=f"rewrite {LIST_FILE.name} by the rule")
    if parser.parse_args(arguments).relist:
        write_list(distinct_letters())
    groups = [script_of(name) for _, name in read_list()]
    for split, scripts in SPLITS.items():
        print(f"{split:<12}{sum(group in scripts for group in groups):5} characters")
        for script in scripts:
            print(f"    {script.title():<22}{groups.count(script):5}")


if __name__ == "__main__":
    main()
