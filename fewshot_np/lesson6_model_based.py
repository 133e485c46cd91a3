"""Lesson 6: model-based. Learn the learning itself: the support goes in, and what was learned comes out.

In lesson 4 a task is learned by gradient descent. The other way is to let a trained network do that, too: it reads the
support, keeps what it read in a state, and answers the queries from that state. Its update is a forward pass; at test
time nothing is optimised. This is what the field calls **model-based** meta-learning (memory-augmented networks,
SNAIL, neural processes). The document gives that name to the learning of an *initialisation*; in the literature that
family, MAML's and Reptile's, is called *optimisation-based*.

The simplest such model is the conditional neural process (Garnelo et al. 2018). Two networks, h and g:

  r_i = h(x_i, y_i)          each example of the support becomes a vector                                     (eq. 1)
  r   = mean of the r_i      one vector for the whole support, in whatever order and number it came           (eq. 2)
  y   = g(r, x)              the answer at x                                                                  (eq. 3)

Beside lesson 4 it reads line by line: r stands where MAML has its adapted parameters. The paper's g gives a mean and
a standard deviation, trained by likelihood; here it gives the mean alone, trained by squared error, so that both
families minimise the very number by which they are compared.

    python -m fewshot_np.lesson6_model_based
"""

import time
from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import STYLES, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson4_maml import adapt, maml_objective, sample_sinusoids, squared_error, tune_rate
from fewshot_np.nn.networks import Network, mlp
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import repeat

# ---------------------------------------------------------------- the model

WIDTH = 64
ENCODER = mlp([2, WIDTH, WIDTH, WIDTH, WIDTH])      # h: (x, y) -> r_i
DECODER = mlp([WIDTH + 1, WIDTH, WIDTH, WIDTH, 1])  # g: (r, x) -> y


def init(rng):
    """Parameters of both networks: {"encoder": ..., "decoder": ...}."""
    return {"encoder": ENCODER.init(rng), "decoder": DECODER.init(rng)}


def encode(params, x, y):
    """One vector for a set of examples, the mean of theirs: (K,1), (K,1) -> (R,) or (T,K,1), (T,K,1) -> (T,R).

    Garnelo et al. 2018, eq. 1 and 2. A mean does not hear of the order: the encoding is *permutation-invariant*, as a
    set deserves; and it is as long for 1 example as for 1000. ValueError where x and y differ in shape or are empty.
    """
    if x.shape != y.shape or x.ndim not in (2, 3):
        raise ValueError(f"x and y must both be (K,1) or (T,K,1), got {x.shape} and {y.shape}")
    n_points = x.shape[-2]
    if n_points == 0:
        raise ValueError("the mean over no examples is undefined: at least 1 is needed")
    each = ENCODER.apply(params["encoder"], np.concatenate([x, y], axis=-1))  # (T,K,2) -> (T,K,R)
    return np.sum(each, axis=-2) * (1 / n_points)


def decode(params, r, x):
    """The answers at x to a support encoded as r: (R,), (Q,1) -> (Q,1) or (T,R), (T,Q,1) -> (T,Q,1).

    Garnelo et al. 2018, eq. 3.

    ValueError where r does not have the task axis of x.
    """
    if r.shape[:-1] != x.shape[:-2]:
        raise ValueError(f"an encoding {r.shape} does not fit x {x.shape}: both or neither need a task axis")
    each = np.expand_dims(r, -2) * onp.ones((x.shape[-2], 1), r.dtype)  # (T,Q,R): every query sees the same r
    return DECODER.apply(params["decoder"], np.concatenate([each, x], axis=-1))


def condition(params, x, y):
    """What `adapt` is to MAML: from a support to {"decoder", "r"}, which answers queries. No gradient is taken."""
    return {"decoder": params["decoder"], "r": encode(params, x, y)}


def answer(conditioned, x, n_reference=None):
    """The answers at x, from what `condition` returned: (T,Q,1) -> (T,Q,1)."""
    return decode(conditioned, conditioned["r"], x)


