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
    raise AssertionError("built although it is kept")


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


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[:-30],
    lambda data: data[:len(data) // 2],
    lambda data: data.replace(ARRAY.tobytes(), ARRAY.tobytes()[::-1]),
    lambda data: b"not an archive at all",
], ids=["empty", "end missing", "half", "bytes changed", "foreign"])
def test_a_damaged_file_is_made_anew(folder, damage):
    cached("thing", lambda: ARRAY)
    (folder / "thing.npz").write_bytes(damage((folder / "thing.npz").read_bytes()))
    with pytest.warns(UserWarning, match="thing.npz is damaged"):
        assert np.array_equal(cached("thing", lambda: ARRAY), ARRAY)
    assert np.array_equal(cached("thing", unwanted), ARRAY)


def test_a_renamed_file_is_not_believed(folder):
    cached("old", lambda: ARRAY)
    (folder / "old.npz").rename(folder / "new.npz")
    with pytest.warns(UserWarning, match="written as old"):
        assert np.array_equal(cached("new", lambda: ARRAY + 1), ARRAY + 1)


def test_a_folder_that_cannot_be_written_is_a_warning(folder):
    folder.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot write the cache"):
        assert np.array_equal(cached("thing", lambda: ARRAY), ARRAY)
