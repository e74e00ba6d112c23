"""Execution environments end when they are idle, in the way, or when the cloud stops."""

import time
from pathlib import Path

import pytest
from small_cloud import FORKED, call, create_function, gone, small_cloud, write_handlers

from localcloud import lambdas
from localcloud.errors import CloudError
from localcloud.lambdas import Limits
from localcloud.lambdas.pool import ENVIRONMENTS

HANDLERS = """
    import os

    def echo(event, context):
        return {"pid": os.getpid()}
"""


def test_the_environment_says_how_many_stay_warm() -> None:
    assert Limits.from_environment({}) == Limits()
    many = Limits.from_environment({ENVIRONMENTS: "24"})
    assert (many.environments, many.per_function) == (24, Limits().per_function)
    assert many.idle_seconds > Limits().idle_seconds
    for wrong in ("0", "-3", "many"):
        with pytest.raises(CloudError, match="a number of at least 1"):
            Limits.from_environment({ENVIRONMENTS: wrong})


def test_idle_environments_are_ended_and_stopping_ends_all(tmp_path: Path) -> None:
    with small_cloud(tmp_path) as context:
        limits = Limits(environments=2, per_function=2, idle_seconds=0.3)
        service = lambdas.install(context, limits=limits, preloaded=FORKED)
        write_handlers(context, "handlers", HANDLERS)
        for name in ("one", "two", "three"):
            create_function(context, name, "handlers.echo")
        pids = [call(context, name)[1]["pid"] for name in ("one", "two", "three")]
        assert gone(pids[0]), "the one used longest ago makes room"
        assert gone(pids[1])
        assert gone(pids[2])
        deadline = time.monotonic() + 60
        while service.pool.live() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert service.pool.live() == 0, "idle for longer than the limit"
        last = call(context, "one")[1]["pid"]
    assert gone(last), "stopping the cloud ends every environment"
