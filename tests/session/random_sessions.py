"""Random markets, strategies and settings for sessions, all of them reproducible."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from hypothesis import strategies as st
from pydantic import Field

from trading.backtest.engine import Sleeve
from trading.backtest.feed import BarFeed
from trading.market.bars import BarInterval, CorporateAction, CorporateActionType
from trading.market.calendar import sessions_between
from trading.market.market_data import MarketData
from trading.market.panel import Panel
from trading.risk.sizing import build_sizer
from trading.session.settings import SessionSettings
from trading.strategy.base import BaseStrategy, PanelStrategy, Parameters
from trading.strategy.signals import ACTIONS, Signal, Signals

SYMBOLS = ("AAA", "BBB", "CCC", "ÅÄÖ")


class DiceParameters(Parameters):
    """How often, and with which dice."""

    seed: int = 0
    one_in: int = Field(4, ge=1)


def dice(data: MarketData, seed: int, one_in: int) -> tuple[np.ndarray[Any, Any], ...]:
    """Return wishes `(T, N)`, actions and strengths that time and symbol alone decide."""
    stamps = data.timestamps.astype("datetime64[s]").astype(np.uint64)[:, None]
    mixed = stamps * np.uint64(2654435761) + np.arange(len(data.symbols), dtype=np.uint64) * (
        np.uint64(40503)
    )
    mixed = (mixed ^ (mixed >> np.uint64(13))) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(seed * 0xBF58476D1CE4E5B9 % 2**64)
    mixed ^= mixed >> np.uint64(29)
    given = mixed % np.uint64(one_in) == 0
    actions = ((mixed >> np.uint64(8)) % np.uint64(3)).astype(np.int64) - 1
    strengths = ((mixed >> np.uint64(16)) % np.uint64(10) + np.uint64(1)).astype(np.float64) / 10.0
    return given & ~np.isnan(data.close), actions, strengths


class PanelDice(PanelStrategy):
    """A strategy that rolls dice, for every bar at once."""

    name = "panel_dice"
    parameters_type = DiceParameters
    parameters: DiceParameters

    @property
    def lookback(self) -> int:
        return 1

    def signal_panel(self, market_data: MarketData) -> Signals:
        given, actions, strengths = dice(market_data, self.parameters.seed, self.parameters.one_in)
        rows, columns = np.nonzero(given)
        return Signals(
            self.strategy_id,
            market_data.timestamps,
            market_data.symbols,
            rows,
            columns,
            actions[rows, columns].astype(np.int8),
            strengths[rows, columns],
        )


class ShortingDice(PanelDice):
    """The same, and SELL goes short."""

    name = "shorting_dice"
    long_only = False


class PlainDice(BaseStrategy):
    """A strategy written the plain way: the last bar, symbol by symbol."""

    name = "plain_dice"
    parameters_type = DiceParameters
    parameters: DiceParameters

    @property
    def lookback(self) -> int:
        return 3

    async def analyze(self, market_data: MarketData) -> list[Signal]:
        given, actions, strengths = dice(market_data, self.parameters.seed, self.parameters.one_in)
        return [
            Signal(
                market_data.now,
                symbol,
                ACTIONS[int(actions[-1, column])],
                float(strengths[-1, column]),
                self.strategy_id,
            )
            for column, symbol in enumerate(market_data.symbols)
            if given[-1, column]
        ]


def random_feed(seed: int, *, bars: int = 30, per_session: int = 1) -> BarFeed:
    """Return a market with gaps, missing volumes, splits, dividends and a delisting."""
    rng = np.random.default_rng(seed)
    shape = (bars, len(SYMBOLS))
    dates = sessions_between(date(2021, 3, 1), date(2021, 12, 31))[: -(-bars // per_session)]
    close = np.exp(rng.normal(3.5, 0.8, shape[1]) + rng.normal(0, 0.04, shape).cumsum(axis=0))
    opens = close * np.exp(rng.normal(0.0, 0.02, shape))
    high = np.maximum(opens, close) * (1.0 + rng.exponential(0.01, shape))
    low = np.minimum(opens, close) * (1.0 - rng.uniform(0.0, 0.02, shape))
    volume = np.where(rng.random(shape) < 0.05, np.nan, rng.integers(0, 4000, shape) * 10.0)
    gaps = rng.random(shape) < 0.05
    for prices in (opens, high, low, close):
        prices[gaps] = np.nan
    actions = _actions(rng, dates, close.shape[1])
    adjusted = close.copy()
    if per_session == 1:
        panel = Panel(dates[:bars], SYMBOLS, opens, high, low, close, volume, adjusted)
        return BarFeed.from_panel(panel, actions=actions, sectors={"AAA": "x", "BBB": "x"})
    sessions = np.repeat(dates, per_session)[:bars]
    opened = np.timedelta64(15, "h")  # 10:00 in New York in winter, 11:00 in summer.
    minutes = np.tile(np.arange(per_session), len(dates))[:bars].astype("timedelta64[h]")
    stamps = sessions.astype("datetime64[s]") + opened + minutes
    data = MarketData(
        stamps,
        sessions,
        SYMBOLS,
        opens,
        high,
        low,
        close,
        volume,
        adjusted,
        interval=BarInterval.HOUR,
    )
    return BarFeed(data, actions)


def _actions(
    rng: np.random.Generator, dates: np.ndarray[Any, Any], names: int
) -> tuple[CorporateAction, ...]:
    kinds: list[tuple[CorporateActionType, Callable[[], float]]] = [
        (CorporateActionType.SPLIT, lambda: float(rng.choice([2.0, 0.5, 1.5, 0.1, 3.0]))),
        (CorporateActionType.DIVIDEND, lambda: float(rng.uniform(0.01, 2.0))),
        (CorporateActionType.DELISTING, lambda: float(rng.choice([-1.0, -0.3, 0.0]))),
    ]
    found = []
    for kind, value in kinds:
        for _ in range(int(rng.integers(0, 3 if kind is not CorporateActionType.DELISTING else 2))):
            day = dates[int(rng.integers(0, len(dates)))].astype(object)
            symbol = SYMBOLS[int(rng.integers(0, names))]
            found.append(CorporateAction(symbol, day, kind, value()))
    return tuple(found)


def _limit(limit: float, action: str) -> dict[str, Any]:
    return {"limit": limit, "action": action}


ACTION = st.sampled_from(["resize", "reject", "halt"])


@st.composite
def session_settings(draw: st.DrawFn) -> SessionSettings:
    """Settings of every kind of market, account, order and limit."""
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit"]))
    fills = ["next_open", "next_close"] + (["same_close"] if kind == "market" else [])
    risk: dict[str, Any] = {}
    for name, values in (
        ("max_position", [0.1, 0.3]),
        ("max_leverage", [0.5, 1.0]),
        ("max_sector", [0.2]),
        ("max_concentration", [0.05]),
        ("max_var", [0.01]),
        ("max_correlation", [0.2]),
        ("max_daily_trades", [1.0, 2.0]),
    ):
        if draw(st.booleans()) and draw(st.booleans()):
            risk[name] = _limit(draw(st.sampled_from(values)), draw(ACTION))
    risk |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "max_drawdown": st.sampled_from([0.01, 0.1]),
                "stop_loss": st.sampled_from([0.03, 0.2]),
                "take_profit": st.sampled_from([0.05, 0.5]),
                "window": st.just(20),
            },
        )
    )
    execution = {
        "initial_cash": draw(st.sampled_from([10_000, 100_000])),
        "account": draw(st.sampled_from(["cash", "margin"])),
        "fractional": draw(st.booleans()),
        "sizing_base": draw(st.sampled_from(["equity", "initial"])),
        "fill": draw(st.sampled_from(fills)),
        "max_volume_share": draw(st.sampled_from([None, 0.01, 0.2])),
        "order": {
            "type": kind,
            "limit_offset_bps": draw(st.sampled_from([-20.0, 0.0, 50.0])),
            "stop_offset_bps": draw(st.sampled_from([-10.0, 0.0, 50.0])),
            "time_in_force": draw(st.sampled_from(["DAY", "GTC", "IOC", "FOK"])),
        },
        "slippage": {
            "model": draw(st.sampled_from(["none", "fixed", "volume_share", "square_root"]))
        },
        "commission": draw(
            st.sampled_from(
                [
                    {"model": "bps", "rate": 5.0, "minimum": 1.0},
                    {"model": "per_trade", "rate": 1.0},
                    {"model": "per_share", "rate": 0.01, "maximum_share": 0.01},
                    {
                        "model": "tiered",
                        "tiers": [
                            {"from_shares": 0, "per_share": 0.01},
                            {"from_shares": 100, "per_share": 0.002},
                        ],
                    },
                ]
            )
        ),
        "min_trade_usd": draw(st.sampled_from([0.0, 200.0])),
        "max_stale_sessions": 1,
        "delisting_return": -0.5,
    }
    return SessionSettings.model_validate(
        {"execution": execution, "risk": risk, "power_safe": False}
    )


@st.composite
def session_sleeves(draw: st.DrawFn) -> list[Sleeve]:
    """One strategy or two, panel and plain, with sizers of every kind."""
    kinds = draw(
        st.lists(st.sampled_from([PanelDice, ShortingDice, PlainDice]), min_size=1, max_size=2)
    )
    sleeves = []
    for number, kind in enumerate(kinds):
        strategy = kind.build(f"dice-{number}", seed=draw(st.integers(0, 9)), one_in=3)
        sizer = draw(
            st.sampled_from(
                [
                    ("fixed_fraction", {"fraction": 0.4}),
                    ("fixed_fraction", {"fraction": 0.9}),
                    ("volatility_scaled", {"window": 5}),
                    ("risk_parity", {"window": 20}),
                ]
            )
        )
        sleeves.append(Sleeve(strategy, build_sizer(*sizer), 1.0 / len(kinds)))
    return sleeves
