import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.config import Settings, load_settings
from trading.errors import ConfigurationError


def test_the_defaults_are_valid_and_have_3600_slots() -> None:
    settings = load_settings(environ={})
    assert settings.universe.slots == 3600
    assert settings.universe.slots // settings.universe.batch == 9


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "default.yaml").write_text("training: {folds: 4, hidden: [8, 8]}\n")
    (tmp_path / "quick.yaml").write_text("training: {folds: 5}\n")
    monkeypatch.setenv("TRADING_CONFIG_DIR", str(tmp_path))
    environ = {
        "TRADING_SETTINGS": json.dumps({"training": {"folds": 6, "phases": 2}}),
        "TRADING_TRAINING__FOLDS": "7",
    }
    settings = load_settings("quick", environ=environ)
    assert settings.training.folds == 7
    assert settings.training.phases == 2
    assert settings.training.hidden == (8, 8)
    assert load_settings("quick", {"training": {"folds": 8}}, environ).training.folds == 8


def test_every_mistake_is_named() -> None:
    environ = {"TRADING_TRAINING__FOLDS": "-1", "TRADING_UNIVERSE__BATCH": "7"}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ)
    assert "training.folds" in str(caught.value)
    assert "must divide" in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", "{", '"x"'])
def test_settings_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TRADING_SETTINGS"):
        load_settings(environ={"TRADING_SETTINGS": text})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="training.fold: Extra inputs"):
        load_settings(environ={"TRADING_TRAINING__FOLD": "3"})


def test_a_missing_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        load_settings("nowhere", environ={})


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="finite"):
        load_settings(environ={"TRADING_COSTS__SLIPPAGE_BPS": ".nan"})


def test_the_environment_has_a_variable_of_its_own() -> None:
    environ = {"TRADING_ENVIRONMENT": "prod", "TRADING_SETTINGS": '{"environment": "dev"}'}
    assert load_settings(environ=environ).environment == "prod"
    with pytest.raises(ConfigurationError, match="environment"):
        load_settings(environ={"TRADING_ENVIRONMENT": "Prod!"})


@given(st.integers(1, 9), st.sampled_from(["dev", "prod"]))
def test_deviations_reproduce_the_settings(folds: int, environment: str) -> None:
    settings = Settings.model_validate(
        {"environment": environment, "training": {"folds": folds}, "data": {"min_symbols": 30}}
    )
    carried = {"TRADING_SETTINGS": json.dumps(settings.deviations())}
    assert load_settings(environ=carried) == settings
