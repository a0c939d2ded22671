"""Writes the pictures of docs/guide/lesson-page.md: needs Chromium and selenium, see `nox -s browser`.

python -m docs.images.make_lesson_webp

Each view in light and in dark. The models: the example digits, 12 000 scenes drawn as the example's 3 000 are, and a
table of bicycle rides that is made up here. Takes about two minutes.
"""

from __future__ import annotations

import base64
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import fromlogits as fl
from fromlogits.export.lesson import Lesson
from tests.export.browser import opened
from tests.export.test_lesson import DRAWN, draw
from tests.test_examples import script

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
SCALE = 1.5  # pixels of a picture for one of the page
PHONE, PHONE_HEIGHT, GAP = 360, 740, 24


def digits() -> fl.Classifier:
    frame = pd.read_csv(EXAMPLES / "digits.csv")
    network = fl.Network([fl.Dense(25, "relu"), fl.Dense(15, "relu"), fl.Dense(10, "linear")])
    return fl.Classifier(network=network, random_state=0).fit(frame.drop(columns="digit"), frame["digit"])


def scenes() -> fl.Classifier:
    make = script("make_scenes")
    pictures, labels = make.scenes(12_000)
    settings: dict[str, Any] = {"hidden_layer_sizes": (64, 32), "dropout": 0.2, "weight_decay": 0.03}
    return fl.Classifier(random_state=0, **settings).fit(pictures, pd.DataFrame(labels, columns=make.CLASSES))


def rides(n: int = 3000) -> fl.Classifier:
    """How busy a bicycle station is, by the hour, the weather and the place."""
    dice = np.random.default_rng(7)
    when = pd.Series(pd.Timestamp("2025-03-01") + pd.to_timedelta(dice.integers(0, 240 * 1440, n), unit="min"))
    hour = (when.dt.hour + when.dt.minute / 60).to_numpy()
    season = np.sin((when.dt.month.to_numpy() - 4) * np.pi / 6)
    warmth = 14 + 9 * season + 4 * np.sin((hour - 9) * np.pi / 12) + dice.normal(0, 3, n)
    sky = dice.choice(["clear", "cloudy", "rain", "storm"], n, p=[0.45, 0.35, 0.17, 0.03])
    wind = dice.gamma(3, 5, n)
    crowd = 1.6 * np.exp(-((hour - 8) ** 2) / 3) + 1.8 * np.exp(-((hour - 17) ** 2) / 6) - 2 * (hour < 5)
    score = warmth / 8 - 2 * np.isin(sky, ["rain", "storm"]) - wind / 20 + crowd + dice.normal(0, 0.3, n)
    frame = pd.DataFrame(
        {
            "when": when.dt.strftime("%Y-%m-%d %H:%M"),
            "temperature": warmth.round(1),
            "wind_km_h": np.where(dice.random(n) < 0.03, np.nan, wind.round(1)),
            "sky": sky,
            "station": dice.choice(["harbour", "market", "museum", "park", "university"], n),
            "holiday": dice.random(n) < 0.04,
        }
    )
    demand = np.array(["quiet", "usual", "busy"])[np.digitize(score, np.quantile(score, [0.35, 0.8]))]
    return fl.Classifier(hidden_layer_sizes=(16, 8), random_state=0).fit(frame, demand)


def shot(driver: Any, clip: dict[str, float]) -> Image.Image:
    asked = {"captureBeyondViewport": clip["width"] > PHONE, "clip": {**clip, "scale": SCALE}}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", asked)
    return Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")


def part(driver: Any, first: str, last: str) -> Image.Image:
    """From the top of one section to where both have ended."""
    driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    driver.execute_script("scrollTo({top: 0, behavior: 'instant'}); document.activeElement.blur()")
    time.sleep(0.5)  # bars move for a moment
    top, bottom, width = driver.execute_script(
        "const box = (id) => document.getElementById(id).getBoundingClientRect();"
        "return [box(arguments[0]).top, Math.max(box(arguments[0]).bottom, box(arguments[1]).bottom),"
        " document.documentElement.clientWidth]",
        first, last,
    )  # fmt: skip
    return shot(driver, {"x": 40, "y": top - 16, "width": width - 80, "height": bottom - top + 32})


def save(picture: Image.Image, name: str, is_dark: bool) -> None:
    path = HERE / f"lesson-{name}-{'dark' if is_dark else 'light'}.webp"
    picture.save(path, quality=74, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


def drawn(driver: Any) -> None:
    from selenium.webdriver.support.ui import Select

    driver.find_element("id", "clear").click()
    draw(driver, DRAWN["3"])
    Select(driver.find_element("id", "truth")).select_by_visible_text("3")


def with_bus(driver: Any) -> None:
    driver.execute_script("document.getElementById('toggle-bus').click()")


def filled(driver: Any) -> None:
    from selenium.webdriver.support.ui import Select

    driver.execute_script(
        "document.querySelectorAll('.fields input, .fields select').forEach((field, at) => {"
        " field.value = arguments[0][at]; field.dispatchEvent(new Event('input')); });",
        ["2025-06-12 17:40", "24.5", "9", "clear", "university", "0"],
    )
    Select(driver.find_element("id", "truth")).select_by_visible_text("busy")


def at_the_break(driver: Any) -> None:
    driver.execute_script(
        "const z = document.getElementById('z'); z.value = 16.75; z.dispatchEvent(new Event('input'))"
    )


View = tuple[str, str, str, str, Callable[[Any], None]]
VIEWS: Sequence[View] = (
    ("digits", "digits", "input", "network", drawn),
    ("scenes", "scenes", "input", "output", with_bus),
    ("table", "rides", "input", "network", filled),
    ("roundoff", "digits", "roundoff", "roundoff", at_the_break),
    ("learned", "digits", "training", "training", lambda driver: None),
)
"""The picture's name, the model, its first and last section, and what is done before."""

ON_PHONES = (("digits", "input", drawn), ("scenes", "input", with_bus), ("digits", "roundoff", at_the_break))


def phones(pages: dict[str, Path], is_dark: bool) -> Image.Image:
    """Screens of a phone beside each other."""
    screens = []
    for model, section, prepared in ON_PHONES:
        with opened(pages[model], PHONE, is_dark=is_dark) as driver:
            prepared(driver)
            size = {"width": PHONE, "height": PHONE_HEIGHT, "deviceScaleFactor": 1, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.execute_script(
                "document.activeElement.blur();"
                "document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", section,
            )  # fmt: skip
            time.sleep(0.5)
            top = driver.execute_script("return scrollY")
            screens.append(shot(driver, {"x": 0, "y": top, "width": PHONE, "height": PHONE_HEIGHT}))
    wide, high, gap = *screens[0].size, round(GAP * SCALE)
    whole = Image.new("RGB", (len(screens) * (wide + gap) - gap, high), screens[0].getpixel((2, 2)))
    for number, screen in enumerate(screens):
        whole.paste(screen, (number * (wide + gap), 0))
    return whole


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pages = {}
        for made in (digits, scenes, rides):
            pages[made.__name__] = Path(folder) / f"{made.__name__}.html"
            pages[made.__name__].write_bytes(Lesson().export(made()).content)
        for is_dark in (False, True):
            for name, model, first, last, prepared in VIEWS:
                with opened(pages[model], is_dark=is_dark) as driver:
                    prepared(driver)
                    save(part(driver, first, last), name, is_dark)
            save(phones(pages, is_dark), "phone", is_dark)


if __name__ == "__main__":
    main()
