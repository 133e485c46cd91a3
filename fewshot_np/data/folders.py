"""The reader's own images: a folder with one sub-folder per class, straight from a phone or a scanner.

    load        the folder as ImageClasses
    read_image  one file of any size and mode -> (size, size, 1), ink 255 on paper 0

Put one character into each picture and let it fill the frame, because nothing is cropped unless fitted=True.
"""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
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
SMALLEST = 8              # pixels of the longer side of a drawing that is searched for on a large sheet
BLOB, BLOB_BOX = 0.6, 0.15     # ink that fills its box, and a box that fills the picture, to these shares: a sheet?
MEGAPIXELS = 100          # of the largest picture: more take above 1 GB of memory (JPEGs may be larger)
HEIC = "a HEIC photo: `pip install pillow-heif`, and it is read, or save it as JPEG"
SPECKS = 0.1              # percent of the ink on each side that may be dust, and is not fitted
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")     # made by Windows and Macs, hidden from their users


def load(path, size=28, fitted=False):
    """The images in the sub-folders of `path` as ImageClasses, (M, size, size, 1); group = "folder".

    Classes are in the order of their names and may be of unequal size. Hidden files are ignored; a file that is not an
    image, or an image on which nothing is drawn, is skipped. One warning each says what was skipped, what may have been
    read wrongly, and which images of a class are the same.   fitted: see `read_image`.

    Raises: FileNotFoundError if `path` does not exist; ValueError if it is not a folder, if it has fewer than two
    sub-folders, and, naming the class, if none of its files can be read.
    """
    path = Path(path).expanduser()
    folders = class_folders(path)
    files = [(label, file) for label, folder in enumerate(folders) for file in visible(folder)]
    read, skipped, doubts = [], [], []                             # read: (label, file, image)
    for label, file in tqdm(files, desc="reading images", unit=" images", ascii=True, leave=False):
        try:
            image, doubt = read_with_doubt(file, size, fitted)
        except (OSError, ValueError) as error:
            skipped.append((file.relative_to(path), reason_of(error)))
            continue
        read.append((label, file.relative_to(path), image))
        doubts += [(file.relative_to(path), doubt)] * bool(doubt)
    for what, cases in [("skipped", skipped), ("perhaps read wrongly", doubts),
                        ("twice in their class", same_images(read))]:
        if cases:
            warnings.warn(f"{path}: {len(cases)} of {len(files)} files {what}: {in_groups(cases)}", stacklevel=2)
    for label, folder in enumerate(folders):
        if all(label != of_image for of_image, _, _ in read):
            raise ValueError(f"class {folder.name!r} has no readable image ({folder}){too_deep(folder)}")
    return ImageClasses(np.stack([image for _, _, image in read]), np.array([label for label, _, _ in read]),
                        [folder.name for folder in folders], ["folder"] * len(folders))


def class_folders(path):
    """The sub-folders of `path`, two or more; the errors are those of `load`."""
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}")
    if not path.is_dir():
        raise ValueError(f"{path} is a file; expected is a folder with one sub-folder per class")
    folders = [entry for entry in visible(path) if entry.is_dir()]
    if len(folders) < 2:
        files = len(visible(path)) - len(folders)
        hint = too_deep(path) or f"; it holds {files} files itself: give {path.absolute().parent}?" * (files > 0)
        raise ValueError(f"{path} has {len(folders)} sub-folders; expected is one per class, 2 or more{hint}")
    return folders


def too_deep(folder):
    """A hint where the classes seem to stand one level further down, as in folder/train/class; else nothing."""
    inside = visible(folder)
    if not inside or not all(entry.is_dir() for entry in inside):
        return ""
    if any(entry.is_dir() for entry in visible(inside[0])):
        folder = inside[0]
    return f"; its entries are folders: give {folder}?"


def same_images(read):
    """[(a file = an earlier one, why that is bad)] of (label, file, image): where a class has an image twice."""
    first, cases = {}, []
    for label, file, image in read:
        earlier = first.setdefault((label, image.tobytes()), file)
        if earlier != file:
            cases.append((f"{file} = {earlier}", "so that a query may be its own example"))
    return cases


def reason_of(error):
    """Why a file cannot be read: what an OSError says, without the path."""
    return getattr(error, "strerror", None) or str(error)


