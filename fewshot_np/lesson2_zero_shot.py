"""Lesson 2: zero-shot learning. Recognise characters of which you have seen no example at all, from their names.

Without examples something else must say what a new class looks like: **side information**. From images alone zero-shot
recognition is impossible: exchange the names of two classes never seen, and nothing that the learner has seen changes,
but every right answer becomes a wrong one. (Some introductions forget to say so.)

Here the side information is the name that Unicode gives a character, because it describes the drawing:

  LATIN SMALL LETTER E WITH TILDE    two parts: a letter and a mark
  CANADIAN SYLLABICS PI              two parts: a consonant, which is a shape, and a vowel, which turns it
  BRAILLE PATTERN DOTS-1235          eight parts: each dot is raised or flat

A learner that has seen every part, but never these together, can put the new character together. The method is ESZSL,
"an embarrassingly simple approach to zero-shot learning" (Romera-Paredes & Torr 2015): two matrix inversions.

    python -m fewshot_np.lesson2_zero_shot
"""

import re
import time
import unicodedata
from functools import partial

import numpy as onp
from autograd import numpy as np
from tqdm import tqdm

from fewshot_np.data import glyphs
from fewshot_np.data.cache import cached
from fewshot_np.data.classes import to_float
from fewshot_np.experiment.figures import GREEN, RED, STYLES, draw_image, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval
from fewshot_np.nn.primitives import conv2d, relu

# ---------------------------------------------------------------- names, and what they say

MARKS = ("ACUTE|GRAVE|DOUBLE ACUTE|DOUBLE GRAVE|CIRCUMFLEX|CARON|BREVE|INVERTED BREVE|TILDE|MACRON|DIAERESIS|DOT ABOVE|"
         "RING ABOVE|HOOK ABOVE|DOT BELOW|LINE BELOW|CIRCUMFLEX BELOW|TILDE BELOW|COMMA BELOW|CEDILLA|OGONEK|HORN")

# The groups of a pattern are the parts of a name. A group that is left out is a part, too: the empty string.
NAMES = {
    "Latin": rf"LATIN ((?:SMALL|CAPITAL) LETTER \w+) WITH ({MARKS})",
    "Canadian": r"CANADIAN SYLLABICS (P|T|K|C|M|N|S|SH|Y|L|R|F|TH|W|NG|LH)?(E|AAI|I|II|O|OO|A|AA)",
    "Braille": r"BRAILLE PATTERN DOTS-(1)?(2)?(3)?(4)?(5)?(6)?(7)?(8)?",
}
QUICK_NAMES = {
    "Latin": rf"LATIN (SMALL LETTER [AEIOU]) WITH ({MARKS})",
    "Canadian": r"CANADIAN SYLLABICS (P|T|K|M|N|S)(E|I|II|O|OO|A|AA)",
    "Braille": r"BRAILLE PATTERN DOTS-(1)?(2)?(3)?(4)?(5)?(6)?",
}
LEAST_SEEN = 3  # seen classes that have a part: with fewer, one could not tell what the part looks like


def characters(pattern):
    """The characters whose name matches (see NAMES) and that the fonts have: (code points, names, parts).

    parts: a tuple per character with one value per part of its name, as in ("SMALL LETTER E", "TILDE"). A character
    with a rare part is left out: when it is held out, each part must be left in LEAST_SEEN others.
    """
    found = []
    for code_point in sorted(frozenset().union(*map(glyphs.code_points_of, glyphs.FACES))):
        name = unicodedata.name(chr(code_point), "")
        if match := re.fullmatch(pattern, name):
            found.append((code_point, name, match.groups(default="")))
    while True:
        rows = signatures([parts for _, _, parts in found])
        counts = rows.sum(axis=0)
        common = [one for one, row in zip(found, rows, strict=True) if counts[row > 0].min() > LEAST_SEEN]
        if len(common) == len(found):
            return tuple(zip(*found, strict=True))
        found = common  # what was left out may have made another part rare


def signatures(parts):
    """What is known of the classes, as numbers: (Z, A), a row per class, one 1 for each of its parts, else 0.

    parts: Z tuples of the same length. The A columns are the different values of the first part, then those of the
    second, ...: ("E", "TILDE") has a 1 in the column "E" and a 1 in the column "TILDE".
    """
    columns = sorted({(place, value) for one in parts for place, value in enumerate(one)})
    return onp.array([[float(one[place] == value) for place, value in columns] for one in parts])


