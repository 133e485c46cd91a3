"""Lesson 4: MAML. Learn a starting point from which one gradient step is enough.

Model-agnostic meta-learning (Finn, Abbeel & Levine 2017) trains with two loops.

  inner loop   a task brings a few labelled examples, the *support*. From the common starting point theta take one or
               a few steps of plain gradient descent on its loss:  theta' = theta - alpha grad L_support(theta)
  outer loop   judge theta' on *other* examples of the same task, the *query*, and move theta so that theta' gets
               better:  theta <- theta - beta grad_theta mean over tasks of L_query(theta')

The outer gradient flows back *through* the inner step, and there meets the gradient of a gradient:

  d L_query(theta') / d theta = (I - alpha H) grad L_query(theta'),   H the Hessian of L_support at theta.

No line below computes H. `grad` of `grad` does it, because every primitive's derivative can be differentiated again.
Two shortcuts are here for comparison: *first-order MAML* deletes H; *ANIL* lets the inner loop move the head alone.

    python -m fewshot_np.lesson4_maml
"""

import time
from functools import partial

import numpy as onp
from autograd import numpy as np
from autograd.builtins import isinstance  # knows autograd's boxes

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import STYLES, draw_episode, draw_learning_curve, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import Episode, accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import add_scaled, cross_entropy, stop_gradient
from fewshot_np.nn.trees import grad, repeat, task_gradient, tree_map

# ---------------------------------------------------------------- the inner loop


