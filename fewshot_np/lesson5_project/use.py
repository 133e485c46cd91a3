"""--classify of lesson 5's run (not a page): your own images are read, answered, and drawn."""

import textwrap
from functools import partial

from tqdm import tqdm

from fewshot_np.data import folders
from fewshot_np.data.classes import to_float
from fewshot_np.data.folders import in_groups
from fewshot_np.lesson5_project import classify, in_words, read_photos, titles_of
from fewshot_np.lesson5_project.figures import ANSWERS_A_PAGE, save_answers
from fewshot_np.lesson5_project.model_file import find_model


def run_classify(options):
    if not options.support:
        raise ValueError("--classify needs --support FOLDER: a folder with one sub-folder of examples for each class")
    support = folders.load(options.support, fitted=True)
    photos = read_photos(options.classify, partial(tqdm, desc="reading photos", unit=" photos", ascii=True,
                                                   leave=False))
    model = find_model(options)
    answers = classify(model, to_float(support.images), support.labels, photos.images)
    titles = titles_of(photos.paths)
    print(f"{len(support.images)} examples of {len(support)} classes, seen once. Which is it?\n")
    width = min(40, max(map(len, titles)))
    for title, answer in zip(titles, answers, strict=True):
        print("  " + in_words(title.ljust(width), answer, support.names))
    print_meaning(model, support)
    print_what_is_odd(photos, support, titles)
    pages = save_answers(options.out / "classified", photos.images, titles, answers, support)
    print(f"\nWritten: {pages[0]}" + f" to {pages[-1].name}, {ANSWERS_A_PAGE} photos a page" * (len(pages) > 1))
    if photos.skipped:
        raise SystemExit(f"{len(photos.skipped)} of {len(photos.skipped) + len(titles)} photos could not be read")


def print_meaning(model, support):
    """What the numbers beside the answers are, and on which data they were found."""
    if model.known is not None:
        n_way = min(len(support), len(model.known))
        print(f"\np: how often such an answer is right, if it is one of {n_way}. Calibrated on\n"
              f"episodes of {n_way} validation characters of the model's training data; for photos\nit is a hint.")
    print(f'"None of these": no class whose probability of *same*, %, is above {100 * model.threshold:.0f}.')


def print_what_is_odd(photos, support, titles):
    """What was skipped, what may have been read wrongly, and what is an example itself."""
    for what, cases in [("skipped", photos.skipped), ("perhaps read wrongly", photos.doubts)]:
        if cases:
            print_wrapped(f"{len(cases)} photos {what}: {in_groups(cases)}")
    examples = {image.tobytes() for image in to_float(support.images)}
    same = [title for title, image in zip(titles, photos.images, strict=True) if image.tobytes() in examples]
    if same:
        print_wrapped(f"The same image as one of the examples, so its answer proves nothing: {', '.join(same)}")


def print_wrapped(text):
    print("\n" + textwrap.fill(text, 80, break_long_words=False, break_on_hyphens=False))
