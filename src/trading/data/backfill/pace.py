"""How long answers and storing took here: measured by each run, believed by the next plan."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from trading.errors import DataError

# What is assumed of a public web API before anything was measured.
ASSUMED_SECONDS_A_CALL: Final = 0.5
# Pipeline, verdict and lake, measured on one idle core: 753 sessions of 5 and of 300 symbols.
SECONDS_A_SESSION: Final = 0.032
SECONDS_A_BAR: Final = 2.5e-5
# A new measurement counts this much against all before it: services change from day to day.
NEWEST: Final = 0.5


@dataclass(frozen=True)
class ProviderPace:
    """How long one provider's answers take.

    Attributes
    ----------
    seconds_a_call : from request to the end of the answer, on average
    calls : how many answers the last measurement stands on; 0 when it is assumed
    measured : the day of the last measurement, None when it is assumed
    """

    seconds_a_call: float = ASSUMED_SECONDS_A_CALL
    calls: int = 0
    measured: date | None = None


@dataclass(frozen=True)
class Pace:
    """What the plan reckons with.

    Attributes
    ----------
    providers : `ProviderPace` by provider
    handling : how many times longer than on an idle core pipeline and lake take here
    sessions : how many sessions the last measurement of it stands on; 0 when it is assumed
    """

    providers: dict[str, ProviderPace] = field(default_factory=dict)
    handling: float = 1.0
    sessions: int = 0

    def of(self, provider: str) -> ProviderPace:
        """Return the pace of a provider, the assumed one before the first measurement."""
        return self.providers.get(provider, ProviderPace())

    def seconds_to_handle(self, sessions: int, bars: int) -> float:
        """Return the seconds to judge and store so many sessions and bars."""
        return self.handling * (sessions * SECONDS_A_SESSION + bars * SECONDS_A_BAR)

    def with_calls(self, provider: str, calls: int, seconds: float, day: date) -> "Pace":
        """Return the pace after `calls` answers that took `seconds` in all; 0 change nothing."""
        if calls <= 0:
            return self
        held = self.of(provider)
        newest = seconds / calls
        mean = newest if not held.calls else NEWEST * newest + (1 - NEWEST) * held.seconds_a_call
        changed = self.providers | {provider: ProviderPace(mean, calls, day)}
        return replace(self, providers=changed)

    def with_handling(self, sessions: int, bars: int, seconds: float) -> "Pace":
        """Return the pace after handling took `seconds`; no session changes nothing."""
        if sessions <= 0 or seconds <= 0:
            return self
        newest = seconds / (sessions * SECONDS_A_SESSION + bars * SECONDS_A_BAR)
        mean = newest if not self.sessions else NEWEST * newest + (1 - NEWEST) * self.handling
        return replace(self, handling=mean, sessions=sessions)


ASSUMED: Final = Pace()


@dataclass(frozen=True)
class PaceBook:
    """The pace that is kept in a file; it is written whole, and a lost one is only assumed again.

    Parameters
    ----------
    path : the file
    """

    path: Path

    def read(self) -> Pace:
        """Return what was measured here, `ASSUMED` before the first run.

        Raises `DataError` when the file is something else.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ASSUMED
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path} cannot be read ({error}); delete it") from error
        try:
            plain = json.loads(text)
            providers = {name: _provider(held) for name, held in plain["providers"].items()}
            pace = Pace(providers, _seconds(plain["handling"]), int(plain["sessions"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{self.path} is no record of measured times ({error!r}); delete it: the next plan "
                "then assumes, and the next run measures again"
            ) from error
        return pace

    def write(self, pace: Pace) -> None:
        """Keep `pace` instead of what was kept; raises `DataError` when it cannot be written."""
        text = json.dumps(asdict(pace), default=str, indent=1, sort_keys=True)
        pending = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            pending.write_text(text + "\n", encoding="utf-8")
            pending.replace(self.path)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be written ({error.strerror}); the bars are stored, only the "
                "next estimate is less good"
            ) from error


def _provider(plain: dict[str, Any]) -> ProviderPace:
    day = plain["measured"]
    return ProviderPace(
        _seconds(plain["seconds_a_call"]),
        int(plain["calls"]),
        None if day is None else date.fromisoformat(day),
    )


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e6:
        raise ValueError(f"{value!r} is no time")
    return seconds
