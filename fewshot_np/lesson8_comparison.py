"""Lesson 8: the comparison. Every method of the course on the same episodes: how often right, how sure, at what cost?

Ten ways to learn new characters from an example of each. Nothing new is derived here: each row of METHODS names an
objective and scores that an earlier lesson wrote, and each row of SETTINGS says how it is trained. What a comparison
must hold constant, and what it must state, is the lesson:

  the same data      all are trained on the same characters, and tested on others
  the same network   four convolutions of stride 2 and the mean of the last map (the Siamese network takes all of it,
                     as its lesson does); what differs is what is put on top, and the loss
  the same effort    about 12 seconds of one core each, as a *fixed* number of iterations, so that a run can be repeated
  the same episodes  then two methods can be compared episode by episode. An episode that is hard is hard for both, and
                     that drops out of the *paired difference*: its interval is narrower than on different episodes
  the same mode      batch norm sees the support alone, or all queries at once (transductive): both are given

Accuracy is not all: a new task costs one method twenty times the milliseconds of another. And the interval is over
episodes alone: another seed of training moves a result, too (lesson 7), and longer training can turn the order round.

    python -m fewshot_np.lesson8_comparison
"""

import argparse
import hashlib
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fewshot_np import lesson8_protocols
from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import BLACK, STYLES, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import load_params, read_record, save_params, write_record
from fewshot_np.experiment.report import plus_minus as cell
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import (
    Start,
    classification_loss,
    classification_objective,
    fine_tuned_scores,
    reptile_objective,
    sample_images,
    with_new_head,
)
from fewshot_np.lesson3_metric import (
    matching_objective,
    matching_scores,
    prototypical_objective,
    prototypical_scores,
    ways,
)
from fewshot_np.lesson4_maml import maml_objective, maml_scores
from fewshot_np.lesson4_siamese import objective as siamese_objective
from fewshot_np.lesson4_siamese import scores as siamese_scores
from fewshot_np.lesson6_optimizer import initial_rates, meta_sgd_objective, meta_sgd_scores
from fewshot_np.lesson7_pitfalls import difference
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay, linear_decay, sgd
from fewshot_np.nn.trees import leaves

# ---------------------------------------------------------------- how a method is trained


class Settings(NamedTuple):
    """How one method is trained: nothing but numbers, words and dicts of them, so that a record can hold it.

    batch: tasks per iteration; in pretraining images. train_way: classes per training episode, None as in the test.
    n_query: queries per class of a training episode. start, objective, scores: what those functions take besides.
    """

    iterations: int
    learning_rate: float
    batch: int
    train_way: int | None = None
    n_query: int = 1
    optimizer: str = "adam"
    schedule: str = "cosine"
    features: str = "mean"
    start: dict | None = None
    objective: dict | None = None
    scores: dict | None = None


OPTIMIZERS = {"adam": adam, "sgd": sgd}
SCHEDULES = {"cosine": cosine_decay, "linear": linear_decay}  # of (learning rate, iterations)


def inner_loop(inner_lr, **more):
    """The part of the settings that MAML and its shortcuts share: one step in training, three in the test."""
    return {"objective": {"inner_lr": inner_lr, "steps": 1, **more}, "scores": {"inner_lr": inner_lr, "steps": 3}}


# Iterations that take about 12 s on one core, at 32 channels. The learning rates, of both loops, and the temperature
# were chosen on validation characters; so were Meta-SGD's first rates: with the paper's, U[0.005, 0.1], it is slower.
SETTINGS = {
    "fine-tuning": Settings(1300, 1e-2, batch=64, scores={"learning_rate": 0.1, "steps": 5}),
    "Siamese": Settings(1200, 1e-2, batch=1, train_way=32, features="flatten",
                        objective={"negatives": "hardest", "margin": 10.0}),
    "Matching": Settings(800, 1e-2, batch=1, train_way=20, n_query=5,
                         objective={"temperature": 0.05}, scores={"temperature": 0.05}),
    "prototypical": Settings(800, 1e-2, batch=1, train_way=20, n_query=5),
    "MAML": Settings(480, 5e-3, batch=8, **inner_loop(1.0)),
    "first-order MAML": Settings(1000, 5e-3, batch=8, **inner_loop(0.4, first_order=True)),
    "ANIL": Settings(1000, 1e-2, batch=8, **inner_loop({"head": 2.0})),
    "Reptile": Settings(340, 1.0, batch=5, n_query=9, optimizer="sgd", schedule="linear",
                        objective={"inner_lr": 1.0, "inner_steps": 5, "inner_batch": 10},
                        scores={"learning_rate": 1.0, "steps": 5}),
    "Meta-SGD": Settings(460, 5e-3, batch=8, start={"low": 0.5, "high": 1.5}),
}

