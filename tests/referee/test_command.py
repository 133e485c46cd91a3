"""`python -m fewshot_np.referee`, verdicts, and arrays of other frameworks."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.referee.__main__ import main
from fewshot_np.referee.calling import as_array

MODULE = '''
import numpy as np
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson4_maml import meta_gradient_by_hand
from fewshot_np.lesson4_siamese import contrastive_loss, document_formula

def meta_gradient(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    tasks = zip(support_x, support_y, query_x, query_y)
    return np.mean([meta_gradient_by_hand(w, *task, inner_lr, steps) for task in tasks], axis=0)

def step(w, tasks, inner_lr, steps, outer_lr):
    return w - outer_lr * meta_gradient(w, *tasks, inner_lr, 0)

def predict(support_x, support_y, query_x):
    return -((query_x[:, None] - support_x) ** 2).sum((2, 3, 4)) @ np.eye(support_y.max() + 1)[support_y]

def sampler(images, labels, n_way, k_shot, n_query, seed):
    ids = np.random.default_rng(seed).integers(0, len(labels), (2, n_way * k_shot))
    return images[ids[0]], labels[ids[0]], images[ids[1]], labels[ids[1]]

def parts():
    x = np.random.default_rng(0).uniform(size=(6, 9, 9))
    return (x[:2], ["a", "b"]), (x[2:4], ["c", "d"]), (x[4:], ["e", "a"])
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "judged_module.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "judged_module:"


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["second-order", ":meta_gradient"], 0, "second_order: ok: second order"),
    (["second-order", ":step", "--training-step"], 1, "no adaptation"),
    (["second-order", ":meta_gradient", "--steps", "2", "--expect", "first order"], 1, "NOT OK: second order"),
    (["episodes", ":sampler", "--number", "300"], 1, "episodes: NOT OK"),
    (["scores", ":predict"], 0, "scores: ok: inductive"),
    (["splits", ":parts"], 1, "train and test share classes"), (["interval", ":mean_confidence_interval"], 0, "95 %"),
    (["losses", "--contrastive", ":document_formula"], 1, "the wrong way round"),
    (["losses", "--contrastive", ":document_formula", "--one-means", "different"], 0, "as it should be")])
def test_a_verdict_is_printed_and_the_exit_code_says_whether_it_is_ok(module, capsys, arguments, code, words):
    arguments = [module + word[1:] if word.startswith(":") else word for word in arguments]
    assert main(arguments) == code
    printed = capsys.readouterr().out
    assert words in printed
    assert printed.isascii()
    assert max(map(len, printed.splitlines())) <= 100


def test_accuracies_may_stand_in_a_file(tmp_path, capsys):
    values = np.random.default_rng(0).uniform(0.5, 1, 100)
    np.save(tmp_path / "accuracies.npy", values)
    mean, half = mean_confidence_interval(values)
    printed = f"{100 * mean:.1f} +- {100 * half:.1f}"
    assert main(["interval", str(tmp_path / "accuracies.npy"), "--printed", printed]) == 0
    assert "1.96 s / sqrt(n)" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "words"), [("nothing", "must be MODULE:NAME"), ("no_such_module:f", "no_such_module"),
                                             ("math:f", "math has no 'f'"), ("math:pi", "judges a function")])
def test_a_name_that_leads_nowhere_is_an_error_in_one_line(name, words):
    with pytest.raises(SystemExit, match=words):
        main(["second-order", name])


def test_a_verdict_reads_well_in_a_notebook_and_in_a_test():
    verdict = referee.second_order(lambda w, *a: w)
    assert repr(verdict) == str(verdict)
    assert "off second order" in repr(verdict)
    with pytest.raises(AssertionError) as error:
        verdict.check()
    assert str(error.value) == str(verdict)


@pytest.mark.parametrize(("framework", "n_examples"), [("torch", 2), ("jax", 1)])
def test_the_pages_examples_run(framework, n_examples):
    pytest.importorskip(framework)
    page = Path(__file__).parents[2] / "lessons" / "referee" / "README.md"
    blocks = re.findall(r"^```py\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    examples = [block for block in blocks if f"import {framework}" in block]
    assert len(examples) == n_examples
    for example in examples:
        exec(example, {})  # they check themselves


class Detached:
    """An array of a framework: it has a graph, lies on a device, and speaks DLPack alone."""

    def __init__(self, array):
        self.array, self.detached = array, False

    def detach(self):
        other = Detached(self.array)
        other.detached = True
        return other

    def __dlpack__(self, **kwargs):
        assert self.detached
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Array:
    def __array__(self, dtype=None, copy=None):
        return np.arange(3.0)


@pytest.mark.parametrize("value", [np.arange(3.0), [0, 1, 2], Detached(np.arange(3.0)), Array(), (Array(),)])
def test_arrays_of_any_framework_are_taken(value):
    np.testing.assert_array_equal(as_array(value).ravel(), [0, 1, 2])


@pytest.mark.parametrize("value", ["three", {"w": 1}, [1, [2, 3]], object(), None])
def test_what_is_no_array_is_refused(value):
    with pytest.raises(ValueError, match="array"):
        as_array(value)


IMAGES = np.zeros((2, 8, 8))


@pytest.mark.parametrize(("check", "named", "uses"), [
    (referee.second_order, r"second_order|problem|steps", [
        {}, {"meta_gradient": 3}, {"meta_gradient": len, "step": len}, {"meta_gradient": len, "problem": "moons"},
        {"meta_gradient": len, "steps": (0,)}]),
    (referee.losses, r"losses|distance|reduction", [
        {}, {"contrastive": 3}, {"prototypes": len, "distance": "cosine"},
        {"cross_entropy": len, "reduction": "median"}]),
    (partial(referee.interval, [0.5, 0.6]), r"half_width|printed", [{}, {"printed": "77.8"}]),
    (partial(referee.interval, half_width=1), "accuracies", [
        {"accuracies": values} for values in ([0.5], [0.5, np.nan], np.ones((2, 2, 2)))]),
    (referee.scores, r"scores|allow|expect", [{"predict": None}, *({"predict": len} | wrong for wrong in (
        {"n_way": 2}, {"allow": ("leak",)}, {"allow": "label names"}, {"expect": "fair"}))]),
    (referee.episodes, "episodes", [
        {"sampler": 3}, {"sampler": len, "n_episodes": 10}, {"sampler": len, "false_alarm": 0}]),
    (partial(referee.splits, (IMAGES, ["a", "b"])), r"splits|validation", [{}, *({"validation": part} for part in (
        3, IMAGES, (IMAGES, ["c"]), (np.zeros((0, 3, 3)), []), (np.full((1, 4, 4), np.nan), ["n"])))])])
def test_a_wrong_use_of_a_check_is_a_value_error(check, named, uses):
    for arguments in uses:
        with pytest.raises(ValueError, match=named):
            check(**arguments)
