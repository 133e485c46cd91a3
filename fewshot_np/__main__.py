"""`python -m fewshot_np`: the contents page."""

import sys

LESSONS = [
    # number, module, minutes of a default run, what it is about
    ("1", "lesson1_data_hunger", "1", "accuracy against images per class"),
    ("2", "lesson2_episodes", "0.2", "N ways, K shots, and how sure a result is"),
    ("2", "lesson2_zero_shot", "1", "characters known by their names alone"),
    ("3", "lesson3_metric", "2", "prototypical and Matching Networks"),
    ("3", "lesson3_initialisation", "2.5", "pretrain and fine-tune; Reptile"),
    ("4", "lesson4_siamese", "1.2", "Siamese networks: a distance from pairs"),
    ("4", "lesson4_maml", "1.2", "MAML: a start from which one step is enough"),
    ("5", "lesson5_project", "1.5", "a Siamese network for your own images"),
    ("6", "lesson6_optimizer", "2.3", "Meta-SGD, and an optimiser that is learned"),
    ("6", "lesson6_model_based", "0.8", "an update that is a forward pass"),
    ("7", "lesson7_pitfalls", "2", "how accuracies lie"),
    ("8", "lesson8_comparison", "2.5", "every method on the same episodes"),
]


def main(argv=()):
    if argv:
        named = [module for _, module, _, _ in LESSONS if argv[0].lower() in module]
        sys.exit(f"this is the contents page, it runs nothing: for a lesson write python -m fewshot_np.<module>, "
                 f"such as\n  python -m fewshot_np.{(named or [LESSONS[0][1]])[0]}")
    print("fewshot_np: few-shot learning and meta-learning from scratch, in NumPy.\n"
          "Read the modules of this folder in order, and run them:\n"
          "  python -m fewshot_np.<module>            add --quick for a run of seconds\n")
    print(f"  {'module':23}{'minutes':>7}   what it is about")
    for _, module, minutes, about in LESSONS:
        print(f"  {module:23}{minutes:>7}   {about}")
    print("\nFirst: python -m fewshot_np.lesson1_data_hunger")


if __name__ == "__main__":
    main(sys.argv[1:])
