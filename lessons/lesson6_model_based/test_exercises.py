"""What the answers to lesson 6's exercises on model-based learning are compared with, and on what."""

from functools import wraps

import numpy as onp
from autograd import numpy as np

from fewshot_np import lesson6_model_based
from fewshot_np.lesson6_model_based import neural_process as lesson  # the page: `add_point` gets another encoder below
from fewshot_np.nn.primitives import attention
from lessons.teacher.checking import case, exercise
from lessons.teacher.language import say

# ---------------------------------------------------------------- the networks that the answers are given


def two_numbers(params, pairs):
    return np.stack([pairs[..., 0] * pairs[..., 1], pairs[..., 1]], axis=-1)


def small_encoder(params, pairs):
    return np.tanh(np.matmul(pairs, params["w"]) + params["b"])


def r_and_twice_x(params, rows):
    return rows[..., :1] + 2 * rows[..., 1:]


def small_decoder(params, rows):
    return np.matmul(np.tanh(np.matmul(rows, params["w"])), params["v"])


def rows_of_any_shape(network):
    """The library's network for rows (..., D), so that a loop may also ask about one row (D,)."""
    def library_network(params, rows):
        out = network.apply(params, np.reshape(rows, (-1, rows.shape[-1])))
        return np.reshape(out, (*rows.shape[:-1], -1))
    return library_network


# ---------------------------------------------------------------- encoder and decoder
#
# The library's have networks of a fixed size. The references take any; one case of each is the library's own result.


def encode_with(h, params, x, y):
    each = h(params, np.concatenate([x, y], axis=-1))
    return np.sum(each, axis=-2) * (1 / x.shape[-2])


def in_float64(tree):
    return {key: in_float64(leaf) if isinstance(leaf, dict) else leaf.astype(float) for key, leaf in tree.items()}


@exercise("model_based.1", encode_with, gradients=("params", "x", "y"))
def test_encode(rng):
    yield case("by hand", expected=[[9.5, 6.0]], h=two_numbers, params={}, x=np.array([[[1.0], [2.0]]]),
               y=np.array([[[5.0], [7.0]]]))
    params = {"w": rng.normal(size=(2, 4)), "b": rng.normal(size=4)}
    x, y = rng.normal(size=(2, 3, 5, 1))  # K - 1 is not T
    yield case("3 tasks, 5 examples, R = 4", h=small_encoder, params=params, x=x, y=y)
    yield case("one example", h=small_encoder, params=params, x=x[:, :1], y=y[:, :1])
    order = [3, 0, 4, 1, 2]
    yield case("the examples in another order", expected=encode_with(small_encoder, params, x, y), h=small_encoder,
               params=params, x=x[:, order], y=y[:, order])
    library = {"encoder": in_float64(lesson.init(onp.random.default_rng(0))["encoder"])}
    yield case("the library's encoder, R = 64", expected=lesson.encode(library, x[:2], y[:2]),
               h=rows_of_any_shape(lesson.ENCODER), params=library["encoder"], x=x[:2], y=y[:2])


def decode_with(g, params, r, x):
    each = np.expand_dims(r, -2) * onp.ones((x.shape[-2], 1))
    return g(params, np.concatenate([each, x], axis=-1))


@exercise("model_based.2", decode_with, gradients=("params", "r", "x"))
def test_decode(rng):
    yield case("by hand", expected=[[[12.0], [14.0], [16.0]], [[22.0], [20.0], [28.0]]], g=r_and_twice_x, params={},
               r=np.array([[10.0], [20.0]]), x=np.array([[[1.0], [2.0], [3.0]], [[1.0], [0.0], [4.0]]]))
    params = {"w": rng.normal(size=(4, 6)), "v": rng.normal(size=(6, 1))}
    r, x = rng.normal(size=(2, 3)), rng.normal(size=(2, 5, 1))
    yield case("2 tasks, 5 queries, R = 3", g=small_decoder, params=params, r=r, x=x)
    yield case("one query", g=small_decoder, params=params, r=r, x=x[:, :1])
    library = {"decoder": in_float64(lesson.init(onp.random.default_rng(0))["decoder"])}
    r = rng.normal(size=(2, lesson.WIDTH))
    yield case("the library's decoder, R = 64", expected=lesson.decode(library, r, x),
               g=rows_of_any_shape(lesson.DECODER), params=library["decoder"], r=r, x=x)


