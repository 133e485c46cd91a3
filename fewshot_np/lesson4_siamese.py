"""Lesson 4: Siamese networks. Learn a distance: small between drawings of one character, large between those of two.

Two copies of one network, the *twins*, turn two images into two vectors, and D is the distance between these. The
contrastive loss (Hadsell, Chopra & LeCun 2006) pulls a pair of the same class together, and pushes a pair of different
classes apart until it is a *margin* m apart; beyond that it no longer cares:

  same class        D^2
  different class   max(0, m - D)^2

Nothing in it names a class, so the distance can be asked about classes that nobody has trained on: is this the same
character? (verification) Which of these five is it? (one-shot recognition: the nearest)

Hadsell writes the label y = 1 for *different*. Whoever copies the formula and lets y = 1 mean *same* trains the
opposite: different pairs are pulled together. Both formulas are below, and the run shows what becomes of each.

    python -m fewshot_np.lesson4_siamese
"""

import time
from functools import partial
from typing import NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    STYLES,
    draw_episode,
    draw_image,
    new_figure,
    save_figure,
)
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import embed, plain_distances, ways
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import relu, safe_norm, stop_gradient
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the loss, right and wrong


def contrastive_loss(e1, e2, same, margin=1.0):
    """Mean over the pairs of  D^2 (same class)  or  max(0, margin - D)^2 (different classes),  D = |e1 - e2|.

    Hadsell, Chopra & LeCun 2006, without their factor 1/2 and with the label turned round: same = 1 for the same class,
    0 for different ones. e1, e2: embeddings (P,D) -> (), or (T,P,D) -> (T,); same: (P,) or (T,P).
    The derivative of D at D = 0 counts as 0 (see `safe_norm`), and D^2 does without the root.

    ValueError where the shapes do not fit or a label is neither 0 nor 1.
    """
    same = _check_pairs(e1, e2, same, margin)
    difference = e1 - e2
    pull = np.sum(difference * difference, axis=-1)   # (P,) or (T,P)
    push = relu(margin - safe_norm(difference))
    return np.sum(same * pull + (1 - same) * push * push, axis=-1) * (1 / same.shape[-1])


def document_formula(e1, e2, y, margin=1.0):
    """Mean over the pairs of  (1 - y) D^2 + y max(0, margin - D)^2  with y = 1 for the *same* class: a mistake.

    It pulls different classes together and pushes one class apart. It cannot even do that: where all different pairs
    coincide, so do the same ones. What remains is to make all distances alike, and the best of these is margin/2, with
    the loss (margin/2)^2. Shapes and errors as in `contrastive_loss`.
    """
    y = _check_pairs(e1, e2, y, margin)
    d = safe_norm(e1 - e2)
    push = relu(margin - d)
    return np.sum((1 - y) * d * d + y * push * push, axis=-1) * (1 / y.shape[-1])


def _check_pairs(e1, e2, same, margin):
    """The labels as an array of the embeddings' type; ValueError unless all fits."""
    same = onp.asarray(same)
    if e1.ndim not in (2, 3) or e1.shape != e2.shape:
        raise ValueError(f"e1 and e2 must both be (P,D) or (T,P,D), got {e1.shape} and {e2.shape}")
    if same.shape != e1.shape[:-1]:
        raise ValueError(f"embeddings {e1.shape} need labels {e1.shape[:-1]}, got {same.shape}")
    if same.size == 0:
        raise ValueError(f"a mean over pairs needs 1 or more of them, got embeddings {e1.shape}")
    if same.dtype.kind not in "bui" or not ((same == 0) | (same == 1)).all():
        raise ValueError(f"labels must be the integers 0 and 1, got {same.dtype} {onp.unique(same)[:5]}")
    if not 0 < margin < float("inf"):
        raise ValueError(f"margin must be a positive number, got {margin!r}")
    return same.astype(e1.dtype)


