"""Show a running month, state by state: a live table on a terminal, lines elsewhere."""

import time
from datetime import UTC, datetime

from rich.live import Live
from rich.table import Table

from trading.cli.output import console
from trading.cli.watch import BOOKKEEPING, ExecutionWatch, TrainingProgress, training_progress

POLL_SECONDS = 0.5


def follow(watch: ExecutionWatch, job_prefix: str) -> None:
    """Poll an execution until it ends, and show what it does."""
    if console.is_terminal:
        _live(watch, job_prefix)
    else:
        _lines(watch, job_prefix)


def _live(watch: ExecutionWatch, job_prefix: str) -> None:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            watch.poll()
            live.update(_table(watch, _training(watch, job_prefix)))
            if watch.ended:
                break
            time.sleep(POLL_SECONDS)
    console.print(_table(watch, []))


def _lines(watch: ExecutionWatch, job_prefix: str) -> None:
    told: set[str] = set()
    tenths: dict[str, int] = {}
    while True:
        watch.poll()
        for run in watch.states.values():
            if run.exited is not None and run.name not in told | BOOKKEEPING:
                told.add(run.name)
                console.print(f"  {run.name:<15} {run.seconds(run.exited):6.1f} s")
        for job in _training(watch, job_prefix):
            tenth = int(job.fraction * 4)
            if tenth > tenths.get(job.job, 0):
                tenths[job.job] = tenth
                console.print(f"    {job.job}: {job.fraction:.0%} ({job.stage})")
        if (asks := _asks(watch)) and asks not in told:
            told.add(asks)
            console.print(f"  {asks}")
        if watch.ended:
            return
        time.sleep(POLL_SECONDS)


def _asks(watch: ExecutionWatch) -> str:
    """Return what a waiting month asks of its operator; empty when it asks nothing."""
    run = watch.states.get("AwaitApproval")
    if run is None or run.exited is not None:
        return ""
    month = watch.arn.rpartition("monthly-")[2].rpartition("-r")[0]
    return f"waits for you: `trading approve {month}` or `trading reject {month}`"


def _training(watch: ExecutionWatch, job_prefix: str) -> list[TrainingProgress]:
    run = watch.states.get("Train")
    return [] if run is None or run.exited is not None else training_progress(job_prefix)


def _table(watch: ExecutionWatch, training: list[TrainingProgress]) -> Table:
    now = datetime.now(UTC)
    table = Table.grid(padding=(0, 2))
    for run in watch.states.values():
        if run.name in BOOKKEEPING:
            continue
        mark = "[green]✓[/]" if run.exited is not None else "[yellow]▶[/]"
        table.add_row(mark, run.name, f"{run.seconds(now):6.1f} s", "")
        if run.name == "Train":
            for job in training:
                table.add_row("", f"  {job.job}", f"{job.fraction:6.0%}", job.stage)
    if asks := _asks(watch):
        table.add_row("", asks, "", "")
    return table
