"""The run of lesson 6, learning the optimiser: Meta-SGD on characters, an LSTM optimiser on curves."""

import time
from functools import partial

import numpy as np

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, percent, plus_minus, print_table, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import maml_objective, maml_scores, squared_error
from fewshot_np.lesson6_optimizer import (
    init_optimizer,
    initial_rates,
    lstm_optimizer,
    meta_sgd_objective,
    meta_sgd_scores,
    optimizer_objective,
    paths,
    sample_optimizer_tasks,
    sample_segments,
    tuned_rates,
)
from fewshot_np.lesson6_optimizer.figures import draw_losses, draw_rates, named_rates
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.optimizers import adam, cosine_decay, sgd
from fewshot_np.nn.trees import leaves

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 15, "inner_lr": 0.4, "meta_batch": 16, "iterations": 400,
            "learning_rate": 1e-2, "channels": 32, "episodes": 600, "horizon": 100, "segment": 10, "lstm_batch": 16,
            "lstm_iterations": 400, "lstm_learning_rate": 1e-2}
QUICK = {"iterations": 15, "episodes": 40, "meta_batch": 4, "channels": 16, "horizon": 20, "lstm_batch": 4,
         "lstm_iterations": 15}
FULL = {"iterations": 60000, "meta_batch": 32, "channels": 64, "learning_rate": 1e-3, "lstm_iterations": 10000,
        "segment": 20}
TEXTS = {"inner_lr": "learning rate of MAML's step, and where Meta-SGD's rates begin",
         "meta_batch": "tasks per meta-step",
         "horizon": "steps that the LSTM optimiser is trained to make",
         "segment": "steps that derivatives flow back through",
         "lstm_batch": "learners per iteration of the LSTM's training",
         "lstm_iterations": "training iterations of the LSTM optimiser",
         "lstm_learning_rate": "learning rate of the LSTM's training, at its start"}
PAPERS_RATES = (0.005, 0.1)  # where Meta-SGD's rates begin in the paper: U[0.005, 0.1]
POINTS = 10  # of each curve
LEARNER = mlp([1, 20, 1])  # what the LSTM optimises
BEYOND = 3  # the LSTM is tested for so many times the steps that it was trained for
RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
RIVALS = {(name, rate): partial(update, learning_rate=rate)
          for name, update in [("SGD", sgd), ("Adam", adam)] for rate in RATES}
STATISTICS = ("support", "queries")


def main(argv=None):
    options = parse_options(
        "lesson6_optimizer", "Learn the optimiser: a rate per parameter (Meta-SGD); an LSTM that makes the steps.",
        DEFAULTS, QUICK, FULL, texts=TEXTS, argv=argv)
    started = time.perf_counter()
    training, _, test = load_splits(options)
    lstm_tasks(options, np.random.default_rng(0))
    refuse_impossible(partial(sample_training, training, options),
                      partial(sample_episodes, test, options.n_way, options.k_shot, options.n_query, 1))
    print("Gradient descent with a learned step: first a rate for every single parameter,\n"
          "then no formula at all: a small network reads the gradients and makes the steps.")
    characters, rates = run_meta_sgd(options, training, test)
    curves, optimisers = run_lstm(options)
    finish("lesson6_optimizer", options, started, characters | curves, {"rates": rates, "optimisers": optimisers},
           ["python -m fewshot_np.lesson6_model_based"])


# ---------------------------------------------------------------- 1. Meta-SGD beside MAML


def run_meta_sgd(options, training, test):
    """Train MAML and two Meta-SGDs, test them on the same episodes; (metrics, figure of the rates)."""
    network = conv4(outputs=options.n_way, channels=options.channels, down="stride", features="mean")
    trained = train_contenders(network, training, options)
    results = test_contenders(network, trained, test, options)
    metrics = print_accuracies(results, trained, options, test)
    rates = trained[next(iter(meta_sgds(options)))]["rates"]
    return metrics | print_rates(rates, options.inner_lr), draw_rates(rates, options.inner_lr)


