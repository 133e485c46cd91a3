"""Wrong answers to lesson 5's exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import stop_gradient
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- project.1: compare first, then one number


def differences(query, support):
    """(Q,S,D)"""
    return np.expand_dims(query, 1) - np.expand_dims(support, 0)


@mistake("project.1", "The absolute value is missing: (a, b) and (b, a) get different answers, and what differs up "
         "cancels what differs down.", "np.abs of the difference, before the weights.")
def signed_difference(query, support, w, b):
    return differences(query, support) @ w + b


@mistake("project.1", "Each image was first made one number, w . e, and the numbers were compared. That is the "
         "document's wiring: what two images have apart can cancel before they meet.",
         "First |q - s|, D numbers; then the weighted sum of these.", b_cancels=(False, True))
def one_number_first(query, support, w, b, b_cancels):
    return np.abs(differences(query @ w[:, None], support @ w[:, None])[..., 0]) + (0 * b if b_cancels else b)


@mistake("project.1", "The differences were squared. Koch's comparison is the absolute difference.", "|q - s|.")
def squared_difference(query, support, w, b):
    return differences(query, support) ** 2 @ w + b


@mistake("project.1", "b is missing, so equal images get the log-odds 0, that is p = 1/2.", "w . |q - s| + b.")
def without_b(query, support, w, b):
    return np.abs(differences(query, support)) @ w


@mistake("project.1", "This is the probability. The log-odds are asked for, from which the loss is computed safely.",
         "Leave out the sigmoid.")
def probability_of_same(query, support, w, b):
    return 1 / (1 + np.exp(-(np.abs(differences(query, support)) @ w + b)))


@mistake("project.1", "There is a minus sign too many: w is learned and has its own signs.", "w . |q - s| + b.")
def minus_the_weighted_sum(query, support, w, b):
    return b - np.abs(differences(query, support)) @ w


@mistake("project.1", "The absolute value was taken of the weights, too: each part counts |w|, and no sign of w is "
         "left. But a negative weight has to say: what is far apart here is *not* the same.", "w * np.abs(q - s).")
def absolute_after_the_weights(query, support, w, b):
    return np.sum(np.abs(differences(query, support) * w), axis=-1) + b


@mistake("project.1", "The table is transposed: it has a row for each example.", "(Q,S): a row for each query.")
def row_for_each_example(query, support, w, b):
    return np.abs(differences(support, query)) @ w + b


@mistake("project.1", "The products were averaged over the features, not summed.", "w . |q - s| is a sum.")
def averaged_over_features(query, support, w, b):
    return np.mean(np.abs(differences(query, support)) * w, axis=-1) + b


@mistake("project.1", "b was added to each of the D parts, so that it counts D times.",
         "The sum over D first, then + b.")
def b_in_every_part(query, support, w, b):
    return np.sum(w * np.abs(differences(query, support)) + b, axis=-1)


@mistake("project.1", "b was subtracted.", "+ b.")
def b_subtracted(query, support, w, b):
    return np.sum(w * np.abs(differences(query, support)), axis=-1) - b


@mistake("project.1", "The embeddings were multiplied, feature by feature, not subtracted: two equal ones do not "
         "get b alone.", "|q - s| is 0 where nothing differs.")
def multiplied(query, support, w, b):
    return np.matmul(query[:, None] * support[None], w) + b


@mistake("project.1", "The absolute value was computed as the root of the square. Where nothing differs, the "
         "derivative of the root is 0/0.", "np.abs.")
def root_of_the_square(query, support, w, b):
    return np.sqrt(differences(query, support) ** 2) @ w + b


@mistake("project.1", "To autograd the embeddings are constants, those of the queries, of the examples, or both: w and "
         "b could be trained, but the network would not learn from this side.",
         "No stop_gradient, and no conversion into plain numbers.", which=("both", "query", "support"))
def embeddings_cut_off(query, support, w, b, which):
    query = query if which == "support" else stop_gradient(query)
    support = support if which == "query" else stop_gradient(support)
    return np.abs(differences(query, support)) @ w + b


@mistake("project.1", "The absolute values of q and of s were subtracted: 2 and -2 would be equal.",
         "First the difference, then np.abs.")
def absolute_before_the_difference(query, support, w, b):
    return differences(np.abs(query), np.abs(support)) @ w + b


@mistake("project.1", "The values are right, but where nothing differs the derivative is that of one branch, 1 or -1, "
         "and not 0.", "np.abs, whose derivative at 0 counts as 0.", upper=(True, False))
def derivative_of_one_branch(query, support, w, b, upper):
    d = differences(query, support)
    return np.where(d >= 0 if upper else d > 0, d, -d) @ w + b


@mistake("project.1", "Differences in one direction alone were counted: a feature that is larger in the other image "
         "counts 0.", "np.abs: up or down, it counts.", sign=(1, -1))
def one_direction_alone(query, support, w, b, sign):
    return np.maximum(sign * differences(query, support), 0.0) @ w + b


@mistake("project.1", "The embeddings were first brought to the length 1, so how long they are no longer counts.",
         "|q - s| of the embeddings as they come.")
def of_length_one(query, support, w, b):
    query, support = (e / np.sqrt(np.sum(e ** 2, axis=-1, keepdims=True) + 1e-12) for e in (query, support))
    return np.abs(differences(query, support)) @ w + b


@mistake("project.1", "The sum was divided by the root of D, as the scores of attention are.",
         "w . |q - s| is a plain sum.")
def divided_by_the_root(query, support, w, b):
    return np.abs(differences(query, support)) @ w / len(w) ** 0.5 + b


@mistake("project.1", "w was not used: all features count alike.", "w . |q - s|: each feature has its weight.")
def without_weights(query, support, w, b):
    return np.sum(np.abs(differences(query, support)), axis=-1) + 0 * np.sum(w) + b


@mistake("project.1", "This is a Euclidean distance: squares, their sum, and one root.",
         "No square and no root: the weighted sum of the D absolute differences.",
         weights=("inside", "outside", "minus"))
def euclidean(query, support, w, b, weights):
    d = differences(query, support)
    if weights == "minus":  # the larger the distance, the less likely
        return b - np.sqrt(np.sum((w * d) ** 2, axis=-1) + 1e-12)
    return np.sqrt(np.abs(np.sum((w if weights == "outside" else w ** 2) * d ** 2, axis=-1)) + 1e-12) + b


@honest("project.1")
def log_odds_by_loops(query, support, w, b):
    return np.array([[sum(w[i] * abs(q[i] - s[i]) for i in range(len(w))) + b for s in support] for q in query])


@honest("project.1")
def log_odds_by_sums(query, support, w, b):
    return np.sum(np.abs(query[:, None] - support[None]) * w, axis=-1) + b


# ---------------------------------------------------------------- project.2: the cross-entropy of pairs


def probability(logits):
    with onp.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))


@mistake("project.2", "p was computed first, then its log: at large logits p is exactly 0 or 1, and log(0) is minus "
         "infinity.", "-log p = log(1 + exp(-logit)): np.logaddexp(0.0, -logit). The sigmoid is never needed.")
def log_of_the_sigmoid(logits, same):
    p = probability(logits)
    with onp.errstate(divide="ignore", invalid="ignore"):
        return -np.log(np.where(same == 1, p, 1 - p))


@mistake("project.2", "Both logs were computed for every pair, and the one that does not count was multiplied with 0. "
         "At large logits it is infinite, and 0 times infinity is no number.",
         "log(1 + exp(logit)) - same * logit, where np.logaddexp(0.0, logits) is the first part.")
def label_times_log(logits, same):
    p = probability(logits)
    with onp.errstate(divide="ignore", invalid="ignore"):
        return -same * np.log(p) - (1 - same) * np.log(1 - p)


@mistake("project.2", "The values are right here, but p or an exp was computed that becomes 0 or infinite at large "
         "logits. np.where takes one branch; the derivative goes through both, and in the one that is left out it is "
         "NaN.", "np.logaddexp(0.0, logits) and np.logaddexp(0.0, -logits): neither is ever infinite.",
         of=("p", "exp above 30", "exp of both signs"))
def two_branches(logits, same, of):
    p, z = probability(logits), np.where(same == 1, -logits, logits)
    with onp.errstate(all="ignore"):
        if of == "p":
            return np.where(same == 1, -np.log(p), -np.log(1 - p))
        if of == "exp above 30":
            return np.where(z > 30, z, np.log(1 + np.exp(z)))
        return np.where(z > 0, z + np.log(1 + np.exp(-z)), np.log(1 + np.exp(z)))


@mistake("project.2", "p was clipped, as Keras does with 1e-7, or a little was added to it: no infinity, but a pair "
         "that is badly wrong costs too little, and teaches nothing just where it should teach most.",
         "Compute from the logits: np.logaddexp(0.0, logits) and np.logaddexp(0.0, -logits).", how=("clipped", "added"))
def kept_from_0(logits, same, how):
    p = probability(logits)
    p = np.clip(p, 1e-7, 1 - 1e-7) if how == "clipped" else p
    return -np.log(np.where(same == 1, p, 1 - p) + (1e-12 if how == "added" else 0.0))


@mistake("project.2", "exp of a logit of 1000 is infinite, and so is the log of 1 plus it.",
         "np.logaddexp(0.0, logits) is log(1 + exp(logits)), and never overflows.", sign_inside=(False, True))
def log_of_one_plus_exp(logits, same, sign_inside):
    with onp.errstate(over="ignore", invalid="ignore"):
        if sign_inside:
            return np.log(1 + np.exp(np.where(same == 1, -logits, logits)))
        return np.log(1 + np.exp(logits)) - same * logits


@mistake("project.2", "The labels are flipped: same pairs were taken for different ones.",
         "A large logit means *same*: it costs nothing where same is 1.")
def turned_round(logits, same):
    return np.logaddexp(0.0, logits) - (1 - same) * logits


@mistake("project.2", "`same` is not used: every pair was taken for a same one, or every one for a different one.",
         "-log p = log(1 + exp(-logit)) where same is 1, and -log(1 - p) = log(1 + exp(logit)) where it is 0.",
         taken_for=("same", "different"))
def all_taken_for_one_kind(logits, same, taken_for):
    return np.logaddexp(0.0, -logits if taken_for == "same" else logits)


@mistake("project.2", "The sign is missing: this is the log-probability, and training would make it worse.",
         "-log p is 0 or more.")
def log_probability(logits, same):
    return same * logits - np.logaddexp(0.0, logits)


@mistake("project.2", "One kind of pairs costs nothing: only -log p of the same pairs was taken, or only -log(1 - p) "
         "of the different ones.", "Both: log(1 + exp(-logit)) where same is 1, log(1 + exp(logit)) where it is 0.",
         which=("same", "different"))
def one_kind_alone(logits, same, which):
    return same * np.logaddexp(0.0, -logits) if which == "same" else (1 - same) * np.logaddexp(0.0, logits)


@mistake("project.2", "The losses were divided by a number of pairs: their mean came back, or parts of a mean.",
         "One loss for each pair, (P,): no mean, no weights.", by=("mean", "all", "kind"))
def divided_by_pairs(logits, same, by):
    losses = np.logaddexp(0.0, np.where(same == 1, -logits, logits))
    if by == "mean":
        return np.mean(losses)
    of_each_kind = np.where(same == 1, max(np.sum(same), 1), max(np.sum(1 - same), 1))
    return losses / (len(same) if by == "all" else of_each_kind)


@mistake("project.2", "This is the hinge loss of a support vector machine.",
         "-log p of the label: np.logaddexp(0, -z).")
def hinge(logits, same):
    return np.maximum(0.0, 1 - (2 * same - 1) * logits)


@mistake("project.2", "This is the squared error of p. Its gradient is 0 where the network is surest, right or wrong.",
         "-log p where same is 1, -log(1 - p) where it is 0.")
def squared_error_of_p(logits, same):
    return (0.5 * (1 + np.tanh(logits / 2)) - same) ** 2


@mistake("project.2", "The logits were clipped: a pair that is badly wrong costs too little, and teaches nothing.",
         "np.logaddexp needs no clipping.", bound=(20.0, 30.0, 50.0, 100.0))
def clipped_logits(logits, same, bound):
    z = np.clip(logits, -bound, bound)
    return np.logaddexp(0.0, np.where(same == 1, -z, z))


@mistake("project.2", "This is p of the label, or 1 - p of it, without the log.", "-log p.", sign=(1, -1))
def probability_of_the_label(logits, same, sign):
    return 0.5 * (1 + sign * np.tanh((2 * same - 1) * logits / 2))


@mistake("project.2", "The logarithm has another base.",
         "np.log and np.logaddexp have the natural one.", base=(2.0, 10.0))
def another_base(logits, same, base):
    return (np.logaddexp(0.0, logits) - same * logits) / np.log(base)


@mistake("project.2", "log(1 + exp(logit)) became max(0, logit): that is where it goes for large logits, and near 0 "
         "it is too little.", "np.logaddexp(0.0, logits) in place of the maximum.")
def corner(logits, same):
    return np.maximum(0.0, logits) - same * logits


@mistake("project.2", "A softmax over the pairs: their p add up to 1, and only same pairs cost. But each pair has a "
         "p of its own.", "p = 1 / (1 + exp(-logit)), for each pair.")
def softmax_over_pairs(logits, same):
    z = logits - np.max(logits)
    return -same * (z - np.log(np.sum(np.exp(z))))


@mistake("project.2", "max(0, z) + log(1 + exp(-z)) is right for z above 0 alone: below 0 it is too large, and "
         "overflows.", "log(1 + exp(-|z|)); or np.logaddexp(0.0, z), which does it all.")
def softplus_without_the_absolute_value(logits, same):
    with onp.errstate(over="ignore", invalid="ignore"):
        return np.maximum(0.0, logits) + np.log(1 + np.exp(-logits)) - same * logits


@mistake("project.2", "The logit was halved: same - 0.5 is 1/2 or -1/2.", "The sign is 2 * same - 1.")
def half_of_the_logit(logits, same):
    return np.logaddexp(0.0, (0.5 - same) * logits)


@mistake("project.2", "The logits are constants to autograd, all or those in one term: the derivative is missing or "
         "wrong.", "No stop_gradient, and no conversion into plain numbers.", where=("both", "same"))
def logits_cut_off(logits, same, where):
    first = stop_gradient(logits) if where == "both" else logits
    return np.logaddexp(0.0, first) - same * stop_gradient(logits)


@mistake("project.2", "`same` was taken for a sign. But it is 0 for different pairs, not -1: each of them costs log 2.",
         "The sign is 2 * same - 1.")
def zero_for_a_sign(logits, same):
    return np.logaddexp(0.0, -same * logits)


@mistake("project.2", "Every pair has both terms, -log p and -log(1 - p).",
         "-log p counts where same is 1, and only there; -log(1 - p) where it is 0.")
def both_terms(logits, same):
    return np.logaddexp(0.0, logits) + np.logaddexp(0.0, -logits)


@mistake("project.2", "same * logit was added.", "It is subtracted: log(1 + exp(logit)) - logit is -log p.")
def plus_the_logit(logits, same):
    return np.logaddexp(0.0, logits) + same * logits


@mistake("project.2", "The sigmoid was taken twice: a probability was used as if it were a logit.",
         "np.logaddexp(0.0, logits) - same * logits, with the logits as they come.")
def sigmoid_twice(logits, same):
    p = 0.5 * (1 + np.tanh(logits / 2))
    return np.logaddexp(0.0, p) - same * p


@mistake("project.2", "~same is -2 for 1 and -1 for 0: it turns around booleans, and bits of integers.", "1 - same.")
def bits_turned_around(logits, same):
    return same * np.logaddexp(0.0, -logits) + ~same * np.logaddexp(0.0, logits)


@honest("project.2")
def losses_by_where(logits, same):
    return np.logaddexp(0.0, np.where(same == 1, -logits, logits))


@honest("project.2")
def losses_pair_by_pair(logits, same):
    return np.array([np.logaddexp(0.0, -z if s else z) for z, s in zip(logits, same, strict=True)])


# ---------------------------------------------------------------- project.3: hard pairs


def hardest_of_each(logits, same_class, n_hard, sign=-1):
    """Booleans (Q,S): the n_hard different pairs of each query with the largest logits (sign 1: the smallest)."""
    order = onp.argsort(onp.where(same_class, onp.inf, sign * logits), axis=1)
    chosen = onp.zeros(same_class.shape, bool)
    onp.put_along_axis(chosen, order[:, :n_hard], True, axis=1)
    return chosen


def half_each(same_class, hard):
    return 0.5 * same_class / same_class.sum() + 0.5 * hard / hard.sum()


@mistake("project.3", "The same pairs became minus infinity, and then the *smallest* were taken: they come first, and "
         "after them the easiest pairs.", "np.argsort sorts upwards. The largest first: np.argsort(-row).")
def smallest_with_own_among_them(logits, same_class, n_hard):
    apart = onp.where(same_class, -onp.inf, logits)
    return half_each(same_class, hardest_of_each(apart, onp.zeros_like(same_class), n_hard, sign=1))


@mistake("project.3", "np.argsort gives *positions*; here they were taken for the ranks of the numbers.",
         "Mark the positions: hard[q, order[:n_hard]] = True. (Ranks are an argsort of an argsort.)")
def positions_taken_for_ranks(logits, same_class, n_hard):
    return half_each(same_class, onp.argsort(onp.where(same_class, onp.inf, -logits), axis=1) < n_hard)


@mistake("project.3", "The hardest pairs of all queries together were taken; one query may have them all.",
         "n_hard of every row.")
def hardest_of_all(logits, same_class, n_hard):
    apart = onp.where(same_class, -onp.inf, logits)
    n = n_hard * len(same_class)
    return half_each(same_class, apart >= onp.sort(apart.ravel())[-n])


@mistake("project.3", "Same pairs were among the hard ones: the largest logits are mostly theirs.",
         "Leave the same pairs out before you sort, for example by putting -np.inf in their place.")
def own_among_the_hard(logits, same_class, n_hard):
    return half_each(same_class, hardest_of_each(logits, onp.zeros_like(same_class), n_hard))


@mistake("project.3", "All pairs that count have the same weight. With n_hard different pairs for each same pair, the "
         "network learns to say \"different\".", "The same pairs add up to 1/2, the hard ones "
         "to 1/2: divide each kind by its own number.")
def all_alike(logits, same_class, n_hard):
    chosen = same_class | hardest_of_each(logits, same_class, n_hard)
    return chosen / chosen.sum()


@mistake("project.3", "Each kind adds up to 1, not to 1/2.",
         "0.5 * same_class / same_class.sum() + 0.5 * hard / hard.sum().")
def one_each(logits, same_class, n_hard):
    return 2 * half_each(same_class, hardest_of_each(logits, same_class, n_hard))


@mistake("project.3", "Each *query* counts alike, not each pair: where a query has more same pairs, they weigh less.",
         "Divide by the number of same pairs of all queries together.")
def each_query_alike(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return (same_class / same_class.sum(axis=1, keepdims=True) + hard / n_hard) / (2 * len(same_class))


@mistake("project.3", "These are the *easiest* different pairs: those that the network tells apart already.",
         "A large logit says \"same\". The hard pairs are the different ones with the largest.")
def easiest(logits, same_class, n_hard):
    return half_each(same_class, hardest_of_each(logits, same_class, n_hard, sign=1))


@mistake("project.3", "The logits of the same pairs became 0, or another number that is not low enough: it is larger "
         "than the logit of a hard pair, whose place they take.",
         "np.where(same_class, -np.inf, logits), then the largest.", how=("0", "-1000", "0, then left out"))
def same_pairs_not_low_enough(logits, same_class, n_hard, how):
    apart = onp.where(same_class, -1000.0 if how == "-1000" else 0.0, logits)
    hard = hardest_of_each(apart, onp.zeros_like(same_class), n_hard)
    hard = hard & ~same_class if how == "0, then left out" else hard
    return half_each(same_class, hard) if hard.any() else 0.5 * same_class / same_class.sum()


@mistake("project.3", "All different pairs count, not only the hard ones.", "The n_hard largest of each row.")
def all_different_pairs(logits, same_class, n_hard):
    return half_each(same_class, ~same_class)


@mistake("project.3", "One hard pair too many was taken.", "order[:n_hard]")
def one_hard_pair_too_many(logits, same_class, n_hard):
    order = onp.argsort(onp.argsort(onp.where(same_class, onp.inf, -logits), axis=1), axis=1)
    return half_each(same_class, (order <= n_hard) & ~same_class)


@mistake("project.3", "n_hard pairs were taken in all, the hardest of the table.",
         "n_hard of every row: each query has its own.")
def n_hard_in_all(logits, same_class, n_hard):
    apart = onp.where(same_class, -onp.inf, logits)
    return half_each(same_class, apart >= onp.sort(apart.ravel())[-n_hard])


@mistake("project.3", "The hard pairs were chosen in every column, for each example.", "In every row, for each query.")
def hard_for_the_examples(logits, same_class, n_hard):
    hard = hardest_of_each(logits.T, same_class.T, n_hard).T & ~same_class
    return half_each(same_class, hard)


@mistake("project.3", "The logits were compared without their sign: a pair with -9 is surely different, and not "
         "hard at all.", "The largest logits, not the largest |logits|.")
def largest_without_sign(logits, same_class, n_hard):
    return half_each(same_class, hardest_of_each(onp.abs(logits), same_class, n_hard))


@mistake("project.3", "Only hard pairs with a logit above 0 were counted, those that are taken for the same.",
         "n_hard of every row, also where all logits are below 0.")
def above_0_alone(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard) & (logits > 0)
    return half_each(same_class, hard) if hard.any() else 0.5 * same_class / same_class.sum()


@mistake("project.3", "The hard pairs were weighted by a softmax of their logits.", "All hard pairs weigh the same.")
def harder_ones_weigh_more(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return half_each(same_class, hard * onp.exp(logits - logits.max()))


@mistake("project.3", "The weights of each query add up to 1.",
         "The weights of *all* queries together do: divide by the number of pairs in the whole table.")
def each_row_adds_up_to_one(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return 0.5 * same_class / same_class.sum(axis=1, keepdims=True) + 0.5 * hard / n_hard


@mistake("project.3", "Each kind was divided by the number of the other.",
         "same_class / same_class.sum() and hard / hard.sum().")
def numbers_exchanged(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return 0.5 * same_class / hard.sum() + 0.5 * hard / same_class.sum()


@mistake("project.3", "Only n_hard same pairs of a query count, those with the smallest logits.",
         "All same pairs: n_hard is for the different ones.")
def n_hard_same_pairs(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return half_each(same_class & hardest_of_each(-logits, ~same_class, n_hard), hard)


@mistake("project.3", "The hardest pair of each query was left out, and the next n_hard were taken.",
         "order[:n_hard], from the first on.")
def hardest_left_out(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard + 1) & ~hardest_of_each(logits, same_class, 1) & ~same_class
    return half_each(same_class, hard) if hard.any() else 0.5 * same_class / same_class.sum()


@mistake("project.3", "Of each query one hard pair counts: the hardest, or number n_hard without those before it.",
         "order[:n_hard]: all n_hard of them.", which=("last", "first"))
def one_hard_pair_alone(logits, same_class, n_hard, which):
    if which == "first":
        return half_each(same_class, hardest_of_each(logits, same_class, 1))
    before = hardest_of_each(logits, same_class, n_hard - 1)
    return half_each(same_class, hardest_of_each(logits, same_class, n_hard) & ~before)


@mistake("project.3", "Same pairs weigh nothing: the hard pairs have all the weight.",
         "0.5 * same_class / same_class.sum() besides.")
def hard_pairs_alone(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard)
    return hard / hard.sum()


@mistake("project.3", "One hard pair too few was taken.", "order[:n_hard]; with a limit: >=, not >.")
def one_hard_pair_too_few(logits, same_class, n_hard):
    hard = hardest_of_each(logits, same_class, n_hard - 1)
    return half_each(same_class, hard) if hard.any() else 0.5 * same_class / same_class.sum()


@mistake("project.3", "Nothing was divided by a number of pairs: each pair that counts weighs 1/2, or 1.",
         "0.5 * same_class / same_class.sum() + 0.5 * hard / hard.sum().", weight=(0.5, 1.0))
def not_divided(logits, same_class, n_hard, weight):
    return weight * (same_class | hardest_of_each(logits, same_class, n_hard))


@mistake("project.3", "Same or hard pairs were divided by another number than their own: by that of the queries, or by "
         "n_hard.", "same_class.sum() and hard.sum() are how many there are in the table.",
         which=("same / Q", "hard / Q", "hard / n_hard"))
def another_number(logits, same_class, n_hard, which):
    hard, n_query = hardest_of_each(logits, same_class, n_hard), len(logits)
    n_same = n_query if which == "same / Q" else same_class.sum()
    n_of_hard = {"hard / Q": n_query, "hard / n_hard": n_hard}.get(which, hard.sum())
    return 0.5 * same_class / n_same + 0.5 * hard / n_of_hard


@honest("project.3")
def weights_by_loops(logits, same_class, n_hard):
    weights = onp.zeros(logits.shape)
    for q in range(len(logits)):
        others = sorted((s for s, same in enumerate(same_class[q]) if not same), key=lambda s, q=q: -logits[q, s])
        for s in others[:n_hard]:
            weights[q, s] = 0.5 / (n_hard * len(logits))
    weights[same_class] = 0.5 / same_class.sum()
    return weights


@honest("project.3")
def weights_by_sorting(logits, same_class, n_hard):
    return half_each(same_class, hardest_of_each(logits, same_class, n_hard))


# ---------------------------------------------------------------- project.4: which class, or none of these


def by_class(logits, labels, combine):
    """(Q,N): the logits of each class's examples, combined."""
    return onp.stack([combine(logits[:, labels == label], axis=1) for label in range(labels.max() + 1)], axis=1)


