"""What answers depend on: classifiers of several styles, right and wrong."""

from functools import partial

import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_metric import prototypical_scores
from fewshot_np.lesson4_maml import maml_scores
from fewshot_np.nn.networks import conv4


def flat(x):
    return x.reshape(len(x), -1).astype(float)


def prototypes_of(x, y):
    return np.array([x[y == c].mean(axis=0) for c in range(y.max() + 1)])


def by_prototypes(support_x, support_y, query_x):
    return -((flat(query_x)[:, None] - prototypes_of(flat(support_x), support_y)) ** 2).sum(axis=-1)


def by_nearest_neighbour(support_x, support_y, query_x):
    """Answers, not scores, query by query."""
    return [int(support_y[np.argmin([np.linalg.norm(q - s) for s in flat(support_x)])]) for q in flat(query_x)]


def as_float32_one_hot(support_x, support_y, query_x):
    one_hot = np.eye(support_y.max() + 1, dtype="float32")[support_y]
    s, q = (flat(x).astype("float32") for x in (support_x, query_x))
    return np.exp(-((q[:, None] - s) ** 2).sum(-1) / 100) @ one_hot


def with_common_mean(support_x, support_y, query_x):
    """Transductive: the mean of all queries is taken away."""
    return by_prototypes(support_x - support_x.mean(axis=0), support_y, query_x - query_x.mean(axis=0))


@pytest.mark.parametrize("predict", [by_prototypes, by_nearest_neighbour, as_float32_one_hot])
def test_a_right_inductive_classifier_is_called_so(predict):
    assert referee.scores(predict).check().verdict == "inductive"
    assert referee.scores(predict, expect="inductive", n_way=3, k_shot=1, image_shape=(7,)).ok


def test_a_transductive_one_is_called_so_which_is_a_fault_only_where_it_is_one():
    verdict = referee.scores(with_common_mean).check()
    assert verdict.verdict == "transductive"
    assert "of the answers" in verdict.evidence["alone"]
    assert referee.scores(with_common_mean, expect="inductive").verdict == "transductive, not inductive"


NETWORK = conv4(outputs=5, channels=8, features="mean", down="stride")
PARAMS = NETWORK.init(np.random.default_rng(0))


def of_the_course(method, statistics, support_x, support_y, query_x):
    return method(NETWORK, PARAMS, Episode(support_x[None], support_y[None], query_x[None], None, None, None),
                  statistics)[0]


def test_the_courses_methods_are_what_their_statistics_say():
    for statistics, wanted in (("support", "inductive"), ("support and queries", "transductive")):
        assert referee.scores(partial(of_the_course, prototypical_scores, statistics)).verdict == wanted
    maml = partial(maml_scores, inner_lr=0.4, steps=1)
    for statistics, wanted in (("support", "inductive"), ("queries", "transductive")):
        assert referee.scores(partial(of_the_course, maml, statistics), allow=("label names",)).verdict == wanted


def looks_at_the_labels(support_x, support_y, query_x, query_y):
    return by_prototypes(support_x, support_y, query_x) + 1e3 * np.eye(support_y.max() + 1)[query_y]


def supposes_sorted(support_x, support_y, query_x):
    n = support_y.max() + 1
    return -((flat(query_x)[:, None] - flat(support_x).reshape(n, len(support_x) // n, -1).mean(axis=1)) ** 2).sum(-1)


def in_order_of_coming(support_x, support_y, query_x):
    order = list(dict.fromkeys(support_y.tolist()))
    return by_prototypes(support_x, support_y, query_x)[:, order]


def ignores_the_support(support_x, support_y, query_x):
    return flat(query_x)[:, :support_y.max() + 1]


def sums_over_the_batch(support_x, support_y, query_x):
    return np.cumsum(by_prototypes(support_x, support_y, query_x), axis=0)


def with_weights_per_label(support_x, support_y, query_x):
    return by_prototypes(support_x, support_y, query_x) * np.linspace(0.5, 1, support_y.max() + 1)


WRONG = [
    ("leak", looks_at_the_labels), ("support order", supposes_sorted),
    ("label names: support_y is ignored", supposes_sorted),
    ("label names: support_y is ignored", in_order_of_coming), ("support order", in_order_of_coming),
    ("label names", with_weights_per_label), ("the support is ignored", ignores_the_support),
    ("query order", sums_over_the_batch),
    ("the lowest score is right", lambda *a: -by_prototypes(*a)),
    ("one answer per class, not per query", lambda *a: by_prototypes(*a).argmax(axis=0)),
    ("one answer for all queries", lambda *a: by_prototypes(*a).argmax()),
    ("it returned a constant", lambda s, y, q: np.ones((len(q), 5))),
    ("it is random", lambda s, y, q: np.random.default_rng().normal(size=(len(q), 5))),
    ("it returned NaN or infinity", lambda *a: np.log(by_prototypes(*a) * 0 - 1)),
    ("it returned shape (16, 4)", lambda *a: by_prototypes(*a)[:, :4]),
    ("it raised ZeroDivisionError", lambda *a: 1 / 0),
]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("name", "predict"), WRONG, ids=[f"{i} {name}" for i, (name, _) in enumerate(WRONG)])
def test_a_wrong_classifier_is_named(name, predict):
    verdict = referee.scores(predict)
    assert not verdict.ok
    assert name in verdict.verdict
    assert "(support_x=float32[10, 28, 28, 1], support_y=int64[10], query_x=float32[" in " ".join(str(verdict).split())


def test_what_is_meant_can_be_allowed():
    assert referee.scores(supposes_sorted, allow=("support order", "label names")).verdict == "inductive"
