"""Samplers of several styles, right and wrong; and how often chance accuses a right one."""

import random
from math import comb

import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.data.classes import ImageClasses
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.referee.chance import tail, tail_of_unequal
from fewshot_np.referee.known_images import COUNTS

# ---------------------------------------------------------------- right


def of_the_course(images, labels, n_way, k_shot, n_query, seed):
    names = tuple(map(str, np.unique(labels)))
    classes = ImageClasses((images * 255).astype(np.uint8), labels, names, names)
    e = sample_episodes(classes, n_way, k_shot, n_query, 1, np.random.default_rng(seed))
    return e.support_x[0], e.support_y[0], e.query_x[0], e.query_y[0]


def with_random_module(images, labels, n_way, k_shot, n_query, seed):
    """Lists, shuffled, flat images, one-hot labels."""
    rng, support, query = random.Random(seed), [], []
    for label, c in enumerate(rng.sample(sorted(set(labels.tolist())), n_way)):
        drawn = rng.sample(np.flatnonzero(labels == c).tolist(), k_shot + n_query)
        support += [(i, label) for i in drawn[:k_shot]]
        query += [(i, label) for i in drawn[k_shot:]]
    rng.shuffle(support)
    rng.shuffle(query)
    return [part for pairs in (support, query) for part in (
        [images[i].ravel() for i, _ in pairs], [np.eye(n_way)[label] for _, label in pairs])]


def a_stream(images, labels, n_way, k_shot, n_query, seed):
    """An endless iterator with (N, K) in front, channels first, normalized."""
    rng, n_classes = np.random.default_rng(seed), labels.max() + 1
    if n_way > n_classes or np.bincount(labels).min() < k_shot + n_query:
        raise ValueError("too few")

    def episodes():
        while True:
            x = np.array([images[rng.permutation(np.flatnonzero(labels == c))[:k_shot + n_query]]
                          for c in rng.permutation(n_classes)[:n_way]])
            x = (np.moveaxis(x, -1, 2) - 0.5) / 0.3
            y = np.arange(n_way)[:, None]
            yield x[:, :k_shot], y.repeat(k_shot, 1), x[:, k_shot:], y.repeat(n_query, 1)
    return episodes()


RIGHT = [of_the_course, with_random_module, a_stream]


@pytest.mark.parametrize("sampler", RIGHT)
def test_a_right_sampler_is_not_accused(sampler):
    verdict = referee.episodes(sampler, n_episodes=1000).check()
    assert "probability 1e-06 or less" in str(verdict)


# ---------------------------------------------------------------- wrong


def spoiled(images, labels, n_way, k_shot, n_query, seed, classes=None, each=None, relabel=None, rng=None, check=True):
    """The right sampler with one part exchanged."""
    rng = rng or np.random.default_rng(seed)
    n_classes, needed = labels.max() + 1, k_shot + n_query
    if check and (n_way > n_classes or np.bincount(labels).min() < needed):
        raise ValueError("too few")
    drawn = (classes or (lambda r, c, n: r.choice(c, n, replace=False)))(rng, n_classes, n_way)
    each = each or (lambda r, n, k: r.choice(n, k, replace=False))
    places = [each(rng, np.sum(labels == c), needed) for c in drawn]
    ids = np.array([np.flatnonzero(labels == c)[place] for c, place in zip(drawn, places, strict=True)])
    s, q = ids[:, :k_shot].ravel(), ids[:, k_shot:].ravel()
    sy, qy = np.arange(n_way).repeat(k_shot), np.arange(n_way).repeat(n_query)
    if relabel:
        sy, qy = relabel(rng, drawn, sy, qy)
    return images[s], sy, images[q], qy


def overlapping(rng, n, needed):
    return np.concatenate([rng.choice(n, 2, replace=False), rng.choice(n, needed - 2, replace=False)])


def once_for_all():
    state = {}

    def each(rng, n, needed):
        if state.get("rng") is not rng:
            state.update(rng=rng, places=rng.choice(10, needed, replace=False))
        return state["places"]
    return each


def first_as_support(rng, n, needed):
    return np.append(np.arange(2), 2 + rng.choice(n - 2, needed - 2, replace=False))


def by_size(rng, n_classes, n_way):
    sizes = np.array(COUNTS[:n_classes])
    return rng.choice(n_classes, n_way, replace=False, p=sizes / sizes.sum())


def in_a_list_of_tasks(*args):
    return spoiled(*args[:-1], args[-1] % 50)


def silently_smaller(images, labels, n_way, k_shot, n_query, seed):
    n_way = min(n_way, labels.max() + 1)
    n_query = min(n_query, np.bincount(labels).min() - k_shot) if np.bincount(labels).min() > k_shot else 0
    return spoiled(images, labels, n_way, k_shot, n_query, seed, check=False)


