"""Lesson 4: Siamese networks. Learn a distance: small between drawings of one character, large between those of two.

Two copies of one network, the *twins*, turn two images into two vectors, and d is the distance between these. The
contrastive loss (Hadsell, Chopra & LeCun 2006) pulls a pair of the same class together, and pushes a pair of different
classes apart until they are a *margin* m apart:

  same class        d^2
  different class   max(0, m - d)^2

The loss names no class, so the distance can be used for classes that nobody has trained on. Is this the same
character? (verification) Which of these five is it? (one-shot recognition: the nearest one)

Hadsell writes the label y = 1 for *different*. Whoever copies the formula and lets y = 1 mean *same* trains the
opposite: different pairs are pulled together. Both formulas are on the first page, and the run compares them.

    python -m fewshot_np.lesson4_siamese
"""

from fewshot_np.lesson4_siamese.contrastive import contrastive_loss, document_formula, slopes_at_distance_zero
from fewshot_np.lesson4_siamese.recognition import embed_by_reference, scores
from fewshot_np.lesson4_siamese.training import choose_partners, objective, train_siamese
from fewshot_np.lesson4_siamese.verification import (
    DRAWS,
    Pairs,
    balanced_pairs,
    choose_threshold,
    equal_error_rate,
    pair_distances,
    roc_curve,
    verification,
)

__all__ = ["DRAWS", "Pairs", "balanced_pairs", "choose_partners", "choose_threshold", "contrastive_loss",
           "document_formula", "embed_by_reference", "equal_error_rate", "objective", "pair_distances", "roc_curve",
           "scores", "slopes_at_distance_zero", "train_siamese", "verification"]
