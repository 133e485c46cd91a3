"""What the answers to the exercises of lesson 3, part 1, are compared with, and on what."""

from autograd import numpy as np

from fewshot_np import lesson3_metric as lesson
from lessons.teacher.checking import case, exercise

# Three classes, which appear in the order 2, 0, 1 (not its own inverse); no two examples of a class are neighbours.
UNEQUAL, EQUAL = np.array([2, 0, 2, 1, 2, 0, 2, 1]), np.array([2, 0, 1, 2, 1, 0])
ONE_EACH = np.array([2, 0, 1])


@exercise("metric.1", lesson.prototypes, gradients=("embeddings",))
def test_prototypes(rng):
    yield case("by hand", expected=[[0.0, 5.0, 6.0], [3.0, 1.0, 1.0]],
               embeddings=np.array([[4.0, 0.0, 1.0], [0.0, 5.0, 6.0], [2.0, 2.0, 1.0]]), labels=np.array([1, 0, 1]),
               n_way=2)
    yield case("by hand, three classes", expected=[[2.0, 1.0], [0.0, 3.0], [5.0, 0.0]],
               embeddings=np.array([[4.0, 0], [1, 1], [0, 2], [6, 0], [3, 1], [0, 4]]),
               labels=np.array([2, 0, 1, 2, 0, 1]), n_way=3)
    for name, labels in [("2 of each of 3 classes", EQUAL), ("2, 2 and 4 of 3 classes", UNEQUAL),
                         ("one example of each", ONE_EACH)]:
        yield case(name, embeddings=rng.normal(size=(len(labels), 5)), labels=labels, n_way=3)
    yield case("one class", embeddings=rng.normal(size=(3, 4)), labels=np.zeros(3, int), n_way=1)


@exercise("metric.2", lesson.squared_distances, gradients=("a", "b"), order=2)
def test_squared_distances(rng):
    yield case("by hand", expected=[[25.0, 1.0], [16.0, 10.0]], a=np.array([[0.0, 0.0], [3.0, 0.0]]),
               b=np.array([[3.0, 4.0], [0.0, 1.0]]))
    a, b = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))
    yield case("4 rows and 3 rows of 5", a=a, b=b)
    yield case("an identical pair", a=a, b=np.concatenate([b[:1], a[2:3]]))
    yield case("one feature", a=a[:, :1], b=b[:, :1])


@exercise("metric.3", lesson.prototypical_loss, gradients=("embeddings_s", "embeddings_q"), order=2)
def test_prototypical_loss(rng):
    # from 0.5 it is 0.25 to class 0 and 2.25 to class 1; three queries of class 0 and one of class 1
    near, far = np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(2.0))
    yield case("by hand", expected=(near + 3 * far) / 4, embeddings_s=np.array([[1.0], [0.0], [3.0]]),
               labels_s=np.array([1, 0, 1]), embeddings_q=np.array([[0.5], [1.5], [1.5], [0.5]]),
               labels_q=np.array([0, 0, 0, 1]), n_way=2)
    query, labels_q = 0.7 * rng.normal(size=(4, 5)), np.array([0, 2, 1, 2])
    support = 0.7 * rng.normal(size=(3, 5))
    yield case("classes far apart", embeddings_s=60 * support, labels_s=ONE_EACH, embeddings_q=60 * query,
               labels_q=labels_q, n_way=3)
    # class 1 is (4 + 2) / 2 = 3, class 0 is 0: the squared distances of the query 1 are 1 and 4, those of 3 are 9 and 0
    yield case("by hand, two queries", expected=(np.log(1 + np.exp(-3.0)) + np.log(1 + np.exp(9.0))) / 2,
               embeddings_s=np.array([[4.0], [0.0], [2.0], [0.0]]), labels_s=np.array([1, 0, 1, 0]),
               embeddings_q=np.array([[1.0], [3.0]]), labels_q=np.array([0, 0]), n_way=2)
    for name, labels_s in [("2 of each of 3 classes", EQUAL), ("2, 2 and 4 of 3 classes", UNEQUAL),
                           ("one example of each", ONE_EACH)]:
        yield case(name, embeddings_s=0.7 * rng.normal(size=(len(labels_s), 5)), labels_s=labels_s, embeddings_q=query,
                   labels_q=labels_q, n_way=3)
    yield case("a query that is a prototype", embeddings_s=support, labels_s=ONE_EACH,
               embeddings_q=np.concatenate([support[:1], query[:1]]), labels_q=np.array([0, 1]), n_way=3)
    yield case("one class", expected=0.0, embeddings_s=support, labels_s=np.zeros(3, int), embeddings_q=query,
               labels_q=np.zeros(4, int), n_way=1)


def library_matching_probabilities(embeddings_s, labels_s, embeddings_q, n_way):
    """The library's logarithm is of classes that have an example; the others get 0."""
    present = [n for n in range(n_way) if n in labels_s]
    labels = np.array([present.index(n) for n in labels_s])
    log_p = lesson.matching_log_probabilities(embeddings_s, labels, embeddings_q, len(present))
    return np.matmul(np.exp(log_p), np.eye(n_way)[np.array(present)])


