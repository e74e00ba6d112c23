"""Three months in a row through every station, on folders and moto, with real (tiny) training."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import boto3
import numpy as np
import pytest
from month_runner import ANYTHING_PASSES, NOTHING_PASSES, MonthRunner, State, small_settings
from month_tables import make_tables, resources_at
from moto import mock_aws

from trading.data.providers import open_provider
from trading.errors import ConflictError, DataError, MonthError
from trading.month import payloads as messages
from trading.month.champion_record import calibration_of, champion_history
from trading.month.deploy import deploy
from trading.month.failure import alert, roll_back
from trading.month.failure_requests import AlertRequest, FailureRequest
from trading.month.notify import notify
from trading.month.payloads import ChampionRef
from trading.month.prepare import prepare
from trading.month.rank import rank
from trading.month.score import score_batch
from trading.month.store import store_signals
from trading.strategy.signals import Action

pytestmark = pytest.mark.slow
DAYS = (date(2024, 1, 2), date(2024, 2, 1), date(2024, 3, 1))
QUOTA = 256 * 1024
NewRunner = Callable[..., MonthRunner]


@pytest.fixture(scope="module")
def cloud() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            boto3.client("ses").verify_email_identity(EmailAddress="signals@trading.example")
            yield


@pytest.fixture(scope="module")
def new_runner(cloud: None, tmp_path_factory: pytest.TempPathFactory) -> NewRunner:
    """Make an environment of its own; `like` gives it another's lake and training."""

    def make(name: str, gate: dict[str, float], like: MonthRunner | None = None) -> MonthRunner:
        folder = tmp_path_factory.mktemp(name)
        make_tables(f"{name}-")
        topic = boto3.client("sns").create_topic(Name=name)["TopicArn"]
        names = {"TRADING_ALERT_TOPIC": topic, "TRADING_WARNING_TOPIC": topic}
        resources = resources_at(folder, small_settings(gate), f"{name}-", **names)
        if like is not None:
            shutil.copytree(store_folder(like, "data"), folder / "data")
            shutil.copytree(store_folder(like, "runs") / "training", folder / "runs/training")
        return MonthRunner(resources, folder / "ml")

    return make


def store_folder(runner: MonthRunner, name: str) -> Path:
    return Path(runner.resources.names[f"TRADING_{name.upper()}_STORE"])


@dataclass
class Quarter:
    """Three months that were run in a row."""

    runner: MonthRunner
    states: tuple[State, ...]


@pytest.fixture(scope="module")
def promoted(new_runner: NewRunner) -> Quarter:
    """Every challenger passes the gate."""
    return quarter(new_runner("promoted", ANYTHING_PASSES))


@pytest.fixture(scope="module")
def rejected(new_runner: NewRunner) -> Quarter:
    """No challenger passes the gate."""
    return quarter(new_runner("rejected", NOTHING_PASSES))


def quarter(runner: MonthRunner) -> Quarter:
    states = []
    for day in DAYS:
        runner.fill_lake(day)
        states.append(runner.run(day))
    return Quarter(runner, tuple(states))


def held_and_sold(runner: MonthRunner, day: date) -> tuple[dict[str, float], dict[str, float]]:
    """Return the weights before and after the month's orders."""
    signals = runner.resources.signals.read_month(f"{day:%Y-%m}").signals
    before = {s.symbol: s.previous_weight for s in signals if s.previous_weight > 0}
    return before, {s.symbol: s.weight for s in signals if s.weight > 0}


def test_the_last_session_is_fetched_and_checked_by_the_month(promoted: Quarter) -> None:
    for state, day in zip(promoted.states, DAYS, strict=True):
        assert state["fetched"]["sessions"] == 1
        assert state["quality"]["verdict"] in ("pass", "warn")
        assert date.fromisoformat(state["resolved"]["last_session"]) < day
        assert state["finished"]["status"] == "SUCCEEDED"


def test_payloads_stay_far_below_the_quota_at_full_width(promoted: Quarter) -> None:
    sizes = promoted.runner.sizes
    one = promoted.states[2]
    jobs, batches = one["prepared"]["jobs"], one["context"]["batches"]
    assert (len(jobs), len(batches)) == (1, 4)
    more_jobs = 8 * (len(json.dumps(jobs[0])) + len(json.dumps(one["models"][0])))
    more_batches = 5 * (len(json.dumps(one["scored"][0])) + 4)
    # A deployed environment's URIs and settings are longer than a test's.
    at_full_width = sizes["state"] + more_jobs + more_batches + 9 * 4096
    assert at_full_width < QUOTA / 2, at_full_width
    # A Map gives each of its items the job or the batch and what all share.
    assert 9 * sizes["ScoreRequest"] + 8 * more_jobs < QUOTA


