"""Lesson 5: the document's network against loops and PyTorch, its rewiring, and what the reader does with it."""

import io
import subprocess
import sys
from functools import partial

import numpy as onp
import pytest
from autograd import numpy as np
from matplotlib.backend_bases import KeyEvent, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from fewshot_np import lesson5_canvas, lesson5_project
from fewshot_np.data import ImageClasses
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.options import parse_options
from fewshot_np.experiment.records import load_params, read_record, save_params
from fewshot_np.lesson2_episodes import Episode, accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson4_siamese import balanced_pairs, equal_error_rate
from fewshot_np.lesson4_siamese import objective as contrastive_objective
from fewshot_np.lesson4_siamese import scores as distance_scores
from fewshot_np.lesson5_canvas import PEN, SLOTS, Board, rasterise
from fewshot_np.lesson5_project import (
    BEST_DISTANCE,
    BEST_PUSH,
    Model,
    calibrate,
    classify,
    embed_images,
    embedding,
    learners,
    load_model,
    main,
    make_model,
    n_parameters,
    objective,
    pair_weights,
    same_logits,
    save_model,
    scores,
    siamese_network,
    sigmoid,
)
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.nn.derivatives import assert_close, assert_differentiates


def in_float64(params):
    return tree_map(lambda p: p.astype(float), params)


def random_params(input_shape=(28, 28, 1), seed=0, biases=0.1):
    """Parameters whose biases are not zero, so that each of them matters."""
    rng = onp.random.default_rng(seed)
    params = siamese_network(input_shape).init(rng)
    return {name: {"w": layer["w"], "b": (biases * rng.normal(size=layer["b"].shape)).astype("float32")}
            for name, layer in params.items()}


def random_episode(n_tasks=2, n_way=3, k_shot=2, n_query=2, size=28, seed=0):
    rng = onp.random.default_rng(seed)
    support, query = (rng.random((n_tasks, n_way * n, size, size, 1), dtype="float32") for n in (k_shot, n_query))
    labels = onp.arange(n_way)
    return Episode(support, onp.tile(labels.repeat(k_shot), (n_tasks, 1)),
                   query, onp.tile(labels.repeat(n_query), (n_tasks, 1)), None, None)


def vector(tree):
    return onp.concatenate([onp.ravel(tree[name][kind]) for name in sorted(tree) for kind in ("w", "b")])


# ---------------------------------------------------------------- the document's network: against loops


def conv_relu_loops(x, w, b):
    height, width = x.shape[0] - 2, x.shape[1] - 2
    y = onp.empty((height, width, w.shape[-1]))
    for i in range(height):
        for j in range(width):
            y[i, j] = sum(x[i + di, j + dj] @ w[di, dj] for di in range(3) for dj in range(3)) + b
    return onp.where(y > 0, y, 0)


def conv_relu_backward(x, w, y, g):
    gx, gw, gb, g = onp.zeros_like(x), onp.zeros_like(w), onp.zeros(w.shape[-1]), onp.where(y > 0, g, 0)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            gb += g[i, j]
            for di in range(3):
                for dj in range(3):
                    gw[di, dj] += onp.outer(x[i + di, j + dj], g[i, j])
                    gx[i + di, j + dj] += w[di, dj] @ g[i, j]
    return gx, gw, gb


def pool_loops(x):
    """(the maxima of 2x2 windows, where each stands)"""
    height, width, depth = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
    y, where = onp.empty((height, width, depth)), {}
    for i in range(height):
        for j in range(width):
            for c in range(depth):
                places = [(2 * i + di, 2 * j + dj, c) for di in range(2) for dj in range(2)]
                where[i, j, c] = max(places, key=lambda place: x[place])
                y[i, j, c] = x[where[i, j, c]]
    return y, where


def pool_backward(x, where, g):
    gx = onp.zeros_like(x)
    for out, place in where.items():
        gx[place] += g[out]
    return gx


def network_by_loops(params, image, cotangent=1.0):
    """(output, gradients of cotangent * output) of one image, layer by layer, forward and back."""
    p = params
    y1 = conv_relu_loops(image, p["conv1"]["w"], p["conv1"]["b"])
    m1, at1 = pool_loops(y1)
    y2 = conv_relu_loops(m1, p["conv2"]["w"], p["conv2"]["b"])
    m2, at2 = pool_loops(y2)
    flat = m2.ravel()
    hidden = flat @ p["dense"]["w"] + p["dense"]["b"]
    e = onp.where(hidden > 0, hidden, 0)
    z = float(e @ p["head"]["w"][:, 0] + p["head"]["b"][0])
    output = 1 / (1 + onp.exp(-z))
    gz = cotangent * output * (1 - output)
    gh = gz * p["head"]["w"][:, 0] * (hidden > 0)
    g2 = pool_backward(y2, at2, (p["dense"]["w"] @ gh).reshape(m2.shape))
    gm1, gw2, gb2 = conv_relu_backward(m1, p["conv2"]["w"], y2, g2)
    _, gw1, gb1 = conv_relu_backward(image, p["conv1"]["w"], y1, pool_backward(y1, at1, gm1))
    return output, {"conv1": {"w": gw1, "b": gb1}, "conv2": {"w": gw2, "b": gb2},
                    "dense": {"w": onp.outer(flat, gh), "b": gh}, "head": {"w": gz * e[:, None], "b": onp.array([gz])}}


