"""The pre-flight of a generation: everything that is known before the first pair is made, without writing (TS-1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import CallEstimate, ChatModels
from workbench_core.chat_models.questions import characters_of
from workbench_core.data_quality import Quarantine
from workbench_core.errors import WorkbenchError
from workbench_core.label_sets import rules_of_type
from workbench_core.metrics import AnswerKind
from workbench_core.pairs import check_answer
from workbench_core.ports import ChatModel, ChatOptions, Conversation, IdentifierCheck, Lake, Selection, Store
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates import (
    AnswerSource,
    PromptTemplate,
    PromptTemplates,
    RenderedItem,
    TemplateStatus,
    propose_for,
    unmapped,
)
from workbench_core.sheets import Sheet, Sheets, SheetStatus
from workbench_core.sheets.picture_files import PictureFiles
from workbench_core.training_sheets.examples import latest_examples, with_examples
from workbench_core.training_sheets.items import Item, columns_of, render_items
from workbench_core.training_sheets.model import (
    MAX_EXAMPLES,
    MOST_ROWS,
    MOST_SEED,
    FewShot,
    GenerationRequest,
    Preflight,
    asks_model,
    reads_column,
)
from workbench_core.training_sheets.sampling import sampling_problems, with_sampling, without_sampling
from workbench_core.training_sheets.selected_items import (
    SelectedItems,
    Wanted,
    barred_from_training,
    read_selected,
    spread,
)
from workbench_core.training_sheets.spending import checked_allowance, money

SAMPLES = 5
EXACT = 2_000  # up to so many questions all are rendered, to know which answers are kept
PICTURES_READ = 8  # questions with pictures that are compared with the kept answers: a large picture takes 0.1 s
LOOKED_AT = 200  # else so many, spread over all of them
MOST_REASONS = 5  # different errors of rendered rows that are told


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a request means: sheet, template, model (None when none is asked) and the columns of the placeholders."""

    request: GenerationRequest
    sheet: Sheet
    template: PromptTemplate
    source: AnswerSource
    model: ChatModel | None
    mapping: dict[str, str]

    @property
    def answer_column(self) -> str:
        """The column with known answers; empty when none is read."""
        return self.request.answer_column if reads_column(self.source) else ""

    @property
    def options(self) -> ChatOptions:
        """How the model would be asked."""
        return self.template.chat_options(seed=self.request.seed)


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
        store: Store,
    ) -> None:
        self._store = store
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
        return propose_for(template, columns)

    def check(self, request: GenerationRequest) -> Preflight:
        """What this request would do. Raises NotFound for the sheet or template."""
        sheet = self._sheets.get(request.sheet_id)
        template = self._templates.get(request.prompt_template_id)
        try:
            identifier = self._lake.check_identifier(sheet.relation, sheet.item_id_column)
        except WorkbenchError as error:  # the source is gone, or cannot be read
            return Preflight(problems=(*_state_problems(sheet, template), error.message))
        missing = unmapped(template, request.mapping)
        plan, model_problems = self._planned(request, sheet, template)
        problems = [
            *_state_problems(sheet, template),
            *([f"No column is chosen for {', '.join(missing)}."] if missing else []),
            *self._column_problems(plan),
            *_identifier_problems(identifier),
            *_limit_problems(request),
            *sampling_problems(request.sampling),
            *model_problems,
        ]
        found = Preflight(identifier=identifier, unmapped=missing)
        if problems:
            return replace(found, problems=tuple(problems))
        try:
            return self._counted(found, plan)
        except WorkbenchError as error:  # a filter or prompt that cannot be read is a finding, not a crash
            return replace(found, problems=(error.message,))

    def selection(self, request: GenerationRequest, sheet: Sheet) -> Selection:
        """The rows of the request, also those set aside. Raises Invalid for a filter that cannot be read."""
        accepted = self._lake.check_filter(sheet.relation, request.filter) if request.filter.strip() else ""
        return with_sampling(sheet.selection(extra_filter=accepted, item_refs=request.item_refs), request.sampling)

    def _planned(
        self, request: GenerationRequest, sheet: Sheet, template: PromptTemplate
    ) -> tuple[_Plan, tuple[str, ...]]:
        """What the request means, and what is wrong with its model."""
        mapping = {name: request.mapping[name] for name in template.placeholders if request.mapping.get(name)}
        source = request.answer_source or template.answer_source
        plan = _Plan(request, sheet, template, source, None, mapping)
        if not asks_model(source):
            return plan, ()
        try:
            model = self._chat_models.get(request.model_name or template.model)
            checked_allowance(model, request.budget, request.call_limit)
        except WorkbenchError as error:
            return plan, (error.message,)
        return replace(plan, model=model), ()

    # --- counting ----------------------------------------------------------------------------------------------------

    def _counted(self, found: Preflight, plan: _Plan) -> Preflight:
        """Two planes, each read once: identifiers from the lake, the usage rules of labels from the store."""
        request, sheet, template = plan.request, plan.sheet, plan.template
        selection = self.selection(request, sheet)
        items = read_selected(
            self._lake,
            selection,
            Wanted(
                limit=request.row_limit,
                answer_column=plan.answer_column,
                aside=frozenset(self._quarantine.refs(sheet.id)),
                includes_aside=request.includes_set_aside,
            ),
        )
        labels = self._labels.usages(sheet.id, items.refs, template.label_type)
        of_labels = rules_of_type(self._store, template.label_type)
        shared = self._sheets.usage_rules(sheet).combine(template.usage).combine(of_labels)
        paired = labels if plan.source is AnswerSource.CANONICAL else items.refs
        found = replace(
            found,
            selected=len(items.refs),
            left_out=items.left_out,
            quarantined=items.quarantined,
            hits=len(labels),
            misses=len(items.refs) - len(labels),
            barred=barred_from_training(paired, labels, request.held_out, shared),
            unlabelled=len(items.refs) - len(paired) if plan.source is AnswerSource.CANONICAL else 0,
            unknown_labels=self._unknown_labels(plan, labels),
        )
        found = self._answered(found, plan, selection, items, [ref for ref in items.refs if ref not in labels])
        return replace(
            found,
            problems=(*found.problems, *_outcome_problems(found, plan.source)),
            warnings=tuple(_warnings(found, plan)),
        )

    def _unknown_labels(self, plan: _Plan, labels: Collection[str]) -> int:
        """How many of these labels have a class that the template does not know, in one statement."""
        template = plan.template
        if template.answer_kind is not AnswerKind.LABEL or not labels:
            return 0
        found = self._store.query(
            "SELECT item_ref, answer FROM canonical_labels WHERE sheet_id = :sheet AND label_type = :label_type "
            "AND answer NOT IN :classes ORDER BY item_ref",
            sheet=plan.sheet.id,
            label_type=template.label_type,
            classes=list(template.label_classes),
        )
        unknown = {
            answer for answer in {rows.text(row, "answer") for row in found} if check_answer(template, answer).note
        }
        return sum(rows.text(row, "answer") in unknown and rows.text(row, "item_ref") in labels for row in found)

    def _answered(
        self, found: Preflight, plan: _Plan, selection: Selection, items: SelectedItems, misses: Sequence[str]
    ) -> Preflight:
        """Where the answers of the misses come from, and how their questions look."""
        open_ = [ref for ref in misses if ref not in items.answered]
        found = replace(found, from_column=len(misses) - len(open_), blank=0 if plan.model else len(open_))
        if plan.model is None:
            looked_at = spread(items.refs, LOOKED_AT)
        else:
            looked_at = open_ if len(open_) <= EXACT else spread(open_, LOOKED_AT)
        samples = items.refs[:SAMPLES]
        renderer = plan.template.renderer()
        rendered = self._rendered(plan, selection, renderer, tuple(dict.fromkeys([*samples, *looked_at])))
        found = replace(
            found,
            samples=tuple(_sample(rendered[ref], renderer) for ref in samples if ref in rendered),
            render_problems=_render_problems(list(rendered.values())),
        )
        if plan.model is None:
            return found
        asked = [rendered[ref] for ref in looked_at if ref in rendered]
        return self._priced(found, plan, plan.model, asked, waiting=len(open_))

    def _rendered(
        self, plan: _Plan, selection: Selection, renderer: Renderer, refs: tuple[str, ...]
    ) -> dict[str, Item]:
        """These items with their questions."""
        if not refs:
            return {}
        columns = columns_of(plan.mapping, "", plan.sheet.item_id_column)
        named = replace(without_sampling(selection), item_refs=refs)  # a sample need not be drawn again for them
        frames = self._lake.batches(named, columns=columns, size=len(refs))
        pictures = PictureFiles(self._lake, plan.sheet)
        items = [item for frame in frames for item in render_items(frame, renderer, plan.mapping, pictures=pictures)]
        examples = self._examples(plan)
        return {item.item_ref: with_examples(item, examples, plan.request.examples) for item in items}

    def _examples(self, plan: _Plan) -> tuple[FewShot, ...]:
        """The approved pairs that the model would be shown before each item."""
        request, template = plan.request, plan.template
        if plan.model is None or not request.examples:
            return ()
        return latest_examples(
            self._store, template, sheet_id=plan.sheet.id, wanted=request.examples, without=request.held_out,
            source=self._sheets.usage_rules(plan.sheet),
        )  # fmt: skip

    def _priced(
        self, found: Preflight, plan: _Plan, model: ChatModel, looked_at: Sequence[Item], *, waiting: int
    ) -> Preflight:
        """The calls that will be paid for: exact when all questions were looked at, else in proportion.

        Whether an answer is kept depends on the bytes of the pictures: of questions with pictures only a few are read.
        """
        questions = [Conversation(item.item_ref, item.messages) for item in looked_at if not item.error]
        has_pictures = any(message.attachments for question in questions for message in question.messages)
        compared = spread(questions, PICTURES_READ) if has_pictures and model.reads_pictures else questions
        paid = self._chat_models.to_ask(model.name, compared, plan.options)
        share = waiting / max(len(looked_at), 1) * len(questions) / max(len(compared), 1)
        characters = {question.id: characters_of(question) for question in compared}
        calls = round(share * len(paid))
        cannot_see = has_pictures and not model.reads_pictures
        return replace(
            found,
            problems=(f"The {model.title} reads no pictures: choose a model that does.",) if cannot_see else (),
            model=model.availability(),
            model_title=model.title,
            model_calls=calls,
            kept_answers=round(share * (len(compared) - len(paid))),
            is_kept_exact=len(looked_at) == waiting and len(compared) == len(questions),
            estimate=self._chat_models.estimate(
                model.name, calls=calls, characters=round(share * sum(characters[asked] for asked in paid))
            ),
        )

    def _column_problems(self, plan: _Plan) -> Iterator[str]:
        known = {column.name for column in self._lake.columns(plan.sheet.relation)}
        unknown = sorted({column for column in plan.mapping.values() if column not in known})
        if unknown:
            yield f"The source has no column {', '.join(unknown)}."
        if reads_column(plan.source) and plan.answer_column not in known:
            yield (
                f"The source has no column “{plan.answer_column}” for the answers."
                if plan.answer_column
                else "The column that holds the answers is not chosen."
            )


