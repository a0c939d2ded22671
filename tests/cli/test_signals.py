"""Ctrl-C, SIGTERM and a reader that goes away, in processes of their own."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fromlogits as fl
from fromlogits.cli.display import Lines, Screen
from tests.cli.here import Here

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
COMMAND = [sys.executable, "-m", "fromlogits"]


def write_table(path: Path, rows: int = 3000) -> None:
    x = np.random.default_rng(0).normal(size=(rows, 20))
    np.savez(path, X=x, y=(x.sum(axis=1) > 0).astype(int))


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_stops_the_training_and_saves_the_best_weights_so_far(
    tmp_path: Path, number: signal.Signals, code: int, name: str
) -> None:
    write_table(tmp_path / "t.npz")
    settings = "--layers 8 --epochs 1000000 --set patience=1000000"
    command = [*COMMAND, *shlex.split(f"train t.npz {settings} -o m.safetensors --json")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    clf = fl.load(tmp_path / "m.safetensors")
    assert process.returncode == code, err
    assert "stopping after this step; the best epoch so far will be saved (Ctrl-C again gives up)\n" in err
    assert f"stopped by {name} in epoch " in err
    assert clf.record_["stopped_by"] == ("interrupt" if number == signal.SIGINT else "terminate")
    assert '"model": "m.safetensors"' in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "t.npz"]


def test_a_signal_while_another_line_is_written_is_answered_a_little_later(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python lets no handler write to a stream that is being written to."""
    write_table(here.folder / "t.npz")
    say, refused = Screen.say, list[str]()

    def busy_at_first(self: Screen, words: str, *style: str) -> None:
        if words.startswith("stopping") and not refused:
            refused.append(words)
            raise RuntimeError("reentrant call inside a writer")
        say(self, words, *style)

    monkeypatch.setattr(Screen, "say", busy_at_first)
    monkeypatch.setattr(Lines, "epoch_ended", lambda *_: signal.raise_signal(signal.SIGINT) if not refused else None)
    err = here("train t.npz --layers 8 --epochs 50 --set early_stopping=false -o m.safetensors", code=130)[1]
    assert len(refused) == 1
    assert err.count(f"{refused[0]}\n") == 1
    assert err.index(refused[0]) < err.index("stopped by Ctrl-C")


def test_ctrl_c_stops_every_network_and_saves_one_for_each_label(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(3000, 20))
    np.savez(tmp_path / "t.npz", X=x, y=(x[:, :5] > 0).astype(int), classes=list("abcde"))
    settings = "--separate-networks --layers 8 --epochs 1000000 --set patience=1000000 --threads 2"
    command = [*COMMAND, *shlex.split(f"train t.npz {settings} -o m.safetensors")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "networks done; label 'a' in epoch" in line:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    clf = fl.load(tmp_path / "m.safetensors")
    assert process.returncode == 130, err
    assert "0/5 networks done\n5 networks: 5 stopped by Ctrl-C; " in err
    assert "warning: not one whole epoch is behind the networks of c, d, e: their probabilities mean little.\n" in err
    assert [member.label for member in clf.members_] == list("abcde")
    assert [member.n_epochs for member in clf.members_[2:]] == [1, 1, 1]  # two at a time: these had not begun
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "t.npz"]


def test_a_second_signal_gives_up_and_says_that_nothing_was_saved(tmp_path: Path) -> None:
    write_table(tmp_path / "t.npz", 50)
    script = (
        "import os, signal, sys; from fromlogits import training; from fromlogits.cli import display, main;"
        "training.StopOnSignal.REPEAT_S = 0.0;"
        "display.Lines.epoch_ended = lambda *_: os.kill(os.getpid(), signal.SIGINT);"
        "display.Lines.finished = display.Lines.epoch_ended;"
        "sys.exit(main.run(['train', 't.npz', '--layers', '8', '--epochs', '9', '--set', 'early_stopping=false']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    *_, asked, given_up = done.stderr.splitlines()
    assert done.returncode == 130
    assert asked == "stopping after this step; what was reached will be saved (Ctrl-C again gives up)"
    assert given_up == "fromlogits: stopped by Ctrl-C; nothing was saved."
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_predictions_are_written_leaves_no_half_file(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    write_table(tmp_path / "t.npz", 50)
    subprocess.run(
        [*COMMAND, "train", "t.npz", "--layers", "8", "--epochs", "1", "--quiet"], cwd=tmp_path, check=True, timeout=60
    )
    script = (
        "import os, signal, sys; from fromlogits.cli import output, main;"
        f"output.Predictions.write = lambda *_, **__: os.kill(os.getpid(), {int(number)});"
        "sys.exit(main.run(['predict', 't.safetensors', 't.npz', '-o', 'p.csv']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.npz", "t.safetensors"]


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    write_table(tmp_path / "t.npz", 20_000)
    run = f"{shlex.quote(sys.executable)} -m fromlogits"
    subprocess.run(
        [*COMMAND, "train", "t.npz", "--layers", "8", "--epochs", "1", "--quiet"], cwd=tmp_path, check=True, timeout=60
    )
    done = subprocess.run(
        ["bash", "-c", f"{run} predict t.safetensors t.npz | head -n 2; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert len(done.stdout.splitlines()) == 2
    assert (done.stderr, done.returncode) == ("", 1)


def test_a_closed_standard_output_from_the_start_is_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m fromlogits --help | true; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(tmp_path: Path, closed: str) -> None:
    write_table(tmp_path / "t.npz", 50)
    run = f"{shlex.quote(sys.executable)} -m fromlogits train t.npz --layers 8 --epochs 1 {closed}"
    done = subprocess.run(["bash", "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert fl.load(tmp_path / "t.safetensors").n_iter_ == 1


EVERY_VERB = (
    "predict m.safetensors t.npz",
    "predict m.safetensors t.npz --json",
    "predict m.safetensors t.npz -o p.csv",
    "evaluate m.safetensors u.npz",
    "evaluate m.safetensors u.npz --json",
    "inspect m.safetensors",
    "inspect m.safetensors u.npz --row 0 --json",
    "roundoff --json",
    "train t.npz --layers 8 --epochs 1 --quiet",
    "train t.npz --layers 8 --epochs 1 --quiet --json",
    "--help",
    "predict --help",
    "--version",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, its table and another one."""
    folder = tmp_path_factory.mktemp("trained")
    write_table(folder / "t.npz", 3000)
    write_table(folder / "u.npz", 200)
    train = "train t.npz --layers 8 --epochs 1 --quiet -o m.safetensors"
    subprocess.run([*COMMAND, *shlex.split(train)], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


def redirected(command: str, redirection: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = f"{shlex.quote(sys.executable)} -m fromlogits {command} {redirection}"
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", EVERY_VERB)
def test_a_full_standard_output_is_one_line(trained: Path, command: str) -> None:
    for made in ("p.csv", "t.safetensors", "t-2.safetensors"):
        (trained / made).unlink(missing_ok=True)
    done = redirected(command, ">/dev/full", trained)

    assert done.stderr == "fromlogits: standard output could not be written: no space left on device.\n"
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["predict m.safetensors t.npz", "cv t.npz --folds 2 --epochs 1 --quiet"])
def test_a_full_device_that_is_named_is_one_line(trained: Path, command: str) -> None:
    done = redirected(f"{command} -o /dev/full", "", trained)

    assert done.stderr == "fromlogits: /dev/full could not be written: no space left on device.\n"
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(("pipe", "delimiter"), [("pipe", ","), ("pipe.tsv", "\t"), ("/dev/stdout", ",")])
def test_a_pipe_takes_the_predictions_as_they_come(trained: Path, pipe: str, delimiter: str) -> None:
    make = f"rm -f {pipe}; mkfifo {pipe}; cat {pipe} & " if pipe != "/dev/stdout" else ""
    line = f"{make}{shlex.quote(sys.executable)} -m fromlogits predict m.safetensors u.npz -o {pipe}; wait"
    done = subprocess.run(["bash", "-c", line], cwd=trained, capture_output=True, text=True, timeout=60)

    assert done.stderr == f"200 predictions written to {pipe}\n"
    assert done.stdout.replace(delimiter, ",") == redirected("predict m.safetensors u.npz", "", trained).stdout


def test_a_pipe_whose_reader_goes_away_is_one_line(trained: Path) -> None:
    line = f"{shlex.quote(sys.executable)} -m fromlogits predict m.safetensors t.npz -o pipe"
    line = f"rm -f pipe; mkfifo pipe; head -c 1 pipe > /dev/null & {line}"
    done = subprocess.run(["bash", "-c", line], cwd=trained, capture_output=True, text=True, timeout=60)

    assert done.stderr == "fromlogits: pipe could not be written: broken pipe.\n"
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("command", EVERY_VERB)
def test_a_reader_that_is_gone_hears_nothing_and_no_one_else_does(trained: Path, command: str) -> None:
    for made in ("p.csv", "t.safetensors", "t-2.safetensors"):
        (trained / made).unlink(missing_ok=True)
    done = redirected(command, "| true; exit ${PIPESTATUS[0]}", trained)

    assert (done.stderr, done.returncode) == ("", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("lost", ["2>/dev/full", "2> >(true)"])
def test_words_that_standard_error_does_not_take_stop_no_training(tmp_path: Path, lost: str) -> None:
    write_table(tmp_path / "t.npz", 200)
    done = redirected(f"train t.npz --layers 8 --epochs 3 --json {lost}", "", tmp_path)

    assert '"model": "t.safetensors"' in done.stdout
    assert done.returncode == 0
    assert fl.load(tmp_path / "t.safetensors").n_iter_ == 3


def test_an_error_that_can_not_be_said_still_has_its_exit_code(tmp_path: Path) -> None:
    assert redirected("train t.csv --target y", "2>&-", tmp_path).returncode == 2


def test_the_module_runs_as_the_command(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.stdout == f"fromlogits {fl.__version__}\n"
