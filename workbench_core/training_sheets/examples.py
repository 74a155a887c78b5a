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
from workbench_core.prompt_templates import TemplateDraft, from_snapshot
from workbench_core.prompt_templates.row_values import kept_pictures
from workbench_core.training_sheets.items import Item
from workbench_core.training_sheets.model import FewShot
from workbench_core.usage import UsageRules, Use

_LOOKED_AT = 200  # newest approved pairs: several may be about one item, or not be allowed in a prompt


def latest_examples(
    store: Store,
    template: TemplateDraft,
    *,
    sheet_id: str,
    wanted: int,
    source: UsageRules,
    without: Collection[str] = (),
) -> tuple[FewShot, ...]:
    """The latest approved pairs of a sheet and the template's label type, the newest last, each item once.

    One more than `wanted`, when there are so many: an item that is among them is asked with the others. Left out are
    pairs that may not be used as few-shot examples by the rules of the pair, its template, its canonical label or the
    `source` as they are now (INV-6), those of rejected training sheets, items that are set aside for their quality or
    in `without`, and answers that the template refuses.
    """
    training_sheets = _showable(store, sheet_id, template.label_type) if source.permits(Use.FEW_SHOT) else []
    if not training_sheets:
        return ()
    columns = ", ".join(f"pairs.{name.strip()}" for name in PAIR_COLUMNS.split(","))
    found = store.query(
        f"SELECT {columns} FROM pairs LEFT JOIN canonical_labels labels ON labels.sheet_id = pairs.sheet_id "
        "AND labels.item_ref = pairs.item_ref AND labels.label_type = :label_type "
        "WHERE pairs.training_sheet_id IN :training_sheets AND pairs.answer <> '' "
        "AND pairs.review_status IN ('approved', 'edited') AND pairs.allowed_uses LIKE :use "
        "AND pairs.prohibited_uses NOT LIKE :use AND (labels.id IS NULL OR (labels.allowed_uses LIKE :use "
        "AND labels.prohibited_uses NOT LIKE :use)) AND NOT EXISTS (SELECT 1 FROM quarantined_items aside "
        "WHERE aside.sheet_id = pairs.sheet_id AND aside.item_ref = pairs.item_ref AND aside.state = 'set_aside') "
        "ORDER BY pairs.reviewed_at DESC, pairs.id LIMIT :limit",
        training_sheets=training_sheets,
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


def _showable(store: Store, sheet_id: str, label_type: str) -> list[str]:
    """The training sheets whose pairs may be shown: not rejected as a whole, by a template that permits it."""
    found = store.query(
        "SELECT id, template_snapshot FROM training_sheets WHERE sheet_id = :sheet AND label_type = :label_type "
        "AND status <> 'rejected' ORDER BY id",
        sheet=sheet_id,
        label_type=label_type,
    )
    return [
        rows.text(row, "id")
        for row in found
        if from_snapshot(rows.json_object(row, "template_snapshot")).usage.permits(Use.FEW_SHOT)
    ]


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
