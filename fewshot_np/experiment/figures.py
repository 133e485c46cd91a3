"""Figures without a display (the Figure class, never pyplot), in the Okabe-Ito colours, which are colour-blind safe."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fewshot_np.data.files import write_atomically

BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")

# lines differ in colour, marker and dashes, so that they can be told apart in a grey print, too
STYLES = [{"color": BLUE, "marker": "o", "linestyle": "-"}, {"color": ORANGE, "marker": "s", "linestyle": "--"},
          {"color": GREEN, "marker": "^", "linestyle": "-."}, {"color": PINK, "marker": "D", "linestyle": ":"},
          {"color": SKY, "marker": "v", "linestyle": "-"}, {"color": RED, "marker": "P", "linestyle": "--"},
          {"color": BLACK, "marker": "X", "linestyle": "-."}]


def new_figure(width=7.0, height=4.0, **subplots):
    """A figure of width x height inches and its axes; `subplots` as in `Figure.subplots` (nrows, ncols, ...)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(**subplots)


def save_figure(figure, path):
    """Save the figure as a PNG file, in one step; returns the path."""
    with write_atomically(path) as file:
        figure.savefig(file, format="png", dpi=130, facecolor="white")
    return Path(path)


def draw_image(axes, image, frame=None, title=None):
    """Show an image (H,W,1), ink 1 on paper 0, as ink on paper, with a coloured frame."""
    axes.axis("on")
    axes.imshow(1 - image[..., 0], cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=frame or "#BBBBBB", linewidth=2.5 if frame else 0.8)
    if title:
        axes.set_title(title, fontsize=8, color=frame or BLACK)


def draw_episode(support_x, support_y, query_x, query_y, predictions, title, n_shown=5):
    """One episode as a figure: a row per class, its support on the left, some queries on the right.

    support_x (M,H,W,C), support_y (M,), query_x, query_y alike; predictions (M,) for the queries. A query has a
    green frame and "right" where the prediction is right, else an orange one and the class that it was taken for.
    """
    n_way = int(support_y.max()) + 1
    k_shot, n_query = (min(n_shown, int(np.bincount(labels).max())) for labels in (support_y, query_y))
    figure, axes = new_figure(0.85 * (k_shot + n_query + 1), 0.95 * n_way + 0.4, nrows=n_way,
                              ncols=k_shot + 1 + n_query, squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for label in range(n_way):
        for column, image in enumerate(support_x[support_y == label][:n_shown]):
            draw_image(axes[label, column], image, title=f"class {label}")
        for column, query in enumerate(np.flatnonzero(query_y == label)[:n_shown], start=k_shot + 1):
            right = predictions[query] == label
            draw_image(axes[label, column], query_x[query], frame=GREEN if right else RED,
                       title="right" if right else f"taken for {predictions[query]}")
    figure.suptitle(title, fontsize=10)
    return figure


def draw_learning_curve(history, title, validation_label="accuracy on validation classes"):
    """Training loss, smoothed, and the validation values of `training.train`'s history, side by side."""
    figure, (left, right) = new_figure(8, 3.2, ncols=2)
    loss = np.asarray(history["loss"])
    window = max(1, len(loss) // 50)
    smooth = np.convolve(loss, np.full(window, 1 / window), mode="valid")
    left.plot(loss, color="#CCCCCC", linewidth=0.6, label="each iteration")
    left.plot(np.arange(len(smooth)) + window - 1, smooth, color=BLUE, label=f"mean over {window}")
    left.set(xlabel="iteration", ylabel="training loss", ylim=(0, np.percentile(loss, 99) * 1.1))
    left.legend(frameon=False, fontsize=8)
    if history["validation"]:
        right.plot(*zip(*history["validation"], strict=True), **STYLES[1])
    right.set(xlabel="iteration", ylabel=validation_label)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_accuracy_curves(curves, shots, n_way, other_images):
    """Accuracy with its interval against images per class; arguments as in `report.print_curves`."""
    figure, axes = new_figure(6.5, 4)
    for style, (name, (mean, interval)) in zip(STYLES, curves.items(), strict=False):
        axes.errorbar(shots, 100 * mean, 100 * interval, **style, capsize=3,
                      label=f"{name} (images of other classes: {other_images[name]:,})")
    axes.axhline(100 / n_way, color=BLACK, linewidth=0.8, linestyle=":", label="guessing")
    axes.set_xscale("log")
    axes.set_xticks(shots, [str(k_shot) for k_shot in shots])
    axes.set_xticks([], minor=True)
    axes.set(xlabel=f"images of each of the {n_way} classes", ylabel="new images recognised, %", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center")
    return figure
