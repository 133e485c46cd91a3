"""Labelled images of named classes: what every source of data returns, and what every sampler draws from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageClasses:
    """Images of named classes; classes may hold different numbers of images.

    images: (M, H, W, C) uint8, ink 255 on paper 0.   labels: (M,) integers, positions in `names`.
    names:  one name per class.                       groups: one group per class (script, alphabet).

    Raises: ValueError, naming the class, if these do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def __post_init__(self):
        images, labels = np.asarray(self.images), np.asarray(self.labels)
        if images.ndim != 4 or images.dtype != np.uint8:
            raise ValueError(f"images must be (M, H, W, C) uint8, got {images.shape} {images.dtype}")
        if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be {len(images)} integers, got {labels.shape} {labels.dtype}")
        if len(self.groups) != len(self.names):
            raise ValueError(f"{len(self.names)} names but {len(self.groups)} groups")
        if labels.size and not 0 <= labels.min() <= labels.max() < len(self.names):
            raise ValueError(f"labels must lie in 0...{len(self.names) - 1}, "
                             f"got {labels.min()}...{labels.max()}")
        counts = np.bincount(labels, minlength=len(self.names))
        if not counts.all():
            raise ValueError(f"class {self.names[int(counts.argmin())]!r} has no images")
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "groups", tuple(self.groups))

    def __len__(self):
        """The number of classes."""
        return len(self.names)

    @cached_property
    def images_of(self):
        """The positions of each class's images, a list of integer arrays."""
        by_class = np.argsort(self.labels, kind="stable")
        return np.split(by_class, np.cumsum(np.bincount(self.labels, minlength=len(self)))[:-1])

    def subset(self, keep):
        """The classes at the positions `keep`, in that order, relabelled from 0.

        Raises: ValueError if a position occurs twice.
        """
        keep = np.asarray(keep, dtype=int)
        if len(np.unique(keep)) != len(keep):
            raise ValueError("a class occurs twice in the subset")
        new_label = np.full(len(self), -1)
        new_label[keep] = np.arange(len(keep))
        labels = new_label[self.labels]
        chosen = labels >= 0
        return ImageClasses(self.images[chosen], labels[chosen],
                            tuple(self.names[k] for k in keep), tuple(self.groups[k] for k in keep))


def to_float(images):
    """Stored images, uint8 with ink 255, as float32 with ink 1 and paper 0."""
    return images.astype(np.float32) * (1 / 255)
