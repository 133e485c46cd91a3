"""The steps that `run.py` times, in PyTorch, in the forms people write them, each in its fastest shape.

A second-order MAML meta-step, on characters (conv4) and on sinusoids (two dense layers of 40):
`loop`     the textbook's: a loop over tasks, `torch.autograd.grad(..., create_graph=True)` inside.
`vmap`     torch.func: the adaptation of one task, vectorised over tasks by `vmap`.
`grouped`  by hand: the tasks stand side by side in the channels; a convolution has one group for each task.
`batched`  by hand, for dense layers: `torch.baddbmm` with one matrix for each task.

A prototypical episode has one task: `loop` is the network as it is usually written; `last` has its images in
channels_last order and its distances as a matrix product (42 % faster together).

What was tried for each, and what was kept because it was fastest (PyTorch 2.13, one thread of an AMD EPYC
with AVX-512, 16 or 32 tasks, 1 or 5 inner steps):

- Memory format. channels_last is slower: `loop` by 5 %, `vmap` by 10 %, `grouped` by 30 to 90 %.
- Batch norm: `F.batch_norm`, or the formula in elementary operations (`_batch_norm` below). For `loop` the
  former is 13 % faster; for `grouped` the latter, by 2 %. `vmap` must take the formula: `F.batch_norm`
  inside `vmap` inside a gradient returns, silently, a wrong meta-gradient, here by 0.6 % in float64 (known:
  https://github.com/pytorch/functorch/issues/534). `vmap` around both gradients, the mean taken
  afterwards, is right with `F.batch_norm`, and 45 to 100 % slower. `torch.var_mean` in the formula
  is slower (10 to 20 %).
- `loop`: the meta-gradient task by task, or through the sum of all tasks: within 5 %, now this, now that.
  Kept task by task, because its memory does not grow with the tasks.
- `vmap`: the outer gradient by `torch.func.grad` in place of `torch.autograd.grad` is 15 to 60 % slower.
- `grouped`: im2col (`F.unfold`, or slices in channels-last order) and `torch.bmm` in place of grouped
  convolutions are 25 to 40 % slower.
- oneDNN switched off: 45 to 100 % slower, all three.
- `torch.compile`: `vmap` becomes 10 % faster, after one minute of compiling for 1 inner step and four for 5, and
  `grouped` 6 %. It needs a C++ compiler, too, and is left out.

A form is a function (params, episode, dtype, **settings) -> step; step() -> (loss, gradients laid out as the course
does). conv4's parameters are 14 tensors: four times w, gamma, beta; then, if it has a head, w, b.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

BLOCKS = range(4)


def tensor(array, dtype):
    return torch.from_numpy(np.array(array, dtype, order="C"))


# ---------------------------------------------------------------- conv4 and its images


def weights(params, dtype):
    """The course's parameters as a list of tensors in PyTorch's order: kernels (O,I,3,3), head (5, C*2*2)."""
    tensors = []
    for block in BLOCKS:
        p = params[f"block{block + 1}"]
        tensors += [p["w"].transpose(3, 2, 0, 1), p["gamma"], p["beta"]]
    if "head" in params:
        w = params["head"]["w"]  # rows in the order (row, column, channel); PyTorch's: (channel, row, column)
        tensors += [w.reshape(2, 2, -1, w.shape[1]).transpose(3, 2, 0, 1).reshape(w.shape[1], -1), params["head"]["b"]]
    return [tensor(a, dtype) for a in tensors]


def as_tree(tensors):
    """The inverse of `weights`: gradients laid out like the course's parameters."""
    arrays = [t.detach().numpy() for t in tensors]
    tree = {}
    for block in BLOCKS:
        w, gamma, beta = arrays[3 * block:3 * block + 3]
        tree[f"block{block + 1}"] = {"w": w.transpose(2, 3, 1, 0), "gamma": gamma, "beta": beta}
    if len(arrays) == 3 * len(BLOCKS):
        return tree
    w, b = arrays[-2:]
    w = w.reshape(w.shape[0], -1, 2, 2).transpose(2, 3, 1, 0).reshape(-1, w.shape[0])
    return tree | {"head": {"w": w, "b": b}}


def images_and_labels(episode, dtype):
    """support_x (T,M,1,28,28), support_y (T,M), and the same for the queries."""
    data = []
    for x, y in ((episode.support_x, episode.support_y), (episode.query_x, episode.query_y)):
        data += [tensor(np.moveaxis(x, -1, -3), dtype), tensor(y, np.int64)]
    return data


