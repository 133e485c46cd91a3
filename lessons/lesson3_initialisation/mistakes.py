"""Wrong answers to lesson 3's exercises on starts, each with the thought behind it, and right ones of other kinds."""

import autograd
import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import cross_entropy, log_softmax, stop_gradient
from fewshot_np.nn.trees import grad, repeat, tree_map
from lessons.teacher.checking import honest, mistake

# ---------------------------------------------------------------- initialisation.1: fit a new head


def empty_head(features, n_way):
    return {"w": np.zeros((features.shape[1], n_way)), "b": np.zeros(n_way)}


def head_loss(head, features, labels):
    return cross_entropy(features @ head["w"] + head["b"], labels)


def descend(head, gradient, rate):
    return {key: head[key] - rate * gradient[key] for key in head}


@mistake("initialisation.1", "The steps go uphill: the gradient was added.",
         "Descent: head - learning_rate * gradient.")
def head_uphill(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = descend(head, grad(head_loss)(head, features, labels), -learning_rate)
    return head


@mistake("initialisation.1", "The loss was summed over the examples: each step is M times too long.",
         "The loss is a mean, so its gradient has a factor 1/M.")
def head_summed(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = descend(head, grad(head_loss)(head, features, labels), learning_rate * len(labels))
    return head


@mistake("initialisation.1", "Only one step counts: `steps` was not used, or every step started from zeros again.",
         "Make the empty head before the loop. The next step starts where the last one ended.")
def head_always_from_zeros(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = descend(empty_head(features, n_way), grad(head_loss)(empty_head(features, n_way), features, labels),
                       learning_rate)
    return head


@mistake("initialisation.1", "The bias did not move.",
         "Both parameters take the step. For b sum over the examples, axis=0: the mean of *all* of g is always 0.")
def head_without_bias(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = {**head, "w": head["w"] - learning_rate * grad(head_loss)(head, features, labels)["w"]}
    return head


@mistake("initialisation.1", "The softmax is missing in the gradient: logits - one-hot is that of a squared error.",
         "The gradient of the cross-entropy for the logits is (softmax(logits) - one-hot) / M.", factor=(0.5, 1.0))
def head_of_squared_errors(features, labels, n_way, learning_rate, steps, factor):
    def squared_error(head, features, labels):
        errors = features @ head["w"] + head["b"] - np.eye(n_way)[labels]
        return factor * np.sum(errors ** 2) / len(labels)
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = descend(head, grad(squared_error)(head, features, labels), learning_rate)
    return head


@mistake("initialisation.1", "One softmax was taken over all examples together.",
         "For each example the classes compete: axis=1, keepdims=True.")
def head_with_one_softmax(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        exp = np.exp(features @ head["w"] + head["b"])
        p = exp / np.sum(exp)
        g = (p - np.eye(n_way)[labels]) / len(labels)
        head = descend(head, {"w": features.T @ g, "b": np.sum(g, axis=0)}, learning_rate)
    return head


@mistake("initialisation.1", "The examples were used one after the other, a step for each.",
         "One step uses all M examples at once: the gradient of their mean loss.")
def head_example_by_example(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        for m in range(len(labels)):
            head = descend(head, grad(head_loss)(head, features[m:m + 1], labels[m:m + 1]), learning_rate)
    return head


@mistake("initialisation.1", "First one of w and b moved, then the other, with a gradient that was taken after the "
         "first had moved.", "Take both gradients at the same point, then both steps.", order=("wb", "bw"))
def head_one_after_the_other(features, labels, n_way, learning_rate, steps, order):
    head = empty_head(features, n_way)
    for _ in range(steps):
        for key in order:
            head = {**head, key: head[key] - learning_rate * grad(head_loss)(head, features, labels)[key]}
    return head


@mistake("initialisation.1", "The gradient was computed once, at zero, and used in every step.",
         "Inside the loop: each step needs the gradient at the head where it starts.")
def head_by_one_gradient(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    return descend(head, grad(head_loss)(head, features, labels), learning_rate * steps)


@mistake("initialisation.1", "The head started from random numbers.", "From all zeros: np.zeros for w and for b.",
         size=(0.01, 0.1, 1.0))
def head_from_random_numbers(features, labels, n_way, learning_rate, steps, size):
    head = {"w": size * onp.random.default_rng(0).normal(size=(features.shape[1], n_way)), "b": np.zeros(n_way)}
    for _ in range(steps):
        head = descend(head, grad(head_loss)(head, features, labels), learning_rate)
    return head


@mistake("initialisation.1", "The number of classes is that of the labels: a class without an example got no output.",
         "N is n_way.", counted=("up to the largest", "that occur"))
def head_of_the_classes_seen(features, labels, n_way, learning_rate, steps, counted):
    kept = onp.unique(labels) if counted == "that occur" else onp.arange(labels.max() + 1)
    return head_by_autograd(features, onp.searchsorted(kept, labels), len(kept), learning_rate, steps)


@mistake("initialisation.1", "One step too many was taken.", "range(steps)")
def head_one_step_more(features, labels, n_way, learning_rate, steps):
    return head_by_autograd(features, labels, n_way, learning_rate, steps + 1)


def head_with_other_means(features, labels, n_way, learning_rate, steps, of_w, of_b):
    """By hand; the gradients of w and of b are multiplied by a factor each."""
    w, b = np.zeros((features.shape[1], n_way)), np.zeros(n_way)
    for _ in range(steps):
        exp = np.exp(features @ w + b)
        g = (exp / np.sum(exp, axis=1, keepdims=True) - np.eye(n_way)[labels]) / len(labels)
        w, b = w - learning_rate * of_w * features.T @ g, b - learning_rate * of_b * np.sum(g, axis=0)
    return {"w": w, "b": b}


@mistake("initialisation.1", "The gradient of the bias was divided by the number of examples twice.",
         "(softmax - one-hot) / M, and then a *sum* over the examples.")
def head_bias_divided_twice(features, labels, n_way, learning_rate, steps):
    return head_with_other_means(features, labels, n_way, learning_rate, steps, 1, 1 / len(labels))


@mistake("initialisation.1", "The mean was taken over examples and classes: each step is N times too short.",
         "The loss is a mean over the M examples alone.")
def head_averaged_over_classes(features, labels, n_way, learning_rate, steps):
    return head_with_other_means(features, labels, n_way, learning_rate, steps, 1 / n_way, 1 / n_way)


@mistake("initialisation.1", "The head started from ones.", "From zeros: np.zeros((D, n_way)) and np.zeros(n_way).",
         of=("w and b", "w"))
def head_from_ones(features, labels, n_way, learning_rate, steps, of):
    head = empty_head(features, n_way)
    head = {key: a + 1.0 if key in of else a for key, a in head.items()}
    for _ in range(steps):
        head = descend(head, grad(head_loss)(head, features, labels), learning_rate)
    return head


@mistake("initialisation.1", "Each step used one example, the next one.", "Every step uses all M examples.")
def head_one_example_a_step(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for i in range(steps):
        i = i % len(labels)
        head = descend(head, grad(head_loss)(head, features[i:i + 1], labels[i:i + 1]), learning_rate)
    return head


@mistake("initialisation.1", "The steps become shorter and shorter.", "learning_rate stays the same in all steps.")
def head_with_shorter_steps(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for i in range(steps):
        head = descend(head, grad(head_loss)(head, features, labels), learning_rate / (i + 1))
    return head


@mistake("initialisation.1", "One step too few was taken.", "for _ in range(steps).")
def head_one_step_less(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(max(steps - 1, 0)):
        head = descend(head, grad(head_loss)(head, features, labels), learning_rate)
    return head


@mistake("initialisation.1", "The gradient of the bias was not divided by the number of examples.",
         "The loss is a mean, for w and for b: (softmax - one-hot) / M, then a sum over the examples.")
def head_bias_summed(features, labels, n_way, learning_rate, steps):
    return head_with_other_means(features, labels, n_way, learning_rate, steps, 1, len(labels))


@mistake("initialisation.1", "Each class has a sigmoid of its own, in place of one softmax over the classes.",
         "cross_entropy compares the classes with each other: exp of each logit, divided by the sum over the classes.")
def head_of_sigmoids(features, labels, n_way, learning_rate, steps):
    w, b = np.zeros((features.shape[1], n_way)), np.zeros(n_way)
    for _ in range(steps):
        p = 0.5 + 0.5 * np.tanh((features @ w + b) / 2)
        g = (p - np.eye(n_way)[labels]) / len(labels)
        w, b = w - learning_rate * features.T @ g, b - learning_rate * np.sum(g, axis=0)
    return {"w": w, "b": b}


@mistake("initialisation.1", "The softmax ran over the examples: axis 0.",
         "For each example the classes compete: axis 1.")
def head_softmax_over_examples(features, labels, n_way, learning_rate, steps):
    w, b = np.zeros((features.shape[1], n_way)), np.zeros(n_way)
    for _ in range(steps):
        exp = np.exp(features @ w + b)
        g = (exp / np.sum(exp, axis=0, keepdims=True) - np.eye(n_way)[labels]) / len(labels)
        w, b = w - learning_rate * features.T @ g, b - learning_rate * np.sum(g, axis=0)
    return {"w": w, "b": b}


@mistake("initialisation.1", "The features were taken for constants: the head is right, but no derivative flows back "
         "into them.", "No stop_gradient, and autograd's np throughout.")
def head_of_constant_features(features, labels, n_way, learning_rate, steps):
    return tree_map(lambda a: a + 0 * np.sum(features),
                    head_by_autograd(stop_gradient(features), labels, n_way, learning_rate, steps))


@mistake("initialisation.1", "The one-hot labels are missing in the gradient: every logit went down.",
         "(softmax - one-hot) / M: the logit of the own class goes up.")
def head_without_labels(features, labels, n_way, learning_rate, steps):
    w, b = np.zeros((features.shape[1], n_way)), np.zeros(n_way)
    for _ in range(steps):
        exp = np.exp(features @ w + b)
        g = exp / np.sum(exp, axis=1, keepdims=True) / len(labels)
        w, b = w - learning_rate * features.T @ g, b - learning_rate * np.sum(g, axis=0)
    return {"w": w, "b": b}


@mistake("initialisation.1", "w is (N,D): the wrong way round for features @ w.",
         "A row for each feature, a column for each class: (D,N).")
def head_transposed(features, labels, n_way, learning_rate, steps):
    head = head_by_autograd(features, labels, n_way, learning_rate, steps)
    return {"w": head["w"].T, "b": head["b"]}


@mistake("initialisation.1", "b is missing in the logits of which the gradient was taken.",
         "logits = features @ w + b in every step, with the b of that step.")
def head_of_logits_without_b(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        head = descend(head, grad(head_loss)({"w": head["w"], "b": 0 * head["b"]}, features, labels), learning_rate)
    return head


@honest("initialisation.1")
def head_by_autograd(features, labels, n_way, learning_rate, steps):
    head = empty_head(features, n_way)
    for _ in range(steps):
        gradient = autograd.grad(head_loss)(head, features, labels)
        head = {key: head[key] - learning_rate * gradient[key] for key in head}
    return head


@honest("initialisation.1")
def head_by_hand(features, labels, n_way, learning_rate, steps):
    w, b, wanted = np.zeros((features.shape[1], n_way)), np.zeros(n_way), np.eye(n_way)[labels]
    for _ in range(steps):
        exp = np.exp(features @ w + b)
        g = (exp / np.sum(exp, axis=1, keepdims=True) - wanted) / len(labels)  # (M,N)
        w, b = w - learning_rate * features.T @ g, b - learning_rate * np.sum(g, axis=0)
    return {"w": w, "b": b}


# ---------------------------------------------------------------- initialisation.2: T tasks


def stack(ends):
    return {key: np.array([end[key] for end in ends]) for key in ends[0]}


def task_by_task(loss, params, x, y, learning_rate, steps, update, forget="each task", carry=False, shorter=False):
    """forget: when the state becomes None, before "each task" or "each step", or "never". carry: the parameters.

    shorter: each step than the one before.
    """
    ends, start, state = [], params, None
    for t in range(len(x)):
        end = start
        if forget == "each task":
            state = None
        for i in range(steps):
            before, rate = None if forget == "each step" else state, learning_rate / (i + 1 if shorter else 1)
            end, state = update(end, grad(loss)(end, x[t], y[t]), before, rate)
        ends.append(end)
        start = end if carry else params
    return stack(ends)


@mistake("initialisation.2", "The optimiser's state was carried from one task to the next.",
         "A new task begins with the state None: it must not know what others needed.")
def state_kept_between_tasks(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, steps, update, forget="never")


@mistake("initialisation.2", "The optimiser began anew in every step: its state was not handed on.",
         "params, state = update(params, gradient, state, learning_rate), with None before the first step alone.")
def state_lost_between_steps(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, steps, update, forget="each step")


@mistake("initialisation.2", "The second task started where the first had ended.",
         "Each task starts from params: do not give the adapted parameters the same name.")
def carried_on(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, steps, update, carry=True)


@mistake("initialisation.2", "Only one step counts: `steps` was not used, or every step started from params again.",
         "The next step starts where the last one ended.")
def restarted(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for t in range(len(x)):
        state = None
        for _ in range(steps):
            end, state = update(params, grad(loss)(params, x[t], y[t]), state, learning_rate)
        ends.append(end)
    return stack(ends)


@mistake("initialisation.2", "All tasks shared one set of parameters, trained on the sum of their losses.",
         "repeat(params, T) gives each task its own; the gradient of the sum is then each task's own gradient.")
def trained_together(loss, params, x, y, learning_rate, steps, update):
    state, n_tasks = None, len(x)
    for _ in range(steps):
        gradient = grad(lambda params: np.sum(loss(repeat(params, n_tasks), x, y)))(params)
        params, state = update(params, gradient, state, learning_rate)
    return repeat(params, n_tasks)


@mistake("initialisation.2", "The *mean* of the tasks' losses was differentiated: each gradient is too small by the "
         "factor T. Adam divides by its size and hides it.",
         "Differentiate the sum: it gives each task its own gradient.")
def mean_of_the_tasks(loss, params, x, y, learning_rate, steps, update):
    params, state = repeat(params, len(x)), None
    for _ in range(steps):
        gradient = grad(lambda params: np.mean(loss(params, x, y)))(params)
        params, state = update(params, gradient, state, learning_rate)
    return params


@mistake("initialisation.2", "Each step took the gradient at params, not where the last step ended.",
         "grad(loss)(end, ...): the parameters that the step starts from.")
def gradient_of_the_start(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for t in range(len(x)):
        end, state = params, None
        for _ in range(steps):
            end, state = update(end, grad(loss)(params, x[t], y[t]), state, learning_rate)
        ends.append(end)
    return stack(ends)


@mistake("initialisation.2", "`update` was not used: every step was one of plain gradient descent.",
         "params, state = update(params, gradient, state, learning_rate)")
def plain_descent(loss, params, x, y, learning_rate, steps, update):
    def step(params, gradient, state, learning_rate):
        return descend(params, gradient, learning_rate), state
    return task_by_task(loss, params, x, y, learning_rate, steps, step)


@mistake("initialisation.2", "All tasks shared one set of parameters, trained on the mean of their losses.",
         "Each task has parameters of its own, which start from params and see the task's examples alone.")
def trained_on_the_mean(loss, params, x, y, learning_rate, steps, update):
    state, n_tasks = None, len(x)
    for _ in range(steps):
        gradient = grad(lambda params: np.mean(loss(repeat(params, n_tasks), x, y)))(params)
        params, state = update(params, gradient, state, learning_rate)
    return repeat(params, n_tasks)


@mistake("initialisation.2", "One step too many was taken.", "range(steps)")
def one_step_too_many(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, steps + 1, update)


@mistake("initialisation.2", "The mean over the tasks came back.", "Each task's own end: arrays with T in front.")
def averaged_ends(loss, params, x, y, learning_rate, steps, update):
    return tree_map(lambda a: np.mean(a, axis=0), task_by_task(loss, params, x, y, learning_rate, steps, update))


@mistake("initialisation.2", "All tasks were fine-tuned on the examples of the first, or at least on its labels.",
         "Task t is x[t], y[t].", of=("xy", "y"))
def examples_of_the_first_task(loss, params, x, y, learning_rate, steps, update, of):
    x, y = (np.stack([a[0]] * len(a)) if name in of else a for name, a in (("x", x), ("y", y)))
    return task_by_task(loss, params, x, y, learning_rate, steps, update)


@mistake("initialisation.2", "The changes came back, not where the tasks ended.",
         "The parameters after the last update.")
def changes_alone(loss, params, x, y, learning_rate, steps, update):
    return tree_map(lambda a, p: a - p, task_by_task(loss, params, x, y, learning_rate, steps, update), params)


@mistake("initialisation.2", "Each update used one example, the next one.",
         "Every update sees all examples of the task: grad(loss)(end, x[t], y[t]).")
def one_example_an_update(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for t in range(len(x)):
        end, state = params, None
        for i in range(steps):
            i = i % x.shape[1]
            end, state = update(end, grad(loss)(end, x[t, i:i + 1], y[t, i:i + 1]), state, learning_rate)
        ends.append(end)
    return stack(ends)


@mistake("initialisation.2", "The examples of a task came one after the other, an update for each.",
         "One step is one update, on all examples of the task at once.")
def example_by_example(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for t in range(len(x)):
        end, state = params, None
        for i in [i for _ in range(steps) for i in range(x.shape[1])]:
            end, state = update(end, grad(loss)(end, x[t, i:i + 1], y[t, i:i + 1]), state, learning_rate)
        ends.append(end)
    return stack(ends)


@mistake("initialisation.2", "One step too few was taken.", "for _ in range(steps).")
def one_step_less(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, max(steps - 1, 0), update)


@mistake("initialisation.2", "The steps go uphill: minus the gradient was handed to the optimiser.",
         "update takes the gradient as it is, and subtracts by itself.")
def minus_the_gradient(loss, params, x, y, learning_rate, steps, update):
    def uphill(params, gradient, state, learning_rate):
        return update(params, tree_map(lambda g: -g, gradient), state, learning_rate)
    return task_by_task(loss, params, x, y, learning_rate, steps, uphill)


@mistake("initialisation.2", "The gradient was taken where the last update ended, but each update started from params.",
         "end, state = update(end, gradient, state, learning_rate): the step starts where its gradient was taken.")
def updates_of_the_start(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for t in range(len(x)):
        end, state = params, None
        for _ in range(steps):
            end, state = update(params, grad(loss)(end, x[t], y[t]), state, learning_rate)
        ends.append(end)
    return stack(ends)


@mistake("initialisation.2", "The end of the last task came back for all tasks.",
         "Keep the end of each task, in a list, and stack them afterwards.")
def end_of_the_last_task(loss, params, x, y, learning_rate, steps, update):
    last = task_by_task(loss, params, x[-1:], y[-1:], learning_rate, steps, update)
    return tree_map(lambda a: np.concatenate([a] * len(x)), last)


@mistake("initialisation.2", "The learning rate or the gradient was divided by the number of examples.",
         "Both as they are: whether the loss is a mean or a sum is the loss's business.", of=("rate", "gradient"))
def divided_by_examples(loss, params, x, y, learning_rate, steps, update, of):
    def step(params, gradient, state, learning_rate):
        return update(params, tree_map(lambda g: g / x.shape[1], gradient), state, learning_rate)
    if of == "gradient":
        return task_by_task(loss, params, x, y, learning_rate, steps, step)
    return task_by_task(loss, params, x, y, learning_rate / x.shape[1], steps, update)


@mistake("initialisation.2", "The learning rate was divided by the number of the step: the steps become shorter.",
         "learning_rate stays the same in all steps.")
def shorter_and_shorter_steps(loss, params, x, y, learning_rate, steps, update):
    return task_by_task(loss, params, x, y, learning_rate, steps, update, shorter=True)


@honest("initialisation.2")
def tasks_one_by_one(loss, params, x, y, learning_rate, steps, update):
    ends = []
    for task_x, task_y in zip(x, y, strict=True):
        end, state = params, None
        for _ in range(steps):
            end, state = update(end, autograd.grad(loss)(end, task_x, task_y), state, learning_rate)
        ends.append(end)
    return {key: np.array([end[key] for end in ends]) for key in params}


@honest("initialisation.2")
def tasks_at_once(loss, params, x, y, learning_rate, steps, update):
    ends, state = repeat(params, len(x)), None
    for _ in range(steps):
        ends, state = update(ends, grad(lambda ends: np.sum(loss(ends, x, y)))(ends), state, learning_rate)
    return ends


# ---------------------------------------------------------------- initialisation.3: Reptile's step


@mistake("initialisation.3", "The step goes away from where the tasks ended.", "phi - theta points from theta to phi.")
def away(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta - outer_lr * np.mean(phi - theta, axis=0), params, adapted)


@mistake("initialisation.3", "The steps of the tasks were added, not averaged.", "The mean over T: one average step.")
def summed_over_tasks(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.sum(phi - theta, axis=0), params, adapted)


@mistake("initialisation.3", "outer_lr was not used: the start jumped to the mean of where the tasks ended.",
         "Go only the share outer_lr of the way.")
def jumped(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: np.mean(phi, axis=0) + 0 * theta, params, adapted)


@mistake("initialisation.3", "This is the step alone, without the point it starts from.", "theta + ...")
def step_alone(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: outer_lr * np.mean(phi - theta, axis=0), params, adapted)


@mistake("initialisation.3", "outer_lr times the mean of phi was added to the whole of theta.",
         "Either theta + outer_lr * (mean - theta), or (1 - outer_lr) * theta + outer_lr * mean.")
def mean_added(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.mean(phi, axis=0), params, adapted)


@mistake("initialisation.3", "The weights are exchanged: with outer_lr = 0 the start would go the whole way.",
         "(1 - outer_lr) for theta, outer_lr for the mean of phi.")
def weights_exchanged(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: outer_lr * theta + (1 - outer_lr) * np.mean(phi, axis=0), params, adapted)


@mistake("initialisation.3", "theta moved after each task, so that the later tasks pull more than the earlier ones.",
         "All differences are taken from the same theta, then averaged.")
def task_after_task(params, adapted, outer_lr):
    for t in range(len(next(iter(adapted.values())))):
        params = {key: params[key] + outer_lr * (adapted[key][t] - params[key]) for key in params}
    return params


@mistake("initialisation.3", "The mean was taken over everything, so that all numbers of a parameter move alike.",
         "axis=0: over the tasks alone.")
def mean_over_everything(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.mean(phi - theta), params, adapted)


@mistake("initialisation.3", "Only one task moved the start.", "The mean over all T tasks.", task=(0, -1))
def one_task_alone(params, adapted, outer_lr, task):
    return tree_map(lambda theta, phi: theta + outer_lr * (phi[task] - theta), params, adapted)


@mistake("initialisation.3", "The median of the tasks was taken.", "The mean.")
def median_of_the_tasks(params, adapted, outer_lr):
    return tree_map(lambda p, a: p + outer_lr * onp.median(a - p, axis=0), params, adapted)


@mistake("initialisation.3", "Each task moved a start of its own: T results came back.", "One start: the mean over T.")
def a_start_for_each_task(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * (phi - theta), params, adapted)


@mistake("initialisation.3", "The mean was divided by the number of tasks once more.", "outer_lr times the mean.")
def divided_by_tasks_twice(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.mean(phi - theta, axis=0) / len(phi), params, adapted)


@mistake("initialisation.3", "The differences were squared.", "phi - theta, which has a sign: it points to the task.")
def differences_squared(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.mean((phi - theta) ** 2, axis=0), params, adapted)


@mistake("initialisation.3", "Of the mean difference only the sign or the direction was used: the step is always as "
         "long.", "A task that ended far away pulls harder: the difference as it is.",
         kept=("signs", "direction", "direction of all keys"))
def sign_of_the_difference(params, adapted, outer_lr, kept):
    steps = tree_map(lambda theta, phi: np.mean(phi - theta, axis=0), params, adapted)
    squares = {key: np.sum(step ** 2) for key, step in steps.items()}
    if "all" in kept:
        squares = dict.fromkeys(squares, sum(squares.values()))
    if kept == "signs":
        return tree_map(lambda theta, step: theta + outer_lr * np.sign(step), params, steps)
    return {key: params[key] + outer_lr * steps[key] / np.maximum(squares[key], 1e-24) ** 0.5 for key in params}


@mistake("initialisation.3", "The mean has T + 1 terms: the start counts as one more task.",
         "The mean over the T tasks alone.")
def start_counted_as_a_task(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.sum(phi - theta, axis=0) / (len(phi) + 1), params, adapted)


@mistake("initialisation.3", "The mean of phi stands there without outer_lr.",
         "(1 - outer_lr) * theta + outer_lr * mean: the two weights sum to 1.")
def mean_without_rate(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: (1 - outer_lr) * theta + np.mean(phi, axis=0), params, adapted)


@mistake("initialisation.3", "The mean was taken over the last axis, not over the tasks.",
         "The tasks are the first axis: axis=0.", of=("all tasks", "the first task"))
def mean_over_the_last_axis(params, adapted, outer_lr, of):
    if of == "all tasks":
        return tree_map(lambda theta, phi: theta + outer_lr * np.mean(phi - theta, axis=-1), params, adapted)
    return tree_map(lambda theta, phi: theta + outer_lr * np.mean(phi - theta, axis=-1, keepdims=True)[0],
                    params, adapted)


@mistake("initialisation.3", "The sum over the tasks was divided by the number of parameters, not of tasks.",
         "The mean over T: np.mean(phi - theta, axis=0). len(params) is the number of keys.")
def divided_by_parameters(params, adapted, outer_lr):
    return tree_map(lambda theta, phi: theta + outer_lr * np.sum(phi - theta, axis=0) / len(params), params, adapted)


@honest("initialisation.3")
def reptile_key_by_key(params, adapted, outer_lr):
    return {key: (1 - outer_lr) * params[key] + outer_lr * np.mean(adapted[key], axis=0) for key in params}


@honest("initialisation.3")
def reptile_by_loops(params, adapted, outer_lr):
    moved = {}
    for key, theta in params.items():
        total = 0.0
        for phi in adapted[key]:
            total = total + (phi - theta)
        moved[key] = theta + outer_lr * total / len(adapted[key])
    return moved


# ---------------------------------------------------------------- initialisation.4: frozen features


def normalised(x):
    length = np.sqrt(np.sum(x ** 2, axis=1, keepdims=True))
    return x / np.where(length > 0, length, 1.0)


def class_means(x, labels, n_way):
    return np.array([x[labels == n].mean(axis=0) for n in range(n_way)])


def minus_distances(query, centres):
    return -np.sum((query[:, None] - centres[None]) ** 2, axis=2)


def nearest_mean(support, labels, query, n_way):
    return minus_distances(query, class_means(support, labels, n_way))


@mistake("initialisation.4", "Nothing was centred, or only after the lengths were divided out.",
         "Subtract `mean` from every row first. Afterwards it is only a shift, which no distance notices.")
def frozen_not_centred(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s), labels_s, normalised(features_q), n_way)


@mistake("initialisation.4", "Nothing was normalised.", "Divide each centred row by its own length.")
def frozen_not_normalised(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(features_s - mean, labels_s, features_q - mean, n_way)


@mistake("initialisation.4", "The mean of the support was subtracted, not that of the training images.",
         "`mean` is given; the support of a task is too small to say where the middle is.")
def frozen_centred_by_the_support(features_s, labels_s, features_q, n_way, mean):
    middle = features_s.mean(axis=0)
    return nearest_mean(normalised(features_s - middle), labels_s, normalised(features_q - middle), n_way)


@mistake("initialisation.4", "The queries were left as they are.",
         "Support and queries must go through the same two steps, or they lie in different places.")
def frozen_query_as_it_is(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s - mean), labels_s, features_q, n_way)


@mistake("initialisation.4", "The mean of a class was normalised once more.",
         "Normalise the examples, then take their mean, and leave it there.")
def frozen_normalised_means(features_s, labels_s, features_q, n_way, mean):
    centres = class_means(normalised(features_s - mean), labels_s, n_way)
    return minus_distances(normalised(features_q - mean), normalised(centres))


@mistake("initialisation.4", "Rows were divided by the square of their length.",
         "The length is the *root* of the sum of the squares.")
def frozen_divided_by_squares(features_s, labels_s, features_q, n_way, mean):
    def shortened(x):
        squares = np.sum(x ** 2, axis=1, keepdims=True)
        return x / np.where(squares > 0, squares, 1.0)
    return nearest_mean(shortened(features_s - mean), labels_s, shortened(features_q - mean), n_way)


@mistake("initialisation.4", "The sign is missing: these are distances, and the nearest class has the lowest.",
         "Minus the squared distance, so that the nearest class scores highest.")
def frozen_distances(features_s, labels_s, features_q, n_way, mean):
    return -nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way)


@mistake("initialisation.4", "The root was taken: minus the distance, not minus its square.",
         "The *squared* distance, as in part 1.")
def frozen_rooted(features_s, labels_s, features_q, n_way, mean):
    return -np.sqrt(-nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way))


@mistake("initialisation.4", "The mean of a class was taken of the features as they came, and only then centred and "
         "normalised.", "First both steps for every example, then the mean of the class.")
def frozen_means_first(features_s, labels_s, features_q, n_way, mean):
    centres = normalised(class_means(features_s, labels_s, n_way) - mean)
    return minus_distances(normalised(features_q - mean), centres)


@mistake("initialisation.4", "A row of zeros was divided by its length, 0.",
         "np.where(length > 0, length, 1.0): a row of zeros stays so.")
def frozen_zero_by_zero(features_s, labels_s, features_q, n_way, mean):
    def shown(x):
        with onp.errstate(invalid="ignore"):
            return (x - mean) / onp.linalg.norm(x - mean, axis=1, keepdims=True)
    return nearest_mean(shown(features_s), labels_s, shown(features_q), n_way)


@mistake("initialisation.4", "Dot products came back, cosines if the class mean was normalised, too: not distances.",
         "Minus the squared distance to the mean of the class.", again=(False, True))
def frozen_dot_products(features_s, labels_s, features_q, n_way, mean, again):
    centres = class_means(normalised(features_s - mean), labels_s, n_way)
    return normalised(features_q - mean) @ (normalised(centres) if again else centres).T


@mistake("initialisation.4", "The columns were divided by their lengths, not the rows.",
         "The length of a row is a sum over its D numbers: axis=1, keepdims=True.")
def frozen_lengths_of_columns(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised((features_s - mean).T).T, labels_s, normalised((features_q - mean).T).T, n_way)


@mistake("initialisation.4", "All rows were divided by one length, that of the whole array.",
         "Each row by its own: np.linalg.norm(x, axis=1, keepdims=True).")
def frozen_one_length(features_s, labels_s, features_q, n_way, mean):
    support, query = features_s - mean, features_q - mean
    return nearest_mean(support / onp.linalg.norm(support), labels_s, query / onp.linalg.norm(query), n_way)


@mistake("initialisation.4", "The queries were centred with their own mean.",
         "`mean` is that of the training images, for support and queries alike: a query comes alone.")
def frozen_queries_by_themselves(features_s, labels_s, features_q, n_way, mean):
    query = normalised(features_q - features_q.mean(axis=0))
    return nearest_mean(normalised(features_s - mean), labels_s, query, n_way)


@mistake("initialisation.4", "The queries were centred, but not normalised.",
         "Both steps for support and queries alike.")
def frozen_queries_not_normalised(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s - mean), labels_s, features_q - mean, n_way)


@mistake("initialisation.4", "Queries and classes changed places in the result.", "Row a belongs to query a: (A,N).")
def frozen_transposed(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way).T


@mistake("initialisation.4", "The squared distances to the examples were averaged, or the smallest was taken.",
         "First the mean of the class's examples, then one distance.", how=("mean", "nearest"))
def frozen_distances_to_examples(features_s, labels_s, features_q, n_way, mean, how):
    to_each = minus_distances(normalised(features_q - mean), normalised(features_s - mean))  # (A,M)
    reduce = onp.mean if how == "mean" else onp.max
    return np.array([reduce(to_each[:, labels_s == n], axis=1) for n in range(n_way)]).T


@mistake("initialisation.4", "The support was centred, but not normalised.",
         "Centre and normalise every example before the mean of the class.")
def frozen_means_centred_alone(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(features_s - mean, labels_s, normalised(features_q - mean), n_way)


@mistake("initialisation.4", "Support and queries were centred with a mean of their own each.",
         "`mean` is that of the training images, for both alike.")
def frozen_each_by_its_own_mean(features_s, labels_s, features_q, n_way, mean):
    support, query = (normalised(x - x.mean(axis=0)) for x in (features_s, features_q))
    return nearest_mean(support, labels_s, query, n_way)


@mistake("initialisation.4", "Absolute differences were summed, not squares.", "Minus the *squared* distance.")
def frozen_absolute_differences(features_s, labels_s, features_q, n_way, mean):
    centres = class_means(normalised(features_s - mean), labels_s, n_way)
    return -np.sum(np.abs(normalised(features_q - mean)[:, None] - centres), axis=2)


@mistake("initialisation.4", "The squares were averaged over the features, not summed.", "np.sum over D.")
def frozen_averaged_over_features(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way) / len(mean)


@mistake("initialisation.4", "A softmax was applied, or a log_softmax.", "Minus the squared distance, as it is.",
         log=(False, True))
def frozen_softmax(features_s, labels_s, features_q, n_way, mean, log):
    log_p = log_softmax(nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way))
    return log_p if log else np.exp(log_p)


@mistake("initialisation.4", "The support was left as it is.",
         "Support and queries must go through the same two steps, or they lie in different places.")
def frozen_support_as_it_is(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(features_s, labels_s, normalised(features_q - mean), n_way)


@mistake("initialisation.4", "Rows were divided by the sum of their absolute numbers, or by the largest of these.",
         "The length is Euclidean: the root of the sum of the squares.", by=("sum", "largest"))
def frozen_absolute_lengths(features_s, labels_s, features_q, n_way, mean, by):
    def shortened(x):
        divisors = (np.sum if by == "sum" else np.max)(np.abs(x), axis=1, keepdims=True)
        return x / np.where(divisors > 0, divisors, 1.0)
    return nearest_mean(shortened(features_s - mean), labels_s, shortened(features_q - mean), n_way)


@mistake("initialisation.4", "The mean was added, not subtracted.", "features - mean.")
def frozen_mean_added(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s + mean), labels_s, normalised(features_q + mean), n_way)


@honest("initialisation.4")
def frozen_by_loops(features_s, labels_s, features_q, n_way, mean):
    def shown(x):
        centred = x - mean
        length = np.sqrt(sum(number ** 2 for number in centred))
        return centred / length if length > 0 else centred
    centres = [sum(shown(x) for x, y in zip(features_s, labels_s, strict=True) if y == n) / sum(labels_s == n)
               for n in range(n_way)]
    return np.array([[-sum((shown(q) - c) ** 2) for c in centres] for q in features_q])


@honest("initialisation.4")
def frozen_at_once(features_s, labels_s, features_q, n_way, mean):
    return nearest_mean(normalised(features_s - mean), labels_s, normalised(features_q - mean), n_way)
