"""The service behind training sheets: pre-flight, generation and the life of the whole sheet."""

from __future__ import annotations

from dataclasses import replace

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import Quarantine
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, NotPermitted
from workbench_core.history import History
from workbench_core.pairs import Pairs
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Store, Value
from workbench_core.prompt_templates import AnswerSource, PromptTemplates, TemplateStatus
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.sheets import Sheet, Sheets
from workbench_core.training_sheets.generation import Generation
from workbench_core.training_sheets.model import (
    COLUMNS,
    LIFECYCLE,
    GenerationOptions,
    GenerationRequest,
    Preflight,
    TrainingSheet,
    TrainingSheetStatus,
    training_sheet_from,
)
from workbench_core.training_sheets.preflight import PreflightCheck

RUN_KIND = "generate"
MAX_NAME = 200
_REVIEWED = frozenset({"close_review", "reject", "reopen"})
_BATCH = 5_000


class TrainingSheets:
    """Generate training sheets and move them through their life."""

    def __init__(
        self,
        store: Store,
        *,
        lake: Lake,
        sheets: Sheets,
        templates: PromptTemplates,
        labels: CanonicalLabels,
        pairs: Pairs,
        chat_models: ChatModels,
        runs: Runs,
        history: History,
        permissions: Permissions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._templates = templates
        self._pairs = pairs
        self._chat_models = chat_models
        self._runs = runs
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._quarantine = Quarantine(store)
        self._check = PreflightCheck(lake, sheets, templates, labels, chat_models, self._quarantine)
        self._generation = Generation(
            store, lake=lake, sheets=sheets, labels=labels, chat_models=chat_models, history=history, clock=clock,
            quarantine=self._quarantine, load=self.get,
        )  # fmt: skip

    # --- before generation -------------------------------------------------------------------------------------------

    def propose_mapping(self, template_id: str, sheet_id: str) -> dict[str, str]:
        """A column for each placeholder: by exact name, then without case and punctuation. Raises NotFound."""
        return self._check.propose_mapping(template_id, sheet_id)

    def preflight(self, request: GenerationRequest) -> Preflight:
        """What this request would do, without writing (TS-1). Raises NotFound for the sheet or template."""
        return self._check.check(request)

    def generate(self, request: GenerationRequest, *, by: str) -> TrainingSheet:
        """Create a training sheet and start to fill it (TS-2).

        Raises Invalid with the problems of the pre-flight, NotFound, NotPermitted; nothing is written then.
        """
        self._permissions.check(by, Action.GENERATE)
        found = self._check.check(request)
        if found.problems:
            raise Invalid(" ".join(found.problems), hint="Correct this and start again.")
        sheet = self._sheets.get(request.sheet_id)
        values = self._values(request, found, sheet, by=by)
        sheet_id, name = str(values["id"]), str(values["name"])
        with self._store.transaction():
            self._store.append("training_sheets", [values])
            self._history.add(
                "training_sheet", sheet_id, "generate", by=by, name=name, sheet=sheet.id,
                prompt_template=request.prompt_template_id, items=found.selected,
            )  # fmt: skip
            self._runs.start(RUN_KIND, sheet_id, title=f"Generate “{name}”", by=by, total=found.selected)
        self._runs.wake.set()  # the run can be seen only now
        return self.get(sheet_id)

    # --- during generation -------------------------------------------------------------------------------------------

    def handle(self, context: RunContext) -> None:
        """Do the run of kind “generate”."""
        self._generation.handle(context)

    def run_of(self, training_sheet_id: str) -> Run | None:
        """The newest generation run of a training sheet."""
        return self._runs.latest(RUN_KIND, training_sheet_id)

    def cancel(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Stop a generation; its pairs so far are kept and it can be resumed. Raises InvalidTransition."""
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self.get(training_sheet_id)
        with self._store.transaction():
            self._move(training_sheet, "cancel", by=by)
            kept = self._pairs.count(training_sheet_id)
            self._store.execute(
                "UPDATE training_sheets SET error = :error WHERE id = :id",
                touches="training_sheets",
                error=f"Cancelled by {by}; {kept:,} of {training_sheet.selected_items:,} pairs are kept",
                id=training_sheet_id,
            )
            run = self.run_of(training_sheet_id)
            if run is not None and run.is_active:
                self._runs.cancel(run.id, by=by)
        return self.get(training_sheet_id)

    def resume(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Go on with a failed or cancelled generation at the first missing item.

        Raises InvalidTransition, Conflict while the cancelled run still ends its last batch.
        """
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self.get(training_sheet_id)
        run = self.run_of(training_sheet_id)
        is_orphan = training_sheet.status is TrainingSheetStatus.GENERATING and not (run and run.is_active)
        with self._store.transaction():
            if is_orphan:  # its run ended without being able to say so
                self._history.add("training_sheet", training_sheet_id, "resume", by=by)
            else:
                self._move(training_sheet, "resume", by=by)
            left = training_sheet.selected_items - self._position(training_sheet_id)
            self._start_run(training_sheet, total=left, by=by)
        self._runs.wake.set()
        return self.get(training_sheet_id)

    def append_new(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Generate pairs for the items that the sheet has gained since (TS-16).

        Raises InvalidTransition unless the sheet is in review, Conflict when there is nothing new.
        """
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self.get(training_sheet_id)
        LIFECYCLE.next(training_sheet.status, "append_new", subject=f"“{training_sheet.name}”")
        new = self._count_new(training_sheet)
        room = training_sheet.row_limit - training_sheet.counts.total
        if not new or room <= 0:
            reason = f"its row limit is {training_sheet.row_limit:,}" if new else "the source has no new items"
            raise Conflict(f"Nothing can be added to “{training_sheet.name}”: {reason}.", hint="")
        position = self._position(training_sheet_id)
        options = replace(training_sheet.options, appends=True)
        with self._store.transaction():
            self._move(training_sheet, "append_new", by=by)
            self._store.execute(
                "UPDATE training_sheets SET selected_items = :selected, generation_options = :options WHERE id = :id",
                touches="training_sheets",
                selected=position + min(new, room),
                options=options.to_json(),
                id=training_sheet_id,
            )
            self._start_run(training_sheet, total=min(new, room), by=by)
        self._runs.wake.set()
        return self.get(training_sheet_id)

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(
        self,
        *,
        status: TrainingSheetStatus | None = None,
        sheet_id: str = "",
        search: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> list[TrainingSheet]:
        """Training sheets with their counts, newest first; archived ones only when asked for by status (TS-4)."""
        found = self._store.query(
            f"SELECT {COLUMNS} FROM training_sheets WHERE status IN :statuses "
            "AND (:sheet = '' OR sheet_id = :sheet) "
            "AND LOWER(name || ' ' || description || ' ' || label_type) LIKE LOWER(:pattern) ESCAPE '!' "
            "ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset",
            statuses=[status] if status else [s for s in TrainingSheetStatus if s != "archived"],
            sheet=sheet_id,
            pattern=rows.search_pattern(search),
            limit=limit,
            offset=offset,
        )
        counts = self._pairs.counts_of([rows.text(row, "id") for row in found]) if found else {}
        return [training_sheet_from(row, counts[rows.text(row, "id")]) for row in found]

    def get(self, training_sheet_id: str) -> TrainingSheet:
        """One training sheet with its counts (TS-5). Raises NotFound."""
        found = self._store.query(f"SELECT {COLUMNS} FROM training_sheets WHERE id = :id", id=training_sheet_id)
        if not found:
            raise NotFound("This training sheet does not exist.", hint="Choose one on the Label page.")
        return training_sheet_from(found[0], self._pairs.counts(training_sheet_id))

    def dependants(self, training_sheet_id: str) -> str:
        """What stands on a training sheet, in words such as “1 training job”; empty when nothing."""
        found = self._store.query(
            "SELECT (SELECT COUNT(*) FROM training_jobs WHERE training_sheet_id = :id) AS training_job, "
            "(SELECT COUNT(*) FROM labeling_tasks WHERE training_sheet_id = :id) AS labelling_task",
            id=training_sheet_id,
        )[0]
        counts = {name.replace("_", " "): rows.whole(found, name) for name in found}
        return ", ".join(f"{count:,} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)

    # --- the life of the sheet ---------------------------------------------------------------------------------------

    def move(
        self, training_sheet_id: str, action: str, *, by: str, note: str = "", leave_out: bool = False
    ) -> TrainingSheet:
        """Close the review, reject the whole, reopen or archive a training sheet (TS-14, spec 2.5).

        Closing is refused while pairs are pending or flagged, unless they are left out; rejecting needs a note.
        Raises InvalidTransition, Conflict, Invalid, ChangedByOthers, NotPermitted.
        """
        self._permissions.check(by, Action.REVIEW if action in _REVIEWED else Action.GENERATE)
        if action not in {*_REVIEWED, "archive"}:
            raise Invalid(f"A training sheet has no action “{action}”.", hint="See its buttons.")
        if action == "reject" and not note.strip():
            raise Invalid("A rejection needs a reason.", hint="Say what is wrong with the whole sheet.")
        training_sheet = self.get(training_sheet_id)
        with self._store.transaction():
            self._move(training_sheet, action, by=by, note=note.strip())
            if action == "close_review" and not leave_out:
                self._check_reviewed(training_sheet_id)
        return self.get(training_sheet_id)

    def mark_trained(self, training_sheet_id: str, *, by: str) -> None:
        """Record that a model was trained from it; call it in the training's transaction. Raises InvalidTransition."""
        self._move(self.get(training_sheet_id), "mark_trained", by=by)

    def delete(self, training_sheet_id: str, *, by: str) -> None:
        """Remove a training sheet with its pairs; canonical labels stay.

        Only its owner or an administrator may. Raises Conflict while it is generating or something stands on it.
        """
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self.get(training_sheet_id)
        if by != training_sheet.created_by and not self._permissions.allows(by, Action.ADMINISTER):
            raise NotPermitted(
                f"Only {training_sheet.created_by} or an administrator may delete “{training_sheet.name}”.",
                hint="Archive it instead.",
            )
        if training_sheet.status is TrainingSheetStatus.GENERATING:
            raise Conflict(f"“{training_sheet.name}” is generating.", hint="Cancel it first.")
        with self._store.transaction():
            if used := self.dependants(training_sheet_id):
                raise Conflict(f"“{training_sheet.name}” is in use: {used}.", hint="Archive it instead.")
            for table, column in (
                ("pair_reviews", "training_sheet_id"),
                ("pairs", "training_sheet_id"),
                ("training_sheets", "id"),
            ):
                self._store.execute(f"DELETE FROM {table} WHERE {column} = :id", touches=table, id=training_sheet_id)
            self._history.add("training_sheet", training_sheet_id, "delete", by=by, name=training_sheet.name)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _values(self, request: GenerationRequest, found: Preflight, sheet: Sheet, *, by: str) -> dict[str, Value]:
        """The row of a new training sheet, everything frozen that pairs depend on (INV-4)."""
        template = self._templates.get(request.prompt_template_id)
        source = request.answer_source or template.answer_source
        asks_model = source is AnswerSource.AI_GENERATED
        name = request.name.strip() or f"{sheet.name} - {template.name} v{template.version}"
        options = GenerationOptions(request.item_refs, request.held_out, includes_set_aside=request.includes_set_aside)
        now = self._clock()
        return {
            "id": new_id("ts"),
            "name": name[:MAX_NAME],
            "description": request.description,
            "sheet_id": sheet.id,
            "prompt_template_id": template.id,
            "template_version": template.version,
            "template_snapshot": rows.to_json(template.snapshot()),
            "label_type": template.label_type,
            "mapping": rows.to_json({name: request.mapping[name] for name in template.placeholders}),
            "answer_source": source.value,
            "answer_column": request.answer_column if source is AnswerSource.EXISTING_COLUMN else "",
            "filter": self._accepted_filter(request, sheet),
            "row_limit": request.row_limit,
            "model_title": self._chat_models.default.title if asks_model else "",
            "model_name": self._chat_models.default.name if asks_model else "",
            "generation_options": options.to_json(),
            "is_test": template.status is TemplateStatus.DRAFT,
            "is_demo": request.is_demo,
            "status": TrainingSheetStatus.GENERATING.value,
            "selected_items": found.selected,
            "left_out_items": found.left_out,
            "created_by": by,
            "created_at": now,
            "updated_by": by,
            "updated_at": now,
        }

    def _accepted_filter(self, request: GenerationRequest, sheet: Sheet) -> str:
        return self._lake.check_filter(sheet.relation, request.filter) if request.filter.strip() else ""

    def _start_run(self, training_sheet: TrainingSheet, *, total: int, by: str) -> None:
        title = f"Generate “{training_sheet.name}”"
        self._runs.start(RUN_KIND, training_sheet.id, title=title, by=by, total=total)

    def _position(self, training_sheet_id: str) -> int:
        """The position of the last item that became a pair."""
        found = self._store.query(
            "SELECT MAX(sequence_number) AS position FROM pairs WHERE training_sheet_id = :id",
            id=training_sheet_id,
        )
        return rows.whole(found[0], "position")

    def _count_new(self, training_sheet: TrainingSheet) -> int:
        """How many items of the selection have no pair."""
        sheet = self._sheets.get(training_sheet.sheet_id)
        options = training_sheet.options
        selection = sheet.selection(extra_filter=training_sheet.filter, item_refs=options.item_refs)
        if not options.includes_set_aside:
            selection = self._quarantine.without(selection, sheet.id)
        new = 0
        for frame in self._lake.batches(selection, columns=(sheet.item_id_column,), size=_BATCH):
            refs = [str(reference) for reference in frame["item_ref"].tolist()]
            known = self._store.query(
                "SELECT COUNT(*) AS pairs FROM pairs WHERE training_sheet_id = :id AND item_ref IN :refs",
                id=training_sheet.id,
                refs=refs,
            )
            new += len(refs) - rows.whole(known[0], "pairs")
        return new

    def _check_reviewed(self, training_sheet_id: str) -> None:
        counts = self._pairs.counts(training_sheet_id)
        if counts.pending or counts.flagged:
            raise Conflict(
                f"{counts.pending:,} pairs are pending and {counts.flagged:,} are flagged.",
                hint="Review them, or close the review and leave them out.",
            )

    def _move(self, training_sheet: TrainingSheet, action: str, *, by: str, note: str = "") -> None:
        """Change the status if nobody changed it meanwhile, and record it."""
        to = LIFECYCLE.next(training_sheet.status, action, subject=f"“{training_sheet.name}”")
        changed = self._store.execute(
            "UPDATE training_sheets SET status = :to, error = '', updated_by = :by, updated_at = :now, "
            "row_version = row_version + 1 WHERE id = :id AND status = :was",
            touches="training_sheets",
            to=to.value,
            was=training_sheet.status.value,
            by=by,
            now=self._clock(),
            id=training_sheet.id,
        )
        if not changed:
            raise ChangedByOthers(
                f"“{training_sheet.name}” was just changed by somebody else.", hint="Reload and try again."
            )
        details = {"note": note} if note else {}
        self._history.add("training_sheet", training_sheet.id, action, by=by, **details)
