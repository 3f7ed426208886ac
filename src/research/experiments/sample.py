"""A random sample of runs, reproduced: the share that is, with an interval that holds what it promises.

The interval is that of Clopper and Pearson: it covers the share of all runs that reproduce with at least the stated
probability, however small the sample. Drawn without replacement; the seed says which runs.

References
----------
Clopper, C. J. and Pearson, E. S. (1934), The use of confidence or fiducial limits illustrated in the case of the
binomial, Biometrika 26(4).
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from research.errors import RefusedError, ResearchError, require
from research.experiments.place import Say
from research.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One run of the sample."""

    run_id: str
    verdict: str  # of the reproduction, or REFUSED
    reproduced: bool
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The share of runs that reproduced, and where the true share lies."""

    population: int
    tried: int
    reproduced: int
    share: float
    lower: float
    upper: float
    level: float
    seed: int
    items: list[Item]

    def sentence(self) -> str:
        return (
            f"{self.reproduced} of {self.tried} reproduced ({self.share:.0%}); drawn from {self.population} approved "
            f"runs with seed {self.seed}; with {self.level:.0%} confidence the share is between {self.lower:.1%} and "
            f"{self.upper:.1%}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def clopper_pearson(hits: int, tried: int, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of `hits` in `tried`.

    Examples
    --------
    >>> [round(x, 4) for x in clopper_pearson(10, 10)]
    [0.6915, 1.0]
    """
    require(0 <= hits <= tried and tried > 0, "hits", hits, f"lie in [0, {tried}]")
    require(0.0 < level < 1.0, "level", level, "lie in (0, 1)")
    from scipy.stats import beta

    half = (1.0 - level) / 2.0
    lower = 0.0 if hits == 0 else float(beta.ppf(half, hits, tried - hits + 1))
    upper = 1.0 if hits == tried else float(beta.ppf(1.0 - half, hits + 1, tried - hits))
    return lower, upper


def reproduce_sample(
    runs: Sequence[str],
    count: int,
    *,
    seed: int | None = None,
    level: float = 0.95,
    fresh_env: bool = False,
    hermetic: bool = False,
    project: Project | None = None,
    say: Say | None = None,
) -> Sample:
    """Reproduce `count` of `runs`, drawn by chance; a run that is refused counts as not reproduced.

    Raises
    ------
    RefusedError
        When there is no run to draw.
    """
    from research.experiments.reproduction import reproduce

    names = sorted(set(runs))
    if not names:
        raise RefusedError("approved runs must be there to be sampled; got none. See research model list.")
    drawn_with = int(dt.date.today().strftime("%Y%m%d")) if seed is None else seed
    drawn = random.Random(drawn_with).sample(names, min(count, len(names)))
    say = say or (lambda text: None)
    items = []
    for number, run in enumerate(drawn, 1):
        say(f"{number} of {len(drawn)}: {run}")
        started = time.monotonic()
        try:
            done = reproduce(run, project=project, fresh_env=fresh_env, hermetic=hermetic, explain=False)
            verdict, good, reason = done.verdict, done.reproduced, _reason(done)
        except ResearchError as error:
            verdict, good, reason = "REFUSED", False, str(error)
        say(f"  {verdict}")
        seconds = round(time.monotonic() - started, 3)
        items.append(Item(run_id=run, verdict=verdict, reproduced=good, seconds=seconds, reason=reason))
    hits = sum(item.reproduced for item in items)
    lower, upper = clopper_pearson(hits, len(items), level=level)
    return Sample(
        population=len(names),
        tried=len(items),
        reproduced=hits,
        share=hits / len(items),
        lower=lower,
        upper=upper,
        level=level,
        seed=drawn_with,
        items=items,
    )


def _reason(done: Any) -> str:
    """The first result that differs, or why there is none."""
    if done.reproduced:
        return ""
    bad = next((item for item in done.results if item.outcome == "DIFFERS"), None)
    return done.message or (f"{bad.kind} {bad.name}: {bad.detail}" if bad else "")
