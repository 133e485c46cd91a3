"""What a run leaves behind: `record.json`, parameters, checkpoints. Each is written completely or not at all, and no
file of another program is ever replaced."""

import errno
import functools
import importlib.metadata
import io
import json
import math
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fewshot_np.data.files import write_atomically

RECORD_FORMAT = "fewshot_np record 2"
PARAMS_FORMAT = "fewshot_np parameters 1"
CHECKPOINT_FORMAT = "fewshot_np checkpoint 1"

# ---------------------------------------------------------------- disks that are full

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def save_or_elsewhere(save, path):
    """save(path), and where the disk refuses that, save(another path) in a new folder for temporary files.

    What happened is said on stderr, never raised. Returns where the file is now, or None if it could not be saved.
    """
    path = Path(path)
    try:
        save(path)
        return path
    except OSError as error:
        trouble = f"{path} cannot be written ({error.strerror or error})"
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="fewshot_np-"))
        save(folder / path.name)
    except OSError:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.write(f"\n{trouble}, and no other place was found for it\n")
        return None
    sys.stderr.write(f"\n{trouble}, so it was saved as {folder / path.name}: make space, and move it there\n")
    return folder / path.name


def when_there_is_space(save, pause=30.0):
    """save(); while the disk is full, say so on stderr and try again after `pause` seconds. Returns what save does."""
    while True:
        try:
            return save()
        except OSError as error:
            if error.errno not in FULL:
                raise
            sys.stderr.write(f"\n{error.strerror}: waiting for space; nothing is lost meanwhile, Ctrl-C gives up\n")
            time.sleep(pause)


# ---------------------------------------------------------------- the record


def write_record(folder, lesson, options, seconds, metrics):
    """Write `folder/record.json`: options, commit (see `commit_of_run`), versions, seconds, metrics; returns its path.

    metrics: {name: {"mean": ..., "interval": ..., ...}}; NaN and infinity become null.

    Raises: ValueError if a record.json of another program is there.
    """
    path = Path(folder) / "record.json"
    if path.exists():
        read_record(path)
    options = {name: value for name, value in vars(options).items() if name != "out"}
    record = {"format": RECORD_FORMAT, "lesson": lesson, "options": options, "commit": commit_of_run(),
              "versions": _versions(), "seconds": round(seconds, 1), "metrics": metrics}
    with write_atomically(path) as file:
        file.write((json.dumps(_plain(record), indent=1, allow_nan=False) + "\n").encode())
    return path


