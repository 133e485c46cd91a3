"""The process in which answers are checked, so that nothing they do can reach the terminal, the keys or the progress.

It reads a request a line, a JSON object, and answers with a line. `running.py` is the other end.
"""

import faulthandler
import json
import os
import sys
import threading
from pathlib import Path

from lessons.teacher.checking import check_file, discover, mistake_table

BEAT = 0.5  # seconds


def answer(request, exercises):
    """What check_file says of one exercise, as a dict."""
    exercise = exercises[request["id"]]
    path = exercise.folder / "exercises.py"
    os.environ["COLUMNS"] = str(request["columns"])  # the width of the messages
    failure = check_file(exercise, path, request["seconds"])
    if not failure:
        return {"right": True}
    result = {"right": False, "to_do": failure.to_do, "text": failure.text, "names": list(failure.names)}
    if not failure.to_do:
        from lessons.practice.pictures import picture
        result["picture"] = picture(exercise, path)
    return result


def heartbeat(seconds, log, done):
    """Put off the end of this process, again and again. Only code that keeps Python from running at all stops it."""
    while not done.wait(BEAT):
        faulthandler.dump_traceback_later(seconds, exit=True, file=log)
    faulthandler.cancel_dump_traceback_later()


def warm_up(exercise):
    """While the reader reads and writes: what the message about a wrong answer will need, so that it comes at once."""
    from lessons.practice import pictures  # noqa: F401 (matplotlib takes half a second)
    mistake_table(exercise)


def serve(requests, replies, log):
    exercises = {exercise.id: exercise for exercise in discover(Path.cwd() / sys.argv[1])}
    threads = threading.active_count()
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in requests:
        request = json.loads(line)
        log.seek(0)
        log.truncate()
        faulthandler.enable(log)
        faulthandler.dump_traceback_later(request["seconds"] + 1, exit=True, file=log)
        done = threading.Event()
        beating = threading.Thread(target=heartbeat, args=(request["seconds"] + 1, log, done), daemon=True)
        beating.start()
        result = answer(request, exercises)
        done.set()
        beating.join()
        result["spent"] = threading.active_count() > threads  # a loop that could not be ended runs on
        print(json.dumps(result), file=replies, flush=True)
        warm_up(exercises[request["id"]])


def main():
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    with open(sys.argv[2], "w+", encoding="utf-8") as log:
        for descriptor, target in enumerate((nothing, nothing, log.fileno())):  # what answers read and print, in C too
            os.dup2(target, descriptor)
        serve(requests, replies, log)
    os._exit(0)  # without waiting for threads


if __name__ == "__main__":
    main()
