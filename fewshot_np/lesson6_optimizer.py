"""Lesson 6: learn the optimiser. What if the rule of gradient descent is learned, too, and not only its start?

MAML learns where gradient descent starts. How it goes on, theta <- theta - alpha grad, somebody wrote down, and
somebody chose alpha. Two ways to learn this as well, a small one and a bold one:

  Meta-SGD         (Li et al. 2017) alpha becomes one rate for each parameter, learned together with the start:
                   theta' = theta - alpha o grad L_support(theta),  o elementwise. A parameter that should not
                   move gets the rate 0; one that should climb, a negative rate. The *direction* is learned, too.
  LSTM optimiser   (Andrychowicz et al. 2016) no formula at all: theta_{t+1} = theta_t + g_t, where g_t comes out of a
                   recurrent network that reads one parameter's gradient, step by step, and remembers what it has seen.
                   The network is small and the same for every parameter (*coordinate-wise*): each has only a memory
                   of its own. It is trained through its own updates: make the losses it leads to small.

    python -m fewshot_np.lesson6_optimizer
"""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as onp
from autograd import numpy as np
from autograd.extend import defvjp, notrace_primitive, primitive

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import BLACK, STYLES, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective, maml_scores, sample_sinusoids, squared_error
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.optimizers import adam, cosine_decay, sgd
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map

# ---------------------------------------------------------------- Meta-SGD: one rate for each parameter


def initial_rates(start, rng, low=0.005, high=0.1):
    """One rate for each number in the tree `start`, drawn from U[low, high] (the paper's)."""
    return tree_map(lambda p: rng.uniform(low, high, p.shape).astype("float32"), start)


def meta_sgd_step(loss, start, rates, x, y):
    """start - rates o gradient: one step on a support, each parameter at its own rate. Li et al. 2017.

    start: with a task axis where loss(params, x, y) is (T,), see `adapt`; the rates have none, all tasks share them.
    """
    return adapt(loss, start, x, y, rates, 1)


def meta_sgd_objective(loss, params, episode):
    """Mean over tasks of the query loss after the step; params {"start", "rates"}, both trained."""
    n_tasks = episode.support_x.shape[0]
    adapted = meta_sgd_step(loss, repeat(params["start"], n_tasks), params["rates"],
                            episode.support_x, episode.support_y)
    return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / n_tasks)


def meta_sgd_scores(network, params, episode, statistics):
    """Adapt to the support, then score the queries: (T, N Q, N); see `query_logits`."""
    adapted = meta_sgd_step(partial(classification_loss, network), repeat(params["start"], len(episode.support_x)),
                            params["rates"], episode.support_x, episode.support_y)
    return query_logits(network, adapted, episode, statistics)


# ---------------------------------------------------------------- the LSTM optimiser: one coordinate
#
# R rows: all parameters of all tasks that are being learned, one below the other. To the LSTM they are a batch.

HIDDEN = 20  # as in the paper, as are the two layers
STEP_SIZE = 0.1  # the network's output is of size 1, a step should be smaller


def init_optimizer(rng, hidden=HIDDEN):
    """Parameters of two LSTM layers and the linear output: {"lstm1", "lstm2", "head"}."""
    def layer(n_in, n_out, bias=0.0, variance=1.0):
        w = rng.standard_normal((n_in, n_out)) * (variance / n_in) ** 0.5
        return {"w": w.astype("float32"), "b": onp.full(n_out, bias, "float32")}

    def lstm(n_in):  # a forget gate that starts open remembers
        return {gate: layer(n_in + hidden, hidden, bias=1.0 if gate == "forget" else 0.0)
                for gate in ("forget", "input", "output", "candidate")}

    return {"lstm1": lstm(2), "lstm2": lstm(hidden), "head": layer(hidden, 1, variance=0.01)}


def initial_state(params, n_rows):
    """The memory before the first gradient: {"lstm1": {"h", "c"}, "lstm2": {"h", "c"}}, zeros (R,H)."""
    zeros = onp.zeros((n_rows, params["head"]["w"].shape[0]), "float32")
    return {name: {"h": zeros, "c": zeros} for name in ("lstm1", "lstm2")}


