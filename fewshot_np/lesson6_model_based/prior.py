"""The prior: how the made-up tasks are drawn, which are the only thing that the network ever learns from.

Nobody shows the network a real table. Each task is drawn: features that a few hidden causes share, and a rule that
makes two classes of them, straight or bent, with some noise. Whoever has seen millions of such tasks has an opinion
about a new one after two examples: which rules are likely, given these points.

This is Bayes' rule, without anyone computing it. Before the points there are many possible rules (the *prior*); the
points make some of them unlikely; the best answer weighs all rules by what is left (the *posterior predictive*).
Trained to predict the queries of drawn tasks, a network comes close to just that answer, because nothing else has a
smaller expected loss: a *prior-fitted network* (Müller et al. 2022; Hollmann et al. 2023, TabPFN). It is also the
limit: where the world does not look like the prior, nothing says that the answer is good.

T tasks, K examples per class, Q queries per class, F features. `np` is plain NumPy here.
"""

import numpy as np

from fewshot_np.lesson2_episodes import Episode

N_FEATURES = 10
CLIP = 4.0  # a feature further than this many standard deviations from the mean counts as this far

# ---------------------------------------------------------------- the smallest prior, one task of it


def sample_straight(n_features, k_shot, n_query, rng):
    """A task whose rule is straight: (2K,F), (2K,), (2Q,F), (2Q,), x float64, the labels sorted, 0 first.

    The rule w is drawn anew for each task, x is standard normal, and its class is 1 where w . x > 0. A point that
    falls on the wrong side is turned around, -x, which is as likely; so each class has as many as are needed.
    """
    _check_draw(n_features=n_features, k_shot=k_shot, n_query=n_query)
    rule = rng.standard_normal(n_features)
    x = rng.standard_normal((2, k_shot + n_query, n_features))
    # times its own sign, every point is in front of the rule; then class 0 is turned behind it, and class 1 stays
    x = x * np.sign(x @ rule)[..., None] * np.array([-1, 1])[:, None, None]
    return (x[:, :k_shot].reshape(-1, n_features), np.arange(2).repeat(k_shot),
            x[:, k_shot:].reshape(-1, n_features), np.arange(2).repeat(n_query))


# ---------------------------------------------------------------- the lesson's prior


def sample_for_training(n_tasks, rng, most=12):
    """A batch of tasks with 1 to `most` examples per class, few more often than many, and 8 queries per class.

    Features are in standard units, of the support or of all points, so that the network can be used with either.
    """
    statistics = ("support", "support and queries")[int(rng.integers(2))]
    k_shot = int((most + 1) ** rng.random())  # as likely 1 as 2 or 3, as 4 to 7
    return sample_tables(k_shot, 8, n_tasks, rng, statistics)


def sample_tables(k_shot, n_query, n_tasks, rng, statistics="support", n_features=N_FEATURES):
    """Draw n_tasks made-up tasks of two classes: an Episode without ids, x float32 (T,2K,F) and (T,2Q,F).

    As in lesson 2 the classes are balanced, and sorted. In half of the batches all features are used, in the others
    only the first few, and the rest are 0. statistics: as in `standardise`.

    Raises: ValueError for numbers that are not positive integers, and for unknown statistics.
    """
    _check_draw(k_shot=k_shot, n_query=n_query, n_tasks=n_tasks, n_features=n_features)
    n_used = n_features if rng.random() < 0.5 else int(rng.integers(1, n_features + 1))
    n_rows = 3 * (k_shot + n_query)  # of which each class has a third or more
    x, causes = sample_features(n_rows, n_used, n_tasks, rng)
    y = halves(sample_rule(x, causes, rng), rng)
    x = np.concatenate([x, np.zeros((n_tasks, n_rows, n_features - n_used))], axis=-1)
    rows = rows_of_classes(y, k_shot + n_query)  # (T, 2, K+Q): which rows of x the task uses
    support, query = (np.take_along_axis(x, part.reshape(n_tasks, -1, 1), axis=1)
                      for part in (rows[:, :, :k_shot], rows[:, :, k_shot:]))
    labels = [np.tile(np.arange(2).repeat(n), (n_tasks, 1)) for n in (k_shot, n_query)]
    return standardise(Episode(support, labels[0], query, labels[1], None, None), statistics)


