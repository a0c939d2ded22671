"""The lesson page of a server: which one, under what policy, for whom; and in headless Chromium what it computes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest

import fromlogits as fl
from fromlogits.errors import InputError
from fromlogits.export import lesson
from fromlogits.serving.app import application
from fromlogits.serving.lessons import MOST_BYTES
from fromlogits.serving.limits import Limits
from fromlogits.serving.models import opened as models_of
from tests.export.browser import needs_a_browser, opened
from tests.export.test_lesson import DRAWN, ULP, draw
from tests.serving.running import Kind, Reply, Running, serving
from tests.serving.small_models import frame

EXAMPLES = Path(__file__).parents[2] / "examples"
AXE = os.environ.get("FROMLOGITS_AXE", "")
TOKEN = "correct-horse-battery-staple"
in_browser = needs_a_browser()
with_axe = pytest.mark.skipif(not Path(AXE).is_file(), reason="axe-core is not there: FROMLOGITS_AXE names its file")


def _digits() -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(EXAMPLES / "digits.csv")
    return table.drop(columns="digit"), table["digit"]


def _saved(classifier: fl.Classifier, path: Path, rows: Any) -> Kind:
    classifier.save(path)
    return Kind(path, classifier, rows)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Kind:
    network = fl.Network([fl.Dense(25, "relu"), fl.Dense(15, "relu"), fl.Dense(10, "linear")])
    classifier = fl.Classifier(network=network, random_state=0, max_epochs=30).fit(*_digits())
    return _saved(classifier, tmp_path_factory.mktemp("digits") / "digits.safetensors", _digits()[0].iloc[:200])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Kind:
    """Every kind of column, and more weights than a page brings along."""
    x = frame(400, 1)
    classifier = fl.Classifier(hidden_layer_sizes=(2000, 1100), random_state=0, max_epochs=1)
    classifier.fit(x, np.where(x["size"] + 2 * (x["colour"] == "red") > 0.7, "much", "little"))
    assert lesson.n_bytes(classifier._model) > MOST_BYTES
    return _saved(classifier, tmp_path_factory.mktemp("large") / "large.safetensors", frame(60, 2))


@pytest.fixture(scope="module")
def one(digits: Kind) -> Iterator[Running]:
    with serving(digits.path) as running:
        yield running


@pytest.fixture(scope="module")
def several(digits: Kind, large: Kind, kinds: dict[str, Kind]) -> Iterator[Running]:
    with serving(digits.path, large.path, kinds["labels"].path) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(digits: Kind) -> Iterator[Running]:
    with serving(digits.path, environment={"FROMLOGITS_TOKEN": TOKEN}) as running:
        yield running


def url(running: Running, path: str = "/") -> str:
    return f"http://127.0.0.1:{running.port}{path}"


def told(page: str) -> dict[str, Any]:
    [text] = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page, re.S)
    content: dict[str, Any] = json.loads(text)
    return content


# --- which page, under what policy ---


def test_the_page_of_the_only_model_is_at_the_root_and_holds_what_the_exported_one_holds(
    one: Running, digits: Kind
) -> None:
    page = one.ask("GET", "/").body.decode()

    assert told(page) == told(lesson.page(digits.classifier._model))
    assert one.ask("GET", "/models/digits").body.decode() == page


@pytest.mark.parametrize("name", ["digits", "large"])
def test_the_policy_lets_the_pages_own_script_run_and_nothing_else(several: Running, name: str) -> None:
    reply = several.ask("GET", f"/models/{name}")
    page = reply.body.decode()
    [style], [script] = (
        re.findall(r"<style>(.*?)</style>", page, re.S),
        re.findall(r"<script>(.*?)</script>", page, re.S),
    )

    def hashed(part: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"

    asks = " connect-src 'self';" if name == "large" else ""
    policy = (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)};{asks} base-uri 'none';"
        " form-action 'none'"
    )
    assert reply.headers["content-security-policy"] == f"{policy}; frame-ancestors 'none'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in page


def test_several_models_are_listed_and_each_has_its_page(several: Running) -> None:
    index = several.ask("GET", "/").body.decode()
    links = re.findall(r'<a href="(/models/[^"]+)">', index)

    assert links == ["/models/digits", "/models/large", "/models/labels"]
    for link in links:
        page = several.ask("GET", link).body.decode()
        assert "<h1>A classifier, laid open</h1>" in page and '<a href="/">all models</a>' in page
    assert several.ask("GET", "/models/nobody").status == 404


def test_a_large_model_stays_at_the_server(several: Running) -> None:
    page = several.ask("GET", "/models/large").body.decode()

    assert len(page) < 200_000 and "parameters" not in told(page)
    assert told(page)["at"] == "/v1/models/large/predict"
    assert told(page)["why"].startswith("The weights take 9 MB, more than the 8 MB that a page brings along")


def test_a_model_that_no_page_can_show_says_why(digits: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> Any:
        raise InputError("the lesson page can't encode a column of the kind 'sound'.")

    monkeypatch.setattr(lesson, "_encoder", refuse)
    app = application(models_of([str(digits.path)]), Limits(), None)
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "",
             "headers": [(b"host", b"localhost")], "scheme": "http", "server": ("localhost", 80)}  # fmt: skip
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    page = b"".join(message.get("body", b"") for message in sent).decode()

    assert sent[0]["status"] == 200
    assert "No lesson page can show this model: the lesson page can&#x27;t encode a column of the kind" in page
    assert "POST /v1/models/digits/predict" in page


# --- for whom ---

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
FORM = {**HTML, "Content-Type": "application/x-www-form-urlencoded"}


def signed_in(running: Running, token: str, **headers: str) -> Reply:
    return running.ask("POST", "/sign-in", urlencode({"token": token}), {**FORM, **headers})


def test_a_browser_is_asked_for_the_token_and_gets_in_by_it(guarded: Running) -> None:
    asked = guarded.ask("GET", "/", headers=HTML)
    assert (asked.status, asked.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert b'<form method="post" action="/sign-in">' in asked.body and TOKEN.encode() not in asked.body

    let_in = signed_in(guarded, f" {TOKEN}\n", Origin=f"http://127.0.0.1:{guarded.port}")
    cookie, *attributes = let_in.headers["set-cookie"].split("; ")
    assert (let_in.status, let_in.headers["location"]) == (303, "/")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert TOKEN not in cookie

    assert b"A classifier, laid open" in guarded.ask("GET", "/", headers={**HTML, "Cookie": cookie}).body
    rows = json.dumps({"rows": [[0] * 64]})
    headers = {"Cookie": f'odd={{"a": 1, "b"}}; {cookie}; last', "Content-Type": "application/json"}
    assert guarded.ask("POST", "/v1/models/digits/predict", rows, headers).status == 200
    evil = {**headers, "Origin": "http://evil.test"}
    assert guarded.ask("POST", "/v1/models/digits/predict", rows, evil).status == 403


def test_another_token_or_cookie_lets_nobody_in(guarded: Running, digits: Kind) -> None:
    for token in ("", TOKEN[:-1], f"{TOKEN}x", "é" * 20):
        reply = signed_in(guarded, token)
        assert reply.status == 401 and "set-cookie" not in reply.headers
        assert b"That is another token." in reply.body
    assert signed_in(guarded, TOKEN, Origin="http://evil.test").status == 403
    name, _, secret = signed_in(guarded, TOKEN).headers["set-cookie"].partition(";")[0].partition("=")
    for cookie in (f"{name}=", f"{name}={secret[:-1]}", f"{name}={TOKEN}", f"fromlogits={secret}", "=;=", "a b"):
        assert guarded.ask("GET", "/", headers={"Cookie": cookie}).status == 401
    with serving(digits.path, environment={"FROMLOGITS_TOKEN": TOKEN}) as again:
        assert again.ask("GET", "/", headers={"Cookie": f"{name}={secret}"}).status == 401


def test_a_form_that_is_too_long_is_refused(guarded: Running) -> None:
    assert guarded.ask("POST", "/sign-in", b"token=" + b"x" * 17_000_000, FORM).status == 413
    assert guarded.ask("POST", "/sign-in", "&".join(["token=x"] * 20), FORM).status == 401


def test_without_a_token_there_is_nothing_to_sign_in_to(one: Running) -> None:
    assert signed_in(one, TOKEN).status == 404


# --- in the browser ---


@in_browser
def test_the_page_computes_what_python_computes(one: Running, digits: Kind) -> None:
    with opened(url(one)) as driver:
        found = driver.execute_script(
            "return arguments[0].map((row) => lesson.run(row).probabilities)", digits.rows.to_numpy().tolist()
        )
    scale = np.abs(digits.classifier.predict_logits(digits.rows)).max() + 1
    assert np.abs(np.array(found) - digits.classifier.predict_proba(digits.rows)).max() < 16 * ULP * scale


@in_browser
def test_a_digit_is_drawn_and_read(one: Running) -> None:
    with opened(url(one)) as driver:
        driver.find_element("id", "clear").click()
        draw(driver, DRAWN["3"])
        assert driver.find_element("css selector", "#answer strong").text == "3"


def _asked(driver: Any, rows: list[list[str]]) -> list[list[list[float]]]:
    answers: list[list[list[float]]] = driver.execute_async_script(
        "const done = arguments[1], found = []; (async () => { for (const row of arguments[0]) {"
        " const { logits, probabilities } = await lesson.run(row); found.push([logits, probabilities]); }"
        " done(found); })().catch((error) => done(String(error)))",
        rows,
    )
    return answers


@in_browser
def test_a_page_that_asks_the_server_shows_its_very_bits(several: Running, large: Kind) -> None:
    x = large.rows
    rows = x.assign(when=x["when"].dt.strftime("%Y-%m-%d")).astype(object).to_numpy().tolist()
    rows = [["" if value != value else str(value) for value in row] for row in rows]
    with opened(url(several, "/models/large")) as driver:
        found = _asked(driver, rows)
    logits, probabilities = (np.array([row[at] for row in found], np.float32) for at in (0, 1))

    assert (logits == large.classifier.predict_logits(x)).all()
    assert (probabilities == large.classifier.predict_proba(x)).all()


@in_browser
def test_a_form_asks_the_server_and_shows_what_it_refuses(several: Running, large: Kind) -> None:
    with opened(url(several, "/models/large")) as driver:
        answer = driver.find_element("css selector", "#answer")
        wait(lambda: "The network says" in answer.text)
        size = driver.find_element("css selector", "#input label input")
        size.clear()
        size.send_keys("3.5")
        row = {"size": 3.5, "colour": "Grün", "when": "2024-01-31", "is_new": 1}
        shown = driver.execute_script("return lesson.values()")
        wait(lambda: driver.execute_script("return lesson.values()[0]") == "3.5")
        expected = several.predict("large", [{**row, "gap": float(shown[3]), "level": int(shown[4])}]).json
        likely = max(expected["predictions"][0]["probabilities"].values())
        wait(lambda: f"with probability {likely:.3g}" in answer.text)
        size.send_keys("x")
        problem = driver.find_element("id", "problem")
        wait(lambda: problem.text == "column “size” must be a number; found “3.5x”.")
        assert driver.find_element("id", "network-hint").text.startswith("The weights take 9 MB")


@in_browser
def test_a_page_whose_server_has_ended_says_so(large: Kind) -> None:
    with serving(large.path) as running, opened(url(running)) as driver:
        answer = driver.find_element("css selector", "#answer")
        wait(lambda: "The network says" in answer.text)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*predict*"]})
        driver.execute_script("lesson.given(lesson.values(), null)")
        problem = driver.find_element("id", "problem")
        wait(lambda: problem.text == "the server does not answer; it may have been stopped.")
        driver.get_log("browser")  # the request that was meant to fail stands there


@in_browser
def test_a_person_signs_in_and_draws(guarded: Running) -> None:
    with opened("about:blank") as driver:
        driver.get(url(guarded))
        driver.get_log("browser")  # Chromium tells of the 401 that brought the form
        driver.find_element("name", "token").send_keys(TOKEN)
        driver.find_element("css selector", "button").click()
        wait(lambda: driver.find_elements("id", "pad"))
        assert driver.current_url == url(guarded)
        driver.find_element("id", "clear").click()
        draw(driver, DRAWN["7"])
        assert driver.find_element("css selector", "#answer strong").text == "7"


def wait(holds: Any, seconds: float = 20) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


PATHS = ["/", "/models/large", "/models/digits"]


@in_browser
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_is_wider_than_its_window(several: Running, path: str, width: int) -> None:
    with opened(url(several, path), width) as driver:
        time.sleep(0.2)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width


@in_browser
@with_axe
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_dark", [False, True])
def test_axe_finds_nothing(several: Running, path: str, is_dark: bool) -> None:
    with opened(url(several, path), is_dark=is_dark) as driver:
        time.sleep(0.5)
        driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert violations(driver) == []


def violations(driver: Any) -> list[Any]:
    driver.execute_script(Path(AXE).read_text())
    found = driver.execute_async_script("const done = arguments[0]; axe.run().then((found) => done(found.violations))")
    return [(one["id"], one["impact"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
