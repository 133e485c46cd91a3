"""The pictures of the run: how the learned rates are spread, and how fast three optimisers learn."""

import numpy as np

from fewshot_np.experiment.figures import BLACK, STYLES, new_figure


def named_rates(rates):
    """{"block1 w": its rates in a row, ...}, in the order of the network."""
    return {f"{layer} {name}": leaf.ravel() for layer, parameters in rates.items() for name, leaf in parameters.items()}


def draw_rates(rates, begin):
    """Left the spread of the rates of each layer; right those of the first convolution, one 3x3 square per kernel."""
    figure, (left, right) = new_figure(11, 4.6, ncols=2, width_ratios=(1.2, 1))
    named = named_rates(rates)
    left.boxplot(list(named.values())[::-1], orientation="horizontal", whis=(5, 95), widths=0.6, showfliers=False,
                 medianprops={"color": STYLES[0]["color"], "linewidth": 2})
    left.set_yticks(range(1, len(named) + 1), labels=list(named)[::-1], fontsize=8)
    left.axvline(0, color=BLACK, linewidth=0.8)
    left.axvline(begin, **{**STYLES[1], "marker": None}, label=f"where all began, {begin:g}")
    left.set(xlabel="learned rate", title="Half of a layer's rates in the box, 90 % in the whiskers")
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    w = rates["block1"]["w"]  # (3,3,C,O)
    tiles = tile(w[:, :, 0, :])
    reach = max(float(np.abs(w - begin).max()), 1e-6)
    image = right.imshow(tiles, cmap="PuOr", vmin=begin - reach, vmax=begin + reach)
    right.set(xticks=[], yticks=[], title=f"The {w.shape[-1]} kernels of the first convolution")
    right.spines[:].set_visible(False)
    figure.colorbar(image, ax=right, label=f"learned rate (white: {begin:g}, as it began)", shrink=0.85)
    return figure


def tile(kernels, columns=8):
    """Kernels (h,w,O) side by side, `columns` in a row, with NaN between them."""
    h, w, n = kernels.shape
    rows = -(-n // columns)
    tiles = np.full((rows * (h + 1) - 1, min(n, columns) * (w + 1) - 1), np.nan, "float32")
    for k in range(n):
        i, j = (k // columns) * (h + 1), (k % columns) * (w + 1)
        tiles[i:i + h, j:j + w] = kernels[:, :, k]
    return tiles


def draw_losses(losses, horizon, title, n_rates):
    """Mean loss against steps; grey: steps that the LSTM was not trained for."""
    figure, axes = new_figure(7.5, 4.3)
    for style, (name, values) in zip(STYLES, losses.items(), strict=False):
        steps = np.arange(1, values.shape[1] + 1)
        label = "LSTM, learned" if name == "LSTM" else f"{name}, at each step the best rate of {n_rates}"
        axes.plot(steps, values.mean(axis=0), **style, markevery=max(1, len(steps) // 10), label=label)
    axes.axvspan(horizon, len(steps), color="#EEEEEE", zorder=0)
    axes.text(horizon * 1.02, 0.03, "steps that the LSTM was not trained for", fontsize=8,
              transform=axes.get_xaxis_transform())
    axes.set(yscale="log", xlabel="steps", ylabel="mean squared error on the points", xlim=(0, len(steps)),
             title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure
