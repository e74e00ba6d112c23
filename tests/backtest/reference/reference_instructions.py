"""Instructions as plain objects, and the same as the engine's columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import nan

from trading.backtest.instructions import Instructions
from trading.execution.orders import (
    SIDE_CODES,
    TIME_CODES,
    TYPE_CODES,
    OrderType,
    Side,
    TimeInForce,
)


@dataclass(frozen=True)
class Cancel:
    """Cancel every working order of a symbol."""

    row: int
    column: int


@dataclass(frozen=True)
class Target:
    """Hold this fraction of the sizing base."""

    row: int
    column: int
    weight: float


@dataclass(frozen=True)
class OrderRequest:
    """An order in micro-shares."""

    row: int
    column: int
    side: Side
    quantity: int
    type: OrderType = OrderType.MARKET
    time: TimeInForce = TimeInForce.DAY
    limit: float = nan
    stop: float = nan


Instruction = Cancel | Target | OrderRequest


def in_columns(instructions: Sequence[Instruction]) -> Instructions:
    """The engine's form of the same instructions, in the same order."""
    parts = [
        _columns_of(kind, list(run))
        for kind, run in groupby(instructions, key=lambda one: type(one))
    ]
    return Instructions.merge(*parts) if parts else Instructions.none()


def _columns_of(kind: type, run: list[Instruction]) -> Instructions:
    rows, columns = [one.row for one in run], [one.column for one in run]
    if kind is Cancel:
        return Instructions.cancels(rows, columns)
    if kind is Target:
        return Instructions.targets(
            rows, columns, [one.weight for one in run if isinstance(one, Target)]
        )
    orders = [one for one in run if isinstance(one, OrderRequest)]
    return Instructions.orders(
        rows,
        columns,
        [SIDE_CODES[one.side] for one in orders],
        [one.quantity for one in orders],
        [TYPE_CODES[one.type] for one in orders],
        [one.limit for one in orders],
        [one.stop for one in orders],
        [TIME_CODES[one.time] for one in orders],
    )
