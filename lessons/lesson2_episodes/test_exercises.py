"""What the answers to lesson 2's exercises are compared with, and on what."""

import math
from itertools import combinations

import numpy as np

from fewshot_np import lesson2_episodes as lesson2
from fewshot_np.data import ImageClasses
from lessons.teacher.checking import case, exercise
from lessons.teacher.language import say

# ---------------------------------------------------------------- the sampler: judged by what it draws
#
# A draw is (support_ids, support_y, query_ids, query_y); the predicates see S of them stacked, (S, N K) and (S, N Q).
# A share of S may be `six_sigma` off the probability; that happens to a right sampler about once in a million.


def draw_by_the_library(images_of, n_way, k_shot, n_query, rng):
    labels = class_of_image(images_of)
    names = tuple(map(str, range(len(images_of))))
    classes = ImageClasses(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, names, names)
    episode = lesson2.sample_episodes(classes, n_way, k_shot, n_query, 1, rng)
    return tuple(a[0] for a in (episode.support_ids, episode.support_y, episode.query_ids, episode.query_y))


def class_of_image(images_of):
    return np.repeat(np.arange(len(images_of)), [len(ids) for ids in images_of])


def by_label(inputs, ids, labels):
    """The ids of label 0, those of label 1, ...: (S, N, K) or (S, N, Q)."""
    order = np.argsort(labels, axis=1, kind="stable")
    return np.take_along_axis(ids, order, axis=1).astype(int).reshape(len(ids), inputs["n_way"], -1)


def classes_drawn(inputs, ids, labels):
    """The class of each label: (S, N)."""
    return class_of_image(inputs["images_of"])[by_label(inputs, ids, labels)][:, :, 0]


def six_sigma(p, n):
    return 6 * math.sqrt(p * (1 - p) / n)


def ids_exist(inputs, support_ids, support_y, query_ids, query_y):
    """Every id is the number of an image in images_of."""
    n_images = len(class_of_image(inputs["images_of"]))
    for ids in (*support_ids, *query_ids):
        if not np.isin(ids, np.arange(n_images)).all():
            return say("ids {ids}, where the images have the numbers 0...{last}", ids=ids, last=n_images - 1)


def ids_are_not_positions(inputs, support_ids, support_y, query_ids, query_y):
    """The ids count all images, class after class: those of the last classes are larger than any class."""
    largest, highest = max(map(len, inputs["images_of"])), int(max(support_ids.max(), query_ids.max()))
    if highest < largest:
        return say("no id above {highest} in {n} tasks; the largest class has {largest} images", highest=highest,
                   n=len(support_ids), largest=largest)


def labels_begin_at_zero(inputs, support_ids, support_y, query_ids, query_y):
    """The labels begin at 0, not at 1."""
    labels = np.concatenate([support_y, query_y], axis=1)
    if (labels.min(axis=1) == 1).all() and (labels.max(axis=1) == inputs["n_way"]).all():
        return say("labels {labels}", labels=support_y[0])


def labels_are_numbered(inputs, support_ids, support_y, query_ids, query_y):
    """The labels are 0...N-1, each K times in the support and Q times in the query."""
    for stack, each in [(support_y, inputs["k_shot"]), (query_y, inputs["n_query"])]:
        wrong = (np.sort(stack, axis=1) != np.arange(inputs["n_way"]).repeat(each)).any(axis=1)
        if wrong.any():
            return say("labels {labels}", labels=stack[wrong.argmax()])


def labels_and_images_go_together(inputs, support_ids, support_y, query_ids, query_y):
    """All images of one label in the support are of one class, and all of one label in the query."""
    for ids, labels in [(support_ids, support_y), (query_ids, query_y)]:
        classes = class_of_image(inputs["images_of"])[by_label(inputs, ids, labels)]
        for task, label in np.argwhere((classes != classes[:, :, :1]).any(axis=2))[:1]:
            return say("a task in which label {label} stands for images of the classes {classes}", label=label,
                       classes=sorted(set(classes[task, label].tolist())))


