"""Every instruction set of this machine keeps the bounds, and gives float32 results that agree to the last rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fromlogits import _core
from fromlogits._isa import INSTRUCTION_SETS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PRESENT = [name for name in INSTRUCTION_SETS if _core.has_isa(name)]
OTHERS = [name for name in PRESENT if name != _core.isa()]


def with_set(name: str, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FROMLOGITS_ISA": name, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, env=environment)


def test_the_plain_set_is_everywhere_and_the_best_is_taken() -> None:
    assert "plain" in PRESENT
    assert _core.isa() == os.environ.get("FROMLOGITS_ISA", PRESENT[0])


@pytest.mark.parametrize("name", OTHERS)
def test_a_set_keeps_the_bounds(name: str) -> None:
    done = with_set(
        name, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / f"test_{what}.py") for what in
        ("accuracy", "invariance", "special_values", "outside_cases"))
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


RESULTS = """
import sys, numpy as np, fromlogits as fl
from tests.numerics.test_accuracy import CASES, CLASSES, logits_of
out = []
for case in CASES:
    for c in CLASSES:
        z_nc, labels_n = logits_of(case, 50, c, "float32")
        out += fl.softmax_cross_entropy(z_nc, labels_n, reduction="none", with_gradient=True)
        out += fl.sigmoid_cross_entropy(z_nc, (z_nc > 0).astype(float), reduction="none", with_gradient=True)
        out.append(fl.softmax(z_nc))
np.save(sys.argv[1], np.concatenate([part.ravel() for part in out]))
"""


@pytest.mark.skipif(len(PRESENT) < 2, reason="this machine has one instruction set")
def test_sets_differ_by_no_more_than_one_rounding_of_a_double(tmp_path: Path) -> None:
    results = []
    for name in PRESENT:
        path = tmp_path / f"{name}.npy"
        done = with_set(name, "-c", RESULTS, str(path))
        assert done.returncode == 0, done.stderr
        results.append(np.load(path))
    for other in results[1:]:
        # All are within a few 1e-9 of half a unit, so two can differ where the true value lies that near to a tie.
        differ = other != results[0]
        assert np.isclose(other[differ], results[0][differ], rtol=1.3e-7, atol=1e-45).all()
        assert differ.mean() < 1e-5


LOGITS = """
import sys, numpy as np
from fromlogits.data.features import Features
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import HIDDEN_ACTIVATIONS, Dense, Network
x_nd = np.random.default_rng(0).standard_normal((100, 70)).astype(np.float32)
out = []
for activation in HIDDEN_ACTIVATIONS:
    engine = NativeEngine(Network((Dense(45, activation), Dense(20, activation), Dense(3))).with_input(70), "softmax")
    engine.initialise(1)
    out.append(engine.logits(Features(x_nd)))
np.save(sys.argv[1], np.stack(out))
"""


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(PRESENT), reason="this machine lacks one of both")
def test_a_networks_logits_have_the_same_bits_with_avx2_and_with_avx512(tmp_path: Path) -> None:
    results = []
    for name in ("avx2", "avx512"):
        path = tmp_path / f"{name}.npy"
        done = with_set(name, "-c", LOGITS, str(path))
        assert done.returncode == 0, done.stderr
        results.append(np.load(path))
    assert np.array_equal(*results) and np.abs(results[0]).max() > 0.1
