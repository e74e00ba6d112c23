"""Shadow: challengers that lost their gate are scored on, beside the champion.

Their scores are kept as a champion's are, so their live record is out of sample beyond doubt: it
was written before its months began. It is shown every month, and the next gate takes it into
account: month by month the scores of the challenger that had lost last, which is what the recipe
would have given in production.
"""

import json
from dataclasses import dataclass

import numpy as np

from trading.agents.artifact import Artifact
from trading.backtest.metrics import total_return
from trading.config import Settings
from trading.errors import ModelError
from trading.evaluation.gate import Check, Verdict, figures_of, with_check
from trading.evaluation.out_of_fold import OutOfSample, replay_scores
from trading.evaluation.score_history import ScoreHistory
from trading.features.dataset import Dataset
from trading.features.specification import FEATURES_VERSION
from trading.month.champion_record import champion_history, live_scores, record_live_scores
from trading.month.cross_section import CrossSection
from trading.month.model_record import ModelRecord
from trading.month.oversight_requests import ShadowRequest
from trading.month.payloads import ChampionRef, Watched
from trading.month.pointers import get_folder, key_of, uri_of
from trading.month.prepare import load_dataset
from trading.month.resources import Resources
from trading.month.score import load_section
from trading.signals.oversight import ShadowSummary

LABEL = "Rejected challengers in shadow, live scores"


def score_shadow(request: ShadowRequest, resources: Resources) -> Watched:
    """Score the challengers in shadow, keep their scores, and write what they have been worth."""
    month = request.month
    section = load_section(request.context, resources)
    dataset = load_dataset(request.prepared, resources)
    champion = champion_history(
        ChampionRef(
            version=request.champion.version,
            kind=request.champion.kind,
            prefix=request.champion.prefix,
            month=month.month,
        ),
        resources,
    )
    summaries = []
    for record in in_shadow(month.month, resources):
        if record.version == request.champion.version:
            continue
        try:
            history = _score(record, month.month, section, resources)
        except ModelError as error:
            summaries.append(_unscored(record, str(error)))
            continue
        record_live_scores(month, record.version, history, resources)
        summaries.append(_summary(record, dataset, champion, resources))
    key = f"{month.folder}/shadow.json"
    body = [summary.model_dump(mode="json") for summary in summaries]
    resources.runs.put(key, json.dumps(body, indent=1).encode())
    scored = sum(summary.scored for summary in summaries)
    return Watched(
        outcome="ok" if scored == len(summaries) else "warn",
        reason=f"{scored} of {len(summaries)} challengers in shadow were scored",
        uri=uri_of(resources.runs, key),
    )


def load_summaries(watched: Watched, resources: Resources) -> tuple[ShadowSummary, ...]:
    """Return the summaries that `score_shadow` wrote; none where it failed."""
    if not watched.uri:
        return ()
    body = json.loads(resources.runs.get(key_of(resources.runs, watched.uri)).body)
    return tuple(ShadowSummary.model_validate(item) for item in body)


def in_shadow(month: str, resources: Resources) -> tuple[ModelRecord, ...]:
    """Return the challengers that are scored in shadow in a month, the latest first.

    They are the latest `monitoring.shadow.models` ensembles that stand rejected, this month's too;
    of a month that was run more than once only that of the last run.
    """
    rejected = {
        record.month: record
        for record in resources.ledger.models.all()
        if record.status == "REJECTED" and record.kind == "ensemble" and record.month <= month
    }
    latest = [rejected[judged] for judged in sorted(rejected, reverse=True)]
    return tuple(latest[: resources.settings.monitoring.shadow.models])


def shadow_history(month: str, resources: Resources) -> ScoreHistory | None:
    """Return, month by month, the live scores of the challenger that had lost last; None if none.

    Only months before `month` count.
    """
    history: ScoreHistory | None = None
    taken: set[str] = set()
    for record in in_shadow(month, resources):
        for live, scored in live_scores(record.version, resources):
            if live >= month or live in taken:
                continue
            taken.add(live)
            if history is None:
                history = scored
            else:
                history = history.with_month(
                    live, scored.symbols, scored.scores[0], scored.confidence[0]
                )
    return history


