"""Lesson 5: the project. The document's Siamese network, layer for layer; what is wrong with it; then use it.

The document ends with a network in Keras, `network.py` here. It calls this the twin, and lets the contrastive loss
compare two of its outputs. But an output of Dense(1, "sigmoid") is *one number between 0 and 1*: all the characters of
the world are put on a line of length 1, and no two of them are farther apart than 1. The layer belongs in another
place. Koch et al. (2015) put the sigmoid *behind* the comparison: Dense 128 is the embedding e, and Dense 1 acts on
|e1 - e2|. The layers and parameters are the same, only the wiring differs:

  p(same | x1, x2) = sigmoid(w . |e(x1) - e(x2)| + b)

It is trained by cross-entropy, like any classifier of two classes: same or different.

    python -m fewshot_np.lesson5_project                                          both wirings, and a model
    python -m fewshot_np.lesson5_project --classify PHOTO... --support FOLDER     your own images
    python -m fewshot_np.lesson5_project --draw                                   your own hand
"""

from fewshot_np.lesson5_project.calibration import Model, calibrate, make_model, sharpness
from fewshot_np.lesson5_project.network import (
    BEST_PUSH,
    embed_images,
    embedding,
    n_parameters,
    siamese_network,
    sigmoid,
)
from fewshot_np.lesson5_project.photos import Answer, Photos, classify, in_words, read_photos, titles_of
from fewshot_np.lesson5_project.rewired import (
    embedded_scores,
    objective,
    pair_logits,
    pair_weights,
    same_logits,
    scores,
    train_rewired,
)

__all__ = ["BEST_PUSH", "Answer", "Model", "Photos", "calibrate", "classify", "embed_images", "embedded_scores",
           "embedding", "in_words", "make_model", "n_parameters", "objective", "pair_logits", "pair_weights",
           "read_photos", "same_logits", "scores", "sharpness", "siamese_network", "sigmoid", "titles_of",
           "train_rewired"]
