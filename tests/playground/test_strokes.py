"""Strokes become images of the glyphs' size; that the page makes the same of them is tested in test_page_numbers."""

import numpy as np
import pytest

from fewshot_np.playground import rasterise
from fewshot_np.playground.strokes import PEN


def test_strokes_become_a_centred_image_of_the_glyphs_size_wherever_they_are_on_the_pad():
    strokes = [np.array([(.7, .1), (.7, .5), (.8, .5)]), np.array([(.6, .3), (.8, .3)])]
    image = rasterise(strokes)
    assert image.shape == (28, 28, 1)
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)
    rows, columns = (np.flatnonzero((image[..., 0] > 0.5).any(axis)) for axis in (1, 0))
    assert rows[0] + rows[-1] == pytest.approx(27, abs=1)
    assert columns[0] + columns[-1] == pytest.approx(27, abs=1)
    assert len(rows) == pytest.approx(20, abs=1)
    np.testing.assert_allclose(rasterise([1.7 * stroke - 0.5 for stroke in strokes]), image, atol=1e-5)


def test_a_dot_stays_small_and_no_stroke_is_an_error():
    assert 4 < rasterise([[(.5, .5)]]).sum() < 8
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="nothing is drawn"):
            rasterise(nothing)


def test_ink_is_by_the_distance_to_the_nearest_line():
    stroke = np.random.default_rng(0).random((5, 2))
    image = rasterise([stroke])
    low, high = stroke.min(0), stroke.max(0)
    points = (stroke - (low + high) / 2) * (20 - PEN) / (high - low).max() + 14
    for row, column in [(5, 9), (14, 14), (20, 8), (9, 21), (13, 17)]:
        distance = min(np.hypot(*(points[i] + t * (points[i + 1] - points[i]) - (column + .5, row + .5)))
                       for i in range(4) for t in np.linspace(0, 1, 2001))
        assert image[row, column, 0] == pytest.approx(np.clip(PEN / 2 + 0.5 - distance, 0, 1), abs=2e-2)
