"""Writes the pictures of docs/how-to/watch.md, a training half way: needs Chromium and selenium, see `nox -s browser`.

python -m docs.images.make_watch_webp

In light and in dark: the example digits, in folds, more than half way. Takes about a minute.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time

from tests.export.browser import opened

from .make_lesson_webp import EXAMPLES, HERE, shot

WIDTH = 1120
TRAIN = ("train", str(EXAMPLES / "digits.csv"), "--target", "digit", "--seed", "0", "--epochs", "60", "--live")
SHOWN_AT = 0.55
"""Of the way."""


def watched(is_dark: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "fromlogits", *TRAIN, "-o", f"{scratch}/digits.safetensors"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as training:
            assert training.stderr is not None
            url = next(found[0] for line in training.stderr if (found := re.search(r"http://\S+/", line)))
            with opened(url, WIDTH, is_dark=is_dark) as driver:
                bar = driver.find_element("id", "done")
                while float(re.sub(r"[^\d.]", "", bar.get_attribute("style")) or 0) < 100 * SHOWN_AT:
                    time.sleep(0.02)
                driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
                height = driver.execute_script("return document.body.scrollHeight")
                picture = shot(driver, {"x": 0, "y": 0, "width": WIDTH, "height": height})
            training.terminate()
    path = HERE / f"watch-{'dark' if is_dark else 'light'}.webp"
    picture.save(path, quality=74, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    for theme in (False, True):
        watched(theme)
