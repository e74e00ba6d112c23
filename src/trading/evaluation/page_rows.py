"""The rows of an evaluation's tables, in words: for the page and for the terminal."""

from collections.abc import Sequence

from trading.evaluation.gate import CANDIDATE, Figures
from trading.evaluation.reliability import ReliabilityBin
from trading.evaluation.study import Evaluation

Row = tuple[str, ...]

FIGURE_ROWS: tuple[tuple[str, str, str], ...] = (
    ("Annual return", "annual_return", "percent"),
    ("Volatility", "volatility", "percent"),
    ("Sharpe ratio", "sharpe", "number"),
    ("its standard error", "sharpe_error", "number"),
    ("Sortino ratio", "sortino", "number"),
    ("Maximum drawdown", "max_drawdown", "percent"),
    ("Calmar ratio", "calmar", "number"),
    ("Months with a gain", "hit_rate", "percent"),
    ("Information coefficient", "information_coefficient", "fine"),
    ("Turnover a year, one way", "annual_turnover", "number"),
    ("Costs a year", "annual_costs", "percent"),
    ("Exposure", "exposure", "percent"),
    ("Names held", "names", "count"),
    ("Left the market while held", "delisted", "count"),
    ("Candidate's lead a year", "excess_return", "percent"),
    ("p-value of no lead", "p_value", "fine"),
)
LEAD_FIGURES = (("annual_return", "percent"), ("excess_return", "percent"))
COST_FIGURES = (*LEAD_FIGURES, ("annual_costs", "percent"), ("sharpe", "number"))
CAPACITY_FIGURES = (
    *LEAD_FIGURES,
    ("annual_costs", "percent"),
    ("participation_median", "percent"),
    ("participation_high", "percent"),
    ("exposure", "percent"),
)
FORMS = {"percent": "{:.1%}", "number": "{:.2f}", "fine": "{:.3f}", "count": "{:.0f}"}


def shown(value: float | None, form: str) -> str:
    """Return a figure in words, `no data` for None."""
    return "no data" if value is None else FORMS[form].format(value)


def tiles(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """Return the figures at the head of the page: value and what it is."""
    own = evaluation.verdict.figures[CANDIDATE]
    evidence = evaluation.verdict.evidence
    error = shown(own.sharpe_error, "number")
    found = [
        (shown(own.annual_return, "percent"), "annual return, net"),
        (f"{shown(own.sharpe, 'number')} ± {error}", "Sharpe ratio, standard error"),
        (shown(own.max_drawdown, "percent"), "maximum drawdown"),
        (f"{own.months}", "months out of sample"),
    ]
    if evidence is not None:
        found += [
            (shown(evidence.skill_p_value_family, "fine"), "p-value of no skill"),
            (shown(evidence.deflated_sharpe, "number"), "deflated Sharpe ratio"),
            (shown(evidence.overfitting, "number"), "probability of overfitting"),
        ]
    return tuple(found)


def figure_rows(figures: dict[str, Figures]) -> list[Row]:
    """Return a row a figure: its name, then each contender's."""
    return [
        (label, *(shown(getattr(found, name), form) for found in figures.values()))
        for label, name, form in FIGURE_ROWS
    ]


def evidence_rows(evaluation: Evaluation) -> list[Row]:
    """Return the evidence in rows of name and value."""
    e = evaluation.verdict.evidence
    if e is None:
        return []
    information = shown(e.neutral_information, "fine")
    alpha = shown(e.net_alpha, "percent")
    return [
        (
            "Information beyond beta, size and illiquidity, ± standard error",
            f"{information} ± {shown(e.neutral_information_error, 'fine')}",
        ),
        ("p-value of none", shown(e.skill_p_value, "fine")),
        (f"the same for the best of {e.trials} trial(s)", shown(e.skill_p_value_family, "fine")),
        (
            "Net return a year beyond such exposures, ± standard error",
            f"{alpha} ± {shown(e.net_alpha_error, 'percent')}",
        ),
        ("p-value of none", shown(e.net_alpha_p_value, "fine")),
        *(
            (f"the same over {name.replace('_', ' ')}", shown(value, "percent"))
            for name, value in e.alpha_over.items()
        ),
        ("Sharpe ratio of the return over equal weight", shown(e.active_sharpe, "number")),
        (f"best of {e.trials} trial(s) without skill", shown(e.best_of_trials, "number")),
        ("Deflated Sharpe ratio (probability)", shown(e.deflated_sharpe, "number")),
        (
            f"Probability of overfitting among {e.candidates} candidates",
            shown(e.overfitting, "number"),
        ),
    ]


def capacity_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row a capital."""
    return [
        (f"{point.capital_usd / 1e6:,.0f} m", *_cells(point, CAPACITY_FIGURES))
        for point in evaluation.capacity
    ]


def cost_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row a multiple of costs."""
    return [(f"{point.multiple:g}", *_cells(point, COST_FIGURES)) for point in evaluation.costs]


def delisting_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row a last return."""
    return [
        (f"{point.last_return:.0%}", *_cells(point, LEAD_FIGURES), f"{point.delisted}")
        for point in evaluation.delistings
    ]


def _cells(point: object, figures: Sequence[tuple[str, str]]) -> Row:
    return tuple(shown(getattr(point, name), form) for name, form in figures)


def reliability_rows(bins: Sequence[ReliabilityBin]) -> list[Row]:
    """Return a row a bin of confidence."""
    return [
        (
            f"{found.lowest:.2f} to {found.highest:.2f}",
            f"{found.confidence:.2f}",
            shown(found.success, "percent"),
            f"{found.names:,}",
        )
        for found in bins
    ]
