"""Arrays that take long to compute: computed once, kept in a file, and computed again if that file is damaged."""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import platformdirs

from fewshot_np.data.files import write_atomically


def cached(name, build, shape=None):
    """The array that `build()` returns, read from the cache if it is kept there under this name.

    Everything that can change a byte of the array must be part of `name`: sources, sizes, seeds, versions.
    For a damaged file, one whose array is not uint8 of this `shape` (if it is given), or a folder that cannot be read
    or written, there is a warning, and the array is built again.
    """
    path = cache_folder() / f"{name}.npz"
    array = read_kept(path, shape)
    if array is None:
        array = build()
        keep(path, array)
    return array


def cache_folder():
    """The folder of the cache: $FEWSHOT_NP_CACHE, or else the user's cache folder of the system."""
    return at_home(os.environ.get("FEWSHOT_NP_CACHE") or user_folder("cache"))


def user_folder(kind):
    """The user's "cache" or "data" folder of the system; one among the temporary files for a user without a home."""
    try:
        folder = Path({"cache": platformdirs.user_cache_dir, "data": platformdirs.user_data_dir}[kind]("fewshot_np"))
    except (RuntimeError, KeyError, OSError):   # a user who is in no list of users
        folder = Path("~")
    if folder.parts[0].startswith("~"):
        who = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"fewshot_np-{who}" / kind
    return folder


def at_home(path):
    """The path with a leading ~ replaced by the user's home, and as it is for a user who has none."""
    return Path(os.path.expanduser(path))


def read_kept(path, shape=None):
    """The array kept at `path`, or None if there is no file or, with a warning, if it is damaged.

    An .npz file is a zip archive, whose CRC-32 detects changed bytes. It also holds its name, so that a renamed file is
    detected.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["name"]) != path.stem:
                raise ValueError(f"it was written as {kept['name']}")
            array = kept["array"]
        if shape is not None and (array.shape, array.dtype) != (shape, np.uint8):
            raise ValueError(f"it holds {array.dtype} of shape {array.shape}, not uint8 of {shape}")
        return array
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        warnings.warn(f"the cache {path} may not be read ({error.strerror or error}): making it anew", stacklevel=4)
        return None
    except Exception as error:      # zip, NumPy and the disk raise many kinds for damaged bytes
        warnings.warn(f"the cache {path} is damaged ({error}): making it anew", stacklevel=4)
        return None


def keep(path, array):
    """Keep the array at `path`; if the folder cannot be written there is only a warning."""
    try:
        with write_atomically(path) as file:
            np.savez(file, array=array, name=path.stem)
    except OSError as error:
        warnings.warn(f"cannot write the cache {path} ({error}): it will be made again next time", stacklevel=4)