# ---------------------------------------------------------------- what a method is
#
# Lesson functions that do not have these arguments in this order are given a thin cover:
#     objective(network, params, batch, **settings.objective) -> scalar
#     scores(network, params, episode, statistics, **settings.scores) -> (T, N Q, N)


def maml_loss(network, params, episode, **inner):
    """Lesson 4's meta-objective, of the network's cross-entropy."""
    return maml_objective(partial(classification_loss, network), params, episode, **inner)


def reptile_loss(network, params, episode, **inner):
    """Lesson 3's: the squared distance to where fine-tuning ends."""
    return reptile_objective(partial(classification_loss, network), params, episode, **inner)


def meta_sgd_loss(network, params, episode):
    """Lesson 6's: MAML's with a learned rate per parameter."""
    return meta_sgd_objective(partial(classification_loss, network), params, episode)


def tuned_scores(network, params, episode, statistics, learning_rate, steps):
    """All weights fine-tuned on the support by plain gradient descent."""
    return fine_tuned_scores(network, Start(params, learning_rate), episode, statistics, steps)


def pretrained_scores(network, params, episode, statistics, learning_rate, steps):
    """The same with a new, empty head in place of the one for all training characters."""
    return tuned_scores(network, with_new_head(params, ways(episode)), episode, statistics, learning_rate, steps)


def random_start(network, n_way, rng):
    return network.init(rng)


def start_with_empty_head(network, n_way, rng):
    return with_new_head(network.init(rng), n_way)


def start_with_rates(network, n_way, rng, low, high):
    start = network.init(rng)
    return {"start": start, "rates": initial_rates(start, rng, low, high)}


def training_episodes(training, k_shot, n_way, settings, rng):
    """Episodes of the train way, or of as many classes and queries as there are."""
    n_way = min(settings.train_way or n_way, len(training))
    n_query = min(settings.n_query, max(1, min(map(len, training.images_of)) - k_shot))
    return sample_episodes(training, n_way, k_shot, n_query, settings.batch, rng)


def training_images(training, k_shot, n_way, settings, rng):
    """Pretraining knows no episodes: images of any character."""
    return sample_images(training, min(settings.batch, len(training.images)), rng)


class Method(NamedTuple):
    """A row of the comparison. head: what the network ends in: None, an embedding; "ways" or "characters", logits."""

    family: str
    objective: Any
    scores: Any
    head: str | None = None
    start: Any = random_start         # (network, n_way, rng, **settings.start) -> params
    sample: Any = training_episodes   # (training, k_shot, n_way, settings, rng) -> batch


METRIC, OPTIMISATION = "metric-based", "optimisation-based"
METHODS = {
    "fine-tuning": Method("pretraining", classification_objective, pretrained_scores, "characters",
                          sample=training_images),
    "Siamese": Method(METRIC, siamese_objective, siamese_scores),
    "Matching": Method(METRIC, matching_objective, matching_scores),
    "prototypical": Method(METRIC, prototypical_objective, prototypical_scores),
    "MAML": Method(OPTIMISATION, maml_loss, maml_scores, "ways"),
    "first-order MAML": Method(OPTIMISATION, maml_loss, maml_scores, "ways"),
    "ANIL": Method(OPTIMISATION, maml_loss, maml_scores, "ways"),
    "Reptile": Method(OPTIMISATION, reptile_loss, tuned_scores, "ways", start_with_empty_head),
    "Meta-SGD": Method(OPTIMISATION, meta_sgd_loss, meta_sgd_scores, "ways", start_with_rates),
}


