"""The command without a cloud: options, exit codes, sentences instead of tracebacks."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from jsonschema import Draft202012Validator

from trading.cli import app, inspect
from trading.cli.app import main, spread_values
from trading.errors import DataError, MonthError

Run = Callable[..., "Answer"]


class Answer:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")

    def made(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Answer(int(ended.value.code or 0), out, err)

    return made


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        (["month"], ["month"]),
        (["--bars", "a", "b"], ["--bars", "a", "--bars", "b"]),
        (["--bars", "a", "b", "--json"], ["--bars", "a", "--bars", "b", "--json"]),
        (["--bars", "a", "--bars", "b"], ["--bars", "a", "--bars", "b"]),
        (["--bars=a", "b"], ["--bars=a", "b"]),
        (["--bars"], ["--bars"]),
        (["--as-of", "2019-12-02", "--bars", "a"], ["--as-of", "2019-12-02", "--bars", "a"]),
        (["--bars", "a", "--as-of", "2019-12-02"], ["--bars", "a", "--as-of", "2019-12-02"]),
    ],
)
def test_many_files_may_follow_one_option(given: list[str], spread: list[str]) -> None:
    assert spread_values(given) == spread


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["month", "--nonsense"], "No such option: --nonsense"),
        (["nonsense"], "No such command 'nonsense'"),
        (["month", "--bars"], "'--bars' requires an argument"),
        (["month", "--as-of", "2019-13-01"], "2019-13-01"),
        (["month", "--as-of", "soon"], "soon"),
        (["month", "--set", "training"], "--set takes name=value, found 'training'"),
        (["month", "--set", "training.nonsense=1"], "training.nonsense: Extra inputs"),
        (["month", "--set", "training.folds=0"], "training.folds"),
        (["config", "show", "--set", "training.folds=["], "is not a YAML value"),
        (["config", "show", "--set", "training=5", "--set", "training.folds=3"], "was set to 5"),
        (["config", "validate", "--set", "portfolio.min_names=500"], "exceeds max_names"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(run: Run, arguments: list[str], told: str) -> None:
    answer = run(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert told in answer.err
    assert answer.err.count("\n") == 1
    assert answer.out == ""


@pytest.mark.parametrize("option", ["--bars", "--benchmark", "--constituents"])
def test_a_missing_file_is_told_before_anything_starts(
    run: Run, tmp_path: Path, option: str
) -> None:
    answer = run("month", option, str(tmp_path / "none.parquet"))
    assert answer.code == 1
    assert f"there is no file {tmp_path / 'none.parquet'}" in answer.err
    assert not any((tmp_path / "home").glob("*/"))


def test_a_file_that_is_no_holdings_file_is_refused_before_anything_starts(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    answer = run("month", "--constituents", str(tmp_path / "list.csv"))
    assert answer.code == 1
    assert "has no header line" in answer.err
    assert not any((tmp_path / "home").glob("*/"))


@pytest.mark.parametrize("command", ["signals", "success", "rollback", "audit"])
def test_before_the_first_month_there_is_nothing_to_show(run: Run, command: str) -> None:
    answer = run(command)
    assert answer.code == 3
    assert "run `trading month`" in answer.err


def test_the_configuration_is_shown_checked_and_documented(run: Run) -> None:
    shown = run("config", "show", "--json", "--set", "training.folds=5")
    assert shown.code == 0
    settings = json.loads(shown.out)
    assert settings["training"]["folds"] == 5
    assert run("config", "validate").code == 0
    schema = json.loads(run("config", "schema").out)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(settings)
    assert list(Draft202012Validator(schema).iter_errors({"nonsense": 1}))
    assert json.loads(run("config", "show").out)["training"]["folds"] == 3


def test_doctor_tells_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = run("doctor", "--json")
    report = json.loads(healthy.out)
    assert report["ok"] == all(report["checks"].values()) == (healthy.code == 0)
    monkeypatch.setitem(inspect.EXTRAS, "training", ("no_such_library",))
    ill = run("doctor", "--json")
    assert ill.code == 1
    assert json.loads(ill.out)["checks"]["extra training (lacks no_such_library)"] is False
    assert "FAIL  extra training (lacks no_such_library)" in run("doctor").out


def test_version(run: Run) -> None:
    answer = run("version")
    assert (answer.code, answer.out.count(".")) == (0, 2)


ENDPOINT = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "PutItem"
)


@pytest.mark.parametrize(
    ("error", "told", "kept"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full ([Errno 28]", True),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "mend its permissions", True),
        (ENDPOINT, "the cloud cannot be reached", True),
        (DENIED, "`trading audit --denied` lists refusals", True),
        (MemoryError(), "there is not enough memory", True),
        (ZeroDivisionError("oh [/red] no"), "(ZeroDivisionError: oh [/red] no)", True),
        (DataError("a column [close] is missing"), "a column [close] is missing", False),
        (MonthError("two\nlines"), "two lines", False),
    ],
)
def test_any_failure_is_one_sentence_and_its_traceback_a_file(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: Exception,
    told: str,
    kept: bool,
) -> None:
    def broken(*_: object) -> int:
        raise error

    monkeypatch.setattr(app.month, "run_month", broken)
    answer = run("month")
    assert answer.code == 1
    assert told in answer.err
    assert answer.err.count("\n") == 1
    log = tmp_path / "home" / "errors.log"
    assert log.exists() == kept
    if kept:
        assert f"the traceback is in {log}" in answer.err
        assert type(error).__name__ in log.read_text()
        assert "in broken" in log.read_text()


def test_a_traceback_that_cannot_be_kept_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    (tmp_path / "home").write_text("a file where the home should be")
    monkeypatch.setattr(app.month, "run_month", broken)
    answer = run("month")
    assert answer.code == 1
    assert "could not be kept" in answer.err


def test_an_interrupt_tells_how_to_continue(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.month, "run_month", interrupted)
    answer = run("month")
    assert answer.code == 130
    assert "run the same command again to continue" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backtest",), "Missing argument 'strategy' (see `trading --help`)"),
        (("backtest", "momentum", "--samples", "0"), "Invalid value for '--samples'"),
        (("backtest", "momentum", "--from", "soon"), "Invalid value for '--from'"),
        (("backtest", "momentum", "--nope"), "No such option: --nope"),
    ],
)
def test_misuse_names_the_option(run: Run, arguments: tuple[str, ...], told: str) -> None:
    answer = run(*arguments)
    assert answer.code == 2
    assert told in answer.err