def adapt(loss, params, x, y, inner_lr, steps, first_order=False):
    """`steps` steps of gradient descent on loss(params, x, y), from params to adapted params.

    Finn et al. 2017, Algorithm 2, line 7.

    loss: -> () for one task, or (T,) for T tasks at once; then x, y *and every parameter* have the task axis in front
    (see `repeat`). One `grad` of the sum adapts all tasks: the loss of task t contains the parameters of task t alone,
    so its gradient is the task's own.
    inner_lr: a number; or a tree over some keys of params with numbers or arrays as leaves. Absent keys stay as they
    are: {"head": 0.4} is ANIL (Raghu et al. 2020), one array per parameter is Meta-SGD (Li et al. 2017).
    first_order: take the gradient at parameters held constant, so that no derivative flows through it.

    ValueError where the loss has a task axis and the parameters do not (all tasks would silently share one step; told
    by the first dimension of each parameter), for a number of steps that is no integer from 0, for a key that params
    do not have, and for a loss of rank above 1.
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, onp.integer)) or steps < 0:
        raise ValueError(f"steps must be an integer from 0, got {steps!r}")
    _check_rates(inner_lr, params)
    moving, still = _split(params, inner_lr)
    gradient = task_gradient(lambda moving, still: loss(_join(moving, still), x, y))
    for _ in range(steps):
        at = (tree_map(stop_gradient, tree) if first_order else tree for tree in (moving, still))
        moving = _descend(moving, gradient(*at), inner_lr)
    return _join(moving, still)


def _split(params, inner_lr):
    """The parameters that the inner loop moves, and those that it leaves alone."""
    if not isinstance(inner_lr, dict):
        return params, {}
    return ({key: params[key] for key in params if key in inner_lr},
            {key: params[key] for key in params if key not in inner_lr})


def _join(moving, still):
    return {**still, **moving} if still else moving


def _descend(params, gradient, inner_lr):
    """params - inner_lr * gradient, where inner_lr may be a tree over some of the keys."""
    if isinstance(inner_lr, dict):
        return {key: _descend(params[key], gradient[key], inner_lr[key]) if key in inner_lr else params[key]
                for key in params}
    if isinstance(inner_lr, onp.floating):
        inner_lr = float(inner_lr)  # NumPy's float64 would make float32 parameters float64
    return tree_map(lambda p, g: add_scaled(p, -inner_lr, g), params, gradient)


def _check_rates(inner_lr, params):
    if isinstance(inner_lr, dict):
        names = sorted(params) if isinstance(params, dict) else "an array"
        if not isinstance(params, dict) or not set(inner_lr) <= set(params):
            raise ValueError(f"inner_lr names {sorted(inner_lr)}, but the parameters there are {names}")
        for key in inner_lr:
            _check_rates(inner_lr[key], params[key])


# ---------------------------------------------------------------- the outer loop


def maml_objective(loss, params, episode, inner_lr, steps, first_order=False):
    """Mean over tasks of the query loss after adaptation to the support. Finn et al. 2017, Algorithm 2, line 10.

    params have no task axis here: each task starts from its own copy of the same theta. With first_order the value is
    the same, and only its gradient differs.
    """
    n_tasks = episode.support_x.shape[0]
    adapted = adapt(loss, repeat(params, n_tasks), episode.support_x, episode.support_y, inner_lr, steps, first_order)
    return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / n_tasks)


# ---------------------------------------------------------------- proof: the meta-gradient three ways


def meta_gradient_by_hand(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    """The meta-gradient of softmax regression, logits x w, with not one derivative left to autograd.

    One task: w (D,N), x (M,D), y (M,). Forward, remember each w_i; backward, from the query gradient g at the last,
    g <- (I - inner_lr H_i) g: the chain rule through w_{i+1} = w_i - inner_lr grad L(w_i).
    """
    path = [w]
    for _ in range(steps):
        path.append(path[-1] - inner_lr * _gradient_by_hand(path[-1], support_x, support_y))
    g = _gradient_by_hand(path[-1], query_x, query_y)
    for w_i in reversed(path[:-1]):
        g = g - inner_lr * _hessian_product_by_hand(w_i, support_x, g)
    return g


def _gradient_by_hand(w, x, y):
    """x^T (p - one-hot(y)) / M, p the softmax of the logits."""
    p = _softmax_by_hand(x @ w)
    p[onp.arange(len(y)), y] -= 1
    return x.T @ p / len(y)


def _hessian_product_by_hand(w, x, v):
    """H v: when w moves along v the logits move along u = x v, and p_n along p_n (u_n - sum_k p_k u_k)."""
    p, u = _softmax_by_hand(x @ w), x @ v
    return x.T @ (p * (u - onp.sum(p * u, axis=1, keepdims=True))) / len(x)


def _softmax_by_hand(logits):
    p = onp.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def linear_loss(params, x, y):
    """Cross-entropy of softmax regression: params {"w"}."""
    return cross_entropy(np.matmul(x, params["w"]), y)


def check_meta_gradient(rng, inner_lr=0.5, steps=(1, 2, 5)):
    """One row per number of inner steps: the slope of the meta-objective along a random direction by hand, by autograd
    and by finite differences, and how far first order is from it (relative length of the difference of gradients)."""
    n_way, n_features, eps = 3, 4, 1e-5
    x = rng.normal(size=(2, 1, 6, n_features))
    y = rng.integers(0, n_way, size=(2, 1, 6))
    episode = Episode(x[0], y[0], x[1], y[1], None, None)
    params = {"w": rng.normal(size=(n_features, n_way))}
    direction = rng.normal(size=(n_features, n_way))
    direction /= onp.linalg.norm(direction)
    rows = []
    for n in steps:
        objective = partial(maml_objective, linear_loss, episode=episode, inner_lr=inner_lr, steps=n)
        hand = meta_gradient_by_hand(params["w"], x[0, 0], y[0, 0], x[1, 0], y[1, 0], inner_lr, n)
        auto = grad(objective)(params)["w"]
        first = grad(partial(objective, first_order=True))(params)["w"]
        there, back = (objective({"w": params["w"] + sign * eps * direction}) for sign in (1, -1))
        rows.append({"steps": n, "by hand": float(onp.sum(hand * direction)),
                     "autograd": float(onp.sum(auto * direction)), "finite differences": (there - back) / (2 * eps),
                     "first-order gap": float(onp.linalg.norm(first - auto) / onp.linalg.norm(auto))})
    return rows


# ---------------------------------------------------------------- sinusoids: a task one can see


def sample_sinusoids(k_shot, n_query, n_tasks, rng):
    """Regression tasks y = a sin(x - phase): a in [0.1, 5], phase in [0, pi], x in [-5, 5]. Finn et al. 2017, sec. 5.1.

    An Episode whose x and y are (T, K, 1) and (T, Q, 1) float32, without ids.
    """
    amplitude = rng.uniform(0.1, 5, (n_tasks, 1, 1))
    phase = rng.uniform(0, onp.pi, (n_tasks, 1, 1))
    x = rng.uniform(-5, 5, (n_tasks, k_shot + n_query, 1))
    x, y = x.astype("float32"), (amplitude * onp.sin(x - phase)).astype("float32")
    return Episode(x[:, :k_shot], y[:, :k_shot], x[:, k_shot:], y[:, k_shot:], None, None)


def squared_error(network, params, x, y):
    """Mean squared error over the points: () or (T,). ValueError where y is not shaped like the network's output."""
    output = network.apply(params, x)
    if output.shape != y.shape:
        raise ValueError(f"the network's output is {output.shape}, y is {y.shape}")
    return np.sum(np.square(output - y), axis=(-2, -1)) * (1 / y.shape[-2])


