"""What the loop shows of the lessons: the task, the hints out of the texts' <details>, and the library's solution."""

import ast
import inspect
import re
import textwrap
import unicodedata
from functools import partial
from types import ModuleType

from lessons.practice.answers import docstring_of, read
from lessons.teacher.language import WIDE, fill, is_chinese, say

ASCII = {"θ": "theta", "φ": "phi", "α": "alpha", "β": "beta", "γ": "gamma", "λ": "lambda", "μ": "mu", "σ": "sigma",
         "ε": "eps", "η": "eta", "π": "pi", "Σ": "sum", "Δ": "delta", "∂": "d", "←": "<-", "→": "->", "≤": "<=",
         "≥": ">=", "≠": "!=", "≈": "~", "·": "*", "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "²": "^2",
         "³": "^3", "√": "sqrt", "∞": "infinity", "∈": "in", "½": "1/2", "ᵀ": "^T", "‖": "||", "“": '"',
         "”": '"', "’": "'", "⁻": "^-", "⋅": "*", "⊙": "*", "ℓ": "l", "∑": "sum", "τ": "tau", "δ": "delta", "ρ": "rho"}


def plain(text):
    """The text in ASCII and ±, which every terminal has; as it is where the reader asked for Chinese."""
    if is_chinese():
        return text
    text = "".join(ASCII.get(letter, letter) for letter in text)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c.isascii() or c == "±" else "?" for c in text)


def wrapped(markdown, width):
    """Markdown as plain lines: paragraphs filled, lists and code left as they are."""
    parts, code = [], False
    for paragraph in re.split(r"\n\s*\n", plain(_unmarked(markdown)).strip("\n")):
        fences = paragraph.count("```")
        if code or fences or re.search(r"^(\s{2,}|[-|*>] |\d+\. )", paragraph, re.M):
            paragraph = re.sub(r"^```\w*\n?", "", paragraph, flags=re.M).rstrip()
            parts.append("\n".join(_hung(row, width) for row in paragraph.split("\n")))
        else:
            parts.append(fill(paragraph, width))
        code = code != bool(fences % 2)
    return "\n\n".join(parts)


def _unmarked(markdown):
    """Without bold and the targets of links."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", markdown.replace("**", ""))


def _hung(row, width):
    """A line of code or of a list: what does not fit stands below, deeper than it."""
    indent = " " * (len(row) - len(row.lstrip()) + 8)
    if re.search(f"[{WIDE}]", row):
        return fill(row, width, indent[8:], indent)
    return textwrap.fill(row, width, subsequent_indent=indent, replace_whitespace=False, break_on_hyphens=False)


PAGES = {"README.md": "> **Exercise `", "README.zh.md": "> **练习 `"}  # and how an exercise begins there


def question(exercise):
    """(page, the lines in which it sets the exercise, hints with it); (None, "") where no page does.

    To a reader of Chinese it is the Chinese page, where that has the exercise.
    """
    for name in ("README.zh.md", "README.md") if is_chinese() else ("README.md",):
        for page in sorted(exercise.folder.parent.glob(f"*/{name}")):
            text = page.read_text(encoding="utf-8")
            start = text.find(_beginning(page, exercise))
            if start >= 0:
                lines = text[start:].split("\n")
                end = next((i for i, line in enumerate(lines) if not line.startswith(">")), len(lines))
                return page, "\n".join(line[1:].removeprefix(" ") for line in lines[:end])
    return None, ""


def _beginning(page, exercise):
    return f"{PAGES[page.name]}{exercise.id}`**"


def hints_of(exercise):
    """The hints of the texts, the weakest first, in markdown."""
    return [hint.strip("\n") for hint in re.findall(
        r"<details>\s*<summary>(?:Hint|提示)[^<]*</summary>(.*?)</details>", question(exercise)[1], re.S)]


def in_short(exercise, stub):
    """The first paragraph of the docstring; in Chinese of what the Chinese page asks, where it asks."""
    page, text = question(exercise)
    if page and page.name == "README.zh.md":
        return _unmarked(text.split("<details>")[0].partition("**：")[2].strip().split("\n\n")[0])
    return _docstring(exercise, stub).split("\n\n")[0]


def task(exercise, stub, width):
    """The whole task: the docstring, and where the text sets it."""
    page, text = question(exercise)
    asked = wrapped(text.split("<details>")[0].strip(), width)
    where = "\n\n" + say("The text: {page}", page=f"lessons/{page.parent.name}/{page.name}") if page else ""
    return f"{asked}\n\n{plain(_docstring(exercise, stub))}{where}".strip()


def _docstring(exercise, stub):
    """Of the reader's file, or of the stub while that file is in the middle of work."""
    text = read(exercise.folder / "exercises.py")
    written = docstring_of(text, exercise.name) or docstring_of(stub, exercise.name)
    return written or say("Write {name}.", name=exercise.name)


def solution(exercise, width):
    """The library's answer as the texts quote it; where they do not, the source of the check's reference."""
    page, _ = question(exercise)
    if page:
        behind = page.read_text(encoding="utf-8").partition(_beginning(page, exercise))[2]
        behind = behind.partition(PAGES[page.name])[0]
        found = re.search(r"^<details><summary>[^<]*(?:answer|答案)[^<]*</summary>(.*?)</details>", behind, re.S | re.M)
        if found:
            return wrapped(re.sub(r"<!--.*?-->", "", found[1], flags=re.S), width)
    reference = exercise.reference
    while isinstance(reference, partial):
        reference = reference.func
    reference = _unwrapped(reference)
    sources = [_source(f) for f in (reference, *_called(reference, exercise.folder.name))]
    return "\n\n".join(plain(source) for source in dict.fromkeys(sources) if source)


def _called(f, lesson):
    """The functions of the library that a function made for the check calls: of its own lesson, or else of others."""
    code = getattr(f, "__code__", None)
    if not code or f.__module__.startswith("fewshot_np"):
        return []
    spaces = f.__globals__
    codes = [code, *(c for c in code.co_consts if hasattr(c, "co_names"))]
    named = [name for c in codes for name in c.co_names]
    modules = [spaces[name] for name in named if isinstance(spaces.get(name), ModuleType)
               and spaces[name].__name__.startswith("fewshot_np")]
    found = [spaces.get(name) or next((vars(m)[name] for m in modules if name in vars(m)), None) for name in named]
    found = [g for g in map(_unwrapped, found) if callable(g) and getattr(g, "__module__", "").startswith("fewshot_np")]
    return [g for g in found if f".{lesson}" in g.__module__] or found


def _unwrapped(f):
    """What autograd wraps: `primitive` keeps the function as `fun`, `notrace_primitive` in a closure."""
    code = getattr(f, "__code__", None)
    if code and code.co_freevars == ("f_raw",):
        return f.__closure__[0].cell_contents
    return getattr(f, "fun", f)


def _source(f):
    f = _unwrapped(f)
    try:
        text = inspect.cleandoc("\n" + inspect.getsource(f))
    except (OSError, TypeError):
        return ""
    node = ast.parse(text).body[0]
    doc = node.body[0]
    if ast.get_docstring(node) and len(node.body) > 1:
        lines = text.split("\n")
        text = "\n".join(lines[:doc.lineno - 1] + lines[doc.end_lineno:])
    module = f.__module__
    where = f"{module.replace('.', '/')}.py" if module.startswith("fewshot_np") else say("what the check compares with")
    return f"# {where}\n{text}"
