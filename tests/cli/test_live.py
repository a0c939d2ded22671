"""`train --live`: a training in a process of its own, watched over HTTP and in headless Chromium."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli.live import listen
from fromlogits.cli.options import with_values
from fromlogits.serving import watching
from fromlogits.serving.watching import Curve, Watched
from fromlogits.training import EpochRecord
from tests.cli.here import Here
from tests.export.browser import needs_a_browser, opened
from tests.serving.running import Reply, ask

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
AXE = os.environ.get("FROMLOGITS_AXE", "")
in_browser = needs_a_browser()
LONG = "--layers 8 --epochs 1000000 --set patience=1000000"
SEVERAL = "--set ensemble=3 --set folds=3 --threads 2"
FEW = "--layers 30,20 --epochs 200 --set patience=200"


@dataclass(frozen=True)
class Training:
    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, verb: str, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            return ask(connection, verb, path, headers=headers)

    def events(self) -> Iterator[dict[str, Any]]:
        """Until the server ends the stream."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/events")
            reply = connection.getresponse()
            assert reply.headers["content-type"].startswith("text/event-stream")
            for line in reply:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def write_table(folder: Path, rows: int = 3000) -> None:
    x = np.random.default_rng(0).normal(size=(rows, 20))
    np.savez(folder / "t.npz", X=x, y=(x.sum(axis=1) > 0).astype(int))


@contextlib.contextmanager
def training(folder: Path, settings: str, live: str = "--live") -> Iterator[Training]:
    """From the line that says where it can be watched."""
    command = [sys.executable, "-m", "fromlogits", *shlex.split(f"train {live} t.npz {settings} -o m.safetensors")]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.fullmatch(r"watch it at (http://127\.0\.0\.1:\d+/)\n", line):
                port = urlsplit(found[1]).port
                assert port is not None
                yield Training(process, port)
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        with process:  # closes its streams
            process.kill()


# --- the server ---


@pytest.mark.parametrize("settings", [FEW, f"{SEVERAL} {FEW}"])
def test_a_training_that_is_watched_has_the_same_bits(settings: str, tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, settings) as watched:
        states = list(watched.events())
        code, _, err = watched.ended()
    plain = [sys.executable, "-m", "fromlogits", *shlex.split(f"train t.npz {settings} -o plain.safetensors")]
    subprocess.run(plain, cwd=tmp_path, check=True, capture_output=True, timeout=120)

    assert code == 0, err
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "plain.safetensors").read_bytes()
    assert states[-1]["phase"] == "ended"


def test_the_events_have_every_epoch_and_at_the_end_the_figures_and_the_file(tmp_path: Path) -> None:
    write_table(tmp_path, 20_000)
    points: list[list[Any]] = []
    with training(tmp_path, "--layers 100,100 --epochs 30 --set patience=30 --json") as watched:
        for state in watched.events():
            [curve] = state["curves"] or [{"from": 0, "points": []}]
            points[curve["from"] :] = curve["points"]
        code, out, _ = watched.ended()
    report, clf = json.loads(out), fl.load(tmp_path / "m.safetensors")

    assert code == 0
    assert points == [[one.epoch, one.loss, one.validation] for one in clf.history_.epochs]
    assert curve["best"] == points[clf.best_epoch_ - 1] and curve["is_done"]
    end = state["end"]
    assert end["model"] == "m.safetensors" and end["how"] == f"All 30 epochs done; epoch {clf.best_epoch_} is kept."
    assert dict(end["figures"])["validation log loss"] == report["validation"]["log_loss"]


def test_every_network_of_several_has_its_curve(tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, f"{SEVERAL} {FEW}") as watched:
        *_, state = watched.events()
        watched.ended()
    clf = fl.load(tmp_path / "m.safetensors")

    assert state["networks"] == {"done": 3, "all": 3}
    assert [one["name"] for one in state["curves"]] == ["member 1 of 3", "member 2 of 3", "member 3 of 3"]
    assert [one["best"][0] for one in state["curves"]] == [member.best_epoch for member in clf.members_]


def test_a_stop_ends_it_as_ctrl_c_does_and_may_be_said_twice(tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, LONG) as watched:
        events = watched.events()
        while not next(events)["curves"][0:1]:
            pass
        host = f"127.0.0.1:{watched.port}"
        for headers in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {"Host": "evil.test"}):
            assert watched.ask("POST", "/stop", headers).status == 403
        assert watched.ask("GET", "/stop").status == 405
        assert watched.ask("POST", "/stop", {"Host": host, "Origin": f"http://{host}"}).status == 202
        *_, state = events
        code, _, err = watched.ended()
    clf = fl.load(tmp_path / "m.safetensors")

    assert code == 130, err
    assert "stopping after this step; the best epoch so far will be saved" in err
    assert clf.record_["stopped_by"] == "interrupt"
    assert state["end"]["how"].startswith("Stopped by Ctrl-C in epoch ")
    assert state["curves"][0]["best"][0] == clf.best_epoch_


def test_ctrl_c_at_the_terminal_is_shown_too(tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, LONG) as watched:
        events = watched.events()
        next(events)
        watched.process.send_signal(signal.SIGINT)
        *_, state = events
        assert watched.ended()[0] == 130
    assert state["phase"] == "ended"


def test_a_training_that_fails_says_so_and_ends(tmp_path: Path) -> None:
    write_table(tmp_path)
    settings = "--layers 8,8,8 --epochs 1000000 --set patience=1000000 --set optimizer=sgd --set learning_rate=1e6"
    with training(tmp_path, settings) as watched:
        code, _, err = watched.ended()

    assert code == 1 and "diverged" in err
    assert not (tmp_path / "m.safetensors").exists()


def test_pages_that_look_on_hear_of_a_failure_before_the_server_ends() -> None:
    watched = Watched({}, [("", "log_loss")])
    listening = listen("")
    assert listening is not None
    with listening, watching.Window(watched, listening, lambda: None) as window:
        events = Training(None, listening.getsockname()[1]).events()  # type: ignore[arg-type]
        assert next(events)["phase"] == "training"
        window.ended({"error": "training diverged."})
    *_, state = events

    assert (state["phase"], state["end"]) == ("ended", {"error": "training diverged."})


def test_the_page_is_for_this_machine_and_runs_its_own_script_alone(tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, LONG) as watched:
        reply = watched.ask("GET", "/")
        assert watched.ask("GET", "/", {"Host": "evil.test"}).status == 403
    policy = reply.headers["content-security-policy"]

    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; connect-src 'self'; base-uri 'none';"
        r" form-action 'none'; frame-ancestors 'none'",
        policy,
    )
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", reply.body.decode())


def test_a_dry_run_leaves_the_port(here: Here) -> None:
    write_table(here.folder)
    out, err = here("train t.npz --live --dry-run --layers 8")

    assert "would be saved as t.safetensors" in out and "watch it at" not in err


def test_the_port_may_be_left_out() -> None:
    assert with_values(["--live", "8001", "t.csv"]) == ["--live", "8001", "t.csv"]
    assert with_values(["--live", "t.csv"]) == ["--live=", "t.csv"]
    assert with_values(["t.csv", "--live"]) == ["t.csv", "--live="]
    assert with_values(["--live=8001"]) == ["--live=8001"]
    assert with_values(["--", "--live"]) == ["--", "--live"]


# --- what is kept of it ---


def record(epoch: int, *, is_best: bool = False) -> EpochRecord:
    return EpochRecord(epoch, 1.0 / epoch, 2.0 / epoch, is_best, 0.1)


def test_a_long_curve_is_thinned_out_and_keeps_its_best_and_last() -> None:
    curve = Curve("", "log_loss")
    for epoch in range(1, 10_001):
        curve.add(record(epoch, is_best=epoch == 1234))
    epochs = [point[0] for point in curve.points]

    assert len(epochs) <= watching.MOST_POINTS
    assert epochs == list(range(1, 10_001, curve.step))
    assert curve.best == (1234, 1.0 / 1234, 2.0 / 1234) and curve.last == (10_000, 1.0 / 10_000, 2.0 / 10_000)


def test_one_who_looks_often_has_what_one_has_who_looks_once() -> None:
    watched, shown = Watched({}, [("", "log_loss")]), list[Any]()
    callback, seen = watched.callback_of(0), dict[int, tuple[int, int]]()
    engine: Any = None
    for epoch in range(1, 2001):
        assert callback.epoch_ended(record(epoch), engine) is False
        if epoch % 7 == 0:
            [curve] = watched.since(seen)["curves"]
            shown[curve["from"] :] = curve["points"]
    [last] = watched.since(seen)["curves"]
    shown[last["from"] :] = last["points"]

    assert shown == watched.since({})["curves"][0]["points"]


def test_of_many_networks_those_are_shown_that_began_last() -> None:
    watched = Watched({}, [(str(number), "log_loss") for number in range(50)])
    for number in range(30):
        watched.callback_of(number).training_ended()
    state = watched.since({})

    assert [curve["number"] for curve in state["curves"]] == list(range(10, 30))
    assert state["networks"] == {"done": 30, "all": 50}


# --- in the browser ---


def wait(holds: Any, seconds: float = 30) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def paths(driver: Any) -> list[str]:
    drawn: list[str] = driver.execute_script(
        "return [...document.querySelectorAll('#curves path.line')].map((path) => path.getAttribute('d'))"
    )
    return drawn


@in_browser
@pytest.mark.parametrize("more", ["", SEVERAL])
def test_the_curves_move_and_the_button_stops(tmp_path: Path, more: str) -> None:
    write_table(tmp_path)
    with training(tmp_path, f"{LONG} {more}") as watched, opened(watched.url) as driver:
        wait(lambda: len(paths(driver)) >= 2)
        before = paths(driver)
        wait(lambda: paths(driver) != before)
        phase, stop = driver.find_element("id", "phase"), driver.find_element("id", "stop")
        assert phase.text == "It trains." and "rows a second" in driver.find_element("id", "figures").text
        stop.click()
        code, _, err = watched.ended()
        wait(lambda: driver.find_element("id", "out").is_displayed())

        assert code == 130, err
        clf = fl.load(tmp_path / "m.safetensors")
        assert "topped by Ctrl-C" in phase.text
        assert {member.history.stopped_by for member in clf.members_} == {"interrupt"}
        assert "m.safetensors" in driver.find_element("id", "end").text
        assert not stop.is_displayed() and driver.find_element("id", "problem").text == ""
        if not more:
            assert f"best epoch\n{clf.best_epoch_}, log loss" in driver.find_element("id", "figures").text
        time.sleep(1)  # nothing is asked of the server that has ended


@in_browser
def test_a_process_that_was_killed_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    write_table(tmp_path)
    with training(tmp_path, LONG) as watched, opened(watched.url) as driver:
        wait(lambda: len(paths(driver)) >= 2)
        watched.process.kill()
        phase = driver.find_element("id", "phase")
        wait(lambda: phase.text.startswith("The training does not answer any more"))
        assert len(paths(driver)) == 2 and not driver.find_element("id", "stop").is_displayed()
        driver.get_log("browser")  # Chromium tells of the connection that was lost


@in_browser
@pytest.mark.parametrize("more", ["", SEVERAL])
@pytest.mark.parametrize(("width", "is_dark"), [(320, False), (1200, True)])
def test_the_page_fits_its_window_and_axe_finds_nothing(tmp_path: Path, more: str, width: int, is_dark: bool) -> None:
    write_table(tmp_path)
    with training(tmp_path, f"{LONG} {more}") as watched, opened(watched.url, width, is_dark=is_dark) as driver:
        for is_over in (False, True):
            if is_over:
                driver.find_element("id", "stop").click()
                wait(lambda: driver.find_element("id", "out").is_displayed())
            wait(lambda: len(paths(driver)) >= 2)
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width
            if Path(AXE).is_file():
                driver.execute_script(Path(AXE).read_text())
                found = driver.execute_async_script(
                    "const done = arguments[0]; axe.run().then((found) => done(found.violations))"
                )
                assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []
