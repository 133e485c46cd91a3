"""What the loop remembers, in a file beside the exercises that git ignores, so that an update leaves it alone.

Per exercise: right or not, of which source; how many wrong answers; how many hints were shown; its stub.
"""

import hashlib
import json

from fewshot_np.data.files import write_atomically
from lessons.practice.answers import is_stub, read, source_of
from lessons.teacher.language import say

FILE = ".practice.json"  # in the folder of the lessons


class Progress:
    """records: {id: {"right", "source", "tries", "hints", "stub"}}; ids that an update took away are kept."""

    def __init__(self, folder, exercises):
        self.path, self.exercises, self.records, self.trouble = folder / FILE, exercises, {}, None
        if self.path.exists():
            try:
                self.records = dict(json.loads(self.path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                self.path.replace(self.path.with_suffix(".unreadable"))
                self.trouble = say("{file} could not be read; it is kept as {name}", file=FILE,
                                   name=self.path.with_suffix(".unreadable").name)
        self.look()

    def of(self, exercise):
        fresh = {"right": None, "source": None, "tries": 0, "hints": 0, "stub": None}
        record = self.records.get(exercise.id)
        self.records[exercise.id] = {**fresh, **record} if isinstance(record, dict) else fresh
        return self.records[exercise.id]

    def look(self):
        """Remember the stubs, and forget verdicts on answers that were changed since."""
        texts = {folder: read(folder / "exercises.py") for folder in {e.folder for e in self.exercises}}
        for exercise in self.exercises:
            record, source = self.of(exercise), source_of(texts[exercise.folder], exercise.name)
            if is_stub(source, exercise.id) or (exercise.solved and record["stub"] is None):
                record["stub"] = source
            if source is not None and record["source"] != _digest(source):
                record["right"] = None

    def note(self, exercise, result):
        record = self.of(exercise)
        source = source_of(read(exercise.folder / "exercises.py"), exercise.name)
        tried = not result["right"] and not result["to_do"]
        if tried and source is not None and (record["source"] != _digest(source)):
            record["tries"] += 1  # the same answer, checked again, is one try
        record["right"] = result["right"] if not result.get("to_do") else None
        record["source"] = _digest(source or "")

    def save(self):
        try:
            with write_atomically(self.path) as file:
                file.write(json.dumps(self.records, indent=1).encode())
        except OSError:  # a folder that may not be written to: the loop works, and begins anew next time
            self.trouble = say("{file} cannot be written", file=FILE)

    def mark(self, exercise):
        """As pytest's lines have it: # right, x wrong, . to write or not run."""
        return {True: "#", False: "x", None: "."}[self.of(exercise)["right"]]


def _digest(source):
    return hashlib.sha256(source.encode()).hexdigest()[:16]
