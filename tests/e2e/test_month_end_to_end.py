"""`trading month` as a user runs it: state machine, functions, training, mail, on a small market.

One test is one story, because each month takes half a minute and builds on the one before.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from dashboard_reader import read_as_dashboard
from least_privilege import ExpectRefused
from trading_home import APRIL, FEBRUARY, MARCH, OpenCloud, TradingHome, once_each

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

QUOTA = 256 * 1024
STATES = (
    *("Begin", "Resolve", "FetchMissing", "CheckQuality", "Prepare", "Train", "Validate"),
    *("MarketContext", "Score", "Rank", "StoreSignals", "Measure", "Notify", "Finish", "Done"),
)
FUNCTIONS = (
    *("resolve", "fetch-daily", "data-quality", "prepare", "validate", "market-context"),
    *("score-batch", "rank", "store-signals", "measure", "notify", "finish", "start-month"),
)
REPORTED_LATER = {"outcome"}
BASELINES = {"equal_weight", "index", "best_factor"}


def test_three_months_in_a_row(home: TradingHome) -> None:
    first = home.month(FEBRUARY)
    assert first.code == 0, first.errors
    _tells_the_whole_month(first.json, home)
    _mailed_the_signals(first.json, home)
    _one_correlation_id_everywhere(home)
    before = home.items()

    again = home.month(FEBRUARY)
    assert again.code == 3
    assert "nothing is stored or mailed twice" in again.json["reason"]
    assert again.json["top"] == first.json["top"]
    assert _lasting(home.items()) == _lasting(before)
    assert home.mails_per_recipient() == once_each()

    _readers_without_a_cloud(first.json, home)

    with home.cloud() as cloud:
        second = home.month(MARCH)
        assert second.code == 0, second.errors
        _payloads_are_small(cloud, second.json["execution_arn"])
        _continues(first.json, second.json, home)
        _shown_on_the_dashboard(cloud, second.json)
        _refuses_the_past(home)
        third = home.month(APRIL)
        assert third.code == 0, third.errors
        _measures(first.json, third.json)
        _rolls_back(home)
    assert home.mails_per_recipient() == once_each() + once_each() + once_each()
    assert home.run("audit", "--denied", "--json").output == ""


def test_two_fresh_homes_give_the_same_signals(tmp_path: Path) -> None:
    homes = [TradingHome(tmp_path / name) for name in ("one", "other")]
    runs = [home.month(FEBRUARY) for home in homes]
    assert [run.code for run in runs] == [0, 0], runs
    one, other = (home.signals("2025-02") for home in homes)
    assert one
    assert one == other
    reports = [home.run("signals", "--json").output for home in homes]
    assert reports[0] == reports[1]


def test_a_missing_permission_is_named(home: TradingHome, expect_refused: ExpectRefused) -> None:
    resolving = "*/trading-dev-resolve/*"
    expect_refused(home.cloud_home, resolving, "dynamodb:GetItem", "*/trading-dev-ledger")
    with home.cloud() as cloud:
        taken = _take_away(cloud, "trading-dev-resolve", "dynamodb:GetItem")
        run = home.month(FEBRUARY)
        assert run.code == 1
        assert run.json["status"] == "FAILED"
        said = f"trading-dev-resolve.* is not authorized to perform: {taken} on resource: .*ledger"
        assert re.search(said, run.json["reason"]), run.json["reason"]
        assert "Traceback" not in run.errors
    denied = [
        json.loads(line) for line in home.run("audit", "--denied", "--json").output.splitlines()
    ]
    assert denied
    assert {entry["action"] for entry in denied} == {taken}
    assert all("trading-dev-resolve" in entry["principal"] for entry in denied)
    assert all("ledger" in entry["resource"] for entry in denied)
    assert home.mails_per_recipient() == {}


def test_two_commands_at_once(home: TradingHome) -> None:
    running = home.start_month(FEBRUARY)
    try:
        assert running.stderr is not None
        running.stderr.readline()
        second = home.month(FEBRUARY)
    finally:
        running.kill()
        running.communicate()
    assert second.code == 1
    assert (
        f"another `trading month`, `fetch` or `backfill` (process {running.pid}) runs on"
        in second.sentence
    )


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run = TradingHome(tmp_path / "file" / "home").month(FEBRUARY)
    assert (run.code, run.output) == (1, "")
    assert "cannot be written (Not a directory); choose another with TRADING_HOME" in run.sentence


def _tells_the_whole_month(told: dict[str, Any], home: TradingHome) -> None:
    wanted = {"month", "execution_arn", "status", "model", "signals", "top", "email", "timings"}
    assert wanted | {"peak_memory_mb"} <= told.keys()
    assert (told["month"], told["status"], told["simulated"]) == ("2025-02", "SUCCEEDED", True)
    assert told["execution_arn"].endswith(":monthly-2025-02-r1")
    model = told["model"]
    assert {"version", "algorithms", "promoted", "gate"} <= model.keys()
    assert model["promoted"] == model["gate"]["passed"]
    assert BASELINES | {"candidate"} <= model["gate"]["figures"].keys()
    judged = {"excess_return.equal_weight", "excess_return.index", "alpha_over.best_factor"}
    assert judged | {"skill"} <= {check["name"] for check in model["gate"]["checks"]}
    signals = told["signals"]
    assert signals["count"] == signals["buy"] > 0
    assert signals["count"] == len(home.signals("2025-02"))
    assert (signals["sell"], signals["hold"]) == (0, 0)
    assert [entry["action"] for entry in told["top"]] == ["BUY"] * min(20, signals["buy"])
    assert set(STATES) <= told["timings"].keys()
    assert told["timings"]["Train"] > 1
    assert 300 < told["peak_memory_mb"] < 6000
    assert told["audit"]["denied"] == 0
    assert told["audit"]["allowed"] > told["audit"]["used"] > 0


def _mailed_the_signals(told: dict[str, Any], home: TradingHome) -> None:
    assert home.mails_per_recipient() == once_each()
    for mail in home.mails():
        assert "SIMULATED" in str(mail["Subject"])
        assert "List-Unsubscribe" in mail
        for kind in ("html", "plain"):
            body = mail.get_body((kind,))
            assert body is not None
            missing = [s["symbol"] for s in told["top"] if s["symbol"] not in body.get_content()]
            assert missing == []
    assert {mail["recipient"] for mail in told["email"]["mails"]} == set(once_each())
    with open(told["email"]["html_path"], encoding="utf-8") as page:  # noqa: PTH123
        assert told["top"][0]["symbol"] in page.read()


def _one_correlation_id_everywhere(home: TradingHome) -> None:
    (run,) = (json.loads(i) for i in home.items()["ledger"] if "correlation_id" in i)
    wanted = run["correlation_id"]["S"]
    logs = home.cloud_home / "logs"
    files = [logs / "lambda" / f"trading-dev-{name}.log" for name in FUNCTIONS]
    trainings = list((logs / "training").glob("*.log"))
    assert trainings
    for file in (*files, *trainings):
        found = set(re.findall(r'"correlation_id": ?"([^"]+)"', file.read_text(encoding="utf-8")))
        assert found == {wanted}, file.name


def _readers_without_a_cloud(told: dict[str, Any], home: TradingHome) -> None:
    shown = home.run("signals", "--json")
    assert shown.code == 0, shown.errors
    assert shown.json["month"] == "2025-02"
    assert len(shown.json["signals"]) == told["signals"]["count"]
    assert home.run("signals", "2024-12").code == 3
    measured = home.run("success", "--json")
    assert (measured.code, measured.json["month"]) == (0, "2025-02")
    assert {rate["rate"] for rate in measured.json["success"]} == {None}
    decisions = home.run("audit", "--calls", "--json")
    assert decisions.code == 0
    assert {json.loads(line)["decision"] for line in decisions.output.splitlines()} == {"allowed"}
    assert f"0 refused; of {told['audit']['granted']} grants" in home.run("audit").output


def _payloads_are_small(cloud: OpenCloud, execution: str) -> None:
    """Nothing that a state was given or answered comes near the quota of Step Functions."""
    client = cloud.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    sizes = [
        len(value.encode())
        for page in pages
        for event in page["events"]
        for details in event.values()
        if isinstance(details, dict)
        for name, value in details.items()
        if name in {"input", "output", "parameters"}
    ]
    assert len(sizes) > 50
    assert max(sizes) < QUOTA / 10


def _continues(first: dict[str, Any], second: dict[str, Any], home: TradingHome) -> None:
    stored = {
        month: {item["symbol"]["S"]: item for item in map(json.loads, home.signals(month))}
        for month in ("2025-02", "2025-03")
    }
    assert len(stored["2025-02"]) == first["signals"]["count"]
    assert second["signals"]["hold"] > 0
    held = {
        symbol: float(item["previous_weight"]["N"])
        for symbol, item in stored["2025-03"].items()
        if float(item["previous_weight"]["N"]) > 0
    }
    bought = {s: float(i["weight"]["N"]) for s, i in stored["2025-02"].items()}
    assert held.keys() <= {symbol for symbol, weight in bought.items() if weight > 0}
    assert all(0.5 < weight / bought[symbol] < 2 for symbol, weight in held.items())
    assert any(weight != bought[symbol] for symbol, weight in held.items())
    history = second["portfolio"]["history"]
    assert [entry["month"] for entry in history] == ["2025-02", "2025-03"]
    assert history[0]["nav"] == 1.0
    assert history[1]["nav"] == pytest.approx(1 + history[1]["net_return"])
    assert _all_signals(second)["rate"] is None, "February is held past what March has seen"


def _shown_on_the_dashboard(cloud: OpenCloud, told: dict[str, Any]) -> None:
    shown = read_as_dashboard(cloud, told["month"], told["execution_arn"])
    assert shown["months"] == ["2025-02", "2025-03"]
    assert (shown["signals"], shown["report"]) == (told["signals"]["count"], True)
    assert shown["run"] == "2025-03"
    assert shown["champion"]
    assert {"Resolve", "Train", "Notify", "Finish"} <= set(shown["stages"])


def _measures(first: dict[str, Any], third: dict[str, Any]) -> None:
    measured = _all_signals(third)
    assert (measured["months"], measured["signals"]) == (1, first["signals"]["count"])
    assert 0 <= measured["low"] <= measured["rate"] <= measured["high"] <= 1
    assert len(third["portfolio"]["history"]) == 3


def _all_signals(told: dict[str, Any]) -> dict[str, Any]:
    return next(rate for rate in told["success"] if rate["label"] == "all signals")


def _refuses_the_past(home: TradingHome) -> None:
    past = home.month("2025-01-02")
    assert past.code == 1
    assert past.output == ""
    assert "2025-01 lies before 2025-03, which is done" in past.sentence


def _rolls_back(home: TradingHome) -> None:
    """Go back as far as there are champions: each step is told, and the end is said."""
    (pointer,) = (json.loads(item) for item in home.items()["ledger"] if '"pointer"' in item)
    for earlier in pointer["history"]["L"]:
        back = home.run("rollback", "--json")
        assert back.code == 0, back.errors
        assert back.json["version"] == earlier["M"]["version"]["S"]
    back = home.run("rollback", "--json")
    assert back.code == 3
    assert "there is no earlier champion to roll back to" in back.errors


def _lasting(items: dict[str, list[str]]) -> dict[str, list[Any]]:
    """Leave out the record of calls, and what the mail service reports of a mail later on."""
    lasting: dict[str, list[Any]] = {}
    for table in items.keys() - {"idempotency"}:
        loaded = map(json.loads, items[table])
        lasting[table] = [
            {name: value for name, value in item.items() if name not in REPORTED_LATER}
            for item in loaded
        ]
    return lasting


def _take_away(cloud: OpenCloud, function: str, action: str) -> str:
    """Take one action out of a function's role; return it."""
    iam = cloud.client("iam")
    arn = cloud.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    role = arn.rpartition("/")[2]
    changed = 0
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in document["Statement"]:
            if action in statement["Action"]:
                statement["Action"] = [a for a in statement["Action"] if a != action]
                changed += 1
        document["Statement"] = [s for s in document["Statement"] if s["Action"]]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    assert changed
    return action
