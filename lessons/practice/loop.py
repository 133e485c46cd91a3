"""The loop: what is saved is checked, and keys ask for more. Without a terminal, once, with pytest's exit codes."""

import argparse
import sys
import time
from pathlib import Path

import pytest

from lessons.practice import answers, screen, texts, watching
from lessons.practice.keys import STOP, keyboard
from lessons.practice.progress import Progress
from lessons.practice.running import Worker
from lessons.practice.watching import Watcher
from lessons.teacher.checking import discover
from lessons.teacher.language import is_chinese, say

FOLDER = Path(__file__).parent.parent
TICK = 0.05  # seconds
ALL = "All exercises of the course are right."
PATIENCE = 1.0  # seconds that a check may take on when it is not wanted any more: a new process takes longer


class Session:
    """The state of the loop: which exercise, what came of its last check, and where the next key belongs."""

    def __init__(self, exercises, chosen, progress, worker):
        self.exercises, self.chosen, self.progress, self.worker = exercises, chosen, progress, worker
        self.current = self.watcher = self.result = None
        self.typed = None  # digits, while the list is shown
        self.note = ""  # to be shown with the next result
        self.walking = True  # past exercises that are right already
        self.over = self.again = False  # again: check once the running check, of what is no longer there, has ended

    # ------------------------------------------------------------ events

    def go(self, exercise):
        """Turn to an exercise and check it."""
        if self.watcher:
            self.watcher.close()
        self.current = exercise
        self.watcher = Watcher(exercise.folder / "exercises.py")
        self.check()

    def check(self):
        self.result, self.typed = None, None
        self.progress.look()
        if answers.read(self.current.folder / "exercises.py") is None:
            self.view(say("The file is gone, or is no text. It is waited for; r puts the committed file there."),
                      self.note)
            return
        if self.worker.busy and time.monotonic() - self.started < PATIENCE:
            self.again = True
            return
        self.worker.ask(self.current, screen.columns())
        self.again, self.started, self.told = False, time.monotonic(), False

    def tick(self):
        """What happened since the last time: a save, a result."""
        if (event := self.watcher.poll()) == "saved":
            self.walking = False
            self.check()
        elif event == "gone":
            self.check()
        if self.worker.busy and not self.told and time.monotonic() - self.started > 0.7:
            self.told = True
            self.view(say("Checking ..."))
        result = self.worker.result()
        if self.again and (result or time.monotonic() - self.started > PATIENCE):
            self.check()
        elif result:
            self.came(result)

    def came(self, result):
        self.result = result
        self.progress.note(self.current, result)
        self.progress.save()
        following = self.following()
        notes, self.note = [self.note], ""
        if result["right"] and following and following.folder != self.current.folder:
            notes += self.lesson_done()
        if result["right"] and self.walking and following:
            print(say("{id} is right.", id=self.current.id))
            self.note = "\n".join(filter(None, notes))
            self.go(following)
            return
        self.walking = False
        if result["right"]:
            notes += [say("n: on to {id}   s: how the library does it", id=following.id) if following else say(ALL)]
        elif self.progress.of(self.current)["tries"] == screen.TRIES:
            notes += [say("Stuck? s shows the library's solution.")]
        self.view(screen.result_view(result), "\n".join(filter(None, notes)))

    def lesson_done(self):
        """[what to say where all of this lesson is right], or []."""
        lesson = self.current.folder
        done = all(self.progress.mark(e) == "#" for e in self.exercises if e.folder == lesson)
        return [say("All exercises of {lesson} are right.", lesson=lesson.name)] if done else []

    def following(self):
        """The next exercise that is not right: behind this one, else from the start; of those chosen, else of all."""
        for some in (self.chosen, self.exercises):
            at = some.index(self.current) + 1 if self.current in some else 0
            for exercise in (*some[at:], *some[:at]):
                if exercise is not self.current and self.progress.mark(exercise) != "#":
                    return exercise
        return None

    # ------------------------------------------------------------ the screen

    def view(self, body, note=""):
        text = screen.exercise_view(self.current, self.exercises, self.progress, body, note)
        screen.show(f"{text}\n{self.keys()}", clear=True)

    def more(self, text):
        """Below what stands there already."""
        screen.show(f"\n{text}\n\n{self.keys()}", clear=False)

    def keys(self):
        return screen.keys(self.is_right(), self.progress.of(self.current))

    def is_right(self):
        return bool(self.result and self.result["right"])

    # ------------------------------------------------------------ keys

    def press(self, key):
        if key in (STOP, "q"):
            self.over = True
        elif self.typed is not None:
            self.type_number(key)
        elif key in ("\n", "\r", "n") and self.is_right():
            following = self.following()
            self.go(following) if following else self.more(say(ALL))
        elif key in ACTIONS:
            ACTIONS[key](self)

    def hint(self):
        hints, record = texts.hints_of(self.current), self.progress.of(self.current)
        if not hints:
            self.more(say("The texts have no hint for this exercise."))
            return
        shown = record["hints"] % len(hints)  # after the last, the first again
        record["hints"] = shown + 1
        self.progress.save()
        heading = say("Hint {number} of {n}", number=shown + 1, n=len(hints))
        self.more(f"{heading}\n" + texts.wrapped(hints[shown], screen.columns()))

    def task(self):
        self.more(texts.task(self.current, self.progress.of(self.current)["stub"], screen.columns()))

    def list(self):
        self.typed = ""
        screen.show(screen.list_view(self.exercises, self.progress, self.current), clear=True)

    def type_number(self, key):
        self.typed += key
        digits = len(str(len(self.exercises)))
        if key.isdecimal() and len(self.typed) < digits:
            return
        number = int(self.typed) if self.typed.isdecimal() else 0
        self.typed = None
        self.go(self.exercises[number - 1] if 0 < number <= len(self.exercises) else self.current)

    def solution(self):
        tries = self.progress.of(self.current)["tries"]
        if self.is_right() or tries >= screen.TRIES:
            self.more(texts.solution(self.current, screen.columns()))
        else:
            self.more(say("The solution is offered after success or {n} tries (so far {tries}). h is a hint.",
                          n=screen.TRIES, tries=tries))

    def reset(self):
        path = self.current.folder / "exercises.py"
        try:
            if not path.exists():
                self.note = answers.put_back(path)
                self.go(self.current)
                return
            now = answers.source_of(answers.read(path), self.current.name)
            stub = answers.stub_of(self.current, self.progress.of(self.current)["stub"])
            if stub is None or now == stub:
                self.more(say("It is the stub already.") if stub else
                          say("Neither git nor the progress file has this stub."))
                return
            backup = answers.reset(self.current, stub)
        except (OSError, UnicodeDecodeError) as error:
            self.more(say("Not reset: {error}", error=error))
            return
        self.progress.of(self.current).update(right=None, tries=0, hints=0)
        self.note = say("Reset. Your file as it was: {path}", path=screen.short(backup))
        self.go(self.current)


