"""The pipeline: the stages in order, and a cache in front."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import date

from trading.config import Settings
from trading.data.cache.base import Cache
from trading.data.cache.single_flight import ReadThrough
from trading.data.pipeline.data import CleanData, RawData
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
from trading.errors import DataError
from trading.market.calendar import today as exchange_today

logger = logging.getLogger(__name__)


class DataPipeline:
    """Validation, normalisation, adjustment, repair, enrichment, judgement; cached.

    Parameters
    ----------
    settings : `data` tells thresholds and exchange
    today : rows of later days are dropped; by default the exchange's date
    cache : where results are kept; None keeps nothing. The key is a digest of the raw data and the
        settings, so that other data or settings never get an old result
    stages : instead of the usual ones, for a pipeline that does less or more

    Examples
    --------
    >>> clean = DataPipeline(Settings()).process(RawData(rows, "AAPL of Yahoo"))
    >>> clean.quality.verdict, clean.repairs
    """

    def __init__(
        self,
        settings: Settings,
        *,
        today: date | None = None,
        cache: Cache | None = None,
        stages: Sequence[Stage] | None = None,
    ) -> None:
        self._settings = settings
        self._today = today or exchange_today(settings.schedule.timezone)
        self._cache = None if cache is None else ReadThrough(cache)
        self._stages = tuple(stages) if stages is not None else self._usual_stages()

    def process(self, raw: RawData) -> CleanData:
        """Return clean data and the account of how it came about.

        Raises `DataError` when the rows are refused (a column is missing, too many are unusable,
        too few symbols are left), with the reason. A bad verdict raises nothing: it is in
        `quality`, and whoever serves the data decides by it.
        """
        if self._cache is None:
            return self._process(raw)
        body = self._cache.get(self._key(raw), lambda: self._process(raw).to_bytes())
        return CleanData.from_bytes(body)

    def _usual_stages(self) -> tuple[Stage, ...]:
        settings, today = self._settings, self._today
        return (
            Validate(settings, today),
            Normalise(settings, today),
            Adjust(),
            Mend(settings),
            Enrich(),
            Judge(settings),
        )

    def _key(self, raw: RawData) -> str:
        names = ",".join(stage.name for stage in self._stages)
        told = f"{raw.fingerprint()}|{self._settings.data.model_dump_json()}|{self._today}|{names}"
        return f"clean/{hashlib.sha256(told.encode()).hexdigest()}"

    def _process(self, raw: RawData) -> CleanData:
        batch = Batch(raw, raw.actions)
        for stage in self._stages:
            batch = stage(batch)
            logger.debug("%s: %s, %d bars", raw.source, stage.name, len(batch.bars))
        if batch.report is None or batch.quality is None:
            raise DataError(
                "the stages of the pipeline neither normalise nor judge; expected Normalise and "
                "Judge among them"
            )
        repaired = batch.repaired
        return CleanData(
            bars=batch.bars,
            actions=batch.actions,
            reference=batch.reference,
            report=batch.report,
            quality=batch.quality,
            repairs=batch.repairs,
            original_bars=repaired.original_bars if repaired else batch.bars.iloc[:0],
            replaced_actions=repaired.replaced_actions if repaired else (),
        )
