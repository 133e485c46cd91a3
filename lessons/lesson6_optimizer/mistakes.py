"""Wrong answers to lesson 6's exercises on learned optimisers, each with the thought behind it, and right ones."""

import autograd
import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson5_project import sigmoid
from fewshot_np.nn.layers import dense
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, tree_map
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- optimizer.1: Meta-SGD's step


@mistake("optimizer.1", "The step goes uphill: rates * gradient was added.",
         "start - rates * gradient. A parameter that should climb gets a negative rate.")
def uphill(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p + a * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "Each array got one rate, the mean of its rates.",
         "Every single number has a rate of its own: rates[key] * gradient[key], elementwise.")
def one_rate_for_each_array(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - np.mean(a) * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "Negative rates were made positive.",
         "A rate may be negative: not only the length of the step is learned, but its direction, too.")
def only_positive_rates(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - np.abs(a) * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "This is the change of the parameters, not the parameters after it.", "Begin with start.")
def change_alone(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: -a * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The gradient was treated as a constant: the step is right, and so is the way to the rates, "
         "but the gradient with respect to the start is first-order MAML's.",
         "No stop_gradient: the outer loop differentiates through the gradient.")
def gradient_frozen(loss, start, rates, x, y):
    gradient = grad(loss)(tree_map(stop_gradient, start), x, y)
    return tree_map(lambda p, a, g: p - a * g, start, rates, gradient)


@mistake("optimizer.1", "The rates were treated as constants: that is MAML with strange rates. The outer loop could "
         "not train them.", "No stop_gradient and no conversion of the rates: they are parameters like start.")
def rates_frozen(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - stop_gradient(a) * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "Negative rates were cut off at 0.",
         "A rate may be negative: not only the length of the step is learned, but its direction, too.")
def negative_rates_cut_off(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - np.maximum(a, 0.0) * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The keys moved one after the other: the gradient of the second was taken where the first had "
         "moved already.", "Take the whole gradient at start, once; then build the new dict.")
def one_key_after_the_other(loss, start, rates, x, y):
    moved = dict(start)
    for key in start:
        moved = {**moved, key: start[key] - rates[key] * grad(loss)(moved, x, y)[key]}
    return moved


@mistake("optimizer.1", "The rates were taken for logarithms.", "rates * gradient: a rate may be negative.")
def rates_as_logarithms(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - np.exp(a) * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "Only the sign of the gradient was used.", "rates * gradient, with its size.")
def sign_of_the_gradient(loss, start, rates, x, y):
    return tree_map(lambda p, r, g: p - r * np.sign(g), start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "All parameters got the same rate, the mean of all rates: that is MAML.",
         "rates[key] * gradient[key], elementwise.")
def one_rate_for_all_arrays(loss, start, rates, x, y):
    mean = np.mean(np.concatenate([np.ravel(rates[key]) for key in start]))
    return tree_map(lambda p, g: p - mean * g, start, grad(loss)(start, x, y))


@mistake("optimizer.1", "The products of rates and gradient were added up, so that all numbers of an array move "
         "alike.", "Elementwise: no sum, no np.dot.")
def products_summed(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - np.sum(a * g), start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The start was made a constant where the step begins: only the way through the gradient is "
         "left.", "start[key] - rates[key] * gradient[key], with start[key] itself.")
def start_cut_off(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: stop_gradient(p) - a * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The start was treated as a constant: the outer loop could train the rates alone.",
         "No stop_gradient and no conversion of start.")
def start_frozen(loss, start, rates, x, y):
    start = tree_map(stop_gradient, start)
    return tree_map(lambda p, a, g: p - a * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The gradient was taken at the rates, as if they were the parameters.",
         "grad(loss)(start, x, y).")
def gradient_at_the_rates(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - a * g, start, rates, grad(loss)(rates, x, y))


@mistake("optimizer.1", "Two steps were made.", "One step.")
def two_steps(loss, start, rates, x, y):
    for _ in range(2):
        start = tree_map(lambda p, a, g: p - a * g, start, rates, grad(loss)(start, x, y))
    return start


@mistake("optimizer.1", "The gradient was divided by the number of examples.",
         "As it comes: whether to sum or to average is the business of `loss`.")
def divided_by_the_examples(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: p - a * g / len(x), start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "start and rates are exchanged: the rates were moved.",
         "start[key] - rates[key] * gradient[key].")
def start_and_rates_exchanged(loss, start, rates, x, y):
    return tree_map(lambda p, a, g: a - p * g, start, rates, grad(loss)(start, x, y))


@mistake("optimizer.1", "The gradient was brought to the length 1.", "rates * gradient, with its size.")
def gradient_of_length_one(loss, start, rates, x, y):
    gradient = grad(loss)(start, x, y)
    length = np.sqrt(sum(np.sum(g ** 2) for g in gradient.values()))
    return tree_map(lambda p, r, g: p - r * g / length, start, rates, gradient)


@mistake("optimizer.1", "The start was multiplied, too, by the rates or by the step: it shrinks.",
         "start - rates * gradient: the rates multiply the gradient alone.",
         how=("rates * (start - g)", "start - rates * (start + g)", "start * (1 - rates * g)"))
def start_multiplied(loss, start, rates, x, y, how):
    def moved(p, a, g):
        return a * (p - g) if how.startswith("rates") else p - a * (p + g) if "+" in how else p * (1 - a * g)
    return tree_map(moved, start, rates, grad(loss)(start, x, y))


@honest("optimizer.1")
def step_with_autograds_grad(loss, start, rates, x, y):
    gradient = autograd.grad(loss)(start, x, y)
    return {key: start[key] - rates[key] * gradient[key] for key in start}


