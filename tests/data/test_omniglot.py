"""Omniglot: small archives of the official structure, a server on loopback, and the real data where it is."""

import contextlib
import errno
import functools
import http.server
import io
import os
import threading
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from fewshot_np.data import cache, omniglot
from tests.data import archives
from tests.data.archives import huge_png, packed, png
from tests.scaffolding import needs_omniglot, no_space

# The small archives: {alphabet: number of characters}, two drawings of each.
SMALL = {"background": {"Greek": 2, "Latin": 1}, "evaluation": {"Tengwar": 2}, "small1": {"Greek": 2},
         "small2": {"Latin": 1}}
COUNTS = {**{kind: archives.counts(alphabets) for kind, alphabets in SMALL.items()},
          "runs": {"runs": 2, "training drawings": 6, "test drawings": 6}}


def ink_of(number):
    """The same drawing as an array, 105 x 105, ink 255 on paper 0."""
    with Image.open(io.BytesIO(png(number))) as image:
        return np.where(np.asarray(image), 0, 255)


def drawings(kind):
    """The entries of a small archive."""
    return archives.drawings(kind, SMALL[kind])


def runs():
    """Two runs of three characters; test item k of run 1 is of class 2, 3, 1 and of run 2 of 3, 2, 1."""
    entries = {}
    for run, classes in [("run01", (2, 3, 1)), ("run02", (3, 2, 1))]:
        for k in (1, 2, 3):
            entries[f"{run}/training/class{k:02d}.png"] = png(k)
            entries[f"{run}/test/item{k:02d}.png"] = png(10 + classes[k - 1])
        entries[f"{run}/class_labels.txt"] = "".join(
            f"{run}/test/item{k:02d}.png {run}/training/class{c:02d}.png\r\n"
            for k, c in enumerate(classes, 1))
    return entries


@functools.cache
def small_archives():
    """{file: bytes} of all five."""
    return {file: packed(runs() if kind == "runs" else drawings(kind)) for kind, file in omniglot.FILES.items()}


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch, request):
    """Cache and data folders of the test's own, and the counts of the small archives."""
    if "real_data" in request.fixturenames:
        return
    monkeypatch.setenv("FEWSHOT_NP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FEWSHOT_NP_DATA", raising=False)
    monkeypatch.setattr(cache.platformdirs, "user_data_dir", lambda name: str(tmp_path / "user" / name))
    monkeypatch.setattr(omniglot, "EXPECTED", COUNTS)


