"""A new training sheet: the request, frozen with everything that its pairs depend on (INV-4)."""

from __future__ import annotations

from workbench_core import rows
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock, new_id
from workbench_core.errors import Invalid
from workbench_core.ports import ChatModel, Lake, Store, Value
from workbench_core.prompt_templates import PromptTemplate, PromptTemplates, TemplateStatus
from workbench_core.sheets import Sheet, Sheets
from workbench_core.training_sheets.continuing import selection_of
from workbench_core.training_sheets.examples import latest_examples
from workbench_core.training_sheets.model import (
    MAX_EXAMPLES,
    GenerationOptions,
    GenerationRequest,
    Preflight,
    TrainingSheetStatus,
    asks_model,
    reads_column,
)
from workbench_core.training_sheets.sampling import drawn_items, with_sampling
from workbench_core.training_sheets.spending import checked_allowance

MAX_NAME = 200


class Creation:
    """Make the rows of new training sheets."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        sheets: Sheets,
        templates: PromptTemplates,
        chat_models: ChatModels,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._templates = templates
        self._chat_models = chat_models
        self._clock = clock

    def values(self, request: GenerationRequest, found: Preflight, *, by: str) -> dict[str, Value]:
        """The row of a new training sheet, everything frozen that pairs depend on (INV-4).

        Raises NotFound for sheet, template or model, Invalid for limits and examples that cannot be.
        """
        sheet = self._sheets.get(request.sheet_id)
        template = self._templates.get(request.prompt_template_id)
        source, now = request.answer_source or template.answer_source, self._clock()
        model = self._chat_models.get(request.model_name or template.model) if asks_model(source) else None
        name = request.name.strip() or f"{sheet.name} - {template.name} v{template.version}"
        return {
            "id": new_id("ts"),
            "name": name[:MAX_NAME],
            "description": request.description,
            "sheet_id": sheet.id,
            "prompt_template_id": template.id,
            "template_version": template.version,
            "template_snapshot": rows.to_json(template.snapshot()),
            "label_type": template.label_type,
            "mapping": rows.to_json({k: request.mapping[k] for k in template.placeholders if request.mapping.get(k)}),
            "answer_source": source.value,
            "answer_column": request.answer_column if reads_column(source) else "",
            "filter": self._accepted_filter(request, sheet),
            "row_limit": request.row_limit,
            "generation_options": self._options(request, sheet, template, asks=model is not None).to_json(),
            "is_test": template.status is TemplateStatus.DRAFT,
            "is_demo": request.is_demo,
            "status": TrainingSheetStatus.GENERATING.value,
            "selected_items": found.selected,
            "left_out_items": found.left_out,
            "unlabelled_items": found.unlabelled,
            "created_by": by,
            "created_at": now,
            "updated_by": by,
            "updated_at": now,
            **_model_values(model, request),
        }

    def _options(
        self, request: GenerationRequest, sheet: Sheet, template: PromptTemplate, *, asks: bool
    ) -> GenerationOptions:
        """The rest of the request, with the examples and the sheet as they are now. Raises Invalid for too many."""
        if not 0 <= request.examples <= MAX_EXAMPLES:
            raise Invalid(
                f"The number of examples must be between 0 and {MAX_EXAMPLES}.", hint="Choose another number."
            )
        examples = (
            latest_examples(
                self._store,
                template,
                sheet_id=request.sheet_id,
                wanted=request.examples,
                without=request.held_out,
                source=self._sheets.usage_rules(self._sheets.get(request.sheet_id)),
            )
            if asks and request.examples
            else ()
        )
        return GenerationOptions(
            item_refs=self._items(request, sheet),
            held_out=request.held_out,
            includes_set_aside=request.includes_set_aside,
            seed=request.seed,
            examples_wanted=request.examples if asks else 0,
            examples=examples,
            selection=selection_of(sheet),
            sampling=request.sampling,
        )

    def _items(self, request: GenerationRequest, sheet: Sheet) -> tuple[str, ...] | None:
        """The items that are named: those of the request, or of them those that its sample draws."""
        if request.sampling is None:
            return request.item_refs
        selection = sheet.selection(extra_filter=self._accepted_filter(request, sheet), item_refs=request.item_refs)
        return drawn_items(self._lake, with_sampling(selection, request.sampling))

    def _accepted_filter(self, request: GenerationRequest, sheet: Sheet) -> str:
        return self._lake.check_filter(sheet.relation, request.filter) if request.filter.strip() else ""


def _model_values(model: ChatModel | None, request: GenerationRequest) -> dict[str, Value]:
    """The model that answers, and what may be spent on it. Raises Invalid for limits that cannot be kept."""
    if model is None:
        return {"model_title": "", "model_name": "", "currency": "", "budget": None, "call_limit": None}
    allowance = checked_allowance(model, request.budget, request.call_limit)
    return {
        "model_title": model.title,
        "model_name": model.name,
        "currency": allowance.currency,
        "budget": allowance.budget,
        "call_limit": allowance.call_limit,
    }
