"""Lesson 2, zero-shot: names fall into parts, splits hide classes but no part, features and drawings."""

import unicodedata

import numpy as np
import pytest

from fewshot_np import lesson2_zero_shot as zero_shot
from fewshot_np.data import glyphs
from tests.lesson2_zero_shot.described import ATTRIBUTES

# ---------------------------------------------------------------- names


@pytest.mark.parametrize(("writing", "name", "parts"), [
    ("Latin", "LATIN SMALL LETTER E WITH TILDE", ("SMALL LETTER E", "TILDE")),
    ("Latin", "LATIN CAPITAL LETTER O WITH DOUBLE ACUTE", ("CAPITAL LETTER O", "DOUBLE ACUTE")),
    ("Canadian", "CANADIAN SYLLABICS PI", ("P", "I")),
    ("Canadian", "CANADIAN SYLLABICS SHAA", ("SH", "AA")),
    ("Canadian", "CANADIAN SYLLABICS AAI", ("", "AAI")),
    ("Braille", "BRAILLE PATTERN DOTS-1235", ("1", "2", "3", "", "5", "", "", "")),
])
def test_names_fall_into_their_parts(writing, name, parts):
    code_points, names, all_parts = zero_shot.characters(zero_shot.NAMES[writing])
    position = names.index(name)
    assert all_parts[position] == parts
    assert unicodedata.name(chr(code_points[position])) == name


@pytest.mark.parametrize("writing", zero_shot.NAMES)
@pytest.mark.parametrize("patterns", [zero_shot.NAMES, zero_shot.QUICK_NAMES])
def test_characters_are_distinct_drawable_and_of_common_parts(writing, patterns):
    code_points, names, parts = zero_shot.characters(patterns[writing])
    assert len(set(code_points)) == len(set(names)) == len(set(parts)) == len(code_points)
    assert all(glyphs.faces_of(code_point) for code_point in code_points)
    assert zero_shot.signatures(parts).sum(axis=0).min() > zero_shot.LEAST_SEEN


def test_each_writing_has_enough_characters_for_its_claim():
    latin, canadian, braille = (zero_shot.characters(zero_shot.NAMES[writing])[1] for writing in zero_shot.NAMES)
    assert len(latin) > 300
    assert len(canadian) > 100
    assert len(braille) == 2 ** 8 - 1  # all but the blank
    assert not any(" AND " in name or "STROKE" in name or "TOPBAR" in name for name in latin)  # two marks, other tails


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize("writing", zero_shot.NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_unseen_classes_are_others_and_each_of_their_parts_is_seen(writing, seed):
    attributes = zero_shot.signatures(zero_shot.characters(zero_shot.NAMES[writing])[2])
    seen, unseen = zero_shot.split_unseen(attributes, 0.2, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([seen, unseen])), np.arange(len(attributes)))
    assert attributes[seen].sum(axis=0).min() >= zero_shot.LEAST_SEEN
    assert len(unseen) == int(np.ceil(0.2 * len(attributes)))


def test_every_class_is_unseen_in_some_split():
    counts = np.zeros(25, dtype=int)
    for seed in range(300):
        counts[zero_shot.split_unseen(ATTRIBUTES, 0.2, np.random.default_rng(seed))[1]] += 1
    assert counts.min() > 300 / 5 - 4.5 * (300 * 0.2 * 0.8) ** 0.5


def test_if_no_class_can_be_spared_it_is_said():
    with pytest.raises(ValueError, match="of 3 classes none can be held out"):
        zero_shot.split_unseen(np.eye(3), 0.2, np.random.default_rng(0))


# ---------------------------------------------------------------- features


def test_features_of_pixels_are_the_ink_and_keep_the_classes_apart():
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4, 1)).astype(np.uint8)
    features = zero_shot.features_of(images, zero_shot.pixels)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, images.reshape(3, 2, 16) / 255, rtol=1e-6)


def test_random_convolution_by_loops():
    rng = np.random.default_rng(0)
    images, kernels = rng.random((2, 8, 4, 1)).astype("float32"), zero_shot.random_kernels(3, rng, side=3)
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros((2, 2, 1, 3))
    for m, i, j, o in np.ndindex(2, 8, 4, 3):
        response = np.sum(padded[m, i:i + 3, j:j + 3] * kernels[:, :, 0, o])
        expected[m, i // 4, j // 4, o] += max(0, response - 0.1) / 16
    features = zero_shot.random_convolution(kernels, images)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected.reshape(2, -1), rtol=1e-4, atol=1e-6)


def test_random_kernels_do_not_respond_to_plain_ink():
    kernels = zero_shot.random_kernels(5, np.random.default_rng(0))
    assert kernels.shape == (7, 7, 1, 5)
    assert kernels.dtype == np.float32
    np.testing.assert_allclose(kernels.mean(axis=(0, 1, 2)), 0, atol=1e-7)


# ---------------------------------------------------------------- drawings


def test_drawings_are_kept(monkeypatch):
    code_points = zero_shot.characters(zero_shot.QUICK_NAMES["Canadian"])[0][:3]
    first = zero_shot.drawings(code_points, 7)
    assert first.shape == (3, glyphs.DRAWINGS, glyphs.SIZE, glyphs.SIZE, 1)
    assert first.dtype == np.uint8
    monkeypatch.setattr(glyphs, "draw_character", None)
    np.testing.assert_array_equal(zero_shot.drawings(code_points, 7), first)


def test_drawings_keep_their_place_so_that_dots_differ():
    one, four = zero_shot.drawings((0x2801, 0x2808), 0).mean(axis=(1, 4))  # dot 1 on the left, dot 4 on the right
    columns = np.arange(glyphs.SIZE)
    assert (one.sum(axis=0) @ columns) / one.sum() + 3 < (four.sum(axis=0) @ columns) / four.sum()
