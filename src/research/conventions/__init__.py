"""Market conventions.

| question | function | reference |
|---|---|---|
| how many years between two dates? | `year_fraction` | ISDA 2006 definitions, 4.16 |
| on which days does an exchange trade, or TARGET settle? | `sessions` | exchange_calendars; ECB (1999, 2000) |
| may this stand in a field of a contract, a model, a market? | `check_fields`, `check_vols`, `check_rates` | |
| are two facts that hold arrays the same? | `equal_by_value` | |
| does a function take these options? | `check_call`, `check_names` | |
| when is Easter? | `easter` | Meeus (1991), chapter 8 |
"""

from research.conventions.calendars import calendar_names, easter, sessions, target_holidays
from research.conventions.day_count import year_fraction
from research.conventions.equal import equal_by_value
from research.conventions.fields import (
    check_day,
    check_fields,
    check_kinds,
    check_number,
    check_rates,
    check_terms,
    check_vols,
    named_terms,
    terms_in,
)
from research.conventions.options import check_call, check_names, options_in

__all__ = [
    "calendar_names",
    "check_call",
    "check_day",
    "check_fields",
    "check_kinds",
    "check_names",
    "check_number",
    "check_rates",
    "check_terms",
    "named_terms",
    "check_vols",
    "easter",
    "equal_by_value",
    "options_in",
    "sessions",
    "target_holidays",
    "terms_in",
    "year_fraction",
]
