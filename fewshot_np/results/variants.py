"""What the literature found since: methods of the tables, each with something that helps it; and one as published.

The plain methods stay plain; these are rows of their own beside them.

  extended prototypical  where batch norm sees support and queries, the queries refine the prototypes, too: each counts
                         for a class as much as it probably belongs to it
  prototypical ensemble  several networks that started differently, whose embeddings stand side by side, each the mean
                         over an image and distorted copies of it
  extended MAML          with several steps. Each has its own rate for each array of parameters, learned together with
                         the start, and the query loss is taken after every step and not after the last alone, so that
                         the first steps are trained directly, too
  cross-entropy Siamese  the Siamese network in the form of Koch et al. 2015 and of lesson 5: |h1 - h2|, weighed and
                         added up to the log-odds of *same*, and cross-entropy, in place of lesson 4's contrastive loss

`np` is autograd's NumPy, because objectives are differentiated; `onp` is the plain one.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson3_metric import (
    embed,
    memberships,
    prototypes,
    prototypical_objective,
    squared_distances,
    ways,
)
from fewshot_np.lesson5_project.rewired import embedded_scores, mean_pair_loss
from fewshot_np.lesson6_optimizer import meta_sgd_step
from fewshot_np.lesson8_comparison.methods import METHODS as PLAIN
from fewshot_np.nn.primitives import log_softmax
from fewshot_np.nn.trees import repeat, tree_map
from fewshot_np.results.distortion import distorted

# ---------------------------------------------------------------- prototypes that the queries refine


def refine(centres, support, support_y, query, rounds):
    """Prototypes (T,N,D) moved by the queries (T,Q,D): soft k-means from where they are. Ren et al. 2018, sec. 3.1.1.

    In each round a query belongs to each class with the probability that the prototypes give it, and a prototype is
    the mean of its examples and of all queries, weighed by that. In the paper other unlabelled images do this, here
    the queries themselves. Their labels are not used, but it is used that there are many, and all of these classes.
    """
    examples = memberships(support_y, support.shape[:-1], centres.shape[-2], support.dtype)
    for _ in range(rounds):
        belongs = np.exp(log_softmax(-squared_distances(query, centres)))  # (T,Q,N)
        weights = np.concatenate([examples, belongs], axis=-2)
        points = np.concatenate([support, query], axis=-2)
        total = np.expand_dims(np.sum(weights, axis=-2), -1)               # (T,N,1)
        centres = np.matmul(np.swapaxes(weights, -1, -2), points) / total
    return centres


def refined_scores(network, params, episode, statistics, rounds):
    """Minus the squared distance of each query to each prototype, (T, N Q, N); to the refined prototypes where batch
    norm sees the queries, too."""
    return scores_of_embeddings(*embed(network, params, episode, statistics), episode, statistics, rounds)


def scores_of_embeddings(support, query, episode, statistics, rounds):
    """The same, of embeddings (T, N K, D) and (T, N Q, D)."""
    centres = prototypes(support, episode.support_y, ways(episode))
    if statistics == "support and queries":
        centres = refine(centres, support, episode.support_y, query, rounds)
    return -squared_distances(query, centres)


# ---------------------------------------------------------------- several networks, several copies of an image


def start_of_networks(network, n_way, rng, n_networks):
    """{"network1": its parameters, "network2": ...}, drawn one after the other."""
    return {f"network{i + 1}": network.init(rng) for i in range(n_networks)}


def ensemble_objective(network, params, episode):
    """The mean of the prototypical losses of all networks: the same episodes, and no other connection."""
    return sum(prototypical_objective(network, each, episode) for each in params.values()) * (1 / len(params))


def ensemble_scores(network, params, episode, statistics, rounds, copies):
    """As `refined_scores`, with averaged embeddings: minus the mean of the networks' squared distances, (T, N Q, N)."""
    rng = onp.random.default_rng(0)  # the same distortions for the same episode
    episodes = [episode, *(distorted(episode, rng) for _ in range(copies))]

    def averaged(one):
        support, query = zip(*(embed(network, one, each, statistics) for each in episodes), strict=True)
        return onp.mean(support, axis=0), onp.mean(query, axis=0)
    support, query = (onp.concatenate(parts, axis=-1) * (1 / len(params) ** 0.5)
                      for parts in zip(*map(averaged, params.values()), strict=True))
    return scores_of_embeddings(support, query, episode, statistics, rounds)


