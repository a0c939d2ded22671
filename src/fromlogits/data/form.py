"""In which form a network takes its features, as far as it asks for one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """What an encoder is fitted for.

    Attributes:
        is_robust: columns of numbers are scaled by median and quartiles and softly clipped, see `statistics.robust`;
            else by mean and standard deviation. Pictures and sparse rows have one scale for many columns either way.
        has_codes: a category of many values is one feature, its code; else one feature for each value.
        is_dense: rows are always dense, however many of their features are 0.
    """

    is_robust: bool = False
    has_codes: bool = False
    is_dense: bool = False


USUAL = Form()
