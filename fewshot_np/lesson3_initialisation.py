"""Lesson 3: where gradient descent starts. The same few steps, from a better place.

Five new characters, one example of each, and plain gradient descent on those five images: from random weights that
ends in a poor classifier, because 28,000 weights can fit five images in a great many ways. An *optimisation-based*
method keeps the gradient descent and changes its starting point. There are two ways to come by a good one.

  pretrain        train one network to tell *all* the training characters apart, with one big softmax head; then throw
                  the head away, put an empty one in its place, and fine-tune on the few examples: the new head only,
                  or all weights. No episode, nothing "meta", and a strong baseline: done with care it is on a par with
                  many meta-learning methods (Chen et al. 2019, Dhillon et al. 2020), and here it wins.
  meta-learn      look for a start theta from which fine-tuning goes well, by doing it. Reptile (Nichol, Achiam &
                  Schulman 2018): take a task, fine-tune a copy of theta on it to phi, move theta a little towards
                  phi. Where phi - theta points is all that it uses: no derivative flows through the inner steps.

Such a start is not a classifier: the labels 0...N-1 mean other characters in every task, so that before its first
step each of them guesses. What has been learned is how steeply the curve rises from there.

    python -m fewshot_np.lesson3_initialisation
"""

import time
from collections import deque
from functools import partial
from typing import Any, NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import STYLES, new_figure, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay, linear_decay, sgd
from fewshot_np.nn.primitives import cross_entropy, stop_gradient
from fewshot_np.nn.trees import leaves, repeat, task_gradient, tree_map

# ---------------------------------------------------------------- fine-tuning: T tasks at once


def classification_loss(network, params, x, y):
    """Cross-entropy of the network's logits: () or (T,). Batch norm uses the statistics of the images x alone."""
    return cross_entropy(network.apply(params, x), y)


def head_loss(head, features, y):
    """The same for a head alone, on features that do not change: () or (T,)."""
    return cross_entropy(dense(head, features), y)


def fine_tuning(loss, params, batches, learning_rate, update=sgd):
    """Yield params, then params after one update on loss(params, x, y) for each (x, y) of `batches`.

    For T tasks at once the loss is (T,), and x, y and every parameter have the task axis in front: the gradient of the
    sum is each task's own. The state of the optimiser (`update`, see `nn.optimizers`) is new for each call, so none is
    carried from task to task. ValueError where the loss has a task axis and a parameter has not.
    """
    gradient = task_gradient(loss)
    yield params
    state = None
    for x, y in batches:
        params, state = update(params, gradient(params, x, y), state, learning_rate)
        yield params


def fine_tune(loss, params, batches, learning_rate, update=sgd):
    """The parameters at the end of `fine_tuning`."""
    return last(fine_tuning(loss, params, batches, learning_rate, update))


def last(path):
    """The last of what is yielded; the others are not kept."""
    return deque(path, maxlen=1).pop()


def query_logits(network, params, episode, statistics):
    """Logits of the queries, (T, N Q, N), from parameters fitted to the support.

    statistics: which images batch norm takes mean and variance from. "support": from the support alone, so that each
    query is answered as if it had come by itself (inductive). "queries": from all queries together, so that the answer
    to one depends on the others (transductive); this is what the MAML paper reports.

    Raises: ValueError for other statistics.
    """
    if statistics not in ("support", "queries"):
        raise ValueError(f'statistics must be "support" or "queries", got {statistics!r}')
    if statistics == "queries":
        return network.apply(params, episode.query_x)
    n_support = episode.support_x.shape[1]
    images = np.concatenate([episode.support_x, episode.query_x], axis=1)
    return network.apply(params, images, n_reference=n_support)[:, n_support:]


# ---------------------------------------------------------------- pretraining: all characters, one big head


def sample_images(classes, n_images, rng):
    """n_images different images of any of the classes, with their classes: (M,H,W,C) float32 and (M,) integers.

    ValueError where there are not so many.
    """
    if n_images > len(classes.images):
        raise ValueError(f"a batch of {n_images} different images needs as many, there are {len(classes.images)}")
    ids = rng.choice(len(classes.images), n_images, replace=False)
    return to_float(classes.images[ids]), classes.labels[ids]


