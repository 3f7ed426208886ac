"""Metric and Evidence: what a run measured, and what a test concluded. Plain facts that any floor may hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from research.errors import require

Verdict = Literal["pass", "fail", "not applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number with its unit and the tolerance within which a re-run must reproduce it.

    A re-run r reproduces the value v when |r - v| <= atol + rtol |v|; both zero asks for the same bits.
    """

    value: float
    unit: str = ""
    rtol: float = 0.0  # relative tolerance of a re-run
    atol: float = 0.0  # absolute tolerance of a re-run, in `unit`

    def __post_init__(self) -> None:
        require(self.rtol >= 0.0, "rtol", self.rtol, "be >= 0")
        require(self.atol >= 0.0, "atol", self.atol, "be >= 0")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def metric(value: float, unit: str = "", *, rtol: float = 1e-9, atol: float = 0.0) -> Metric:
    """A metric whose re-run may differ by 1e-9 relative, unless told otherwise."""
    return Metric(value=float(value), unit=unit, rtol=rtol, atol=atol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The outcome of one named test."""

    test: str  # "kupiec", "put_call_parity"
    verdict: Verdict
    statistic: float  # value of the test statistic
    threshold: float  # what it is compared with
    p_value: float | None = None
    power: float | None = None  # probability to reject a stated alternative at this sample size
    n: int | None = None  # sample size
    claim: str = ""  # what is being tested, one sentence
    reference: str = ""  # paper or rule
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict != "fail"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evidence_table(items: list[Evidence]) -> Any:
    """The evidence as a pandas data frame, one row a test."""
    import pandas as pd

    names = ["test", "claim", "statistic", "threshold", "p_value", "power", "n", "verdict", "reference"]
    return pd.DataFrame([{name: getattr(item, name) for name in names} for item in items], columns=names)
