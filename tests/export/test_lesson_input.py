"""What a lesson page is given, in headless Chromium: moved objects, drawings on 28 x 28, zoned dates, sparse rows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.cli.main import run
from fromlogits.data import idx
from fromlogits.export import lesson
from tests.export.browser import needs_a_browser, opened
from tests.export.test_lesson import DRAWN, EXAMPLES, draw, scenes_model

in_browser = needs_a_browser()
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
KINDS = ("car", "bus", "pedestrian")
ULP = 2.0**-23


def _written(classifier: fl.Classifier, folder: Path) -> Path:
    path = folder / "lesson.html"
    path.write_bytes(lesson.Lesson().export(classifier).content)
    return path


# --- scenes ---


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Mulberry:
    """The page's random numbers, for the generator's dice."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def random(self) -> float:
        def times(a: int, b: int) -> int:
            return a * b & 0xFFFFFFFF

        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        bits = times(self.state ^ self.state >> 15, self.state | 1)
        bits ^= (bits + times(bits ^ bits >> 7, bits | 61)) & 0xFFFFFFFF
        return (bits ^ bits >> 14) / 2**32

    def integers(self, low: int, high: int, size: tuple[int, ...] | None = None) -> Any:
        if size is None:
            return low + int(self.random() * (high - low))
        return np.array([self.integers(low, high) for _ in range(int(np.prod(size)))]).reshape(size)


def _by_the_generator(scene: dict[str, Any]) -> NDArray[np.uint8]:
    """The same scene, drawn by the functions that drew the training data."""
    make = _script("make_scenes")

    def dice(seed: int) -> Any:
        made = make.Dice(0)
        made._generator = Mulberry(seed)
        return made

    canvas, street = make.Canvas(), dice(scene["street"])
    horizon = street.between(11.5, 13.5)
    make.draw_backdrop(canvas, street, horizon)
    for thing in sorted((one for one in scene["things"] if one["isThere"]), key=lambda one: float(one["y"])):
        scale = 0.75 + 0.25 * (thing["y"] - horizon) / (make.SIDE - horizon)
        make.KINDS[KINDS.index(thing["kind"])](canvas, dice(thing["seed"]), thing["x"], thing["y"], scale)
    found: NDArray[np.uint8] = make._lit(canvas.finished(), dice(scene["street"] + 1))
    return found


@pytest.fixture(scope="module")
def scenes() -> fl.Classifier:
    return scenes_model()


