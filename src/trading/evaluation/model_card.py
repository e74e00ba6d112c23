"""The model card of a version: what it is, what it learnt from, how it was judged, what it is not.

After M. Mitchell et al., "Model Cards for Model Reporting" (FAT*, 2019).
"""

from datetime import date

import numpy as np

from trading.agents.artifact import Manifest
from trading.config import Settings
from trading.errors import ModelError
from trading.evaluation.evidence import Evidence, Record
from trading.evaluation.gate import CANDIDATE, Check, Figures, Verdict
from trading.evaluation.study import SURVIVORSHIP
from trading.features.dataset import Dataset
from trading.features.specification import FEATURE_NAMES

SCHEMA_VERSION = 1
INTENDED_USE = (
    "Ranks the names of its universe once a month for a long-only model portfolio of 50 to 100 "
    "names. Its signals are research output for a reader who decides; it is no investment advice."
)
OUT_OF_SCOPE = (
    "Intraday decisions, short or levered portfolios, names outside the universe, other markets, "
    "and capital beyond what the capacity table of its evaluation shows."
)
CAVEATS = (
    "It was judged on the months named here and no others; markets change.",
    "A name that leaves the market counts at its last value where no delisting return is known.",
    "Costs are modelled (commission, half spread, square-root impact), not measured by trading.",
    "Confidence orders names by the agreement of members; the evaluation's reliability table says "
    "how often it came true.",
)


class TrainingData(Record):
    """What the model learnt from.

    Attributes
    ----------
    source, simulated : where the bars come from, and whether the market is invented
    first_session, last_session : of the dataset
    names, eligible : columns with a name, and names that can be held now
    decisions : monthly decisions, all phases
    data_hash, dataset_hash, slots_version, features_version : identities
    """

    source: str
    simulated: bool
    first_session: date
    last_session: date
    names: int
    eligible: int
    decisions: int
    data_hash: str
    dataset_hash: str
    slots_version: str
    features_version: str


class ModelCard(Record):
    """The card of one model version.

    Attributes
    ----------
    version, kind, members, algorithms, seeds, parent, code_revision, libraries : see
        `agents.artifact.Manifest`
    trained_through : last session whose return the final fit has seen
    features : what a name is described by
    data : what it learnt from
    passed, summary, months : the gate's verdict and the months judged
    checks, figures, evidence : the verdict's; figures by contender
    settings : what deviates from the defaults
    intended_use, out_of_scope, caveats : in words
    """

    schema_version: int = SCHEMA_VERSION
    version: str
    kind: str
    members: tuple[str, ...]
    algorithms: tuple[str, ...]
    seeds: tuple[int, ...]
    parent: str | None
    code_revision: str
    libraries: dict[str, str]
    trained_through: date
    features: tuple[str, ...]
    data: TrainingData
    passed: bool
    summary: str
    months: tuple[str, ...]
    checks: tuple[Check, ...]
    figures: dict[str, Figures]
    evidence: Evidence | None
    settings: dict[str, object]
    intended_use: str
    out_of_scope: str
    caveats: tuple[str, ...]

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        data = self.data
        kind = "SIMULATED market" if data.simulated else "market data"
        lines = [
            f"# Model {self.version}",
            "",
            f"{self.summary}",
            "",
            "## What it is",
            f"- Kind: {self.kind}; members: {', '.join(self.members)}",
            f"- Trained through {self.trained_through}; parent: {self.parent or 'none'}",
            f"- Code {self.code_revision}; libraries: {_listed(self.libraries)}",
            f"- Features: {', '.join(self.features)}",
            "",
            "## Intended use",
            self.intended_use,
            "",
            f"Out of scope: {self.out_of_scope}",
            "",
            "## Data",
            f"- {kind}: {data.source}, {data.first_session} to {data.last_session}",
            f"- {data.names:,} names, {data.eligible:,} of them can be held; "
            f"{data.decisions:,} decisions",
            f"- Data {data.data_hash}, dataset {data.dataset_hash}, slots {data.slots_version}",
            "",
            f"## Judged out of sample on {len(self.months)} months",
            *_figure_table(self.figures),
            "",
            *_evidence_lines(self.evidence),
            "## The gate",
            *(f"- {'holds' if check.passed else 'FAILS'}: {check.reason}" for check in self.checks),
            "",
            "## Caveats",
            *(f"- {caveat}" for caveat in self.caveats),
            "",
        ]
        return "\n".join(lines)