def test_a_promoted_challenger_lies_in_production_under_its_version(promoted: Quarter) -> None:
    models, ledger = promoted.runner.resources.models, promoted.runner.resources.ledger
    for state in promoted.states:
        champion = state["champion"]
        assert champion["promoted"]
        assert champion["version"] == state["validated"]["version"]
        files = {key.rpartition("/")[2] for key in models.keys(f"{champion['prefix']}/")}
        assert {"manifest.json", "out-of-sample.npz"} <= files
        verdict = f"backtest-results/{state['month']['month']}/{champion['version']}/verdict.json"
        assert json.loads(models.get(verdict).body)["passed"]
    pointer = ledger.champion()
    assert pointer is not None
    assert pointer.version == promoted.states[2]["champion"]["version"]
    assert [old.month for old in pointer.history] == ["2024-02", "2024-01"]
    latest = ChampionRef.model_validate_json(models.get("production/latest/champion.json").body)
    assert latest == pointer.ref()


def test_each_month_begins_with_the_champion_of_the_month_before(promoted: Quarter) -> None:
    first, second, third = promoted.states
    assert first["resolved"]["champion"] is None
    assert second["resolved"]["champion"]["version"] == first["champion"]["version"]
    assert third["resolved"]["champion"]["version"] == second["champion"]["version"]
    channels = [channel["ChannelName"] for channel in third["prepared"]["jobs"][0]["channels"]]
    assert channels == ["training", "champion"]
    # A rerun of a past month would see that month's own champion, not its successors.
    before = promoted.runner.resources.ledger.champion_before("2024-02")
    assert before is not None
    assert before.version == first["champion"]["version"]


def test_without_a_champion_a_rejected_challenger_leaves_a_baseline(rejected: Quarter) -> None:
    models = rejected.runner.resources.models
    first = rejected.states[0]
    assert not first["validated"]["passed"]
    assert first["champion"]["kind"] == "baseline"
    assert not first["champion"]["promoted"]
    assert "rejected" in first["champion"]["message"]
    assert len({state["champion"]["version"] for state in rejected.states}) == 1
    for state in rejected.states:
        version, month = state["validated"]["version"], state["month"]["month"]
        assert models.exists(f"archive/{month}/{version}/manifest.json")
    assert rejected.states[1]["validated"]["baseline_prefix"] == ""
    report = rejected.runner.report(DAYS[0])
    assert report.model.kind == "baseline"
    assert report.model.description.startswith("best single factor: ")
    # Its confidence, too, is how often such scores came true, not how far up a name is ranked.
    champion = ChampionRef.model_validate(rejected.states[1]["resolved"]["champion"])
    worth = calibration_of(champion.prefix, rejected.runner.resources)
    assert worth is not None
    for signal in report.signals:
        if signal.score is not None:
            assert signal.confidence == pytest.approx(float(worth.apply(abs(signal.score))))


def test_the_kept_champion_is_judged_by_its_stored_scores(rejected: Quarter) -> None:
    """The record grows by what the champion said in production, month by month."""
    resources = rejected.runner.resources
    champion = ChampionRef.model_validate(rejected.states[2]["resolved"]["champion"])
    history = champion_history(champion, resources)
    assert history is not None
    assert history.months[-3:] == ("2024-01", "2024-02", "2024-03")
    signals = resources.signals.read_month("2024-02").signals
    ranked = {s.symbol: s.score for s in signals if s.score is not None}
    row = history.months.index("2024-02")
    assert ranked
    for symbol, score in ranked.items():
        assert history.scores[row, history.symbols.index(symbol)] == pytest.approx(score)
    verdicts = [
        json.loads(resources.runs.get(f"runs/{m}/monthly-{m}-r1/evidence/verdict.json").body)
        for m in ("2024-01", "2024-02", "2024-03")
    ]
    assert "champion" not in verdicts[0]["figures"]
    judged = [list(v["monthly_returns"]["champion"]) for v in verdicts[1:]]
    # March knows how January, the first month in production, went.
    assert judged[0][-1] == "2023-12"
    assert judged[1][-1] == "2024-01"
    assert all(len(months) == v["figures"]["champion"]["months"] for months, v in
               zip(judged, verdicts[1:], strict=True))  # fmt: skip


