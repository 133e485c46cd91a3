"""The reader's photos: every kind is read and classified, bad ones are named."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fewshot_np.lesson5_project import classify
from fewshot_np.lesson5_project.__main__ import main
from fewshot_np.lesson5_project.figures import draw_answers, drawable, save_answers
from fewshot_np.lesson5_project.model_file import save_model
from fewshot_np.lesson5_project.photos import photo_paths
from tests.lesson5_project.parts import SHAPES, by_hand_model, small_classes
from tests.scaffolding import no_training

DISGUISES = [("a.png", {}), ("small.png", {"scale": 0.25, "pen": 3, "corner": (150, 120)}),  # more: test_folders.py
             ("chalk.jpg", {"ink": "white", "paper": "navy"}), ("wide.png", {"size": (900, 240)})]


def photo(path, shape, size=(300, 240), ink="black", paper="white", pen=5, scale=0.4, corner=(60, 50)):
    image = Image.new("RGB", size, paper)
    for line in SHAPES[shape]:
        ImageDraw.Draw(image).line([(corner[0] + x * scale * 240, corner[1] + y * scale * 240) for x, y in line],
                                   fill=ink, width=pen)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


@pytest.fixture
def own(tmp_path):
    """Three classes of 2, 1 and 2 examples, and a model that needs no training."""
    for shape in ("cross", "triangle", "zigzag"):
        photo(tmp_path / "support" / shape / "1.png", shape)
    photo(tmp_path / "support" / "cross" / "2.jpg", "cross", ink="white", paper="darkgreen", corner=(30, 90))
    photo(tmp_path / "support" / "zigzag" / "2.png", "zigzag", size=(600, 260), scale=0.7, pen=9)
    save_model(tmp_path / "model.npz", by_hand_model(0.0))
    return tmp_path


@pytest.fixture
def told(own, capsys):
    """told(*photos, **options): what `--classify` prints of them."""
    def told(*photos, **more):
        options = {"--support": own / "support", "--model": own / "model.npz", "--out": own / "out", **more}
        main(["--classify", *map(str, photos), *(str(word) for pair in options.items() for word in pair)])
        return capsys.readouterr().out
    return told


def words(text):
    """The text without its line breaks."""
    return " ".join(text.split())


def test_classify_names_the_class_or_none():
    classes = small_classes(3, 3)
    images = classes.images.astype("float32") / 255
    keep = np.array([0, 1, 3, 6, 7])                     # unequal counts: 2, 1, 2
    unknown = np.random.default_rng(9).random((1, 28, 28, 1), dtype="float32")
    queries = np.concatenate([images[[2, 4, 8]], unknown])
    answers = classify(by_hand_model(0.8), images[keep], classes.labels[keep], queries)
    assert [answer.label for answer in answers] == [0, 1, 2, None]
    for answer, examples in zip(answers, [{0, 1}, {2}, {3, 4}], strict=False):
        assert set(answer.nearest[:len(examples)]) == examples
        assert answer.probabilities.shape == (3,)
        assert (np.diff(answer.alike[answer.nearest]) <= 0).all()
    assert all(a.label is None for a in classify(by_hand_model(1.0), images[keep], classes.labels[keep], queries))


def test_photos_of_every_kind_are_classified_without_training(own, told, monkeypatch):
    no_training(monkeypatch)
    photos = [photo(own / name, "triangle", **look) for name, look in DISGUISES]
    photos += [photo(own / "z.png", "zigzag"), photo(own / "x.png", "cross", scale=0.6, pen=8)]
    out = told(*photos)
    lines = [line for line in out.splitlines() if " p = " in line and "; then " in line]
    expected = ["triangle"] * len(DISGUISES) + ["zigzag", "cross"]
    for path, shape, line in zip(photos, expected, lines, strict=True):
        assert line.split()[:4] == [path.name, shape, "p", "="], out
    assert max(len(line) for line in out.splitlines() if str(own) not in line) <= 80
    picture = own / "out" / "classified" / "answers.png"
    assert str(picture) in out
    assert Image.open(picture).size[0] > 500
    save_model(own / "model.npz", by_hand_model(0.999999))  # a second time into the same folder
    assert "none of these (nearest: " in told(photo(own / "bar.png", "bar"))


def test_names_are_whole_and_in_any_script(own, told):
    long = "a-rather-long-name-of-a-class"
    (own / "support" / "cross").rename(own / "support" / "十字")
    (own / "support" / "zigzag").rename(own / "support" / long)
    out = told(photo(own / "x.png", "cross"), photo(own / "the-zigzag-of-yesterday-evening.png", "zigzag"))
    assert "十字 p = " in out
    assert f"the-zigzag-of-yesterday-evening.png  {long} p = " in out
    assert drawable(["α", "十字"], 0, 9) == "α"
    assert drawable(["α", "十字"], 1, 9) == "class 2"


def test_a_path_that_the_output_cannot_show_stops_nothing(own):
    (own / "support" / "cross").rename(own / "support" / "十字")
    photo(own / "相片.png", "cross")
    (own / "坏.png").write_bytes(b"no image")
    command = ["-m", "fewshot_np.lesson5_project", "--classify", own / "相片.png", own / "坏.png",
               "--support", own / "support", "--model", own / "model.npz", "--out", own / "结果"]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True,
                          env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"})
    assert (own / "结果" / "classified" / "answers.png").exists(), done.stderr
    assert b"??.png" in done.stdout
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1                          # for the photo that is none


def test_bad_photos_are_skipped_with_a_line_and_the_exit_code_says_so(own, told, capsys):
    (own / "bad.png").write_bytes(b"no image")
    with pytest.raises(SystemExit) as end:
        told(photo(own / "a.png", "cross"), own / "bad.png", own / "nowhere.png", photo(own / "b.png", "zigzag"))
    assert end.value.code == "2 of 4 photos could not be read"      # text: exit code 1
    out = words(capsys.readouterr().out)
    assert "a.png cross p = " in out
    assert "b.png zigzag p = " in out
    assert "2 photos skipped: 1 not an image" in out
    assert "1 there is no such file" in out


def test_folders_and_patterns_of_photos(own, told):
    for name in ("new/b.png", "new/a.png", "new/deeper/c.png", "z.png"):
        photo(own / name, "cross")
    (own / "new" / ".hidden").write_bytes(b"")
    found = [own / "new" / name for name in ("a.png", "b.png", "deeper/c.png")]
    assert photo_paths([own / "new", own / "z.png"]) == [*found, own / "z.png"]
    assert photo_paths([own / "new" / "*.png"]) == found[:2]
    assert photo_paths([str(own / "**" / "c.png")]) == found[2:]
    assert told(own / "new", own / "new" / "?.png").count("cross p = ") == 5
    (own / "empty").mkdir()
    for word, error, message in [("*.jpg", FileNotFoundError, r"no file matches .*\*\.jpg"),
                                 ("empty", ValueError, "there are no files in the folder .*empty")]:
        with pytest.raises(error, match=message):
            told(own / word)


def test_a_photo_that_is_an_example_itself_is_told(own, told):
    out = told(own / "support" / "cross" / "1.png", photo(own / "mine.png", "cross", pen=9, scale=0.8))
    assert "so its answer proves nothing: 1.png Written" in words(out)


def test_a_doubtful_photo_is_told(own, told):
    desk = Image.new("L", (800, 600), 40)
    desk.paste(Image.open(photo(own / "sheet.png", "cross", size=(400, 400))).convert("L"), (200, 100))
    desk.save(own / "desk.png")
    assert "1 photos perhaps read wrongly: 1 its ink is one large blob" in words(told(own / "desk.png"))


@pytest.mark.parametrize(("photos", "more", "error", "message"), [
    (["nowhere.png"], {}, FileNotFoundError, "there is no such file .*nowhere.png"),
    (["model.npz"], {}, ValueError, "none of the photos can be read: 1 not an image.*model.npz"),
    (["a.png"], {"--support": "no"}, FileNotFoundError, "there is no folder"),
    (["a.png"], {"--model": "a.png"}, ValueError, "damaged or not a parameter file"),
])
def test_bad_photos_and_folders_are_named(own, told, photos, more, error, message):
    photo(own / "a.png", "cross")
    with pytest.raises(error, match=message):
        told(*(own / name for name in photos), **{option: own / name for option, name in more.items()})
    with pytest.raises(ValueError, match="--classify needs --support FOLDER"):
        main(["--classify", "a.png", "--out", str(own)])


def test_a_model_file_that_is_not_there_yet_is_trained_and_kept_there(own, told, monkeypatch):
    more = {"--model": own / "new.npz", "--iterations": 2, "--pairs": 40}
    assert "There is no model" in told(photo(own / "a.png", "cross"), **more)
    no_training(monkeypatch)
    assert "There is no model" not in told(own / "a.png", **more)


def test_a_model_is_found_again_from_any_folder(own, monkeypatch, capsys):
    monkeypatch.setenv("FEWSHOT_NP_CACHE", str(own / "cache"))
    photo(own / "a.png", "cross")

    def use(*more):
        main(["--quick", "--classify", str(own / "a.png"), "--support", str(own / "support"), "--iterations", "2",
              "--pairs", "40", *more])
        return capsys.readouterr().out

    assert "trained first. This is done once." in use("--out", str(own / "one"))
    no_training(monkeypatch)
    assert str(own / "cache") in use("--out", str(own / "two"))       # one place, whatever the folder
    assert str(own / "one" / "model.npz") in use("--out", str(own / "one"))
    with pytest.raises(AssertionError, match="training started"):      # other options are another model
        use("--out", str(own / "three"), "--seed", "1")


def test_many_answers_stand_on_pages_and_take_time_in_proportion(tmp_path):
    classes = small_classes(3, 4)
    queries = np.repeat(classes.images / np.float32(255), 6, axis=0)[:65]
    answers = classify(by_hand_model(0.5), classes.images / np.float32(255), classes.labels, queries)
    (tmp_path / "answers-9.png").write_bytes(b"of an earlier use")
    (tmp_path / "answers-mine.png").write_bytes(b"not of an earlier use")
    pages = save_answers(tmp_path, queries, [f"{i}.png" for i in range(65)], answers, classes)
    assert [page.name for page in pages] == ["answers.png", "answers-2.png", "answers-3.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(page.name for page in pages), "answers-mine.png"])
    heights = [Image.open(page).size[1] for page in pages]
    assert heights[0] == heights[1] > 5 * heights[2]
    figure = draw_answers(queries[:30], [f"{i}.png" for i in range(30)], answers[:30], classes)
    assert len(figure.axes) == 1                                 # the layout of many axes took minutes
    assert len(figure.axes[0].images) == 30 * 6
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {f"{i}.png" for i in range(30)} <= set(texts)
