from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fromlogits.data.duplicates import SeenRows
from fromlogits.data.encoders import FeatureEncoder
from fromlogits.data.features import Features
from fromlogits.data.inputs import as_inputs


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("n", [1, 5000])  # on either side of a block
def test_rows_that_stand_on_both_sides_are_counted(dtype: type, n: int) -> None:
    rng = np.random.default_rng(0)
    values: NDArray[Any] = rng.integers(0, 200, (n + 7, 9)).astype(dtype)
    seen = SeenRows(Features(values), np.arange(n), is_sparse=False)

    assert seen.count([Features(values[:n])]) == n
    assert seen.count([Features(values[n:])]) == 0
    assert seen.count([Features(values)], np.arange(n - 1, n + 7)) == 1
    mixed = np.concatenate([values[:1], values[n:], values[:1]])  # twice the same counts twice
    assert seen.count([Features(mixed[:4]), Features(mixed[4:])]) == 2


def test_the_two_zeros_are_one() -> None:
    seen = SeenRows(Features(np.zeros((1, 2), np.float32)), np.arange(1), is_sparse=False)
    assert seen.count([Features(np.array([[0.0, -0.0]], np.float32))]) == 1


@pytest.mark.parametrize("density", [0.05, 0.4])  # the second is encoded dense to train on
def test_sparse_rows_are_known_again_in_either_form(density: float) -> None:
    from scipy import sparse

    whole = sparse.random(400, 30, density, "csr", rng=np.random.default_rng(0), dtype=np.float64)
    distinct = len(np.unique(whole.toarray(), axis=0))
    encoder = FeatureEncoder.fit(as_inputs(whole))
    features = encoder.encode(as_inputs(whole))
    assert isinstance(features, Features) == (density > 0.2)
    seen = SeenRows(features, np.arange(200), is_sparse=encoder.kind == "scaled")

    assert seen.count(encoder.encode_parts(as_inputs(whole[:200]))) == 200
    later = {tuple(row) for row in whole[200:].toarray()} & {tuple(row) for row in whole[:200].toarray()}
    expected = sum(tuple(row) in later for row in whole[200:].toarray())
    assert seen.count(encoder.encode_parts(as_inputs(whole[200:]))) == expected
    assert distinct > 200
