"""A slow, obvious twin: Black's formula in as many decimal digits as its tails need."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

import pytest


def _arctan_of_inverse(n: int) -> Decimal:
    """arctan(1 / n) by its power series, to the precision of the context."""
    with localcontext() as context:
        tiny = Decimal(10) ** -(context.prec + 5)
    power = total = Decimal(1) / n
    i, sign = 1, 1
    while power > tiny:
        power /= n * n
        i, sign = i + 2, -sign
        total += sign * power / i
    return total


def _cdf(x: Decimal, pi: Decimal, tiny: Decimal) -> Decimal:
    """Phi(x) = 1/2 + phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...)."""
    term = total = x
    n = 1
    while abs(term) > tiny:
        n += 2
        term *= x * x / n
        total += term
    return Decimal("0.5") + total * (-x * x / 2).exp() / (2 * pi).sqrt()


def _black(forward: float, strike: float, tau: float, vol: float, is_call: bool) -> float:
    with localcontext() as context:
        context.prec = 60
        f, k = Decimal(forward), Decimal(strike)
        std = Decimal(vol) * Decimal(tau).sqrt()
        largest = max(abs((f / k).ln() / std + std / 2), abs((f / k).ln() / std - std / 2))
        context.prec = 60 + int(largest * largest / 2)  # the sum cancels to exp(-x^2 / 2)
        std = Decimal(vol) * Decimal(tau).sqrt()
        pi = 4 * (4 * _arctan_of_inverse(5) - _arctan_of_inverse(239))  # Machin
        tiny = Decimal(10) ** -context.prec
        sign = 1 if is_call else -1
        d1 = (f / k).ln() / std + std / 2
        return float(sign * (f * _cdf(sign * d1, pi, tiny) - k * _cdf(sign * (d1 - std), pi, tiny)))


@pytest.fixture(scope="session")
def exact_black() -> Callable[[float, float, float, float, bool], float]:
    """black(forward, strike, tau, vol, is_call), undiscounted, correct to the last digit."""
    return _black
