"""Market conventions.

| question | function | reference |
|---|---|---|
| how many years between two dates? | `year_fraction` | ISDA 2006 definitions, 4.16 |
"""

from research.conventions.day_count import year_fraction

__all__ = ["year_fraction"]
