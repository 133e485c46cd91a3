"""The tables of results: right whichever rows exist, also none; seeds together, quick runs never."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from fewshot_np.experiment.records import write_record
from lessons import quoting
from lessons.quoting import results_table

ADAPTING, METRIC = ("support", "queries"), ("support", "support and queries", "training images")


def leave_metrics(folder, name, metrics, **options):
    """A record as `python -m fewshot_np.results` leaves one."""
    path = folder / name
    path.mkdir()
    options = {"quick": False, "effort": 1.0, "background": "background", "n_way": 5, "k_shot": 1, **options}
    write_record(path, "results", SimpleNamespace(**options), 1.0, metrics)


def leave_record(folder, protocol, method, accuracies, seed=0, statistics=METRIC, seconds=600.0, **options):
    kind = "accuracy" if protocol == "finn" else "error"
    metrics = {f"{kind}, statistics of the {each}" if each else kind: {"mean": value, "interval": 0.004}
               for each, value in zip(statistics, accuracies, strict=True)}
    metrics["row"] = {"training seconds": seconds} if seconds else {}
    leave_metrics(folder, f"{protocol}-{method}-{'-'.join(map(str, options.values()))}-seed{seed}", metrics,
                  seed=seed, protocol=protocol, method=method, **options)


def measured(means):
    """The metrics of these means."""
    return {name: {"mean": mean, "interval": 0.01, "median": 0.02} for name, mean in means.items()}


def cells(table):
    """The rows of a Markdown table below its head, as lists of texts."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_without_records_there_is_a_sentence_and_no_table(tmp_path):
    for table in (quoting.worlds_table, partial(results_table, "finn"), partial(results_table, "lake")):
        for folder in (tmp_path, tmp_path / "missing"):
            assert table(folder=folder) == "No run of this protocol has been recorded yet."


def test_a_row_has_the_published_number_its_source_and_ours_under_the_statistics_they_were_measured_with(tmp_path):
    leave_record(tmp_path, "finn", "prototypical", [0.971, 0.975, 0.98])
    leave_record(tmp_path, "finn", "MAML", [0.95, 0.98], statistics=ADAPTING, k_shot=5)
    leave_record(tmp_path, "lake", "prototypical", [0.1, 0.2, 0.3])
    assert cells(results_table("finn", folder=tmp_path)) == [
        ["prototypical", "5-way 1-shot", "98.8", "98.4", "97.1 ± 0.4", "", "97.5 ± 0.4", "98.0 ± 0.4", "1", "10",
         "Snell et al. 2017, Table 1"],
        ["MAML", "5-way 5-shot", "99.9 ± 0.1", "", "95.0 ± 0.4", "98.0 ± 0.4", "", "", "1", "10",
         "Finn et al. 2017, Table 1, quoted from a secondary source"]]
    assert cells(results_table("finn", short=True, folder=tmp_path)) == [
        ["prototypical", "5-way 1-shot", "98.8", "98.0 ± 0.4", "training images", "97.5 ± 0.4", "support and queries",
         "1", "10"],
        ["MAML", "5-way 5-shot", "99.9 ± 0.1", "95.0 ± 0.4", "support", "98.0 ± 0.4", "queries", "1", "10"]]


def test_a_sentence_quotes_one_result_by_its_statistics(tmp_path):
    leave_record(tmp_path, "finn", "MAML", [0.95, 0.98], statistics=ADAPTING)
    assert quoting.result("MAML", 5, 1, "queries", folder=tmp_path) == "98.0 ± 0.4"
    for n_way, statistics in ((20, "queries"), (5, "training images")):
        with pytest.raises(ValueError, match=f"no record of MAML, {n_way}-way 1-shot, statistics of the {statistics}"):
            quoting.result("MAML", n_way, 1, statistics, folder=tmp_path)


def test_several_seeds_are_one_row_with_their_mean_and_their_spread(tmp_path):
    for seed, accuracy in enumerate([0.97, 0.98, 0.96]):
        leave_record(tmp_path, "finn", "MAML", [accuracy, 0.99], seed, ADAPTING, 600.0 + 60 * seed)
    ((*_, support, queries, both, images, seeds, minutes, _),) = cells(results_table("finn", folder=tmp_path))
    assert (support, queries, both, images) == ("97.0 (96.0 to 98.0)", "99.0 (99.0 to 99.0)", "", "")
    assert (seeds, minutes) == ("3", "11")


