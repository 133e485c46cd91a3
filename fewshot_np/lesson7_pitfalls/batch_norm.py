"""One network, five accuracies: the answer to a query depends on the images that batch norm sees with it.

Batch norm standardises features with the mean and variance of the images that go through the network together. So a
query that is asked with others gets an answer that depends on them. Lesson 3's `query_logits` avoids this with
statistics="support"; here the queries go through the network in batches of their own. Shapes: T tasks, N classes, Q
queries of each; B batches of M queries. Nothing is differentiated, so `np` is plain NumPy.
"""

import numpy as np


def logits_in_batches(network, params, query_x, batches):
    """Logits (T, N Q, N), in the order of the queries, from one pass of the network for each batch.

    params have a task axis.   query_x: (T, N Q, H, W, C).   batches: integers (B, M), B M = N Q; every query is in one.
    """
    logits = np.concatenate([network.apply(params, query_x[:, batch]) for batch in batches], axis=1)
    return logits[:, np.argsort(np.concatenate(batches))]  # from the order of asking back to that of the queries


def query_batches(n_way, n_query):
    """Ways to batch the N Q queries of a task, which stand in order of class: {name: integers (B, M)}."""
    by_class = np.arange(n_way * n_query).reshape(n_way, n_query)
    batches = {}
    for q in sorted({q for q in (1, 5, n_query) if n_query % q == 0}):  # q queries of each class go together
        q_by_class = by_class.reshape(n_way, n_query // q, q)  # (N, B, q)
        batches[f"{q} of each class"] = q_by_class.swapaxes(0, 1).reshape(-1, n_way * q)  # (B, N q)
    return {**batches, "alone": by_class.reshape(-1, 1), "of one class": by_class}
