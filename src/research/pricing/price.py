"""`price(instruments, model, snapshot, method=...) -> Price`: one verb; the engine is found by what the model can do.

Contracts of many kinds may come together: they are grouped by kind, and each group is priced in one call of its engine.
With `errors="mark"` a contract that cannot be priced is a row of nan that says why, and the rest is priced.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from research.errors import InputError, NoEngineError, NumericalError, did_you_mean, require, rule
from research.market import BasketSnapshot, Snapshot
from research.pricing import _calls, carry
from research.pricing._limits import within
from research.pricing._signs import check_signs
from research.pricing._tables import whole, with_error
from research.pricing.catalogue import CATALOGUE, Engine, Values, abilities, engines_for, lines_of

if TYPE_CHECKING:
    import pandas as pd


_METHODS = dict.fromkeys(e.method for e in CATALOGUE)
_MOSTLY_NOISE = 4.0  # standard errors: an error up to here is that of sampling, and said by the standard error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Price:
    """The value of one instrument (floats) or of several (arrays of shape (n,)), and how it was found."""

    value: Any  # price units, present value
    std_error: Any  # price units, of a simulation; 0 for a deterministic method
    error: Any  # price units: estimate of the largest numerical error
    method: Any  # "fourier"; an array of shape (n,) when kinds of contracts are mixed
    model: str  # name of the model's class
    why: str = ""  # why "auto" took this engine
    contract: Any = ""  # name of the contract's class; an array of shape (n,) for several
    reason: Any = ""  # as `why`, of each
    refused: Any = ""  # why there is no price, of each; "" where there is one

    def __float__(self) -> float:
        n = np.size(self.value)
        hint = "Use .value, or .to_frame()."
        require(np.ndim(self.value) == 0, "the price", f"{n} prices", "be one number", hint=hint)
        return float(self.value)

    def __format__(self, spec: str) -> str:
        """f"{price:.4f}" is the value of one contract."""
        return format(float(self), spec) if spec else repr(self)

    def to_frame(self) -> pd.DataFrame:
        """One row a contract: contract, method, value, std_error, error, why, refused (why there is no price)."""
        n = np.size(self.value)
        names = {"contract": "contract", "method": "method", "value": "value", "std_error": "std_error",
                 "error": "error", "why": "reason", "refused": "refused"}  # fmt: skip
        rows = {name: np.broadcast_to(getattr(self, field), n) for name, field in names.items()}
        table: pd.DataFrame = whole(rows)
        return table

    def _repr_html_(self) -> str | None:
        """Of several prices the rows; one says it in a line."""
        return str(self.to_frame()._repr_html_()) if np.ndim(self.value) else None  # type: ignore[operator]

    def __repr__(self) -> str:
        if np.ndim(self.value):
            n, lost = np.size(self.value), int(np.count_nonzero(np.asarray(self.refused) != ""))
            error = float(np.nanmax(self.error)) if lost < n else float("nan")
            how = ", ".join(name for name in dict.fromkeys(np.atleast_1d(self.method).tolist()) if name)
            less = f", {lost} refused" if lost else ""
            return f"Price({n} values by {how or 'nothing'} under {self.model}, error <= {error:.1e}{less})"
        spread = f", standard error {self.std_error:.1e}" if self.std_error else ""
        if not self.std_error or self.error > _MOSTLY_NOISE * self.std_error:  # a bias beside the noise must be seen
            spread += f", error <= {self.error:.1e}"
        value = with_error(self.value, self.std_error)  # no digits that are noise
        return f"Price({value} by {self.method} under {self.model}{spread})"


def price(
    instruments: Any, model: Any, snapshot: Snapshot | BasketSnapshot, *, method: str = "auto",
    errors: Literal["raise", "mark"] = "raise", **options: Any,
) -> Price:  # fmt: skip
    """Present value of contracts under a model, with the snapshot's spot, discount factors and yield.

    Parameters
    ----------
    instruments : a contract of `research.instruments`, or a sequence of them, kinds mixed as they come
    model : an object with `abilities`, e.g. BlackScholes, Heston or SVISurface
    snapshot : Snapshot, or BasketSnapshot for contracts on several underlyings
    method : str, default "auto"
        A method that `methods(instrument, model)` lists; "auto" takes the first of them that takes the options and does
        not refuse.
    errors : "raise" or "mark", default "raise"
        What a contract gets that cannot be priced (expired, breached, beyond its engine): an error that stops the
        call, or nan and the reason in its row, and one warning with the count. Use "mark" for a book.
    options
        Of the engines, e.g. `n_steps=501`. Where kinds are mixed each engine gets those that it knows; an option that
        no engine of the call knows is refused.

    Returns
    -------
    Price
        Floats for one instrument, arrays in the given order for a sequence.

    Raises
    ------
    NoEngineError
        When no engine, or not this one, can price such a contract under such a model; names those that can.

    Examples
    --------
    >>> from research.instruments import European
    >>> from research.market import flat_snapshot
    >>> from research.models import BlackScholes
    >>> price(European(strike=100.0, tau=1.0), BlackScholes(sigma=0.2), flat_snapshot(spot=100.0))
    Price(7.965567455 by analytic under BlackScholes, error <= 4.0e-14)
    """
    require(errors in ("raise", "mark"), "errors", errors, "be 'raise' or 'mark'")
    items, one = _calls.items_of(instruments)
    return _price(rows_of(items, model, snapshot, method, errors, options), items, model, one)


def rows_of(
    items: list[Any], model: Any, snapshot: Any, method: str, errors: str, options: dict[str, Any], *,
    known: bool = True,
) -> Rows:  # fmt: skip
    """The rows of `price`, without a warning for marked ones; `known`: refuse options that no engine knows."""
    _calls.check_model(model)
    _calls.check_snapshot(snapshot)
    groups: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        groups.setdefault(type(item).__name__, []).append(position)
    out = Rows(len(items))
    able: dict[str, list[Engine]] = {}
    for kind, at in groups.items():  # refuse before any work
        try:
            able[kind] = carry.lines(choose(items[at[0]], model, method), items[at[0]], model, snapshot)
        except NoEngineError as error:
            if errors == "raise":
                raise
            out.refuse(at, error)
    if errors == "raise":
        check_currencies(items, snapshot)
        check_signs(items, model, snapshot)
    if known:
        _calls.check_options([e for engines in able.values() for e in engines], options)
    if known and method == "auto" and len(able) == 1:  # contracts of one kind: the options say which engine is meant
        able = {kind: _calls.meant_by(engines, options) for kind, engines in able.items()}
    for kind, engines in able.items():

        def attempt(some: list[int], engines: list[Engine] = engines) -> None:
            these = [items[i] for i in some]
            if errors == "mark":
                check_currencies(these, snapshot)
                check_signs(these, model, snapshot)
            for rows, found, engine in _parts(engines, these, model, snapshot, method, options):
                out.fill([some[i] for i in rows], found, engine)

        _calls.by_halves(groups[kind], attempt, out.refuse, errors == "raise")
    if known:
        _calls.check_options(out.engines, options, [e for engines in able.values() for e in engines])
    return out


class Rows:
    """The rows of the answer as they are found."""

    def __init__(self, n: int) -> None:
        self.value, self.std_error, self.error = np.full((3, n), np.nan)
        self.engines: dict[Engine, None] = {}  # that were used
        self.method, self.why, self.refused = np.full((3, n), "", dtype=object)
        self.lost = False

    def fill(self, at: list[int], found: Values, engine: Engine) -> None:
        """Rows that one engine has priced."""
        rows: Any = slice(None) if len(at) == self.value.size else at  # groups keep the order
        self.value[rows], self.std_error[rows], self.error[rows] = found.value, found.std_error, found.error
        self.method[rows], self.why[rows] = engine.method, engine.why
        self.engines[engine] = None

    def refuse(self, at: list[int], error: Exception) -> None:
        """Rows without a price."""
        self.refused[at], self.lost = str(error), True


def _parts(
    engines: list[Engine], items: list[Any], model: Any, snapshot: Any, method: str, options: dict[str, Any]
) -> list[carry.Part]:
    """Positions, values and engine of contracts of one kind, whatever the stock pays."""
    if isinstance(snapshot, BasketSnapshot) or not carry.in_parts(items[0], snapshot):
        return [(list(range(len(items))), *_values(engines, items, model, snapshot, method, options))]
    _calls.check_market(engines[0], items[0], snapshot)

    def plain(some: list[Any], market: Snapshot) -> tuple[Values, Engine]:
        return _values(engines, some, model, market, method, options)

    def carried(able: list[Engine], some: list[Any], market: Snapshot) -> tuple[Values, Engine]:
        return _first(able, some, model, market, options)

    return carry.parts(items, model, snapshot, method, engines, plain, carried)


def _values(
    engines: list[Engine], items: list[Any], model: Any, snapshot: Any, method: str, options: dict[str, Any]
) -> tuple[Values, Engine]:
    """What the first engine that does not refuse says of contracts of one kind, where no cash is paid."""
    _calls.check_market(engines[0], items[0], snapshot)
    if isinstance(snapshot, BasketSnapshot):
        return _first(engines, items, model, snapshot, options)
    if carry.only_borrow(snapshot):
        there = carry.folded(snapshot) if snapshot.borrow != 0.0 else snapshot
        return _first(engines, items, model, there, options)
    able = [engine for engine in engines if carry.takes_forwards(engine)]
    if not able:
        lines = [e.method for e in engines_for(items[0], model) if carry.takes_forwards(e)]
        raise NoEngineError(
            f"{type(items[0]).__name__} under {_name(model)} by '{method}' takes no term structure of dividend "
            f"yields. Available: {', '.join(map(repr, lines)) or 'none'}."
        )
    return _first(able, items, model, snapshot, options)


def warn_of(refused: Any, what: str) -> None:
    """One warning that counts what could not be priced; for a function that a user calls through one other."""
    lost = np.flatnonzero(refused != "")
    if lost.size:
        first = f"the first is row {lost[0]}: {refused[lost[0]]}"
        text = f"{lost.size} of {refused.size} {what} could not be priced ({first}) Their values are nan."
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def _price(out: Rows, items: list[Any], model: Any, one: bool) -> Price:
    """The answer out of its rows; a warning counts those that were refused."""
    if out.lost:
        warn_of(out.refused, "contracts")
    why = "; ".join(dict.fromkeys(text for text in out.why.tolist() if text))
    name = _name(model)
    if one:
        return Price(
            value=float(out.value[0]), std_error=float(out.std_error[0]), error=float(out.error[0]),
            method=out.method[0], model=name, why=why, contract=type(items[0]).__name__, reason=out.why[0],
            refused=out.refused[0],
        )  # fmt: skip
    how = out.method[0] if len(set(out.method)) == 1 else out.method
    kinds = np.array([type(item).__name__ for item in items], dtype=object)
    return Price(
        value=out.value, std_error=out.std_error, error=out.error, method=how, model=name, why=why, contract=kinds,
        reason=out.why, refused=out.refused,
    )  # fmt: skip


def methods(instrument: Any, model: Any, snapshot: Snapshot | None = None) -> pd.DataFrame:
    """The engines that can price this contract under this model, best first: expected error, cost, when to use it.

    Parameters
    ----------
    instrument : a contract, or its class or the name of that, "European": every engine of its kind
    model : as for `price`
    snapshot : Snapshot, optional
        With it only those that take the cash dividends that it has.

    Returns
    -------
    DataFrame with columns method, error, cost, why; it prints every word
    """
    _calls.check_model(model)
    kind = instrument.__name__ if isinstance(instrument, type) else instrument
    kind = kind if isinstance(kind, str) else type(kind).__name__
    check_kind(kind)
    able = engines_for(kind, model)
    if not isinstance(instrument, (str, type)):
        able = [engine for engine in able if within(engine, instrument, model)]
    if snapshot is not None:
        _calls.check_snapshot(snapshot)
        able = carry.listed(able, kind if isinstance(instrument, type) else instrument, model, snapshot)
    first = {e.method: e for e in reversed(able)}  # a method may ask for either ability
    rows = [(e.method, e.error, e.cost, e.why) for e in able if first[e.method] is e]
    return whole(rows, columns=["method", "error", "cost", "why"])


def _name(model: Any) -> str:
    return model.__name__ if isinstance(model, type) else type(model).__name__


def _first(
    engines: list[Engine], items: list[Any], model: Any, snapshot: Any, options: dict[str, Any]
) -> tuple[Values, Engine]:
    """What the first engine gives that takes the options and does not refuse what its line cannot say: a curve."""
    refusal: Exception | None = None
    lost: set[str] = set()  # options of engines that have refused
    for engine in engines:
        own = _calls.taken(engine, options)
        if lost - set(own):
            continue  # the options were meant for an engine that has refused
        try:
            return carry.run(engine, items, model, snapshot, own), engine
        except (NoEngineError, NumericalError) as error:
            refusal = error
            lost |= set(own)
    assert refusal is not None
    raise refusal


def check_currencies(items: list[Any], snapshot: Snapshot | BasketSnapshot) -> None:
    """Refuse contracts of several currencies, or of another one than the market's."""
    found = {getattr(item, "currency", "") for item in items} | {snapshot.currency}
    named = sorted(name for name in found if isinstance(name, str) and name)
    require(len(named) <= 1, "currency", ", ".join(named), "be one in a call",
            hint="Price each currency under its own snapshot, then convert.")  # fmt: skip


