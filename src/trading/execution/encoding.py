"""Orders, fills, events and activities as plain JSON and back, without loss.

Decimals are written as strings, times in ISO 8601 with their zone, enumerations by their values.
"""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from trading.errors import StoreError

T = TypeVar("T")

_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def to_plain(value: object) -> Any:
    """Return a dataclass of this package as plain JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json", exclude_defaults=True)


def from_plain(kind: type[T], plain: Any) -> T:
    """Return the dataclass `kind` that `to_plain` wrote.

    Raises
    ------
    StoreError
        The values are not those of a `kind`; the sentence names the field.
    """
    try:
        value: T = _adapter(kind).validate_python(plain)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StoreError(f"this is not the record of a {kind.__name__}: {mistakes}") from error
    return value


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
