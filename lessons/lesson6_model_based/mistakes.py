"""Wrong answers to lesson 6's exercises on model-based learning, each with the thought behind it, and right ones."""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import log_softmax, softmax, stop_gradient
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- model_based.1: encode


def pairs(x, y):
    return np.concatenate([x, y], axis=-1)


def in_order(each):
    """Sorted along axis 1 of three; autograd knows no derivative of np.sort there."""
    order = onp.argsort(getattr(each, "_value", each), axis=1)
    first, _, last = onp.indices(order.shape)
    return each[first, order, last]


@mistake("model_based.1", "The vectors were summed: an encoding of ten examples is ten times as long as that of one.",
         "The mean: divide by K, the number of examples.")
def summed_over_examples(h, params, x, y):
    return np.sum(h(params, pairs(x, y)), axis=1)


@mistake("model_based.1", "The mean was taken before the network: h saw one average example.",
         "First h for every example, then the mean. The mean of two points is in general no point of the curve.")
def mean_of_the_examples(h, params, x, y):
    return h(params, np.mean(pairs(x, y), axis=1, keepdims=True))[:, 0]


@mistake("model_based.1", "y came before x in the pairs.", "np.concatenate([x, y], axis=-1).")
def y_before_x(h, params, x, y):
    return np.mean(h(params, pairs(y, x)), axis=1)


@mistake("model_based.1", "The mean was taken over the R numbers of each vector: one number for each example is left.",
         "The examples are axis 1 of (T,K,R).")
def mean_over_the_features(h, params, x, y):
    return np.mean(h(params, pairs(x, y)), axis=-1)


@mistake("model_based.1", "The mean was taken over the tasks: one task's encoding knows the others'.",
         "The examples are axis 1 of (T,K,R).")
def mean_over_tasks(h, params, x, y):
    return np.mean(h(params, pairs(x, y)), axis=0)


@mistake("model_based.1", "The vectors were put one behind the other: the order matters, and the length grows with K.",
         "The mean over the examples, axis=1.")
def one_behind_the_other(h, params, x, y):
    return np.reshape(h(params, pairs(x, y)), (len(x), -1))


@mistake("model_based.1", "h was not given pairs: the last axis of what it got has one number, not x and y.",
         "h(params, np.concatenate([x, y], axis=-1)): side by side, (T,K,2).")
def no_pairs(h, params, x, y):
    return np.mean(h(params, np.concatenate([x, y], axis=1)), axis=1)


@mistake("model_based.1", "The encoding is right, but a constant to autograd: h could not be trained.",
         "No stop_gradient, and no conversion into plain numbers.")
def encoding_frozen(h, params, x, y):
    return stop_gradient(np.mean(h(params, pairs(x, y)), axis=1))


@mistake("model_based.1", "Of each number the largest was taken, or the median, over the examples.",
         "The mean: np.mean(..., axis=1).", which=("largest", "median", "upper median"))
