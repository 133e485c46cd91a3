"""Wrong answers to lesson 4's exercises on Siamese networks, each with the thought behind it, and right ones."""

from itertools import cycle, pairwise

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import relu, safe_norm, stop_gradient
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- siamese.1: the contrastive loss


def each_pair(same, pull, push):
    """The mean over the pairs of `pull` where same is 1, `push` where it is 0."""
    return np.mean(same * pull + (1 - same) * push)


@mistake("siamese.1", "The labels are flipped: different pairs are pulled together, same pairs pushed apart. "
         "Hadsell's y = 1 means *different*; the document copies the formula and lets 1 mean *same*.",
         "same * d^2 + (1 - same) * max(0, margin - d)^2.")
def labels_turned_round(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, relu(margin - d) ** 2, d ** 2)


@mistake("siamese.1", "The margin was compared with the squared distance: max(0, margin - d^2).",
         "The margin is a distance. Compare it with d, then square what is left: max(0, margin - d)^2.", power=(1, 2))
def margin_on_the_square(e1, e2, same, margin, power):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin - d ** 2) ** power)


@mistake("siamese.1", "The gap between a different pair's distance and the margin was not squared.",
         "max(0, margin - d)^2.")
def push_not_squared(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin - d))


@mistake("siamese.1", "The distance of a same pair was not squared.",
         "d^2: a pair that lies far apart is pulled harder than one that is near.")
def pull_not_squared(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d, relu(margin - d) ** 2)


@mistake("siamese.1", "The max(0, ...) is missing, or comes after the square, where it does nothing: different pairs "
         "beyond the margin are pulled back to it.",
         "A different pair that is far enough apart costs nothing: relu(margin - d), then the square.")
def without_the_hinge(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, (margin - d) ** 2)


@mistake("siamese.1", "The pairs were summed, not averaged.", "Divide by P, the number of pairs.")
def summed_over_pairs(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin - d) ** 2) * len(d)


@mistake("siamese.1", "Python's max(0, ...) and `if same == 1` want one number, and got an array of all pairs.",
         "relu(margin - d) does it for each pair; same * a + (1 - same) * b chooses. Or loop over the pairs.")
def one_number_wanted(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, max(0, margin - d) ** 2)


@mistake("siamese.1", "The loss is right, but its gradient for an identical pair is not a number: the derivative of "
         "the root at 0 is infinite.", "safe_norm(e1 - e2) in place of np.sqrt or np.linalg.norm.")
def plain_root_in_the_loss(e1, e2, same, margin):
    d = np.sqrt(np.sum((e1 - e2) ** 2, axis=1))
    return each_pair(same, d ** 2, relu(margin - d) ** 2)


@mistake("siamese.1", "The same pairs and the different pairs were averaged for themselves, and the two means added.",
         "One mean over all P pairs.", how=("1", "0.5", "1, none is 0", "0.5, none is 0"))
def mean_of_each_kind(e1, e2, same, margin, how):
    d, (share, *guarded) = safe_norm(e1 - e2), how.split(",")
    n_same, n_other = (max(sum(kind), 1) if guarded else sum(kind) for kind in (same, 1 - same))
    return float(share) * (np.sum(same * d ** 2) / n_same + np.sum((1 - same) * relu(margin - d) ** 2) / n_other)


@mistake("siamese.1", "There is a factor 1/2, as in Hadsell's paper.", "d^2 and max(0, margin - d)^2, without it.")
def half_of_it(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin - d) ** 2) / 2


@mistake("siamese.1", "The squares were subtracted: max(0, margin^2 - d^2).", "First margin - d, then the square.")
def squares_subtracted(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin ** 2 - d ** 2))


@mistake("siamese.1", "Neither part was squared.", "d^2 and max(0, margin - d)^2.")
def nothing_squared(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d, relu(margin - d))


@mistake("siamese.1", "d is another distance: the sum of the absolute differences, or 1 - cosine.",
         "The Euclidean distance: safe_norm(e1 - e2).", name=("absolute differences", "cosine"))
def another_distance(e1, e2, same, margin, name):
    d = np.sum(np.abs(e1 - e2), axis=1)
    if name == "cosine":
        d = 1 - np.sum(e1 * e2, axis=1) / (safe_norm(e1) * safe_norm(e2) + 1e-12)
    return each_pair(same, d ** 2, relu(margin - d) ** 2)


@mistake("siamese.1", "The part of the different pairs was subtracted.", "Both parts are costs: add them.")
def push_subtracted(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, -relu(margin - d) ** 2)


@mistake("siamese.1", "One distance was computed for all pairs together.", "One distance per pair: the sum over D.")
def one_distance_for_all(e1, e2, same, margin):
    d = safe_norm(np.reshape(e1 - e2, (1, -1)))[0]
    return np.mean(same * d ** 2 + (1 - same) * relu(margin - d) ** 2)


@mistake("siamese.1", "Different pairs cost nothing: with all embeddings equal the loss would be 0.",
         "max(0, margin - d)^2 where same is 0.")
