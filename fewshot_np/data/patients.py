"""Real patients: the Wisconsin Diagnostic Breast Cancer table, 569 patients x 30 measurements, part of this package.

The measurements are of cell nuclei in an image of a fine needle aspirate; the label says what the biopsy found later.
Source, licence (CC BY 4.0) and what was changed stand at the head of `patients.csv`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

TABLE = Path(__file__).with_name("patients.csv")
CLASSES = ("benign", "malignant")  # the meaning of the labels 0 and 1


class Patients(NamedTuple):
    """features (M,F) float32, one row for each patient; labels (M,) integers, 1 is malignant; names of the features."""

    features: np.ndarray
    labels: np.ndarray
    names: tuple


def load(which="mean"):
    """All patients, with the 10 measurements of one kind: "mean" over the nuclei, "error" or "worst"; or "all" 30.

    Raises: ValueError for any other kind.
    """
    if which not in ("mean", "error", "worst", "all"):
        raise ValueError(f'which must be "mean", "error", "worst" or "all", got {which!r}')
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    names = lines[0].split(",")[1:]
    rows = np.array([line.split(",") for line in lines[1:]], dtype="float32")
    columns = [i for i, name in enumerate(names) if which == "all" or name.endswith(" " + which)]
    return Patients(rows[:, 1:][:, columns], rows[:, 0].astype(int), tuple(names[i] for i in columns))
