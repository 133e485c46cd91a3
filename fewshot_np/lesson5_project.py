"""Lesson 5: the project. The document's Siamese network, layer for layer; what is wrong with it; then use it.

The document ends with a network in Keras. Here it is, with what does the same in this course, for 28x28x1 images:

  Keras                              NumPy                                output       parameters
  Conv2D(64, (3,3), "relu")          relu(conv(params["conv1"], x))       26x26x64            640
  MaxPooling2D((2,2))                max_pool2d(x)                        13x13x64
  Conv2D(128, (3,3), "relu")         relu(conv(params["conv2"], x))       11x11x128        73,856
  MaxPooling2D((2,2))                max_pool2d(x)                        5x5x128
  Flatten()                          flatten(x)                           3200
  Dense(128, "relu")                 relu(dense(params["dense"], x))      128             409,728
  Dense(1, "sigmoid")                sigmoid(dense(params["head"], x))    1                   129
                                                                              together    484,353

The document calls this the twin, and lets the contrastive loss compare two of its outputs. But an output of
Dense(1, "sigmoid") is *one number between 0 and 1*: all the characters of the world on a line of length 1, and no two
of them farther apart than 1. The network was built for another place. Koch et al. (2015) put the sigmoid *behind* the
comparison: Dense 128 is the embedding e, and Dense 1 acts on |e1 - e2|. Same layers, same parameters, other wiring:

  p(same | x1, x2) = sigmoid(w . |e(x1) - e(x2)| + b)

It is trained by cross-entropy, like any classifier of two classes: same or different.

    python -m fewshot_np.lesson5_project                                          both wirings, and a model
    python -m fewshot_np.lesson5_project --classify PHOTO... --support FOLDER     your own images
    python -m fewshot_np.lesson5_project --draw                                   your own hand
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.data import ImageClasses, folders
from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import (
    BLUE,
    ORANGE,
    STYLES,
    draw_image,
    new_figure,
    save_figure,
)
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import check_replaceable, load_params, save_params, write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import Episode, accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import memberships, plain_distances, prototypes, squared_distances, ways
from fewshot_np.lesson4_siamese import DRAWS, balanced_pairs, choose_threshold, verification
from fewshot_np.lesson4_siamese import objective as contrastive_objective
from fewshot_np.lesson5_canvas import Answer, Board, draw_answers, in_words, open_window, read_photos
from fewshot_np.nn.layers import conv, dense, flatten
from fewshot_np.nn.networks import Network
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import max_pool2d, relu, stop_gradient
from fewshot_np.nn.trees import leaves, tree_map

# ---------------------------------------------------------------- the document's network


def siamese_network(input_shape=(28, 28, 1)):
    """The document's Keras network: images (M,H,W,C) or (T,M,H,W,C) -> (M,1) or (T,M,1), numbers between 0 and 1.

    484,353 parameters for 28x28x1. ValueError for images smaller than 10x10, of which the layers leave nothing.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < 10 or input_shape[2] < 1:
        raise ValueError(f"input_shape must be (H, W, C) with H and W of 10 or more, got {input_shape}")
    return Network(partial(_init, tuple(input_shape)), partial(_apply, tuple(input_shape)))


def _init(input_shape, rng):
    height, width, depth = input_shape
    for _ in range(2):
        height, width = (height - 2) // 2, (width - 2) // 2      # a valid 3x3 convolution, a 2x2 pooling
    shapes = {"conv1": (3, 3, depth, 64), "conv2": (3, 3, 64, 128),
              "dense": (height * width * 128, 128), "head": (128, 1)}

    def layer(name, shape):  # variance gain/inputs keeps the scale; through a ReLU the gain must be 2: He et al. 2015
        spread = ((1 if name == "head" else 2) / onp.prod(shape[:-1])) ** 0.5
        return {"w": (rng.standard_normal(shape) * spread).astype("float32"), "b": onp.zeros(shape[-1], "float32")}

    return {name: layer(name, shape) for name, shape in shapes.items()}