@notrace_primitive
def preprocess(gradients, p=10.0):
    """Gradients of any size as two numbers of size 1, (R,) -> (R,2). Andrychowicz et al. 2016, appendix A.

    (log|g| / p, sign g) where |g| >= exp(-p), else (-1, exp(p) g): the order of magnitude, and the sign.
    """
    size = onp.abs(gradients)
    large = size >= onp.exp(-p)
    logarithm = onp.log(onp.where(large, size, 1)) / p
    first, second = onp.where(large, logarithm, -1), onp.where(large, onp.sign(gradients), onp.exp(p) * gradients)
    return onp.stack([first, second], axis=-1).astype(gradients.dtype)


@primitive
def tanh(x):
    """The hyperbolic tangent, between -1 and 1. (autograd's own derivative, by cosh, overflows in float32.)"""
    return onp.tanh(x)


defvjp(tanh, lambda ans, x: lambda g: g * (1 - ans * ans))


def sigmoid(x):
    """1 / (1 + exp(-x)); by tanh, which never overflows."""
    return 0.5 * tanh(0.5 * x) + 0.5


def lstm_cell(params, x, h, c):
    """One step of an LSTM layer: input x (R,I), output h and memory c (R,H) -> new h, c. Hochreiter & Schmidhuber 1997.

    Three gates between 0 and 1 say how much of the memory is kept, how much of the candidate is written to it, and
    how much of it is shown. The forget gate is of Gers et al. 2000.
    """
    seen = np.concatenate([x, h], axis=-1)                                         # (R,I+H)
    forget, write, show = (sigmoid(dense(params[gate], seen)) for gate in ("forget", "input", "output"))
    c = forget * c + write * tanh(dense(params["candidate"], seen))
    return show * tanh(c), c


def lstm_update(params, gradients, state):
    """(steps, new state): how far each of R parameters moves, (R,) -> (R,), given its gradient and its memory.

    Andrychowicz et al. 2016, eq. 3. Row r of the answer depends on row r alone. ValueError for a state of other rows.
    """
    if gradients.ndim != 1 or len(gradients) != len(state["lstm1"]["h"]):
        raise ValueError(f"gradients must be (R,) with a state of as many rows, got {gradients.shape} and a state of "
                         f"{len(state['lstm1']['h'])}")
    x, new = preprocess(gradients), {}
    for name in ("lstm1", "lstm2"):
        h, c = lstm_cell(params[name], x, state[name]["h"], state[name]["c"])
        x, new[name] = h, {"h": h, "c": c}
    return STEP_SIZE * np.reshape(dense(params["head"], x), (-1,)), new


# ---------------------------------------------------------------- the LSTM optimiser: a whole network


def lstm_optimizer(params, learner, gradients, state):
    """An optimiser as those in `nn.optimizers`, but learned: update all of a learner's parameters, trees of arrays.

    `lstm_update` on all their numbers at once, each with its own memory; state None starts it.
    """
    gradients = leaves(tree_map(lambda _, g: g, learner, gradients))  # in the order of the learner's keys
    numbers = np.concatenate([np.reshape(g, (-1,)) for g in gradients])  # (R,), R = T tasks x P parameters
    steps, state = lstm_update(params, numbers, initial_state(params, len(numbers)) if state is None else state)
    ends = onp.cumsum([g.size for g in gradients])
    parts = iter([steps[end - g.size:end] for g, end in zip(gradients, ends, strict=True)])
    return tree_map(lambda p: p + np.reshape(next(parts), p.shape), learner), state


def optimise(update, loss, learner, x, y, steps, state=None):
    """`steps` updates of a learner on the examples x, y of T tasks: ([its losses (T,) after each], learner, state).

    update(learner, gradients, state) -> (learner, state): `lstm_optimizer`, or SGD or Adam with their rate.
    The gradients are taken at parameters held constant. What the LSTM did earlier changed the gradients that it reads
    now, but no derivative flows that way: the paper drops those edges (its figure 2), and with them all second
    derivatives.
    """
    losses = []
    for _ in range(steps):
        gradients = grad(lambda p: np.sum(loss(p, x, y)))(tree_map(stop_gradient, learner))
        learner, state = update(learner, gradients, state)
        losses.append(loss(learner, x, y))
    return losses, learner, state


