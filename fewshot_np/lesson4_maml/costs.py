"""What an inner step costs: memory and time of one meta-gradient, MAML's and the implicit one, against the steps."""

import time
import tracemalloc
from functools import partial

from fewshot_np.lesson4_maml.implicit import implicit_objective
from fewshot_np.lesson4_maml.maml import maml_objective
from fewshot_np.nn.trees import grad


def costs_of_steps(loss, params, episode, step_counts, inner_lr, strength=1.0, cg_steps=3):
    """[{"steps", "MAML": {"megabytes", "seconds"}, "implicit MAML": ...}], a row for each number of inner steps.

    MAML keeps what it computed in each step until the derivative has come back through it, so its memory grows by the
    same amount with every step. Implicit MAML forgets a step when the next begins.
    """
    implicit = partial(implicit_objective, strength=strength, cg_steps=cg_steps)
    return [{"steps": steps, **{name: cost_of(partial(objective, loss, episode=episode, inner_lr=inner_lr, steps=steps),
                                              params)
                                for name, objective in (("MAML", maml_objective), ("implicit MAML", implicit))}}
            for steps in step_counts]


def cost_of(objective, params):
    """{"megabytes": largest memory that Python and NumPy held at once, "seconds": of the processor} of one gradient.

    Memory is what `tracemalloc` counts, beyond what was there before. It slows the program down, so the time is taken
    in a run of its own.
    """
    started = time.process_time()
    grad(objective)(params)
    seconds = time.process_time() - started
    tracemalloc.start()
    grad(objective)(params)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"megabytes": most / 1e6, "seconds": seconds}
