"""One cloud per home, found by others while it runs, and nothing left behind when it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from cloud_process import REPOSITORY, CloudProcess

from localcloud.__main__ import main
from localcloud.errors import CloudError, HomeTakenError
from localcloud.home import Home, RunningCloud, find_running
from localcloud.identity.credentials import Credentials
from localcloud.processes import Spawner

KEYS = Credentials("AKIA", "secret")


def gone(pid: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_a_running_cloud_is_found_and_a_second_one_refused(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path)
    try:
        assert [one["event"] for one in cloud.events] == ["phase", "ready"]
        found = find_running(tmp_path)
        assert found is not None
        assert (found.pid, found.endpoint) == (cloud.child.pid, cloud.last["endpoint"])
        assert (tmp_path / "cloud.json").stat().st_mode & 0o777 == 0o600
        second = CloudProcess(tmp_path)
        assert second.last["event"] == "error"
        assert f"process {cloud.child.pid}" in second.last["error"]
        assert second.close() == 1
    finally:
        assert cloud.stop() == 0
    assert find_running(tmp_path) is None
    assert not (tmp_path / "cloud.json").exists()


@pytest.mark.slow
def test_a_card_that_a_killed_cloud_left_is_not_believed(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path)
    cloud.kill()
    assert (tmp_path / "cloud.json").exists()
    assert find_running(tmp_path) is None


@pytest.mark.slow
def test_the_cloud_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from cloud_process import CloudProcess; cloud = CloudProcess(Path(sys.argv[2])); "
        "print(cloud.child.pid, flush=True); time.sleep(60)"
    )
    here = str(Path(__file__).parent)
    parent = subprocess.Popen(
        [sys.executable, "-c", script, here, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)
    assert find_running(tmp_path) is None


def test_a_home_is_released_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.home.STOPPING_SECONDS", 0.3)
    home = Home(tmp_path)
    with pytest.raises(HomeTakenError, match=f"process {os.getpid()}"):
        Home(tmp_path)
    home.announce(RunningCloud(1, "http://x", "r", KEYS, {"a": 1}))
    found = find_running(tmp_path)
    assert found is not None
    assert found.outputs == {"a": 1}
    home.release()
    Home(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CloudError, match="pass another with --home"):
        Home(tmp_path / "file" / "home")


def test_audit_prints_the_decisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {
            "time": "2026-11-21T00:00:00.000+00:00",
            "principal": "p",
            "action": "s3:GetObject",
            "resource": "r",
            "decision": decision,
            "statement": None,
        }
        for decision in ("allowed", "denied")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"cut": sho'
    (tmp_path / "audit.jsonl").write_text(text)
    assert main(["audit", "--home", str(tmp_path), "--calls", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows
    assert main(["audit", "--home", str(tmp_path), "--denied"]) == 0
    assert capsys.readouterr().out.split()[1:] == ["denied", "p", "s3:GetObject", "r", "-"]


SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
FORKING = ["sh", "-c", "sleep 60 & echo $!; wait"]


def test_children_and_grandchildren_end_with_the_spawner() -> None:
    spawner = Spawner()
    child = spawner.spawn(FORKING, environment=dict(os.environ), stdout=subprocess.PIPE)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    spawner.close()
    child.stdout.close()
    assert gone(child.pid)
    assert gone(grandchild)
    with pytest.raises(CloudError, match="stopping"):
        spawner.spawn(SLEEPER, environment={})


def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    from threading import Thread

    spawner = Spawner()
    made: list[subprocess.Popen[bytes]] = []
    thread = Thread(target=lambda: made.append(spawner.spawn(SLEEPER, environment={})))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert made[0].poll() is None
    spawner.close()


def test_kill_9_of_the_spawning_process_takes_everything_with_it() -> None:
    script = (
        "import os, subprocess, time; from localcloud.processes import Spawner; s = Spawner(); "
        "c = s.spawn(['sh', '-c', 'sleep 60 & echo $!; wait'], environment=dict(os.environ), "
        "stdout=subprocess.PIPE); print(c.pid, int(c.stdout.readline()), s._reaper.pid, "
        "flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_home_is_waited_for_while_its_cloud_stops(tmp_path: Path) -> None:
    home = Home(tmp_path)
    stopping = threading.Timer(1.0, home.release)
    stopping.start()
    Home(tmp_path).release()
    stopping.join()


def test_a_home_whose_cloud_is_announced_is_refused_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.announce(RunningCloud(1, "http://x", "r", KEYS, {}))
    begun = time.monotonic()
    with pytest.raises(HomeTakenError):
        Home(tmp_path)
    assert time.monotonic() - begun < 3
    home.release()


def test_the_outputs_of_a_deployment_are_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.outputs() == {}
    home.keep_outputs({"data_store": "s3://x"})
    home.release()
    again = Home(tmp_path)
    assert again.outputs() == {"data_store": "s3://x"}
    again.release()


STOPPED_INSIDE_ITS_LOCK = """
import os, signal
from localcloud.lifetime import stop_requested
stop = stop_requested()
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(100_000):
        pass
stop.wait()
print("stopped")
"""


def test_a_signal_within_the_wait_for_it_stops_the_cloud() -> None:
    """A handler that waits for the lock which its own thread holds would wait for ever."""
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED_INSIDE_ITS_LOCK],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "stopped\n"), ended.stderr