def test_later_months_hold_and_sell_what_was_bought(promoted: Quarter) -> None:
    runner = promoted.runner
    assert {s.action for s in runner.report(DAYS[0]).signals} == {Action.BUY}
    actions: set[Action] = set()
    for earlier, day in itertools.pairwise(DAYS):
        _, bought = held_and_sold(runner, earlier)
        before, after = held_and_sold(runner, day)
        assert set(before) <= set(bought)
        assert any(before[name] != pytest.approx(bought[name]) for name in before)
        signals = runner.resources.signals.read_month(f"{day:%Y-%m}").signals
        actions |= {s.action for s in signals}
        for signal in signals:
            held, kept = signal.symbol in before, signal.symbol in after
            expected = Action.HOLD if held and kept else Action.BUY if kept else Action.SELL
            assert signal.action is expected, signal.symbol
    assert actions == set(Action)


def test_weights_drift_with_the_prices_of_the_lake(promoted: Quarter) -> None:
    runner = promoted.runner
    for earlier, day in itertools.pairwise(DAYS):
        _, bought = held_and_sold(runner, earlier)
        before, _ = held_and_sold(runner, day)
        growth = growth_between(runner, earlier, day)
        worth = {name: weight * growth[name] for name, weight in bought.items()}
        total = sum(worth.values()) + 1.0 - sum(bought.values())
        for name, weight in before.items():
            assert weight == pytest.approx(worth[name] / total, abs=1e-6)


def growth_between(runner: MonthRunner, earlier: date, day: date) -> dict[str, float]:
    """Return price relatives from the fill (the close of the session after the decision)."""
    panel = runner.resources.lake.panel(before=day)
    decided = runner.resources.signals.read_month(f"{earlier:%Y-%m}").performance.session
    fill = int(np.searchsorted(panel.sessions, np.datetime64(decided))) + 1
    relative = panel.adjusted_close[-1] / panel.adjusted_close[fill]
    return dict(zip(panel.symbols, relative, strict=True))


def test_the_net_asset_value_equals_a_plain_ledger(promoted: Quarter) -> None:
    """Shares and cash, costs by the documented formula; no simulator involved."""
    runner, dataset = promoted.runner, promoted.runner.dataset(promoted.states[-1])
    costs = runner.resources.settings.costs
    panel = runner.resources.lake.panel(before=DAYS[-1])
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    slot = {symbol: i for i, symbol in enumerate(dataset.symbols) if symbol}
    cash, shares = 1.0, dict[str, float]()

    def worth(row: int) -> float:
        return cash + sum(n * panel.adjusted_close[row, column[s]] for s, n in shares.items())

    for day in DAYS:
        stored = runner.resources.signals.read_month(f"{day:%Y-%m}")
        row = int(np.searchsorted(panel.sessions, np.datetime64(stored.performance.session)))
        assert stored.performance.nav == pytest.approx(worth(row), rel=1e-6)
        if day == DAYS[-1]:
            break
        known = int(np.searchsorted(dataset.decisions, row, side="right")) - 1
        price = panel.adjusted_close[row + 1]
        nav, paid = worth(row + 1), 0.0
        target = {s.symbol: s.weight for s in stored.signals if s.weight > 0}
        for name in sorted({*target, *shares}):
            held = shares.get(name, 0.0) * price[column[name]] / nav
            traded = abs(target.get(name, 0.0) - held)
            volume = float(dataset.dollar_volume[known, slot[name]])
            sigma = float(dataset.volatility[known, slot[name]])
            days = min(traded * nav * costs.capital_usd / volume, 4.0)
            linear = (costs.commission_bps + costs.slippage_bps) / 1e4
            paid += traded * (linear + costs.impact_coefficient * sigma * days**0.5)
        nav *= 1.0 - paid
        shares = {name: weight * nav / price[column[name]] for name, weight in target.items()}
        cash = nav * (1.0 - sum(target.values()))
    assert stored.performance.nav != 1.0


