"""The curve: the accuracy of a learner against the number of images per class that it learns from.

`np` is plain NumPy: nothing on this page is differentiated.
"""

import numpy as np

from fewshot_np.data.classes import to_float

SHOTS = (1, 2, 5, 10, 15)  # images of each class to learn from
HELD_OUT = 5  # other images of each class, to be recognised


def accuracy_curve(learner, classes, shots, rng, n_way=20, n_held_out=5, repetitions=10, progress=lambda: None):
    """The share of held-out images recognised after K images per class, for K in shots: (repetitions, len(shots)).

    Each repetition draws new classes. Within a repetition the images for a smaller K are among those for a larger
    one, and the held-out images stay the same. A Generator with the same seed gives every learner the same draws.
    progress: called without arguments after each of the repetitions * len(shots) measurements.
    """
    curve = np.empty((repetitions, len(shots)))
    for row, own_rng in zip(curve, rng.spawn(repetitions), strict=True):  # what a learner draws changes no later split
        training, held_out = split_drawings(classes, n_way, max(shots), n_held_out, own_rng)
        query_x, query_y = with_labels(held_out)
        for column, k_shot in enumerate(shots):
            predictions = learner(*with_labels(training[:, :k_shot]), query_x, n_way, own_rng)
            row[column] = np.mean(predictions == query_y)
            progress()
    return curve


def split_drawings(classes, n_way, n_train, n_held_out, rng):
    """n_way random classes and for each n_train images to learn from and n_held_out others to be recognised.

    classes: ImageClasses, whose `images_of[c]` are the positions in `images` of those of class c.
    Returns (n_way, n_train, H, W, C) and (n_way, n_held_out, H, W, C), float32, ink 1.
    Raises: ValueError for more ways than classes, and for a class with too few images, which it names.
    """
    _check_sizes(classes, n_way, n_train, n_held_out)
    chosen = rng.choice(len(classes), n_way, replace=False)
    ids = np.stack([rng.choice(classes.images_of[c], n_train + n_held_out, replace=False) for c in chosen])
    images = to_float(classes.images[ids])
    return images[:, :n_train], images[:, n_train:]


def with_labels(images):
    """Images by class (n_way, K, H, W, C) as one row of images, (n_way K, H, W, C), and their labels (n_way K,)."""
    return images.reshape(-1, *images.shape[2:]), np.repeat(np.arange(len(images)), images.shape[1])


# ---------------------------------------------------------------- bad input


def _check_sizes(classes, n_way, n_train, n_held_out):
    if n_way > len(classes):
        raise ValueError(f"{n_way} classes at a time are wanted, there are {len(classes)}: use a smaller --n-way")
    for name, ids in zip(classes.names, classes.images_of, strict=True):
        if len(ids) < n_train + n_held_out:
            raise ValueError(f"class {name!r} has {len(ids)} images; {n_train} to learn from and {n_held_out} held out "
                             f"need {n_train + n_held_out}: add {n_train + n_held_out - len(ids)} to it, or take the "
                             "class out")
