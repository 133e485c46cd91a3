"""How the primitives compute: plain NumPy on plain arrays, nothing here is differentiated.

Large arrays are worked on in parts that stay in the processor's cache, by several threads where `threads` says so.
The parts and the order of their sums do not depend on the number of threads, so neither does any bit of a result.

Shapes are those of `primitives`: images x (M,H,W,C) or (T,M,H,W,C), kernels w (kh,kw,C,O) or (T,kh,kw,C,O), maps
(the output of a convolution) (M,H',W',O) or (T,M,H',W',O). In small letters: t tasks and m images of one part.
"""

import ctypes
import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

CACHE_BYTES = 1 << 20  # what is worked on at once should stay in the processor's cache


# ---------------------------------------------------------------- elementwise


def positive_part(x):
    """max(x, 0)."""
    y = np.empty(x.shape, x.dtype)
    for_each(lambda a, out: np.maximum(a, np.zeros(a.shape[1:], a.dtype), out=out),  # 3 times as fast as with a 0
             _parts(x, y))
    return y


def where_positive(g, y):
    """g where y > 0, and 0 elsewhere."""
    kept = np.empty(g.shape, g.dtype)
    for_each(lambda a, b, out: np.multiply(a, (b > 0).astype(b.dtype), out=out),  # a mask of floats multiplies faster
             _parts(g, y, kept))
    return kept


