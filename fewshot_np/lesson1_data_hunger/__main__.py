"""The run of lesson 1: accuracy against drawings per character, for two learners; and what a convolution costs."""

import time
from functools import partial

import numpy as np
from tqdm import tqdm

from fewshot_np.data.splits import load_test
from fewshot_np.experiment.figures import draw_accuracy_curves
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import curve_metrics, finish, print_curves, print_table, refuse_impossible
from fewshot_np.lesson1_data_hunger import (
    HELD_OUT,
    SHOTS,
    accuracy_curve,
    conv2d_im2col,
    conv2d_loops,
    mean_and_interval,
    nearest_pixels,
    network_from_scratch,
    split_drawings,
)
from fewshot_np.nn import primitives

DEFAULTS = {"n_way": 20, "repetitions": 10, "channels": 32, "iterations": 60, "learning_rate": 1e-2}
TEXTS = {"n_way": "characters to tell apart",
         "repetitions": "draws of the characters to repeat with",
         "channels": "channels of the convolutional network",
         "iterations": "steps that each network is trained for",
         "learning_rate": "learning rate of the training, at its start"}


def main(argv=None):
    options = parse_options("lesson1_data_hunger", "How many drawings of a character does a network need to see?",
                            DEFAULTS, quick={"n_way": 5, "repetitions": 5, "channels": 16, "iterations": 20},
                            full={"repetitions": 100, "channels": 64, "iterations": 200}, texts=TEXTS, argv=argv)
    started = time.perf_counter()
    classes = load_test(options)
    shots = possible_shots(classes)
    refuse_impossible(lambda rng: split_drawings(classes, options.n_way, max(shots), HELD_OUT, rng))
    print("How many drawings of a character must a network see to recognise new ones?\n")
    network = partial(network_from_scratch, channels=options.channels, iterations=options.iterations,
                      learning_rate=options.learning_rate)
    learners = {"nearest pixels": nearest_pixels, "network from scratch": network}
    curves = {name: curve_of(learner, name, classes, shots, options) for name, learner in learners.items()}
    other_images = dict.fromkeys(learners, 0)
    show_curves(curves, shots, other_images, options)
    time_convolutions(np.random.default_rng(options.seed))
    finish("lesson1_data_hunger", options, started, curve_metrics(curves, shots),
           {"curve": draw_accuracy_curves(curves, shots, options.n_way, other_images)},
           ["python -m fewshot_np.lesson2_episodes"])


def possible_shots(classes):
    """Those of SHOTS for which every class has images enough; the smallest, and an error later, if there are none."""
    fewest = min(map(len, classes.images_of))
    return [k_shot for k_shot in SHOTS if k_shot + HELD_OUT <= fewest] or SHOTS[:1]


def curve_of(learner, name, classes, shots, options):
    """(means, half-widths) for each of shots, with a progress bar; every learner gets the same draws."""
    with tqdm(total=options.repetitions * len(shots), desc=name, ascii=True, leave=False) as bar:
        return mean_and_interval(accuracy_curve(learner, classes, shots, np.random.default_rng(options.seed),
                                                options.n_way, HELD_OUT, options.repetitions, progress=bar.update))


def show_curves(curves, shots, other_images, options):
    """Print the table of the curves, and what it means."""
    print(f"1. {options.n_way} characters. Accuracy in % on {HELD_OUT} new drawings of each, mean and 95 %\n"
          f"   interval over {options.repetitions} draws of the characters. Guessing: {100 / options.n_way:.1f}.\n")
    print_curves(curves, shots, options.n_way, other_images)
    print("\n   Lesson 3 draws this curve again for a learner that has seen many others.\n")


def time_convolutions(rng):
    """Print how long one convolution takes as loops, as a matrix product, and as the primitive that lessons use."""
    x, w = (rng.normal(size=shape).astype("float32") for shape in [(1, 28, 28, 1), (3, 3, 1, 16)])
    expected = conv2d_loops(x, w)
    rows = []
    for name, f in [("six loops", conv2d_loops), ("one matrix product", conv2d_im2col),
                    ("nn.primitives.conv2d", primitives.conv2d)]:
        f(x, w)  # the first call is slower
        started = time.perf_counter()
        difference = abs(f(x, w) - expected).max()
        rows.append([name, f"{1000 * (time.perf_counter() - started):.2f} ms", f"{difference:.0e}"])
    print("2. The network is made of sums. 16 filters of 3x3 over one image of 28x28:\n")
    print_table(["", "time", "largest difference"], rows)


if __name__ == "__main__":
    run(main)
