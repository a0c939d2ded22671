"""PyTorch's own settings while we compute with it: the same, whatever the program around us has chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def ours(device: torch.device) -> Iterator[None]:
    """Products of float32 are computed in float32, and convolutions on a GPU by the same algorithm each time.

    The settings are those of the whole process; afterwards they are what they were.
    """
    with contextlib.ExitStack() as inside:
        inside.enter_context(_whole_products())
        if device.type == "cuda":
            inside.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
        yield


@contextlib.contextmanager
def _whole_products() -> Iterator[None]:
    """Matrix products in neither TF32 nor bfloat16, as `torch.set_float32_matmul_precision` may have asked for."""
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # no one word says it: the newer settings, of each library, differ
        before = ""
    if before == "highest":
        yield
        return
    backends = torch.backends
    libraries = (backends.cuda.matmul, backends.mkldnn.matmul) if hasattr(backends, "fp32_precision") else ()
    each = [library.fp32_precision for library in libraries]
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        if before:
            torch.set_float32_matmul_precision(before)
        for library, precision in zip(libraries, each, strict=True):
            library.fp32_precision = precision