@pytest.mark.parametrize("input_shape", [(28, 28, 1), (13, 11, 2)])
def test_forward_pass_and_gradients_are_those_of_loops(input_shape):
    params = in_float64(random_params(input_shape))
    images = onp.random.default_rng(1).random((2, *input_shape))
    cotangent = onp.array([[1.3], [-0.7]])
    by_loops = [network_by_loops(params, image, g) for image, (g,) in zip(images, cotangent, strict=True)]
    apply = siamese_network(input_shape).apply
    assert_close(apply(params, images), [[output] for output, _ in by_loops])
    gradient = grad(lambda p: np.sum(cotangent * apply(p, images)))(params)
    assert_close(vector(gradient), sum(vector(g) for _, g in by_loops), rtol=1e-10)


def test_forward_pass_and_gradients_are_those_of_pytorch_on_copied_weights():
    torch = pytest.importorskip("torch")
    params = random_params()
    images = onp.random.default_rng(1).random((5, 28, 28, 1), dtype="float32")
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 64, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
                              torch.nn.Conv2d(64, 128, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
    dense, head = torch.nn.Linear(3200, 128), torch.nn.Linear(128, 1)
    layers = {"conv1": net[0], "conv2": net[3], "dense": dense, "head": head}
    with torch.no_grad():
        for name, layer in layers.items():
            w = params[name]["w"]
            layer.weight.copy_(torch.tensor(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T))
            layer.bias.copy_(torch.tensor(params[name]["b"]))
    maps = net(torch.tensor(images.transpose(0, 3, 1, 2)))
    flat = maps.permute(0, 2, 3, 1).reshape(5, -1)      # Keras flattens with the channels last
    output = torch.sigmoid(head(torch.relu(dense(flat))))
    cotangent = onp.random.default_rng(2).normal(size=(5, 1)).astype("float32")
    (output * torch.tensor(cotangent)).sum().backward()
    apply = siamese_network().apply
    onp.testing.assert_allclose(apply(params, images), output.detach().numpy(), atol=1e-6)
    gradient = grad(lambda p: np.sum(cotangent * apply(p, images)))(params)
    for name, layer in layers.items():
        w = layer.weight.grad.numpy()
        assert_close(gradient[name]["w"], w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T, rtol=1e-5)
        assert_close(gradient[name]["b"], layer.bias.grad.numpy(), rtol=1e-5)


def test_it_has_the_documents_parameters():
    params = siamese_network((28, 28, 1)).init(onp.random.default_rng(0))
    assert {name: n_parameters(layer) for name, layer in params.items()} == {
        "conv1": 640, "conv2": 73856, "dense": 409728, "head": 129}
    assert n_parameters(params) == 484353
    for number in ("640", "73,856", "409,728", "129", "484,353"):
        assert number in lesson5_project.__doc__
    assert {leaf.dtype for leaf in leaves(params)} == {onp.dtype("float32")}


def test_tasks_at_once_are_one_by_one_and_everything_stays_float32():
    params, images = random_params(), onp.random.default_rng(1).random((3, 2, 28, 28, 1), dtype="float32")
    network = siamese_network()
    together = network.apply(params, images)
    assert together.shape == (3, 2, 1)
    assert together.dtype == onp.float32
    assert ((together > 0) & (together < 1)).all()
    onp.testing.assert_allclose(together, [network.apply(params, task) for task in images], rtol=1e-5)
    value, gradient = value_and_grad(objective)(params, random_episode())
    assert value.dtype == onp.float32
    assert {leaf.dtype for leaf in leaves(gradient)} == {onp.dtype("float32")}


@pytest.mark.parametrize("shape", [(9, 28, 1), (28, 28), (28, 28, 0)])
def test_shapes_that_it_cannot_take(shape):
    with pytest.raises(ValueError, match="H and W of 10 or more"):
        siamese_network(shape)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"needs images \(28, 28, 1\)"):
        siamese_network().apply(random_params(), onp.zeros((2, 27, 28, 1), "float32"))


