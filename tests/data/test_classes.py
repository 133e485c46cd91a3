"""Labelled images: what fits together, and what is left of it in a subset."""

import numpy as np
import pytest

from fewshot_np.data import ImageClasses

LABELS = np.array([2, 0, 1, 0, 2, 2])
NAMES, GROUPS = ("alpha", "beta", "aleph"), ("GREEK", "GREEK", "HEBREW")


def images_of_value(values):
    """One 2 x 2 image per value, all of its pixels of that value."""
    return np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), 2, 2, 1)).copy()


def three_classes():
    """Three, two and one images; a pixel holds the number of its image."""
    return ImageClasses(images_of_value(range(6)), LABELS, NAMES, GROUPS)


def test_holds_what_it_was_given():
    for names, groups in [(NAMES, GROUPS), (list(NAMES), list(GROUPS))]:
        classes = ImageClasses(images_of_value(range(6)), LABELS, names, groups)
        assert len(classes) == 3
        assert (classes.names, classes.groups) == (NAMES, GROUPS)
        np.testing.assert_array_equal(classes.labels, LABELS)
    np.testing.assert_equal(classes.images_of, [np.array([1, 3]), np.array([2]), np.array([0, 4, 5])])


@pytest.mark.parametrize(("change", "message"), [
    ({"images": np.zeros((6, 2, 2, 1), np.float32)}, "uint8.*float32"),
    ({"images": np.zeros((6, 2, 2), np.uint8)}, r"\(M, H, W, C\).*\(6, 2, 2\)"),
    ({"labels": LABELS[:5]}, "6 integers"),
    ({"labels": LABELS.astype(float)}, "6 integers.*float64"),
    ({"labels": LABELS + 1}, r"0\.\.\.2, got 1\.\.\.3"),
    ({"labels": LABELS - 1}, r"0\.\.\.2, got -1\.\.\.1"),
    ({"groups": GROUPS[:2]}, "3 names but 2 groups"),
    ({"labels": np.where(LABELS == 1, 0, LABELS)}, "class 'beta' has no images"),
])
def test_says_what_does_not_fit(change, message):
    fields = {"images": images_of_value(range(6)), "labels": LABELS, "names": NAMES, "groups": GROUPS}
    with pytest.raises(ValueError, match=message):
        ImageClasses(**(fields | change))


def test_subset_relabels_in_the_order_asked_for():
    classes = three_classes()
    part, all_of_them = classes.subset([2, 0]), classes.subset(range(3))
    assert part.names == ("aleph", "alpha")
    assert part.groups == ("HEBREW", "GREEK")
    np.testing.assert_array_equal(part.images[:, 0, 0, 0], [0, 1, 3, 4, 5])      # image 2 was beta's only one
    np.testing.assert_array_equal(part.labels, [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(all_of_them.images, classes.images)
    np.testing.assert_array_equal(all_of_them.labels, classes.labels)
    with pytest.raises(ValueError, match="twice"):
        classes.subset([0, 1, 0])
