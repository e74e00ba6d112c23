"""The dashboard's page: `trading up`, or `python -m streamlit run streamlit_app/app.py`.

Environment: `TRADING_SIGNALS_TABLE`, `TRADING_PERFORMANCE_TABLE`, `TRADING_LEDGER_TABLE`,
`TRADING_RUNS_STORE`; boto3 reads credentials, region and `AWS_ENDPOINT_URL` itself.
"""

import streamlit as st

from streamlit_app import loading, views
from trading.errors import TradingError
from trading.month.ledger import RunRecord
from trading.notifications.wording import NO_DATA, day_name, month_name


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Trading signals", page_icon="📈", layout="wide")
    try:
        _page()
    except TradingError as error:
        st.error(f"{error}.")
    except loading.UNREACHABLE as error:
        st.error(f"AWS did not answer: {error}. Check region, credentials and table names.")


def _page() -> None:
    history = loading.history()
    if not history:
        st.title("Trading signals")
        st.info(f"{NO_DATA}: no month is complete yet. Run `make month` or `trading month`.")
        _operations_only()
        return
    months = [point.month for point in reversed(history)]
    month = st.sidebar.selectbox("Month", months, format_func=month_name, key="month")
    if st.sidebar.button("Read again", help="Answers are kept for a minute otherwise."):
        st.cache_data.clear()
        st.rerun()
    view = loading.month_view(month)
    known = [point for point in history if point.month <= month]
    report = view.report
    views.banner(report)
    st.title(f"Trading signals, {month_name(month)}")
    if report is not None:
        st.caption(
            f"Decided on {day_name(report.as_of)} from bars through "
            f"{day_name(report.last_session)} · model {view.model_version} · {report.environment}"
        )
    views.headline(view, known[-1])
    signals, portfolio, model, operations = st.tabs(["Signals", "Portfolio", "Model", "Operations"])
    with signals:
        views.signals(view)
    with portfolio:
        views.portfolio(report, known)
    with model:
        views.model(report, loading.champion())
    with operations:
        run = loading.last_run()
        views.operations(run, _stages(run), report)


def _operations_only() -> None:
    run = loading.last_run()
    views.operations(run, _stages(run), None)


def _stages(run: RunRecord | None) -> tuple[loading.Stage, ...]:
    return loading.stages(run.execution_arn) if run and run.execution_arn else ()


main()
