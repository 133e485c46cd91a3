"""Wrong answers to lesson 4's exercises, each with the thought behind it, and right answers of other kinds."""

import autograd
from autograd import numpy as np

from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, repeat, tree_map
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- maml.1: the inner step


@mistake("maml.1", "The step goes uphill: the gradient was added.", "Gradient *descent*: params - inner_lr * gradient.")
def uphill(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p + inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.1", "The inner rate was applied twice.", "inner_lr * gradient, once.")
def rate_twice(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p - inner_lr * inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.1", "This is the change of the parameters, not the parameters after it.", "Start from params.")
def change_alone(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: -inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.1", "The inner gradient was treated as a constant; that makes it first-order MAML. The adapted "
         "parameters are right, and the outer gradient through them is not.",
         "No stop_gradient, and no conversion of the gradient into plain numbers.")
def gradient_frozen(loss, params, x, y, inner_lr):
    gradient = grad(loss)(tree_map(stop_gradient, params), x, y)
    return tree_map(lambda p, g: p - inner_lr * g, params, gradient)


@mistake("maml.1", "The result does not depend on params any more as far as autograd can see: everything was cut off.",
         "The step starts at params themselves, not at a copy that is a constant.")
def all_frozen(loss, params, x, y, inner_lr):
    params = tree_map(stop_gradient, params)
    return tree_map(lambda p, g: p - inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.1", "Only one of the parameters moved.", "Every key of params has its gradient: loop over the keys.",
         which=(0, -1))
def one_parameter_alone(loss, params, x, y, inner_lr, which):
    key = list(params)[which]
    return {**params, key: params[key] - inner_lr * grad(loss)(params, x, y)[key]}


@mistake("maml.1", "The gradient was divided by its length.",
         "A steep loss takes a long step: use the gradient as it is.", of=("all keys", "each key"))
def unit_length(loss, params, x, y, inner_lr, of):
    gradient = grad(loss)(params, x, y)
    squares = {key: np.sum(g ** 2) for key, g in gradient.items()}
    lengths = {key: (s if of == "each key" else sum(squares.values())) ** 0.5 for key, s in squares.items()}
    return {key: params[key] - inner_lr * gradient[key] / lengths[key] for key in params}


@mistake("maml.1", "The gradient was divided by the number of examples.", "Use the gradient of the loss as it is.")
def divided_by_examples(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p - inner_lr * g / len(x), params, grad(loss)(params, x, y))


@mistake("maml.1", "This is the gradient, not the parameters after the step.", "params - inner_lr * gradient.")
def gradient_alone(loss, params, x, y, inner_lr):
    return grad(loss)(params, x, y)


@mistake("maml.1", "inner_lr was not used.", "params - inner_lr * gradient.")
def rate_missing_in_the_step(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p - g, params, grad(loss)(params, x, y))


@mistake("maml.1", "The start was cut off: only the gradient depends on params as far as autograd can see.",
         "params - inner_lr * gradient, both without stop_gradient.")
def start_frozen(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: stop_gradient(p) - inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.1", "Two steps were taken.", "One gradient, one step.")
def two_steps(loss, params, x, y, inner_lr):
    for _ in range(2):
        params = tree_map(lambda p, g: p - inner_lr * g, params, grad(loss)(params, x, y))
    return params


@mistake("maml.1", "Only the sign of the gradient was used.", "A steep loss takes a long step: the gradient as it is.")
def sign_of_the_gradient(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p - inner_lr * np.sign(g), params, grad(loss)(params, x, y))


@mistake("maml.1", "The parameters moved one after the other, each by a gradient at those that had moved already.",
         "One gradient for all keys, taken at params: g = grad(loss)(params, x, y), before any of them moves.")
def key_after_key(loss, params, x, y, inner_lr):
    moved = dict(params)
    for key in params:
        moved[key] = moved[key] - inner_lr * grad(loss)(moved, x, y)[key]
    return moved


@mistake("maml.1", "Only one example was used.", "The gradient of the loss on all of x and y.", which=(0, -1))
def one_example_alone(loss, params, x, y, inner_lr, which):
    chosen = slice(0, 1) if which == 0 else slice(-1, None)
    return tree_map(lambda p, g: p - inner_lr * g, params, grad(loss)(params, x[chosen], y[chosen]))


@honest("maml.1")
def step_with_autograds_grad(loss, params, x, y, inner_lr):
    gradient = autograd.grad(loss)(params, x, y)
    return {key: params[key] - inner_lr * gradient[key] for key in params}


@honest("maml.1")
def step_key_by_key(loss, params, x, y, inner_lr):
    moved = {}
    for key in params:
        moved[key] = params[key] - inner_lr * grad(lambda p, key=key: loss({**params, key: p}, x, y))(params[key])
    return moved


# ---------------------------------------------------------------- maml.2: the meta-objective


def step(loss, w, x, y, inner_lr):
    return w - inner_lr * grad(loss)(w, x, y)


def tasks(support_x, support_y, query_x, query_y):
    return list(zip(support_x, support_y, query_x, query_y, strict=True))


@mistake("maml.2", "The adapted parameters were judged on the support, the very examples that they were adapted to.",
         "The outer loss asks how well the task was *learned*: it takes the query.")
def judged_on_the_support(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, x, y, inner_lr), x, y) for x, y in zip(support_x, support_y, strict=True)
               ) / len(support_x)


@mistake("maml.2", "The inner step was taken on the query: the answers were learned before the test.",
         "Inner step on support_x, support_y; outer loss on query_x, query_y.")
def adapted_to_the_query(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, x, y, inner_lr), x, y) for x, y in zip(query_x, query_y, strict=True)) / len(query_x)


@mistake("maml.2", "There was no inner step: this is the query loss at w.", "Judge w - inner_lr * gradient, not w.")
def not_adapted(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(w, x, y) for x, y in zip(query_x, query_y, strict=True)) / len(query_x)


@mistake("maml.2", "The tasks were summed, not averaged: the outer rate would depend on their number.",
         "Divide by T = len(support_x).")
def summed_over_tasks(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, sx, sy, inner_lr), qx, qy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y))


@mistake("maml.2", "The inner gradient was treated as a constant: the value is right, its gradient is that of "
         "first-order MAML.", "No stop_gradient in the inner step: the outer gradient flows through it.")