def _sample(item: Item, renderer: Renderer) -> RenderedItem:
    return RenderedItem(item.item_ref, item.messages, item.error, renderer.shortened(item.variables))


def _render_problems(items: Sequence[Item]) -> tuple[str, ...]:
    """The different errors of the rows that were looked at, the most frequent first."""
    errors = Counter(item.error for item in items if item.error)
    return tuple(
        f"{count:,} of {len(items):,} items that were looked at: {error}"
        for error, count in errors.most_common(MOST_REASONS)
    )


# --- sentences -------------------------------------------------------------------------------------------------------


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
    if request.row_limit > MOST_ROWS:
        yield f"The row limit can be {MOST_ROWS:,} at most."
    if not 0 <= request.seed <= MOST_SEED:
        yield f"The seed must be between 0 and {MOST_SEED:,}."
    if not 0 <= request.examples <= MAX_EXAMPLES:
        yield f"The number of examples must be between 0 and {MAX_EXAMPLES}."


def _outcome_problems(found: Preflight, source: AnswerSource) -> Iterator[str]:
    if not found.selected and found.quarantined:
        yield f"All {found.quarantined:,} items of the selection are set aside for their quality."
    elif not found.selected:
        yield "No item is selected: check filter and sampling."
    elif source is AnswerSource.CANONICAL and not found.hits:
        yield f"None of the {found.selected:,} items has a canonical label for this label type."
    if found.model is not None and found.model_calls and not found.model.is_ready:
        yield f"The {found.model_title} cannot answer: {found.model.reason}"


