"""How figures and names read: the same words in the mail, its text and the dashboard.

A figure that is None reads "no data". Minus is U+2212, as wide as plus.
"""

from dataclasses import dataclass
from datetime import date

from trading.signals.model import SuccessRate
from trading.signals.oversight import DriftSummary, ShadowSummary
from trading.signals.report import DataSummary, Figure, GateVerdict

NO_DATA = "no data"
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
CONTENDERS = {
    "candidate": "Challenger",
    "champion": "Champion",
    "shadow": "In shadow",
    "equal_weight": "Equal weight",
    "index": "Index",
    "best_factor": "Best factor",
    "momentum": "Momentum",
}
FIGURES = {
    "annual_return": ("Return", "change"),
    "excess_return": ("Lead", "change"),
    "p_value": ("p-value", "small"),
    "sharpe": ("Sharpe", "number"),
    "max_drawdown": ("Max. DD", "share"),
    "volatility": ("Volat.", "share"),
    "sharpe_error": ("± Sharpe", "number"),
    "sortino": ("Sortino", "number"),
    "calmar": ("Calmar", "number"),
    "hit_rate": ("Hit rate", "share"),
    "information_coefficient": ("IC", "small"),
    "annual_turnover": ("Turnover", "share"),
    "annual_costs": ("Costs", "precise"),
    "names": ("Names", "count"),
    "delisted": ("Delisted", "count"),
    "months": ("Months", "count"),
}
AGAINST_CANDIDATE = frozenset({"excess_return", "p_value"})
FIGURES_EXPLAINED = (
    "Out of sample and net of costs. Return, turnover and costs are a year's; Lead is the "
    "challenger's return less that of the row, p-value its chance under no lead (paired block "
    "bootstrap); Max. DD is the deepest fall from a peak, IC the mean rank correlation of scores "
    "and next month's returns, Hit rate the share of months with a gain."
)

SHADOW_EXPLAINED = (
    "A challenger that lost its gate is scored on beside the champion, without effect on the "
    "signals. Live months are those with an outcome since then; returns are net of costs."
)


@dataclass(frozen=True)
class EvidenceTable:
    """Some figures of all contenders: the names of the figures, and a row a contender."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def month_name(month: str) -> str:
    """Return `2026-11` as `November 2026`."""
    return f"{MONTHS[int(month[5:7]) - 1]} {month[:4]}"


def day_name(day: date | None) -> str:
    """Return a date as `2 Nov 2026`."""
    return NO_DATA if day is None else f"{day.day} {MONTHS[day.month - 1][:3]} {day.year}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a fixed count of digits and thousands separated."""
    return NO_DATA if value is None else _minus(f"{value:,.{digits}f}")


def share(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage: 0.0312 is `3.1 %`."""
    return NO_DATA if value is None else _minus(f"{value * 100:,.{digits}f}") + "\u00a0%"


def change(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage with its sign: `+3.1 %`; what rounds to 0 has none."""
    if value is None:
        return NO_DATA
    text = share(value, digits)
    return f"+{text}" if round(value * 100, digits) > 0 else text


def money(value: float | None) -> str:
    """Return USD with cents."""
    return NO_DATA if value is None else _minus(f"{value:,.2f}")


def level(value: float | None) -> str:
    """Return a level, 1.0 at inception, on the scale of 100."""
    return number(None if value is None else 100 * value)


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of fractions: `51.9 – 58.8 %`."""
    if low is None or high is None:
        return NO_DATA
    return f"{number(100 * low, 1)} – {share(high)}"


def counted(rate: SuccessRate) -> str:
    """Return how many signals a success rate rests on, and how many had no outcome."""
    missing = f" ({rate.missing} without price)" if rate.missing else ""
    return f"{rate.signals:,} in {rate.months} months{missing}"


def source(data: DataSummary) -> str:
    """Return where the bars come from, and whether that is a real market."""
    if not data.simulated:
        return data.source
    return "simulated market" if data.source == "simulated" else f"{data.source} (simulated)"


def contender_name(key: str) -> str:
    """Return what a contender of the verdict is called."""
    return CONTENDERS.get(key, _spoken(key))


def figure(key: str, value: Figure) -> str:
    """Return a figure of the verdict the way it is read: as a share, a count or a number."""
    if value is None:
        return NO_DATA
    if isinstance(value, (bool, str)):
        return str(value)
    kind = FIGURES.get(key, ("", "small"))[1]
    if kind == "change":
        return change(value)
    if kind in ("share", "precise"):
        return share(value, 1 if kind == "share" else 2)
    return number(value, {"count": 0, "number": 2}.get(kind, 3))


def drift_note(drift: DriftSummary | None) -> str:
    """Return in a sentence or two what the drift check found."""
    if drift is None:
        return "Drift was not checked."
    if drift.verdict == "no data":
        return f"Drift: no data. {sentence(drift.reason)}"
    against = f"of the {drift.reference_months} months that the model was made from"
    if drift.verdict == "ok":
        return f"No drift: {len(drift.findings)} figures are like those {against}."
    return f"Drift warning: {sentence(drift.reason)} Compared with those {against}."


def shadow_note(shadow: ShadowSummary) -> str:
    """Return why there are no figures of a challenger in shadow."""
    return "no outcome yet" if shadow.scored else f"not scored: {shadow.reason}"


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def contenders(verdict: GateVerdict) -> tuple[str, ...]:
    """Return the keys of the contenders: the challenger, the champion, the others in order."""
    first = ("candidate", "champion")
    return tuple(
        sorted(verdict.figures, key=lambda name: first.index(name) if name in first else len(first))
    )


def evidence(verdict: GateVerdict, columns: int) -> tuple[EvidenceTable, ...]:
    """Return every figure of every contender as tables of at most `columns` figures.

    Figures come in the order of `FIGURES`, those it does not know last; a figure that no contender
    has is left out.
    """
    names = contenders(verdict)
    found = dict.fromkeys(key for name in names for key in verdict.figures[name])
    keys = [key for key in (*FIGURES, *(k for k in found if k not in FIGURES)) if key != "label"]
    held = [k for k in keys if any(verdict.figures[n].get(k) is not None for n in names)]
    count = -(-len(held) // columns)
    size = -(-len(held) // count) if count else 0
    return tuple(
        EvidenceTable(
            head=tuple(FIGURES[key][0] if key in FIGURES else _spoken(key) for key in part),
            rows=tuple(
                (contender_name(name), *(_cell(verdict, name, key) for key in part))
                for name in names
            ),
        )
        for part in (held[start : start + size] for start in range(0, len(held), size or 1))
    )


def _cell(verdict: GateVerdict, name: str, key: str) -> str:
    if name == "candidate" and key in AGAINST_CANDIDATE:
        return "–"
    return figure(key, verdict.figures[name].get(key))


def labels(verdict: GateVerdict) -> tuple[tuple[str, str], ...]:
    """Return what each contender is, in words, where the verdict says so."""
    return tuple(
        (contender_name(name), str(verdict.figures[name]["label"]))
        for name in contenders(verdict)
        if verdict.figures[name].get("label")
    )


def _spoken(key: str) -> str:
    return key.replace("_", " ").strip().capitalize()


def _minus(text: str) -> str:
    unsigned = text.lstrip("-")
    return unsigned if not unsigned.strip("0.,") else text.replace("-", "\u2212")