def classification_objective(network, params, batch):
    """Mean cross-entropy of ordinary classification: batch = (images, labels), the labels of *all* training classes."""
    return classification_loss(network, params, *batch)


def with_new_head(params, n_way):
    """params with an empty head for n_way classes in place of their own: all zeros.

    Zeros are better than random numbers. With all logits 0 the softmax is 1/N, and the first step of gradient descent
    on K examples of each class makes the weights of class n  (learning rate / N) (c_n - c), c_n the mean feature of
    its examples and c that of all: it compares queries with prototypes (lesson3_metric), which later steps refine.
    """
    n_features, dtype = params["head"]["w"].shape[0], params["head"]["w"].dtype
    head = {"w": onp.zeros((n_features, n_way), dtype), "b": onp.zeros(n_way, dtype)}
    return {**params, "head": head}


# ---------------------------------------------------------------- Reptile: move towards where fine-tuning ends


def reptile_step(params, adapted, outer_lr):
    """theta + outer_lr * mean over tasks of (phi - theta). Nichol et al. 2018, Reptile's batched version.

    params: theta.   adapted: phi, with a task axis: for theta (...) it is (T, ...); ValueError for any other shape.
    With outer_lr 1 theta becomes the mean of the phi; 0 leaves it where it is.
    """
    def step(theta, phi):
        if phi.ndim != theta.ndim + 1 or phi.shape[1:] != theta.shape:
            raise ValueError(f"for a parameter {theta.shape} the adapted one must be (T, *{theta.shape}), "
                             f"got {phi.shape}")
        return theta + float(outer_lr) * (np.sum(phi - theta, axis=0) * (1 / len(phi)))
    return tree_map(step, params, adapted)


def mini_batches(episode, size, steps):
    """`steps` batches of `size` images (T,size,H,W,C), with labels (T,size), of all images of each task.

    Support and query are not told apart: Reptile judges no one, and trains on all. The images stand by turns, one of
    each class, then the next one of each; when all are used up it begins again.
    """
    n_way = int(episode.support_y.max()) + 1

    def by_turns(x):  # (T, N K, ...) -> (T, K N, ...)
        return x.reshape(len(x), n_way, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)

    x = onp.concatenate([by_turns(episode.support_x), by_turns(episode.query_x)], axis=1)
    y = onp.concatenate([by_turns(episode.support_y), by_turns(episode.query_y)], axis=1)
    for step in range(steps):
        ids = onp.arange(step * size, (step + 1) * size) % x.shape[1]
        yield x[:, ids], y[:, ids]


def reptile_objective(loss, params, episode, inner_lr, inner_steps, inner_batch, update=sgd):
    """Mean over tasks of |theta - phi|^2 / 2, where theta fine-tuned on the task is phi, taken as constant.

    Its gradient is the mean of theta - phi, so that a step of gradient descent *is* `reptile_step`, and the training
    loop needs to know nothing of Reptile. The paper reads it like that, too: as the search for a point that is near
    the solutions of all tasks.
    """
    n_tasks = len(episode.support_x)
    start = repeat(tree_map(stop_gradient, params), n_tasks)
    adapted = fine_tune(loss, start, mini_batches(episode, inner_batch, inner_steps), inner_lr, update)
    gaps = leaves(tree_map(lambda theta, phi: theta - phi, params, adapted))  # (T, ...)
    return sum(np.sum(gap * gap) for gap in gaps) * (0.5 / n_tasks)


# ---------------------------------------------------------------- a start, and how to go on from it


class Start(NamedTuple):
    """Parameters to start from, and how they are fine-tuned: which of them, by which optimiser, at which rate."""

    params: Any
    learning_rate: float = 0.1
    head_only: bool = False
    update: Any = sgd


