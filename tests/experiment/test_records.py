"""Records and parameter files: whole or absent, read back as they were, and nothing foreign overwritten."""

import errno
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fewshot_np.experiment import records
from fewshot_np.experiment.figures import new_figure, save_figure
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
from fewshot_np.nn.trees import leaves
from tests.scaffolding import bits, files, no_space

PARAMS = {"block1": {"w": np.arange(6.0, dtype="float32").reshape(2, 3), "inner": {"gamma": np.ones(2)}},
          "rate": np.array(0.25), "step": np.array(7, "int64"), "empty": np.zeros((0, 3), "float32")}
OPTIONS = SimpleNamespace(seed=3, n_way=5, quick=False, data_root=None, out=Path("somewhere"))
METRICS = {"accuracy": {"mean": 0.8, "interval": 0.01}}


# ---------------------------------------------------------------- parameters

KEYS = st.text(max_size=8) | st.sampled_from(["args", "w.npy", "a b", "file", "format", "a/b", "arr_0", "größe"])
ARRAYS = arrays(st.sampled_from(["float32", "float64", "int64", "bool"]), array_shapes(min_dims=0, min_side=0))
ARRAYS |= ARRAYS.map(lambda array: array.T)  # in Fortran's order
TREES = st.recursive(st.dictionaries(KEYS, ARRAYS, min_size=1, max_size=3),
                     lambda trees: st.dictionaries(KEYS, trees | ARRAYS, min_size=1, max_size=3), max_leaves=6)


@settings(max_examples=60, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES)
def test_any_parameters_come_back_bit_for_bit_and_replace_older_ones(tmp_path, params):
    path = tmp_path / "new" / "folder" / "params"  # no suffix is needed, and a path may be text
    assert save_params(path, params) == path
    assert bits(load_params(path)) == bits(params)
    assert [a.flags.f_contiguous for a in leaves(load_params(path))] == [a.flags.f_contiguous for a in leaves(params)]
    save_checkpoint(str(path), Checkpoint(1, params))
    assert bits(load_params(str(path))) == bits(params)
    assert files(path.parent) == ["params"]


def test_files_written_before_are_read(tmp_path):
    header = {"format": "fewshot_np parameters 1", "names": [["b", "w"], ["a"]]}
    np.savez(tmp_path / "p.npz", json.dumps(header), np.ones(2), np.zeros(3))
    assert bits(load_params(tmp_path / "p.npz")) == bits({"b": {"w": np.ones(2)}, "a": np.zeros(3)})


def test_a_file_that_is_not_there_is_just_that(tmp_path):
    for read in (load_params, load_checkpoint, read_record):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")
    check_replaceable(tmp_path / "none.npz")


def test_objects_are_not_saved_over_good_parameters(tmp_path):
    path = save_params(tmp_path / "p.npz", PARAMS)
    for objects in (np.array([None, "text"], dtype=object), None, np.array([(1, None)], dtype="i4,O")):
        with pytest.raises(ValueError, match="arrays of numbers"):
            save_params(path, {"w": np.ones(2), "inner": {"v": objects}})
    assert bits(load_params(path)) == bits(PARAMS)
    assert files(tmp_path) == ["p.npz"]


def damaged_files(folder):
    """The bytes of files that are neither parameters nor checkpoints of this program."""
    def npz(*arrays, **named):
        np.savez(folder / "a.npz", *arrays, **named)
        return (folder / "a.npz").read_bytes()

    for whole in (save(folder / "a.npz").read_bytes() for save in (params_at, checkpoint_at)):
        yield from (whole[:int(share * len(whole))] for share in (0, 0.1, 0.5, 0.9, 0.999))
        yield from (b"\x93NUMPY" + whole, whole[1:], bytes(len(whole)))
    yield b"my own notes\n"
    yield from (npz(), npz(w=np.ones(3)), npz(w=np.ones(3), format="their format"))
    yield npz(json.dumps({"format": PARAMS_FORMAT, "names": [["w"]]}), np.array([None], dtype=object))
    contents = (None, 3, {}, {"dict": []}, {"dict": [["params", {"array": 9}]]}, {"other": []}, {"dict": [["a", 1]]},
                {"dict": [["iteration", 1], ["params", {"array": 0}], ["more", 1]]}, {"array": "0"}, [], "text")
    for header in ({"format": "their format", "names": [["w"]]}, {"names": [["w"]]}, None, {"format": PARAMS_FORMAT},
                   {"format": "fewshot_np checkpoint 9", "content": {}},
                   *({"format": PARAMS_FORMAT, "names": names} for names in ([], [["w"], ["v"]], [[]], None)),
                   *({"format": CHECKPOINT_FORMAT, "content": content} for content in contents)):
        yield npz(json.dumps(header), np.ones(3))
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("format.npy", "no array")
    yield (folder / "a.npz").read_bytes()


def params_at(path):
    return save_params(path, PARAMS)


def checkpoint_at(path):
    return save_checkpoint(path, CHECKPOINT)