def answers(p, threshold):
    return onp.where(p.max(axis=1) > threshold, p.argmax(axis=1), -1)


@mistake("project.4", "The best example decides. A class with many examples has more chances that one looks like the "
         "query, and wins by their number.", "The mean of the class's logits.")
def best_example(logits, labels, threshold):
    return answers(probability(by_class(logits, labels, onp.max)), threshold)


@mistake("project.4", "The logits of a class were summed: a class of many examples has larger scores.",
         "Divide by the number of the class's examples.")
def summed(logits, labels, threshold):
    return answers(probability(by_class(logits, labels, onp.sum)), threshold)


@mistake("project.4", "The probabilities were averaged, not the logits.",
         "First the mean of the logits, then p of that mean.")
def mean_of_probabilities(logits, labels, threshold):
    return answers(by_class(probability(logits), labels, onp.mean), threshold)


@mistake("project.4", "The threshold is a probability, but was compared with the logit.",
         "p = 1 / (1 + exp(-score)), then p > threshold.")
def threshold_on_the_logit(logits, labels, threshold):
    return answers(by_class(logits, labels, onp.mean), threshold)


@mistake("project.4", "\"None of these\" is never the answer: an unknown class becomes the one that is nearest.",
         "-1 where the best p is not above the threshold.")
