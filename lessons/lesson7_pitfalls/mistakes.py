"""Wrong answers to lesson 7's exercises, each with the thought behind it, and right answers of other kinds."""

import numpy as np

from fewshot_np.lesson2_episodes import mean_confidence_interval, t_factor
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- pitfalls.1: queries in groups


def in_place(network, queries, groups, change=lambda scores, group: scores, kind=float):
    """The right answer, but for what `change` makes of the scores of a group, and for the type of the result."""
    parts = [change(network(queries[group]), group) for group in groups]
    out = np.zeros((len(queries), parts[0].shape[1]), kind)
    for group, part in zip(groups, parts, strict=True):
        out[group] = part
    return out


@mistake("pitfalls.1", "The scores are in the order of the groups, not of the queries, so they are compared "
         "with the labels of other queries.", "The first row must be the one of query 0, whichever group it was in.")
def in_the_order_of_asking(network, queries, groups):
    return np.concatenate([network(queries[group]) for group in groups])


@mistake("pitfalls.1", "The scores were shuffled a second time instead of being put back.",
         "To put them back: out[groups.ravel()] = scores, or scores[np.argsort(groups.ravel())].")
def shuffled_twice(network, queries, groups):
    return in_the_order_of_asking(network, queries, groups)[groups.ravel()]


@mistake("pitfalls.1", "All queries went through the network together.", "Call the network once for each group.")
def all_together(network, queries, groups):
    return network(queries)


@mistake("pitfalls.1", "Each query went through the network alone.", "The queries of one row of `groups` go together.")
def each_alone(network, queries, groups):
    return np.concatenate([network(queries[m:m + 1]) for m in range(len(queries))])


@mistake("pitfalls.1", "The groups were taken as neighbours in the list of queries, without the numbers in `groups`.",
         "queries[groups[b]] are the images of group b.")
def neighbours_together(network, queries, groups):
    size = groups.shape[1]
    return np.concatenate([network(queries[m:m + size]) for m in range(0, len(queries), size)])


@mistake("pitfalls.1", "The columns of `groups` went together, not its rows.", "`for group in groups` takes the rows.")
def columns_together(network, queries, groups):
    return in_the_order_of_asking(network, queries, groups.T)[np.argsort(groups.T.ravel())]


@mistake("pitfalls.1", "The groups are still separate: the result is (B,G,N), a table for each group.",
         "np.concatenate joins them into (M,N). Then put the rows into the order of the queries.")
def groups_still_apart(network, queries, groups):
    return np.array([network(queries[group]) for group in groups])


@mistake("pitfalls.1", "The result has D columns like the queries, but the scores have N.",
         "Look at the shape of network(queries[groups[0]]), or collect the rows in a list.")
def as_wide_as_the_queries(network, queries, groups):
    out = np.zeros(queries.shape)
    for group in groups:
        out[group] = network(queries[group])
    return out


@mistake("pitfalls.1", "The numbers of a group were sorted on one side alone: where its queries are taken out, or "
         "where its scores are put back.", "out[group] = network(queries[group]), with the same order on both sides.",
         side=("back", "out"))
def groups_sorted(network, queries, groups, side):
    out = np.empty((len(queries), network(queries[groups[0]]).shape[1]))
    for group in groups:
        if side == "back":
            out[np.sort(group)] = network(queries[group])
        else:
            out[group] = network(queries[np.sort(group)])
    return out


@mistake("pitfalls.1", "The result was made as an array of integers, which cut off what stands behind the point.",
         "np.zeros((M, N)) has floats; zeros_like(groups) has not.")
def whole_numbers(network, queries, groups):
    return in_place(network, queries, groups, kind=int)


@mistake("pitfalls.1", "Only the last group has scores: the result was made anew for every group.",
         "Make it once, before the loop.")
def last_group_alone(network, queries, groups):
    out = 0 * in_place(network, queries, groups)
    out[groups[-1]] = network(queries[groups[-1]])
    return out


@mistake("pitfalls.1", "All queries of a group got the same scores, their mean.",
         "network(queries[group]) has a row for each query.")
def mean_of_the_group(network, queries, groups):
    return in_place(network, queries, groups, lambda scores, group: scores.mean(axis=0) + 0 * scores)