def different_pairs_cost_nothing(e1, e2, same, margin):
    return np.mean(same * safe_norm(e1 - e2) ** 2)


@mistake("siamese.1", "Same pairs cost nothing within the margin: max(0, d - margin)^2.",
         "A same pair is pulled together until its distance is 0: d^2.")
def same_pairs_free_within_the_margin(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, relu(d - margin) ** 2, relu(margin - d) ** 2)


@mistake("siamese.1", "The gap has the wrong sign, max(0, d - margin): pairs *beyond* the margin are pulled back.",
         "relu(margin - d): only pairs that are too near cost something.")
def gap_with_the_wrong_sign(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(d - margin) ** 2)


@mistake("siamese.1", "The squares were averaged over the features, not summed: d is too short by the factor sqrt(D).",
         "d is the Euclidean distance, safe_norm(e1 - e2).")
def distance_averaged_over_features(e1, e2, same, margin):
    d = safe_norm(e1 - e2) / e1.shape[1] ** 0.5
    return each_pair(same, d ** 2, relu(margin - d) ** 2)


@mistake("siamese.1", "There is no margin: different pairs cost -d^2, and the loss falls for ever as they move apart.",
         "max(0, margin - d)^2: a different pair that is far enough apart costs nothing.")
def without_a_margin(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, -d ** 2)


@mistake("siamese.1", "margin was not used: 1 stands in its place.", "relu(margin - d).")
def margin_of_one(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(1 - d) ** 2)


@mistake("siamese.1", "Same pairs cost nothing: nothing pulls them together.", "d^2 where same is 1.")
def same_pairs_cost_nothing(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, 0 * d, relu(margin - d) ** 2)


