"""Lesson 3, part 2: fine-tuning from a random, a pretrained and a meta-learned initialisation.

The values worked out by hand are in lessons/lesson3_initialisation/test_exercises.py, where the library is the
reference."""

from functools import partial

import numpy as np
import pytest

from fewshot_np.experiment.records import read_record
from fewshot_np.lesson3_initialisation import (
    Start,
    classification_loss,
    classification_objective,
    fine_tune,
    fine_tuned_scores,
    fine_tuning,
    frozen_objective,
    frozen_scores,
    mini_batches,
    nearest_mean_logits,
    pretrain,
    pretrain_with_mean,
    query_logits,
    reptile_objective,
    reptile_step,
    sample_images,
    start_with_mean,
    train_reptile,
    transform,
    tune_rate,
    with_new_head,
)
from fewshot_np.lesson3_initialisation.__main__ import main
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, leaves, tree_map
from tests.scaffolding import assert_same_tree, assert_slope, classes_of, episode_of_noise, run_tiny, vector

NETWORK = conv4((16, 16, 1), 3, channels=4, down="stride", features="mean")
PARAMS = NETWORK.init(np.random.default_rng(1))
LOSS = partial(classification_loss, NETWORK)


def line_loss(params, x, y):
    """Half the squared error of y = slope x, summed over the points: () or (T,)."""
    return ((params["slope"] * x - y) ** 2).sum(-1) * 0.5


draw_episode = partial(episode_of_noise, (16, 16, 1), n_tasks=2, dtype="float32")

# ---------------------------------------------------------------- fine-tuning


def test_fine_tuning_yields_its_start_and_every_step():
    # slope 1, the point (2, 6): gradient (2 - 6) 2 = -8, so 1 + 0.1 * 8 = 1.8
    path = list(fine_tuning(line_loss, {"slope": np.array([1.0])}, [(np.array([2.0]), np.array([6.0]))], 0.1))
    assert [p["slope"].tolist() for p in path] == [[1.0], [pytest.approx(1.8)]]


def test_parameters_without_a_task_axis_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*without a task axis"):
        fine_tune(line_loss, {"slope": np.ones(1)}, [(np.ones((3, 4)), np.ones((3, 4)))], 0.1)
    with pytest.raises(ValueError, match=r"\(2,\)"):
        reptile_step({"w": np.ones(2)}, {"w": np.ones(2)}, 0.5)


@pytest.mark.parametrize("unknown", ["support and queries", True])
def test_other_statistics_are_refused_by_name(unknown):
    with pytest.raises(ValueError, match=f'"support" or "queries", got {unknown!r}'):
        query_logits(NETWORK, PARAMS, draw_episode(), unknown)


def test_head_only_leaves_the_body():
    kept = tree_map(np.copy, PARAMS)
    fine_tuned_scores(NETWORK, Start(PARAMS, head_only=True), draw_episode(), "support", 3)
    assert_same_tree(PARAMS, kept, rtol=0)


@pytest.mark.filterwarnings("error")
def test_tune_rate_takes_the_first_of_the_best_and_passes_over_what_diverges():
    errors = {0.1: -0.5, 0.3: -0.7, 1.0: -0.7, 3.0: np.nan, 10.0: np.inf}
    assert tune_rate(errors.get, errors) == 0.3
    assert tune_rate(lambda rate: np.exp(np.float64(rate)) - np.exp(np.float64(rate)), (1e9, 0.1)) == 0.1  # inf - inf


# ---------------------------------------------------------------- pretraining


def test_a_new_head_guesses_before_its_first_step():
    params = with_new_head(PARAMS, 5)
    assert not NETWORK.apply(params, draw_episode().query_x[0]).any()
    assert {leaf.dtype for leaf in leaves(params)} == {np.dtype("float32")}


def test_pretraining_learns_its_images():
    batch = draw_episode().support_x[0], draw_episode().support_y[0]
    trained = pretrain(NETWORK, PARAMS, lambda: batch, 0.02, 20)
    before, after = (classification_objective(NETWORK, params, batch) for params in (PARAMS, trained))
    assert after < before - 0.1


def test_sampled_images_are_different_and_have_their_own_labels():
    classes = classes_of(3, 4)
    images, labels = sample_images(classes, 7, np.random.default_rng(0))
    drawn = sorted(zip(np.rint(255 * images).tolist(), labels, strict=True))
    assert drawn == sorted(zip(classes.images.tolist(), classes.labels, strict=True))
    with pytest.raises(ValueError, match="8 different images needs as many, there are 7"):
        sample_images(classes, 8, np.random.default_rng(0))