def never_none(logits, labels, threshold):
    return by_class(logits, labels, onp.mean).argmax(axis=1)


@mistake("project.4", "A softmax over the classes: its numbers add up to 1, so one is large even if no class fits.",
         "Each class by itself: p = 1 / (1 + exp(-score)).")
def softmax_over_classes(logits, labels, threshold):
    e = onp.exp(by_class(logits, labels, onp.mean))
    return answers(e / e.sum(axis=1, keepdims=True), threshold)


@mistake("project.4", "The *first* class above the threshold is the answer, not the best one.",
         "argmax of the scores; the threshold only decides between this class and -1.")
def first_above_the_threshold(logits, labels, threshold):
    passes = probability(by_class(logits, labels, onp.mean)) > threshold
    return onp.where(passes.any(axis=1), passes.argmax(axis=1), -1)


@mistake("project.4", "The position of the best example came back, not a class.",
         "One score for each class, then argmax over the classes.")
def position_of_the_example(logits, labels, threshold):
    return answers(probability(logits), threshold)


@mistake("project.4", "p that is exactly the threshold was accepted.", "*Above* the threshold: p > threshold, not >=.")
def from_the_threshold_on(logits, labels, threshold):
    p = probability(by_class(logits, labels, onp.mean))
    return onp.where(p.max(axis=1) >= threshold, p.argmax(axis=1), -1)


