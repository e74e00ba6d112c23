"""Scaling of features across names, session by session."""

import numpy as np

from trading.errors import DataError
from trading.features.compute import Features
from trading.features.specification import FEATURES
from trading.universe.liquidity import BoolArray


def rank_to_unit(values: Features, reference: BoolArray) -> Features:
    """Return the rank of each value among the reference names of its session, -1..1.

    -1 is below all of them, 1 above all, 0 their median: twice the share of reference values below
    (ties count half), less one. Ranks are robust to any outlier and keep their scale in any market
    (Gu, Kelly and Xiu, "Empirical Asset Pricing via Machine Learning", 2020). Names outside the
    reference are placed among it. NaN stays NaN, and so does a session without reference values.

    Parameters
    ----------
    values : `(R, N)` float32
    reference : `(R, N)` bool, the names to rank among
    """
    if values.shape != reference.shape:
        raise DataError(f"the reference has shape {reference.shape}, expected {values.shape}")
    ranked = np.full(values.shape, np.nan, dtype=np.float32)
    known = ~np.isnan(values)
    for i, row in enumerate(values):
        among = np.sort(row[reference[i] & known[i]])
        if not len(among):
            continue
        asked = row[known[i]]
        below = np.searchsorted(among, asked, "left") + np.searchsorted(among, asked, "right")
        ranked[i, known[i]] = below / len(among) - 1.0
    return ranked


def scale_features(features: Features, reference: BoolArray) -> Features:
    """Return features `(R, N, 17)` scaled as `FEATURES` says; NaN stays NaN."""
    scaled = features.copy()
    for i, feature in enumerate(FEATURES):
        if feature.scaling == "rank":
            scaled[:, :, i] = rank_to_unit(features[:, :, i], reference)
    return scaled
