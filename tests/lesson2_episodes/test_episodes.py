"""Lesson 2: what an episode must be (how likely each is: exercise episodes.1), and what cannot be drawn."""

import re

import numpy as np
import pytest

from fewshot_np.lesson2_episodes import sample_episodes
from tests.scaffolding import classes_of


def draw(classes, n_way=3, k_shot=2, n_query=4, n_tasks=5, seed=0):
    return sample_episodes(classes, n_way, k_shot, n_query, n_tasks, np.random.default_rng(seed))


# ---------------------------------------------------------------- one episode


def test_images_labels_and_ids_belong_together_class_by_class():
    classes = classes_of(7, 6, 9, 8, side=3)
    episode = draw(classes, np.int64(3), np.int32(2), np.uint8(4), n_tasks=50)  # NumPy's integers are integers
    behind = classes.labels[episode.support_ids[:, ::2]]  # (50, 3): the class that stands behind each label
    assert all(len(set(row)) == 3 for row in behind)
    for x, y, ids, n in [(episode.support_x, episode.support_y, episode.support_ids, 2),
                         (episode.query_x, episode.query_y, episode.query_ids, 4)]:
        assert x.shape == (50, 3 * n, 3, 3, 1)
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, classes.images[ids] / 255, rtol=1e-6)  # ink 1, paper 0
        assert np.issubdtype(y.dtype, np.integer)
        np.testing.assert_array_equal(y, np.tile(np.arange(3).repeat(n), (50, 1)))
        np.testing.assert_array_equal(classes.labels[ids], behind.repeat(n, axis=1))


def test_a_seed_repeats_the_episodes_and_one_generator_goes_on():
    classes, rng = classes_of(*[8] * 5), np.random.default_rng(3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator, which nobody may touch
    first, second = (sample_episodes(classes, 3, 2, 4, 5, rng) for _ in range(2))
    for mine, other in zip(first, draw(classes, seed=3), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(first.support_ids, second.support_ids)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# ---------------------------------------------------------------- what cannot be drawn


def test_too_few_classes_or_images_are_refused_and_the_class_is_named():
    with pytest.raises(ValueError, match="6-way episodes need 6 classes, there are 5"):
        draw(classes_of(*[8] * 5), n_way=6)
    with pytest.raises(ValueError, match=r"'class 2' has 5 images; 2 support.*4 query need 6"):
        draw(classes_of(8, 9, 5, 7, 6))


@pytest.mark.parametrize(("images", "k_shot", "n_query"), [
    (9, 1, 15), (9, 5, 15), (12, 5, 15), (9, 9, 3), (9, 20, 3), (9, 20, 20), (9, 10, 12), (5, 4, 4), (2, 1, 5)])
def test_what_is_said_to_help_does_and_one_more_does_not(images, k_shot, n_query):
    classes = classes_of(*[images] * 5)
    with pytest.raises(ValueError, match=r"need .*: choose --") as refusal:
        draw(classes, k_shot=k_shot, n_query=n_query)
    said = {name.replace("-", "_"): int(n) for name, n in re.findall(r"--(k-shot|n-query) (\d+)", str(refusal.value))}
    if "no more with --n-query" in str(refusal.value):
        said["n_query"] = said["k_shot"]
    numbers = {"k_shot": k_shot, "n_query": n_query} | said
    draw(classes, **numbers)
    with pytest.raises(ValueError, match="need"):
        draw(classes, **numbers | {name: n + 1 for name, n in said.items()})


@pytest.mark.parametrize("name", ["n_way", "k_shot", "n_query", "n_tasks"])
@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, True, None, "2", np.float64(2), float("nan")])
def test_numbers_must_be_positive_integers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
        draw(classes_of(*[8] * 5), **{name: value})
