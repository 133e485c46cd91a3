"""The run of lesson 7: one network measured in many ways, a few small ones, and every flattering number beside the
honest one."""

import time
from functools import partial

import numpy as np

from fewshot_np.data.splits import load_splits, split_classes
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective, maml_scores
from fewshot_np.lesson7_pitfalls import (
    logits_in_batches,
    overlap,
    query_batches,
    sample_with_replacement,
    smooth_along_list,
    sort_labels,
    support_as_query,
)
from fewshot_np.lesson7_pitfalls.figures import draw_luck, draw_pitfalls
from fewshot_np.lesson7_pitfalls.tables import (
    SEEDS,
    TRIES,
    list_pitfalls,
    print_batch_norm,
    print_intervals,
    print_pitfalls,
    seeds_of,
    short_length,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import repeat

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 15, "inner_lr": 0.4, "inner_steps": 1, "meta_batch": 8,
            "iterations": 1200, "learning_rate": 5e-3, "channels": 32, "small_iterations": 400, "small_channels": 16,
            "few_classes": 50, "episodes": 600}
QUICK = {"iterations": 20, "small_iterations": 10, "channels": 16, "small_channels": 8, "meta_batch": 4, "episodes": 40}
FULL = {"iterations": 60000, "small_iterations": 10000, "channels": 64, "small_channels": 32, "meta_batch": 32,
        "learning_rate": 1e-3}
TEXTS = {"inner_lr": "learning rate of the inner loop",
         "inner_steps": "gradient steps of the inner loop in training",
         "meta_batch": "tasks per meta-step",
         "small_iterations": "training iterations of the small networks",
         "small_channels": "channels of the small networks",
         "few_classes": "training characters of the small data set"}


def main(argv=None):
    options = parse_options("lesson7_pitfalls", "How accuracies lie: the flattering number beside the honest one.",
                            DEFAULTS, QUICK, FULL, texts=TEXTS, argv=argv)
    started, rng = time.perf_counter(), np.random.default_rng(options.seed)
    if options.episodes < 10:
        raise ValueError(f"pieces of 5 episodes, to be compared, need 10 or more of them, got {options.episodes}")
    parts = split_parts(options, rng)
    print("A better accuracy without a better network: how numbers about few-shot learning\n"
          "lie, by how much, and what exposes each of them.")
    trained_networks = train_networks(options, parts)
    results = measure_all(trained_networks, options, parts, rng)
    pitfalls = list_pitfalls(results, trained_networks, options)
    metrics = (print_batch_norm(results, options, parts["test"]) | print_intervals(results, options)
               | print_pitfalls(pitfalls))
    figures = {"pitfalls": draw_pitfalls(pitfalls),
               "luck": draw_luck(results["all"], short_length(options), results["honest"], seeds_of(results))}
    finish("lesson7_pitfalls", options, started, metrics, figures, ["python -m fewshot_np.lesson8_comparison"])


# ---------------------------------------------------------------- characters to learn from and to test on