def slopes_at_distance_zero():
    """The loss's gradient for an identical pair of different classes, with the plain root and with `safe_norm`.

    The derivative of sqrt(s) at s = 0 is infinite, that of s = |e1 - e2|^2 is 0, and their product is not a number.
    """
    def plain_loss(e):
        return np.maximum(0.0, 1.0 - np.sqrt(np.sum((e - twin) ** 2))) ** 2

    twin = onp.ones((1, 3))
    with onp.errstate(divide="ignore", invalid="ignore"):
        plain = grad(plain_loss)(twin)
    return {"plain root": plain[0], "safe_norm": grad(lambda e: contrastive_loss(e, twin, [0]))(twin)[0]}


# ---------------------------------------------------------------- the twins
#
# Twins that share all their parameters are one network, applied twice; or once, to the images of both sides together
# (lesson 3's `embed`). Once is better: batch norm then treats both sides alike.


def embed_by_reference(network, params, reference, images):
    """Embeddings (M,D) of images (M,H,W,C), batch statistics from the `reference` images (R,H,W,C) alone.

    A pair to be verified comes by itself: its distance must not depend on which other pairs are asked about.
    """
    embeddings = network.apply(params, onp.concatenate([reference, images]), n_reference=len(reference))
    return embeddings[len(reference):]


# ---------------------------------------------------------------- training: pairs out of an episode


def objective(network, params, episode, margin=10.0, negatives="random", loss=contrastive_loss):
    """Mean over tasks of the loss of the episode's pairs, as many of the same class as of different classes.

    Each query meets the K supports of its own class and K of others: see `choose_partners`. Batch statistics are those
    of support and query together. The margin is a distance of the embedding, and must fit its scale: an untrained conv4
    of 32 channels has distances of about 8, and a margin of 1 would make it shrink before it learns to tell.
    """
    support, query = embed(network, params, episode, "support and queries")
    partners = choose_partners(stop_gradient(support), stop_gradient(query), episode.support_y, episode.query_y,
                               negatives)                                            # (T, NQ, 2K)
    n_tasks, n_query, n_partners = partners.shape
    tasks = onp.arange(n_tasks)[:, None]
    first, second = onp.arange(n_query).repeat(n_partners), partners.reshape(n_tasks, -1)   # (P,), (T, P)
    same = episode.query_y[:, first] == episode.support_y[tasks, second]
    return np.sum(loss(query[:, first], support[tasks, second], same, margin)) * (1 / n_tasks)


def choose_partners(support, query, support_y, query_y, negatives):
    """For each query the positions of the K supports of its own class, then of K of other classes: (T,NQ,2K).

    negatives "random": those of the class with the next label, which is a random one, as an episode's classes are in
    random order. "hardest": those that lie nearest. Before long a random other class lies close to the margin or beyond
    it, and teaches little; the nearest one of the batch is hardly farther away than the query's own.
    ValueError for other names, for a single class, and for classes of unequal support.
    """
    own = query_y[:, :, None] == support_y[:, None, :]                              # (T, NQ, NK)
    k_shot = int(own[0, 0].sum())
    if not (own.sum(axis=-1) == k_shot).all() or own.shape[-1] < 2 * k_shot or not k_shot:
        raise ValueError("pairs need 2 or more classes with equally many support images, and queries of these alone; "
                         f"the first task has {onp.bincount(support_y[0])} support images per class")
    if negatives == "random":
        order = (support_y[:, None, :] - query_y[:, :, None]) % (support_y.max() + 1)   # 0: its own
    elif negatives == "hardest":
        order = onp.where(own, -1, plain_distances(query, support))
    else:
        raise ValueError(f'negatives must be "random" or "hardest", got {negatives!r}')
    return onp.argsort(order, axis=-1, kind="stable")[..., :2 * k_shot]


# ---------------------------------------------------------------- one-shot recognition: the nearest


