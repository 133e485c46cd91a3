"""Images changed before a network sees them: distorted, each anew, or turned, each class of a task as a whole.

A network that has seen a character bent and shifted ignores such things.
"""

import numpy as np
from PIL import Image


def distort(images, rng):
    """Each image (...,H,W,1) by an affine map of its own, as Koch et al. 2015.

    Each of these with probability one half: rotation by up to 10 degrees, shear by up to 0.3, scale 0.8 to 1.2, shift
    by up to 2 pixels, the last three in both directions.
    """
    flat = images.reshape(-1, *images.shape[-3:-1])

    def either(low, high, neutral):
        return np.where(rng.random((len(flat), 2)) < 0.5, rng.uniform(low, high, (len(flat), 2)), neutral)

    angle, shear, scale, shift = (either(-10, 10, 0), either(-0.3, 0.3, 0), either(0.8, 1.2, 1), either(-2, 2, 0))
    return np.stack([affine(*each) for each in zip(flat, np.deg2rad(angle[:, 0]), shear, scale, shift, strict=True)]
                    ).reshape(images.shape)


def distorted(episode, rng):
    """The Episode with each image distorted, support and queries."""
    return episode._replace(support_x=distort(episode.support_x, rng), query_x=distort(episode.query_x, rng))


def affine(image, angle, shear, scale, shift):
    """One image (H,W) float32 under scale, then shear, then rotation, about its centre, and a shift; bilinear."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(rotation @ np.array([[1, shear[0]], [shear[1], 1]]) @ np.diag(scale))
    centre = np.array(image.shape[::-1]) / 2
    offset = centre - back @ (centre + shift)
    coefficients = (*back[0], offset[0], *back[1], offset[1])
    return np.asarray(Image.fromarray(image).transform(image.shape[::-1], Image.Transform.AFFINE, coefficients,
                                                       Image.Resampling.BILINEAR))


def turn_classes(episode, rng):
    """The Episode with each class of each task turned by one random quarter turn, its support and its queries alike.

    Finn et al. 2017 draw tasks so (in their code): different characters, and then an angle for each. Where rotations
    are classes of their own instead, a task may hold a character twice.
    """
    turns = rng.integers(4, size=(len(episode.support_y), episode.support_y.max() + 1))
    return episode._replace(support_x=turned(episode.support_x, np.take_along_axis(turns, episode.support_y, 1)),
                            query_x=turned(episode.query_x, np.take_along_axis(turns, episode.query_y, 1)))


def turned(images, quarters):
    """Each image (...,H,W,C) turned anticlockwise by its number (...) of quarter turns."""
    images = images.copy()
    for n in (1, 2, 3):
        images[quarters == n] = np.rot90(images[quarters == n], n, axes=(1, 2))
    return images
