"""The checks of the exercises, checked: what is right passes, what is wrong fails and is named, whatever it does.

Every lesson with exercises is found, so that new ones are covered. The reader's answers are left alone: stubs and
solutions are made in temporary folders, and these tests are green while the exercises are half solved.
"""

import ast
import doctest
import re
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import fewshot_np
from fewshot_np.__main__ import LESSONS
from fewshot_np.lesson2_episodes import t_factor
from lessons.teacher import check_strength, checking
from lessons.teacher.check_strength import SEEDS, changed_stubs
from lessons.teacher.checking import (
    check,
    check_file,
    discover,
    honest_answers_of,
    inputs,
    load,
    mistakes_of,
    reading_order,
)
from lessons.teacher.comparing import findings
from lessons.teacher.sandbox import SECONDS, Clock

ROOT = Path(__file__).parents[2]
IGNORED = ("__pycache__", "figures", "results")
EXERCISES = discover()
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)


def words(text):
    """The text without its line breaks."""
    return " ".join(text.split())


# ---------------------------------------------------------------- stubs and solutions, in temporary folders


def stubbed(source, exercises):
    """The source of an exercise file with stubs for the functions that the reader has written already.

    SyntaxError, KeyError or AttributeError where it is no Python, or lacks a function or its docstring.
    """
    nodes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    lines = source.splitlines()
    for e in sorted(exercises, key=lambda e: -nodes[e.name].lineno):
        node, title = nodes[e.name], ast.get_docstring(nodes[e.name]).splitlines()[0]
        if not e.solved and "raise NotImplementedError" not in lines[node.end_lineno - 1]:
            lines[node.body[0].end_lineno:node.end_lineno] = [f"    raise NotImplementedError({e.id + ': ' + title!r})"]
    return "\n".join([*lines, *(solution(e) for e in exercises if e.solved), ""])


def fresh_source(path, exercises):
    """The exercise file as a reader finds it; made of the committed one where the reader's is in the middle of work."""
    try:
        return stubbed(path.read_text(encoding="utf-8"), exercises)
    except (SyntaxError, KeyError, AttributeError):
        done = subprocess.run(["git", "show", f"HEAD:./{path.name}"], cwd=path.parent, capture_output=True, text=True,
                              encoding="utf-8", check=False)
        if done.returncode:
            pytest.skip(f"{path} is being worked on, and there is no committed one")
        return stubbed(done.stdout, exercises)


