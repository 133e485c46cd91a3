"""Figures of the zero-shot run: accuracies and rehearsals, and some answers."""

import numpy as np

from fewshot_np.experiment.figures import GREEN, RED, STYLES, draw_image, new_figure
from fewshot_np.lesson2_zero_shot import GAMMAS, LAMS, NAMES


def draw_accuracies(metrics, rehearsals):
    """Unseen characters told apart, by writing and features; and how much the regularisers decide (Latin)."""
    figure, (left, right) = new_figure(9, 3.6, ncols=2, width_ratios=(3, 2))
    draw_bars(left, metrics)
    right.imshow(rehearsals, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(rehearsals):
        right.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    right.set(xticks=range(len(LAMS)), xticklabels=[f"{lam:g}" for lam in LAMS], xlabel="lam",
              yticks=range(len(GAMMAS)), yticklabels=[f"{gamma:g}" for gamma in GAMMAS], ylabel="gamma",
              title="Rehearsal on seen Latin letters, %")
    return figure


def draw_bars(axes, metrics):
    """A group of bars per writing: guessing, and the accuracy among unseen with each kind of features."""
    kinds = list(dict.fromkeys(key.split(", ")[1] for key in metrics))
    bars = [("guessing", kinds[0], "guessing"), *((kind, kind, "unseen") for kind in kinds)]
    for place, ((label, kind, name), style) in enumerate(zip(bars, STYLES, strict=False)):
        shown = [metrics[f"{writing}, {kind}, {name}"] for writing in NAMES]
        axes.bar(np.arange(len(NAMES)) + 0.27 * (place - 1), [100 * m["mean"] for m in shown], 0.25,
                 yerr=[100 * m["interval"] for m in shown], color=style["color"], label=label)
    axes.set(xticks=range(len(NAMES)), xticklabels=list(NAMES), ylim=(0, 100), ylabel="accuracy, %",
             title="Unseen characters, told apart by name")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def draw_predictions(examples):
    """Drawings of unseen characters with the names they were given; examples: {writing: [(image, name, answer)]}."""
    n_shown = max(map(len, examples.values()))
    figure, axes = new_figure(1.3 * n_shown, 1.75 * len(examples), nrows=len(examples), ncols=n_shown, squeeze=False)
    for row, (writing, shown) in zip(axes, examples.items(), strict=True):
        for panel, (image, name, answer) in zip(row, shown, strict=True):
            right = name == answer
            draw_image(panel, image, GREEN if right else RED, short_name(answer))
            panel.set_xlabel("" if right else f"is {short_name(name)}", fontsize=7)
        row[0].set_ylabel(writing)
    figure.suptitle("Characters never seen, and the names they were given", fontsize=11)
    return figure


def short_name(name):
    """A name on two lines at most: "LATIN SMALL LETTER E WITH TILDE" -> "small e", "with tilde"."""
    for word in ("LATIN ", "LETTER ", "CANADIAN SYLLABICS ", "BRAILLE PATTERN "):
        name = name.replace(word, "")
    return name.lower().replace(" with", "\nwith")
