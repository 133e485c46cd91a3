"""Two learners: one compares pixels, the other trains a network from scratch.

A learner gets labelled images, `support_x` (M,H,W,C) and `support_y` (M,), integers 0...n_way - 1, and new images of
the same n_way classes, `query_x`. It returns a class for each of these, and draws all random numbers from `rng`.
Images are (M,H,W,C): M images of H x W pixels with C channels.

`onp` is plain NumPy. What is differentiated, the network and its loss, is made of `nn`'s layers. A network there is two
functions: init(rng) draws its parameters, a dict, and apply(params, images) gives the logits, a number for each class.
"""

import numpy as onp

from fewshot_np.nn import primitives, trees
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay


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

    conv4 is four blocks of a convolution, batch norm, ReLU and pooling, followed by a dense layer, the "head". The
    defaults were chosen on the validation scripts of the glyphs, not on the scripts that the curve is measured on.
    """
    network = conv4(support_x.shape[1:], n_way, channels)
    params, state, rate = network.init(rng), None, cosine_decay(learning_rate, iterations)

    def loss(params, x, y):
        return primitives.cross_entropy(network.apply(params, x), y)

    for iteration in range(iterations):  # all of deep learning: draw examples, differentiate, take a small step
        drawn = rng.permutation(len(support_x))[:batch]
        gradient = trees.grad(loss)(params, support_x[drawn], support_y[drawn])  # autograd's `grad`, faster for dicts
        params, state = adam(params, gradient, state, rate(iteration))
    # batch norm needs the statistics of several images. Those of the support serve, the first n_support images here, so
    # that the answer to a query does not depend on the other queries.
    n_support = len(support_x)
    logits = network.apply(params, onp.concatenate([support_x, query_x]), n_reference=n_support)[n_support:]
    return logits.argmax(axis=-1)
