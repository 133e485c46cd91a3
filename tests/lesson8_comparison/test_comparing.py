"""Every method is asked the same (pairs and ranks: exercise comparison.1); costs; the figures name every method."""

from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np import lesson8_comparison as lesson
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson8_comparison import METHODS
from fewshot_np.lesson8_comparison.comparing import with_the_support
from fewshot_np.lesson8_comparison.figures import draw_matrix, draw_scatter, label_places, right_is_taken
from tests.scaffolding import classes_of

CLASSES = classes_of(*[12] * 4)


@pytest.fixture
def episode():
    return sample_episodes(CLASSES, 3, 2, 4, 3, np.random.default_rng(1))


def test_every_method_is_asked_about_the_same_episode_with_each_of_its_statistics(episode):
    asked = []

    def scores(name, one, statistics):
        asked.append((name, statistics))
        assert one is episode
        return np.eye(3)[one.query_y] * (1 if name == "MAML" else -1)

    results = lesson.accuracies_by_statistics({name: lambda e, s, name=name: scores(name, e, s)
                                        for name in ("pixels", "prototypical", "MAML")}, episode)
    assert asked == list(results) == [("pixels", None), ("prototypical", "support"),
                                      ("prototypical", "support and queries"), ("MAML", "support"), ("MAML", "queries")]
    assert with_the_support(results).keys() == {"pixels", "prototypical", "MAML"}
    assert lesson.best_first(with_the_support(results))[0] == "MAML"
    assert np.all(results["MAML", "queries"] == 1)


def test_images_are_counted(episode):
    assert lesson.count_images(episode) == 3 * 3 * (2 + 4)
    assert lesson.count_images((CLASSES.images[:7], CLASSES.labels[:7])) == 7


def test_the_time_of_a_new_task_is_that_of_one_task_and_one_query(episode):
    seen = []

    def scores(one, statistics):
        seen.append((one.support_x.shape[:2], one.query_x.shape[:2], one.query_y.shape, statistics))

    assert lesson.adaptation_milliseconds(scores, episode, repetitions=3) >= 0
    assert seen == [((1, 6), (1, 1), (1, 1), "support")] * 3


def test_the_figures_name_every_method():
    rng, options = np.random.default_rng(0), SimpleNamespace(n_way=3, k_shot=2)
    results = {(name, statistics): rng.random(20) for name, method in METHODS.items()
               for statistics in method.statistics or (None,)}
    results["pixels", None] = results["pixels", None] - 1  # so that the others, and their labels, stand at the top
    scatter = draw_scatter(results, dict.fromkeys(METHODS, 1.0), options)
    assert {text.get_text() for text in scatter.axes[0].texts} == set(METHODS)
    assert max(text.get_position()[1] for text in scatter.axes[0].texts) < scatter.axes[0].get_ylim()[1]
    values = with_the_support(results)
    matrix = draw_matrix(values, lesson.paired_differences(values), list(METHODS))
    assert [label.get_text() for label in matrix.axes[0].get_xticklabels()] == list(METHODS)
    assert len(matrix.axes[0].texts) == len(METHODS) * (len(METHODS) + 1) / 2


def test_labels_that_would_lie_on_each_other_are_stacked_around_their_points():
    points = {"a": (1.0, 50.0), "b": (1.5, 50.5), "c": (30.0, 50.2), "d": (1.2, 60.0), "e": (1.1, 51.75)}
    assert label_places(points, 2.0, min) == {"a": (1.0, 48.75), "b": (1.0, 50.75), "e": (1.0, 52.75),
                                              "c": (30.0, 50.2), "d": (1.2, 60.0)}
    assert label_places(points, 2.0, max)["a"] == (1.5, 48.75)
    assert label_places(points, 0.1, max) == points
    # a name stands on the left where another point lies to the right at its height
    points = {"a": (1.0, 50.0), "b": (2.0, 51.0), "c": (1.01, 50.5), "d": (1.0, 70.0), "e": (8.0, 51.0)}
    assert [name for name in points if right_is_taken(name, points, spacing=1.0)] == ["a", "c"]
