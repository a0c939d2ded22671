"""Obeys FROMLOGITS_ISA before the core and its OpenBLAS are loaded; import this before `_core`.

The core reads the same variable. OpenBLAS reads OPENBLAS_CORETYPE once, when it is loaded.
"""

from __future__ import annotations

import os

from .errors import InputError, nearest

BLAS_CORES = {"avx512": "SkylakeX", "avx2": "Haswell", "plain": "Prescott"}


def obey() -> None:
    """Raise InputError for a name that is not an instruction set; choose OpenBLAS's kernels for one that is."""
    wanted = os.environ.get("FROMLOGITS_ISA")
    if wanted is None:
        return
    if wanted not in BLAS_CORES:
        names = ", ".join(BLAS_CORES)
        raise InputError(f"FROMLOGITS_ISA must be one of {names}; got {wanted!r}.{nearest(wanted, BLAS_CORES)}")
    before = os.environ.get("OPENBLAS_CORETYPE")
    os.environ["OPENBLAS_CORETYPE"] = BLAS_CORES[wanted]
    try:
        from . import _core
    finally:  # NumPy's own OpenBLAS, and child processes, are none of our business
        del os.environ["OPENBLAS_CORETYPE"]
        if before is not None:
            os.environ["OPENBLAS_CORETYPE"] = before
    if not _core.has_isa(wanted):
        raise InputError(f"FROMLOGITS_ISA is {wanted!r}, which this processor does not have; unset it or use 'plain'.")


obey()