@mistake("project.4", "The score of a class is the median of its logits, or the smallest of them.", "Their mean.",
         instead=("median", "min"))
def another_score(logits, labels, threshold, instead):
    return answers(probability(by_class(logits, labels, getattr(onp, instead))), threshold)


@mistake("project.4", "\"None of these\" became 0, which is a class, or N.",
         "It is -1: np.where(p > threshold, best, -1).",
         none=("0", "N"))
def another_number_for_none(logits, labels, threshold, none):
    found = answers(probability(by_class(logits, labels, onp.mean)), threshold)
    return onp.where(found < 0, labels.max() + 1 if none == "N" else 0, found)


@mistake("project.4", "Classes were accepted where p is *below* the threshold.", "np.where(p > threshold, best, -1).",
         at_it=(False, True))
def accepted_below(logits, labels, threshold, at_it):
    scores = by_class(logits, labels, onp.mean)
    p = 1 / (1 + onp.exp(-scores.max(axis=1)))
    return onp.where(p <= threshold if at_it else p < threshold, scores.argmax(axis=1), -1)


@mistake("project.4", "The threshold was compared with p of the best example, not with that of the class.",
         "p of the class's score, the mean of its logits.")
def p_of_the_best_example(logits, labels, threshold):
    best = by_class(logits, labels, onp.mean).argmax(axis=1)
    return onp.where(probability(logits.max(axis=1)) > threshold, best, -1)


