"""`python -m fewshot_np`, the contents page."""

import re
from pathlib import Path

import pytest

import fewshot_np
from fewshot_np.__main__ import LESSONS, main
from fewshot_np.experiment.records import read_record

LESSONS_FOLDER = Path(__file__).parents[1] / "lessons"


def test_every_lesson_stands_in_the_contents_in_reading_order():
    modules = {path.stem for path in Path(fewshot_np.__file__).parent.glob("lesson*.py")}
    second_parts = {"lesson5_canvas", "lesson8_protocols", "lesson8_variants"}
    assert {module for _, module, _, _ in LESSONS} == modules - second_parts
    assert [module[:7] for _, module, _, _ in LESSONS] == sorted(module[:7] for _, module, _, _ in LESSONS)


def test_the_page_fits_a_terminal(capsys):
    main()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.isascii() for line in lines)


def test_a_word_is_answered_with_the_command_that_was_meant():
    for word, module in [("maml", "lesson4_maml"), ("Lesson3_metric", "lesson3_metric"), ("x", "lesson1_data_hunger")]:
        with pytest.raises(SystemExit, match=rf"python -m fewshot_np\.{module}$"):
            main([word])


@pytest.mark.parametrize("module", [module for _, module, _, _ in LESSONS])
def test_minutes_are_those_of_the_committed_record(module):
    """Within a factor of two: machines differ."""
    (minutes,) = [float(minutes) for _, name, minutes, _ in LESSONS if name == module]
    record = read_record(LESSONS_FOLDER / module / "figures" / "record.json")
    assert minutes / 2 <= max(0.1, record["seconds"] / 60) <= minutes * 2


def test_commands_that_the_source_names_can_be_run():
    package = Path(fewshot_np.__file__).parent
    named = {(path.name, module) for path in package.rglob("*.py")
             for module in re.findall(r"python -m fewshot_np\.([\w.]+\w)", path.read_text(encoding="utf-8"))}
    assert not [(file, name) for file, name in named if not (package / f"{name.replace('.', '/')}.py").exists()]
