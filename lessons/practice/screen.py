"""What stands on the screen, as text: a function per view. Lines of at most `width`, ASCII and ±, or Chinese."""

import os
import shutil
import sys
from functools import cache

from lessons.practice import texts
from lessons.teacher.language import fill, say
from lessons.teacher.messages import labelled, short

KEYS = {"h": "hint", "t": "task", "l": "list", "s": "solution", "r": "reset", "n": "next", "q": "quit"}
TRIES = 3  # after so many wrong answers the solution is offered


def columns():
    return max(40, min(100, shutil.get_terminal_size().columns - 1))


def show(text, clear):
    """Print; on a terminal that understands it, on a clean screen."""
    if clear and os.environ.get("TERM") != "dumb" and _understands_escapes():
        sys.stdout.write("\033[H\033[2J")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@cache
def _understands_escapes():
    if sys.platform == "win32":
        os.system("")  # an old console understands them after this
    return True


def heading(exercise, exercises):
    mates = [e for e in exercises if e.folder == exercise.folder]
    return say("{id}   {name}   ({lesson}, {number} of {n})", id=exercise.id, name=exercise.name,
               lesson=exercise.folder.name, number=mates.index(exercise) + 1, n=len(mates))


def exercise_view(exercise, exercises, progress, body, note=""):
    """Heading, file, the task's first paragraph, what came of it, and the progress of the whole course."""
    width = columns()
    paragraph = " ".join(texts.in_short(exercise, progress.of(exercise)["stub"]).split())
    parts = [heading(exercise, exercises) + "\n" + short(exercise.folder / "exercises.py"),
             fill(texts.plain(paragraph), width),
             body, note, bar(exercise, exercises, progress)]
    return "\n\n".join(part for part in parts if part)


def result_view(result):
    """The message about an answer."""
    if result["right"]:
        return say("Right.")
    if result["to_do"]:
        return "\n".join(result["text"].split("\n")[:2])  # the task itself stands above
    picture = f"\n{labelled(say('picture'))}{short(result['picture'])}" if result.get("picture") else ""
    return result["text"] + picture


def bar(exercise, exercises, progress):
    width = min(40, columns() - 20)
    done = sum(progress.mark(e) == "#" for e in exercises)
    full = done * width // len(exercises)
    row = "".join(progress.mark(e) for e in exercises if e.folder == exercise.folder)
    return (f"[{'#' * full}{'-' * (width - full)}] {say('{done} of {n}', done=done, n=len(exercises))}\n"
            f"{exercise.folder.name} {row}   {say('# right   x wrong   . to write')}")


def keys(right, record):
    """The line of keys: `s` once it is offered, `n` once it is right."""
    offered = right or record["tries"] >= TRIES
    shown = [key for key in KEYS
             if (key != "s" or offered) and (key != "n" or right) and (key != "r" or not right)]
    return "   ".join(f"{key} {say(KEYS[key])}" for key in shown)


def list_view(exercises, progress, current):
    """All exercises with a number to jump to, in columns."""
    digits = len(str(len(exercises)))
    cells = [f"{number:0{digits}} {progress.mark(e)} {e.id}{' <' if e is current else ''}"
             for number, e in enumerate(exercises, 1)]
    wide = max(map(len, cells)) + 2
    across = max(1, columns() // wide)
    down = -(-len(cells) // across)
    rows = ["".join(f"{cell:{wide}}" for cell in cells[row::down]).rstrip() for row in range(down)]
    return "\n".join([*rows, "", say("Type the {digits} digits of an exercise to go there; any other key goes back.",
                                     digits=digits)])
