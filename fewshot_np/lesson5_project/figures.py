"""The figures of lesson 5's run (not a page): what both wirings make of pairs, and answers with their examples."""

from pathlib import Path

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.glyphs import FACES, code_points_of
from fewshot_np.experiment.figures import BLUE, GREEN, ORANGE, STYLES, draw_image, new_figure
from fewshot_np.lesson5_project.photos import shorten

BROWN = "#B36B00"  # orange that can be read as text


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
    """A row per query: the image, the answer, and the examples that it is most like, each with its probability."""
    n_shown = min(n_shown, len(support.images))
    figure, axes = new_figure(1.1 * (n_shown + 1) + 1.9, 1.3 * len(queries) + 0.5, nrows=len(queries),
                              ncols=n_shown + 2, squeeze=False, width_ratios=[1, 1.6] + [1] * n_shown)
    for row, query, title, answer in zip(axes, queries, titles, answers, strict=True):
        known = answer.label is not None
        draw_image(row[0], query, GREEN if known else ORANGE)
        row[0].set_title(drawable([Path(title).name], 0, 18), fontsize=8)
        row[1].axis("off")
        text = drawable(support.names, answer.label, 16) if known else "none of these"
        row[1].text(0.5, 0.5, f"{text}\n{100 * answer.probabilities.max():.0f} %", ha="center", va="center",
                    color=GREEN if known else BROWN, weight="bold", transform=row[1].transAxes)
        for panel, position in zip(row[2:], answer.nearest, strict=False):
            label = support.labels[position]
            draw_image(panel, support.images[position] / 255, GREEN if label == answer.label else None)
            panel.set_title(f"{drawable(support.names, label, 12)} {100 * answer.alike[position]:.0f} %", fontsize=8)
    figure.suptitle("What it is, and the examples that it is most like; %: probability of same", fontsize=10)
    return figure


def drawable(names, label, width):
    """The name of a class as the figures' font can show it, which has no Chinese; else its number."""
    known = set(map(ord, names[label])) <= code_points_of(FACES[0])
    return shorten(names[label], width) if known else f"class {label + 1}"
