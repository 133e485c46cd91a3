"""The run of lesson 6, model-based: networks that read their examples, beside MAML, on curves, patients, characters."""

import time
from functools import partial

import numpy as np

from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, plus_minus, print_table, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import tune_rate
from fewshot_np.lesson4_maml import adapt, error_after, maml_objective, sample_sinusoids, squared_error
from fewshot_np.lesson6_model_based import add_point, answer, check_order, condition, decode, encode, init, objective
from fewshot_np.lesson6_model_based.context_run import (
    CURVES,
    TABLES,
    run_characters,
    run_patients,
    train_on_curves,
    train_on_tables,
)
from fewshot_np.lesson6_model_based.figures import draw_boundaries, draw_curves, draw_errors
from fewshot_np.lesson6_model_based.memory_run import memory_part
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import repeat

DEFAULTS = {"iterations": 8000, "learning_rate": 3e-3, "meta_batch": 64, "maml_iterations": 10000,
            "maml_learning_rate": 1e-2, "inner_lr": 0.01, "episodes": 600, "transformer_rate": 3e-3,
            "curve_iterations": 5000, "curve_batch": 32, "table_iterations": 4000, "table_batch": 16,
            "patient_episodes": 1000, "embedding_iterations": 700, "character_iterations": 2000, "character_pool": 2000,
            "memory_iterations": 400, "slots": 10}
QUICK = {"iterations": 300, "maml_iterations": 300, "episodes": 40, "curve_iterations": 50, "table_iterations": 50,
         "patient_episodes": 40, "embedding_iterations": 10, "character_iterations": 10, "character_pool": 40,
         "memory_iterations": 3}
FULL = {"iterations": 100000, "learning_rate": 1e-3, "maml_iterations": 70000, "maml_learning_rate": 1e-3}
TEXTS = {"meta_batch": "curves per iteration of the CNP's training",
         "maml_iterations": "training iterations of MAML",
         "maml_learning_rate": "learning rate of MAML's training, at its start",
         "inner_lr": "learning rate of MAML's inner loop",
         "transformer_rate": "learning rate of every transformer, at its start",
         "curve_iterations": "training iterations of the transformer on curves",
         "curve_batch": "curves per iteration of that training",
         "table_iterations": "training iterations of the transformer on made-up tables",
         "table_batch": "made-up tables per iteration of that training",
         "patient_episodes": "test tasks of patients",
         "character_pool": "tasks of embedded characters that it draws from, each with new labels",
         "embedding_iterations": "training iterations of the network that embeds characters",
         "character_iterations": "training iterations of the transformer on embedded characters",
         "memory_iterations": "training iterations of the memory, and of attention, on streams",
         "slots": "slots of the memory"}
MAML_NETWORK = mlp([1, 40, 40, 1])  # as in lesson 4
sinusoid_loss = partial(squared_error, MAML_NETWORK)
TRAINING_POINTS = 10  # MAML's support in training, and the CNP's largest
POINTS = (1, 2, 3, 5, 10, 20, 50)  # of a test curve
METHODS = ("CNP", "transformer", "MAML, 1 step", "MAML, 10 steps")
TITLES = {  # by the height of the curves
    1: "1. Mean squared error on {} new curves, 95 % interval. Trained on 1 to 10\n"
       "   points (CNP, transformer) or on 10 (MAML).",
    2: "2. The same for curves twice as tall as those of the training: up to 10."}


def main(argv=None):
    options = parse_options(
        "lesson6_model_based", "Model-based: networks that learn a task by reading it, in one forward pass.",
        DEFAULTS, QUICK, FULL, texts=TEXTS, argv=argv)
    started, rng = time.perf_counter(), np.random.default_rng(options.seed)
    training, _, test = load_splits(options)
    refuse_impossible(*(partial(sample_episodes, part, 5, 1, 5, 1) for part in (training, test)))
    print("A curve from a few of its points, two ways: a network that reads the points and\n"
          "answers at once (CNP, transformer), and one that takes gradient steps on them\n"
          "(MAML). Then patients from a few that are diagnosed, by reading alone.")
    cnp, maml = train_both(options, rng)
    reader, tables = train_on_curves(options, TRAINING_POINTS), train_on_tables(options)
    order = check_order(cnp, rng)
    errors = run_errors(cnp, maml, POINTS, options, rng, reader=reader)
    tall = run_errors(cnp, maml, (5, 10, 50), options, rng, height=2, reader=reader)
    costs = run_costs(cnp, maml, options, rng, reader=reader)
    print_order(*order)
    metrics = (as_metrics(errors, "") | as_metrics(tall, ", twice as tall") | costs
               | {"order": dict(zip(("moved", "spread"), order, strict=True))})
    curves = draw_one_curve(cnp, maml, options, rng, reader)
    metrics |= run_patients(tables, options) | run_characters(training, test, options)
    streams, instances = memory_part(training, test, options)
    finish("lesson6_model_based", options, started, metrics | streams,
           {"curves": curves, "instances": instances, "errors": draw_errors(errors, TRAINING_POINTS),
            "boundaries": draw_boundaries(partial(TABLES.apply, tables), np.random.default_rng(options.seed))},
           ["python -m fewshot_np.lesson7_pitfalls"])


# ---------------------------------------------------------------- training both


