"""What the answers to lesson 5's exercises are compared with, and on what."""

import math

from autograd import numpy as np

from fewshot_np import lesson5_project as lesson
from fewshot_np.lesson3_metric import memberships
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- compare first, then one number


def head_of_the_library(query, support, w, b):
    params = {"head": {"w": np.reshape(w, (-1, 1)), "b": np.reshape(b, (1,))}}
    return lesson.same_logits(params, np.expand_dims(query, 1), np.expand_dims(support, 0))


@exercise("project.1", head_of_the_library, gradients=("query", "support", "w", "b"))
def test_same_log_odds(rng):
    yield case("by hand", expected=[[0.5, 4.0]], query=np.array([[1.0, 5.0]]),
               support=np.array([[3.0, 2.0], [1.0, 5.0]]), w=np.array([-1.0, -0.5]), b=4.0)
    query, support, w = rng.normal(size=(3, 5)), rng.normal(size=(4, 5)), rng.normal(size=5)
    yield case("3 queries, 4 examples, 5 features", query=query, support=support, w=w, b=0.7)
    yield case("as many queries as examples", query=query, support=support[:3], w=w, b=-1.3)
    yield case("one number per image", query=query[:, :1], support=support[:, :1], w=w[:1], b=0.2)
    yield case("an identical pair", expected=[[2.5]], query=np.array([[3.0, -1.0]]), support=np.array([[3.0, -1.0]]),
               w=np.array([-2.0, 1.5]), b=2.5)
    yield case("a query among the examples", query=query, support=np.concatenate([support[:2], query[1:2]]), w=w,
               b=0.7)


# ---------------------------------------------------------------- the cross-entropy of pairs


def losses_of_the_library(logits, same):  # the line of `objective`
    return np.logaddexp(0.0, logits) - same * logits


@exercise("project.2", losses_of_the_library, gradients=("logits",))
def test_pair_losses(rng):
    yield case("by hand", expected=[math.log(2), math.log(2), math.log(4 / 3), math.log(4)],
               logits=np.array([0.0, 0.0, math.log(3), math.log(3)]), same=np.array([1, 0, 1, 0]))
    yield case("7 pairs", logits=3 * rng.normal(size=7), same=np.array([1, 0, 0, 1, 0, 0, 1]))
    yield case("sure and right", expected=[0.0, 0.0], logits=np.array([1000.0, -1000.0]), same=np.array([1, 0]))
    yield case("sure and wrong", expected=[1000.0, 900.0], logits=np.array([-1000.0, 900.0]), same=np.array([1, 0]))
    yield case("rather sure and wrong", expected=[60.0, 40.0], logits=np.array([-60.0, 40.0]), same=np.array([1, 0]))
    yield case("one pair", logits=rng.normal(size=1), same=np.array([0]))


# ---------------------------------------------------------------- hard pairs


def weights_of_the_library(logits, same_class, n_hard):
    return lesson.pair_weights(logits[None], same_class[None], n_hard)[0]


def owns(query_labels, labels):
    return np.array(query_labels)[:, None] == np.array(labels)


