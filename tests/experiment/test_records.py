"""Records and parameter files: whole or absent, read back as they were, and nothing foreign overwritten."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from fewshot_np.experiment import records
from fewshot_np.experiment.records import (
    CHECKPOINT_FORMAT,
    PARAMS_FORMAT,
    RECORD_FORMAT,
    Checkpoint,
    check_folder,
    check_replaceable,
    comparable_options,
    load_checkpoint,
    load_params,
    read_record,
    save_checkpoint,
    save_params,
    write_record,
)

PARAMS = {"block1": {"w": np.arange(6.0, dtype="float32").reshape(2, 3), "inner": {"gamma": np.ones(2)}},
          "rate": np.array(0.25), "step": np.array(7, "int64"), "empty": np.zeros((0, 3), "float32")}
OPTIONS = SimpleNamespace(seed=3, n_way=5, quick=False, data_root=None, out=Path("somewhere"))
METRICS = {"accuracy": {"mean": 0.8, "interval": 0.01}}


def assert_same(first, second):
    """Equal keys, types, shapes and bytes."""
    assert isinstance(first, dict) == isinstance(second, dict)
    if isinstance(first, dict):
        assert set(first) == set(second)
        for key in first:
            assert_same(first[key], second[key])
    else:
        assert (first.dtype, first.shape) == (second.dtype, second.shape)
        assert first.tobytes() == second.tobytes()


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(*args, **kwargs):
    raise OSError(28, "No space left on device")


# ---------------------------------------------------------------- parameters


def test_parameters_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "folder" / "params.npz"
    assert save_params(path, PARAMS) == path
    assert_same(load_params(path), PARAMS)
    assert files(path.parent) == ["params.npz"]


def test_parameters_with_nan_and_infinity_come_back(tmp_path):
    params = {"w": np.array([np.nan, np.inf, -0.0])}
    assert_same(load_params(save_params(tmp_path / "p.npz", params)), params)


def test_parameters_in_any_memory_order_come_back(tmp_path):
    params = {"w": np.asfortranarray(PARAMS["block1"]["w"]), "v": np.broadcast_to(np.ones(2), (3, 2))}
    loaded = load_params(save_params(tmp_path / "p.npz", params))
    np.testing.assert_array_equal(loaded["w"], params["w"])
    np.testing.assert_array_equal(loaded["v"], params["v"])


def test_a_path_may_be_text_and_needs_no_suffix(tmp_path):
    save_params(str(tmp_path / "params"), PARAMS)
    assert files(tmp_path) == ["params"]
    assert_same(load_params(str(tmp_path / "params")), PARAMS)


def test_saving_again_replaces(tmp_path):
    path = save_params(tmp_path / "p.npz", PARAMS)
    save_params(path, {"other": np.ones(2)})
    assert set(load_params(path)) == {"other"}


def test_a_file_that_is_not_there_is_just_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_params(tmp_path / "none.npz")
    check_replaceable(tmp_path / "none.npz")


@pytest.mark.parametrize("key", ["args", "w.npy", "a b", "file", "format", "a/b", "arr_0", "größe", ""])
def test_every_key_comes_back(tmp_path, key):
    params = {key: np.ones(2), "other": {key: np.zeros(3)}}
    assert_same(load_params(save_params(tmp_path / "p.npz", params)), params)


def test_objects_are_not_saved_over_good_parameters(tmp_path):
    path = save_params(tmp_path / "p.npz", PARAMS)
    for objects in (np.array([None, "text"], dtype=object), None, np.array([(1, None)], dtype="i4,O")):
        with pytest.raises(ValueError, match="arrays of numbers"):
            save_params(path, {"w": np.ones(2), "inner": {"v": objects}})
    assert_same(load_params(path), PARAMS)
    assert files(tmp_path) == ["p.npz"]


def test_a_parameter_file_is_a_npz_whose_first_array_names_the_others(tmp_path):
    path = save_params(tmp_path / "p.npz", {"b": {"w": np.ones(2)}, "a": np.zeros(3)})
    with np.load(path, allow_pickle=False) as file:
        assert file.files == ["arr_0", "arr_1", "arr_2"]
        assert json.loads(str(file["arr_0"])) == {"format": PARAMS_FORMAT, "names": [["b", "w"], ["a"]]}
        np.testing.assert_array_equal(file["arr_1"], np.ones(2))
        np.testing.assert_array_equal(file["arr_2"], np.zeros(3))


def damaged_files(folder):
    """(name, bytes) of files that are not parameters of this program."""
    whole = save_params(folder / "whole.npz", PARAMS).read_bytes()
    (folder / "whole.npz").unlink()
    yield "empty", b""
    yield "text", b"my own notes\n"
    for share in (0.1, 0.5, 0.9, 0.999):
        yield f"cut at {share}", whole[:int(share * len(whole))]
    middle = whole.index(PARAMS["block1"]["w"].tobytes())
    yield "a byte of an array", whole[:middle] + b"\x01" + whole[middle + 1:]
    yield "zeros", bytes(len(whole))
    yield "a byte too few in front", whole[1:]
    np.savez(folder / "a.npz", w=np.ones(3))
    yield "npz of another program", (folder / "a.npz").read_bytes()
    np.savez(folder / "a.npz", w=np.ones(3), format="their format")
    yield "npz of another format", (folder / "a.npz").read_bytes()
    np.savez(folder / "a.npz", json.dumps({"format": PARAMS_FORMAT, "names": [["w"]]}), np.array([None], dtype=object))
    yield "pickled objects", (folder / "a.npz").read_bytes()
    for header in ({"format": "their format", "names": [["w"]]}, {"format": PARAMS_FORMAT}, {"names": [["w"]]}, None,
                   {"format": PARAMS_FORMAT, "names": []}, {"format": PARAMS_FORMAT, "names": [["w"], ["v"]]},
                   {"format": PARAMS_FORMAT, "names": [[]]}, {"format": PARAMS_FORMAT, "names": None}):
        np.savez(folder / "a.npz", json.dumps(header), np.ones(3))
        yield f"header {header}", (folder / "a.npz").read_bytes()
    np.savez(folder / "a.npz")
    yield "npz without arrays", (folder / "a.npz").read_bytes()
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("format.npy", "no array")
    yield "zip without arrays", (folder / "a.npz").read_bytes()
    (folder / "a.npz").unlink()


def test_damaged_and_foreign_files_are_refused_by_name_and_left_alone(tmp_path):
    for name, content in list(damaged_files(tmp_path)):
        path = tmp_path / "p.npz"
        path.write_bytes(content)
        for act in (load_params, check_replaceable, lambda path: save_params(path, PARAMS)):
            with pytest.raises(ValueError, match=r"p\.npz is damaged or not a parameter file"):
                act(path)
            assert path.read_bytes() == content, name
        assert files(tmp_path) == ["p.npz"]


def test_a_npy_file_is_refused_by_name(tmp_path):
    with open(tmp_path / "p.npz", "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match=r"p\.npz"):
        load_params(tmp_path / "p.npz")


def test_a_folder_is_refused_by_name(tmp_path):
    (tmp_path / "p.npz").mkdir()
    for act in (load_params, check_replaceable, lambda path: save_params(path, PARAMS)):
        with pytest.raises(ValueError, match=r"p\.npz is a folder"):
            act(tmp_path / "p.npz")
    assert files(tmp_path) == ["p.npz"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("flip", [0x81, 0x08])  # 0x08 makes "stored" "deflated", and the inflater complains
def test_any_flipped_byte_is_refused_or_does_no_harm(tmp_path, flip):
    path = save_params(tmp_path / "p.npz", {"a": {"w": np.arange(3.0)}, "b": np.array(2.5)})
    whole, params = path.read_bytes(), load_params(path)
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1:])
        try:
            found = load_params(path)
        except ValueError:
            continue
        assert_same(found, params)


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "numpy.savez"])
def test_a_failed_save_keeps_the_previous_file_and_leaves_nothing_else(tmp_path, monkeypatch, broken):
    path = save_params(tmp_path / "p.npz", PARAMS)
    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(OSError, match="No space left"):
            save_params(path, {"new": np.ones(2)})
    assert files(tmp_path) == ["p.npz"]
    assert_same(load_params(path), PARAMS)


def test_a_save_broken_off_in_the_middle_keeps_the_previous_file(tmp_path, monkeypatch):
    path = save_params(tmp_path / "p.npz", PARAMS)

    def half(file, *arrays):
        file.write(b"half of")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("numpy.savez", half)
        with pytest.raises(KeyboardInterrupt):
            save_params(path, {"new": np.ones(2)})
    assert files(tmp_path) == ["p.npz"]
    assert_same(load_params(path), PARAMS)


# ---------------------------------------------------------------- checkpoints

STATE = {"step": 7, "m": {"w": np.ones((2, 3), "float32")}, "rate": 0.1 + 0.2, "tiny": np.float32(1e-40), "none": None,
         "on": True, "name": "größe", "pairs": [(1, 2.5), (2, float("nan"))], 5: (), "empty": {}, "big": 2 ** 127 + 1}
CHECKPOINT = Checkpoint(12, PARAMS, STATE, np.random.default_rng(3).bit_generator.state,
                        {"loss": np.array([1.5, 0.1]), "validation": [(5, 0.25)]},
                        {"seed": 3, "rate": 0.4, "data": "a"})


def assert_identical(first, second):
    """Equal types, keys in the same order, and bits, all the way down."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert list(first) == list(second)
        first, second = list(first.values()), list(second.values())
    if isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_identical(one, other)
    elif isinstance(first, (np.ndarray, np.generic)):
        assert_same(first, second)
    else:
        assert repr(first) == repr(second)


