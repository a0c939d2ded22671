"""Loads mutants in a process of its own, under a limit on its memory, and says what came of it.

A worker prints one line of JSON for each line of JSON that it reads. Its address space is limited before each mutant to
what it has then, four times the file and 64 MB: what the loader takes beyond that fails there and then, in whatever
library asks for it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ALLOWED_BYTES = 64_000_000  # beside four times the file
ALLOWED_SECONDS = 2.0  # of processor time: a busy machine is no fault of the loader's
PATIENCE_SECONDS = 30.0  # of the clock
MAX_MESSAGE = 1000
GROWN_BYTES = 8_000_000
"""A worker that holds on to more than this is replaced: memory that it has, but does not use, would be no limit."""

VERDICTS = ("crash", "hang", "silent acceptance", "traceback", "memory", "sound but refused")


@dataclass(frozen=True)
class Outcome:
    """What loading a file came to: `fault` is one of VERDICTS, or None where all is well."""

    fault: str | None
    was_refused: bool
    message: str
    seconds: float = 0.0
    peak_bytes: int = 0


class Worker:
    """A process that loads files, started anew whenever one ends it.

    Args:
        sound: good files with a row for each, loaded first: what is imported and set up once is no mutant's memory.
    """

    def __init__(self, sound: list[tuple[Path, list[float]]]) -> None:
        self._sound = sound
        self._process: subprocess.Popen[str] | None = None

    def judge(self, path: Path, expected: str, row: list[float]) -> Outcome:
        """Load the file there and predict the row; `expected` is "refused", "accepted" or "either"."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        print(json.dumps({"path": str(path), "row": row}), file=process.stdin, flush=True)
        if not select.select([process.stdout], [], [], PATIENCE_SECONDS)[0]:
            self.close()
            return Outcome("hang", False, f"no answer in {PATIENCE_SECONDS:g} s", PATIENCE_SECONDS)
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self.close()
            return Outcome("crash", False, f"the process ended with {code}")
        answer = json.loads(line)
        if answer.pop("has_grown"):
            self.close()
        return _outcome(answer, expected)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        # Large blocks go back to the system when they are freed, so that they count for one mutant alone.
        quiet = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.judge", json.dumps([(str(path), row) for path, row in self._sound])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | quiet,
        )
        return self._process


def _outcome(answer: dict[str, Any], expected: str) -> Outcome:
    state, message, seconds = answer["state"], answer["message"], answer["seconds"]
    fault = None
    if state == "memory":
        fault = "memory"
    elif state == "traceback" or len(message.splitlines()) > 1 or len(message) > MAX_MESSAGE:
        fault = "traceback"
    elif seconds > ALLOWED_SECONDS:
        fault = "hang"
    elif state == "accepted" and expected == "refused":
        fault = "silent acceptance"
    elif state == "refused" and expected == "accepted":
        fault = "sound but refused"
    return Outcome(fault, state == "refused", message[:MAX_MESSAGE], seconds, answer["peak_bytes"])


# --- in the worker ---


def work() -> None:
    """Answer until the input ends."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)  # glibc's
    for path, row in json.loads(sys.argv[1]):
        state, message = _load_and_predict(path, row)
        if state != "accepted":
            raise SystemExit(f"a sound model is {state}: {message}")
    trim(0)
    first = _size("VmSize")
    for line in sys.stdin:
        order = json.loads(line)
        trim(0)
        before = _size("VmSize")
        answer = _limited(order["path"], order["row"], before)
        answer["peak_bytes"] = max(0, _size("VmPeak") - before)
        trim(0)
        answer["has_grown"] = _size("VmSize") > first + GROWN_BYTES or answer["peak_bytes"] > GROWN_BYTES
        print(json.dumps(answer), flush=True)


def _limited(path: str, row: list[float], before: int) -> dict[str, Any]:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = before + 4 * os.path.getsize(path) + ALLOWED_BYTES
    started = time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        state, message = _load_and_predict(path, row)
    except MemoryError:
        state, message = "memory", "MemoryError"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, hard))
    return {"state": state, "message": message, "seconds": round(time.process_time() - started, 4)}


def _load_and_predict(path: str, row: list[float]) -> tuple[str, str]:
    import warnings

    import numpy as np

    import fromlogits as fl
    from fromlogits.errors import InputError, ModelFileError

    try:
        clf = fl.load(path, n_jobs=1)
    except ModelFileError as error:
        message = str(error).replace(path, "FILE")
        return "memory" if "machine's memory" in message else "refused", message
    except MemoryError:
        raise
    except BaseException as error:
        return "traceback", f"load: {type(error).__name__}: {error}"[:300]
    values = np.resize(np.array(row), (1, clf.n_features_in_))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights as large as float32 goes give infinite logits, which are told
            clf.predict(values)
            clf.predict_proba(values)
    except InputError as error:
        return "refused", f"predict: {error}"
    except MemoryError:
        raise
    except BaseException as error:
        return "traceback", f"predict: {type(error).__name__}: {error}"[:300]
    return "accepted", ""


def _size(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    work()
