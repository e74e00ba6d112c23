"""Build bars frames out of arrays."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from trading.market.bars import FIELDS
from trading.market.panel import FloatArray, SessionArray


def bars_from_codes(
    day: SessionArray,
    code: npt.NDArray[np.integer],
    names: Sequence[str],
    values: Mapping[str, FloatArray],
) -> pd.DataFrame:
    """Return the bars frame of parallel arrays; `names[code[i]]` is the symbol of row i."""
    dictionary = pa.DictionaryArray.from_arrays(
        pa.array(code, type=pa.int32()), pa.array(names, type=pa.large_string())
    )
    columns: dict[str, object] = {
        "date": day.astype("datetime64[s]"),
        "symbol": pd.Series(dictionary.cast(pa.large_string()), dtype="str"),
    }
    columns |= {name: values[name] for name in FIELDS}
    return pd.DataFrame(columns, copy=False)