def embedding(params, x):
    """All layers up to Dense 128: (M,H,W,C) -> (M,128), or with T in front. There is no batch norm in this network, so
    an image's embedding depends on no other image."""
    x = max_pool2d(relu(conv(params["conv1"], x)))      # (M,13,13,64)
    x = max_pool2d(relu(conv(params["conv2"], x)))      # (M,5,5,128)
    return relu(dense(params["dense"], flatten(x)))     # (M,128)


def _apply(input_shape, params, x, n_reference=None):
    if x.ndim not in (4, 5) or x.shape[-3:] != input_shape:
        raise ValueError(f"the network needs images {input_shape}, (M,H,W,C) or (T,M,H,W,C), got {x.shape}")
    return sigmoid(dense(params["head"], embedding(params, x)))


def sigmoid(z):
    """1 / (1 + exp(-z)), as exp(-log(1 + exp(-z))): no step of it, nor of its derivatives, overflows."""
    return np.exp(-np.logaddexp(0.0, -z))


def n_parameters(params):
    """How many numbers there are to learn."""
    return sum(leaf.size for leaf in leaves(params))


# ---------------------------------------------------------------- what one number can do, at best
#
# Hadsell's loss pushes different pairs to a margin of 1: (1 - D)^2. Put infinitely many characters on a line from 0 to
# 1 as well as can be. The best is a quarter of them at each end and the others spread evenly: then the mean of
# (1 - |u - v|)^2 over v is the same at every u, namely 1/4 + (1/2)(1/3) = 5/12 from the end, so no character would
# gain by moving. (The kernel is positive definite: this is the minimum.) The mean distance is 11/24. No training,
# and no network in front of that number, gets below; an embedding of many dimensions gets as near 0 as it likes.

BEST_PUSH, BEST_DISTANCE = 5 / 12, 11 / 24


# ---------------------------------------------------------------- rewired: compare first, then one number


def same_logits(params, e1, e2):
    """w . |e1 - e2| + b, the log-odds that two embeddings are of one class: (..., 128), (..., 128) -> (...).

    Koch, Zemel & Salakhutdinov 2015, section 3.1. The derivative of |.| at 0 counts as 0.
    """
    difference = e1 - e2
    apart = relu(difference) + relu(-difference)
    return np.matmul(apart, params["head"]["w"])[..., 0] + params["head"]["b"][0]


def objective(params, episode, n_hard=4):
    """Mean over tasks of the cross-entropy of the episode's pairs, same pairs and different pairs counting half each.

    Every query is paired with every support image. Of its different pairs only the n_hard most alike count: most others
    are told apart at once and teach nothing. (The single hardest asks too much: with it alone little is learned.)
    """
    support, query = embedding(params, episode.support_x), embedding(params, episode.query_x)
    own = episode.query_y[:, :, None] == episode.support_y[:, None, :]                                # (T, NQ, NK)
    logits = same_logits(params, np.expand_dims(query, 2), np.expand_dims(support, 1))
    weights = pair_weights(stop_gradient(logits), own, n_hard).astype(logits.dtype)
    losses = np.logaddexp(0.0, logits) - own * logits       # -log p of the truth: log(1 + e^z) - z, or log(1 + e^z)
    return np.sum(weights * losses) * (1 / len(own))


def pair_weights(logits, own, n_hard):
    """What each pair counts, (T,NQ,NK): same pairs add up to 1/2, and so do each query's n_hard hardest others.

    ValueError where a task has no pair of one of the two kinds.
    """
    n_hard = min(n_hard, int((~own).sum(axis=-1).min()))
    if n_hard < 1 or not own.any(axis=-1).all():
        raise ValueError("every query needs a support image of its own class and one of another class")
    ranks = onp.argsort(onp.argsort(onp.where(own, onp.inf, -logits), axis=-1, kind="stable"), axis=-1)
    hard = ranks < n_hard                                                   # own pairs come last
    return 0.5 * own / own.sum(axis=(1, 2), keepdims=True) + 0.5 * hard / hard.sum(axis=(1, 2), keepdims=True)


