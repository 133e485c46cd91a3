"""The rows of the tables of results: which method is trained how, for which task; and what two rows can share.

A row is one method, one task and one seed. It leaves a folder with its record and, where something was trained, its
learning curve, the best network on validation, and the last one with all that --resume needs.
"""

from types import SimpleNamespace

from fewshot_np.experiment.methods import Training, what_decides
from fewshot_np.experiment.records import read_record

# ---------------------------------------------------------------- the tables


def maml_training(iterations, inner_lr=2.0, test_lr=1.0, batch=16, **more):
    """MAML's training on Omniglot: features averaged over the last map; as many queries as supports.

    One step in training and ten in the test, at test_lr, which was chosen on validation characters: for MAML and ANIL
    half the rate of the training, for first-order MAML the same; see `sinusoids.best_later_rate`. The loss is a mean
    over the support, so that the same step for each class takes a larger rate at 20 ways; 8.0 and 4.0 are chosen like
    test_lr.
    """
    return Training(iterations, 3e-3, batch, n_query_test=1, objective={"inner_lr": inner_lr, "steps": 1, **more},
                    scores={"inner_lr": test_lr, "steps": 10})


def by_part(head, body):
    """Rates of the inner loop for conv4 with a head: one for the head, one for all four blocks."""
    return {"head": head, **{f"block{i}": body for i in (1, 2, 3, 4)}}


def metric_training(iterations, **more):
    """A metric-based method's on Omniglot: 60-way episodes, all features of the last map.

    The convolutions have stride 2, but for the rows that say "pool", as the papers do: two to three times as slow here.
    """
    return Training(**{"iterations": iterations, "learning_rate": 3e-3, "batch": 1, "train_way": 60, "n_query": 5,
                       "features": "flatten", **more})


# Not Koch et al. 2015, who weigh |h1 - h2|, take a sigmoid and train with cross-entropy on pairs, as in the rows of
# "cross-entropy Siamese", but lesson 4's contrastive loss, where each pair of the same character stands against the
# nearest image of another one.
CONTRASTIVE = {"negatives": "hardest", "margin": 10.0}
# Vinyals et al. 2016 take plain cosines, train with the ways and shots of the test, and let each embedding depend on
# the other examples ("full context embeddings"). Here cosines are divided by 0.05, training has 60 ways, no context.
# After 500 iterations, on validation characters and 20 ways: 94.6 %, and 91.7 with 0.1.
SHARPENED = {"temperature": 0.05}
# One network of each for 5 and 20 ways; in the rows of "extended prototypical" the test alone differs: it refines.
PROTOTYPICAL = {1: metric_training(5000, down="pool"), 5: metric_training(4000, down="pool")}  # by shots
REFINED = {"rounds": 5}
# Implicit MAML's inner problem; in the test, too: there more steps than in the training are worse.
SPRING = {"inner_lr": 1.0, "steps": 2, "strength": 0.1}
# fine-tuning answers with the network of "frozen features": see `training_identity`
PRETRAINING = Training(5000, 1e-2, batch=64)
FINN_PRETRAINING = PRETRAINING._replace(iterations=20000)  # four times as many classes: a character turned is another
FINN = {  # (method, n_way, k_shot); up to 63 minutes each, MAML at 20 ways 81 and 123: two cores, shared
    # after 2,500 iterations, on validation characters, a little better than 2.0 for all: 97.8 and 97.6 %
    ("MAML", 5, 1): maml_training(30000, by_part(2.0, 0.5), by_part(1.0, 0.25), batch=8)._replace(n_query=3),
    # on validation characters 95.7 % after 32,000 tasks; with one query in each 94.1 after 40,000
    ("first-order MAML", 5, 1): maml_training(24000, 0.8, 0.8, batch=8, first_order=True)._replace(n_query=3),
    ("ANIL", 5, 1): maml_training(14000, {"head": 2.0}, {"head": 1.0}),
    ("Meta-SGD", 5, 1): Training(20000, 3e-3, 8, n_query=3, n_query_test=1, start={"low": 1.0, "high": 3.0}),
    ("Reptile", 5, 1): Training(20000, 1.0, 5, n_query=9, n_query_test=1, optimizer="sgd", schedule="linear",
                                objective={"inner_lr": 2.0, "inner_steps": 5, "inner_batch": 10},
                                scores={"learning_rate": 1.0, "steps": 20}),
    ("Matching", 5, 1): metric_training(3000, down="pool", objective=SHARPENED, scores=SHARPENED),
    ("Siamese", 5, 1): metric_training(10000, n_query=2, objective=CONTRASTIVE),
    ("ridge regression", 5, 1): metric_training(10000, start={"strength": 1.0, "scale": 5.0}),
    ("Relation", 5, 1): metric_training(10000, train_way=20, features="mean", start={"n_hidden": 64}),
    ("frozen features", 5, 1): FINN_PRETRAINING,
    ("fine-tuning", 5, 1): FINN_PRETRAINING._replace(scores={"learning_rate": 0.1, "steps": 5}),
    ("implicit MAML", 5, 1): Training(8000, 3e-3, 8, n_query_test=1,
                                      objective={**SPRING, "cg_steps": 1}, scores=SPRING),
    ("ProtoMAML", 5, 1): Training(8000, 3e-3, 1, train_way=60, n_query=2, features="flatten",
                                  objective={"inner_lr": 0.4, "steps": 1}, scores={"inner_lr": 0.4, "steps": 3}),
    ("extended MAML", 5, 1): Training(8000, 3e-3, 8, n_query=3, n_query_test=1, start={"steps": 3, "inner_lr": 1.0}),
    ("MAML", 5, 5): maml_training(11000, batch=8)._replace(n_query=5, n_query_test=5),
    ("MAML", 20, 1): maml_training(48000, 8.0, 2.0, batch=8),
    ("MAML", 20, 5): maml_training(14000, 4.0, 2.0, batch=4)._replace(n_query=2, n_query_test=5),
    **{("prototypical", n_way, k_shot): row for k_shot, row in PROTOTYPICAL.items() for n_way in (5, 20)},
    **{("extended prototypical", n_way, 1): PROTOTYPICAL[1]._replace(scores=REFINED) for n_way in (5, 20)},
}
FINN = {key: row._replace(turned=True) for key, row in FINN.items()}
LAKE = {  # (method, learned from); the first two learn nothing
    ("modified Hausdorff", "background"): None,
    ("pixels", "background"): None,
    **{(method, background): metric_training(iterations, train_way=20, distorted=True, **more)
       for method, iterations, more in (
           ("prototypical", 12000, {}), ("extended prototypical", 12000, {"scores": REFINED}),
           ("prototypical ensemble", 8000, {"start": {"n_networks": 3}, "scores": {**REFINED, "copies": 16}}),
           ("Siamese", 12000, {"objective": CONTRASTIVE}), ("cross-entropy Siamese", 12000, {}))
       for background in ("background", "small1", "small2")},
}
SINUSOIDS = {(name,): Training(70000, 1e-3, 25, n_query=10, schedule="constant") for name in ("MAML", "pretraining")}
WORLDS = {
    **{("prototypical", world): metric_training(6000) for world in ("glyphs", "omniglot")},
    **{("frozen features", world): PRETRAINING for world in ("glyphs", "omniglot")},
    **{("fine-tuning", world): PRETRAINING._replace(scores={"learning_rate": 0.1, "steps": 5})
       for world in ("glyphs", "omniglot")},
}

TABLES = {"finn": FINN, "lake": LAKE, "sinusoids": SINUSOIDS, "worlds": WORLDS}
KEYS = {"finn": ("method", "n_way", "k_shot"), "lake": ("method", "background"), "sinusoids": ("method",),
        "worlds": ("method", "background")}  # the options that tell the rows of a table apart

# ---------------------------------------------------------------- a row of a table


def find_row(options):
    """The Training that the options ask for, None for a method that is not trained.

    Raises: ValueError naming all rows where there is none.
    """
    table, names = TABLES[options.protocol], KEYS[options.protocol]
    key = tuple(getattr(options, name) for name in names)
    if key not in table:
        raise ValueError(f"the protocol {options.protocol} has no row {in_words(options.protocol, key)}; its rows are\n"
                         + "\n".join(f"  {in_words(options.protocol, row)}" for row in table))
    return table[key]


def in_words(protocol, key):
    """A row as it is written on the command line: "--method MAML --n-way 5 --k-shot 1"."""
    return " ".join(f"--{name.replace('_', '-')} " + (f'"{value}"' if " " in str(value) else str(value))
                    for name, value in zip(KEYS[protocol], key, strict=True))


def with_key(options, key):
    """The options of the row `key` of the table."""
    return SimpleNamespace(**vars(options) | dict(zip(KEYS[options.protocol], key, strict=True)))


def task_of(options):
    if options.protocol == "finn":
        return f"{options.n_way}-way {options.k_shot}-shot"
    return "curves" if options.protocol == "sinusoids" else options.background


def folder_name(options):
    return f"{options.protocol} {options.method} {task_of(options)} seed{options.seed}".replace(" ", "-")


def folder_of(options):
    return options.out / folder_name(options)


def has_record(options):
    """Is the row there? Raises: ValueError where it is, but of another length."""
    path = folder_of(options) / "record.json"
    if not path.is_file():
        return False
    there = read_record(path)["options"]
    for name in {"quick", "effort", "episodes"} & vars(options).keys():
        if there.get(name) != getattr(options, name):
            raise ValueError(f"{path.parent} holds this row with {name} {there.get(name)}, not "
                             f"{getattr(options, name)}; choose another --out")
    return True


def is_made(options, share):
    """Is the row there, and not to be made again? With `share`, where all rows are asked for, what is there stays.

    A row asked for by its name is made again to go on with its training, or with another network.
    """
    return has_record(options) and (share or not (options.resume or getattr(options, "network", None)))


# ---------------------------------------------------------------- one training, tested in several rows


def training_identity(row, options):
    """All that decides what a training results in, as a dict, of a Training and its options (a dict).

    A network with a train way of its own does not depend on the test's ways. The extended prototypical network in a row
    that is otherwise the same is the plain one, tested in another way, and so is the pretrained network, whether it is
    fine-tuned in the test or frozen.
    """
    method = options["method"].replace("extended prototypical", "prototypical")
    ways = {} if row.train_way else {"n_way": options.get("n_way")}
    return {**what_decides(row), **ways,
            **{name: options.get(name) for name in ("protocol", "background", "k_shot", "seed", "effort")},
            "method": "frozen features" if method == "fine-tuning" else method}


def sibling_of(options):
    """The folder of a row that is there and has the network that this one would train; None where there is none."""
    row = find_row(options)
    for key, other in TABLES[options.protocol].items():
        one = with_key(options, key)
        if (row and other and training_identity(row, vars(options)) == training_identity(other, vars(one))
                and has_record(one) and (folder_of(one) / "best.npz").is_file()):
            return folder_of(one)
    return None
