"""The pictures of the run: a curve from few of its points, the error against their number, and a growing boundary."""

import numpy as np

from fewshot_np.experiment.figures import BLUE, ORANGE, STYLES, new_figure
from fewshot_np.lesson6_model_based.patients import logistic_regression
from fewshot_np.lesson6_model_based.prior import N_FEATURES
from fewshot_np.lesson6_model_based.transformer import one_hot


def draw_curves(fitters_of, task, points=(1, 3, 5, 10)):
    """One curve from its first points: those who read above, MAML below; fitters_of(n) -> {method: curve fitter}."""
    x = np.linspace(-5, 5, 200, dtype="float32").reshape(1, -1, 1)
    figure, panels = new_figure(10, 5, nrows=2, ncols=len(points), sharex=True, sharey=True)
    for column, n in enumerate(points):
        support_x, support_y = task.support_x[:, :n], task.support_y[:, :n]
        fitters = fitters_of(n)
        for axes, family in zip(panels[:, column], ("reading", "MAML"), strict=True):
            axes.plot(x[0, :, 0], whole_curve(task, x[0, :, 0]), color="#BBBBBB", linewidth=3, label="the curve")
            axes.plot(support_x[0, :, 0], support_y[0, :, 0], "k*", markersize=9, zorder=5, label="its points")
            axes.set_title(f"{family}, {n} point{'s' if n > 1 else ''}", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        for style, (name, fit) in zip(STYLES, fitters.items(), strict=False):
            axes = panels[name.startswith("MAML") * 1, column]
            axes.plot(x[0, :, 0], fit(support_x, support_y)(x)[0, :, 0], **{**style, "marker": None}, label=name)
    lines = {line.get_label(): line for axes in panels[:, 0] for line in axes.lines}
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=len(lines), frameon=False, fontsize=9)
    return figure


def whole_curve(task, x):
    """The curve that a task's points were drawn from, at x: least squares with the right two functions.

    a sin(x - phase) is a cos(phase) sin x - a sin(phase) cos x: someone who knows the family needs two points. Neither
    the CNP nor MAML has been told.
    """
    def columns(x):
        return np.stack([np.sin(x), np.cos(x)], axis=-1)
    return columns(x) @ np.linalg.lstsq(columns(task.support_x[0, :, 0]), task.support_y[0, :, 0], rcond=None)[0]


def draw_errors(errors, most_in_training):
    """Error against the number of points, {(method, number): (mean, interval)}; grey: more than in training."""
    methods, points = dict.fromkeys(name for name, _ in errors), sorted({n for _, n in errors})
    figure, axes = new_figure(6.5, 4)
    for style, name in zip(STYLES, methods, strict=False):
        mean, interval = np.array([errors[name, n] for n in points]).T
        axes.errorbar(points, mean, interval, **style, capsize=2, label=name)
    axes.axvspan(most_in_training, points[-1], color="#EEEEEE", zorder=0)
    axes.text(most_in_training * 1.08, 0.97, "more than in training", transform=axes.get_xaxis_transform(), va="top",
              fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="points of the curve", ylabel="mean squared error on the rest",
             title="New curves, from few points")
    axes.set_xticks(points, labels=points)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


def draw_boundaries(network, rng, shots=(1, 2, 5, 10)):
    """Where two classes part, from more and more points: the transformer above, logistic regression below.

    network(support_x, support_y, query_x) -> logits. The features are two; the network's others are 0.
    """
    x, y = two_features(rng, max(shots))
    side = np.linspace(-2.2, 2.2, 80)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(1, -1, 2).astype("float32")
    figure, panels = new_figure(10, 5.2, nrows=2, ncols=len(shots), sharex=True, sharey=True)
    for column, k_shot in enumerate(shots):
        rows = np.concatenate([np.flatnonzero(y == c)[:k_shot] for c in (0, 1)])
        support = x[None, rows], y[None, rows]
        read = network(with_zeros(support[0]), one_hot(support[1], 2), with_zeros(grid))
        odds = {"transformer": read[..., 1] - read[..., 0], "logistic regression": logistic_regression(*support, grid)}
        for axes, (name, value) in zip(panels[:, column], odds.items(), strict=True):
            axes.contourf(side, side, 1 / (1 + np.exp(-value.reshape(80, 80))), np.linspace(0, 1, 11), cmap="PuOr",
                          alpha=0.6)
            axes.contour(side, side, value.reshape(80, 80), [0.0], colors="k", linewidths=1.5)
            axes.plot(side, true_boundary(side), color="#777777", linestyle=":", linewidth=1.5)
            for c, (colour, marker) in enumerate([(ORANGE, "s"), (BLUE, "o")]):
                axes.plot(*x[rows[y[rows] == c]].T, marker, color=colour, markeredgecolor="k", markersize=6)
            axes.set_title(f"{name}, {2 * k_shot} points", fontsize=9)
            axes.set(xticks=[], yticks=[], xlim=(-2.2, 2.2), ylim=(-2.2, 2.2))
    figure.supxlabel("line: what they say; dots: the rule from which the points were drawn", fontsize=9)
    return figure


def true_boundary(first):
    return 0.9 * np.sin(1.6 * first)


def two_features(rng, k_shot):
    """Points of a rule with a bend, k_shot or more of each class: (M,2) float32 and labels (M,)."""
    x = rng.uniform(-2, 2, (8 * k_shot, 2)).astype("float32")
    return x, (x[:, 1] > true_boundary(x[:, 0])).astype(int)


def with_zeros(x):
    """(T,M,2) -> (T,M,F)."""
    return np.concatenate([x, np.zeros((*x.shape[:2], N_FEATURES - x.shape[2]), "float32")], axis=-1)