def test_a_checkpoint_comes_back_bit_for_bit_and_type_for_type(tmp_path):
    path = tmp_path / "new" / "c.npz"
    assert save_checkpoint(path, CHECKPOINT) == path
    assert_identical(load_checkpoint(path), CHECKPOINT)
    assert_identical(load_checkpoint(path, CHECKPOINT.options), CHECKPOINT)
    assert files(path.parent) == ["c.npz"]


def test_a_checkpoint_is_a_parameter_file_too(tmp_path):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    assert_same(load_params(path), PARAMS)
    check_folder(tmp_path)
    save_params(path, {"other": np.ones(2)})  # replaces it
    save_checkpoint(path, CHECKPOINT)
    assert_same(load_params(path), PARAMS)


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_a_generator_goes_on_where_it_was(tmp_path, kind):
    rng = np.random.Generator(kind(5))
    rng.random(7)
    rng.integers(10, dtype="int32")  # half of a 64-bit draw is left
    path = save_checkpoint(tmp_path / "c.npz", Checkpoint(1, PARAMS, generator=rng.bit_generator.state))
    other = np.random.Generator(kind(0))
    other.bit_generator.state = load_checkpoint(path).generator
    for draw in ("integers", "random", "standard_normal"):
        np.testing.assert_array_equal(getattr(rng, draw)(*[1000] * (draw == "integers"), size=50),
                                      getattr(other, draw)(*[1000] * (draw == "integers"), size=50))


