"""Lesson 3, part 2: fine-tuning from a random, a pretrained and a meta-learned initialisation.

The values worked out by hand are in lessons/lesson3_initialisation/test_exercises.py, where the library is the
reference."""

from functools import partial

import numpy as np
import pytest

from fewshot_np import lesson3_initialisation as lesson
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson3_initialisation.__main__ import main
from fewshot_np.lesson4_maml import adapt
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map
from tests.scaffolding import assert_same_tree, assert_slope, classes_of, episode_of_noise, vector

NETWORK = conv4((16, 16, 1), 3, channels=4, down="stride", features="mean")
PARAMS = NETWORK.init(np.random.default_rng(1))
LOSS = partial(lesson.classification_loss, NETWORK)


def line_loss(params, x, y):
    """Half the squared error of y = slope x, summed over the points: () or (T,)."""
    return ((params["slope"] * x - y) ** 2).sum(-1) * 0.5


draw_episode = partial(episode_of_noise, (16, 16, 1), n_tasks=2, dtype="float32")

# ---------------------------------------------------------------- fine-tuning


def test_fine_tuning_yields_its_start_and_every_step():
    # slope 1, the point (2, 6): gradient (2 - 6) 2 = -8, so 1 + 0.1 * 8 = 1.8
    path = list(lesson.fine_tuning(line_loss, {"slope": np.array([1.0])}, [(np.array([2.0]), np.array([6.0]))], 0.1))
    assert [p["slope"].tolist() for p in path] == [[1.0], [pytest.approx(1.8)]]


