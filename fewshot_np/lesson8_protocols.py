"""Lesson 8, second part: the papers' protocols. How were the published numbers measured, and what comes out here?

"98.7 % on Omniglot" means nothing without the protocol. Two are in use, and they are far apart:

  finn   1,623 characters of 50 alphabets, shuffled: 1,200 to learn from (100 of them to choose the model by), 423 for
         the test; every character in four rotations, each a class of its own, in training and in the test. The 5 or 20
         classes of an episode come from anywhere, so most look nothing like each other.
  lake   20 characters of *one* alphabet, which the learner has never seen, one drawing of each, and one new drawing of
         each by another hand: the 20 official runs of Lake, Salakhutdinov & Tenenbaum (2015), which people get 4.5 %
         wrong. Learned from the 30 background alphabets, or from a minimal set of 5.

Two more measurements belong to the table. `sinusoids`: Finn's curves at his settings. `worlds`: learned from printed
characters, tested on handwritten ones, and the other way round; nothing is learned in the other world.

A row of the table is one method, one task, one seed. It leaves a folder with its record and, where something was
trained, its learning curve, its best network on validation, and the last with all that --resume needs. Without
--method all rows of a protocol are run. A row that has its record is not run again.

    python -m fewshot_np.lesson8_comparison --protocol finn --method prototypical --data-root FOLDER
"""

import argparse
import os
import platform
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from PIL import Image

from fewshot_np.data import omniglot
from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import load_splits, split_classes
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_learning_curve, save_figure
from fewshot_np.experiment.options import parse_options
from fewshot_np.experiment.records import load_params, read_record, save_params, write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import Episode, accuracies, as_metric, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson4_maml import (
    adapt,
    adapted_after,
    joint_objective,
    maml_objective,
    sample_sinusoids,
    squared_error,
)
from fewshot_np.lesson8_variants import variants
from fewshot_np.nn.networks import Network, conv4, mlp
from fewshot_np.nn.optimizers import adam, constant, cosine_decay, linear_decay, sgd

# ---------------------------------------------------------------- how a row is trained


class Row(NamedTuple):
    """How one method is trained for one task. batch: tasks per iteration; train_way, n_query: of a training episode.

    start, objective, scores: what the method's functions take besides. n_query_test: queries per class of a test
    episode. distorted: each training image is another one each time, see `distort`.
    """

    iterations: int
    learning_rate: float
    batch: int
    train_way: int | None = None      # None: as in the test
    n_query: int = 1
    n_query_test: int = 15
    down: str = "stride"              # the papers on metrics take "pool", here two to three times as slow
    features: str = "flatten"
    optimizer: str = "adam"
    distorted: bool = False
    start: dict = {}                  # noqa: RUF012  (never changed)
    objective: dict = {}              # noqa: RUF012
    scores: dict = {}                 # noqa: RUF012


def maml_row(iterations, inner_lr=2.0, test_lr=1.0, batch=16, **more):
    """MAML's network on Omniglot: stride 2, features averaged over the last map; as many queries as supports.

    One step in training; ten in the test, at test_lr, which was chosen on validation characters: for MAML and ANIL half
    the rate of the training, for first-order MAML the same. See `best_later_rate`. The loss is a mean over the
    support, so that the same step for each class takes a larger rate at 20 ways; 8.0 and 4.0 are chosen like test_lr.
    """
    return Row(iterations, 3e-3, batch, n_query_test=1, features="mean",
               objective={"inner_lr": inner_lr, "steps": 1, **more}, scores={"inner_lr": test_lr, "steps": 10})


