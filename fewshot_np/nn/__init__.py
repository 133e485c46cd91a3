"""Arrays in, arrays out: primitives with hand-written derivatives, layers, networks, optimisers, trees."""

import ctypes
import platform


def _keep_freed_memory():
    """Let glibc keep the memory of freed arrays for the next ones.

    It would hand it back to Linux after every step and ask for it again page by page: a third of a meta-step's time.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)  # the maps of 400 images are too large for any M_MMAP_THRESHOLD


if platform.libc_ver()[0] == "glibc":
    _keep_freed_memory()
