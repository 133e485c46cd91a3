"""`python -m fewshot_np.results`: what it says, what it refuses, rows that are made once, shared, stopped, resumed."""

import numpy as np
import pytest

from fewshot_np.experiment.records import load_params, read_record, save_params
from fewshot_np.experiment.training import Stopped, train
from fewshot_np.results import finn, rows
from fewshot_np.results.__main__ import OPTIONS, main
from fewshot_np.results.statistics import validation_episodes
from tests.results.characters import characters
from tests.scaffolding import needs_omniglot, no_training, vector


def row(out, *argv):
    main([*argv, "--quick", "--out", str(out)])


def record_in(out, name):
    return read_record(out / name / "record.json")


@pytest.fixture
def made_up(monkeypatch):
    """Omniglot's characters replaced by random images, so that finn runs everywhere, and in seconds."""
    rng = np.random.default_rng(0)
    parts = [characters([n], rng) for n in (62, 22, 22)]
    monkeypatch.setattr(finn, "finn_splits", lambda root: parts)
    monkeypatch.setattr(finn, "validation_episodes", lambda *args: validation_episodes(*args)[:2])
    for key, each in rows.FINN.items():
        monkeypatch.setitem(rows.FINN, key, each._replace(batch=min(each.batch, 2), train_way=each.train_way and 21,
                                                          iterations=6000))


# ---------------------------------------------------------------- the command line


