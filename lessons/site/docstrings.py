"""Docstrings as reStructuredText: they are plain text with `code`, in which a * is a product."""

import re

MARKUP = re.compile(r"`(?P<code>[^`]+)`(?=(?P<glued>\w?))|(?<![\w*])\*(?P<stressed>[\w-][\w -]*)\*(?![\w*])"
                    r"|(?P<sign>[\\*|_`])")
ARGUMENT = re.compile(r"(\w+(, \w+)*: |\w+\(.*\) -> |- |Raises: |Returns )")


def as_rst(lines):
    """The lines of a docstring with the same words on the page: code as code, every argument on a line of its own."""
    rst = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        if re.match(r" {2,}|>>> ", paragraph):  # indented: a command, a formula, an example
            rows = paragraph.split("\n")
            rst += ["::", "", *(f"   {row}" for row in rows), ""]
            continue
        items = [[]]
        for row in paragraph.split("\n"):
            if ARGUMENT.match(row) or (items[-1] and row.startswith("   ")):
                items.append([])
            items[-1].append(row.strip())
        texts = [inline(" ".join(item)) for item in items if item]
        rst += [*(texts if len(texts) == 1 else [f"| {text}" for text in texts]), ""]
    return rst


def inline(text):
    return MARKUP.sub(_marked, text).replace("->", "→")


def _marked(match):
    if match["code"]:
        return f"``{match['code']}``" + ("\\ " if match["glued"] else "")
    if match["stressed"]:
        return match[0]
    return "\\" + match["sign"]
