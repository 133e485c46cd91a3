"""Wrong answers to lesson 3's exercises on metrics, each with the thought behind it; right ones of other kinds."""

from itertools import pairwise

from autograd import numpy as np

from fewshot_np.nn.primitives import cross_entropy, log_softmax, relu, safe_norm, stop_gradient
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- metric.1: prototypes


def in_label_order(labels, n_way):
    return range(n_way)


def in_order_of_appearance(labels, n_way):
    return list(dict.fromkeys(labels.tolist()))


def means(embeddings, labels, n_way, order=in_label_order):
    return np.array([np.mean(embeddings[labels == n], axis=0) for n in order(labels, n_way)])


@mistake("metric.1", "The labels were not used: the examples were cut into N blocks, as if they were sorted by class.",
         "Row n is the mean of the examples whose label is n: embeddings[labels == n].", cut=("equal", "nearly equal"))
def blocks(embeddings, labels, n_way, cut):
    if cut == "nearly equal":
        ends = [round(n * len(labels) / n_way + 0.49) for n in range(n_way + 1)]
        return np.array([np.mean(embeddings[a:b], axis=0) for a, b in pairwise(ends)])
    return np.mean(np.reshape(embeddings, (n_way, -1, embeddings.shape[1])), axis=1)


@mistake("metric.1", "The prototypes stand in the order in which the classes first appear, not in that of their "
         "labels.", "Row n belongs to label n: loop over range(n_way).")
def order_of_appearance(embeddings, labels, n_way):
    return means(embeddings, labels, n_way, in_order_of_appearance)


@mistake("metric.1", "The embeddings of a class were summed, not averaged.",
         "Divide by the number of the class's examples.")
def class_sums(embeddings, labels, n_way):
    return np.array([np.sum(embeddings[labels == n], axis=0) for n in range(n_way)])


@mistake("metric.1", "The sum over a class was divided by the number of *all* examples, M.",
         "Only the class's own examples count. A mean over embeddings * (labels == n) counts the zeros, too.")
def divided_by_all(embeddings, labels, n_way):
    return class_sums(embeddings, labels, n_way) / len(labels)


@mistake("metric.1", "The sum over a class was divided by M / N, as if all classes had equally many examples.",
         "Count the examples of each class.")
def divided_by_an_equal_share(embeddings, labels, n_way):
    return class_sums(embeddings, labels, n_way) * (n_way / len(labels))


@mistake("metric.1", "One example stands for each class; the others were not used.",
         "The prototype is the *mean* of all the class's examples.", which=(0, -1))
def one_example(embeddings, labels, n_way, which=0):
    return np.array([embeddings[labels == n][which] for n in range(n_way)])


@mistake("metric.1", "Each class became one number: the mean was taken over examples and features.",
         "np.mean(..., axis=0) averages over the examples and leaves the D features apart.", shape=("N", "N,1", "N,D"))
def one_number_each(embeddings, labels, n_way, shape):
    numbers = np.array([np.mean(embeddings[labels == n]) for n in range(n_way)])
    return numbers if shape == "N" else numbers[:, None] * np.ones((1, embeddings.shape[1] if shape == "N,D" else 1))


@mistake("metric.1", "The labels were counted from 1; there is no class N, and the mean of nothing is NaN.",
         "Labels are 0...N-1: range(n_way).")
def counted_from_one(embeddings, labels, n_way):
    return means(embeddings, labels, n_way, lambda labels, n_way: range(1, n_way + 1))


@mistake("metric.1", "The example in the middle of each class was taken, feature by feature: the median.",
         "The mean of all the class's examples, np.mean(..., axis=0).", of_two=("both", "upper", "lower"))
