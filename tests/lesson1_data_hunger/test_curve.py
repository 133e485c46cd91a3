"""Lesson 1: the learners learn, the curve compares them on the same images, the run shows what it measured."""

import numpy as np
import pytest

from fewshot_np import lesson1_data_hunger as lesson
from fewshot_np.data import glyphs
from fewshot_np.experiment.figures import draw_accuracy_curves
from fewshot_np.experiment.report import print_curves
from tests.scaffolding import classes_of, folder_of, run_of, run_tiny

# ---------------------------------------------------------------- the learners


def learning_task(noise=40):
    """(support_x, support_y, query_x), query_y: three classes that are one random picture each, and noise on it."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, 1, 16, 16, 1)) + rng.normal(0, noise, (3, 7, 16, 16, 1))
    images = (np.clip(pictures, 0, 255) / 255).astype("float32")
    query_x, query_y = lesson.with_labels(images[:, 4:])
    return (*lesson.with_labels(images[:, :4]), query_x), query_y


def test_nearest_pixels_anchor_worked_by_hand():
    support = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).reshape(3, 1, 2, 1)
    queries = np.array([[0.1, 0.2], [0.6, 0.4], [0.4, 0.9]]).reshape(3, 1, 2, 1)
    np.testing.assert_array_equal(lesson.nearest_pixels(support, np.array([2, 0, 1]), queries, 3, None), [2, 0, 1])


@pytest.mark.parametrize("learner", [lesson.nearest_pixels, lesson.network_from_scratch])
def test_learners_recognise_what_is_easy(learner):
    task, query_y = learning_task()
    predictions = learner(*task, 3, np.random.default_rng(0))
    assert np.issubdtype(predictions.dtype, np.integer)
    assert np.mean(predictions == query_y) > 0.8


def test_the_answer_to_a_query_does_not_depend_on_the_others():
    (support_x, support_y, query_x), _ = learning_task()

    def answers(queries):
        return lesson.network_from_scratch(support_x, support_y, queries, 3, np.random.default_rng(1), iterations=3)

    np.testing.assert_array_equal(answers(query_x), [answers(query_x[k:k + 1])[0] for k in range(len(query_x))])


# ---------------------------------------------------------------- the curve


def test_images_to_learn_from_and_held_out_ones_are_different_images_of_the_same_class():
    classes = classes_of(*[7] * 5, side=6)
    training, held_out = lesson.split_drawings(classes, 4, 5, 2, np.random.default_rng(0))
    assert training.shape == (4, 5, 6, 6, 1)
    assert held_out.shape == (4, 2, 6, 6, 1)
    assert training.dtype == held_out.dtype == np.float32
    stored = classes.images.reshape(35, -1).astype("float32") / 255
    drawn = np.concatenate([training, held_out], axis=1).reshape(28, -1)
    positions = np.abs(drawn[:, None] - stored[None]).max(axis=-1).argmin(axis=1)
    np.testing.assert_allclose(stored[positions], drawn, rtol=1e-6)
    assert len(set(positions)) == 28
    behind = classes.labels[positions].reshape(4, 7)
    assert (behind == behind[:, :1]).all()
    assert len(set(behind[:, 0])) == 4
    images, labels = lesson.with_labels(held_out)
    np.testing.assert_array_equal(images, held_out.reshape(8, 6, 6, 1))
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 2, 3, 3])


def run_spy(draws=3, seed=0):
    """What a learner is given that always answers 0 and draws random numbers of its own, and its curve."""
    seen, measured = [], []

    def spy(support_x, support_y, query_x, n_way, rng):
        seen.append((support_x, support_y, query_x, n_way))
        rng.random(draws)
        return np.zeros(len(query_x), dtype=int)

    curve = lesson.accuracy_curve(spy, classes_of(*[9] * 6), (1, 3), np.random.default_rng(seed), n_way=4, n_held_out=2,
                           repetitions=3, progress=lambda: measured.append(1))
    assert len(measured) == curve.size
    return seen, curve


def test_a_learner_gets_k_images_of_each_class_the_fewer_among_the_more_and_the_same_questions():
    seen, curve = run_spy()
    np.testing.assert_allclose(curve, np.full((3, 2), 1 / 4))  # it always says 0
    for k_shot, (support_x, support_y, query_x, n_way) in zip([1, 3] * 3, seen, strict=True):
        assert n_way == 4
        assert support_x.shape == (4 * k_shot, 2, 2, 1)
        assert query_x.shape == (4 * 2, 2, 2, 1)
        np.testing.assert_array_equal(support_y, np.repeat(np.arange(4), k_shot))
    for (few, _, asked, _), (more, _, asked_again, _) in zip(seen[::2], seen[1::2], strict=True):
        np.testing.assert_array_equal(few, more[::3])
        np.testing.assert_array_equal(asked, asked_again)
    assert not np.array_equal(seen[0][2], seen[2][2])  # the next repetition asks about others


def test_every_learner_meets_the_same_images_whatever_it_draws_itself():
    for mine, other in zip(run_spy(draws=0)[0], run_spy(draws=50)[0], strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(run_spy(seed=1)[0][0][0], run_spy(seed=2)[0][0][0])


def test_interval_anchor_worked_by_hand():
    mean, interval = lesson.mean_and_interval(np.array([[0.0, 0.5], [0.2, 0.5], [0.4, 0.5], [0.6, 0.5]]))
    np.testing.assert_allclose(mean, [0.3, 0.5])
    np.testing.assert_allclose(interval, [3.182 * (0.2 / 3) ** 0.5 / 2, 0], atol=1e-12)  # variance 0.2 / (4 - 1)


def test_too_few_classes_or_images_are_refused_and_the_class_is_named_whichever_are_drawn():
    with pytest.raises(ValueError, match=r"7 classes at a time are wanted, there are 6.*--n-way"):
        lesson.split_drawings(classes_of(*[9] * 6), 7, 1, 1, np.random.default_rng(0))
    for seed in range(5):
        with pytest.raises(ValueError, match="class 'class 1' has 3 images; 3 to learn from and 1 held out need 4"):
            lesson.split_drawings(classes_of(4, 3, 4), 2, 3, 1, np.random.default_rng(seed))


# ---------------------------------------------------------------- the run

def test_the_table_and_the_figure_count_images_of_these_classes_and_of_others(capsys):
    curves = {"nearest pixels": (np.array([0.3, 0.4]), np.array([0.196, 0])),
              "network": (np.array([0.1, 1]), np.zeros(2))}
    print_curves(curves, (1, 15), 20, other_images := {"nearest pixels": 0, "network": 12345})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "20", "30.0", "±", "19.6", "10.0", "±", "0.0"] in rows
    assert rows[-1] == ["of", "others", "0", "12,345"]
    (legend,) = draw_accuracy_curves(curves, (1, 15), 20, other_images).legends
    assert any("network" in text.get_text() and "12,345" in text.get_text() for text in legend.get_texts())


@pytest.mark.parametrize(("sizes", "argv", "message"), [
    ((8, 9), [], "5 classes at a time are wanted, there are 2"),
    ((8, 5), ["--n-way", "2"], "class 'class 01' has 5 images; 1 to learn from and 5 held out need 6"),
])
def test_what_is_impossible_is_told_before_anything_is_learned(sizes, argv, message, tmp_path, monkeypatch):
    monkeypatch.setattr(run_of("lesson1_data_hunger"), "accuracy_curve", None)
    folder_of(tmp_path / "images", *sizes)
    with pytest.raises(ValueError, match=message):
        run_tiny("lesson1_data_hunger", tmp_path / "out", "--data", str(tmp_path / "images"), *argv)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_needs_more_than_one_image_and_fifteen_are_many(seed):
    classes, shots = glyphs.load("test", quick=True), (1, 15)
    pixels, network = (lesson.accuracy_curve(learner, classes, shots, np.random.default_rng(seed), repetitions=4)
                       for learner in (lesson.nearest_pixels, lesson.network_from_scratch))
    (pixels_1, pixels_15), (network_1, network_15) = pixels.mean(axis=0), network.mean(axis=0)
    assert abs(network_1 - pixels_1) < 0.1  # no better than comparing pixels, no worse
    assert network_15 > pixels_15 + 0.08
    assert network_15 > network_1 + 0.3  # hungry: every further image is worth something
