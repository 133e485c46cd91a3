"""`python -m lessons.site`: the course as a site, in build/site/html. Needs the extra: `pip install -e ".[site]"`."""

import argparse
import re
import shutil
import sys
import time
from pathlib import Path

from lessons.site.checking import problems
from lessons.site.notebooks import execute, notebook_name, notebook_of
from lessons.site.pages import LESSON_NAMES, lay_out, lesson_texts
from lessons.site.texts import ROOT

HERE = Path(__file__).parent
PAGE = ROOT / "fewshot_np" / "playground" / "page"


def main(argv=None):
    options = read_options(argv)
    if not PAGE.exists():
        sys.exit("the site is built in the folder of the repository, from which the library's code comes, too")
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        sys.exit('the site needs its extra: python -m pip install -e ".[site]"')
    source, html = options.out / "source", options.out / "html"
    lay_out(source)
    remove_old(html, source)
    failed = build_main(["-c", str(HERE), "-b", "html", "-d", str(options.out / "doctrees"), "-j", "auto", "-q", "-W",
                         "--keep-going", str(source), str(html)])
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


# ---------------------------------------------------------------- what Sphinx does not do


def remove_old(html, source):
    """Remove pages of an earlier build whose text or code is gone; Sphinx leaves them."""
    for page in html.glob("*/**/*.html"):
        if not (source / page.relative_to(html)).with_suffix(".md").exists():
            page.unlink()


def add_playground(folder):
    """The playground's page as it is, but for the address of the lessons, which it then links."""
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    index = folder / "index.html"
    in_chinese = " ".join(lesson for lesson in LESSON_NAMES if (ROOT / "lessons" / lesson / "README.zh.md").exists())
    meta = ('<meta name="lessons" content="../../lessons/" '
            f'data-chinese="../../zh/lessons/" data-in-chinese="{in_chinese}">')
    page, places = re.subn(r'<meta name="lessons" content="">', meta, index.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{PAGE / 'index.html'} does not say once where the lessons are")
    index.write_text(page, encoding="utf-8")


def add_notebooks(folder, address, run):
    """Every lesson as a notebook, with what its cells print if it is run."""
    import nbformat

    folder.mkdir(exist_ok=True)
    for path in lesson_texts():
        notebook = notebook_of(path, address)
        if run:
            started = time.perf_counter()
            execute(notebook)
            print(f"{path}: executed in {time.perf_counter() - started:.0f} s", flush=True)
        nbformat.write(notebook, folder / notebook_name(path))


if __name__ == "__main__":
    main()
