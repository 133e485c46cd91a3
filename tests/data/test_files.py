"""Files that are whole or absent."""

import pytest

from fewshot_np.data.files import write_atomically


def test_writes_and_makes_the_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    with write_atomically(path) as file:
        file.write(b"whole")
        assert not path.exists()      # not before it is whole
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_replaces_an_older_file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"the old and longer one")
    with write_atomically(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path, interruption):
    with write_atomically(path) as file:
        file.write(b"half of the n")
        raise interruption


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_keeps_the_older_file(tmp_path, interruption):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(interruption):
        write_half(path, interruption)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_first_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "file.bin", KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError), write_atomically(tmp_path / "file" / "below.bin"):  # noqa: PT011
        pass
