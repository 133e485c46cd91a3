"""A memory that is written and read: characters come one by one, each label a step late. Santoro et al. 2016.

At step t a network sees the image x_t and the label of the image *before*, y_{t-1}, and must say y_t. It can only do so
if it has kept which images had which labels. Labels are shuffled in every stream, so they cannot be learned beforehand.
The network here keeps them in an external memory of S slots, each a key (what it can be found by) and a value (labels):

  recall   look the image up: weights over the slots by how alike image and keys are, and the mean of their values
  write    when the label has come, put image and label into the slot that was recalled, or into the least used one

The paper's controller is an LSTM that must learn to hold x_{t-1} back until y_{t-1} comes; here that is wired in, which
makes it trainable in minutes. And where the paper's choice between the two slots is one learned number for all steps,
here it depends on whether the recalled slot held the right label. Last on the page stands what replaced the memory:
attention to all that came before, where nothing must be chosen, because nothing is thrown away.

T tasks (streams), L steps, N labels, S slots, D features. `np` is autograd's NumPy, `onp` the plain one.
"""

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson3_metric import unit_length
from fewshot_np.nn.primitives import softmax, stop_gradient

FADING = 0.95  # of the use of a slot, at each step: the paper's gamma

# ---------------------------------------------------------------- the memory: recall, write


def recall(params, memory, queries):
    """(weights, read): how much each query looks at each slot, (T,A,D) -> (T,A,S), and the labels there, (T,A,N).

    Santoro et al. 2016, eq. 2 to 4, with a learned sharpness, and with one blank slot more, which holds no label. It
    gets the weight where nothing else is like the query: then the image is new, and the sum of `read` is small.
    """
    weights = look_up(params["look"], queries, memory["keys"], memory["filled"][:, None])
    return weights, np.matmul(weights, memory["values"])


def write(params, memory, key, label, weights):
    """The memory after an image, its key (T,D), and its label, one-hot (T,N). weights (T,S): what its key recalled.

    Santoro et al. 2016, eq. 5 to 8: a share goes where it was recalled, and the rest into the least used slot.
    """
    right = np.sum(np.matmul(weights[:, None], memory["values"])[:, 0] * label, axis=-1, keepdims=True)
    # right, (T,1): how much of the right label was recalled, from 0 to 1
    preference = params["write"]["bias"] + params["write"]["right"] * (right - 0.5)
    again = softmax(np.concatenate([preference, 0 * preference], axis=-1))[:, :1]  # (T,1): sigmoid of the preference
    fresh = least_used(memory)
    share = again * weights + (1 - again) * fresh  # (T,S): how far each slot moves towards what is new
    def towards(slots, new):
        return slots + np.expand_dims(share, -1) * (np.expand_dims(new, 1) - slots)
    return {"keys": towards(memory["keys"], key), "values": towards(memory["values"], label),
            "used": FADING * memory["used"] + stop_gradient(weights) + stop_gradient(share),
            "filled": memory["filled"] | (fresh > 0)}


def least_used(memory):
    """A one at the slot to be given away, one that is empty if there is one: (T,S)."""
    use = onp.where(memory["filled"], memory["used"], -1)
    return onp.eye(use.shape[1], dtype=use.dtype)[use.argmin(axis=1)]


def empty_memory(n_tasks, n_slots, n_features, n_way, dtype="float32"):
    """The memory before the first step: {"keys", "values", "used", "filled"}."""
    return {"keys": onp.zeros((n_tasks, n_slots, n_features), dtype),
            "values": onp.zeros((n_tasks, n_slots, n_way), dtype),
            "used": onp.zeros((n_tasks, n_slots), dtype), "filled": onp.zeros((n_tasks, n_slots), bool)}


# ---------------------------------------------------------------- a stream: read by a memory, and by attention


def read_with_memory(params, keys, late, n_slots):
    """What a memory of S slots says at each step: keys (T,L,D), late labels (T,L,N) -> (T,L,N). One step at a time."""
    _check_stream(keys, late, n_slots)
    memory, read = empty_memory(len(keys), n_slots, keys.shape[-1], late.shape[-1], late.dtype), []
    length = keys.shape[1]
    for t in range(length):
        weights, now = recall(params, memory, keys[:, t:t + 1])
        read.append(now)
        if t + 1 < length:  # with the next image comes the label of this one
            memory = write(params, memory, keys[:, t], late[:, t + 1], weights[:, 0])
    return np.concatenate(read, axis=1)


def read_with_attention(params, keys, late):
    """The same by attention to all earlier images and their labels: (T,L,D), (T,L,N) -> (T,L,N). All steps at once."""
    _check_stream(keys, late)
    length = keys.shape[1]
    labels = onp.concatenate([late[:, 1:], onp.zeros_like(late[:, :1])], axis=1)  # of each step; the last never comes
    earlier = onp.tril(onp.ones((length, length), bool), -1)  # row t is True at the steps before t
    return np.matmul(look_up(params["look"], keys, keys, earlier), labels)


def look_up(params, queries, keys, visible):
    """Softmax over the keys and a blank, (T,A,D), (T,B,D), visible (T or 1, A or 1, B) -> (T,A,B), without the blank.

    Queries and keys have length 1, so their product is a cosine.   visible: where it is False, the weight is 0.
    params: {"sharpness", "blank"}; the blank is as good as a key whose cosine with the query is "blank" / "sharpness".
    """
    hidden = onp.where(visible, 0, -onp.inf).astype(keys.dtype)
    scores = np.matmul(queries, np.swapaxes(keys, -1, -2)) * params["sharpness"] + hidden
    blank = params["blank"] * onp.ones((*scores.shape[:2], 1), keys.dtype)
    return softmax(np.concatenate([scores, blank], axis=-1))[..., :-1]


# ---------------------------------------------------------------- from images to keys, and from what is read to answers


def to_keys(features):
    """Features as directions, (T,L,D): each is centred over its D numbers and made of length 1.

    Features behind a ReLU are all positive, so without the centring all directions would be alike.
    """
    return unit_length(features - np.sum(features, axis=-1, keepdims=True) * (1 / features.shape[-1]))


def logits(params, read, seen):
    """(T,L,N) from what was read (T,L,N), and from which labels have been seen, 0 or 1: a new image has a new label."""
    new = 1 - np.sum(read, axis=-1, keepdims=True)
    return params["answer"]["read"] * read + params["answer"]["new"] * new * (1 - seen)


def init_reader():
    """Parameters beside those of the network: six numbers, the same for any number of slots and labels."""
    return {"look": {"sharpness": onp.full(1, 10, "float32"), "blank": onp.full(1, 5, "float32")},
            "write": {"bias": onp.zeros(1, "float32"), "right": onp.full(1, 4, "float32")},
            "answer": {"read": onp.full(1, 5, "float32"), "new": onp.full(1, 2, "float32")}}


# ---------------------------------------------------------------- what the input must be


def _check_stream(keys, late, n_slots=1):
    if keys.ndim != 3 or late.ndim != 3 or keys.shape[:2] != late.shape[:2] or keys.shape[1] == 0:
        raise ValueError(f"need keys (T,L,D) and late labels (T,L,N) of at least one step, got {keys.shape} and "
                         f"{late.shape}")
    if isinstance(n_slots, bool) or not isinstance(n_slots, (int, onp.integer)) or n_slots < 1:
        raise ValueError(f"the number of slots must be a positive integer, got {n_slots!r}")
    if late[:, 0].any():
        raise ValueError("no label can be known at the first step: labels come a step late, see `late_labels`")
