"""Sphinx's settings. The pages are laid out by `lessons.site.__main__`, which also calls Sphinx."""

import importlib
import inspect
import re
from pathlib import Path

from lessons.site.docstrings import as_rst
from lessons.site.searching import TwoLanguages
from lessons.site.texts import ROOT, page_of

project = "fewshot_np"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "sphinx_copybutton"]
html_theme = "sphinx_book_theme"
html_title = "fewshot_np"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).parent / "static" / "scorer.js")
html_favicon = "static/icon.svg"
html_context = {"default_mode": "auto"}
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "home_page_in_toc": True, "collapse_navigation": True, "navigation_depth": 3, "show_navbar_depth": 1,
    "show_toc_level": 2, "navbar_persistent": [], "footer_content_items": [],
    "use_fullscreen_button": False, "use_download_button": False,
}
nitpicky = True
nitpick_ignore = [("py:class", "numpy.ndarray"), ("py:class", "collections.abc.Callable")]  # types of others
myst_heading_anchors = 6  # a heading has the name that GitHub gives it
highlight_language = "none"
autodoc_member_order = "bysource"
add_module_names = False
copybutton_selector = "div:not(.highlight-none):not(.linenos) > div.highlight > pre, div.highlight-none pre"


def linkcode_resolve(domain, info):
    """From an entry of the reference to its line on the page of code."""
    try:
        module = importlib.import_module(info["module"])
        thing = module
        for name in info["fullname"].split("."):
            thing = getattr(thing, name)
        line = inspect.getsourcelines(inspect.unwrap(thing))[1]
    except (AttributeError, TypeError, OSError):  # a constant, or a field
        return None
    file = Path(inspect.getsourcefile(module)).relative_to(ROOT)
    return f"../{page_of(file.as_posix())}.html#L{line}"


def as_rst_in_place(app, what, name, thing, options, lines):
    lines[:] = as_rst(lines)


def without_fields(app, what, name, thing, skip, options):
    """A field of a named tuple has nothing to say for itself."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def anchors_and_language(app, page, template, context, doctree):
    """On a page of code every line has an address, as on GitHub; a Chinese page says that it is Chinese."""
    if page.startswith("code/") and "body" in context:
        context["body"] = re.sub(r'<span class="linenos">( *)(\d+)</span>',
                                 r'<a class="linenos" id="L\2" href="#L\2">\1\2</a>', context["body"])
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app):
    app.add_search_language(TwoLanguages)
    app.connect("autodoc-process-docstring", as_rst_in_place)
    app.connect("autodoc-skip-member", without_fields)
    app.connect("html-page-context", anchors_and_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
