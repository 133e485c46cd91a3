"""Wrong answers to lesson 8's exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as np

from fewshot_np.lesson2_episodes import mean_confidence_interval
from lessons.checking import honest, mistake

# ---------------------------------------------------------------- comparison.1: rank methods by the same episodes


def best_first(accuracy):
    return np.argsort(-np.mean(accuracy, axis=1), kind="stable")


def pairs(differences):
    """(means, half-widths) of rows of differences (methods,E)."""
    found = [mean_confidence_interval(row) for row in differences]
    return np.array([mean for mean, _ in found]), np.array([half for _, half in found])


@mistake("comparison.1", "The worst method stands first, and was subtracted from the others as if it were the best.",
         "np.argsort sorts upwards: sort by minus the mean.")
def worst_taken_for_the_best(accuracy):
    order = np.argsort(np.mean(accuracy, axis=1), kind="stable")
    return order, *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "Of equal means the *larger* number stands first: the order was sorted upwards and reversed.",
         "np.argsort(-means, kind=\"stable\").")
def ties_reversed(accuracy):
    order = np.argsort(np.mean(accuracy, axis=1), kind="stable")[::-1]
    return order, *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "`order` tells of each method its place; asked for is, for each place, the method.",
         "np.argsort(...) alone gives the methods in order; a second argsort turns them into places.")
def places(accuracy):
    order = best_first(accuracy)
    return np.argsort(order), *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "The differences are in the order of the rows of `accuracy`, so they stand beside other "
         "methods than those that `order` names.", "Take accuracy[order] first, then the differences.")
def differences_in_the_order_of_the_rows(accuracy):
    order = best_first(accuracy)
    return order, *pairs(accuracy - accuracy[order[0]])


@mistake("comparison.1", "The half-widths are those of two results that have nothing to do with each other: the root "
         "of the sum of squares. But the episodes are the same, and what is hard for both drops out.",
         "First the differences, episode by episode, then the interval of *these* numbers.")
def as_if_independent(accuracy):
    order = best_first(accuracy)
    means, own = pairs(accuracy[order])
    return order, means - means[0], np.where(np.arange(len(own)) > 0, np.hypot(own, own[0]), 0)


@mistake("comparison.1", "The half-widths are those of the accuracies, not of their differences to the best.",
         "The interval is to tell whether the *difference* could be 0: take it of the differences.")
def half_widths_of_the_accuracies(accuracy):
    order = best_first(accuracy)
    means, own = pairs(accuracy[order])
    return order, means - means[0], own


@mistake("comparison.1", "The sign is turned round: this is best minus method.", "Method minus best: 0 or below.")
def turned_round(accuracy):
    order = best_first(accuracy)
    return order, *pairs(accuracy[order[0]] - accuracy[order])


@mistake("comparison.1", "The standard deviation has E in the denominator.", "np.std(..., ddof=1), as in lesson 2.")
def divided_by_e(accuracy):
    order = best_first(accuracy)
    means, half_widths = pairs(accuracy[order] - accuracy[order[0]])
    return order, means, half_widths * (1 - 1 / accuracy.shape[1]) ** 0.5


@honest("comparison.1")
def ranked_by_loops(accuracy):
    methods = range(len(accuracy))
    order = sorted(methods, key=lambda method: -np.mean(accuracy[method]))
    behind, half_width = [], []
    for method in order:
        values = [float(x) - float(best) for x, best in zip(accuracy[method], accuracy[order[0]], strict=True)]
        mean = sum(values) / len(values)
        behind.append(mean)
        half_width.append(1.96 * (sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)) ** 0.5)
    return order, behind, half_width


@honest("comparison.1")
def ranked_at_once(accuracy):
    order = best_first(accuracy)
    differences = accuracy[order] - accuracy[order[0]]
    return order, differences.mean(axis=1), 1.96 * differences.std(axis=1, ddof=1) / accuracy.shape[1] ** 0.5


# ---------------------------------------------------------------- comparison.2: the modified Hausdorff distance


def apart(a, b):
    """(points of a, points of b)"""
    return np.sqrt(((a[:, None] - b) ** 2).sum(axis=-1))


@mistake("comparison.2", "This is the Hausdorff distance, not the modified one: the point that is farthest away "
         "decides alone, and one speck of ink is enough.", "The mean of the nearest distances, not their maximum.")
def farthest_point_decides(a, b):
    return max(apart(a, b).min(axis=1).max(), apart(a, b).min(axis=0).max())


@mistake("comparison.2", "The nearest distances were added up: a drawing with more points would be farther away.",
         "Their mean.")
def sum_of_the_nearest(a, b):
    return max(apart(a, b).min(axis=1).sum(), apart(a, b).min(axis=0).sum())


@mistake("comparison.2", "The distances are squared.", "The root of the sum of squares, before the mean.")
def squared(a, b):
    return max((apart(a, b) ** 2).min(axis=1).mean(), (apart(a, b) ** 2).min(axis=0).mean())


@mistake("comparison.2", "Only the way from a to b was gone. A drawing that is a part of another one would be at "
         "distance 0 from it.", "Go from b to a, too, and take the larger mean.")
def from_a_to_b_alone(a, b):
    return apart(a, b).min(axis=1).mean()


@mistake("comparison.2", "Only the way from b to a was gone.", "Go from a to b, too: nearest over the other axis.")
def from_b_to_a_alone(a, b):
    return apart(a, b).min(axis=0).mean()


@mistake("comparison.2", "The two directions were averaged.", "The *larger* of the two means.")
def mean_of_both_directions(a, b):
    return (apart(a, b).min(axis=1).mean() + apart(a, b).min(axis=0).mean()) / 2


@mistake("comparison.2", "The smaller of the two directions was taken.",
         "The larger one: where ink is missing on either side, the distance must grow.")
def smaller_direction(a, b):
    return min(apart(a, b).min(axis=1).mean(), apart(a, b).min(axis=0).mean())


@mistake("comparison.2", "The mean went over all pairs of points. A drawing would then be far from itself.",
         "For each point the *nearest* of the other drawing alone.")
def mean_of_all_pairs(a, b):
    return apart(a, b).mean()


@honest("comparison.2")
def by_loops(a, b):
    def mean_to_nearest(start, end):
        return sum(min(np.hypot(*(p - q)) for q in end) for p in start) / len(start)
    return max(mean_to_nearest(a, b), mean_to_nearest(b, a))


@honest("comparison.2")
def by_differences(a, b):
    return max(apart(a, b).min(axis=1).mean(), apart(b, a).min(axis=1).mean())