def medians(embeddings, labels, n_way, of_two):
    rows = []
    for n in range(n_way):
        ordered = np.sort(embeddings[labels == n], axis=0)
        upper, lower = ordered[len(ordered) // 2], ordered[(len(ordered) - 1) // 2]
        rows.append({"both": (lower + upper) / 2, "upper": upper, "lower": lower}[of_two])
    return np.array(rows)


@mistake("metric.1", "The prototypes were brought to the length 1.", "The mean, as it is.")
def unit_prototypes(embeddings, labels, n_way):
    centres = means(embeddings, labels, n_way)
    return centres / np.sqrt(np.sum(centres ** 2, axis=1, keepdims=True))


@mistake("metric.1", "Classes and features changed places.", "A row for each class: (N,D).")
def prototypes_in_columns(embeddings, labels, n_way):
    return means(embeddings, labels, n_way).T


@mistake("metric.1", "The largest number of each feature was taken.", "np.mean(..., axis=0), not np.max.")
def largest_of_each_feature(embeddings, labels, n_way):
    return np.array([np.max(embeddings[labels == n], axis=0) for n in range(n_way)])


@mistake("metric.1", "There is a row for each example, that of its class.", "One row for each class: range(n_way).")
def a_row_for_each_example(embeddings, labels, n_way):
    return means(embeddings, labels, n_way)[labels]


@mistake("metric.1", "The examples of all the *other* classes were averaged.", "labels == n, not !=.")
def means_of_the_others(embeddings, labels, n_way):
    others = 1 - np.eye(n_way)[labels]
    return others.T @ embeddings / np.maximum(np.sum(others, axis=0), 1)[:, None]


@mistake("metric.1", "The sum over a class was divided by one more, or one less, than it has examples.",
         "Divide by the number of the class's examples, as np.mean(..., axis=0) does.", more=(1, -1))
def divided_by_one_more_or_less(embeddings, labels, n_way, more):
    counts = np.array([max(np.sum(labels == n) + more, 1) for n in range(n_way)])
    return class_sums(embeddings, labels, n_way) / counts[:, None]


@mistake("metric.1", "The prototypes are right, but constants: no derivative flows back into the embeddings.",
         "No stop_gradient, and autograd's np throughout.")
def constant_prototypes(embeddings, labels, n_way):
    return means(stop_gradient(embeddings), labels, n_way) + 0 * np.sum(embeddings)


@mistake("metric.1", "Each example was averaged with the result so far, half and half: the later ones count more.",
         "Sum all examples of the class, and divide once, by their number.")
def averaged_with_the_result_so_far(embeddings, labels, n_way):
    rows = [None] * n_way
    for embedding, n in zip(embeddings, labels, strict=True):
        rows[n] = embedding if rows[n] is None else (rows[n] + embedding) / 2
    return np.array(rows)


@mistake("metric.1", "The examples were sorted by their labels and cut into N equal blocks, as if all classes had "
         "equally many.", "embeddings[labels == n] are those of class n, however many.", cut=("reshape", "slices"))
def sorted_blocks(embeddings, labels, n_way, cut):
    ordered = embeddings[np.argsort(labels, kind="stable")]
    if cut == "reshape":
        return np.mean(np.reshape(ordered, (n_way, -1, embeddings.shape[1])), axis=1)
    each = len(labels) // n_way
    return np.array([np.mean(ordered[n * each:(n + 1) * each], axis=0) for n in range(n_way)])


@honest("metric.1")
def prototypes_by_loops(embeddings, labels, n_way):
    rows = []
    for n in range(n_way):
        total, count = 0.0, 0
        for embedding, label in zip(embeddings, labels, strict=True):
            if label == n:
                total, count = total + embedding, count + 1
        rows.append(total / count)
    return np.array(rows)


@honest("metric.1")
def prototypes_by_a_product(embeddings, labels, n_way):
    members = np.eye(n_way)[labels]  # (M,N)
    return (members / members.sum(axis=0)).T @ embeddings


# ---------------------------------------------------------------- metric.2: squared distances


def differences(a, b):
    return a[:, None] - b[None]


@mistake("metric.2", "The root was taken: these are distances, not their squares.",
         "No square root. Where two points are equal its derivative is infinite.")
def rooted(a, b):
    return np.sqrt(np.sum(differences(a, b) ** 2, axis=2))


@mistake("metric.2", "The squares were averaged over the features, not summed.", "np.sum over D, not np.mean.")
def averaged_over_features(a, b):
    return np.mean(differences(a, b) ** 2, axis=2)


@mistake("metric.2", "The two sets changed places.", "[i, j] belongs to row i of a and row j of b: (A,B).")
def transposed(a, b):
    return np.sum(differences(b, a) ** 2, axis=2)


@mistake("metric.2", "Absolute values were summed, not squares.", "Square each difference.")
def absolute(a, b):
    return np.sum(abs(differences(a, b)), axis=2)


@mistake("metric.2", "Row i of a meets only row i of b, but *each* row of a must meet *each* row of b.",
         "Give them an axis each: a[:, None] is (A,1,D), b[None] is (1,B,D). Or write two loops.")
def rows_of_equal_number(a, b):
    return np.sum((a - b) ** 2, axis=1)


@mistake("metric.2", "The product of a and b was subtracted once.", "|a - b|^2 = |a|^2 - 2 a.b + |b|^2: twice.")
def product_once(a, b):
    return np.sum(a ** 2, axis=1)[:, None] - a @ b.T + np.sum(b ** 2, axis=1)


@mistake("metric.2", "The root was taken and squared again: the value is right, but where two points are equal the "
         "derivative of the root is infinite, and the gradient is NaN.",
         "Sum the squares of the differences, without np.linalg.norm.")
def rooted_and_squared(a, b):
    return np.sqrt(np.sum(differences(a, b) ** 2, axis=2)) ** 2


@mistake("metric.2", "Minus the squared distances came back.",
         "The minus belongs to the softmax, where near must score high. A distance is positive.")
def with_a_minus(a, b):
    return -np.sum(differences(a, b) ** 2, axis=2)


@mistake("metric.2", "The product of a and b was added.", "|a|^2 *minus* 2 a.b + |b|^2.")
def product_added(a, b):
    return np.sum(a * a, axis=1)[:, None] + 2 * a @ b.T + np.sum(b * b, axis=1)


@mistake("metric.2", "The squares were halved.", "The sum of the squares, without a factor.")
def halves(a, b):
    return np.sum(differences(a, b) ** 2, axis=-1) / 2


@mistake("metric.2", "The differences were summed first and squared afterwards, so that they cancel.",
         "Square each difference, then sum over D.")
def sum_squared(a, b):
    return np.sum(differences(a, b), axis=2) ** 2


@mistake("metric.2", "The largest of the D differences was squared.", "The sum of the squares of all D differences.")
def largest_difference_squared(a, b):
    return np.max(abs(differences(a, b)), axis=2) ** 2


@mistake("metric.2", "These are dot products.", "|a - b|^2 = |a|^2 - 2 a.b + |b|^2.")
def dot_products_alone(a, b):
    return a @ b.T


@mistake("metric.2", "One of |a|^2 and |b|^2 is missing.", "|a|^2 - 2 a.b + |b|^2.", missing=("a", "b"))
def one_square_missing(a, b, missing):
    kept = np.sum(b ** 2, axis=1) if missing == "a" else np.sum(a ** 2, axis=1)[:, None]
    return kept - 2 * a @ b.T


@mistake("metric.2", "The squares were subtracted: |a|^2 - |b|^2.", "First the difference, then its square.")
def difference_of_squares(a, b):
    return np.sum(a ** 2, axis=1)[:, None] - np.sum(b ** 2, axis=1)


@mistake("metric.2", "The lengths of a and b were not squared.", "|a|^2 - 2 a.b + |b|^2: squares, without a root.")
def lengths_for_squares(a, b):
    return safe_norm(a)[:, None] - 2 * a @ b.T + safe_norm(b)


@mistake("metric.2", "The sum ran over the rows of b, not over the features.",
         "Sum over the last axis of (A,B,D): axis=2.")
def summed_over_the_rows(a, b):
    return np.sum(differences(a, b) ** 2, axis=1)


@mistake("metric.2", "The first or the last feature was left out.", "range(D) begins at 0 and ends at D - 1 by itself.",
         which=("first", "last"))
def one_feature_left_out(a, b, which):
    kept = slice(1, None) if which == "first" else slice(a.shape[1] - 1)
    return np.sum(differences(a, b)[:, :, kept] ** 2, axis=2)


@mistake("metric.2", "These are 1 - cosine, which compares directions alone.",
         "The sum of the squared differences: how long a and b are counts, too.")
def one_less_cosines(a, b):
    return 1 - a @ b.T / (safe_norm(a)[:, None] * safe_norm(b) + 1e-12)


@honest("metric.2")
def distances_by_loops(a, b):
    return np.array([[sum((p - q) ** 2 for p, q in zip(x, y, strict=True)) for y in b] for x in a])


@honest("metric.2")
def distances_by_products(a, b):
    return np.sum(a ** 2, axis=1)[:, None] - 2 * a @ b.T + np.sum(b ** 2, axis=1)


@honest("metric.2")
def distances_row_by_row(a, b):
    return np.array([np.sum((row - b) ** 2, axis=1) for row in a])


# ---------------------------------------------------------------- metric.3: the prototypical loss


def squared(a, b):
    return np.sum(differences(a, b) ** 2, axis=2)


def loss_of(logits, labels):
    return cross_entropy(logits, labels)


@mistake("metric.3", "The plain distance was used, not its square. It chooses the same classes, so that the accuracy "
         "does not tell, but with other probabilities.",
         "Snell et al. use the *squared* Euclidean distance: no root.")
def not_squared(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    centres = means(embeddings_s, labels_s, n_way)
    return loss_of(-safe_norm(differences(embeddings_q, centres)), labels_q)


@mistake("metric.3", "The softmax was taken of the distances without the minus: the farthest class is the likeliest.",
         "logits = -squared distances: near is likely.")
def farthest_wins(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return loss_of(squared(embeddings_q, means(embeddings_s, labels_s, n_way)), labels_q)


@mistake("metric.3", "[:, labels_q] picks, for each query, the classes of *all* queries.",
         "One number per query, that of its own class: [range(len(labels_q)), labels_q].")
def all_labels_for_each_query(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return -np.mean(log_softmax(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)))[:, labels_q])


@mistake("metric.3", "Where the classes are far apart, exp(-distance) became 0 for all of them: the softmax is 0/0, "
         "or its logarithm infinite.", "Take log_softmax(-distances) as a whole.")
def unstable(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    weights = np.exp(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)))
    p = weights / np.sum(weights, axis=1, keepdims=True)
    return -np.mean(np.log(p[range(len(labels_q)), labels_q]))


@mistake("metric.3", "The softmax runs over the queries: they compete for a class.",
         "The classes compete for a query: its p(n) sum to 1 over n, the last axis of (A,N).")
def softmax_over_queries(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    log_p = log_softmax(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)).T).T
    return -np.mean(log_p[range(len(labels_q)), labels_q])


