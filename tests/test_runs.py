"""What every lesson's run promises in the same way: --help, refusals before any training, the first and last lines, a
record that can be read, and the same numbers again from the same seed."""

import contextlib
import io
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np.__main__ import LESSONS
from fewshot_np.experiment.records import load_params
from fewshot_np.lesson8_comparison import adaptation_milliseconds
from fewshot_np.nn.trees import leaves
from tests.scaffolding import folder_of, no_training, run_of, run_tiny

# the smallest settings that still go through every line; what is not here runs with --quick alone
TINY = {
    "lesson1_data_hunger": ["--iterations", "2", "--channels", "4"],
    "lesson2_episodes": ["--episodes", "5"],
    "lesson2_zero_shot": ["--filters", "2"],
    "lesson3_metric": ["--iterations", "2", "--episodes", "5", "--channels", "4", "--scratch-iterations", "2"],
    "lesson3_initialisation": ["--iterations", "2", "--pretraining-iterations", "2", "--episodes", "5",
                               "--channels", "4", "--test-steps", "2"],
    "lesson4_siamese": ["--iterations", "2", "--episodes", "5", "--channels", "4", "--pairs", "40"],
    "lesson4_maml": ["--iterations", "2", "--sinusoid-iterations", "2", "--episodes", "5", "--channels", "4"],
    "lesson5_project": ["--iterations", "2", "--episodes", "5", "--pairs", "40"],
    "lesson6_optimizer": ["--iterations", "2", "--lstm-iterations", "2", "--episodes", "5", "--channels", "4"],
    "lesson6_model_based": ["--iterations", "2", "--maml-iterations", "2", "--episodes", "5", "--curve-iterations", "2",
                            "--table-iterations", "2", "--patient-episodes", "5", "--embedding-iterations", "2",
                            "--character-iterations", "2", "--memory-iterations", "1"],
    "lesson7_pitfalls": ["--iterations", "2", "--small-iterations", "2", "--episodes", "10", "--channels", "4"],
    "lesson8_comparison": ["--effort", "0.0001", "--episodes", "5", "--channels", "4"],
}
NAMES = [module for _, module, _, _ in LESSONS]