def test_the_sigmoid_does_not_overflow():
    z = onp.array([-200, -3, 0, 3, 200], "float32")
    with onp.errstate(over="raise", invalid="raise"):
        onp.testing.assert_allclose(sigmoid(z), [0, 0.04742587, 0.5, 0.95257413, 1], atol=1e-7)
        slopes = grad(lambda z: np.sum(sigmoid(z)))(z)
    onp.testing.assert_allclose(slopes, [0, 0.04517666, 0.25, 0.04517666, 0], atol=1e-7)
    assert slopes.dtype == onp.float32


# ---------------------------------------------------------------- what one number can do


def test_the_best_that_one_number_can_do():
    """Minimise the mean push loss over all ways to spread characters on a line, by Frank-Wolfe on a grid."""
    x = onp.linspace(0, 1, 201)
    d = onp.abs(x[:, None] - x)
    kernel = (1 - d) ** 2
    best = onp.full(len(x), 0.5 / len(x))
    best[[0, -1]] += 0.25
    assert abs(best @ kernel @ best - BEST_PUSH) < 5e-3
    assert abs(best @ d @ best - BEST_DISTANCE) < 5e-3
    assert onp.ptp(kernel @ best) < 1e-2                      # no character gains by moving
    assert onp.linalg.eigvalsh(kernel).min() > -1e-9          # convex: what cannot be improved is the minimum


# ---------------------------------------------------------------- rewired


def objective_loops(params, episode, n_hard):
    """The definition, pair by pair."""
    total = 0
    for sx, sy, qx, qy in zip(*episode[:4], strict=True):
        support, query = embedding(params, sx), embedding(params, qx)
        same, different = [], []
        for q, label in zip(query, qy, strict=True):
            z = [float(onp.abs(q - s) @ params["head"]["w"][:, 0] + params["head"]["b"][0]) for s in support]
            same += [onp.log(1 + onp.exp(-v)) for v, y in zip(z, sy, strict=True) if y == label]
            others = sorted((v for v, y in zip(z, sy, strict=True) if y != label), reverse=True)
            different += [onp.log(1 + onp.exp(v)) for v in others[:n_hard]]
        total += (onp.mean(same) + onp.mean(different)) / 2
    return total / len(episode.support_x)


@pytest.mark.parametrize("n_hard", [1, 3, 99])
def test_the_objective_is_the_mean_over_pairs(n_hard):
    params, episode = in_float64(random_params()), random_episode(n_way=4)
    assert_close(objective(params, episode, n_hard), objective_loops(params, episode, n_hard))


def test_its_gradient_is_that_of_differences():
    params = in_float64(random_params((10, 10, 1)))
    episode = random_episode(n_tasks=1, n_way=3, k_shot=1, n_query=1, size=10)
    episode = Episode(*(x.astype(float) if x.ndim > 2 else x for x in episode[:4]), None, None)

    def of_head_and_conv(w, b, kernel):
        return objective({**params, "head": {"w": w, "b": b}, "conv1": {"w": kernel, "b": params["conv1"]["b"]}},
                         episode, n_hard=99)

    assert_differentiates(of_head_and_conv, params["head"]["w"], params["head"]["b"], params["conv1"]["w"])


def test_identical_pairs_have_a_gradient():
    params, image = random_params(), onp.random.default_rng(1).random((1, 28, 28, 1), dtype="float32")

    def logit(p):
        e = embedding(p, image)
        return np.sum(same_logits(p, e, e))

    gradient = grad(logit)(params)
    assert all(onp.isfinite(leaf).all() for leaf in leaves(gradient))
    assert logit(params) == pytest.approx(float(params["head"]["b"][0]))
    assert not gradient["head"]["w"].any()


def test_weights_of_pairs_by_hand():
    own = onp.array([[[True, False, False], [False, True, False]]])
    weights = pair_weights(onp.array([[[9, 2, 3], [1, 0, -1]]]), own, 1)
    onp.testing.assert_array_equal(weights, [[[0.25, 0, 0.25], [0.25, 0.25, 0]]])
    with pytest.raises(ValueError, match="of another class"):
        pair_weights(onp.zeros((1, 1, 1)), onp.ones((1, 1, 1), bool), 4)


def test_scores_are_the_mean_over_a_classs_examples():
    params, episode = random_params(), random_episode(n_way=3, k_shot=2)
    order = onp.array([4, 0, 3, 1, 5, 2])
    shuffled = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    found = scores(params, episode, False)
    assert found.shape == (2, 6, 3)
    support, query = embedding(params, episode.support_x), embedding(params, episode.query_x)
    by_hand = [same_logits(params, query[1, 4], support[1, 2 * n:2 * n + 2]).mean() for n in range(3)]
    onp.testing.assert_allclose(found[1, 4], by_hand, rtol=1e-5)
    onp.testing.assert_allclose(scores(params, shuffled, True), found, rtol=1e-4, atol=1e-6)


