"""What the answers to lesson 4's exercises are compared with, and on what."""

from functools import partial

from autograd import make_vjp
from autograd import numpy as np
from autograd.extend import defvjp, primitive

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml import adapt, conjugate_gradients, maml_objective, prototype_head
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, repeat
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- the losses that the answers are given
#
# Softmax regression and a network with a hidden layer: their Hessians change from point to point and from task to
# task. Labels of N classes, so that no example of the support is labelled like its counterpart in the query.


def line(w, x, y):
    """Half the squared error of y = w x, for one task or, w (T,1), for T."""
    return np.sum((w * x - y) ** 2, axis=-1) / 2


def line_with_slope(params, x, y):
    return line(params["slope"], x, y)


def softmax_regression(w, x, y):
    return cross_entropy(np.matmul(x, w), y)


def regression_with_bias(params, x, y):
    return cross_entropy(np.matmul(x, params["w"]) + params["b"], y)


def product(params, x, y):
    return np.sum((params["head"] * params["body"] * x - y) ** 2) / 2


def hidden_layer(params, x, y):
    return cross_entropy(np.matmul(np.tanh(np.matmul(x, params["body"])), params["head"]), y)


def draw(rng, n_examples, n_features, n_way, n_tasks=()):
    return rng.normal(size=(*n_tasks, n_examples, n_features)), rng.integers(0, n_way, size=(*n_tasks, n_examples))


# ---------------------------------------------------------------- the exercises


@exercise("maml.1", partial(adapt, steps=1), gradients=("params",))
def test_inner_step(rng):
    yield case("by hand", expected={"slope": [1.8]}, loss=line_with_slope, params={"slope": np.array([1.0])},
               x=np.array([2.0]), y=np.array([6.0]), inner_lr=0.1)
    yield case("by hand, a steep loss", expected={"slope": [1.5]}, loss=line_with_slope,  # (10 - 60) * 10
               params={"slope": np.array([1.0])}, x=np.array([10.0]), y=np.array([60.0]), inner_lr=0.001)
    x, y = draw(rng, 7, 4, 3)
    params = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    yield case("7 examples, 4 features, 3 classes", loss=regression_with_bias, params=params, x=x, y=y, inner_lr=0.5)
    yield case("one example", loss=regression_with_bias, params=params, x=x[:1], y=y[:1], inner_lr=2.0)


