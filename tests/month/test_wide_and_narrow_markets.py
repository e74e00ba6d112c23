"""Real bars of far too many symbols, and of just enough, from the file to the prepared month."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.config import load_settings
from trading.data.providers import open_provider
from trading.errors import DataError
from trading.market.calendar import sessions_between
from trading.month.backfill import fetch_history, ingest_history
from trading.month.payloads import MonthRun, Prepared, PrepareRequest, ResolveRequest
from trading.month.prepare import load_dataset, prepare
from trading.month.resolve import resolve
from trading.month.resources import Resources
from trading.month.universe import slots_of

pytestmark = pytest.mark.slow
AS_OF = date(2019, 12, 2)
MONTH = MonthRun(
    month="2019-12", as_of=AS_OF, run=1, execution="monthly-2019-12-r1", correlation_id="c"
)


def write_bars(file: Path, symbols: int, sessions: int) -> None:
    """Write bars whose dollar volume falls with the number in the symbol's name."""
    days = sessions_between(date(2015, 1, 2), date(2019, 11, 29))[-sessions:]
    random = np.random.default_rng(3)
    steps = 0.003 * random.standard_normal((symbols, sessions), dtype=np.float32)
    close = 30 * np.exp(np.cumsum(steps, axis=1)).astype(np.float64).ravel()
    volume = np.repeat(1e8 / (1 + np.arange(symbols)) ** 0.6, sessions).round()
    names = np.repeat([f"S{i:05d}" for i in range(symbols)], sessions)
    pd.DataFrame(
        {
            "date": np.tile(days.astype("datetime64[s]"), symbols),
            "symbol": pd.Categorical(names),
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": volume,
            "adjusted_close": close,
        }
    ).to_parquet(file)


def prepared(resources: Resources, file: Path) -> Prepared:
    settings = resources.settings
    fetched, following = fetch_history(open_provider(settings, [file]), settings)
    assert following == AS_OF
    ingest_history(fetched, resources.lake, AS_OF)
    del fetched
    resolved = resolve(ResolveRequest(month=MONTH), resources)
    assert resolved.complete
    assert not resolved.simulated
    return prepare(PrepareRequest(month=MONTH, resolved=resolved), resources)


def test_of_seven_thousand_symbols_the_most_traded_get_the_slots(
    resources: Resources, tmp_path: Path
) -> None:
    write_bars(tmp_path / "bars.parquet", symbols=7000, sessions=510)
    answer = prepared(resources, tmp_path / "bars.parquet")
    universe = resources.settings.universe
    assert answer.active == universe.active == 3000
    assert len(answer.model_dump_json()) < 32 * 1024
    slots = slots_of(resources.data, "2019-12")
    assert len(slots.symbols) == universe.slots
    active = set(slots.active)
    assert len(active & {f"S{i:05d}" for i in range(2600)}) > 2500
    assert not active & {f"S{i:05d}" for i in range(5000, 7000)}
    dataset = load_dataset(answer, resources)
    assert dataset.features.shape[1:] == (3600, 17)
    assert int((dataset.eligible[-1] & dataset.active).sum()) == answer.eligible > 2900


def test_twenty_symbols_are_prepared(resources: Resources, tmp_path: Path) -> None:
    write_bars(tmp_path / "bars.parquet", symbols=20, sessions=510)
    answer = prepared(resources, tmp_path / "bars.parquet")
    assert (answer.active, answer.eligible) == (20, 20)
    dataset = load_dataset(answer, resources)
    assert sum(map(bool, dataset.symbols)) == 20
    assert not dataset.eligible[:, ~dataset.active].any()


def test_too_little_history_is_refused_with_the_number(
    resources: Resources, tmp_path: Path
) -> None:
    write_bars(tmp_path / "bars.parquet", symbols=20, sessions=500)
    with pytest.raises(DataError, match=r"500 sessions .* at least 504 .*min_sessions"):
        prepared(resources, tmp_path / "bars.parquet")


def test_bars_that_end_too_early_are_refused(
    make_resources: Callable[..., Resources], tmp_path: Path
) -> None:
    resources = make_resources(load_settings(environ={}))
    write_bars(tmp_path / "bars.parquet", symbols=20, sessions=510)
    settings = resources.settings
    fetched, _ = fetch_history(open_provider(settings, [tmp_path / "bars.parquet"]), settings)
    ingest_history(fetched, resources.lake, AS_OF)
    later = MONTH.model_copy(update={"month": "2020-01", "as_of": date(2020, 1, 2)})
    with pytest.raises(DataError, match="bars end on 2019-11-29, but 2020-01"):
        resolve(ResolveRequest(month=later, final=True), resources)
