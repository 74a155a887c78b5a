"""The pre-flight of a generation: everything that is known before the first pair is made, without writing (TS-1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.data_quality import Quarantine
from workbench_core.errors import WorkbenchError
from workbench_core.ports import IdentifierCheck, Lake, Selection
from workbench_core.prompt_templates import (
    AnswerSource,
    PromptTemplate,
    PromptTemplates,
    RenderedItem,
    TemplateStatus,
    propose_mapping,
)
from workbench_core.sheets import Sheet, Sheets, SheetStatus
from workbench_core.training_sheets.items import columns_of, render_items, usage_of_item
from workbench_core.training_sheets.model import GenerationRequest, Preflight
from workbench_core.usage import Use

SAMPLES = 5
_LOOKUP = 5_000  # items in one label lookup


class PreflightCheck:
    """Look at sheet, template, labels and model together."""

    def __init__(
        self,
        lake: Lake,
        sheets: Sheets,
        templates: PromptTemplates,
        labels: CanonicalLabels,
        chat_models: ChatModels,
        quarantine: Quarantine,
    ) -> None:
        self._quarantine = quarantine
        self._lake = lake
        self._sheets = sheets
        self._templates = templates
        self._labels = labels
        self._chat_models = chat_models

    def propose_mapping(self, template_id: str, sheet_id: str) -> dict[str, str]:
        """A column for each placeholder whose name fits one; columns with a role come first."""
        template, sheet = self._templates.get(template_id), self._sheets.get(sheet_id)
        every = [column.name for column in self._lake.columns(sheet.relation)]
        columns = [*sheet.columns, *(name for name in every if name not in sheet.columns)]
        return propose_mapping(template.placeholders, columns)

    def check(self, request: GenerationRequest) -> Preflight:
        """What this request would do. Raises NotFound for the sheet or template."""
        sheet = self._sheets.get(request.sheet_id)
        template = self._templates.get(request.prompt_template_id)
        identifier = self._lake.check_identifier(sheet.relation, sheet.item_id_column)
        unmapped = tuple(name for name in template.placeholders if not request.mapping.get(name))
        problems = [
            *_state_problems(sheet, template),
            *([f"No column is chosen for {', '.join(unmapped)}."] if unmapped else []),
            *self._column_problems(request, template, sheet),
            *_identifier_problems(identifier),
            *_limit_problems(request),
        ]
        found = Preflight(identifier=identifier, unmapped=unmapped)
        if problems:
            return replace(found, problems=tuple(problems))
        try:
            return self._counted(found, request, sheet, template)
        except WorkbenchError as error:  # a filter or prompt that cannot be read is a finding, not a crash
            return replace(found, problems=(error.message,))

    def selection(self, request: GenerationRequest, sheet: Sheet) -> Selection:
        """The rows of the request, also those set aside. Raises Invalid for a filter that cannot be read."""
        accepted = self._lake.check_filter(sheet.relation, request.filter) if request.filter.strip() else ""
        return sheet.selection(extra_filter=accepted, item_refs=request.item_refs)

    def _counted(
        self, found: Preflight, request: GenerationRequest, sheet: Sheet, template: PromptTemplate
    ) -> Preflight:
        selection = self.selection(request, sheet)
        quarantined = self._quarantine.count_within(self._lake, selection, sheet.id)
        if not request.includes_set_aside:
            selection = self._quarantine.without(selection, sheet.id)
        every = self._lake.count(selection)
        selected = min(every, request.row_limit)
        source = request.answer_source or template.answer_source
        hits, barred = 0, Counter[str]()
        for refs in self._references(selection, sheet, selected):
            batch_hits, batch_barred = self._looked_up(refs, request, sheet, template)
            hits += batch_hits
            barred += batch_barred
        misses = selected - hits
        found = replace(
            found,
            selected=selected,
            left_out=every - selected,
            quarantined=quarantined,
            hits=hits,
            misses=misses,
            barred=dict(barred.most_common()),
            samples=tuple(self._samples(request, selection, sheet, template)),
        )
        if source is AnswerSource.AI_GENERATED:
            found = replace(
                found,
                model=self._chat_models.default.availability(),
                model_title=self._chat_models.default.title,
                model_calls=misses,
            )
        return replace(found, problems=tuple(_outcome_problems(found, source)))

    def _references(self, selection: Selection, sheet: Sheet, limit: int) -> Iterator[list[str]]:
        """The identifiers of the first `limit` items, in batches."""
        left = limit
        for frame in self._lake.batches(selection, columns=(sheet.item_id_column,), size=_LOOKUP):
            yield [str(reference) for reference in frame["item_ref"].tolist()[:left]]
            left -= len(frame)
            if left <= 0:
                return

    def _looked_up(
        self, refs: Sequence[str], request: GenerationRequest, sheet: Sheet, template: PromptTemplate
    ) -> tuple[int, Counter[str]]:
        """Canonical hits among these items, and why their pairs would be barred from training."""
        labels = self._labels.lookup(sheet.id, refs, template.label_type)
        is_canonical_only = (request.answer_source or template.answer_source) is AnswerSource.CANONICAL
        rules_of_sheet = self._sheets.usage_rules(sheet)
        barred: Counter[str] = Counter()
        for reference in refs:
            label = labels.get(reference)
            if label is None and is_canonical_only:
                continue
            rules = usage_of_item(rules_of_sheet, label, is_held_out=reference in request.held_out)
            if not rules.permits(Use.TRAINING):
                barred[rules.reason or "training is not allowed"] += 1
        return len(labels), barred

    def _samples(
        self, request: GenerationRequest, selection: Selection, sheet: Sheet, template: PromptTemplate
    ) -> Iterator[RenderedItem]:
        columns = columns_of(request.mapping, "", sheet.item_id_column)
        page = self._lake.page(selection, columns=columns, limit=SAMPLES)
        for item in render_items(page, template.renderer(), request.mapping):
            yield RenderedItem(item.item_ref, item.messages, item.error)

    def _column_problems(self, request: GenerationRequest, template: PromptTemplate, sheet: Sheet) -> Iterator[str]:
        known = {column.name for column in self._lake.columns(sheet.relation)}
        unknown = sorted({column for column in request.mapping.values() if column and column not in known})
        if unknown:
            yield f"The source has no column {', '.join(unknown)}."
        source = request.answer_source or template.answer_source
        if source is AnswerSource.EXISTING_COLUMN and request.answer_column not in known:
            yield (
                f"The source has no column “{request.answer_column}” for the answers."
                if request.answer_column
                else "The column that holds the answers is not chosen."
            )


def _state_problems(sheet: Sheet, template: PromptTemplate) -> Iterator[str]:
    if sheet.status is not SheetStatus.ACTIVE:
        yield f"The sheet “{sheet.name}” is {sheet.status}: publish it first."
    if template.status is TemplateStatus.ARCHIVED:
        yield f"The template “{template.name}” {template.version} is archived: restore it or choose another one."


def _identifier_problems(check: IdentifierCheck) -> Iterator[str]:
    if check.nulls:
        yield f"The identifier {check.column} is empty in {check.nulls:,} rows."
    if check.duplicates:
        yield f"The identifier {check.column} repeats itself in {check.duplicates:,} rows."


def _limit_problems(request: GenerationRequest) -> Iterator[str]:
    if request.row_limit < 1:
        yield "The row limit must be at least 1."


def _outcome_problems(found: Preflight, source: AnswerSource) -> Iterator[str]:
    if not found.selected and found.quarantined:
        yield f"All {found.quarantined:,} items of the selection are set aside for their quality."
    elif not found.selected:
        yield "No item is selected: check filter and sampling."
    elif source is AnswerSource.CANONICAL and not found.hits:
        yield f"None of the {found.selected:,} items has a canonical label for this label type."
    if found.model is not None and found.misses and not found.model.is_ready:
        yield f"The {found.model_title} cannot answer: {found.model.reason}"
