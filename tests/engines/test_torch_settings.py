"""What a program asks PyTorch for changes nothing of ours, and is what it was afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.every_engine import needs_torch

PROGRAM = """
import numpy as np, torch
import fromlogits as fl

def state():
    return [
        torch._C._get_fp32_precision_getter(library, operation)
        for library in ("cuda", "mkldnn") for operation in ("all", "conv", "matmul")
    ]

rng = np.random.default_rng(0)
X, y = rng.normal(size=(128, 300)).astype(np.float32), np.arange(128) % 3

def trained():
    clf = fl.Classifier(
        hidden_layer_sizes=(256, 256), engine="torch", max_epochs=2, early_stopping=False, calibrate=False,
        random_state=0, n_jobs=1,
    )
    return clf.fit(X, y).predict_logits(X)

expected = trained()
{asked}
before = state()
assert np.array_equal(trained(), expected)
assert state() == before
"""


@needs_torch
@pytest.mark.parametrize(
    "asked",
    [
        "torch.set_float32_matmul_precision('medium')",
        "torch.backends.cuda.matmul.allow_tf32 = True",
        "torch.backends.fp32_precision = 'tf32'",
        "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    ],
)
def test_products_are_of_float32_whatever_the_process_has_asked_for(asked: str) -> None:
    """In a process of its own: PyTorch has no way back from some of these."""
    import torch

    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("the newer settings came with PyTorch 2.9")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{asked}", asked)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