def test_arrays_keep_the_order_of_their_memory(tmp_path):
    params = {"c": np.ones((2, 3)), "f": np.asfortranarray(np.ones((2, 3)))}
    loaded = load_params(save_checkpoint(tmp_path / "c.npz", Checkpoint(1, params)))
    assert {name: array.strides for name, array in loaded.items()} == {"c": (24, 8), "f": (8, 16)}


class Moments(NamedTuple):
    m: np.ndarray


@pytest.mark.parametrize("state", [{"m": {1, 2}}, Moments(np.ones(2)), [object()], np.array([None]), lambda: 0])
def test_what_cannot_come_back_is_not_saved_over_a_good_checkpoint(tmp_path, state):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    with pytest.raises(ValueError, match="a checkpoint holds dicts, lists"):
        save_checkpoint(path, CHECKPOINT._replace(state=state))
    assert_identical(load_checkpoint(path), CHECKPOINT)
    assert files(tmp_path) == ["c.npz"]


def damaged_checkpoints(folder):
    whole = save_checkpoint(folder / "whole.npz", CHECKPOINT).read_bytes()
    (folder / "whole.npz").unlink()
    yield from (whole[:int(share * len(whole))] for share in (0, 0.1, 0.5, 0.9, 0.999))
    middle = whole.index(PARAMS["block1"]["w"].tobytes())
    yield whole[:middle] + b"\x01" + whole[middle + 1:]
    for content in (None, 3, {}, {"dict": []}, {"dict": [["params", {"array": 9}]]}, {"other": []},
                    {"dict": [["a", 1]]}, {"dict": [["iteration", 1], ["params", {"array": 0}], ["more", 1]]},
                    {"array": "0"}, [], "text"):
        np.savez(folder / "a.npz", json.dumps({"format": CHECKPOINT_FORMAT, "content": content}), np.ones(3))
        yield (folder / "a.npz").read_bytes()
    np.savez(folder / "a.npz", json.dumps({"format": "fewshot_np checkpoint 9", "content": {}}), np.ones(3))
    yield (folder / "a.npz").read_bytes()
    (folder / "a.npz").unlink()