def _parts(*arrays):
    """Views of arrays of the same tasks and images: small arrays whole, large ones a few images at a time."""
    size = max(a.nbytes for a in arrays)
    if size <= CACHE_BYTES:
        return [arrays]
    arrays = [a.reshape(-1, *a.shape[-3:]) if a.ndim == 5 else a for a in arrays]
    n = max(1, len(arrays[0]) * CACHE_BYTES // size)
    return [[a[i:i + n] for a in arrays] for i in range(0, len(arrays[0]), n)]


# ---------------------------------------------------------------- convolution
#
# Each of the three products lays the patches under the kernel out as rows of a matrix (im2col) and leaves the sum
# to a matrix product, in chunks whose patches stay in the cache.


def convolve(x, w, stride, pad):
    """The convolution of images x with kernels w; pad: rows and columns of zeros on each side, (rows, columns)."""
    out_size = tuple((n + 2 * p - k) // stride + 1
                     for n, p, k in zip(x.shape[-3:-1], pad, w.shape[-4:-2], strict=True))
    y = np.empty((*x.shape[:-3], *out_size, w.shape[-1]), np.result_type(x, w))

    def patches_times_kernels(images, kernels, maps):
        np.matmul(_patches(images, kernels, out_size, stride, pad), _matrix(kernels), out=_matrix(maps))

    for_each(patches_times_kernels, chunks(x, w, y))
    return y


def input_gradient(g, w, x_shape, stride, pad):
    """The cotangent g of the maps taken back to the images, shaped x_shape: the transposed convolution."""
    if stride == 1:  # a convolution of g with the kernels turned by 180 degrees, so patches need not be added up
        turned = np.ascontiguousarray(w[..., ::-1, ::-1, :, :].swapaxes(-1, -2))
        return convolve(g, turned, 1, tuple(k - 1 - p for k, p in zip(w.shape[-4:-2], pad, strict=True)))
    x = np.empty(x_shape, np.result_type(g, w))
    for_each(lambda images, kernels, maps: _add_patches(maps, kernels, images, stride, pad), chunks(x, w, g))
    return x


def weight_gradient(x, g, w_shape, stride, pad):
    """The cotangent g of the maps taken back to the kernels, shaped w_shape: patches' @ g, summed over the images."""
    w = np.zeros(w_shape, np.result_type(x, g))

    def patches_times_maps(images, kernels, maps):
        patches = _patches(images, kernels, g.shape[-3:-1], stride, pad)
        return kernels, (patches.swapaxes(1, 2) @ _matrix(maps)).reshape(kernels.shape)

    for kernels, product in results(patches_times_maps, chunks(x, w, g)):
        kernels += product
    return w


def chunks(x, w, y):
    """Views (images, their kernels, their maps), (t,m,...), (t,...), (t,m,...), whose patches fit the cache together.

    A chunk is several tasks, or one task, or a part of one task's images.
    """
    tasks = w.shape[0] if w.ndim == 5 else 1
    x, y = (a.reshape(tasks, -1, *a.shape[-3:]) for a in (x, y))
    w = w.reshape(tasks, *w.shape[-4:])
    patch_bytes = x.itemsize * np.prod(w.shape[1:4]) * np.prod(y.shape[2:4])
    n_images = max(1, int(CACHE_BYTES // patch_bytes))
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
    windows = np.lib.stride_tricks.as_strided(
        images, (t, m, oh, ow, kh, kw, c), (st, sm, sy * stride, sx * stride, sy, sx, sc), writeable=False)
    return windows.reshape(t, m * oh * ow, kh * kw * c)  # copies


def _add_patches(maps, kernels, images, stride, pad):
    """The adjoint of patches @ kernel, written into `images`: each map pixel's patch is added where it came from."""
    (t, m, h, w, c), (kh, kw), (oh, ow) = images.shape, kernels.shape[1:3], maps.shape[2:4]
    total = np.zeros((t, m, h + 2 * pad[0] + stride, w + 2 * pad[1] + stride, c), images.dtype)
    for j in range(0, kw, stride):  # `stride` columns of a patch at once, because they overlap no other patch's
        columns = total[:, :, :, j:j + stride * ow].reshape(t, m, -1, ow, stride * c)
        width = min(stride, kw - j) * c
        for i in range(kh):
            part = _matrix(maps) @ kernels[:, i, j:j + stride].reshape(t, width, -1).swapaxes(1, 2)
            columns[:, :, i:i + stride * oh:stride, :, :width] += part.reshape(t, m, oh, ow, width)
    images[...] = total[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w]


def _zero_padded(images, pad):
    t, m, h, w, c = images.shape
    out = np.zeros((t, m, h + 2 * pad[0], w + 2 * pad[1], c), images.dtype)
    out[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w] = images
    return out


# ---------------------------------------------------------------- pooling windows
#
# Masks are multiplied with, because NumPy does that five times as fast as it copies where a mask says so.


def largest_of_windows(x, size):
    """The largest pixel of each size x size window: (..., H, W, C) -> (..., H//size, W//size, C)."""
    pooled = np.empty((*x.shape[:-3], x.shape[-3] // size, x.shape[-2] // size, x.shape[-1]), x.dtype)

    def pool(images, maxima):
        first, *others = _windows(images, size)
        maxima[...] = first
        for pixels in others:
            np.maximum(maxima, pixels, out=maxima)

    for_each(pool, _parts(x, pooled))
    return pooled


def argmax_of_windows(x, pooled, size):
    """The place of the (first) largest pixel in its window: integers 0...size^2 - 1, shaped like `pooled`."""
    choice = np.zeros(pooled.shape, np.min_scalar_type(size * size))

    def count_those_before(images, maxima, places):
        before = np.ones(places.shape, bool)
        for pixels in _windows(images, size)[:-1]:
            before &= pixels != maxima
            places += before

    for_each(count_those_before, _parts(x, pooled, choice))
    return choice


def gather_from_windows(x, choice, size):
    """The chosen pixel of each window, shaped like `choice`."""
    chosen = np.zeros(choice.shape, x.dtype)

    def gather(images, places, out):
        for place, pixels in enumerate(_windows(images, size)):
            out += pixels * (places == place)

    for_each(gather, _parts(x, choice, chosen))
    return chosen


def scatter_to_windows(g, choice, size, x_shape):
    """Each number of g at the chosen pixel of its window, 0 at all others: the adjoint of `gather_from_windows`."""
    x = np.zeros(x_shape, g.dtype)

    def scatter(maps, places, images):
        for place, pixels in enumerate(_windows(images, size)):
            np.multiply(maps, places == place, out=pixels)

    for_each(scatter, _parts(g, choice, x))
    return x


def _windows(x, size):
    """For each place in a window a view of x: the pixels that stand there, (..., H//size, W//size, C)."""
    h, w = (n - n % size for n in x.shape[-3:-1])
    return [x[..., i:h:size, j:w:size, :] for i in range(size) for j in range(size)]


# ---------------------------------------------------------------- one number per channel
#
# v and b hold one number per channel, (C,), or per task and channel, (T,C). A *line* is one line of pixels with all
# its channels, or the features of one example, because NumPy's loops run faster over W C numbers than over C.


def scale_and_shift(x, v, b):
    """x v + b, where v or b may be None."""
    lines = _lines(x, (b if v is None else v).shape)
    out = np.empty(lines.shape, np.result_type(x, *(a for a in (v, b) if a is not None)))
    v, b = (None if a is None else _along_lines(a, x) for a in (v, b))

    def compute(x, out):
        if v is not None:
            x = np.multiply(x, v, out=out)
        if b is not None:
            np.add(x, b, out=out)

    for_each(compute, _line_parts(lines, out))
    return out.reshape(x.shape)


def channel_dots(a, b, v_shape):
    """The sum over examples and pixels of a b, shaped v_shape."""
    parts = _line_parts(_lines(a, v_shape), _lines(b, v_shape))
    return _sum_to(v_shape, results(lambda a, b: np.einsum("tlc,tlc->tc", a, b), parts))


def channel_sums(x, v_shape):
    """The sum over examples and pixels of x, shaped v_shape: as a product with ones, which is faster than `sum`."""
    parts = _line_parts(_lines(x, v_shape))
    return _sum_to(v_shape, results(lambda lines: np.ones((1, lines.shape[1]), lines.dtype) @ lines, parts))


def mean_and_variance(x, r):
    """The mean and the variance of each channel, stacked: (2,C) or (2,T,C). r: the pixels of x per channel."""
    shape = x.shape[:x.ndim % 2] + x.shape[-1:]
    lines = _lines(x, shape)
    mean = channel_sums(x, shape) * (1 / r)
    means = _along_lines(mean, x)

    def squares(lines):
        centred = lines - means
        return np.einsum("tlc,tlc->tc", centred, centred)

    return np.stack([mean, _sum_to(shape, results(squares, _line_parts(lines))) * (1 / r)])


def fill_channels(v, x_shape):
    """v at every example and pixel of an array shaped x_shape."""
    return np.broadcast_to(v.reshape(*v.shape[:-1], *(1,) * (len(x_shape) - v.ndim), v.shape[-1]), x_shape)


def _lines(x, v_shape):
    """x as (T, lines, W C) where v has a task axis, otherwise as (1, lines, W C)."""
    width = x.shape[-2] if x.ndim > 3 else 1
    return x.reshape(v_shape[0] if len(v_shape) == 2 else 1, -1, width * x.shape[-1])


def _line_parts(*arrays):
    """Views of arrays (T, lines, W C): a few lines of one task at a time, which fit the cache; several tasks whole."""
    tasks, n_lines = arrays[0].shape[:2]
    n = n_lines if tasks > 1 else max(1, n_lines * CACHE_BYTES // max(1, arrays[0].nbytes))
    return [[a[:, i:i + n] for a in arrays] for i in range(0, max(1, n_lines), n)]


def _sum_to(v_shape, sums):
    """Add the sums over parts, each (T, W C) or (T, 1, W C), and then the pixels of a line."""
    total = sum(sums)
    return total.reshape(len(total), -1, v_shape[-1]).sum(axis=1).reshape(v_shape)


def _along_lines(v, x):
    """v at every pixel of a line, (T or 1, 1, W C)."""
    v = v.reshape(-1, 1, v.shape[-1])
    return np.concatenate([v] * x.shape[-2], axis=-1) if x.ndim > 3 else v


# ---------------------------------------------------------------- threads
#
# They are for a single batch that is so large that it is all the work; the tasks of a meta-batch are shared out among
# processes instead.
# A thread gets parts of the arrays inside a primitive, and computes while NumPy lets other threads run. It must not
# call a primitive, because autograd's tape is global.

_SHARES_PER_THREAD = 4  # so that a thread that was held up does not keep the others waiting
_pool, _n_threads = None, 1


@contextmanager
def threads(n):
    """In this block primitives work on large arrays with n threads. BLAS should have one (`threadpool_limits(1)`).

    Raises: ValueError unless n is a positive integer.
    """
    global _pool, _n_threads
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"the number of threads must be a positive integer, got {n!r}")
    before = _pool, _n_threads
    with ThreadPoolExecutor(n) as pool:
        _pool, _n_threads = pool if n > 1 else None, n
        try:
            yield
        finally:
            _pool, _n_threads = before


def for_each(work, parts):
    """Call work(*part) for all parts, which write to different places."""
    if _pool is None:
        for part in parts:
            work(*part)
        return
    for _ in results(work, parts):
        pass


def results(work, parts):
    """Yield work(*part) for each part, in the order of the parts, whichever is done first."""
    if _pool is None:
        yield from (work(*part) for part in parts)
        return
    parts = list(parts)
    n = -(-len(parts) // (_SHARES_PER_THREAD * _n_threads))
    shares = [parts[i:i + n] for i in range(0, len(parts), n)]
    if len(shares) == 1:
        yield from (work(*part) for part in parts)
        return
    for done in _pool.map(lambda share: [work(*part) for part in share], shares):
        yield from done


def keep_freed_memory():
    """Make glibc keep the memory of freed arrays for the next ones, in this process; elsewhere do nothing.

    Otherwise glibc hands it back to Linux after every step and asks for it again page by page, which takes a third
    of a meta-step's time.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)  # the maps of 400 images are too large for any M_MMAP_THRESHOLD