class Practice(NamedTuple):
    """T new learners, a tree of (T, ...); the examples x, y (T,K,1); how many steps to take beforehand."""

    learner: Any
    x: Any
    y: Any
    steps_before: int


def sample_practice(network, k_shot, n_tasks, steps_before, rng):
    """T new curves of K points each, and a new network for each of them."""
    learners = [network.init(rng) for _ in range(n_tasks)]
    tasks = sample_sinusoids(k_shot, 1, n_tasks, rng)
    return Practice(tree_map(lambda *arrays: onp.stack(arrays), *learners), tasks.support_x, tasks.support_y,
                    steps_before)


def optimizer_objective(loss, params, practice, segment):
    """Mean over tasks and `segment` steps of the losses that the LSTM leads to. Andrychowicz et al. 2016, eq. 3, w = 1.

    Truncated backpropagation: the steps_before are taken with the LSTM held constant, so that no derivative is recorded
    or flows through them; then `segment` steps with it.
    """
    constant = tree_map(stop_gradient, params)
    _, learner, state = optimise(partial(lstm_optimizer, constant), loss, practice.learner, practice.x, practice.y,
                                 practice.steps_before)
    losses, _, _ = optimise(partial(lstm_optimizer, params), loss, learner, practice.x, practice.y, segment, state)
    return sum(np.sum(each) for each in losses) * (1 / (segment * len(practice.x)))


def sample_segments(network, options, rng):
    """A function that draws practice for one `options.segment` of the `options.horizon` steps, any with equal chance.

    ValueError where the horizon is not made of whole segments.
    """
    if options.horizon % options.segment:
        raise ValueError(f"a horizon of {options.horizon} steps is not made of whole segments of {options.segment}")
    starts = range(0, options.horizon, options.segment)
    return lambda: sample_practice(network, POINTS, options.lstm_batch, starts[rng.integers(len(starts))], rng)


# ---------------------------------------------------------------- the rivals: SGD and Adam, their rates from a grid

RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
RIVALS = {(name, rate): partial(update, learning_rate=rate)
          for name, update in [("SGD", sgd), ("Adam", adam)] for rate in RATES}


def paths(updates, loss, practice, steps):
    """{name: losses (T, steps)}, after each step, of all these optimisers on the same learners and curves.

    Where a loss is worse than before the first step, or no number, that of before counts: one learner that diverged
    would otherwise decide every mean.
    """
    before = onp.expand_dims(loss(practice.learner, practice.x, practice.y), -1)
    with onp.errstate(over="ignore", invalid="ignore"):  # too large a rate diverges: that is what is being found out
        return {name: onp.fmin(onp.stack(optimise(update, loss, *practice[:3], steps)[0], axis=-1), before)
                for name, update in updates.items()}


def tuned_rates(found, name):
    """For each number of steps the rate of `name` after which the mean loss is lowest: (steps,).

    found: {(name, rate): losses (n, steps)}.
    """
    rates = [rate for who, rate in found if who == name]
    means = onp.stack([found[name, rate].mean(axis=0) for rate in rates])
    return onp.array(rates)[means.argmin(axis=0)]


def compare(optimizer, loss, network, options, rng):
    """({name: losses (episodes, steps)}, {name: rates (steps,)}) of the LSTM, SGD and Adam on the same new curves.

    SGD and Adam have, for each number of steps, the rate that was best on other curves.
    """
    steps = BEYOND * options.horizon

    def measured(updates, label):
        return evaluate(lambda practice: paths(updates, loss, practice, steps),
                        lambda n: sample_practice(network, POINTS, n, 0, rng), options.episodes, batch=100, label=label)

    validation = measured(RIVALS, "tuning SGD and Adam")
    rates = {name: tuned_rates(validation, name) for name in ("Adam", "SGD")}
    used = {key: update for key, update in RIVALS.items() if key[1] in rates[key[0]]}
    test = measured({"LSTM": partial(lstm_optimizer, optimizer), **used}, "test curves")
    losses = {"LSTM": test["LSTM"]} | {
        name: onp.stack([test[name, rate][:, step] for step, rate in enumerate(best)], axis=-1)
        for name, best in rates.items()}
    return losses, rates