# ---------------------------------------------------------------- one example more


def add_by_the_library(r, n_points, r_new):
    """The library's `add_point`, whose encoder is replaced by one that knows the new example's vector."""
    encode, lesson.encode = lesson.encode, lambda params, x, y: r_new
    try:
        return lesson.add_point(None, r, n_points, None, None)
    finally:
        lesson.encode = encode


@exercise("model_based.3", add_by_the_library)
def test_add_point(rng):
    yield case("by hand", expected=[5.0], r=np.array([4.0]), n_points=3, r_new=np.array([8.0]))
    vectors = rng.normal(size=(8, 5))
    yield case("the mean of 8", expected=vectors.mean(axis=0), r=vectors[:7].mean(axis=0), n_points=7, r_new=vectors[7])
    yield case("3 examples, R = 4", r=rng.normal(size=4), n_points=3, r_new=rng.normal(size=4))
    yield case("the second example", r=rng.normal(size=4), n_points=1, r_new=rng.normal(size=4))
    for name, r in [("", 7.0), (", after the mean of nothing", np.nan), (", after infinity", np.inf)]:
        yield case(f"the first example{name}", expected=[3.0, -1.0], r=np.array([r, r]), n_points=0,
                   r_new=np.array([3.0, -1.0]))


# ---------------------------------------------------------------- attention


def attend_to_one(query, keys, values):
    return attention(np.reshape(query, (1, -1)), keys, values)[0]


@exercise("model_based.4", attend_to_one, gradients=("query", "keys", "values"))
def test_attend(rng):
    yield case("by hand", expected=[7.0], query=np.array([1.0]), keys=np.array([[0.0], [onp.log(3)]]),
               values=np.array([[4.0], [8.0]]))
    yield case("5 examples, D = 4, E = 2", query=2 * rng.normal(size=4), keys=rng.normal(size=(5, 4)),
               values=rng.normal(size=(5, 2)))
    yield case("one example", query=rng.normal(size=4), keys=rng.normal(size=(1, 4)), values=rng.normal(size=(1, 3)))
    yield case("scores of thousands", query=1000 * rng.normal(size=4), keys=rng.normal(size=(3, 4)),
               values=rng.normal(size=(3, 2)))
    e = onp.exp(1.0)
    yield case("scores far below 0", expected=[(4 * e + 8) / (e + 1)], query=np.array([1024.0]),
               keys=np.array([[-1.0], [-1 - 1 / 1024]]), values=np.array([[4.0], [8.0]]))


@exercise("model_based.5", lesson6_model_based.context_weights, gradients=("scores",))
def test_context_weights(rng):
    yield case("by hand", expected=[[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]],
               scores=np.array([[1.0, 1.0, 5.0], [0.0, onp.log(3), 9.0]]), n_context=2)
    yield case("4 queries, 6 keys, 3 in the context", scores=rng.normal(size=(4, 6)), n_context=3)
    yield case("one in the context", scores=rng.normal(size=(3, 4)), n_context=1)
    yield case("all in the context", scores=rng.normal(size=(3, 4)), n_context=4)
    far = rng.normal(size=(3, 5))
    far[:, 2:] += 900
    yield case("hidden keys with scores of 900", scores=far, n_context=2)
    yield case("all keys with scores of 900", scores=900 + rng.integers(-4, 5, (3, 5)) / 4, n_context=2)
    small = 1 / (1 + onp.exp(1.0))
    yield case("the context far below the hidden keys", expected=[[small, 1 - small, 0.0], [0.5, 0.5, 0.0]],
               scores=np.array([[-1000.0, -999.0, 1000.0], [-999.0, -999.0, 1000.0]]), n_context=2)


# ---------------------------------------------------------------- does the order matter?


