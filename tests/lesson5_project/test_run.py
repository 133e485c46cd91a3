"""The run of lesson 5, the loop on its page, and what the lesson claims, over three seeds."""

import threading
import urllib.request

import numpy as np
import pytest

from fewshot_np import lesson5_project as lesson
from fewshot_np.experiment.records import load_params
from fewshot_np.lesson2_episodes import accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson4_siamese import balanced_pairs, equal_error_rate, train_siamese
from fewshot_np.lesson4_siamese import scores as distance_scores
from fewshot_np.lesson5_project import __main__ as lesson_run
from fewshot_np.lesson5_project.__main__ import main
from fewshot_np.lesson5_project.model_file import load_model, save_model
from fewshot_np.lesson5_project.rewired import pair_logits
from fewshot_np.playground import read_arrays
from fewshot_np.playground.server import make_server
from tests.lesson5_project.parts import by_hand_model
from tests.scaffolding import glyph_splits, no_training, run_tiny, vector


def test_a_run_leaves_a_model_can_be_resumed_and_trains_as_the_pages_loop(tmp_path, monkeypatch):
    argv = ["--iterations", "4", "--episodes", "6", "--pairs", "40", "--train-way", "5"]
    first = run_tiny("lesson5_project", tmp_path, *argv)["metrics"]
    assert first["document, loss of different pairs"]["at best"] == lesson.BEST_PUSH
    assert isinstance(load_model(tmp_path / "model.npz"), lesson.Model)
    assert lesson.n_parameters(load_params(tmp_path / "as-in-the-document.npz")) == 484353
    mine = lesson.train_rewired(glyph_splits(quick=True)[0], 4, np.random.default_rng(0), n_way=5)
    np.testing.assert_array_equal(vector(mine), vector(load_params(tmp_path / "rewired.npz")))
    assert run_tiny("lesson5_project", tmp_path, *argv, "--resume")["metrics"] == first


def test_draw_serves_the_playground_with_the_readers_model(tmp_path, monkeypatch):
    """What the page makes of the model is tested in tests/playground, in a browser."""
    served = []

    def serve(server, browser, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/weights/project.bin") as answer:
            (tmp_path / "project.bin").write_bytes(answer.read())
        served.append((browser, path))

    def in_the_background(folder):
        server = make_server(folder=folder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    monkeypatch.setattr(lesson_run, "make_server", in_the_background)
    monkeypatch.setattr(lesson_run, "serve", serve)
    model = by_hand_model(0.25)
    save_model(tmp_path / "model.npz", model)
    main(["--draw", "--model", str(tmp_path / "model.npz"), "--out", str(tmp_path / "out")])
    assert served == [(True, "?model=project#draw")]
    arrays, settings = read_arrays(tmp_path / "project.bin")
    assert settings == {"threshold": 0.25}
    for name, array in arrays.items():
        _, layer, key = name.split(".")
        np.testing.assert_array_equal(array, model.params[layer][key])


def test_a_foreign_file_is_not_overwritten_by_the_model(tmp_path, monkeypatch):
    no_training(monkeypatch)
    (tmp_path / "mine.npz").write_bytes(b"mine")
    with pytest.raises(ValueError, match="damaged or not"):
        main(["--quick", "--out", str(tmp_path / "out"), "--model", str(tmp_path / "mine.npz")])
    assert (tmp_path / "mine.npz").read_bytes() == b"mine"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_rewired_network_recognises_and_the_documents_wiring_cannot(seed):
    training, validation, test = glyph_splits()
    episodes = sample_episodes(test, 5, 1, 5, 100, np.random.default_rng(seed))
    pixels = accuracies(pixel_scores(None, episodes), episodes.query_y).mean()

    network = lesson.siamese_network()
    document = train_siamese(network, training, 150, np.random.default_rng(seed), learning_rate=1e-3, margin=1.0)
    assert accuracies(distance_scores(network, document, episodes, "support"), episodes.query_y).mean() < pixels
    numbers = lesson.embed_images(document, test.images, network.apply)[:, 0]
    pairs = balanced_pairs(test, 2000, np.random.default_rng(seed))
    distances = np.abs(numbers[pairs.first_ids] - numbers[pairs.second_ids])
    assert distances.max() < 1
    assert np.mean((1 - distances[pairs.same == 0]) ** 2) > lesson.BEST_PUSH - 0.01

    params = lesson.train_rewired(training, 450, np.random.default_rng(seed))
    model = lesson.make_model(params, validation, 2000, np.random.default_rng(seed))
    assert accuracies(lesson.scores(model.params, episodes), episodes.query_y).mean() > pixels + 0.2
    p = lesson.sigmoid(pair_logits(model.params, lesson.embed_images(model.params, test.images), pairs))
    assert equal_error_rate(1 - p, pairs.same) < 0.2 < equal_error_rate(distances, pairs.same)
    for low, high in [(0, 0.2), (0.2, 0.8), (0.8, 1)]:     # p means what it says, for pairs of new characters, too
        chosen = (p >= low) & (p <= high)
        assert abs(p[chosen].mean() - pairs.same[chosen].mean()) < 0.15
