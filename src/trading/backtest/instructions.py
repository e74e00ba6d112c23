"""Instructions: what the engine is asked to do, row by row, as columns."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from trading.errors import DataError, OrderError
from trading.execution.orders import TYPE_CODES, OrderType

CANCEL, TARGET, ORDER = 0, 1, 2
# Quantities are 64-bit integers: what a target asks for must be countable.
LARGEST_WEIGHT = 1e6

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Instructions:
    """Cancels, targets and orders, sorted by row, then cancels first, then column.

    Attributes
    ----------
    rows, columns : (E,) int64, bar and symbol; made on the bars up to `rows`
    kinds : (E,) int8: CANCEL, TARGET or ORDER
    weights : (E,) float64, the wanted fraction of the sizing base; targets only
    sides, types, times : (E,) int8, codes of `execution.orders`; orders only
    quantities : (E,) int64 micro-shares, > 0; orders only
    limits, stops : (E,) float64 USD, NaN where the type has none; orders only
    """

    rows: IntArray
    columns: IntArray
    kinds: CodeArray
    weights: FloatArray
    sides: CodeArray
    quantities: IntArray
    types: CodeArray
    limits: FloatArray
    stops: FloatArray
    times: CodeArray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> "Instructions":
        """Return no instructions."""
        return cls.cancels([], [])

    @classmethod
    def targets(
        cls, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike
    ) -> "Instructions":
        """Return target weights; raises `DataError` for one not finite or beyond a million."""
        wanted = np.asarray(weights, dtype=np.float64)
        if not np.isfinite(wanted).all():
            raise DataError("a target weight is not a finite number")
        if (np.abs(wanted) > LARGEST_WEIGHT).any():
            raise DataError(
                f"a target weight lies beyond {LARGEST_WEIGHT:,.0f} times the capital; weights are "
                "fractions: 0.05 is 5 %"
            )
        return cls._of(TARGET, rows, columns, weights=wanted)

    @classmethod
    def cancels(cls, rows: npt.ArrayLike, columns: npt.ArrayLike) -> "Instructions":
        """Return cancels of every working order of the symbols."""
        return cls._of(CANCEL, rows, columns)

    @classmethod
    def orders(
        cls,
        rows: npt.ArrayLike,
        columns: npt.ArrayLike,
        sides: npt.ArrayLike,
        quantities: npt.ArrayLike,
        types: npt.ArrayLike,
        limits: npt.ArrayLike,
        stops: npt.ArrayLike,
        times: npt.ArrayLike,
    ) -> "Instructions":
        """Return orders; raises `OrderError` for a malformed one."""
        made = cls._of(
            ORDER,
            rows,
            columns,
            sides=np.asarray(sides, dtype=np.int8),
            quantities=np.asarray(quantities, dtype=np.int64),
            types=np.asarray(types, dtype=np.int8),
            limits=np.asarray(limits, dtype=np.float64),
            stops=np.asarray(stops, dtype=np.float64),
            times=np.asarray(times, dtype=np.int8),
        )
        _require_orders(made)
        return made

    @classmethod
    def merge(cls, *many: "Instructions") -> "Instructions":
        """Return all of them, sorted; equal places keep the order given."""
        names = [one.name for one in fields(cls)]
        joined = {name: np.concatenate([getattr(one, name) for one in many]) for name in names}
        order = np.lexsort((joined["columns"], joined["kinds"] != CANCEL, joined["rows"]))
        return cls(**{name: values[order] for name, values in joined.items()})

    def offsets(self, bars: int) -> IntArray:
        """Return `(bars + 1,)`: row t has the instructions `offsets[t] .. offsets[t + 1]`."""
        if len(self) and (self.rows[0] < 0 or self.rows[-1] >= bars):
            raise DataError(f"an instruction lies outside the {bars} bars of the run")
        return np.searchsorted(self.rows, np.arange(bars + 1))

    @classmethod
    def _of(
        cls, kind: int, rows: npt.ArrayLike, columns: npt.ArrayLike, **given: npt.NDArray[Any]
    ) -> "Instructions":
        row = np.asarray(rows, dtype=np.int64)
        size = len(row)
        values: dict[str, npt.NDArray[Any]] = {
            "rows": row,
            "columns": np.asarray(columns, dtype=np.int64),
            "kinds": np.full(size, kind, dtype=np.int8),
            "weights": np.zeros(size),
            "sides": np.zeros(size, dtype=np.int8),
            "quantities": np.zeros(size, dtype=np.int64),
            "types": np.zeros(size, dtype=np.int8),
            "limits": np.full(size, np.nan),
            "stops": np.full(size, np.nan),
            "times": np.zeros(size, dtype=np.int8),
            **given,
        }
        wrong = [name for name, column in values.items() if column.shape != (size,)]
        if wrong:
            raise DataError(f"{', '.join(wrong)}: expected {size} values, one an instruction")
        key_sorted = (
            size < 2
            or (
                (np.diff(row) > 0) | ((np.diff(row) == 0) & (np.diff(values["columns"]) >= 0))
            ).all()
        )
        if not key_sorted:
            order = np.lexsort((values["columns"], row))
            values = {name: column[order] for name, column in values.items()}
        return cls(**values)


def _require_orders(made: Instructions) -> None:
    needs_limit = np.isin(
        made.types, [TYPE_CODES[OrderType.LIMIT], TYPE_CODES[OrderType.STOP_LIMIT]]
    )
    needs_stop = np.isin(made.types, [TYPE_CODES[OrderType.STOP], TYPE_CODES[OrderType.STOP_LIMIT]])
    for what, bad in (
        ("a side is neither 1 (buy) nor -1 (sell)", ~np.isin(made.sides, (-1, 1))),
        ("a quantity is not positive", made.quantities <= 0),
        ("an order type is unknown", ~np.isin(made.types, list(TYPE_CODES.values()))),
        ("a time in force is unknown", ~np.isin(made.times, (0, 1, 2, 3))),
        ("a limit price is missing or not positive", needs_limit & ~(made.limits > 0.0)),
        ("a stop price is missing or not positive", needs_stop & ~(made.stops > 0.0)),
        ("a price is infinite", np.isinf(made.limits) | np.isinf(made.stops)),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise OrderError(f"{what} (row {made.rows[first]}, column {made.columns[first]})")