def order_is_ignored(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool(onp.abs(after - before).max() <= 1e-5 * onp.abs(before).max())


def nearest(x, y, query_x):
    return y[((query_x[:, None] - x) ** 2).sum(axis=-1).argmin(axis=1)]


def softly(x, y, query_x):
    weights = onp.exp(-((query_x[:, None] - x) ** 2).sum(axis=-1))
    return weights @ y / weights.sum(axis=1, keepdims=True)


def softly_but_late_ones_more(x, y, query_x):
    weights = onp.exp(-((query_x[:, None] - x) ** 2).sum(axis=-1)) * (1 + 0.01 * onp.arange(len(x)))
    return weights @ y / weights.sum(axis=1, keepdims=True)


def last_for_the_first_query(x, y, query_x):
    answers = softly(x, y, query_x)
    return onp.concatenate([y[-1:], answers[1:]])


def up_and_down(x, y, query_x):
    """The order moves two answers, in opposite directions: their sum stays."""
    return onp.concatenate([y[:1], -y[:1], softly(x, y, query_x)])


def places(x, y, query_x):
    """The labels as they stand: it looks at their order, not at which example has which."""
    return query_x[:, :1] + onp.arange(1, len(y) + 1) @ y


def first_query_first(x, y, query_x):
    """The order of the examples does not matter here; that of the queries does."""
    return softly(x, y, query_x) * onp.arange(1, len(query_x) + 1)[:, None]


def the_ends(x, y, query_x):
    """Only who is first and last matters, but not which of the two is which."""
    return query_x[:, :1] + y[:1] + y[-1:]


def last_on_the_right(x, y, query_x):
    """For queries with a first feature above 0 the last example counts alone."""
    return onp.where(query_x[:, :1] > 0, y[-1:], softly(x, y, query_x))


def mean_label_beside_the_query(x, y, query_x):
    """It does not look at which features a label belongs to."""
    return query_x[:, :1] + y.mean(axis=0)


def features_as_they_stand(x, y, query_x):
    """It looks at the order of the features, not at which label is whose."""
    return query_x[:, :1] + onp.arange(1, len(x) + 1) @ x + 0 * softly(x, y, query_x)[:, :1]


def first_of_all(x, y, query_x):
    return 0 * query_x[:, :1] + y[:1]


def nearly_nothing(x, y, query_x):
    """In float32: a large sum, and beside it the rounding of another, which differs with the order."""
    small = (1000 * y).astype("float32")
    return onp.stack([onp.abs(small).sum(axis=0), onp.cumsum(small, axis=0)[-1] - small.astype(float).sum(axis=0)])


def rounding_in_a_column(x, y, query_x):
    return nearly_nothing(x, y, query_x).T


def list_of_labels(x, y, query_x):
    """The labels as they stand, in each answer: another order moves numbers within an answer."""
    return onp.tile(y[:, 0], (len(query_x), 1))


def opposite(x, y, query_x):
    """In float32: two large answers, one minus the other, so that their mean is 0."""
    total = onp.cumsum((1000 * y).astype("float32"), axis=0)[-1]
    return onp.stack([total, -total])


def label_at_its_place(x, y, query_x):
    """Query number i gets the label of example number i: another order gives the same answers to other queries."""
    return y + 0 * query_x[:, :1]


def neighbours_in_a_ring(x, y, query_x):
    """It looks at who stands beside whom, the last beside the first."""
    return query_x[:, :1] + (y * onp.roll(y, 1, axis=0)).sum(axis=0)


def one_number(share, length=3):
    def one_number_a_little(x, y, query_x):
        """One number of all changes with the order, by `share` of the largest answer for each 1 in y."""
        answers = onp.ones((4, length))
        answers[0, 0] += share * y[0, 0]
        return answers
    return one_number_a_little


def up_and_down_in_a_query(x, y, query_x):
    """The order moves two numbers of each answer, in opposite directions: their sum stays."""
    return query_x[:, :1] + onp.array([1.0, -1.0, 0.0]) * y[0, 0]


def large_and_small(x, y, query_x):
    """In float32: sums, which round differently in another order, and beside them tiny numbers, which stay."""
    total = onp.cumsum((1000 * y).astype("float32"), axis=0)[-1:]
    return onp.concatenate([total, 1e-6 * onp.ones((1, y.shape[1]))])


def nearly_equal(x, y, query_x):
    """In float32: a sum that rounds differently in another order, for all queries, and a little of each query."""
    total = onp.cumsum((1000 * onp.abs(y)).astype("float32").ravel())[-1]
    return total + 1e-3 * query_x


def every_number_a_little(x, y, query_x):
    return onp.ones((4, 3)) + 1e-4 * y[0, 0]


def last_one_in_the_last_number(x, y, query_x):
    answers = softly(x, y, query_x)
    return onp.concatenate([answers[:, :-1], 0 * answers[:, -1:] + y[-1, -1]], axis=1)


def always_zero(x, y, query_x):
    return onp.zeros((len(query_x), y.shape[1]))


def scaled(answer, factor):
    def scaled_answer(x, y, query_x):
        return factor * answer(x, y, query_x)
    return scaled_answer


@exercise("model_based.6", order_is_ignored)
def test_ignores_order(rng):
    yield case("by hand, the first label", expected=False, answer=lambda x, y, q: q * y[0], x=np.eye(2), y=np.eye(2),
               query_x=np.eye(2), order=np.array([1, 0]))
    for name, answer in [("a weighted mean", softly), ("the nearest example", nearest),
                         ("a mean, and the place of the query", first_query_first),
                         ("a weighted mean, late ones a little more", softly_but_late_ones_more),
                         ("the last one for the first query", last_for_the_first_query),
                         ("two answers that move in opposite directions", up_and_down), ("the labels alone", places),
                         ("the first and the last one", the_ends),
                         ("the mean of the labels, and the query", mean_label_beside_the_query),
                         ("a large answer, and rounding", nearly_nothing),
                         ("neighbours in a ring", neighbours_in_a_ring),
                         ("the last example for the last number", last_one_in_the_last_number),
                         ("two large answers, one minus the other", opposite),
                         ("two numbers that move in opposite directions", up_and_down_in_a_query),
                         ("a large answer, and a tiny one", large_and_small),
                         ("large answers that are nearly equal", nearly_equal),
                         ("small answers, late ones a little more", scaled(softly_but_late_ones_more, 1e-4)),
                         ("very small answers, late ones a little more", scaled(softly_but_late_ones_more, 1e-9))]:
        yield case(name, answer=answer, x=rng.normal(size=(6, 2)), y=rng.normal(size=(6, 3)),
                   query_x=rng.normal(size=(4, 2)), order=np.array([3, 0, 5, 1, 2, 4]))
    x, query_x, order = rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), np.array([3, 0, 5, 1, 2, 4])
    yield case("the features alone", answer=features_as_they_stand, x=x, y=rng.normal(size=(6, 2)),
               query_x=query_x[:4], order=order)
    yield case("the last one for queries on the right", answer=last_on_the_right, x=x, y=rng.normal(size=(6, 3)),
               query_x=np.array([[-1.0, 0.0], [-0.5, 1.0], [0.5, 0.0], [1.0, 1.0]]), order=order)
    yield case("as many queries as examples", answer=softly, x=x, y=rng.normal(size=(6, 3)), query_x=query_x,
               order=order)
    yield case("to each query the label at its place", answer=label_at_its_place, x=x, y=rng.normal(size=(6, 3)),
               query_x=query_x, order=order)
    yield case("all answers below 0", answer=softly, x=x, y=-1 - rng.random((6, 3)), query_x=query_x[:4], order=order)
    yield case("each answer lists the labels", expected=False, answer=list_of_labels, x=x, y=rng.normal(size=(6, 6)),
               query_x=query_x[:4], order=order)
    yield case("numbers that only round, beside large ones", answer=rounding_in_a_column, x=x,
               y=rng.normal(size=(6, 3)), query_x=query_x[:4], order=order)
    # y[0, 0] changes by 3, and so one of the answers, which are 1, by 0.6e-5, 11.1e-5 (0.93e-5 on average), 1.5e-5 and
    # 21e-5 (0.66e-5 of the length of a thousand numbers)
    yield case("one number in twelve, almost not at all", expected=True, answer=one_number(0.2e-5), x=x,
               y=onp.tile(onp.arange(6.0)[:, None], 3), query_x=query_x[:4], order=order)
    for name, answer in [("one number in twelve, a little", one_number(3.7e-5)),
                         ("one number in twelve, very little", one_number(0.5e-5)),
                         ("one number in a thousand", one_number(7e-5, length=250)),
                         ("every number, a little", every_number_a_little)]:
        yield case(name, expected=False, answer=answer, x=x, y=onp.tile(onp.arange(6.0)[:, None], 3),
                   query_x=query_x[:4], order=order)
    for name, y in [("the first label, a larger one after it", np.arange(6.0)),
                    ("the first label, a smaller one after it", 6 - np.arange(6.0)),
                    ("the first label, its equal after it", np.array([1.0, 2, 3, 1, 4, 5]))]:
        yield case(name, answer=first_of_all, x=x, y=y[:, None], query_x=query_x[:4], order=order)
    yield case("all answers are 0", expected=True, answer=always_zero, x=x, y=rng.normal(size=(6, 3)),
               query_x=query_x[:4], order=order)


