"""Lesson 8, third page: what a method costs. How long does a new task take, and how much was read in training?"""

import time

import numpy as np

# the time that this process itself has worked; where that clock is too coarse (Windows), the time of day
CLOCK = time.process_time if time.get_clock_info("process_time").resolution < 1e-5 else time.perf_counter


def adaptation_milliseconds(scores, episode, repetitions=30):
    """From the support of one task to the answer to its first query: the shortest time, in milliseconds of one core.

    scores(episode, statistics) takes gradient steps in some methods and a forward pass in others. Whatever took longer
    than the shortest time was held up by something else that the computer did.
    """
    one = type(episode)(*(field[:1] for field in episode))
    one = one._replace(query_x=one.query_x[:, :1], query_y=one.query_y[:, :1], query_ids=one.query_ids[:, :1])
    times = []
    for _ in range(repetitions):
        started = CLOCK()
        scores(one, "support")
        times.append(CLOCK() - started)
    return 1000 * min(times)


def count_images(batch):
    """Images in a batch: of episodes, or (images, labels)."""
    arrays = [batch.support_x, batch.query_x] if hasattr(batch, "support_x") else [batch[0]]
    return sum(array.size // int(np.prod(array.shape[-3:])) for array in arrays)
