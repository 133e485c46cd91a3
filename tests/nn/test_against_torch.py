"""PyTorch, an implementation by other people: values, gradients, and conv4's second-order meta-gradients."""

import autograd.numpy as np
import numpy
import pytest
from autograd import grad

from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import repeat, tree_map
from tests.nn.derivatives import assert_close
from tests.scaffolding import shaken

torch = pytest.importorskip("torch")
F = torch.nn.functional

SUPPORT_LABELS, QUERY_LABELS = numpy.array([[0, 1, 2], [2, 0, 1]]), numpy.array([[0, 1, 2, 2], [1, 1, 0, 2]])


def tensor(array):
    return torch.tensor(numpy.ascontiguousarray(array)).requires_grad_(numpy.asarray(array).dtype.kind == "f")


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def torch_conv2d(x, w, stride, padding):
    pad = [(k - 1) // 2 if padding == "same" else 0 for k in w.shape[:2]]
    return channels_last(F.conv2d(channels_first(x), w.permute(3, 2, 0, 1), stride=stride, padding=pad))


def torch_max_pool2d(x, size):
    return channels_last(F.max_pool2d(channels_first(x), size))


def torch_batch_norm(x, gamma, beta):
    return channels_last(F.batch_norm(channels_first(x), None, None, gamma, beta, training=True, eps=1e-5))


def torch_conv4(params, x, down, features):
    for block in ("block1", "block2", "block3", "block4"):
        p = params[block]
        x = torch_conv2d(x, p["w"], 2 if down == "stride" else 1, "same")
        x = F.relu(torch_batch_norm(x, p["gamma"], p["beta"]))
        x = torch_max_pool2d(x, 2) if down == "pool" else x
    x = x.mean(dim=(1, 2)) if features == "mean" else x.flatten(1)
    return x @ params["head"]["w"] + params["head"]["b"]


def case(down, features):
    """Float64 parameters, and per task three support and four query images with three channels."""
    network, rng = conv4((19, 18, 3), outputs=3, channels=5, down=down, features=features), numpy.random.default_rng(1)
    params = shaken(network.init(numpy.random.default_rng(0)))
    return network, params, rng.uniform(size=(2, 3, 19, 18, 3)), rng.uniform(size=(2, 4, 19, 18, 3))


def meta_objective(network, params, support, query, steps, inner_lr):
    """The mean over tasks of the query loss after `steps` gradient steps on the support loss."""

    def loss(params, x, labels):
        return cross_entropy(network.apply(params, x), labels)

    params = repeat(params, len(support))
    for _ in range(steps):
        gradient = grad(lambda p: np.sum(loss(p, support, SUPPORT_LABELS)))(params)
        params = tree_map(lambda p, g: p - inner_lr * g, params, gradient)
    return np.sum(loss(params, query, QUERY_LABELS)) * (1 / len(support))


def torch_meta_objective(params, support, query, steps, inner_lr, down, features):
    """The same, task by task."""
    names = [(block, name) for block in params for name in params[block]]
    total = 0.0
    for task in range(len(support)):
        own = params
        for _ in range(steps):
            logits = torch_conv4(own, torch.tensor(support[task]), down, features)
            loss = F.cross_entropy(logits, torch.tensor(SUPPORT_LABELS[task]))
            slopes = torch.autograd.grad(loss, [own[b][n] for b, n in names], create_graph=True)
            own = {block: dict(own[block]) for block in own}
            for (block, name), slope in zip(names, slopes, strict=True):
                own[block][name] = own[block][name] - inner_lr * slope
        logits = torch_conv4(own, torch.tensor(query[task]), down, features)
        total = total + F.cross_entropy(logits, torch.tensor(QUERY_LABELS[task]))
    return total / len(support)


def torch_value_and_gradients(objective, params):
    tensors = {block: {name: tensor(array) for name, array in params[block].items()} for block in params}
    value = objective(tensors)
    value.backward()
    return value.item(), {block: {n: t.grad.numpy() for n, t in tensors[block].items()} for block in tensors}


@pytest.mark.parametrize("down", ["pool", "stride"])
@pytest.mark.parametrize("features", ["flatten", "mean"])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_meta_gradient_of_conv4(down, features, steps):
    network, params, support, query = case(down, features)

    def ours(params):
        return meta_objective(network, params, support, query, steps, inner_lr=0.2)

    value, expected = torch_value_and_gradients(
        lambda params: torch_meta_objective(params, support, query, steps, 0.2, down, features), params
    )
    assert_close(ours(params), value, 1e-9)
    tree_map(lambda a, e: assert_close(a, e, 1e-8), grad(ours)(params), expected)
