"""What each lesson's run refuses before it trains; what all of them refuse in the same way is in `test_runs.py`."""

import pytest

from tests.scaffolding import no_training, run_of

TOO_MANY = [(["--n-way", "60"], "60-way episodes need 60 classes"),
            (["--n-query", "20"], r"1 support \+ 20 query need 21")]
PAIRS = [(["--pairs", "201"], "even positive integer"), (["--pairs", "20"], "--pairs must be 40 or more")]
# {lesson: [(options, what is told)]}: what the data do not suffice for, or the lesson does not learn
IMPOSSIBLE = {
    "lesson3_initialisation": [TOO_MANY[0], (["--train-shots", "1"], "train_shots must be at least 2, got 1")],
    "lesson3_metric": [*TOO_MANY, (["--k-shot", "19", "--n-query", "2"], r"19 support \+ 2 query need 21")],
    "lesson4_maml": [*TOO_MANY, (["--k-shot", "11"], r"11 support \+ 11 query need 22")],
    "lesson4_siamese": [*TOO_MANY, *PAIRS],
    "lesson5_project": [*TOO_MANY, *PAIRS],
    "lesson6_optimizer": [*TOO_MANY, (["--k-shot", "11"], r"11 support \+ 11 query need 22"),
                          (["--horizon", "25"], "horizon of 25 steps is not made of whole segments of 10")],
    "lesson7_pitfalls": [*TOO_MANY, (["--episodes", "9"], "need 10 or more of them, got 9"),
                         (["--few-classes", "4"], "5-way episodes need 5 classes, there are 4")],
    "lesson8_comparison": [*TOO_MANY, (["--k-shot", "20", "--n-query", "1"], r"20 support \+ 1 query need 21")],
}
# {lesson: [options]}: what is no value of the option; few repetitions or one episode have no interval
NO_VALUES = {
    "lesson1_data_hunger": [["--repetitions", "4"]],
    "lesson2_zero_shot": [["--repetitions", "4"]],
    "lesson3_metric": [["--repetitions", "4"], ["--train-way", "1"], ["--down", "up"]],
    "lesson4_maml": [["--episodes", "4"], ["--inner-lr", "nan"], ["--method", "reptile"]],
    "lesson6_model_based": [["--n-way", "5"], ["--episodes", "4"], ["--inner-lr", "nan"], ["--iterations", "0"],
                            ["--slots", "0"]],
}


@pytest.mark.parametrize(("lesson", "argv", "message"), [
    (lesson, *row) for lesson, rows in IMPOSSIBLE.items() for row in rows])
def test_what_is_impossible_is_told_before_training(lesson, argv, message, tmp_path, monkeypatch):
    no_training(monkeypatch)
    with pytest.raises(ValueError, match=message):
        run_of(lesson).main(["--quick", *argv, "--out", str(tmp_path)])


@pytest.mark.parametrize(("lesson", "argv"), [(lesson, argv) for lesson, rows in NO_VALUES.items() for argv in rows])
def test_what_is_no_value_of_an_option_ends_with_code_2(lesson, argv, tmp_path, capsys, monkeypatch):
    no_training(monkeypatch)
    with pytest.raises(SystemExit, match="2"):
        run_of(lesson).main(["--quick", *argv, "--out", str(tmp_path)])
    assert argv[0] in capsys.readouterr().err