def test_what_learns_nothing_has_one_number_and_no_published_one_for_small_backgrounds(tmp_path):
    leave_record(tmp_path, "lake", "pixels", [0.81], statistics=[None], seconds=None)
    leave_record(tmp_path, "lake", "modified Hausdorff", [0.3875], statistics=[None], seconds=None)
    leave_record(tmp_path, "lake", "Siamese", [0.2, 0.2, 0.2], background="small1")
    leave_record(tmp_path, "lake", "Siamese", [0.1, 0.1, 0.1], background="background")
    assert [row[:3] for row in cells(results_table("lake", folder=tmp_path))] == [
        ["Siamese", "30 alphabets", "8.0 (from 40)"], ["Siamese", "5 alphabets, set 1", ""],
        ["modified Hausdorff", "nothing", "38.8"],
        ["pixels", "nothing", ""]]
    assert cells(results_table("lake", folder=tmp_path))[3][3:] == ["81.0 ± 0.4", "no batch norm", "", "", "1", "0", ""]


def test_quick_runs_and_other_efforts_are_left_out(tmp_path):
    leave_record(tmp_path, "finn", "MAML", [0.3, 0.3], statistics=ADAPTING, quick=True)
    leave_record(tmp_path, "finn", "MAML", [0.3, 0.3], statistics=ADAPTING, effort=0.1)
    assert "MAML" not in results_table("finn", folder=tmp_path)


def test_published_numbers_name_tasks_that_there_are_and_where_they_were_read():
    for (protocol, _), (source, numbers) in quoting.PUBLISHED.items():
        assert set(numbers) <= set(quoting.TASKS[:4] if protocol == "finn" else quoting.TASKS[4:])
        if numbers:  # Snell et al. were read in the paper itself
            assert source.endswith("from a secondary source") or source.startswith("Snell")


def test_the_two_worlds_and_pixels(tmp_path):
    for world, (own, other) in {"glyphs": (0.9, 0.8), "omniglot": (0.7, 0.95)}.items():
        metrics = {"accuracy on glyphs, statistics of the support": own, "accuracy on glyphs, pixels": 0.45,
                   "accuracy on omniglot, statistics of the support": other, "accuracy on omniglot, pixels": 0.42}
        for method in ("prototypical", "frozen features")[:1 + (world == "glyphs")]:
            leave_metrics(tmp_path, world + method, measured(metrics), protocol="worlds", method=method,
                          background=world)
    assert sorted(cells(quoting.worlds_table(folder=tmp_path))) == sorted([
        ["prototypical", "printed (glyphs)", "90.0 ± 1.0", "80.0 ± 1.0"],
        ["prototypical", "handwritten (Omniglot)", "70.0 ± 1.0", "95.0 ± 1.0"],
        ["frozen features", "printed (glyphs)", "90.0 ± 1.0", "80.0 ± 1.0"],
        ["nearest pixels", "nothing", "45.0 ± 1.0", "42.0 ± 1.0"]])


def test_sinusoids_from_5_and_10_points_beside_the_published_row(tmp_path):
    metrics = {f"error from {points} points, {steps} steps": 1 / points for points in (5, 10)
               for steps in (0, 1, 5, 10)}
    metrics["error from 5 points, 10 steps"] = float("nan")
    metrics |= {f"error from {points} points, {steps} steps, the later ones at 0.004": 0.3 for points in (5, 10)
                for steps in (5, 10)}
    leave_metrics(tmp_path, "MAML", measured(metrics), protocol="sinusoids", method="MAML")
    published, five, later, ten, _ = cells(quoting.sinusoids_table(folder=tmp_path))
    assert published == ["MAML, published", "5", "", "0.67", "0.38", "0.35"]
    assert five == ["MAML, here", "5", *["0.20 ± 0.01 (0.02)"] * 3, "diverges (0.02)"]
    assert later == ["MAML, here, the later ones at 0.004", "5", "", "", *["0.30 ± 0.01 (0.02)"] * 2]
    assert ten == ["MAML, here", "10", *["0.10 ± 0.01 (0.02)"] * 4]


def test_the_benchmarks_have_a_row_each(tmp_path):
    step = {"title": "a step", "goal": 0.7, "here": {"median_s": 0.0821}, "best": {"median_s": 0.1224, "form": "vmap"},
            "here_over_best": 0.6707, "here_over_loop": 0.362}
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"steps": [step]}), encoding="utf-8")
    assert cells(quoting.benchmarks_table(path)) == [["a step", "82.1 ms", "122 ms, vmap", "0.67 (0.7)", "0.36"]]


def test_the_profile_has_a_row_for_each_step_and_no_floor_without_convolutions(tmp_path):
    forms = [{"form": "loop", "threads": 1, "median_s": 9}, {"form": "here", "threads": 2, "median_s": 0.09},
             {"form": "here", "threads": 1, "median_s": 0.1604}]
    shares = {"products": 0.626, "passes": 0.25, "python": 0.124}
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"steps": [
        {"title": title, "forms": forms, "profile": shares | {"floor_s": floor}}
        for title, floor in (("a step", 0.0423), ("another", 0.0))]}), encoding="utf-8")
    assert cells(quoting.profile_table(path)) == [["a step", "160 ms", "42.3 ms", "63 %", "25 %", "12 %"],
                                          ["another", "160 ms", "", "63 %", "25 %", "12 %"]]
