"""The differentiable functions that networks are made of, each beside its hand-written derivative.

autograd differentiates a function by recording the operations it is made of. A *primitive* is a function that
autograd does not look into: we write its vector-Jacobian product (vjp) ourselves. For an output y = f(x) and the
cotangent g = dL/dy, that is the product dL/dx = g . dy/dx. `defvjp(f, ...)` takes one rule for each argument,
`lambda ans, *arguments: lambda g: ...` with ans = f(*arguments); argnums says which arguments the rules are for, where
others are constants. Every rule below is made of primitives again, so it can be differentiated in turn, and that is all
that second-order MAML needs.

Shapes: T tasks, M images or examples, H x W pixels, C channels, O outputs, D features. **Ranks decide**
whether there is a task axis in front: images (M,H,W,C) or (T,M,H,W,C), features (M,D) or (T,M,D). Parameters
may have a task axis too, one set for each task; without it all tasks share them.
float32 in, float32 out, in every derivative, because only Python numbers are multiplied in, never NumPy's float64.
Where a formula needs patches or cache-sized parts, `kernels` computes it; arguments are checked at the end.
"""

import numpy as onp  # the plain one: inside primitives, where nothing is traced
from autograd import numpy as np  # the traced one: in whatever must be differentiable
from autograd.extend import defvjp, notrace_primitive, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f

from fewshot_np.nn import kernels

# ---------------------------------------------------------------- elementwise and last axis


@notrace_primitive
def stop_gradient(x):
    """x as a constant: no derivative flows through it."""
    return x


@primitive
def relu(x):
    """max(x, 0), with derivative 0 at 0."""
    return kernels.positive_part(x)


@primitive
def _where_positive(g, y):
    return kernels.where_positive(g, y)


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
def softmax(x):
    """exp(x) / sum(exp(x)) over the last axis: positive numbers that add up to 1. An x of -inf gets exactly 0."""
    out = onp.exp(x - onp.max(x, axis=-1, keepdims=True))
    out /= onp.sum(out, axis=-1, keepdims=True)
    return out


# d softmax_i / d x_j = softmax_i ([i = j] - softmax_j)
defvjp(softmax, lambda ans, x: lambda g: ans * (g - np.sum(ans * g, axis=-1, keepdims=True)))


@primitive
def rms_norm(x, eps=1e-5):
    """x / sqrt(mean(x^2) + eps) over the last axis: every vector gets the length sqrt(D). Zhang & Sennrich 2019."""
    return x * _inverse_rms(x, eps)


def _inverse_rms(x, eps):
    return (np.sum(x * x, axis=-1, keepdims=True) * (1 / x.shape[-1]) + eps) ** -0.5


def _rms_norm_vjp(ans, x, eps=1e-5):  # with s = 1 / rms:  d y_i / d x_j = s ([i = j] - y_i y_j / D)
    return lambda g: _inverse_rms(x, eps) * (g - ans * (np.sum(ans * g, axis=-1, keepdims=True) * (1 / x.shape[-1])))


defvjp(rms_norm, _rms_norm_vjp, argnums=[0])


@primitive
def safe_norm(x):
    """The Euclidean norm over the last axis, (..., D) -> (...), whose derivative at 0 is 0 and not NaN."""
    return onp.sqrt(onp.sum(x * x, axis=-1))


def _safe_norm_vjp(ans, x):  # g . x / |x|; where |x| = 0 the divisor becomes 1 and the factor 0
    return lambda g: np.expand_dims(g * (ans > 0) / (ans + (ans == 0)), -1) * x


defvjp(safe_norm, _safe_norm_vjp)


@primitive
def add_scaled(p, a, g):
    """p + a g, with half the memory traffic of two operations, because an inner step moves all weights of all tasks.

    g is shaped like p; a is a number, or an array that NumPy broadcasts to that shape.
    """
    out = a * g
    out += p
    return out


defvjp(add_scaled,
       lambda ans, p, a, g: lambda h: h,
       lambda ans, p, a, g: unbroadcast_f(a, lambda h: h * g),  # summed to the shape of a, which was broadcast
       lambda ans, p, a, g: lambda h: a * h)