FINN = {  # (method, n_way, k_shot); on one free core up to 40 minutes each, MAML at 20 ways up to 2 hours
    ("MAML", 5, 1): maml_row(18000),
    ("first-order MAML", 5, 1): maml_row(16000, 0.8, 0.8, first_order=True),  # with MAML's rates it learns less
    ("ANIL", 5, 1): maml_row(14000, {"head": 2.0}, {"head": 1.0}),
    ("Meta-SGD", 5, 1): Row(9000, 3e-3, 16, n_query_test=1, features="mean", start={"low": 1.0, "high": 3.0}),
    ("Reptile", 5, 1): Row(20000, 1.0, 5, n_query=9, n_query_test=1, features="mean", optimizer="sgd",
                           objective={"inner_lr": 2.0, "inner_steps": 5, "inner_batch": 10},
                           scores={"learning_rate": 1.0, "steps": 20}),
    ("Matching", 5, 1): Row(10000, 3e-3, 1, train_way=60, n_query=5, objective={"temperature": 0.1},
                            scores={"temperature": 0.1}),
    ("Siamese", 5, 1): Row(10000, 3e-3, 1, train_way=60, n_query=2,
                           objective={"negatives": "hardest", "margin": 10.0}),
    ("extended MAML", 5, 1): Row(6000, 3e-3, 16, n_query_test=1, features="mean", distorted=True,
                                  start={"steps": 3, "inner_lr": 1.0}),
    ("MAML", 5, 5): maml_row(11000, batch=8)._replace(n_query=5, n_query_test=5),
    ("MAML", 20, 1): maml_row(48000, 8.0, 2.0, batch=8),
    ("MAML", 20, 5): maml_row(14000, 4.0, 2.0, batch=4)._replace(n_query=2, n_query_test=5),
    **{(method, n_way, k_shot): Row(iterations, 3e-3, 1, train_way=60, n_query=5, **more)
       for method, k_shot, iterations, more in (
           ("prototypical", 1, 10000, {}), ("prototypical", 5, 4000, {}),
           ("extended prototypical", 1, 20000, {"distorted": True, "scores": {"rounds": 5}}))
       for n_way in (5, 20)},  # one training serves both
}
LAKE = {  # (method, learned from); the first two learn nothing
    ("modified Hausdorff", "background"): None,
    ("pixels", "background"): None,
    **{(method, background): Row(12000, 3e-3, 1, train_way=20, n_query=5, distorted=True, **more)
       for method, more in (("prototypical", {}), ("extended prototypical", {"scores": {"rounds": 5}}),
                            ("Siamese", {"objective": {"negatives": "hardest", "margin": 10.0}}))
       for background in ("background", "small1", "small2")},
}
SINUSOIDS = {(name,): Row(70000, 1e-3, 25, n_query=10) for name in ("MAML", "pretraining")}
WORLDS = {("prototypical", world): Row(6000, 3e-3, 1, train_way=60, n_query=5)
          for world in ("glyphs", "omniglot")}
OPTIMIZERS = {"adam": (adam, cosine_decay), "sgd": (sgd, linear_decay)}

# ---------------------------------------------------------------- finn: characters from anywhere


def finn_splits(root, seed=0):
    """1,100, 100 and 423 characters of all 50 alphabets, each in four rotations that are classes of their own."""
    parts = split_classes(omniglot.load(root), [1100, 100, 423], np.random.default_rng(seed))
    return [omniglot.with_rotations(part) for part in parts]


def with_reference(network, reference):
    """The network with batch statistics from the images `reference` (R,H,W,C) alone, whatever it is applied to.

    That is what running averages stand for: the answer to a query depends on no other image of its episode, not even
    on the support.
    """
    return Network(network.init, partial(_apply_with_reference, network.apply, reference))


def _apply_with_reference(apply, reference, params, x, n_reference=None):
    images = np.concatenate([reference, x.reshape(-1, *x.shape[-3:])])
    features = apply(params, images, n_reference=len(reference))[len(reference):]
    return features.reshape(*x.shape[:-3], -1)


def modes_of(method, row, network, params, reference):
    """{where batch statistics come from: scores(episode)}; from training images where no weights are adapted."""
    modes = {"the support": partial(method.scores, network, params, statistics="support", **row.scores),
             "all queries": partial(method.scores, network, params, **row.scores,
                                    statistics="queries" if method.head else "support and queries")}
    if method.head is None:
        fixed = with_reference(network, reference)
        modes["training images"] = partial(method.scores, fixed, params, statistics="support", **row.scores)
    return modes


