"""The installation: which parts this workbench is made of, whether each can be used, and how it is configured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench_core.errors import BackendError, WorkbenchError
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import (
    Availability,
    ChatAnswer,
    ChatModel,
    ChatOptions,
    Conversation,
    Embedder,
    Lake,
    Message,
    Serving,
    Store,
    Trainer,
)
from workbench_core.settings import Settings

QUESTION = "What is the capital of France? Answer with one word."
_PACKAGES = (
    "streamlit", "pandas", "duckdb", "SQLAlchemy", "scikit-learn", "mlflow-skinny", "mlflow", "onnxruntime",
    "xllamacpp", "openai", "plotly", "streamlit-aggrid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what it is, whether it is ready, else why not and what to do, and what it is configured to."""

    name: str
    title: str
    availability: Availability
    details: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether it can be used now."""
        return self.availability.is_ready


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable: what it means and its present value; of a secret only whether it is set."""

    name: str
    meaning: str
    default: str
    value: str = ""
    is_secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("WORKBENCH_HOME", "Folder that holds everything the workbench keeps", ".workbench"),
    Variable("WORKBENCH_BACKEND", "Where data and models live", "local"),
    Variable("WORKBENCH_STORE_URL", "Database of decisions; PostgreSQL shares it", "SQLite in the home"),
    Variable("WORKBENCH_MODEL_URL", "Base URL of an OpenAI-compatible model server", "the tiny local model"),
    Variable("WORKBENCH_MODEL_NAME", "Model to ask there", ""),
    Variable("WORKBENCH_MODEL_KEY", "Key for that server", "", is_secret=True),
    Variable("WORKBENCH_MODEL_TIMEOUT", "Seconds to wait for one answer", "120"),
    Variable("WORKBENCH_MODEL_CONCURRENCY", "Questions asked at the same time", "8"),
    Variable("WORKBENCH_USER", "Who works here when nobody is signed in", "the login name"),
    Variable("WORKBENCH_DEFAULT_ROLE", "Role of a person without an assigned one", "admin on a laptop"),
    Variable("WORKBENCH_FINETUNE_PYTHON", "Python that fine-tunes language models", "what “make finetune” installs"),
    Variable("WORKBENCH_IMPORT_FOLDERS", "Folders whose files can be imported by path", "inbox in the home"),
    Variable("WORKBENCH_WORKER_THREADS", "Pieces of long work done at the same time", "2"),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts to look at; models, trainers and serving are made when they are asked for."""

    store: Store
    lake: Lake
    chat_model: Callable[[], ChatModel]
    embedder: Callable[[], Embedder]
    trainers: Callable[[], Sequence[Trainer]]
    serving: Callable[[], Serving]


class Installation:
    """Look at the parts, ask the language model, read configuration and versions."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        permissions: Permissions,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._permissions = permissions
        self._environment = os.environ if environment is None else environment

    def parts(self) -> list[Part]:
        """Every part with its readiness; none of them is started by looking."""
        model, embedder = self._parts.chat_model(), self._parts.embedder()
        home = self._settings.home
        return [
            Part("store", "Store", _reached(self._ping_store), {"Address": without_password(self._settings.store_url)}),
            Part("lake", "Lake", _reached(self._parts.lake.tables), {"Folder": str(home / "lake")}),
            Part(
                "chat_model", "Language model", model.availability(),
                {"Model": model.name, "Title": model.title, "Server": without_password(self._settings.model_url)},
            ),
            Part(
                "embedder", "Sentence vectors", embedder.availability(),
                {"Model": embedder.name, "Dimension": str(embedder.dimension)},
            ),
            *(
                Part(
                    f"trainer_{trainer.name}", f"Trainer: {trainer.title}", trainer.availability(),
                    {"Learns": ", ".join(trainer.answer_kinds)},
                )
                for trainer in self._parts.trainers()
            ),
            Part("serving", "Serving", self._parts.serving().availability(), {}),
            Part("tracking", "Tracking and registry", Availability(True), {"Folder": str(home / "mlflow")}),
        ]  # fmt: skip

    def ask_model(self, *, by: str) -> ChatAnswer:
        """Ask the language model one small question; the answer may be an error in words.

        Raises Unavailable when it cannot be reached, NotPermitted.
        """
        self._permissions.check(by, Action.ADMINISTER)
        question = Conversation("test", (Message("user", QUESTION),))
        answers = list(self._parts.chat_model().answer([question], options=ChatOptions(max_tokens=24)))
        if not answers:
            raise BackendError("The language model gave no answer.", hint="Look at its readiness and try again.")
        return answers[0]

    def variables(self) -> list[Variable]:
        """What can be configured, with the present values; secrets are never given out."""
        return [replace(variable, value=self._value(variable)) for variable in VARIABLES]

    def versions(self) -> dict[str, str]:
        """The versions of Python and of the packages that matter; one that is not installed is left out."""
        found = {"Python": platform.python_version()}
        for package in _PACKAGES:
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        return found

    def _value(self, variable: Variable) -> str:
        value = self._environment.get(variable.name, "")
        return ("set" if value else "") if variable.is_secret else without_password(value)

    def _ping_store(self) -> None:
        self._parts.store.query("SELECT 1 AS answer")


def without_password(url: str) -> str:
    """An address that may be shown: the password is hidden, and what follows a question mark is left out."""
    if "://" not in url:
        return url
    return re.sub(r"(://[^:/@]*):.*@", r"\1:…@", url).partition("?")[0]


def _reached(ask: Callable[[], object]) -> Availability:
    """Ready when asking works, else the reason in words."""
    try:
        ask()
    except WorkbenchError as error:
        return Availability(False, error.message, error.hint)
    return Availability(True)