def library_objective(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return maml_objective(loss, w, Episode(support_x, support_y, query_x, query_y, None, None), inner_lr, steps=1)


@exercise("maml.2", library_objective, gradients=("w",), order=2)
def test_meta_objective(rng):
    yield case("by hand", expected=0.72, loss=line, w=np.array([1.0]), support_x=np.array([[2.0]]),
               support_y=np.array([[6.0]]), query_x=np.array([[1.0]]), query_y=np.array([[3.0]]), inner_lr=0.1)
    for name, n_tasks, inner_lr in [("2 tasks", 2, 0.5), ("3 tasks, a large inner rate", 3, 2.0)]:
        (support_x, support_y), (query_x, query_y) = draw(rng, 5, 4, 3, (n_tasks,)), draw(rng, 7, 4, 3, (n_tasks,))
        yield case(name, loss=softmax_regression, w=rng.normal(size=(4, 3)), support_x=support_x, support_y=support_y,
                   query_x=query_x, query_y=query_y, inner_lr=inner_lr)


def gradient(w, data):
    return grad(softmax_regression)(w, *data)


def hessian_product(w, data, v):
    return make_vjp(lambda w: gradient(w, data))(w)[0](v)


def parabola_gradient(w, data):
    return data * w


def parabola_hessian_product(w, data, v):
    return data * v


def meta_gradient_by_autograd(gradient, hessian_product, w, support, query, inner_lr, steps):
    """The inner gradient as a primitive, whose vjp is the Hessian product; autograd does the rest."""
    inner_gradient = primitive(lambda w: gradient(w, support))
    defvjp(inner_gradient, lambda ans, w: lambda v: hessian_product(w, support, v))

    def adapted(w):
        for _ in range(steps):
            w = w - inner_lr * inner_gradient(w)
        return w
    carry_back, last = make_vjp(adapted)(w)
    return carry_back(gradient(last, query))


@exercise("maml.3", meta_gradient_by_autograd)
def test_meta_gradient(rng):
    parabola = {"gradient": parabola_gradient, "hessian_product": parabola_hessian_product, "w": np.array([1.0]),
                "support": 2.0, "query": 3.0, "inner_lr": 0.1}
    yield case("by hand", expected=[1.92], **parabola, steps=1)
    yield case("by hand, two steps", expected=[1.2288], **parabola, steps=2)  # 0.8^2 there, 3 times it, 0.8^2 back
    support, query, w = draw(rng, 5, 4, 3), draw(rng, 7, 4, 3), rng.normal(size=(4, 3))
    common = {"gradient": gradient, "hessian_product": hessian_product, "w": w, "support": support, "query": query,
              "inner_lr": 1.5}
    for name, steps in [("one step", 1), ("3 steps", 3), ("no step", 0)]:
        yield case(f"softmax regression, {name}", **common, steps=steps)
    by_the_library = grad(lambda w: softmax_regression(adapt(softmax_regression, w, *support, 1.5, 2), *query))(w)
    yield case("softmax regression, 2 steps", expected=by_the_library, **common, steps=2)


def both_orders(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    def objective(w, first_order):
        return loss(adapt(loss, w, support_x, support_y, inner_lr, steps, first_order), query_x, query_y)
    return grad(objective)(w, True), grad(objective)(w, False)


@exercise("maml.4", both_orders)
def test_first_and_second_order(rng):
    yield case("by hand", expected=([-1.2], [-0.72]), loss=line, w=np.array([1.0]), support_x=np.array([2.0]),
               support_y=np.array([6.0]), query_x=np.array([1.0]), query_y=np.array([3.0]), inner_lr=0.1, steps=1)
    (support_x, support_y), (query_x, query_y) = draw(rng, 5, 4, 3), draw(rng, 7, 4, 3)
    w = rng.normal(size=(4, 3))
    for name, steps in [("one step", 1), ("3 steps", 3)]:
        yield case(f"softmax regression, {name}", loss=softmax_regression, w=w, support_x=support_x,
                   support_y=support_y, query_x=query_x, query_y=query_y, inner_lr=0.8, steps=steps)


def library_anil_step(loss, params, x, y, inner_lr):
    return adapt(loss, params, x, y, {"head": inner_lr}, steps=1)


@exercise("maml.5", library_anil_step, gradients=("params",))
def test_anil_step(rng):
    yield case("by hand", expected={"body": [2.0], "head": [1.4]}, loss=product,
               params={"body": np.array([2.0]), "head": np.array([1.0])}, x=np.array([1.0]), y=np.array([4.0]),
               inner_lr=0.1)
    x, y = draw(rng, 7, 4, 3)
    params = {"body": rng.normal(size=(4, 5)), "head": rng.normal(size=(5, 3))}
    yield case("7 examples, 5 hidden units", loss=hidden_layer, params=params, x=x, y=y, inner_lr=0.5)


def library_adapt_all(loss, w, x, y, inner_lr, steps):
    return adapt(loss, repeat(w, len(x)), x, y, inner_lr, steps)


@exercise("maml.6", library_adapt_all, gradients=("w",))
def test_adapt_all(rng):
    yield case("by hand", expected=[[1.8], [1.2]], loss=line, w=np.array([1.0]), x=np.array([[2.0], [1.0]]),
               y=np.array([[6.0], [3.0]]), inner_lr=0.1, steps=1)
    x, y = draw(rng, 5, 4, 3, (3,))  # of two tasks, a loss called twice a step would look like one call for each task
    w = rng.normal(size=(4, 3))
    for name, steps in [("one step", 1), ("2 steps", 2)]:
        yield case(f"3 tasks, {name}", loss=softmax_regression, w=w, x=x, y=y, inner_lr=0.5, steps=steps,
                   counted="loss")
    yield case("one task", loss=softmax_regression, w=w, x=x[:1], y=y[:1], inner_lr=0.5, steps=2)


def product_with(matrix):
    def product(v):
        return matrix @ v
    return product


def positive_definite(rng, n):
    root = rng.normal(size=(n, n))
    return root @ root.T / n + np.eye(n)


@exercise("maml.7", conjugate_gradients)
def test_conjugate_gradients(rng):
    by_hand = {"product": product_with(np.array([[4.0, 1.0], [1.0, 3.0]])), "b": np.array([1.0, 2.0])}
    yield case("by hand", expected=[0.25, 0.5], **by_hand, steps=1)
    yield case("by hand, two steps", expected=[1 / 11, 7 / 11], **by_hand, steps=2)
    yield case("by hand, solved by the first of three steps", expected=[0.5, 1.0, -1.5],
               product=product_with(2 * np.eye(3)), b=np.array([1.0, 2.0, -3.0]), steps=3)
    for name, steps in [("one step", 1), ("two steps", 2), ("3 steps", 3)]:
        yield case(f"5 unknowns, {name}", product=product_with(positive_definite(rng, 5)), b=rng.normal(size=5),
                   steps=steps, counted="product")
    yield case("a small b", product=product_with(positive_definite(rng, 5)), b=1e-3 * rng.normal(size=5), steps=2)
    matrix, b = positive_definite(rng, 4), rng.normal(size=4)
    yield case("4 unknowns, 4 steps", expected=np.linalg.solve(matrix, b), product=product_with(matrix), b=b, steps=4)


@exercise("maml.8", prototype_head, gradients=("features",))
def test_prototype_head(rng):
    yield case("by hand", expected={"w": [[4.0, 0.0], [2.0, -2.0]], "b": [-5.0, -1.0]},
               features=np.array([[1.0, 0.0], [0.0, -1.0], [3.0, 2.0]]), labels=np.array([0, 1, 0]), n_way=2)
    for name, labels in [("unequal classes in any order", [2, 0, 2, 1, 0, 2, 2]), ("one example each", [1, 2, 0])]:
        yield case(f"4 features, {name}", features=rng.normal(size=(len(labels), 4)), labels=np.array(labels), n_way=3)
