"""A term by the name that other libraries give it is refused with ours."""

import pytest

from research.errors import InputError
from research.instruments import Asian, Autocallable, Barrier, European
from research.models import BlackScholes, Heston

CALL_OR_PUT = "Write is_call=True for a call, is_call=False for a put."


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: European(strike=100.0, tau=1.0, option_type="put"), CALL_OR_PUT),
        (lambda: European(strike=100.0, maturity=1.0), "Here it is tau."),
        (lambda: European(K=100.0, tau=1.0), "Here it is strike."),
        (lambda: Asian(strike=100.0, observations=(0.5, 1.0)), "Here it is fixings."),
        (lambda: Barrier(strike=9.0, barrier=8.0, direction="down", barrier_type="out", tau=1.0), "Here it is knock."),
        (lambda: Autocallable(s0=100.0, observations=(1.0,), knock_out=1.03, coupon=0.1), "Here it is initial."),
        (lambda: BlackScholes(volatility=0.2), "Here it is sigma."),
        (lambda: Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, correlation=-0.7), "Here it is rho."),
    ],
)  # fmt: skip
def test_the_name_a_newcomer_writes_is_answered_with_ours(call, hint):
    with pytest.raises(InputError) as refused:
        call()
    assert str(refused.value).endswith(hint)
    assert refused.value.__suppress_context__  # no TypeError of Python's above it


def test_what_no_library_calls_it_has_no_hint():
    with pytest.raises(InputError, match=r"got 'flavour'\.$"):
        European(strike=100.0, tau=1.0, flavour="vanilla")