# ---------------------------------------------------------------- a task from the prior: judged by what it draws
#
# A draw is (support_x, support_y, query_x, query_y); the predicates see S of them stacked, (S,2K,F), (S,2K), ...


def shapes_fit(inputs, support_x, support_y, query_x, query_y):
    """There are 2K points in the support and 2Q in the query, of F features each, and a label for each point."""
    for name, x, y, n in [("support", support_x, support_y, inputs["k_shot"]),
                          ("query", query_x, query_y, inputs["n_query"])]:
        if x.shape[1:] != (2 * n, inputs["n_features"]) or y.shape[1:] != (2 * n,):
            return say("{name}_x {points} with {name}_y {labels}", name=name, points=x.shape[1:], labels=y.shape[1:])


def labels_are_0_and_1(inputs, support_x, support_y, query_x, query_y):
    """Each label is 0 or 1."""
    for y in (support_y, query_y):
        wrong = ((y != 0) & (y != 1)).any(axis=1)
        if wrong.any():
            return say("labels {labels}", labels=y[wrong.argmax()])


def classes_are_balanced(inputs, support_x, support_y, query_x, query_y):
    """There are as many points of class 0 as of class 1."""
    for y, n in [(support_y, inputs["k_shot"]), (query_y, inputs["n_query"])]:
        wrong = y.sum(axis=1) != n
        if wrong.any():
            return say("labels {labels}", labels=y[wrong.argmax()])


