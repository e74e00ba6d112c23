"""Based bars of any interval as they are answered: adjusted as of a day."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd

from trading.data.as_of import Knowledge
from trading.data.parquet import BarColumns
from trading.market.bars import FIELDS, empty_bars


def adjusted_bars(
    based: pd.DataFrame,
    known: Knowledge,
    last: datetime,
    more: Callable[[datetime, datetime], pd.DataFrame],
) -> pd.DataFrame:
    """Return the bars frame of based bars, sorted by symbol and date, as known.

    Parameters
    ----------
    last : the last second of the span that the bars are of
    more : returns the based bars of a later span, for the closes before dividends that lie there
    """
    if based.empty:
        return empty_bars()
    part = _columns(based)
    after = last.date() + timedelta(days=1)
    until = known.closes_until([part], after)
    later = []
    if until > after:
        later = [_columns(more(last + timedelta(seconds=1), _end_of(until - timedelta(days=1))))]
    made = known.applied([part], later)[0]
    return based.drop(columns="basis").assign(**{name: made.values[name] for name in FIELDS})


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59))


def _columns(based: pd.DataFrame) -> BarColumns:
    code, names = pd.factorize(based["symbol"], sort=True)
    return BarColumns(
        based["date"].to_numpy().astype("datetime64[D]"),
        code.astype(np.int64),
        tuple(map(str, names)),
        {name: based[name].to_numpy(dtype=np.float64) for name in FIELDS},
        based["basis"].to_numpy().astype("datetime64[D]"),
    )
