"""Lesson 5, the canvas: how the reader's photos and strokes become images, and how answers are shown.

`lesson5_project --classify` reads photos with it and draws the answers. `--draw` opens the board: draw a few characters
once each, then more, and see who recognises them. Any number of *learners* answer at the end of each stroke. This
module knows none of them: a learner is a function

    learner(support_x (M,28,28,1), support_y (M,), query_x (28,28,1)) -> (bars (N,) in 0...1, label or None)
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewshot_np.data.folders import FITTED, read_image
from fewshot_np.data.glyphs import FACES, code_points_of
from fewshot_np.experiment.figures import BLACK, BLUE, GREEN, ORANGE, draw_image, new_figure

BROWN = "#B36B00"  # orange that can be read as text

SIZE = 28        # pixels along the side of the image that the learners see
PEN = 2.5        # width of a stroke in these pixels: about that of the glyphs
SMALLEST = 0.25  # share of the pad: what is smaller is taken to be so large, lest a dot becomes a ball
SLOTS = 8        # characters that can be taught

# ---------------------------------------------------------------- photos, and answers about them


class Answer(NamedTuple):
    """label: the class, or None for "none of these".   probabilities: of *same* with each class, (N,).

    nearest: the positions of all support images, the most alike first.   alike: the probability of each, (M,).
    """

    label: int | None
    probabilities: np.ndarray
    nearest: np.ndarray
    alike: np.ndarray


def read_photos(paths):
    """Images (Q,28,28,1) float32 of files; FileNotFoundError or ValueError that names the file."""
    images = []
    for path in map(Path, paths):
        try:
            images.append(read_image(path.expanduser(), fitted=True))
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no file {path}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return np.stack(images).astype(np.float32) * np.float32(1 / 255)


def in_words(title, answer, names):
    """An answer in one line: the class, its probability, and the next best."""
    first, second = (f"{printable(names[i])} p = {answer.probabilities[i]:.2f}"
                     for i in np.argsort(-answer.probabilities)[:2])
    said = first if answer.label is not None else f"none of these (nearest: {first})"
    return f"{printable(title):18}  {said}; then {second}"


def printable(name, width=18):
    """A name of the reader's as the terminal can show it, which may know few letters."""
    encoding = sys.stdout.encoding or "ascii"
    return shorten(name.encode(encoding, "replace").decode(encoding), width)


def drawable(names, label, width):
    """The name of a class as the figures' font can show it, which has no Chinese; else its number."""
    known = set(map(ord, names[label])) <= code_points_of(FACES[0])
    return shorten(names[label], width) if known else f"class {label + 1}"


def shorten(text, width):
    return text if len(text) <= width else text[:width - 2] + ".."


def draw_answers(queries, titles, answers, support, n_shown=5):
    """A row per query: the image, the answer, and the examples that it is most like, each with its probability."""
    n_shown = min(n_shown, len(support.images))
    figure, axes = new_figure(1.1 * (n_shown + 1) + 1.9, 1.3 * len(queries) + 0.5, nrows=len(queries),
                              ncols=n_shown + 2, squeeze=False, width_ratios=[1, 1.6] + [1] * n_shown)
    for row, query, title, answer in zip(axes, queries, titles, answers, strict=True):
        known = answer.label is not None
        draw_image(row[0], query, GREEN if known else ORANGE)
        row[0].set_title(drawable([Path(title).name], 0, 18), fontsize=8)
        row[1].axis("off")
        said = drawable(support.names, answer.label, 16) if known else "none of these"
        row[1].text(0.5, 0.5, f"{said}\n{100 * answer.probabilities.max():.0f} %", ha="center", va="center",
                    color=GREEN if known else BROWN, weight="bold", transform=row[1].transAxes)
        for panel, position in zip(row[2:], answer.nearest, strict=False):
            label = support.labels[position]
            draw_image(panel, support.images[position] / 255, GREEN if label == answer.label else None)
            panel.set_title(f"{drawable(support.names, label, 12)} {100 * answer.alike[position]:.0f} %", fontsize=8)
    figure.suptitle("What it is, and the examples that it is most like; %: probability of same", fontsize=10)
    return figure


# ---------------------------------------------------------------- from strokes to pixels


