"""Constant elasticity of variance (Cox 1975): the vol of the forward is a power of it.

    dF = sigma F^beta dW,    z(F) = F^(1-beta) / (|1 - beta| sigma sqrt(tau)),    nu = 1 / (2 |1 - beta|)

z^2 follows a noncentral chi-square law (Schroder 1989). Its density, with x = z(F),

    p(z) = z sqrt(F / F_z) exp(-(z - x)^2 / 2) [exp(-x z) I_nu(x z)],

is integrated against the payoff of the out-of-the-money option, so no two distribution functions are subtracted and
the wings keep their digits. beta < 1: the forward is absorbed at 0 (`absorbed_mass`). beta > 1: the forward is a
strict local martingale, its mean falls short by `martingale_defect`; calls are those of put-call parity (Lewis 2000),
as in Schroder's formula. beta = 1 is Black's model.

References
----------
Cox (1975), "Notes on option pricing I", reprinted in J. Portfolio Management 23 (1996), 15-17.
Schroder (1989), "Computing the constant elasticity of variance option pricing formula", J. Finance 44, 211-219.
Lewis (2000), Option Valuation under Stochastic Volatility, Finance Press, chapter 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, FloatND, marks_nan, reshape, vectors
from research.conventions import check_fields, check_terms
from research.errors import InputError, require, require_all
from research.models import black
from research.models._bessel_law import density_at, integrals, scaled_slope

GREEKS = black.GREEKS
_NEAR_ONE = 1e-4  # nearer to 1 than this, beta must be 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CEV:
    """One sigma and one power for every strike and time.

    Examples
    --------
    >>> model = CEV(sigma=2.0, beta=0.5)
    >>> round(model.price(100.0, 100.0, 1.0), 4), round(model.vol_at(100.0, 80.0, 1.0), 4)
    (7.9689, 0.2115)
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"closed_form", "local_vol", "paths", "terminal_law"})

    sigma: float  # price units^(1-beta) / sqrt(year), > 0: the lognormal vol at the forward is sigma F^(beta-1)
    beta: float  # power of the forward; 1 is lognormal, 1/2 square root, 0 normal with absorption

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("sigma", "beta"):
            value = getattr(self, name)
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))
        require(self.sigma > 0.0, "sigma", self.sigma, "be > 0")
        near = f"be 1 or differ from it by {_NEAR_ONE:g}"
        require(self.beta == 1.0 or abs(self.beta - 1.0) >= _NEAR_ONE * (1.0 - 1e-9), "beta", self.beta, near)

    @marks_nan("forward", "strike", "tau", "df", "is_call")
    def price(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> Any:
        """Present value of European options; all arguments broadcast together.

        Parameters
        ----------
        forward, strike : array-like, price units, > 0
        tau : array-like, years (ACT/365F)
        df : array-like, default 1.0
        is_call : array-like of bool, default True
        """
        f, k, t, d, sign, shape = self._read(forward, strike, tau, df, is_call)
        return reshape(d * (self._time_value(f, k, t)[0] + np.maximum(sign * (f - k), 0.0)), shape)

    @marks_nan("forward", "strike", "tau", "df", "is_call")
    def greeks(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> dict[str, Any]:
        """Names as of `black.greeks`; vega and volga per unit of sigma.

        All are exact: with p the density at the strike, d2V/dK2 = df p, gamma = df p (K / F)^(2 beta) (the forward and
        the backward equation), vega = df sigma tau K^(2 beta) p; delta follows as V is homogeneous in F, K and
        sigma^(1 / (1 - beta)).
        """
        f, k, t, d, sign, shape = self._read(forward, strike, tau, df, is_call)
        require_all(t > 0.0, "tau", t, "be > 0 years for Greeks")
        if self.beta == 1.0:
            return black.greeks(forward, strike, tau, self.sigma, df=df, is_call=is_call)
        value, tail = self._time_value(f, k, t)
        value = value + np.maximum(sign * (f - k), 0.0)
        density, by_forward, by_sigma = self._density(f, k, t)
        above = np.where(k >= f, tail, 1.0 - tail)  # probability to end above the strike
        by_strike = np.where(sign > 0.0, -above, 1.0 - above)
        vega = self.sigma * t * k ** (2.0 * self.beta) * density
        gamma = density * (k / f) ** (2.0 * self.beta)
        delta = (value - k * by_strike - (1.0 - self.beta) * self.sigma * vega) / f
        theta = -np.log(d) / t * value - 0.5 * self.sigma**2 * f ** (2.0 * self.beta) * gamma
        out = (value, delta, gamma, vega, theta, -t * value, vega * by_forward, vega * (1.0 / self.sigma + by_sigma))
        return {name: reshape(d * row, shape) for name, row in zip(GREEKS, out)}

    @marks_nan("forward", "strike", "tau")
    def vol_at(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Black's implied vol; arguments broadcast, float in, float out."""
        f, k, t, _, _, shape = self._read(forward, strike, tau, 1.0, True)
        vol = black.implied_vol(self._time_value(f, k, t)[0], f, k, t, is_call=k >= f, on_error="nan")
        return reshape(np.atleast_1d(vol), shape)

    @marks_nan("forward", "strike", "tau")
    def below(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Probability to end at or below the strike, absorption at 0 included; arguments broadcast."""
        f, k, t, _, _, shape = self._read(forward, strike, tau, 1.0, True)
        if self.beta == 1.0:
            from scipy.special import ndtr

            std = self.sigma * np.sqrt(t)
            with np.errstate(divide="ignore", invalid="ignore"):
                out = np.where(std > 0.0, ndtr(np.log(k / f) / std + 0.5 * std), (k >= f).astype(float))
            return reshape(out, shape)
        tail = self._time_value(f, k, t)[1]
        return reshape(np.where(k >= f, 1.0 - tail, tail), shape)

    def density(self, forward: float, at: ArrayLike, tau: float) -> Any:
        """Density of the forward at `at` > 0 after tau years, 1 / price units; beside it stands `absorbed_mass`."""
        f, k, t, _, _, shape = self._read(forward, at, tau, 1.0, True)
        require_all(t > 0.0, "tau", t, "be > 0 years")
        return reshape(self._density(f, k, t)[0], shape)

    def absorbed_mass(self, forward: ArrayLike, tau: ArrayLike) -> Any:
        """Probability that the forward has been absorbed at 0 (beta < 1; else 0)."""
        return self._defect(forward, tau, self.beta < 1.0)

    def martingale_defect(self, forward: ArrayLike, tau: ArrayLike) -> Any:
        """1 - E[F] / F of the diffusion itself (beta > 1; else 0); what parity adds to each call, over F."""
        return self._defect(forward, tau, self.beta > 1.0)

    def _defect(self, forward: ArrayLike, tau: ArrayLike, there: bool) -> Any:
        from scipy.special import gammaincc

        f, _, t, _, _, shape = self._read(forward, 1.0, tau, 1.0, True)
        out = np.zeros_like(f)
        if there:
            alive = t > 0.0
            x = self._coordinate(f[alive], t[alive])
            out[alive] = gammaincc(self._order, 0.5 * x * x)
        return reshape(out, shape)

    @property
    def _order(self) -> float:
        """nu, the order of the Bessel function."""
        return 0.5 / abs(1.0 - self.beta)

    def _coordinate(self, price: Any, tau: Any) -> Any:
        """z at a price."""
        out = np.asarray(price) ** (1.0 - self.beta) / (abs(1.0 - self.beta) * self.sigma * np.sqrt(tau))
        if not np.isfinite(out).all() or not (out > 0.0).all():
            raise InputError(f"beta must leave F^(1 - beta) within double precision; got {self.beta:g}.")
        return out

    def _time_value(self, f: Float1D, k: Float1D, t: Float1D) -> tuple[FloatND, FloatND]:
        """Undiscounted out-of-the-money price, and the probability to end there."""
        from scipy.special import gammaincc

        if self.beta == 1.0:
            out = np.asarray(black.price(f, k, t, self.sigma, is_call=k >= f))
            return out, np.zeros_like(out)
        value, tail = np.zeros_like(f), np.zeros_like(f)
        live = t > 0.0
        if live.any():
            f, k, t = f[live], k[live], t[live]
            one = 1.0 - self.beta
            x = self._coordinate(f, t)
            step = np.expm1(one * np.log(k / f)) * x  # z(K) - z(F) without cancellation
            value[live], tail[live] = integrals(x, step, k / f, one, self._order, k >= f)
            value[live] *= f
            lost = gammaincc(self._order, 0.5 * x * x)
            put = k < f
            if one > 0.0:
                value[live] += np.where(put, k * lost, 0.0)
                tail[live] += np.where(put, lost, 0.0)
            else:
                value[live] += np.where(put, 0.0, f * lost)
        return value, tail

    def _density(self, f: Float1D, k: Float1D, t: Float1D) -> tuple[FloatND, FloatND, FloatND]:
        """p at the strike, and d log p by the forward and by sigma."""
        if self.beta == 1.0:
            std = self.sigma * np.sqrt(t)
            d = np.log(k / f) / std + 0.5 * std
            return np.exp(-0.5 * d * d) / (k * std * np.sqrt(2.0 * np.pi)), d / (f * std), np.full_like(f, np.nan)
        one = 1.0 - self.beta
        x, z = self._coordinate(f, t), self._coordinate(k, t)
        step = np.expm1(one * np.log(k / f)) * x
        p = density_at(x, step, k / f, self._order) * abs(one) * z / k
        slope = scaled_slope(self._order, x * z)  # 1 - I'/I
        by_forward = 0.5 / f + one * x / f * (step - z * slope)
        by_sigma = (step * step + 2.0 * x * z * slope - 2.0) / self.sigma
        return p, by_forward, by_sigma

    def _read(self, forward: Any, strike: Any, tau: Any, df: Any, is_call: Any) -> Any:
        flags = np.asarray(is_call)
        if flags.dtype != bool:
            raise InputError(f"is_call must be bool; got {flags.dtype} values.")
        (f, k, t, d, s), shape = vectors(forward, strike, tau, df, np.where(flags, 1.0, -1.0))
        hint = "CEV has no negative prices: shift them, or use models.bachelier."
        require_all((f > 0.0) & np.isfinite(f), "forward", f, "be finite and > 0", hint=hint)
        require_all((k > 0.0) & np.isfinite(k), "strike", k, "be finite and > 0", hint=hint)
        require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
        require_all((d > 0.0) & np.isfinite(d), "df", d, "be finite and > 0")
        return f, k, t, d, s, shape

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> CEV:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))
