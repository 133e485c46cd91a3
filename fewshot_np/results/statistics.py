"""Which images does batch norm see? The same network measured in two or three ways, always on the same episodes."""

from functools import partial

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.report import metric
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson4_siamese import embed_by_reference
from fewshot_np.nn.networks import Network

TRAINING_IMAGES = "training images"


def scores_by_statistics(method, row, network, params, reference):
    """{statistics: scores(episode)}: the two of the method and, where no weights are adapted, training images."""
    ways = {statistics: partial(method.scores, network, params, statistics=statistics, **row.scores)
            for statistics in method.statistics}
    if "support and queries" in method.statistics:
        ways[TRAINING_IMAGES] = partial(method.scores, with_reference(network, reference), params,
                                        statistics="support", **row.scores)
    return ways


def with_reference(network, reference):
    """The network with batch statistics from the images `reference` (R,H,W,C) alone, whatever it is applied to.

    That is what running averages stand for: the answer to a query depends on no other image of its episode, not even
    on the support.
    """
    def apply(params, x, n_reference=None):
        embeddings = embed_by_reference(network, params, reference, x.reshape(-1, *x.shape[-3:]))
        return embeddings.reshape(*x.shape[:-3], -1)
    return Network(network.init, apply)


def sample_reference(classes, rng, n_images=200):
    """Images (R,H,W,C) that batch statistics are taken from, see `with_reference`."""
    return to_float(classes.images[rng.choice(len(classes.images), n_images, replace=False)])


def validation_episodes(classes, n_way, k_shot, n_query, sample=sample_episodes):
    """100 tasks, in 25 episodes, always the same."""
    same = np.random.default_rng(1)
    return [sample(classes, n_way, k_shot, n_query, 4, same) for _ in range(25)]


def mean_accuracy(method, row, network, reference, episodes, params):
    """Over all episodes, a number to choose a network by: with the statistics of training images, or of the queries
    where weights are adapted."""
    scores = list(scores_by_statistics(method, row, network, params, reference).values())[-1]
    return np.mean([accuracies(scores(each), each.query_y) for each in episodes])


def measure_accuracies(test, scores_by_name, n_way, k_shot, n_query, n_episodes, label="testing",
                       sample=sample_episodes):
    """{name: accuracy of each episode} on the classes `test`: the same episodes for all names, and for all rows with
    the same ways, shots and queries."""
    rng = np.random.default_rng(2)
    return evaluate(lambda episode: {name: accuracies(scores(episode), episode.query_y)
                                     for name, scores in scores_by_name.items()},
                    lambda n: sample(test, n_way, k_shot, n_query, n, rng), n_episodes,
                    batch=4, label=label)  # more images at once would not fit the processor's cache


def metrics_of(results, what):
    """Metrics as a record holds them, of {statistics: values}, such as "accuracy, statistics of the queries"."""
    return {f"{what}, statistics of the {statistics}": metric(*mean_confidence_interval(values))
            for statistics, values in results.items()}
