"""What a method is, how it is trained, and what is kept of it. Which methods there are is for the lessons to say."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fewshot_np.data.files import write_atomically
from fewshot_np.experiment.records import check_replaceable, load_params, params_as_bytes, when_there_is_space
from fewshot_np.experiment.training import train
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, constant, cosine_decay, linear_decay, sgd

# ---------------------------------------------------------------- a method, and a training


def random_start(network, n_way, rng):
    """The parameters that the network itself draws."""
    return network.init(rng)


class Method(NamedTuple):
    """A method: functions that lessons wrote. A method that learns nothing has scores alone.

    scores(network, params, episode, statistics, **training.scores) -> (T, N Q, N)
    statistics: the two between which those scores can choose (which images batch norm sees), the support first;
        empty where there is no batch norm.
    objective(network, params, batch, **training.objective) -> a scalar, the mean over tasks.
    sample(classes, n_way, k_shot, training, rng) -> batch.   start(network, n_way, rng, **training.start) -> params.
    head: what the network ends in: None, an embedding; "ways" or "classes", so many logits.
    """

    family: str
    scores: Callable
    statistics: tuple = ()
    objective: Callable | None = None
    sample: Callable | None = None
    start: Callable = random_start
    head: str | None = None


class Training(NamedTuple):
    """How a method is trained: numbers, words and dicts of them, so that a record can hold it.

    batch: tasks per iteration, in pretraining images.   train_way: classes per training episode, None as in the test.
    n_query: queries per class of a training episode.   n_query_test: those of a test episode, where the protocol
    prescribes them.   distorted: every training image is distorted anew each time.   turned: the classes of every task,
    also in the test, are turned by a random quarter turn each.
    start, objective, scores: what those functions of the method take besides.
    """

    iterations: int
    learning_rate: float
    batch: int
    train_way: int | None = None
    n_query: int = 1
    n_query_test: int = 15
    optimizer: str = "adam"
    schedule: str = "cosine"
    down: str = "stride"
    features: str = "mean"
    distorted: bool = False
    turned: bool = False
    start: dict = {}      # noqa: RUF012  (never changed)
    objective: dict = {}  # noqa: RUF012
    scores: dict = {}     # noqa: RUF012


OPTIMIZERS = {"adam": adam, "sgd": sgd}
SCHEDULES = {"cosine": cosine_decay, "linear": linear_decay,  # (learning rate, iterations) -> schedule
             "constant": lambda learning_rate, iterations: constant(learning_rate)}


def at_effort(training, effort):
    """The same with `effort` times the iterations, 1 or more."""
    return training._replace(iterations=max(1, round(training.iterations * effort)))


def what_decides(training):
    """The fields of a Training, as a dict, on which the trained network depends; the others are for the test."""
    ignored = ("n_query_test", "scores", *(["turned"] if not training.turned else []))  # most know nothing of turns
    return {name: value for name, value in training._asdict().items() if name not in ignored}


def build_network(method, training, classes, n_way, channels=64):
    """The method's network for the images of these classes: conv4 and, if it has a head, its logits."""
    outputs = {None: None, "ways": n_way, "classes": len(classes)}[method.head]
    return conv4(classes.images.shape[1:], outputs, channels, down=training.down, features=training.features)


def train_method(method, training, network, start, sample, path, label, **more):
    """(params, history): `training.train` of the method's objective, from `start`; more: as that function takes it."""
    schedule = SCHEDULES[training.schedule](training.learning_rate, training.iterations)
    return train(partial(method.objective, network, **training.objective), start, sample,
                 update=OPTIMIZERS[training.optimizer], schedule=schedule, iterations=training.iterations,
                 path=path, label=label, **more)


# ---------------------------------------------------------------- what is kept, and when it may be used again


def fingerprint(classes):
    """A hash of all pixels and labels: equal for the same images alone."""
    return hashlib.sha256(classes.images.tobytes() + classes.labels.astype("int64").tobytes()).hexdigest()[:16]


def save_described(path, params, identity, seconds):
    """Save the parameters; returns what a record says of them. identity: a dict of all that decided what came out.

    The hash is that of what was saved, whatever another program does with the file afterwards.
    """
    check_replaceable(path)
    content = params_as_bytes(params)

    def save():
        with write_atomically(path) as file:
            file.write(content)
    when_there_is_space(save)
    return {"options": identity, "seconds": round(seconds, 2), "sha256": hashlib.sha256(content).hexdigest()}


def load_described(path, description, identity):
    """The parameters in the file `path`, if `save_described` once said that they were trained as they would be now.

    Raises: ValueError saying what differs, for a network that nothing describes, and for a file that is missing or not
    the one that was described.
    """
    if description is None:
        raise ValueError("not in that run")
    if differing := differences(description["options"], identity):
        raise ValueError(differing)
    if not Path(path).is_file():
        raise ValueError(f"there is no {Path(path).name}")
    if hashlib.sha256(Path(path).read_bytes()).hexdigest() != description["sha256"]:
        raise ValueError(f"{Path(path).name} is not the file that the record describes")
    return load_params(path)


def differences(there, here):
    """In words, where two dicts differ; empty where they do not."""
    return "; ".join(f"{key} {there.get(key)} there, {here.get(key)} here"
                     for key in [*here, *(there.keys() - here.keys())] if there.get(key) != here.get(key))
