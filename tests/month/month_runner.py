"""Runs the stations of a month one after the other, as the state machine would, without AWS."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trading.agents import job
from trading.config import Settings
from trading.data.providers import open_provider
from trading.features.dataset import Dataset
from trading.month import payloads as messages
from trading.month.backfill import continue_simulation
from trading.month.deploy import deploy, keep_champion
from trading.month.drift import drift
from trading.month.fetch import check_sessions, fetch_sessions
from trading.month.finish import finish
from trading.month.ledger import RunRecord
from trading.month.measure import measure
from trading.month.notify import notify
from trading.month.oversight_requests import DriftRequest, ShadowRequest
from trading.month.pointers import get_folder, key_of
from trading.month.prepare import prepare
from trading.month.rank import rank
from trading.month.resolve import resolve
from trading.month.resources import Resources
from trading.month.score import market_context, score_batch
from trading.month.shadow import score_shadow
from trading.month.store import store_signals
from trading.month.validate import validate
from trading.signals.report import MonthReport, read_report

State = dict[str, Any]
ANYTHING_PASSES = {
    "min_months": 2,
    "min_sharpe": -1e6,
    "max_drawdown": 1.0,
    "min_excess_return": -1e6,
    "min_information_coefficient": -1.0,
    "max_confidence_p": 1.0,
    "max_skill_p": 1.0,
    "min_net_alpha": -1e6,
    "min_deflated_sharpe": 0.0,
    "max_overfitting": 1.0,
    "champion_margin": -1e6,
    "bootstrap_samples": 50,
}
NOTHING_PASSES = {"min_months": 2, "min_sharpe": 1e6, "bootstrap_samples": 50}


def small_settings(gate: dict[str, Any]) -> Settings:
    """60 simulated companies over 80 slots in 4 batches, and a tiny training."""
    return Settings.model_validate(
        {
            "data": {"simulated": {"symbols": 60, "start": "2020-01-02"}, "min_sessions": 300},
            "universe": {"active": 60, "archive": 10, "padding": 10, "batch": 20},
            "training": {
                "algorithms": ["ppo"],
                "folds": 2,
                "phases": 1,
                "hidden": [4],
                "slot_steps": 400,
                "embargo_sessions": 5,
            },
            "portfolio": {
                "min_names": 10,
                "max_names": 15,
                "max_weight": 0.3,
                "buy_fraction": 0.1,
                "hold_fraction": 0.3,
            },
            "gate": gate,
        }
    )


class MonthRunner:
    """One environment in which months run.

    `sizes` holds the bytes of each payload; every request and answer travels as JSON text and is
    parsed again, as between states.
    """

    def __init__(self, resources: Resources, ml_root: Path) -> None:
        self.resources = resources
        self.sizes: dict[str, int] = {}
        self.trained: list[str] = []
        self._ml_root = ml_root

    def fill_lake(self, as_of: date) -> None:
        """Bring in the simulated market up to the session before the last."""
        settings = self.resources.settings
        continue_simulation(open_provider(settings), self.resources.lake, as_of, settings)

    def run(self, as_of: date, run: int = 1, until: str | None = None) -> State:
        """Run a month to its end, or up to and with the state `until`; answer its payloads."""
        month = f"{as_of:%Y-%m}"
        state: State = {
            "month": {
                "month": month,
                "as_of": as_of.isoformat(),
                "run": run,
                "execution": f"monthly-{month}-r{run}",
                "correlation_id": f"c-{month}",
                "exclude": [],
            }
        }
        as_of_run = {"month": month, "as_of": as_of, "run": run, "status": "RUNNING"}
        self.resources.ledger.claim_run(RunRecord.model_validate(as_of_run))
        for name, work in self._stations():
            work(state)
            self.sizes["state"] = max(self.sizes.get("state", 0), len(json.dumps(state)))
            if name == until:
                break
        return state

    def report(self, as_of: date) -> MonthReport:
        """Return the stored report of a month."""
        return read_report(self.resources.runs, f"{as_of:%Y-%m}")

    def dataset(self, state: State) -> Dataset:
        """Return the dataset that a month prepared."""
        runs = self.resources.runs
        key = key_of(runs, state["prepared"]["dataset_uri"])
        return Dataset.from_bytes(runs.get(f"{key}/dataset.npz").body)

    @contextmanager
    def reopened(self, state: State) -> Iterator[dict[str, Any]]:
        """Let a month run again, as when a station is repeated; yield its `month` message."""
        done = self.resources.ledger.run_of(state["month"]["month"])
        assert done is not None
        running = done.model_copy(update={"status": "RUNNING"})
        self.resources.ledger.update_run(done, running)
        try:
            yield state["month"] | {"run": done.run}
        finally:
            self.resources.ledger.update_run(running, done)

    def call(
        self,
        work: Callable[[Any, Resources], BaseModel],
        model: type[BaseModel],
        **request: Any,
    ) -> Any:
        """Call a station with JSON and answer JSON."""
        text = json.dumps(request)
        parsed = model.model_validate(json.loads(text))
        assert parsed == model.model_validate_json(parsed.model_dump_json())
        answer = work(parsed, self.resources)
        sent = answer.model_dump_json()
        assert type(answer).model_validate_json(sent) == answer
        for kind, size in ((model.__name__, len(text)), (type(answer).__name__, len(sent))):
            self.sizes[kind] = max(self.sizes.get(kind, 0), size)
        return json.loads(sent)

    def _stations(self) -> list[tuple[str, Callable[[State], None]]]:
        return [
            ("resolve", self._resolve),
            ("prepare", self._step("prepared", prepare, messages.PrepareRequest, "resolved")),
            ("train", self._train),
            (
                "validate",
                self._step(
                    "validated",
                    validate,
                    messages.ValidateRequest,
                    "resolved",
                    "prepared",
                    "models",
                ),
            ),
            ("deploy", self._deploy),
            (
                "market_context",
                self._step(
                    "context", market_context, messages.ContextRequest, "resolved", "prepared"
                ),
            ),
            ("score", self._score),
            ("rank", self._step("ranked", rank, messages.RankRequest, *RANKED)),
            ("store", self._step("stored", store_signals, messages.StoreRequest, *STORED)),
            ("shadow", self._step("shadow", score_shadow, ShadowRequest, *SHADOW)),
            ("drift", self._step("drift", drift, DriftRequest, *DRIFT)),
            ("measure", self._step("measured", measure, messages.MeasureRequest, *MEASURED)),
            ("notify", self._notify),
            ("finish", self._step("finished", finish, messages.FinishRequest, *FINISHED)),
        ]

    def _step(
        self,
        into: str,
        work: Callable[[Any, Resources], BaseModel],
        model: type[BaseModel],
        *names: str,
    ) -> Callable[[State], None]:
        def step(state: State) -> None:
            request = {name: state[name] for name in ("month", *names)}
            state[into] = self.call(work, model, **request)

        return step

    def _resolve(self, state: State) -> None:
        request = messages.ResolveRequest
        found = self.call(resolve, request, month=state["month"], final=False)
        if not found["complete"]:
            missing = {"start": found["missing_from"], "end": found["missing_to"]}
            state["fetched"] = self.call(
                fetch_sessions, messages.SessionRange, month=state["month"], **missing
            )
            state["quality"] = self.call(
                check_sessions, messages.SessionRange, month=state["month"], **missing
            )
            found = self.call(resolve, request, month=state["month"], final=True)
        state["resolved"] = found

    def _train(self, state: State) -> None:
        state["models"] = [
            {
                "algorithm": asked["algorithm"],
                "seed": asked["seed"],
                "model_uri": asked["model_uri"] if asked["finished"] else self._train_one(asked),
            }
            for asked in state["prepared"]["jobs"]
        ]

    def _train_one(self, asked: dict[str, Any]) -> str:
        """Do what SageMaker does: channels into folders, the container, the model into a tar."""
        root = self._ml_root / f"{asked['name']}-{len(self.trained)}"
        (root / "input/config").mkdir(parents=True)
        (root / "input/config/hyperparameters.json").write_text(
            json.dumps(asked["hyperparameters"])
        )
        for channel in asked["channels"]:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            stores = (self.resources.runs, self.resources.models)
            store = next(s for s in stores if uri.startswith(s.uri.rstrip("/") + "/"))
            folder = root / "input/data" / channel["ChannelName"]
            for name, body in get_folder(store, key_of(store, uri)).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(body)
        job.run(root)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            tar.add(root / "model", arcname=".")
        uri = f"{asked['output_uri']}/{asked['name']}/output/model.tar.gz"
        self.resources.runs.put(key_of(self.resources.runs, uri), packed.getvalue())
        self.trained.append(asked["name"])
        return uri

    def _deploy(self, state: State) -> None:
        names = ["month", "resolved", "validated"]
        if state["validated"]["passed"]:
            request = {name: state[name] for name in names}
            state["champion"] = self.call(deploy, messages.DeployRequest, **request)
        else:
            request = {name: state[name] for name in (*names, "prepared")}
            state["champion"] = self.call(keep_champion, messages.KeepRequest, **request)

    def _score(self, state: State) -> None:
        shared = {name: state[name] for name in ("month", "context", "champion", "prepared")}
        state["scored"] = [
            self.call(score_batch, messages.ScoreRequest, batch=batch, **shared)
            for batch in state["context"]["batches"]
        ]

    def _notify(self, state: State) -> None:
        shared = {name: state[name] for name in ("month", "measured")}
        state["notified"] = [
            self.call(notify, messages.NotifyRequest, recipient=recipient, **shared)
            for recipient in state["measured"]["recipients"]
        ]


RANKED = ("resolved", "prepared", "context", "champion", "scored")
STORED = ("resolved", "prepared", "context", "ranked", "champion")
SHADOW = ("prepared", "context", "champion")
DRIFT = ("context", "champion", "scored")
MEASURED = ("resolved", "prepared", "validated", "champion", "ranked", "shadow", "drift")
FINISHED = ("resolved", "validated", "champion", "ranked", "measured", "notified")
