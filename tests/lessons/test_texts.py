"""All pages say what is so, front pages, lessons, benchmarks: their Python runs and prints what it promises, what they
quote from records and from the library is there, links lead somewhere, every exercise stands in its text, every cited
equation in the map, every method in the glossary."""

import importlib
import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from fewshot_np.__main__ import LESSONS
from lessons import quoting

ROOT = Path(__file__).parents[2]
CONTENTS = ROOT / "lessons" / "README.md"
PAGES = sorted(page for pattern in ("*.md", "lessons/**/*.md", "tests/**/*.md") for page in ROOT.glob(pattern))
ENGLISH = [page for page in PAGES if not page.name.endswith(".zh.md")]  # the Chinese have the same code and exercises
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
every_english = pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.relative_to(ROOT)))
LESSON_PAGES = [page for page in ENGLISH if page.parent.parent == CONTENTS.parent]
every_lesson = pytest.mark.parametrize("page", LESSON_PAGES, ids=lambda page: page.parent.name)

# ---------------------------------------------------------------- the code


@pytest.mark.timeout(120)  # busy cores included: a page is meant to take less than 10 s on a free one
@every_english
def test_the_python_of_a_page_runs_and_prints_what_its_comments_promise(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for example in Sybil([PythonCodeBlockParser()]).parse(page).examples():
        printed = io.StringIO()
        with redirect_stdout(printed):
            example.evaluate()
        promised = re.findall(r"print\(.*\)  # (.*)", str(example.parsed))
        assert printed.getvalue().split() == " ".join(promised).split(), f"{page}, line {example.line}"


@every_lesson
def test_a_cell_has_ten_lines_at_most_and_needs_no_scrolling(page):
    for block in re.findall(r"^```python\n(.*?)^```", text_of(page), re.S | re.M):
        lines = [line for line in block.splitlines() if line.strip()]
        assert len(lines) <= 10, block
        assert max(map(len, lines)) <= 100, block


# ---------------------------------------------------------------- what is quoted


@pytest.mark.timeout(120)
def test_what_the_pages_quote_is_what_stands_in_the_records_and_the_library():
    """`python -m cogapp -r *.md lessons/*.md lessons/*/*.md tests/*/*.md` brings them up to date."""
    pages = [str(page.relative_to(ROOT)) for page in PAGES]
    done = subprocess.run([sys.executable, "-m", "cogapp", "--check", "--diff", *pages], cwd=ROOT,
                          capture_output=True, text=True, encoding="utf-8", timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_that_shows_a_number_of_a_run_gets_it_from_the_record():
    """A percentage with its interval stands between cog's marks, or the text says next to it where it comes from."""
    for page in PAGES:
        prose = re.sub(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", "", text_of(page), flags=re.S)
        for paragraph in prose.split("\n\n"):
            if re.search(r"\d ± [\d.]+ %", paragraph):
                assert re.search(r"Table \d|Measured|measured|实测|python -m", paragraph), f"{page}:\n{paragraph}"


def test_source_shows_a_function_without_its_docstring():
    shown = quoting.source(quoting.percent)
    assert shown.startswith("```py\n# lessons/quoting.py, percent\ndef percent(record, name):\n    metric =")
    assert '"""' not in shown
    assert quoting.source(quoting.source, first="begin =", last="stop =").splitlines()[2].startswith("begin =")
    with pytest.raises(ValueError, match="no line begins with 'nowhere'"):
        quoting.source(quoting.source, first="nowhere")


# ---------------------------------------------------------------- links


@every_page
def test_links_inside_the_repository_lead_to_files_figures_and_headings(page):
    assert not [link for link in links_of(page) if "://" not in link and not leads_somewhere(page, link)]


def leads_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors_of(target))


def links_of(page):
    """Targets of links and images, Markdown's and HTML's, outside code."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`|<!--.*?-->", "", text_of(page), flags=re.S | re.M)
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"(?:href|src)=\"([^\"]+)\"", text)


def anchors_of(page):
    """The names that GitHub gives to headings: small letters, no punctuation, hyphens for spaces, -1 for a second."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.S | re.M)
    anchors = set(re.findall(r"<a (?:name|id)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = base = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = 0
        while name in anchors:
            again += 1
            name = f"{base}-{again}"
        anchors.add(name)
    return anchors


def test_anchors_are_named_as_github_names_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Lesson 4: MAML\n## 术语 Terms, and `code`\n## Twice\n## Twice\n```\n# no heading\n```\n",
                    encoding="utf-8")
    assert anchors_of(page) == {"lesson-4-maml", "术语-terms-and-code", "twice", "twice-1"}


# ---------------------------------------------------------------- the contents, the exercises


def test_the_contents_link_every_page_of_the_lessons():
    linked = {(CONTENTS.parent / link).resolve() for link in links_of(CONTENTS) if "://" not in link}
    assert {page for page in ENGLISH if CONTENTS.parent in page.parents} - {CONTENTS} <= linked


def test_the_contents_answer_all_ten_points_of_the_document():
    points = re.findall(r"\*\*(?:Wrong|Left out|Notation) \((\d+)\)\*\*", text_of(CONTENTS))
    assert set(points) == set(map(str, range(1, 11)))


def test_the_glossary_has_every_method_and_each_term_once_with_its_chinese_and_its_meaning():
    rows = re.findall(r"^\| (?!English|---)(.*) \|$", text_of(CONTENTS.parent / "GLOSSARY.md"), re.M)
    terms = [term for term, chinese, meaning in (row.split(" | ") for row in rows) if chinese and meaning]
    assert len(terms) == len(set(terms)) == len(rows)
    for method in ("MAML", "first-order MAML", "ANIL", "Reptile", "Meta-SGD", "prototypical network", "ESZSL",
                   "Matching Network", "ridge regression head", "Relation network", "frozen features",
                   "Siamese network", "conditional neural process", "learned optimiser"):
        assert any(term.startswith(method) for term in terms), method


@every_lesson
def test_a_text_names_exactly_the_exercises_that_there_are(page):
    file = page.parent / "exercises.py"
    if not file.exists():
        pytest.skip(f"{page.parent.name} has no exercises")
    stubs = set(re.findall(r"NotImplementedError\(\s*f?[\"']([a-z_]+\.\d+):", text_of(file)))
    named = set(re.findall(r"`([a-z_]+\.\d+)`", text_of(page)))
    (name,) = {stub.partition(".")[0] for stub in stubs}
    assert stubs <= named
    assert {exercise for exercise in named if exercise.partition(".")[0] == name} <= stubs | {f"{name}.1"}


# ---------------------------------------------------------------- the map of equations


def test_every_equation_that_a_docstring_cites_is_written_so_that_the_map_finds_it():
    """As in "Finn et al. 2017, eq. 1": authors, year, place."""
    lost = [f"{module}.{name}: {text}" for module, name, text in quoting.documented()
            if len(quoting.EQUATION.findall(text)) > len(re.findall(
                quoting.EQUATION, " ".join(place for _, place in quoting.cited(text))))]
    assert not lost


def test_the_map_names_functions_that_exist_and_all_that_cite_an_equation():
    rows = re.findall(r"^\| ([^|]+ \d{4}) \| ([^|]+) \| \[`(\w+)`\]\(\.\./([\w/]+)\.py\) \|$",
                      text_of(CONTENTS.parent / "READING.md"), re.M)
    mapped = {(paper, place, path.replace("/", "."), name) for paper, place, name, path in rows}
    assert all(callable(getattr(importlib.import_module(path), name)) for _, _, path, name in mapped)
    assert mapped == set(quoting.citations())


def test_citations_are_found_in_docstrings():
    text = "Mean of x. Finn et al. 2017, Algorithm 2, line 7; see Ioffe & Szegedy (2015), eq. 1 and Table 3. Eq. 4"
    assert quoting.cited(text) == [("Finn et al. 2017", "Algorithm 2, line 7"), ("Ioffe & Szegedy 2015", "eq. 1"),
                                   ("Ioffe & Szegedy 2015", "Table 3")]


def text_of(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("lesson", [module for _, module, _, _ in LESSONS])
def test_the_output_that_a_page_shows_is_of_the_run_of_its_record(lesson):
    """Each "mean ± half-width" in output.txt is a metric of record.json, to the digits that are shown."""
    pairs = [(metric["mean"], metric["interval"]) for metric in quoting.record_of(lesson)["metrics"].values()
             if metric.get("interval") is not None]
    intervals = {(f"{scale * mean:.{digits}f}", f"{scale * interval:.{digits}f}")
                 for mean, interval in pairs for scale in (1, 100) for digits in range(4)}
    output = text_of(ROOT / "lessons" / lesson / "figures" / "output.txt")
    assert not set(re.findall(r"(?<![-+\d.])([\d.]+) ± +([\d.]+)", output)) - intervals
    assert f"chinese.output(\"{lesson}\"" in text_of(ROOT / "lessons" / lesson / "README.zh.md")


@pytest.mark.parametrize("lesson", [module for _, module, _, _ in LESSONS])
def test_every_option_of_a_run_stands_on_a_page(lesson):
    text = text_of(ROOT / "lessons" / lesson / "README.md") + text_of(CONTENTS)
    assert not [option for option, *_ in quoting.options_of(lesson) if option != "--help" and option not in text]
