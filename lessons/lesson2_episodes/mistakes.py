"""Wrong answers to lesson 2's exercises, each with the thought behind it, and right answers of other kinds."""

import random

import numpy as np

from fewshot_np.lesson2_episodes import t_factor
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- episodes.1: draw a task


def assemble(classes, images, k_shot, labels=None):
    """The task of these classes with these images (N,K+Q): the first K of each class are the support."""
    labels = np.arange(len(classes)) if labels is None else labels
    images = np.array(images)
    return (images[:, :k_shot].ravel(), np.repeat(labels, k_shot),
            images[:, k_shot:].ravel(), np.repeat(labels, images.shape[1] - k_shot))


def distinct(images_of, classes, n, rng):
    return [rng.choice(images_of[c], n, replace=False) for c in classes]


@mistake("episodes.1", "The classes were drawn with replacement: one can come twice in a task, under two labels.",
         "rng.choice(..., replace=False); the default is True.")
def a_class_twice(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way)
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "A query may have been seen: support and query were drawn independently of each other, or with "
         "replacement.", "Draw K + Q different images at once, rng.choice(..., replace=False), and cut.")
def queries_in_the_support(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    images = [np.concatenate([rng.choice(images_of[c], n, replace=False) for n in (k_shot, n_query)]) for c in classes]
    return assemble(classes, images, k_shot)


@mistake("episodes.1", "The labels are the numbers of the classes in the whole data set.",
         "A task is a small world of its own: its first class is 0, its second 1, ...")
def classes_as_labels(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot, labels=classes)


@mistake("episodes.1", "The labels follow the order of the classes. A network could learn that early classes have "
         "small labels, and score without looking at the support.",
         "Any order of the N classes is equally likely: leave them as rng.choice or rng.permutation drew them.")
def classes_in_order(images_of, n_way, k_shot, n_query, rng):
    classes = np.sort(rng.choice(len(images_of), n_way, replace=False))
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "Which images are drawn was decided once for all classes of the task.",
         "Draw anew for each class: the third drawing of every character may be by the same hand.")
