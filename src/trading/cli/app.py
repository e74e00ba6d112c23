"""The `trading` command: options in, one function called, an exit code out."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape
from typer.exceptions import TyperException

from trading import __version__
from trading.cli import account, inspect, lineage, models, month, serve, strategies
from trading.cli import data as data_command
from trading.cli import universe as universe_command
from trading.cli.audit import audit as show_audit
from trading.cli.backtest import backtest_command
from trading.cli.cloud_commands import cloud_app
from trading.cli.cost import cost_command
from trading.cli.crash import keep_traceback, unexpected
from trading.cli.evaluate import evaluate_command
from trading.cli.fetch import backfill_command, fetch_command
from trading.cli.operations import (
    approve_command,
    exports_command,
    pause_command,
    redrive_command,
    reject_command,
    resume_command,
)
from trading.cli.options import DAY, AsJson, SetList
from trading.cli.output import FAILED, MISUSE, console
from trading.cli.promote import promote_command
from trading.cli.rotate_key import rotate_key_command
from trading.cli.run import run_command, session_app
from trading.cli.train import train_command
from trading.config import Settings, load_settings
from trading.errors import ConfigurationError, TradingError
from trading.month.payloads import Overrides

app = typer.Typer(
    help="Monthly trading signals, on AWS or on one machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Show, check and document the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(strategies.app, name="strategies")
app.add_typer(data_command.app, name="data")
app.add_typer(universe_command.app, name="universe")
app.add_typer(session_app, name="session")
app.add_typer(cloud_app, name="cloud")
app.command("fetch")(fetch_command)
app.command("backfill")(backfill_command)
app.command("backtest")(backtest_command)
app.command("cost")(cost_command)
app.command("evaluate")(evaluate_command)
app.command("run")(run_command)
app.command("train")(train_command)
app.command("pause")(pause_command)
app.command("resume")(resume_command)
app.command("approve")(approve_command)
app.command("reject")(reject_command)
app.command("redrive")(redrive_command)
app.command("exports")(exports_command)
app.command("promote")(promote_command)
app.command("rotate-key")(rotate_key_command)

INTERRUPTED = 130
MANY_VALUED = frozenset({"--bars"})


@app.command("month")
def month_command(
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", help="Parquet or CSV files of real daily bars."),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=DAY, help="Bars strictly before this day count."),
    ] = None,
    benchmark: Annotated[
        Path | None, typer.Option(help="Bars of the index to compare with.")
    ] = None,
    constituents: Annotated[
        Path | None, typer.Option(help="An iShares IWV holdings file: who is in the universe.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A symbol never to buy; may be repeated.")
    ] = None,
    skip_training: Annotated[
        bool, typer.Option("--skip-training", help="Train nothing: the champion scores on.")
    ] = False,
    keep_champion: Annotated[
        bool,
        typer.Option("--keep-champion", help="Deploy no challenger, even one that passes."),
    ] = False,
    provider: Annotated[
        str | None, typer.Option(help="polygon, alpha_vantage, yahoo or iex (default: settings).")
    ] = None,
    history_from: Annotated[
        datetime | None,
        typer.Option(
            formats=DAY,
            help="With a provider: the first day of the history (default: three years).",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before a long backfill.")
    ] = False,
    sets: SetList = None,
    as_json: AsJson = False,
) -> int:
    """Run a month: signals, model portfolio and mail, on the embedded cloud.

    Without --bars or --provider the market is simulated. Exit code 3: the month was done already.
    """
    options = month.MonthOptions(
        bars=tuple(bars or ()),
        as_of=as_of.date() if as_of else None,
        benchmark=benchmark,
        constituents=constituents,
        exclude=tuple(exclude or ()),
        overrides=Overrides(skip_training=skip_training, keep_champion=keep_champion),
        as_json=as_json,
        history_from=history_from.date() if history_from else None,
        yes=yes,
    )
    if bars and provider is not None:
        raise ConfigurationError("--bars and --provider exclude each other; give one of them")
    chosen = [f"data.provider={provider}"] if provider is not None else []
    return month.run_month(options, _settings([*(sets or ()), *chosen]))


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501, sets: SetList = None
) -> int:
    """Keep the embedded cloud and the dashboard up until Ctrl-C."""
    return serve.up(_settings(sets), port)


@app.command()
def signals(
    of_month: Annotated[str | None, typer.Argument(metavar="[YYYY-MM]")] = None,
    as_json: AsJson = False,
) -> int:
    """Show the signals of a month, of the latest by default."""
    return inspect.show_signals(_settings(None), of_month, as_json=as_json)


@app.command()
def success(as_json: AsJson = False) -> int:
    """Show how often the signals of the last 12 months came true."""
    return inspect.show_success(_settings(None), as_json=as_json)


@app.command()
def audit(
    calls: Annotated[bool, typer.Option("--calls", help="Every call that was decided.")] = False,
    denied: Annotated[bool, typer.Option("--denied", help="Every call that was refused.")] = False,
    unused: Annotated[
        bool, typer.Option("--unused", help="The permissions that no call has used, and why.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Print what the embedded cloud's roles were granted, used and refused."""
    if calls + denied + unused > 1:
        raise ConfigurationError("--calls, --denied and --unused exclude each other; give one")
    return show_audit(calls=calls, denied=denied, unused=unused, as_json=as_json)


