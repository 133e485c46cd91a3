"""The language of the messages: English, or Chinese where the environment variable FEWSHOT_NP_LANG is zh.

What is not in the catalogue, chinese.json, stays English:

    frames     {English sentence: Chinese sentence}, both with the same {places}
    cases      {English name: Chinese name}
    mistakes   {exercise: {mistake: [misconception, hint]}}
"""

import json
import os
import re
import textwrap
from functools import cache
from pathlib import Path

CATALOGUE = Path(__file__).parent / "chinese.json"
WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60"  # characters that take two columns, and after which a line may break
CLOSING = "，。、；：？！）》”"  # never the first of a line


def is_chinese():
    return os.environ.get("FEWSHOT_NP_LANG", "").lower().startswith("zh")


@cache
def catalogue():
    return json.loads(CATALOGUE.read_text(encoding="utf-8"))


def say(sentence, **places):
    """The sentence in the reader's language, its {places} filled in."""
    chosen = catalogue()["frames"].get(sentence, sentence) if is_chinese() else sentence
    return chosen.format(**places)


def say_predicate(predicate):
    """What a predicate expects, in the reader's language: its docstring."""
    return say(" ".join(predicate.__doc__.split()).replace("{", "{{").replace("}", "}}"))


def say_case(name):
    """The name of a case in the reader's language, and which draw of it this is."""
    name, draw = re.fullmatch(r"(.*?)(?:, draw (\d+))?", name).groups()
    chosen = catalogue()["cases"].get(name, name) if is_chinese() else name
    return say("{name}, draw {draw}", name=chosen, draw=draw) if draw else chosen


def thought_and_hint(mistake):
    """(the misconception behind a mistake, the hint) in the reader's language."""
    entries = catalogue()["mistakes"].get(mistake.exercise_id, {}) if is_chinese() else {}
    return tuple(entries.get(base_name(mistake), (mistake.thought, mistake.hint)))


def base_name(mistake):
    """The name of the function in mistakes.py, of which a variant has a longer one."""
    return getattr(mistake, "__wrapped__", mistake).__name__


def columns_of(text):
    """How many columns of a terminal the text takes."""
    return len(text) + len(re.findall(f"[{WIDE}]", text))


def fill(text, width, initial_indent="", subsequent_indent=""):
    """`textwrap.fill`, which breaks no word, and Chinese between any two characters."""
    if not re.search(f"[{WIDE}]", text):
        return textwrap.fill(text, width, initial_indent=initial_indent, subsequent_indent=subsequent_indent,
                             break_long_words=False, break_on_hyphens=False)
    lines, line = [], initial_indent
    for piece in re.findall(rf"\s+|[{WIDE}“‘（《]?[^\s{WIDE}]*[{CLOSING}]*", " ".join(text.split())):
        if columns_of(line + piece.rstrip()) > width and line.strip():
            lines.append(line.rstrip())
            line = subsequent_indent
            piece = piece.lstrip()
        line += piece
    return "\n".join([*lines, line.rstrip()])
