"""What the answers to lesson 7's exercises are compared with, and on what."""

import numpy as np

from fewshot_np import lesson7_pitfalls as lesson
from fewshot_np.data import ImageClasses
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.nn.networks import Network
from fewshot_np.nn.primitives import standardize
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- networks whose scores depend on the other images


def less_the_mean(images):
    return images - images.mean(axis=0)


def batch_norm_and_dense(images):
    weights = np.random.default_rng(0).normal(size=(images.shape[1], 3))
    return (standardize(images) + images) @ weights.astype(images.dtype)  # the mean of a group is not always 0


def ask_as_the_library_does(network, queries, groups):
    one_task = Network(None, lambda params, x: network(x[0])[None])
    return lesson.logits_in_batches(one_task, None, queries[None], groups)[0]


@exercise("pitfalls.1", ask_as_the_library_does)
def test_ask_in_groups(rng):
    yield case("by hand", expected=[[-2.5], [-4.0], [2.5], [4.0]], network=less_the_mean,
               queries=np.array([[2.0], [8.0], [7.0], [16.0]]), groups=np.array([[0, 2], [1, 3]]))
    yield case("by hand, the last query first", expected=[[-4.0], [2.5], [4.0], [-2.5]], network=less_the_mean,
               queries=np.array([[8.0], [7.0], [16.0], [2.0]]), groups=np.array([[3, 1], [0, 2]]))
    queries = rng.normal(size=(12, 4))
    for n_groups in (4, 2):
        groups = rng.permutation(12).reshape(n_groups, -1)
        yield case(f"12 queries of 4 features in {n_groups} groups", network=batch_norm_and_dense, queries=queries,
                   groups=groups)
    yield case("one group of all", network=batch_norm_and_dense, queries=queries, groups=rng.permutation(12)[None])
    yield case("each query alone", network=less_the_mean, queries=queries, groups=rng.permutation(12)[:, None])


# ---------------------------------------------------------------- paired differences


def difference_of_the_library(flattering, honest):
    return lesson.difference(flattering, honest, paired=True)


@exercise("pitfalls.2", difference_of_the_library, tolerance=1e-3)  # printed tables of t have 4 digits
def test_paired_difference(rng):
    yield case("by hand", expected=(0.2, 0.24843), flattering=np.array([0.7, 0.7, 0.9]),
               honest=np.array([0.6, 0.4, 0.7]))
    honest = rng.integers(30, 70, size=10) / 75
    yield case("10 episodes", flattering=honest + rng.integers(-3, 6, size=10) / 75, honest=honest)
    yield case("a difference below 0", flattering=honest - rng.integers(-3, 9, size=10) / 75, honest=honest)
    yield case("on every episode the same difference", expected=(0.125, 0.0),
               flattering=np.array([0.375, 0.875, 0.625]), honest=np.array([0.25, 0.75, 0.5]))
    yield case("a result beside itself", expected=(0.0, 0.0), flattering=np.array([0.25, 0.75]),
               honest=np.array([0.25, 0.75]))


# ---------------------------------------------------------------- support and query


def leaks_of_an_episode(support_ids, query_ids):
    return (query_ids[:, :, None] == support_ids[:, None, :]).any(axis=-1)


@exercise("pitfalls.3", leaks_of_an_episode)
def test_find_leaks(rng):
    yield case("by hand", expected=[[True, False, True], [False, False, True]],
               support_ids=np.array([[3, 7], [1, 5]]), query_ids=np.array([[7, 1, 3], [2, 8, 5]]))
    yield case("3 tasks, 4 support images, 7 queries of 12 images",
               support_ids=np.array([rng.choice(12, 4, replace=False) for _ in range(3)]),
               query_ids=np.array([rng.choice(12, 7, replace=False) for _ in range(3)]))
    classes = ImageClasses(np.zeros((24, 1, 1, 1), np.uint8), np.arange(24) // 6, tuple("abcd"), ("letters",) * 4)
    episode = sample_episodes(classes, 3, 2, 4, 2, rng)
    yield case("an honest episode of 2 tasks", expected=np.zeros((2, 12), bool), support_ids=episode.support_ids,
               query_ids=episode.query_ids)
    spoiled = lesson.overlap(episode)
    yield case("one query of each class leaked", expected=np.tile([True, False, False, False], (2, 3)),
               support_ids=spoiled.support_ids, query_ids=spoiled.query_ids)
    yield case("a query that is asked twice", expected=[[False, False, True]], support_ids=np.array([[4, 2, 0]]),
               query_ids=np.array([[6, 6, 0]]))
    yield case("a leak that is asked twice", expected=[[True, False, True, True]], support_ids=np.array([[4, 2, 0]]),
               query_ids=np.array([[0, 6, 0, 4]]))
    yield case("a task of leaks alone", expected=[[False, True], [True, True]],
               support_ids=np.array([[4, 2, 0], [5, 1, 3]]), query_ids=np.array([[6, 4], [3, 5]]))
    yield case("one image, one query", expected=[[True]], support_ids=np.array([[0]]), query_ids=np.array([[0]]))


# ---------------------------------------------------------------- a model chosen on the test


def chosen_by_the_library(accuracy, size):
    return lesson.chosen_on_test(accuracy, size), lesson.accuracy_on_other_groups(accuracy, size)


@exercise("pitfalls.4", chosen_by_the_library)
def test_choose_on_test(rng):
    yield case("by hand", expected=([0.9, 0.8], [0.5, 0.6]),
               accuracy=np.array([[1.0, 0.8, 0.4, 0.6], [0.6, 0.6, 0.8, 0.8]]), size=2)
    for models, episodes, size in [(3, 20, 4), (5, 23, 5), (4, 9, 1)]:
        yield case(f"{models} models, {episodes} episodes, groups of {size}", accuracy=rng.random((models, episodes)),
                   size=size)
    yield case("one model", expected=([0.3, 0.7], [0.7, 0.3]), accuracy=np.array([[0.2, 0.4, 0.6, 0.8]]), size=2)
