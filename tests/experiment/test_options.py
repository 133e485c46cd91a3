"""Options: what outranks what, what is impossible, and where a run may write."""

from pathlib import Path

import numpy as np
import pytest

from fewshot_np.experiment.options import parse_options, run, writable_folder
from fewshot_np.experiment.records import (
    RECORD_FORMAT,
    Checkpoint,
    comparable_options,
    save_checkpoint,
    save_params,
)
from fewshot_np.experiment.training import Stopped

DEFAULTS = {"n_way": 5, "inner_lr": 0.4, "iterations": 1200, "method": "maml"}


def parse(out, *argv):
    return parse_options("lesson0_nothing", "Nothing.", DEFAULTS, quick={"iterations": 30, "inner_lr": 0.5},
                         full={"iterations": 60000}, choices={"method": ("maml", "anil")},
                         argv=[*argv, "--out", str(out)])


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(capsys, out, *argv):
    """What is said when the program ends with code 2."""
    with pytest.raises(SystemExit) as stop:
        parse(out, *argv)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


# ---------------------------------------------------------------- what outranks what


def test_defaults(tmp_path):
    options = parse(tmp_path)
    assert {name: getattr(options, name) for name in DEFAULTS} == DEFAULTS
    assert (options.data, options.data_root, options.seed) == ("glyphs", None, 0)
    assert (options.quick, options.full) == (False, False)
    assert options.out == tmp_path


@pytest.mark.parametrize(("argv", "iterations", "inner_lr"), [
    ([], 1200, 0.4),
    (["--quick"], 30, 0.5),
    (["--full"], 60000, 0.4),
    (["--quick", "--iterations", "7"], 7, 0.5),
    (["--iterations", "7", "--quick"], 7, 0.5),
    (["--full", "--inner-lr", "0.1"], 60000, 0.1),
    (["--quick", "--iterations", "1200"], 1200, 0.5),  # the default, said aloud
])
def test_explicit_outranks_quick_and_full_which_outrank_defaults(tmp_path, argv, iterations, inner_lr):
    options = parse(tmp_path, *argv)
    assert options.iterations == iterations
    assert options.inner_lr == inner_lr
    assert options.quick is ("--quick" in argv)
    assert options.full is ("--full" in argv)


def test_common_options_and_choices(tmp_path):
    options = parse(tmp_path, "--seed", "0", "--data", "omniglot", "--data-root", "somewhere", "--method", "anil")
    assert (options.seed, options.data, options.data_root, options.method) == (0, "omniglot", "somewhere", "anil")


def test_values_have_the_type_of_the_default(tmp_path):
    options = parse(tmp_path, "--n-way", "20", "--inner-lr", "2", "--seed", "12")
    assert [type(value) for value in (options.n_way, options.inner_lr, options.seed)] == [int, float, int]


def test_parsing_twice_does_not_remember(tmp_path):
    parse(tmp_path, "--quick", "--n-way", "20")
    assert parse(tmp_path).n_way == 5
    assert DEFAULTS == {"n_way": 5, "inner_lr": 0.4, "iterations": 1200, "method": "maml"}


