"""The drift check: is this month like the months that the champion learnt from.

The model sees ranks of the features, whose distribution is the same every month; so drift is looked
for where it can be: in the features before they are ranked, in how many names they are known of, in
the market context, and in the scores of each member. A quantity has drifted when its population
stability index or its Kolmogorov-Smirnov distance exceeds a limit, which is the customary one or,
where the reference's own months differ more among themselves, a multiple of that.
"""

import numpy as np

from trading.config import DriftSettings
from trading.monitoring.distributions import FloatArray, largest_gap, stability_index
from trading.monitoring.reference import Profile, Reference, Usual
from trading.signals.oversight import DriftFinding, DriftKind, DriftSummary


def check_drift(
    reference: Reference | None,
    features: Profile,
    context: FloatArray,
    scores: Profile,
    settings: DriftSettings,
) -> DriftSummary:
    """Hold a month against the champion's reference.

    Parameters
    ----------
    reference : of the champion; None where it has none
    features, scores : profiles of this month alone, of the same quantities as the reference's
    context : (C,) the market context

    Returns
    -------
    the verdict: `warn` when anything has drifted, `no data` without a reference of
    `settings.min_months` months of the same quantities
    """
    if reference is None or len(reference.months) < settings.min_months:
        months = 0 if reference is None else len(reference.months)
        return DriftSummary(
            verdict="no data",
            reason=f"the champion has a reference of {months} months,"
            f" {settings.min_months} are needed",
            reference_months=months,
        )
    if reference.features.names != features.names or reference.scores.names != scores.names:
        return DriftSummary(
            verdict="no data",
            reason="the champion's reference is of other features or members than this month's",
            reference_months=len(reference.months),
        )
    findings = (
        *_distributions("feature", reference.features, features, settings),
        *_context(reference, context, settings),
        *_distributions("score", reference.scores, scores, settings),
    )
    drifted = sum(finding.drifted for finding in findings)
    return DriftSummary(
        verdict="warn" if drifted else "ok",
        reason=f"{drifted} of {len(findings)} figures lie outside what the champion learnt from",
        reference_months=len(reference.months),
        findings=findings,
    )


def _distributions(
    kind: DriftKind, usual: Usual, now: Profile, settings: DriftSettings
) -> list[DriftFinding]:
    psi, ks = stability_index(usual.points, now.points[0]), largest_gap(usual.points, now.points[0])
    psi_limits = np.maximum(settings.psi, settings.tolerance * usual.psi)
    ks_limits = np.maximum(settings.ks, settings.tolerance * usual.ks)
    lost = usual.known - now.known[0]
    found = []
    for i, name in enumerate(usual.names):
        reasons = [
            f"{what} {figure:.2f}, at most {limit:.2f} is usual"
            for what, figure, limit in (
                ("stability index", psi[i], psi_limits[i]),
                ("Kolmogorov-Smirnov distance", ks[i], ks_limits[i]),
            )
            if figure > limit
        ]
        if lost[i] > settings.known_loss:
            reasons.append(
                f"known of {now.known[0, i]:.0%} of the names, usual {usual.known[i]:.0%}"
            )
        found.append(
            DriftFinding(
                name=name,
                kind=kind,
                psi=_plain(psi[i]),
                ks=_plain(ks[i]),
                psi_limit=float(psi_limits[i]),
                ks_limit=float(ks_limits[i]),
                known=float(now.known[0, i]),
                drifted=bool(reasons),
                reason=f"{name}: {'; '.join(reasons)}" if reasons else "",
            )
        )
    return found


def _context(
    reference: Reference, context: FloatArray, settings: DriftSettings
) -> list[DriftFinding]:
    mean, spread = reference.context.mean(axis=0), reference.context.std(axis=0)
    found = []
    for name, value, centre, sigma in zip(
        reference.context_names, context, mean, spread, strict=True
    ):
        apart = abs(value - centre)
        sigmas = apart / sigma if sigma > 0.0 else (0.0 if apart == 0.0 else np.inf)
        drifted = not sigmas <= settings.sigmas
        reason = f"{name}: {value:.3g} lies far from {centre:.3g}, its mean while the model learnt"
        found.append(
            DriftFinding(
                name=name,
                kind="context",
                sigmas=_plain(sigmas),
                drifted=drifted,
                reason=reason if drifted else "",
            )
        )
    return found


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