# ---------------------------------------------------------------- MAML with learned rates, one per step and array


def start_of_steps(network, n_way, rng, steps, inner_lr):
    """{"start", "rates"}: the network's parameters, and for each step one rate for each of their arrays."""
    start = network.init(rng)
    rates = {f"step{i + 1}": tree_map(lambda p: np.full((), inner_lr, p.dtype), start) for i in range(steps)}
    return {"start": start, "rates": rates}


def adapted_by_steps(loss, params, episode):
    """Yield the parameters of all tasks after the first step, the second, ..., each at its own rates."""
    adapted = repeat(params["start"], len(episode.support_x))
    for rates in params["rates"].values():
        adapted = meta_sgd_step(loss, adapted, rates, episode.support_x, episode.support_y)
        yield adapted


def steps_objective(network, params, episode):
    """Mean over tasks and steps of the query loss after each step. Antoniou et al. 2019, sec. 4.

    Of that paper: the rates, and the loss of several steps, here with weights that stay the same.
    """
    loss = partial(classification_loss, network)
    losses = [np.sum(loss(adapted, episode.query_x, episode.query_y))
              for adapted in adapted_by_steps(loss, params, episode)]
    return sum(losses) * (1 / (len(episode.support_x) * len(losses)))


def steps_scores(network, params, episode, statistics):
    """Adapt to the support by all steps, then score the queries: (T, N Q, N); see `query_logits`."""
    *_, adapted = adapted_by_steps(partial(classification_loss, network), params, episode)
    return query_logits(network, adapted, episode, statistics)


# ---------------------------------------------------------------- the Siamese network of Koch et al.


def start_with_comparison(network, n_way, rng, scale=0.01):
    """{"network", "head"}: an embedding, and one weight per feature, by which the differences of two embeddings count.

    A difference speaks against *same*, so all weights begin below 0. For images of 28x28 pixels.
    """
    params = network.init(rng)
    n_features = network.apply(params, onp.zeros((2, 28, 28, 1), "float32")).shape[-1]
    return {"network": params, "head": {"w": onp.full((n_features, 1), -scale, "float32"),
                                        "b": onp.zeros(1, "float32")}}


def cross_entropy_objective(network, params, episode, n_hard=4):
    """Lesson 5's objective, of this network's embeddings."""
    support, query = embed(network, params["network"], episode, "support and queries")
    return mean_pair_loss(params, support, query, episode, n_hard)


def cross_entropy_scores(network, params, episode, statistics):
    """The log-odds of *same* of each query with each class, (T, N Q, N); see lesson 5's `scores`."""
    support, query = embed(network, params["network"], episode, statistics)
    return embedded_scores(params, support, query, episode.support_y, ways(episode))


# ---------------------------------------------------------------- the methods

_mean_too = {name: getattr(PLAIN["frozen features"], name) for name in ("objective", "start")}
METHODS = PLAIN | {
    "fine-tuning": PLAIN["fine-tuning"]._replace(**_mean_too),  # one pretraining for both: fine-tuned, and frozen
    "extended prototypical": PLAIN["prototypical"]._replace(scores=refined_scores),
    "prototypical ensemble": PLAIN["prototypical"]._replace(
        objective=ensemble_objective, scores=ensemble_scores, start=start_of_networks),
    "cross-entropy Siamese": PLAIN["Siamese"]._replace(
        objective=cross_entropy_objective, scores=cross_entropy_scores, start=start_with_comparison),
    "extended MAML": PLAIN["MAML"]._replace(objective=steps_objective, scores=steps_scores, start=start_of_steps),
}