CNP = Network(init, answer)
cnp_loss = partial(squared_error, CNP)  # lesson 4's: (conditioned, x, y) -> () or (T,)


def objective(params, episode):
    """Mean over tasks of the query loss after reading the support: beside `maml_objective`, line by line."""
    n_tasks = episode.support_x.shape[0]
    conditioned = condition(params, episode.support_x, episode.support_y)
    return np.sum(cnp_loss(conditioned, episode.query_x, episode.query_y)) * (1 / n_tasks)


def add_point(params, r, n_points, x, y):
    """The encoding of n_points + 1 examples, from that of n_points and one more, x and y (1,1) or (T,1,1).

    r + (r_new - r) / (n + 1): the state is updated, the old examples need not be kept. This costs the same at the
    thousandth example as at the second.
    """
    return r + (encode(params, x, y) - r) * (1 / (n_points + 1))


# ---------------------------------------------------------------- order does not matter


def check_order(params, rng, k_shot=10):
    """(by how much the answers to a curve move when its points come in another order, their standard deviation)."""
    task = sample_sinusoids(k_shot, 100, 1, rng)
    order = rng.permutation(k_shot)
    answers = answer(condition(params, task.support_x, task.support_y), task.query_x)
    others = answer(condition(params, task.support_x[:, order], task.support_y[:, order]), task.query_x)
    return float(onp.abs(answers - others).max()), float(answers.std())


# ---------------------------------------------------------------- the run: training both

MAML_NETWORK = mlp([1, 40, 40, 1])  # as in lesson 4
maml_loss = partial(squared_error, MAML_NETWORK)
TRAINING_POINTS = 10  # MAML's support in training, and the CNP's largest


def train_both(options, rng):
    """(the CNP's parameters, MAML's), after about the same time for each."""
    def curves():  # it is to answer after any number of points, so it meets them all
        return sample_sinusoids(rng.integers(1, TRAINING_POINTS + 1), 20, options.meta_batch, rng)

    cnp, _ = train(objective, init(rng), curves, update=adam,
                   schedule=cosine_decay(options.learning_rate, options.iterations),
                   iterations=options.iterations, path=options.out / "cnp.npz", label="CNP")
    maml, _ = train(lambda params, tasks: maml_objective(maml_loss, params, tasks, options.inner_lr, 1),
                    MAML_NETWORK.init(rng), lambda: sample_sinusoids(TRAINING_POINTS, 10, 25, rng), update=adam,
                    schedule=cosine_decay(options.maml_learning_rate, options.maml_iterations),
                    iterations=options.maml_iterations, path=options.out / "maml.npz", label="MAML")
    return cnp, maml


# ---------------------------------------------------------------- the same curves, the same points


def learners(cnp, maml, inner_lr, rate):
    """{method: learner}: a learner goes from a support x, y (T,K,1) to a function that answers at any x (T,Q,1).

    MAML's 1 step has the rate it was trained for, inner_lr; its 10 steps have a rate of their own (see `descent_rate`).
    """
    def descent(lr, steps):
        return lambda x, y: partial(MAML_NETWORK.apply, adapt(maml_loss, repeat(maml, len(x)), x, y, lr, steps))
    return {"CNP": lambda x, y: partial(answer, condition(cnp, x, y)),
            "MAML, 1 step": descent(inner_lr, 1), "MAML, 10 steps": descent(rate, 10)}


METHODS = ("CNP", "MAML, 1 step", "MAML, 10 steps")


def descent_rate(maml, n_points, rng, height=1):
    """The rate for MAML's 10 steps: that of training diverges on few points, so take the best on 300 other curves."""
    return tune_rate(maml_loss, maml, stretched(sample_sinusoids(n_points, 50, 300, rng), height))


def stretched(tasks, height):
    """The same curves, `height` times as tall."""
    return tasks._replace(support_y=tasks.support_y * height, query_y=tasks.query_y * height)