def classes_are_sorted(inputs, support_x, support_y, query_x, query_y):
    """The labels are 0 for the first half, and 1 for the second."""
    for y in (support_y, query_y):
        wrong = (onp.diff(y, axis=1) < 0).any(axis=1)
        if wrong.any():
            return say("labels {labels}", labels=y[wrong.argmax()])


def in_the_plane(predicate):
    """The predicate, where there are two features; it holds where there are more."""
    @wraps(predicate)
    def where_there_are_two(inputs, *draws):
        return predicate(inputs, *draws) if inputs["n_features"] == 2 else None
    return where_there_are_two


def towards_class_1(support_x, support_y, query_x, query_y):
    """All points of each task, those of class 0 turned around: (S, 2K + 2Q, F); a straight rule has all in front."""
    x, y = onp.concatenate([support_x, query_x], axis=1), onp.concatenate([support_y, query_y], axis=1)
    return x * (2 * y - 1)[..., None]


def not_separable(turned):
    """How many tasks no straight line through 0 separates; turned (S,M,2). All in front leave a gap of half a turn."""
    angles = onp.sort(onp.arctan2(turned[..., 1], turned[..., 0]), axis=1)
    gaps = onp.diff(onp.concatenate([angles, angles[:, :1] + 2 * onp.pi], axis=1), axis=1).max(axis=1)
    return int((gaps < onp.pi - 1e-4).sum())


