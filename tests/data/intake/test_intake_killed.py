"""An intake in a process of its own, killed at random moments: the next one continues."""

import random
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from intake_examples import FIRST, MORNING, PROVIDERS, Place

from trading.data.intake import Intake, open_providers, sessions_to_do
from trading.data.lake import Lake
from trading.data.providers.clock import LoopClock
from trading.data.store.folder import FolderStore

sys.path.append(str(PROVIDERS))
from faulty_server import FaultyServer
from provider_examples import canary_keys, make_settings

FAULTS = ("500", "truncated", "html", "reset", "429 seconds")
AFTER = date(2024, 7, 1)
LONGEST = 120.0


class Morning(LoopClock):
    """The machine's timers, on the morning after the market's last session."""

    def now(self):  # type: ignore[no-untyped-def]
        return MORNING


def make_intake(folder: str, port: int, provider: str) -> tuple[Intake, list[date]]:
    place = Place(FolderStore(Path(folder)))
    settings = make_settings(f"http://127.0.0.1:{port}")
    data = settings.data.model_copy(update={"provider": provider})
    settings = settings.model_copy(update={"data": data})
    providers = open_providers(settings, keys=canary_keys, clock=Morning())
    intake = Intake(
        place.store, settings, providers, expected=place.market.symbols, clock=Morning()
    )
    return intake, place.days


@pytest.mark.parametrize(
    "provider",
    [
        pytest.param("yahoo", marks=pytest.mark.slow),
        pytest.param("polygon", marks=pytest.mark.soak),
    ],
)
def test_sigkill_at_random_moments_leaves_whole_sessions_and_is_continued(
    tmp_path: Path, provider: str
) -> None:
    place = Place(FolderStore(tmp_path / "lake"), rate=0.1, seed=2, faults=FAULTS)
    chance = random.Random(7)
    with FaultyServer(place.services, MORNING) as server:
        command = [sys.executable, __file__, str(tmp_path / "lake"), str(server.port), provider]
        killed = 0
        for turn in range(60):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                assert child.stdout.readline().strip() == "begun"
                # Ever longer, so that a slow machine ends too.
                time.sleep(chance.uniform(0.0, 0.6 + 0.6 * turn))
                child.kill()
                killed += child.wait(LONGEST) != 0
            lake = Lake(place.store)
            if len(lake.sessions()):
                bars = lake.bars(None, before=AFTER, start=FIRST)
                assert (bars.groupby("date").size() == len(place.expected)).all()
                assert place.wrong_bars().empty
            todo = sessions_to_do(
                place.store, place.days, place.expected, place.settings, now=MORNING
            )
            if not todo.ask:
                break
        assert killed
        intake, days = make_intake(str(tmp_path / "lake"), server.port, provider)
        intake.run(days)
    assert [s.astype(object) for s in Lake(place.store).sessions()] == place.days
    assert place.wrong_bars().empty
    assert len(Lake(place.store).bars(None, before=AFTER)) == 30 * len(place.days)
    assert not list(place.store.keys("intake/"))


if __name__ == "__main__":
    intake, days = make_intake(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    intake.run(days)
