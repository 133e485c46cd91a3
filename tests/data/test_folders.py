"""The reader's own images: whatever a phone, a scanner or a paint program writes."""

import contextlib
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from fewshot_np.data import folders, omniglot
from tests.data.archives import huge_png

pytestmark = pytest.mark.filterwarnings("error")  # a warning that is often wrong helps nobody


def drawing(width=200, height=200, ink="black", paper="white", pen=9, mode="RGB"):
    """An L: a stroke down the left third and one along the lower third."""
    image = Image.new(mode, (width, height), paper)
    ImageDraw.Draw(image).line(
        [(width * .3, height * .2), (width * .3, height * .7), (width * .7, height * .7)], fill=ink, width=pen)
    return image


EXIF_TURNED = Image.Exif()
EXIF_TURNED[0x0112] = 6      # "turn me clockwise to see me upright"


def saved(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.fixture
def reference(tmp_path):
    """The drawing as it should come out of every disguise."""
    return folders.read_image(saved(tmp_path / "reference.png", drawing()))


def difference(image, reference):
    """Mean absolute difference relative to the ink of the reference."""
    return np.abs(image.astype(float) - reference).sum() / reference.sum()


# --- One picture -----------------------------------------------------------------------------------------


def test_ink_is_255_and_paper_0(reference):
    assert reference.shape == (28, 28, 1)
    assert reference.dtype == np.uint8
    assert reference.max() == 255
    assert np.mean(reference == 0) > 0.7
    assert reference[10, 8, 0] > 200 < reference[19, 15, 0]      # the two strokes
    assert reference[10, 20, 0] == 0


def sixteen_bits(ink, paper):
    mask = np.asarray(drawing(mode="L"), np.float32) / 255
    return Image.fromarray(np.rint(ink + mask * (paper - ink)).astype(np.uint16))


DISGUISES = {
    "light on dark": (drawing(ink="white", paper="black"), ".png", {}),
    "blue on yellow": (drawing(ink="navy", paper="khaki"), ".png", {}),
    "chalk on green": (drawing(ink="lavender", paper="darkgreen"), ".png", {}),
    "pencil": (drawing(ink=(140,) * 3, paper=(200,) * 3), ".png", {}),
    "1 bit": (drawing().convert("1"), ".png", {}),
    "grey": (drawing().convert("L"), ".png", {}),
    "palette": (drawing(ink="red").convert("P"), ".png", {}),
    "palette with transparency": (drawing().quantize(4), ".gif", {"transparency": 0}),
    "16 bits": (sixteen_bits(2000, 50000), ".png", {}),
    "16 bits, light on dark": (sixteen_bits(60000, 300), ".png", {}),
    "16 bits, of which the camera used 12": (sixteen_bits(300, 3900), ".tif", {}),
    "floating point": (drawing().convert("F"), ".tif", {}),
    "grey with transparency": (drawing(ink=(0, 255), paper=(0, 0), mode="LA"), ".png", {}),
    "ink on nothing": (drawing(ink=(0, 0, 0, 255), paper=(0, 0, 0, 0), mode="RGBA"), ".png", {}),
    "white ink on nothing": (drawing(ink=(255,) * 4, paper=(255, 255, 255, 0), mode="RGBA"), ".png", {}),
    "opaque, with an alpha channel": (drawing(mode="RGBA"), ".png", {}),
    "for print": (drawing().convert("CMYK"), ".jpg", {"quality": 95}),
    "compressed": (drawing(), ".jpg", {"quality": 50}),
    "web": (drawing(), ".webp", {"quality": 80}),
    "windows": (drawing(), ".bmp", {}),
    "large": (drawing(2000, 2000, pen=90), ".jpg", {}),
    "small": (drawing(56, 56, pen=3), ".png", {}),
    "held upright": (drawing().rotate(90), ".jpg", {"exif": EXIF_TURNED, "quality": 95}),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_every_disguise_is_the_same_drawing(tmp_path, reference, disguise):
    image, suffix, options = DISGUISES[disguise]
    path = saved(tmp_path / f"image{suffix}", image, **options)
    result = folders.read_image(path)
    assert result.shape == reference.shape
    assert result.dtype == np.uint8
    assert difference(result, reference) < (0.35 if disguise == "small" else 0.15)
    folders.read_image(path, fitted=True)      # without a doubt


def test_the_aspect_is_kept(tmp_path):
    wide = folders.read_image(saved(tmp_path / "wide.png", drawing(400, 200)))[..., 0]
    tall = folders.read_image(saved(tmp_path / "tall.png", drawing(200, 400)))[..., 0].T
    for image in (wide, tall):
        assert not image[:7].any()
        assert not image[-7:].any()
        assert image[7:-7].any()


def test_any_size_and_a_pen_of_any_width(tmp_path):
    for size in (1, 14, 28, 105, 300):
        assert folders.read_image(saved(tmp_path / "a.png", drawing()), size).shape == (size, size, 1)
    assert folders.read_image(saved(tmp_path / "b.png", drawing(600, 600, pen=6))).max() == 255      # not pale
    long = Image.new("L", (4000, 3), 255)
    long.paste(0, (1500, 0, 2500, 2))
    with pytest.warns(UserWarning, match="border"):      # its stroke lies there
        assert folders.read_image(saved(tmp_path / "c.png", long)).max() == 255


@pytest.mark.parametrize("light", [1, -1])
def test_a_photograph_of_uneven_paper(tmp_path, reference, light):
    rng = np.random.default_rng(0)
    sheet = np.asarray(drawing(1200, 1200, (60,) * 3, (205,) * 3, pen=54).convert("L"), float)
    sheet = sheet * np.linspace(1, 0.75, 1200)[::light] + rng.normal(0, 8, sheet.shape)
    photo = Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))
    result = folders.read_image(saved(tmp_path / "photo.jpg", photo))
    assert np.mean(result == 0) > 0.6
    assert difference(result, reference) < 0.35
    assert result[reference == 0].max() < 80
    folders.read_image(tmp_path / "photo.jpg", fitted=True)


