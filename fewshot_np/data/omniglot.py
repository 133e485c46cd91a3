"""Omniglot: 1,623 characters of 50 alphabets, each drawn once by 20 people (Lake et al. 2015, Science 350).

The official archives are read without unpacking them, and the decoded images are kept in the cache.

    load            the drawings as ImageClasses: a class is a character, its group the alphabet
    with_rotations  adds every character rotated by 90, 180 and 270 degrees as further classes
    load_runs       the 20 official within-alphabet one-shot runs
    main            `python -m fewshot_np.data.omniglot` downloads the archives

They are looked for in the folder `root` if one is given, else in $FEWSHOT_NP_DATA (each either holds `omniglot/` or is
that folder itself) and in the user's data folder. The data set has the MIT licence.
"""

import argparse
import contextlib
import hashlib
import io
import os
import re
import sys
import zipfile
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from fewshot_np.data.cache import at_home, cached, user_folder
from fewshot_np.data.classes import ImageClasses
from fewshot_np.data.files import write_atomically
from fewshot_np.data.folders import at_size, fit

VERSION = 1       # of the decoding; raise it when a change below alters a byte of the images
SIDE = 105        # pixels along the side of an original drawing
LONGEST = 100_000    # bytes of an entry, unpacked: drawings have a few hundred, the longest list of a run some thousand
URL = "https://github.com/brendenlake/omniglot/raw/master/python"
COMMAND = "python -m fewshot_np.data.omniglot"

FILES = {
    "background": "images_background.zip",
    "evaluation": "images_evaluation.zip",
    "small1": "images_background_small1.zip",        # two choices of 5 alphabets of the background: Lake's
    "small2": "images_background_small2.zip",        # "minimal" background
    "runs": "one-shot-classification/all_runs.zip",
}
# Counts instead of checksums, because mirrors pack the same drawings into different bytes.
EXPECTED = {
    "background": {"alphabets": 30, "characters": 964, "drawings": 19280},
    "evaluation": {"alphabets": 20, "characters": 659, "drawings": 13180},
    "small1": {"alphabets": 5, "characters": 136, "drawings": 2720},
    "small2": {"alphabets": 5, "characters": 156, "drawings": 3120},
    "runs": {"runs": 20, "training drawings": 400, "test drawings": 400},
}


# --- The data set ----------------------------------------------------------------------------------------


def load(root=None, split=None, size=28, fitted=False):
    """Omniglot as ImageClasses, (M, size, size, 1); 20 drawings of each class, group = alphabet.

    split: "background" (964 characters), "evaluation" (659 of other alphabets), "small1" or "small2" (parts of
           the background); None for the first two, all 1,623. The order of the classes is always the same.
    size:  pixels along the side; 105 is the original.   fitted: cut out, centred and of one size, as
           `folders.read_image(fitted=True)` reads photos.

    Raises: FileNotFoundError, saying where it looked, for a missing archive; ValueError for an incomplete one, saying
    what is missing, for an unknown split and for a size below 1.
    """
    splits = [split for split in FILES if split != "runs"]
    if split not in (None, *splits):
        raise ValueError(f"split must be None or one of {', '.join(map(repr, splits))}, got {split!r}")
    if size < 1:
        raise ValueError(f"size must be 1 or more, got {size}")
    parts = [read_drawings(find(kind, root), kind, size, fitted)
             for kind in (("background", "evaluation") if split is None else (split,))]
    names = [name for of_part, _, _ in parts for name in of_part]
    counts = np.concatenate([of_part for _, of_part, _ in parts])
    return ImageClasses(np.concatenate([images for _, _, images in parts]),
                        np.repeat(np.arange(len(names)), counts), names,
                        [name.split("/")[0] for name in names])


def with_rotations(classes):
    """Four times the classes: each as it is, then each rotated anticlockwise by 90, 180 and 270 degrees.

    Names get "/rot090", "/rot180", "/rot270", groups stay the same, and class k rotated r times is number k + r N.
    Some authors rotate only the training characters, others (Finn et al. 2017) the test characters, too, so say which.
    Rotate *after* splitting: otherwise a character may be in the training upright and in the test rotated.
    """
    n = len(classes)
    return ImageClasses(
        np.concatenate([np.rot90(classes.images, turns, axes=(1, 2)) for turns in range(4)]),
        np.concatenate([classes.labels + turns * n for turns in range(4)]),
        [name + turn for turn in ("", "/rot090", "/rot180", "/rot270") for name in classes.names],
        classes.groups * 4)


