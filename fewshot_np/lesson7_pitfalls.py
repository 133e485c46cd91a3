"""Lesson 7: pitfalls. How accuracies lie: a better number without a better network, and how to notice.

Everything before this lesson measured honestly: classes never seen in training, distinct images, labels in random
order, every query answered as if it had come by itself, 600 episodes, an interval over *episodes*. Each function
below breaks one of these rules, in the way in which people really broke it, by accident. It spoils an episode, a list
of scores or a run; the honest code of the lessons before it stays as it is, and is called. The run trains one network
and a few small ones, and sets the flattering number beside the honest one. Where both come from the same episodes, the
difference is taken episode by episode: that is why its interval is so much narrower than theirs.

    python -m fewshot_np.lesson7_pitfalls
"""

import time
from functools import partial
from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import group_phrase, load_splits, split_classes
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import BLACK, BLUE, ORANGE, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import Episode, accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective, maml_scores
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import repeat

# ---------------------------------------------------------------- one network, five accuracies
#
# Batch norm standardises with the statistics of the images that are in the pass together. So the answer to a query
# depends on the company it comes in, unless the statistics are those of the support (lesson 3's `query_logits`).


def company(n_way, n_query):
    """{mode: batches}: which queries, of N Q in order of class, go through the network together; integers (B, M)."""
    queries = np.arange(n_way * n_query)
    modes = {}
    for q in sorted({q for q in (1, 5, n_query) if n_query % q == 0}):
        by_class = queries.reshape(n_way, n_query // q, q)
        modes[f"{q} of each class"] = by_class.swapaxes(0, 1).reshape(-1, n_way * q)
    return {**modes, "alone": queries[:, None], "of one class": queries.reshape(n_way, n_query)}


def logits_in_batches(network, params, query_x, batches):
    """Logits (T, N Q, N), of the queries in their own order, from one pass of the network for each batch."""
    logits = np.concatenate([network.apply(params, query_x[:, batch]) for batch in batches], axis=1)
    return logits[:, np.argsort(np.concatenate(batches))]


# ---------------------------------------------------------------- spoiled episodes


def support_as_query(episode):
    """Ask for the images that were shown. As the episodes of a *training*, it is an outer loss on the support."""
    return episode._replace(query_x=episode.support_x, query_y=episode.support_y, query_ids=episode.support_ids)


def overlap(episode):
    """One query of each class is a support image: what comes of drawing support and query independently."""
    n_tasks, n_way = len(episode.support_y), episode.support_y.max() + 1

    def leak(support, query):
        query = query.reshape(n_tasks, n_way, -1, *query.shape[2:]).copy()
        query[:, :, 0] = support.reshape(n_tasks, n_way, -1, *support.shape[2:])[:, :, 0]
        return query.reshape(n_tasks, -1, *query.shape[3:])

    return episode._replace(query_x=leak(episode.support_x, episode.query_x),
                            query_ids=leak(episode.support_ids, episode.query_ids))


def sample_with_replacement(classes, n_way, k_shot, n_query, n_tasks, rng):
    """Episodes as `sample_episodes` draws them, but a class may be drawn twice; it then has one label, not two.

    So it happens where `replace=False` is forgotten and the labels are looked up by class. Some label then has no
    image, and the task fewer than N ways.
    """
    ones = sample_episodes(classes, 1, k_shot, n_query, n_tasks * n_way, rng)  # N tasks of one class make one of N
    drawn = classes.labels[ones.support_ids[:, 0]].reshape(n_tasks, n_way)
    labels = np.argmax(drawn[:, :, None] == drawn[:, None, :], axis=-1)  # the first place of the same class
    support_ids, query_ids = (ids.reshape(n_tasks, -1) for ids in (ones.support_ids, ones.query_ids))
    return Episode(to_float(classes.images[support_ids]), labels.repeat(k_shot, axis=1),
                   to_float(classes.images[query_ids]), labels.repeat(n_query, axis=1), support_ids, query_ids)


def sort_labels(episode, classes):
    """Label 0 is the class with the smallest id, label 1 the next: a class's label can be known beforehand.

    So it happens where the classes of an episode go through `sorted`, `set` or `numpy.unique`.
    """
    n_way = episode.support_y.max() + 1
    ids = classes.labels[episode.support_ids].reshape(len(episode.support_y), n_way, -1)[:, :, 0]
    rank = np.argsort(np.argsort(ids, axis=1), axis=1)  # (T, N): the place of each class among the task's
    return episode._replace(support_y=np.take_along_axis(rank, episode.support_y, axis=1),
                            query_y=np.take_along_axis(rank, episode.query_y, axis=1))


def hear_neighbours(logits, order):
    """Average the scores of each query with those of the query before and after it in the list `order`, (M,).

    It stands for any layer that runs along the list: a recurrent network, a convolution, a position code. Episodes
    come in order of class, so neighbours mostly share their label.
    """
    listed = logits[:, order]
    listed = np.concatenate([listed[:, :1], listed, listed[:, -1:]], axis=1)
    smooth = (listed[:, :-2] + listed[:, 1:-1] + listed[:, 2:]) * (1 / 3)
    return smooth[:, np.argsort(order)]


# ---------------------------------------------------------------- spoiled reports


def in_groups(values, size):
    """(..., E) -> (..., E // size, size): short evaluations of `size` episodes each; what is left over is dropped.

    ValueError where there are not enough values for one group.
    """
    n_groups = np.shape(values)[-1] // size
    if not n_groups:
        raise ValueError(f"a group of {size} needs as many values, got {np.shape(values)[-1]}")
    return values[..., :n_groups * size].reshape(*values.shape[:-1], n_groups, size)


def chosen_on_test(accuracy, size):
    """Accuracies (models, E) -> (E // size,): of the model that is best on just these `size` test episodes."""
    return in_groups(accuracy, size).mean(axis=-1).max(axis=0)


def elsewhere(accuracy, size):
    """(E // size,): the models that `chosen_on_test` picks, on the episodes of the *other* groups. It exposes them."""
    of_group = in_groups(accuracy, size).mean(axis=-1)  # (models, groups)
    n_groups = of_group.shape[1]
    others = (of_group.sum(axis=1, keepdims=True) - of_group) / (n_groups - 1)
    return others[of_group.argmax(axis=0), np.arange(n_groups)]


def interval_over_images(accuracy, n_images):
    """The half-width that `mean_confidence_interval` gives for single queries, right 1 or wrong 0, n_images a task.

    As if the images of a task were independent: but they share its support, and are easy or hard together.
    """
    p = np.mean(accuracy)
    return float(1.96 * (p * (1 - p) / (len(accuracy) * n_images - 1)) ** 0.5)


def coverage(accuracy, size, half_width):
    """How often the interval around a result on `size` episodes contains the mean of all: it should be 0.95."""
    return float(np.mean([abs(group.mean() - accuracy.mean()) <= half_width(group)
                          for group in in_groups(accuracy, size)]))


# ---------------------------------------------------------------- the flattering number beside the honest one


class Pitfall(NamedTuple):
    """A pitfall's accuracies, one per episode (or per group of episodes), the honest ones, and what exposes it.

    paired: both are of the same episodes in the same order.
    """

    name: str
    says: np.ndarray
    honest: np.ndarray
    paired: bool
    exposed_by: str


def difference(says, honest, paired):
    """(mean of says - mean of honest, half-width of its 95 % interval)."""
    if paired:
        return mean_confidence_interval(says - honest)
    (mean_s, interval_s), (mean_h, interval_h) = mean_confidence_interval(says), mean_confidence_interval(honest)
    return mean_s - mean_h, float(np.hypot(interval_s, interval_h))


# ---------------------------------------------------------------- the run: (1) learners, honest and spoiled
#
# A learner is (network, params).

SEEDS = 3
TRIES = 4  # evaluations of which the best is reported
GROUPS = 24  # short evaluations that are as long as the honest one: 600 episodes are 24 times 25


def split_parts(options, rng):
    """{name: ImageClasses}: the splits; "few" training characters, as many as a small data set has, and the "others";
    a "pool" of test characters so small that one is often drawn twice. ValueError where one cannot fill an episode."""
    training, validation, test = load_splits(options)
    n_few = min(options.few_classes, len(training) // 2)
    few, others = split_classes(training, [n_few, len(training) - n_few], rng)
    pool, = split_classes(test, [min(2 * options.n_way, len(test))], rng)
    parts = {"train": training, "validation": validation, "test": test, "few": few, "others": others, "pool": pool}
    for name, part in parts.items():
        n_query = {"train": options.k_shot, "validation": 5}.get(name, options.n_query)
        sample_episodes(part, options.n_way, options.k_shot, n_query, 1, np.random.default_rng(0))
    return parts


def train_learners(options, parts):
    """{name: learner}; under "models", of SEEDS trainings, pairs (validation accuracy, learner) at some times each."""
    large, small = (conv4(outputs=options.n_way, channels=channels, down="stride", features="mean")
                    for channels in (options.channels, options.small_channels))
    learn = partial(train_learner, options=options, validation=parts["validation"])
    short = partial(learn, network=small, iterations=options.small_iterations)
    few = parts["few"]
    models = [short(name=f"seed {seed}", classes=parts["train"], seed=seed)
              for seed in range(options.seed, options.seed + SEEDS)]
    return {"network": learn("network", large, options.iterations, parts["train"])[-1][1],
            "models": [model for checkpoints in models for model in checkpoints],
            "on support": short(name="on support", classes=parts["train"], spoil=support_as_query)[-1][1],
            "few": short(name="few characters", classes=few)[-1][1],
            "sorted": short(name="sorted labels", classes=few, spoil=partial(sort_labels, classes=few))[-1][1]}


def train_learner(name, network, iterations, classes, options, validation, seed=None, spoil=None):
    """MAML as in lesson 4, on spoiled episodes if asked for: the last three [(validation accuracy, learner)]."""
    rng = np.random.default_rng(options.seed if seed is None else seed)
    loss, checkpoints = partial(classification_loss, network), []

    def objective(params, episode):
        return maml_objective(loss, params, episode, options.inner_lr, options.inner_steps)

    def sample():
        episode = sample_episodes(classes, options.n_way, options.k_shot, options.k_shot, options.meta_batch, rng)
        return spoil(episode) if spoil else episode

    def validate(params):
        episode = sample_episodes(validation, options.n_way, options.k_shot, 5, 60, np.random.default_rng(options.seed))
        checkpoints.append((accuracy((network, params), episode, options).mean(), (network, params)))
        return checkpoints[-1][0]

    params, _ = train(objective, network.init(rng), sample, update=adam,
                      schedule=cosine_decay(options.learning_rate, iterations), iterations=iterations,
                      path=options.out / f"{name.replace(' ', '-')}.npz", label=name, validate=validate,
                      validate_every=max(1, iterations // 5))
    if checkpoints[-1][1][1] is not params:
        validate(params)
    return checkpoints[-3:]


def accuracy(learner, episode, options, steps=None):
    """The honest accuracy of each task, (T,), after `steps` steps: batch norm sees the support alone."""
    steps = options.inner_steps if steps is None else steps
    return accuracies(maml_scores(*learner, episode, "support", options.inner_lr, steps), episode.query_y)


# ---------------------------------------------------------------- (2) what they score


def measure_all(learners, options, parts, rng):
    """{name: accuracies}, one per episode. All that one `measure` returns is of the same episodes."""
    def on(part, measure, times=1, sampler=sample_episodes):
        return evaluate(measure, lambda n_tasks: sampler(parts[part], options.n_way, options.k_shot, options.n_query,
                                                         n_tasks, rng), times * options.episodes, label=part)

    def honest(name, learner="network"):
        return lambda episode: {name: accuracy(learners[learner], episode, options)}

    def pool(episode):
        fewer = np.array([len(np.unique(labels)) < options.n_way for labels in episode.support_y])
        return {**honest("twice")(episode), "twice, fewer ways": fewer}

    def few(episode):
        in_order = sort_labels(episode, parts["few"])
        return {**honest("few", "few")(episode), **pixels("few, pixels", episode),
                **honest("any order", "sorted")(episode), **honest("sorted", "sorted")(in_order),
                "sorted, before": accuracy(learners["sorted"], in_order, options, steps=0)}

    def others(episode):
        return {**honest("others", "few")(episode), **pixels("others, pixels", episode)}

    found = on("test", partial(measure_test, learners, options))
    more = on("test", honest("more"), times=TRIES - 1)["more"]
    return {**found, "all": np.concatenate([found["honest"], more]),
            **on("pool", pool, sampler=sample_with_replacement), **on("pool", honest("once")),
            **on("few", few), **on("others", others)}


def pixels(name, episode):
    return {name: accuracies(pixel_scores(None, episode), episode.query_y)}


def measure_test(learners, options, episode):
    """{name: accuracies (T,)} of one batch of test episodes; "models": (T, models)."""
    (network, params), labels = learners["network"], episode.query_y
    adapted = adapt(partial(classification_loss, network), repeat(params, len(labels)), episode.support_x,
                    episode.support_y, options.inner_lr, options.inner_steps)
    logits = query_logits(network, adapted, episode, "support")
    by_class = np.arange(labels.shape[1])
    shuffled = np.random.default_rng(0).permutation(by_class)
    found = {"honest": accuracies(logits, labels), **pixels("pixels", episode),
             "neighbours": accuracies(hear_neighbours(logits, by_class), labels),
             "neighbours, shuffled": accuracies(hear_neighbours(logits, shuffled), labels)}
    for mode, batches in company(options.n_way, options.n_query).items():
        found[mode] = accuracies(logits_in_batches(network, adapted, episode.query_x, batches), labels)
    for spoil in (overlap, support_as_query):
        spoiled = spoil(episode)
        found[spoil.__name__] = accuracies(query_logits(network, adapted, spoiled, "support"), spoiled.query_y)
    found["outer"] = accuracy(learners["on support"], episode, options)
    found["outer, support"] = accuracy(learners["on support"], support_as_query(episode), options)
    found["models"] = np.stack([accuracy(model, episode, options) for _, model in learners["models"]], axis=1)
    return found


# ---------------------------------------------------------------- (3) the numbers side by side


def seeds_of(found):
    """The accuracies of the fully trained small learners, (SEEDS, episodes)."""
    return found["models"].T.reshape(SEEDS, -1, len(found["models"]))[:, -1]


def list_pitfalls(found, learners, options):
    """Every pitfall that flatters, from what was measured: first those of "network", then those of small learners."""
    def percent(name):
        return f"{100 * np.mean(found[name]):.0f} %"

    honest, short = found["honest"], short_length(options)
    tries = in_groups(in_groups(found["all"], short).mean(axis=-1), TRIES)
    seeds, models = seeds_of(found), found["models"].T
    validated = models[np.argmax([value for value, _ in learners["models"]])]
    pixels_gain, _ = difference(found["few, pixels"], found["others, pixels"], paired=False)
    return [
        Pitfall("batch norm sees 1 of each class", found["1 of each class"], honest, True,
                f"ask {options.n_query} of one class together: {percent('of one class')}; one alone: "
                f"{percent('alone')}"),
        Pitfall("a class drawn twice", found["twice"], found["once"], False,
                f"count: drawn from so few, {percent('twice, fewer ways')} of the tasks lack a class or more"),
        Pitfall("scores hear their neighbours", found["neighbours"], honest, True,
                f"shuffle the queries: {percent('neighbours, shuffled')}; honest scores do not move"),
        Pitfall(f"1 query in {options.n_query} is a support image", found["overlap"], honest, True,
                "compare the ids of support and query: they must be disjoint"),
        Pitfall("all queries are support images", found["support_as_query"], honest, True,
                "the same; and it is too good to be true"),
        Pitfall(f"{short} episodes, the best of {TRIES} tries", tries.max(axis=1), tries.mean(axis=1), True,
                "evaluate again, on other episodes and on more of them"),
        Pitfall("outer loss on the support", found["outer, support"], found["outer"], True,
                f"new queries: nearest pixels score {percent('pixels')}, the right loss {100 * seeds[0].mean():.0f} %"),
        Pitfall("tested on training characters", found["few"], found["others"], False,
                f"compare the names of the classes; pixels, which learn nothing: {100 * pixels_gain:+.1f}"),
        Pitfall("labels follow sorted class ids", found["sorted"], found["any order"], True,
                f"on characters trained on; before any example it scores {percent('sorted, before')}, not "
                f"{100 / options.n_way:.0f} %"),
        Pitfall("model chosen on the test tasks", chosen_on_test(models, short),
                in_groups(validated, short).mean(axis=-1), True,
                f"score what was chosen on other tasks: {100 * elsewhere(models, short).mean():.1f} %"),
        Pitfall(f"the best of {SEEDS} seeds", seeds[seeds.mean(axis=1).argmax()], seeds.mean(axis=0), True,
                f"report all; over the seeds the standard deviation is {100 * seeds.mean(axis=1).std(ddof=1):.1f}")]


def short_length(options):
    """Episodes of a short evaluation."""
    return max(5, options.episodes // GROUPS)


def cell(mean, interval, sign=""):
    return f"{100 * mean:{sign}.1f} ± {100 * interval:.1f}"


def print_batch_norm(found, options, test):
    """Print the five accuracies, a sixth that exposes them, and the baseline; returns them by name."""
    print(f"\n1. One network, one test: {options.episodes} episodes of {options.n_way} characters"
          f"{group_phrase(test, options)} never\n   seen, {options.k_shot} example(s) and {options.n_query} queries of "
          "each. Batch norm takes its statistics\n   from the images that go through the network together:\n\n"
          f"   {'these are':30}{'accuracy, %':>14}{'against the honest':>22}")
    metrics = {}
    for key in ["honest", *company(options.n_way, options.n_query), "pixels"]:
        name = {"honest": "the support (honest)", "alone": "the query alone", "pixels": "none (nearest pixels)",
                "of one class": f"{options.n_query} queries of one class"}.get(key, f"queries, {key}")
        mean, interval = mean_confidence_interval(found[key])
        more = cell(*difference(found[key], found["honest"], paired=True), "+") if key != "honest" else ""
        print(f"   {name:30}{cell(mean, interval):>14}{more:>22}".rstrip())
        metrics["nearest pixels" if key == "pixels" else f"statistics of {name}"] = {"mean": mean, "interval": interval}
    return metrics


def print_intervals(found, options):
    """Print how results scatter, what the intervals cover, and the seeds; returns the numbers by name."""
    values, short, metrics = found["all"], short_length(options), {}
    print(f"\n2. How sure is it? The honest accuracy on {len(values)} episodes, cut into pieces:\n")
    for size in (short, options.episodes):
        groups = in_groups(values, size)
        width = np.mean([mean_confidence_interval(group)[1] for group in groups])
        low, high = groups.mean(axis=-1).min(), groups.mean(axis=-1).max()
        print(f"   {len(groups):3} results on {size:4} episodes: {100 * low:.1f} to {100 * high:.1f} %, interval "
              f"± {100 * width:.1f}")
        metrics[f"results on {size} episodes"] = {"mean": groups.mean(), "interval": width, "lowest": low,
                                                  "highest": high}
    over = {"episodes": lambda values: mean_confidence_interval(values)[1],
            "images": partial(interval_over_images, n_images=options.n_way * options.n_query)}
    for what, half_width in over.items():
        held, width = coverage(values, short, half_width), half_width(found["honest"])
        print(f"   an interval over {what:8} (± {100 * width:.2f}) holds the mean of all {100 * held:.0f} times in 100")
        metrics[f"interval over {what}"] = {"mean": found["honest"].mean(), "interval": width, "coverage": held}
    seeds = [mean_confidence_interval(values) for values in seeds_of(found)]
    print(f"   a smaller network, trained from {SEEDS} seeds: " + ", ".join(cell(*seed) for seed in seeds))
    return metrics | {f"seed {options.seed + k}": {"mean": mean, "interval": interval}
                      for k, (mean, interval) in enumerate(seeds)}


def print_pitfalls(pitfalls):
    """Print the table of pitfalls; returns its numbers by name."""
    print("\n3. The flattering number, the honest one, and what exposes it. The first six are\n"
          "   of the network above, the rest of smaller ones.\n\n"
          f"   {'':34}{'it says, %':>13}{'honest, %':>13}{'flatters by':>14}")
    metrics = {}
    for name, says, honest, paired, exposed_by in pitfalls:
        numbers = {"says": mean_confidence_interval(says), "honest": mean_confidence_interval(honest),
                   "difference": difference(says, honest, paired)}
        cells = [cell(*numbers["says"]), cell(*numbers["honest"]), cell(*numbers["difference"], "+")]
        print("   {:34}{:>13}{:>13}{:>14}".format(name, *cells) + f"\n      {exposed_by}")
        metrics |= {f"{name}: {what}": {"mean": mean, "interval": interval}
                    for what, (mean, interval) in numbers.items()}
    return metrics


# ---------------------------------------------------------------- pictures


def draw_pitfalls(pitfalls):
    """Each pitfall's number and the honest one on a line of its own, joined."""
    figure, axes = new_figure(8.5, 0.42 * len(pitfalls) + 1)
    for y, pitfall in enumerate(pitfalls):
        ends = [100 * values.mean() for values in (pitfall.honest, pitfall.says)]
        axes.plot(ends, [y, y], color="#BBBBBB", linewidth=1.5, zorder=1)
        for values, style in [(pitfall.honest, {"color": BLUE, "marker": "o", "label": "honest"}),
                              (pitfall.says, {"color": ORANGE, "marker": "D", "label": "what it says"})]:
            mean, interval = mean_confidence_interval(values)
            axes.errorbar(100 * mean, y, xerr=100 * interval, capsize=3, linestyle="none",
                          **{**style, "label": style["label"] if y == 0 else None})
        axes.annotate(f"{ends[1] - ends[0]:+.1f}", (max(ends), y), xytext=(14, 0), textcoords="offset points",
                      va="center", fontsize=8)
    axes.set(yticks=range(len(pitfalls)), yticklabels=[pitfall.name for pitfall in pitfalls],
             xlabel="accuracy, %, with the 95 % interval", title="How accuracies lie")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#EEEEEE")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", fontsize=8)
    return figure


def draw_luck(found, options):
    """Results on few and on many episodes, and of the seeds, about their own means."""
    values, seeds = found["all"], seeds_of(found)
    short, long = (in_groups(values, size) for size in (short_length(options), options.episodes))
    figure, axes = new_figure(7.5, 4)
    band = 100 * mean_confidence_interval(found["honest"])[1]
    axes.axhspan(-band, band, color=BLUE, alpha=0.12, linewidth=0)
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(short))
    axes.plot(jitter, 100 * (short.mean(axis=-1) - values.mean()), ".", color=ORANGE)
    for centre, groups, color, marker in [(1, long - values.mean(), BLUE, "o"), (2, seeds - seeds.mean(), BLACK, "s")]:
        for x, group in zip(centre + np.linspace(-0.2, 0.2, len(groups)), groups, strict=True):
            mean, interval = mean_confidence_interval(group)
            axes.errorbar(x, 100 * mean, yerr=100 * interval, color=color, marker=marker, capsize=3, markersize=4)
    axes.set(xticks=range(3), ylabel="accuracy minus the mean of all, points",
             xticklabels=[f"one network,\n{len(short)} times {short.shape[1]} episodes",
                          f"the same network,\n{len(long)} times {options.episodes} episodes",
                          f"{SEEDS} seeds of training,\n{options.episodes} episodes each"],
             title=f"Luck with episodes and with seeds (band: the interval of {options.episodes} episodes)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


# ---------------------------------------------------------------- all of it


def main(argv=None):
    options = parse_options(
        "lesson7_pitfalls", "How accuracies lie: the flattering number beside the honest one.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "inner_lr": 0.4, "inner_steps": 1, "meta_batch": 8,
         "iterations": 1200, "learning_rate": 5e-3, "channels": 32, "small_iterations": 400, "small_channels": 16,
         "few_classes": 50, "episodes": 600},
        quick={"iterations": 20, "small_iterations": 10, "channels": 16, "small_channels": 8, "meta_batch": 4,
               "episodes": 40},
        full={"iterations": 60000, "small_iterations": 10000, "channels": 64, "small_channels": 32,
              "meta_batch": 32, "learning_rate": 1e-3}, argv=argv)
    started, rng = time.perf_counter(), np.random.default_rng(options.seed)
    if options.episodes < 10:
        raise ValueError(f"pieces of 5 episodes, to be compared, need 10 or more of them, got {options.episodes}")
    parts = split_parts(options, rng)
    print("A better accuracy without a better network: how numbers about few-shot learning\n"
          "lie, by how much, and what exposes each of them.")
    learners = train_learners(options, parts)
    found = measure_all(learners, options, parts, rng)
    pitfalls = list_pitfalls(found, learners, options)
    metrics = (print_batch_norm(found, options, parts["test"]) | print_intervals(found, options)
               | print_pitfalls(pitfalls))
    pictures = [save_figure(draw_pitfalls(pitfalls), options.out / "pitfalls.png"),
                save_figure(draw_luck(found, options), options.out / "luck.png")]
    record = write_record(options.out, "lesson7_pitfalls", options, time.perf_counter() - started, metrics)
    print("\nWritten: " + "\n         ".join(map(str, [*pictures, *sorted(options.out.glob("*.npz")), record]))
          + "\nNext:    python -m fewshot_np.lesson8_comparison")


if __name__ == "__main__":
    run(main)
