"""Lesson 2: episodes. N classes, K examples of each, and the question: which class is the new drawing of?

Few-shot learning is measured on *episodes* (Vinyals et al. 2016). An N-way K-shot episode draws N classes that the
learner has never seen, shows it K labelled images of each (the **support**), and asks for the class of Q further
images of each (the **query**). Guessing scores 1/N. One episode is one small classification task, and its accuracy is
one draw of a random variable, so a result is a mean over many episodes, with an interval.

    python -m fewshot_np.lesson2_episodes
"""

# ruff: noqa: I001 - in reading order

from fewshot_np.lesson1_data_hunger import t_factor
from fewshot_np.lesson2_episodes.episodes import Episode, sample_episodes
from fewshot_np.lesson2_episodes.results import accuracies, mean_confidence_interval
from fewshot_np.lesson2_episodes.pixels import scores

__all__ = ["Episode", "accuracies", "mean_confidence_interval", "sample_episodes", "scores", "t_factor"]
