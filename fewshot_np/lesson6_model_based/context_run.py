"""The second part of the run: a transformer that learns in context, on curves, on patients and on characters."""

from functools import partial

import numpy as np

from fewshot_np.data import patients
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.report import metric, plus_minus, print_table
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_metric import embed, prototypes, prototypical_objective, squared_distances
from fewshot_np.lesson4_maml import sample_sinusoids
from fewshot_np.lesson6_model_based import (
    N_FEATURES,
    class_scores,
    classification_objective,
    rates,
    regression_objective,
    sample_for_training,
    sample_patients,
    score_all,
    standardise,
    transformer,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay

CURVES = transformer(n_features=1, n_targets=1)
TABLES = transformer(n_features=N_FEATURES, n_targets=2)
EMBEDDING = conv4(channels=32, down="stride", features="mean")  # lesson 3's
CHARACTERS = transformer(n_features=32, n_targets=5)
STATISTICS = ("support", "support and queries")
SHOTS = (1, 2, 5, 10)
LEARNERS = ("transformer", "logistic regression", "nearest mean", "nearest patient")


def train_one(objective, params, sample, name, iterations, rate, options):
    """The run's training, for all the networks here."""
    return train(objective, params, sample, update=adam, schedule=cosine_decay(rate, iterations),
                 iterations=iterations, path=options.out / f"{name}.npz", label=name)[0]


def generator(options, part):
    """A generator for each part, so that none of them changes the numbers of another."""
    return np.random.default_rng([options.seed, part])


# ---------------------------------------------------------------- curves: lesson 4's


def train_on_curves(options, most_points):
    """The transformer's parameters, from 1 to most_points points of curves, as the CNP."""
    rng = generator(options, 1)
    return train_one(partial(regression_objective, CURVES), CURVES.init(rng),
                     lambda: sample_sinusoids(rng.integers(1, most_points + 1), 10, options.curve_batch, rng),
                     "transformer-curves", options.curve_iterations, options.transformer_rate, options)


# ---------------------------------------------------------------- patients


def train_on_tables(options):
    """The parameters of a transformer that has seen made-up tables alone."""
    rng = generator(options, 2)
    return train_one(partial(classification_objective, TABLES), TABLES.init(rng),
                     lambda: sample_for_training(options.table_batch, rng), "transformer-tables",
                     options.table_iterations, options.transformer_rate, options)


def run_patients(params, options):
    """Print and return, as metrics, what each learner makes of a few diagnosed patients."""
    values = {(statistics, k_shot): measure_patients(params, statistics, k_shot, options)
              for statistics in STATISTICS for k_shot in SHOTS}
    print(f"\n5. Patients: benign or malignant? The transformer has never seen one before.\n"
          f"   K diagnosed ones of each, {options.patient_episodes} tasks; accuracy in %, 95 % interval.")
    for statistics in STATISTICS:
        print(f"\n   Features in standard units, statistics of the {statistics}:\n")
        print_table(["K", *LEARNERS], [
            [str(k), *(plus_minus(*mean_confidence_interval(values[statistics, k][name][0])) for name in LEARNERS)]
            for k in SHOTS])
    print("\n   The transformer minus each other, on the same tasks. Statistics of the\n"
          "   support; in a line with a star (*), of the support and queries.\n")
    print_table(["K", *LEARNERS[1:]], [
        [f"{k}{'' if statistics == 'support' else ' *'}", *(
            plus_minus(*mean_confidence_interval(difference(values[statistics, k], name)), sign="+")
            for name in LEARNERS[1:])] for statistics in STATISTICS for k in SHOTS])
    print_rates(values["support", SHOTS[-1]])
    return patient_metrics(values)


def measure_patients(params, statistics, k_shot, options):
    """{learner: (accuracies, sensitivities, specificities)}, each (episodes,), all on the same tasks."""
    table, rng = patients.load(), generator(options, 10 + k_shot)  # both statistics see the same patients

    def measure(episode):
        scores = score_all(partial(class_scores, TABLES, params), standardise(episode, statistics))
        return {name: np.stack(rates(s, episode.query_y), axis=1) for name, s in scores.items()}

    values = evaluate(measure, lambda n: sample_patients(table.features, table.labels, k_shot, 25, n, rng),
                      options.patient_episodes, batch=100, label=f"patients, {k_shot} of each")
    return {name: value.T for name, value in values.items()}


def difference(values, other):
    return values["transformer"][0] - values[other][0]


def print_rates(values):
    print(f"\n   Which mistakes? K = {SHOTS[-1]}, statistics of the support: so many of the malignant\n"
          "   were found (sensitivity), so many of the benign let go (specificity).\n")
    print_table(["", "accuracy", "sensitivity", "specificity"], [
        [name, *(plus_minus(*mean_confidence_interval(rate)) for rate in values[name])] for name in LEARNERS])


def patient_metrics(values):
    metrics = {}
    for (statistics, k), of_learner in values.items():
        where = f"patients, K = {k}, statistics of the {statistics}"
        for name in LEARNERS:
            for what, rate in zip(("", ", sensitivity", ", specificity"), of_learner[name], strict=True):
                metrics[f"{where}, {name}{what}"] = metric(*mean_confidence_interval(rate))
            if name != "transformer":
                metrics[f"{where}, transformer minus {name}"] = metric(
                    *mean_confidence_interval(difference(of_learner, name)))
    return metrics


# ---------------------------------------------------------------- characters: lesson 3's embedding, frozen


def run_characters(training, test, options):
    """Print and return the accuracies of the transformer and of prototypes on the same frozen embeddings."""
    rng = generator(options, 3)
    n_way = min(20, len(training))
    frozen = train_one(partial(prototypical_objective, EMBEDDING), EMBEDDING.init(rng),
                       lambda: sample_episodes(training, n_way, 1, 5, 1, rng), "embedding",
                       options.embedding_iterations, 1e-2, options)

    def embedded(classes, n_tasks):
        return embed_episode(frozen, sample_episodes(classes, 5, 1, 5, n_tasks, rng))

    pool = [embedded(training, 20) for _ in range(options.character_pool // 20)]  # the embedding is frozen: only once
    units = np.concatenate([tasks.support_x for tasks in pool]).reshape(-1, 32)
    units = units.mean(axis=0), units.std(axis=0) + 1e-6  # of training characters, the same for all tasks
    reader = train_one(partial(classification_objective, CHARACTERS), CHARACTERS.init(rng),
                       lambda: relabelled(in_units(pool[rng.integers(len(pool))], *units), rng),
                       "transformer-characters", options.character_iterations, options.transformer_rate, options)

    def measure(episode):
        centres = prototypes(episode.support_x, episode.support_y, 5)
        scores = {"prototypes": -squared_distances(episode.query_x, centres),
                  "transformer": class_scores(CHARACTERS, reader, in_units(episode, *units))}
        return {name: accuracies(s, episode.query_y) for name, s in scores.items()}

    values = evaluate(measure, lambda n: embedded(test, n), options.episodes, label="characters")
    values["transformer minus prototypes"] = values["transformer"] - values["prototypes"]
    print(f"\n6. {len(test)} new characters, 5-way 1-shot, embedded by lesson 3's network, frozen;\n"
          f"   statistics of the support, {options.episodes} episodes, 5 queries per class; accuracy in %.\n")
    print_table(["", "accuracy"], [
        [name, plus_minus(*mean_confidence_interval(value), sign="+" * name.count("minus"))]
        for name, value in values.items()])
    return {f"characters, {name}": metric(*mean_confidence_interval(value)) for name, value in values.items()}


def embed_episode(frozen, episode):
    """The episode with embeddings in place of its images."""
    support, query = embed(EMBEDDING, frozen, episode, "support")
    return episode._replace(support_x=support, query_x=query)


def relabelled(episode, rng):
    """The same tasks with their labels exchanged: a task of N classes is N! tasks to someone who reads the labels."""
    n_tasks, n_way = len(episode.support_y), int(episode.support_y.max()) + 1
    names = rng.permuted(np.tile(np.arange(n_way), (n_tasks, 1)), axis=1)
    support_y, query_y = (np.take_along_axis(names, y, axis=1) for y in (episode.support_y, episode.query_y))
    return episode._replace(support_y=support_y, query_y=query_y)


def in_units(episode, mean, deviation):
    support, query = ((x - mean) / deviation for x in (episode.support_x, episode.query_x))
    return episode._replace(support_x=support, query_x=query)
