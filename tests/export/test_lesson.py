"""The lesson page: what stands in the file, and in headless Chromium what it computes and how it answers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fromlogits as fl
from fromlogits.cli import rounding
from fromlogits.export import lesson
from tests.export.browser import needs_a_browser, opened

EXAMPLES = Path(__file__).parents[2] / "examples"
AXE = os.environ.get("FROMLOGITS_AXE", "")
in_browser = needs_a_browser()

ULP = 2.0**-23
"""Of a probability near 1."""


def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    table = np.loadtxt(EXAMPLES / "digits.csv", delimiter=",", skiprows=1)
    return table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)


def _digits_frame() -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.read_csv(EXAMPLES / "digits.csv")
    return frame.drop(columns="digit"), frame["digit"]


def _network(*hidden: fl.Dense) -> fl.Network:
    return fl.Network([*hidden, fl.Dense(10, "linear")])


@pytest.fixture(scope="module")
def digits() -> fl.Classifier:
    network = _network(fl.Dense(25, "relu"), fl.Dense(15, "relu"))
    return fl.Classifier(network=network, random_state=0, max_epochs=30).fit(*_digits_frame())


def _labels_model(**settings: Any) -> fl.Classifier:
    """Three questions about two numbers."""
    x = np.random.default_rng(0).normal(size=(400, 2))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0.3, x.sum(axis=1) > 0], axis=1).astype(int)
    return fl.Classifier(hidden_layer_sizes=(8,), random_state=0, max_epochs=20, **settings).fit(x, y)


def scenes_model() -> fl.Classifier:
    """Of a few of the example scenes: what it answers is no matter, only that the page answers the same."""
    with np.load(EXAMPLES / "scenes.npz") as data:
        labels = pd.DataFrame(data["y"][:500], columns=data["classes"])
        return fl.Classifier(hidden_layer_sizes=(8,), random_state=0, max_epochs=3).fit(data["X"][:500], labels)


def _written(classifier: fl.Classifier, folder: Path) -> Path:
    path = folder / "lesson.html"
    path.write_bytes(lesson.Lesson().export(classifier).content)
    return path


@pytest.fixture(scope="module")
def page(digits: fl.Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(digits, tmp_path_factory.mktemp("lesson"))


@pytest.fixture
def driver(page: Path) -> Iterator[Any]:
    with opened(page) as driver:
        yield driver


# --- the file ---


def test_the_digits_page_is_under_500_kb_and_names_no_address(page: Path) -> None:
    text = page.read_text()
    assert len(text.encode()) < 500_000
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of SVG's elements, never fetched
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b|@import|url\(", text)


def test_the_policy_lets_this_script_and_style_run_and_nothing_else(page: Path) -> None:
    text = page.read_text()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    [style], [script] = (
        re.findall(r"<style>(.*?)</style>", text, re.S),
        re.findall(r"<script>(.*?)</script>", text, re.S),
    )

    def hashed(part: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"

    assert policy == (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; base-uri 'none';"
        " form-action 'none'"
    )
    assert not re.search(r"<[^>]+\s(on\w+|style)=", text.partition("<script")[0])


def test_the_same_model_gives_the_same_bytes(digits: fl.Classifier) -> None:
    assert lesson.page(digits._model) == lesson.page(digits._model)


NASTY = "</script><script>alert(1)</script><!--"


def _nasty_model() -> fl.Classifier:
    x = pd.DataFrame({f"a{NASTY}": np.arange(40.0), "kind": [NASTY, "b", "b", NASTY] * 10})
    y = [f"{NASTY}&amp;", "other"] * 20
    return fl.Classifier(hidden_layer_sizes=(3,), random_state=0, max_epochs=2).fit(x, y)


def test_names_from_the_data_are_inert() -> None:
    text = lesson.page(_nasty_model()._model)
    assert "alert(1)</script>" not in text and text.count("</script>") == 2
    [told] = re.findall(r'<script type="application/json" id="model">(.*?)</script>', text, re.S)
    assert f"{NASTY}&amp;" in json.loads(told)["classes"]


def test_weights_that_no_browser_would_hold_are_refused(digits: fl.Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "MOST_BYTES", 8_000)
    with pytest.raises(fl.errors.InputError, match=r"the weights take .* MB; a lesson page holds"):
        lesson.page(digits._model)


def test_the_examples_are_rows_of_the_example_data() -> None:
    of_digits, of_scenes = json.loads(lesson._file("examples.json"))
    x, y = _digits()
    for row, packed, truth in of_digits["rows"]:
        assert np.frombuffer(base64.b64decode(packed), np.uint8).tolist() == x[row].tolist()
        assert truth == [str(y[row])]
    with np.load(EXAMPLES / "scenes.npz") as scenes:
        pictures, labels, classes = scenes["X"], scenes["y"], scenes["classes"]
    for row, packed, truth in of_scenes["rows"]:
        assert base64.b64decode(packed) == pictures[row].tobytes()
        assert truth == [str(name) for name in classes[labels[row] == 1]]


# --- what it computes ---


def _frame(n: int = 1000) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Every kind of column: numbers, gaps, categories of few and of many values, dates, yes and no."""
    dice = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "size": dice.normal(30, 8, n).round(2),
            "gaps": np.where(dice.random(n) < 0.1, np.nan, dice.exponential(3, n).round(3)),
            "colour": dice.choice(["red", "green", "blue"], n),
            "town": dice.choice([f"town {k}" for k in range(30)], n),
            "level": dice.integers(1, 6, n),
            "day": pd.to_datetime("2023-01-01") + pd.to_timedelta(dice.integers(0, 500, n), unit="D"),
            "is_new": dice.random(n) < 0.4,
        }
    )
    frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    score = frame["size"] / 8 + frame["gaps"].fillna(0) + 2 * (frame["colour"] == "red") + dice.normal(0, 0.5, n)
    return frame, np.digitize(score, np.quantile(score, [0.3, 0.6]))