@mistake("metric.3", "The prototypes stand in the order in which the classes appear in the support, so that the labels "
         "of the queries mean other classes.", "Prototype n is that of label n, whatever the order of the examples is.")
def prototypes_in_order_of_appearance(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    centres = means(embeddings_s, labels_s, n_way, in_order_of_appearance)
    return loss_of(-squared(embeddings_q, centres), labels_q)


@mistake("metric.3", "The squared distances to a class's examples were averaged. That is the distance to their mean "
         "*plus* how far they are scattered around it.", "First average the embeddings, then take one distance.")
def mean_of_the_distances(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    to_examples = squared(embeddings_q, embeddings_s)
    return loss_of(-np.array([np.mean(to_examples[:, labels_s == n], axis=1) for n in range(n_way)]).T, labels_q)


@mistake("metric.3", "The prototypes were treated as constants: the value is right, but the embedding learns nothing "
         "from the support.", "Gradients flow through queries and support alike: no stop_gradient, no plain NumPy.")
def prototypes_frozen(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    centres = stop_gradient(means(embeddings_s, labels_s, n_way))
    return loss_of(-squared(embeddings_q, centres), labels_q)


@mistake("metric.3", "The queries are in the prototypes, with the support or in its place: each has pulled its "
         "class's towards itself.",
         "Prototypes are means of the support alone; the labels of the queries are for the loss.",
         of=("support and queries", "queries"))
def prototypes_of_the_queries(embeddings_s, labels_s, embeddings_q, labels_q, n_way, of):
    members, embeddings = np.eye(n_way)[labels_q], embeddings_q
    if of == "support and queries":
        members, embeddings = (np.concatenate(two) for two in (
            (np.eye(n_way)[labels_s], members), (embeddings_s, embeddings_q)))
    centres = members.T @ embeddings / np.maximum(np.sum(members, axis=0), 1)[:, None]
    return loss_of(-squared(embeddings_q, centres), labels_q)


@mistake("metric.3", "The squared distances were divided: by D, as in a mean over the features, by its root, or by 2.",
         "Snell et al. do not scale: np.sum over D, and minus that.", by=("D", "root of D", "2"))
def scaled(embeddings_s, labels_s, embeddings_q, labels_q, n_way, by):
    n_features = embeddings_s.shape[1]
    factor = {"D": n_features, "root of D": n_features ** 0.5, "2": 2.0}[by]
    return loss_of(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)) / factor, labels_q)


@mistake("metric.3", "The losses of the queries were summed, not averaged.", "Divide by the number of queries.")
def summed_over_queries(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return loss_of(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)), labels_q) * len(labels_q)


@mistake("metric.3", "One softmax was taken over all queries and classes together.",
         "Each query has a softmax of its own, over the classes: log_softmax of (A,N), not of all numbers in a row.")
def one_softmax_for_all(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    logits = -squared(embeddings_q, means(embeddings_s, labels_s, n_way))
    log_p = np.reshape(log_softmax(np.reshape(logits, (-1,))), logits.shape)
    return -np.mean(log_p[range(len(labels_q)), labels_q])


@mistake("metric.3", "The minus of the loss is missing: this is the mean of log p.", "-log p falls as p grows.")
def log_likelihood(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return -loss_of(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)), labels_q)


@mistake("metric.3", "One example stands for each class, not the mean of its examples.",
         "The prototype is the mean: np.mean(embeddings_s[labels_s == n], axis=0).", which=("first", "nearest"))
def one_example_for_each_class(embeddings_s, labels_s, embeddings_q, labels_q, n_way, which):
    if which == "nearest":
        apart = squared(embeddings_q, embeddings_s)
        return loss_of(-np.array([np.min(apart[:, labels_s == n], axis=1) for n in range(n_way)]).T, labels_q)
    return loss_of(-squared(embeddings_q, one_example(embeddings_s, labels_s, n_way)), labels_q)


@mistake("metric.3", "Dot products with the prototypes were taken, or cosines.",
         "Minus the squared Euclidean distance.",
         name=("dot products", "cosines", "cosines, 0 of a zero"))
def alike_by_angle(embeddings_s, labels_s, embeddings_q, labels_q, n_way, name):
    centres = means(embeddings_s, labels_s, n_way)
    if "0" in name:
        lengths = safe_norm(embeddings_q)[:, None] * safe_norm(centres)
        return loss_of(embeddings_q @ centres.T / (lengths + 1e-12), labels_q)
    return loss_of(cosines(embeddings_q, centres) if name == "cosines" else embeddings_q @ centres.T, labels_q)


@mistake("metric.3", "This is the mean squared distance to the own prototype: it is 0 with all embeddings equal.",
         "Own class against the others: log_softmax of minus all the distances, then the own one.")
def distance_to_the_own_prototype(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return np.mean(squared(embeddings_q, means(embeddings_s, labels_s, n_way))[range(len(labels_q)), labels_q])


@mistake("metric.3", "The own class is missing in the sum over the classes, under the fraction of the softmax.",
         "The sum over *all* N classes, the own one among them; otherwise p can be above 1.")
def own_class_not_in_the_sum(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    logits, own = -squared(embeddings_q, means(embeddings_s, labels_s, n_way)), np.eye(n_way)[labels_q]
    others = np.where(own == 1, -np.inf if n_way == 1 else -1e9, logits)
    largest = np.max(others, axis=1)
    return np.mean(np.log(np.sum(np.exp(others - largest[:, None]), axis=1)) + largest - np.sum(own * logits, axis=1))


@mistake("metric.3", "This is the accuracy, which has no slope to go down.", "The mean of -log p(own class).")
def accuracy_for_loss(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    nearest = np.argmin(squared(embeddings_q, means(embeddings_s, labels_s, n_way)), axis=1)
    return np.mean(nearest == labels_q)


@mistake("metric.3", "The softmax runs over the support examples: that is attention, as in Matching Networks.",
         "First the prototypes, one for each class, then the softmax over the N classes.")
def softmax_over_examples(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    p = np.matmul(np.exp(log_softmax(-squared(embeddings_q, embeddings_s))), np.eye(n_way)[labels_s])
    return -np.mean(np.log(p[np.arange(len(labels_q)), labels_q]))


@mistake("metric.3", "The prototypes are sums, not means.", "The mean of a class's embeddings.")
def sums_for_prototypes(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    sums = np.matmul(np.eye(n_way)[labels_s].T, embeddings_s)
    return loss_of(-squared(embeddings_q, sums), labels_q)


@mistake("metric.3", "A small number was added inside the log: no query costs more than about 30, and classes far "
         "apart teach nothing.", "log_softmax(-distances) never meets a log of 0.",
         epsilon=(1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15))
def epsilon_in_the_log(embeddings_s, labels_s, embeddings_q, labels_q, n_way, epsilon):
    p = np.exp(log_softmax(-squared(embeddings_q, means(embeddings_s, labels_s, n_way))))
    return -np.mean(np.log(p[range(len(labels_q)), labels_q] + epsilon))


@mistake("metric.3", "The probabilities were averaged first, and the logarithm taken of their mean.",
         "Each query has a loss of its own, -log p; the mean of these is asked for.")
def log_of_the_mean(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    p = np.exp(log_softmax(-squared(embeddings_q, means(embeddings_s, labels_s, n_way))))
    return -np.log(np.mean(p[range(len(labels_q)), labels_q]))


@mistake("metric.3", "There is no logarithm: this is 1 - p, or -p.", "The mean of -log p.", least=(1.0, 0.0))
def without_logarithm(embeddings_s, labels_s, embeddings_q, labels_q, n_way, least):
    log_p = log_softmax(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)))
    return np.mean(least - np.exp(log_p[range(len(labels_q)), labels_q]))


@mistake("metric.3", "The mean went over all numbers of the table (A,N), so the sum was divided by N, too.",
         "One number for each query, then the mean of A numbers.")
def divided_by_classes_too(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return loss_of(-squared(embeddings_q, means(embeddings_s, labels_s, n_way)), labels_q) / n_way


@mistake("metric.3", "The support itself was classified, not the queries.",
         "The distances are those of embeddings_q, and the labels are labels_q.")
def loss_of_the_support(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    return loss_of(-squared(embeddings_s, means(embeddings_s, labels_s, n_way)), labels_s)


@honest("metric.3")
def loss_query_by_query(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    centres, losses = means(embeddings_s, labels_s, n_way), []
    for query, label in zip(embeddings_q, labels_q, strict=True):
        logits = np.array([-np.sum((query - centre) ** 2) for centre in centres])
        logits = logits - np.max(logits)
        losses.append(np.log(np.sum(np.exp(logits))) - logits[label])
    return np.mean(np.array(losses))


@honest("metric.3")
def loss_of_the_linear_classifier(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    centres = means(embeddings_s, labels_s, n_way)
    log_p = log_softmax(2 * embeddings_q @ centres.T - np.sum(centres ** 2, axis=1))
    return -np.sum(log_p * np.eye(n_way)[labels_q]) / len(labels_q)


# ---------------------------------------------------------------- metric.4: Matching Networks' attention


def unit(x):
    return x / np.sqrt(np.sum(x ** 2, axis=1, keepdims=True))


def cosines(embeddings_q, embeddings_s):
    return unit(embeddings_q) @ unit(embeddings_s).T


def softmax(x):
    return np.exp(log_softmax(x))


def votes(weights, labels, n_way):
    return weights @ np.eye(n_way)[labels]


@mistake("metric.4", "Dot products were used: long embeddings get more attention.",
         "The cosine divides by the lengths of both vectors.")
def dot_products(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(embeddings_q @ embeddings_s.T), labels_s, n_way)


@mistake("metric.4", "Attention was paid to near examples: squared distances took the place of the cosines.",
         "Vinyals et al. compare directions: the cosine of the angle, the larger the more alike.")
def distances_for_cosines(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(-squared(embeddings_q, embeddings_s)), labels_s, n_way)


@mistake("metric.4", "The value is right, but autograd's np.linalg.norm does not know keepdims=True: its derivative "
         "has one axis too many, silently.", "safe_norm(x)[:, None], or np.sum(x ** 2, axis=1, keepdims=True) ** 0.5.")
def norm_with_keepdims(embeddings_s, labels_s, embeddings_q, n_way):
    query, support = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (embeddings_q, embeddings_s))
    return votes(softmax(query @ support.T), labels_s, n_way)


@mistake("metric.4", "The softmax runs over the queries.", "For each query the weights of the *examples* sum to 1.")
def attention_over_queries(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(cosines(embeddings_q, embeddings_s).T).T, labels_s, n_way)


@mistake("metric.4", "The weights of a class were averaged, not summed, so that the probabilities do not sum to 1.",
         "Every example brings its whole weight: sum over the class.")
def votes_averaged(embeddings_s, labels_s, embeddings_q, n_way):
    weights = softmax(cosines(embeddings_q, embeddings_s))
    return np.array([np.mean(weights[:, labels_s == n], axis=1) for n in range(n_way)]).T


@mistake("metric.4", "In each class the cosines were summed, or averaged, or the largest was taken, and the softmax "
         "came last, over the classes.",
         "The other way round: the softmax over all examples first, then the sums in the classes.",
         taken=("sum", "mean", "largest"))
def softmax_over_classes(embeddings_s, labels_s, embeddings_q, n_way, taken):
    members, by_example = np.eye(n_way)[labels_s], cosines(embeddings_q, embeddings_s)
    if taken == "largest":
        return softmax(np.max(by_example[:, :, None] - 50 * (1 - members), axis=1))
    return softmax(by_example @ members / (np.maximum(np.sum(members, axis=0), 1) if taken == "mean" else 1.0))


@mistake("metric.4", "The examples of a class were averaged first. That is a prototypical network with cosines.",
         "In Matching Networks there are no prototypes: each example has a weight of its own.")
def prototypes_first(embeddings_s, labels_s, embeddings_q, n_way):
    return softmax(cosines(embeddings_q, means(embeddings_s, labels_s, n_way)))


@mistake("metric.4", "The nearest example took the whole vote; its derivative is 0, so that nothing can be learned.",
         "Attention is soft: softmax of the cosines, not argmax.")
def winner_takes_all(embeddings_s, labels_s, embeddings_q, n_way):
    nearest = np.argmax(cosines(embeddings_q, embeddings_s), axis=1)
    return np.eye(n_way)[labels_s[nearest]] + 0 * np.sum(embeddings_q)


@mistake("metric.4", "The attention is that of a transformer: dot products, divided by sqrt(D).",
         "Vinyals et al. take the cosine: the dot product divided by both lengths.")
def scaled_dot_products(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(embeddings_q @ embeddings_s.T / embeddings_s.shape[1] ** 0.5), labels_s, n_way)


@mistake("metric.4", "One softmax was taken over all queries and examples together.",
         "For each query the weights of the examples sum to 1: softmax over the last axis of (A,M).")
def one_attention_for_all(embeddings_s, labels_s, embeddings_q, n_way):
    weights = np.exp(cosines(embeddings_q, embeddings_s))
    return votes(weights / np.sum(weights), labels_s, n_way)


@mistake("metric.4", "The dot products were divided by one of the two lengths alone.", "The cosine: by both lengths.",
         of=("support", "queries"))
def divided_by_one_length(embeddings_s, labels_s, embeddings_q, n_way, of):
    if of == "support":
        return votes(softmax(embeddings_q @ unit(embeddings_s).T), labels_s, n_way)
    return votes(softmax(unit(embeddings_q) @ embeddings_s.T), labels_s, n_way)


@mistake("metric.4", "The number of classes was taken from the labels: a class without an example got no column.",
         "N is n_way.", counted=("up to the largest", "that occur"))
def classes_of_the_labels(embeddings_s, labels_s, embeddings_q, n_way, counted):
    p = votes(softmax(cosines(embeddings_q, embeddings_s)), labels_s, int(labels_s.max()) + 1)
    return p[:, sorted(set(labels_s.tolist()))] if counted == "that occur" else p


@mistake("metric.4", "The softmax is missing: the cosines themselves were added up.",
         "Attention is the softmax of the cosines; only then do they sum to 1.")
def cosines_added_up(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(cosines(embeddings_q, embeddings_s), labels_s, n_way)


@mistake("metric.4", "The logarithms of the weights were added up, not the weights.", "exp first, then the sums.")
def logarithms_added_up(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(log_softmax(cosines(embeddings_q, embeddings_s)), labels_s, n_way)


@mistake("metric.4", "The cosines, or those above 0, were divided by their sum, which may be 0.",
         "The softmax: exp of each cosine, divided by the sum of these.", clipped=(False, True))
def cosines_divided_by_their_sum(embeddings_s, labels_s, embeddings_q, n_way, clipped):
    weights = cosines(embeddings_q, embeddings_s)
    if clipped:
        weights = relu(weights)
        return votes(weights / (np.sum(weights, axis=1, keepdims=True) + 1e-12), labels_s, n_way)
    return votes(weights / np.sum(weights, axis=1, keepdims=True), labels_s, n_way)


@mistake("metric.4", "These are the logarithms of the probabilities.", "exp(log_softmax(...)) is the softmax.")
def logarithms(embeddings_s, labels_s, embeddings_q, n_way):
    return np.log(votes(softmax(cosines(embeddings_q, embeddings_s)), labels_s, n_way) + 1e-300)


@mistake("metric.4", "Attention was paid to *distant* examples: 1 - cosine took the place of the cosine.",
         "The softmax of the cosines: a small angle has the largest.")
def one_less_the_cosine(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(1 - cosines(embeddings_q, embeddings_s)), labels_s, n_way)


@mistake("metric.4", "The weights of a class were averaged, and the averages divided by their sum: a class of many "
         "examples gains nothing from them.",
         "Every example brings its whole weight: sum over the class, and the p sum to 1.")
def averages_made_to_sum_to_one(embeddings_s, labels_s, embeddings_q, n_way):
    members = np.eye(n_way)[labels_s]
    p = softmax(cosines(embeddings_q, embeddings_s)) @ members / np.maximum(np.sum(members, axis=0), 1)
    return p / np.sum(p, axis=1, keepdims=True)


@mistake("metric.4", "The cosines were divided by sqrt(D) or by a temperature: the attention is flatter or sharper "
         "than that of the paper.", "The softmax of the cosines as they are. The lesson tries a temperature later.",
         temperature=(0.1, 0.5, 0.05, "sqrt(D)"))
def with_a_temperature(embeddings_s, labels_s, embeddings_q, n_way, temperature):
    divisor = embeddings_s.shape[1] ** 0.5 if temperature == "sqrt(D)" else temperature
    return votes(softmax(cosines(embeddings_q, embeddings_s) / divisor), labels_s, n_way)


@mistake("metric.4", "The softmax was taken twice, over the examples and then over the classes.",
         "Once: the sums of the weights in the classes are probabilities already.")
def softmax_twice(embeddings_s, labels_s, embeddings_q, n_way):
    return softmax(votes(softmax(cosines(embeddings_q, embeddings_s)), labels_s, n_way))


@mistake("metric.4", "The dot products were divided by the squares of the lengths.",
         "The length is the root of the sum of the squares.")
def divided_by_squared_lengths(embeddings_s, labels_s, embeddings_q, n_way):
    query, support = (x / np.sum(x ** 2, axis=1, keepdims=True) for x in (embeddings_q, embeddings_s))
    return votes(softmax(query @ support.T), labels_s, n_way)


@mistake("metric.4", "The largest weight of each class was taken, not the sum of its weights.",
         "Every example votes for its class: sum over the class.")
def largest_weight(embeddings_s, labels_s, embeddings_q, n_way):
    weights = softmax(cosines(embeddings_q, embeddings_s))
    return np.max(weights[:, :, None] * np.eye(n_way)[labels_s], axis=1)


@mistake("metric.4", "exp was taken and the votes were summed, but never divided by the sum of all: no softmax.",
         "exp of each cosine, divided by the sum over all M examples: then p sums to 1.")
def never_divided(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(np.exp(cosines(embeddings_q, embeddings_s)), labels_s, n_way)


@mistake("metric.4", "The weights of the single examples came back.",
         "Sum them in each class: weights @ one-hot, (A,N).")
def attention_alone(embeddings_s, labels_s, embeddings_q, n_way):
    return softmax(cosines(embeddings_q, embeddings_s))


@mistake("metric.4", "Queries and classes changed places in the result.", "Row a belongs to query a: (A,N).")
def matching_transposed(embeddings_s, labels_s, embeddings_q, n_way):
    return votes(softmax(cosines(embeddings_q, embeddings_s)), labels_s, n_way).T


@honest("metric.4")
def matching_by_loops(embeddings_s, labels_s, embeddings_q, n_way):
    rows = []
    for query in embeddings_q:
        length = np.sqrt(np.sum(query ** 2))
        weights = [np.exp(np.sum(query * s) / (length * np.sqrt(np.sum(s ** 2)))) for s in embeddings_s]
        rows.append([sum(w for w, label in zip(weights, labels_s, strict=True) if label == n) / sum(weights)
                     for n in range(n_way)])
    return np.array(rows)


@honest("metric.4")
def matching_with_norms(embeddings_s, labels_s, embeddings_q, n_way):
    lengths = np.linalg.norm(embeddings_q, axis=1)[:, None] * np.linalg.norm(embeddings_s, axis=1)
    weights = np.exp(embeddings_q @ embeddings_s.T / lengths)
    weights = weights / np.sum(weights, axis=1, keepdims=True)
    return np.array([np.sum(weights[:, labels_s == n], axis=1) for n in range(n_way)]).T


# ---------------------------------------------------------------- metric.5: ridge regression


def ridge(embeddings_s, targets, embeddings_q, added):
    """added: what is added to X'X."""
    x = embeddings_s
    return embeddings_q @ np.linalg.solve(x.T @ x + added, x.T @ targets)


@mistake("metric.5", "The strength was added to every number of X'X.",
         "It is for the diagonal alone: strength * np.eye(D).")
def ridge_added_everywhere(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, strength)


@mistake("metric.5", "The strength was not used, or hardly: this is plain least squares.",
         "Without it fewer examples than features have many solutions. Add strength * np.eye(D) to X'X.")
def ridge_without_strength(embeddings_s, labels_s, embeddings_q, n_way, strength):
    identity = np.eye(embeddings_s.shape[1])
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, 1e-6 * identity + 0 * strength)


@mistake("metric.5", "The strength was multiplied by the number of examples: the errors were averaged, not summed.",
         "|X W - Y|^2 is a sum over all examples, so the strength stands as it is.")
def ridge_of_mean_errors(embeddings_s, labels_s, embeddings_q, n_way, strength):
    added = len(labels_s) * strength * np.eye(embeddings_s.shape[1])
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, added)


@mistake("metric.5", "The strength was squared.", "strength * np.eye(D): once.")
def ridge_strength_squared(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, strength ** 2 * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "The one-hot labels became -1 and 1.", "np.eye(n_way)[labels_s]: 1 for the class, 0 elsewhere.")
def ridge_of_signs(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, 2 * np.eye(n_way)[labels_s] - 1, embeddings_q,
                 strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "No equations were solved: X'Y holds the sum of each class's embeddings, and dividing it by the "
         "strength does not make it W.", "np.linalg.solve(X'X + strength * I, X'Y).", divided=(True, False))
def ridge_of_sums(embeddings_s, labels_s, embeddings_q, n_way, strength, divided):
    sums = embeddings_s.T @ np.eye(n_way)[labels_s]
    return embeddings_q @ sums / (strength if divided else 1.0)


@mistake("metric.5", "A softmax was applied to the predictions.", "Return queries @ W as it is.")
def ridge_softmax(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return np.exp(log_softmax(ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q,
                                    strength * np.eye(embeddings_s.shape[1]))))


@mistake("metric.5", "The support, or all of W, was taken for a constant: no derivative flows back into the support's "
         "embeddings.", "Use autograd's np.linalg.solve on the traced embeddings; the support learns through W alone.",
         of=("all of W", "the support"))
def ridge_of_constant_weights(embeddings_s, labels_s, embeddings_q, n_way, strength, of):
    constant, added = stop_gradient(embeddings_s), strength + 0 * np.sum(embeddings_s)
    if of == "all of W":
        added = stop_gradient(np.array(strength))
    return ridge(constant, np.eye(n_way)[labels_s], embeddings_q, added * np.eye(embeddings_s.shape[1])) + 0 * (
        np.sum(embeddings_s) + strength)


@mistake("metric.5", "A column of ones was added to X, a bias, which the strength holds down, too.",
         "W has D rows and there is no bias: queries @ W.")
def ridge_with_a_bias(embeddings_s, labels_s, embeddings_q, n_way, strength):
    support, query = (np.concatenate([x, np.ones((len(x), 1))], axis=1) for x in (embeddings_s, embeddings_q))
    return ridge(support, np.eye(n_way)[labels_s], query, strength * np.eye(support.shape[1]))


@mistake("metric.5", "The class means stand in the place of X'Y, which are sums.",
         "X'Y adds up the embeddings of each class: embeddings_s.T @ np.eye(n_way)[labels_s].")
def ridge_of_class_means(embeddings_s, labels_s, embeddings_q, n_way, strength):
    one_hot = np.eye(n_way)[labels_s]
    return ridge(embeddings_s, one_hot / np.maximum(np.sum(one_hot, axis=0), 1), embeddings_q,
                 strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "The weights W came back, not the predictions.", "queries @ W: a row for each query.")
def ridge_weights_alone(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], np.eye(embeddings_s.shape[1]),
                 strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "The labels were taken for numbers, as if 2 were twice as much as 1: a query gets one prediction.",
         "One column for each class: np.eye(n_way)[labels_s].")
def ridge_of_label_numbers(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, 1.0 * labels_s, embeddings_q, strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "The strength was doubled or halved.",
         "The 2 of the derivative stands in both terms and cancels: (X'X + strength I) W = X'Y.", factor=(2.0, 0.5))
def ridge_strength_times_a_factor(embeddings_s, labels_s, embeddings_q, n_way, strength, factor):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, factor * strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "The strength was divided by the number of examples.",
         "|X W - Y|^2 is a sum over all examples, so the strength stands as it is.")
def ridge_strength_divided(embeddings_s, labels_s, embeddings_q, n_way, strength):
    added = strength / len(labels_s) * np.eye(embeddings_s.shape[1])
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, added)


@mistake("metric.5", "The embeddings were centred first.", "X as it is: there is no mean in the formula.")
def ridge_centred(embeddings_s, labels_s, embeddings_q, n_way, strength):
    middle = np.mean(embeddings_s, axis=0)
    return ridge(embeddings_s - middle, np.eye(n_way)[labels_s], embeddings_q - middle,
                 strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "Queries and classes changed places in the result.", "Row a belongs to query a: (A,N).")
def ridge_transposed(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, strength * np.eye(embeddings_s.shape[1])).T


@mistake("metric.5", "The matrix was multiplied, not inverted.", "np.linalg.solve(X'X + strength * I, X'Y).")
def ridge_not_inverted(embeddings_s, labels_s, embeddings_q, n_way, strength):
    x = embeddings_s
    return embeddings_q @ (x.T @ x + strength * np.eye(x.shape[1])) @ (x.T @ np.eye(n_way)[labels_s])


@mistake("metric.5", "Only the diagonal of X'X was used, as if no two features ever occurred together.",
         "The whole of X'X: embeddings_s.T @ embeddings_s.")
def ridge_of_the_diagonal(embeddings_s, labels_s, embeddings_q, n_way, strength):
    squares = np.sum(embeddings_s ** 2, axis=0)
    return embeddings_q @ (embeddings_s.T @ np.eye(n_way)[labels_s] / (squares + strength)[:, None])


@mistake("metric.5", "These are predictions for the support, not for the queries.", "embeddings_q @ W.")
def ridge_for_the_support(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_s, strength * np.eye(embeddings_s.shape[1]))


@mistake("metric.5", "X'X was divided by the number of examples, and X'Y was not.",
         "(X'X + strength I) W = X'Y: both are sums over all examples.")
def ridge_of_mean_squares(embeddings_s, labels_s, embeddings_q, n_way, strength):
    x = embeddings_s
    return embeddings_q @ np.linalg.solve(x.T @ x / len(x) + strength * np.eye(x.shape[1]),
                                          x.T @ np.eye(n_way)[labels_s])


@mistake("metric.5", "X'X was made of the queries.", "The regression is of the support alone: X is embeddings_s.")
def ridge_of_the_queries(embeddings_s, labels_s, embeddings_q, n_way, strength):
    x = embeddings_s
    return embeddings_q @ np.linalg.solve(embeddings_q.T @ embeddings_q + strength * np.eye(x.shape[1]),
                                          x.T @ np.eye(n_way)[labels_s])


@mistake("metric.5", "The strength was subtracted: X'X - strength I can even be singular.", "X'X + strength I.")
def ridge_strength_subtracted(embeddings_s, labels_s, embeddings_q, n_way, strength):
    return ridge(embeddings_s, np.eye(n_way)[labels_s], embeddings_q, -strength * np.eye(embeddings_s.shape[1]))


@honest("metric.5")
def ridge_by_the_inverse(embeddings_s, labels_s, embeddings_q, n_way, strength):
    x = embeddings_s
    return embeddings_q @ np.linalg.inv(x.T @ x + strength * np.eye(x.shape[1])) @ x.T @ np.eye(n_way)[labels_s]


@honest("metric.5")
def ridge_by_woodbury(embeddings_s, labels_s, embeddings_q, n_way, strength):
    x = embeddings_s
    return embeddings_q @ x.T @ np.linalg.solve(x @ x.T + strength * np.eye(len(x)), np.eye(n_way)[labels_s])


# ---------------------------------------------------------------- metric.6: the relation network


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def pairs_of(first, second):
    """Each row of first beside each row of second: (B,D), (A,D) -> (A,B,2D), where first's numbers come first."""
    return np.array([[np.concatenate([f, s]) for f in first] for s in second])


@mistake("metric.6", "The query's numbers came first.", "The class first: np.concatenate([class, query]).")
def query_first(w, b, v, classes, queries):
    return sigmoid(relu(np.array([[np.concatenate([q, c]) for c in classes] for q in queries]) @ w + b) @ v)


@mistake("metric.6", "Classes and queries changed places in the result.", "Row a belongs to query a: (A,N).")
def relations_transposed(w, b, v, classes, queries):
    return sigmoid(relu(pairs_of(classes, queries) @ w + b) @ v).T


@mistake("metric.6", "The ReLU is missing, so the whole network is linear, and class and query never meet.",
         "relu(pair @ w + b) before the product with v.")
def relation_without_relu(w, b, v, classes, queries):
    return sigmoid((pairs_of(classes, queries) @ w + b) @ v)


@mistake("metric.6", "The sigmoid is missing.", "sigmoid of the weighted sum, so that it lies in 0...1.")
def relation_without_sigmoid(w, b, v, classes, queries):
    return relu(pairs_of(classes, queries) @ w + b) @ v


@mistake("metric.6", "A softmax over the classes stands in place of the sigmoid.",
         "Each pair is judged by itself: the scores of a query need not add up to 1.")
def relation_softmax(w, b, v, classes, queries):
    return np.exp(log_softmax(relu(pairs_of(classes, queries) @ w + b) @ v))


@mistake("metric.6", "The bias was left out.", "pair @ w + b.")
def relation_without_bias(w, b, v, classes, queries):
    return sigmoid(relu(pairs_of(classes, queries) @ w + 0 * b) @ v)


@mistake("metric.6", "The sigmoid was applied twice.", "After the sum over the hidden numbers, once.")
def relation_sigmoid_twice(w, b, v, classes, queries):
    return sigmoid(sigmoid(relu(pairs_of(classes, queries) @ w + b) @ v))


@mistake("metric.6", "The query was paired with itself: the class's numbers were not used.",
         "The first D numbers of a pair are those of the class.")
def query_with_itself(w, b, v, classes, queries):
    rows = [[np.concatenate([q, q]) + 0 * np.sum(c) for c in classes] for q in queries]
    return sigmoid(relu(np.array(rows) @ w + b) @ v)


@mistake("metric.6", "The bias was added twice, for the class and for the query.",
         "The pair gets it once: pair @ w + b.")
def relation_bias_twice(w, b, v, classes, queries):
    return sigmoid(relu(pairs_of(classes, queries) @ w + 2 * b) @ v)


@mistake("metric.6", "The ReLU was applied to class and query apart, before they were added: they never meet.",
         "One ReLU, of the sum: relu(c @ w[:D] + q @ w[D:] + b).", bias=("class", "query", "both", "after"))
def relation_relu_before_the_sum(w, b, v, classes, queries, bias):
    of_class, of_query, added = (b if bias in names else 0 * b for names in (
        ("class", "both"), ("query", "both"), ("after",)))
    n_features = classes.shape[1]
    hidden = relu(classes @ w[:n_features] + of_class)[None] + relu(queries @ w[n_features:] + of_query)[:, None]
    return sigmoid((hidden + added) @ v)


@mistake("metric.6", "The H hidden numbers were averaged, not summed.", "relu(...) @ v: a weighted sum.")
def relation_averaged(w, b, v, classes, queries):
    return sigmoid(np.mean(relu(pairs_of(classes, queries) @ w + b) * v, axis=-1))


@mistake("metric.6", "The ReLU came after the weighted sum: the network in front is linear, and no score is below 1/2.",
         "The ReLU belongs to the H hidden numbers: relu(pair @ w + b) @ v.")
def relation_relu_after_the_sum(w, b, v, classes, queries):
    return sigmoid(relu((pairs_of(classes, queries) @ w + b) @ v))


@mistake("metric.6", "v was not used: the hidden numbers were summed without weights.", "relu(...) @ v.")
def relation_without_v(w, b, v, classes, queries):
    return sigmoid(np.sum(relu(pairs_of(classes, queries) @ w + b), axis=-1) + 0 * np.sum(v))


@mistake("metric.6", "Another activation stands in the place of the ReLU.", "relu(x) is max(x, 0).",
         name=("tanh", "sigmoid"))
def relation_of_another_activation(w, b, v, classes, queries, name):
    activation = {"tanh": np.tanh, "sigmoid": sigmoid}[name]
    return sigmoid(activation(pairs_of(classes, queries) @ w + b) @ v)


@mistake("metric.6", "A tanh stands in the place of the sigmoid: its numbers lie in -1...1.", "sigmoid(x), in 0...1.")
def relation_tanh(w, b, v, classes, queries):
    return np.tanh(relu(pairs_of(classes, queries) @ w + b) @ v)


@mistake("metric.6", "The bias was added after the ReLU.", "relu(pair @ w + b).")
def relation_bias_after_the_relu(w, b, v, classes, queries):
    return sigmoid((relu(pairs_of(classes, queries) @ w) + b) @ v)


@mistake("metric.6", "The sigmoid was taken of the hidden numbers, before their weighted sum.",
         "sigmoid(relu(...) @ v).")
def relation_sigmoid_before_the_sum(w, b, v, classes, queries):
    return sigmoid(relu(pairs_of(classes, queries) @ w + b)) @ v


@mistake("metric.6", "The scores of a query were divided by their sum.",
         "Each pair is judged by itself: the scores of a query need not add up to 1.")
def relation_shares(w, b, v, classes, queries):
    scores = sigmoid(relu(pairs_of(classes, queries) @ w + b) @ v)
    return scores / np.sum(scores, axis=1, keepdims=True)


@mistake("metric.6", "The ReLU was applied to the pair, before the dense layer.", "relu(pair @ w + b).")
def relation_relu_of_the_pair(w, b, v, classes, queries):
    return sigmoid((relu(pairs_of(classes, queries)) @ w + b) @ v)


@mistake("metric.6", "v was multiplied inside the ReLU: where it is negative, the other half of the numbers was kept.",
         "First relu(pair @ w + b), then @ v.")
def relation_v_inside_the_relu(w, b, v, classes, queries):
    return sigmoid(np.sum(relu(v * (pairs_of(classes, queries) @ w + b)), axis=-1))


@mistake("metric.6", "The numbers of class and query take turns in the pair.",
         "All D numbers of the class, then those of the query: np.concatenate([class, query]).")
def relation_of_numbers_in_turn(w, b, v, classes, queries):
    n_features = classes.shape[1]
    in_turn = np.reshape(np.arange(2 * n_features), (2, n_features)).T.ravel()
    return sigmoid(relu(pairs_of(classes, queries)[:, :, in_turn] @ w + b) @ v)


@mistake("metric.6", "The difference of class and query took the place of the pair.",
         "np.concatenate([class, query]): the network finds out by itself how to compare them.")
def relation_of_differences(w, b, v, classes, queries):
    return sigmoid(relu((classes[None] - queries[:, None]) @ w[:classes.shape[1]] + b) @ v)


@mistake("metric.6", "There is a second ReLU, on the score: none is below 1/2.", "sigmoid(relu(...) @ v).")
def relation_relu_of_the_score(w, b, v, classes, queries):
    return sigmoid(relu(relu(pairs_of(classes, queries) @ w + b) @ v))


@mistake("metric.6", "The sigmoid has the wrong sign: 1 / (1 + exp(x)) falls as x grows.", "1 / (1 + exp(-x)).")
def relation_sigmoid_falls(w, b, v, classes, queries):
    return sigmoid(-relu(pairs_of(classes, queries) @ w + b) @ v)


@mistake("metric.6", "v lost its signs: the hidden numbers were weighted with its absolute values.",
         "relu(...) @ v: a negative weight makes the score smaller.")
def relation_of_absolute_v(w, b, v, classes, queries):
    return sigmoid(relu(pairs_of(classes, queries) @ w + b) @ np.abs(v))


@honest("metric.6")
def relations_by_loops(w, b, v, classes, queries):
    rows = []
    for q in queries:
        row = []
        for c in classes:
            hidden = np.maximum(np.dot(np.concatenate([c, q]), w) + b, 0.0)
            row.append(1 / (1 + np.exp(-np.sum(hidden * v))))
        rows.append(row)
    return np.array(rows)


@honest("metric.6")
def relations_by_two_products(w, b, v, classes, queries):
    n_features = classes.shape[1]
    hidden = relu((classes @ w[:n_features])[None] + (queries @ w[n_features:])[:, None] + b)
    return sigmoid(np.sum(hidden * v, axis=2))
