"""Chains of prices to surfaces: forwards by parity, what is dropped and why, what fails is kept; simulated chains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from research.errors import DataError, InputError
from research.market import chains_from_quotes, simulate_chains

DAY = pd.Timestamp("2024-03-01")
RATE, CARRY = 0.03, 0.01


def black(forward, strike, std, is_call):
    d1 = np.log(forward / strike) / std + 0.5 * std
    sign = np.where(is_call, 1.0, -1.0)
    return sign * (forward * norm.cdf(sign * d1) - strike * norm.cdf(sign * (d1 - std)))


def chain(days=(30, 90, 365), vol=0.2, day=DAY, spot=100.0, n=9, spread=0.0):
    parts = []
    for d in days:
        t = d / 365.0
        forward = spot * np.exp(CARRY * t)
        strike = np.repeat(forward * np.exp(np.linspace(-1.5, 1.2, n) * vol * np.sqrt(t)), 2)
        is_call = np.tile([True, False], n)
        price = np.exp(-RATE * t) * black(forward, strike, vol * np.sqrt(t), is_call)
        part = pd.DataFrame({"as_of": day, "expiry": day + pd.Timedelta(days=d), "strike": strike, "is_call": is_call})
        if spread:
            wide = [
                np.exp(-RATE * t) * black(forward, strike, (vol + s) * np.sqrt(t), is_call) for s in (-spread, spread)
            ]
            part = part.assign(bid=wide[0], ask=wide[1])
        parts.append(part.assign(price=price, volume=10.0))
    return pd.concat(parts, ignore_index=True)


def test_exact_prices_give_forward_rate_and_vols_back():
    found = chains_from_quotes(chain())
    assert len(found) == 1 and found.failed.empty
    assert found.forwards["zero_rate"].to_numpy() == pytest.approx([RATE] * 3, rel=1e-9)
    expected = 100.0 * np.exp(CARRY * np.array([30, 90, 365]) / 365)
    assert found.forwards["forward"].to_numpy() == pytest.approx(expected, rel=1e-12)
    surface = found.surfaces[0]
    assert surface.n_quotes == 27
    assert np.concatenate([s.vol for s in surface]) == pytest.approx(0.2, rel=1e-10)
    assert set(found.dropped["reason"]) == {"in the money"}


def test_columns_are_renamed_and_letters_read():
    frame = chain().rename(columns={"as_of": "date", "price": "close"})
    frame["type"] = np.where(frame.pop("is_call"), "Call", "p")
    found = chains_from_quotes(frame, columns={"as_of": "date", "price": "close"}, zero_rate=RATE)
    assert found.surfaces[0].n_quotes == 27


def test_every_quote_is_used_or_dropped_with_one_reason():
    frame = chain()
    frame.loc[0, "price"] = np.nan
    frame.loc[4, "volume"] = 0.0
    frame.loc[8, "price"] = 0.0
    frame.loc[10, "price"] = 1e-9  # a put below its intrinsic value, or a call worth nothing
    frame = pd.concat([frame, frame.iloc[[12]]], ignore_index=True)
    frame.loc[len(frame)] = {"as_of": DAY, "expiry": DAY, "strike": 100.0, "is_call": True, "price": 1.0, "volume": 1.0}
    found = chains_from_quotes(frame)
    assert len(found.dropped) + found.surfaces[0].n_quotes == len(frame)
    counts = found.dropped["reason"].value_counts()
    for reason in ("missing", "stale", "no bid", "duplicate", "expired"):
        assert counts[reason] == 1, reason
    assert found.reasons()["share"].sum() == pytest.approx(len(found.dropped) / len(frame))


def test_bid_and_ask_become_weights_and_crossed_quotes_are_dropped():
    frame = chain(spread=0.004)
    frame.loc[5, ["bid", "ask"]] = frame.loc[5, ["ask", "bid"]].to_numpy()
    wide = frame["strike"] < 95.0
    frame.loc[wide, "ask"] += 0.5 * (frame.loc[wide, "ask"] - frame.loc[wide, "bid"])
    found = chains_from_quotes(frame, zero_rate=RATE)
    assert "crossed" in set(found.dropped["reason"])
    weight = np.concatenate([s.weight for s in found.surfaces[0]])
    assert weight.mean() == pytest.approx(1.0)
    low = np.concatenate([s.strike for s in found.surfaces[0]]) < 95.0
    assert weight[low].max() < weight[~low].min()


def test_one_bad_price_moves_neither_forward_nor_rate_and_is_found():
    frame = chain()
    bad = 9
    frame.loc[bad, "price"] *= 1.5
    found = chains_from_quotes(frame, parity_tolerance=0.002)
    assert found.forwards["forward"].to_numpy() == pytest.approx(
        100.0 * np.exp(CARRY * np.array([30, 90, 365]) / 365), rel=1e-6
    )
    off = found.dropped[found.dropped["reason"] == "off put-call parity"]
    assert off["strike"].nunique() == 1 and off["strike"].iloc[0] == frame.loc[bad, "strike"]


def test_expiries_and_days_without_a_smile_are_kept_with_their_reason():
    calls_only = chain(days=(30, 90))
    calls_only = calls_only[(calls_only["expiry"] != calls_only["expiry"].min()) | calls_only["is_call"]]
    dead = chain(day=DAY + pd.Timedelta(days=1)).assign(volume=0.0)
    found = chains_from_quotes(pd.concat([calls_only, dead], ignore_index=True))
    assert [s.as_of for s in found.surfaces] == [DAY.date()]
    assert found.failed["reason"].tolist() == ["no strike with call and put", "no expiry with a smile"]
    assert found.failed["expiry"].isna().tolist() == [False, True]
    thin = chains_from_quotes(chain(n=3), least_quotes=4)
    assert len(thin) == 0 and "3 of at least 4 quotes" in thin.failed["reason"].tolist()


def test_a_frame_that_is_no_chain_is_refused():
    with pytest.raises(DataError, match=r"got none named expiry, price \(or bid and ask\), is_call \(or type\)"):
        chains_from_quotes(pd.DataFrame({"as_of": [DAY], "strike": [1.0]}))
    with pytest.raises(DataError, match=r"quotes\.type must start with C or P; got 'X'"):
        chains_from_quotes(chain().drop(columns="is_call").assign(type="X"))
    with pytest.raises(DataError, match="got none named close"):
        chains_from_quotes(chain(), columns={"price": "close"})
    with pytest.raises(InputError, match="least_pairs must be >= 1; got 0"):
        chains_from_quotes(chain(), least_pairs=0)


def levels(n=12):
    days = pd.bdate_range("2018-01-02", periods=n)
    return pd.Series(np.linspace(2700.0, 2800.0, n), days), pd.Series(np.linspace(12.0, 18.0, n), days)


def test_simulated_chains_say_so_and_hold_what_they_promise():
    made = simulate_chains(*levels(), seed=1)
    assert made.quotes["simulated"].all() and len(made.outages) == 1
    again = simulate_chains(*levels(), seed=1)
    pd.testing.assert_frame_equal(made.quotes, again.quotes)
    assert made.quotes[["bid", "ask"]].isna().any(axis=1).mean() == pytest.approx(0.05, abs=0.02)
    found = chains_from_quotes(made.quotes)
    assert len(found) == 11
    assert pd.Timestamp(found.failed["as_of"].iloc[0]) == made.outages[0]
    both = found.forwards.merge(made.truth, on=["as_of", "expiry"])
    assert (both["forward_x"] / both["forward_y"]).to_numpy() == pytest.approx(1.0, abs=1e-4)


def test_simulated_smiles_are_those_of_the_truth_within_the_noise():
    made = simulate_chains(*levels(), seed=2, stale=0.0, outages=0, missing=0.0)
    found = chains_from_quotes(made.quotes)
    errors = []
    for surface in found.surfaces:
        truth = made.truth[made.truth["as_of"] == pd.Timestamp(surface.as_of)]
        for smile, row in zip(surface, truth.itertuples()):
            x = row.eta / (row.theta**row.gamma * (1 + row.theta) ** (1 - row.gamma)) * smile.log_moneyness
            w = 0.5 * row.theta * (1 + row.rho * x + np.sqrt((x + row.rho) ** 2 + 1 - row.rho**2))
            errors.append(smile.vol - np.sqrt(w / smile.tau))
    errors = np.concatenate(errors)
    assert (
        errors.std() == pytest.approx(0.002, rel=0.25) and abs(errors.mean()) < 1e-3
    )  # mid prices lie above the price at the mid vol


@pytest.mark.parametrize(
    ("options", "message"),
    [({"missing": 1.0}, r"missing must lie in \[0, 1\); got 1"), ({"n_strikes": 2}, "n_strikes must be >= 3; got 2")],
)
def test_a_simulation_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        simulate_chains(*levels(), seed=1, **options)


def rounded(frame, tick):
    return frame.assign(price=np.round(frame["price"] / tick) * tick)


def test_prices_alone_are_weighed_by_their_tick_and_those_of_few_ticks_are_dropped():
    frame = rounded(chain(n=25), 0.05)
    found = chains_from_quotes(frame, zero_rate=RATE)
    assert (found.dropped["reason"] == "below the least price").sum() == (frame["price"] < 0.5 - 1e-9).sum()
    smile = found.surfaces[0].smiles[1]
    d1 = -smile.log_moneyness / (smile.vol * np.sqrt(smile.tau)) + 0.5 * smile.vol * np.sqrt(smile.tau)
    vega = smile.df * smile.forward * np.sqrt(smile.tau) * norm.pdf(d1)
    assert smile.half_spread == pytest.approx(0.025 / vega, rel=1e-9)
    assert smile.weight is not None and np.argmax(smile.weight) == np.argmax(vega)
    every = chains_from_quotes(frame, zero_rate=RATE, least_price=0.0)
    assert every.surfaces[0].n_quotes > found.surfaces[0].n_quotes
    assert chains_from_quotes(frame, zero_rate=RATE, tick=0.0).surfaces[0].smiles[0].weight is None


def test_prices_that_are_not_rounded_have_no_tick():
    found = chains_from_quotes(chain())
    assert all(smile.weight is None and smile.half_spread is None for smile in found.surfaces[0])


def test_a_price_that_stood_still_while_the_forward_moved_is_left_out():
    first, second = chain(n=15), chain(n=15, day=DAY + pd.Timedelta(days=1), spot=104.0)
    second["strike"], second["expiry"] = first["strike"], first["expiry"]
    tau = (second["expiry"] - second["as_of"]).dt.days / 365.0
    forward = 104.0 * np.exp(CARRY * tau)
    second["price"] = np.exp(-RATE * tau) * black(
        forward, second["strike"], 0.2 * np.sqrt(tau), second["is_call"].to_numpy()
    )
    stuck = [12, 40, 70]  # calls out of the money on the second day, as quoted on the first
    stuck = [i for i in stuck if second["is_call"].iloc[i] and second["strike"].iloc[i] > forward.iloc[i]] or [28]
    second.loc[stuck, "price"] = first.loc[stuck, "price"]
    found = chains_from_quotes(pd.concat([first, second], ignore_index=True), zero_rate=RATE)
    still = found.dropped[found.dropped["reason"] == "unchanged while the forward moved"]
    assert len(still) == len(stuck) and (still["as_of"] == second["as_of"].iloc[0]).all()
    assert still["strike"].tolist() == second["strike"].iloc[stuck].tolist()
    quiet = first.assign(as_of=first["as_of"] + pd.Timedelta(days=1))  # nothing moved: the same prices are news
    same = chains_from_quotes(pd.concat([first, quiet], ignore_index=True), zero_rate=RATE)
    assert "unchanged while the forward moved" not in set(same.dropped["reason"])
