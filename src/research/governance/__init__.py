"""Governance: nothing reaches production without signatures over its evidence, by people who did not make it.

| Question | Function | Where |
|---|---|---|
| What may this model be used for? | `load_card(folder, name)` | inventory |
| Who may do what, and what does a step need? | `load_rules(folder)`, `NEEDS` | rules, needs |
| Who is who, with which key? | `load_people(path)` | roles |
| Who made it? | `author_set(...)` | authorship |
| Take a step | `submit`, `validate`, `approve`, `promote`, `retire` | promotion |
| What holds, what held, what was known? | `open_office(realm).register(effective=, known=)` | office, lifecycle |
| What was signed? | `Ledger`, `sign`, `verify` | ledger, signatures |
| Which files are approved? | `build`, `problems`, `changed_modules` | payload |
| What made what? | `of_run`, `of_model`, `overview` | provenance |
| Is everything still what it was? | `verify(project, head=)` | audit |
| Show it | `promote_demo(run)` | demo |

Cards, rules and people are files under `governance/` that officers review; ledgers, payloads and keys of the demo lie
under `mlruns/`. This room knows no finance and no MLflow: a scorer is a name, the registry a projection.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Office": "office",
    "open_office": "office",
    "Realm": "realm",
    "Signer": "promotion",
    "submit": "promotion",
    "validate": "promotion",
    "approve": "promotion",
    "promote": "promotion",
    "retire": "promotion",
    "promote_demo": "demo",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"research.governance.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'research.governance' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
