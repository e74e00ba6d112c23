"""Reach the embedded cloud: connect to the one that runs at a home, or run one for a while."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3

from trading.config import Settings
from trading.data.providers import NETWORK_PROVIDERS
from trading.data.providers.keys import environment_keys, put_keys
from trading.errors import ConfigurationError, MonthError
from trading.month.resources import Resources

STARTING_SECONDS, AGAIN_SECONDS = 300.0, 0.25
Phase = Callable[[str], None]
NAMES_OF_OUTPUTS = {
    "TRADING_DATA_STORE": "data_store",
    "TRADING_MODELS_STORE": "models_store",
    "TRADING_RUNS_STORE": "runs_store",
    "TRADING_LEDGER_TABLE": "ledger_table",
    "TRADING_SIGNALS_TABLE": "signals_table",
    "TRADING_PERFORMANCE_TABLE": "performance_table",
    "TRADING_IDEMPOTENCY_TABLE": "idempotency_table",
    "TRADING_STATE_MACHINE": "state_machine_arn",
    "TRADING_TRAINING_IMAGE": "training_image",
    "TRADING_TRAINING_ROLE": "training_role_arn",
    "TRADING_MODEL_GROUP": "model_group",
}
NO_PROFILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
SOURCE_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Cloud:
    """A running embedded cloud."""

    home: Path
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str
    outputs: Mapping[str, Any]
    pid: int | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables by which boto3 and the domain reach this cloud, and only it.

        The operator's files of profiles are hidden: one may switch `AWS_ENDPOINT_URL` off, and
        what is meant for this cloud would go to AWS.
        """
        names = {
            variable: str(self.outputs[output])
            for variable, output in NAMES_OF_OUTPUTS.items()
            if output in self.outputs
        }
        return names | {
            **NO_PROFILES,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def resources(self, settings: Settings) -> Resources:
        """Return the month's resources in this cloud."""
        return Resources(settings, self.environment())


@contextmanager
def embedded_cloud(
    home: Path, settings: Settings, *, deploy: bool = True, phase: Phase = lambda _: None
) -> Iterator[Cloud]:
    """Yield the cloud at `home`, which ends with the block unless it ran before.

    With `deploy` the Pulumi program is brought up to date in it; one that another command deployed
    is taken as it is. This process then speaks to that cloud alone: its AWS variables are set for
    the block. Raises `MonthError` if it fails to start.
    """
    running = _awaited(home, deployed=deploy)
    if running is not None:
        if deploy:
            phase("as another command deployed it")
        with _speaking_to(running):
            yield running
        return
    home.mkdir(parents=True, exist_ok=True)
    process = _serve(home, settings, deploy=deploy)
    try:
        cloud = _until_ready(process, home, phase)
        with _speaking_to(cloud):
            if deploy:
                _hand_over_keys(settings)
            yield cloud
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _hand_over_keys(settings: Settings) -> None:
    """Put the operator's API keys into the cloud's secrets, when its functions ask a provider.

    Functions inherit nothing of this process's environment, as on AWS.
    """
    if settings.data.provider in NETWORK_PROVIDERS:
        prefix = f"trading-{settings.environment}/providers/"
        put_keys(boto3.client("secretsmanager"), prefix, environment_keys())


def _serve(home: Path, settings: Settings, *, deploy: bool) -> "subprocess.Popen[str]":
    if not (SOURCE_ROOT / "localcloud").is_dir():
        raise ConfigurationError(
            f"the embedded cloud runs from a checkout, and {SOURCE_ROOT} is none;"
            " clone the repository and use `make month`"
        )
    command = [sys.executable, "-m", "localcloud", "serve", "--home", str(home)]
    command += ["--stack", settings.environment]
    command += ["--config", json.dumps(stack_configuration(settings))]
    command += [] if deploy else ["--no-deploy"]
    log = (home / "cloud.log").open("ab")
    try:
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            cwd=SOURCE_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=without_aws() | _past_proxies(),
            # A terminal's Ctrl-C is for the command, which ends its cloud when it has finished.
            start_new_session=True,
        )
    finally:
        log.close()


def stack_configuration(settings: Settings) -> dict[str, Any]:
    """Return the stack configuration that stands for settings; the stack has names for some."""
    deviations = settings.deviations()
    deviations.pop("environment", None)
    notifications = deviations.get("notifications", {})
    named = {
        name: notifications.pop(name) for name in ("sender", "recipients") if name in notifications
    }
    return {"settings": deviations, **named}


def _until_ready(process: "subprocess.Popen[str]", home: Path, phase: Phase) -> Cloud:
    stdout: IO[str] = process.stdout  # type: ignore[assignment]
    for line in stdout:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        match event.get("event"):
            case "phase":
                phase(str(event["name"]))
            case "ready":
                return _cloud_of(home, event, process.pid)
            case "error":
                raise MonthError(f"the embedded cloud did not start: {event['error']}")
    code = process.wait()
    raise MonthError(
        f"the embedded cloud ended with code {code} before it was ready; see {home / 'cloud.log'}"
    )


def _running(home: Path, *, deployed: bool) -> Cloud | None:
    """Return the cloud that another command runs at `home`, if it is alive.

    With `deployed`, one that only reads what an earlier deployment left does not count.
    """
    try:
        described = json.loads((home / "cloud.json").read_text(encoding="utf-8"))
        pid = int(described["pid"])
        # A cloud ends with the command that started it.
        if not (_is_alive(pid) and _is_alive(int(described["parent"]))):
            return None
    except (FileNotFoundError, PermissionError, KeyError, ValueError):
        return None
    if deployed and not described.get("deployed", True):
        return None
    return _cloud_of(home, described, pid)


def _awaited(home: Path, *, deployed: bool) -> Cloud | None:
    """Return the cloud that another command runs at `home`, or is just starting there."""
    until = time.monotonic() + STARTING_SECONDS
    while (
        (found := _running(home, deployed=deployed)) is None
        and _is_held(home)
        and time.monotonic() < until
    ):
        time.sleep(AGAIN_SECONDS)
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's, such as the first process
        return True
    return True


def _is_held(home: Path) -> bool:
    try:
        with (home / "lock").open("r", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _cloud_of(home: Path, described: Mapping[str, Any], pid: int) -> Cloud:
    return Cloud(
        home=home,
        endpoint=described["endpoint"],
        region=described["region"],
        access_key_id=described["access_key_id"],
        secret_access_key=described["secret_access_key"],
        outputs=described.get("outputs") or {},
        pid=pid,
    )


def without_aws() -> dict[str, str]:
    """Return this process's environment without what leads to an AWS account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | NO_PROFILES


def _past_proxies() -> dict[str, str]:
    """Return the variables that keep a proxy of the environment away from this machine's cloud."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    past = ",".join(filter(None, [known, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": past, "no_proxy": past}


@contextmanager
def _speaking_to(cloud: Cloud) -> Iterator[None]:
    """Set this process's AWS variables to the cloud, and put them back."""
    wanted = {k: v for k, v in cloud.environment().items() if k.startswith("AWS_")}
    wanted |= _past_proxies()
    changed = {name for name in os.environ if name.startswith("AWS_")} | set(wanted)
    saved = {name: os.environ[name] for name in changed if name in os.environ}
    for name in saved:
        del os.environ[name]
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted:
            os.environ.pop(name, None)
        os.environ.update(saved)