def drawings(code_points, seed):
    """The characters, drawn by a steady hand in their place in the line: (Z, DRAWINGS, SIZE, SIZE, 1) uint8.

    Not centred and not scaled to one size: a comma above would be a comma below, and one dot of Braille as any other.
    """
    hand = {"rotation": 6, "shear": 0.15, "stretch": 0.1, "shift": 1.2, "elastic": 0.8}

    def draw_all():
        progress = tqdm(code_points, desc="rendering", unit=" characters", ascii=True, leave=False)
        return onp.stack([glyphs.draw_character(code_point, seed, "em", **hand) for code_point in progress])

    name = "em-" + "-".join(f"{key}{value}" for key, value in hand.items())
    return cached(f"{name}-{glyphs.cache_name(code_points, seed)}", draw_all)


def split_unseen(signatures, share, rng):
    """(seen, unseen): positions of the classes, drawn so that `share` of them are unseen, but no part of them is.

    Every column that a class has a 1 in has one in LEAST_SEEN seen classes, too. ValueError where not one class can be
    spared.
    """
    left, unseen = signatures.sum(axis=0), []
    for one in rng.permutation(len(signatures)):
        if len(unseen) < share * len(signatures) and left[signatures[one] > 0].min() > LEAST_SEEN:
            unseen.append(one)
            left = left - signatures[one]
    if not unseen:
        raise ValueError(f"of {len(signatures)} classes none can be held out: each has a part that {LEAST_SEEN} or "
                         "fewer classes have")
    return onp.setdiff1d(onp.arange(len(signatures)), unseen), onp.sort(unseen)


# ---------------------------------------------------------------- features: what is known of an image
#
# Nothing is trained here. Random filters, a ReLU and a mean over cells do surprisingly well (Jarrett et al. 2009):
# a filter finds strokes of one direction, the mean forgives where exactly in its cell a stroke lies.


def pixels(images):
    """The ink itself: (M,H,W,1) -> (M, H W)."""
    return images.reshape(len(images), -1)


