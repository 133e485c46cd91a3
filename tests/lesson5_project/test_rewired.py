"""The rewired network: its head, its objective pair by pair, its scores; the calibration, and the model on the disk."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np import lesson5_project as lesson
from fewshot_np.experiment.records import save_params
from fewshot_np.lesson5_project import calibration
from fewshot_np.lesson5_project.model_file import load_model, save_model
from fewshot_np.nn.trees import leaves, tree_map, value_and_grad
from tests.lesson5_project.parts import random_params, small_classes
from tests.nn.derivatives import assert_close, assert_differentiates
from tests.scaffolding import episode_of_noise, vector


def in_float64(params):
    return tree_map(lambda p: p.astype(float), params)


random_episode = partial(episode_of_noise, (28, 28, 1), n_tasks=2, dtype="float32")


def objective_by_loops(params, episode, n_hard):
    total = 0
    for sx, sy, qx, qy in zip(*episode[:4], strict=True):
        support, query = lesson.embedding(params, sx), lesson.embedding(params, qx)
        same, different = [], []
        for q, label in zip(query, qy, strict=True):
            z = [float(onp.abs(q - s) @ params["head"]["w"][:, 0] + params["head"]["b"][0]) for s in support]
            same += [onp.log(1 + onp.exp(-v)) for v, y in zip(z, sy, strict=True) if y == label]
            others = sorted((v for v, y in zip(z, sy, strict=True) if y != label), reverse=True)
            different += [onp.log(1 + onp.exp(v)) for v in others[:n_hard]]
        total += (onp.mean(same) + onp.mean(different)) / 2
    return total / len(episode.support_x)


@pytest.mark.parametrize("n_hard", [1, 3, 99])
def test_the_objective_is_the_mean_over_pairs(n_hard):
    params, episode = in_float64(random_params()), random_episode(n_way=4)
    assert_close(lesson.objective(params, episode, n_hard), objective_by_loops(params, episode, n_hard))
    with pytest.raises(ValueError, match="of another class"):
        lesson.objective(params, random_episode(n_way=1), n_hard)


def test_its_gradient_is_that_of_differences_and_stays_float32():
    params = in_float64(random_params((10, 10, 1)))
    episode = episode_of_noise((10, 10, 1), k_shot=1, n_query=1, n_tasks=1, seed=1)  # no kink near

    def of_head_and_conv(w, b, kernel):
        return lesson.objective({**params, "head": {"w": w, "b": b}, "conv1": {"w": kernel, "b": params["conv1"]["b"]}},
                         episode, n_hard=99)

    assert_differentiates(of_head_and_conv, params["head"]["w"], params["head"]["b"], params["conv1"]["w"])
    value, gradient = value_and_grad(lesson.objective)(random_params(), random_episode())
    assert {value.dtype, *(leaf.dtype for leaf in leaves(gradient))} == {onp.dtype("float32")}


def test_scores_are_the_mean_over_a_classs_examples_in_any_order():
    params, episode = random_params(), random_episode(n_way=3, k_shot=2)
    order = onp.array([4, 0, 3, 1, 5, 2])
    shuffled = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    values = lesson.scores(params, episode, "support")
    assert values.shape == (2, 6, 3)
    support, query = lesson.embedding(params, episode.support_x), lesson.embedding(params, episode.query_x)
    by_hand = [lesson.same_logits(params, query[1, 4], support[1, 2 * n:2 * n + 2]).mean() for n in range(3)]
    onp.testing.assert_allclose(values[1, 4], by_hand, rtol=1e-5)
    onp.testing.assert_allclose(lesson.scores(params, shuffled, "support and queries"), values, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- calibration, and the model on the disk


def test_calibration_finds_the_scale_and_the_shift():
    rng = onp.random.default_rng(0)
    logits = rng.normal(0, 2, 20000)
    same = (rng.random(20000) < 1 / (1 + onp.exp(-(2.5 * logits + 0.8)))).astype(int)
    params = random_params()
    e = rng.random((2, 7, 128), dtype="float32")
    fitted = lesson.calibrate(params, logits, same)
    before, after = lesson.same_logits(params, *e), lesson.same_logits(fitted, *e)
    scale, shift = onp.polyfit(before, after, 1)
    onp.testing.assert_allclose(after, scale * before + shift, atol=1e-4)
    assert (scale, shift) == (pytest.approx(2.5, rel=0.05), pytest.approx(0.8, abs=0.1))
    assert {leaf.dtype for leaf in leaves(fitted)} == {onp.dtype("float32")}


def test_calibration_of_pairs_that_are_all_told_apart_stays_finite():
    fitted = lesson.calibrate(random_params(), onp.array([-1.0, 1.0] * 20), onp.array([0, 1] * 20))
    assert all(onp.isfinite(leaf).all() for leaf in leaves(fitted))


def blurred_model(n_classes=60, n_images=8, seed=0):
    """A model by hand, p(same) of which falls with distance, and classes that lie so near that it errs."""
    rng = onp.random.default_rng(seed)
    centres = rng.normal(0, 1, (n_classes, 1, 128))
    head = {"w": onp.full((128, 1), -0.2), "b": onp.array([22.0])}
    return lesson.Model({"head": head}, 0.5, centres + rng.normal(0, 1.6, (n_classes, n_images, 128)))


@pytest.mark.parametrize(("n_way", "k_shot"), [(2, 1), (5, 1), (10, 1), (10, 5), (30, 1)])
def test_an_answer_is_as_often_right_as_it_says_among_any_number_of_classes(n_way, k_shot):
    a = lesson.sharpness(blurred_model(), n_way, k_shot)
    z = calibration.known_scores(blurred_model(seed=1), n_way, k_shot, 400, onp.random.default_rng(5))  # other classes
    p = calibration.softmax(a * z).max(axis=-1)
    right = z.argmax(axis=-1) == onp.arange(n_way)
    assert abs(p.mean() - right.mean()) < 0.03
    for low, high in [(0, 0.5), (0.5, 0.8), (0.8, 1.01)]:
        chosen = (p >= low) & (p < high)
        if chosen.sum() > 300:
            assert abs(p[chosen].mean() - right[chosen].mean()) < 0.08
    if n_way == 10 and k_shot == 1:                       # p(same) of a pair says something else
        assert abs(lesson.sigmoid(z).max(axis=-1).mean() - right.mean()) > 0.05


def test_the_calibration_takes_what_it_has():
    assert lesson.sharpness(blurred_model()._replace(known=None), 5, 1) == 1
    few = lesson.Model(blurred_model().params, 0.5, blurred_model(3, 2).known)
    assert onp.isfinite(lesson.sharpness(few, 40, 9))
    sure = lesson.Model(blurred_model().params, 0.5, onp.random.default_rng(0).normal(0, 9, (9, 1, 128)).repeat(4, 1))
    assert 1 <= lesson.sharpness(sure, 5, 1) < 1e6


def test_a_model_is_saved_and_loaded_again(tmp_path):
    model = lesson.make_model(random_params(), small_classes(), 40, onp.random.default_rng(0))
    assert model.known.shape == (5, 4, 128)
    assert 0 <= model.threshold <= 1
    for saved in (model, model._replace(known=None)):
        save_model(tmp_path / "m.npz", saved)
        again = load_model(tmp_path / "m.npz")
        assert again.threshold == saved.threshold
        onp.testing.assert_array_equal(again.known, saved.known)
        onp.testing.assert_array_equal(vector(again.params), vector(saved.params))


READ_OTHERWISE, NO_MODEL = "read otherwise than your photos are", "not a model of this lesson"


@pytest.mark.parametrize(("content", "message"), [
    ({"params": random_params(), "threshold": onp.array(0.5)}, READ_OTHERWISE),
    ({"params": random_params(), "threshold": onp.array(0.5), "reading": onp.array("as it is")}, READ_OTHERWISE),
    ({"head": {"w": onp.zeros(3)}}, NO_MODEL),
    ({"params": random_params((20, 20, 1)), "threshold": onp.array(0.5)}, NO_MODEL)])
def test_other_parameters_and_a_model_of_images_that_were_read_otherwise_are_refused(tmp_path, content, message):
    save_params(tmp_path / "m.npz", content)
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "m.npz")
