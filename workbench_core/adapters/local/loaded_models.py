"""The model versions that the gateway holds in memory: loaded once by MLflow, each with its own threads."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from workbench_core.adapters.local.tracking import MlflowTracker, prepare_environment
from workbench_core.errors import BackendError, Invalid, NotFound, TimedOut, WorkbenchError
from workbench_core.ports import Json

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

IDLE_MODELS_KEPT = 8
THREADS_PER_MODEL = 4  # a slow model keeps only its own threads busy, never those of another
LOADING_SECONDS = 300.0
REASON_LENGTH = 500

Key: TypeAlias = "tuple[str, int]"
Record: TypeAlias = "Mapping[str, Json]"


class PythonFunction(Protocol):
    """What we use of `mlflow.pyfunc.PyFuncModel`."""

    def predict(self, data: pd.DataFrame) -> object:
        """Check the data against the model's schema and answer."""
        ...


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One loaded version. `columns` are its inputs with their types, `required` those that every record must have."""

    key: Key
    function: PythonFunction
    columns: Mapping[str, str]
    required: tuple[str, ...]
    threads: ThreadPoolExecutor

    def answers(self, records: Sequence[Record]) -> list[dict[str, Json]]:
        """Answer each record with `prediction` and `confidence`; both may be None.

        Raises Invalid when the records do not fit the model's schema, BackendError when the model fails.
        """
        frame = self._frame(records)
        try:
            return _rows(self.function.predict(frame), len(records))
        except WorkbenchError:
            raise
        except Exception as error:  # whatever the code of a model raises
            if getattr(error, "error_class", "") == "SCHEMA_ENFORCEMENT_FAILED":
                raise Invalid(
                    f"The records do not fit the model: {_reason(error)}.", hint=self._expectation()
                ) from error
            log.warning("%s version %d failed", *self.key, exc_info=True)
            raise BackendError(
                f"The model failed: {type(error).__name__}: {_reason(error)}.",
                hint="Look at this record, or go back to the version before.",
            ) from error

    def _frame(self, records: Sequence[Record]) -> pd.DataFrame:
        import pandas as pd

        for number, record in enumerate(records, start=1):
            for name in self.required:
                if name not in record:
                    raise Invalid(f"Record {number} has no value for “{name}”.", hint=self._expectation())
        try:
            return pd.DataFrame(list(records), columns=list(self.columns) or None)
        except ValueError as error:
            raise Invalid(f"The records do not make a table: {error}.", hint=self._expectation()) from error

    def _expectation(self) -> str:
        columns = ", ".join(f"{name} ({kind})" for name, kind in self.columns.items())
        return f"The model expects these columns: {columns}." if columns else ""


def _rows(output: object, expected: int) -> list[dict[str, Json]]:
    """MLflow's answer as records: a frame with `prediction` and maybe `confidence`, or one value a record."""
    import numpy as np
    import pandas as pd

    if isinstance(output, pd.DataFrame) and "prediction" in output.columns:
        answers = list(output["prediction"])
        confidences = list(output["confidence"]) if "confidence" in output.columns else [None] * len(answers)
    elif isinstance(output, (pd.Series, np.ndarray, list)):
        answers = list(output)
        confidences = [None] * len(answers)
    else:
        raise BackendError("The model's output has no column “prediction”.", hint="Train a version here.")
    if len(answers) != expected:
        raise BackendError(f"The model gave {len(answers)} answers for {expected} records.")
    return [
        {"prediction": _text(answer), "confidence": _number(confidence)}
        for answer, confidence in zip(answers, confidences, strict=True)
    ]


