"""The service behind exports: what would go out, writing it as long work, and giving the files to people who may."""

from __future__ import annotations

import json
import logging
import shutil
import time
from pathlib import Path

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.eligibility import most_frequent
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted
from workbench_core.exports.files import ONE_FILE, FileLayout, file_stem, write_files
from workbench_core.exports.formats import COLUMNS, cells_of, csv_line, line_of
from workbench_core.exports.manifest import Made, label_versions, manifest_of
from workbench_core.exports.preview import nothing_left, preview_of
from workbench_core.exports.reading import PairReading, Tally, read_tally
from workbench_core.exports.requests import Export, ExportFormat, ExportPreview, ExportRequest, export_from
from workbench_core.history import History
from workbench_core.metrics import AnswerKind
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Store, TableEntry
from workbench_core.runs import Run, RunContext, Runs, RunStopped
from workbench_core.sheets import Sheets
from workbench_core.training_sheets import TrainingSheet, TrainingSheets, TrainingSheetStatus

log = logging.getLogger(__name__)

EXPORT_KIND = "export"
EXPORTABLE = frozenset({TrainingSheetStatus.APPROVED, TrainingSheetStatus.EXPORTED, TrainingSheetStatus.TRAINED})
SAMPLED = tuple(format for format in ExportFormat if format.ending == "jsonl")
_COLUMNS = "id, training_sheet_id, request, requested_by, requested_at, finished_at, exported_pairs, manifest"
_PART_ENDING = ".part"  # of a folder whose files are not complete
_REPORT_SECONDS = 0.5


class Exports:
    """Write approved pairs of training sheets into files, with a manifest, and keep who took what."""

    def __init__(
        self,
        store: Store,
        *,
        lake: Lake,
        folder: Path,
        sheets: Sheets,
        training_sheets: TrainingSheets,
        runs: Runs,
        history: History,
        permissions: Permissions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lake = lake
        self._folder = folder
        self._sheets = sheets
        self._training_sheets = training_sheets
        self._runs = runs
        self._history = history
        self._permissions = permissions
        self._clock = clock

    # --- before ------------------------------------------------------------------------------------------------------

    def tally(self, training_sheet_id: str, minimum_score: float = 0.0) -> Tally:
        """All pairs counted by what decides about them; what `preview` can be given again and again."""
        return read_tally(self._store, training_sheet_id, minimum_score)

    def preview(self, request: ExportRequest, tally: Tally | None = None) -> ExportPreview:
        """What an export would hold, and why the rest stays out; nothing is written.

        `problem` says why it cannot start. Raises NotFound for the training sheet, Invalid for the request.
        """
        training_sheet = self._training_sheets.get(request.training_sheet_id)
        return preview_of(
            request.checked(),
            self.tally(training_sheet.id, request.minimum_score) if tally is None else tally,
            plan=lambda: self._reading(request, training_sheet).plan(),
            problem=not_exportable(training_sheet) or _stratify_problem(training_sheet, request),
        )

    def samples(self, training_sheet_id: str, *, with_system: bool = True) -> dict[ExportFormat, str]:
        """The first approved pair in every format of lines, in CSV below its columns; empty without such a pair."""
        training_sheet = self._training_sheets.get(training_sheet_id)
        request = ExportRequest(training_sheet_id, ExportFormat.OPENAI_CHAT)
        found = self._reading(request, training_sheet).first_pairs(1)
        if not found:
            return {}
        lines = {format: line_of(format, with_system=with_system)(found[0]) for format in SAMPLED}
        cells = cells_of(found[0], ONE_FILE, with_system=with_system)
        return {**lines, ExportFormat.CSV: f"{csv_line(COLUMNS)}\n{csv_line(cells)}"}

    def start(self, request: ExportRequest, *, by: str) -> Export:
        """Queue an export. Data producers and those above them may.

        Raises Conflict unless the training sheet is approved, exported or trained; Invalid when no pair can be
        exported, with the counted reasons, and for what cannot be asked; NotFound, NotPermitted.
        """
        self._permissions.check(by, Action.EXPORT)
        training_sheet = self._training_sheets.get(request.training_sheet_id)
        found = self.preview(request)
        if reason := not_exportable(training_sheet):
            raise Conflict(reason, hint="Close its review first.")
        if found.problem:
            raise Invalid(found.problem, hint="Change what is asked for.")
        self._check_volume(request)
        export_id, title = new_id("export"), f"Export “{training_sheet.name}”"
        with self._store.transaction():
            self._store.append(
                "exports",
                [
                    {
                        "id": export_id,
                        "training_sheet_id": training_sheet.id,
                        "format": request.format.value,
                        "request": rows.to_json(request.to_json()),
                        "requested_by": by,
                        "requested_at": self._clock(),
                    }
                ],
            )
            self._runs.start(EXPORT_KIND, export_id, title=title, by=by, total=found.exported)
        self._runs.wake.set()  # the run can be seen only now
        return self.get(export_id)

    # --- what there is -----------------------------------------------------------------------------------------------

    def find(self, training_sheet_id: str, *, limit: int = 20) -> list[Export]:
        """Exports of a training sheet, newest first."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM exports WHERE training_sheet_id = :sheet "
            "ORDER BY requested_at DESC, id LIMIT :limit",
            sheet=training_sheet_id,
            limit=limit,
        )
        return [export_from(row, None if row["finished_at"] else self._run_of(rows.text(row, "id"))) for row in found]

    def get(self, export_id: str) -> Export:
        """One export. Raises NotFound."""
        found = self._store.query(f"SELECT {_COLUMNS} FROM exports WHERE id = :id", id=export_id)
        if not found:
            raise NotFound("This export does not exist.", hint="Choose one below its training sheet.")
        return export_from(found[0], self._run_of(export_id))

    def file_path(self, export_id: str, name: str, *, by: str) -> Path:
        """Where a file of an export lies, to send it; who took it is in the history of the training sheet.

        Raises NotFound for a file that the export does not have, NotPermitted.
        """
        self._permissions.check(by, Action.EXPORT)
        export = self.get(export_id)
        names = {file.name for file in export.files} | {export.manifest_name}
        path = self._folder / export.id / name
        if not export.is_done or name not in names or not path.is_file():
            raise NotFound(f"This export has no file “{name}”.", hint="Choose one from its list, or export again.")
        self._history.add(
            "training_sheet", export.training_sheet_id, "download export", by=by, file=name, export=export.id
        )
        return path

    def cancel(self, export_id: str, *, by: str) -> Export:
        """End an export; nothing of it stays. The person who began it and data stewards may.

        Raises InvalidTransition when it is over, NotPermitted.
        """
        export = self.get(export_id)
        if by != export.requested_by and not self._permissions.allows(by, Action.GOVERN):
            raise NotPermitted(
                f"{export.requested_by} began this export.", hint="They or a data steward can cancel it."
            )
        self._permissions.check(by, Action.EXPORT)
        if export.run is None:
            raise NotFound("This export is not under way.", hint="Start it again.")
        self._runs.cancel(export.run.id, by=by)
        return self.get(export_id)

    # --- writing -----------------------------------------------------------------------------------------------------

    def handle(self, context: RunContext) -> None:
        """Do the run of kind “export”: write beside, move in place, record. One that was interrupted begins anew."""
        self._sweep()
        export = self.get(context.subject_id)
        if export.is_done:
            return
        beside, place = self._folder / f"{export.id}{_PART_ENDING}", self._folder / export.id
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            self._export(export, context, beside, place)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
            raise

    def _export(self, export: Export, context: RunContext, beside: Path, place: Path) -> None:
        training_sheet = self._training_sheets.get(export.training_sheet_id)
        _check_exportable(training_sheet)
        reading, progress = self._reading(export.request, training_sheet), _Progress(context)
        plan = reading.plan(progress.choosing)
        if not plan.exported:
            raise Invalid(nothing_left(most_frequent(plan.excluded)), hint="Change what is asked for.")
        layout = _layout(training_sheet, export.request)
        written = write_files(reading.placed_pairs(plan, progress.writing), layout, beside)
        made = Made(export.id, training_sheet, export.request, plan, layout, written)
        labels = label_versions(self._store, training_sheet.id)
        manifest = manifest_of(made, labels=labels, by=export.requested_by, now=self._clock())
        (beside / made.manifest_name).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        beside.replace(place)
        self._put_in_volume(export, training_sheet, made, place)
        with self._store.transaction():
            if self._runs.get(context.run.id).cancel_requested:  # the person was told that nothing stays
                raise RunStopped
            note = f"{plan.exported:,} pairs as {export.request.format}"
            self._training_sheets.mark_exported(training_sheet.id, by=export.requested_by, note=note)
            self._store.execute(
                "UPDATE exports SET finished_at = :now, exported_pairs = :pairs, manifest = :manifest WHERE id = :id",
                touches="exports",
                now=self._clock(),
                pairs=plan.exported,
                manifest=rows.to_json(manifest),
                id=export.id,
            )
        log.info("Export %s holds %s pairs", export.id, plan.exported)

    def _put_in_volume(self, export: Export, training_sheet: TrainingSheet, made: Made, place: Path) -> None:
        """Also put the files into a folder of the catalog, which takes the tags of all sources."""
        request = export.request
        if not request.volume:
            return
        below = "/".join(part for part in (request.folder, export.id) if part)
        names = [*(file.name for file in made.written.files), made.manifest_name]
        tags = self._sheets.get(training_sheet.sheet_id).tags
        entry = TableEntry(request.volume, "volume", tags=tuple(tags))
        self._lake.put_files(request.volume, {f"{below}/{name}": place / name for name in names}, entry=entry)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _reading(self, request: ExportRequest, training_sheet: TrainingSheet) -> PairReading:
        return PairReading(self._store, request, label_type=training_sheet.label_type)

    def _run_of(self, export_id: str) -> Run | None:
        return self._runs.latest(EXPORT_KIND, export_id)

    def _check_volume(self, request: ExportRequest) -> None:
        if not request.volume:
            return
        entry = self._lake.entry(request.volume)
        if entry.kind != "volume" or entry.is_demo:
            what = "demo data" if entry.is_demo else "a table"
            raise Invalid(f"“{request.volume}” is {what}.", hint="Choose a folder of the catalog.")

    def _sweep(self) -> None:
        """Remove what killed exports left behind, and the files of exports that are gone."""
        if not self._folder.is_dir():
            return
        found = self._store.query(
            "SELECT id, finished_at FROM exports WHERE finished_at IS NOT NULL OR EXISTS (SELECT 1 FROM runs r "
            "WHERE r.kind = :kind AND r.subject_id = exports.id AND r.status IN ('queued', 'running', 'interrupted')) "
            "ORDER BY id",
            kind=EXPORT_KIND,
        )
        done = {rows.text(row, "id") for row in found if row["finished_at"] is not None}
        under_way = {rows.text(row, "id") for row in found} - done
        for path in self._folder.iterdir():
            name = path.name.removesuffix(_PART_ENDING)
            if name not in under_way and path.name not in done:
                shutil.rmtree(path, ignore_errors=True)


class _Progress:
    """Tell how far an export is, not too often, and end it when it shall stop."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._told_at = 0.0

    def choosing(self, _done: int, total: int) -> None:
        self._tell(0, total, "Choosing pairs")

    def writing(self, done: int, total: int) -> None:
        self._tell(done, total, "Writing files")

    def _tell(self, done: int, total: int, message: str) -> None:
        if self._context.should_stop():
            raise RunStopped
        if time.monotonic() - self._told_at >= _REPORT_SECONDS or done == total:
            self._told_at = time.monotonic()
            self._context.report(done, total, message)


def not_exportable(training_sheet: TrainingSheet) -> str:
    """Why a training sheet cannot be exported now; empty when it can."""
    if training_sheet.status in EXPORTABLE:
        return ""
    return f"“{training_sheet.name}” is {training_sheet.stage}: only approved training sheets can be exported."


def _layout(training_sheet: TrainingSheet, request: ExportRequest) -> FileLayout:
    return FileLayout(
        request.format,
        file_stem(training_sheet.name),
        tuple(part.value for part in request.shares.by_part) if request.shares else (ONE_FILE,),
        request.with_system,
        request.for_spreadsheets,
    )


def _check_exportable(training_sheet: TrainingSheet) -> None:
    if reason := not_exportable(training_sheet):
        raise Conflict(reason, hint="Close its review first.")


def _stratify_problem(training_sheet: TrainingSheet, request: ExportRequest) -> str:
    if request.stratify_by_label and training_sheet.template.answer_kind is not AnswerKind.LABEL:
        return "Only answers that are one of several classes can be divided by class."
    return ""