def same_positions_in_all_classes(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    order = rng.permutation(min(map(len, images_of)))[:k_shot + n_query]
    return assemble(classes, [images_of[c][order] for c in classes], k_shot)


@mistake("episodes.1", "The support of a class is the same in all tasks. Is it always its first images?",
         "Draw K + Q images at random, and take K of those for the support.")
def always_the_same_support(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    images = [np.concatenate([images_of[c][:k_shot], rng.choice(images_of[c][k_shot:], n_query, replace=False)])
              for c in classes]
    return assemble(classes, images, k_shot)


@mistake("episodes.1", "A Generator with a fixed seed was made inside the function: every call draws the same task.",
         "Draw from the `rng` that is passed in.")
def own_generator(images_of, n_way, k_shot, n_query, rng):
    rng = np.random.default_rng(0)
    classes = rng.choice(len(images_of), n_way, replace=False)
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "The chance did not come from `rng`: nobody can repeat these draws.",
         "rng.choice, not np.random.choice or random.sample.")
def global_generator(images_of, n_way, k_shot, n_query, rng):
    classes = random.sample(range(len(images_of)), n_way)
    return assemble(classes, [random.sample(list(images_of[c]), k_shot + n_query) for c in classes], k_shot)


@mistake("episodes.1", "Some images are queries more often. Are they the first of those that are left?",
         "Draw all K + Q images of a class, and cut.")
def queries_not_drawn(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    support = distinct(images_of, classes, k_shot, rng)
    images = [np.concatenate([drawn, np.setdiff1d(images_of[c], drawn)[:n_query]])
              for c, drawn in zip(classes, support, strict=True)]
    return assemble(classes, images, k_shot)


@mistake("episodes.1", "Some classes are together more often. Are they neighbours in the list, of which one was drawn?",
         "Any N classes: rng.choice(number of classes, N, replace=False).")
def neighbouring_classes(images_of, n_way, k_shot, n_query, rng):
    classes = rng.permutation((rng.integers(len(images_of)) + np.arange(n_way)) % len(images_of))
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "Some images are together more often. Are they neighbours in the list of their class?",
         "Any K + Q images: rng.choice(images, K + Q, replace=False).")
def neighbouring_images(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    images = [rng.permutation(np.roll(images_of[c], -rng.integers(len(images_of[c])))[:k_shot + n_query])
              for c in classes]
    return assemble(classes, images, k_shot)


@mistake("episodes.1", "Some images are in the support more often. Were those drawn sorted, the smallest first?",
         "Leave them in the order in which they were drawn.")
def images_in_order(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    return assemble(classes, np.sort(distinct(images_of, classes, k_shot + n_query, rng), axis=1), k_shot)


@mistake("episodes.1", "Positions within the class came back, not the numbers of the images.",
         "images_of[c] holds the numbers: rng.choice(images_of[c], ...), not rng.choice(len(images_of[c]), ...).")
def positions_for_numbers(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    images = distinct([np.arange(len(ids)) for ids in images_of], classes, k_shot + n_query, rng)
    return assemble(classes, images, k_shot)


@mistake("episodes.1", "The images and their labels stand in different orders. Is it np.tile in place of np.repeat, or "
         "was only one of the two shuffled?", "images 7 8 of label 0 and 1 2 of label 1: the labels are 0 0 1 1.",
         how=("tile", "support shuffled"))
def labels_in_another_order(images_of, n_way, k_shot, n_query, rng, how):
    classes = rng.choice(len(images_of), n_way, replace=False)
    support, support_y, query, query_y = assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)
    if how == "tile":
        return support, np.tile(np.arange(n_way), k_shot), query, np.tile(np.arange(n_way), n_query)
    return rng.permutation(support), support_y, query, query_y


@mistake("episodes.1", "Some images are in the support more often. Are only some of each class ever drawn, such as the "
         "first K + Q?",
         "Any K + Q images: rng.choice(images, K + Q, replace=False), or the front of a permutation of *all* of them.")
def first_images_alone(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    return assemble(classes, distinct([ids[:k_shot + n_query] for ids in images_of], classes, k_shot + n_query, rng),
                    k_shot)


@mistake("episodes.1", "Some classes come more often. Was an image drawn first, and with it its class?",
         "Draw classes, then images of each: rng.choice(number of classes, N, replace=False).")
def large_classes_more_often(images_of, n_way, k_shot, n_query, rng):
    sizes = np.array([len(ids) for ids in images_of])
    classes = rng.choice(len(images_of), n_way, replace=False, p=sizes / sizes.sum())
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "At least one class is never drawn.",
         "Any N of *all* classes: not the first N alone, and rng.choice(n) and rng.integers(n) end at n - 1 by "
         "themselves.", of=("all but the last", "all but the last, even if too few", "the first N as they stand"))
def last_class_never(images_of, n_way, k_shot, n_query, rng, of):
    classes = rng.choice(max(len(images_of) - 1, 0 if "even" in of else n_way), n_way, replace=False)
    if "first" in of:
        classes = np.arange(n_way)
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot)


@mistake("episodes.1", "A label means one class in the support and another in the query: the classes, or their order, "
         "were drawn twice.", "Draw the N classes once, and take the support and the queries of each from them.")
def other_classes_for_the_queries(images_of, n_way, k_shot, n_query, rng):
    tasks = []
    for _ in range(2):
        classes = rng.choice(len(images_of), n_way, replace=False)
        tasks.append(assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot))
    return *tasks[0][:2], *tasks[1][2:]


@mistake("episodes.1", "The labels were counted from 1.",
         "The first class of a task is 0: enumerate and range begin there.")
def labels_from_one(images_of, n_way, k_shot, n_query, rng):
    classes = rng.choice(len(images_of), n_way, replace=False)
    return assemble(classes, distinct(images_of, classes, k_shot + n_query, rng), k_shot, np.arange(n_way) + 1)


@honest("episodes.1")
def draw_by_permutations(images_of, n_way, k_shot, n_query, rng):
    support_ids, support_y, query_ids, query_y = [], [], [], []
    for label, c in enumerate(rng.permutation(len(images_of))[:n_way]):
        order = [int(images_of[c][i]) for i in rng.permutation(len(images_of[c]))]
        support_ids += order[:k_shot]
        support_y += [label] * k_shot
        query_ids += order[k_shot:k_shot + n_query]
        query_y += [label] * n_query
    return support_ids, support_y, query_ids, query_y


@honest("episodes.1")
def draw_and_shuffle(images_of, n_way, k_shot, n_query, rng):
    classes = list(range(len(images_of)))
    rng.shuffle(classes)
    support, query = [], []
    for label in range(n_way):
        for n, i in enumerate(rng.choice(images_of[classes[label]], k_shot + n_query, replace=False)):
            (support if n < k_shot else query).append((i, label))
    rng.shuffle(query)  # the order of the queries is nobody's business
    return [np.array(support)[:, 0], np.array(support)[:, 1], np.array(query)[:, 0], np.array(query)[:, 1]]


# ---------------------------------------------------------------- episodes.2: accuracy


@mistake("episodes.2", "The class of the lowest score was taken.", "A high score means near: argmax, not argmin.")
def lowest_score(scores, labels):
    return np.mean(scores.argmin(-1) == labels, axis=-1)


@mistake("episodes.2", "This is the share of wrong answers.", "Count the queries that are answered with ==, not !=.")
def error_rate(scores, labels):
    return np.mean(scores.argmax(-1) != labels, axis=-1)


@mistake("episodes.2", "One number came back for all tasks together.", "Average over the queries alone, axis=-1: the "
         "interval needs one accuracy for each task.")
def all_tasks_together(scores, labels):
    return np.mean(scores.argmax(-1) == labels)


@mistake("episodes.2", "The mean was taken over the tasks, for each query.", "The queries are the last axis: axis=-1.")
def averaged_over_tasks(scores, labels):
    return np.mean(scores.argmax(-1) == labels, axis=0)


@mistake("episodes.2", "The right answers were counted, not their share.", "np.mean, not np.sum.")
def counted(scores, labels):
    return np.sum(scores.argmax(-1) == labels, axis=-1)


@mistake("episodes.2", "The count was divided by the number of classes.", "Divide by the number of queries, M.")
def divided_by_classes(scores, labels):
    return np.sum(scores.argmax(-1) == labels, axis=-1) / scores.shape[-1]


@mistake("episodes.2", "A query counted as right when its class had a score above a fixed number, such as 0 or 1/2.",
         "Whether 0.4 is high depends on the other classes: compare the scores with one another.", least=(0, 0.5))
def score_above_a_number(scores, labels, least):
    return np.mean(np.take_along_axis(scores, labels[:, :, None], axis=-1)[:, :, 0] > least, axis=-1)


@mistake("episodes.2", "These are percent.", "A share lies between 0 and 1.")
def percent(scores, labels):
    return 100 * np.mean(scores.argmax(-1) == labels, axis=-1)


@mistake("episodes.2", "The best query of each class was looked for.",
         "Each query is answered with a class: argmax over the classes, axis=-1.", judged=("the position", "its label"))
def best_query_of_each_class(scores, labels, judged):
    best = scores.argmax(axis=1)  # (T,N)
    if judged == "the position":
        return np.mean(best == labels, axis=-1)
    return np.mean(np.take_along_axis(labels, best, axis=1) == np.arange(scores.shape[-1]), axis=-1)


@mistake("episodes.2", "The scores of the own classes were averaged. They do not say which class scores highest.",
         "First the answers, scores.argmax(axis=-1), then the share of those that are right.")
def mean_score_of_the_own_class(scores, labels):
    return np.mean(np.take_along_axis(scores, labels[:, :, None], axis=-1)[:, :, 0], axis=-1)


@mistake("episodes.2", "The share was taken for each class, and then their mean.", "All queries count alike: one mean.")
def average_of_the_classes(scores, labels):
    right = scores.argmax(-1) == labels
    return np.array([np.mean([r[y == n].mean() for n in np.unique(y)]) for r, y in zip(right, labels, strict=True)])


@mistake("episodes.2", "The count was divided by the number of tasks.", "Divide by the number of queries, M.")
def divided_by_tasks(scores, labels):
    return np.sum(scores.argmax(-1) == labels, axis=-1) / len(scores)


@mistake("episodes.2", "A query counted as right when its class was among the two highest.",
         "The highest score is the answer, and no other.")
def among_the_two_highest(scores, labels):
    return np.mean((np.argsort(scores, axis=-1)[:, :, -2:] == labels[:, :, None]).any(axis=-1), axis=-1)


@mistake("episodes.2", "A query counted as right when its class had a score above the average of the classes.",
         "The highest score is the answer: several classes can be above the average.")
def score_above_the_average(scores, labels):
    own = np.take_along_axis(scores, labels[:, :, None], axis=-1)[:, :, 0]
    return np.mean(own > scores.mean(axis=-1), axis=-1)


@mistake("episodes.2", "A whole task was judged as right or wrong: right if all its queries are, or if one of them is.",
         "The share of the queries: np.mean(..., axis=-1).", how=("all", "any"))
def right_as_a_whole(scores, labels, how):
    right = scores.argmax(-1) == labels
    return 1.0 * (right.all(axis=-1) if how == "all" else right.any(axis=-1))


@mistake("episodes.2", "The classes were counted from 1.",
         "The labels are 0...N-1, and argmax counts from 0, too: compare them as they are.")
def classes_from_one(scores, labels):
    return np.mean(scores.argmax(-1) + 1 == labels, axis=-1)


@mistake("episodes.2", "All tasks were judged by the labels of one task.", "Task t has the labels labels[t].",
         task=(0, -1))
def labels_of_one_task(scores, labels, task):
    return np.mean(scores.argmax(-1) == labels[task], axis=-1)


@honest("episodes.2")
def accuracies_by_loops(scores, labels):
    result = []
    for task, wanted in zip(scores.tolist(), labels.tolist(), strict=True):
        right = [row.index(max(row)) == label for row, label in zip(task, wanted, strict=True)]
        result.append(sum(right) / len(right))
    return result


# ---------------------------------------------------------------- episodes.3: the confidence interval


@mistake("episodes.3", "The standard deviation has n in the denominator.",
         "The mean was estimated from the same values and lies too near to them: np.std(values, ddof=1).")
def divided_by_n(values):
    return values.mean(), t_factor(len(values)) * values.std() / len(values) ** 0.5


@mistake("episodes.3", "This is the spread of single episodes; the division by sqrt(n) is missing.",
         "The mean of n values varies less than one value, by sqrt(n).")
def spread_of_the_values(values):
    return values.mean(), t_factor(len(values)) * values.std(ddof=1)


@mistake("episodes.3", "It was divided by n instead of its square root.",
         "Variances of independent values add up, so the *variance* of the mean is s^2 / n.")
def without_the_root(values):
    return values.mean(), t_factor(len(values)) * values.std(ddof=1) / len(values)


@mistake("episodes.3", "This is the standard error: the factor t is missing. It covers 68 % at best, not 95 %.",
         "Multiply by t_factor(n).")
def standard_error(values):
    return values.mean(), values.std(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "The variance stands where the standard deviation belongs.", "s is the root of the variance.")
def variance_for_deviation(values):
    return values.mean(), t_factor(len(values)) * values.var(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "This is the whole width of the interval.",
         "The half-width is what stands after the plus-minus.")
def whole_width(values):
    return values.mean(), 2 * t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "The two ends of the interval came back.", "Return the mean and the half-width.")