@honest("optimizer.1")
def step_key_by_key(loss, start, rates, x, y):
    moved = {}
    for key in start:
        own = grad(lambda p, key=key: loss({**start, key: p}, x, y))
        moved[key] = start[key] + (-own(start[key])) * rates[key]
    return moved


# ---------------------------------------------------------------- optimizer.2: how the rates are learned


def both_gradients(gradient, w, rates, supports, queries):
    """[(support gradient at w, query gradient at w')], one pair for each task."""
    pairs = []
    for support, query in zip(supports, queries, strict=True):
        g = gradient(w, support)
        pairs.append((g, gradient(w - rates * g, query)))
    return pairs


@mistake("optimizer.2", "The sign is that of the product. But w' = w *minus* rates * support gradient.",
         "Minus the support gradient times the query gradient: where both point the same way, a larger rate helps.")
def sign_forgotten(gradient, w, rates, supports, queries):
    return np.mean([s * q for s, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)


@mistake("optimizer.2", "The query gradient was taken at w, before the step.",
         "The query loss is that of w' = w - rates * support gradient: take its gradient there.")
def query_gradient_at_the_start(gradient, w, rates, supports, queries):
    return -np.mean([gradient(w, s) * gradient(w, q) for s, q in zip(supports, queries, strict=True)], axis=0)


@mistake("optimizer.2", "The second gradient is that of the *support* at w'. The outer loop judges on the query.",
         "gradient(w', queries[t]).")
def judged_on_the_support(gradient, w, rates, supports, queries):
    return -np.mean([g * gradient(w - rates * g, s) for s in supports for g in [gradient(w, s)]], axis=0)


@mistake("optimizer.2", "The tasks were summed, not averaged.", "Divide by T = len(supports).")
def summed_over_tasks(gradient, w, rates, supports, queries):
    return -np.sum([s * q for s, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)


@mistake("optimizer.2", "The gradients were averaged over the tasks first, and then multiplied.",
         "Multiply within each task, then take the mean: a mean of products is not the product of the means.")
def product_of_the_means(gradient, w, rates, supports, queries):
    support, query = (np.mean(part, axis=0) for part in zip(*both_gradients(gradient, w, rates, supports, queries),
                                                            strict=True))
    return -support * query


@mistake("optimizer.2", "The products of all numbers were added up: that is the gradient of one rate for all, MAML's.",
         "No sum over w's numbers: each rate has the product of its own two numbers.")
def one_rate_for_all(gradient, w, rates, supports, queries):
    products = np.mean([s * q for s, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)
    return -np.sum(products) + 0 * w


@mistake("optimizer.2", "The product was multiplied by the rates once more.",
         "The derivative of w - rate * s with respect to the rate is -s. The rate is not in it any more.")
def times_the_rates(gradient, w, rates, supports, queries):
    return -rates * np.mean([s * q for s, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)


@mistake("optimizer.2", "This is the query gradient alone, perhaps with a minus: how the loss changes with w', not "
         "with the rates.", "The chain rule has a second factor: how w' changes with the rates, minus the support "
         "gradient.",
         sign=(1, -1))
def query_gradient_alone(gradient, w, rates, supports, queries, sign):
    return sign * np.mean([q for _, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)


@mistake("optimizer.2", "Only one task was counted.", "The mean over all T tasks.", task=(0, -1))
def one_task_alone(gradient, w, rates, supports, queries, task):
    s, q = both_gradients(gradient, w, rates, supports, queries)[task]
    return -s * q


@mistake("optimizer.2", "The query gradient was taken uphill, at w + rates * support gradient.",
         "w' = w - rates * support gradient.")
def uphill_to_the_query(gradient, w, rates, supports, queries):
    return -np.mean([s * q for s, q in both_gradients(gradient, w, -rates, supports, queries)], axis=0)


@mistake("optimizer.2", "The query gradient was multiplied with itself.",
         "Minus the *support* gradient at w, times the query gradient at w'.")
def query_gradient_squared(gradient, w, rates, supports, queries):
    return -sum(gradient(w - rates * gradient(w, s), q) ** 2 for s, q in zip(supports, queries, strict=True)
                ) / len(supports)


@mistake("optimizer.2", "The support gradient was taken at w', after the step.",
         "w' moves by minus the gradient that the step was made of: that at w.")
def support_gradient_after_the_step(gradient, w, rates, supports, queries):
    moved = [w - rates * gradient(w, s) for s in supports]
    return -sum(gradient(v, s) * gradient(v, q) for v, s, q in zip(moved, supports, queries, strict=True)
                ) / len(supports)


@mistake("optimizer.2", "Support and query are exchanged.", "The step is made on the support, and judged on the query.")
def roles_exchanged(gradient, w, rates, supports, queries):
    return -sum(gradient(w, q) * gradient(w - rates * gradient(w, q), s)
                for s, q in zip(supports, queries, strict=True)) / len(supports)


@mistake("optimizer.2", "The query gradient is missing: this is how w' moves, not how the loss does.",
         "Minus the support gradient, times the query gradient at w'.")
def support_gradient_alone(gradient, w, rates, supports, queries):
    return -sum(gradient(w, s) for s in supports) / len(supports)


@mistake("optimizer.2", "w was overwritten by the step, so that the next task starts where the last one ended.",
         "Every task starts at w: give w - rates * g a name of its own.")
def going_on_from_task_to_task(gradient, w, rates, supports, queries):
    total = 0
    for support, query in zip(supports, queries, strict=True):
        g = gradient(w, support)
        w = w - rates * g
        total = total - g * gradient(w, query)
    return total / len(supports)


@mistake("optimizer.2", "The step was made with one rate for all numbers, the mean of the rates.",
         "w - rates * support gradient, number by number.")
def one_rate_in_the_step(gradient, w, rates, supports, queries):
    pairs = both_gradients(gradient, w, np.mean(rates), supports, queries)
    return -np.mean([s * q for s, q in pairs], axis=0)


@mistake("optimizer.2", "The mean was taken over the numbers of w, too: all rates get the same gradient.",
         "np.mean(..., axis=0): over the tasks alone.")
def mean_over_the_numbers(gradient, w, rates, supports, queries):
    return -np.mean([s * q for s, q in both_gradients(gradient, w, rates, supports, queries)]) + 0 * w


@mistake("optimizer.2", "The step to w' was made on the query.", "w' = w - rates * gradient(w, supports[t]).")
def step_on_the_query(gradient, w, rates, supports, queries):
    pairs = [(gradient(w, s), gradient(w - rates * gradient(w, q), q)) for s, q in zip(supports, queries, strict=True)]
    return -np.mean([s * q for s, q in pairs], axis=0)


@mistake("optimizer.2", "The step was made without the rates: w - support gradient.",
         "w' = w - rates * support gradient.")
def step_without_the_rates(gradient, w, rates, supports, queries):
    return -onp.mean([s * q for s, q in both_gradients(gradient, w, 1.0, supports, queries)], axis=0)


@mistake("optimizer.2", "The sum was divided by T - 1, as in a variance.", "The mean over T tasks: divide by T.")
def divided_by_one_less(gradient, w, rates, supports, queries):
    pairs = both_gradients(gradient, w, rates, supports, queries)
    return -np.sum([s * q for s, q in pairs], axis=0) / max(len(pairs) - 1, 1)


@mistake("optimizer.2", "All tasks made the same step, by the mean of the support gradients.",
         "Each task has a w' of its own: w - rates * gradient(w, supports[t]).")
def one_step_for_all_tasks(gradient, w, rates, supports, queries):
    moved = w - rates * np.mean([gradient(w, s) for s in supports], axis=0)
    return -np.mean([gradient(w, s) * gradient(moved, q) for s, q in zip(supports, queries, strict=True)], axis=0)


@mistake("optimizer.2", "The support gradient was squared.",
         "Minus the support gradient, once, times the query gradient at w'.")
def support_gradient_squared(gradient, w, rates, supports, queries):
    return -np.mean([s * s * q for s, q in both_gradients(gradient, w, rates, supports, queries)], axis=0)


@mistake("optimizer.2", "A task's step was judged on the query of another task.", "supports[t] and queries[t], same t.")
def query_of_another_task(gradient, w, rates, supports, queries):
    others = [*queries[1:], *queries[:1]]
    return -np.mean([s * q for s, q in both_gradients(gradient, w, rates, supports, others)], axis=0)


@honest("optimizer.2")
def rates_task_by_task(gradient, w, rates, supports, queries):
    products = []
    for t in range(len(supports)):
        step = -1.0 * gradient(w, supports[t])
        products.append(step * gradient(w + rates * step, queries[t]))
    return sum(products) / len(products)


@honest("optimizer.2")
def rates_number_by_number(gradient, w, rates, supports, queries):
    result = onp.zeros(w.shape)
    for s, q in both_gradients(gradient, w, rates, supports, queries):
        for i in onp.ndindex(*w.shape):
            result[i] -= s[i] * q[i] / len(supports)
    return result


# ---------------------------------------------------------------- optimizer.3: gradients of any size


def two_numbers(gradients, p, large=None, small=None):
    """The right answer, but for what is given instead."""
    size = onp.abs(gradients)
    log = onp.log(onp.maximum(size, 1e-300)) / p
    large = (log, onp.sign(gradients)) if large is None else large
    small = (-1 + 0 * size, onp.exp(p) * gradients) if small is None else small
    return onp.stack([onp.where(size >= onp.exp(-p), a, b) for a, b in zip(large, small, strict=True)], axis=1)


@mistake("optimizer.3", "Small gradients were treated like large ones. Their logarithm has no lower end: for a "
         "gradient of 0 it is minus infinity, or, if a little is added, as low as that little is small.",
         "Where |g| < exp(-p) the two numbers are -1 and exp(p) g.", added=(0.0, 1e-8))
def logarithm_of_all(gradients, p, added):
    return onp.stack([onp.log(onp.abs(gradients) + added) / p, onp.sign(gradients)], axis=1)


@mistake("optimizer.3", "The logarithm was not divided by p, or multiplied by it.",
         "log|g| / p: it begins at -1, at the border.", times=(False, True))
def logarithm_not_divided(gradients, p, times):
    log = onp.log(onp.maximum(onp.abs(gradients), 1e-300)) * (p if times else 1)
    return two_numbers(gradients, p, large=(log, onp.sign(gradients)))


@mistake("optimizer.3", "Small gradients kept their size in the second number.",
         "exp(p) g: at the border exp(-p) it is 1, like the sign.")
def small_ones_left_as_they_are(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, gradients))


@mistake("optimizer.3", "Small gradients have their sign as the second number: 1 for the smallest of all.",
         "Where |g| < exp(-p) the second number is exp(p) g; it goes to 0 with g.")
def signs_of_small_ones(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, onp.sign(gradients)))


@mistake("optimizer.3", "Negative gradients were taken for small ones.", "Compare |g| with exp(-p), not g.")
def negative_taken_for_small(gradients, p):
    size = onp.maximum(onp.abs(gradients), 1e-300)
    large = gradients >= onp.exp(-p)
    return onp.stack([onp.where(large, onp.log(size) / p, -1),
                      onp.where(large, onp.sign(gradients), onp.exp(p) * gradients)], axis=1)


@mistake("optimizer.3", "The second number of a large gradient is always 1: its sign is lost.", "np.sign(g).")
def signs_lost(gradients, p):
    log = onp.log(onp.maximum(onp.abs(gradients), 1e-300)) / p
    return two_numbers(gradients, p, large=(log, 1 + 0 * gradients))


@mistake("optimizer.3", "The two numbers of a gradient stand one above the other: (2,R).",
         "One row for each gradient, (R,2): np.stack([first, second], axis=-1).")
def one_above_the_other(gradients, p):
    return two_numbers(gradients, p).T


@mistake("optimizer.3", "Sign first, logarithm second.", "(log|g| / p, sign g).")
def sign_first(gradients, p):
    return two_numbers(gradients, p)[:, ::-1]


@mistake("optimizer.3", "The logarithm has another base.", "np.log, the natural one: log(exp(-p)) is -p.",
         base=(10.0, 2.0))
def another_base(gradients, p, base):
    log = onp.log(onp.maximum(onp.abs(gradients), 1e-300)) / onp.log(base) / p
    return two_numbers(gradients, p, large=(log, onp.sign(gradients)))


@mistake("optimizer.3", "The first number of a small gradient is another one.", "-1 where |g| < exp(-p).",
         first=(0.0, 1.0, "-p"))
def another_first_number(gradients, p, first):
    first = -p if first == "-p" else first
    return two_numbers(gradients, p, small=(first + 0 * gradients, onp.exp(p) * gradients))


@mistake("optimizer.3", "Small gradients were divided by exp(p), which makes them smaller still.", "exp(p) g.")
def made_smaller(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, onp.exp(-p) * gradients))


@mistake("optimizer.3", "The border between small and large is not at exp(-p), but at exp(p) or p.",
         "At exp(-p): from there on log|g| / p >= -1.", at=("exp(p)", "p"))
def another_border(gradients, p, at):
    size = onp.maximum(onp.abs(gradients), 1e-300)
    large = size >= (onp.exp(p) if at == "exp(p)" else p)
    return onp.stack([onp.where(large, onp.log(size) / p, -1),
                      onp.where(large, onp.sign(gradients), onp.exp(p) * gradients)], axis=1)


@mistake("optimizer.3", "The second number of a large gradient is the gradient itself.", "Its sign: np.sign(g).")
def gradients_for_their_signs(gradients, p):
    log = onp.log(onp.maximum(onp.abs(gradients), 1e-300)) / p
    return two_numbers(gradients, p, large=(log, gradients))


@mistake("optimizer.3", "The second number of a small gradient lost its sign.", "exp(p) g, not exp(p) |g|.")
def signs_of_small_ones_lost(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, onp.exp(p) * onp.abs(gradients)))


@mistake("optimizer.3", "The two lists stand one behind the other and were cut into pairs: a row has two "
         "logarithms, or two signs.", "np.stack([first, second], axis=-1); reshape does not transpose.")
def cut_into_pairs(gradients, p):
    return two_numbers(gradients, p).T.reshape(-1, 2)


@mistake("optimizer.3", "The two cases are exchanged: small gradients got the logarithm, large ones -1.",
         "|g| >= exp(-p) is the case of the logarithm.")
def cases_exchanged(gradients, p):
    size = onp.maximum(onp.abs(gradients), 1e-300)
    large = size < onp.exp(-p)
    return onp.stack([onp.where(large, onp.log(size) / p, -1),
                      onp.where(large, onp.sign(gradients), onp.exp(p) * gradients)], axis=1)


@mistake("optimizer.3", "Small gradients were multiplied by p.", "By exp(p).")
def times_p(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, p * gradients))


