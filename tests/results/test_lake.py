"""The protocol of Lake et al.: its distance and its runs, training within alphabets, distortions; nothing of the test
is trained on."""

import numpy as np
import pytest

from fewshot_np.data import omniglot
from fewshot_np.results.distortion import affine, distort
from fewshot_np.results.lake import (
    alphabets,
    as_episode,
    hausdorff_errors,
    ink_points,
    sample_within,
)
from fewshot_np.results.rows import LAKE
from fewshot_np.results.variants import METHODS
from tests.results.characters import characters
from tests.scaffolding import needs_omniglot


def test_ink_points_are_centred_rows_and_columns():
    image = np.zeros((5, 5, 1), np.uint8)
    image[1, 2], image[3, 2] = 255, 255
    np.testing.assert_array_equal(ink_points(image), [[-1, 0], [1, 0]])


def test_hausdorff_errors_of_runs_that_are_easy_and_spoiled(rng):
    training = rng.integers(0, 2, (20, 12, 12, 1), dtype=np.uint8) * 255
    order = rng.permutation(20)
    easy = omniglot.Run(training, training[order], order)
    spoiled = omniglot.Run(training, training[order], np.roll(order, 1))
    np.testing.assert_array_equal(hausdorff_errors([easy, spoiled]), [0, 1])


def test_a_run_becomes_a_task(rng):
    runs = [omniglot.Run(*rng.integers(0, 256, (2, 20, 28, 28, 1), dtype=np.uint8), rng.permutation(20))
            for _ in range(3)]
    episode = as_episode(runs)
    assert episode.support_x.shape == episode.query_x.shape == (3, 20, 28, 28, 1)
    np.testing.assert_array_equal(episode.query_y[2], runs[2].test_labels)
    np.testing.assert_allclose(episode.query_x[1, 4], runs[1].test_images[4] / 255, rtol=1e-6)


def test_alphabets_are_kept_apart_and_turned(rng):
    classes = characters([3, 2], rng, n_images=2)
    parts = alphabets(classes)
    assert [len(part) for part in parts] == [3, 3, 3, 3, 2, 2, 2, 2]
    assert all(len(set(part.groups)) == 1 for part in parts)
    np.testing.assert_array_equal(parts[0].images, classes.images[:6])
    np.testing.assert_array_equal(parts[5].images[0], np.rot90(classes.images[6]))


def test_episodes_are_of_one_alphabet_with_as_many_ways_as_it_has(rng):
    classes = characters([5, 3], rng, n_images=6)
    parts = [classes.subset(range(5)), classes.subset(range(5, 8))]
    row = LAKE["prototypical", "small1"]._replace(train_way=4)
    ways = {sample_within(parts, row, METHODS["prototypical"], rng).support_x.shape[1] for _ in range(40)}
    assert ways == {4, 3}


@needs_omniglot
def test_nothing_of_the_alphabets_of_the_runs_is_trained_on():
    """Each image of the runs is a drawing of the evaluation set, and the backgrounds have none of its alphabets."""
    evaluation = omniglot.load(None, "evaluation")
    drawings = {image.tobytes(): evaluation.groups[label]
                for image, label in zip(evaluation.images, evaluation.labels, strict=True)}
    asked = {drawings[image.tobytes()] for one in omniglot.load_runs(None) for images in one[:2] for image in images}
    assert len(asked) == 10
    for background in ("background", "small1", "small2"):
        trained = omniglot.load(None, background)
        assert not asked & set(trained.groups)
        assert not drawings.keys() & {image.tobytes() for image in trained.images}


@needs_omniglot
@pytest.mark.slow
def test_the_modified_hausdorff_distance_scores_as_published():
    """Lake et al. 2015: 38.8 % error; a re-implementation: 38.75. It is deterministic."""
    errors = hausdorff_errors(omniglot.load_runs(None, size=105))
    assert errors.shape == (20,)
    assert round(100 * errors.mean(), 2) == 38.75


def test_distortions_are_small_and_half_of_the_images_may_be_as_they_were(rng):
    images = np.zeros((400, 28, 28, 1), "float32")
    images[:, 12:16, 12:16] = 1
    moved = distort(images, rng)
    assert moved.shape == images.shape == distort(images.reshape(20, 20, 28, 28, 1), rng).reshape(images.shape).shape
    assert moved.dtype == np.float32
    assert 0 <= moved.min() <= moved.max() <= 1
    untouched = np.mean([np.array_equal(a, b) for a, b in zip(images, moved, strict=True)])
    assert untouched == pytest.approx(0.5 ** 7, abs=0.02)  # seven coins: an angle, and two each of the other three
    rows = (moved[..., 0].sum(axis=2) * np.arange(28)).sum(axis=1) / moved.sum(axis=(1, 2, 3))
    assert np.abs(rows - 13.5).max() < 2.6                 # shifted by up to 2, and never away
    assert np.abs(rows - 13.5).max() > 1.5


def test_an_affine_map_turns_about_the_centre():
    image = np.zeros((9, 9), "float32")
    image[4, 6] = 1
    turned = affine(image, np.pi / 2, np.zeros(2), np.ones(2), np.zeros(2))
    assert np.argwhere(turned > 0.9).tolist() == [[6, 4]]
    shifted = affine(image, 0.0, np.zeros(2), np.ones(2), np.array([1.0, -2.0]))
    assert np.argwhere(shifted > 0.9).tolist() == [[2, 7]]  # x + 1, y - 2
