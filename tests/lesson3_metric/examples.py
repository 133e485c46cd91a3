"""Points, labels and episodes for the tests of this lesson; no two of their sizes are equal, so that no axis can be
taken for another."""

from functools import partial

import numpy as np

from fewshot_np import lesson3_metric as lesson
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import cross_entropy
from tests.scaffolding import episode_of_noise, shaken

T, N, K, Q, D = 3, 4, 2, 3, 5


def points(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def shuffled_labels(per_class=K, n_tasks=T, seed=0):
    """(T,M): each class `per_class` times, in no order."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.arange(N).repeat(per_class)) for _ in range(n_tasks)])


SUPPORT, QUERY = points(T, N * K, D, seed=1), points(T, N * Q, D, seed=2)
SUPPORT_Y, QUERY_Y = shuffled_labels(K, seed=3), shuffled_labels(Q, seed=4)

NETWORK = conv4((16, 16, 1), channels=3, down="stride", features="mean")
BARE = lesson.start_ridge(NETWORK.init(np.random.default_rng(1)))
BARE = lesson.start_relation(BARE, np.random.default_rng(2), n_hidden=6)
PARAMS = shaken(BARE)  # an embedding, and what the ridge head and the relation network learn besides
shuffled_episode = partial(episode_of_noise, (16, 16, 1), N, K, Q, n_tasks=T, shuffled=True)
# the methods of the lesson, (objective, scores)
PLAIN = {"distances": lesson.plain_distances}
METHODS = {"prototypical": (lesson.prototypical_objective, lesson.prototypical_scores),
           "plain": (partial(lesson.prototypical_objective, **PLAIN), partial(lesson.prototypical_scores, **PLAIN)),
           "matching": (lesson.matching_objective, lesson.matching_scores),
           "sharper": tuple(partial(f, temperature=0.1) for f in (lesson.matching_objective, lesson.matching_scores)),
           "ridge": (lesson.ridge_objective, lesson.ridge_scores),
           "relation": (lesson.relation_objective, lesson.relation_scores),
           "relation, cross-entropy": (partial(lesson.relation_objective, loss=cross_entropy), lesson.relation_scores)}
