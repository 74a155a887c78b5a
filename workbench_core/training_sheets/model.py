"""The words of training sheets: the request, what the pre-flight finds, the stored sheet and its lifecycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.chat_models import CallEstimate
from workbench_core.lifecycle import Lifecycle
from workbench_core.pairs import PairCounts
from workbench_core.ports import Availability, IdentifierCheck, Json, Row
from workbench_core.prompt_templates import AnswerSource, RenderedItem, TemplateSnapshot, from_snapshot
from workbench_core.training_sheets.sampling import Sampling, read_sampling, sampling_json
from workbench_core.training_sheets.spending import SPENDING_COLUMNS, Allowance, Spending, spending_from

DEFAULT_ROW_LIMIT = 10_000
MOST_ROWS = 1_000_000_000  # of one training sheet
MOST_SEED = 2**32 - 1  # what all endpoints take
MAX_EXAMPLES = 10  # few-shot turns before each item (TS-2)
COLUMNS = (
    "id, name, description, sheet_id, prompt_template_id, template_version, template_snapshot, label_type, mapping, "
    "answer_source, answer_column, filter, row_limit, model_title, model_name, generation_options, is_test, is_demo, "
    "status, error, selected_items, left_out_items, unlabelled_items, row_version, created_by, created_at, "
    f"completed_at, updated_by, updated_at, {SPENDING_COLUMNS}, budget, call_limit, pause_reason, paused_by, "
    "cancelled_by, reviewed_by, reviewed_at"
)
_ASKING = frozenset({AnswerSource.AI_GENERATED, AnswerSource.HYBRID})
_COLUMN = frozenset({AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID})


def asks_model(source: AnswerSource) -> bool:
    """Whether a model answers the items that have no other answer."""
    return source in _ASKING


def reads_column(source: AnswerSource) -> bool:
    """Whether a column of the source holds answers."""
    return source in _COLUMN


class TrainingSheetStatus(StrEnum):
    """Where a training sheet stands (spec 2.5)."""

    GENERATING = "generating"
    FAILED = "failed"
    REVIEW = "review"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPORTED = "exported"
    TRAINED = "trained"
    ARCHIVED = "archived"


PAUSED = "paused"  # a generating sheet whose run was told to wait; its status stays generating
LIFECYCLE: Lifecycle[str] = Lifecycle(
    finish=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.REVIEW),
    fail=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.FAILED),
    pause=({TrainingSheetStatus.GENERATING}, PAUSED),
    cancel=({TrainingSheetStatus.GENERATING, PAUSED}, TrainingSheetStatus.FAILED),
    resume=({TrainingSheetStatus.FAILED, PAUSED}, TrainingSheetStatus.GENERATING),
    append_new=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.GENERATING),
    cancel_append=({TrainingSheetStatus.GENERATING, PAUSED}, TrainingSheetStatus.REVIEW),
    fail_append=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.REVIEW),
    close_review=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.APPROVED),
    reject=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.REJECTED),
    reopen=({TrainingSheetStatus.APPROVED}, TrainingSheetStatus.REVIEW),
    export=({TrainingSheetStatus.APPROVED, TrainingSheetStatus.EXPORTED}, TrainingSheetStatus.EXPORTED),
    mark_trained=(
        {TrainingSheetStatus.APPROVED, TrainingSheetStatus.EXPORTED, TrainingSheetStatus.TRAINED},
        TrainingSheetStatus.TRAINED,
    ),
    archive=(
        {
            TrainingSheetStatus.FAILED,
            TrainingSheetStatus.REVIEW,
            TrainingSheetStatus.APPROVED,
            TrainingSheetStatus.REJECTED,
            TrainingSheetStatus.EXPORTED,
        },
        TrainingSheetStatus.ARCHIVED,
    ),
)
BY_SYSTEM = frozenset({"finish", "fail", "cancel_append", "fail_append", "export", "mark_trained"})


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to generate: one template over the items of one sheet.

    `mapping` gives the column of each placeholder. Without an answer source the template's is used, without a model
    name the template's model, else the default one. `held_out` items get pairs that may only measure, never train.
    Items that a person set aside for their quality are left out unless `includes_set_aside`. `budget` is in the
    currency of the model's price; None is no limit. `examples` of the latest approved pairs of the same sheet and
    label type, 0 to 10, are shown to the model before each item. `sampling` takes the place of the sheet's sample.
    """

    sheet_id: str
    prompt_template_id: str
    mapping: Mapping[str, str]
    name: str = ""
    description: str = ""
    answer_source: AnswerSource | None = None
    answer_column: str = ""
    filter: str = ""
    row_limit: int = DEFAULT_ROW_LIMIT
    item_refs: tuple[str, ...] | None = None
    held_out: frozenset[str] = frozenset()
    is_demo: bool = False
    includes_set_aside: bool = False
    model_name: str = ""
    budget: float | None = None
    call_limit: int | None = None
    examples: int = 0
    seed: int = 42
    sampling: Sampling | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a generation would do (TS-1): nothing was written. Any `problems` keep it from starting.

    `selected` items would be worked through, `left_out` lie above the row limit. `hits` have a canonical label,
    `misses` do not; `barred` counts by reason the pairs that could not be used for training. `quarantined` rows were
    set aside for their quality; they are among the selected ones only when the request includes them. Of the misses,
    `from_column` are answered by a column, `kept_answers` by what the model answered before, `model_calls` are paid
    for, and `blank` ones have no answer (with canonical labels alone they are left out). Of very many questions only
    some are looked at: then `is_kept_exact` is false, and calls, kept answers and estimate are in proportion.
    With canonical labels alone `unlabelled` items get no pair. `unknown_labels` have a class that the template does not
    know: their pairs wait for a person. `render_problems` are those of the rows that were looked at. `warnings` keep
    nothing from starting.
    """

    selected: int = 0
    left_out: int = 0
    quarantined: int = 0
    hits: int = 0
    misses: int = 0
    identifier: IdentifierCheck | None = None
    unmapped: tuple[str, ...] = ()
    model: Availability | None = None
    model_title: str = ""
    model_calls: int = 0
    barred: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[RenderedItem, ...] = ()
    problems: tuple[str, ...] = ()
    kept_answers: int = 0
    from_column: int = 0
    blank: int = 0
    estimate: CallEstimate | None = None
    render_problems: tuple[str, ...] = ()
    is_kept_exact: bool = True
    warnings: tuple[str, ...] = ()
    unlabelled: int = 0
    unknown_labels: int = 0

    @property
    def to_review(self) -> int:
        """The pairs that would wait for a person."""
        return self.selected - self.unlabelled - self.hits + self.unknown_labels

    @property
    def can_generate(self) -> bool:
        """True without problems."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class FewShot:
    """An approved pair as an example: the item it is about, its question with pictures, and its answer."""

    item_ref: str
    question: str
    answer: str
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """The rest of a request, as the training sheet keeps it; `appends` marks that only new items are worked on.

    They come after the position `grown_from`. `selection` is what decided about the items of the sheet when the work
    was begun: it must be the same when it goes on. The items that `sampling` drew are frozen as `item_refs`, so that
    the source may change in between. `examples` are frozen when the generation begins: one more than
    `examples_wanted`, so that an item that is among them is asked with the others.
    """

    item_refs: tuple[str, ...] | None = None
    held_out: frozenset[str] = frozenset()
    appends: bool = False
    includes_set_aside: bool = False
    seed: int = 42
    examples_wanted: int = 0
    examples: tuple[FewShot, ...] = ()
    grown_from: int = 0
    selection: Mapping[str, str] = field(default_factory=dict)
    sampling: Sampling | None = None

    def to_json(self) -> str:
        """The options as JSON text; `read_options` reads them back."""
        return rows.to_json(
            {
                "item_refs": None if self.item_refs is None else list(self.item_refs),
                "held_out": sorted(self.held_out),
                "appends": self.appends,
                "includes_set_aside": self.includes_set_aside,
                "seed": self.seed,
                "examples_wanted": self.examples_wanted,
                "examples": few_shots_json(self.examples),
                "grown_from": self.grown_from,
                "selection": dict(self.selection),
                "sampling": sampling_json(self.sampling),
            }
        )


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one request of a batch: its training sheet, or why there is none.

    The budget and the call limit of the request are those of this one training sheet, not shares of the batch's.
    """

    request: GenerationRequest
    training_sheet: TrainingSheet | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingSheet:
    """A training sheet as it is stored, with its pairs counted.

    `left_out_items` lie above the row limit; `unlabelled_items` have no canonical label, where nothing else answers.
    `pause_reason` is empty when it is not paused, `paused_by` also when a limit paused it. `cancelled_by` is who
    cancelled its generation, until something else became of it. `reviewed_by` closed its review, or rejected the whole,
    at `reviewed_at`; while the review is open nobody did.
    """

    id: str
    name: str
    description: str
    sheet_id: str
    prompt_template_id: str
    template_version: str
    template: TemplateSnapshot
    label_type: str
    mapping: Mapping[str, str]
    answer_source: AnswerSource
    answer_column: str
    filter: str
    row_limit: int
    model_title: str
    model_name: str
    options: GenerationOptions
    is_test: bool
    is_demo: bool
    status: TrainingSheetStatus
    error: str
    selected_items: int
    left_out_items: int
    unlabelled_items: int
    row_version: int
    created_by: str
    created_at: datetime
    completed_at: datetime | None
    updated_by: str
    updated_at: datetime
    counts: PairCounts = PairCounts()  # noqa: RUF009 (frozen)
    spent: Spending = Spending()  # noqa: RUF009 (frozen)
    budget: float | None = None
    call_limit: int | None = None
    pause_reason: str = ""
    paused_by: str = ""
    cancelled_by: str = ""
    reviewed_by: str = ""
    reviewed_at: datetime | None = None

    @property
    def is_paused(self) -> bool:
        """Whether its generation was told to wait; resuming goes on."""
        return self.status is TrainingSheetStatus.GENERATING and bool(self.pause_reason)

    @property
    def stage(self) -> str:
        """Where it stands in `LIFECYCLE`: its status, or paused."""
        return PAUSED if self.is_paused else self.status

    @property
    def allowance(self) -> Allowance:
        """How much may be spent on it altogether."""
        return Allowance(self.budget, self.call_limit, self.spent.currency)

    @property
    def actions(self) -> tuple[str, ...]:
        """What a person can do with it now, in the order of the buttons."""
        possible = [action for action in LIFECYCLE.actions(self.stage) if action not in BY_SYSTEM]
        return (*possible, *(() if self.status is TrainingSheetStatus.GENERATING else ("delete",)))


def training_sheet_from(row: Row, counts: PairCounts) -> TrainingSheet:
    """Read a training sheet out of a row with `COLUMNS`."""
    return TrainingSheet(
        id=rows.text(row, "id"),
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        sheet_id=rows.text(row, "sheet_id"),
        prompt_template_id=rows.text(row, "prompt_template_id"),
        template_version=rows.text(row, "template_version"),
        template=from_snapshot(rows.json_object(row, "template_snapshot")),
        label_type=rows.text(row, "label_type"),
        mapping={name: str(column) for name, column in rows.json_object(row, "mapping").items()},
        answer_source=AnswerSource(rows.text(row, "answer_source")),
        answer_column=rows.text(row, "answer_column"),
        filter=rows.text(row, "filter"),
        row_limit=rows.whole(row, "row_limit"),
        model_title=rows.text(row, "model_title"),
        model_name=rows.text(row, "model_name"),
        options=read_options(row),
        is_test=rows.flag(row, "is_test"),
        is_demo=rows.flag(row, "is_demo"),
        status=TrainingSheetStatus(rows.text(row, "status")),
        error=rows.text(row, "error"),
        selected_items=rows.whole(row, "selected_items"),
        left_out_items=rows.whole(row, "left_out_items"),
        unlabelled_items=rows.whole(row, "unlabelled_items"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        completed_at=rows.time_or_none(row, "completed_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
        counts=counts,
        spent=spending_from(row),
        budget=rows.number_or_none(row, "budget"),
        call_limit=rows.whole_or_none(row, "call_limit"),
        pause_reason=rows.text(row, "pause_reason"),
        paused_by=rows.text(row, "paused_by"),
        cancelled_by=rows.text(row, "cancelled_by"),
        reviewed_by=rows.text(row, "reviewed_by"),
        reviewed_at=rows.time_or_none(row, "reviewed_at"),
    )


def read_options(row: Row) -> GenerationOptions:
    """The options out of the column `generation_options`."""
    stored = rows.json_object(row, "generation_options")
    chosen, held_out, examples = stored.get("item_refs"), stored.get("held_out"), stored.get("examples")
    selection = stored.get("selection")
    return GenerationOptions(
        item_refs=tuple(map(str, chosen)) if isinstance(chosen, list) else None,
        held_out=frozenset(map(str, held_out)) if isinstance(held_out, list) else frozenset(),
        appends=bool(stored.get("appends")),
        includes_set_aside=bool(stored.get("includes_set_aside")),
        seed=int(str(stored.get("seed", 42))),
        examples_wanted=int(str(stored.get("examples_wanted", 0))),
        examples=read_few_shots(examples if isinstance(examples, list) else []),
        grown_from=int(str(stored.get("grown_from", 0))),
        selection={name: str(value) for name, value in selection.items()} if isinstance(selection, dict) else {},
        sampling=read_sampling(stored.get("sampling")),
    )


def few_shots_json(examples: Sequence[FewShot]) -> list[Json]:
    """Examples as JSON; `read_few_shots` reads them back."""
    return [
        {
            "item_ref": example.item_ref,
            "question": example.question,
            "answer": example.answer,
            **({"attachments": list(example.attachments)} if example.attachments else {}),
        }
        for example in examples
    ]


def read_few_shots(stored: Sequence[Json]) -> tuple[FewShot, ...]:
    """Examples from their JSON."""
    return tuple(
        FewShot(str(entry.get("item_ref")), str(entry.get("question")), str(entry.get("answer")), _attachments(entry))
        for entry in stored
        if isinstance(entry, dict)
    )


def _attachments(stored: Mapping[str, Json]) -> tuple[str, ...]:
    found = stored.get("attachments")
    return tuple(map(str, found)) if isinstance(found, list) else ()
