"""The reader's own images: a folder with one sub-folder per class, straight from a phone or a scanner.

    load        the folder as ImageClasses
    read_image  one file of any size and mode -> (size, size, 1), ink 255 on paper 0

Put one character into each picture and let it fill the frame, because nothing is cropped unless fitted=True.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from fewshot_np.data.classes import ImageClasses

WORKING = 8               # a picture is first reduced to this many times the final size: faster, and less noise
BORDER = 1 / 20           # share of the shorter side that counts as border, which should be bare paper
INK = 99.5                # percentile of the darkness at which ink is full: 0.5 % of the pixels are enough
SHADE = 90                # percentile of the border's darkness up to which a pixel is paper, shadows included
LEAST_CONTRAST = 0.05     # between ink and paper, relative to the lightest pixel; with less, nothing is drawn
FITTED_INK = 99.95        # the same for a small drawing on a large sheet
FITTED = 20 / 28          # share of the frame that the longer side of a fitted drawing takes up, as in the glyphs
PEN = 2.5 / 28            # smallest width of its strokes, as a share of the frame
LARGEST = 80_000_000      # pixels of a picture: more than most cameras have, and 1.5 GB of memory
SPECKS = 0.1              # percent of the ink on each side that may be dust, and is not fitted
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")     # made by Windows and Macs, hidden from their users


def load(path, size=28, fitted=False):
    """The images in the sub-folders of `path` as ImageClasses, (M, size, size, 1); group = "folder".

    Classes are in the order of their names and may be of unequal size. Hidden files are ignored; a file that is not an
    image, or an image on which nothing is drawn, is skipped with a warning that names it.   fitted: see `read_image`.

    Raises: FileNotFoundError if `path` does not exist; ValueError if it is not a folder, if it has fewer than two
    sub-folders, and, naming the class, if none of its files can be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}")
    if not path.is_dir():
        raise ValueError(f"{path} is a file; expected is a folder with one sub-folder per class")
    folders = [entry for entry in visible(path) if entry.is_dir()]
    if len(folders) < 2:
        raise ValueError(f"{path} has {len(folders)} sub-folders; expected is one per class, 2 or more")
    files = [(label, file) for label, folder in enumerate(folders) for file in visible(folder)]
    images, labels = [], []
    for label, file in tqdm(files, desc="reading images", unit=" images", ascii=True, leave=False):
        try:
            images.append(read_image(file, size, fitted))
            labels.append(label)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error      # of an OSError: without the path
            warnings.warn(f"skipping {file}: {reason}", stacklevel=2)
    for label, folder in enumerate(folders):
        if label not in labels:
            raise ValueError(f"class {folder.name!r} has no readable image ({folder})")
    return ImageClasses(np.stack(images), np.array(labels), [folder.name for folder in folders],
                        ["folder"] * len(folders))


def visible(folder):
    """What is in the folder, sorted by name, without hidden files."""
    return sorted((entry for entry in folder.iterdir()
                   if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES),
                  key=lambda entry: entry.name)


# --- One picture -----------------------------------------------------------------------------------------


def read_image(path, size=28, fitted=False):
    """A picture of one character as (size, size, 1) uint8, ink 255 on paper 0, as the lessons' networks expect.

    It may be dark on light or light on dark, in colour, palette, grey, 16 bits, transparent, rotated by its camera and
    of any shape. It is converted to grey, then to ink on paper (`ink_on_paper`), padded with paper to a square and
    resized.
    fitted: before padding, the drawing is cut out and thin strokes are made broader (`fit`), as in the glyphs.

    Raises: OSError if the file cannot be opened; ValueError if it is not an image, if it has more than LARGEST pixels
    or nothing is drawn on it.
    """
    data = Path(path).read_bytes()
    try:
        with Image.open(io.BytesIO(data)) as image:
            refuse_large(image)
            longest = WORKING * size * (3 if fitted else 1)      # a small drawing on a large sheet
            grey = reduced(to_grey(ImageOps.exif_transpose(image)), longest)
    except UnidentifiedImageError as error:
        raise ValueError("not an image, or of a kind that Pillow cannot read") from error
    except (TooLarge, Image.DecompressionBombError):
        raise ValueError(f"it has more than {LARGEST:,} pixels; reduce it, or cut the drawing out") from None
    except Exception as error:      # Pillow's decoders raise nearly every kind of error for damaged bytes
        raise ValueError(f"a damaged image ({error})") from error
    ink = np.rint(255 * ink_on_paper(np.asarray(grey), FITTED_INK if fitted else INK)).astype(np.uint8)
    square = fit(ink) if fitted else on_square(ink, max(ink.shape))
    ink = np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))
    # The darkest pixel becomes 255, because a pen thinner than a pixel would come out pale.
    return np.rint(ink * (255 / max(1, ink.max()))).astype(np.uint8)[..., None]


