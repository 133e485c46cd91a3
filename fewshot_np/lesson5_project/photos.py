"""Your own images: photos and drawings are read, classified, and answered in words.

`np` is the plain NumPy: nothing is differentiated here.
"""

import glob
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.folders import in_groups, read_with_doubt, reason_of, visible
from fewshot_np.lesson5_project.calibration import sharpness, softmax
from fewshot_np.lesson5_project.network import embedding, sigmoid
from fewshot_np.lesson5_project.rewired import embedded_scores, same_logits

SUREST = 0.99      # some hundred episodes cannot show that answers are right more often than this


class Answer(NamedTuple):
    """label: the class, or None for "none of these".   probabilities: of *same* with each class, (N,).

    nearest: the positions of all support images, the most alike first.   alike: the probability of each, (M,).
    shares: the probability of each class if it is one of them, (N,), which add up to 1.
    """

    label: int | None
    probabilities: np.ndarray
    nearest: np.ndarray
    alike: np.ndarray
    shares: np.ndarray


def classify(model, support_x, support_y, query_x):
    """Answers, one per query. Images (M,28,28,1) and (Q,28,28,1) float32, ink 1; labels (M,) in 0...N-1."""
    support, query = embedding(model.params, support_x), embedding(model.params, query_x)
    n_way = int(np.max(support_y)) + 1
    logits = embedded_scores(model.params, support[None], query[None], support_y[None], n_way)[0].astype(float)
    shares = softmax(logits * sharpness(model, n_way, max(1, round(len(support_x) / n_way))))
    alike = sigmoid(same_logits(model.params, query[:, None], support[None]))
    return [Answer(int(p.argmax()) if p.max() > model.threshold else None, p, np.argsort(-a, kind="stable"), a, share)
            for p, a, share in zip(sigmoid(logits), alike, shares, strict=True)]


# ---------------------------------------------------------------- photos


class Photos(NamedTuple):
    """images: (Q,28,28,1) float32, of the files `paths`.   skipped, doubts: [(path, reason)] of what could not be read,
    and of what may have been read wrongly."""

    paths: list
    images: np.ndarray
    skipped: list
    doubts: list


def read_photos(words, progress=iter):
    """The Photos of these files, of all files in these folders, and of what patterns as "*.jpg" match.

    progress: wraps the list of the files, and may show how far it is.

    Raises: FileNotFoundError or ValueError, which name the file, if there is none that can be read.
    """
    paths, images, skipped, doubts = [], [], [], []
    for path in progress(photo_paths(words)):
        try:
            image, doubt = read_with_doubt(path, fitted=True)
        except (OSError, ValueError) as error:
            is_absent = isinstance(error, FileNotFoundError)
            skipped.append((path, "there is no such file" if is_absent else reason_of(error)))
            continue
        paths.append(path)
        images.append(image)
        doubts += [(path, doubt)] * bool(doubt)
    if not images:
        kind = FileNotFoundError if all(not path.exists() for path, _ in skipped) else ValueError
        raise kind(f"none of the photos can be read: {in_groups(skipped)}")
    return Photos(paths, to_float(np.stack(images)), skipped, doubts)


def photo_paths(words):
    """The files that names of files and folders, and patterns that the shell has left as they are, stand for.

    Raises: FileNotFoundError for a pattern without a match, ValueError for a folder without files.
    """
    paths = []
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            found = [file for entry in visible(path) for file in (photo_paths([entry]) if entry.is_dir() else [entry])]
            if not found:
                raise ValueError(f"there are no files in the folder {path}")
        elif not path.exists() and glob.has_magic(str(path)):
            found = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
            if not found:
                raise FileNotFoundError(f"no file matches {path}")
        else:
            found = [path]
        paths += found
    return paths


# ---------------------------------------------------------------- answers in words


def titles_of(paths):
    """The names of the files, or where two have the same name the whole paths."""
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def in_words(title, answer, names):
    """An answer in one line: the class, how often it is right, and the next best; or the nearest of none.

    For "none of these" only the probability of *same* is given, because the shares assume that it is one of them.
    No share is given as more than SUREST.
    """
    shares = np.minimum(answer.shares, SUREST)
    best, second = np.argsort(-answer.probabilities)[:2]
    if answer.label is None:
        return f"{title}  none of these (nearest: {names[best]}, {100 * answer.probabilities[best]:.0f} %)"
    return f"{title}  {names[best]} p = {shares[best]:.2f}; then {names[second]} p = {shares[second]:.2f}"


def shorten(text, width):
    return text if len(text) <= width else text[:width - 2] + ".."
