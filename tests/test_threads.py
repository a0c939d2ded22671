"""The threads of the core in forks, workers, several Python threads and on one core: the same bits everywhere."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

import fromlogits as fl

TIMEOUT_S = 100
"""For what hangs where it is wrong."""


def trained_logits(n_jobs: int) -> NDArray[np.float32]:
    """Logits of a network large enough to be shared out among threads, trained for a few steps."""
    rng = np.random.default_rng(0)
    x_nd = rng.standard_normal((600, 200)).astype(np.float32)
    clf = fl.Classifier(
        hidden_layer_sizes=(128, 64), batch_size=128, max_epochs=4, early_stopping=False, calibrate=False,
        random_state=0, n_jobs=n_jobs,
    )  # fmt: skip
    return clf.fit(x_nd, x_nd[:, :5].argmax(axis=1)).predict_logits(x_nd)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_worker_process_computes_with_threads_of_its_own(method: str) -> None:
    expected_nc = trained_logits(2)  # the parent has helpers when it forks
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        futures = [pool.submit(trained_logits, n_jobs) for n_jobs in (1, 2, 3, 2)]
        for future in futures:
            assert np.array_equal(future.result(timeout=TIMEOUT_S), expected_nc)
    assert np.array_equal(trained_logits(2), expected_nc)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_made_while_another_thread_trains_computes_too() -> None:
    expected_nc, is_over = trained_logits(2), threading.Event()

    def train_on() -> None:
        while not is_over.is_set():
            trained_logits(2)

    other = threading.Thread(target=train_on)
    other.start()
    try:
        for _ in range(3):
            with multiprocessing.get_context("fork").Pool(1) as pool:
                assert np.array_equal(pool.apply_async(trained_logits, (2,)).get(timeout=TIMEOUT_S), expected_nc)
    finally:
        is_over.set()
        other.join()


def test_several_python_threads_train_at_once_with_the_bits_of_one_alone() -> None:
    expected_nc = trained_logits(1)
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(trained_logits, n_jobs) for n_jobs in (2, 2, 3, 2, 4, 1, 2, 3)]
        for future in futures:
            assert np.array_equal(future.result(timeout=TIMEOUT_S), expected_nc)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_more_threads_than_cores_train_with_the_same_bits() -> None:
    script = (
        "import os, sys; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]);"
        "from test_threads import trained_logits; sys.stdout.buffer.write(trained_logits(4).tobytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert done.stdout == trained_logits(1).tobytes()


DAEMONS = """
import threading
import numpy as np
from test_threads import trained_logits
unique = np.unique
np.unique = lambda values, **asked: unique(values, **asked) if asked else unique(values, return_counts=True)[0]
started = threading.Barrier(3)
def compute():
    started.wait()
    while True:
        trained_logits(2)
for _ in range(2):
    threading.Thread(target=compute, daemon=True).start()
started.wait()
trained_logits(2)
"""
"""NumPy's own `unique` (2.3 on) by hashes hands the interpreter lock over within a frame that C++ may not unwind, so a
process that ends in one is aborted by it; asked for counts it sorts, and what is left to fail is ours."""


def test_a_process_ends_in_peace_while_daemon_threads_train() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DAEMONS],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
