"""The corrected Keras version of the document's network on the Chinese front page, where Keras is installed."""

import re
from pathlib import Path

import numpy as np
import pytest

from fewshot_np.lesson5_project import siamese_network
from fewshot_np.nn.trees import leaves

PAGE = Path(__file__).parents[2] / "README.zh.md"


def test_it_builds_a_siamese_network_of_as_many_parameters_as_lesson_5s_and_trains():
    pytest.importorskip("keras", reason="Keras is not installed")
    names = {}
    exec(re.search(r"^```py\n(import keras.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M).group(1), names)
    model, rng = names["model"], np.random.default_rng(0)
    assert model.count_params() == sum(leaf.size for leaf in leaves(siamese_network().init(rng)))
    first, second = rng.random((2, 8, 28, 28, 1), dtype=np.float32)
    same = np.arange(8) % 2
    np.testing.assert_allclose(model.predict([first, second], verbose=0), model.predict([second, first], verbose=0))
    before = model.evaluate([first, second], same, verbose=0)[0]
    model.fit([first, second], same, epochs=5, verbose=0)
    assert model.evaluate([first, second], same, verbose=0)[0] < before
