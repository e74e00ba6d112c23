"""Sessions into the lake: complete or told exactly, once, and continued where they stopped."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from intake_examples import MORNING, Place
from provider_examples import LAST

from trading.config import BarStoreSettings
from trading.data.intake import SessionStatus, block_sessions, read_record, sessions_to_do
from trading.data.lake import Lake
from trading.data.store.bars.lake import LakeBars
from trading.data.store.base import ObjectStore
from trading.data.store.folder import FolderStore
from trading.errors import DataError, StoreError

BEFORE_LAST = date(2024, 6, 27)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polygon", "yahoo"])
def test_a_span_comes_whole_and_twice_is_once(folder: FolderStore, name: str) -> None:
    place = Place(folder, [name])
    first = place.run()
    assert first.count(SessionStatus.COMPLETE) == len(place.days)
    assert first.bars == 30 * len(place.days)
    assert place.wrong_bars().empty
    held, asked = place.files(), dict(place.services.seen)
    again = place.run()
    assert again.count(SessionStatus.HELD) == len(place.days)
    assert place.files() == held
    assert place.services.seen == asked
    assert not [key for key in held if key.startswith("intake/")]


@pytest.mark.slow
def test_a_provider_of_symbols_is_asked_once_a_symbol(folder: FolderStore) -> None:
    place = Place(folder, ["yahoo"])
    place.run()
    assert place.services.seen == {"yahoo": 30}


def test_a_day_lies_raw_with_its_manifest_and_record(folder: FolderStore) -> None:
    place = Place(folder, ["polygon", "yahoo"], down=["polygon"])
    place.run([LAST])
    keys = set(folder.keys("data/2024/06/28/"))
    assert {f"data/2024/06/28/{name}" for name in ("bars.parquet", "intake.json")} <= keys
    record, _ = read_record(folder, LAST)
    assert record.sources == {"yahoo": 30}
    assert record.verdict == "pass"
    (manifest,) = place.lake.manifests()
    assert record.batches == (manifest.id,)
    assert any("polygon failed" in alert for alert in record.alerts)
    assert any("came from the backup yahoo" in alert for alert in record.alerts)


def test_holidays_future_and_unfinished_sessions_are_not_asked(folder: FolderStore) -> None:
    place = Place(folder, now=datetime(2024, 6, 28, 19, 59, tzinfo=UTC))
    days = [date(2024, 6, 19), date(2024, 6, 22), LAST, date(2024, 7, 1)]
    result = place.run(days)
    assert [o.status.value for o in result.outcomes] == ["holiday", "holiday", "failed", "failed"]
    assert "not final yet" in result.outcomes[2].reasons[0]
    assert place.services.seen == {}
    assert not list(folder.keys())


def test_what_a_provider_lacks_is_told_and_asked_again_alone(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"], expected=["T0001", "T0002", "GONE"])
    result = place.run([BEFORE_LAST, LAST])
    assert result.count(SessionStatus.PARTIAL) == 2
    assert [(gap.symbol, gap.first) for gap in result.missing] == [
        ("GONE", BEFORE_LAST),
        ("GONE", LAST),
    ]
    assert not any(gap.may_pass for gap in result.missing)
    held = {key: body for key, body in place.files().items() if key.endswith("bars.parquet")}
    place.market._column["GONE"] = place.market._column["T0003"]
    place.market.symbols[place.market._column["T0003"]] = "GONE"
    completed = place.run([BEFORE_LAST, LAST])
    assert completed.count(SessionStatus.COMPLETE) == 2
    files = place.files()
    assert {key: files[key] for key in held} == held
    bars = place.lake.bars(None, before=date(2024, 7, 1), start=LAST)
    assert sorted(bars["symbol"]) == ["GONE", "T0001", "T0002"]
    record, _ = read_record(folder, LAST)
    assert (record.rounds, record.bars, record.missing) == (2, 3, ())


@pytest.mark.slow
def test_what_is_missing_for_good_is_not_asked_for_ever(folder: FolderStore) -> None:
    place = Place(folder, ["yahoo"], expected=["T0001", "GONE"])
    place.run()
    asked = place.services.seen["yahoo"]
    todo = sessions_to_do(folder, place.days, place.expected, place.settings, now=MORNING)
    assert todo.ask == tuple(place.days[-5:])
    again = place.run(place.days[:-5])
    assert again.count(SessionStatus.HELD) == len(place.days) - 5
    assert {gap.symbol for gap in again.missing} == {"GONE"}
    assert place.services.seen["yahoo"] == asked


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["polygon", "yahoo"])
def test_a_symbol_that_lists_later_misses_nothing_before(
    folder: FolderStore, provider: str
) -> None:
    place = Place(folder, [provider])
    listed, bars = place.days[6], place.services._bars
    place.services._bars = lambda n, rows, fault: [  # type: ignore[method-assign]
        each for each in bars(n, rows, fault) if n != 5 or each[0] >= listed
    ]
    result = place.run()
    assert result.count(SessionStatus.COMPLETE) == len(place.days)
    assert [outcome.unlisted for outcome in result.outcomes[:7]] == [1] * 6 + [0]
    assert not any("missing" in alert for alert in result.told())


@pytest.mark.slow
def test_nothing_from_anyone_fails_the_session_and_says_why(folder: FolderStore) -> None:
    place = Place(folder, ["polygon", "yahoo"], down=["polygon", "yahoo"])
    result = place.run(place.days[-3:])
    assert result.count(SessionStatus.FAILED) == 3
    assert all(outcome.may_pass for outcome in result.outcomes)
    assert "polygon failed" in result.outcomes[0].reasons[0]
    assert any("could not be fetched" in alert for alert in result.told())
    assert not list(folder.keys("data/"))


@pytest.mark.slow
def test_time_that_runs_short_leaves_the_rest_and_the_next_run_continues(
    folder: FolderStore,
) -> None:
    place = Place(folder, ["yahoo"], symbols=200)
    left = iter([1e3] * 6 + [0.0] * 1000)
    cut = place.run(remaining=lambda: next(left), reserve=0.0)
    assert set(cut.left) == set(place.days)
    assert not len(place.lake.sessions())
    asked = place.services.seen["yahoo"]
    assert 0 < asked < 200
    rest = place.run()
    assert rest.count(SessionStatus.COMPLETE) == len(place.days)
    assert place.services.seen["yahoo"] == 200
    assert place.wrong_bars().empty
    assert not list(folder.keys("intake/"))


@pytest.mark.slow
def test_a_run_that_is_stopped_between_blocks_keeps_whole_sessions(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"])
    asked = count()
    cut = place.run(stop=lambda: next(asked) > 10)
    done = cut.count(SessionStatus.COMPLETE)
    assert 0 < done < len(place.days)
    assert len(place.lake.sessions()) == done
    assert len(cut.left) == len(place.days) - done
    assert place.run().count(SessionStatus.COMPLETE) == len(place.days) - done


@pytest.mark.slow
def test_a_day_that_fails_its_check_is_never_served_and_heals(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"])
    place.run(place.days[:-1])
    close = {name: values.copy() for name, values in place.market.values.items()}
    for name in ("open", "high", "low", "close"):
        place.market.values[name][-1, :10] *= 100
    bad = place.run([LAST])
    assert [outcome.status for outcome in bad.outcomes] == [SessionStatus.QUARANTINED]
    assert "100 times off" in bad.outcomes[0].reasons[0]
    assert LAST not in {s.astype(object) for s in place.lake.sessions()}
    assert list(place.lake.quarantined()) == [LAST]
    place.market.values = close
    good = place.run([LAST])
    assert [outcome.status for outcome in good.outcomes] == [SessionStatus.COMPLETE]
    assert place.lake.quarantined() == {}
    assert place.wrong_bars().empty
    record, _ = read_record(folder, LAST)
    assert (record.bars, record.verdict) == (30, "pass")


@pytest.mark.slow
def test_a_split_that_arrives_readjusts_what_is_stored(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"], splits=1)
    row = len(place.days) // 2
    truth = {name: values.copy() for name, values in place.market.values.items()}
    for name in ("open", "high", "low", "close"):
        place.market.values[name][:row, 0] *= 4.0
    place.market.values["volume"][:row, 0] /= 4.0
    before = replace_now(place, place.days[row])
    before.run(place.days[:row])
    raw = {key: body for key, body in place.files().items() if "bars.parquet" in key}
    place.market.values = truth
    result = place.run()
    assert not result.told(), result.told()
    bars = place.lake.bars(["T0000"], before=date(2024, 7, 1))
    assert place.market.wrong_rows(bars).empty
    files = place.files()
    assert {key: files[key] for key in raw} == raw
    then = place.lake.bars(["T0000"], before=place.days[row])
    assert then["close"].to_numpy() == pytest.approx(truth["close"][:row, 0] * 4.0)


@pytest.mark.slow
@pytest.mark.parametrize("applied", [True, False])
def test_the_bar_before_a_split_is_settled_whatever_the_vendor_did_that_morning(
    folder: FolderStore, applied: bool
) -> None:
    """On the ex-date's morning nobody knows whether the session before is divided already."""
    place = Place(folder, ["polygon"], splits=1)
    row = len(place.days) // 2
    truth = {name: values.copy() for name, values in place.market.values.items()}
    if not applied:
        for name in ("open", "high", "low", "close"):
            place.market.values[name][:row, 0] *= 4.0
        place.market.values["volume"][:row, 0] /= 4.0
    morning = datetime.combine(place.days[row], datetime.min.time(), UTC).replace(hour=6)
    replace_now(place, place.days[row], morning).run(place.days[:row])
    place.market.values = truth
    place.run()
    bars = place.lake.bars(["T0000"], before=date(2024, 7, 1), start=place.days[row - 1])
    assert place.market.wrong_rows(bars).empty