def scores(params, episode, statistics=None):
    """The log-odds of *same* of each query with each class, (T, NQ, N): the mean over the class's K examples.

    There is no batch norm, so `statistics` is ignored.
    """
    return embedded_scores(params, embedding(params, episode.support_x), embedding(params, episode.query_x),
                           episode.support_y, ways(episode))


def embedded_scores(params, support, query, support_y, n_way):
    """`scores` of embeddings (T,NK,128) and (T,NQ,128).

    The mean, not the largest: with the largest a class of many examples would win by their number.
    """
    logits = same_logits(params, onp.expand_dims(query, 2), onp.expand_dims(support, 1))      # (T, NQ, NK)
    members = memberships(support_y, logits.shape[::2], n_way, logits.dtype)                   # (T, NK, N)
    return logits @ (members / members.sum(axis=1, keepdims=True))


# ---------------------------------------------------------------- an honest probability


def calibrate(params, logits, same, rounds=30, ridge=1e-3):
    """The same network, its Dense 1 scaled and shifted so that sigmoid(logit) is a probability. Platt 1999.

    Training saw hard pairs, which are rare: its network is too shy. Logistic regression on validation pairs (logits
    (P,), same (P,)) finds a z + c, by Newton's method; a and c go into w and b, and no order of scores changes. The
    ridge keeps a and c finite where all pairs are told apart.
    """
    inputs = onp.stack([logits, onp.ones_like(logits)], axis=-1).astype(float)                # (P, 2)
    start = theta = onp.array([1.0, 0.0])
    for _ in range(rounds):
        p = sigmoid(inputs @ theta)
        slope = inputs.T @ (p - same) / len(p) + ridge * (theta - start)
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs / len(p) + ridge * onp.eye(2)
        theta = theta - onp.linalg.solve(curvature, slope)
    a, c = map(float, theta)
    return {**params, "head": {"w": a * params["head"]["w"], "b": a * params["head"]["b"] + onp.float32(c)}}


class Model(NamedTuple):
    """Calibrated parameters, and the probability of *same* above which two images are taken for one class."""

    params: dict
    threshold: float


def make_model(params, validation, n_pairs, rng):
    """Calibrate on pairs of the validation classes, then choose the threshold on other pairs of them."""
    embeddings = embed_images(params, validation.images)
    pairs = [balanced_pairs(validation, n_pairs, rng) for _ in range(2)]
    params = calibrate(params, pair_logits(params, embeddings, pairs[0]), pairs[0].same)
    threshold = choose_threshold(-pair_logits(params, embeddings, pairs[1]), pairs[1].same)
    return Model(params, float(sigmoid(-threshold)))


def pair_logits(params, embeddings, pairs):
    """The log-odds of *same* of each of the Pairs, (P,); embeddings (M,128): of all images that their ids name."""
    return same_logits(params, embeddings[pairs.first_ids], embeddings[pairs.second_ids])


def embed_images(params, images, function=embedding, batch=64):
    """function(params, x) of stored images (M,H,W,C) uint8, a batch at a time: each image is embedded once."""
    return onp.concatenate([function(params, to_float(images[i:i + batch])) for i in range(0, len(images), batch)])


def save_model(path, model):
    return save_params(path, {"params": model.params, "threshold": onp.array(model.threshold)})


def load_model(path, input_shape=(28, 28, 1)):
    """The Model that `save_model` saved; ValueError for another file, FileNotFoundError where there is none."""
    saved = load_params(path)
    try:
        fits = tree_map(lambda p, q: p.shape == q.shape, saved["params"],
                        siamese_network(input_shape).init(onp.random.default_rng(0)))
        if all(leaves(fits)):
            return Model(saved["params"], float(saved["threshold"]))
    except (KeyError, TypeError, ValueError):
        pass
    raise ValueError(f"{path} is not a model of this lesson for images of {input_shape}; it was left as it is")


# ---------------------------------------------------------------- use it: your own images


