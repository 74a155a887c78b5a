"""One item on its way to a pair: its values, its rendered question, and what its pair may be used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench_core import usage
from workbench_core.canonical_labels import CanonicalLabel, LabelAnswer
from workbench_core.errors import Invalid
from workbench_core.ports import Message
from workbench_core.prompt_rendering import Renderer, texts_of
from workbench_core.prompt_templates.row_values import row_values, with_pictures
from workbench_core.sheets.picture_files import PictureFiles
from workbench_core.usage import UsageRules

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT = usage.preset("held_out")


@dataclass(frozen=True, slots=True)
class Item:
    """An item with its rendered messages, or with the reason why they cannot be made."""

    item_ref: str
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    column_answer: str = ""
    error: str = ""


def columns_of(mapping: Mapping[str, str], answer_column: str, item_id_column: str) -> tuple[str, ...]:
    """The source columns that a generation reads, each once."""
    wanted = [*mapping.values(), *([answer_column] if answer_column else [])]
    return tuple(dict.fromkeys(wanted)) or (item_id_column,)


def render_items(
    frame: pd.DataFrame,
    renderer: Renderer,
    mapping: Mapping[str, str],
    answer_column: str = "",
    *,
    pictures: PictureFiles | None = None,
) -> Iterator[Item]:
    """Render the rows of one lake batch in their order.

    Columns of `pictures` are attached to the user message, in the order of the mapping; an item whose picture is not
    there has an error.
    """
    found = row_values(frame, mapping, pictures)
    columns = found.texts
    answers: Sequence[str] = texts_of(frame[answer_column].tolist()) if answer_column else [""] * len(frame)
    references = [str(reference) for reference in frame["item_ref"].tolist()]
    values: Iterable[Sequence[str]] = zip(*columns.values(), strict=True) if columns else [()] * len(frame)
    rendered = renderer.render_columns(columns, len(frame))
    for number, (reference, row, answer, messages) in enumerate(
        zip(references, values, answers, rendered, strict=True)
    ):
        variables = dict(zip(columns, row, strict=True))
        missing = found.error(number, mapping) if found.pictures else ""
        if missing or isinstance(messages, Invalid):
            error = messages.message if isinstance(messages, Invalid) else ""
            yield Item(reference, variables, (), answer, missing or error)
        elif found.pictures:
            attached = with_pictures(messages, found.attachments(number, mapping))
            yield Item(reference, variables, attached, answer)
        else:
            yield Item(reference, variables, messages, answer)


def usage_of_item(shared: UsageRules, label: CanonicalLabel | LabelAnswer | None, *, is_held_out: bool) -> UsageRules:
    """The most restrictive of the rules of source and template, the label's own and the held-out set (spec 1.6)."""
    rules = shared if label is None or label.usage == usage.ALL_USES else shared.combine(label.usage)
    return rules.combine(HELD_OUT) if is_held_out else rules
