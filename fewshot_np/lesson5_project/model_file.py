"""The model on the disk (not a page): saved, found again, or trained first where there is none yet."""

from functools import partial
from pathlib import Path

import numpy as np

from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.records import check_replaceable, load_params, save_params
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


def find_model(options):
    """The model that --model names or that a run has left in --out; where there is none it is trained and saved."""
    path = model_path(options)
    if path.exists():
        return load_model(path)
    splits = load_splits(options)
    refuse_what_cannot_be_drawn(options, *splits)
    print(f"There is no model {path} yet, so one is trained first. This is done once.\n")
    return train_model(options, *splits[:2])


def train_model(options, training, validation):
    """Train the rewired network, calibrate it, choose its threshold, and save the Model."""
    check_replaceable(model_path(options))
    params = train_wiring(options, objective, training, options.iterations, REWIRED)
    model = make_model(params, validation, options.pairs, np.random.default_rng(options.seed))
    save_model(model_path(options), model)
    return model


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
    return save_params(path, {"params": model.params, "threshold": np.array(model.threshold)})


def load_model(path, input_shape=(28, 28, 1)):
    """The Model that `save_model` saved.

    Raises: ValueError for another file, FileNotFoundError where there is none.
    """
    saved = load_params(path)
    try:
        fits = tree_map(lambda p, q: p.shape == q.shape, saved["params"],
                        siamese_network(input_shape).init(np.random.default_rng(0)))
        if all(leaves(fits)):
            return Model(saved["params"], float(saved["threshold"]))
    except (KeyError, TypeError, ValueError):
        pass
    raise ValueError(f"{path} is not a model of this lesson for images of {input_shape}; it was left as it is")
