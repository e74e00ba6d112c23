"""Bar stores under test: the lake on a folder, and PostgreSQL."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_servers import postgres_server

from trading.data.store.bars import BarStore, LakeBars
from trading.data.store.bars.postgres import PostgresBars
from trading.data.store.folder import FolderStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the connection string of a private server."""
    with postgres_server() as conninfo:
        yield conninfo


@pytest.fixture
def schema() -> str:
    """Return the name of a database schema of the test's own."""
    return f"t_{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["lake", "postgres"])
def bar_store(request: pytest.FixtureRequest, tmp_path: Path, schema: str) -> Iterator[BarStore]:
    """Yield an empty store of each kind."""
    store: BarStore
    if request.param == "lake":
        store = LakeBars(FolderStore(tmp_path / "lake"))
    else:
        store = PostgresBars.open(request.getfixturevalue("postgres"), schema)
    yield store
    store.close()
