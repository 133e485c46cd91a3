"""The reader's file: the source of one function in it, and its stub, which only `reset` puts back."""

import ast
import re
import subprocess

from lessons.teacher.language import say


def read(path):
    """The text of the file, with its own line ends; None where there is none, or it is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def lines_of(text, name):
    """(first, behind the last) line of a function; of a text that is no Python, up to the next line that begins one."""
    try:
        nodes = [node for node in ast.parse(text).body if getattr(node, "name", None) == name]
        if not nodes:
            return None
        first = min([nodes[-1].lineno, *(d.lineno for d in nodes[-1].decorator_list)])
        return first - 1, nodes[-1].end_lineno
    except (SyntaxError, ValueError):
        lines = text.splitlines()
        starts = [i for i, line in enumerate(lines) if re.match(rf"def {name}\b", line)]
        if not starts:
            return None
        begins = re.compile(r"(def|class|async|import|from|@|#|\w+ *=)")
        end = next((i for i in range(starts[-1] + 1, len(lines)) if begins.match(lines[i])), len(lines))
        while not lines[end - 1].strip():
            end -= 1
        return starts[-1], end


def source_of(text, name):
    """The source of a function, lines joined by newlines; None where there is no such function, or no Python."""
    try:
        ast.parse(text or "")
    except (SyntaxError, ValueError):
        return None
    found = lines_of(text or "", name)
    return "\n".join((text or "").splitlines()[slice(*found)]) if found else None


def is_stub(source, id):
    return source is not None and f'raise NotImplementedError("{id}:' in source.rstrip().split("\n")[-1]


def docstring_of(text, name):
    """The docstring of a function; None where there is none, or no Python."""
    try:
        nodes = [node for node in ast.parse(text or "").body if getattr(node, "name", None) == name]
    except (SyntaxError, ValueError):
        return None
    return ast.get_docstring(nodes[-1]) if nodes else None


def stub_of(exercise, remembered=None):
    """The exercise as it was handed out: the newest one in git's history, else the one remembered; None: neither."""
    path = exercise.folder / "exercises.py"
    for commit in _git(exercise.folder, "log", "-20", "--format=%H", "--", path.name).split():
        source = source_of(_git(exercise.folder, "show", f"{commit}:./{path.name}"), exercise.name)
        if is_stub(source, exercise.id) or (source and exercise.solved):
            return source
    return remembered


def _git(folder, *arguments):
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, timeout=10, check=False,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", errors="replace").replace("\r\n", "\n") if not done.returncode else ""


def reset(exercise, stub):
    """Put the stub in the place of the answer. Returns the path of the backup of the whole file as it was."""
    path = exercise.folder / "exercises.py"
    before = path.read_bytes()
    backup = _free(exercise)
    backup.write_bytes(before)
    text = before.decode("utf-8")
    newline = "\r\n" if "\r\n" in text else "\n"
    stub = stub.replace("\n", newline)
    found = lines_of(text, exercise.name)
    if not found:
        after = text.rstrip() + newline * 3 + stub + newline
    else:
        lines = text.splitlines(keepends=True)
        behind = lines[found[1] - 1][len(lines[found[1] - 1].rstrip("\r\n")):]  # the last line may have no end
        after = "".join([*lines[:found[0]], stub, behind, *lines[found[1]:]])
    path.write_bytes(after.encode("utf-8"))
    return backup


def _free(exercise):
    number = 1
    while (path := exercise.folder / f"backup_{exercise.id}_{number}.py").exists():
        number += 1
    return path


def put_back(path):
    """Write the committed file where the reader's is gone; says what was done."""
    text = _git(path.parent, "show", f"HEAD:./{path.name}")
    if not text:
        return say("{name} is gone, and git has none here: get it from the course again.", name=path.name)
    path.write_text(text, encoding="utf-8")
    return say("{name} was put back as it is committed.", name=path.name)
