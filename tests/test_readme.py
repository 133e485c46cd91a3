"""The front page says what is so: its Python runs and prints what it says, its links lead somewhere, its numbers
are those of the committed record."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.exists()]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.timeout(5)
def test_the_python_of_the_readme_prints_the_numbers_in_its_comments():
    (code,) = BLOCKS
    promised = re.findall(r"print\(.*\)  # (.*)", code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue().split() == " ".join(promised).split()


def test_the_python_of_the_readme_has_twelve_lines():
    lines = [line for line in BLOCKS[0].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) == 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_to_files(page):
    shown = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = re.findall(r"\]\(([^)#]+)\)", shown)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_numbers_of_the_readme_are_those_of_the_record():
    """`cog -r README.md` brings them up to date."""
    done = subprocess.run([sys.executable, "-m", "cogapp", "--check", "README.md"], cwd=ROOT,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_two_commands_stand_in_the_readme_as_a_newcomer_types_them():
    assert ("python3 -m venv .venv && .venv/bin/python -m pip install -e . && "
            ".venv/bin/python -m fewshot_np.lesson4_maml\n") in README
    assert ('python3 -m venv .venv && .venv/bin/python -m pip install -e ".[test]" && '
            ".venv/bin/python -m pytest\n") in README
