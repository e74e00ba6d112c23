"""The sectors file of a backtest."""

from pathlib import Path

import pytest

from trading.cli.sectors import read_sectors
from trading.errors import ConfigurationError, DataError
from trading.risk.settings import LimitSettings, RiskSettings

LIMITED = RiskSettings(max_sector=LimitSettings(limit=0.3))


def test_columns_may_come_in_any_order_and_spelling(tmp_path: Path) -> None:
    file = tmp_path / "sectors.csv"
    file.write_text("\ufeffName,GICS Sector,Ticker\nA,Energy,AAA\nÄ, Tech ,BBB\n,,\nC\n")
    assert read_sectors(file, LIMITED) == {"AAA": "Energy", "BBB": "Tech"}


def test_a_sector_limit_without_sectors_is_refused() -> None:
    assert read_sectors(None, RiskSettings()) == {}
    with pytest.raises(ConfigurationError, match="--sectors FILE"):
        read_sectors(None, LIMITED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column symbol"),
        ("symbol,industry\nA,B\n", "no column sector"),
        ("symbol,sector\nA,B\nA,C\n", "sector of A twice"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "sectors.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_sectors(file, LIMITED)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_sectors(tmp_path / "none.csv", LIMITED)
