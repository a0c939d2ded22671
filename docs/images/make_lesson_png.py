"""Writes the pictures of docs/guide/lesson-page.md: needs Chromium and selenium, see `nox -s browser`.

python -m docs.images.make_lesson_png
"""

from __future__ import annotations

import base64
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import fromlogits as fl
from fromlogits.export.lesson import Lesson
from tests.export.browser import opened
from tests.export.test_lesson import DRAWN, draw

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"


def digits() -> fl.Classifier:
    frame = pd.read_csv(EXAMPLES / "digits.csv")
    network = fl.Network([fl.Dense(25, "relu"), fl.Dense(15, "relu"), fl.Dense(10, "linear")])
    return fl.Classifier(network=network, random_state=0).fit(frame.drop(columns="digit"), frame["digit"])


def scenes() -> fl.Classifier:
    with np.load(EXAMPLES / "scenes.npz") as data:
        labels = pd.DataFrame(data["y"], columns=data["classes"])
        return fl.Classifier(hidden_layer_sizes=(64, 32), random_state=0).fit(data["X"], labels)


def picture(driver: Any, first: str, last: str, path: Path) -> None:
    """From the top of one section to the end of another."""
    driver.execute_script("scrollTo({top: 0, behavior: 'instant'})")
    time.sleep(0.5)
    top, bottom, width = driver.execute_script(
        "const box = (id) => document.getElementById(id).getBoundingClientRect();"
        "return [box(arguments[0]).top, box(arguments[1]).bottom, document.documentElement.clientWidth]",
        first, last,
    )  # fmt: skip
    clip = {"x": 40, "y": top - 12, "width": width - 80, "height": bottom - top + 24, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    whole = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    whole.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "lesson.html"
        page.write_bytes(Lesson().export(digits()).content)
        with opened(page) as driver:
            driver.find_element("id", "clear").click()
            draw(driver, DRAWN["3"])
            picture(driver, "input", "network", HERE / "lesson-digits.png")
            driver.execute_script(
                "const z = document.getElementById('z'); z.value = 16.75; z.dispatchEvent(new Event('input'))"
            )
            picture(driver, "roundoff", "roundoff", HERE / "lesson-roundoff.png")
        page.write_bytes(Lesson().export(scenes()).content)
        with opened(page, is_dark=True) as driver:
            picture(driver, "input", "loss", HERE / "lesson-scenes.png")


if __name__ == "__main__":
    main()
