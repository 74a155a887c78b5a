"""What a request to a version must hold: the template's variables, and rows of the sheet as example records."""

from __future__ import annotations

from workbench_core import rows
from workbench_core.endpoints.model import SheetRow
from workbench_core.errors import NotFound
from workbench_core.model_versions import ModelVersion
from workbench_core.ports import Row, Store
from workbench_core.prompt_rendering import text_of
from workbench_core.sheets import Sheets
from workbench_core.sheets.picture_files import picture_text


def variables_of(store: Store, made: ModelVersion) -> tuple[str, ...]:
    """The template variables that a version was trained on, in reading order."""
    variables = rows.json_object(_training_sheet(store, made), "template_snapshot").get("variables")
    return tuple(str(name) for name in variables) if isinstance(variables, list) else ()


def sheet_row(store: Store, sheets: Sheets, made: ModelVersion, number: int) -> SheetRow:
    """A row of the version's sheet as a record; `number` counts from 1. Raises NotFound behind the last row."""
    frame = sheets.preview(made.sheet_id, limit=1, offset=max(0, number - 1))
    if frame.empty:
        raise NotFound(f"The sheet has no row {number}.", hint="Choose a smaller number.")
    values = dict(zip(frame.columns, frame.iloc[0].tolist(), strict=True))
    sheet = sheets.get(made.sheet_id)
    mapping = rows.json_object(_training_sheet(store, made), "mapping")
    record = {
        field: picture_text(value) if column in sheet.image_columns else text_of(value)
        for field, column in mapping.items()
        for value in (values.get("item_ref" if column == sheet.item_id_column else str(column)),)
    }
    return SheetRow(str(values["item_ref"]), record)


def _training_sheet(store: Store, made: ModelVersion) -> Row:
    found = store.query("SELECT template_snapshot, mapping FROM training_sheets WHERE id = :id",
                        id=made.training_sheet_id)  # fmt: skip
    if not found:
        raise NotFound(f"The training sheet of {made.title} is gone.", hint="Enter the fields by hand.")
    return found[0]
