"""What a session writes down: its changes, and with each of them the lines of the event log."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from trading.execution.brokers.base import Broker
from trading.execution.lifecycle import OrderRecord
from trading.session.event_log import EventLog
from trading.session.home import SessionHome
from trading.session.intake import BarProblem
from trading.session.log_lines import Line, activity_line, line, order_lines, problem_line
from trading.session.store import SessionStore


class Recorder:
    """The files of a session that runs.

    Lines wait until the next `change`, are kept in its transaction, and go to the event log after
    it: a killed session writes those that are missing when it starts again, and none twice.

    Parameters
    ----------
    strategy_id : part of every correlation id
    power_safe : flush every change to the disk itself
    """

    def __init__(self, home: SessionHome, strategy_id: str, *, power_safe: bool = True) -> None:
        self._strategy_id = strategy_id
        self.store = SessionStore(home.state_file, power_safe=power_safe)
        try:
            self._log = EventLog(home.log_file)
        except BaseException:
            self.store.close()
            raise
        self._lines: list[Line] = []
        self._touched: set[str] = set()
        self._activities = self.store.logged("activities")

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        self.store.close()

    def correlation(self, at: datetime | None) -> str:
        """Return the id that ties together what belongs to the decision on one bar."""
        return self._strategy_id if at is None else f"{self._strategy_id}@{at:%Y-%m-%dT%H:%M:%S}"

    def tell(self, kind: str, at: datetime | None, **fields: Any) -> None:
        """Note that something happened."""
        self._lines.append(line(kind, at, self.correlation(at), **fields))

    def tell_problems(self, problems: Iterable[BarProblem], at: datetime | None) -> None:
        """Note what is wrong with bars."""
        self._lines += [problem_line(one, at, self.correlation(at)) for one in problems]

    def add(self, lines: Iterable[Line]) -> None:
        """Note lines that are made already."""
        self._lines += lines

    def touch(self, client_order_ids: Iterable[str]) -> None:
        """Note that something may have happened to orders."""
        self._touched.update(client_order_ids)

    async def ask_activities(self, broker: Broker) -> None:
        """Note the activities of the account that the event log does not have."""
        activities = await broker.activities()
        for one in activities[self._activities :]:
            self._lines.append(activity_line(one, self.correlation(one.timestamp)))
        self._activities = len(activities)

    @contextmanager
    def change(self, records: Mapping[str, OrderRecord]) -> Iterator[SessionStore]:
        """Make the block one change of the store, together with the lines that wait.

        Parameters
        ----------
        records : of every order; what happened to those that were touched becomes lines
        """
        with self.store.change():
            yield self.store
            self._keep(records)
        self._lines, self._touched = [], set()
        self._log.append(self.store.lines())

    def _keep(self, records: Mapping[str, OrderRecord]) -> None:
        self.store.forget_lines(self._log.last)
        lines = self._lines
        for name in sorted(self._touched & records.keys()):
            record, known = records[name], self.store.logged(name)
            if len(record.history) > known:
                at = self.correlation(record.order.submitted_at)
                lines = [*lines, *order_lines(record, known, at)]
                self.store.keep_logged(name, len(record.history))
        self.store.keep_logged("activities", self._activities)
        self.store.keep_lines(lines)
