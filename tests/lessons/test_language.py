"""The messages of the exercises in Chinese: the catalogue has every sentence, with the same places in it."""

import ast
import re
import string
from pathlib import Path

import pytest

from lessons.teacher import language
from lessons.teacher.checking import check, discover, mistakes_of

TEACHER = Path(language.__file__).parent
EXERCISES = {exercise.id: exercise for exercise in discover()}


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("FEWSHOT_NP_LANG", "zh")


def sentences():
    """All that the teacher says: constants given to `say`, or named in capitals, and what the predicates expect."""
    for path in TEACHER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = node.args[0] if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" else None
            if isinstance(said, ast.Constant):
                yield said.value
    for exercise in EXERCISES.values():
        for predicate in exercise.predicates:
            yield " ".join(getattr(predicate, "func", predicate).__doc__.split())


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_has_its_chinese_with_the_same_places():
    frames = language.catalogue()["frames"]
    assert not set(sentences()) - set(frames)
    assert all(places(english) == places(chinese) for english, chinese in frames.items())


def test_what_the_catalogue_says_of_mistakes_belongs_to_mistakes():
    for id, entries in language.catalogue()["mistakes"].items():
        assert set(entries) <= {language.base_name(mistake) for mistake in mistakes_of(EXERCISES[id])}
        assert all(thought and hint for thought, hint in entries.values())


def test_a_message_is_chinese_on_request_and_fits_the_width(chinese, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = check(EXERCISES["hunger.2"], lambda x, w, b: (x @ w + b)[None]).text
    labels = [line[:2] for line in text.splitlines() if line[:1].strip()]
    assert labels == ["调用", "返回", "应为", "原因"]
    text = check(EXERCISES["hunger.2"], lambda x, w, b: float("nan") * (x @ w + b)).text
    assert "NaN" in text
    assert max(map(language.columns_of, text.splitlines())) <= 80


def test_chinese_lines_are_filled_by_columns_and_begin_with_no_closing_mark():
    text = "小样本学习，用 NumPy 写成。" * 10
    lines = language.fill(text, 30, "原因      ", " " * 10).splitlines()
    assert max(map(language.columns_of, lines)) <= 32  # a closing mark may stand out
    assert min(map(language.columns_of, lines[:-1])) >= 20
    assert "".join(lines).replace(" ", "") == "原因" + text.replace(" ", "")
    assert not any(re.match(f"[{language.CLOSING}]", line.strip()) for line in lines)