@pytest.fixture
def root(tmp_path):
    """A folder with the small archives."""
    for file, data in small_archives().items():
        (tmp_path / "data/omniglot" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data/omniglot" / file).write_bytes(data)
    return tmp_path / "data"


# --- The classes -----------------------------------------------------------------------------------------


def test_the_classes_of_each_split_and_of_background_and_evaluation(root):
    classes, whole = omniglot.load(root, "background"), omniglot.load(root)
    assert classes.names == ("Greek/character01", "Greek/character02", "Latin/character01")
    assert classes.groups == ("Greek", "Greek", "Latin")
    assert classes.images.shape == (6, 28, 28, 1)
    assert whole.names == (*classes.names, "Tengwar/character01", "Tengwar/character02")
    assert whole.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert np.array_equal(whole.images[:6], classes.images)
    assert np.array_equal(whole.images[6:], omniglot.load(root, "evaluation").images)
    assert [len(omniglot.load(root, split)) for split in ("small1", "small2")] == [2, 1]


def test_the_original_size_is_the_original_drawing_and_resizing_averages(root):
    images = omniglot.load(root, "background", size=105).images
    assert images.shape == (6, 105, 105, 1)
    assert all(np.array_equal(image[..., 0], ink_of(number)) for number, image in enumerate(images))
    image = omniglot.load(root, "background").images[5, ..., 0]
    assert len(np.unique(image)) > 10      # if it were resized before it was grey, there would be only 0 and 255
    assert image.mean() == pytest.approx(ink_of(5).mean(), rel=0.15)


def test_the_order_of_the_archive_and_what_macs_add_to_it_make_no_difference(root):
    before = omniglot.load(root, "background")
    shuffled = dict(sorted(drawings("background").items(), key=lambda item: item[0][::-1]))
    clutter = {"images_background/": b"", "images_background/.DS_Store": b"", "images_background/README.txt": b"",
               "__MACOSX/images_background/Greek/character01/._0001_01.png": b"",
               "images_background/Greek/character01/._0001_01.png": b""}
    (root / "omniglot/images_background.zip").write_bytes(packed(clutter | shuffled))
    after = omniglot.load(root, "background")
    assert after.names == before.names
    assert np.array_equal(after.images, before.images)


@pytest.mark.parametrize("bad", [{"split": "train"}, {"split": "runs"}, {"size": 0}])
def test_impossible_arguments(root, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        omniglot.load(root, **bad)


def test_rotations_are_further_classes(root):
    classes = omniglot.load(root, "background")
    turned = omniglot.with_rotations(classes)
    assert len(turned) == 12
    assert turned.names[0::3] == ("Greek/character01", "Greek/character01/rot090",
                                  "Greek/character01/rot180", "Greek/character01/rot270")
    assert turned.groups == classes.groups * 4
    for k in range(3):
        upright = classes.images[classes.images_of[k]]
        for turns in range(4):
            images = turned.images[turned.images_of[k + 3 * turns]]
            assert np.array_equal(images, np.rot90(upright, turns, axes=(1, 2)))


def test_runs(root):
    first, second = omniglot.load_runs(root, size=105)
    assert first.test_labels.tolist() == [1, 2, 0]
    assert second.test_labels.tolist() == [2, 1, 0]
    assert first.train_images.shape == first.test_images.shape == (3, 105, 105, 1)
    for run in (first, second):
        for k, image in enumerate(run.train_images, 1):
            assert np.array_equal(image[..., 0], ink_of(k))
        for label, image in zip(run.test_labels, run.test_images, strict=True):
            assert np.array_equal(image[..., 0], ink_of(11 + label))
    assert omniglot.load_runs(root)[0].test_images.shape == (3, 28, 28, 1)


def test_drawings_are_decoded_once_for_each_archive(root, monkeypatch):
    before = omniglot.load(root, "small2")
    with monkeypatch.context() as patch:
        patch.setattr(omniglot, "decode", None)
        assert np.array_equal(omniglot.load(root, "small2").images, before.images)
    changed = dict.fromkeys(drawings("small2"), png(9))
    (root / "omniglot/images_background_small2.zip").write_bytes(packed(changed))
    assert np.array_equal(omniglot.load(root, "small2", size=105).images[1, ..., 0], ink_of(9))
    assert np.array_equal(*omniglot.load(root, "small2").images)


# --- Where it looks --------------------------------------------------------------------------------------


def test_the_places_where_archives_are_found(root, tmp_path, monkeypatch):
    assert len(omniglot.load(root)) == len(omniglot.load(str(root / "omniglot"))) == 5
    for folder in (root, root / "omniglot", root / "under another name", ""):
        monkeypatch.setenv("FEWSHOT_NP_DATA", str(folder))
        if folder == root / "under another name":
            (root / "omniglot").rename(folder)
        if not folder:      # the user's data folder is left
            (tmp_path / "user/fewshot_np").mkdir(parents=True)
            (root / "under another name").rename(tmp_path / "user/fewshot_np/omniglot")
        assert len(omniglot.load()) == 5


def test_a_missing_archive_names_the_places_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("FEWSHOT_NP_DATA", str(tmp_path / "variable"))
    with pytest.raises(FileNotFoundError) as caught:
        omniglot.load()
    for word in ("images_background.zip", str(tmp_path / "variable"), str(tmp_path / "user"), omniglot.COMMAND,
                 "FEWSHOT_NP_DATA"):
        assert word in str(caught.value)
    with pytest.raises(FileNotFoundError) as caught:
        omniglot.load_runs(tmp_path / "given")
    assert f"--data-root {tmp_path / 'given'}" in str(caught.value)
    assert str(tmp_path / "variable") not in str(caught.value)      # who names a folder means that one


# --- Archives that are not whole -------------------------------------------------------------------------


def test_a_partial_archive_is_detected_by_its_counts(root):
    path, runs_path = (root / "omniglot" / omniglot.FILES[kind] for kind in ("background", "runs"))
    path.write_bytes(packed({name: png for name, png in drawings("background").items() if "Latin" not in name}))
    with pytest.raises(ValueError, match="found 1 alphabets, 2 characters, 4 drawings; "
                                         "expected 2 alphabets, 3 characters, 6 drawings") as caught:
        omniglot.load(root)
    assert str(path) in str(caught.value)
    assert omniglot.COMMAND in str(caught.value)
    runs_path.write_bytes(packed({name: png for name, png in runs().items() if name != "run02/test/item03.png"}))
    with pytest.raises(ValueError, match=r"found 2 runs, 6 training drawings, 5 test drawings; expected .* 6 test"):
        omniglot.load_runs(root)


def with_a_drawing(content):
    return lambda data: packed(drawings("background") | {"images_background/Latin/character01/0001_01.png": content})


def flagged(position, value, length=2):
    """Every entry's header, in both places that have one, with other bytes at a position (that of the local header)."""
    def change(data):
        data = bytearray(data)
        for mark, more in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
            at = data.find(mark)
            while at >= 0:
                data[at + position + more:at + position + more + length] = value.to_bytes(length, "little")
                at = data.find(mark, at + 4)
        return bytes(data)
    return change


def with_a_bomb(data):
    """An entry of a few hundred bytes that unpacks to a hundred megabytes."""
    whole, entries = io.BytesIO(), drawings("background")
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content if not name.endswith("character01/0001_01.png") else bytes(10 ** 8))
    return whole.getvalue()


DAMAGES = {  # name: (what is done to the archive, what the message says of it)
    "empty": (lambda data: b"", "not a zip file"),
    "half": (lambda data: data[:len(data) // 2], "not a zip file"),
    "a web page": (lambda data: b"<html>not here</html>", "not a zip file"),
    "bytes changed": (lambda data: data.replace(png(1), png(1)[:-20] + bytes(20)), "Bad CRC-32"),
    "encrypted": (flagged(6, 1), "encrypted"),
    "unknown compression": (flagged(8, 77), "compression"),
    "version of tomorrow": (flagged(4, 255), "version"),
    "bomb": (with_a_bomb, "unpacks to more than 100,000 bytes"),
    "drawing that is no picture": (with_a_drawing(b"no picture"), "cannot be decoded"),
    "drawing cut off": (with_a_drawing(png(1)[:60]), "cannot be decoded"),
    "drawing too small": (with_a_drawing(png(1, side=28)), "28 x 28 pixels"),
    "drawing too large": (with_a_drawing(huge_png(12_000, 12_000)), "12000 x 12000 pixels"),
    "drawing that is a bomb": (with_a_drawing(huge_png(60_000, 60_000)), "decompression bomb"),
}


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_archive_is_refused_and_loaded_anew_but_not_a_whole_one_of_other_drawings(mirror, root, name):
    path, (damage, message) = root / "omniglot/images_background.zip", DAMAGES[name]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"images_background\.zip is damaged, cut off, or not Omniglot's") as caught:
        omniglot.load(root)
    assert message in str(caught.value)
    assert omniglot.is_whole(path, "background") == name.startswith("drawing")
    omniglot.main(["--data-root", str(root), "--url", mirror.url])
    assert mirror.asked == ([] if name.startswith("drawing") else ["images_background.zip"])


# --- The download ----------------------------------------------------------------------------------------


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves server.archives; {path: function(handler, data)} in server.tricks answers otherwise."""

    def do_GET(self):
        path = self.path.removeprefix("/python/")
        self.server.asked.append(path)
        self.server.tricks.get(path, answer)(self, self.server.archives.get(path, b""))

    def log_message(self, *words):
        pass


def answer(handler, data, length=None, status=200):
    handler.send_response(status)
    if length is not None or status == 200:
        handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    with contextlib.suppress(OSError):      # the client may have gone
        handler.wfile.write(data)


def without_length(handler, data):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(data)


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.archives, server.tricks, server.asked = dict(small_archives()), {}, []
    server.url = f"http://127.0.0.1:{server.server_port}/python"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def present(folder):
    """All files below the folder, as a set of relative paths; temporary ones would be among them."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["given", "variable", "user/fewshot_np"])
def test_downloads_everything_to_where_it_will_be_looked_for(mirror, tmp_path, monkeypatch, capsys, place):
    mirror.tricks |= {"images_evaluation.zip": without_length} if place == "given" else {}
    if place == "variable":
        monkeypatch.setenv("FEWSHOT_NP_DATA", str(tmp_path / "variable" / "omniglot"))
    root = tmp_path / place if place == "given" else None
    omniglot.main(["--url", mirror.url + "/", *(["--data-root", str(root)] if root else [])])
    assert present(tmp_path / place) == {f"omniglot/{file}" for file in omniglot.FILES.values()}
    assert len(omniglot.load(root)) == 5
    assert len(omniglot.load_runs(root)) == 2
    captured = capsys.readouterr()
    assert str(tmp_path / place) in captured.out
    assert (captured.out + captured.err).isascii()


def half(handler, data):
    answer(handler, data[:len(data) // 2], length=len(data))


TRICKS = {
    "cut off": (half, "the connection was cut off"),
    "cut off without a length": (lambda handler, data: without_length(handler, data[:len(data) // 2]),
                                 "damaged, cut off, or not Omniglot's"),
    "another archive": (lambda handler, data: answer(handler, packed({"a.txt": b""})), "found 0 alphabets"),
    "not there": (lambda handler, data: answer(handler, b"", status=404), "the server answered 404"),
    "silence": (lambda handler, data: time.sleep(0.5), "did not answer in time"),
}


def failure_of_download(folder, url):
    """What is printed to stderr when the download fails, with exit code 1."""
    with pytest.raises(SystemExit) as caught:
        omniglot.main(["--data-root", str(folder), "--url", url])
    assert isinstance(caught.value.code, str)
    return caught.value.code


@pytest.mark.parametrize("trick", TRICKS)
def test_what_arrives_broken_is_never_kept_and_an_older_file_is(mirror, tmp_path, monkeypatch, trick):
    monkeypatch.setattr("pooch.downloaders.DEFAULT_TIMEOUT", 0.2)
    path = tmp_path / "data/omniglot/images_evaluation.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"partial, but the reader's")
    mirror.tricks[path.name], message = TRICKS[trick]
    failure = failure_of_download(tmp_path / "data", mirror.url)
    assert message in failure
    assert f"{mirror.url}/images_evaluation.zip" in failure
    assert present(tmp_path / "data") == {"omniglot/images_background.zip", "omniglot/images_evaluation.zip"}
    assert path.read_bytes() == b"partial, but the reader's"
    mirror.tricks.clear()
    mirror.asked.clear()
    omniglot.main(["--data-root", str(tmp_path / "data"), "--url", mirror.url])
    assert mirror.asked == list(omniglot.FILES.values())[1:]      # what is whole is not fetched again
    assert len(omniglot.load(tmp_path / "data")) == 5


def test_no_network_and_an_impossible_url(tmp_path, mirror):
    closed = http.server.HTTPServer(("127.0.0.1", 0), Mirror)
    closed.server_close()      # nobody listens at this port
    for url, message in [(f"http://127.0.0.1:{closed.server_port}", "no connection; is there a network?"),
                         ("nonsense", "nonsense"), ("ftp://127.0.0.1/omniglot", "ftp://127.0.0.1/omniglot")]:
        assert message in failure_of_download(tmp_path / "data", url)
        assert present(tmp_path / "data") == set()


def test_no_space_and_a_folder_that_cannot_be_made(mirror, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file")
    assert "cannot write into" in failure_of_download(tmp_path / "file", mirror.url)
    monkeypatch.setattr("os.replace", no_space)
    assert failure_of_download(tmp_path / "data", mirror.url) == (
        f"cannot write into {tmp_path / 'data/omniglot'}: {os.strerror(errno.ENOSPC)}")
    assert present(tmp_path / "data") == set()


def test_stopped_by_hand(mirror, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(omniglot, "check", stop)
    assert "stopped by hand" in failure_of_download(tmp_path / "data", mirror.url)
    assert present(tmp_path / "data") == set()


# --- The real data ---------------------------------------------------------------------------------------


@pytest.fixture
def real_data():
    """The real archives' folder; they are decoded once for all tests, into the cache of the session."""
    return os.environ["FEWSHOT_NP_DATA"]


@needs_omniglot
def test_the_real_characters(real_data):
    classes = omniglot.load(real_data)
    assert classes.images.shape == (32460, 28, 28, 1)
    assert len(classes) == len(set(classes.names)) == 1623
    assert set(np.bincount(classes.labels)) == {20}
    assert (classes.names[0], classes.names[-1]) == ("Alphabet_of_the_Magi/character01", "ULOG/character26")
    assert (len(set(classes.groups)), len(set(classes.groups[:964]))) == (50, 30)
    assert set(classes.groups[:964]).isdisjoint(classes.groups[964:])
    assert (classes.images.max((1, 2, 3)) > 100).all()
    assert 0.03 < classes.images.mean() / 255 < 0.15      # ink is the smaller part
    braille = classes.images[classes.images_of[classes.names.index("Braille/character01")]]
    assert np.array_equal(braille[2], braille[18])


@needs_omniglot
@pytest.mark.parametrize("split", ["small1", "small2"])
def test_the_real_small_backgrounds_are_parts_of_the_background(real_data, split):
    small, background = omniglot.load(real_data, split), omniglot.load(real_data, "background")
    same = background.subset([background.names.index(name) for name in small.names])
    assert np.array_equal(small.images, same.images)


@needs_omniglot
def test_the_real_runs(real_data):
    errors = []
    for run in omniglot.load_runs(real_data, size=105):
        assert sorted(run.test_labels) == list(range(20))
        train, test = (images.reshape(20, -1).astype(np.float32) for images in (run.train_images, run.test_images))
        distances = ((test[:, None] - train) ** 2).sum(-1)
        errors.append((distances.argmin(1) != run.test_labels).mean())
    assert np.mean(errors) == pytest.approx(0.81)