def run_errors(cnp, maml, points, options, rng, height=1):
    """{(method, number of points): (mean squared error, interval)}; all methods get the same curves and points."""
    found = {}
    for n_points in points:
        methods = learners(cnp, maml, options.inner_lr, descent_rate(maml, n_points, rng, height))

        def errors(tasks, methods=methods):
            return {name: onp.mean((learn(tasks.support_x, tasks.support_y)(tasks.query_x) - tasks.query_y) ** 2,
                                   axis=(1, 2)) for name, learn in methods.items()}

        results = evaluate(errors, lambda n, k=n_points: stretched(sample_sinusoids(k, 100, n, rng), height),
                           options.episodes, batch=100, label=f"test, {n_points} points")
        found |= {(name, n_points): mean_confidence_interval(values) for name, values in results.items()}
    return found


def print_errors(found):
    print("   points" + "".join(f"{name:>20}" for name in METHODS))
    for n_points in dict.fromkeys(n for _, n in found):
        cells = (f"{mean:.3f} ± {interval:.3f}" for mean, interval in (found[name, n_points] for name in METHODS))
        print(f"   {n_points:6}" + "".join(f"{cell:>20}" for cell in cells))


# ---------------------------------------------------------------- what an answer costs


def run_costs(cnp, maml, options, rng, points=(10, 100, 1000)):
    """{(method, number of points): milliseconds} from the points of a curve to 100 answers; also for one point more."""
    methods, costs = learners(cnp, maml, options.inner_lr, options.inner_lr), {}
    for n_points in points:
        x, y, query_x, _ = sample_sinusoids(n_points, 100, 1, rng)[:4]
        for name, learn in methods.items():
            costs[name, n_points] = milliseconds(lambda learn=learn, x=x, y=y, q=query_x: learn(x, y)(q))
    r, one = encode(cnp, x, y), (x[:, :1], y[:, :1])
    costs["CNP", "one more"] = milliseconds(lambda: decode(cnp, add_point(cnp, r, points[-1], *one), query_x))
    return costs


