"""`trading evaluate`: bars in; a verdict, a page and an exit code out."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading.agents.artifact import Artifact
from trading.cli.app import main
from trading.evaluation.study import Evaluation
from trading.market.calendar import sessions_between

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--set", "universe.active=60", "--set", "universe.archive=10")
SMALL += ("--set", "universe.padding=10", "--set", "universe.batch=80")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    days = sessions_between(date(2020, 1, 2), date(2022, 6, 30))
    random = np.random.default_rng(0)
    frames = []
    for name in range(40):
        returns = 0.018 * random.standard_normal(len(days)) + 0.0004
        close = 40 * np.exp(np.cumsum(returns))
        frames.append(
            pd.DataFrame(
                {
                    "date": days,
                    "symbol": f"B{name:03d}",
                    "open": close,
                    "high": close * 1.01,
                    "low": close * 0.99,
                    "close": close,
                    "volume": 1e6 * np.exp(0.3 * random.standard_normal(len(days))),
                    "adjusted_close": close,
                }
            )
        )
    file = tmp_path_factory.mktemp("bars") / "bars.parquet"
    pd.concat(frames).to_parquet(file)
    return file


@pytest.mark.slow
def test_a_factor_is_judged_and_reported(run: Run, bars: Path, tmp_path: Path) -> None:
    page, document = tmp_path / "out" / "page.html", tmp_path / "out" / "evaluation.json"
    index = tmp_path / "index.parquet"
    one = pd.read_parquet(bars)
    one[one["symbol"] == "B000"].to_parquet(index)
    code, out, err = run(
        "--bars", bars, "--benchmark", index, "--factor", "-return_21", "--trials", "9",
        "--report", page, "--output", document, "--json", *SMALL,
    )  # fmt: skip
    assert code == 0, err
    found = Evaluation.model_validate_json(out)
    assert found.title == "Factor -return_21"
    assert not found.simulated
    assert found.verdict.evidence is not None
    assert found.verdict.evidence.trials == 9
    assert found.verdict.figures["index"].label.startswith("B000")
    assert json.loads(document.read_text()) == json.loads(out)
    assert "Factor -return_21" in page.read_text()


def test_the_terminal_shows_contenders_checks_and_warnings(run: Run, bars: Path) -> None:
    code, out, err = run("--bars", bars, "--factor", "return_63", *SMALL)
    assert code == 0
    for words in ("equal", "Capacity", "Costs multiplied", "p-value of none", "out-of-sample"):
        assert words in out
    assert "Survivorship" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--factor", "beauty"), "there is no feature 'beauty'"),
        (("--factor", "return_21", "--model", "x"), "exclude each other"),
        (("--factor", "return_21", "--save", "x"), "--save keeps a trained model"),
        (("--trials", "0"), "--trials"),
        (("--trials", "2", "--trials-from", "x"), "exclude each other"),
        (("--set", "gate.luck=1"), "luck"),
    ],
)
def test_misuse_says_what_to_do(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert words in " ".join(err.split())


def test_what_is_not_there_fails_in_one_sentence(run: Run, bars: Path, tmp_path: Path) -> None:
    code, _, err = run("--bars", bars, "--model", tmp_path / "none", *SMALL)
    assert code == 1
    assert "there is no model folder" in " ".join(err.split())
    code, _, err = run("--bars", bars, "--factor", "return_21", "--champion", tmp_path, *SMALL)
    assert code == 1
    assert "keeps no out-of-sample scores" in " ".join(err.split())
    code, _, err = run("--bars", bars, "--as-of", "2020-09-01", "--factor", "return_21", *SMALL)
    assert code == 1
    assert "error:" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_recipe_is_trained_saved_with_its_card_and_evaluated_again(
    run: Run, bars: Path, tmp_path: Path
) -> None:
    small = (*SMALL, "--set", "training.slot_steps=4000", "--set", "training.algorithms=[ppo, a2c]")
    small += ("--set", "training.folds=2")
    kept = tmp_path / "kept"
    code, out, _ = run("--bars", bars, "--save", kept, "--json", *small)
    assert code == 0
    first = Evaluation.model_validate_json(out)
    model = Artifact.load(kept / "model")
    assert [member.name for member in model.manifest.members] == ["a2c-s0", "ppo-s0"]
    card = (kept / "model-card.md").read_text()
    assert model.manifest.version in card
    assert json.loads((kept / "model-card.json").read_text())["passed"] == first.verdict.passed
    code, out, _ = run("--bars", bars, "--model", kept / "model", "--json", *small)
    assert code == 0
    assert Evaluation.model_validate_json(out).verdict == first.verdict
    rival = ("--factor", "return_21", "--champion", kept, "--json", *small)
    code, out, _ = run("--bars", bars, *rival)
    assert code == 0
    found = Evaluation.model_validate_json(out).verdict.figures
    same = first.verdict.figures["candidate"]
    assert found["champion"].months == same.months
    assert found["champion"].annual_return == pytest.approx(same.annual_return)
    assert found["champion"].p_value is not None
