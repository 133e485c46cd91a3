"""Lesson 1: loops, matrix products and primitives are the same functions, derivatives too; the curve; the run."""

import autograd.numpy as np
import numpy
import pytest
from autograd import grad
from PIL import Image

from fewshot_np.data import ImageClasses, glyphs
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson1_data_hunger import (
    accuracy_curve,
    as_metrics,
    autograd_in_ten_lines,
    conv2d_im2col,
    conv2d_loops,
    dense,
    dense_loops,
    draw_curves,
    im2col,
    main,
    mean_and_interval,
    nearest_pixels,
    network_from_scratch,
    pad_images,
    print_curves,
    split_drawings,
    with_labels,
)
from fewshot_np.nn import layers
from fewshot_np.nn.primitives import conv2d
from tests.nn.derivatives import assert_close, assert_differentiates, gradients

SHAPES = [
    pytest.param((2, 5, 6, 2), (3, 3, 2, 3), id="3x3"),
    pytest.param((1, 7, 5, 1), (2, 3, 1, 2), id="2x3"),
    pytest.param((3, 4, 4, 3), (1, 1, 3, 2), id="1x1"),
    pytest.param((2, 4, 5, 2), (4, 5, 2, 1), id="as large as the image"),
]


def draw(*shapes, seed=0):
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def assert_same_function(f, g, *arguments, seed=7):
    """Equal values, and equal gradients against a random cotangent."""
    expected = g(*arguments)
    assert_close(f(*arguments), expected)
    cotangent = numpy.random.default_rng(seed).normal(size=expected.shape)
    for mine, other in zip(gradients(f, arguments, cotangent), gradients(g, arguments, cotangent), strict=True):
        assert_close(mine, other)


# ---------------------------------------------------------------- autograd


def test_autograd_in_ten_lines_gives_the_numbers_of_school_calculus():
    numbers = autograd_in_ten_lines()
    assert numbers["cube"] == 8
    assert numbers["slope"] == pytest.approx(12)  # 3 x^2
    assert numbers["curvature"] == pytest.approx(12)  # 6 x
    assert numbers["gradient"] == pytest.approx({"w": -18.0, "b": -6.0})  # 2 (2 3 + 1 - 10) times 3, times 1


# ---------------------------------------------------------------- the dense layer


def test_dense_anchor_worked_by_hand():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, -0.5])
    for f in (dense_loops, dense):
        numpy.testing.assert_allclose(f(x, w, b), [[13.5, 15.5]])


@pytest.mark.parametrize("f", [dense_loops, dense])
def test_dense_is_the_librarys_layer(f):
    def layer(x, w, b):
        return layers.dense({"w": w, "b": b}, x)

    assert_same_function(f, layer, *draw((4, 3), (3, 5), (5,)))


def test_dense_and_its_loops_agree():
    assert_same_function(dense_loops, dense, *draw((3, 4), (4, 2), (2,)))


@pytest.mark.parametrize("f", [dense_loops, dense])
def test_dense_differentiates_twice(f):
    assert_differentiates(f, *draw((3, 4), (4, 2), (2,)))


# ---------------------------------------------------------------- the convolution


def test_convolution_anchor_worked_by_hand():
    image = np.arange(9.0).reshape(1, 3, 3, 1)  # 0 1 2 / 3 4 5 / 6 7 8
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    for f in (conv2d_loops, conv2d_im2col):
        numpy.testing.assert_allclose(f(image, kernel)[0, :, :, 0], [[27, 37], [57, 67]])  # 0 + 2 + 9 + 16
        padded = f(image, kernel, stride=2, padding=1)[0, :, :, 0]
        numpy.testing.assert_allclose(padded, [[0, 11], [30, 67]])  # 4 0; 3 1 + 4 2; 2 3 + 4 6; as above


