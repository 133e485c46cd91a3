"""The run of lesson 3, part 1: a network trained in nine ways, tested on new characters; and lesson 1's curve."""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_accuracy_curves
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import (
    curve_metrics,
    finish,
    metric,
    plus_minus,
    print_curves,
    print_table,
    refuse_impossible,
)
from fewshot_np.experiment.training import train
from fewshot_np.lesson1_data_hunger import (
    HELD_OUT,
    SHOTS,
    accuracy_curve,
    mean_and_interval,
    nearest_pixels,
    network_from_scratch,
)
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import (
    matching_objective,
    matching_scores,
    nearest_prototype,
    plain_distances,
    prototypical_objective,
    prototypical_scores,
    relation_objective,
    relation_scores,
    ridge_objective,
    ridge_scores,
    start_relation,
    start_ridge,
)
from fewshot_np.lesson3_metric.figures import draw_embedding, draw_training
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import cross_entropy

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 5, "train_way": 20, "iterations": 700, "learning_rate": 1e-2,
            "channels": 32, "down": "stride", "episodes": 600, "curve_ways": 20, "repetitions": 5,
            "scratch_iterations": 60}
QUICK = {"iterations": 20, "episodes": 40, "channels": 16, "curve_ways": 5, "repetitions": 5, "scratch_iterations": 10}
FULL = {"iterations": 10000, "train_way": 60, "channels": 64, "learning_rate": 1e-3, "down": "pool",
        "repetitions": 100, "scratch_iterations": 200}
TEXTS = {"train_way": "classes per training episode",
         "down": "how each block halves the image",
         "curve_ways": "classes of the curve of accuracy against images",
         "repetitions": "draws of classes for each point of that curve",
         "scratch_iterations": "iterations of each network trained from scratch"}
ALL_QUERIES = ", statistics of the support and queries"  # without it, batch norm's statistics are those of the support


