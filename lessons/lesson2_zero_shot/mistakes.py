"""Wrong answers to the zero-shot exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as np

from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- zero_shot.1: names as numbers


def columns_of(parts):
    return sorted({(place, word) for one in parts for place, word in enumerate(one)})


def marked(parts, columns, has=lambda one, column: one[column[0]] == column[1]):
    return np.array([[float(has(one, column)) for column in columns] for one in parts])


@mistake("zero_shot.1", "Each word got a number. Then 'o' is more than 'e', and twice 'e' is another letter.",
         "Words have no order: give each a column of its own, with 0 or 1 in it.")
def words_as_codes(parts):
    words = [sorted(set(of_place)) for of_place in zip(*parts, strict=True)]
    return np.array([[float(words[place].index(word)) for place, word in enumerate(one)] for one in parts])


@mistake("zero_shot.1", "The words of all places were sorted together, as if the place did not matter.",
         "A column is a place and a word, and the place comes first: a raised first dot is not a raised second one.")
def places_mixed(parts):
    words = sorted({word for one in parts for word in one})
    return np.array([[float(word in one) for word in words] for one in parts])


@mistake("zero_shot.1", "The empty string has no column.",
         "What is left out of a name can be seen, too: a vowel that stands alone has no consonant in front.")
def empty_parts_dropped(parts):
    return marked(parts, [column for column in columns_of(parts) if column[1]])


@mistake("zero_shot.1", "The columns stand in the order in which the words came.",
         "Sort the words of a place: the columns must not depend on the order of the classes.")
def columns_as_they_came(parts):
    return marked(parts, [(place, word) for place, of_place in enumerate(zip(*parts, strict=True))
                          for word in dict.fromkeys(of_place)])


@mistake("zero_shot.1", "Each whole name got a column. Then two classes have nothing in common, and nothing that was "
         "learned of one says anything of another.", "A column for each *part* of a name.")
def whole_names(parts):
    return marked(parts, sorted(set(parts)), lambda one, column: one == column)


@mistake("zero_shot.1", "Classes and parts changed places.", "A row for each class: (Z,A).")
def parts_in_rows(parts):
    return marked(parts, columns_of(parts)).T


@mistake("zero_shot.1", "A part that is missing got -1.", "0: it adds nothing to the score.")
def minus_one_for_missing(parts):
    return 2 * marked(parts, columns_of(parts)) - 1


@mistake("zero_shot.1", "The columns stand in the order in which the words were read, name after name.",
         "First all columns of the first place, the words sorted, then those of the second.")
def columns_name_after_name(parts):
    return marked(parts, list(dict.fromkeys((place, word) for one in parts for place, word in enumerate(one))))


@mistake("zero_shot.1", "The first word of each place has no column.",
         "A column for every word: where it is missing is 0.")
def first_word_without_column(parts):
    first = {min(column for column in columns_of(parts) if column[0] == place) for place in range(len(parts[0]))}
    return marked(parts, [column for column in columns_of(parts) if column not in first])


@mistake("zero_shot.1", "The columns are sorted by word and then by place.",
         "By place first: columns of the first place "
         "before those of the second. sorted() of (place, word) does both.")
def words_before_places(parts):
    return marked(parts, sorted(columns_of(parts), key=lambda column: (column[1], column[0])))


@mistake("zero_shot.1", "The words of a place are sorted backwards.", "sorted(), without reverse.")
def words_backwards(parts):
    columns = [(place, word) for place in range(len(parts[0]))
               for word in sorted({one[place] for one in parts}, reverse=True)]
    return marked(parts, columns)


@mistake("zero_shot.1", "Every place got a column for every word, also for words that never stand there.",
         "Only the pairs of a place and a word that occur: the set of all (place, word), sorted.")
def every_word_in_every_place(parts):
    words = sorted({word for one in parts for word in one})
    return marked(parts, [(place, word) for place in range(len(parts[0])) for word in words])


@mistake("zero_shot.1", "A 1 stands wherever the name has the word, in whatever place.",
         "one[place] == word: the same word in another place is another part.")
def word_in_any_place(parts):
    return marked(parts, columns_of(parts), lambda one, column: column[1] in one)


@mistake("zero_shot.1", "A part that several names have got a column for each of them.",
         "Each pair of a place and a word once: a set.")
def a_column_for_each_name(parts):
    return marked(parts, sorted((place, word) for one in parts for place, word in enumerate(one)))


@mistake("zero_shot.1", "Only the first place of the names was used, or only the first two.",
         "Every place has columns of its own.", places=(1, 2))
def first_places_alone(parts, places):
    return marked(parts, [column for column in columns_of(parts) if column[0] < places])


@mistake("zero_shot.1", "The columns of the last place stand first.",
         "Those of the first place before those of the second.")
def places_backwards(parts):
    return marked(parts, sorted(columns_of(parts), key=lambda column: (-column[0], column[1])))


@mistake("zero_shot.1", "A word that is a piece of another was found in it, and the empty string in every word.",
         "one[place] == word: between two strings, `in` asks whether the one is a piece of the other.")
def word_inside_a_word(parts):
    return marked(parts, columns_of(parts), lambda one, column: column[1] in one[column[0]])


@mistake("zero_shot.1", "The rows were divided by the number of their parts, or by their lengths.",
         "1 where the name has the part, 0 where it has not.", power=(1, 0.5))
def rows_scaled(parts, power):
    return marked(parts, columns_of(parts)) / len(parts[0]) ** power


@mistake("zero_shot.1", "The rows stand in the order of the sorted names.",
         "A row for each class, in the order of `parts`: only the words of a place are sorted.")
def rows_sorted(parts):
    return marked(sorted(parts), columns_of(parts))


@honest("zero_shot.1")
def place_by_place(parts):
    blocks = []
    for of_place in zip(*parts, strict=True):
        words = sorted(set(of_place))
        blocks.append(np.eye(len(words))[[words.index(word) for word in of_place]])
    return np.concatenate(blocks, axis=1)


@honest("zero_shot.1")
def rows_of_integers(parts):
    rows = [[0] * len(columns_of(parts)) for _ in parts]
    for row, one in zip(rows, parts, strict=True):
        for place, word in enumerate(one):
            row[columns_of(parts).index((place, word))] = 1
    return rows


# ---------------------------------------------------------------- zero_shot.2: the closed form


def wanted(labels, n_classes, others=-1.0):
    """Y: 1 for the own class, `others` for the others."""
    return np.where(np.arange(n_classes) == labels[:, None], 1.0, others)


def closed_form(left, middle, right):
    """left^-1 middle right^-1; the least-squares solution where one of them is singular."""
    return np.linalg.pinv(left) @ middle @ np.linalg.pinv(right)


@mistake("zero_shot.2", "Y has 0 for the other classes.",
         "-1: that an image is *not* of a class is to be learned, too.")
def zeros_for_other_classes(features, labels, signatures, gamma, lam):
    (_, d), (z, a) = features.shape, signatures.shape
    return closed_form(features.T @ features + gamma * np.eye(d), features.T @ wanted(labels, z, 0.0) @ signatures,
                       signatures.T @ signatures + lam * np.eye(a))


@mistake("zero_shot.2", "gamma and lam changed places.", "gamma stands beside F'F, lam beside S'S: multiply it out.")
def regularisers_exchanged(features, labels, signatures, gamma, lam):
    (_, d), (z, a) = features.shape, signatures.shape
    return closed_form(features.T @ features + lam * np.eye(d), features.T @ wanted(labels, z) @ signatures,
                       signatures.T @ signatures + gamma * np.eye(a))


@mistake("zero_shot.2", "gamma or lam, or both, were added to every number of their matrix.",
         "V + V is V (2 I): a number beside a matrix stands for that number times the identity, np.eye.",
         which=("gamma and lam", "gamma", "lam"))
def added_to_every_number(features, labels, signatures, gamma, lam, which):
    beside_f, beside_s = (1.0 if name in which else np.eye(len(of.T)) for name, of in (
        ("gamma", features), ("lam", signatures)))
    return closed_form(features.T @ features + gamma * beside_f,
                       features.T @ wanted(labels, len(signatures)) @ signatures,
                       signatures.T @ signatures + lam * beside_s)


@mistake("zero_shot.2", "The regularisers are missing: this is the least-squares solution.",
         "F'F + gamma I and S'S + lam I.")
def without_regularisers(features, labels, signatures, gamma, lam):
    return closed_form(features.T @ features, features.T @ wanted(labels, len(signatures)) @ signatures,
                       signatures.T @ signatures)


@mistake("zero_shot.2", "The inverse on the right is missing: the signatures were never solved for.",
         "V stands between two matrices; bring both to the other side.")
def right_inverse_missing(features, labels, signatures, gamma, lam):
    left = features.T @ features + gamma * np.eye(features.shape[1])
    return np.linalg.pinv(left) @ features.T @ wanted(labels, len(signatures)) @ signatures


@mistake("zero_shot.2", "This is a regression from the features to the signature of the image's own class. What the "
         "image is not, and how alike the signatures are, does not enter.",
         "The error is F V S' - Y, in the scores of all classes, not F V - S[labels].")
def regression_to_the_signature(features, labels, signatures, gamma, lam):
    left = features.T @ features + gamma * np.eye(features.shape[1])
    return np.linalg.pinv(left) @ features.T @ signatures[labels]


@mistake("zero_shot.2", "The squared errors were averaged over the images, which makes gamma M times stronger.",
         "|F V S' - Y|^2 is a sum over all images and classes.")
def averaged_over_images(features, labels, signatures, gamma, lam):
    (m, d), (z, a) = features.shape, signatures.shape
    return closed_form(features.T @ features / m + gamma * np.eye(d), features.T @ wanted(labels, z) @ signatures / m,
                       signatures.T @ signatures + lam * np.eye(a))


@mistake("zero_shot.2", "Parts and features changed places.", "V is (D,A): features @ V has a column for each part.")
def transposed_solution(features, labels, signatures, gamma, lam):
    return closed_form_of_all(features, labels, signatures, gamma, lam).T


@mistake("zero_shot.2", "A class without an image was left out, or its column of Y is 0.",
         "Z is the number of signatures, len(signatures), and Y is -1 wherever an image is not of a class.",
         counted=("up to the largest", "that occur", "all, 0 where none occurs"))
def classes_of_the_labels(features, labels, signatures, gamma, lam, counted):
    kept = np.unique(labels) if counted == "that occur" else np.arange(labels.max() + 1)
    if "all" in counted:
        y = wanted(labels, len(signatures)) * np.isin(np.arange(len(signatures)), labels)
        return closed_form(features.T @ features + gamma * np.eye(features.shape[1]), features.T @ y @ signatures,
                           signatures.T @ signatures + lam * np.eye(signatures.shape[1]))
    z, seen, labels = len(kept), signatures[kept], np.searchsorted(kept, labels)
    return closed_form(features.T @ features + gamma * np.eye(features.shape[1]), features.T @ wanted(labels, z) @ seen,
                       seen.T @ seen + lam * np.eye(signatures.shape[1]))


@mistake("zero_shot.2", "The right factor was multiplied, not inverted.",
         "(F'F + gamma I) V (S'S + lam I) = F'Y S: both factors go to the other side as inverses.")
def right_factor_not_inverted(features, labels, signatures, gamma, lam):
    left = np.linalg.inv(features.T @ features + gamma * np.eye(features.shape[1]))
    right = signatures.T @ signatures + lam * np.eye(signatures.shape[1])
    return left @ features.T @ wanted(labels, len(signatures)) @ signatures @ right


@mistake("zero_shot.2", "One of the two regularisers is missing.",
         "gamma I is added to F'F, and lam I to S'S.", missing=("gamma", "lam"))
def one_regulariser_missing(features, labels, signatures, gamma, lam, missing):
    gamma, lam = (0.0, lam) if missing == "gamma" else (gamma, 0.0)
    left = np.linalg.pinv(features.T @ features + gamma * np.eye(features.shape[1]))
    right = np.linalg.pinv(signatures.T @ signatures + lam * np.eye(signatures.shape[1]))
    return left @ features.T @ wanted(labels, len(signatures)) @ signatures @ right


@mistake("zero_shot.2", "gamma and lam are twice or half as large as they should be.",
         "The derivative of a square brings a factor 2, in all four terms alike, so half of the gradient has none.",
         factor=(2.0, 0.5))
def regularisers_times_a_factor(features, labels, signatures, gamma, lam, factor):
    return closed_form_of_all(features, labels, signatures, factor * gamma, factor * lam)


@mistake("zero_shot.2", "V has the opposite sign. Is Y -1 for the own class, or was F'Y S brought to the other side "
         "without changing its sign?", "1 for the image's own class; (F'F + gamma I) V (S'S + lam I) = F'Y S.")
def opposite_sign(features, labels, signatures, gamma, lam):
    return -closed_form_of_all(features, labels, signatures, gamma, lam)


@mistake("zero_shot.2", "F'Y S was doubled, the terms with V were not.",
         "The factor 2 of the derivative stands in all terms alike, so leave it out everywhere.")
def right_side_doubled(features, labels, signatures, gamma, lam):
    return 2 * closed_form_of_all(features, labels, signatures, gamma, lam)


@mistake("zero_shot.2", "One of gamma and lam was used for both.", "gamma beside F'F, lam beside S'S.",
         used=("gamma", "lam"))
def one_regulariser_twice(features, labels, signatures, gamma, lam, used):
    both = gamma if used == "gamma" else lam
    return closed_form_of_all(features, labels, signatures, both, both)


@mistake("zero_shot.2", "The classifiers V S' came back, a column for each class.", "V itself, a column for each part.")
def classifiers_returned(features, labels, signatures, gamma, lam):
    return closed_form_of_all(features, labels, signatures, gamma, lam) @ signatures.T


@mistake("zero_shot.2", "gamma and lam were squared.", "gamma I and lam I: once.")
def regularisers_squared(features, labels, signatures, gamma, lam):
    return closed_form_of_all(features, labels, signatures, gamma ** 2, lam ** 2)


@mistake("zero_shot.2", "The features were centred first.", "F as it is: the objective has no mean in it.")
def features_centred(features, labels, signatures, gamma, lam):
    return closed_form_of_all(features - features.mean(axis=0), labels, signatures, gamma, lam)


@mistake("zero_shot.2", "The inverse on the left is missing: the features were never solved for.",
         "V stands between two matrices; bring both to the other side.")
def left_inverse_missing(features, labels, signatures, gamma, lam):
    right = signatures.T @ signatures + lam * np.eye(signatures.shape[1])
    return features.T @ wanted(labels, len(signatures)) @ signatures @ np.linalg.inv(right)


@mistake("zero_shot.2", "F'F was divided by the number of images, F'Y S was not.",
         "|F V S' - Y|^2 is a sum over all images: nothing is divided.")
def left_side_averaged(features, labels, signatures, gamma, lam):
    (m, d), (z, a) = features.shape, signatures.shape
    return closed_form(features.T @ features / m + gamma * np.eye(d), features.T @ wanted(labels, z) @ signatures,
                       signatures.T @ signatures + lam * np.eye(a))


@mistake("zero_shot.2", "The signatures were centred first.", "S as it is: the objective has no mean in it.")
def signatures_centred(features, labels, signatures, gamma, lam):
    return closed_form_of_all(features, labels, signatures - signatures.mean(axis=0), gamma, lam)


@honest("zero_shot.2")
def closed_form_of_all(features, labels, signatures, gamma, lam):
    """With inverses; and (S'S + lam I)^-1 beside S is S' (S S' + lam I)^-1, a smaller matrix for few classes."""
    left = np.linalg.inv(features.T @ features + gamma * np.eye(features.shape[1]))
    right = np.linalg.inv(signatures @ signatures.T + lam * np.eye(len(signatures)))
    return left @ features.T @ wanted(labels, len(signatures)) @ right @ signatures


@honest("zero_shot.2")
def one_large_system(features, labels, signatures, gamma, lam):
    """All D A numbers of V at once."""
    (_, d), (z, a) = features.shape, signatures.shape
    left, right = features.T @ features + gamma * np.eye(d), signatures.T @ signatures + lam * np.eye(a)
    target = (features.T @ wanted(labels, z) @ signatures).ravel()
    return np.linalg.solve(np.kron(left, right), target).reshape(d, a)


# ---------------------------------------------------------------- zero_shot.3: any class may be the answer


def shares(right, labels, unseen):
    """The share of right answers for the images of seen and of unseen classes."""
    is_unseen = np.isin(labels, unseen)
    return right[~is_unseen].mean(), right[is_unseen].mean()


def harmonic(s, u):
    return 2 * s * u / (s + u) if s + u else 0.0


@mistake("zero_shot.3", "This is the arithmetic mean: it is 1/2 for a method that never answers an unseen class.",
         "2 s u / (s + u).")
def arithmetic_mean(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return s, u, (s + u) / 2


@mistake("zero_shot.3", "This is the geometric mean, the root of s u.", "2 s u / (s + u).")
def geometric_mean(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return s, u, (s * u) ** 0.5


@mistake("zero_shot.3", "The factor 2 is missing: the mean of s and s must be s.", "2 s u / (s + u).")
def half_the_mean(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return s, u, harmonic(s, u) / 2


@mistake("zero_shot.3", "Where nothing was right, 0 was divided by 0.", "Then the harmonic mean is 0.")
def zero_by_zero(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return s, u, 2 * s * u / (s + u)


@mistake("zero_shot.3", "Images of seen classes were answered among the seen, those of unseen among the unseen: then "
         "somebody had to know beforehand which they are.", "The highest score of *all* classes is the answer.")
def each_among_its_own(scores, labels, unseen):
    own = np.isin(np.arange(scores.shape[1]), unseen) == np.isin(labels, unseen)[:, None]  # (M,Z)
    s, u = shares(np.where(own, scores, -np.inf).argmax(1) == labels, labels, unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "An image counted as right when its answer was of the right group, seen or unseen, whatever "
         "the class.", "The class itself must be right: scores.argmax(axis=1) == labels.")
def right_group(scores, labels, unseen):
    s, u = shares(np.isin(scores.argmax(1), unseen) == np.isin(labels, unseen), labels, unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "Seen and unseen changed places.", "Return (seen, unseen, harmonic mean).")
def groups_exchanged(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return u, s, harmonic(s, u)


@mistake("zero_shot.3", "The first number is the accuracy over all images, unseen classes among them.",
         "Only the images of seen classes: ~np.isin(labels, unseen).")
def overall_for_seen(scores, labels, unseen):
    right = scores.argmax(1) == labels
    s, u = right.mean(), shares(right, labels, unseen)[1]
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The right answers of each group were divided by the number of all images.",
         "Each group by its own number of images.")
def divided_by_all_images(scores, labels, unseen):
    right, is_unseen = scores.argmax(1) == labels, np.isin(labels, unseen)
    s, u = (right & ~is_unseen).mean(), (right & is_unseen).mean()
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The accuracy of each class was averaged: a class of one image counts as much as one of many.",
         "Every image counts alike: the share of the group's images that are right.")
def average_over_classes(scores, labels, unseen):
    right, present = scores.argmax(1) == labels, np.unique(labels)
    s, u = (np.mean([right[labels == c].mean() for c in group]) for group in (
        np.setdiff1d(present, unseen), np.intersect1d(present, unseen)))
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The images were grouped by the class that was *answered*, not by their own.",
         "np.isin(labels, unseen) says which images are of unseen classes.")
def grouped_by_answer(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, scores.argmax(1), unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The third number is the accuracy over all images.", "2 s u / (s + u) of the first two.")
def overall_for_the_mean(scores, labels, unseen):
    right = scores.argmax(1) == labels
    return *shares(right, labels, unseen), right.mean()


@mistake("zero_shot.3", "The third number is the smaller of the two.", "2 s u / (s + u).")
def smaller_of_the_two(scores, labels, unseen):
    s, u = shares(scores.argmax(axis=1) == labels, labels, unseen)
    return s, u, min(s, u)


@mistake("zero_shot.3", "Images of unseen classes were answered among the unseen alone: then somebody had to know "
         "beforehand that they are unseen.", "The highest score of *all* classes is the answer, for every image.")
def unseen_among_the_unseen(scores, labels, unseen):
    is_unseen = np.isin(labels, unseen)
    allowed = ~is_unseen[:, None] | np.isin(np.arange(scores.shape[1]), unseen)  # (M,Z)
    s, u = shares(np.where(allowed, scores, -np.inf).argmax(1) == labels, labels, unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The last number is the product of the two, or twice that.", "2 s u / (s + u).", factor=(1, 2))
def product_of_the_two(scores, labels, unseen, factor):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return s, u, factor * s * u


@mistake("zero_shot.3", "The class of the lowest score was taken.", "A high score means this class: argmax.")
def lowest_score_wins(scores, labels, unseen):
    s, u = shares(scores.argmin(1) == labels, labels, unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "An image of an unseen class counted as right with any unseen class.",
         "Only its own class is right: answer == label.")
def any_unseen_class_is_right(scores, labels, unseen):
    answers, is_unseen = scores.argmax(1), np.isin(labels, unseen)
    s, u = shares(np.where(is_unseen, np.isin(answers, unseen), answers == labels), labels, unseen)
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The unseen classes were taken to be the last ones.",
         "np.isin(labels, unseen): they may have any numbers.")
def last_classes_for_unseen(scores, labels, unseen):
    n_classes = scores.shape[1]
    s, u = shares(scores.argmax(1) == labels, labels, np.arange(n_classes - len(unseen), n_classes))
    return s, u, harmonic(s, u)


@mistake("zero_shot.3", "The harmonic mean stands first.", "Return (seen, unseen, harmonic mean).")
def harmonic_mean_first(scores, labels, unseen):
    s, u = shares(scores.argmax(1) == labels, labels, unseen)
    return harmonic(s, u), s, u


@honest("zero_shot.3")
def image_by_image(scores, labels, unseen):
    right, seen_right = [], []
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        answer = row.index(max(row))
        (right if label in unseen.tolist() else seen_right).append(answer == label)
    s, u = (sum(group) / len(group) for group in (seen_right, right))
    return [s, u, 2 / (1 / s + 1 / u) if s and u else 0.0]
