"""Training, validation and test classes: no class is in two of them, and no group either where there are groups."""

from pathlib import Path

import numpy as np

from fewshot_np.data import folders, glyphs, omniglot


def split_classes(classes, sizes, rng):
    """Split into disjoint parts of random classes, as many as `sizes` says.

    Raises: ValueError for a size that is not a positive integer, and if there are fewer classes than the parts need.
    """
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"the size of a part must be a positive integer, got {size!r}")
    if sum(sizes) > len(classes):
        raise ValueError(f"parts of {tuple(sizes)} classes need {sum(sizes)}, there are {len(classes)}")
    order = rng.permutation(len(classes))
    ends = np.cumsum(sizes)
    return [classes.subset(order[end - size:end]) for size, end in zip(sizes, ends, strict=True)]


def hold_out_groups(classes, n_groups, rng):
    """(the rest, the classes of n_groups random groups): whole alphabets are held out, not single characters."""
    held_out = np.isin(classes.groups, rng.choice(sorted(set(classes.groups)), n_groups, replace=False))
    return classes.subset(np.flatnonzero(~held_out)), classes.subset(np.flatnonzero(held_out))


def load_splits(options, fitted=False):
    """[train, validation, test] of what `options.data` names: "glyphs", "omniglot", or a folder of class folders.

    fitted: drawings are cut out, centred and of one size (`folders.read_image`); the glyphs are so from the start.

    No class is in two of them, and no script of the glyphs or alphabet of Omniglot either. Random choices depend on
    `options.seed`.

    Raises: FileNotFoundError for data that do not exist, ValueError for data that cannot be used.
    """
    if options.data == "glyphs":
        return [glyphs.load(split, quick=options.quick) for split in ("train", "validation", "test")]
    if options.data == "omniglot":
        return omniglot_splits(options, fitted)
    return folder_splits(options, fitted)


def omniglot_splits(options, fitted=False):
    """Test on the official evaluation set; validate on 5 of the background's 30 alphabets, train on the others."""
    rng = np.random.default_rng(options.seed)
    train, validation = hold_out_groups(omniglot.load(options.data_root, "background", fitted=fitted), 5, rng)
    test = omniglot.load(options.data_root, "evaluation", fitted=fitted)
    if not options.quick:
        return [train, validation, test]
    return [split_classes(part, [size], rng)[0] for part, size in [(train, 60), (validation, 30), (test, 60)]]


def folder_splits(options, fitted=False):
    """Half of the reader's classes for training, and a quarter each for validation and test.

    If a quarter would not fill an episode, all classes are for the test, and the glyphs for training. These contain
    Latin, Greek and Cyrillic letters, so draw other characters if the test should be one of unseen characters.
    """
    if not Path(options.data).expanduser().exists():
        raise FileNotFoundError(f"--data {options.data} is neither glyphs nor omniglot, and there is no folder of that "
                                "name")
    classes = folders.load(options.data, fitted=fitted)
    quarter = len(classes) // 4
    if quarter >= getattr(options, "n_way", 5):
        print(f"{options.data}: {len(classes)} classes, split at random: half to train on, a quarter to test on.")
        return split_classes(classes, [len(classes) - 2 * quarter, quarter, quarter],
                             np.random.default_rng(options.seed))
    print(f"{options.data}: {len(classes)} classes, all to test on; they are too few to train on, so glyphs do that.")
    return [glyphs.load(split, quick=options.quick) for split in ("train", "validation")] + [classes]


def group_phrase(classes, options):
    """Where characters come from, in words, as in " of 4 scripts"; empty for a folder, which has no such groups."""
    groups = set(classes.groups)
    if groups == {"folder"}:
        return ""
    return f" of {len(groups)} {'alphabets' if options.data == 'omniglot' else 'scripts'}"


def load_test(options):
    """The test classes of `load_splits`, unsplit: the glyphs' test scripts, Omniglot's evaluation set, or all classes
    of a folder."""
    if options.data == "glyphs":
        return glyphs.load("test", quick=options.quick)
    if options.data == "omniglot":
        return omniglot.load(options.data_root, "evaluation")
    return folders.load(options.data)
