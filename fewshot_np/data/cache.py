"""Arrays that take long to make: made once, kept in a file, made again when that file is damaged."""

import os
import warnings
from pathlib import Path

import numpy as np
import platformdirs

from fewshot_np.data.files import write_atomically


def cached(name, build):
    """The array that `build()` returns, read from the cache where it is kept under this name.

    Whatever can change a byte of the array must be part of `name`: sources, sizes, seeds, versions.
    A damaged file and a folder that cannot be written cost a warning and time, never a wrong array.
    """
    path = cache_folder() / f"{name}.npz"
    array = read_kept(path)
    if array is None:
        array = build()
        keep(path, array)
    return array


def cache_folder():
    """Where arrays are kept: $FEWSHOT_NP_CACHE, or else the system's place for caches."""
    return Path(os.environ.get("FEWSHOT_NP_CACHE") or platformdirs.user_cache_dir("fewshot_np"))


def read_kept(path):
    """The array kept at `path`, or None: silently if there is no file, with a warning if it is damaged.

    An .npz file is a zip archive: changed bytes are found by its CRC-32. The name that stands inside tells
    whether the file was renamed.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["name"]) != path.stem:
                raise ValueError(f"it was written as {kept['name']}")
            return kept["array"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:      # whatever zip, NumPy or the disk make of bytes that are not ours
        warnings.warn(f"the cache {path} is damaged ({error}): making it anew", stacklevel=4)
        return None


def keep(path, array):
    """Keep the array at `path`; a folder that cannot be written is a warning: the array exists."""
    try:
        with write_atomically(path) as file:
            np.savez(file, array=array, name=path.stem)
    except OSError as error:
        warnings.warn(f"cannot write the cache {path} ({error}): it will be made again next time", stacklevel=4)
