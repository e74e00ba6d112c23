"""The trials of the hyper-parameters in the models store: every gate counts them."""

from trading.agents.trials import TRIALS_FILE, TrialCount
from trading.backtest.deflation import Trials
from trading.errors import NotFoundError
from trading.month.resources import Resources

KEY = f"tuning/{TRIALS_FILE}"


def publish_trials(trials: TrialCount, resources: Resources) -> TrialCount:
    """Add trials to those that are stored, each study as it is now; return all of them."""
    known = stored_trials(resources)
    for study in sorted({record.study for record in trials.records}):
        known = known.with_study(study, tuple(r for r in trials.records if r.study == study))
    resources.models.put(KEY, known.to_bytes())
    return known


def stored_trials(resources: Resources) -> TrialCount:
    """Return the stored trials, none where no study was published."""
    try:
        return TrialCount.from_bytes(resources.models.get(KEY).body)
    except NotFoundError:
        return TrialCount()


def trials_tried(resources: Resources) -> Trials:
    """Return what the deflated Sharpe ratio has to know: how many recipes were tried.

    The recipe that is judged is one of the trials; without any it is the only one.
    """
    found = stored_trials(resources)
    return Trials.recorded(found.count, found.sharpe_deviation)
