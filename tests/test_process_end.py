"""A process may end at any moment of a call."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DAEMONS = """
import threading, time
import numpy as np
import fromlogits as fl

logits_nc, labels_n = np.zeros((40_000, 50), np.float32), np.zeros(40_000, int)
fl.softmax_cross_entropy(logits_nc, labels_n)
started = threading.Barrier(4)

def compute():
    started.wait()
    while True:
        fl.softmax_cross_entropy(logits_nc, labels_n)

for _ in range(3):
    threading.Thread(target=compute, daemon=True).start()
started.wait()
time.sleep(0.05)
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_a_process_ends_in_peace_while_daemon_threads_compute(threads: int) -> None:
    environment = os.environ | {"FROMLOGITS_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", DAEMONS], capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
