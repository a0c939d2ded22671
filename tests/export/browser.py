"""A headless Chromium with a page in it; the tests skip, and say why, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REQUIRED = "FROMLOGITS_BROWSER_TESTS"
"""Set by `nox -s browser`: a browser that is missing is then a failure."""


def lacking() -> str | None:
    """What these tests need and don't find, or None."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (pip install selenium)"
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)):
        if not any(map(shutil.which, names)):
            return f"{names[0]} is not installed (Debian: apt-get install chromium chromium-driver)"
    return None


def needs_a_browser() -> pytest.MarkDecorator:
    why = lacking()
    if why is not None and os.environ.get(REQUIRED):
        raise RuntimeError(why)
    return pytest.mark.skipif(why is not None, reason=f"no browser: {why}")


@contextmanager
def opened(page: Path | str, width: int = 1200, *, is_dark: bool = False) -> Iterator[Any]:
    """The driver of a browser that shows the page, of a file or an address; at the end its console has no error."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        theme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
        driver.get(page if isinstance(page, str) else page.as_uri())
        yield driver
        errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        assert errors == []
    finally:
        driver.quit()
