"""Pretraining: tell *all* the training characters apart, with one big softmax head; then exchange the head.

There is no episode here and nothing "meta". Done with care, this baseline is on a par with many meta-learning methods
(Chen et al. 2019, Dhillon et al. 2020), and in this lesson it wins.
"""

from functools import partial

import numpy as onp  # plain NumPy: the only thing that is differentiated is `classification_loss`

from fewshot_np.data.classes import to_float
from fewshot_np.lesson3_initialisation.fine_tuning import classification_loss
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.trees import grad


def classification_objective(network, params, batch):
    """Mean cross-entropy of ordinary classification: batch = (images, labels), the labels of *all* training classes."""
    return classification_loss(network, params, *batch)


def pretrain(network, params, sample, learning_rate, iterations):
    """Ordinary training in five lines: draw images, differentiate the cross-entropy, let Adam take a step.

    sample() -> (images, labels).   Returns params.
    The run does the same with `experiment.training.train`, which also shows progress and saves.
    """
    gradient, state = grad(partial(classification_objective, network)), None
    for _ in range(iterations):
        params, state = adam(params, gradient(params, sample()), state, learning_rate)
    return params


def with_new_head(params, n_way):
    """params with an empty head for n_way classes in place of their own: all zeros.

    Zeros are better than random numbers. With all logits 0 the softmax is 1/N, and the first step of gradient descent
    on K examples of each class makes the weights of class n  (learning rate / N) (c_n - c), where c_n is the mean
    feature of its examples and c that of all. So this step compares queries with prototypes, as lesson3_metric does,
    and later steps refine the comparison.
    """
    n_features, dtype = params["head"]["w"].shape[0], params["head"]["w"].dtype
    head = {"w": onp.zeros((n_features, n_way), dtype), "b": onp.zeros(n_way, dtype)}
    return {**params, "head": head}


def sample_images(classes, n_images, rng):
    """n_images different images of any of the classes, with their classes: (M,H,W,C) float32 and (M,) integers.

    Raises: ValueError where there are fewer images.
    """
    if n_images > len(classes.images):
        raise ValueError(f"a batch of {n_images} different images needs as many, there are {len(classes.images)}")
    ids = rng.choice(len(classes.images), n_images, replace=False)
    return to_float(classes.images[ids]), classes.labels[ids]
