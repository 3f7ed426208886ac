"""Central differences on equal steps: weights of `width` points on each side, orders 2 to 8.

References
----------
Fornberg (1988), "Generation of finite difference formulas on arbitrarily spaced grids", Math. Comp. 51, 699-706.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from research.arrays import Float1D

# To one side: of f(0), f(1), ..., the lower order first.
_AHEAD: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((-11 / 6, 3.0, -3 / 2, 1 / 3), (-137 / 60, 5.0, -5.0, 10 / 3, -5 / 4, 1 / 5)),
    2: ((35 / 12, -26 / 3, 19 / 2, -14 / 3, 11 / 12), (15 / 4, -77 / 6, 107 / 6, -13.0, 61 / 12, -5 / 6)),
    3: ((-5 / 2, 9.0, -12.0, 7.0, -3 / 2), (-17 / 4, 71 / 4, -59 / 2, 49 / 2, -41 / 4, 7 / 4)),
}
Values = Callable[[int], Float1D]  # of the number of steps away

# f' by width points on each side: of (f(+k) - f(-k)) / h, k = 1, 2, ...
FIRST: dict[int, tuple[float, ...]] = {
    1: (1 / 2,),
    2: (2 / 3, -1 / 12),
    3: (3 / 4, -3 / 20, 1 / 60),
    4: (4 / 5, -1 / 5, 4 / 105, -1 / 280),
}
# f'': of f(0) and of (f(+k) + f(-k)), over h^2
SECOND: dict[int, tuple[float, tuple[float, ...]]] = {
    1: (-2.0, (1.0,)),
    2: (-5 / 2, (4 / 3, -1 / 12)),
    3: (-49 / 18, (3 / 2, -3 / 20, 1 / 90)),
    4: (-205 / 72, (8 / 5, -1 / 5, 8 / 315, -1 / 560)),
}
# f''': of (f(+k) - f(-k)) / h^3, of order 2 (width - 1)
THIRD: dict[int, tuple[float, ...]] = {
    2: (-1.0, 1 / 2),
    3: (-13 / 8, 1.0, -1 / 8),
    4: (-61 / 30, 169 / 120, -3 / 10, 7 / 240),
}


def _odd(weights: tuple[float, ...], at: Values) -> Any:
    return sum(w * (at(k) - at(-k)) for k, w in enumerate(weights, 1))


def first(at: Values, h: float, width: int) -> Any:
    """f', of order 2 `width`."""
    return _odd(FIRST[width], at) / h


def second(at: Values, h: float, width: int) -> Any:
    """f'', of order 2 `width`."""
    centre, sides = SECOND[width]
    return (centre * at(0) + sum(w * (at(k) + at(-k)) for k, w in enumerate(sides, 1))) / h**2


def third(at: Values, h: float, width: int) -> Any:
    """f''', of order 2 `width` - 2; with width 1 the one-sided difference of first order."""
    if width == 1:
        return (at(2) - 3.0 * at(1) + 3.0 * at(0) - at(-1)) / h**3
    return _odd(THIRD[width], at) / h**3


def ahead(at: Values, h: float, derivative: int, order: int) -> Any:
    """The first, second or third derivative from f(0), f(1), ...: of the lower order (0) or the higher (1).

    h has the sign of the side.
    """
    return sum(w * at(k) for k, w in enumerate(_AHEAD[derivative][order])) / h**derivative


def _both(weights: tuple[float, ...]) -> float:
    return 2.0 * sum(abs(w) for w in weights)


# What an error of 1 in each value may make of a derivative, times h to the order.
FIRST_GRAIN = {width: _both(weights) for width, weights in FIRST.items()}
SECOND_GRAIN = {width: abs(centre) + _both(sides) for width, (centre, sides) in SECOND.items()}
THIRD_GRAIN = {width: _both(weights) for width, weights in THIRD.items()}
AHEAD_GRAIN = {derivative: sum(abs(w) for w in weights[1]) for derivative, weights in _AHEAD.items()}
