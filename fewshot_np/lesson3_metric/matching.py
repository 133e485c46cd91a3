"""Matching Networks: every example votes. Vinyals et al. 2016.

There are no prototypes. A query pays *attention* to each example, a weight, and the example gives this weight to its
own class:  p(n | query) = sum over n's examples of softmax(cosine(query, example)).

Training is that of prototypical networks (`train_on_episodes`), with another objective.

In the shapes T is the number of tasks, N of classes, M of examples, A of queries, D of features. "Or with T": every
function on points takes one task or, with T in front of each argument, several at once.
"""

import numpy as onp  # plain NumPy, for what is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_metric.embedding import embed, ways
from fewshot_np.lesson3_metric.prototypical import check_pairs, memberships
from fewshot_np.nn.primitives import cross_entropy, log_softmax, safe_norm, stop_gradient

# ---------------------------------------------------------------- the method, on points


def cosines(a, b):
    """The cosine of the angle of every pair of rows: (A,D), (M,D) -> (A,M), or with T; 0 for a row of zeros."""
    check_pairs(a, b)
    return np.matmul(unit_length(a), np.swapaxes(unit_length(b), -1, -2))


def attend(similarities, labels, n_way):
    """log p(class) when example m votes with the weight softmax(similarities)_m: (A,M), (M,) -> (A,N), or with T.

    Vinyals et al. 2016, eq. 1. With one example per class, and with minus squared distances as similarities, this is
    exactly the prototypical network, so it takes more examples to tell the two methods apart. A vote may be as small as
    e^-1600, which is 0 for a computer; so each class adds up its votes as shares of its largest one.
    """
    shape_of_labels = (*similarities.shape[:-2], similarities.shape[-1])     # (M,) or (T,M)
    members = memberships(labels, shape_of_labels, n_way, similarities.dtype)  # (M,N): 1 for the example's own class
    log_votes = log_softmax(similarities)                                    # (A,M)
    largest = _largest_of_each_class(stop_gradient(log_votes), members)      # (A,N)
    shares = np.exp(log_votes - onp.matmul(largest, onp.swapaxes(members, -1, -2)))
    return largest + np.log(np.matmul(shares, members))


def matching_log_probabilities(embeddings_s, labels_s, embeddings_q, n_way, temperature=1.0):
    """log p(class) of each query, (A,N) or (T,A,N), by attention to the cosines, divided by `temperature`.

    The paper has no temperature, which means 1, and this is a trap. Behind a ReLU all cosines lie between 0 and 1, so
    no weight among M can exceed e/(e + M - 1), however good the embedding is: 40 % of five, 12.5 % of twenty.
    """
    return attend(cosines(embeddings_q, embeddings_s) * (1 / temperature), labels_s, n_way)


def _largest_of_each_class(votes, members):
    """(A,M), (M,N) -> (A,N), or with T; the derivative leaves it out, because the result does not depend on it."""
    return onp.max(onp.where(members[..., None, :, :] > 0, votes[..., None], -onp.inf), axis=-2)


def unit_length(x):
    """Each row divided by its length, (..., D), so that only its direction counts; a row of zeros stays one."""
    length = np.expand_dims(safe_norm(x), -1)  # (..., 1); safe: at 0 its derivative is 0, not NaN
    return x / (length + (length == 0))


# ---------------------------------------------------------------- the method, on episodes of images


def matching_objective(network, params, episode, temperature=1.0):
    """Mean over tasks and queries of -log p(right class); all images of a task share their batch statistics."""
    log_p = matching_scores(network, params, episode, "support and queries", temperature)
    return np.sum(cross_entropy(log_p, episode.query_y)) * (1 / len(episode.support_y))  # log_softmax(log p) = log p


def matching_scores(network, params, episode, statistics, temperature=1.0):
    """log p(class) of each query: (T, N Q, N). `statistics`: as in `embed`."""
    support, query = embed(network, params, episode, statistics)
    return matching_log_probabilities(support, episode.support_y, query, ways(episode), temperature)
