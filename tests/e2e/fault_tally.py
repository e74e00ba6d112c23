"""What many struck months met and how they ended, and in which states they were struck."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

BEFORE_THE_MONTH = "(start)"
"""Where a fault hits that strikes before an execution begins."""


@dataclass
class FaultTally:
    """Counts over many runs.

    Attributes
    ----------
    ended
        Runs by the status that they ended with, before they were run again.
    kinds
        Runs that a kind of fault, or of trouble at the providers, has truly hit.
    states
        Runs that were hit in a state.
    missed
        Runs that nothing has hit: what was drawn lay beyond their end.
    """

    ended: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    missed: int = 0

    def count(self, status: str, kinds: Iterable[str], states: Iterable[str]) -> None:
        """Count one run."""
        hit = set(kinds)
        self.ended[status] += 1
        self.kinds.update(hit)
        self.states.update(set(states))
        self.missed += not hit

    def lines(self) -> Iterator[str]:
        """Yield the counts as text."""
        yield f"{self.ended.total()} months; {self.missed} of them hit by nothing"
        for title, counted in (
            ("ended", self.ended),
            ("hit by", self.kinds),
            ("hit in", self.states),
        ):
            yield f"{title}: " + ", ".join(f"{n} {name}" for name, n in counted.most_common())


def task_states(definition: Mapping[str, Any]) -> set[str]:
    """Return the names of a state machine's tasks, those inside of maps included."""
    found: set[str] = set()
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            found.add(name)
        if "ItemProcessor" in state:
            found |= task_states(state["ItemProcessor"])
    return found


def states_at(history: Sequence[Mapping[str, Any]], times: Iterable[datetime]) -> list[str]:
    """Return the innermost state that an execution was in at each time.

    Parameters
    ----------
    history
        Events of the execution, oldest first.
    times
        With their time zone.
    """
    return [_state_at(history, time) for time in times]


def _state_at(history: Sequence[Mapping[str, Any]], time: datetime) -> str:
    inside: list[str] = []
    for event in history:
        if event["timestamp"] > time:
            break
        if "stateEnteredEventDetails" in event:
            inside.append(event["stateEnteredEventDetails"]["name"])
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            if name in inside:
                inside.remove(name)
    return inside[-1] if inside else BEFORE_THE_MONTH