# ---------------------------------------------------------------- the run: (1) Meta-SGD beside MAML

PAPERS_RATES = (0.005, 0.1)


def train_contenders(network, training, options):
    """{name: trained parameters}: MAML and two Meta-SGDs, from the same start, on the same episodes."""
    loss, lr = partial(classification_loss, network), options.inner_lr
    start = network.init(onp.random.default_rng(options.seed))
    rng = onp.random.default_rng([options.seed, 1])
    by_name = {"MAML": (partial(maml_objective, loss, inner_lr=lr, steps=1), start)} | {
        name: (partial(meta_sgd_objective, loss), {"start": start, "rates": initial_rates(start, rng, low, high)})
        for name, (low, high) in meta_sgds(options).items()}
    trained = {}
    for file, (name, (objective, params)) in zip(("maml", "meta_sgd", "meta_sgd_small"), by_name.items(), strict=True):
        episodes = onp.random.default_rng([options.seed, 2])  # anew for each: the same episodes
        trained[name], _ = train(
            objective, params, lambda rng=episodes: sample_training_episodes(training, options, rng), update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / f"{file}.npz", label=name)
    return trained


def meta_sgds(options):
    """{name: (low, high)}, where the learned rates begin: all at MAML's, or as small and random as in the paper."""
    return {f"Meta-SGD from {options.inner_lr:g}": (options.inner_lr, options.inner_lr),
            "Meta-SGD from U[{:g}, {:g}]".format(*PAPERS_RATES): PAPERS_RATES}


def sample_training_episodes(training, options, rng):
    return sample_episodes(training, options.n_way, options.k_shot, options.k_shot, options.meta_batch, rng)


def run_meta_sgd(options, training, test):
    network = conv4(outputs=options.n_way, channels=options.channels, down="stride", features="mean")
    trained = train_contenders(network, training, options)
    rng = onp.random.default_rng([options.seed, 3])

    def measure(episode):
        def scores(params, mode):
            if "rates" in params:
                return meta_sgd_scores(network, params, episode, mode)
            return maml_scores(network, params, episode, mode, options.inner_lr, 1)
        return {(name, mode): accuracies(scores(params, mode), episode.query_y)
                for name, params in trained.items() for mode in ("support", "queries")}

    found = evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                     options.episodes, label="test characters")
    metrics = _print_accuracies(found, trained, options, test)
    rates = trained[next(iter(meta_sgds(options)))]["rates"]
    metrics |= _print_rates(rates, options.inner_lr)
    return metrics, save_figure(draw_rates(rates, options.inner_lr), options.out / "rates.png")


def _print_accuracies(found, trained, options, test):
    print(f"\n1. Characters: {options.n_way} from {len(test)}{group_phrase(test, options)} never seen, "
          f"{options.k_shot} example(s) of each.\n   Accuracy after 1 step, {options.episodes} episodes, "
          f"{options.n_query} queries per class; guessing: {100 / options.n_way:.1f} %.\n\n"
          "                                 batch norm sees     batch norm sees\n"
          "                                the support only    all queries at once")
    metrics = {}
    for name in trained:
        cells = ""
        for mode in ("support", "queries"):
            mean, interval = mean_confidence_interval(found[name, mode])
            metrics[f"{name}, {_statistics(mode)}"] = {"mean": mean, "interval": interval}
            cells += f"{100 * mean:{12 if mode == 'queries' else 11}.1f} ± {100 * interval:.1f} %"
        print(f"   {name:28}{cells}")
    first = next(iter(meta_sgds(options)))
    for mode in ("support", "queries"):
        mean, interval = mean_confidence_interval(found[first, mode] - found["MAML", mode])
        metrics[f"{first} minus MAML, {_statistics(mode)}"] = {"mean": mean, "interval": interval}
    support = metrics[f"{first} minus MAML, {_statistics('support')}"]
    print(f"\n   {first} minus MAML, episode by episode (support only):\n"
          f"   {100 * support['mean']:+.1f} ± {100 * support['interval']:.1f} points.")
    return metrics


