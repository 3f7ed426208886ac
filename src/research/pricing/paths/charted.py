"""Paths of shifted lognormal, normal and CEV prices, and what cannot be asked of a price that may reach 0 or pass it.

Shifted lognormal and normal paths are exact at any times; CEV's are in `cev`. The coordinates are those of `charts`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float2D
from research.errors import NoEngineError, require
from research.instruments.expressions import Apply, Expression, Statistic
from research.models import CEV, ArbitrageFreeSABR, Bachelier, DisplacedDiffusion
from research.pricing._smile import RUIN
from research.pricing.paths.charts import TINY, Chart, chart_of
from research.pricing.paths.generators import GENERATORS, Generator, Logs, Request, scheme_of
from research.pricing.paths.motion import motion
from research.pricing.paths.survival import brownian, in_chart, walked

_LEAST = 1e-8  # sigma, below which it is taken as this
_OF_LOGS = ("VarianceSwap", "VolatilitySwap", "CorridorVarianceSwap", "GammaSwap", "LogContract")
_OF_RETURNS = ("Cliquet",)


def _moved(request: Request, chart: Chart, drift: float) -> Generator:
    """y = its start + W + drift t; within limits every step is conditioned."""
    scheme_of(request, ("exact",))
    times, today = request.times, float(chart.to(chart.forward))
    gaps, line = np.diff(times, prepend=0.0)[:, None], (drift * times)[:, None]

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        start = today if request.start is None else request.start(first_path, w.shape[1])[0]
        return Logs(x=start + (w + line), exposed=np.broadcast_to(gaps, w.shape))

    def kept(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        start = today if request.start is None else request.start(first_path, w.shape[1])[0]
        x, weight = walked(w, root, np.broadcast_to(start, w.shape[1]), within, *brownian(root, drift))
        return Logs(x=x, exposed=np.broadcast_to(gaps, w.shape), weight=weight)

    root, within = np.sqrt(gaps[:, 0]), np.empty((0, 2))
    if request.limits is not None:
        within = in_chart(request.limits, chart, times)
    return Generator(times=times, forward=request.forward, motion=motion([times], request.bridge),
                     fill=fill if request.limits is None else kept, chart=chart)  # fmt: skip


def displaced(model: DisplacedDiffusion, request: Request) -> Generator:
    """F + shift is lognormal."""
    sigma, shift = max(model.sigma, _LEAST), model.shift
    forward = float(request.snapshot.forward(request.horizon))
    require(forward + shift > 0.0, "shift", shift, f"lie above minus the forward, {forward:g}")

    def to(price: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(np.asarray(price) + shift, 0.0)) / sigma

    def back(y: Any) -> Any:
        return np.exp(sigma * y) - shift

    def slope(y: Any) -> Any:
        return sigma * np.exp(sigma * y)

    chart = chart_of(request.snapshot, request.horizon, request.origin, to=to, back=back, slope=slope, exact=True,
                     lowest=float(np.log(TINY)) / sigma)  # fmt: skip
    return _moved(request, chart, -0.5 * sigma)


def normal(model: Bachelier, request: Request) -> Generator:
    """F is normal."""
    sigma = max(model.sigma, _LEAST * abs(float(request.snapshot.forward(request.horizon))))

    def slope(y: Any) -> Any:
        return np.full(np.shape(y), sigma)

    chart = chart_of(request.snapshot, request.horizon, request.origin, to=lambda price: np.asarray(price) / sigma,
                     back=lambda y: sigma * y, slope=slope, exact=True)  # fmt: skip
    return _moved(request, chart, 0.0)


def ruin(model: Any, forward: float, tau: float) -> float:
    """Chance that the price ends at or below 0."""
    if isinstance(model, CEV):
        return float(model.absorbed_mass(forward, tau))
    if isinstance(model, ArbitrageFreeSABR):
        return float(model.below(forward, 0.0, tau))
    if isinstance(model, Bachelier):
        std = model.sigma * float(np.sqrt(tau))
        return float(ndtr(-forward / std)) if std > 0.0 else float(forward <= 0.0)
    if isinstance(model, DisplacedDiffusion) and model.shift > 0.0:
        std = max(model.sigma, _LEAST) * float(np.sqrt(tau))
        return float(ndtr(np.log(model.shift / (forward + model.shift)) / std + 0.5 * std))
    return 0.0


def _words(node: Expression) -> set[str]:
    """Words of an expression that ask for a positive price."""
    if isinstance(node, Statistic):
        return {node.kind} & {"geometric_average", "realised_variance"}
    if isinstance(node, Apply):
        own = {node.function} & {"log", "sqrt"}
        return own.union(*(_words(one) for one in node.of))
    return set()


def check_positive(item: Any, model: Any, snapshot: Any, end: float) -> None:
    """Refuse what takes logarithms or returns of a price that may be 0 or less."""
    name, of = type(item).__name__, type(model).__name__
    if name == "Composed":
        asks = ", ".join(sorted(set().union(*(_words(pay.amount) for pay in item.payments))))
    elif name in _OF_LOGS:
        asks = "logarithms"
    elif name in _OF_RETURNS or (name == "ForwardStart" and item.on_return):
        asks = "returns"
    elif name == "Power" or (name == "Asian" and item.average == "geometric"):
        asks = "powers" if getattr(model, "shift", 1.0) > 0.0 and not isinstance(model, CEV) else ""
    else:
        asks = ""
    if not asks:
        return
    chance = ruin(model, float(snapshot.forward(end)), end)
    if chance > RUIN:
        raise NoEngineError(f"{name} takes {asks} of the price, which ends at or below 0 with probability "
                            f"{chance:.2g} under {of}: it has no value there.")  # fmt: skip


def _sabr(model: ArbitrageFreeSABR, request: Request) -> Generator:
    from research.pricing.paths.sabr import sabr

    return sabr(model, request)


def _cev(model: CEV, request: Request) -> Generator:
    from research.pricing.paths.cev import cev  # needs SciPy's interpolation

    return cev(model, request)


GENERATORS |= {"DisplacedDiffusion": displaced, "Bachelier": normal, "CEV": _cev, "ArbitrageFreeSABR": _sabr}
