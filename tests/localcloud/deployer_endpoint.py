"""An endpoint to deploy to: an embedded cloud on a home of its own, with nothing deployed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
OPERATOR = {"access_key_id": "operator", "secret_access_key": "secret"}


def environment() -> Mapping[str, str]:
    """What a process that deploys, or serves, needs of the environment."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "AWS_ACCESS_KEY_ID": OPERATOR["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": OPERATOR["secret_access_key"],
    }


@contextmanager
def endpoint(home: Path | None = None) -> Iterator[str]:
    """Serve AWS on a free port until the block ends, on a given home or one for the block."""
    if home is None:
        with TemporaryDirectory() as folder, endpoint(Path(folder)) as url:
            yield url
        return
    (home / "operator.json").write_text(json.dumps(OPERATOR))
    command = [sys.executable, "-m", "localcloud", "serve", "--home", str(home), "--no-deploy"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=dict(environment()),
    ) as server:
        assert server.stdout is not None
        try:
            events = map(json.loads, server.stdout)
            ready = next(one for one in events if one["event"] in {"ready", "error"})
            assert ready["event"] == "ready", ready
            yield str(ready["endpoint"])
        finally:
            server.terminate()
            server.wait()
