"""The differentiable functions that networks are made of, each beside its hand-written derivative.

autograd differentiates a function that its tape has recorded. A *primitive* is a function that it does not
look into: we write the vector-Jacobian product (vjp) ourselves, that is, for an output y = f(x) and the
cotangent g = dL/dy, the product dL/dx = g . dy/dx. Each vjp below is made of primitives again, so it can be
differentiated in its turn: that is all that second-order MAML needs.

Shapes: T tasks, M images or examples, H x W pixels, C channels, O outputs, D features. **Ranks decide**
whether a task axis stands in front: images (M,H,W,C) or (T,M,H,W,C), features (M,D) or (T,M,D). Parameters
may have a task axis too, one set for each task; without it all tasks share them.
float32 in, float32 out, in every derivative: only Python numbers are multiplied in, never NumPy float64.
Large arrays are worked on in parts that stay in the processor's cache, by several threads if there are (`threads`).
"""

import numpy as onp  # the plain one: inside primitives, where nothing is traced
from autograd import numpy as np  # the traced one: in whatever must be differentiable
from autograd.extend import defvjp, notrace_primitive, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f

from fewshot_np.nn.threads import for_each, results

_CACHE_BYTES = 1 << 20  # what is worked on at once should stay in the processor's cache

stop_gradient = notrace_primitive(lambda x: x)
stop_gradient.__name__ = "stop_gradient"
stop_gradient.__doc__ = """x as a constant: no derivative flows through it."""


# ---------------------------------------------------------------- elementwise and last axis


@primitive
def relu(x):
    """max(x, 0), with derivative 0 at 0."""
    y = onp.empty(x.shape, x.dtype)
    for_each(lambda a, out: onp.maximum(a, onp.zeros(a.shape[1:], a.dtype), out=out),  # thrice as fast as with a 0
             _parts(x, y))
    return y


@primitive
def _where_positive(g, y):
    """g where y > 0, elsewhere 0."""
    kept = onp.empty(g.shape, g.dtype)
    for_each(lambda a, b, out: onp.multiply(a, (b > 0).astype(b.dtype), out=out),  # a mask of floats multiplies faster
             _parts(g, y, kept))
    return kept


def _parts(*arrays):
    """Views of arrays of the same tasks and images: small arrays whole, of large ones a few images at a time."""
    size = max(a.nbytes for a in arrays)
    if size <= _CACHE_BYTES:
        return [arrays]
    arrays = [a.reshape(-1, *a.shape[-3:]) if a.ndim == 5 else a for a in arrays]
    n = max(1, len(arrays[0]) * _CACHE_BYTES // size)
    return [[a[i:i + n] for a in arrays] for i in range(0, len(arrays[0]), n)]


defvjp(relu, lambda ans, x: lambda g: _where_positive(g, stop_gradient(ans)))
defvjp(_where_positive, lambda ans, g, y: lambda h: _where_positive(h, y), argnums=[0])


@primitive
def log_softmax(x):
    """x - log(sum(exp(x))) over the last axis; the maximum is subtracted first, so exp never overflows."""
    shifted = x - onp.max(x, axis=-1, keepdims=True)
    return shifted - onp.log(onp.sum(onp.exp(shifted), axis=-1, keepdims=True))


# d log_softmax_i / d x_j = [i = j] - softmax_j
defvjp(log_softmax, lambda ans, x: lambda g: g - np.exp(ans) * np.sum(g, axis=-1, keepdims=True))


@primitive
def safe_norm(x):
    """The Euclidean norm over the last axis, (..., D) -> (...), whose derivative at 0 is 0 and not NaN."""
    return onp.sqrt(onp.sum(x * x, axis=-1))


def _safe_norm_vjp(ans, x):  # g . x / |x|; where |x| = 0 the divisor becomes 1 and the factor 0
    return lambda g: np.expand_dims(g * (ans > 0) / (ans + (ans == 0)), -1) * x


defvjp(safe_norm, _safe_norm_vjp)


@primitive
def add_scaled(p, a, g):
    """p + a g with half the memory traffic of two operations: an inner step moves all weights of all tasks.

    g is shaped like p; a is a number, or an array that NumPy broadcasts to that shape.
    """
    out = a * g
    out += p
    return out


defvjp(add_scaled,
       lambda ans, p, a, g: lambda h: h,
       lambda ans, p, a, g: unbroadcast_f(a, lambda h: h * g),
       lambda ans, p, a, g: lambda h: a * h)


def cross_entropy(logits, labels):
    """Mean over the examples of -log softmax(logits)[label]: (M,N) -> (), (T,M,N) -> (T,).

    labels: integers in 0...N-1, (M,) or (T,M). ValueError for any other shape, type or value.
    """
    labels = onp.asarray(labels)
    if logits.ndim not in (2, 3):
        raise ValueError(f"logits must be (M,N) or (T,M,N), got {logits.shape}")
    n_examples, n_classes = logits.shape[-2:]
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"logits {logits.shape} need labels {logits.shape[:-1]}, got {labels.shape}")
    if not onp.issubdtype(labels.dtype, onp.integer):
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    if labels.size == 0 or labels.min() < 0 or labels.max() >= n_classes:
        found = f"{labels.min()}...{labels.max()}" if labels.size else "none"
        raise ValueError(f"labels must lie in 0...{n_classes - 1} for {n_classes} logits, got {found}")
    one_hot = onp.eye(n_classes, dtype=bool)[labels]
    return -np.sum(log_softmax(logits) * one_hot, axis=(-2, -1)) * (1 / n_examples)


# ---------------------------------------------------------------- matrix product: a trilinear form
#
# The number  sum_mdo x[m,d] w[d,o] g[m,o]  is linear in each of x, w and g. Its derivative with respect to one
# of them is a product of the other two, so three primitives are one another's derivatives, to every order.


def linear(x, w):
    """x @ w: (M,D) @ (D,O) -> (M,O); with tasks (T,M,D) @ (T,D,O) or, w shared, (T,M,D) @ (D,O) -> (T,M,O)."""
    _check_float("x", x)
    if x.ndim not in (2, 3) or w.ndim not in (2, 3) or x.shape[-1] != w.shape[-2]:
        raise ValueError(f"x must be (M,D) or (T,M,D) and w (D,O) or (T,D,O), got {x.shape} and {w.shape}")
    _check_task_axis(x, w, own_rank=2)
    return _linear(x, w)


@primitive
def _linear(x, w):
    return (_by_task(x, w) @ w).reshape(*x.shape[:-1], w.shape[-1])


@primitive
def _linear_x(g, w, x_shape):
    return (_by_task(g, w) @ onp.swapaxes(w, -1, -2)).reshape(x_shape)


@primitive
def _linear_w(x, g, w_shape):
    x, g = (a.reshape(w_shape[0] if len(w_shape) == 3 else 1, -1, a.shape[-1]) for a in (x, g))
    return (onp.swapaxes(x, -1, -2) @ g).reshape(w_shape)


def _by_task(x, w):
    """x with the examples grouped by the weights they meet: one group, or one for each task."""
    return x.reshape(-1, x.shape[-1]) if w.ndim == 2 else x


defvjp(_linear,
       lambda ans, x, w: lambda g: _linear_x(g, w, x.shape),
       lambda ans, x, w: lambda g: _linear_w(x, g, w.shape))
defvjp(_linear_x,
       lambda ans, g, w, x_shape: lambda h: _linear(h, w),
       lambda ans, g, w, x_shape: lambda h: _linear_w(h, g, w.shape), argnums=[0, 1])
defvjp(_linear_w,
       lambda ans, x, g, w_shape: lambda h: _linear_x(g, h, x.shape),
       lambda ans, x, g, w_shape: lambda h: _linear(x, h), argnums=[0, 1])


# ---------------------------------------------------------------- convolution: again a trilinear form
#
# sum over m,y,x,i,j,c,o of  images[m, s*y+i, s*x+j, c] w[i,j,c,o] g[m,y,x,o],  (y,x) an output pixel, (i,j) a place
# in the kernel, s the stride. Its three derivatives are the convolution, the one towards the images and the one
# towards the weights. Each lays the patches under the kernel out as rows of a matrix (im2col) and leaves the sum to
# a matrix product; it does so in chunks that stay in the processor's cache.

def conv2d(x, w, stride=1, padding="valid"):
    """Convolution (the field's name for cross-correlation): images x, kernels w -> maps (..., H', W', O).

    x: (M,H,W,C) or (T,M,H,W,C).   w: (kh,kw,C,O), or (T,kh,kw,C,O) for x with the same T.
    padding "valid": none; "same": (k-1)//2 zeros on both sides, at every stride. H' = (H + 2 pad - kh)//stride + 1.
    ValueError where shapes, task axes, stride or padding do not fit, or x is not of floats.
    """
    _check_float("x", x)
    if x.ndim not in (4, 5) or w.ndim not in (4, 5) or x.shape[-1] != w.shape[-2]:
        raise ValueError("x must be (M,H,W,C) or (T,M,H,W,C) and w (kh,kw,C,O) or (T,kh,kw,C,O) with the same C, "
                         f"got {x.shape} and {w.shape}")
    _check_task_axis(x, w, own_rank=4)
    _check_positive_integer("stride", stride)
    if padding not in ("valid", "same"):
        raise ValueError(f'padding must be "valid" or "same", got {padding!r}')
    kernel = w.shape[-4:-2]
    pad = tuple((k - 1) // 2 if padding == "same" else 0 for k in kernel)
    if any(n + 2 * p < k for n, p, k in zip(x.shape[-3:-1], pad, kernel, strict=True)):
        raise ValueError(f"images of {x.shape[-3]}x{x.shape[-2]} pixels are smaller than the "
                         f"{kernel[0]}x{kernel[1]} kernel with padding {padding!r}")
    return _conv(x, w, stride, pad)


@primitive
def _conv(x, w, stride, pad):
    out_size = _output_size(x.shape, w.shape, stride, pad)
    y = onp.empty((*x.shape[:-3], *out_size, w.shape[-1]), onp.result_type(x, w))

    def convolve(images, kernels, maps):
        onp.matmul(_patches(images, kernels, out_size, stride, pad), _matrix(kernels), out=_matrix(maps))

    for_each(convolve, _chunks(x, w, y))
    return y


@primitive
def _conv_x(g, w, x_shape, stride, pad):
    if stride == 1:  # a convolution of g with the kernels turned by 180 degrees; patches need not be added
        turned = onp.ascontiguousarray(w[..., ::-1, ::-1, :, :].swapaxes(-1, -2))
        return _conv(g, turned, 1, tuple(k - 1 - p for k, p in zip(w.shape[-4:-2], pad, strict=True)))
    x = onp.empty(x_shape, onp.result_type(g, w))
    for_each(lambda images, kernels, maps: _add_patches(maps, kernels, images, stride, pad), _chunks(x, w, g))
    return x


@primitive
def _conv_w(x, g, w_shape, stride, pad):
    w = onp.zeros(w_shape, onp.result_type(x, g))

    def products(images, kernels, maps):
        patches = _patches(images, kernels, g.shape[-3:-1], stride, pad)
        return kernels, (patches.swapaxes(1, 2) @ _matrix(maps)).reshape(kernels.shape)

    for kernels, product in results(products, _chunks(x, w, g)):
        kernels += product
    return w


defvjp(_conv,
       lambda ans, x, w, stride, pad: lambda g: _conv_x(g, w, x.shape, stride, pad),
       lambda ans, x, w, stride, pad: lambda g: _conv_w(x, g, w.shape, stride, pad), argnums=[0, 1])
defvjp(_conv_x,
       lambda ans, g, w, x_shape, stride, pad: lambda h: _conv(h, w, stride, pad),
       lambda ans, g, w, x_shape, stride, pad: lambda h: _conv_w(h, g, w.shape, stride, pad), argnums=[0, 1])
defvjp(_conv_w,
       lambda ans, x, g, w_shape, stride, pad: lambda h: _conv_x(g, h, x.shape, stride, pad),
       lambda ans, x, g, w_shape, stride, pad: lambda h: _conv(x, h, stride, pad), argnums=[0, 1])


def _output_size(x_shape, w_shape, stride, pad):
    return tuple((n + 2 * p - k) // stride + 1
                 for n, p, k in zip(x_shape[-3:-1], pad, w_shape[-4:-2], strict=True))


def _chunks(x, w, y):
    """Views (images, their kernels, their maps), (t,m,...), (t,...), (t,m,...), whose patches fit the cache together:
    several tasks, or one task, or a part of one task's images."""
    tasks = w.shape[0] if w.ndim == 5 else 1
    x, y = (a.reshape(tasks, -1, *a.shape[-3:]) for a in (x, y))
    w = w.reshape(tasks, *w.shape[-4:])
    patch_bytes = x.itemsize * onp.prod(w.shape[1:4]) * onp.prod(y.shape[2:4])
    n_images = max(1, int(_CACHE_BYTES // patch_bytes))
    n_tasks = max(1, n_images // max(1, x.shape[1]))
    for task in range(0, tasks, n_tasks):
        for image in range(0, x.shape[1], n_images):
            part = slice(task, task + n_tasks), slice(image, image + n_images)
            yield x[part], w[part[0]], y[part]


def _matrix(a):
    """Kernels (t,kh,kw,C,O) as (t, kh*kw*C, O), maps (t,m,H',W',O) as (t, m*H'*W', O)."""
    return a.reshape(a.shape[0], -1, a.shape[-1])


def _patches(images, kernels, out_size, stride, pad):
    """im2col: the patch under each output pixel as a row, (t,m,H,W,C) -> (t, m*H'*W', kh*kw*C)."""
    (t, m, _, _, c), (kh, kw), (oh, ow) = images.shape, kernels.shape[1:3], out_size
    if any(pad):
        images = _zero_padded(images, pad)
    st, sm, sy, sx, sc = images.strides
    windows = onp.lib.stride_tricks.as_strided(
        images, (t, m, oh, ow, kh, kw, c), (st, sm, sy * stride, sx * stride, sy, sx, sc), writeable=False)
    return windows.reshape(t, m * oh * ow, kh * kw * c)  # copies


def _add_patches(maps, kernels, images, stride, pad):
    """The adjoint of patches @ kernel: each map pixel's patch is added to the place it came from; fills `images`."""
    (t, m, h, w, c), (kh, kw), (oh, ow) = images.shape, kernels.shape[1:3], maps.shape[2:4]
    total = onp.zeros((t, m, h + 2 * pad[0] + stride, w + 2 * pad[1] + stride, c), images.dtype)
    for j in range(0, kw, stride):  # `stride` columns of a patch at once: they meet no other patch's
        columns = total[:, :, :, j:j + stride * ow].reshape(t, m, -1, ow, stride * c)
        width = min(stride, kw - j) * c
        for i in range(kh):
            part = _matrix(maps) @ kernels[:, i, j:j + stride].reshape(t, width, -1).swapaxes(1, 2)
            columns[:, :, i:i + stride * oh:stride, :, :width] += part.reshape(t, m, oh, ow, width)
    images[...] = total[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w]


def _zero_padded(images, pad):
    t, m, h, w, c = images.shape
    out = onp.zeros((t, m, h + 2 * pad[0], w + 2 * pad[1], c), images.dtype)
    out[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w] = images
    return out


# ---------------------------------------------------------------- max pooling: choose, and undo the choice
#
# NumPy multiplies by a mask five times as fast as it copies where the mask says so.


def max_pool2d(x, size=2):
    """The maximum of each size x size window: (..., H, W, C) -> (..., H//size, W//size, C).

    An incomplete last row or column is dropped. The derivative goes to the first maximum of a window.
    ValueError where the images are smaller than one window.
    """
    _check_float("x", x)
    _check_positive_integer("size", size)
    if x.ndim not in (4, 5) or min(x.shape[-3:-1]) < size:
        raise ValueError(f"images must be (M,H,W,C) or (T,M,H,W,C) of at least {size}x{size} pixels, got {x.shape}")
    return _maximum(x, size)


def _windows(x, size):
    """For each place in a window a view of x: the pixels that stand there, (..., H//size, W//size, C)."""
    h, w = (n - n % size for n in x.shape[-3:-1])
    return [x[..., i:h:size, j:w:size, :] for i in range(size) for j in range(size)]


@primitive
def _maximum(x, size):
    """The maximum of each window."""
    pooled = onp.empty((*x.shape[:-3], x.shape[-3] // size, x.shape[-2] // size, x.shape[-1]), x.dtype)

    def pool(images, maxima):
        first, *others = _windows(images, size)
        maxima[...] = first
        for pixels in others:
            onp.maximum(maxima, pixels, out=maxima)

    for_each(pool, _parts(x, pooled))
    return pooled


@notrace_primitive
def _first_maximum(x, pooled, size):
    """Which place of its window holds the (first) maximum: integers, shaped like the pooled images."""
    choice = onp.zeros(pooled.shape, onp.min_scalar_type(size * size))

    def count_those_before(images, maxima, places):
        before = onp.ones(places.shape, bool)
        for pixels in _windows(images, size)[:-1]:
            before &= pixels != maxima
            places += before

    for_each(count_those_before, _parts(x, pooled, choice))
    return choice


@primitive
def _choose(x, choice, size):
    """The chosen pixel of each window: linear in x, once the choice is made."""
    chosen = onp.zeros(choice.shape, x.dtype)

    def choose(images, places, out):
        for place, pixels in enumerate(_windows(images, size)):
            out += pixels * (places == place)

    for_each(choose, _parts(x, choice, chosen))
    return chosen


@primitive
def _unchoose(g, choice, size, x_shape):
    """The adjoint of `_choose`: g put back to where its value came from, 0 elsewhere."""
    x = onp.zeros(x_shape, g.dtype)

    def put_back(maps, places, images):
        for place, pixels in enumerate(_windows(images, size)):
            onp.multiply(maps, places == place, out=pixels)

    for_each(put_back, _parts(g, choice, x))
    return x


def _maximum_vjp(ans, x, size):
    choice = _first_maximum(x, ans, size)
    return lambda g: _unchoose(g, choice, size, x.shape)


defvjp(_maximum, _maximum_vjp, argnums=[0])
defvjp(_choose, lambda ans, x, choice, size: lambda g: _unchoose(g, choice, size, x.shape), argnums=[0])
defvjp(_unchoose, lambda ans, g, choice, size, x_shape: lambda h: _choose(h, choice, size), argnums=[0])


# ---------------------------------------------------------------- per channel: sums, products, standardisation
#
# v holds one number per channel, (C,), or per task and channel, (T,C). A *line* is one line of pixels with all its
# channels, or the features of one example: NumPy's loops run faster over W C numbers than over C.


@primitive
def scale(x, v):
    """x times one number per channel, (C,) or (T,C)."""
    return _line_by_line(x, v, None)


@primitive
def shift(x, v):
    """x plus one number per channel, (C,) or (T,C)."""
    return _line_by_line(x, None, v)


@primitive
def scale_and_shift(x, v, b):
    """shift(scale(x, v), b) in one pass."""
    return _line_by_line(x, v, b)


@primitive
def _column_dots(a, b, v_shape):
    """sum over examples and pixels of a b, shaped like v."""
    parts = _line_parts(_lines(a, v_shape), _lines(b, v_shape))
    return _sum_to(v_shape, results(lambda a, b: onp.einsum("tlc,tlc->tc", a, b), parts))


@primitive
def _column_sums(x, v_shape):
    """sum over examples and pixels of x, shaped like v; as a product with ones, which is faster than `sum`."""
    parts = _line_parts(_lines(x, v_shape))
    return _sum_to(v_shape, results(lambda lines: onp.ones((1, lines.shape[1]), lines.dtype) @ lines, parts))


@primitive
def _fill(v, x_shape):
    """v at every example and pixel."""
    return onp.broadcast_to(v.reshape(*v.shape[:-1], *(1,) * (len(x_shape) - v.ndim), v.shape[-1]), x_shape)


def _lines(x, v_shape):
    """x as (T, lines, W C), where v has a task axis; else as (1, lines, W C)."""
    width = x.shape[-2] if x.ndim > 3 else 1
    return x.reshape(v_shape[0] if len(v_shape) == 2 else 1, -1, width * x.shape[-1])


def _line_parts(*arrays):
    """Views of arrays (T, lines, W C): of one task a few lines at a time, which fit the cache; several tasks whole."""
    tasks, n_lines = arrays[0].shape[:2]
    n = n_lines if tasks > 1 else max(1, n_lines * _CACHE_BYTES // max(1, arrays[0].nbytes))
    return [[a[:, i:i + n] for a in arrays] for i in range(0, max(1, n_lines), n)]


def _sum_to(v_shape, sums):
    """Add the sums over parts, each (T, W C) or (T, 1, W C), and over the pixels of a line."""
    total = sum(sums)
    return total.reshape(len(total), -1, v_shape[-1]).sum(axis=1).reshape(v_shape)


def _line_by_line(x, v, b):
    """x v + b, of which v or b may be None."""
    lines = _lines(x, (b if v is None else v).shape)
    out = onp.empty(lines.shape, onp.result_type(x, *(a for a in (v, b) if a is not None)))
    v, b = (None if a is None else _along_lines(a, x) for a in (v, b))

    def compute(x, out):
        if v is not None:
            x = onp.multiply(x, v, out=out)
        if b is not None:
            onp.add(x, b, out=out)

    for_each(compute, _line_parts(lines, out))
    return out.reshape(x.shape)


def _along_lines(v, x):
    """v at every pixel of a line, (T or 1, 1, W C)."""
    v = v.reshape(-1, 1, v.shape[-1])
    return onp.concatenate([v] * x.shape[-2], axis=-1) if x.ndim > 3 else v


# sum_rc a[r,c] b[r,c] v[c], r an example's pixel, is a third trilinear form, sum_rc a[r,c] v[c] a bilinear one
defvjp(scale, lambda ans, x, v: lambda g: scale(g, v), lambda ans, x, v: lambda g: _column_dots(g, x, v.shape))
defvjp(_column_dots,
       lambda ans, a, b, v_shape: lambda h: scale(b, h),
       lambda ans, a, b, v_shape: lambda h: scale(a, h), argnums=[0, 1])
defvjp(scale_and_shift,
       lambda ans, x, v, b: lambda g: scale(g, v),
       lambda ans, x, v, b: lambda g: _column_dots(g, x, v.shape),
       lambda ans, x, v, b: lambda g: _column_sums(g, b.shape))
defvjp(shift, lambda ans, x, v: lambda g: g, lambda ans, x, v: lambda g: _column_sums(g, v.shape))
defvjp(_column_sums, lambda ans, x, v_shape: lambda h: _fill(h, x.shape), argnums=[0])
defvjp(_fill, lambda ans, v, x_shape: lambda g: _column_sums(g, v.shape), argnums=[0])


def standardize(x, eps=1e-5, n_reference=None):
    """Each channel minus its mean, divided by sqrt(its variance + eps): the core of batch norm.

    The moments run over all axes but the task axis and the last, so tasks stay apart. n_reference: they are taken
    from the first n_reference images alone (a query is then judged by the statistics of the support, whatever its
    neighbours); None takes all. Ioffe & Szegedy 2015, Algorithm 1. ValueError where n_reference is not in 1...M.
    """
    mean, inverse_std = mean_and_inverse_std(x, eps, n_reference)
    return scale_and_shift(x, inverse_std, -mean * inverse_std)


def mean_and_inverse_std(x, eps=1e-5, n_reference=None):
    """What `standardize` needs to know of each channel: its mean, and 1 / sqrt(variance + eps), (C,) or (T,C)."""
    _check_float("x", x)
    if x.ndim not in (2, 3, 4, 5):
        raise ValueError(f"x must be (M,D), (T,M,D), (M,H,W,C) or (T,M,H,W,C), got {x.shape}")
    n_images = x.shape[x.ndim % 2]
    if n_reference is None:
        n_reference = n_images
    _check_positive_integer("n_reference", n_reference)
    if n_reference > n_images:
        raise ValueError(f"n_reference must be at most the {n_images} images, got {n_reference}")
    moments = _moments(x, n_reference)
    return moments[0], _inverse_root(moments[1], eps)


@primitive
def _moments(x, n_reference):
    """sum_ref(x)/r and sum_ref((x - mean)^2)/r, the mean and the variance of each channel, together: (2,C) or (2,T,C).

    r is the number of reference pixels, sum_ref the sum over them alone.
    """
    reference, r = _reference(x, n_reference)
    shape = x.shape[:x.ndim % 2] + x.shape[-1:]
    lines = _lines(reference, shape)
    mean = _column_sums(reference, shape) * (1 / r)
    means = _along_lines(mean, x)

    def squares(lines):
        centred = lines - means
        return onp.einsum("tlc,tlc->tc", centred, centred)

    return onp.stack([mean, _sum_to(shape, results(squares, _line_parts(lines))) * (1 / r)])


def _moments_vjp(ans, x, n_reference):  # d mean / dx = 1/r, d variance / dx = 2 (x - mean) / r; x a reference pixel
    reference, r = _reference(x, n_reference)

    def vjp(g):
        slope = g[1] * (2 / r)
        gradient = scale_and_shift(reference, slope, g[0] * (1 / r) - ans[0] * slope)
        if reference.shape == x.shape:
            return gradient
        axis = x.ndim % 2
        others = (*x.shape[:axis], x.shape[axis] - n_reference, *x.shape[axis + 1:])
        return np.concatenate([gradient, onp.zeros(others, x.dtype)], axis=axis)
    return vjp


@primitive
def _inverse_root(x, eps):
    """(x + eps)^(-1/2), eps a number."""
    return 1 / onp.sqrt(x + eps)


@primitive
def _times_cube(g, s, c):
    """c g s^3, c a number."""
    return g * s * s * s * c


defvjp(_moments, _moments_vjp, argnums=[0])
defvjp(_inverse_root, lambda ans, x, eps: lambda g: _times_cube(g, ans, -0.5), argnums=[0])
defvjp(_times_cube,
       lambda ans, g, s, c: lambda h: _times_cube(h, s, c),
       lambda ans, g, s, c: lambda h: h * g * s * s * (3 * c), argnums=[0, 1])


def _reference(x, n_reference):
    """The first n_reference images of every task, and the number of their pixels per channel."""
    if n_reference < x.shape[x.ndim % 2]:
        x = x[:, :n_reference] if x.ndim % 2 else x[:n_reference]
    return x, int(onp.prod(x.shape[x.ndim % 2:-1]))


# ---------------------------------------------------------------- what the input must be


def _check_float(name, x):
    if x.dtype.kind != "f":
        raise ValueError(f"{name} must be of floats, got {x.dtype}: convert it, images to float32 in [0, 1]")


def _check_positive_integer(name, n):
    if isinstance(n, bool) or not isinstance(n, (int, onp.integer)) or n < 1:
        raise ValueError(f"{name} must be a positive integer, got {n!r}")


def _check_task_axis(x, w, own_rank):
    """Weights with a task axis need inputs with the same one; inputs with one may share their weights."""
    if w.ndim == own_rank + 1 and (x.ndim % 2 == 0 or x.shape[0] != w.shape[0]):
        raise ValueError(f"weights {w.shape} have a task axis of {w.shape[0]}; the inputs {x.shape} need the same")