def _values(x: Any) -> list[list[Any]]:
    """Rows as the page takes them: a gap is empty text."""
    if not isinstance(x, pd.DataFrame):
        return np.asarray(x).reshape(len(x), -1).tolist()
    return [["" if value != value else str(value) for value in row] for row in x.astype(object).to_numpy().tolist()]


def _cases() -> dict[str, Any]:
    def digits(**settings: Any) -> Any:
        return lambda: (fl.Classifier(random_state=0, max_epochs=6, **settings).fit(*_digits()), _digits()[0][:1000])

    def table(**settings: Any) -> Any:
        def made() -> Any:
            x, y = _frame()
            return fl.Classifier(random_state=0, max_epochs=4, **settings).fit(x, y), x

        return made

    def numbers(classes: int, **settings: Any) -> Any:
        def made() -> Any:
            x = np.random.default_rng(2).normal(size=(1000, 6)) * [1, 10, 100, 1e-3, 1e4, 1] + 5
            y = np.digitize(x[:, 0] + x[:, 1] / 10, np.linspace(5, 7, classes + 1)[1:-1])
            return fl.Classifier(random_state=0, max_epochs=4, **settings).fit(x, y), x

        return made

    def peaks() -> Any:
        dice = np.random.default_rng(4)
        x = np.column_stack([np.where(dice.random(1000) < 0.8, 0, dice.integers(1, 30, 1000)), dice.normal(size=1000)])
        classifier = fl.Classifier(random_state=0, max_epochs=4).fit(
            x, ((x[:, 0] % 5 == 0) + (x[:, 1] > 0)).astype(int)
        )
        assert isinstance(classifier.network_.of_numbers, fl.PiecewiseLinear)
        return classifier, x

    def households(**settings: Any) -> Any:
        def made() -> Any:
            dice = np.random.default_rng(6)
            x = pd.DataFrame({"house": dice.integers(0, 60, 1000) * 7, "price": dice.integers(0, 70, 1000) * 0.25 + 1})
            x.loc[dice.random(1000) < 0.1, "price"] = np.nan
            x.loc[:1, "price"] = 99.5
            y = (x["house"] * 7919 % 17 < 8).astype(int) + (x["price"].fillna(0) * 100 * 31 % 11 < 4)
            classifier = fl.Classifier(random_state=0, max_epochs=3, **settings).fit(x, y)
            table = classifier.encoder_.table
            assert table is not None and {one.kind for one in table.columns} == {"levels"}
            return classifier, x

        return made

    def labels(**settings: Any) -> Any:
        return lambda: (_labels_model(**settings), np.random.default_rng(5).normal(size=(1000, 2)))

    def pictures() -> Any:
        x, y = _digits()
        picture_x = x.reshape(-1, 8, 8).astype(np.uint8) * 15
        return fl.Classifier(hidden_layer_sizes=(20,), random_state=0, max_epochs=3).fit(picture_x, y), picture_x[:1000]

    activations = {
        name: digits(network=_network(fl.Dense(20, name)))
        for name in ("tanh", "gelu", "silu", "selu", "sigmoid", "parametric_selu", "linear")
    }
    return {
        "the lesson's digits": digits(network=_network(fl.Dense(25, "relu"), fl.Dense(15, "relu"))),
        "an ensemble": digits(hidden_layer_sizes=(12,), ensemble=3),
        "pictures of uint8": pictures,
        "the default recipe on a table": table(),
        "a plain network on a table": table(hidden_layer_sizes=(16,)),
        "numbers with codes": households(),
        "numbers with a feature for each value": households(hidden_layer_sizes=(16,)),
        "the default recipe on numbers, two classes": numbers(2),
        "the default recipe on numbers with a peak": peaks,
        "standard numbers, two classes": numbers(2, hidden_layer_sizes=(16,)),
        "costs": numbers(3, decide_for=[[0, 1, 5], [2, 0, 1], [9, 3, 0]]),
        "many labels": labels(),
        "a network per label": labels(separate_networks=True),
        "two networks per label, thresholds for f1": labels(separate_networks=True, ensemble=2, decide_for="f1"),
        **activations,
    }