def ranked_over_examples(h, params, x, y, which):
    each, n = in_order(h(params, pairs(x, y))), x.shape[1]
    if which == "median":
        return (each[:, (n - 1) // 2] + each[:, n // 2]) / 2
    return each[:, -1 if which == "largest" else n // 2]


@mistake("model_based.1", "The vector of one example came back.", "The mean over all K examples.", place=(0, -1))
def one_example(h, params, x, y, place):
    return h(params, pairs(x, y))[:, place]


@mistake("model_based.1", "The sum was divided by the number of tasks.", "len(x) is T; K is x.shape[1].")
def divided_by_tasks(h, params, x, y):
    return np.sum(h(params, pairs(x, y)), axis=1) / len(x)


@mistake("model_based.1", "All tasks were pooled: each has the mean over the examples of all tasks.",
         "Each task has an encoding of its own: the mean over axis 1 alone.")
def all_tasks_pooled(h, params, x, y):
    each = h(params, pairs(x, y))
    return np.mean(each, axis=(0, 1)) + 0 * each[:, 0]


@mistake("model_based.1", "The sum was divided by the root of K.", "The mean: divided by K.")
def divided_by_the_root(h, params, x, y):
    return np.sum(h(params, pairs(x, y)), axis=1) / x.shape[1] ** 0.5


@mistake("model_based.1", "There is an axis too many: (T,1,R).",
         "np.mean(..., axis=1), without keepdims; and np.concatenate for the pairs: np.stack makes a new axis.")
def axis_of_examples_kept(h, params, x, y):
    return np.mean(h(params, pairs(x, y)), axis=1, keepdims=True)


@mistake("model_based.1", "x and y were put one behind the other and cut into pairs: a pair has two neighbouring x, "
         "or two y.", "np.concatenate([x, y], axis=-1): beside each other; reshape does not transpose.")
def all_x_before_all_y(h, params, x, y):
    mixed = np.reshape(np.concatenate([x, y], axis=1), (*x.shape[:2], 2))
    return np.mean(h(params, mixed), axis=1)


@mistake("model_based.1", "The network saw x twice, and never y; or the other way round.",
         "np.concatenate([x, y], axis=-1).", which=("x", "y"))
def one_of_them_twice(h, params, x, y, which):
    twice = pairs(x, x) if which == "x" else pairs(y, y)
    return np.mean(h(params, twice), axis=1) + 0 * np.sum(x) + 0 * np.sum(y)


@mistake("model_based.1", "The encoding was brought to the length 1.", "The mean as it is.")
def of_length_one(h, params, x, y):
    mean = np.mean(h(params, pairs(x, y)), axis=1)
    return mean / np.sqrt(np.sum(mean ** 2, axis=-1, keepdims=True))


@mistake("model_based.1", "The sum was divided by K + 1.", "There are K examples.")
def one_too_many_counted(h, params, x, y):
    return np.sum(h(params, pairs(x, y)), axis=1) / (x.shape[1] + 1)


@mistake("model_based.1", "The sum was divided by K - 1, as in a variance.", "There are K examples.")
def one_too_few_counted(h, params, x, y):
    return np.sum(h(params, pairs(x, y)), axis=1) / max(x.shape[1] - 1, 1)


@mistake("model_based.1", "The examples were centred first, x or both x and y: where on the curve they lie is lost.",
         "h of the pairs as they are.", which=("x", "both"))
def examples_centred(h, params, x, y, which):
    x = x - np.mean(x, axis=1, keepdims=True)
    y = y - np.mean(y, axis=1, keepdims=True) if which == "both" else y
    return np.mean(h(params, pairs(x, y)), axis=1)


@honest("model_based.1")
def encode_example_by_example(h, params, x, y):
    n_points = x.shape[1]
    total = 0.0
    for k in reversed(range(n_points)):
        total = total + h(params, pairs(x[:, k:k + 1], y[:, k:k + 1]))[:, 0]
    return total / n_points


@honest("model_based.1")
def encode_task_by_task(h, params, x, y):
    rows = [h(params, np.concatenate([x[t:t + 1], y[t:t + 1]], axis=2))[0] for t in range(len(x))]
    return np.array([np.sum(row, axis=0) / len(row) for row in rows])


@honest("model_based.1")
def encode_by_two_loops(h, params, x, y):
    rows = [[h(params, np.concatenate([x[t, k], y[t, k]])) for k in range(x.shape[1])] for t in range(len(x))]
    return np.array([sum(row) / len(row) for row in rows])


@honest("model_based.1")
def encode_by_a_running_mean(h, params, x, y):
    each, r = h(params, pairs(x, y)), 0.0
    for k in range(x.shape[1]):
        r = r + (each[:, k] - r) / (k + 1)
    return r


# ---------------------------------------------------------------- model_based.2: decode


def to_every_query(r, x):
    """r once for each query: (T,Q,R)."""
    return np.repeat(r[:, None], x.shape[1], axis=1)


@mistake("model_based.2", "The encodings went to queries of other tasks: they were repeated in the wrong order.",
         "Give r an axis for the queries, r[:, None], and repeat along that axis alone.")
def tiled_over_tasks(g, params, r, x):
    rows = np.reshape(np.tile(r, (x.shape[1], 1)), (*x.shape[:2], r.shape[1]))
    return g(params, np.concatenate([rows, x], axis=-1))


@mistake("model_based.2", "The R numbers of an encoding were mixed: each was repeated by itself, and then they were "
         "cut into rows.", "Give r an axis for the queries, r[:, None], and repeat along that axis alone.")
def each_number_repeated(g, params, r, x):
    rows = np.reshape(np.repeat(r, x.shape[1], axis=1), (*x.shape[:2], r.shape[1]))
    return g(params, np.concatenate([rows, x], axis=-1))


@mistake("model_based.2", "x came before r in the rows.", "np.concatenate([r of each query, x], axis=-1).")
def x_before_r(g, params, r, x):
    return g(params, np.concatenate([x, to_every_query(r, x)], axis=-1))


@mistake("model_based.2", "All tasks were answered from the encoding of one, the first or the last.",
         "Task t has the encoding r[t].", task=(0, -1))
def encoding_of_one_task(g, params, r, x, task):
    return g(params, np.concatenate([to_every_query(r[task] + 0 * r, x), x], axis=-1))


@mistake("model_based.2", "r was put beside x as it is, (T,R): it has no axis for the queries yet.",
         "r[:, None] has one, (T,1,R); repeat it Q times along axis 1.")
def without_an_axis_for_queries(g, params, r, x):
    return g(params, np.concatenate([r, x], axis=-1))


@mistake("model_based.2", "r has an axis for the queries, of length 1: it stands there once, not once for each query.",
         "Repeat it Q = x.shape[1] times along axis 1.")
def not_repeated(g, params, r, x):
    return g(params, np.concatenate([r[:, None], x], axis=-1))


@mistake("model_based.2", "r was repeated as often as there are tasks: len(x) is T.", "Q is x.shape[1].")
def repeated_for_each_task(g, params, r, x):
    return g(params, np.concatenate([np.repeat(r[:, None], len(x), axis=1), x], axis=-1))


@mistake("model_based.2", "The encoding is a constant to autograd: the encoder could not be trained through it.",
         "No stop_gradient, and no conversion into plain numbers.")
def encoding_cut_off(g, params, r, x):
    return g(params, np.concatenate([to_every_query(stop_gradient(r), x), x], axis=-1))


@mistake("model_based.2", "The mean of a task's queries was answered, once for all of them.",
         "Each query has its own x; only r is shared.")
def mean_of_the_queries(g, params, r, x):
    same = np.mean(x, axis=1, keepdims=True) + 0 * x
    return g(params, np.concatenate([to_every_query(r, x), same], axis=-1))


@mistake("model_based.2", "The encodings of all tasks were averaged or summed.", "Task t is answered from r[t] alone.",
         summed=(False, True))
def mean_encoding(g, params, r, x, summed):
    of_all = np.sum(r, axis=0) if summed else np.mean(r, axis=0)
    return g(params, np.concatenate([to_every_query(of_all + 0 * r, x), x], axis=-1))


@mistake("model_based.2", "The last axis is missing: (T,Q).", "g returns (T,Q,1), and so does decode.")
def last_axis_dropped(g, params, r, x):
    each = np.expand_dims(r, 1) + np.zeros((1, x.shape[1], 1))
    return g(params, np.concatenate([each, x], axis=2))[..., 0]


@mistake("model_based.2", "Each task was answered from the encoding of another one.", "Task t has r[t].")
def encodings_rolled(g, params, r, x):
    each = np.expand_dims(np.concatenate([r[1:], r[:1]]), 1) + np.zeros((1, x.shape[1], 1))
    return g(params, np.concatenate([each, x], axis=2))


@mistake("model_based.2", "x was added to the encoding, before both were put into the row.", "r as it is, x beside it.")
def r_and_x_added(g, params, r, x):
    return g(params, np.concatenate([np.expand_dims(r, 1) + x, x], axis=-1))


@mistake("model_based.2", "The encoding was multiplied by x: the queries of a task do not have the same r.",
         "Repeat r, or add zeros of the shape (1,Q,1).")
def r_times_x(g, params, r, x):
    return g(params, np.concatenate([np.expand_dims(r, 1) * x, x], axis=-1))


@mistake("model_based.2", "The answers of a task were averaged: all queries get the same.",
         "Each query has an answer of its own.")
def answers_averaged(g, params, r, x):
    each = g(params, np.concatenate([np.expand_dims(r, 1) + 0 * x, x], axis=-1))
    return np.mean(each, axis=1, keepdims=True) + 0 * each


@mistake("model_based.2", "The encoding was divided by the number of queries.", "Every query gets r whole.")
def r_shared_out(g, params, r, x):
    return g(params, np.concatenate([np.expand_dims(r, 1) / x.shape[1] + 0 * x, x], axis=-1))


@mistake("model_based.2", "Only the first query has r beside it, the others have zeros.",
         "Repeat r: the same for all queries.")
def r_for_the_first_query(g, params, r, x):
    first = onp.arange(x.shape[1])[:, None] == 0
    return g(params, np.concatenate([np.expand_dims(r, 1) * first, x], axis=-1))


@mistake("model_based.2", "r was repeated task by task, and then cut as if it were query by query: (Q,T,R).",
         "After np.repeat(r, Q, axis=0) reshape to (T,Q,R).")
def queries_before_tasks(g, params, r, x):
    each = np.reshape(np.repeat(r, x.shape[1], axis=0), (x.shape[1], x.shape[0], -1))
    return g(params, np.concatenate([np.transpose(each, (1, 0, 2)), x], axis=-1))


@mistake("model_based.2", "The rows have zeros where r should be: nothing of the support reaches the answers.",
         "Add r[:, None] to the zeros.")
def without_the_encoding(g, params, r, x):
    return g(params, np.concatenate([np.zeros((*x.shape[:2], r.shape[1])), x], axis=-1)) + 0 * np.sum(r)


@mistake("model_based.2", "The queries are constants to autograd.",
         "No stop_gradient, and no conversion into plain numbers.")
def queries_cut_off(g, params, r, x):
    return g(params, np.concatenate([to_every_query(r, x), stop_gradient(x)], axis=-1))


@mistake("model_based.2", "The queries were sorted, so the answers belong to other queries.",
         "Answer the queries in the order in which they come.")
def queries_sorted(g, params, r, x):
    return g(params, np.concatenate([to_every_query(r, x), in_order(x)], axis=-1))


@mistake("model_based.2", "g got rows of R numbers, (T,Q,R), not of R + 1: x was added to r, or left out.",
         "np.concatenate([r of each query, x], axis=-1): x beside r.")
def rows_of_r_numbers(g, params, r, x):
    return g(params, np.expand_dims(r, 1) + x)


@honest("model_based.2")
def decode_query_by_query(g, params, r, x):
    answers = [g(params, np.concatenate([r, x[:, q]], axis=1)[:, None]) for q in range(x.shape[1])]
    return np.concatenate(answers, axis=1)


@honest("model_based.2")
def decode_by_two_loops(g, params, r, x):
    return np.array([[g(params, np.concatenate([r[t], x[t, q]])) for q in range(x.shape[1])] for t in range(len(x))])


@honest("model_based.2")
def decode_with_added_zeros(g, params, r, x):
    return g(params, np.concatenate([np.expand_dims(r, 1) + np.zeros((1, x.shape[1], 1)), x], axis=2))


# ---------------------------------------------------------------- model_based.3: one example more


@mistake("model_based.3", "The new example counts as much as all the old ones together.",
         "r is the mean of n_points vectors: it has n_points times the weight.")
def halfway(r, n_points, r_new):
    return (r + r_new) / 2


@mistake("model_based.3", "The new example got its share, but the old ones kept all of theirs: together more than 1.",
         "(n_points r + r_new) / (n_points + 1): r, too, is divided anew.")
def old_share_kept(r, n_points, r_new):
    return (r if n_points else 0 * r_new) + r_new / (n_points + 1)


@mistake("model_based.3", "The step was divided by n_points; with the new one there are n_points + 1.",
         "r + (r_new - r) / (n_points + 1).")
def off_by_one(r, n_points, r_new):
    return r + (r_new - r) / max(n_points, 1)


@mistake("model_based.3", "The sum was divided by n_points; with the new one there are n_points + 1.",
         "(n_points r + r_new) / (n_points + 1).")
def divided_by_the_old_number(r, n_points, r_new):
    return (n_points * r + r_new) / max(n_points, 1)


@mistake("model_based.3", "The new vector was added, as if r were a sum.", "r is a mean: (sum of all) / (how many).")
def added(r, n_points, r_new):
    return r + r_new


@mistake("model_based.3", "r was added as it is, not n_points times.",
         "The sum of the old vectors is n_points * r.")
def mean_taken_for_the_sum(r, n_points, r_new):
    return (r + r_new) / (n_points + 1)


@mistake("model_based.3", "The weights are exchanged: the new example has that of all the old ones.",
         "n_points / (n_points + 1) for r, 1 / (n_points + 1) for r_new.")
def weights_exchanged(r, n_points, r_new):
    return (r + n_points * r_new) / (n_points + 1)


@mistake("model_based.3", "The new example has a fixed share, so old ones fade: that is an exponential average.",
         "All examples count alike: the share of a new one is 1 / (n_points + 1).")
def fixed_share(r, n_points, r_new):
    return 0.9 * r + 0.1 * r_new


@mistake("model_based.3", "Where there are no examples yet, r is multiplied by 0. But 0 times NaN is NaN, and the mean "
         "of nothing is NaN.", "If n_points is 0, return r_new.")
def zero_times_nothing(r, n_points, r_new):
    return (n_points * r + r_new) / (n_points + 1)


@mistake("model_based.3", "The sum came back, not the mean.", "Divide by n_points + 1.")
def sum_of_all(r, n_points, r_new):
    return r_new if n_points == 0 else n_points * r + r_new


@mistake("model_based.3", "The new vector took the place of the mean.", "All examples count alike.")
def new_one_alone(r, n_points, r_new):
    return r_new


@mistake("model_based.3", "One example too many was counted, and the old ones got its weight.",
         "n_points * r is the old sum, n_points + 1 the new number.")
def one_too_many(r, n_points, r_new):
    return ((n_points + 1) * r + r_new) / (n_points + 2) if n_points else r_new


@mistake("model_based.3", "// divides without a remainder.", "/")
def without_remainder(r, n_points, r_new):
    return (n_points * r + r_new) // (n_points + 1) if n_points else r_new


@mistake("model_based.3", "The mean moved away from the new vector.", "r + (r_new - r) / (n_points + 1).")
def away_from_the_new_one(r, n_points, r_new):
    return r - (r_new - r) / (n_points + 1) if n_points else r_new


@mistake("model_based.3", "Where there are no examples yet, the result is 0, or r: the first example is lost.",
         "If n_points is 0, return r_new.", result=("0", "r"))
def first_one_lost(r, n_points, r_new, result):
    if n_points:
        return (n_points * r + r_new) / (n_points + 1)
    return np.zeros_like(r_new) if result == "0" else r


@mistake("model_based.3", "NaN alone was replaced. But r may be anything where there are no examples yet, and 0 times "
         "infinity is NaN, too.", "If n_points is 0, return r_new.")
def nan_alone_replaced(r, n_points, r_new):
    return (n_points * np.where(np.isnan(r), 0.0, r) + r_new) / (n_points + 1)


@mistake("model_based.3", "Only the new vector was divided: there are no brackets around the sum.",
         "(n_points * r + r_new) / (n_points + 1).")
def brackets_forgotten(r, n_points, r_new):
    return n_points * r + r_new / (n_points + 1) if n_points else r_new


@mistake("model_based.3", "The sum was divided by n_points + 2.", "With the new one there are n_points + 1.")
def divided_by_two_more(r, n_points, r_new):
    return (n_points * r + r_new) / (n_points + 2) if n_points else r_new


@mistake("model_based.3", "Where there are no examples yet, a vector of zeros was counted as one: the first example "
         "has half of the weight.", "If n_points is 0, return r_new.")
def zeros_counted_as_an_example(r, n_points, r_new):
    return (n_points * r + r_new) / (n_points + 1) if n_points else r_new / 2


@honest("model_based.3")
def by_the_sum(r, n_points, r_new):
    return r_new if n_points == 0 else (n_points * r + r_new) / (n_points + 1)


@honest("model_based.3")
def by_the_mean_of_copies(r, n_points, r_new):
    return onp.mean([*[r] * n_points, r_new], axis=0)


# ---------------------------------------------------------------- model_based.4: attention for one query


def attention_weights(query, keys):
    return softmax(np.matmul(keys, query) / len(query) ** 0.5)


@mistake("model_based.4", "The scores were not divided by sqrt(D).",
         "Divide: the more numbers a product adds up, the larger it is, and the softmax would look at one key alone.")
def scores_not_divided(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query)), values)


@mistake("model_based.4", "The scores were divided by D, not by its root.", "len(query) ** 0.5.")
def divided_by_d(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query) / len(query)), values)


