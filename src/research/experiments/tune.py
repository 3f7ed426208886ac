"""Optimisation: Optuna proposes parameters, each trial is a run like every other, and every trial is counted.

A tuning is a sweep whose points are found on the way, in batches: the proposals of a batch depend on the seed, their
number and the results of the batches before, so the same seed and batch give the same trials, whether the tuning ran
through or was killed and went on. The search space comes from the notebook's schema (`Annotated` bounds, `Literal`,
bool) or from `-s name=low:high[:log]`. The number of trials of a notebook stands in every summary: the best of many
looks better than it is, and the tests for overfitting need that number.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from research.errors import MissingExtraError, ParameterError, require, rule
from research.experiments import notebooks
from research.experiments.schema import Schema
from research.experiments.sweep import scheduler
from research.experiments.sweep.design import search_range, uniforms
from research.experiments.sweep.ledger import DONE, Ledger, Point
from research.experiments.sweep.points import derived_seed
from research.experiments.sweep.spec import Spec
from research.experiments.sweep.values import Choice, Range, split_word
from research.project import Project

SAMPLERS = ("tpe", "random", "sobol")


def spec_from_words(
    notebook: str,
    schema: Schema,
    *,
    space: Iterable[str] = (),
    fixed: Mapping[str, Any] | None = None,
    metric: str,
    goal: str = "min",
    trials: int = 50,
    sampler: str = "tpe",
    seed: int = 1,
    batch: int = 1,
) -> Spec:
    """What a tuning asks; without `space` every parameter that has both bounds, choices, or is a bool is searched."""
    require(sampler in SAMPLERS, "sampler", sampler, f"be one of {', '.join(SAMPLERS)}", error=ParameterError)
    pairs = [split_word(word, "-s") if "=" in word else (word, None) for word in space]
    ranges: dict[str, Any] = dict(pairs) or dict.fromkeys(_searchable(schema, fixed or {}))
    if not ranges:
        hint = "Write -s NAME=LOW:HIGH, or Annotated[float, Ge(LOW), Le(HIGH)] in the notebook."
        raise ParameterError(rule("the search space", "have at least one parameter", "none", hint))
    for name, given in ranges.items():
        search_range(name, given, schema)
    schema.check(dict(fixed or {}))
    design = {"kind": "tune", "ranges": ranges, "sampler": sampler, "seed": seed, "trials": trials, "batch": batch}
    return Spec(notebook=notebook, designs=(design,), fixed=dict(fixed or {}), metric=metric, goal=goal)


def _searchable(schema: Schema, fixed: Mapping[str, Any]) -> list[str]:
    from research.experiments.runner import is_seed

    found = []
    for name in schema.names:
        if name in fixed or is_seed(name):
            continue
        try:
            search_range(name, None, schema)
        except ParameterError:
            continue
        found.append(name)
    return found


def tune(spec: Spec, project: Project, start: scheduler.Start, *, watch: scheduler.Watcher | None = None) -> Ledger:
    """Search for the parameters that are best by the metric of `spec`."""
    if spec.designs[0]["sampler"] == "tpe":
        _optuna()
    notebook = notebooks.read(project.root / spec.notebook)
    varied = list(spec.designs[0]["ranges"])
    more = {"notebook_digest": notebook.digest, "varied": varied}
    ledger = Ledger.create(project, spec, None, kind="tune", more=more)
    resume(ledger, start, watch=watch)
    return ledger


def resume(
    ledger: Ledger, start: scheduler.Start, *, watch: scheduler.Watcher | None = None, trials: int | None = None
) -> Ledger:
    """Go on with a tuning, to `trials` in all when given."""
    scheduler.refuse_changed(ledger)
    design = ledger.spec["designs"][0]
    wanted = trials or int(design["trials"])
    notebook = notebooks.read(ledger.project.root / ledger.notebook)
    schema = notebook.schema()
    with ledger.scheduling(), scheduler.at_work(ledger, start, total=wanted) as worker:
        worker.run(watch)
        while (known := len(ledger.points())) < wanted:
            ledger.add_many(known, propose(ledger, schema, min(int(design["batch"]), wanted - known)))
            worker.run(watch)
        if watch is not None:
            watch(worker.progress)
    return ledger


def propose(ledger: Ledger, schema: Schema, count: int) -> list[dict[str, Any]]:
    """The next `count` points, complete parameters each; the same whenever they are asked for."""
    design, points = ledger.spec["designs"][0], ledger.points()
    space = {name: search_range(name, r, schema) for name, r in design["ranges"].items()}
    if design["sampler"] == "tpe":
        found = _by_tpe(space, points, count, int(design["seed"]), ledger.goal)
    else:
        rows = uniforms(design["sampler"], len(points) + count, len(space), int(design["seed"]))[len(points) :]
        found = [{name: part.at(u) for (name, part), u in zip(space.items(), row)} for row in rows]
    return [schema.check({**ledger.spec["fixed"], **one}).to_json() for one in found]


def _by_tpe(
    space: Mapping[str, Range | Choice], points: list[Point], count: int, seed: int, goal: str
) -> list[dict[str, Any]]:
    """Proposals of a tree-structured Parzen estimator that knows the points before its batch."""
    optuna = _optuna()
    ranges = {name: _distribution(optuna, part) for name, part in space.items()}
    study = optuna.create_study(direction="minimize" if goal == "min" else "maximize")
    for point in points:
        known = point.state == DONE and point.value is not None
        study.add_trial(
            optuna.trial.create_trial(
                params={name: point.parameters[name] for name in ranges},
                distributions=ranges,
                value=point.value if known else None,
                state=optuna.trial.TrialState.COMPLETE if known else optuna.trial.TrialState.FAIL,
            )
        )
    out = []
    for number in range(len(points), len(points) + count):
        own = derived_seed(seed, {}, number)
        study.sampler = optuna.samplers.TPESampler(seed=own, constant_liar=True, multivariate=True)
        out.append(dict(study.ask(ranges).params))
    return out


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("tuning needs Optuna: pip install 'research[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def _distribution(optuna: Any, space: Range | Choice) -> Any:
    if isinstance(space, Choice):
        return optuna.distributions.CategoricalDistribution(space.options)
    if space.whole:
        return optuna.distributions.IntDistribution(int(space.low), int(space.high), log=space.log)
    return optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)
