"""What holds for every test: none is judged by its time, and a whole run by its permissions."""

import json
import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from stackcheck.recording import Recording, record

# Before numpy and torch are imported: as many workers as cores, whose threads would only wait for
# each other.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

pytest_plugins = ["least_privilege"]

settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("project")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recording]:
    """Return what the program registers for an environment, recorded once in a run of the tests.

    Keywords are configuration that wins over the environment's file.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def find(stack: str, **overrides: Any) -> Recording:
        key = sha256(json.dumps([stack, overrides], sort_keys=True).encode()).hexdigest()
        kept = folder / f"recording-{key}.pickle"
        if not kept.exists():
            own = folder / f"{key}-{os.getpid()}"
            own.write_bytes(pickle.dumps(record(stack, overrides)))
            own.replace(kept)
        found: Recording = pickle.loads(kept.read_bytes())
        return found

    return find
