"""Lesson 3: compare instead of retraining. Learn an embedding in which one example is enough.

A *metric-based* method learns, once and on many tasks, to send each image to a point, its *embedding*, so that
drawings of one character land close together, even of a character that it has never seen. To learn five new ones
then takes no gradient step at all: embed the few examples of each, and ask what a query lands near.

  Prototypical networks (Snell et al. 2017)   A class is the mean of its embedded examples, its *prototype* c_n:
                                              p(n | query) = softmax over the classes of -|query - c_n|^2
  Matching Networks (Vinyals et al. 2016)     Every example votes for its own class with a weight, its *attention*:
                                              p(n | query) = sum over n's examples of softmax(cosine(query, example))

Training imitates the test: draw an episode, compute p, and let the gradient of -log p(right class) move the one thing
that there is to learn, the embedding. In training the episodes have many more classes than in the test: the task is
harder, and each gradient compares more pairs.

    python -m fewshot_np.lesson3_metric
"""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import STYLES, draw_image, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson1_data_hunger import (
    HELD_OUT,
    SHOTS,
    accuracy_curve,
    as_metrics,
    draw_curves,
    nearest_pixels,
    network_from_scratch,
    print_curves,
)
from fewshot_np.lesson2_episodes import accuracies, as_metric, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import cross_entropy, log_softmax, safe_norm

# ---------------------------------------------------------------- prototypes and distances


def prototypes(embeddings, labels, n_way):
    """The mean embedding of each class: (M,D), (M,) -> (N,D), or (T,M,D), (T,M) -> (T,N,D). Snell et al. 2017, eq. 1.

    labels: integers in 0...N-1 in any order. ValueError for others, and for a class without an example.
    """
    if embeddings.ndim not in (2, 3):
        raise ValueError(f"embeddings must be (M,D) or (T,M,D), got {embeddings.shape}")
    members = memberships(labels, embeddings.shape[:-1], n_way, embeddings.dtype)
    shares = members / onp.sum(members, axis=-2, keepdims=True)  # each of n's K examples has the share 1/K
    return np.matmul(onp.swapaxes(shares, -1, -2), embeddings)  # (N,M) @ (M,D)


def memberships(labels, shape, n_way, dtype):
    """1 where example m is of class n, else 0: labels of that shape, (M,) -> (M,N) or (T,M) -> (T,M,N)."""
    labels = onp.asarray(labels)
    if labels.shape != shape or not onp.issubdtype(labels.dtype, onp.integer):
        raise ValueError(f"labels must be integers, {shape}, got {labels.shape} {labels.dtype}")
    if isinstance(n_way, bool) or not isinstance(n_way, (int, onp.integer)) or n_way < 1:
        raise ValueError(f"n_way must be a positive integer, got {n_way!r}")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_way:
        raise ValueError(f"labels must lie in 0...{n_way - 1} for {n_way} classes, got {labels.min()}...{labels.max()}")
    members = onp.eye(n_way, dtype=dtype)[labels]
    for *task, label in onp.argwhere(~members.any(axis=-2)):
        raise ValueError(f"class {label}{f' of task {task[0]}' if task else ''} has no example")
    return members


def squared_distances(a, b):
    """|a_i - b_j|^2 of every pair of rows: (A,D), (B,D) -> (A,B), or (T,A,D), (T,B,D) -> (T,A,B)."""
    return np.sum(np.square(differences(a, b)), axis=-1)


def plain_distances(a, b):
    """|a_i - b_j|, to compare with; its derivative where the two are equal is 0 and not NaN."""
    return safe_norm(differences(a, b))


def differences(a, b):
    """a_i - b_j of every pair of rows: (A,D), (B,D) -> (A,B,D), or with the same T in front of all."""
    _check_pairs(a, b)
    return np.expand_dims(a, -2) - np.expand_dims(b, -3)  # (A,1,D) - (1,B,D)


def _check_pairs(a, b):
    if a.ndim not in (2, 3) or a.ndim != b.ndim or a.shape[-1] != b.shape[-1] or a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"need (A,D) and (B,D), or (T,A,D) and (T,B,D), with the same T and D, got {a.shape} and "
                         f"{b.shape}")


def prototypical_loss(embeddings_s, labels_s, embeddings_q, labels_q, n_way, distances=squared_distances):
    """Mean over the queries of -log p(own class), () or (T,). Snell et al. 2017, eq. 2 and Algorithm 1.

    The squared distance is what makes the *mean* the right summary: no other point has a smaller sum of squared
    distances to the examples. It also makes the classifier linear in the query q: of the three terms in
    -|q - c|^2 = -|q|^2 + 2 c.q - |c|^2 the first is the same for all classes, and softmax does not see it.
    """
    logits = -distances(embeddings_q, prototypes(embeddings_s, labels_s, n_way))
    return cross_entropy(logits, labels_q)


# ---------------------------------------------------------------- attention


def cosines(a, b):
    """The cosine of the angle of every pair of rows: (A,D), (B,D) -> (A,B), or with T in front; 0 for zeros."""
    _check_pairs(a, b)
    return np.matmul(_unit(a), np.swapaxes(_unit(b), -1, -2))


def _unit(x):
    length = np.expand_dims(safe_norm(x), -1)
    return x / (length + (length == 0))


def attend(similarities, labels, n_way):
    """log p(class) when example m votes with the weight softmax(similarities)_m: (A,M), (M,) -> (A,N), or with T.

    Vinyals et al. 2016, eq. 1. With one example per class, and minus squared distances for similarities, this is
    exactly the prototypical network: it takes more examples to tell the two methods apart.
    """
    shape = (*similarities.shape[:-2], similarities.shape[-1])
    attention = np.exp(log_softmax(similarities))
    return np.log(np.matmul(attention, memberships(labels, shape, n_way, similarities.dtype)))


def matching_log_probabilities(embeddings_s, labels_s, embeddings_q, n_way, temperature=1.0):
    """log p(class) of each query, (A,N) or (T,A,N), by attention to the cosines, divided by `temperature`.

    The paper has no temperature, that is 1, and there lies a trap. Behind a ReLU all cosines lie between 0 and 1, so
    that no weight among M exceeds e/(e + M - 1), however good the embedding: 40 % of five, 12.5 % of twenty.
    """
    return attend(cosines(embeddings_q, embeddings_s) * (1 / temperature), labels_s, n_way)


# ---------------------------------------------------------------- the two methods, on episodes


def embed(network, params, episode, statistics):
    """The embeddings of support and query, (T,NK,D) and (T,NQ,D), from one pass through the network.

    statistics: which images batch norm takes mean and variance from. "support": from the support alone, so that each
    query is embedded as if it had come by itself (inductive). "support and queries": from both together, so that where
    a query lands depends on the other queries (transductive).

    Raises: ValueError for other statistics.
    """
    if statistics not in ("support", "support and queries"):
        raise ValueError(f'statistics must be "support" or "support and queries", got {statistics!r}')
    n_support = episode.support_x.shape[1]
    images = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    embeddings = network.apply(params, images, n_reference=n_support if statistics == "support" else None)
    return embeddings[:, :n_support], embeddings[:, n_support:]


def prototypical_objective(network, params, episode, distances=squared_distances):
    """Mean over tasks of the prototypical loss; all images of a task share their batch statistics."""
    support, query = embed(network, params, episode, "support and queries")
    loss = prototypical_loss(support, episode.support_y, query, episode.query_y, ways(episode), distances)
    return np.sum(loss) * (1 / len(episode.support_y))


def prototypical_scores(network, params, episode, statistics, distances=squared_distances):
    """Minus the distance of each query to each prototype: (T, N Q, N)."""
    support, query = embed(network, params, episode, statistics)
    return -distances(query, prototypes(support, episode.support_y, ways(episode)))


def matching_objective(network, params, episode, temperature=1.0):
    """Mean over tasks and queries of -log p(own class); all images of a task share their batch statistics."""
    log_p = matching_scores(network, params, episode, "support and queries", temperature)
    return np.sum(cross_entropy(log_p, episode.query_y)) * (1 / len(episode.support_y))  # log_softmax(log p) = log p


def matching_scores(network, params, episode, statistics, temperature=1.0):
    """log p(class) of each query: (T, N Q, N)."""
    support, query = embed(network, params, episode, statistics)
    return matching_log_probabilities(support, episode.support_y, query, ways(episode), temperature)


