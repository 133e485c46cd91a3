"""`python -m fewshot_np`, the contents page."""

import re
from pathlib import Path

import pytest

import fewshot_np
from fewshot_np.__main__ import LESSONS, main
from fewshot_np.experiment.records import read_record

PACKAGE = Path(fewshot_np.__file__).parent
LESSONS_FOLDER = Path(__file__).parents[1] / "lessons"


def test_every_lesson_stands_in_the_contents_in_reading_order():
    folders = {path.parent.name for path in PACKAGE.glob("lesson*/__main__.py")}
    assert {module for _, module, _, _ in LESSONS} == folders
    assert [module[:7] for _, module, _, _ in LESSONS] == sorted(module[:7] for _, module, _, _ in LESSONS)


def test_the_page_fits_a_terminal(capsys):
    main()
    page = capsys.readouterr().out
    lines = page.splitlines()
    assert max(map(len, lines)) <= 80
    assert page.isascii()


def test_the_page_names_every_lesson_the_results_the_texts_and_the_exercises(capsys):
    main()
    page = capsys.readouterr().out
    named = [module for _, module, _, _ in LESSONS]
    programs = ["fewshot_np.results", "fewshot_np.playground"]
    assert all(name in page for name in [*named, *programs, "lessons/README.md", "python -m lessons "])


def test_a_word_is_answered_with_the_command_that_was_meant():
    for word, module in [("maml", "lesson4_maml"), ("Lesson3_metric", "lesson3_metric"), ("results", "results"),
                         ("Playground", "playground"),
                         ("referee", "referee"),
                         ("x", "lesson1_data_hunger")]:
        with pytest.raises(SystemExit, match=rf"python -m fewshot_np\.{module}$"):
            main([word])


@pytest.mark.parametrize("module", [module for _, module, _, _ in LESSONS])
def test_minutes_are_those_of_the_committed_record(module):
    """Within a factor of two: machines differ."""
    (minutes,) = [float(minutes) for _, name, minutes, _ in LESSONS if name == module]
    record = read_record(LESSONS_FOLDER / module / "figures" / "record.json")
    assert minutes / 2 <= max(0.1, record["seconds"] / 60) <= minutes * 2


def test_commands_that_the_source_names_can_be_run():
    named = {(path.name, name) for path in PACKAGE.rglob("*.py")
             for name in re.findall(r"python -m fewshot_np\.([\w.]+\w)", path.read_text(encoding="utf-8"))}
    assert not [(file, name) for file, name in named if not any(
        (PACKAGE / f"{name.replace('.', '/')}{ending}").exists() for ending in (".py", "/__main__.py"))]
