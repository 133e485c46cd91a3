"""How good is it? Unseen classes told apart, any class as the answer, and regularisers chosen without the unseen.

`np` is plain NumPy: nothing on this page is differentiated.
"""

import numpy as np

from fewshot_np.lesson2_episodes import accuracies
from fewshot_np.lesson2_zero_shot.closed_form import fit, scores
from fewshot_np.lesson2_zero_shot.names import split_unseen

N_TRAIN = 15  # drawings of each seen class to learn from; the others test whether the seen are still recognised
GAMMAS = (1e1, 1e2, 1e3, 1e4)
LAMS = (1e-2, 1e-1, 1e0, 1e1)


def measure(features, signatures, seen, unseen, rng):
    """Everything about one split of the classes: {name: accuracy}, the rehearsals, and the answers for the unseen.

    features: (Z, n, D), of n drawings of each of Z classes.   signatures: (Z, A), what is known of each class.
    seen, unseen: positions of classes.
    "unseen": unseen classes, told apart from each other.   "shuffled": the same with their names exchanged.
    "all: ...": any class may be the answer, as outside the laboratory (*generalised* zero-shot learning); "harmonic"
    is the harmonic mean of the accuracies for seen and unseen (Xian et al. 2017).
    The answers (unseen classes, n) are positions among the unseen.
    """
    training = features[seen][:, :N_TRAIN]
    (gamma, lam), rehearsals = choose_regularisers(training, signatures[seen], rng)
    params = fit(training, signatures[seen], gamma, lam)
    of_unseen = scores(params, features[unseen], signatures)
    of_seen = scores(params, features[seen][:, N_TRAIN:], signatures)
    among, order = of_unseen[..., unseen], np.arange(len(unseen))
    s, u = accuracy(of_seen, seen), accuracy(of_unseen, unseen)
    results = {"guessing": 1 / len(unseen), "unseen": accuracy(among, order),
               "shuffled": accuracy(among, rng.permutation(order)), "all: guessing": 1 / len(signatures),
               "all: seen": s, "all: unseen": u, "all: harmonic": harmonic_mean(s, u)}
    return results, rehearsals, among.argmax(axis=-1)


def choose_regularisers(features, signatures, rng):
    """(gamma, lam), and the accuracies that decided, (len(GAMMAS), len(LAMS)); features (Z, n, D) of seen classes.

    Zero-shot learning is rehearsed: some of the *seen* classes play the unseen, the others teach. The truly unseen
    must not decide, because an accuracy for which they had been used before would be too high.
    """
    teach, play = split_unseen(signatures, 0.2, rng)

    def rehearse(gamma, lam):
        params = fit(features[teach], signatures[teach], gamma, lam)
        return accuracy(scores(params, features[play], signatures[play]), np.arange(len(play)))

    table = np.array([[rehearse(gamma, lam) for lam in LAMS] for gamma in GAMMAS])
    row, column = np.unravel_index(table.argmax(), table.shape)
    return (GAMMAS[row], LAMS[column]), table


def accuracy(scores, labels):
    """The share of images whose class has the highest score: scores (Z, n, number of classes), labels (Z,)."""
    return float(accuracies(scores, np.repeat(labels[:, None], scores.shape[1], axis=1)).mean())


def harmonic_mean(seen, unseen):
    """2 s u / (s + u) of two accuracies: low if one of them is, and 0 if both are 0."""
    return 2 * seen * unseen / max(seen + unseen, 1e-9)
