"""The words of answering: asking a model about pairs that exist already, in place (TS-11, re-generation)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.chat_models import CallEstimate
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import Row
from workbench_core.prompt_templates import TemplateSnapshot, from_snapshot
from workbench_core.runs import Run
from workbench_core.training_sheets.model import FewShot, read_few_shots
from workbench_core.training_sheets.spending import SPENDING_COLUMNS, Allowance, Spending, spending_from

ANSWERING_COLUMNS = (
    "id, training_sheet_id, status, error, overwrites, is_selection, model_name, model_title, prompt_template_id, "
    f"template_snapshot, examples_wanted, examples, seed, {SPENDING_COLUMNS}, budget, call_limit, pause_reason, "
    "paused_by, started_by, started_at"
)


class AnsweringStatus(StrEnum):
    """Where an answering stands."""

    WORKING = "working"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ANSWERING_LIFECYCLE: Lifecycle[AnsweringStatus] = Lifecycle(
    finish=({AnsweringStatus.WORKING}, AnsweringStatus.DONE),
    fail=({AnsweringStatus.WORKING}, AnsweringStatus.FAILED),
    pause=({AnsweringStatus.WORKING}, AnsweringStatus.PAUSED),
    cancel=({AnsweringStatus.WORKING, AnsweringStatus.PAUSED}, AnsweringStatus.CANCELLED),
    resume=(
        {AnsweringStatus.PAUSED, AnsweringStatus.FAILED, AnsweringStatus.CANCELLED},
        AnsweringStatus.WORKING,
    ),
)
ANSWERING_BY_SYSTEM = frozenset({"finish", "fail"})


class AnsweringOutcome(StrEnum):
    """What became of one pair of an answering; one that somebody changed meanwhile is left alone."""

    WAITING = "waiting"
    ANSWERED = "answered"
    FAILED = "failed"
    LEFT_ALONE = "left_alone"


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Which pairs of a training sheet a model shall answer, and how.

    Without `pair_ids` all pending pairs without an answer. Pairs with an answer are left out unless `overwrite`; those
    that a person decided about, or typed the answer of, always are. With `template_id`, a newer version of the same
    template, question and answer are made anew. Without a model name the template's, else the training sheet's model
    answers. `budget` and `call_limit` hold for this answering alone; None is no limit.
    """

    pair_ids: tuple[str, ...] | None = None
    overwrite: bool = False
    examples: int = 0
    model_name: str = ""
    template_id: str = ""
    budget: float | None = None
    call_limit: int | None = None
    seed: int = 42


@dataclass(frozen=True, slots=True)
class AnsweringPreview:
    """How many pairs would be answered, how many of those asked for would not and why, and what the calls will take.

    `from_labels` have a canonical label by now and `kept_answers` were given by the model before: neither is paid for.
    Of very many pairs only some are looked at: then `is_exact` is false, and these numbers are in proportion.
    """

    pairs: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    estimate: CallEstimate | None = None
    from_labels: int = 0
    kept_answers: int = 0
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Answering:
    """One answering of a training sheet: `done` of `total` pairs, of which `errors` failed.

    `left_alone` ones were changed by somebody meanwhile. Of a selection, `request.pair_ids` is empty: `total` says
    how many they are. `run` is the newest run of this training sheet's answerings.
    """

    id: str
    training_sheet_id: str
    status: AnsweringStatus
    error: str
    request: AnswerRequest
    model_name: str
    model_title: str
    newer_template: TemplateSnapshot | None
    examples: tuple[FewShot, ...]
    total: int
    done: int
    errors: int
    left_alone: int
    spent: Spending
    pause_reason: str
    paused_by: str
    started_by: str
    started_at: datetime
    run: Run | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it was told to wait."""
        return self.status is AnsweringStatus.PAUSED

    @property
    def is_over(self) -> bool:
        """Whether nothing more is made by it, unless somebody resumes it."""
        return self.status not in {AnsweringStatus.WORKING, AnsweringStatus.PAUSED}

    @property
    def allowance(self) -> Allowance:
        """How much may be spent on it."""
        return Allowance(self.request.budget, self.request.call_limit, self.spent.currency)

    @property
    def actions(self) -> tuple[str, ...]:
        """What a person can do with it now: pause, resume, cancel."""
        return tuple(a for a in ANSWERING_LIFECYCLE.actions(self.status) if a not in ANSWERING_BY_SYSTEM)


def answering_from(row: Row, outcomes: Mapping[AnsweringOutcome, int], run: Run | None) -> Answering:
    """Read an answering out of a row with `ANSWERING_COLUMNS` and the number of its pairs by outcome."""
    total = sum(outcomes.values())
    return Answering(
        id=rows.text(row, "id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        status=AnsweringStatus(rows.text(row, "status")),
        error=rows.text(row, "error"),
        request=_request(row),
        model_name=rows.text(row, "model_name"),
        model_title=rows.text(row, "model_title"),
        newer_template=from_snapshot(snapshot) if (snapshot := rows.json_object(row, "template_snapshot")) else None,
        examples=read_few_shots(rows.json_list(row, "examples")),
        total=total,
        done=total - outcomes.get(AnsweringOutcome.WAITING, 0),
        errors=outcomes.get(AnsweringOutcome.FAILED, 0),
        left_alone=outcomes.get(AnsweringOutcome.LEFT_ALONE, 0),
        spent=spending_from(row),
        pause_reason=rows.text(row, "pause_reason"),
        paused_by=rows.text(row, "paused_by"),
        started_by=rows.text(row, "started_by"),
        started_at=rows.time(row, "started_at"),
        run=run,
    )


def _request(row: Row) -> AnswerRequest:
    return AnswerRequest(
        pair_ids=() if rows.flag(row, "is_selection") else None,
        overwrite=rows.flag(row, "overwrites"),
        examples=rows.whole(row, "examples_wanted"),
        model_name=rows.text(row, "model_name"),
        template_id=rows.text(row, "prompt_template_id"),
        budget=rows.number_or_none(row, "budget"),
        call_limit=rows.whole_or_none(row, "call_limit"),
        seed=rows.whole(row, "seed"),
    )
