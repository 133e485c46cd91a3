"""The messages of the exercises in Chinese: the catalogue has every sentence, with the same places in it."""

import ast
import importlib
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fewshot_np
from lessons.practice import texts
from lessons.teacher import comparing, language
from lessons.teacher.checking import check, discover, inputs, mistakes_of

LESSONS = Path(language.__file__).parents[1]
EXERCISES = {exercise.id: exercise for exercise in discover()}


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setenv("FEWSHOT_NP_LANG", "zh")


def pages():
    """The modules that say something to the reader."""
    return [*(LESSONS / "teacher").glob("*.py"), *(LESSONS / "practice").glob("*.py"), LESSONS / "conftest.py",
            *LESSONS.glob("lesson*/test_exercises.py")]


def sentences():
    """All that is said: what is given to `say`, also by a name in capitals, and what the predicates expect."""
    for path, call in calls():
        yield from said_by(call.args[0], path)
    for predicate in (comparing._repeatable, *(p for e in EXERCISES.values() for p in e.predicates)):
        yield " ".join(getattr(predicate, "func", predicate).__doc__.split())


def calls():
    """(page, call of `say`)"""
    for path in pages():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                yield path, node


def said_by(argument, path):
    """The sentences that an argument of `say` may be: itself, or those of the constant, the dict or the tuple named."""
    if isinstance(argument, ast.Constant):
        return [argument.value]
    named = argument.value if isinstance(argument, ast.Subscript) else argument
    if not ast.unparse(named).isupper() and not (isinstance(named, ast.Attribute) and named.attr.isupper()):
        return []
    module = importlib.import_module(".".join(path.relative_to(LESSONS.parent).with_suffix("").parts))
    value = eval(ast.unparse(named), vars(module))
    return [value] if isinstance(value, str) else value.values() if isinstance(value, dict) else value


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_has_its_chinese_with_the_same_places():
    frames = language.catalogue()["frames"]
    without, unsaid = set(sentences()) - set(frames), set(frames) - set(sentences())
    assert not without
    assert not unsaid
    assert all(places(english) == places(chinese) for english, chinese in frames.items())
    for path, call in calls():
        for sentence in said_by(call.args[0], path):
            assert places(sentence) == {keyword.arg for keyword in call.keywords}, sentence


def test_what_a_predicate_finds_goes_through_the_catalogue():
    """A sentence that is returned as it is would stay English."""
    for path in LESSONS.glob("lesson*/test_exercises.py"):
        mine = [exercise for exercise in EXERCISES.values() if exercise.folder == path.parent]
        predicates = {getattr(p, "func", p).__name__ for exercise in mine for p in exercise.predicates}
        for f in ast.parse(path.read_text(encoding="utf-8")).body:
            found = [node for node in ast.walk(f) if isinstance(node, ast.Return) and node.value]
            if getattr(f, "name", None) in predicates:
                assert found, f.name
                assert all(ast.unparse(node.value).startswith("say(") for node in found), f.name


def test_every_mistake_has_its_chinese_in_which_code_is_the_same():
    catalogue = language.catalogue()["mistakes"]
    english = {(exercise.id, language.base_name(m)): (m.thought, m.hint)
               for exercise in EXERCISES.values() for m in mistakes_of(exercise)}
    chinese = {(id, name): entry for id, entries in catalogue.items() for name, entry in entries.items()}
    without = set(english) - set(chinese)
    assert not without
    gone = set(chinese) - set(english)
    assert not gone
    for key, entry in chinese.items():
        for mine, yours in zip(english[key], entry, strict=True):
            assert re.search(f"[{language.WIDE}]", yours), key
            assert set(re.findall(r"np\.\w+|\w+_\w+|\w+\(", mine)) <= set(
                re.findall(r"np\.\w+|\w+_\w+|\w+\(", yours, re.ASCII)), key


def test_every_case_has_a_chinese_name_by_which_it_is_found(chinese):
    english = {exercise.id: [case.name for case in exercise.make_cases(np.random.default_rng(0))]
               for exercise in EXERCISES.values()}
    names = language.catalogue()["cases"]
    without, gone = set().union(*english.values()) - set(names), set(names) - set().union(*english.values())
    assert not without
    assert not gone
    assert all(len(set(map(names.get, mine))) == len(set(mine)) for mine in english.values())
    assert inputs("hunger.1", "手算") == inputs("hunger.1", "by hand")


def test_a_message_is_chinese_on_request_and_fits_the_width(chinese, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = check(EXERCISES["hunger.2"], lambda x, w, b: (x @ w + b)[None]).text
    labels = [line[:2] for line in text.splitlines() if line[:1].strip()]
    assert labels == ["调用", "返回", "应为", "原因"]
    thought, hint = language.catalogue()["mistakes"]["hunger.2"]["without_bias"]
    text = check(EXERCISES["hunger.2"], lambda x, w, b: x @ w).text
    assert f"{thought}提示：{hint}".replace(" ", "") in re.sub(r"\s", "", text)
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


def test_the_loop_without_a_terminal_speaks_chinese(tmp_path):
    for part in ("teacher", "practice", "lesson4_maml"):
        shutil.copytree(LESSONS / part, tmp_path / "lessons" / part, ignore=shutil.ignore_patterns(
            "__pycache__", "figures", "backup_*", "picture_*"))
    shutil.copy(LESSONS / "__main__.py", tmp_path / "lessons")
    answers = tmp_path / "lessons" / "lesson4_maml" / "exercises.py"
    answers.write_text("def inner_step(loss, params, x, y, inner_lr):\n    return params\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lessons", "maml"], cwd=tmp_path, timeout=120, stdin=subprocess.DEVNULL, check=False,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(Path(fewshot_np.__file__).parents[1]),
                                  "FEWSHOT_NP_LANG": "zh", "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"})
    shown = done.stdout.decode("utf-8")
    assert done.returncode == 1, done.stderr.decode()
    assert {"调用", "返回", "应为", "原因"} <= {line[:2] for line in shown.splitlines()}
    assert "# 正确   x 错误   . 待编写" in shown
    assert max(map(language.columns_of, shown.splitlines())) <= 80


def test_hints_and_tasks_are_those_of_the_chinese_page_where_it_has_the_exercise(chinese):
    pages = {page for page in LESSONS.glob("*/README.zh.md") if "**练习 `" in page.read_text(encoding="utf-8")}
    found = {texts.question(exercise)[0] for exercise in EXERCISES.values()}
    assert pages
    assert pages <= found
    for exercise in EXERCISES.values():
        page, text = texts.question(exercise)
        if page in pages:
            short, hints = texts.in_short(exercise, None), texts.hints_of(exercise)
            shown = (short, texts.task(exercise, None, 79).split("\n\n")[0], *hints)
            assert all(re.search(f"[{language.WIDE}]", each) for each in shown)
            assert len(hints) == text.count("<summary>提示")
            assert "**" not in short
            assert "](" not in short
            assert texts.solution(exercise, 79).strip()
