"""Lesson 8, first page: all methods as rows of one table. What is a method, if one loop can train them all?

Each is an objective and scores that an earlier lesson wrote, and numbers that say how it is trained: METHODS and
TRAININGS at the end of this page. A lesson's function that does not take these arguments in this order gets a thin
cover:

    objective(network, params, batch, **training.objective) -> a scalar
    scores(network, params, episode, statistics, **training.scores) -> (T, N Q, N)
"""

from functools import partial

from fewshot_np.experiment.methods import OPTIMIZERS, SCHEDULES, Method, Training  # two types and two tables of names
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import (
    Start,
    classification_loss,
    classification_objective,
    fine_tuned_scores,
    frozen_objective,
    frozen_scores,
    reptile_objective,
    sample_images,
    start_with_mean,
    with_new_head,
)
from fewshot_np.lesson3_metric import (
    matching_objective,
    matching_scores,
    prototypical_objective,
    prototypical_scores,
    relation_objective,
    relation_scores,
    ridge_objective,
    ridge_scores,
    start_relation,
    start_ridge,
    ways,
)
from fewshot_np.lesson4_maml import (
    implicit_objective,
    implicit_scores,
    maml_objective,
    maml_scores,
    proto_maml_objective,
    proto_maml_scores,
)
from fewshot_np.lesson4_siamese import objective as siamese_objective
from fewshot_np.lesson4_siamese import scores as siamese_scores
from fewshot_np.lesson6_model_based import memory_objective, memory_scores, start_reader
from fewshot_np.lesson6_optimizer import initial_rates, meta_sgd_objective, meta_sgd_scores
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import value_and_grad


def train_plainly(method, training, network, classes, n_way, k_shot, rng):
    """The training of every method, without the progress bar and the files that a run adds: the same numbers."""
    params, state = method.start(network, n_way, rng, **training.start), None
    schedule = SCHEDULES[training.schedule](training.learning_rate, training.iterations)
    for iteration in range(training.iterations):
        batch = method.sample(classes, n_way, k_shot, training, rng)
        _, gradient = value_and_grad(partial(method.objective, network, **training.objective))(params, batch)
        params, state = OPTIMIZERS[training.optimizer](params, gradient, state, schedule(iteration))
    return params


# ---------------------------------------------------------------- objectives


def maml_objective_of(network, params, episode, **inner):
    """Lesson 4's meta-objective, of the network's cross-entropy."""
    return maml_objective(partial(classification_loss, network), params, episode, **inner)


def implicit_objective_of(network, params, episode, **inner):
    """Lesson 4's objective whose gradient is implicit, of the network's cross-entropy."""
    return implicit_objective(partial(classification_loss, network), params, episode, **inner)


def reptile_objective_of(network, params, episode, **inner):
    """Lesson 3's: the squared distance to where fine-tuning ends."""
    return reptile_objective(partial(classification_loss, network), params, episode, **inner)


def relation_objective_of(network, params, episode):
    """Lesson 3's with a cross-entropy, because in episodes of 20 classes the paper's squared error learns nothing."""
    return relation_objective(network, params, episode, cross_entropy)


def meta_sgd_objective_of(network, params, episode):
    """Lesson 6's: MAML's, with a learned rate for each parameter."""
    return meta_sgd_objective(partial(classification_loss, network), params, episode)


# ---------------------------------------------------------------- scores


def pixel_scores_of(network, params, episode, statistics):
    """Nearest pixels, which need neither network nor parameters."""
    return pixel_scores(params, episode, statistics)


def fine_tuned_scores_of(network, params, episode, statistics, learning_rate, steps):
    """All weights fine-tuned on the support by plain gradient descent."""
    return fine_tuned_scores(network, Start(params, learning_rate), episode, statistics, steps)


def pretrained_scores(network, params, episode, statistics, learning_rate, steps):
    """The same with a new, empty head in place of the one for all training characters."""
    params = with_new_head(params, ways(episode))
    return fine_tuned_scores_of(network, params, episode, statistics, learning_rate, steps)


# ---------------------------------------------------------------- where training starts, and what it draws


def start_with_empty_head(network, n_way, rng):
    return with_new_head(network.init(rng), n_way)


def start_with_rates(network, n_way, rng, low, high):
    start = network.init(rng)
    return {"start": start, "rates": initial_rates(start, rng, low, high)}


def start_with_mean_feature(network, n_way, rng):
    return start_with_mean(network.init(rng))


def start_with_ridge(network, n_way, rng, strength, scale):
    return start_ridge(network.init(rng), strength, scale)


def start_with_relation(network, n_way, rng, n_hidden):
    return start_relation(network.init(rng), rng, n_hidden)


def start_with_memory(network, n_way, rng):
    return start_reader(network, rng)


def sample_training_episodes(classes, n_way, k_shot, training, rng):
    """Episodes of the train way, or of as many classes and queries as there are."""
    n_way = min(training.train_way or n_way, len(classes))
    n_query = min(training.n_query, max(1, min(map(len, classes.images_of)) - k_shot))
    return sample_episodes(classes, n_way, k_shot, n_query, training.batch, rng)


def sample_training_images(classes, n_way, k_shot, training, rng):
    """Pretraining knows no episodes: images of any character."""
    return sample_images(classes, min(training.batch, len(classes.images)), rng)


# ---------------------------------------------------------------- the methods

METRIC, OPTIMISATION, MODEL = "metric-based", "optimisation-based", "model-based"

# Method(family, scores, statistics, objective, sample, start, head):
#   statistics  the two choices that scores has of the images from which batch norm takes mean and variance
#   start       without one, the network draws its own parameters
#   head        what the network ends in. None: its features; "ways": a logit for each class of a task; "classes": a
#               logit for each class of the training data

# one pass through the network embeds support and queries; or weights are adapted to the support, and then see queries
_metric_based = partial(Method, METRIC, statistics=("support", "support and queries"), sample=sample_training_episodes)
_adapting = partial(Method, OPTIMISATION, statistics=("support", "queries"), sample=sample_training_episodes,
                    head="ways")

METHODS = {
    "pixels": Method("nothing learned", pixel_scores_of),
    "fine-tuning": Method("pretraining", pretrained_scores, ("support", "queries"), classification_objective,
                          sample_training_images, head="classes"),
    "frozen features": Method("pretraining", frozen_scores, ("support", "support and queries"), frozen_objective,
                              sample_training_images, start_with_mean_feature, head="classes"),
    "Siamese": _metric_based(siamese_scores, objective=siamese_objective),
    "Matching": _metric_based(matching_scores, objective=matching_objective),
    "prototypical": _metric_based(prototypical_scores, objective=prototypical_objective),
    "ridge regression": _metric_based(ridge_scores, objective=ridge_objective, start=start_with_ridge),
    "Relation": _metric_based(relation_scores, objective=relation_objective_of, start=start_with_relation),
    "MAML": _adapting(maml_scores, objective=maml_objective_of),
    "first-order MAML": _adapting(maml_scores, objective=maml_objective_of),
    "ANIL": _adapting(maml_scores, objective=maml_objective_of),
    "implicit MAML": _adapting(implicit_scores, objective=implicit_objective_of),
    "ProtoMAML": _adapting(proto_maml_scores, objective=proto_maml_objective, head=None),  # the support makes the head
    "Reptile": _adapting(fine_tuned_scores_of, objective=reptile_objective_of, start=start_with_empty_head),
    "Meta-SGD": _adapting(meta_sgd_scores, objective=meta_sgd_objective_of, start=start_with_rates),
    "memory": Method(MODEL, memory_scores, ("support", "support and queries"), memory_objective,
                     sample_training_episodes, start_with_memory),
}

# ---------------------------------------------------------------- how each is trained


def _inner_loop(inner_lr, **more):
    """What MAML and its shortcuts share: one step in training, three in the test."""
    return {"objective": {"inner_lr": inner_lr, "steps": 1, **more}, "scores": {"inner_lr": inner_lr, "steps": 3}}


# Training(iterations, learning_rate, ...), the rate of the outer loop:
#   batch       tasks per iteration; in pretraining, images
#   train_way   classes per training episode; without it, as many as in the test
#   start, objective, scores    what these functions of the method take besides
#
# Iterations that take about 12 s on one core, at 32 channels. The learning rates, of both loops, and the temperature
# were chosen on validation characters; so were Meta-SGD's first rates: with the paper's, U[0.005, 0.1], it is slower.
TRAININGS = {
    "fine-tuning": Training(1300, 1e-2, batch=64, scores={"learning_rate": 0.1, "steps": 5}),
    "frozen features": Training(1300, 1e-2, batch=64),
    "Siamese": Training(1200, 1e-2, batch=1, train_way=32, features="flatten",
                        objective={"negatives": "hardest", "margin": 10.0}),
    "Matching": Training(800, 1e-2, batch=1, train_way=20, n_query=5,
                         objective={"temperature": 0.05}, scores={"temperature": 0.05}),
    "prototypical": Training(800, 1e-2, batch=1, train_way=20, n_query=5),
    "ridge regression": Training(800, 1e-2, batch=1, train_way=20, n_query=5, start={"strength": 1.0, "scale": 5.0}),
    "Relation": Training(800, 1e-2, batch=1, train_way=20, n_query=5, start={"n_hidden": 64}),
    "MAML": Training(480, 5e-3, batch=8, **_inner_loop(1.0)),
    "first-order MAML": Training(1000, 5e-3, batch=8, **_inner_loop(0.4, first_order=True)),
    "ANIL": Training(1000, 1e-2, batch=8, **_inner_loop({"head": 2.0})),
    "implicit MAML": Training(330, 1e-2, batch=4, scores={"inner_lr": 1.0, "steps": 2, "strength": 0.1},
                              objective={"inner_lr": 1.0, "steps": 2, "strength": 0.1, "cg_steps": 1}),
    "ProtoMAML": Training(400, 1e-2, batch=1, train_way=20, n_query=2, **_inner_loop(0.4)),
    "Reptile": Training(340, 1.0, batch=5, n_query=9, optimizer="sgd", schedule="linear",
                        objective={"inner_lr": 1.0, "inner_steps": 5, "inner_batch": 10},
                        scores={"learning_rate": 1.0, "steps": 5}),
    "Meta-SGD": Training(460, 5e-3, batch=8, start={"low": 0.5, "high": 1.5}),
    "memory": Training(400, 1e-2, batch=1, train_way=20, n_query=5, objective={"n_slots": 20},
                       scores={"n_slots": 20}),  # a support of 5-way 1-shot leaves most of the slots empty
}
