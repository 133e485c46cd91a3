"""The run of lesson 4: three trainings; same or not?; which of five is it?; and what an identical pair does.

    python -m fewshot_np.lesson4_siamese
"""

import time
from functools import partial

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_episode
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, percent, print_table, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson4_siamese import (
    DRAWS,
    balanced_pairs,
    choose_threshold,
    contrastive_loss,
    document_formula,
    embed_by_reference,
    objective,
    pair_distances,
    scores,
    slopes_at_distance_zero,
    verification,
)
from fewshot_np.lesson4_siamese.figures import draw_distances, draw_pairs, draw_roc
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay

PIXELS, BEST = "nearest pixels", "hard negatives"
TRAININGS = {"as in the document": {"loss": document_formula, "negatives": "random"},
             "contrastive loss": {"loss": contrastive_loss, "negatives": "random"},
             BEST: {"loss": contrastive_loss, "negatives": "hardest"}}
STATISTICS = ("support", "support and queries")


def main(argv=None):
    options = read_options(argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    refuse_what_cannot_be_drawn(options, training, validation, test)
    print("Two drawings of characters it has never seen: one character, or two of them?\n"
          "A network learns to tell by a distance.")
    network = conv4(training.images.shape[1:], channels=options.channels, down="stride")
    trained = train_networks(options, network, training)
    rng = np.random.default_rng(options.seed)
    reference = to_float(training.images[rng.choice(len(training.images), min(128, len(training.images)), False)])
    embeddings = {PIXELS: lambda images: images.reshape(len(images), -1)}
    embeddings |= {name: partial(embed_by_reference, network, params, reference) for name, params in trained.items()}
    metrics, same, distances = run_verification(options, embeddings, validation, test)
    metrics |= run_recognition(options, network, trained, test)
    show_an_identical_pair()
    figures = {"distances": draw_distances({name: distances[name] for name in TRAININGS}, same, options.margin),
               "roc": draw_roc(distances, same)}
    pairs = balanced_pairs(test, 400, rng)
    figures["pairs"] = draw_pairs(pairs, pair_distances(embeddings[BEST], pairs), distances[BEST][1])
    figures["episode"] = draw_one_episode(options, network, trained[BEST], test, rng)
    finish("lesson4_siamese", options, started, metrics, figures, ["python -m fewshot_np.lesson4_maml"])


# ---------------------------------------------------------------- options


def read_options(argv):
    return parse_options(
        "lesson4_siamese", "Siamese networks: learn a distance from pairs, right and wrong.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "train_ways": 32, "margin": 10.0, "iterations": 1800,
         "learning_rate": 3e-3, "channels": 32, "episodes": 600, "pairs": 4000},
        quick={"iterations": 120, "episodes": 40, "channels": 16, "pairs": 400},
        full={"iterations": 20000, "channels": 64, "pairs": 20000}, argv=argv,
        texts={"n_way": "characters to choose from in the test, N", "k_shot": "examples of each in the test, K",
               "n_query": "queries of each in the test, Q", "train_ways": "characters per training batch",
               "margin": "distance beyond which different pairs are left alone", "iterations": "training batches",
               "learning_rate": "learning rate at the start", "channels": "channels of the network",
               "episodes": "test episodes", "pairs": "test pairs, half of them the same"})


def refuse_what_cannot_be_drawn(options, training, validation, test):
    if options.pairs < 2 * DRAWS:
        raise ValueError(f"--pairs must be {2 * DRAWS} or more, one of each kind in {DRAWS} parts, got {options.pairs}")
    refuse_impossible(partial(sample_episodes, training, 2, 1, 1, 1),
                      partial(sample_episodes, test, options.n_way, options.k_shot, options.n_query, 1),
                      partial(balanced_pairs, validation, options.pairs), partial(balanced_pairs, test, options.pairs))


# ---------------------------------------------------------------- training


