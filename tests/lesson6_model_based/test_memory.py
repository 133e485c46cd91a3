"""The memory of streams: recall and writing by slow loops, and no label before its time."""

import math
from functools import partial
from types import SimpleNamespace

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.data import glyphs
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson6_model_based.memory_run import memory_part
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import grad, leaves, value_and_grad
from tests.nn.derivatives import assert_differentiates, rebuilt
from tests.scaffolding import assert_slope, assert_trained_as_in_a_run, classes_of, shaken

CLASSES = classes_of(*[6] * 5, side=16)
READERS = [partial(lesson.read_with_memory, n_slots=3), lesson.read_with_attention]
every_reader = pytest.mark.parametrize("reader", READERS, ids=["memory", "attention"])


def params_of(seed=0):
    return shaken(lesson.init_reader(), seed)


def problem_of(reader, instances=3):
    """(objective, float32 parameters, a batch of two streams of pictures)."""
    rng, network = onp.random.default_rng(0), lesson.character_network(3)
    params = lesson.start_reader(network, rng)
    stream = lesson.sample_streams(CLASSES, 3, instances, 2, rng)
    return partial(lesson.stream_objective, network, reader), params, stream


def stream_of_keys(length=7, n_way=3, n_tasks=2, n_features=4, seed=0):
    """(keys (T,L,D), labels (T,L), late labels (T,L,N)), float64."""
    rng = onp.random.default_rng(seed)
    labels = rng.integers(0, n_way, (n_tasks, length))
    keys = lesson.to_keys(rng.normal(size=(n_tasks, length, n_features)))
    return keys, labels, lesson.late_labels(labels, n_way).astype(float)


def softmax_with_blank(params, query, keys):
    """Number by number: the weights of the keys, where the blank takes part and is then left out."""
    sharpness, blank = (float(params["look"][name][0]) for name in ("sharpness", "blank"))
    parts = [math.exp(sharpness * sum(q * k for q, k in zip(query, key, strict=True))) for key in keys]
    return [part / (sum(parts) + math.exp(blank)) for part in parts]


def memory_by_loop(params, keys, late, n_slots):
    """One stream but its last step, (L,D), (L,N) -> (L-1,N), slot by slot; one that was never written is None."""
    slots, reads = [None] * n_slots, []
    for t, key in enumerate(keys[:-1]):
        held = [i for i in range(n_slots) if slots[i]]
        weights = dict(zip(held, softmax_with_blank(params, key, [slots[i]["key"] for i in held]), strict=True))
        reads.append(sum((weights[i] * slots[i]["value"] for i in held), onp.zeros(late.shape[-1])))
        right = float(late[t + 1] @ reads[-1])
        bias, slope = (float(params["write"][name][0]) for name in ("bias", "right"))
        again = 1 / (1 + math.exp(-bias - slope * (right - 0.5)))
        free = min(range(n_slots), key=lambda i: -1 if slots[i] is None else slots[i]["use"])
        slots[free] = slots[free] or {"key": 0 * key, "value": 0 * late[t], "use": 0.0}
        for i, slot in enumerate(slots):
            if slot:
                share = again * weights.get(i, 0.0) + (1 - again) * (i == free)
                slot["key"] = slot["key"] + share * (key - slot["key"])
                slot["value"] = slot["value"] + share * (late[t + 1] - slot["value"])
                slot["use"] = 0.95 * slot["use"] + share + weights.get(i, 0.0)
    return onp.array(reads)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("n_slots", [1, 3, 10])
def test_the_memory_is_a_loop_over_its_slots(n_slots):
    params, (keys, _, late) = params_of(), stream_of_keys()
    read = lesson.read_with_memory(params, keys, late, n_slots)
    for t in range(2):
        onp.testing.assert_allclose(read[t, :-1], memory_by_loop(params, keys[t], late[t], n_slots), rtol=1e-10,
                                    atol=1e-13)