class TooLarge(Exception):
    """A picture has more pixels than LARGEST."""


def refuse_large(image):
    """Raises: TooLarge, before the pixels are decoded, because decoding and converting them takes 18 bytes each."""
    if image.width * image.height > LARGEST:
        raise TooLarge


def on_square(ink, side):
    """Ink (H, W) in the middle of side x side pixels of paper."""
    margins = [side - n for n in ink.shape]
    return np.pad(ink, [(margin // 2, margin - margin // 2) for margin in margins])


def fit(ink):
    """The drawing, ink (H, W), cut out and centred; its longer side is FITTED of the frame, its strokes at least PEN.

    Strokes are broadened because hardly anything of a ballpoint's thin line would be left in 28 x 28 pixels.
    """
    rows, columns = np.nonzero(ink > 127)
    (top, bottom), (left, right) = (np.percentile(where, [SPECKS, 100 - SPECKS], method="nearest")
                                    for where in (rows, columns))
    ink = ink[top:bottom + 1, left:right + 1]
    square = on_square(ink, max(3, round(max(ink.shape) / FITTED)))
    outline = sum(np.abs(np.diff(square / 255, axis=axis)).sum() for axis in (0, 1)) * np.pi / 4    # its length
    missing = PEN * len(square) - 2 * square.sum() / 255 / outline      # a line's area is its width times its length,
    broader = round(missing / 2)                                        # and its outline is twice its length
    if broader < 1:
        return square
    return np.asarray(Image.fromarray(square).filter(ImageFilter.MaxFilter(2 * broader + 1)))


def to_grey(image):
    """The picture in mode "F", floating-point grey, in its own units, so that 16-bit pictures keep their range.

    A transparent picture is laid on white paper, or on black paper if its drawing is light and vanishes on white.
    """
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return image.convert("F")
    if not image.has_transparency_data:
        return image.convert("L").convert("F")
    image = image.convert("RGBA")
    for paper in ("white", "black"):
        sheet = Image.new("RGBA", image.size, paper)
        grey = Image.alpha_composite(sheet, image).convert("L")
        darkest, lightest = grey.getextrema()
        if lightest - darkest > 255 * LEAST_CONTRAST:
            break
    return grey.convert("F")


def reduced(image, longest):
    """The picture with its longer side reduced to `longest` pixels by averaging; a smaller one is unchanged."""
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    return image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)


def ink_on_paper(grey, full_at=INK):
    """Grey (H, W) in any units -> ink (H, W) float32: 0 on paper, including its shadows, and 1 where ink is full.

    The border shows the paper: its median is the level of the paper, its darkest tenth the depth of the shadows on it.
    Ink is farther from that level, on the dark or on the light side.
    full_at: the percentile of the darkness at which ink is full.

    Raises: ValueError if the contrast is too small for a drawing.
    """
    edge = max(1, round(BORDER * min(grey.shape)))
    is_border = np.ones(grey.shape, bool)
    is_border[edge:-edge, edge:-edge] = False
    paper = np.median(grey[is_border])
    darkness = paper - grey
    if np.percentile(-darkness, full_at) > np.percentile(darkness, full_at):       # light on dark
        darkness = -darkness
    full = np.percentile(darkness, full_at)
    if not full > LEAST_CONTRAST * np.abs(grey).max():         # written with `not`, so that NaN fails, too
        raise ValueError("nothing is drawn on it")
    # At most a third, because a stroke along the border must not be taken for a shadow.
    shade = np.clip(np.percentile(darkness[is_border], SHADE), 0, full / 3)
    return np.clip((darkness - shade) / (full - shade), 0, 1).astype(np.float32)
