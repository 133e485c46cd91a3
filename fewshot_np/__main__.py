"""`python -m fewshot_np`: the contents page."""

import sys
import sysconfig
from pathlib import Path

LESSONS = [
    # number, module, minutes of a default run, what it is about
    ("1", "lesson1_data_hunger", "1", "how accuracy grows with the number of images"),
    ("2", "lesson2_episodes", "0.2", "N-way K-shot: tasks of N classes, K examples"),
    ("2", "lesson2_zero_shot", "1", "recognise characters by their names alone"),
    ("3", "lesson3_metric", "3", "compare: prototypical and Matching Networks"),
    ("3", "lesson3_initialisation", "2.5", "a start to fine-tune: pretraining, Reptile"),
    ("4", "lesson4_siamese", "1.2", "Siamese networks: same or different?"),
    ("4", "lesson4_maml", "2", "MAML: a start from which one step is enough"),
    ("5", "lesson5_project", "1.5", "a Siamese network for your own images"),
    ("6", "lesson6_optimizer", "2.3", "steps that are learned: Meta-SGD, an LSTM"),
    ("6", "lesson6_model_based", "6", "learn a task by reading it, without steps"),
    ("7", "lesson7_pitfalls", "3", "how accuracies lie"),
    ("8", "lesson8_comparison", "6", "every method on the same tasks"),
]


RESULTS = "results"  # the program of the papers' experiments, which is no lesson
REFEREE = "referee"  # checks for the reader's own code
PLAYGROUND = "playground"  # a page in the browser, nor is it


def main(argv=()):
    if argv:
        programs = [*(module for _, module, _, _ in LESSONS), RESULTS, REFEREE, PLAYGROUND]
        named = [module for module in programs if argv[0].lower() in module]
        sys.exit(f"this is the contents page, it runs nothing: for a lesson write python -m fewshot_np.<lesson>, "
                 f"such as\n  python -m fewshot_np.{(named or [LESSONS[0][1]])[0]}")
    print("fewshot_np: few-shot learning and meta-learning from scratch, in NumPy.\n"
          "A lesson is a folder of this package, and a program that you run:\n"
          "  python -m fewshot_np.<lesson>            add --quick for a run of seconds\n")
    print(f"  {'lesson':23}{'minutes':>7}   what it is about")
    for _, module, minutes, about in LESSONS:
        print(f"  {module:23}{minutes:>7}   {about}")
    print("\nDraw a sign once, and watch it being recognised in your browser:\n"
          f"  python -m fewshot_np.{PLAYGROUND}")
    print(f"\nThe papers' experiments, in hours: python -m fewshot_np.{RESULTS} PROTOCOL\n"
          f"Is your own MAML second order? python -m fewshot_np.{REFEREE} --help\n"
          f"{where_the_texts_are()} read\n"
          "lessons/README.md, and run python -m lessons for the first exercise\n"
          "(or, without its loop, pytest lessons -x).\n"
          f"\nFirst: python -m fewshot_np.{LESSONS[0][1]}")


def where_the_texts_are(package=Path(__file__).parent, prefix=None):
    """Beside the package in a checkout; a wheel installs them, to be copied, because exercises are written into."""
    if (package.parent / "lessons" / "README.md").exists():
        return "The texts and the exercises are in the folder lessons/ of the repository:"
    installed = Path(prefix or sysconfig.get_path("data")) / "share" / "fewshot_np"
    if (installed / "lessons" / "README.md").exists():
        return f"The texts and the exercises are in\n  {installed}\nCopy that folder to a place of your own, and there"
    return "The texts and the exercises are in the folder lessons/ of the source distribution:"


if __name__ == "__main__":
    main(sys.argv[1:])