def in_groups(cases, n_shown=3):
    """[(file, reason)] in one line: each reason with how many there are, and the first files."""
    files_of = {}
    for file, reason in cases:
        files_of.setdefault(reason, []).append(str(file))
    parts = [f"{len(files)} {reason} ({', '.join(files[:n_shown])}{', ...' * (len(files) > n_shown)})"
             for reason, files in sorted(files_of.items(), key=lambda item: -len(item[1]))]
    return "; ".join(parts[:5]) + f"; and {len(parts) - 5} other reasons" * (len(parts) > 5)


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
    resized. A warning says where the paper may have been taken for ink.
    fitted: before padding, the drawing is cut out and thin strokes are made broader (`fit`), as in the glyphs.

    Raises: OSError if the file cannot be opened; ValueError if it is not an image, if it is larger than MEGAPIXELS
    or nothing is drawn on it.
    """
    image, doubt = read_with_doubt(path, size, fitted)
    if doubt:
        warnings.warn(f"{path}: {doubt}", stacklevel=2)
    return image


def read_with_doubt(path, size=28, fitted=False):
    """`read_image`, and why the picture may have been read wrongly, or "" where nothing speaks for that."""
    if Path(path).is_dir():
        raise ValueError("a folder, not an image")
    data = Path(path).read_bytes()
    longest = WORKING * size * (3 if fitted else 1)      # a small drawing on a large sheet
    grey = open_grey(data, longest)
    try:
        ink = ink_on_paper(grey, FITTED_INK if fitted else INK)
    except ValueError:
        grey = around_small_drawing(open_grey(data, 3 * longest))
        if not fitted:
            raise ValueError("hardly anything is drawn on it: crop it to the character") from None
        ink = ink_on_paper(grey)
    doubt = doubt_about(grey, ink)
    if doubt and fitted:      # on an empty sheet the shade of its far end looks like ink
        with contextlib.suppress(ValueError):
            ink, doubt = ink_on_paper(around_small_drawing(open_grey(data, 3 * longest))), ""
    ink = np.rint(255 * ink).astype(np.uint8)
    return at_size(fit(ink) if fitted else on_square(ink, max(ink.shape)), size), doubt


def open_grey(data, longest):
    """The bytes of a picture as grey (H, W), upright, its longer side reduced to `longest` pixels.

    Raises: ValueError for what is not an image, is damaged or too large.
    """
    try:
        if is_heic(data):
            register_heic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)      # the limit below is ours
            with Image.open(io.BytesIO(data)) as image:
                image.draft(None, (longest, longest))      # a JPEG is decoded at a half, a quarter or an eighth
                if image.width * image.height > 1e6 * MEGAPIXELS:
                    raise Image.DecompressionBombError
                ImageOps.exif_transpose(image, in_place=True)
                return np.asarray(reduced(to_grey(image), longest))
    except UnidentifiedImageError as error:
        raise ValueError(HEIC if is_heic(data) else "not an image, or of a kind that Pillow cannot read") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"too large, more than {MEGAPIXELS} megapixels: reduce it, or crop it to the character"
                         ) from error
    except Exception as error:      # Pillow's decoders raise nearly every kind of error for damaged bytes
        raise ValueError(f"a damaged image ({error})") from error


def is_heic(data):
    """Whether these are the bytes of a HEIC photo, as phones take them."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1",
                                                   b"msf1")


def register_heic():
    """Let Pillow read HEIC where pillow-heif is installed."""
    with contextlib.suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def at_size(square, size):
    """Ink (S, S) as (size, size, 1), its darkest pixel 255, because a pen thinner than a pixel would come out pale."""
    ink = np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))
    return np.rint(ink * (255 / max(1, ink.max()))).astype(np.uint8)[..., None]