def test_alone_it_names_its_protocols_whose_help_has_their_options_and_rows(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main([])
    text = capsys.readouterr().out
    assert all(word in text for word in ("python -m fewshot_np.results", "--help", "lessons/results", *OPTIONS))
    for protocol in OPTIONS:
        with pytest.raises(SystemExit):
            main([protocol, "--help"])
        text += (text_of_help := capsys.readouterr().out)
        assert all("--" + name.replace("_", "-") in text_of_help for name in OPTIONS[protocol])
        assert all(rows.in_words(protocol, key) in text_of_help for key in rows.TABLES[protocol])
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()


@pytest.mark.parametrize("argv", [
    ["nowhere"], ["finn", "--method", "nothing"], ["finn", "--background", "small1"], ["lake", "--n-way", "5"],
    ["lake", "--episodes", "9"], ["sinusoids", "--network", "there"], ["worlds", "--workers", "2"],
    ["finn", "--seed", "-1"], ["finn", "--n-way", "1"], ["--protocol", "finn"]])
def test_what_a_protocol_does_not_have_ends_with_code_2(argv, tmp_path, capsys, monkeypatch):
    no_training(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert argv[-2 if len(argv) > 1 else -1] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_rows_and_networks_that_do_not_fit_are_refused_before_training(tmp_path, monkeypatch):
    no_training(monkeypatch)
    with pytest.raises(ValueError, match="no row --method Reptile --n-way 20 --k-shot 1; its rows are\n  --method"):
        row(tmp_path, "finn", "--method", "Reptile", "--n-way", "20")
    with pytest.raises(ValueError, match="--network is for one row"):
        row(tmp_path, "finn", "--network", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        row(tmp_path, "finn", "--method", "MAML", "--network", str(tmp_path / "nowhere"))
    monkeypatch.delenv("FEWSHOT_NP_DATA", raising=False)
    for protocol in ("finn", "lake"):
        with pytest.raises(FileNotFoundError):
            row(tmp_path / protocol, protocol, "--method", "prototypical", "--data-root", str(tmp_path))


# ---------------------------------------------------------------- rows: once, of one length, stopped and resumed


def test_all_rows_of_a_protocol_one_after_the_other_none_twice_and_none_resumed_with_other_options(tmp_path, capsys):
    row(tmp_path, "sinusoids")
    maml, pretraining = (f"sinusoids-{name}-curves-seed0" for name in ("MAML", "pretraining"))
    assert {path.name for path in tmp_path.iterdir()} == {maml, pretraining}
    assert "error from 5 points, 10 steps" in capsys.readouterr().out
    metrics = record_in(tmp_path, maml)["metrics"]
    assert metrics["error from 10 points, 10 steps"]["mean"] < metrics["error from 10 points, 0 steps"]["mean"]
    assert metrics["row"].items() >= {"task": "curves", "iterations": 70000, "schedule": "constant"}.items()
    (tmp_path / pretraining / "record.json").unlink()
    before = (tmp_path / maml / "record.json").stat().st_mtime_ns
    row(tmp_path, "sinusoids")
    assert (tmp_path / maml / "record.json").stat().st_mtime_ns == before
    text = capsys.readouterr().out
    assert text.count("already") == text.count("Written") == 1
    other = ["sinusoids", "--method", "MAML", "--episodes", "20"]
    with pytest.raises(ValueError, match=r"holds this row with episodes 12, not 20; choose another --out"):
        row(tmp_path, *other)
    (tmp_path / maml / "record.json").unlink()
    with pytest.raises(ValueError, match="was made with other options: episodes 12 then, 20 now"):
        row(tmp_path, *other, "--resume")


class Killed(BaseException):
    """What nothing catches."""


def test_a_row_that_was_stopped_or_killed_goes_on_as_if_it_had_not_been(made_up, tmp_path, monkeypatch):
    argv = ["finn", "--method", "first-order MAML", "--effort", "0.001"]  # 6 iterations
    name = "finn-first-order-MAML-5-way-1-shot-seed0"
    row(tmp_path / "whole", *argv)

    def numbers(folder):
        networks = [vector(load_params(tmp_path / folder / name / file)) for file in ("best.npz", "last.npz")]
        metrics = record_in(tmp_path / folder, name)["metrics"]
        return networks, {key: value for key, value in metrics.items() if key != "row"}

    for reason in (KeyboardInterrupt, Killed):
        sample, drawn = finn.sample_for, []

        def sample_until_stopped(*args, reason=reason, sample=sample, drawn=drawn):
            drawn.append(1)
            if len(drawn) == 4:
                raise reason
            return sample(*args)

        with monkeypatch.context() as patch:
            patch.setattr(finn, "sample_for", sample_until_stopped)
            patch.setitem(train.__kwdefaults__, "save_every", 0.0)
            with pytest.raises((Stopped, Killed)):
                row(tmp_path / reason.__name__, *argv)
        assert not (tmp_path / reason.__name__ / name / "record.json").exists()
        row(tmp_path / reason.__name__, *argv, "--resume")
        np.testing.assert_equal(numbers(reason.__name__), numbers("whole"))


# ---------------------------------------------------------------- one network for several rows


def test_all_rows_share_a_network_where_they_can_and_none_takes_one_that_was_trained_otherwise(made_up, tmp_path,
                                                                                               monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(rows.TABLES, "finn", {key: rows.FINN[key] for key in [("prototypical", n, 1) for n in (5, 20)]})
        row(tmp_path, "finn")
    folder = tmp_path / "finn-prototypical-5-way-1-shot-seed0"
    first, second = (record_in(tmp_path, f"finn-prototypical-{n}-way-1-shot-seed0") for n in (5, 20))
    assert second["options"]["network"] == folder.name
    for name in ("training seconds", "validation"):
        assert first["metrics"]["row"][name] == second["metrics"]["row"][name]
    assert second["metrics"]["row"]["training commit"] == first["commit"]
    images = "accuracy, statistics of the training images"
    assert second["metrics"][images]["mean"] < first["metrics"][images]["mean"]  # more ways are harder
    for argv, why in ((["--method", "Siamese"],
                       "n_query 5 there, 2 here; down pool there, stride here; objective .*method"),
                      (["--method", "MAML"], "features flatten there, mean here"),
                      (["--method", "prototypical", "--n-way", "20", "--seed", "1"], "seed 0 there, 1 here"),
                      (["--method", "prototypical", "--n-way", "20", "--k-shot", "5"], "k_shot 1 there, 5 here"),
                      (["--method", "ridge regression"], "start {} there, {'strength'.*method")):
        with pytest.raises(ValueError, match=f"was trained otherwise: .*{why}"):
            row(tmp_path, "finn", *argv, "--network", str(folder))
    save_params(folder / "best.npz", {**load_params(folder / "best.npz"), "value": np.array(2.0)})
    with pytest.raises(ValueError, match=r"best\.npz is not the network of its record"):
        row(tmp_path, "finn", "--method", "prototypical", "--n-way", "20", "--network", str(folder))


@pytest.mark.parametrize(("method", "left_out", "why"), [
    ("Reptile", '"schedule": "linear",', "schedule cosine there, linear here"),
    ("Siamese", '"turned": true,', "turned None there, True here")])
def test_a_record_from_before_a_setting_had_a_name_is_no_network_of_now(made_up, tmp_path, method, left_out, why):
    row(tmp_path, "finn", "--method", method)
    folder = tmp_path / f"finn-{method}-5-way-1-shot-seed0"
    text = (folder / "record.json").read_text(encoding="utf-8")
    assert left_out in text
    (folder / "record.json").write_text(text.replace(left_out, ""), encoding="utf-8")
    folder.rename(tmp_path / "old")
    with pytest.raises(ValueError, match=f"was trained otherwise: {why}"):
        row(tmp_path, "finn", "--method", method, "--network", str(tmp_path / "old"))


# ---------------------------------------------------------------- on the real data


@needs_omniglot
def test_the_split_of_finn_is_disjoint():
    parts = finn.finn_splits(None)
    assert [len(part) for part in parts] == [1100, 100, 423]
    names = [set(part.names) for part in parts]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    assert finn.finn_splits(None)[2].names == parts[2].names


@needs_omniglot
@pytest.mark.parametrize("argv", [
    ["lake", "--method", "pixels"], ["lake", "--method", "extended prototypical", "--background", "small2"],
    pytest.param(["finn", "--method", "extended MAML"], marks=pytest.mark.slow),
    pytest.param(["worlds", "--method", "frozen features", "--background", "omniglot"], marks=pytest.mark.slow)])
def test_a_row_end_to_end(tmp_path, capsys, argv):
    row(tmp_path, *argv)
    text = capsys.readouterr().out
    assert max(map(len, text.replace(str(tmp_path), "").splitlines())) <= 80
    (folder,) = tmp_path.iterdir()
    metrics = read_record(folder / "record.json")["metrics"]
    assert all(0 <= metric["mean"] <= 1 for name, metric in metrics.items() if name != "row")
    assert "machine" in metrics["row"]
    if "pixels" in argv:
        assert metrics["error"]["mean"] == pytest.approx(0.81)
        return
    assert {path.name for path in folder.iterdir()} == {"record.json", "learning_curve.png", "best.npz", "last.npz"}
    first = vector(load_params(folder / "best.npz")["params"])
    (folder / "record.json").unlink()
    row(tmp_path, *argv)  # the same seed, the same bits
    np.testing.assert_array_equal(first, vector(load_params(folder / "best.npz")["params"]))