@mistake("model_based.4", "The scores were divided by the root of the number of examples.",
         "D is how many numbers the query has, keys.shape[1]; B is the number of keys, and may be any.")
def divided_by_the_examples(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query) / len(keys) ** 0.5), values)


@mistake("model_based.4", "The weights do not add up to 1: exp without its sum is no softmax.",
         "Divide each exp by the sum of all.")
def weights_not_normalised(query, keys, values):
    return np.matmul(np.exp(np.matmul(keys, query) / len(query) ** 0.5), values)


@mistake("model_based.4", "The scores themselves were the weights: without a softmax they can be negative.",
         "Weights are softmax(scores).")
def scores_as_weights(query, keys, values):
    return np.matmul(np.matmul(keys, query) / len(query) ** 0.5, values)


@mistake("model_based.4", "All examples have the same weight: the query was not asked.",
         "The weight of example b depends on query . key_b.")
def plain_mean(query, keys, values):
    return np.mean(values, axis=0) + 0 * np.sum(query) + 0 * np.sum(keys)


@mistake("model_based.4", "The value of the best key came back, a hard choice: nothing else has a weight, and neither "
         "query nor keys get a gradient.", "The softmax is soft: every example has its weight.")
def best_key_alone(query, keys, values):
    return values[np.argmax(np.matmul(keys, query))] + 0 * np.sum(query) + 0 * np.sum(keys)


@mistake("model_based.4", "exp overflows where a score is a thousand: infinity by infinity is NaN.",
         "Subtract the largest score first; the softmax stays the same.", less=("nothing", "mean"))
def exp_overflows(query, keys, values, less):
    scores = np.matmul(keys, query) / len(query) ** 0.5
    parts = np.exp(scores - np.mean(scores) if less == "mean" else scores)
    return np.matmul(parts / np.sum(parts), values)


@mistake("model_based.4", "The examples were compared by their distance, as in lesson 3.", "A product: query . key_b.")
def by_distance(query, keys, values):
    return np.matmul(softmax(-np.sum((keys - query) ** 2, axis=1) / len(query) ** 0.5), values)


@mistake("model_based.4", "The keys were averaged, not the values.", "The keys only decide the weights.")
def mean_of_the_keys(query, keys, values):
    return np.matmul(attention_weights(query, keys), keys) + 0 * np.sum(values)


@mistake("model_based.4", "The scores are cosines: query and keys were brought to the length 1.",
         "The product as it is, divided by sqrt(D).", divided=(True, False))
def by_cosine(query, keys, values, divided):
    lengths = np.sqrt(np.sum(keys ** 2, axis=1) * np.sum(query ** 2) + 1e-300)
    cosines = np.matmul(keys, query) / lengths
    return np.matmul(softmax(cosines / len(query) ** 0.5 if divided else cosines), values)


@mistake("model_based.4", "The weighted sum was divided by the number of examples. But the weights add up to 1: it "
         "is a mean already.", "No further division.")
def averaged_once_more(query, keys, values):
    return np.matmul(attention_weights(query, keys), values) / len(keys)


@mistake("model_based.4", "The weights were divided by sqrt(D), not the scores: they do not add up to 1.",
         "First divide, then take the softmax.")
def divided_after_the_softmax(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query)) / len(query) ** 0.5, values)


@mistake("model_based.4", "The weights are constants to autograd: queries and keys could not be learned.",
         "No stop_gradient, and no conversion into plain numbers.")
def weights_cut_off(query, keys, values):
    return np.matmul(stop_gradient(attention_weights(query, keys)), values)


@mistake("model_based.4", "The values are constants to autograd: they could not be learned.",
         "No stop_gradient, and no conversion into plain numbers.")
def values_cut_off(query, keys, values):
    return np.matmul(attention_weights(query, keys), stop_gradient(values))


@mistake("model_based.4", "The scores were divided by the root of E, the length of a value.",
         "D is how many numbers the query has.")
def divided_by_the_root_of_e(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query) / values.shape[1] ** 0.5), values)


@mistake("model_based.4", "The scores were multiplied by sqrt(D).", "Divide: they would be too large without.")
def times_the_root(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query) * len(query) ** 0.5), values)


@mistake("model_based.4", "1 was added to the sum of the exp, so that the weights add up to less than 1.",
         "Divide by the sum itself.", added=("1", "exp(0)"))
def one_more_in_the_sum(query, keys, values, added):
    scores = np.matmul(keys, query) / len(query) ** 0.5
    if added == "exp(0)":  # as a score of its own, subject to the same subtraction
        return np.matmul(softmax(np.concatenate([scores, np.zeros(1)]))[:-1], values)
    parts = np.exp(scores - np.max(scores))
    return np.matmul(parts / (np.sum(parts) + 1), values)


@mistake("model_based.4", "The scores were clipped so that exp does not overflow: keys with different large scores "
         "become equal.", "Subtract the largest score instead; the softmax stays the same.", bound=(50.0, 500.0))
def scores_clipped(query, keys, values, bound):
    parts = np.exp(np.clip(np.matmul(keys, query) / len(query) ** 0.5, -bound, bound))
    return np.matmul(parts / np.sum(parts), values)


