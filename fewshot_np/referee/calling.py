"""Calling somebody else's function: arrays in, arrays out, and a clear word where that fails. `np` is plain NumPy."""

import inspect

import numpy as np

from fewshot_np.referee.verdict import Verdict


class Refused(Exception):
    """The callable gave nothing that can be judged. `verdict` says why."""

    def __init__(self, verdict):
        super().__init__(str(verdict))
        self.verdict = verdict


def as_array(value):
    """Any framework's array as NumPy's, without importing the framework: detach, then __array__, then DLPack.

    Raises: ValueError for what is no array of numbers.
    """
    if value is None:
        raise ValueError("None is no array")
    if callable(getattr(value, "detach", None)):
        value = value.detach()
    if callable(getattr(value, "cpu", None)):
        value = value.cpu()
    if "bfloat16" in str(getattr(value, "dtype", "")) and callable(getattr(value, "float", None)):
        value = value.float()  # NumPy has no such numbers
    if isinstance(value, (list, tuple)):
        value = [as_array(part) for part in value]
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    try:
        array = np.asarray(value)
    except Exception as error:
        raise ValueError(f"{type(value).__name__} cannot be made an array: {error}") from error
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            raise ValueError(f"{type(value).__name__} is no array of numbers") from None
    return array


class Call:
    """A callable under judgement, which remembers its last call for the message."""

    def __init__(self, check_name, function, names, example=""):
        if not callable(function):
            raise ValueError(f"{check_name} judges a function of ({', '.join(names)}), got {function!r}")
        self.check_name, self.function, self.names, self.example = check_name, function, names, example
        self.shown, self.changed = "", set()

    def __call__(self, *args):
        """What the function returns for copies of the arguments. Refused if it raises."""
        given = [_copied(arg) for arg in args]
        self.shown = f"{name_of(self.function)}({', '.join(map(_described, self.names, args))})"
        try:
            value = self.function(*given)
        except Exception as error:
            self.refuse(f"it raised {type(error).__name__}", f"{error}{_place(error)}. {self._needs()}")
        self.changed |= {name for name, arg, copy in zip(self.names, args, given, strict=False)
                         if isinstance(arg, np.ndarray) and not np.array_equal(arg, copy)}
        return value

    def array(self, shape, *args):
        """The returned array; Refused for another shape (None stands for any length), and for NaN or infinity."""
        value = self(*args)
        array = self.converted(value)
        if shape is not None and (array.ndim != len(shape) or any(
                want not in (None, have) for want, have in zip(shape, array.shape, strict=True))):
            lengths = ", ".join("any" if n is None else str(n) for n in shape)
            wanted = "one number" if shape == () else f"shape ({lengths})"
            self.refuse(f"it returned shape {array.shape}", f"Needed: {wanted}. {self._needs()}")
        if not np.isfinite(array).all():
            self.refuse("it returned NaN or infinity", f"{int(np.sum(~np.isfinite(array)))} of {array.size} numbers "
                        "are not finite. Usual reasons: the root of 0 (its derivative is infinite), log(0), exp of a "
                        "large number.")
        return array.astype(float)

    def converted(self, value):
        if value is None:
            self.refuse("it returned None", "Is there a `return`? (PyTorch's w.grad is None where no derivative "
                        f"arrives at w.) {self._needs()}")
        try:
            return as_array(value)
        except ValueError as error:
            self.refuse("it returned no array", f"{error}. {self._needs()}")

    def refuse(self, verdict, meaning):
        raise Refused(Verdict(self.check_name, False, verdict, meaning.strip(), {}, self.shown))

    def _needs(self):
        return f"It is called with ({', '.join(self.names)}), NumPy arrays and numbers, in this order. {self.example}"


def judged(check):
    """A check that answers with the verdict in Refused, if that is raised."""
    def answer(*args, **kwargs):
        try:
            return check(*args, **kwargs)
        except Refused as refused:
            return refused.verdict
    answer.__name__, answer.__doc__, answer.__wrapped__ = check.__name__, check.__doc__, check
    return answer


def takes(function, n):
    """Whether a function takes n arguments in order."""
    try:
        inspect.signature(function).bind(*range(n))
    except TypeError:
        return False
    except ValueError:  # a builtin has no signature
        return False
    return True


def far(value, wanted):
    """The largest difference as a share of the largest wanted number."""
    return float(np.max(np.abs(value - wanted), initial=0.0) / max(np.max(np.abs(wanted), initial=0.0), 1e-12))


def name_of(function):
    return getattr(function, "__name__", type(function).__name__)


def _copied(arg):
    if isinstance(arg, np.ndarray):
        return arg.copy()
    if isinstance(arg, tuple) and hasattr(arg, "_fields"):
        return type(arg)(*map(_copied, arg))
    return arg


def _described(name, arg):
    if isinstance(arg, np.ndarray):
        return f"{name}={arg.dtype}{list(arg.shape)}"
    if isinstance(arg, tuple) and hasattr(arg, "_fields"):
        return f"{name}={type(arg).__name__}({', '.join(map(_described, arg._fields, arg))})"
    return f"{name}={arg!r}"


def _place(error):
    """Where in the user's file the error came from."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None and __file__ == frame.tb_frame.f_code.co_filename:
        frame = frame.tb_next
    if frame is None or frame.tb_frame.f_code.co_filename == __file__:
        return ""
    return f"   at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
