import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest

from trading.agents.finrl_bridge import load_drl_agent, panel_from_finrl
from trading.errors import ConfigurationError, DataError

FRAME = pd.DataFrame(
    {
        "date": ["2024-01-02", "2024-01-02", "2024-01-03"],
        "tic": ["BBB", "AAA", "AAA"],
        "open": [10.0, 5, 6],
        "high": [11.0, 6, 7],
        "low": [9.0, 4, 5],
        "close": [10.5, 5.5, 6.5],
        "volume": [100, 200, 300],
        "macd": [0.1, 0.2, 0.3],
        "day": [1, 1, 2],
    }
)


def test_finrls_agent_is_importable_without_its_package_init():
    agent = load_drl_agent()
    assert agent.__module__ == "finrl.agents.stablebaselines3.models"
    assert not hasattr(sys.modules["finrl"], "train")
    assert {"get_model", "train_model"} <= set(dir(agent))


def test_a_missing_finrl_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "finrl"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="trading\\[training\\]"):
        load_drl_agent()


def test_a_finrl_frame_becomes_a_panel():
    panel = panel_from_finrl(FRAME)
    assert panel.symbols == ("AAA", "BBB")
    np.testing.assert_array_equal(panel.close, [[5.5, 10.5], [6.5, np.nan]])
    np.testing.assert_array_equal(panel.adjusted_close, panel.close)
    assert panel.sessions.tolist()[0].isoformat() == "2024-01-02"


def test_a_frame_without_its_columns_is_refused():
    with pytest.raises(DataError, match="lacks tic, volume"):
        panel_from_finrl(FRAME.drop(columns=["tic", "volume"]))
    with pytest.raises(DataError, match="more than once"):
        panel_from_finrl(pd.concat([FRAME, FRAME]))
