"""Measure something on many episodes, a batch of tasks at a time."""

import numpy as np
from tqdm import tqdm


def evaluate(measure, sample, n_episodes, batch=20, label="testing"):
    """{name: (n_episodes,) values}, from measure(episodes) -> {name: (T,) values} on episodes = sample(T).

    Everything that `measure` returns is measured on the same episodes, so that results can be compared in pairs.
    """
    collected = []
    with tqdm(total=n_episodes, desc=label, ascii=True, leave=False) as bar:
        for start in range(0, n_episodes, batch):
            n_tasks = min(batch, n_episodes - start)
            collected.append(measure(sample(n_tasks)))
            bar.update(n_tasks)
    return {name: np.concatenate([values[name] for values in collected]) for name in collected[0]}
