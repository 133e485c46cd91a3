"""Wrong answers to lesson 6's exercises on model-based learning, each with the thought behind it, and right ones."""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import stop_gradient
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- model_based.1: encode


def pairs(x, y):
    return np.concatenate([x, y], axis=-1)


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


@mistake("model_based.1", "The largest of each number was taken, over the examples.", "The mean, not the maximum.")
def maximum_over_examples(h, params, x, y):
    return np.max(h(params, pairs(x, y)), axis=1)


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


@mistake("model_based.1", "The axis of the examples is still there: (T,1,R).",
         "np.mean(..., axis=1), without keepdims.")
def axis_of_examples_kept(h, params, x, y):
    return np.mean(h(params, pairs(x, y)), axis=1, keepdims=True)


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


@mistake("model_based.2", "x came before r in the rows.", "np.concatenate([r of each query, x], axis=-1).")
def x_before_r(g, params, r, x):
    return g(params, np.concatenate([x, to_every_query(r, x)], axis=-1))


@mistake("model_based.2", "All tasks were answered from the encoding of the first.", "Task t has the encoding r[t].")
def encoding_of_the_first_task(g, params, r, x):
    return g(params, np.concatenate([to_every_query(r[:1] + 0 * r, x), x], axis=-1))


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


@mistake("model_based.2", "The encodings of all tasks were averaged.", "Task t is answered from r[t] alone.")
def mean_encoding(g, params, r, x):
    return g(params, np.concatenate([to_every_query(np.mean(r, axis=0) + 0 * r, x), x], axis=-1))


@mistake("model_based.2", "The last axis is missing: (T,Q).", "g returns (T,Q,1), and so does decode.")
def last_axis_dropped(g, params, r, x):
    each = np.expand_dims(r, 1) + np.zeros((1, x.shape[1], 1))
    return g(params, np.concatenate([each, x], axis=2))[..., 0]


@mistake("model_based.2", "Each task was answered from the encoding of another one.", "Task t has r[t].")
def encodings_rolled(g, params, r, x):
    each = np.expand_dims(np.concatenate([r[1:], r[:1]]), 1) + np.zeros((1, x.shape[1], 1))
    return g(params, np.concatenate([each, x], axis=2))


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


@honest("model_based.3")
def by_the_sum(r, n_points, r_new):
    return r_new if n_points == 0 else (n_points * r + r_new) / (n_points + 1)


@honest("model_based.3")
def by_the_mean_of_copies(r, n_points, r_new):
    return onp.mean([*[r] * n_points, r_new], axis=0)
