"""ProtoMAML: a prototypical network before the first step, the meta-gradient through the head, any number of ways."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson3_metric import prototypical_objective, prototypical_scores
from fewshot_np.lesson4_maml import adapt, proto_maml_objective, proto_maml_scores, proto_maml_train, prototype_start
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import Network, conv4
from fewshot_np.nn.primitives import log_softmax
from fewshot_np.nn.trees import grad, value_and_grad
from tests.scaffolding import assert_same_tree, assert_slope, assert_trained_as_in_a_run, episode_of_noise, shaken

NETWORK = conv4((16, 16, 1), channels=4, down="stride", features="mean")
EPISODE = episode_of_noise((16, 16, 1))
PARAMS = shaken(NETWORK.init(onp.random.default_rng(0)))


def objective(inner_lr=0.2, steps=1, episode=EPISODE, **more):
    return lambda params: proto_maml_objective(NETWORK, params, episode, inner_lr, steps, **more)


def test_before_the_first_step_it_is_the_prototypical_network():
    mine = proto_maml_scores(NETWORK, PARAMS, EPISODE, "support", 0.2, 0)
    theirs = prototypical_scores(NETWORK, PARAMS, EPISODE, "support")
    onp.testing.assert_allclose(log_softmax(mine), log_softmax(theirs), rtol=0, atol=1e-10)


def test_without_batch_norm_so_is_its_gradient():
    def apply(params, x, n_reference=None):
        features = dense(params["body"], x)
        return dense(params["head"], features) if "head" in params else features
    rng, episode, network = onp.random.default_rng(2), episode_of_noise((4,)), Network(None, apply)
    params = {"body": {"w": rng.normal(size=(4, 5)), "b": rng.normal(size=5)}}
    value, gradient = value_and_grad(lambda p: proto_maml_objective(network, p, episode, 0.1, 0))(params)
    expected, slope = value_and_grad(lambda p: prototypical_objective(network, p, episode))(params)
    assert value == pytest.approx(expected, rel=1e-12)
    assert_same_tree(gradient, slope)


def test_its_steps_descend_on_the_support_from_the_prototypes():
    loss, support = partial(classification_loss, NETWORK), (EPISODE.support_x, EPISODE.support_y)
    moved = adapt(loss, prototype_start(NETWORK, PARAMS, EPISODE), *support, 0.2, 2)
    assert objective(steps=2)(PARAMS) == pytest.approx(loss(moved, EPISODE.query_x, EPISODE.query_y).mean(), rel=1e-12)
    for statistics in ("support", "queries"):
        onp.testing.assert_allclose(proto_maml_scores(NETWORK, PARAMS, EPISODE, statistics, 0.2, 2),
                                    query_logits(NETWORK, moved, EPISODE, statistics), rtol=1e-12)


@pytest.mark.parametrize("inner_lr", [0.1, {"head": 0.1}])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_meta_gradient_is_the_slope_through_steps_and_prototypes(steps, inner_lr):
    assert_slope(objective(inner_lr, steps), PARAMS)


def test_first_order_has_the_value_and_another_gradient():
    (value, second), (same, first) = (value_and_grad(objective(first_order=flag))(PARAMS) for flag in (False, True))
    assert value == pytest.approx(same, rel=1e-12)
    assert onp.abs(first["block1"]["w"] - second["block1"]["w"]).max() > 1e-6


@pytest.mark.parametrize("n_way", [2, 7])
def test_the_same_parameters_answer_tasks_of_any_number_of_ways(n_way):
    y = onp.tile(onp.arange(n_way), (2, 1))
    x = onp.random.default_rng(n_way).uniform(size=(2, 2, n_way, 16, 16, 1))
    episode = Episode(x[0], y, x[1], y, None, None)
    for statistics in ("support", "queries"):
        assert proto_maml_scores(NETWORK, PARAMS, episode, statistics, 0.1, 2).shape == (2, n_way, n_way)
    assert onp.isfinite(grad(objective(episode=episode))(PARAMS)["block1"]["w"]).all()


def test_the_five_lines_of_training_are_what_a_run_does(tmp_path):
    page = proto_maml_train(NETWORK, PARAMS, lambda: EPISODE, 0.2, 1, 1e-2, 3)
    assert_trained_as_in_a_run(page, partial(proto_maml_objective, NETWORK, inner_lr=0.2, steps=1), PARAMS,
                               lambda: EPISODE, 1e-2, 3, tmp_path)


def test_a_network_with_a_head_and_a_class_without_example_are_refused():
    with pytest.raises(ValueError, match="outputs=None"):
        objective()({**PARAMS, "head": {}})
    with pytest.raises(ValueError, match="class 0 of task 0 has no example"):
        objective(episode=EPISODE._replace(support_y=onp.maximum(EPISODE.support_y, 1)))(PARAMS)
