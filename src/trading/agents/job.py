"""The training job: what the container of `containers/training` runs, under SageMaker's contract.

    <root>/input/config/hyperparameters.json   algorithm, seed, settings, correlation_id,
                                               code_revision, project, environment; all strings
    <root>/input/data/training/                a dataset (`Dataset.save`)
    <root>/input/data/champion/                the champion's model folder, where there is one
    <root>/checkpoints/                        finished fits; a restarted job goes on from them
    <root>/model/                              the model folder, see `artifact`
    <root>/output/failure                      one sentence, when the job fails

The root is `/opt/ml`, or `$TRADING_ML_ROOT`. Progress goes to standard output, one JSON object a
line; logs go to standard error.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import numpy as np
import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from trading.agents.artifact import Artifact
from trading.agents.recipe import FINAL, Fit, Recipe, champion_start, train_recipe
from trading.agents.training import WarmStart
from trading.config import Algorithm, Settings
from trading.errors import ConfigurationError, TradingError
from trading.evaluation.walk_forward import make_folds
from trading.features.dataset import Dataset
from trading.logs import configure_logging

ROOT = "/opt/ml"
SIGTERM_STATUS = 128 + signal.SIGTERM


def _from_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


class Hyperparameters(BaseModel):
    """The hyper-parameters of a job; SageMaker hands every one over as a string.

    Further ones are ignored: a state machine may tag its jobs.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    algorithm: Algorithm
    seed: int
    settings: Annotated[Settings, BeforeValidator(_from_json)] = Settings()
    correlation_id: str = ""
    code_revision: str = "unknown"

    @classmethod
    def load(cls, path: Path) -> "Hyperparameters":
        """Read `hyperparameters.json`; raises `ConfigurationError` with every mistake."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(
                f"there are no hyper-parameters at {path}; start the job with algorithm and seed"
            ) from error
        except ValidationError as error:
            mistakes = [
                f"{'.'.join(map(str, mistake['loc'])) or path.name}: {mistake['msg']}"
                for mistake in error.errors()
            ]
            raise ConfigurationError(
                f"the hyper-parameters are invalid: {'; '.join(mistakes)}"
            ) from error


def run(root: Path) -> Artifact:
    """Train what the job's folder asks for and leave the model in it.

    Raises `TradingError` when it cannot.
    """
    asked = Hyperparameters.load(root / "input/config/hyperparameters.json")
    configure_logging(
        asked.settings.log_level,
        correlation_id=asked.correlation_id,
        algorithm=asked.algorithm,
        seed=str(asked.seed),
    )
    log = structlog.get_logger()
    dataset = Dataset.load(root / "input/data/training")
    recipe = Recipe(
        algorithm=asked.algorithm,
        seed=asked.seed,
        settings=asked.settings,
        fits=plan_fits(dataset, asked.settings),
        champion=_champion(root, asked),
        code_revision=asked.code_revision,
    )
    log.info(
        "training",
        dataset=dataset.content_hash,
        decisions=len(dataset.decisions),
        fits=[fit.name for fit in recipe.fits],
        champion=recipe.champion.version if recipe.champion else None,
    )
    artifact = train_recipe(dataset, recipe, root / "checkpoints", _report)
    artifact.save(root / "model")
    log.info("trained", version=artifact.manifest.version)
    return artifact


def plan_fits(dataset: Dataset, settings: Settings) -> tuple[Fit, ...]:
    """Return the fits of a recipe: one for each walk-forward fold, and the final refit on all.

    Raises `DataError` when the history is too short for the folds.
    """
    days = dataset.sessions.astype("datetime64[D]")
    folds = make_folds(dataset, settings.training, min_months=settings.gate.min_months)
    fits = [Fit(f"fold-{fold.index}", fold.train, days[fold.train_end].item()) for fold in folds]
    final = Fit(FINAL, np.flatnonzero(dataset.has_outcome), days[-1].item())
    return (*fits, final)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; SageMaker starts the container with the argument `train`."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words != ["train"]:
        sys.stderr.write("usage: python -m trading.agents.job train\n")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    root = Path(os.environ.get("TRADING_ML_ROOT", ROOT))
    try:
        run(root)
    except TradingError as error:
        _fail(root, str(error))
        return 1
    except Exception as error:
        _fail(root, f"training failed unexpectedly: {type(error).__name__}: {error}")
        raise
    return 0


def _champion(root: Path, asked: Hyperparameters) -> WarmStart | None:
    folder = root / "input/data/champion"
    if not asked.settings.training.warm_start or not folder.is_dir() or not any(folder.iterdir()):
        return None
    champion = Artifact.load(folder)
    return champion_start(champion, f"{asked.algorithm}-s{asked.seed}", asked.settings)


def _report(fit: str, fraction: float, slot_reward: float) -> None:
    line = {
        "event": "progress",
        "fraction": round(fraction, 4),
        "stage": fit,
        "slot_reward": round(slot_reward, 6),
    }
    # What FinRL prints while it trains is silenced by redirecting sys.stdout; this is not.
    os.write(1, f"{json.dumps(line)}\n".encode())


def _fail(root: Path, sentence: str) -> None:
    folder = root / "output"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "failure").write_text(sentence, encoding="utf-8")
    structlog.get_logger().error("training failed", reason=sentence)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End at once: finished fits are kept, and a container's first process ignores SIGTERM else."""
    raise SystemExit(SIGTERM_STATUS)


if __name__ == "__main__":
    sys.exit(main())
