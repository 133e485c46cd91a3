"""What the tests of several lessons build on: small data, trees as vectors, runs that are tiny or must not train."""

import errno
import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fewshot_np.__main__ import LESSONS
from fewshot_np.data import ImageClasses
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment import report, training
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.nn.optimizers import adam, constant
from fewshot_np.nn.trees import grad, leaves, tree_map
from tests.nn.derivatives import assert_close

# ---------------------------------------------------------------- trees


def vector(tree):
    """All numbers of a tree in one row."""
    return np.concatenate([np.ravel(leaf) for leaf in leaves(tree)])


def shaken(params, seed=1, n_tasks=None):
    """float64 parameters away from the special values 0 and 1; with n_tasks, other ones for every task."""
    rng = np.random.default_rng(seed)
    leading = () if n_tasks is None else (n_tasks,)
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=(*leading, *p.shape)), params)


def bits(tree, without=()):
    """A tree of anything as something that `==` compares bit for bit, keys in their order; `without` these keys."""
    if isinstance(tree, dict):
        return [(key, bits(value, without)) for key, value in tree.items() if key not in without]
    if isinstance(tree, (list, tuple)):
        return type(tree), [bits(value, without) for value in tree]
    if isinstance(tree, (np.ndarray, np.generic)):
        return type(tree), tree.dtype, tree.shape, tree.tobytes()
    return type(tree), repr(tree)


def assert_same_tree(mine, other, rtol=1e-10):
    """Equal but for a deviation relative to the largest entry of each array."""
    tree_map(lambda a, b: assert_close(a, b, rtol), mine, other)


def assert_slope(objective, at, seed=3, eps=1e-7, rtol=1e-6, gradient=None):
    """The gradient of `objective` (or the one given) has the slope of finite differences in three random directions.

    eps is small: where an inner step crosses a kink of ReLU the objective jumps, and no slope is right.
    """
    rng, gradient = np.random.default_rng(seed), vector(grad(objective)(at) if gradient is None else gradient)
    for _ in range(3):
        move = tree_map(lambda p: rng.normal(size=p.shape), at)
        ahead, behind = (objective(tree_map(lambda p, m, s=sign: p + s * eps * m, at, move)) for sign in (1, -1))
        slope = (ahead - behind) / (2 * eps)
        assert abs(gradient @ vector(move) - slope) <= rtol * np.linalg.norm(gradient) + 1e-8


# ---------------------------------------------------------------- data

needs_omniglot = pytest.mark.skipif(not os.environ.get("FEWSHOT_NP_DATA"),
                                    reason="FEWSHOT_NP_DATA names no folder with the real Omniglot")


def classes_of(*sizes, side=2, seed=0):
    """Classes of these sizes, "class 0" and so on; the images are noise, and lie in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    images = rng.integers(0, 256, (len(labels), side, side, 1)).astype(np.uint8)
    return ImageClasses(images, labels, [f"class {c}" for c in range(len(sizes))], ["script"] * len(sizes))


def episode_of_noise(shape, n_way=3, k_shot=2, n_query=2, n_tasks=3, dtype=float, shuffled=False, seed=0):
    """Inputs of this shape, noise about a mean of their class, so that there is something to learn; without ids."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_tasks, n_way, *shape))

    def part(n):
        y = np.tile(np.arange(n_way).repeat(n), (n_tasks, 1))
        y = rng.permuted(y, axis=1) if shuffled else y
        return (means[np.arange(n_tasks)[:, None], y] + 0.5 * rng.normal(size=(*y.shape, *shape))).astype(dtype), y

    return Episode(*part(k_shot), *part(n_query), None, None)


def task_of(episode, task):
    """One task of the episode, with its task axis."""
    return Episode(*(None if field is None else field[task:task + 1] for field in episode))


def glyph_splits(quick=False):
    """The glyphs to train, to validate and to test on."""
    return load_splits(SimpleNamespace(data="glyphs", data_root=None, seed=0, quick=quick))


def folder_of(path, *sizes):
    """Class folders "class 00" and so on of these numbers of pictures: the class is the slope, each is shifted."""
    for label, size in enumerate(sizes):
        folder = path / f"class {label:02d}"
        folder.mkdir(parents=True)
        for k in range(size):
            image = Image.new("L", (40, 40), 255)
            ImageDraw.Draw(image).line([(8 + k % 3, 10), (8 + label, 30 - k % 5)], fill=0, width=3)
            image.save(folder / f"{k}.png")
    return path


# ---------------------------------------------------------------- files


def files(folder):
    """The names of what lies in a folder, hidden files among them."""
    return sorted(path.name for path in folder.iterdir())


def no_space(*args, **kwargs):
    """In place of a function that writes: a disk that is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


# ---------------------------------------------------------------- runs


def run_tiny(lesson, out, *argv, rendered=False):
    """The record of a --quick run of `lesson` (its name) with these options, in the folder `out`.

    rendered: its figures, which takes half of the time. `test_runs.py` renders those of every lesson.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not rendered:
            patch.setattr(report, "save_figure", lambda figure, path: path)
        run_of(lesson).main(["--quick", "--out", str(out), *argv])
    return read_record(out / "record.json")


def run_of(lesson):
    """The module that `python -m fewshot_np.<lesson>` runs."""
    return importlib.import_module(f"fewshot_np.{lesson}.__main__")


def assert_trained_as_in_a_run(page, objective, params, sample, learning_rate, iterations, path):
    """What a page's loop of five lines gave is what `experiment.training.train` gives, to the last bit."""
    run, _ = training.train(objective, params, sample, update=adam, schedule=constant(learning_rate),
                            iterations=iterations, path=path / "run.npz")
    assert_same_tree(page, run, rtol=0)


def no_training(monkeypatch):
    """From here on a run that comes as far as training fails: it should have refused before."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    for _, lesson, *_ in LESSONS:  # a run that is first imported below would keep the forbidden `train`
        run_of(lesson)
    real = training.train  # beforehand: `training` is one of the modules
    for name, module in list(sys.modules.items()):
        if name.startswith("fewshot_np.") and getattr(module, "train", None) is real:
            monkeypatch.setattr(module, "train", train)


def lesson_2(*argv, **environment):
    """Lesson 2 as the reader starts it, in a process of its own."""
    return subprocess.run([sys.executable, "-m", "fewshot_np.lesson2_episodes", *map(str, argv)], check=False,
                          env=os.environ | environment, capture_output=True, encoding="utf-8", timeout=120)