def _plain(value):
    """The value as JSON can hold it: NumPy numbers as Python's, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_record(path):
    """The record at `path`, a dict.

    Raises: ValueError for a file that is damaged, of another program or of an earlier version.
    """
    content = _read(path)
    try:
        record = json.loads(content.decode("utf-8"))
        found = record["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = None
    if found == "fewshot_np record 1":
        raise ValueError(f"{path} was written by an earlier version, whose results had other names (\"transductive\"); "
                         "move it away or choose another folder")
    if found != RECORD_FORMAT:
        raise ValueError(f"{path} is damaged or not a record of fewshot_np; move it away or choose another folder")
    return record


# ---------------------------------------------------------------- parameters


def save_params(path, params):
    """Save a nested dict of arrays as .npz, in one step; returns the path.

    Raises: ValueError for a file of another program at `path`, and for arrays of objects.
    """
    path = Path(path)
    check_replaceable(path)
    content = params_as_bytes(params)
    with write_atomically(path) as file:
        file.write(content)
    return path


def params_as_bytes(params):
    """The content of the file in which `save_params` saves them."""
    named = list(_flatten(params))
    if any(array.dtype.hasobject for _, array in named):
        raise ValueError("parameters must be arrays of numbers")
    header, content = json.dumps({"format": PARAMS_FORMAT, "names": [name for name, _ in named]}), io.BytesIO()
    np.savez(content, header, *(array for _, array in named))
    return content.getvalue()


def check_folder(folder, resumed=None):
    """Check that a run may write into `folder`: it holds no files, or those of a run of fewshot_np.

    A run is recognised by its record, a table of runs by the records in the folders below, and a stopped run, which has
    no record, by its parameters. Hidden files and folders are ignored.
    resumed: options (a dict) that every checkpoint must have been made with.

    Raises: ValueError, naming the file, if there are other files, or if a record or parameter file is damaged.
    """
    paths = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    files = [path.name for path in paths if path.is_file()]
    proofs = [path for path in paths if path.name == "record.json" or path.suffix == ".npz"]
    if files and not proofs:
        proofs = sorted(Path(folder).glob("*/record.json"))
    for path in proofs:
        if path.suffix != ".npz":
            read_record(path)
        elif _load(path)[1] and resumed is not None:
            load_checkpoint(path, resumed)
    if files and not proofs:
        raise ValueError(f"{folder} holds {files[0]}, but no record or parameters of fewshot_np; choose a new folder")


def check_replaceable(path):
    """Check that the file at `path`, if there is one, may be overwritten.

    Raises: ValueError for a file that is damaged or of another program, and for a folder.
    """
    if Path(path).exists():
        load_params(path)


def load_params(path):
    """The nested dict of arrays that `save_params` saved, or that a checkpoint holds.

    Raises: ValueError for a file that is damaged or of another program.
    """
    return _load(path)[0]


def _load(path):
    """(parameters, the Checkpoint they are part of, or None)."""
    content = _read(path)  # read first, so that an OSError below can only mean damaged bytes
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            header, *arrays = (file[f"arr_{i}"] for i in range(len(file.files)))
        header = json.loads(str(header))
        if header["format"] == CHECKPOINT_FORMAT:
            checkpoint = Checkpoint(**_unpack(header["content"], arrays))
            return checkpoint.params, checkpoint
        if header["format"] != PARAMS_FORMAT:
            raise ValueError
        return _unflatten(zip(header["names"], arrays, strict=True)), None
    except Exception:  # NumPy and zipfile have a dozen kinds for bytes that are not ours
        raise ValueError(f"{path} is damaged or not a parameter file of fewshot_np; it was left as it is") from None


def _read(path):
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder, where a file was expected; move it away or choose another folder")
    return Path(path).read_bytes()


def _flatten(tree, path=()):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, (*path, key))
        else:
            yield [*path, key], np.asarray(value)


def _unflatten(named):
    tree = {}
    for (*path, leaf), array in named:
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[leaf] = array
    return tree


# ---------------------------------------------------------------- checkpoints: all that a resumed training needs


class Checkpoint(NamedTuple):
    """Everything that the rest of a training run depends on, so that it can continue as if it had never stopped.

    iteration: how many are done.   params, state (the optimiser's): dicts, lists and tuples of arrays and numbers.
    generator: the state of the bit generator that batches are drawn with.   history: see `train`.
    options: those that the run was started with.   diverged: whether the training broke off after this good state.
    """

    iteration: int
    params: Any
    state: Any = None
    generator: Any = None
    history: Any = None
    options: Any = None
    diverged: bool = False


def save_checkpoint(path, checkpoint):
    """Save a Checkpoint as one .npz, in one step; `load_params` reads its parameters. Returns the path.

    Raises: ValueError for a file of another program at `path`, and for content other than dicts, lists, tuples, arrays,
    numbers, texts and None.
    """
    path = Path(path)
    check_replaceable(path)
    arrays = []
    content = _pack(checkpoint._asdict(), arrays)
    header = json.dumps({"format": CHECKPOINT_FORMAT, "content": content})
    with write_atomically(path) as file:
        np.savez(file, header, *arrays)
    return path


def load_checkpoint(path, options=None):
    """The Checkpoint at `path`, bit for bit as it was saved.

    options: a dict that it must have been made with; None accepts any. Learning rates may differ once a training in
    this folder has diverged, because going on with a smaller one is what is left then.

    Raises: ValueError for a file that is damaged or of another program, that holds only parameters, or that was made
    with other options; the message names those that differ.
    """
    _, checkpoint = _load(path)
    if checkpoint is None:
        raise ValueError(f"{path} holds parameters, but not what is needed to resume their training; "
                         "move it away, or train anew without --resume")
    if options is not None:
        then, now = checkpoint.options or {}, comparable_options(options)
        differing = [name for name in {**then, **now} if then.get(name, ...) != now.get(name, ...)]
        if any(map(is_rate, differing)) and _has_diverged(Path(path).parent):
            differing = [name for name in differing if not is_rate(name)]
        if differing:
            raise ValueError(f"{path} was made with other options: " + "; ".join(
                f"{name} {then.get(name, 'unknown')} then, {now.get(name, 'unknown')} now" for name in differing))
    return checkpoint


def comparable_options(options):
    """Those of the options (a dict) that decide what a run computes, as JSON returns them."""
    deciding = {name: value for name, value in options.items()
                if name not in ("out", "data_root", "resume", "rates_before")}
    return json.loads(json.dumps(_plain(deciding), default=str))


def is_rate(name):
    """Whether the option of this name is a learning rate."""
    return name.endswith(("learning_rate", "_lr"))


def _has_diverged(folder):
    """Whether a training there diverged, or went on with another rate after it had."""
    checkpoints = [_load(path)[1] for path in folder.glob("*.npz")]
    return any(checkpoint and (checkpoint.diverged or "rates" in (checkpoint.history or ()))
               for checkpoint in checkpoints)


def _pack(value, arrays):
    """The value as JSON can hold it: arrays are appended to the list `arrays` and replaced by their positions there."""
    if isinstance(value, dict):
        return {"dict": [[key, _pack(item, arrays)] for key, item in value.items()]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_pack(item, arrays) for item in value]}
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        arrays.append(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": len(arrays) - 1}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"a checkpoint holds dicts, lists, tuples, arrays of numbers, numbers and texts, "
                     f"not {type(value).__name__}")


def _unpack(packed, arrays):
    if not isinstance(packed, dict):
        return packed
    [(kind, content)] = packed.items()
    if kind == "dict":
        return {key: _unpack(item, arrays) for key, item in content}
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](_unpack(item, arrays) for item in content)
    return {"array": lambda a: a, "scalar": lambda a: a[()]}[kind](arrays[content])


# ---------------------------------------------------------------- commit and versions


@functools.cache
def commit_of_run():
    """The commit of the source, with a + if a file of the package was changed or added since; None without git.

    It is read once in a process, when its options are parsed, because a commit that is made while a run trains does not
    hold the code that trains.
    """
    def git(*words):
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True,
                              timeout=10, check=True).stdout.strip()
    try:
        if not git("ls-files", Path(__file__).name):
            return None
        changed = git("status", "--porcelain", "--untracked-files=all", "..")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _versions():
    names = ("numpy", "autograd", "matplotlib")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
