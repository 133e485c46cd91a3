"""Lesson 1: how many examples does a network need? First: what a network is made of.

Everything in this course is made of three things that this page builds from nothing: `grad`, which differentiates a
program; the dense layer; and the convolution, first as six loops that say what it is, then as one matrix product
that says how to make it fast.

Then such a network is trained from scratch on 1, 2, 5, 10 and 15 drawings of each of 20 characters, and asked about
new drawings of them. Deep learning is *hungry*: from one drawing each it recognises few of the new ones, on the glyphs
no more than comparing pixels does, and each further drawing helps. Few-shot learning, from lesson 2 on, wants one
example to be enough. Is the hunger then gone, or only moved? That takes honest counting, which begins here.

    python -m fewshot_np.lesson1_data_hunger
"""

import time
from functools import partial

import numpy as onp
from autograd import grad
from autograd import numpy as np
from tqdm import tqdm

from fewshot_np.data.splits import load_test
from fewshot_np.experiment.figures import BLACK, STYLES, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.nn import primitives, trees
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay

# ---------------------------------------------------------------- autograd in ten lines


def autograd_in_ten_lines():
    """What `grad` does, as the numbers that it gives; nothing else of autograd is used in this course."""
    cube = lambda x: x ** 3  # noqa: E731 - a program like any other
    slope = grad(cube)  # a program again: the derivative of the first argument
    curvature = grad(grad(cube))  # ... and so it can be differentiated again: MAML needs no more than this

    def loss(params):  # parameters come in a dict; their gradient is a dict with the same keys
        return (params["w"] * 3.0 + params["b"] - 10.0) ** 2

    # one rule: never assign into an array (x[0] = 1) on the way from the parameters to the loss; build a new one
    return {"cube": cube(2.0), "slope": slope(2.0), "curvature": curvature(2.0),
            "gradient": grad(loss)({"w": 2.0, "b": 1.0})}


# ---------------------------------------------------------------- the dense layer


def dense_loops(x, w, b):
    """out[m, o] = sum_d x[m, d] w[d, o] + b[o]: inputs (M,D), weights (D,O), biases (O,) -> (M,O)."""
    rows = []
    for m in range(x.shape[0]):
        rows.append([sum(x[m, d] * w[d, o] for d in range(x.shape[1])) + b[o] for o in range(w.shape[1])])
    return np.array(rows)


def dense(x, w, b):
    """The same as one matrix product."""
    return np.matmul(x, w) + b


# ---------------------------------------------------------------- the convolution
#
# A kernel (kh,kw,C,O) slides over the image; at each place every one of its O filters takes the weighted sum of the
# pixels underneath. (Strictly a cross-correlation: the kernel is not turned over. The field says convolution.)


def conv2d_loops(x, w, stride=1, padding=0):
    """Images (M,H,W,C), kernels (kh,kw,C,O) -> maps (M,H',W',O), H' = (H + 2 padding - kh)//stride + 1."""
    x = pad_images(x, padding)
    kh, kw, _, filters = w.shape
    maps = []
    for image in x:
        rows = []
        for top in range(0, image.shape[0] - kh + 1, stride):
            row = []
            for left in range(0, image.shape[1] - kw + 1, stride):
                patch = image[top:top + kh, left:left + kw]
                row.append([np.sum(patch * w[..., o]) for o in range(filters)])
            rows.append(row)
        maps.append(rows)
    return np.array(maps)


def im2col(x, kh, kw, stride=1):
    """Lay every patch under the kernel out as a row: (M,H,W,C) -> (M, H', W', kh*kw*C).

    Seen from a place (i, j) of the kernel the pixels under it form a smaller image; these kh*kw images stand side by
    side on the last axis, so the loop runs over the few places of the kernel and not over the many pixels.
    """
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return np.concatenate([x[:, i:i + height:stride, j:j + width:stride]
                           for i in range(kh) for j in range(kw)], axis=-1)


def conv2d_im2col(x, w, stride=1, padding=0):
    """The same sum as one matrix product: (M, H', W', kh*kw*C) @ (kh*kw*C, O)."""
    kh, kw, _, filters = w.shape
    patches = im2col(pad_images(x, padding), kh, kw, stride)
    return np.matmul(patches, np.reshape(w, (-1, filters)))


def pad_images(x, padding):
    """A margin of zeros, `padding` pixels wide, around every image."""
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), "constant")


# ---------------------------------------------------------------- two learners
#
# A learner gets labelled images, `support_x` (M,H,W,C) and `support_y` (M,), integers 0...n_way - 1, and new images of
# the same n_way classes, `query_x`. It returns a class for each of these. What it needs of chance it draws from `rng`.


