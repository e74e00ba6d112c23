"""A key is rotated on the embedded cloud: staged, tested, promoted, used, and never told."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from daily_cloud import KEYS, LONGEST_WAIT, SYMBOLS, FaultyServer, Market, Services, daily_cloud
from pydantic import SecretStr

from trading.data.providers.key_check import SYMBOL
from trading.market.calendar import today
from trading.month.key_staging import KeyNotPromoted, rotate_to

pytestmark = pytest.mark.slow
SECRET = "trading-dev/providers/polygon"
WRONG = "wrong-key-canary-4711"


def wait_for(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come in {LONGEST_WAIT:.0f} s")


def test_a_staged_key_is_promoted_and_a_refused_one_is_not(tmp_path: Path) -> None:
    last = today() - timedelta(days=1)
    market = Market([*SYMBOLS, SYMBOL], last - timedelta(days=45), last, splits=0)
    days = [session.astype(object) for session in market.sessions]
    with FaultyServer(Services(market)) as server, daily_cloud(tmp_path / "cloud", server) as cloud:
        client = cloud.client("secretsmanager")
        assert client.describe_secret(SecretId=SECRET)["RotationEnabled"]

        def current() -> str:
            held = client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")
            return str(held["SecretString"])

        client.put_secret_value(SecretId=SECRET, SecretString="expired-key-canary")

        # The vendor does not take the new key: the operator hears of it, the old one stays.
        with pytest.raises(KeyNotPromoted, match="the old one stays in use"):
            rotate_to(client, SECRET, SecretStr(WRONG), wait=20.0)
        (mail,) = wait_for(cloud.notices, "the warning")
        assert mail["Subject"] == "Key of polygon: the new API key is refused"
        assert current() == "expired-key-canary"

        # It does take this one: from now on the fetch works.
        rotate_to(client, SECRET, SecretStr(KEYS["polygon"]))
        assert current() == KEYS["polygon"]
        cloud.fill(days[:-1])
        assert cloud.run_day() == "SUCCEEDED"

        logs = "".join(p.read_text() for p in (tmp_path / "cloud" / "logs").rglob("*.log"))
        told = "".join(one.as_string() for one in cloud.notices())
        for secret in (WRONG, KEYS["polygon"], "expired-key-canary"):
            assert secret not in logs
            assert secret not in told