def test_the_kernel_is_not_turned_over():
    image = np.zeros((1, 5, 5, 1))
    image[0, 2, 2, 0] = 1
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    for f in (conv2d_loops, conv2d_im2col):
        numpy.testing.assert_allclose(f(image, kernel)[0, :, :, 0], kernel[::-1, ::-1, 0, 0])


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_convolution_by_loops_is_one_matrix_product(x_shape, w_shape, stride, padding):
    def loops(x, w):
        return conv2d_loops(x, w, stride, padding)

    def product(x, w):
        return conv2d_im2col(x, w, stride, padding)

    x, w = draw(x_shape, w_shape)
    assert_close(product(x, w), loops(x, w))
    cotangent = numpy.random.default_rng(3).normal(size=product(x, w).shape)
    if cotangent.size <= 80:  # the tape of the loops is long
        for mine, other in zip(gradients(product, (x, w), cotangent), gradients(loops, (x, w), cotangent),
                               strict=True):
            assert_close(mine, other)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_is_the_librarys_primitive(kernel, stride, padding):
    def mine(x, w):
        return conv2d_im2col(x, w, stride, (kernel - 1) // 2 if padding == "same" else 0)

    def library(x, w):
        return conv2d(x, w, stride, padding)

    assert_same_function(mine, library, *draw((2, 6, 7, 2), (kernel, kernel, 2, 3)))


def test_convolution_by_loops_is_the_librarys_primitive():
    def mine(x, w):
        return conv2d_loops(x, w, 2, 1)

    def library(x, w):
        return conv2d(x, w, 2, "same")

    assert_same_function(mine, library, *draw((2, 5, 4, 2), (3, 3, 2, 2)))


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_convolution_differentiates_twice(stride, padding):
    assert_differentiates(lambda x, w: conv2d_im2col(x, w, stride, padding), *draw((2, 4, 5, 2), (3, 3, 2, 2)))


# ---------------------------------------------------------------- its parts


def test_im2col_lays_each_patch_out_as_a_row():
    (x,) = draw((2, 6, 5, 3))
    rows = im2col(x, 2, 3, stride=2)
    assert rows.shape == (2, 3, 2, 2 * 3 * 3)
    for top in range(3):
        for left in range(2):
            patch = x[:, 2 * top:2 * top + 2, 2 * left:2 * left + 3]
            numpy.testing.assert_array_equal(rows[:, top, left], patch.reshape(2, -1))


def test_pad_images_adds_a_margin_of_zeros():
    padded = pad_images(np.ones((2, 3, 4, 2)), 2)
    assert padded.shape == (2, 7, 8, 2)
    assert padded.sum() == 2 * 3 * 4 * 2
    numpy.testing.assert_array_equal(padded[:, 2:-2, 2:-2], np.ones((2, 3, 4, 2)))


def test_padding_with_zero_is_the_image_itself_and_differentiates():
    (x,) = draw((1, 3, 3, 1))
    numpy.testing.assert_array_equal(pad_images(x, 0), x)
    numpy.testing.assert_allclose(grad(lambda x: np.sum(pad_images(x, 1) ** 2))(x), 2 * x)


# ---------------------------------------------------------------- the learners


def noisy_classes(n_classes=6, n_images=9, noise=40, side=16, seed=0):
    """Classes that are one random picture each, with noise on every drawing of it; images lie in random order."""
    rng = numpy.random.default_rng(seed)
    labels = rng.permutation(numpy.repeat(numpy.arange(n_classes), n_images))
    pictures = rng.integers(0, 256, (n_classes, side, side, 1))
    images = pictures[labels] + rng.normal(0, noise, (len(labels), side, side, 1))
    return ImageClasses(numpy.clip(images, 0, 255).astype(numpy.uint8), labels,
                        [f"class {c}" for c in range(n_classes)], ["noise"] * n_classes)


def learning_task(seed=0, n_way=3):
    """(support_x, support_y, query_x), query_y"""
    training, held_out = split_drawings(noisy_classes(), n_way, 4, 3, numpy.random.default_rng(seed))
    query_x, query_y = with_labels(held_out)
    return (*with_labels(training), query_x), query_y


def test_nearest_pixels_anchor_worked_by_hand():
    support = numpy.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).reshape(3, 1, 2, 1)
    queries = numpy.array([[0.1, 0.2], [0.6, 0.4], [0.4, 0.9]]).reshape(3, 1, 2, 1)
    predictions = nearest_pixels(support, numpy.array([2, 0, 1]), queries, 3, None)
    numpy.testing.assert_array_equal(predictions, [2, 0, 1])


@pytest.mark.parametrize("learner", [nearest_pixels, network_from_scratch])
def test_learners_recognise_what_is_easy(learner):
    task, query_y = learning_task()
    predictions = learner(*task, 3, numpy.random.default_rng(0))
    assert numpy.issubdtype(predictions.dtype, numpy.integer)
    assert numpy.mean(predictions == query_y) > 0.8


def test_a_query_is_answered_as_if_it_had_come_by_itself():
    (support_x, support_y, query_x), _ = learning_task()
    together = network_from_scratch(support_x, support_y, query_x, 3, numpy.random.default_rng(1), iterations=3)
    alone = [network_from_scratch(support_x, support_y, query_x[k:k + 1], 3, numpy.random.default_rng(1),
                                  iterations=3)[0] for k in range(len(query_x))]
    numpy.testing.assert_array_equal(together, alone)


# ---------------------------------------------------------------- the curve