@in_browser
@pytest.mark.parametrize("name", _cases())
def test_probabilities_and_decisions_are_pythons(name: str, tmp_path: Path) -> None:
    classifier, x = _cases()[name]()
    with opened(_written(classifier, tmp_path)) as driver:
        found = driver.execute_script(
            "return arguments[0].map((row) => { const { logits, probabilities } = lesson.run(row);"
            " return [logits, probabilities, lesson.model.decide(probabilities, lesson.model.thresholds)]; });",
            _values(x),
        )
    logits_nc, probabilities_nk = (np.array([row[at] for row in found]) for at in (0, 1))
    expected_nc = classifier.predict_logits(x)
    assert len(found) == len(x) == 1000
    # The engine sums float32 products in its own order: a few units in the last place of the largest logit.
    scale = np.abs(expected_nc).max(axis=1, keepdims=True) + 1
    assert np.abs(logits_nc - expected_nc).max() < 16 * ULP * scale.max()
    assert np.abs(probabilities_nk - classifier.predict_proba(x)).max() < 16 * ULP * scale.max()
    decided = np.array([row[2] for row in found])
    predicted = classifier.predict(x)
    if classifier.target_.task == "multi-class":
        predicted = np.searchsorted(classifier.classes_, predicted)
    assert (decided == predicted).mean() >= 0.999  # a probability may lie at its threshold to the last place


# --- how it answers ---


def draw(driver: Any, strokes: list[list[tuple[float, float]]]) -> None:
    """By mouse; points from 0 to 1 across the pad."""
    from selenium.webdriver.common.action_chains import ActionChains

    pad = driver.find_element("id", "pad")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", pad)
    side = pad.size["width"]
    for stroke in strokes:
        chain = ActionChains(driver, duration=8)
        for at, (x, y) in enumerate(stroke):
            chain.move_to_element_with_offset(pad, round((x - 0.5) * side), round((y - 0.5) * side))
            if at == 0:
                chain.click_and_hold()
        chain.release().perform()


def _arc(x: float, y: float, rx: float, ry: float, first: float, last: float) -> list[tuple[float, float]]:
    """Degrees, clockwise from the right."""
    angles = np.radians(np.linspace(first, last, 14))
    return [(x + rx * float(np.cos(angle)), y + ry * float(np.sin(angle))) for angle in angles]


