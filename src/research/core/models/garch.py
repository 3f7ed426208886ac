"""GARCH(1,1): the conditional variance and the Gaussian log-likelihood of a series.

    x_t = mu + e_t,    e_t = sqrt(h_t) z_t,    h_{t+1} = omega + alpha e_t^2 + beta h_t

The first variance takes the unseen e_0^2 and h_0 as `initial`, so h_1 = omega + (alpha + beta) initial. With
initial <= 0 it is the sample mean of e_t^2, which moves with mu, as in the benchmark of Fiorentini et al. (1996).

References
----------
Bollerslev (1986), J. of Econometrics 31, 307-327.
Fiorentini, Calzolari, Panattoni (1996), J. of Applied Econometrics 11, 399-417.
"""

from __future__ import annotations

from research.arrays import Float1D
from research.core._jit import kernel
from research.core.math.elementary import log

LOG_2PI = 1.8378770664093454836


@kernel
def garch_initial(x: Float1D, mu: float, initial: float) -> float:
    """The variance that stands for the unseen past: `initial`, or the mean squared residual if that is <= 0."""
    if initial > 0.0:
        return initial
    total = 0.0
    for t in range(x.size):
        total += (x[t] - mu) * (x[t] - mu)
    return total / x.size


@kernel
def garch_variances(x: Float1D, mu: float, omega: float, alpha: float, beta: float, initial: float, h: Float1D) -> None:
    """Fill h[t] with the variance of x[t] given what came before; h has one more entry, the forecast."""
    h[0] = omega + (alpha + beta) * garch_initial(x, mu, initial)
    for t in range(x.size):
        e = x[t] - mu
        h[t + 1] = (omega + alpha * (e * e)) + beta * h[t]


@kernel
def garch_log_likelihood(x: Float1D, mu: float, omega: float, alpha: float, beta: float, initial: float) -> float:
    """Sum over t of the log density of x[t] given what came before."""
    h = omega + (alpha + beta) * garch_initial(x, mu, initial)
    total = 0.0
    for t in range(x.size):
        e2 = (x[t] - mu) * (x[t] - mu)
        total += log(h) + e2 / h
        h = (omega + alpha * e2) + beta * h
    return -0.5 * (total + x.size * LOG_2PI)
