"""The forms that the benchmark times compute the same thing, and it refuses those that do not."""

import importlib
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='PyTorch is not installed: pip install -e ".[bench]"')


@pytest.fixture(scope="module")
def run():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("run")


def first_results_of(run, work):
    """What each form's process would send, computed in this one."""
    import peers_torch
    params, episode = work.make()
    first = {}
    for name in ["here", *peers_torch.FORMS[work.kind]]:
        with run.opened(work, name, 1) as form:
            first[name, 1] = {dtype: run.first_results(form(*run.convert(params, episode, dtype), dtype))
                              for dtype in run.TOLERANCE}
    return first


@pytest.mark.parametrize(("work", "size", "weight"), [
    ("maml", {"n_tasks": 2, "n_way": 3, "k_shot": 2, "steps": 2, "channels": 4}, "block1.w"),
    ("sinusoids", {"n_tasks": 3}, "dense1.w"), ("prototypical", {"n_way": 4}, "block1.w")])
def test_all_forms_have_the_same_loss_and_gradients_and_a_wrong_one_is_told(run, work, size, weight):
    first = first_results_of(run, getattr(run, work)(**size))
    assert len(first) >= 3
    assert run.disagreements(first, run.compare(first)) == []
    first["here", 1]["float64"]["grads"][weight] *= 1 + 1e-6
    (told,) = run.disagreements(first, run.compare(first))
    assert told.startswith("here, 1 thread, float64: ")


def test_the_ratio_is_that_of_the_faster_of_ours_to_the_fastest_of_theirs(run):
    def row(form, threads, seconds):
        return {"form": form, "threads": threads, "median_s": seconds}

    rows = [row("here", 1, 3.0), row("here", 2, 2.0), row("loop", 1, 8.0), row("loop", 2, 10.0), row("vmap", 2, 4.0)]
    told = run.ratios(rows)
    assert (told["here_over_best"], told["here_over_loop"], told["best"]["form"]) == (0.5, 0.25, "vmap")
    assert run.ratios(rows[:2])["here_over_best"] is None


def test_the_shares_of_a_profile_are_all_of_it_and_the_floor_counts_every_multiplication(run):
    work = run.prototypical(n_way=4)
    with run.opened(work, "here", 1) as form:
        step = form(*work.make(), "float32")
        shares = run.profile(step, 2)
        counted = run.operations(step)
    assert sum(shares[key] for key in ("products", "passes", "python")) == pytest.approx(1)
    assert all(shares[key] > 0 for key in shares)
    forward = [2 * 24 * size ** 2 * 9 * depth * 64 for size, depth in ((28, 1), (14, 64), (7, 64), (3, 64))]
    assert counted == 3 * sum(forward) - forward[0]  # towards images and weights as well, but not towards the input