def train_contenders(network, training, options):
    """{name: trained parameters}: MAML and two Meta-SGDs, from the same start, on the same episodes."""
    loss = partial(classification_loss, network)
    start, rng = network.init(np.random.default_rng(options.seed)), np.random.default_rng([options.seed, 1])
    by_name = {"MAML": (partial(maml_objective, loss, inner_lr=options.inner_lr, steps=1), start)} | {
        name: (partial(meta_sgd_objective, loss), {"start": start, "rates": initial_rates(start, rng, low, high)})
        for name, (low, high) in meta_sgds(options).items()}
    trained = {}
    for file, (name, (objective, params)) in zip(("maml", "meta_sgd", "meta_sgd_small"), by_name.items(), strict=True):
        same = np.random.default_rng([options.seed, 2])
        trained[name], _ = train(
            objective, params, partial(sample_training, training, options, same), update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / f"{file}.npz", label=name)
    return trained


def meta_sgds(options):
    """{name: (low, high)}, where the learned rates begin: all at MAML's, or as small and random as in the paper."""
    return {f"Meta-SGD from {options.inner_lr:g}": (options.inner_lr, options.inner_lr),
            "Meta-SGD from U[{:g}, {:g}]".format(*PAPERS_RATES): PAPERS_RATES}


def sample_training(training, options, rng):
    return sample_episodes(training, options.n_way, options.k_shot, options.k_shot, options.meta_batch, rng)


def test_contenders(network, trained, test, options):
    """{(name, statistics): accuracy of each episode} after one step."""
    rng = np.random.default_rng([options.seed, 3])

    def scores(params, episode, statistics):
        if "rates" in params:
            return meta_sgd_scores(network, params, episode, statistics)
        return maml_scores(network, params, episode, statistics, options.inner_lr, 1)

    def measure(episode):
        return {(name, statistics): accuracies(scores(params, episode, statistics), episode.query_y)
                for name, params in trained.items() for statistics in STATISTICS}

    return evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                    options.episodes, label="test characters")


def print_accuracies(results, trained, options, test):
    first, intervals = next(iter(meta_sgds(options))), {}
    for statistics in STATISTICS:
        for name in trained:
            intervals[name, statistics] = mean_confidence_interval(results[name, statistics])
        intervals[f"{first} minus MAML", statistics] = mean_confidence_interval(
            results[first, statistics] - results["MAML", statistics])
    print(f"\n1. Characters: {options.n_way} from {len(test)}{group_phrase(test, options)} never seen, "
          f"{options.k_shot} example(s) of each.\n   Accuracy after 1 step, {options.episodes} episodes, "
          f"{options.n_query} queries per class; guessing: {100 / options.n_way:.1f} %.\n"
          "   Batch norm's statistics:\n")
    print_table(["", "of the support", "of the queries"],
                [[name, *(percent(*intervals[name, statistics]) for statistics in STATISTICS)] for name in trained])
    print(f"\n   {first} minus MAML, episode by episode (statistics of the support):\n"
          f"   {plus_minus(*intervals[f'{first} minus MAML', 'support'], '+')} points.")
    return {f"{name}, statistics of the {statistics}": metric(*interval)
            for (name, statistics), interval in intervals.items()}


def print_rates(rates, begin):
    print(f"\n2. The learned rates. All began at {begin:g}, as in MAML.\n")
    metrics, rows = {}, []
    for name, values in named_rates(rates).items():
        low, high = np.quantile(values, [0.05, 0.95])
        negative = (values < 0).mean()
        metrics[f"rates, {name}"] = {"mean": values.mean(), "low": low, "high": high, "negative": negative}
        rows.append([name, str(len(values)), f"{values.mean():.2f}", f"{low:.2f}", f"{high:.2f}",
                     f"{100 * negative:.0f} %"])
    print_table(["parameters", "number", "mean", "5 % below", "5 % above", "negative"], rows)
    share = np.mean(np.concatenate(list(named_rates(rates).values())) < 0)
    print(f"   Of all rates {100 * share:.1f} % are negative: these parameters climb.")
    return metrics | {"rates, all": {"negative": share}}