def scores(network, params, episode, statistics):
    """Minus the distance of each query to the nearest support image of each class: (T, NQ, N)."""
    support, query = embed(network, params, episode, statistics)
    apart = onp.stack([plain_distances(*task) for task in zip(query, support, strict=True)])   # (T, NQ, NK)
    return -onp.stack([onp.where(episode.support_y[:, None] == label, apart, onp.inf).min(axis=-1)
                       for label in range(ways(episode))], axis=-1)


# ---------------------------------------------------------------- verification: same or not?


class Pairs(NamedTuple):
    """P pairs: images (P,H,W,C) float32 in [0, 1], same (P,) integers 1 or 0, and their ids in ImageClasses.images."""

    first_x: onp.ndarray
    second_x: onp.ndarray
    same: onp.ndarray
    first_ids: onp.ndarray
    second_ids: onp.ndarray


def balanced_pairs(classes, n_pairs, rng):
    """Draw pairs of images of `classes` (ImageClasses), in turn of the same class and of different classes.

    All classes are equally likely, and so are a class's images; the two images of a pair are never one and the same.
    ValueError for an n_pairs that is no even positive integer, for a single class, and, naming it, for a class with a
    single image.
    """
    if isinstance(n_pairs, bool) or not isinstance(n_pairs, (int, onp.integer)) or n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be an even positive integer, half of them for each kind, got {n_pairs!r}")
    if len(classes) < 2:
        raise ValueError(f"pairs of different classes need 2 classes, there are {len(classes)}")
    for name, images in zip(classes.names, classes.images_of, strict=True):
        if len(images) < 2:
            raise ValueError(f"class {name!r} has 1 image; a pair of the same class needs 2")
    ids = onp.empty((n_pairs, 2), dtype=int)
    for pair in range(0, n_pairs, 2):
        ids[pair] = rng.choice(classes.images_of[rng.integers(len(classes))], 2, replace=False)
        ids[pair + 1] = [rng.choice(classes.images_of[c]) for c in rng.choice(len(classes), 2, replace=False)]
    first, second = ids.T
    return Pairs(to_float(classes.images[first]), to_float(classes.images[second]),
                 onp.tile([1, 0], n_pairs // 2), first, second)


def pair_distances(embedding, pairs):
    """The distance of each pair, (P,); embedding: a function, images (M,H,W,C) -> (M,D)."""
    embeddings = embedding(onp.concatenate([pairs.first_x, pairs.second_x]))
    return safe_norm(embeddings[:len(pairs.same)] - embeddings[len(pairs.same):])


def roc_curve(distances, same):
    """(thresholds, false accepts, true accepts): a pair is accepted as the same when its distance is below a threshold.

    The thresholds rise: one below all distances, one midway between any two neighbouring ones, one above all. The rates
    are the shares accepted of the different pairs and of the same pairs.
    ValueError unless there are pairs of both kinds, labelled 0 and 1, and all distances are finite.
    """
    distances, same = onp.asarray(distances, dtype=float), onp.asarray(same)
    if distances.ndim != 1 or distances.shape != same.shape or not ((same == 0) | (same == 1)).all():
        raise ValueError(f"distances (P,) need labels (P,) of 0 and 1, got {distances.shape} and {same.shape}")
    if not onp.isfinite(distances).all() or same.all() or not same.any():
        raise ValueError(f"a ROC curve needs finite distances of both kinds of pairs, got {onp.sum(same == 1)} same, "
                         f"{onp.sum(same == 0)} different, {onp.sum(~onp.isfinite(distances))} not finite")
    values = onp.unique(distances)
    thresholds = onp.concatenate([values[:1], (values[:-1] + values[1:]) / 2, [onp.inf]])
    accepts = [onp.searchsorted(onp.sort(distances[same == kind]), thresholds) / onp.sum(same == kind)
               for kind in (0, 1)]
    return thresholds, *accepts


def equal_error_rate(distances, same):
    """The error rate where different pairs are accepted as often as same pairs are rejected, the ROC curve taken as
    straight between its points. Arguments and errors as in `roc_curve`."""
    _, false_accepts, true_accepts = roc_curve(distances, same)
    return float(onp.interp(0, false_accepts - (1 - true_accepts), false_accepts))


def choose_threshold(distances, same):
    """The threshold with the fewest errors, both kinds of pairs counting half; of equally good ones the smallest.

    A pair is taken for the same when its distance is *below* it. Choose it on pairs of validation classes: chosen on
    the test pairs, it would flatter. Errors as in `roc_curve`.
    """
    thresholds, false_accepts, true_accepts = roc_curve(distances, same)
    return float(thresholds[onp.argmax(onp.round(true_accepts - false_accepts, 12))])  # rounded, so that equal is equal


# ---------------------------------------------------------------- the run: training

TRAININGS = {"as in the document": {"loss": document_formula, "negatives": "random"},
             "contrastive loss": {"loss": contrastive_loss, "negatives": "random"},
             "hard negatives": {"loss": contrastive_loss, "negatives": "hardest"}}
PIXELS = "nearest pixels"


def run_trainings(options, network, training):
    """{name: parameters}; all start from the same parameters and see the same episodes."""
    n_way = min(options.train_ways, len(training))
    print(f"\n2. Three trainings on {options.iterations} batches: {n_way} of {len(training)} characters, two images of "
          f"each;\n   {n_way} same pairs, {n_way} different ones, margin {options.margin:g}.")
    trained = {}
    for name, settings in TRAININGS.items():
        rng = onp.random.default_rng(options.seed)
        trained[name], _ = train(
            partial(objective, network, margin=options.margin, **settings), network.init(rng),
            partial(sample_episodes, training, n_way, 1, 1, 1, rng), update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / f"{name.replace(' ', '-')}.npz", label=name)
    return trained


# ---------------------------------------------------------------- the run: verification

DRAWS = 20  # parts of the test pairs, for the interval of the equal error rate


def verification(distances, same, threshold):
    """{what: (mean, half-width of the 95 % interval)} of the pairs' distances, errors and decisions at a threshold.

    An equal error rate is no mean over pairs: it is taken on each of DRAWS parts of them, and averaged.
    """
    parts = zip(onp.array_split(distances, DRAWS), onp.array_split(same, DRAWS), strict=True)
    values = {"distance, same": distances[same == 1], "distance, different": distances[same == 0],
              "equal error rate": [equal_error_rate(*part) for part in parts],
              "right": (distances < threshold) == same}
    return {what: mean_confidence_interval(value) for what, value in values.items()}


def run_verification(options, embeddings, validation, test):
    """Print the table; returns its metrics, the test pairs' labels, and {name: (their distances, threshold)}."""
    rng = onp.random.default_rng(options.seed)

    def measure(pairs):
        return {"same": pairs.same} | {name: pair_distances(f, pairs) for name, f in embeddings.items()}

    chosen, tested = (evaluate(measure, lambda n, part=part: balanced_pairs(part, n, rng), options.pairs, batch=200,
                               label=label) for part, label in [(validation, "threshold"), (test, "test pairs")])
    print(f"\n3. Same character or not? {options.pairs} pairs of characters never seen, half of them the\n"
          "   same. The threshold was chosen on pairs of the validation characters.\n\n"
          "                         mean distance        equal error        decisions\n"
          "                        same  different             rate            right")
    metrics, results = {}, {}
    for name in embeddings:
        threshold = choose_threshold(chosen[name], chosen["same"])
        results[name] = tested[name], threshold
        found = verification(tested[name], tested["same"], threshold)
        near, far, error, right = found.values()
        print(f"   {name:19}{near[0]:6.2f}{far[0]:11.2f}{100 * error[0]:10.1f} ± {100 * error[1]:.1f} %"
              f"{100 * right[0]:10.1f} ± {100 * right[1]:.1f} %")
        metrics |= {f"verification, {name}, {what}": {"mean": mean, "interval": interval, "threshold": threshold}
                    for what, (mean, interval) in found.items()}
    print(f"   (The document's formula is at its best where every distance is margin/2 = {options.margin / 2:g}.)")
    return metrics, tested["same"], results


# ---------------------------------------------------------------- the run: one-shot recognition


STATISTICS = {s: f", statistics of the {s}" for s in ("support", "support and queries")}


def run_recognition(options, network, trained, test):
    rng = onp.random.default_rng(options.seed)

    def measure(episode):
        found = {(PIXELS, None): accuracies(pixel_scores(None, episode), episode.query_y)}
        for name, params in trained.items():
            for mode in STATISTICS:
                found[name, mode] = accuracies(scores(network, params, episode, mode), episode.query_y)
        return found

    found = evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                     options.episodes, label="test episodes")
    results = {key: mean_confidence_interval(values) for key, values in found.items()}
    print(f"\n4. Which of {options.n_way} is it? {options.k_shot} example(s) of each; accuracy on {options.episodes} "
          f"episodes,\n   {options.n_query} queries per class; guessing scores {100 / options.n_way:.1f} %.\n\n"
          "                            batch norm sees     batch norm sees\n"
          "   nearest example         the support only    all queries at once")
    for name in (PIXELS, *trained):
        cells = [results.get((name, mode), results.get((name, None))) for mode in STATISTICS]
        print(f"   {name:20}" + "".join(f"{100 * mean:13.1f} ± {100 * interval:.1f} %" for mean, interval in cells))
    return {f"one-shot, {name}{STATISTICS.get(mode, '')}": {"mean": mean, "interval": interval}
            for (name, mode), (mean, interval) in results.items()}


# ---------------------------------------------------------------- the figures


def draw_distances(results, same, margin):
    """Histograms of the test pairs' distances, a panel for each training, with margin and chosen threshold."""
    figure, panels = new_figure(10.5, 3.5, ncols=len(TRAININGS), sharey=True)
    bins = onp.linspace(0, 1.5 * margin, 46)
    for axes, name in zip(panels, TRAININGS, strict=True):
        apart, threshold = results[name]
        for kind, label, look in [(1, "same character", {"color": BLUE}),
                                  (0, "different", {"color": ORANGE, "hatch": "//"})]:
            axes.hist(onp.clip(apart[same == kind], 0, bins[-1]), bins, edgecolor="white", linewidth=0.3, alpha=0.65,
                      label=label, **look)
        axes.axvline(margin, color="#777777", linestyle=":", label="margin")
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
        axes.set(title=name, xlabel="distance")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("pairs")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_roc(results, same):
    """ROC curves, and on them the thresholds that were chosen."""
    figure, axes = new_figure(5.2, 5)
    for style, (name, (apart, threshold)) in zip(STYLES, results.items(), strict=False):
        _, false_accepts, true_accepts = roc_curve(apart, same)
        axes.plot(false_accepts, true_accepts, **{**style, "marker": None}, label=name)
        axes.plot(*((apart[same == kind] < threshold).mean() for kind in (0, 1)), **style, markersize=8)
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.8)
    axes.plot([0, 1], [1, 0], color="#BBBBBB", linewidth=0.8, linestyle=":")
    axes.set(xlabel="different pairs taken for the same", ylabel="same pairs recognised", aspect="equal")
    axes.set_title("Marks: the thresholds chosen on other characters.\n"
                   "Grey: guessing; dotted: both errors are equal", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def draw_pairs(pairs, apart, threshold, n_shown=6):
    """The worst pairs: on the left one character, the largest distances; on the right two characters, the smallest."""
    figure, axes = new_figure(0.8 * (2 * n_shown + 1), 2.3, nrows=2, ncols=2 * n_shown + 1)
    for panel in axes.flat:
        panel.axis("off")
    for kind, sign, columns in [(1, -1, axes.T[:n_shown]), (0, 1, axes.T[n_shown + 1:])]:
        of_kind = onp.flatnonzero(pairs.same == kind)
        for column, pair in zip(columns, of_kind[onp.argsort(sign * apart[of_kind])], strict=False):
            frame = GREEN if (apart[pair] < threshold) == kind else RED
            draw_image(column[0], pairs.first_x[pair], frame, f"{apart[pair]:.1f}")
            draw_image(column[1], pairs.second_x[pair], frame)
    figure.suptitle("Left: one character in two drawings, the largest distances. Right: two characters, the smallest.\n"
                    f"Below {threshold:.1f} they are taken for the same: green is right, red is wrong", fontsize=9)
    return figure


# ---------------------------------------------------------------- all of it


def _refuse_the_impossible(options, training, validation, test):
    """ValueError now, and not after the training, where the data cannot give what will be drawn."""
    rng = onp.random.default_rng(0)
    if options.pairs < 2 * DRAWS:
        raise ValueError(f"--pairs must be {2 * DRAWS} or more, one of each kind in {DRAWS} parts, got {options.pairs}")
    sample_episodes(training, 2, 1, 1, 1, rng)
    sample_episodes(test, options.n_way, options.k_shot, options.n_query, 1, rng)
    for part in (validation, test):
        balanced_pairs(part, options.pairs, rng)


def main(argv=None):
    options = parse_options(
        "lesson4_siamese", "Siamese networks: learn a distance from pairs, right and wrong.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "train_ways": 32, "margin": 10.0, "iterations": 1800,
         "learning_rate": 3e-3, "channels": 32, "episodes": 600, "pairs": 4000},
        quick={"iterations": 120, "episodes": 40, "channels": 16, "pairs": 400},
        full={"iterations": 20000, "channels": 64, "pairs": 20000}, argv=argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    _refuse_the_impossible(options, training, validation, test)
    print("Two drawings of characters it has never seen: one character, or two of them?\n"
          "A network learns to tell by a distance.")
    print("\n1. Two identical embeddings, labelled different. The gradient of their loss:")
    for name, slope in slopes_at_distance_zero().items():
        print(f"   distance by {name:12}{slope}")

    network = conv4(training.images.shape[1:], channels=options.channels, down="stride")
    trained = run_trainings(options, network, training)
    rng = onp.random.default_rng(options.seed)
    reference = to_float(training.images[rng.choice(len(training.images), min(128, len(training.images)), False)])
    embeddings = {PIXELS: lambda images: images.reshape(len(images), -1)}
    embeddings |= {name: partial(embed_by_reference, network, params, reference) for name, params in trained.items()}
    metrics, same, results = run_verification(options, embeddings, validation, test)
    metrics |= run_recognition(options, network, trained, test)

    best = "hard negatives"
    pairs = balanced_pairs(test, 400, rng)
    episode = sample_episodes(test, options.n_way, options.k_shot, min(5, options.n_query), 1, rng)
    predictions = scores(network, trained[best], episode, "support")[0].argmax(axis=-1)
    figures = {
        "distances": draw_distances(results, same, options.margin),
        "roc": draw_roc(results, same),
        "pairs": draw_pairs(pairs, pair_distances(embeddings[best], pairs), results[best][1]),
        "episode": draw_episode(*(field[0] for field in episode[:4]), predictions,
                                f"{options.k_shot} example of each (left); the nearest decides")}
    pictures = [save_figure(figure, options.out / f"{name}.png") for name, figure in figures.items()]
    record = write_record(options.out, "lesson4_siamese", options, time.perf_counter() - started, metrics)
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, *networks, record])
          + "\nNext:    python -m fewshot_np.lesson4_maml")


if __name__ == "__main__":
    run(main)
