"""The run of lesson 2: the splits, and how well nearest pixels do on episodes of test classes."""

import time

import numpy as np

from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_episode
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.report import finish, metric, percent, print_table, refuse_impossible
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes, scores

SETTINGS = [(5, 1), (5, 5), (20, 1), (20, 5)]  # (ways, shots)
DEFAULTS = {"n_query": 15, "episodes": 600}
TEXTS = {"n_query": "query images per class, Q", "episodes": "test episodes"}


def main(argv=None):
    options = parse_options("lesson2_episodes", "Episodes, splits, intervals, and the pixel baseline.", DEFAULTS,
                            quick={"episodes": 50}, full={"episodes": 10000}, texts=TEXTS, argv=argv)
    started = time.perf_counter()
    rng = np.random.default_rng(options.seed)
    train, validation, test = load_splits(options)
    refuse_impossible(lambda rng: draw_shown(test, rng))
    print(f"Characters{group_phrase(test, options)} that nobody has trained on, a few drawings of each:\n"
          "which of them does a new drawing show?\n")
    for name, part in [("train", train), ("validation", validation), ("test", test)]:
        print(f"   {name:11}{len(part):5} characters{group_phrase(part, options)}")
    metrics = measure_pixels(test, options, rng)
    finish("lesson2_episodes", options, started, metrics, {"episode": draw_pixels(draw_shown(test, rng))},
           ["python -m fewshot_np.lesson2_zero_shot"])


def measure_pixels(classes, options, rng):
    """Print the baseline's accuracy in the SETTINGS for which there are classes and images; returns it by name."""
    smallest, name = min((len(ids), name) for ids, name in zip(classes.images_of, classes.names, strict=True))
    few = [(len(classes), k_shot) for k_shot in (1, 5)]  # of a small folder: all classes at once
    metrics, rows, left_out = {}, [], []
    for n_way, k_shot in SETTINGS if len(classes) >= 5 else few:
        setting, n_query = f"{n_way}-way {k_shot}-shot", min(options.n_query, smallest - k_shot)
        if n_way > len(classes) or n_query < 1:
            lacking = f"classes: {len(classes)}" if n_way > len(classes) else f"images of {name!r}: {smallest}"
            left_out.append(f"   {setting} left out, too few {lacking}")
            continue
        mean, interval = mean_confidence_interval(pixel_accuracies(classes, n_way, k_shot, n_query, options, rng))
        metrics[f"pixels {setting}"] = metric(mean, interval, n_query=n_query)
        rows.append([setting, f"{100 / n_way:.1f} %", percent(mean, interval), str(n_query)])
    print(f"\n   1-nearest neighbour on pixels, mean over {options.episodes} episodes and 95 % interval:\n")
    print_table(["task", "guessing", "accuracy", "queries per class"], rows)
    print("\n".join(left_out), end="\n" * bool(left_out))
    return metrics


def pixel_accuracies(classes, n_way, k_shot, n_query, options, rng):
    """The accuracy of nearest pixels on each of `options.episodes` episodes."""
    def measure(episode):
        return {"pixels": accuracies(scores(None, episode), episode.query_y)}

    def sample(n_tasks):
        return sample_episodes(classes, n_way, k_shot, n_query, n_tasks, rng)

    return evaluate(measure, sample, options.episodes)["pixels"]


def draw_shown(classes, rng):
    """The episode to show: one example of each of up to 5 classes, and up to 5 queries each."""
    n_query = min(5, min(map(len, classes.images_of)) - 1)
    return sample_episodes(classes, min(5, len(classes)), 1, max(1, n_query), 1, rng)


def draw_pixels(episode):
    """A figure of the episode, with what nearest pixels take the queries for."""
    return draw_episode(episode.support_x[0], episode.support_y[0], episode.query_x[0], episode.query_y[0],
                        scores(None, episode)[0].argmax(-1), "One example of each (left); nearest pixels decide")


if __name__ == "__main__":
    run(main)
