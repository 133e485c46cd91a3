"""The front pages: MAML in twelve lines, the two commands as a newcomer types them, in the Chinese page, too."""

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

COMMAND = re.compile(r"(?:\S*python[\d.]*|py|uv|pytest|pip|git|source|sudo|\.venv\S*)\s")


def commands(text):
    """Those within the text; its blocks are compared in `lessons/test_translation.py`."""
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.S))
    return {" ".join(code.split()) for code in inline if COMMAND.match(code)}


def test_the_chinese_page_has_the_commands_of_the_english_one():
    assert commands("`python -m\nthis`, `a.py`\n\n```\npytest lessons\n```\n") == {"python -m this"}
    assert commands(CHINESE) == commands(README) != set()
