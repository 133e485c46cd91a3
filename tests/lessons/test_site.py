"""The site: links of the texts lead to its pages, docstrings say on a page what they say in the code, the check of
what was built finds what is wrong; and, slow, all of it is built, with warnings as errors."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lessons.site.__main__ import add_playground
from lessons.site.checking import problems
from lessons.site.docstrings import as_rst
from lessons.site.notebooks import fold_answers, notebook_of, with_address
from lessons.site.pages import all_pages
from lessons.site.texts import page_of, translate

ROOT = Path(__file__).parents[2]
LESSON = "lessons/lesson4_maml/README.md"


@pytest.mark.parametrize(("path", "page"), [
    ("README.md", "index"), ("README.zh.md", "zh/index"), ("lessons/NOTATION.md", "lessons/NOTATION"),
    (LESSON, "lessons/lesson4_maml/index"), ("lessons/lesson4_maml/README.zh.md", "zh/lessons/lesson4_maml/index"),
    ("fewshot_np/nn/trees.py", "code/fewshot_np/nn/trees"),
    ("fewshot_np/nn", "code/fewshot_np/nn/index"), ("fewshot_np/nn/__init__.py", "code/fewshot_np/nn/index"),
    ("fewshot_np/playground/__init__.py", "playground/index")])
def test_where_a_file_is_on_the_site(path, page):
    assert page_of(path) == page


@pytest.mark.parametrize(("text", "page"), [
    ("[a](../README.md#families)", "[a](/lessons/index.md#families)"),
    ("[`b`](../../fewshot_np/nn/)", "[`b`](/code/fewshot_np/nn/index.md)"),
    ("[c](exercises.py) and\n![d\nd](figures/episode.png)",
     "[c](/code/lessons/lesson4_maml/exercises.md) and\n![d\nd](/lessons/lesson4_maml/figures/episode.png)"),
    ("[e](https://a.b/README.md) [f](#the-run)", "[e](https://a.b/README.md) [f](#the-run)"),
    ("`[g](../nowhere.md)`\n\n```\n[h](../nowhere.md)\n```", "`[g](../nowhere.md)`\n\n```\n[h](../nowhere.md)\n```"),
    ("<!-- [[[cog x\n](y) ]]] -->k", "k")])
def test_links_lead_to_pages_and_code_stays(text, page):
    assert translate(text, LESSON)[0] == page


@pytest.mark.parametrize("link", ["../nowhere.md", "../../../README.md", "figures/record.json"])
def test_a_link_to_what_has_no_page_is_an_error(link):
    with pytest.raises(ValueError, match=f"{LESSON} links to .*{link.split('/')[-1]}"):
        translate(f"[a]({link})", LESSON)


def test_quoted_source_links_the_line_it_comes_from():
    page, _ = translate("```py\n# fewshot_np/nn/trees.py, grad\ndef grad():\n```", LESSON)
    line = int(re.search(r'href="../../code/fewshot_np/nn/trees.html#L(\d+)"', page)[1])
    assert (ROOT / "fewshot_np/nn/trees.py").read_text(encoding="utf-8").splitlines()[line - 1].startswith("def grad(")


def test_every_link_of_every_page_leads_to_a_page():
    pages = all_pages()
    linked = {link for text in pages.values() for link in re.findall(r"\]\(/([^)#]+)\.md[#)]", text)}
    assert linked <= pages.keys()
    assert {"lessons/lesson4_maml/index", "code/fewshot_np/lesson4_maml/maml", "api/nn", "zh/index"} <= pages.keys()


@pytest.mark.parametrize(("docstring", "rst"), [
    ("Mean of `x`s, a*b and |c|, *stressed*; x_ too.", r"Mean of ``x``\ s, a\*b and \|c\|, *stressed*; x\_ too."),
    ("One.\n\nx: first,\ngoes on\nsteps, rate: second", "One.\n\n| x: first, goes on\n| steps, rate: second"),
    ("Run\n\n    python -m x*\n", "Run\n\n::\n\n       python -m x*"),
    ("- a\n- b", "| - a\n| - b")])
def test_docstrings_as_restructured_text(docstring, rst):
    assert "\n".join(as_rst(docstring.split("\n"))).rstrip() == rst


def test_an_answer_in_a_notebook_is_a_folded_cell():
    def cell(kind, source):
        return SimpleNamespace(cell_type=kind, source=source, metadata={})

    cells = [cell("markdown", "Ask.\n\n<details><summary>The answer</summary>"), cell("code", "1"),
             cell("markdown", "</details>\n\nNext <details><summary>Hint</summary>\nno\n</details>"), cell("code", "2")]
    fold_answers(cells)
    assert [bool(each.metadata) for each in cells] == [False, True, False, False]
    assert [each.source.count("<details>") - each.source.count("</details>") for each in cells] == [0, 0, 0, 0]
    assert cells[0].source.endswith("The answer** is in the folded cell:")
    assert cells[2].source.startswith("Next")


def test_links_in_a_notebook_lead_to_the_site():
    text = "[a](../README.md#families) [b](https://c.d) ![e](attachment:f.png)"
    assert with_address(text, LESSON, "") == text
    there = text.replace("../README.md", "https://x.y/z/lessons/index.html")
    assert with_address(text, LESSON, "https://x.y/z/") == there


def test_the_check_of_the_site_finds_what_leads_nowhere_and_what_comes_from_elsewhere(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<p id="here"><a href="../b.html">b</a> <a href="https://c.d">c</a>')
    (tmp_path / "b.html").write_text(
        '<a href="a/#here">1</a> <a href="a/#there">2</a> <a href="c.html">3</a> <a href="#no">4</a>'
        '<script src="https://e.f/g.js"></script><img src="data:,">')
    assert problems(tmp_path) == [*(f"b.html links to {link}, which is not there" for link in (
        "#no", "a/#there", "c.html")), "b.html loads https://e.f/g.js"]


def test_the_playground_on_the_site_links_its_lessons(tmp_path):
    add_playground(tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert '<meta name="lessons" content="../../lessons/" data-chinese="../../zh/lessons/" ' in page
    assert (tmp_path / "page" / "weights" / "networks.bin").exists()


def test_a_notebook_has_the_cells_and_the_pictures_of_its_text():
    nbformat = pytest.importorskip("nbformat", reason='the site is not installed (pip install -e ".[site]")')
    pytest.importorskip("jupytext", reason='the site is not installed (pip install -e ".[site]")')
    notebook = notebook_of(LESSON)
    nbformat.validate(notebook)
    text = (ROOT / LESSON).read_text(encoding="utf-8")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert cells == [block.strip("\n") for block in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)]
    pictures = [name for cell in notebook.cells for name in cell.get("attachments", {})]
    assert len(pictures) == text.count("](figures/")
    assert not re.search(r"\[\[\[cog|\]\(figures", "".join(cell.source for cell in notebook.cells))


def test_the_search_finds_chinese_by_pairs_of_characters():
    pytest.importorskip("sphinx", reason='the site is not installed (pip install -e ".[site]")')
    from lessons.site.searching import words

    assert words("元学习 MAML的 5-way") == ["元学", "学习", "MAML", "的", "5", "way"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(importlib.util.find_spec("sphinx_book_theme") is None,
                    reason='Sphinx is not installed (pip install -e ".[site]")')
def test_the_site_is_built_without_a_warning_and_its_notebooks_run(tmp_path):
    done = subprocess.run([sys.executable, "-m", "lessons.site", "--execute", "--out", str(tmp_path)], cwd=ROOT,
                          capture_output=True, text=True, encoding="utf-8", timeout=1400)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "html" / "lessons" / "lesson4_maml" / "index.html").read_text(encoding="utf-8")
    folded = re.search(r"<details><summary>The library's answer</summary>.*?</details>", page, re.S)[0]
    assert '<div class="highlight">' in folded
    notebook = json.loads((tmp_path / "html" / "notebooks" / "lesson4_maml.ipynb").read_text(encoding="utf-8"))
    assert any(cell.get("outputs") for cell in notebook["cells"])
