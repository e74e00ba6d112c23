"""From the rows of a source to data that can be trusted: validate, normalise, repair, enrich."""

from trading.data.pipeline.data import CleanData, RawData
from trading.data.pipeline.pipeline import DataPipeline
from trading.data.pipeline.stages import (
    Adjust,
    Batch,
    Enrich,
    Judge,
    Mend,
    Normalise,
    Stage,
    Validate,
)

__all__ = [
    "Adjust",
    "Batch",
    "CleanData",
    "DataPipeline",
    "Enrich",
    "Judge",
    "Mend",
    "Normalise",
    "RawData",
    "Stage",
    "Validate",
]