def model_card(
    manifest: Manifest,
    verdict: Verdict,
    dataset: Dataset,
    settings: Settings,
    *,
    source: str,
    simulated: bool,
) -> ModelCard:
    """Return the card of a model and the verdict on it.

    Parameters
    ----------
    dataset : what the model learnt from
    source, simulated : where its bars come from, in words; whether the market is invented

    Raises
    ------
    ModelError
        The model did not learn from this data.
    """
    if manifest.data_hash != dataset.data_hash:
        raise ModelError(
            f"the model {manifest.version} learnt from data {manifest.data_hash[:16]}, the dataset "
            f"is of {dataset.data_hash[:16]}; make the card with the model's own dataset"
        )
    days = dataset.sessions.astype("datetime64[D]")
    caveats = CAVEATS if simulated else (*CAVEATS, SURVIVORSHIP)
    return ModelCard(
        version=manifest.version,
        kind=manifest.kind,
        members=tuple(member.name for member in manifest.members),
        algorithms=manifest.algorithms,
        seeds=manifest.seeds,
        parent=manifest.parent,
        code_revision=manifest.code_revision,
        libraries=manifest.libraries,
        trained_through=manifest.trained_through,
        features=FEATURE_NAMES,
        data=TrainingData(
            source=source,
            simulated=simulated,
            first_session=days[0].item(),
            last_session=days[-1].item(),
            names=sum(bool(symbol) for symbol in dataset.symbols),
            eligible=int(np.count_nonzero(dataset.eligible[-1] & dataset.active)),
            decisions=len(dataset.decisions),
            data_hash=dataset.data_hash,
            dataset_hash=manifest.dataset_hash,
            slots_version=manifest.slots_version,
            features_version=manifest.features_version,
        ),
        passed=verdict.passed,
        summary=verdict.summary,
        months=verdict.months,
        checks=verdict.checks,
        figures=verdict.figures,
        evidence=verdict.evidence,
        settings=settings.deviations(),
        intended_use=INTENDED_USE,
        out_of_scope=OUT_OF_SCOPE,
        caveats=caveats,
    )


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "none recorded"


def _figure_table(figures: dict[str, Figures]) -> list[str]:
    lines = [
        "| | return a year | Sharpe ratio ± error | drawdown | candidate's lead | p |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in figures.items():
        who = "this model" if name == CANDIDATE else name.replace("_", " ")
        lines.append(
            f"| {who} | {_percent(found.annual_return)} | {_number(found.sharpe)} ± "
            f"{_number(found.sharpe_error)} | {_percent(found.max_drawdown)} | "
            f"{_percent(found.excess_return)} | {_number(found.p_value)} |"
        )
    return lines


def _evidence_lines(found: Evidence | None) -> list[str]:
    if found is None:
        return []
    return [
        f"Information beyond beta, size and illiquidity: {_number(found.neutral_information, 3)} ± "
        f"{_number(found.neutral_information_error, 3)} (p {_number(found.skill_p_value_family, 3)}"
        f", {found.trials} trial(s)); net return beyond them {_percent(found.net_alpha)} ± "
        f"{_percent(found.net_alpha_error)} a year; deflated Sharpe ratio "
        f"{_number(found.deflated_sharpe)}; probability of overfitting "
        f"{_number(found.overfitting)} among {found.candidates} candidates.",
        "",
    ]


def _percent(value: float | None) -> str:
    return "no data" if value is None else f"{value:.1%}"


def _number(value: float | None, digits: int = 2) -> str:
    return "no data" if value is None else f"{value:.{digits}f}"