def both_ends(values):
    half = t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5
    return values.mean() - half, values.mean() + half


@mistake("episodes.3", "The formula for coin tosses, sqrt(p (1 - p) / n), was used.",
         "An episode's accuracy is a share of many queries, not 0 or 1: estimate its spread from the values.")
def coin_tosses(values):
    p = values.mean()
    return p, t_factor(len(values)) * (p * (1 - p) / len(values)) ** 0.5


@mistake("episodes.3", "The factor is 1.96 for any number of values. But s is estimated from the same few values, and "
         "of few it is often much too small: with 4 values this interval contains the truth 85 times in 100.",
         "Student's factor: t_factor(n) instead of 1.96.")
def factor_of_the_normal_distribution(values):
    return values.mean(), 1.96 * values.std(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "n - 1 was used twice: under the root, too, stands n - 1.",
         "s has n - 1 in its denominator; the mean of n values varies less by sqrt(n).")
def one_less_twice(values):
    return values.mean(), t_factor(len(values)) * values.std(ddof=1) / (len(values) - 1) ** 0.5


@mistake("episodes.3", "The factor before s is not Student's t for n values.", "t_factor(n), which depends on n.",
         factor=(2.0, 1.645, 2.576))
def another_factor(values, factor):
    return values.mean(), factor * values.std(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "Student's factor is that for one value less.", "t_factor(n) takes the number of values, n.")