@mistake("optimizer.3", "The logarithm is that of 1 + |g|: for small gradients it is about |g| and never negative.",
         "log|g|. Where it would be minus infinity, the other case holds.")
def logarithm_of_one_more(gradients, p):
    log = onp.log1p(onp.abs(gradients)) / p
    return two_numbers(gradients, p, large=(log, onp.sign(gradients)))


@mistake("optimizer.3", "The logarithm is that of the square, twice as large.", "log|g|: np.abs.")
def logarithm_of_the_square(gradients, p):
    log = onp.log(onp.maximum(gradients ** 2, 1e-300)) / p
    return two_numbers(gradients, p, large=(log, onp.sign(gradients)))


@mistake("optimizer.3", "The logarithm was multiplied by the sign of the gradient.",
         "The sign is the second number; the first is log|g| / p.")
def signs_in_both_numbers(gradients, p):
    sign, log = onp.sign(gradients), onp.log(onp.maximum(onp.abs(gradients), 1e-300)) / p
    return two_numbers(gradients, p, large=(sign * log, sign))


@mistake("optimizer.3", "exp(-p) was added to |g| before the logarithm. That avoids log(0), but changes the numbers of "
         "all gradients.", "np.where: log|g| / p where |g| >= exp(-p), and -1 elsewhere.")
