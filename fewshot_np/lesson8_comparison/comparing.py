"""Lesson 8, second page: the same episodes for all, so that two methods can be compared episode by episode.

Accuracies are (E,), one for each of E episodes. `np` is plain NumPy: nothing is differentiated here.
"""

import numpy as np

from fewshot_np.lesson2_episodes import accuracies
from fewshot_np.lesson7_pitfalls import difference
from fewshot_np.lesson8_comparison.methods import METHODS


def accuracies_by_statistics(answers, episode):
    """{(name, statistics): accuracy on each task, (T,)} of all methods on *one* batch of episodes: so they are pairs.

    answers: {name: scores(episode, statistics)}. A method without batch norm has None in place of statistics.
    """
    return {(name, statistics): accuracies(scores(episode, statistics), episode.query_y)
            for name, scores in answers.items() for statistics in METHODS[name].statistics or (None,)}


def with_the_support(results):
    """{name: accuracies} with the statistics of the support, or of nothing: what all methods can be compared by.

    A method whose batch norm never uses the support alone is left out.
    """
    return {name: values for (name, statistics), values in results.items() if statistics in ("support", None)}


def paired_differences(results):
    """{(a, b): (mean of a - b, half-width of its 95 % interval)} for all pairs of {name: accuracies (E,)}.

    All must be on the same episodes in the same order, because the difference is taken episode by episode.
    """
    return {(a, b): difference(results[a], results[b], paired=True) for a in results for b in results if a != b}


def best_first(results):
    """The names by their mean accuracy, the highest first."""
    return sorted(results, key=lambda name: -np.mean(results[name]))