def first_order(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(w - inner_lr * grad(loss)(stop_gradient(w), sx, sy), qx, qy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "The second task started from the adapted parameters of the first, the third from those of the "
         "second.", "Every task starts from w: give the adapted parameters a name of their own.")
def carried_from_task_to_task(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    total = 0.0
    for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y):
        w = step(loss, w, sx, sy, inner_lr)
        total = total + loss(w, qx, qy)
    return total / len(query_x)


@mistake("maml.2", "All tasks shared one inner step, that of their mean loss.",
         "Each task adapts parameters of its own; only then are the query losses averaged.")
def one_step_for_all(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    def mean_loss(w, xs, ys):
        return sum(loss(w, x, y) for x, y in zip(xs, ys, strict=True)) / len(xs)
    return mean_loss(step(mean_loss, w, support_x, support_y, inner_lr), query_x, query_y)


@mistake("maml.2", "The inner step goes uphill: the gradient was added.", "w - inner_lr * gradient.")
def uphill_before_the_query(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, sx, sy, -inner_lr), qx, qy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "The support loss was added to the query loss, or averaged with it.",
         "The outer loss is the query's alone; the support is for the inner step.",
         how=("added", "averaged", "added as it was before the step", "averaged as it was before the step"))
def support_loss_added(loss, w, support_x, support_y, query_x, query_y, inner_lr, how):
    def both(sx, sy, qx, qy):
        adapted = step(loss, w, sx, sy, inner_lr)
        both = loss(w if "before" in how else adapted, sx, sy) + loss(adapted, qx, qy)
        return both / 2 if "averaged" in how else both
    return sum(both(*task) for task in tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "The inner step took the gradient of the *mean* of the tasks' losses: it is T times too short.",
         "Each task's own gradient: that of the sum of the losses, or task by task.")
def inner_steps_divided_by_t(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, sx, sy, inner_lr / len(query_x)), qx, qy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "Only one task was judged.", "The mean over all T tasks.", task=(0, -1))
def one_task_alone(loss, w, support_x, support_y, query_x, query_y, inner_lr, task):
    return loss(step(loss, w, support_x[task], support_y[task], inner_lr), query_x[task], query_y[task])


@mistake("maml.2", "Support and query are exchanged: the step was taken on the query and judged on the support.",
         "Inner step on support_x, support_y; outer loss on query_x, query_y.")
def roles_exchanged(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, qx, qy, inner_lr), sx, sy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "The inner step was taken on support and query together: the answers were seen before the test.",
         "Inner step on support_x, support_y alone.")
def adapted_to_both(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, np.concatenate([sx, qx]), np.concatenate([sy, qy]), inner_lr), qx, qy)
               for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "Two inner steps were taken.", "One.")
def two_inner_steps(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, step(loss, w, sx, sy, inner_lr), sx, sy, inner_lr), qx, qy) for sx, sy, qx, qy in
               tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "Only the task with the largest loss was judged.", "The mean over all T tasks.")
def hardest_task(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    losses = [loss(step(loss, w, sx, sy, inner_lr), qx, qy)
              for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y)]
    return np.max(np.array(losses))


@mistake("maml.2", "The query losses before and after the step were subtracted: this is what the step gains.",
         "The query loss after the step, alone.", sign=(1, -1))
def gain_of_the_step(loss, w, support_x, support_y, query_x, query_y, inner_lr, sign):
    return sign * sum(loss(step(loss, w, sx, sy, inner_lr), qx, qy) - loss(w, qx, qy)
                      for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@mistake("maml.2", "All tasks were judged on the query of one task.", "Task t is judged on query_x[t], query_y[t].",
         task=(0, -1))
def query_of_one_task(loss, w, support_x, support_y, query_x, query_y, inner_lr, task):
    return sum(loss(step(loss, w, x, y, inner_lr), query_x[task], query_y[task])
               for x, y in zip(support_x, support_y, strict=True)) / len(query_x)


@mistake("maml.2", "The losses of the tasks came back one by one.", "One number: their mean.")
def losses_of_the_tasks(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return np.array([loss(step(loss, w, sx, sy, inner_lr), qx, qy)
                     for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y)])


@mistake("maml.2", "inner_lr was not used.", "w - inner_lr * gradient.")
def inner_step_without_rate(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    return sum(loss(step(loss, w, sx, sy, 1.0), qx, qy)
               for sx, sy, qx, qy in tasks(support_x, support_y, query_x, query_y)) / len(query_x)


@honest("maml.2")
def objective_task_by_task(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    losses = []
    for t in range(len(support_x)):
        adapted = w - inner_lr * autograd.grad(loss)(w, support_x[t], support_y[t])
        losses.append(loss(adapted, query_x[t], query_y[t]))
    return np.mean(np.array(losses))


@honest("maml.2")
def objective_of_all_tasks_at_once(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    ws = repeat(w, len(support_x))
    adapted = ws - inner_lr * grad(lambda ws: np.sum(loss(ws, support_x, support_y)))(ws)
    return np.mean(loss(adapted, query_x, query_y))


# ---------------------------------------------------------------- maml.3: the meta-gradient by hand


def path_of(gradient, w, support, inner_lr, steps):
    """[w_0, w_1, ..., w_steps]"""
    path = [w]
    for _ in range(steps):
        path.append(path[-1] - inner_lr * gradient(path[-1], support))
    return path


def carried_back(g, points, hessian_product, data, inner_lr):
    for w in points:
        g = g - inner_lr * hessian_product(w, data, g)
    return g


@mistake("maml.3", "This is first-order MAML: the Hessians were left out.",
         "g <- g - inner_lr * hessian_product(w_i, support, g), for each step, from the last to the first.")
def without_hessians(gradient, hessian_product, w, support, query, inner_lr, steps):
    return gradient(path_of(gradient, w, support, inner_lr, steps)[-1], query)


@mistake("maml.3", "Only the last step was carried back.",
         "There is one factor (I - inner_lr H_i) for each inner step.")
def last_step_alone(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-2:-1], hessian_product, support, inner_lr)


@mistake("maml.3", "All Hessians were taken at the last, adapted w.",
         "H_i belongs to the point w_i at which step i took its gradient: remember the points on the way.")
def hessians_at_the_end(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-1:] * steps, hessian_product, support, inner_lr)


@mistake("maml.3", "Each Hessian was taken one step too late, at w_{i+1}.",
         "The step from w_i to w_{i+1} uses the gradient at w_i; its derivative is there, too.")
def one_step_too_late(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[:0:-1], hessian_product, support, inner_lr)


@mistake("maml.3", "It was carried back once too often: also through a step from the last w, which was never taken.",
         "`steps` steps, `steps` factors: at the last w there is the query gradient, and no Hessian.")
def one_factor_more(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[::-1], hessian_product, support, inner_lr)


@mistake("maml.3", "The steps were gone through from the first to the last.",
         "Backward: the query gradient meets the last step first.")
def first_to_last(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[:-1], hessian_product, support, inner_lr)


@mistake("maml.3", "The Hessian was added: I + inner_lr H.", "The step subtracts the gradient, so I - inner_lr H.")
def hessian_added(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-2::-1] if steps else [], hessian_product, support, -inner_lr)


@mistake("maml.3", "The Hessians are those of the query loss.", "The inner steps went down the *support* loss.")
def hessians_of_the_query(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-2::-1] if steps else [], hessian_product, query, inner_lr)


