"""Closed forms under Black-Scholes in 70 decimal digits, written down from the pay-offs: a twin that no tail defeats.

A knock-out is what its pay-off on the living side is worth, less the same seen from the spot's image in the barrier;
two barriers have images without end. Numbers come in as the floats they are.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import Any

CONTEXT = Context(prec=70, Emax=MAX_EMAX, Emin=MIN_EMIN)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798")


def cdf(x: Decimal) -> Decimal:
    """Normal distribution function: a continued fraction in the tails, a series of positive terms between them."""
    if x > 0:
        return 1 - cdf(-x)
    a, density = -x, (-x * x / 2).exp() / (2 * PI).sqrt()
    if a > 5:
        t = a
        for k in range(int(4000 / (a * a)) + 60, 0, -1):
            t = a + k / t
        return density / t
    term = total = a
    k = 1
    while term > Decimal("1e-75") * total:
        term *= a * a / (2 * k + 1)
        total += term
        k += 1
    return Decimal("0.5") - density * total


class Precise:
    """Values for one spot, rate, yield, vol and time; every answer is a Decimal."""

    def __init__(self, spot: float, rate: float, dividend_yield: float, vol: float, tau: float) -> None:
        self.spot, self.rate, self.carry, self.vol, self.tau = map(Decimal, (spot, rate, dividend_yield, vol, tau))
        self.std, self.drift = self.vol * self.tau.sqrt(), self.rate - self.carry - self.vol * self.vol / 2
        self.lean = 2 * self.drift / (self.vol * self.vol)
        self.bond, self.asset = (-self.rate * self.tau).exp(), (-self.carry * self.tau).exp()

    def above(self, level: Decimal, pays_asset: bool, spot: Decimal | None = None) -> Decimal:
        """1, or the asset, if it ends above the level."""
        start = self.spot if spot is None else spot
        if level <= 0:
            return start * self.asset if pays_asset else self.bond
        x = ((start / level).ln() + self.drift * self.tau) / self.std
        return start * self.asset * cdf(x + self.std) if pays_asset else self.bond * cdf(x)

    def within(self, strike: Decimal, is_call: bool, low: Decimal, high: Decimal | None, spot: Any = None) -> Decimal:
        """An option that pays only if the price ends between low and high."""
        if is_call:
            low = max(low, strike)
        else:
            high = strike if high is None else min(high, strike)
        if high is not None and high <= low:
            return Decimal(0)
        parts = []
        for asset in (True, False):
            beyond = self.above(high, asset, spot) if high is not None else Decimal(0)
            parts.append(self.above(low, asset, spot) - beyond)
        return parts[0] - strike * parts[1] if is_call else strike * parts[1] - parts[0]

    def european(self, strike: float, is_call: bool) -> Decimal:
        return self.within(Decimal(strike), is_call, Decimal(0), None)

    def knock_out(self, strike: float, is_call: bool, barrier: float, down: bool) -> Decimal:
        k, h = Decimal(strike), Decimal(barrier)
        alive = (h, None) if down else (Decimal(0), h)
        image = (self.lean * (h / self.spot).ln()).exp()
        return self.within(k, is_call, *alive) - image * self.within(k, is_call, *alive, h * h / self.spot)

    def hit(self, barrier: float, down: bool, *, paid_then: bool) -> Decimal:
        """1 when the barrier is hit, or at expiry if it has been."""
        x, a, side = (Decimal(barrier) / self.spot).ln(), self.lean / 2, 1 if down else -1
        if paid_then:
            root = (a * a + 2 * self.rate / (self.vol * self.vol)).sqrt()
            z = x / self.std + root * self.std
            first, second = cdf(side * z), cdf(side * (z - 2 * root * self.std))
            return ((a + root) * x).exp() * first + ((a - root) * x).exp() * second
        near, far = cdf(side * (x / self.std - a * self.std)), cdf(side * (x / self.std + a * self.std))
        return self.bond * (near + (2 * a * x).exp() * far)

    def knock_out_of_two(self, strike: float, is_call: bool, low: float, high: float, images: int) -> Decimal:
        k, lower, upper = map(Decimal, (strike, low, high))
        width, total = (upper / lower).ln(), Decimal(0)
        for j in range(-images, images + 1):
            moved = (2 * j * width).exp()
            mirror = lower * lower / (self.spot * moved)
            weight = (self.lean * (lower.ln() - self.spot.ln() - j * width)).exp()
            total += (self.lean * j * width).exp() * self.within(k, is_call, lower, upper, self.spot * moved)
            total -= weight * self.within(k, is_call, lower, upper, mirror)
        return total

    def lookback(self, strike: float | None, extreme: float, is_call: bool) -> Decimal:
        """Fixed strike, or floating without one; `extreme` is the highest or lowest price so far."""
        m, asset = Decimal(extreme), self.spot * self.asset
        if strike is None:
            # the last price less the lowest, or the highest less the last
            return (
                asset - self.bond * m + self._fixed(m, m, False)
                if is_call
                else self.bond * m - asset + self._fixed(m, m, True)
            )
        return self._fixed(m, Decimal(strike), is_call)

    def _fixed(self, extreme: Decimal, strike: Decimal, is_call: bool) -> Decimal:
        side = 1 if is_call else -1
        level = max(extreme, strike) if is_call else min(extreme, strike)
        carry = self.rate - self.carry
        carry = carry if carry != 0 else Decimal("1e-30")  # its limit, to 30 digits
        lean, x = 2 * carry / (self.vol * self.vol), (self.spot / level).ln()
        d1 = (x + (carry + self.vol * self.vol / 2) * self.tau) / self.std
        plain = side * (self.spot * self.asset * cdf(side * d1) - level * self.bond * cdf(side * (d1 - self.std)))
        power = (-lean * x).exp() * cdf(side * (d1 - lean * self.std))
        more = side * self.spot * self.bond / lean * ((carry * self.tau).exp() * cdf(side * d1) - power)
        return plain + more + self.bond * max(side * (extreme - strike), Decimal(0))


def precisely(function: Any, *arguments: Any, **named: Any) -> float:
    """The float nearest to what a method of `Precise` answers."""
    with localcontext(CONTEXT):
        return float(function(*arguments, **named))


def precise(*market: float) -> Precise:
    with localcontext(CONTEXT):
        return Precise(*market)