DRAWN = {
    "0": [_arc(0.5, 0.5, 0.22, 0.35, -90, 270)],
    "1": [[(0.4, 0.27), (0.52, 0.14), (0.52, 0.86)]],
    "3": [_arc(0.47, 0.32, 0.18, 0.18, -150, 80) + _arc(0.47, 0.68, 0.2, 0.2, -80, 150)],
    "7": [[(0.3, 0.17), (0.7, 0.17), (0.45, 0.86)]],
}


@in_browser
@pytest.mark.parametrize("digit", DRAWN)
def test_a_drawn_digit_is_read(driver: Any, digit: str) -> None:
    driver.find_element("id", "clear").click()
    draw(driver, DRAWN[digit])
    assert driver.find_element("css selector", "#answer strong").text == digit
    row = driver.find_elements("css selector", "#output-body tbody tr")[int(digit)]
    bars = [
        float(bar.value_of_css_property("width")[:-2])
        for bar in driver.find_elements("css selector", "#output-body .fill")
    ]
    time.sleep(0.2)  # bars move for a moment
    assert "chosen" in row.get_attribute("class")
    assert int(np.argmax(bars)) == int(digit)


@in_browser
def test_a_digit_is_drawn_by_keys_alone(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    pad = driver.find_element("id", "pad")
    pad.send_keys(Keys.DELETE, Keys.SPACE, *[Keys.ARROW_DOWN] * 16, Keys.SPACE)
    assert driver.find_element("css selector", "#answer strong").text == "1"


def test_a_drawing_is_reduced_as_the_digits_were(page: Path) -> None:
    """By the training data: fitted into 20 of 32 columns and all 32 rows, about 313 pixels of ink."""
    x, _ = _digits()
    assert round(float(x.sum(axis=1).mean())) == 313
    text = page.read_text()
    assert "INK = 313" in text and "FITTED_WIDTH = 20" in text
    assert (x.reshape(-1, 8, 8)[:, :, 0] > 0).mean() < 0.01  # six columns on the left are free, of four a block has


@in_browser
def test_a_drawn_bitmap_is_counted_in_blocks(driver: Any) -> None:
    draw(driver, DRAWN["0"])
    driver.find_element("id", "clear").click()
    draw(driver, DRAWN["0"])
    pixels = np.array(driver.execute_script("return lesson.values()")).reshape(8, 8)
    assert (pixels == pixels.round()).all() and pixels.max() <= 16 and abs(pixels.sum() - 313) < 12
    assert (pixels[:, [0, 7]] == 0).all()
    assert (pixels[[0, 7]].sum(axis=1) > 0).all() and pixels[3:5, 3:5].sum() == 0


@in_browser
def test_the_loss_of_the_true_class_both_ways(driver: Any, digits: fl.Classifier) -> None:
    from selenium.webdriver.support.ui import Select

    x, y = _digits_frame()
    row = int(np.flatnonzero(digits.predict_proba(x).max(axis=1) > 0.999)[0])
    driver.execute_script("lesson.given(arguments[0], null)", x.iloc[row].tolist())
    Select(driver.find_element("id", "truth")).select_by_index(int(y.iloc[row]))
    cells = [cell.text for cell in driver.find_elements("css selector", "#losses tbody td")]
    z, a = digits.predict_logits(x.iloc[[row]]), digits.predict_proba(x.iloc[[row]])
    ours = float(fl.softmax_cross_entropy(z, [y.iloc[row]]))
    theirs = float(fl.textbook.softmax_cross_entropy(a, [y.iloc[row]]))
    assert float(cells[0]) == pytest.approx(ours, rel=1e-4)  # of a loss this small a last place of z is much
    assert float(cells[1]) == pytest.approx(theirs, rel=1e-2)
    assert driver.find_element("css selector", "#losses .lost").text
    assert cells[2] != "none"


@in_browser
def test_a_dragged_threshold_changes_the_decision(tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    with opened(_written(_labels_model(), tmp_path)) as driver:
        driver.execute_script("lesson.given(['0.1', '2', '0.1'].slice(0, 2), null)")
        row = driver.find_elements("css selector", "#output-body tbody tr")[1]
        assert row.find_elements("tag name", "td")[-1].text == "yes"
        threshold = row.find_element("css selector", "input[type=range]")
        threshold.send_keys(Keys.END)
        assert row.find_elements("tag name", "td")[-1].text == "no"
        threshold.send_keys(Keys.HOME)
        assert row.find_elements("tag name", "td")[-1].text == "yes"


@in_browser
def test_the_handle_of_a_threshold_lies_on_the_bar_where_the_mouse_put_it(tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    with opened(_written(_labels_model(), tmp_path)) as driver:
        driver.execute_script("lesson.given(['0.1', '2'], null)")
        row = driver.find_elements("css selector", "#output-body tbody tr")[1]
        track = row.find_element("css selector", ".track")
        side, at = track.size["width"], 0.5
        for to, answer in ((1.0, "no"), (0.25, "yes"), (0.75, "yes")):
            chain = ActionChains(driver).move_to_element_with_offset(track, round((at - 0.5) * side), 0)
            chain.click_and_hold().move_by_offset(round((to - at) * side), 0).release().perform()
            threshold = float(row.find_element("css selector", "input").get_attribute("value"))
            assert threshold == pytest.approx(to, abs=2.5 / side)  # two pixels, and a step
            cells = [cell.text for cell in row.find_elements("tag name", "td")]
            assert cells[-1] == answer and float(cells[-2]) == threshold
            at = to


@in_browser
def test_round_off_breaks_where_our_engine_says(driver: Any) -> None:
    questions = {
        "yes": rounding.logistic(1).textbook,
        "no": lambda z: rounding.logistic(0).textbook(-z),
        "softmax": rounding.softmax(10).textbook,
        "raised": rounding.softmax(10, 80.0).textbook,
    }
    for name, theirs in questions.items():
        for side in (1, -1):
            for dtype in (np.float32, np.float64):
                expected = rounding.first_failures(theirs, side, dtype)
                found = driver.execute_script(
                    "return lesson.firstFailures(lesson.QUESTIONS[arguments[0]].theirs, arguments[1], arguments[2])",
                    name, side, dtype.__name__,
                )  # fmt: skip
                stated = {kind: at for kind, at in expected.items() if at is not None}
                assert found == pytest.approx(stated, rel=2e-3), (name, side, dtype)


@in_browser
def test_losses_from_the_logits_are_our_engines(driver: Any) -> None:
    """In float32 to the last place; and so are the gradients."""
    zs = np.linspace(-100, 100, 801).astype(np.float32)
    asked = {
        "yes": lambda: fl.sigmoid_cross_entropy(zs, np.ones_like(zs), reduction="none", with_gradient=True),
        "no": lambda: fl.sigmoid_cross_entropy(zs, np.zeros_like(zs), reduction="none", with_gradient=True),
        "softmax": lambda: fl.softmax_cross_entropy(
            np.hstack([zs[:, None], np.zeros((len(zs), 9), np.float32)]), np.zeros(len(zs), int),
            reduction="none", with_gradient=True,
        ),
    }  # fmt: skip
    for name, of in asked.items():
        both: Any = of()  # type: ignore[no-untyped-call]
        losses, gradients = both
        gradients = gradients if gradients.ndim == 1 else gradients[:, 0]
        found = driver.execute_script(
            "const q = lesson.QUESTIONS[arguments[0]], f = lesson.FLOATS.float32;"
            "return arguments[1].map((z) => [q.ours(z, f), q.ourGradient(z, f)]);",
            name, zs.tolist(),
        )  # fmt: skip
        ours = np.array(found, np.float32).T
        np.testing.assert_array_max_ulp(ours[0], losses, maxulp=1)
        np.testing.assert_array_max_ulp(ours[1], gradients, maxulp=1)


@in_browser
def test_the_slider_shows_the_break(driver: Any) -> None:
    def at(z: float) -> list[str]:
        driver.execute_script(
            "const z = document.getElementById('z'); z.value = arguments[0]; z.dispatchEvent(new Event('input'))", z
        )
        return [cell.text for cell in driver.find_elements("css selector", "#at-z tbody tr:first-child td")]

    assert at(16.5)[1] not in ("NaN", "0") and at(16.625)[1] != "NaN"
    assert at(16.75)[1] == "NaN" and at(16.75)[0].startswith("5.3")
    assert at(-88.75)[1] == "∞" and at(-88.75)[0].startswith("88.75")
    assert "NaN from z = 16.64" in driver.find_element("id", "breaks").text


@in_browser
def test_two_ways_to_a_number(driver: Any) -> None:
    for ways in (rounding.two_ways(np.float64), rounding.two_ways(np.float32)):
        for way in ("quotient", "difference"):
            cell = driver.find_element("css selector", f"[data-type={ways.dtype}][data-way={way}]")
            assert cell.text == f"{getattr(ways, way):.18f}"
    lost = [mark.text for mark in driver.find_elements("css selector", "#two-ways .lost")]
    assert lost == ["4947575", "78", "33187866211"]


@in_browser
def test_a_pasted_row(driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    lines = (EXAMPLES / "digits.csv").read_text().splitlines()
    driver.execute_script("document.querySelector('#input details').open = true")
    use = driver.find_element("id", "use")
    box = driver.find_element("id", "pasted")
    driver.execute_script("arguments[0].value = arguments[1]", box, f"{lines[0]}\n{lines[11]}")
    use.send_keys(Keys.ENTER)
    digit = lines[11].rpartition(",")[2]
    assert driver.find_element("css selector", "#answer strong").text == digit
    assert driver.find_element("id", "truth").get_attribute("value") == digit
    driver.execute_script("arguments[0].value = '1,2,x'", box)
    use.send_keys(Keys.ENTER)
    assert driver.find_element("css selector", "#input .problem").text == "a row has 64 values; found 3."


@in_browser
def test_names_from_the_data_run_nothing(tmp_path: Path) -> None:
    with opened(_written(_nasty_model(), tmp_path)) as driver:
        shown = [head.text for head in driver.find_elements("css selector", "#output-body tbody th")]
        assert all(NASTY in name or name == "other" for name in shown)
        assert NASTY in driver.find_element("css selector", "#input label").text


@in_browser
@pytest.mark.parametrize("kind", ["digits", "labels", "table", "scenes"])
@pytest.mark.parametrize("width", [320, 768, 1200])
def test_no_page_is_wider_than_its_window(kind: str, width: int, digits: fl.Classifier, tmp_path: Path) -> None:
    with opened(_written(_of_kind(kind, digits), tmp_path), width) as driver:
        time.sleep(0.2)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def _of_kind(kind: str, digits: fl.Classifier) -> fl.Classifier:
    if kind == "table":
        return fl.Classifier(hidden_layer_sizes=(4,), random_state=0, max_epochs=2).fit(*_frame(200))
    if kind == "scenes":
        return scenes_model()
    if kind == "sparse":
        x = sparse.random(100, 30, 0.2, "csr", random_state=0)
        return fl.Classifier(hidden_layer_sizes=(4,), random_state=0, max_epochs=2).fit(x, x.getnnz(axis=1) > 6)
    return digits if kind == "digits" else _labels_model(separate_networks=True)


@in_browser
@pytest.mark.skipif(not Path(AXE).is_file(), reason="axe-core is not there: FROMLOGITS_AXE names its axe.min.js")
@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("kind", ["digits", "labels", "table", "scenes", "sparse"])
def test_axe_finds_nothing(kind: str, is_dark: bool, digits: fl.Classifier, tmp_path: Path) -> None:
    with opened(_written(_of_kind(kind, digits), tmp_path), is_dark=is_dark) as driver:
        driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        driver.execute_script(Path(AXE).read_text())
        found = driver.execute_async_script(
            "const done = arguments[0]; axe.run().then((found) => done(found.violations))"
        )
    assert [(one["id"], one["impact"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []
