"""Lesson 6: model-based. Learn the learning itself: the support goes in, and what was learned comes out.

In lesson 4 a task is learned by gradient descent. The other way is to let a trained network do that, too: it reads the
support, keeps what it read in a state, and answers the queries from that state. Its update is a forward pass, and at
test time nothing is optimised. This is what the field calls *model-based* meta-learning (memory-augmented networks,
SNAIL, neural processes). The page `neural_process` builds the simplest such model.

    python -m fewshot_np.lesson6_model_based
"""

from fewshot_np.lesson6_model_based.neural_process import (
    CNP,
    add_point,
    answer,
    check_order,
    cnp_loss,
    condition,
    decode,
    encode,
    init,
    objective,
    train_cnp,
)

__all__ = ["CNP", "add_point", "answer", "check_order", "cnp_loss", "condition", "decode", "encode", "init",
           "objective", "train_cnp"]
