"""The training of a row, and the choice of its network: the best on validation, of fifteen moments."""

from functools import partial
from pathlib import Path

import numpy as np

from fewshot_np.experiment.methods import Training, at_effort, differences, train_method
from fewshot_np.experiment.records import load_params, read_record, save_params, when_there_is_space
from fewshot_np.results.distortion import distorted, turn_classes
from fewshot_np.results.rows import training_identity


def train_row(options, method, row, network, rng, folder, validate, sample):
    """(the parameters that were best on validation, history); both files are in `folder`.

    sample() -> batch; validate(params) -> a number, larger where the network is better.
    """
    training, best = at_effort(row, options.effort), folder / "best.npz"
    if not (options.resume and (folder / "last.npz").exists()):
        best.unlink(missing_ok=True)
    _, history = train_method(
        method, training, network, method.start(network, getattr(options, "n_way", None), rng, **row.start), sample,
        folder / "last.npz", options.method, validate=partial(keep_best, best, validate),
        validate_every=training.iterations if options.quick else max(1, training.iterations // 15), rng=rng,
        options=options, workers=getattr(options, "workers", 1))
    return load_params(best)["params"], history


def keep_best(path, measure, params):
    """measure(params); if nothing before was better, these parameters are now those in the file `path`."""
    value = float(measure(params))
    if not path.exists() or value >= float(load_params(path)["value"]):
        when_there_is_space(partial(save_params, path, {"params": params, "value": np.array(value)}))
    return value


def sample_for(row, method, classes, n_way, k_shot, rng):
    """The episodes of one iteration: the method's, turned and distorted if the row says so.

    Pretraining has no tasks whose classes could be turned: there each turned character is a class of its own.
    """
    episode = method.sample(classes, n_way, k_shot, row, rng)
    if row.turned and method.head != "classes":
        episode = turn_classes(episode, rng)
    return distorted(episode, rng) if row.distorted else episode


def load_trained(options, row):
    """(parameters, history without losses) of the run in the folder options.network.

    Raises: ValueError where that network was not trained exactly as this row's would be, or is not the one of its
    record.
    """
    folder = Path(options.network)
    record = read_record(folder / "record.json")
    theirs = record["metrics"].get("row")
    if not theirs or "validation" not in theirs:
        raise ValueError(f"--network {folder} holds no trained row of a protocol")
    there = Training(**{name: theirs.get(name, value) for name, value in Training._field_defaults.items()}
                     | {name: theirs[name] for name in ("iterations", "learning_rate", "batch")})
    if differing := differences(training_identity(there, record["options"]), training_identity(row, vars(options))):
        raise ValueError(f"--network {folder} was trained otherwise: {differing}")
    best = load_params(folder / "best.npz")
    if float(best["value"]) != max(value for _, value in theirs["validation"]):
        raise ValueError(f"--network {folder}: its best.npz is not the network of its record")
    return best["params"], {"seconds": theirs["training seconds"], "validation": theirs["validation"],
                            "commit": theirs.get("training commit", record["commit"])}
