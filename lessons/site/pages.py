"""All pages of the site, as Markdown for Sphinx: the texts, the code, the reference, and what holds them together."""

import re
import shutil
from collections import defaultdict
from pathlib import Path

from fewshot_np.__main__ import LESSONS
from lessons.site import sources
from lessons.site.notebooks import notebook_name
from lessons.site.texts import PLAYGROUND, ROOT, page_of, texts, translate

BESIDE = [page_of(path) for path in ("lessons/results/README.md", "lessons/referee/README.md", "lessons/NOTATION.md",
                                     "lessons/GLOSSARY.md", "lessons/READING.md", "tests/benchmarks/README.md")]
LESSON_NAMES = [lesson for _, lesson, _, _ in LESSONS]


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
    for path in lesson_texts():
        page = pages[page_of(path)]
        pages[page_of(path)] = page.replace("\n", f"\n\n{links_of(path)}\n", 1)  # below the heading
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


def lesson_texts():
    """The texts that are notebooks, too: those of the lessons, in English and where there is one in Chinese."""
    paths = [f"lessons/{lesson}/README{language}.md" for lesson in LESSON_NAMES for language in ("", ".zh")]
    return [path for path in paths if (ROOT / path).exists()]


def links_of(path):
    """The line below the heading of a lesson: what belongs to it."""
    lesson = path.split("/")[1]
    up = "../" * page_of(path).count("/")
    chinese = path.endswith(".zh.md")
    words = ("代码", "练习", "参考", "笔记本") if chinese else ("Code", "Exercises", "Reference", "Notebook")
    pages = (page_of(f"fewshot_np/{lesson}"), page_of(f"lessons/{lesson}/exercises.py"), f"api/{lesson}")
    links = [f"[{word}](/{page}.md)" for word, page in zip(words, pages, strict=False)]
    return " · ".join([*links, f'<a href="{up}notebooks/{notebook_name(path)}" download>{words[-1]}</a>'])


PLAYGROUND_PAGE = f"""{sources.WIDE}# The playground

Draw a sign once and watch four learners recognise it; pull at the points of a curve; play against the networks.
Everything is computed on this page. <a href="page/index.html" target="_top">The playground on a page of its own</a>.

<iframe class="playground" src="page/index.html" title="The playground"></iframe>
"""


def contents(pages):
    """{page: Markdown} of the pages that hold the others together: the front page, code, reference."""
    lessons = [f"{number} {title_of(pages[f'lessons/{lesson}/index']).partition(': ')[2]} </lessons/{lesson}/index>"
               for number, lesson, _, _ in LESSONS]
    placed = {f"lessons/{lesson}/index" for lesson in LESSON_NAMES} | {"index", "playground/index", "lessons/index"}
    others = [page for page in pages if page not in placed | set(BESIDE) and not re.match("code/|api/|zh/", page)]
    code = {page for page in pages if page.startswith("code/")}
    in_a_folder = {page for page in code
                   for folder in Path(page.removesuffix("/index")).parents if f"{folder}/index" in code}
    reference = [page for page in pages if page.startswith("api/")]
    chinese = [page for page in pages if page.startswith("zh/")]
    front = [listed("The course", ["playground/index", "lessons/index", *lessons]),
             listed("Beside the lessons", BESIDE + others), listed("The library", ["code/index", "api/index"])]
    return {"index": pages["index"] + "".join(front) + (listed("中文", chinese) if chinese else ""),
            "code/index": "# The code\n" + listed("Code", sorted(code - in_a_folder), "maxdepth: 3"),
            "api/index": "# Reference\n" + listed("Reference", reference, "maxdepth: 2")}


def listed(caption, pages, how="hidden:"):
    """Sphinx's list of pages, which is its contents, its sidebar, and what comes next."""
    rows = "\n".join(page if page.endswith(">") else f"/{page}" for page in pages)
    return f"\n\n```{{toctree}}\n:{how}\n:titlesonly:\n:caption: {caption}\n\n{rows}\n```\n"
