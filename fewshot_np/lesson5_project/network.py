"""The document's network in Keras, with what does the same in this course, for 28x28x1 images:

  Keras                              NumPy                                output       parameters
  Conv2D(64, (3,3), "relu")          relu(conv(params["conv1"], x))       26x26x64            640
  MaxPooling2D((2,2))                max_pool2d(x)                        13x13x64
  Conv2D(128, (3,3), "relu")         relu(conv(params["conv2"], x))       11x11x128        73,856
  MaxPooling2D((2,2))                max_pool2d(x)                        5x5x128
  Flatten()                          flatten(x)                           3200
  Dense(128, "relu")                 relu(dense(params["dense"], x))      128             409,728
  Dense(1, "sigmoid")                sigmoid(dense(params["head"], x))    1                   129
                                                                              together    484,353

The document is the introduction to few-shot learning that this course follows; it ends with this network.
`np` is autograd's NumPy, because the network is differentiated; `onp` is the plain one.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.nn.layers import conv, dense, flatten
from fewshot_np.nn.networks import Network
from fewshot_np.nn.primitives import max_pool2d, relu
from fewshot_np.nn.trees import leaves


def embedding(params, x):
    """All layers up to Dense 128: (M,H,W,C) -> (M,128), or with T in front.

    The network has no batch norm, so an image's embedding depends on no other image.
    """
    x = max_pool2d(relu(conv(params["conv1"], x)))      # (M,13,13,64)
    x = max_pool2d(relu(conv(params["conv2"], x)))      # (M,5,5,128)
    return relu(dense(params["dense"], flatten(x)))     # (M,128)


def siamese_network(input_shape=(28, 28, 1)):
    """The whole network: images (M,H,W,C) or (T,M,H,W,C) -> (M,1) or (T,M,1), numbers between 0 and 1.

    484,353 parameters for 28x28x1.

    Raises: ValueError for images smaller than 10x10, of which the layers leave nothing.
    """
    _check_input_shape(input_shape)
    return Network(partial(_init, tuple(input_shape)), partial(_apply, tuple(input_shape)))


def _apply(input_shape, params, x, n_reference=None):  # n_reference is for batch norm, which other networks have
    _check_images(x, input_shape)
    return sigmoid(dense(params["head"], embedding(params, x)))


def _init(input_shape, rng):
    height, width, depth = input_shape
    for _ in range(2):
        height, width = (height - 2) // 2, (width - 2) // 2      # a valid 3x3 convolution, a 2x2 pooling
    shapes = {"conv1": (3, 3, depth, 64), "conv2": (3, 3, 64, 128),
              "dense": (height * width * 128, 128), "head": (128, 1)}

    def layer(name, shape):  # variance gain/inputs keeps the scale; through a ReLU the gain must be 2: He et al. 2015
        spread = ((1 if name == "head" else 2) / onp.prod(shape[:-1])) ** 0.5
        return {"w": (rng.standard_normal(shape) * spread).astype("float32"), "b": onp.zeros(shape[-1], "float32")}

    return {name: layer(name, shape) for name, shape in shapes.items()}


def sigmoid(z):
    """1 / (1 + exp(-z)), as exp(-log(1 + exp(-z))): no step of it, nor of its derivatives, overflows."""
    return np.exp(-np.logaddexp(0.0, -z))


def n_parameters(params):
    """How many numbers there are to learn."""
    return sum(leaf.size for leaf in leaves(params))


def embed_images(params, images, function=embedding, batch=64):
    """function(params, x) of stored images (M,H,W,C) uint8, a batch at a time: each image is embedded once."""
    return onp.concatenate([function(params, to_float(images[i:i + batch])) for i in range(0, len(images), batch)])


# ---------------------------------------------------------------- what one number can do, at best
#
# The document compares two images by d = |u - v|, where u and v are what the whole network makes of them: one number
# between 0 and 1 each. Hadsell's loss pushes different pairs to a margin of 1: (1 - d)^2. Put infinitely many
# characters on the line from 0 to 1 as well as possible. The best is a quarter of them at each end and the others
# spread evenly: then the mean of (1 - |u - v|)^2 over v is the same at every u, so no character would gain by moving.
# At u = 0 it is 1/4 (from those at 0 itself) + (1/2)(1/3) (from the spread ones) + 0 (from those at 1) = 5/12. (The
# kernel is positive definite, so this is the minimum.) No training, and no network in front of that number, can get
# below it, whereas an embedding of many dimensions can get as near to 0 as it likes.

BEST_PUSH = 5 / 12


# ---------------------------------------------------------------- what does not fit is refused


def _check_input_shape(input_shape):
    if len(input_shape) != 3 or min(input_shape[:2]) < 10 or input_shape[2] < 1:
        raise ValueError(f"input_shape must be (H, W, C) with H and W of 10 or more, got {input_shape}")


def _check_images(x, input_shape):
    if x.ndim not in (4, 5) or x.shape[-3:] != input_shape:
        raise ValueError(f"the network needs images {input_shape}, (M,H,W,C) or (T,M,H,W,C), got {x.shape}")