def test_the_folder_is_named_after_the_lesson(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = parse_options("lesson0_nothing", "Nothing.", {}, {}, {}, argv=[])
    assert options.out == Path("runs") / "lesson0_nothing"
    assert options.out.is_dir()


def test_help_names_every_option_and_its_default(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(tmp_path, "--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("--n-way", "classes per episode", "(5)", "--inner-lr", "(0.4)", "--quick", "--full", "--seed", "--out",
                 "--data", "--method", "python -m fewshot_np.lesson0_nothing"):
        assert word in text
    assert text.isascii()


def parse_long(out, *argv):
    return parse_options("lesson0_nothing", "Nothing.", {**DEFAULTS, "workers": 1, "resume": False}, quick={}, full={},
                         choices={"method": ("maml", "anil")}, argv=[*argv, "--out", str(out)])


def test_a_lesson_that_can_be_resumed_and_shared_says_so(tmp_path, capsys):
    assert (parse_long(tmp_path).resume, parse_long(tmp_path).workers) == (False, 1)
    options = parse_long(tmp_path, "--resume", "--workers", "2")
    assert (options.resume, options.workers) == (True, 2)
    for argv in (["--resume"], ["--workers", "2"]):
        assert argv[0] in refusal(capsys, tmp_path, *argv)  # another lesson does not know them
    with pytest.raises(SystemExit):
        parse_long(tmp_path, "--workers", "0")
    assert "--workers" in capsys.readouterr().err


def test_a_run_that_is_resumed_with_other_options_is_refused_at_once(tmp_path, capsys):
    options = comparable_options(vars(parse_long(tmp_path)))
    save_checkpoint(tmp_path / "characters.npz", Checkpoint(3, {"w": np.ones(2)}, options=options))
    assert parse_long(tmp_path, "--resume").resume
    assert parse_long(tmp_path, "--seed", "1").seed == 1  # a new run
    with pytest.raises(SystemExit) as stop:
        parse_long(tmp_path, "--resume", "--seed", "1", "--n-way", "7")
    assert stop.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "characters.npz was made with other options" in said
    assert "seed 0 then, 1 now" in said
    assert "n_way 5 then, 7 now" in said


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("argv", [["--epochs", "3"], ["--iter", "3"], ["--qui"], ["word"], ["--k-shot", "1"]])
def test_unknown_options_are_refused_and_abbreviations_with_them(tmp_path, capsys, argv):
    assert argv[0] in refusal(capsys, tmp_path, *argv)


def test_quick_and_full_exclude_each_other(tmp_path, capsys):
    assert "not allowed with" in refusal(capsys, tmp_path, "--quick", "--full")


NEEDED = {"--n-way": "is not an integer of at least 2", "--inner-lr": "is not a number above 0",
          "--iterations": "is not an integer above 0"}


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", ["0", "-1", "-0.5", "nan", "inf", "-inf", "five", "", "1e999"])
def test_numbers_must_be_positive_and_finite(tmp_path, capsys, name, value):
    message = refusal(capsys, tmp_path, f"{name}={value}")
    assert name in message
    assert NEEDED[name] in message


@pytest.mark.parametrize("value", ["1.5", "1e3", "5.0"])
def test_integers_must_be_integers(tmp_path, capsys, value):
    for name in ("--n-way", "--iterations"):
        assert NEEDED[name] in refusal(capsys, tmp_path, name, value)


def test_one_class_is_no_choice(tmp_path, capsys):
    assert "integer of at least 2" in refusal(capsys, tmp_path, "--n-way", "1")
    assert parse(tmp_path, "--n-way", "2").n_way == 2


def test_one_episode_gives_no_interval(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_options("lesson0_nothing", "Nothing.", {"episodes": 600}, {}, {},
                      argv=["--episodes", "1", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "integer of at least 2" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "1.5", "nan", "seed"])
def test_a_seed_is_an_integer_from_zero(tmp_path, capsys, value):
    assert f"--seed: '{value}' is not an integer of at least 0" in refusal(capsys, tmp_path, f"--seed={value}")


def test_a_refusal_is_two_lines_not_the_whole_list_of_options(tmp_path, capsys):
    usage, error = refusal(capsys, tmp_path, "--n-ways", "5").splitlines()
    assert usage == "usage: python -m fewshot_np.lesson0_nothing [options] (--help lists them)"
    assert error == "python -m fewshot_np.lesson0_nothing: error: unrecognized arguments: --n-ways 5"


def test_an_unknown_choice_names_the_known_ones(tmp_path, capsys):
    message = refusal(capsys, tmp_path, "--method", "reptile")
    assert "maml" in message
    assert "anil" in message


# ---------------------------------------------------------------- where a run may write


def test_the_folder_is_made_and_left_empty(tmp_path):
    out = tmp_path / "a" / "b"
    assert parse(out).out == out
    assert list(out.iterdir()) == []


def test_a_folder_below_a_file_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"mine")
    message = refusal(capsys, tmp_path / "file" / "below")
    assert f"--out {tmp_path / 'file' / 'below'} cannot be written" in message
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_file_is_no_folder(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"mine")
    assert "cannot be written" in refusal(capsys, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_folder_where_writing_fails_is_refused(tmp_path, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "No space left on device" in refusal(capsys, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"{}", b'{"format": "other"}', b"\xff\xfe", b"null"])
def test_a_foreign_record_is_refused_and_left_alone(tmp_path, capsys, content):
    (tmp_path / "record.json").write_bytes(content)
    assert str(tmp_path / "record.json") in refusal(capsys, tmp_path)
    assert (tmp_path / "record.json").read_bytes() == content


@pytest.mark.parametrize("name", ["record.json", "characters.npz"])
def test_a_folder_in_the_place_of_a_file_is_refused_by_name(tmp_path, capsys, name):
    (tmp_path / name).mkdir()
    assert f"{tmp_path / name} is a folder" in refusal(capsys, tmp_path)


@pytest.mark.parametrize("name", ["letter.txt", "episode.png", "characters.npz"])
def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"mine")
    message = refusal(capsys, tmp_path)
    assert "error: --out: " in message
    assert name in message
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"mine"


def test_the_folder_of_a_stopped_run_may_be_used_again(tmp_path):
    save_params(tmp_path / "sinusoids-maml.npz", {"w": np.ones(2)})
    (tmp_path / "sinusoids.png").write_bytes(b"")
    assert parse(tmp_path).out == tmp_path


def test_an_own_record_may_be_replaced(tmp_path):
    (tmp_path / "record.json").write_text(f'{{"format": "{RECORD_FORMAT}"}}', encoding="utf-8")
    assert parse(tmp_path).out == tmp_path


def test_writable_folder_gives_the_path(tmp_path):
    assert writable_folder(str(tmp_path / "new")) == tmp_path / "new"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        writable_folder(tmp_path / "file" / "below")


# ---------------------------------------------------------------- the end of a run


def raising(error):
    def main():
        raise error
    return main


def test_a_stopped_run_ends_with_its_message():
    with pytest.raises(SystemExit) as stop:
        run(raising(Stopped("the loss became nan at iteration 3")))
    assert "the loss became nan at iteration 3" in str(stop.value.code)


def test_a_run_stopped_by_hand_says_so():
    with pytest.raises(SystemExit) as stop:
        run(raising(KeyboardInterrupt()))
    assert "stopped by hand" in str(stop.value.code)


def test_a_run_that_ends_well_just_ends():
    calls = []
    assert run(lambda: calls.append(1)) is None
    assert calls == [1]


def test_a_quick_run_has_a_folder_of_its_own_and_says_what_its_numbers_are_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = parse_options("lesson0", "A lesson.", {"episodes": 600}, {"episodes": 5}, {}, argv=["--quick"])
    assert options.out.name == "lesson0-quick"
    assert "hardly learned" in capsys.readouterr().err
    assert parse_options("lesson0", "A lesson.", {"episodes": 600}, {}, {}, argv=[]).out.name == "lesson0"
