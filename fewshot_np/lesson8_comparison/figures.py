"""The figures of lesson 8's run."""

import numpy as np

from fewshot_np.experiment.figures import BLACK, STYLES, new_figure
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson8_comparison.methods import METHODS, METRIC, MODEL, OPTIMISATION

LOOKS = dict(zip(["nothing learned", "pretraining", METRIC, OPTIMISATION, MODEL],
                 [STYLES[6], STYLES[2], STYLES[0], STYLES[1], STYLES[3]], strict=True))


def draw_scatter(results, milliseconds, options):
    """Accuracy {(name, statistics): (E,)} against the time that a new task takes; hollow: batch norm sees queries."""
    figure, axes = new_figure(8, 5.6)
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
    write_names(axes, points)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure


def write_names(axes, points):
    """Write each name beside its point (x, y) of a logarithmic x axis, with a thin line where it had to move."""
    spacing = 0.034 * np.ptp(axes.get_ylim())
    low, high = axes.get_xlim()
    gap = (high / low) ** 0.015
    left = {name: place for name, place in points.items() if right_is_taken(name, points, spacing)}
    right = {name: place for name, place in points.items() if name not in left}
    for here, outermost, shift, align in (left, min, 1 / gap, "right"), (right, max, gap, "left"):
        for name, (x, y) in label_places(here, spacing, outermost).items():
            axes.annotate(name, points[name], xytext=(x * shift, y), fontsize=8, ha=align, va="center",
                          arrowprops={"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.6, "shrinkA": 0})
            axes.set_ylim(top=max(axes.get_ylim()[1], y + spacing))  # a name may be higher than all points


def right_is_taken(name, points, spacing):
    """Whether a name to the right of its point would lie on another point, so that it has to stand on the left."""
    x, y = points[name]
    return any(1.1 < other / x < 3 and abs(height - y) < 2 * spacing for other, height in points.values())


def label_places(points, spacing, outermost):
    """{name: (x, y)} of the labels of points (x, y): their own, or in a stack where they would lie on each other.

    A stack lies around the mean of its points, in their order, at the `outermost` (min or max) of their x.
    """
    stacks = []
    for name in sorted(points, key=lambda name: points[name][1]):
        stack = [name]
        while hit := next((other for other in stacks if overlap(other, stack, points, spacing)), None):
            stacks.remove(hit)
            stack = sorted(hit + stack, key=lambda name: points[name][1])
        stacks.append(stack)
    return {name: (outermost(points[other][0] for other in stack), height)
            for stack in stacks for name, height in zip(stack, heights(stack, points, spacing), strict=True)}


def heights(stack, points, spacing):
    return np.mean([points[name][1] for name in stack]) + spacing * (np.arange(len(stack)) - (len(stack) - 1) / 2)


def overlap(a, b, points, spacing):
    """Whether labels of two stacks would lie on each other; a label is about as wide as a factor 2.2 of x."""
    near = any(1 / 2.2 < points[one][0] / points[two][0] < 2.2 for one in a for two in b)
    gaps = np.subtract.outer(heights(a, points, spacing), heights(b, points, spacing))
    return near and np.abs(gaps).min() < 0.999 * spacing


def draw_matrix(values, pairs, order):
    """Row minus column of all pairs, on the same episodes; grey where the interval contains 0.

    values: {name: accuracies (E,)}; pairs: their `paired_differences`; order: the names, the best first.
    """
    n = len(order)
    figure, axes = new_figure(max(9, 0.7 * n), max(6.4, 0.5 * n))
    largest = max(abs(mean) for mean, _ in pairs.values()) or 1
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), yticks=range(n), yticklabels=order)
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
    axes.tick_params(length=0)
    axes.set_xticks(range(n), order, rotation=35, ha="right", rotation_mode="anchor")
    axes.spines[:].set_visible(False)
    axes.set_title("Accuracy (diagonal), and row minus column on the same episodes, in points with the 95 % interval.\n"
                   f"Grey: the interval contains 0. If all methods were equal, about {round(n * (n - 1) / 40)} of the "
                   f"{n * (n - 1) // 2} intervals would still miss it",
                   fontsize=9)
    return figure


def _rgb(color):
    return tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))
