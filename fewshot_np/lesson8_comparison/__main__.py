"""The run of lesson 8: train every method, ask all about the same episodes, and say what each one costs."""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.methods import (
    at_effort,
    build_network,
    fingerprint,
    load_described,
    save_described,
    train_method,
    what_decides,
)
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import read_record
from fewshot_np.experiment.report import finish, metric, plus_minus, print_table, refuse_impossible
from fewshot_np.lesson2_episodes import mean_confidence_interval, sample_episodes
from fewshot_np.lesson7_pitfalls import difference
from fewshot_np.lesson8_comparison import (
    METHODS,
    TRAININGS,
    accuracies_by_statistics,
    adaptation_milliseconds,
    best_first,
    count_images,
    paired_differences,
)
from fewshot_np.lesson8_comparison.comparing import with_the_support
from fewshot_np.lesson8_comparison.figures import draw_matrix, draw_scatter
from fewshot_np.nn.trees import leaves

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 10, "channels": 32, "episodes": 600, "effort": 1.0}
QUICK = {"effort": 0.01, "episodes": 40, "channels": 16, "n_query": 5}
FULL = {"effort": 100.0, "channels": 64, "episodes": 1000}
TEXTS = {"effort": "length of all trainings, as a multiple of the lesson's"}


def main(argv=None):
    options = parse_options(
        "lesson8_comparison", "Every method of the course on the same episodes. --effort 5 trains each five times as "
        "long.", DEFAULTS, QUICK, FULL, texts=TEXTS, argv=argv, parents=[options_of_this_lesson()])
    started = time.perf_counter()
    classes, _, test = load_splits(options)
    refuse_impossible(*draws(options, classes, test))
    print(f"{len(METHODS)} ways to learn {options.n_way} new characters from {options.k_shot} example(s) of each:\n"
          "which of them is right most often, how sure is that, and what does each cost?")
    saved = take_saved(options, classes) if options.from_runs else {}
    trained = {name: saved.get(name) or train_one(name, options, classes) for name in TRAININGS}
    descriptions = save_all(trained, options, classes)
    answers = {name: answers_of(name, trained, options, classes) for name in METHODS}
    results = measure_accuracies(answers, options, test)
    values = with_the_support(results)
    order, pairs = best_first(values), paired_differences(values)
    metrics = print_accuracies(values, pairs, order, options, test) | print_statistics(results, order)
    costs = measure_costs(answers, trained, options, classes, test)
    print_costs(costs, order)
    milliseconds = {name: cost["adaptation milliseconds"] for name, cost in costs.items()}
    finish("lesson8_comparison", options, started, metrics | {"costs": costs, "trainings": descriptions},
           {"scatter": draw_scatter(results, milliseconds, options), "differences": draw_matrix(values, pairs, order)},
           ["longer training, --effort 5; or more episodes for these networks: the",
            f"same command with --episodes 2000 --from-runs {options.out};",
            "or the papers' experiments: python -m fewshot_np.results"])