def read_drawings(path, kind, size, fitted=False):
    """An archive's characters ("Alphabet/character01"), drawings of each, and images (M, size, size, 1)."""
    with open_archive(path) as archive:
        drawings = list_drawings(archive, kind)
        entries = [entry for of_character in drawings.values() for entry in of_character]

        def decode_all():
            progress = tqdm(entries, desc=f"reading Omniglot, {kind}", unit=" drawings", ascii=True,
                            leave=False)
            return np.stack([decode(read_entry(archive, entry), size, fitted) for entry in progress])

        content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        reading = f"{size}{'-fitted' * fitted}"
        images = cached(f"omniglot-v{VERSION}-{kind}-{reading}-pillow{PIL.__version__}-{content}", decode_all,
                        (len(entries), size, size, 1))
    return list(drawings), [len(of_character) for of_character in drawings.values()], images


def list_drawings(archive, kind):
    """{"Alphabet/character01": [its entries]}, sorted.

    Raises: ValueError, with counts, if some are missing.
    """
    drawings = defaultdict(list)
    for entry in sorted(archive.namelist()):
        folders, _, file = entry.rpartition("/")
        if file.endswith(".png") and not file.startswith("."):      # Macs add a hidden ._ file for each file
            drawings["/".join(folders.split("/")[-2:])].append(entry)
    found = (len({name.split("/")[0] for name in drawings}), len(drawings), sum(map(len, drawings.values())))
    compare(found, EXPECTED[kind])
    return dict(drawings)


def decode(png, size, fitted=False):
    """The bytes of a drawing, 1-bit with ink black, as (size, size, 1) uint8: ink 255 on paper 0."""
    try:
        with Image.open(io.BytesIO(png)) as image:
            if image.size != (SIDE, SIDE):      # before anything is decoded, however large it claims to be
                raise ValueError(f"a drawing has {image.width} x {image.height} pixels instead of {SIDE} x {SIDE}")
            grey = image.convert("L")       # first: Pillow resizes 1-bit images by leaving out pixels
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:     # what Pillow raises on broken bytes
        raise ValueError(f"a drawing cannot be decoded, {error}") from error
    if fitted and grey.getextrema()[0] < 128:
        return at_size(fit(255 - np.asarray(grey)), size)
    if size != SIDE:
        grey = grey.resize((size, size), Image.Resampling.LANCZOS)
    return 255 - np.asarray(grey)[..., None]


# --- The official one-shot runs --------------------------------------------------------------------------


class Run(NamedTuple):
    """20 characters of one alphabet, drawn once by one person, and drawings of another person to be assigned to them.

    train_images: (20, size, size, 1) uint8, one of each character.   test_images: (20, size, size, 1) uint8.
    test_labels:  (20,) integers, positions in train_images.
    """

    train_images: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_runs(root=None, size=28):
    """The 20 runs on which Lake et al. (2015) compare people and machines, a list of Run.

    Their characters belong to the evaluation set, so test only networks that were trained on the background set.

    Raises: FileNotFoundError and ValueError like `load`.
    """
    with open_archive(find("runs", root)) as archive:
        return [read_run(archive, folder, size) for folder in list_runs(archive)]


def list_runs(archive):
    """The folders of the runs, sorted.

    Raises: ValueError, with counts, if some are missing.
    """
    labels, training, test = ([name for name in sorted(archive.namelist()) if re.fullmatch(pattern, name)]
                              for pattern in (r"run\d+/class_labels\.txt", r"run\d+/training/class\d+\.png",
                                              r"run\d+/test/item\d+\.png"))
    compare((len(labels), len(training), len(test)), EXPECTED["runs"])
    return [name.removesuffix("/class_labels.txt") for name in labels]


def read_run(archive, folder, size):
    """The Run in a folder of the archive; each line of its class_labels.txt is "TEST_FILE TRAINING_FILE"."""
    words = read_entry(archive, f"{folder}/class_labels.txt").decode("ascii").split()
    test, answers = words[0::2], words[1::2]
    training = sorted(set(answers))                 # class01.png, class02.png, ...
    train_images, test_images = (np.stack([decode(read_entry(archive, file), size) for file in files])
                                 for files in (training, test))
    return Run(train_images, test_images, np.array([training.index(answer) for answer in answers]))


# --- Where the archives are, and whether they are complete -----------------------------------------------


def roots(root=None):
    """The folders to look in, in this order: `root` alone, or $FEWSHOT_NP_DATA and the user's data folder."""
    if root:
        return [at_home(root)]
    variable = os.environ.get("FEWSHOT_NP_DATA")
    return [at_home(folder) for folder in (variable, user_folder("data")) if folder]


def archive_folder(root):
    """The folder of the archives: root/omniglot, or `root` itself if that is its name or holds one of them."""
    inside = root / "omniglot"
    is_it = root.name == "omniglot" or any((root / file).exists() for file in FILES.values())
    return root if is_it and not inside.is_dir() else inside


def find(kind, root=None):
    """The path of the archive `kind`, a key of FILES.

    Raises: FileNotFoundError, naming the folders that were searched.
    """
    folders = [archive_folder(folder) for folder in roots(root)]
    for folder in folders:
        if (folder / FILES[kind]).is_file():
            return folder / FILES[kind]
    command = f"{COMMAND} --data-root {root}" if root else COMMAND
    raise FileNotFoundError(f"Omniglot's {FILES[kind]} is not in {' nor in '.join(map(str, folders))}. "
                            f"`{command}` downloads it; --data-root or the variable FEWSHOT_NP_DATA name "
                            "another folder that holds omniglot/.")