def rasterise(strokes, size=SIZE, pen=PEN):
    """Strokes as an image (size, size, 1) float32, ink 1: centred, as large and with as broad a pen as the glyphs.

    strokes: one or more arrays (P, 2) of positions on the pad, x to the right and y downwards, the pad's side being 1.
    A pixel's ink follows from its distance to the nearest line. ValueError where there is no point.
    """
    strokes = [np.asarray(stroke, dtype=float).reshape(-1, 2) for stroke in strokes]
    if not sum(map(len, strokes)):
        raise ValueError("nothing is drawn")
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (FITTED * size - pen) / max(*(high - low), SMALLEST)       # the pen's own width is part of the drawing
    strokes = [(stroke - (low + high) / 2) * scale + size / 2 for stroke in strokes if len(stroke)]
    starts = np.concatenate([stroke[:-1] if len(stroke) > 1 else stroke for stroke in strokes])    # (S, 2)
    ends = np.concatenate([stroke[1:] if len(stroke) > 1 else stroke for stroke in strokes])       # a dot ends there
    centres = np.arange(size) + 0.5
    pixels = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 1, 2)                    # (size^2, 1, 2)
    distances = np.sqrt(_squared_distances_to_lines(pixels, starts, ends).min(axis=1))
    return np.clip(pen / 2 + 0.5 - distances, 0, 1).reshape(size, size, 1).astype(np.float32)


def _squared_distances_to_lines(pixels, starts, ends):
    """From each pixel (P,1,2) to each line from start to end (S,2): (P,S)."""
    along = ends - starts
    length2 = np.sum(along ** 2, axis=-1)
    share = np.sum((pixels - starts) * along, axis=-1) / (length2 + (length2 == 0))   # 0 at the start, 1 at the end
    foot = starts + np.clip(share, 0, 1)[..., None] * along
    return np.sum((pixels - foot) ** 2, axis=-1)


# ---------------------------------------------------------------- the board