@mistake("project.4", "The class with the *lowest* score is the answer.", "argmax and max.")
def lowest_score(logits, labels, threshold):
    p = probability(by_class(logits, labels, onp.mean))
    return onp.where(p.min(axis=1) > threshold, p.argmin(axis=1), -1)


@mistake("project.4", "The minus in the exponent is missing: this p is the smaller, the larger the score is.",
         "p = 1 / (1 + exp(-score)).")
def sign_in_the_exponent(logits, labels, threshold):
    scores = by_class(logits, labels, onp.mean)
    return onp.where(probability(-scores.max(axis=1)) > threshold, scores.argmax(axis=1), -1)


@mistake("project.4", "It was asked how many classes are above the threshold: all had to be, or no other than the "
         "best.",
         "The best one alone has to be above it.", how_many=("all", "one"))
def counted_above_the_threshold(logits, labels, threshold, how_many):
    p = probability(by_class(logits, labels, onp.mean))
    above = (p > threshold).sum(axis=1)
    return onp.where(above == (p.shape[1] if how_many == "all" else 1), p.argmax(axis=1), -1)


@mistake("project.4", "The sum of a class's logits was divided by the number of all examples.",
         "By the number of the class's own examples.")
def divided_by_all_examples(logits, labels, threshold):
    return answers(probability(by_class(logits, labels, onp.sum) / len(labels)), threshold)


