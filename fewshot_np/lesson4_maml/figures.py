"""The figures of lesson 4: the meta-loss of the text's two lines, and a curve learned step by step."""

import numpy as np

from fewshot_np.experiment.figures import BLACK, BLUE, STYLES, new_figure
from fewshot_np.lesson4_maml import adapted_after

# The text's two lines: their slopes, and the curvatures (sums of x squared) of their support and their query loss.
SLOPES, BEND_SUPPORT, BEND_QUERY = np.array([2.0, -1.0]), np.array([5.0, 10.0]), np.array([13.0, 20.0])
INNER_LR = 0.05


def two_lines_loss(start):
    """The mean query loss of the two lines after one inner step from `start`, an array of slopes: (S,) -> (S,)."""
    left = (1 - INNER_LR * BEND_SUPPORT) * (start[:, None] - SLOPES)  # what the step leaves of each distance
    return np.mean(BEND_QUERY / 2 * left**2, axis=1)


def two_lines_starts():
    """{name: the start where its training ends}: a mean of the two slopes, each weighed by what its gradient sees."""
    kept = 1 - INNER_LR * BEND_SUPPORT
    weights = {"pretrained": BEND_QUERY, "first order": BEND_QUERY * kept, "second order": BEND_QUERY * kept**2}
    return {name: float(weight @ SLOPES / weight.sum()) for name, weight in weights.items()}


def draw_two_lines():
    """The meta-loss against the start, and on it the starts where the three trainings end."""
    figure, axes = new_figure(7, 3.6)
    x = np.linspace(-0.6, 2, 200)
    axes.plot(x, two_lines_loss(x), color=BLACK, label="query loss after one inner step")
    for style, (name, start) in zip(STYLES, two_lines_starts().items(), strict=False):
        (loss,) = two_lines_loss(np.array([start]))
        axes.plot(start, loss, **{**style, "linestyle": "none"}, markersize=9,
                  label=f"{name}: start {start:.2f}, loss {loss:.2f}")
    axes.set(xlabel="start (slope before the inner step)", ylabel="mean over the two lines", ylim=(6, None),
             title="Where three trainings on two lines end")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def draw_sinusoids(network, loss, starts, rates, task, step_counts):
    """One curve, a panel for each start: what the network says before the first step and after some.

    task: an Episode of one task; its support are the points to learn from, its query, many points, draws the true
    curve.
    """
    figure, panels = new_figure(9, 3.4, ncols=len(starts), sharey=True)
    x = np.linspace(-5, 5, 200, dtype="float32").reshape(1, -1, 1)
    true_x, true_y = task.query_x[0, :, 0], task.query_y[0, :, 0]
    order = np.argsort(true_x)
    for axes, (name, start) in zip(panels, starts.items(), strict=True):
        axes.plot(true_x[order], true_y[order], color="#BBBBBB", linewidth=5, label="the true curve")
        for style, (steps, params) in zip(STYLES, adapted_after(loss, start, task, rates[name], step_counts),
                                          strict=False):
            label = "before" if steps == 0 else f"{steps} step{'s' if steps > 1 else ''}"
            axes.plot(x[0, :, 0], network.apply(params, x)[0, :, 0], **{**style, "marker": None}, label=label)
        axes.plot(task.support_x[0, :, 0], task.support_y[0, :, 0], "*", color=BLUE, markeredgecolor=BLACK,
                  markersize=11, zorder=9, label=f"its {task.support_x.shape[1]} points")
        axes.set(title=f"{name}: one new curve, learned step by step", xlabel="x")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("y")
    panels[0].legend(frameon=False, fontsize=8)
    return figure
