"""Wrong answers to lesson 8's exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as np

from fewshot_np.lesson2_episodes import mean_confidence_interval, t_factor
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- comparison.1: rank methods by the same episodes


def best_first(accuracy):
    return np.argsort(-np.mean(accuracy, axis=1), kind="stable")


def pairs(differences):
    """(means, half-widths) of rows of differences (methods,E)."""
    intervals = [mean_confidence_interval(row) for row in differences]
    return np.array([mean for mean, _ in intervals]), np.array([half for _, half in intervals])


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
         "First the differences, episode by episode, then the interval of *these* numbers.",
         also_of_the_best=(False, True))
def as_if_independent(accuracy, also_of_the_best):
    order = best_first(accuracy)
    means, own = pairs(accuracy[order])
    return order, means - means[0], np.where(also_of_the_best | (np.arange(len(own)) > 0), np.hypot(own, own[0]), 0)


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


@mistake("comparison.1", "Methods of equal mean stand in any order: np.argsort does not keep it for more than a few.",
         "np.argsort(-means, kind=\"stable\"), or Python's sorted.")
def sorted_without_stable(accuracy):
    order = np.argsort(-np.mean(accuracy, axis=1))
    return order, *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "In each episode the best *of that episode* was subtracted, a method that does not exist.",
         "One method is the best, that of the highest mean; subtract its accuracies in all episodes.")
def best_of_each_episode(accuracy):
    order = best_first(accuracy)
    return order, *pairs(accuracy[order] - accuracy.max(axis=0))


@mistake("comparison.1", "The methods were sorted by their medians.", "By the mean: that is what is compared.")
def ranked_by_median(accuracy):
    order = np.argsort(-np.median(accuracy, axis=1), kind="stable")
    return order, *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "E - 1 stands under the root, or was given to t_factor.",
         "E - 1 is for the denominator of s alone: t_factor(E) * s / np.sqrt(E).", where=("root", "t"))
def one_less_twice(accuracy, where):
    order, n = best_first(accuracy), accuracy.shape[1]
    means, half_widths = pairs(accuracy[order] - accuracy[order[0]])
    factor = (n / (n - 1)) ** 0.5 if where == "root" else t_factor(max(2, n - 1)) / t_factor(n)
    return order, means, half_widths * factor


@mistake("comparison.1", "Each method was compared with the mean of all methods.", "With the best method.")
def less_the_mean_of_all(accuracy):
    order = best_first(accuracy)
    return order, *pairs(accuracy[order] - accuracy.mean(axis=0))


@mistake("comparison.1", "Each method was compared with the one before it in the order.", "With the best, the first.")
def less_the_one_before(accuracy):
    order = best_first(accuracy)
    return order, *pairs(np.diff(accuracy[order], axis=0, prepend=accuracy[order[:1]]))


@mistake("comparison.1", "The factor is 1.96, which is right for very many episodes alone.", "t_factor(E).")
def factor_of_the_normal_distribution(accuracy):
    order = best_first(accuracy)
    behind = accuracy[order] - accuracy[order[0]]
    return order, behind.mean(axis=1), 1.96 * behind.std(axis=1, ddof=1) / np.sqrt(behind.shape[1])


@mistake("comparison.1", "The number of methods stands where that of episodes should: in t_factor, under the root, or "
         "in both.", "t_factor(E) * s / np.sqrt(E).", where=("t", "root", "both"))
def number_of_the_methods(accuracy, where):
    order = best_first(accuracy)
    behind, n_methods, n = accuracy[order] - accuracy[order[0]], max(2, len(accuracy)), accuracy.shape[1]
    half = t_factor(n if where == "root" else n_methods) * behind.std(axis=1, ddof=1) / np.sqrt(
        n if where == "t" else n_methods)
    return order, behind.mean(axis=1), half


@mistake("comparison.1", "The means came back, not how far each lies behind the best.", "The mean of (method - best).")
def means_themselves(accuracy):
    order = best_first(accuracy)
    return order, accuracy[order].mean(axis=1), pairs(accuracy[order] - accuracy[order[0]])[1]


@mistake("comparison.1", "Another method than the best was subtracted: row 0 of `accuracy`, or the worst one.",
         "The best: the row order[0].", which=("row 0", "worst"))
def less_another_method(accuracy, which):
    order = best_first(accuracy)
    return order, *pairs(accuracy[order] - accuracy[0 if which == "row 0" else order[-1]])


@mistake("comparison.1", "The spread was not divided by the root of E, but by E, or not at all.",
         "t s / sqrt(E), as in lesson 2: the mean of E values varies less than one value.", by=("1", "E"))
def not_divided_by_the_root(accuracy, by):
    order, n = best_first(accuracy), accuracy.shape[1]
    means, half_widths = pairs(accuracy[order] - accuracy[order[0]])
    return order, means, half_widths * n ** 0.5 / (n if by == "E" else 1)


@mistake("comparison.1", "This is the standard error: the factor t is missing.", "t_factor(E) * s / np.sqrt(E).")
def without_the_factor(accuracy):
    order = best_first(accuracy)
    means, half_widths = pairs(accuracy[order] - accuracy[order[0]])
    return order, means, half_widths / t_factor(accuracy.shape[1])


@mistake("comparison.1", "The order begins with the lowest mean.", "np.argsort(-means, kind=\"stable\").")
def worst_first(accuracy):
    order = np.argsort(np.mean(accuracy, axis=1), kind="stable")
    return order, *pairs(accuracy[order] - accuracy[accuracy.mean(axis=1).argmax()])


@mistake("comparison.1", "s is the variance, without the root.", "np.std(differences, axis=1, ddof=1).")
def variance_for_the_deviation(accuracy):
    order = best_first(accuracy)
    differences = accuracy[order] - accuracy[order[0]]
    n = differences.shape[1]
    return order, differences.mean(axis=1), t_factor(n) * differences.var(axis=1, ddof=1) / np.sqrt(n)


@mistake("comparison.1", "One s was computed of the differences of all methods together.",
         "axis=1: each method has an s of its own.")
def one_half_width_for_all(accuracy):
    order, n = best_first(accuracy), accuracy.shape[1]
    differences = accuracy[order] - accuracy[order[0]]
    half_width = t_factor(n) * differences.std(ddof=1) / n ** 0.5
    return order, differences.mean(axis=1), np.full(len(order), half_width)


@mistake("comparison.1", "The methods were sorted by the number of episodes in which they are the best.",
         "By the mean over all episodes: by how much one is better counts, too.")
def ranked_by_wins(accuracy):
    wins = np.bincount(accuracy.argmax(axis=0), minlength=len(accuracy))
    order = np.argsort(-wins, kind="stable")
    return order, *pairs(accuracy[order] - accuracy[order[0]])


@mistake("comparison.1", "The whole width of the interval came back.", "Half of it: what stands behind +-.")
def whole_width(accuracy):
    order = best_first(accuracy)
    means, half_widths = pairs(accuracy[order] - accuracy[order[0]])
    return order, means, 2 * half_widths


@honest("comparison.1")
def ranked_by_loops(accuracy):
    methods = range(len(accuracy))
    order = sorted(methods, key=lambda method: -np.mean(accuracy[method]))
    behind, half_width = [], []
    for method in order:
        values = [float(x) - float(best) for x, best in zip(accuracy[method], accuracy[order[0]], strict=True)]
        mean = sum(values) / len(values)
        behind.append(mean)
        variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
        half_width.append(t_factor(len(values)) * (variance / len(values)) ** 0.5)
    return order, behind, half_width


@honest("comparison.1")
def ranked_at_once(accuracy):
    order = best_first(accuracy)
    differences, n = accuracy[order] - accuracy[order[0]], accuracy.shape[1]
    return order, differences.mean(axis=1), t_factor(n) * differences.std(axis=1, ddof=1) / n ** 0.5


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


@mistake("comparison.2", "The mean is that of the squares, with the root taken afterwards.",
         "First the distance, a root for each point; then their plain mean.")
def root_mean_square(a, b):
    return max((apart(a, b).min(axis=1) ** 2).mean() ** 0.5, (apart(a, b).min(axis=0) ** 2).mean() ** 0.5)


@mistake("comparison.2", "The two directions were added.", "The *larger* of the two means.")
def sum_of_both_directions(a, b):
    return apart(a, b).min(axis=1).mean() + apart(a, b).min(axis=0).mean()


@mistake("comparison.2", "All points of both drawings have one mean.", "A mean for each direction, then the larger.")
def one_mean_for_both(a, b):
    return np.concatenate([apart(a, b).min(axis=1), apart(a, b).min(axis=0)]).mean()


@mistake("comparison.2", "The median took the place of the mean.", "Mean, so that every point counts.")
def median_of_the_nearest(a, b):
    return max(np.median(apart(a, b).min(axis=1)), np.median(apart(a, b).min(axis=0)))


@mistake("comparison.2", "The absolute differences were added.", "Euclidean: the root of the sum of squares.")
def round_the_corner(a, b):
    steps = np.abs(a[:, None] - b).sum(axis=-1)
    return max(steps.min(axis=1).mean(), steps.min(axis=0).mean())


@mistake("comparison.2", "Both drawings were moved to their centres first.", "The coordinates as they are.")
def centred(a, b):
    nearest = apart(a - a.mean(axis=0), b - b.mean(axis=0))
    return max(nearest.min(axis=1).mean(), nearest.min(axis=0).mean())


@mistake("comparison.2", "The *farthest* point of the other drawing was taken for each point.", "The nearest: min.")
def farthest_of_each(a, b):
    return max(apart(a, b).max(axis=1).mean(), apart(a, b).max(axis=0).mean())


@mistake("comparison.2", "The distance of two points is the larger of their two differences.",
         "Euclidean: the root of the sum of squares.")
def larger_coordinate(a, b):
    steps = np.abs(a[:, None] - b).max(axis=2)
    return max(steps.min(axis=1).mean(), steps.min(axis=0).mean())


@mistake("comparison.2", "The minimum went over the coordinates, too: only the smaller difference of two points "
         "counts.", "First one distance for each pair, then the nearest.")
def smaller_coordinate(a, b):
    steps = np.abs(a[:, None] - b).min(axis=2)
    return max(steps.min(axis=1).mean(), steps.min(axis=0).mean())


@mistake("comparison.2", "A sum was divided by the number of points of the other drawing: both by that of a, both by "
         "that of b, or each by the other's.",
         "From a to b there are as many distances as a has points, from b to a as many as b has.",
         by=("a", "b", "other"))
def divided_by_the_others_points(a, b, by):
    n_a, n_b = (len(b), len(a)) if by == "other" else 2 * (len(a if by == "a" else b),)
    return max(apart(a, b).min(axis=1).sum() / n_a, apart(a, b).min(axis=0).sum() / n_b)


@mistake("comparison.2", "This is the distance of the two centres: a small drawing in the middle of a large one "
         "would be at 0.", "Point by point to the nearest of the other drawing, then the mean.")
def centre_to_centre(a, b):
    return np.sqrt(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum())


@mistake("comparison.2", "The points were paired by their position in the list, which means nothing.",
         "To the *nearest* point of the other drawing.")
def point_by_point(a, b):
    n = min(len(a), len(b))
    return np.sqrt(((a[:n] - b[:n]) ** 2).sum(axis=1)).mean()


@mistake("comparison.2", "Only the two points that are nearest to each other count.",
         "The nearest for *each* point, then the mean.")
def nearest_of_all(a, b):
    return apart(a, b).min()


@mistake("comparison.2", "Only the two points that are farthest apart count.",
         "For each point the nearest, then the mean.")
def farthest_of_all(a, b):
    return apart(a, b).max()


@mistake("comparison.2", "Points that both drawings have were left out of the means.",
         "They count, with the distance 0.")
def without_shared_points(a, b):
    means = [np.mean(near[near > 0]) if near.any() else 0.0 for near in (apart(a, b).min(axis=i) for i in (0, 1))]
    return max(means)


@honest("comparison.2")
def by_loops(a, b):
    def mean_to_nearest(start, end):
        return sum(min(np.hypot(*(p - q)) for q in end) for p in start) / len(start)
    return max(mean_to_nearest(a, b), mean_to_nearest(b, a))


@honest("comparison.2")
def by_differences(a, b):
    return max(apart(a, b).min(axis=1).mean(), apart(b, a).min(axis=1).mean())


# ---------------------------------------------------------------- comparison.3: prototypes refined by the queries


def to_centres(query, centres):
    """Squared distances (T,Q,N)."""
    return ((query[:, :, None] - centres[:, None]) ** 2).sum(axis=-1)


def softmax(scores, axis=-1):
    weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def sums(support, support_y, query, belongs):
    """Of each class the weighted sum of its points (T,N,D), and the sum of their weights (T,N,1)."""
    members = np.eye(belongs.shape[-1])[support_y]
    weights, points = np.concatenate([members, belongs], axis=1), np.concatenate([support, query], axis=1)
    return np.einsum("tpn,tpd->tnd", weights, points), weights.sum(axis=1)[..., None]


def moved_by(belonging, centres, support, support_y, query, rounds):
    """The prototypes after all rounds, where belonging(squared distances) tells how far each query is of each class."""
    for _ in range(rounds):
        total, weight = sums(support, support_y, query, belonging(to_centres(query, centres)))
        centres = total / weight
    return centres


@mistake("comparison.3", "The softmax was taken of the distances without the minus: each query counts most for the "
         "class that is farthest from it.", "softmax of *minus* the squared distances: near is likely.")
def farthest_class(centres, support, support_y, query, rounds):
    return moved_by(softmax, centres, support, support_y, query, rounds)


@mistake("comparison.3", "The softmax runs over the queries: for each class the probabilities of all queries sum to 1.",
         "Each *query* has one whole vote to share out: its p(n | q) sum to 1 over the classes, the last axis of "
         "(T,Q,N).")
def softmax_over_queries(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-d, axis=1), centres, support, support_y, query, rounds)


@mistake("comparison.3", "Each query went to its nearest prototype as a whole. That is k-means, but not the soft one: "
         "a query between two classes counts for one of them alone.", "Weigh it by p(n | q), the softmax; no argmin.")
def nearest_class_alone(centres, support, support_y, query, rounds):
    return moved_by(lambda d: np.eye(d.shape[-1])[d.argmin(axis=-1)], centres, support, support_y, query, rounds)


@mistake("comparison.3", "The probabilities come from the plain distances.",
         "Minus the *squared* distance, as in a prototypical network: no root.")
def plain_distances(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-np.sqrt(d)), centres, support, support_y, query, rounds)


@mistake("comparison.3", "The new prototypes are means of the queries alone; the examples, whose class is known for "
         "sure, were left out.", "Put them into both sums, of the points and of the weights, with the weight 1.")
def queries_alone(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        belongs = softmax(-to_centres(query, centres))
        centres = np.einsum("tqn,tqd->tnd", belongs, query) / belongs.sum(axis=1)[..., None]
    return centres


@mistake("comparison.3", "The weighted sum was divided by the number of points, M + Q, as a plain mean is. But most of "
         "them count for a class by a part only, or not at all.",
         "Divide by the sum of the weights, which is another number for each class.")
def divided_by_all_points(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        total, _ = sums(support, support_y, query, softmax(-to_centres(query, centres)))
        centres = total / (support.shape[1] + query.shape[1])
    return centres


@mistake("comparison.3", "This is what one round gives. Either there was only one, or all rounds used the "
         "probabilities of the first one, and then nothing moves any more.",
         "Both parts belong in the loop: the probabilities anew, from the prototypes as they are now, then the mean.")
def one_round(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-d), centres, support, support_y, query, min(rounds, 1))


@mistake("comparison.3", "The weighted sum was divided by the number of the class's examples plus that of all queries, "
         "as if each query counted whole for each class.", "Query q has the weight p(n | q): divide by their sum.")
def divided_by_examples_and_queries(centres, support, support_y, query, rounds):
    count = np.eye(centres.shape[1])[support_y].sum(axis=1)[..., None] + query.shape[1]
    for _ in range(rounds):
        total, _ = sums(support, support_y, query, softmax(-to_centres(query, centres)))
        centres = total / count
    return centres


@mistake("comparison.3", "The old prototype was counted as a point, too.",
         "Only examples and queries: the old prototype has done its work in the probabilities.")
def old_prototype_among_them(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        total, weight = sums(support, support_y, query, softmax(-to_centres(query, centres)))
        centres = (total + centres) / (weight + 1)
    return centres


@mistake("comparison.3", "Far from all prototypes exp(-distance) is 0 for each of them, and the softmax 0/0.",
         "Subtract the largest number before exp: exp(z - max) leaves the softmax as it is.")
def unstable(centres, support, support_y, query, rounds):
    def belonging(d):
        weights = np.exp(-d)
        with np.errstate(invalid="ignore"):
            return weights / weights.sum(axis=-1, keepdims=True)
    return moved_by(belonging, centres, support, support_y, query, rounds)


@mistake("comparison.3", "The examples were spread over the classes by the softmax, too, though their class is known.",
         "An example has the weight 1 for its own class and 0 for the others.")
def examples_by_softmax(centres, support, support_y, query, rounds):
    points = np.concatenate([support, query], axis=1)
    for _ in range(rounds):
        belongs = softmax(-to_centres(points, centres))
        centres = np.einsum("tpn,tpd->tnd", belongs, points) / belongs.sum(axis=1)[..., None]
    return centres


@mistake("comparison.3", "The mean of the examples and that of the queries were averaged: each half of the new "
         "prototype, however many points are behind it.", "One mean over all points, each with its weight.")
def mean_of_two_means(centres, support, support_y, query, rounds):
    members = np.eye(centres.shape[1])[support_y]
    own = np.einsum("tpn,tpd->tnd", members, support) / members.sum(axis=1)[..., None]
    for _ in range(rounds):
        belongs = softmax(-to_centres(query, centres))
        centres = (own + np.einsum("tpn,tpd->tnd", belongs, query) / belongs.sum(axis=1)[..., None]) / 2
    return centres


@mistake("comparison.3", "One round too many was made, or one too few.", "for _ in range(rounds).", more=(1, -1))
def another_number_of_rounds(centres, support, support_y, query, rounds, more):
    return moved_by(lambda d: softmax(-d), centres, support, support_y, query, max(rounds + more, 0))


@mistake("comparison.3", "The old prototype took the place of the examples, as one point of the weight 1.",
         "The examples of the class, each with the weight 1.")
def old_prototype_for_the_examples(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        belongs = softmax(-to_centres(query, centres))
        centres = (centres + np.einsum("tqn,tqd->tnd", belongs, query)) / (1 + belongs.sum(axis=1)[..., None])
    return centres


@mistake("comparison.3", "The examples of a class count as one point, their mean, however many they are.",
         "Each example has the weight 1.")
def one_point_for_all_examples(centres, support, support_y, query, rounds):
    members = np.eye(centres.shape[1])[support_y]
    means = np.einsum("tmn,tmd->tnd", members, support) / members.sum(axis=1)[..., None]
    for _ in range(rounds):
        belongs = softmax(-to_centres(query, centres))
        centres = (means + np.einsum("tqn,tqd->tnd", belongs, query)) / (1 + belongs.sum(axis=1)[..., None])
    return centres


@mistake("comparison.3", "The squared differences were averaged over the features.",
         "The squared distance is their sum.")
def mean_squared_distance(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-d / query.shape[-1]), centres, support, support_y, query, rounds)


@mistake("comparison.3", "The squared distances were halved, as in the exponent of a normal distribution.",
         "softmax(-distance ** 2), without 1/2.")
def half_the_distance(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-d / 2), centres, support, support_y, query, rounds)


@mistake("comparison.3", "All tasks got the labels of the first.", "Each task has an order of its own: support_y[t].")
def labels_of_the_first_task(centres, support, support_y, query, rounds):
    labels = np.repeat(support_y[:1], len(support_y), axis=0)
    return moved_by(lambda d: softmax(-d), centres, support, labels, query, rounds)


@mistake("comparison.3", "The examples were taken as if they came class after class.",
         "They come in any order: support[t][support_y[t] == n].", equally_many=(False, True))
def labels_sorted(centres, support, support_y, query, rounds, equally_many):
    n_examples, n_way = support.shape[1], centres.shape[1]
    blocks = np.tile(np.arange(n_examples) * n_way // n_examples, (len(support), 1))
    labels = blocks if equally_many else np.sort(support_y, axis=1)
    return moved_by(lambda d: softmax(-d), centres, support, labels, query, rounds)


@mistake("comparison.3", "A little was added to the denominator: a query that is far from all prototypes belongs to "
         "none.", "Subtract the largest number before exp: then the sum is never 0.")
def little_in_the_denominator(centres, support, support_y, query, rounds):
    def belonging(d):
        return np.exp(-d) / (np.exp(-d).sum(axis=-1, keepdims=True) + 1e-12)
    return moved_by(belonging, centres, support, support_y, query, rounds)


@mistake("comparison.3", "The prototypes began at the means of the examples; `centres` was not used.",
         "The first round starts from `centres`, and 0 rounds give them back.")
def begun_at_the_examples(centres, support, support_y, query, rounds):
    members = np.eye(centres.shape[1])[support_y]
    means = np.einsum("tmn,tmd->tnd", members, support) / members.sum(axis=1)[..., None]
    return moved_by(lambda d: softmax(-d), means, support, support_y, query, rounds)


@mistake("comparison.3", "The queries of earlier rounds stayed in the sums: they count again in every round.",
         "Begin both sums anew in each round.")
def queries_pile_up(centres, support, support_y, query, rounds):
    members = np.eye(centres.shape[1])[support_y]
    total, weight = np.einsum("tmn,tmd->tnd", members, support), members.sum(axis=1)[..., None]
    for _ in range(rounds):
        belongs = softmax(-to_centres(query, centres))
        total = total + np.einsum("tqn,tqd->tnd", belongs, query)
        weight = weight + belongs.sum(axis=1)[..., None]
        centres = total / weight
    return centres


@mistake("comparison.3", "The probabilities come from products of query and prototype, not from distances.",
         "softmax of minus the squared distances.")
def by_dot_product(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        total, weight = sums(support, support_y, query, softmax(query @ centres.transpose(0, 2, 1)))
        centres = total / weight
    return centres


@mistake("comparison.3", "The prototypes moved only half the way to the new mean.", "The new prototype is the mean.")
def half_the_way(centres, support, support_y, query, rounds):
    for _ in range(rounds):
        total, weight = sums(support, support_y, query, softmax(-to_centres(query, centres)))
        centres = (centres + total / weight) / 2
    return centres


@mistake("comparison.3", "exp of minus the squared distance was not divided by its sum over the classes.",
         "The softmax: the p(n | q) of a query add up to 1.")
def not_normalised(centres, support, support_y, query, rounds):
    return moved_by(lambda d: np.exp(-d), centres, support, support_y, query, rounds)


@honest("comparison.3")
def refined_by_loops(centres, support, support_y, query, rounds):
    result = []
    for prototypes, examples, labels, queries in zip(centres, support, support_y, query, strict=True):
        for _ in range(rounds):
            total, weight = np.zeros(prototypes.shape), np.zeros(len(prototypes))
            for x, label in zip(examples, labels, strict=True):
                total[label] += x
                weight[label] += 1
            for q in queries:
                distances = [sum((q - c) ** 2) for c in prototypes]
                near = [np.exp(min(distances) - d) for d in distances]
                for n in range(len(prototypes)):
                    total[n] += near[n] / sum(near) * q
                    weight[n] += near[n] / sum(near)
            prototypes = total / weight[:, None]
        result.append(prototypes)
    return np.array(result)


@honest("comparison.3")
def refined_all_at_once(centres, support, support_y, query, rounds):
    return moved_by(lambda d: softmax(-d), centres, support, support_y, query, rounds)
