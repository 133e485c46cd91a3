"""The board that `--draw` opens (not a page): draw a few characters once each, then more, and see who recognises them.

At the end of each stroke everyone in `canvas_answers` says what it is; see `photos.canvas_answers` for what an answer
takes and returns. The board knows nothing of how they do it.
"""

import numpy as np

from fewshot_np.experiment.figures import BLACK, BLUE, draw_image
from fewshot_np.lesson5_project.figures import BROWN
from fewshot_np.playground.strokes import SIZE, rasterise

SLOTS = 8        # characters that can be taught

# ---------------------------------------------------------------- the board


class Board:
    """Pad, slots and answers on a matplotlib figure: a class, because mouse and keyboard act on it.

    strokes: what is on the pad.   images, labels: what it was taught.   answers: {name: (bars, label or None)}.
    tally: {name: [right, asked]}, counted whenever a drawing that was answered is put into its slot.
    """

    def __init__(self, figure, canvas_answers):
        self.figure, self.canvas_answers = figure, canvas_answers
        self.strokes, self.images, self.labels, self.answers = [], [], [], {}
        self.tally = {name: [0, 0] for name in canvas_answers}
        self.drawing, self.line = False, None
        self.pad = figure.add_axes((0.03, 0.29, 0.36, 0.60))
        self.pad.set_aspect("equal", anchor="W")
        self.seen = figure.add_axes((0.385, 0.73, 0.09, 0.16))
        self.buttons = {"undo": figure.add_axes((0.39, 0.40, 0.08, 0.07)),
                        "clear": figure.add_axes((0.39, 0.30, 0.08, 0.07))}
        self.slots = [figure.add_axes((0.03 + 0.12 * i, 0.03, 0.10, 0.155)) for i in range(SLOTS)]
        self.panels = {name: figure.add_axes((0.52 + 0.16 * i, 0.30, 0.14, 0.47))
                       for i, name in enumerate(canvas_answers)}
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
        """Let everyone say what is on the pad, once there are two characters to choose from."""
        self.answers = {}
        if self.strokes and self.n_classes > 1:
            query = rasterise(self.strokes)
            support = np.stack(self.images), np.array(self.labels)
            self.answers = {name: answer(*support, query) for name, answer in self.canvas_answers.items()}
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
        label_text = "" if name not in self.answers else "none of these" if label is None else str(label + 1)
        right, asked = self.tally[name]
        panel.text(0, 1.17, name, fontsize=12, weight="bold", transform=panel.transAxes)
        panel.text(0, 1.03, label_text, fontsize=16 if label is not None else 11, weight="bold",
                   color=BROWN if label is None else BLUE, transform=panel.transAxes)
        panel.text(0, -0.06, f"{right} of {asked} right" if asked else "", fontsize=10, transform=panel.transAxes)


# ---------------------------------------------------------------- the window

BACKENDS = ("macosx", "qtagg", "tkagg", "gtk4agg", "gtk3agg", "wxagg")


def open_window():
    """An empty figure in a window of the first toolkit that works.

    Raises: ValueError where no window can be opened.
    """
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
