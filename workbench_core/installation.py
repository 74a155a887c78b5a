"""The installation: which parts this workbench is made of, whether each can be used, and how it is configured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from workbench_core.errors import BackendError, NotFound, WorkbenchError
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
from workbench_core.settings import ModelSettings, Settings, server_of

QUESTION = "What is the capital of France? Answer with one word."
_PACKAGES = (
    "streamlit", "pandas", "duckdb", "SQLAlchemy", "scikit-learn", "mlflow-skinny", "mlflow", "onnxruntime",
    "xllamacpp", "aiohttp", "databricks-sdk", "plotly", "streamlit-aggrid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One part: what it is, whether it is ready, else why not and what to do, and what it is configured to.

    `model_name` names the language model that can be asked; it is empty for every other part.
    """

    name: str
    title: str
    availability: Availability
    details: Mapping[str, str]
    model_name: str = ""

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
    Variable("WORKBENCH_MODEL_NAME", "Model to ask there", "the only one that it lists"),
    Variable("WORKBENCH_MODEL_KEY", "Key for that server", "", is_secret=True),
    Variable("WORKBENCH_MODEL_AUTH", "How to sign in there: key or databricks", "key"),
    Variable("WORKBENCH_MODEL_TIMEOUT", "Seconds to wait for one answer", "120"),
    Variable("WORKBENCH_MODEL_CONCURRENCY", "Questions asked at the same time", "8"),
    Variable("WORKBENCH_MODEL_REQUESTS_PER_MINUTE", "Questions a minute at most", "no limit"),
    Variable("WORKBENCH_MODEL_TOKENS_PER_MINUTE", "Tokens a minute at most", "no limit"),
    Variable("WORKBENCH_MODEL_PRICE_IN", "Price of a million tokens read", "not known"),
    Variable("WORKBENCH_MODEL_PRICE_OUT", "Price of a million tokens written", "not known"),
    Variable("WORKBENCH_MODEL_PRICE_CURRENCY", "Currency of the prices", "USD"),
    Variable("WORKBENCH_MODEL_PICTURES", "Whether it reads pictures: yes or no", "no"),
    Variable("WORKBENCH_MODEL_STRUCTURED", "JSON by json_schema, json_object or none", "auto: it is found out"),
    Variable("WORKBENCH_MODELS", "File with further language models", "models.toml in the home"),
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
    chat_models: Callable[[], Sequence[ChatModel]]
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
        embedder = self._parts.embedder()
        home = self._settings.home
        return [
            Part("store", "Store", _reached(self._ping_store), {"Address": without_password(self._settings.store_url)}),
            Part("lake", "Lake", _reached(self._parts.lake.tables), {"Folder": str(home / "lake")}),
            *self._models(),
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

    def ask_model(self, name: str, *, by: str) -> ChatAnswer:
        """Ask a language model one small question anew; the answer may be an error in words.

        Raises NotFound for an unknown model, Unavailable when it cannot be reached, NotPermitted.
        """
        self._permissions.check(by, Action.ADMINISTER)
        found = next((model for model in self._parts.chat_models() if model.name == name), None)
        if found is None:
            raise NotFound(f"No language model “{name}” is configured.", hint="Reload the page.")
        question = Conversation("test", (Message("user", QUESTION),))
        answers = list(found.answer([question], options=ChatOptions(max_tokens=24, asks_again=True)))
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

    def _models(self) -> list[Part]:
        """The language models, the default one first; they are looked at together, as each may take seconds."""
        models = list(self._parts.chat_models())
        settings = {one.name: one for one in self._settings.models}
        with ThreadPoolExecutor(max_workers=max(1, len(models))) as threads:
            looked = list(threads.map(lambda model: model.availability(), models))
        return [
            Part(
                "chat_model" if number == 0 else f"chat_model_{number}",
                "Language model" if number == 0 else f"Language model: {model.title}",
                availability,
                _model_details(model, settings.get(model.name)),
                model.name,
            )
            for number, (model, availability) in enumerate(zip(models, looked, strict=True))
        ]

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


def _model_details(model: ChatModel, settings: ModelSettings | None) -> dict[str, str]:
    """How a model is configured, without its key; one of the workbench itself has no server."""
    price = model.price
    details = {
        "Model": model.name,
        "Title": model.title if model.title != model.name else "",
        "Price": f"{price.tokens_in:g} in, {price.tokens_out:g} out, {price.currency} per million tokens"
        if price and (price.tokens_in or price.tokens_out) else "nothing" if price else "not known",
        "At the same time": f"{model.concurrency:,}",
        "Pictures": "read" if model.reads_pictures else "",
    }  # fmt: skip
    if settings is None:
        return details
    limits = {"requests": settings.requests_per_minute, "tokens": settings.tokens_per_minute}
    return details | {
        "Server": server_of(settings.url),
        "Limit": ", ".join(f"{limit:,} {what} a minute" for what, limit in limits.items() if limit),
        "Key": _key_of(settings),
    }


def _key_of(settings: ModelSettings) -> str:
    """Whether the key is set, never the key."""
    if settings.auth == "databricks":
        return "sign-in by databricks-sdk"
    if not settings.key_env:
        return "none needed"
    return f"{settings.key_env} is {'set' if settings.key else 'not set'}"


def _reached(ask: Callable[[], object]) -> Availability:
    """Ready when asking works, else the reason in words."""
    try:
        ask()
    except WorkbenchError as error:
        return Availability(False, error.message, error.hint)
    return Availability(True)
