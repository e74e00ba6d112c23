"""The position sizers by name."""

from collections.abc import Mapping
from typing import Any, TypeVar

from trading.errors import ParameterError
from trading.risk.sizing.base import PositionSizer

S = TypeVar("S", bound=type[PositionSizer])

_SIZERS: dict[str, type[PositionSizer]] = {}


def register(sizer: S) -> S:
    """Make a sizer known by its `name`; a decorator. `ParameterError` if the name is taken."""
    known = _SIZERS.setdefault(sizer.name, sizer)
    if known is not sizer:
        raise ParameterError(
            f"the sizer name {sizer.name!r} is taken by {known.__module__}.{known.__qualname__}; "
            "choose another"
        )
    return sizer


def sizer_names() -> tuple[str, ...]:
    """Return the names of all registered sizers, sorted."""
    return tuple(sorted(_SIZERS))


def sizer_type(name: str) -> type[PositionSizer]:
    """Return the class of a sizer; `ParameterError` names the known ones."""
    try:
        return _SIZERS[name]
    except KeyError:
        raise ParameterError(
            f"there is no position sizer {name!r}; expected one of {', '.join(sizer_names())}"
        ) from None


def build_sizer(name: str, parameters: Mapping[str, Any] | None = None) -> PositionSizer:
    """Return the sizer with these parameters; `ParameterError` names every mistake."""
    return sizer_type(name).build(**(parameters or {}))