@mistake("siamese.1", "The sum was divided by the number of *same* pairs.", "One mean over all P pairs.")
def divided_by_the_same_pairs(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return each_pair(same, d ** 2, relu(margin - d) ** 2) * len(d) / max(sum(same), 1)


@mistake("siamese.1", "d is the *squared* distance, so that its square is the fourth power.",
         "safe_norm(e1 - e2): with the root. Then d^2 and max(0, margin - d)^2.")
def distance_without_root(e1, e2, same, margin):
    d = np.sum((e1 - e2) ** 2, axis=1)
    return each_pair(same, d ** 2, relu(margin - d) ** 2)


@mistake("siamese.1", "Every pair got both parts: `same` was not used.",
         "same * d^2 + (1 - same) * max(0, margin - d)^2.")
def both_parts_for_every_pair(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return np.mean(d ** 2 + relu(margin - d) ** 2)


@honest("siamese.1")
def loss_pair_by_pair(e1, e2, same, margin):
    total = 0.0
    for a, b, s in zip(e1, e2, same, strict=True):
        d = safe_norm(a - b)
        total = total + (d ** 2 if s == 1 else np.maximum(0.0, margin - d) ** 2)
    return total / len(same)


@honest("siamese.1")
def loss_by_where(e1, e2, same, margin):
    d = safe_norm(e1 - e2)
    return np.sum(np.where(same == 1, d * d, np.where(d < margin, (margin - d) ** 2, 0.0))) / len(d)


# ---------------------------------------------------------------- siamese.2: the safe distance


@mistake("siamese.2", "The distances are right, but the derivative for equal rows is not a number: infinity times 0.",
         "Give the root a harmless number where the rows are equal, and take its result away again.")
def plain_root(a, b):
    return np.sqrt(np.sum((a - b) ** 2, axis=1))


@mistake("siamese.2", "A tiny number was added under the root, but equal rows still have a distance above 0.",
         "The root of 1e-12 is 1e-6. Replace the sum where it is 0, and leave it alone elsewhere.")
def a_tiny_number_under_the_root(a, b):
    return np.sqrt(np.sum((a - b) ** 2, axis=1) + 1e-12)


@mistake("siamese.2", "A small number was added under the root, but equal rows still have a distance above 0.",
         "The root of 1e-8 is 1e-4. Replace the sum where it is 0, and leave it alone elsewhere.",
         number=(1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10))
def a_small_number_under_the_root(a, b, number):
    return np.sqrt(np.sum((a - b) ** 2, axis=1) + number)


@mistake("siamese.2", "The root was bounded from below, so equal rows have a distance above 0.",
         "The root of Keras' 1e-7 is 3e-4. Where the sum is 0 the distance is 0.")
def bounded_from_below(a, b):
    return np.sqrt(np.maximum(np.sum((a - b) ** 2, axis=1), 1e-7))


@mistake("siamese.2", "Equal rows got the distance 1: the harmless number that the root was given is still there.",
         "Two np.where: one under the root, so that it is never 0, and one around it, that puts the 0 back.")
def the_stand_in_stays(a, b):
    squares = np.sum((a - b) ** 2, axis=1)
    return np.sqrt(np.where(squares > 0, squares, 1.0))


@mistake("siamese.2", "This is the squared distance.", "Take the root: the margin is a distance, not its square.")
def without_root(a, b):
    return np.sum((a - b) ** 2, axis=1)


@mistake("siamese.2", "The differences were averaged over the features, not summed.", "np.sum under the root.")
def averaged_over_features(a, b):
    squares = np.mean((a - b) ** 2, axis=1)
    return np.where(squares > 0, np.sqrt(np.where(squares > 0, squares, 1.0)), 0.0)


@mistake("siamese.2", "The absolute differences were summed, which is the way round the corner, not the straight line.",
         "Square, sum, root.")
def round_the_corner(a, b):
    return np.sum(np.abs(a - b), axis=1)


@mistake("siamese.2", "Below some small number the root was taken of that number, so equal rows have a distance above "
         "0.",
         "Give the root a harmless number where s is 0, and put 0 in its place afterwards.",
         least=(1e-6, 1e-8, 1e-10, 1e-12))
def at_least_a_small_number(a, b, least):
    return np.sqrt(np.maximum(np.sum((a - b) ** 2, axis=1), least))


@mistake("siamese.2", "Small distances became 0, not only that of equal rows.", "Ask whether s == 0.",
         least=(1e-3, 1e-6, 1e-8))
def small_taken_for_equal(a, b, least):
    s = np.sum((a - b) ** 2, axis=1)
    return np.where(s > least, np.sqrt(np.where(s > least, s, 1.0)), 0.0)


@mistake("siamese.2", "A 1 was put under every root and taken away after it: sqrt(s + 1) - 1 is not sqrt(s).",
         "Only where s is 0: np.sqrt(s + (s == 0)) - (s == 0).")
def a_one_under_every_root(a, b):
    return np.sqrt(np.sum((a - b) ** 2, axis=1) + 1) - 1


@mistake("siamese.2", "If any two rows are equal, all distances became 0.", "Each row by itself: s == 0 is an array.")
def all_zero_if_one_is(a, b):
    s = np.sum((a - b) ** 2, axis=1)
    return np.sqrt(s) if np.all(s > 0) else 0.0 * s


@mistake("siamese.2", "The 1 that the root was given was taken away everywhere, not only where the rows are equal.",
         "np.sqrt(s + (s == 0)) - (s == 0): a 0 or 1 for each row.")
def one_taken_away_everywhere(a, b):
    s = np.sum((a - b) ** 2, axis=1)
    return np.sqrt(s + (s == 0)) - 1


@mistake("siamese.2", "A small number was added under the root, and its root taken away again: right for equal rows, "
         "and too small for all others.", "Only where s is 0: np.sqrt(s + (s == 0)) - (s == 0).",
         number=(1e-4, 1e-6, 1e-8))
def small_number_taken_away_again(a, b, number):
    return np.sqrt(np.sum((a - b) ** 2, axis=1) + number) - number ** 0.5


@mistake("siamese.2", "The distances are right, but everything was made a constant: the derivative is 0 everywhere.",
         "0 where the rows are equal, and there alone: no stop_gradient.")
def constant_distances(a, b):
    return safe_norm(stop_gradient(a - b)) + 0 * np.sum(a + b)


@mistake("siamese.2", "One of a and b was made a constant: no derivative flows back into it.",
         "Both rows can move: no stop_gradient.", which=("a", "b"))
def one_of_the_two_constant(a, b, which):
    return safe_norm(stop_gradient(a) - b + 0 * a if which == "a" else a - stop_gradient(b) + 0 * b)


@mistake("siamese.2", "Rows whose differences sum to 0 were taken for equal.",
         "s is the sum of the *squares*: ask whether s == 0.")
def equal_sums_taken_for_equal(a, b):
    s, equal = np.sum((a - b) ** 2, axis=1), np.sum(a - b, axis=1) == 0
    return np.sqrt(np.where(equal, 1.0, s)) * (1 - equal)


@mistake("siamese.2", "Rows that share only some of their numbers were taken for equal.",
         "s is the sum of the squares: ask whether s == 0.")
def one_equal_number_taken_for_equal(a, b):
    s, equal = np.sum((a - b) ** 2, axis=1), np.any(a == b, axis=1)
    return np.sqrt(np.where(equal, 1.0, s)) * (1 - equal)


@honest("siamese.2")
def distance_by_two_wheres(a, b):
    squares = np.sum((a - b) ** 2, axis=1)
    apart = squares > 0
    return np.where(apart, np.sqrt(np.where(apart, squares, 1.0)), 0.0)


@honest("siamese.2")
def distance_row_by_row(a, b):
    distances = []
    for row, other in zip(a, b, strict=True):
        s = sum((row[i] - other[i]) ** 2 for i in range(len(row)))
        distances.append(np.sqrt(s) if s > 0 else 0.0 * s)
    return np.array(distances)


@honest("siamese.2")
def distance_with_the_stand_in_taken_away(a, b):
    squares = np.sum((a - b) ** 2, axis=1)
    equal = 1.0 * (squares == 0)
    return np.sqrt(squares + equal) - equal


# ---------------------------------------------------------------- siamese.3: one-shot recognition


def to_each(support, query):
    """The distances (Q,S)."""
    return onp.sqrt(onp.sum((query[:, None] - support[None]) ** 2, axis=-1))


@mistake("siamese.3", "The farthest example was taken.", "A small distance means alike: argmin, not argmax.")
def farthest(support, labels, query):
    return labels[to_each(support, query).argmax(axis=1)]


@mistake("siamese.3", "The position of the nearest example came back, not its label.",
         "labels[position]: the examples stand in any order.")
def position_of_the_example(support, labels, query):
    return to_each(support, query).argmin(axis=1)


@mistake("siamese.3", "The nearest query of each example was looked for.",
         "One answer for each query: the smallest distance over the examples.")
def for_each_example(support, labels, query):
    return labels[to_each(support, query).argmin(axis=0) % len(labels)]


@mistake("siamese.3", "The query was compared with the mean of each class: that is a prototypical network.",
         "Here a single example decides, the nearest one.")
def nearest_prototype(support, labels, query):
    means = onp.array([support[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    return to_each(means, query).argmin(axis=1)


@mistake("siamese.3", "The class of the smallest *mean* distance was taken.",
         "An example far away does not count against its class: the nearest one decides.")
def smallest_mean_distance(support, labels, query):
    apart = to_each(support, query)
    means = onp.array([apart[:, labels == label].mean(axis=1) for label in range(labels.max() + 1)])
    return means.argmin(axis=0)


@mistake("siamese.3", "The direction of the embeddings was compared, not their distance: cosine similarity.",
         "The network was trained by Euclidean distances; use the same.", epsilon=(0.0, 1e-9))
def nearest_direction(support, labels, query, epsilon):
    unit = [v / (onp.linalg.norm(v, axis=1, keepdims=True) + epsilon) for v in (query, support)]
    return labels[(unit[0] @ unit[1].T).argmax(axis=1)]


@mistake("siamese.3", "The absolute differences were summed.", "Euclidean: square, sum, root.")
def nearest_round_the_corner(support, labels, query):
    return labels[onp.abs(query[:, None] - support[None]).sum(axis=-1).argmin(axis=1)]


@mistake("siamese.3", "The largest dot product was taken: a long embedding wins, even if it is far away.",
         "The network was trained by distances; use the same.")
def largest_dot_product(support, labels, query):
    return labels[(query @ support.T).argmax(axis=1)]


@mistake("siamese.3", "Several neighbours voted.", "The nearest example alone decides.")
def three_neighbours(support, labels, query):
    return onp.array([onp.bincount(labels[onp.argsort(row)[:3]]).argmax() for row in to_each(support, query)])


@mistake("siamese.3", "The largest of the D differences was taken for the distance.",
         "The Euclidean distance: the root of the sum of the squares.")
def largest_difference(support, labels, query):
    return labels[onp.argmin(onp.abs(query[:, None] - support).max(axis=-1), axis=1)]


@mistake("siamese.3", "The distances to all examples of a class were added up: a class of many examples loses.",
         "The nearest *example* decides, whatever the others of its class are.")
def distances_of_a_class_added_up(support, labels, query):
    d = onp.sqrt(((query[:, None] - support) ** 2).sum(axis=-1))
    classes = onp.unique(labels)
    return classes[onp.argmin([d[:, labels == n].sum(axis=1) for n in classes], axis=0)]


@mistake("siamese.3", "The position was looked up in the *sorted* labels.", "labels as they stand beside the examples.")
def label_of_the_sorted(support, labels, query):
    return onp.sort(labels)[to_each(support, query).argmin(axis=1)]


@mistake("siamese.3", "Only one example of each class was compared.",
         "All examples: the nearest one may be any of them.",
         which=(0, -1))
def one_example_of_each_class(support, labels, query, which):
    chosen = onp.array([support[labels == label][which] for label in range(labels.max() + 1)])
    return to_each(chosen, query).argmin(axis=1)


@mistake("siamese.3", "The most frequent label came back, whatever the query.", "The label of the nearest example.")
def most_frequent_label(support, labels, query):
    return onp.full(len(query), onp.bincount(labels).argmax())


@mistake("siamese.3", "The second nearest example was taken, as if the nearest were the query itself.",
         "The query is not in the support: argmin over all examples.")
def second_nearest(support, labels, query):
    return labels[to_each(support, query).argsort(axis=1)[:, 1]]


@mistake("siamese.3", "The lengths of the embeddings were compared, not their distance.",
         "The length of the difference, not the difference of the lengths.")
def nearest_length(support, labels, query):
    lengths = [onp.linalg.norm(v, axis=1) for v in (query, support)]
    return labels[onp.abs(lengths[0][:, None] - lengths[1]).argmin(axis=1)]


@mistake("siamese.3", "The D differences were summed with their signs, so that they cancel.",
         "Euclidean: square each difference, then sum.", then=("absolute", "as they are"))
def nearest_by_the_sum_of_differences(support, labels, query, then):
    sums = query.sum(axis=1)[:, None] - support.sum(axis=1)
    return labels[(onp.abs(sums) if then == "absolute" else sums).argmin(axis=1)]


@mistake("siamese.3", "Only the first feature was compared.", "The sum over all D features.")
def nearest_in_the_first_feature(support, labels, query):
    return labels[onp.abs(query[:, :1] - support[:, 0]).argmin(axis=1)]


@honest("siamese.3")
def recognise_by_loops(support, labels, query):
    answers = []
    for q in query:
        best, answer = float("inf"), None
        for s, label in zip(support, labels, strict=True):
            apart = sum((x - y) ** 2 for x, y in zip(q, s, strict=True))
            if apart < best:
                best, answer = apart, label
        answers.append(answer)
    return answers


@honest("siamese.3")
def recognise_by_a_matrix_product(support, labels, query):
    squares = (support ** 2).sum(axis=1) - 2 * query @ support.T
    return np.array(labels)[np.argmin(squares, axis=1)]


# ---------------------------------------------------------------- siamese.4: balanced pairs


def pairs_of(images_of, n_pairs, rng, one=None, two=None):
    """Right as it stands: same and different in turn. one(rng), two(rng) -> two ids take the place of a kind's draw."""
    def same_pair(rng):
        return rng.choice(images_of[rng.integers(len(images_of))], 2, replace=False)

    def different_pair(rng):
        return [rng.choice(images_of[c]) for c in rng.choice(len(images_of), 2, replace=False)]

    ids = [draw(rng) for _ in range(n_pairs // 2) for draw in (one or same_pair, two or different_pair)]
    first, second = onp.array(ids).T
    return first, second, onp.tile([1, 0], n_pairs // 2)


def class_of(images_of):
    """The class of each image."""
    numbers = onp.concatenate(images_of)
    classes = onp.empty(numbers.max() + 1, int)
    classes[numbers] = onp.repeat(onp.arange(len(images_of)), [len(ids) for ids in images_of])
    return classes


@mistake("siamese.4", "In a call not half of the pairs are the same. Were any two images drawn, and labelled by what "
         "they are?",
         "Decide first which kind the pair is, half and half, then draw such a pair.")
def whatever_comes(images_of, n_pairs, rng):
    ids = onp.array([rng.choice(onp.concatenate(images_of), 2, replace=False) for _ in range(n_pairs)])
    first, second = ids.T
    return first, second, (class_of(images_of)[first] == class_of(images_of)[second]).astype(int)


@mistake("siamese.4", "The labels are flipped: 1 stands for two classes.", "same = 1 for one class.")
def labels_of_hadsell(images_of, n_pairs, rng):
    first, second, same = pairs_of(images_of, n_pairs, rng)
    return first, second, 1 - same


@mistake("siamese.4", "Some pairs called different are of one class. Were the two classes drawn independently, or only "
         "one?",
         "rng.choice(number of classes, 2, replace=False).")
def different_by_luck(images_of, n_pairs, rng):
    def two(rng):
        return [rng.choice(images_of[c]) for c in rng.choice(len(images_of), 2)]
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "An image was paired with itself; its distance is 0 whatever the network does.",
         "rng.choice(images, 2, replace=False); the default is with replacement.")
def an_image_with_itself(images_of, n_pairs, rng):
    return pairs_of(images_of, n_pairs, rng,
                    one=lambda rng: rng.choice(images_of[rng.integers(len(images_of))], 2))


@mistake("siamese.4", "Some classes come more often. Was an image drawn first, and with it its class?",
         "Draw a class, then images of it.")
def large_classes_more_often(images_of, n_pairs, rng):
    images, classes = onp.concatenate(images_of), class_of(images_of)

    def one(rng):
        first = rng.choice(images)
        return first, rng.choice([i for i in images_of[classes[first]] if i != first])

    def two(rng):
        first = rng.choice(images)
        return first, rng.choice([i for i in images if classes[i] != classes[first]])
    return pairs_of(images_of, n_pairs, rng, one, two)


@mistake("siamese.4", "Some classes never meet: the other class is always the next one in the list, for example.",
         "Any two classes: a network that meets neighbours alone learns nothing about the others.")
def always_the_next_class(images_of, n_pairs, rng):
    def two(rng):
        c = rng.integers(len(images_of))
        return rng.choice(images_of[c]), rng.choice(images_of[(c + 1) % len(images_of)])
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "One image of a same pair was not drawn: it is always the same of its class, say the first.",
         "Two different images, both by chance.")
def always_the_first_image(images_of, n_pairs, rng):
    def one(rng):
        ids = images_of[rng.integers(len(images_of))]
        return ids[0], rng.choice(ids[1:])
    return pairs_of(images_of, n_pairs, rng, one=one)


@mistake("siamese.4", "A Generator with a fixed seed was made inside the function: every call draws the same pairs.",
         "Draw from the `rng` that is passed in.")
def own_generator(images_of, n_pairs, rng):
    return pairs_of(images_of, n_pairs, onp.random.default_rng(0))


@mistake("siamese.4", "Half are the same on average, but not in every call: was a coin thrown for each pair?",
         "n_pairs // 2 of each kind.")
def a_coin_per_pair(images_of, n_pairs, rng):
    first, second, same = pairs_of(images_of, 2 * n_pairs, rng)
    chosen = 2 * onp.arange(n_pairs) + rng.integers(2, size=n_pairs)
    return first[chosen], second[chosen], same[chosen]


@mistake("siamese.4", "In a different pair the one image says something of the other. Do they stand at the same place?",
         "Draw the second image apart from the first.")
def the_same_place_in_both_classes(images_of, n_pairs, rng):
    def two(rng):
        c, d = rng.choice(len(images_of), 2, replace=False)
        place = rng.integers(min(len(images_of[c]), len(images_of[d])))
        return images_of[c][place], images_of[d][place]
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "In different pairs some images come more often than others of their class. Were some left out, "
         "or is one always the same, say the first?", "Draw both from all of their class: rng.choice(images_of[d]).")
def the_first_image_of_the_other_class(images_of, n_pairs, rng):
    def two(rng):
        c, d = rng.choice(len(images_of), 2, replace=False)
        return rng.choice(images_of[c]), images_of[d][0]
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "Some two images of a class come together more often. Are they neighbours in its list?",
         "Any two different images of it.")
def neighbouring_images(images_of, n_pairs, rng):
    def one(rng):
        ids = images_of[rng.integers(len(images_of))]
        i = rng.integers(len(ids))
        return ids[i], ids[(i + 1) % len(ids)]
    return pairs_of(images_of, n_pairs, rng, one=one)


@mistake("siamese.4", "All same pairs of a call are of one class. Was it drawn once for all, or one pair repeated?",
         "Draw a class, and a pair of it, for each pair.")
def one_class_in_a_call(images_of, n_pairs, rng):
    c = rng.integers(len(images_of))
    return pairs_of(images_of, n_pairs, rng, one=lambda rng: rng.choice(images_of[c], 2, replace=False))


@mistake("siamese.4", "One class was drawn for all different pairs of a call, and only the other one anew.",
         "Draw two classes for each pair.")
def one_class_against_all(images_of, n_pairs, rng):
    c = rng.integers(len(images_of))

    def two(rng):
        d = (c + 1 + rng.integers(len(images_of) - 1)) % len(images_of)
        pair = [rng.choice(images_of[c]), rng.choice(images_of[d])]
        return pair[::int(rng.choice([-1, 1]))]
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "Positions within the class came back, not the numbers of the images.",
         "images_of[c] holds the numbers: rng.choice(images_of[c], 2, replace=False).", of=("all", "same pairs"))
def positions_for_numbers(images_of, n_pairs, rng, of):
    def one(rng):
        return rng.choice(len(images_of[rng.integers(len(images_of))]), 2, replace=False)
    return pairs_of([onp.arange(len(ids)) for ids in images_of] if of == "all" else images_of, n_pairs, rng, one)


@mistake("siamese.4", "In different pairs some classes meet more often than others. Were two images drawn first, and "
         "with them their classes?", "Draw two classes, then an image of each.")
def large_classes_meet_more_often(images_of, n_pairs, rng):
    images, classes = onp.concatenate(images_of), class_of(images_of)

    def two(rng):
        while True:
            first, second = rng.choice(images, 2)
            if classes[first] != classes[second]:
                return first, second
    return pairs_of(images_of, n_pairs, rng, two=two)


@mistake("siamese.4", "Every call has same pairs of the same classes. Do they come in turn, or each exactly once?",
         "Draw a class anew for each pair: rng.integers(len(images_of)).", shuffled=(False, True))
def classes_in_turn(images_of, n_pairs, rng, shuffled):
    turn = cycle([images_of[c] for c in rng.permutation(len(images_of))] if shuffled else images_of)
    return pairs_of(images_of, n_pairs, rng, one=lambda rng: rng.choice(next(turn), 2, replace=False))


@mistake("siamese.4", "A class is never in a same pair.", "rng.integers(n) ends at n - 1 by itself.")
def last_class_never(images_of, n_pairs, rng):
    return pairs_of(images_of, n_pairs, rng,
                    one=lambda rng: rng.choice(images_of[rng.integers(len(images_of) - 1)], 2, replace=False))


@mistake("siamese.4", "The labels stand in another order than the pairs. Were they shuffled by themselves?",
         "One order for all three: order = rng.permutation(n_pairs), then first[order], second[order], same[order].")
def labels_shuffled_alone(images_of, n_pairs, rng):
    first, second, same = pairs_of(images_of, n_pairs, rng)
    return first, second, rng.permutation(same)


@mistake("siamese.4", "Same pairs: some images of a class come more often. Are others never drawn, or are the "
         "two neighbours in its list, of whose ends each has but one?",
         "Any two different images: rng.choice(images_of[c], 2, replace=False).")
def neighbours_in_the_list_of_images(images_of, n_pairs, rng):
    def one(rng):
        ids = images_of[rng.integers(len(images_of))]
        i = rng.integers(len(ids) - 1)
        return ids[i], ids[i + 1]
    return pairs_of(images_of, n_pairs, rng, one)


@mistake("siamese.4", "A same pair and a different pair share a class too often. Was one image, or one class, drawn "
         "for both, as an anchor?",
         "Every pair is drawn anew: a class for a same pair, and any two for a different one.")
def one_anchor_for_both(images_of, n_pairs, rng):
    ids = []
    for _ in range(n_pairs // 2):
        c, d = rng.choice(len(images_of), 2, replace=False)
        anchor, partner = rng.choice(images_of[c], 2, replace=False)
        ids += [(anchor, partner), (anchor, rng.choice(images_of[d]))]
    first, second = onp.array(ids).T
    return first, second, onp.tile([1, 0], n_pairs // 2)


@mistake("siamese.4", "The numbers of the classes came back, not those of the images.",
         "A class is drawn first, and then an image of it: rng.choice(images_of[c], ...).")
def classes_for_images(images_of, n_pairs, rng):
    first, second, same = pairs_of(images_of, n_pairs, rng)
    return class_of(images_of)[first], class_of(images_of)[second], same


@honest("siamese.4")
def pairs_one_kind_after_the_other(images_of, n_pairs, rng):
    first, second, same = [], [], []
    for _ in range(n_pairs // 2):
        ids = list(images_of[rng.integers(len(images_of))])
        rng.shuffle(ids)
        first.append(ids[0])
        second.append(ids[1])
        same.append(1)
    while len(first) < n_pairs:
        c, d = rng.integers(len(images_of), size=2)
        if c != d:
            first.append(rng.choice(images_of[c]))
            second.append(rng.choice(images_of[d]))
            same.append(0)
    return first, second, same


@honest("siamese.4")
def pairs_in_random_order(images_of, n_pairs, rng):
    order = rng.permutation(n_pairs)
    return [onp.array(column)[order] for column in pairs_of(images_of, n_pairs, rng)]


@honest("siamese.4")
def the_class_of_smaller_number_first(images_of, n_pairs, rng):
    first, second, same = pairs_of(images_of, n_pairs, rng)
    classes = class_of(images_of)
    swap = classes[first] > classes[second]
    return onp.where(swap, second, first), onp.where(swap, first, second), same


# ---------------------------------------------------------------- siamese.5: choose a threshold


def midpoints(distances):
    values = onp.unique(distances)
    return (values[:-1] + values[1:]) / 2


def best_of(candidates, quality):
    """The first of the candidates with the highest quality(candidate)."""
    return candidates[onp.argmax([round(quality(t), 9) for t in candidates])]


def shares(distances, same, t):
    """(same pairs below t, different pairs not below t)"""
    return (distances[same == 1] < t).mean(), (distances[same == 0] >= t).mean()


@mistake("siamese.5", "All pairs were counted alike, so the more frequent kind decides.",
         "Take the share of each kind for itself, then the mean of the two shares.")
def share_of_all_pairs(distances, same):
    return best_of(midpoints(distances), lambda t: ((distances < t) == same).mean())


@mistake("siamese.5", "The worst threshold came back. Were pairs *above* it taken for the same, or is it argmin?",
         "Same means near: distance < threshold; and the highest mean of the shares.")
def above_is_the_same(distances, same):
    return best_of(midpoints(distances), lambda t: -sum(shares(distances, same, t)))


@mistake("siamese.5", "Of equally good thresholds the largest was taken.",
         "Replace the best one so far only by one that is better: >, not >=.")
def last_of_the_best(distances, same):
    return best_of(midpoints(distances)[::-1], lambda t: sum(shares(distances, same, t)))


@mistake("siamese.5", "The threshold is one of the distances themselves.",
         "Midway between two neighbours: a new pair is seldom exactly as far apart as one that was seen.",
         which=("above the gap", "below it"))
def one_of_the_distances(distances, same, which):
    if which == "below it":
        return distances[distances < threshold_by_loops(distances, same)].max()
    return best_of(onp.unique(distances), lambda t: sum(shares(distances, same, t)))


@mistake("siamese.5", "Midway between the two mean distances: right only where both kinds scatter alike.",
         "Try each candidate, and count what it decides rightly.")
def midway_between_the_means(distances, same):
    return (distances[same == 1].mean() + distances[same == 0].mean()) / 2


@mistake("siamese.5", "Only the same pairs were counted: the threshold accepts them all, and whatever else is near.",
         "Different pairs below the threshold are errors, too.")
def same_pairs_alone(distances, same):
    return best_of(midpoints(distances), lambda t: shares(distances, same, t)[0])


@mistake("siamese.5", "The threshold rejects nearly everything. Were only the different pairs counted, or only what "
         "lies below the threshold, as a precision?", "Same pairs that are not below the threshold are errors, too.")
def different_pairs_alone(distances, same):
    return best_of(midpoints(distances), lambda t: shares(distances, same, t)[1])


@mistake("siamese.5", "The best mean of the shares came back, not the threshold that has it.",
         "Keep the candidate, not its quality.")
def the_quality_itself(distances, same):
    return max(sum(shares(distances, same, t)) / 2 for t in midpoints(distances))


@mistake("siamese.5", "The smaller share, or the product or harmonic mean of the two, was made as large as possible.",
         "Their ordinary mean.")
def best_worst_share(distances, same):
    return best_of(midpoints(distances), lambda t: min(shares(distances, same, t)))


@mistake("siamese.5", "The thresholds that were tried are evenly spaced, not the midpoints between neighbours.",
         "(d[i] + d[i+1]) / 2 of the sorted distances, of those that differ.", points=(50, 100, 101, 1000))
def evenly_spaced(distances, same, points):
    return best_of(onp.linspace(distances.min(), distances.max(), points), lambda t: sum(shares(distances, same, t)))


@mistake("siamese.5", "The threshold is where both kinds of error are most alike: that is the equal error rate's.",
         "The highest mean of the two shares, even if one is much higher than the other.")
def equal_errors(distances, same):
    return best_of(midpoints(distances), lambda t: -abs(onp.subtract(*shares(distances, same, t))))


@mistake("siamese.5", "Equal distances were not taken once: the midpoint of two equal ones is a distance itself.",
         "np.unique(distances) first: midpoints of neighbours that are different from each other.")
def midpoints_of_equal_distances(distances, same):
    ordered = onp.sort(distances)
    return best_of((ordered[1:] + ordered[:-1]) / 2,
                   lambda t: (distances[same == 1] <= t).mean() + (distances[same == 0] > t).mean())


@mistake("siamese.5", "The middle between the farthest same pair and the nearest different pair was taken.",
         "The kinds overlap: try each midpoint, and count what it decides rightly.")
def between_the_extremes(distances, same):
    return (distances[same == 1].max() + distances[same == 0].min()) / 2


@mistake("siamese.5", "The neighbours are those of the list as it came: the distances were not sorted.",
         "np.unique(distances) sorts them, and takes equal ones once.", then=("as they come", "sorted"))
def neighbours_in_the_list(distances, same, then):
    candidates = (distances[:-1] + distances[1:]) / 2
    return best_of(onp.sort(candidates) if then == "sorted" else candidates, lambda t: sum(shares(distances, same, t)))


@mistake("siamese.5", "The position of the best candidate came back.", "candidates[np.argmax(...)].")
def position_of_the_best(distances, same):
    return int(onp.argmax([round(sum(shares(distances, same, t)), 9) for t in midpoints(distances)]))


@mistake("siamese.5", "The first or the last midpoint was not tried.",
         "n different distances have n - 1 midpoints: try them all.", which=("last", "first"))
def one_midpoint_left_out(distances, same, which):
    tried = midpoints(distances)[:-1] if which == "last" else midpoints(distances)[1:]
    return best_of(tried, lambda t: sum(shares(distances, same, t)))


@mistake("siamese.5", "The median of the distances came back.", "Try each midpoint, and count what it decides rightly.")
def median_of_the_distances(distances, same):
    return onp.median(distances)


@mistake("siamese.5", "The largest distance of a same pair came back.",
         "The kinds overlap: try each midpoint, and count what it decides rightly.")
def farthest_same_pair(distances, same):
    return distances[same == 1].max()


@mistake("siamese.5", "The middle of the largest gap between two distances was taken, whatever kinds the pairs are.",
         "Try each midpoint, and count what it decides rightly.")
def middle_of_the_largest_gap(distances, same):
    return midpoints(distances)[onp.diff(onp.unique(distances)).argmax()]


@mistake("siamese.5", "The shares are those of the pairs below the threshold that are the same, and of the others that "
         "are different.",
         "The other way round: of the *same* pairs the share below, of the *different* pairs the share not below.")
def shares_of_the_two_sides(distances, same):
    return best_of(midpoints(distances), lambda t: same[distances < t].mean() + (1 - same)[distances >= t].mean())


@mistake("siamese.5", "The mean of all equally good thresholds came back.", "Of equally good ones the smallest.")
def mean_of_the_best(distances, same):
    quality = onp.round([sum(shares(distances, same, t)) for t in midpoints(distances)], 9)
    return midpoints(distances)[quality == quality.max()].mean()


@honest("siamese.5")
def threshold_by_loops(distances, same):
    pairs = sorted(zip(distances.tolist(), same.tolist(), strict=True))
    n_same = sum(s for _, s in pairs)
    n_different, best, answer = len(pairs) - n_same, -1.0, None
    for (low, _), (high, _) in pairwise(pairs):
        if low < high:
            t = (low + high) / 2
            right = sum(d < t for d, s in pairs if s) / n_same + sum(d >= t for d, s in pairs if not s) / n_different
            if right > best + 1e-9:
                best, answer = right, t
    return answer


@honest("siamese.5")
def threshold_by_running_counts(distances, same):
    order = onp.argsort(distances, kind="stable")
    d, s = distances[order], same[order]
    gain = onp.cumsum(s) / s.sum() - onp.cumsum(1 - s) / (1 - s).sum()  # of a threshold just above each
    gain = onp.where(d[:-1] < d[1:], gain[:-1], -1)
    i = int(onp.argmax(onp.round(gain, 9)))
    return (d[i] + d[i + 1]) / 2
