"""Lesson 2's data: what is trained, validated and tested on, and the run on a reader's folder however small."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fewshot_np.data import glyphs, omniglot
from fewshot_np.data.splits import group_phrase, hold_out_groups, load_splits
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson2_episodes import main
from tests.data import archives

BACKGROUND = {f"Old_{k}": 30 + k for k in range(7)}      # {alphabet: number of characters}
EVALUATION = {f"New_{k}": 35 for k in range(2)}


def options_of(data, **others):
    return SimpleNamespace(**{"data": str(data), "data_root": None, "quick": True, "seed": 0, **others})


def assert_disjoint(*parts):
    """No name stands in two parts."""
    together = sum((tuple(part) for part in parts), ())
    assert len(set(together)) == len(together)


@pytest.fixture
def no_glyphs(monkeypatch):
    """Fails where glyphs are loaded that nobody asked for."""
    def unwanted(*arguments, **keywords):
        raise AssertionError("glyphs loaded")
    monkeypatch.setattr(glyphs, "load", unwanted)


# ---------------------------------------------------------------- glyphs


def test_glyphs_come_in_their_own_splits():
    parts = load_splits(options_of("glyphs"))
    assert [len(part) for part in parts] == [100, 50, 50]
    assert_disjoint(*(part.names for part in parts))
    assert_disjoint(*(set(part.groups) for part in parts))
    assert group_phrase(parts[2], options_of("glyphs")) == " of 4 scripts"


# ---------------------------------------------------------------- Omniglot


@pytest.fixture
def root(tmp_path, monkeypatch, no_glyphs):
    """A folder with small archives of the background and the evaluation set."""
    for kind, alphabets in [("background", BACKGROUND), ("evaluation", EVALUATION)]:
        path = tmp_path / "omniglot" / omniglot.FILES[kind]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(archives.packed(archives.drawings(kind, alphabets)))
        monkeypatch.setitem(omniglot.EXPECTED, kind, archives.counts(alphabets))
    monkeypatch.setenv("FEWSHOT_NP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FEWSHOT_NP_DATA", raising=False)
    return tmp_path


def test_omniglot_is_split_by_alphabet(root):
    train, validation, test = load_splits(options_of("omniglot", data_root=root, quick=False))
    assert set(test.groups) == set(EVALUATION)
    assert len(test) == 70
    assert len(set(validation.groups)) == 5
    assert set(train.groups) | set(validation.groups) == set(BACKGROUND)
    assert_disjoint(set(train.groups), set(validation.groups), set(test.groups))
    assert len(train) + len(validation) == sum(BACKGROUND.values())      # and nobody got lost
    assert group_phrase(train, options_of("omniglot")) == " of 2 alphabets"


def test_the_seed_chooses_the_alphabets_to_validate_on(root):
    def alphabets(seed):
        _, validation, _ = load_splits(options_of("omniglot", data_root=root, quick=False, seed=seed))
        return frozenset(validation.groups)

    assert alphabets(0) == alphabets(0)
    assert len({alphabets(seed) for seed in range(5)}) > 1


def test_quick_omniglot_is_small_and_still_split_by_alphabet(root):
    quick = load_splits(options_of("omniglot", data_root=root))
    full = load_splits(options_of("omniglot", data_root=root, quick=False))
    assert [len(part) for part in quick] == [60, 30, 60]
    assert_disjoint(*(set(part.groups) for part in quick))
    assert all(set(part.names) <= set(whole.names) for part, whole in zip(quick, full, strict=True))
    again = load_splits(options_of("omniglot", data_root=root))
    assert [part.names for part in quick] == [part.names for part in again]


def test_images_stay_with_their_class_when_alphabets_are_held_out(root):
    background = omniglot.load(root, "background")
    for part in hold_out_groups(background, 5, np.random.default_rng(3)):
        for name, ids in zip(part.names, part.images_of, strict=True):
            original = background.images_of[background.names.index(name)]
            np.testing.assert_array_equal(part.images[ids], background.images[original])


def test_missing_archives_are_the_loaders_error(tmp_path, no_glyphs):
    with pytest.raises(FileNotFoundError, match="images_background"):
        load_splits(options_of("omniglot", data_root=tmp_path))


def test_the_run_on_omniglot_speaks_of_alphabets(root, capsys):
    main(["--quick", "--data", "omniglot", "--data-root", str(root), "--episodes", "2", "--out", str(root / "out")])
    printed = capsys.readouterr().out
    assert printed.startswith("Characters of 2 alphabets that nobody has trained on")
    assert "30 characters of 5 alphabets" in printed
    assert "scripts" not in printed
    assert "5-way 5-shot   left out" in printed      # two drawings of each character: one shot, one query
    assert "pixels 20-way 1-shot" in read_record(root / "out/record.json")["metrics"]


@pytest.mark.skipif(not os.environ.get("FEWSHOT_NP_DATA"), reason="FEWSHOT_NP_DATA names no folder with Omniglot")
def test_the_real_omniglot():
    train, validation, test = load_splits(options_of("omniglot", quick=False))
    assert len(train) + len(validation) == 964
    assert len(test) == 659
    assert [len(set(part.groups)) for part in (train, validation, test)] == [25, 5, 20]
    assert_disjoint(set(train.groups), set(validation.groups), set(test.groups))
    assert [len(part) for part in load_splits(options_of("omniglot"))] == [60, 30, 60]


# ---------------------------------------------------------------- a folder


def folder_of(path, *sizes):
    """Class folders "class 00" and so on of these numbers of pictures: the class is the slope, each is shifted."""
    for label, size in enumerate(sizes):
        folder = path / f"class {label:02d}"
        folder.mkdir(parents=True)
        for k in range(size):
            image = Image.new("L", (40, 40), 255)
            ImageDraw.Draw(image).line([(8 + k % 3, 10), (8 + label, 30 - k % 5)], fill=0, width=3)
            image.save(folder / f"{k}.png")
    return path


def test_a_large_folder_is_split_in_half_and_quarters(tmp_path, capsys, no_glyphs):
    parts = load_splits(options_of(folder_of(tmp_path / "mine", *[2] * 23)))
    assert [len(part) for part in parts] == [13, 5, 5]
    assert_disjoint(*(part.names for part in parts))
    assert group_phrase(parts[0], options_of(tmp_path / "mine")) == ""
    (line,) = capsys.readouterr().out.splitlines()
    assert "23 classes, split at random" in line


def test_the_seed_splits_a_folder(tmp_path):
    folder_of(tmp_path / "mine", *[1] * 20)
    splits = [[part.names for part in load_splits(options_of(tmp_path / "mine", seed=seed))] for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize(("n_classes", "n_way", "is_split"), [
    (20, {}, True), (19, {}, False), (8, {"n_way": 2}, True), (7, {"n_way": 2}, False), (23, {"n_way": 6}, False)])
def test_a_folder_is_split_where_a_quarter_fills_an_episode(tmp_path, capsys, n_classes, n_way, is_split):
    folder_of(tmp_path / "mine", *[1] * n_classes)
    train, validation, test = load_splits(options_of(tmp_path / "mine", **n_way))
    (line,) = capsys.readouterr().out.splitlines()
    assert ("split at random" in line) is is_split
    assert ("all to test on" in line) is not is_split
    assert ("folder" in train.groups) is ("folder" in validation.groups) is is_split
    assert len(test) == (n_classes // 4 if is_split else n_classes)
    assert group_phrase(train, options_of(tmp_path)) == ("" if is_split else " of 7 scripts")
    assert train.images.shape[1:] == validation.images.shape[1:] == test.images.shape[1:]


def test_no_folder_and_no_classes_are_the_loaders_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither glyphs nor omniglot, and there is no folder"):
        load_splits(options_of(tmp_path / "missing"))
    with pytest.raises(ValueError, match="0 sub-folders"):
        load_splits(options_of(tmp_path))


def run_on_folder(tmp_path, capsys, *sizes):
    """(what is printed, the record's metrics) of a quick run on class folders of these sizes."""
    main(["--quick", "--data", str(folder_of(tmp_path / "mine", *sizes)), "--episodes", "4",
          "--out", str(tmp_path / "out")])
    return capsys.readouterr().out, read_record(tmp_path / "out/record.json")["metrics"]


def test_the_run_on_a_folder_counts_no_scripts_of_it(tmp_path, capsys):
    printed, metrics = run_on_folder(tmp_path, capsys, *[20] * 20)
    assert "\nCharacters that nobody has trained on" in printed
    assert "  test           5 characters\n" in printed
    assert "scripts" not in printed
    assert set(metrics) == {"pixels 5-way 1-shot", "pixels 5-way 5-shot"}
    assert "20-way 1-shot   left out, too few classes: 5" in printed


def test_the_run_leaves_out_what_the_pictures_do_not_suffice_for(tmp_path, capsys):
    printed, metrics = run_on_folder(tmp_path, capsys, 9, 9, 2, 9, 9, 9)
    assert {name: metric["n_query"] for name, metric in metrics.items()} == {"pixels 5-way 1-shot": 1}
    assert "5-way 5-shot   left out, too few images of 'class 02': 2" in printed
    assert (tmp_path / "out/episode.png").exists()


def test_the_run_on_two_classes(tmp_path, capsys):
    printed, metrics = run_on_folder(tmp_path, capsys, 7, 8)
    assert {name: metric["n_query"] for name, metric in metrics.items()} == {
        "pixels 2-way 1-shot": 6, "pixels 2-way 5-shot": 2}
    assert "left out" not in printed


def test_one_picture_is_too_few_and_its_class_is_named(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"class 'class 01' has 1 images; 1 support \+ 1 query need 2"):
        run_on_folder(tmp_path, capsys, 5, 1, 5, 5, 5)