class Learner(NamedTuple):
    """A trained method. scores(episode, statistics); what it cost: seconds, images read, parameters; its options."""

    family: str
    scores: Any
    seconds: float = 0.0
    images: int = 0
    parameters: int = 0
    options: dict | None = None


# ---------------------------------------------------------------- (1) train, or take what has been trained


def file_of(name):
    return f"{name.lower().replace(' ', '-')}.npz"


def training_options(options, settings, training):
    """All that decides what comes out of a training, as a dict; the images by a hash of their pixels and labels."""
    images = hashlib.sha256(training.images.tobytes() + training.labels.astype("int64").tobytes()).hexdigest()[:16]
    return {"data": str(options.data), "training images": images, "seed": options.seed, "n_way": options.n_way,
            "k_shot": options.k_shot, "channels": options.channels, **settings._asdict()}


def network_of(name, settings, options, training):
    outputs = {None: None, "ways": options.n_way, "characters": len(training)}[METHODS[name].head]
    return conv4(training.images.shape[1:], outputs, options.channels, down="stride", features=settings.features)


def learners_of(options, training, saved):
    """{name: Learner}: pixels, which learn nothing, and every method; those in `saved`, {name: (params, seconds)}, are
    taken as they are. All are written to options.out."""
    learners = {"pixels": Learner("nothing learned", partial(pixel_scores, None))}
    for name, method in METHODS.items():
        settings = at_effort(SETTINGS[name], options.effort)
        network = network_of(name, settings, options, training)
        sample = partial(method.sample, training, options.k_shot, options.n_way, settings)
        path = options.out / file_of(name)
        if name in saved:
            params, seconds = saved[name]
            save_params(path, params)
        else:
            params, seconds = train_method(method, settings, network, sample, options, path, name)
        learners[name] = Learner(
            method.family, partial(method.scores, network, params, **settings.scores or {}), seconds,
            settings.iterations * count_images(sample(np.random.default_rng(0))),
            sum(leaf.size for leaf in leaves(params)), training_options(options, settings, training))
    return learners


def train_method(method, settings, network, sample, options, path, name):
    """(params, seconds of one core). Each method has its own generator: what it draws does not depend on the others."""
    rng, started = np.random.default_rng(options.seed), time.process_time()
    params, _ = train(
        partial(method.objective, network, **settings.objective or {}),
        method.start(network, options.n_way, rng, **settings.start or {}),
        lambda: sample(rng), update=OPTIMIZERS[settings.optimizer],
        schedule=SCHEDULES[settings.schedule](settings.learning_rate, settings.iterations),
        iterations=settings.iterations, path=path, label=name)
    return params, time.process_time() - started


def at_effort(settings, effort):
    """The same with `effort` times the iterations, 1 or more."""
    return settings._replace(iterations=max(1, round(settings.iterations * effort)))