def run_finn(options, method, row, folder):
    """Train one row, choose its network on the validation characters, test it once; the metrics, and the curve."""
    trained = network_of(options, row) if options.network else None
    training, validation, test = finn_splits(options.data_root)
    network = conv4(outputs=None if method.head is None else options.n_way, down=row.down, features=row.features)
    rng = np.random.default_rng(options.seed)
    reference = sample_reference(training, rng)
    episodes = validation_episodes(validation, options.n_way, options.k_shot, min(5, row.n_query_test))

    params, history = trained or train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        lambda: sample_training(training, row, options.n_way, options.k_shot, rng))
    found = accuracies_on(test, modes_of(method, row, network, params, reference), options.n_way, options.k_shot,
                          row.n_query_test, options.episodes)
    return {f"accuracy, statistics of {mode}": as_metric(values) for mode, values in found.items()}, history


def validation_episodes(classes, n_way, k_shot, n_query):
    """100 tasks, in 25 episodes, always the same."""
    same = np.random.default_rng(1)
    return [sample_episodes(classes, n_way, k_shot, n_query, 4, same) for _ in range(25)]


def mean_accuracy(method, row, network, reference, episodes, params):
    """Over all episodes, a number to choose a network by: with the statistics of training images, or of all queries
    where the method has no such mode."""
    scores = list(modes_of(method, row, network, params, reference).values())[-1]
    return np.mean([accuracies(scores(each), each.query_y) for each in episodes])


def accuracies_on(test, modes, n_way, k_shot, n_query, n_episodes, label="testing"):
    """{mode: accuracy of each episode} on the classes `test`: the same episodes for all modes, and for all rows of the
    same ways, shots and queries."""
    rng = np.random.default_rng(2)
    return evaluate(lambda episode: {mode: accuracies(scores(episode), episode.query_y)
                                     for mode, scores in modes.items()},
                    lambda n: sample_episodes(test, n_way, k_shot, n_query, n, rng), n_episodes,
                    batch=4, label=label)  # more images at once would not fit the processor's cache


def sample_reference(classes, rng, n_images=200):
    """Images (R,H,W,C) that batch statistics are taken from, see `with_reference`."""
    return to_float(classes.images[rng.choice(len(classes.images), n_images, replace=False)])


def sample_training(training, row, n_way, k_shot, rng):
    """The episodes of one iteration: of the row's train way, or of n_way."""
    episode = sample_episodes(training, row.train_way or n_way, k_shot, row.n_query, row.batch, rng)
    if not row.distorted:
        return episode
    return episode._replace(support_x=distort(episode.support_x, rng), query_x=distort(episode.query_x, rng))


# ---------------------------------------------------------------- one network, tested in several rows


def training_of(row, options):
    """All that decides what a training results in, of a row and its options, both dicts.

    A network with a train way of its own does not depend on the test's, and the extended prototypical network is one
    that is tested otherwise.
    """
    names = {*Row._fields} - {"n_query_test", "scores"}
    ways = {} if row["train_way"] else {"n_way": options["n_way"]}
    return {**{name: row[name] for name in names}, **ways,
            **{name: options[name] for name in ("protocol", "background", "k_shot", "seed", "effort")},
            "method": options["method"].replace("extended prototypical", "prototypical")}


def network_of(options, row):
    """(parameters, history without losses) of the run in the folder options.network.

    ValueError where that network was not trained exactly as this row's would be, or is not the one of its record.
    """
    record = read_record(options.network / "record.json")
    theirs = record["metrics"].get("row")
    if not theirs:
        raise ValueError(f"--network {options.network} holds no row of a protocol")
    there = training_of({**Row._field_defaults, **theirs}, record["options"])
    here = training_of(row._asdict(), vars(options))
    if differing := sorted(name for name in here if here[name] != there.get(name)):
        raise ValueError(f"--network {options.network} was trained otherwise: {', '.join(differing)}")
    best = load_params(options.network / "best.npz")
    if float(best["value"]) != max(value for _, value in theirs["validation"]):
        raise ValueError(f"--network {options.network}: its best.npz is not the network of its record")
    return best["params"], {"seconds": theirs["training seconds"], "validation": theirs["validation"],
                            "commit": theirs.get("training commit", record["commit"])}


