"""The scorer `heston_surface`: prices European options on one underlying from calibrated Heston parameters.

A notebook declares it with

    record(model={"scorer": "heston_surface", "parameters": {
        "heston": fit.model.to_json(),                    # v0, kappa, theta, sigma, rho
        "as_of": str(snapshot.as_of),                     # ISO date
        "spot": snapshot.spot,                            # price units
        "dividend_yield": snapshot.dividend_yield,        # 1/year, continuously compounded
        "curve": {"tau": [...], "zero_rate": [...]},      # years (ACT/365F); 1/year, continuously compounded
    }})
"""