@mistake("pitfalls.1", "The rows were put in order within each group, and the groups still stand one behind the "
         "other.", "np.argsort(groups.ravel()), for all rows together.")
def sorted_within_the_group(network, queries, groups):
    return np.concatenate([network(queries[group])[np.argsort(group)] for group in groups])


@mistake("pitfalls.1", "Only the first group went through the network; the scores of the others are 0.",
         "Is the `return` inside the loop?")
def first_group_alone(network, queries, groups):
    scores = network(queries[groups[0]])
    out = np.zeros((len(queries), scores.shape[1]))
    out[groups[0]] = scores
    return out


@mistake("pitfalls.1", "The last group was left out: the scores of its queries are 0.",
         "`for group in groups`, or range(len(groups)): range ends before its number.")
def last_group_left_out(network, queries, groups):
    out = in_place(network, queries, groups)
    out[groups[-1]] = 0
    return out


@mistake("pitfalls.1", "Each group went through the network together with all groups before it.",
         "network(queries[group]): only the queries of this row of `groups`.")
def with_the_groups_before(network, queries, groups):
    parts = [network(queries[groups[:b + 1].ravel()])[-groups.shape[1]:] for b in range(len(groups))]
    return np.concatenate(parts)[np.argsort(groups.ravel())]


@honest("pitfalls.1")
def scores_put_back(network, queries, groups):
    scores = [None] * len(queries)
    for group in groups.tolist():
        for m, row in zip(group, network(queries[group]), strict=True):
            scores[m] = row
    return np.array(scores)


@honest("pitfalls.1")
def scores_assigned(network, queries, groups):
    first = network(queries[groups[0]])
    out = np.empty((len(queries), first.shape[1]))
    for group in groups:
        out[group] = network(queries[group])
    return out


# ---------------------------------------------------------------- pitfalls.2: the paired difference


def half_width(values):
    return mean_confidence_interval(values)[1]


@mistake("pitfalls.2", "The two were treated as independent: this is the root of the sum of their squared half-widths. "
         "But an episode that is hard for one is hard for the other, and this is not used.",
         "First one difference per episode, then the interval of these numbers.")
def as_if_independent(flattering, honest):
    return np.mean(flattering) - np.mean(honest), np.hypot(half_width(flattering), half_width(honest))


@mistake("pitfalls.2", "The two half-widths were added.", "First one difference per episode, then *its* interval.")
def half_widths_added(flattering, honest):
    return np.mean(flattering) - np.mean(honest), half_width(flattering) + half_width(honest)


@mistake("pitfalls.2", "Both ends of the interval were returned.",
         "Return (mean, half-width): the numbers before and after +-.")
def both_ends(flattering, honest):
    mean, half = mean_confidence_interval(flattering - honest)
    return mean - half, mean + half


@mistake("pitfalls.2", "The sign is reversed.", "flattering - honest is above 0 where the first is higher.")
def turned_round(flattering, honest):
    return mean_confidence_interval(honest - flattering)


@mistake("pitfalls.2", "The signs of the differences were dropped, so that a result lies above every other one, even "
         "one that is equal on average.", "Take flattering - honest without abs, so that gains and losses can cancel.")
def absolute_differences(flattering, honest):
    return mean_confidence_interval(np.abs(flattering - honest))


@mistake("pitfalls.2", "The spread was divided by E, but the mean varies less than one value by the *root* of E.",
         "t_factor(E) * s / np.sqrt(E), as in lesson 2.")
