"""The day on the embedded cloud: schedule, state machine, functions, lake, mail to the operator."""

from pathlib import Path

import numpy as np
import pytest
from daily_cloud import KEYS, OPERATOR, SYMBOLS, FaultyServer, Services, daily_cloud, recent_market

from trading.data.intake import quality_page_key, quality_report_key, read_record

pytestmark = pytest.mark.slow


def test_the_days_of_a_week_on_the_embedded_cloud(tmp_path: Path) -> None:
    market = recent_market()
    days = [session.astype(object) for session in market.sessions]
    services = Services(market)
    with FaultyServer(services) as server, daily_cloud(tmp_path / "cloud", server) as cloud:
        cloud.fill(days[:-3])

        # No key yet: the failure reaches the operator, with the way out.
        assert cloud.run_day() == "FAILED"
        (mail,) = cloud.notices()
        assert mail["To"] == OPERATOR
        assert "CRITICAL" in str(mail["Subject"])
        assert "providers/polygon" in mail.get_content()
        assert "errorMessage" not in mail.get_content()

        # Faulty services, and three at once: the days come whole, and once.
        cloud.put_keys()
        services.rate, services.faults = 0.2, ("429 seconds", "500", "truncated", "html")
        cloud.start("by-hand-1")
        cloud.start("by-hand-2")
        assert cloud.run_day() == "SUCCEEDED"
        assert cloud.settle().count("SUCCEEDED") == 3
        services.rate = 0.0
        assert len(cloud.lake.manifests()) == len(days)
        assert not list(cloud.store.keys("intake/"))
        held = [session.astype(object) for session in cloud.lake.sessions()]
        assert held == days
        bars = cloud.lake.bars(None, before=days[-1].replace(year=days[-1].year + 1))
        assert len(bars) == len(SYMBOLS) * len(days)
        assert market.wrong_rows(bars).empty
        told = len(cloud.notices())
        page = cloud.store.get(quality_page_key(days[-1])).body.decode()
        assert "pass" in page
        assert cloud.store.exists(quality_report_key(days[-1]))

        # Again: nothing is asked, nothing is told.
        asked = dict(services.seen)
        assert cloud.run_day() == "SUCCEEDED"
        assert services.seen == asked
        assert len(cloud.notices()) == told
        logs = "".join(p.read_text() for p in (tmp_path / "cloud" / "logs").rglob("*.log"))
        assert KEYS["polygon"] not in logs
        assert KEYS["polygon"] not in "".join(m.as_string() for m in cloud.notices())


def test_a_backup_and_a_bad_day_reach_the_operator(tmp_path: Path) -> None:
    market = recent_market()
    days = [session.astype(object) for session in market.sessions]
    services = Services(market)
    with FaultyServer(services) as server, daily_cloud(tmp_path / "cloud", server) as cloud:
        cloud.put_keys()
        cloud.fill(days[:-1])
        truth = {name: values.copy() for name, values in market.values.items()}
        for name in ("open", "high", "low", "close"):
            market.values[name][-1, : len(SYMBOLS) // 2] *= 100.0
        services.down = frozenset({"polygon"})
        assert cloud.run_day() == "SUCCEEDED"
        text = "\n".join(mail.get_content() for mail in cloud.notices())
        assert "came from the backup yahoo" in text
        assert "quarantined" in text
        assert "100 times off" in text
        assert days[-1] not in [session.astype(object) for session in cloud.lake.sessions()]
        record, _ = read_record(cloud.store, days[-1])
        assert record.sources == {"yahoo": len(SYMBOLS)}

        # The vendors mend it: the next morning serves the day.
        market.values = truth
        services.down = frozenset()
        assert cloud.run_day() == "SUCCEEDED"
        assert cloud.lake.quarantined() == {}
        close = cloud.lake.bars(None, before=days[-1].replace(year=days[-1].year + 1))
        assert np.isfinite(close["close"]).all()
        assert market.wrong_rows(close).empty
