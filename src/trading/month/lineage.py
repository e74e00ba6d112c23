"""Lineage: from the data's hash to a signal and its mail, every link checked again.

Nothing is taken on trust: hashes are computed anew from what is stored, and the score, the rank and
the confidence of the name are made again from the model and the month's cross-section.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from trading.agents.artifact import Artifact, Manifest
from trading.agents.ensemble import combine
from trading.errors import MonthError, NotFoundError, TradingError
from trading.features.dataset import FILE as DATASET_FILE
from trading.features.dataset import Dataset
from trading.features.specification import FEATURE_NAMES
from trading.month.champion_record import calibration_of
from trading.month.cross_section import CrossSection, Float32Array
from trading.month.notify import mails_of
from trading.month.payloads import Context, Scored
from trading.month.pointers import get_folder, key_of
from trading.month.provenance import Provenance, read_provenance, sha256_of
from trading.month.rank import confidence_of, raw_scores
from trading.month.resources import Resources
from trading.month.score import load_section
from trading.signals.model import MonthlySignal
from trading.signals.report import read_report


class Link(BaseModel):
    """One link of the chain.

    Attributes
    ----------
    name : what it is
    identity : the hash or version that it is known by
    verified : whether it is still what was recorded
    detail : what it says of the name, or what is wrong
    """

    model_config = ConfigDict(frozen=True)

    name: str
    identity: str
    verified: bool
    detail: str


class Lineage(BaseModel):
    """The chain of one signal, from the data to the mail."""

    model_config = ConfigDict(frozen=True)

    month: str
    symbol: str
    execution: str
    links: tuple[Link, ...]

    @property
    def verified(self) -> bool:
        """Whether every link holds."""
        return all(link.verified for link in self.links)


def trace(month: str, symbol: str, resources: Resources) -> Lineage:
    """Return the checked chain of a symbol's signal in a month.

    Raises
    ------
    NotFoundError
        The month did not run here, or gave the symbol no signal.
    """
    provenance = read_provenance(month, resources)
    stored = resources.signals.read_month(month)
    signal = next((one for one in stored.signals if one.symbol == symbol), None)
    if signal is None:
        raise NotFoundError(
            f"{month} has no signal of {symbol!r}; it has {len(stored.signals)}, see"
            f" `trading signals {month}`"
        )
    chain = _Chain(provenance, signal, resources)
    steps: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        ("data", provenance.data_hash, chain.data),
        ("dataset", provenance.dataset_hash, chain.dataset),
        ("model", provenance.model, chain.model),
        ("context", provenance.context_sha256, chain.context),
        ("score", chain.batch.sha256, chain.score),
        ("rank", provenance.signals_sha256, chain.rank),
        ("signal", stored.performance.model_version, chain.signal_kept),
        ("mail", "", chain.mail),
    )
    links = tuple(_link(name, identity, check) for name, identity, check in steps)
    return Lineage(month=month, symbol=symbol, execution=provenance.execution, links=links)


@dataclass
class _Chain:
    """The links of one signal; each method checks one and says what it found."""

    provenance: Provenance
    wanted: MonthlySignal
    resources: Resources

    @property
    def batch(self) -> Scored:
        """The batch of slots that the name was scored in."""
        number = self.wanted.slot // self.resources.settings.universe.batch
        return next(one for one in self.provenance.scored if one.batch == number)

    def data(self) -> str:
        lake, as_of = self.resources.lake, self.provenance.as_of
        _require(lake.data_hash(as_of) == self.provenance.data_hash, "the lake's bars have changed")
        source = lake.source()
        sessions = lake.sessions()
        count = int((sessions < np.datetime64(as_of, "D")).sum())
        told = f"{count:,} sessions before {as_of}"
        return told if source is None else f"{told} of {source.name}"

    def dataset(self) -> str:
        found = self._dataset
        _require(found.content_hash == self.provenance.dataset_hash, "its content has changed")
        _require(found.data_hash == self.provenance.data_hash, "it was made of other data")
        _require(found.slots_version == self.provenance.slots_version, "it has other slots")
        return (
            f"slots {found.slots_version}, {self.wanted.symbol} in slot {self.wanted.slot},"
            f" {int(found.eligible[-1].sum()):,} names eligible"
        )

    def model(self) -> str:
        manifest = self._model.manifest
        _require(manifest.version == self.provenance.model, f"found version {manifest.version}")
        parents = " <- ".join(self._parents(manifest)) or "none"
        libraries = ", ".join(f"{n} {v}" for n, v in sorted(manifest.libraries.items())) or "none"
        return (
            f"{'+'.join(manifest.algorithms) or manifest.kind} seeds"
            f" {', '.join(map(str, manifest.seeds)) or 'none'}, trained through"
            f" {manifest.trained_through} on dataset {manifest.dataset_hash[:16] or 'unknown'},"
            f" parents {parents}, code {manifest.code_revision}, libraries {libraries}"
        )

    def context(self) -> str:
        found = sha256_of(self.provenance.context_uri, self.resources)
        _require(found == self.provenance.context_sha256, f"its bytes hash to {found[:16]}")
        section, slot = self._section, self.wanted.slot
        _require(section.symbols[slot] == self.wanted.symbol, "another name holds the slot")
        same = np.array_equal(section.features[slot], self._dataset.features[-1, slot])
        _require(same, "its features are not those of the dataset")
        largest = np.argsort(-np.abs(section.features[slot]), kind="stable")[:3]
        told = ", ".join(f"{FEATURE_NAMES[i]} {section.features[slot, i]:+.2f}" for i in largest)
        return f"features {told}; held {section.held[slot]:.2%}"

    def score(self) -> str:
        raw, section, slot = self._raw, self._section, self.wanted.slot
        size = self.resources.settings.universe.batch
        batch = slice(self.batch.batch * size, (self.batch.batch + 1) * size)
        again = self._model.ensemble().raw(
            section.features[batch], section.held[batch].astype(np.float32), section.context
        )
        _require(np.array_equal(again, raw[:, batch]), "the model gives other scores now")
        return "raw " + ", ".join(f"{value:.6g}" for value in raw[:, slot])

    def rank(self) -> str:
        found = sha256_of(self.provenance.signals_uri, self.resources)
        _require(found == self.provenance.signals_sha256, f"its bytes hash to {found[:16]}")
        signal = self.wanted
        if signal.rank is None or signal.score is None:
            return "not ranked: it could not be held any more"
        calibration = calibration_of(self.provenance.model_prefix, self.resources)
        scores = combine(self._raw, self._section.eligible, calibration)
        score = float(scores.score[signal.slot])
        _require(score == signal.score, f"ranking gives the score {score:.6g}")
        sure = confidence_of(scores, signal.slot)
        _require(sure == signal.confidence, f"ranking gives the confidence {sure:.6g}")
        ranked = np.flatnonzero(self._section.eligible)
        above = int((scores.score[ranked] > score).sum())
        level = int((scores.score[ranked] == score).sum())
        _require(above < signal.rank <= above + level, f"ranking gives place {above + 1}")
        return f"score {score:.4f}, place {signal.rank} of {len(ranked):,}"

    def signal_kept(self) -> str:
        _require(
            self.resources.signals.read_month(self.provenance.month).model_version
            == self.provenance.model,
            "it was stored by another model",
        )
        signal = self.wanted
        return f"{signal.action} at {signal.weight:.2%} (before {signal.previous_weight:.2%})"

    def mail(self) -> str:
        report = read_report(self.resources.runs, self.provenance.month)
        told = next((one for one in report.signals if one.symbol == self.wanted.symbol), None)
        _require(told == self.wanted, "the report that was mailed tells another signal")
        mails = mails_of(self.provenance.month, self.resources)
        said = (f"{mail.recipient} {mail.state} {mail.message_id or ''}".strip() for mail in mails)
        return "; ".join(said) or "no mail was sent"

    @cached_property
    def _dataset(self) -> Dataset:
        key = key_of(self.resources.runs, f"{self.provenance.dataset_uri}/{DATASET_FILE}")
        return Dataset.from_bytes(self.resources.runs.get(key).body)

    @cached_property
    def _model(self) -> Artifact:
        prefix = self.provenance.model_prefix
        return Artifact.from_files(get_folder(self.resources.models, prefix), prefix)

    @cached_property
    def _section(self) -> CrossSection:
        return load_section(self._context, self.resources)

    @cached_property
    def _raw(self) -> Float32Array:
        return raw_scores(self.provenance.scored, self._context, self.resources)

    @property
    def _context(self) -> Context:
        batches = tuple(sorted(one.batch for one in self.provenance.scored))
        return Context(context_uri=self.provenance.context_uri, batches=batches)

    def _parents(self, manifest: Manifest) -> Iterator[str]:
        """Yield the versions that the weights were started from, back to the first."""
        records = self.resources.ledger.models
        parent, seen = manifest.parent, {manifest.version}
        while parent is not None and parent not in seen:
            seen.add(parent)
            yield parent
            record = records.find(parent)
            if record is None:
                return
            files = get_folder(self.resources.models, record.prefix)
            parent = Artifact.from_files(files, record.prefix).manifest.parent


def _link(name: str, identity: str, check: Callable[[], str]) -> Link:
    try:
        return Link(name=name, identity=identity, verified=True, detail=check())
    except TradingError as error:
        return Link(name=name, identity=identity, verified=False, detail=str(error))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MonthError(otherwise)