@mistake("model_based.4", "The scores were divided by their sum: no softmax, and a negative score is a negative "
         "weight.", "exp of the scores first.")
def scores_by_their_sum(query, keys, values):
    scores = np.matmul(keys, query)
    return np.matmul(scores / np.sum(scores), values)


@mistake("model_based.4", "The scores have the wrong sign: the key that agrees least has the largest weight.",
         "softmax of the products, without a minus.")
def minus_the_scores(query, keys, values):
    return np.matmul(attention_weights(-query, keys), values)


@mistake("model_based.4", "The weights are sigmoids of the scores: they do not add up to 1, or only because they were "
         "divided by their sum.", "A softmax over the examples: exp of each score, divided by the sum.",
         divided=(False, True))
def each_by_a_sigmoid(query, keys, values, divided):
    scores = np.matmul(keys, query) / len(query) ** 0.5
    weights = 0.5 * (1 + np.tanh(scores / 2))
    return np.matmul(weights / np.sum(weights) if divided else weights, values)


@mistake("model_based.4", "The scores were divided by the norm of the query, not by sqrt(D).",
         "D is how many numbers the query has: len(query) ** 0.5.")
def divided_by_the_norm(query, keys, values):
    return np.matmul(softmax(np.matmul(keys, query) / np.sqrt(np.sum(query ** 2))), values)


@honest("model_based.4")
def attend_in_a_loop(query, keys, values):
    scores = [sum(q * k for q, k in zip(query, key, strict=True)) / len(query) ** 0.5 for key in keys]
    largest = max(scores)
    parts = [np.exp(score - largest) for score in scores]
    return sum(part * value for part, value in zip(parts, values, strict=True)) / sum(parts)


@honest("model_based.4")
def attend_by_log_softmax(query, keys, values):
    return np.matmul(np.exp(log_softmax(np.matmul(keys, query) / np.sqrt(len(query)))), values)


@honest("model_based.4")
def attend_by_einsum(query, keys, values):
    weights = softmax(np.einsum("d,bd->b", query, keys) / len(query) ** 0.5)
    return np.einsum("b,be->e", weights, values)


# ---------------------------------------------------------------- model_based.5: the context mask


def visible(scores, n_context):
    return onp.arange(scores.shape[1]) < n_context


@mistake("model_based.5", "The weights were set to 0 after the softmax: what is left no longer adds up to 1.",
         "Mask the scores, with minus infinity, before the softmax.")
def masked_after_the_softmax(scores, n_context):
    return softmax(scores) * visible(scores, n_context)


@mistake("model_based.5", "The softmax runs over the queries: each *column* was divided by its sum.",
         "Over the keys, the last axis: each query has weights of its own, which add up to 1.")
def softmax_over_the_queries(scores, n_context):
    return softmax(scores.T).T * visible(scores, n_context)


@mistake("model_based.5", "The hidden scores were set to 0: exp(0) = 1, so hidden keys still have a weight.",
         "Minus infinity: exp(-inf) = 0.")
def hidden_scores_zero(scores, n_context):
    return softmax(scores * visible(scores, n_context))


@mistake("model_based.5", "The weights were masked after the softmax and divided by their sum: where a hidden score is "
         "large, that is 0 by 0.", "Mask the scores before the softmax.")
def renormalised_too_late(scores, n_context):
    weights = softmax(scores) * visible(scores, n_context)
    return weights / np.sum(weights, axis=1, keepdims=True)


@mistake("model_based.5", "The context was hidden, and the rest was shown.", "The first n_context keys may be seen.")
def the_wrong_way_round(scores, n_context):
    return softmax(np.where(visible(scores, n_context), -1e30, scores))


@mistake("model_based.5", "One example of the context too few, or too many, may be seen.",
         "np.arange(B) < n_context: n_context of them.", off=(-1, 1))
def one_off(scores, n_context, off):
    return softmax(np.where(visible(scores, n_context + off), scores, -1e30))


@mistake("model_based.5", "A causal mask, as in a language model: query a sees keys 0...a.",
         "Here every query sees the whole context, and nothing else.", of_the_context=(False, True))
def causal(scores, n_context, of_the_context):
    a, b = onp.indices(scores.shape)
    seen = (b <= a) & (visible(scores, n_context) if of_the_context else True)
    return softmax(np.where(seen, scores, -1e30))


@mistake("model_based.5", "The softmax was taken over the queries: the columns add up to 1, not the rows.",
         "The keys are the last axis.")
def softmax_over_queries(scores, n_context):
    return np.transpose(softmax(np.transpose(np.where(visible(scores, n_context), scores, -1e30))))


@mistake("model_based.5", "Nothing was hidden.", "Only the first n_context keys may have a weight.")
def no_mask(scores, n_context):
    return softmax(scores)


@mistake("model_based.5", "The hidden keys were cut off: they must be there, with the weight 0.",
         "The result is (A,B), as the scores.")
def cut_off(scores, n_context):
    return softmax(scores[:, :n_context])


@mistake("model_based.5", "Hidden scores became a number that is low, but not low enough: its exponential is not 0.",
         "Minus infinity, or -1e30.", bound=(-5.0, -10.0, -1000.0))
def hidden_a_little(scores, n_context, bound):
    hidden = onp.arange(scores.shape[1]) >= n_context
    return softmax(np.where(hidden, bound, scores))


@mistake("model_based.5", "A number was subtracted from the hidden scores, and it is not large enough for large "
         "scores.", "np.where(hidden, -np.inf, scores).", amount=(10.0, 100.0, 1000.0))
def too_little_subtracted(scores, n_context, amount):
    hidden = onp.arange(scores.shape[1]) >= n_context
    return softmax(scores - amount * hidden)


@mistake("model_based.5", "exp was taken of the hidden scores, too. Where they are large it overflows, and the "
         "derivative through np.where is NaN.",
         "Replace the scores before exp, and subtract the largest one that is left.", less_the_largest=(False, True))
def exp_of_hidden_scores(scores, n_context, less_the_largest):
    seen = onp.arange(scores.shape[1]) < n_context
    if less_the_largest:
        scores = scores - np.max(scores[:, :n_context], axis=1, keepdims=True)
    with onp.errstate(over="ignore", invalid="ignore"):
        parts = np.where(seen, np.exp(scores), 0.0)
    return parts / np.sum(parts, axis=1, keepdims=True)


@mistake("model_based.5", "All weights of the table add up to 1.", "Those of each row: keepdims=True and axis=-1.")
def one_sum_for_all_rows(scores, n_context):
    seen = onp.arange(scores.shape[1]) < n_context
    shown = np.where(seen, scores, -np.inf)
    parts = np.exp(shown - np.max(shown))
    return parts / np.sum(parts)


@mistake("model_based.5", "All keys of the context have the same weight: the scores were not used.",
         "softmax of the scores that may be seen.")
def all_alike(scores, n_context):
    return np.where(onp.arange(scores.shape[1]) < n_context, 1 / n_context, 0 * scores)


@mistake("model_based.5", "The scores were divided by a root once more.", "They are divided already.")
def divided_once_more(scores, n_context):
    hidden = onp.arange(scores.shape[1]) >= n_context
    return softmax(np.where(hidden, -np.inf, scores / scores.shape[1] ** 0.5))


@mistake("model_based.5", "Queries were hidden, rows of the table, not keys.",
         "The keys are the last axis: np.arange(B) < n_context.")
def queries_hidden(scores, n_context):
    return softmax(scores) * (onp.arange(len(scores)) < n_context)[:, None]


@mistake("model_based.5", "Hidden scores became the smallest one of their row, which still has a weight.",
         "Minus infinity.")
def smallest_of_the_row(scores, n_context):
    hidden = onp.arange(scores.shape[1]) >= n_context
    return softmax(np.where(hidden, np.min(scores, axis=1, keepdims=True), scores))


@mistake("model_based.5", "The *last* n_context keys may be seen.", "The first: they are the labelled examples.")
def the_last_ones(scores, n_context):
    n_keys = scores.shape[1]
    return softmax(np.where(onp.arange(n_keys) < n_keys - n_context, -np.inf, scores))


@mistake("model_based.5", "exp of a large score is infinite, and infinity times the mask's 0 is NaN.",
         "Replace the hidden scores before exp, and subtract the largest one that is left.")
def exp_times_the_mask(scores, n_context):
    with onp.errstate(over="ignore", invalid="ignore"):
        parts = np.exp(scores) * visible(scores, n_context)
        return parts / np.sum(parts, axis=1, keepdims=True)


@mistake("model_based.5", "Infinity was multiplied by the mask. Where nothing is hidden that is 0 times infinity, "
         "which is no number.", "np.where(hidden, -np.inf, scores): it chooses, and multiplies nothing.")
