"""A picture of a wrong answer, beside what was expected, where a picture says more than four lines.

`PICTURES` says which exercises have one, and what it shows: a function (exercise, answer, clock) -> figure, or None.
"""

from functools import partial

import numpy as np

from fewshot_np.experiment.figures import BLUE, ORANGE, new_figure, save_figure
from lessons.teacher.checking import load
from lessons.teacher.comparing import attempt, cases_of, comparisons_of, deviation_of, fits
from lessons.teacher.sandbox import Clock, call

SECONDS = 2.0  # for all calls of a picture together


def picture(exercise, path):
    """The name of the PNG that was drawn beside the answers, else None: no picture, or an answer that returns none."""
    draw = PICTURES.get(exercise.id)
    clock = Clock(SECONDS)
    loaded = call(load, (path,), path, clock) if draw else None
    answer = getattr(loaded.value, exercise.name, None) if loaded else None
    figure = draw(exercise, answer, clock) if callable(answer) else None
    if figure is None:
        return None
    return str(save_figure(figure, exercise.folder / f"picture_{exercise.id}.png"))


# ---------------------------------------------------------------- kinds of pictures


def _returned(answer, inputs, like, clock):
    """What the answer returns for a case, as an array; None where it raises or has another shape."""
    outcome = attempt(lambda inputs: answer(*inputs.values()), inputs, answer, clock)
    return np.asarray(outcome.value, float) if not outcome.error and fits(outcome.value, like) else None


def _first_wrong(exercise, answer, clock, suits):
    """(case, expected, returned) of the first case with a wrong value that `suits`, else None."""
    for case, (value, *_) in zip(cases_of(exercise), comparisons_of(exercise), strict=True):
        expected = np.asarray(value.expected, float)
        if suits(expected):
            mine = _returned(answer, case.inputs, value.expected, clock)
            if mine is not None and deviation_of(mine, value.expected) > exercise.tolerance:
                return case, expected, mine
    return None


def matrices(exercise, answer, clock):
    """Distances, scores or an image: expected and yours as shades with their numbers."""
    found = _first_wrong(exercise, answer, clock, lambda a: 2 <= np.squeeze(a).ndim <= 2 and a.size > 3)
    if not found:
        return None
    case, *pair = found
    pair = [np.squeeze(a) for a in pair]
    figure, axes = new_figure(8, 3.6, ncols=2)
    finite = np.concatenate([a[np.isfinite(a)] for a in pair])
    for ax, title, a in zip(axes, ("expected", "yours"), pair, strict=True):
        ax.imshow(a, cmap="Blues", vmin=finite.min(initial=0), vmax=2 * finite.max(initial=0.1), aspect="auto")
        ax.set(title=title, xticks=range(a.shape[1]), yticks=range(a.shape[0]))
        if a.size <= 80:
            for (row, column), number in np.ndenumerate(a):
                ax.text(column, row, f"{number:.3g}", ha="center", va="center")
    figure.suptitle(f"{exercise.name}: {case.name}")
    return figure


def embeddings(exercise, answer, clock):
    """Points of three classes in the plane, and the prototypes that were expected and returned."""
    rng = np.random.default_rng(0)
    labels = np.array([2, 0, 1, 1, 0, 2, 2])
    points = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]])[labels] + rng.normal(size=(7, 2)) * 0.6
    inputs = {"embeddings": points, "labels": labels, "n_way": 3}
    expected = np.asarray(exercise.reference(**inputs))
    mine = _returned(answer, inputs, expected, clock)
    if mine is None or deviation_of(mine, expected) <= exercise.tolerance:
        return None
    figure, ax = new_figure(6, 4.5)
    for (x, y), label in zip(points, labels, strict=True):
        ax.plot(x, y, marker=f"${label}$", color="black", ls="none", markersize=8)
    for name, at, colour, marker, fill, above in (("expected", expected, BLUE, "o", "none", 6),
                                                  ("yours", mine, ORANGE, "X", ORANGE, -14)):
        ax.plot(*at.T, marker, color=colour, label=name, markersize=11, markerfacecolor=fill)
        for label, (x, y) in enumerate(at):
            ax.annotate(f"{name} {label}", (x, y), color=colour, xytext=(10, above), textcoords="offset points")
    ax.set(title="prototypes; a black number is an example, and its label")
    ax.margins(0.2)
    ax.legend()
    return figure


def curve(name, inputs_at, xs, label, exercise, answer, clock, scale="linear"):
    """The answer and the reference as curves over one number: inputs_at(x) are the arguments."""
    def values(f):
        outcome = call(lambda: np.array([np.ravel(np.asarray(f(*inputs_at(x)), float)) for x in xs]), (),
                       getattr(getattr(f, "__code__", None), "co_filename", None), clock)
        return outcome.value
    expected, mine = values(exercise.reference), values(answer)
    if mine is None or mine.shape != expected.shape or deviation_of(mine, expected) <= exercise.tolerance:
        return None
    figure, axes = new_figure(7, 4)
    for title, rows, style in (("expected", expected, {"color": BLUE}), ("yours", mine, {"color": ORANGE, "ls": "--"})):
        for i, row in enumerate(rows.T):
            axes.plot(xs, row, label=title if not i else None, lw=2.5, **style)
    axes.set_xscale(scale, **({"linthresh": 1e-3} if scale == "symlog" else {}))
    axes.set(xlabel=label, title=name)
    axes.legend()
    return figure


def episode(exercise, answer, clock):
    """A drawn task: a row per class, a column per image, and what each image became in the support and the query."""
    case = cases_of(exercise)[0]

    def draw(f):
        outcome = call(lambda: f(*case.inputs.values(), np.random.default_rng(0)), (), None, clock)
        try:
            ids, y, query_ids, query_y = (np.asarray(a).astype(int).ravel() for a in outcome.value)
            return [(*pair, "S") for pair in zip(ids, y, strict=True)] + [
                (*pair, "Q") for pair in zip(query_ids, query_y, strict=True)]
        except (TypeError, ValueError):
            return None
    drawn = [draw(exercise.reference), draw(answer)]
    if None in drawn:
        return None
    figure, axes = new_figure(9, 4, ncols=2)
    place = {image: (column, row) for row, images in enumerate(case.inputs["images_of"])
             for column, image in enumerate(images)}
    for ax, title, task in zip(axes, ("a right one, drawn by chance", "yours"), drawn, strict=True):
        ax.plot(*np.array(list(place.values())).T, "s", color="#dddddd", markersize=17)
        texts = {}
        for image, label, part in task:
            texts.setdefault(image, []).append(f"{part}{label}")
        for image, words in texts.items():
            if image in place:
                ax.text(*place[image], "\n".join(words), ha="center", va="center", fontsize=9 if len(words) == 1 else 7,
                        color=BLUE if words[0][0] == "S" else "#A04000")
        ax.set(title=title, ylabel="class", xlabel="image of the class", yticks=range(len(case.inputs["images_of"])))
        ax.invert_yaxis()
    figure.suptitle("S1: support with label 1; Q1: query; two signs on one image: drawn twice")
    return figure


def _pair_at(same):
    return lambda d: (np.zeros((1, 2)), np.array([[d, 0.0]]), np.array([same]), 2.0)


def contrastive(exercise, answer, clock):
    """The loss of one pair over its distance: for the same class and, where that is right, for different ones."""
    for same, kind in ((1, "the same class"), (0, "different classes")):
        figure = curve(f"contrastive loss of a pair of {kind}, margin 2", _pair_at(same), np.linspace(0.01, 4, 60),
                       "distance", exercise, answer, clock)
        if figure:
            return figure
    return None


PICTURES = {
    "hunger.2": matrices, "hunger.5": matrices, "hunger.6": matrices, "hunger.7": matrices,
    "episodes.1": episode,
    "zero_shot.1": matrices,
    "metric.1": embeddings, "metric.2": matrices, "metric.4": matrices,
    "siamese.1": contrastive,
    "siamese.2": partial(curve, "distance", lambda x: (np.array([[0.0, 1.0]]), np.array([[x, 1.0]])),
                         np.linspace(-2, 2, 81), "b - a in the first feature"),
    "project.1": matrices,
    "optimizer.3": partial(curve, "preprocess, p = 5: both numbers", lambda x: (np.array([x]), 5.0),
                           np.concatenate([-np.logspace(1, -4, 80), np.logspace(-4, 1, 80)]), "gradient",
                           scale="symlog"),
}
