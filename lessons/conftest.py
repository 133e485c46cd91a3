"""What `pytest lessons` shows: exercises in reading order, under their ids, and at the end how far the reader is."""

import pytest

from lessons.teacher.checking import STILL_TO_WRITE, reading_order
from lessons.teacher.language import say


def pytest_configure(config):
    config.option.reportchars = ""  # no second list of what failed: the lines of progress say it


@pytest.hookimpl(tryfirst=True)  # before -k selects: `pytest lessons -k maml.2`
def pytest_collection_modifyitems(items):
    for item in items:
        if exercise := exercise_of(item):
            item.extra_keyword_matches.add(exercise.id)
    items.sort(key=lambda item: reading_order(item.path.parent.name) if exercise_of(item) else (-1, ""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if exercise := exercise_of(item):
        file, line, _ = report.location
        report.location = (file, line, f"{exercise.id} {exercise.name}")  # what the message is headed with
    return report


def pytest_collection_finish(session):
    session.config.stash[COLLECTED] = [item for item in session.items if exercise_of(item)]


def pytest_terminal_summary(terminalreporter, config):
    """One line per lesson, one sign per exercise, and a line that explains the signs."""
    marks = {report.nodeid: "." if STILL_TO_WRITE in report.user_properties else mark
             for outcome, mark in [("failed", "x"), ("error", "x"), ("passed", "#")]
             for report in terminalreporter.stats.get(outcome, [])}
    lessons = {}
    for item in config.stash.get(COLLECTED, []):
        lessons.setdefault(item.path.parent.name, []).append(marks.get(item.nodeid, "-"))
    terminalreporter.write_line("")
    for lesson, row in lessons.items():
        done = say("not run") if set(row) == {"-"} else say("{done} of {n}", done=row.count("#"), n=len(row))
        terminalreporter.write_line(f"{lesson:24}{''.join(row):10}{done}")
    if lessons:
        terminalreporter.write_line(" " * 24 + say("# right   x wrong   . to write   - not run"))


COLLECTED = pytest.StashKey()


def exercise_of(item):
    return getattr(getattr(item, "function", None), "exercise", None)
