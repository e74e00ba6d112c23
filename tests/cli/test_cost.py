import json
from collections.abc import Callable

import pytest

from stackcheck.recording import Recording
from trading.cli import cost, main
from trading.cli.cost import known_stacks
from trading.cost.bill import LIMITS_USD, Limit, bill
from trading.cost.prices import load_prices
from trading.cost.resources import Resource
from trading.cost.usage import Usage


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def of_aws(recording: Recording) -> list[Resource]:
    return [Resource(one.type, one.name, one.inputs) for one in recording.aws]


@pytest.mark.slow
def test_the_program_is_asked_what_it_registers(recorded: Callable[..., Recording]) -> None:
    def order(one: Resource) -> tuple[str, str]:
        return one.type, one.name

    told = sorted(cost.registered("dev"), key=order)
    assert told == sorted(of_aws(recorded("dev")), key=order)


@pytest.mark.slow
def test_every_environment_is_priced_within_the_design(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[..., Recording],
) -> None:
    monkeypatch.setattr(cost, "registered", lambda stack: of_aws(recorded(stack)))
    assert run("cost", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["environments"]) == known_stacks() == ["dev", "staging", "prod"]
    for environment in told["environments"].values():
        lines = environment["lines"]
        assert len(lines) > 20
        assert environment["totals"][Limit.ALL] == pytest.approx(sum(line["usd"] for line in lines))
        for line in lines:
            assert line["usd"] == pytest.approx(line["quantity"] * line["price_usd"])
        assert environment["ten_times"]["total"] > environment["totals"][Limit.ALL]
        assert environment["ten_times"]["growth"]
    production = told["environments"]["prod"]["totals"]
    assert 0 < production[Limit.RUNNING] <= LIMITS_USD[Limit.RUNNING] == 31
    assert production[Limit.RUNNING] < production[Limit.ALL] <= LIMITS_USD[Limit.ALL] == 55
    assert told["prices_dated"] == load_prices().dated


def test_the_bill_for_the_eye_has_totals_and_growth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "registered", lambda _: [Resource("aws:kms/key:Key", "data", {})])
    assert run("cost", "--stack", "prod", "--times", "2") == 0
    told = capsys.readouterr().out
    one = bill([Resource("aws:kms/key:Key", "data", {})], Usage().times(2), load_prices())
    assert f"without front door and way out: {one.total():.2f} (design: at most 31.00)" in told
    assert "it goes first to KMS calls" in told
    assert "dev" not in told


def test_a_bill_above_the_design_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [Resource("aws:kms/key:Key", str(n), {}) for n in range(32)]
    monkeypatch.setattr(cost, "registered", lambda _: keys)
    assert run("cost", "--stack", "prod") == 1
    assert run("cost", "--stack", "dev") == 0
    assert "32.15" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--stack", "nowhere"), ("--times", "0")])
def test_misuse_is_said_in_a_sentence(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cost", *arguments) == 2
    assert "error:" in capsys.readouterr().err