def classify(model, support_x, support_y, query_x):
    """Answers, one per query. Images (M,28,28,1) and (Q,28,28,1) float32, ink 1; labels (M,) in 0...N-1."""
    support, query = embedding(model.params, support_x), embedding(model.params, query_x)
    n_way = int(onp.max(support_y)) + 1
    probabilities = sigmoid(embedded_scores(model.params, support[None], query[None], support_y[None], n_way)[0])
    alike = sigmoid(same_logits(model.params, query[:, None], support[None]))
    return [Answer(int(p.argmax()) if p.max() > model.threshold else None, p, onp.argsort(-a, kind="stable"), a)
            for p, a in zip(probabilities, alike, strict=True)]


def run_classify(options):
    if not options.support:
        raise ValueError("--classify needs --support FOLDER: a folder with one sub-folder of examples for each class")
    support, queries = folders.load(options.support, fitted=True), read_photos(options.classify)
    model = find_model(options)
    answers = classify(model, to_float(support.images), support.labels, queries)
    print(f"{len(support.images)} examples of {len(support)} classes, seen once. Which is it? p: probability of same\n")
    for path, answer in zip(options.classify, answers, strict=True):
        print("  " + in_words(Path(path).name, answer, support.names))
    print(f"\n\"None of these\": no class above p = {model.threshold:.2f}, which was chosen on other characters.")
    figure = draw_answers(queries, options.classify, answers, support)
    print(f"\nWritten: {save_figure(figure, options.out / 'classified' / 'answers.png')}")


# ---------------------------------------------------------------- use it: your own hand


def learners(model):
    """{name: answer} for the canvas: pixels, the Siamese network, and prototypes (lesson 3) of its embeddings."""
    def pixels(support_x, support_y, query_x):
        episode = Episode(support_x[None], support_y[None], query_x[None, None], None, None, None)
        return nearness(onp.sqrt(onp.maximum(-pixel_scores(None, episode)[0, 0], 0)))

    def siamese(support_x, support_y, query_x):
        answer = classify(model, support_x, support_y, query_x[None])[0]
        return answer.probabilities, answer.label

    def by_prototypes(support_x, support_y, query_x):
        means = prototypes(embedding(model.params, support_x), support_y, int(support_y.max()) + 1)
        return nearness(plain_distances(embedding(model.params, query_x[None]), means)[0])

    return {"pixels": pixels, "Siamese": siamese, "prototypes": by_prototypes}


def nearness(distances):
    """(bars, label) of distances to classes: the smallest distance divided by each, and whose that is."""
    return (distances.min() + 1e-6) / (distances + 1e-6), int(distances.argmin())


# ---------------------------------------------------------------- the run: training

DOCUMENT, REWIRED, PIXELS = "as in the document", "rewired", "nearest pixels"


def train_wiring(options, loss, classes, iterations, name):
    """Train the network, from the same parameters and on the same episodes whatever the loss; (params, history)."""
    rng = onp.random.default_rng(options.seed)
    n_way = min(options.train_way, len(classes))
    return train(loss, siamese_network(classes.images.shape[1:]).init(rng),
                 partial(sample_episodes, classes, n_way, 1, 1, 1, rng), update=adam,
                 schedule=cosine_decay(options.learning_rate, iterations), iterations=iterations,
                 path=options.out / f"{name.replace(' ', '-')}.npz", label=name, rng=rng, options=options)


def train_model(options, training, validation):
    """Train the rewired network, calibrate it, choose its threshold, and save the Model."""
    check_replaceable(model_path(options))
    params, _ = train_wiring(options, objective, training, options.iterations, REWIRED)
    model = make_model(params, validation, options.pairs, onp.random.default_rng(options.seed))
    save_model(model_path(options), model)
    return model


def model_path(options):
    return Path(options.model).expanduser() if options.model else options.out / "model.npz"