def solution(exercise):
    """A line that puts the first honest answer in the place of the stub."""
    answer = honest_answers_of(exercise)[0].__name__
    return f"from lessons.{exercise.folder.name}.mistakes import {answer} as {exercise.name}"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The course as a reader finds it: a folder with pyproject.toml and lessons/, the exercises still to be written."""
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "lessons", folder / "lessons", ignore=shutil.ignore_patterns(*IGNORED))
    for lesson in {e.folder.name for e in EXERCISES}:
        path = ROOT / "lessons" / lesson / "exercises.py"
        source = fresh_source(path, [e for e in EXERCISES if e.folder == path.parent])
        (folder / "lessons" / lesson / "exercises.py").write_text(source, encoding="utf-8")
    return folder


def stub_file(fresh, exercise):
    return fresh / "lessons" / exercise.folder.name / "exercises.py"


def run_pytest(folder, *arguments):
    """`pytest` as the reader calls it, in that folder; without a plugin that the tests alone have, for speed."""
    library = Path(fewshot_np.__file__).parents[1]
    code = f"import sys, pytest; sys.path.append({str(library)!r}); sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    return subprocess.run(command, cwd=folder, timeout=120, capture_output=True, text=True, encoding="utf-8",
                          check=False)


# ---------------------------------------------------------------- for every exercise: right and wrong


@every_exercise
def test_the_example_in_the_docstring_is_what_the_reference_gives(exercise, fresh):
    module = load(stub_file(fresh, exercise))
    names = {**vars(module), exercise.name: exercise.reference}
    functions = [node for node in ast.parse(stub_file(fresh, exercise).read_text(encoding="utf-8")).body
                 if isinstance(node, ast.FunctionDef)]
    doc = next(ast.get_docstring(node) for node in functions if node.name == exercise.name)
    test = doctest.DocTestParser().get_doctest(doc, names, exercise.name, None, 0)
    assert test.examples or exercise.predicates, "one example by hand, please"
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


@every_exercise
def test_the_stub_fails_with_its_own_message(exercise, fresh):
    path = stub_file(fresh, exercise)
    failure = check_file(exercise, path)
    if exercise.solved:
        assert failure is None
        return
    assert failure.to_do
    title, place, task = failure.text.split("\n", 2)
    assert title.startswith(exercise.id + ": ")
    line = int(place.rpartition(":")[2])
    assert path.read_text(encoding="utf-8").splitlines()[line - 1].strip().startswith("raise NotImplementedError")
    doc = getattr(load(path), exercise.name).__doc__
    assert words(task) in words(doc)
    assert bool(exercise.gradients) == bool(re.search("Differentiable|able to differentiate", doc))


@cache
def findings_once(exercise, f, number, seed):
    return list(findings(exercise, f, number, Clock(SECONDS), seed))


@pytest.fixture
def kept_findings(monkeypatch):
    """Known answers are called once: several tests ask for what they return."""
    def kept(exercise, f, number, clock, seed=0):
        return iter(findings_once(exercise, f, number, seed))
    for module in (checking, check_strength):
        monkeypatch.setattr(module, "findings", kept)


@every_exercise
def test_each_mistake_fails_and_is_named(exercise, kept_findings):
    mistakes = mistakes_of(exercise)
    assert 3 <= len({mistake.thought for mistake in mistakes}) <= 25
    assert len({mistake.__name__ for mistake in mistakes}) == len(mistakes)
    for mistake in mistakes:
        failure = check(exercise, mistake)
        assert failure, f"{mistake.__name__} passes"
        assert failure.names == (mistake.__name__,), failure.text
        assert words(f"{mistake.thought} Hint: {mistake.hint}") in words(failure.text)
        assert failure.text.isascii()
        assert max(map(len, failure.text.splitlines())) <= 120


def assert_strong(exercise, seeds):
    """Right answers lie far within the tolerance, so they pass, also the reference where a result is by hand."""
    strength = check_strength.strength_of(exercise, seeds)
    if exercise.predicates:
        assert strength.honest[0] == 0
        assert strength.mistake[0] == len(seeds)
    else:
        assert strength.honest[0] <= 0.1
        assert strength.mistake[0] >= 10
    assert strength.pair[0] >= 10


@every_exercise
def test_right_answers_of_all_kinds_lie_far_within_the_tolerance_and_mistakes_far_outside(exercise, kept_findings):
    assert_strong(exercise, SEEDS[:1])


@pytest.mark.slow
@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.predicates], ids=lambda exercise: exercise.id)
def test_no_seed_of_a_sampler_rejects_what_is_right_or_lets_a_mistake_pass(exercise):
    assert_strong(exercise, SEEDS)


@every_exercise
def test_nonsense_fails_soon_and_clearly(exercise):
    def raises(*inputs):
        raise KeyError("nonsense")

    def random(*inputs):
        return np.random.default_rng().normal(size=(2, 3))

    started = time.monotonic()
    for answer, told in [(raises, "KeyError: 'nonsense'"), (lambda *inputs: None, "None"), (random, ""),
                         (lambda *inputs: "text", ""), (lambda *inputs: {}, ""), (lambda *inputs: float("nan"), "")]:
        failure = check(exercise, answer)
        assert told in failure.text
        assert not failure.names
    assert time.monotonic() - started < 60


def test_every_exercise_has_an_id_of_its_own_and_an_honest_answer_and_no_mistake_belongs_to_another():
    ids = {e.id for e in EXERCISES}
    assert len(ids) == len(EXERCISES)
    for e in EXERCISES:
        name, _, number = e.id.rpartition(".")
        assert name in e.folder.name
        assert number.isdigit()
        assert honest_answers_of(e)
        answers = vars(load(e.folder / "mistakes.py")).values()
        assert {f.exercise_id for f in answers if hasattr(f, "exercise_id")} <= ids


def test_no_exercise_needs_its_own_lesson_or_a_later_one(fresh):
    """The file of exercises imports nn, data, and lessons before its own."""
    read = [module for _, module, *_ in LESSONS]
    for folder in {stub_file(fresh, e).parent for e in EXERCISES}:
        tree = ast.parse((folder / "exercises.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("fewshot_np"):
                if [name.name for name in node.names] == ["t_factor"]:
                    continue  # a table of numbers, which no exercise asks for
                part = (node.module + ".").split(".")[1]
                before = part in read and folder.name in read and read.index(part) < read.index(folder.name)
                assert part in ("nn", "data") or before, f"{folder.name} imports {node.module}"


def test_the_inputs_of_a_case_are_found_by_its_name_and_lessons_by_their_place():
    scores, labels = inputs("episodes.2", "3 tasks, 7 queries, 4 classes, draw 2")
    assert scores.shape == (3, 7, 4)
    assert labels.shape == (3, 7)
    names = [module for _, module, *_ in LESSONS]
    assert sorted(["a_folder_of_no_lesson", *sorted(names)], key=reading_order) == [*names, "a_folder_of_no_lesson"]


# ---------------------------------------------------------------- answers that misbehave


def exercise_by(id):
    return next(e for e in EXERCISES if e.id == id)


DENSE = exercise_by("hunger.2")


def written(tmp_path, body):
    """A file whose function `dense` has this body."""
    path = tmp_path / "exercises.py"
    path.write_text("import sys, time\nfrom autograd import numpy as np\n\n\ndef dense(x, w, b):\n    " + body + "\n",
                    encoding="utf-8")
    return path


@pytest.mark.parametrize("body", [
    "while True: pass", "while True: print('again')", "time.sleep(3)",
    "while True:\n        try: print('again')\n        except: pass",
    "while True:\n        try: x = 1\n        except Exception: pass",
    "pass\n\nn = 0\nwhile True:\n    n += 1"])  # when the file is loaded
def test_an_answer_without_end_is_stopped_and_its_line_shown(tmp_path, body):
    started = time.monotonic()
    failure = check_file(DENSE, written(tmp_path, body), seconds=0.3)
    assert time.monotonic() - started < 30
    assert re.search(r"nothing within 0\.3 s|loading the file did not end within 0\.3 s", failure.text)
    assert "exercises.py:" in failure.text
    assert check(DENSE, DENSE.reference) is None  # and the next one is not affected


@pytest.mark.parametrize(("body", "told"), [
    ("return x @ q", "NameError: name 'q' is not defined at EXERCISES:6: return x @ q"),
    ("return x @ q", "Nothing has this name here."),
    ("import torch_of_nobody", "Is it installed, and spelt right?"),
    ("return np.average(x[:, :, None] * w, axis=1) * len(w) + b", "It knows no derivative of np.average"),
    ("return np.average(x[:, :, None] * w, axis=1) * len(w) + b", "In this case the value was right"),
    ("return np.where(np.ones((len(x), len(b))) > 0, b, 0) + x @ w", "respect to b has another shape than b."),
    ("x @ w + b", "It returned None: is the `return` missing?"),
    ("return (x @ w + b).T.T[None]", "It has the shape (1, 1, 3) where (1, 3) was expected."),
    ("return (x @ w + b).ravel()", "It has the shape (3,) where (1, 3) was expected."),
    ("return 'text'", "A str was returned where numbers were expected."),
    ("return [[1.0], [1.0, 2.0]]", "make no array"),
    ("return dict(out=x)", "A dict with the keys out was returned where numbers were expected."),
    ("return np.random.normal(size=(len(x), len(b)))", "something in it is random"),
    ("return 2 * (x @ w + b)", "all of it is 2 times what was expected"),
    ("return x @ w + b[::-1]", "1 of its 3 numbers are right"),
    ("return (x @ w + b) / 0", "There is NaN or infinity in it"),
    ("x -= 1\n    return (x + 1) @ w + b", "changed its argument x, in place"),
    ("sys.exit()", "SystemExit"),
    ("return dense(x, w, b)", "RecursionError"),
    ("breakpoint()", "`pytest --pdb`"),
    ("out = np.zeros((len(x), len(b)))\n    out[:] = x @ w + b\n    return out", "do not assign into arrays"),
    ("raise NotImplementedError('maml.1: another exercise')", "NotImplementedError: maml.1: another exercise"),
    ("return x @ w + b)", "EXERCISES:6: return x @ w + b) SyntaxError: unmatched ')'"),
    ("pass\n\nundefined", "EXERCISES:8: undefined NameError"),
    ("pass\n\ndel dense", "has no function `dense` any more, but hunger.2 needs it"),
])
def test_what_goes_wrong_is_told(tmp_path, body, told):
    path = written(tmp_path, body)
    failure = check_file(DENSE, path)
    assert told in words(failure.text).replace(str(path), "EXERCISES")
    assert "Traceback" not in failure.text
    assert not failure.to_do


def test_what_an_answer_prints_is_cut_after_twenty_lines_and_with_pdb_errors_are_left_alone(tmp_path, capsys):
    failure = check_file(DENSE, written(tmp_path, "for i in range(400): print('line', i)"))
    lines = failure.text.splitlines()
    assert "printed   line 0" in lines
    assert lines[-2:] == ["          line 19", "          ... and 380 more lines"]
    assert capsys.readouterr().out == ""
    with pytest.raises(NameError):
        check_file(DENSE, written(tmp_path, "return q"), seconds=None)


def test_two_mistakes_at_once_are_told_as_a_resemblance_to_the_one_that_shows_first():
    """Stable nowhere and summed: the sum shows first."""
    def answer(logits, labels):
        return -np.sum(np.log((np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[range(len(labels)), labels]))
    failure = check(exercise_by("hunger.4"), answer)
    assert not failure.names
    assert failure.alike == ("summed",)
    assert "in this case the same comes out as if: The examples were summed, not averaged." in words(failure.text)


def pairs_with_the_second_image_the_next_or_the_one_before(images_of, n_pairs, rng):
    """Right but for the same pairs, whose images are neighbours, without the first and the last being ones."""
    first, second, same = honest_answers_of(exercise_by("siamese.4"))[1](images_of, n_pairs, rng)
    for i in np.flatnonzero(same):
        ids = images_of[rng.integers(len(images_of))]
        place = rng.integers(len(ids) - 1)
        first[i], second[i] = ids[place], ids[place + 1]
    return first, second, same


def pull_of_the_mean(e1, e2, same, margin):
    d = np.sqrt(np.sum((e1 - e2) ** 2, axis=1) + 1e-300)
    return np.mean(same * np.mean((e1 - e2) ** 2, axis=1) + (1 - same) * np.maximum(0, margin - d) ** 2)


def sum_by_one_less(h, params, x, y):
    return np.sum(h(params, np.concatenate([x, y], axis=-1)), axis=1) / max(x.shape[1] - 1, 1)


def sum_by_the_root(h, params, x, y):
    return np.sum(h(params, np.concatenate([x, y], axis=-1)), axis=1) / x.shape[1] ** 0.5


def learner_and_memory_begin_anew(update, loss, phi, theta, steps_before, segment):
    right = honest_answers_of(exercise_by("optimizer.5"))[0]
    return right(update, loss, phi, theta, 0, segment)


@pytest.mark.parametrize(("id", "answer", "right_name"), [
    ("episodes.3", lambda v: (v.mean(), t_factor(len(v)) * v.std(ddof=1) / (len(v) - 1) ** 0.5), "one_less_twice"),
    ("episodes.3", lambda v: (v.mean(), t_factor(len(v)) * v.std() / len(v)), None),
    ("model_based.1", sum_by_the_root, None),
    ("model_based.1", sum_by_one_less, None),
    ("siamese.1", pull_of_the_mean, None),
    ("optimizer.5", learner_and_memory_begin_anew, "no_steps_before"),
    ("siamese.4", pairs_with_the_second_image_the_next_or_the_one_before, "neighbours_in_the_list_of_images"),
    ("metric.1", lambda e, labels, n_way: np.array([np.max(e[labels == n], axis=0) for n in range(n_way)]),
     "largest_of_each_feature"),
    ("pitfalls.2", lambda a, b: (np.mean(a - b), t_factor(len(a)) * np.std(a - b, ddof=1) / np.sqrt(2 * len(a))), None),
])
def test_nobody_is_accused_of_a_mistake_that_was_not_made(id, answer, right_name):
    failure = check(exercise_by(id), answer)
    assert failure.names == ((right_name,) if right_name else ()), failure.text


@pytest.mark.parametrize(("id", "answer", "told"), [
    ("model_based.3", lambda r, n, new: r + (new - r) / (n + 1), "0 times NaN is NaN"),
    ("siamese.3", lambda *inputs: exercise_by("siamese.3").reference(*inputs).astype(float),
     "float64 where integers were expected"),
    ("episodes.1", lambda *inputs: tuple(1.0 * a for a in exercise_by("episodes.1").reference(*inputs)),
     "The first of the four results has numbers of the type float64 where integers were expected"),
    ("pitfalls.3", lambda *inputs: exercise_by("pitfalls.3").reference(*inputs).astype(int),
     "where booleans were expected"),
])
def test_floats_for_integers_and_the_mean_of_nothing_are_rejected(id, answer, told):
    assert told in words(check(exercise_by(id), answer).text)


def test_a_step_of_reptile_may_be_written_in_any_way_that_leaves_the_arguments_alone():
    def accumulated(params, adapted, outer_lr):
        moved = {}
        for key, theta in params.items():
            moved[key] = np.zeros(theta.shape)
            for phi in adapted[key]:
                moved[key] += phi - theta
            moved[key] = theta + outer_lr * moved[key] / len(adapted[key])
        return moved
    assert check(exercise_by("initialisation.3"), accumulated) is None


def test_messages_say_which_result_and_which_gradient_they_mean():
    def second_result_larger(params, x, h, c):
        h, c = exercise_by("optimizer.4").reference(params, x, h, c)
        return h, 1.5 * c

    text = words(check(exercise_by("optimizer.4"), second_result_larger).text)
    assert "returned as the second of the two results: [[1.0875]]" in text
    text = words(check(exercise_by("siamese.3"), lambda support, labels, query: labels[:len(query)]).text)
    assert "expected [0, 1]" in text  # integers are shown as integers
    (frozen,) = [m for m in mistakes_of(exercise_by("maml.5")) if m.__name__ == "body_frozen"]
    text = words(check(exercise_by("maml.5"), frozen).text)
    assert "as the gradient with respect to params, body:" in text
    assert "gradient of the sum, with random weights, of all numbers in anil_step(" in text
    for sign in ('["', "[1] =", "c *"):
        assert sign not in text


def test_a_gradient_that_is_wrong_in_the_second_order_alone_is_found():
    """A primitive whose derivative unboxes: right once, silently wrong twice."""
    from autograd.extend import defvjp, primitive
    product = primitive(np.matmul)
    defvjp(product, lambda ans, x, w: lambda g: g @ getattr(w, "_value", w).T,
           lambda ans, x, w: lambda g: getattr(x, "_value", x).T @ g)
    failure = check(DENSE, lambda x, w, b: product(x, w) + b)
    assert failure.text.startswith("called    gradient of the sum, with random weights, of the gradient")


# ---------------------------------------------------------------- as the reader sees it


def progress(output):
    """{lesson: its marks} of the lines at the end."""
    lines = [line.split() for line in output.splitlines() if line.startswith("lesson") and ".py" not in line]
    return {line[0]: line[1] for line in lines}


def test_a_reader_who_begins_is_shown_the_first_thing_to_write(fresh):
    done = run_pytest(fresh, "lessons", "-x")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\nhunger.2: " in done.stdout
    assert "\nstill to write: lessons/lesson1_data_hunger/exercises.py:" in done.stdout
    assert "Traceback" not in done.stdout
    assert "hunger.3" not in done.stdout
    order = list(dict.fromkeys(e.folder.name for e in EXERCISES))
    marks = progress(done.stdout)
    assert list(marks) == order
    assert marks[order[0]].startswith("#.-")
    assert max(map(len, done.stdout.splitlines())) <= 120
    done = run_pytest(fresh, "lessons", "-k", "maml.2")  # chosen by its id
    assert "\nmaml.2: " in done.stdout
    assert progress(done.stdout) == {"lesson4_maml": "."}


def test_what_is_solved_passes_and_what_is_not_is_to_write_whatever_the_order(fresh, tmp_path):
    """Every second exercise of some lessons is solved."""
    shutil.copytree(fresh, tmp_path, dirs_exist_ok=True)
    lessons, marks = list(dict.fromkeys(e.folder.name for e in EXERCISES))[::3], {}
    for k, e in enumerate(e for e in EXERCISES if e.folder.name in lessons):
        marks[e.folder.name] = marks.get(e.folder.name, "") + ("#" if e.solved or k % 2 else ".")
        if k % 2 and not e.solved:
            with open(stub_file(tmp_path, e), "a", encoding="utf-8") as file:
                file.write(solution(e) + "\n")
    done = run_pytest(tmp_path, *(f"lessons/{lesson}" for lesson in reversed(lessons)))
    assert list(progress(done.stdout).items()) == list(marks.items())
    (problem,) = changed_stubs(e for e in discover(tmp_path / "lessons") if e.id in ("hunger.2", "hunger.3"))
    assert problem.startswith("hunger.2 must be a stub")


def test_the_library_knows_nothing_of_the_lessons_folder():
    for path in Path(fewshot_np.__file__).parent.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) lessons\b", path.read_text(encoding="utf-8"), re.MULTILINE), path
