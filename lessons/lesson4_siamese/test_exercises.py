"""What the answers to lesson 4's exercises on Siamese networks are compared with, and on what."""

import math
from itertools import combinations

import numpy as np

from fewshot_np import lesson4_siamese as lesson
from fewshot_np.data import ImageClasses
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.nn.networks import Network
from fewshot_np.nn.primitives import safe_norm
from lessons.teacher.checking import case, exercise
from lessons.teacher.language import say

# ---------------------------------------------------------------- the loss and the distance


@exercise("siamese.1", lesson.contrastive_loss, gradients=("e1", "e2"))
def test_contrastive_loss(rng):
    yield case("by hand", expected=7.0, e1=np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 9.0]]),
               e2=np.array([[2.0, 0.0], [1.0, 2.0], [4.0, 9.0]]), same=np.array([1, 0, 0]), margin=5.0)
    e1, e2 = rng.normal(size=(2, 7, 4))  # distances of 1 to 5
    same = np.array([1, 0, 0, 1, 0, 0, 0])
    yield case("7 pairs, 4 features", e1=e1, e2=e2, same=same, margin=3.0)
    yield case("different pairs on both sides of the margin", e1=np.zeros((3, 2)) + rng.normal(size=2),
               e2=rng.normal(size=2) + np.array([[0.0, 0.0], [9.0, 0.0], [0.0, -8.0]]), same=np.array([0, 0, 0]),
               margin=6.0)
    yield case("same pairs alone", e1=e1, e2=e2, same=np.ones(7, int), margin=3.0)
    yield case("an identical pair, called different", expected=4.0, e1=np.array([[3.0, 1.0]]),
               e2=np.array([[3.0, 1.0]]), same=np.array([0]), margin=2.0)
    yield case("an identical pair of the same class", expected=0.0, e1=np.array([[3.0, 1.0]]),
               e2=np.array([[3.0, 1.0]]), same=np.array([1]), margin=2.0)
    yield case("exactly at the margin", expected=0.0, e1=np.array([[0.0, 0.0]]), e2=np.array([[3.0, 4.0]]),
               same=np.array([0]), margin=5.0)


def library_distance(a, b):
    return safe_norm(a - b)


@exercise("siamese.2", library_distance, gradients=("a", "b"), tolerance=7e-7)  # 0 is 0: not the root of 1e-12
def test_distance(rng):
    yield case("by hand", expected=[5.0], a=np.array([[0.0, 3.0]]), b=np.array([[4.0, 0.0]]))
    a, b = rng.normal(size=(2, 5, 3))
    yield case("5 rows, 3 features", a=a, b=b)
    yield case("equal rows", expected=[0.0], a=np.array([[7.0, 7.0]]), b=np.array([[7.0, 7.0]]))
    yield case("equal rows among others", a=a, b=np.concatenate([a[:2], b[2:]]))
    yield case("rows of equal sums", expected=[8 ** 0.5, 5.0], a=np.array([[1.0, 3.0], [0.0, 2.0]]),
               b=np.array([[3.0, 1.0], [5.0, 2.0]]))
    yield case("rows that are nearly equal", a=1e-3 * a, b=1e-3 * b)
    yield case("rows that are hardly different", expected=[2.0 ** -18], a=np.array([[7.0, 7.0]]),
               b=np.array([[7.0, 7.0 + 2.0 ** -18]]))  # exact in float32, too


# ---------------------------------------------------------------- recognition: the library's, of embeddings as images

AS_IT_IS = Network(None, lambda params, x, n_reference=None: x)


def recognise_by_the_library(support, labels, query):
    episode = Episode(support[None], labels[None], query[None], None, None, None)
    return lesson.scores(AS_IT_IS, None, episode, statistics="support")[0].argmax(axis=-1)


@exercise("siamese.3", recognise_by_the_library)
def test_recognise(rng):
    yield case("by hand", expected=[0, 1], support=np.array([[1.0], [5.0]]), labels=np.array([1, 0]),
               query=np.array([[4.0], [1.5]]))
    # (3, 3) is 4.2 away and 6 round the corner; (0, 5) is 5 away either way, and lies in the same direction
    yield case("on the straight line", expected=[1], support=np.array([[0.0, 5.0], [3.0, 3.0]]),
               labels=np.array([0, 1]), query=np.array([[0.001, 0.1]]))
    yield case("one example of each class", support=rng.normal(size=(3, 2)), labels=np.array([2, 0, 1]),
               query=rng.normal(size=(8, 2)))
    yield case("5 examples of 3 classes", support=rng.normal(size=(5, 2)), labels=np.array([2, 0, 1, 2, 0]),
               query=rng.normal(size=(11, 2)))
    support = rng.normal(size=(5, 2))
    yield case("queries that are in the support", expected=[0, 0, 1], support=support, labels=np.array([2, 0, 1, 2, 0]),
               query=support[[4, 1, 2]])
    # class 0 has an example beside the query, and another far away
    yield case("a class of two unlike examples", expected=[0, 1],
               support=np.array([[1.0, 0.0], [3.0, 0.0], [9.0, 0.0]]), labels=np.array([0, 1, 0]),
               query=np.array([[1.5, 0.0], [3.5, 1.0]]))


