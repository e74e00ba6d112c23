"""Run what `trading run` was asked for: a paper session on replayed or polled bars."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from trading.backtest.engine import Sleeve
from trading.cli.backtest_options import (
    nested,
    read_assignments,
    read_interval,
    read_strategies,
    spread_over,
)
from trading.cli.backtest_universe import read_universe
from trading.cli.home import Home
from trading.cli.output import DONE, NOTHING_TO_DO, console, print_json
from trading.cli.run import RunOptions
from trading.cli.sectors import read_sectors
from trading.cli.session_status import print_status, status_of
from trading.config import Settings, load_settings
from trading.data.providers import open_provider
from trading.errors import ConfigurationError, RiskError, StrategyError
from trading.execution.broker_desk import Patience
from trading.execution.brokers.paper import PaperBroker
from trading.market.bars import BarInterval
from trading.market.calendar import FIRST_DAY
from trading.market.panel import Panel
from trading.risk.sizing import build_sizer
from trading.session.clock import Clock, ReplayClock, SystemClock
from trading.session.home import SessionHome
from trading.session.intraday import IntradaySource
from trading.session.ledger import SessionLedger, known_symbols
from trading.session.settings import SessionSettings
from trading.session.sources import PolledSource
from trading.session.store import CurvePoint
from trading.session.trading_session import TradingSession

SECTIONS = frozenset(SessionSettings.model_fields)
# The paper broker answers at once: a second look need not wait.
PATIENCE = Patience(settle=0.0)


def session_home(home: Path | None) -> SessionHome:
    """Return the folder of the session: the one that was named, else `paper` below the home."""
    return SessionHome(home or Home.from_environment().path / "paper")


def run_session(options: RunOptions) -> int:
    """Run a session to the end of its bars and return the exit code."""
    _require_paper(options)
    requests = read_strategies(options.strategies, options.params)
    general, settings = read_settings(options)
    home = session_home(options.home)
    clock: Clock = SystemClock() if options.every is not None else ReplayClock(options.speed)
    with home.locked():
        sectors = read_sectors(options.sectors, settings.risk)
        source = _source(options, general, clock, home, sectors)
        spread = spread_over(settings.sizer, len(source.symbols))
        settings = settings.model_copy(update={"sizer": spread})
        sleeves = [Sleeve(one.build(), _sizer(settings), one.fraction) for one in requests]
        exchange = general.data.exchange

        def broker_for(symbols: tuple[str, ...]) -> PaperBroker:
            return PaperBroker(
                home.broker_file,
                symbols,
                settings.execution,
                settings.paper,
                exchange=exchange,
                power_safe=settings.power_safe,
            )

        with console.status("reading bars") as status:

            def tell(point: CurvePoint) -> None:
                status.update(f"{point.session}  equity {point.equity / 1e6:,.2f} USD")

            session = TradingSession(
                home,
                sleeves,
                settings,
                source,
                broker_for,
                clock,
                start=options.first,
                end=options.last,
                exchange=exchange,
                patience=PATIENCE,
                on_bar=tell,
            )
            summary = asyncio.run(session.run())
    found = status_of(SessionLedger(home), home) | {
        "bars": summary.bars,
        "source": source.name,
        "simulated": source.simulated,
    }
    if options.as_json:
        print_json(found)
    else:
        if source.simulated:
            console.print("on a [bold]SIMULATED[/] market")
        print_status(found)
    return DONE if summary.bars else NOTHING_TO_DO


def read_settings(options: RunOptions) -> tuple[Settings, SessionSettings]:
    """Return the general settings, and those of the session: paper.yaml, then the options.

    Raises
    ------
    ConfigurationError
        With every mistake.
    """
    assigned = read_assignments(options.sets, "--set")
    ours = {name: value for name, value in assigned.items() if name.split(".")[0] in SECTIONS}
    others = {name: value for name, value in assigned.items() if name not in ours}
    if options.sizer is not None:
        ours["sizer.name"] = options.sizer
    for name, value in read_assignments(options.sizer_params, "--sizer-param").items():
        ours[f"sizer.parameters.{name}"] = value
    profile = os.environ.get("TRADING_PROFILE") or "paper"
    overrides = nested(others) | {"session": nested(ours)}
    general = load_settings(profile, overrides)
    try:
        return general, SessionSettings.model_validate(general.session)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError(
            "the session's settings are invalid: " + "; ".join(lines)
        ) from error


def _require_paper(options: RunOptions) -> None:
    if options.mode == "live":
        raise ConfigurationError(
            "no live broker is configured, so nothing can be traded live; "
            "run the same command with --mode paper"
        )
    if options.mode != "paper":
        raise ConfigurationError(f"--mode {options.mode}: expected paper or live")
    read_interval(options.bar_length)
    if options.first and options.last and options.first > options.last:
        raise ConfigurationError(f"--from {options.first} lies after --to {options.last}")
    if options.every is not None and (options.every <= 0 or options.speed is not None):
        raise ConfigurationError(
            "--every takes minutes above 0, and no --speed: it waits for bars of the present"
        )


def _sizer(settings: SessionSettings) -> Any:
    try:
        return build_sizer(settings.sizer.name, settings.sizer.parameters)
    except (StrategyError, RiskError) as error:
        raise ConfigurationError(str(error)) from error


def _source(
    options: RunOptions,
    general: Settings,
    clock: Clock,
    home: SessionHome,
    sectors: Mapping[str, str],
) -> PolledSource | IntradaySource:
    """Return the source of bars with its universe: the session's own, if it has begun."""
    known = known_symbols(home)
    universe = read_universe(options.universe)
    if options.interval is not BarInterval.DAY:
        return _intraday_source(options, clock, known or universe.symbols, universe.top, sectors)
    # The month needs many names; bars that were named are traded, be they of one.
    few = general.data.model_copy(update={"min_symbols": 1}) if options.bars else general.data
    provider = open_provider(general.model_copy(update={"data": few}), options.bars)
    source = PolledSource(
        provider,
        clock,
        start=FIRST_DAY,
        every=_every(options),
        exchange=general.data.exchange,
        sectors=sectors,
    )
    if known:
        source.restrict(known)
        return source
    if universe.top is None and universe.symbols is None:
        asyncio.run(source.look())
        return source
    data = asyncio.run(source.look()).data
    fields = ("open", "high", "low", "close", "volume", "adjusted_close")
    panel = Panel(data.sessions, data.symbols, **{name: getattr(data, name) for name in fields})
    first = np.datetime64(options.first or data.sessions[0].item(), "D")
    source.restrict(universe.members(panel, int(np.searchsorted(data.sessions, first))))
    return source


def _intraday_source(
    options: RunOptions,
    clock: Clock,
    symbols: Sequence[str] | None,
    top: int | None,
    sectors: Mapping[str, str],
) -> IntradaySource:
    if not options.bars or top is not None:
        raise ConfigurationError(
            f"--interval {options.interval} needs --bars FILE... and a list of symbols or all: the "
            "simulated market and the ranking of names are daily"
        )
    source = IntradaySource(
        options.bars,
        clock,
        interval=options.interval,
        symbols=symbols or None,
        every=_every(options),
        sectors=sectors,
    )
    if not source.symbols:
        asyncio.run(source.load())
    return source


def _every(options: RunOptions) -> timedelta | None:
    return None if options.every is None else timedelta(minutes=options.every)
