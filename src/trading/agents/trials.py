"""The record of every trial of the hyper-parameters: what the deflated Sharpe ratio has to know.

Whoever tries thirty recipes and shows the best has to say thirty (D. Bailey and M. Lopez de Prado,
"The Deflated Sharpe Ratio", 2014). The record only grows: trials on the data of earlier months, and
those that failed, count as well.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev

from trading.errors import ModelError

TRIALS_FILE = "trials.json"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial.

    Attributes
    ----------
    study : which study: algorithm, data and settings
    number : of the trial within the study, from 0
    algorithm : `ppo`, `a2c` or `sac`
    parameters : the hyper-parameters that differ from the default
    sharpe : annualised, of the net returns over equal weight in the judged months; None where the
        training failed
    months : months judged
    """

    study: str
    number: int
    algorithm: str
    parameters: dict[str, float]
    sharpe: float | None
    months: int


@dataclass(frozen=True, slots=True)
class TrialCount:
    """All trials that were ever made.

    Attributes
    ----------
    records : the trials, by study and number
    """

    records: tuple[TrialRecord, ...] = ()

    @property
    def count(self) -> int:
        """How many trials there were, failed ones included."""
        return len(self.records)

    @property
    def sharpe_ratios(self) -> tuple[float | None, ...]:
        """Annualised Sharpe ratio of each trial, None where it failed."""
        return tuple(record.sharpe for record in self.records)

    @property
    def sharpe_deviation(self) -> float | None:
        """Standard deviation of the Sharpe ratios; None with fewer than two."""
        known = [ratio for ratio in self.sharpe_ratios if ratio is not None]
        return stdev(known) if len(known) > 1 else None

    def with_study(self, study: str, records: tuple[TrialRecord, ...]) -> "TrialCount":
        """Return the record with all trials of one study written anew."""
        others = tuple(record for record in self.records if record.study != study)
        return TrialCount(tuple(sorted(others + records, key=lambda r: (r.study, r.number))))

    def to_bytes(self) -> bytes:
        """Return the record as JSON; equal records give equal bytes."""
        body = [asdict(record) for record in self.records]
        return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> "TrialCount":
        """Read what `to_bytes` wrote; raises `ModelError` for anything else."""
        try:
            return cls(tuple(TrialRecord(**record) for record in json.loads(body)))
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"the record of trials cannot be read ({error}); trials must stay counted: restore "
                f"{TRIALS_FILE} from a backup"
            ) from error


def count_trials(folder: Path) -> TrialCount:
    """Return the record in a folder of studies, an empty one where there is none yet.

    Raises `ModelError` when there is one that cannot be read.
    """
    path = folder / TRIALS_FILE
    return TrialCount.from_bytes(path.read_bytes()) if path.exists() else TrialCount()


def keep_trials(folder: Path, trials: TrialCount) -> None:
    """Write the record into a folder, whole or not at all."""
    unfinished = folder / f".{TRIALS_FILE}.unfinished"
    unfinished.write_bytes(trials.to_bytes())
    unfinished.replace(folder / TRIALS_FILE)
