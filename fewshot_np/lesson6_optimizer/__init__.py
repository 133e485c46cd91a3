"""Lesson 6: learn the optimiser. What if the rule of gradient descent is learned, too, and not only its start?

MAML learns where gradient descent starts. How it goes on from there, theta <- theta - alpha grad, somebody wrote down,
and somebody chose alpha. There are two ways to learn this as well, a small one and a bold one: `meta_sgd`, one learned
rate for each parameter; and `lstm_optimizer`, a recurrent network that reads the gradients and makes the steps, which
`learning_to_learn` trains through its own updates.

    python -m fewshot_np.lesson6_optimizer
"""

from fewshot_np.lesson6_optimizer.learning_to_learn import (
    OptimizerTask,
    optimise,
    optimizer_objective,
    optimizer_train,
    paths,
    sample_optimizer_tasks,
    sample_segments,
    tuned_rates,
)
from fewshot_np.lesson6_optimizer.lstm_optimizer import (
    init_optimizer,
    initial_state,
    lstm_cell,
    lstm_optimizer,
    lstm_update,
    preprocess,
    sigmoid,
    tanh,
)
from fewshot_np.lesson6_optimizer.meta_sgd import (
    initial_rates,
    meta_sgd_objective,
    meta_sgd_scores,
    meta_sgd_step,
    meta_sgd_train,
)

__all__ = ["OptimizerTask", "init_optimizer", "initial_rates", "initial_state", "lstm_cell", "lstm_optimizer",
           "lstm_update", "meta_sgd_objective", "meta_sgd_scores", "meta_sgd_step", "meta_sgd_train", "optimise",
           "optimizer_objective", "optimizer_train", "paths", "preprocess", "sample_optimizer_tasks",
           "sample_segments", "sigmoid", "tanh", "tuned_rates"]