@pytest.mark.parametrize("lesson", NAMES)
def test_help_names_every_option_and_fits_the_terminal(lesson, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        run_of(lesson).main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(option in text for option in ("--data", "--seed", "--out", "--quick", "--full"))
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()


@pytest.mark.parametrize("lesson", ["lesson3_metric", "lesson3_initialisation", "lesson4_siamese", "lesson4_maml",
                                    "lesson5_project", "lesson6_optimizer", "lesson7_pitfalls", "lesson8_comparison"])
def test_with_nine_images_a_class_the_refusal_names_an_option_that_helps(lesson, tmp_path, monkeypatch):
    no_training(monkeypatch)
    argv = ["--quick", "--data", str(folder_of(tmp_path / "own", *[9] * 24)), "--n-query", "15", "--n-way", "3",
            "--out", str(tmp_path / "out")]
    helps = [["--train-shots", "9"]] if lesson == "lesson3_initialisation" else []
    for option, value in [*helps, ["--n-query", "8"]]:
        with pytest.raises(ValueError, match=f"choose {option} {value} or less"):
            run_of(lesson).main(argv)
        argv += [option, value]
    with pytest.raises(AssertionError, match="training started"):
        run_of(lesson).main(argv)


@pytest.mark.parametrize("lesson", NAMES)
def test_unknown_and_impossible_options_end_with_code_2(lesson, tmp_path, capsys, monkeypatch):
    no_training(monkeypatch)
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    for argv in (["--no-such-option"], ["--seed", "-1"], ["--seed", "1.5"], ["--quick", "--full"],
                 ["--out", str(file / "below")]):
        with pytest.raises(SystemExit) as stop:
            run_of(lesson).main(argv)
        assert stop.value.code == 2
        assert argv[0] in capsys.readouterr().err


@pytest.mark.parametrize("lesson", NAMES)
def test_data_that_are_not_there_are_refused_before_training(lesson, tmp_path, monkeypatch):
    no_training(monkeypatch)
    for data in ("missing", "omniglot"):
        monkeypatch.delenv("FEWSHOT_NP_DATA", raising=False)
        with pytest.raises((FileNotFoundError, ValueError)):
            run_of(lesson).main(["--quick", "--out", str(tmp_path / "out"), "--data-root", str(tmp_path),
                                 "--data", data if data == "omniglot" else str(tmp_path / data)])


# ---------------------------------------------------------------- a whole run, for every lesson


@pytest.fixture(scope="module")
def smaller():
    """What no option makes small: lesson 2 solves for 784 pixels over and over, lesson 6 searches for rates, lesson 8
    times each method thirty times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_of("lesson8_comparison"), "adaptation_milliseconds",
                      partial(adaptation_milliseconds, repetitions=1))
        pixels = run_of("lesson2_zero_shot").pixels
        patch.setattr(run_of("lesson2_zero_shot"), "pixels", lambda images: pixels(images[:, ::4, ::4]))
        patch.setattr(run_of("lesson6_model_based"), "tune_rate", lambda error, rates: rates[0])
        yield


@pytest.fixture(scope="module", params=NAMES)
def tiny(request, smaller, tmp_path_factory):
    """A run of this lesson: its folder, what it printed, and its record."""
    folder, out, err = tmp_path_factory.mktemp("tiny"), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        record = run_tiny(request.param, folder, "--seed", "5", *TINY[request.param], rendered=True)
    return SimpleNamespace(lesson=request.param, folder=folder, out=out.getvalue(), err=err.getvalue(), record=record)


def test_a_tiny_run_from_its_first_line_to_its_last(tiny):
    lines = tiny.out.splitlines()
    assert lines[0].strip()
    assert "hardly learned" in tiny.err  # a smoke test says that it is one,
    assert "hardly learned" in lines[-1]  # and says it again below its headline and tables
    assert max(map(len, tiny.out.partition("Written: ")[0].splitlines())) <= 80  # paths may be longer
    assert tiny.out.replace("±", "").isascii()
    assert "Written: " in tiny.out
    assert "Next:" in tiny.out
    written = [line.split()[-1] for line in tiny.out.partition("Written: ")[2].partition("Next:")[0].splitlines()]
    files = {path.name for path in tiny.folder.iterdir()}
    assert {name.rsplit("/", 1)[-1] for name in written if name} == files
    assert tiny.record["lesson"] == tiny.lesson
    assert tiny.record["options"]["seed"] == 5
    assert tiny.record["metrics"]
    assert all(metric["interval"] is None or metric["interval"] >= 0
               for metric in tiny.record["metrics"].values() if "interval" in metric)


def test_every_network_of_a_tiny_run_is_of_finite_float32(tiny):
    arrays = [leaf for path in tiny.folder.glob("*.npz") for leaf in leaves(load_params(path)) if np.ndim(leaf)]
    assert {array.dtype for array in arrays} <= {np.dtype("float32")}
    assert all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("seed", ["5", pytest.param("6", marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(tiny, seed, tmp_path):
    again = run_tiny(tiny.lesson, tmp_path, "--seed", seed, *TINY[tiny.lesson])
    assert (without_times(again["metrics"]) == without_times(tiny.record["metrics"])) == (seed == "5")


# Other settings: lesson, options, sizes of the classes of an own folder, names in the record, and what none of them has
OTHERS = [
    ("lesson1_data_hunger", ["--n-way", "3"], [8, 9, 12], {"nearest pixels, 2 images per class"}, "3 images"),
    ("lesson3_metric", ["--train-way", "8", "--n-way", "7", "--k-shot", "2", "--down", "pool", "--n-query", "2"], [],
     {"prototypical, 7-way, 28-way 2-shot", "prototypical, 7-way, 7-way 10-shot"}, "1-shot"),
    ("lesson3_metric", ["--n-way", "3", "--n-query", "2"], [5] * 12,
     {"prototypical, 6-way, 3-way 1-shot", "nearest prototype, 1 images per class"}, "5-shot"),
    ("lesson3_metric", ["--n-query", "2"], [4] * 5, {"prototypical, 20-way, 5-way 1-shot"}, "5-shot"),
    ("lesson3_initialisation", ["--inner-optimizer", "adam"], [],
     {"Reptile, 2 steps, statistics of the queries, 1-shot",
      "frozen features, plain, statistics of the support and queries, 1-shot"}, "5 steps"),
    ("lesson4_siamese", ["--n-way", "7", "--k-shot", "3", "--train-ways", "400", "--n-query", "2"], [], set(), "5-way"),
    ("lesson7_pitfalls", ["--n-way", "3", "--k-shot", "2", "--inner-steps", "2", "--n-query", "2"], [],
     {"1 query in 2 is a support image: flattering"}, "15 queries"),
]


@pytest.mark.parametrize(("lesson", "argv", "sizes", "names", "absent"), OTHERS)
def test_other_settings_and_small_folders_run_and_name_what_they_measure(lesson, argv, sizes, names, absent, tmp_path):
    own = ["--data", str(folder_of(tmp_path / "own", *sizes))] if sizes else []
    metrics = run_tiny(lesson, tmp_path / "out", *TINY[lesson], *argv, *own)["metrics"]
    assert names <= metrics.keys()
    assert not [name for name in metrics if absent in name]


def without_times(metrics):
    """The metrics, dicts of dicts, without what a clock measured, or what the process held in memory."""
    return {name: without_times(value) if isinstance(value, dict) else value
            for name, value in metrics.items() if "seconds" not in name and "megabytes" not in name}
