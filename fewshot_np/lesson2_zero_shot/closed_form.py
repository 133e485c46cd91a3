"""ESZSL: learn how *parts* look, in closed form, and put classes without images together from their parts.

Shapes: M images, D features, Z classes, A parts; a class's *signature*, a row of S, says which parts it has.

A linear classifier W (D,Z) scores class z of an image with features f by f W[:, z], so a class without images gets no
column. ESZSL makes the columns from the signatures, W = V S', so the score is f V s_z. What is learned, V (D,A), says
how a part looks, and a new class is a new row of S. With the features F (M,D) of the seen images, the signatures
S (Z,A) of the seen classes, and Y (M,Z), 1 for the image's class and -1 for the others (' transposes), V minimises

  |F V S' - Y|^2  +  gamma |V S'|^2  +  lam |F V|^2  +  gamma lam |V|^2.

gamma keeps the classifiers W = V S' small; lam keeps F V small, what the images say about parts; the last term is
there because with it the solution has a closed form. Half of the gradient is zero at the minimum:

  F' (F V S' - Y) S + gamma V S'S + lam F'F V + gamma lam V = 0
  F'F V S'S + gamma V S'S + lam F'F V + gamma lam V = F'Y S
  (F'F + gamma I) V (S'S + lam I) = F'Y S                        multiply it out: these are the four terms
  V = (F'F + gamma I)^-1  F'Y S  (S'S + lam I)^-1.

`onp` is plain NumPy; `np` is autograd's, for the one function here that is differentiated. `eszsl` computes in float64
whatever it is given, because float32 would lose the small eigenvalues of F'F.
"""

import numpy as onp
from autograd import numpy as np


def eszsl(features, labels, signatures, gamma, lam):
    """V (D,A), which scores classes by `features @ V @ signatures.T`. Romera-Paredes & Torr 2015, section 3.

    features (M,D) and labels (M,) of the seen images; signatures (Z,A) of the seen classes, one row per label.
    gamma, lam: regularisers of the features and of the signatures, above 0.
    Raises: ValueError for other regularisers, labels that are not 0...Z-1, and unless there is a label per row.
    """
    features, signatures = onp.asarray(features, dtype=float), onp.asarray(signatures, dtype=float)
    _check_problem(features, labels, gamma, lam)
    (n_features, n_parts), y = (features.shape[1], signatures.shape[1]), targets(labels, len(signatures))
    left = features.T @ features + gamma * onp.eye(n_features)       # (D,D)
    right = signatures.T @ signatures + lam * onp.eye(n_parts)       # (A,A)
    v = onp.linalg.solve(left, features.T @ (y @ signatures))        # (D,A), left^-1 F'Y S
    return onp.linalg.solve(right, v.T).T                            # v right^-1, because right is symmetric


def targets(labels, n_classes):
    """Y (M,Z): 1 for the image's own class, -1 for all others.

    Raises: ValueError for labels that are not 0...Z-1.
    """
    if onp.min(labels) < 0 or onp.max(labels) >= n_classes:
        raise ValueError(f"labels must lie in 0...{n_classes - 1}, got {onp.min(labels)}...{onp.max(labels)}")
    return 2.0 * onp.eye(n_classes)[labels] - 1


def eszsl_objective(v, features, labels, signatures, gamma, lam):
    """What `eszsl` minimises, a number. It is here to be differentiated: its gradient is 0 where `eszsl` says."""
    w, parts = v @ signatures.T, features @ v                        # (D,Z), (M,A)
    error = features @ w - targets(labels, len(signatures))          # (M,Z)
    return np.sum(error ** 2) + gamma * np.sum(w ** 2) + lam * np.sum(parts ** 2) + gamma * lam * np.sum(v ** 2)


# ---------------------------------------------------------------- with features that are centred and scaled


def fit(features, signatures, gamma, lam):
    """ESZSL on n images of each seen class, features (Z, n, D): {"mean": (D,), "scale": (), "v": (D + 1, A)}.

    The features are centred and scaled by the statistics of *these* images: those of unseen ones would be a leak.
    Each feature has a mean of its own, and all share one scale, so that a feature that hardly varies is not blown up.
    """
    rows = features.reshape(-1, features.shape[-1]).astype(float)
    params = {"mean": rows.mean(axis=0), "scale": 1 / rows.std()}  # the deviation of all numbers from their one mean
    labels = onp.repeat(onp.arange(len(features)), features.shape[1])
    return {**params, "v": eszsl(standardised(params, rows), labels, signatures, gamma, lam)}


def standardised(params, features):
    """Centred and scaled, with a constant 1 added so that a score may have an offset: (..., D) -> (..., D + 1)."""
    scaled = (features - params["mean"]) * params["scale"]
    return onp.concatenate([scaled, onp.ones((*scaled.shape[:-1], 1))], axis=-1)


def scores(params, features, signatures):
    """The score of each class for each image, (..., D), (Z, A) -> (..., Z); the classes may be seen, unseen or both."""
    return standardised(params, features) @ params["v"] @ signatures.T


# ---------------------------------------------------------------- bad input


def _check_problem(features, labels, gamma, lam):
    if not (gamma > 0 and lam > 0):
        raise ValueError(f"gamma and lam must be above 0, got {gamma} and {lam}")
    if onp.shape(labels) != features.shape[:1]:
        raise ValueError(f"features {features.shape} need labels {features.shape[:1]}, got {onp.shape(labels)}")