# ---------------------------------------------------------------- pairs: judged by what is drawn
#
# The predicates see S draws stacked: first_ids, second_ids, same, each (S, P). A share may be six standard deviations
# off its probability; that happens to a right sampler about once in a million.


def pairs_by_the_library(images_of, n_pairs, rng):
    labels = class_of_image(images_of)
    names = tuple(map(str, range(len(images_of))))
    pairs = lesson.balanced_pairs(ImageClasses(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, names, names),
                                  n_pairs, rng)
    return pairs.first_ids, pairs.second_ids, pairs.same


def class_of_image(images_of):
    return np.repeat(np.arange(len(images_of)), [len(ids) for ids in images_of])


def classes_drawn(inputs, first_ids, second_ids, same, kind):
    """(R, 2): the classes of all pairs of a kind."""
    classes = class_of_image(inputs["images_of"])
    return np.stack([classes[ids[same == kind].astype(int)] for ids in (first_ids, second_ids)], axis=1)


def far_from(count, n, p):
    """Whether n trials of probability p seldom give `count`. The 3 is for small counts, which are skew."""
    return abs(count - n * p) > 6 * math.sqrt(n * p * (1 - p)) + 3


def ids_exist(inputs, first_ids, second_ids, same):
    """Every id is the number of an image in images_of."""
    n_images = len(class_of_image(inputs["images_of"]))
    for ids in (first_ids, second_ids):
        wrong = ~np.isin(ids, np.arange(n_images))
        if wrong.any():
            return say("an id {id}, where the images have the numbers 0...{last}", id=ids[wrong][0], last=n_images - 1)


def ids_are_not_classes(inputs, first_ids, second_ids, same):
    """The ids are numbers of images, not of classes."""
    n_classes, highest = len(inputs["images_of"]), int(max(first_ids.max(), second_ids.max()))
    if highest < n_classes < max(map(len, inputs["images_of"])):
        return say("no id above {highest} in {n} calls, for images of {n_classes} classes", highest=highest,
                   n=len(first_ids), n_classes=n_classes)


def ids_are_not_positions(inputs, first_ids, second_ids, same):
    """The ids count all images, class after class: those of the last classes are larger than any class."""
    largest, highest = max(map(len, inputs["images_of"])), int(max(first_ids.max(), second_ids.max()))
    if highest < largest:
        return say("no id above {highest} in {n} calls; the largest class has {largest} images", highest=highest,
                   n=len(first_ids), largest=largest)


def about_half_are_the_same(inputs, first_ids, second_ids, same):
    """Half of the pairs are of the same class."""
    if far_from(same.sum(), same.size, 1 / 2):
        return say("{count} of {n} labels are 1", count=int(same.sum()), n=same.size)


