"""What later bars prove about stored ones: mended from then on, never before, and reversible."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from intake_examples import FIRST, Place

from trading.cli.app import main
from trading.data.actions.symbols import Listing, SymbolMap
from trading.data.intake import SessionStatus
from trading.data.intake.older import prove_older
from trading.data.intake.proofs import PROVED
from trading.data.late_repairs import (
    PRICES,
    LateRepair,
    add_repairs,
    composed,
    decode_repairs,
    encode_repairs,
    in_force,
    renamed_repairs,
)
from trading.data.quality.findings import FindingKind
from trading.data.repairs.record import Repair
from trading.data.store.folder import FolderStore
from trading.errors import DataError

# The share and the session whose bar comes a hundred times too high.
WRONG, ROW = "T0007", 8
END = date(2024, 7, 1)


def faulty(store: FolderStore, rows: Sequence[int] = (ROW,)) -> Place:
    """Return a market in which some bars are told in pence; the vendor never mends them."""
    place = Place(store, symbols=120)
    bars, n = place.services._bars, place.market._column[WRONG]
    bad = {place.days[row] for row in rows}

    def told(column: int, rows: list[int], fault: str) -> list[tuple[date, dict[str, float]]]:
        return [
            (day, {k: v * (100.0 if k != "volume" else 1.0) for k, v in bar.items()})
            if column == n and day in bad
            else (day, bar)
            for day, bar in bars(column, rows, fault)
        ]

    place.services._bars = told  # type: ignore[method-assign, assignment]
    return place


def every_morning(place: Place, days: list[date]) -> list[str]:
    told = []
    for day in days:
        place.now = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(days=1)
        result = place.run([day])
        assert result.count(SessionStatus.COMPLETE, SessionStatus.HELD) == 1, result
        told += result.told()
    return told


def closes(place: Place, before: date, symbol: str = WRONG) -> dict[date, float]:
    bars = place.lake.bars([symbol], before=before)
    return {s.date(): c for s, c in zip(bars["date"], bars["close"], strict=True)}


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, list[str]]:
    """Fetch some history at once, then a session a morning."""
    place = faulty(FolderStore(tmp_path_factory.mktemp("late") / "lake"))
    place.now = datetime(2024, 6, 20, 10, tzinfo=UTC)
    place.run(place.days[:7])
    return place, every_morning(place, place.days[7:])


def test_a_wrong_bar_is_mended_once_later_bars_prove_it(flow: tuple[Place, list[str]]) -> None:
    place, told = flow
    (repair,) = place.lake.repairs()
    bad = place.days[ROW]
    assert (repair.symbol, repair.session, repair.scale) == (WRONG, bad, 0.01)
    assert bad < repair.known <= place.days[-1]
    true = place.market.values["close"][:, place.market._column[WRONG]]
    served = closes(place, END)
    assert [served[day] for day in place.days] == pytest.approx(true)
    assert place.lake.panel(before=END).close.shape == (len(place.days), 120)
    assert sum("served mended" in sentence for sentence in told) == 1
    # The raw bar is what the vendor sent.
    stored = place.lake.stored_bars([WRONG], before=bad + timedelta(days=1), start=bad)
    assert stored["close"].iloc[0] == pytest.approx(100 * true[ROW])


def test_as_of_a_morning_before_the_proof_the_bar_is_what_it_was(
    flow: tuple[Place, list[str]], tmp_path: Path
) -> None:
    place, _ = flow
    (repair,) = place.lake.repairs()
    bad, last = place.days[ROW], place.days.index(repair.known)
    wrong = 100 * place.market.values["close"][ROW, place.market._column[WRONG]]
    assert closes(place, repair.known)[bad] == pytest.approx(wrong)
    assert closes(place, repair.known + timedelta(days=1))[bad] == pytest.approx(wrong / 100)
    # A lake that ends the session before says the same, bit for bit, and has the same hash.
    short = faulty(FolderStore(tmp_path / "short"))
    short.now = datetime(2024, 6, 20, 10, tzinfo=UTC)
    short.run(short.days[:7])
    every_morning(short, short.days[7:last])
    assert short.lake.repairs() == ()
    before = repair.known
    assert place.lake.bars(None, before=before).equals(short.lake.bars(None, before=before))
    assert place.lake.data_hash(before) == short.lake.data_hash(before)
    after = repair.known + timedelta(days=1)
    with_it = place.lake.data_hash(after)
    place.lake.add_repairs([])
    assert with_it == place.lake.data_hash(after)


def test_a_repair_of_mended_bars_counts_from_the_stored_ones(tmp_path: Path) -> None:
    place = faulty(FolderStore(tmp_path / "lake"), rows=(6, 7, 8))
    true = place.market.values["close"][:, place.market._column[WRONG]]
    place.run(place.days[:6])
    # The vendor tells pence for long enough that the pounds before look wrong.
    place.run(place.days[6:9])
    assert {r.scale for r in place.lake.repairs()} == {100.0}
    served = closes(place, END)
    assert [served[day] for day in place.days[:9]] == pytest.approx(100 * true[:9])
    # The pounds come back: those that came in pounds are served as they are stored.
    place.run(place.days[9:12])
    assert [r.scale for r in place.lake.repairs()] == [1.0] * 6 + [0.01] * 3
    served = closes(place, END)
    assert [served[day] for day in place.days[:12]] == pytest.approx(true[:12])
    before = closes(place, place.days[9])
    assert [before[day] for day in place.days[:9]] == pytest.approx(100 * true[:9])


def test_composed_repairs_multiply_and_count_no_sooner() -> None:
    later = replace(ROWS, known=date(2024, 6, 25), volume_scale=2.0)
    both = composed(replace(ROWS, scale=1 / 49, volume_scale=0.5), replace(later, scale=49.0))
    assert (both.known, both.scale, both.volume_scale) == (later.known, 1.0, 1.0)
    assert composed(ROWS, later).scale == pytest.approx(1e-4)
    assert composed(ROWS, None) is ROWS
    # Another volume is another repair, though the prices are the same.
    assert add_repairs((ROWS,), [later])[1] == 1


def test_a_session_that_fails_proves_nothing(tmp_path: Path) -> None:
    place = faulty(FolderStore(tmp_path / "lake"))
    place.run(place.days[: ROW + 1])
    place.run(place.days[ROW + 1 : ROW + 3])
    third, fourth = place.days[ROW + 3 : ROW + 5]
    rules = place.settings
    place.settings = rules.model_copy(
        update={"data": rules.data.model_copy(update={"min_symbols": 1000})}
    )
    result = place.run([third])
    assert result.count(SessionStatus.QUARANTINED) == 1
    assert place.lake.repairs() == ()
    (told,) = [sentence for sentence in result.told() if WRONG in sentence]
    assert f"1 stored bar(s) of {WRONG} are not mended" in told
    # The next session that passes finds it again.
    place.settings = rules
    (told,) = [sentence for sentence in place.run([fourth]).told() if WRONG in sentence]
    assert "served mended" in told
    (repair,) = place.lake.repairs()
    assert (repair.session, repair.known) == (place.days[ROW], fourth)


def test_of_sessions_asked_together_those_that_pass_prove(tmp_path: Path) -> None:
    place = faulty(FolderStore(tmp_path / "lake"))
    place.run(place.days[: ROW + 1])
    bars, thin = place.services._bars, place.days[ROW + 4]

    def most_are_missing(
        column: int, rows: list[int], fault: str
    ) -> list[tuple[date, dict[str, float]]]:
        told = bars(column, rows, fault)
        return [(day, bar) for day, bar in told if day != thin or column < 10]

    place.services._bars = most_are_missing  # type: ignore[method-assign, assignment]
    result = place.run(place.days[ROW + 1 : ROW + 5])
    assert result.count(SessionStatus.QUARANTINED) == 1
    (repair,) = place.lake.repairs()
    assert repair.known == place.days[ROW + 3]


@pytest.mark.parametrize("killed", ["run.settle_proof", "run.IntakeRun._store"])
def test_a_kill_between_proof_and_repair_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    place = faulty(FolderStore(tmp_path / "lake"))
    place.run(place.days[: ROW + 1])

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"trading.data.intake.{killed}", kill)
        with pytest.raises(KeyboardInterrupt):
            place.run(place.days[ROW + 1 : ROW + 4])
    assert place.lake.repairs() == ()
    place.run(place.days[ROW + 1 : ROW + 4])
    (repair,) = place.lake.repairs()
    assert (repair.session, repair.known) == (place.days[ROW], place.days[ROW + 3])
    assert not list(place.store.keys(PROVED))


def test_a_repair_bears_the_symbol_of_the_day_that_proves_it(tmp_path: Path) -> None:
    # The sessions are fetched late, under the symbol that the share has borne since.
    place = Place(FolderStore(tmp_path / "lake"))
    bad, first, last, eve, renamed = place.days[ROW : ROW + 5]
    listings = (Listing("OLD", FIRST, eve, "one"), Listing("NEW", renamed, None, "one"))
    place.lake.ingest_symbols(SymbolMap(listings), told=renamed)
    was = pd.DataFrame({"date": [pd.Timestamp(bad)], "symbol": ["NEW"], "close": [100.0]})
    found = Repair(FindingKind.HUNDREDFOLD_PRICE, "NEW", bad, bad, 1, PRICES, 0.01, "so")
    clean = SimpleNamespace(repairs=(found,), original_bars=was, bars=was.assign(close=1.0))
    (repair,) = prove_older(clean, first, last, place.lake, END).repairs  # type: ignore[arg-type]
    assert (repair.symbol, repair.session, repair.known) == ("OLD", bad, last)
    assert renamed_repairs([repair], place.lake.symbols(), END)[0].symbol == "NEW"


def test_what_is_no_proof_is_named(tmp_path: Path) -> None:
    place = Place(FolderStore(tmp_path / "lake"))
    for body in (b"{", b"[]", b'{"rounds": {"today": 0}, "repairs": []}'):
        place.store.put(f"{PROVED}2024-06-20_2024-06-21.json", body)
        with pytest.raises(DataError, match="2024-06-20_2024-06-21.json .*delete it"):
            place.run(place.days[:1])


def test_a_repair_is_shown_and_taken_back_for_good(
    flow: tuple[Place, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A copy: the others read the lake as it is.
    place, _ = flow
    folder = tmp_path / "copy"
    copy = Place(FolderStore(folder))
    for key, body in place.files().items():
        copy.store.put(key, body)

    def run(*more: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["data", "repairs", "--lake", str(folder), *more])
        return int(ended.value.code or 0), capsys.readouterr().out

    bad = place.days[ROW]
    code, out = run("--json")
    assert code == 0
    assert [r["symbol"] for r in json.loads(out)["repairs"]] == [WRONG]
    hashed = copy.lake.data_hash(END)
    assert run("--undo", WRONG, "--on", f"{bad}")[0] == 0
    assert run("--json")[0] == 3
    assert copy.lake.repairs(before=date.max) == ()
    assert copy.lake.data_hash(date.max) != hashed
    wrong = 100 * place.market.values["close"][ROW, place.market._column[WRONG]]
    assert closes(copy, date.max)[bad] == pytest.approx(wrong)
    # The next judgement does not put it back.
    (repair,) = place.lake.repairs()
    assert copy.lake.add_repairs([repair]) == 0
    assert run("--undo", WRONG, "--on", f"{bad}")[0] == 1
    assert run("--undo", WRONG)[0] == 2


ROWS = LateRepair(date(2024, 6, 20), "A", date(2024, 6, 10), "hundredfold_price", 0.01, 1.0, "so")


def test_rows_are_added_and_never_rewritten() -> None:
    undone = replace(ROWS, known=date(2024, 6, 25), undone=True)
    held, added = add_repairs((), [ROWS, ROWS, undone, ROWS])
    assert (held, added) == ((ROWS, undone), 2)
    assert in_force(held, date(2024, 6, 20)) == ()
    assert in_force(held, date(2024, 6, 21)) == (ROWS,)
    assert in_force(held, date(2024, 6, 26)) == ()
    assert add_repairs((), [undone]) == ((), 0)
    assert decode_repairs(encode_repairs(held)) == held
    with pytest.raises(DataError, match="no table of repairs"):
        decode_repairs(b"nothing of the kind")


def test_a_repair_follows_the_share_through_a_rename(flow: tuple[Place, list[str]]) -> None:
    place, _ = flow
    (repair,) = place.lake.repairs()
    day = repair.known + timedelta(days=1)
    place.lake.ingest_symbols(
        SymbolMap(
            (
                Listing(WRONG, place.days[0], day - timedelta(days=1), "share"),
                Listing("NEW", day, None, "share"),
            )
        ),
        told=END,
    )
    symbols = place.lake.symbols()
    assert symbols.name_on(repair.known, "NEW", day) == WRONG
    assert symbols.name_on(repair.known, "NOBODY", day) == "NOBODY"
    served = closes(place, END, "NEW")
    true = place.market.values["close"][ROW, place.market._column[WRONG]]
    assert served[place.days[ROW]] == pytest.approx(true)