def zero_times_infinity(scores, n_context):
    with onp.errstate(invalid="ignore"):
        return softmax(scores + (onp.arange(scores.shape[1]) >= n_context) * -onp.inf)


@mistake("model_based.5", "The n_context keys with the largest scores of each row may be seen.",
         "The first n_context keys, whatever their scores are: np.arange(B) < n_context.")
def the_largest_ones(scores, n_context):
    ranks = onp.argsort(onp.argsort(-getattr(scores, "_value", scores), axis=1), axis=1)
    return softmax(np.where(ranks < n_context, scores, -np.inf))


@honest("model_based.5")
def cut_off_and_filled_with_zeros(scores, n_context):
    hidden = onp.zeros((scores.shape[0], scores.shape[1] - n_context))
    return np.concatenate([softmax(scores[:, :n_context]), hidden], axis=1)


@honest("model_based.5")
def by_added_infinity(scores, n_context):
    return np.exp(log_softmax(scores + onp.where(visible(scores, n_context), 0.0, -onp.inf)))


@honest("model_based.5")
def row_by_row(scores, n_context):
    rows = []
    for a in range(scores.shape[0]):
        parts = [np.exp(scores[a, b] - np.max(scores[a, :n_context])) for b in range(n_context)]
        rows.append(np.array([part / sum(parts) for part in parts] + [0.0] * (scores.shape[1] - n_context)))
    return np.array(rows)


# ---------------------------------------------------------------- model_based.6: does the order matter?


def close(a, b, share=1e-5):
    return bool(onp.abs(a - b).max() <= share * onp.abs(a).max())


@mistake("model_based.6", "x was put in another order, y was not: every example got another's label.",
         "An example is a pair: x[order] and y[order].")
def labels_left_behind(answer, x, y, query_x, order):
    return close(answer(x, y, query_x), answer(x[order], y, query_x))


@mistake("model_based.6", "The examples stayed in their order: a learner is compared with itself, or the queries alone "
         "were put in another order.", "answer(x[order], y[order], query_x) is the other one.",
         of_queries=(False, True))
def compared_with_itself(answer, x, y, query_x, order, of_queries):
    if not of_queries:
        return close(answer(x, y, query_x), answer(x, y, query_x))
    others = order[order < len(query_x)]
    return close(answer(x, y, query_x)[others], answer(x, y, query_x[others]))


@mistake("model_based.6", "== asks for the last bit, but sums in another order round differently.",
         "Allow a small difference: compare the largest one with the largest answer.")
def to_the_last_bit(answer, x, y, query_x, order):
    return bool((answer(x, y, query_x) == answer(x[order], y[order], query_x)).all())


@mistake("model_based.6", "Sums or means of answers were compared: two numbers that move in opposite directions "
         "cancel.",
         "Compare number by number.", axis=(None, 0, 1, "all", "mean"))
def sums_compared(answer, x, y, query_x, order, axis):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    if axis == "all":  # against the largest answer, not the largest sum
        return bool(abs(before.sum() - after.sum()) <= 1e-5 * onp.abs(before).max())
    if axis == "mean":
        return bool(onp.isclose(before.mean(), after.mean(), rtol=1e-5))
    before, after = before.sum(axis), after.sum(axis)
    return bool(onp.abs(before - after).max() <= 1e-5 * onp.abs(before).max())


@mistake("model_based.6", "One answer that stays the same was enough.", "All of them must: .all(), not .any().",
         each_against_itself=(True, False))
def any_will_do(answer, x, y, query_x, order, each_against_itself):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    if each_against_itself:
        return bool(onp.isclose(before, after).any())
    return bool((onp.abs(before - after) <= 1e-5 * onp.abs(before).max()).any())


@mistake("model_based.6", "The tolerance is so wide that a learner passes whose answers do change.",
         "A hundred-thousandth of the largest answer.", share=(0.1, 0.01, 0.001, 0.0001))
def far_too_tolerant(answer, x, y, query_x, order, share):
    return close(answer(x, y, query_x), answer(x[order], y[order], query_x), share)


@mistake("model_based.6", "The result is the wrong way round: True where the order does matter.",
         "True where the answers stay the same.")
def the_opposite(answer, x, y, query_x, order):
    return not close(answer(x, y, query_x), answer(x[order], y[order], query_x))


@mistake("model_based.6", "The queries were put in another order, too, so the answers stand at other places.",
         "Only the examples change places.")
def queries_too(answer, x, y, query_x, order):
    return close(answer(x, y, query_x), answer(x[order], y[order], query_x[::-1]))


@mistake("model_based.6", "y was put in another order, x was not: every example got another's label.",
         "An example is a pair: x[order] and y[order].")
def features_left_behind(answer, x, y, query_x, order):
    return close(answer(x, y, query_x), answer(x, y[order], query_x))


@mistake("model_based.6", "x was put in the order `order`, y in the one that undoes it: the pairs were torn apart.",
         "x[order] and y[order]: the same for both.")
def y_by_the_inverse(answer, x, y, query_x, order):
    return close(answer(x, y, query_x), answer(x[order], y[onp.argsort(order)], query_x))


@mistake("model_based.6", "The tolerance is a number of its own, whatever the size of the answers: small answers may "
         "differ as they like, and large ones not even by their rounding.",
         "A hundred-thousandth of the largest answer.", tolerance=(1e-3, 1e-5, 1e-8))
def absolute_tolerance(answer, x, y, query_x, order, tolerance):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool(onp.abs(before - after).max() <= tolerance)


@mistake("model_based.6", "Each answer was measured against itself, or each number of the answers by itself: one that "
         "is nearly 0 rounds by more than a hundred-thousandth of itself.",
         "The largest difference against the *largest* answer.", largest_over=((), 0, 1))
def each_against_itself(answer, x, y, query_x, order, largest_over):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool((onp.abs(before - after) <= 1e-5 * onp.abs(before).max(axis=largest_over, keepdims=True)).all())


@mistake("model_based.6", "np.allclose as it comes measures each answer against itself, and lets a difference of 1e-8 "
         "pass, however small the answers are.", "np.allclose(after, before, rtol=0, atol=1e-5 * "
         "np.abs(before).max())")
def allclose_as_it_comes(answer, x, y, query_x, order):
    return bool(onp.allclose(answer(x[order], y[order], query_x), answer(x, y, query_x)))


@mistake("model_based.6", "The answers were put in another order, too. They belong to the queries, which stay where "
         "they are.", "Compare answer(x, y, query_x) itself.")
