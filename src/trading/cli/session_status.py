"""`trading session`: what a session holds and does, and the commands left for it."""

from pathlib import Path
from typing import Any

from rich.markup import escape

from trading.cli.home import Home
from trading.cli.output import DONE, console, print_json, result, table
from trading.errors import SessionError
from trading.risk.circuit_breaker import CircuitBreaker
from trading.session.home import SessionHome
from trading.session.ledger import SessionLedger
from trading.session.store import SessionStore

SAID = {
    "halt": "nothing will open or increase a position",
    "kill": "every order will be cancelled, and no strategy followed",
    "flatten": "every order will be cancelled, every position closed, and no strategy followed",
    "reset": "the session will be released",
}


def home_of(home: Path | None) -> SessionHome:
    """Return the session's folder; raises `SessionError` where there is none."""
    found = SessionHome(home or Home.from_environment().path / "paper")
    if not found.exists:
        raise SessionError(
            f"no session was ever started in {found.path}; start one with `trading run`"
        )
    return found


def show_status(home: Path | None, *, as_json: bool) -> int:
    """Show a session."""
    found = home_of(home)
    status = status_of(SessionLedger(found), found)
    if as_json:
        print_json(status)
    else:
        print_status(status)
    return DONE


def leave_command(command: str, home: Path | None) -> int:
    """Leave a command for the session: it follows it at its next bar, or when it starts."""
    found = home_of(home)
    store = SessionStore(found.state_file)
    try:
        store.ask(command)
    finally:
        store.close()
    console.print(
        f"{SAID[command]} at the session's next bar, or when it is started", soft_wrap=True
    )
    return DONE


def status_of(ledger: SessionLedger, home: SessionHome) -> dict[str, Any]:
    """Return the session as plain JSON values; money in USD."""
    state, last = ledger.state, ledger.curve.tail(1)
    account = ledger.books.account
    breaker = CircuitBreaker(home.path / "breaker.json").status
    working = [
        {
            "client_order_id": one.client_order_id,
            "symbol": one.order.symbol,
            "side": one.order.side.value,
            "remaining": float(one.remaining_quantity),
            "type": one.order.type.value,
            "status": one.status.value,
        }
        for one in ledger.books.book
    ]
    positions = [
        {
            "symbol": symbol,
            "quantity": float(held.quantity),
            "average_cost": round(float(held.average_cost), 6),
            "last": state.last.get(symbol),
        }
        for symbol, held in (account.positions if account else {}).items()
    ]
    return {
        "home": str(home.path),
        "strategies": ledger.session.get("strategies", []),
        "last_bar": None if last.empty else last["timestamp"].iloc[0].isoformat(),
        "equity": None if last.empty else last["equity"].iloc[0] / 1e6,
        "cash": None if last.empty else last["cash"].iloc[0] / 1e6,
        "orders": len(ledger.orders),
        "fills": len(ledger.fills),
        "risk_events": len(ledger.risk_events),
        "positions": positions,
        "working": working,
        "breaker": {"state": breaker.state.value, "reasons": list(breaker.reasons)},
        "killed": state.killed,
        "waiting": list(ledger.commands),
        "suspended": [name for name, one in state.sleeves.items() if one.suspended],
    }


def print_status(status: dict[str, Any]) -> None:
    """Print a session for the eye."""
    names = ", ".join(one["id"] for one in status["strategies"])
    console.print(f"[bold]{escape(names)}[/] in {escape(status['home'])}", soft_wrap=True)
    if status["last_bar"] is None:
        console.print("no bar was traded yet")
        return
    console.print(
        f"last bar {status['last_bar'][:10]}: equity {status['equity']:,.2f} USD, cash "
        f"{status['cash']:,.2f} USD; {status['orders']} orders, {status['fills']} fills, "
        f"{status['risk_events']} limits tripped",
        soft_wrap=True,
    )
    stopped = "killed; " if status["killed"] else ""
    if status["breaker"]["state"] != "CLOSED":
        stopped += f"halted ({', '.join(status['breaker']['reasons'])}); "
    if stopped:
        console.print(f"[red]{escape(stopped)}[/]release it with `trading session reset`")
    if status["waiting"]:
        console.print(f"waiting for the session: {', '.join(status['waiting'])}")
    for name in status["suspended"]:
        console.print(f"[red]{escape(name)} is suspended[/] after failing; see events.jsonl")
    if status["positions"]:
        shown = table("Positions", "symbol", "shares", "average cost", "last", right=("shares",))
        for one in status["positions"]:
            price = "no data" if one["last"] is None else f"{one['last']:,.2f}"
            shown.add_row(
                escape(one["symbol"]), f"{one['quantity']:g}", f"{one['average_cost']:,.4f}", price
            )
        result.print(shown)
    if status["working"]:
        shown = table("Open orders", "symbol", "side", "shares", "type", "status")
        for one in status["working"]:
            shown.add_row(
                escape(one["symbol"]),
                one["side"],
                f"{one['remaining']:g}",
                one["type"],
                one["status"],
            )
        result.print(shown)