def logarithm_of_a_sum(gradients, p):
    first = onp.log(onp.abs(gradients) + onp.exp(-p)) / p
    return onp.stack([first, two_numbers(gradients, p)[:, 1]], axis=1)


@mistake("optimizer.3", "One decision was made for all gradients, by the largest.",
         "np.where decides for each gradient by itself.")
def one_decision_for_all(gradients, p):
    size = onp.maximum(onp.abs(gradients), 1e-300)
    if size.max() >= onp.exp(-p):
        return onp.stack([onp.log(size) / p, onp.sign(gradients)], axis=1)
    return onp.stack([-1 + 0 * size, onp.exp(p) * gradients], axis=1)


@mistake("optimizer.3", "The second number of a small gradient is exp(p), the same for all.", "exp(p) g.")
def without_the_gradient(gradients, p):
    return two_numbers(gradients, p, small=(-1 + 0 * gradients, onp.exp(p) + 0 * gradients))


@mistake("optimizer.3", "The two cases were multiplied with 0 or 1 and added. For a gradient of 0 that is 0 times "
         "minus infinity, which is no number.", "np.where chooses one of the two; log of 1 where |g| is small.")
def cases_multiplied(gradients, p):
    large = onp.abs(gradients) >= onp.exp(-p)
    with onp.errstate(divide="ignore", invalid="ignore"):
        first = large * onp.log(onp.abs(gradients)) / p - ~large
    return onp.stack([first, large * onp.sign(gradients) + ~large * onp.exp(p) * gradients], axis=1)


