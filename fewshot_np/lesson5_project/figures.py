"""The figures of lesson 5's run (not a page): what both wirings make of pairs, and answers with their examples."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from tqdm import tqdm

from fewshot_np.data.classes import to_float
from fewshot_np.data.glyphs import FACES, code_points_of
from fewshot_np.experiment.figures import BLUE, GREEN, ORANGE, STYLES, draw_image, new_figure, save_figure
from fewshot_np.lesson5_project.photos import SUREST, shorten

BROWN = "#B36B00"  # orange that can be read as text
ROW = 1.35             # height of an answer, with the title above it, when the side of an image's cell is 1
ANSWERS_A_PAGE = 30


def draw_wirings(numbers, distances, same, limits, test, rng, n_shown=8):
    """Left: where some characters land on the document's line. Then the distances of pairs in both wirings.

    numbers: (M,), the document's output for every test image.   distances: {title: (P,)}.   limits: their thresholds,
    or None.
    """
    figure, (line, *panels) = new_figure(12, 3.8, ncols=3, width_ratios=[1.25, 1, 1])
    draw_line(line, numbers, test, rng.choice(len(test), min(n_shown, len(test)), replace=False))
    for axes, (title, apart), limit in zip(panels, distances.items(), limits, strict=True):
        for kind, label, look in [(1, "same character", {"color": BLUE}),
                                  (0, "different", {"color": ORANGE, "hatch": "//"})]:
            axes.hist(apart[same == kind], np.linspace(0, 1, 26), edgecolor="white", linewidth=0.3, alpha=0.65,
                      label=label, **look)
        if limit is not None:
            axes.axvline(limit, color="black", linestyle="--", linewidth=1, label="threshold")
        axes.set(title=title, xlabel="distance")
        axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("pairs")
    for axes in (line, *panels):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_line(line, numbers, test, chosen):
    """A row for each chosen character, a mark for each of its drawings."""
    for row, label in enumerate(chosen):
        places = numbers[test.images_of[label]]
        line.plot(places, np.full(len(places), row), **{**STYLES[row % len(STYLES)], "linestyle": "none"}, alpha=0.7)
        example = line.inset_axes((-0.11, (row + 0.08) / len(chosen), 0.1, 0.84 / len(chosen)))
        draw_image(example, to_float(test.images[test.images_of[label][0]]))
    line.set(xlim=(-0.03, 1.03), ylim=(-0.5, len(chosen) - 0.5), yticks=[], xlabel="the one number",
             title=f"The document's wiring: {len(chosen)} characters on a line")


def draw_answers(queries, titles, answers, support, n_shown=5):
    """A row per query: the image, the answer, and the examples that it is most like, each with its probability.

    All rows share one pair of axes, because a pair for each image would take minutes for some hundred of them.
    """
    n_shown = min(n_shown, len(support.images))
    width, height = 3 + n_shown, ROW * len(queries)
    figure = Figure((1.1 * width + 0.4, 1.1 * height + 0.7))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.02, 0.96, 1 - 0.6 / figure.get_figheight() - 0.02))
    for row, (query, title, answer) in enumerate(zip(queries, titles, answers, strict=True)):
        draw_answer(axes, height - ROW * row - 1.2, query, title, answer, support, n_shown)
    axes.set(xlim=(-0.1, width), ylim=(0, height), aspect="equal", autoscale_on=False)
    axes.axis("off")
    figure.suptitle("What it is, %: so many of such answers are right; \"none of these\" and the\n"
                    "examples that it is most like, %: probability of same", fontsize=9,
                    y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def draw_answer(axes, bottom, query, title, answer, support, n_shown):
    """One row of `draw_answers`; images are 1 x 1 and stand on the height `bottom`."""
    known = answer.label is not None
    colour = GREEN if known else ORANGE
    draw_in_cell(axes, 0, bottom, query, drawable([Path(title).name], 0, 20), colour)
    best = answer.probabilities.argmax()
    name = drawable(support.names, best, 16)
    text = f"{name}\n{100 * min(answer.shares[best], SUREST):.0f} %" if known else \
        f"none of these\nnearest: {name},\n{100 * answer.probabilities[best]:.0f} %"
    axes.text(1.85, bottom + 0.5, text, ha="center", va="center", fontsize=9 if known else 8,
              color=GREEN if known else BROWN, weight="bold")
    for column, position in enumerate(answer.nearest[:n_shown]):
        label = support.labels[position]
        draw_in_cell(axes, 2.9 + column, bottom, to_float(support.images[position]),
                     f"{drawable(support.names, label, 12)} {100 * answer.alike[position]:.0f} %",
                     GREEN if label == answer.label else None)


def draw_in_cell(axes, left, bottom, image, title, colour=None, side=0.9):
    """An image (H,W,1), ink 1, in a square of the axes, with a frame and its title above."""
    axes.imshow(1 - image[..., 0], cmap="gray", vmin=0, vmax=1, extent=(left, left + side, bottom, bottom + side))
    axes.add_patch(Rectangle((left, bottom), side, side, fill=False, edgecolor=colour or "#BBBBBB",
                             linewidth=2.5 if colour else 0.8))
    axes.text(left + side / 2, bottom + side + 0.06, title, ha="center", fontsize=7)


def save_answers(folder, queries, titles, answers, support):
    """Save `draw_answers` in the folder, ANSWERS_A_PAGE rows a page: answers.png, answers-2.png, ...; the paths.

    Pages of an earlier use with more photos are removed.
    """
    starts = range(0, len(queries), ANSWERS_A_PAGE)
    paths = [folder / ("answers.png" if start == 0 else f"answers-{page}.png") for page, start in enumerate(starts, 1)]
    for old in folder.glob("answers-*.png"):
        if old not in paths and old.stem.removeprefix("answers-").isdigit():
            old.unlink()
    for path, start in zip(paths, tqdm(starts, desc="drawing answers", unit=" pages", ascii=True, leave=False,
                                       disable=len(starts) < 2), strict=True):
        page = slice(start, start + ANSWERS_A_PAGE)
        save_figure(draw_answers(queries[page], titles[page], answers[page], support), path)
    return paths


def drawable(names, label, width):
    """The name of a class as the figures' font can show it, which has no Chinese; else its number."""
    known = set(map(ord, names[label])) <= code_points_of(FACES[0])
    return shorten(names[label], width) if known else f"class {label + 1}"
