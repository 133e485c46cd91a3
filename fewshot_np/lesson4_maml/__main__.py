"""The run of lesson 4: MAML on characters and sinusoids, what came after it, the proof that its gradient is right."""

import time
from functools import partial

import numpy as np

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_episode, draw_learning_curve
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, percent, plus_minus, print_table, refuse_impossible
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_initialisation import classification_loss, query_logits, tune_rate
from fewshot_np.lesson4_maml import (
    adapted_after,
    check_meta_gradient,
    error_after,
    joint_objective,
    maml_objective,
    maml_scores,
    proto_maml_objective,
    proto_maml_scores,
    sample_sinusoids,
    squared_error,
)
from fewshot_np.lesson4_maml.costs import costs_of_steps
from fewshot_np.lesson4_maml.figures import draw_sinusoids, draw_two_lines
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.optimizers import adam, cosine_decay

DEFAULTS = {"n_way": 5, "k_shot": 1, "n_query": 15, "method": "maml", "inner_lr": 0.4, "inner_steps": 1,
            "meta_batch": 16, "iterations": 1200, "learning_rate": 3e-3, "channels": 32, "episodes": 600,
            "sinusoid_iterations": 4000, "sinusoid_inner_lr": 0.01, "sinusoid_learning_rate": 1e-2,
            "workers": 1, "resume": False}
QUICK = {"iterations": 30, "sinusoid_iterations": 100, "episodes": 40, "meta_batch": 4, "channels": 16}
FULL = {"iterations": 60000, "meta_batch": 32, "channels": 64, "learning_rate": 1e-3,
        "inner_lr": 2.0,  # the authors' 0.4, because their loss is the sum over the 5 classes and ours is the mean
        "sinusoid_iterations": 70000, "sinusoid_learning_rate": 1e-3}
TEXTS = {"method": "maml, or one of its two shortcuts",
         "inner_lr": "learning rate of the inner loop",
         "inner_steps": "gradient steps of the inner loop in training",
         "meta_batch": "tasks per meta-step",
         "sinusoid_iterations": "training iterations on sinusoids",
         "sinusoid_inner_lr": "learning rate of the inner loop on sinusoids",
         "sinusoid_learning_rate": "learning rate of training on sinusoids, at its start"}
METHODS = {"maml": "MAML", "first-order": "first-order MAML", "anil": "ANIL"}
CHARACTER_STEPS, SINUSOID_STEPS = (0, 1, 3, 5), (0, 1, 5, 10)  # gradient steps after which a test is made
STATISTICS = ("support", "queries")
COST_STEPS, QUICK_COST_STEPS = (1, 2, 4, 8, 16), (1, 4)  # inner steps at which memory and time are measured
PROTO_TRAIN_WAY, PROTO_RATE, PROTO_WAYS, PROTO_SHOTS = 20, 0.4, (5, 10, 20), (1, 5)  # of ProtoMAML


def main(argv=None):
    options = parse_options("lesson4_maml", "MAML: learn a starting point from which one gradient step is enough.",
                            DEFAULTS, QUICK, FULL, choices={"method": tuple(METHODS)}, texts=TEXTS,
                            argv=argv)
    started = time.perf_counter()
    splits = training, _, test = load_splits(options)
    refuse_impossible(*(partial(sample_episodes, part, options.n_way, options.k_shot, n_query, 1)
                        for part, n_query in zip(splits, (options.k_shot, min(5, options.n_query), options.n_query),
                                                 strict=True)))
    print(f"{options.n_way} characters that it has never seen, {options.k_shot} example(s) of each:\n"
          "watch a network learn them in one step of gradient descent.\n"
          "New to this? Lesson 3 is the easier start: python -m fewshot_np.lesson3_metric")
    characters, figures = run_characters(options, *splits)
    sinusoids, figures["sinusoids"] = run_sinusoids(options)
    newer = run_proto_maml(options, training, test) | run_costs(options, training)
    proof = run_proof(options)
    figures["two_lines"] = draw_two_lines()
    finish("lesson4_maml", options, started, characters | sinusoids | newer | proof, figures,
           ["the other two of the family, --method first-order and --method anil;",
            "then python -m fewshot_np.lesson5_project"])


