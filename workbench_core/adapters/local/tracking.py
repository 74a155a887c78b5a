"""Experiment tracking and the model registry: MLflow on one SQLite file, `<home>/mlflow/mlflow.db`."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core.errors import BackendError, Invalid, NotFound, Unavailable, WorkbenchError
from workbench_core.ports import (
    Json,
    RegisteredVersion,
    Tracker,
    TrainingEvent,
    TrainingRequest,
    TrainingResult,
)
from workbench_core.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)

MLFLOW_ENVIRONMENT = {  # read by MLflow when it is imported
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # the default pool loses rows of genai.evaluate
    "MLFLOW_GENAI_EVAL_MAX_WORKERS": "4",
    "MLFLOW_ASYNC_TRACE_LOGGING_MAX_QUEUE_SIZE": "20000",  # the default of 1,000 drops traces
    "MLFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS": "0",  # another process may have moved the alias
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
BATCH_OF_METRICS = 1000  # the most that MLflow takes in one call
BATCH_OF_PARAMETERS = 100
LONGEST_PARAMETER = 6000


def check_model_name(name: str) -> None:
    """Raises Invalid unless the name has letters, digits, `-`, `_` and `.` only, as MLflow's registry wants it."""
    if not MODEL_NAME.fullmatch(name):
        raise Invalid(
            f"“{name}” cannot be a model name.",
            hint="Use letters, digits, “-”, “_” and “.”, begin with a letter or digit, at most 100 characters.",
        )


def prepare_environment() -> None:
    """Set MLflow's environment variables that are not set yet; call it before MLflow is imported."""
    for name, value in MLFLOW_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


# --- the tracker ---------------------------------------------------------------------------------------------------


