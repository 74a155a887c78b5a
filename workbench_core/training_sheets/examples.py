"""Approved pairs as examples: the latest ones of a sheet and label type, shown to the model before an item."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

from workbench_core import rows
from workbench_core.errors import Invalid
from workbench_core.pairs import Pair
from workbench_core.pairs.model import PAIR_COLUMNS, pair_from
from workbench_core.ports import Message, Store
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates import TemplateDraft
from workbench_core.prompt_templates.row_values import kept_pictures
from workbench_core.training_sheets.items import Item
from workbench_core.training_sheets.model import FewShot
from workbench_core.usage import Use

_LOOKED_AT = 200  # newest approved pairs: several may be about one item, or not be allowed in a prompt


def latest_examples(
    store: Store, template: TemplateDraft, *, sheet_id: str, wanted: int, without: Collection[str] = ()
) -> tuple[FewShot, ...]:
    """The latest approved pairs of a sheet and the template's label type, the newest last, each item once.

    One more than `wanted`, when there are so many: an item that is among them is asked with the others. Left out are
    pairs that may not be used as few-shot examples (INV-6), items of `without`, and answers that the template refuses.
    """
    columns = ", ".join(f"pairs.{name.strip()}" for name in PAIR_COLUMNS.split(","))
    found = store.query(
        f"SELECT {columns} FROM pairs JOIN training_sheets ON training_sheets.id = pairs.training_sheet_id "
        "WHERE pairs.sheet_id = :sheet AND training_sheets.label_type = :label_type AND pairs.answer <> '' "
        "AND pairs.review_status IN ('approved', 'edited') AND pairs.allowed_uses LIKE :use "
        "AND pairs.prohibited_uses NOT LIKE :use ORDER BY pairs.reviewed_at DESC, pairs.id LIMIT :limit",
        sheet=sheet_id,
        label_type=template.label_type,
        use=f"%{rows.to_json(Use.FEW_SHOT.value)}%",
        limit=_LOOKED_AT,
    )
    examples: dict[str, FewShot] = {}
    renderer = template.renderer()
    for pair in map(pair_from, found):
        if pair.item_ref in examples or pair.item_ref in without or template.answer_faults(pair.answer):
            continue
        question = _question(pair, template, renderer)
        if question:
            attachments = pair.messages[-1].attachments if pair.messages else ()
            pictures = kept_pictures(pair.variables, attachments, template.placeholders)
            examples[pair.item_ref] = FewShot(pair.item_ref, question, pair.answer, pictures)
        if len(examples) > wanted:
            break
    return tuple(reversed(examples.values()))


def with_examples(item: Item, examples: Sequence[FewShot], wanted: int) -> Item:
    """The item with the newest examples that are not about itself, as turns before its question (TS-2)."""
    if not item.messages or not examples or not wanted:
        return item
    others = (example for example in reversed(examples) if example.item_ref != item.item_ref)
    turns = [
        message
        for example in reversed(list(islice(others, wanted)))
        for message in (
            Message("user", example.question, example.attachments),
            Message("assistant", example.answer),
        )
    ]
    return replace(item, messages=(*item.messages[:-1], *turns, item.messages[-1]))


def _question(pair: Pair, template: TemplateDraft, renderer: Renderer) -> str:
    """The question of an example as this template asks it; as it was asked when its values do not fit."""
    if set(template.placeholders) <= pair.variables.keys():
        try:
            return renderer.render(pair.variables)[-1].content
        except Invalid:
            return ""
    return pair.messages[-1].content if pair.messages else ""
