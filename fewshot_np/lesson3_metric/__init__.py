"""Lesson 3: compare instead of retraining. Learn an embedding in which one example is enough.

A *metric-based* method learns, once and on many tasks, to turn each image into a point, its *embedding*, so that
drawings of one character land close together, even of a character that it has never seen. Learning five new ones then
takes no gradient step at all: embed the few examples of each, and see which of them a query lands near. The pages:
`prototypical` (each class becomes one point, the mean of its examples), `embedding` (the network that turns images into
points) and `matching` (each example votes for its own class). Two more learn what these leave fixed: `ridge` (a last
layer that is fitted to the support, by a formula) and `relation` (the comparison is a network, too).

    python -m fewshot_np.lesson3_metric
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson3_metric.prototypical import (
    prototypes,
    squared_distances,
    prototypical_loss,
    prototypical_objective,
    prototypical_scores,
    train_on_episodes,
    nearest_prototype,
    plain_distances,
    differences,
    memberships,
)
from fewshot_np.lesson3_metric.embedding import embed, principal_components, ways
from fewshot_np.lesson3_metric.matching import (
    cosines,
    attend,
    matching_log_probabilities,
    matching_objective,
    matching_scores,
    unit_length,
)
from fewshot_np.lesson3_metric.ridge import (
    ridge_weights,
    ridge_logits,
    start_ridge,
    ridge_objective,
    ridge_scores,
)
from fewshot_np.lesson3_metric.relation import (
    relation_logits,
    relation_loss,
    start_relation,
    relation_objective,
    relation_scores,
)

__all__ = ["attend", "cosines", "differences", "embed", "matching_log_probabilities", "matching_objective",
           "matching_scores", "memberships", "nearest_prototype", "plain_distances", "principal_components",
           "prototypes", "prototypical_loss", "prototypical_objective", "prototypical_scores", "relation_logits",
           "relation_loss", "relation_objective", "relation_scores", "ridge_logits", "ridge_objective", "ridge_scores",
           "ridge_weights", "squared_distances", "start_relation", "start_ridge", "train_on_episodes", "unit_length",
           "ways"]