def split_parts(options, rng):
    """{name: ImageClasses}: the three splits, and three smaller parts of them.

    "few": as many training characters as a small data set has; "others": the other training characters; "pool": so few
    test characters that one is often drawn twice.

    Raises: ValueError where one of them cannot fill an episode.
    """
    training, validation, test = load_splits(options)
    n_few = min(options.few_classes, len(training) // 2)
    few, others = split_classes(training, [n_few, len(training) - n_few], rng)
    pool, = split_classes(test, [min(2 * options.n_way, len(test))], rng)
    parts = {"train": training, "validation": validation, "test": test, "few": few, "others": others, "pool": pool}
    n_query = {"train": options.k_shot, "validation": min(5, options.n_query)}
    refuse_impossible(*(partial(sample_episodes, part, options.n_way, options.k_shot,
                                n_query.get(name, options.n_query), 1) for name, part in parts.items()))
    return parts


# ---------------------------------------------------------------- networks, trained honestly and not


def train_networks(options, parts):
    """{name: (network, params)}; "models": the checkpoints of SEEDS trainings, pairs (validation accuracy, model)."""
    large, small = (conv4(outputs=options.n_way, channels=channels, down="stride", features="mean")
                    for channels in (options.channels, options.small_channels))
    train_one = partial(train_network, options=options, validation=parts["validation"])
    train_small = partial(train_one, network=small, iterations=options.small_iterations)
    few = parts["few"]
    models = [train_small(name=f"seed {seed}", classes=parts["train"], seed=seed)
              for seed in range(options.seed, options.seed + SEEDS)]
    return {"network": train_one("network", large, options.iterations, parts["train"])[-1][1],
            "models": [model for checkpoints in models for model in checkpoints],
            "on support": train_small(name="on support", classes=parts["train"], spoil=support_as_query)[-1][1],
            "few": train_small(name="few characters", classes=few)[-1][1],
            "sorted": train_small(name="sorted labels", classes=few,
                                  spoil=partial(sort_labels, classes=few))[-1][1]}


def train_network(name, network, iterations, classes, options, validation, seed=None, spoil=None):
    """MAML as in lesson 4, on spoiled episodes if asked for: its last three [(validation accuracy, model)]."""
    rng = np.random.default_rng(options.seed if seed is None else seed)
    objective = partial(maml_objective, partial(classification_loss, network), inner_lr=options.inner_lr,
                        steps=options.inner_steps)
    checkpoints = []

    def sample():
        episode = sample_episodes(classes, options.n_way, options.k_shot, options.k_shot, options.meta_batch, rng)
        return spoil(episode) if spoil else episode

    def validate(params):
        episode = sample_episodes(validation, options.n_way, options.k_shot, min(5, options.n_query), 60,
                                  np.random.default_rng(options.seed))
        checkpoints.append((accuracy((network, params), episode, options).mean(), (network, params)))
        return checkpoints[-1][0]

    params, _ = train(objective, network.init(rng), sample, update=adam,
                      schedule=cosine_decay(options.learning_rate, iterations), iterations=iterations,
                      path=options.out / f"{name.replace(' ', '-')}.npz", label=name, validate=validate,
                      validate_every=max(1, iterations // 5))
    if checkpoints[-1][1][1] is not params:
        validate(params)
    return checkpoints[-3:]


# ---------------------------------------------------------------- what they score


def accuracy(model, episode, options, steps=None):
    """The honest accuracy of each task, (T,), after `steps` steps: statistics of the support."""
    steps = options.inner_steps if steps is None else steps
    return accuracies(maml_scores(*model, episode, "support", options.inner_lr, steps), episode.query_y)


def pixels(episode):
    return accuracies(pixel_scores(None, episode), episode.query_y)


def measure_all(trained_networks, options, parts, rng):
    """{name: accuracies}, one per episode. All that one `measure` returns is of the same episodes."""
    def on(part, measure, times=1, sampler=sample_episodes):
        return evaluate(measure, lambda n_tasks: sampler(parts[part], options.n_way, options.k_shot, options.n_query,
                                                         n_tasks, rng), times * options.episodes, label=part)

    def honest(name, model="network"):
        return lambda episode: {name: accuracy(trained_networks[model], episode, options)}

    def pool(episode):
        fewer = np.array([len(np.unique(labels)) < options.n_way for labels in episode.support_y])
        return {**honest("twice")(episode), "twice, fewer ways": fewer}

    def few(episode):
        in_order = sort_labels(episode, parts["few"])
        return {**honest("few", "few")(episode), "few, pixels": pixels(episode),
                **honest("any order", "sorted")(episode), **honest("sorted", "sorted")(in_order),
                "sorted, before": accuracy(trained_networks["sorted"], in_order, options, steps=0)}

    def others(episode):
        return {**honest("others", "few")(episode), "others, pixels": pixels(episode)}

    results = on("test", partial(measure_test, trained_networks, options))
    more = on("test", honest("more"), times=TRIES - 1)["more"]
    return {**results, "all": np.concatenate([results["honest"], more]),
            **on("pool", pool, sampler=sample_with_replacement), **on("pool", honest("once")),
            **on("few", few), **on("others", others)}


def measure_test(trained_networks, options, episode):
    """{name: accuracies (T,)} of one batch of test episodes; "models": (T, models)."""
    (network, params), labels = trained_networks["network"], episode.query_y
    adapted = adapt(partial(classification_loss, network), repeat(params, len(labels)), episode.support_x,
                    episode.support_y, options.inner_lr, options.inner_steps)
    logits = query_logits(network, adapted, episode, "support")
    by_class = np.arange(labels.shape[1])
    shuffled = np.random.default_rng(0).permutation(by_class)
    results = {"honest": accuracies(logits, labels), "pixels": pixels(episode),
               "smoothed": accuracies(smooth_along_list(logits, by_class), labels),
               "smoothed, shuffled": accuracies(smooth_along_list(logits, shuffled), labels)}
    for statistics, batches in query_batches(options.n_way, options.n_query).items():
        results[statistics] = accuracies(logits_in_batches(network, adapted, episode.query_x, batches), labels)
    for spoil in (overlap, support_as_query):
        spoiled = spoil(episode)
        results[spoil.__name__] = accuracies(query_logits(network, adapted, spoiled, "support"), spoiled.query_y)
    on_support = trained_networks["on support"]
    results["outer"] = accuracy(on_support, episode, options)
    results["outer, support"] = accuracy(on_support, support_as_query(episode), options)
    results["models"] = np.stack([accuracy(model, episode, options) for _, model in trained_networks["models"]], axis=1)
    return results


if __name__ == "__main__":
    run(main)