def test_attention_is_a_loop_over_what_came_before():
    params, (keys, labels, late) = params_of(), stream_of_keys()
    read = lesson.read_with_attention(params, keys, late)
    for task in range(2):
        for t in range(7):
            weights = softmax_with_blank(params, keys[task, t], keys[task, :t])
            expected = [sum(w for w, y in zip(weights, labels[task], strict=False) if y == n) for n in range(3)]
            onp.testing.assert_allclose(read[task, t], expected, rtol=1e-10, atol=1e-13)


@every_reader
@pytest.mark.parametrize("step", [0, 4, 11])
def test_neither_the_label_of_the_present_step_nor_anything_later_can_be_seen(reader, step):
    _, params, (x, labels) = problem_of(reader, instances=4)
    params, x = shaken(params), x.astype(float)

    def logits(x, labels):
        return lesson.stream_logits(lesson.character_network(3), reader, params, x, lesson.late_labels(labels, 3))
    answers = logits(x, labels)
    x_after, labels_after = x.copy(), labels.copy()
    x_after[:, step + 1:], labels_after[:, step:] = 1 - x[:, step + 1:], (labels[:, step:] + 1) % 3
    others = logits(x_after, labels_after)
    onp.testing.assert_allclose(others[:, :step + 1], answers[:, :step + 1], rtol=1e-12)
    if step < 11:  # but the label is there at the next step
        labels_after = labels.copy()
        labels_after[:, step] = (labels[:, step] + 1) % 3
        assert onp.abs(logits(x, labels_after)[:, step + 1] - answers[:, step + 1]).max(axis=1).min() > 1e-6


# ---------------------------------------------------------------- streams


def test_a_stream_has_every_character_as_often_in_random_order_under_a_random_label():
    x, labels = lesson.sample_streams(CLASSES, 3, 4, 50, onp.random.default_rng(0))
    assert x.shape == (50, 12, 16, 16, 1)
    assert x.dtype == "float32"
    assert (onp.sort(labels, axis=1) == onp.arange(3).repeat(4)).all()
    assert len({tuple(row) for row in labels}) > 45
    pictures = {image.tobytes(): c for image, c in zip(CLASSES.images, CLASSES.labels, strict=True)}
    shown = onp.array([[pictures[onp.rint(255 * image).astype("uint8").tobytes()] for image in row] for row in x])
    for row, names in zip(shown, labels, strict=True):
        assert len(set(zip(row, names, strict=True))) == len(set(row)) == 3
    assert {(c, n) for c, n in zip(shown.ravel(), labels.ravel(), strict=True)} == {
        (c, n) for c in range(5) for n in range(3)}


def test_instances_are_counted_within_a_stream():
    onp.testing.assert_array_equal(lesson.instance_numbers(onp.array([[0, 1, 0, 0, 1], [2, 2, 2, 0, 2]])),
                                   [[1, 1, 2, 3, 2], [1, 2, 3, 1, 4]])


# ---------------------------------------------------------------- derivatives, types, training


@every_reader
def test_derivatives_of_what_is_read(reader):
    params, (keys, _, late) = params_of(), stream_of_keys(length=5)

    def read(*arrays):
        return reader(rebuilt(params, arrays[1:]), arrays[0], late)
    assert_differentiates(read, keys, *leaves(params), step=1e-6)


@every_reader
def test_the_objective_has_the_slope_of_finite_differences_and_every_parameter_of_the_reader_matters(reader):
    objective, params, (x, labels) = problem_of(reader)
    objective, params = partial(objective, stream=(x.astype(float), labels)), shaken(params)
    gradient = grad(objective)(params)
    if reader is READERS[1]:
        del gradient["write"]  # attention does not write
    assert all(leaf.any() for leaf in leaves(gradient))
    assert_slope(objective, params)


