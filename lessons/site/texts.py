"""From a text of the repository to a page of the site: where it goes, and where its links lead.

The Markdown is written for GitHub and stays as it is. What differs on the site is done to a copy while it is built:
links to files lead to pages, comments go, and quoted source links the page it is quoted from.
"""

import ast
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = ("*.md", "lessons/**/*.md", "tests/**/*.md")
PLAYGROUND = "fewshot_np/playground/__init__.py"  # a link to it means the page that one can play with

FENCED = r"^(?P<mark>[> ]*)```.*?^(?P=mark)```$"
CODE = rf"{FENCED}|`(?:[^`\n]|\n(?!\s*\n))*`"
LINK = r"\]\((?P<target>[^)\s]+)"
QUOTED = re.compile(r"^```py\n# (?P<file>\S+\.py), (?P<name>\w+)\n.*?^```$", re.S | re.M)


def texts(root=ROOT):
    """The texts' paths in the repository, as "lessons/NOTATION.md"."""
    paths = {path for pattern in TEXTS for path in root.glob(pattern)}
    return sorted(path.relative_to(root).as_posix() for path in paths)


def page_of(path):
    """The page of a text, of a file of code or of a folder of code: "lessons/lesson4_maml/README.md" is
    "lessons/lesson4_maml/index", "README.zh.md" is "zh/index", "fewshot_np/nn/trees.py" is "code/fewshot_np/nn/trees".
    """
    if path == PLAYGROUND:
        return "playground/index"
    if not path.endswith(".md"):
        return re.sub(r"(/__init__)?\.py$", lambda match: "/index" if match[1] else "", f"code/{path}") + (
            "" if path.endswith(".py") else "/index")
    folder, name = posixpath.split(path.removesuffix(".md"))
    language = "zh" if name.endswith(".zh") else ""
    name = name.removesuffix(".zh")
    return posixpath.join(language, folder, "index" if name == "README" else name)


def translate(text, path, root=ROOT):
    """(the page in MyST's Markdown, the paths in the repository to which it links); path: the text's own.

    Raises: ValueError for a link that leads to nothing in the repository, or to a file that has no page.
    """
    linked = []

    def replaced(match):
        if match[0].startswith("<!--"):
            return ""
        if not match["target"] or "://" in match["target"] or match["target"].startswith("#"):
            return match[0]
        target, _, anchor = match["target"].partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        linked.append(there)
        return f"]({address_of(there, path, root)}{'#' * bool(anchor)}{anchor}"

    page = re.sub(rf"<!--.*?-->|{CODE}|{LINK}", replaced, text, flags=re.S | re.M)
    return QUOTED.sub(lambda match: with_its_source(match, path, root), page), linked


def address_of(there, path, root=ROOT):
    """How a page names the file or folder `there` of the repository: from the root of the pages."""
    if not (root / there).exists() or there.startswith(".."):
        raise ValueError(f"{path} links to {there}, which is not in the repository")
    if (root / there).is_dir() or there.endswith((".md", ".py")):
        return f"/{page_of(there)}.md"
    if there.endswith((".png", ".svg")):
        return f"/{there}"
    raise ValueError(f"{path} links to {there}; the site has pages for Markdown, Python, folders and pictures")


def with_its_source(match, path, root=ROOT):
    """A quoted function, and below it a link to its line on the page of code."""
    line = line_of(match["name"], (root / match["file"]).read_text(encoding="utf-8"))
    up = "../" * page_of(path).count("/")
    return (f'{match[0]}\n\n<a class="its-source" href="{up}{page_of(match["file"])}.html#L{line}">'
            f'{match["file"]}</a>\n')


def line_of(name, source):
    """The line on which a function or class of this name begins."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return next(node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, kinds) and node.name == name)
