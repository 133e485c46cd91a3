"""The figures of lesson 3, part 2: how steeply the accuracy rises from each start, and how the trainings went."""

import numpy as np

from fewshot_np.experiment.figures import STYLES, new_figure


def draw_curves(options, results, starts, counts):
    """Accuracy against steps of fine-tuning (counts), a panel per number of examples; bands are 95 % intervals."""
    figure, panels = new_figure(9, 4, ncols=len(results), sharey=True, squeeze=False)
    for axes, (k_shot, intervals) in zip(panels[0], results.items(), strict=True):
        for size, style, name in zip((5, 9, 5, 5), STYLES, starts, strict=False):  # the second lies under the third
            mean, half = 100 * np.array([intervals[name, steps, "support"] for steps in counts]).T
            axes.plot(range(len(counts)), mean, **style, markersize=size, label=name)
            axes.fill_between(range(len(counts)), mean - half, mean + half, color=style["color"], alpha=0.2)
        axes.axhline(100 * intervals["nearest pixels"][0], color="black", linewidth=1, label="nearest pixels")
        axes.axhline(100 / options.n_way, color="#999999", linewidth=1, linestyle=":", label="guessing")
        axes.set(title=f"{k_shot} example{'s' if k_shot > 1 else ''} of each character", xlabel="steps of fine-tuning",
                 xticks=range(len(counts)), xticklabels=counts)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("accuracy in %")
    panels[0, -1].legend(frameon=False, fontsize=8)
    return figure


def draw_training(options, histories):
    """Accuracy on validation classes against the images that training has read, with repetitions."""
    images_per_iteration = {"pretraining": options.pretraining_batch,
                            "Reptile": options.meta_batch * options.inner_steps * options.inner_batch}
    figure, axes = new_figure(6.5, 3.6)
    for style, (name, history) in zip(STYLES[1::2], histories.items(), strict=False):
        if history["validation"]:
            iterations, accuracy = np.array(history["validation"]).T
            axes.plot(iterations * images_per_iteration[name] / 1000, 100 * accuracy, **style, markersize=4, label=name)
    axes.set(title="The two trainings, each fine-tuned for 5 steps on 40 validation tasks",
             xlabel="thousand images read", ylabel="accuracy in %", xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure
