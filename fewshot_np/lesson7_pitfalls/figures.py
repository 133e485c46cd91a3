"""The two figures of lesson 7."""

import numpy as np

from fewshot_np.experiment.figures import BLACK, BLUE, ORANGE, new_figure
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson7_pitfalls import in_groups


def draw_pitfalls(pitfalls):
    """Each pitfall's flattering accuracy and the honest one, joined, on a line of its own."""
    figure, axes = new_figure(8.5, 0.42 * len(pitfalls) + 1)
    for y, pitfall in enumerate(pitfalls):
        ends = [100 * values.mean() for values in (pitfall.honest, pitfall.flattering)]
        axes.plot(ends, [y, y], color="#BBBBBB", linewidth=1.5, zorder=1)
        for values, style in [(pitfall.honest, {"color": BLUE, "marker": "o", "label": "honest"}),
                              (pitfall.flattering, {"color": ORANGE, "marker": "D", "label": "flattering"})]:
            mean, interval = mean_confidence_interval(values)
            axes.errorbar(100 * mean, y, xerr=100 * interval, capsize=3, linestyle="none",
                          **{**style, "label": style["label"] if y == 0 else None})
        axes.annotate(f"{ends[1] - ends[0]:+.1f}", (max(ends), y), xytext=(14, 0), textcoords="offset points",
                      va="center", fontsize=8)
    axes.set(yticks=range(len(pitfalls)), yticklabels=[pitfall.name for pitfall in pitfalls],
             xlabel="accuracy, %, with the 95 % interval", title="How accuracies lie")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#EEEEEE")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", fontsize=8)
    return figure


def draw_luck(values, short_length, honest, seeds):
    """How far results on few and on many episodes, and those of several seeds, lie from their own mean.

    values: all accuracies of one network, to be cut into short tests of short_length episodes and into tests as long
    as the honest one.   honest: (E,).   seeds: (seeds, E).
    """
    short, long = (in_groups(values, size) for size in (short_length, len(honest)))
    figure, axes = new_figure(7.5, 4)
    band = 100 * mean_confidence_interval(honest)[1]
    axes.axhspan(-band, band, color=BLUE, alpha=0.12, linewidth=0)
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(short))
    axes.plot(jitter, 100 * (short.mean(axis=-1) - values.mean()), ".", color=ORANGE)
    for centre, groups, color, marker in [(1, long - values.mean(), BLUE, "o"), (2, seeds - seeds.mean(), BLACK, "s")]:
        for x, group in zip(centre + np.linspace(-0.2, 0.2, len(groups)), groups, strict=True):
            mean, interval = mean_confidence_interval(group)
            axes.errorbar(x, 100 * mean, yerr=100 * interval, color=color, marker=marker, capsize=3, markersize=4)
    axes.set(xticks=range(3), ylabel="accuracy minus the mean of all, points",
             xticklabels=[f"one network,\n{len(short)} times {short_length} episodes",
                          f"the same network,\n{len(long)} times {len(honest)} episodes",
                          f"{len(seeds)} seeds of training,\n{len(honest)} episodes each"],
             title=f"Luck with episodes and with seeds (band: the interval of {len(honest)} episodes)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
