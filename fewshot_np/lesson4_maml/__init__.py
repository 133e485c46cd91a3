"""Lesson 4: MAML. Learn a starting point from which one gradient step is enough.

Five new characters, one example of each, one step of gradient descent, and the network knows them. Model-agnostic
meta-learning (MAML) finds the weights from which that works: it trains *through* the gradient step, so its gradient
contains the gradient of a gradient. The pages: `maml` (the method), `by_hand` (the proof that its gradient is right),
`sinusoids` (a task that one can draw), `implicit` (the same gradient without remembering the steps), `proto_maml` (MAML
whose last layer starts as a prototypical network).

    python -m fewshot_np.lesson4_maml
"""

from fewshot_np.lesson4_maml.by_hand import check_meta_gradient, linear_loss, meta_gradient_by_hand
from fewshot_np.lesson4_maml.implicit import (
    conjugate_gradients,
    hessian_product,
    implicit_objective,
    implicit_scores,
    implicit_train,
    solve,
)
from fewshot_np.lesson4_maml.maml import adapt, adapted_after, maml_objective, maml_scores, meta_train
from fewshot_np.lesson4_maml.proto_maml import (
    proto_maml_objective,
    proto_maml_scores,
    proto_maml_train,
    prototype_head,
    prototype_start,
)
from fewshot_np.lesson4_maml.sinusoids import error_after, joint_objective, sample_sinusoids, squared_error

__all__ = ["adapt", "adapted_after", "check_meta_gradient", "conjugate_gradients", "error_after", "hessian_product",
           "implicit_objective", "implicit_scores", "implicit_train", "joint_objective", "linear_loss",
           "maml_objective", "maml_scores", "meta_gradient_by_hand", "meta_train", "proto_maml_objective",
           "proto_maml_scores", "proto_maml_train", "prototype_head", "prototype_start", "sample_sinusoids", "solve",
           "squared_error"]
