"""Lesson 2: accuracies, their interval, the pixel baseline, and the run on the reader's own folder however small."""

import numpy as np
import pytest

from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes, scores, t_factor
from tests.scaffolding import classes_of, folder_of, run_tiny

# ---------------------------------------------------------------- the interval


def test_an_interval_is_two_floats_whatever_the_type_of_the_values():
    assert mean_confidence_interval([1, 3]) == pytest.approx((2, 12.706))
    assert {type(number) for number in mean_confidence_interval(np.float32([1, 3]))} == {float}
    values = np.random.default_rng(0).uniform(size=500)
    assert mean_confidence_interval(values.astype("float32")) == pytest.approx(mean_confidence_interval(values), 1e-6)


def test_the_factor_is_that_of_printed_tables():
    """Abramowitz and Stegun, table 26.10, by degrees of freedom n - 1."""
    printed = {1: 12.706, 5: 2.571, 9: 2.262, 10: 2.228, 11: 2.201, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.0, 120: 1.98}
    for freedom, factor in printed.items():
        assert t_factor(freedom + 1) == pytest.approx(factor, abs=6e-4)
    assert t_factor(10**9) == pytest.approx(1.96)
    assert all(t_factor(n + 1) < t_factor(n) for n in range(2, 700))
    with pytest.raises(ValueError, match="2 or more values, got 1"):
        t_factor(1)


@pytest.mark.parametrize("values", [[], [0.5], 0.5, [[0.1, 0.2], [0.3, 0.4]]])
def test_an_interval_needs_two_values_in_a_row(values):
    with pytest.raises(ValueError, match="2 or more values"):
        mean_confidence_interval(values)


# ---------------------------------------------------------------- accuracy


def test_nan_counts_as_wrong():
    nan, inf = np.nan, np.inf
    task_scores = np.array([[[nan, 0, 1], [nan, 0, 1], [0, 5, nan], [-inf, inf, 0]], [[nan, nan, nan]] * 4])
    np.testing.assert_array_equal(accuracies(task_scores, np.array([[0, 2, 1, 1], [0, 0, 1, 2]])), [0.25, 0])


@pytest.mark.parametrize("shape", [(2,), (4,), (1, 4), (2, 1), (2, 4, 3), (4, 2), ()])
def test_accuracies_need_one_label_per_query(shape):
    with pytest.raises(ValueError, match=r"scores \(2, 4, 3\) need labels \(2, 4\)"):
        accuracies(np.zeros((2, 4, 3)), np.zeros(shape, int))


def draw(n_way=3, k_shot=3, n_query=3, n_tasks=5):
    return sample_episodes(classes_of(*[6] * 6, side=5), n_way, k_shot, n_query, n_tasks, np.random.default_rng(0))


def scores_by_loops(episode):
    table = np.zeros((*episode.query_y.shape, len(set(episode.support_y[0]))))
    for t, q, label in np.ndindex(table.shape):
        images = episode.support_x[t][episode.support_y[t] == label]
        table[t, q, label] = -min(float(np.sum((episode.query_x[t, q].astype(float) - image) ** 2)) for image in images)
    return table


@pytest.mark.parametrize(("n_way", "k_shot"), [(2, 1), (3, 3), (5, 2)])
def test_pixel_scores_are_what_loops_give_whatever_the_parameters_and_the_order(n_way, k_shot):
    episode = draw(n_way, k_shot)
    table = scores({"w": 1}, episode, "support")
    assert table.shape == (5, 3 * n_way, n_way)
    np.testing.assert_allclose(table, scores_by_loops(episode), rtol=1e-5, atol=1e-5)
    order = np.random.default_rng(0).permutation(n_way * k_shot)
    shuffled = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    np.testing.assert_allclose(scores(None, shuffled), table, rtol=1e-5)


# ---------------------------------------------------------------- the run


@pytest.mark.parametrize(("sizes", "n_query", "left_out"), [
    ([20] * 20, {"5-way 1-shot": 15, "5-way 5-shot": 15}, ["20-way 1-shot left out, too few classes: 5"]),
    ([9, 9, 2, 9, 9, 9], {"5-way 1-shot": 1}, ["5-way 5-shot left out, too few images of 'class 02': 2"]),
    ([7, 8], {"2-way 1-shot": 6, "2-way 5-shot": 2}, []),
])
def test_the_run_on_a_folder_leaves_out_what_its_images_do_not_suffice_for(tmp_path, capsys, sizes, n_query, left_out):
    metrics = run_on_folder(tmp_path, *sizes)["metrics"]
    printed = capsys.readouterr().out
    assert {name: metric["n_query"] for name, metric in metrics.items()} == {
        f"pixels {setting}": n for setting, n in n_query.items()}
    assert all(line in printed for line in left_out)
    assert bool(left_out) == ("left out" in printed)
    assert ("scripts" in printed) == (len(sizes) < 20)  # a folder has none; a small one leaves the training to glyphs


def test_one_picture_is_too_few_and_its_class_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"class 'class 01' has 1 images; 1 support \+ 1 query need 2"):
        run_on_folder(tmp_path, 5, 1, 5, 5, 5)


def run_on_folder(tmp_path, *sizes):
    return run_tiny("lesson2_episodes", tmp_path / "out", "--data", str(folder_of(tmp_path / "mine", *sizes)),
                    "--episodes", "5")