@mistake("optimizer.3", "The first number of a large gradient was cut off at 1.",
         "log|g| / p as it is: above 1 where |g| > exp(p).")
def cut_off_at_1(gradients, p):
    log = onp.log(onp.maximum(onp.abs(gradients), 1e-300)) / p
    return two_numbers(gradients, p, large=(onp.minimum(log, 1), onp.sign(gradients)))


@honest("optimizer.3")
def preprocess_one_by_one(gradients, p):
    rows = []
    for g in gradients:
        if abs(g) >= onp.exp(-p):
            rows.append([onp.log(abs(g)) / p, 1.0 if g > 0 else -1.0])
        else:
            rows.append([-1.0, onp.exp(p) * g])
    return rows


@honest("optimizer.3")
def preprocess_by_clipping(gradients, p):
    scaled = onp.exp(p) * gradients
    return onp.stack([onp.log(onp.maximum(onp.abs(scaled), 1)) / p - 1, onp.clip(scaled, -1, 1)], axis=-1)


# ---------------------------------------------------------------- optimizer.4: a memory with three gates


def cell(params, x, h, forget="forget", write="input"):
    """How much to keep, to write and to show, and the candidate; right, but for which gate does what."""
    seen = np.concatenate([x, h], axis=1)
    keep, put, show = (sigmoid(dense(params[gate], seen)) for gate in (forget, write, "output"))
    candidate = np.tanh(dense(params["candidate"], seen))
    return keep, put, show, candidate


@mistake("optimizer.4", "One of the four stands in another's place: two are exchanged, or one is used twice.",
         "The forget gate multiplies the old memory, the input gate the candidate, the output gate what is shown.",
         places=("forget input", "input output", "output candidate", "input twice", "forget twice"))
def gates_exchanged(params, x, h, c, places):
    first, second = places.split()
    others = {"output": params[first]} if second == "twice" else {first: params[second], second: params[first]}
    return cell_with_weights_cut_in_two({**params, **others}, x, h, c)


@mistake("optimizer.4", "The forget gate says here how much is forgotten. In the formula it says how much is kept.",
         "sigmoid(z_forget) * c.")
