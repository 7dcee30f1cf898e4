"""Numbers rounded to a multiple, for the mask `round`: to the nearest one, halves away from zero.

What cannot be rounded up without leaving its type is rounded towards zero.
"""

from __future__ import annotations

import math
from decimal import MAX_EMAX, MIN_EMIN, ROUND_DOWN, Context, Decimal


def round_integer(value: int, step: int, limit: int) -> int:
    """`limit`: the largest magnitude that the type has on both sides of zero."""
    low = abs(value) // step * step
    near = low + step if 2 * (abs(value) - low) >= step and low + step <= limit else low
    return near if value > 0 else -near


def round_float(value: float, step: int, largest: float) -> float:
    """NaN and the infinities stay. `largest`: the type's largest finite number. Never -0, whose sign would tell."""
    if not math.isfinite(value):
        return value
    size = abs(value)
    rest = math.fmod(size, step)
    low = size - rest
    near = low + step if 2 * rest >= step and low + step <= largest else low
    return math.copysign(near, value) if near else 0.0


def round_decimal(value: Decimal, step: int, digits: int) -> Decimal:
    """A finite number to a whole one, exactly, whatever the thread's precision. `digits`: how many the type has before
    the point."""
    context = Context(prec=len(value.as_tuple().digits) + abs(value.adjusted()) + 20, rounding=ROUND_DOWN,
                      Emax=MAX_EMAX, Emin=MIN_EMIN)  # fmt: skip
    size, unit = value.copy_abs(), Decimal(step)
    low = context.multiply(context.divide_int(size, unit), unit)
    rest = context.subtract(size, low)
    near = context.add(low, unit) if context.multiply(rest, Decimal(2)) >= unit else low
    if near.adjusted() >= digits:
        near = low
    return near.copy_sign(value) if near else Decimal(0)
