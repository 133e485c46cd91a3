"""Files that are written completely or not at all: first under another name, then moved into place in one step."""

import contextlib
import os
import secrets
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path):
    """Yield a binary file that replaces `path` when the block ends without an error; otherwise `path` is unchanged.

    The temporary file is in the same folder (made if it does not exist), so that moving it is one atomic step.

    Raises: OSError if the folder cannot be written.
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