def test_images_to_learn_from_and_held_out_ones_are_different_images_of_the_same_class():
    classes = noisy_classes(n_classes=5, n_images=7, noise=60)
    training, held_out = split_drawings(classes, 4, 5, 2, numpy.random.default_rng(0))
    assert training.shape == (4, 5, 16, 16, 1)
    assert held_out.shape == (4, 2, 16, 16, 1)
    assert training.dtype == held_out.dtype == numpy.float32
    stored = classes.images.reshape(35, -1).astype("float32") / 255
    drawn = numpy.concatenate([training, held_out], axis=1).reshape(28, -1)
    positions = numpy.abs(drawn[:, None] - stored[None]).max(axis=-1).argmin(axis=1)
    numpy.testing.assert_allclose(stored[positions], drawn, rtol=1e-6)
    assert len(set(positions)) == 28
    behind = classes.labels[positions].reshape(4, 7)
    assert (behind == behind[:, :1]).all()
    assert len(set(behind[:, 0])) == 4


def test_labels_go_with_the_rows():
    images, labels = with_labels(numpy.arange(12.0).reshape(3, 2, 1, 2, 1))
    assert images.shape == (6, 1, 2, 1)
    numpy.testing.assert_array_equal(images[:, 0, 0, 0], [0, 2, 4, 6, 8, 10])
    numpy.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 2])


class Spy:
    """A learner that writes down what it is given, answers at random, and uses up numbers of `rng` as it goes."""

    def __init__(self, greed):
        self.seen, self.greed = [], greed

    def __call__(self, support_x, support_y, query_x, n_way, rng):
        self.seen.append((support_x, support_y, query_x, n_way))
        rng.random(self.greed)
        return numpy.zeros(len(query_x), dtype=int)


def run_spy(greed=3, seed=0):
    spy = Spy(greed)
    curve = accuracy_curve(spy, noisy_classes(), (1, 3), numpy.random.default_rng(seed), n_way=4, n_held_out=2,
                           repetitions=3)
    return spy.seen, curve


def test_a_learner_gets_k_images_of_each_class_and_the_held_out_ones():
    seen, curve = run_spy()
    assert curve.shape == (3, 2)
    numpy.testing.assert_allclose(curve, 1 / 4)  # it always says 0
    for k_shot, (support_x, support_y, query_x, n_way) in zip([1, 3] * 3, seen, strict=True):
        assert n_way == 4
        assert support_x.shape == (4 * k_shot, 16, 16, 1)
        assert query_x.shape == (4 * 2, 16, 16, 1)
        numpy.testing.assert_array_equal(support_y, numpy.repeat(numpy.arange(4), k_shot))


def test_within_a_repetition_the_fewer_images_are_among_the_more_and_the_questions_stay():
    seen, _ = run_spy()
    for (few, _, asked, _), (more, _, asked_again, _) in zip(seen[::2], seen[1::2], strict=True):
        numpy.testing.assert_array_equal(few, more[::3])
        numpy.testing.assert_array_equal(asked, asked_again)
    assert not numpy.array_equal(seen[0][2], seen[2][2])  # the next repetition asks about others


def test_every_learner_meets_the_same_images_whatever_it_draws_itself():
    for mine, other in zip(run_spy(greed=0)[0], run_spy(greed=50)[0], strict=True):
        for a, b in zip(mine, other, strict=True):
            numpy.testing.assert_array_equal(a, b)
    assert not numpy.array_equal(run_spy(seed=1)[0][0][0], run_spy(seed=2)[0][0][0])


def test_interval_anchor_worked_by_hand():
    mean, interval = mean_and_interval(numpy.array([[0.0, 0.5], [0.2, 0.5], [0.4, 0.5], [0.6, 0.5]]))
    numpy.testing.assert_allclose(mean, [0.3, 0.5])
    numpy.testing.assert_allclose(interval, [1.96 * (0.2 / 3) ** 0.5 / 2, 0], atol=1e-12)  # variance 0.2 / (4 - 1)


def test_the_table_and_the_figure_and_the_record_count_in_both_currencies(capsys):
    curves = {"nearest pixels": numpy.array([[0.2, 0.4], [0.4, 0.4]]), "network": numpy.array([[0.1, 1.0]] * 2)}
    eaten = {"nearest pixels": 0, "network": 12345}
    print_curves(curves, (1, 15), 20, eaten)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["1", "20", "30.0", "±", "19.6", "10.0", "±", "0.0"]
    assert lines[3].split()[:2] == ["15", "300"]
    assert lines[-1].split() == ["of", "others", "0", "12345"]
    assert max(map(len, lines)) < 80
    (legend,) = draw_curves(curves, (1, 15), 20, eaten).legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert "network (images of other classes: 12,345)" in labels
    assert as_metrics(curves, (1, 15))["network, 15 images per class"] == {"mean": 1.0, "interval": 0.0}


# ---------------------------------------------------------------- bad input


