"""The figures of lesson 8's run."""

import numpy as np

from fewshot_np.experiment.figures import BLACK, STYLES, new_figure
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson8_comparison.methods import METHODS, METRIC, MODEL, OPTIMISATION

LOOKS = dict(zip(["nothing learned", "pretraining", METRIC, OPTIMISATION, MODEL],
                 [STYLES[6], STYLES[2], STYLES[0], STYLES[1], STYLES[3]], strict=True))


def draw_scatter(results, milliseconds, options):
    """Accuracy {(name, statistics): (E,)} against the time that a new task takes; hollow: batch norm sees queries."""
    figure, axes = new_figure(8, 5)
    means = {key: mean_confidence_interval(100 * values) for key, values in results.items()}
    points, seen = {}, set()
    for (name, statistics), (mean, half) in means.items():
        family, x = METHODS[name].family, milliseconds[name]
        look = {**LOOKS[family], "linestyle": "none"}
        if statistics in ("support", None):
            points[name] = x, mean
            axes.errorbar(x, mean, yerr=half, **look, capsize=3, label="_" if family in seen else family)
            seen.add(family)
        else:
            axes.plot([x, x], [points[name][1], mean], color="#BBBBBB", linewidth=1, zorder=1)
            axes.plot(x, mean, **look, fillstyle="none", zorder=2)
    axes.set(xscale="log", xlabel="milliseconds for a new task, one core: its support, and the answer to a first query",
             ylabel=f"accuracy in %, with the 95 % interval (guessing: {100 / options.n_way:.0f})",
             title=f"{options.n_way}-way {options.k_shot}-shot; filled: statistics of the support, "
                   "hollow: of queries, too")
    axes.margins(x=0.15)
    spacing = 0.038 * np.ptp(axes.get_ylim())
    heights = label_heights(points, spacing)
    axes.set_ylim(top=max(axes.get_ylim()[1], max(heights.values()) + spacing))  # a label may be above all points
    for name, height in heights.items():
        axes.annotate(name, (points[name][0], height), xytext=(9, 0), textcoords="offset points", fontsize=8,
                      va="center")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure


def label_heights(points, spacing):
    """{name: y} beside its point (x, y) of a logarithmic x axis, higher where it would lie on a neighbour's label."""
    heights = {}
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1][1]):
        near = [heights[other] for other in heights if 0.45 < points[other][0] / x < 2.2]
        heights[name] = max([y, *(height + spacing for height in near)])
    return heights


def draw_matrix(values, pairs, order):
    """Row minus column of all pairs, on the same episodes; grey where the interval contains 0.

    values: {name: accuracies (E,)}; pairs: their `paired_differences`; order: the names, the best first.
    """
    n = len(order)
    figure, axes = new_figure(max(9, 0.7 * n), max(6.4, 0.5 * n))
    largest = max(abs(mean) for mean, _ in pairs.values()) or 1
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xticks=range(n), yticks=range(n), xticklabels=order,
             yticklabels=order)
    for row, a in enumerate(order):
        mean, half = mean_confidence_interval(100 * values[a])
        axes.text(row, row, f"{mean:.1f}\n±{half:.1f}", ha="center", va="center", fontsize=8, fontweight="bold")
        for column, b in enumerate(order[:row]):
            mean, half = pairs[a, b]
            clear = abs(mean) > half
            color = (*_rgb(STYLES[1]["color"]), 0.15 + 0.7 * abs(mean) / largest) if clear else "#EEEEEE"
            axes.fill_between([column - 0.48, column + 0.48], row - 0.48, row + 0.48, color=color, linewidth=0)
            axes.text(column, row, f"{100 * mean:+.1f}\n±{100 * half:.1f}", ha="center", va="center", fontsize=8,
                      color=BLACK if clear else "#777777")
    axes.tick_params(axis="x", rotation=35, length=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Accuracy (diagonal), and row minus column on the same episodes, in points with the 95 % interval.\n"
                   f"Grey: the interval contains 0. Of {n * (n - 1) // 2} pairs that are alike, it would miss 0 in "
                   f"about {round(n * (n - 1) / 40)} by chance",
                   fontsize=9)
    return figure


def _rgb(color):
    return tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))