class MlflowTracker:
    """Experiments and registered models of one home. The database is created at the first registration."""

    def __init__(self, home: Path) -> None:
        self.folder = home.resolve() / "mlflow"
        self.database = self.folder / "mlflow.db"
        self.artifacts = self.folder / "artifacts"

    @property
    def uri(self) -> str:
        """The address of the database as MLflow wants it."""
        return f"sqlite:///{self.database}"

    def versions(self, model_name: str) -> list[RegisteredVersion]:
        """All versions of a model, newest first; empty when the model is unknown."""
        if not self.database.exists() or not MODEL_NAME.fullmatch(model_name):
            return []
        with _own_words():
            client = self.client()
            found = list(_search(client, f"name = '{model_name}'"))
            aliases = client.get_registered_model(model_name).aliases if found else {}
        versions = (_registered(version, aliases) for version in found)
        return sorted(versions, key=lambda version: version.version, reverse=True)

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        """Point an alias such as `production` at a version. Raises NotFound, Invalid for an unusable alias."""
        if version not in {known.version for known in self.versions(model_name)}:
            raise NotFound(f"Model “{model_name}” has no version {version}.", hint="Choose one of its versions.")
        with _own_words():
            self.client().set_registered_model_alias(model_name, alias, str(version))

    def find_version(self, model_name: str, job_id: str) -> RegisteredVersion | None:
        """The version that a training job registered, or None."""
        return next((version for version in self.versions(model_name) if version.job_id == job_id), None)

    def client(self) -> MlflowClient:
        """An MLflow client of this home; creates the database when it is missing."""
        prepare_environment()
        from mlflow import MlflowClient
        from mlflow.store.db import utils as mlflow_database

        # this module sets its own level on import; what it says about the pool is no news to anybody
        logging.getLogger(mlflow_database.__name__).setLevel(logging.WARNING)
        self.create_database()
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def create_database(self) -> None:
        """Create the database once, however many processes ask at the same time; it takes several seconds.

        MLflow's migrations are not safe against each other, so one process runs them on a new file under a lock and
        then gives the file its name: a half-made database is never seen.
        """
        if self.database.exists():
            return
        self.artifacts.mkdir(parents=True, exist_ok=True)
        with (self.folder / "create.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
            if not self.database.exists():
                self._migrate(self.folder / "mlflow.db.new")

    def _migrate(self, fresh: Path) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        started = time.monotonic()
        fresh.unlink(missing_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{fresh}", self.artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        with closing(sqlite3.connect(fresh)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # stays with the file; commits no longer block readers
        fresh.replace(self.database)
        log.info("Created the MLflow database in %.1f s", time.monotonic() - started)


def _search(client: MlflowClient, condition: str) -> Iterator[ModelVersion]:
    token = None
    while True:
        page = client.search_model_versions(condition, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _registered(version: ModelVersion, aliases: Mapping[str, str]) -> RegisteredVersion:
    # a version found by search does not carry its aliases, so they come from the model
    return RegisteredVersion(
        model_name=version.name,
        version=int(version.version),
        job_id=version.tags.get("job_id", ""),
        tracking_run_id=version.run_id or "",
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(name for name, at in aliases.items() if int(at) == int(version.version))),
    )


@contextmanager
def _own_words() -> Iterator[None]:
    """Turn MLflow's errors into ours."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise _translated(error.error_code, str(error)) from error


def _translated(code: str, reason: str) -> WorkbenchError:
    if code == "RESOURCE_DOES_NOT_EXIST":
        return NotFound(reason)
    if code == "INVALID_PARAMETER_VALUE":
        return Invalid(reason)
    if code == "TEMPORARILY_UNAVAILABLE":
        return Unavailable("The MLflow database is busy.", hint="Try again in a moment.")
    return BackendError(f"MLflow failed: {reason}", hint="Its database is in the folder mlflow of the workbench home.")


# --- registering a trained model -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """One model that was tried: its parameters and its cross-validated metrics."""

    name: str
    parameters: Mapping[str, Json]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What training left on disk, ready to be registered.

    `code` is the models-from-code file, `artifacts` the files it reads by name, `requirements` the pinned packages it
    needs. `history` are the events with measured values, for the curves in MLflow.
    """

    code: Path
    artifacts: Mapping[str, Path]
    requirements: tuple[str, ...]
    parameters: Mapping[str, Json]
    metrics: Mapping[str, float]
    details: Mapping[str, Json]
    candidates: tuple[CandidateScore, ...] = ()
    history: tuple[TrainingEvent, ...] = field(default=(), repr=False)


def adopted_result(tracker: MlflowTracker, request: TrainingRequest) -> TrainingResult | None:
    """The result of this job when an earlier attempt already registered it, so that nothing is trained twice."""
    version = tracker.find_version(request.model_name, request.job_id)
    if version is None:
        return None
    import mlflow

    mlflow.set_tracking_uri(tracker.uri)
    run = tracker.client().get_run(version.tracking_run_id)
    known = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/result.json")
    return TrainingResult(
        model_name=version.model_name,
        version=version.version,
        metrics=known["metrics"],
        details=known["details"],
        tracking_run_id=run.info.run_id,
        tracking_experiment_id=run.info.experiment_id,
    )


def register_model(tracker: MlflowTracker, request: TrainingRequest, trained: TrainedModel) -> TrainingResult:
    """Log a run, check that the model answers its own example, and register it as the next version.

    The version carries the tag `job_id` from the moment it exists. Raises BackendError when the model does not answer.
    """
    import mlflow

    client = tracker.client()
    mlflow.set_tracking_uri(tracker.uri)
    mlflow.set_registry_uri(tracker.uri)
    experiment_id = _experiment(tracker, client, request.model_name)
    _close_open_runs(client, experiment_id, request.job_id)
    tags = {**request.tags, "job_id": request.job_id, "answer_kind": request.answer_kind}
    with mlflow.start_run(experiment_id=experiment_id, run_name=request.job_id, tags=tags) as run:
        _log_run(client, run.info.run_id, request, trained)
        _log_candidates(client, run.info, trained.candidates)
        model_uri = _log_model(request, trained)
        _check_answers(model_uri, request)
        version = mlflow.register_model(model_uri, request.model_name, tags=tags)
    log.info("Registered model %s version %s for job %s", version.name, version.version, request.job_id)
    return TrainingResult(
        model_name=request.model_name,
        version=int(version.version),
        metrics=dict(trained.metrics),
        details=dict(trained.details),
        tracking_run_id=run.info.run_id,
        tracking_experiment_id=experiment_id,
    )


def _experiment(tracker: MlflowTracker, client: MlflowClient, model_name: str) -> str:
    if found := client.get_experiment_by_name(model_name):
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    # without an explicit place MLflow would write into the folder it happens to run in
    return str(client.create_experiment(model_name, (tracker.artifacts / model_name).as_uri()))


def _close_open_runs(client: MlflowClient, experiment_id: str, job_id: str) -> None:
    """A run that a killed attempt left behind would look alive for ever."""
    condition = f"tags.job_id = '{job_id}' AND attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment_id], condition):
        client.set_terminated(run.info.run_id, "KILLED")


def _log_run(client: MlflowClient, run_id: str, request: TrainingRequest, trained: TrainedModel) -> None:
    from mlflow.entities import Metric

    parameters = {
        **trained.parameters,
        "seed": request.seed,
        "train_examples": len(request.train),
        "validation_examples": len(request.validation),
    }
    _log_parameters(client, run_id, parameters)
    now = int(time.time() * 1000)
    points = [
        Metric(name, value, now, event.step) for event in trained.history for name, value in event.metrics.items()
    ]
    last = max((event.step for event in trained.history), default=0)
    points += [Metric(name, value, now, last) for name, value in trained.metrics.items()]
    for start in range(0, len(points), BATCH_OF_METRICS):
        client.log_batch(run_id, metrics=points[start : start + BATCH_OF_METRICS])
    client.log_dict(run_id, _manifest(request), "manifest.json")
    client.log_dict(run_id, {"metrics": dict(trained.metrics), "details": dict(trained.details)}, "result.json")


def _manifest(request: TrainingRequest) -> dict[str, Json]:
    """Which pairs were in which split: what traces a model version back to its data (INV-T2)."""
    return {
        "job_id": request.job_id,
        "train": [example.pair_id for example in request.train],
        "validation": [example.pair_id for example in request.validation],
    }


def _log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, Json]) -> None:
    from mlflow.entities import Param

    values = [Param(name, _text(value)[:LONGEST_PARAMETER]) for name, value in parameters.items()]
    for start in range(0, len(values), BATCH_OF_PARAMETERS):
        client.log_batch(run_id, params=values[start : start + BATCH_OF_PARAMETERS])


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _log_candidates(client: MlflowClient, parent: object, candidates: Sequence[CandidateScore]) -> None:
    from mlflow.entities import Metric, Param, RunInfo

    assert isinstance(parent, RunInfo)
    now = int(time.time() * 1000)
    for candidate in candidates:
        tags = {"mlflow.parentRunId": parent.run_id}
        run_id = client.create_run(parent.experiment_id, tags=tags, run_name=candidate.name).info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in candidate.metrics.items()],
            params=[Param(name, _text(value)) for name, value in candidate.parameters.items()],
        )
        client.set_terminated(run_id)