def find_model(options):
    """The model that --model names or that a run has left in --out; where there is none it is trained and saved."""
    path = model_path(options)
    if path.exists():
        return load_model(path)
    splits = load_splits(options)
    refuse_the_impossible(options, *splits)
    print(f"There is no model {path} yet: training one first. This is done once.\n")
    return train_model(options, *splits[:2])


# ---------------------------------------------------------------- the run: how good is it?


def run_verification(options, model, outputs, test):
    """Print what the distances of test pairs are in both wirings; (metrics, labels, {wiring: distances})."""
    pairs = balanced_pairs(test, options.pairs, onp.random.default_rng(options.seed))
    numbers, embeddings = outputs[DOCUMENT][:, 0], outputs[REWIRED]
    distances = onp.abs(numbers[pairs.first_ids] - numbers[pairs.second_ids])
    unlike = 1 - sigmoid(pair_logits(model.params, embeddings, pairs))
    print(f"\n2. Same character or not? {options.pairs} pairs of characters never seen, half the same.\n"
          "   Distance is |s1 - s2| in the document's wiring, 1 - p(same) in the other.\n\n"
          "                        mean distance            largest       equal error\n"
          "   wiring              same  different    of different              rate")
    metrics = {}
    for name, values, threshold in [(DOCUMENT, distances, 0.5), (REWIRED, unlike, 1 - model.threshold)]:
        found = verification(values, pairs.same, threshold)
        near, far, error, right = found.values()
        largest = values[pairs.same == 0].max()
        print(f"   {name:19}{near[0]:5.2f}{far[0]:11.2f}{largest:16.3f}{100 * error[0]:12.1f} ± {100 * error[1]:.1f} %")
        found = {what: value for what, value in found.items() if what != "right"}
        metrics |= {f"verification, {name}, {what}": {"mean": m, "interval": i} for what, (m, i) in found.items()}
    push = mean_confidence_interval((1 - distances[pairs.same == 0]) ** 2)
    metrics |= {"verification, rewired, decisions right": {"mean": right[0], "interval": right[1],
                                                           "threshold": model.threshold},
                "document, loss of different pairs": {"mean": push[0], "interval": push[1], "at best": BEST_PUSH}}
    print(f"\n   One number, however well it is learned, leaves different pairs a loss of\n"
          f"   {BEST_PUSH:.3f} or more (here {push[0]:.3f}): there is no room. Rewired, with the threshold\n"
          f"   p > {model.threshold:.2f} chosen on other characters, {100 * right[0]:.1f} ± {100 * right[1]:.1f} % of "
          "the decisions are right.")
    return metrics, pairs.same, {DOCUMENT: distances, REWIRED: unlike}


def run_recognition(options, model, outputs, test):
    """Print the accuracy of N-way K-shot recognition, and how often strangers are told to be strangers."""
    rng = onp.random.default_rng(options.seed)
    n_way = options.n_way

    def measure(episode):
        labels = episode.support_y
        (s1, q1), (s128, q128) = ((outputs[name][episode.support_ids], outputs[name][episode.query_ids])
                                  for name in (DOCUMENT, REWIRED))
        found = {PIXELS: pixel_scores(None, episode),
                 DOCUMENT: -plain_distances(q1, prototypes(s1, labels, n_way)),
                 REWIRED: embedded_scores(model.params, s128, q128, labels, n_way),
                 "its prototypes": -squared_distances(q128, prototypes(s128, labels, n_way))}
        return {name: accuracies(values, episode.query_y) for name, values in found.items()}

    found = evaluate(measure, lambda n: sample_episodes(test, n_way, options.k_shot, options.n_query, n, rng),
                     options.episodes, label="test episodes")
    print(f"\n3. Which of {n_way} is it? {options.k_shot} example(s) of each, {options.episodes} episodes, "
          f"{options.n_query} queries\n   per class, each answered by itself; guessing scores {100 / n_way:.1f} %.\n")
    results = {name: mean_confidence_interval(values) for name, values in found.items()}
    for name, (mean, interval) in results.items():
        print(f"   {name:20}{100 * mean:6.1f} ± {100 * interval:.1f} %")
    return {f"recognition, {name}": {"mean": mean, "interval": interval} for name, (mean, interval) in results.items()}


