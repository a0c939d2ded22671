"""The engines that a test of their contract is run on; the torch engine where PyTorch is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from fromlogits.engines.native import NativeEngine
from fromlogits.engines.reference import ReferenceEngine

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed: pip install 'fromlogits[torch]'")


def _torch_engine() -> Any:
    if not HAS_TORCH:
        return None
    from fromlogits.engines.torch import TorchEngine

    return TorchEngine


TORCH = pytest.param(_torch_engine(), marks=needs_torch, id="TorchEngine")
FAST: list[Any] = [NativeEngine, TORCH]
"""Those in float32, which follow the reference."""
ENGINES: list[Any] = [*FAST, ReferenceEngine]