def test_ink_that_touches_the_border(tmp_path):
    image = drawing()
    ImageDraw.Draw(image).line([(0, 60), (200, 60)], fill="black", width=20)
    result = folders.read_image(saved(tmp_path / "a.png", image))[..., 0]
    assert result[8].min() > 200
    assert result[2].max() == 0
    folders.read_image(tmp_path / "a.png", fitted=True)


def test_a_drawing_of_omniglot_is_what_omniglot_reads(tmp_path):
    path = saved(tmp_path / "a.png", drawing(105, 105, ink=0, paper=1, pen=3, mode="1"))
    plain, fitted = (omniglot.decode(path.read_bytes(), 28, fitted).astype(int) for fitted in (False, True))
    assert np.abs(folders.read_image(path) - plain * 255 / plain.max()).max() <= 2
    assert np.abs(folders.read_image(path, fitted=True) - fitted).max() <= 2
    assert np.abs(plain - fitted).mean() > 10
    empty = saved(tmp_path / "b.png", Image.new("1", (105, 105), 1))      # of which nothing can be cut out
    assert not omniglot.decode(empty.read_bytes(), 28, fitted=True).any()


@pytest.mark.parametrize("image", [
    Image.new("L", (50, 50), 255), Image.new("RGB", (50, 50), "black"), Image.new("RGBA", (50, 50), (0, 0, 0, 0)),
    Image.new("L", (1, 1), 7), Image.fromarray(np.full((9, 9), np.nan, np.float32)),
    Image.fromarray(np.random.default_rng(0).normal(200, 1, (60, 60)).astype(np.uint8)),
], ids=["white", "black", "transparent", "one pixel", "no numbers", "noise"])
def test_a_bare_sheet_is_an_error(tmp_path, image):
    with pytest.raises(ValueError, match="nothing is drawn"):
        folders.read_image(saved(tmp_path / "a.tif", image))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp", ".tif"])