def _statistics(mode):
    return f"statistics of the {mode}"


def named_rates(rates):
    """{"block1 w": its rates in a row, ...}, in the order of the network."""
    return {f"{layer} {name}": leaf.ravel() for layer, parameters in rates.items() for name, leaf in parameters.items()}


def _print_rates(rates, begin):
    print(f"\n2. The learned rates. All began at {begin:g}, as in MAML.\n\n"
          "   parameters       number      mean     5 % below    5 % above    negative")
    metrics = {}
    for name, values in named_rates(rates).items():
        low, high = onp.quantile(values, [0.05, 0.95])
        metrics[f"rates, {name}"] = {"mean": values.mean(), "low": low, "high": high, "negative": (values < 0).mean()}
        print(f"   {name:13}{len(values):10}{values.mean():10.2f}{low:14.2f}{high:13.2f}"
              f"{100 * (values < 0).mean():10.0f} %")
    share = onp.mean(onp.concatenate(list(named_rates(rates).values())) < 0)
    print(f"   Of all rates {100 * share:.1f} % are negative: these parameters climb.")
    return metrics | {"rates, all": {"negative": share}}


def draw_rates(rates, begin):
    """Left the spread of the rates of each layer; right those of the first convolution, one 3x3 square per kernel."""
    figure, (left, right) = new_figure(11, 4.6, ncols=2, width_ratios=(1.2, 1))
    named = named_rates(rates)
    left.boxplot(list(named.values())[::-1], orientation="horizontal", whis=(5, 95), widths=0.6, showfliers=False,
                 medianprops={"color": STYLES[0]["color"], "linewidth": 2})
    left.set_yticks(range(1, len(named) + 1), labels=list(named)[::-1], fontsize=8)
    left.axvline(0, color=BLACK, linewidth=0.8)
    left.axvline(begin, **{**STYLES[1], "marker": None}, label=f"where all began, {begin:g}")
    left.set(xlabel="learned rate", title="Half of a layer's rates in the box, 90 % in the whiskers")
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    w = rates["block1"]["w"]  # (3,3,C,O)
    tiles = tile(w[:, :, 0, :])
    reach = max(float(onp.abs(w - begin).max()), 1e-6)
    image = right.imshow(tiles, cmap="PuOr", vmin=begin - reach, vmax=begin + reach)
    right.set(xticks=[], yticks=[], title=f"The {w.shape[-1]} kernels of the first convolution")
    right.spines[:].set_visible(False)
    figure.colorbar(image, ax=right, label=f"learned rate (white: {begin:g}, as it began)", shrink=0.85)
    return figure