def count_images(batch):
    """Images in a batch: of episodes, or (images, labels)."""
    arrays = [batch.support_x, batch.query_x] if hasattr(batch, "support_x") else [batch[0]]
    return sum(array.size // int(np.prod(array.shape[-3:])) for array in arrays)


# ---------------------------------------------------------------- networks of an earlier run


def saved_networks(folder, options, training):
    """({name: (params, seconds)}, [why each other was not taken]) of an earlier run of this lesson in `folder`.

    A network is taken only if all that it was trained with is recorded to be what would be used now, and if its file
    is the one of which the record speaks. FileNotFoundError without a record, ValueError for one of another lesson.
    """
    path = Path(folder) / "record.json"
    if not path.is_file():
        raise FileNotFoundError(f"--from-runs {folder}: there is no record.json; name the folder of a finished run")
    record = read_record(path)
    if record["lesson"] != "lesson8_comparison":
        raise ValueError(f"--from-runs {folder} holds a run of {record['lesson']}, not of lesson8_comparison")
    taken, refused = {}, []
    for name in METHODS:
        there = record["metrics"].get("trainings", {}).get(name)
        here = training_options(options, at_effort(SETTINGS[name], options.effort), training)
        why = why_not(there, here, Path(folder) / file_of(name))
        if why:
            refused.append(f"{name}: {why}")
        else:
            taken[name] = load_params(Path(folder) / file_of(name)), there["seconds"]
    return taken, refused


def why_not(there, here, path):
    """Why a network is not taken, in words; empty if it may be."""
    if there is None:
        return "not in that run"
    options = there["options"]
    differing = [f"{key} {options.get(key)} there, {here.get(key)} here"
                 for key in [*here, *(options.keys() - here.keys())] if options.get(key) != here.get(key)]
    if differing:
        return "; ".join(differing)
    if not path.is_file():
        return f"there is no {path.name}"
    return "" if digest(path) == there["sha256"] else f"{path.name} is not the file that the record describes"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------- (2) test: the same episodes for all

MODES = {False: "statistics of the support", True: "statistics of all queries"}  # together with other queries?


def measure_accuracies(learners, options, test):
    """{(name, transductive): accuracy of each episode}."""
    rng = np.random.default_rng(options.seed + 1)

    def measure(episode):
        return {(name, mode): accuracies(learner.scores(episode, statistics_of(learner, mode)), episode.query_y)
                for name, learner in learners.items() for mode in MODES}

    return evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                    options.episodes, label="test episodes")


def statistics_of(learner, together):
    """What batch norm sees: the support, or the queries as well."""
    if not together:
        return "support"
    return "support and queries" if learner.family == METRIC else "queries"


def paired_differences(found):
    """{(a, b): (mean of a - b, half-width)} of the accuracies {name: (E,)} of all pairs on the same episodes."""
    return {(a, b): difference(found[a], found[b], paired=True) for a in found for b in found if a != b}


# the time that this process itself has worked; where that clock is too coarse (Windows), the time of day
CLOCK = time.process_time if time.get_clock_info("process_time").resolution < 1e-5 else time.perf_counter


def adaptation_milliseconds(learner, episode, repetitions=30):
    """From the support of one task to the answer to its first query: the shortest time, in milliseconds of one core.

    For some methods that is gradient steps, for others a forward pass. What takes longer than the shortest time was
    held up by something else that the computer did.
    """
    one = type(episode)(*(field[:1] for field in episode))
    one = one._replace(query_x=one.query_x[:, :1], query_y=one.query_y[:, :1], query_ids=one.query_ids[:, :1])
    times = []
    for _ in range(repetitions):
        started = CLOCK()
        learner.scores(one, "support")
        times.append(CLOCK() - started)
    return 1000 * min(times)


# ---------------------------------------------------------------- tables


def print_accuracies(found, pairs, order, options, test):
    """Print accuracies in both modes, what the second gains, and what each lacks to the best; returns metrics."""
    print(f"\n1. {options.n_way}-way {options.k_shot}-shot, the same {options.episodes} episodes for all: accuracy in "
          f"%, 95 % interval.\n   {len(test)} characters{group_phrase(test, options)} never seen, {options.n_query} "
          f"queries per class.\n   Guessing: {100 / options.n_way:.1f}. Differences are taken episode by episode. "
          "Batch norm sees\n\n"
          f"   {'':16}{'the support':>13}{'all queries':>16}{'difference':>14}{'minus the best':>17}\n"
          f"   {'':16}{'(inductive)':>13}{'(transductive)':>16}{'of the two':>14}{'(inductive)':>17}")
    metrics, best = {}, order[0]
    for name in order:
        both = [mean_confidence_interval(found[name, mode]) for mode in MODES]
        gain = difference(found[name, True], found[name, False], paired=True)
        lack = cell(*pairs[name, best], "+") if name != best else "the best"
        print(f"   {name:16}{cell(*both[0]):>13}{cell(*both[1]):>16}{cell(*gain, '+'):>14}{lack:>17}")
        metrics |= {f"{name}, {says}": as_metric(*number) for says, number in zip(MODES.values(), both, strict=True)}
        metrics[f"{name}, all queries minus the support"] = as_metric(*gain)
    return metrics | {f"{a} minus {b}": as_metric(*pairs[a, b])
                      for i, a in enumerate(order) for b in order[i + 1:]}