def _warnings(found: Preflight, plan: _Plan) -> Iterator[str]:
    """What does not keep a generation from starting, but should be known before."""
    if plan.answer_column and plan.answer_column in plan.mapping.values():
        yield f"The column {plan.answer_column} is part of the question and holds the answer: it gives the answer away."
    if count := found.unknown_labels:
        known = ", ".join(plan.template.label_classes)
        yield (
            f"{count:,} canonical {'labels have a class' if count > 1 else 'label has a class'} that the template does "
            f"not know: a person must review {'them' if count > 1 else 'it'}. It knows {known}."
        )
    if found.estimate is not None:
        yield from _budget_warnings(found.estimate, plan.request)


def _budget_warnings(estimate: CallEstimate, request: GenerationRequest) -> Iterator[str]:
    """Which limit the generation would reach: it pauses there, and can be resumed with a higher one."""
    if request.budget is not None and estimate.cost and estimate.cost > request.budget:
        lasting = int(estimate.calls * request.budget / estimate.cost)
        yield (
            f"About {money(float(f'{estimate.cost:.3g}'), estimate.currency)} are needed, more than the budget of "
            f"{money(request.budget, estimate.currency)}: it lasts for about {lasting:,} of {estimate.calls:,} calls."
        )
    if request.call_limit is not None and estimate.calls > request.call_limit:
        yield f"{estimate.calls:,} calls are needed, more than the limit of {request.call_limit:,} calls."