def _batch_norm(x, gamma, beta, eps=1e-5):
    """Batch norm (M,C,H,W) with the batch's own statistics, in elementary operations."""
    centred = x - x.mean((0, 2, 3), keepdim=True)
    variance = (centred * centred).mean((0, 2, 3), keepdim=True)
    return centred * (torch.rsqrt(variance + eps) * gamma.view(1, -1, 1, 1)) + beta.view(1, -1, 1, 1)


def _fused_batch_norm(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True)


def task_loss(params, x, y, batch_norm):
    """Mean cross-entropy of one task: x (M,1,28,28), y (M,)."""
    for block in BLOCKS:
        w, gamma, beta = params[3 * block:3 * block + 3]
        x = F.relu(batch_norm(F.conv2d(x, w, stride=2, padding=1), gamma, beta))
    return F.cross_entropy(F.linear(x.flatten(1), params[-2], params[-1]), y)


# ---------------------------------------------------------------- the network of the sinusoids


def dense_weights(params, dtype):
    """w and b of each layer in turn; the matrices stay as they are, (D,O)."""
    return [tensor(array, dtype) for layer in params.values() for array in (layer["w"], layer["b"])]


def dense_as_tree(tensors):
    """The inverse of `dense_weights`."""
    arrays = [t.detach().numpy() for t in tensors]
    names = [*(f"dense{i}" for i in range(1, len(arrays) // 2)), "head"]
    return {name: {"w": w, "b": b} for name, w, b in zip(names, arrays[::2], arrays[1::2], strict=True)}


def points(episode, dtype):
    return [tensor(a, dtype) for a in (episode.support_x, episode.support_y, episode.query_x, episode.query_y)]


def squared_error(params, x, y):
    """Mean squared error of one task: x, y (K,1)."""
    *hidden, w, b = params
    for i in range(0, len(hidden), 2):
        x = F.relu(torch.addmm(hidden[i + 1], x, hidden[i]))
    return F.mse_loss(torch.addmm(b, x, w), y)


def squared_errors(params, x, y):
    """The sum over tasks of the mean squared error: params with a task axis, x, y (T,K,1)."""
    *hidden, w, b = params
    for i in range(0, len(hidden), 2):
        x = F.relu(torch.baddbmm(hidden[i + 1].unsqueeze(1), x, hidden[i]))
    return F.mse_loss(torch.baddbmm(b.unsqueeze(1), x, w), y) * len(y)


# ---------------------------------------------------------------- one task: loop and vmap


class Kind(NamedTuple):
    """weights(params, dtype), as_tree(tensors), data(episode, dtype), one task's loss for `loop` and for `vmap`."""

    weights: Any
    as_tree: Any
    data: Any
    loop_loss: Any
    vmap_loss: Any


CONV4 = Kind(weights, as_tree, images_and_labels,
             partial(task_loss, batch_norm=_fused_batch_norm), partial(task_loss, batch_norm=_batch_norm))
DENSE = Kind(dense_weights, dense_as_tree, points, squared_error, squared_error)


def updated(params, grads, inner_lr):
    """One inner step: theta - alpha * gradient, for every parameter."""
    return [p - inner_lr * g for p, g in zip(params, grads, strict=True)]


def loop(kind, params, episode, dtype, inner_lr, steps):
    """A loop over tasks; the meta-gradient is summed up task by task."""
    theta = [w.requires_grad_() for w in kind.weights(params, dtype)]
    tasks = list(zip(*kind.data(episode, dtype), strict=True))

    def step():
        total, summed = 0, [torch.zeros_like(w) for w in theta]
        for support_x, support_y, query_x, query_y in tasks:
            adapted = theta
            for _ in range(steps):
                loss = kind.loop_loss(adapted, support_x, support_y)
                adapted = updated(adapted, torch.autograd.grad(loss, adapted, create_graph=True), inner_lr)
            loss = kind.loop_loss(adapted, query_x, query_y) / len(tasks)
            torch._foreach_add_(summed, torch.autograd.grad(loss, theta))
            total = total + loss.detach()
        return total, kind.as_tree(summed)

    return step


def _query_loss(theta, support_x, support_y, query_x, query_y, task_loss, inner_lr, steps):
    """The query loss of one task after its inner steps, in torch.func's style."""
    for _ in range(steps):
        grads = torch.func.grad(task_loss)(theta, support_x, support_y)
        theta = updated(theta, grads, inner_lr)
    return task_loss(theta, query_x, query_y)


def vmap(kind, params, episode, dtype, inner_lr, steps):
    """`torch.func.grad` inside `vmap` over the tasks, `torch.autograd.grad` around both."""
    theta = [w.requires_grad_() for w in kind.weights(params, dtype)]
    data = kind.data(episode, dtype)
    one = partial(_query_loss, task_loss=kind.vmap_loss, inner_lr=inner_lr, steps=steps)
    losses = torch.func.vmap(one, in_dims=(None, 0, 0, 0, 0))

    def step():
        loss = losses(theta, *data).mean()
        return loss.detach(), kind.as_tree(torch.autograd.grad(loss, theta))

    return step


# ---------------------------------------------------------------- all tasks at once: grouped, batched


def tasks_loss(params, x, y):
    """The sum over tasks of the mean cross-entropy: params with a task axis, x (M, T*1, 28, 28), y (T*M,)."""
    n_tasks = len(params[0])
    for block in BLOCKS:
        w, gamma, beta = (p.flatten(0, 1) for p in params[3 * block:3 * block + 3])
        x = F.relu(_batch_norm(F.conv2d(x, w, stride=2, padding=1, groups=n_tasks), gamma, beta))
    features = x.view(len(x), n_tasks, -1).transpose(0, 1)  # (M, T*C, 2, 2) -> (T, M, C*2*2)
    logits = torch.baddbmm(params[-1].unsqueeze(1), features, params[-2].transpose(1, 2))
    return F.cross_entropy(logits.flatten(0, 1), y) * n_tasks


def grouped(params, episode, dtype, inner_lr, steps):
    """Tasks in the channels: one gradient of the summed loss adapts all of them."""
    support_x, support_y, query_x, query_y = images_and_labels(episode, dtype)
    support_x, query_x = (x.transpose(0, 1).flatten(1, 2).contiguous() for x in (support_x, query_x))
    return _all_at_once(CONV4, tasks_loss, params, (support_x, support_y.flatten(), query_x, query_y.flatten()),
                        len(support_y), dtype, inner_lr, steps)


def batched(params, episode, dtype, inner_lr, steps):
    """A matrix for each task."""
    return _all_at_once(DENSE, squared_errors, params, points(episode, dtype), len(episode.support_y), dtype, inner_lr,
                        steps)


def _all_at_once(kind, summed_loss, params, data, n_tasks, dtype, inner_lr, steps):
    theta = [w.requires_grad_() for w in kind.weights(params, dtype)]
    support_x, support_y, query_x, query_y = data

    def step():
        adapted = [p.expand(n_tasks, *p.shape) for p in theta]
        for _ in range(steps):
            loss = summed_loss(adapted, support_x, support_y)
            adapted = updated(adapted, torch.autograd.grad(loss, adapted, create_graph=True), inner_lr)
        loss = summed_loss(adapted, query_x, query_y) / n_tasks
        return loss.detach(), kind.as_tree(torch.autograd.grad(loss, theta))

    return step


# ---------------------------------------------------------------- a prototypical episode


def prototypical(memory_format, distances, params, episode, dtype):
    """One episode, all its images in one batch; the support is one image per class, in the order of the classes."""
    theta = [w.to(memory_format=memory_format if w.ndim == 4 else torch.contiguous_format).requires_grad_()
             for w in weights(params, dtype)]
    support_x, support_y, query_x, query_y = (a[0] for a in images_and_labels(episode, dtype))
    assert torch.equal(support_y, torch.arange(len(support_y)))
    images = torch.cat([support_x, query_x]).to(memory_format=memory_format)  # `contiguous` does not, for one channel

    def step():
        x = images
        for block in BLOCKS:
            w, gamma, beta = theta[3 * block:3 * block + 3]
            x = F.max_pool2d(F.relu(_fused_batch_norm(F.conv2d(x, w, padding=1), gamma, beta)), 2)
        support, query = x.flatten(1).split([len(support_x), len(query_x)])
        loss = F.cross_entropy(-distances(query, support), query_y)
        return loss.detach(), as_tree(torch.autograd.grad(loss, theta))

    return step


def _differences(a, b):
    return ((a.unsqueeze(1) - b) ** 2).sum(-1)


def _product(a, b):
    return (a * a).sum(1, keepdim=True) + (b * b).sum(1) - 2 * a @ b.T


FORMS = {
    "maml": {"loop": partial(loop, CONV4), "vmap": partial(vmap, CONV4), "grouped": grouped},
    "sinusoids": {"loop": partial(loop, DENSE), "vmap": partial(vmap, DENSE), "batched": batched},
    "prototypical": {"loop": partial(prototypical, torch.contiguous_format, _differences),
                     "last": partial(prototypical, torch.channels_last, _product)},
}