def test_damaged_and_foreign_files_are_refused_by_name_and_left_alone(tmp_path):
    (tmp_path / "other").mkdir()
    path = tmp_path / "p.npz"
    for content in list(damaged_files(tmp_path / "other")):
        path.write_bytes(content)
        for act in (load_params, load_checkpoint, check_replaceable, params_at, checkpoint_at):
            with pytest.raises(ValueError, match=r"p\.npz is damaged or not a parameter file"):
                act(path)
        assert path.read_bytes() == content
        assert files(tmp_path) == ["other", "p.npz"]


@pytest.mark.parametrize(("name", "act"), [
    ("p.npz", load_params), ("p.npz", check_replaceable), ("p.npz", params_at),
    ("record.json", read_record), ("record.json", lambda path: write_record(path.parent, "lesson0", OPTIONS, 1, {}))])
def test_a_folder_in_the_place_of_a_file_is_refused_by_name(tmp_path, name, act):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name} is a folder"):
        act(tmp_path / name)
    assert files(tmp_path) == [name]


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
        assert bits(found) == bits(params)


def half(file, *arrays):
    file.write(b"half of")
    raise KeyboardInterrupt


@pytest.mark.parametrize("save", [
    lambda folder, n: save_params(folder / "file", {"w": np.full(3, n)}),
    lambda folder, n: save_checkpoint(folder / "file", Checkpoint(n, PARAMS)),
    lambda folder, n: write_record(folder, "lesson0", OPTIONS, n, METRICS),
    lambda folder, n: save_figure(new_figure(n, n)[0], folder / "file")],
    ids=["parameters", "checkpoint", "record", "figure"])
@pytest.mark.parametrize(("broken", "by"), [
    ("os.replace", no_space), ("os.fsync", no_space), ("json.dumps", no_space), ("numpy.savez", half)])
def test_a_failed_or_interrupted_save_keeps_the_previous_file(tmp_path, monkeypatch, broken, by, save):
    path = save(tmp_path, 1)
    before = path.read_bytes()
    monkeypatch.setattr(broken, by)
    try:
        save(tmp_path, 2)
        assert broken in ("json.dumps", "numpy.savez")  # a record holds no arrays, a figure neither
    except (KeyboardInterrupt, OSError):
        assert path.read_bytes() == before
    assert files(tmp_path) == [path.name]


# ---------------------------------------------------------------- checkpoints

STATE = {"step": 7, "m": {"w": np.ones((2, 3), "float32")}, "rate": 0.1 + 0.2, "tiny": np.float32(1e-40), "none": None,
         "on": True, "name": "größe", "pairs": [(1, 2.5), (2, float("nan"))], 5: (), "empty": {}, "big": 2 ** 127 + 1}
CHECKPOINT = Checkpoint(12, PARAMS, STATE, np.random.default_rng(3).bit_generator.state,
                        {"loss": np.array([1.5, 0.1]), "validation": [(5, 0.25)]},
                        {"seed": 3, "rate": 0.4, "data": "a"})


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_a_checkpoint_comes_back_bit_for_bit_and_type_for_type(tmp_path, kind):
    rng, path = np.random.Generator(kind(5)), tmp_path / "new" / "c.npz"
    rng.integers(10, dtype="int32")  # half of a 64-bit draw is left
    checkpoint = CHECKPOINT._replace(generator=rng.bit_generator.state)
    assert save_checkpoint(path, checkpoint) == path
    assert bits(load_checkpoint(path, checkpoint.options)) == bits(load_checkpoint(path)) == bits(checkpoint)
    assert files(path.parent) == ["c.npz"]


def test_a_checkpoint_is_a_parameter_file_too_but_parameters_alone_are_no_checkpoint(tmp_path):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    assert bits(load_params(path)) == bits(PARAMS)
    check_folder(tmp_path)
    save_params(path, PARAMS)  # replaces it
    check_folder(tmp_path, CHECKPOINT.options)
    with pytest.raises(ValueError, match=r"c\.npz holds parameters, but not what is needed to resume"):
        load_checkpoint(path)
    save_checkpoint(path, CHECKPOINT)
    check_folder(tmp_path, CHECKPOINT.options)


class Moments(NamedTuple):
    m: np.ndarray


@pytest.mark.parametrize("state", [{"m": {1, 2}}, Moments(np.ones(2)), [object()], np.array([None]), lambda: 0])
def test_what_cannot_come_back_is_not_saved_over_a_good_checkpoint(tmp_path, state):
    path = save_checkpoint(tmp_path / "c.npz", CHECKPOINT)
    with pytest.raises(ValueError, match="a checkpoint holds dicts, lists"):
        save_checkpoint(path, CHECKPOINT._replace(state=state))
    assert bits(load_checkpoint(path)) == bits(CHECKPOINT)
    assert files(tmp_path) == ["c.npz"]


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


# ---------------------------------------------------------------- the record


