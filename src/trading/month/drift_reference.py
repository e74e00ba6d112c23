"""The drift reference of a model: what its inputs and scores were like before its month."""

import numpy as np

from trading.agents.ensemble import Ensemble
from trading.config import DriftSettings
from trading.features.compute import compute_features
from trading.features.dataset import Dataset
from trading.features.specification import CONTEXT, FEATURE_NAMES
from trading.market.panel import Panel
from trading.monitoring.reference import Profile, Reference, Usual
from trading.month.payloads import MonthRun
from trading.month.portfolio import IntArray
from trading.month.resources import Resources

REFERENCE = "reference.npz"
"""The file of a model folder that holds its `Reference`."""


def keep_profile(month: MonthRun, panel: Panel, dataset: Dataset, resources: Resources) -> None:
    """Write the profile of the features, before they are ranked, over the months of a reference.

    The months are those before calendar months that end with the one to be scored.
    """
    indices = reference_months(dataset, resources.settings.monitoring.drift)
    named = np.flatnonzero([bool(symbol) for symbol in dataset.symbols])
    columns = panel.before(dataset.as_of).select([dataset.symbols[i] for i in named])
    features = compute_features(columns, dataset.decisions[indices])
    profile = Profile.of(FEATURE_NAMES, features, dataset.eligible[np.ix_(indices, named)])
    resources.runs.put(_profile_key(month), profile.to_bytes())


def load_profile(month: MonthRun, resources: Resources) -> Profile:
    """Return the profile that `keep_profile` wrote."""
    return Profile.from_bytes(resources.runs.get(_profile_key(month)).body)


def reference_of(
    dataset: Dataset, profile: Profile, ensemble: Ensemble, settings: DriftSettings
) -> Reference:
    """Return what a model's inputs and scores were like in the months before this one.

    Parameters
    ----------
    profile : of the same months, the last of which is the one to be scored and left out
    ensemble : the model that will score; its scores are taken as if nothing were held
    """
    indices = reference_months(dataset, settings)[:-1]
    nothing = np.zeros(len(dataset.symbols), dtype=np.float32)
    raw = [ensemble.raw(dataset.features[i], nothing, dataset.context[i]).T for i in indices]
    members = member_names(len(ensemble.members))
    scores = np.stack(raw) if raw else np.empty((0, len(nothing), len(members)))
    return Reference(
        months=tuple(dataset.months[i] for i in indices),
        features=Usual.of(profile.months(slice(0, -1))),
        scores=Usual.of(Profile.of(members, scores, dataset.eligible[indices])),
        context_names=CONTEXT,
        context=dataset.context[indices].astype(np.float64),
    )


def reference_months(dataset: Dataset, settings: DriftSettings) -> IntArray:
    """Return the calendar-month decisions of a reference, and the one to be scored as the last."""
    return np.flatnonzero(dataset.phases == 0)[-settings.months - 1 :]


def member_names(count: int) -> tuple[str, ...]:
    """Return what the members of an ensemble are called in a profile of scores."""
    return tuple(f"member {number + 1}" for number in range(count))


def _profile_key(month: MonthRun) -> str:
    return f"{month.folder}/features-profile.npz"
