"""The figures of lesson 3, part 1: how the trainings went, and one task as points, before training and after it."""

import numpy as np

from fewshot_np.experiment.figures import STYLES, draw_image, new_figure
from fewshot_np.lesson2_episodes import accuracies
from fewshot_np.lesson3_metric import embed, principal_components, prototypes, prototypical_scores, ways


def draw_training(histories):
    """Validation accuracy of every method against the iterations."""
    figure, axes = new_figure(7.5, 4)
    styles = [*STYLES, *({"color": "#777777", "marker": "*", "linestyle": line} for line in ("-", "--"))]
    for style, (name, history) in zip(styles, histories.items(), strict=False):
        axes.plot(*zip(*history["validation"], strict=True), **style, markersize=4, label=name)
    axes.set(title=f"One network, trained in {len(histories)} ways on equally many images", xlabel="iteration",
             ylabel="accuracy on validation classes")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def draw_embedding(network, start, trained, episode):
    """One task before and after training: its embeddings, seen from where they spread most, and their prototypes."""
    n_way = ways(episode)
    figure, panels = new_figure(10, 4.3, ncols=3, width_ratios=[1, 6, 6])
    styles = [{**STYLES[n % len(STYLES)], "linestyle": "none"} for n in range(n_way)]
    draw_examples(panels[0], episode, styles)
    for axes, params, when in zip(panels[1:], (start, trained), ("before", "after"), strict=True):
        right = accuracies(prototypical_scores(network, params, episode, "support"), episode.query_y)[0]
        support, query = (part[0] for part in embed(network, params, episode, "support"))
        draw_points(axes, support, query, episode, styles)
        axes.set(title=f"{when} training: {100 * right:.0f} % of this task right", xticks=[], yticks=[],
                 aspect="equal", adjustable="datalim")
    panels[1].set_xlabel("filled: support; hollow: queries; star: prototype")
    panels[2].set_xlabel(f"the 2 of {support.shape[1]} directions in which the points spread most")
    return figure


def draw_examples(axes, episode, styles):
    """One example of each class, one under the other, beside its marker."""
    first = [np.flatnonzero(episode.support_y[0] == n)[0] for n in range(len(styles))]
    draw_image(axes, np.concatenate(episode.support_x[0, first]))
    side = episode.support_x.shape[2]
    for n, style in enumerate(styles):
        axes.plot(-0.35 * side, (n + 0.5) * side - 0.5, **style)
    axes.axis("off")


def draw_points(axes, support, query, episode, styles):
    """Support and query embeddings, (NK,D) and (NQ,D), in two dimensions, with the prototypes."""
    labels_s, labels_q = episode.support_y[0], episode.query_y[0]
    points = principal_components(np.concatenate([support, query]))
    points_s, points_q = points[:len(support)], points[len(support):]
    centres = prototypes(points_s, labels_s, len(styles))  # a projection is linear, so the mean stays the mean
    for n, style in enumerate(styles):
        axes.plot(*points_s[labels_s == n].T, **style)
        axes.plot(*points_q[labels_q == n].T, **style, fillstyle="none")
        axes.plot(*centres[n], "*", color=style["color"], markersize=18, markeredgecolor="black")