def joint_objective(loss, params, episode):
    """No inner loop: fit the queries of all tasks with the same parameters, the usual way to pretrain."""
    n_tasks = episode.query_x.shape[0]
    return np.sum(loss(params, episode.query_x, episode.query_y)) * (1 / n_tasks)


# ---------------------------------------------------------------- characters


def maml_scores(network, params, episode, statistics, inner_lr, steps):
    """Adapt to the support, then score the queries: (T, N Q, N). See `query_logits` for `statistics`."""
    n_tasks = episode.support_x.shape[0]
    adapted = adapt(partial(classification_loss, network), repeat(params, n_tasks),
                    episode.support_x, episode.support_y, inner_lr, steps)
    return query_logits(network, adapted, episode, statistics)


# ---------------------------------------------------------------- the run: (1) the proof

TEST_STEPS = {"sinusoids": (0, 1, 5, 10), "characters": (0, 1, 3, 5)}


def run_proof(options):
    print("\n1. Is the meta-gradient right? Its slope along one direction, three ways (softmax\n"
          "   regression, 12 parameters), and how far off first-order MAML's gradient is:\n\n"
          "   inner steps     by hand    autograd  finite diff.   first-order gap")
    rows = check_meta_gradient(onp.random.default_rng(options.seed))
    for row in rows:
        print(f"   {row['steps']:11}{row['by hand']:12.7f}{row['autograd']:12.7f}{row['finite differences']:14.7f}"
              f"{100 * row['first-order gap']:16.1f} %")
    return {f"meta-gradient, {row['steps']} inner steps": {k: v for k, v in row.items() if k != "steps"}
            for row in rows}


# ---------------------------------------------------------------- (2) sinusoids


def run_sinusoids(options):
    rng = onp.random.default_rng(options.seed)
    network = mlp([1, 40, 40, 1])
    loss = partial(squared_error, network)
    objectives = {
        "MAML": lambda params, tasks: maml_objective(loss, params, tasks, options.sinusoid_inner_lr, 1),
        "pretrained": lambda params, tasks: joint_objective(loss, params, tasks)}
    trained = {}
    for name, objective in objectives.items():
        trained[name], _ = train(
            objective, network.init(rng), lambda: sample_sinusoids(10, 10, 25, rng), update=adam,
            schedule=cosine_decay(options.sinusoid_learning_rate, options.sinusoid_iterations),
            iterations=options.sinusoid_iterations, path=options.out / f"sinusoids-{name.lower()}.npz",
            label=f"sinusoids, {name}", rng=rng, options=options)

    # MAML's start was made for its inner rate; a pretrained one is given the rate that suits it best
    rates = {"MAML": options.sinusoid_inner_lr,
             "pretrained": tune_rate(loss, trained["pretrained"], sample_sinusoids(10, 10, 200, rng))}

    def errors(tasks):
        return {(name, steps): loss(params, tasks.query_x, tasks.query_y)
                for name, start in trained.items()
                for steps, params in adapted_after(loss, start, tasks, rates[name], TEST_STEPS["sinusoids"])}

    results = evaluate(errors, lambda n: sample_sinusoids(10, 100, n, rng), options.episodes, label="test sinusoids")
    intervals = {key: mean_confidence_interval(values) for key, values in results.items()}
    print("\n2. Sinusoids: a curve from 10 of its points. Mean squared error, 95 % interval,\n"
          f"   {options.episodes} new curves; the pretrained network at the rate that suits it, "
          f"{rates['pretrained']}:\n\n"
          "   gradient steps" + "".join(f"{steps:>14}" for steps in TEST_STEPS["sinusoids"]))
    for name in trained:
        print(f"   {name:14}" + "".join(f"{mean:8.2f} ± {interval:.2f}" for (who, _), (mean, interval)
                                        in intervals.items() if who == name))
    figure = _draw_sinusoids(network, loss, trained, rates, sample_sinusoids(10, 1, 1, rng))
    return ({f"sinusoids, {name}, {steps} steps": {"mean": mean, "interval": interval}
             for (name, steps), (mean, interval) in intervals.items()},
            save_figure(figure, options.out / "sinusoids.png"))


