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


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("older", [[], [b"old"]], ids=["nothing", "an older file"])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, interruption, older):
    for content in older:
        (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(interruption), write_atomically(tmp_path / "file.bin") as file:  # noqa: PT012
        file.write(b"half of the n")
        raise interruption
    assert [path.read_bytes() for path in tmp_path.iterdir()] == older


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError), write_atomically(tmp_path / "file" / "below.bin"):  # noqa: PT011
        pass
