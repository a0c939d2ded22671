"""A convolutional model over HTTP: pictures, rows and tensors, and the lesson page, which asks the server.

The server computes by the reference engine here, so that no PyTorch is needed; with it `fromlogits serve` is asked too.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image

import fromlogits as fl
from fromlogits.cli import main
from fromlogits.serving import server
from fromlogits.serving.app import application
from fromlogits.serving.limits import Limits
from fromlogits.serving.models import Served
from tests.every_engine import needs_torch
from tests.export.browser import needs_a_browser, opened
from tests.serving.running import JSON, Kind, Reply, ask, serving
from tests.serving.test_lesson_page import told, wait
from tests.test_backbone import pictures, quick

in_browser = needs_a_browser()
HEIGHT, WIDTH = 10, 8
LABELS = ("lies", "red")


def encoded(pixels: NDArray[np.uint8], form: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    """A file; of another (width, height) where one is given."""
    picture, out = Image.fromarray(pixels), io.BytesIO()
    (picture if size is None else picture.resize(size, Image.Resampling.BICUBIC)).save(out, form)
    return out.getvalue()


def as_the_training(data: bytes) -> NDArray[np.uint8]:
    """What Pillow alone makes of a file."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))[np.newaxis]


def table_of(folder: Path, n: int = 60) -> Path:
    """A table that names pictures in files beside it."""
    X, y = pictures(n)
    lines = ["file,lies,red"]
    for row, (pixels, (lies, is_red)) in enumerate(zip(X, y, strict=True)):
        (folder / f"{row}.png").write_bytes(encoded(pixels))
        lines.append(f"{row}.png,{lies},{is_red}")
    (folder / "bars.csv").write_text("\n".join(lines) + "\n")
    return folder / "bars.csv"


def trained(path: Path, table: Path, *more: str) -> Path:
    """By the command line, so that the model knows of files."""
    status = main.run(
        ["train", str(table), "--images", "file", "--target", "lies,red", "--epochs", "2", "-o", str(path), *more,
         "--set", "engine=reference", "--quiet"]
    )  # fmt: skip
    assert status == 0
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Kind:
    """Learned from files: a later one has any size."""
    folder = tmp_path_factory.mktemp("files")
    path = trained(folder / "files.safetensors", table_of(folder), "--layers", "residual 8-16 1 1, 2 linear")
    return Kind(path, fl.load(path, engine="reference"), pictures(7, seed=1)[0])


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Kind:
    """Learned from arrays, a network for each label."""
    path = tmp_path_factory.mktemp("separate") / "separate.safetensors"
    classifier = quick(separate_networks=True, max_epochs=2, engine="reference").fit(*pictures(60))
    classifier.save(path)
    return Kind(path, classifier, pictures(7, seed=1)[0])


@dataclass(frozen=True)
class Near:
    """A server in a thread of this process."""

    port: int

    def ask(self, verb: str, path: str, body: Any = None, headers: Any = None) -> Reply:
        import http.client

        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            return ask(connection, verb, path, body, headers)


