"""The run of lesson 6, optimisers: a fair comparison, what it refuses before training, what it claims."""

from functools import partial
from types import SimpleNamespace

import numpy as onp
import pytest

from fewshot_np.data.splits import load_splits
from fewshot_np.lesson4_maml import squared_error
from fewshot_np.lesson6_optimizer import __main__ as lesson
from fewshot_np.lesson6_optimizer import init_optimizer, paths, sample_optimizer_tasks, tuned_rates
from fewshot_np.lesson6_optimizer.figures import named_rates, tile
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import leaves
from tests.scaffolding import assert_same_tree


def test_contenders_share_start_and_episodes(tmp_path, monkeypatch):
    seen = []

    def train(objective, params, sample, **kwargs):
        episode = sample()
        seen.append({"start": params.get("start", params), "support": episode.support_ids, "query": episode.query_ids,
                     "rates": leaves(params.get("rates", {}))})
        return params, None
    monkeypatch.setattr(lesson, "train", train)
    options = SimpleNamespace(seed=3, n_way=5, k_shot=1, meta_batch=2, channels=4, inner_lr=0.4, learning_rate=1e-2,
                              iterations=1, out=tmp_path, data="glyphs", quick=True)
    network = conv4(outputs=5, channels=4, down="stride", features="mean")
    lesson.train_contenders(network, load_splits(options)[0], options)
    assert len(seen) == 3
    for contender in seen:
        for what in ("start", "support", "query"):
            assert_same_tree(contender[what], seen[0][what], rtol=0)
    assert all((leaf == onp.float32(0.4)).all() for leaf in seen[1]["rates"])
    assert all(leaf.min() >= 0.0049 and leaf.max() <= 0.1001 for leaf in seen[2]["rates"])


def test_all_optimisers_get_the_same_curves_and_the_rates_come_from_others():
    options, learner = SimpleNamespace(horizon=4, episodes=6), lesson.LEARNER
    loss = partial(squared_error, learner)
    losses, rates = lesson.compare(init_optimizer(onp.random.default_rng(0)), loss, options,
                                   onp.random.default_rng(5))
    rng, steps = onp.random.default_rng(5), 4 * lesson.BEYOND
    on_validation, on_test = (paths(lesson.RIVALS, loss, sample_optimizer_tasks(learner, 10, 6, 0, rng), steps)
                              for _ in range(2))
    assert list(losses) == ["LSTM", "Adam", "SGD"]
    assert losses["LSTM"].shape == (6, steps)
    for name in ("Adam", "SGD"):
        onp.testing.assert_array_equal(rates[name], tuned_rates(on_validation, name))
        for step, rate in enumerate(rates[name]):
            onp.testing.assert_array_equal(losses[name][:, step], on_test[name, rate][:, step])


def test_tables_and_figures_show_every_rate_and_go_beyond_the_horizon():
    rates = conv4((8, 8, 1), 3, channels=3, down="stride", features="mean").init(onp.random.default_rng(0))
    named = named_rates(rates)
    assert [*named][:2] + [*named][-2:] == ["block1 w", "block1 gamma", "head w", "head b"]
    assert sum(map(len, named.values())) == sum(leaf.size for leaf in leaves(rates))
    tiles = tile(onp.arange(3 * 3 * 10, dtype="float32").reshape(3, 3, 10))
    onp.testing.assert_array_equal(onp.sort(tiles[onp.isfinite(tiles)]), onp.arange(90))
    assert [lesson.steps_shown(horizon) for horizon in (100, 1)] == [[10, 20, 50, 100, 200, 300], [1, 2, 3]]


# ---------------------------------------------------------------- what the lesson claims, on three seeds


@pytest.fixture(scope="module", params=[0, 1, 2])
def characters(request, tmp_path_factory):
    """The metrics of the first part of a run with the default settings, and half of its test episodes."""
    options = SimpleNamespace(**{**lesson.DEFAULTS, "episodes": 300}, seed=request.param, data="glyphs", quick=False,
                              out=tmp_path_factory.mktemp("characters"))
    training, _, test = load_splits(options)
    return lesson.run_meta_sgd(options, training, test)[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_learned_rates_beat_mamls_one_rate(characters):
    for statistics in ("support", "queries"):
        difference = characters[f"Meta-SGD from 0.4 minus MAML, statistics of the {statistics}"]
        assert difference["mean"] > difference["interval"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_higher_convolutions_learn_larger_rates_and_the_bias_of_the_head_a_negative_one(characters):
    means = [characters[f"rates, block{i} w"]["mean"] for i in range(1, 5)]
    assert means == sorted(means)
    assert means[0] < 0.4 < means[-1]
    assert characters["rates, head b"]["mean"] < 0
    assert characters["rates, all"]["negative"] < 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_within_its_horizon_the_lstm_is_faster_than_tuned_rivals_and_beyond_it_loses_its_lead(seed, tmp_path):
    options = SimpleNamespace(**{**lesson.DEFAULTS, "episodes": 300}, seed=seed, out=tmp_path)
    loss = {name: metric["mean"] for name, metric in lesson.run_lstm(options)[0].items()}
    for steps in (10, 20, 50):
        for rival in ("Adam", "SGD"):
            assert loss[f"LSTM, {steps} steps"] < 0.9 * loss[f"{rival}, {steps} steps"]
    assert loss["LSTM, 100 steps"] < 0.2 * loss["SGD, 100 steps"]
    early, late = (loss[f"LSTM, {steps} steps"] / loss[f"Adam, {steps} steps"] for steps in (50, 300))
    assert late > 1.2 * early
