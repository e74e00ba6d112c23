"""The lines of the event log: what each kind of event says of itself, as plain JSON."""

import math
from datetime import datetime
from typing import Any

from trading.execution.activities import Activity
from trading.execution.encoding import to_plain
from trading.execution.lifecycle import OrderEvent, OrderRecord
from trading.session.decision import Decision
from trading.session.intake import BarProblem
from trading.session.store import CurvePoint
from trading.session.wishes import Wishes
from trading.strategy.signals import ACTIONS

Line = dict[str, Any]


def line(kind: str, at: datetime | None, correlation_id: str, **fields: Any) -> Line:
    """Return one line; `at` is market time, `correlation_id` the decision that it belongs to."""
    stamp = None if at is None else at.isoformat()
    return {"kind": kind, "at": stamp, "correlation_id": correlation_id} | fields


def problem_line(one: BarProblem, at: datetime | None, correlation_id: str) -> Line:
    """Return the line of bars that are not as they should be."""
    fields = {"problem": one.kind, "count": one.count, "examples": list(one.examples)}
    return line("bars", at, correlation_id, **fields)


def wish_lines(wishes: Wishes, at: datetime, correlation_id: str) -> list[Line]:
    """Return a line for each strategy that gave signals, and for each that failed."""
    lines = []
    for name, signals in wishes.signals.items():
        if len(signals):
            given = zip(
                signals.columns.tolist(),
                signals.actions.tolist(),
                signals.strengths.tolist(),
                strict=True,
            )
            plain = [[signals.symbols[c], ACTIONS[a].value, s] for c, a, s in given]
            lines.append(line("signals", at, correlation_id, strategy_id=name, signals=plain))
    for name, sentence in wishes.failures.items():
        sleeve = wishes.state.sleeves[name]
        lines.append(
            line(
                "strategy_failure",
                at,
                correlation_id,
                strategy_id=name,
                failure=sentence,
                on_end=sleeve.failures,
                suspended=sleeve.suspended,
            )
        )
    return lines


def decision_lines(decision: Decision, correlation_id: str) -> list[Line]:
    """Return the lines of a decision, its orders, cancels and tripped limits."""
    at = decision.timestamp
    lines = [
        line(
            "decision",
            at,
            correlation_id,
            decision=decision.state.decisions,
            orders=len(decision.orders),
            cancels=len(decision.cancels),
            equity=decision.equity / 1e6,
        )
    ]
    for event in decision.events:
        fields = {name: getattr(event, name) for name in event.__slots__}
        fields = {n: None if _is_odd(value) else value for n, value in fields.items()}
        lines.append(line("risk", at, correlation_id, **fields))
    for name, reason in decision.cancels:
        lines.append(line("cancel", at, correlation_id, client_order_id=name, reason=reason))
    for one in decision.orders:
        fields = {"number": one.number, "status": one.status.value, "reason": one.reason}
        lines.append(line("order", at, correlation_id, **fields, order=to_plain(one.order)))
    return lines


def order_lines(record: OrderRecord, first: int, correlation_id: str) -> list[Line]:
    """Return the lines of an order's events from number `first` on."""
    return [_event_line(event, record, correlation_id) for event in record.history[first:]]


def activity_line(activity: Activity, correlation_id: str) -> Line:
    """Return the line of a split, dividend, borrow fee, closing or transfer."""
    kind = type(activity).__name__.lower()
    return line("activity", activity.timestamp, correlation_id, activity=kind, **to_plain(activity))


def point_line(point: CurvePoint, correlation_id: str) -> Line:
    """Return the line of the account after a bar."""
    money = {name: getattr(point, name) / 1e6 for name in ("equity", "cash", "gross", "net")}
    return line("account", point.timestamp, correlation_id, session=point.session, **money)


def _event_line(event: OrderEvent, record: OrderRecord, correlation_id: str) -> Line:
    kind = "fill" if event.fill is not None else "order_event"
    fields: dict[str, Any] = {
        "client_order_id": event.client_order_id,
        "symbol": record.order.symbol,
        "event": event.kind.value,
        "reason": event.reason,
    }
    if event.fill is not None:
        fields["fill"] = to_plain(event.fill)
    return line(kind, event.timestamp, correlation_id, **fields)


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
