"""Environments that are forked behave as fresh interpreters do, and none outlives the cloud."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_cloud import FORKED, call, create_function, gone, small_cloud, write_handlers

from localcloud import lambdas
from localcloud.context import CloudContext

HANDLERS = """
    import os, random, sys

    def tell(event, context):
        return {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "group": os.getpgid(0),
            "modules": sorted(sys.modules),
            "arguments": sys.argv,
            "path": sys.path,
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "variables": dict(os.environ),
        }

    def draw(event, context):
        import numpy
        return [random.random(), float(numpy.random.random())]
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux only")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudContext]:
    with small_cloud(tmp_path_factory.mktemp("fork")) as context:
        lambdas.install(context, preloaded=("json", "numpy.random", "no_such_module"))
        write_handlers(context, "handlers", HANDLERS)
        for name in ("one", "two"):
            create_function(context, name, "handlers.tell")
            create_function(context, f"draw-{name}", "handlers.draw")
        yield context


def test_environments_are_forks_of_one_process(cloud: CloudContext) -> None:
    _, one = call(cloud, "one")
    _, two = call(cloud, "two")

    assert one["parent"] == two["parent"] != os.getpid()
    assert (one["group"], two["group"]) == (one["pid"], two["pid"]), "each leads its own group"
    assert "numpy.random" in one["modules"], "it was imported before the fork"
    assert not {"localcloud", "moto"} & set(one["modules"])
    assert one["path"][0] == str(cloud.repository)
    assert one["arguments"][-1] == "handlers.tell"
    assert one["threads"] == 1
    assert one["descriptors"] == two["descriptors"], "nothing of a sibling is inherited"
    assert one["variables"]["AWS_LAMBDA_FUNCTION_NAME"] == "one"


def test_a_variable_that_is_read_at_import_takes_a_fresh_interpreter(cloud: CloudContext) -> None:
    create_function(
        cloud, "threads", "handlers.tell", Environment={"Variables": {"OMP_NUM_THREADS": "2"}}
    )
    _, forked = call(cloud, "one")
    _, fresh = call(cloud, "threads")

    assert fresh["parent"] == os.getpid() != forked["parent"]
    assert "numpy" not in fresh["modules"]


def test_random_numbers_differ_between_forks(cloud: CloudContext) -> None:
    _, one = call(cloud, "draw-one")
    _, two = call(cloud, "draw-two")
    assert one[0] != two[0]
    assert one[1] != two[1]


@pytest.mark.slow
def test_a_killed_zygote_is_replaced(cloud: CloudContext) -> None:
    _, before = call(cloud, "one")
    os.kill(before["parent"], signal.SIGKILL)
    assert gone(before["pid"])
    failure, after = call(cloud, "one")

    assert failure is None
    assert after["parent"] != before["parent"]
    assert call(cloud, "two")[0] is None


CLOUD = """
    import pathlib, sys, time
    sys.path[:0] = [{tests!r}]
    from small_cloud import *
    from localcloud import lambdas
    with small_cloud(pathlib.Path({home!r})) as context:
        lambdas.install(context, preloaded={preloaded!r})
        write_handlers(context, "handlers", "import os\\ndef pid(event, _): return os.getpid()")
        create_function(context, "one", "handlers.pid")
        print(call(context, "one")[1], flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize(
    "preloaded",
    [
        pytest.param(FORKED, id="forked"),
        pytest.param((), id="fresh interpreter", marks=pytest.mark.slow),
    ],
)
def test_a_kill_of_the_cloud_takes_the_environments_along(
    tmp_path: Path, preloaded: tuple[str, ...]
) -> None:
    script = textwrap.dedent(CLOUD).format(
        tests=str(Path(__file__).parent), home=str(tmp_path), preloaded=preloaded
    )
    cloud = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert cloud.stdout is not None
    with cloud.stdout:
        environment = int(cloud.stdout.readline())
        children = [child.pid for child in psutil.Process(cloud.pid).children(recursive=True)]
        assert environment in children
        cloud.kill()
        cloud.wait()
    for pid in children:
        assert gone(pid)
