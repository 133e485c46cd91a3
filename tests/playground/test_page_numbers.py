"""What the page computes equals what Python computes, within 1e-4 on 200 random inputs per scene, in a real browser.

Python computes in float64 here, as the page does, from the same file: what is compared is the arithmetic.
"""

import base64
from functools import partial

import numpy as np
import pytest

from fewshot_np.data.classes import to_float
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import classification_loss, query_logits, reptile_step
from fewshot_np.lesson3_metric import embed, principal_components, prototypes, prototypical_scores
from fewshot_np.lesson4_maml import adapt, maml_objective, squared_error
from fewshot_np.lesson5_project import Model, embedded_scores, embedding, siamese_network, sigmoid
from fewshot_np.lesson5_project.__main__ import page_with_model
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import grad, repeat
from fewshot_np.playground import embed_with_statistics, head_for, rasterise, read_arrays
from fewshot_np.playground.server import PAGE
from tests.playground.browser import served

N_INPUTS, WITHIN = 200, 1e-4


@pytest.fixture(scope="module")
def weights():
    arrays, settings = read_arrays(PAGE / "weights" / "networks.bin")
    return arrays, settings


def network_of(arrays, network):
    """The parameters of one network of the file, in float64."""
    params = {}
    for name, array in arrays.items():
        if name.startswith(network + "."):
            *layer, key = name[len(network) + 1:].split(".")
            branch = params.setdefault(layer[0], {}) if layer else params
            branch[key] = array.astype(float)
    return params


@pytest.fixture(scope="module")
def compute(desktop, address):
    """compute(code, argument): what an async function (argument) => {code} of the page returns."""
    desktop.get(address)

    return partial(run_in_page, desktop)


def run_in_page(driver, code, argument):
    answer = driver.execute_async_script(
        "const done = arguments[1]; (async (argument) => {" + LOAD + code + "})(arguments[0])"
        ".then(done, (error) => done('error: ' + error.stack));", argument)
    assert not (isinstance(answer, str) and answer.startswith("error")), answer
    return answer


LOAD = """
const page = new URL("./", location.href);
const at = (name) => import(page + name);
const [learners, nn, drawing, files, lines, versus] =
  await Promise.all(["learners.js", "nn.js", "drawing.js", "weights.js", "lines.js", "versus.js"].map(at));
const weights = window.testWeights ??= await files.load("./weights/networks.bin");
const list = (rows) => rows.map((row) => Array.from(row));
const tree = (params) => Object.fromEntries(Object.entries(params).map(([layer, arrays]) =>
  [layer, Object.fromEntries(Object.entries(arrays).map(([key, array]) => [key, packed(array)]))]));
const packed = (array) => btoa(String.fromCharCode(...new Uint8Array(Float32Array.from(array).buffer)));
"""


def assert_near(page, python, what):
    page, python = np.asarray(page, float), np.asarray(python, float)
    assert page.shape == python.shape, what
    assert np.abs(page - python).max(initial=0) < WITHIN, what


def assert_same_params(page, python, what):
    for layer, arrays in python.items():
        for key, array in arrays.items():
            packed = np.frombuffer(base64.b64decode(page[layer][key]), "<f4")  # a quarter of the time of JSON
            assert_near(packed, np.ravel(array), f"{what}: {layer}.{key}")


def random_strokes(rng):
    """One to four random walks on the pad; now and then a dot."""
    def walk(start, moves):
        return np.clip(np.cumsum(np.concatenate([start, moves]), axis=0), 0, 1)

    return [walk(rng.uniform(0, 1, (1, 2)), rng.normal(0, 0.12, (rng.integers(0, 12), 2)))
            for _ in range(rng.integers(1, 5))]


# ---------------------------------------------------------------- 1. draw


def test_a_drawing_becomes_the_same_pixels(compute):
    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng) for _ in range(N_INPUTS)]
    answers = compute("return argument.map((strokes) => Array.from(drawing.rasterise(strokes)));",
                      [[stroke.tolist() for stroke in strokes] for strokes in drawings])
    for i, (strokes, answer) in enumerate(zip(drawings, answers, strict=True)):
        assert_near(answer, rasterise(strokes).ravel(), f"drawing {i}")


def draw_task(rng):
    """What a person teaches and asks: 2 to 8 signs, 1 or 2 examples of each, 1 to 3 queries, with MAML's steps."""
    n_way = int(rng.integers(2, 9))
    labels = np.concatenate([np.arange(n_way), rng.integers(0, n_way, rng.integers(0, 3))])
    images = [np.rint(255 * rasterise(random_strokes(rng))).astype(np.uint8)
              for _ in range(len(labels) + rng.integers(1, 4))]
    images = np.stack(images)
    return {"n": n_way, "labels": labels.tolist(), "images": images.reshape(len(images), -1).tolist(),
            "steps": int(rng.integers(0, 4)), "together": bool(rng.integers(0, 2))}, images


