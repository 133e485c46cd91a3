"""The same with tensors: PyTorch's implementations in three styles each, right and wrong. No gradient is converted by
hand: the referee takes tensors that still have their graph."""


import numpy as np
import pytest

from fewshot_np import referee

torch = pytest.importorskip("torch")
F = torch.nn.functional


def tensors(*arrays):
    return [torch.tensor(a) for a in arrays]


def a_loop(w, support_x, support_y, query_x, query_y, inner_lr, steps, create_graph=True, detach=False, outer="query"):
    w, *data = tensors(w, support_x, support_y, query_x, query_y)
    w.requires_grad_()
    losses = []
    for sx, sy, qx, qy in zip(*data, strict=True):
        fast = w
        for _ in range(steps):
            fast = fast.detach().requires_grad_() if detach and fast is not w else fast
            (g,) = torch.autograd.grad(F.cross_entropy(sx @ fast, sy), fast, create_graph=create_graph)
            fast = fast - inner_lr * g
        losses.append(F.cross_entropy(qx @ fast, qy) if outer == "query" else F.cross_entropy(sx @ fast, sy))
    torch.stack(losses).mean().backward()
    return w.grad


def with_an_inner_optimizer(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    """The published first-order kind: a copy is trained by SGD, and its gradient is given to the original."""
    w = torch.nn.Parameter(torch.tensor(w))
    total = torch.zeros_like(w)
    for sx, sy, qx, qy in zip(*tensors(support_x, support_y, query_x, query_y), strict=True):
        fast = torch.nn.Parameter(w.detach().clone())
        optimizer = torch.optim.SGD([fast], lr=inner_lr)
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(sx @ fast, sy).backward()
            optimizer.step()
        total += torch.autograd.grad(F.cross_entropy(qx @ fast, qy), fast)[0]
    return total / len(support_x)


@pytest.mark.parametrize(("name", "meta_gradient"), [
    ("first order", lambda *a: a_loop(*a, create_graph=False)), ("first order", with_an_inner_optimizer),
    ("gradient of the support loss, second order", lambda *a: a_loop(*a, outer="support"))])
def test_a_wrong_one_is_named(name, meta_gradient):
    assert referee.second_order(meta_gradient).verdict == name


def test_a_detached_chain_shows_nothing():
    """From two steps on no derivative arrives at w, and w.grad is None."""
    verdict = referee.second_order(lambda *a: a_loop(*a, detach=True), steps=(2,))
    assert verdict.verdict == "it returned None"
    assert "w.grad is None" in " ".join(verdict.meaning.split())


@pytest.mark.parametrize(("name", "create_graph"), [("second order", True), ("first order", False)])
def test_a_training_step_is_judged_without_a_hook(name, create_graph):
    def step(w, tasks, inner_lr, steps, outer_lr):
        p = torch.nn.Parameter(torch.tensor(w))
        optimizer = torch.optim.SGD([p], lr=outer_lr)
        p.grad = a_loop(w, *tasks, inner_lr, steps, create_graph=create_graph)
        optimizer.step()
        return p  # still a Parameter
    assert referee.second_order(step=step).verdict == name


def prototypical(support_x, support_y, query_x, norm=None, logits=lambda d: -d ** 2):
    s, q, y = (t.flatten(1) if t.ndim > 1 else t for t in tensors(support_x, query_x, support_y))
    if norm:
        joint = norm(torch.cat([s, q]))
        s, q = joint[:len(s)], joint[len(s):]
    p = torch.stack([s[y == c].mean(0) for c in y.unique()])
    return logits(torch.cdist(q, p)).requires_grad_()


def test_a_classifier_of_tensors_is_judged():
    assert referee.scores(prototypical).check().verdict == "inductive"
    norm = torch.nn.BatchNorm1d(784)
    assert referee.scores(lambda s, y, q: prototypical(s, y, q, norm=norm)).verdict == "transductive"
    norm.eval()
    assert referee.scores(lambda s, y, q: prototypical(s, y, q, norm=norm)).verdict == "inductive"
    dropout = torch.nn.Dropout()
    assert referee.scores(lambda s, y, q: prototypical(s, y, q, norm=dropout)).verdict == "it is random"
    wrong_axis = referee.scores(lambda s, y, q: prototypical(s, y, q).argmax(0))
    assert wrong_axis.verdict == "one answer per class, not per query"


def pairs(e1, e2, y, margin, flip=False):
    e1, e2, y = tensors(e1, e2, y)
    e1.requires_grad_()
    y, d = (1 - y if flip else y), F.pairwise_distance(e1, e2)
    return e1, (y * d ** 2 + (1 - y) * F.relu(margin - d) ** 2).mean()


def derivative(*args):
    e1, loss = pairs(*args)
    loss.backward()
    return e1.grad


def test_formulas_of_tensors_are_judged():
    referee.losses(contrastive=lambda *a: pairs(*a)[1], contrastive_gradient=derivative,
                   prototype_logits=lambda q, p: -torch.cdist(*tensors(q, p)) ** 2,
                   cross_entropy=lambda z, y: F.cross_entropy(*tensors(z, y))).check()
    assert "wrong way round" in referee.losses(contrastive=lambda *a: pairs(*a, flip=True)[1]).verdict


def test_an_interval_and_a_split_of_tensors_are_judged():
    def half(values, **kwargs):
        values = torch.tensor(values)
        return values.mean(), 1.96 * values.std(**kwargs) / len(values) ** 0.5
    referee.interval(half).check()
    assert "ddof=0" in referee.interval(lambda v: half(v, unbiased=False)).verdict
    images = torch.rand(8, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    shared = referee.splits((images[:5], torch.arange(5)), test=(images[4:], torch.arange(10, 14)))
    assert shared.verdict == "train and test share images"
    assert referee.splits((images[:4], list("abcd")), test=(images[4:], np.array(list("efgh")))).ok


def test_bfloat16_is_taken():
    assert not referee.second_order(lambda *a: a_loop(*a).to(torch.bfloat16)).verdict.startswith("it returned")
