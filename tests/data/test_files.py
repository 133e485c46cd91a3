"""Files that are whole or absent."""

import pytest

from fewshot_np.data.files import write_atomically


def test_makes_the_folder_writes_and_replaces_an_older_file(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    for before, content in [(None, b"the old and longer one"), (b"the old and longer one", b"new")]:
        with write_atomically(path) as file:
            file.write(content)
            assert (path.read_bytes() if path.exists() else None) == before      # until it is whole
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def write_half(path, interruption):
    with write_atomically(path) as file:
        file.write(b"half of the n")
        raise interruption


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_nothing_and_keeps_the_older_file(tmp_path, interruption):
    path = tmp_path / "file.bin"
    with pytest.raises(interruption):
        write_half(path, interruption)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(interruption):
        write_half(path, interruption)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError), write_atomically(tmp_path / "file" / "below.bin"):  # noqa: PT011
        pass
