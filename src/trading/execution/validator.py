"""What a well-formed order is: every mistake has a sentence of its own."""

import re
import unicodedata
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.errors import OrderError
from trading.execution.brokers.base import Capabilities
from trading.execution.money import EXACT, MICRO
from trading.execution.orders import Order, OrderType, Side, TimeInForce

MAX_SYMBOL_LENGTH = 32
MAX_STRATEGY_ID_LENGTH = 64
# What 64 bits of millionths hold, with room for a sum of two.
MAX_AMOUNT = Decimal(2**62) / MICRO

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPPED = (OrderType.STOP, OrderType.STOP_LIMIT)


def order_problems(
    order: Order,
    capabilities: Capabilities,
    *,
    symbols: Collection[str] | None = None,
    known_ids: Collection[str] = (),
) -> tuple[str, ...]:
    """Return one sentence for every mistake in `order`; none where it is well-formed.

    Parameters
    ----------
    capabilities : of the broker that shall get it
    symbols : those that may be traded; None: any that the broker trades
    known_ids : client order ids that are taken
    """
    problems = [
        *_wrong_types(order),
        *_id_problems(order, capabilities, known_ids),
        *_symbol_problems(order.symbol, capabilities, symbols),
    ]
    if isinstance(order.quantity, Decimal):
        problems += _quantity_problems(order.quantity, capabilities)
    if isinstance(order.type, OrderType):
        needs_limit, needs_stop = order.type in _LIMITED, order.type in _STOPPED
        problems += _price_problems("limit", order.limit_price, order.type, needs_limit)
        problems += _price_problems("stop", order.stop_price, order.type, needs_stop)
        if order.type not in capabilities.order_types:
            problems.append(
                f"the broker takes no {order.type} orders; "
                f"it takes {', '.join(sorted(capabilities.order_types))}"
            )
    in_force = order.time_in_force
    if isinstance(in_force, TimeInForce) and in_force not in capabilities.times_in_force:
        problems.append(
            f"the broker knows no {in_force} orders; "
            f"it knows {', '.join(sorted(capabilities.times_in_force))}"
        )
    moment = order.submitted_at
    if isinstance(moment, datetime) and moment.utcoffset() is None:
        problems.append(f"submitted_at {moment} is naive; give it a time zone (UTC)")
    return tuple(problems)


def validate(
    order: Order,
    capabilities: Capabilities,
    *,
    symbols: Collection[str] | None = None,
    known_ids: Collection[str] = (),
) -> Order:
    """Return `order` if it is well-formed, else raise `OrderError` with every mistake."""
    problems = order_problems(order, capabilities, symbols=symbols, known_ids=known_ids)
    if problems:
        raise OrderError(f"order {order.client_order_id!r}: {'; '.join(problems)}")
    return order


def _wrong_types(order: Order) -> list[str]:
    expected: tuple[tuple[str, Any, type], ...] = (
        ("side", order.side, Side),
        ("type", order.type, OrderType),
        ("time_in_force", order.time_in_force, TimeInForce),
        ("quantity", order.quantity, Decimal),
        ("submitted_at", order.submitted_at, datetime),
    )
    return [
        f"{name} must be a {kind.__name__}, got {value!r}"
        for name, value, kind in expected
        if not isinstance(value, kind)
    ]


def _id_problems(order: Order, capabilities: Capabilities, known_ids: Collection[str]) -> list[str]:
    problems: list[str] = []
    name: object = order.client_order_id
    if not isinstance(name, str) or not _ID.fullmatch(name):
        problems.append(
            "the client order id must be made of A-Z, a-z, 0-9 and . _ : - and begin with a letter "
            f"or digit, got {name!r}"
        )
    elif len(name) > capabilities.max_id_length:
        problems.append(
            f"the client order id has {len(name)} characters; "
            f"the broker takes at most {capabilities.max_id_length}"
        )
    elif name in known_ids:
        problems.append("the client order id is taken; an id stands for one order only")
    strategy: object = order.strategy_id
    if not isinstance(strategy, str) or not _is_name(strategy, MAX_STRATEGY_ID_LENGTH):
        problems.append(
            f"the strategy id must be 1 to {MAX_STRATEGY_ID_LENGTH} printable characters without "
            f"a space at either end, in Unicode's composed form (NFC), got {strategy!r}"
        )
    return problems


def _symbol_problems(
    symbol: object, capabilities: Capabilities, symbols: Collection[str] | None
) -> list[str]:
    if not isinstance(symbol, str) or not _is_name(symbol, MAX_SYMBOL_LENGTH):
        return [
            f"the symbol must be 1 to {MAX_SYMBOL_LENGTH} printable characters without a space at "
            f"either end, in Unicode's composed form (NFC), got {symbol!r}"
        ]
    if symbols is not None and symbol not in symbols:
        return [f"unknown symbol {symbol!r}; it is not among the {len(symbols)} of this session"]
    if capabilities.symbols is not None and symbol not in capabilities.symbols:
        return [f"the broker does not trade {symbol!r}"]
    return []


def _is_name(text: str, longest: int) -> bool:
    return (
        0 < len(text) <= longest
        and text.isprintable()
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
    )


def _quantity_problems(quantity: Decimal, capabilities: Capabilities) -> list[str]:
    if not quantity.is_finite():
        return [f"the quantity must be finite, got {quantity}"]
    if quantity <= 0:
        return [f"the quantity must be > 0, got {quantity}; the side says whether it is a sale"]
    if quantity > MAX_AMOUNT:
        return [f"the quantity {quantity} is too large; at most {MAX_AMOUNT:.0f} shares"]
    lot = Decimal(1) / MICRO if capabilities.fractional else Decimal(1)
    if EXACT.remainder(quantity, lot):
        smallest = "a millionth of a share" if capabilities.fractional else "whole shares"
        return [f"the quantity {quantity} is not on the lot; the broker trades {smallest}"]
    return []


def _price_problems(which: str, price: object, order_type: OrderType, is_needed: bool) -> list[str]:
    if price is None:
        return [f"a {order_type} order needs a {which} price"] if is_needed else []
    if not is_needed:
        return [f"a {order_type} order takes no {which} price, got {price}"]
    if not isinstance(price, Decimal):
        return [f"the {which} price must be a Decimal, got {price!r}"]
    if not price.is_finite() or price <= 0:
        return [f"the {which} price must be finite and > 0, got {price}"]
    if price > MAX_AMOUNT:
        return [f"the {which} price {price} is too large; at most {MAX_AMOUNT:.0f} USD"]
    return []
