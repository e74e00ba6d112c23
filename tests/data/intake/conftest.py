from pathlib import Path

import pytest

from trading.data.store.folder import FolderStore


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")
