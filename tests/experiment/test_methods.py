"""What a method and its training are described by, and when a saved network may be used again."""

import os

import numpy as np
import pytest

from fewshot_np.experiment import methods
from fewshot_np.experiment.records import save_params
from tests.scaffolding import classes_of


def test_effort_scales_the_iterations_and_nothing_else():
    training = methods.Training(1000, 0.1, batch=2)
    assert methods.at_effort(training, 0.25) == training._replace(iterations=250)
    assert methods.at_effort(training, 2.0).iterations == 2000
    assert methods.at_effort(training, 1e-6).iterations == 1


def test_what_is_for_the_test_alone_decides_nothing():
    training = methods.Training(1000, 0.1, batch=2, scores={"steps": 3})
    assert methods.what_decides(training) == methods.what_decides(training._replace(scores={}, n_query_test=1))
    assert methods.what_decides(training) != methods.what_decides(training._replace(objective={"steps": 3}))


@pytest.mark.parametrize(("head", "outputs"), [(None, None), ("ways", 3), ("classes", 7)])
def test_a_network_ends_as_its_method_says(head, outputs):
    classes, training = classes_of(*[2] * 7, side=16), methods.Training(1, 0.1, 1, features="mean")
    network = methods.build_network(methods.Method("", None, head=head), training, classes, 3, channels=5)
    params = network.init(np.random.default_rng(0))
    assert params["block1"]["w"].shape == (3, 3, 1, 5)
    assert (params["head"]["w"].shape[1] if "head" in params else None) == outputs


def test_the_fingerprint_sees_every_pixel_and_label():
    classes = classes_of(3, 3)
    images = classes.images.copy()
    images[2, 0, 1] ^= 1
    others = [type(classes)(images, classes.labels, classes.names, classes.groups),
              type(classes)(classes.images, 1 - classes.labels, classes.names, classes.groups)]
    assert methods.fingerprint(classes) == methods.fingerprint(classes_of(3, 3))
    assert len({methods.fingerprint(classes), *map(methods.fingerprint, others)}) == 3


def test_a_network_is_used_again_only_if_it_is_the_one_described_and_was_trained_alike(tmp_path):
    path, identity = tmp_path / "a.npz", {"seed": 1, "rate": 0.5}
    described = methods.save_described(path, {"w": np.ones(2)}, identity, 1.234)
    assert described["seconds"] == 1.23
    assert np.array_equal(methods.load_described(path, described, identity)["w"], [1, 1])
    for args, message in [((None, identity), "not in that run"),
                          ((described, identity | {"seed": 2}), "^seed 1 there, 2 here$"),
                          ((described, identity | {"more": 3}), "more None there, 3 here")]:
        with pytest.raises(ValueError, match=message):
            methods.load_described(path, *args)
    save_params(path, {"w": np.zeros(2)})
    with pytest.raises(ValueError, match=r"a\.npz is not the file that the record describes"):
        methods.load_described(path, described, identity)
    path.unlink()
    with pytest.raises(ValueError, match=r"there is no a\.npz"):
        methods.load_described(path, described, identity)


def test_the_hash_is_that_of_what_was_saved_and_not_of_what_is_there(tmp_path, monkeypatch):
    path, replace = tmp_path / "a.npz", os.replace

    def replaced_again(old, new):
        replace(old, new)
        path.write_bytes(b"of another run")
    monkeypatch.setattr(os, "replace", replaced_again)
    described = methods.save_described(path, {"w": np.ones(2)}, {}, 1)
    with pytest.raises(ValueError, match="not the file that the record describes"):
        methods.load_described(path, described, {})
