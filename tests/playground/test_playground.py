"""The server, the files that the page reads, and what Python knows of the page; no browser is needed here."""

import contextlib
import http.client
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial

import numpy as np
import pytest

from fewshot_np.lesson4_siamese import embed_by_reference
from fewshot_np.nn.networks import conv4
from fewshot_np.playground import block_statistics, embed_with_statistics, head_for, read_arrays, write_arrays
from fewshot_np.playground import export as export_run
from fewshot_np.playground.server import PAGE
from tests.playground.browser import served

ALL_FILES = [path for path in PAGE.rglob("*") if path.is_file()]
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in ALL_FILES if path.suffix in (".js", ".html", ".css")}

# ---------------------------------------------------------------- the server


def test_every_file_is_served_and_scripts_are_scripts():
    with served() as address:
        for path in ALL_FILES:
            with urllib.request.urlopen(address + path.relative_to(PAGE).as_posix()) as answer:
                assert answer.read() == path.read_bytes()
                if path.suffix == ".js":
                    assert answer.headers["Content-Type"].startswith("text/javascript")
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == (PAGE / "index.html").read_bytes()


def test_nothing_outside_the_folder_is_served(tmp_path):
    folder = tmp_path / "page"
    (folder / "empty").mkdir(parents=True)
    (folder / "index.html").write_text("page", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with contextlib.suppress(OSError):  # Windows asks for a right
        (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    with served(folder) as address:
        host = address.removeprefix("http://").rstrip("/")
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/empty/", "/no.txt",
                     f"/{tmp_path}/secret.txt"):
            connection = http.client.HTTPConnection(host, timeout=5)
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 404, path
            assert b"secret" not in answer.read().replace(b"secret.txt", b"")
            connection.close()


def test_the_command_prints_its_address_and_ends_at_ctrl_c():
    command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
               "from fewshot_np.playground.__main__ import main; main(['--no-browser'])"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline()).group()
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert b"<title>" in answer.read()
        if sys.platform == "win32":
            process.terminate()
            return
        process.send_signal(2)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "ended" in out
        assert err == ""


def test_a_port_that_is_taken_or_impossible_is_a_message():
    with served() as address:
        taken = address.rstrip("/").rpartition(":")[2]
        for port, words in [(taken, f"port {taken} cannot be used"), ("99999", "is not a port"),
                            ("x", "is not a port")]:
            done = subprocess.run([sys.executable, "-m", "fewshot_np.playground", "--no-browser", "--port", port],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode
            assert words in done.stderr
            assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- the files


def test_sizes_stay_within_what_was_promised():
    sizes = {path.name: path.stat().st_size for path in ALL_FILES}
    assert sizes["networks.bin"] <= 350_000  # all that is needed before the first stroke
    assert sum(sizes.values()) < 1_400_000


def test_arrays_survive_the_file_and_damage_is_detected(tmp_path):
    path = tmp_path / "weights" / "file.bin"
    arrays = {"a.w": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.float32([0.1, -1e9]),
              "c": np.uint8([[0], [255]]), "d": np.zeros((0, 4), np.float32)}
    write_arrays(path, arrays, {"rate": 0.4})
    read, settings = read_arrays(path)
    assert settings == {"rate": 0.4}
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:10], b"", b"fewshot!" + whole[8:], whole[:-1] + b"\7", whole + b"\0",
                    whole[:12] + b"{}" + whole[14:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"file\.bin is damaged or not"):
            read_arrays(path)
    with pytest.raises(ValueError, match="float64"):
        write_arrays(path, {"x": np.zeros(3)}, {})


def test_given_statistics_are_those_of_reference_images_beside_each_image():
    network = conv4(channels=8, down="stride")
    rng = np.random.default_rng(0)
    params = network.init(rng)
    reference, images = rng.random((20, 28, 28, 1)).astype("float32"), rng.random((4, 28, 28, 1)).astype("float32")
    mine = embed_with_statistics(params, block_statistics(params, reference), images)
    np.testing.assert_allclose(mine, embed_by_reference(network, params, reference, images), atol=2e-5)


