"""The run of lesson 3, part 2: a few steps of fine-tuning from three starting points, one random and two learned."""

import time
from functools import partial

import numpy as np

from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, percent, plus_minus, print_table, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import (
    Start,
    classification_loss,
    fine_tuned_scores,
    fine_tuning_from,
    frozen_objective,
    frozen_scores,
    query_logits,
    reptile_objective,
    sample_images,
    start_with_mean,
    tune_rate,
    with_new_head,
)
from fewshot_np.lesson3_initialisation.figures import draw_curves, draw_training
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay, linear_decay, sgd

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 5, "channels": 32, "episodes": 600, "test_steps": 20,
            "pretraining_iterations": 1500, "pretraining_batch": 64, "pretraining_learning_rate": 1e-2,
            "iterations": 800, "learning_rate": 1.0, "meta_batch": 5, "train_shots": 10, "inner_steps": 5,
            "inner_batch": 10, "inner_lr": 1.0, "inner_optimizer": "sgd"}
QUICK = {"channels": 16, "episodes": 40, "test_steps": 5, "pretraining_iterations": 40, "iterations": 20}
# what the authors' README has for 5-way 1-shot on Omniglot, statistics of the support
FULL = {"channels": 64, "n_query": 1, "test_steps": 86, "pretraining_iterations": 60000, "iterations": 200000,
        "meta_batch": 3, "train_shots": 12, "inner_steps": 12, "inner_batch": 5, "inner_lr": 0.00044,
        "inner_optimizer": "adam"}
TEXTS = {"test_steps": "fine-tuning steps in the test",
         "pretraining_iterations": "iterations of pretraining",
         "pretraining_batch": "images per iteration of pretraining",
         "pretraining_learning_rate": "learning rate of pretraining, at its start",
         "iterations": "iterations of Reptile",
         "learning_rate": "outer learning rate of Reptile, at its start",
         "meta_batch": "tasks per iteration of Reptile",
         "train_shots": "images per class of a task of Reptile",
         "inner_steps": "steps of fine-tuning on a task of Reptile",
         "inner_batch": "images per such step",
         "inner_lr": "learning rate of these steps, and of Reptile's in the test",
         "inner_optimizer": "optimiser of these steps"}
UPDATES = {"sgd": sgd, "adam": partial(adam, beta1=0.0)}  # Reptile's Adam has no momentum
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)  # to choose from for fine-tuning, where training has not settled the rate
STEPS = (0, 1, 3, 5, 10)  # of fine-tuning after which a test is made, and after the last
FROZEN = "frozen features"
WAYS = [(how, statistics) for how in ("plain", "normalised", "centred and normalised")  # to compare frozen features
        for statistics in ("support", "support and queries")]


