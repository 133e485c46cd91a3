"""The figures of lesson 4's run (not a page): distances, ROC curves, and the pairs that are hardest to tell."""

import numpy as np

from fewshot_np.experiment.figures import BLUE, GREEN, ORANGE, RED, STYLES, draw_image, new_figure
from fewshot_np.lesson4_siamese.verification import roc_curve


def draw_distances(distances, same, margin):
    """Histograms of the test pairs' distances, with margin and chosen threshold; {panel: (distances, threshold)}."""
    figure, panels = new_figure(10.5, 3.5, ncols=len(distances), sharey=True)
    bins = np.linspace(0, 1.5 * margin, 46)
    for axes, (name, (apart, threshold)) in zip(panels, distances.items(), strict=True):
        for kind, label, look in [(1, "same character", {"color": BLUE}),
                                  (0, "different", {"color": ORANGE, "hatch": "//"})]:
            axes.hist(np.clip(apart[same == kind], 0, bins[-1]), bins, edgecolor="white", linewidth=0.3, alpha=0.65,
                      label=label, **look)
        axes.axvline(margin, color="#777777", linestyle=":", label="margin")
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
        axes.set(title=name, xlabel="distance")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("pairs")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_roc(distances, same):
    """ROC curves of {name: (distances, threshold)}, and on them the thresholds that were chosen."""
    figure, axes = new_figure(5.2, 5)
    for style, (name, (apart, threshold)) in zip(STYLES, distances.items(), strict=False):
        _, false_accepts, true_accepts = roc_curve(apart, same)
        axes.plot(false_accepts, true_accepts, **{**style, "marker": None}, label=name)
        axes.plot(*((apart[same == kind] < threshold).mean() for kind in (0, 1)), **style, markersize=8)
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.8)
    axes.plot([0, 1], [1, 0], color="#BBBBBB", linewidth=0.8, linestyle=":")
    axes.set(xlabel="different pairs taken for the same", ylabel="same pairs recognised", aspect="equal")
    axes.set_title("Marks: the thresholds chosen on other characters.\n"
                   "Grey: guessing; dotted: both errors are equal", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def draw_pairs(pairs, apart, threshold, n_shown=6):
    """The worst pairs: on the left one character, the largest distances; on the right two characters, the smallest."""
    figure, axes = new_figure(0.8 * (2 * n_shown + 1), 2.3, nrows=2, ncols=2 * n_shown + 1)
    for panel in axes.flat:
        panel.axis("off")
    for kind, sign, columns in [(1, -1, axes.T[:n_shown]), (0, 1, axes.T[n_shown + 1:])]:
        of_kind = np.flatnonzero(pairs.same == kind)
        for column, pair in zip(columns, of_kind[np.argsort(sign * apart[of_kind])], strict=False):
            frame = GREEN if (apart[pair] < threshold) == kind else RED
            draw_image(column[0], pairs.first_x[pair], frame, f"{apart[pair]:.1f}")
            draw_image(column[1], pairs.second_x[pair], frame)
    figure.suptitle("Left: one character in two drawings, the largest distances. Right: two characters, the smallest.\n"
                    f"Below {threshold:.1f} they are taken for the same: green is right, orange is wrong", fontsize=9)
    return figure
