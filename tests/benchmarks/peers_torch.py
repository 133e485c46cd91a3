"""The second-order MAML meta-step in PyTorch, in the three forms people write it, each in its fastest shape.

`loop`     the textbook's: a loop over tasks, `torch.autograd.grad(..., create_graph=True)` inside.
`vmap`     torch.func: the adaptation of one task, vectorised over tasks by `vmap`.
`grouped`  by hand: the tasks stand side by side in the channels; a convolution has one group for each task.

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
- `torch.compile`: `vmap` becomes 10 % faster (`compiled` below, with --compile), after one minute of
  compiling for 1 inner step and four for 5; `grouped` 6 %.

A form is a function (params, episode, inner_lr, steps, dtype) -> step; step() -> (loss, gradients), which
`as_tree` lays out as the course does. Parameters are 14 tensors: four times w, gamma, beta; then w, b.
"""

import numpy as np
import torch
import torch.nn.functional as F

BLOCKS = range(4)


def weights(params, dtype):
    """The course's parameters as a list of tensors in PyTorch's order: kernels (O,I,3,3), head (5, C*2*2)."""
    tensors = []
    for block in BLOCKS:
        p = params[f"block{block + 1}"]
        tensors += [p["w"].transpose(3, 2, 0, 1), p["gamma"], p["beta"]]
    w = params["head"]["w"]  # rows in the order (row, column, channel); PyTorch's: (channel, row, column)
    w = w.reshape(2, 2, -1, w.shape[1]).transpose(3, 2, 0, 1).reshape(w.shape[1], -1)
    return [torch.from_numpy(np.array(a, dtype, order="C")) for a in (*tensors, w, params["head"]["b"])]


def as_tree(tensors):
    """The inverse of `weights`: gradients laid out like the course's parameters."""
    arrays = [t.detach().numpy() for t in tensors]
    tree = {}
    for block in BLOCKS:
        w, gamma, beta = arrays[3 * block:3 * block + 3]
        tree[f"block{block + 1}"] = {"w": w.transpose(2, 3, 1, 0), "gamma": gamma, "beta": beta}
    w, b = arrays[-2:]
    w = w.reshape(w.shape[0], -1, 2, 2).transpose(2, 3, 1, 0).reshape(-1, w.shape[0])
    return tree | {"head": {"w": w, "b": b}}


def images_and_labels(episode, dtype):
    """support_x (T,M,1,28,28), support_y (T,M), and the same for the queries."""
    data = []
    for x, y in ((episode.support_x, episode.support_y), (episode.query_x, episode.query_y)):
        data.append(torch.from_numpy(np.array(np.moveaxis(x, -1, -3), dtype, order="C")))
        data.append(torch.from_numpy(np.array(y, np.int64)))
    return data


def updated(params, grads, inner_lr):
    """One inner step: theta - alpha * gradient, for every parameter."""
    return [p - inner_lr * g for p, g in zip(params, grads, strict=True)]


# ---------------------------------------------------------------- one task: loop and vmap


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


def loop(params, episode, inner_lr, steps, dtype):
    """A loop over tasks; the meta-gradient is summed up task by task."""
    theta = [w.requires_grad_() for w in weights(params, dtype)]
    tasks = list(zip(*images_and_labels(episode, dtype), strict=True))

    def step():
        total, summed = 0, [torch.zeros_like(w) for w in theta]
        for support_x, support_y, query_x, query_y in tasks:
            adapted = theta
            for _ in range(steps):
                loss = task_loss(adapted, support_x, support_y, _fused_batch_norm)
                adapted = updated(adapted, torch.autograd.grad(loss, adapted, create_graph=True), inner_lr)
            loss = task_loss(adapted, query_x, query_y, _fused_batch_norm) / len(tasks)
            torch._foreach_add_(summed, torch.autograd.grad(loss, theta))
            total = total + loss.detach()
        return total, summed

    return step


def _query_loss(theta, support_x, support_y, query_x, query_y, inner_lr, steps):
    """The query loss of one task after its inner steps, in torch.func's style."""
    for _ in range(steps):
        grads = torch.func.grad(task_loss)(theta, support_x, support_y, _batch_norm)
        theta = updated(theta, grads, inner_lr)
    return task_loss(theta, query_x, query_y, _batch_norm)


def vmap(params, episode, inner_lr, steps, dtype):
    """`torch.func.grad` inside `vmap` over the tasks, `torch.autograd.grad` around both."""
    theta = [w.requires_grad_() for w in weights(params, dtype)]
    data = images_and_labels(episode, dtype)
    losses = torch.func.vmap(_query_loss, in_dims=(None, 0, 0, 0, 0, None, None))

    def step():
        loss = losses(theta, *data, inner_lr, steps).mean()
        return loss.detach(), torch.autograd.grad(loss, theta)

    return step


def compiled(params, episode, inner_lr, steps, dtype):
    """The `vmap` form through `torch.compile`, which needs a C++ compiler and minutes on its first step."""
    theta = weights(params, dtype)
    data = images_and_labels(episode, dtype)
    losses = torch.func.vmap(_query_loss, in_dims=(None, 0, 0, 0, 0, None, None))

    @torch.compile
    def loss_last(theta, *data):
        return torch.func.grad_and_value(lambda theta: losses(theta, *data, inner_lr, steps).mean())(theta)

    return lambda: loss_last(theta, *data)[::-1]


# ---------------------------------------------------------------- all tasks at once: grouped


def tasks_loss(params, x, y):
    """The sum over tasks of the mean cross-entropy: params with a task axis, x (M, T*1, 28, 28), y (T*M,)."""
    n_tasks = len(params[0])
    for block in BLOCKS:
        w, gamma, beta = (p.flatten(0, 1) for p in params[3 * block:3 * block + 3])
        x = F.relu(_batch_norm(F.conv2d(x, w, stride=2, padding=1, groups=n_tasks), gamma, beta))
    features = x.view(len(x), n_tasks, -1).transpose(0, 1)  # (M, T*C, 2, 2) -> (T, M, C*2*2)
    logits = torch.baddbmm(params[-1].unsqueeze(1), features, params[-2].transpose(1, 2))
    return F.cross_entropy(logits.flatten(0, 1), y) * n_tasks


def grouped(params, episode, inner_lr, steps, dtype):
    """Tasks in the channels: one gradient of the summed loss adapts all of them."""
    theta = [w.requires_grad_() for w in weights(params, dtype)]
    support_x, support_y, query_x, query_y = images_and_labels(episode, dtype)
    n_tasks = len(support_x)
    support_x, query_x = (x.transpose(0, 1).flatten(1, 2).contiguous() for x in (support_x, query_x))

    def step():
        adapted = [p.expand(n_tasks, *p.shape) for p in theta]
        for _ in range(steps):
            loss = tasks_loss(adapted, support_x, support_y.flatten())
            adapted = updated(adapted, torch.autograd.grad(loss, adapted, create_graph=True), inner_lr)
        loss = tasks_loss(adapted, query_x, query_y.flatten()) / n_tasks
        return loss.detach(), torch.autograd.grad(loss, theta)

    return step


FORMS = {"loop": loop, "vmap": vmap, "grouped": grouped, "compiled": compiled}
