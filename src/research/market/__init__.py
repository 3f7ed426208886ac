"""What the market showed on one day: curves, smiles, surfaces, snapshots, and whether they can be true.

| question | function or class | reference |
|---|---|---|
| what is one unit at time tau worth today? | `DiscountCurve.df` | zero rates, continuously compounded |
| which amounts does the stock pay, and what is lognormal then? | `CashDividends` | Haug, Haug & Lewis (2003) |
| which vols were quoted for one expiry? | `Smile` | |
| ... for every expiry? | `Surface` | |
| everything a calibration needs, checked | `Snapshot`, `build_snapshot`, `flat_snapshot` | |
| do the quotes allow a free lunch? | `find_arbitrage` | Carr & Madan (2005), Gatheral & Jacquier (2014) |
| ... within one expiry, between expiries? | `find_butterflies`, `find_calendars` | |
"""

from research.market.arbitrage import find_arbitrage, find_butterflies, find_calendars
from research.market.curves import DiscountCurve
from research.market.dividends import CashDividends
from research.market.snapshot import Snapshot, build_snapshot, flat_snapshot
from research.market.surface import Smile, Surface

__all__ = [
    "CashDividends",
    "DiscountCurve",
    "Smile",
    "Snapshot",
    "Surface",
    "build_snapshot",
    "find_arbitrage",
    "find_butterflies",
    "find_calendars",
    "flat_snapshot",
]
