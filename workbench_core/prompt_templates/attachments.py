"""The template that a sheet is worked with: attached with its columns, frozen as it was, and detached (SH-8, SH-9)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Row, Store
from workbench_core.prompt_templates.mapping import target_column_of, unmapped
from workbench_core.prompt_templates.template import (
    AnswerSource,
    PromptTemplate,
    TemplateSnapshot,
    TemplateStatus,
    from_snapshot,
)
from workbench_core.prompt_templates.versions import numbers_of
from workbench_core.sheets.model import Sheet, SheetStatus

if TYPE_CHECKING:
    from workbench_core.prompt_templates.service import PromptTemplates
    from workbench_core.sheets import Sheets

FROM_A_COLUMN = frozenset({AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID})
_CHUNK = 500  # sheets in one statement
_COLUMNS = (
    "sheet_id, prompt_template_id, template_version, template_snapshot, mapping, answer_source, answer_column, "
    "attached_by, attached_at"
)


@dataclass(frozen=True, slots=True)
class AttachedTemplate:
    """What a sheet is worked with (spec 2.3); `newer_version` is the newest published one after it, if any."""

    sheet_id: str
    prompt_template_id: str
    template: TemplateSnapshot
    mapping: dict[str, str]
    answer_source: AnswerSource
    answer_column: str
    attached_by: str
    attached_at: datetime
    newer_version: str = ""


class TemplateAttachments:
    """Attach a published template to a sheet, look at what is attached, detach it."""

    def __init__(
        self,
        store: Store,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        sheets: Sheets,
        templates: PromptTemplates,
    ) -> None:
        self._store = store
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._sheets = sheets
        self._templates = templates

    def attach(
        self,
        sheet_id: str,
        template_id: str,
        mapping: Mapping[str, str] | None = None,
        *,
        answer_source: AnswerSource | None = None,
        answer_column: str = "",
        by: str,
    ) -> AttachedTemplate:
        """Attach a template in place of the one that is there (SH-8); without a mapping names must equal columns.

        Raises Conflict for a template that is not published or an archived sheet, Invalid listing placeholders without
        a column and unknown columns, NotFound, NotPermitted.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet, template = self._sheets.get(sheet_id), self._templates.get(template_id)
        _check_state(sheet, template)
        columns = [column.name for column in self._sheets.columns(sheet_id)]
        given = {name: name for name in template.placeholders if name in columns} if mapping is None else mapping
        chosen = {name: given[name] for name in template.placeholders if given.get(name)}
        source = answer_source or template.answer_source
        answers = (answer_column or target_column_of(template, columns)) if source in FROM_A_COLUMN else ""
        _check_columns(sheet, template, chosen, columns=columns)
        _check_answers(sheet, source, answers, columns=columns)
        with self._store.transaction():
            _check_state(sheet, self._templates.get(template_id))  # somebody may have archived or deleted it meanwhile
            self._put(sheet_id, template, chosen, source=source, answers=answers, by=by)
            self._history.add(
                "sheet", sheet_id, "attach template", by=by, template=template.name, version=template.version,
                template_id=template.id, mapping=dict(chosen), answer_source=source.value,
            )  # fmt: skip
        return self.all_of([sheet_id])[sheet_id]

    def detach(self, sheet_id: str, *, by: str) -> None:
        """Take the template off a sheet; training sheets made with it stay as they are (SH-9). Raises NotFound."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet = self._sheets.get(sheet_id)
        attached = self.of(sheet_id)
        if attached is None:
            raise NotFound(f"“{sheet.name}” has no template.", hint="Reload the page.")
        with self._store.transaction():
            self._store.execute(
                "DELETE FROM attached_templates WHERE sheet_id = :id", touches="attached_templates", id=sheet_id
            )
            self._history.add(
                "sheet", sheet_id, "detach template", by=by, template=attached.template.name,
                version=attached.template.version, template_id=attached.prompt_template_id,
            )  # fmt: skip

    def of(self, sheet_id: str) -> AttachedTemplate | None:
        """What is attached to a sheet; None when nothing is."""
        return self.all_of([sheet_id]).get(sheet_id)

    def all_of(self, sheet_ids: Sequence[str]) -> dict[str, AttachedTemplate]:
        """What is attached to these sheets, by sheet; sheets without a template are left out."""
        found: dict[str, AttachedTemplate] = {}
        for start in range(0, len(sheet_ids), _CHUNK):
            chunk = list(sheet_ids[start : start + _CHUNK])
            newer = self._newer(chunk)
            for row in self._store.query(
                f"SELECT {_COLUMNS} FROM attached_templates WHERE sheet_id IN :ids ORDER BY sheet_id", ids=chunk
            ):
                sheet_id = rows.text(row, "sheet_id")
                found[sheet_id] = _attached(row, newer.get(sheet_id, ""))
        return found

    def _newer(self, sheet_ids: Sequence[str]) -> dict[str, str]:
        """The newest published version after the attached one, for the sheets that have such."""
        found: dict[str, str] = {}
        for row in self._store.query(
            "SELECT a.sheet_id, a.template_version, v.version FROM attached_templates a "
            "JOIN prompt_templates t ON t.id = a.prompt_template_id "
            "JOIN prompt_templates v ON v.lineage_id = t.lineage_id AND v.status = 'published' "
            "WHERE a.sheet_id IN :ids ORDER BY a.sheet_id, v.version",
            ids=list(sheet_ids),
        ):
            sheet_id, version = rows.text(row, "sheet_id"), rows.text(row, "version")
            best = found.get(sheet_id) or rows.text(row, "template_version")
            if numbers_of(version) > numbers_of(best):
                found[sheet_id] = version
        return found

    def _put(
        self,
        sheet_id: str,
        template: PromptTemplate,
        mapping: Mapping[str, str],
        *,
        source: AnswerSource,
        answers: str,
        by: str,
    ) -> None:
        """One statement, whether something is attached already or not."""
        names = _COLUMNS.split(", ")
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        self._store.execute(
            f"INSERT INTO attached_templates ({_COLUMNS}) VALUES ({', '.join(f':{name}' for name in names)}) "
            f"ON CONFLICT (sheet_id) DO UPDATE SET {changes}",
            touches="attached_templates",
            sheet_id=sheet_id,
            prompt_template_id=template.id,
            template_version=template.version,
            template_snapshot=rows.to_json(template.snapshot()),
            mapping=rows.to_json(dict(mapping)),
            answer_source=source.value,
            answer_column=answers,
            attached_by=by,
            attached_at=self._clock(),
        )


def _check_state(sheet: Sheet, template: PromptTemplate) -> None:
    if template.status is not TemplateStatus.PUBLISHED:
        way = "Publish" if template.status is TemplateStatus.DRAFT else "Restore"
        raise Conflict(
            f"“{template.name}” {template.version} is {template.status}: only a published template can be attached.",
            hint=f"{way} it first.",
        )
    if sheet.status is SheetStatus.ARCHIVED:
        raise Conflict(f"“{sheet.name}” is archived.", hint="Restore the sheet first.")


def _check_columns(
    sheet: Sheet, template: PromptTemplate, mapping: Mapping[str, str], *, columns: Collection[str]
) -> None:
    """Raise Invalid listing what is unmapped and what does not exist."""
    problems = list(_column_problems(sheet, template, mapping, columns=columns))
    if problems:
        raise Invalid(" ".join(problems), hint="Choose a column for each placeholder.")


def _column_problems(
    sheet: Sheet, template: PromptTemplate, mapping: Mapping[str, str], *, columns: Collection[str]
) -> Iterator[str]:
    if missing := unmapped(template, mapping):
        yield f"No column is chosen for {', '.join(missing)}."
    if unknown := sorted(set(mapping.values()) - set(columns)):
        yield f"“{sheet.name}” has no column {', '.join(unknown)}."


def _check_answers(sheet: Sheet, source: AnswerSource, answers: str, *, columns: Collection[str]) -> None:
    if source in FROM_A_COLUMN and not answers:
        raise Invalid("The column that holds the answers is not chosen.", hint="Choose one, or another answer source.")
    if answers and answers not in columns:
        raise Invalid(f"“{sheet.name}” has no column “{answers}” for the answers.", hint="Choose another column.")


def _attached(row: Row, newer: str) -> AttachedTemplate:
    return AttachedTemplate(
        sheet_id=rows.text(row, "sheet_id"),
        prompt_template_id=rows.text(row, "prompt_template_id"),
        template=from_snapshot(rows.json_object(row, "template_snapshot")),
        mapping={name: str(column) for name, column in rows.json_object(row, "mapping").items()},
        answer_source=AnswerSource(rows.text(row, "answer_source")),
        answer_column=rows.text(row, "answer_column"),
        attached_by=rows.text(row, "attached_by"),
        attached_at=rows.time(row, "attached_at"),
        newer_version=newer,
    )
