"""The page as a person uses it, in a real browser at desktop and phone size: drawing, teaching, asking, dragging."""

import json
import shutil
import time

import numpy as np
import pytest

from fewshot_np.lesson5_project.__main__ import page_with_model
from fewshot_np.playground.server import PAGE
from tests.lesson5_project.parts import by_hand_model
from tests.playground.browser import open_browser, served

BUDGET = {"fast": 30, "maml": 300}  # milliseconds from the end of a stroke to the answer
SIGNS = {"corner": [[(0.2, 0.2), (0.2, 0.8), (0.8, 0.8)]],
         "cross": [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]],
         "zigzag": [[(0.1, 0.2), (0.9, 0.2), (0.1, 0.8), (0.9, 0.8)]]}


class Person:
    """Uses the page through the browser's own events: mouse on a desktop, finger on a phone."""

    def __init__(self, driver, address, size):
        self.driver, self.address, self.size = driver, address, size

    def open(self, scene="draw"):
        self.driver.get("about:blank")
        self.log("browser"), self.log("performance")
        self.driver.get(f"{self.address}#{scene}")
        self.wait("return document.documentElement.dataset.ready")
        return self

    def log(self, kind):
        return self.driver.get_log(kind)

    def run(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def wait(self, code, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(code):
                return value
            time.sleep(0.02)
        raise AssertionError(f"after {seconds} s still false: {code}")

    def find(self, css):
        return self.driver.find_element("css selector", css)

    def texts(self, css):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", css)

    def set(self, css, value):
        """Move a slider."""
        self.run("const slider = document.querySelector(arguments[0]); slider.value = arguments[1];"
                 "slider.dispatchEvent(new Event('input'))", css, value)

    def click(self, css):
        element = self.find(css)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def drag(self, css, points):
        """Press at the first of the points (shares of the element), move through the others, release."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.pointer_input import PointerInput

        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        box = self.run("const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                       "return [b.left, b.top, b.width, b.height]", css)
        pointer = PointerInput("touch" if self.size == "phone" else "mouse", "pointer")
        builder = ActionBuilder(self.driver, mouse=pointer, duration=10)
        places = [(int(box[0] + x * box[2]), int(box[1] + y * box[3])) for x, y in points]
        builder.pointer_action.move_to_location(*places[0]).pointer_down()
        for place in places[1:]:
            builder.pointer_action.move_to_location(*place)
        builder.pointer_action.pointer_up()
        builder.perform()

    def draw(self, sign, by=(0, 0), scale=1):
        for stroke in SIGNS[sign]:
            self.drag("#pad", [(0.5 + (x - 0.5) * scale + by[0], 0.5 + (y - 0.5) * scale + by[1])
                               for x, y in stroke])

    def teach(self, *signs):
        for sign in signs:
            self.draw(sign)
            self.click("#teach")

    def answers(self):
        """{learner: label} once all four have answered what is on the pad."""
        return self.wait("const all = [...document.querySelectorAll('.answer')].map(({ dataset }) =>"
                         "[dataset.learner, dataset.label]);"
                         "return all.every((each) => each[1]) && Object.fromEntries(all)")

    def shares(self):
        """The prototypical network's probabilities, in per cent."""
        return self.run("return [...document.querySelectorAll('[data-learner=prototypical] .fill')]"
                        ".map((e) => parseFloat(e.style.width))")

    def milliseconds(self, sign, scales):
        """From the end of each of these drawings to its answer."""
        times = []
        for scale in scales:
            self.draw(sign, scale=scale)
            self.answers()
            times.append(self.run("return Number(document.getElementById('timing').dataset.fast)"))
            self.click("#clear")
        return times

    def assert_clean(self):
        """No error on the console, no request beyond the page's own origin."""
        assert not [entry for entry in self.log("browser") if entry["level"] == "SEVERE"]
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        asked = [message["params"]["request"]["url"] for message in messages
                 if message["method"] == "Network.requestWillBeSent"]
        assert asked
        assert not [url for url in asked if not url.startswith((self.address, "data:", "about:"))]
        assert self.run("return document.getElementById('problem').hidden")
        assert self.run("return document.documentElement.scrollWidth <= window.innerWidth"), "wider than the window"


@pytest.fixture(params=["desktop", "phone"])
def person(request, address):
    person = Person(request.getfixturevalue(request.param), address, request.param)
    yield person
    person.assert_clean()


@pytest.fixture
def desk(desktop, address):
    """Somebody at a desktop, where the size makes no difference; the page is open."""
    person = Person(desktop, address, "desktop")
    yield person.open()
    person.assert_clean()


# ---------------------------------------------------------------- 1. draw


def test_signs_are_taught_once_and_recognised(person):
    person.open().teach("corner", "cross", "zigzag")
    assert len(person.texts(".sign")) == 3
    for number, sign in enumerate(SIGNS, 1):
        person.draw(sign, by=(0.03, -0.02), scale=0.8)
        assert person.answers() == dict.fromkeys(("pixels", "prototypical", "siamese", "maml"), str(number))
        person.click(f"#truths button:nth-child({number})")
    assert person.texts(".answer h4 span") == ["3 of 3 right"] * 4
    assert len(person.run("return document.querySelectorAll('#map .mover')")) == 6  # 3 examples, 3 prototypes


def test_an_unknown_sign_is_none_of_these_for_the_siamese_network(person):
    person.open().teach("corner", "cross")
    person.draw("zigzag")
    assert person.answers()["siamese"] == "none"
    assert person.find("[data-learner=siamese] .cut").is_displayed()
    person.click("#truths button:last-child")
    assert person.texts(".answer h4 span") == ["0 of 1 right", "0 of 1 right", "1 of 1 right", "0 of 1 right"]


def test_undo_clear_more_examples_and_removal(person):
    person.open().draw("cross")
    person.click("#undo")
    person.click("#teach")
    person.draw("cross")
    person.click("#clear")
    assert person.run("return document.getElementById('teach').disabled")
    person.draw("cross")
    person.click("#teach")
    person.draw("corner")
    person.click(".sign:nth-child(2) > button")
    assert len(person.texts(".sign:nth-child(2) .example")) == 2
    person.click(".sign:nth-child(2) .example")
    assert len(person.texts(".sign:nth-child(2) .example")) == 1
    person.click(".sign:nth-child(1) .example")
    assert len(person.texts(".sign")) == 1


def test_kept_queries_change_the_answers_only_together(person):
    person.open().teach("corner", "cross", "zigzag")
    person.draw("corner", scale=0.6)
    person.answers()
    without = person.shares()
    person.click("#clear")
    for sign in ("cross", "zigzag"):
        person.draw(sign, scale=0.7)
        person.click("#keep")
    person.draw("corner", scale=0.6)
    person.answers()
    assert person.shares() == without
    person.click("input[name=together][value='1']")
    assert person.answers()
    assert person.shares() != without
    assert len(person.texts("#queries li")) == 2
    person.wait("return [...document.querySelectorAll('#queries b')].every((e) => /^sign|^none/.test(e.textContent))")


def test_a_prototype_dragged_onto_the_query_is_the_answer_until_it_is_put_back(person):
    """Two signs and a query span a plane, so a star on the query has no distance to it in the embedding, either."""
    person.open().teach("corner", "cross")
    person.draw("corner", scale=0.8)
    assert person.answers()["prototypical"] == "1"
    places = ("return [...document.querySelectorAll('#map .mover')].map((e) =>"
              "e.style.transform.match(/-?[0-9.]+/g).map(Number))")
    flat = f"{places}.flat()"
    before = person.shares()
    stars = person.run("return [...document.querySelectorAll('#map .mover')].map((e) => e.dataset.i ?? null)")
    time.sleep(0.5)  # the map has come to rest
    query = person.run(places)[-1]
    for star, to in [("0", (180, 20 if query[1] > 130 else 240)), ("1", query)]:
        there = person.run(places)[stars.index(star)]
        person.drag("#map", [(x / 360, y / 260) for x, y in (there, (100, 100), to)])
        assert star == "0" or person.run(places)[stars.index(star)] == pytest.approx(to, abs=2)
        time.sleep(0.5)
    assert person.answers()["prototypical"] == "2"
    assert person.shares() == pytest.approx([0, 100], abs=0.1)
    person.click("#back")
    assert person.shares() == pytest.approx(before)
    star = person.find("#map [data-i='0']")
    at_rest = person.run(flat)
    star.send_keys("\ue014")  # the right arrow
    assert person.run(flat) != pytest.approx(at_rest, abs=1)
    person.driver.switch_to.active_element.send_keys("\ue017")  # Delete, on the star that still has the focus
    assert person.run(flat) == pytest.approx(at_rest, abs=0.01)


def test_an_answer_comes_within_the_budget(desk):
    """The best of several strokes, because the machine may be busy with something else."""
    desk.teach("corner", "cross", "zigzag")
    assert min(desk.milliseconds("zigzag", np.linspace(0.5, 0.85, 8))) <= BUDGET["fast"]
    adapting = []
    for steps in (4, 5, 4, 5, 4, 5):
        desk.draw("cross", scale=0.8)
        desk.answers()
        desk.set("#steps", steps)
        desk.answers()
        adapting.append(desk.run("return Number(document.getElementById('timing').dataset.maml)"))
        desk.click("#clear")
    assert min(adapting[1::2]) <= BUDGET["maml"]
    desk.draw("corner", scale=0.8)
    desk.set("#steps", 0)
    desk.answers()
    width = desk.run("return document.querySelector('[data-learner=maml] .fill').style.width")
    assert float(width.rstrip("%")) < 99  # without a step it has not learned them apart


def test_signs_survive_a_file(desk, tmp_path):
    desk.teach("corner", "cross")
    saved = desk.driver.execute_async_script("""
        const done = arguments[0];
        const original = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); URL.createObjectURL = original; return "#draw"; };
        document.getElementById("save").click();""")
    good, bad = tmp_path / "signs.json", tmp_path / "bad.json"
    good.write_text(saved, encoding="utf-8")
    desk.open()
    for content in ("no JSON", "{}", json.dumps({"format": "fewshot_np signs 1", "signs": [[[[[0.5, 7]]]]]})):
        bad.write_text(content, encoding="utf-8")
        desk.find("#load").send_keys(str(bad))
        desk.wait("return document.getElementById('advice').textContent.startsWith('This file holds no signs')")
    assert not desk.texts(".sign")
    desk.find("#load").send_keys(str(good))
    desk.wait("return document.querySelectorAll('.sign').length === 2")
    desk.draw("cross", scale=0.8)
    assert set(desk.answers().values()) == {"2"}


def test_a_stroke_off_the_pad_is_cut_and_said(person):
    person.open().drag("#pad", [(0.5, 0.5), (0.9, 0.5), (0.99, 0.2)])
    assert "off the pad" not in person.find("#advice").text
    person.drag("#pad", [(0.5, 0.6), (0.5, 0.95), (0.6, 1.1)])
    assert "off the pad" in person.find("#advice").text


def test_drawing_by_keyboard(desk):
    from selenium.webdriver.common.keys import Keys

    pad = desk.find("#pad")
    pad.send_keys(Keys.SPACE, *[Keys.ARROW_RIGHT] * 6, *[Keys.ARROW_DOWN] * 6, Keys.SPACE, "n")
    pad.send_keys(Keys.SPACE, *[Keys.ARROW_LEFT] * 6, *[Keys.ARROW_UP] * 3, *[Keys.ARROW_LEFT] * 4, Keys.SPACE, "n")
    pad.send_keys(Keys.SPACE, *[Keys.ARROW_RIGHT] * 6, *[Keys.ARROW_DOWN] * 6, Keys.SPACE)
    assert set(desk.answers().values()) == {"1"}
    pad.send_keys("1")
    assert desk.texts(".answer h4 span") == ["1 of 1 right"] * 4


def test_lesson_5_opens_the_page_with_the_readers_own_model(desktop, tmp_path):
    """A network that is not trained, but for which p(same) falls with the distance; nothing passes the threshold 1."""
    for threshold, label in ((0.0, "1"), (1.0, "none")):
        folder = page_with_model(by_hand_model(threshold), tmp_path / label)
        with served(folder) as address:
            person = Person(desktop, f"{address}?model=project", "desktop").open()
            person.teach("corner", "zigzag")
            person.draw("corner", scale=0.8)
            answers = person.answers()
            assert (answers["siamese"], answers["prototypical"], answers["maml"]) == (label, "1", "1")
            assert "Your Siamese network" in person.texts("[data-learner=siamese] h4")[0]
            person.click("#clear")
            assert min(person.milliseconds("zigzag", (0.5, 0.6, 0.7, 0.8))) <= BUDGET["fast"]
            person.address = address
            person.assert_clean()


# ---------------------------------------------------------------- 2. curve


def errors(person):
    return person.run("return [...document.querySelectorAll('.error')].map((e) => Number(e.dataset.error))")


def test_points_are_dragged_added_and_removed(person):
    person.open("curve")
    count = "return document.querySelectorAll('#curves > :first-child .point').length"
    assert person.run(count) == 10
    person.click("#curve-empty")
    assert person.run(count) == 0
    person.drag("#curves > :first-child svg", [(0.3, 0.3)])
    person.drag("#curves > :first-child svg", [(0.7, 0.6)])
    assert person.run(count) == 2
    curve = "return document.querySelector('#curves .after').getAttribute('d')"
    before, errors_before = person.run(curve), errors(person)
    person.drag("#curves > :first-child svg", [(0.3, 0.3), (0.3, 0.5), (0.3, 0.7)])
    assert person.run(count) == 2
    assert person.run(curve) != before
    assert errors(person) != errors_before
    person.run("document.querySelector('#curves .point').focus()")
    person.driver.switch_to.active_element.send_keys("\ue017")  # Delete
    assert person.run(count) == 1
    person.click("#curve-add")
    assert person.run(count) == 2


def test_maml_needs_fewer_steps_than_the_other_starts(person):
    person.open("curve")
    sums = [0, 0, 0]
    for _ in range(10):  # because a single curve may lie near the pretrained mean
        person.click("#curve-new")
        sums = [total + min(error, 100) for total, error in zip(sums, errors(person), strict=True)]
    assert sums[0] < sums[1] < sums[2]
    person.click("#curve-truth")
    assert all("true curve" in text for text in person.texts(".error"))
    person.click("#curve-own")
    assert person.run("return document.getElementById('curve-rate').disabled")


# ---------------------------------------------------------------- 3. you against the networks


@pytest.mark.parametrize("n_way", [5, 20])
def test_ten_trials_end_with_intervals_and_paired_differences(person, n_way):
    person.open("versus")
    if n_way == 20:
        person.click("input[name=ways][value='20']")
    for trial in range(10):
        assert person.texts("#versus-count") == [f"Trial {trial + 1} of 10"]
        assert len(person.texts("#versus-choices button")) == n_way
        person.click(f"#versus-choices button:nth-child({trial % n_way + 1})")
        person.wait("const said = document.getElementById('versus-said').textContent;"
                    "return said && !said.includes('…')")
        assert len(person.texts(".choices .truth")) == 1
        if trial < 9:
            person.click("#versus-next")
    rows = person.texts("#versus-result tr")
    assert len(rows) == 6
    assert all("…" in row and "%" in row for row in rows[1:])
    person.click("#versus-next")
    assert person.texts("#versus-count") == ["Trial 11 of 20"]


# ---------------------------------------------------------------- 4. the line


def test_the_start_is_dragged_and_every_method_pulls(person):
    person.open("line")
    pulls = "return Object.fromEntries([...document.querySelectorAll('#line-table tr[data-method]')].map((row) =>" \
            "[row.dataset.method, [...row.children].slice(1, 3).map((cell) => cell.textContent)]))"
    assert person.run(pulls) == {"maml": ["-1.344", "0.78"], "first": ["-5.125", "0.48"], "reptile": ["-0.375", "0.00"],
                                 "pretrained": ["-13.500", "0.18"]}
    person.drag("#line-loss", [(0.6, 0.8), (0.5, 0.8), (0.3, 0.8)])
    start = float(person.find("#line-start-out").text)
    assert start < 0
    assert float(person.run(pulls)["maml"][0]) > 0
    person.run("document.querySelector('#line-loss .handle').focus()")
    person.driver.switch_to.active_element.send_keys("\ue014")  # arrow to the right
    assert float(person.find("#line-start-out").text) == pytest.approx(start + 0.05)
    person.set("#line-rate", 0)
    ends = {name: cells[1] for name, cells in person.run(pulls).items()}
    assert ends["maml"] == ends["first"] == ends["pretrained"] == "0.18"  # without an inner step they are the same
    assert "does not pull" in ends["reptile"]


# ---------------------------------------------------------------- the whole page


@pytest.mark.parametrize("scene", ["draw", "curve", "versus", "line"])
def test_every_scene_is_there_in_chinese_and_in_the_dark(person, scene):
    person.open(scene)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = person.run(paper)
    person.click("#theme")
    assert person.run(paper) != light
    person.click("#language")
    assert person.run("return document.documentElement.lang") == "zh"
    shown = person.run("return document.querySelector('section:not([hidden])').innerText")
    assert sum("一" <= letter <= "鿿" for letter in shown) > 100
    person.click("#language")
    person.click("#theme")
    person.run("localStorage.clear()")


def test_the_opening_answers_within_two_seconds_and_350_kilobytes(desk):
    files = desk.run("return performance.getEntriesByType('resource').map((e) =>"
                       "[e.name, e.decodedBodySize, e.responseEnd])")
    weights = [(size, end) for name, size, end in files if name.endswith(".bin")]
    assert sum(size for size, _ in weights) <= 350_000
    assert max(end for _, end in weights) < 2000
    desk.teach("corner", "cross")  # the pad is alive
    assert len(desk.texts(".sign")) == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:5000] + b"\0\1" + data[5002:],
                                    lambda data: b"", lambda data: b"<html>not found</html>"])
def test_damaged_weights_give_a_message_and_no_blank_page(desktop, tmp_path, damage):
    folder = shutil.copytree(PAGE, tmp_path / "page")
    file = folder / "weights" / "networks.bin"
    file.write_bytes(damage(file.read_bytes()))
    with served(folder) as address:
        desktop.get(address)
        person = Person(desktop, address, "desktop")
        person.wait("return document.getElementById('problem').textContent.includes('networks could not be read')")
        assert person.run("return !document.getElementById('problem').hidden && document.querySelector('main').hidden")


@pytest.mark.parametrize("feature", ["PointerEvent", "Worker"])
def test_a_browser_without_a_feature_gets_a_message(address, feature):
    with open_browser() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"delete window.{feature};"})
        driver.get(address)
        Person(driver, address, "desktop").wait("return document.getElementById('problem').textContent"
                                                f".includes('lacks something that the page needs: {feature}')")