def labels_name_classes(inputs, support_ids, support_y, query_ids, query_y):
    """All images of one label, in support and query, are of one class."""
    ids = np.concatenate([by_label(inputs, support_ids, support_y), by_label(inputs, query_ids, query_y)], axis=2)
    classes = class_of_image(inputs["images_of"])[ids]
    for task, label in np.argwhere((classes != classes[:, :, :1]).any(axis=2))[:1]:
        found = sorted(set(classes[task, label].tolist()))
        return say("a task in which label {label} stands for images of the classes {classes}", label=label,
                   classes=found)


def classes_differ(inputs, support_ids, support_y, query_ids, query_y):
    """The N classes of a task are all different."""
    for classes in classes_drawn(inputs, support_ids, support_y):
        if len(set(classes.tolist())) < len(classes):
            return say("a task of the classes {classes}", classes=classes)


def images_differ(inputs, support_ids, support_y, query_ids, query_y):
    """No image comes twice in a task, neither in the support nor in the query nor in both."""
    for support, query in zip(support_ids, query_ids, strict=True):
        both = np.intersect1d(support, query)
        if both.size:
            return say("a task in which image {image} is in the support and in the query", image=both[0])
        if len(set(support)) < len(support) or len(set(query)) < len(query):
            return say("a task in which an image comes twice")


def tasks_differ(inputs, support_ids, support_y, query_ids, query_y):
    """Every call draws anew."""
    if (support_ids == support_ids[0]).all() and (query_ids == query_ids[0]).all():
        return say("the same task {n} times", n=len(support_ids))


def every_class_is_drawn(inputs, support_ids, support_y, query_ids, query_y):
    """Every class is drawn now and then."""
    missing = np.setdiff1d(np.arange(len(inputs["images_of"])), classes_drawn(inputs, support_ids, support_y))
    if missing.size:
        return say("class {c} in none of {n} tasks", c=missing[0], n=len(support_ids))


def classes_are_equally_likely(inputs, support_ids, support_y, query_ids, query_y):
    """Each class is in N of C tasks, however many images it has."""
    n, share = len(support_ids), inputs["n_way"] / len(inputs["images_of"])
    counts = np.bincount(classes_drawn(inputs, support_ids, support_y).ravel(), minlength=len(inputs["images_of"]))
    worst = np.abs(counts / n - share).argmax()
    if abs(counts[worst] / n - share) > six_sigma(share, n):
        return say("class {c}, which has {size} images, in {count} of {n} tasks; about {right} would be right", c=worst,
                   size=len(inputs["images_of"][worst]), count=counts[worst], n=n, right=round(share * n))


def far_from(count, n, p):
    """Whether n trials of probability p seldom give `count`. The 3 is for small counts, which are skew."""
    return abs(count - n * p) > 6 * math.sqrt(n * p * (1 - p)) + 3


def any_classes_meet(inputs, support_ids, support_y, query_ids, query_y):
    """Any two classes are together in a task as often as any other two."""
    classes, n_classes, n_way = classes_drawn(inputs, support_ids, support_y), len(inputs["images_of"]), inputs["n_way"]
    drawn = (classes[:, :, None] == np.arange(n_classes)).any(axis=1)
    n, share = len(drawn), n_way * (n_way - 1) / (n_classes * (n_classes - 1))
    for a, b in combinations(range(n_classes), 2):
        count = int((drawn[:, a] & drawn[:, b]).sum())
        if far_from(count, n, share):
            return say("the classes {a} and {b} were together in {count} of {n} tasks; about {right} would be right",
                       a=a, b=b, count=count, n=n, right=round(share * n))


def every_class_gets_every_label(inputs, support_ids, support_y, query_ids, query_y):
    """Each class has each of the N labels equally often."""
    classes, n_classes = classes_drawn(inputs, support_ids, support_y), len(inputs["images_of"])
    for label, c in np.ndindex(inputs["n_way"], n_classes):
        count = int((classes[:, label] == c).sum())
        if far_from(count, len(classes), 1 / n_classes):
            return say("class {c} had the label {label} in {count} of {n} tasks; about {right} would be right", c=c,
                       label=label, count=count, n=len(classes), right=round(len(classes) / n_classes))