def factor_of_one_less(values):
    n = len(values)
    return np.mean(values), t_factor(max(n - 1, 2)) * np.std(values, ddof=1) / np.sqrt(n)


@mistake("episodes.3", "The median came back, not the mean.", "np.mean(values).")
def median_of_the_values(values):
    return np.median(values), t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5


@mistake("episodes.3", "The absolute deviations were averaged; s is the root of the mean square.",
         "np.std(values, ddof=1).", ddof=(0, 1))
def mean_absolute_deviation(values, ddof):
    spread = np.abs(values - values.mean()).sum() / (len(values) - ddof)
    return values.mean(), t_factor(len(values)) * spread / len(values) ** 0.5


@mistake("episodes.3", "Mean and half-width changed places.", "Return (mean, half-width).")
def half_width_first(values):
    return t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5, values.mean()


@mistake("episodes.3", "The half-width was halved once more.", "t s / sqrt(n) is the half-width already.")
def half_of_the_half_width(values):
    return values.mean(), t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5 / 2


@mistake("episodes.3", "The mean has n - 1 in the denominator.",
         "The sum of n values divided by n, np.mean(values). n - 1 belongs to s alone.")
def mean_divided_by_one_less(values):
    n = len(values)
    return values.sum() / (n - 1), t_factor(n) * values.std(ddof=1) / n ** 0.5


@honest("episodes.3")
def interval_by_sums(values):
    n, values = len(values), [float(v) for v in values]
    mean = sum(values) / n
    return mean, t_factor(n) * (sum((v - mean) ** 2 for v in values) / (n - 1) / n) ** 0.5


@honest("episodes.3")
def interval_with_the_n_elsewhere(values):
    return [np.mean(values), t_factor(len(values)) * np.std(values) / (len(values) - 1) ** 0.5]


@honest("episodes.3")
def interval_with_a_printed_table(values):
    table = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 8: 2.365, 10: 2.262, 12: 2.201}
    return np.mean(values), table[len(values)] * np.std(values, ddof=1) / len(values) ** 0.5
