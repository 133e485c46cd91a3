"""What the referee answers: a verdict, what it means, and the numbers that show it. `np` is plain NumPy."""

import textwrap
from dataclasses import dataclass, field

WIDTH, LABEL = 100, 10


@dataclass(frozen=True, repr=False)
class Verdict:
    """ok: whether it is as it should be.   verdict: a name in a few words.   meaning: what that is, and what to do.

    evidence: {name: a number, a text, or a table as a list of dicts}.   called: the call that was judged.
    """

    check_name: str
    ok: bool
    verdict: str
    meaning: str = ""
    evidence: dict = field(default_factory=dict)
    called: str = ""

    def check(self):
        """Itself, if it is ok; else an AssertionError with the whole message. For a test."""
        if not self.ok:
            raise AssertionError(str(self))
        return self

    def __str__(self):
        head = f"{self.check_name}: {'ok' if self.ok else 'NOT OK'}: {self.verdict}"
        lines = textwrap.wrap(head, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        lines += _row("means", self.meaning) if self.meaning else []
        for name, value in self.evidence.items():
            lines += _table(name, value) if isinstance(value, list) else _row(name, _shown(value))
        lines += _row("called", self.called) if self.called else []
        return "\n".join(lines)

    __repr__ = __str__  # so that a notebook shows it


@dataclass(frozen=True)
class Finding:
    """One of several things that a check looked at: a fault has a name and says what it means."""

    name: str
    says: str
    evidence: dict = field(default_factory=dict)


def judge(check_name, findings, fine, called="", facts=None, evidence=None):
    """The verdict of several findings: each is a fault. `fine` is said where there is none; `facts` always."""
    facts = facts or []
    return Verdict(check_name, not findings, "; ".join([finding.name for finding in findings] or [fine, *facts]),
                   " ".join(finding.says for finding in findings),
                   {**{key: value for finding in findings for key, value in finding.evidence.items()},
                    **({"facts": "; ".join(facts)} if facts and findings else {}), **(evidence or {})}, called)


def _row(label, text):
    indent = " " * (LABEL + 2)
    begin = f"  {label:{LABEL}}" if len(label) < LABEL else f"  {label}: "
    return textwrap.wrap(str(text), WIDTH, initial_indent=begin, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def _table(name, rows):
    if not rows:
        return []
    head = list(rows[0])
    cells = [head, *([_shown(row[key]) for key in head] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return [f"  {name}:", *("    " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
                            for row in cells)]


def _shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
