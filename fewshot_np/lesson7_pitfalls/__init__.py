"""Lesson 7: pitfalls. How accuracies lie: a better number without a better network, and how to notice.

Everything before this lesson was measured honestly: classes never seen in training, distinct images, labels in random
order, every query answered as if it had come by itself, 600 episodes, an interval over *episodes*. Each function here
breaks one of these rules, in a way in which people really broke it by accident. The honest code of the earlier lessons
is called and not changed. The pages: `batch_norm` (which queries go through the network together), `episodes` (episodes
spoiled in five ways), `reports` (how a result is summed up, and how it should be).

    python -m fewshot_np.lesson7_pitfalls
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson7_pitfalls.batch_norm import logits_in_batches, query_batches
from fewshot_np.lesson7_pitfalls.episodes import (
    overlap, sample_with_replacement, smooth_along_list, sort_labels, support_as_query,
)
from fewshot_np.lesson7_pitfalls.reports import (
    Pitfall, accuracy_on_other_groups, chosen_on_test, coverage, difference, in_groups, interval_over_images,
)

__all__ = ["Pitfall", "accuracy_on_other_groups", "chosen_on_test", "coverage", "difference", "in_groups",
           "interval_over_images", "logits_in_batches", "overlap", "query_batches", "sample_with_replacement",
           "smooth_along_list", "sort_labels", "support_as_query"]
