"""The cached reads of generation: pre-flights, models, what can be added or answered, lists of training sheets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile

from workbench_core import cached
from workbench_core.pairs import PairFilter
from workbench_core.ports import Availability, TokenPrice
from workbench_core.prompt_templates import AttachedTemplate, PromptTemplate, TemplateStatus
from workbench_core.training_sheets import (
    AnsweringPreview,
    AnswerRequest,
    GenerationRequest,
    Preflight,
    ReplacedAnswer,
    TrainingSheet,
    TrainingSheetStatus,
)
from workbench_core.usage import UsageRules

_SELECTED = ("sheets", "prompt_templates", "canonical_labels", "quarantined_items", cached.LAKE)


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A language model that can be chosen: what it is called, what it costs, and whether it can answer now."""

    name: str
    title: str
    price: TokenPrice | None
    availability: Availability


@cached.reads(*_SELECTED, "training_sheets", ttl="15s")
def preflight(revisions: tuple[int, ...], request: GenerationRequest) -> Preflight:
    """What a generation would do; the model may come and go, so this is not kept for long."""
    return cached.workbench().training_sheets.preflight(request)


@cached.reads(*_SELECTED, "training_sheets", ttl="15s")
def batch_preflight(revisions: tuple[int, ...], requests: tuple[GenerationRequest, ...]) -> list[Preflight]:
    """What several generations would do, in the order of the requests."""
    return cached.workbench().training_sheets.batch_preflight(requests)


@cached.reads(ttl="15s")
def models(revisions: tuple[int, ...]) -> list[OfferedModel]:
    """The configured language models, the default one first; whether one can answer is asked again after seconds."""
    return [
        OfferedModel(model.name, model.title, model.price, model.availability())
        for model in cached.workbench().chat_models.all()
    ]


@cached.reads("sheets", cached.LAKE)
def source_rules(revisions: tuple[int, ...], sheet_id: str) -> UsageRules:
    """What the tags of the sources of a sheet impose on everything made from it."""
    sheets = cached.workbench().sheets
    return sheets.usage_rules(sheets.get(sheet_id))


@cached.reads("attached_templates", "prompt_templates")
def attached_template(revisions: tuple[int, ...], sheet_id: str) -> AttachedTemplate | None:
    """The template that is attached to a sheet, if any."""
    return cached.workbench().template_attachments.of(sheet_id)


@cached.reads("training_sheets", "pairs", "sheets", "quarantined_items", cached.LAKE, ttl="10s")
def new_items(revisions: tuple[int, ...], training_sheet_id: str) -> int:
    """How many items the sheet has gained since a training sheet was generated (TS-16)."""
    return cached.workbench().training_sheets.new_items(training_sheet_id)


@cached.reads("training_sheets", "pairs", "prompt_templates", "canonical_labels", ttl="15s")
def answering_preview(
    revisions: tuple[int, ...], training_sheet_id: str, request: AnswerRequest, wanted: PairFilter | None = None
) -> AnsweringPreview:
    """What answering pairs of a training sheet would do: those that match a filter, else those of the request."""
    return cached.workbench().training_sheets.preview_answering(
        training_sheet_id, for_pairs(training_sheet_id, request, wanted)
    )


def for_pairs(training_sheet_id: str, request: AnswerRequest, wanted: PairFilter | None) -> AnswerRequest:
    """The request for all pairs that match a filter now; unchanged without one.

    A hundred thousand ids would be slow in the key of a cache, so the filter stands there instead.
    """
    if wanted is None:
        return request
    return replace(request, pair_ids=cached.workbench().pairs.ids(training_sheet_id, wanted))


@cached.reads("prompt_templates")
def newer_versions(revisions: tuple[int, ...], prompt_template_id: str) -> list[PromptTemplate]:
    """The published versions of a template that came after this one, the newest first."""
    templates = cached.workbench().prompt_templates
    every = templates.versions(templates.get(prompt_template_id).lineage_id)
    newer = takewhile(lambda template: template.id != prompt_template_id, every)
    return [template for template in newer if template.status is TemplateStatus.PUBLISHED]


@cached.reads("training_sheets", "pairs", max_entries=50)
def training_sheets(
    revisions: tuple[int, ...],
    status: TrainingSheetStatus | None = None,
    sheet_id: str = "",
    search: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[TrainingSheet]:
    """Training sheets with their counts, newest first."""
    return cached.workbench().training_sheets.find(
        status=status, sheet_id=sheet_id, search=search, limit=limit, offset=offset
    )


@cached.reads("training_sheets")
def count_training_sheets(
    revisions: tuple[int, ...], status: TrainingSheetStatus | None = None, sheet_id: str = "", search: str = ""
) -> int:
    """How many training sheets match."""
    return cached.workbench().training_sheets.count(status=status, sheet_id=sheet_id, search=search)


@cached.reads("pairs")
def count_pairs(revisions: tuple[int, ...], training_sheet_id: str, wanted: PairFilter) -> int:
    """How many pairs of a training sheet match."""
    return cached.workbench().pairs.count(training_sheet_id, wanted)


@cached.reads("pairs", "replaced_answers")
def replaced_answers(revisions: tuple[int, ...], pair_id: str) -> list[ReplacedAnswer]:
    """What a pair answered before a model answered it again, newest first."""
    return cached.workbench().training_sheets.replaced_answers(pair_id)
