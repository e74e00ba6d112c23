"""Store: signals and model portfolio of the month, written whole and once."""

from trading.month.measures import month_performance
from trading.month.payloads import StoredMonth, StoreRequest
from trading.month.prepare import load_dataset
from trading.month.rank import load_signals
from trading.month.resources import Resources
from trading.month.score import load_section, stored_before
from trading.month.standing import require_standing


def store_signals(request: StoreRequest, resources: Resources) -> StoredMonth:
    """Write the month; a month that holds exactly this already is left alone.

    Raises `ConflictError` when the month is stored with other content.
    """
    month = request.month
    require_standing(month, resources)
    signals = load_signals(request.ranked, resources)
    performance = month_performance(
        month.month,
        request.champion.version,
        signals,
        stored_before(month.month, resources),
        load_section(request.context, resources),
        load_dataset(request.prepared, resources),
        resources,
    )
    written = resources.signals.write_month(signals, performance)
    return StoredMonth(month=month.month, model_version=request.champion.version, written=written)
