"""COS: put values from the Fourier cosine series of the density of log(S_T / F) on a truncated range.

    put = K sum' Re[phi(u_k) exp(-i u_k low)] U_k,   u_k = k pi / width,   range [low, low + width],

U_k the cosine coefficients of max(1 - e^y, 0) with y = log(S_T / K). One characteristic function serves every strike
of an expiry; the angles of a strike are turned from term to term by a rotation that is renewed every 32 terms.

References
----------
Fang, Oosterlee (2008), "A novel pricing method for European options based on Fourier-cosine series expansions",
SIAM J. Scientific Computing 31, 826-848, eqs. (19), (22)-(24).
"""

from __future__ import annotations

from math import pi

import numpy as np
from numba import prange

from research.arrays import Float1D
from research.core._jit import parallel
from research.core.math.elementary import exp, sincos
from research.core.models.levy import levy_cf

_RENEW = 32


@parallel
def cosine_puts(
    kind: int, p: Float1D, tau: float, low: float, width: float, n_terms: int, k: Float1D, out: Float1D
) -> None:
    """Fill out[i] with the undiscounted put over the strike, at k[i] = log(K / F); both of shape (n,).

    `low` and `low + width` bound log(S_T / F).
    """
    weight = np.empty(n_terms)
    for j in range(n_terms):
        u = pi * j / width
        re, im = levy_cf(kind, u, tau, p)
        s, c = sincos(u * low)
        weight[j] = re * c + im * s
    weight[0] *= 0.5
    for i in prange(k.size):
        start = low - k[i]  # the range of y = log(S_T / K)
        stop = min(max(0.0, start), start + width)  # the put ends at y = 0
        grown, floor = exp(stop), exp(start)
        sine_step, cosine_step = sincos(pi * (stop - start) / width)
        s, c, total = 0.0, 1.0, 0.0
        for j in range(n_terms):
            if j % _RENEW == 0:
                s, c = sincos(pi * j * (stop - start) / width)
            u = pi * j / width
            psi = s / u if j > 0 else stop - start
            chi = (c * grown - floor + u * s * grown) / (1.0 + u * u)
            total += weight[j] * (psi - chi)
            s, c = s * cosine_step + c * sine_step, c * cosine_step - s * sine_step
        out[i] = total * 2.0 / width
