"""Lesson 3: fine-tuning from a random, a pretrained and a meta-learned initialisation."""

from functools import partial

import numpy as np
import pytest

from fewshot_np.experiment.records import read_record
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_initialisation import (
    Start,
    classification_loss,
    fine_tune,
    fine_tuned_scores,
    fine_tuning,
    main,
    mini_batches,
    reptile_objective,
    reptile_step,
    with_new_head,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map

NETWORK = conv4((16, 16, 1), 3, channels=4, down="stride", features="mean")


def line_loss(params, x, y):
    """Half the squared error of y = slope x, summed over the points: () or (T,)."""
    return ((params["slope"] * x - y) ** 2).sum(-1) * 0.5


def draw_episode(n_tasks=2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random((2, n_tasks, 6, 16, 16, 1), dtype="float32")
    y = np.tile(np.arange(3).repeat(2), (n_tasks, 1))
    return Episode(x[0], y, x[1], y, None, None)


def test_one_step_of_fine_tuning_by_hand():
    # slope 1, the point (2, 6): gradient (2 - 6) 2 = -8, so 1 + 0.1 * 8 = 1.8
    start = {"slope": np.array([1.0])}
    path = list(fine_tuning(line_loss, start, [(np.array([2.0]), np.array([6.0]))], 0.1))
    assert [p["slope"].tolist() for p in path] == [[1.0], [pytest.approx(1.8)]]


def test_parameters_without_a_task_axis_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*without a task axis"):
        fine_tune(line_loss, {"slope": np.ones(1)}, [(np.ones((3, 4)), np.ones((3, 4)))], 0.1)


def test_tasks_at_once_are_fine_tuned_as_one_by_one():
    episode, params = draw_episode(), NETWORK.init(np.random.default_rng(1))
    loss = partial(classification_loss, NETWORK)
    batches = [(episode.support_x, episode.support_y)] * 2
    together = fine_tune(loss, repeat(params, 2), batches, 0.1)
    for task in range(2):
        alone = fine_tune(loss, params, [(x[task], y[task]) for x, y in batches], 0.1)
        for a, b in zip(leaves(together), leaves(alone), strict=True):
            np.testing.assert_allclose(a[task], b, rtol=1e-3, atol=1e-5)


def test_a_reptile_step_by_hand():
    # theta 1; the tasks end at 3 and 7, on average 4 away; half of that is 2
    stepped = reptile_step({"w": np.array([1.0])}, {"w": np.array([[3.0], [7.0]])}, 0.5)
    assert stepped["w"].tolist() == [3.0]


def test_a_reptile_step_refuses_parameters_without_a_task_axis():
    with pytest.raises(ValueError, match=r"\(2,\)"):
        reptile_step({"w": np.ones(2)}, {"w": np.ones(2)}, 0.5)


def test_a_gradient_step_on_the_objective_is_a_reptile_step():
    episode, params = draw_episode(n_tasks=3), NETWORK.init(np.random.default_rng(1))
    loss = partial(classification_loss, NETWORK)
    objective = partial(reptile_objective, loss, episode=episode, inner_lr=0.1, inner_steps=2, inner_batch=6)
    gradient = grad(objective)(params)
    adapted = fine_tune(loss, repeat(params, 3), mini_batches(episode, 6, 2), 0.1)
    expected = reptile_step(params, adapted, 0.7)
    for p, g, e in zip(leaves(params), leaves(gradient), leaves(expected), strict=True):
        np.testing.assert_allclose(p - 0.7 * g, e, rtol=1e-4, atol=1e-6)
        assert g.dtype == np.float32


def test_mini_batches_take_the_classes_by_turns_and_begin_again():
    episode = draw_episode()
    labels = [y[0].tolist() for _, y in mini_batches(episode, 3, 5)]
    assert labels == [[0, 1, 2]] * 5
    images = [x[0] for x, _ in mini_batches(episode, 3, 5)]
    assert np.array_equal(images[0], episode.support_x[0, ::2])
    assert np.array_equal(images[0], images[4])  # 12 images of 3 at a time


def test_a_new_head_guesses_before_its_first_step():
    params = with_new_head(NETWORK.init(np.random.default_rng(0)), 5)
    assert not NETWORK.apply(params, draw_episode().query_x[0]).any()


@pytest.mark.parametrize("head_only", [False, True])
def test_a_querys_score_depends_on_its_neighbours_only_if_transductive(head_only):
    episode = draw_episode()
    start = Start(NETWORK.init(np.random.default_rng(1)), head_only=head_only)
    other = episode._replace(query_x=np.concatenate([episode.query_x[:, :1], 1 - episode.query_x[:, 1:]], axis=1))
    for transductive in (False, True):
        scores, changed = (fine_tuned_scores(NETWORK, start, e, transductive, 2)[:, 0] for e in (episode, other))
        assert np.allclose(scores, changed, atol=1e-5) != transductive


def test_head_only_leaves_the_body():
    episode, params = draw_episode(), NETWORK.init(np.random.default_rng(1))
    kept = tree_map(np.copy, params)
    fine_tuned_scores(NETWORK, Start(params, head_only=True), episode, False, 3)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(kept), strict=True))


def test_the_quick_run_end_to_end(tmp_path, capsys):
    main(["--quick", "--pretraining-iterations", "2", "--iterations", "2", "--episodes", "4", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("5 characters that it has never seen")
    assert max(map(len, lines[:-8])) <= 82
    assert all(line.replace("±", "").isascii() for line in lines)
    record = read_record(tmp_path / "record.json")
    assert record["lesson"] == "lesson3_initialisation"
    assert all(0 <= metric["mean"] <= 1 for metric in record["metrics"].values() if "mean" in metric)


def test_impossible_requests_are_told_before_training(tmp_path):
    with pytest.raises(ValueError, match="60-way episodes need 60 classes"):
        main(["--quick", "--n-way", "60", "--out", str(tmp_path)])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learned_starts_beat_a_random_one_and_pixels(seed, tmp_path):
    """What the lesson claims, on the full glyphs after a third of its training: from a learned start, a few steps on
    one example of each lead to more than nearest pixels; from a random one they lead to less; and none of the starts
    knows anything before its first step."""
    main(["--seed", str(seed), "--pretraining-iterations", "500", "--iterations", "270", "--episodes", "120",
          "--test-steps", "5", "--out", str(tmp_path)])
    found = read_record(tmp_path / "record.json")["metrics"]
    pixels, random = found["nearest pixels, 1-shot"], found["random, 5 steps, 1-shot"]
    assert random["mean"] + random["interval"] < pixels["mean"] - pixels["interval"]
    for name in ("pretrained, head", "pretrained, all", "Reptile"):
        before, after = found[f"{name}, 0 steps, 1-shot"], found[f"{name}, 5 steps, 1-shot"]
        assert abs(before["mean"] - 0.2) < 0.06
        assert after["mean"] - after["interval"] > pixels["mean"] + pixels["interval"]
