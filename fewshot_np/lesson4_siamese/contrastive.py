"""The contrastive loss: pull pairs of one class together, push pairs of two classes apart up to a margin.

Shapes: P pairs of embeddings, D numbers each; T tasks. `np` is autograd's NumPy, because the loss is differentiated;
`onp` is the plain one, for the labels.
"""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import relu, safe_norm
from fewshot_np.nn.trees import grad


def contrastive_loss(e1, e2, same, margin=1.0):
    """The mean over the pairs of d^2 (same class) or max(0, margin - d)^2 (different classes), where d = |e1 - e2|.

    Hadsell, Chopra & LeCun 2006, without their factor 1/2, and with the label the other way round: same = 1 for the
    same class, 0 for different ones. The derivative of d at d = 0 counts as 0 (see `slopes_at_distance_zero`); d^2 is
    computed without a root.

    e1, e2: embeddings (P,D) -> (), or (T,P,D) -> (T,).   same: (P,) or (T,P), integers 0 and 1.

    Raises: ValueError where the shapes do not fit, for other labels, and for a margin that is not positive.
    """
    same = _checked_labels(e1, e2, same, margin)
    difference = e1 - e2
    pull = np.sum(difference * difference, axis=-1)   # d^2: (P,) or (T,P)
    push = relu(margin - safe_norm(difference))
    return np.sum(same * pull + (1 - same) * push * push, axis=-1) * (1 / same.shape[-1])


def document_formula(e1, e2, y, margin=1.0):
    """The mean over the pairs of (1 - y) d^2 + y max(0, margin - d)^2 with y = 1 for the *same* class: a mistake.

    It stands in the introduction to few-shot learning that this course follows and calls "the document".
    It pulls different classes together and pushes one class apart. A network cannot even do that, because where all
    different pairs coincide, so do the same ones. It can only make all distances alike. Where half of the pairs are
    the same, as in the lesson's training, the best of these distances is margin/2, with the loss (margin/2)^2.

    Shapes and errors are those of `contrastive_loss`.
    """
    y = _checked_labels(e1, e2, y, margin)
    d = safe_norm(e1 - e2)
    push = relu(margin - d)
    return np.sum((1 - y) * d * d + y * push * push, axis=-1) * (1 / y.shape[-1])


def slopes_at_distance_zero():
    """The loss's gradient for an identical pair of different classes, {"plain root": (3,), "safe_norm": (3,)}.

    The derivative of sqrt(s) at s = 0 is infinite and that of s = |e1 - e2|^2 is 0, so their product is not a number.
    `safe_norm` has a derivative of its own, which is 0 there.
    """
    twin = onp.ones((1, 3))

    def plain_loss(e):
        return np.maximum(0.0, 1.0 - np.sqrt(np.sum((e - twin) ** 2))) ** 2

    with onp.errstate(divide="ignore", invalid="ignore"):
        plain = grad(plain_loss)(twin)
    return {"plain root": plain[0], "safe_norm": grad(lambda e: contrastive_loss(e, twin, [0]))(twin)[0]}


# ---------------------------------------------------------------- what does not fit is refused


def _checked_labels(e1, e2, same, margin):
    """The labels as an array of the embeddings' type.

    Raises: ValueError unless everything fits.
    """
    same = onp.asarray(same)
    if e1.ndim not in (2, 3) or e1.shape != e2.shape:
        raise ValueError(f"e1 and e2 must both be (P,D) or (T,P,D), got {e1.shape} and {e2.shape}")
    if same.shape != e1.shape[:-1]:
        raise ValueError(f"embeddings {e1.shape} need labels {e1.shape[:-1]}, got {same.shape}")
    if same.size == 0:
        raise ValueError(f"a mean over pairs needs 1 or more of them, got embeddings {e1.shape}")
    if same.dtype.kind not in "bui" or not ((same == 0) | (same == 1)).all():
        raise ValueError(f"labels must be the integers 0 and 1, got {same.dtype} {onp.unique(same)[:5]}")
    if not 0 < margin < float("inf"):
        raise ValueError(f"margin must be a positive number, got {margin!r}")
    return same.astype(e1.dtype)
