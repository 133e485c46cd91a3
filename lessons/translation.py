"""The Chinese pages beside the English ones, X.zh.md beside X.md: what in them no longer fits.

    python -m lessons.translation                            what does not fit, page by page
    python -m lessons.translation PAGE.zh.md HEADING         that section has been brought up to date: stamp it anew
    python -m lessons.translation PAGE.zh.md                 the same for all of its sections

Sections follow one another as in the English page. Below each Chinese heading stands a stamp, a hash of the English
section it was written from; a sentence that changes there changes the hash, and the section is out of date. What cog
generates is left out, because the records change it in both languages. A section without a counterpart is named:

    <!-- stamp 1f0c2a9e -->                  written from an English section with this hash
    <!-- only in Chinese -->                 below the heading of a section that the English page does not have
    <!-- only in English: its heading -->    anywhere in the Chinese page, for one that it does not have
"""

import hashlib
import re
import sys
from collections import Counter, namedtuple
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAMP = re.compile(r"^<!-- stamp ([0-9a-f]{8}) -->\n", re.M)
ONLY_CHINESE = "<!-- only in Chinese -->\n"
ONLY_ENGLISH = re.compile(r"^<!-- only in English: (.*) -->$", re.M)
GENERATED = re.compile(r"(\]\]\] -->).*?(<!-- \[\[\[end\]\]\] -->)", re.S)
COMMENT = re.compile(r"<!--.*?-->", re.S)
BLOCK = re.compile(r"^[> ]*```.*?^[> ]*```$", re.S | re.M)

Section = namedtuple("Section", "level, title, text")


def main(arguments):
    if arguments:
        page, *headings = arguments
        for title in restamp(Path(page), headings):
            print(f"stamped: {title}")
        return 0
    all_problems = [f"{page.relative_to(ROOT)}: {problem}" for page in chinese_pages() for problem in problems(page)]
    print("\n".join(all_problems) or "Every Chinese section fits its English one.")
    return int(bool(all_problems))


def chinese_pages():
    return sorted(page for pattern in ("*.zh.md", "lessons/**/*.zh.md", "tests/**/*.zh.md")
                  for page in ROOT.glob(pattern))


def english_of(page):
    """The English page beside X.zh.md."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def sections(text):
    """[Section] of a page: heading by heading, the text of each without what cog generated.

    What stands above the first heading belongs to none, and is left out.
    """
    found, inside = [], None  # inside: what closes the block or the comment that the line stands in
    for line in GENERATED.sub(r"\1\n\2", text).splitlines():
        heading = re.match(r"(#+) (.*)$", line)
        if inside is None and heading:
            found.append((len(heading[1]), heading[2].strip(), []))
        elif found:
            found[-1][2].append(line)
        if inside is not None:
            inside = None if line.rstrip().endswith(inside) else inside
        elif re.match(r"[> ]*```", line):
            inside = "```"
        elif "<!--" in line and "-->" not in line.partition("<!--")[2]:
            inside = "-->"
    return [Section(level, title, "\n".join(lines).strip() + "\n") for level, title, lines in found]


def stamp_of(section):
    """The hash of an English section: its heading and its words; how its lines are broken does not matter."""
    return hashlib.sha256(" ".join(f"{section.title} {section.text}".split()).encode()).hexdigest()[:8]


def pairs(page):
    """[(Chinese section, English section)] in order; None for one that the other page lacks, and does not name."""
    chinese = sections(page.read_text(encoding="utf-8"))
    left_out = [title for section in chinese for title in ONLY_ENGLISH.findall(section.text)]
    english = sections(english_of(page).read_text(encoding="utf-8"))
    return list(zip_longest([section for section in chinese if not section.text.startswith(ONLY_CHINESE)],
                            [section for section in english if section.title not in left_out]))


def problems(page):
    """What in the Chinese page does not fit, in words: sections that are missing, out of date, or built otherwise."""
    told = []
    for ours, theirs in pairs(page):
        if ours is None:
            told.append(f"there is no section for {theirs.title!r}")
        elif theirs is None:
            told.append(f"{ours.title!r} has no English section")
        elif ours.level != theirs.level:
            told.append(f"{ours.title!r} is a heading of level {ours.level}, {theirs.title!r} of level {theirs.level}")
        else:
            told += [f"{ours.title!r}: {problem}" for problem in differences(page, ours, theirs)]
    return told


def differences(page, ours, theirs):
    stamp = STAMP.match(ours.text)
    if not stamp:
        yield "it has no stamp"
    elif stamp[1] != stamp_of(theirs):
        yield f"the English has changed since ({theirs.title!r}): bring it up to date, then stamp it anew"
    ours, theirs = ours.text, theirs.text
    for what, of in (("code blocks", blocks), ("figures", figures), ("exercises", exercises), ("details", details)):
        if of(ours) != of(theirs):
            yield f"other {what} than in English: {of(ours)} for {of(theirs)}"
    wanted = Counter(in_chinese(page, link) for link in links(theirs)) - Counter({page.name: 99})
    there = Counter(links(ours)) - Counter({english_of(page).name: 99})
    if set(wanted) != set(there):
        yield f"other links than in English: {sorted(set(there) - set(wanted))} for {sorted(set(wanted) - set(there))}"


# ---------------------------------------------------------------- what a section is built of


def blocks(text):
    return BLOCK.findall(COMMENT.sub("", text))


def prose(text):
    return re.sub(r"`[^`\n]*`", "", BLOCK.sub("", COMMENT.sub("", text)))


def figures(text):
    return re.findall(r"!\[[^\]]*\]\(([^)\s]+)", prose(text)) + re.findall(r"<img[^>]*src=\"([^\"]+)\"", prose(text))


def exercises(text):
    return re.findall(r"\*\*\S+ `([a-z_]+\.\d+)`\*\*", COMMENT.sub("", text))


def details(text):
    return COMMENT.sub("", text).count("<details>")


def links(text):
    """Where the links lead, without the places in pages, whose names are translated."""
    words = re.sub(r"`[^`\n]*`", "``", BLOCK.sub("", COMMENT.sub("", text)))
    return [link.partition("#")[0] for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)", words)
            if link.partition("#")[0]]


def in_chinese(page, link):
    """Where the Chinese page leads instead: to the Chinese page where there is one."""
    twin = re.sub(r"(?<!\.zh)\.md$", ".zh.md", link)
    return twin if "://" not in link and (page.parent / twin).exists() else link


# ---------------------------------------------------------------- stamps


def restamp(page, headings=()):
    """Put the present stamps below these headings of the Chinese page, or below all: [the headings].

    Raises: ValueError for a heading that the page does not have, or that has no English section.
    """
    stamps = {ours.title: stamp_of(theirs) for ours, theirs in pairs(page) if ours and theirs}
    if unknown := set(headings) - set(stamps):
        raise ValueError(f"{page} has no such section with an English one: {', '.join(sorted(unknown))}")
    text = page.read_text(encoding="utf-8")
    for title in headings or stamps:
        text = re.sub(rf"^(#+ {re.escape(title)} *\n)(?:<!-- stamp [0-9a-f]* -->\n)?",
                      lambda m, title=title: f"{m[1]}<!-- stamp {stamps[title]} -->\n", text, count=1, flags=re.M)
    page.write_text(text, encoding="utf-8")
    return list(headings or stamps)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")