def test_calibration_finds_the_scale_and_the_shift():
    rng = onp.random.default_rng(0)
    logits = rng.normal(0, 2, 20000)
    same = (rng.random(20000) < 1 / (1 + onp.exp(-(2.5 * logits + 0.8)))).astype(int)
    params = random_params()
    e = rng.random((2, 7, 128), dtype="float32")
    found = calibrate(params, logits, same)
    before, after = same_logits(params, *e), same_logits(found, *e)
    scale, shift = onp.polyfit(before, after, 1)
    onp.testing.assert_allclose(after, scale * before + shift, atol=1e-4)
    assert scale == pytest.approx(2.5, rel=0.05)
    assert shift == pytest.approx(0.8, abs=0.1)
    assert {leaf.dtype for leaf in leaves(found)} == {onp.dtype("float32")}


def test_calibration_of_pairs_that_are_all_told_apart_stays_finite():
    logits = onp.array([-1.0, 1.0] * 20)
    found = calibrate(random_params(), logits, onp.array([0, 1] * 20))
    assert all(onp.isfinite(leaf).all() for leaf in leaves(found))


# ---------------------------------------------------------------- the model


def small_classes(n_classes=5, n_images=4, seed=0):
    rng = onp.random.default_rng(seed)
    prints = rng.integers(0, 200, (n_classes, 1, 28, 28, 1))
    images = (prints + rng.integers(0, 55, (n_classes, n_images, 28, 28, 1))).reshape(-1, 28, 28, 1)
    return ImageClasses(images.astype("uint8"), onp.arange(n_classes).repeat(n_images),
                        [f"c{i}" for i in range(n_classes)], ["x"] * n_classes)


def test_a_model_is_saved_and_found_again(tmp_path):
    model = make_model(random_params(), small_classes(), 40, onp.random.default_rng(0))
    save_model(tmp_path / "m.npz", model)
    again = load_model(tmp_path / "m.npz")
    assert again.threshold == model.threshold
    assert 0 <= model.threshold <= 1
    onp.testing.assert_array_equal(vector(again.params), vector(model.params))


@pytest.mark.parametrize("what", [{"head": {"w": onp.zeros(3)}}, {"params": random_params((20, 20, 1)),
                                                                  "threshold": onp.array(0.5)}])
def test_other_parameters_are_no_model(tmp_path, what):
    save_params(tmp_path / "m.npz", what)
    with pytest.raises(ValueError, match="not a model of this lesson"):
        load_model(tmp_path / "m.npz")


def test_images_are_embedded_in_batches():
    params, classes = random_params(), small_classes()
    whole = embedding(params, classes.images.astype("float32") / 255)
    onp.testing.assert_allclose(embed_images(params, classes.images, batch=7), whole, rtol=1e-4, atol=1e-5)


def by_hand_model(threshold):
    """A network for which p(same) falls with the distance of embeddings from nearly 1."""
    params = random_params(biases=0.0)
    params["head"] = {"w": onp.full((128, 1), -0.2, "float32"), "b": onp.array([4.0], "float32")}
    return Model(params, threshold)


def test_classify_names_the_class_or_none():
    classes = small_classes(3, 3)
    images = classes.images.astype("float32") / 255
    keep = onp.array([0, 1, 3, 6, 7])                     # unequal counts: 2, 1, 2
    stranger = onp.random.default_rng(9).random((1, 28, 28, 1), dtype="float32")
    queries = onp.concatenate([images[[2, 4, 8]], stranger])
    answers = classify(by_hand_model(0.8), images[keep], classes.labels[keep], queries)
    assert [answer.label for answer in answers[:3]] == [0, 1, 2]
    assert answers[3].label is None
    for answer, own in zip(answers, [{0, 1}, {2}, {3, 4}], strict=False):
        assert set(answer.nearest[:len(own)]) == own
        assert answer.probabilities.shape == (3,)
        assert (onp.diff(answer.alike[answer.nearest]) <= 0).all()
    assert all(a.label is None for a in classify(by_hand_model(1.0), images[keep], classes.labels[keep], queries))


# ---------------------------------------------------------------- the reader's photos

SHAPES = {"cross": [[(.5, 0), (.5, 1)], [(0, .4), (1, .4)]], "triangle": [[(0, 1), (1, 1), (.5, 0), (0, 1)]],
          "zigzag": [[(0, 0), (.33, 1), (.66, 0), (1, 1)]], "bar": [[(0, .5), (1, .5)]]}