def ways(episode):
    """N, from the support's labels."""
    return int(episode.support_y.max()) + 1


# ---------------------------------------------------------------- the run: (1) train


class Method(NamedTuple):
    """train_way: classes per training episode. objective and scores: of (network, params, episode, ...)."""

    train_way: int
    objective: Any
    scores: Any


def methods(train_way, n_way):
    """{name: Method}: what decides? The first is the lesson's own; each other differs in one thing from one above it,
    but for the published Matching Network, which is trained with as many classes as it is tested with."""
    prototypical = prototypical_objective, prototypical_scores
    plain = (partial(f, distances=plain_distances) for f in prototypical)
    sharp = (partial(f, temperature=0.1) for f in (matching_objective, matching_scores))
    return {f"prototypical, {train_way}-way": Method(train_way, *prototypical),
            f"prototypical, {n_way}-way": Method(n_way, *prototypical),
            f"prototypical, {train_way}-way, not squared": Method(train_way, *plain),
            f"matching, {n_way}-way": Method(n_way, matching_objective, matching_scores),
            f"matching, {train_way}-way": Method(train_way, matching_objective, matching_scores),
            f"matching, {train_way}-way, sharper": Method(train_way, *sharp)}


def run_training(options, candidates, network, start, training, validation):
    """({name: parameters}, {name: history}) of all candidates, from one start and on equally many images."""
    most = max(method.train_way for method in candidates.values())
    held_out = sample_episodes(validation, options.n_way, options.k_shot, options.n_query, 40,
                               onp.random.default_rng(options.seed))
    trained, histories = {}, {}
    for name, method in candidates.items():
        def validate(params, scores=method.scores):
            return accuracies(scores(network, params, held_out, "support"), held_out.query_y).mean()

        sample = partial(sample_episodes, training, method.train_way, options.k_shot, options.n_query,
                         n_tasks=most // method.train_way, rng=onp.random.default_rng(options.seed))
        trained[name], histories[name] = train(
            partial(method.objective, network), start, sample, update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / (name.replace(",", "").replace(" ", "-") + ".npz"), label=name, validate=validate,
            validate_every=max(1, options.iterations // 15))
    return trained, histories


def draw_training(histories):
    """Validation accuracy of every method against the iterations."""
    figure, axes = new_figure(7.5, 4)
    for style, (name, history) in zip(STYLES, histories.items(), strict=False):
        axes.plot(*zip(*history["validation"], strict=True), **style, markersize=4, label=name)
    axes.set(title=f"One network, trained in {len(histories)} ways on as many images", xlabel="iteration",
             ylabel="accuracy on validation classes")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


# ---------------------------------------------------------------- (2) test: more examples, more classes


def possible_settings(classes, options):
    """[(ways, shots)]: the one asked for; five times the shots; four times the ways, where there are enough."""
    n_way, k_shot = options.n_way, options.k_shot
    fewest = min(map(len, classes.images_of))
    return [(n, k) for n, k in [(n_way, k_shot), (n_way, 5 * k_shot), (4 * n_way, k_shot)]
            if n <= len(classes) and k + options.n_query <= fewest]


def run_test(options, candidates, network, start, trained, test):
    """{name: {(ways, shots): accuracy of each episode}}; in one setting all methods meet the same episodes."""
    scorers = {"nearest pixels": partial(pixel_scores, None),
               "no training": partial(prototypical_scores, network, start, statistics="support")}
    scorers |= {name: partial(method.scores, network, trained[name], statistics="support")
                for name, method in candidates.items()}
    for name in (next(iter(candidates)), list(candidates)[-1]):
        scorers[f"{name}, statistics of the support and queries"] = partial(
            candidates[name].scores, network, trained[name], statistics="support and queries")

    def measure(episode):
        return {name: accuracies(score(episode), episode.query_y) for name, score in scorers.items()}

    values = {name: {} for name in scorers}
    for n_way, k_shot in possible_settings(test, options):
        sample = partial(sample_episodes, test, n_way, k_shot, options.n_query,
                         rng=onp.random.default_rng(options.seed + 1))
        found = evaluate(measure, lambda n_tasks, sample=sample: sample(n_tasks=n_tasks), options.episodes,
                         label=f"test {n_way}-way {k_shot}-shot")
        for name in scorers:
            values[name][n_way, k_shot] = found[name]
    return values


def print_test(values, reference, options, test):
    """Print accuracies, and their differences from those of the method `reference`; returns both by name."""
    settings, names = list(values[reference]), list(values)
    differences = {name: {s: values[name][s] - values[reference][s] for s in settings}
                   for name in names[names.index(reference) + 1:]}
    print(f"\nAccuracy in %, 95 % interval over {options.episodes} episodes, {options.n_query} queries per class,\n"
          f"{len(test)} characters{group_phrase(test, options)}. Batch norm sees the support alone; where it says\n"
          "transductive, the queries as well. Sharper: cosines times 10.\n\n"
          f"  {'':39}" + "".join(f"{f'{n}-way {k}-shot':<13}" for n, k in settings))
    _print_rows(values, "{:.1f}")
    print(f"\n  minus {reference}, on the same episodes (one training of each):")
    _print_rows(differences, "{:+.1f}")
    return {f"{name}{suffix}, {n}-way {k}-shot": as_metric(found[n, k])
            for suffix, table in [("", values), (f" minus {reference}", differences)]
            for name, found in table.items() for n, k in settings}


def _print_rows(table, form):
    for name, found in table.items():
        cells = (mean_confidence_interval(100 * value) for value in found.values())
        print(f"  {name:39}" + "".join(f"{form.format(mean):>5} ± {half:<5.1f}" for mean, half in cells).rstrip())


# ---------------------------------------------------------------- (3) look at the embedding


def principal_components(x, n=2):
    """The n coordinates along which the points (M,D) spread most, (M,n): PCA by singular value decomposition."""
    centred = x - x.mean(axis=0)
    u, s, _ = onp.linalg.svd(centred, full_matrices=False)
    return u[:, :n] * s[:n]


def draw_embedding(network, start, trained, episode):
    """One task before and after training: its embeddings, seen from where they spread most, and their prototypes."""
    n_way, labels_s, labels_q = ways(episode), episode.support_y[0], episode.query_y[0]
    figure, panels = new_figure(10, 4.3, ncols=3, width_ratios=[1, 6, 6])
    styles = [{**STYLES[n % len(STYLES)], "linestyle": "none"} for n in range(n_way)]
    first = [onp.flatnonzero(labels_s == n)[0] for n in range(n_way)]
    draw_image(panels[0], onp.concatenate(episode.support_x[0, first]))  # one under the other
    side = episode.support_x.shape[2]
    for n, style in enumerate(styles):
        panels[0].plot(-0.35 * side, (n + 0.5) * side - 0.5, **style)
    panels[0].axis("off")
    for axes, params, when in zip(panels[1:], (start, trained), ("before", "after"), strict=True):
        right = accuracies(prototypical_scores(network, params, episode, "support"), episode.query_y)[0]
        support, query = (part[0] for part in embed(network, params, episode, "support"))
        points = principal_components(onp.concatenate([support, query]))
        points_s, points_q = points[:len(support)], points[len(support):]
        centres = prototypes(points_s, labels_s, n_way)  # to project is linear: the mean stays the mean
        for n, style in enumerate(styles):
            axes.plot(*points_s[labels_s == n].T, **style)
            axes.plot(*points_q[labels_q == n].T, **style, fillstyle="none")
            axes.plot(*centres[n], "*", color=style["color"], markersize=18, markeredgecolor="black")
        axes.set(title=f"{when} training: {100 * right:.0f} % of the queries right", xticks=[], yticks=[],
                 aspect="equal", adjustable="datalim")
    panels[1].set_xlabel("filled: support; hollow: queries; star: prototype")
    panels[2].set_xlabel(f"a shadow of {support.shape[1]} dimensions, in which more is apart")
    return figure


def sample_task(options, classes):
    """One task to look at, with as many shots as there are images for."""
    k_shot = max(k for n, k in possible_settings(classes, options) if n == options.n_way)
    return sample_episodes(classes, options.n_way, k_shot, options.n_query, 1, onp.random.default_rng(options.seed))


# ---------------------------------------------------------------- (4) is the hunger gone?


def nearest_prototype(network, params, support_x, support_y, query_x, n_way, rng):
    """A learner for lesson 1's curve: the class of the nearest prototype, (number of queries,). Nothing is trained."""
    embeddings = network.apply(params, onp.concatenate([support_x, query_x]), n_reference=len(support_x))
    centres = prototypes(embeddings[:len(support_x)], support_y, n_way)
    return squared_distances(embeddings[len(support_x):], centres).argmin(axis=-1)


def run_curve(options, network, params, training, test):
    """Lesson 1's curve again, with this embedding on it. It has moved the hunger: from images to *other* classes."""
    n_way, fewest = min(options.curve_ways, len(test)), min(map(len, test.images_of))
    held_out = min(HELD_OUT, fewest - 1)
    shots = [k_shot for k_shot in SHOTS if k_shot + held_out <= fewest]
    learners = {"nearest pixels": nearest_pixels,
                "network from scratch": partial(network_from_scratch, channels=options.channels,
                                                iterations=options.scratch_iterations),
                "nearest prototype": partial(nearest_prototype, network, params)}
    curves = {name: accuracy_curve(learner, test, shots, onp.random.default_rng(options.seed), n_way, held_out,
                                   options.repetitions, name) for name, learner in learners.items()}
    eaten = {"nearest pixels": 0, "network from scratch": 0, "nearest prototype": len(training.images)}
    print(f"\nLesson 1's curve again: {n_way} characters, accuracy in % on {held_out} new drawings of\n"
          f"each, 95 % interval over {options.repetitions} draws of the characters. The embedding has paid\n"
          f"in the other currency: {len(training.images):,} images of {len(training):,} other characters.\n")
    print_curves(curves, shots, n_way, eaten)
    return as_metrics(curves, shots), save_figure(draw_curves(curves, shots, n_way, eaten), options.out / "curve.png")


# ---------------------------------------------------------------- all of it


def main(argv=None):
    options = parse_options(
        "lesson3_metric", "Prototypical and Matching Networks: learn an embedding in which one example is enough.",
        {"n_way": 5, "k_shot": 1, "n_query": 5, "train_way": 20, "iterations": 700, "learning_rate": 1e-2,
         "channels": 32, "down": "stride", "episodes": 600, "curve_ways": 20, "repetitions": 4,
         "scratch_iterations": 60},
        quick={"iterations": 20, "episodes": 40, "channels": 16, "curve_ways": 5, "repetitions": 2,
               "scratch_iterations": 10},
        full={"iterations": 10000, "train_way": 60, "channels": 64, "learning_rate": 1e-3, "down": "pool",
              "repetitions": 100, "scratch_iterations": 200},
        choices={"down": ("stride", "pool")}, argv=argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    train_way = min(options.train_way, len(training))
    candidates = methods(train_way, options.n_way)
    own = next(iter(candidates))
    for part, n_way in [(training, max(train_way, options.n_way)), (validation, options.n_way), (test, options.n_way)]:
        sample_episodes(part, n_way, options.k_shot, options.n_query, 1, onp.random.default_rng(0))  # impossible? Now
    mean_confidence_interval(onp.zeros(options.repetitions))
    print(f"{options.n_way} characters that it has never seen, {options.k_shot} example(s) of each:\n"
          "a network that has learned to compare tells them apart and learns nothing more.")
    if train_way < options.train_way:
        print(f"There are {train_way} classes to train on: "
              f"{train_way}-way episodes in place of {options.train_way}-way.")
    network = conv4(channels=options.channels, down=options.down, features="mean")
    start = network.init(onp.random.default_rng(options.seed))
    trained, histories = run_training(options, candidates, network, start, training, validation)
    values = run_test(options, candidates, network, start, trained, test)
    metrics = print_test(values, own, options, test)
    more, curve = run_curve(options, network, trained[own], training, test)
    pictures = [save_figure(draw_training(histories), options.out / "training.png"),
                save_figure(draw_embedding(network, start, trained[own], sample_task(options, test)),
                            options.out / "embedding.png"), curve]
    record = write_record(options.out, "lesson3_metric", options, time.perf_counter() - started, metrics | more)
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, *networks, record])
          + "\nNext:    python -m fewshot_np.lesson3_initialisation")


if __name__ == "__main__":
    run(main)
