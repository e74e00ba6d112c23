"""What a month's report says beside the signals: drift of the inputs, and models in shadow."""

from typing import Literal

from pydantic import Field

from trading.signals.model import Month, Record

DriftKind = Literal["feature", "context", "score"]


class DriftFinding(Record):
    """One quantity of the month against its distribution while the model learnt.

    Attributes
    ----------
    name, kind : a feature, a figure of the market context, or a member's score
    psi, ks : population stability index and Kolmogorov-Smirnov distance; None where there is no
        data, and for the context, which is one number a month
    psi_limit, ks_limit : what they may be
    known : share of the names that it was known of; None for the context
    sigmas : of the context, how far from the mean of the months it learnt from
    drifted : whether a limit is exceeded
    reason : in one sentence, when it has drifted
    """

    name: str
    kind: DriftKind
    psi: float | None = None
    ks: float | None = None
    psi_limit: float | None = None
    ks_limit: float | None = None
    known: float | None = None
    sigmas: float | None = None
    drifted: bool = False
    reason: str = ""


class DriftSummary(Record):
    """The drift check of a month.

    `verdict` is `no data` where the champion has no reference, or the check could not be made;
    `reason` says so, or counts what drifted.
    """

    verdict: Literal["ok", "warn", "no data"]
    reason: str
    reference_months: int = Field(0, ge=0)
    findings: tuple[DriftFinding, ...] = ()

    @property
    def drifted(self) -> tuple[DriftFinding, ...]:
        """The findings that exceed a limit."""
        return tuple(finding for finding in self.findings if finding.drifted)


class ShadowSummary(Record):
    """A rejected challenger that is scored beside the champion.

    Attributes
    ----------
    version, month : the model, and the month whose gate it lost
    months : months since then that have an outcome, on the champion's track too
    net_return, champion_return : over those months, net of costs, from cash; None without months
    scored : whether it was scored this month; `reason` says why not
    """

    version: str
    month: Month
    months: int = Field(0, ge=0)
    net_return: float | None = None
    champion_return: float | None = None
    scored: bool = True
    reason: str = ""
