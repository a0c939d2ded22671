"""Float16 and bfloat16: read, computed in float64, rounded once."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fromlogits as fl
from fromlogits.exact import ExactSum


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_what_rounds_to_zero_is_plus_zero(dtype: Any) -> None:
    z_nc = np.array([[200.0, 0.0], [0.0, 200.0]], dtype)
    _, dlogits_nc = fl.softmax_cross_entropy(z_nc, [0, 1], with_gradient=True)
    _, dsigmoid_nc = fl.sigmoid_cross_entropy(z_nc, np.ones((2, 2)), with_gradient=True)
    for values in (dlogits_nc, dsigmoid_nc, fl.log_softmax(z_nc), fl.log_sigmoid(z_nc)):
        assert values.dtype == z_nc.dtype
        assert (values == 0).any() and not np.signbit(values[values == 0]).any()


def test_a_whole_number_beyond_the_significand_of_a_type_is_rounded() -> None:
    assert ExactSum(257).rounded("bfloat16") == 256
    assert ExactSum(259).rounded("bfloat16") == 260
    assert ExactSum(2047).rounded("float16") == 2047
