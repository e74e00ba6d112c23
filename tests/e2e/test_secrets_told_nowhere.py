"""Canaries for keys: after days that failed and days that went well they are found nowhere."""

import base64
import json
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from daily_cloud import KEYS, DailyCloud, FaultyServer, Services, daily_cloud, recent_market

from trading.data.providers.keys import environment_keys, put_keys

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REFUSED = "canary-refused-9f27ce41"
UNUSED = "canary-unused-51b0a7d3"
PREFIX = "trading-dev/providers/"
# Where secrets are kept is where they may be: this stands for Secrets Manager itself.
KEEPING = ("secretsmanager",)


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, and as it would be written into addresses, JSON and headers."""
    return {
        secret.encode(),
        urllib.parse.quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
        *(base64.b64encode(b" " * n + secret.encode())[4:-4] for n in range(3)),
    }


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the home; a database row by row, with the service it belongs to."""
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        log = path.with_name(f"{path.name}-wal")
        # What is only in the log that is written ahead is read with its database.
        if content.startswith(b"SQLite format 3") or log.exists():
            yield from rows(path)
        elif not path.name.endswith(("-wal", "-shm")):
            yield str(path.relative_to(home)), content


def rows(path: Path) -> Iterator[tuple[str, bytes]]:
    with sqlite3.connect(path) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                text = b" ".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
                service = row[1] if table == "definitions" else "rows"
                yield f"{path.name}:{table}:{service}", text


def answers(cloud: DailyCloud) -> Iterator[tuple[str, bytes]]:
    """Yield what the cloud answers to whoever may only look."""
    states = cloud.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        yield f"definition {arn}", _text(states.describe_state_machine(stateMachineArn=arn))
        for one in states.list_executions(stateMachineArn=arn)["executions"]:
            pages = states.get_paginator("get_execution_history")
            for page in pages.paginate(executionArn=one["executionArn"]):
                yield f"history {one['name']}", _text(page)
    for function in cloud.client("lambda").list_functions()["Functions"]:
        yield f"function {function['FunctionName']}", _text(function)
    secrets = cloud.client("secretsmanager").list_secrets()
    yield "list of secrets", _text(secrets)
    database = cloud.client("dynamodb")
    for table in database.list_tables()["TableNames"]:
        for page in database.get_paginator("scan").paginate(TableName=table):
            yield f"table {table}", _text(page)
    storage = cloud.client("s3")
    for bucket in storage.list_buckets()["Buckets"]:
        for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for item in page.get("Contents", []):
                body = storage.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"]
                yield f"object {item['Key']}", body.read()
    logs = cloud.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        found = logs.filter_log_events(logGroupName=group["logGroupName"])
        yield f"log {group['logGroupName']}", _text(found)


def _text(answer: object) -> bytes:
    return json.dumps(answer, default=str).encode()


def test_keys_are_told_nowhere(tmp_path: Path) -> None:
    market = recent_market()
    days = [session.astype(object) for session in market.sessions]
    services = Services(market)
    home = tmp_path / "cloud"
    with FaultyServer(services) as server, daily_cloud(home, server) as cloud:
        client = cloud.client("secretsmanager")
        cloud.fill(days[:-1])

        # The vendor refuses a key and quotes it: the operator is told, but not the key.
        refused = {"POLYGON_API_KEY": REFUSED, "ALPHA_VANTAGE_API_KEY": UNUSED, "IEX_TOKEN": UNUSED}
        assert put_keys(client, PREFIX, environment_keys(refused))
        services.down = frozenset({"yahoo"})
        cloud.run_day()
        assert services.seen["polygon"]
        assert cloud.notices()

        # The right one, while the vendor answers with errors that quote what they were asked.
        cloud.put_keys()
        services.down = frozenset()
        services.rate, services.faults = 0.3, ("500", "html", "truncated", "malformed")
        assert cloud.run_day() == "SUCCEEDED"
        seen = list(answers(cloud))
        outputs = json.dumps(cloud.outputs).encode()

    wanted = {form for key in (REFUSED, UNUSED, KEYS["polygon"]) for form in forms(key)}
    kept = list(files(home))
    found = [
        place
        for place, content in (*seen, *kept, ("outputs", outputs))
        if any(form in content for form in wanted) and not place.endswith(KEEPING)
    ]
    assert found == []
    # The search looks where it should: what everyone may know is found in each kind of place.
    everywhere = b"fetch-daily"
    kinds = {place.split()[0] for place, content in seen if everywhere in content}
    assert {"definition", "history", "function", "log"} <= kinds
    assert any(everywhere in content for place, content in kept if place.startswith("logs"))
    held = [content for place, content in kept if place.endswith(KEEPING)]
    assert any(form in content for content in held for form in forms(UNUSED))
