"""Trainers, and the registry of what they made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from workbench_core.ports.models import Message
from workbench_core.ports.values import Availability, Json

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One eligible pair: the template's variables, the rendered messages without the answer, and the answer."""

    pair_id: str
    item_ref: str
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """All that a trainer needs. `template` is the frozen template as JSON; it goes into the model's artifacts."""

    job_id: str
    model_name: str
    answer_kind: str  # label, structured or text
    template: Mapping[str, Json]
    train: tuple[TrainingExample, ...]
    validation: tuple[TrainingExample, ...]
    parameters: Mapping[str, Json]
    seed: int = 42
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """What a trainer reports while it works: how far it is, measured values, or a sentence for the log.

    `step` of `total` is progress; `metrics` are points of the live curves at that step, for instance train_loss.
    """

    message: str = ""
    step: int = 0
    total: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A registered model version. `metrics` are the trainer's own (cross-validation, final loss)."""

    model_name: str
    version: int
    metrics: Mapping[str, float]
    details: Mapping[str, Json]  # chosen candidate and the others with their scores
    tracking_run_id: str
    tracking_experiment_id: str


class Trainer(Protocol):
    """Turns examples into a registered model version."""

    name: str
    title: str
    answer_kinds: tuple[str, ...]

    def availability(self) -> Availability:
        """Whether it can train here; quick, and never raises."""
        ...

    def default_parameters(self) -> dict[str, Json]:
        """The parameters a person may change, with their defaults."""
        ...

    def train(
        self,
        request: TrainingRequest,
        *,
        on_event: Callable[[TrainingEvent], None],
        cancelled: Callable[[], bool],
    ) -> TrainingResult | None:
        """Train and register; None when cancelled. Training one job twice registers one version only.

        Raises BackendError with the reason when the training process fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version as the registry knows it."""

    model_name: str
    version: int
    job_id: str
    tracking_run_id: str
    created_at: datetime
    aliases: tuple[str, ...] = ()


class Tracker(Protocol):
    """The experiment tracking and the model registry."""

    def versions(self, model_name: str) -> list[RegisteredVersion]:
        """All versions of a model, newest first; empty when the model is unknown."""
        ...

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        """Point an alias such as `production` at a version. Raises NotFound."""
        ...
