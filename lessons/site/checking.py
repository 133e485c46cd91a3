"""A check of what was built: every link within the site leads to a file and to a place in it, and nothing is loaded
from elsewhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The places in a page, the links from it, and what it loads."""

    def __init__(self, html):
        super().__init__()
        self.places, self.links, self.loaded = set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes.get("id"), attributes.get("name") if tag == "a" else None}
        loads = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if loads:
            self.loaded.append(loads)
        elif attributes.get("href"):
            self.links.append(attributes["href"])


def problems(folder):
    """A line for each link that leads nowhere and for each file that would be loaded from another address."""
    files = (path for path in Path(folder).rglob("*.html") if "_static" not in path.parts)  # the theme's parts
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in files}
    found = []
    for path, page in pages.items():
        name = path.relative_to(Path(folder).resolve()).as_posix()
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            if parts.netloc:
                found += [f"{name} loads {link}"] if link in page.loaded and parts.scheme != "mailto" else []
            elif not parts.scheme and not leads_somewhere(path, parts, pages):
                found.append(f"{name} links to {link}, which is not there")
    return sorted(set(found))


def leads_somewhere(path, parts, pages):
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    places = pages[target].places if target in pages else None
    if not target.is_file():
        return False
    return not parts.fragment or places is None or unquote(parts.fragment) in places
