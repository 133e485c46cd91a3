"""`python -m fewshot_np`: the contents page."""

LESSONS = [
    # number, module, minutes of a default run, what it is about
    ("1", "lesson1_data_hunger", "", "what a network is made of: grad, dense, conv"),
    ("2", "lesson2_episodes", "0.2", "N ways, K shots, and how sure a result is"),
    ("4", "lesson4_maml", "1.2", "MAML: a start from which one step is enough"),
]


def main():
    print("fewshot_np: few-shot learning and meta-learning from scratch, in NumPy.\n"
          "Read the modules of this folder in order, and run them:\n"
          "  python -m fewshot_np.<module>            add --quick for a run of seconds\n")
    print(f"  {'':3}{'module':20}{'minutes':>7}   what it is about")
    for number, module, minutes, about in LESSONS:
        print(f"  {number:3}{module:20}{minutes:>7}   {about}")
    print("\nFirst: python -m fewshot_np.lesson2_episodes")


if __name__ == "__main__":
    main()