@mistake("project.4", "One query above the threshold was enough for all: the largest score of the whole table was "
         "compared with it.", "max over the classes, axis=1: each query decides for itself.")
def one_decision_for_all(logits, labels, threshold):
    scores = by_class(logits, labels, onp.mean)
    return onp.where(probability(scores.max()) > threshold, scores.argmax(axis=1), -1)


@mistake("project.4", "The probabilities of all classes were added up, and the sum was compared with the threshold.",
         "The largest alone.")
def sum_of_all_probabilities(logits, labels, threshold):
    p = probability(by_class(logits, labels, onp.mean))
    return onp.where(p.sum(axis=1) > threshold, p.argmax(axis=1), -1)


@mistake("project.4", "Every example was compared with the threshold by itself, and those that passed were counted.",
         "First the mean of the logits of a class, then one comparison.")
def vote_of_the_examples(logits, labels, threshold):
    passes = probability(logits) > threshold
    votes = by_class(passes, labels, onp.sum)
    return onp.where(votes.max(axis=1) > 0, votes.argmax(axis=1), -1)


@mistake("project.4", "p was compared with another number than the threshold: 1 - threshold, or always 0.5.",
         "p > threshold.", number=("1 - threshold", "0.5"))
def another_threshold(logits, labels, threshold, number):
    threshold = 0.5 if number == "0.5" else 1 - threshold
    return answers(probability(by_class(logits, labels, onp.mean)), threshold)


