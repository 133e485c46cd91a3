"""The part of the run on streams: a memory and attention, asked at every image of a character from the first on."""

from functools import partial

import numpy as np

from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import STYLES, new_figure
from fewshot_np.experiment.report import metric, plus_minus, print_table
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson6_model_based import (
    character_network,
    instance_numbers,
    late_labels,
    read_with_attention,
    read_with_memory,
    sample_streams,
    start_reader,
    stream_logits,
    stream_objective,
    to_keys,
)
from fewshot_np.nn.optimizers import adam, cosine_decay

N_WAY = 5
INSTANCES = 10  # images of each character in a stream, where there are as many
SHOWN = (1, 2, 5, 10)
STREAMS, LEARNING_RATE = 16, 5e-3  # per iteration; at the start
NETWORK = character_network(32)
OTHER_SLOTS = (5, 50)  # the trained memory, made smaller and larger afterwards
NEAREST = {"look": {"sharpness": 1e3, "blank": -1e3}}  # attention that looks at one earlier image alone


def memory_part(training, test, options):
    """(metrics, figure): print the accuracy at the 1st, 2nd, 5th and 10th image of a character, for each reader."""
    rng = np.random.default_rng([options.seed, 20])
    instances = min(INSTANCES, *(len(ids) for part in (training, test) for ids in part.images_of))
    memory, attention = (train_reader(name, reader, training, instances, options, rng) for name, reader in (
        ("memory", partial(read_with_memory, n_slots=options.slots)), ("attention", read_with_attention)))
    sizes = {f"memory, {options.slots} slots": options.slots,
             **{f"the same with {n}": n for n in OTHER_SLOTS if n != options.slots}}
    answers = {name: partial(stream_logits, NETWORK, partial(read_with_memory, n_slots=n), memory)
               for name, n in sizes.items()}
    answers |= {"attention": partial(stream_logits, NETWORK, read_with_attention, attention),
                "nearest earlier pixels": nearest_pixels}
    values = evaluate(partial(accuracy_by_instance, answers),
                      lambda n: sample_streams(test, N_WAY, instances, n, rng), options.episodes, label="streams")
    results = {name: [mean_confidence_interval(column) for column in value.T] for name, value in values.items()}
    print_instances(results, test, options)
    metrics = {f"{name}, image {n}": metric(*interval) for name, intervals in results.items()
               for n, interval in enumerate(intervals, 1)}
    return metrics, draw_instances(results)


def train_reader(name, reader, training, instances, options, rng):
    """The parameters of a reader and of the network before it, trained together from nothing."""
    return train(partial(stream_objective, NETWORK, reader), start_reader(NETWORK, rng),
                 lambda: sample_streams(training, N_WAY, instances, STREAMS, rng), update=adam,
                 schedule=cosine_decay(LEARNING_RATE, options.memory_iterations),
                 iterations=options.memory_iterations, path=options.out / f"{name}.npz", label=name)[0]


def nearest_pixels(x, late):
    """Nothing learned: the label of the earlier image whose pixels are most alike."""
    return read_with_attention(NEAREST, to_keys(x.reshape(*x.shape[:2], -1)), late)


def accuracy_by_instance(answers, streams):
    """{name: (T,K)}: for each stream and n, how many of its N characters are named at their n-th image."""
    x, labels = streams
    late, numbers = late_labels(labels, N_WAY), instance_numbers(labels)
    right = {name: logits(x, late).argmax(axis=-1) == labels for name, logits in answers.items()}
    return {name: np.stack([np.sum(hits * (numbers == n), axis=1) / N_WAY for n in range(1, numbers.max() + 1)], axis=1)
            for name, hits in right.items()}


def print_instances(results, test, options):
    print(f"\n7. Streams of {N_WAY} new characters (of {len(test)}), each label a step late: accuracy in\n"
          f"   % at the n-th image of a character, {options.episodes} streams. At the first image\n"
          f"   nothing tells but which labels are still free; guessing: {100 / N_WAY:.0f}. No batch norm.\n")
    shown = [n for n in SHOWN if n <= len(next(iter(results.values())))]
    print_table(["n =", *map(str, shown)], [
        [name, *(plus_minus(*intervals[n - 1]) for n in shown)] for name, intervals in results.items()])


def draw_instances(results):
    """Accuracy at the n-th image of a character, {name: [(mean, interval), ...]}."""
    figure, axes = new_figure(6.5, 4)
    for style, (name, intervals) in zip(STYLES, results.items(), strict=False):
        mean, half = 100 * np.array(intervals).T
        axes.errorbar(range(1, len(mean) + 1), mean, half, **style, capsize=2, label=name)
    axes.axhline(100 / N_WAY, color="#999999", linestyle=":", linewidth=1)
    axes.set(xlabel="n-th image of a character in the stream", ylabel="accuracy in %, 95 % interval",
             title=f"Labels come a step late: {N_WAY} new characters", ylim=(0, 101))
    axes.set_xticks(range(1, len(mean) + 1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure
