"""Who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fromlogits.cli.main import run
from fromlogits.serving.guard import is_of_this_machine
from tests.serving.running import JSON, Kind, Running, serving

TOKEN = "correct-horse-battery-staple"
GUARDED = [
    "/",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/v2",
    "/v2/models/numbers",
    "/v2/models/numbers/ready",
    "/nothing",
]


@pytest.fixture(scope="module")
def guarded(kinds: dict[str, Kind], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    with serving(kinds["numbers"].path, "--token-file", path, "--host", "0.0.0.0") as running:
        yield running


@pytest.mark.parametrize("path", GUARDED)
def test_all_but_health_needs_the_token(guarded: Running, path: str) -> None:
    line = "this server needs its token, in a header: Authorization: Bearer TOKEN."
    for headers in (
        {}, {"Authorization": "Bearer "}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer \xe9"},
    ):  # fmt: skip
        reply = guarded.ask("GET", path, headers=headers)
        assert (reply.status, reply.headers["www-authenticate"], reply.error) == (401, "Bearer", line)
    reply = guarded.ask("GET", path, headers={"Authorization": f"bearer {TOKEN}"})
    assert reply.status == (404 if path == "/nothing" else 200)


def test_predictions_need_it_too_and_health_does_not(guarded: Running) -> None:
    for path in ("/v1/models/numbers/predict", "/v2/models/numbers/infer"):
        assert guarded.ask("POST", path, "{}", JSON).status == 401
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert guarded.ask("GET", path).status == 200
        assert guarded.ask("GET", path, headers={"Host": "pod:1", "Origin": "http://evil.test"}).status == 200


def test_the_bearer_may_come_by_any_name_but_not_from_another_sites_page(guarded: Running) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}", "Host": "models.example.org"}
    assert guarded.ask("GET", "/v2", headers=bearer).status == 200
    assert guarded.ask("GET", "/v2", headers={**bearer, "Origin": "https://models.example.org"}).status == 200
    assert guarded.ask("GET", "/v2", headers={**bearer, "Origin": "https://example.org"}).status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:9", "127.8.8.8", "[::1]", "[::1]:80"]
)
def test_these_are_names_of_this_machine(host: str) -> None:
    assert is_of_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.test",
        "evil.test:8000",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "::ffff:1",
    ],
)
def test_these_are_not(host: str) -> None:
    assert not is_of_this_machine(host)


def test_without_a_token_a_name_that_is_pointed_here_is_refused(server: Running) -> None:
    reply = server.ask("GET", "/v2", headers={"Host": "evil.test:8000"})

    assert reply.status == 403
    assert (
        reply.error
        == "Host must be localhost, 127.0.0.1 or [::1] where the server has no token; it is 'evil.test:8000'."
    )
    assert server.ask("GET", "/v2", headers={"Host": f"localhost:{server.port}"}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost", "http://127.0.0.1:1"])
def test_a_page_of_another_site_is_refused(server: Running, origin: str) -> None:
    host = f"localhost:{server.port}"
    reply = server.ask("POST", "/v1/models/numbers/predict", "{}", {**JSON, "Host": host, "Origin": origin})

    assert (reply.status, reply.error) == (
        403,
        f"a page of another site may not ask this server; Origin is {origin!r}.",
    )
    own = {"Host": host, "Origin": f"http://{host}"}
    assert server.ask("GET", "/v2", headers=own).status == 200


def test_no_answer_lets_another_site_read_it(server: Running) -> None:
    reply = server.ask("GET", "/v2")

    assert not any(name.startswith("access-control") for name in reply.headers)
    assert "server" not in reply.headers


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run(["serve", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.removeprefix("fromlogits: ").removesuffix("\n")


def test_a_token_that_is_none_is_refused(
    kinds: dict[str, Kind], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FROMLOGITS_TOKEN", raising=False)
    model, path = kinds["numbers"].path, tmp_path / "token"
    for content in (b"", b"short", b"with a blank in its middle", "ümlaut-ümlaut-ümlaut".encode()):
        path.write_bytes(content)
        assert "a token must have 16 or more letters" in refused(capsys, model, "--token-file", path)
    assert refused(capsys, model, "--token-file", tmp_path) == f"--token-file {tmp_path}: is a directory."
    monkeypatch.setenv("FROMLOGITS_TOKEN", TOKEN)
    assert "are both set" in refused(capsys, model, "--token-file", path)
    monkeypatch.setenv("FROMLOGITS_TOKEN", "")
    assert "FROMLOGITS_TOKEN: a token must have 16" in refused(capsys, model)
