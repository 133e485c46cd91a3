"""The training loop: sample, differentiate, update. It shows a progress bar, records the loss, and saves its work."""

import math
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fewshot_np.experiment.records import (
    Checkpoint,
    check_replaceable,
    comparable_options,
    is_rate,
    load_checkpoint,
    save_checkpoint,
    save_or_elsewhere,
    save_params,
)
from fewshot_np.experiment.workers import WorkerDied, shared_value_and_grad
from fewshot_np.nn.trees import leaves


class Stopped(Exception):
    """Training ended early: Ctrl-C, a dead worker, or a loss that is not finite. Its last good state has been saved."""


def train(objective, params, sample, *, update, schedule, iterations, path, label="training",
          validate=None, validate_every=200, rng=None, options=None, workers=1, save_every=60.0):
    """Minimise `objective(params, batch)` by gradient descent on fresh batches; returns (params, history).

    sample() -> batch.   update, schedule: see `nn.optimizers`.   validate(params) -> a number, shown and recorded.
    path: the file in which the parameters are saved, at the end and when training is stopped.
    history: {"loss": one per iteration, "validation": [(iterations done, value), ...], "seconds": of training}.

    Long runs: rng is the Generator from which `sample` and `validate` draw. If it is given, the file at `path` is a
    checkpoint, which also holds the optimiser, the generator and the history, and is written every `save_every`
    seconds. options: the run's. With options.resume the run continues from `path`, bit for bit as if it had never
    stopped, and `rng` continues, too.   workers: processes that share each batch; the objective must then pickle (see
    `workers.shared_value_and_grad`).

    Raises: Stopped on Ctrl-C, when a worker dies, and when the loss or a parameter becomes NaN or infinite. The message
    names the iteration, and `path` holds the last good parameters, or what it held before if there was no update yet.
    Good are those whose loss was not far above the first one, so after a divergence the run can be resumed with a
    smaller learning rate; options.rates_before then says for the record what was used until when. A disk that refuses
    a save does not end the training: the next one is tried in time, the last one made elsewhere, and stderr says so.
    Raises: ValueError before the training, for a file at `path` that `save_params` would refuse to replace, and when
    resuming from a file that is no checkpoint or was made with other options.
    """
    check_replaceable(path)
    done, history = _begin(params, path, label, rng, options)
    if done.iteration >= iterations:
        return done.params, history
    good, smooth, shown = done, None, {}
    started, saved = time.monotonic() - history["seconds"], history["seconds"]
    with (shared_value_and_grad(objective, workers) as loss_and_gradient,
          tqdm(total=iterations, initial=done.iteration, desc=label, ascii=True, leave=False) as bar):
        try:
            for iteration in range(done.iteration, iterations):
                loss, gradient = loss_and_gradient(done.params, sample())
                if not math.isfinite(loss):
                    raise Stopped(f"{label}: the loss became {loss} at iteration {iteration + 1}")
                good = good if _far_above(loss, history["loss"]) else done
                params, state = update(done.params, gradient, done.state, schedule(iteration))
                if not all(np.isfinite(leaf).all() for leaf in leaves(params)):
                    raise Stopped(f"{label}: the update of iteration {iteration + 1} is not finite")
                history["loss"].append(float(loss))
                if validate and (iteration + 1) % validate_every == 0:
                    history["validation"].append((iteration + 1, float(validate(params))))
                    shown["validation"] = f"{history['validation'][-1][1]:.3f}"
                done = Checkpoint(iteration + 1, params, state, rng and rng.bit_generator.state)
                history["seconds"] = time.monotonic() - started
                if rng and history["seconds"] - saved >= save_every:
                    _save_in_between(path, done, history, options)
                    saved = history["seconds"]
                smooth = loss if smooth is None else 0.98 * smooth + 0.02 * loss
                bar.set_postfix(loss=f"{smooth:.3f}", **shown, refresh=False)
                bar.update()
        except (KeyboardInterrupt, WorkerDied) as stop:
            what = stop if isinstance(stop, WorkerDied) else "stopped by hand"
            reason = f"{label}: {what} after {done.iteration} of {iterations} iterations"
            raise Stopped(_saved(path, done, history, options, reason)) from None
        except Stopped as stop:
            good = good._replace(diverged=True)
            raise Stopped(_saved(path, good, history, options, f"{stop}; try a smaller learning rate")) from None
    save_or_elsewhere(lambda path: _save(path, done, history, options), path)
    return done.params, history