def cross_entropy(logits, labels):
    """Mean over the examples of -log softmax(logits)[label]: (M,N) -> (), (T,M,N) -> (T,).

    labels: integers in 0...N-1, (M,) or (T,M).
    Raises: ValueError for labels of any other shape, type or value.
    """
    labels = onp.asarray(labels)
    _check_cross_entropy(logits, labels)
    n_examples, n_classes = logits.shape[-2:]
    one_hot = onp.eye(n_classes, dtype=bool)[labels]
    return -np.sum(log_softmax(logits) * one_hot, axis=(-2, -1)) * (1 / n_examples)


# ---------------------------------------------------------------- matrix product: a trilinear form
#
# The number  sum_mdo x[m,d] w[d,o] g[m,o]  is linear in each of x, w and g. Its derivative with respect to one of
# them is a product of the other two, so three primitives are each other's derivatives, to every order.


def linear(x, w, b=None):
    """x @ w: (M,D) @ (D,O) -> (M,O); with tasks (T,M,D) @ (T,D,O) or, w shared, (T,M,D) @ (D,O) -> (T,M,O).

    b: (O,) or (T,O), added to each row. One operation does both, because a small network spends much of its time on
    what Python does for each operation.
    Raises: ValueError where shapes or task axes do not fit, or x is not of floats.
    """
    _check_linear(x, w)
    if b is None:
        return _linear(x, w)
    check_channels(b, (*x.shape[:-1], w.shape[-1]), "b")
    return _linear_and_shift(x, w, b)


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


@primitive
def _linear_and_shift(x, w, b):
    return _linear(x, w) + (b if b.ndim == 1 else b[:, None])


defvjp(_linear_and_shift,
       lambda ans, x, w, b: lambda g: _linear_x(g, w, x.shape),
       lambda ans, x, w, b: lambda g: _linear_w(x, g, w.shape),
       lambda ans, x, w, b: lambda g: _channel_sums(g, b.shape))
defvjp(_linear,
       lambda ans, x, w: lambda g: _linear_x(g, w, x.shape),
       lambda ans, x, w: lambda g: _linear_w(x, g, w.shape))
defvjp(_linear_x,
       lambda ans, g, w, x_shape: lambda h: _linear(h, w),
       lambda ans, g, w, x_shape: lambda h: _linear_w(h, g, w.shape), argnums=[0, 1])
defvjp(_linear_w,
       lambda ans, x, g, w_shape: lambda h: _linear_x(g, h, x.shape),
       lambda ans, x, g, w_shape: lambda h: _linear(x, h), argnums=[0, 1])


def _by_task(x, w):
    """x with its examples grouped by the weights they are multiplied with: one group, or one for each task."""
    return x.reshape(-1, x.shape[-1]) if w.ndim == 2 else x


# ---------------------------------------------------------------- attention: a soft look-up


def attention(q, k, v):
    """softmax(q k' / sqrt(D)) v, a mean of the values v for each query: (..,A,D), (..,B,D), (..,B,E) -> (..,A,E).

    Row a of the softmax says how much query a looks at each of the B keys. Vaswani et al. 2017, eq. 1. It is made of
    a softmax and two products, so their rules are its derivative, to every order. Axes in front (tasks, heads) are
    kept apart; k and v may have none, and are then shared.

    Raises: ValueError where the shapes do not fit, or there is no key.
    """
    _check_attention(q, k, v)
    scores = np.matmul(q * q.shape[-1] ** -0.5, np.swapaxes(k, -1, -2))  # (..,A,B)
    return np.matmul(softmax(scores), v)


# ---------------------------------------------------------------- convolution: again a trilinear form
#
# sum over m,y,x,i,j,c,o of  images[m, s*y+i, s*x+j, c] w[i,j,c,o] g[m,y,x,o],  (y,x) an output pixel, (i,j) a place
# in the kernel, s the stride. Its three derivatives are the convolution, the gradient with respect to the images
# and the one with respect to the weights.


