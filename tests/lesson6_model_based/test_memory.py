"""The memory of streams: recall and writing by slow loops, what it shares with attention, no label before its time."""

import math
from functools import partial
from types import SimpleNamespace

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.data import glyphs
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson6_model_based.memory_run import memory_part
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, constant
from fewshot_np.nn.trees import grad, leaves, value_and_grad
from tests.nn.derivatives import assert_close, assert_differentiates, gradients, rebuilt
from tests.scaffolding import assert_same_tree, assert_slope, classes_of, shaken

CLASSES = classes_of(*[6] * 5, side=16)
READERS = [partial(lesson.read_with_memory, n_slots=3), lesson.read_with_attention]
every_reader = pytest.mark.parametrize("reader", READERS, ids=["memory", "attention"])


def params_of(seed=0):
    return shaken(lesson.init_reader(), seed)


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


def test_a_memory_that_has_a_slot_for_every_step_and_writes_nothing_twice_is_attention():
    params, (keys, _, late) = params_of(), stream_of_keys(length=9)
    params["write"] = {"bias": onp.array([-1e4]), "right": onp.array([0.0])}
    attended = lesson.read_with_attention(params, keys, late)
    onp.testing.assert_allclose(lesson.read_with_memory(params, keys, late, 9), attended, rtol=1e-12, atol=1e-15)
    assert onp.abs(lesson.read_with_memory(params, keys, late, 3) - attended).max() > 1e-3


def test_full_memory_gives_the_least_used_slot_away():
    memory = {"filled": onp.array([[True, True, True], [True, True, False]]), "used": onp.array([[3., 1., 2.]] * 2)}
    onp.testing.assert_array_equal(lesson.least_used(memory), [[0, 1, 0], [0, 0, 1]])


# ---------------------------------------------------------------- labels come a step late


def test_late_labels_are_those_of_the_step_before():
    late = lesson.late_labels(onp.array([[2, 0, 1], [1, 1, 0]]), 3)
    onp.testing.assert_array_equal(late[0], [[0, 0, 0], [0, 0, 1], [1, 0, 0]])
    onp.testing.assert_array_equal(late[1], [[0, 0, 0], [0, 1, 0], [0, 1, 0]])


@every_reader
@pytest.mark.parametrize("step", [0, 4, 11])
def test_neither_the_label_of_the_present_step_nor_anything_later_can_be_seen(reader, step):
    rng = onp.random.default_rng(0)
    network = lesson.character_network(3)
    params = shaken(lesson.start_reader(network, rng))
    x, labels = lesson.sample_streams(CLASSES, 3, 4, 2, rng)
    x = x.astype(float)
    answers = lesson.stream_logits(network, reader, params, x, lesson.late_labels(labels, 3))
    x_after, labels_after = x.copy(), labels.copy()
    x_after[:, step + 1:], labels_after[:, step:] = 1 - x[:, step + 1:], (labels[:, step:] + 1) % 3
    others = lesson.stream_logits(network, reader, params, x_after, lesson.late_labels(labels_after, 3))
    onp.testing.assert_allclose(others[:, :step + 1], answers[:, :step + 1], rtol=1e-12)
    if step < 11:  # but the label is there at the next step
        labels_after = labels.copy()
        labels_after[:, step] = (labels[:, step] + 1) % 3
        others = lesson.stream_logits(network, reader, params, x, lesson.late_labels(labels_after, 3))
        assert onp.abs(others[:, step + 1] - answers[:, step + 1]).max(axis=1).min() > 1e-6


@every_reader
def test_labels_are_names_so_renaming_them_renames_the_answers(reader):
    params, (keys, labels, late) = params_of(), stream_of_keys()
    renamed = onp.array([2, 0, 1])
    read = reader(params, keys, lesson.late_labels(renamed[labels], 3).astype(float))
    onp.testing.assert_allclose(read[..., renamed], reader(params, keys, late), rtol=1e-12)


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
def test_the_objective_has_the_slope_of_finite_differences_in_every_parameter(reader):
    rng = onp.random.default_rng(0)
    network = lesson.character_network(3)
    params = shaken(lesson.start_reader(network, rng))
    x, labels = lesson.sample_streams(CLASSES, 3, 3, 2, rng)
    objective = partial(lesson.stream_objective, network, reader, stream=(x.astype(float), labels))
    used = leaves({**params, "write": {}} if reader is READERS[1] else params)
    gradient = grad(objective)(params)
    assert all(leaf.any() for leaf in leaves({**gradient, "write": {}} if reader is READERS[1] else gradient))
    assert len(used) > 8
    assert_slope(objective, params, gradient=None)


