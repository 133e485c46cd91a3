"""Rows: each names a method that can be trained so; which of them share a network; batch norm, and the best network."""

import pickle
from functools import partial
from types import SimpleNamespace

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.experiment.methods import build_network
from fewshot_np.experiment.records import load_params, write_record
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson4_maml import adapted_after, sample_sinusoids, squared_error
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.results.finn import sample_turned
from fewshot_np.results.rows import FINN, LAKE, sibling_of
from fewshot_np.results.sinusoids import best_later_rate, errors_after
from fewshot_np.results.statistics import scores_by_statistics, with_reference
from fewshot_np.results.training import keep_best, sample_for
from fewshot_np.results.variants import METHODS
from tests.results.characters import characters

# ---------------------------------------------------------------- the tables


def test_every_row_names_a_method_and_its_training_can_be_drawn(rng):
    classes = characters([70], rng)
    for (name, n_way, k_shot), row in FINN.items():
        method = METHODS[name]
        pretrained = method.head == "classes"  # on images, not on tasks
        batch = sample_for(row._replace(batch=2 if pretrained else 1), method, classes, n_way, k_shot, rng)
        assert pretrained or batch.support_x.shape[1] == (row.train_way or n_way) * k_shot
        network = build_network(method, row, classes, n_way, channels=2)
        objective = partial(method.objective, network, **row.objective)
        if row.train_way is None:  # the others have many images
            assert np.isfinite(objective(method.start(network, n_way, rng, **row.start), batch))
            pickle.dumps(objective)  # for --workers
    assert {background for _, background in LAKE} == {"background", "small1", "small2"}


def test_the_episodes_of_a_row_are_lesson_2s_and_distorted_where_it_says_so(rng):
    classes, method = characters([8], rng), METHODS["MAML"]
    row = FINN["MAML", 5, 5]._replace(turned=False)
    mine = sample_for(row, method, classes, 5, 5, np.random.default_rng(3))
    theirs = sample_episodes(classes, 5, 5, row.n_query, row.batch, np.random.default_rng(3))
    np.testing.assert_array_equal(mine.query_x, theirs.query_x)
    bent = sample_for(row._replace(distorted=True), method, classes, 5, 5, np.random.default_rng(3))
    np.testing.assert_array_equal(bent.query_ids, theirs.query_ids)
    assert not np.array_equal(bent.query_x, theirs.query_x)


def test_no_task_after_finn_holds_a_character_twice_and_a_class_is_turned_as_a_whole(rng):
    classes, row = characters([8], rng), FINN["MAML", 20, 5]
    for sample in (partial(sample_for, row._replace(batch=50), METHODS["MAML"], classes, 5, 5),
                   lambda rng: sample_turned(classes, 5, 5, 2, 50, rng)):  # in training and in the test
        episode, seen = sample(rng), set()
        for images, ids, labels in ((episode.support_x, episode.support_ids, episode.support_y),
                                    (episode.query_x, episode.query_ids, episode.query_y)):
            for task, drawn in enumerate(classes.labels[ids]):
                assert len(set(drawn)) == 5
                for label in range(5):
                    mine = labels[task] == label
                    upright = to_float(classes.images[ids[task][mine]])
                    fits = [n for n in range(4)
                            if np.array_equal(images[task][mine], np.rot90(upright, n, axes=(1, 2)))]
                    seen.add((task, label, *fits))
        assert len(seen) == 50 * 5  # support and queries of a class are turned alike
        assert {turn for _, _, turn in seen} == {0, 1, 2, 3}


