"""Neither language drifts from the other: what `lessons.translation` finds, and that the Chinese pages have none."""

import pytest

from lessons import chinese, quoting, translation

ENGLISH = """# Title

See [that](../b/README.md#there).

## One

> **Exercise `maml.2`**: do it.
>
> <details><summary>Hint</summary>Think.</details>

```python
# no heading
print(1)  # 1
```

![what it shows](figures/a.png)

<!-- [[[cog
# a comment
cog.outl("5 %")
]]] -->
5 %
<!-- [[[end]]] -->

## Two
Words.
"""
CHINESE = """# 标题
<!-- stamp 00000000 -->

见[那里](../b/README.md#那里)。

## 一
<!-- stamp 00000000 -->

> **练习 `maml.2`**：写出来。
>
> <details><summary>提示</summary>想一想。</details>

```python
# no heading
print(1)  # 1
```

![图中是什么](figures/a.png)

<!-- [[[cog
cog.outl("5%")
]]] -->
5%
<!-- [[[end]]] -->

## 二
<!-- stamp 00000000 -->
文字。
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "README.md").write_text("# B\n", encoding="utf-8")
    (tmp_path / "a" / "README.md").write_text(ENGLISH, encoding="utf-8")
    page = tmp_path / "a" / "README.zh.md"
    page.write_text(CHINESE, encoding="utf-8")
    translation.restamp(page)
    return page


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_page_that_fits_has_no_problem_and_a_changed_sentence_names_its_section(page):
    assert translation.problems(page) == []
    english = translation.english_of(page)
    change(english, "5 %\n<!--", "6 %\n<!--")  # what cog generated
    change(english, "do it.\n", "do\nit.\n")  # broken otherwise
    change(page, "见[", "请见[")
    assert translation.problems(page) == []
    change(english, "Words.", "Other words.")
    (problem,) = translation.problems(page)
    assert problem.startswith("'二': the English has changed since ('Two')")
    assert translation.restamp(page, ["二"]) == ["二"]
    assert translation.problems(page) == []


@pytest.mark.parametrize(("old", "new", "told"), [
    ("print(1)", "print(2)", "other code blocks"), ("maml.2", "maml.3", "other exercises"),
    ("figures/a.png", "figures/b.png", "other figures"), ("## 二", "### 二", "a heading of level 3"),
    ("[那里](../b/README.md#那里)", "那里", "other links"),
    ("> <details><summary>提示</summary>想一想。</details>", ">", "details"),
    ("## 二\n", "## 二\n<!-- only in Chinese -->\n", "there is no section for 'Two'"),
    ("文字。\n", "文字。\n\n## 三\n", "'三' has no English section"),
    ("<!-- stamp", "<!-- no stamp", "it has no stamp")])
def test_what_is_built_otherwise_is_told(page, old, new, told):
    change(page, old, new)
    assert any(told in problem for problem in translation.problems(page))


def test_links_lead_to_chinese_pages_where_there_are_and_sections_of_one_language_are_named(page):
    (page.parents[1] / "b" / "README.zh.md").write_text("# B\n", encoding="utf-8")
    assert "other links" in translation.problems(page)[0]
    change(page, "../b/README.md#", "../b/README.zh.md#")
    change(page, "文字。\n", "文字。\n\n## 三\n<!-- only in Chinese -->\n<!-- only in English: Three -->\n")
    change(translation.english_of(page), "Words.\n", "Words.\n\n## Three\n")
    assert translation.problems(page) == []


def test_only_sections_that_there_are_can_be_stamped(page):
    with pytest.raises(ValueError, match="no such section with an English one: 四"):
        translation.restamp(page, ["四"])


@pytest.mark.parametrize("page", translation.chinese_pages(), ids=lambda page: str(page.relative_to(translation.ROOT)))
def test_the_chinese_pages_fit_the_english_ones(page):
    assert translation.problems(page) == []


def test_tables_are_translated_cell_by_cell_and_a_missing_word_is_named(tmp_path):
    english = "| method | accuracy |\n| --- | --- |\n| **MAML** | 77.8 ± 0.8 % |\n| `--seed` | once |"
    assert chinese.table(english, {"once": "一次"}) == (
        "| 方法 | 准确率 |\n| --- | --- |\n| **MAML** | 77.8 ± 0.8% |\n| `--seed` | 一次 |")
    with pytest.raises(ValueError, match="no Chinese for the cells 'once'"):
        chinese.table(english)
    (tmp_path / "page.md").write_text("学" * 800 + " two words", encoding="utf-8")
    assert quoting.minutes_to_read(tmp_path / "page.md") == 2