ANSWERS = """
const networks = files.drawingNetworks(weights);
const maml = files.networkOf(weights.arrays, "maml");
return argument.map(({ n, labels, images, steps, together }) => {
  const all = images.map((image) => Float64Array.from(image, (ink) => ink / 255));
  const [support, queries] = [all.slice(0, labels.length), all.slice(labels.length)];
  const proto = learners.prototypical(networks.prototypical, support, labels, n, queries, together);
  const { statistics } = nn.body(networks.prototypical, nn.stack(support), support.length);
  const alone = learners.prototypicalFrom(networks.prototypical, statistics,
    learners.prototypical(networks.prototypical, support, labels, n, [], false).prototypes, queries);
  const twins = (drawings) => learners.siameseEmbed(networks.siamese, networks.statistics, drawings);
  const adapted = learners.adapt(maml, support, labels, n, steps, networks.rate);
  return {
    pixels: learners.pixels(support, labels, n, queries), scores: proto.scores, alone: alone.scores,
    embeddings: list([...proto.support, ...proto.query]), prototypes: list(proto.prototypes),
    map: learners.principalComponents([...proto.support, ...proto.query]),
    siamese: learners.siameseDistances(twins(support), labels, n, twins(queries)), twins: list(twins(all)),
    adapted: tree(adapted), logits: list(learners.mamlLogits(adapted, support, queries, together)),
  };
});
"""