def labels_say_nothing(inputs, support_ids, support_y, query_ids, query_y):
    """The classes of a task stand in random order: a small label does not mean an early class."""
    n, share = len(support_ids), 1 / math.factorial(inputs["n_way"])
    ascending = (np.diff(classes_drawn(inputs, support_ids, support_y), axis=1) > 0).all(axis=1).sum()
    if abs(ascending / n - share) > six_sigma(share, n):
        return say("the classes were in ascending order in {count} of {n} tasks; about {right} would be right",
                   count=ascending, n=n, right=round(share * n))


def support_positions(inputs, support_ids, support_y):
    """Which images of their class are the support: (S, N, K) positions within the class, ascending."""
    first_of_class = np.cumsum([0, *map(len, inputs["images_of"])])
    classes = classes_drawn(inputs, support_ids, support_y)
    return np.sort(by_label(inputs, support_ids, support_y), axis=2) - first_of_class[classes][:, :, None], classes


def supports_differ(inputs, support_ids, support_y, query_ids, query_y):
    """The support of a class is drawn anew in each task."""
    positions, classes = support_positions(inputs, support_ids, support_y)
    for c in range(len(inputs["images_of"])):
        found = positions[classes == c]
        if len(found) > 50 and (found == found[0]).all():
            return say("the same support for class {c} in all {n} tasks that it was in", c=c, n=len(found))


def classes_are_drawn_apart(inputs, support_ids, support_y, query_ids, query_y):
    """The images of each class are drawn by themselves: their positions within one class say nothing about another."""
    positions, _ = support_positions(inputs, support_ids, support_y)
    n, equal = len(positions), (positions[:, 0] == positions[:, 1]).all(axis=1).sum()
    if equal / n > 2 / 3:  # at most 1/3 by chance, and 1/2 where only two images of each class are ever drawn
        return say("the same positions within the classes of labels 0 and 1, in {count} of {n} tasks", count=equal, n=n)


def images_are_equally_likely(inputs, support_ids, support_y, query_ids, query_y):
    """Each image of a class is as likely to be in the support as the others."""
    positions, classes = support_positions(inputs, support_ids, support_y)
    for c, ids in enumerate(inputs["images_of"]):
        found, share = positions[classes == c], inputs["k_shot"] / len(ids)
        times = (found[:, :, None] == np.arange(len(ids))).any(axis=1).sum(axis=0)
        worst = np.abs(times / len(found) - share).argmax()
        if abs(times[worst] / len(found) - share) > six_sigma(share, len(found)):
            return say("image {image} of the {size} of class {c} was in the support in {count} of its {n} tasks; about "
                       "{right} would be right", image=worst, size=len(ids), c=c, count=times[worst], n=len(found),
                       right=round(share * len(found)))


def queries_are_equally_likely(inputs, support_ids, support_y, query_ids, query_y):
    """Each image of a class is as likely to be a query as the others."""
    positions, classes = support_positions(inputs, query_ids, query_y)
    for c, ids in enumerate(inputs["images_of"]):
        found, share = positions[classes == c], inputs["n_query"] / len(ids)
        times = (found[:, :, None] == np.arange(len(ids))).any(axis=1).sum(axis=0)
        worst = np.abs(times / len(found) - share).argmax()
        if far_from(times[worst], len(found), share):
            return say("image {image} of the {size} of class {c} was a query in {count} of its {n} tasks; about "
                       "{right} would be right", image=worst, size=len(ids), c=c, count=times[worst], n=len(found),
                       right=round(share * len(found)))


