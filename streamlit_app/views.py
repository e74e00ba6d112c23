"""The parts of the page. Where there is nothing to show, a part says "no data" and why."""

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import streamlit as st

from streamlit_app import tables
from streamlit_app.loading import MonthView, Stage
from trading.month.ledger import ChampionPointer, RunRecord
from trading.notifications import wording
from trading.notifications.wording import NO_DATA, change, day_name, level, share
from trading.signals.model import MonthPerformance
from trading.signals.report import GateVerdict, MonthReport
from trading.strategy.signals import Action

ColumnConfig = dict[str, Any]
PERCENT: Literal["percent"] = "percent"
LINES = {"Portfolio": "#1f5fbf", "Benchmark": "#8a94a6", "Equal weight": "#c08a2d"}
SIGNAL_FORMATS: ColumnConfig = {
    "action": st.column_config.TextColumn("Action", width="small"),
    "symbol": st.column_config.TextColumn("Symbol", width="small"),
    "rank": st.column_config.NumberColumn("Rank", width="small"),
    "score": st.column_config.NumberColumn("Score", format="%.4f", width="small"),
    "confidence": st.column_config.ProgressColumn(
        "Confidence", min_value=0.0, max_value=1.0, format=PERCENT
    ),
    "weight": st.column_config.NumberColumn("Weight", format=PERCENT),
    "previous_weight": st.column_config.NumberColumn("Weight before", format=PERCENT),
    "price": st.column_config.NumberColumn("Close, USD", format="%.2f"),
    "slot": st.column_config.NumberColumn("Slot", width="small"),
    "reason": st.column_config.TextColumn("Reason", width="large"),
}
HISTORY_FORMATS: ColumnConfig = {
    "month": "Month",
    "nav": st.column_config.NumberColumn("Level, inception = 1", format="%.4f"),
    "net_return": st.column_config.NumberColumn("Portfolio, net", format=PERCENT),
    "benchmark_return": st.column_config.NumberColumn("Benchmark", format=PERCENT),
    "equal_weight_return": st.column_config.NumberColumn("Equal weight", format=PERCENT),
    "turnover": st.column_config.NumberColumn("Turnover", format=PERCENT),
    "costs": st.column_config.NumberColumn("Costs", format=PERCENT),
    "names": "Names",
    "model_version": "Model",
}


def banner(report: MonthReport | None) -> None:
    """Say loudly when the market is simulated."""
    if report is not None and report.data.simulated:
        st.warning(
            "**SIMULATED MARKET.** No figure here is of a real company. Do not trade on it.",
            icon="⚠️",
        )


def headline(view: MonthView, point: MonthPerformance | None) -> None:
    """Show the counts, the portfolio's month and what became of the challenger."""
    counts = {action: sum(s.action is action for s in view.signals) for action in Action}
    columns = st.columns(6)
    for column, action in zip(columns, tables.ORDER, strict=False):
        column.metric(action, counts[action])
    total = None if view.report is None else view.report.portfolio.since_inception
    columns[3].metric(
        "Level", level(point.nav if point else None), help="Net asset value, 100 at inception."
    )
    columns[4].metric("Last month, net", change(point.net_return if point else None))
    columns[5].metric("Since inception", change(total))
    if view.report is None:
        st.info(f"{NO_DATA}: the run of {view.month} has stored its signals, not yet its report.")
        return
    summary = view.report.verdict.summary if view.report.verdict else ""
    st.info(f"**{view.report.outcome}** {summary}")


def signals(view: MonthView) -> None:
    """Show the signals, filtered and searched, with a download of what is shown."""
    left, right = st.columns([2, 3])
    actions = left.pills(
        "Actions", tables.ORDER, selection_mode="multi", default=tables.ORDER, key="actions"
    )
    search = right.text_input("Search symbol or reason", key="search")
    frame = tables.signals_frame(view.signals, actions or tables.ORDER, search)
    if frame.empty:
        st.write(f"{NO_DATA}: no signal of {view.month} matches.")
        return
    st.dataframe(frame, column_config=SIGNAL_FORMATS, hide_index=True, width="stretch")
    st.download_button(
        f"Download {len(frame)} signals as CSV",
        tables.to_csv(frame),
        file_name=f"signals-{view.month}.csv",
        mime="text/csv",
    )


