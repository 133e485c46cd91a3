"""The networks and characters of the playground, written into the files that its page reads.

    python -m fewshot_np.playground.export                  trains the networks first: about 6 minutes
    python -m fewshot_np.playground.export --runs runs      takes those of default runs of the three lessons

Three small convolutional networks (lesson 3's prototypical network, lesson 4's Siamese network and MAML), three starts
for sinusoids, and drawings of characters of scripts on which none of them was trained.
"""

import argparse
import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from fewshot_np.data import glyphs
from fewshot_np.data.classes import to_float
from fewshot_np.experiment.options import run
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson3_initialisation import tune_rate
from fewshot_np.lesson4_maml import error_after, sample_sinusoids, squared_error
from fewshot_np.lesson4_siamese import balanced_pairs, choose_threshold, pair_distances
from fewshot_np.nn.networks import mlp
from fewshot_np.playground.networks import block_statistics, embed_with_statistics
from fewshot_np.playground.weights import write_arrays

WEIGHTS = Path(__file__).parent / "page" / "weights"
NETWORKS = {  # name in the page: (lesson whose default run trains it, file in the folder of that run)
    "prototypical": ("lesson3_metric", "prototypical-20-way.npz"),
    "siamese": ("lesson4_siamese", "hard-negatives.npz"),
    "maml": ("lesson4_maml", "characters.npz"),
    "sinusoids.maml": ("lesson4_maml", "sinusoids-maml.npz"),
    "sinusoids.pretrained": ("lesson4_maml", "sinusoids-pretrained.npz"),
}
CHARACTERS, DRAWINGS = 120, 5  # of unseen scripts, for the game against the networks
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)

# ---------------------------------------------------------------- the export


def main(argv=None):
    options = read_options(argv)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(options.runs or folder)
        if options.runs is None:
            train_all(runs)
        networks = {name: rounded(load_params(runs / lesson / file)) for name, (lesson, file) in NETWORKS.items()}
        settings, start = sinusoid_settings(runs, networks)
    networks["sinusoids.random"] = rounded(start)
    statistics, settings["threshold"] = siamese_statistics(networks["siamese"])
    arrays = {name: array for network, params in networks.items() for name, array in named(network, params)}
    arrays |= {f"statistics.{block}": each for block, each in statistics.items()}
    write_arrays(options.out / "networks.bin", arrays, settings)
    write_arrays(options.out / "characters.bin", *unseen_characters())
    for file in ("networks.bin", "characters.bin"):
        print(f"{options.out / file}: {(options.out / file).stat().st_size / 1000:.0f} KB")


def read_options(argv):
    parser = argparse.ArgumentParser(prog="python -m fewshot_np.playground.export", allow_abbrev=False,
                                     description="Write the networks and characters of the playground.")
    parser.add_argument("--runs", type=Path, metavar="FOLDER",
                        help="folder with default runs of " + ", ".join(sorted({n for n, _ in NETWORKS.values()})) +
                             "; without it they are trained")
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FOLDER", help="where the two files go (the page)")
    return parser.parse_args(argv)


def train_all(runs):
    for lesson in dict.fromkeys(lesson for lesson, _ in NETWORKS.values()):
        import_module(f"fewshot_np.{lesson}.__main__").main(["--out", str(runs / lesson)])


def rounded(params):
    """The parameters as the page will have them: kernels of a convolution in float16, all others in float32."""
    return {layer: {key: array.astype(np.float16 if array.ndim == 4 else np.float32).astype(np.float32)
                    for key, array in arrays.items()} for layer, arrays in params.items()}


def named(network, params):
    """(name, array) of every parameter, convolutions in float16."""
    for layer, arrays in params.items():
        for key, array in arrays.items():
            yield f"{network}.{layer}.{key}", array.astype(np.float16) if array.ndim == 4 else array


def sinusoid_settings(runs, networks):
    """({the rates of the inner loops}, a random start for sinusoids), the rates of the others tuned as in lesson 4."""
    options = read_record(runs / "lesson4_maml" / "record.json")["options"]
    rng = np.random.default_rng(options["seed"])
    network = mlp([1, 40, 40, 1])
    start, tasks = network.init(rng), sample_sinusoids(10, 10, 200, rng)
    loss = partial(squared_error, network)
    rates = {name: tune_rate(partial(error_after, loss, params, tasks, 10), RATES)
             for name, params in [("pretrained", networks["sinusoids.pretrained"]), ("random", start)]}
    return {"inner_lr": options["inner_lr"],
            "sinusoid_rates": {"maml": options["sinusoid_inner_lr"], **rates}}, start


def siamese_statistics(params):
    """(the statistics of 128 training images in every block, the threshold for *same*), as in lesson 4's run."""
    training, validation = glyphs.load("train"), glyphs.load("validation")
    rng = np.random.default_rng(0)
    reference = to_float(training.images[rng.choice(len(training.images), 128, False)])
    statistics = block_statistics(params, reference)
    pairs = balanced_pairs(validation, 4000, np.random.default_rng(0))
    distances = pair_distances(partial(embed_with_statistics, params, statistics), pairs)
    return statistics, choose_threshold(distances, pairs.same)


def unseen_characters():
    """({"images": (CHARACTERS, DRAWINGS, 28, 28) uint8}, {"names": [...]}) of the scripts kept for the test."""
    classes, rng = glyphs.load("test"), np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(classes), CHARACTERS, replace=False))
    images = np.stack([classes.images[rng.choice(classes.images_of[c], DRAWINGS, replace=False), ..., 0]
                       for c in chosen])
    return {"images": images}, {"names": [classes.names[c] for c in chosen]}


if __name__ == "__main__":
    run(main)