def test_damaged_and_foreign_checkpoints_are_refused_by_name_and_left_alone(tmp_path):
    for content in list(damaged_checkpoints(tmp_path)):
        path = tmp_path / "c.npz"
        path.write_bytes(content)
        for act in (load_checkpoint, load_params, check_replaceable, lambda path: save_checkpoint(path, CHECKPOINT)):
            with pytest.raises(ValueError, match=r"c\.npz is damaged or not a parameter file"):
                act(path)
        assert path.read_bytes() == content
        assert files(tmp_path) == ["c.npz"]


def test_parameters_alone_are_no_checkpoint(tmp_path):
    save_params(tmp_path / "p.npz", PARAMS)
    with pytest.raises(ValueError, match=r"p\.npz holds parameters, but not what is needed to resume"):
        load_checkpoint(tmp_path / "p.npz")


@pytest.mark.parametrize(("options", "message"), [
    ({"seed": 4, "rate": 0.4, "data": "a"}, "seed 3 then, 4 now"),
    ({"seed": 3, "rate": 0.5, "data": "b"}, "rate 0.4 then, 0.5 now; data a then, b now"),
    ({"seed": 3, "rate": 0.4}, "data a then, unknown now"),
    ({"seed": 3, "rate": 0.4, "data": "a", "workers": 2}, "workers unknown then, 2 now"),
    ({"seed": 3, "rate": 0.4, "data": None}, "data a then, None now")])
def test_a_checkpoint_of_other_options_is_refused_with_what_differs(tmp_path, options, message):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    for act in (lambda: load_checkpoint(path, options), lambda: check_folder(tmp_path, options)):
        with pytest.raises(ValueError, match=rf"c\.npz was made with other options: {message}$"):
            act()
    check_folder(tmp_path)


def test_where_files_lie_makes_no_other_options(tmp_path):
    options = vars(OPTIONS) | {"resume": False, "ways": (5, 20), "folder": Path("a")}
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT._replace(options=comparable_options(options)))
    load_checkpoint(path, options | {"resume": True, "out": Path("elsewhere"), "data_root": "there"})
    check_folder(tmp_path, options)


def test_parameters_beside_checkpoints_do_not_keep_a_run_from_being_resumed(tmp_path):
    save_params(tmp_path / "p.npz", PARAMS)
    save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    check_folder(tmp_path, CHECKPOINT.options)


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "numpy.savez"])
def test_a_failed_save_keeps_the_previous_checkpoint(tmp_path, monkeypatch, broken):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, CHECKPOINT._replace(iteration=13))
    assert files(tmp_path) == ["c.npz"]
    assert_identical(load_checkpoint(path), CHECKPOINT)


# ---------------------------------------------------------------- the record