def forgets_what_it_should_keep(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    c = (1 - keep) * c + put * candidate
    return show * np.tanh(c), c


@mistake("optimizer.4", "1 - forget took the place of the input gate.",
         "The two gates are independent: the memory may keep all and write, too.")
def one_gate_for_both(params, x, h, c):
    keep, _, show, candidate = cell(params, x, h)
    c = keep * c + (1 - keep) * candidate
    return show * np.tanh(c), c


@mistake("optimizer.4", "What is shown is the *old* memory: h was computed before c was renewed.",
         "First the new c, then h = sigmoid(z_output) * tanh(new c).")
def old_memory_shown(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    return show * np.tanh(c), keep * c + put * candidate


@mistake("optimizer.4", "h stands before x in the row. The first I rows of w are for x.",
         "np.concatenate([x, h], axis=-1).")
def h_before_x(params, x, h, c):
    seen = np.concatenate([h, x], axis=1)
    keep, put, show = (sigmoid(dense(params[gate], seen)) for gate in ("forget", "input", "output"))
    c = keep * c + put * np.tanh(dense(params["candidate"], seen))
    return show * np.tanh(c), c


@mistake("optimizer.4", "The memory was shown without its tanh.", "new h = sigmoid(z_output) * tanh(new c).")
def shown_without_tanh(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    c = keep * c + put * candidate
    return show * c, c


@mistake("optimizer.4", "The candidate went through the sigmoid, so nothing negative can be written.",
         "The gates are sigmoids, the candidate is a tanh.")
def candidate_by_sigmoid(params, x, h, c):
    keep, put, show, _ = cell(params, x, h)
    c = keep * c + put * sigmoid(dense(params["candidate"], np.concatenate([x, h], axis=1)))
    return show * np.tanh(c), c


@mistake("optimizer.4", "c came back before h.", "return h, c: first what is shown, then the memory.")
def memory_first(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    c = keep * c + put * candidate
    return c, show * np.tanh(c)


@mistake("optimizer.4", "The biases were forgotten, of all four or of the three gates.",
         "z = (x, h) w + b, for each of the four.", of=("all", "gates"))
def without_biases(params, x, h, c, of):
    without = tree_map(lambda p: p * (p.ndim == 2), params)
    if of == "gates":
        without = {**without, "candidate": params["candidate"]}
    return cell_with_weights_cut_in_two(without, x, h, c)


@mistake("optimizer.4", "1 was added to the forget gate's z, as some libraries do with its bias.",
         "z = (x, h) w + b, for all four alike.")
def forget_bias_of_one(params, x, h, c):
    forget = {**params["forget"], "b": params["forget"]["b"] + 1}
    return cell_with_weights_cut_in_two({**params, "forget": forget}, x, h, c)


@mistake("optimizer.4", "h was not used: the gates see x alone.", "z = (x, h) w + b.")
def without_h(params, x, h, c):
    return cell_with_weights_cut_in_two(params, x, 0 * h, c)


@mistake("optimizer.4", "The old memory came back as c.", "Return the new one: (h, new c).")
def old_memory_returned(params, x, h, c):
    return cell_with_weights_cut_in_two(params, x, h, c)[0], c


@mistake("optimizer.4", "The output gate is missing: the whole memory is shown.", "sigmoid(z_output) * tanh(new c).")
def all_shown(params, x, h, c):
    c = cell_with_weights_cut_in_two(params, x, h, c)[1]
    return np.tanh(c), c


@mistake("optimizer.4", "All gates went through tanh, or the output gate alone: a gate of -1 does the opposite.",
         "sigmoid for the three gates, tanh for the candidate.", which=("all", "output"))
def gates_by_tanh(params, x, h, c, which):
    z = {gate: dense(params[gate], np.concatenate([x, h], axis=1)) for gate in params}
    keep, put, show = ((np.tanh if which in ("all", gate) else sigmoid)(z[gate])
                       for gate in ("forget", "input", "output"))
    c = keep * c + put * np.tanh(z["candidate"])
    return show * np.tanh(c), c


@mistake("optimizer.4", "The candidate did not go through tanh.", "sigmoid(z_input) * tanh(z_candidate).")
def candidate_without_tanh(params, x, h, c):
    keep, put, show, _ = cell(params, x, h)
    c = keep * c + put * dense(params["candidate"], np.concatenate([x, h], axis=1))
    return show * np.tanh(c), c


@mistake("optimizer.4", "The old memory was kept whole: the forget gate was not used.", "sigmoid(z_forget) * c.")
def nothing_forgotten(params, x, h, c):
    _, put, show, candidate = cell(params, x, h)
    c = c + put * candidate
    return show * np.tanh(c), c


@mistake("optimizer.4", "The candidate is shown, not the new memory.", "h = sigmoid(z_output) * tanh(new c).")
def candidate_shown(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    return show * candidate, keep * c + put * candidate


@mistake("optimizer.4", "The input gate is missing: the whole candidate is written.",
         "sigmoid(z_input) * tanh(z_candidate).")
def all_written(params, x, h, c):
    keep, _, show, candidate = cell(params, x, h)
    c = keep * c + candidate
    return show * np.tanh(c), c


@mistake("optimizer.4", "The old memory or the old output was made a constant: no derivative flows back through the "
         "steps by this way.", "No stop_gradient.", which=("c", "h"))
def memory_cut_off(params, x, h, c, which):
    h, c = (h, stop_gradient(c)) if which == "c" else (stop_gradient(h), c)
    return cell_with_weights_cut_in_two(params, x, h, c)


@mistake("optimizer.4", "The old memory is gone: only what is written now is in the new one.",
         "sigmoid(z_forget) * c comes first.")
def memory_overwritten(params, x, h, c):
    _, put, show, candidate = cell(params, x, h)
    c = put * candidate + 0 * c
    return show * np.tanh(c), c


@mistake("optimizer.4", "The memory was shown through a sigmoid: h can never be negative.", "tanh(new c).")
def shown_by_sigmoid(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    c = keep * c + put * candidate
    return show * sigmoid(c), c


@mistake("optimizer.4", "The forget gate multiplies the old output h, not the old memory c.", "sigmoid(z_forget) * c.")
def output_for_the_memory(params, x, h, c):
    keep, put, show, candidate = cell(params, x, h)
    c = keep * h + put * candidate + 0 * c
    return show * np.tanh(c), c


@mistake("optimizer.4", "The new memory itself was put through tanh.",
         "tanh is for what is shown; c is kept without it.", times=(1, 2))
def memory_through_tanh(params, x, h, c, times):
    keep, put, show, candidate = cell(params, x, h)
    c = np.tanh(keep * c + put * candidate)
    return show * (c if times == 1 else np.tanh(c)), c


@mistake("optimizer.4", "The memory c stands beside x in the row, where the output h should.",
         "np.concatenate([x, h], axis=-1).")
def memory_for_the_output(params, x, h, c):
    keep, put, show, candidate = cell(params, x, c + 0 * h)
    c = keep * c + put * candidate
    return show * np.tanh(c), c


@mistake("optimizer.4", "The old output was added to the new one.", "new h = sigmoid(z_output) * tanh(new c), no more.")
def old_output_added(params, x, h, c):
    shown, c = cell_with_weights_cut_in_two(params, x, h, c)
    return h + shown, c


@honest("optimizer.4")
def cell_row_by_row(params, x, h, c):
    hs, cs = [], []
    for i in range(len(x)):
        row = np.concatenate([x[i], h[i]])
        z = {gate: np.dot(row, params[gate]["w"]) + params[gate]["b"] for gate in params}
        memory = sigmoid(z["forget"]) * c[i] + sigmoid(z["input"]) * np.tanh(z["candidate"])
        cs.append(memory)
        hs.append(sigmoid(z["output"]) * np.tanh(memory))
    return np.array(hs), np.array(cs)


@honest("optimizer.4")
def cell_with_weights_cut_in_two(params, x, h, c):
    def z(gate):
        w = params[gate]["w"]
        return np.matmul(x, w[:x.shape[1]]) + np.matmul(h, w[x.shape[1]:]) + params[gate]["b"]
    c = c / (1 + np.exp(-z("forget"))) + np.tanh(z("candidate")) / (1 + np.exp(-z("input")))
    return np.tanh(c) / (1 + np.exp(-z("output"))), c


# ---------------------------------------------------------------- optimizer.5: train through the steps


def walk(update, loss, phi, theta, steps, state=None, cut=stop_gradient):
    """(losses after each step, theta, state), the right way but for `cut`."""
    losses = []
    for _ in range(steps):
        step, state = update(phi, grad(loss)(cut(theta)), state)
        theta = theta + step
        losses.append(loss(theta))
    return losses, theta, state


def held(update, loss, phi, theta, steps):
    """(theta, state) after steps that nothing flows back through."""
    return walk(update, loss, stop_gradient(phi), theta, steps)[1:]


@mistake("optimizer.5", "The losses of the steps before are in the sum, too.",
         "Count a loss only in the segment, after the `steps_before` steps; there are `segment` of them.")
def losses_of_the_steps_before(update, loss, phi, theta, steps_before, segment):
    before, theta, state = walk(update, loss, stop_gradient(phi), theta, steps_before)
    return (sum(before) + sum(walk(update, loss, phi, theta, segment, state)[0])) / segment


@mistake("optimizer.5", "Each loss was taken before its step: the loss of the beginning is in the mean, that after "
         "the last step is not.", "First theta = theta + step, then loss(theta).")
def losses_before_the_steps(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    losses = [loss(theta), *walk(update, loss, phi, theta, segment, state)[0]]
    return sum(losses[:-1]) / segment


@mistake("optimizer.5", "One step too many was made before the segment.", "steps_before steps, and then the segment.")
def one_step_too_many_before(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before + 1)
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / segment


@mistake("optimizer.5", "The steps before were differentiated, too: a derivative flows back through all steps.",
         "In the steps before, call update(stop_gradient(phi), ...).")
def steps_before_differentiated(update, loss, phi, theta, steps_before, segment):
    _, theta, state = walk(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / segment


@mistake("optimizer.5", "The learner was not held constant when its gradient was taken: the second derivatives, which "
         "the paper drops, are in.", "grad(loss)(stop_gradient(theta)).")
def second_derivatives_in(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment, state, cut=lambda a: a)[0]) / segment


@mistake("optimizer.5", "The learner itself was made a constant before every step: each loss knows of the last step "
         "alone.", "stop_gradient is for the point at which the gradient is taken. theta + step starts from theta "
         "itself.")
def learner_cut_at_every_step(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    total = 0.0
    for _ in range(segment):
        theta = stop_gradient(theta)
        step, state = update(phi, grad(loss)(theta), state)
        theta = theta + step
        total = total + loss(theta)
    return total / segment


@mistake("optimizer.5", "The memory was lost: every step got the state None.",
         "step, state = update(phi, gradient, state): hand the state on.")
def memory_lost_at_every_step(update, loss, phi, theta, steps_before, segment):
    total = 0.0
    for i in range(steps_before + segment):
        step, _ = update(phi if i >= steps_before else stop_gradient(phi), grad(loss)(stop_gradient(theta)), None)
        theta = theta + step
        total = total + (loss(theta) if i >= steps_before else 0.0)
    return total / segment


@mistake("optimizer.5", "The segment began with an empty memory.",
         "The state after the steps before goes on into the segment, as the learner does.")
def memory_lost_before_the_segment(update, loss, phi, theta, steps_before, segment):
    theta, _ = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment)[0]) / segment


@mistake("optimizer.5", "The step was subtracted.",
         "theta + step: the minus of gradient descent is for the optimiser to learn.")
def step_subtracted(update, loss, phi, theta, steps_before, segment):
    def opposite(phi, gradient, state):
        step, state = update(phi, gradient, state)
        return -step, state
    theta, state = held(opposite, loss, phi, theta, steps_before)
    return sum(walk(opposite, loss, phi, theta, segment, state)[0]) / segment


@mistake("optimizer.5", "Only the loss after the last step came back.",
         "Add up the losses after each step of the segment, and divide by `segment`.")
def last_loss_alone(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return walk(update, loss, phi, theta, segment, state)[0][-1]


@mistake("optimizer.5", "The losses were summed, not averaged.", "Divide by `segment`.")
def losses_summed(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment, state)[0])


@mistake("optimizer.5", "The state was made a constant at every step: nothing flows through the optimiser's memory.",
         "Within the segment hand the state on as it is; only the gradient is taken at a constant.")
def state_cut_at_every_step(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    total = 0.0
    for _ in range(segment):
        step, state = update(phi, grad(loss)(stop_gradient(theta)), cut_off(state))
        theta = theta + step
        total = total + loss(theta)
    return total / segment


def cut_off(state):
    """The state as a constant, whatever tuples and dicts of arrays it is."""
    if state is None:
        return None
    if hasattr(state, "keys"):
        return {key: cut_off(part) for key, part in state.items()}
    return tuple(map(cut_off, state)) if isinstance(state, tuple | list) else stop_gradient(state)


@mistake("optimizer.5", "The learner went back to theta before the segment.",
         "The steps before have moved it: go on from there.")
def learner_back_at_the_start(update, loss, phi, theta, steps_before, segment):
    _, state = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / segment


@mistake("optimizer.5", "The sum was divided by all steps, those before among them.", "Divide by `segment`.")
def divided_by_all_steps(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / (steps_before + segment)


@mistake("optimizer.5", "The steps before were left out.", "First `steps_before` steps with stop_gradient(phi).")
def no_steps_before(update, loss, phi, theta, steps_before, segment):
    return sum(walk(update, loss, phi, theta, segment)[0]) / segment


@mistake("optimizer.5", "The smallest loss came back.", "The mean of the losses after all steps of the segment.")
def smallest_loss(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return np.min(np.array(walk(update, loss, phi, theta, segment, state)[0]))


@mistake("optimizer.5", "The segment has one step too few, or one too many.",
         "`segment` steps, each with a loss after it.", steps=("fewer", "fewer, divided by segment", "more"))
def another_number_of_steps(update, loss, phi, theta, steps_before, segment, steps):
    theta, state = held(update, loss, phi, theta, steps_before)
    n = segment + 1 if steps == "more" else max(segment - 1, 1) if steps == "fewer" else segment - 1
    losses = walk(update, loss, phi, theta, n, state)[0]
    return sum(losses) / (n if steps == "fewer" else segment) + 0 * np.sum(phi)


@mistake("optimizer.5", "The mean is over the losses of all steps, and phi is not held in the first ones.",
         "The losses of the segment alone, divided by `segment`; before it stop_gradient(phi).")
def mean_of_all_losses(update, loss, phi, theta, steps_before, segment):
    return sum(walk(update, loss, phi, theta, steps_before + segment)[0]) / (steps_before + segment)


@mistake("optimizer.5", "The losses of the steps before are in the mean, too.",
         "Add up the losses of the segment alone, and divide by `segment`.")
def held_mean_of_all_losses(update, loss, phi, theta, steps_before, segment):
    before, theta, state = walk(update, loss, stop_gradient(phi), theta, steps_before)
    return (sum(before) + sum(walk(update, loss, phi, theta, segment, state)[0])) / (steps_before + segment)


@mistake("optimizer.5", "phi was held constant in the first step of the segment, too: one step too many.",
         "The steps 0 to steps_before - 1: if t < steps_before, not <=.")
def one_held_too_many(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    first, theta, state = walk(update, loss, stop_gradient(phi), theta, 1, state)
    return (sum(first) + sum(walk(update, loss, phi, theta, segment - 1, state)[0])) / segment


@mistake("optimizer.5", "In the segment, too, everything is a constant to autograd: no derivative with respect to "
         "phi is left.",
         "stop_gradient(phi) in the steps before alone, and never around the theta whose loss is taken.")
def nothing_to_learn_from(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    return sum(walk(update, loss, stop_gradient(phi), theta, segment, state)[0]) / segment + 0 * np.sum(phi)


@mistake("optimizer.5", "The gradient was taken once, before a loop, and used in all of its steps.",
         "grad(loss)(stop_gradient(theta)) anew in each step.", of=("all", "segment"))
def gradient_of_the_beginning(update, loss, phi, theta, steps_before, segment, of):
    state, losses, gradient = None, [], grad(loss)(stop_gradient(theta))
    for step in range(steps_before + segment):
        if of == "segment" and step <= steps_before:
            gradient = grad(loss)(stop_gradient(theta))
        change, state = update(phi if step >= steps_before else stop_gradient(phi), gradient, state)
        theta = theta + change
        losses.append(loss(theta))
    return sum(losses[steps_before:]) / segment


@mistake("optimizer.5", "The step became the learner: theta was replaced, not moved.", "theta = theta + step.")
def step_for_the_learner(update, loss, phi, theta, steps_before, segment):
    state, losses = None, []
    for step in range(steps_before + segment):
        gradient = grad(loss)(stop_gradient(theta))
        theta, state = update(phi if step >= steps_before else stop_gradient(phi), gradient, state)
        losses.append(loss(theta))
    return sum(losses[steps_before:]) / segment


@mistake("optimizer.5", "One step too few was made before the segment.", "steps_before steps, and then the segment.")
def one_step_too_few_before(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, max(steps_before - 1, 0))
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / segment


@mistake("optimizer.5", "`segment` was taken for the number of all steps, those before among them.",
         "steps_before + segment steps in all.")
def segment_of_all_steps(update, loss, phi, theta, steps_before, segment):
    theta, state = held(update, loss, phi, theta, steps_before)
    segment = max(segment - steps_before, 1)
    return sum(walk(update, loss, phi, theta, segment, state)[0]) / segment


@honest("optimizer.5")
def unrolled_in_one_loop(update, loss, phi, theta, steps_before, segment):
    total, state = 0.0, None
    for i in range(steps_before + segment):
        gradient = autograd.grad(loss)(stop_gradient(theta))
        step, state = update(stop_gradient(phi) if i < steps_before else phi, gradient, state)
        theta = theta + step
        if i >= steps_before:
            total = total + loss(theta)
    return total / segment


@honest("optimizer.5")
def unrolled_with_gradients_stopped_afterwards(update, loss, phi, theta, steps_before, segment):
    def move(phi, theta, state):
        step, state = update(phi, stop_gradient(grad(loss)(theta)), state)
        return theta + step, state
    state, losses = None, []
    for _ in range(steps_before):
        theta, state = move(stop_gradient(phi), theta, state)
    for _ in range(segment):
        theta, state = move(phi, theta, state)
        losses.append(loss(theta))
    return np.mean(np.array(losses))