def compare(found, expected):
    """Compare the numbers found with `expected`, {what: how many}.

    Raises: ValueError, with both, if they differ.
    """
    if found != tuple(expected.values()):
        counts = [", ".join(f"{n} {what}" for n, what in zip(numbers, expected, strict=True))
                  for numbers in (found, expected.values())]
        raise ValueError(f"found {counts[0]}; expected {counts[1]}")


def read_entry(archive, name):
    """The bytes of an entry, which may not be longer than any of Omniglot's, whatever it claims to unpack to.

    Raises: ValueError if it is, or if it cannot be unpacked.
    """
    try:
        with archive.open(name) as entry:
            content = entry.read(LONGEST + 1)
    except Exception as error:      # encryption, compressions and damaged bytes each have kinds of their own
        raise ValueError(f"{name} cannot be unpacked, {error}") from error
    if len(content) > LONGEST:
        raise ValueError(f"{name} unpacks to more than {LONGEST:,} bytes")
    return content


@contextlib.contextmanager
def open_archive(path, source=None):
    """Open a zip archive for the block.

    Raises: ValueError, naming `source` or else the path, for anything wrong with the archive in the block.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, NotImplementedError, OverflowError) as error:
        remedy = "" if source else f" (`{COMMAND}`, with the same --data-root if there is one, fetches it again)"
        raise ValueError(f"{source or path} is damaged, cut off, or not Omniglot's: {error}{remedy}") from error


def check(path, kind, source=None):
    """Check that the archive at `path` is complete: all its drawings are there, each with the right CRC-32.

    Raises: ValueError if it is not.
    """
    with open_archive(path, source) as archive:
        list_runs(archive) if kind == "runs" else list_drawings(archive, kind)
        for entry in archive.namelist():        # reading to its end compares the checksum
            read_entry(archive, entry)


# --- The download ----------------------------------------------------------------------------------------


def download(folder, url=URL):
    """Fetch into `folder` the archives that are missing or incomplete.

    Each is written to a temporary file, checked, and moved into place only if it is complete.

    Raises: ConnectionError for errors of the network, ValueError for an incomplete archive, OSError for errors of the
    disk.
    """
    for kind, file in FILES.items():
        contents = ", ".join(f"{n} {what}" for what, n in EXPECTED[kind].items())
        if is_whole(folder / file, kind):
            print(f"{file}: already there, {contents}")
            continue
        with write_atomically(folder / file) as part:
            fetch(f"{url}/{file}", part)
            part.flush()
            check(part.name, kind, source=f"{url}/{file}")
        print(f"{file}: {contents}")


def is_whole(path, kind):
    """Whether there is an archive at `path` that passes the check."""
    try:
        check(path, kind)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return True


def fetch(url, file):
    """Write the content of `url` to the open `file`, with a progress bar.

    Raises: ConnectionError.
    """
    # Imported here because every lesson imports this module, and hardly anybody downloads.
    import requests
    from pooch import HTTPDownloader

    # Without a rate, because pooch restarts the bar at the end, which would make it meaningless.
    shape = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}B"
    try:
        with tqdm(total=1, desc=url.rpartition("/")[2], unit_scale=True, ascii=True, bar_format=shape) as bar:
            HTTPDownloader(progressbar=bar, chunk_size=1 << 16)(url, file, None)
    except requests.HTTPError as error:
        raise ConnectionError(f"{url}: the server answered {error.response.status_code} "
                              f"{error.response.reason}") from error
    except requests.Timeout as error:
        raise ConnectionError(f"{url}: the server did not answer in time") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise ConnectionError(f"{url}: the connection was cut off") from error
    except requests.ConnectionError as error:
        raise ConnectionError(f"{url}: no connection; is there a network?") from error
    except requests.RequestException as error:
        raise ConnectionError(f"{url}: {error}") from error


def main(arguments=None):
    """Download Omniglot (18 MB), or what is missing of it."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--data-root", metavar="FOLDER", help="put it into FOLDER/omniglot (default: "
                        "$FEWSHOT_NP_DATA, else the user's data folder)")
    parser.add_argument("--url", default=URL, help="a mirror of the official archives")
    options = parser.parse_args(arguments)
    folder = archive_folder(roots(options.data_root)[0])
    try:
        download(folder, options.url.rstrip("/"))
    except (ConnectionError, ValueError) as error:
        sys.exit(f"{error}\nThe archives that arrived before are kept; the same command fetches the rest.")
    except OSError as error:
        sys.exit(f"cannot write into {folder}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("stopped by hand; the archives that arrived before are complete")
    print(f"Omniglot is in {folder}")


if __name__ == "__main__":
    main()
