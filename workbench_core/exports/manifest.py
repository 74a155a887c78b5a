"""The manifest beside the files of an export: who, when, from what, by which rules, counts in and out, hashes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.eligibility import most_frequent
from workbench_core.exports.files import FileLayout, WrittenFiles
from workbench_core.exports.reading import Plan
from workbench_core.exports.requests import ExportFormat, ExportRequest
from workbench_core.ports import Json, Store
from workbench_core.training_sheets import TrainingSheet

VERSION = 1  # of the shape of manifests
TEXT_ALONE = "The pictures of {count:,} pairs are not in the files: their text stands alone."
FORMULAS = "{count:,} texts begin like a formula of a spreadsheet: import the file as text, do not open it."
HARMLESS = "{count:,} texts begin like a formula of a spreadsheet and got an apostrophe in front."


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: from which training sheet, for which request, as which plan, into which files."""

    export_id: str
    training_sheet: TrainingSheet
    request: ExportRequest
    plan: Plan
    layout: FileLayout
    written: WrittenFiles

    @property
    def manifest_name(self) -> str:
        """The file name of the manifest."""
        return f"{self.layout.stem}_manifest.json"


def manifest_of(made: Made, *, labels: Json, by: str, now: datetime) -> dict[str, Json]:
    """The manifest as JSON; pairs.total = pairs.exported + the sum of pairs.excluded."""
    sheet, plan, request = made.training_sheet, made.plan, made.request
    return {
        "manifest_version": VERSION,
        "manifest_name": made.manifest_name,
        "export_id": made.export_id,
        "exported_by": by,
        "exported_at": now.isoformat(),
        "training_sheet": {
            "id": sheet.id,
            "name": sheet.name,
            "sheet_id": sheet.sheet_id,
            "label_type": sheet.label_type,
        },
        "prompt_template": {
            "id": sheet.prompt_template_id,
            "name": sheet.template.name,
            "version": sheet.template_version,
        },
        "model": sheet.model_title,
        "request": request.to_json(),
        "canonical_labels": labels,
        "pair_versions": {"lowest": plan.versions[0], "highest": plan.versions[1]},
        "classification": plan.classification,
        "pairs": {
            "total": plan.total,
            "exported": plan.exported,
            "excluded": [
                {"reason": excluded.reason, "pairs": excluded.count} for excluded in most_frequent(plan.excluded)
            ],
            "parts": dict(plan.by_part(request)),
        },
        "notes": list(notes_of(made)),
        "files": [
            {
                "name": file.name,
                "part": file.part,
                "pairs": file.pairs,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
            }
            for file in made.written.files
        ],
    }


def notes_of(made: Made) -> tuple[str, ...]:
    """What a reader of the files has to know, in sentences."""
    notes = []
    if made.plan.pictures:
        notes.append(TEXT_ALONE.format(count=made.plan.pictures))
    if made.request.format is ExportFormat.CSV and made.written.formula_texts:
        sentence = HARMLESS if made.request.for_spreadsheets else FORMULAS
        notes.append(sentence.format(count=made.written.formula_texts))
    return tuple(notes)


def label_versions(store: Store, training_sheet_id: str) -> dict[str, Json]:
    """How many approved pairs stand on a canonical label, and the range of the versions of these labels."""
    found = store.query(
        "SELECT COUNT(*) AS pairs, MIN(l.version) AS lowest, MAX(l.version) AS highest FROM pairs p "
        "JOIN canonical_labels l ON l.id = p.canonical_label_id "
        "WHERE p.training_sheet_id = :sheet AND p.review_status IN ('approved', 'edited')",
        sheet=training_sheet_id,
    )[0]
    return {name: rows.whole(found, name) for name in ("pairs", "lowest", "highest")}
