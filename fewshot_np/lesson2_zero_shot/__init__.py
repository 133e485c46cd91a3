"""Lesson 2: zero-shot learning. Recognise characters of which you have seen no example at all, from their names.

Without examples something else must say what a new class looks like: **side information**. From images alone zero-shot
recognition is impossible: exchange the names of two classes never seen, and nothing that the learner has seen changes,
but every right answer becomes a wrong one. (Some introductions forget to say so.) Here the side information is the
name that Unicode gives a character, because it describes the drawing, as in LATIN SMALL LETTER E WITH TILDE. A learner
that has seen every part of the name, but never these parts together, can still recognise the character. The method is
ESZSL, "an embarrassingly simple approach to zero-shot learning" (Romera-Paredes & Torr 2015): two linear systems.

    python -m fewshot_np.lesson2_zero_shot
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson2_zero_shot.names import LEAST_SEEN, NAMES, QUICK_NAMES, signatures, split_unseen
from fewshot_np.lesson2_zero_shot.closed_form import eszsl, eszsl_objective, fit, scores, standardised, targets
from fewshot_np.lesson2_zero_shot.evaluation import (
    GAMMAS,
    LAMS,
    N_TRAIN,
    accuracy,
    choose_regularisers,
    harmonic_mean,
    measure,
)
from fewshot_np.lesson2_zero_shot.features import features_of, pixels, random_convolution, random_kernels
from fewshot_np.lesson2_zero_shot.writings import characters, drawings

__all__ = ["GAMMAS", "LAMS", "LEAST_SEEN", "NAMES", "N_TRAIN", "QUICK_NAMES", "accuracy", "characters",
           "choose_regularisers", "drawings", "eszsl", "eszsl_objective", "features_of", "fit", "harmonic_mean",
           "measure", "pixels", "random_convolution", "random_kernels", "scores", "signatures", "split_unseen",
           "standardised", "targets"]
