"""How far results move with the seed: collected from runs, and said in a sentence."""

import json
from types import SimpleNamespace

import pytest

from fewshot_np.experiment.records import write_record
from lessons import chinese, spread


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(spread, "FILE", tmp_path / "spread.json")
    for seed, accuracy, error in ((1, 0.8, 2.0), (0, 0.83, 1.0), (2, 0.81, 1.5)):
        folder = tmp_path / f"lesson4_maml-seed{seed}"
        folder.mkdir()
        write_record(folder, "lesson4_maml", SimpleNamespace(seed=seed, quick=False), 1.0, {
            "characters, 1 steps": {"mean": accuracy, "interval": 0.01},
            "sinusoids, 1 steps": {"mean": error, "interval": 0.1},
            "characters, pixel nearest neighbour": {"mean": 0.4, "interval": 0.01},
            "a minus b": {"mean": 0.1, "interval": 0.01}, "costs": {"milliseconds": 3.0}})
    return tmp_path


def test_runs_are_collected_in_the_order_of_their_seeds_and_others_kept(runs):
    spread.FILE.write_text('{"lesson0": {"seeds": [0, 1], "means": {"x": [0.1, 0.2]}}}', encoding="utf-8")
    spread.main(["--collect", "--out", str(runs), "lesson4_maml"])
    content = json.loads(spread.FILE.read_text(encoding="utf-8"))
    assert content["lesson4_maml"] == {"seeds": [0, 1, 2], "means": {"characters, 1 steps": [0.83, 0.8, 0.81],
                                                                     "sinusoids, 1 steps": [1.0, 2.0, 1.5]}}
    assert "lesson0" in content
    told = spread.sentence("lesson4_maml")
    assert all(number in told for number in ("0, 1 and 2", "3.0 points", "factor of 2.0"))
    told = chinese.spread_sentence("lesson4_maml")
    assert all(number in told for number in ("0、1 和 2", "3.0 个百分点", "最高为 2.0"))
    assert spread.sentence("lesson5_project") == chinese.spread_sentence("lesson5_project") == ""


def test_of_a_single_run_nothing_is_said(runs):
    for seed in (1, 2):
        (runs / f"lesson4_maml-seed{seed}" / "record.json").unlink()
    spread.main(["--collect", "--out", str(runs), "lesson4_maml"])
    assert json.loads(spread.FILE.read_text(encoding="utf-8")) == {}
