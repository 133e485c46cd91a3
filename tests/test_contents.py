"""`python -m fewshot_np`, the contents page."""

import re
import tomllib
from pathlib import Path

import pytest

import fewshot_np
from fewshot_np.__main__ import LESSONS, main, where_the_texts_are
from fewshot_np.experiment.records import read_record

PACKAGE = Path(fewshot_np.__file__).parent
LESSONS_FOLDER = Path(__file__).parents[1] / "lessons"


def test_the_page_names_every_lesson_in_reading_order_the_results_the_texts_and_the_exercises(capsys):
    named = [module for _, module, _, _ in LESSONS]
    assert set(named) == {path.parent.name for path in PACKAGE.glob("lesson*/__main__.py")}
    assert [name[:7] for name in named] == sorted(name[:7] for name in named)
    main()
    page = capsys.readouterr().out
    programs = ["fewshot_np.results", "fewshot_np.playground"]
    assert all(name in page for name in [*named, *programs, "lessons/README.md", "python -m lessons "])
    assert max(map(len, page.splitlines())) <= 80
    assert page.isascii()


def test_the_page_says_where_the_texts_are_however_the_package_was_installed(tmp_path):
    assert "in the folder lessons/ of the repository:" in where_the_texts_are()
    package, installed = tmp_path / "site-packages" / "fewshot_np", tmp_path / "prefix"
    assert "source distribution:" in where_the_texts_are(package, installed)
    share = installed / "share" / "fewshot_np"
    (share / "lessons").mkdir(parents=True)
    (share / "lessons" / "README.md").touch()
    assert f"\n  {share}\nCopy that folder" in where_the_texts_are(package, installed)


def test_a_wheel_holds_what_the_exercises_need():
    """The folder and the settings of pytest, where the contents page looks for them."""
    with open(Path(__file__).parents[1] / "pyproject.toml", "rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {name: f"share/fewshot_np/{name}" for name in ("lessons", "pyproject.toml")}


@pytest.mark.parametrize(("word", "module"), [
    ("maml", "lesson4_maml"), ("Lesson3_metric", "lesson3_metric"), ("results", "results"),
    ("Playground", "playground"), ("referee", "referee"), ("x", "lesson1_data_hunger")])
def test_a_word_is_answered_with_the_command_that_was_meant(word, module):
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
