"""The run of lesson 5: both wirings compared, or the rewired network used on your own photos and drawings.

    python -m fewshot_np.lesson5_project                                          both wirings, and a model
    python -m fewshot_np.lesson5_project --classify PHOTO... --support FOLDER     your own images
    python -m fewshot_np.lesson5_project --draw                                   your own hand
"""

import argparse
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from fewshot_np.data import ImageClasses
from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import check_replaceable
from fewshot_np.experiment.report import finish, metric, percent, print_table
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import plain_distances, prototypes, squared_distances
from fewshot_np.lesson4_siamese import balanced_pairs, verification
from fewshot_np.lesson4_siamese import objective as contrastive_objective
from fewshot_np.lesson5_project import (
    BEST_PUSH,
    classify,
    embed_images,
    embedded_scores,
    n_parameters,
    pair_logits,
    sharpness,
    siamese_network,
    sigmoid,
)
from fewshot_np.lesson5_project.calibration import known_scores, softmax
from fewshot_np.lesson5_project.figures import draw_answers, draw_wirings
from fewshot_np.lesson5_project.model_file import (
    REWIRED,
    find_model,
    model_path,
    refuse_what_cannot_be_drawn,
    train_model,
    train_wiring,
)
from fewshot_np.lesson5_project.use import run_classify
from fewshot_np.playground import write_arrays
from fewshot_np.playground.server import PAGE, make_server, serve

DOCUMENT, PIXELS, UNFITTED = "as in the document", "nearest pixels", "nearest pixels, not fitted"


def main(argv=None):
    options = read_options(argv)
    if options.classify:
        run_classify(options)
    elif options.draw:
        run_draw(options)
    else:
        run_lesson(options)


def run_lesson(options):
    started = time.perf_counter()
    training, validation, test = load_splits(options, fitted=True)
    refuse_what_cannot_be_drawn(options, training, validation, test)
    check_replaceable(model_path(options))
    print(f"Are two images of the same character? Asked about {len(test)} characters{group_phrase(test, options)}\n"
          "never seen. One network, wired in two ways; then you can use it yourself.")
    network, document, model = train_both(options, training, validation)
    outputs = {DOCUMENT: embed_images(document, test.images, network.apply),
               REWIRED: embed_images(model.params, test.images)}
    metrics, same, distances = run_verification(options, model, outputs, test)
    metrics |= run_recognition(options, model, outputs, test)
    metrics |= run_sureness(options, model, outputs, test)
    rng = np.random.default_rng(options.seed)
    figures = {"wirings": draw_wirings(outputs[DOCUMENT][:, 0], distances, same, (None, 1 - model.threshold), test,
                                       rng)}
    if len(test) > options.n_way:
        metrics |= run_unknown_classes(options, model, outputs, test)
        figures["answers"] = draw_unknown_class(model, test, options, rng)
    if options.model:
        print(f"\nThe model: {model_path(options)}")
    finish("lesson5_project", options, started, metrics, figures,
           ["your own hand:   python -m fewshot_np.lesson5_project --draw",
            "your own images: ... --classify PHOTO... --support FOLDER",
            "the next lesson: python -m fewshot_np.lesson6_optimizer"])


# ---------------------------------------------------------------- options


def read_options(argv):
    return parse_options(
        "lesson5_project", "The document's Siamese network, rewired, and used on your own images.",
        {"n_way": 5, "k_shot": 1, "n_query": 15, "train_way": 32, "iterations": 900, "learning_rate": 1e-3,
         "episodes": 600, "pairs": 4000, "resume": False},
        quick={"iterations": 24, "episodes": 40, "pairs": 400}, full={"iterations": 20000, "pairs": 20000},
        argv=argv, parents=[options_of_use()],
        texts={"n_way": "characters to choose from in the test, N", "k_shot": "examples of each in the test, K",
               "n_query": "queries of each in the test, Q", "train_way": "characters per training batch",
               "iterations": "training batches of the rewired network; the document's gets a third",
               "learning_rate": "learning rate at the start", "episodes": "test episodes",
               "pairs": "test pairs, half of them the same",
               "resume": "go on where a run with the same options was stopped"})


