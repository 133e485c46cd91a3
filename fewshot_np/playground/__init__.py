"""The playground: few-shot learners to play with in a browser, on your own drawings.

Everything that a learner answers is computed in the page (`page/`: HTML, CSS and JavaScript without a build step), by
the small networks of lessons 3 and 4. The pages of code here: `strokes` (from a drawing to pixels),
`networks` (what the page adds to the lessons' networks) and `weights` (the file in which it finds them), which
`export` makes.

    python -m fewshot_np.playground
"""

from fewshot_np.playground.networks import block_statistics, embed_with_statistics, head_for
from fewshot_np.playground.strokes import rasterise
from fewshot_np.playground.weights import read_arrays, write_arrays

__all__ = ["block_statistics", "embed_with_statistics", "head_for", "rasterise", "read_arrays", "write_arrays"]