def test_the_report_tells_what_was_stored(promoted: Quarter) -> None:
    runner = promoted.runner
    for i, day in enumerate(DAYS):
        report = runner.report(day)
        stored = runner.resources.signals.read_month(report.month)
        assert report.signals == stored.signals
        assert report.portfolio.current == stored.performance
        assert len(report.portfolio.history) == i + 1
        assert report.success == stored.success
        assert report.data.simulated
        assert "simulated" in report.data.source
        assert report.model.promoted
        assert report.verdict is not None
        assert {"candidate", "equal_weight"} <= set(report.verdict.figures)
        assert "next_close" not in report.fill_rule
        assert report.portfolio.since_inception == pytest.approx(stored.performance.nav - 1)


def test_success_is_measured_once_a_month_is_over(promoted: Quarter) -> None:
    """As of the first session of February that session, January's exit, is not seen yet."""
    runner = promoted.runner
    counted = [{rate.months for rate in runner.report(day).success} for day in DAYS]
    assert counted == [{0}, {0}, {1}]
    every = runner.report(DAYS[2]).success[0]
    january = runner.resources.signals.read_month("2024-01").signals
    panel = runner.resources.lake.panel(before=DAYS[2])
    decided = runner.resources.signals.read_month("2024-01").performance.session
    fill = int(np.searchsorted(panel.sessions, np.datetime64(decided))) + 1
    leave = int(np.searchsorted(panel.sessions, np.datetime64("2024-02-01")))
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    close = panel.adjusted_close
    rate = (runner.resources.settings.costs.commission_bps + 5.0) / 1e4
    gains = [close[leave, column[s.symbol]] / close[fill, column[s.symbol]] - 1 for s in january]
    assert every.signals == len(january)
    assert every.successes == sum(gain - rate * (1 + gain) > 0 for gain in gains)