@mistake("maml.3", "The query gradient was taken at the starting point w.",
         "Begin with the query gradient at the last w.")
def gradient_at_the_start(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(w, query), path[-2::-1] if steps else [], hessian_product, support, inner_lr)


@mistake("maml.3", "All Hessians were taken at the starting point w.",
         "H_i belongs to the point w_i at which step i took its gradient: remember the points on the way.")
def hessians_at_the_start(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[:1] * steps, hessian_product, support, inner_lr)


@mistake("maml.3", "inner_lr is missing before the Hessian.", "v - inner_lr * hessian_product(w_i, support, v)")
def rate_missing(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-2::-1] if steps else [], hessian_product, support, 1.0)


@mistake("maml.3", "Every Hessian was multiplied with the query gradient, not with what had been carried back so far.",
         "g = g - inner_lr * hessian_product(w_i, support, g), with the new g in the next step.")
def hessians_of_the_same_vector(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    first = gradient(path[-1], query)
    return first - inner_lr * sum(hessian_product(point, support, first) for point in path[:-1])


@mistake("maml.3", "The gradient of the support loss was carried back.", "Begin with gradient(last w, query).")
def support_carried_back(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(path[-1], support), path[-2::-1] if steps else [], hessian_product, support, inner_lr)


@mistake("maml.3", "It was carried back through the first step alone.", "Once for every step, the last one first.")
def first_step_alone(gradient, hessian_product, w, support, query, inner_lr, steps):
    points = path_of(gradient, w, support, inner_lr, steps)
    return carried_back(gradient(points[-1], query), points[:min(steps, 1)], hessian_product, support, inner_lr)


@mistake("maml.3", "The identity is missing: g became -inner_lr H g, not g - inner_lr H g.",
         "Each step carries back I - inner_lr H_i: g = g - inner_lr * hessian_product(w_i, support, g).")
def identity_missing(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    g = gradient(path[-1], query)
    for i in reversed(range(steps)):
        g = -inner_lr * hessian_product(path[i], support, g)
    return g


@mistake("maml.3", "The query gradient was taken one step too early, at the last w but one.",
         "At the last w, where all steps have been taken.")
def gradient_a_step_early(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    g = gradient(path[max(steps - 1, 0)], query)
    return carried_back(g, path[-2::-1] if steps else [], hessian_product, support, inner_lr)


@mistake("maml.3", "The inner steps were taken on the query.", "Inner steps on the support; the query judges them.",
         hessians=("support", "query"))
def path_on_the_query(gradient, hessian_product, w, support, query, inner_lr, steps, hessians):
    path = path_of(gradient, w, query, inner_lr, steps)
    of = support if hessians == "support" else query
    return carried_back(gradient(path[-1], query), path[-2::-1] if steps else [], hessian_product, of, inner_lr)


@mistake("maml.3", "The inner steps go uphill: the gradient was added.", "w_1 = w_0 - inner_lr gradient(w_0, support).")
def path_uphill(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, -inner_lr, steps)
    return carried_back(gradient(path[-1], query), path[-2::-1] if steps else [], hessian_product, support, inner_lr)


@mistake("maml.3", "The Hessians were multiplied with the gradients of the support, not with what is carried back.",
         "g = g - inner_lr * hessian_product(w_i, support, g).")
def hessians_of_the_support_gradient(gradient, hessian_product, w, support, query, inner_lr, steps):
    path = path_of(gradient, w, support, inner_lr, steps)
    g = gradient(path[-1], query)
    for point in path[-2::-1] if steps else []:
        g = g - inner_lr * hessian_product(point, support, gradient(point, support))
    return g


@mistake("maml.3", "One inner step too few or too many was taken, and carried back.", "range(steps), both times.",
         more=(-1, 1))
def another_number_of_steps(gradient, hessian_product, w, support, query, inner_lr, steps, more):
    return meta_gradient_by_recursion(gradient, hessian_product, w, support, query, inner_lr, max(steps + more, 0))


@honest("maml.3")
def meta_gradient_by_recursion(gradient, hessian_product, w, support, query, inner_lr, steps):
    if steps == 0:
        return gradient(w, query)
    adapted = w - inner_lr * gradient(w, support)
    g = meta_gradient_by_recursion(gradient, hessian_product, adapted, support, query, inner_lr, steps - 1)
    return g - inner_lr * hessian_product(w, support, g)


# ---------------------------------------------------------------- maml.4: first order against second


def descend(loss, w, x, y, inner_lr, steps):
    for _ in range(steps):
        w = step(loss, w, x, y, inner_lr)
    return w


def second_order(loss, w, support, query, inner_lr, steps):
    return grad(lambda w: loss(descend(loss, w, *support, inner_lr, steps), *query))(w)


def one_step_constant(loss, w, support, query, inner_lr, steps, which=-1):
    """The gradient where that of one inner step, the last or the first, is taken for a constant, of the others not."""
    def objective(w):
        for i in range(steps):
            gradient = grad(loss)(w, *support)
            w = w - inner_lr * (stop_gradient(gradient) if i == which % steps else gradient)
        return loss(w, *query)
    return grad(objective)(w)


@mistake("maml.4", "First and second order changed places.", "Return (first, second).")
def orders_exchanged(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    adapted = descend(loss, w, support_x, support_y, inner_lr, steps)
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return second, grad(loss)(adapted, query_x, query_y)


@mistake("maml.4", "Both are second order: the first one was differentiated through the inner steps as well.",
         "For first order differentiate the query loss alone, at the adapted w.")
def both_second_order(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return second, second


@mistake("maml.4", "Both are first order: nothing flowed back through the inner steps.",
         "For second order `grad` must see the whole way, from w over the inner steps to the query loss.")
def both_first_order(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    first = grad(loss)(descend(loss, w, support_x, support_y, inner_lr, steps), query_x, query_y)
    return first, first


@mistake("maml.4", "The first order was taken at the starting point w.", "First order, too, is taken at the adapted w.")
def first_order_at_the_start(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return grad(loss)(w, query_x, query_y), second


@mistake("maml.4", "The first order is 0: the adapted w as a whole was made a constant.",
         "Constant are the inner *gradients* alone; the adapted w moves with w.")
def adapted_w_frozen(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return np.zeros_like(w), second


@mistake("maml.4", "The second order flows through the last inner step alone; the others were cut off.",
         "Do not restart from constants between the steps: one `grad` around all of them.")
def last_step_differentiated(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    adapted = descend(loss, w, support_x, support_y, inner_lr, steps)
    before = descend(loss, w, support_x, support_y, inner_lr, steps - 1)
    return (grad(loss)(adapted, query_x, query_y),
            second_order(loss, before, (support_x, support_y), (query_x, query_y), inner_lr, 1))


@mistake("maml.4", "Only one inner step was taken.", "`steps` of them, each from where the last one ended.")
def one_step_alone(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    return orders_by_stop_gradient(loss, w, support_x, support_y, query_x, query_y, inner_lr, 1)


@mistake("maml.4", "One inner step too many was taken.", "range(steps)")
def one_step_too_many(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    return orders_by_stop_gradient(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps + 1)


@mistake("maml.4", "Both gradients are of the support loss.", "The *query* loss is judged, after steps on the support.")
def judged_on_their_support(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    return orders_by_stop_gradient(loss, w, support_x, support_y, support_x, support_y, inner_lr, steps)


@mistake("maml.4", "The first-order gradient is that of the support loss.", "The *query* gradient at the adapted w.")
def first_order_of_the_support(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    adapted = descend(loss, w, support_x, support_y, inner_lr, steps)
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return grad(loss)(adapted, support_x, support_y), second


@mistake("maml.4", "In the second order the gradient of the last step was taken for a constant.",
         "It flows back through *all* inner steps: no stop_gradient in any of them.")
def last_step_frozen(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    first = grad(loss)(descend(loss, w, support_x, support_y, inner_lr, steps), query_x, query_y)
    return first, one_step_constant(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)


@mistake("maml.4", "The second-order gradient is that of the support loss.", "The *query* loss after the inner steps.")
def second_order_of_the_support(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    support = support_x, support_y
    first = grad(loss)(descend(loss, w, support_x, support_y, inner_lr, steps), query_x, query_y)
    return first, second_order(loss, w, support, support, inner_lr, steps)


@mistake("maml.4", "In the first order only one step's gradient was made a constant, the first or the last.",
         "Every inner gradient is a constant; then the query gradient at the adapted w is all that is left.",
         which=(-1, 0))
def first_order_of_one_step(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps, which):
    support, query = (support_x, support_y), (query_x, query_y)
    return (one_step_constant(loss, w, support, query, inner_lr, steps, which),
            second_order(loss, w, support, query, inner_lr, steps))


@mistake("maml.4", "The first order is Reptile's: from the adapted w back to the start. The query was not asked.",
         "First-order MAML is the gradient of the *query* loss, at the adapted w.", divided=(True, False))
def reptile_for_the_first_order(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps, divided):
    adapted = descend(loss, w, support_x, support_y, inner_lr, steps)
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return (w - adapted) / (inner_lr if divided else 1.0), second


@mistake("maml.4", "The first order was taken one step too early, at the last w but one.",
         "At the adapted w, after all steps.")
def first_order_a_step_early(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    early = descend(loss, w, support_x, support_y, inner_lr, steps - 1)
    second = second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)
    return grad(loss)(early, query_x, query_y), second


@mistake("maml.4", "The inner steps were taken on the query.", "Inner steps on the support; the query judges them.")
def steps_on_the_query(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    query = query_x, query_y
    return (grad(loss)(descend(loss, w, *query, inner_lr, steps), *query),
            second_order(loss, w, query, query, inner_lr, steps))


@mistake("maml.4", "All inner steps, or at least those of the first order, took the gradient at the starting point w.",
         "Each step takes the gradient where the step before it ended.", of=("both", "first order"))
def steps_by_one_gradient(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps, of):
    first, second = orders_by_stop_gradient(loss, w, support_x, support_y, query_x, query_y, steps * inner_lr, 1)
    if of == "both":
        return first, second
    return first, second_order(loss, w, (support_x, support_y), (query_x, query_y), inner_lr, steps)


@mistake("maml.4", "The support loss was added before the second order was taken.",
         "The *query* loss alone; the support is for the inner steps.")
def second_order_of_both_losses(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    support, query = (support_x, support_y), (query_x, query_y)
    first = grad(loss)(descend(loss, w, *support, inner_lr, steps), *query)
    return first, second_order(loss, w, support, query, inner_lr, steps) + second_order(
        loss, w, support, support, inner_lr, steps)


@mistake("maml.4", "The second order has one factor (I - inner_lr H) in all, with the Hessian at the starting point.",
         "One factor for each inner step: `grad` around all of them finds them by itself.")
def one_hessian_for_all_steps(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    first = grad(loss)(descend(loss, w, support_x, support_y, inner_lr, steps), query_x, query_y)
    return first, first - inner_lr * grad(lambda w: np.sum(first * grad(loss)(w, support_x, support_y)))(w)


@mistake("maml.4", "The adapted parameters came back, not gradients.",
         "The gradients of the query loss: at the adapted w, and through the inner steps.")
def adapted_w_twice(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    adapted = descend(loss, w, support_x, support_y, inner_lr, steps)
    return adapted, adapted


@mistake("maml.4", "The second result is the difference of the two gradients.", "The two gradients, as they are.",
         sign=(1, -1))
def difference_of_the_orders(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps, sign):
    first, second = orders_by_stop_gradient(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps)
    return first, sign * (second - first)


@honest("maml.4")
def orders_by_stop_gradient(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    def objective(w, cut):
        for _ in range(steps):
            w = w - inner_lr * cut(autograd.grad(loss)(w, support_x, support_y))
        return loss(w, query_x, query_y)
    return [autograd.grad(objective)(w, cut) for cut in (stop_gradient, lambda g: g)]


# ---------------------------------------------------------------- maml.5: ANIL


@mistake("maml.5", "The body moved as well; that is MAML.", "Only params[\"head\"] takes a step.")
def both_move(loss, params, x, y, inner_lr):
    return tree_map(lambda p, g: p - inner_lr * g, params, grad(loss)(params, x, y))


@mistake("maml.5", "The body moved and the head stayed.", "ANIL is the other way round: the head learns the task.")
def body_moves(loss, params, x, y, inner_lr):
    return {**params, "body": params["body"] - inner_lr * grad(loss)(params, x, y)["body"]}


@mistake("maml.5", "The body is missing in what came back.", "The loss needs both: return the body as it was.")
def head_alone(loss, params, x, y, inner_lr):
    return {"head": params["head"] - inner_lr * grad(loss)(params, x, y)["head"]}


@mistake("maml.5", "The body was made a constant. The adapted head is right, but the outer loop cannot train the body "
         "any more.", "Not moved in the inner loop does not mean constant: no stop_gradient.")
def body_frozen(loss, params, x, y, inner_lr):
    params = {"body": stop_gradient(params["body"]), "head": params["head"]}
    return {**params, "head": params["head"] - inner_lr * grad(loss)(params, x, y)["head"]}


@mistake("maml.5", "The body was made a constant in what came back: the outer gradient reaches it through the step of "
         "the head alone.", "Not moved in the inner loop does not mean constant: return params[\"body\"] as it came.")
def body_returned_as_a_constant(loss, params, x, y, inner_lr):
    head = params["head"] - inner_lr * grad(loss)(params, x, y)["head"]
    return {"body": stop_gradient(params["body"]), "head": head}


@mistake("maml.5", "The inner gradient of the head was treated as a constant: the outer gradient is first order.",
         "No stop_gradient: the outer gradient flows through the step of the head, and through it into the body.")
def head_gradient_frozen(loss, params, x, y, inner_lr):
    gradient = grad(loss)(tree_map(stop_gradient, params), x, y)
    return {**params, "head": params["head"] - inner_lr * gradient["head"]}


@mistake("maml.5", "The step goes uphill: the gradient was added.", "params[\"head\"] - inner_lr * gradient.")
def head_uphill(loss, params, x, y, inner_lr):
    return {**params, "head": params["head"] + inner_lr * grad(loss)(params, x, y)["head"]}


@mistake("maml.5", "The body was a constant in the inner gradient alone: the step of the head does not know that it "
         "depends on the body.", "No stop_gradient: the gradient of the head changes with the body, too.")
def body_frozen_in_the_gradient(loss, params, x, y, inner_lr):
    gradient = grad(loss)({"body": stop_gradient(params["body"]), "head": params["head"]}, x, y)
    return {**params, "head": params["head"] - inner_lr * gradient["head"]}


@mistake("maml.5", "Nothing moved.", "The head moves by -inner_lr * its gradient.")
def nothing_moved(loss, params, x, y, inner_lr):
    return dict(params)


@mistake("maml.5", "inner_lr was not used.", "head - inner_lr * gradient.")
def head_without_rate(loss, params, x, y, inner_lr):
    return {"body": params["body"], "head": params["head"] - grad(loss)(params, x, y)["head"]}


@mistake("maml.5", "The head started from zeros.", "It starts from params[\"head\"], which the outer loop learns.")
def head_from_zeros(loss, params, x, y, inner_lr):
    zeros = {"body": params["body"], "head": 0 * params["head"]}
    return {"body": params["body"], "head": -inner_lr * grad(loss)(zeros, x, y)["head"]}


@mistake("maml.5", "The gradient of the head was taken after the body had moved.",
         "The body stays as it is: one gradient, at params.")
def head_after_the_body(loss, params, x, y, inner_lr):
    moved = {"body": params["body"] - inner_lr * grad(loss)(params, x, y)["body"], "head": params["head"]}
    return {"body": params["body"], "head": params["head"] - inner_lr * grad(loss)(moved, x, y)["head"]}


@mistake("maml.5", "The start of the head was cut off: only its gradient depends on params as far as autograd can see.",
         "params[\"head\"] - inner_lr * gradient, both without stop_gradient.")
def start_of_the_head_frozen(loss, params, x, y, inner_lr):
    gradient = grad(loss)(params, x, y)["head"]
    return {"body": params["body"], "head": stop_gradient(params["head"]) - inner_lr * gradient}


@mistake("maml.5", "This is the change of the head, not the head after it.", "params[\"head\"] - inner_lr * gradient.")
def change_of_the_head(loss, params, x, y, inner_lr):
    return {"body": params["body"], "head": -inner_lr * grad(loss)(params, x, y)["head"]}


@honest("maml.5")
def anil_by_the_head_alone(loss, params, x, y, inner_lr):
    gradient = autograd.grad(lambda head: loss({"body": params["body"], "head": head}, x, y))(params["head"])
    return {"body": params["body"], "head": params["head"] - inner_lr * gradient}


# ---------------------------------------------------------------- maml.6: T tasks at once


def total(loss):
    return lambda ws, x, y: np.sum(loss(ws, x, y))


@mistake("maml.6", "All tasks took one common step: w had no task axis when the gradient was taken, so the gradients "
         "of all tasks were added up.", "First ws = repeat(w, T), then the gradient with respect to ws.")
def without_task_axis(loss, w, x, y, inner_lr, steps):
    for _ in range(steps):
        w = w - inner_lr * sum(grad(total(loss))(repeat(w, len(x)), x, y))
    return repeat(w, len(x))


@mistake("maml.6", "All tasks shared one w: its gradient is the sum over the tasks, and one w came back, not T.",
         "First ws = repeat(w, T), then the gradient with respect to ws.")
def one_w_for_all(loss, w, x, y, inner_lr, steps):
    for _ in range(steps):
        w = w - inner_lr * grad(total(loss))(w, x, y)
    return w


@mistake("maml.6", "The *mean* of the losses was differentiated: each task's step is too short by the factor T.",
         "The gradient of the sum is each task's own gradient; that of the mean is 1/T of it.")
def mean_of_the_losses(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        ws = ws - inner_lr * grad(lambda ws: np.mean(loss(ws, x, y)))(ws)
    return ws


@mistake("maml.6", "Only one step was taken: `steps` was not used, or every step started from w again.",
         "The next step starts where the last one ended: ws = ws - ...")
def always_from_the_start(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        adapted = ws - inner_lr * grad(total(loss))(ws, x, y)
    return adapted


@mistake("maml.6", "The adapted parameters of the tasks were averaged into one set.",
         "Each task keeps its own: return (T,D,N).")
def averaged_afterwards(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        ws = ws - inner_lr * grad(total(loss))(ws, x, y)
    return np.mean(ws, axis=0)


@mistake("maml.6", "The gradients were treated as constants: the adapted parameters are right, the outer gradient is "
         "first order.", "No stop_gradient in the loop.")
def gradients_frozen(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        ws = ws - inner_lr * stop_gradient(grad(total(loss))(ws, x, y))
    return ws


@mistake("maml.6", "One task started where another had ended.", "All tasks start from the same w.")
def one_after_the_other(loss, w, x, y, inner_lr, steps):
    adapted = []
    for t in range(len(x)):
        for _ in range(steps):
            w = (repeat(w, 1) - inner_lr * grad(total(loss))(repeat(w, 1), x[t:t + 1], y[t:t + 1]))[0]
        adapted.append(w)
    return np.array(adapted)


@mistake("maml.6", "One step too many was taken.", "range(steps)")
def one_step_more(loss, w, x, y, inner_lr, steps):
    return adapt_with_added_zeros(loss, w, x, y, inner_lr, steps + 1)


@mistake("maml.6", "The steps go uphill: the gradient was added.", "ws - inner_lr * gradient.")
def all_uphill(loss, w, x, y, inner_lr, steps):
    return adapt_with_added_zeros(loss, w, x, y, -inner_lr, steps)


@mistake("maml.6", "The tasks were adapted one after the other, by T gradients a step.",
         "ws = repeat(w, T), and `grad` of np.sum(loss(ws, x, y)): one gradient for all tasks.")
def adapt_task_by_task(loss, w, x, y, inner_lr, steps):
    adapted = []
    for t in range(len(x)):
        own = w
        for _ in range(steps):
            own = own - inner_lr * autograd.grad(loss)(own, x[t], y[t])
        adapted.append(own)
    return np.array(adapted)


@mistake("maml.6", "All steps used the gradients at the start.",
         "Each step takes the gradients where the tasks are now.")
def gradients_of_the_start(loss, w, x, y, inner_lr, steps):
    w = repeat(w, len(x))
    return w - steps * inner_lr * grad(total(loss))(w, x, y)


@mistake("maml.6", "All tasks took the same steps, by the mean of their gradients.",
         "Every task follows its own gradient: no mean over the tasks.")
def mean_gradient_for_all(loss, w, x, y, inner_lr, steps):
    w = repeat(w, len(x))
    for _ in range(steps):
        w = w - inner_lr * repeat(np.mean(grad(total(loss))(w, x, y), axis=0), len(x))
    return w


@mistake("maml.6", "All tasks got the mean of their adapted parameters.", "Each task keeps its own.")
def mean_for_all(loss, w, x, y, inner_lr, steps):
    adapted = repeat(w, len(x))
    for _ in range(steps):
        adapted = adapted - inner_lr * grad(total(loss))(adapted, x, y)
    return repeat(np.mean(adapted, axis=0), len(x))


@mistake("maml.6", "One step too few was taken.", "for _ in range(steps).")
def one_step_less(loss, w, x, y, inner_lr, steps):
    w = repeat(w, len(x))
    for _ in range(max(steps - 1, 0)):
        w = w - inner_lr * grad(total(loss))(w, x, y)
    return w


@mistake("maml.6", "w was made a constant before it was copied: no gradient reaches the start.",
         "repeat(w, T) of w itself: going back, the gradients of the copies are summed.")
def start_cut_off(loss, w, x, y, inner_lr, steps):
    ws = repeat(stop_gradient(w), len(x))
    for _ in range(steps):
        ws = ws - inner_lr * grad(total(loss))(ws, x, y)
    return ws + 0 * np.sum(w)


@mistake("maml.6", "The changes came back, not the adapted parameters.", "ws after the last step.")
def changes_of_the_tasks(loss, w, x, y, inner_lr, steps):
    return adapt_with_added_zeros(loss, w, x, y, inner_lr, steps) - w


@mistake("maml.6", "The gradients were taken where the last step ended, but every step started from w.",
         "ws = ws - inner_lr * gradient: the step starts where its gradient was taken.")
def steps_from_w(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        ws = w - inner_lr * grad(total(loss))(ws, x, y)
    return ws


@mistake("maml.6", "The loss was called twice in each step.",
         "`grad` calls it by itself, and once is enough: leave out the other call.")
def loss_called_twice(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        before = loss(ws, x, y)
        ws = ws - inner_lr * grad(total(loss))(ws, x, y) + 0 * np.sum(before)
    return ws


@mistake("maml.6", "The gradient was divided by the number of examples.", "Use the gradient of the loss as it is.")
def gradients_divided_by_examples(loss, w, x, y, inner_lr, steps):
    return adapt_with_added_zeros(loss, w, x, y, inner_lr / x.shape[1], steps)


@mistake("maml.6", "The squares of the losses were summed.", "np.sum(loss(ws, x, y)): the losses themselves.")
def sum_of_squared_losses(loss, w, x, y, inner_lr, steps):
    ws = repeat(w, len(x))
    for _ in range(steps):
        ws = ws - inner_lr * grad(lambda ws: np.sum(loss(ws, x, y) ** 2))(ws)
    return ws


@mistake("maml.6", "The inner rate was divided by the number of steps.", "inner_lr in each step, however many.")
def rate_divided_by_steps(loss, w, x, y, inner_lr, steps):
    return adapt_with_added_zeros(loss, w, x, y, inner_lr / steps, steps)


@honest("maml.6")
def adapt_all_by_the_sum(loss, w, x, y, inner_lr, steps):
    ws = np.array([w] * len(x))
    for _ in range(steps):
        ws = ws - inner_lr * autograd.grad(lambda ws: np.sum(loss(ws, x, y)))(ws)
    return ws


@honest("maml.6")
def adapt_with_added_zeros(loss, w, x, y, inner_lr, steps):
    ws = w + np.zeros((len(x), *[1] * w.ndim))
    for _ in range(steps):
        ws = ws - inner_lr * autograd.elementwise_grad(loss)(ws, x, y)
    return ws


# ---------------------------------------------------------------- maml.7: conjugate gradients


def steps_of(product, b, steps, start=0.0, length_of=None, next_direction=None, shrink=1.0):
    """Conjugate gradients with a part of it replaced; a step that would divide by 0 is not taken."""
    length_of = length_of or (lambda r, d, image: (r @ r) / (d @ image))
    next_direction = next_direction or (lambda new, old, d, b: new + (new @ new) / (old @ old) * d)
    x = start * b
    r = b - product(x) if start else b
    d = r
    for _ in range(steps):
        if not np.any(r) or not np.any(d):
            break
        image = product(d)
        length = length_of(r, d, image)
        x, new = x + length * d, r - shrink * length * image
        d, r = next_direction(new, r, d, b), new
    return x


@mistake("maml.7", "Every direction was the residual alone: this is steepest descent, whose steps undo one another.",
         "d = new r + (new r.new r / old r.old r) * d: a part of the last direction remains.")
def steepest_descent(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: new)


@mistake("maml.7", "The share of the last direction is upside down: old over new.", "new r.new r / old r.old r.")
def ratio_upside_down(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: new + (old @ old) / (new @ new) * d
                    if np.any(new) else new)


@mistake("maml.7", "The share of the last direction was not squared: it is the ratio of the lengths of the residuals.",
         "new r.new r / old r.old r, without a root.")
def ratio_of_lengths(product, b, steps):
    return steps_of(product, b, steps,
                    next_direction=lambda new, old, d, b: new + np.sqrt((new @ new) / (old @ old)) * d)


@mistake("maml.7", "The share of the last direction was measured from b, not from the residual of the step before.",
         "Remember r.r before r changes.")
def ratio_to_b(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: new + (new @ new) / (b @ b) * d)


@mistake("maml.7", "The last direction was subtracted.", "d = new r *plus* a share of the last d.")
def direction_subtracted(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: new - (new @ new) / (old @ old) * d)


@mistake("maml.7", "The length of the step does not know A: it is 1, as if A were the identity.",
         "length = r.r / d.Ad.", then=("all else right", "along the residual"))
def length_without_a(product, b, steps, then):
    if then == "along the residual":
        return steps_of(product, b, steps, length_of=lambda *_: 1.0, next_direction=lambda new, old, d, b: new)
    return steps_of(product, b, steps, length_of=lambda r, d, image: (r @ r) / (d @ d))


@mistake("maml.7", "The length was computed with A r in place of A d: right in the first step alone.",
         "The step goes along d, so its length is r.r / d.Ad.")
def length_along_the_residual(product, b, steps):
    return steps_of(product, b, steps, length_of=lambda r, d, image: (r @ r) / (r @ product(r)))


@mistake("maml.7", "The length was turned upside down.", "length = r.r / d.Ad.")
def length_upside_down(product, b, steps):
    return steps_of(product, b, steps, length_of=lambda r, d, image: (d @ image) / (r @ r))


@mistake("maml.7", "The residual grew: the image of the step was added to it.",
         "x + length * d leaves b - A x - length * Ad.")
def residual_grows(product, b, steps):
    return steps_of(product, b, steps, shrink=-1.0)


@mistake("maml.7", "It began at x = b, not at 0.", "x = 0, so the first residual is b itself.",
         residual=("b - A b", "b"))
def started_from_b(product, b, steps, residual):
    return steps_of(product, b, steps, start=1.0) if residual == "b - A b" else b + steps_of(product, b, steps)


@mistake("maml.7", "One step too many was taken.", "range(steps)")
def one_more_direction(product, b, steps):
    return steps_of(product, b, steps + 1)


@mistake("maml.7", "One step was missing.", "range(steps)")
def one_step_missing(product, b, steps):
    return steps_of(product, b, steps - 1)


@mistake("maml.7", "Where the equation was solved, 0 was divided by 0.", "Stop, or keep x, where r is 0.")
def divides_zero_by_zero(product, b, steps):
    x, r, d = 0 * b, b, b
    with np.errstate(invalid="ignore"):
        for _ in range(steps):
            image = product(d)
            length = (r @ r) / (d @ image)
            x, new = x + length * d, r - length * image
            d, r = new + (new @ new) / (r @ r) * d, new
    return x


@mistake("maml.7", "This returns the residual, not x.", "x is what solves the equation, r is what is still missing.")
def residual_returned(product, b, steps):
    return b - product(steps_of(product, b, steps))


@mistake("maml.7", "The residual was computed anew in each step, which takes a second product.",
         "r - length * Ad is b - A x, and Ad is known already.")
def two_products_a_step(product, b, steps):
    x, d, r = 0 * b, b, b
    for _ in range(steps):
        if not np.any(r):
            break
        x = x + (r @ r) / (d @ product(d)) * d
        new = b - product(x)
        d, r = new + (new @ new) / (r @ r) * d, new
    return x


@mistake("maml.7", "The share of the last direction is always 1. Was r.r computed twice after r had changed?",
         "Remember the old r.r before r changes: new r.new r / old r.old r.")
def share_of_one(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: new + d)


@mistake("maml.7", "The steps ended while the residual was merely small.",
         "Only where r is 0 the equation is solved; until then every step counts. b itself may be small.",
         small=(0.001, 0.01, 0.1, 0.3))
def stopped_early(product, b, steps, small):
    return steps_of(product, b, steps, length_of=lambda r, d, image: (r @ r) / (d @ image) * (r @ r >= small ** 2))


@mistake("maml.7", "The share multiplies the new residual, not the last direction.",
         "d = new r + (new r.new r / old r.old r) * d.")
def share_of_the_residual(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: (new @ new) / (old @ old) * new + d)


@mistake("maml.7", "The next direction was made from the old residual, not from the new one.",
         "d = new r + (new r.new r / old r.old r) * d.")
def direction_from_the_old_residual(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: old + (new @ new) / (old @ old) * d)


@mistake("maml.7", "d.d stands above d.Ad in the length.", "length = r.r / d.Ad.")
def length_of_the_direction(product, b, steps):
    return steps_of(product, b, steps, length_of=lambda r, d, image: (d @ d) / (d @ image))


@mistake("maml.7", "The length was divided by Ad.Ad, not by d.Ad.", "length = r.r / d.Ad.")
def length_by_the_image(product, b, steps):
    return steps_of(product, b, steps, length_of=lambda r, d, image: (r @ r) / (image @ image))


@mistake("maml.7", "The residual shrank by length * d, as if A were the identity.",
         "r - length * Ad, so that it stays b - A x.")
def residual_without_a(product, b, steps):
    x, r, d = 0 * b, b, b
    for _ in range(steps):
        if not np.any(r):
            break
        length = (r @ r) / (d @ product(d))
        x, new = x + length * d, r - length * d
        d, r = new + (new @ new) / (r @ r) * d, new
    return x


@mistake("maml.7", "x moved along the *next* direction.", "x grows by length * d before d is made anew.")
def along_the_next_direction(product, b, steps):
    x, r, d = 0 * b, b, b
    for _ in range(steps):
        if not np.any(r):
            break
        image = product(d)
        length = (r @ r) / (d @ image)
        new = r - length * image
        d, r = new + (new @ new) / (r @ r) * d, new
        x = x + length * d
    return x


@mistake("maml.7", "`steps` was not used: x is the solution, not where that many steps lead.",
         "range(steps), also where more steps would lead further.")
def solved_to_the_end(product, b, steps):
    return steps_of(product, b, len(b))


@mistake("maml.7", "All steps went along b, the first direction.",
         "d = new r + (new r.new r / old r.old r) * d after each step.")
def always_along_b(product, b, steps):
    return steps_of(product, b, steps, next_direction=lambda new, old, d, b: b)


@honest("maml.7")
def conjugate_gradients_that_stop(product, b, steps):
    return steps_of(product, b, steps)


@honest("maml.7")
def every_direction_made_conjugate_to_all_before(product, b, steps):
    """The same x in another way: each residual, minus its parts along all directions so far, as A measures them."""
    x, r, directions = 0 * b, b, []
    for _ in range(steps):
        d = r - sum((r @ image) / (other @ image) * other for other, image in directions)
        if np.allclose(r, 0, atol=1e-12):
            break
        image = product(d)
        length = (r @ d) / (d @ image)
        x, r, directions = x + length * d, r - length * image, [*directions, (d, image)]
    return x


# ---------------------------------------------------------------- maml.8: the head from prototypes


def centres_of(features, labels, n_way):
    return np.array([np.mean(features[labels == n], axis=0) for n in range(n_way)])  # (N,D)


def head_of(centres, factor=2.0, bias=1.0):
    return {"w": factor * centres.T, "b": -bias * np.sum(centres ** 2, axis=1)}


@mistake("maml.8", "The factor 2 is missing in w.", "-|f - c|^2 = 2 c.f - |c|^2 - |f|^2.")
def factor_missing(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), factor=1.0)


@mistake("maml.8", "Everything was halved: the same class wins, but the softmax is flatter than that of the distances.",
         "w = 2 c, b = -|c|^2, without dividing both by 2.")
def halved(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), factor=1.0, bias=0.5)


@mistake("maml.8", "The bias has the wrong sign: a class far from 0 would be preferred.", "b = -|c|^2.")
def bias_positive(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), bias=-1.0)


@mistake("maml.8", "The bias is missing.", "b = -|c|^2: without it the class with the longest prototype wins.")
def bias_zero(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), bias=0.0)


@mistake("maml.8", "The bias is minus the length of the prototype, not of its square.", "b = -|c|^2, without a root.")
def bias_not_squared(features, labels, n_way):
    centres = centres_of(features, labels, n_way)
    return {"w": 2 * centres.T, "b": -np.sqrt(np.sum(centres ** 2, axis=1))}


@mistake("maml.8", "The features of a class were summed, not averaged.", "The prototype is the mean.")
def summed_up(features, labels, n_way):
    return head_of(np.array([np.sum(features[labels == n], axis=0) for n in range(n_way)]))


@mistake("maml.8", "The squares were averaged in place of the features: this is the mean of |f|^2, not |c|^2.",
         "First the prototype, then its square.")
def mean_of_squares(features, labels, n_way):
    squares = np.array([np.mean(np.sum(features[labels == n] ** 2, axis=1)) for n in range(n_way)])
    return {"w": 2 * centres_of(features, labels, n_way).T, "b": -squares}


@mistake("maml.8", "w is (N,D): the wrong way round for f @ w.", "w = 2 c transposed, (D,N).")
def not_transposed(features, labels, n_way):
    head = head_of(centres_of(features, labels, n_way))
    return {"w": head["w"].T, "b": head["b"]}


@mistake("maml.8", "The prototypes were made constants. The head is right; no gradient reaches the body.",
         "No stop_gradient: the meta-gradient flows through the prototypes.")
def prototypes_frozen(features, labels, n_way):
    return head_of(centres_of(stop_gradient(features), labels, n_way))


@mistake("maml.8", "The labels were not used: the features were taken to come class by class.",
         "features[labels == n] are those of class n.")
def labels_ignored(features, labels, n_way):
    return head_of(np.array([np.mean(part, axis=0) for part in np.array_split(features, n_way)]))


@mistake("maml.8", "The bias is minus the square of w, not of the prototype: four times too large.",
         "b = -|c|^2; only w has the factor 2.")
def bias_of_the_weights(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), bias=4.0)


@mistake("maml.8", "The square of the prototype was averaged over the features, not summed.", "|c|^2 is a sum over D.")
def bias_averaged(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), bias=1.0 / features.shape[1])


@mistake("maml.8", "The bias was doubled, or halved, and w was not.", "w = 2 c, b = -|c|^2.", factor=(2.0, 0.5))
def bias_times_a_factor(features, labels, n_way, factor):
    return head_of(centres_of(features, labels, n_way), bias=factor)


@mistake("maml.8", "The classes stand in the order in which they first appear.", "Column n is that of label n.")
def head_in_order_of_appearance(features, labels, n_way):
    return head_of(np.array([np.mean(features[labels == n], axis=0) for n in dict.fromkeys(labels.tolist())]))


@mistake("maml.8", "The sum over a class was divided by M / N, as if all classes had equally many examples.",
         "Count the examples of each class.")
def divided_by_an_equal_share(features, labels, n_way):
    return head_of(np.eye(n_way)[labels].T @ features * (n_way / len(labels)))


@mistake("maml.8", "The bias was made a constant: no gradient reaches the body through it.",
         "No stop_gradient: the meta-gradient flows through w and b.")
def bias_frozen(features, labels, n_way):
    head = head_of(centres_of(features, labels, n_way))
    return {"w": head["w"], "b": stop_gradient(head["b"])}


@mistake("maml.8", "The numbers of a prototype were summed first and squared afterwards.",
         "|c|^2: square each number, then sum over D.")
def bias_sum_squared(features, labels, n_way):
    centres = centres_of(features, labels, n_way)
    return {"w": 2 * centres.T, "b": -np.sum(centres, axis=1) ** 2}


@mistake("maml.8", "w has the wrong sign: the farthest class would win.",
         "w = 2 c: -|f - c|^2 = 2 c.f - |c|^2 - |f|^2.")
def weights_negative(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), factor=-2.0)


@mistake("maml.8", "The prototypes were brought to the length 1.", "The mean, as it is.")
def centres_of_length_one(features, labels, n_way):
    centres = centres_of(features, labels, n_way)
    return head_of(centres / np.sqrt(np.sum(centres ** 2, axis=1, keepdims=True)))


@mistake("maml.8", "The squares were summed over the classes, not over the features.",
         "One bias for each class: the sum over D, (N,).")
def bias_summed_over_classes(features, labels, n_way):
    centres = centres_of(features, labels, n_way)
    return {"w": 2 * centres.T, "b": -np.sum(centres ** 2, axis=0)}


@mistake("maml.8", "w was made a constant: no gradient reaches the body through it.",
         "No stop_gradient: the meta-gradient flows through w and b.")
def weights_frozen(features, labels, n_way):
    head = head_of(centres_of(features, labels, n_way))
    return {"w": stop_gradient(head["w"]), "b": head["b"]}


@mistake("maml.8", "w and b have the wrong sign: these are distances, and the farthest class would win.",
         "w = 2 c, b = -|c|^2: the nearest class must have the highest logit.")
def both_signs_turned_round(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way), factor=-2.0, bias=-1.0)


@honest("maml.8")
def head_by_one_hot_labels(features, labels, n_way):
    members = np.eye(n_way)[labels]  # (M,N)
    centres = np.einsum("mn,md->nd", members, features) / np.sum(members, axis=0)[:, None]
    return {"w": np.transpose(2 * centres), "b": -np.einsum("nd,nd->n", centres, centres)}


@honest("maml.8")
def head_class_by_class(features, labels, n_way):
    return head_of(centres_of(features, labels, n_way))
