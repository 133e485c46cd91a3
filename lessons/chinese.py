"""The words of tables in Chinese: the rows and numbers come from the same records and functions as in English.

A Chinese page calls, from its cog comments, `percent(record, name)` as in `quoting`, `table(markdown, {...})` on what
a function of `quoting` returns, with the words that only this page needs, and `spread_sentence(lesson)` where the
English page has `spread.sentence(lesson)`. `output(lesson, {...})` shows what a run prints, which is English, with
notes in Chinese.
"""

import re
from statistics import median

from lessons import quoting, spread

WORDS = {
    "accuracy": "准确率",
    "right answers": "准确率",
    "95 % interval": "95% 置信区间",
    "error": "错误率",
    "guessing": "随机猜测",
    "method": "方法",
    "task": "任务",
    "option": "选项",
    "default": "默认值",
    "what it is": "含义",
    "published": "论文公布",
    "published in": "出处",
    "seeds": "随机种子数",
    "minutes": "分钟",
    "lesson": "课",
    "to read": "阅读",
    "to run": "运行",
    "pixels": "像素最近邻",
    "nearest pixels": "像素最近邻",
    "pixel nearest neighbour": "像素最近邻",
    "prototypical": "原型网络",
    "Matching": "匹配网络",
    "Siamese": "孪生网络",
    "ridge regression": "岭回归",
    "Relation": "关系网络",
    "ProtoMAML": "ProtoMAML",
    "MAML": "MAML",
    "Reptile": "Reptile",
    "ANIL": "ANIL",
    "Meta-SGD": "Meta-SGD",
    "first-order MAML": "一阶 MAML",
    "implicit MAML": "隐式 MAML",
    "fine-tuning": "微调",
    "frozen features": "冻结特征",
    "extended MAML": "扩展的 MAML",
    "extended prototypical": "扩展的原型网络",
    "prototypical ensemble": "原型网络的集成",
    "support": "支持集",
    "queries": "查询集",
    "support and queries": "支持集与查询集",
    "training images": "训练图像",
    "statistics of the support": "支持集的统计量",
    "statistics of the queries": "查询集的统计量",
    "statistics of the support and queries": "支持集与查询集的统计量",
    "statistics of the training images": "训练图像的统计量",
    "no batch norm": "没有批归一化",
    **{f"{n}-way {k}-shot": f"{n} 类 {k} 样本" for n in (5, 20) for k in (1, 5)},
}
MARKS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫"
NUMBER = re.compile(r"[\d\s.,±%()+×·/°-]*")


def close_up(text):
    """Numbers as Chinese sets them: no space before %, and "1 至 2" for "1 to 2"."""
    return re.sub(r"(?<=\d) to (?=\d)", " 至 ", text.replace(" %", "%"))


def percent(record, name):
    """A metric as "77.5 ± 0.8%"."""
    return close_up(quoting.percent(record, name))


def table(markdown, words=None):
    """A Markdown table with its cells in Chinese; numbers and code stay.   words: {English: Chinese} beside WORDS.

    Raises: ValueError naming the cells for which there is no Chinese.
    """
    words, missing = WORDS | (words or {}), []

    def cell(text):
        bare = text.strip().strip("*")
        if NUMBER.fullmatch(bare.replace(" to ", "")) or re.fullmatch(r"-+|`[^`]*`", bare):
            return close_up(text)
        if bare not in words:
            missing.append(bare)
        return text.replace(bare, words.get(bare, bare))

    lines = ["|".join(map(cell, line.split("|"))) if line.startswith("|") else line for line in markdown.splitlines()]
    if missing:
        raise ValueError(f"no Chinese for the cells {', '.join(map(repr, dict.fromkeys(missing)))}")
    return "\n".join(lines)


def spread_sentence(lesson, content=None):
    """`spread.sentence`, how far the results lay apart over seeds, in Chinese."""
    if not (found := spread.measured(lesson, content)):
        return ""
    (*seeds, last), points, factors = found
    parts = []
    if points:
        parts.append(f"本页的准确率最多相差 {max(points):.1f} 个百分点，半数相差不到 {median(points):.1f} 个")
    if factors:
        parts.append(f"误差的最大值与最小值之比最高为 {max(factors):.1f}，半数低于 {median(factors):.2f}")
    return f"用随机种子 {'、'.join(seeds)} 和 {last} 实测：{'；'.join(parts)}。"


def output(lesson, notes):
    """What a default run of the lesson prints, folded, with a numbered mark at each noted line and the notes below.

    Of `figures/output.txt` the parts that have a noted line are shown, "..." stands for the others. A part begins after
    an empty line with a line that is not indented.

    notes: {beginning of a line, without its indent: what is said about the first such line}
    Raises: ValueError for a beginning that no line has.
    """
    text = (quoting.LESSONS / lesson / "figures" / "output.txt").read_text(encoding="utf-8")
    shown, said, left = [], [], dict(notes)
    for part in re.split(r"\n\n(?=\S)", text.strip("\n")):
        lines, before = part.splitlines(), len(said)
        for number, line in enumerate(lines):
            for beginning in [beginning for beginning in left if line.strip().startswith(beginning)]:
                mark = MARKS[len(said)]
                said.append(f"- {mark} {left.pop(beginning)}")
                lines[number] = f"{line}  {mark}"
        if len(said) > before:
            shown.append("\n".join(lines))
        elif shown[-1:] != ["..."]:
            shown.append("...")
    if left:
        raise ValueError(f"no line of the output of {lesson} begins with {', '.join(map(repr, left))}")
    return "\n".join(("<details><summary>终端输出的样子（附注释）</summary>\n", "```text", "\n\n".join(shown), "```\n",
                      *said, "\n</details>"))
