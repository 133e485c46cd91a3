"""The model on the disk (not a page): saved, found again, or trained first where there is none yet."""

import hashlib
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np

from fewshot_np.data.cache import cache_folder
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.records import check_replaceable, load_params, save_params, when_there_is_space
from fewshot_np.experiment.report import refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson4_siamese import DRAWS, balanced_pairs
from fewshot_np.lesson5_project.calibration import Model, make_model
from fewshot_np.lesson5_project.network import siamese_network
from fewshot_np.lesson5_project.rewired import objective
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import leaves, tree_map

REWIRED = "rewired"
READING = "fitted"      # how images are read, in training and in use: `folders.read_image(fitted=True)`
VERSION = 1             # of the training; raise it when a change alters the model that the same options train
TRAINED_BY = ("data", "data_root", "quick", "seed", "n_way", "train_way", "iterations", "learning_rate", "pairs")


class _OtherReading(Exception):
    """The model is of images that were read in another way."""


def find_model(options):
    """The model that --model names, that a run has left in --out, or that these options have trained before, in
    whatever folder; where there is none it is trained and saved."""
    for path in [model_path(options)] if options.model else [model_path(options), kept_path(options)]:
        if path.exists():
            print(f"The model: {path}")
            return load_model(path)
    splits = load_splits(options, fitted=True)
    refuse_what_cannot_be_drawn(options, *splits)
    print(f"There is no model {path} yet, so one is trained first. This is done once.\n")
    return train_model(options, *splits[:2])


def train_model(options, training, validation):
    """Train the rewired network, calibrate it, choose its threshold, and save the Model."""
    check_replaceable(model_path(options))
    params = train_wiring(options, objective, training, options.iterations, REWIRED)
    model = make_model(params, validation, options.pairs, np.random.default_rng(options.seed))
    when_there_is_space(partial(save_model, model_path(options), model))
    if not options.model:
        try:
            save_model(kept_path(options), model)
        except OSError as error:
            warnings.warn(f"{kept_path(options)} cannot be written ({error.strerror}): the model is in "
                          f"{model_path(options)} alone", stacklevel=2)
    return model


def kept_path(options):
    """The one place of the model that these options train, whatever folder one works in."""
    what = {name: getattr(options, name) for name in TRAINED_BY} | {"reading": READING, "version": VERSION}
    folder = Path(options.data).expanduser()
    if options.data not in ("glyphs", "omniglot") and folder.is_dir():
        files = [file.stat() for file in folder.rglob("*")]
        what |= {"data": str(folder.resolve()), "files": len(files), "newest": max(file.st_mtime_ns for file in files)}
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    return cache_folder() / "lesson5_project" / f"{folder.name}-{key}.npz"


def train_wiring(options, loss, classes, iterations, name):
    """The trained parameters; whatever the loss, they start from the same ones and see the same episodes."""
    rng = np.random.default_rng(options.seed)
    n_way = min(options.train_way, len(classes))
    params, _ = train(loss, siamese_network(classes.images.shape[1:]).init(rng),
                      partial(sample_episodes, classes, n_way, 1, 1, 1, rng), update=adam,
                      schedule=cosine_decay(options.learning_rate, iterations), iterations=iterations,
                      path=options.out / f"{name.replace(' ', '-')}.npz", label=name, rng=rng, options=options)
    return params


def refuse_what_cannot_be_drawn(options, training, validation, test):
    """Raises: ValueError now, and not after the training, where the data cannot give what will be drawn."""
    if options.pairs < 2 * DRAWS:
        raise ValueError(f"--pairs must be {2 * DRAWS} or more, got {options.pairs}")
    refuse_impossible(partial(sample_episodes, training, 2, 1, 1, 1),
                      partial(balanced_pairs, validation, options.pairs), partial(balanced_pairs, test, options.pairs),
                      partial(sample_episodes, test, options.n_way, options.k_shot, options.n_query, 1))


def model_path(options):
    return Path(options.model).expanduser() if options.model else options.out / "model.npz"


def save_model(path, model):
    known = np.zeros((0, 0, 128), "float32") if model.known is None else model.known
    return save_params(path, {"params": model.params, "threshold": np.array(model.threshold), "known": known,
                              "reading": np.array(READING)})


def load_model(path, input_shape=(28, 28, 1)):
    """The Model that `save_model` saved.

    Raises: ValueError for another file, FileNotFoundError where there is none.
    """
    saved = load_params(path)
    try:
        fits = tree_map(lambda p, q: p.shape == q.shape, saved["params"],
                        siamese_network(input_shape).init(np.random.default_rng(0)))
        if all(leaves(fits)):
            model = Model(saved["params"], float(saved["threshold"]), saved.get("known"))
            if str(saved.get("reading")) != READING:
                raise _OtherReading
            return model if model.known.size else model._replace(known=None)
    except _OtherReading:
        raise ValueError(f"{path} was trained by an earlier version, whose images may have been read otherwise than "
                         "your photos are: give another --model, and it is trained there") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise ValueError(f"{path} is not a model of this lesson for images of {input_shape}; it was left as it is")
