"""The words of the search in a site of two languages: English by stems, Chinese by pairs of neighbouring characters,
because it has no spaces: 元学习 is found under 元学 and 学习."""

import re

from sphinx.search.en import SearchEnglish

HAN = "\u4e00-\u9fff"


def words(text):
    """The words of a text, as the search indexes them."""
    found = []
    for run in re.findall(rf"[{HAN}]+|[^\W{HAN}]+", text):
        pairs = re.match(f"[{HAN}]{{2}}", run)
        found += [run[i:i + 2] for i in range(len(run) - 1)] if pairs else [run]
    return found


class TwoLanguages(SearchEnglish):
    js_splitter_code = r"""
var splitQuery = (query) => (query.match(/[\u4e00-\u9fff]+|(?:(?![\u4e00-\u9fff])[\p{Letter}\p{Number}_])+/gu) ?? [])
  .flatMap((run) => /^[\u4e00-\u9fff]{2}/.test(run) ? [...run].slice(1).map((second, i) => run[i] + second) : [run]);
"""

    def split(self, text):
        return words(text)
