"""Rendered items as columns of texts, as pairs keep them: thousands of them without an object for each.

The objects would cost more than their making: Python's collector would look at them, and at all that lives, again and
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.ports import Message
from workbench_core.prompt_rendering import Renderer, texts_of
from workbench_core.prompt_templates.row_values import row_values
from workbench_core.training_sheets.items import Item

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Items in their order; `variables` and `messages` are JSON, `errors` say why an item has no messages."""

    refs: Sequence[str]
    variables: Sequence[str]
    messages: Sequence[str]
    answers: Sequence[str]
    errors: Sequence[str]

    def __len__(self) -> int:
        return len(self.refs)

    def chosen(self, places: Sequence[int]) -> ItemColumns:
        """The items at these places."""
        return ItemColumns(*([column[place] for place in places] for column in self._columns()))

    def _columns(self) -> tuple[Sequence[str], ...]:
        return self.refs, self.variables, self.messages, self.answers, self.errors


def item_columns(items: Sequence[Item]) -> ItemColumns:
    """Items as columns."""
    return ItemColumns(
        [item.item_ref for item in items],
        [_variables_json(item.variables) for item in items],
        [f"[{_opening_json(item.messages[:-1])}{_message_json(item.messages[-1])}]" if item.messages else "[]"
         for item in items],
        [item.column_answer for item in items],
        [item.error for item in items],
    )  # fmt: skip


def render_item_columns(
    frame: pd.DataFrame, renderer: Renderer, mapping: Mapping[str, str], answer_column: str
) -> ItemColumns | None:
    """Render the rows of one lake batch, without pictures; None when `render_items` must do it one by one."""
    texts = row_values(frame, mapping).texts
    rendered = renderer.questions(texts) if len(frame) else None
    if rendered is None:
        return None
    opening, questions = rendered
    begin = f'[{_opening_json(opening)}{{"role": "user", "content": '
    form, count = _names_json(tuple(texts)), len(frame)
    return ItemColumns(
        [str(reference) for reference in frame["item_ref"].tolist()],
        [form % values for values in zip(*(map(encode_basestring, column) for column in texts.values()), strict=True)],
        [f"{begin}{encode_basestring(question)}}}]" for question in questions],
        texts_of(frame[answer_column].tolist()) if answer_column else [""] * count,
        [""] * count,
    )


def gathered(parts: Iterable[ItemColumns], *, most: int, characters: int) -> Iterator[ItemColumns]:
    """Parts together, up to at least `most` items or so many characters of messages; the first ones are shorter.

    Who makes them and who stores them work at the same time: a short first list is there soon.
    """
    held: list[ItemColumns] = []
    wanted, room = most // 4, characters
    for part in parts:
        held.append(part)
        room -= sum(map(len, part.messages))
        if sum(map(len, held)) >= wanted or room <= 0:
            yield _joined(held)
            held, wanted, room = [], min(2 * wanted, most), characters
    if held:
        yield _joined(held)


def _joined(parts: Sequence[ItemColumns]) -> ItemColumns:
    if len(parts) == 1:
        return parts[0]
    return ItemColumns(
        *(
            list(chain.from_iterable(columns))
            for columns in zip(*((p.refs, p.variables, p.messages, p.answers, p.errors) for p in parts), strict=True)
        )
    )


def _variables_json(variables: Mapping[str, str]) -> str:
    return _names_json(tuple(variables)) % tuple(map(encode_basestring, variables.values()))


@lru_cache(maxsize=64)
def _names_json(names: Sequence[str]) -> str:
    """The JSON object with these names, as `rows.to_json` writes it, and a “%s” for each value."""
    return f"{{{', '.join(f'{encode_basestring(name)}: '.replace('%', '%%') + '%s' for name in names)}}}"


@lru_cache(maxsize=64)
def _opening_json(messages: tuple[Message, ...]) -> str:
    """All messages but the last: mostly the same for every item."""
    return "".join(f"{_message_json(message)}, " for message in messages)


def _message_json(message: Message) -> str:
    attachments = f', "attachments": {rows.to_json(message.attachments)}' if message.attachments else ""
    return f'{{"role": "{message.role}", "content": {encode_basestring(message.content)}{attachments}}}'