def portfolio(report: MonthReport | None, history: Sequence[MonthPerformance]) -> None:
    """Show the levels since inception, risk, success rates and every month."""
    if len(history) > 1:
        st.altair_chart(_levels_chart(history), width="stretch")
    else:
        st.write(f"{NO_DATA}: a chart of the level needs two months.")
    if report is not None:
        _risk(report)
        _success(report)
    st.subheader("Months")
    st.dataframe(
        tables.history_frame(history),
        column_config=HISTORY_FORMATS,
        hide_index=True,
        width="stretch",
    )


def _levels_chart(history: Sequence[MonthPerformance]) -> alt.Chart:
    levels = tables.levels_frame(history)
    long = levels.rename_axis("Session").reset_index().melt("Session", var_name="What")
    colours = alt.Scale(domain=list(levels.columns), range=[LINES[name] for name in levels.columns])
    chart: alt.Chart = (
        alt.Chart(long)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("Session:T", title=None),
            y=alt.Y("value:Q", title="Level, inception = 100", scale=alt.Scale(zero=False)),
            color=alt.Color("What:N", title=None, scale=colours, legend=alt.Legend(orient="top")),
            tooltip=["Session:T", "What:N", alt.Tooltip("value:Q", title="Level", format=".2f")],
        )
    )
    return chart


def _risk(report: MonthReport) -> None:
    risk, current = report.portfolio.risk, report.portfolio.current
    st.subheader("Risk")
    figures = {
        "Volatility a year": share(risk.volatility if risk else None),
        "Deepest fall": share(risk.max_drawdown if risk else None),
        "One-day loss, 95 %": share(risk.var_95 if risk else None, 2),
        "Largest weight": share(report.largest_weight, 2),
        "Turnover": share(current.turnover if current else None),
        "Costs": share(current.costs if current else None, 2),
    }
    for column, (name, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(name, figure)
    if risk is not None:
        st.caption(f"Risk is of {risk.basis} ({risk.sessions} sessions).")


def _success(report: MonthReport) -> None:
    st.subheader("Did earlier signals come true?")
    if not report.success:
        st.write(f"{NO_DATA}: no earlier month is complete.")
    for rate in report.success:
        st.write(
            f"{wording.sentence(rate.label)} Came true: **{share(rate.rate)}**, 95 % interval "
            f"{wording.interval(rate.low, rate.high)}, signals: {wording.counted(rate)}."
        )


def model(report: MonthReport | None, pointer: ChampionPointer | None) -> None:
    """Show the champion and the evidence of the gate."""
    st.subheader("Champion")
    if pointer is None:
        st.write(f"{NO_DATA}: no model was deployed yet.")
    else:
        before = pointer.history[0].version if pointer.history else "none"
        st.write(
            f"**{pointer.version}** ({pointer.kind}), deployed in "
            f"{wording.month_name(pointer.month)}. The champion before: {before}."
        )
    st.subheader("Evidence on this month's challenger")
    if report is None or report.verdict is None:
        st.write(f"{NO_DATA}: no challenger was judged.")
        return
    _verdict(report.verdict)


def _verdict(verdict: GateVerdict) -> None:
    st.write(verdict.summary)
    st.dataframe(tables.checks_frame(verdict), hide_index=True, width="stretch")
    st.dataframe(tables.evidence_frame(verdict), width="stretch")
    st.caption(wording.FIGURES_EXPLAINED)
    for name, label in wording.labels(verdict):
        st.caption(f"{name}: {wording.sentence(label)}")


def operations(run: RunRecord | None, stages: Sequence[Stage], report: MonthReport | None) -> None:
    """Show the last execution with its states, and the data that the month rests on."""
    st.subheader("Last execution")
    if run is None:
        st.write(f"{NO_DATA}: no month has run yet.")
    else:
        st.write(
            f"**{run.status}**: run {run.run} of {wording.month_name(run.month)}, decided on "
            f"{day_name(run.as_of)}. {wording.sentence(run.reason) if run.reason else ''}"
        )
        if stages:
            st.dataframe(
                tables.stages_frame(stages),
                column_config={"Seconds": st.column_config.NumberColumn(format="%.1f")},
                hide_index=True,
                width="stretch",
            )
        else:
            st.write(f"{NO_DATA}: the history of this execution is not kept any more.")
    st.subheader("Data")
    if report is None:
        st.write(NO_DATA)
        return
    data = report.data
    st.write(
        f"Source: {wording.source(data)}. {data.symbols:,} symbols, {data.sessions:,} sessions "
        f"from {day_name(data.first_session)} to {day_name(report.last_session)}; "
        f"{share(data.coverage)} of the universe has a bar in the last session."
    )
    for note in data.notes:
        st.write(wording.sentence(note))
