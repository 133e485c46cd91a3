"""The training loop: sample, differentiate, update; a bar to watch, a curve to keep, and nothing lost."""

import math

import numpy as np
from tqdm import tqdm

from fewshot_np.experiment.records import check_replaceable, save_params
from fewshot_np.nn.trees import leaves, value_and_grad


class Stopped(Exception):
    """Training ended early, by Ctrl-C or a loss that is no number; what there was has been saved."""


def train(objective, params, sample, *, update, schedule, iterations, path, label="training",
          validate=None, validate_every=200):
    """Minimise `objective(params, batch)` by gradient descent on fresh batches; returns (params, history).

    sample() -> batch.   update, schedule: see `nn.optimizers`.   validate(params) -> a number worth watching.
    path: the file where the parameters are saved, at the end and when training is stopped.
    history: {"loss": one per iteration, "validation": [(iterations done, value), ...]}.

    Raises Stopped on Ctrl-C, and when the loss or a parameter becomes NaN or infinite: `path` then holds the last
    parameters that were good, and the message names the iteration; before the first update it is left as it was.
    Raises ValueError, before it starts, where `path` is a file that `save_params` would refuse to replace.
    """
    check_replaceable(path)
    loss_and_gradient = value_and_grad(objective)
    history = {"loss": [], "validation": []}
    state, good, smooth, shown = None, params, None, {}
    with tqdm(total=iterations, desc=label, ascii=True, leave=False) as bar:
        try:
            for iteration in range(iterations):
                loss, gradient = loss_and_gradient(params, sample())
                if not math.isfinite(loss):
                    raise Stopped(f"{label}: the loss became {loss} at iteration {iteration + 1}")
                good = params  # its loss is a number
                moved, state = update(params, gradient, state, schedule(iteration))
                if not all(np.isfinite(leaf).all() for leaf in leaves(moved)):
                    raise Stopped(f"{label}: the update of iteration {iteration + 1} is not finite")
                params = moved
                history["loss"].append(float(loss))
                smooth = loss if smooth is None else 0.98 * smooth + 0.02 * loss
                if validate and (iteration + 1) % validate_every == 0:
                    history["validation"].append((iteration + 1, float(validate(params))))
                    shown["validation"] = f"{history['validation'][-1][1]:.3f}"
                bar.set_postfix(loss=f"{smooth:.3f}", **shown, refresh=False)
                bar.update()
        except KeyboardInterrupt:
            reason = f"{label}: stopped by hand after {len(history['loss'])} of {iterations} iterations"
            raise Stopped(_saved(path, params, history, reason)) from None
        except Stopped as stop:
            raise Stopped(_saved(path, good, history, f"{stop}; try a smaller learning rate")) from None
    save_params(path, params)
    return params, history


def _saved(path, params, history, reason):
    if not history["loss"]:
        return f"{reason}.\nThere was nothing to save yet"
    save_params(path, params)
    return f"{reason}.\nThe last good parameters are in {path}"
