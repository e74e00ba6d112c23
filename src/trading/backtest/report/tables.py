"""The ledger as CSV: trades, orders, fills, closings, positions, every event, the curve."""

from pathlib import Path

import pandas as pd

from trading.backtest.report.evidence import Evidence
from trading.backtest.result import BacktestResult

LEDGER = ("trades", "orders", "fills", "closings", "risk_events", "positions", "events")


def curve_table(evidence: Evidence) -> pd.DataFrame:
    """Return the curves as a table, a row a session."""
    curves = evidence.curves
    table = {
        "session": pd.Series(curves.days.astype(str), dtype="str"),
        "equity": curves.equity,
        "drawdown": curves.drawdown,
        "gross_exposure": curves.gross,
        "net_exposure": curves.net,
        "turnover": curves.turnover,
    }
    if curves.benchmark is not None:
        table["benchmark"] = curves.benchmark
    return pd.DataFrame(table)


def write_tables(result: BacktestResult, evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Write one CSV a table into `folder`, which is made, and return the files.

    UTF-8, comma, header line; times in ISO 8601 UTC, money in USD, an empty field is "no data".
    Symbols stand as they are: a spreadsheet may take one that begins with `=` for a formula.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {name: getattr(result, name) for name in LEDGER} | {"equity": curve_table(evidence)}
    files = []
    for name, table in tables.items():
        file = folder / f"{name}.csv"
        table.to_csv(file, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        files.append(file)
    return tuple(files)
