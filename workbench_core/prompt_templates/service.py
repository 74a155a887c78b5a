"""The service behind prompt templates: write them, check them, and move them through their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import Quarantine
from workbench_core.errors import AlreadyExists, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Store
from workbench_core.prompt_templates import records, sheet_proposals, template_file
from workbench_core.prompt_templates.lint import checked, problems_of
from workbench_core.prompt_templates.row_rendering import rendered_rows
from workbench_core.prompt_templates.template import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    Problem,
    PromptTemplate,
    RenderedItem,
    TemplateDraft,
    TemplateStatus,
)
from workbench_core.prompt_templates.versions import note_deletion, refuse_second_draft, version_after

if TYPE_CHECKING:
    from workbench_core.chat_models import ChatModels
    from workbench_core.sheets import Sheets

MAX_NAME = 255


class PromptTemplates:
    """Write templates, check them, and move them through their versions."""

    def __init__(
        self,
        store: Store,
        sheets: Sheets,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        lake: Lake,
        chat_models: ChatModels | None = None,
    ) -> None:
        """Without `chat_models` the names of models are not checked."""
        self._store = store
        self._sheets = sheets
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._lake = lake
        self._quarantine = Quarantine(store)
        self._chat_models = chat_models

    # --- write -----------------------------------------------------------------------------------------------------

    def create(self, draft: TemplateDraft, *, by: str, is_demo: bool = False) -> PromptTemplate:
        """Create draft 1.0.0 of a new lineage (TP-2). Raises Invalid naming the field."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        template = self._new(checked(draft), by=by, is_demo=is_demo)
        self._insert(template, "create", by=by)
        return template

    def update(self, template_id: str, draft: TemplateDraft, *, by: str, row_version: int) -> PromptTemplate:
        """Change a draft (TP-3). Raises Conflict when it is published or archived, ChangedByOthers, Invalid."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        template = self.get(template_id)
        if template.status is not TemplateStatus.DRAFT:
            raise Conflict(
                f"“{template.name}” {template.version} is {template.status} and cannot change.",
                hint="Create a new version and change that one.",
            )
        new = checked(draft)
        changed = replace(template, **{entry.name: getattr(new, entry.name) for entry in fields(new)})
        with self._store.transaction():
            records.save(self._store, changed, expected=row_version, by=by, now=self._clock())
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
            self._check_publishable(template)
        if action == "restore":
            to = self._restored_status(template)
        with self._store.transaction():
            moved = replace(template, status=to)
            records.save(self._store, moved, expected=template.row_version, by=by, now=self._clock())
            self._history.add("prompt_template", template_id, action, by=by, version=template.version)
        return self.get(template_id)

    def create_version(self, template_id: str, *, by: str) -> PromptTemplate:
        """Open the next minor version as a draft (TP-6). Raises Conflict for a draft, or with another open draft."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        source = self.get(template_id)
        if source.status not in VERSIONABLE:
            raise Conflict(f"“{source.name}” {source.version} is a draft.", hint="Change the draft itself.")
        return self._next_version(
            self.versions(source.lineage_id), source, source.draft, action="create version", by=by
        )

    def duplicate(self, template_id: str, *, by: str, name: str = "") -> PromptTemplate:
        """Start a lineage of its own from a template: an independent draft 1.0.0 (TP-7)."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        source = self.get(template_id)
        chosen = name.strip() or f"Copy of {source.name}"[:MAX_NAME]
        copy = self._new(checked(replace(source.draft, name=chosen)), by=by)
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
            sheets = records.remove(self._store, template_id)
            self._history.add("prompt_template", template_id, "delete", by=by, name=template.name)
            note_deletion(template, self._history, by=by)
            self._history.add_many("sheet", sheets, "detach template", by=by, template=template.name)

    # --- look ------------------------------------------------------------------------------------------------------

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
        return records.found(
            self._store, status=status, label_type=label_type, search=search, limit=limit, offset=offset
        )

    def count(self, *, status: TemplateStatus | None = None, label_type: str = "", search: str = "") -> int:
        """How many templates `find` has in all its pages."""
        return records.counted(self._store, status=status, label_type=label_type, search=search)

    def get(self, template_id: str) -> PromptTemplate:
        """One template version. Raises NotFound."""
        return records.one(self._store, template_id)

    def versions(self, lineage_id: str) -> list[PromptTemplate]:
        """All versions of one lineage, newest first."""
        return records.lineage(self._store, lineage_id)

    def dependants(self, template_id: str) -> str:
        """What stands on a template, such as “2 training sheets (May, June), 1 later version (1.1.0)”."""
        return records.dependants(self._store, template_id)

    def lint(self, draft: TemplateDraft) -> list[Problem]:
        """What is wrong with a template, in the order of the editor; warnings do not keep it from being published."""
        models = () if self._chat_models is None else tuple(model.name for model in self._chat_models.all())
        return problems_of(draft, models=models)

    def preview(
        self, draft: TemplateDraft, sheet_id: str, mapping: Mapping[str, str], *, limit: int = 3
    ) -> list[RenderedItem]:
        """Render the first rows of a sheet; an item that cannot be rendered says why (TP-10).

        They are the rows that a generation would take: items that were set aside for their quality are left out.
        `mapping` gives the column of each placeholder. Raises NotFound for the sheet, Invalid for a malformed prompt
        or a column that the source does not have.
        """
        return self.render_each([draft], sheet_id, mapping, limit=limit)[0]

    def render_each(
        self, drafts: Sequence[TemplateDraft], sheet_id: str, mapping: Mapping[str, str], *, limit: int = 3
    ) -> list[list[RenderedItem]]:
        """The same rows as `preview`, for each of these templates."""
        sheet = self._sheets.get(sheet_id)
        selection = self._quarantine.without(sheet.selection(), sheet_id)
        return rendered_rows(self._lake, sheet, drafts, mapping, selection=selection, limit=limit)

    # --- files -----------------------------------------------------------------------------------------------------

    def import_file(self, text: str, *, by: str, lineage_id: str = "") -> PromptTemplate:
        """Make a template file a new lineage, or the next draft version of the lineage with this id.

        Raises Invalid with the line, NotFound, Conflict when the newest version says the same already or a draft is
        open.
        """
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        draft = checked(template_file.draft_from_file(text))
        if not lineage_id:
            template = self._new(draft, by=by)
            self._insert(template, "import", by=by)
            return template
        known = self.versions(lineage_id)
        if not known:
            raise NotFound("This prompt template does not exist.", hint="Import the file as a new template.")
        if known[0].draft == draft:
            raise Conflict(
                f"“{known[0].name}” {known[0].version} says the same already.", hint="There is nothing to import."
            )
        return self._next_version(known, known[0], draft, action="import", by=by)

    def export_files(self, template_ids: Sequence[str]) -> bytes:
        """These versions as template files in a zip archive, the same bytes for the same versions. Raises NotFound."""
        return template_file.archive_of(records.several(self._store, template_ids))

    def from_sheet(self, sheet_id: str, *, by: str) -> PromptTemplate:
        """A new draft with what the columns of a sheet suggest: inputs, prompt, classes, label type (TP-11)."""
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        sheet = self._sheets.get(sheet_id)
        template = self._new(checked(sheet_proposals.draft_from(self._lake, sheet)), by=by)
        self._insert(template, "create", by=by, sheet=sheet.id)
        return template

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

    def _next_version(
        self,
        known: Sequence[PromptTemplate],
        parent: PromptTemplate,
        draft: TemplateDraft,
        *,
        action: str,
        by: str,
    ) -> PromptTemplate:
        """Open the next draft of the lineage with these versions. Raises Conflict when one is open."""
        refuse_second_draft(known)
        number = version_after(known, self._history)
        version = replace(self._new(draft, by=by), lineage_id=parent.lineage_id, parent_id=parent.id, version=number)
        try:
            self._insert(version, action, by=by, parent=parent.version)
        except AlreadyExists:  # somebody was faster
            refuse_second_draft(self.versions(parent.lineage_id))
            raise
        return version

    def _insert(self, template: PromptTemplate, action: str, *, by: str, **details: str) -> None:
        with self._store.transaction():
            records.add(self._store, template)
            self._history.add(
                "prompt_template", template.id, action, by=by, name=template.name, version=template.version, **details
            )

    def _check_publishable(self, template: PromptTemplate) -> None:
        """Raise Invalid with the first problem; warnings are none."""
        problems = [problem for problem in self.lint(template) if not problem.is_warning]
        if problems:
            first, others = problems[0], len(problems) - 1
            more = f" There {'are' if others > 1 else 'is'} {others} more." if others else ""
            where = "" if first.line is None else f"{first.field.replace('_', ' ').capitalize()}, line {first.line}: "
            raise Invalid(
                f"“{template.name}” cannot be published. {where}{first.message}{more}",
                hint="Correct the problems that the editor lists.",
            )

    def _restored_status(self, template: PromptTemplate) -> TemplateStatus:
        """Published when it had been published: its text may be in use and must not change (INV-7)."""
        if any(event.action == "publish" for event in self._history.of("prompt_template", template.id)):
            return TemplateStatus.PUBLISHED
        refuse_second_draft(self.versions(template.lineage_id))
        return TemplateStatus.DRAFT