@pytest.fixture(scope="module")
def scenes_page(scenes: fl.Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(scenes, tmp_path_factory.mktemp("scenes"))


@in_browser
def test_a_scene_is_drawn_as_the_training_data_were(scenes_page: Path) -> None:
    dice = np.random.default_rng(0)
    made = [
        {
            "street": int(dice.integers(2**31)),
            "things": [
                {"kind": kind, "x": float(dice.uniform(-2, 34)), "y": float(dice.uniform(16, 32)),
                 "seed": int(dice.integers(2**31)), "isThere": bool(dice.random() < 0.7)}
                for kind in KINDS
            ],
        }
        for _ in range(40)
    ]  # fmt: skip
    with opened(scenes_page) as driver:
        found = driver.execute_script("return arguments[0].map((scene) => lesson.pixelsOf(scene))", made)
    for scene, pixels in zip(made, found, strict=True):
        np.testing.assert_array_equal(np.array(pixels).reshape(32, 32, 3), _by_the_generator(scene))


def _shown(driver: Any) -> tuple[NDArray[np.uint8], list[str], list[str]]:
    """The pixels that the network was given, the probabilities that the table shows, and its answers."""
    pixels = np.array(driver.execute_script("return lesson.values()")).reshape(1, 32, 32, 3)
    rows = driver.find_elements("css selector", "#output-body tbody tr")
    cells = [[cell.text for cell in row.find_elements("tag name", "td")] for row in rows]
    return pixels.astype(np.uint8), [row[1] for row in cells], [row[-1] for row in cells]


def _is_pythons(driver: Any, classifier: fl.Classifier) -> NDArray[np.uint8]:
    pixels, probabilities, answers = _shown(driver)
    expected = classifier.predict_proba(pixels)[0]
    assert [float(text.replace("−", "-")) for text in probabilities] == pytest.approx(expected, rel=6e-4)
    assert answers == ["yes" if one else "no" for one in classifier.predict(pixels)[0]]
    return pixels


def _true_labels(driver: Any) -> list[str]:
    boxes = driver.find_elements("css selector", "#loss-body [data-label]")
    return [kind for kind, box in zip(KINDS, boxes, strict=True) if box.is_selected()]


@in_browser
def test_a_bus_is_dragged_in_and_out_again(scenes_page: Path, scenes: fl.Classifier) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    with opened(scenes_page) as driver:
        toggle, stage = driver.find_element("id", "toggle-bus"), driver.find_element("id", "stage")
        without = _is_pythons(driver, scenes)
        assert toggle.get_attribute("aria-pressed") == "false" and _true_labels(driver) == ["car", "pedestrian"]

        ActionChains(driver).drag_and_drop(toggle, stage).perform()
        beside = _is_pythons(driver, scenes)
        assert toggle.get_attribute("aria-pressed") == "true" and _true_labels(driver) == list(KINDS)
        assert (beside != without).any()

        side = stage.size["width"]
        ActionChains(driver).move_to_element(stage).click_and_hold().move_by_offset(side // 5, 8).release().perform()
        moved = _is_pythons(driver, scenes)
        assert (moved != beside).any() and _true_labels(driver) == list(KINDS)

        bus = driver.find_element("id", "thing-bus")
        free = -round(0.2 * bus.size["width"])  # beside its middle, where the pedestrian stands before it
        chain = ActionChains(driver).move_to_element_with_offset(bus, free, 0).click_and_hold()
        chain.move_by_offset(0, -side).release().perform()
        assert not bus.is_displayed() and _true_labels(driver) == ["car", "pedestrian"]
        np.testing.assert_array_equal(_is_pythons(driver, scenes), without)


@in_browser
def test_objects_are_moved_by_keys_alone(scenes_page: Path, scenes: fl.Classifier) -> None:
    from selenium.webdriver.common.keys import Keys

    with opened(scenes_page) as driver:
        toggle, bus = driver.find_element("id", "toggle-bus"), driver.find_element("id", "thing-bus")
        without = _is_pythons(driver, scenes)
        toggle.send_keys(Keys.SPACE)
        there = _is_pythons(driver, scenes)
        assert bus.get_attribute("aria-label") == "bus, 19 from the left and 24 from the top, of 32"
        bus.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_DOWN)
        assert bus.get_attribute("aria-label") == "bus, 17 from the left and 25 from the top, of 32"
        assert (_is_pythons(driver, scenes) != there).any()
        bus.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
        np.testing.assert_array_equal(_is_pythons(driver, scenes), there)
        bus.send_keys(Keys.ARROW_LEFT * 40)  # it stays in the picture
        assert bus.get_attribute("aria-label").startswith("bus, 0 from the left")
        bus.send_keys(Keys.DELETE)
        assert driver.switch_to.active_element == toggle
        np.testing.assert_array_equal(_is_pythons(driver, scenes), without)


@in_browser
def test_looks_and_streets_change_and_a_scene_is_painted_on(scenes_page: Path, scenes: fl.Classifier) -> None:
    with opened(scenes_page) as driver:
        seen = [_is_pythons(driver, scenes)]
        for button in ("again-car", "street"):
            driver.find_element("id", button).click()
            seen.append(_is_pythons(driver, scenes))
        assert (seen[0] != seen[1]).any() and (seen[1] != seen[2]).any()
        driver.find_element("css selector", "[name=way][value=paint]").click()
        assert driver.find_element("id", "pad").is_displayed() and not driver.find_element("id", "scene").is_displayed()
        driver.find_element("id", "pad").click()
        painted = _is_pythons(driver, scenes)
        assert painted[0, 16, 16].tolist() == [0x20, 0x60, 0xC0]
        assert 0 < (painted != seen[2]).any(axis=-1).sum() <= 9  # what the brush touched, and no other pixel
        driver.find_element("css selector", "[name=way][value=move]").click()
        np.testing.assert_array_equal(_is_pythons(driver, scenes), seen[2])
        driver.find_element("css selector", ".examples button").click()
        assert driver.find_element("id", "pad").is_displayed()
        _is_pythons(driver, scenes)


@in_browser
def test_the_network_is_drawn_from_the_picture_with_its_strongest_products(scenes_page: Path) -> None:
    with opened(scenes_page) as driver:
        features, weights, widths, squares = driver.execute_script(
            "const { features } = lesson.run(lesson.values()), { layers, networks } = lesson.model;"
            "const { weights } = networks[0][layers.findIndex(({ kind }) => kind === 'dense')];"
            "const all = (names) => [...document.querySelectorAll(`#network-body ${names}`)];"
            "return [Array.from(features), Array.from(weights),"
            " all('.tie').map((tie) => Number(tie.getAttribute('stroke-width'))), all('[fill^=rgb]').length];"
        )
    products = np.sort(np.abs(np.array(weights).reshape(8, 3072) * np.array(features)), axis=None)[:-37:-1]
    assert squares == 32 * 32
    assert widths[:36] == pytest.approx(0.4 + 2 * products / products[0], abs=0.0051)  # two decimals are written


def test_only_models_of_the_scenes_are_offered_them(scenes: fl.Classifier) -> None:
    """The file must say so: pictures of 32 x 32 in colour, and the three labels."""
    assert lesson.described(scenes._model)["has_scenes"]
    dice = np.random.default_rng(0)
    pictures = dice.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    others = {
        "other labels": (pictures, pd.DataFrame(dice.integers(0, 2, (60, 3)), columns=["car", "bus", "tram"])),
        "another size": (pictures[:, :16], pd.DataFrame(dice.integers(0, 2, (60, 3)), columns=KINDS)),
        "one class of the three": (pictures, dice.choice(KINDS, 60)),
    }
    for name, (x, y) in others.items():
        other = fl.Classifier(hidden_layer_sizes=(2,), random_state=0, max_epochs=1).fit(x, y)
        assert not lesson.described(other._model)["has_scenes"], name


# --- drawings on 28 x 28 ---


def _as_mnist(x: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Digits of 8 x 8 as pictures of 28 x 28: fitted into 20 x 20 in shades, centred by mass."""
    made = np.zeros((len(x), 28, 28), np.uint8)
    for to, digit in zip(made, x.reshape(-1, 8, 8), strict=True):
        rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
        cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        high, wide = 20, max(4, round(20 * cut.shape[1] / cut.shape[0] * 20 / 32))  # the bitmaps were 20 wide, 32 high
        ys, xs = (np.linspace(0, n - 1, size) for n, size in zip(cut.shape, (high, wide), strict=True))
        tall = np.array([np.interp(ys, range(cut.shape[0]), column) for column in cut.T])
        fine = np.array([np.interp(xs, range(cut.shape[1]), row) for row in tall.T]) * 255 / 16
        down = round(13.5 - float((fine.sum(axis=1) @ np.arange(high)) / fine.sum()))
        across = round(13.5 - float((fine.sum(axis=0) @ np.arange(wide)) / fine.sum()))
        to[max(0, down) : down + high, max(0, across) : across + wide] = fine[: 28 - down, : 28 - across].round()
    return made


@pytest.fixture(scope="module")
def large_digits() -> fl.Classifier:
    table = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)
    return fl.Classifier(hidden_layer_sizes=(40,), random_state=0, max_epochs=12).fit(
        _as_mnist(table[:, :-1]), table[:, -1].astype(int)
    )


@in_browser
def test_a_drawing_on_28_by_28_is_reduced_as_mnist_was(large_digits: fl.Classifier, tmp_path: Path) -> None:
    """Into 20 x 20, in shades up to 255, its centre of mass in the middle; wherever and however large it is drawn."""
    corner = [[(0.1 + 0.3 * x, 0.1 + 0.3 * y) for x, y in stroke] for stroke in DRAWN["7"]]
    with opened(_written(large_digits, tmp_path)) as driver:
        seen = []
        for strokes in (*DRAWN.values(), corner):
            driver.find_element("id", "clear").click()
            draw(driver, strokes)
            values = driver.execute_script("return lesson.values()")
            pixels = np.array(values).reshape(28, 28)
            seen.append(pixels)
            rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
            middles = np.arange(28) + 0.5
            centre = np.array([pixels.sum(axis=1) @ middles, pixels.sum(axis=0) @ middles]) / pixels.sum()
            assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)  # and a fainter edge
            assert np.abs(centre - 14).max() <= 0.75  # moved by whole pixels
            assert pixels.max() == 255 and (pixels == pixels.round()).all() and len(np.unique(pixels)) > 10
            shown = driver.find_element("css selector", "#answer strong").text
            assert shown == str(large_digits.predict(pixels[None].astype(np.uint8))[0])
        large, small = seen[-2], seen[-1]
        assert np.corrcoef(large.ravel(), small.ravel())[0, 1] > 0.9


@pytest.fixture(scope="module")
def mnist() -> fl.Classifier:
    if not MNIST.is_dir():
        pytest.skip(f"{MNIST} is not there: the real MNIST, as IDX files")
    read = idx.read_idx(MNIST / "train-images-idx3-ubyte.gz", labelled=True)
    assert read.labels is not None
    x = read.pixels[:12000].reshape(-1, 28, 28)
    return fl.Classifier(hidden_layer_sizes=(100,), random_state=0, max_epochs=6).fit(x, read.labels[:12000])


@in_browser
@pytest.mark.parametrize("digit", DRAWN)
def test_a_model_of_mnist_reads_what_is_drawn(mnist: fl.Classifier, digit: str, tmp_path: Path) -> None:
    with opened(_written(mnist, tmp_path)) as driver:
        draw(driver, DRAWN[digit])
        assert driver.find_element("css selector", "#answer strong").text == digit


# --- rows ---


def _moments(n: int = 400) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Moments in several zones, times of day to fractions of a second, days; gaps in two of them."""
    dice = np.random.default_rng(3)
    zones = ["+02:00", "-05:30", "Z", "+00:00", "+1345"]
    when = pd.Timestamp("2023-06-01") + pd.to_timedelta(dice.integers(0, 400 * 86400, n), unit="s")
    seconds = dice.integers(0, 86400, n)
    frame = pd.DataFrame(
        {
            "sent": [f"{one:%Y-%m-%dT%H:%M:%S}{zones[k % 5]}" for k, one in enumerate(when)],
            "opened": [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}.25" for s in seconds],
            "day": [f"{one:%Y-%m-%d}" for one in when[::-1]],
        }
    )
    frame.loc[::17, "opened"] = ""
    frame.loc[::23, "day"] = ""
    utc = pd.to_datetime(frame["sent"], utc=True, format="ISO8601")
    return frame, ((utc.dt.hour < 12).to_numpy().astype(int) + (seconds > 43200)).astype(np.int64)


@in_browser
@pytest.mark.parametrize("settings", [{}, {"hidden_layer_sizes": (8,)}], ids=["default", "stated"])
def test_zoned_moments_and_times_are_what_python_makes_of_them(settings: dict[str, Any], tmp_path: Path) -> None:
    x, y = _moments()
    classifier = fl.Classifier(random_state=0, max_epochs=3, **settings).fit(x, y)
    table = classifier.encoder_.table
    assert table is not None and [one.kind for one in table.columns] == ["moment"] * 3
    with opened(_written(classifier, tmp_path)) as driver:
        found = np.array(
            driver.execute_script("return arguments[0].map((row) => lesson.run(row).logits)", x.to_numpy().tolist())
        )
        expected = classifier.predict_logits(x)
        assert np.abs(found - expected).max() < 16 * ULP * (np.abs(expected).max() + 1)

        # One moment in two zones, typed into the form.
        field = driver.find_element("css selector", "#input .fields input")
        answers = []
        for text in ("2023-12-31T23:30:00-02:00", "2024-01-01 01:30:00Z", "2024-01-01T01:30:00+02:00"):
            field.clear()
            field.send_keys(text)
            answers.append(driver.execute_script("return lesson.run(lesson.values()).logits"))
        assert answers[0] == answers[1] != answers[2]
        field.clear()
        field.send_keys("yesterday")
        assert (
            "must be a date as 2024-01-31; found “yesterday”"
            in driver.find_element("css selector", "#input .problem").text
        )


@in_browser
@pytest.mark.parametrize("first", [0, 1])
def test_a_model_of_sparse_rows_takes_pairs(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selenium.webdriver.common.keys import Keys

    monkeypatch.chdir(tmp_path)
    dice = np.random.default_rng(0)
    x = np.where(dice.random((300, 40)) < 0.1, dice.normal(size=(300, 40)).round(3), 0)
    x[:, 0] = x[:, -1] = 0.5
    lines = [" ".join(f"{column + first}:{value}" for column, value in enumerate(row) if value) for row in x]
    labels = (x[:, 3] + x[:, 5] - x[:, 7] > 0).astype(int)
    (tmp_path / "rows.svm").write_text("".join(f"{label} {line}\n" for label, line in zip(labels, lines, strict=True)))
    assert run(["train", "rows.svm", "--layers", "8", "--epochs", "5", "--quiet", "-o", "m.safetensors"]) == 0
    assert run(["export", "m.safetensors", "lesson.html"]) == 0
    expected = fl.load("m.safetensors").predict_proba(x)
    with opened(tmp_path / "lesson.html") as driver:
        driver.execute_script("document.querySelector('#input details').open = true")
        box, use = driver.find_element("id", "pasted"), driver.find_element("id", "use")
        for row in range(5):
            driver.execute_script("arguments[0].value = arguments[1]", box, lines[row])
            use.send_keys(Keys.ENTER)
            assert driver.execute_script("return lesson.values()") == x[row].tolist()
            found = driver.execute_script("return lesson.run(lesson.values()).probabilities")
            assert found == pytest.approx(expected[row], abs=16 * ULP)
        driver.execute_script("arguments[0].value = '3:1 99:2'", box)
        use.send_keys(Keys.ENTER)
        assert driver.find_element("css selector", "#input .problem").text == "index 99 is none of the model’s."
