"""Threads inside a primitive, for one batch so large that it is the whole work; tasks are shared by processes instead.

A thread gets a part of the arrays inside a primitive, and computes while NumPy lets others run. It may not call a
primitive: autograd's tape is global. Parts and sums do not depend on the number of threads, nor does any bit then.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_SHARES_PER_THREAD = 4  # so that a thread that was held up does not keep the others waiting
_pool, _n_threads = None, 1


@contextmanager
def threads(n):
    """In this block primitives work on large arrays with n threads. BLAS should have one (`threadpool_limits(1)`).

    ValueError for a number that is no positive integer.
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
    """work(*part) for all parts; they write to different places."""
    if _pool is None:
        for part in parts:
            work(*part)
        return
    for _ in results(work, parts):
        pass


def results(work, parts):
    """Yield work(*part) for each part, in their order, whoever was first."""
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
