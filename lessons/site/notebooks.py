"""Each lesson as a notebook to download: its text, whose blocks of Python become cells, executed on request."""

import base64
import posixpath
import re

from lessons.site.texts import CODE, LINK, ROOT, page_of

NEEDED = ("*Made from `{path}`. The cells need the course: `pip install -e .` in the folder of its repository, for the "
          "Python that runs this notebook.*")
FOLDED = {"jupyter": {"source_hidden": True, "outputs_hidden": True}, "tags": ["answer"]}
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<file>[^)\s]+\.png)\)")


def notebook_name(path):
    """"lessons/lesson4_maml/README.zh.md" -> "lesson4_maml.zh.ipynb"."""
    return path.split("/")[1] + ".zh" * path.endswith(".zh.md") + ".ipynb"


def notebook_of(path, address="", root=ROOT):
    """The text as a notebook (nbformat). Its pictures are inside it. Links lead to the site's address; without one
    they stay as they are, which is right beside the text."""
    import jupytext
    import nbformat

    text = re.sub(r"<!--.*?-->\n*", "", (root / path).read_text(encoding="utf-8"), flags=re.S)
    notebook = jupytext.reads(text, fmt="md")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    fold_answers(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            embed_pictures(cell, (root / path).parent)
            cell.source = with_address(cell.source, path, address)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(NEEDED.format(path=path)))
    return notebook


def fold_answers(cells):
    """<details> that hold a cell of code cannot fold it in a notebook: the cell is hidden in their place."""
    inside = False
    for cell in cells:
        if cell.cell_type == "code":
            if inside:
                cell.metadata.update(FOLDED)
            continue
        if inside:
            cell.source = f"<details><summary>...</summary>\n\n{cell.source}"
        inside = cell.source.count("<details>") > cell.source.count("</details>")
        if inside:
            cell.source += "\n</details>"
        cell.source = re.sub(r"<details><summary>\.\.\.</summary>\s*</details>\s*", "", cell.source)
        cell.source = re.sub(r"<details><summary>(.*)</summary>\s*</details>$", r"**\1** is in the folded cell:",
                             cell.source)


def embed_pictures(cell, folder):
    """Pictures travel in the notebook, as attachments."""
    attachments = {}

    def attached(match):
        name = match["file"].replace("/", "-")
        data = base64.b64encode((folder / match["file"]).read_bytes()).decode("ascii")
        attachments[name] = {"image/png": data}
        return f"![{match['words']}](attachment:{name})"

    cell.source = PICTURE.sub(attached, cell.source)
    if attachments:
        cell["attachments"] = attachments


def with_address(source, path, address):
    """Links to files of the repository, as links to the pages of the site at that address."""
    def replaced(match):
        target = match["target"]
        if not address or not target or re.match(r"\w+:|#", target):
            return match[0]
        file, _, anchor = target.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        there = there if there.endswith((".py", ".md")) else f"{there}/__init__.py"
        return f"]({address.rstrip('/')}/{page_of(there)}.html{'#' * bool(anchor)}{anchor}"

    return re.sub(rf"{CODE}|{LINK}", replaced, source, flags=re.S | re.M)


def execute(notebook, root=ROOT):
    """Run all cells, in a process of their own that starts in the folder of the repository.

    Raises: nbclient.exceptions.CellExecutionError for a cell that fails.
    """
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(root)}}).execute()
