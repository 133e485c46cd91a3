"""ProtoMAML: a prototypical network before the first step, the meta-gradient through the head, any number of ways."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np.lesson3_metric import prototypical_objective, prototypical_scores
from fewshot_np.lesson4_maml import (
    proto_maml_objective,
    proto_maml_scores,
    proto_maml_train,
    prototype_head,
    prototype_start,
)
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import Network, conv4
from fewshot_np.nn.primitives import log_softmax
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.lesson4_maml.problems import N_TASKS, N_WAY
from tests.scaffolding import (
    assert_same_tree,
    assert_slope,
    assert_trained_as_in_a_run,
    episode_of_noise,
    shaken,
)

NETWORK = conv4((16, 16, 1), channels=4, down="stride", features="mean")
EPISODE = episode_of_noise((16, 16, 1))
PARAMS = shaken(NETWORK.init(onp.random.default_rng(0)))


def objective(inner_lr=0.2, steps=1, episode=EPISODE, **more):
    return lambda params: proto_maml_objective(NETWORK, params, episode, inner_lr, steps, **more)


def test_the_head_by_hand():
    # class 0: the mean of (1, 0) and (3, 2); class 1: (0, -1)
    head = prototype_head(onp.array([[1.0, 0.0], [0.0, -1.0], [3.0, 2.0]]), onp.array([0, 1, 0]), 2)
    assert_same_tree(head, {"w": onp.array([[4.0, 0.0], [2.0, -2.0]]), "b": onp.array([-5.0, -1.0])})


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
    rng = onp.random.default_rng(n_way)
    y = onp.tile(onp.arange(n_way), (2, 1))
    x = rng.uniform(size=(2, 2, n_way, 16, 16, 1))
    episode = type(EPISODE)(x[0], y, x[1], y, None, None)
    start = prototype_start(NETWORK, PARAMS, episode)
    assert start["head"]["w"].shape == (2, 4, n_way)
    for statistics in ("support", "queries"):
        assert proto_maml_scores(NETWORK, PARAMS, episode, statistics, 0.1, 2).shape == (2, n_way, n_way)
    assert onp.isfinite(grad(objective(episode=episode))(PARAMS)["block1"]["w"]).all()


def test_value_and_meta_gradient_are_torchs():
    torch = pytest.importorskip("torch")
    from tests.nn.test_against_torch import assert_close, torch_conv4, torch_value_and_gradients
    cross_entropy = torch.nn.functional.cross_entropy

    def torch_objective(body):
        total = 0.0
        for t in range(N_TASKS):
            support_y = torch.tensor(EPISODE.support_y[t])
            identity = {"w": torch.eye(4, dtype=torch.float64), "b": torch.zeros(4, dtype=torch.float64)}
            features = torch_conv4({**body, "head": identity}, torch.tensor(EPISODE.support_x[t]), "stride", "mean")
            centres = torch.stack([features[support_y == n].mean(dim=0) for n in range(N_WAY)])
            own = {**body, "head": {"w": 2 * centres.T, "b": -(centres ** 2).sum(dim=1)}}

            def loss(own, t=t, support_y=support_y):
                return cross_entropy(torch_conv4(own, torch.tensor(EPISODE.support_x[t]), "stride", "mean"), support_y)
            slopes = torch.func.grad(loss)(own)  # with body and head as parameters of their own
            own = {layer: {name: own[layer][name] - 0.2 * slopes[layer][name] for name in own[layer]} for layer in own}
            logits = torch_conv4(own, torch.tensor(EPISODE.query_x[t]), "stride", "mean")
            total = total + cross_entropy(logits, torch.tensor(EPISODE.query_y[t]))
        return total / N_TASKS

    expected, gradient = torch_value_and_gradients(torch_objective, PARAMS)
    value, found = value_and_grad(objective())(PARAMS)
    assert_close(value, expected, 1e-9)
    tree_map(lambda a, e: assert_close(a, e, 1e-8), found, gradient)


def test_float32_stays_float32():
    params, episode = NETWORK.init(onp.random.default_rng(0)), episode_of_noise((16, 16, 1), dtype="float32")
    value, gradient = value_and_grad(objective(episode=episode))(params)
    assert {leaf.dtype for leaf in [value, *leaves(gradient)]} == {onp.dtype("float32")}


def test_the_five_lines_of_training_are_what_a_run_does(tmp_path):
    page = proto_maml_train(NETWORK, PARAMS, lambda: EPISODE, 0.2, 1, 1e-2, 3)
    assert_trained_as_in_a_run(page, partial(proto_maml_objective, NETWORK, inner_lr=0.2, steps=1), PARAMS,
                               lambda: EPISODE, 1e-2, 3, tmp_path)


def test_a_network_with_a_head_a_class_without_example_and_bad_steps_are_refused():
    with pytest.raises(ValueError, match="outputs=None"):
        objective()({**PARAMS, "head": {}})
    with pytest.raises(ValueError, match="class 0 of task 0 has no example"):
        objective(episode=EPISODE._replace(support_y=onp.maximum(EPISODE.support_y, 1)))(PARAMS)
    with pytest.raises(ValueError, match="steps must be an integer"):
        objective(steps=-1)(PARAMS)