def test_a_row_takes_the_network_of_its_sibling_and_of_no_other(tmp_path):
    finn = {"protocol": "finn", "method": "prototypical", "n_way": 20, "k_shot": 1, "seed": 0, "out": tmp_path,
            "effort": 1.0, "episodes": 1000, "quick": False}

    def sibling(**other):
        return sibling_of(SimpleNamespace(**{**finn, **other}))

    assert sibling() is None
    for name in ("finn-prototypical-5-way-1-shot-seed0", "finn-prototypical-5-way-1-shot-seed1",
                 "finn-MAML-5-way-1-shot-seed0", "lake-prototypical-small1-seed0",
                 "worlds-frozen-features-glyphs-seed0"):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, "results", SimpleNamespace(**finn), 1.0, {})
        (tmp_path / name / "best.npz").touch()
    lake = {"protocol": "lake", "method": "extended prototypical", "background": "small1"}
    worlds = {"protocol": "worlds", "method": "fine-tuning", "background": "glyphs"}
    for asked, name in [
            ({}, "finn-prototypical-5-way-1-shot-seed0"), ({"k_shot": 5}, None), ({"method": "MAML"}, None),
            ({"method": "extended prototypical"}, "finn-prototypical-5-way-1-shot-seed0"), ({"seed": 2}, None),
            (lake, "lake-prototypical-small1-seed0"), (lake | {"background": "small2"}, None),
            (lake | {"method": "Siamese"}, None), (lake | {"method": "prototypical ensemble"}, None),
            (worlds, "worlds-frozen-features-glyphs-seed0"),
            (worlds | {"method": "prototypical"}, None), (worlds | {"background": "omniglot"}, None)]:
        found = sibling(**asked)
        assert (found and found.name) == name


# ---------------------------------------------------------------- batch norm, and the choice of a network


def test_with_reference_a_query_does_not_depend_on_its_neighbours(rng):
    network = conv4(outputs=None, channels=4)
    params = network.init(rng)
    fixed = with_reference(network, rng.random((6, 28, 28, 1), dtype=np.float32))
    images = rng.random((2, 3, 28, 28, 1), dtype=np.float32)
    together = fixed.apply(params, images, n_reference=1)
    assert together.shape[:2] == (2, 3)
    np.testing.assert_allclose(fixed.apply(params, images[1, 2:])[0], together[1, 2], rtol=1e-4, atol=1e-5)
    assert not np.allclose(network.apply(params, images)[1, 2], together[1, 2], rtol=1e-2)


def test_a_method_is_measured_with_its_own_statistics_and_training_images_where_no_weights_are_adapted(rng):
    reference = rng.random((6, 28, 28, 1), dtype=np.float32)
    for name, expected in (("MAML", ["support", "queries"]),
                           ("prototypical", ["support", "support and queries", "training images"])):
        row, network = FINN[name, 5, 1], conv4(outputs=None, channels=2)
        assert list(scores_by_statistics(METHODS[name], row, network, None, reference)) == expected


def test_the_best_network_is_kept_and_a_worse_one_is_not(tmp_path):
    path = tmp_path / "best.npz"
    for value, weight in ((0.5, 1.0), (0.9, 2.0), (0.7, 3.0)):
        assert keep_best(path, lambda params, value=value: value, {"w": np.array([weight])}) == value
    assert load_params(path)["params"]["w"] == [2.0]
    keep_best(path, lambda params: 0.9, {"w": np.array([4.0])})  # as good, and later
    assert load_params(path)["params"]["w"] == [4.0]


# ---------------------------------------------------------------- sinusoids


def test_later_steps_at_the_same_rate_are_those_of_lesson_4_and_others_are_not(rng):
    network = mlp([1, 8, 1])
    params, tasks, loss = network.init(rng), sample_sinusoids(5, 20, 7, rng), partial(squared_error, network)
    errors = dict(errors_after(loss, params, tasks, 0.02, 0.02))
    for steps, adapted in adapted_after(loss, params, tasks, 0.02, (0, 1, 5, 10)):
        np.testing.assert_allclose(errors[steps], loss(adapted, tasks.query_x, tasks.query_y), rtol=1e-5)
    still = dict(errors_after(loss, params, tasks, 0.02, 0.0))
    np.testing.assert_array_equal(still[1], errors[1])
    np.testing.assert_array_equal(still[10], still[1])


def test_the_later_rate_is_smaller_where_steps_overshoot_and_as_large_as_may_be_where_they_creep(rng):
    network = mlp([1, 8, 1])
    params, loss = network.init(rng), partial(squared_error, network)
    assert best_later_rate(loss, params, 50, inner_lr=0.05) < 0.05
    assert best_later_rate(loss, params, 50, inner_lr=1e-4) == 1e-4