def main(argv=None):
    options = parse_options(
        "lesson3_initialisation", "Pretraining and Reptile: a better place for gradient descent to start from.",
        DEFAULTS, QUICK, FULL, choices={"inner_optimizer": tuple(UPDATES)}, texts=TEXTS, argv=argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    refuse_impossible(partial(sample_reptile_tasks, options, training),
                      *(partial(sample_episodes, part, options.n_way, options.k_shot, options.n_query, 1)
                        for part in (validation, test)))
    print(f"{options.n_way} characters that it has never seen, {options.k_shot} example(s) of each: a few steps of\n"
          "gradient descent from three starting points, one random and two learned.")
    starts, histories = find_starts(options, training, validation)
    print("Learning rates, chosen on validation characters; Reptile keeps its training's:\n   "
          + "; ".join(f"{name} {start.learning_rate:g}" for name, start in starts.items()))
    results = {}
    for k_shot, episodes in possible_shots(options, test):
        results[k_shot] = test_starts(options, starts, test, k_shot, episodes)
        print_test(options, results[k_shot], starts, k_shot, episodes)
    finish("lesson3_initialisation", options, started, as_metrics(options, results, starts, test),
           {"curves": draw_curves(options, results, starts, steps_to_test(options)),
            "training": draw_training(options, histories)},
           ["python -m fewshot_np.lesson4_siamese"])


# ---------------------------------------------------------------- 1. three places to start from


def find_starts(options, training, validation):
    """({name: Start}, {name: history}); a start that was not trained for one rate gets the rate that suits it best."""
    network = new_network(options, options.n_way)
    held_out = sample_episodes(validation, options.n_way, options.k_shot, options.n_query, 40,
                               np.random.default_rng(options.seed))
    scratch = with_new_head(network.init(np.random.default_rng(options.seed)), options.n_way)
    pretrained, pretraining = run_pretraining(options, training, held_out)
    reptile, meta_training = run_reptile(options, scratch, training, held_out)

    def tuned(start):
        def error(rate):
            return -accuracy_after(network, start._replace(learning_rate=rate), held_out, steps=3)
        return start._replace(learning_rate=tune_rate(error, RATES))

    starts = {"random": tuned(Start(scratch)),
              "pretrained, head": tuned(Start(pretrained, head_only=True)),
              "pretrained, all": tuned(Start(pretrained)),
              "Reptile": Start(reptile, options.inner_lr, update=UPDATES[options.inner_optimizer])}
    return starts, {"pretraining": pretraining, "Reptile": meta_training}


def new_network(options, outputs):
    return conv4(outputs=outputs, channels=options.channels, down="stride", features="mean")


def accuracy_after(network, start, episode, steps):
    """Mean accuracy over tasks, each query answered by itself."""
    return accuracies(fine_tuned_scores(network, start, episode, "support", steps), episode.query_y).mean()


def run_pretraining(options, training, held_out):
    """(parameters with a new head and the mean feature, history): all training characters told apart, then that head
    thrown away."""
    network, rng = new_network(options, len(training)), np.random.default_rng(options.seed)
    n_images = min(options.pretraining_batch, len(training.images))

    def validate(params):
        start = Start(with_new_head(params, options.n_way), head_only=True)
        return accuracy_after(network, start, held_out, steps=5)

    params, history = train(
        partial(frozen_objective, network), start_with_mean(network.init(rng)),
        lambda: sample_images(training, n_images, rng), update=adam,
        schedule=cosine_decay(options.pretraining_learning_rate, options.pretraining_iterations),
        iterations=options.pretraining_iterations, path=options.out / "pretrained.npz", label="pretraining",
        validate=validate, validate_every=max(1, options.pretraining_iterations // 15))
    return with_new_head(params, options.n_way), history


def run_reptile(options, params, training, held_out):
    """(parameters, history) of Reptile from `params`."""
    network, rng = new_network(options, options.n_way), np.random.default_rng(options.seed)
    update = UPDATES[options.inner_optimizer]

    def objective(params, episode):
        return reptile_objective(partial(classification_loss, network), params, episode, options.inner_lr,
                                 options.inner_steps, options.inner_batch, update)

    def validate(params):
        return accuracy_after(network, Start(params, options.inner_lr, update=update), held_out, steps=5)

    return train(
        objective, params, lambda: sample_reptile_tasks(options, training, rng), update=sgd,
        schedule=linear_decay(options.learning_rate, options.iterations), iterations=options.iterations,
        path=options.out / "reptile.npz", label="Reptile", validate=validate,
        validate_every=max(1, options.iterations // 15))


def sample_reptile_tasks(options, training, rng):
    """Tasks of `train_shots` images of each class; that one of them is called a query makes no difference here."""
    if options.train_shots < 2:
        raise ValueError(f"train_shots must be at least 2, got {options.train_shots}")
    fewest, name = min((len(ids), name) for ids, name in zip(training.images_of, training.names, strict=True))
    if fewest < options.train_shots:
        raise ValueError(f"class {name!r} has {fewest} images, and a task of Reptile takes {options.train_shots}: "
                         + (f"choose --train-shots {fewest} or less" if fewest > 1 else "add one, or take it out"))
    return sample_episodes(training, options.n_way, options.train_shots - 1, 1, options.meta_batch, rng)


# ---------------------------------------------------------------- 2. test: how steeply do they rise?


def test_starts(options, starts, test, k_shot, episodes):
    """{(start, steps, statistics): (mean accuracy, interval)} and, on the same episodes, {"nearest pixels": ...} and
    {(FROZEN, how, statistics): ...} of the pretrained body as it is.

    Batch norm takes its statistics from the support; after the last step the queries are scored with theirs, too.
    """
    network, counts = new_network(options, options.n_way), steps_to_test(options)

    def measure(episode):
        shares = {"nearest pixels": accuracies(pixel_scores(None, episode), episode.query_y)}
        for name, start in starts.items():
            for steps, params in enumerate(fine_tuning_from(network, start, episode, counts[-1])):
                for statistics in [s for n, s in lines_of(options) if n == steps]:
                    shares[name, steps, statistics] = accuracies(query_logits(network, params, episode, statistics),
                                                                 episode.query_y)
        for how, statistics in WAYS:
            scores = frozen_scores(network, starts["pretrained, head"].params, episode, statistics, how)
            shares[FROZEN, how, statistics] = accuracies(scores, episode.query_y)
        return shares

    rng = np.random.default_rng(options.seed + 1)
    values = evaluate(measure, lambda n: sample_episodes(test, options.n_way, k_shot, options.n_query, n, rng),
                      episodes, label=f"test {options.n_way}-way {k_shot}-shot")
    return {key: mean_confidence_interval(shares) for key, shares in values.items()}


def steps_to_test(options):
    return [steps for steps in STEPS if steps < options.test_steps] + [options.test_steps]


def lines_of(options):
    """[(steps, statistics)] of the table: the statistics of the queries after the last step only."""
    counts = steps_to_test(options)
    return [*((steps, "support") for steps in counts), (counts[-1], "queries")]


def possible_shots(options, test):
    """[(shots, episodes)]: as many shots as asked for and, if there are images enough, five times as many.

    The latter on a third of the episodes, because with more examples the accuracies scatter less.
    """
    shots = [(options.k_shot, options.episodes), (5 * options.k_shot, max(2, options.episodes // 3))]
    fewest = min(map(len, test.images_of))
    return [(k_shot, episodes) for k_shot, episodes in shots if k_shot + options.n_query <= fewest]


def print_test(options, results, starts, k_shot, episodes):
    """A line for each number of steps, a column for each start."""
    print(f"\n{options.n_way}-way {k_shot}-shot: accuracy in %, 95 % interval over {episodes} episodes,\n"
          f"{options.n_query} queries per class. Nearest pixels {percent(*results['nearest pixels'])}, guessing "
          f"{100 / options.n_way:.1f} %.\nBatch norm takes its statistics from the support, so that each query is "
          "answered\nby itself; in the last line (*) from the queries, all of them together.\n")
    print_table(["after steps", *(name.replace(", ", ",\n") for name in starts)],
                [[f"{steps} *" if statistics == "queries" else f"{steps}",
                  *(plus_minus(*results[name, steps, statistics]) for name in starts)]
                 for steps, statistics in lines_of(options)])
    print("\nNo step at all: the pretrained body is frozen, and the class with the nearest\nmean feature answers. "
          "Statistics of the support; in the second column (*) of the\nsupport and queries.\n")
    print_table(["features", "accuracy", "accuracy *"],
                [[how, *(plus_minus(*results[FROZEN, how, statistics]) for other, statistics in WAYS if other == how)]
                 for how in dict.fromkeys(how for how, _ in WAYS)])


def as_metrics(options, results, starts, test):
    """For the record: "Reptile, 3 steps, 1-shot": {mean, interval, episodes}, and so on, and the learning rates.

    The statistics are those of the support unless the name says otherwise.
    """
    metrics = {"learning rates": {name: start.learning_rate for name, start in starts.items()}}
    for k_shot, episodes in possible_shots(options, test):
        for key, result in results[k_shot].items():
            if key == "nearest pixels":
                name = key
            else:
                start, steps, statistics = key
                name = (f"{start}, {steps}" + " steps" * (start != FROZEN)
                        + f", statistics of the {statistics}" * (statistics != "support"))
            metrics[f"{name}, {k_shot}-shot"] = metric(*result, episodes=episodes)
    return metrics


if __name__ == "__main__":
    run(main)