def with_first_place(rng, n_classes, n_way):
    """Class 0 always gets label 0."""
    drawn = rng.choice(n_classes, n_way, replace=False)
    return np.append(0, drawn[drawn != 0]) if 0 in drawn else drawn


def part(**parts):
    return lambda *args: spoiled(*args, **parts)


WRONG = [
    ("a class stands under two labels", part(classes=lambda r, c, n: r.choice(c, n))),
    ("a query stands in the support", part(each=overlapping)),
    ("an image stands twice in the support", part(each=lambda r, n, k: r.choice(n, k))),
    ("labels are not 0...N-1", part(relabel=lambda r, d, sy, qy: (d[sy], d[qy]))),
    ("labels follow the order of the classes", part(classes=lambda r, c, n: np.sort(r.choice(c, n, replace=False)))),
    ("support and query give a class different labels", part(relabel=lambda r, d, sy, qy: (sy, r.permutation(4)[qy]
                                                                                           if len(d) == 4 else qy))),
    ("a label stands for two classes", part(relabel=lambda r, d, sy, qy: (r.permutation(sy), qy))),
    ("the same positions in all classes", lambda *a: spoiled(*a, each=once_for_all())),
    ("support images are not equally likely", part(each=first_as_support)),
    ("query images are not equally likely", part(each=lambda r, n, k: r.choice(10, k, replace=False))),
    ("classes are not equally likely", part(classes=by_size)),
    ("classes are not equally likely", part(classes=lambda r, c, n: r.choice(c - (n < c), n, replace=False))),
    ("every episode is the same", lambda *a: spoiled(*a[:-1], 0)),
    ("episodes come again", in_a_list_of_tasks),
    ("the same seed gives another episode", part(rng=np.random.default_rng(3))),
    ("fewer or more images than asked for", lambda *a: spoiled(*a[:4], a[4] - 1, a[5])),
    ("asked for 10 of 9 classes, it is silent", silently_smaller),
    ("cannot draw all classes", part(classes=lambda r, c, n: r.choice(c - 1, n, replace=False))),
    ("not K and Q images of every class", lambda *a: unbalanced(*a)),
    ("an image that is not in the data set", lambda *a: [x[:, ::2].repeat(2, 1) if i in (0, 2) else x
                                                         for i, x in enumerate(spoiled(*a))]),
    ("labels tell of the class", part(classes=with_first_place)),
]


def unbalanced(images, labels, n_way, k_shot, n_query, seed):
    sx, sy, qx, qy = spoiled(images, labels, n_way, k_shot, n_query, seed)
    x, y = np.concatenate([sx, qx]), np.concatenate([sy, qy])
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(~np.isin(np.arange(len(y)), [np.argmax(y[order] == c) for c in range(n_way)]))]
    return x[order[:len(sy)]], y[order[:len(sy)]], x[order[len(sy):]], y[order[len(sy):]]


@pytest.mark.parametrize(("name", "sampler"), WRONG, ids=[name for name, _ in WRONG])
def test_a_wrong_sampler_is_named(name, sampler):
    verdict = referee.episodes(sampler, n_episodes=500)
    assert not verdict.ok
    assert name in verdict.verdict


@pytest.mark.parametrize(("sampler", "words"), [
    (lambda *a: {"support": 1}, "it returned dict"), (lambda *a: iter(()), "no episode came"),
    (lambda images: images, "it raised TypeError"), (lambda *a: spoiled(*a)[:3], "it returned tuple"),
    (lambda *a: (None,) * 4, "it returned None"), (lambda x, *a: (x[0], a[0][:9], x[0], a[0][:9]), "do not fit")])
def test_a_sampler_that_gives_no_episode_is_told_so_with_the_call(sampler, words):
    verdict = referee.episodes(sampler)
    assert not verdict.ok
    assert words in str(verdict)
    assert "called" in str(verdict)


# ---------------------------------------------------------------- chance


def test_tails_are_those_of_the_binomial_distribution():
    for n, p in ((10, 0.3), (25, 0.5)):
        masses = [comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(n + 1)]
        for k in range(n + 1):
            wanted = sum(masses[k:]) if k > n * p else sum(masses[:k + 1])
            assert tail(k, n, p) == pytest.approx(wanted)
            assert tail_of_unequal(k, [p] * n) == pytest.approx(wanted)
    assert tail_of_unequal(2, [0.5, 0.1]) == pytest.approx(0.05)
    assert [tail(5, 5, 1.0), tail(4, 5, 1.0)] == [1, 0]


def test_false_alarms_are_as_rare_as_stated():
    """At a stated 20 %, where they can be counted: 20 right samplers, P(10 or more alarms) < 0.003 if it were 20 %."""
    alarms = sum(not referee.episodes(part(), n_episodes=200, false_alarm=0.2, seed=1000 * s).ok for s in range(20))
    assert alarms < 10