@exercise("project.3", weights_of_the_library)
def test_pair_weights(rng):
    yield case("by hand", expected=[[0.25, 0.25, 0], [0.25, 0, 0.25]],
               logits=np.array([[4.0, 3.0, -2.0], [1.0, -5.0, 0.0]]),
               same_class=np.array([[True, False, False], [False, False, True]]), n_hard=1)
    yield case("two hard pairs of a query", expected=[[0.25, 0, 0.5, 0.25]],
               logits=np.array([[3.0, -1.0, 2.0, 4.0]]), same_class=np.array([[False, False, True, False]]), n_hard=2)
    yield case("4 queries, 7 examples, 2 hard", logits=2 * rng.normal(size=(4, 7)),
               same_class=owns([0, 1, 2, 3], [3, 1, 0, 2, 4, 5, 6]), n_hard=2)
    yield case("3 queries, classes of 1, 2 and 3 examples", logits=2 * rng.normal(size=(3, 6)),
               same_class=owns([2, 0, 1], [0, 1, 2, 2, 1, 2]), n_hard=3)
    yield case("more same pairs than hard ones", logits=2 * rng.normal(size=(2, 7)),
               same_class=owns([0, 1], [0, 0, 1, 0, 2, 1, 2]), n_hard=1)
    yield case("all different pairs are hard", expected=[[0.5, 0.25, 0.25]], logits=np.array([[-1.0, -2.0, -3.0]]),
               same_class=np.array([[True, False, False]]), n_hard=2)
    yield case("logits of thousands below 0", expected=[[0.25, 0.5, 0.0, 0.25]],
               logits=np.array([[-3000.0, 5.0, -5000.0, -4000.0]]),
               same_class=np.array([[False, True, False, False]]), n_hard=2)


# ---------------------------------------------------------------- which class, or none of these


def decision_of_the_library(logits, labels, threshold):  # as `embedded_scores` and `classify`
    members = memberships(labels, labels.shape, int(labels.max()) + 1, float)
    p = lesson.sigmoid(logits @ (members / members.sum(axis=0)))
    return np.where(p.max(axis=1) > threshold, p.argmax(axis=1), -1)


@exercise("project.4", decision_of_the_library)
def test_decide(rng):
    labels = np.array([0, 0, 1])
    yield case("by hand", expected=[1, -1], logits=np.array([[4.0, -6.0, 0.9], [-2.0, 0.0, 0.2]]), labels=labels,
               threshold=0.6)
    # class 0 has two examples; the sum of its logits is 1.0, their mean 0.5
    yield case("many examples are no argument", expected=[1], logits=np.array([[0.5, 0.5, 0.9]]), labels=labels,
               threshold=0.6)
    # the mean logit of class 0 is 0.5, p = 0.62; the mean of its probabilities, 0.99 and 0.02, is 0.51
    yield case("the mean of the logits", expected=[0], logits=np.array([[5.0, -4.0, -3.0]]), labels=labels,
               threshold=0.55)
    # the mean logits are 1 and 0.5; the mean probabilities 0.52 and 0.62
    yield case("the best by its logits", expected=[0], logits=np.array([[5.0, -3.0, 0.5]]), labels=labels,
               threshold=0.55)
    yield case("a logit of 0.3 is p = 0.57", expected=[1, 1], logits=np.array([[0.3, -1.0], [0.28, -2.0]]),
               labels=np.array([1, 0]), threshold=0.55)
    # the scores -1 and 0: p of 0 is 0.5, which is not above 0.5
    yield case("exactly at the threshold", expected=[-1, 1], logits=np.array([[-2.0, 0.0, 0.0], [-2.0, 0.0, 0.5]]),
               labels=labels, threshold=0.5)
    yield case("like nothing", expected=[-1, -1], logits=np.array([[-9.0, -7.0, -1.0], [-8.0, -8.0, -20.0]]),
               labels=labels, threshold=0.5)
    yield case("6 queries, classes of 1, 4 and 2 examples", logits=1.5 * rng.normal(size=(6, 7)),
               labels=np.array([2, 1, 1, 0, 1, 2, 1]), threshold=0.58)
    # p of 0.5 and 1.5 is 0.62 and 0.82
    yield case("a high threshold", expected=[-1, -1, 1],
               logits=np.array([[0.5, 0.5, 1.5], [1.5, 1.5, 0.5], [0.5, 0.5, 3.0]]), labels=labels, threshold=0.9)
    yield case("all classes pass", expected=[0, 1], logits=np.array([[3.0, 2.0, 1.0], [0.5, 1.5, 2.0]]), labels=labels,
               threshold=0.6)
    yield case("one class", expected=[0, -1], logits=np.array([[1.0, 2.0], [-1.0, 0.5]]), labels=np.array([0, 0]),
               threshold=0.5)