@exercise("metric.4", library_matching_probabilities, gradients=("embeddings_s", "embeddings_q"), order=2)
def test_matching_probabilities(rng):
    weights = np.exp([0.6, 0.8, 0.8])
    p = [weights[0] / sum(weights), np.exp(1.0) / (np.exp(1.0) + 2)]
    yield case("by hand", expected=[[1 - p[0], p[0]], [1 - p[1], p[1]]],
               embeddings_s=np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), labels_s=np.array([1, 0, 0]),
               embeddings_q=np.array([[3.0, 4.0], [1.0, 0.0]]), n_way=2)
    for name, labels_s in [("2 of each of 3 classes", EQUAL), ("2, 2 and 4 of 3 classes", UNEQUAL),
                           ("one example of each", ONE_EACH)]:
        yield case(name, embeddings_s=2 * rng.normal(size=(len(labels_s), 5)), labels_s=labels_s,
                   embeddings_q=rng.normal(size=(4, 5)), n_way=3)
    for name, labels_s in [("the last class has no example", [1, 0, 1, 0]), ("class 1 has no example", [2, 0, 0, 2])]:
        yield case(name, embeddings_s=rng.normal(size=(4, 5)), labels_s=np.array(labels_s),
                   embeddings_q=rng.normal(size=(2, 5)), n_way=3)
    yield case("short embeddings", embeddings_s=0.1 * rng.normal(size=(4, 3)), labels_s=np.array([1, 0, 1, 1]),
               embeddings_q=0.1 * rng.normal(size=(2, 3)), n_way=2)
    yield case("one class", embeddings_s=rng.normal(size=(3, 5)), labels_s=np.zeros(3, int),
               embeddings_q=rng.normal(size=(2, 5)), n_way=1)


def library_ridge(embeddings_s, labels_s, embeddings_q, n_way, strength):
    """A class without an example is a column of zeros in Y, which the library's labels do not allow."""
    return np.matmul(embeddings_q, lesson.ridge_weights(embeddings_s, np.eye(n_way)[labels_s], strength))


@exercise("metric.5", library_ridge, gradients=("embeddings_s", "embeddings_q", "strength"), order=2)
def test_ridge_predictions(rng):
    yield case("by hand", expected=[[0.3, 0.6]], embeddings_s=np.array([[1.0], [2.0]]), labels_s=np.array([0, 1]),
               embeddings_q=np.array([[3.0]]), n_way=2, strength=5.0)
    # two features that never occur together: X'X = diag(4, 1 + 9), X'Y = ((0, 2), (4, 0)), strength 2
    yield case("by hand, two features", expected=[[4 / 12, 2 / 6]],
               embeddings_s=np.array([[0.0, 1], [2, 0], [0, 3]]), labels_s=np.array([0, 1, 0]),
               embeddings_q=np.array([[1.0, 1.0]]), n_way=2, strength=2.0)
    for labels_s, n_features in [(UNEQUAL, 3), (ONE_EACH, 5), (EQUAL, 6)]:
        name = f"{len(labels_s)} examples of {n_features} features, 3 classes"
        yield case(name, embeddings_s=rng.normal(size=(len(labels_s), n_features)), labels_s=labels_s,
                   embeddings_q=rng.normal(size=(4, n_features)), n_way=3, strength=1.5)
    yield case("the last class has no example", embeddings_s=rng.normal(size=(4, 5)), labels_s=np.array([1, 0, 1, 0]),
               embeddings_q=rng.normal(size=(2, 5)), n_way=3, strength=3.0)


def library_relation(w, b, v, classes, queries):
    params = {"dense1": {"w": w, "b": b}, "head": {"w": np.expand_dims(v, 1), "b": np.zeros(1)}}
    return 0.5 * (1 + np.tanh(0.5 * lesson.relation_logits(params, classes, queries)))


@exercise("metric.6", library_relation, gradients=("w", "b", "v", "classes", "queries"), order=2)
def test_relation_scores(rng):
    yield case("by hand", expected=[[1 / (1 + np.exp(-2.0)), 0.5]], w=np.array([[1.0], [-1.0]]), b=np.zeros(1),
               v=np.ones(1), classes=np.array([[3.0], [0.0]]), queries=np.array([[1.0]]))
    # hidden: relu(2 * 1 + 1 * 3 - 1) = 4 and relu(0 * 1 - 1 * 3 + 1) = 0; 0.5 * 4 - 9 * 0 = 2
    yield case("by hand, a bias and two hidden numbers", expected=[[1 / (1 + np.exp(-2.0))]],
               w=np.array([[2.0, 0.0], [1.0, -1.0]]), b=np.array([-1.0, 1.0]), v=np.array([0.5, -9.0]),
               classes=np.array([[1.0]]), queries=np.array([[3.0]]))
    for n_classes, n_queries, n_features, n_hidden in [(3, 4, 2, 5), (2, 2, 3, 4), (1, 3, 4, 6)]:
        yield case(f"{n_classes} classes, {n_queries} queries of {n_features} features",
                   w=rng.normal(size=(2 * n_features, n_hidden)), b=rng.normal(size=n_hidden),
                   v=rng.normal(size=n_hidden), classes=rng.normal(size=(n_classes, n_features)),
                   queries=rng.normal(size=(n_queries, n_features)))