# ---------------------------------------------------------------- 2. the LSTM optimiser on curves


def run_lstm(options):
    """Train the LSTM optimiser, compare it with SGD and Adam at their best rates; (metrics, figure)."""
    rng, loss = np.random.default_rng([options.seed, 4]), partial(squared_error, LEARNER)
    optimizer, _ = train(
        partial(optimizer_objective, loss, segment=options.segment), init_optimizer(rng), lstm_tasks(options, rng),
        update=adam, schedule=cosine_decay(options.lstm_learning_rate, options.lstm_iterations),
        iterations=options.lstm_iterations, path=options.out / "lstm.npz", label="LSTM optimiser")
    losses, rates = compare(optimizer, loss, options, rng)
    return print_losses(losses, rates, options), draw_losses(
        losses, options.horizon, f"A new network learns {POINTS} points of a new curve", len(RATES))


def lstm_tasks(options, rng):
    return sample_segments(LEARNER, POINTS, options.lstm_batch, options.horizon, options.segment, rng)


def compare(optimizer, loss, options, rng):
    """({name: losses (episodes, steps)}, {name: rates (steps,)}) of the LSTM, SGD and Adam on the same new curves.

    SGD and Adam have, for each number of steps, the rate that was best on other curves.
    """
    steps = BEYOND * options.horizon

    def measured(updates, label):
        return evaluate(lambda tasks: paths(updates, loss, tasks, steps),
                        lambda n: sample_optimizer_tasks(LEARNER, POINTS, n, 0, rng), options.episodes, batch=100,
                        label=label)

    validation = measured(RIVALS, "tuning SGD and Adam")
    rates = {name: tuned_rates(validation, name) for name in ("Adam", "SGD")}
    used = {key: update for key, update in RIVALS.items() if key[1] in rates[key[0]]}
    test = measured({"LSTM": partial(lstm_optimizer, optimizer), **used}, "test curves")
    return {"LSTM": test["LSTM"]} | {
        name: np.stack([test[name, rate][:, step] for step, rate in enumerate(best)], axis=-1)
        for name, best in rates.items()}, rates


def print_losses(losses, rates, options):
    n_parameters = sum(leaf.size for leaf in leaves(LEARNER.init(np.random.default_rng(0))))
    print(f"\n3. The LSTM optimiser. A new network of {n_parameters} parameters fits {POINTS} points of a new\n"
          f"   curve: mean squared error on these points, 95 % interval, {options.episodes} curves. SGD and\n"
          "   Adam have in each row the rate (in brackets) that was best there on others.\n"
          "   A fit that is worse than when it began counts as it began.\n")
    metrics, rows = {}, []
    for step in steps_shown(options.horizon):
        rows.append([f"{step}{' *' if step > options.horizon else ''}"])
        for name, values in losses.items():
            interval = mean_confidence_interval(values[:, step - 1])
            rate = {"rate": float(rates[name][step - 1])} if name in rates else {}
            metrics[f"{name}, {step} steps"] = metric(*interval, **rate)
            rows[-1].append(plus_minus(*interval, scale=1, digits=3) + (f" ({rate['rate']:g})" if rate else ""))
    print_table(["steps", *losses], rows)
    print("   * more steps than the LSTM was trained for")
    return metrics


def steps_shown(horizon):
    """The numbers of steps in the table: parts and multiples of the horizon."""
    return sorted({max(1, int(part * horizon)) for part in (0.1, 0.2, 0.5, 1, 2, BEYOND)})


if __name__ == "__main__":
    run(main)
