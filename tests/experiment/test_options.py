"""Options: what outranks what, what is impossible, and where a run may write."""

from pathlib import Path

import numpy as np
import pytest

from fewshot_np.experiment.options import parse_options
from fewshot_np.experiment.records import (
    RECORD_FORMAT,
    Checkpoint,
    comparable_options,
    save_checkpoint,
    save_params,
)
from tests.scaffolding import files, no_space

DEFAULTS = {"n_way": 5, "inner_lr": 0.4, "iterations": 1200, "method": "maml"}
TEXTS = {"inner_lr": "learning rate of the inner loop", "method": "which method"}


LONG = {"workers": 1, "resume": False}  # more defaults, of a lesson that can be resumed and shared


def parse(out, *argv, **others):
    return parse_options("lesson0_nothing", "Nothing.", {**DEFAULTS, **others}, texts=TEXTS,
                         quick={"iterations": 30, "inner_lr": 0.5}, full={"iterations": 60000},
                         choices={"method": ("maml", "anil")}, argv=[*argv, "--out", str(out)])


def refusal(capsys, out, *argv, **others):
    """What is said when the program ends with code 2."""
    with pytest.raises(SystemExit) as stop:
        parse(out, *argv, **others)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


# ---------------------------------------------------------------- what outranks what


@pytest.mark.parametrize(("argv", "iterations", "inner_lr"), [
    ([], 1200, 0.4),
    (["--quick"], 30, 0.5),
    (["--full"], 60000, 0.4),
    (["--quick", "--iterations", "7"], 7, 0.5),
    (["--iterations", "7", "--quick"], 7, 0.5),
    (["--full", "--inner-lr", "2"], 60000, 2.0),
    (["--quick", "--iterations", "1200"], 1200, 0.5),  # the default, given explicitly
])
def test_explicit_outranks_quick_and_full_which_outrank_defaults(tmp_path, argv, iterations, inner_lr):
    options = parse(tmp_path, *argv)
    assert vars(options) == {**DEFAULTS, "iterations": iterations, "inner_lr": inner_lr, "data": "glyphs",
                             "data_root": None, "seed": 0, "out": tmp_path, "quick": "--quick" in argv,
                             "full": "--full" in argv}
    assert [type(value) for value in (options.iterations, options.inner_lr, options.seed)] == [int, float, int]
    assert DEFAULTS["iterations"] == 1200  # nothing is remembered


def test_common_options_and_choices_and_help_with_the_defaults(tmp_path, capsys):
    options = parse(tmp_path, "--seed", "0", "--data", "omniglot", "--data-root", "somewhere", "--method", "anil")
    assert (options.seed, options.data, options.data_root, options.method) == (0, "omniglot", "somewhere", "anil")
    assert "'maml', 'anil'" in refusal(capsys, tmp_path, "--method", "reptile")
    with pytest.raises(SystemExit):
        parse(tmp_path, "--help")
    text = capsys.readouterr().out
    assert all(word in text for word in ("classes per episode", "(5)", TEXTS["inner_lr"], "(0.4)", "--method"))


def test_a_lesson_that_can_be_resumed_and_shared_says_so(tmp_path, capsys):
    for argv, expected in (([], (False, 1)), (["--resume", "--workers", "2"], (True, 2))):
        options = parse(tmp_path, *argv, **LONG)
        assert (options.resume, options.workers) == expected
    for argv in (["--resume"], ["--workers", "2"]):
        assert argv[0] in refusal(capsys, tmp_path, *argv)  # another lesson does not know them
    assert "--workers" in refusal(capsys, tmp_path, "--workers", "0", **LONG)


def test_a_run_that_is_resumed_with_other_options_is_refused_at_once(tmp_path, capsys):
    options = comparable_options(vars(parse(tmp_path, **LONG)))
    save_checkpoint(tmp_path / "characters.npz", Checkpoint(3, {"w": np.ones(2)}, options=options))
    assert parse(tmp_path, "--resume", **LONG).resume
    assert parse(tmp_path, "--seed", "1", **LONG).seed == 1  # a new run
    said = " ".join(refusal(capsys, tmp_path, "--resume", "--seed", "1", "--n-way", "7", **LONG).split())
    assert all(words in said for words in (
        "characters.npz was made with other options", "seed 0 then, 1 now", "n_way 5 then, 7 now"))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("argv", [["--epochs", "3"], ["--iter", "3"], ["--qui"], ["word"], ["--k-shot", "1"]])
def test_unknown_options_are_refused_and_abbreviations_with_them(tmp_path, capsys, argv):
    _, error = refusal(capsys, tmp_path, *argv).splitlines()  # not the whole list of options
    assert argv[0] in error


NEEDED = {"--n-way": "is not an integer of at least 2", "--inner-lr": "is not a number above 0",
          "--iterations": "is not an integer above 0", "--seed": "is not an integer of at least 0"}


@pytest.mark.parametrize(("name", "value"), [
    *((name, value) for name in NEEDED for value in ("-1", "-0.5", "nan", "inf", "-inf", "five", "", "1e999")),
    *((name, value) for name in ("--n-way", "--iterations", "--seed") for value in ("1.5", "1e3", "5.0")),
    ("--n-way", "1"), ("--inner-lr", "0"), ("--iterations", "0")])
def test_numbers_must_be_positive_and_finite_and_integers_whole(tmp_path, capsys, name, value):
    message = refusal(capsys, tmp_path, f"{name}={value}")
    assert f"{name}: '{value}' {NEEDED[name]}" in message


# ---------------------------------------------------------------- where a run may write


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_bytes(b"mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert f"--out {out} cannot be written" in refusal(capsys, out)
    assert (tmp_path / "file").read_bytes() == b"mine"
    monkeypatch.setattr("tempfile.TemporaryFile", no_space)
    assert "No space left on device" in refusal(capsys, tmp_path)


@pytest.mark.parametrize("name", ["letter.txt", "episode.png", "characters.npz", "record.json"])
def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"mine")
    message = refusal(capsys, tmp_path)
    assert "error: --out: " in message
    assert name in message
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"mine"


def test_the_folder_of_a_run_may_be_used_again_even_if_it_was_stopped(tmp_path):
    out = tmp_path / "a" / "b"
    (out / "other run").mkdir(parents=True)
    (out / ".hidden").write_bytes(b"theirs")
    assert parse(out).out == out
    assert files(out) == [".hidden", ".lock", "other run"]  # until the run ends
    save_params(out / "sinusoids-maml.npz", {"w": np.ones(2)})
    (out / "sinusoids.png").write_bytes(b"")
    assert parse(out).out == out
    (out / "sinusoids-maml.npz").unlink()  # a run without parameters is known by its record
    (out / "record.json").write_text(f'{{"format": "{RECORD_FORMAT}"}}', encoding="utf-8")
    assert parse(out).out == out


def test_a_quick_run_has_a_folder_of_its_own_and_says_what_its_numbers_are_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for argv, folder in [([], Path("runs") / "lesson0"), (["--quick"], Path("runs") / "lesson0-quick")]:
        assert parse_options("lesson0", "A lesson.", {"episodes": 600}, {"episodes": 5}, {}, argv=argv).out == folder
        assert folder.is_dir()
        assert ("hardly learned" in capsys.readouterr().err) == bool(argv)
    with pytest.raises(SystemExit):  # an interval of four episodes says nothing
        parse_options("lesson0", "A lesson.", {"episodes": 600}, {}, {}, argv=["--episodes", "4"])
    assert "integer of at least 5" in capsys.readouterr().err