@pytest.mark.timeout(900)  # where other programs use the processor, too
def test_every_learner_answers_drawings_as_in_python(compute, weights):
    rng = np.random.default_rng(1)
    for part in range(10):
        tasks = [draw_task(rng) for _ in range(N_INPUTS // 10)]
        for i, (answer, (task, images)) in enumerate(zip(compute(ANSWERS, [task for task, _ in tasks]), tasks,
                                                         strict=True)):
            compare_answers(answer, task, images.astype(float) / 255, weights, f"input {part * 20 + i}")


def episode_of(task, images):
    m = len(task["labels"])
    return Episode(images[None, :m], np.array([task["labels"]]), images[None, m:], None, None, None)


def compare_answers(answer, task, images, weights, what):
    arrays, settings = weights
    episode, n_way, labels = episode_of(task, images), task["n"], np.array(task["labels"])
    assert_near(answer["pixels"], pixel_scores(None, episode)[0], f"{what}: pixels")

    network, params = conv4(channels=32, down="stride", features="mean"), network_of(arrays, "prototypical")
    statistics = "support and queries" if task["together"] else "support"
    embedded = np.concatenate([part[0] for part in embed(network, params, episode, statistics)])
    assert_near(answer["embeddings"], embedded, f"{what}: embeddings")
    assert_near(answer["prototypes"], prototypes(embedded[:len(labels)], labels, n_way), f"{what}: prototypes")
    for key, each in (("scores", statistics), ("alone", "support")):
        assert_near(answer[key], prototypical_scores(network, params, episode, each)[0], f"{what}: {key}")
    page_map, python_map = np.array(answer["map"]), principal_components(embedded)
    signs = np.sign(np.sum(page_map * python_map, axis=0))  # a component's sign means nothing
    assert_near(page_map * signs, python_map, f"{what}: map")

    twins = embed_with_statistics(network_of(arrays, "siamese"), network_of(arrays, "statistics"), images)
    assert_near(answer["twins"], twins, f"{what}: Siamese embeddings")
    apart = np.linalg.norm(twins[len(labels):, None] - twins[None, :len(labels)], axis=-1)
    nearest = np.stack([apart[:, labels == label].min(axis=1) for label in range(n_way)], axis=1)
    assert_near(answer["siamese"], nearest, f"{what}: Siamese distances")

    network = conv4(outputs=n_way, channels=32, down="stride", features="mean")
    adapted = adapt(partial(classification_loss, network), repeat(head_for(network_of(arrays, "maml"), n_way), 1),
                    episode.support_x, episode.support_y, settings["inner_lr"], task["steps"])
    assert_same_params(answer["adapted"], adapted, f"{what}: MAML")
    logits = query_logits(network, adapted, episode, "queries" if task["together"] else "support")
    assert_near(answer["logits"], logits[0], f"{what}: MAML's logits")


# ---------------------------------------------------------------- 2. curve


def test_curves_and_their_adapted_parameters_equal_python(compute, weights):
    rng, grid = np.random.default_rng(2), np.linspace(-5, 5, 41)
    network, starts = mlp([1, 40, 40, 1]), ("maml", "pretrained", "random")
    tasks = [{"start": starts[i % 3], "x": rng.uniform(-5, 5, k := rng.integers(1, 13)).tolist(),
              "y": rng.uniform(-5, 5, k).tolist(), "steps": int(rng.integers(0, 6)),
              "rate": float(10 ** rng.uniform(-3.5, -2.5))} for i in range(N_INPUTS)]
    answers = compute("""
        const grid = Array.from({ length: 41 }, (_, i) => -5 + i / 4);
        return argument.map(({ start, x, y, steps, rate }) => {
          const params = files.networkOf(weights.arrays, `sinusoids.${start}`);
          const adapted = learners.adaptCurve(params, x, y, steps, rate);
          const curve = learners.curveAt(adapted.params, grid);
          return { params: tree(adapted.params), losses: adapted.losses, curve };
        });""", tasks)
    loss = partial(squared_error, network)
    for i, (answer, task) in enumerate(zip(answers, tasks, strict=True)):
        params = network_of(weights[0], f"sinusoids.{task['start']}")
        x, y = np.array(task["x"])[:, None], np.array(task["y"])[:, None]
        adapted = adapt(loss, params, x, y, task["rate"], task["steps"])
        losses = [answer["losses"][0], answer["losses"][-1]]
        assert_near(losses, [loss(params, x, y), loss(adapted, x, y)], f"{i}: loss")
        assert_same_params(answer["params"], adapted, f"{i}: parameters")
        assert_near(answer["curve"], network.apply(adapted, grid[:, None])[:, 0], f"{i}: curve")


# ---------------------------------------------------------------- 3. you against the networks


def test_the_answers_to_trials_equal_python(compute, weights):
    """The committed characters, drawn as the page draws trials; half of the trials have 20 characters."""
    images = to_float(read_arrays(PAGE / "weights" / "characters.bin")[0]["images"]).astype(float)[..., None]
    trials = compute("""
        const networks = files.drawingNetworks(weights);
        const images = (await files.load("./weights/characters.bin")).arrays.images;
        return Array.from({ length: argument }, (_, i) => {
          const { n, truth, support, query } = versus.makeTrial(images.shape, i % 2 ? 5 : 20);
          const drawings = support.map((id) => versus.drawing(images, id));
          const labels = support.map((_, k) => k);
          const answers = versus.answersOf(networks, drawings, labels, n, [versus.drawing(images, query)]);
          return { n, truth, support, query, answers };
        });""", N_INPUTS)
    arrays, _ = weights
    network, params = conv4(channels=32, down="stride", features="mean"), network_of(arrays, "prototypical")
    right = 0
    for trial in trials:
        ids = np.array([*trial["support"], trial["query"]])
        assert len(set(ids[:-1, 0])) == trial["n"]
        assert ids[trial["truth"], 0] == ids[-1, 0]
        assert ids[trial["truth"], 1] != ids[-1, 1]
        episode = episode_of({"labels": list(range(trial["n"]))}, images[ids[:, 0], ids[:, 1]])
        assert trial["answers"]["pixels"] == pixel_scores(None, episode)[0, 0].argmax()
        scores = prototypical_scores(network, params, episode, "support")
        assert trial["answers"]["prototypical"] == scores[0, 0].argmax()
        twins = embed_with_statistics(network_of(arrays, "siamese"), network_of(arrays, "statistics"),
                                      np.concatenate([episode.support_x[0], episode.query_x[0]]))
        assert trial["answers"]["siamese"] == np.linalg.norm(twins[:-1] - twins[-1], axis=1).argmin()
        right += trial["answers"]["prototypical"] == trial["truth"]
    assert right > N_INPUTS / 2  # guessing would be right in 12.5 %


def test_intervals_of_a_few_trials(compute):
    """Wilson 1927 and Bonett & Price 2012, computed again; no right answers at all still leave a wide interval."""
    rng = np.random.default_rng(3)
    samples = [rng.integers(0, 2, (2, n := rng.integers(5, 30))).tolist() for _ in range(N_INPUTS)]
    answers = compute("""return argument.map(([a, b]) => ({
        wilson: learners.wilson(a.reduce((sum, value) => sum + value, 0), a.length),
        paired: learners.pairedDifference(a.map(Boolean), b.map(Boolean)) }));""", samples)
    for (first, second), answer in zip(np.array(samples, dtype=object), answers, strict=True):
        first, second = np.array(first), np.array(second)
        n, p = len(first), first.mean()
        ends = np.roots([1 + 1.96**2 / n, -2 * p - 1.96**2 / n, p * p])  # |p - x| = 1.96 sqrt(x (1 - x) / n)
        assert_near(answer["wilson"], sorted(np.clip(np.real(ends), 0, 1)), "Wilson")
        assert_near(answer["paired"]["difference"], np.mean(first - second), "difference")
        more, less = (np.sum(first > second) + 1) / (n + 2), (np.sum(first < second) + 1) / (n + 2)
        half = 1.96 * np.sqrt((more + less - (more - less) ** 2) / (n + 2))
        assert_near(answer["paired"]["interval"], np.clip([more - less - half, more - less + half], -1, 1), "paired")
    assert compute("return learners.wilson(0, 10);", None) == pytest.approx([0, 0.2775], abs=1e-3)  # from a table


# ---------------------------------------------------------------- 4. the line

SUPPORT, QUERY, SLOPES = np.array([[1., 2], [1, 3]]), np.array([[2., 3], [2, 4]]), np.array([[2.], [-1.]])
LINES = Episode(SUPPORT, SLOPES * SUPPORT, QUERY, SLOPES * QUERY, None, None)


def line_loss(slope, x, y):
    return ((slope * x - y) ** 2).sum(-1) / 2


def test_the_line_equals_autograd(compute):
    rng = np.random.default_rng(4)
    inputs = [(rng.uniform(-2, 3), rng.uniform(0, 0.1), int(rng.integers(0, 6))) for _ in range(N_INPUTS)]
    answers = compute("""return argument.map(([start, rate, steps]) => ({ loss: lines.metaLoss(start, rate, steps),
        pulls: lines.pulls(start, rate, steps), ends: lines.ends(rate, steps),
        adapted: lines.adapted(start, rate, steps) }));""", inputs)
    for (start, rate, steps), answer in zip(inputs, answers, strict=True):
        start = np.array([start])
        objective = partial(maml_objective, line_loss)
        adapted = adapt(line_loss, repeat(start, 2), LINES.support_x, LINES.support_y, rate, steps)
        pulls = {"maml": -grad(objective)(start, LINES, rate, steps),
                 "first": -grad(objective)(start, LINES, rate, steps, True),
                 "reptile": reptile_step({"w": start}, {"w": adapted}, 1)["w"] - start,
                 "pretrained": -grad(objective)(start, LINES, rate, 0)}
        assert_near(answer["adapted"], adapted[:, 0], "adapted")
        assert_near(answer["loss"], objective(start, LINES, rate, steps), "meta-objective")
        for name, pull in pulls.items():
            assert_near(answer["pulls"][name], pull[0], name)
        place = np.array([answer["ends"]["maml"]])
        assert_near(grad(objective)(place, LINES, rate, steps), [0], "MAML's end")


# ---------------------------------------------------------------- the reader's own model, lesson5_project --draw


def own_params(seed):
    """Lesson 5's network, not trained, with biases that matter, rounded as its file rounds them."""
    rng = np.random.default_rng(seed)
    params = siamese_network().init(rng)
    return {name: {"w": layer["w"], "b": (0.1 * rng.normal(size=layer["b"].shape)).astype("float32")}
            for name, layer in params.items()}


@pytest.mark.timeout(900)  # where other programs use the processor, too
def test_the_network_of_lesson_5_answers_as_in_python(desktop, tmp_path):
    params = own_params(0)
    folder = page_with_model(Model(params, 0.5), tmp_path / "page")
    exact = {name: {key: array.astype(float) for key, array in layer.items()} for name, layer in params.items()}
    rng = np.random.default_rng(5)
    with served(folder) as address:
        desktop.get(address + "?model=project")
        for _ in range(10):
            tasks = [draw_task(rng) for _ in range(N_INPUTS // 10)]
            answers = run_in_page(desktop, """
                const { params } = await files.ownModel();
                return argument.map(({ n, labels, images }) => {
                  const all = images.map((image) => Float64Array.from(image, (ink) => ink / 255));
                  const rows = learners.projectEmbed(params, all);
                  const support = rows.slice(0, labels.length);
                  return { rows: list(rows),
                    p: learners.projectProbabilities(params, support, labels, n, rows.slice(labels.length)) };
                });""", [task for task, _ in tasks])
            for answer, (task, images) in zip(answers, tasks, strict=True):
                embedded = embedding(exact, images.astype(float) / 255)
                assert_near(answer["rows"], embedded, "embeddings")
                support, query = np.split(embedded, [len(task["labels"])])
                logits = embedded_scores(exact, support[None], query[None], np.array([task["labels"]]), task["n"])
                assert_near(answer["p"], sigmoid(logits[0]), "probabilities")