# ---------------------------------------------------------------- training, and the choice of a network


def train_row(options, method, row, network, rng, folder, validate, sample):
    """(the parameters that were best on validation, history); both files are in `folder`."""
    update, decay = OPTIMIZERS[row.optimizer]
    iterations = max(1, round(row.iterations * options.effort))
    best = folder / "best.npz"
    if not (options.resume and (folder / "last.npz").exists()):
        best.unlink(missing_ok=True)
    _, history = train(
        partial(method.objective, network, **row.objective), method.start(network, options.n_way, rng, **row.start),
        sample, update=update, schedule=decay(row.learning_rate, iterations), iterations=iterations,
        path=folder / "last.npz", label=options.method, validate=partial(keep_best, best, validate),
        validate_every=iterations if options.quick else max(1, iterations // 15), rng=rng, options=options,
        workers=options.workers)
    return load_params(best)["params"], history


def keep_best(path, measure, params):
    """measure(params); if nothing before was better, these parameters are now those in the file `path`."""
    value = float(measure(params))
    if not path.exists() or value >= float(load_params(path)["value"]):
        save_params(path, {"params": params, "value": np.array(value)})
    return value


# ---------------------------------------------------------------- lake: one alphabet at a time


def modified_hausdorff(a, b):
    """The modified Hausdorff distance of two sets of points, each (points, 2). Dubuisson & Jain 1994.

    From each point of one to the nearest of the other, on average; the larger of the two directions.
    """
    apart = np.sqrt(np.maximum(np.sum(a * a, 1)[:, None] + np.sum(b * b, 1) - 2 * a @ b.T, 0))  # each a, each b
    return max(apart.min(axis=1).mean(), apart.min(axis=0).mean())


def ink_points(image):
    """Where the ink of an image (H,W,1) uint8 is: (points, 2), the mean moved to 0, as in Lake's demonstration."""
    points = np.argwhere(image[..., 0] > 127).astype(float)
    return points - points.mean(axis=0)


def hausdorff_errors(runs):
    """The share of the 20 test images of each run (105 x 105) whose nearest training image is of another character."""
    errors = []
    for one in runs:
        support, query = ([ink_points(image) for image in images] for images in one[:2])
        nearest = [np.argmin([modified_hausdorff(q, s) for s in support]) for q in query]
        errors.append(np.mean(nearest != one.test_labels))
    return np.array(errors)


def as_episode(runs):
    """The 20 runs as an Episode of 20 tasks, 20-way 1-shot, one query per class."""
    support, query = (to_float(np.stack([getattr(one, name) for one in runs]))
                      for name in ("train_images", "test_images"))
    return Episode(support, np.tile(np.arange(20), (len(runs), 1)), query, np.stack([one.test_labels for one in runs]),
                   None, None)


def alphabets(classes):
    """Each alphabet of the classes upright, and turned by 90, 180 and 270 degrees: a list of ImageClasses."""
    turned = omniglot.with_rotations(classes)
    parts = [(group, turn) for group in dict.fromkeys(classes.groups) for turn in range(4)]
    n = len(classes)
    return [turned.subset([turn * n + k for k in range(n) if classes.groups[k] == group]) for group, turn in parts]


def sample_within(parts, row, rng):
    """Episodes of one alphabet, which is drawn by its number of characters.

    As many ways as the row says, or as the alphabet has characters.
    """
    sizes = np.array([len(part) for part in parts])
    part = parts[rng.choice(len(parts), p=sizes / sizes.sum())]
    ways = min(row.train_way, len(part))
    return sample_training(part, row._replace(train_way=None), ways, 1, rng)


def distort(images, rng):
    """Each image (...,H,W,1) by an affine map of its own, as Koch et al. 2015: each of these with probability one half,
    rotation by up to 10 degrees, shear by up to 0.3, scale 0.8 to 1.2, shift by up to 2 pixels, both ways."""
    flat = images.reshape(-1, *images.shape[-3:-1])

    def either(low, high, neutral):
        return np.where(rng.random((len(flat), 2)) < 0.5, rng.uniform(low, high, (len(flat), 2)), neutral)

    angle, shear, scale, shift = (either(-10, 10, 0), either(-0.3, 0.3, 0), either(0.8, 1.2, 1), either(-2, 2, 0))
    return np.stack([_affine(*each) for each in zip(flat, np.deg2rad(angle[:, 0]), shear, scale, shift, strict=True)]
                    ).reshape(images.shape)


def _affine(image, angle, shear, scale, shift):
    """One image (H,W) float32 under scale, then shear, then rotation, about its centre, and a shift; bilinear."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(rotation @ np.array([[1, shear[0]], [shear[1], 1]]) @ np.diag(scale))
    centre = np.array(image.shape[::-1]) / 2
    offset = centre - back @ (centre + shift)
    coefficients = (*back[0], offset[0], *back[1], offset[1])
    return np.asarray(Image.fromarray(image).transform(image.shape[::-1], Image.Transform.AFFINE, coefficients,
                                                       Image.Resampling.BILINEAR))


def run_lake(options, method, row, folder):
    """The error on the 20 runs of one row; nothing of their alphabets is trained on."""
    if options.method == "modified Hausdorff":
        return {"error": as_metric(hausdorff_errors(omniglot.load_runs(options.data_root, size=105)))}, None
    runs = omniglot.load_runs(options.data_root, size=105 if options.method == "pixels" else 28)
    episode = as_episode(runs)
    if options.method == "pixels":
        return {"error": as_metric(1 - accuracies(pixel_scores(None, episode), episode.query_y))}, None
    trained = network_of(options, row) if options.network else None
    classes = omniglot.load(options.data_root, options.background)
    rng = np.random.default_rng(options.seed)
    training = alphabets(classes)
    network = conv4(outputs=None, down=row.down, features=row.features)
    reference = sample_reference(classes, rng)

    same = np.random.default_rng(1)  # there are no other alphabets to choose by: new episodes of the same
    episodes = [sample_within(training, row, same) for _ in range(10)]
    params, history = trained or train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        lambda: sample_within(training, row, rng))
    return {f"error, statistics of {mode}": as_metric(1 - accuracies(scores(episode), episode.query_y))
            for mode, scores in modes_of(method, row, network, params, reference).items()}, history


# ---------------------------------------------------------------- worlds: printed and handwritten


def run_worlds(options, method, row, folder):
    """Learn from one world, be tested on the test characters of both."""
    worlds = {name: load_splits(SimpleNamespace(data=name, data_root=options.data_root, seed=0, quick=False))
              for name in ("glyphs", "omniglot")}
    training, validation, _ = worlds[options.background]
    network = conv4(outputs=None, down=row.down, features=row.features)
    rng = np.random.default_rng(options.seed)
    reference = sample_reference(training, rng)
    episodes = validation_episodes(validation, 5, 1, 5)

    params, history = train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        lambda: sample_training(training, row, 5, 1, rng))
    modes = modes_of(method, row, network, params, reference) | {"pixels": partial(pixel_scores, None)}
    metrics = {}
    for name, (*_, test) in worlds.items():
        found = accuracies_on(test, modes, 5, 1, 15, options.episodes, label=f"test on {name}")
        metrics |= {f"accuracy on {name}, {'' if mode == 'pixels' else 'statistics of '}{mode}": as_metric(values)
                    for mode, values in found.items()}
    return metrics, history


# ---------------------------------------------------------------- sinusoids: Finn's settings


def run_sinusoids(options, method, row, folder):
    """Train with one step on 10 points; test with 0, 1, 5 and 10 steps on 5 points and on 10: mean and median error.

    All steps at one rate, as published; and with a rate of their own for those after the first.
    """
    network, rng = mlp([1, 40, 40, 1]), np.random.default_rng(options.seed)
    loss, inner_lr = partial(squared_error, network), 0.01
    objective = (partial(joint_objective, loss) if options.method == "pretraining"
                 else partial(maml_objective, loss, inner_lr=inner_lr, steps=1))
    iterations = max(1, round(row.iterations * options.effort))
    params, history = train(objective, network.init(rng), partial(sample_sinusoids, 10, row.n_query, row.batch, rng),
                            update=adam, schedule=constant(row.learning_rate), iterations=iterations,
                            path=folder / "last.npz", label=options.method, rng=rng, options=options)
    later, metrics = best_later_rate(loss, params, inner_lr, 5 * options.episodes), {}
    for k_shot in (5, 10):
        tasks = sample_sinusoids(k_shot, 100, options.episodes, np.random.default_rng(2))
        for rate, which in sorted({later: f", the later ones at {later:g}", inner_lr: ""}.items(), reverse=True):
            for steps, errors in errors_after(loss, params, tasks, inner_lr, rate):
                if steps > 1 or rate == inner_lr:
                    metrics[f"error from {k_shot} points, {steps} steps{which}"] = as_metric(errors) | {
                        "median": np.median(np.where(np.isnan(errors), np.inf, errors))}  # NaN: it diverged
    return metrics, history


def errors_after(loss, params, tasks, inner_lr, later_lr):
    """Yield (steps, squared error of each task) after 0, 1, 5 and 10 steps: the first at inner_lr, the others not."""
    with np.errstate(over="ignore", invalid="ignore"):  # a task may diverge
        for steps, adapted in adapted_after(loss, params, tasks, inner_lr, (0, 1)):
            yield steps, loss(adapted, tasks.query_x, tasks.query_y)
        for done, steps in ((1, 5), (5, 10)):
            adapted = adapt(loss, adapted, tasks.support_x, tasks.support_y, later_lr, steps - done)
            yield steps, loss(adapted, tasks.query_x, tasks.query_y)


def best_later_rate(loss, params, inner_lr, n_tasks):
    """The rate of the steps after the first with the smallest mean error after 5 steps from 5 points, on other tasks.

    MAML makes its one step as long as it can: the training shapes the loss for it. Nothing there asks whether a second
    of that length still goes down, and on some tasks it does not.
    """
    tasks = sample_sinusoids(5, 100, n_tasks, np.random.default_rng(1))

    def error(rate):
        after = errors_after(loss, params, tasks, inner_lr, rate)
        return np.nan_to_num(np.mean(next(errors for steps, errors in after if steps == 5)), nan=np.inf)
    return min((share * inner_lr for share in (1, 0.5, 0.4, 0.3, 0.2)), key=error)


# ---------------------------------------------------------------- one row after the other

TABLES = {"finn": FINN, "lake": LAKE, "sinusoids": SINUSOIDS, "worlds": WORLDS}
PROTOCOLS = {"finn": run_finn, "lake": run_lake, "sinusoids": run_sinusoids, "worlds": run_worlds}
KEYS = {"finn": ("method", "n_way", "k_shot"), "lake": ("method", "background"), "sinusoids": ("method",),
        "worlds": ("method", "background")}  # the options that tell the rows of a table apart


def main(methods, argv=None):
    """methods: {name: lesson8_comparison.Method}, the plain ones."""
    names = {key[0] for table in TABLES.values() for key in table}
    options = parse_options(
        "lesson8_comparison", "The rows of the table of results: --protocol, --method, a task and a seed. Without "
        "--method all rows of the protocol, one after the other, but for those that have their record.",
        {"protocol": "finn", "method": "all", "n_way": 5, "k_shot": 1, "background": "background",
         "episodes": 1000, "effort": 1.0, "workers": 1, "resume": False},
        quick={"effort": 0.0005, "episodes": 12}, full={},
        choices={"protocol": tuple(TABLES), "method": ("all", *sorted(names)),
                 "background": ("background", "small1", "small2", "glyphs", "omniglot")},
        argv=argv, parents=[of_networks()])
    options.data = "omniglot" if options.protocol in ("finn", "lake") else None  # whatever was said: the protocol's
    options.network = options.network and Path(options.network)
    if options.network and (options.protocol not in ("finn", "lake") or options.method == "all"):
        raise ValueError("--network is for one row of the protocols finn and lake")
    if options.full:
        raise ValueError("--full: the rows of the protocols have their full length already")
    methods = methods | variants(methods)
    rows = [options] if options.method != "all" else [
        with_key(options, key) for key in TABLES[options.protocol]]
    for one in rows:
        if has_record(one) and not one.network and (options.method == "all" or not one.resume):
            print(f"There is {folder_of(one)} already.\n")
            continue
        if options.method == "all":
            one.network = sibling_of(one)
        run_row(one, methods)
        print()


def run_row(options, methods):
    """Train and test one row; print it, and leave its record and its learning curve in its folder."""
    started, row, task, folder = time.perf_counter(), find_row(options), task_of(options), folder_of(options)
    folder.mkdir(exist_ok=True)
    print(f"{options.method}, {task}, after the protocol {options.protocol}:\n"
          "how good is it, measured as in the papers?\n")
    metrics, history = PROTOCOLS[options.protocol](options, methods.get(options.method), row, folder)
    scale, unit = (1, "") if options.protocol == "sinusoids" else (100, " %")
    for name, metric in metrics.items():
        print(f"   {name:55}{scale * metric['mean']:8.2f} ± {scale * metric['interval']:.2f}{unit}")
    metrics["row"] = {"task": task, **(row._asdict() if row else {}),
                      "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    if history:
        metrics["row"] |= {"training seconds": round(history["seconds"], 1), "validation": history["validation"]}
        if "loss" in history:
            save_figure(draw_learning_curve(history, f"{options.method}, {task}"), folder / "learning_curve.png")
        else:
            metrics["row"]["training commit"] = history["commit"]
    options.network = options.network and options.network.name  # in the record: which run, not where on this machine
    print(f"\nWritten: {write_record(folder, 'lesson8_comparison', options, time.perf_counter() - started, metrics)}")


def of_networks():
    """The option --network, as a parser to be added to others."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--network", metavar="FOLDER", help="test the network of this run instead of training: for a "
                        "row that differs from it in the test alone, above all in its ways (protocols finn, lake)")
    return parser


