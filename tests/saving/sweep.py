"""Every system call of a save made to fail, one after the other, in processes of their own.

`python -m tests.saving.sweep` does it with a model of ours, `benchmarks/failing_writes.py` with the files of others.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("failing_calls.c")
KINDS: dict[str, tuple[int, bool]] = {
    "ENOSPC": (errno.ENOSPC, False),
    "ENOSPC from then on": (errno.ENOSPC, True),
    "EIO": (errno.EIO, False),
    "EDQUOT from then on": (errno.EDQUOT, True),
    "short write": (0, False),
}
MAX_POINTS = 400
TIME_S = 60


def built(folder: Path) -> Path | None:
    """The shim, made in `folder`; None where there is no compiler for it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    shim = folder / "failing_calls.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(SOURCE), "-o", str(shim), "-ldl"], check=True)
    return shim


def preloaded(shim: Path, command: Sequence[str]) -> dict[str, Any]:
    """The last line, JSON, of a command that runs with the shim."""
    environment = os.environ | {"LD_PRELOAD": str(shim)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def sweep(save: Callable[[Path, bool], None], name: str) -> list[dict[str, Any]]:
    """What became of the file, for each kind of failure and each call, until a save passes untouched.

    Args:
        save: writes the old model (False) or the new one (True) over a file.
        name: of the file.
    """
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.path.realpath(scratch), "models")
        folder.mkdir()
        path, report = folder / name, Path(scratch, "report")
        contents: Mapping[bytes, str] = {_saved(save, path, False): "old", _saved(save, path, True): "new"}
        assert len(contents) == 2, "the two models must differ"
        old = next(iter(contents))
        for kind, (code, goes_on) in KINDS.items():
            for point in range(MAX_POINTS):
                for entry in folder.iterdir():
                    entry.unlink()
                path.write_bytes(old)
                report.unlink(missing_ok=True)
                variables = {"UNDER": folder, "AT": point, "WITH": code, "REPORT": report} | (
                    {"ON": 1} if goes_on else {}
                )
                raised = _forked(lambda: save(path, True), {f"FAIL_{key}": str(of) for key, of in variables.items()})
                is_whole = path.exists() and path.read_bytes() in contents
                became = contents[path.read_bytes()] if is_whole else "destroyed"
                left = [entry.name for entry in folder.iterdir() if entry != path]
                if not report.exists():  # nothing failed
                    assert (raised, became, left) == (0, "new", []), (raised, became, left)
                    break
                call = report.read_text(encoding="utf-8")
                found.append({"kind": kind, "call": call, "raised": raised != 0, "became": became, "left": len(left)})
            else:
                raise AssertionError(f"more than {MAX_POINTS} calls")
    return found


def summary(points: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many failing points, and what they did."""
    return {
        "points": len(points),
        "kept": sum(point["became"] != "destroyed" for point in points),
        "destroyed": sum(point["became"] == "destroyed" for point in points),
        "left_a_file": sum(point["left"] > 0 for point in points),
        "raised": sum(point["raised"] for point in points),
        "silent": sum(not point["raised"] and point["became"] != "new" for point in points),
    }


def _saved(save: Callable[[Path, bool], None], path: Path, is_new: bool) -> bytes:
    save(path, is_new)
    return path.read_bytes()


def _forked(work: Callable[[], None], variables: Mapping[str, str]) -> int:
    """Do it in a child; 0 unless it raised or died."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(TIME_S)
            os.environ.update(variables)
            work()
            code = 0
        except Exception:
            pass
        finally:
            for name in variables:
                os.environ.pop(name, None)
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def save_ours(path: Path, is_new: bool) -> None:
    """One of two models of ours, 40 kB: larger than a buffer."""
    import numpy as np

    from fromlogits.model_file import save_model

    save_model(path, {"new": is_new}, {"w": np.full(5000, float(is_new))}, overwrite=True)


if __name__ == "__main__":
    print(json.dumps({"points": sweep(save_ours, "m.safetensors")}))
