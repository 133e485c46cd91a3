"""`python -m fewshot_np.referee second-order my_module:my_meta_gradient`, and the other checks.

The exit code is 1 for a fault. MODULE:NAME is a function that you wrote, in a file of the current folder or in an
installed module.
"""

import argparse
import importlib
import sys

import numpy as np

from fewshot_np import referee

FORMULAS = ("contrastive", "contrastive-gradient", "prototypes", "prototype-logits", "cross-entropy")


def main(argv=None):
    arguments = build_parser().parse_args(argv)
    try:
        verdict = arguments.judge(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"referee: {error}")
    print(verdict)
    return 0 if verdict.ok else 1


def build_parser():
    parser = argparse.ArgumentParser(prog="python -m fewshot_np.referee", description="Checks for your own code.",
                                     epilog="What each function must take and return: lessons/referee/README.md")
    checks = parser.add_subparsers(required=True, metavar="CHECK")

    def add(name, judge, about):
        check = checks.add_parser(name, help=about, description=about)
        check.set_defaults(judge=judge)
        return check

    check = add("second-order", second_order, "is this meta-gradient second order?")
    check.add_argument("function", metavar="MODULE:NAME")
    check.add_argument("--training-step", action="store_true", help="it is a step of plain SGD, which returns weights")
    check.add_argument("--problem", choices=("softmax", "line"), default="softmax")
    check.add_argument("--steps", type=int, nargs="+", default=(1, 2, 3), help="numbers of inner steps to try")
    check.add_argument("--expect", default="second order", help="the verdict that is ok, such as 'first order'")
    check = add("episodes", lambda a: referee.episodes(load(a.function), n_episodes=a.number),
                "does this sampler draw fair episodes?")
    check.add_argument("function", metavar="MODULE:NAME")
    check.add_argument("--number", type=int, default=2000, help="of episodes to draw")
    check = add("splits", splits, "do train, validation and test share classes or images?")
    check.add_argument("parts", metavar="MODULE:NAME", help="(train, test) or (train, validation, test), or a function "
                       "without arguments that returns them; each (images, classes)")
    check = add("scores", scores, "what do the answers depend on?")
    check.add_argument("function", metavar="MODULE:NAME")
    check.add_argument("--allow", nargs="+", default=(), help="what is meant: 'support order', 'label names'")
    check.add_argument("--image-shape", type=int, nargs="+", default=(28, 28, 1))
    check.add_argument("--n-way", type=int, default=5)
    check = add("losses", losses, "which formulas are these?")
    for formula in FORMULAS:
        check.add_argument(f"--{formula}", metavar="MODULE:NAME")
    check.add_argument("--one-means", choices=("same", "different"), default="same")
    check = add("interval", interval, "which interval is this?")
    check.add_argument("function", metavar="MODULE:NAME or FILE.npy")
    check.add_argument("--printed", help="what is reported, such as '77.8 +- 0.8', for accuracies in a file")
    check.add_argument("--n-query", type=int, help="answers per episode")
    return parser


def second_order(a):
    function = load(a.function)
    given = {"step": function} if a.training_step else {"meta_gradient": function}
    return referee.second_order(**given, problem=a.problem, steps=tuple(a.steps), expect=a.expect)


def splits(a):
    parts = load(a.parts)
    parts = parts() if callable(parts) else parts
    train, *validation, test = parts
    return referee.splits(train, *validation, test=test) if validation else referee.splits(train, test=test)


def scores(a):
    return referee.scores(load(a.function), allow=tuple(a.allow), image_shape=tuple(a.image_shape), n_way=a.n_way)


def losses(a):
    names = [formula.replace("-", "_") for formula in FORMULAS]
    return referee.losses(**{name: load(getattr(a, name)) for name in names if getattr(a, name)}, one_means=a.one_means)


def interval(a):
    if a.function.endswith(".npy"):
        return referee.interval(np.load(a.function), printed=a.printed, n_query=a.n_query)
    return referee.interval(load(a.function), printed=a.printed, n_query=a.n_query)


def load(name):
    """What MODULE:NAME means; ValueError where there is none."""
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"{name!r} must be MODULE:NAME, such as my_module:my_meta_gradient")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ValueError(f"{error}; is {module}.py in the current folder?") from None
    except AttributeError:
        raise ValueError(f"{module} has no {attribute!r}") from None


if __name__ == "__main__":
    sys.exit(main())
