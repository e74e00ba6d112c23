"""The risk checks of one order, and the breaker."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, sqrt

from tests.backtest.reference.reference_account import Account
from tests.backtest.reference.reference_ledger import OrderEntry, ReferenceLedger, RiskEntry
from tests.backtest.reference.reference_market import Market
from tests.backtest.reference.reference_units import MICRO, floor_lot, truncated, value
from trading.execution.orders import OrderStatus, Side
from trading.execution.settings import ExecutionSettings
from trading.risk.settings import LimitSettings, RiskSettings

LEAST_RETURNS = 20
HALVINGS = 4


def increase_of(base: int, signed: int) -> int:
    """How much of a signed quantity takes `base` further from zero."""
    return abs(signed) if base * signed >= 0 else max(abs(signed) - abs(base), 0)


@dataclass(frozen=True)
class Proposal:
    """An order before the checks; micro-shares."""

    column: int
    side: Side
    reducing: int
    increase: int

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sale."""
        return 1 if self.side is Side.BUY else -1


class RiskDesk:
    """Checks orders against the limits and keeps the breaker."""

    def __init__(
        self,
        market: Market,
        execution: ExecutionSettings,
        settings: RiskSettings,
        account: Account,
        ledger: ReferenceLedger,
    ) -> None:
        self._market = market
        self._execution = execution
        self._settings = settings
        self._account = account
        self._ledger = ledger
        self._lot = 1 if execution.fractional else MICRO
        self._peak = 0
        self._marked = False
        self._row = 0
        self._equity = 0
        self._accepted = 0
        self.halted = False

    def open_row(self, row: int, *, new_session: bool) -> None:
        """Start a row; the count of orders begins anew with each session."""
        self._row = row
        if new_session:
            self._accepted = 0

    def count_accepted(self) -> None:
        """One more order was accepted in this session."""
        self._accepted += 1

    def watch_drawdown(self, equity: int, *, reset: bool) -> None:
        """Update the peak with a row's equity and halt where it has fallen too far."""
        self._equity = equity
        if reset:
            self.halted = False
        self._peak = equity if reset or not self._marked else max(self._peak, equity)
        self._marked = True
        limit = self._settings.max_drawdown
        drawdown = (self._peak - equity) / self._peak if self._peak > 0 else 0.0
        if limit is not None and drawdown >= limit and not self.halted:
            self._record(-1, "drawdown_halt", "halted", drawdown, limit, 0, 0)
            self.halt()

    def halt(self) -> None:
        """Accept nothing that opens or increases a position, and cancel what waits to."""
        self.halted = True
        kept: list[OrderEntry] = []
        for order in self._working():
            base = self._account.positions[order.column].quantity + sum(
                o.sign * o.remaining
                for o in kept
                if o.column == order.column and o.side is order.side
            )
            if increase_of(base, order.sign * order.remaining) > 0:
                order.end(OrderStatus.CANCELLED, "drawdown_halt")
            else:
                kept.append(order)

    def propose(self, column: int, side: Side, quantity: int) -> Proposal:
        """Split an order into what reduces and what increases."""
        sign = 1 if side is Side.BUY else -1
        base = self._account.positions[column].quantity + sum(
            order.sign * order.remaining
            for order in self._working()
            if order.column == column and order.side is side
        )
        increase = increase_of(base, sign * quantity)
        return Proposal(column, side, quantity - increase, increase)

    def admit(self, proposal: Proposal) -> tuple[int, str]:
        """Return the quantity that passes, and the last limit that took something from it."""
        reducing, increase = proposal.reducing, proposal.increase
        reason = ""
        if increase == 0:
            return reducing, reason
        for name, action, check in self._checks():
            allowed, found, limit = check(proposal, increase)
            if allowed >= increase:
                continue
            if action == "resize" and allowed > 0:
                self._record(proposal.column, name, "resized", found, limit, increase, allowed)
                increase, reason = allowed, name
                continue
            outcome = "halted" if action == "halt" else "rejected"
            self._record(proposal.column, name, outcome, found, limit, increase, 0)
            if action == "halt":
                self.halt()
            return reducing, name
        return reducing + increase, reason

    def _checks(self) -> list[tuple[str, str, "Check"]]:
        limits = self._settings
        checks: list[tuple[str, str, Check]] = [
            ("halted", "reject", self._halted),
            ("no_equity", "reject", self._no_equity),
        ]
        for name, limit, check in (
            ("max_daily_trades", limits.max_daily_trades, self._daily_trades),
            ("max_position", limits.max_position, self._position),
            ("max_sector", limits.max_sector, self._sector),
            ("max_leverage", limits.max_leverage, self._leverage),
            ("max_concentration", limits.max_concentration, self._concentration),
            ("max_correlation", limits.max_correlation, self._correlation),
            ("max_var", limits.max_var, self._value_at_risk),
        ):
            if limit is not None:
                checks.append((name, limit.action, _with_limit(check, limit)))
        if self._execution.account == "cash":
            checks.append(("insufficient_cash", "resize", self._cash))
        return checks

    def _no_equity(self, _: Proposal, increase: int) -> "Verdict":
        return (0 if self._equity <= 0 else increase), self._equity / MICRO, 0.0

    def _halted(self, _: Proposal, increase: int) -> "Verdict":
        return (0 if self.halted else increase), 1.0, 0.0

    def _daily_trades(self, _: Proposal, increase: int, limit: float) -> "Verdict":
        count = self._accepted + 1
        return (0 if count > limit else increase), float(count), limit

    def _position(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        return self._within_room(order, increase, limit, ())

    def _sector(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        sector = self._market.sectors[order.column]
        others = [k for k, name in enumerate(self._market.sectors) if name == sector]
        return self._within_room(order, increase, limit, others)

    def _leverage(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        return self._within_room(order, increase, limit, range(len(self._market.symbols)))

    def _within_room(
        self, order: Proposal, increase: int, limit: float, columns: "Columns"
    ) -> "Verdict":
        """Check |exposure| of the order's symbol plus those of `columns` against limit * equity."""
        others = sum(abs(self._exposure(k)) for k in columns if k != order.column)
        last = self._account.positions[order.column].last
        room = limit * self._equity - others
        before = self._net_quantity(order.column) + order.sign * order.reducing
        most = truncated(room / last, self._lot) - order.sign * before if room > 0.0 else 0
        found = (others + abs(value(before + order.sign * increase, last))) / self._equity
        return max(min(most, increase), 0), found, limit

    def _concentration(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        def herfindahl(size: int) -> float:
            weights = self._weights(order, size)
            return sum(weight * weight for weight in weights)

        return self._halved(herfindahl, increase, limit)

    def _value_at_risk(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        rows = self._window()
        if len(rows) < LEAST_RETURNS:
            return increase, 0.0, limit

        def loss(size: int) -> float:
            weights = self._weights(order, size)
            returns = [self._portfolio_return(row, weights) for row in rows]
            return -_quantile(returns, 1.0 - self._settings.var_level)

        return self._halved(loss, increase, limit)

    def _halved(self, measure: Callable[[int], float], increase: int, limit: float) -> "Verdict":
        """Halve the increase until the measure keeps its limit, four times at most."""
        first = measure(increase)
        size = increase
        for _ in range(HALVINGS + 1):
            if size == 0:
                break
            if measure(size) <= limit:
                return size, first, limit
            size = floor_lot(size // 2, self._lot)
        return 0, first, limit

    def _correlation(self, order: Proposal, increase: int, limit: float) -> "Verdict":
        weights = self._weights(order, 0)
        weights[order.column] = 0.0
        pairs = []
        for row in self._window():
            own = self._market.close_return(row, order.column)
            if own is not None:
                pairs.append((own, self._portfolio_return(row, weights)))
        if not any(weights) or len(pairs) < LEAST_RETURNS:
            return increase, 0.0, limit
        correlation = order.sign * _pearson(pairs)
        return (0 if correlation > limit else increase), correlation, limit

    def _cash(self, order: Proposal, increase: int) -> "Verdict":
        if order.side is Side.SELL:
            return increase, 0.0, 0.0
        room = self._account.cash
        for working in self._working():
            last = self._account.positions[working.column].last
            room -= working.sign * value(working.remaining, last)
        last = self._account.positions[order.column].last
        most = truncated(room / last, self._lot) if room > 0 else 0
        return min(most, increase), value(increase, last) / MICRO, room / MICRO

    def _working(self) -> list[OrderEntry]:
        return [order for order in self._ledger.orders if order.working]

    def _net_quantity(self, column: int) -> int:
        """Position and working orders as if filled."""
        return self._account.positions[column].quantity + sum(
            order.sign * order.remaining for order in self._working() if order.column == column
        )

    def _exposure(self, column: int, further: int = 0) -> int:
        quantity = self._net_quantity(column) + further
        return value(quantity, self._account.positions[column].last) if quantity else 0

    def _weights(self, order: Proposal, increase: int) -> list[float]:
        """Exposures of all symbols with the order, as fractions of equity."""
        further = order.sign * (order.reducing + increase)
        return [
            self._exposure(k, further if k == order.column else 0) / self._equity
            for k in range(len(self._market.symbols))
        ]

    def _window(self) -> range:
        return range(max(self._row - self._settings.window + 1, 1), self._row + 1)

    def _portfolio_return(self, row: int, weights: list[float]) -> float:
        total = 0.0
        for column, weight in enumerate(weights):
            known = self._market.close_return(row, column)
            if weight != 0.0 and known is not None:
                total += weight * known
        return total

    def _record(
        self,
        column: int,
        limit: str,
        outcome: str,
        found: float,
        limit_value: float,
        before: int,
        after: int,
    ) -> None:
        self._ledger.risk_events.append(
            RiskEntry(self._row, column, limit, outcome, found, limit_value, before, after)
        )

    def record_exit(self, column: int, limit: str, gain: float, limit_value: float) -> None:
        """A stop loss or take profit that closes a position."""
        quantity = abs(self._account.positions[column].quantity)
        self._record(column, limit, "exit", gain, limit_value, quantity, quantity)


Verdict = tuple[int, float, float]
Check = Callable[[Proposal, int], Verdict]
Columns = range | list[int] | tuple[int, ...]


def _with_limit(check: Callable[[Proposal, int, float], Verdict], limit: LimitSettings) -> Check:
    return lambda proposal, increase: check(proposal, increase, limit.limit)


def _pearson(pairs: list[tuple[float, float]]) -> float:
    """Pearson's correlation; 0 where either side does not vary."""
    n = len(pairs)
    mean_x, mean_y = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    xy = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    xx = sum((x - mean_x) ** 2 for x, _ in pairs)
    yy = sum((y - mean_y) ** 2 for _, y in pairs)
    return xy / sqrt(xx * yy) if xx > 0.0 and yy > 0.0 else 0.0


def _quantile(values: list[float], level: float) -> float:
    """Linear quantile between the order statistics (numpy's default; Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * level
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