@contextlib.contextmanager
def near(**models: Kind) -> Iterator[Near]:
    served = {name: Served(name, "0" * 12, kind.classifier) for name, kind in models.items()}
    listening = server.listen("127.0.0.1", 0, has_token=False)
    config = uvicorn.Config(application(served, Limits(), None), log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
    thread.start()
    try:
        yield Near(listening.getsockname()[1])
    finally:
        running.should_exit = True
        thread.join(30)
        listening.close()


@pytest.fixture(scope="module")
def running(files: Kind, separate: Kind) -> Iterator[Near]:
    with near(files=files, separate=separate) as both:
        yield both


def said(reply: Reply) -> NDArray[np.float32]:
    """The logits of an answer for people."""
    assert reply.status == 200, reply.body
    return np.array([list(one["logits"].values()) for one in reply.json["predictions"]], np.float32)


def check_answers(asked: Any, name: str, clf: fl.Classifier, rows: NDArray[np.uint8]) -> None:
    """JSON, a picture and the protocol's tensors give the classifier's own bits."""
    flat = rows.reshape(len(rows), -1)
    z = clf.predict_logits(flat.astype(np.float32))  # as uint8 the reference engine takes them in float64
    at = f"/v1/models/{name}/predict?logits=true"
    assert np.array_equal(said(asked.ask("POST", at, json.dumps({"rows": flat.tolist()}), JSON)), z)
    assert np.array_equal(
        said(asked.ask("POST", at, encoded(rows[2]), {"Content-Type": "image/png"})), clf.predict_logits(rows[2:3])
    )
    x = {"name": "x", "shape": list(flat.shape), "datatype": "FP32", "data": flat.ravel().tolist()}
    outputs = asked.ask("POST", f"/v2/models/{name}/infer", json.dumps({"inputs": [x]}), JSON).json["outputs"]
    by_name = {one["name"]: one for one in outputs}
    assert np.array_equal(np.array(by_name["logits"]["data"], np.float32), z.ravel())
    assert by_name["label"]["data"] == ["|".join(np.array(LABELS)[row == 1]) for row in clf.predict(rows)] or (
        name == "separate"  # whose labels are numbers
    )


@pytest.mark.parametrize("name", ["files", "separate"])
def test_rows_pictures_and_tensors_give_the_classifiers_bits(
    running: Near, files: Kind, separate: Kind, name: str
) -> None:
    kind = {"files": files, "separate": separate}[name]
    check_answers(running, name, kind.classifier, kind.rows)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_of_another_size_becomes_what_pillow_makes_of_it(running: Near, files: Kind, form: str) -> None:
    data = encoded(files.rows[0], form, (31, 23))
    reply = running.ask("POST", "/v1/models/files/predict?logits=true", data, {"Content-Type": f"image/{form.lower()}"})
    assert np.array_equal(said(reply), files.classifier.predict_logits(as_the_training(data)))


def test_what_was_done_to_a_picture_is_said(running: Near, files: Kind) -> None:
    pixels = files.rows[0]
    clear = np.dstack([pixels, np.full(pixels.shape[:2], 128, np.uint8)])
    for content, notes in ((pixels, None), (clear, ["the picture was laid over white where clear."])):
        reply = running.ask("POST", "/v1/models/files/predict", encoded(content), {"Content-Type": "image/png"})
        assert (reply.status, reply.json.get("notes")) == (200, notes)


def test_a_model_of_arrays_refuses_another_size(running: Near, separate: Kind) -> None:
    data = encoded(separate.rows[0], size=(31, 23))
    reply = running.ask("POST", "/v1/models/separate/predict", data, {"Content-Type": "image/png"})
    assert (reply.status, reply.error) == (
        400, "the picture must be 10 x 8 of colour, as those of the training; it is 23 x 31 of colour.",
    )  # fmt: skip


def test_work_on_convolutions_is_never_called_brief(files: Kind) -> None:
    assert not Served("files", "0" * 12, files.classifier).is_brief(1)


# --- the page ---


@pytest.mark.parametrize("name", ["files", "separate"])
def test_the_page_asks_the_server_and_holds_no_weights(running: Near, name: str) -> None:
    page = running.ask("GET", f"/models/{name}").body.decode()
    assert "parameters" not in told(page) and told(page)["computed"] == "asked"
    assert told(page)["at"] == f"/v1/models/{name}/predict"
    assert told(page)["why"] == "The server computes: this page has no convolutions."
    assert told(page)["schema"]["is_of_files"] is (name == "files")
    assert "connect-src 'self'" in page


@in_browser
def test_a_picture_file_is_opened_and_the_output_layer_shows_the_servers_bits(
    running: Near, files: Kind, tmp_path: Path
) -> None:
    for name, size in (("same.png", None), ("larger.png", (31, 23))):
        (tmp_path / name).write_bytes(encoded(files.rows[0], size=size))
    (tmp_path / "no.png").write_text("no picture")
    with opened(f"http://127.0.0.1:{running.port}/models/files") as driver:
        line, problem = driver.find_element("id", "opened"), driver.find_element("id", "problem")
        for name, words in (
            ("same.png", "same.png: 10 × 8 pixels, taken as they are."),
            ("larger.png", "larger.png: 23 × 31 pixels, made 10 × 8 as the training’s pictures were."),
        ):
            driver.find_element("id", "file").send_keys(str(tmp_path / name))
            wait(lambda words=words: line.text == words)
            pixels = as_the_training((tmp_path / name).read_bytes())

            def seen(driver: Any = driver) -> Any:
                return np.array(driver.execute_script("return lesson.values()"), np.float32)

            # The values that the page shows an answer to, so only once the server has answered; and see the next test.
            wait(lambda pixels=pixels, most=name == "larger.png": np.abs(seen() - pixels.ravel()).max() <= most)
            cells = f"{files.classifier.predict_logits(seen()[np.newaxis])[0, 1]:.3f}".replace("-", "−")
            wait(lambda cells=cells: cells in driver.find_element("id", "output").text)
        driver.find_element("id", "file").send_keys(str(tmp_path / "no.png"))
        wait(lambda: problem.text == "no.png is no picture that this browser reads, or it is damaged.")


@in_browser
def test_the_page_resizes_as_pillow_does(running: Near) -> None:
    """To 1 of 255: between the two passes pixels are rounded, and Pillow 13 takes sometimes this one first."""
    rng = np.random.default_rng(0)
    with opened(f"http://127.0.0.1:{running.port}/models/files") as driver:
        sizes = (((61, 97), (32, 32)), ((5, 7), (12, 31)), ((40, 3), (8, 8)), ((1, 1), (4, 5)), ((9, 9), (9, 4)))
        for size, wanted in sizes:
            for channels in (1, 3):
                pixels = rng.integers(0, 256, (*size, channels)).astype(np.uint8)
                found = driver.execute_script(
                    "return Array.from(lesson.resized(...arguments))", pixels.ravel().tolist(), size, wanted, channels
                )
                own = Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
                across = own.resize((wanted[1], size[0]), Image.Resampling.BILINEAR)
                exact = across.resize(wanted[::-1], Image.Resampling.BILINEAR)
                assert found == np.asarray(exact).ravel().tolist(), (size, wanted, channels)
                either = np.asarray(own.resize(wanted[::-1], Image.Resampling.BILINEAR)).ravel()
                assert np.abs(np.array(found) - either).max() <= 1, (size, wanted, channels)


@in_browser
@pytest.mark.parametrize("width", [320, 1200])
def test_the_page_is_no_wider_than_its_window(running: Near, width: int) -> None:
    with opened(f"http://127.0.0.1:{running.port}/models/separate", width) as driver:
        time.sleep(0.2)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width


# --- by PyTorch, in a process of its own ---


@needs_torch
def test_serve_answers_many_at_a_time_with_the_classifiers_bits(files: Kind, separate: Kind) -> None:
    classifiers = {kind.path.stem: fl.load(kind.path) for kind in (files, separate)}
    with serving(files.path, separate.path, "--threads", "2") as process:
        for name, clf in classifiers.items():
            check_answers(process, name, clf, files.rows)
        page = process.ask("GET", "/models/files").body.decode()
        assert told(page)["computed"] == "asked"
        rows = pictures(40, seed=3)[0]
        z = classifiers["files"].predict_logits(rows)
        at, kind = "/v1/models/files/predict?logits=true", {"Content-Type": "image/png"}
        with ThreadPoolExecutor(4) as pool:
            replies = pool.map(lambda pixels: process.ask("POST", at, encoded(pixels), kind), rows)
            assert np.array_equal(np.concatenate([said(reply) for reply in replies]), z)