# ---------------------------------------------------------------- 1. characters


def run_characters(options, training, validation, test):
    """Meta-train on characters, test on new ones; (metrics, figures)."""
    network = conv4(outputs=options.n_way, channels=options.channels, down="stride", features="mean")
    inner_lr = what_moves(options, options.inner_lr)
    rng = np.random.default_rng(options.seed)
    params, history = train_characters(options, network, inner_lr, training, validation, rng)
    results = test_characters(options, network, params, inner_lr, test, rng)
    print_characters(options, results, test)
    figures = {"episode": draw_one_episode(options, network, params, inner_lr, test, rng),
               "learning_curve": draw_learning_curve(history, "Meta-training on characters")}
    return {f"characters, {name}": metric(*result) for name, result in results.items()}, figures


def what_moves(options, inner_lr):
    """The inner rate of all parameters, or with ANIL of the head alone."""
    return {"head": inner_lr} if options.method == "anil" else inner_lr


def train_characters(options, network, inner_lr, training, validation, rng):
    n_way, k_shot = options.n_way, options.k_shot
    objective = partial(maml_objective, partial(classification_loss, network), inner_lr=inner_lr,
                        steps=options.inner_steps, first_order=options.method == "first-order")

    def validation_accuracy(params):
        episode = sample_episodes(validation, n_way, k_shot, min(5, options.n_query), 40,
                                  np.random.default_rng(options.seed))
        logits = maml_scores(network, params, episode, "support", inner_lr, options.inner_steps)
        return accuracies(logits, episode.query_y).mean()

    return train(
        objective, network.init(rng),
        lambda: sample_episodes(training, n_way, k_shot, k_shot, options.meta_batch, rng), update=adam,
        schedule=cosine_decay(options.learning_rate, options.iterations), iterations=options.iterations,
        path=options.out / "characters.npz", label="characters", validate=validation_accuracy,
        validate_every=max(1, options.iterations // 15), rng=rng, options=options, workers=options.workers)


def test_characters(options, network, params, inner_lr, test, rng):
    """{name: (mean accuracy, interval)}: pixels, and MAML after some numbers of steps, with both statistics."""
    def measure(episode):
        results = {"pixel nearest neighbour": accuracies(pixel_scores(None, episode), episode.query_y)}
        for steps, adapted in adapted_after(partial(classification_loss, network), params, episode, inner_lr,
                                            CHARACTER_STEPS):
            for statistics in STATISTICS:
                logits = query_logits(network, adapted, episode, statistics)
                results[f"{steps} steps, statistics of the {statistics}"] = accuracies(logits, episode.query_y)
        return results

    values = evaluate(measure, lambda n: sample_episodes(test, options.n_way, options.k_shot, options.n_query, n, rng),
                      options.episodes, label="test characters")
    return {name: mean_confidence_interval(accuracy) for name, accuracy in values.items()}


def print_characters(options, results, test):
    print(f"\n1. New characters: {options.n_way} at a time, out of {len(test)}{group_phrase(test, options)}; "
          f"{options.k_shot} example(s) of each.\n   Accuracy on {options.episodes} episodes, {options.n_query} "
          f"queries per class; guessing scores {100 / options.n_way:.1f} %.\n"
          "   Batch norm takes its statistics from the support, so that each query is\n"
          "   answered by itself; or from all queries together, as papers often do.\n")
    rows = [[f"{steps} (before)" if steps == 0 else str(steps),
             *(percent(*results[f"{steps} steps, statistics of the {statistics}"]) for statistics in STATISTICS)]
            for steps in CHARACTER_STEPS]
    print_table(["gradient steps", "statistics of\nthe support", "statistics of\nthe queries"],
                [*rows, ["nearest pixels", percent(*results["pixel nearest neighbour"]), ""]])


def draw_one_episode(options, network, params, inner_lr, test, rng):
    """A typical task: of 25 that are drawn the one with the median accuracy."""
    tasks = sample_episodes(test, options.n_way, options.k_shot, 5, 25, rng)
    logits = maml_scores(network, params, tasks, "support", inner_lr, 1)
    typical = np.argsort(accuracies(logits, tasks.query_y), kind="stable")[12]
    return draw_episode(*(field[typical] for field in tasks[:4]), logits[typical].argmax(axis=-1),
                        f"{options.k_shot} example of each (left), after one gradient step")


# ---------------------------------------------------------------- 2. sinusoids


def run_sinusoids(options):
    """The method and a pretrained network on curves from 10 of their points; (metrics, figure)."""
    rng, network = np.random.default_rng(options.seed), mlp([1, 40, 40, 1])
    loss = partial(squared_error, network)
    starts = train_sinusoids(options, network, loss, rng)
    # MAML's start was made for its inner rate; the pretrained one is given the rate that suits it best
    tasks = sample_sinusoids(10, 10, 200, rng)
    rates = {METHODS[options.method]: what_moves(options, options.sinusoid_inner_lr),
             "pretrained": tune_rate(partial(error_after, loss, starts["pretrained"], tasks, 10),
                                     (0.0003, 0.001, 0.003, 0.01, 0.03))}

    def errors(tasks):
        return {(name, steps): loss(params, tasks.query_x, tasks.query_y) for name, start in starts.items()
                for steps, params in adapted_after(loss, start, tasks, rates[name], SINUSOID_STEPS)}

    values = evaluate(errors, lambda n: sample_sinusoids(10, 100, n, rng), options.episodes, label="test sinusoids")
    results = {key: mean_confidence_interval(error) for key, error in values.items()}
    print("\n2. Sinusoids: a curve from 10 of its points. Mean squared error, 95 % interval,\n"
          f"   {options.episodes} new curves; the pretrained network at the rate that suits it, "
          f"{rates['pretrained']}:\n")
    print_table(["gradient steps", *map(str, SINUSOID_STEPS)],
                [[name, *(plus_minus(*results[name, steps], scale=1, digits=2) for steps in SINUSOID_STEPS)]
                 for name in starts])
    return ({f"sinusoids, {name}, {steps} steps": metric(*result) for (name, steps), result in results.items()},
            draw_sinusoids(network, loss, starts, rates, sample_sinusoids(10, 200, 1, rng), SINUSOID_STEPS))


def train_sinusoids(options, network, loss, rng):
    """{name: parameters}, trained one after the other on tasks from the same generator."""
    method = partial(maml_objective, loss, inner_lr=what_moves(options, options.sinusoid_inner_lr), steps=1,
                     first_order=options.method == "first-order")
    objectives = {METHODS[options.method]: method, "pretrained": partial(joint_objective, loss)}
    starts = {}
    for name, objective in objectives.items():
        file = f"sinusoids-{name.lower().replace(' ', '-')}.npz"
        starts[name], _ = train(
            objective, network.init(rng), lambda: sample_sinusoids(10, 10, 25, rng), update=adam,
            schedule=cosine_decay(options.sinusoid_learning_rate, options.sinusoid_iterations),
            iterations=options.sinusoid_iterations, path=options.out / file,
            label=f"sinusoids, {name}", rng=rng, options=options)
    return starts


# ---------------------------------------------------------------- 3. ProtoMAML


def run_proto_maml(options, training, test):
    """Train on tasks of many ways, for a quarter of MAML's iterations; test on tasks of several sizes."""
    rng, network = np.random.default_rng(options.seed), conv4(channels=options.channels, down="stride", features="mean")
    n_way, iterations = min(PROTO_TRAIN_WAY, len(training)), max(1, options.iterations // 4)
    n_tasks = max(1, options.meta_batch * options.n_way // n_way)  # as many images in an iteration as MAML's
    params, _ = train(
        partial(proto_maml_objective, network, inner_lr=PROTO_RATE, steps=1), network.init(rng),
        lambda: sample_episodes(training, n_way, options.k_shot, options.k_shot, n_tasks, rng), update=adam,
        schedule=cosine_decay(2 * options.learning_rate, iterations), iterations=iterations,
        path=options.out / "proto-maml.npz", label="ProtoMAML", rng=rng, options=options)
    n_episodes = max(2, options.episodes // 4)  # many ways make an episode large
    results = dict(test_proto_maml(network, params, test, min(5, options.n_query), n_episodes, rng))
    print(f"\n3. ProtoMAML: one network, trained on {n_way} ways for {iterations} iterations, on tasks of\n"
          f"   several sizes, {n_episodes} of each. Statistics of the support; what the three steps\n"
          "   add to the prototypes is measured episode by episode.\n")
    print_table(["ways", "examples", "prototypes", "after 3 steps", "added"],
                [[*map(str, size), *(percent(*row[name]) for name in ("prototypes", "3 steps")),
                  plus_minus(*row["added"], "+")] for size, row in results.items()])
    return {f"ProtoMAML, {n_way}-way {k_shot}-shot, {name}": metric(*result)
            for (n_way, k_shot), row in results.items() for name, result in row.items()}


def test_proto_maml(network, params, test, n_query, n_episodes, rng):
    """Yield ((ways, examples), results) for all sizes that the test characters allow."""
    def compare(episode):
        before, after = (accuracies(proto_maml_scores(network, params, episode, "support", PROTO_RATE, steps),
                                    episode.query_y) for steps in (0, 3))
        return {"prototypes": before, "3 steps": after, "added": after - before}

    for n_way in dict.fromkeys(min(n_way, len(test)) for n_way in PROTO_WAYS):
        for k_shot in (k for k in PROTO_SHOTS if k + n_query <= min(map(len, test.images_of))):
            values = evaluate(compare, partial(sample_episodes, test, n_way, k_shot, n_query, rng=rng), n_episodes,
                              label=f"test {n_way} ways")
            yield (n_way, k_shot), {name: mean_confidence_interval(value) for name, value in values.items()}


# ---------------------------------------------------------------- 4. what inner steps cost


def run_costs(options, training):
    """Memory and time of one meta-gradient, MAML's and the implicit one, against inner steps."""
    rng, names = np.random.default_rng(options.seed), ("MAML", "implicit MAML")
    network = conv4(outputs=options.n_way, channels=options.channels, down="stride", features="mean")
    episode = sample_episodes(training, options.n_way, options.k_shot, options.k_shot, 8, rng)
    rows = costs_of_steps(partial(classification_loss, network), network.init(rng), episode,
                          QUICK_COST_STEPS if options.quick else COST_STEPS, inner_lr=0.1)
    print("\n4. What inner steps cost: the largest memory that one meta-gradient of 8 tasks\n"
          "   held, and its seconds of one core.\n")
    print_table(["inner steps", *names, *names],
                [[str(row["steps"]), *(f"{row[name]['megabytes']:.0f} MB" for name in names),
                  *(f"{row[name]['seconds']:.2f} s" for name in names)] for row in rows])
    return {f"costs of {row['steps']} inner steps": {f"{name} {what}": value for name in names
                                                     for what, value in row[name].items()} for row in rows}


# ---------------------------------------------------------------- 5. the proof


def run_proof(options):
    """Print the meta-gradient three ways, and how far first order is from it; its numbers as metrics."""
    rows = check_meta_gradient(np.random.default_rng(options.seed))
    print("\n5. Is the meta-gradient right? How fast the meta-objective of a softmax\n"
          "   regression (12 parameters) rises along one direction, computed in three ways,\n"
          "   and how far first order is off:\n")
    print_table(["inner steps", "by hand", "autograd", "finite differences", "first-order gap"],
                [[str(row["steps"]), *(f"{row[way]:.7f}" for way in ("by hand", "autograd", "finite differences")),
                  f"{100 * row['first-order gap']:.1f} %"] for row in rows])
    return {f"meta-gradient, {row['steps']} inner steps": {k: v for k, v in row.items() if k != "steps"}
            for row in rows}


if __name__ == "__main__":
    run(main)