def test_a_head_for_any_number_of_classes_keeps_the_trained_columns():
    params = conv4(outputs=5, channels=8).init(np.random.default_rng(0))
    for n_way in (2, 5, 8):
        head = head_for(params, n_way)["head"]
        assert head["w"].shape[1] == len(head["b"]) == n_way
        for n in range(n_way):
            np.testing.assert_array_equal(head["w"][:, n], params["head"]["w"][:, n % 5])


@pytest.mark.slow
def test_the_export_writes_what_the_page_needs(tmp_path, monkeypatch):
    """With networks that hardly trained: the runs are replaced by the lessons' own quick ones."""
    committed, _ = read_arrays(PAGE / "weights" / "networks.bin")

    def quick(runs):
        for lesson in ("lesson3_metric", "lesson4_siamese", "lesson4_maml"):
            run = export_run.import_module(f"fewshot_np.{lesson}.__main__").main
            run(["--quick", "--channels", "32", "--iterations", "2", "--episodes", "2", "--out", str(runs / lesson),
                 *(["--sinusoid-iterations", "2"] if lesson == "lesson4_maml" else [])])

    monkeypatch.setattr(export_run, "train_all", quick)
    monkeypatch.setattr(export_run.glyphs, "load", partial(export_run.glyphs.load, quick=True))
    monkeypatch.setattr(export_run, "CHARACTERS", 30)
    export_run.main(["--out", str(tmp_path)])
    arrays, settings = read_arrays(tmp_path / "networks.bin")
    assert {name: (a.shape, a.dtype) for name, a in arrays.items()} == {
        name: (a.shape, a.dtype) for name, a in committed.items()}
    assert settings["threshold"] > 0
    assert set(settings["sinusoid_rates"]) == {"maml", "pretrained", "random"}
    characters, names = read_arrays(tmp_path / "characters.bin")
    assert characters["images"].shape == (30, 5, 28, 28)
    assert len(set(names["names"])) == 30


def test_the_characters_are_of_unseen_scripts_and_no_drawing_is_there_twice():
    images, settings = (part for part in read_arrays(PAGE / "weights" / "characters.bin"))
    assert {name.split()[0] for name in settings["names"]} <= {"ARMENIAN", "HEBREW", "GEORGIAN", "TIFINAGH"}
    drawings = images["images"].reshape(-1, 784)
    assert len(np.unique(drawings, axis=0)) == len(drawings) == 600


# ---------------------------------------------------------------- the texts and the sources


def strings():
    """{key: [English, Chinese]} of strings.js, whose table is JSON but for the trailing commas."""
    table = re.search(r"export const STRINGS = (\{.*?\n\});", SOURCES["strings.js"], re.DOTALL).group(1)
    return json.loads(re.sub(r",(\s*)\}", r"\1}", table))


def test_every_text_exists_in_both_languages_with_the_same_values():
    for key, (english, chinese) in strings().items():
        assert english.strip(), key
        assert chinese.strip(), key
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", chinese)), key


def test_every_text_that_the_page_asks_for_exists():
    keys = strings()
    asked = re.findall(r'data-t(?:-label)?="([\w.]+)"', SOURCES["index.html"])
    asked += [key for source in SOURCES.values() for key in re.findall(r'\bt\("([\w.]+)"', source)]
    assert not set(asked) - set(keys)
    assert len(asked) > 60


def test_the_page_asks_nothing_of_other_servers():
    for name, source in SOURCES.items():
        code = re.sub(r"^\s*//.*$|http://www\.w3\.org/2000/svg", "", source, flags=re.MULTILINE)
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", code), name
    assert "default-src 'self'" in SOURCES["index.html"]


def test_colours_are_those_of_the_figures():
    from fewshot_np.experiment import figures

    for colour in (figures.BLUE, figures.ORANGE, figures.GREEN, figures.PINK, figures.SKY, figures.RED):
        assert colour.lower() in SOURCES["style.css"]
