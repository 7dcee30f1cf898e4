from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.rounding import round_decimal, round_float, round_integer

STEPS = st.one_of(st.integers(1, 2000), st.integers(1, 10**12))


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(1499, 1000), (1500, 2000), (-1500, -2000), (-1, 0), (0, 0), (32767, 32000), (-32768, -32000)],
)
def test_whole_numbers(value: int, rounded: int) -> None:
    assert round_integer(value, 1000, 2**15 - 1) == rounded


@given(st.integers(-(2**63), 2**63 - 1), STEPS)
def test_the_nearest_multiple_that_the_type_has(value: int, step: int) -> None:
    limit = 2**63 - 1
    rounded = round_integer(value, step, limit)
    assert rounded % step == 0
    assert -limit - 1 <= rounded <= limit
    assert 2 * abs(rounded - value) <= step or abs(rounded) + step > limit


@given(st.decimals(allow_nan=False, allow_infinity=False), STEPS)
def test_numbers_of_any_size_are_rounded_exactly(value: Decimal, step: int) -> None:
    if abs(value.adjusted()) > 20_000:
        return
    rounded = round_decimal(value, step, 40_000)
    assert Fraction(rounded) % step == 0
    assert 2 * abs(Fraction(rounded) - Fraction(value)) <= step


def test_no_more_digits_than_the_type_has() -> None:
    assert round_decimal(Decimal("9999.5"), 10, 4) == 9990
    assert round_decimal(Decimal("9999.5"), 10, 5) == 10000


@given(st.floats(), STEPS)
def test_floats(value: float, step: int) -> None:
    largest = 1.7976931348623157e308
    rounded = round_float(value, step, largest)
    if math.isnan(value):
        assert math.isnan(rounded)
    elif math.isinf(value):
        assert rounded == value
    else:
        assert abs(rounded) <= largest
        assert abs(rounded - value) <= step / 2 + math.ulp(value) + math.ulp(rounded)
        assert rounded != 0 or math.copysign(1, rounded) == 1


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_all_kinds_of_numbers_are_rounded_alike(value: int, step: int) -> None:
    rounded = round_integer(value, step, 2**63)
    assert round_float(value, step, 1e300) == rounded
    assert round_decimal(Decimal(value), step, 100) == rounded
