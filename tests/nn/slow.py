"""What fewshot_np.nn computes, written a second time with plain loops: slow, and nothing to get wrong.

No function here knows of a task axis; `for_each_task` adds one by calling a function once per task.
Nothing is imported from the package: a mistake there cannot hide here.
"""

import numpy as np


def for_each_task(f, *arguments):
    """Call f once per task and stack what comes back (an array, or a tuple of arrays)."""
    results = [f(*slices) for slices in zip(*arguments, strict=True)]
    if isinstance(results[0], tuple):
        return tuple(np.stack(parts) for parts in zip(*results, strict=True))
    return np.stack(results)


def pad(x, kernel_height, kernel_width, padding):
    if padding == "valid":
        return x
    rows, columns = (kernel_height - 1) // 2, (kernel_width - 1) // 2
    images, height, width, channels = x.shape
    padded = np.zeros((images, height + 2 * rows, width + 2 * columns, channels), x.dtype)
    padded[:, rows : rows + height, columns : columns + width] = x
    return padded


def conv2d(x, w, stride=1, padding="valid"):
    kernel_height, kernel_width, _, outputs = w.shape
    padded = pad(x, kernel_height, kernel_width, padding)
    height = (padded.shape[1] - kernel_height) // stride + 1
    width = (padded.shape[2] - kernel_width) // stride + 1
    y = np.zeros((len(x), height, width, outputs), x.dtype)
    for image in range(len(x)):
        for row in range(height):
            for column in range(width):
                top, left = row * stride, column * stride
                patch = padded[image, top : top + kernel_height, left : left + kernel_width]
                for output in range(outputs):
                    y[image, row, column, output] = (patch * w[..., output]).sum()
    return y


def conv2d_gradients(x, w, cotangent, stride=1, padding="valid"):
    """The gradients of sum(cotangent * conv2d(x, w)) with respect to x and w."""
    kernel_height, kernel_width, _, outputs = w.shape
    padded = pad(x, kernel_height, kernel_width, padding)
    gradient_padded, gradient_w = np.zeros_like(padded), np.zeros_like(w)
    for image in range(len(x)):
        for row in range(cotangent.shape[1]):
            for column in range(cotangent.shape[2]):
                rows = slice(row * stride, row * stride + kernel_height)
                columns = slice(column * stride, column * stride + kernel_width)
                for output in range(outputs):
                    g = cotangent[image, row, column, output]
                    gradient_padded[image, rows, columns] += g * w[..., output]
                    gradient_w[..., output] += g * padded[image, rows, columns]
    top, left = (0, 0) if padding == "valid" else ((kernel_height - 1) // 2, (kernel_width - 1) // 2)
    return gradient_padded[:, top : top + x.shape[1], left : left + x.shape[2]], gradient_w


def windows(x, size):
    """Yield (index of the pooled pixel, the window's pixels as ((row, column), value) in reading order)."""
    images, height, width, channels = x.shape
    for image in range(images):
        for row in range(height // size):
            for column in range(width // size):
                for channel in range(channels):
                    places = [(row * size + i, column * size + j) for i in range(size) for j in range(size)]
                    pixels = [(place, x[image, place[0], place[1], channel]) for place in places]
                    yield (image, row, column, channel), pixels


def max_pool2d(x, size=2):
    images, height, width, channels = x.shape
    y = np.zeros((images, height // size, width // size, channels), x.dtype)
    for index, pixels in windows(x, size):
        y[index] = max(value for _, value in pixels)
    return y


def max_pool2d_gradient(x, cotangent, size=2):
    """The gradient of sum(cotangent * max_pool2d(x)): all of it to the first maximum of each window."""
    gradient = np.zeros_like(x)
    for index, pixels in windows(x, size):
        largest = max(value for _, value in pixels)
        row, column = next(place for place, value in pixels if value == largest)
        gradient[index[0], row, column, index[3]] += cotangent[index]
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


def standardize_gradient(x, cotangent, eps=1e-5, n_reference=None):
    """By the chain rule through the mean and the variance, as if every step were its own function."""
    gradient = np.zeros_like(x)
    for channel in range(x.shape[-1]):
        values, g = x[..., channel], cotangent[..., channel]
        reference = values[:n_reference]
        mean = reference.sum() / reference.size
        scale = 1 / np.sqrt(((reference - mean) ** 2).sum() / reference.size + eps)
        to_mean = -scale * g.sum()
        to_variance = -0.5 * scale**3 * (g * (values - mean)).sum()
        gradient[..., channel] = scale * g
        through_moments = (to_mean + 2 * to_variance * (reference - mean)) / reference.size
        gradient[:n_reference, ..., channel] += through_moments
    return gradient


def batch_norm(params, x, n_reference=None):
    return params["gamma"] * standardize(x, n_reference=n_reference) + params["beta"]


def dense(params, x):
    y = np.zeros((len(x), params["w"].shape[1]), x.dtype)
    for row in range(len(x)):
        for output in range(y.shape[1]):
            y[row, output] = (x[row] * params["w"][:, output]).sum() + params["b"][output]
    return y


def flatten(x):
    return np.stack([np.array([pixel for row in image for pixel in row]).reshape(-1) for image in x])


def average_pool(x):
    y = np.zeros((x.shape[0], x.shape[3]), x.dtype)
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            y += x[:, row, column]
    return y / (x.shape[1] * x.shape[2])


def log_softmax(x):
    y = np.zeros_like(x)
    for index in np.ndindex(x.shape[:-1]):
        largest = x[index].max()
        y[index] = x[index] - largest - np.log(sum(np.exp(value - largest) for value in x[index]))
    return y


def cross_entropy(logits, labels):
    rows = log_softmax(logits)
    return -sum(rows[row, label] for row, label in enumerate(labels)) / len(labels)


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
