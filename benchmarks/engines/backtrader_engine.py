"""backtrader: one object per symbol and bar, indicators in its vectorised mode (`runonce`).

Orders are `order_target_size` of whole shares sized at the decision. `next_open` is backtrader's
own market order; `same_close` its cheat-on-close, which books the fill when the next bar comes, so
that the curve is marked before trading.
"""

import time

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.case import LONG, SHORT, Case, Outcome, Run, momentum_choice
from benchmarks.market import FIELDS, Market

LOADING = {"seconds": 0.0}


class TimedFeed(bt.feeds.PandasData):
    """A feed that counts the time that reading the frame takes, which is not the engine's."""

    def preload(self) -> None:
        started = time.process_time()
        super().preload()
        LOADING["seconds"] += time.process_time() - started


class Sized(bt.Strategy):
    """What both strategies share: the curve, the sizing, the count of fills."""

    params = (("case", None), ("market", None))

    def __init__(self) -> None:
        self.case: Case = self.p.case
        self.curve: list[float] = []
        self.fills = 0
        self.refused = 0

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            self.fills += 1
        elif order.status in (order.Margin, order.Rejected):
            self.refused += 1

    def worth(self) -> float:
        return self.curve[-1] if self.case.base == "equity" else self.case.initial_cash

    def shares(self, data: bt.feeds.PandasData, weight: float) -> int:
        return int(weight * self.worth() / data.close[0] + 1e-9)

    def mark(self) -> None:
        self.curve.append(self.broker.getvalue())


class Trend(Sized):
    """Buys when the short average crosses above the long one, leaves when it crosses below."""

    def __init__(self) -> None:
        super().__init__()
        self.above = [
            bt.indicators.SMA(data.close, period=SHORT) > bt.indicators.SMA(data.close, period=LONG)
            for data in self.datas
        ]
        self.was = [False] * len(self.datas)

    def prenext(self) -> None:
        self.mark()

    def next(self) -> None:
        self.mark()
        weight = self.case.gross / len(self.datas)
        for number, (data, above) in enumerate(zip(self.datas, self.above, strict=True)):
            now = bool(above[0])
            if now != self.was[number]:
                self.order_target_size(data, self.shares(data, weight) if now else 0)
                self.was[number] = now


class Momentum(Sized):
    """Holds the top decile by 12-1 momentum, chosen on the last session of a month."""

    def __init__(self) -> None:
        super().__init__()
        rows, held = momentum_choice(self.p.market.close, self.p.market.sessions)
        self.choice = dict(zip(rows.tolist(), held, strict=True))

    def next(self) -> None:
        self.mark()
        held = self.choice.get(len(self.curve) - 1)
        if held is None:
            return
        weight = self.case.gross / max(int(held.sum()), 1)
        wanted = [self.shares(data, weight) if held[i] else 0 for i, data in enumerate(self.datas)]
        deltas = [w - self.getposition(d).size for w, d in zip(wanted, self.datas, strict=True)]
        for i in np.argsort(np.array(deltas) > 0, kind="stable"):
            if deltas[i]:
                self.order_target_size(self.datas[i], wanted[i])


def prepare(market: Market, case: Case) -> Run:
    """Return the timed call: `cerebro.run()`, less the time that its feeds take to read."""
    if case.fractional or case.fill == "next_close":
        raise ValueError("backtrader is run with whole shares, same_close or next_open")
    index = pd.DatetimeIndex(market.sessions.astype("datetime64[ns]"))
    frames = [
        pd.DataFrame({name: getattr(market, name)[:, column] for name in FIELDS}, index=index)
        for column in range(market.shape[1])
    ]

    def run() -> Outcome:
        cerebro = bt.Cerebro(stdstats=False, runonce=True, preload=True)
        for frame, symbol in zip(frames, market.symbols, strict=True):
            cerebro.adddata(TimedFeed(dataname=frame), name=symbol)
        broker = cerebro.broker
        broker.setcash(case.initial_cash)
        broker.setcommission(commission=case.commission_bps * 1e-4)
        broker.set_slippage_perc(
            case.slippage_bps * 1e-4, slip_open=True, slip_match=True, slip_out=True
        )
        broker.set_coc(case.fill == "same_close")
        kind = Trend if case.strategy == "trend" else Momentum
        cerebro.addstrategy(kind, case=case, market=market)
        LOADING["seconds"] = 0.0
        found = cerebro.run()[0]
        return Outcome(
            np.array(found.curve),
            found.fills,
            before_trading=case.fill == "same_close",
            refused=found.refused,
            load_seconds=LOADING["seconds"],
        )

    return run