def nearest_pixels(support_x, support_y, query_x, n_way, rng):
    """The class of the image that differs least, pixel by pixel: (number of queries,). Nothing is learned."""
    predictions = []
    for image in query_x:  # the loop says what is meant; lesson 2 does it for many tasks at once
        distances = onp.sum((support_x - image) ** 2, axis=(1, 2, 3))
        predictions.append(support_y[distances.argmin()])
    return onp.array(predictions)


def network_from_scratch(support_x, support_y, query_x, n_way, rng, channels=32, iterations=60, learning_rate=1e-2,
                         batch=40):
    """Train a convolutional network of random parameters on the support, then classify: (number of queries,).

    conv4 is four blocks of the convolution above, batch norm, ReLU and pooling, and a dense layer, the "head". The
    defaults were the best of a few on the glyphs' validation scripts, not on those of the curve.
    """
    network = conv4(support_x.shape[1:], n_way, channels)
    params, state, rate = network.init(rng), None, cosine_decay(learning_rate, iterations)

    def loss(params, x, y):
        return primitives.cross_entropy(network.apply(params, x), y)

    for iteration in range(iterations):  # all of deep learning: draw examples, differentiate, take a small step
        drawn = rng.permutation(len(support_x))[:batch]
        gradient = trees.grad(loss)(params, support_x[drawn], support_y[drawn])  # autograd's `grad`, faster for dicts
        params, state = adam(params, gradient, state, rate(iteration))
    # batch norm needs statistics of several images: it takes those of the support, so that a query stands for itself
    n_support = len(support_x)
    logits = network.apply(params, onp.concatenate([support_x, query_x]), n_reference=n_support)[n_support:]
    return logits.argmax(axis=-1)


# ---------------------------------------------------------------- the curve: accuracy against images per class


def split_drawings(classes, n_way, n_train, n_held_out, rng):
    """n_way random classes and for each n_train images to learn from and n_held_out others to be asked about.

    (n_way, n_train, H, W, C) and (n_way, n_held_out, H, W, C) float32, ink 1. ValueError for more ways than classes
    and, naming the class, where one has too few images.
    """
    if n_way > len(classes):
        raise ValueError(f"{n_way} classes at a time are wanted, there are {len(classes)}: use a smaller --n-way")
    for name, ids in zip(classes.names, classes.images_of, strict=True):
        if len(ids) < n_train + n_held_out:
            raise ValueError(f"class {name!r} has {len(ids)} images; {n_train} to learn from and {n_held_out} held out "
                             f"need {n_train + n_held_out}")
    chosen = rng.choice(len(classes), n_way, replace=False)
    ids = onp.stack([rng.choice(classes.images_of[c], n_train + n_held_out, replace=False) for c in chosen])
    images = classes.images[ids].astype("float32") * (1 / 255)
    return images[:, :n_train], images[:, n_train:]


def accuracy_curve(learner, classes, shots, rng, n_way=20, n_held_out=5, repetitions=10, label="learning"):
    """The share of held-out images recognised after K images per class, for K in shots: (repetitions, len(shots)).

    Each repetition draws other classes; within one, the images for a smaller K are among those for a larger, and the
    held-out images stay the same. A Generator of the same seed gives every learner the same draws.
    """
    curve = onp.empty((repetitions, len(shots)))
    with tqdm(total=curve.size, desc=label, ascii=True, leave=False) as bar:
        for row, own_rng in zip(curve, rng.spawn(repetitions), strict=True):  # what a learner draws shifts no split
            training, held_out = split_drawings(classes, n_way, max(shots), n_held_out, own_rng)
            query_x, query_y = with_labels(held_out)
            for column, k_shot in enumerate(shots):
                predictions = learner(*with_labels(training[:, :k_shot]), query_x, n_way, own_rng)
                row[column] = onp.mean(predictions == query_y)
                bar.update()
    return curve


def with_labels(images):
    """Images by class (n_way, K, H, W, C) as one row of images, (n_way K, H, W, C), and their labels."""
    return images.reshape(-1, *images.shape[2:]), onp.repeat(onp.arange(len(images)), images.shape[1])


def mean_and_interval(curve):
    """The mean over repetitions and the half-width of its 95 % interval (lesson 2 explains it), each (len(shots),)."""
    if len(curve) < 2:
        raise ValueError(f"an interval needs 2 or more repetitions, got {len(curve)}")
    return curve.mean(axis=0), 1.96 * curve.std(axis=0, ddof=1) / len(curve) ** 0.5


# ---------------------------------------------------------------- what is shown of it