def options_of_use():
    """The options that this lesson alone has."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    use = parser.add_argument_group("use it")
    use.add_argument("--classify", nargs="+", metavar="PHOTO",
                     help="say which class of --support each image is of: files, folders, patterns")
    use.add_argument("--support", metavar="FOLDER", help="examples: one sub-folder of images for each class")
    use.add_argument("--draw", action="store_true", help="draw in the browser and see who recognises it")
    use.add_argument("--model", metavar="FILE",
                     help="the trained model; without it that in --out, or one that the same options trained")
    return parser


# ---------------------------------------------------------------- training


def train_both(options, training, validation):
    """(the network, its parameters trained as in the document, the Model of the rewired one)."""
    network = siamese_network(training.images.shape[1:])
    n = n_parameters(network.init(np.random.default_rng(0)))
    print(f"\n1. Two trainings, {n:,} parameters each. The document's is the shorter\n"
          "   one: more would hardly help it.")  # 300 iterations reach 36 %, 900 reach 40; pixels 46
    document = train_wiring(options, partial(contrastive_objective, network, margin=1.0), training,
                            max(1, options.iterations // 3), DOCUMENT)
    return network, document, train_model(options, training, validation)


# ---------------------------------------------------------------- same or not?


def run_verification(options, model, outputs, test):
    """Print what the distances of test pairs are in both wirings; (metrics, labels, {title: distances})."""
    pairs = balanced_pairs(test, options.pairs, np.random.default_rng(options.seed))
    numbers, embeddings = outputs[DOCUMENT][:, 0], outputs[REWIRED]
    distances = np.abs(numbers[pairs.first_ids] - numbers[pairs.second_ids])
    unlike = 1 - sigmoid(pair_logits(model.params, embeddings, pairs))
    print(f"\n2. Same character or not? {options.pairs} pairs of characters never seen, half the same.\n"
          "   Distance is |s1 - s2| in the document's wiring, 1 - p(same) in the other.\n")
    metrics, rows = {}, []
    for name, values, threshold in [(DOCUMENT, distances, 0.5), (REWIRED, unlike, 1 - model.threshold)]:
        results = verification(values, pairs.same, threshold)
        right = results.pop("right")
        metrics |= {f"verification, {name}, {what}": metric(*value) for what, value in results.items()}
        (near, _), (far, _), error = results.values()
        rows.append([name, f"{near:.2f}", f"{far:.2f}", f"{values[pairs.same == 0].max():.3f}", percent(*error)])
    print_table(["wiring", "mean of\nthe same", "mean of\ndifferent", "largest\nof different", "equal error\nrate"],
                rows)
    push = mean_confidence_interval((1 - distances[pairs.same == 0]) ** 2)
    metrics |= {"verification, rewired, decisions right": metric(*right, threshold=model.threshold),
                "document, loss of different pairs": metric(*push) | {"at best": BEST_PUSH}}
    print(f"\n   One number, however well it is learned, leaves different pairs a loss of\n"
          f"   {BEST_PUSH:.3f} or more (here {push[0]:.3f}): there is no room. Rewired, and with the\n"
          f"   threshold p > {model.threshold:.2f} chosen on other characters, {percent(*right)} of the decisions\n"
          "   are right.")
    return metrics, pairs.same, {"|s1 - s2| of pairs": distances, "Rewired: 1 - p(same)": unlike}


# ---------------------------------------------------------------- which of N is it?


def run_recognition(options, model, outputs, test):
    """Print the accuracy of N-way K-shot recognition; returns its metrics."""
    rng, n_way = np.random.default_rng(options.seed), options.n_way
    # the glyphs are fitted when they are made, and of a folder the same file is not read twice
    unfitted = load_splits(options)[2].images if options.data == "omniglot" else None

    def measure(episode):
        labels = episode.support_y
        (s1, q1), (s128, q128) = ((outputs[name][episode.support_ids], outputs[name][episode.query_ids])
                                  for name in (DOCUMENT, REWIRED))
        values = {PIXELS: pixel_scores(None, episode),
                  DOCUMENT: -plain_distances(q1, prototypes(s1, labels, n_way)),
                  REWIRED: embedded_scores(model.params, s128, q128, labels, n_way),
                  "its prototypes": -squared_distances(q128, prototypes(s128, labels, n_way))}
        if unfitted is not None:
            as_it_is = episode._replace(support_x=to_float(unfitted[episode.support_ids]),
                                        query_x=to_float(unfitted[episode.query_ids]))
            values[UNFITTED] = pixel_scores(None, as_it_is)
        return {name: accuracies(value, episode.query_y) for name, value in values.items()}

    values = evaluate(measure, lambda n: sample_episodes(test, n_way, options.k_shot, options.n_query, n, rng),
                      options.episodes, label="test episodes")
    print(f"\n3. Which of {n_way} is it? {options.k_shot} example(s) of each, {options.episodes} episodes, "
          f"{options.n_query} queries\n   per class, each answered by itself; guessing scores {100 / n_way:.1f} %.\n")
    return print_accuracies(values, "recognition", "nearest or most alike")


def run_sureness(options, model, outputs, test, ways=(5, 10, 20)):
    """How often the answer is right among N classes, how often `sharpness` says so, and what p(same) would say."""
    n, rng = min(map(len, test.images_of)), np.random.default_rng(options.seed)
    of_test = model._replace(known=np.stack([outputs[REWIRED][rng.choice(ids, n, replace=False)]
                                             for ids in test.images_of]))
    rows, metrics = [], {}
    for n_way in ways:
        if n_way > len(test) or options.k_shot >= n:
            continue
        z = known_scores(of_test, n_way, options.k_shot, options.episodes, rng)
        values = {"right": z.argmax(axis=-1) == np.arange(n_way),
                  "said": softmax(z * sharpness(model, n_way, options.k_shot)).max(axis=-1),
                  "said of a pair": sigmoid(z).max(axis=-1)}
        results = {name: mean_confidence_interval(value.mean(axis=1)) for name, value in values.items()}
        rows.append([str(n_way), *(percent(*result) for result in results.values())])
        metrics |= {f"sureness, {n_way} ways, {name}": metric(*result) for name, result in results.items()}
    print("\n4. How sure may it be? An answer's probability should be how often it is right.\n"
          "   It is calibrated on episodes of validation characters with as many ways.\n")
    print_table(["ways", "right", "says", "p(same) says"], rows)
    return metrics


def run_unknown_classes(options, model, outputs, test):
    """One class more than there is support of: are its drawings answered with "none of these"?"""
    rng = np.random.default_rng(options.seed)
    n_way, k_shot = options.n_way, options.k_shot

    def measure(episode):
        support, query = (outputs[REWIRED][ids] for ids in (episode.support_ids[:, :n_way * k_shot],
                                                            episode.query_ids))
        p = sigmoid(embedded_scores(model.params, support, query, episode.support_y[:, :n_way * k_shot], n_way))
        answers = np.where(p.max(axis=-1) > model.threshold, p.argmax(axis=-1), n_way)      # n_way: none of these
        right, unknown = answers == episode.query_y, episode.query_y[0] == n_way
        return {"known classes, recognised": right[:, ~unknown].mean(axis=1),
                "unknown classes, rejected": right[:, unknown].mean(axis=1)}

    values = evaluate(measure, lambda n: sample_episodes(test, n_way + 1, k_shot, options.n_query, n, rng),
                      options.episodes, label="unknown classes")
    print(f"\n5. And if it is none of the {n_way}? The best above the threshold, or \"none of these\".\n")
    metrics = print_accuracies(values, "none of these", "queries of")
    print(f"\n   The threshold is that of one pair; an unknown class has {n_way} chances to pass.")
    return metrics


def print_accuracies(values, what, head):
    """Print a row per name of {name: (episodes,)}; returns {"what, name": metric}."""
    results = {name: mean_confidence_interval(value) for name, value in values.items()}
    print_table([head, "right"], [[name, percent(*result)] for name, result in results.items()])
    return {f"{what}, {name}": metric(*result) for name, result in results.items()}


def draw_unknown_class(model, test, options, rng):
    """What --classify draws, for drawings of the test characters; the last is of a character without examples."""
    n_way = options.n_way
    episode = sample_episodes(test, n_way + 1, options.k_shot, 1, 1, rng)
    chosen = episode.support_ids[0][:n_way * options.k_shot]
    support = ImageClasses(test.images[chosen], episode.support_y[0][:len(chosen)],
                           [f"class {i}" for i in range(n_way)], [""] * n_way)
    answers = classify(model, to_float(support.images), support.labels, episode.query_x[0])
    return draw_answers(episode.query_x[0], [*support.names, "unknown class"], answers, support)


# ---------------------------------------------------------------- use it: your own hand


def run_draw(options):
    """Open the playground with the reader's own model, until Ctrl-C; the page computes the answers."""
    model = find_model(options)
    with tempfile.TemporaryDirectory() as folder:
        server = make_server(folder=page_with_model(model, Path(folder) / "page"))
        serve(server, browser=True, path="?model=project#draw")


def page_with_model(model, folder):
    """The playground's page in a folder of its own, with the model beside its other networks."""
    shutil.copytree(PAGE, folder)
    arrays = {f"project.{layer}.{key}": array.astype(np.float32)
              for layer, arrays in model.params.items() for key, array in arrays.items()}
    write_arrays(folder / "weights" / "project.bin", arrays, {"threshold": model.threshold})
    return folder


if __name__ == "__main__":
    run(main)