def half_are_the_same(inputs, first_ids, second_ids, same):
    """Half of the labels are 1, half are 0, in every call."""
    wrong = (np.sort(same, axis=1) != np.repeat([0, 1], inputs["n_pairs"] // 2)).any(axis=1)
    if wrong.any():
        return say("labels {labels}", labels=same[wrong.argmax()])


def labels_are_not_turned_round(inputs, first_ids, second_ids, same):
    """1 stands for one class and 0 for two, not the other way round."""
    ones, zeros = (classes_drawn(inputs, first_ids, second_ids, same, kind) for kind in (1, 0))
    if (ones[:, 0] != ones[:, 1]).all() and (zeros[:, 0] == zeros[:, 1]).all():
        return say("all pairs labelled 1 of two classes, all labelled 0 of one")


def labels_go_with_their_pairs(inputs, first_ids, second_ids, same):
    """The labels stand in the order of the pairs."""
    ones, zeros = (classes_drawn(inputs, first_ids, second_ids, same, kind) for kind in (1, 0))
    apart, together = int((ones[:, 0] != ones[:, 1]).sum()), int((zeros[:, 0] == zeros[:, 1]).sum())
    if apart and apart == together:
        return say("{n} pairs labelled 1 of two classes, and as many labelled 0 of one", n=apart)


def ones_are_of_one_class(inputs, first_ids, second_ids, same):
    """The images of a pair labelled 1 are of one class."""
    classes = classes_drawn(inputs, first_ids, second_ids, same, 1)
    wrong = classes[classes[:, 0] != classes[:, 1]]
    if len(wrong):
        return say("a pair labelled 1 of the classes {c} and {d}", c=wrong[0][0], d=wrong[0][1])


def zeros_are_of_two_classes(inputs, first_ids, second_ids, same):
    """The images of a pair labelled 0 are of two classes."""
    classes = classes_drawn(inputs, first_ids, second_ids, same, 0)
    wrong = classes[classes[:, 0] == classes[:, 1]]
    if len(wrong):
        return say("a pair labelled 0 of class {c} and class {d}", c=wrong[0][0], d=wrong[0][1])


def images_of_a_pair_differ(inputs, first_ids, second_ids, same):
    """The two images of a pair are different ones."""
    equal = first_ids == second_ids
    if equal.any():
        return say("image {image} with itself", image=first_ids[equal][0])


def pairs_are_drawn_anew(inputs, first_ids, second_ids, same):
    """Every call draws anew."""
    if (first_ids == first_ids[0]).all() and (second_ids == second_ids[0]).all():
        return say("the same pairs {n} times", n=len(first_ids))


def every_class_has_same_pairs(inputs, first_ids, second_ids, same):
    """Same pairs: every class comes now and then."""
    classes = classes_drawn(inputs, first_ids, second_ids, same, 1)
    missing = np.setdiff1d(np.arange(len(inputs["images_of"])), classes)
    if missing.size:
        return say("class {c} in none of {n} same pairs", c=missing[0], n=len(classes))


def classes_are_not_the_same_in_every_call(inputs, first_ids, second_ids, same):
    """Same pairs: the classes are drawn anew in every call."""
    of_calls = np.sort(classes_drawn(inputs, first_ids, second_ids, same, 1)[:, 0].reshape(len(first_ids), -1), axis=1)
    if (of_calls == of_calls[0]).all():
        return say("in {n} calls same pairs of the classes {classes}", n=len(of_calls), classes=of_calls[0])


def classes_are_equally_likely(inputs, first_ids, second_ids, same):
    """Same pairs: each class is as likely as the others, however many images it has."""
    classes = classes_drawn(inputs, first_ids, second_ids, same, 1)[:, 0]
    sizes = [len(ids) for ids in inputs["images_of"]]
    counts, p = np.bincount(classes, minlength=len(sizes)), 1 / len(sizes)
    worst = np.abs(counts / len(classes) - p).argmax()
    if far_from(counts[worst], len(classes), p):
        return say("class {c}, which has {size} images, in {count} of {n} same pairs; about {right} would be right",
                   c=worst, size=sizes[worst], count=counts[worst], n=len(classes), right=round(p * len(classes)))


def any_two_classes_meet(inputs, first_ids, second_ids, same):
    """Different pairs: any two classes come together."""
    couples = {tuple(couple) for couple in np.sort(classes_drawn(inputs, first_ids, second_ids, same, 0), axis=1)}
    for couple in combinations(range(len(inputs["images_of"])), 2):
        if couple not in couples:
            return say("the classes {c} and {d} never in one pair", c=couple[0], d=couple[1])


def couples_are_equally_likely(inputs, first_ids, second_ids, same):
    """Different pairs: any two classes are as likely as any other two."""
    couples = np.sort(classes_drawn(inputs, first_ids, second_ids, same, 0), axis=1)
    all_couples = list(combinations(range(len(inputs["images_of"])), 2))
    p = 1 / len(all_couples)
    for a, b in all_couples:
        count = int((couples == [a, b]).all(axis=1).sum())
        if far_from(count, len(couples), p):
            return say("the classes {a} and {b} in {count} of {n} different pairs; about {right} would be right", a=a,
                       b=b, count=count, n=len(couples), right=round(p * len(couples)))


def no_image_is_in_every_same_pair(inputs, first_ids, second_ids, same):
    """Same pairs: no image is in all pairs of its class."""
    drawn = np.stack([first_ids, second_ids])[:, same == 1]
    for c, ids in enumerate(inputs["images_of"]):
        mine = drawn[:, np.isin(drawn[0], ids)]
        for i in ids:
            if len(ids) > 3 and mine.shape[1] > 50 and (mine == i).any(axis=0).all():
                return say("image {image} in all {n} same pairs of its class {c}, which has {size} images", image=i,
                           n=mine.shape[1], c=c, size=len(ids))


def images_are_equally_likely(inputs, first_ids, second_ids, same):
    """Each image of a class is as likely to be in a same pair as the others of its class."""
    drawn = np.stack([first_ids, second_ids])[:, same == 1]
    for c, ids in enumerate(inputs["images_of"]):
        mine = drawn[:, np.isin(drawn[0], ids)]
        counts = [int((mine == i).any(axis=0).sum()) for i in ids]
        p = 2 / len(ids)
        worst = max(range(len(ids)), key=lambda i: abs(counts[i] - p * mine.shape[1]))
        if far_from(counts[worst], mine.shape[1], p):
            return say("image {image} in {count} of {n} same pairs of its class {c}, which has {size} images; about "
                       "{right} would be right", image=ids[worst], count=counts[worst], n=mine.shape[1], c=c,
                       size=len(ids), right=round(p * mine.shape[1]))


def any_two_images_are_a_same_pair(inputs, first_ids, second_ids, same):
    """Same pairs: any two images of a class are as likely as any other two of it."""
    pairs = np.sort(np.stack([first_ids, second_ids], axis=-1)[same == 1], axis=1)
    for c, ids in enumerate(inputs["images_of"]):
        n, p = int(np.isin(pairs[:, 0], ids).sum()), 2 / (len(ids) * (len(ids) - 1))
        for a, b in combinations(ids, 2):
            count = int((pairs == [a, b]).all(axis=1).sum())
            if far_from(count, n, p):
                return say("the images {a} and {b} in {count} of {n} same pairs of class {c}; about {right} would be "
                           "right", a=a, b=b, count=count, n=n, c=c, right=round(n * p))


def different_pairs(inputs, first_ids, second_ids, same):
    """{(c, d): (R, 2)}: the pairs of an image of class c and one of class d > c, in this order."""
    ids = np.stack([first_ids, second_ids], axis=-1)[same == 0].astype(int)
    classes = class_of_image(inputs["images_of"])[ids]
    ids = np.where(classes[:, :1] < classes[:, 1:], ids, ids[:, ::-1])
    return {(c, d): ids[(np.sort(classes, axis=1) == [c, d]).all(axis=1)]
            for c, d in combinations(range(len(inputs["images_of"])), 2)}


def images_of_different_pairs_are_equally_likely(inputs, first_ids, second_ids, same):
    """Different pairs: each image of a class is as likely as the others of its class."""
    pairs = different_pairs(inputs, first_ids, second_ids, same)
    for c, ids in enumerate(inputs["images_of"]):
        mine = np.concatenate([drawn[:, couple.index(c)] for couple, drawn in pairs.items() if c in couple])
        counts = [int((mine == i).sum()) for i in ids]
        worst = max(range(len(ids)), key=lambda i: abs(counts[i] - len(mine) / len(ids)))
        if far_from(counts[worst], len(mine), 1 / len(ids)):
            return say("image {image} in {count} of the {n} different pairs of its class {c}, which has {size} images; "
                       "about {right} would be right", image=ids[worst], count=counts[worst], n=len(mine), c=c,
                       size=len(ids), right=round(len(mine) / len(ids)))


def images_of_different_pairs_are_drawn_apart(inputs, first_ids, second_ids, same):
    """Different pairs: the image of one class says nothing about that of the other."""
    for (c, d), drawn in different_pairs(inputs, first_ids, second_ids, same).items():
        mine, others = inputs["images_of"][c], inputs["images_of"][d]
        for a in mine:
            for b in others:
                count, p = int((drawn == [a, b]).all(axis=1).sum()), 1 / (len(mine) * len(others))
                if far_from(count, len(drawn), p):
                    return say("image {a} of class {c} with image {b} of class {d} in {count} of {n} pairs of these "
                               "classes; about {right} would be right", a=a, c=c, b=b, d=d, count=count, n=len(drawn),
                               right=round(len(drawn) * p))


def pairs_of_a_call_are_drawn_apart(inputs, first_ids, second_ids, same):
    """Every pair draws its classes anew, also within one call."""
    n_classes = len(inputs["images_of"])
    for kind, p in [(1, 1 / n_classes), (0, 2 / (n_classes * (n_classes - 1)))]:
        drawn = classes_drawn(inputs, first_ids, second_ids, same, kind)
        couples = np.sort(drawn, axis=1).reshape(len(first_ids), -1, 2)
        alike = int((couples == couples[:, :1]).all(axis=(1, 2)).sum())
        if alike > len(couples) / 2 and far_from(alike, len(couples), p ** (couples.shape[1] - 1)):
            return say("in {count} of {n} calls all pairs labelled {kind} are of the same classes", count=alike,
                       n=len(couples), kind=kind)


def no_class_is_in_all_different_pairs_of_a_call(inputs, first_ids, second_ids, same):
    """Different pairs: both classes are drawn anew, also within one call."""
    if len(inputs["images_of"]) > 2:
        couples = classes_drawn(inputs, first_ids, second_ids, same, 0).reshape(len(first_ids), -1, 2)
        held = [any((of_call == c).any(axis=1).all() for c in of_call[0]) for of_call in couples]
        if np.mean(held) > 0.6:
            return say("in {count} of {n} calls one class is in all different pairs", count=sum(held), n=len(held))


def same_pairs_say_nothing_of_different_ones(inputs, first_ids, second_ids, same):
    """A same pair says nothing about the different pairs of its call."""
    of_ones, of_zeros = (classes_drawn(inputs, first_ids, second_ids, same, kind).reshape(len(same), -1, 2)
                         for kind in (1, 0))
    shared = (of_ones[:, :, None, :1] == of_zeros[:, None]).any(axis=3)  # (S, P/2, P/2): whether they share a class
    p = 2 / len(inputs["images_of"])
    if shared.sum() > shared.size * p and far_from(shared.sum(), shared.size, p):
        return say("a same pair and a different pair of one call share a class {count} times of {n}; about {right} "
                   "would be right", count=int(shared.sum()), n=shared.size, right=round(p * shared.size))


def numbered(*sizes):
    """images_of for classes of these sizes: 0 1 2 ... in order."""
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]


@exercise("siamese.4", pairs_by_the_library, predicates=(
    ids_exist, ids_are_not_classes, ids_are_not_positions, about_half_are_the_same, half_are_the_same,
    labels_are_not_turned_round, labels_go_with_their_pairs, ones_are_of_one_class, zeros_are_of_two_classes,
    images_of_a_pair_differ, pairs_are_drawn_anew, every_class_has_same_pairs,
    classes_are_not_the_same_in_every_call, classes_are_equally_likely, any_two_classes_meet,
    couples_are_equally_likely, no_image_is_in_every_same_pair, images_are_equally_likely,
    any_two_images_are_a_same_pair, images_of_different_pairs_are_equally_likely,
    images_of_different_pairs_are_drawn_apart, pairs_of_a_call_are_drawn_apart,
    no_class_is_in_all_different_pairs_of_a_call, same_pairs_say_nothing_of_different_ones))
def test_balanced_pairs(rng):
    yield case("classes of unequal size", images_of=numbered(3, 12, 3, 5), n_pairs=8)
    yield case("just two classes of two images", images_of=numbered(2, 2), n_pairs=6)


# ---------------------------------------------------------------- threshold


@exercise("siamese.5", lesson.choose_threshold)
def test_choose_threshold(rng):
    yield case("by hand", expected=4.5, distances=np.array([1.0, 6.0, 3.0, 2.0, 7.0]), same=np.array([1, 0, 1, 0, 0]))
    # 1 and 4 same, 2 and 9 different: at 1.5 and at 6.5 three of four are decided rightly
    yield case("equally good, the smallest", expected=1.5, distances=np.array([4.0, 9.0, 1.0, 2.0]),
               same=np.array([1, 0, 1, 0]))
    # 2 same, 10 different: below 2 lie 1/2 and 0/10, below 5.5 lie 2/2 and 2/10; of all pairs 11 and 10 are right
    yield case("many more different pairs", expected=5.5,
               distances=np.array([1.0, 5.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0]),
               same=np.array([1, 1] + [0] * 10))
    # 3 and 5 same: below 5.5 lie 2/2 and 3/4, the mean is (1 + 1/4) / 2; the product, and the smaller share, are larger
    # below 3.5, with 1/2 and 2/4
    yield case("one share high, the other low", expected=5.5, distances=np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
               same=np.array([0, 0, 1, 0, 1, 0]))
    same = np.array([1] * 5 + [0] * 12)[rng.permutation(17)]
    yield case("17 pairs", distances=rng.normal(size=17) ** 2 + 1.5 * (1 - same), same=same)
    yield case("equal distances", distances=np.round(2 * rng.random(17)) + (1 - same), same=same)
    yield case("the different pairs equally far", expected=4.0, distances=np.array([2.0, 5.0, 1.0, 5.0, 3.0]),
               same=np.array([1, 0, 1, 0, 1]))
    yield case("nothing overlaps", expected=3.0, distances=np.array([5.0, 1.0, 0.5, 8.0, 6.0]),
               same=np.array([0, 1, 1, 0, 0]))