def main(argv=None):
    options = parse_options("lesson3_metric", "Prototypical and Matching Networks: learn to compare.", DEFAULTS, QUICK,
                            FULL, choices={"down": ("stride", "pool")}, texts=TEXTS, argv=argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    train_way = min(options.train_way, len(training))
    episodes = [(training, max(train_way, options.n_way)), (validation, options.n_way), (test, options.n_way)]
    refuse_impossible(*(partial(sample_episodes, part, n_way, options.k_shot, options.n_query, 1)
                        for part, n_way in episodes))
    introduce(options, train_way)
    network = conv4(channels=options.channels, down=options.down, features="mean")
    start = network.init(np.random.default_rng(options.seed))
    candidates = methods(train_way, options.n_way)
    first = next(iter(candidates))
    trained, histories = train_methods(options, candidates, network, start, training, validation)
    values = test_methods(options, candidates, network, start, trained, test)
    metrics = print_test(options, values, first, test)
    curves, curve_figure = run_curve(options, network, trained[first], training, test)
    embedding_figure = draw_embedding(network, start, trained[first], sample_task(options, test))
    finish("lesson3_metric", options, started, metrics | curves,
           {"training": draw_training(histories), "embedding": embedding_figure, "curve": curve_figure},
           ["python -m fewshot_np.lesson3_initialisation"])


def introduce(options, train_way):
    """The first lines: what a newcomer is about to see."""
    print(f"A network learns to compare characters. Then it meets {options.n_way} that it has never seen,\n"
          f"{options.k_shot} example(s) of each, and tells them apart without any further training.")
    if train_way < options.train_way:
        print(f"There are {train_way} classes to train on: "
              f"{train_way}-way episodes in place of {options.train_way}-way.")


# ---------------------------------------------------------------- 1. train


class Method(NamedTuple):
    """train_way: classes per training episode. objective and scores: of (network, params, episode, ...).

    start(params, rng) -> params with what is learned besides the embedding.
    """

    train_way: int
    objective: Any
    scores: Any
    start: Any = lambda params, rng: params


def methods(train_way, n_way):
    """{name: Method}, to find out what makes the difference.

    The first is the lesson's own. Each other one differs in one thing from one above it, except for the published
    Matching Network, which is trained with as many classes as it is tested with, and for the last three, which answer
    in other ways.
    """
    prototypical = prototypical_objective, prototypical_scores
    plain = (partial(f, distances=plain_distances) for f in prototypical)
    sharp = (partial(f, temperature=0.1) for f in (matching_objective, matching_scores))
    return {f"prototypical, {train_way}-way": Method(train_way, *prototypical),
            f"prototypical, {n_way}-way": Method(n_way, *prototypical),
            f"prototypical, {train_way}-way, not squared": Method(train_way, *plain),
            f"matching, {n_way}-way": Method(n_way, matching_objective, matching_scores),
            f"matching, {train_way}-way": Method(train_way, matching_objective, matching_scores),
            f"matching, {train_way}-way, sharper": Method(train_way, *sharp),
            f"ridge regression, {train_way}-way": Method(train_way, ridge_objective, ridge_scores,
                                                         lambda params, rng: start_ridge(params)),
            f"Relation, {n_way}-way": Method(n_way, relation_objective, relation_scores, start_relation),
            f"Relation, {train_way}-way, cross-entropy": Method(
                train_way, partial(relation_objective, loss=cross_entropy), relation_scores, start_relation)}


def train_methods(options, candidates, network, start, training, validation):
    """({name: parameters}, {name: history}) of all candidates, from one start and on equally many images."""
    most = max(method.train_way for method in candidates.values())
    held_out = sample_episodes(validation, options.n_way, options.k_shot, options.n_query, 40,
                               np.random.default_rng(options.seed))
    trained, histories = {}, {}
    for name, method in candidates.items():
        def validate(params, scores=method.scores):
            return accuracies(scores(network, params, held_out, "support"), held_out.query_y).mean()

        sample = partial(sample_episodes, training, method.train_way, options.k_shot, options.n_query,
                         n_tasks=most // method.train_way, rng=np.random.default_rng(options.seed))
        trained[name], histories[name] = train(
            partial(method.objective, network), method.start(start, np.random.default_rng(options.seed)), sample,
            update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / (name.replace(",", "").replace(" ", "-") + ".npz"), label=name, validate=validate,
            validate_every=max(1, options.iterations // 15))
    return trained, histories


# ---------------------------------------------------------------- 2. test: more examples, more classes


def possible_settings(classes, options):
    """[(ways, shots)]: the one asked for, five times the shots, and four times the ways, if there is enough."""
    n_way, k_shot = options.n_way, options.k_shot
    fewest = min(map(len, classes.images_of))
    return [(n, k) for n, k in [(n_way, k_shot), (n_way, 5 * k_shot), (4 * n_way, k_shot)]
            if n <= len(classes) and k + options.n_query <= fewest]


def test_methods(options, candidates, network, start, trained, test):
    """{name: {(ways, shots): accuracy of each episode}}; within a setting all methods get the same episodes."""
    scorers = {"nearest pixels": partial(pixel_scores, None),
               "no training": partial(prototypical_scores, network, start, statistics="support")}
    scorers |= {name: partial(method.scores, network, trained[name], statistics="support")
                for name, method in candidates.items()}
    for name in (next(iter(candidates)), *(name for name in candidates if "sharper" in name)):
        scorers[name + ALL_QUERIES] = partial(candidates[name].scores, network, trained[name],
                                              statistics="support and queries")

    def measure(episode):
        return {name: accuracies(score(episode), episode.query_y) for name, score in scorers.items()}

    values = {name: {} for name in scorers}
    for n_way, k_shot in possible_settings(test, options):
        rng = np.random.default_rng(options.seed + 1)
        sample = partial(sample_episodes, test, n_way, k_shot, options.n_query, rng=rng)
        results = evaluate(measure, lambda n_tasks, sample=sample: sample(n_tasks=n_tasks), options.episodes,
                           label=f"test {n_way}-way {k_shot}-shot")
        for name in scorers:
            values[name][n_way, k_shot] = results[name]
    return values


def print_test(options, values, reference, test):
    """Print accuracies, and their differences from those of the method `reference`; returns both as metrics."""
    settings, names = list(values[reference]), list(values)
    differences = {name: {s: values[name][s] - values[reference][s] for s in settings}
                   for name in names[names.index(reference) + 1:]}
    print(f"\n1. {len(test)} characters{group_phrase(test, options)}, {options.episodes} episodes, "
          f"{options.n_query} queries per class.\n   Accuracy in %, 95 % interval. Batch norm takes its statistics "
          "from the\n   support, so that each query is answered by itself; in a line with a star (*),\n"
          "   from the support and queries. Sharper: cosines times 10.\n")
    print_settings(values, settings)
    print(f"\n   Minus {reference}, on the same episodes (one training of each):\n")
    print_settings(differences, settings, sign="+")
    return {f"{name}{suffix}, {n}-way {k}-shot": metric(*mean_confidence_interval(table[name][n, k]))
            for suffix, table in [("", values), (f" minus {reference}", differences)]
            for name in table for n, k in settings}


def print_settings(table, settings, sign=""):
    """A row for each method, a column for each of settings."""
    print_table(["", *(f"{n}-way\n{k}-shot" for n, k in settings)],
                [[name.replace(ALL_QUERIES, " *"),
                  *(plus_minus(*mean_confidence_interval(values[s]), sign) for s in settings)]
                 for name, values in table.items()])


def sample_task(options, classes):
    """One task to look at, with as many shots as there are images for."""
    k_shot = max(k for n, k in possible_settings(classes, options) if n == options.n_way)
    return sample_episodes(classes, options.n_way, k_shot, options.n_query, 1, np.random.default_rng(options.seed))


# ---------------------------------------------------------------- 3. is the hunger gone?


def run_curve(options, network, params, training, test):
    """Lesson 1's curve again, with this embedding on it; (metrics, figure).

    The hunger has moved from images of these classes to images of *other* classes.
    """
    n_way, fewest = min(options.curve_ways, len(test)), min(map(len, test.images_of))
    held_out = min(HELD_OUT, fewest - 1)
    shots = [k_shot for k_shot in SHOTS if k_shot + held_out <= fewest]
    learners = {"nearest pixels": nearest_pixels,
                "network from scratch": partial(network_from_scratch, channels=options.channels,
                                                iterations=options.scratch_iterations),
                "nearest prototype": partial(nearest_prototype, network, params)}
    curves = {}
    for name, learner in learners.items():
        with tqdm(total=options.repetitions * len(shots), desc=name, ascii=True, leave=False) as bar:
            curves[name] = mean_and_interval(accuracy_curve(
                learner, test, shots, np.random.default_rng(options.seed), n_way, held_out, options.repetitions,
                progress=bar.update))
    other_images = {name: len(training.images) if name == "nearest prototype" else 0 for name in learners}
    print(f"\n2. Lesson 1's curve again: {n_way} characters, accuracy in % on {held_out} new drawings of\n"
          f"   each, 95 % interval over {options.repetitions} draws of the characters. The embedding has seen\n"
          f"   {len(training.images):,} images of {len(training):,} other characters before.\n")
    print_curves(curves, shots, n_way, other_images)
    return curve_metrics(curves, shots), draw_accuracy_curves(curves, shots, n_way, other_images)


if __name__ == "__main__":
    run(main)