def photo(path, shape, size=(300, 240), ink="black", paper="white", pen=5, scale=0.4, corner=(60, 50), mode="RGB"):
    image = Image.new(mode, size, paper)
    for line in SHAPES[shape]:
        ImageDraw.Draw(image).line([(corner[0] + x * scale * 240, corner[1] + y * scale * 240) for x, y in line],
                                   fill=ink, width=pen)
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = Image.Exif()
    if path.stem == "turned":
        image, turned[0x0112] = image.rotate(90, expand=True), 6
    image.save(path, exif=turned)
    return path


@pytest.fixture
def own(tmp_path):
    """Three classes of 2, 1 and 2 examples, and photos of each kind; a model that needs no training."""
    for shape in ("cross", "triangle", "zigzag"):
        photo(tmp_path / "support" / shape / "1.png", shape)
    photo(tmp_path / "support" / "cross" / "2.jpg", "cross", ink="white", paper="darkgreen", corner=(30, 90))
    photo(tmp_path / "support" / "zigzag" / "2.png", "zigzag", size=(600, 260), scale=0.7, pen=9)
    save_model(tmp_path / "model.npz", by_hand_model(0.0))
    return tmp_path


DISGUISES = [("a.png", {}), ("small.png", {"scale": 0.25, "pen": 3, "corner": (150, 120)}),
             ("chalk.jpg", {"ink": "white", "paper": "navy"}), ("turned.jpg", {}),
             ("clear.png", {"mode": "RGBA", "ink": (0, 0, 0, 255), "paper": (0, 0, 0, 0)}),
             ("grey.png", {"mode": "L", "ink": 90, "paper": 200}), ("wide.png", {"size": (900, 240)})]


def run_classify(own, *photos, **more):
    options = {"--support": own / "support", "--model": own / "model.npz", "--out": own / "out", **more}
    main(["--classify", *map(str, photos), *(str(word) for pair in options.items() for word in pair)])


def test_photos_of_every_kind_are_classified(own, capsys):
    photos = [photo(own / name, "triangle", **look) for name, look in DISGUISES]
    photos += [photo(own / "z.png", "zigzag"), photo(own / "x.png", "cross", scale=0.6, pen=8)]
    run_classify(own, *photos)
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " p = " in line and "; then " in line]
    assert len(lines) == len(photos)
    assert all(f"{path.name:18}  triangle p = " in line for path, line in zip(photos[:-2], lines, strict=False)), out
    assert "zigzag p = " in lines[-2].split(";")[0]
    assert "cross p = " in lines[-1].split(";")[0]
    assert max(len(line) for line in out.splitlines() if str(own) not in line) <= 80
    picture = own / "out" / "classified" / "answers.png"
    assert str(picture) in out
    assert Image.open(picture).size[0] > 500
    run_classify(own, photos[0])                            # a second time into the same folder


def test_what_is_none_of_these_is_said_to_be(own, capsys):
    save_model(own / "model.npz", by_hand_model(0.999999))
    run_classify(own, photo(own / "bar.png", "bar"))
    assert "none of these (nearest: " in capsys.readouterr().out


def test_names_that_a_terminal_or_a_font_may_not_know(own, capsys, monkeypatch):
    (own / "support" / "cross").rename(own / "support" / "十字")
    run_classify(own, photo(own / "x.png", "cross"))
    assert "十字 p = " in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert lesson5_canvas.printable("十字") == "??"
    assert lesson5_canvas.drawable(["α", "十字"], 0, 9) == "α"
    assert lesson5_canvas.drawable(["α", "十字"], 1, 9) == "class 2"


@pytest.mark.parametrize(("spoil", "error", "message"), [
    (lambda own: ([own / "nowhere.png"], {}), FileNotFoundError, "there is no file .*nowhere.png"),
    (lambda own: ([own / "support"], {}), ValueError, "support: Is a directory|support: Permission denied"),
    (lambda own: ([own / "model.npz"], {}), ValueError, "model.npz: not an image"),
    (lambda own: ([own / "a.png"], {"--support": own / "no"}), FileNotFoundError, "there is no folder"),
    (lambda own: ([own / "a.png"], {"--support": own / "a.png"}), ValueError, "is a file; expected is a folder"),
    (lambda own: ([own / "a.png"], {"--support": own / "support" / "cross"}), ValueError, "has 0 sub-folders"),
    (lambda own: ([own / "a.png"], {"--model": own / "a.png"}), ValueError, "damaged or not a parameter file"),
])
def test_bad_photos_and_folders_are_named(own, spoil, error, message):
    photo(own / "a.png", "cross")
    photos, more = spoil(own)
    with pytest.raises(error, match=message):
        run_classify(own, *photos, **more)


