"""An intake over services in memory: a small market, a clock, a lake in a folder."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

PROVIDERS = Path(__file__).parents[1] / "providers"
if str(PROVIDERS) not in sys.path:
    sys.path.insert(0, str(PROVIDERS))

from provider_examples import LAST, make_providers, make_settings  # noqa: E402
from vendor_services import Market, Services  # noqa: E402
from virtual_time import VirtualClock, run_virtually  # noqa: E402

from trading.data.intake import Intake, IntakeResult  # noqa: E402
from trading.data.intake.pulse import Pulse  # noqa: E402
from trading.data.lake import Lake  # noqa: E402
from trading.data.store.base import ObjectStore  # noqa: E402

FIRST = date(2024, 6, 10)
MORNING = datetime(2024, 6, 29, 6, 0, tzinfo=UTC)


class Place:
    """A market, the services that tell of it, and a lake that an intake fills."""

    def __init__(
        self,
        store: ObjectStore,
        providers: Sequence[str] = ("polygon",),
        *,
        symbols: int = 30,
        splits: int = 0,
        expected: Sequence[str] | None = None,
        now: datetime = MORNING,
        **services: Any,
    ) -> None:
        names = [f"T{i:04d}" for i in range(symbols)]
        self.market = Market(names, FIRST, LAST, splits=splits)
        self.services = Services(self.market, **services)
        self.store, self.providers, self.now = store, tuple(providers), now
        self.expected = names if expected is None else list(expected)
        self.settings = make_settings()
        self.days = [session.astype(object) for session in self.market.sessions]

    @property
    def lake(self) -> Lake:
        return Lake(self.store)

    def intake(self, clock: VirtualClock) -> Intake:
        made = make_providers(self.settings, self.providers, services=self.services, clock=clock)
        return Intake(self.store, self.settings, made, expected=self.expected, clock=clock)

    def run(
        self,
        days: Sequence[date] | None = None,
        symbols: Sequence[str] | None = None,
        **pulse: Any,
    ) -> IntakeResult:
        """Run an intake on a virtual clock."""
        clock = VirtualClock(self.now)
        work = self.intake(clock).work(days or self.days, symbols, None, Pulse(**pulse))
        return run_virtually(work)

    def wrong_bars(self) -> Any:
        """Return the bars of the lake that are not the market's."""
        last = self.days[-1]
        return self.market.wrong_rows(self.lake.bars(None, before=date(last.year + 1, 1, 1)))

    def files(self) -> dict[str, bytes]:
        """Return every object of the store."""
        return {key: self.store.get(key).body for key in list(self.store.keys(""))}