def test_a_record_holds_what_a_result_needs(tmp_path):
    path = write_record(tmp_path / "new", "lesson0_nothing", OPTIONS, 12.345, METRICS)
    assert path == tmp_path / "new" / "record.json"
    record = read_record(path)
    assert set(record) == {"format", "lesson", "options", "commit", "versions", "seconds", "metrics"}
    assert record["format"] == RECORD_FORMAT
    assert record["lesson"] == "lesson0_nothing"
    assert record["options"] == {"seed": 3, "n_way": 5, "quick": False, "data_root": None}
    assert record["seconds"] == 12.3
    assert record["metrics"] == METRICS
    assert {"python", "numpy", "autograd"} <= set(record["versions"])
    assert record["versions"]["numpy"] == np.__version__
    assert files(tmp_path / "new") == ["record.json"]


def test_a_record_is_plain_json_that_others_can_read(tmp_path):
    text = write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS).read_bytes().decode("ascii")
    assert text.endswith("}\n")
    assert json.loads(text)["metrics"] == METRICS


def test_a_record_replaces_an_older_one(tmp_path):
    write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)
    write_record(tmp_path, "lesson0", OPTIONS, 2, {})
    assert read_record(tmp_path / "record.json")["metrics"] == {}


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "json.dumps"])
def test_a_failed_record_keeps_the_previous_one(tmp_path, monkeypatch, broken):
    path = write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(OSError, match="No space left"):
            write_record(tmp_path, "lesson0", OPTIONS, 2, {})
    assert path.read_bytes() == before
    assert files(tmp_path) == ["record.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'"text"', b"3", b"null", b"{}", b'{"format": "other"}',
                                     b'{"format": null}', b"\xff\xfe\x00", b"[" * 100_000])
def test_a_foreign_record_is_refused_by_name_and_never_overwritten(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    for act in (lambda: read_record(path), lambda: write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)):
        with pytest.raises(ValueError, match=r"record\.json is damaged or not a record"):
            act()
    assert path.read_bytes() == content
    assert files(tmp_path) == ["record.json"]


def test_a_record_that_is_not_there_is_just_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "record.json")


def test_a_folder_called_record_json_is_refused_by_name(tmp_path):
    (tmp_path / "record.json").mkdir()
    for act in (lambda: read_record(tmp_path / "record.json"),
                lambda: write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)):
        with pytest.raises(ValueError, match=r"record\.json is a folder"):
            act()
    assert files(tmp_path) == ["record.json"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, float("nan"), np.float32("nan")])
def test_a_number_that_is_not_finite_is_null_in_the_record(tmp_path, value):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    metrics = {"loss": {"mean": value, "interval": 0.0, "each": [1.0, value, (value, 2)]}}
    path = write_record(tmp_path, "lesson0", OPTIONS, 1, metrics)
    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["metrics"]
    assert found == {"loss": {"mean": None, "interval": 0.0, "each": [1.0, None, [None, 2]]}}


def test_numbers_of_numpy_are_plain_numbers_in_the_record(tmp_path):
    metrics = {"m": {"mean": np.float32(0.5), "n": np.int64(3), "right": np.bool_(True), 5: "five"}}
    found = read_record(write_record(tmp_path, "lesson0", OPTIONS, 1, metrics))["metrics"]
    assert found == {"m": {"mean": 0.5, "n": 3, "right": True, "5": "five"}}
    assert found["m"]["right"] is True


# ---------------------------------------------------------------- where a run may write


def test_a_folder_without_files_may_be_written(tmp_path):
    check_folder(tmp_path)
    (tmp_path / "other run").mkdir()
    (tmp_path / ".hidden").write_bytes(b"theirs")
    check_folder(tmp_path)


@pytest.mark.parametrize("stopped", [False, True])
def test_the_folder_of_a_run_may_be_written_again_even_if_it_was_stopped(tmp_path, stopped):
    """A stopped run has left figures and parameters, but no record."""
    if not stopped:
        write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)
    save_params(tmp_path / "p.npz", PARAMS)
    (tmp_path / "picture.png").write_bytes(b"")
    check_folder(tmp_path)


