"""A value looked at on n even days, day by day backwards: normal steps between Gauss-Legendre panels of one length.

On panels of one length the matrix of a step is made of few small blocks: that from panel p to panel p + d depends on d
alone, and is nothing beyond some steps. With G what a day is worth, A the normal step inside, c what a step out of the
corridor pays and b the value at the edge, which a step out at the edge takes along (a lookback's new extreme),

    v <- G (A v + c + b(v) q),    b <- G (a v + c_0 + b q_0).
"""

from __future__ import annotations

from research.arrays import Float1D, Float2D, Int2D
from research.core._jit import kernel

POINTS = 16  # of a panel


@kernel
def step_back(
    windows: Int2D, first: int, blocks: Float2D, growth: float, paid: Float1D, lift: Float1D, edge: Float1D,
    value: Float1D, spare: Float1D, ends: Float1D,
) -> None:  # fmt: skip
    """Take `value` (POINTS nodes a panel) some days back, in place: each for the panels windows[i, 0] to windows[i, 1].

    blocks[d * POINTS + j] is the row of weights of node j of panel p + first + d for all nodes of panel p; paid is c,
    lift q, edge a, ends (b, c_0, q_0) of which b is written.
    """
    n_panels, reach = value.size // POINTS, blocks.shape[0] // POINTS
    for i in range(windows.shape[0]):
        start, stop = windows[i, 0], windows[i, 1]
        b = 0.0
        for j in range(edge.size):
            b += edge[j] * value[j]
        b = growth * (b + ends[1] + ends[0] * ends[2])
        for p in range(start, stop):
            row = spare[p * POINTS : (p + 1) * POINTS]
            there, more = paid[p * POINTS : (p + 1) * POINTS], lift[p * POINTS : (p + 1) * POINTS]
            for m in range(POINTS):
                row[m] = there[m] + ends[0] * more[m]
            for d in range(max(0, -first - p), min(reach, n_panels - first - p)):
                at = (p + first + d) * POINTS
                for j in range(0, POINTS, 4):
                    x0, x1, x2, x3 = value[at + j], value[at + j + 1], value[at + j + 2], value[at + j + 3]
                    k = d * POINTS + j
                    w0, w1, w2, w3 = blocks[k], blocks[k + 1], blocks[k + 2], blocks[k + 3]
                    for m in range(POINTS):
                        row[m] += (x0 * w0[m] + x1 * w1[m]) + (x2 * w2[m] + x3 * w3[m])
        for m in range(start * POINTS, stop * POINTS):
            value[m] = growth * spare[m]
        ends[0] = b
