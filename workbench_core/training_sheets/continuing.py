"""Whether a training sheet can be gone on with: its sheet, columns and model must still be what its pairs need."""

from __future__ import annotations

from collections.abc import Iterator

from workbench_core.chat_models import ChatModels
from workbench_core.errors import Conflict
from workbench_core.ports import Lake
from workbench_core.sheets import Sheet, Sheets, SheetStatus
from workbench_core.sheets.join_config import join_json
from workbench_core.training_sheets.model import GenerationOptions, TrainingSheet, asks_model
from workbench_core.training_sheets.spending import check_room, checked_allowance

_SAMPLING = ("sample_size", "sample_seed", "stratify_column")


class Continuing:
    """Look at what a training sheet stands on before it is resumed or grows."""

    def __init__(self, lake: Lake, sheets: Sheets, chat_models: ChatModels) -> None:
        self._lake = lake
        self._sheets = sheets
        self._chat_models = chat_models

    def check_resumable(self, training_sheet: TrainingSheet, *, budget: float | None, call_limit: int | None) -> None:
        """Raise Conflict when its items would be others than at the beginning, Invalid for what is no limit.

        A model that is gone fails the run with a clear sentence; without a limit it is not looked at here.
        """
        sheet = self._sheets.get(training_sheet.sheet_id)
        check_active(sheet)
        if changed := " and ".join(changed_parts(training_sheet.options, sheet)):
            raise Conflict(
                f"The {changed} of the sheet “{sheet.name}” changed since “{training_sheet.name}” was begun.",
                hint="Set it back to go on, or generate a new training sheet.",
            )
        if budget is not None or call_limit is not None:
            model = self._chat_models.get(training_sheet.model_name)
            check_room(checked_allowance(model, budget, call_limit), training_sheet.spent)

    def check_growable(self, training_sheet: TrainingSheet) -> None:
        """Raise Conflict when new items could not be worked on, NotFound for a source or model that is gone."""
        sheet = self._sheets.get(training_sheet.sheet_id)
        check_active(sheet)
        known = {column.name for column in self._lake.columns(sheet.relation)}
        needed = [*training_sheet.mapping.values(), training_sheet.answer_column]
        if missing := sorted({column for column in needed if column and column not in known}):
            raise Conflict(
                f"The source of “{sheet.name}” has no column {', '.join(missing)} any more.",
                hint="Bring it back, or generate a new training sheet with other columns.",
            )
        if not asks_model(training_sheet.answer_source):
            return
        model = self._chat_models.get(training_sheet.model_name)
        check_room(checked_allowance(model, training_sheet.budget, training_sheet.call_limit), training_sheet.spent)


def check_active(sheet: Sheet) -> None:
    """Raise Conflict unless training sheets may be generated from a sheet."""
    if sheet.status is not SheetStatus.ACTIVE:
        way = "restore and publish it" if sheet.status is SheetStatus.ARCHIVED else "publish it"
        raise Conflict(
            f"The sheet “{sheet.name}” is {sheet.status}: nothing is generated from it.", hint=f"First {way}."
        )


def selection_of(sheet: Sheet) -> dict[str, str]:
    """What decides which items a sheet has, as a training sheet keeps it."""
    return {
        "source": sheet.source,
        "join": join_json(sheet.join),
        "identifier": sheet.item_id_column,
        "filter": sheet.filter,
        "sampling": ", ".join(str(getattr(sheet, name)) for name in _SAMPLING) if sheet.sample_size else "",
    }


def changed_parts(options: GenerationOptions, sheet: Sheet) -> Iterator[str]:
    """What decides otherwise now; nothing for a training sheet that kept none.

    How the sheet is sampled does not matter to one that has a sample of its own.
    """
    now = selection_of(sheet)
    if options.sampling:
        del now["sampling"]
    yield from (name for name, value in options.selection.items() if now.get(name, value) != value)