def answers_too(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return close(before[order] if len(before) == len(order) else before, after)


@mistake("model_based.6", "The examples were put in an order of their own; `order` was not used.",
         "x[order] and y[order].", turned=(True, False))
def another_order(answer, x, y, query_x, order, turned):
    mine = onp.arange(len(x))[::-1] if turned else onp.roll(onp.arange(len(x)), 1)
    return close(answer(x, y, query_x), answer(x[mine], y[mine], query_x))


@mistake("model_based.6", "The differences have their sign: answers that all move in one direction pass, however far.",
         "np.abs of the difference.", sign=(1, -1))
def without_the_absolute_value(answer, x, y, query_x, order, sign):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool((sign * (before - after)).max() <= 1e-5 * onp.abs(before).max())


@mistake("model_based.6", "The largest answer was taken with its sign: if all are below 0, the tolerance is, too, and "
         "nothing passes.", "np.abs(before).max().")
def largest_with_its_sign(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool(onp.abs(before - after).max() <= 1e-5 * before.max())


@mistake("model_based.6", "Only the places of the largest answers were compared: an answer may change and still be the "
         "largest.", "Compare the answers themselves.")
def places_of_the_largest(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool((before.argmax(axis=1) == after.argmax(axis=1)).all())


@mistake("model_based.6", "No learner passes, not even one whose answers stay the same to the last bit.",
         "True where the largest difference is small.")
def nobody_passes(answer, x, y, query_x, order):
    return bool((answer(x, y, query_x) != answer(x, y, query_x)).any())


@mistake("model_based.6", "The answers were rounded before they were compared: that is too coarse for small "
         "answers, and two equal ones may lie on both sides of a limit.",
         "The largest difference against the largest answer.", digits=(5,))
def rounded_first(answer, x, y, query_x, order, digits):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool((onp.round(before, digits) == onp.round(after, digits)).all())


@mistake("model_based.6", "The tolerance is a share of the mean answer. Where answers cancel, that is nothing.",
         "np.abs(before).max().")
def share_of_the_mean(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool(onp.abs(before - after).max() <= 1e-5 * onp.abs(before.mean()))


@mistake("model_based.6", "The answers were sorted before they were compared: numbers may have changed places, among "
         "the queries or within an answer.", "Compare the answers to each query as they stand.", axis=(0, 1))
def answers_sorted(answer, x, y, query_x, order, axis):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return close(onp.sort(before, axis=axis), onp.sort(after, axis=axis))


@mistake("model_based.6", "Only a part of the answers was compared: those to the first query, or the first number of "
         "each. The order may matter for another part.", "All E numbers of the answers to all Q queries.",
         part=("query", "number"))
def first_part_alone(answer, x, y, query_x, order, part):
    some = (slice(1), slice(None)) if part == "query" else (slice(None), slice(1))
    return close(answer(x, y, query_x)[some], answer(x[order], y[order], query_x)[some])


@mistake("model_based.6", "The mean of the differences was compared, or their Euclidean norm: one answer of many may "
         "change.", "The largest difference.", which=("mean", "norm"))
def mean_of_the_differences(answer, x, y, query_x, order, which):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    if which == "norm":
        return bool(onp.linalg.norm(before - after) <= 1e-5 * onp.linalg.norm(before))
    return bool(onp.abs(before - after).mean() <= 1e-5 * onp.abs(before).max())


@mistake("model_based.6", "Answers that are all 0, and stay so, count as different: 0 is not less than 0, and 0 by 0 "
         "is no number.", "The largest difference <= 1e-5 times the largest answer: with <=, and nothing divided.")
def zeros_differ_from_zeros(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    return bool(onp.abs(before - after).max() < 1e-5 * onp.abs(before).max())


@honest("model_based.6")
def by_allclose(answer, x, y, query_x, order):
    before = answer(x, y, query_x)
    return bool(onp.allclose(answer(x[order], y[order], query_x), before, rtol=0, atol=1e-5 * onp.abs(before).max()))


@honest("model_based.6")
def answer_by_answer(answer, x, y, query_x, order):
    before, after = answer(x, y, query_x), answer(x[order], y[order], query_x)
    largest = max(abs(b) for row in before for b in row)
    return all(abs(a - b) <= 1e-5 * largest for rows in zip(before, after, strict=True)
               for a, b in zip(*rows, strict=True))


# ---------------------------------------------------------------- model_based.7: a task from the prior


def in_front(x, rule):
    """The points, class 0 behind the rule and class 1 before it: x (2,n,F)."""
    return x * onp.sign(x @ rule)[..., None] * onp.array([-1, 1])[:, None, None]


def cut(x, k_shot):
    """(2,K+Q,F) -> the four arrays of a task."""
    n_features, n_query = x.shape[-1], x.shape[1] - k_shot
    return (x[:, :k_shot].reshape(-1, n_features), onp.arange(2).repeat(k_shot),
            x[:, k_shot:].reshape(-1, n_features), onp.arange(2).repeat(n_query))


@mistake("model_based.7", "All tasks have the same rule: a network would learn that rule, and not how to learn one.",
         "Draw w anew in every call, with rng.")
def one_rule_for_all(n_features, k_shot, n_query, rng):
    return cut(in_front(rng.standard_normal((2, k_shot + n_query, n_features)), onp.ones(n_features)), k_shot)


@mistake("model_based.7", "The queries follow a rule of their own: the support says nothing about them.",
         "One w for the task.")
def another_rule_for_the_queries(n_features, k_shot, n_query, rng):
    parts = [in_front(rng.standard_normal((2, n, n_features)), rng.standard_normal(n_features))
             for n in (k_shot, n_query)]
    return cut(onp.concatenate(parts, axis=1), k_shot)


@mistake("model_based.7", "The weights of the rule are all positive, as those of rng.random are.",
         "rng.standard_normal(n_features): rules in all directions.")
def positive_rules(n_features, k_shot, n_query, rng):
    return cut(in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rng.random(n_features)), k_shot)


@mistake("model_based.7", "No straight rule decides the class of a point, perhaps a coin.",
         "Class 1 is where w . x > 0.")
def labels_by_chance(n_features, k_shot, n_query, rng):
    return cut(rng.standard_normal((2, k_shot + n_query, n_features)), k_shot)


@mistake("model_based.7", "The queries are points of the support: they can be copied, not learned.",
         "Draw K + Q points of each class, and cut.")
def queries_from_the_support(n_features, k_shot, n_query, rng):
    support = in_front(rng.standard_normal((2, k_shot, n_features)), rng.standard_normal(n_features))
    return cut(onp.concatenate([support, support[:, rng.integers(k_shot, size=n_query)]], axis=1), k_shot)


@mistake("model_based.7", "The classes are as they fell, not K of each: a task may lack one.",
         "Draw until there are K + Q of each class, or turn points around.")
def as_they_fell(n_features, k_shot, n_query, rng):
    rule = rng.standard_normal(n_features)
    parts = [rng.standard_normal((2 * n, n_features)) for n in (k_shot, n_query)]
    support, query = (x[onp.argsort(x @ rule > 0, kind="stable")] for x in parts)
    return support, (support @ rule > 0).astype(int), query, (query @ rule > 0).astype(int)


@mistake("model_based.7", "There are K points in all, not K of each class.", "2K and 2Q points.")
def k_in_all(n_features, k_shot, n_query, rng):
    x = in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rng.standard_normal(n_features))
    return tuple(a[::2] for a in cut(x, k_shot))


@mistake("model_based.7", "The points are uniform, not normal.", "rng.standard_normal.")
def uniform_points(n_features, k_shot, n_query, rng):
    x = rng.uniform(-3 ** 0.5, 3 ** 0.5, (2, k_shot + n_query, n_features))
    return cut(in_front(x, rng.standard_normal(n_features)), k_shot)


@mistake("model_based.7", "The labels were exchanged in one half: class 1 is where w . x < 0 in the query.",
         "Support and query follow the same rule.")
def labels_exchanged_in_the_query(n_features, k_shot, n_query, rng):
    x = in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rng.standard_normal(n_features))
    x[:, k_shot:] *= -1
    return cut(x, k_shot)


@mistake("model_based.7", "The labels are -1 and 1, as np.sign gives them.", "The classes are called 0 and 1.")
def labels_by_sign(n_features, k_shot, n_query, rng):
    support_x, support_y, query_x, query_y = query_first(n_features, k_shot, n_query, rng)
    return support_x, 2 * support_y - 1, query_x, 2 * query_y - 1


@mistake("model_based.7", "The labels are not all 0 first and then all 1.",
         "K points of class 0 and then K of class 1, with the labels np.repeat([0, 1], K); the query likewise.")
def classes_mixed(n_features, k_shot, n_query, rng):
    support_x, support_y, query_x, query_y = query_first(n_features, k_shot, n_query, rng)
    a, b = rng.permutation(2 * k_shot), rng.permutation(2 * n_query)
    return support_x[a], support_y[a], query_x[b], query_y[b]


@mistake("model_based.7", "The chance did not come from `rng`: nobody can repeat these draws.",
         "rng.standard_normal, not np.random.normal.")
def global_generator(n_features, k_shot, n_query, rng):
    return query_first(n_features, k_shot, n_query, onp.random.default_rng())


@mistake("model_based.7", "Each point of class 1 is one of class 0 turned around: half of the points are not new.",
         "Draw the points of each class for themselves.")
def mirror_images(n_features, k_shot, n_query, rng):
    x = in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rng.standard_normal(n_features))
    return cut(onp.stack([x[0], -x[0]]), k_shot)


@mistake("model_based.7", "The rule looks at one feature alone.", "w has F standard normal numbers.")
def one_feature_alone(n_features, k_shot, n_query, rng):
    rule = onp.eye(n_features)[0] * rng.standard_normal()
    return cut(in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rule), k_shot)


@mistake("model_based.7", "All points were brought to the length 1.", "Standard normal numbers as they are.")
def points_of_length_one(n_features, k_shot, n_query, rng):
    support_x, support_y, query_x, query_y = query_first(n_features, k_shot, n_query, rng)
    return (support_x / onp.linalg.norm(support_x, axis=1, keepdims=True), support_y,
            query_x / onp.linalg.norm(query_x, axis=1, keepdims=True), query_y)


@mistake("model_based.7", "All features weigh the same in the rule, up to the sign.",
         "w has F standard normal numbers.")
def signs_for_the_rule(n_features, k_shot, n_query, rng):
    x = rng.standard_normal((2, k_shot + n_query, n_features))
    return cut(in_front(x, rng.choice([-1.0, 1.0], n_features)), k_shot)


@mistake("model_based.7", "Every feature was turned by itself, so the points of a class fill only a quarter of the "
         "plane.",
         "Draw w, and turn the whole point around where w . x has the wrong sign: -x.")
def each_feature_turned(n_features, k_shot, n_query, rng):
    x = onp.abs(rng.standard_normal((2, k_shot + n_query, n_features))) * onp.sign(rng.standard_normal(n_features))
    return cut(x * onp.array([-1, 1])[:, None, None], k_shot)


