"""The commands that show something: signals, success, configuration, the machine."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading.cli.cloud import SOURCE_ROOT, embedded_cloud
from trading.cli.home import Home
from trading.cli.month_name import month_name
from trading.cli.output import DONE, FAILED, NOTHING_TO_DO, console, percent, print_json, result
from trading.cli.summary import print_signals
from trading.config import Settings
from trading.errors import NotFoundError
from trading.month.resources import Resources
from trading.signals.report import MonthReport, read_report

NO_MONTH = "no month has run here yet; run `trading month`"
EXTRAS = {
    "training": ("torch", "stable_baselines3", "finrl", "gymnasium"),
    "localcloud": ("moto", "awslambdaric", "pulumi", "pulumi_aws", "psutil"),
    "dashboard": ("streamlit",),
}
FREE_GIB = 5


@contextmanager
def stored(settings: Settings) -> Iterator[Resources | None]:
    """Yield the resources of the market that ran last; None when none has.

    Where the environment names a ledger (`TRADING_LEDGER_TABLE` and its like, as the stack's
    outputs tell them), the resources are those of that deployment instead.
    """
    if os.environ.get("TRADING_LEDGER_TABLE"):
        yield Resources(settings, dict(os.environ))
        return
    home = Home.from_environment()
    market = home.current()
    if market is None:
        yield None
        return
    with embedded_cloud(home.of(market), settings, deploy=False) as cloud:
        yield cloud.resources(settings)


def _report(resources: Resources, month: str | None) -> MonthReport | None:
    months = resources.signals.months()
    wanted = month or (months[-1] if months else None)
    try:
        return None if wanted is None else read_report(resources.runs, wanted)
    except NotFoundError:
        return None


def show_signals(settings: Settings, month: str | None, *, as_json: bool) -> int:
    """Show the stored signals of a month."""
    if month is not None:
        month_name(month)
    with stored(settings) as resources:
        report = _report(resources, month) if resources else None
    if report is None:
        console.print(f"no signals of {month} are stored" if month else NO_MONTH)
        return NOTHING_TO_DO
    if as_json:
        print_json(report.model_dump(mode="json"))
        return DONE
    if report.data.simulated:
        result.print("SIMULATED market data")
    print_signals(report, count=len(report.signals))
    return DONE


def show_success(settings: Settings, *, as_json: bool) -> int:
    """Show the success rates that the latest month measured."""
    with stored(settings) as resources:
        report = _report(resources, None) if resources else None
    if report is None:
        console.print(NO_MONTH)
        return NOTHING_TO_DO
    if as_json:
        rates = [rate.model_dump(mode="json") for rate in report.success]
        print_json({"month": report.month, "success": rates})
        return DONE
    for rate in report.success:
        result.print(f"{rate.label}: {percent(rate.rate)} of {rate.signals} signals")
    if not report.success:
        result.print("no data: no signal has completed its month yet")
    return DONE


def show_settings(settings: Settings, *, as_json: bool) -> int:
    """Print the configuration in force."""
    if as_json:
        print_json(settings.model_dump(mode="json"))
    else:
        result.print_json(settings.model_dump_json())
    return DONE


def show_schema() -> int:
    """Print the configuration's JSON schema."""
    sys.stdout.write(json.dumps(Settings.model_json_schema(), indent=2) + "\n")
    return DONE


def doctor(*, as_json: bool) -> int:
    """Check interpreter, packages, checkout, disk."""
    home = Home.from_environment().path
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    checks = {
        "Python 3.11 or newer": sys.version_info >= (3, 11),
        "a checkout with localcloud, functions and stacks": _is_checkout(SOURCE_ROOT),
        f"{FREE_GIB} GiB free below {existing}": free >= FREE_GIB,
        "the home is writable": _is_writable(existing),
    }
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        checks[
            f"extra {extra}" + (f" (lacks {', '.join(missing)})" if missing else "")
        ] = not missing
    if as_json:
        print_json({"ok": all(checks.values()), "checks": checks})
    else:
        for name, passed in checks.items():
            result.print(f"{'ok  ' if passed else 'FAIL'}  {name}", markup=False)
    return DONE if all(checks.values()) else FAILED


def _is_checkout(root: Path) -> bool:
    return all((root / name).is_dir() for name in ("localcloud", "functions", "stacks"))


def _is_writable(folder: Path) -> bool:
    probe = folder / ".trading-probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True