def sample_features(n_rows, n_features, n_tasks, rng):
    """Tables (T,M,F) whose features share some hidden causes, each in its own way, with noise; and the causes (T,M,C).

    The first cause is the strongest. A third of the tables is skewed, as sizes and concentrations are.
    """
    n_causes = int(rng.integers(1, n_features + 1))
    causes = rng.standard_normal((n_tasks, n_rows, n_causes))
    mixture = rng.standard_normal((n_tasks, n_causes, n_features)) / n_causes ** 0.5
    mixture[:, 0] *= rng.uniform(1, 4, (n_tasks, 1))
    noise = rng.random((n_tasks, 1, 1)) * 0.5 * rng.standard_normal((n_tasks, n_rows, n_features))
    x = causes @ mixture + noise
    return np.exp(0.5 * x) if rng.random() < 1 / 3 else x, causes


def sample_rule(x, causes, rng):
    """A number for each row, above which it is of class 1: (T,M,F) and (T,M,C) -> (T,M). Three kinds of rules."""
    kind, (n_tasks, _, n_features) = int(rng.choice(3, p=(0.5, 0.25, 0.25))), x.shape
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-6)
    if kind == 0:  # the class is the strongest hidden cause, as an illness is: it shows in all features
        score = causes[..., :1]
    elif kind == 1:  # a weighted sum of some of the features
        chosen = rng.random((n_tasks, n_features, 1)) < rng.uniform(0.2, 1)
        score = x @ (chosen * rng.standard_normal((n_tasks, n_features, 1)))
    else:  # a small random network: boundaries with bends
        hidden = int(rng.integers(2, 16))
        weights = rng.standard_normal((n_tasks, n_features, hidden)) * 0.7
        score = np.tanh(x @ weights + rng.standard_normal((n_tasks, 1, hidden))) @ rng.standard_normal(
            (n_tasks, hidden, 1))
    score = score[..., 0]
    noise = 0.5 * rng.random((n_tasks, 1)) * score.std(axis=1, keepdims=True)
    return score + noise * rng.standard_normal(score.shape)


def halves(score, rng):
    """Labels 0 and 1, (T,M) -> (T,M): a threshold between a third and two thirds of each task's rows."""
    rank = score.argsort(axis=1).argsort(axis=1)  # of each row in its task: 0 for the lowest score
    n_rows = score.shape[1]
    return (rank >= rng.integers(n_rows // 3, n_rows - n_rows // 3 + 1, (len(score), 1))).astype(int)


def rows_of_classes(y, n):
    """The first n rows of class 0 and of class 1, (T,M) -> (T,2,n): rows are drawn alike, so any n are as good.

    A stable sort of False (of this class) and True puts the rows of the class first, in their order.
    """
    return np.stack([(y != label).argsort(axis=1, kind="stable")[:, :n] for label in (0, 1)], axis=1)


# ---------------------------------------------------------------- features in standard units


def standardise(episode, statistics):
    """Each feature minus its mean, divided by its standard deviation, task by task; cut at +-4; float32.

    statistics: whose mean and deviation. "support": of the support alone, so that a query is judged by itself
    (inductive). "support and queries": of both, so that a query's answer depends on the other queries (transductive).
    A feature that is the same everywhere becomes 0: its deviation is 0 but for rounding, and the two small terms beside
    the deviation keep the division from blowing that up.

    Raises: ValueError for other statistics.
    """
    _check_statistics(statistics)
    x = episode.support_x if statistics == "support" else np.concatenate([episode.support_x, episode.query_x], axis=1)
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    support_x, query_x = (
        np.clip((part - mean) / (deviation + 1e-6 * np.abs(mean) + 1e-9), -CLIP, CLIP).astype("float32")
        for part in (episode.support_x, episode.query_x))
    return episode._replace(support_x=support_x, query_x=query_x)


# ---------------------------------------------------------------- what the arguments must be


def _check_statistics(statistics):
    if statistics not in ("support", "support and queries"):
        raise ValueError(f'statistics must be "support" or "support and queries", got {statistics!r}')


def _check_draw(**numbers):
    for name, n in numbers.items():
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n!r}")
