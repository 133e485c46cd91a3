"""What fewshot_np.nn computes, written a second time with plain loops: slow, but hard to get wrong.

No function here knows of a task axis; `for_each_task` adds one by calling a function once per task.
Nothing is imported from the package: a mistake there cannot hide here.
"""

import numpy as np


def for_each_task(f, *arguments):
    """Call f once per task and stack the arrays that come back."""
    return np.stack([f(*slices) for slices in zip(*arguments, strict=True)])


def conv2d(x, w, stride=1, padding="valid"):
    kernel = w.shape[:2]
    rows, columns = (0 if padding == "valid" else (k - 1) // 2 for k in kernel)
    padded = np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    height, width = ((n - k) // stride + 1 for n, k in zip(padded.shape[1:3], kernel, strict=True))
    y = np.zeros((len(x), height, width, w.shape[-1]), x.dtype)
    for image, row, column, output in np.ndindex(y.shape):
        top, left = row * stride, column * stride
        patch = padded[image, top:top + kernel[0], left:left + kernel[1]]
        y[image, row, column, output] = (patch * w[..., output]).sum()
    return y


def windows(x, size):
    """Yield (index of the pooled pixel, {index of a pixel of its window: its value}, in reading order)."""
    images, height, width, channels = x.shape
    for image, row, column, channel in np.ndindex(images, height // size, width // size, channels):
        places = [(image, row * size + i, column * size + j, channel) for i in range(size) for j in range(size)]
        yield (image, row, column, channel), {place: x[place] for place in places}


def max_pool2d(x, size=2):
    y = np.zeros((len(x), x.shape[1] // size, x.shape[2] // size, x.shape[3]), x.dtype)
    for index, pixels in windows(x, size):
        y[index] = max(pixels.values())
    return y


def max_pool2d_gradient(x, cotangent, size=2):
    """The gradient of sum(cotangent * max_pool2d(x)): all of it to the first maximum of each window."""
    gradient = np.zeros_like(x)
    for index, pixels in windows(x, size):
        gradient[max(pixels, key=pixels.get)] += cotangent[index]  # max returns the first of equal ones
    return gradient


def relu(x):
    return np.where(x > 0, x, 0.0).astype(x.dtype)


def standardize(x, eps=1e-5, n_reference=None):
    """Images (M, H, W, C) or features (M, D)."""
    y = np.zeros_like(x)
    for channel in range(x.shape[-1]):
        reference = x[:n_reference, ..., channel]
        mean = reference.sum() / reference.size
        variance = ((reference - mean) ** 2).sum() / reference.size
        y[..., channel] = (x[..., channel] - mean) / np.sqrt(variance + eps)
    return y


def batch_norm(params, x, n_reference=None):
    return params["gamma"] * standardize(x, n_reference=n_reference) + params["beta"]


def dense(params, x):
    y = np.zeros((len(x), params["w"].shape[1]), x.dtype)
    for row, output in np.ndindex(y.shape):
        y[row, output] = (x[row] * params["w"][:, output]).sum() + params["b"][output]
    return y


def flatten(x):
    return np.stack([np.array([pixel for row in image for pixel in row]).reshape(-1) for image in x])


def average_pool(x):
    return sum(x[:, row, column] for row, column in np.ndindex(x.shape[1:3])) / (x.shape[1] * x.shape[2])


def conv4(params, x, down="pool", features="flatten", n_reference=None):
    for block in ("block1", "block2", "block3", "block4"):
        x = conv2d(x, params[block]["w"], 2 if down == "stride" else 1, "same")
        x = relu(batch_norm(params[block], x, n_reference))
        x = max_pool2d(x) if down == "pool" else x
    x = flatten(x) if features == "flatten" else average_pool(x)
    return dense(params["head"], x) if "head" in params else x


def mlp(params, x):
    for number in range(1, len(params)):
        x = relu(dense(params[f"dense{number}"], x))
    return dense(params["head"], x)
