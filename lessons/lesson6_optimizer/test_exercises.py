"""What the answers to lesson 6's exercises on learned optimisers are compared with, and on what."""

from functools import partial

from autograd import numpy as np

from fewshot_np import lesson6_optimizer as lesson
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.nn.primitives import cross_entropy, stop_gradient
from fewshot_np.nn.trees import grad, tree_map
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- the losses that the answers are given


def line(params, x, y):
    return np.sum((params["slope"] * x + params["bias"] - y) ** 2) / 2


def regression_with_bias(params, x, y):
    return cross_entropy(np.matmul(x, params["w"]) + params["b"], y)


def softmax_regression(w, x, y):
    return cross_entropy(np.matmul(x, w), y)


def draw(rng, n_examples, n_features, n_way):
    return rng.normal(size=(n_examples, n_features)), rng.integers(0, n_way, size=n_examples)


# ---------------------------------------------------------------- Meta-SGD


@exercise("optimizer.1", lesson.meta_sgd_step, gradients=("start", "rates"), order=2)
def test_meta_sgd_step(rng):
    point = {"x": np.array([2.0]), "y": np.array([5.0])}
    start = {"slope": np.array([0.0]), "bias": np.array([1.0])}
    for name, slope, bias, expected in [("by hand, a negative rate", 0.1, -0.5, (0.8, -1.0)),
                                        ("by hand", 0.25, 0.0, (2.0, 1.0))]:
        yield case(name, expected={"slope": [expected[0]], "bias": [expected[1]]}, loss=line, start=start,
                   rates={"slope": np.array([slope]), "bias": np.array([bias])}, **point)
    x, y = draw(rng, 7, 4, 3)
    start = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    rates = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}  # some are negative
    yield case("7 examples, 4 features, 3 classes", loss=regression_with_bias, start=start, rates=rates, x=x, y=y)
    yield case("one example", loss=regression_with_bias, start=start, rates=rates, x=x[:1], y=y[:1])


def gradient(w, data):
    return grad(softmax_regression)(w, *data)


def parabola_gradient(w, data):
    return data * w


def library_gradient_of_rates(w, rates, supports, queries):
    """By autograd, through the library's own objective."""
    def loss(params, x, y):
        return cross_entropy(np.matmul(x, params["w"]), y)
    arrays = [np.stack(part) for data in (supports, queries) for part in zip(*data, strict=True)]
    params = {"start": {"w": w}, "rates": {"w": rates}}
    return grad(partial(lesson.meta_sgd_objective, loss))(params, Episode(*arrays, None, None))["rates"]["w"]


def gradient_of_rates_by_hand(gradient, w, rates, supports, queries):
    total = np.zeros_like(w)
    for support, query in zip(supports, queries, strict=True):
        g = gradient(w, support)
        total = total - g * gradient(w - rates * g, query)
    return total / len(supports)


@exercise("optimizer.2", gradient_of_rates_by_hand)
def test_gradient_of_rates(rng):
    yield case("by hand", expected=[-4.8], gradient=parabola_gradient, w=np.array([1.0]), rates=np.array([0.1]),
               supports=[2.0], queries=[3.0])
    # the second task leads from 1 to 1.2 (support -2), where the query gradient is 1.2: -(-2 * 1.2) = +2.4
    yield case("by hand, two tasks that disagree", expected=[-1.2], gradient=parabola_gradient, w=np.array([1.0]),
               rates=np.array([0.1]), supports=[2.0, -2.0], queries=[3.0, 1.0])
    # they lead to 0.9, 0.8 and 0.7, with the query gradients 1.8, 0.8 and 2.1: -(1 * 1.8 + 2 * 0.8 + 3 * 2.1) / 3
    yield case("by hand, three tasks", expected=[-9.7 / 3], gradient=parabola_gradient, w=np.array([1.0]),
               rates=np.array([0.1]), supports=[1.0, 2.0, 3.0], queries=[2.0, 1.0, 3.0])
    w, rates = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    supports, queries = [draw(rng, 5, 4, 3) for _ in range(2)], [draw(rng, 7, 4, 3) for _ in range(2)]
    common = {"gradient": gradient, "w": w, "rates": rates}
    yield case("softmax regression, 2 tasks", **common, supports=supports, queries=queries)
    yield case("softmax regression, one task", **common, supports=supports[:1], queries=queries[:1])
    yield case("the library's objective, 2 tasks", expected=library_gradient_of_rates(w, rates, supports, queries),
               **common, supports=supports, queries=queries)


# ---------------------------------------------------------------- the LSTM optimiser


@exercise("optimizer.3", lesson.preprocess)
def test_preprocess(rng):
    e = np.exp(1.0)
    yield case("by hand", expected=[[2.0, 1.0], [-0.5, -1.0], [-1.0, 1 / e]],
               gradients=np.array([e ** 4, -1 / e, e ** -3]), p=2.0)
    yield case("a gradient of 0, and one of 1", expected=[[-1.0, 0.0], [0.0, 1.0]], gradients=np.array([0.0, 1.0]),
               p=3.0)
    yield case("just at the border", expected=[[-1.0, 1.0], [-1.0, -1.0]],
               gradients=np.array([1.0, -1.0]) * np.exp(-3.0), p=3.0)
    yield case("7 gradients of all sizes", gradients=rng.normal(size=7) * 10.0 ** np.arange(-5, 2), p=5.0)
    yield case("one gradient, too small", gradients=rng.normal(size=1) * 1e-6, p=10.0)