def tune_rate(loss, start, tasks, steps=10, rates=(0.0003, 0.001, 0.003, 0.01, 0.03)):
    """The rate after whose `steps` steps the query loss is lowest, on tasks that are not tested on."""
    def error(rate):
        adapted = adapt(loss, repeat(start, len(tasks.support_x)), tasks.support_x, tasks.support_y, rate, steps)
        return onp.mean(loss(adapted, tasks.query_x, tasks.query_y))
    with onp.errstate(over="ignore", invalid="ignore"):  # too large a rate diverges: that is what is being found out
        return min(rates, key=lambda rate: onp.nan_to_num(error(rate), nan=onp.inf))


def adapted_after(loss, start, tasks, inner_lr, step_counts):
    """Yield (steps, parameters adapted by so many steps) for rising numbers of steps; all tasks begin at `start`."""
    params, done = repeat(start, tasks.support_x.shape[0]), 0
    for steps in step_counts:
        params, done = adapt(loss, params, tasks.support_x, tasks.support_y, inner_lr, steps - done), steps
        yield steps, params


def _draw_sinusoids(network, loss, trained, rates, task):
    figure, panels = new_figure(9, 3.4, ncols=len(trained), sharey=True)
    x = onp.linspace(-5, 5, 200, dtype="float32").reshape(1, -1, 1)
    for axes, (name, start) in zip(panels, trained.items(), strict=True):
        steps_and_params = adapted_after(loss, start, task, rates[name], TEST_STEPS["sinusoids"])
        for style, (steps, params) in zip(STYLES, steps_and_params, strict=False):
            label = "before" if steps == 0 else f"{steps} step{'s' if steps > 1 else ''}"
            axes.plot(x[0, :, 0], network.apply(params, x)[0, :, 0], **{**style, "marker": None}, label=label)
        axes.plot(task.support_x[0, :, 0], task.support_y[0, :, 0], "k*", markersize=9, label="its 10 points")
        axes.set(title=f"{name}: one new curve, learned step by step", xlabel="x")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("y")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


# ---------------------------------------------------------------- (3) characters