def conv2d(x, w, stride=1, padding="valid"):
    """Convolution (the field's name for cross-correlation): images x, kernels w -> maps (..., H', W', O).

    x: (M,H,W,C) or (T,M,H,W,C).   w: (kh,kw,C,O), or (T,kh,kw,C,O) for x with the same T.
    padding "valid": none; "same": (k-1)//2 zeros on both sides, at every stride. H' = (H + 2 pad - kh)//stride + 1.
    Raises: ValueError where shapes, task axes, stride or padding do not fit, or x is not of floats.
    """
    _check_conv2d(x, w, stride, padding)
    return _conv(x, w, stride, _pad(w, padding))


@primitive
def _conv(x, w, stride, pad):
    return kernels.convolve(x, w, stride, pad)


@primitive
def _conv_x(g, w, x_shape, stride, pad):
    return kernels.input_gradient(g, w, x_shape, stride, pad)


@primitive
def _conv_w(x, g, w_shape, stride, pad):
    return kernels.weight_gradient(x, g, w_shape, stride, pad)


defvjp(_conv,
       lambda ans, x, w, stride, pad: lambda g: _conv_x(g, w, x.shape, stride, pad),
       lambda ans, x, w, stride, pad: lambda g: _conv_w(x, g, w.shape, stride, pad), argnums=[0, 1])
defvjp(_conv_x,
       lambda ans, g, w, x_shape, stride, pad: lambda h: _conv(h, w, stride, pad),
       lambda ans, g, w, x_shape, stride, pad: lambda h: _conv_w(h, g, w.shape, stride, pad), argnums=[0, 1])
defvjp(_conv_w,
       lambda ans, x, g, w_shape, stride, pad: lambda h: _conv_x(g, h, x.shape, stride, pad),
       lambda ans, x, g, w_shape, stride, pad: lambda h: _conv(x, h, stride, pad), argnums=[0, 1])