@every_reader
def test_training_stays_float32_and_its_five_lines_are_what_the_run_does(reader, tmp_path):
    rng = onp.random.default_rng(0)
    network = lesson.character_network(3)
    params, stream = lesson.start_reader(network, rng), lesson.sample_streams(CLASSES, 3, 3, 2, rng)
    objective = partial(lesson.stream_objective, network, reader)
    value, gradient = value_and_grad(objective)(params, stream)
    assert all(a.dtype == "float32" for a in [value, *leaves(gradient)])
    run, _ = train(objective, params, lambda: stream, update=adam, schedule=constant(1e-2), iterations=4,
                   path=tmp_path / "run.npz")
    plain = lesson.train_on_streams(objective, params, lambda: stream, 1e-2, 4)
    assert_same_tree(plain, run, rtol=0)


def torch_read(torch, arrays, late, n_slots):
    """Keys and the parameters of look and write (float64 tensors), late labels -> what memory and attention read."""
    keys, sharpness, blank, bias, slope = arrays

    def weights_of(queries, kept, held):
        scores = (queries @ kept.transpose(1, 2) * sharpness).masked_fill(~held, -math.inf)
        return torch.cat([scores, blank.expand(*scores.shape[:2], 1)], dim=-1).softmax(dim=-1)[..., :-1]

    n_tasks, length, n_features = keys.shape
    kept, values, used = (torch.zeros(n_tasks, n_slots, *more, dtype=torch.float64)
                          for more in ((n_features,), late.shape[-1:], ()))
    held, reads = torch.zeros(n_tasks, n_slots, dtype=torch.bool), []
    for t in range(length):
        weights = weights_of(keys[:, t:t + 1], kept, held[:, None])
        reads.append((weights @ values)[:, 0])
        if t + 1 < length:
            again = torch.sigmoid(bias + slope * ((reads[-1] * late[:, t + 1]).sum(-1, keepdim=True) - 0.5))
            free = torch.nn.functional.one_hot(used.masked_fill(~held, -1.0).argmin(1), n_slots).bool()
            share = again * weights[:, 0] + (1 - again) * free
            kept = torch.lerp(kept, keys[:, t:t + 1], share[..., None])
            values = torch.lerp(values, late[:, t + 1:t + 2].expand_as(values), share[..., None])
            used, held = 0.95 * used + (weights[:, 0] + share).detach(), held | free
    earlier = torch.ones(length, length).tril(-1).bool()
    attended = weights_of(keys, keys, earlier) @ torch.cat([late[:, 1:], torch.zeros_like(late[:, :1])], dim=1)
    return torch.stack(reads, dim=1), attended


def test_values_and_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    params, (keys, _, late) = params_of(), stream_of_keys()
    names = [("look", "sharpness"), ("look", "blank"), ("write", "bias"), ("write", "right")]
    arrays = [keys, *(params[group][name] for group, name in names)]

    def ours(*arrays):
        tree = {"look": dict(zip(("sharpness", "blank"), arrays[1:3], strict=True)),
                "write": dict(zip(("bias", "right"), arrays[3:], strict=True))}
        return tree, arrays[0]

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    cotangent = onp.random.default_rng(3).normal(size=late.shape)
    for read, theirs in zip((lambda p, k: lesson.read_with_memory(p, k, late, 3),
                             lambda p, k: lesson.read_with_attention(p, k, late)),
                            torch_read(torch, tensors, torch.tensor(late), 3), strict=True):
        mine = gradients(lambda *a, read=read: read(*ours(*a)), arrays, cotangent)
        expected = torch.autograd.grad(theirs, tensors, torch.tensor(cotangent), allow_unused=True)
        assert_close(read(*ours(*arrays)), theirs.detach().numpy(), 1e-10)
        for a, b in zip(mine, expected, strict=True):
            assert_close(a, onp.zeros(a.shape) if b is None else b.numpy(), 1e-8)


# ---------------------------------------------------------------- on episodes


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


def test_readers_refuse_streams_that_do_not_fit():
    params, (keys, labels, late) = params_of(), stream_of_keys()
    on_time = onp.eye(3)[labels]
    for reader in READERS:
        for k, y, message in [(keys[0], late, "need keys"), (keys[:, :3], late, "need keys"),
                              (keys[:1], late, "need keys"), (keys[:, :0], late[:, :0], "at least one step"),
                              (keys, on_time, "a step late")]:
            with pytest.raises(ValueError, match=message):
                reader(params, k, y)
    for n_slots in (0, 1.5, True):
        with pytest.raises(ValueError, match="slots"):
            lesson.read_with_memory(params, keys, late, n_slots)


@pytest.mark.parametrize("instances", [1, 2.0, True, 7])
def test_streams_of_impossible_length_are_refused(instances):
    with pytest.raises(ValueError, match=r"instances|images"):
        lesson.sample_streams(CLASSES, 3, instances, 1, onp.random.default_rng(0))


# ---------------------------------------------------------------- what the lesson claims


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
