"""Numbers, times and digests as people read them."""

from __future__ import annotations

import html
import math
import re
from datetime import UTC, datetime
from typing import Any

_ACRONYMS = {
    "ewma": "EWMA",
    "garch": "GARCH",
    "var": "VaR",
    "svi": "SVI",
    "dax": "DAX",
    "heston": "Heston",
    "rmse": "RMSE",
    "sse": "SSE",
}
_UNITS = {"1": "", "count": "", "decimal": ""}


def number(value: Any, digits: int = 5) -> str:
    """Short, thousands separated, a true minus sign; text stays as it is.

    Examples
    --------
    >>> number(1234567), number(0.000123456789), number(-0.5), number("nan")
    ('1,234,567', '1.2346e−4', '−0.5', 'not a number')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return {"nan": "not a number", "inf": "∞", "-inf": "−∞"}.get(value, value)
    if isinstance(value, float) and not math.isfinite(value):
        return number(str(value))
    if isinstance(value, (int, float)):
        if value == int(value) and abs(value) < 1e15:
            return f"{int(value):,}".replace("-", "−")
        return _decimal(float(value), digits)
    return str(value)


def _decimal(value: float, digits: int) -> str:
    if abs(value) < 1e-3 or abs(value) >= 1e9:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def quantity(value: Any, unit: str = "", digits: int = 5) -> str:
    """A number with its unit: 12.3 bp."""
    shown = _UNITS.get(unit, unit)
    return f"{number(value, digits)} {shown}".rstrip()


def duration(seconds: float | None) -> str:
    """0.42 s, 12 s, 3 min 5 s."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def when(text: str | None) -> str:
    """22 Nov 2026, 06:33 UTC."""
    if not text:
        return "–"
    return f"{parsed(text):%d %b %Y, %H:%M} UTC".lstrip("0")


def parsed(text: str) -> datetime:
    """The moment behind an ISO text; UTC where it names no zone."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def short(digest: str | None, length: int = 12) -> str:
    """The beginning of a digest; a dash for none."""
    return digest[:length] if digest else "–"


def inline(markdown: str) -> str:
    """Bold and code of a markdown line as HTML; everything else as text.

    Examples
    --------
    >>> inline("**Reads.** `a_b` & c")
    '<b>Reads.</b> <code>a_b</code> &amp; c'
    """
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(markdown, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", shown)


def words(name: str) -> str:
    """A name of code as people write it.

    Examples
    --------
    >>> words("filtered_historical"), words("exceptions/ewma 97.5pct"), words("smallest_p_value")
    ('Filtered historical', 'Exceptions, EWMA 97.5%', 'Smallest p-value')
    """
    plain = name.replace("_", " ").replace("/", ", ").replace("p value", "p-value")
    plain = re.sub(r"(?<=\d) ?pct\b", "%", plain)
    text = re.sub(r"[A-Za-z]+", lambda found: _ACRONYMS.get(found[0], found[0]), plain)
    return text[:1].upper() + text[1:]


def unit_beside(name: str, unit: str) -> str:
    """The unit to write behind a value, unless the name says it: days 4,030, tests_passed 38."""
    return "" if unit in re.split(r"[^a-z]+", name.lower()) else _UNITS.get(unit, unit)


def label(name: str, unit: str) -> str:
    """A metric's name in words, without the unit that stands beside its value.

    Examples
    --------
    >>> label("rmse_bp", "bp of volatility"), label("days", "days")
    ('RMSE', 'Days')
    """
    stem, _, last = name.rpartition("_")
    return words(stem if stem and last == unit.split(" ")[0] else name)
