"""What only many draws show: classes, labels and images that come too often or too rarely. `np` is plain NumPy.

Every count is of something that a right sampler does with a probability that is known, independently in each episode.
Its exact binomial probability is multiplied by the number of counts, so the chance of a false alarm in *all* of them
together stays below the number that the verdict states.
"""

from math import comb, factorial

import numpy as np

from fewshot_np.referee.chance import tail, tail_of_unequal
from fewshot_np.referee.verdict import Finding


def unlikely_counts(drawn, known, n_way, k_shot, n_query, false_alarm, calls):
    """The findings among counts of repeated episodes, label orders, positions, classes, labels and images."""
    n_classes, n_images = len(known.counts), len(known.labels)
    tests = 3 + n_classes + n_classes * n_way + 2 * n_images
    level = false_alarm / tests / 2  # two sides
    repeated = _repeats(drawn, known, n_way, k_shot, n_query, level, calls)
    if repeated:
        return repeated  # then every other count is off as well
    label_of = _labels_of_classes(drawn, known)
    return (_order(drawn, label_of, n_way, level) + _positions(drawn, known, level)
            + _classes(label_of, known, n_way, level) + _images(drawn, known, label_of, n_way, k_shot, n_query, level))


def _repeats(drawn, known, n_way, k_shot, n_query, level, calls):
    """Two equal episodes: impossible in practice, whatever the order of the images."""
    keys = {(tuple(sorted(zip(e.support_y.tolist(), e.support.tolist(), strict=True))),
             tuple(sorted(zip(e.query_y.tolist(), e.query.tolist(), strict=True)))) for e in drawn}
    n, different = len(drawn), len(keys)
    smallest = min(known.counts)
    kinds = factorial(n_way) * comb(len(known.counts), n_way) * (
        comb(smallest, k_shot) * comb(smallest - k_shot, n_query)) ** n_way
    if different == n or n * n / 2 / kinds > level:
        return []
    evidence = {"different": f"{different} of {n} episodes"}
    if different == 1:
        return [Finding("every episode is the same", "The seed is ignored: a generator with a fixed seed is made "
                        "inside the sampler." if calls > 1 else "The iterator gives one episode again and again.",
                        evidence)]
    return [Finding("episodes come again", "There is a fixed list of tasks, or few seeds: training sees the same "
                    "tasks over and over.", evidence)]


def _labels_of_classes(drawn, known):
    """(E, C): the label of each class in each episode, -1 where it was not drawn."""
    label_of = np.full((len(drawn), len(known.counts)), -1)
    for row, episode in zip(label_of, drawn, strict=True):
        row[known.labels[episode.support]] = episode.support_y
    return label_of


def _order(drawn, label_of, n_way, level):
    """P(labels in the order of the classes' numbers) = 1 / N!."""
    ascending = sum(bool((np.diff(row[row >= 0]) > 0).all()) for row in label_of)
    p = 1 / factorial(n_way)
    if tail(ascending, len(drawn), p) > level:
        return []
    return [Finding("labels follow the order of the classes", "A network can learn which classes have small labels, "
                    "and score without looking at the support. Do not sort the classes that were drawn.",
                    {"in order": f"{ascending} of {len(drawn)} episodes, {p * len(drawn):.0f} expected"})]


def _positions(drawn, known, level):
    """The first example of label 0 and of label 1 stand at the same place of their classes: chance 1 / the larger."""
    same, probabilities = 0, []
    for e in drawn:
        firsts = [min(e.support[e.support_y == label], key=lambda i: known.position[i]) for label in (0, 1)]
        sizes = known.counts[known.labels[firsts]]
        same += known.position[firsts[0]] == known.position[firsts[1]]
        probabilities.append(_same_smallest(*sizes, k=(e.support_y == 0).sum()))
    if tail_of_unequal(same, probabilities) > level:
        return []
    return [Finding("the same positions in all classes", "Which images are drawn was decided once for the whole task, "
                    "and not for each class: the third drawing of every character may be by the same hand.",
                    {"same place": f"{same} of {len(drawn)} episodes, {sum(probabilities):.0f} expected"})]


def _same_smallest(a, b, k):
    """P(the smallest of k places drawn from a is that of k places drawn from b)."""
    smallest = [[comb(n - 1 - i, k - 1) / comb(n, k) for i in range(min(a, b))] for n in (int(a), int(b))]
    return float(sum(p * q for p, q in zip(*smallest, strict=True)))


def _classes(label_of, known, n_way, level):
    n, n_classes = label_of.shape
    counts = (label_of >= 0).sum(axis=0)
    off = [c for c in range(n_classes) if tail(int(counts[c]), n, n_way / n_classes) <= level]
    if off:
        worst = max(off, key=lambda c: abs(counts[c] - n * n_way / n_classes))
        how = "some come too often"
        if (counts == 0).any():
            how = f"{int((counts == 0).sum())} never come"
        elif np.corrcoef(counts, known.counts)[0, 1] > 0.9:
            how = "those with more images come more often: draw classes, not images"
        return [Finding("classes are not equally likely", f"Each class should come in N/C of the episodes; {how}.",
                        {f"class {worst}": f"in {counts[worst]} of {n} episodes, "
                                                 f"{n * n_way / n_classes:.0f} expected"})]
    table = np.array([(label_of == label).sum(axis=0) for label in range(n_way)]).T
    if any(tail(int(count), n, 1 / n_classes) <= level for count in table.ravel()):
        c, label = np.unravel_index(np.abs(table - n / n_classes).argmax(), table.shape)
        return [Finding("labels tell of the class", "Each class should get each label equally often: shuffle the "
                        "classes that were drawn.",
                        {f"class {c}": f"label {label} in {table[c, label]} of {n} episodes, "
                                       f"{n / n_classes:.0f} expected"})]
    return []


def _images(drawn, known, label_of, n_way, k_shot, n_query, level):
    findings, n_images = [], len(known.labels)
    for part, each in (("support", k_shot), ("query", n_query)):
        counts = np.bincount(np.concatenate([np.unique(getattr(e, part)) for e in drawn]), minlength=n_images)
        times = (label_of >= 0).sum(axis=0)[known.labels]  # given how often its class came
        off = [i for i in range(n_images) if tail(int(counts[i]), int(times[i]), each / known.counts[known.labels[i]])
               <= level]
        if off:
            i = max(off, key=lambda i: abs(counts[i] - times[i] * each / known.counts[known.labels[i]]))
            never = int((counts == 0).sum())
            findings.append(Finding(
                f"{part} images are not equally likely", (f"{never} of {n_images} images never come as {part}. "
                if never else "") + f"Every image of a class should be {part} equally often: draw K + Q at random.",
                {f"image {i}": f"{part} in {counts[i]} of the {times[i]} episodes of its class, "
                               f"{times[i] * each / known.counts[known.labels[i]]:.0f} expected"}))
    return findings