def as_metric(mean, interval):
    return {"mean": mean, "interval": interval}


def print_costs(learners, milliseconds, order):
    """Print what each method costs."""
    print("\n2. What it costs: seconds of one core and images read in training; milliseconds\n"
          "   for a new task, from its support to the first answer; parameters trained.\n\n"
          f"   {'':16}  {'family':18}{'training':>9}{'images':>10}{'a new task':>11}{'parameters':>11}")
    for name in order:
        learner = learners[name]
        print(f"   {name:16}  {learner.family:18}{learner.seconds:7.1f} s{learner.images:10,}"
              f"{milliseconds[name]:8.2f} ms{learner.parameters:11,}")


# ---------------------------------------------------------------- figures

LOOKS = dict(zip(["nothing learned", "pretraining", METRIC, OPTIMISATION],
                 [STYLES[6], STYLES[2], STYLES[0], STYLES[1]], strict=True))


def draw_scatter(learners, milliseconds, found, options):
    """Accuracy against the time that a new task takes; hollow: the same network, transductive."""
    figure, axes = new_figure(8, 5)
    means = {key: mean_confidence_interval(100 * values) for key, values in found.items()}
    seen = set()
    for name, learner in learners.items():
        look = {**LOOKS[learner.family], "linestyle": "none"}
        (mean, half), (also, _), x = means[name, False], means[name, True], milliseconds[name]
        axes.plot([x, x], [mean, also], color="#BBBBBB", linewidth=1, zorder=1)
        axes.plot(x, also, **look, fillstyle="none", zorder=2)
        axes.errorbar(x, mean, yerr=half, **look, capsize=3,
                      label="_" if learner.family in seen else learner.family)
        seen.add(learner.family)
    axes.set(xscale="log", xlabel="milliseconds for a new task, one core: its support, and the answer to a first query",
             ylabel=f"accuracy in %, with the 95 % interval (guessing: {100 / options.n_way:.0f})",
             title=f"{options.n_way}-way {options.k_shot}-shot; filled: inductive, hollow: transductive")
    axes.margins(x=0.15)
    points = {name: (milliseconds[name], means[name, False][0]) for name in learners}
    for name, height in label_heights(points, spacing=0.038 * np.ptp(axes.get_ylim())).items():
        axes.annotate(name, (points[name][0], height), xytext=(9, 0), textcoords="offset points", fontsize=8,
                      va="center")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure


def label_heights(points, spacing):
    """{name: y} beside its point (x, y) of a logarithmic x axis, higher where it would lie on a neighbour's label."""
    heights = {}
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1][1]):
        near = [heights[other] for other in heights if 0.45 < points[other][0] / x < 2.2]
        heights[name] = max([y, *(height + spacing for height in near)])
    return heights


def draw_matrix(found, pairs, order):
    """Row minus column of all pairs, on the same episodes; grey where the interval contains 0."""
    n = len(order)
    figure, axes = new_figure(9, 6.4)
    largest = max(abs(mean) for mean, _ in pairs.values()) or 1
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xticks=range(n), yticks=range(n), xticklabels=order,
             yticklabels=order)
    for row, a in enumerate(order):
        mean, half = mean_confidence_interval(100 * found[a, False])
        axes.text(row, row, f"{mean:.1f}\n±{half:.1f}", ha="center", va="center", fontsize=8, fontweight="bold")
        for column, b in enumerate(order[:row]):
            mean, half = pairs[a, b]
            clear = abs(mean) > half
            color = (*_rgb(STYLES[1]["color"]), 0.15 + 0.7 * abs(mean) / largest) if clear else "#EEEEEE"
            axes.fill_between([column - 0.48, column + 0.48], row - 0.48, row + 0.48, color=color, linewidth=0)
            axes.text(column, row, f"{100 * mean:+.1f}\n±{100 * half:.1f}", ha="center", va="center", fontsize=8,
                      color=BLACK if clear else "#777777")
    axes.tick_params(axis="x", rotation=35, length=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Accuracy (diagonal), and row minus column on the same episodes, in points with the 95 % interval.\n"
                   "Grey: the interval contains 0. Of 45 pairs that are alike, it would miss 0 in about two by chance",
                   fontsize=9)
    return figure


def _rgb(color):
    return tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))


# ---------------------------------------------------------------- all of it


def own_options():
    """The options of this lesson alone, as a parser to be added to others."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--from-runs", metavar="FOLDER",
                        help="take what an earlier run saved there, if it was trained as it would be now")
    return parser


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if any(word.split("=")[0] == "--protocol" for word in argv):
        lesson8_protocols.main(METHODS, argv)
        return
    options = parse_options(
        "lesson8_comparison", "Every method of the course on the same episodes. --effort 5 trains each five times as "
        "long. --protocol finn measures one method as the papers do, with options of its own: --protocol finn --help.",
        {"n_way": 5, "k_shot": 1, "n_query": 10, "channels": 32, "episodes": 600, "effort": 1.0},
        quick={"effort": 0.01, "episodes": 40, "channels": 16, "n_query": 5},
        full={"effort": 100.0, "channels": 64, "episodes": 1000}, argv=argv, parents=[own_options()])
    started = time.perf_counter()
    training, _, test = load_splits(options)
    refuse_the_impossible(options, training, test)
    print(f"Ten ways to learn {options.n_way} new characters from {options.k_shot} example(s) of each: which of\n"
          "them is right most often, how sure is that, and what does each cost?")
    saved, refused = saved_networks(options.from_runs, options, training) if options.from_runs else ({}, [])
    print_saved(options.from_runs, saved, refused)
    learners = learners_of(options, training, saved)
    found = measure_accuracies(learners, options, test)
    inductive = {name: found[name, False] for name in learners}
    order = sorted(learners, key=lambda name: -inductive[name].mean())
    pairs = paired_differences(inductive)
    metrics = print_accuracies(found, pairs, order, options, test)
    episode = sample_episodes(test, options.n_way, options.k_shot, 1, 1, np.random.default_rng(options.seed))
    milliseconds = {name: adaptation_milliseconds(learner, episode) for name, learner in learners.items()}
    print_costs(learners, milliseconds, order)
    pictures = [save_figure(draw_scatter(learners, milliseconds, found, options), options.out / "scatter.png"),
                save_figure(draw_matrix(found, pairs, order), options.out / "differences.png")]
    metrics |= {"costs": as_costs(learners, milliseconds), "trainings": as_trainings(learners, options)}
    record = write_record(options.out, "lesson8_comparison", options, time.perf_counter() - started, metrics)
    networks = [options.out / file_of(name) for name in METHODS]
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, *networks, record])
          + "\nNext:    longer training, --effort 5; or more episodes for these networks: the\n"
          f"         same command with --episodes 2000 --from-runs {options.out}")


def refuse_the_impossible(options, training, test):
    """ValueError now, and not after the training, where the data cannot give what will be drawn."""
    sample_episodes(test, options.n_way, options.k_shot, options.n_query, 1, np.random.default_rng(0))
    for name, method in METHODS.items():
        method.sample(training, options.k_shot, options.n_way, SETTINGS[name]._replace(batch=1),
                      np.random.default_rng(0))


def print_saved(folder, saved, refused):
    if saved:
        print(f"Taken from {folder}: {', '.join(saved)}.")
    for reason in refused:
        print(f"Trained anew, not taken from {folder}:\n  {reason}")


def as_costs(learners, milliseconds):
    return {name: {"family": learner.family, "training seconds": round(learner.seconds, 2), "images": learner.images,
                   "adaptation milliseconds": round(milliseconds[name], 3), "parameters": learner.parameters}
            for name, learner in learners.items()}


def as_trainings(learners, options):
    """What --from-runs will compare: of each network its options, its file's hash, and the seconds that it took."""
    return {name: {"options": learners[name].options, "seconds": round(learners[name].seconds, 2),
                   "sha256": digest(options.out / file_of(name))} for name in METHODS}


if __name__ == "__main__":
    run(main)
