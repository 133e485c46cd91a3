"""`python -m lessons.site`: the course as a site, in build/site/html. Needs the extra: `pip install -e ".[site]"`."""

import argparse
import re
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path

from fewshot_np.__main__ import LESSONS
from lessons.site import sources
from lessons.site.checking import problems
from lessons.site.notebooks import execute, notebook_of
from lessons.site.texts import PLAYGROUND, ROOT, page_of, texts, translate

HERE = Path(__file__).parent
PAGE = ROOT / "fewshot_np" / "playground" / "page"
BESIDE = [page_of(path) for path in ("lessons/results/README.md", "lessons/referee/README.md", "lessons/NOTATION.md",
                                     "lessons/GLOSSARY.md", "lessons/READING.md", "tests/benchmarks/README.md")]
LESSON_NAMES = [lesson for _, lesson, _, _ in LESSONS]


def main(argv=None):
    options = read_options(argv)
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        sys.exit('the site needs its extra: python -m pip install -e ".[site]"')
    source, html = options.out / "source", options.out / "html"
    lay_out(source)
    failed = build_main(["-c", str(HERE), "-b", "html", "-d", str(options.out / "doctrees"), "-q", "-W", "--keep-going",
                         str(source), str(html)])
    if failed:
        sys.exit("the site was not built: a warning is an error")
    add_playground(html / "playground" / "page")
    add_notebooks(html / "notebooks", options.address, options.execute)
    if found := problems(html):
        sys.exit("\n".join(["the site is built, but", *found]))
    print(f"Written: {html / 'index.html'}")


def read_options(argv):
    parser = argparse.ArgumentParser(prog="python -m lessons.site", allow_abbrev=False, description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", metavar="FOLDER",
                        help="where it goes (build/site)")
    parser.add_argument("--execute", action="store_true", help="run the notebooks, so that they show their output")
    parser.add_argument("--address", default="", metavar="URL", help="where it will be, for the links in the notebooks")
    return parser.parse_args(argv)


# ---------------------------------------------------------------- the pages for Sphinx


def lay_out(folder):
    """Write all pages into the folder, which is cleared of others; what did not change is not touched."""
    pages = {f"{name}.md": text for name, text in all_pages().items()}
    pictures = {path.relative_to(ROOT).as_posix() for pattern in ("lessons/*/figures/*.png", "tests/benchmarks/*.png")
                for path in ROOT.glob(pattern)}
    for old in folder.rglob("*"):
        if old.is_file() and old.relative_to(folder).as_posix() not in pages.keys() | pictures:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)


def all_pages():
    """{page: Markdown} of the whole site."""
    pages, read_beside = {}, defaultdict(list)
    for path in texts():
        text = (ROOT / path).read_text(encoding="utf-8")
        pages[page_of(path)], linked = translate(text, path)
        for target in dict.fromkeys(linked):
            read_beside[target].append(f"[{title_of(text)}](/{page_of(path)}.md)")
    for path in files_of_code(read_beside):
        make = sources.folder_page if (ROOT / path).is_dir() else sources.code_page
        pages[page_of(path)] = make(path, read_beside[path])
    pages |= {f"api/{package}": sources.api_page(package) for package in [*LESSON_NAMES, *sources.API]}
    pages["playground/index"] = PLAYGROUND_PAGE
    for lesson in LESSON_NAMES:
        page = f"lessons/{lesson}/index"
        pages[page] = pages[page].replace("\n", f"\n\n{links_of(lesson)}\n", 1)  # below the heading
    return pages | contents(pages)


def files_of_code(linked):
    """The package, the exercises, and whatever else the texts link: files and folders, as paths in the repository."""
    package = [*ROOT.glob("fewshot_np/**/*.py"), *ROOT.glob("lessons/*/exercises.py")]
    more = [ROOT / path for path in linked if not path.endswith((".md", ".png")) and path != PLAYGROUND]
    more += [file for path in more if path.is_dir() for file in path.glob("*.py")]
    paths = {path.parent if path.name == "__init__.py" else path for path in package + more}
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def title_of(text):
    """The English half of a text's heading."""
    return re.search(r"^# (.*?)( · .*)?$", text, re.M)[1]


def links_of(lesson):
    """The line below the heading of a lesson: what belongs to it."""
    return (f"[Code](/{page_of(f'fewshot_np/{lesson}')}.md) · "
            f"[Exercises](/{page_of(f'lessons/{lesson}/exercises.py')}.md) · [Reference](/api/{lesson}.md) · "
            f'<a href="../../notebooks/{lesson}.ipynb" download>Notebook</a>')


PLAYGROUND_PAGE = f"""{sources.WIDE}# The playground

Draw a sign once and watch four learners recognise it; pull at the points of a curve; play against the networks.
Everything is computed on this page. <a href="page/index.html" target="_top">The playground on a page of its own</a>.

<iframe class="playground" src="page/index.html" title="The playground"></iframe>
"""


def contents(pages):
    """{page: Markdown} of the pages that hold the others together: the front page, code, reference."""
    def listed(caption, *entries):
        return f"\n\n```{{toctree}}\n:hidden:\n:titlesonly:\n:caption: {caption}\n\n" + "\n".join(entries) + "\n```\n"

    lessons = [f"{number} {title_of(pages[f'lessons/{lesson}/index']).partition(': ')[2]} </lessons/{lesson}/index>"
               for number, lesson, _, _ in LESSONS]
    placed = {f"lessons/{lesson}/index" for lesson in LESSON_NAMES} | {"index", "playground/index", "lessons/index"}
    others = [f"/{page}" for page in sorted(pages, key=lambda page: (page not in BESIDE, page in BESIDE and BESIDE.index(page)))
              if page not in placed and not re.match("code/|api/|zh/", page)]
    front = pages["index"] + listed("The course", "/playground/index", "/lessons/index", *lessons)
    front += listed("Beside the lessons", *others) + listed("The library", "/code/index", "/api/index")
    if chinese := [f"/{page}" for page in pages if page.startswith("zh/")]:
        front += listed("中文", *chinese)
    code = {page for page in pages if page.startswith("code/")}
    in_a_folder = {page for page in code for folder in Path(page.removesuffix("/index")).parents if f"{folder}/index" in code}
    return {"index": front,
            "code/index": "# The code\n" + listed("Code", *(f"/{page}" for page in sorted(code - in_a_folder))).replace(":hidden:", ":maxdepth: 3"),
            "api/index": "# Reference\n" + listed("Reference", *(f"/{page}" for page in pages if page.startswith("api/"))).replace(":hidden:", ":maxdepth: 2")}


# ---------------------------------------------------------------- what Sphinx does not make


def add_playground(folder):
    """The playground's page as it is, but for the address of the lessons, which it then links."""
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    index = folder / "index.html"
    page, places = re.subn(r'<meta name="lessons" content="">', '<meta name="lessons" content="../../lessons/">',
                           index.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{PAGE / 'index.html'} does not say once where the lessons are")
    index.write_text(page, encoding="utf-8")


def add_notebooks(folder, address, run):
    """Every lesson as a notebook."""
    import nbformat

    folder.mkdir(exist_ok=True)
    for lesson in LESSON_NAMES:
        notebook = notebook_of(f"lessons/{lesson}/README.md", address)
        if run:
            started = time.perf_counter()
            execute(notebook)
            print(f"{lesson}: executed in {time.perf_counter() - started:.0f} s")
        nbformat.write(notebook, folder / f"{lesson}.ipynb")


if __name__ == "__main__":
    main()
