"""Balanced pairs (how likely each is: exercise siamese.4); curves and thresholds (by hand: siamese.5)."""

import numpy as np
import pytest

from fewshot_np import lesson4_siamese as lesson
from fewshot_np.data.classes import to_float
from tests.scaffolding import classes_of

# ---------------------------------------------------------------- pairs


def test_half_of_the_pairs_are_of_the_same_class_and_their_images_are_those_of_their_ids():
    classes = classes_of(3, 5, 2, 9)
    pairs = lesson.balanced_pairs(classes, 500, np.random.default_rng(0))
    np.testing.assert_array_equal(classes.labels[pairs.first_ids] == classes.labels[pairs.second_ids], pairs.same)
    np.testing.assert_array_equal(pairs.same, [1, 0] * 250)
    assert pairs.same.dtype.kind == "i"
    assert (pairs.first_ids != pairs.second_ids).all()
    for images, ids in [(pairs.first_x, pairs.first_ids), (pairs.second_x, pairs.second_ids)]:
        np.testing.assert_array_equal(images, to_float(classes.images[ids]))
        assert images.dtype == "float32"


@pytest.mark.parametrize("n_pairs", [0, -2, 3, 2.0, "4", True])
def test_a_number_of_pairs_that_has_no_half_is_refused(n_pairs):
    with pytest.raises(ValueError, match=f"even positive integer.*got {n_pairs!r}"):
        lesson.balanced_pairs(classes_of(3, 3), n_pairs, np.random.default_rng(0))


def test_too_few_classes_or_images_are_refused_by_name():
    with pytest.raises(ValueError, match="need 2 classes, there are 1"):
        lesson.balanced_pairs(classes_of(9), 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="class 'class 1' has 1 image"):
        lesson.balanced_pairs(classes_of(4, 1, 3), 2, np.random.default_rng(0))


def test_pair_distances_are_those_of_each_pair():
    pairs = lesson.balanced_pairs(classes_of(4, 4, 4), 10, np.random.default_rng(0))
    expected = [np.linalg.norm(a - b) for a, b in zip(pairs.first_x, pairs.second_x, strict=True)]
    np.testing.assert_allclose(lesson.pair_distances(lambda images: images.reshape(len(images), -1), pairs), expected,
                               rtol=1e-6)


# ---------------------------------------------------------------- curves

def noisy_distances(seed, n=60, decimals=1):
    """Overlapping distances with ties, and unequal numbers of both kinds."""
    rng = np.random.default_rng(seed)
    same = (np.arange(n) % 3 == 0).astype(int)
    return np.round(rng.normal(size=n) + 1.5 * (1 - same), decimals), same


@pytest.mark.parametrize("seed", range(4))
def test_roc_curve_counts_what_lies_below_each_threshold(seed):
    distances, same = noisy_distances(seed)
    thresholds, *rates = lesson.roc_curve(distances, same)
    assert len(thresholds) == len(np.unique(distances)) + 1
    for kind, rate in enumerate(rates):
        np.testing.assert_allclose(rate, [(distances[same == kind] < t).mean() for t in thresholds])
        assert (rate[0], rate[-1]) == (0, 1)
        assert (np.diff(rate) >= 0).all()


@pytest.mark.parametrize(("distances", "same", "expected"), [
    ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1, 0, 1, 0, 0], 1 / 3),  # between 2 and 3: 1 of 3 wrong
    ([1.0, 2.0, 3.0, 4.0], [1, 1, 0, 0], 0.0),
    ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], 1.0),
    ([7.0, 7.0, 7.0, 7.0], [1, 0, 1, 0], 0.5),       # one tie: straight from (0, 0) to (1, 1)
    ([1.0, 2.0, 3.0], [1, 0, 1], 0.5),               # from (0, 1/2) to (1, 1/2): 1 - 1/2
])
def test_equal_error_rate_by_hand(distances, same, expected):
    assert lesson.equal_error_rate(np.array(distances), np.array(same)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_equal_error_rate_lies_between_the_two_rates_around_it_and_depends_only_on_the_order(seed):
    distances, same = noisy_distances(seed)
    rate = lesson.equal_error_rate(distances, same)
    _, false_accepts, true_accepts = lesson.roc_curve(distances, same)
    after = np.argmax(false_accepts >= 1 - true_accepts)
    assert false_accepts[after - 1] <= rate <= false_accepts[after]
    assert 1 - true_accepts[after] <= rate <= 1 - true_accepts[after - 1]
    assert lesson.equal_error_rate(np.exp(distances), same) == pytest.approx(rate)
    assert lesson.equal_error_rate(-distances, 1 - same) == pytest.approx(rate)  # both kinds and the order turned round
    assert lesson.equal_error_rate(-distances, same) == pytest.approx(1 - rate)


def test_where_every_threshold_is_wrong_it_accepts_nothing():
    assert lesson.choose_threshold([1.0, 9.0], [0, 1]) == 1.0


@pytest.mark.parametrize(("distances", "same", "message"), [
    ([1.0, 2.0], [1, 1], "2 same, 0 different"), ([1.0, 2.0], [0, 0], "0 same, 2 different"),
    ([1.0, np.nan], [1, 0], "1 not finite"), ([1.0, np.inf], [1, 0], "1 not finite"),
    ([], [], "0 same, 0 different"), ([1.0, 2.0], [1], r"\(2,\) and \(1,\)"),
    ([[1.0, 2.0]], [[1, 0]], r"\(1, 2\)"), ([1.0, 2.0], [1, 2], "of 0 and 1"), ([1.0, 2.0], [1, -1], "of 0 and 1")])
@pytest.mark.parametrize("f", [lesson.roc_curve, lesson.equal_error_rate, lesson.choose_threshold])
def test_curves_refuse_what_has_none(f, distances, same, message):
    with pytest.raises(ValueError, match=message):
        f(np.array(distances), np.array(same))


def test_verification_by_hand():
    distances, same = np.tile([1.0, 3.0, 2.0, 5.0], 20), np.tile([1, 0, 1, 0], 20)
    results = lesson.verification(distances, same, threshold=4.0)
    assert {what: mean for what, (mean, _) in results.items()} == {
        "distance, same": 1.5, "distance, different": 4.0, "equal error rate": 0.0, "right": 0.75}
    assert results["right"][1] == pytest.approx(1.9905 * np.tile([1, 0, 1, 1], 20).std(ddof=1) / 80 ** 0.5, rel=1e-4)
    assert results["equal error rate"][1] == 0