class ServedModels:
    """All loaded versions. Used from the event loop only, so that no lock is needed.

    Versions for which `is_serving` says yes stay; of the others the last used `IDLE_MODELS_KEPT` stay, so that going
    back to an earlier version needs no loading.
    """

    def __init__(self, home: Path, *, is_serving: Callable[[Key], bool]) -> None:
        self._tracker = MlflowTracker(home)
        self._is_serving = is_serving
        self._loaded: OrderedDict[Key, ServedModel] = OrderedDict()
        self._loading: dict[Key, asyncio.Future[ServedModel]] = {}
        self._failures: dict[Key, str] = {}
        self._loader = ThreadPoolExecutor(1, "load")  # one at a time: MLflow loads code through global state

    def warm_up(self) -> None:
        """Begin to import MLflow, which takes seconds, while nobody waits for it yet."""
        self._loader.submit(_import_mlflow, self._tracker)

    def is_loaded(self, key: Key) -> bool:
        """Whether the version can answer without loading."""
        return key in self._loaded

    def failure(self, key: Key) -> str:
        """Why the version could not be loaded the last time; empty when it could."""
        return self._failures.get(key, "")

    async def get(self, key: Key) -> ServedModel:
        """The loaded version; loads it when needed. Raises NotFound, BackendError, TimedOut."""
        if model := self._loaded.get(key):
            self._loaded.move_to_end(key)
            return model
        async with _limit(LOADING_SECONDS, f"Version {key[1]} of “{key[0]}” was not loaded"):
            return await asyncio.shield(self.load(key))  # one loading for all who wait; who leaves stops nothing

    def load(self, key: Key) -> asyncio.Future[ServedModel]:
        """Begin to load a version, unless that is under way."""
        if key not in self._loading:
            loop = asyncio.get_running_loop()
            self._loading[key] = loop.run_in_executor(self._loader, _load, self._tracker, key)
            self._loading[key].add_done_callback(lambda done: self._arrived(key, done))
        return self._loading[key]

    async def predict(self, key: Key, records: Sequence[Record], *, seconds: float) -> list[dict[str, Json]]:
        """Answer with the version; loading it first has its own time.

        Raises NotFound, Invalid, BackendError, and TimedOut when the answer takes more than `seconds`.
        """
        model = await self.get(key)
        async with _limit(seconds, "The model did not answer"):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(model.threads, model.answers, records)

    def _arrived(self, key: Key, done: asyncio.Future[ServedModel]) -> None:
        del self._loading[key]
        if done.cancelled():
            return
        if error := done.exception():
            self._failures[key] = error.message if isinstance(error, WorkbenchError) else str(error)
            return
        self._failures.pop(key, None)
        self._loaded[key] = done.result()
        idle = [loaded for loaded in self._loaded if loaded != key and not self._is_serving(loaded)]
        for old in idle[: max(0, len(idle) + 1 - IDLE_MODELS_KEPT)]:
            del self._loaded[old]  # requests under way finish on it; its threads end with the last of them
            log.info("Dropped %s version %d from memory", *old)


@asynccontextmanager
async def _limit(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TimedOut(
            f"{what} within {seconds:g} seconds.", hint="Ask with fewer records, or look what makes this version slow."
        ) from None


def _import_mlflow(tracker: MlflowTracker) -> None:
    prepare_environment()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))  # leave a core to the app
    import mlflow
    import mlflow.pyfunc

    mlflow.set_tracking_uri(tracker.uri)
    mlflow.set_registry_uri(tracker.uri)


def _load(tracker: MlflowTracker, key: Key) -> ServedModel:
    name, version = key
    try:
        is_known = _is_registered(tracker, key)
        model = _loaded(key) if is_known else None
    except Exception as error:  # whatever MLflow and the code of a model raise
        log.warning("%s version %d cannot be loaded", name, version, exc_info=True)
        raise BackendError(
            f"Version {version} of “{name}” cannot be loaded: {type(error).__name__}: {_reason(error)}.",
            hint="Train this version again, or pick another one.",
        ) from error
    if model is None:
        raise NotFound(
            f"There is no version {version} of the model “{name}”.",
            hint="Train a model first, or pick another version.",
        )
    log.info("Loaded %s version %d", name, version)
    return model


def _is_registered(tracker: MlflowTracker, key: Key) -> bool:
    if not tracker.database.exists():  # MLflow would create it
        return False
    _import_mlflow(tracker)
    from mlflow.exceptions import MlflowException

    try:
        tracker.client().get_model_version(key[0], str(key[1]))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _loaded(key: Key) -> ServedModel:
    import mlflow.pyfunc

    name, version = key
    function = mlflow.pyfunc.load_model(f"models:/{name}/{version}")
    schema = function.metadata.get_input_schema()
    is_named = schema is not None and schema.has_input_names()
    return ServedModel(
        key=key,
        function=function,
        columns={column.name: str(column.type).removeprefix("DataType.") for column in schema.inputs}
        if is_named
        else {},
        required=tuple(schema.required_input_names()) if is_named else (),
        threads=ThreadPoolExecutor(THREADS_PER_MODEL, f"{name}-{version}"),
    )


def _reason(error: Exception) -> str:
    """The last part of MLflow's text says what is wrong; the part before repeats all the data."""
    return str(error).rsplit("Error: ", 1)[-1].strip().rstrip(".")[:REASON_LENGTH]


def _text(value: object) -> str | None:
    return None if value is None or value != value else str(value)  # noqa: PLR0124 - NaN differs from itself


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) or hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else None
    return None
