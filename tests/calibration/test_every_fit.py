"""What every fit of quotes promises: its own model back, honest errors, missing and absurd quotes, one optimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from research.calibration import fit, fit_history
from research.errors import InputError
from research.market import NormalSmile, Smile, Surface
from research.models import (
    CEV,
    ESSVI,
    SABR,
    SSVI,
    SVI,
    ArbitrageFreeSABR,
    Bachelier,
    Bates,
    BlackScholes,
    BlackTermStructure,
    DisplacedDiffusion,
    Heston,
    LocalVol,
    Merton,
    RoughBergomi,
    SVISurface,
    VarianceGamma,
    black,
)
from research.models.garch import GARCH
from research.models.ssvi import PowerLaw
from research.models.svi_forms import SVIJumpWings
from research.pricing import fourier
from research.pricing.cosine import price_with_error

TAUS = (0.15, 0.6, 1.5)
K = np.linspace(-1.6, 1.2, 14)  # in units of 0.25 sqrt(tau)
HESTON = Heston(v0=0.05, kappa=2.0, theta=0.07, sigma=0.6, rho=-0.6)
BATES = Bates(v0=0.04, kappa=2.0, theta=0.05, sigma=0.5, rho=-0.5, intensity=0.4, jump_mean=-0.15, jump_std=0.12)


@dataclass(frozen=True)
class Case:
    """A model, the quotes that it makes, and another start."""

    truth: Any
    start: Any = None
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def kind(self) -> type:
        return type(self.truth)


def _vols(model: Any, strike: Any, tau: float) -> Any:
    if isinstance(model, (CEV, DisplacedDiffusion)):
        value = model.price(100.0, strike, tau, is_call=strike >= 100.0)
        return black.implied_vol(value, 100.0, strike, tau, is_call=strike >= 100.0)
    if hasattr(model, "vol_at"):
        return model.vol_at(100.0, strike, tau)
    if hasattr(model, "vol"):
        k = np.log(strike / 100.0)
        return model.vol(k, tau)
    if isinstance(model, Heston):
        value = fourier.price(model, 100.0, strike, tau, is_call=strike >= 100.0)
    else:
        value = price_with_error(model, 100.0, strike, tau, is_call=strike >= 100.0)[0]
    return black.implied_vol(value, 100.0, strike, tau, is_call=strike >= 100.0)


def smile(model: Any, tau: float) -> Smile:
    strike = 100.0 * np.exp(K * 0.25 * np.sqrt(tau))
    return Smile(tau=tau, forward=100.0, df=1.0, strike=strike, vol=_vols(model, strike, tau))


def quotes(case: Case) -> Any:
    if case.kind in (SABR, SVI, ArbitrageFreeSABR):
        return smile(case.truth, 0.6)
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smile(case.truth, t) for t in TAUS))


def changed(data: Any, change: Any) -> Any:
    """Each smile after `change(smile, number)`."""
    if isinstance(data, Surface):
        return replace(data, smiles=tuple(change(s, i) for i, s in enumerate(data)))
    return change(data, 0)


CASES = {
    "Heston": Case(HESTON, Heston(v0=0.1, kappa=5.0, theta=0.03, sigma=1.2, rho=-0.1)),
    "Bates": Case(BATES, replace(BATES, v0=0.07, kappa=4.0, rho=-0.2, intensity=0.8, jump_mean=-0.08)),
    "Merton": Case(
        Merton(sigma=0.18, intensity=0.6, jump_mean=-0.15, jump_std=0.15),
        Merton(sigma=0.25, intensity=0.2, jump_mean=-0.05, jump_std=0.3),
    ),
    "VarianceGamma": Case(VarianceGamma(sigma=0.2, nu=0.3, theta=-0.15), VarianceGamma(sigma=0.3, nu=0.1, theta=-0.4)),
    "CEV": Case(CEV(sigma=2.0, beta=0.5), CEV(sigma=0.2, beta=1.3)),
    "DisplacedDiffusion": Case(DisplacedDiffusion(sigma=0.12, shift=80.0), DisplacedDiffusion(sigma=0.2, shift=-20.0)),
    "SABR": Case(SABR(alpha=0.22, beta=1.0, rho=-0.4, nu=0.7)),
    "SVI": Case(SVI(a=0.01, b=0.08, rho=-0.4, m=0.02, sigma=0.15)),
    "SSVI": Case(
        SSVI(tau=TAUS, theta=(0.008, 0.03, 0.08), rho=-0.4, phi=PowerLaw(eta=0.9, gamma=0.4)),
        SSVI(tau=TAUS, theta=(0.01, 0.02, 0.05), rho=0.1, phi=PowerLaw(eta=0.5, gamma=0.3)),
    ),
}
NAMES = list(CASES)
TOLERANCE = {"SVI": 2e-5, "Bates": 5e-3, "Merton": 1e-3}


def parameters(found: Any) -> pd.Series:
    table = found.parameters
    if "tau" in table:
        table = table[table["tau"].isna() | (table["name"] == "theta")]
    return table.set_index(np.arange(len(table)))["value"]


def close(found: Any, other: Any, rel: float) -> bool:
    return bool(np.allclose(parameters(found), parameters(other), rtol=rel, atol=0.3 * rel))


@pytest.mark.parametrize("name", NAMES)
def test_exact_quotes_are_met_whole_and_with_a_third_of_them_missing(name: str) -> None:
    case, rng = CASES[name], np.random.default_rng(3)
    whole = fit(case.kind, quotes(case), **dict(case.options))
    assert whole.rmse_bp < 0.01 and whole.converged

    def thin(one: Smile, i: int) -> Smile:
        keep = np.sort(rng.choice(K.size, 10, replace=False))  # four of fourteen are missing
        return replace(one, strike=one.strike[keep], vol=one.vol[keep])

    few = fit(case.kind, changed(quotes(case), thin))
    assert few.rmse_bp < 0.01
    assert close(few, whole, TOLERANCE.get(name, 1e-3))
    if hasattr(case.truth, "to_json") and name not in ("SSVI", "SABR", "SVI"):
        assert list(whole.model.to_json().values()) == pytest.approx(list(case.truth.to_json().values()), rel=5e-3)


@pytest.mark.parametrize("name", [n for n in NAMES if CASES[n].start is not None])
def test_another_start_ends_at_the_same_optimum(name: str) -> None:
    case, rng = CASES[name], np.random.default_rng(8)
    noisy = changed(quotes(case), lambda s, i: replace(s, vol=s.vol + 5e-4 * rng.standard_normal(s.vol.size)))
    one = fit(case.kind, noisy, allow_arbitrage=True) if takes(name) else fit(case.kind, noisy)
    options = {"allow_arbitrage": True} if takes(name) else {}
    two = fit(case.kind, noisy, start=case.start, **options)
    assert two.sse == pytest.approx(one.sse, rel=1e-5)
    assert close(one, two, 5e-3)


def takes(name: str) -> bool:
    """Whether the fit looks for arbitrage in quotes."""
    return name not in ("CEV", "DisplacedDiffusion", "SABR")


@pytest.mark.filterwarnings("ignore::research.calibration.CalibrationWarning")  # the plain fit need not settle
@pytest.mark.parametrize("name", NAMES)
def test_a_few_absurd_quotes_pull_little_with_huber(name: str) -> None:
    case, options = CASES[name], {"allow_arbitrage": True} if takes(name) else {}

    def spoil(one: Smile, i: int) -> Smile:
        vol, rng = one.vol.copy(), np.random.default_rng(20 + i)
        vol += 2e-4 * rng.standard_normal(vol.size)
        vol[(3, 9, 6)[i % 3]] += 0.15  # one quote in fourteen is off by 15 points of vol
        return replace(one, vol=vol)

    spoilt = changed(quotes(case), spoil)
    plain, robust = fit(case.kind, spoilt, **options), fit(case.kind, spoilt, huber=5e-4, **options)
    miss = [_distance(found.model, case) for found in (plain, robust)]
    assert miss[1] < 10e-4 < miss[0]


def _distance(model: Any, case: Case) -> float:
    """Root mean square of the vols of two models, at the strikes of the case."""
    data = quotes(case)
    smiles = list(data) if isinstance(data, Surface) else [data]
    gaps = [np.asarray(_vols(model, s.strike, s.tau)) - s.vol for s in smiles]
    return float(np.sqrt(np.mean(np.concatenate(gaps) ** 2)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Heston", "Merton", "VarianceGamma", "DisplacedDiffusion", "SABR", "SVI", "CEV"])
def test_standard_errors_cover_the_truth_as_often_as_they_say(name: str) -> None:
    case, rng, inside = CASES[name], np.random.default_rng(11), []
    clean, options = quotes(case), {"allow_arbitrage": True} if takes(name) else {}
    truth = fit(case.kind, clean).parameters["value"]
    for _ in range(150):
        noisy = changed(clean, lambda s, i: replace(s, vol=s.vol + 3e-4 * rng.standard_normal(s.vol.size)))
        found = fit(case.kind, noisy, **options)
        table = found.parameters
        edge = student.ppf(0.975, len(found.residuals) - len(table))
        inside += (np.abs((table["value"] - truth) / table["std_error"]) < edge).tolist()
    assert 0.915 < np.mean(inside) < 0.985  # 0.95 is stated


@pytest.mark.parametrize(
    "name", [*NAMES, "ESSVI", "SVISurface", "ArbitrageFreeSABR", "BlackScholes", "BlackTermStructure", "LocalVol"]
)
def test_weights_are_named_the_same_way_by_all(name: str) -> None:
    case = CASES.get(name) or Case(CASES["SSVI"].truth)
    kind = {
        "ESSVI": ESSVI, "SVISurface": SVISurface, "BlackScholes": BlackScholes, "LocalVol": LocalVol,
        "BlackTermStructure": BlackTermStructure, "ArbitrageFreeSABR": ArbitrageFreeSABR,
    }.get(name, case.kind)  # fmt: skip
    data = quotes(case) if kind is not ArbitrageFreeSABR else smile(CASES["SABR"].truth, 0.6)
    options = {"allow_arbitrage": True} if name in ("SVI", "SVISurface") else {}
    spread = changed(data, lambda s, i: replace(s, half_spread=np.linspace(0.001, 0.004, s.vol.size)))
    with pytest.raises(InputError, match=r"half_spread must be known at tau .* for weights='bid_ask'; got 'none'"):
        fit(kind, data, weights="bid_ask", **options)
    by_spread = fit(kind, spread, weights="bid_ask", **options)
    weight = by_spread.residuals["weight"].to_numpy()[: K.size]
    assert weight / weight[0] == pytest.approx((0.001 / np.linspace(0.001, 0.004, K.size)) ** 2)
    n = len(by_spread.residuals)
    by_hand = fit(kind, data, weights=by_spread.residuals["weight"].to_numpy(), **options)
    assert by_hand.sse == pytest.approx(by_spread.sse, rel=1e-6, abs=1e-16)
    with pytest.raises(InputError, match=f"weights must have one value a quote, {n}; got 2"):
        fit(kind, data, weights=[1.0, 2.0], **options)
    with pytest.raises(InputError, match="weights must be 'equal', 'vega', 'bid_ask' or an array; got 'best'"):
        fit(kind, data, weights="best", **options)


@pytest.mark.parametrize(
    ("name", "bound", "pair"),
    [
        ("Heston", "kappa", (3.0, 9.0)),
        ("Bates", "jump_std", (0.2, 0.5)),
        ("Merton", "intensity", (0.01, 0.3)),
        ("VarianceGamma", "nu", (0.4, 0.9)),
        ("SABR", "rho", (-0.2, 0.2)),
        ("SVI", "m", (0.05, 0.2)),
        ("CEV", "beta", (0.7, 0.9)),
        ("SSVI", "rho", (-0.2, 0.2)),
    ],
)
def test_a_bound_is_kept_and_said(name: str, bound: str, pair: tuple[float, float]) -> None:
    case = CASES[name]
    found = fit(case.kind, quotes(case), bounds={bound: pair})
    value = found.parameters.loc[found.parameters["name"] == bound, "value"].item()
    assert pair[0] - 1e-6 <= value <= pair[1] + 1e-6
    assert found.status == 2 and any("a bound holds the fit" in w for w in found.warnings)
    with pytest.raises(InputError, match="bounds"):
        fit(case.kind, quotes(case), bounds={"nonsense": (0.0, 1.0)})


def test_a_bound_at_the_edge_of_what_can_be_is_none() -> None:
    case = CASES["Heston"]
    free, asked = (fit(case.kind, quotes(case), bounds=b) for b in (None, {"kappa": (0.0, np.inf), "rho": (-1.0, 1.0)}))
    assert free.model == asked.model
    with pytest.raises(InputError, match=r"bounds\['kappa'\] must leave room above"):
        fit(case.kind, quotes(case), bounds={"kappa": (0.0, 1e-9)})


def test_arbitrage_free_sabr_and_rough_bergomi_take_bounds_too() -> None:
    free = fit(ArbitrageFreeSABR, smile(CASES["SABR"].truth, 0.6), beta=1.0, bounds={"nu": (0.9, 2.0)})
    assert free.model.nu == pytest.approx(0.9) and free.status == 2
    with pytest.raises(InputError, match=r"bounds\['hurst'\] must lie inside"):
        fit(RoughBergomi, quotes(CASES["Heston"]), bounds={"hurst": (0.1, 0.9)})


def test_normal_vols_are_weighted_by_their_own_vega() -> None:
    strike = np.linspace(-0.01, 0.03, 9)
    normal = NormalSmile(tau=1.0, forward=0.01, strike=strike, vol=0.008 + 0.05 * (strike - 0.01) ** 2)
    found = fit(Bachelier, normal, weights="vega")
    weight = found.residuals["weight"].to_numpy()
    assert np.argmax(weight) == 4 and weight[4] / weight[0] == pytest.approx(
        np.exp((0.02 / normal.vol[0]) ** 2), rel=1e-12
    )


def test_a_frame_of_vols_with_holes_is_fitted_and_the_holes_are_counted() -> None:
    table = quotes(CASES["Heston"]).to_frame()
    as_of = pd.Timestamp("2024-01-02")
    days = (365.0 * table["tau"]).round()
    frame = pd.DataFrame(
        {"as_of": as_of, "expiry": as_of + pd.to_timedelta(days, unit="D"), "spot": 100.0, "zero_rate": 0.0,
         "strike": table["strike"], "implied_vol": table["vol"]}
    )  # fmt: skip
    frame.loc[np.random.default_rng(1).choice(len(frame), 12, replace=False), "implied_vol"] = np.nan
    found = fit(Heston, frame)
    assert found.rmse_bp < 5.0 and found.message.endswith("12 of 42 quotes missing")
    assert len(found.residuals) == 30


def test_a_frame_of_prices_is_fitted_with_its_forwards_implied() -> None:
    parts = []
    for one in quotes(CASES["Heston"]):
        for is_call in (True, False):
            value = black.price(one.forward, one.strike, one.tau, one.vol, is_call=is_call)
            parts.append(pd.DataFrame({"strike": one.strike, "is_call": is_call, "price": value, "tau": one.tau}))
    frame = pd.concat(parts, ignore_index=True)
    as_of = pd.Timestamp("2024-01-02")
    frame["as_of"], frame["expiry"] = as_of, as_of + pd.to_timedelta((365.0 * frame["tau"]).round(), unit="D")
    frame.loc[3, "price"] = np.nan
    found = fit(Heston, frame)
    assert found.rmse_bp < 25.0 and "left out: 1 missing" in found.message
    with pytest.raises(InputError, match="quotes must be of one expiry for a model of one smile; got '3 expiries'"):
        fit(SVI, frame)


def test_standard_errors_of_huber_do_not_grow_with_the_size_of_an_outlier() -> None:
    errors = []
    for far in (0.05, 0.5):

        def spoil(one: Smile, i: int, far: float = far) -> Smile:
            noise = 3e-4 * np.random.default_rng(i).standard_normal(K.size)
            return replace(one, vol=one.vol + noise + far * (np.arange(K.size) == 5))

        found = fit(Heston, changed(quotes(CASES["Heston"]), spoil), huber=4.5e-4, allow_arbitrage=True)
        errors.append(found.parameters["std_error"].to_numpy())
    assert errors[1] == pytest.approx(errors[0], rel=0.05)


def test_a_flat_smile_does_not_tell_the_correlation_and_the_fit_says_so() -> None:
    flat = changed(quotes(CASES["Heston"]), lambda s, i: replace(s, vol=np.full(s.vol.size, 0.2)))
    found = fit(Heston, flat)
    assert found.warnings


def test_the_mean_of_each_expiry_is_its_vol_and_falling_variance_is_pooled() -> None:
    data = quotes(CASES["Heston"])
    found = fit(BlackTermStructure, data, weights="equal")
    assert found.model.implied == pytest.approx([s.vol.mean() for s in data], rel=1e-12)
    level = {0: 0.4, 1: 0.18, 2: 0.2}
    crossed = changed(data, lambda s, i: replace(s, vol=np.full(s.vol.size, level[i])))
    pooled = fit(BlackTermStructure, crossed, weights="equal")
    w = np.array(pooled.model.implied) ** 2 * np.array(TAUS)
    assert w[0] == pytest.approx(w[1]) and w[2] > w[1] and pooled.status == 2
    assert "total variance held level at tau 0.15, 0.6" in pooled.message


@pytest.mark.parametrize("model", [Bates, CEV, Merton])
def test_a_fit_that_hands_its_options_on_is_started_warm_in_a_history(model: type) -> None:
    data = quotes(CASES[model.__name__])
    days = [replace(data, as_of=date(2024, 1, day)) for day in (2, 3)]
    assert fit_history(model, days).days["start"].tolist() == ["cold", "warm"]


def test_huber_reaches_svi_in_other_letters_and_is_refused_where_there_are_no_weights() -> None:
    plain = quotes(CASES["SVI"])
    spoilt = replace(plain, vol=np.where(np.arange(K.size) == 4, plain.vol + 0.1, plain.vol))
    found = fit(SVIJumpWings, spoilt, huber=1e-4, allow_arbitrage=True)
    assert "1 of 14 quotes beyond huber=0.0001 pull less" in found.message
    with pytest.raises(InputError, match="huber must be > 0"):
        fit(SVI, plain, huber=0.0)
    with pytest.raises(InputError, match="huber must be None: fit_garch takes no weights"):
        fit(GARCH, np.zeros(300), huber=0.1)


def test_one_vol_is_the_weighted_mean_of_a_smile_or_of_all_quotes() -> None:
    data = quotes(CASES["Heston"])
    vol = np.concatenate([s.vol for s in data])
    found = fit(BlackScholes, data, weights="equal")
    assert found.model.sigma == pytest.approx(vol.mean(), rel=1e-12)
    assert found.parameters["std_error"].item() == pytest.approx(vol.std(ddof=1) / np.sqrt(vol.size), rel=1e-12)
    assert fit(BlackScholes, data.smiles[1], weights="equal").model.sigma == pytest.approx(data.smiles[1].vol.mean())
    near = fit(BlackScholes, data)  # by vega
    assert abs(near.model.sigma - data.smiles[2].vol[8]) < abs(found.model.sigma - data.smiles[2].vol[8])
    held = fit(BlackScholes, data, bounds={"sigma": (0.5, 0.9)})
    assert held.model.sigma == 0.5 and held.status == 2 and held.warnings
    pooled = fit(BlackTermStructure, data, bounds={"implied": (0.2, 0.22)})
    assert all(0.2 <= v <= 0.22 for v in pooled.model.implied) and pooled.status == 2