def train_both(options, rng):
    """(the CNP's parameters, MAML's), after about the same time for each."""
    def curves():  # it is to answer after any number of points, so it meets them all
        return sample_sinusoids(rng.integers(1, TRAINING_POINTS + 1), 20, options.meta_batch, rng)

    cnp, _ = train(objective, init(rng), curves, update=adam,
                   schedule=cosine_decay(options.learning_rate, options.iterations),
                   iterations=options.iterations, path=options.out / "cnp.npz", label="CNP")
    maml, _ = train(partial(maml_objective, sinusoid_loss, inner_lr=options.inner_lr, steps=1), MAML_NETWORK.init(rng),
                    lambda: sample_sinusoids(TRAINING_POINTS, 10, 25, rng), update=adam,
                    schedule=cosine_decay(options.maml_learning_rate, options.maml_iterations),
                    iterations=options.maml_iterations, path=options.out / "maml.npz", label="MAML")
    return cnp, maml


# ---------------------------------------------------------------- 1. and 2. the same curves, the same points


def curve_fitters(cnp, maml, inner_lr, rate, reader=None):
    """{method: fitter}: a fitter goes from a support x, y (T,K,1) to a function that answers at any x (T,Q,1).

    MAML's 1 step has the rate it was trained for, inner_lr; its 10 steps have a rate of their own (see `descent_rate`).
    reader: the transformer's parameters.
    """
    def descent(lr, steps):
        return lambda x, y: partial(MAML_NETWORK.apply, adapt(sinusoid_loss, repeat(maml, len(x)), x, y, lr, steps))
    def read(x, y):
        return lambda query_x: CURVES.apply(reader, x, y, query_x)
    return {"CNP": lambda x, y: partial(answer, condition(cnp, x, y)), **({"transformer": read} if reader else {}),
            "MAML, 1 step": descent(inner_lr, 1), "MAML, 10 steps": descent(rate, 10)}


def descent_rate(maml, n_points, rng, height=1):
    """The rate for MAML's 10 steps, best on 300 other curves, because that of training diverges on few points."""
    tasks = scale_targets(sample_sinusoids(n_points, 50, 300, rng), height)
    return tune_rate(partial(error_after, sinusoid_loss, maml, tasks, 10), (0.0003, 0.001, 0.003, 0.01, 0.03))


def scale_targets(tasks, height):
    """The same curves, `height` times as tall."""
    return tasks._replace(support_y=tasks.support_y * height, query_y=tasks.query_y * height)


def run_errors(cnp, maml, points, options, rng, height=1, reader=None):
    """Print and return {(method, number of points): (mean squared error, interval)}, all on the same curves."""
    results = {}
    for n_points in points:
        fitters = curve_fitters(cnp, maml, options.inner_lr, descent_rate(maml, n_points, rng, height), reader)

        def errors(tasks, fitters=fitters):
            return {name: np.mean((fit(tasks.support_x, tasks.support_y)(tasks.query_x) - tasks.query_y) ** 2,
                                  axis=(1, 2)) for name, fit in fitters.items()}

        values = evaluate(errors, lambda n, k=n_points: scale_targets(sample_sinusoids(k, 100, n, rng), height),
                          options.episodes, batch=100, label=f"test, {n_points} points")
        results |= {(name, n_points): mean_confidence_interval(error) for name, error in values.items()}
    print(f"\n{TITLES[height].format(options.episodes)}\n")
    names = [name for name in METHODS if (name, points[0]) in results]
    print_table(["points", *names], [
        [str(n), *(plus_minus(*results[name, n], scale=1, digits=3) for name in names)] for n in points])
    return results


def as_metrics(results, condition):
    return {f"{name}, {n} points{condition}": metric(*interval) for (name, n), interval in results.items()}


# ---------------------------------------------------------------- 3. what an answer costs


def run_costs(cnp, maml, options, rng, points=(10, 100, 1000), reader=None):
    """Print and return the milliseconds from the points of a curve to 100 answers; also for one point more."""
    fitters, costs = curve_fitters(cnp, maml, options.inner_lr, options.inner_lr, reader), {}
    for n_points in points:
        x, y, query_x, _ = sample_sinusoids(n_points, 100, 1, rng)[:4]
        for name, fit in fitters.items():
            costs[name, f"{n_points} points"] = milliseconds(lambda fit=fit, x=x, y=y, q=query_x: fit(x, y)(q),
                                                             repeats=5 if n_points > 100 else 20)
    r, one = encode(cnp, x, y), (x[:, :1], y[:, :1])
    one_more = milliseconds(lambda: decode(cnp, add_point(cnp, r, points[-1], *one), query_x))
    costs["CNP", "one more point"] = one_more
    print("\n3. What that costs: milliseconds from the points of one curve to 100 answers.\n")
    print_table(["points", *map(str, points), "one more"],
                [[name, *(f"{costs[name, f'{n} points']:.2f}" for n in points),
                  f"{one_more:.2f}" if name == "CNP" else "all again"] for name in fitters])
    return {f"{name}, {what}, cost": {"milliseconds": value} for (name, what), value in costs.items()}


def milliseconds(f, repeats=20):
    """The time of a call of f: the fastest of some, because the others were disturbed."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        f()
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


# ---------------------------------------------------------------- 4. the order of the points, and a picture


def print_order(moved, spread):
    print(f"\n4. Order does not matter: 10 points shuffled move the CNP's answers by {moved:.0e};\n"
          f"   along the curve they vary by {spread:.0e}.")


def draw_one_curve(cnp, maml, options, rng, reader):
    task = sample_sinusoids(10, 1, 1, rng)
    return draw_curves(lambda n: curve_fitters(cnp, maml, options.inner_lr, descent_rate(maml, n, rng), reader), task)


if __name__ == "__main__":
    run(main)