def on_square(ink, side):
    """Ink (H, W) in the middle of side x side pixels of paper."""
    margins = [side - n for n in ink.shape]
    return np.pad(ink, [(margin // 2, margin - margin // 2) for margin in margins])


def fit(ink):
    """The drawing, ink (H, W), cut out and centred; its longer side is FITTED of the frame, its strokes at least PEN.

    Strokes are broadened because hardly anything of a ballpoint's thin line would be left in 28 x 28 pixels.
    """
    top, bottom, left, right = box_of(ink > 127)
    ink = ink[top:bottom + 1, left:right + 1]
    square = on_square(ink, max(3, round(max(ink.shape) / FITTED)))
    outline = sum(np.abs(np.diff(square / 255, axis=axis)).sum() for axis in (0, 1)) * np.pi / 4    # its length
    missing = PEN * len(square) - 2 * square.sum() / 255 / outline      # a line's area is its width times its length,
    broader = round(missing / 2)                                        # and its outline is twice its length
    if broader < 1:
        return square
    return widened(widened(square, broader, axis=0), broader, axis=1)


def widened(ink, n, axis):
    """The maximum over the n neighbours on each side along one axis.

    A window of 2n + 1 is two windows of a power of two that overlap, and each doubling of a window is one maximum, so
    the time grows with log n. Along both axes it is the maximum over a square, as Pillow's MaxFilter has it, whose time
    grows with n squared.
    """
    ink = np.moveaxis(ink, axis, 0)
    width, reach, padded = len(ink), 1, np.pad(ink, [(n, n)] + [(0, 0)] * (ink.ndim - 1))
    while 2 * reach <= 2 * n + 1:
        padded, reach = np.maximum(padded[:-reach], padded[reach:]), 2 * reach
    return np.moveaxis(np.maximum(padded[:width], padded[len(padded) - width:]), 0, axis)


def box_of(ink):
    """(top, bottom, left, right) of what is drawn, the last ones included, without dust at the sides."""
    where = np.nonzero(ink)
    return [int(n) for along in where
            for n in np.percentile(along, [SPECKS, 100 - SPECKS], method="nearest")]


def around_small_drawing(grey):
    """The part of grey (H, W) around a drawing that is too small a share of the sheet for `ink_on_paper`.

    What stands out from its surroundings by far more than the noise does, in windows of 3 x 3 pixels, is drawn.

    Raises: ValueError if nothing does, and if it is dust or all over the sheet.
    """
    if min(grey.shape) < 3 or not np.isfinite(grey).all():
        raise ValueError("nothing is drawn on it")
    coarse = Image.fromarray(grey).resize((16, 16), Image.Resampling.BOX)
    above = np.asarray(coarse.resize(grey.shape[::-1], Image.Resampling.BILINEAR)) - grey
    smooth = np.abs(np.lib.stride_tricks.sliding_window_view(above, (3, 3)).mean(axis=(2, 3)))
    drawn = smooth > max(LEAST_CONTRAST * np.abs(grey).max(), 10 * np.median(smooth))
    if not drawn.any():
        raise ValueError("nothing is drawn on it")
    top, bottom, left, right = box_of(drawn)
    side = max(bottom - top, right - left) + 1
    if not SMALLEST <= side <= max(grey.shape) / 3:
        other = "dust" if side < SMALLEST else "stains"
        raise ValueError(f"hardly anything is drawn on it, no more than {other}: crop it to the character")
    return grey[max(0, top - side):bottom + side + 3, max(0, left - side):right + side + 3]


def doubt_about(grey, ink):
    """Why ink (H, W) may not be what is drawn on the paper of grey (H, W); "" where nothing speaks for that."""
    edge = grey[border_of(grey.shape)]
    low, high = halves(edge)
    gap, spread = high.mean() - low.mean(), np.sqrt((low.var() * len(low) + high.var() * len(high)) / len(edge))
    contrast = np.ptp(np.percentile(grey, [0.5, 99.5]))
    if gap > max(0.4 * contrast, 4 * spread) and min(len(low), len(high)) > 0.15 * len(edge):
        return "its border has two levels; if one of them is not paper, crop the photo to the paper"
    is_ink = ink > 0.5
    if is_ink.all() or not is_ink.any():
        return ""
    top, bottom, left, right = box_of(is_ink)
    box = is_ink[top:bottom + 1, left:right + 1]
    is_light = grey[is_ink].mean() > grey[~is_ink].mean()      # as a sheet is, and hardly any ink
    if is_light and box.size > BLOB_BOX * ink.size and box.mean() > BLOB and min(box.shape) > 0.3 * min(ink.shape):
        return "its ink is one large blob; if that is the sheet on a desk, crop the photo to the paper"
    return ""


def halves(values):
    """The lower and the upper values where they fall apart best, that is with the largest variance between the two.

    Otsu 1979, on 64 thresholds. All of them twice where they are all the same.
    """
    def between(threshold):
        low = values <= threshold
        return low.mean() * (~low).mean() * (values[low].mean() - values[~low].mean()) ** 2

    if np.ptp(values) == 0:
        return values, values
    low = values <= max(np.linspace(values.min(), values.max(), 66)[1:-1], key=between)
    return values[low], values[~low]


def noise_of(grey):
    """The standard deviation of the noise in grey (H, W), from the differences of neighbours, most of which are paper.

    For normal noise the median of their absolute values is 0.6745 sqrt(2) = 0.954 standard deviations.
    """
    steps = np.diff(grey, axis=1 if grey.shape[1] > 1 else 0)
    return np.median(np.abs(steps)) / 0.954 if steps.size else 0


def border_of(shape):
    """Where the border of a picture of this shape is, (H, W) booleans."""
    edge = max(1, round(BORDER * min(shape)))
    is_border = np.ones(shape, bool)
    is_border[edge:-edge, edge:-edge] = False
    return is_border


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
    is_border = border_of(grey.shape)
    paper = np.median(grey[is_border])
    darkness = paper - grey
    if np.percentile(-darkness, full_at) > np.percentile(darkness, full_at):       # light on dark
        darkness = -darkness
    full = np.percentile(darkness, full_at)
    # written with `not`, so that NaN fails, too
    if not full > max(LEAST_CONTRAST * np.abs(grey).max(), 5 * noise_of(grey)):
        raise ValueError("nothing is drawn on it")
    # At most a third, because a stroke along the border must not be taken for a shadow.
    shade = np.clip(np.percentile(darkness[is_border], SHADE), 0, full / 3)
    return np.clip((darkness - shade) / (full - shade), 0, 1).astype(np.float32)
