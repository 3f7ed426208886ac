"""A book across underlyings, models and markets in one call: `portfolio(positions, markets)`, one row a position.

    book = [Position(contract=European(strike=5000.0, tau=0.5), underlying="CSI300", quantity=-10.0), ...]
    frame = portfolio(book, {"CSI300": (surface, snapshot), "USDCNY": (heston, dollar)}, which=("delta", "vega"))
    frame.groupby(["currency", "underlying"])[["amount", "delta", "vega"]].sum(min_count=1)

Positions of one underlying are priced together, kinds in batches; a position that cannot be priced is a row of nan that
says why. Amounts of several currencies stand in one table and are not added: group by currency.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.errors import InputError, require, rule
from research.instruments import Position
from research.pricing import _calls
from research.pricing._tables import whole
from research.pricing.catalogue import Engine
from research.pricing.price import rows_of, warn_of

Markets = Mapping[str, tuple[Any, Any]]  # name of an underlying: its model and its snapshot


def portfolio(
    positions: Iterable[Position],
    markets: Markets,
    *,
    which: Sequence[str] = (),
    errors: Literal["mark", "raise"] = "mark",
    **options: Any,
) -> pd.DataFrame:
    """Values, and the Greeks that are asked for, of a book.

    Parameters
    ----------
    positions : sequence of instruments.Position
    markets : mapping of an underlying's name to (model, snapshot)
        A basket's name goes to (MultiAssetBlackScholes, BasketSnapshot); it has no `which`.
    which : names of `pricing.greeks`, default none
    errors : "mark" or "raise", default "mark"
        A position that cannot be priced: nan in its row, the reason in `refused`, one warning with the count; or an
        error that stops the call.
    options
        As for `price` and `greeks`: `n_paths`, `std_error`, `estimator`, ... go to the engines that know them. A
        standard error is that of the values: Greeks take `n_paths`.

    Returns
    -------
    DataFrame, one row a position in the given order
        name, underlying, contract, quantity, currency, method; value, std_error, error of one unit; amount (quantity
        times value) and the Greeks of the whole position; why (this engine), refused (why there is no price).
    """
    require(errors in ("mark", "raise"), "errors", errors, "be 'mark' or 'raise'")
    book = _book(positions)
    _check_markets(markets)
    names = (which,) if isinstance(which, str) else tuple(which)
    n = len(book)
    out: dict[str, Any] = {
        "name": [p.name for p in book],
        "underlying": [p.underlying for p in book],
        "contract": [type(p.contract).__name__ for p in book],
        "quantity": np.array([p.quantity for p in book]),
    }
    texts = {key: np.full(n, "", dtype=object) for key in ("currency", "method", "why", "refused")}
    numbers = {key: np.full(n, np.nan) for key in ("value", "std_error", "error", *names)}
    used: dict[Engine, None] = {}
    own: set[str] = set()  # options of Greeks alone that were used
    for underlying, at in _groups(book).items():
        if underlying not in markets:
            must = f"be one of the markets, {', '.join(map(str, markets))}"
            lost = InputError(rule("underlying", must, underlying))
            if errors == "raise":
                raise lost
            texts["refused"][at] = str(lost)
            continue
        model, snapshot = markets[underlying]
        items = [book[i].contract for i in at]
        rows = rows_of(items, model, snapshot, "auto", errors, options, known=False)
        used |= rows.engines
        texts["currency"][at] = snapshot.currency
        for key in ("method", "why", "refused"):
            texts[key][at] = getattr(rows, key)
        for key in ("value", "std_error", "error"):
            numbers[key][at] = getattr(rows, key)
        if names:
            own |= _add_greeks(at, items, rows, model, snapshot, names, errors, options, numbers, texts["refused"])
    _calls.check_options(used, {name: value for name, value in options.items() if name not in own})
    warn_of(texts["refused"], "positions")
    amount = {"amount": out["quantity"] * numbers["value"]}
    greeks = {name: out["quantity"] * numbers.pop(name) for name in names}
    order = {"currency": texts["currency"], "method": texts["method"]} | numbers | amount | greeks
    table: pd.DataFrame = whole(out | order | {"why": texts["why"], "refused": texts["refused"]})
    return table


def _add_greeks(
    at: list[int], items: list[Any], rows: Any, model: Any, snapshot: Any, names: tuple[str, ...], errors: Any,
    options: dict[str, Any], numbers: dict[str, Any], refused: Any,
) -> set[str]:  # fmt: skip
    """The Greeks of the positions that have a price; gives the options that are theirs alone."""
    from research.pricing.sensitivities import greeks, own_options

    priced = [i for i in range(len(at)) if not rows.refused[i]]
    if not priced:
        return set()
    known = set().union(*(_calls.options_of(e) for e in rows.engines)) - {"std_error"}
    mine = set().union(*(own_options(e, model) for e in rows.engines)) & set(options)
    own = {k: v for k, v in options.items() if k in known | mine}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*could not be priced")  # counted once, for the book
        table = greeks([items[i] for i in priced], model, snapshot, which=names, errors=errors, **own)
    where = [at[i] for i in priced]
    for name in names:
        if name in table:
            numbers[name][where] = table[name].to_numpy()
    refused[where] = table["refused"].to_numpy()
    return mine


def _book(positions: Any) -> list[Position]:
    require(isinstance(positions, Iterable), "positions", positions, "be a list of Position(contract=, underlying=)")
    book = list(positions)
    require(len(book) > 0, "positions", "none", "hold at least one position")
    for one in book:
        hint = 'Position(contract=European(...), underlying="CSI300", quantity=-10.0)'
        require(isinstance(one, Position), "positions", one, "hold instruments.Position", hint=hint)
    return book


def _check_markets(markets: Any) -> None:
    must = "be a mapping of names to (model, snapshot)"
    require(isinstance(markets, Mapping), "markets", markets, must)
    for name, pair in markets.items():
        good = isinstance(pair, (tuple, list)) and len(pair) == 2
        require(good, f"market of {name}", pair, "be (model, snapshot)")
        _calls.check_model(pair[0])
        _calls.check_snapshot(pair[1])


def _groups(book: list[Position]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for position, one in enumerate(book):
        groups.setdefault(one.underlying, []).append(position)
    return groups
