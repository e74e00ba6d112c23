"""The deployment gate: what a challenger must show out of sample, and against whom.

A rejection is a normal outcome of a month. Every check has its value, its threshold and a sentence;
every figure is given for every contender, over the same months, net of costs.
"""

from collections.abc import Mapping

import numpy as np

from trading.backtest.bootstrap import paired_p_value
from trading.backtest.metrics import annual_turnover, summarize
from trading.config import GateSettings
from trading.errors import DataError
from trading.evaluation.baselines import EQUAL_WEIGHT
from trading.evaluation.evidence import Evidence, Record
from trading.evaluation.track import Track

CANDIDATE = "candidate"
CHAMPION = "champion"


class Figures(Record):
    """The figures of one contender; returns are net of costs, ratios annualised.

    Attributes
    ----------
    label : who it is
    months : months it was judged on
    annual_return, volatility, sharpe, sharpe_error, sortino, max_drawdown, calmar : see
        `backtest.metrics`
    annual_turnover : one way, a year
    annual_costs : of net asset value, a year
    hit_rate : share of months with a positive return
    information_coefficient : mean over the months; None without scores
    names : mean number of names held; None for an index
    delisted : names that left the market while they were held
    exposure : mean share invested; None where it was not kept
    excess_return : the candidate's annual return less this one's, over the same months
    p_value : one-sided, paired block bootstrap of the candidate against this one
    """

    label: str
    months: int
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    max_drawdown: float | None
    calmar: float | None
    annual_turnover: float | None
    annual_costs: float | None
    hit_rate: float | None
    information_coefficient: float | None
    names: float | None
    delisted: int
    exposure: float | None = None
    excess_return: float | None = None
    p_value: float | None = None


class Check(Record):
    """One condition: the value found, the threshold, whether it holds, and why, in a sentence."""

    name: str
    value: float | None
    threshold: float
    passed: bool
    reason: str


class Verdict(Record):
    """What the gate says of a challenger.

    Attributes
    ----------
    passed : whether every check holds
    summary : one sentence
    reasons : the sentences of the checks that failed
    checks : all checks
    figures : by contender: `candidate`, each baseline, `champion` where there is one
    months : the months judged, `YYYY-MM`
    monthly_returns : by contender, one net return for each of its months
    fill : the fill rule
    evidence : skill, net alpha, deflated Sharpe ratio, overfitting; None where it was not gathered
    """

    passed: bool
    summary: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    figures: dict[str, Figures]
    months: tuple[str, ...]
    monthly_returns: dict[str, dict[str, float]]
    fill: str
    evidence: Evidence | None = None


def judge(
    challenger: Track,
    baselines: Mapping[str, Track],
    champion: Track | None,
    settings: GateSettings,
    *,
    paired: Track | None = None,
    evidence: Evidence | None = None,
) -> Verdict:
    """Judge a challenger by its out-of-sample track.

    Parameters
    ----------
    challenger : its out-of-fold track
    baselines : by name, over the challenger's sessions; `equal_weight` must be among them
    champion : its track from stored scores; None where there is none
    settings : the thresholds
    paired : the challenger replayed over the champion's months, from cash as the champion is;
        without it, the challenger's own track is cut to the months of both
    evidence : beyond the tracks; without it, its checks are not made

    Raises
    ------
    DataError
        A baseline is missing or was not simulated over the challenger's sessions.
    """
    if EQUAL_WEIGHT not in baselines:
        raise DataError(f"the gate needs the baseline {EQUAL_WEIGHT}, got {sorted(baselines)}")
    figures = {CANDIDATE: figures_of(challenger)}
    for name, track in baselines.items():
        figures[name] = figures_of(track, against=challenger, samples=settings.bootstrap_samples)
    checks = [*_own_checks(figures[CANDIDATE], settings, evidence)]
    judged_apart = evidence.alpha_over if evidence is not None else {}
    checks += [
        _excess_check(name, figures[name], settings)
        for name in baselines
        if name not in judged_apart
    ]
    checks.append(_confidence_check(figures[EQUAL_WEIGHT], settings))
    if evidence is not None:
        checks += _evidence_checks(evidence, settings)
    tracks = {CANDIDATE: challenger, **baselines}
    if champion is not None:
        common = [month for month in champion.months if month in challenger.months]
        rival = champion.restricted(common)
        own = (challenger if paired is None else paired).restricted(common)
        figures[CHAMPION] = figures_of(rival, against=own, samples=settings.bootstrap_samples)
        checks.append(_champion_check(figures[CHAMPION], settings))
        tracks[CHAMPION] = rival
    reasons = tuple(check.reason for check in checks if not check.passed)
    return Verdict(
        passed=not reasons,
        summary=_summary(checks, figures[CANDIDATE].months),
        reasons=reasons,
        checks=tuple(checks),
        figures=figures,
        months=challenger.months,
        monthly_returns={name: _by_month(track) for name, track in tracks.items()},
        fill=challenger.fill,
        evidence=evidence,
    )


