"""The tables of lesson 7, part of its run: what was measured, side by side, and as the record holds it.

results: {name: accuracies}, as `measure_all` in the run returns them.
"""

from functools import partial

import numpy as np

from fewshot_np.data.splits import group_phrase
from fewshot_np.experiment.report import metric, plus_minus, print_table
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson7_pitfalls import (
    Pitfall,
    accuracy_on_other_groups,
    chosen_on_test,
    coverage,
    difference,
    in_groups,
    interval_over_images,
    query_batches,
)

SEEDS = 3  # trainings of the same small network
TRIES = 4  # evaluations of which the best is reported
GROUPS = 24  # short evaluations that are together as long as the honest one: 600 episodes are 24 times 25


def seeds_of(results):
    """The accuracies of the fully trained small networks, (SEEDS, episodes)."""
    return results["models"].T.reshape(SEEDS, -1, len(results["models"]))[:, -1]


def short_length(options):
    """Episodes of a short evaluation."""
    return max(5, options.episodes // GROUPS)


def list_pitfalls(results, trained_networks, options):
    """Every pitfall that flatters, from what was measured: first those of "network", then those of small networks."""
    def percent(name):
        return f"{100 * np.mean(results[name]):.0f} %"

    honest, short = results["honest"], short_length(options)
    tries = in_groups(in_groups(results["all"], short).mean(axis=-1), TRIES)
    seeds, models = seeds_of(results), results["models"].T
    validated = models[np.argmax([value for value, _ in trained_networks["models"]])]
    pixels_gain, _ = difference(results["few, pixels"], results["others, pixels"], paired=False)
    return [
        Pitfall("batch norm sees 1 of each class", results["1 of each class"], honest, True,
                f"ask {options.n_query} of one class together: {percent('of one class')}; one alone: "
                f"{percent('alone')}"),
        Pitfall("a class drawn twice", results["twice"], results["once"], False,
                f"count: drawn from so few, {percent('twice, fewer ways')} of the tasks lack a class or more"),
        Pitfall("scores smoothed along the list", results["smoothed"], honest, True,
                f"shuffle the queries: {percent('smoothed, shuffled')}; honest scores do not move"),
        Pitfall(f"1 query in {options.n_query} is a support image", results["overlap"], honest, True,
                "compare the ids of support and query: they must be disjoint"),
        Pitfall("all queries are support images", results["support_as_query"], honest, True,
                "compare the ids here, too; and it is too good to be true"),
        Pitfall(f"{short} episodes, the best of {TRIES} tries", tries.max(axis=1), tries.mean(axis=1), True,
                "evaluate again, on other episodes and on more of them"),
        Pitfall("outer loss on the support", results["outer, support"], results["outer"], True,
                f"new queries: nearest pixels score {percent('pixels')}, the right loss {100 * seeds[0].mean():.0f} %"),
        Pitfall("tested on training characters", results["few"], results["others"], False,
                f"compare the names of the classes; pixels, which learn nothing: {100 * pixels_gain:+.1f}"),
        Pitfall("labels follow sorted class ids", results["sorted"], results["any order"], True,
                f"on characters trained on; before any example it scores {percent('sorted, before')}, not "
                f"{100 / options.n_way:.0f} %"),
        Pitfall("model chosen on the test tasks", chosen_on_test(models, short),
                in_groups(validated, short).mean(axis=-1), True,
                f"test the chosen model on other tasks: {100 * accuracy_on_other_groups(models, short).mean():.1f} %"),
        Pitfall(f"the best of {SEEDS} seeds", seeds[seeds.mean(axis=1).argmax()], seeds.mean(axis=0), True,
                f"report all; over the seeds the standard deviation is {100 * seeds.mean(axis=1).std(ddof=1):.1f}")]


def print_batch_norm(results, options, test):
    """Print the five accuracies, a sixth that exposes them, and the baseline; returns their metrics."""
    print(f"\n1. One network, one test: {options.episodes} episodes of {options.n_way} characters"
          f"{group_phrase(test, options)} never\n   seen, {options.k_shot} example(s) and {options.n_query} queries of "
          "each. Batch norm takes its statistics\n   from the images that go through the network together:\n")
    names = {key: f"statistics of the queries, {key}" for key in query_batches(options.n_way, options.n_query)}
    names = {"honest": "statistics of the support", **names, "alone": "statistics of the query alone",
             "of one class": f"statistics of {options.n_query} queries of one class", "pixels": "nearest pixels"}
    rows, metrics = [], {}
    for key, name in names.items():
        result = mean_confidence_interval(results[key])
        gain = difference(results[key], results["honest"], paired=True)
        rows.append([name + " (honest)" * (key == "honest"), plus_minus(*result),
                     "" if key == "honest" else plus_minus(*gain, sign="+")])
        metrics[name] = metric(*result)
    print_table(["", "accuracy, %", "minus the honest"], rows)
    return metrics


def print_intervals(results, options):
    """Print how results scatter, what the intervals cover, and the seeds; returns the metrics."""
    values, honest, short, metrics = results["all"], results["honest"], short_length(options), {}
    print(f"\n2. How sure is it? The honest accuracy on {len(values)} episodes, cut into pieces:\n")
    for size in (short, options.episodes):
        groups = in_groups(values, size)
        width = np.mean([mean_confidence_interval(group)[1] for group in groups])
        low, high = groups.mean(axis=-1).min(), groups.mean(axis=-1).max()
        print(f"   {len(groups):3} results on {size:4} episodes: {100 * low:.1f} to {100 * high:.1f} %, interval "
              f"± {100 * width:.1f}")
        metrics[f"results on {size} episodes"] = metric(groups.mean(), width, lowest=low, highest=high)
    half_widths = {"episodes": lambda values: mean_confidence_interval(values)[1],
                   "images": partial(interval_over_images, n_images=options.n_way * options.n_query)}
    for what, half_width in half_widths.items():
        covered, width = coverage(values, short, half_width), half_width(honest)
        print(f"   an interval over {what:8} (± {100 * width:.2f}) holds the mean of all {100 * covered:.0f} "
              "times in 100")
        metrics[f"interval over {what}"] = metric(honest.mean(), width, coverage=covered)
    seeds = [mean_confidence_interval(accuracy) for accuracy in seeds_of(results)]
    print(f"   a smaller network, trained from {SEEDS} seeds: " + ", ".join(plus_minus(*seed) for seed in seeds))
    return metrics | {f"seed {options.seed + k}": metric(*seed) for k, seed in enumerate(seeds)}


def print_pitfalls(pitfalls):
    """Print the table of pitfalls, each with what exposes it below; returns the metrics."""
    print("\n3. The flattering number, the honest one, and what exposes it. The first six are\n"
          "   of the network above, the rest of smaller ones.\n\n"
          f"   {'':34}{'flattering, %':>13}{'honest, %':>13}{'difference':>14}")
    metrics = {}
    for name, flattering, honest, paired, exposed_by in pitfalls:
        numbers = {"flattering": mean_confidence_interval(flattering), "honest": mean_confidence_interval(honest),
                   "difference": difference(flattering, honest, paired)}
        cells = [plus_minus(*result, sign="+" if what == "difference" else "") for what, result in numbers.items()]
        print("   {:34}{:>13}{:>13}{:>14}".format(name, *cells) + f"\n      {exposed_by}")
        metrics |= {f"{name}: {what}": metric(*result) for what, result in numbers.items()}
    return metrics
