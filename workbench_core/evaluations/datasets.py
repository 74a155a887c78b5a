"""The items of an evaluation: approved, permitted for evaluation, and never seen by the version (INV-T3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from workbench_core import rows, usage
from workbench_core.eligibility import APPROVED
from workbench_core.errors import Invalid, NotFound
from workbench_core.evaluations.model import DatasetChoice, DatasetKind
from workbench_core.metrics import AnswerField, AnswerKind, answer_schema
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.ports import Json, Row, Store
from workbench_core.usage import Use

SEEN = "seen in training"
_OFFERED = 50
_PAIRS_OF = {
    DatasetKind.TEST: "JOIN training_job_pairs d ON d.pair_id = p.id AND d.job_id = :dataset AND d.split = 'test'",
    DatasetKind.GAP: "JOIN labeling_tasks t ON t.training_sheet_id = p.training_sheet_id AND t.id = :dataset "
    "JOIN labeling_task_items d ON d.task_id = t.id AND d.item_ref = p.item_ref AND d.part = 'held_out'",
    DatasetKind.TRAINING_SHEET: "JOIN training_sheets d ON d.id = p.training_sheet_id AND d.id = :dataset",
}
_LABEL_TYPE_OF = {
    DatasetKind.TEST: "SELECT t.label_type FROM training_jobs j JOIN training_sheets t ON t.id = j.training_sheet_id "
    "WHERE j.id = :dataset",
    DatasetKind.GAP: "SELECT t.label_type FROM labeling_tasks l JOIN training_sheets t ON t.id = l.training_sheet_id "
    "WHERE l.id = :dataset",
    DatasetKind.TRAINING_SHEET: "SELECT label_type FROM training_sheets WHERE id = :dataset",
}


@dataclass(frozen=True, slots=True)
class HeldOutItem:
    """One item to answer: the template's variables, and the answer that an expert approved."""

    pair_id: str
    item_ref: str
    variables: dict[str, Json]
    expected: str


class Datasets:
    """Find the items of a dataset that a version may be measured on."""

    def __init__(self, store: Store, versions: ModelVersions) -> None:
        self._store = store
        self._versions = versions

    def offered(self, made: ModelVersion) -> list[DatasetChoice]:
        """What a version can be measured on: its own test part first, then others', gaps' held-out parts, sheets."""
        own = DatasetChoice(DatasetKind.TEST, made.job_id, "Its own test part")
        others = [
            DatasetChoice(DatasetKind.TEST, other.job_id, f"Test part of v{other.version}")
            for other in self._versions.find(model_name=made.model_name)
            if other.version != made.version and other.label_type == made.label_type
        ]
        tasks = self._store.query(
            "SELECT l.id, l.title AS name FROM labeling_tasks l JOIN gaps g ON g.id = l.gap_id "
            "WHERE g.model_name = :model AND g.label_type = :label_type ORDER BY l.created_at DESC, l.id LIMIT :limit",
            model=made.model_name,
            label_type=made.label_type,
            limit=_OFFERED,
        )
        sheets = self._store.query(
            "SELECT id, name FROM training_sheets WHERE label_type = :label_type "
            "AND status NOT IN ('generating', 'failed', 'rejected', 'archived') "
            "ORDER BY created_at DESC, id LIMIT :limit",
            label_type=made.label_type,
            limit=_OFFERED,
        )
        return [
            own,
            *others,
            *(_choice(row, DatasetKind.GAP, "Held-out part of") for row in tasks),
            *(_choice(row, DatasetKind.TRAINING_SHEET, "Training sheet") for row in sheets),
        ]

    def check(self, made: ModelVersion, kind: DatasetKind, dataset_id: str) -> None:
        """Raise NotFound for an unknown dataset, Invalid for one that asks another question than the version."""
        found = self._store.query(_LABEL_TYPE_OF[kind], dataset=dataset_id)
        if not found:
            raise NotFound("This dataset does not exist.", hint="Choose one of the list.")
        if (label_type := rows.text(found[0], "label_type")) != made.label_type:
            raise Invalid(
                f"{made.title} answers {made.label_type}, but these items are labelled with {label_type}.",
                hint="Choose a dataset with the same label type.",
            )

    def items(self, made: ModelVersion, kind: DatasetKind, dataset_id: str) -> tuple[list[HeldOutItem], Counter[str]]:
        """The items that may be used, and how many are left out for which reason.

        An item counts as seen wherever its identifier was in training or validation, also in another training sheet.
        """
        found = self._store.query(
            "SELECT p.id, p.item_ref, p.variables, p.answer, p.review_status, p.allowed_uses, p.prohibited_uses, "
            f"p.usage_reason, p.classification FROM pairs p {_PAIRS_OF[kind]} ORDER BY p.item_ref, p.id",
            dataset=dataset_id,
        )
        used = self._versions.used_items(made.model_name, made.version)
        items: list[HeldOutItem] = []
        excluded: Counter[str] = Counter()
        for row in found:
            if reason := _why_not(row, used):
                excluded[reason] += 1
            else:
                items.append(_item(row))
        return items, excluded

    def schema(self, training_sheet_id: str, kind: AnswerKind) -> tuple[AnswerField, ...]:
        """What the template asks for: the fields of a structured answer, or one field with the label classes."""
        found = self._store.query("SELECT template_snapshot FROM training_sheets WHERE id = :id", id=training_sheet_id)
        template = rows.json_object(found[0], "template_snapshot")
        fields, classes = template.get("output_schema"), template.get("label_classes")
        if kind is AnswerKind.LABEL and isinstance(classes, list) and classes:
            return (AnswerField("label", options=tuple(str(name) for name in classes)),)
        return answer_schema([field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else [])


def _choice(row: Row, kind: DatasetKind, what: str) -> DatasetChoice:
    return DatasetChoice(kind, rows.text(row, "id"), f"{what} “{rows.text(row, 'name')}”")


def _why_not(row: Row, used: set[str]) -> str:
    """Why a pair may not be evaluated on; empty when it may."""
    rules = usage.from_row(row)
    if rows.text(row, "item_ref") in used:
        return SEEN
    if rows.text(row, "review_status") not in APPROVED or not rows.text(row, "answer").strip():
        return "not approved"
    if not rules.permits(Use.EVALUATION):
        return f"evaluation prohibited{': ' + rules.reason if rules.reason else ''}"
    return ""


def _item(row: Row) -> HeldOutItem:
    return HeldOutItem(
        pair_id=rows.text(row, "id"),
        item_ref=rows.text(row, "item_ref"),
        variables=rows.json_object(row, "variables"),
        expected=rows.text(row, "answer"),
    )
