"""Where images come from: each source returns `ImageClasses`."""

from fewshot_np.data.classes import ImageClasses

__all__ = ["ImageClasses"]
