"""The first rows of a sheet as the messages of a template, to look at before anything is made of them (TP-10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench_core.errors import Invalid
from workbench_core.ports import Lake, Selection
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates.row_values import RowValues, row_values, with_pictures
from workbench_core.prompt_templates.template import RenderedItem, TemplateDraft
from workbench_core.sheets.picture_files import PictureFiles

if TYPE_CHECKING:
    from workbench_core.sheets import Sheet


def rendered_rows(
    lake: Lake,
    sheet: Sheet,
    drafts: Sequence[TemplateDraft],
    mapping: Mapping[str, str],
    *,
    selection: Selection,
    limit: int,
) -> list[list[RenderedItem]]:
    """The first rows of a selection of the sheet for each template; an item that cannot be rendered says why.

    Rows without an identifier are no items, and of rows that repeat one only the first is taken: a generation refuses
    such a sheet. Raises Invalid for a malformed prompt or a column that the source does not have.
    """
    chosen = {name: column for name, column in mapping.items() if column}
    known = {column.name for column in lake.columns(sheet.relation)}
    if unknown := sorted(set(chosen.values()) - known):
        raise Invalid(f"“{sheet.name}” has no column {', '.join(unknown)}.", hint="Map the placeholder again.")
    columns = tuple(dict.fromkeys(chosen.values())) or (sheet.item_id_column,)
    page = lake.page(selection, columns=columns, limit=limit).drop_duplicates("item_ref")
    values = row_values(page, chosen, PictureFiles(lake, sheet))
    references = [str(reference) for reference in page["item_ref"].tolist()]
    return [_rendered(draft, references, values) for draft in drafts]


def _rendered(draft: TemplateDraft, references: Sequence[str], values: RowValues) -> list[RenderedItem]:
    renderer, placeholders = draft.renderer(), draft.placeholders
    return [
        _item(
            renderer,
            RenderedItem(item_ref, (), values.error(row, placeholders)),
            {name: texts[row] for name, texts in values.texts.items()},
            values.attachments(row, placeholders),
        )
        for row, item_ref in enumerate(references)
    ]


def _item(
    renderer: Renderer, item: RenderedItem, variables: Mapping[str, str], attachments: tuple[str, ...]
) -> RenderedItem:
    """The item with its messages, unless it has an error already."""
    if item.error:
        return item
    try:
        messages = with_pictures(renderer.render(variables), attachments)
    except Invalid as error:
        return replace(item, error=error.message)
    return replace(item, messages=messages, shortened=renderer.shortened(variables))