def layer(rng, n_in, n_out):
    return {"w": rng.normal(size=(n_in, n_out)), "b": rng.normal(size=n_out)}


def gates(rng, n_in, hidden):
    return {gate: layer(rng, n_in + hidden, hidden) for gate in ("forget", "input", "output", "candidate")}


@exercise("optimizer.4", lesson.lstm_cell, gradients=("params", "x", "h", "c"))
def test_lstm_cell(rng):
    half = np.log(3.0) / 2  # tanh of it is 0.5
    biases = {"forget": 2 * half, "input": -2 * half, "output": 0.0, "candidate": half}
    still = {gate: {"w": np.zeros((2, 1)), "b": np.array([b])} for gate, b in biases.items()}
    yield case("by hand", expected=([[0.3100005]], [[0.725]]), params=still, x=np.array([[9.0]]), h=np.array([[7.0]]),
               c=np.array([[0.8]]))
    x, h, c = rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    yield case("5 rows, I = 2, H = 3", params=gates(rng, 2, 3), x=x, h=h, c=c)
    yield case("one row, I = 4, H = 2", params=gates(rng, 4, 2), x=rng.normal(size=(1, 4)), h=h[:1, :2], c=c[:1, :2])
    yield case("the first step, no memory yet", params=gates(rng, 2, 3), x=x, h=0 * h, c=0 * c)


def unrolled_by_the_library(update, loss, phi, theta, steps_before, segment):
    """The two halves of the library's `optimizer_objective`, for any update rule and one learner."""
    def using(phi):
        def move(learner, gradients, state):
            step, state = update(phi, gradients, state)
            return learner + step, state
        return move

    def task_loss(theta, x, y):
        return loss(theta)
    _, theta, state = lesson.optimise(using(stop_gradient(phi)), task_loss, theta, None, None, steps_before)
    losses, _, _ = lesson.optimise(using(phi), task_loss, theta, None, None, segment, state)
    return sum(losses) * (1 / segment)


def learned_rate(phi, gradient, state):
    return -phi * gradient, state


def learned_momentum(phi, gradient, state):
    """Two learned numbers: how much of the old step is kept, and the rate."""
    step = -phi[1] * gradient if state is None else phi[0] * state - phi[1] * gradient
    return step, step


def parabola(theta):
    return np.sum(theta ** 2) / 2


class Bowl:
    """Curved differently in each direction, and not a parabola: the Hessian changes from point to point."""

    def __init__(self, curvature):
        self.curvature = curvature

    def __call__(self, theta):
        return np.sum(self.curvature * theta ** 2) / 2 + 0.1 * np.sum(theta ** 4)


LSTM = tree_map(lambda p: p.astype(float), lesson.init_optimizer(np.random.default_rng(0), hidden=3))


def scaled_lstm(phi, gradient, state):
    """The library's LSTM, with all of its parameters multiplied by phi."""
    params = tree_map(lambda p: phi * p, LSTM)
    state = lesson.initial_state(params, len(gradient)) if state is None else state
    return lesson.lstm_update(params, gradient, state)


@exercise("optimizer.5", unrolled_by_the_library, gradients=("phi",))
def test_unrolled_loss(rng):
    yield case("by hand", expected=0.01953125, update=learned_rate, loss=parabola, phi=np.array([0.5]),
               theta=np.array([1.0]), steps_before=1, segment=2)
    # from 1 to -2 to 4: the losses 2 and 8
    yield case("by hand, a loss that rises", expected=5.0, update=learned_rate, loss=parabola, phi=np.array([3.0]),
               theta=np.array([1.0]), steps_before=0, segment=2)
    bowl, theta = Bowl(rng.uniform(0.5, 1.5, size=3)), rng.uniform(0.5, 1.5, size=3) * rng.choice([-1, 1], size=3)
    rule = {"update": learned_momentum, "loss": bowl, "phi": np.array([0.6, 0.2]) + 0.05 * rng.normal(size=2),
            "theta": theta}
    for name, before, segment in [("no step before, 3 steps", 0, 3), ("2 steps before, 3 steps", 2, 3),
                                  ("one step alone", 0, 1), ("3 steps before, one step", 3, 1)]:
        yield case(f"learned momentum, {name}", **rule, steps_before=before, segment=segment)

    def loss_of_one(learner, x, y):
        return np.reshape(bowl(learner[0]), (1,))
    phi, tasks = np.array([3.0]), lesson.OptimizerTask(theta[None], np.zeros((1, 1, 1)), None, 2)
    expected = lesson.optimizer_objective(loss_of_one, tree_map(lambda p: phi * p, LSTM), tasks, 3)
    yield case("the library's LSTM, 2 steps before, 3 steps", expected=expected, update=scaled_lstm, loss=bowl, phi=phi,
               theta=theta, steps_before=2, segment=3)
