"""What a server says of itself: metrics, the document of its API, and pages that load nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from html.parser import HTMLParser

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.running import Kind, Running


def counted(server: Running, name: str, **labels: str) -> float:
    text = server.ask("GET", "/metrics").body.decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def test_requests_rows_and_seconds_are_counted(server: Running) -> None:
    of_model = {"endpoint": "predict", "model": "several"}
    done = counted(server, "fromlogits_requests_total", **of_model, code="200")
    bad = counted(server, "fromlogits_requests_total", **of_model, code="400")
    rows = counted(server, "fromlogits_rows_total", model="several")
    seconds = counted(server, "fromlogits_request_seconds_count", endpoint="predict")
    server.predict("several", [[1, 2, 3]] * 4)
    server.predict("several", [])

    assert counted(server, "fromlogits_requests_total", **of_model, code="200") == done + 1
    assert counted(server, "fromlogits_requests_total", **of_model, code="400") == bad + 1
    assert counted(server, "fromlogits_rows_total", model="several") == rows + 4
    assert counted(server, "fromlogits_request_seconds_count", endpoint="predict") == seconds + 2
    assert counted(server, "fromlogits_queue") == 0


def test_what_strangers_ask_for_adds_no_series(server: Running) -> None:
    for number in range(5):
        server.ask("GET", f"/nothing/{number}")
        server.predict(f"nobody{number}", [[1]])
    text = server.ask("GET", "/metrics").body.decode()

    assert "nobody" not in text and "nothing" not in text


def test_the_document_names_every_path_and_each_is_there(server: Running) -> None:
    document = server.ask("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert "/v1/models/table/predict" in document["paths"]
    for path, verbs in document["paths"].items():
        for verb in verbs:
            reply = server.ask(
                verb.upper(), path, "{}" if verb == "post" else None, {"Content-Type": "application/json"}
            )
            assert reply.status == (400 if verb == "post" else 200), (path, reply.body)


def test_the_document_says_what_a_row_is(server: Running) -> None:
    paths = server.ask("GET", "/openapi.json").json["paths"]
    content = paths["/v1/models/table/predict"]["post"]["requestBody"]["content"]
    row = content["application/json"]["schema"]["properties"]["rows"]["items"]

    assert row["required"] == ["size", "colour", "when", "gap", "level", "is_new"]
    assert "image/png" not in content
    assert "image/png" in paths["/v1/models/pictures/predict"]["post"]["requestBody"]["content"]


class Loads(HTMLParser):
    """Whatever a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "form", "object"):
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name == "src" or name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name == "href"]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_its_links_lead_somewhere(server: Running, path: str) -> None:
    reply = server.ask("GET", path)
    page = reply.body.decode()
    loads = Loads()
    loads.feed(page)

    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert loads.found == [] and not re.search(r"url\(|@import|https?://", page)
    assert loads.links and all(server.ask("GET", link).status == 200 for link in loads.links)
    assert "/v1/models/table/predict" in page


def test_the_first_line_says_what_is_served_and_where(kinds: dict[str, Kind]) -> None:
    command = [sys.executable, "-m", "fromlogits", "serve", str(kinds["numbers"].path), str(kinds["table"].path)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"serving numbers, table at (http://127\.0\.0\.1:\d+/); the API is at \1docs; Ctrl-C stops\n", line
        )
        assert found, line
        with urllib.request.urlopen(f"{found[1]}v2/health/ready") as reply:
            assert reply.status == 200
        process.terminate()
        assert (process.stdout.read(), process.wait(60)) == ("", 0)
