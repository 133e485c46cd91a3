"""Arrays kept in a file: built once, and anew when the file is damaged."""

import numpy as np
import pytest

from fewshot_np.data.cache import cache_folder, cached

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("FEWSHOT_NP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def unwanted():
    pytest.fail("built although it is kept")


def test_builds_once_under_each_name_and_leaves_nothing_after_an_error(folder, monkeypatch):
    with pytest.raises(ZeroDivisionError):
        cached("thing", lambda: 1 / 0)
    assert not folder.exists()
    cached("thing-v1", lambda: ARRAY)
    again = cached("thing-v1", unwanted)
    assert np.array_equal(again, ARRAY)
    assert again.dtype == ARRAY.dtype
    assert np.array_equal(cached("thing-v2", lambda: ARRAY + 1), ARRAY + 1)
    assert {path.name for path in folder.iterdir()} == {"thing-v1.npz", "thing-v2.npz"}
    monkeypatch.delenv("FEWSHOT_NP_CACHE")
    assert "fewshot_np" in str(cache_folder())
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("FEWSHOT_NP_CACHE", "~/x")
    assert cache_folder() == folder / "x"


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:-30], lambda data: data[:len(data) // 2], lambda data: b"no archive at all",
    lambda data: data.replace(ARRAY.tobytes(), ARRAY.tobytes()[::-1]),
], ids=["empty", "end missing", "half", "foreign", "bytes changed"])
def test_a_damaged_file_is_made_anew(folder, damage):
    cached("thing", lambda: ARRAY)
    (folder / "thing.npz").write_bytes(damage((folder / "thing.npz").read_bytes()))
    with pytest.warns(UserWarning, match="thing.npz is damaged"):
        assert np.array_equal(cached("thing", lambda: ARRAY), ARRAY)
    assert np.array_equal(cached("thing", unwanted), ARRAY)


def test_a_folder_that_cannot_be_written_is_a_warning(folder):
    folder.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot write the cache"):
        assert np.array_equal(cached("thing", lambda: ARRAY), ARRAY)


@pytest.mark.parametrize(("name", "kept", "message"), [
    ("renamed", ARRAY, "written as renamed"), ("thing", ARRAY[:1], r"it holds .* not uint8 of \(2, 3, 4\)"),
    ("thing", ARRAY.astype(float), "it holds float64")])
def test_an_array_of_another_name_shape_or_kind_is_made_anew(folder, name, kept, message):
    cached(name, lambda: kept)
    (folder / f"{name}.npz").rename(folder / "thing.npz")
    with pytest.warns(UserWarning, match=message):
        assert np.array_equal(cached("thing", lambda: ARRAY, ARRAY.shape), ARRAY)
    assert np.array_equal(cached("thing", unwanted, ARRAY.shape), ARRAY)


def test_a_file_that_may_not_be_read_is_not_called_damaged(monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")
    cached("thing", lambda: ARRAY)
    monkeypatch.setattr("numpy.load", refuse)
    with pytest.warns(UserWarning, match=r"thing\.npz may not be read \(Permission denied\): making it anew"):
        assert np.array_equal(cached("thing", lambda: ARRAY), ARRAY)


@pytest.mark.parametrize("answer", ["~/.cache/fewshot_np", RuntimeError("no home")])
def test_a_user_without_a_home_has_folders_among_the_temporary_ones(monkeypatch, tmp_path, answer):
    def ask(name):
        if isinstance(answer, Exception):
            raise answer
        return answer
    monkeypatch.delenv("FEWSHOT_NP_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", ask)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_folder().parent.parent == tmp_path
