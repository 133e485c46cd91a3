"""Strokes become images; the board is used by simulated mouse and keyboard events."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fewshot_np.lesson5_project import __main__ as lesson_run
from fewshot_np.lesson5_project import canvas_answers
from fewshot_np.lesson5_project.board import SLOTS, Board, rasterise
from fewshot_np.lesson5_project.model_file import save_model
from fewshot_np.playground.strokes import PEN
from tests.lesson5_project.parts import SHAPES, by_hand_model

# ---------------------------------------------------------------- strokes


def test_strokes_become_a_centred_image_of_the_glyphs_size_wherever_they_are_on_the_pad():
    strokes = [np.array([(.7, .1), (.7, .5), (.8, .5)]), np.array([(.6, .3), (.8, .3)])]
    image = rasterise(strokes)
    assert image.shape == (28, 28, 1)
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)
    rows, columns = (np.flatnonzero((image[..., 0] > 0.5).any(axis)) for axis in (1, 0))
    assert rows[0] + rows[-1] == pytest.approx(27, abs=1)
    assert columns[0] + columns[-1] == pytest.approx(27, abs=1)
    assert len(rows) == pytest.approx(20, abs=1)
    np.testing.assert_allclose(rasterise([1.7 * stroke - 0.5 for stroke in strokes]), image, atol=1e-5)


def test_a_dot_stays_small_and_no_stroke_is_an_error():
    assert 4 < rasterise([[(.5, .5)]]).sum() < 8
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="nothing is drawn"):
            rasterise(nothing)


def test_ink_is_by_the_distance_to_the_nearest_line():
    stroke = np.random.default_rng(0).random((5, 2))
    image = rasterise([stroke])
    low, high = stroke.min(0), stroke.max(0)
    points = (stroke - (low + high) / 2) * (20 - PEN) / (high - low).max() + 14
    for row, column in [(5, 9), (14, 14), (20, 8), (9, 21), (13, 17)]:
        distance = min(np.hypot(*(points[i] + t * (points[i + 1] - points[i]) - (column + .5, row + .5)))
                       for i in range(4) for t in np.linspace(0, 1, 2001))
        assert image[row, column, 0] == pytest.approx(np.clip(PEN / 2 + 0.5 - distance, 0, 1), abs=2e-2)


# ---------------------------------------------------------------- the board


class Hand:
    """A board without a display, and a hand that draws on it."""

    def __init__(self, threshold):
        self.figure = Figure(figsize=(11, 6.2))
        self.canvas = FigureCanvasAgg(self.figure)
        self.board = Board(self.figure, canvas_answers(by_hand_model(threshold)))
        self.canvas.draw()
        self.canvas.draw_idle = lambda: None               # a window would draw once in a while

    def event(self, name, place, button=1):
        self.canvas.callbacks.process(name, MouseEvent(name, self.canvas, *place, button))

    def draw(self, shape, size=0.5, place=0.25):
        for line in SHAPES[shape]:
            line = np.array(line) * size + place
            fine = [np.interp(np.linspace(0, len(line) - 1, 10), range(len(line)), line[:, i]) for i in (0, 1)]
            places = self.board.pad.transData.transform(np.transpose(fine))
            self.event("button_press_event", places[0])
            for where in places[1:]:
                self.event("motion_notify_event", where)
            self.event("button_release_event", places[-1])

    def click(self, axes, button=1):
        place = axes.transAxes.transform((0.5, 0.5))
        self.event("button_press_event", place, button)
        self.event("button_release_event", place, button)

    def key(self, key):
        self.canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", self.canvas, key))

    def teach(self, *shapes):
        for i, shape in enumerate(shapes):
            self.draw(shape)
            assert len(self.board.strokes) == len(SHAPES[shape])
            self.click(self.board.slots[i])
            assert not self.board.strokes


def test_draw_teach_and_recognise(recwarn, tmp_path):
    hand = Hand(threshold=0.0)
    board, shapes = hand.board, ["cross", "triangle", "zigzag"]
    hand.teach(*shapes)
    assert board.labels == [0, 1, 2]
    for label, shape in enumerate(shapes):
        hand.draw(shape, size=0.7, place=0.1)
        assert {name: answer[1] for name, answer in board.answers.items()} == dict.fromkeys(
            ["pixels", "Siamese", "prototypes"], label)
        for bars, _ in board.answers.values():
            assert bars.shape == (3,)
            assert ((bars >= 0) & (bars <= 1)).all()
        hand.click(board.slots[label])                     # one more example, and who was right
    assert board.tally["Siamese"] == [3, 4]                # the zigzag was new when it was taught
    assert board.labels == [0, 1, 2, 0, 1, 2]
    hand.figure.savefig(tmp_path / "board.png")
    assert not [w for w in recwarn if "font" in str(w.message).lower() or "layout" in str(w.message).lower()]


def test_a_new_character_is_none_of_these():
    hand = Hand(threshold=0.9)
    hand.teach("cross", "triangle")
    hand.draw("zigzag")
    assert hand.board.answers["Siamese"][1] is None
    assert "none of these" in [text.get_text() for text in hand.board.panels["Siamese"].texts]
    hand.click(hand.board.slots[2])
    assert hand.board.tally == {"pixels": [0, 1], "Siamese": [1, 1], "prototypes": [0, 1]}


def test_undo_clear_and_keys():
    hand = Hand(threshold=0.0)
    board = hand.board
    hand.draw("cross")
    hand.click(board.buttons["undo"])
    assert len(board.strokes) == 1
    for _ in range(2):                                     # the second time nothing is left to undo
        hand.key("z")
        assert not board.strokes
    for clear in (lambda: hand.click(board.buttons["clear"]), lambda: hand.click(board.pad, button=3)):
        hand.draw("cross")
        clear()
        assert not board.strokes
    hand.draw("cross")
    hand.key("5")                                          # slot 1 comes first
    assert not board.labels
    hand.key("1")
    hand.draw("bar")
    hand.key("n")
    assert board.labels == [0, 1]
    hand.key("n")                                          # an empty pad teaches nothing
    hand.key("shift")
    assert board.labels == [0, 1]


def test_a_stroke_that_leaves_the_pad_and_a_full_board():
    hand = Hand(threshold=0.0)
    board = hand.board
    start, outside = board.pad.transData.transform([(0.5, 0.5), (3, 0.5)])
    hand.event("button_press_event", start)
    hand.event("motion_notify_event", outside)
    hand.event("button_release_event", outside)
    assert len(board.strokes[0]) == 1
    assert not board.drawing
    board.images, board.labels = [np.zeros((28, 28, 1), "float32")] * (SLOTS - 1), list(range(SLOTS - 1))
    for _ in range(2):
        hand.draw("bar")
        hand.key("n")
    assert board.n_classes == SLOTS


# ---------------------------------------------------------------- the window


def test_without_a_display_there_is_a_message_and_no_training_and_the_lesson_imports_no_pyplot(tmp_path):
    """In a process of its own: toolkits and displays are a matter of the whole process."""
    code = ("import sys; from fewshot_np.lesson5_project import __main__ as l, board; "
            "assert 'matplotlib.pyplot' not in sys.modules; "
            "board.BACKENDS = ('nosuchthing',); "
            "from fewshot_np.experiment.options import run; "
            f"run(lambda: l.main(['--draw', '--out', {str(tmp_path)!r}]))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "--draw needs a window" in result.stderr
    assert "Traceback" not in result.stderr


def test_draw_hands_a_board_to_the_reader(tmp_path, monkeypatch, capsys):
    """What --draw does where there is a display: here the window is a canvas in memory."""
    from matplotlib import pyplot

    figure = Figure(figsize=(11, 6.2))
    FigureCanvasAgg(figure)
    monkeypatch.setattr(lesson_run, "open_window", lambda: figure)
    monkeypatch.setattr(pyplot, "show", lambda block: None)
    save_model(tmp_path / "model.npz", by_hand_model(0.0))
    lesson_run.main(["--draw", "--model", str(tmp_path / "model.npz"), "--out", str(tmp_path / "out")])
    assert "Siamese     0 of 0 right" in capsys.readouterr().out
