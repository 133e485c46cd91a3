"""Lesson 6: model-based. Learn the learning itself: the support goes in, and what was learned comes out.

In lesson 4 a task is learned by gradient descent. The other way is to let a trained network do that, too: it reads the
support, keeps what it read in a state, and answers the queries from that state. Its update is a forward pass, and at
test time nothing is optimised. This is what the field calls *model-based* meta-learning (memory-augmented networks,
SNAIL, neural processes). The page `neural_process` builds the simplest such model; `memory` reads `streams`
of characters whose labels come a step late, with a memory and with attention. The second part is the one that
readers of today ask about, learning *in context*: `attention` (a soft look-up), `transformer` (a network that reads
labelled examples), `prior` (the made-up tasks from which it learns everything) and `patients` (real ones).

    python -m fewshot_np.lesson6_model_based
"""

# ruff: noqa: I001 - in reading order

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
from fewshot_np.lesson6_model_based.memory import (
    empty_memory,
    init_reader,
    least_used,
    logits,
    look_up,
    read_with_attention,
    read_with_memory,
    recall,
    to_keys,
    write,
)
from fewshot_np.lesson6_model_based.streams import (
    character_network,
    instance_numbers,
    late_labels,
    memory_objective,
    memory_scores,
    sample_streams,
    start_reader,
    stream_logits,
    stream_objective,
    train_on_streams,
)
from fewshot_np.lesson6_model_based.attention import (
    attend_by_loop,
    attend_by_products,
    context_weights,
    heads_attend,
)
from fewshot_np.lesson6_model_based.transformer import (
    class_scores,
    classification_objective,
    one_hot,
    regression_objective,
    train_in_context,
    transformer,
)
from fewshot_np.lesson6_model_based.prior import (
    CLIP,
    N_FEATURES,
    halves,
    rows_of_classes,
    sample_features,
    sample_for_training,
    sample_rule,
    sample_straight,
    sample_tables,
    standardise,
)
from fewshot_np.lesson6_model_based.patients import (
    logistic_regression,
    nearest_mean,
    nearest_neighbour,
    rates,
    sample_patients,
    score_all,
)

__all__ = ["CLIP", "CNP", "N_FEATURES", "add_point", "answer", "attend_by_loop", "attend_by_products",
           "character_network", "check_order", "class_scores", "classification_objective", "cnp_loss", "condition",
           "context_weights", "decode", "empty_memory", "encode", "halves", "heads_attend", "init", "init_reader",
           "instance_numbers", "late_labels", "least_used", "logistic_regression", "logits", "look_up",
           "memory_objective", "memory_scores", "nearest_mean", "nearest_neighbour", "objective", "one_hot", "rates",
           "read_with_attention", "read_with_memory", "recall", "regression_objective", "rows_of_classes",
           "sample_features", "sample_for_training", "sample_patients", "sample_rule", "sample_straight",
           "sample_streams", "sample_tables", "score_all", "standardise", "start_reader", "stream_logits",
           "stream_objective", "to_keys", "train_cnp", "train_in_context", "train_on_streams", "transformer", "write"]