def milliseconds(f, repeats=20):
    """The time of a call of f: the fastest of some, for the others were disturbed."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        f()
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def print_costs(costs):
    points = [n for name, n in costs if name == METHODS[1]]
    print("\n4. What that costs: milliseconds from the points of one curve to 100 answers.\n\n"
          "   points        " + "".join(f"{n:>11}" for n in points) + "     one more")
    for name in METHODS:
        more = f"{costs[name, 'one more']:13.2f}" if name == "CNP" else "    all again"
        print(f"   {name:14}" + "".join(f"{costs[name, n]:11.2f}" for n in points) + more)


# ---------------------------------------------------------------- pictures


def draw_curves(cnp, maml, options, rng, points=(1, 3, 5, 10)):
    """One new curve from its first 1, 3, 5 and 10 points: the CNP above, MAML below."""
    task = sample_sinusoids(max(points), 1, 1, rng)
    x = onp.linspace(-5, 5, 200, dtype="float32").reshape(1, -1, 1)
    figure, panels = new_figure(10, 5, nrows=2, ncols=len(points), sharex=True, sharey=True)
    for column, n in enumerate(points):
        support_x, support_y = task.support_x[:, :n], task.support_y[:, :n]
        methods = learners(cnp, maml, options.inner_lr, descent_rate(maml, n, rng))
        for axes, family in zip(panels[:, column], ("CNP", "MAML"), strict=True):
            axes.plot(x[0, :, 0], whole_curve(task, x[0, :, 0]), color="#BBBBBB", linewidth=3, label="the curve")
            axes.plot(support_x[0, :, 0], support_y[0, :, 0], "k*", markersize=9, zorder=5, label="its points")
            axes.set_title(f"{family}, {n} point{'s' if n > 1 else ''}", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        for style, (name, learn) in zip(STYLES, methods.items(), strict=False):
            axes = panels[0 if name == "CNP" else 1, column]
            axes.plot(x[0, :, 0], learn(support_x, support_y)(x)[0, :, 0], **{**style, "marker": None}, label=name)
    lines = {line.get_label(): line for axes in panels[:, 0] for line in axes.lines}
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=len(lines), frameon=False, fontsize=9)
    return figure


def whole_curve(task, x):
    """The curve that a task's points were drawn from, at x: least squares with the right two functions.

    a sin(x - phase) is a cos(phase) sin x - a sin(phase) cos x: someone who knows the family needs two points. Neither
    the CNP nor MAML has been told.
    """
    def columns(x):
        return onp.stack([onp.sin(x), onp.cos(x)], axis=-1)
    return columns(x) @ onp.linalg.lstsq(columns(task.support_x[0, :, 0]), task.support_y[0, :, 0], rcond=None)[0]


def draw_errors(found):
    points = sorted({n for _, n in found})
    figure, axes = new_figure(6.5, 4)
    for style, name in zip(STYLES, METHODS, strict=False):
        mean, interval = onp.array([found[name, n] for n in points]).T
        axes.errorbar(points, mean, interval, **style, capsize=2, label=name)
    axes.axvspan(TRAINING_POINTS, points[-1], color="#EEEEEE", zorder=0)
    axes.text(TRAINING_POINTS * 1.08, 0.97, "more than in training", transform=axes.get_xaxis_transform(), va="top",
              fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="points of the curve", ylabel="mean squared error on the rest",
             title="New curves, from few points")
    axes.set_xticks(points, labels=points)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


# ---------------------------------------------------------------- all of it

POINTS = (1, 2, 3, 5, 10, 20, 50)


def main(argv=None):
    options = parse_options(
        "lesson6_model_based", "Model-based: a conditional neural process learns a curve in one forward pass.",
        {"iterations": 8000, "learning_rate": 3e-3, "meta_batch": 64, "maml_iterations": 10000,
         "maml_learning_rate": 1e-2, "inner_lr": 0.01, "episodes": 600},
        quick={"iterations": 300, "maml_iterations": 300, "episodes": 40},
        full={"iterations": 100000, "learning_rate": 1e-3, "maml_iterations": 70000, "maml_learning_rate": 1e-3},
        argv=argv)
    if options.data != "glyphs":
        raise ValueError(f"this lesson learns sinusoids, not images: --data {options.data} has no use here")
    started = time.perf_counter()
    rng = onp.random.default_rng(options.seed)
    print("A curve from a few of its points, two ways: a network that reads the points and\n"
          "answers at once (CNP), and a network that takes gradient steps on them (MAML).")
    cnp, maml = train_both(options, rng)
    metrics, pictures = report(cnp, maml, options, rng)
    record = write_record(options.out, "lesson6_model_based", options, time.perf_counter() - started, metrics)
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, *networks, record])
          + "\nNext:    python -m fewshot_np.lesson7_pitfalls")


def report(cnp, maml, options, rng):
    """Print the four parts; returns the metrics and the pictures' paths."""
    moved, spread = check_order(cnp, rng)
    print(f"\n1. Order does not matter: 10 points shuffled move the CNP's answers by {moved:.0e};\n"
          f"   along the curve they vary by {spread:.0e}.\n\n"
          f"2. Mean squared error on {options.episodes} new curves, 95 % interval. Trained on 1 to 10\n"
          "   points (CNP) or on 10 (MAML).\n")
    errors = run_errors(cnp, maml, POINTS, options, rng)
    print_errors(errors)
    print("\n3. The same for curves twice as tall as those it was trained on: up to 10.\n")
    tall = run_errors(cnp, maml, (5, 10, 50), options, rng, height=2)
    print_errors(tall)
    costs = run_costs(cnp, maml, options, rng)
    print_costs(costs)
    pictures = [save_figure(draw_curves(cnp, maml, options, rng), options.out / "curves.png"),
                save_figure(draw_errors(errors), options.out / "errors.png")]
    metrics = {f"{name}, {n} points{where}": {"mean": mean, "interval": interval}
               for where, found in (("", errors), (", twice as tall", tall))
               for (name, n), (mean, interval) in found.items()}
    metrics |= {f"{name}, {n} points, cost" if n != "one more" else f"{name}, one more point, cost":
                {"milliseconds": value} for (name, n), value in costs.items()}
    return metrics | {"order": {"moved": moved, "spread": spread}}, pictures


if __name__ == "__main__":
    run(main)
