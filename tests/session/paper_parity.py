"""A paper session and a backtest over the same bars, and what must be alike in both."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading.backtest.engine import Sleeve, backtest
from trading.backtest.feed import BarFeed
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.execution.broker_desk import Patience
from trading.execution.brokers.paper import PaperBroker
from trading.session.clock import ReplayClock
from trading.session.home import SessionHome
from trading.session.ledger import ORDER_COLUMNS, SessionLedger
from trading.session.settings import SessionSettings
from trading.session.sources import ReplaySource
from trading.session.trading_session import TradingSession

QUICK = Patience(timeout=10.0, settle=0.0, retries=0, retry_delay=0.0)


def make_session(
    home: SessionHome,
    sleeves: Sequence[Sleeve],
    feed: BarFeed,
    settings: SessionSettings,
    **more: Any,
) -> TradingSession:
    """Return a session over a feed on the paper broker."""

    def broker(symbols: tuple[str, ...]) -> PaperBroker:
        return PaperBroker(
            home.broker_file, symbols, settings.execution, settings.paper, power_safe=False
        )

    source = ReplaySource(feed)
    return TradingSession(
        home, sleeves, settings, source, broker, ReplayClock(), patience=QUICK, **more
    )


def run_paper(
    path: Path, sleeves: Sequence[Sleeve], feed: BarFeed, settings: SessionSettings, **more: Any
) -> SessionLedger:
    """Run a session to the end of its bars and return what it did."""
    home = SessionHome(path)
    with home.locked():
        asyncio.run(make_session(home, sleeves, feed, settings, **more).run())
    return SessionLedger(home)


def run_backtest(
    sleeves: Sequence[Sleeve], feed: BarFeed, settings: SessionSettings
) -> BacktestResult:
    """Run the backtest of the same."""
    plain = BacktestSettings(execution=settings.execution, risk=settings.risk, sizer=settings.sizer)
    return backtest(sleeves, feed, plain)


def assert_alike(ledger: SessionLedger, result: BacktestResult) -> None:
    """Same orders, same fills, same limits, same account after every bar, to the last digit."""
    ours, theirs = ledger.orders, result.orders[list(ORDER_COLUMNS)].copy()
    # Of an order that a split leaves nothing of, the order manager keeps what it was before.
    split = (theirs["reason"] == "split").to_numpy()
    terms = ["quantity", "filled_quantity", "limit_price", "stop_price"]
    theirs.loc[split, terms] = ours.loc[split, terms].astype(float)
    pd.testing.assert_frame_equal(_plain(ours), _plain(theirs), check_dtype=False, check_exact=True)
    fills = result.fills[list(ledger.fills.columns)]
    # A session keeps its fills by order.
    fills = fills.sort_values(["order_number", "timestamp"], kind="stable").reset_index(drop=True)
    ours = ledger.fills.sort_values(["order_number", "timestamp"], kind="stable")
    pd.testing.assert_frame_equal(
        _plain(ours.reset_index(drop=True)), _plain(fills), check_dtype=False, check_exact=True
    )
    pd.testing.assert_frame_equal(
        _plain(ledger.risk_events), _plain(result.risk_events), check_dtype=False, check_exact=True
    )
    curve = ledger.curve
    for name in ("equity", "cash", "gross", "net"):
        np.testing.assert_array_equal(
            curve[name].to_numpy(dtype=np.int64), getattr(result.curve, name), err_msg=name
        )


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of objects that compare by value: text, floats, and seconds."""
    plain = {}
    for name in frame.columns:
        column = frame[name]
        if name == "timestamp":
            plain[name] = [int(pd.Timestamp(stamp).timestamp()) for stamp in column]
        elif name in ("limit_price", "stop_price"):
            plain[name] = column.astype(float).to_numpy()
        else:
            plain[name] = column.to_numpy(dtype=object)
    return pd.DataFrame(plain)
