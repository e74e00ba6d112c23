"""A cloud of moto and the parts under test only: no journal, no identity enforcement."""

import io
import json
import textwrap
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.identity.credentials import Credentials
from localcloud.identity.judgement import judge_service
from localcloud.processes import Spawner

ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
FORKED = ("json",)  # a zygote with next to nothing preloaded: the fast start, for small handlers
SERVICES = ("lambda", "events", "scheduler", "sns", "sqs", "ses", "sesv2", "logs", "iam", "sts")


class OpenIdentity:
    """Gives any role credentials, and remembers for what it was asked."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def assume(self, role_arn: str, session_name: str, *, service: str | None) -> Credentials:
        ends = datetime.now(UTC) + timedelta(hours=1)
        return Credentials(f"ASIA{session_name[:12].upper()}", "secret", role_arn, ends)

    def allowed(self, role_arn: str, session_name: str, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return action not in self.denied

    def service_allowed(
        self,
        service: str,
        action: str,
        resource: str,
        source: str,
        statements: Sequence[Mapping[str, Any]],
    ) -> bool:
        self.asked.append((action, resource))
        return judge_service(service, action, resource, source, statements).allowed


@contextmanager
def small_cloud(home: Path) -> Iterator[CloudContext]:
    """Serve moto on a free port, with a context around it."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    context = CloudContext(
        home=home,
        endpoint=f"http://127.0.0.1:{port}",
        operator=Credentials("operator", "operator"),
        identity=OpenIdentity(),
        spawner=Spawner(),
        executor=ThreadPoolExecutor(4),
        repository=home / "code",
    )
    (home / "code").mkdir(parents=True, exist_ok=True)
    forget_everything(context)
    try:
        yield context
    finally:
        context.shut_down()
        server.stop()


def forget_everything(context: CloudContext) -> None:
    """Empty moto, but for the role that every function has."""
    for service in SERVICES:
        get_backend(service).reset()
    trust = {"Effect": "Allow", "Principal": {"Service": "*"}, "Action": "sts:AssumeRole"}
    context.client("iam").create_role(
        RoleName="function",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )


def write_handlers(context: CloudContext, module: str, source: str) -> None:
    """Put a module of handlers into the task root."""
    (context.repository / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")


def create_function(context: CloudContext, name: str, handler: str, **changes: Any) -> str:
    """Create a function packaged as an image, as the Pulumi program does; return its ARN."""
    spec = {
        "FunctionName": name,
        "PackageType": "Image",
        "Code": {"ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/functions:1"},
        "ImageConfig": {"Command": [handler]},
        "Role": ROLE,
        "Timeout": 10,
        "MemorySize": 256,
        **changes,
    }
    made: dict[str, Any] = context.client("lambda").create_function(**spec)
    return str(made["FunctionArn"])


def call(context: CloudContext, name: str, event: Any = None, **more: Any) -> tuple[Any, Any]:
    """Invoke a function; return its `FunctionError` and its payload."""
    answer = context.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event or {}), **more
    )
    payload = answer["Payload"].read()
    return answer.get("FunctionError"), json.loads(payload) if payload else None


def gone(pid: int) -> bool:
    """Tell whether a process is gone; wait up to three seconds for it."""
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not psutil.pid_exists(pid)


def zip_of(source: str) -> bytes:
    """Return a zip archive with `source` as `index.py`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


__all__ = [
    "FORKED",
    "ROLE",
    "call",
    "create_function",
    "forget_everything",
    "gone",
    "small_cloud",
    "write_handlers",
    "zip_of",
]
