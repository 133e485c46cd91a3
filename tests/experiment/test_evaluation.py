"""Evaluation: as many episodes as asked for, the same ones for everything that is measured."""

import numpy as np
import pytest

from fewshot_np.experiment.evaluation import evaluate


class Source:
    """Episodes that are numbers: 0, 1, 2, ... in batches, whose sizes are kept."""

    def __init__(self):
        self.sizes = []

    def __call__(self, n_tasks):
        start = sum(self.sizes)
        self.sizes.append(n_tasks)
        return np.arange(start, start + n_tasks)


@pytest.mark.parametrize(("n_episodes", "batch", "sizes"), [
    (45, 20, [20, 20, 5]), (40, 20, [20, 20]), (3, 20, [3]), (1, 1, [1]), (7, 2, [2, 2, 2, 1])])
def test_batches_add_up_to_the_episodes_asked_for(n_episodes, batch, sizes):
    source = Source()
    found = evaluate(lambda episodes: {"itself": episodes}, source, n_episodes, batch)
    assert source.sizes == sizes
    np.testing.assert_array_equal(found["itself"], np.arange(n_episodes))


def test_everything_is_measured_on_the_same_episodes_in_the_same_order():
    rng = np.random.default_rng(0)
    found = evaluate(lambda e: {"pixels": e, ("maml", 3): 2 * e}, lambda n: rng.uniform(size=n), 45)
    assert set(found) == {"pixels", ("maml", 3)}
    np.testing.assert_array_equal(found["maml", 3], 2 * found["pixels"])
    assert len(np.unique(found["pixels"])) == 45


def test_one_measurement_per_batch():
    calls = []
    evaluate(lambda e: calls.append(len(e)) or {"x": e}, Source(), 45)
    assert calls == [20, 20, 5]


def test_the_bar_is_ascii(capsys):
    evaluate(lambda e: {"x": e}, Source(), 45, label="test characters")
    bar = capsys.readouterr().err
    assert "test characters" in bar
    assert bar.isascii()
