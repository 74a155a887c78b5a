"""The words of training sheets: the request, what the pre-flight finds, the stored sheet and its lifecycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.lifecycle import Lifecycle
from workbench_core.pairs import PairCounts
from workbench_core.ports import Availability, IdentifierCheck, Row
from workbench_core.prompt_templates import AnswerSource, RenderedItem, TemplateSnapshot, from_snapshot

DEFAULT_ROW_LIMIT = 10_000
COLUMNS = (
    "id, name, description, sheet_id, prompt_template_id, template_version, template_snapshot, label_type, mapping, "
    "answer_source, answer_column, filter, row_limit, model_title, model_name, generation_options, is_test, is_demo, "
    "status, error, selected_items, left_out_items, row_version, created_by, created_at, completed_at, updated_by, "
    "updated_at"
)


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


LIFECYCLE: Lifecycle[TrainingSheetStatus] = Lifecycle(
    finish=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.REVIEW),
    fail=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.FAILED),
    cancel=({TrainingSheetStatus.GENERATING}, TrainingSheetStatus.FAILED),
    resume=({TrainingSheetStatus.FAILED}, TrainingSheetStatus.GENERATING),
    append_new=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.GENERATING),
    close_review=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.APPROVED),
    reject=({TrainingSheetStatus.REVIEW}, TrainingSheetStatus.REJECTED),
    reopen=({TrainingSheetStatus.APPROVED}, TrainingSheetStatus.REVIEW),
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
BY_SYSTEM = frozenset({"finish", "fail", "mark_trained"})


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to generate: one template over the items of one sheet.

    `mapping` gives the column of each placeholder. Without an answer source the template's is used. `held_out` items
    get pairs that may only measure, never train. Items that a person set aside for their quality are left out unless
    `includes_set_aside`.
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


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a generation would do (TS-1): nothing was written. Any `problems` keep it from starting.

    `selected` items would be worked through, `left_out` lie above the row limit. `hits` have a canonical label,
    `misses` do not; `barred` counts by reason the pairs that could not be used for training. `quarantined` rows were
    set aside for their quality; they are among the selected ones only when the request includes them.
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

    @property
    def can_generate(self) -> bool:
        """True without problems."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """The rest of a request, as the training sheet keeps it; `appends` marks that only new items are worked on."""

    item_refs: tuple[str, ...] | None = None
    held_out: frozenset[str] = frozenset()
    appends: bool = False
    includes_set_aside: bool = False

    def to_json(self) -> str:
        """The options as JSON text; `read_options` reads them back."""
        return rows.to_json(
            {
                "item_refs": None if self.item_refs is None else list(self.item_refs),
                "held_out": sorted(self.held_out),
                "appends": self.appends,
                "includes_set_aside": self.includes_set_aside,
            }
        )


@dataclass(frozen=True, slots=True)
class TrainingSheet:
    """A training sheet as it is stored, with its pairs counted."""

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
    row_version: int
    created_by: str
    created_at: datetime
    completed_at: datetime | None
    updated_by: str
    updated_at: datetime
    counts: PairCounts = PairCounts()  # noqa: RUF009 (frozen)

    @property
    def actions(self) -> tuple[str, ...]:
        """What a person can do with it now, in the order of the buttons."""
        possible = [action for action in LIFECYCLE.actions(self.status) if action not in BY_SYSTEM]
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
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        completed_at=rows.time_or_none(row, "completed_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
        counts=counts,
    )


def read_options(row: Row) -> GenerationOptions:
    """The options out of the column `generation_options`."""
    stored = rows.json_object(row, "generation_options")
    chosen, held_out = stored.get("item_refs"), stored.get("held_out")
    return GenerationOptions(
        item_refs=tuple(map(str, chosen)) if isinstance(chosen, list) else None,
        held_out=frozenset(map(str, held_out)) if isinstance(held_out, list) else frozenset(),
        appends=bool(stored.get("appends")),
        includes_set_aside=bool(stored.get("includes_set_aside")),
    )