@mistake("model_based.7", "The features do not have mean 0 and standard deviation 1, as standard normal numbers have.",
         "rng.standard_normal as it comes: not rng.uniform, no factor, and no point left out.")
def another_deviation(n_features, k_shot, n_query, rng):
    x = rng.uniform(-1, 1, (2, k_shot + n_query, n_features))
    return cut(in_front(x, rng.standard_normal(n_features)), k_shot)


@mistake("model_based.7", "No straight line through 0 separates the classes: some points are on the wrong side of "
         "it. They were perhaps drawn around two middles, or the rule is w . x + b.",
         "Class 1 where w . x > 0, class 0 elsewhere: every point, and nothing added to w . x.")
def two_clouds(n_features, k_shot, n_query, rng):
    middle = rng.standard_normal(n_features) * onp.array([-1, 1])[:, None, None]
    return cut(rng.standard_normal((2, k_shot + n_query, n_features)) + middle, k_shot)


@mistake("model_based.7", "The rules do not point in all directions alike. Perhaps only one weight is not 0, or some "
         "are always above 0.", "w = rng.standard_normal(n_features), as it comes.")
def one_weight_of_1(n_features, k_shot, n_query, rng):
    rule = onp.eye(n_features)[rng.integers(n_features)]
    return cut(in_front(rng.standard_normal((2, k_shot + n_query, n_features)), rule), k_shot)


@mistake("model_based.7", "Along the border there is a strip without points: those that are hard to tell apart are "
         "missing.",
         "Leave none out: class 1 where w . x > 0, and class 0 elsewhere, however near to 0 it is.")
def far_from_the_border(n_features, k_shot, n_query, rng):
    rule = rng.standard_normal(n_features)
    x = rng.standard_normal((2, 20 * (k_shot + n_query), n_features))
    far = abs(x @ rule) > 0.5 * onp.linalg.norm(rule)
    n = k_shot + n_query
    return cut(in_front(onp.stack([points[keep][:n] for points, keep in zip(x, far, strict=True)]), rule), k_shot)


@mistake("model_based.7", "Points and rule have two features, whatever n_features is.", "F = n_features numbers.")
def two_features(n_features, k_shot, n_query, rng):
    return query_first(2, k_shot, n_query, rng)


@honest("model_based.7")
def drawn_until_there_are_enough(n_features, k_shot, n_query, rng):
    rule, found = rng.standard_normal(n_features), ([], [])
    while min(map(len, found)) < k_shot + n_query:
        x = rng.standard_normal(n_features)
        found[int(x @ rule > 0)].append(x)
    return cut(onp.array([points[:k_shot + n_query] for points in found]), k_shot)


@honest("model_based.7")
def query_first(n_features, k_shot, n_query, rng):
    rule = rng.standard_normal(n_features)
    query = in_front(rng.standard_normal((2, n_query, n_features)), rule)
    support = in_front(rng.standard_normal((2, k_shot, n_features)), rule)
    return cut(onp.concatenate([support, query], axis=1), k_shot)


# ---------------------------------------------------------------- model_based.8: labels a step late


def one_hot(labels, n_way):
    return onp.eye(n_way)[labels]


@mistake("model_based.8", "The labels are on time: at each step the network is told the answer.",
         "Step t gets the label of step t - 1.")
def on_time(labels, n_way):
    return one_hot(labels, n_way)


@mistake("model_based.8", "The labels are a step early: at each step that of the next one is known.",
         "Step t gets the label of step t - 1: zeros in front, and the last label dropped.")
