"""Splits of several kinds, right and wrong."""

import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.data import glyphs, omniglot
from fewshot_np.data.classes import ImageClasses
from tests.scaffolding import needs_omniglot


def part(seed, names, size=28, channels=None, each=4):
    """Smooth random images, as (images, classes)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(size=(len(names) * each, size // 4, size // 4))
    images = coarse.repeat(4, axis=1).repeat(4, axis=2)
    return (images if channels is None else np.stack([images] * channels, axis=-1)), np.repeat(names, each)


TRAIN, VALIDATION, TEST = part(0, list("abcdefgh")), part(1, list("ijk")), part(2, list("lmnop"))


def as_classes(images, names):
    unique, labels = np.unique(names, return_inverse=True)
    return ImageClasses((images[..., None] * 255).astype(np.uint8), labels, tuple(unique), tuple(unique))


@pytest.mark.parametrize("parts", [
    (TRAIN, VALIDATION, TEST), (TRAIN, None, TEST), tuple(as_classes(*p) for p in (TRAIN, VALIDATION, TEST)),
    (part(0, ["a"], 64, 3), None, (part(1, ["b"], 64)[0], ["b"] * 4)),
    ((np.moveaxis(part(0, ["a"], 32, 3)[0], 3, 1), ["a"] * 4), None, part(5, ["b"], 32)),
    ((np.zeros((2, 8, 8)), ["blank", "blank"]), None, (np.ones((2, 8, 8)), ["white", "white"]))])
def test_right_splits_are_not_accused(parts):
    referee.splits(*parts).check()


def test_the_courses_glyphs_are_apart():
    """Scripts have letters in common, such as a bar: what the referee finds is that, one letter in a thousand."""
    train, validation, test = (glyphs.load(split, quick=True) for split in ("train", "validation", "test"))
    verdict = referee.splits(train, validation, test, turned=False)
    assert "share classes" not in verdict.verdict
    assert "share images" not in verdict.verdict


def with_more(images, names, extra, extra_names=None):
    return np.concatenate([images, extra]), np.append(names, extra_names or ["z"] * len(extra))


WRONG = [
    ("train and test share classes", TRAIN, with_more(*TEST, part(9, ["a"])[0], ["a"] * 4)),
    ("train and test share images", TRAIN, with_more(*TEST, TRAIN[0][:2])),
    ("train and test share near copies of images", TRAIN, with_more(*TEST, TRAIN[0][:3] * 0.5 + 0.2)),
    ("train and test share near copies of images", TRAIN, with_more(*TEST, np.clip(
        TRAIN[0][5:6] + np.random.default_rng(0).normal(0, 0.03, (1, 28, 28)), 0, 1))),
    ("train and test share near copies of images", TRAIN, (TRAIN[0][:4].repeat(2, 1).repeat(2, 2), ["z"] * 4)),
    ("train and test share turned copies of images", TRAIN, with_more(*TEST, np.rot90(TRAIN[0][:2], axes=(1, 2)))),
    ("train and test share turned copies of images", TRAIN, with_more(*TEST, np.rot90(TRAIN[0][:1], 3, axes=(1, 2)))),
]


@pytest.mark.parametrize(("name", "train", "test"), WRONG)
def test_what_is_shared_is_named_with_its_place(name, train, test):
    verdict = referee.splits(train, test=test)
    assert (verdict.ok, verdict.verdict) == (False, name)
    assert "classes: a" in str(verdict) or "is test" in str(verdict)


def test_all_pairs_of_parts_are_compared_and_each_image_is_counted_once():
    verdict = referee.splits(TRAIN, with_more(*VALIDATION, TEST[0][:1], ["y"]), with_more(*TEST, TRAIN[0][:2]))
    assert verdict.verdict == "train and test share images; validation and test share images"
    assert verdict.evidence["images in train and test"].startswith("2: train 0 (a) is test 20 (z)")


def test_labels_that_begin_at_0_in_each_part_are_suspected():
    verdict = referee.splits((TRAIN[0], np.arange(8).repeat(4)), test=(TEST[0], np.arange(5).repeat(4)))
    assert verdict.verdict == "train and test share classes"
    assert "numbered anew from 0" in verdict.meaning


@pytest.mark.slow
@needs_omniglot
def test_omniglots_two_sets_share_no_image():
    verdict = referee.splits(omniglot.load(None, "background"), test=omniglot.load(None, "evaluation"))
    verdict.check()
