"""A call that cannot be meant: refused by name, rule, value and hint; one row a mistake."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from research import calibration
from research.errors import InputError, NoEngineError, ResearchError
from research.instruments import (
    American,
    Autocallable,
    Barrier,
    Basket,
    DoubleBarrier,
    European,
    Exchange,
    Position,
    contract_from_json,
)
from research.market import (
    BasketSnapshot,
    DiscountCurve,
    ForeignCurrency,
    Smile,
    Snapshot,
    Surface,
    Underlying,
    flat_basket,
    flat_snapshot,
    snapshot_from_json,
)
from research.models import SVI, BlackScholes, Heston, MultiAssetBlackScholes, SVISurface, black, model_from_json
from research.pricing import (
    adjustments,
    basket_greeks,
    fourier,
    greeks,
    ladder,
    methods,
    monte_carlo,
    note_grid,
    portfolio,
    price,
    quote,
    solve,
)

CALL = European(strike=100.0, tau=1.0)
MODEL, MARKET = BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03)
AMERICAN = American(strike=100.0, tau=1.0)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)
NOTE = Autocallable(initial=100.0, observations=(0.5, 1.0), knock_out=1.03, coupon=0.1, knock_in=0.75)
PAIR = MultiAssetBlackScholes(names=("A", "B"), vols=[0.2, 0.3], correlation=[[1.0, 0.5], [0.5, 1.0]])
BASKETS, BASKET = (
    flat_basket({"A": 100.0, "B": 50.0}),
    Basket(underlyings=("A", "B"), weights=(1.0, 1.0), strike=1.0, tau=1.0),
)
ABROAD = BasketSnapshot(
    as_of=MARKET.as_of, discount=MARKET.discount,
    currencies=(ForeignCurrency(name="USD", rate=7.0, discount=MARKET.discount),),
    underlyings=(Underlying(name="A", spot=100.0), Underlying(name="B", spot=50.0, currency="USD")),
)  # fmt: skip
CROSSED = MultiAssetBlackScholes(names=("A", "B", "USDCNY"), vols=[0.2, 0.3, 0.05], correlation=np.eye(3))
DOWN = {"strike": 100.0, "direction": "down", "knock": "out", "tau": 1.0}
SMILES = tuple(
    Smile(tau=t, forward=100.0, df=1.0, strike=[90.0, 100.0], vol=[v, v]) for t, v in ((0.5, 0.4), (1.0, 0.2))
)
CALENDAR = Snapshot(as_of=MARKET.as_of, spot=100.0, discount=MARKET.discount,
                    surface=Surface(as_of=MARKET.as_of, spot=100.0, smiles=SMILES))  # fmt: skip
HIDDEN = adjustments.IssuerCredit
ROWS: list[tuple[Any, str]] = [
    # what is priced, the model, the market
    (lambda: price(None, MODEL, MARKET), "instrument must be one of European, "),
    (lambda: price([], MODEL, MARKET), "instruments must hold at least one instrument"),
    (lambda: price(European, MODEL, MARKET), "instrument must have terms; got 'European'. Give them: European("),
    (lambda: price(CALL, BlackScholes, MARKET), "model must have parameters; got 'BlackScholes'. Give them: BlackSch"),
    (lambda: price(CALL, 0.2, MARKET), "model must be a model of research.models; got 0.2."),
    (lambda: price(CALL, MARKET, MODEL), "model must be a model of research.models; got Snapshot("),
    (lambda: price(CALL, MODEL, 100.0), "snapshot must be a market.Snapshot or a market.BasketSnapshot; got 100. fla"),
    (lambda: price(CALL, MODEL, BASKETS), "snapshot must be a market.Snapshot for a European; got BasketSnapshot("),
    (lambda: price(BASKET, PAIR, MARKET), "snapshot must be a market.BasketSnapshot; got 'Snapshot'. See market.flat"),
    (lambda: price(Exchange(receive="A", give="C", tau=1.0), PAIR, BASKETS), "underlying must be one of A, B; got 'C"),
    # methods and options
    (lambda: price(CALL, MODEL, MARKET, method="analytc"), "got 'analytc'. Did you mean 'analytic'? Available: 'anal"),
    (lambda: price(CALL, MODEL, MARKET, method="fourier"), "needed by 'fourier'. Available: 'analytic', 'pde', 'latt"),
    (lambda: price(NOTE, MODEL, MARKET, n_path=1000), "got 'n_path'. Did you mean 'n_paths'?"),
    (lambda: price([CALL, AMERICAN], MODEL, MARKET, watched=9.0), "'analytic', 'spectral' takes (tolerance); got"),
    (lambda: price(NOTE, MODEL, MARKET, n_paths="1000"), "n_paths must be a whole number, or None; got '1000'. Write"),
    (lambda: price(NOTE, MODEL, MARKET, seed=1.5), "seed must be a whole number; got 1.5."),
    (lambda: price(NOTE, MODEL, MARKET, progress=3), "progress must be True, False, or a function"),
    (lambda: price(CALL, MODEL, MARKET, method="pde", n_space="x"), "n_space must be a whole number"),
    (lambda: price(CALL, MODEL, MARKET, errors="ignore"), "errors must be 'raise' or 'mark'; got 'ignore'."),
    (lambda: price(CALL, MODEL, MARKET, method="PDE"), "got 'PDE'. Did you mean 'pde'? Available: 'analytic',"),
    (lambda: methods("Europaen", MODEL), "got Europaen. Did you mean 'European'?"),
    (lambda: methods(CALL, BlackScholes), "model must have parameters; got 'BlackScholes'."),
    # contracts that have ended, or that the market contradicts
    (lambda: price(European(strike=1.0, expiry=date(1999, 1, 1)), MODEL, MARKET), "expiry must not lie before as_of,"),
    (lambda: price(Barrier(barrier=105.0, **DOWN), MODEL, MARKET), "barrier must lie below the spot, 100; got 105. A"),
    (lambda: price(DoubleBarrier(strike=1.0, low=101.0, high=120.0, knock="out", tau=1.0), MODEL, MARKET),
     "low must lie below the spot, 100; got 101."),
    (lambda: portfolio([Position(contract=CALL, underlying="A")], {"B": (MODEL, MARKET)}, errors="raise"),
     "underlying must be one of the markets, B; got 'A'."),
    # Greeks, ladders, quotes
    (lambda: greeks(CALL, MODEL, MARKET, which=("dleta",)), "Did you mean 'delta'?"),
    (lambda: greeks(CALL, MODEL, MARKET, spot_bump="1%"), "spot_bump must be a number; got '1%'."),
    (lambda: greeks(BASKET, PAIR, BASKETS), "basket_greeks has those of several underlyings."),
    (lambda: greeks(NOTE, MODEL, MARKET, n_path=1), "Did you mean 'n_paths'?"),
    (lambda: ladder(CALL, MODEL, MARKET, spots=[-1.0]), "got 'spots'."),
    (lambda: basket_greeks(BASKET, PAIR, BASKETS, spot_bump="x"), "spot_bump must be a number; got 'x'."),
    (lambda: quote([CALL, CALL], MODEL, MARKET), "instrument must be one contract; got '2 contracts'."),
    (lambda: quote(CALL, MODEL, MARKET, life="x"), "life must be a number; got 'x'."),
    (lambda: adjustments.total([quote(CALL, MODEL, MARKET, currency=money) for money in ("CNY", "USD")]),
     "currency must be one for all quotes; got 'CNY', 'USD'. Convert or add them apart."),
    (lambda: price(BASKET, CROSSED, ABROAD), "currency of B must be CNY; got 'USD'. Say fx='quanto'"),
    (lambda: HIDDEN(spread=50.0, source="CDS"), "spread must lie in (-1, 1); got 50"),
    (lambda: HIDDEN(spread=0.01, source=None), "source must be text; got None."),
    # notes; Heston's sigma is no volatility of the price
    (lambda: monte_carlo.paths(HESTON, MARKET, [1.0], n_paths=8), "model must have one volatility, or one by time"),
    (lambda: solve(NOTE, MODEL, MARKET, term="coupn"), "term must be one of coupon, maturity_coupon; got 'coupn'."),
    (lambda: solve(NOTE, MODEL, MARKET, margin=float("nan")), "margin must be a number; got nan."),
    (lambda: solve(NOTE, MODEL, MARKET, n_path=1), "Did you mean 'n_paths'?"),
    (lambda: solve(NOTE, HESTON, MARKET, n_path=1), "Did you mean 'n_paths'?"),
    (lambda: note_grid(CALL, [0.2], MARKET, spots=(50.0, 200.0)), "instrument must be one of Autocallable, "),
    # fits
    (lambda: calibration.fit(SVI, SMILES[0], wieghts="vega"), "got 'wieghts'. Did you mean 'weights'?"),
    (lambda: calibration.fit(SVI(a=0.02, b=0.1, rho=0.0, m=0.0, sigma=0.2), SMILES[0]), "Pass the class, not an obje"),
    (lambda: calibration.fit(Heston, CALENDAR, start="x"), "start must be a Heston, or None; got 'x'."),
    (lambda: calibration.fit(SVISurface, CALENDAR), "calendar at tau 0.5, strike 90 against tau 1: 0.04 total varia"),
    # numbers
    (lambda: black.price(100.0, 100.0, 1.0, -0.2), "vol must be finite and >= 0; got -0.2"),
    (lambda: black.price("a", 100.0, 1.0, 0.2), "arguments must be numbers"),
    (lambda: black.price([1.0, 2.0], [1.0, 2.0, 3.0], 1.0, 0.2), "arguments must broadcast together"),
    (lambda: fourier.price(HESTON, 100.0, 100.0, 1.0, is_call="call"), "is_call must be True or False, or an array"),
    # plain data of another kind or of a newer version
    (lambda: contract_from_json(None), "contract must be a mapping with a type and terms, or its JSON text; got None."),
    (lambda: contract_from_json({"type": "European", "strike": 1.0, "tau": 1.0, "lot": 3}), "Was it written by a new"),
    (lambda: contract_from_json({"type": "BlackScholes", "sigma": 0.2}), "got 'BlackScholes'."),
    (lambda: model_from_json({"type": "Hestn", **HESTON.to_json()}), "got 'Hestn'. Did you mean 'Heston'?"),
    (lambda: Heston.from_json({"v0": 0.04}), "terms of Heston must have kappa, theta, sigma, rho; got v0."),
    (lambda: Heston.from_json({"type": "Bates", **HESTON.to_json()}), "type must be Heston here; got 'Bates'."),
    (lambda: BlackScholes.from_json({"sigma": 0.2, "shift": 1.0}), "terms of BlackScholes must be among sigma; got '"),
    (lambda: snapshot_from_json({"type": "Snapshot"}), "terms of Snapshot must have as_of, spot, discount; got none."),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), ROWS, ids=[words[:40] for _, words in ROWS])
def test_a_mistake_is_refused_in_words(call: Any, words: str) -> None:
    with pytest.raises(ResearchError) as caught:
        call()
    assert isinstance(caught.value, (InputError, NoEngineError))
    assert words in str(caught.value)


def test_an_option_goes_to_the_engines_that_know_it() -> None:
    both = price([CALL, NOTE], MODEL, MARKET, n_paths=1024, seed=3)
    assert both.method.tolist() == ["analytic", "monte_carlo"]
    assert both.value[1] == price(NOTE, MODEL, MARKET, n_paths=1024, seed=3).value
    found = price(CALL, MODEL, MARKET, n_paths=1024)
    assert found.method == "paths"  # of contracts of one kind the options say which engine is meant


def test_a_curve_of_percents_is_refused() -> None:
    with pytest.raises(InputError, match="zero_rate must lie in"):
        DiscountCurve(as_of=date(2000, 1, 1), tau=np.array([1.0]), zero_rate=np.array([2.5]))
