"""The other end of `worker.py`: ask for a check, look whether it is done, start the process anew where it is gone."""

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from lessons.teacher.language import say
from lessons.teacher.messages import short
from lessons.teacher.sandbox import SECONDS


class Worker:
    """Checks one exercise at a time in a process of its own, which has everything imported before it is asked."""

    def __init__(self, folder, seconds=SECONDS):
        self.folder, self.seconds = folder, seconds
        self.process, self.busy, self.asked = None, None, 0
        handle, self.log = tempfile.mkstemp(prefix="lessons-", suffix=".log")
        os.close(handle)
        self.start()

    def start(self):
        apart = ({"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if sys.platform == "win32"
                 else {"start_new_session": True})  # Ctrl-C is for the loop alone
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lessons.practice.worker", str(self.folder), self.log], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, encoding="utf-8", **apart)
        self.replies = queue.Queue()
        threading.Thread(target=_read, args=(self.process, self.replies), daemon=True).start()

    def ask(self, exercise, columns):
        """Begin to check; a check that is still running is dropped."""
        if self.busy or self.process.poll() is not None:
            self.restart()
        self.busy = exercise
        request = {"id": exercise.id, "columns": columns, "seconds": self.seconds}
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it ended at this moment: `result` says so

    def result(self, wait=0.0):
        """The dict of `worker.answer` once it is there, else None; a process that ended becomes a message."""
        try:
            reply = self.replies.get(timeout=wait) if wait else self.replies.get_nowait()
        except queue.Empty:
            return None
        if "ready" in reply:
            return None
        exercise, self.busy = self.busy, None
        if "ended" in reply:
            reply = self._ended(exercise, reply)
            self.restart()
        elif reply["spent"]:
            self.restart()
        return reply

    def _ended(self, exercise, reply):
        """A crash, or a loop in compiled code, with the line of the answer at which the process was last."""
        log = Path(self.log).read_text(encoding="utf-8", errors="replace")
        if not exercise:
            raise RuntimeError(f"the process that checks answers ended (exit code {reply['ended']}):\n{log}")
        path = exercise.folder / "exercises.py"
        where = re.search(rf'File "{re.escape(str(path))}", line (\d+)', log)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        number = int(where[1]) if where else 0
        line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        text = f"{short(path)}:{number}: {line}\n" if where else f"{short(path)}\n"
        if "Timeout (" in log:
            text += say("nothing within {seconds:g} s, so the check was stopped. Compiled code does not come to its "
                        "end there:\nis a number or an array far too large?", seconds=self.seconds)
        else:
            text += say("Python itself ended here (exit code {code}): a crash, os._exit(), or no memory left.",
                        code=reply["ended"])
            text += "".join("\n" + line for line in log.splitlines() if line.startswith("Fatal") or "Error: " in line)
        return {"right": False, "to_do": False, "text": text, "names": []}

    def restart(self):
        self.kill()
        self.busy = None
        self.start()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def close(self):
        self.kill()
        Path(self.log).unlink(missing_ok=True)


def _read(process, replies):
    """In a thread, as pipes cannot be waited for together with keys on Windows."""
    for line in process.stdout:
        replies.put(json.loads(line))
    replies.put({"ended": process.wait()})