def _pad(w, padding):
    """The rows and columns of zeros on each side of an image."""
    return tuple((k - 1) // 2 if padding == "same" else 0 for k in w.shape[-4:-2])


# ---------------------------------------------------------------- max pooling
#
# Where the largest pixel of each window stands is a constant for the derivative. Once it is known, pooling gathers
# those pixels, which is linear; the derivative scatters the cotangents back to them, and the two are each other's.


def max_pool2d(x, size=2):
    """The maximum of each size x size window: (..., H, W, C) -> (..., H//size, W//size, C).

    An incomplete last row or column is dropped. The derivative goes to the first maximum of a window.
    Raises: ValueError where the images are smaller than one window.
    """
    _check_max_pool2d(x, size)
    return _max_pool(x, size)


@primitive
def _max_pool(x, size):
    return kernels.largest_of_windows(x, size)


@notrace_primitive
def _argmax(x, pooled, size):
    return kernels.argmax_of_windows(x, pooled, size)


@primitive
def _gather(x, choice, size):
    return kernels.gather_from_windows(x, choice, size)


@primitive
def _scatter(g, choice, size, x_shape):
    return kernels.scatter_to_windows(g, choice, size, x_shape)


def _max_pool_vjp(ans, x, size):
    choice = _argmax(x, ans, size)
    return lambda g: _scatter(g, choice, size, x.shape)


defvjp(_max_pool, _max_pool_vjp, argnums=[0])
defvjp(_gather, lambda ans, x, choice, size: lambda g: _scatter(g, choice, size, x.shape), argnums=[0])
defvjp(_scatter, lambda ans, g, choice, size, x_shape: lambda h: _gather(h, choice, size), argnums=[0])


# ---------------------------------------------------------------- one number per channel: sums and products
#
# v and b are (C,), or (T,C). With r for an example's pixel, sum_rc a[r,c] b[r,c] v[c] is a third trilinear form and
# sum_rc a[r,c] v[c] a bilinear one.


@primitive
def scale(x, v):
    """x times one number per channel, (C,) or (T,C)."""
    return kernels.scale_and_shift(x, v, None)


@primitive
def _channel_dots(a, b, v_shape):
    return kernels.channel_dots(a, b, v_shape)


defvjp(scale, lambda ans, x, v: lambda g: scale(g, v), lambda ans, x, v: lambda g: _channel_dots(g, x, v.shape))
defvjp(_channel_dots,
       lambda ans, a, b, v_shape: lambda h: scale(b, h),
       lambda ans, a, b, v_shape: lambda h: scale(a, h), argnums=[0, 1])


@primitive
def shift(x, b):
    """x plus one number per channel, (C,) or (T,C)."""
    return kernels.scale_and_shift(x, None, b)


@primitive
def _channel_sums(x, v_shape):
    return kernels.channel_sums(x, v_shape)


@primitive
def _fill_channels(v, x_shape):
    return kernels.fill_channels(v, x_shape)


defvjp(shift, lambda ans, x, b: lambda g: g, lambda ans, x, b: lambda g: _channel_sums(g, b.shape))
defvjp(_channel_sums, lambda ans, x, v_shape: lambda h: _fill_channels(h, x.shape), argnums=[0])
defvjp(_fill_channels, lambda ans, v, x_shape: lambda g: _channel_sums(g, v.shape), argnums=[0])


@primitive
def scale_and_shift(x, v, b):
    """shift(scale(x, v), b) in one pass."""
    return kernels.scale_and_shift(x, v, b)


defvjp(scale_and_shift,
       lambda ans, x, v, b: lambda g: scale(g, v),
       lambda ans, x, v, b: lambda g: _channel_dots(g, x, v.shape),
       lambda ans, x, v, b: lambda g: _channel_sums(g, b.shape))


# ---------------------------------------------------------------- standardisation: the core of batch norm


def standardize(x, eps=1e-5, n_reference=None):
    """Each channel minus its mean, divided by sqrt(its variance + eps). Ioffe & Szegedy 2015, Algorithm 1.

    The moments are taken over all axes but the task axis and the last, so tasks do not affect each other.
    n_reference: take them from the first n_reference images alone (a query is then judged by the statistics of the
    support, whatever the other queries are); None takes all.
    Raises: ValueError where n_reference is not in 1...M, or x is not of floats.
    """
    mean, inverse_std = mean_and_inverse_std(x, eps, n_reference)
    return scale_and_shift(x, inverse_std, -mean * inverse_std)


def mean_and_inverse_std(x, eps=1e-5, n_reference=None):
    """What `standardize` needs to know of each channel: its mean, and 1 / sqrt(variance + eps), (C,) or (T,C).

    Raises: ValueError where n_reference is not in 1...M, or x is not of floats.
    """
    _check_standardize(x, n_reference)
    moments = _moments(x, x.shape[x.ndim % 2] if n_reference is None else n_reference)
    return moments[0], _inverse_root(moments[1], eps)


@primitive
def _moments(x, n_reference):
    """sum_ref(x)/r and sum_ref((x - mean)^2)/r, the mean and the variance of each channel, together: (2,C) or (2,T,C).

    r is the number of reference pixels, sum_ref the sum over them alone.
    """
    return kernels.mean_and_variance(*_reference(x, n_reference))


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


defvjp(_moments, _moments_vjp, argnums=[0])


def _reference(x, n_reference):
    """The first n_reference images of every task, and the number r of their pixels per channel."""
    if n_reference < x.shape[x.ndim % 2]:
        x = x[:, :n_reference] if x.ndim % 2 else x[:n_reference]
    return x, int(onp.prod(x.shape[x.ndim % 2:-1]))


@primitive
def _inverse_root(x, eps):
    """(x + eps)^(-1/2), eps a number."""
    return 1 / onp.sqrt(x + eps)


@primitive
def _inverse_root_vjp(g, s):
    """-1/2 g s^3, where s is the inverse root."""
    return g * s * s * s * -0.5


defvjp(_inverse_root, lambda ans, x, eps: lambda g: _inverse_root_vjp(g, ans), argnums=[0])
defvjp(_inverse_root_vjp,
       lambda ans, g, s: lambda h: _inverse_root_vjp(h, s),
       lambda ans, g, s: lambda h: h * g * s * s * -1.5)


# ---------------------------------------------------------------- what the arguments must be


def _check_cross_entropy(logits, labels):
    if logits.ndim not in (2, 3):
        raise ValueError(f"logits must be (M,N) or (T,M,N), got {logits.shape}")
    n_classes = logits.shape[-1]
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"logits {logits.shape} need labels {logits.shape[:-1]}, got {labels.shape}")
    if not onp.issubdtype(labels.dtype, onp.integer):
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    if labels.size == 0 or labels.min() < 0 or labels.max() >= n_classes:
        values = f"{labels.min()}...{labels.max()}" if labels.size else "none"
        raise ValueError(f"labels must lie in 0...{n_classes - 1} for {n_classes} logits, got {values}")


