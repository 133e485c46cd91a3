"""What the page does with the networks of lessons 3 and 4, and the lessons themselves do not.

In the shapes M is the number of images, C of channels, D of features. `np` is plain NumPy: nothing is differentiated.
"""

import numpy as np

from fewshot_np.nn.layers import batch_norm, flatten
from fewshot_np.nn.primitives import conv2d, mean_and_inverse_std, relu, scale_and_shift


def block_statistics(params, images):
    """The mean and the inverse standard deviation of each block before batch norm, (2,C) for each.

    A network that uses them answers as if `images` had been given beside each image, as lesson 4's
    `embed_by_reference` does, without computing these images again.
    """
    statistics, x = {}, images
    for block in ("block1", "block2", "block3", "block4"):
        maps = conv2d(x, params[block]["w"], 2, "same")
        statistics[block] = np.stack(mean_and_inverse_std(maps))
        x = relu(batch_norm(params[block], maps))
    return statistics


def embed_with_statistics(params, statistics, images):
    """The embeddings of images, (M,28,28,1) -> (M,D), when batch norm uses the given statistics of each block."""
    x = images
    for block, (mean, inverse_std) in statistics.items():
        factor = params[block]["gamma"] * inverse_std
        x = relu(scale_and_shift(conv2d(x, params[block]["w"], 2, "same"), factor,
                                 params[block]["beta"] - mean * factor))
    return flatten(x)


def head_for(params, n_way):
    """params with a head for n_way classes made of the columns that were trained, used again from the first on.

    MAML was trained on 5 classes; on the page one teaches 2 to 8. Up to 5, the columns are those that it was trained
    with. Two classes that share a column start alike, and it takes a few steps more until they differ: with 8 classes
    and one example of each, 55 % of unseen glyphs are right after one step and 69 % after five; with 5 classes 80 and
    81 %.
    """
    columns = np.arange(n_way) % params["head"]["w"].shape[1]
    return {**params, "head": {"w": params["head"]["w"][:, columns], "b": params["head"]["b"][columns]}}