def no_mirror_images(inputs, support_x, support_y, query_x, query_y):
    """The points of class 1 are drawn for themselves: none is a point of class 0 turned around."""
    for x in onp.concatenate([support_x, query_x], axis=1):
        if len(onp.unique(onp.concatenate([x, -x]), axis=0)) < 2 * len(x):
            return say("a task in which a point comes again, turned around")


def classes_lie_apart(inputs, support_x, support_y, query_x, query_y):
    """The classes lie on different sides, so their middles are far apart."""
    middle = (query_x * (2 * query_y - 1)[..., None]).mean(axis=1)
    distance = 2 * onp.linalg.norm(middle, axis=1).mean() / query_x.std()
    if distance < 1:  # a straight rule: about 1.6
        return say("middles of the queries of both classes that are {distance:.2f} standard deviations apart, on "
                   "average", distance=distance)


@in_the_plane
def straight_rules(inputs, support_x, support_y, query_x, query_y):
    """In the support a straight line through 0 separates the classes, and in the query, too."""
    for part, x, y in [(say("support"), support_x, support_y), (say("query"), query_x, query_y)]:
        wrong = not_separable(x * (2 * y - 1)[..., None])
        if wrong:
            return say("{count} of {n} tasks whose {part} no line through 0 separates", count=wrong, n=len(x),
                       part=part)


def classes_have_the_same_names(inputs, support_x, support_y, query_x, query_y):
    """Class 1 is on the same side in support and query, not on the other."""
    support, query = (onp.mean(x * (2 * y - 1)[..., None], axis=1) for x, y in (
        (support_x, support_y), (query_x, query_y)))
    opposite = (onp.sum(support * query, axis=1) < 0).mean()
    if opposite > 0.75:
        return say("class 1 on opposite sides in {percent:.0f} % of the tasks", percent=100 * opposite)


@in_the_plane
def one_straight_rule(inputs, support_x, support_y, query_x, query_y):
    """In each task one straight line through 0 separates the classes, the same for support and query."""
    wrong = not_separable(towards_class_1(support_x, support_y, query_x, query_y))
    if wrong:
        return say("{count} of {n} tasks in which support and query need different lines", count=wrong,
                   n=len(support_x))


def support_points_differ(inputs, support_x, support_y, query_x, query_y):
    """No point of the support comes twice."""
    for x in support_x:
        if len(onp.unique(x, axis=0)) < len(x):
            return say("a support in which a point comes twice")


def no_point_twice(inputs, support_x, support_y, query_x, query_y):
    """No point of a task comes twice, neither in the support nor in the query nor in both."""
    for x in onp.concatenate([support_x, query_x], axis=1):
        if len(onp.unique(x, axis=0)) < len(x):
            return say("a task in which a point comes twice")


@in_the_plane
def rules_differ(inputs, support_x, support_y, query_x, query_y):
    """Every call draws another rule."""
    middle = towards_class_1(support_x, support_y, query_x, query_y).mean(axis=1)
    unit = middle / onp.linalg.norm(middle, axis=1, keepdims=True)
    if onp.linalg.norm(unit.mean(axis=0)) > 0.94:  # all the same: about 0.97; all positive: 0.9
        return say("{n} rules in about the same direction, {direction}", n=len(unit),
                   direction=unit.mean(axis=0).round(2))