# ---------------------------------------------------------------- frozen features

POINTS = np.random.default_rng(5).normal(size=(2, 9, 4))
MEAN = np.array([0.5, -1.0, 0.0, 2.0])


def test_features_are_centred_and_then_normalised():
    x = transform(POINTS, MEAN)
    np.testing.assert_allclose(x, (POINTS - MEAN) / np.linalg.norm(POINTS - MEAN, axis=-1, keepdims=True), rtol=1e-12)
    lengths = np.linalg.norm(POINTS, axis=-1, keepdims=True)
    np.testing.assert_allclose(transform(POINTS, MEAN, "normalised"), POINTS / lengths, rtol=1e-12)
    assert transform(POINTS, MEAN, "plain") is POINTS
    assert not transform(MEAN[None], MEAN).any()  # a row of zeros stays one
    for bad, message in (({"mean": MEAN[:3]}, r"need a mean \(4,\), got \(3,\)"),
                         ({"mean": MEAN, "how": "centred"}, "how must be .* got 'centred'")):
        with pytest.raises(ValueError, match=message):
            transform(POINTS, **bad)


def test_only_the_direction_from_the_mean_counts():
    labels = np.tile(np.arange(3), (2, 2))
    scores = nearest_mean_logits(POINTS[:, :6], labels, POINTS[:, 6:], 3, MEAN)
    stretched = MEAN + (POINTS - MEAN) * np.arange(1, 10)[:, None]
    np.testing.assert_allclose(nearest_mean_logits(stretched[:, :6], labels, stretched[:, 6:], 3, MEAN), scores)
    assert (scores <= 0).all()
    assert (scores >= -4).all()  # the points lie on a sphere, and the means within it
    with pytest.raises(ValueError, match="class 2 of task 0 has no example"):
        nearest_mean_logits(POINTS[:, :6], labels % 2, POINTS[:, 6:], 3, MEAN)


def test_frozen_scores_use_the_body_alone_and_see_the_queries_only_where_they_say_so():
    params, episode = {**PARAMS, "mean": np.full(4, 0.3, "float32")}, draw_episode()
    body = {name: layer for name, layer in PARAMS.items() if name != "head"}
    images = np.concatenate([episode.support_x, episode.query_x], axis=1)
    features = NETWORK.apply(body, images, n_reference=6)
    expected = nearest_mean_logits(features[:, :6], episode.support_y, features[:, 6:], 3, params["mean"])
    assert np.array_equal(frozen_scores(NETWORK, params, episode, "support"), expected)
    assert expected.dtype == np.float32
    changed = {**params, "head": tree_map(np.ones_like, PARAMS["head"])}
    assert np.array_equal(frozen_scores(NETWORK, changed, episode, "support"), expected)
    assert not np.allclose(frozen_scores(NETWORK, params, episode, "support and queries"), expected)
    with pytest.raises(ValueError, match="got 'queries'"):
        frozen_scores(NETWORK, params, episode, "queries")


def test_pretraining_with_the_mean_is_the_same_pretraining_and_finds_the_mean():
    batch = draw_episode().support_x[0], draw_episode().support_y[0]
    start = start_with_mean(PARAMS)
    plain = grad(partial(classification_objective, NETWORK))(PARAMS, batch)
    both = grad(partial(frozen_objective, NETWORK))(start, batch)
    features = NETWORK.apply({name: layer for name, layer in PARAMS.items() if name != "head"}, batch[0])
    np.testing.assert_allclose(both.pop("mean"), -features.mean(axis=0), rtol=1e-5)
    assert_same_tree(both, plain, rtol=0)
    trained, by_itself = (train(NETWORK, params, lambda: batch, 0.02, 60)
                          for train, params in ((pretrain_with_mean, start), (pretrain, PARAMS)))
    mean = trained.pop("mean")
    assert_same_tree(trained, by_itself, rtol=0)
    features = NETWORK.apply({name: layer for name, layer in trained.items() if name != "head"}, batch[0])
    assert np.abs(mean - features.mean(axis=0)).max() < 0.2 * np.abs(features.mean(axis=0)).max()


