"""The referee: the course's checks for anybody's code, written in NumPy, PyTorch, JAX or whatever gives arrays.

Is my MAML second order? Are my episodes drawn fairly? Does an image stand on both sides of my split? Each function
takes your callables and answers with a `Verdict`: what they compute, the numbers that show it, and what it means.

    from fewshot_np import referee
    referee.second_order(my_meta_gradient).check()      # in a test: raises with the whole message
    python -m fewshot_np.referee second-order my_module:my_meta_gradient
"""

from fewshot_np.referee.answers import scores
from fewshot_np.referee.formulas import losses
from fewshot_np.referee.meta_gradients import Tasks, second_order
from fewshot_np.referee.parts import splits
from fewshot_np.referee.reporting import interval
from fewshot_np.referee.sampling import episodes
from fewshot_np.referee.verdict import Verdict

__all__ = ["Tasks", "Verdict", "episodes", "interval", "losses", "scores", "second_order", "splits"]