def test_a_class_without_a_readable_image_is_named(own):
    (own / "support" / "notes").mkdir()
    (own / "support" / "notes" / "a.txt").write_text("no image")
    with pytest.warns(UserWarning, match="a.txt"), pytest.raises(ValueError, match="class 'notes' has no readable"):
        run_classify(own, photo(own / "a.png", "cross"))


def test_classify_needs_support(own):
    with pytest.raises(ValueError, match="--classify needs --support FOLDER"):
        main(["--classify", str(photo(own / "a.png", "cross")), "--out", str(own / "out")])


# ---------------------------------------------------------------- strokes


def test_strokes_become_an_image_centred_and_as_large_as_the_glyphs():
    strokes = [[(.7, .1), (.7, .3), (.75, .3)], [(.65, .2), (.75, .2)]]
    image = rasterise(strokes)
    assert image.shape == (28, 28, 1)
    assert image.dtype == onp.float32
    assert image.max() == 1
    assert image.min() == 0
    rows, columns = (onp.flatnonzero((image[..., 0] > 0.5).any(axis)) for axis in (1, 0))
    assert rows[0] + rows[-1] == pytest.approx(27, abs=1)
    assert columns[0] + columns[-1] == pytest.approx(27, abs=1)


def test_size_and_place_on_the_pad_do_not_matter():
    strokes = [onp.array([(0, 0), (.33, 1), (.66, 0), (1, 1)])]
    one, other = (rasterise([stroke * size + place for stroke in strokes]) for size, place in [(.5, .1), (.9, .05)])
    onp.testing.assert_allclose(one, other, atol=1e-5)
    rows = onp.flatnonzero((one[..., 0] > 0.5).any(1))
    assert len(rows) == pytest.approx(20, abs=1)


def test_a_stroke_is_as_broad_as_the_pen():
    image = rasterise([[(.2, .5), (.8, .5)]])
    onp.testing.assert_allclose(image[:, 10:18, 0].sum(axis=0), PEN, atol=0.05)


def test_a_dot_stays_small_and_no_stroke_is_an_error():
    assert 4 < rasterise([[(.5, .5)]]).sum() < 8
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="nothing is drawn"):
            rasterise(nothing)


def test_ink_is_by_the_distance_to_the_nearest_line():
    stroke = onp.random.default_rng(0).random((5, 2))
    image = rasterise([stroke])
    low, high = stroke.min(0), stroke.max(0)
    points = (stroke - (low + high) / 2) * (20 - PEN) / (high - low).max() + 14
    for row, column in [(5, 9), (14, 14), (20, 8), (9, 21), (13, 17)]:
        distance = min(onp.hypot(*(points[i] + t * (points[i + 1] - points[i]) - (column + .5, row + .5)))
                       for i in range(4) for t in onp.linspace(0, 1, 2001))
        assert image[row, column, 0] == pytest.approx(onp.clip(PEN / 2 + 0.5 - distance, 0, 1), abs=2e-2)


# ---------------------------------------------------------------- the board, by simulated mouse events


class Hand:
    """A board without a display, and a hand that draws on it."""

    def __init__(self, learners):
        self.figure = Figure(figsize=(11, 6.2))
        self.canvas = FigureCanvasAgg(self.figure)
        self.board = Board(self.figure, learners)
        self.canvas.draw()
        self.canvas.draw_idle = lambda: None               # a window would draw once in a while

    def event(self, name, place, button=1):
        self.canvas.callbacks.process(name, MouseEvent(name, self.canvas, *place, button))

    def draw(self, shape, size=0.5, place=0.25):
        for line in SHAPES[shape]:
            line = onp.array(line) * size + place
            fine = [onp.interp(onp.linspace(0, len(line) - 1, 10), range(len(line)), line[:, i]) for i in (0, 1)]
            places = self.board.pad.transData.transform(onp.transpose(fine))
            self.event("button_press_event", places[0])
            for where in places[1:]:
                self.event("motion_notify_event", where)
            self.event("button_release_event", places[-1])

    def click(self, axes, button=1):
        place = axes.transAxes.transform((0.5, 0.5))
        self.event("button_press_event", place, button)
        self.event("button_release_event", place, button)

    def key(self, key):
        self.canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", self.canvas, key))


@pytest.fixture
def hand():
    return Hand(learners(by_hand_model(0.0)))


def test_draw_teach_and_recognise(hand):
    board = hand.board
    for i, shape in enumerate(["cross", "triangle", "zigzag"]):
        hand.draw(shape)
        assert len(board.strokes) == len(SHAPES[shape])
        hand.click(board.slots[i])
        assert not board.strokes
    assert board.labels == [0, 1, 2]
    for label, shape in enumerate(["cross", "triangle", "zigzag"]):
        hand.draw(shape, size=0.7, place=0.1)
        assert {name: answer[1] for name, answer in board.answers.items()} == dict.fromkeys(
            ["pixels", "Siamese", "prototypes"], label)
        for bars, _ in board.answers.values():
            assert bars.shape == (3,)
            assert ((bars >= 0) & (bars <= 1)).all()
        before = board.tally["Siamese"][:]
        hand.click(board.slots[label])                     # one more example, and who was right
        assert board.tally["Siamese"] == [before[0] + 1, before[1] + 1]
    assert board.labels == [0, 1, 2, 0, 1, 2]
    said = [text.get_text() for text in board.panels["Siamese"].texts]
    assert "Siamese" in said


def test_a_new_character_is_none_of_these(hand):
    hand.board.learners = learners(by_hand_model(0.9))
    for i, shape in enumerate(["cross", "triangle"]):
        hand.draw(shape)
        hand.click(hand.board.slots[i])
    hand.draw("zigzag")
    assert hand.board.answers["Siamese"][1] is None
    assert "none of these" in [text.get_text() for text in hand.board.panels["Siamese"].texts]
    hand.click(hand.board.slots[2])
    assert hand.board.tally == {"pixels": [0, 1], "Siamese": [1, 1], "prototypes": [0, 1]}


def test_undo_clear_and_keys(hand):
    board = hand.board
    hand.draw("cross")
    hand.click(board.buttons["undo"])
    assert len(board.strokes) == 1
    hand.key("z")
    assert not board.strokes
    hand.key("z")                                          # nothing left to undo
    hand.draw("cross")
    hand.click(board.buttons["clear"])
    assert not board.strokes
    hand.draw("cross")
    hand.click(board.pad, button=3)
    assert not board.strokes
    hand.draw("cross")
    hand.key("5")                                          # slot 1 comes first
    assert not board.labels
    hand.key("1")
    hand.draw("bar")
    hand.key("n")
    assert board.labels == [0, 1]
    hand.key("n")                                          # an empty pad teaches nothing
    hand.key("shift")
    assert board.labels == [0, 1]


def test_a_stroke_that_leaves_the_pad_and_a_full_board(hand):
    board = hand.board
    start, outside = board.pad.transData.transform([(0.5, 0.5), (3, 0.5)])
    hand.event("button_press_event", start)
    hand.event("motion_notify_event", outside)
    hand.event("button_release_event", outside)
    assert len(board.strokes[0]) == 1
    assert not board.drawing
    board.images, board.labels = [onp.zeros((28, 28, 1), "float32")] * (SLOTS - 1), list(range(SLOTS - 1))
    for _ in range(2):
        hand.draw("bar")
        hand.key("n")
    assert board.n_classes == SLOTS


def test_the_board_draws_without_warnings(hand, recwarn, tmp_path):
    for i, shape in enumerate(["cross", "triangle"]):
        hand.draw(shape)
        hand.click(hand.board.slots[i])
    hand.canvas.draw()
    hand.figure.savefig(tmp_path / "board.png")
    assert not [w for w in recwarn if "font" in str(w.message).lower() or "layout" in str(w.message).lower()]


def test_without_a_display_there_is_a_message_and_no_training(tmp_path):
    """In a process of its own: toolkits and displays are a matter of the whole process."""
    code = ("import sys; from fewshot_np import lesson5_canvas, lesson5_project as l; "
            "lesson5_canvas.BACKENDS = ('nosuchthing',); "
            "from fewshot_np.experiment.options import run; "
            f"run(lambda: l.main(['--draw', '--out', {str(tmp_path)!r}]))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "--draw needs a window" in result.stderr
    assert "Traceback" not in result.stderr


def test_importing_the_lesson_does_not_import_pyplot():
    code = "import sys, fewshot_np.lesson5_project; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_draw_hands_a_board_to_the_reader(own, monkeypatch, capsys):
    """What --draw does where there is a display: here the window is a canvas in memory."""
    from matplotlib import pyplot

    figure = Figure(figsize=(11, 6.2))
    FigureCanvasAgg(figure)
    monkeypatch.setattr(lesson5_project, "open_window", lambda: figure)
    monkeypatch.setattr(pyplot, "show", lambda block: None)
    main(["--draw", "--model", str(own / "model.npz"), "--out", str(own / "out")])
    assert "Siamese     0 of 0 right" in capsys.readouterr().out


# ---------------------------------------------------------------- the run


def test_quick_run(tmp_path, capsys):
    main(["--quick", "--out", str(tmp_path), "--iterations", "4", "--episodes", "6"])
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 80
    assert out.replace("±", "").isascii()
    record = read_record(tmp_path / "record.json")
    assert record["metrics"]["document, loss of different pairs"]["at best"] == BEST_PUSH
    for name in ("recognition, rewired", "recognition, nearest pixels", "recognition, as in the document",
                 "none of these, strangers, refused", "verification, rewired, equal error rate"):
        assert set(record["metrics"][name]) >= {"mean", "interval"}
    for name in ("wirings.png", "answers.png", "model.npz", "rewired.npz", "as-in-the-document.npz"):
        assert (tmp_path / name).exists()
    assert isinstance(load_model(tmp_path / "model.npz"), Model)
    assert n_parameters(load_params(tmp_path / "as-in-the-document.npz")) == 484353


def test_the_first_use_trains_a_model_and_the_second_finds_it(own, monkeypatch, capsys):
    a = photo(own / "a.png", "cross")
    words = ["--quick", "--iterations", "2", "--classify", str(a), "--support", str(own / "support"),
             "--model", str(own / "new.npz"), "--out", str(own / "out")]
    main(words)
    assert "There is no model" in capsys.readouterr().out
    assert isinstance(load_model(own / "new.npz"), Model)

    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(lesson5_project, "train", never)
    main(words)
    assert "There is no model" not in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "message"), [
    (["--n-way", "60"], "60-way episodes need 60 classes"), (["--pairs", "20"], "--pairs must be 40 or more"),
    (["--n-query", "20"], r"1 support \+ 20 query need 21"), (["--pairs", "201"], "even positive integer")])
def test_what_cannot_be_done_is_told_before_training(argv, message, tmp_path, monkeypatch):
    monkeypatch.setattr(lesson5_project, "train", None)
    with pytest.raises(ValueError, match=message):
        main(["--quick", *argv, "--out", str(tmp_path)])


def test_a_foreign_file_is_not_overwritten_by_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson5_project, "train", None)
    (tmp_path / "mine.npz").write_bytes(b"mine")
    with pytest.raises(ValueError, match="damaged or not"):
        main(["--quick", "--out", str(tmp_path / "out"), "--model", str(tmp_path / "mine.npz")])
    assert (tmp_path / "mine.npz").read_bytes() == b"mine"


def test_help_tells_how_to_use_it(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    for word in ("--classify", "--support", "--draw", "--model", "--iterations"):
        assert word in out


# ---------------------------------------------------------------- what the lesson claims, over three seeds


@pytest.fixture(scope="module")
def glyph_splits(cache_of_the_session, tmp_path_factory):
    options = parse_options("lesson5_project", "", {}, {}, {}, argv=["--out", str(tmp_path_factory.mktemp("out"))])
    return load_splits(options)


def trained(loss, training, seed, iterations):
    rng = onp.random.default_rng(seed)
    params, state, step = siamese_network().init(rng), None, value_and_grad(loss)
    schedule = cosine_decay(1e-3, iterations)
    for i in range(iterations):
        _, gradient = step(params, sample_episodes(training, 32, 1, 1, 1, rng))
        params, state = adam(params, gradient, state, schedule(i))
    return params


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_rewired_network_recognises_and_the_documents_wiring_cannot(glyph_splits, seed):
    training, validation, test = glyph_splits
    episodes = sample_episodes(test, 5, 1, 5, 100, onp.random.default_rng(seed))
    pixels = accuracies(pixel_scores(None, episodes), episodes.query_y).mean()
    network = siamese_network()

    document = trained(partial(contrastive_objective, network, margin=1.0), training, seed, 150)
    assert accuracies(distance_scores(network, document, episodes, False), episodes.query_y).mean() < pixels
    numbers = embed_images(document, test.images, network.apply)[:, 0]
    pairs = balanced_pairs(test, 2000, onp.random.default_rng(seed))
    distances = onp.abs(numbers[pairs.first_ids] - numbers[pairs.second_ids])
    assert distances.max() < 1
    assert onp.mean((1 - distances[pairs.same == 0]) ** 2) > BEST_PUSH - 0.01

    params = trained(objective, training, seed, 450)
    model = make_model(params, validation, 2000, onp.random.default_rng(seed))
    assert accuracies(scores(model.params, episodes), episodes.query_y).mean() > pixels + 0.2
    embeddings = embed_images(model.params, test.images)
    p = sigmoid(same_logits(model.params, embeddings[pairs.first_ids], embeddings[pairs.second_ids]))
    assert equal_error_rate(1 - p, pairs.same) < 0.2 < equal_error_rate(distances, pairs.same)
    for low, high in [(0, 0.2), (0.2, 0.8), (0.8, 1)]:     # p means what it says, for pairs of new characters, too
        chosen = (p >= low) & (p <= high)
        assert abs(p[chosen].mean() - pairs.same[chosen].mean()) < 0.15
