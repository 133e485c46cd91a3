"""Your own images: photos and drawings are read, classified, and answered in words.

`np` is the plain NumPy: nothing is differentiated here.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewshot_np.data.folders import read_image
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import plain_distances, prototypes
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


# ---------------------------------------------------------------- three answers for the canvas


def canvas_answers(model):
    """{name: answer} by pixels, by the Siamese network, and by prototypes (lesson 3) of its embeddings.

    answer(support_x (M,28,28,1), support_y (M,), query_x (28,28,1)) -> (bars (N,) in 0...1, label or None).
    """
    def pixels(support_x, support_y, query_x):
        episode = Episode(support_x[None], support_y[None], query_x[None, None], None, None, None)
        return nearness(np.sqrt(np.maximum(-pixel_scores(None, episode)[0, 0], 0)))

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
