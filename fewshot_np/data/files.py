"""Files that are whole or absent: written beside their place, then moved there in one step."""

import contextlib
import os
import secrets
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path):
    """Yield a binary file; when the block ends well it replaces `path`, else `path` stays as it was.

    The temporary file lies in the same folder (made if absent), so that the move is one atomic step of
    the file system. Raises OSError where the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}.part")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
