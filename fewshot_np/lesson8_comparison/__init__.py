"""Lesson 8: the comparison. Every method on the same episodes: which is right most often, and at what cost?

There are many ways here to learn new characters from one example of each. The lesson derives nothing new; it is about
what a comparison must hold constant, and what it must state:

  the same data        all are trained on the same characters, and tested on others
  the same network     four convolutions of stride 2 and the mean of the last map (the Siamese network takes all of that
                       map, as in its lesson); only what is put on top and the loss differ
  the same effort      about 12 seconds of one core each, as a *fixed* number of iterations, so that a run can be
                       repeated
  the same episodes    then two methods can be compared episode by episode: what makes an episode hard for both drops
                       out of the *paired difference*, whose interval is therefore narrower
  the same statistics  batch norm sees the support alone, or the queries, too; each accuracy says which

Accuracy is not all, because a new task costs one method twenty times the milliseconds of another. And the interval is
over episodes alone: another seed of training moves a result, too (lesson 7), and longer training can change the
order.

The pages: `methods` (what each method is, and how it is trained), `comparing` (the same episodes for all) and `costs`.

    python -m fewshot_np.lesson8_comparison
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson8_comparison.methods import (
    METHODS,
    METRIC,
    MODEL,
    OPTIMISATION,
    TRAININGS,
    sample_training_episodes,
    sample_training_images,
    train_plainly,
)
from fewshot_np.lesson8_comparison.comparing import accuracies_by_statistics, best_first, paired_differences
from fewshot_np.lesson8_comparison.costs import adaptation_milliseconds, count_images

__all__ = ["METHODS", "METRIC", "MODEL", "OPTIMISATION", "TRAININGS", "accuracies_by_statistics",
           "adaptation_milliseconds", "best_first", "count_images", "paired_differences", "sample_training_episodes",
           "sample_training_images", "train_plainly"]
