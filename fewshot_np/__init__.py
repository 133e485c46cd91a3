"""Few-shot learning and meta-learning from scratch in NumPy: the lessons are the library.

`python -m fewshot_np` prints the contents page.
"""

import sys

__version__ = "0.1.0"


def _stopped_while_importing(kind, error, trace, otherwise=sys.excepthook):
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("\nstopped by hand, before anything had begun\n")
    else:
        otherwise(kind, error, trace)


# a run ends by itself after Ctrl-C (`experiment.options.run`), but it is imported first, which takes a second
if sys.argv[:1] == ["-m"] and any(word.startswith(__name__) for word in sys.orig_argv):
    sys.excepthook = _stopped_while_importing
