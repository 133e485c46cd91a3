"""Parts and threads change the time a primitive takes, and not a bit of a result."""

from functools import partial
from types import SimpleNamespace

import numpy
import pytest

from fewshot_np.nn import kernels, primitives
from fewshot_np.nn.kernels import for_each, results, threads
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import conv2d, cross_entropy
from fewshot_np.nn.trees import leaves, value_and_grad
from tests.nn.derivatives import assert_close, gradients, normal


def test_parts_are_worked_on_by_other_threads_and_results_keep_their_order():
    parts = [(number,) for number in range(50)]
    with threads(3):
        assert list(results(lambda number: number * number, parts)) == [number * number for number in range(50)]
        seen = []
        for_each(seen.append, parts)
    assert sorted(seen) == list(range(50))
    assert list(results(lambda number: -number, parts)) == [-number for number in range(50)]


def test_an_error_in_a_thread_is_raised():
    with threads(2), pytest.raises(ZeroDivisionError):
        for_each(lambda number: 1 / number, [(number,) for number in range(20)])


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_threads_must_be_a_positive_integer(n):
    with pytest.raises(ValueError, match="positive integer"), threads(n):
        pass


@pytest.mark.parametrize("shape", [(9, 28, 28, 1), (1, 9, 28, 28, 1), (3, 4, 28, 28, 1)])
@pytest.mark.parametrize("down", ["pool", "stride"])
def test_gradients_have_the_same_bits_with_any_number_of_threads(monkeypatch, shape, down):
    monkeypatch.setattr(kernels, "CACHE_BYTES", 1 << 14)  # so that there are many parts
    rng = numpy.random.default_rng(0)
    network = conv4(outputs=3, channels=6, down=down)
    params, x, y = network.init(rng), rng.random(shape, dtype="float32"), rng.integers(0, 3, shape[:-3])
    loss_and_gradient = value_and_grad(lambda params: cross_entropy(network.apply(params, x), y).sum())
    loss, gradient = loss_and_gradient(params)
    for n in (1, 2, 3):
        with threads(n):
            again, same = loss_and_gradient(params)
        assert again == loss
        assert all(numpy.array_equal(a, b) for a, b in zip(leaves(gradient), leaves(same), strict=True))


@pytest.mark.parametrize("tasks", [(), (3,)], ids=["no tasks", "tasks"])
@pytest.mark.parametrize(("f", "shapes"), [
    (primitives.relu, [(9, 7, 3)]), (primitives.max_pool2d, [(9, 7, 3)]), (primitives.scale, [(9, 7, 3), (3,)]),
    (primitives.scale_and_shift, [(9, 7, 3), (3,), (3,)]), (primitives.shift, [(9, 7, 3), (3,)]),
    *((partial(conv2d, stride=stride, padding=padding), [(9, 8, 4), (3, 3, 4, 5)])
      for stride in (1, 2) for padding in ("valid", "same"))])
def test_parts_of_any_size_give_the_values_and_gradients_of_the_whole(monkeypatch, f, shapes, tasks):
    arrays = [normal(*tasks, 11, *shapes[0]), *(normal(*tasks, *shape) for shape in shapes[1:])]

    def value_and_gradients():
        y = f(*arrays)
        return y, *gradients(f, arrays, normal(*y.shape, seed=1))

    whole = value_and_gradients()
    for cache_bytes in (1, 30_000, 300_000):  # one image at a time; a few, the last chunk incomplete; several tasks
        monkeypatch.setattr(kernels, "CACHE_BYTES", cache_bytes)
        for part, expected in zip(value_and_gradients(), whole, strict=True):
            assert_close(part, expected)


@pytest.mark.parametrize("libc", ["glibc", ""])
def test_only_glibc_is_asked_to_keep_freed_memory(monkeypatch, libc):
    settings = []
    monkeypatch.setattr(kernels.platform, "libc_ver", lambda: (libc, ""))
    monkeypatch.setattr(kernels.ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=lambda *s: settings.append(s)))
    kernels.keep_freed_memory()
    assert bool(settings) == bool(libc)