def divided_by_e_not_its_root(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(len(values)) * values.std(ddof=1) / len(values)


@mistake("pitfalls.2", "This is the spread of single differences; the division by the root of E is missing.",
         "The mean of E values varies less than one value, by the root of E, as in lesson 2.")
def spread_of_the_differences(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(len(values)) * values.std(ddof=1)


@mistake("pitfalls.2", "The standard deviation has E in the denominator.", "np.std(values, ddof=1), as in lesson 2.")
def divided_by_e(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(len(values)) * values.std() / len(values) ** 0.5


@mistake("pitfalls.2", "E - 1 was used twice: under the root stands E.",
         "s has E - 1 in its denominator; the mean of E values varies less by sqrt(E).")
def one_less_twice(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(len(values)) * values.std(ddof=1) / (len(values) - 1) ** 0.5


@mistake("pitfalls.2", "The factor is 1.96, which is right for very many episodes alone.", "t_factor(E).")
def factor_of_the_normal_distribution(flattering, honest):
    values = flattering - honest
    return values.mean(), 1.96 * values.std(ddof=1) / np.sqrt(len(values))


@mistake("pitfalls.2", "Student's factor is that for twice as many values.",
         "There is one difference per episode: E values, t_factor(E).")
def factor_of_both_together(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(2 * len(values)) * values.std(ddof=1) / np.sqrt(len(values))


@mistake("pitfalls.2", "The half-widths of the two results were subtracted.",
         "First one difference per episode, then *its* interval.")
def half_widths_subtracted(flattering, honest):
    return np.mean(flattering) - np.mean(honest), abs(half_width(flattering) - half_width(honest))


@mistake("pitfalls.2", "This is the standard error: the factor t is missing.", "t_factor(E) * s / np.sqrt(E).")
def without_the_factor(flattering, honest):
    values = flattering - honest
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))


@mistake("pitfalls.2", "The whole width of the interval came back.", "Half of it: what stands behind +-.")
def whole_width(flattering, honest):
    mean, half = mean_confidence_interval(flattering - honest)
    return mean, 2 * half


@mistake("pitfalls.2", "s is the variance, without the root.", "np.std(values, ddof=1).")
def variance_for_the_deviation(flattering, honest):
    values = flattering - honest
    return values.mean(), t_factor(len(values)) * values.var(ddof=1) / np.sqrt(len(values))


@mistake("pitfalls.2", "The differences were divided by the honest accuracy: that is by what share one lies above "
         "the other.", "flattering - honest, in the unit of the accuracies.")
def shares_of_the_honest(flattering, honest):
    return mean_confidence_interval((flattering - honest) / honest)


@mistake("pitfalls.2", "Both were sorted first, so that numbers of different episodes stand beside each other.",
         "The order of the episodes makes the pairs: leave it.")
def sorted_before(flattering, honest):
    return mean_confidence_interval(np.sort(flattering) - np.sort(honest))


@mistake("pitfalls.2", "The half-width is that of one of the two results alone.",
         "That of the differences, one per episode.", which=("flattering", "honest"))
def half_width_of_one(flattering, honest, which):
    mine = flattering if which == "flattering" else honest
    return np.mean(flattering) - np.mean(honest), half_width(mine)


@mistake("pitfalls.2", "Student's factor is that for one value less, or one more.",
         "t_factor(E): it counts the values itself.", more=(-1, 1))
def factor_of_another_number(flattering, honest, more):
    values = flattering - honest
    return values.mean(), t_factor(max(2, len(values) + more)) * values.std(ddof=1) / np.sqrt(len(values))


@mistake("pitfalls.2", "The half-width came back before the mean.", "return mean, half_width.")
def half_width_first(flattering, honest):
    return mean_confidence_interval(flattering - honest)[::-1]


@mistake("pitfalls.2", "The median of the differences came back.", "Their mean.")
def median_of_the_differences(flattering, honest):
    return np.median(flattering - honest), half_width(flattering - honest)


@mistake("pitfalls.2", "The factor is 1.96, and the standard deviation has E in the denominator.",
         "t_factor(E), and np.std(values, ddof=1).")
def normal_and_divided_by_e(flattering, honest):
    values = flattering - honest
    return values.mean(), 1.96 * values.std() / np.sqrt(len(values))


@mistake("pitfalls.2", "The half-width is that of 2 E values, all accuracies of both results together.",
         "One difference per episode: E values.", spread=("of all", "of each"))
def pooled(flattering, honest, spread):
    n, both = 2 * len(honest), np.concatenate([flattering, honest])
    s = both.std(ddof=1) if spread == "of all" else ((flattering.var(ddof=1) + honest.var(ddof=1)) / 2) ** 0.5
    return np.mean(flattering) - np.mean(honest), t_factor(n) * s / np.sqrt(n)


@honest("pitfalls.2")
def difference_by_sums(flattering, honest):
    values = [float(s) - float(h) for s, h in zip(flattering, honest, strict=True)]
    mean = sum(values) / len(values)
    return mean, t_factor(len(values)) * (sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)) ** 0.5


@honest("pitfalls.2")
def difference_by_covariance(flattering, honest):
    together = np.cov(flattering, honest)
    variance = max(0.0, together[0, 0] + together[1, 1] - 2 * together[0, 1])
    return [np.mean(flattering) - np.mean(honest), t_factor(len(flattering)) * (variance / len(flattering)) ** 0.5]


# ---------------------------------------------------------------- pitfalls.3: queries that are in the support


def same(support_ids, query_ids):
    """Whether query q of task t is support image s of it: (T, queries, support)."""
    return query_ids[:, :, None] == support_ids[:, None, :]


@mistake("pitfalls.3", "The supports of all tasks were put together, but an image in the support of another task is "
         "no leak.",
         "Compare task t's queries with row t of support_ids only; np.isin and sets ignore rows.")
def shown_in_any_task(support_ids, query_ids):
    return np.isin(query_ids, support_ids)


@mistake("pitfalls.3", "These are the queries that are *not* in the support.",
         "Return True where the image is in the support.")
def not_shown(support_ids, query_ids):
    return ~same(support_ids, query_ids).any(axis=2)


@mistake("pitfalls.3", "This marks the support images that come again as queries.",
         "Return one answer for each query: (T,N*Q).")
def support_images_asked(support_ids, query_ids):
    return same(support_ids, query_ids).any(axis=1)


@mistake("pitfalls.3", "This says of each task whether it has a leak, or consists of leaks, but not which query is "
         "one.",
         "Return one answer for each query: (T,N*Q).", which=("any", "any, repeated", "all, repeated"))
def one_answer_per_task(support_ids, query_ids, which):
    leaks = same(support_ids, query_ids).any(axis=2)
    leaky = leaks.all(axis=1) if which.startswith("all") else leaks.any(axis=1)
    return leaky if which == "any" else np.repeat(leaky[:, None], query_ids.shape[1], axis=1)


@mistake("pitfalls.3", "The queries were compared only with the first support image.",
         "Compare with every image of the task's support.")
def first_support_image(support_ids, query_ids):
    return query_ids == support_ids[:, :1]


@mistake("pitfalls.3", "A query had to be equal to *every* support image.", "Use any, not all.")
def equal_to_all(support_ids, query_ids):
    return same(support_ids, query_ids).all(axis=2)


@mistake("pitfalls.3", "A query that is asked twice was counted as a leak, too.",
         "Compare queries with the support, not with one another.")
def asked_twice(support_ids, query_ids):
    return same(support_ids, query_ids).any(axis=2) | (same(query_ids, query_ids).sum(axis=2) > 1)


@mistake("pitfalls.3", "Each query was compared with one support image alone: the one at its position, or the one of "
         "its class.", "Compare each query with *every* support image of its task, whatever its position.",
         which=("same", "cut", "class"))
def place_by_place(support_ids, query_ids, which):
    if which == "same":
        return query_ids == support_ids
    if which == "class":
        blocks = np.arange(query_ids.shape[1]) * support_ids.shape[1] // query_ids.shape[1]
        return query_ids == support_ids[:, blocks]
    out, n = np.zeros(query_ids.shape, bool), min(support_ids.shape[1], query_ids.shape[1])
    out[:, :n] = query_ids[:, :n] == support_ids[:, :n]
    return out


@mistake("pitfalls.3", "A leak that is asked twice was marked once, where it comes first.",
         "Mark every position: query_ids[:, :, None] == support_ids[:, None]. (`list.index` finds the first of equal "
         "numbers alone, and a set of numbers already seen hides the second.)")
def first_of_equal_queries(support_ids, query_ids):
    out = same(support_ids, query_ids).any(axis=2)
    for row, queries in zip(out, query_ids.tolist(), strict=True):
        for position, image in enumerate(queries):
            row[position] &= queries.index(image) == position
    return out


@mistake("pitfalls.3", "The queries of all tasks were compared with the support of the first.",
         "Row t of query_ids with row t of support_ids.")
def support_of_the_first_task(support_ids, query_ids):
    return np.isin(query_ids, support_ids[0])


@mistake("pitfalls.3", "The queries were compared with the supports of the *other* tasks.",
         "Row t of query_ids with row t of support_ids.")
def shown_in_other_tasks(support_ids, query_ids):
    return np.array([np.isin(asked, np.delete(support_ids, task, axis=0))
                     for task, asked in enumerate(query_ids)])


@mistake("pitfalls.3", "np.searchsorted finds a number only where the support is sorted; it is not.",
         "np.isin, task by task.")
def sought_as_if_sorted(support_ids, query_ids):
    places = [np.searchsorted(shown, asked) for shown, asked in zip(support_ids, query_ids, strict=True)]
    return np.array([shown[np.minimum(place, len(shown) - 1)] == asked
                     for shown, place, asked in zip(support_ids, places, query_ids, strict=True)])


@mistake("pitfalls.3", "The images of the earlier tasks were kept: a query was also compared with their supports.",
         "A new set for each task.")
def shown_until_now(support_ids, query_ids):
    return np.array([np.isin(asked, support_ids[:task + 1]) for task, asked in enumerate(query_ids)])


@mistake("pitfalls.3", "These are the queries that are asked twice: queries were compared with queries.",
         "Compare query_ids with support_ids.")
def asked_twice_alone(support_ids, query_ids):
    return same(query_ids, query_ids).sum(axis=2) > 1


@mistake("pitfalls.3", "The queries were compared with the last support image alone.", "With all of the row.")
def last_support_image(support_ids, query_ids):
    return query_ids == support_ids[:, -1:]


@mistake("pitfalls.3", "Every number between the smallest and the largest of the support was taken for one of them.",
         "Equal to one of them.")
def between_the_smallest_and_the_largest(support_ids, query_ids):
    smallest, largest = support_ids.min(axis=1, keepdims=True), support_ids.max(axis=1, keepdims=True)
    return (query_ids >= smallest) & (query_ids <= largest)


@mistake("pitfalls.3", "The queries were compared with the support of the task before.",
         "Row t of query_ids with row t of support_ids.")
def support_of_the_task_before(support_ids, query_ids):
    return same(np.roll(support_ids, 1, axis=0), query_ids).any(axis=2)


@mistake("pitfalls.3", "A leak was not counted where another task has the image in its support, too.",
         "What is in the support of the same task is a leak, whatever the other tasks have.")
def not_if_elsewhere(support_ids, query_ids):
    return same(support_ids, query_ids).any(axis=2) & ~shown_in_other_tasks(support_ids, query_ids)


@mistake("pitfalls.3", "Only the first leak of each task was marked.", "All of them: no break after the first.")
def first_leak_alone(support_ids, query_ids):
    leaks = same(support_ids, query_ids).any(axis=2)
    return leaks & (leaks.cumsum(axis=1) == 1)


@mistake("pitfalls.3", "The position of the match was taken for the answer: a match at position 0 counts as none.",
         "any(axis=-1) of the comparison, not argmax.")
def position_for_the_answer(support_ids, query_ids):
    return same(support_ids, query_ids).argmax(axis=2) > 0


@honest("pitfalls.3")
def leaks_by_sets(support_ids, query_ids):
    return [[image in set(shown) for image in asked]
            for shown, asked in zip(support_ids.tolist(), query_ids.tolist(), strict=True)]


@honest("pitfalls.3")
def leaks_task_by_task(support_ids, query_ids):
    return np.array([np.isin(asked, shown) for shown, asked in zip(support_ids, query_ids, strict=True)])


# ---------------------------------------------------------------- pitfalls.4: a model chosen on the test


def means_of_groups(accuracy, size):
    """(models, groups)"""
    n_groups = accuracy.shape[1] // size
    return accuracy[:, :n_groups * size].reshape(len(accuracy), n_groups, size).mean(axis=2)


def means_on_others(means):
    """Of each model on all groups but one: (models, groups)."""
    return (means.sum(axis=1, keepdims=True) - means) / (means.shape[1] - 1)


def taken(values, choice):
    """The values (models, groups) of the model that each group chose: (groups,)."""
    return values[choice, np.arange(values.shape[1])]


@mistake("pitfalls.4", "The chosen model was measured on all groups, including the one that chose it.",
         "The group that made the choice is no longer an honest test, so leave it out of `on_others`.")
def own_group_among_them(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), means.mean(axis=1)[means.argmax(axis=0)]


@mistake("pitfalls.4", "`on_others` is of the model that is best on the others: that is a second choice on the test.",
         "Each group chooses once, and then the *same* model is measured on the other groups.")
def chosen_again_on_others(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), means_on_others(means).max(axis=0)


@mistake("pitfalls.4", "`on_others` is the mean of all models.", "Measure the model that the group chose.")
def all_models_on_others(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), means_on_others(means).mean(axis=0)


@mistake("pitfalls.4", "One model was chosen on all episodes, for all groups.",
         "Each group is a test of its own and chooses by itself.")
def one_choice_for_all(accuracy, size):
    means = means_of_groups(accuracy, size)
    choice = np.full(means.shape[1], means.mean(axis=1).argmax())
    return taken(means, choice), taken(means_on_others(means), choice)


@mistake("pitfalls.4", "`on_others` has the episodes that were left over, too.",
         "Episodes that fill no group are not used: cut them off first, then measure.")
def leftovers_on_others(accuracy, size):
    means = means_of_groups(accuracy, size)
    totals = accuracy.sum(axis=1, keepdims=True) - size * means
    return means.max(axis=0), taken(totals / (accuracy.shape[1] - size), means.argmax(axis=0))


@mistake("pitfalls.4", "A group chose the model with the best single episode.", "Choose by the mean over the group.")
def best_single_episode(accuracy, size):
    means = means_of_groups(accuracy, size)
    n_groups = means.shape[1]
    choice = accuracy[:, :n_groups * size].reshape(-1, n_groups, size).max(axis=2).argmax(axis=0)
    return taken(means, choice), taken(means_on_others(means), choice)


@mistake("pitfalls.4", "The episodes were dealt out like cards, so that a group has every G-th of them.",
         "The first `size` episodes are the first group: reshape(models, groups, size), in this order.")
def dealt_like_cards(accuracy, size):
    n_groups = accuracy.shape[1] // size
    means = accuracy[:, :n_groups * size].reshape(len(accuracy), size, n_groups).mean(axis=1)
    choice = means.argmax(axis=0)
    return taken(means, choice), taken(means_on_others(means), choice)


@mistake("pitfalls.4", "The episodes do not fill the last group, and those left over were not dropped.",
         "There are E // size groups: cut the accuracies to groups * size columns before the reshape.")
def leftovers_not_dropped(accuracy, size):
    means = accuracy.reshape(len(accuracy), -1, size).mean(axis=2)
    return means.max(axis=0), taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "The group chose the worst model.", "argmax of the means.")
def worst_model(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.min(axis=0), taken(means_on_others(means), means.argmin(axis=0))


@mistake("pitfalls.4", "The chosen model was measured on the next group alone.", "On all other groups together.")
def next_group_alone(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), taken(np.roll(means, -1, axis=1), means.argmax(axis=0))


@mistake("pitfalls.4", "The model was chosen on the other groups, not on the group.",
         "The group chooses; the others judge.", first=("others", "group"))
def chosen_on_others(accuracy, size, first):
    means = means_of_groups(accuracy, size)
    others = means_on_others(means)
    on_the_group = taken(means, others.argmax(axis=0))
    return (others.max(axis=0), on_the_group) if first == "others" else (on_the_group, others.max(axis=0))


@mistake("pitfalls.4", "The two results changed places.", "First on the group itself, then on the others.")
def results_exchanged(accuracy, size):
    means = means_of_groups(accuracy, size)
    best = means.argmax(axis=0)
    return taken(means_on_others(means), best), taken(means, best)


@mistake("pitfalls.4", "The episodes that are left over became a group of their own, a shorter one.",
         "Leave them out: E // size groups.", by_episode=(False, True))
def short_last_group(accuracy, size, by_episode):
    n, starts = accuracy.shape[1], range(0, accuracy.shape[1], size)
    means = np.stack([accuracy[:, i:i + size].mean(axis=1) for i in starts], axis=1)
    lengths = np.array([min(size, n - i) for i in starts])
    on_others = (accuracy.sum(axis=1, keepdims=True) - lengths * means) / (n - lengths)
    return means.max(axis=0), taken(on_others if by_episode else means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "`size` was taken for the number of groups. It is the number of episodes in each.",
         "reshape(models, groups, size).")
def size_taken_for_the_number(accuracy, size):
    means = means_of_groups(accuracy, max(1, accuracy.shape[1] // size))
    return means.max(axis=0), taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "For `flattering` the best model of each episode was taken. The group chooses one, by its "
         "mean.", "First the mean over the group, then the largest.")
def best_of_each_episode(accuracy, size):
    means = means_of_groups(accuracy, size)
    best = means_of_groups(accuracy.max(axis=0, keepdims=True), size)[0]
    return best, taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "The sum over the other groups was divided by the number of all groups.",
         "There are groups - 1 others.")
def divided_by_all_groups(accuracy, size):
    means = means_of_groups(accuracy, size)
    others = taken(means_on_others(means), means.argmax(axis=0)) * (means.shape[1] - 1)
    return means.max(axis=0), others / means.shape[1]


@mistake("pitfalls.4", "`on_others` is a sum over the other groups.", "The mean: divide by groups - 1.")
def sum_on_others(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), taken(means_on_others(means), means.argmax(axis=0)) * (means.shape[1] - 1)


@mistake("pitfalls.4", "`flattering` has the numbers of the models that were chosen.",
         "Their accuracies: table[choice, np.arange(groups)], or the maximum.")
def number_of_the_model(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.argmax(axis=0), taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "Episodes were dropped at the beginning.",
         "Those at the end are left over: accuracy[:, :groups * size].")
def leftovers_at_the_beginning(accuracy, size):
    means = means_of_groups(accuracy[:, accuracy.shape[1] % size:], size)
    return means.max(axis=0), taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "The groups overlap: one begins at every episode.", "One begins every `size` episodes.",
         as_many_as_fit=(False, True))
def overlapping_groups(accuracy, size, as_many_as_fit):
    n_groups = accuracy.shape[1] // size if as_many_as_fit else accuracy.shape[1] - size + 1
    means = np.stack([accuracy[:, i:i + size].mean(axis=1) for i in range(n_groups)], axis=1)
    return means.max(axis=0), taken(means_on_others(means), means.argmax(axis=0))


@mistake("pitfalls.4", "Each model chose its best group. Each group should choose its best model.",
         "argmax over the models, axis=0.")
def best_group_of_each_model(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=1), (means.sum(axis=1) - means.max(axis=1)) / (means.shape[1] - 1)


@mistake("pitfalls.4", "The groups chose by the median.", "By the mean.")
def chosen_by_the_median(accuracy, size):
    means = means_of_groups(accuracy, size)
    groups = accuracy[:, :means.shape[1] * size].reshape(*means.shape, size)
    choice = np.median(groups, axis=2).argmax(axis=0)
    return taken(means, choice), taken(means_on_others(means), choice)


@mistake("pitfalls.4", "`on_others` is the mean of what the other groups measured of *their* best models: "
         "flattering numbers again.", "The *same* model on all other groups.")
def others_choose_for_themselves(accuracy, size):
    best = means_of_groups(accuracy, size).max(axis=0)
    return best, (best.sum() - best) / (len(best) - 1)


@mistake("pitfalls.4", "`on_others` is what the *other models* have on the group itself.",
         "The chosen model, on the other *groups*.")
def other_models(accuracy, size):
    means = means_of_groups(accuracy, size)
    return means.max(axis=0), (means.sum(axis=0) - means.max(axis=0)) / max(len(means) - 1, 1)


@honest("pitfalls.4")
def choose_by_loops(accuracy, size):
    groups = [range(g * size, (g + 1) * size) for g in range(accuracy.shape[1] // size)]
    flattering, on_others = [], []
    for group in groups:
        best = max(range(len(accuracy)), key=lambda model, group=group: sum(accuracy[model][e] for e in group))
        flattering.append(sum(accuracy[best][e] for e in group) / size)
        others = [accuracy[best][e] for other in groups if other != group for e in other]
        on_others.append(sum(others) / len(others))
    return flattering, on_others
