"""How `trading backtest` reads its options."""

from pathlib import Path

import pytest

from trading.cli.backtest import BacktestOptions
from trading.cli.backtest_options import (
    nested,
    read_assignments,
    read_engine,
    read_interval,
    read_ranges,
    read_settings,
    read_strategies,
    split_settings,
)
from trading.cli.backtest_universe import read_universe
from trading.errors import ConfigurationError, DataError


def shares(text: str) -> dict[str, float]:
    return {one.strategy_id: one.fraction for one in read_strategies(text, ())}


def test_strategies_share_the_capital() -> None:
    assert shares("momentum") == {"momentum": 1.0}
    assert shares("momentum:0.5, trend_following:0.25") == {
        "momentum": 0.5,
        "trend_following": 0.25,
    }
    assert shares("momentum:0.6,trend_following,mean_reversion") == pytest.approx(
        {"momentum": 0.6, "trend_following": 0.2, "mean_reversion": 0.2}
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no strategy is named"),
        ("momentum:half", "must be a number"),
        ("momentum:0.7,trend_following:0.7", "sum to at most 1, got 0.7, 0.7"),
        ("momentum:1,trend_following", "sum to at most 1"),
        ("momentum:-1", "above 0"),
        ("momentum:nan", "above 0"),
        ("momentum,momentum", "named twice"),
        ("nonsense", "nonsense"),
    ],
)
def test_wrong_strategies_are_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_strategies(text, ())


def test_a_strategy_that_is_not_installed_is_named_by_its_address() -> None:
    place = "trading.strategy.trend_following:TrendFollowing"
    (alone,) = read_strategies(place, ["short_ma=7"])
    assert (alone.strategy_id, alone.fraction) == ("trend_following", 1.0)
    assert alone.build().get_parameters()["short_ma"] == 7
    one, other = read_strategies(f"{place}:0.25,momentum:0.5", ["trend_following.short_ma=7"])
    assert (one.strategy_id, one.fraction) == ("trend_following", 0.25)
    assert one.parameters == {"short_ma": 7}
    assert (other.strategy_id, other.fraction) == ("momentum", 0.5)
    with pytest.raises(ConfigurationError, match="named twice"):
        read_strategies(f"{place},trend_following", ())
    with pytest.raises(ConfigurationError, match="nowhere:Nothing cannot be imported"):
        read_strategies("nowhere:Nothing", ())


def test_parameters_find_their_strategy() -> None:
    (alone,) = read_strategies("momentum", ["lookback_period=30", "threshold=0.1"])
    assert alone.build().get_parameters()["lookback_period"] == 30
    one, other = read_strategies(
        "momentum,trend_following", ["momentum.threshold=0.2", "trend_following.short_ma=7"]
    )
    assert one.parameters == {"threshold": 0.2}
    assert other.parameters == {"short_ma": 7}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (["threshold"], "takes name=value"),
        (["threshold=0.1"], "say whose it is, as in momentum.threshold"),
        (["other.threshold=1"], "other is not among momentum, trend_following"),
        (["momentum.threshold=1", "momentum.threshold=2"], "twice"),
        (["momentum.threshold=["], "not a YAML value"),
    ],
)
def test_wrong_parameters_are_refused(params: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_strategies("momentum,trend_following", params)


def test_a_parameter_out_of_bounds_names_itself() -> None:
    (one,) = read_strategies("momentum", ["lookback_period=-3"])
    with pytest.raises(ConfigurationError, match="momentum: lookback_period"):
        one.build()


def test_settings_of_the_run_and_of_the_program_are_told_apart() -> None:
    ours, others = split_settings(["execution.fill=next_close", "data.exchange=XNYS", "riskier=1"])
    assert ours == ["execution.fill=next_close"]
    assert others == ["data.exchange=XNYS", "riskier=1"]
    settings = read_settings(
        BacktestOptions(
            "momentum",
            fill="next_close",
            cash=5000.5,
            sizer="kelly",
            sizer_params=("window=40",),
            sets=("risk.max_position={limit: 0.1, action: reject}", "execution.account=margin"),
        )
    )
    assert settings.execution.fill == "next_close"
    assert str(settings.execution.initial_cash) == "5000.5"
    assert settings.sizer.parameters == {"window": 40}
    assert settings.risk.max_position is not None
    assert settings.risk.max_position.action == "reject"


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (("execution.initial_cash=1000000000000",), "initial_cash: Input should be less than"),
        (("execution.nonsense=1",), "execution.nonsense: Extra inputs"),
        (("execution.initial_cash=-1",), "execution.initial_cash"),
        (("execution.fill=someday",), "execution.fill"),
        (("execution=5", "execution.fill=next_open"), "was set to 5"),
    ],
)
def test_wrong_settings_are_refused(sets: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_settings(BacktestOptions("momentum", sets=sets))


def test_names_with_dots_become_trees() -> None:
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert read_assignments(["x=[1, 2]", "y= a"], "--set") == {"x": [1, 2], "y": "a"}


def test_ranges_are_lists_and_steps() -> None:
    found = read_ranges(["a=1,2.5,x", "b=20:120:50", "c=0.1:0.3:0.1", "d=5:5:1"])
    assert found["a"] == (1, 2.5, "x")
    assert found["b"] == (20, 70, 120)
    assert all(isinstance(value, int) for value in found["b"])
    assert found["c"] == (0.1, 0.2, 0.3)
    assert found["d"] == (5,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a", "takes name="),
        ("a=", "takes name="),
        ("a=1:2", "is not from:to:step"),
        ("a=1:x:1", "is not from:to:step"),
        ("a=5:1:1", "from <= to"),
        ("a=1:5:0", "step > 0"),
        ("a=1:inf:1", "from <= to"),
        ("a=0:1:0.000001", "too many"),
    ],
)
def test_wrong_ranges_are_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_ranges([text])


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected processes or ray"):
        read_engine("dask")
    with pytest.raises(ConfigurationError, match="expected one of 1m, 1h, 1d"):
        read_interval("5m")
    with pytest.raises(ConfigurationError, match="twice"):
        read_ranges(["a=1", "a=2"])


def test_a_universe_is_all_a_top_a_list_or_a_file(tmp_path: Path) -> None:
    assert read_universe("all").symbols is None
    assert read_universe("top50").top == 50
    assert read_universe("A, B,A").symbols == ("A", "B")
    lines = tmp_path / "names.txt"
    lines.write_text("# mine\nAAA\n\nÜBER\n", encoding="utf-8")
    assert read_universe(str(lines)).symbols == ("AAA", "ÜBER")
    table = tmp_path / "names.csv"
    table.write_text('\ufeffname,Ticker\nApple,AAPL\n"Foo, Inc",FOO\n', encoding="utf-8")
    assert read_universe(str(table)).symbols == ("AAPL", "FOO")
    assert read_universe(str(table)).words(2) == "AAPL, FOO"
    assert read_universe("A,B").warnings
    assert not read_universe("top5").warnings


def test_an_empty_universe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("# nobody\n")
    for text in ("top0", " , ", str(tmp_path / "none.txt")):
        with pytest.raises(ConfigurationError):
            read_universe(text)
    with pytest.raises(DataError, match="there is no file"):
        read_universe(str(tmp_path / "missing.csv"))
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_universe(str(tmp_path / "bad.txt"))