@mistake("project.4", "The class was chosen by the mean of the probabilities, not of the logits.",
         "One score, the mean logit: argmax of it, and p of it.")
def chosen_by_mean_probability(logits, labels, threshold):
    best = by_class(probability(logits), labels, onp.mean).argmax(axis=1)
    p = probability(by_class(logits, labels, onp.mean))
    return onp.where(p[onp.arange(len(p)), best] > threshold, best, -1)


@mistake("project.4", "The examples were taken as if they came class after class.",
         "They come in any order: labels == n tells which are of class n.", blocks=("own", "equal", "cut"))
def labels_in_order(logits, labels, threshold, blocks):
    n_way = labels.max() + 1
    if blocks == "cut":  # as many as fit, the rest left out
        size = len(labels) // n_way
        return answers(probability(logits[:, :n_way * size].reshape(len(logits), n_way, size).mean(axis=2)), threshold)
    sizes = onp.bincount(labels) if blocks == "own" else [len(part) for part in onp.array_split(labels, n_way)]
    return answers(probability(by_class(logits, onp.repeat(onp.arange(n_way), sizes), onp.mean)), threshold)


@mistake("project.4", "Here there are as many classes as examples. The mean of a class without examples is NaN, and "
         "NaN is above no threshold.", "There are labels.max() + 1 classes.")
def as_many_classes_as_examples(logits, labels, threshold):
    members = onp.eye(len(labels))[labels]
    with onp.errstate(invalid="ignore"):
        return answers(probability(logits @ members / members.sum(axis=0)), threshold)


@mistake("project.4", "The last class is missing: it is never the answer.",
         "range(n) ends before n, and there are labels.max() + 1 classes.")
def last_class_missing(logits, labels, threshold):
    scores = by_class(logits, labels, onp.mean)
    return answers(probability(scores[:, :max(scores.shape[1] - 1, 1)]), threshold)


@honest("project.4")
def decided_by_loops(logits, labels, threshold):
    found = []
    for row in logits:
        best, answer = float(onp.log(threshold / (1 - threshold))), -1
        for label in range(max(labels) + 1):
            mine = [z for z, owner in zip(row, labels, strict=True) if owner == label]
            if sum(mine) / len(mine) > best:
                best, answer = sum(mine) / len(mine), label
        found.append(answer)
    return found


@honest("project.4")
def decided_at_once(logits, labels, threshold):
    return answers(probability(by_class(logits, labels, onp.mean)), threshold)
