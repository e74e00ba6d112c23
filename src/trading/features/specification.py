"""The features by name: what each is, from which bars, and how it is scaled.

A change to a formula, a window, a scaling or the order needs a new `FEATURES_VERSION`: models carry
it and refuse features of another version.
"""

from dataclasses import dataclass
from typing import Literal

FEATURES_VERSION = "1"

Scaling = Literal["rank", "as is"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature of a name at a session `d`.

    Attributes
    ----------
    name : the name in every report
    description : what it says, and where it is from
    formula : in terms of p (adjusted close), o, h, l, c (split-adjusted prices), v (shares)
    window : sessions up to and including `d` that it looks at
    scaling : `rank` is the cross-sectional rank of `scaling.rank_to_unit`, -1..1; `as is` keeps
        the value, which is of order one
    """

    name: str
    description: str
    formula: str
    window: int
    scaling: Scaling = "rank"


FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("return_1", "Return of the last session.", "p[d] / p[d-1] - 1", 2),
    FeatureSpec(
        "return_5", "Return of a week: short-term reversal (Lehmann 1990).", "p[d] / p[d-5] - 1", 6
    ),
    FeatureSpec(
        "return_21",
        "Return of a month: short-term reversal (Jegadeesh 1990).",
        "p[d] / p[d-21] - 1",
        22,
    ),
    FeatureSpec("return_63", "Return of a quarter.", "p[d] / p[d-63] - 1", 64),
    FeatureSpec("return_126", "Return of half a year.", "p[d] / p[d-126] - 1", 127),
    FeatureSpec(
        "momentum_252_21",
        "Return of a year without its last month: momentum (Jegadeesh and Titman 1993).",
        "p[d-21] / p[d-252] - 1",
        253,
    ),
    FeatureSpec(
        "rsi_14",
        "Relative strength index (Wilder 1978), 0..100; 50 where the price did not move.",
        "100 U / (U + D); U, D: Wilder means (1/14) of gains and losses of p",
        253,
    ),
    FeatureSpec(
        "macd_histogram",
        "MACD line less its signal, as a share of the price (Appel 1979).",
        "(m - ema9(m)) / p[d]; m = ema12(p) - ema26(p)",
        253,
    ),
    FeatureSpec(
        "bollinger_z_20",
        "Distance from the mean of 20 sessions in standard deviations (Bollinger 2001); 0 where "
        "the price did not move.",
        "(p[d] - mean20(p)) / std20(p), population standard deviation",
        20,
    ),
    FeatureSpec(
        "volatility_21",
        "Realised volatility of a month, daily.",
        "std21(daily returns of p), sample standard deviation",
        22,
    ),
    FeatureSpec(
        "overnight_21",
        "Where the month's return was made: overnight less intraday (Lou, Polk and Skouras 2019).",
        "mean21(ln(o[t] / c[t-1]) - ln(c[t] / o[t]))",
        22,
    ),
    FeatureSpec(
        "volume_shock",
        "A month's volume against the half-year's: moves on unusual volume go on, others reverse "
        "(Llorente, Michaely, Saar and Wang 2002).",
        "ln(mean21(v) / mean126(v))",
        126,
    ),
    FeatureSpec(
        "dollar_volume_21", "Value traded on a usual day: size.", "ln(median21(c v)); USD", 21
    ),
    FeatureSpec(
        "amihud_21",
        "Price move per dollar traded: illiquidity (Amihud 2002).",
        "ln(mean21(abs(daily return) / (c v))), sessions with trades",
        22,
    ),
    FeatureSpec(
        "high_252",
        "Distance from the 52-week high (George and Hwang 2004).",
        "c[d] / max252(h) - 1",
        252,
    ),
    FeatureSpec(
        "new_listing",
        "1 in the first 63 sessions (3 months) of a listing, else 0.",
        "1 if sessions listed < 63 else 0",
        1,
        "as is",
    ),
    FeatureSpec(
        "tenure",
        "Years listed while active (3 at most), years since removal, negative, once archived (-1 "
        "at least); a month is 21 sessions.",
        "min(sessions listed / 252, 3), or -min(sessions removed / 252, 1)",
        1,
        "as is",
    ),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
HISTORY = max(feature.window for feature in FEATURES)
"""Sessions, `d` included, from which on every feature of a listed name is known."""


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """One number about the whole market at a session, given as `(value - centre) / scale`.

    The constants are fixed, so that a calm market and a wild one look different; they are round
    figures of US equities, not fitted to any sample.
    """

    name: str
    description: str
    window: int
    centre: float
    scale: float


CONTEXT_SPECIFICATION: tuple[ContextSpec, ...] = (
    ContextSpec("market_return_1", "Market return of the last session.", 2, 0.0, 0.01),
    ContextSpec("market_return_21", "Market return of a month.", 22, 0.0, 0.05),
    ContextSpec("market_return_63", "Market return of a quarter.", 64, 0.0, 0.10),
    ContextSpec("market_volatility_21", "Annualised volatility of a month.", 22, 0.15, 0.10),
    ContextSpec("market_drawdown_252", "Market below its high of a year.", 253, 0.0, 0.10),
    ContextSpec("breadth_21", "Share of names with a positive return of a month.", 22, 0.5, 0.2),
    ContextSpec(
        "dispersion_21",
        "Interquartile range of the names' returns of a month.",
        22,
        0.10,
        0.05,
    ),
    ContextSpec("market_volume_21", "ln of mean value traded, month over year.", 252, 0.0, 0.2),
)

CONTEXT: tuple[str, ...] = tuple(context.name for context in CONTEXT_SPECIFICATION)
