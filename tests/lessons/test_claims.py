"""What the texts claim and no record holds, over three seeds."""

from functools import partial

import numpy as np
import pytest

from fewshot_np.data import glyphs
from fewshot_np.lesson2_episodes import accuracies, sample_episodes, scores
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import maml_objective, maml_scores
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import value_and_grad
from lessons.quoting import LESSONS


def test_the_pages_that_count_the_training_characters_count_those_of_the_list():
    n = sum(glyphs.script_of(name) in glyphs.SPLITS["train"] for _, name in glyphs.read_list())
    for lesson, counted in [("lesson1_data_hunger", f"{glyphs.DRAWINGS * n:,} drawings of {n:,}"),
                            ("lesson3_metric", f"images of {n:,} other"), ("lesson3_initialisation", f"{n:,} outputs")]:
        assert counted in (LESSONS / lesson / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_maml_judged_on_the_support_memorises_it_and_stays_below_nearest_pixels(seed):
    """The document's objective without the split into support and query; lesson 4, "Where the document errs"."""
    test = sample_episodes(glyphs.load("test"), 5, 1, 15, 100, np.random.default_rng(seed + 1))
    pixels = accuracies(scores(None, test), test.query_y).mean()
    (loss, accuracy), (literal_loss, literal_accuracy) = (trained(seed, test, literal) for literal in (False, True))
    assert literal_loss < 0.2 * loss
    assert literal_accuracy < pixels - 0.04
    assert literal_accuracy < accuracy - 0.08


def trained(seed, test, judged_on_support, iterations=300):
    """(training loss at the end, accuracy on the episodes `test`)"""
    classes, rng = glyphs.load("train"), np.random.default_rng(seed)
    network = conv4(outputs=5, channels=16, down="stride", features="mean")
    loss, schedule = partial(classification_loss, network), cosine_decay(3e-3, iterations)
    params, state, values = network.init(rng), None, []
    for iteration in range(iterations):
        tasks = sample_episodes(classes, 5, 1, 1, 16, rng)
        if judged_on_support:
            tasks = tasks._replace(query_x=tasks.support_x, query_y=tasks.support_y)
        objective = partial(maml_objective, loss, episode=tasks, inner_lr=0.4, steps=1)
        value, gradient = value_and_grad(objective)(params)
        params, state = adam(params, gradient, state, schedule(iteration))
        values.append(value)
    return np.mean(values[-10:]), accuracies(maml_scores(network, params, test, "support", 0.4, 1), test.query_y).mean()