def tile(kernels, columns=8):
    """Kernels (h,w,O) side by side, `columns` in a row, with NaN between them."""
    h, w, n = kernels.shape
    rows = -(-n // columns)
    tiles = onp.full((rows * (h + 1) - 1, min(n, columns) * (w + 1) - 1), onp.nan, "float32")
    for k in range(n):
        i, j = (k // columns) * (h + 1), (k % columns) * (w + 1)
        tiles[i:i + h, j:j + w] = kernels[:, :, k]
    return tiles


# ---------------------------------------------------------------- (2) the LSTM optimiser on sinusoids

POINTS = 10  # of each curve
LEARNER = mlp([1, 20, 1])
BEYOND = 3  # it is tested for so many times the steps it was trained for


def run_lstm(options):
    rng = onp.random.default_rng([options.seed, 4])
    loss = partial(squared_error, LEARNER)
    optimizer, _ = train(
        partial(optimizer_objective, loss, segment=options.segment), init_optimizer(rng),
        sample_segments(LEARNER, options, rng), update=adam,
        schedule=cosine_decay(options.lstm_learning_rate, options.lstm_iterations),
        iterations=options.lstm_iterations, path=options.out / "lstm.npz", label="LSTM optimiser")
    losses, rates = compare(optimizer, loss, LEARNER, options, rng)
    metrics = _print_losses(losses, rates, options)
    return metrics, save_figure(draw_losses(losses, options.horizon), options.out / "optimisers.png")


def _print_losses(losses, rates, options):
    n_parameters = sum(leaf.size for leaf in leaves(LEARNER.init(onp.random.default_rng(0))))
    print(f"\n3. The LSTM optimiser. A new network of {n_parameters} parameters fits {POINTS} points of a new\n"
          f"   curve: mean squared error on these points, 95 % interval, {options.episodes} curves. SGD and\n"
          "   Adam have in each row the rate (in brackets) that was best there on others.\n"
          "   A fit that is worse than when it began counts as it began.\n\n"
          "   steps           LSTM               Adam                    SGD")
    metrics = {}
    for step in rows(options.horizon):
        line = f"   {step:5}"
        for name, values in losses.items():
            mean, interval = mean_confidence_interval(values[:, step - 1])
            metrics[f"{name}, {step} steps"] = {"mean": mean, "interval": interval}
            line += f"{mean:9.3f} ± {interval:.3f}"
            if name in rates:
                rate = float(rates[name][step - 1])
                metrics[f"{name}, {step} steps"]["rate"] = rate
                line += f" ({rate:g})".ljust(9)
        print(line.rstrip())
        if step == options.horizon:
            print(f"   ----- {step} steps: so far the LSTM was trained; below, it never was -----")
    return metrics


def rows(horizon):
    """The numbers of steps in the table: parts and multiples of the horizon."""
    return sorted({max(1, int(part * horizon)) for part in (0.1, 0.2, 0.5, 1, 2, BEYOND)})


def draw_losses(losses, horizon):
    figure, axes = new_figure(7.5, 4.3)
    for style, (name, values) in zip(STYLES, losses.items(), strict=False):
        steps = onp.arange(1, values.shape[1] + 1)
        label = "LSTM, learned" if name == "LSTM" else f"{name}, at each step the best rate of {len(RATES)}"
        axes.plot(steps, values.mean(axis=0), **style, markevery=max(1, len(steps) // 10), label=label)
    axes.axvspan(horizon, BEYOND * horizon, color="#EEEEEE", zorder=0)
    axes.text(horizon * 1.02, 0.03, "steps that the LSTM was not trained for", fontsize=8,
              transform=axes.get_xaxis_transform())
    axes.set(yscale="log", xlabel="steps", ylabel="mean squared error on the points", xlim=(0, BEYOND * horizon),
             title=f"A new network learns {POINTS} points of a new curve")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


# ---------------------------------------------------------------- all of it


def main(argv=None):
    options = parse_options(
        "lesson6_optimizer", "Learn the optimiser: a rate per parameter (Meta-SGD); an LSTM that makes the steps.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "inner_lr": 0.4, "meta_batch": 16, "iterations": 400,
         "learning_rate": 1e-2, "channels": 32, "episodes": 600, "horizon": 100, "segment": 10, "lstm_batch": 16,
         "lstm_iterations": 400, "lstm_learning_rate": 1e-2},
        quick={"iterations": 15, "episodes": 40, "meta_batch": 4, "channels": 16, "horizon": 20, "lstm_batch": 4,
               "lstm_iterations": 15},
        full={"iterations": 60000, "meta_batch": 32, "channels": 64, "learning_rate": 1e-3, "lstm_iterations": 10000,
              "segment": 20},
        argv=argv)
    started = time.perf_counter()
    training, _, test = load_splits(options)
    sample_segments(LEARNER, options, onp.random.default_rng(0))  # impossible? Say so now
    sample_training_episodes(training, options, onp.random.default_rng(0))
    sample_episodes(test, options.n_way, options.k_shot, options.n_query, 1, onp.random.default_rng(0))
    print("Gradient descent with a learned step: first a rate for every single parameter,\n"
          "then no formula at all: a small network reads the gradients and makes the steps.")
    metrics, rates = run_meta_sgd(options, training, test)
    more, optimisers = run_lstm(options)
    record = write_record(options.out, "lesson6_optimizer", options, time.perf_counter() - started, metrics | more)
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [rates, optimisers, *networks, record])
          + "\nNext:    python -m fewshot_np.lesson6_model_based")


if __name__ == "__main__":
    run(main)
