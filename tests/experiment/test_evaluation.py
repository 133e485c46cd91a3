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
def test_batches_add_up_to_the_episodes_asked_for(n_episodes, batch, sizes, capsys):
    source, sizes_measured = Source(), []
    accuracies = evaluate(lambda e: sizes_measured.append(len(e)) or {"itself": e}, source, n_episodes,
                          batch, label="testing")
    assert source.sizes == sizes_measured == sizes
    np.testing.assert_array_equal(accuracies["itself"], np.arange(n_episodes))
    bar = capsys.readouterr().err
    assert "testing" in bar
    assert bar.isascii()


def test_everything_is_measured_on_the_same_episodes_in_the_same_order():
    rng = np.random.default_rng(0)
    accuracies = evaluate(lambda e: {"pixels": e, ("maml", 3): 2 * e}, lambda n: rng.uniform(size=n), 45)
    assert set(accuracies) == {"pixels", ("maml", 3)}
    np.testing.assert_array_equal(accuracies["maml", 3], 2 * accuracies["pixels"])
    assert len(np.unique(accuracies["pixels"])) == 45