@in_the_plane
def rules_have_both_signs(inputs, support_x, support_y, query_x, query_y):
    """The weights of a rule are above 0 as often as below."""
    middle = towards_class_1(support_x, support_y, query_x, query_y).mean(axis=1)
    above = (middle > 0).all(axis=1).sum()
    if above > 0.7 * len(middle):
        return say("{count} of {n} rules that point into the quarter where all is above 0; about {right} would be "
                   "right", count=int(above), n=len(middle), right=len(middle) // 4)


@in_the_plane
def rules_have_all_directions(inputs, support_x, support_y, query_x, query_y):
    """The rules point in all directions alike, a quarter of them into each quarter of the plane."""
    middle = towards_class_1(support_x, support_y, query_x, query_y).mean(axis=1)  # points roughly along w
    counts = onp.bincount((middle > 0) @ onp.array([1, 2]), minlength=4)
    n = len(middle)
    if (abs(counts - n / 4) > 6 * (n * 3 / 16) ** 0.5).any():
        return say("rules in the four quarters: {counts} of {n}; about {right} each would be right",
                   counts=counts.tolist(), n=n, right=n // 4)


@in_the_plane
def both_features_count(inputs, support_x, support_y, query_x, query_y):
    """Either feature weighs more in about half of the rules."""
    middle = onp.abs(towards_class_1(support_x, support_y, query_x, query_y).mean(axis=1))
    n, count = len(middle), int((middle[:, 0] > middle[:, 1]).sum())
    if abs(count - n / 2) > 3 * n ** 0.5:
        return say("{count} of {n} rules in which the first feature weighs more; about {right} would be right",
                   count=count, n=n, right=n // 2)


def some_features_are_large(inputs, support_x, support_y, query_x, query_y):
    """Now and then a feature is beyond 2, as those of normal points are."""
    far = (onp.abs(onp.concatenate([support_x, query_x], axis=1)) > 2).mean()
    if far < 0.03:
        return say("{percent:.1f} % of them beyond 2; 4.6 % would be right", percent=100 * far)


@in_the_plane
def classes_fill_half_the_plane(inputs, support_x, support_y, query_x, query_y):
    """The points of class 1 fill half of the plane, from one end of the line to the other."""
    turned = towards_class_1(support_x, support_y, query_x, query_y)
    angles = onp.sort(onp.arctan2(turned[..., 1], turned[..., 0]), axis=1)
    gaps = onp.diff(onp.concatenate([angles, angles[:, :1] + 2 * onp.pi], axis=1), axis=1).max(axis=1)
    widest = 360 - onp.degrees(gaps.min())
    if widest < 120:  # a straight rule: nearly 180
        return say("points of class 1 that lie within {angle:.0f} degrees in every task, seen from 0", angle=widest)


@in_the_plane
def points_come_near_the_border(inputs, support_x, support_y, query_x, query_y):
    """There are points on both sides right up to the line, not only far from it."""
    turned = towards_class_1(support_x, support_y, query_x, query_y)
    angles = onp.sort(onp.arctan2(turned[..., 1], turned[..., 0]), axis=1)
    gaps = onp.diff(onp.concatenate([angles, angles[:, :1] + 2 * onp.pi], axis=1), axis=1).max(axis=1)
    empty, right = onp.degrees(gaps.mean() - onp.pi), 360 / (angles.shape[1] + 1)
    if empty > 1.7 * right:
        return say("lines that could be turned by {angle:.0f} degrees before they meet a point, on average; about "
                   "{right:.0f} would be right", angle=empty, right=right)


@in_the_plane
def weights_differ(inputs, support_x, support_y, query_x, query_y):
    """In half of the rules one feature weighs more than twice as much as the other."""
    middle = onp.sort(onp.abs(towards_class_1(support_x, support_y, query_x, query_y).mean(axis=1)), axis=1)
    ratio = onp.median(middle[:, 1] / middle[:, 0])
    if ratio < 1.7:  # any direction alike: 2.4
        return say("rules in half of which one feature weighs less than {ratio:.1f} times as much as the other",
                   ratio=ratio)


@in_the_plane
def lengths_differ(inputs, support_x, support_y, query_x, query_y):
    """The points are of all lengths: they do not lie on a circle."""
    lengths = onp.linalg.norm(query_x, axis=-1)
    if lengths.std() < 0.2 * lengths.mean():  # uniform ones: 0.37, normal ones: 0.52
        return say("points of the lengths {lengths}", lengths=lengths.ravel()[:4].round(2))


def features_are_standard_normal(inputs, support_x, support_y, query_x, query_y):
    """The features of all points have mean 0 and standard deviation 1."""
    x = onp.concatenate([support_x, query_x], axis=1)
    n = x.size / x.shape[-1]
    mean, deviation = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    if (abs(mean) > 6 / n ** 0.5).any() or (abs(deviation - 1) > 6 / (2 * n) ** 0.5).any():
        return say("features of mean {mean} and standard deviation {deviation}", mean=mean.round(2),
                   deviation=deviation.round(2))


@exercise("model_based.7", lesson6_model_based.sample_straight, predicates=(
    shapes_fit, labels_are_0_and_1, classes_are_balanced, classes_are_sorted, support_points_differ, no_point_twice,
    no_mirror_images, classes_lie_apart, straight_rules, classes_have_the_same_names, one_straight_rule,
    classes_fill_half_the_plane, rules_differ, rules_have_both_signs, rules_have_all_directions, both_features_count,
    weights_differ, points_come_near_the_border, lengths_differ, features_are_standard_normal,
    some_features_are_large))
def test_sample_straight(rng):
    yield case("2 features, K = 5, Q = 9", n_features=2, k_shot=5, n_query=9)
    yield case("2 features, K = 1, Q = 30", n_features=2, k_shot=1, n_query=30)
    yield case("4 features, K = 3, Q = 8", n_features=4, k_shot=3, n_query=8)


# ---------------------------------------------------------------- streams: a memory


def late_in_floats(labels, n_way):
    return lesson6_model_based.late_labels(labels, n_way).astype(float)


@exercise("model_based.8", late_in_floats)
def test_late_labels(rng):
    yield case("by hand", expected=[[[0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]]], labels=np.array([[1, 3, 0]]),
               n_way=4)
    yield case("3 streams of 6 steps, 4 labels", labels=rng.integers(0, 4, (3, 6)), n_way=4)
    yield case("a label that does not come", labels=rng.integers(0, 2, (2, 5)), n_way=3)
    yield case("one step", expected=[[[0.0, 0.0]], [[0.0, 0.0]]], labels=np.array([[1], [0]]), n_way=2)


def look_up_one(query, keys, filled, sharpness, blank):
    params = {"sharpness": sharpness, "blank": blank}
    return lesson6_model_based.look_up(params, np.reshape(query, (1, 1, -1)), keys[None], filled[None, None])[0, 0]


def directions(*vectors):
    return [v / onp.sqrt((v * v).sum(axis=-1, keepdims=True)) for v in vectors]


@exercise("model_based.9", look_up_one, gradients=("query", "keys", "sharpness", "blank"))
def test_recall_weights(rng):
    yield case("by hand", expected=[0.25, 0.5, 0.0], query=np.array([1.0]), keys=np.array([[0.0], [1.0], [-1.0]]),
               filled=np.array([True, True, False]), sharpness=np.array(onp.log(2)), blank=np.array(0.0))
    query, keys = directions(rng.normal(size=3), rng.normal(size=(6, 3)))
    filled = np.array([True, True, False, True, False, True])
    yield case("6 slots, 2 of them empty", query=query, keys=keys, filled=filled, sharpness=np.array(3.0),
               blank=np.array(1.5))
    yield case("nothing is filled", expected=[0.0] * 6, query=query, keys=0 * keys, filled=~filled & filled,
               sharpness=np.array(3.0), blank=np.array(1.0))
    yield case("sharp scores", query=query, keys=keys, filled=filled, sharpness=np.array(2000.0),
               blank=np.array(-3000.0))
    for name, scores, blank in [("an empty slot far above the others", [5000.0, 0.0, 0.0], 0.0),
                                ("all scores far below 0", [-5000.0, -5000.0, -5000.0], -5000.0)]:
        yield case(name, expected=[0.0, 1 / 3, 1 / 3], query=np.array([1.0]), keys=np.array(scores)[:, None] / 5000,
                   filled=np.array([False, True, True]), sharpness=np.array(5000.0), blank=np.array(blank))
    yield case("a blank far above all slots", expected=[0.0] * 6, query=query, keys=keys, filled=filled,
               sharpness=np.array(3.0), blank=np.array(5000.0))
