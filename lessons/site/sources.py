"""The pages of code and the API reference, as Markdown for Sphinx."""

import ast
import posixpath
from pathlib import Path

from lessons.site.texts import ROOT, page_of

API = ("nn", "data", "experiment", "results", "referee", "playground")  # and the lessons
WIDE = "---\nhtml_theme.sidebar_secondary.remove: true\n---\n\n"  # no contents on the right: long lines need the room
LAST = ("figures", "tables", "export", "__main__")  # of a package: what comes after the ideas


def modules_of(folder, root=ROOT):
    """The Python files of a folder as paths in the repository, the pages first, in the order in which the folder's
    opening names them; __init__ is the folder's own page."""
    init = root / folder / "__init__.py"
    opening = init.read_text(encoding="utf-8") if init.exists() else ""
    names = sorted((path.stem for path in (root / folder).glob("*.py") if path.stem != "__init__"),
                   key=lambda name: (name in LAST, f"`{name}`" not in opening, opening.find(f"`{name}`"), name))
    return [f"{folder}/{name}.py" for name in names]


def code_page(path, read_beside, root=ROOT):
    """A file of code with numbered lines; read_beside: Markdown links of the texts that speak of it."""
    source = (root / path).read_text(encoding="utf-8")
    return f"{WIDE}# `{Path(path).name}`\n\n{beside(path, read_beside)}\n\n{block(source)}"


def folder_page(path, read_beside, root=ROOT):
    """A folder of code: its opening, and what is in it."""
    files = modules_of(path, root)
    folders = sorted(f"{path}/{each.parent.name}" for each in (root / path).glob("*/__init__.py"))
    inside = "\n".join(f"{posixpath.basename(each)} </{page_of(each)}>" for each in files + folders)
    opening = root / path / "__init__.py"
    source = block(opening.read_text(encoding="utf-8")) if opening.exists() else ""
    rows = "\n".join(f"- [`{posixpath.basename(each)}`](/{page_of(each)}.md): {first_sentence(root / each)}"
                     for each in files + folders)
    return (f"# `{path}/`\n\n{beside(path, read_beside)}\n\n{rows}\n\n{source}\n\n"
            f"```{{toctree}}\n:hidden:\n\n{inside}\n```\n")


def beside(path, read_beside):
    """The line over a page of code: its folder, the texts that link it, the reference."""
    parts = [f"`{path}`"]
    if read_beside:
        parts.append("read beside " + ", ".join(read_beside))
    package = path.split("/")[1] if path.startswith("fewshot_np/") and "/" in path else ""
    if (package in API or package.startswith("lesson")) and not path.endswith("__main__.py"):
        parts.append(f"[reference](/api/{package}.md)")
    return " · ".join(parts)


def block(source):
    """A block of code with numbered lines, whatever backticks are in it."""
    fence = "`" * 3
    while fence in source:
        fence += "`"
    return f"{fence}{{code-block}} python\n:linenos:\n\n{source.rstrip()}\n{fence}\n"


def first_sentence(path):
    """The first line of a module's docstring."""
    file = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def api_page(package, root=ROOT):
    """The reference of a package: what its modules define, from their docstrings."""
    name = f"fewshot_np.{package}"
    parts = [f"# `{name}`\n", f"[The code](/code/fewshot_np/{package}/index.md)\n"]
    for path in modules_of(f"fewshot_np/{package}", root):
        module = path.removesuffix(".py").replace("/", ".")
        if module.endswith(tuple(f".{name}" for name in LAST)):
            continue
        parts.append(f"## `{posixpath.basename(path).removesuffix('.py')}`\n\n"
                     f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n")
    return "\n".join(parts)
