"""The pictures of the run: one curve from few of its points, and the error against the number of points."""

import numpy as np

from fewshot_np.experiment.figures import STYLES, new_figure


def draw_curves(fitters_of, task, points=(1, 3, 5, 10)):
    """One curve from its first points: the CNP above, MAML below; fitters_of(n) -> {method: curve fitter}."""
    x = np.linspace(-5, 5, 200, dtype="float32").reshape(1, -1, 1)
    figure, panels = new_figure(10, 5, nrows=2, ncols=len(points), sharex=True, sharey=True)
    for column, n in enumerate(points):
        support_x, support_y = task.support_x[:, :n], task.support_y[:, :n]
        fitters = fitters_of(n)
        for axes, family in zip(panels[:, column], ("CNP", "MAML"), strict=True):
            axes.plot(x[0, :, 0], whole_curve(task, x[0, :, 0]), color="#BBBBBB", linewidth=3, label="the curve")
            axes.plot(support_x[0, :, 0], support_y[0, :, 0], "k*", markersize=9, zorder=5, label="its points")
            axes.set_title(f"{family}, {n} point{'s' if n > 1 else ''}", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        for style, (name, fit) in zip(STYLES, fitters.items(), strict=False):
            axes = panels[0 if name == "CNP" else 1, column]
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
