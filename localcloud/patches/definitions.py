"""Mistakes of a state machine that moto's parser accepts, and AWS refuses.

Source: Amazon States Language, "States and their transitions".
"""

from collections.abc import Iterator, Mapping
from typing import Any

_TERMINAL = frozenset({"Succeed", "Fail"})


def find_mistakes(definition: Mapping[str, Any], path: str = "") -> list[str]:
    """Return one phrase for each state that leads nowhere, is never reached or does not exist."""
    states: Mapping[str, Any] = definition.get("States", {})
    start = definition.get("StartAt")
    mistakes = [] if start in states else [f"StartAt names no state: {start!r} at {path}/StartAt"]
    reached = {start}
    for name, state in states.items():
        place = f"{path}/States/{name}"
        for field, target in _transitions(state):
            reached.add(target)
            if target not in states:
                mistakes.append(f"{field} names no state: {target!r} at {place}")
        leaves = "Next" in state or state.get("End") is True
        if not leaves and state.get("Type") not in _TERMINAL | {"Choice"}:
            mistakes.append(f"neither Next nor End at {place}")
        for part, inner in _inner(state):
            mistakes.extend(find_mistakes(inner, f"{place}/{part}"))
    mistakes.extend(f"unreachable: {path}/States/{name}" for name in states if name not in reached)
    return mistakes


def _transitions(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for one in state.get(field, []):
            yield f"{field}.Next", one.get("Next")


def _inner(state: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield field, state[field]
    for place, branch in enumerate(state.get("Branches", [])):
        yield f"Branches/{place}", branch