def with_check(verdict: Verdict, check: Check, name: str, track: Track, found: Figures) -> Verdict:
    """Return a verdict with one more check, on one more contender over months of its own.

    Parameters
    ----------
    name : of the contender; `found` are its figures, `track` is what they are of
    """
    checks = (*verdict.checks, check)
    reasons = tuple(one.reason for one in checks if not one.passed)
    return verdict.model_copy(
        update={
            "passed": not reasons,
            "summary": _summary(list(checks), verdict.figures[CANDIDATE].months),
            "reasons": reasons,
            "checks": checks,
            "figures": {**verdict.figures, name: found},
            "monthly_returns": {**verdict.monthly_returns, name: _by_month(track)},
        }
    )


def figures_of(track: Track, *, against: Track | None = None, samples: int = 0) -> Figures:
    """Return the figures of a track and, with `against`, that candidate's lead over it.

    Raises `DataError` when the two are not of the same sessions.
    """
    performance = summarize(track.net_returns)
    monthly = track.monthly_returns
    known = track.information[np.isfinite(track.information)]
    excess, p_value = None, None
    if against is not None:
        if not np.array_equal(against.sessions, track.sessions):
            raise DataError(
                f"{against.name} and {track.name} were not simulated over the same sessions"
            )
        own = summarize(against.net_returns).cagr
        if own is not None and performance.cagr is not None:
            excess = own - performance.cagr
        p_value = paired_p_value(against.net_returns, track.net_returns, samples)
    return Figures(
        label=track.label,
        months=len(track.months),
        annual_return=performance.cagr,
        volatility=performance.volatility,
        sharpe=performance.sharpe,
        sharpe_error=performance.sharpe_error,
        sortino=performance.sortino,
        max_drawdown=performance.max_drawdown,
        calmar=performance.calmar,
        annual_turnover=annual_turnover(track.turnover) if len(monthly) else None,
        annual_costs=annual_turnover(track.costs) if len(monthly) else None,
        hit_rate=float((monthly > 0.0).mean()) if len(monthly) else None,
        information_coefficient=float(known.mean()) if len(known) else None,
        names=float(track.names.mean()) if track.names.any() else None,
        delisted=track.delisted,
        exposure=None
        if track.exposure is None or not len(monthly)
        else float(track.exposure.mean()),
        excess_return=excess,
        p_value=p_value,
    )


def _own_checks(found: Figures, settings: GateSettings, evidence: Evidence | None) -> list[Check]:
    information, what = found.information_coefficient, "mean information coefficient"
    if evidence is not None:
        # Rank correlation with plain returns falls with every wild name, which loses in the median.
        information = evidence.neutral_information
        what = "mean information coefficient beyond beta, size and illiquidity"
    months = Check(
        name="months",
        value=found.months,
        threshold=settings.min_months,
        passed=found.months >= settings.min_months,
        reason=f"{found.months} out-of-sample months, {settings.min_months} are needed",
    )
    return [
        months,
        _sharpe_check(found, settings),
        _at_most(
            "max_drawdown", found.max_drawdown, settings.max_drawdown, "maximum drawdown", "{:.1%}"
        ),
        _at_least(
            "information_coefficient",
            information,
            settings.min_information_coefficient,
            what,
            "{:.3f}",
        ),
    ]


