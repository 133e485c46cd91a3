"""Are episodes drawn as they should be? Rules that every episode keeps, and counts that chance explains.

`np` is plain NumPy.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from fewshot_np.referee.calling import Call, Refused, judged, takes
from fewshot_np.referee.chances_of_draws import unlikely_counts
from fewshot_np.referee.known_images import COUNTS, KnownImages
from fewshot_np.referee.verdict import Finding, judge

NAMES = ("images", "labels", "n_way", "k_shot", "n_query", "seed")
N, K, Q = 4, 2, 4  # of the episodes that are counted
FEW = 200  # the fewest episodes whose counts say anything
EXAMPLE = "It returns (support_x, support_y, query_x, query_y) of one episode, or an iterator of such episodes."


@judged
def episodes(sampler, *, n_episodes=2000, false_alarm=1e-6, seed=0):
    """Does this sampler draw fair episodes? A verdict that names every fault.

    sampler(images, labels, n_way, k_shot, n_query, seed) -> (support_x, support_y, query_x, query_y) of one episode,
    or an iterator of episodes. images (M,8,8,1) float32, labels (M,) integers in mixed order, classes of unequal size.
    Labels may be one-hot; images may be flat, normalized, or have their channels first.
    n_episodes: how many are drawn for the counts. false_alarm: the probability that a right sampler is called wrong;
    it is shared out among all counts, each of which is judged by its exact binomial probability.

    Raises: ValueError for no function, for fewer than 200 episodes, and for a probability outside (0, 1).
    """
    if n_episodes < FEW or not 0 < false_alarm < 1:
        raise ValueError(f"episodes needs {FEW} or more episodes and a false_alarm in (0, 1), got {n_episodes} and "
                         f"{false_alarm}")
    call = Call("episodes", sampler, NAMES, EXAMPLE)
    if not takes(sampler, len(NAMES)):
        call(np.zeros((1, 8, 8, 1)), np.zeros(1, int), 1, 1, 1, seed)  # raises, and the message shows the call
    known = KnownImages(np.random.default_rng(seed))
    drawn, streams = _draw(call, known, n_episodes, seed)
    shown = call.shown
    findings = _broken_rules(drawn, known)
    if not findings or all(finding.name in COUNTED_ANYWAY for finding in findings):
        findings += unlikely_counts(drawn, known, N, K, Q, false_alarm, streams)
    findings += _seeds(call, known, seed) + _limits(call, known, seed)
    return judge("episodes", findings, "episodes are drawn as they should be", shown, evidence={
        "episodes": len(drawn),
        "certainty": f"a right sampler is called wrong with probability {false_alarm:g} or less"})


class Drawn:
    """One episode as numbers: which image stands where, and under which label."""

    def __init__(self, call, known, episode, n_way=N, k_shot=K, n_query=Q):
        if isinstance(episode, dict) or not isinstance(episode, (tuple, list)) or len(episode) < 4:
            call.refuse(f"it returned {type(episode).__name__}", EXAMPLE)
        self.support_y, self.query_y = (_labels(call.converted(episode[i]), n_way) for i in (1, 3))
        ids = []
        for part, i in ((self.support_y, 0), (self.query_y, 2)):
            x = call.converted(episode[i])
            found = known.identify(x, part.size)
            if found is None:
                wanted = n_way * (k_shot if i == 0 else n_query)
                call.refuse(f"{'support' if i == 0 else 'query'} images and labels do not fit",
                            f"{part.size} labels, images of shape {x.shape}; asked for were {wanted} images of "
                            f"8x8x1. {EXAMPLE}")
            ids.append(found)
        self.support, self.query = ids
        self.sizes = (self.support_y.size, self.query_y.size) == (n_way * k_shot, n_way * n_query)


def _labels(y, n_way):
    if y.ndim >= 2 and y.shape[-1] == n_way and set(np.unique(y)) <= {0, 1} and (y.sum(axis=-1) == 1).all():
        return y.argmax(axis=-1).reshape(-1)
    return y.reshape(-1).astype(int)


def _draw(call, known, n_episodes, seed):
    """n_episodes episodes, and from how many calls they came."""
    drawn, calls = [], 0
    while len(drawn) < n_episodes:
        answer = call(known.images, known.labels, N, K, Q, seed + calls)
        if isinstance(answer, Iterator):
            answer = list(islice(answer, n_episodes - len(drawn)))
            if not answer:
                call.refuse("no episode came", "The iterator ended before its first episode.")
        else:
            answer = [answer]
        drawn += [Drawn(call, known, episode) for episode in answer]
        calls += 1
    return drawn, calls


# ---------------------------------------------------------------- rules that every episode keeps

RULES = {
    "fewer or more images than asked for": (
        lambda e, known: not e.sizes, "An episode has N K support images and N Q queries, or none is drawn at all."),
    "an image that is not in the data set": (
        lambda e, known: (e.support < 0).any() or (e.query < 0).any(),
        "An image came back changed beyond a turn, a scale and an offset. Switch augmentation off here."),
    "labels are not 0...N-1": (
        lambda e, known: set(e.support_y) != set(range(N)) or not set(e.query_y) <= set(range(N)),
        "A task is a world of its own, whose labels are relative. The numbers of the classes in the data set would "
        "tell which class it is."),
    "a class stands under two labels": (
        lambda e, known: len(set(known.labels[e.support])) < len(set(e.support_y)),
        "Classes were drawn with replacement: draw N distinct ones."),
    "a label stands for two classes": (
        lambda e, known: _pairs(e.support_y, known.labels[e.support]) > len(set(e.support_y)),
        "Images and labels went different ways, perhaps through two shuffles."),
    "support and query give a class different labels": (
        lambda e, known: not _agree(e, known), "A class has one label in a task: the query's must be the support's."),
    "a query stands in the support": (
        lambda e, known: bool(set(e.support) & set(e.query)), "Draw K + Q different images at once, and cut."),
    "an image stands twice in the support": (lambda e, known: len(set(e.support)) < len(e.support),
                                             "Images were drawn with replacement: K examples are different images."),
    "an image stands twice in the query": (lambda e, known: len(set(e.query)) < len(e.query),
                                           "Images were drawn with replacement: Q queries are different images."),
    "not K and Q images of every class": (
        lambda e, known: e.sizes and not (_even(e.support_y, K) and _even(e.query_y, Q)),
        "Each class of the task has K examples and Q queries."),
}
COUNTED_ANYWAY = {"a query stands in the support", "an image stands twice in the query"}


def _broken_rules(drawn, known):
    findings = []
    for name, (broken, says) in RULES.items():
        times = sum(bool(broken(episode, known)) for episode in drawn)
        if times:
            findings.append(Finding(name, says, {name: f"in {times} of {len(drawn)} episodes"}))
    return _without_consequences(findings)


def _without_consequences(findings):
    """Where labels or sizes are wrong already, what follows from that is not another fault."""
    names = {finding.name for finding in findings}
    caused = set()
    if names & {"labels are not 0...N-1", "fewer or more images than asked for"}:
        caused |= {"not K and Q images of every class"}
    if "a label stands for two classes" in names:
        caused |= {"support and query give a class different labels"}
    if "a class stands under two labels" in names:  # such a class may repeat images, and has two labels in the query
        caused |= {"support and query give a class different labels", "a query stands in the support",
                   "an image stands twice in the support", "an image stands twice in the query"}
    return [finding for finding in findings if finding.name not in caused]


def _pairs(labels, classes):
    return len(set(zip(labels.tolist(), classes.tolist(), strict=True)))


def _agree(episode, known):
    support = set(zip(episode.support_y.tolist(), known.labels[episode.support].tolist(), strict=True))
    return set(zip(episode.query_y.tolist(), known.labels[episode.query].tolist(), strict=True)) <= support


def _even(labels, each):
    return np.bincount(labels[labels >= 0], minlength=N).tolist() == [each] * N


# ---------------------------------------------------------------- seeds, and what cannot be drawn


def _seeds(call, known, seed):
    """The same seed gives the same episode."""
    first, second = (_first(call, known, N, K, Q, seed) for _ in range(2))
    if _key(first) == _key(second):
        return []
    return [Finding("the same seed gives another episode", "Some of the chance does not come from the seed: nobody can "
                    "repeat these draws. With a global generator, seed it in each call.")]


def _key(episode):
    return tuple(map(tuple, (episode.support, episode.support_y, episode.query, episode.query_y)))


def _first(call, known, n_way, k_shot, n_query, seed):
    answer = call(known.images, known.labels, n_way, k_shot, n_query, seed)
    answer = next(answer, None) if isinstance(answer, Iterator) else answer
    return Drawn(call, known, answer, n_way, k_shot, n_query)


def _limits(call, known, seed):
    """All classes, and all images of the smallest class, can be drawn; more than that is an error and not less."""
    few, n_classes = min(COUNTS), len(COUNTS)
    findings = []
    for n_way, k_shot, n_query, what in ((n_classes, 1, 1, "all classes"), (2, few - 3, 3, "all images of a class")):
        try:
            fits = _first(call, known, n_way, k_shot, n_query, seed).sizes
        except Refused:
            fits = False
        if not fits:
            findings.append(Finding(f"cannot draw {what}", f"{n_way}-way, {k_shot} + {n_query} images is possible, but "
                                    "it fails or gives less."))
    for n_way, k_shot, n_query, what in ((n_classes + 1, 1, 1, f"{n_classes + 1} of {n_classes} classes"),
                                         (n_classes, few, few, f"{2 * few} of {few} images of a class")):
        try:
            _first(call, known, n_way, k_shot, n_query, seed)
        except Refused as refused:
            if "raised" in refused.verdict.verdict:
                continue  # an error is the right answer
        findings.append(Finding(f"asked for {what}, it is silent", "An impossible draw must raise an error. Silently "
                                "smaller episodes, or images that come twice, make the accuracy wrong."))
    return findings