def check_kind(kind: str) -> None:
    """Refuse what is no contract that any engine prices."""
    if not lines_of(kind):
        known = list(dict.fromkeys(e.contract for e in CATALOGUE))
        hint = did_you_mean(kind, known)
        raise NoEngineError(f"instrument must be one of {', '.join(known)}; got {kind}." + (f" {hint}" if hint else ""))


def _of_paths(lines: Sequence[Engine], model: Any) -> str:
    """What to do where a smile is given for a contract that asks how the price moves."""
    able = abilities(model)
    if "paths" in able or not able & {"implied_vol", "implied_vol_at"} or not any(e.needs == "paths" for e in lines):
        return ""
    name = _name(model)
    start = f"{name} says what options cost, not how the price moves."
    if isinstance(getattr(model, "tau", None), tuple):
        return f"{start} Fit a local vol to it in one call: price(contract, models.dupire(surface), snapshot)."
    return (
        f"{start} Fit a model of paths to options of every expiry: calibration.fit(LocalVol, snapshot), "
        "or models.dupire(surface) for a surface."
    )


def choose(item: Any, model: Any, method: str) -> list[Engine]:
    """The engines to try in turn, or NoEngineError with what would do."""
    kind, able = type(item).__name__, engines_for(item, model)
    lines = lines_of(kind)
    check_kind(item.__name__ if isinstance(item, type) else kind)
    if not is_dataclass(item) or isinstance(item, type):
        raise NoEngineError(rule("instrument", "have terms", kind if not isinstance(item, type) else item.__name__,
                                 "Give them: European(strike=100.0, tau=1.0)."))  # fmt: skip
    if method == "auto" and able:
        return able
    available = f"Available: {', '.join(repr(e.method) for e in able) or 'none'}."
    if method == "auto":
        needs = ", ".join(dict.fromkeys(e.needs.removesuffix("_any_sign") for e in lines))
        hint = _of_paths(lines, model) or available
        raise NoEngineError(f"{_name(model)} has none of {needs}, needed to price {kind}. {hint}")
    if not isinstance(method, str) or method not in _METHODS:
        near = did_you_mean(method.lower(), _METHODS) if isinstance(method, str) else ""
        hint = f"{near} {available}".strip()
        raise InputError(rule("method", f"be 'auto' or one of {', '.join(map(repr, _METHODS))}", method, hint))
    for engine in able:
        if engine.method == method:
            return [engine]
    needed = [e.needs for e in lines if e.method == method and e.needs not in abilities(model)]
    if needed:
        hint = f"{available} {_of_paths(lines, model)}".rstrip()
        raise NoEngineError(f"{_name(model)} has no {needed[0]}, needed by '{method}'. {hint}")
    raise NoEngineError(f"'{method}' has no way to price {kind}. {available}")