def test_head_only_moves_the_head_as_anils_inner_loop_does():
    episode = draw_episode()
    moved = adapt(LOSS, repeat(PARAMS, 2), episode.support_x, episode.support_y, {"head": 0.1}, 3)
    scores = lesson.fine_tuned_scores(NETWORK, lesson.Start(PARAMS, head_only=True), episode, "support", 3)
    np.testing.assert_allclose(scores, lesson.query_logits(NETWORK, moved, episode, "support"), rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_tune_rate_takes_the_first_of_the_best_and_passes_over_what_diverges():
    errors = {0.1: -0.5, 0.3: -0.7, 1.0: -0.7, 3.0: np.nan, 10.0: np.inf}
    assert lesson.tune_rate(errors.get, errors) == 0.3
    assert lesson.tune_rate(lambda rate: np.subtract(*np.exp([rate, rate])), (1e9, 0.1)) == 0.1  # inf - inf


# ---------------------------------------------------------------- pretraining


def test_a_new_head_guesses_before_its_first_step():
    params = lesson.with_new_head(PARAMS, 5)
    assert not NETWORK.apply(params, draw_episode().query_x[0]).any()
    assert {leaf.dtype for leaf in leaves(params)} == {np.dtype("float32")}


def test_sampled_images_are_different_and_have_their_own_labels():
    classes = classes_of(3, 4)
    images, labels = lesson.sample_images(classes, 7, np.random.default_rng(0))
    drawn = sorted(zip(np.rint(255 * images).tolist(), labels, strict=True))
    assert drawn == sorted(zip(classes.images.tolist(), classes.labels, strict=True))


# ---------------------------------------------------------------- frozen features

POINTS = np.random.default_rng(5).normal(size=(2, 9, 4))
MEAN = np.array([0.5, -1.0, 0.0, 2.0])


def test_features_are_centred_and_then_normalised():
    x = lesson.transform(POINTS, MEAN)
    np.testing.assert_allclose(x, (POINTS - MEAN) / np.linalg.norm(POINTS - MEAN, axis=-1, keepdims=True), rtol=1e-12)
    lengths = np.linalg.norm(POINTS, axis=-1, keepdims=True)
    np.testing.assert_allclose(lesson.transform(POINTS, MEAN, "normalised"), POINTS / lengths, rtol=1e-12)
    assert lesson.transform(POINTS, MEAN, "plain") is POINTS
    assert not lesson.transform(MEAN[None], MEAN).any()  # a row of zeros stays one


def test_frozen_scores_use_the_body_alone_and_see_the_queries_only_where_they_say_so():
    params, episode = {**PARAMS, "mean": np.full(4, 0.3, "float32")}, draw_episode()
    body = {name: layer for name, layer in PARAMS.items() if name != "head"}
    images = np.concatenate([episode.support_x, episode.query_x], axis=1)
    features = NETWORK.apply(body, images, n_reference=6)
    expected = lesson.nearest_mean_logits(features[:, :6], episode.support_y, features[:, 6:], 3, params["mean"])
    assert np.array_equal(lesson.frozen_scores(NETWORK, params, episode, "support"), expected)
    assert expected.dtype == np.float32
    changed = {**params, "head": tree_map(np.ones_like, PARAMS["head"])}
    assert np.array_equal(lesson.frozen_scores(NETWORK, changed, episode, "support"), expected)
    assert not np.allclose(lesson.frozen_scores(NETWORK, params, episode, "support and queries"), expected)


def test_pretraining_with_the_mean_is_the_same_pretraining_and_finds_the_mean():
    batch = draw_episode().support_x[0], draw_episode().support_y[0]
    start = lesson.start_with_mean(PARAMS)
    plain = grad(partial(lesson.classification_objective, NETWORK))(PARAMS, batch)
    both = grad(partial(lesson.frozen_objective, NETWORK))(start, batch)
    features = NETWORK.apply({name: layer for name, layer in PARAMS.items() if name != "head"}, batch[0])
    np.testing.assert_allclose(both.pop("mean"), -features.mean(axis=0), rtol=1e-5)
    assert_same_tree(both, plain, rtol=0)
    trained, by_itself = (train(NETWORK, params, lambda: batch, 0.02, 60)
                          for train, params in ((lesson.pretrain_with_mean, start), (lesson.pretrain, PARAMS)))
    mean = trained.pop("mean")
    assert_same_tree(trained, by_itself, rtol=0)
    features = NETWORK.apply({name: layer for name, layer in trained.items() if name != "head"}, batch[0])
    assert np.abs(mean - features.mean(axis=0)).max() < 0.2 * np.abs(features.mean(axis=0)).max()


def test_the_comparison_has_the_slope_of_finite_differences():
    def loss(p):
        logits = lesson.nearest_mean_logits(p["support"], np.arange(3).repeat(2), p["query"], 3, p["mean"])
        return cross_entropy(logits, np.array([0, 2, 1]))
    assert_slope(loss, {"support": POINTS[0, :6], "query": POINTS[0, 6:], "mean": MEAN}, eps=1e-6)


# ---------------------------------------------------------------- Reptile


def test_a_gradient_step_on_the_objective_is_a_reptile_step_as_the_training_takes_it():
    episode = draw_episode(n_tasks=3)
    objective = partial(lesson.reptile_objective, LOSS, episode=episode, inner_lr=0.1, inner_steps=2, inner_batch=6)
    gradient = grad(objective)(PARAMS)
    trained = lesson.train_reptile(LOSS, PARAMS, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=1)
    for p, g, e in zip(leaves(PARAMS), leaves(gradient), leaves(trained), strict=True):
        np.testing.assert_allclose(p - 0.7 * g, e, rtol=1e-4, atol=1e-6)
        assert g.dtype == np.float32
    twice = lesson.train_reptile(LOSS, PARAMS, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=2)
    again = lesson.train_reptile(LOSS, trained, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=1)
    assert np.array_equal(vector(twice), vector(again))


def test_mini_batches_take_the_classes_by_turns_and_begin_again():
    episode = draw_episode()
    images, labels = zip(*((x[0], y[0].tolist()) for x, y in lesson.mini_batches(episode, 3, 5)), strict=True)
    assert labels == ([0, 1, 2],) * 5
    assert np.array_equal(images[0], episode.support_x[0, ::2])
    assert np.array_equal(images[0], images[4])  # 12 images of 3 at a time


LABELS = np.tile(np.arange(3), (2, 2))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: lesson.fine_tune(line_loss, {"slope": np.ones(1)}, [(np.ones((3, 4)), np.ones((3, 4)))], 0.1),
     r"\(3,\).*without a task axis"),
    (lambda: lesson.reptile_step({"w": np.ones(2)}, {"w": np.ones(2)}, 0.5), r"\(2,\)"),
    (lambda: lesson.query_logits(NETWORK, PARAMS, draw_episode(), "support and queries"),
     '"support" or "queries", got \'support and queries\''),
    (lambda: lesson.query_logits(NETWORK, PARAMS, draw_episode(), True), '"support" or "queries", got True'),
    (lambda: lesson.frozen_scores(NETWORK, lesson.start_with_mean(PARAMS), draw_episode(), "queries"),
     "got 'queries'"),
    (lambda: lesson.sample_images(classes_of(3, 4), 8, np.random.default_rng(0)),
     "8 different images needs as many, there are 7"),
    (lambda: lesson.transform(POINTS, MEAN[:3]), r"need a mean \(4,\), got \(3,\)"),
    (lambda: lesson.transform(POINTS, MEAN, "centred"), "how must be .* got 'centred'"),
    (lambda: lesson.nearest_mean_logits(POINTS[:, :6], LABELS % 2, POINTS[:, 6:], 3, MEAN),
     "class 2 of task 0 has no example")])
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- the run


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learned_starts_beat_a_random_one_and_pixels(seed, tmp_path):
    """On the full glyphs, after a third of the training."""
    main(["--seed", str(seed), "--pretraining-iterations", "500", "--iterations", "270", "--episodes", "120",
          "--test-steps", "5", "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    pixels, random = metrics["nearest pixels, 1-shot"], metrics["random, 5 steps, 1-shot"]
    assert random["mean"] + random["interval"] < pixels["mean"] - pixels["interval"]
    for name in ("pretrained, head", "pretrained, all", "Reptile"):
        before, after = metrics[f"{name}, 0 steps, 1-shot"], metrics[f"{name}, 5 steps, 1-shot"]
        assert abs(before["mean"] - 0.2) < 0.06
        assert after["mean"] - after["interval"] > pixels["mean"] + pixels["interval"]
