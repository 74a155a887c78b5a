"""The service behind prompt templates: write them, check them, and move them through their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.errors import AlreadyExists, ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Row, Store, Value
from workbench_core.prompt_rendering import Renderer, text_of
from workbench_core.prompt_templates.lint import problems_of
from workbench_core.prompt_templates.template import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    AnswerSource,
    Problem,
    PromptTemplate,
    RenderedItem,
    TemplateDraft,
    TemplateStatus,
    examples_json,
    fields_json,
    read_examples,
    read_fields,
)

if TYPE_CHECKING:
    from workbench_core.sheets import Sheets

MAX_NAME = 255
MAX_LABEL_TYPE = 100
MAX_TEMPERATURE = 2.0
MAX_TOKENS = 8_192
_VERSION = re.compile(r"\s*v?(\d{1,6})(?:\.(\d{1,6}))?")
_COLUMNS = (
    "id, lineage_id, parent_id, name, description, label_type, system_prompt, user_prompt, label_classes, "
    "output_schema, examples, answer_source, temperature, max_tokens, version, status, is_demo, row_version, "
    "created_by, created_at, updated_by, updated_at"
)
_MATCHES = (
    "status IN :statuses AND (:label_type = '' OR label_type = :label_type) "
    "AND LOWER(name || ' ' || description) LIKE LOWER(:pattern) ESCAPE '!'"
)


class PromptTemplates:
    """Write templates, check them, and move them through their versions."""

    def __init__(self, store: Store, sheets: Sheets, history: History, permissions: Permissions, clock: Clock) -> None:
        self._store = store
        self._sheets = sheets
        self._history = history
        self._permissions = permissions
        self._clock = clock

    def create(self, draft: TemplateDraft, *, by: str, is_demo: bool = False) -> PromptTemplate:
        """Create draft 1.0.0 of a new lineage (TP-2). Raises Invalid naming the field."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        template = self._new(_checked(draft), by=by, is_demo=is_demo)
        self._insert(template, "create", by=by)
        return template

    def find(
        self,
        *,
        status: TemplateStatus | None = None,
        label_type: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[PromptTemplate]:
        """Templates, last changed first; `search` looks into name and description (TP-1)."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM prompt_templates WHERE {_MATCHES} "
            "ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **_wanted(status, label_type, search),
        )
        return [_template(row) for row in found]

    def count(self, *, status: TemplateStatus | None = None, label_type: str = "", search: str = "") -> int:
        """How many templates `find` has in all its pages."""
        found = self._store.query(
            f"SELECT COUNT(*) AS templates FROM prompt_templates WHERE {_MATCHES}",
            **_wanted(status, label_type, search),
        )
        return rows.whole(found[0], "templates")

    def get(self, template_id: str) -> PromptTemplate:
        """One template version. Raises NotFound."""
        found = self._store.query(f"SELECT {_COLUMNS} FROM prompt_templates WHERE id = :id", id=template_id)
        if not found:
            raise NotFound("This prompt template does not exist.", hint="Choose one on the Prompt templates page.")
        return _template(found[0])

    def versions(self, lineage_id: str) -> list[PromptTemplate]:
        """All versions of one lineage, newest first."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM prompt_templates WHERE lineage_id = :lineage ORDER BY created_at DESC, id",
            lineage=lineage_id,
        )
        return sorted((_template(row) for row in found), key=lambda t: _numbers(t.version), reverse=True)

    def update(self, template_id: str, draft: TemplateDraft, *, by: str, row_version: int) -> PromptTemplate:
        """Change a draft (TP-3). Raises Conflict when it is published or archived, ChangedByOthers, Invalid."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        template = self.get(template_id)
        if template.status is not TemplateStatus.DRAFT:
            raise Conflict(
                f"“{template.name}” {template.version} is {template.status} and cannot change.",
                hint="Create a new version and change that one.",
            )
        checked = _checked(draft)
        changed = replace(template, **{entry.name: getattr(checked, entry.name) for entry in fields(checked)})
        with self._store.transaction():
            self._save(changed, expected=row_version, by=by)
            self._history.add("prompt_template", template_id, "update", by=by)
        return self.get(template_id)

    def move(self, template_id: str, action: str, *, by: str) -> PromptTemplate:
        """Publish, archive or restore a template (TP-4, TP-5).

        Raises InvalidTransition, Invalid with the first problem when it cannot be published, Conflict when restoring
        would make a second open draft.
        """
        publishing = action == "publish"
        self._permissions.check(by, Action.PUBLISH_TEMPLATES if publishing else Action.EDIT_TEMPLATES)
        template = self.get(template_id)
        to = LIFECYCLE.next(template.status, action, subject=f"“{template.name}” {template.version}")
        if publishing:
            _check_publishable(template)
        if action == "restore":
            to = self._restored_status(template)
        with self._store.transaction():
            self._save(replace(template, status=to), expected=template.row_version, by=by)
            self._history.add("prompt_template", template_id, action, by=by, version=template.version)
        return self.get(template_id)

    def create_version(self, template_id: str, *, by: str) -> PromptTemplate:
        """Open the next minor version as a draft (TP-6). Raises Conflict for a draft, or with another open draft."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        source = self.get(template_id)
        if source.status not in VERSIONABLE:
            raise Conflict(f"“{source.name}” {source.version} is a draft.", hint="Change the draft itself.")
        known = self.versions(source.lineage_id)
        _refuse_second_draft(known)
        major, minor = max(_numbers(version.version) for version in known)
        version = replace(
            self._new(source.draft, by=by),
            lineage_id=source.lineage_id,
            parent_id=source.id,
            version=f"{major}.{minor + 1}.0",
        )
        try:
            self._insert(version, "create version", by=by, parent=source.version)
        except AlreadyExists:
            _refuse_second_draft(self.versions(source.lineage_id))
            raise
        return version

    def duplicate(self, template_id: str, *, by: str, name: str = "") -> PromptTemplate:
        """Start a lineage of its own from a template: an independent draft 1.0.0 (TP-7)."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        source = self.get(template_id)
        chosen = name.strip() or f"Copy of {source.name}"[:MAX_NAME]
        copy = self._new(_checked(replace(source.draft, name=chosen)), by=by)
        self._insert(copy, "duplicate", by=by, source=source.id)
        return copy

    def delete(self, template_id: str, *, by: str) -> None:
        """Remove a draft or an archived template (TP-8). Raises Conflict naming what stands on it."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        template = self.get(template_id)
        if template.status not in DELETABLE:
            raise Conflict(f"“{template.name}” {template.version} is published.", hint="Archive it first.")
        with self._store.transaction():
            if used := self.dependants(template_id):
                raise Conflict(f"“{template.name}” {template.version} is in use: {used}.", hint="Archive it instead.")
            self._store.execute(
                "DELETE FROM prompt_templates WHERE id = :id", touches="prompt_templates", id=template_id
            )
            self._history.add("prompt_template", template_id, "delete", by=by, name=template.name)

    def dependants(self, template_id: str) -> str:
        """What stands on a template, in words such as “2 training sheets, 1 later version”; empty when nothing."""
        found = self._store.query(
            "SELECT (SELECT COUNT(*) FROM training_sheets WHERE prompt_template_id = :id) AS training_sheet, "
            "(SELECT COUNT(*) FROM canonical_labels WHERE prompt_template_id = :id) AS canonical_label, "
            "(SELECT COUNT(*) FROM prompt_templates WHERE parent_id = :id) AS later_version",
            id=template_id,
        )[0]
        counts = {name.replace("_", " "): rows.whole(found, name) for name in found}
        return ", ".join(f"{count:,} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)

    def lint(self, draft: TemplateDraft) -> list[Problem]:
        """What keeps a template from being published, in the order of the editor; empty when nothing does."""
        return problems_of(draft)

    def preview(
        self, draft: TemplateDraft, sheet_id: str, mapping: Mapping[str, str], *, limit: int = 3
    ) -> list[RenderedItem]:
        """Render the first rows of a sheet; an item that cannot be rendered says why (TP-10).

        `mapping` gives the column of each placeholder. Raises NotFound for the sheet, Invalid for a malformed prompt
        or a column that the sheet does not have.
        """
        sheet = self._sheets.get(sheet_id)
        if unknown := sorted(set(mapping.values()) - set(sheet.columns)):
            raise Invalid(f"“{sheet.name}” has no column {', '.join(unknown)}.", hint="Map the placeholder again.")
        renderer = draft.renderer()
        page = self._sheets.preview(sheet_id, limit=limit)
        return [
            _rendered(renderer, text_of(row[sheet.item_id_column]), {k: text_of(row[v]) for k, v in mapping.items()})
            for row in page.to_dict("records")
        ]

    # --- inside ----------------------------------------------------------------------------------------------------

    def _new(self, draft: TemplateDraft, *, by: str, is_demo: bool = False) -> PromptTemplate:
        """Draft 1.0.0 of a lineage of its own."""
        now = self._clock()
        template_id = new_id("template")
        return PromptTemplate(
            **{entry.name: getattr(draft, entry.name) for entry in fields(TemplateDraft)},
            id=template_id,
            lineage_id=template_id,
            parent_id=None,
            version="1.0.0",
            status=TemplateStatus.DRAFT,
            is_demo=is_demo,
            row_version=1,
            created_by=by,
            created_at=now,
            updated_by=by,
            updated_at=now,
        )

    def _insert(self, template: PromptTemplate, action: str, *, by: str, **details: str) -> None:
        with self._store.transaction():
            self._store.append("prompt_templates", [_row(template)])
            self._history.add(
                "prompt_template", template.id, action, by=by, name=template.name, version=template.version, **details
            )

    def _save(self, template: PromptTemplate, *, expected: int, by: str) -> None:
        """Write every column that may change, if nobody else was faster. Raises ChangedByOthers."""
        values = _row(replace(template, row_version=expected + 1, updated_by=by, updated_at=self._clock()))
        fixed = {"lineage_id", "parent_id", "version", "is_demo", "created_by", "created_at"}
        kept = {name: value for name, value in values.items() if name not in fixed}
        assignments = ", ".join(f"{name} = :{name}" for name in kept if name != "id")
        changed = self._store.execute(
            f"UPDATE prompt_templates SET {assignments} WHERE id = :id AND row_version = :expected",
            touches="prompt_templates",
            expected=expected,
            **kept,
        )
        if not changed:
            now = self.get(template.id)
            raise ChangedByOthers(f"“{now.name}” was just changed by {now.updated_by}.", hint="Reload and try again.")

    def _restored_status(self, template: PromptTemplate) -> TemplateStatus:
        """Published when it had been published: its text may be in use and must not change (INV-7)."""
        if any(event.action == "publish" for event in self._history.of("prompt_template", template.id)):
            return TemplateStatus.PUBLISHED
        _refuse_second_draft(self.versions(template.lineage_id))
        return TemplateStatus.DRAFT


def _checked(draft: TemplateDraft) -> TemplateDraft:
    """The draft without stray spaces. Raises Invalid for what cannot even be saved as a draft."""
    checked = replace(draft, name=draft.name.strip(), label_type=draft.label_type.strip())
    if not 1 <= len(checked.name) <= MAX_NAME:
        raise Invalid(f"The name must have 1 to {MAX_NAME} characters.", hint="Change the name.")
    if not 1 <= len(checked.label_type) <= MAX_LABEL_TYPE:
        raise Invalid(
            f"The label type must have 1 to {MAX_LABEL_TYPE} characters.",
            hint="Name the question that the labels answer, such as defect_class.",
        )
    if not 0 <= checked.temperature <= MAX_TEMPERATURE:
        raise Invalid(f"The temperature must be 0 to {MAX_TEMPERATURE:g}.", hint="0 gives the same answer each time.")
    if not 1 <= checked.max_tokens <= MAX_TOKENS:
        raise Invalid(f"The longest answer must be 1 to {MAX_TOKENS:,} tokens.", hint="Change the number of tokens.")
    return checked


def _check_publishable(template: PromptTemplate) -> None:
    if problems := problems_of(template):
        first = problems[0]
        more = f" There are {len(problems) - 1} more problems." if len(problems) > 1 else ""
        where = "" if first.line is None else f"{first.field.replace('_', ' ').capitalize()}, line {first.line}: "
        raise Invalid(
            f"“{template.name}” cannot be published. {where}{first.message}{more}",
            hint="Correct the problems that the editor lists.",
        )


def _refuse_second_draft(versions: Sequence[PromptTemplate]) -> None:
    for version in versions:
        if version.status is TemplateStatus.DRAFT:
            raise Conflict(
                f"“{version.name}” has the open draft {version.version} already.",
                hint="Publish, archive or delete that draft first.",
            )


def _numbers(version: str) -> tuple[int, int]:
    """Major and minor number; a version text that is none counts as 1.0."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2] or 0)) if found else (1, 0)


def _rendered(renderer: Renderer, item_ref: str, variables: Mapping[str, str]) -> RenderedItem:
    try:
        messages = renderer.render(variables)
    except Invalid as error:
        return RenderedItem(item_ref, (), error.message)
    return RenderedItem(item_ref, messages, shortened=renderer.shortened(variables))


def _wanted(status: TemplateStatus | None, label_type: str, search: str) -> dict[str, str | list[TemplateStatus]]:
    """The parameters of `_MATCHES`."""
    return {
        "statuses": [status] if status else list(TemplateStatus),
        "label_type": label_type,
        "pattern": rows.search_pattern(search),
    }


def _row(template: PromptTemplate) -> dict[str, Value]:
    values = {entry.name: getattr(template, entry.name) for entry in fields(PromptTemplate)}
    return {
        **values,
        "label_classes": rows.to_json(template.label_classes),
        "output_schema": rows.to_json(fields_json(template.output_schema)),
        "examples": rows.to_json(examples_json(template.examples)),
    }


def _template(row: Row) -> PromptTemplate:
    return PromptTemplate(
        id=rows.text(row, "id"),
        lineage_id=rows.text(row, "lineage_id"),
        parent_id=rows.text(row, "parent_id") or None,
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        label_type=rows.text(row, "label_type"),
        system_prompt=rows.text(row, "system_prompt"),
        user_prompt=rows.text(row, "user_prompt"),
        label_classes=rows.json_texts(row, "label_classes"),
        output_schema=read_fields(rows.json_list(row, "output_schema")),
        examples=read_examples(rows.json_list(row, "examples")),
        answer_source=AnswerSource(rows.text(row, "answer_source")),
        temperature=rows.number(row, "temperature"),
        max_tokens=rows.whole(row, "max_tokens"),
        version=rows.text(row, "version"),
        status=TemplateStatus(rows.text(row, "status")),
        is_demo=rows.flag(row, "is_demo"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
    )
