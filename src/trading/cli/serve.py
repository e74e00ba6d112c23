"""`trading up`: the embedded cloud and dashboard, kept up."""

import os
import signal
import subprocess
import sys

from trading.cli.cloud import SOURCE_ROOT, embedded_cloud
from trading.cli.home import Home
from trading.cli.output import DONE, console
from trading.config import Settings

DASHBOARD = SOURCE_ROOT / "streamlit_app" / "app.py"


def up(settings: Settings, port: int) -> int:
    """Run cloud and dashboard until one of them ends, Ctrl-C or SIGTERM."""
    # Told to stop by a service manager, it takes the dashboard along as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Home.from_environment()
    market = home.current() or "simulated"
    with embedded_cloud(
        home.of(market), settings, phase=lambda name: console.print(f"  cloud: {name}")
    ) as cloud:
        console.print(f"embedded cloud ({market} market): {cloud.endpoint}")
        console.print(f"dashboard: http://127.0.0.1:{port}   (Ctrl-C ends both)")
        dashboard = _dashboard(cloud.environment(), port)
        try:
            return dashboard.wait()
        except KeyboardInterrupt:
            return DONE
        finally:
            dashboard.terminate()
            dashboard.wait(timeout=20)


def _dashboard(environment: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "streamlit", "run", str(DASHBOARD)]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        command, cwd=SOURCE_ROOT, env=os.environ | environment, stdin=subprocess.DEVNULL
    )
