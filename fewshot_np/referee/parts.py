"""Are train, validation and test really apart? Shared classes, shared images, near and turned copies.

`np` is plain NumPy.
"""

import hashlib
from collections import Counter
from itertools import combinations
from typing import NamedTuple

import numpy as np

from fewshot_np.referee.calling import as_array
from fewshot_np.referee.verdict import Finding, judge

SIDE = 16    # of the thumbnails that are compared
NEAR = 0.99  # correlation of two thumbnails from which on they count as copies of one image
TURNS = {"turned by 90 degrees": 1, "turned by 180 degrees": 2, "turned by 270 degrees": 3}
BLOCK = 2048


class Part(NamedTuple):
    name: str
    images: np.ndarray      # as they were given, (M, ...)
    classes: np.ndarray     # (M,) names, as text
    hashes: np.ndarray      # (M,) of the exact content
    thumbnails: np.ndarray  # (M, 16 * 16) mean 0, length 1; zeros for a blank image


def splits(train, validation=None, test=None, *, near=NEAR, turned=True):
    """Do the parts of a data set share a class, an image, a near copy, or a turned copy? A verdict with the places.

    train, validation, test: (images, classes) or an `ImageClasses`. images (M,H,W) or (M,H,W,C), or (M,C,H,W) with 1 or
    3 channels; classes (M,) names that mean the same in all parts, and not labels that begin at 0 in each.
    Exact copies are found by a hash of the content; near ones (another brightness, size or compression) by the
    correlation of 16x16 thumbnails, from `near` on. turned: look for classes that are another one's copies turned by
    90, 180 or 270 degrees, too; single drawings look like a turned one by chance, three of Omniglot's 32,460.

    Raises: ValueError for fewer than two parts, and for a part whose images and classes do not fit together.
    """
    given = {"train": train, "validation": validation, "test": test}
    parts = [_part(name, part) for name, part in given.items() if part is not None]
    if len(parts) < 2:
        raise ValueError("splits compares two or three parts; give train and test at least")
    findings = []
    for one, other in combinations(parts, 2):
        findings += _shared_classes(one, other) + _shared_images(one, other, near, turned)
    sizes = {part.name: f"{len(part.images)} images of {len(set(part.classes))} classes" for part in parts}
    return judge("splits", findings, "no class and no image is in two parts", evidence=sizes)


def _shared_classes(one, other):
    shared = sorted(set(one.classes) & set(other.classes))
    if not shared:
        return []
    both = f"{one.name} and {other.name}"
    says = "A few-shot test is one of classes never seen: split the classes first, then their images."
    if shared == sorted(map(str, range(len(shared)))):
        says += " Or were the classes numbered anew from 0 in each part? Then give their names."
    return [Finding(f"{both} share classes", says, {f"in {both}": f"{len(shared)} classes: {_some(shared)}"})]


def _shared_images(one, other, near, turned):
    """An image is counted once, under the first name that fits: exact, near, turned."""
    both, findings = f"{one.name} and {other.name}", []
    known = {h: i for i, h in reversed(list(enumerate(one.hashes)))}
    exact = [(known[h], j) for j, h in enumerate(other.hashes) if h in known]
    left = np.setdiff1d(np.arange(len(other.images)), [j for _, j in exact])
    found = {"images": exact}
    for kind, k in {"near copies of images": 0, **(TURNS if turned else {})}.items():
        where, likeness = _best(_turn(other.thumbnails[left], k), one.thumbnails)
        hit = likeness >= near
        found["turned copies of images" if k else kind] = found.get("turned copies of images" if k else kind, []) + [
            (int(i), int(j)) for i, j in zip(where[hit], left[hit], strict=True)]
        left = left[~hit]
    meanings = {"images": "The same image is in both: what is tested was trained on.",
                "near copies of images": "They differ in brightness, size or compression at most.",
                "turned copies of images": "Rotations as new classes must stay in the part of the class they were made "
                                           "from. (Some letters are turned copies of each other by nature: d and p.)"}
    for kind, pairs in found.items():
        if kind.startswith("turned") and pairs and not _of_whole_classes(one, other, pairs):
            continue
        if pairs:
            findings.append(Finding(f"{both} share {kind}", meanings[kind], {f"{kind} in {both}": (
                f"{len(pairs)}: " + _some([f"{one.name} {i} ({one.classes[i]}) is {other.name} {j} ({other.classes[j]})"
                                           for i, j in pairs]))}))
    return findings


def _of_whole_classes(one, other, pairs):
    """Whether half of a class or more are turned copies of one class; a single letter may be one by nature."""
    met = Counter((one.classes[i], other.classes[j]) for i, j in pairs)
    return any(2 * n >= min(np.sum(one.classes == a), np.sum(other.classes == b)) for (a, b), n in met.items())


def _best(rows, known):
    """For each row the most similar of the known ones, and the correlation; in blocks, to save memory."""
    where, likeness = np.empty(len(rows), int), np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        table = rows[start:start + BLOCK] @ known.T
        where[start:start + BLOCK], likeness[start:start + BLOCK] = table.argmax(axis=1), table.max(axis=1)
    return where, likeness


def _turn(thumbnails, k):
    return np.rot90(thumbnails.reshape(-1, SIDE, SIDE), k, axes=(1, 2)).reshape(-1, SIDE * SIDE)


def _some(names, n=3):
    return ", ".join(map(str, names[:n])) + (", ..." if len(names) > n else "")


# ---------------------------------------------------------------- a part as it is given


def _part(name, part):
    if all(hasattr(part, field) for field in ("images", "labels", "names")):
        part = part.images, np.asarray(part.names)[part.labels]
    if not isinstance(part, (tuple, list)) or len(part) != 2:
        raise ValueError(f"{name} must be (images, classes) or an ImageClasses, got {type(part).__name__}")
    images = as_array(part[0])
    classes = np.array([str(c.item() if hasattr(c, "item") else c) for c in part[1]])
    if images.ndim not in (3, 4) or len(images) == 0 or len(images) != len(classes):
        raise ValueError(f"{name} needs images (M,H,W) or (M,H,W,C) and a class name for each, got images "
                         f"{images.shape} and {len(classes)} classes")
    if not np.isfinite(images).all():
        raise ValueError(f"{name} has images with NaN or infinity")
    hashes = np.array([hashlib.sha256(str(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
                       for image in images])
    return Part(name, images, classes, hashes, _thumbnails(images))


def _thumbnails(images):
    if images.ndim == 4:
        images = images.mean(axis=1 if images.shape[1] in (1, 3) and images.shape[3] not in (1, 3) else 3)
    rows, columns = (_averages(n) for n in images.shape[1:])
    small = (rows @ images.astype(np.float32) @ columns.T).reshape(len(images), -1)
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    return np.where(length > 1e-6 * np.abs(images).max(initial=1e-9), small / np.maximum(length, 1e-12), 0)


def _averages(n):
    """(16, n): the share of each pixel in each of 16 equal pieces of a row of n pixels."""
    edges = np.linspace(0, n, SIDE + 1)
    pixels = np.arange(n)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(overlap, 0) * SIDE / n).astype(np.float32)
