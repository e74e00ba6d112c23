"""Score: the shared context once, then the slots in batches."""

import hashlib
import io
from datetime import UTC, datetime

import numpy as np

from trading.agents.artifact import Artifact
from trading.data.lake import Lake
from trading.features.dataset import Dataset
from trading.month.cross_section import CrossSection, FloatArray
from trading.month.payloads import Context, ContextRequest, MonthRun, Scored, ScoreRequest
from trading.month.pointers import get_folder, key_of, uri_of
from trading.month.portfolio import model_portfolio
from trading.month.prepare import load_dataset
from trading.month.resources import Resources
from trading.signals.store import StoredMonth

PRICE_SESSIONS = 10


def market_context(request: ContextRequest, resources: Resources) -> Context:
    """Write the month's cross-section, holdings included, and name the batches."""
    settings, month, begun = resources.settings, request.month, datetime.now(UTC)
    dataset = load_dataset(request.prepared, resources)
    portfolio = model_portfolio(stored_before(month.month, resources), dataset, settings)
    excluded = np.isin(dataset.symbols, month.exclude)
    section = CrossSection(
        symbols=dataset.symbols,
        features=dataset.features[-1],
        context=dataset.context[-1],
        eligible=dataset.eligible[-1] & dataset.active & ~excluded,
        held=portfolio.weights,
        dollar_volume=dataset.dollar_volume[-1],
        volatility=dataset.volatility[-1],
        price=_last_prices(resources.lake, dataset, month),
        nav=portfolio.nav,
    )
    key = f"{month.folder}/context.npz"
    resources.runs.put(key, section.to_bytes())
    batches = settings.universe.slots // settings.universe.batch
    return Context(
        context_uri=uri_of(resources.runs, key), batches=tuple(range(batches)), begun=begun
    )


def score_batch(request: ScoreRequest, resources: Resources) -> Scored:
    """Write the raw scores `(members, batch)` float32 of one batch of slots."""
    size = resources.settings.universe.batch
    section = load_section(request.context, resources)
    artifact = Artifact.from_files(
        get_folder(resources.models, request.champion.prefix), request.champion.prefix
    )
    slots = slice(request.batch * size, (request.batch + 1) * size)
    raw = artifact.ensemble().raw(
        section.features[slots], section.held[slots].astype(np.float32), section.context
    )
    buffer = io.BytesIO()
    np.save(buffer, raw, allow_pickle=False)
    key = f"{request.month.folder}/scores/batch-{request.batch}.npy"
    resources.runs.put(key, buffer.getvalue())
    return Scored(
        batch=request.batch,
        scores_uri=uri_of(resources.runs, key),
        sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
    )


def load_section(context: Context, resources: Resources) -> CrossSection:
    """Return the month's cross-section."""
    body = resources.runs.get(key_of(resources.runs, context.context_uri)).body
    return CrossSection.from_bytes(body)


def stored_before(month: str, resources: Resources) -> tuple[StoredMonth, ...]:
    """Return the stored months before `month`, oldest first."""
    store = resources.signals
    return tuple(store.read_month(other) for other in store.months() if other < month)


def _last_prices(lake: Lake, dataset: Dataset, month: MonthRun) -> FloatArray:
    """Return the last close of each slot within the last sessions, NaN where there is none."""
    start = dataset.sessions[-min(PRICE_SESSIONS, len(dataset.sessions))].astype(object)
    close = lake.panel(before=month.as_of, start=start).select(dataset.symbols).close
    last = len(close) - 1 - np.argmax(np.isfinite(close)[::-1], axis=0)
    return np.asarray(close[last, np.arange(close.shape[1])])