def random_convolution(kernels, images, cell=4):
    """relu of the convolution with random kernels (k,k,1,O), averaged over cells: (M,H,W,1) -> (M, (H/cell)(W/cell)O).

    H and W must be multiples of `cell`.
    """
    maps = relu(conv2d(images, kernels, padding="same") - 0.1)  # (M,H,W,O); what is faint counts as paper
    m, height, width, filters = maps.shape
    cells = maps.reshape(m, height // cell, cell, width // cell, cell, filters)
    return cells.mean(axis=(2, 4)).reshape(m, -1)


def random_kernels(filters, rng, side=7):
    """(side, side, 1, filters) float32, each of mean 0: on plain paper and in plain ink it finds nothing."""
    kernels = rng.standard_normal((side, side, 1, filters)) / side
    return (kernels - kernels.mean(axis=(0, 1))).astype("float32")


def features_of(images, extract):
    """`extract` on all drawings (Z, n, H, W, 1), class by class to save memory: (Z, n, D)."""
    return onp.stack([extract(to_float(of_class)) for of_class in images])


# ---------------------------------------------------------------- ESZSL
#
# A linear classifier W (D,Z) scores class z of an image with features f by f W[:, z]: a class without images gets no
# column. ESZSL makes the columns from the signatures, W = V S': the score is f V s_z. What is learned, V (D,A), says
# how a *part* looks. A new class is a new row of S. With the features F (M,D) of the seen images, the signatures
# S (Z,A) of the seen classes, and Y (M,Z), 1 for the image's class and -1 for the others (' transposes), V minimises
#
#   |F V S' - Y|^2  +  gamma |V S'|^2  +  lam |F V|^2  +  gamma lam |V|^2.
#
# gamma keeps the classifiers W = V S' small; lam keeps the images small where they are mapped to parts, F V; the last
# term is there because with it everything comes out even. Half of the gradient is zero at the minimum:
#
#   F' (F V S' - Y) S + gamma V S'S + lam F'F V + gamma lam V = 0
#   F'F V S'S + gamma V S'S + lam F'F V + gamma lam V = F'Y S
#   (F'F + gamma I) V (S'S + lam I) = F'Y S                        multiply it out: these are the four terms
#   V = (F'F + gamma I)^-1  F'Y S  (S'S + lam I)^-1.
#
# In float64: single precision would lose the small eigenvalues of F'F, and nothing is iterated here.


def eszsl(features, labels, signatures, gamma, lam):
    """V (D,A), which scores classes by `features @ V @ signatures.T`. Romera-Paredes & Torr 2015, section 3.

    features (M,D) and labels (M,) of the seen images, signatures (Z,A) of the seen classes, one row per label.
    gamma, lam: regularisers of the features and of the signatures, above 0. ValueError for others, for labels that
    are not 0...Z-1, and where there is not one label per row of features.
    """
    if not (gamma > 0 and lam > 0):
        raise ValueError(f"gamma and lam must be above 0, got {gamma} and {lam}")
    if onp.shape(labels) != features.shape[:1]:
        raise ValueError(f"features {features.shape} need labels {features.shape[:1]}, got {onp.shape(labels)}")
    (n_features, n_parts), y = (features.shape[1], signatures.shape[1]), targets(labels, len(signatures))
    left = features.T @ features + gamma * onp.eye(n_features)       # (D,D)
    right = signatures.T @ signatures + lam * onp.eye(n_parts)       # (A,A), symmetric as `left` is
    v = onp.linalg.solve(left, features.T @ (y @ signatures))        # (D,A)
    return onp.linalg.solve(right, v.T).T


def targets(labels, n_classes):
    """Y (M,Z): 1 for the image's own class, -1 for all others. ValueError for labels that are not 0...Z-1."""
    if onp.min(labels) < 0 or onp.max(labels) >= n_classes:
        raise ValueError(f"labels must lie in 0...{n_classes - 1}, got {onp.min(labels)}...{onp.max(labels)}")
    return 2.0 * onp.eye(n_classes)[labels] - 1


def eszsl_objective(v, features, labels, signatures, gamma, lam):
    """What `eszsl` minimises: a number. It is here to be differentiated: the gradient at `eszsl`'s answer is 0."""
    w, parts = v @ signatures.T, features @ v                        # (D,Z), (M,A)
    error = features @ w - targets(labels, len(signatures))          # (M,Z)
    return np.sum(error ** 2) + gamma * np.sum(w ** 2) + lam * np.sum(parts ** 2) + gamma * lam * np.sum(v ** 2)


def fit(features, signatures, gamma, lam):
    """ESZSL on n images of each seen class, features (Z, n, D), as parameters {"mean", "scale", "v"}.

    The features are centred and scaled with what *these* images say: statistics of unseen ones would be a leak.
    """
    rows = features.reshape(-1, features.shape[-1]).astype(float)
    params = {"mean": rows.mean(axis=0), "scale": 1 / rows.std()}
    labels = onp.repeat(onp.arange(len(features)), features.shape[1])
    return {**params, "v": eszsl(standardised(params, rows), labels, signatures, gamma, lam)}


def standardised(params, features):
    """Centred, scaled, and a constant 1 more, so that a score may have an offset: (..., D) -> (..., D + 1)."""
    scaled = (features - params["mean"]) * params["scale"]
    return onp.concatenate([scaled, onp.ones((*scaled.shape[:-1], 1))], axis=-1)


def scores(params, features, signatures):
    """The score of each class for each image, (..., D), (Z, A) -> (..., Z); the classes may be seen, unseen or both."""
    return standardised(params, features) @ params["v"] @ signatures.T


# ---------------------------------------------------------------- the regularisers, chosen without the unseen

GAMMAS = (1e1, 1e2, 1e3, 1e4)
LAMS = (1e-2, 1e-1, 1e0, 1e1)


def choose_regularisers(features, signatures, rng):
    """(gamma, lam), and the accuracies that decided, (len(GAMMAS), len(LAMS)); features (Z, n, D) of seen classes.

    Zero-shot learning is rehearsed: some of the *seen* classes play the unseen, the others teach. The truly unseen
    must not decide: an accuracy for which they had been asked before would flatter.
    """
    teach, play = split_unseen(signatures, 0.2, rng)

    def rehearse(gamma, lam):
        params = fit(features[teach], signatures[teach], gamma, lam)
        return accuracy(scores(params, features[play], signatures[play]), onp.arange(len(play)))

    table = onp.array([[rehearse(gamma, lam) for lam in LAMS] for gamma in GAMMAS])
    row, column = onp.unravel_index(table.argmax(), table.shape)
    return (GAMMAS[row], LAMS[column]), table


def accuracy(scores, labels):
    """The share of images whose class has the highest score: scores (Z, n, number of classes), labels (Z,)."""
    return float(accuracies(scores, onp.repeat(labels[:, None], scores.shape[1], axis=1)).mean())


def harmonic_mean(seen, unseen):
    """2 s u / (s + u) of two accuracies: low where one of them is, and 0 where both are 0."""
    return 2 * seen * unseen / max(seen + unseen, 1e-9)


# ---------------------------------------------------------------- the measurement

N_TRAIN = 15  # drawings of each seen class to learn from; the others test whether the seen are still known


def measure(features, signatures, seen, unseen, rng):
    """Everything about one split of the classes: {name: accuracy}, the rehearsals, and the answers for the unseen.

    "unseen": unseen classes, told apart from each other.   "shuffled": the same with their names exchanged.
    "all: ...": any class may be the answer, as outside the laboratory (*generalised* zero-shot learning); "harmonic"
    is the harmonic mean of the accuracies for seen and unseen (Xian et al. 2017).
    The answers (unseen classes, n) are positions among the unseen.
    """
    training = features[seen][:, :N_TRAIN]
    (gamma, lam), rehearsals = choose_regularisers(training, signatures[seen], rng)
    params = fit(training, signatures[seen], gamma, lam)
    of_unseen = scores(params, features[unseen], signatures)
    of_seen = scores(params, features[seen][:, N_TRAIN:], signatures)
    among, order = of_unseen[..., unseen], onp.arange(len(unseen))
    s, u = accuracy(of_seen, seen), accuracy(of_unseen, unseen)
    found = {"guessing": 1 / len(unseen), "unseen": accuracy(among, order),
             "shuffled": accuracy(among, rng.permutation(order)), "all: guessing": 1 / len(signatures),
             "all: seen": s, "all: unseen": u, "all: harmonic": harmonic_mean(s, u)}
    return found, rehearsals, among.argmax(axis=-1)


def run_writing(writing, options, extractors):
    """All splits of one writing with all features; prints a table, returns (metrics, rehearsals, examples).

    Both features meet the same splits; the interval says how much depends on which characters are unseen.
    The examples, some answers for unseen characters, are those of the last split and features.
    """
    code_points, names, parts = characters((QUICK_NAMES if options.quick else NAMES)[writing])
    images, attributes = drawings(code_points, options.seed), signatures(parts)
    results = {}
    for kind, extract in extractors.items():
        rng, measured = onp.random.default_rng(options.seed), []
        features = features_of(images, extract)
        for _ in tqdm(range(options.repetitions), desc=f"{writing}, {kind}", ascii=True, leave=False):
            seen, unseen = split_unseen(attributes, 0.2, rng)
            measured.append(measure(features, attributes, seen, unseen, rng))
        results[kind] = {name: mean_confidence_interval([found[name] for found, *_ in measured])
                         for name in measured[0][0]}
    _print_writing(writing, results, len(seen), len(unseen), names[unseen[0]])
    metrics = {f"{writing}, {kind}, {name}": {"mean": mean, "interval": interval}
               for kind, of_kind in results.items() for name, (mean, interval) in of_kind.items()}
    rehearsals = onp.mean([table for _, table, _ in measured], axis=0)
    return metrics, rehearsals, _examples(images[unseen], [names[k] for k in unseen], measured[-1][2], rng)


def _examples(images, names, answers, rng, n_shown=8):
    """[(image, its name, the name that was answered)] of random images of different classes."""
    chosen = [(k, rng.integers(images.shape[1])) for k in rng.choice(len(images), n_shown, replace=False)]
    return [(to_float(images[k, n]), names[k], names[answers[k, n]]) for k, n in chosen]


def _print_writing(writing, results, n_seen, n_unseen, example):
    def row(label, of_kind, *names):
        cells = [f"{100 * mean:.1f} ± {100 * interval:.1f}" for mean, interval in (of_kind[name] for name in names)]
        print(f"  {label:19}" + "".join(f"{cell:>14}" for cell in cells))

    print(f"\n{writing}: learned from {n_seen} characters, tested on {n_unseen} others, as\n  {example}\n"
          f"  {'':26}unseen      any character may be the answer\n"
          f"  {'accuracy, %':19}{'among unseen':>14}{'seen':>14}{'unseen':>14}{'harmonic mean':>15}")
    *_, last = results.values()
    row("guessing", last, "guessing", *["all: guessing"] * 3)
    for kind, of_kind in results.items():
        row(kind, of_kind, "unseen", "all: seen", "all: unseen", "all: harmonic")
    row("... names shuffled", last, "shuffled")


# ---------------------------------------------------------------- figures


def draw_accuracies(metrics, rehearsals):
    """Unseen characters told apart, by writing and features; and how much the regularisers decide (Latin)."""
    figure, (left, right) = new_figure(9, 3.6, ncols=2, width_ratios=(3, 2))
    kinds = list(dict.fromkeys(key.split(", ")[1] for key in metrics))
    bars = [("guessing", kinds[0], "guessing"), *((kind, kind, "unseen") for kind in kinds)]
    for place, ((label, kind, name), style) in enumerate(zip(bars, STYLES, strict=False)):
        found = [metrics[f"{writing}, {kind}, {name}"] for writing in NAMES]
        positions = onp.arange(len(NAMES)) + 0.27 * (place - 1)
        left.bar(positions, [100 * m["mean"] for m in found], 0.25, yerr=[100 * m["interval"] for m in found],
                 color=style["color"], label=label)
    left.set(xticks=range(len(NAMES)), xticklabels=list(NAMES), ylim=(0, 100), ylabel="accuracy, %",
             title="Unseen characters, told apart by name")
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    right.imshow(rehearsals, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in onp.ndenumerate(rehearsals):
        right.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    right.set(xticks=range(len(LAMS)), xticklabels=[f"{lam:g}" for lam in LAMS], xlabel="lam",
              yticks=range(len(GAMMAS)), yticklabels=[f"{gamma:g}" for gamma in GAMMAS], ylabel="gamma",
              title="Rehearsal on seen Latin letters, %")
    return figure


def draw_predictions(examples):
    """Drawings of unseen characters with the names they were given; examples: {writing: [(image, name, answer)]}."""
    n_shown = max(map(len, examples.values()))
    figure, axes = new_figure(1.3 * n_shown, 1.75 * len(examples), nrows=len(examples), ncols=n_shown, squeeze=False)
    for row, (writing, shown) in zip(axes, examples.items(), strict=True):
        for panel, (image, name, answer) in zip(row, shown, strict=True):
            right = name == answer
            draw_image(panel, image, GREEN if right else RED, _short(answer))
            panel.set_xlabel("" if right else f"is {_short(name)}", fontsize=7)
        row[0].set_ylabel(writing)
    figure.suptitle("Characters never seen, and the names they were given", fontsize=11)
    return figure


def _short(name):
    """A name on two lines at most: "LATIN SMALL LETTER E WITH TILDE" -> "small e", "with tilde"."""
    for word in ("LATIN ", "LETTER ", "CANADIAN SYLLABICS ", "BRAILLE PATTERN "):
        name = name.replace(word, "")
    return name.lower().replace(" with", "\nwith")


# ---------------------------------------------------------------- the run


def main(argv=None):
    options = parse_options(
        "lesson2_zero_shot", "Zero-shot learning: recognise characters never seen from their Unicode names.",
        {"repetitions": 10, "filters": 24}, quick={"repetitions": 2, "filters": 8},
        full={"repetitions": 50, "filters": 96}, argv=argv)
    if options.data != "glyphs":
        raise ValueError(f"--data {options.data}: zero-shot learning needs side information, something that describes "
                         "the classes nobody has seen. Glyphs have Unicode names; Omniglot's characters have only "
                         "numbers, and a folder's name says nothing of its images. Leave --data out")
    started = time.perf_counter()
    print("Characters of which it has seen no example, recognised by their Unicode names.\n"
          f"Mean and 95 % interval over {options.repetitions} random splits into seen and unseen.")
    kernels = random_kernels(options.filters, onp.random.default_rng(options.seed))
    extractors = {"pixels": pixels, "random convolution": partial(random_convolution, kernels)}
    metrics, rehearsals, examples = {}, {}, {}
    for writing in NAMES:
        more, rehearsals[writing], examples[writing] = run_writing(writing, options, extractors)
        metrics |= more
    pictures = [save_figure(draw_accuracies(metrics, rehearsals["Latin"]), options.out / "accuracy.png"),
                save_figure(draw_predictions(examples), options.out / "predictions.png")]
    record = write_record(options.out, "lesson2_zero_shot", options, time.perf_counter() - started, metrics)
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, record])
          + "\nNext:    python -m fewshot_np.lesson3_metric")


if __name__ == "__main__":
    run(main)