def test_every_mail_of_the_month_was_sent_once(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[2]
    assert [sent["state"] for sent in state["notified"]] == ["sent"]
    before = sent_mails()
    request = {"month": state["month"], "measured": state["measured"], "recipient": 0}
    with runner.reopened(state) as month:
        again = runner.call(notify, messages.NotifyRequest, **request | {"month": month})
    assert again == state["notified"][0] | {"state": "already_sent"}
    assert sent_mails() == before
    assert runner.resources.runs.exists("reports/2024-03.html")


def sent_mails() -> float:
    return float(boto3.client("ses").get_send_quota()["SentLast24Hours"])


def test_storing_again_changes_nothing_and_other_content_is_refused(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[2]
    request = {n: state[n] for n in ("month", "resolved", "prepared", "context", "ranked")}
    before = runner.resources.signals.read_month("2024-03")
    with runner.reopened(state) as month:
        again = runner.call(
            store_signals,
            messages.StoreRequest,
            champion=state["champion"],
            **request | {"month": month},
        )
    assert not again["written"]
    assert runner.resources.signals.read_month("2024-03") == before
    other = state["champion"] | {"version": "another"}
    with pytest.raises(ConflictError), runner.reopened(state) as month:
        runner.call(
            store_signals, messages.StoreRequest, champion=other, **request | {"month": month}
        )
    assert runner.resources.signals.read_month("2024-03") == before


def test_a_rerun_reuses_finished_training_and_gives_the_same_signals(promoted: Quarter) -> None:
    runner, first = promoted.runner, promoted.states[2]
    trained = list(runner.trained)
    again = runner.run(DAYS[2], run=2)
    assert [asked["finished"] for asked in again["prepared"]["jobs"]] == [True]
    assert runner.trained == trained
    assert again["models"] == first["models"]
    assert again["champion"]["version"] == first["champion"]["version"]
    assert not again["stored"]["written"]
    assert signals_json(runner, again) == signals_json(runner, first)
    assert again["notified"] == [sent | {"state": "already_sent"} for sent in first["notified"]]


def signals_json(runner: MonthRunner, state: State) -> bytes:
    execution = state["month"]["execution"]
    return runner.resources.runs.get(f"runs/{execution[8:15]}/{execution}/signals.json").body


def test_other_training_code_trains_again(
    promoted: Quarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, state = promoted.runner, promoted.states[0]
    monkeypatch.setattr("trading.month.prepare.training_revision", lambda: "newer")
    request = {
        "month": state["month"] | {"run": 9, "execution": "x"},
        "resolved": state["resolved"],
    }
    answer = prepare(messages.PrepareRequest.model_validate(request), runner.resources)
    assert [asked.finished for asked in answer.jobs] == [False]
    assert answer.dataset_hash == state["prepared"]["dataset_hash"]


def test_signals_do_not_change_when_later_bars_are_in_the_lake(
    promoted: Quarter, new_runner: NewRunner
) -> None:
    first = new_runner("truncated", ANYTHING_PASSES)
    settings = first.resources.settings
    provider = open_provider(settings)
    first.fill_lake(date(2024, 6, 3))
    assert first.resources.lake.sessions()[-1] >= np.datetime64("2024-05-30")
    for day, state in zip(DAYS, promoted.states, strict=True):
        again = first.run(day)
        assert again["resolved"]["data_hash"] == state["resolved"]["data_hash"]
        assert again["prepared"]["dataset_hash"] == state["prepared"]["dataset_hash"]
        assert signals_json(first, again) == signals_json(promoted.runner, state)
    assert provider.simulated
    stored = first.resources.signals.read_month("2024-03")
    assert stored.performance == promoted.runner.resources.signals.read_month("2024-03").performance
    assert stored.success == promoted.runner.resources.signals.read_month("2024-03").success


def test_a_failure_after_deploy_puts_the_champion_back_and_tells(
    promoted: Quarter, new_runner: NewRunner
) -> None:
    runner = new_runner("failing", ANYTHING_PASSES, like=promoted.runner)
    resources = runner.resources
    first = runner.run(DAYS[0])
    second = runner.run(DAYS[1], until="deploy")
    assert resources.ledger.champion().version == second["champion"]["version"]  # type: ignore[union-attr]
    failure = {"Error": "DataError", "Cause": json.dumps({"errorMessage": "no scores"})}
    request = {"month": second["month"], "failure": failure}
    for _ in range(2):
        assert runner.call(roll_back, FailureRequest, **request) == {"safe": True, "reason": ""}
        pointer = resources.ledger.champion()
        assert pointer is not None
        assert pointer.version == first["champion"]["version"]
    latest = json.loads(resources.models.get("production/latest/champion.json").body)
    assert latest["version"] == first["champion"]["version"]
    runner.call(alert, AlertRequest, **request, rolled_back={"safe": True, "reason": ""})
    record = resources.ledger.run_of("2024-02")
    assert record is not None
    assert (record.status, record.reason) == ("FAILED", "DataError: no scores")
    # The rerun ends as if nothing had happened, by the finished training of the first run.
    trained = list(runner.trained)
    again = runner.run(DAYS[1], run=2)
    assert runner.trained == trained
    assert again["champion"]["version"] == second["champion"]["version"]
    assert signals_json(runner, again) == signals_json(promoted.runner, promoted.states[1])


def test_a_deploy_that_is_repeated_changes_nothing(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[2]
    before = runner.resources.ledger.champion()
    request = {name: state[name] for name in ("month", "resolved", "validated")}
    with runner.reopened(state) as month:
        again = runner.call(deploy, messages.DeployRequest, **request | {"month": month})
        assert again == state["champion"]
    assert runner.resources.ledger.champion() == before


def test_an_altered_or_missing_batch_of_scores_is_refused(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[0]
    names = ("month", "resolved", "prepared", "context", "champion")
    request = {name: state[name] for name in names}
    with pytest.raises(DataError, match="scores of batches"):
        runner.call(rank, messages.RankRequest, scored=state["scored"][1:], **request)
    altered = [state["scored"][0] | {"sha256": "0" * 64}, *state["scored"][1:]]
    with pytest.raises(DataError, match="batch 0 were altered"):
        runner.call(rank, messages.RankRequest, scored=altered, **request)


def test_a_batch_scored_twice_gives_the_same_bytes(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[0]
    shared = {name: state[name] for name in ("month", "context", "champion", "prepared")}
    again = runner.call(score_batch, messages.ScoreRequest, batch=2, **shared)
    assert again == state["scored"][2]


def test_a_name_to_exclude_that_is_no_member_is_refused(promoted: Quarter) -> None:
    runner, state = promoted.runner, promoted.states[0]
    resolved = state["resolved"]
    held = runner.dataset(state)
    member = held.symbols[int(np.flatnonzero(held.active)[0])]
    misspelt = state["month"] | {"exclude": [member, "MISSPELT"]}
    with pytest.raises(MonthError, match=r"^MISSPELT cannot be excluded"):
        runner.call(prepare, messages.PrepareRequest, month=misspelt, resolved=resolved)