@app.command("models")
def models_command(as_json: AsJson = False) -> int:
    """List every judged model: champion, archived, rejected, and why."""
    return models.show_models(_settings(None), as_json=as_json)


@app.command()
def rollback(
    to: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="Any version of `trading models`."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "no reason given",
    as_json: AsJson = False,
) -> int:
    """Make an earlier model champion again, by default the champion before the present one."""
    return models.roll_back(_settings(None), to, reason, as_json=as_json)


@app.command("lineage")
def lineage_command(
    symbol: Annotated[str, typer.Argument(help="Of which name.")],
    of_month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="The latest by default.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check the chain from the data's hash to a signal and its mail, link by link."""
    return lineage.show_lineage(_settings(None), symbol, of_month, as_json=as_json)


@app.command()
def withdraw(
    of_month: Annotated[str, typer.Argument(metavar="YYYY-MM")],
    reason: Annotated[str, typer.Option(help="Why; it is kept, and mailed with a correction.")],
    mail_again: Annotated[
        bool, typer.Option("--mail-again", help="Its mail went out: mail a correction.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Take a stored month back, so that it can be run again with other content."""
    return lineage.withdraw(
        _settings(None), of_month, reason, mail_again=mail_again, as_json=as_json
    )


@app.command()
def doctor(
    aws: Annotated[
        bool, typer.Option("--aws", help="Examine the AWS account instead, changing nothing.")
    ] = False,
    stack: Annotated[
        str, typer.Option(help="With --aws: the environment that is to be deployed.")
    ] = "prod",
    as_json: AsJson = False,
) -> int:
    """Check that this machine can run the month, or that an AWS account can be deployed to."""
    if aws:
        return account.examine_account(stack, as_json=as_json)
    return inspect.doctor(as_json=as_json)


@config_app.command("show")
def config_show(sets: SetList = None, as_json: AsJson = False) -> int:
    """Print the configuration in force."""
    return inspect.show_settings(_settings(sets), as_json=as_json)


@config_app.command("validate")
def config_validate(sets: SetList = None) -> int:
    """Check the configuration."""
    _settings(sets)
    console.print("the configuration is valid")
    return 0


@config_app.command("schema")
def config_schema() -> int:
    """Print the configuration's JSON schema."""
    return inspect.show_schema()


@app.command()
def version() -> int:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")
    return 0


def _settings(sets: Sequence[str] | None) -> Settings:
    overrides: dict[str, Any] = {}
    for assignment in sets or ():
        name, separator, text = assignment.partition("=")
        if not separator or not name:
            raise ConfigurationError(f"--set takes name=value, found {assignment!r}")
        *parents, leaf = name.split(".")
        node = overrides
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigurationError(f"--set {name}: {parent} was set to {node!r} before")
        try:
            node[leaf] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"--set {name}: {text!r} is not a YAML value") from error
    return load_settings(overrides=overrides)


def spread_values(arguments: Sequence[str]) -> list[str]:
    """Let `--bars A B` stand for `--bars A --bars B`; without a value the option stays misuse."""
    spread: list[str] = []
    option: str | None = None
    for argument in arguments:
        if option is not None and not argument.startswith("-"):
            spread += [argument] if spread[-1] == option else [option, argument]
            continue
        option = argument if argument in MANY_VALUED else None
        spread.append(argument)
    return spread


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 misuse, 3 nothing to do."""
    given = spread_values(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(given, standalone_mode=False)
    except typer.Exit as exit_:
        code = exit_.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except TyperException as error:
        code = _tell(f"{error.format_message().rstrip('.')} (see `trading --help`)", MISUSE)
    except ConfigurationError as error:
        code = _tell(str(error), MISUSE)
    except TradingError as error:
        code = _tell(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback for the user
        code = _tell(f"{unexpected(error)}; {keep_traceback(error)}", FAILED)
    if code == INTERRUPTED:
        console.print("\ninterrupted; run the same command again to continue")
    sys.exit(code or 0)


def _tell(sentence: str, code: int) -> int:
    console.print(f"[red]error:[/] {escape(' '.join(sentence.split()))}", soft_wrap=True)
    return code