def run_strangers(options, model, outputs, test):
    """One class more than there is support of: are its drawings answered with "none of these"?"""
    rng = onp.random.default_rng(options.seed)
    n_way, k_shot = options.n_way, options.k_shot

    def measure(episode):
        support, query = (outputs[REWIRED][ids] for ids in (episode.support_ids[:, :n_way * k_shot],
                                                            episode.query_ids))
        p = sigmoid(embedded_scores(model.params, support, query, episode.support_y[:, :n_way * k_shot], n_way))
        answers = onp.where(p.max(axis=-1) > model.threshold, p.argmax(axis=-1), n_way)      # n_way: none of these
        right, stranger = answers == episode.query_y, episode.query_y[0] == n_way
        return {"known, recognised": right[:, ~stranger].mean(axis=1), "strangers, refused": right[:, stranger].mean(1)}

    found = evaluate(measure, lambda n: sample_episodes(test, n_way + 1, k_shot, options.n_query, n, rng),
                     options.episodes, label="strangers")
    results = {name: mean_confidence_interval(values) for name, values in found.items()}
    print(f"\n4. And if it is none of the {n_way}? The best above the threshold, or \"none of these\".\n")
    for name, (mean, interval) in results.items():
        print(f"   {name:20}{100 * mean:6.1f} ± {100 * interval:.1f} %")
    print(f"\n   The threshold is that of one pair; a stranger has {n_way} chances to pass it.")
    return {f"none of these, {name}": {"mean": mean, "interval": interval} for name, (mean, interval)
            in results.items()}


# ---------------------------------------------------------------- the figures


def draw_wirings(outputs, values, same, threshold, test, rng, n_shown=8):
    """Left: where some characters land on the document's line. Then the distances of pairs in both wirings."""
    figure, (line, *panels) = new_figure(12, 3.8, ncols=3, width_ratios=[1.25, 1, 1])
    chosen = rng.choice(len(test), min(n_shown, len(test)), replace=False)
    for row, label in enumerate(chosen):
        numbers = outputs[DOCUMENT][test.images_of[label], 0]
        line.plot(numbers, onp.full(len(numbers), row), **{**STYLES[row % len(STYLES)], "linestyle": "none"}, alpha=0.7)
        example = line.inset_axes((-0.11, (row + 0.08) / len(chosen), 0.1, 0.84 / len(chosen)))
        draw_image(example, to_float(test.images[test.images_of[label][0]]))
    line.set(xlim=(-0.03, 1.03), ylim=(-0.5, len(chosen) - 0.5), yticks=[], xlabel="the one number",
             title=f"The document's wiring: {len(chosen)} characters on a line")
    for axes, (name, distances), limit in zip(panels, values.items(), (None, 1 - threshold), strict=True):
        for kind, label, look in [(1, "same character", {"color": BLUE}),
                                  (0, "different", {"color": ORANGE, "hatch": "//"})]:
            axes.hist(distances[same == kind], onp.linspace(0, 1, 26), edgecolor="white", linewidth=0.3, alpha=0.65,
                      label=label, **look)
        if limit is not None:
            axes.axvline(limit, color="black", linestyle="--", linewidth=1, label="threshold")
        axes.set(title="|s1 - s2| of pairs" if name == DOCUMENT else "Rewired: 1 - p(same)", xlabel="distance")
        axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("pairs")
    for axes in (line, *panels):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_strangers(model, test, options, rng):
    """What --classify draws, for drawings of the test characters; the last is of a character without examples."""
    n_way = options.n_way
    episode = sample_episodes(test, n_way + 1, options.k_shot, 1, 1, rng)
    chosen = episode.support_ids[0][:n_way * options.k_shot]
    support = ImageClasses(test.images[chosen], episode.support_y[0][:len(chosen)],
                           [f"class {i}" for i in range(n_way)], [""] * n_way)
    answers = classify(model, to_float(support.images), support.labels, episode.query_x[0])
    return draw_answers(episode.query_x[0], [*support.names, "a stranger"], answers, support)


