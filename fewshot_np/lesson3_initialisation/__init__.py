"""Lesson 3: where gradient descent starts. The same few steps, from a better place.

Five new characters, one example of each, and plain gradient descent on those five images. From random weights that
ends in a poor classifier, because 28,000 weights can fit five images in a great many ways. An *optimisation-based*
(optimization-based) method keeps the gradient descent and changes its starting point. There are two ways to find a
good one. *Pretraining* trains one network to tell all the training characters apart, then replaces its last layer and
fine-tunes it on the few examples; nothing about it is "meta", and it is a strong baseline. *Meta-learning* practises
fine-tuning itself, on many tasks, and improves the start; Reptile is its simplest form. Such a start is no classifier
yet: the labels 0...N-1 mean other characters in every task, so before its first step each of them guesses. What has
been learned is how steeply the accuracy rises from there. The pages: `fine_tuning`, `pretraining`, `frozen_features`
(the baseline that takes no step at all) and `reptile`.

    python -m fewshot_np.lesson3_initialisation
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson3_initialisation.fine_tuning import (
    classification_loss,
    fine_tuning,
    fine_tune,
    query_logits,
    head_loss,
    Start,
    fine_tuning_from,
    fine_tuned_scores,
    tune_rate,
)
from fewshot_np.lesson3_initialisation.pretraining import (
    classification_objective,
    with_new_head,
    pretrain,
    sample_images,
)
from fewshot_np.lesson3_initialisation.frozen_features import (
    transform,
    nearest_mean_logits,
    frozen_scores,
    start_with_mean,
    frozen_objective,
    pretrain_with_mean,
)
from fewshot_np.lesson3_initialisation.reptile import reptile_step, train_reptile, mini_batches, reptile_objective

__all__ = ["Start", "classification_loss", "classification_objective", "fine_tune", "fine_tuned_scores", "fine_tuning",
           "fine_tuning_from", "frozen_objective", "frozen_scores", "head_loss", "mini_batches", "nearest_mean_logits",
           "pretrain", "pretrain_with_mean", "query_logits", "reptile_objective", "reptile_step", "sample_images",
           "start_with_mean", "train_reptile", "transform", "tune_rate", "with_new_head"]