def test_an_image_cut_off_anywhere(tmp_path, suffix):
    data = saved(tmp_path / f"a{suffix}", drawing()).read_bytes()
    for share in range(20):
        (tmp_path / f"b{suffix}").write_bytes(data[:len(data) * share // 20])
        with contextlib.suppress(ValueError):      # and no other error
            folders.read_image(tmp_path / f"b{suffix}")


# --- A folder --------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    """Three classes of unequal size."""
    for name, n in [("ka", 3), ("alef", 2), ("Zhe", 1)]:
        for k in range(n):
            saved(tmp_path / "own" / name / f"{k}.png", drawing(pen=5 + 2 * k))
    return tmp_path / "own"


def test_a_folder_is_classes_and_hidden_files_are_ignored(own):
    for folder in (".git", "__MACOSX"):
        (own / folder).mkdir()
    for name in ("README.txt", "ka/.DS_Store", "ka/Thumbs.db"):      # beside the sub-folders anything may stand
        (own / name).write_bytes(b"\0")
    classes = folders.load(own)
    assert classes.names == ("Zhe", "alef", "ka")
    assert classes.groups == ("folder",) * 3
    assert classes.labels.tolist() == [0, 1, 1, 2, 2, 2]
    assert classes.images.shape == (6, 28, 28, 1)
    assert np.array_equal(classes.images[4], folders.read_image(own / "ka" / "1.png"))
    assert folders.load(str(own), size=14).images.shape == (6, 14, 14, 1)
    fitted = folders.load(own, fitted=True).images
    assert np.array_equal(fitted[4], folders.read_image(own / "ka" / "1.png", fitted=True))
    assert (fitted != classes.images).any()


def test_what_is_skipped_is_told_in_one_line(own):
    (own / "ka" / "notes.txt").write_text("not an image")
    (own / "ka" / "broken.png").write_bytes((own / "ka" / "0.png").read_bytes()[:100])
    for k in range(5):
        saved(own / "alef" / f"blank{k}.png", Image.new("L", (20, 20), 255))
    (own / "alef" / "deeper").mkdir()
    with pytest.warns(UserWarning, match="8 of 14 files skipped") as caught:
        classes = folders.load(own)
    assert len(classes.images) == 6
    (message,) = [str(warning.message) for warning in caught]
    for words in ("5 nothing is drawn on it (alef/blank0.png, alef/blank1.png, alef/blank2.png, ...)", "alef/deeper",
                  "1 a damaged image", "(ka/broken.png)", "1 not an image", "(ka/notes.txt)"):
        assert words in message.replace("\\", "/")
    assert "\n" not in message


def test_an_image_that_is_twice_in_its_class_is_told(own):
    (own / "ka" / "9.png").write_bytes((own / "ka" / "1.png").read_bytes())
    saved(own / "ka" / "8.bmp", Image.open(own / "ka" / "1.png"))
    with pytest.warns(UserWarning, match="2 of 8 files twice in their class: 2 so that a query may be") as caught:
        assert len(folders.load(own).images) == 8
    (message,) = [str(warning.message) for warning in caught]
    assert all(words in message.replace("\\", "/") for words in ("ka/8.bmp = ka/1.png", "ka/9.png = ka/1.png"))


def test_a_class_without_a_readable_image_is_an_error(own):
    (own / "empty class").mkdir()
    with pytest.raises(ValueError, match="class 'empty class' has no readable image"):
        folders.load(own)
    (own / "empty class" / "text.png").write_text("no image")
    with pytest.warns(UserWarning, match=r"text\.png"), pytest.raises(ValueError, match="class 'empty class'"):
        folders.load(own)


def test_folders_that_are_none(own, tmp_path):
    saved(tmp_path / "one" / "only" / "a.png", drawing())
    for path, error, message in [
            (tmp_path / "nowhere", FileNotFoundError, "nowhere"), (own / "ka" / "0.png", ValueError, "is a file"),
            (own / "ka", ValueError, "has 0 sub-folders.*it holds 3 files itself: give .*own\\?"),
            (tmp_path / "one", ValueError, "has 1 sub-folders; expected is one per class, 2 or more")]:
        with pytest.raises(error, match=message):
            folders.load(path)


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="everything is readable for root")
def test_a_file_without_permission_is_named(own):
    (own / "ka" / "0.png").chmod(0)
    with pytest.warns(UserWarning, match=r"Permission denied \(.*0\.png"):
        assert len(folders.load(own).images) == 5


@pytest.mark.parametrize("parts", [("train", "test"), ("train",)])
def test_a_folder_one_level_too_high_is_told_with_the_one_to_give(own, tmp_path, parts):
    for part in parts:
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in ("ka", "alef"):
            saved(tmp_path / "set" / part / name / "0.png", drawing())
    with (pytest.warns(UserWarning, match="a folder, not an image") if len(parts) > 1 else contextlib.nullcontext(),
          pytest.raises(ValueError, match=r"its entries are folders: give .*train\?|give .*test\?")):
        folders.load(tmp_path / "set")


# --- Photos of which something is wrong ------------------------------------------------------------------


def on_a_desk(sheet=(400, 300), place=(200, 150), size=(800, 600), paper=225, desk=60):
    """A photo of a sheet with an L on it, on a desk with a grain."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(np.clip(rng.normal(desk, 8, size[::-1]), 0, 255).astype(np.uint8))
    photo.paste(drawing(*sheet, ink=(20,) * 3, paper=(paper,) * 3).convert("L"), place)
    return photo


@pytest.mark.parametrize("fitted", [False, True])
def test_a_sheet_on_a_desk_is_told(tmp_path, fitted):
    for name, label, image in [("a", "x", on_a_desk()), ("b", "y", on_a_desk((800, 600), (250, 0))),
                               ("c", "x", drawing()), ("d", "y", drawing())]:
        path = saved(tmp_path / label / f"{name}.png", image)
        if name == "b":      # the sheet leaves the picture on three sides
            with pytest.warns(UserWarning, match="border has two levels"):
                folders.read_image(path, fitted=fitted)
    with pytest.warns(UserWarning, match="2 of 4 files perhaps read wrongly: 1 its ") as caught:
        folders.load(tmp_path, fitted=fitted)
    (message,) = [str(warning.message) for warning in caught]
    assert all(name in message for name in ("a.png", "b.png", "one large blob", "two levels"))


@pytest.mark.parametrize("darkest", [1, 0.8])
def test_a_small_letter_on_a_photographed_page_is_found(tmp_path, darkest):
    """4,000 x 3,000 pixels, of which the letter covers one in 4,000, under 0.05 %; evenly lit or from one side."""
    rng = np.random.default_rng(0)
    page = np.clip(rng.normal(205, 6, (3000, 4000)) * np.linspace(1, darkest, 4000), 0, 255).astype(np.uint8)
    letter = np.asarray(drawing(150, 150, (50,) * 3, (255,) * 3, 7).convert("L").crop((35, 20, 115, 115)))
    page[1800:1895, 2500:2580] = np.minimum(page[1800:1895, 2500:2580], letter)
    path = saved(tmp_path / "page.jpg", Image.fromarray(page), quality=90)
    expected = folders.read_image(saved(tmp_path / "L.png", drawing(600, 600, pen=40)), fitted=True)
    assert difference(folders.read_image(path, fitted=True), expected) < 0.45
    if darkest == 1:
        with pytest.raises(ValueError, match="hardly anything is drawn on it: crop it to the character"):
            folders.read_image(path)


def test_dust_and_an_empty_page_are_no_letter(tmp_path):
    rng = np.random.default_rng(0)
    page = Image.fromarray(np.clip(rng.normal(205, 8, (1500, 2000)), 0, 255).astype(np.uint8))
    with pytest.raises(ValueError, match="nothing is drawn on it"):
        folders.read_image(saved(tmp_path / "page.jpg", page), fitted=True)
    ImageDraw.Draw(page).ellipse((900, 700, 903, 703), fill=30)
    with pytest.raises(ValueError, match="hardly anything is drawn on it, no more than dust"):
        folders.read_image(saved(tmp_path / "dust.png", page), fitted=True)


def test_heic_is_named_with_its_cure_and_read_where_pillow_heif_is(tmp_path, monkeypatch):
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"a HEIC photo: `pip install pillow-heif`.* save it as JPEG"):
        folders.read_image(path)

    def register():      # what pillow-heif does, for this file
        Image.register_open("HEIF", lambda file, name: drawing(), lambda start: start[4:12] == b"ftypheic")
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register))
    assert np.array_equal(folders.read_image(path), folders.read_image(saved(tmp_path / "a.png", drawing())))


# --- What is drawn, cut out ------------------------------------------------------------------------------


def extent(image):
    """(first and last row, first and last column) of the ink."""
    return [tuple(np.flatnonzero((image[..., 0] > 127).any(axis))[[0, -1]]) for axis in (1, 0)]


@pytest.mark.parametrize(("size", "place", "scale"), [(300, (80, 80), 1), (900, (500, 300), 1), (900, (40, 30), 2.5)])
def test_a_fitted_drawing_is_centred_and_as_large_wherever_it_stood(tmp_path, size, place, scale):
    sheet = Image.new("RGB", (size, size), "white")
    small = drawing().crop((40, 20, 160, 160))
    sheet.paste(small.resize([round(n * scale) for n in small.size]), place)
    image = folders.read_image(saved(tmp_path / "a.png", sheet), fitted=True)
    assert image.shape == (28, 28, 1)
    (top, bottom), (left, right) = extent(image)
    assert max(bottom - top, right - left) + 1 == pytest.approx(20, abs=2)
    assert top + bottom == pytest.approx(27, abs=1)
    assert left + right == pytest.approx(27, abs=1)


def test_a_fitted_line_is_as_broad_as_the_glyphs_but_a_broad_one_stays(tmp_path):
    def across(pen):
        """Mean width of the vertical stroke of the L, in pixels."""
        image = folders.read_image(saved(tmp_path / "a.png", drawing(600, 600, pen=pen)), fitted=True)
        return (image[8:16, :, 0] / 255).sum(axis=1).mean()

    assert across(4) == pytest.approx(28 * folders.PEN, abs=0.7)
    assert across(12) == pytest.approx(28 * folders.PEN, abs=0.7)
    assert min(across(90), across(108)) > 4.5


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 20, 31])
def test_strokes_are_widened_as_by_pillows_square_maximum(n):
    ink = np.random.default_rng(n).integers(0, 256, (40, 57)).astype(np.uint8)
    ink[np.random.default_rng(n).random(ink.shape) < 0.9] = 0
    ink[0, 0], ink[-1, -1] = 255, 254
    mine = folders.widened(folders.widened(ink, n, axis=0), n, axis=1)
    np.testing.assert_array_equal(mine, Image.fromarray(ink).filter(ImageFilter.MaxFilter(2 * n + 1)))


def test_dust_is_not_fitted(tmp_path):
    clean, dusty = drawing(600, 600, pen=40), drawing(600, 600, pen=40)
    ImageDraw.Draw(dusty).point([(595, 590), (594, 590), (10, 12)], fill="black")
    clean, dusty = (folders.read_image(saved(tmp_path / f"{i}.png", image), fitted=True)
                    for i, image in enumerate((clean, dusty)))
    assert difference(dusty, clean) < 0.05


@pytest.mark.parametrize("sides", [(10_001, 10_000), (60_000, 60_000)], ids=["large", "bomb"])
def test_a_picture_of_too_many_pixels_is_refused_before_any_is_decoded(tmp_path, sides):
    (tmp_path / "large.png").write_bytes(huge_png(*sides))
    with pytest.raises(ValueError, match="too large, more than 100 megapixels"):
        folders.read_image(tmp_path / "large.png")
