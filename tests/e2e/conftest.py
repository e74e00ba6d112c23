from pathlib import Path

import pytest
from trading_home import TradingHome


@pytest.fixture
def home(tmp_path: Path) -> TradingHome:
    """A fresh home."""
    return TradingHome(tmp_path / "home")