def fine_tuned(network, start, episode, steps):
    """Yield the parameters after 0, 1, ..., `steps` steps on the support of T tasks at once.

    With head_only the body has no task axis: all tasks share it, and its features are computed once.
    """
    n_tasks, labels = len(episode.support_y), episode.support_y
    if not start.head_only:
        yield from fine_tuning(partial(classification_loss, network), repeat(start.params, n_tasks),
                               [(episode.support_x, labels)] * steps, start.learning_rate, start.update)
        return
    body = {name: layer for name, layer in start.params.items() if name != "head"}
    features = network.apply(body, episode.support_x)  # (T,NK,D)
    for head in fine_tuning(head_loss, repeat(start.params["head"], n_tasks), [(features, labels)] * steps,
                            start.learning_rate, start.update):
        yield {**body, "head": head}


def fine_tuned_scores(network, start, episode, statistics, steps):
    """Fine-tune on the support, then score the queries: (T, N Q, N)."""
    return query_logits(network, last(fine_tuned(network, start, episode, steps)), episode, statistics)


def tune_rate(network, start, episode, steps=3, rates=(0.03, 0.1, 0.3, 1.0, 3.0)):
    """The learning rate after whose `steps` steps most queries are right, on tasks that are not tested on."""
    def accuracy(rate):
        logits = fine_tuned_scores(network, start._replace(learning_rate=rate), episode, "support", steps)
        return accuracies(logits, episode.query_y).mean()
    return max(rates, key=accuracy)


# ---------------------------------------------------------------- the run: (1) three places to start from

UPDATES = {"sgd": sgd, "adam": partial(adam, beta1=0.0)}  # Reptile's Adam has no momentum


def new_network(options, outputs):
    return conv4(outputs=outputs, channels=options.channels, down="stride", features="mean")


def run_pretraining(options, training, held_out):
    """(parameters with a new head, history): all training characters told apart, then that head thrown away."""
    network, rng = new_network(options, len(training)), onp.random.default_rng(options.seed)
    n_images = min(options.pretraining_batch, len(training.images))

    def validate(params):
        start = Start(with_new_head(params, options.n_way), head_only=True)
        return accuracies(fine_tuned_scores(network, start, held_out, "support", 5), held_out.query_y).mean()

    params, history = train(
        partial(classification_objective, network), network.init(rng),
        lambda: sample_images(training, n_images, rng), update=adam,
        schedule=cosine_decay(options.pretraining_learning_rate, options.pretraining_iterations),
        iterations=options.pretraining_iterations, path=options.out / "pretrained.npz", label="pretraining",
        validate=validate, validate_every=max(1, options.pretraining_iterations // 15))
    return with_new_head(params, options.n_way), history


def run_reptile(options, params, training, held_out):
    """(parameters, history) of Reptile from `params`."""
    network, rng = new_network(options, options.n_way), onp.random.default_rng(options.seed)
    update = UPDATES[options.inner_optimizer]

    def objective(params, episode):
        return reptile_objective(partial(classification_loss, network), params, episode, options.inner_lr,
                                 options.inner_steps, options.inner_batch, update)

    def validate(params):
        start = Start(params, options.inner_lr, update=update)
        return accuracies(fine_tuned_scores(network, start, held_out, "support", 5), held_out.query_y).mean()

    return train(
        objective, params, lambda: sample_reptile_tasks(options, training, rng), update=sgd,
        schedule=linear_decay(options.learning_rate, options.iterations), iterations=options.iterations,
        path=options.out / "reptile.npz", label="Reptile", validate=validate,
        validate_every=max(1, options.iterations // 15))


def sample_reptile_tasks(options, training, rng):
    """Tasks of `train_shots` images of each class; that one of them is called a query makes no difference here."""
    if options.train_shots < 2:
        raise ValueError(f"train_shots must be at least 2, got {options.train_shots}")
    return sample_episodes(training, options.n_way, options.train_shots - 1, 1, options.meta_batch, rng)


def find_starts(options, training, validation):
    """({name: Start}, {name: history}); what was not made for a rate is given the one that suits it best."""
    network = new_network(options, options.n_way)
    held_out = sample_episodes(validation, options.n_way, options.k_shot, options.n_query, 40,
                               onp.random.default_rng(options.seed))
    scratch = with_new_head(network.init(onp.random.default_rng(options.seed)), options.n_way)
    pretrained, pretraining = run_pretraining(options, training, held_out)
    reptile, meta_training = run_reptile(options, scratch, training, held_out)
    starts = {"random": Start(scratch), "pretrained, head": Start(pretrained, head_only=True),
              "pretrained, all": Start(pretrained)}
    starts = {name: start._replace(learning_rate=tune_rate(network, start, held_out))
              for name, start in starts.items()}
    starts["Reptile"] = Start(reptile, options.inner_lr, update=UPDATES[options.inner_optimizer])
    return starts, {"pretraining": pretraining, "Reptile": meta_training}


# ---------------------------------------------------------------- (2) test: how steeply do they rise?

STEPS = (0, 1, 3, 5, 10)  # and the last


def run_test(options, starts, test, k_shot, episodes):
    """{(start, steps, statistics): accuracy of each episode}, and {"nearest pixels": ...} on the same episodes.

    Batch norm sees the support alone; only after the last step the queries are scored in the other mode as well.
    """
    network, counts = new_network(options, options.n_way), steps_to_test(options)

    def measure(episode):
        found = {"nearest pixels": accuracies(pixel_scores(None, episode), episode.query_y)}
        for name, start in starts.items():
            for steps, params in enumerate(fine_tuned(network, start, episode, counts[-1])):
                for mode in ("support", "queries") if steps == counts[-1] else ("support",) if steps in counts else ():
                    found[name, steps, mode] = accuracies(query_logits(network, params, episode, mode),
                                                          episode.query_y)
        return found

    rng = onp.random.default_rng(options.seed + 1)
    return evaluate(measure, lambda n: sample_episodes(test, options.n_way, k_shot, options.n_query, n, rng),
                    episodes, label=f"test {options.n_way}-way {k_shot}-shot")


def steps_to_test(options):
    return [steps for steps in STEPS if steps < options.test_steps] + [options.test_steps]


def print_test(intervals, options, starts, k_shot, episodes):
    def cell(key):
        mean, half = (100 * number for number in intervals[key])
        return f"{mean:.1f}±{half:.1f}" if half < 9.95 else f"{mean:.1f}±{half:.0f}"

    counts = steps_to_test(options)
    print(f"\n{options.n_way}-way {k_shot}-shot, {episodes} episodes, {options.n_query} queries per class: accuracy in "
          f"%, 95 % interval.\nNearest pixels {cell('nearest pixels')}, guessing {100 / options.n_way:.1f}. Batch norm "
          "sees the support alone; in the\nlast column, which is transductive, the queries, all of them together.\n\n"
          f" {'after steps':16}" + "".join(f"{steps:9}" for steps in [*counts, counts[-1]]))
    for name in starts:
        print(f" {name:16}" + "".join(f"{cell((name, steps, mode)):>9}" for steps, mode
                                      in [*((steps, "support") for steps in counts), (counts[-1], "queries")]))


def draw_curves(results, starts, options):
    """Accuracy against the number of steps, a panel per number of examples; the bands are the 95 % intervals."""
    figure, panels = new_figure(9, 4, ncols=len(results), sharey=True, squeeze=False)
    counts = steps_to_test(options)
    for axes, (k_shot, intervals) in zip(panels[0], results.items(), strict=True):
        for size, style, name in zip((5, 9, 5, 5), STYLES, starts, strict=False):  # the second lies under the third
            mean, half = 100 * onp.array([intervals[name, steps, "support"] for steps in counts]).T
            axes.plot(range(len(counts)), mean, **style, markersize=size, label=name)
            axes.fill_between(range(len(counts)), mean - half, mean + half, color=style["color"], alpha=0.2)
        axes.axhline(100 * intervals["nearest pixels"][0], color="black", linewidth=1, label="nearest pixels")
        axes.axhline(100 / options.n_way, color="#999999", linewidth=1, linestyle=":", label="guessing")
        axes.set(title=f"{k_shot} example{'s' if k_shot > 1 else ''} of each character", xlabel="steps of fine-tuning",
                 xticks=range(len(counts)), xticklabels=counts)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("accuracy in %")
    panels[0, -1].legend(frameon=False, fontsize=8)
    return figure


def draw_training(histories, options):
    """Accuracy on validation classes against the images that training has read, with repetitions."""
    images_per_iteration = {"pretraining": options.pretraining_batch,
                            "Reptile": options.meta_batch * options.inner_steps * options.inner_batch}
    figure, axes = new_figure(6.5, 3.6)
    for style, (name, history) in zip(STYLES[1::2], histories.items(), strict=False):
        if history["validation"]:
            iterations, accuracy = onp.array(history["validation"]).T
            axes.plot(iterations * images_per_iteration[name] / 1000, 100 * accuracy, **style, markersize=4, label=name)
    axes.set(title="The two trainings, each fine-tuned for 5 steps on 40 validation tasks",
             xlabel="thousand images read", ylabel="accuracy in %", xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


# ---------------------------------------------------------------- all of it


def main(argv=None):
    options = parse_options(
        "lesson3_initialisation", "Pretraining and Reptile: a better place for gradient descent to start from.",
        {"n_way": 5, "k_shot": 1, "n_query": 5, "channels": 32, "episodes": 600, "test_steps": 20,
         "pretraining_iterations": 1500, "pretraining_batch": 64, "pretraining_learning_rate": 1e-2,
         "iterations": 800, "learning_rate": 1.0, "meta_batch": 5, "train_shots": 10, "inner_steps": 5,
         "inner_batch": 10, "inner_lr": 1.0, "inner_optimizer": "sgd"},
        quick={"channels": 16, "episodes": 40, "test_steps": 5, "pretraining_iterations": 40, "iterations": 20},
        full={"channels": 64, "test_steps": 50, "pretraining_iterations": 60000, "iterations": 100000,
              "inner_lr": 1e-3, "inner_optimizer": "adam"},
        choices={"inner_optimizer": tuple(UPDATES)}, argv=argv)
    started = time.perf_counter()
    training, validation, test = load_splits(options)
    sample_reptile_tasks(options, training, onp.random.default_rng(0))  # impossible? Say so now
    for part in (validation, test):
        sample_episodes(part, options.n_way, options.k_shot, options.n_query, 1, onp.random.default_rng(0))
    print(f"{options.n_way} characters that it has never seen, {options.k_shot} example(s) of each: a few steps\n"
          "of gradient descent from three starting points, one random and two learned.")
    starts, histories = find_starts(options, training, validation)
    print("Learning rates: " + "; ".join(f"{name} {start.learning_rate:g}" for name, start in starts.items()) + ".")
    results = {}
    for k_shot, episodes in possible_shots(options, test):
        found = run_test(options, starts, test, k_shot, episodes)
        results[k_shot] = {key: mean_confidence_interval(values) for key, values in found.items()}
        print_test(results[k_shot], options, starts, k_shot, episodes)
    pictures = [save_figure(draw_curves(results, starts, options), options.out / "curves.png"),
                save_figure(draw_training(histories, options), options.out / "training.png")]
    record = write_record(options.out, "lesson3_initialisation", options, time.perf_counter() - started,
                          as_metrics(results, starts, options, test))
    networks = sorted(options.out.glob("*.npz"))
    print("\nWritten: " + "\n         ".join(str(path) for path in [*pictures, *networks, record])
          + "\nNext:    python -m fewshot_np.lesson4_siamese")


def possible_shots(options, test):
    """[(shots, episodes)]: as many shots as asked for; where there are images, five times as many, on a third of the
    episodes: with more examples the accuracies scatter less."""
    shots = [(options.k_shot, options.episodes), (5 * options.k_shot, max(2, options.episodes // 3))]
    fewest = min(map(len, test.images_of))
    return [(k_shot, episodes) for k_shot, episodes in shots if k_shot + options.n_query <= fewest]


def as_metrics(results, starts, options, test):
    """For the record: "Reptile, 3 steps, 1-shot": {mean, interval, episodes}, and so on, and the learning rates."""
    metrics = {"learning rates": {name: start.learning_rate for name, start in starts.items()}}
    for k_shot, episodes in possible_shots(options, test):
        for key, (mean, interval) in results[k_shot].items():
            name = key if isinstance(key, str) else f"{key[0]}, {key[1]} steps, statistics of the {key[2]}"
            metrics[f"{name}, {k_shot}-shot"] = {"mean": mean, "interval": interval, "episodes": episodes}
    return metrics


if __name__ == "__main__":
    run(main)
