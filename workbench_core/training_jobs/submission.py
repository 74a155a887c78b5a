"""Before a job exists: which training sheets may be trained on, the gate, and the check of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench_core import rows, usage
from workbench_core.eligibility import APPROVED
from workbench_core.errors import Conflict, Invalid
from workbench_core.model_versions import ModelVersion, ModelVersions
from workbench_core.ports import Store, Trainer
from workbench_core.training_gate import GatePair, GateResult, Shares, decide_gate
from workbench_core.training_jobs.model import MODEL_NAME, TRAINABLE, Candidate, JobRequest, model_name_from
from workbench_core.training_sheets import TrainingSheet, TrainingSheets
from workbench_core.usage import Use


class Submission:
    """Answer what may be submitted, and refuse what may not; nothing is written here."""

    def __init__(
        self,
        store: Store,
        training_sheets: TrainingSheets,
        versions: ModelVersions,
        trainers: Callable[[], Sequence[Trainer]],
    ) -> None:
        self._store = store
        self._training_sheets = training_sheets
        self._versions = versions
        self._trainers = trainers

    def candidates(self, *, limit: int) -> list[Candidate]:
        """Training sheets, newest first, each with the number of pairs that are approved and allowed for training."""
        sheets = self._training_sheets.find(limit=limit)
        found = self._store.query(
            "SELECT training_sheet_id, COUNT(*) AS permitted FROM pairs WHERE training_sheet_id IN :ids "
            "AND review_status IN :approved AND TRIM(answer) <> '' AND allowed_uses LIKE :use "
            "AND prohibited_uses NOT LIKE :use GROUP BY training_sheet_id ORDER BY training_sheet_id",
            ids=[sheet.id for sheet in sheets],
            approved=sorted(APPROVED),
            use=f'%"{Use.TRAINING.value}"%',
        )
        permitted = {rows.text(row, "training_sheet_id"): rows.whole(row, "permitted") for row in found}
        return [Candidate(sheet, permitted.get(sheet.id, 0)) for sheet in sheets]

    def trainable(self, training_sheet_id: str) -> TrainingSheet:
        """A training sheet in a state that can be trained on. Raises NotFound, Conflict."""
        sheet = self._training_sheets.get(training_sheet_id)
        if sheet.status not in TRAINABLE:
            raise Conflict(f"“{sheet.name}” is {sheet.status}.", hint="Choose one that is in review or done.")
        return sheet

    def gate(self, training_sheet_id: str, *, shares: Shares, seed: int) -> GateResult:
        """Who may be trained on, and where each pair would go. Raises NotFound, Conflict, Invalid for the shares."""
        self.trainable(training_sheet_id)
        return decide_gate(self._gate_pairs(training_sheet_id), shares, seed=seed)

    def trainers_for(self, training_sheet_id: str) -> list[Trainer]:
        """The trainers that suit the answers of a training sheet, ready or not."""
        kind = self._training_sheets.get(training_sheet_id).template.answer_kind
        return [trainer for trainer in self._trainers() if kind in trainer.answer_kinds]

    def trainer(self, name: str) -> Trainer:
        """A trainer by its name. Raises Invalid."""
        for trainer in self._trainers():
            if trainer.name == name:
                return trainer
        raise Invalid(f"There is no trainer “{name}”.", hint="Choose one of the list.")

    def proposed_name(self, training_sheet_id: str) -> str:
        """The model that was last trained for the same question, so that it gets a new version; else a new name."""
        sheet = self._training_sheets.get(training_sheet_id)
        found = self._store.query(
            "SELECT model_name FROM model_versions WHERE sheet_id = :sheet AND label_type = :label_type "
            "ORDER BY created_at DESC, model_name LIMIT 1",
            sheet=sheet.sheet_id,
            label_type=sheet.label_type,
        )
        return rows.text(found[0], "model_name") if found else model_name_from(sheet.name)

    def newest_sheet(self, last: ModelVersion) -> str:
        """The newest training sheet for the question of a version; a labelling task's holds its own items only."""
        found = self._store.query(
            "SELECT id FROM training_sheets WHERE sheet_id = :sheet AND label_type = :label_type "
            "AND status IN :trainable AND id NOT IN (SELECT training_sheet_id FROM labeling_tasks) "
            "ORDER BY created_at DESC, id LIMIT 1",
            sheet=last.sheet_id,
            label_type=last.label_type,
            trainable=sorted(TRAINABLE),
        )
        return rows.text(found[0], "id") if found else last.training_sheet_id

    def checked(self, request: JobRequest) -> JobRequest:
        """The request with the trainer's defaults filled in. Raises NotFound, Conflict, Invalid."""
        sheet = self.trainable(request.training_sheet_id)
        self._check_name(request.model_name, sheet)
        trainer, kind = self.trainer(request.trainer), sheet.template.answer_kind
        if kind not in trainer.answer_kinds:
            raise Invalid(f"{trainer.title} cannot learn {kind} answers.", hint="Choose another trainer.")
        available = trainer.availability()
        if not available.is_ready:
            raise Invalid(available.reason, hint=available.hint)
        defaults = trainer.default_parameters()
        if unknown := sorted(set(request.parameters) - set(defaults)):
            raise Invalid(
                f"{trainer.title} has no parameter {', '.join(unknown)}.", hint=f"It has {', '.join(defaults)}."
            )
        return replace(request, parameters={**defaults, **request.parameters}, shares=request.shares.checked())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _check_name(self, name: str, sheet: TrainingSheet) -> None:
        if not MODEL_NAME.fullmatch(name):
            raise Invalid(
                f"“{name}” cannot be a model name.",
                hint="Use lower-case letters, digits, _ and -, beginning with a letter, at most 63 characters.",
            )
        known = self._versions.latest(name)
        if known is not None and known.label_type != sheet.label_type:
            raise Invalid(
                f"{name} answers another question: its labels are of type {known.label_type}, not {sheet.label_type}.",
                hint="Choose a new name: the versions of one model must answer the same question.",
            )

    def _gate_pairs(self, training_sheet_id: str) -> list[GatePair]:
        found = self._store.query(
            "SELECT id, item_ref, review_status, answer, messages, row_version, canonical_label_id, allowed_uses, "
            "prohibited_uses, usage_reason, classification FROM pairs WHERE training_sheet_id = :id "
            "ORDER BY sequence_number",
            id=training_sheet_id,
        )
        return [
            GatePair(
                pair_id=rows.text(row, "id"),
                item_ref=rows.text(row, "item_ref"),
                review_status=rows.text(row, "review_status"),
                answer=rows.text(row, "answer"),
                question=rows.text(row, "messages"),
                usage=usage.from_row(row),
                row_version=rows.whole(row, "row_version"),
                canonical_label_id=rows.text(row, "canonical_label_id"),
            )
            for row in found
        ]