# ---------------------------------------------------------------- all of it


def refuse_the_impossible(options, training, validation, test):
    """ValueError now, and not after the training, where the data cannot give what will be drawn."""
    rng = onp.random.default_rng(0)
    sample_episodes(training, 2, 1, 1, 1, rng)
    if options.pairs < 2 * DRAWS:
        raise ValueError(f"--pairs must be {2 * DRAWS} or more, got {options.pairs}")
    for part in (validation, test):
        balanced_pairs(part, options.pairs, rng)
    sample_episodes(test, options.n_way, options.k_shot, options.n_query, 1, rng)


def own_options():
    """The options that this lesson alone has."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    use = own.add_argument_group("use it")
    use.add_argument("--classify", nargs="+", metavar="PHOTO", help="say which class of --support each image is of")
    use.add_argument("--support", metavar="FOLDER", help="examples: one sub-folder of images for each class")
    use.add_argument("--draw", action="store_true", help="open a canvas and recognise what you draw")
    use.add_argument("--model", metavar="FILE", help="the trained model (model.npz in --out); made where there is none")
    return own


def main(argv=None):
    options = parse_options(
        "lesson5_project", "The document's Siamese network, rewired, and used on your own images.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "train_way": 32, "iterations": 900, "learning_rate": 1e-3,
         "episodes": 600, "pairs": 4000, "resume": False},
        quick={"iterations": 24, "episodes": 40, "pairs": 400}, full={"iterations": 20000, "pairs": 20000},
        argv=argv, parents=[own_options()])
    if options.classify:
        run_classify(options)
    elif options.draw:
        run_draw(options)
    else:
        run_lesson(options)


def run_draw(options):
    from matplotlib import pyplot  # here alone: importing it looks for a display

    figure = open_window()  # before any training: without a display there would be nothing to train for
    board = Board(figure, learners(find_model(options)))
    pyplot.show(block=True)
    for name, (right, asked) in board.tally.items():
        print(f"{name:12}{right} of {asked} right")


def run_lesson(options):
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    refuse_the_impossible(options, training, validation, test)
    check_replaceable(model_path(options))
    print(f"Are two images of the same character? Asked about {len(test)} characters{group_phrase(test, options)}\n"
          "never seen. One network, wired in two ways; then you can use it yourself.")
    network = siamese_network(training.images.shape[1:])
    n = n_parameters(network.init(onp.random.default_rng(0)))
    print(f"\n1. Two trainings, {n:,} parameters each. The document's is the shorter\n"
          "   one: more would hardly help it.")  # 300 iterations reach 36 %, 900 reach 40; pixels 46
    document, _ = train_wiring(options, partial(contrastive_objective, network, margin=1.0), training,
                               max(1, options.iterations // 3), DOCUMENT)
    model = train_model(options, training, validation)
    outputs = {DOCUMENT: embed_images(document, test.images, network.apply),
               REWIRED: embed_images(model.params, test.images)}
    metrics, same, values = run_verification(options, model, outputs, test)
    metrics |= run_recognition(options, model, outputs, test)
    rng = onp.random.default_rng(options.seed)
    figures = {"wirings": draw_wirings(outputs, values, same, model.threshold, test, rng)}
    if len(test) > options.n_way:
        metrics |= run_strangers(options, model, outputs, test)
        figures["answers"] = draw_strangers(model, test, options, rng)
    pictures = [save_figure(figure, options.out / f"{name}.png") for name, figure in figures.items()]
    record = write_record(options.out, "lesson5_project", options, time.perf_counter() - started, metrics)
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, record, model_path(options)])
          + "\nNext:    your own hand:   python -m fewshot_np.lesson5_project --draw"
            "\n         your own images: ... --classify PHOTO... --support FOLDER"
            "\n         the next lesson: python -m fewshot_np.lesson6_optimizer")


if __name__ == "__main__":
    run(main)