def test_a_run_without_parameters_is_known_by_its_record(tmp_path):
    write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)
    (tmp_path / "picture.png").write_bytes(b"")
    check_folder(tmp_path)


def test_a_page_may_stand_beside_folders_of_runs(tmp_path):
    (tmp_path / "README.md").write_bytes(b"a page")
    (tmp_path / "row").mkdir()
    write_record(tmp_path / "row", "lesson0", OPTIONS, 1, METRICS)
    check_folder(tmp_path)
    (tmp_path / "row" / "record.json").write_bytes(b"theirs")
    with pytest.raises(ValueError, match=r"row.record\.json is damaged or not a record"):
        check_folder(tmp_path)


def test_a_folder_of_other_files_is_refused_and_one_of_them_named(tmp_path):
    (tmp_path / "letter.txt").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"holds letter\.txt, .*new folder"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["record.json", "p.npz"])
@pytest.mark.parametrize("what", ["foreign", "empty", "folder"])
def test_a_foreign_record_or_parameter_file_is_refused_beside_good_ones(tmp_path, name, what):
    write_record(tmp_path, "lesson0", OPTIONS, 1, METRICS)
    save_params(tmp_path / "a.npz", PARAMS)
    (tmp_path / name).unlink(missing_ok=True)
    if what == "folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"mine" if what == "foreign" else b"")
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        check_folder(tmp_path)
    assert (tmp_path / name).exists()


# ---------------------------------------------------------------- the commit


@pytest.fixture
def folder_of_the_source(tmp_path, monkeypatch):
    """records.py believes to lie two folders below this one, which is outside every git checkout."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    source = tmp_path / "fewshot_np" / "experiment" / "records.py"
    source.parent.mkdir(parents=True)
    source.write_text("# source\n", encoding="utf-8")
    monkeypatch.setattr(records, "__file__", str(source))
    return tmp_path


def git(folder, *words):
    names = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def commit_recorded(tmp_path):
    return read_record(write_record(tmp_path / "out", "lesson0", OPTIONS, 1, METRICS))["commit"]


def test_without_git_the_commit_is_null(tmp_path, monkeypatch):
    def missing(*args, **kwargs):
        raise FileNotFoundError("git")
    monkeypatch.setattr(subprocess, "run", missing)
    assert commit_recorded(tmp_path) is None


def test_a_git_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    def hang(command, **settings):
        assert settings["timeout"] <= 30
        raise subprocess.TimeoutExpired(command, settings["timeout"])
    monkeypatch.setattr(subprocess, "run", hang)
    assert commit_recorded(tmp_path) is None


def test_outside_a_checkout_the_commit_is_null(tmp_path, folder_of_the_source):
    assert commit_recorded(tmp_path) is None


@needs_git
def test_in_the_checkout_of_another_project_the_commit_is_null(tmp_path, folder_of_the_source):
    git(folder_of_the_source, "init", "-q")
    git(folder_of_the_source, "commit", "-q", "--allow-empty", "-m", "theirs")
    assert commit_recorded(tmp_path) is None


@needs_git
def test_in_its_own_checkout_the_commit_is_named_with_a_plus_for_changes(tmp_path, folder_of_the_source):
    git(folder_of_the_source, "init", "-q")
    table = folder_of_the_source / "table.txt"
    table.write_text("1\n", encoding="utf-8")
    git(folder_of_the_source, "add", "fewshot_np", "table.txt")
    git(folder_of_the_source, "commit", "-q", "-m", "ours")
    head = git(folder_of_the_source, "rev-parse", "HEAD").strip()
    found = commit_recorded(tmp_path)
    assert len(found) >= 7
    assert head.startswith(found)
    table.write_text("2\n", encoding="utf-8")  # a result, not the source
    assert commit_recorded(tmp_path) == found
    (folder_of_the_source / "fewshot_np" / "experiment" / "records.py").write_text("# changed\n", encoding="utf-8")
    assert commit_recorded(tmp_path) == found + "+"