def a_step_early(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([known[:, 1:], 0 * known[:, :1]], axis=1)


@mistake("model_based.8", "The labels were rolled round: the first step is told the label of the last.",
         "At the first step nothing is known: zeros.")
def rolled_round(labels, n_way):
    return one_hot(onp.roll(labels, 1, axis=1), n_way)


@mistake("model_based.8", "The integers were shifted, and a 0 put in front: the first step is told label 0.",
         "One-hot vectors first, then the shift: a label that is not known is all zeros.")
def label_zero_in_front(labels, n_way):
    return one_hot(onp.concatenate([0 * labels[:, :1], labels[:, :-1]], axis=1), n_way)


@mistake("model_based.8", "The shift was along the streams: each has the labels of the stream before.",
         "Steps are axis 1.")
def shifted_along_the_streams(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([0 * known[:1], known[:-1]], axis=0)


@mistake("model_based.8", "The shift was along the one-hot vectors: every label became the next one.",
         "Steps are axis 1 of (T,L,N).")
def shifted_along_the_labels(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([0 * known[..., :1], known[..., :-1]], axis=-1)


@mistake("model_based.8", "There is a step too many: the last label was not dropped.", "L steps: known[:, :-1].")
def a_step_too_many(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([0 * known[:, :1], known], axis=1)


@mistake("model_based.8", "All labels up to the step before are marked: a network that sees this need not remember.",
         "Step t gets one label, that of step t - 1.", counted=(False, True))
def all_labels_so_far(labels, n_way, counted):
    known = one_hot(labels, n_way)
    sums = onp.cumsum(onp.concatenate([0 * known[:, :1], known[:, :-1]], axis=1), axis=1)
    return sums if counted else onp.minimum(1, sums)


@mistake("model_based.8", "The labels are two steps late.",
         "Step t gets the label of step t - 1: one step of zeros in front.")
def two_steps_late(labels, n_way):
    return onp.pad(one_hot(labels, n_way), ((0, 0), (2, 0), (0, 0)))[:, :labels.shape[1]]


@mistake("model_based.8", "At the first step all labels were called equally likely, 1/N each.",
         "Nothing is known: zeros.")
def all_equally_likely_at_first(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([0 * known[:, :1] + 1 / n_way, known[:, :-1]], axis=1)


@mistake("model_based.8", "The length of the vectors was taken from the largest label that comes, not from n_way.",
         "np.eye(n_way)[labels].")
def as_many_as_the_largest_label(labels, n_way):
    known = one_hot(labels, labels.max() + 1)
    return onp.concatenate([0 * known[:, :1], known[:, :-1]], axis=1)


@mistake("model_based.8", "Where nothing is known there is -1.", "Zeros.")
def minus_one_for_nothing(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([0 * known[:, :1] - 1, known[:, :-1]], axis=1)


@mistake("model_based.8", "A -1 was put in front. As an index it is the last one: the first step is told label N - "
         "1.", "One-hot vectors first, then a step of zeros in front.")
def last_label_in_front(labels, n_way):
    return one_hot(onp.concatenate([0 * labels[:, :1] - 1, labels[:, :-1]], axis=1), n_way)


@mistake("model_based.8", "The streams were joined to one: the first step of each is told the last label of the "
         "stream before.", "Shift along axis 1, each stream for itself.")
def streams_joined(labels, n_way):
    known = one_hot(labels.ravel(), n_way)
    return onp.concatenate([0 * known[:1], known[:-1]]).reshape(*labels.shape, n_way)


@mistake("model_based.8", "The first step, at which nothing is known, was left out.",
         "L steps: a step of zeros in front.")
def a_step_too_few(labels, n_way):
    return one_hot(labels, n_way)[:, :-1]


@mistake("model_based.8", "The last label was dropped, but the zeros stand at the end: the labels are on time.",
         "Zeros in front.")
def zeros_at_the_end(labels, n_way):
    known = one_hot(labels, n_way)
    return onp.concatenate([known[:, :-1], 0 * known[:, :1]], axis=1)


@mistake("model_based.8", "The first step is told its own label.", "Nothing is known at the first step: zeros.")
def first_label_twice(labels, n_way):
    return one_hot(onp.concatenate([labels[:, :1], labels[:, :-1]], axis=1), n_way)


@mistake("model_based.8", "Only the first step was emptied; at all others the network is told the answer.",
         "Step t gets the label of step t - 1.")
def first_step_emptied(labels, n_way):
    return one_hot(labels, n_way) * (onp.arange(labels.shape[1]) > 0)[:, None]


@honest("model_based.8")
def late_by_two_loops(labels, n_way):
    late = onp.zeros((*labels.shape, n_way))
    for t in range(len(labels)):
        for step in range(1, labels.shape[1]):
            late[t, step, labels[t, step - 1]] = 1
    return late


@honest("model_based.8")
def late_by_a_row_of_zeros(labels, n_way):
    shifted = onp.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=n_way)
    return onp.vstack([onp.eye(n_way), onp.zeros(n_way)])[shifted]


# ---------------------------------------------------------------- model_based.9: look up in a memory


def with_blank(query, keys, filled, sharpness, blank):
    """softmax over the slots and, last, the blank: (S+1,)."""
    hidden = onp.where(filled, 0, -onp.inf)
    return softmax(np.concatenate([sharpness * np.matmul(keys, query) + hidden, np.reshape(blank, (1,))]))


@mistake("model_based.9", "There is no blank: the weights add up to 1 also for an image that is like nothing before.",
         "One score more in the softmax, `blank`, whose weight is then left out.")
def without_a_blank(query, keys, filled, sharpness, blank):
    parts = np.exp(sharpness * (np.matmul(keys, query) - 1)) * filled
    return parts / (np.sum(parts) + 1e-300) + 0 * blank


@mistake("model_based.9", "The weight of the blank came back, too: there are S + 1 weights.", "Leave the last one out.")
def blank_not_left_out(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness, blank)


@mistake("model_based.9", "Empty slots take part: their key 0 is like everything to the degree 0.",
         "Their score is minus infinity, before the softmax.")
def empty_slots_take_part(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled | True, sharpness, blank)[:-1]


@mistake("model_based.9", "Empty slots got the weight 0 after the softmax, so their share is missing from the others.",
         "Give them the score minus infinity before the softmax.")
def emptied_after_the_softmax(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled | True, sharpness, blank)[:-1] * filled


@mistake("model_based.9", "The blank's score was multiplied by the sharpness, too.", "`blank` is a score as it is.")
def sharpened_blank(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness, sharpness * blank)[:-1]


@mistake("model_based.9", "The weights were divided by their sum in the end: the blank has no effect any more.",
         "They add up to less than 1, and the rest says how new the query is.")
def divided_by_the_sum(query, keys, filled, sharpness, blank):
    weights = with_blank(query, keys, filled, sharpness, blank)[:-1]
    return weights / np.sum(weights)


@mistake("model_based.9", "The sharpness divides: it is no temperature.", "sharpness * (query . key).")
def sharpness_as_a_temperature(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, 1 / sharpness, blank)[:-1]


@mistake("model_based.9", "Empty slots got the score 0: exp(0) = 1, so they still have a weight.", "Minus infinity.")
def empty_slots_of_score_0(query, keys, filled, sharpness, blank):
    scores = np.where(filled, sharpness * np.matmul(keys, query), 0.0)
    return softmax(np.concatenate([scores, np.reshape(blank, (1,))]))[:-1]


@mistake("model_based.9", "The sharpness was not used.", "sharpness * (query . key).")
def not_sharpened(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, 1 + 0 * sharpness, blank)[:-1]


@mistake("model_based.9", "The first weight was left out. The blank was the last.", "weights[:-1].")
def first_one_left_out(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness, blank)[1:]


@mistake("model_based.9", "exp overflows where a score is a thousand: infinity by infinity is NaN.",
         "Subtract the largest score first, the blank among them.", less=("nothing", "blank"))
def exp_overflows_in_the_memory(query, keys, filled, sharpness, blank, less):
    shift = blank if less == "blank" else 0 * blank
    with onp.errstate(over="ignore", invalid="ignore"):
        parts = np.where(filled, np.exp(sharpness * np.matmul(keys, query) - shift), 0.0)
        return parts / (np.sum(parts) + np.exp(blank - shift))


@mistake("model_based.9", "`blank` itself was added to the sum, without exp.",
         "It is a score like the others: exp(blank).")
def blank_as_a_weight(query, keys, filled, sharpness, blank):
    scores = sharpness * np.matmul(keys, query)
    parts = np.exp(scores - np.max(scores)) * filled
    return parts / (np.sum(parts) + blank * np.exp(-np.max(scores)))


@mistake("model_based.9", "The score of the blank is 0, whatever `blank` is.", "`blank` is its score, and is learned.")
def blank_of_score_0(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness, 0 * blank)[:-1]


@mistake("model_based.9", "The products were divided by sqrt(D), as in attention.",
         "They are cosines, and the sharpness is learned: sharpness * (query . key).")
def divided_by_the_root_of_d(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness / len(query) ** 0.5, blank)[:-1]


@mistake("model_based.9", "Empty slots got the score of the blank.",
         "Minus infinity: there is one blank, besides the slots.")
def empty_slots_like_the_blank(query, keys, filled, sharpness, blank):
    scores = np.where(filled, sharpness * np.matmul(keys, query), blank)
    return softmax(np.concatenate([scores, np.reshape(blank, (1,))]))[:-1]


@mistake("model_based.9", "The slots that are *empty* were looked at, and the filled ones left out.",
         "np.where(filled, scores, -np.inf).")
def empty_ones_looked_at(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, ~filled, sharpness, blank)[:-1]


@mistake("model_based.9", "The largest score was sought among the slots alone. Where nothing is filled, or the blank "
         "is far above all slots, exp of the blank overflows, or minus infinity less itself is NaN.",
         "The blank is one of the scores: take the largest of all.", hidden=(-onp.inf, -1e300))
def largest_of_the_slots(query, keys, filled, sharpness, blank, hidden):
    with onp.errstate(invalid="ignore", over="ignore"):
        scores = np.where(filled, sharpness * np.matmul(keys, query), hidden)
        parts = np.exp(scores - np.max(scores))
        parts = parts if hidden == -onp.inf else np.where(filled, parts, 0.0)
        return parts / (np.sum(parts) + np.exp(blank - np.max(scores)))


@mistake("model_based.9", "Each slot was weighed against the blank alone, by a sigmoid: the slots do not compete.",
         "One softmax of all scores and the blank.")
def each_against_the_blank(query, keys, filled, sharpness, blank):
    scores = sharpness * np.matmul(keys, query)
    return np.where(filled, 0.5 * (1 + np.tanh((scores - blank) / 2)), 0.0)


@mistake("model_based.9", "The scores are distances, not cosines. For vectors of length 1 these are 2 - 2 cosines: "
         "the scores of all slots change, that of the blank does not.", "sharpness * (query . key).")
def by_distance_in_the_memory(query, keys, filled, sharpness, blank):
    scores = np.where(filled, -sharpness * np.sum((keys - query) ** 2, axis=1), -np.inf)
    return softmax(np.concatenate([scores, np.reshape(blank, (1,))]))[:-1]


@mistake("model_based.9", "The blank counts more than once, or not once: as often as there are slots, or empty slots.",
         "One blank in all: S + 1 scores.", times=("slots", "empty slots", "empty slots and once"))
def a_blank_for_each_slot(query, keys, filled, sharpness, blank, times):
    scores = np.where(filled, sharpness * np.matmul(keys, query), -np.inf)
    places = onp.ones(len(keys), bool) if times == "slots" else ~filled
    blanks = np.where(places, blank * onp.ones(len(keys)), -np.inf)
    if times == "empty slots and once":
        blanks = np.concatenate([blanks, np.reshape(blank, (1,))])
    return softmax(np.concatenate([scores, blanks]))[:len(keys)]


@mistake("model_based.9", "Empty slots got a score that is low, but not low enough: its exponential is not 0, or the "
         "scores of the other slots are still lower.", "Minus infinity.", score=(-5.0, -1000.0))
def empty_slots_a_little(query, keys, filled, sharpness, blank, score):
    scores = np.where(filled, sharpness * np.matmul(keys, query), score)
    return softmax(np.concatenate([scores, np.reshape(blank, (1,))]))[:-1]


@mistake("model_based.9", "The score of the blank has the wrong sign.", "`blank` as it is.")
def minus_the_blank(query, keys, filled, sharpness, blank):
    return with_blank(query, keys, filled, sharpness, -blank)[:-1]


@mistake("model_based.9", "The blank stands first, but the last weight was left out: that of a slot.",
         "Leave out the weight of the blank, where its score stands.")
def blank_in_front(query, keys, filled, sharpness, blank):
    return np.roll(with_blank(query, keys, filled, sharpness, blank), 1)[:-1]


@mistake("model_based.9", "The largest score was sought among the empty slots, too. If one of them is far above all "
         "others, nothing is left of their exponentials, and 0 by 0 is no number.",
         "First minus infinity for the empty slots, then the largest of the rest and the blank.")
def largest_of_the_empty_too(query, keys, filled, sharpness, blank):
    scores = sharpness * np.matmul(keys, query)
    largest = np.maximum(np.max(scores), blank)
    parts = np.where(filled, np.exp(scores - largest), 0.0)
    with onp.errstate(invalid="ignore"):
        return parts / (np.sum(parts) + np.exp(blank - largest))


@honest("model_based.9")
def recall_in_a_loop(query, keys, filled, sharpness, blank):
    scores = [sharpness * np.sum(query * key) for key, full in zip(keys, filled, strict=True) if full]
    largest = max([blank, *scores])
    parts = [np.exp(score - largest) for score in scores]
    total, parts = sum(parts) + np.exp(blank - largest), iter(parts)
    return np.array([next(parts) / total if full else 0.0 for full in filled])