def test_value_and_gradients_of_the_comparison_are_pytorchs():
    torch = pytest.importorskip("torch")
    labels, targets = np.arange(3).repeat(2), np.array([0, 2, 1])
    arrays = POINTS[0, :6], POINTS[0, 6:], MEAN
    support, query, mean = theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    support, query = (torch.nn.functional.normalize(x - mean, dim=-1) for x in (support, query))
    centres = torch.stack([support[labels == n].mean(0) for n in range(3)])
    loss = torch.nn.functional.cross_entropy(-torch.cdist(query, centres) ** 2, torch.tensor(targets))

    def ours(support, query, mean):
        return cross_entropy(nearest_mean_logits(support, labels, query, 3, mean), targets)

    assert ours(*arrays) == pytest.approx(loss.item(), rel=1e-10)
    for index, expected in enumerate(torch.autograd.grad(loss, theirs)):
        gradient = grad(lambda a, i=index: ours(*arrays[:i], a, *arrays[i + 1:]))(arrays[index])
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-8, atol=1e-12)
    assert_slope(lambda p: ours(*p.values()), dict(zip("sqm", arrays, strict=True)), eps=1e-6)


# ---------------------------------------------------------------- Reptile


def test_a_gradient_step_on_the_objective_is_a_reptile_step_as_the_training_takes_it():
    episode = draw_episode(n_tasks=3)
    gradient = grad(partial(reptile_objective, LOSS, episode=episode, inner_lr=0.1, inner_steps=2, inner_batch=6))(
        PARAMS)
    trained = train_reptile(LOSS, PARAMS, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=1)
    for p, g, e in zip(leaves(PARAMS), leaves(gradient), leaves(trained), strict=True):
        np.testing.assert_allclose(p - 0.7 * g, e, rtol=1e-4, atol=1e-6)
        assert g.dtype == np.float32
    twice = train_reptile(LOSS, PARAMS, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=2)
    again = train_reptile(LOSS, trained, lambda: episode, 0.1, 2, 6, outer_lr=0.7, iterations=1)
    assert np.array_equal(vector(twice), vector(again))


def test_mini_batches_take_the_classes_by_turns_and_begin_again():
    episode = draw_episode()
    images, labels = zip(*((x[0], y[0].tolist()) for x, y in mini_batches(episode, 3, 5)), strict=True)
    assert labels == ([0, 1, 2],) * 5
    assert np.array_equal(images[0], episode.support_x[0, ::2])
    assert np.array_equal(images[0], images[4])  # 12 images of 3 at a time


# ---------------------------------------------------------------- the run


def test_the_record_has_every_start_and_says_which_statistics_are_not_those_of_the_support(tmp_path):
    metrics = run_tiny("lesson3_initialisation", tmp_path, "--pretraining-iterations", "2", "--iterations", "2",
                       "--episodes", "5", "--test-steps", "2", "--inner-optimizer", "adam")["metrics"]
    assert set(metrics.pop("learning rates")) == {"random", "pretrained, head", "pretrained, all", "Reptile"}
    assert all(0 <= metric["mean"] <= 1 for metric in metrics.values())
    assert {name for name in metrics if name.startswith("Reptile") and name.endswith("1-shot")} == {
        f"Reptile, {line}, 1-shot" for line in ("0 steps", "1 steps", "2 steps", "2 steps, statistics of the queries")}
    assert {name for name in metrics if name.startswith("frozen") and name.endswith("1-shot")} == {
        f"frozen features, {how}{more}, 1-shot" for how in ("plain", "normalised", "centred and normalised")
        for more in ("", ", statistics of the support and queries")}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learned_starts_beat_a_random_one_and_pixels(seed, tmp_path):
    """What the lesson claims, on the full glyphs after a third of its training: from a learned start, a few steps on
    one example of each lead to more than nearest pixels; from a random one they lead to less; and none of the starts
    knows anything before its first step."""
    main(["--seed", str(seed), "--pretraining-iterations", "500", "--iterations", "270", "--episodes", "120",
          "--test-steps", "5", "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    pixels, random = metrics["nearest pixels, 1-shot"], metrics["random, 5 steps, 1-shot"]
    assert random["mean"] + random["interval"] < pixels["mean"] - pixels["interval"]
    for name in ("pretrained, head", "pretrained, all", "Reptile"):
        before, after = metrics[f"{name}, 0 steps, 1-shot"], metrics[f"{name}, 5 steps, 1-shot"]
        assert abs(before["mean"] - 0.2) < 0.06
        assert after["mean"] - after["interval"] > pixels["mean"] + pixels["interval"]