def _log_model(request: TrainingRequest, trained: TrainedModel) -> str:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    inputs = Schema([ColSpec("string", name) for name in variable_names(request)])
    outputs = Schema([ColSpec("string", "prediction"), ColSpec("double", "confidence")])
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(trained.code),
        artifacts={name: str(path) for name, path in trained.artifacts.items()},
        signature=ModelSignature(inputs=inputs, outputs=outputs),
        input_example=_example(request),
        pip_requirements=list(trained.requirements),
        metadata={"job_id": request.job_id, "answer_kind": request.answer_kind},
    )
    return str(info.model_uri)


def variable_names(request: TrainingRequest) -> list[str]:
    """The template's variables in their order: the input columns of the served model."""
    names = request.template.get("variables")
    return [str(name) for name in names] if isinstance(names, list) else []


def _example(request: TrainingRequest) -> object:
    import pandas as pd

    variables = request.train[0].variables
    return pd.DataFrame([{name: variables.get(name, "") for name in variable_names(request)}])


def _check_answers(model_uri: str, request: TrainingRequest) -> None:
    import mlflow

    answer = mlflow.pyfunc.load_model(model_uri).predict(_example(request))
    if list(answer.columns) != ["prediction", "confidence"] or len(answer) != 1:
        raise BackendError("The trained model does not answer its own example, so it was not registered.")


def tracker(settings: Settings) -> Tracker:
    """The tracker of this home."""
    return MlflowTracker(settings.home)
