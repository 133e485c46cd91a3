"""The front pages: MAML in twelve lines, the two commands as a newcomer types them, in the Chinese page, too.

What holds for all pages (links, numbers, code) is in `lessons/test_texts.py`, for Chinese ones in
`lessons/test_translation.py`.
"""

import re
from pathlib import Path

import pytest

from lessons.quoting import renumbered

ROOT = Path(__file__).parents[1]
README, CHINESE = ((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "README.zh.md"))


def test_the_python_of_the_readme_has_twelve_lines():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len([line for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#")]) == 12


def test_the_two_commands_stand_in_the_readme_as_a_newcomer_types_them():
    assert ("python3 -m venv .venv && .venv/bin/python -m pip install -e . && "
            ".venv/bin/python -m fewshot_np.lesson4_maml\n") in README
    assert ('python3 -m venv .venv && .venv/bin/python -m pip install -e ".[test]" && '
            ".venv/bin/python -m pytest -n 2\n") in README


def test_numbers_of_a_sentence_are_replaced_and_its_prose_is_kept():
    assert renumbered("**?** of **600** tasks", "77.8 %", 300) == "**77.8 %** of **300** tasks"
    with pytest.raises(ValueError, match="2 places in bold for the 1 numbers"):
        renumbered("**?** of **600** tasks", 300)


# ---------------------------------------------------------------- the Chinese page

COMMAND = re.compile(r"(?:\S*python[\d.]*|py|uv|pytest|pip|git|source|sudo|\.venv\S*) ")


def commands(text):
    """The commands of a page: lines of its blocks without a language, up to two spaces, and code within the text."""
    shown, blocks = without_cog(text), blocks_of_commands(text)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", shown, flags=re.S))]
    lines = [line.split("  ")[0] for block in blocks for line in block.splitlines()]
    return {command for command in [*lines, *inline] if COMMAND.match(command)}


def blocks_of_commands(text):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", without_cog(text), re.S | re.M)
    return [block for language, block in blocks if not language]


def without_cog(text):
    """The page as GitHub shows it."""
    return re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", text, flags=re.S)


def test_commands_are_found():
    page = "`python -m\nthis`, `a.py`\n\n```\npytest lessons -x       the next\n```\n\n```python\npython = 1\n```\n"
    assert commands(page) == {"python -m this", "pytest lessons -x"}


def test_the_chinese_page_has_the_commands_of_the_english_one():
    assert blocks_of_commands(CHINESE) == blocks_of_commands(README)
    assert commands(CHINESE) == commands(README)
