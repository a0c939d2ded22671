from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parent


def load_make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trajectories_make", FOLDER / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = load_make()


# The reference repeats itself but for the last bits of another libm or another order of a sum; the native engine
# differs by float32 rounding, which sixty steps of Adam carry along.
@pytest.mark.parametrize(("engine", "tolerance"), [("reference", 1e-9), ("native", 1e-4)])
@pytest.mark.parametrize("name", MAKE.RUNS)
def test_a_stored_run_is_reproduced(name: str, engine: str, tolerance: float) -> None:
    stored = json.loads((FOLDER / f"{name}.json").read_text())

    again = MAKE.run(name, engine)

    np.testing.assert_allclose(again["losses"], stored["losses"], rtol=tolerance)
    np.testing.assert_allclose(again["logits"], stored["logits"], rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("name", MAKE.RUNS)
def test_a_stored_run_learns(name: str) -> None:
    losses = json.loads((FOLDER / f"{name}.json").read_text())["losses"]
    assert losses[-1] < 0.9 * losses[0]