def _check_linear(x, w):
    _check_float("x", x)
    if x.ndim not in (2, 3) or w.ndim not in (2, 3) or x.shape[-1] != w.shape[-2]:
        raise ValueError(f"x must be (M,D) or (T,M,D) and w (D,O) or (T,D,O), got {x.shape} and {w.shape}")
    _check_task_axis(x, w, shared_rank=2)


def check_channels(v, shape, name):
    """v must hold one number per channel of an array with this shape, (C,), or (T,C) where that has the same T."""
    if v.shape[-1:] != shape[-1:] or v.ndim > 2 or (v.ndim == 2 and (len(shape) % 2 == 0 or v.shape[0] != shape[0])):
        raise ValueError(f"{name} {v.shape} does not fit {shape}: it must be (C,), or (T,C) where x has the same T")


def _check_attention(q, k, v):
    fits = min(q.ndim, k.ndim, v.ndim) >= 2 and k.shape[:-1] == v.shape[:-1] and k.shape[:-2] in (q.shape[:-2], ())
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] == 0:
        raise ValueError("q, k and v must be (..,A,D), (..,B,D) and (..,B,E), at least one key, and k and v with the "
                         f"axes in front that q has, or none, got {q.shape}, {k.shape} and {v.shape}")


def _check_conv2d(x, w, stride, padding):
    _check_float("x", x)
    if x.ndim not in (4, 5) or w.ndim not in (4, 5) or x.shape[-1] != w.shape[-2]:
        raise ValueError("x must be (M,H,W,C) or (T,M,H,W,C) and w (kh,kw,C,O) or (T,kh,kw,C,O) with the same C, "
                         f"got {x.shape} and {w.shape}")
    _check_task_axis(x, w, shared_rank=4)
    _check_positive_integer("stride", stride)
    if padding not in ("valid", "same"):
        raise ValueError(f'padding must be "valid" or "same", got {padding!r}')
    kernel = w.shape[-4:-2]
    if any(n + 2 * p < k for n, p, k in zip(x.shape[-3:-1], _pad(w, padding), kernel, strict=True)):
        raise ValueError(f"images of {x.shape[-3]}x{x.shape[-2]} pixels are smaller than the "
                         f"{kernel[0]}x{kernel[1]} kernel with padding {padding!r}")


def _check_max_pool2d(x, size):
    _check_float("x", x)
    _check_positive_integer("size", size)
    if x.ndim not in (4, 5) or min(x.shape[-3:-1]) < size:
        raise ValueError(f"images must be (M,H,W,C) or (T,M,H,W,C) of at least {size}x{size} pixels, got {x.shape}")


def _check_standardize(x, n_reference):
    _check_float("x", x)
    if x.ndim not in (2, 3, 4, 5):
        raise ValueError(f"x must be (M,D), (T,M,D), (M,H,W,C) or (T,M,H,W,C), got {x.shape}")
    n_images = x.shape[x.ndim % 2]
    if n_reference is None:
        n_reference = n_images
    _check_positive_integer("n_reference", n_reference)
    if n_reference > n_images:
        raise ValueError(f"n_reference must be at most the {n_images} images, got {n_reference}")


def _check_float(name, x):
    if x.dtype.kind != "f":
        raise ValueError(f"{name} must be of floats, got {x.dtype}: convert it, images to float32 in [0, 1]")


def _check_positive_integer(name, n):
    if isinstance(n, bool) or not isinstance(n, (int, onp.integer)) or n < 1:
        raise ValueError(f"{name} must be a positive integer, got {n!r}")


def _check_task_axis(x, w, shared_rank):
    """Weights with a task axis need inputs with the same one; inputs with one may share their weights."""
    if w.ndim == shared_rank + 1 and (x.ndim % 2 == 0 or x.shape[0] != w.shape[0]):
        raise ValueError(f"weights {w.shape} have a task axis of {w.shape[0]}; the inputs {x.shape} need the same")
