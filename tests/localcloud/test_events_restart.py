"""What was accepted before a restart is delivered after it."""

import json
import time
from pathlib import Path

import pytest
from small_cloud import FORKED, create_function, small_cloud, write_handlers

from localcloud import events, lambdas
from localcloud.context import CloudContext
from localcloud.errors import CloudError

HANDLERS = """
    import json, os

    def note(event, context):
        with open(os.environ["NOTES"], "a") as file:
            file.write(json.dumps(event) + "\\n")
"""


def deploy(context: CloudContext) -> None:
    """Make what the deployer makes at every start."""
    variables = {"NOTES": str(context.home / "notes")}
    create_function(context, "later", "handlers.note", Environment={"Variables": variables})


@pytest.mark.slow
def test_an_accepted_invocation_outlives_the_cloud(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with small_cloud(tmp_path) as first:
        lambdas.install(first, preloaded=FORKED)
        events.install(first)
        write_handlers(first, "handlers", HANDLERS)
        deploy(first)
        first.client("lambda").invoke(
            FunctionName="later", InvocationType="Event", Payload=b'{"n": 1}'
        )
    assert not notes.exists(), "nothing is delivered before the start"
    with small_cloud(tmp_path) as second:
        lambdas.install(second, preloaded=FORKED)
        service = events.install(second)
        deploy(second)
        events.start(second)
        deadline = time.monotonic() + 60
        while service.outbox.counts()["pending"] and time.monotonic() < deadline:
            time.sleep(0.02)
    assert [json.loads(line) for line in notes.read_text().splitlines()] == [{"n": 1}]


def test_events_need_functions(tmp_path: Path) -> None:
    with small_cloud(tmp_path) as context:
        with pytest.raises(CloudError, match="install localcloud.lambdas first"):
            events.install(context)
        with pytest.raises(CloudError, match="not installed"):
            events.start(context)
