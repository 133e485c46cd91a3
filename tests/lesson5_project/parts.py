"""What the tests of lesson 5 build on: parameters, a model that needs no training, classes, and shapes to draw."""

import numpy as np

from fewshot_np.data import ImageClasses
from fewshot_np.lesson5_project import Model, siamese_network

SHAPES = {"cross": [[(.5, 0), (.5, 1)], [(0, .4), (1, .4)]], "triangle": [[(0, 1), (1, 1), (.5, 0), (0, 1)]],
          "zigzag": [[(0, 0), (.33, 1), (.66, 0), (1, 1)]], "bar": [[(0, .5), (1, .5)]]}


def random_params(input_shape=(28, 28, 1), biases=0.1):
    """Parameters whose biases are not zero, so that each of them matters."""
    rng = np.random.default_rng(0)
    params = siamese_network(input_shape).init(rng)
    return {name: {"w": layer["w"], "b": (biases * rng.normal(size=layer["b"].shape)).astype("float32")}
            for name, layer in params.items()}


def by_hand_model(threshold):
    """A network for which p(same) falls with the distance of embeddings from nearly 1."""
    params = random_params(biases=0.0)
    params["head"] = {"w": np.full((128, 1), -0.2, "float32"), "b": np.array([4.0], "float32")}
    return Model(params, threshold)


def small_classes(n_classes=5, n_images=4):
    rng = np.random.default_rng(0)
    prints = rng.integers(0, 200, (n_classes, 1, 28, 28, 1))
    images = (prints + rng.integers(0, 55, (n_classes, n_images, 28, 28, 1))).reshape(-1, 28, 28, 1)
    return ImageClasses(images.astype("uint8"), np.arange(n_classes).repeat(n_images),
                        [f"c{i}" for i in range(n_classes)], ["x"] * n_classes)