def run_characters(options, training, validation, test):
    rng = onp.random.default_rng(options.seed)
    n_way, k_shot = options.n_way, options.k_shot
    network = conv4(outputs=n_way, channels=options.channels, down="stride", features="mean")
    loss = partial(classification_loss, network)
    inner_lr = {"head": options.inner_lr} if options.method == "anil" else options.inner_lr

    objective = partial(maml_objective, loss, inner_lr=inner_lr, steps=options.inner_steps,
                        first_order=options.method == "first-order")  # a partial pickles, for --workers

    def validation_accuracy(params):
        episode = sample_episodes(validation, n_way, k_shot, 5, 40, onp.random.default_rng(options.seed))
        logits = maml_scores(network, params, episode, "support", inner_lr, options.inner_steps)
        return accuracies(logits, episode.query_y).mean()

    params, history = train(
        objective, network.init(rng), lambda: sample_episodes(training, n_way, k_shot, k_shot, options.meta_batch, rng),
        update=adam, schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
        path=options.out / "characters.npz", label="characters", validate=validation_accuracy,
        validate_every=max(1, options.iterations // 15), rng=rng, options=options, workers=options.workers)

    def measure(episode):
        found = {"pixels": accuracies(pixel_scores(None, episode), episode.query_y)}
        for steps, adapted in adapted_after(loss, params, episode, inner_lr, TEST_STEPS["characters"]):
            for mode in ("support", "queries"):
                found[steps, mode] = accuracies(query_logits(network, adapted, episode, mode), episode.query_y)
        return found

    results = evaluate(measure, lambda n: sample_episodes(test, n_way, k_shot, options.n_query, n, rng),
                       options.episodes, label="test characters")
    intervals = {key: mean_confidence_interval(values) for key, values in results.items()}
    _print_characters(intervals, options, test)
    episode = sample_episodes(test, n_way, k_shot, 5, 1, rng)
    predictions = maml_scores(network, params, episode, "support", inner_lr, 1)[0].argmax(axis=-1)
    figure = draw_episode(episode.support_x[0], episode.support_y[0], episode.query_x[0], episode.query_y[0],
                          predictions, f"{k_shot} example of each (left), after one gradient step")
    pictures = [save_figure(figure, options.out / "episode.png"),
                save_figure(draw_learning_curve(history, "Meta-training on characters"),
                            options.out / "learning_curve.png")]
    return {_name(key): {"mean": mean, "interval": interval} for key, (mean, interval) in intervals.items()}, pictures


def _name(key):
    if key == "pixels":
        return "characters, pixel nearest neighbour"
    return f"characters, {key[0]} steps, statistics of the {key[1]}"


def _print_characters(intervals, options, test):
    def cell(key):
        mean, interval = intervals[key]
        return f"{100 * mean:8.1f} ± {100 * interval:.1f} %"

    print(f"\n3. New characters: {options.n_way} at a time, out of {len(test)}{group_phrase(test, options)}; "
          f"{options.k_shot} example(s) of each.\n"
          f"   Accuracy on {options.episodes} episodes, {options.n_query} queries per class; "
          f"guessing scores {100 / options.n_way:.1f} %.\n\n"
          "                         batch norm sees     batch norm sees\n"
          "   gradient steps        the support only    all queries at once")
    for steps in TEST_STEPS["characters"]:
        print(f"   {steps if steps else '0 (before)':<20}{cell((steps, 'support')):>18}{cell((steps, 'queries')):>20}")
    print(f"   {'nearest pixels':20}{cell('pixels'):>18}")


# ---------------------------------------------------------------- all of it


def main(argv=None):
    options = parse_options(
        "lesson4_maml", "MAML: learn a starting point from which one gradient step is enough.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "method": "maml", "inner_lr": 0.4, "inner_steps": 1, "meta_batch": 16,
         "iterations": 1200, "learning_rate": 3e-3, "channels": 32, "episodes": 600, "sinusoid_iterations": 4000,
         "sinusoid_inner_lr": 0.01, "sinusoid_learning_rate": 1e-2, "workers": 1, "resume": False},
        quick={"iterations": 30, "sinusoid_iterations": 100, "episodes": 40, "meta_batch": 4, "channels": 16},
        full={"iterations": 60000, "meta_batch": 32, "channels": 64, "learning_rate": 1e-3,
              "inner_lr": 2.0,  # the authors' 0.4, whose loss is the sum over 5 classes, not the mean
              "sinusoid_iterations": 70000, "sinusoid_learning_rate": 1e-3},
        choices={"method": ("maml", "first-order", "anil")}, argv=argv)
    started = time.perf_counter()
    splits = load_splits(options)
    for part, n_query in zip(splits, (options.k_shot, 5, options.n_query), strict=True):  # impossible? Say so now
        sample_episodes(part, options.n_way, options.k_shot, n_query, 1, onp.random.default_rng(0))
    print(f"{options.n_way} characters that it has never seen, {options.k_shot} example(s) of each:\n"
          "watch a network learn them in one step of gradient descent.")
    metrics = run_proof(options)
    more, sinusoids = run_sinusoids(options)
    metrics |= more
    more, pictures = run_characters(options, *splits)
    metrics |= more
    record = write_record(options.out, "lesson4_maml", options, time.perf_counter() - started, metrics)
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [sinusoids, *pictures, *networks, record])
          + "\nNext:    the other two in the family, --method first-order and --method anil;\n"
            "         then python -m fewshot_np.lesson5_project")


if __name__ == "__main__":
    run(main)