@every_reader
def test_training_stays_float32_and_its_five_lines_are_what_the_run_does(reader, tmp_path):
    objective, params, stream = problem_of(reader)
    value, gradient = value_and_grad(objective)(params, stream)
    assert all(a.dtype == "float32" for a in [value, *leaves(gradient)])
    page = lesson.train_on_streams(objective, params, lambda: stream, 1e-2, 4)
    assert_trained_as_in_a_run(page, objective, params, lambda: stream, 1e-2, 4, tmp_path)


def test_an_episode_is_a_stream_whose_last_step_is_the_query():
    rng = onp.random.default_rng(0)
    network = conv4((16, 16, 1), channels=3, down="stride", features="mean")
    params, episode = shaken(lesson.start_reader(network, rng)), sample_episodes(CLASSES, 3, 2, 2, 2, rng)
    episode = episode._replace(support_x=episode.support_x.astype(float), query_x=episode.query_x.astype(float))
    scores = lesson.memory_scores(network, params, episode, "support", n_slots=4)
    assert scores.shape == (2, 6, 3)
    support = lesson.to_keys(network.apply(params["network"], episode.support_x))
    for q in range(6):
        both = onp.concatenate([episode.support_x, episode.query_x[:, q:q + 1]], axis=1)
        key = lesson.to_keys(network.apply(params["network"], both, n_reference=6))[:, 6:]
        late = lesson.late_labels(onp.concatenate([episode.support_y, episode.query_y[:, :1]], axis=1), 3)
        read = lesson.read_with_memory(params, onp.concatenate([support, key], axis=1), late.astype(float), 4)
        onp.testing.assert_allclose(scores[:, q], params["answer"]["read"] * read[:, -1], rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("labels", "message"), [
    (onp.zeros(3, int), "integers"), (onp.zeros((2, 3)), "integers"), (onp.zeros((2, 0), int), "integers"),
    (onp.full((2, 3), 3), r"0\.\.\.2"), (onp.full((2, 3), -1), r"0\.\.\.2")])
def test_late_labels_refuse_what_are_no_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        lesson.late_labels(labels, 3)


@every_reader
@pytest.mark.parametrize(("change", "message"), [
    (lambda keys, late: (keys[0], late), "need keys"), (lambda keys, late: (keys[:, :3], late), "need keys"),
    (lambda keys, late: (keys[:1], late), "need keys"),
    (lambda keys, late: (keys[:, :0], late[:, :0]), "at least one step"),
    (lambda keys, late: (keys, onp.roll(late, -1, axis=1)), "a step late")])
def test_readers_refuse_streams_that_do_not_fit(reader, change, message):
    keys, _, late = stream_of_keys()
    with pytest.raises(ValueError, match=message):
        reader(params_of(), *change(keys, late))


def test_streams_of_impossible_length_and_other_slots_than_positive_integers_are_refused():
    keys, _, late = stream_of_keys()
    for n_slots in (0, 1.5, True):
        with pytest.raises(ValueError, match="slots"):
            lesson.read_with_memory(params_of(), keys, late, n_slots)
    for instances in (1, 2.0, True, 7):
        with pytest.raises(ValueError, match=r"instances|images"):
            lesson.sample_streams(CLASSES, 3, instances, 1, onp.random.default_rng(0))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_after_a_minute_both_know_a_character_at_its_second_image_and_only_attention_goes_on(tmp_path):
    training, test = (glyphs.load(split) for split in ("train", "test"))
    options = SimpleNamespace(out=tmp_path, seed=0, slots=10, memory_iterations=200, episodes=200)
    metrics, _ = memory_part(training, test, options)
    memory, few, attention, pixels = (
        [metrics[f"{name}, image {n}"]["mean"] for n in (1, 2, 10)]
        for name in ("memory, 10 slots", "the same with 5", "attention", "nearest earlier pixels"))
    assert min(memory[0], attention[0]) > 0.25  # more than guessing: a new image has a label that is free
    assert min(memory[1], attention[1]) > 0.65 > pixels[1] + 0.1
    assert attention[2] > memory[2] + 0.01 > few[2] + 0.06
