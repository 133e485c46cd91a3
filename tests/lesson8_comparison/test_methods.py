"""Every row of the table of methods is the lesson's own method, can be trained, and answers."""

import itertools
import json
from functools import partial

import numpy as np
import pytest

from fewshot_np.experiment.methods import OPTIMIZERS, SCHEDULES, Training, build_network, train_method
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.lesson8_comparison import METHODS, TRAININGS, sample_training_episodes, train_plainly
from fewshot_np.nn.trees import leaves, repeat, value_and_grad
from tests.scaffolding import classes_of, vector

CLASSES = classes_of(*[12] * 8, side=16)
every_method = pytest.mark.parametrize("name", TRAININGS)
every_way = pytest.mark.parametrize(("name", "statistics"), [
    (name, statistics) for name in TRAININGS for statistics in METHODS[name].statistics])


@pytest.fixture
def episode():
    return sample_episodes(CLASSES, 3, 2, 4, 3, np.random.default_rng(1))


def untrained(name):
    """(training, network, start, a batch to train on) of a method."""
    method, training, rng = METHODS[name], TRAININGS[name], np.random.default_rng(0)
    network = build_network(method, training, CLASSES, 3, channels=4)
    batch = method.sample(CLASSES, 3, 2, training, rng)
    return training, network, method.start(network, 3, rng, **training.start), batch


def scores_of(name):
    training, network, params, _ = untrained(name)
    return partial(METHODS[name].scores, network, params, **training.scores)


def loss_of(name):
    training, network, params, batch = untrained(name)
    return partial(METHODS[name].objective, network, **training.objective), params, batch


def test_every_method_that_learns_has_a_training_that_a_record_can_hold():
    assert ["pixels", *TRAININGS] == list(METHODS)
    for training in TRAININGS.values():
        assert training.optimizer in OPTIMIZERS
        assert training.schedule in SCHEDULES
        assert json.loads(json.dumps(training._asdict())) == training._asdict()


@every_method
def test_the_objective_is_one_number_with_a_float32_gradient(name):
    loss, params, batch = loss_of(name)
    value, gradient = value_and_grad(loss)(params, batch)
    assert (np.shape(value), value.dtype) == ((), np.float32)
    assert np.isfinite(value)
    for p, g in zip(leaves(params), leaves(gradient), strict=True):
        assert p.shape == g.shape
        assert p.dtype == g.dtype == np.float32
    assert np.isfinite(vector(gradient)).all()
    assert vector(gradient).any()


@every_way
def test_scores_of_tasks_at_once_are_those_of_each_task(name, statistics, episode):
    scores = scores_of(name)
    together = scores(episode, statistics)
    assert together.shape == (3, 12, 3)
    assert together.dtype == np.float32
    for task in range(3):
        alone = scores(type(episode)(*(field[task:task + 1] for field in episode)), statistics)
        np.testing.assert_allclose(together[task], alone[0], rtol=2e-3, atol=2e-3)


@every_way
def test_an_answer_depends_on_other_queries_only_where_batch_norm_sees_them(name, statistics, episode):
    scores = scores_of(name)
    others = episode._replace(query_x=np.concatenate([episode.query_x[:, :1], 1 - episode.query_x[:, 1:]], axis=1))
    first, second = (scores(e, statistics)[:, 0] for e in (episode, others))
    assert np.allclose(first, second, rtol=1e-3, atol=1e-4) == (statistics == "support")


def test_the_methods_of_one_family_differ_as_they_should():
    names = ("MAML", "first-order MAML", "ANIL")
    _, network, params, batch = untrained("MAML")
    loss = partial(classification_loss, network)
    results = {name: value_and_grad(loss_of(name)[0])(params, batch) for name in names}
    for name in names:
        assert results[name][0] == maml_objective(loss, params, batch, TRAININGS[name].objective["inner_lr"], 1)
    for one, two in itertools.combinations(names, 2):
        assert not np.allclose(results[one][1]["block1"]["w"], results[two][1]["block1"]["w"])
    adapted = adapt(loss, repeat(params, len(batch.support_y)), batch.support_x, batch.support_y,
                    TRAININGS["ANIL"].objective["inner_lr"], 1)
    assert np.array_equal(adapted["block1"]["w"][0], params["block1"]["w"])


def test_pretraining_tells_all_characters_apart_and_answers_with_a_new_head(episode):
    _, _, params, (images, labels) = untrained("fine-tuning")
    assert params["head"]["w"].shape[1] == len(CLASSES) > labels.max()
    assert len(images) == min(64, len(CLASSES.images))
    assert scores_of("fine-tuning")(episode, "support").shape[-1] == 3


def test_training_episodes_are_of_as_many_classes_and_queries_as_there_are():
    rng = np.random.default_rng(0)
    many = sample_training_episodes(CLASSES, 5, 2, Training(1, 0.1, batch=2, train_way=20, n_query=99), rng)
    assert many.support_x.shape[:2] == (2, 8 * 2)
    assert many.query_x.shape[:2] == (2, 8 * 10)
    own = sample_training_episodes(CLASSES, 5, 2, Training(1, 0.1, batch=2, n_query=3), rng)
    assert own.support_x.shape[:2] == (2, 5 * 2)
    assert own.query_x.shape[:2] == (2, 5 * 3)


@pytest.mark.parametrize("name", ["fine-tuning", "prototypical", "MAML", "Reptile", "Meta-SGD"])
def test_the_loop_that_the_page_shows_is_the_training_of_the_run(name, tmp_path):
    method, training = METHODS[name], TRAININGS[name]._replace(iterations=3)
    network = build_network(method, training, CLASSES, 3, channels=4)
    plain = train_plainly(method, training, network, CLASSES, 3, 2, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    start = method.start(network, 3, rng, **training.start)
    params, _ = train_method(method, training, network, start, partial(method.sample, CLASSES, 3, 2, training, rng),
                             tmp_path / "a.npz", name)
    np.testing.assert_array_equal(vector(plain), vector(params))