def with_key(options, key):
    """The options of the row `key` of the table."""
    return SimpleNamespace(**vars(options) | dict(zip(KEYS[options.protocol], key, strict=True)))


def task_of(options):
    if options.protocol == "finn":
        return f"{options.n_way}-way {options.k_shot}-shot"
    return "curves" if options.protocol == "sinusoids" else options.background


def folder_of(options):
    name = f"{options.protocol} {options.method} {task_of(options)} seed{options.seed}"
    return options.out / name.replace(" ", "-")


def find_row(options):
    """The Row that the options ask for, None for a method that is not trained; ValueError where there is none."""
    table, names = TABLES[options.protocol], KEYS[options.protocol]
    key = tuple(getattr(options, name) for name in names)
    if key not in table:
        rows = [" ".join(f"--{name.replace('_', '-')} {value!r}" for name, value in zip(names, row, strict=True))
                for row in (key, *table)]
        raise ValueError(f"the protocol {options.protocol} has no row {rows[0]}; its rows are\n  "
                         + "\n  ".join(rows[1:]))
    return table[key]


def has_record(options):
    """Is the row there? ValueError where it is, but of another length."""
    path = folder_of(options) / "record.json"
    if not path.is_file():
        return False
    there = read_record(path)["options"]
    for name in ("quick", "effort", "episodes"):
        if there[name] != getattr(options, name):
            raise ValueError(f"{path.parent} holds this row with {name} {there[name]}, not {getattr(options, name)}; "
                             "choose another --out")
    return True


def sibling_of(options):
    """The folder of a row that is there and has the network that this one would train; None where there is none."""
    row = find_row(options)
    for key, other in TABLES[options.protocol].items():
        one = with_key(options, key)
        if (row and other and training_of(row._asdict(), vars(options)) == training_of(other._asdict(), vars(one))
                and has_record(one) and (folder_of(one) / "best.npz").is_file()):
            return folder_of(one)
    return None