def _sharpe_check(found: Figures, settings: GateSettings) -> Check:
    """Check that the Sharpe ratio does not lie below its floor by more than its standard error.

    Over few years the ratio of a long portfolio is the market's luck before it is anything else.
    """
    highest, what = None, "Sharpe ratio and its standard error"
    if found.sharpe is not None and found.sharpe_error is not None:
        highest = found.sharpe + found.sharpe_error
        what = f"{what}, {found.sharpe:.2f} + {found.sharpe_error:.2f}"
    return _at_least("sharpe", highest, settings.min_sharpe, what, "{:.2f}")


def _excess_check(name: str, found: Figures, settings: GateSettings) -> Check:
    what = f"annual return over {name.replace('_', ' ')}"
    return _at_least(
        f"excess_return.{name}", found.excess_return, settings.min_excess_return, what, "{:+.1%}"
    )


def _confidence_check(found: Figures, settings: GateSettings) -> Check:
    what = "bootstrap p-value against equal weight"
    return _at_most("confidence", found.p_value, settings.max_confidence_p, what, "{:.3f}")


def _evidence_checks(found: Evidence, settings: GateSettings) -> list[Check]:
    tries = f"{found.trials} trial{'s' if found.trials > 1 else ''}"
    over = [
        _at_least(
            f"alpha_over.{name}",
            value,
            settings.min_excess_return,
            f"annual net return over {name.replace('_', ' ')} beyond constant beta, size and "
            "illiquidity",
            "{:+.1%}",
        )
        for name, value in found.alpha_over.items()
    ]
    return [
        *over,
        _at_most(
            "skill",
            found.skill_p_value_family,
            settings.max_skill_p,
            f"p-value of no information beyond beta, size and illiquidity ({tries})",
            "{:.4f}",
        ),
        _at_least(
            "net_alpha",
            found.net_alpha,
            settings.min_net_alpha,
            "annual net return beyond constant beta, size and illiquidity",
            "{:+.1%}",
        ),
        _at_least(
            "deflated_sharpe",
            found.deflated_sharpe,
            settings.min_deflated_sharpe,
            f"deflated Sharpe ratio of the return over equal weight ({tries})",
            "{:.2f}",
        ),
        _at_most(
            "overfitting",
            found.overfitting,
            settings.max_overfitting,
            f"probability of overfitting among {found.candidates} candidates",
            "{:.2f}",
        ),
    ]


def _champion_check(found: Figures, settings: GateSettings) -> Check:
    name = "champion_margin"
    if found.months < settings.min_months:
        return Check(
            name=name,
            value=found.excess_return,
            threshold=settings.champion_margin,
            passed=True,
            reason=f"only {found.months} month(s) in common with the champion's stored scores: "
            "the baselines alone decide",
        )
    what = "annual return over the champion"
    return _at_least(name, found.excess_return, settings.champion_margin, what, "{:+.1%}")


def _at_least(name: str, value: float | None, limit: float, what: str, form: str) -> Check:
    passed = value is not None and value >= limit
    return _compared(name, value, limit, passed, what, form, "at least")


def _at_most(name: str, value: float | None, limit: float, what: str, form: str) -> Check:
    passed = value is not None and value <= limit
    return _compared(name, value, limit, passed, what, form, "at most")


def _compared(
    name: str, value: float | None, limit: float, passed: bool, what: str, form: str, side: str
) -> Check:
    found = "no data" if value is None else form.format(value)
    reason = f"{what}: {found}, {side} {form.format(limit)} is needed"
    return Check(name=name, value=value, threshold=limit, passed=passed, reason=reason)


def _summary(checks: list[Check], months: int) -> str:
    failed = sum(not check.passed for check in checks)
    if not failed:
        return f"Passed: all {len(checks)} checks over {months} out-of-sample months hold."
    return f"Rejected: {failed} of {len(checks)} checks over {months} out-of-sample months fail."


def _by_month(track: Track) -> dict[str, float]:
    return dict(zip(track.months, map(float, track.monthly_returns), strict=True))
