"""Figures: no display, no pyplot, whole files, and an episode that shows what was right and what was not."""

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

import fewshot_np
from fewshot_np.experiment import figures
from tests.scaffolding import files

ROOT = Path(__file__).parents[2]


def shown(figure):
    """(title, colour of the frame) of every image."""
    return [(axes.get_title(), to_hex(axes.spines["left"].get_edgecolor()).upper())
            for axes in figure.axes if axes.images]


def episode_of(support_y, query_y, predictions, **settings):
    rng = np.random.default_rng(0)
    support_y, query_y = np.asarray(support_y), np.asarray(query_y)
    support_x, query_x = (rng.uniform(size=(len(y), 6, 6, 1)) for y in (support_y, query_y))
    return figures.draw_episode(support_x, support_y, query_x, query_y, np.asarray(predictions), "title", **settings)


@pytest.mark.parametrize("backend", [{}, {"MPLBACKEND": "tkagg"}])
def test_no_lesson_imports_pyplot_or_needs_a_display(tmp_path, backend):
    modules = [module.name for module in pkgutil.walk_packages(fewshot_np.__path__, "fewshot_np.")
               if not module.name.endswith("__main__")]
    assert "fewshot_np.lesson4_maml" in modules
    program = "\n".join([
        "import sys",
        *(f"import {name}" for name in modules),
        "from fewshot_np.experiment.figures import new_figure, save_figure",
        "save_figure(new_figure()[0], 'empty.png')",
        "print('matplotlib.pyplot' in sys.modules, 'tkinter' in sys.modules)"])
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env=environment | {"PYTHONPATH": str(ROOT)} | backend)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "False"]
    assert (tmp_path / "empty.png").stat().st_size > 0


# ---------------------------------------------------------------- files


def test_a_figure_is_saved_as_png_and_its_path_given_back(tmp_path):
    figure, axes = figures.new_figure(4, 2)
    axes.plot([1, 2, 3])
    path = figures.save_figure(figure, str(tmp_path / "new" / "line.png"))
    assert path == tmp_path / "new" / "line.png"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (4 * 130, 2 * 130)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert files(path.parent) == ["line.png"]


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    first, second = (figures.save_figure(episode_of([0, 1], [0, 1], [0, 0]), tmp_path / name).read_bytes()
                     for name in ("a.png", "b.png"))
    assert first == second


# ---------------------------------------------------------------- what they show


def test_styles_differ_in_colour_marker_and_dashes_and_have_the_colours_of_okabe_and_ito():
    colours, markers, dashes = ({style[key] for style in figures.STYLES} for key in ("color", "marker", "linestyle"))
    assert (len(colours), len(markers), len(dashes)) == (len(figures.STYLES), len(figures.STYLES), 4)
    okabe_ito = {"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"}
    named = {value for name, value in vars(figures).items() if name.isupper() and name != "STYLES"}
    assert named == colours == okabe_ito


def test_ink_is_drawn_dark_on_light():
    _, axes = figures.new_figure()
    figures.draw_image(axes, np.array([[[0.0], [1.0]]]))
    (picture,) = axes.images
    np.testing.assert_array_equal(picture.get_array(), [[1, 0]])
    assert (picture.get_cmap().name, picture.get_clim()) == ("gray", (0, 1))


def test_an_episode_frames_right_and_wrong_answers():
    (first, *row), (second, *_) = np.split(np.array(shown(episode_of([0, 1], [0, 0, 1, 1], [0, 1, 1, 0]))), 2)
    assert [tuple(image) for image in row] == [("right", figures.GREEN), ("taken for 1", figures.RED)]
    assert (first[0], second[0]) == ("class 0", "class 1")


def test_an_episode_shows_at_most_so_many_of_each():
    for n_shown, settings in ((5, {}), (2, {"n_shown": 2})):
        assert len(shown(episode_of([0] * 7 + [1] * 7, [0] * 9 + [1] * 9, [0] * 18, **settings))) == 4 * n_shown


@pytest.mark.parametrize(("support_y", "query_y"), [
    ([0, 1, 1, 2], [0, 0, 0, 1, 2]),   # class 0 has the fewest shots and the most queries
    ([0, 0, 1, 2], [0, 1, 1, 2, 2]),
    ([2, 1, 0], [2, 2, 1, 0]),         # in another order
])
def test_an_episode_of_unequal_numbers_shows_them_all_and_no_empty_frame(support_y, query_y):
    figure = episode_of(support_y, query_y, query_y)
    wanted = [f"class {label}" for label in support_y] + ["right"] * len(query_y)
    assert sorted(title for title, _ in shown(figure)) == sorted(wanted)
    assert all(axes.images or not axes.axison for axes in figure.axes)


@pytest.mark.parametrize("validation", [[], [(3, 0.2), (6, 0.4)]])
@pytest.mark.parametrize("n", [1, 2, 60, 200, 500])
def test_a_learning_curve_of_any_length_and_its_mean_over_the_last_iterations(tmp_path, n, validation):
    loss, window = 2 / np.arange(1, n + 1), max(1, n // 50)
    figure = figures.draw_learning_curve({"loss": loss.tolist(), "validation": validation}, "title", "rows correct")
    left, right = figure.axes
    raw, smooth = left.lines
    np.testing.assert_array_equal(raw.get_ydata(), loss)
    x, y = smooth.get_data()
    assert x[-1] == n - 1
    np.testing.assert_allclose(y, [loss[int(i) - window + 1:int(i) + 1].mean() for i in x])
    assert [list(zip(*line.get_data(), strict=True)) for line in right.lines] == [validation] * bool(validation)
    assert right.get_ylabel() == "rows correct"
    figures.save_figure(figure, tmp_path / "curve.png")