def print_curves(curves, shots, n_way, eaten):
    """A column per learner, {name: curve}; with eaten, {name: images of *other* classes it learned from}.

    Both are currencies in which a learner may have paid: images of these classes, and images of others before.
    """
    print("  images\n" + f"  {'each':>5}{f'all {n_way}':>9}" + "".join(f"{name:>21}" for name in curves))
    columns = [zip(*mean_and_interval(curve), strict=True) for curve in curves.values()]
    for k_shot, *cells in zip(shots, *columns, strict=True):
        print(f"  {k_shot:5}{n_way * k_shot:9}"
              + "".join(f"{100 * mean:14.1f} ±{100 * interval:5.1f}" for mean, interval in cells))
    print(f"  {'of others':14}" + "".join(f"{eaten[name]:21}" for name in curves))


def draw_curves(curves, shots, n_way, eaten):
    """Accuracy with its interval against images per class; arguments as in `print_curves`."""
    figure, axes = new_figure(6.5, 4)
    for style, (name, curve) in zip(STYLES, curves.items(), strict=False):
        mean, interval = mean_and_interval(curve)
        axes.errorbar(shots, 100 * mean, 100 * interval, **style, capsize=3,
                      label=f"{name} (images of other classes: {eaten[name]:,})")
    axes.axhline(100 / n_way, color=BLACK, linewidth=0.8, linestyle=":", label="guessing")
    axes.set_xscale("log")
    axes.set_xticks(shots, [str(k_shot) for k_shot in shots])
    axes.set_xticks([], minor=True)
    axes.set(xlabel=f"images of each of the {n_way} classes", ylabel="new images recognised, %", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center")
    return figure


def as_metrics(curves, shots):
    """The curves for the record: {"name, K images per class": {"mean": ..., "interval": ...}}."""
    return {f"{name}, {k_shot} images per class": {"mean": mean, "interval": interval}
            for name, curve in curves.items()
            for k_shot, mean, interval in zip(shots, *mean_and_interval(curve), strict=True)}


# ---------------------------------------------------------------- the run

SHOTS = (1, 2, 5, 10, 15)
HELD_OUT = 5  # images of each class to be asked about


def time_convolutions(rng):
    """Print how long one convolution takes as loops, as a matrix product, and as the primitive that lessons use."""
    x, w = (rng.normal(size=shape).astype("float32") for shape in [(1, 28, 28, 1), (3, 3, 1, 16)])
    expected = conv2d_loops(x, w)
    print("1. A network is made of sums. 16 filters of 3x3 over one image of 28x28:\n")
    for name, f in [("six loops", conv2d_loops), ("one matrix product", conv2d_im2col),
                    ("the course's own", primitives.conv2d)]:
        f(x, w)  # the first call is slower
        started = time.perf_counter()
        difference = abs(f(x, w) - expected).max()
        print(f"  {name:20}{1000 * (time.perf_counter() - started):9.2f} ms   largest difference {difference:.0e}")


def main(argv=None):
    options = parse_options(
        "lesson1_data_hunger", "How many drawings of a character does a network need to recognise it?",
        {"n_way": 20, "repetitions": 10, "channels": 32, "iterations": 60, "learning_rate": 1e-2},
        quick={"n_way": 5, "repetitions": 2, "channels": 16, "iterations": 40},
        full={"repetitions": 100, "channels": 64, "iterations": 200}, argv=argv)
    started = time.perf_counter()
    classes = load_test(options)
    fewest = min(map(len, classes.images_of))
    shots = [k_shot for k_shot in SHOTS if k_shot + HELD_OUT <= fewest] or SHOTS[:1]
    split_drawings(classes, options.n_way, max(shots), HELD_OUT, onp.random.default_rng(0))  # impossible? Say so now
    print("How many drawings of a character must a network see to recognise new ones?\n")
    time_convolutions(onp.random.default_rng(options.seed))
    network = partial(network_from_scratch, channels=options.channels, iterations=options.iterations,
                      learning_rate=options.learning_rate)
    learners = {"nearest pixels": nearest_pixels, "network from scratch": network}
    curves = {name: accuracy_curve(learner, classes, shots, onp.random.default_rng(options.seed), options.n_way,
                                   HELD_OUT, options.repetitions, name) for name, learner in learners.items()}
    eaten = dict.fromkeys(learners, 0)
    print(f"\n2. {options.n_way} characters. Accuracy in % on {HELD_OUT} new drawings of each, mean and 95 %\n"
          f"   interval over {options.repetitions} draws of the characters. Guessing: {100 / options.n_way:.1f}.\n")
    print_curves(curves, shots, options.n_way, eaten)
    print("\n  Lesson 3 draws this curve again for a learner that has seen many others.")
    picture = save_figure(draw_curves(curves, shots, options.n_way, eaten), options.out / "curve.png")
    record = write_record(options.out, "lesson1_data_hunger", options, time.perf_counter() - started,
                          as_metrics(curves, shots))
    print(f"\nWritten: {picture}\n         {record}\nNext:    python -m fewshot_np.lesson2_episodes")


if __name__ == "__main__":
    run(main)