def test_more_ways_than_classes_are_refused():
    with pytest.raises(ValueError, match=r"7 classes at a time are wanted, there are 6.*--n-way"):
        split_drawings(noisy_classes(), 7, 1, 1, numpy.random.default_rng(0))


def test_a_class_with_too_few_images_is_named_whichever_are_drawn():
    labels = numpy.array([0] * 4 + [1] * 3 + [2] * 4)
    classes = ImageClasses(numpy.zeros((11, 2, 2, 1), numpy.uint8), labels, ["a", "b", "c"], ["x"] * 3)
    for seed in range(5):
        with pytest.raises(ValueError, match="class 'b' has 3 images; 3 to learn from and 1 held out need 4"):
            split_drawings(classes, 2, 3, 1, numpy.random.default_rng(seed))


def test_one_repetition_has_no_interval():
    with pytest.raises(ValueError, match="2 or more repetitions, got 1"):
        mean_and_interval(numpy.ones((1, 3)))


# ---------------------------------------------------------------- the run


def run_tiny(out, *argv):
    main(["--quick", "--iterations", "2", "--channels", "4", "--out", str(out), *argv])
    return read_record(out / "record.json")


def test_the_quick_run_end_to_end(tmp_path, capsys):
    main(["--quick", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("How many drawings of a character")
    assert lines[-1] == "Next:    python -m fewshot_np.lesson2_episodes"
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line)
    assert set(out) - set(map(chr, range(128))) <= {"±"}
    assert {path.name for path in tmp_path.iterdir()} == {"curve.png", "record.json"}
    metrics = read_record(tmp_path / "record.json")["metrics"]
    assert list(metrics) == [f"{name}, {k_shot} images per class" for name in ("nearest pixels", "network from scratch")
                             for k_shot in (1, 2, 5, 10, 15)]
    assert all(0 <= m["mean"] <= 1 and m["interval"] >= 0 for m in metrics.values())


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    first, again, other = (run_tiny(tmp_path / name, "--seed", seed)["metrics"]
                           for name, seed in [("a", "3"), ("b", "3"), ("c", "4")])
    assert first == again != other


def test_a_folder_of_few_images_gets_the_shots_that_it_suffices_for(tmp_path):
    folder_of(tmp_path / "images", 8, 9, 12)
    record = run_tiny(tmp_path / "out", "--data", str(tmp_path / "images"), "--n-way", "3")
    assert [name for name in record["metrics"] if "pixels" in name] == [
        "nearest pixels, 1 images per class", "nearest pixels, 2 images per class"]  # 8 = 2 + 5 held out, 1 over


@pytest.mark.parametrize(("sizes", "argv", "message"), [
    ((8, 9), [], "5 classes at a time are wanted, there are 2"),
    ((8, 5), ["--n-way", "2"], "class 'class1' has 5 images; 1 to learn from and 5 held out need 6"),
])
def test_what_is_impossible_is_told_before_anything_is_learned(sizes, argv, message, tmp_path, monkeypatch):
    monkeypatch.setattr("fewshot_np.lesson1_data_hunger.accuracy_curve", None)
    folder_of(tmp_path / "images", *sizes)
    with pytest.raises(ValueError, match=message):
        run_tiny(tmp_path / "out", "--data", str(tmp_path / "images"), *argv)


def test_one_repetition_ends_with_code_2(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_tiny(tmp_path, "--repetitions", "1")
    assert "--repetitions: '1' is not an integer of at least 2" in capsys.readouterr().err


def folder_of(path, *sizes):
    """Folders class0, class1, ... with so many pictures of strokes each."""
    rng = numpy.random.default_rng(0)
    for c, size in enumerate(sizes):
        (path / f"class{c}").mkdir(parents=True)
        for k in range(size):
            image = numpy.full((30, 30), 255, numpy.uint8)
            image[5 + 3 * c + rng.integers(3), 4:26] = 0
            image[4:26, 5 + rng.integers(20)] = 0
            Image.fromarray(image).save(path / f"class{c}" / f"{k}.png")


# ---------------------------------------------------------------- the claim


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_image_is_no_meal_for_a_network_and_fifteen_are(seed):
    classes, shots = glyphs.load("test", quick=True), (1, 15)
    pixels, network = (accuracy_curve(learner, classes, shots, numpy.random.default_rng(seed), repetitions=4)
                       for learner in (nearest_pixels, network_from_scratch))
    (pixels_1, pixels_15), (network_1, network_15) = pixels.mean(axis=0), network.mean(axis=0)
    assert abs(network_1 - pixels_1) < 0.1  # no better than comparing pixels, no worse
    assert network_15 > pixels_15 + 0.08
    assert network_15 > network_1 + 0.3  # hungry: every further image is worth something