@dataclass(frozen=True)
class ShadowTracks:
    """The recipe in shadow and the champion over the months that both were scored live."""

    shadow: OutOfSample
    champion: OutOfSample


def shadow_tracks(
    dataset: Dataset,
    shadow: ScoreHistory | None,
    champion: ScoreHistory | None,
    settings: Settings,
    label: str = LABEL,
) -> ShadowTracks | None:
    """Replay both from cash over the months in common; None where there is none."""
    if shadow is None or champion is None:
        return None
    months = tuple(month for month in shadow.months if month in champion.months)
    own = replay_scores(dataset, shadow, settings, months=months, name="shadow", label=label)
    if own is None:
        return None
    rival = replay_scores(dataset, champion, settings, months=own.track.months)
    return None if rival is None else ShadowTracks(own, rival)


def judge_with_shadow(
    verdict: Verdict,
    dataset: Dataset,
    shadow: ScoreHistory | None,
    champion: ScoreHistory | None,
    settings: Settings,
) -> Verdict:
    """Return the verdict with what the recipe in shadow has shown against the champion.

    With fewer live months than `monitoring.shadow.min_months` the check is told and passes; without
    a month in common with the champion there is none.
    """
    tracks = shadow_tracks(dataset, shadow, champion, settings)
    if tracks is None:
        return verdict
    own, rival = tracks.shadow.track, tracks.champion.track
    wanted = settings.monitoring.shadow
    found = figures_of(own)
    lead = figures_of(rival, against=own, samples=settings.gate.bootstrap_samples).excess_return
    months = len(own.months)
    told = "no data" if lead is None else f"{lead:+.1%}"
    if months < wanted.min_months:
        passed = True
        reason = (
            f"{told} a year over the champion in shadow, but {months} live month(s) are fewer than"
            f" {wanted.min_months}: it does not count yet"
        )
    else:
        passed = lead is not None and lead >= wanted.margin
        reason = (
            f"annual return over the champion in shadow, {months} live months: {told}, at least"
            f" {wanted.margin:+.1%} is needed"
        )
    check = Check(
        name="shadow_margin", value=lead, threshold=wanted.margin, passed=passed, reason=reason
    )
    return with_check(verdict, check, "shadow", own, found)


def _score(
    record: ModelRecord, month: str, section: CrossSection, resources: Resources
) -> ScoreHistory:
    """Score the whole cross-section as if nothing were held; raises `ModelError` if it cannot."""
    artifact = Artifact.from_files(get_folder(resources.models, record.prefix), record.prefix)
    if artifact.manifest.features_version != FEATURES_VERSION:
        raise ModelError(
            f"model {record.version} was trained on features {artifact.manifest.features_version},"
            f" the month has {FEATURES_VERSION}"
        )
    nothing = np.zeros(len(section.symbols), dtype=np.float32)
    scores = artifact.ensemble().score(section.features, nothing, section.context, section.eligible)
    named = np.array([bool(symbol) for symbol in section.symbols])
    confidence = np.where(section.eligible, scores.confidence, np.nan)
    return ScoreHistory(
        months=(month,),
        symbols=tuple(symbol for symbol in section.symbols if symbol),
        scores=scores.score[named][None],
        confidence=confidence[named][None],
    )


def _summary(
    record: ModelRecord, dataset: Dataset, champion: ScoreHistory | None, resources: Resources
) -> ShadowSummary:
    own: ScoreHistory | None = None
    for live, scored in live_scores(record.version, resources):
        if live >= record.month:
            own = (
                scored
                if own is None
                else own.with_month(live, scored.symbols, scored.scores[0], scored.confidence[0])
            )
    tracks = shadow_tracks(dataset, own, champion, resources.settings)
    if tracks is None:
        return ShadowSummary(version=record.version, month=record.month)
    return ShadowSummary(
        version=record.version,
        month=record.month,
        months=len(tracks.shadow.track.months),
        net_return=float(total_return(tracks.shadow.track.net_returns)),
        champion_return=float(total_return(tracks.champion.track.net_returns)),
    )


def _unscored(record: ModelRecord, reason: str) -> ShadowSummary:
    return ShadowSummary(version=record.version, month=record.month, scored=False, reason=reason)