def test_a_record_holds_what_a_result_needs_as_plain_json_that_others_can_read(tmp_path):
    path = write_record(tmp_path / "new", "lesson0_nothing", OPTIONS, 12.345, METRICS)
    assert path == tmp_path / "new" / "record.json"
    record = read_record(path)
    assert json.loads(path.read_bytes().decode("ascii")) == record
    expected = {"format": RECORD_FORMAT, "lesson": "lesson0_nothing", "seconds": 12.3, "metrics": METRICS,
                "options": {"seed": 3, "n_way": 5, "quick": False, "data_root": None}}
    assert {name: record[name] for name in expected} == expected
    assert set(record) == {*expected, "commit", "versions"}
    assert {"python", "autograd"} <= set(record["versions"])
    assert record["versions"]["numpy"] == np.__version__
    write_record(tmp_path / "new", "lesson0", OPTIONS, 2, {})
    assert read_record(path)["metrics"] == {}


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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32("nan")])
def test_numbers_are_plain_in_the_record_and_null_where_they_are_not_finite(tmp_path, value):
    metrics = {"loss": {"mean": value, "each": [1.0, value, (value, 2)], 5: "five"},
               "m": {"mean": np.float32(0.5), "n": np.int64(3), "right": np.bool_(True)}}
    path = write_record(tmp_path, "lesson0", OPTIONS, 1, metrics)
    assert not {"NaN", "Infinity"} & set(path.read_text(encoding="utf-8").replace(",", " ").split())
    found = read_record(path)["metrics"]
    assert found == {"loss": {"mean": None, "each": [1.0, None, [None, 2]], "5": "five"},
                     "m": {"mean": 0.5, "n": 3, "right": True}}
    assert found["m"]["right"] is True


# ---------------------------------------------------------------- where a run may write


def test_a_page_may_stand_beside_folders_of_runs(tmp_path):
    (tmp_path / "README.md").write_bytes(b"a page")
    (tmp_path / "row").mkdir()
    write_record(tmp_path / "row", "lesson0", OPTIONS, 1, METRICS)
    check_folder(tmp_path)
    (tmp_path / "row" / "record.json").write_bytes(b"theirs")
    with pytest.raises(ValueError, match=r"row.record\.json is damaged or not a record"):
        check_folder(tmp_path)


@pytest.mark.parametrize("content", [b"mine", b"", None], ids=["foreign", "empty", "a folder"])
@pytest.mark.parametrize("name", ["record.json", "p.npz"])
def test_a_foreign_record_or_parameter_file_is_refused_beside_good_ones(tmp_path, name, content):
    save_params(tmp_path / "a.npz", PARAMS)
    (tmp_path / name).mkdir() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        check_folder(tmp_path)


def test_waiting_for_space_ends_when_there_is_some_and_other_errors_are_raised(capsys):
    answers = iter([OSError(errno.ENOSPC, "No space left on device"), None])

    def save():
        if error := next(answers):
            raise error
        return "saved"
    assert records.when_there_is_space(save, pause=0) == "saved"
    assert "No space left on device: waiting for space" in capsys.readouterr().err
    answers = iter([PermissionError(errno.EACCES, "Permission denied")])
    with pytest.raises(PermissionError):
        records.when_there_is_space(save, pause=0)


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
    yield tmp_path
    records.commit_of_run.cache_clear()


def git(folder, *words):
    names = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def commit_recorded(tmp_path):
    records.commit_of_run.cache_clear()  # as a new process would
    return read_record(write_record(tmp_path / "out", "lesson0", OPTIONS, 1, METRICS))["commit"]


@needs_git
def test_without_git_with_one_that_hangs_and_outside_its_own_checkout_the_commit_is_null(
        tmp_path, folder_of_the_source, monkeypatch):
    assert commit_recorded(tmp_path) is None
    git(folder_of_the_source, "init", "-q")
    git(folder_of_the_source, "commit", "-q", "--allow-empty", "-m", "theirs")
    assert commit_recorded(tmp_path) is None
    for error in (FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)):
        monkeypatch.setattr(subprocess, "run", Mock(side_effect=error))
        assert commit_recorded(tmp_path) is None
        assert subprocess.run.call_args.kwargs["timeout"] <= 30


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
    git(folder_of_the_source, "commit", "-qam", "while a run trains")
    assert read_record(write_record(tmp_path / "out", "lesson0", OPTIONS, 1, METRICS))["commit"] == found
    found = commit_recorded(tmp_path)
    added = folder_of_the_source / "fewshot_np" / "lesson0" / "page.py"  # a module that the commit does not hold
    added.parent.mkdir()
    added.write_text("", encoding="utf-8")
    assert commit_recorded(tmp_path) == found + "+"
    added.unlink()
    assert commit_recorded(tmp_path) == found
    (folder_of_the_source / "fewshot_np" / "experiment" / "records.py").write_text("# changed\n", encoding="utf-8")
    assert commit_recorded(tmp_path) == found + "+"
