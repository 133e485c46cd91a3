"""The front pages say what is so: the Python runs and prints what it says, links lead somewhere, numbers are those of
the committed records, and the Chinese page has the commands of the English one."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FRONT_PAGES = [ROOT / "README.md", ROOT / "README.zh.md"]
PAGES = [*FRONT_PAGES, ROOT / "CONTRIBUTING.md"]
README, CHINESE = (page.read_text(encoding="utf-8") for page in FRONT_PAGES)
LESSONS_PAGE = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
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
def test_links_inside_the_repository_lead_to_files_and_headings(page):
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", without_cog(page.read_text(encoding="utf-8")))
    inside = [(page.parent / path if path else page, anchor) for path, anchor in links if "://" not in path]
    assert inside
    assert not [(path, anchor) for path, anchor in inside
                if not path.exists() or (anchor and anchor not in headings(path))]


def without_cog(text):
    """The page as GitHub shows it."""
    return re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", text, flags=re.S)


def headings(page):
    """The names that GitHub gives to the headings of a page, as far as these pages need it."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", FRONT_PAGES, ids=lambda page: page.name)
def test_the_numbers_of_the_front_pages_are_those_of_the_records(page):
    """`python -m cogapp -r README.md README.zh.md` brings them up to date."""
    done = subprocess.run([sys.executable, "-m", "cogapp", "--check", "--diff", page.name], cwd=ROOT,
                          capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_two_commands_stand_in_the_readme_as_a_newcomer_types_them():
    assert ("python3 -m venv .venv && .venv/bin/python -m pip install -e . && "
            ".venv/bin/python -m fewshot_np.lesson4_maml\n") in README
    assert ('python3 -m venv .venv && .venv/bin/python -m pip install -e ".[test]" && '
            ".venv/bin/python -m pytest\n") in README


# ---------------------------------------------------------------- the Chinese page

COMMAND = re.compile(r"(?:\S*python[\d.]*|py|uv|pytest|pip|git|source|sudo|\.venv\S*) ")


def commands(text):
    """The commands of a page: lines of its blocks without a language, up to two spaces, and code within the text."""
    shown, blocks = without_cog(text), blocks_of_commands(text)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", shown, flags=re.S))]
    lines = [line.split("  ")[0] for block in blocks for line in block.splitlines()]
    return {command for command in [*lines, *inline] if COMMAND.match(command)}


def blocks_of_commands(text):
    return re.findall(r"^```\n(.*?)^```", without_cog(text), re.S | re.M)


def test_commands_are_found():
    page = "`python -m\nthis`, `a.py`\n\n```\npytest lessons -x       the next\n```\n\n```python\npython = 1\n```\n"
    assert commands(page) == {"python -m this", "pytest lessons -x"}


def test_the_chinese_page_has_the_commands_of_the_english_one_and_those_of_the_exercises():
    assert blocks_of_commands(CHINESE) == blocks_of_commands(README)
    assert commands(CHINESE) >= commands(README)
    assert commands(CHINESE) - commands(README) <= commands(LESSONS_PAGE)
    assert {"pytest lessons -x", "git stash", "git pull", "git stash pop"} <= commands(CHINESE)


def test_the_chinese_page_has_the_options_the_figure_and_the_lessons_of_the_english_one():
    for pattern in (r"`(--\w+)`", r"!\[[^]]*\]\(([^)]*)\)", r"\((lessons/lesson\w+/README\.md)\)",
                    r"\((fewshot_np/lesson\w+\.py)\)"):
        found = set(re.findall(pattern, without_cog(README)))
        assert found
        assert found <= set(re.findall(pattern, without_cog(CHINESE))), pattern


def test_the_errata_are_six():
    errata = without_cog(CHINESE).partition("## 原文档勘误")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\. ", errata, re.M) == list("123456")
