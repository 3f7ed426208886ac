"""Every chart draws from plain frames, says what is missing, and shows the numbers it was given."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from research.errors import InputError
from research.evidence import Evidence
from research.report import charts, style

DAYS, STRIKES = (13, 41, 703), np.array([4000.0, 4500.0, 5000.0])


@pytest.fixture
def quotes() -> pd.DataFrame:
    rows = [
        {"days": d, "tau": d / 365, "strike": k, "vol": 0.2 + 1e-5 * abs(k - 4500.0) + 0.1 / d}
        for d in DAYS
        for k in STRIKES
    ]
    frame = pd.DataFrame(rows)
    frame["log_moneyness"] = np.log(frame["strike"] / 4500.0)
    frame["total_variance"] = frame["vol"] ** 2 * frame["tau"]
    frame["g"] = 1.0 - frame["log_moneyness"] ** 2
    frame["residual"] = (frame["strike"] - 4500.0) * 1e-6
    return frame


@pytest.fixture
def backtest() -> pd.DataFrame:
    dates = pd.bdate_range("2007-01-01", "2008-12-31")
    returns = np.full(len(dates), 0.001)
    returns[::50] = -0.03
    frames = [
        pd.DataFrame({"date": dates, "method": m, "level": level, "return": returns, "value_at_risk": v})
        for m, v in (("historical", 0.02), ("ewma", 0.05))
        for level in (0.975, 0.99)
    ]
    return pd.concat(frames, ignore_index=True)


def texts(figure) -> str:
    """Everything written in a figure."""
    import matplotlib.text

    return "\n".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))


def test_each_smile_has_its_own_panel_with_every_quote(quotes):
    figure = charts.smiles(quotes, {"Heston": quotes.assign(vol=0.25)})
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == ["13 days", "41 days", "703 days"]
    market = next(line for line in panels[0].lines if line.get_label() == "market")
    assert market.get_ydata().tolist() == quotes[quotes["days"] == 13]["vol"].tolist()


def test_smiles_match_a_model_by_years_to_quotes_by_days(quotes):
    figure = charts.smiles(quotes.drop(columns="tau"), quotes.drop(columns="days"))
    assert all(len(axes.lines) == 2 for axes in figure.axes[:3])


def test_residuals_stand_in_their_cells_with_sign_and_unit(quotes):
    shown = texts(charts.residual_heatmap(quotes, scale=1e4, unit="bp"))
    assert "+5.0" in shown and "−5.0" in shown and "bp" in shown


def test_surface_shows_every_expiry(quotes):
    shown = texts(charts.surface(quotes))
    assert all(str(day) in shown for day in DAYS)


@pytest.mark.parametrize("chart", [charts.total_variance, charts.durrleman])
def test_slices_are_named_at_their_ends_inside_the_picture(quotes, chart):
    figure = chart(quotes)
    labels = [item for item in figure.axes[0].texts if item.get_text().endswith("days")]
    low, high = figure.axes[0].get_ylim()
    places = sorted(item.get_position()[1] for item in labels)
    assert len(places) == 3
    assert all(low - 1e-9 <= place <= high + 1e-9 for place in places)
    assert min(np.diff(places)) > 0.04 * (high - low)


def test_parameters_show_two_standard_errors():
    table = pd.DataFrame({"name": ["kappa", "rho"], "value": [1.5, -0.7], "std_error": [0.4, math.nan]})
    shown = texts(charts.parameters(table))
    assert "1.5 ± 0.8" in shown and "−0.7" in shown and "nan" not in shown


def test_backtest_counts_the_exceptions_of_each_method(backtest):
    shown = texts(charts.var_backtest(backtest, None, 0.99))
    n = len(pd.bdate_range("2007-01-01", "2008-12-31"))
    bad = math.ceil(n / 50)
    assert f"{bad} exceptions in {n} days" in shown and f"0 exceptions in {n} days" in shown


def test_backtest_takes_a_frame_by_date_without_methods(backtest):
    one = backtest[(backtest["method"] == "ewma") & (backtest["level"] == 0.99)].set_index("date")
    figure = charts.var_backtest(one[["return", "value_at_risk"]])
    assert "0 exceptions" in texts(figure)


def test_two_levels_ask_for_one(backtest):
    with pytest.raises(InputError, match=r"level must be one of \[0\.975, 0\.99\]; got None\."):
        charts.var_backtest(backtest)


def test_unknown_method_names_those_there_are(backtest):
    with pytest.raises(InputError, match=r"method must be one of \['historical', 'ewma'\]; got 'garch'\."):
        charts.var_backtest(backtest, "garch", 0.99)


def test_exceptions_by_year_add_up(backtest):
    figure = charts.exceptions_by_year(backtest, "historical", 0.99)
    counts = [int(item.get_text()) for item in figure.axes[0].texts]
    assert sum(counts) == math.ceil(len(pd.bdate_range("2007-01-01", "2008-12-31")) / 50)


@pytest.mark.parametrize(("n", "yellow", "red"), [(250, 5, 10)])
def test_traffic_light_zones_are_those_of_basel(n, yellow, red):
    """Basel Committee (1996), table 2: green to 4, yellow 5 to 9, red from 10 exceptions in 250 days at 99 %."""
    figure = charts.traffic_light({"green": yellow - 1, "yellow": yellow, "red": red}, n=n)
    spans = [patch.get_x() for patch in figure.axes[0].patches]
    assert spans[1:3] == [yellow - 0.5, red - 0.5]


@pytest.mark.parametrize("n", [100, 1000, 4030])
def test_traffic_light_zones_follow_the_binomial(n):
    figure = charts.traffic_light({"a": 1}, n=n, level=0.99)
    for span, p in zip([patch.get_x() for patch in figure.axes[0].patches][1:3], (0.95, 0.9999)):
        first = round(span + 0.5)
        assert binom.cdf(first, n, 0.01) >= p > binom.cdf(first - 1, n, 0.01)


def test_power_curve_marks_what_was_observed():
    figure = charts.power_curve([0.01, 0.02], {"250 days": [0.05, 0.4]}, null=0.01, observed={"ewma": 0.017})
    assert "EWMA" in texts(figure) and "right model" in texts(figure)


def test_price_differences_mark_those_beyond_the_tolerance():
    frame = pd.DataFrame({"difference": [1e-12, -1e-9, 0.0], "set": ["a", "a", "b"]})
    figure = charts.price_differences(frame, group="set", tolerance=1e-10)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [line.get_ydata().tolist() for line in crosses] == [[1e-9]]


def test_evidence_says_each_verdict_in_words():
    items = [
        Evidence(test="kupiec", verdict="pass", statistic=1.0, threshold=3.8, p_value=0.31, power=0.8),
        Evidence(test="traffic_light", verdict="fail", statistic=12.0, threshold=10.0),
    ]
    shown = texts(charts.evidence(items))
    assert "pass, p = 0.31, power 80%" in shown and "fail" in shown


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"frame must have the columns strike, vol; got \['days'\]\."):
        charts.smiles(pd.DataFrame({"days": [1]}))


def test_a_figure_shows_itself_once_and_is_the_same_bytes_each_time(quotes):
    import sys

    first, second = charts.smiles(quotes), charts.smiles(quotes)
    assert style.png(first) == style.png(second)
    data, size = first._repr_png_()
    assert data[:4] == b"\x89PNG" and size["width"] > 300
    assert size["alt"].startswith("Implied vol")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_pictures_have_a_solid_ground(quotes):
    import io

    from matplotlib.image import imread

    pixels = imread(io.BytesIO(style.png(charts.smiles(quotes))))
    assert pixels.shape[2] == 3 or np.all(pixels[..., 3] == 1.0)
    assert np.all(pixels[0, 0, :3] == 1.0)


def test_charts_leave_the_settings_of_matplotlib_alone(quotes):
    import matplotlib

    before = dict(matplotlib.rcParams)
    charts.smiles(quotes)
    assert dict(matplotlib.rcParams) == before


def test_a_peak_of_g_does_not_hide_what_happens_near_zero(quotes):
    figure = charts.durrleman(quotes.assign(g=[10.9, *[0.4] * (len(quotes) - 1)]))
    assert figure.axes[0].get_ylim()[1] == 2.0
    assert "the largest is 10.9" in texts(figure)
