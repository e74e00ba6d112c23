"""The image of the dashboard: it serves over TLS, is found healthy, takes its own WebSockets."""

import asyncio
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from image_replay import Stage, replay
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from streamlit_app.health import healthy
from streamlit_app.serve import write_certificate

DOMAIN = "dashboard.trading.example"
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Served:
    """A dashboard that runs from its image."""

    image: Stage
    port: int
    variables: dict[str, str]

    def trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def check(self, port: int | None = None) -> int:
        """Run the health check of the task; return its status."""
        python = self.image.command()[0]
        return subprocess.run(
            [python, "-m", "streamlit_app.health"],
            cwd=self.image.inside("."),
            env=self.variables | {"TRADING_DASHBOARD_PORT": str(port or self.port)},
            capture_output=True,
            check=False,
        ).returncode


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    image = replay("dashboard", tmp_path_factory.mktemp("dashboard"))
    port = free_port()
    variables = image.variables() | {
        "TRADING_DASHBOARD_PORT": str(port),
        "TRADING_DASHBOARD_DOMAIN": DOMAIN,
    }
    process = subprocess.Popen(
        image.command(),
        cwd=image.inside("."),
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    one = Served(image, port, variables)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while one.check() != 0:
        assert process.poll() is None, "the dashboard ended"
        assert time.monotonic() < deadline, "the dashboard is not healthy"
        time.sleep(1)
    yield one
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=PATIENCE_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_serves_the_page_to_whoever_the_load_balancer_lets_in(served: Served) -> None:
    url = f"https://127.0.0.1:{served.port}/"
    with httpx.Client(verify=served.trusting(), headers={"Host": DOMAIN}) as client:
        answer = client.get(url)
    assert answer.status_code == 200
    assert "<title>Streamlit</title>" in answer.text
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https", "http"), timeout=PATIENCE_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_runs_with_what_the_image_holds(served: Served) -> None:
    """Without the names of its tables the page says which one is missing, and raises nothing."""
    program = (
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('streamlit_app/app.py', default_timeout=100).run()\n"
        "print([e.value for e in page.exception], [e.value for e in page.error])\n"
    )
    done = subprocess.run(
        [served.image.command()[0], "-c", program],
        cwd=served.image.inside("."),
        env=served.variables | {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    exceptions, _, errors = done.stdout.strip().partition("] [")
    assert exceptions == "["
    assert "TRADING_" in errors
    assert "is not set" in errors


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_its_health_check_fails_where_nothing_answers(served: Served) -> None:
    assert served.check() == 0
    assert served.check(free_port()) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_websockets_are_taken_from_the_domain_alone(served: Served) -> None:
    async def opened(origin: str) -> bool:
        try:
            async with connect(
                f"wss://{DOMAIN}/_stcore/stream",
                ssl=served.trusting(),
                origin=origin,
                host="127.0.0.1",
                port=served.port,
                open_timeout=PATIENCE_SECONDS,
            ):
                return True
        except InvalidStatus as refused:
            assert refused.response.status_code == 403  # noqa: PT017
            return False

    assert asyncio.run(opened(f"https://{DOMAIN}"))
    assert not asyncio.run(opened("https://elsewhere.example"))


def test_a_key_is_for_its_user_alone_and_new_every_time(tmp_path: Path) -> None:
    pairs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        certificate, key = write_certificate(tmp_path / name)
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        pairs.append(key.read_bytes())
    assert pairs[0] != pairs[1]


def test_the_health_check_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_DASHBOARD_PORT", str(free_port()))
    assert not healthy()
    assert "does not answer" in capsys.readouterr().err
