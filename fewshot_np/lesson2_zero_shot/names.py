"""Side information: the name that Unicode gives a character has parts, and each part describes a piece of the drawing.

  LATIN SMALL LETTER E WITH TILDE    two parts: a letter and a mark
  CANADIAN SYLLABICS PI              two parts: a consonant, which is a shape, and a vowel, which turns it
  BRAILLE PATTERN DOTS-1235          eight parts: each dot is raised or flat

`np` is plain NumPy: nothing on this page is differentiated.
"""

import re

import numpy as np

LEAST_SEEN = 3  # how many seen classes must have each part, so that a learner can find out what it looks like


def signatures(parts):
    """What is known of the classes, as numbers: (Z, A), a row per class, one 1 for each of its parts, else 0.

    parts: Z tuples of the same length. The A columns are the different values of the first part, then those of the
    second, ...: ("E", "TILDE") has a 1 in the column "E" and a 1 in the column "TILDE".
    """
    columns = sorted({(place, value) for one in parts for place, value in enumerate(one)})
    return np.array([[float(one[place] == value) for place, value in columns] for one in parts])


def split_unseen(signatures, share, rng):
    """(seen, unseen): positions of the classes, drawn so that `share` of them are unseen, but no part of them is.

    Each part of an unseen class is a part of LEAST_SEEN seen classes, too.
    Raises: ValueError if no class can be spared.
    """
    left, unseen = signatures.sum(axis=0), []  # left: of how many seen classes each part is a part
    for one in rng.permutation(len(signatures)):
        if len(unseen) < share * len(signatures) and left[signatures[one] > 0].min() > LEAST_SEEN:
            unseen.append(one)
            left = left - signatures[one]
    if not unseen:
        raise ValueError(f"of {len(signatures)} classes none can be held out: each has a part that {LEAST_SEEN} or "
                         "fewer classes have")
    return np.setdiff1d(np.arange(len(signatures)), unseen), np.sort(unseen)


# ---------------------------------------------------------------- from a name to its parts

MARKS = ("ACUTE|GRAVE|DOUBLE ACUTE|DOUBLE GRAVE|CIRCUMFLEX|CARON|BREVE|INVERTED BREVE|TILDE|MACRON|DIAERESIS|DOT ABOVE|"
         "RING ABOVE|HOOK ABOVE|DOT BELOW|LINE BELOW|CIRCUMFLEX BELOW|TILDE BELOW|COMMA BELOW|CEDILLA|OGONEK|HORN")

# The groups of a pattern are the parts of a name. A group that is left out is a part, too: the empty string.
NAMES = {
    "Latin": rf"LATIN ((?:SMALL|CAPITAL) LETTER \w+) WITH ({MARKS})",
    "Canadian": r"CANADIAN SYLLABICS (P|T|K|C|M|N|S|SH|Y|L|R|F|TH|W|NG|LH)?(E|AAI|I|II|O|OO|A|AA)",
    "Braille": r"BRAILLE PATTERN DOTS-(1)?(2)?(3)?(4)?(5)?(6)?(7)?(8)?",
}
QUICK_NAMES = {
    "Latin": rf"LATIN (SMALL LETTER [AEIOU]) WITH ({MARKS})",
    "Canadian": r"CANADIAN SYLLABICS (P|T|K|M|N|S)(E|I|II|O|OO|A|AA)",
    "Braille": r"BRAILLE PATTERN DOTS-(1)?(2)?(3)?(4)?(5)?(6)?",
}


def parts_of(name, pattern):
    """The parts of a name, one per group of the pattern (see NAMES), or None if the name does not match."""
    match = re.fullmatch(pattern, name)
    return match and match.groups(default="")


def with_common_parts(parts):
    """Positions of the classes to keep: when one of them is held out, LEAST_SEEN others still have each of its parts.

    parts: a tuple per class, as in `signatures`. A class with a rare part is left out.
    """
    kept = list(range(len(parts)))
    while True:
        rows = signatures([parts[k] for k in kept])
        counts = rows.sum(axis=0)
        common = [k for k, row in zip(kept, rows, strict=True) if counts[row > 0].min() > LEAST_SEEN]
        if len(common) == len(kept):
            return kept
        kept = common  # again, because what was left out may have made another part rare