def replace_now(place: Place, day: date, now: datetime | None = None) -> Place:
    """Return the place on another morning."""
    other = Place(
        place.store,
        place.providers,
        now=now or datetime(day.year, day.month, day.day, 6, tzinfo=UTC),
    )
    other.market, other.services = place.market, place.services
    return other


@pytest.mark.slow
def test_faults_end_complete_or_exactly_told(folder: FolderStore) -> None:
    place = Place(folder, ["polygon", "yahoo", "iex"], rate=0.3, seed=5, symbols=40)
    result = place.run()
    assert place.wrong_bars().empty
    stored = sum(outcome.bars for outcome in result.outcomes)
    failed = 40 * result.count(SessionStatus.FAILED)
    assert stored + len(result.missing) + failed >= 40 * len(place.days)
    held = place.lake.bars(None, before=date(2024, 7, 1))
    assert len(held) == stored


def test_the_wrong_kind_of_market_is_refused(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"])
    place.run([LAST])
    from trading.config import Settings
    from trading.data.intake import open_intake

    simulated = Settings.model_validate({"data": {"simulated": {"symbols": 30}}})
    with pytest.raises(DataError, match="would mix"):
        open_intake(simulated, folder).run([BEFORE_LAST])


class Dying:
    """A store whose n-th change is the last: the process dies before it (or right after it)."""

    def __init__(self, inner: ObjectStore, changes: int, *, after: bool) -> None:
        self.inner, self.left, self.after, self.uri = inner, changes, after, inner.uri

    def get(self, key: str) -> object:
        return self.inner.get(key)

    def exists(self, key: str) -> bool:
        return self.inner.exists(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self.inner.keys(prefix)

    def put(self, key: str, body: bytes, **conditions: object) -> str:
        self._die(before=True)
        tag = self.inner.put(key, body, **conditions)  # type: ignore[arg-type]
        self._die(before=False)
        return tag

    def delete(self, key: str) -> None:
        self._die(before=True)
        self.inner.delete(key)
        self._die(before=False)

    def _die(self, *, before: bool) -> None:
        if before:
            self.left -= 1
        if self.left == 0 and before is not self.after:
            raise KilledError


class KilledError(BaseException):
    """The process is gone: nothing may catch it."""


@pytest.mark.slow
@pytest.mark.parametrize("after", [True, False])
def test_killed_before_or_after_any_write_no_half_day_is_seen_and_the_rerun_completes_it(
    tmp_path_factory: pytest.TempPathFactory, after: bool
) -> None:
    whole = Place(FolderStore(tmp_path_factory.mktemp("whole")), ["polygon", "yahoo"], symbols=24)
    days = whole.days[-2:]
    whole.run(days)
    truth = whole.lake.data_hash(date(2024, 7, 1))
    for changes in count(1):
        store = FolderStore(tmp_path_factory.mktemp("killed"))
        dying = Dying(store, changes, after=after)
        place = Place(dying, ["polygon", "yahoo"], symbols=24)
        try:
            place.run(days)
        except KilledError:
            killed = True
        else:
            killed = False
        seen = Lake(store)
        for session in seen.sessions():
            day = session.astype(object)
            bars = seen.bars(None, before=date(2024, 7, 1), start=day)
            assert (bars.groupby("date").size() == 24).all()
        again = Place(store, ["polygon", "yahoo"], symbols=24)
        again.run(days)
        assert Lake(store).data_hash(date(2024, 7, 1)) == truth
        assert {s.astype(object) for s in Lake(store).sessions()} == set(days)
        again.run(days)
        assert not list(store.keys("intake/"))
        if not killed:
            assert changes > 10
            break


class Interrupting(Dying):
    """A store in which another run happens while the first answer is on its way."""

    def __init__(self, inner: ObjectStore, other: Callable[[], None]) -> None:
        super().__init__(inner, 10**9, after=False)
        self.other: Callable[[], None] | None = other

    def put(self, key: str, body: bytes, **conditions: object) -> str:
        other = self.other
        if other and key.startswith("intake/parts/"):
            self.other = None
            thread = Thread(target=other)
            thread.start()
            thread.join()
        return super().put(key, body, **conditions)


@pytest.mark.parametrize("finishes", [True, False])
def test_two_at_once_with_different_answers_have_one_result(
    folder: FolderStore, finishes: bool
) -> None:
    """What the other chose first is the result, whether the other has stored it already or not."""
    other = Place(folder if finishes else Dying(folder, 2, after=True), ["polygon"])
    done: list[str] = []

    def run_other() -> None:
        try:
            other.run([LAST])
            done.append("stored")
        except KilledError:
            done.append("chosen")

    late = Place(Interrupting(folder, run_other), ["polygon"])
    late.market.values["volume"] = late.market.values["volume"] * 2
    result = late.run([LAST])
    assert done == ["stored" if finishes else "chosen"]
    assert result.count(SessionStatus.COMPLETE) == 1
    assert other.wrong_bars().empty
    assert len(Lake(folder).manifests()) == 1
    assert read_record(folder, LAST)[0].rounds == 1
    assert not list(folder.keys("intake/"))


class Failing(LakeBars):
    """A second store of bars whose first write fails."""

    failed = False

    def store(self, bars: Any, *more: Any, **named: Any) -> Any:
        if not self.failed:
            type(self).failed = True
            raise StoreError("the database went away")
        return super().store(bars, *more, **named)


def test_a_second_store_gets_what_the_lake_has_though_it_failed_in_between(
    folder: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(folder, ["polygon"])
    second = Failing(FolderStore(tmp_path / "second"))
    monkeypatch.setattr("trading.data.intake.intake.open_configured_bars", lambda *_: second)
    store = BarStoreSettings(bars="postgres", address="postgresql://db/bars")
    data = place.settings.data.model_copy(update={"store": store})
    place.settings = place.settings.model_copy(update={"data": data})
    with pytest.raises(StoreError, match="went away"):
        place.run([BEFORE_LAST, LAST])
    place.run([BEFORE_LAST, LAST])
    kept = second.query(None, BEFORE_LAST, LAST)
    assert len(kept) == 2 * 30
    assert place.market.wrong_rows(kept).empty


def test_slow_plans_have_short_blocks(folder: FolderStore) -> None:
    place = Place(folder, ["polygon"])
    from provider_examples import make_providers, make_settings

    slow = make_settings()
    polygon = slow.data.providers.polygon.model_copy(update={"requests_per_minute": 5.0})
    providers = slow.data.providers.model_copy(update={"polygon": polygon})
    data = slow.data.model_copy(update={"providers": providers})
    (made,) = make_providers(
        slow.model_copy(update={"data": data}), ["polygon"], services=place.services
    )
    assert block_sessions(made) == 1
    assert block_sessions(replace_now(place, LAST).intake(None).providers[0]) == 21  # type: ignore[arg-type]
