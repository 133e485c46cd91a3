"""What is trained, validated and tested on: no class, and where there are groups no group, is in two parts."""

from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np.data import folders, glyphs, omniglot
from fewshot_np.data.splits import group_phrase, load_splits, load_test, split_classes
from tests.data import archives
from tests.scaffolding import classes_of, folder_of, needs_omniglot

BACKGROUND = {f"Old_{k}": 30 + k for k in range(7)}      # {alphabet: number of characters}
EVALUATION = {f"New_{k}": 35 for k in range(2)}


def options_of(data, **others):
    return SimpleNamespace(**{"data": str(data), "data_root": None, "quick": True, "seed": 0, **others})


def assert_disjoint(*parts):
    """No name stands in two parts."""
    together = sum((tuple(part) for part in parts), ())
    assert len(set(together)) == len(together)


def assert_images_of(part, whole):
    """Each class of the part has the images that it has in the whole."""
    for name, ids in zip(part.names, part.images_of, strict=True):
        np.testing.assert_array_equal(part.images[ids], whole.images[whole.images_of[whole.names.index(name)]])


# ---------------------------------------------------------------- any classes


def test_split_parts_are_disjoint_and_as_large_as_asked():
    classes = classes_of(*[3] * 10)
    parts = split_classes(classes, (5, 3, 1), np.random.default_rng(0))
    assert [len(part) for part in parts] == [5, 3, 1]
    assert_disjoint(*(part.names for part in parts))
    for part in parts:
        assert_images_of(part, classes)


def test_splits_are_random():      # that a seed repeats them: below, of a folder
    classes = classes_of(*[2] * 12)
    firsts = [name for seed in range(300)
              for name in split_classes(classes, (6, 6), np.random.default_rng(seed))[0].names]
    counts = np.array([firsts.count(name) for name in classes.names])  # each binomial(300, 1/2)
    assert np.abs(counts - 150).max() < 4.5 * (300 / 4) ** 0.5


@pytest.mark.parametrize("sizes", [(-1, 3), (0, 2), (1.0, 2), (1.5, 2), (True, 2), (2, "1"), (2, None), (3, 2)])
def test_parts_must_be_positive_integers_and_no_larger_than_the_whole(sizes):
    message = r"\(3, 2\) classes need 5, there are 4" if sizes == (3, 2) else "positive integer"
    with pytest.raises(ValueError, match=message):
        split_classes(classes_of(2, 2, 2, 2), sizes, np.random.default_rng(0))


def test_glyphs_come_in_their_own_splits():
    parts = load_splits(options_of("glyphs"))
    assert [len(part) for part in parts] == [100, 50, 50]
    assert_disjoint(*(part.names for part in parts))
    assert_disjoint(*(set(part.groups) for part in parts))
    assert group_phrase(parts[2], options_of("glyphs")) == " of 4 scripts"
    assert load_test(options_of("glyphs")).names == parts[2].names


# ---------------------------------------------------------------- Omniglot


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with small archives of the background and the evaluation set; glyphs, which nobody asks for, fail."""
    monkeypatch.setattr(glyphs, "load", lambda *arguments, **keywords: pytest.fail("glyphs loaded"))
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
    assert load_test(options_of("omniglot", data_root=root)).names == test.names


def test_the_seed_chooses_the_alphabets_to_validate_on(root):
    alphabets = [frozenset(load_splits(options_of("omniglot", data_root=root, quick=False, seed=seed))[1].groups)
                 for seed in (0, 0, 1, 2, 3, 4)]
    assert alphabets[0] == alphabets[1]
    assert len(set(alphabets)) > 1


def test_quick_omniglot_is_small_and_still_split_by_alphabet(root):
    quick = load_splits(options_of("omniglot", data_root=root))
    full = load_splits(options_of("omniglot", data_root=root, quick=False))
    assert [len(part) for part in quick] == [60, 30, 60]
    assert all(set(part.names) <= set(whole.names) for part, whole in zip(quick, full, strict=True))


@needs_omniglot
def test_the_real_omniglot():
    train, validation, test = load_splits(options_of("omniglot", quick=False))
    assert len(train) + len(validation) == 964
    assert len(test) == 659
    assert [len(set(part.groups)) for part in (train, validation, test)] == [25, 5, 20]
    assert_disjoint(set(train.groups), set(validation.groups), set(test.groups))
    assert [len(part) for part in load_splits(options_of("omniglot"))] == [60, 30, 60]


# ---------------------------------------------------------------- a folder


def test_the_seed_splits_a_folder(tmp_path):
    folder_of(tmp_path / "mine", *[1] * 20)
    splits = [[part.names for part in load_splits(options_of(tmp_path / "mine", seed=seed))] for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize(("n_classes", "n_way", "is_split"), [
    (20, {}, True), (23, {}, True), (19, {}, False),
    (8, {"n_way": 2}, True), (7, {"n_way": 2}, False), (23, {"n_way": 6}, False)])
def test_a_folder_is_split_where_a_quarter_fills_an_episode(tmp_path, capsys, n_classes, n_way, is_split):
    folder_of(tmp_path / "mine", *[1] * n_classes)
    train, validation, test = load_splits(options_of(tmp_path / "mine", **n_way))
    if is_split:      # in half and quarters
        assert [len(part) for part in (train, validation)] == [n_classes - 2 * (n_classes // 4), n_classes // 4]
        assert_disjoint(*(part.names for part in (train, validation, test)))
    assert len(load_test(options_of(tmp_path / "mine"))) == n_classes
    (line,) = capsys.readouterr().out.splitlines()
    assert ("split at random" in line) is is_split
    assert ("all to test on" in line) is not is_split
    assert ("folder" in train.groups) is ("folder" in validation.groups) is is_split
    assert len(test) == (n_classes // 4 if is_split else n_classes)
    assert group_phrase(train, options_of(tmp_path)) == ("" if is_split else " of 7 scripts")
    assert train.images.shape[1:] == validation.images.shape[1:] == test.images.shape[1:]


@pytest.mark.parametrize("n_classes", [23, 6])
def test_images_of_a_folder_are_fitted_where_that_is_asked(tmp_path, n_classes):
    folder_of(tmp_path / "mine", *[2] * n_classes)
    assert_images_of(load_splits(options_of(tmp_path / "mine"), fitted=True)[2],
                     folders.load(tmp_path / "mine", fitted=True))


def test_fitted_omniglot_is_the_same_split_read_otherwise(root):
    plain, fitted = (load_splits(options_of("omniglot", data_root=root), fitted) for fitted in (False, True))
    assert [part.names for part in plain] == [part.names for part in fitted]
    assert (plain[2].images != fitted[2].images).any()
    again = load_splits(options_of("omniglot", data_root=root))          # each has a cache of its own
    np.testing.assert_array_equal(plain[2].images, again[2].images)
