"""Private servers for tests: PostgreSQL and Redis from Debian's packages, on unix sockets."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = "apt-get install postgresql redis-server"


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the connection string of a new cluster that is removed afterwards."""
    programs = _postgres_programs()
    # A short path: a unix socket's may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    as_owner = _as_unprivileged(folder)
    data = folder / "data"
    try:
        _run([*as_owner, programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres",
              "-E", "UTF8", "--locale=C", "--no-sync"])  # fmt: skip
        options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_wal_size=256MB"
        log = folder / "log"
        _run([*as_owner, programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start"])
        try:
            yield f"host={folder} user=postgres dbname=postgres"
        finally:
            _run([*as_owner, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RedisServer:
    """A Redis server of its own, which can be stopped and started again."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.socket = folder / "s"
        self._protection = ["--requirepass", password] if password else []
        self.url = f"unix://{self.socket}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program, f"redis-server is missing: {PACKAGES}"
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--dir", self._folder, *self._protection],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self.socket.exists():
            assert self._process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)


@contextmanager
def redis_server(password: str = "") -> Iterator[RedisServer]:
    """Yield a running server that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="rd-", dir="/tmp") as folder:
        server = RedisServer(Path(folder), password)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    assert program, f"PostgreSQL is missing: {PACKAGES}"
    return Path(program).parent


def _as_unprivileged(folder: Path) -> list[str]:
    """Return what to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam("postgres")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


def _run(command: list[object]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
