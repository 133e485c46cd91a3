"""Exercises to lesson 3, part 1: prototypical and Matching Networks, the ridge head, Relation networks.

    pytest lessons/lesson3_metric -x

`np` is autograd's NumPy, so that training can differentiate through what you write: collect results in a list and end
with np.array(list), do not assign into arrays. An *embedding* is the vector of D features that a network made of an
image. Labels are integers 0...N-1 in any order. log_softmax(x) is over the last axis of x; safe_norm(x) is the length
of each row, (A,D) -> (A,). relu(x) is max(x, 0) and sigmoid(x) is 1 / (1 + exp(-x)). Nothing here is trained.
"""

from autograd import numpy as np

from fewshot_np.nn.primitives import log_softmax, relu, safe_norm


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def prototypes(embeddings, labels, n_way):
    """The prototype of each of the N classes: the mean of its embeddings. Snell et al. 2017, eq. 1. Differentiable.

    embeddings: (M,D), labels: (M,), n_way: N. Row n of the result belongs to the class with the label n. Every class
    has at least one example, and they may have different numbers of them. Returns (N,D).

    By hand: class 1 has the examples (4, 0, 1) and (2, 2, 1), with the mean (3, 1, 1); class 0 has one example.

    >>> prototypes(np.array([[4.0, 0.0, 1.0], [0.0, 5.0, 6.0], [2.0, 2.0, 1.0]]), np.array([1, 0, 1]), 2)
    array([[0., 5., 6.],
           [3., 1., 1.]])
    """
    raise NotImplementedError("metric.1: prototypes")


def squared_distances(a, b):
    """The squared Euclidean distance of each row of a to each row of b. Differentiable.

    a: (A,D), b: (B,D). Returns (A,B), with the sum over d of (a[i,d] - b[j,d])^2 at [i,j]. Lesson 2's formula with the
    product, |a|^2 - 2 a.b + |b|^2, passes, too: on paper it is the same. (In float32 it loses digits where rows are
    nearly equal; the differences do not.)

    By hand: from (0, 0) to (3, 4) it is 9 + 16, to (0, 1) it is 0 + 1; from (3, 0) it is 0 + 16 and 9 + 1.

    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[25.,  1.],
           [16., 10.]])
    """
    raise NotImplementedError("metric.2: squared distances")


def prototypical_loss(embeddings_s, labels_s, embeddings_q, labels_q, n_way):
    """The mean over the queries of -log p(own class). Snell et al. 2017, eq. 2 and Algorithm 1. Differentiable.

    p(n | query) is the softmax over the N classes of *minus* the squared distance of the query to the prototype of
    class n, the mean of the embeddings of n's support examples. Distances can be large, exp(-1000) is 0, and log(0) is
    minus infinity: log_softmax takes both together and is never infinite.

    embeddings_s: (M,D), labels_s: (M,) are the support; embeddings_q: (A,D), labels_q: (A,) the queries. Returns a
    number.

    By hand, D = 1: class 0 has the prototype 0, class 1 has (1 + 3) / 2 = 2. The query 0.5 is of class 0, with the
    squared distances 0.25 and 2.25, and costs log(1 + exp(0.25 - 2.25)) = 0.1269. The query 1.5 is of class 0, too, and
    costs log(1 + exp(2.25 - 0.25)) = 2.1269. Their mean is 1.1269.

    >>> support, query = np.array([[1.0], [0.0], [3.0]]), np.array([[0.5], [1.5]])
    >>> loss = prototypical_loss(support, np.array([1, 0, 1]), query, np.array([0, 0]), 2)
    >>> print(f"{loss:.4f}")
    1.1269
    """
    raise NotImplementedError("metric.3: the prototypical loss")


def matching_probabilities(embeddings_s, labels_s, embeddings_q, n_way):
    """Matching Networks' p(class | query), by attention to the support. Vinyals et al. 2016, eq. 1. Differentiable.

    Each support example has a weight, the *attention* of the query to it: the softmax, over the examples, of the
    cosines of the angles between the query's embedding and theirs. It gives its weight to its own class. So p(n) is the
    sum of the weights of n's examples. The cosine is the dot product of two vectors divided by both their lengths. No
    embedding here is all zeros. (For lengths take safe_norm: autograd's np.linalg.norm does not know keepdims=True.)

    embeddings_s: (M,D), labels_s: (M,), embeddings_q: (A,D). Returns (A,N); its rows sum to 1. A class without an
    example has p = 0.

    By hand: the query (3, 4) has the length 5 and the cosine 3/5 to the example (1, 0) of class 1, and 4/5 to (0, 1)
    and to (0, 3) of class 0. exp makes of them 1.822, 2.226 and 2.226, so p(1) = 1.822 / 6.273. The query (1, 0) has
    the cosines 1, 0 and 0, and p(1) = 2.718 / 4.718.

    >>> support, query = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> matching_probabilities(support, np.array([1, 0, 0]), query, 2).round(3)
    array([[0.71 , 0.29 ],
           [0.424, 0.576]])
    """
    raise NotImplementedError("metric.4: Matching Networks' attention")


def ridge_predictions(embeddings_s, labels_s, embeddings_q, n_way, strength):
    """What a ridge regression from the support predicts for the queries. Bertinetto et al. 2019. Differentiable.

    With X the embeddings of the support, (M,D), and Y their labels as one-hot rows, (M,N), it has the weights W, (D,N),
    with the smallest |X W - Y|^2 + strength |W|^2: the sum of all squared errors, plus `strength` times the sum of all
    squared weights. They solve (X'X + strength I) W = X'Y, where X' is X transposed and I the identity, np.eye(D). The
    prediction for the queries, (A,D), is queries @ W. np.linalg.solve(a, b) is the solution of a @ w = b.

    embeddings_s: (M,D), labels_s: (M,), embeddings_q: (A,D), strength: a positive number. Returns (A,N).

    By hand, D = 1: the examples are 1, of class 0, and 2, of class 1. X'X is 1 + 4, and with strength 5 it becomes 10.
    X'Y is (1, 2), so W is (0.1, 0.2), and the query 3 gets (0.3, 0.6).

    >>> ridge_predictions(np.array([[1.0], [2.0]]), np.array([0, 1]), np.array([[3.0]]), 2, 5.0).round(6)
    array([[0.3, 0.6]])
    """
    raise NotImplementedError("metric.5: ridge regression")


def relation_scores(w, b, v, classes, queries):
    """How well each class matches each query, as a small network says: numbers in 0...1. Sung et al. 2018, eq. 1.

    For each pair of a class and a query, put their D numbers one after the other, the class first. Then come a dense
    layer with the weights w and the biases b, ReLU, the sum of its H results weighted by v, and the sigmoid.
    Differentiable.

    w: (2D,H), b: (H,), v: (H,), classes: (N,D), queries: (A,D). Returns (A,N): row a belongs to query a.

    By hand, D = H = 1, w = (1, -1), b = 0, v = 1: the class 3 and the query 1 give relu(3 - 1) = 2, and the sigmoid
    makes 0.8808 of it. The class 0 and the query 1 give relu(-1) = 0, and the sigmoid makes 0.5 of it.

    >>> w, b, v = np.array([[1.0], [-1.0]]), np.zeros(1), np.ones(1)
    >>> relation_scores(w, b, v, classes=np.array([[3.0], [0.0]]), queries=np.array([[1.0]])).round(4)
    array([[0.8808, 0.5   ]])
    """
    raise NotImplementedError("metric.6: the relation of each class with each query")