def _begin(params, path, label, rng, options):
    """(Checkpoint, history) to start from: those at `path` if the run is resumed, else empty ones."""
    nothing = (Checkpoint(0, params, generator=rng and rng.bit_generator.state),
               {"loss": [], "validation": [], "seconds": 0.0})
    if rng is None or not getattr(options, "resume", False):
        return nothing
    if not Path(path).exists():
        sys.stderr.write(f"{label}: no {path} to resume from, so training starts anew\n")
        return nothing
    done = load_checkpoint(path, vars(options))
    rng.bit_generator.state = done.generator
    sys.stderr.write(f"{label}: {done.iteration} iterations were done before, and are in {path}\n")
    history = {**done.history, "loss": done.history["loss"].tolist()}
    then, now = done.options or {}, comparable_options(vars(options))
    changed = [f"{name} {then[name]:g}" for name in then if is_rate(name) and then[name] != now.get(name)]
    if done.diverged and not changed:
        raise ValueError(f"{label}: with these learning rates the training diverged, and would again; "
                         + (f"resume with a smaller {_rates(options)}" if _rates(options) else "begin anew"))
    if changed:
        history["rates"] = [*history.get("rates", []), f"{', '.join(changed)} until iteration {done.iteration}"]
    if "rates" in history:
        options.rates_before = {**getattr(options, "rates_before", {}), label: history["rates"]}
    return done._replace(diverged=False), history


def _rates(options):
    """The options that are learning rates, with their values, in words: those of the training before inner loops'."""
    names = sorted(filter(is_rate, vars(options)), key=lambda name: "inner" in name)
    return " or ".join(f"--{name.replace('_', '-')} ({getattr(options, name):g})" for name in names)


def _far_above(loss, losses):
    """Whether a loss is so far above the first one that the parameters are spoilt, though it still is a number."""
    return bool(losses) and loss > losses[0] + 9 * abs(losses[0])


def _save(path, done, history, options):
    """Save a checkpoint if the training can be resumed, else only the parameters."""
    if done.generator is None:
        save_params(path, done.params)
        return
    until_then = {"loss": np.array(history["loss"][:done.iteration]), "seconds": history["seconds"],
                  **{name: history[name] for name in ("rates",) if name in history},
                  "validation": [(when, value) for when, value in history["validation"] if when <= done.iteration]}
    save_checkpoint(path, done._replace(history=until_then, options=options and comparable_options(vars(options))))


def _saved(path, done, history, options, reason):
    if not history["loss"]:
        return f"{reason}.\nThere was nothing to save yet"
    where = save_or_elsewhere(lambda path: _save(path, done, history, options), path)
    if where is None:
        return f"{reason}.\nIts parameters could not be saved"
    resumable = hasattr(options, "resume") and done.generator is not None and where == Path(path)
    if done.diverged:
        reason += f".\nThe last good parameters, those of iteration {done.iteration}, are in {where}"
        smaller = resumable and _rates(options)
        return f"{reason}; --resume with a smaller {smaller} goes on from there" if smaller else reason
    return f"{reason}.\nThe last good parameters are in {where}" + "; --resume goes on from there" * resumable


def _save_in_between(path, done, history, options):
    """Save a checkpoint; a full disk is only a warning, because the training in memory goes on."""
    try:
        _save(path, done, history, options)
    except OSError as error:
        tqdm.write(f"{path} cannot be written now ({error.strerror or error}); the training goes on, and the next "
                   "checkpoint tries again", file=sys.stderr)