def train_networks(options, network, training):
    """{name: parameters}; all start from the same parameters and see the same episodes."""
    n_way = min(options.train_ways, len(training))
    print(f"\n1. Three trainings on {options.iterations} batches: {n_way} of {len(training)} characters, two images of "
          f"each;\n   {n_way} same pairs, {n_way} different ones, margin {options.margin:g}.")
    trained = {}
    for name, settings in TRAININGS.items():
        rng = np.random.default_rng(options.seed)
        trained[name], _ = train(
            partial(objective, network, margin=options.margin, **settings), network.init(rng),
            partial(sample_episodes, training, n_way, 1, 1, 1, rng), update=adam,
            schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
            path=options.out / f"{name.replace(' ', '-')}.npz", label=name)
    return trained


# ---------------------------------------------------------------- verification


def run_verification(options, embeddings, validation, test):
    """Print the table; (its metrics, the test pairs' labels, {name: (their distances, threshold)})."""
    rng = np.random.default_rng(options.seed)

    def measure(pairs):
        return {"same": pairs.same} | {name: pair_distances(f, pairs) for name, f in embeddings.items()}

    chosen, tested = (evaluate(measure, lambda n, part=part: balanced_pairs(part, n, rng), options.pairs, batch=200,
                               label=label) for part, label in [(validation, "threshold"), (test, "test pairs")])
    print(f"\n2. Same character or not? {options.pairs} pairs of characters never seen, half of them the\n"
          "   same. The threshold was chosen on pairs of the validation characters.\n")
    metrics, distances, rows = {}, {}, []
    for name in embeddings:
        threshold = choose_threshold(chosen[name], chosen["same"])
        distances[name] = tested[name], threshold
        results = verification(tested[name], tested["same"], threshold)
        metrics |= {f"verification, {name}, {what}": metric(*value, threshold=threshold)
                    for what, value in results.items()}
        (near, _), (far, _), error, right = results.values()
        rows.append([name, f"{near:.2f}", f"{far:.2f}", percent(*error), percent(*right)])
    print_table(["distance", "mean of\nthe same", "mean of\ndifferent", "equal error\nrate", "decisions\nright"], rows)
    print(f"   (The document's formula is at its best where every distance is margin/2 = {options.margin / 2:g}.)")
    return metrics, tested["same"], distances


# ---------------------------------------------------------------- one-shot recognition


def run_recognition(options, network, trained, test):
    rng = np.random.default_rng(options.seed)

    def measure(episode):
        values = {(PIXELS, None): accuracies(pixel_scores(None, episode), episode.query_y)}
        for name, params in trained.items():
            for statistics in STATISTICS:
                values[name, statistics] = accuracies(scores(network, params, episode, statistics), episode.query_y)
        return values

    values = evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                      options.episodes, label="test episodes")
    results = {key: mean_confidence_interval(value) for key, value in values.items()}
    print(f"\n3. Which of {options.n_way} is it? {options.k_shot} example(s) of each; accuracy on {options.episodes} "
          f"episodes,\n   {options.n_query} queries per class; guessing scores {100 / options.n_way:.1f} %.\n")
    print_table(["nearest example", *("statistics of\nthe " + statistics for statistics in STATISTICS)],
                [[PIXELS, percent(*results[PIXELS, None]), "the same"],
                 *([name, *(percent(*results[name, statistics]) for statistics in STATISTICS)] for name in trained)])
    return {f"one-shot, {name}" + (f", statistics of the {statistics}" if statistics else ""): metric(*result)
            for (name, statistics), result in results.items()}


def draw_one_episode(options, network, params, test, rng):
    episode = sample_episodes(test, options.n_way, options.k_shot, min(5, options.n_query), 1, rng)
    predictions = scores(network, params, episode, "support")[0].argmax(axis=-1)
    return draw_episode(*(field[0] for field in episode[:4]), predictions,
                        f"{options.k_shot} example of each (left); the nearest decides")


# ---------------------------------------------------------------- an identical pair


def show_an_identical_pair():
    print("\n4. A curiosity: two identical embeddings, labelled different. The gradient of\n"
          "   their loss is not a number unless the derivative of the distance is mended:\n")
    for name, slope in slopes_at_distance_zero().items():
        print(f"   distance by {name:12}{slope}")


if __name__ == "__main__":
    run(main)