def options_of_this_lesson():
    """The options that are not of the common form, as a parser to be added to others."""
    def moved(text):
        raise argparse.ArgumentTypeError("the papers' protocols have a program of their own: "
                                         f"python -m fewshot_np.results {text}")
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--from-runs", metavar="FOLDER",
                        help="take what an earlier run saved there, if it was trained as it would be now")
    parser.add_argument("--protocol", type=moved, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def draws(options, classes, test):
    """What the data must be able to give: a test episode, and one task of each method's training."""
    yield partial(sample_episodes, test, options.n_way, options.k_shot, options.n_query, 1)
    for name, training in TRAININGS.items():
        yield partial(METHODS[name].sample, classes, options.n_way, options.k_shot, training._replace(batch=1))


# ---------------------------------------------------------------- train, or take what has been trained


def train_one(name, options, classes):
    """(params, seconds of one core). Each method has its own generator: what it draws does not depend on the others."""
    method, training = METHODS[name], at_effort(TRAININGS[name], options.effort)
    rng, started = np.random.default_rng(options.seed), time.process_time()
    network = build_network(method, training, classes, options.n_way, options.channels)
    start = method.start(network, options.n_way, rng, **training.start)
    sample = partial(method.sample, classes, options.n_way, options.k_shot, training, rng)
    params, _ = train_method(method, training, network, start, sample, options.out / file_of(name), name)
    return params, time.process_time() - started


def file_of(name):
    return f"{name.lower().replace(' ', '-')}.npz"


def training_identity(name, options, classes):
    """All that decides what comes out of a training, as a dict; the images by a hash of them."""
    return {"data": str(options.data), "training images": fingerprint(classes), "seed": options.seed,
            "n_way": options.n_way, "k_shot": options.k_shot, "channels": options.channels,
            **what_decides(at_effort(TRAININGS[name], options.effort))}


def take_saved(options, classes):
    """{name: (params, seconds)} of the run in options.from_runs: those that were trained as they would be now.

    Of the others it is printed why they are not taken.
    Raises: FileNotFoundError without a record, ValueError for one of another lesson.
    """
    folder = Path(options.from_runs)
    if not (folder / "record.json").is_file():
        raise FileNotFoundError(f"--from-runs {folder}: there is no record.json; name the folder of a finished run")
    record = read_record(folder / "record.json")
    if record["lesson"] != "lesson8_comparison":
        raise ValueError(f"--from-runs {folder} holds a run of {record['lesson']}, not of lesson8_comparison")
    taken, refused = {}, []
    for name in TRAININGS:
        there = record["metrics"].get("trainings", {}).get(name)
        try:
            params = load_described(folder / file_of(name), there, training_identity(name, options, classes))
            taken[name] = params, there["seconds"]
        except ValueError as why:
            refused.append(f"{name}: {why}")
    if taken:
        print(f"Taken from {folder}: {', '.join(taken)}.")
    for reason in refused:
        print(f"Trained anew, not taken from {folder}:\n  {reason}")
    return taken


def save_all(trained, options, classes):
    """Save every network in options.out; returns what --from-runs will compare."""
    return {name: save_described(options.out / file_of(name), params, training_identity(name, options, classes),
                                 seconds)
            for name, (params, seconds) in trained.items()}


def answers_of(name, trained, options, classes):
    """scores(episode, statistics) of a method with what it has learned."""
    method = METHODS[name]
    if name not in trained:
        return partial(method.scores, None, None)
    network = build_network(method, TRAININGS[name], classes, options.n_way, options.channels)
    return partial(method.scores, network, trained[name][0], **TRAININGS[name].scores)


# ---------------------------------------------------------------- test


def measure_accuracies(answers, options, test):
    """{(name, statistics): accuracy of each episode}, the same episodes for all."""
    rng = np.random.default_rng(options.seed + 1)
    return evaluate(partial(accuracies_by_statistics, answers),
                    lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                    options.episodes, label="test episodes")


def print_accuracies(values, pairs, order, options, test):
    """Print accuracies with the statistics of the support, and the gap to the best; returns metrics of all pairs."""
    print(f"\n1. {options.n_way}-way {options.k_shot}-shot, the same {options.episodes} episodes for all: accuracy in "
          f"%, 95 % interval.\n   {len(test)} characters{group_phrase(test, options)} never seen, {options.n_query} "
          f"queries per class; guessing: {100 / options.n_way:.1f}.\n   Batch norm takes its statistics from the "
          "support alone (inductive).\n   The gap to the best is measured episode by episode.\n")
    print_table(["", "family", "accuracy", "gap to the best"],
                [[name, METHODS[name].family, plus_minus(*mean_confidence_interval(values[name])),
                  plus_minus(*pairs[name, order[0]], "+") if name != order[0] else "the best"] for name in order])
    return {f"{a} minus {b}": metric(*pairs[a, b]) for i, a in enumerate(order) for b in order[i + 1:]}


def print_statistics(results, order):
    """Print what it changes when batch norm sees the queries, too; returns metrics of all accuracies."""
    print("\n2. The same networks when batch norm sees the queries, too (transductive): those\n"
          "   alone after adapting weights, or support and queries in one pass.\n")
    rows, metrics = [], {}
    for name in order:
        known = METHODS[name].statistics
        if not known:
            metrics[name] = metric(*mean_confidence_interval(results[name, None]))
            rows.append([name, "has no batch norm", "", ""])
            continue
        support, other = (results[name, statistics] for statistics in known)
        gain = difference(other, support, paired=True)
        rows.append([name, known[1], plus_minus(*mean_confidence_interval(other)), plus_minus(*gain, "+")])
        for statistics, values in zip(known, (support, other), strict=True):
            metrics[f"{name}, statistics of the {statistics}"] = metric(*mean_confidence_interval(values))
        metrics[f"{name}, statistics of the {known[1]} minus those of the support"] = metric(*gain)
    print_table(["", "statistics of the", "accuracy", "minus that of 1."], rows)
    return metrics


def measure_costs(answers, trained, options, classes, test):
    """{name: its costs} in training and for a new task."""
    episode = sample_episodes(test, options.n_way, options.k_shot, 1, 1, np.random.default_rng(options.seed))
    costs = {}
    for name, scores in answers.items():
        params, seconds = trained.get(name, ({}, 0.0))
        costs[name] = {"family": METHODS[name].family, "training seconds": round(seconds, 2),
                       "images": count_all_images(name, options, classes) if name in trained else 0,
                       "adaptation milliseconds": round(adaptation_milliseconds(scores, episode), 3),
                       "parameters": sum(leaf.size for leaf in leaves(params))}
    return costs


def count_all_images(name, options, classes):
    """Images that a training reads: its iterations times those of one batch."""
    training = at_effort(TRAININGS[name], options.effort)
    batch = METHODS[name].sample(classes, options.n_way, options.k_shot, training, np.random.default_rng(0))
    return training.iterations * count_images(batch)


def print_costs(costs, order):
    print("\n3. What it costs: seconds of one core and images read in training; milliseconds\n"
          "   for a new task, from its support to the first answer; parameters trained.\n")
    print_table(["", "training", "images", "a new task", "parameters"],
                [[name, f"{cost['training seconds']:.1f} s", f"{cost['images']:,}",
                  f"{cost['adaptation milliseconds']:.2f} ms", f"{cost['parameters']:,}"]
                 for name, cost in ((name, costs[name]) for name in order)])


if __name__ == "__main__":
    run(main)
