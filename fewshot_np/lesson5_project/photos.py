"""Your own images: photos and drawings are read, classified, and answered in words.

`np` is the plain NumPy: nothing is differentiated here.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewshot_np.data.folders import read_image
from fewshot_np.lesson5_project.network import embedding, sigmoid
from fewshot_np.lesson5_project.rewired import embedded_scores, same_logits


class Answer(NamedTuple):
    """label: the class, or None for "none of these".   probabilities: of *same* with each class, (N,).

    nearest: the positions of all support images, the most alike first.   alike: the probability of each, (M,).
    """

    label: int | None
    probabilities: np.ndarray
    nearest: np.ndarray
    alike: np.ndarray


def classify(model, support_x, support_y, query_x):
    """Answers, one per query. Images (M,28,28,1) and (Q,28,28,1) float32, ink 1; labels (M,) in 0...N-1."""
    support, query = embedding(model.params, support_x), embedding(model.params, query_x)
    n_way = int(np.max(support_y)) + 1
    probabilities = sigmoid(embedded_scores(model.params, support[None], query[None], support_y[None], n_way)[0])
    alike = sigmoid(same_logits(model.params, query[:, None], support[None]))
    return [Answer(int(p.argmax()) if p.max() > model.threshold else None, p, np.argsort(-a, kind="stable"), a)
            for p, a in zip(probabilities, alike, strict=True)]


def read_photos(paths):
    """The images in these files, (Q,28,28,1) float32.

    Raises: FileNotFoundError or ValueError, which name the file.
    """
    images = []
    for path in map(Path, paths):
        try:
            images.append(read_image(path.expanduser(), fitted=True))
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {path}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return np.stack(images).astype(np.float32) * np.float32(1 / 255)


# ---------------------------------------------------------------- answers in words


def in_words(title, answer, names):
    """An answer in one line: the class, its probability, and the next best."""
    first, second = (f"{printable(names[i])} p = {answer.probabilities[i]:.2f}"
                     for i in np.argsort(-answer.probabilities)[:2])
    best = first if answer.label is not None else f"none of these (nearest: {first})"
    return f"{printable(title):18}  {best}; then {second}"


def printable(name, width=18):
    """A name of the reader's as the terminal can show it, which may know few letters."""
    encoding = sys.stdout.encoding or "ascii"
    return shorten(name.encode(encoding, "replace").decode(encoding), width)


def shorten(text, width):
    return text if len(text) <= width else text[:width - 2] + ".."