def any_images_meet(inputs, support_ids, support_y, query_ids, query_y):
    """Any two images of a class are in a task together as often as any other two."""
    positions, classes = support_positions(inputs, *(np.concatenate(parts, axis=1) for parts in (
        (support_ids, query_ids), (support_y, query_y))))
    k = positions.shape[2]
    for c, ids in enumerate(inputs["images_of"]):
        drawn = (positions[classes == c][:, :, None] == np.arange(len(ids))).any(axis=1)
        n, share = len(drawn), k * (k - 1) / (len(ids) * (len(ids) - 1))
        for a, b in combinations(range(len(ids)), 2):
            count = int((drawn[:, a] & drawn[:, b]).sum())
            if far_from(count, n, share) or (not count and n * share > 20):
                return say("the images {a} and {b} of the {size} of class {c} were together in {count} of its {n} "
                           "tasks; about {right} would be right", a=a, b=b, size=len(ids), c=c, count=count, n=n,
                           right=round(share * n))


def numbered(*sizes):
    """images_of for classes of these sizes: 0 1 2 ... in order."""
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]


@exercise("episodes.1", draw_by_the_library, predicates=(
    ids_exist, ids_are_not_positions, labels_begin_at_zero, labels_are_numbered, labels_and_images_go_together,
    labels_name_classes, classes_differ, images_differ, tasks_differ, every_class_is_drawn, labels_say_nothing,
    classes_are_equally_likely, supports_differ, classes_are_drawn_apart, images_are_equally_likely, any_classes_meet,
    every_class_gets_every_label, queries_are_equally_likely, any_images_meet))
def test_draw_task(rng):
    yield case("classes of unequal size", images_of=numbered(5, 12, 5, 6, 5, 12), n_way=3, k_shot=2, n_query=3)
    yield case("just enough images", images_of=numbered(3, 3, 3, 3, 3), n_way=4, k_shot=1, n_query=2)
    yield case("all classes at once", images_of=numbered(4, 6, 5), n_way=3, k_shot=1, n_query=1)


# ---------------------------------------------------------------- accuracy and interval


@exercise("episodes.2", lesson2.accuracies)
def test_accuracies(rng):
    yield case("by hand", expected=[0.5], scores=np.array([[[0.1, 0.7, 0.2], [0.0, 0.3, 0.4]]]),
               labels=np.array([[1, 1]]))
    high, low = [2.0, 1.0], [1.0, 2.0]
    yield case("two tasks, by hand", expected=[1.0, 0.25], scores=np.array([[high, low, high, low], [high] * 4]),
               labels=np.array([[0, 1, 0, 1], [0, 1, 1, 1]]))
    labels = rng.integers(0, 4, size=(3, 7))
    yield case("3 tasks, 7 queries, 4 classes", scores=np.eye(4)[labels] + rng.normal(size=(3, 7, 4)),
               labels=labels)
    yield case("scores that are nearly equal", scores=-1 - 2.0 ** -20 * rng.permutation(18).reshape(1, 6, 3),
               labels=rng.integers(0, 3, size=(1, 6)))  # exact in float32, too
    yield case("one task", scores=rng.normal(size=(1, 5, 3)), labels=rng.integers(0, 3, size=(1, 5)))
    yield case("scores below 0", scores=-5 + rng.normal(size=(2, 6, 3)), labels=rng.integers(0, 3, size=(2, 6)))


@exercise("episodes.3", lesson2.mean_confidence_interval, tolerance=1e-3)  # printed tables of t have 4 digits
def test_mean_confidence_interval(rng):
    yield case("by hand", expected=(0.6, 0.49687), values=np.array([0.4, 0.6, 0.8]))
    # 8 values: four of 0.4 and four of 0.6, so s^2 = 8 * 0.1^2 / 7 and s / sqrt(8) = 0.1 / sqrt(7)
    yield case("8 episodes, by hand", expected=(0.5, 0.2365 / 7 ** 0.5), values=np.array([0.4, 0.6] * 4))
    yield case("12 episodes", values=rng.integers(0, 76, size=12) / 75)
    yield case("10 episodes", values=rng.integers(0, 76, size=10) / 75)
    yield case("every episode the same", expected=(0.75, 0.0), values=np.full(5, 0.75))
