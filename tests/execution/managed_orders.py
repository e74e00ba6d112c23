"""Order managers over scripted brokers, and what tests do with them."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripted_broker import ScriptedBroker, restarted

from trading.execution.broker_desk import Patience
from trading.execution.journal import Journal
from trading.execution.order_manager import OrderManager
from trading.execution.orders import Order
from trading.execution.pre_trade import PreTradeCheck, Review

FAST = Patience(timeout=0.5, settle=0.0, retries=1, retry_delay=0.0)
JOURNALS: list[Journal] = []


def close_journals() -> None:
    while JOURNALS:
        JOURNALS.pop().close()


class Cap:
    """A risk check that allows a number of shares."""

    def __init__(self, most: str) -> None:
        self.most = Decimal(most)

    async def review(self, order: Order) -> Review:
        return Review(min(self.most, order.quantity), "max_position" if self.most else "halted")


def a_manager(
    broker: ScriptedBroker, path: Path, check: PreTradeCheck | None = None
) -> OrderManager:
    journal = Journal(path / "orders.jsonl", durable=False)
    JOURNALS.append(journal)
    return OrderManager(
        broker,
        journal,
        check=check,
        symbols={"AAA", "BBB"},
        patience=FAST,
        clock=broker.clock,
    )


async def started(
    broker: ScriptedBroker, path: Path, check: PreTradeCheck | None = None
) -> OrderManager:
    manager = a_manager(broker, path, check)
    await manager.start()
    return manager


def again(manager: OrderManager) -> tuple[ScriptedBroker, Path]:
    """Stop a manager as a kill would, and return what the next one starts from."""
    manager.journal.close()
    broker = manager.broker
    assert isinstance(broker, ScriptedBroker)
    return restarted(broker), manager.journal.path.parent


def deliver(manager: OrderManager, broker: ScriptedBroker) -> None:
    while broker.outbox:
        manager.handle(broker.outbox.pop(0))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)