ACTIONS = {"h": Session.hint, "t": Session.task, "l": Session.list, "s": Session.solution, "r": Session.reset}


def practise(session, first):
    """Until q or Ctrl-C. Returns the exit code."""
    with keyboard() as keys:
        session.go(first)
        while not session.over:
            for key in keys.read(TICK):
                session.press(key)
                if key == STOP:
                    return pytest.ExitCode.INTERRUPTED
            session.tick()
    return pytest.ExitCode.OK


def once(session, chosen):
    """Check in order and stop at the first that is not right. Returns pytest's exit code."""
    for exercise in chosen:
        session.current = exercise
        session.worker.ask(exercise, screen.columns())
        while (result := session.worker.result(wait=1.0)) is None:
            pass
        session.progress.note(exercise, result)
        if not result["right"]:
            break
    session.progress.save()
    body = screen.result_view(result)
    screen.show(screen.exercise_view(exercise, session.exercises, session.progress, body), clear=False)
    return pytest.ExitCode.OK if result["right"] else pytest.ExitCode.TESTS_FAILED


def choose(exercises, name):
    """The exercises of the lessons that are meant by a name such as "maml", "lesson4" or "maml.2", and the first."""
    exact = [e for e in exercises if e.id == name]
    if exact:
        return [e for e in exercises if e.folder == exact[0].folder], exact[0]
    return [e for e in exercises if name.lower() in e.folder.name or name.lower() == e.id.split(".")[0]], None


def main(argv=None):
    if is_chinese() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a question mark where the terminal's encoding has no such letter
    parser = argparse.ArgumentParser(prog="python -m lessons", description=say(
        "Practise: your answers are checked as you save them, and keys ask for hints. The file of exercises is yours "
        "to edit."))
    parser.add_argument("lesson", nargs="?", default="", help=say("a lesson or an exercise, such as maml or maml.2"))
    name = parser.parse_args(argv).lesson
    exercises = discover(FOLDER)
    chosen, first = choose(exercises, name)
    if not chosen:
        mates = [e.id for e in exercises if e.id.split(".")[0] == name.lower().split(".")[0]]  # maml.9: maml.1 to 8
        there = mates or dict.fromkeys(e.folder.name for e in exercises)
        print(say("nothing is called {name!r}; there are", name=name) + f"\n{' '.join(there)}", file=sys.stderr)
        return pytest.ExitCode.USAGE_ERROR
    progress, worker = Progress(FOLDER, exercises), Worker(FOLDER)
    session = Session(exercises, chosen, progress, worker)
    try:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return once(session, [first] if first else chosen)
        session.note = "\n".join(filter(None, (progress.trouble, None if watching.watchfiles else say(watching.HINT))))
        session.walking = first is None
        return practise(session, first or next((e for e in chosen if progress.mark(e) != "#"), chosen[0]))
    except KeyboardInterrupt:
        return pytest.ExitCode.INTERRUPTED
    finally:
        worker.close()
        progress.save()
