"""The run of lesson 2, zero-shot: three writings, two kinds of features, many splits into seen and unseen."""

import time
from functools import partial

import numpy as np
from tqdm import tqdm

from fewshot_np.data.classes import to_float
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, plus_minus, print_table
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson2_zero_shot import (
    NAMES,
    QUICK_NAMES,
    characters,
    drawings,
    features_of,
    measure,
    pixels,
    random_convolution,
    random_kernels,
    signatures,
    split_unseen,
)
from fewshot_np.lesson2_zero_shot.figures import draw_accuracies, draw_predictions

DEFAULTS = {"repetitions": 10, "filters": 24}
TEXTS = {"repetitions": "random splits into seen and unseen characters", "filters": "random kernels"}


def main(argv=None):
    options = parse_options(
        "lesson2_zero_shot", "Zero-shot learning: recognise characters never seen from their Unicode names.", DEFAULTS,
        quick={"repetitions": 5, "filters": 8}, full={"repetitions": 50, "filters": 96}, texts=TEXTS, argv=argv)
    refuse_data_without_names(options)
    started = time.perf_counter()
    print("Characters of which it has seen no example, recognised by their Unicode names.\n"
          f"Mean and 95 % interval over {options.repetitions} random splits into seen and unseen.")
    kernels = random_kernels(options.filters, np.random.default_rng(options.seed))
    extractors = {"pixels": pixels, "random convolution": partial(random_convolution, kernels)}
    metrics, rehearsals, examples = {}, {}, {}
    for writing in NAMES:
        more, rehearsals[writing], examples[writing] = run_writing(writing, options, extractors)
        metrics |= more
    finish("lesson2_zero_shot", options, started, metrics,
           {"accuracy": draw_accuracies(metrics, rehearsals["Latin"]), "predictions": draw_predictions(examples)},
           ["python -m fewshot_np.lesson3_metric"])


def refuse_data_without_names(options):
    if options.data != "glyphs":
        raise ValueError(f"--data {options.data}: zero-shot learning needs side information, something that describes "
                         "the classes nobody has seen. Glyphs have Unicode names; Omniglot's characters have only "
                         "numbers, and a folder's name says nothing of its images. Leave --data out")


def run_writing(writing, options, extractors):
    """All splits of one writing with all features; prints a table, returns (metrics, rehearsals, examples).

    Both kinds of features meet the same splits; the interval says how much depends on which characters are unseen.
    The examples, some answers for unseen characters, are those of the last split and features.
    """
    code_points, names, parts = characters((QUICK_NAMES if options.quick else NAMES)[writing])
    images, attributes = drawings(code_points, options.seed, bar("rendering", unit=" characters")), signatures(parts)
    results = {}
    for kind, extract in extractors.items():
        rng, measured = np.random.default_rng(options.seed), []
        features = features_of(images, extract)
        for _ in bar(f"{writing}, {kind}")(range(options.repetitions)):
            seen, unseen = split_unseen(attributes, 0.2, rng)
            measured.append(measure(features, attributes, seen, unseen, rng))
        results[kind] = {name: mean_confidence_interval([accuracies[name] for accuracies, *_ in measured])
                         for name in measured[0][0]}
    print_writing(writing, results, len(seen), len(unseen), names[unseen[0]])
    metrics = {f"{writing}, {kind}, {name}": metric(*result)
               for kind, of_kind in results.items() for name, result in of_kind.items()}
    rehearsals = np.mean([table for _, table, _ in measured], axis=0)
    return metrics, rehearsals, pick_examples(images[unseen], [names[k] for k in unseen], measured[-1][2], rng)


def bar(label, **more):
    """A progress bar, to be wrapped around an iterable."""
    return partial(tqdm, desc=label, ascii=True, leave=False, **more)


def pick_examples(images, names, answers, rng, n_shown=8):
    """[(image, its name, the name that was answered)] of random images of different classes."""
    chosen = [(k, rng.integers(images.shape[1])) for k in rng.choice(len(images), n_shown, replace=False)]
    return [(to_float(images[k, n]), names[k], names[answers[k, n]]) for k, n in chosen]


def print_writing(writing, results, n_seen, n_unseen, example):
    """The table of one writing; results: {kind of features: {name: (mean, interval)}}."""
    def row(label, of_kind, *names):
        return [label, *(plus_minus(*of_kind[name]) if name else "" for name in names)]

    *_, last = results.values()
    print(f"\n{writing}: learned from {n_seen} characters, tested on {n_unseen} others, for example\n   {example}\n")
    head = ["accuracy, %", "unseen\namong unseen", *(f"any answer:\n{kind}" for kind in ("seen", "unseen", "harmonic"))]
    print_table(head,
                [row("guessing", last, "guessing", *["all: guessing"] * 3),
                 *(row(kind, of_kind, "unseen", "all: seen", "all: unseen", "all: harmonic")
                   for kind, of_kind in results.items()),
                 row("... names shuffled", last, "shuffled", "", "", "")])


if __name__ == "__main__":
    run(main)