class Board:
    """Pad, slots and answers on a matplotlib figure: a class, for it is what mouse and keyboard act on.

    strokes: what is on the pad.   images, labels: what it was taught.   answers: {learner: (bars, label or None)}.
    tally: {learner: [right, asked]}, counted whenever a drawing that was answered is put into its slot.
    """

    def __init__(self, figure, learners):
        self.figure, self.learners = figure, learners
        self.strokes, self.images, self.labels, self.answers = [], [], [], {}
        self.tally = {name: [0, 0] for name in learners}
        self.drawing, self.line = False, None
        self.pad = figure.add_axes((0.03, 0.29, 0.36, 0.60))
        self.pad.set_aspect("equal", anchor="W")
        self.seen = figure.add_axes((0.385, 0.73, 0.09, 0.16))
        self.buttons = {"undo": figure.add_axes((0.39, 0.40, 0.08, 0.07)),
                        "clear": figure.add_axes((0.39, 0.30, 0.08, 0.07))}
        self.slots = [figure.add_axes((0.03 + 0.12 * i, 0.03, 0.10, 0.155)) for i in range(SLOTS)]
        self.panels = {name: figure.add_axes((0.52 + 0.16 * i, 0.30, 0.14, 0.47)) for i, name in enumerate(learners)}
        for event, act in [("button_press_event", self.press), ("motion_notify_event", self.move),
                           ("button_release_event", self.release), ("key_press_event", self.key)]:
            figure.canvas.mpl_connect(event, act)
        self.redraw()

    @property
    def n_classes(self):
        return max(self.labels, default=-1) + 1

    # ---- the mouse and the keyboard

    def press(self, event):
        if event.inaxes is self.pad:
            if event.button != 1:
                self.clear()
                return
            self.drawing = True
            self.strokes.append([(event.xdata, event.ydata)])
            (self.line,) = self.pad.plot(*self.strokes[-1][0], color=BLACK, linewidth=11, solid_capstyle="round",
                                         solid_joinstyle="round")
        for i, slot in enumerate(self.slots):
            if event.inaxes is slot:
                self.teach(i)
        for name, button in self.buttons.items():
            if event.inaxes is button:
                getattr(self, name)()

    def move(self, event):
        if self.drawing and event.inaxes is self.pad:
            self.strokes[-1].append((event.xdata, event.ydata))
            self.line.set_data(*np.transpose(self.strokes[-1]))
            self.pad.draw_artist(self.line)              # the line alone: the whole figure would lag behind the hand
            self.figure.canvas.blit(self.pad.bbox)

    def release(self, event):
        if self.drawing:
            self.drawing = False
            self.ask()

    def key(self, event):
        if event.key in ("u", "z", "ctrl+z", "backspace"):
            self.undo()
        elif event.key in ("c", "escape", "delete"):
            self.clear()
        elif event.key in ("n", "+", "enter"):
            self.teach(self.n_classes)
        elif event.key and event.key.isdecimal() and event.key != "0":
            self.teach(int(event.key) - 1)

    # ---- what they do

    def undo(self):
        self.strokes = self.strokes[:-1]
        self.ask()

    def clear(self):
        self.strokes = []
        self.ask()

    def teach(self, slot):
        """Put the drawing into a slot: a new character, or one more example of a character; and count who was right."""
        if not self.strokes or slot > self.n_classes or slot >= SLOTS:
            return
        for name, (_, label) in self.answers.items():
            self.tally[name][0] += label == (slot if slot < self.n_classes else None)
            self.tally[name][1] += 1
        self.images.append(rasterise(self.strokes))
        self.labels.append(slot)
        self.clear()

    def ask(self):
        """Let every learner answer what is on the pad, once there are two characters to choose from."""
        self.answers = {}
        if self.strokes and self.n_classes > 1:
            query = rasterise(self.strokes)
            support = np.stack(self.images), np.array(self.labels)
            self.answers = {name: learner(*support, query) for name, learner in self.learners.items()}
        self.redraw()

    # ---- what is shown

    def redraw(self):
        self._draw_pad()
        for i, slot in enumerate(self.slots):
            self._draw_slot(i, slot)
        for name, panel in self.panels.items():
            self._draw_answer(name, panel)
        advice = ("Draw a character with the mouse, then click on the + to teach it." if self.n_classes < 2 else
                  "Draw one of them again, or another one: who recognises it?   (+ teaches another)")
        for text in list(self.figure.texts):
            text.remove()
        self.figure.text(0.03, 0.94, advice, fontsize=13, weight="bold")
        if self.n_classes > 1:
            self.figure.text(0.03, 0.235, "Which was it? Click there: it is learned, and who was right is counted.",
                             fontsize=9)
            self.figure.text(0.52, 0.235, "Bars: how near, the nearest is 1; Siamese: probability of same",
                             fontsize=9, color="#555555")
        self.figure.canvas.draw_idle()

    def _draw_pad(self):
        self.pad.clear()
        self.pad.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
        for stroke in self.strokes:
            self.pad.plot(*np.transpose(stroke), color=BLACK, linewidth=11, solid_capstyle="round",
                          solid_joinstyle="round", marker="o" if len(stroke) == 1 else None, markersize=10)
        self.seen.clear()
        draw_image(self.seen, rasterise(self.strokes) if self.strokes else np.zeros((SIZE, SIZE, 1)),
                   title="what they see")
        for name, button in self.buttons.items():
            button.clear()
            button.set(xticks=[], yticks=[], facecolor="#EEEEEE")
            button.text(0.5, 0.5, name, ha="center", va="center", transform=button.transAxes)

    def _draw_slot(self, i, slot):
        slot.clear()
        slot.set(xticks=[], yticks=[])
        slot.axis("on" if i <= self.n_classes else "off")
        if i < self.n_classes:
            examples = [image for image, label in zip(self.images, self.labels, strict=True) if label == i]
            count = f"  ({len(examples)} examples)" if len(examples) > 1 else ""
            draw_image(slot, examples[0], title=f"{i + 1}{count}")
        elif i == self.n_classes:
            slot.text(0.5, 0.5, "+", fontsize=24, color="#777777", ha="center", va="center", transform=slot.transAxes)

    def _draw_answer(self, name, panel):
        panel.clear()
        bars, label = self.answers.get(name, (np.zeros(self.n_classes), None))
        colours = [BLUE if i == label else "#BBBBBB" for i in range(len(bars))]
        panel.barh(np.arange(len(bars)), bars, color=colours)
        panel.set(xlim=(0, 1), xticks=[], ylim=(SLOTS - 0.5, -0.5), yticks=range(len(bars)),
                  yticklabels=range(1, len(bars) + 1))
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        said = "" if name not in self.answers else "none of these" if label is None else str(label + 1)
        right, asked = self.tally[name]
        panel.text(0, 1.17, name, fontsize=12, weight="bold", transform=panel.transAxes)
        panel.text(0, 1.03, said, fontsize=16 if label is not None else 11, weight="bold",
                   color=BROWN if label is None else BLUE, transform=panel.transAxes)
        panel.text(0, -0.06, f"{right} of {asked} right" if asked else "", fontsize=10, transform=panel.transAxes)


# ---------------------------------------------------------------- the window

BACKENDS = ("macosx", "qtagg", "tkagg", "gtk4agg", "gtk3agg", "wxagg")


def open_window():
    """An empty figure in a window of the first toolkit that works; ValueError where no window can be opened."""
    from matplotlib import pyplot, rc_context  # nowhere else in the course: importing it looks for a display

    for backend in BACKENDS:
        try:
            pyplot.switch_backend(backend)
            with rc_context({"toolbar": "None"}):
                figure = pyplot.figure("fewshot_np: draw", figsize=(11, 6.2))
        except Exception:  # not installed, no display, or a display that refuses: each toolkit has its own errors
            continue
        handler = getattr(figure.canvas.manager, "key_press_handler_id", None)
        if handler is not None:
            figure.canvas.mpl_disconnect(handler)  # its keys close or enlarge the window; ours do other things
        return figure
    raise ValueError("--draw needs a window, and none can be opened here: there is no display, or no toolkit for it\n"
                     "(on Linux install python3-tk; over ssh take ssh -X). --classify needs none: it reads drawings "
                     "from files.")
