"""Few-shot learning and meta-learning from scratch in NumPy: the lessons are the library.

`python -m fewshot_np` prints the contents page.
"""

__version__ = "0.1.0"
