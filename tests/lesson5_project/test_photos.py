"""The reader's photos: every kind is read and classified, bad ones are named."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fewshot_np.lesson5_project import classify
from fewshot_np.lesson5_project.__main__ import main
from fewshot_np.lesson5_project.figures import draw_answers, drawable, save_answers
from fewshot_np.lesson5_project.model_file import save_model
from fewshot_np.lesson5_project.photos import printable
from tests.lesson5_project.parts import SHAPES, by_hand_model, small_classes
from tests.scaffolding import no_training

DISGUISES = [("a.png", {}), ("small.png", {"scale": 0.25, "pen": 3, "corner": (150, 120)}),
             ("chalk.jpg", {"ink": "white", "paper": "navy"}), ("turned.jpg", {}),
             ("clear.png", {"mode": "RGBA", "ink": (0, 0, 0, 255), "paper": (0, 0, 0, 0)}),
             ("grey.png", {"mode": "L", "ink": 90, "paper": 200}), ("wide.png", {"size": (900, 240)})]


def photo(path, shape, size=(300, 240), ink="black", paper="white", pen=5, scale=0.4, corner=(60, 50), mode="RGB"):
    image = Image.new(mode, size, paper)
    for line in SHAPES[shape]:
        ImageDraw.Draw(image).line([(corner[0] + x * scale * 240, corner[1] + y * scale * 240) for x, y in line],
                                   fill=ink, width=pen)
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = Image.Exif()
    if path.stem == "turned":
        image, turned[0x0112] = image.rotate(90, expand=True), 6
    image.save(path, exif=turned)
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


def run_classify(own, *photos, **more):
    options = {"--support": own / "support", "--model": own / "model.npz", "--out": own / "out", **more}
    main(["--classify", *map(str, photos), *(str(word) for pair in options.items() for word in pair)])


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


def test_photos_of_every_kind_are_classified_without_training(own, capsys, monkeypatch):
    no_training(monkeypatch)
    photos = [photo(own / name, "triangle", **look) for name, look in DISGUISES]
    photos += [photo(own / "z.png", "zigzag"), photo(own / "x.png", "cross", scale=0.6, pen=8)]
    run_classify(own, *photos)
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " p = " in line and "; then " in line]
    expected = ["triangle"] * len(DISGUISES) + ["zigzag", "cross"]
    for path, shape, line in zip(photos, expected, lines, strict=True):
        assert line.split()[:4] == [path.name, shape, "p", "="], out
    assert max(len(line) for line in out.splitlines() if str(own) not in line) <= 80
    picture = own / "out" / "classified" / "answers.png"
    assert str(picture) in out
    assert Image.open(picture).size[0] > 500
    run_classify(own, photos[0])                            # a second time into the same folder


def test_an_unknown_class_is_none_of_these(own, capsys):
    save_model(own / "model.npz", by_hand_model(0.999999))
    run_classify(own, photo(own / "bar.png", "bar"))
    assert "none of these (nearest: " in capsys.readouterr().out


def test_names_that_a_terminal_or_a_font_may_not_know(own, capsys, monkeypatch):
    (own / "support" / "cross").rename(own / "support" / "十字")
    run_classify(own, photo(own / "x.png", "cross"))
    assert "十字 p = " in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert printable("十字") == "??"
    assert drawable(["α", "十字"], 0, 9) == "α"
    assert drawable(["α", "十字"], 1, 9) == "class 2"


@pytest.mark.parametrize(("photos", "more", "error", "message"), [
    (["nowhere.png"], {}, FileNotFoundError, "there is no file .*nowhere.png"),
    (["support"], {}, ValueError, "support: Is a directory|support: Permission denied"),
    (["model.npz"], {}, ValueError, "model.npz: not an image"),
    (["a.png"], {"--support": "no"}, FileNotFoundError, "there is no folder"),
    (["a.png"], {"--model": "a.png"}, ValueError, "damaged or not a parameter file"),
])
def test_bad_photos_and_folders_are_named(own, photos, more, error, message):
    photo(own / "a.png", "cross")
    with pytest.raises(error, match=message):
        run_classify(own, *(own / name for name in photos), **{option: own / name for option, name in more.items()})


def test_a_missing_support_is_named(tmp_path):
    with pytest.raises(ValueError, match="--classify needs --support FOLDER"):
        main(["--classify", "a.png", "--out", str(tmp_path)])


def test_the_first_use_trains_a_model_and_the_second_finds_it(own, monkeypatch, capsys):
    more = {"--model": own / "new.npz", "--iterations": 2, "--pairs": 40}
    run_classify(own, photo(own / "a.png", "cross"), **more)
    assert "There is no model" in capsys.readouterr().out
    no_training(monkeypatch)
    run_classify(own, own / "a.png", **more)
    assert "There is no model" not in capsys.readouterr().out


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
