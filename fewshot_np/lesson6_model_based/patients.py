"""Patients: a few who are diagnosed, and others who are to be. The same questions for four learners.

A task is K patients of each class, benign and malignant, with the answer; the query is other patients. It is drawn from
a real table (`data.patients`), of which the network has never seen a row. Beside it stand what anybody would try first:
logistic regression, the nearest class mean (lesson 3's prototypes, on raw features) and the nearest patient.

All learners get the same features in the same units (`prior.standardise`). T tasks, K patients per class, F features.
`np` is plain NumPy here: nothing is differentiated but the logistic loss, and that by hand.
"""

import numpy as np

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_metric import prototypes, squared_distances

# ---------------------------------------------------------------- tasks


def sample_patients(features, labels, k_shot, n_query, n_tasks, rng):
    """Draw n_tasks tasks of K + Q different patients per class: an Episode, x (T,2K,F) and (T,2Q,F) as measured.

    features (M,F), labels (M,) of 0 and 1. The ids are rows of features.
    Raises: ValueError where a class has fewer than K + Q patients.
    """
    _check_draw(labels, k_shot, n_query)
    ids = np.array([[rng.choice(np.flatnonzero(labels == c), k_shot + n_query, replace=False) for c in (0, 1)]
                    for _ in range(n_tasks)])  # (T,2,K+Q)
    support, query = (part.reshape(n_tasks, -1) for part in (ids[:, :, :k_shot], ids[:, :, k_shot:]))
    return Episode(features[support], labels[support], features[query], labels[query], support, query)


# ---------------------------------------------------------------- the learners beside the network: scores (T,2Q,2)


def logistic_regression(support_x, support_y, query_x, penalty=1.0, steps=12):
    """The log-odds of class 1 for each query: (T,C,F), (T,C), (T,Q,F) -> (T,Q). Newton's method, all tasks at once.

    It minimises the sum of -log p(right class) + penalty/2 |w|^2; the offset is not penalised. A penalty of 1 is what
    scikit-learn takes by default; without any, w would grow forever where the classes can be separated.
    """
    x = np.concatenate([support_x, np.ones((*support_x.shape[:2], 1))], axis=-1)  # a 1 for the offset
    ridge = penalty * np.eye(x.shape[-1])
    ridge[-1, -1] = 1e-6
    w = np.zeros((len(x), x.shape[-1], 1))
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.swapaxes(1, 2) @ (p - support_y[..., None]) + ridge @ w
        curvature = x.swapaxes(1, 2) @ (p * (1 - p) * x) + ridge
        w = w - np.linalg.solve(curvature, slope)
    return (query_x @ w[:, :-1] + w[:, -1:])[..., 0]


def nearest_mean(support_x, support_y, query_x):
    """Lesson 3 without a network: minus the squared distance to each class mean, (T,Q,2)."""
    return -squared_distances(query_x, prototypes(support_x, support_y, 2))


def nearest_neighbour(support_x, support_y, query_x):
    """Minus the squared distance to the nearest patient of each class, (T,Q,2); the patients are sorted by class."""
    distances = squared_distances(query_x, support_x)  # (T,Q,2K)
    return -distances.reshape(*distances.shape[:2], 2, -1).min(axis=-1)


def score_all(network_scores, episode):
    """{learner: scores (T,Q,2)} for one episode whose features are standardised; network_scores(episode) -> (T,Q,2)."""
    support = episode.support_x, episode.support_y, episode.query_x
    log_odds = logistic_regression(*support)
    return {"transformer": network_scores(episode),
            "logistic regression": np.stack([np.zeros_like(log_odds), log_odds], axis=-1),
            "nearest mean": nearest_mean(*support), "nearest patient": nearest_neighbour(*support)}


# ---------------------------------------------------------------- three ways to be right


def rates(scores, labels):
    """(accuracy, sensitivity, specificity) of each task: (T,Q,2), (T,Q) -> three times (T,).

    Sensitivity is the share of the malignant that are found, specificity the share of the benign that are let go. With
    as many of one as of the other the accuracy is the mean of the two; among real patients it is not.
    """
    right = scores.argmax(axis=-1) == labels
    sensitivity, specificity = ((right & (labels == c)).sum(axis=1) / (labels == c).sum(axis=1) for c in (1, 0))
    return right.mean(axis=1), sensitivity, specificity


# ---------------------------------------------------------------- what the arguments must be


def _check_draw(labels, k_shot, n_query):
    for name, n in [("k_shot", k_shot), ("n_query", n_query)]:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n!r}")
    for c, name in enumerate(("benign", "malignant")):
        there = int((labels == c).sum())
        if there < k_shot + n_query:
            raise ValueError(f"{there} patients are {name}; {k_shot} support + {n_query} query need "
                             f"{k_shot + n_query}")
