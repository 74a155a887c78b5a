"""One item on its way to a pair: its values, its rendered question, and what its pair may be used for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench_core import usage
from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.errors import Invalid
from workbench_core.ports import Message
from workbench_core.prompt_rendering import Renderer, text_of
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
    frame: pd.DataFrame, renderer: Renderer, mapping: Mapping[str, str], answer_column: str = ""
) -> Iterator[Item]:
    """Render the rows of one lake batch in their order."""
    names = tuple(mapping)
    columns: Sequence[Sequence[object]] = [frame[mapping[name]].tolist() for name in names]
    answers: Sequence[object] = frame[answer_column].tolist() if answer_column else [None] * len(frame)
    references = [str(reference) for reference in frame["item_ref"].tolist()]
    values = zip(*columns, strict=True) if columns else iter([()] * len(references))
    for reference, row, answer in zip(references, values, answers, strict=True):
        variables = {name: text_of(value) for name, value in zip(names, row, strict=True)}
        try:
            yield Item(reference, variables, renderer.render(variables), text_of(answer))
        except Invalid as error:
            yield Item(reference, variables, (), text_of(answer), error.message)


def usage_of_item(sheet_rules: UsageRules, label: CanonicalLabel | None, *, is_held_out: bool) -> UsageRules:
    """The most restrictive of the source's tags, the label's own rules and the held-out set (spec 1.6)."""
    return _combined(sheet_rules, usage.ALL_USES if label is None else label.usage, is_held_out)


@lru_cache(maxsize=256)
def _combined(sheet_rules: UsageRules, label_rules: UsageRules, is_held_out: bool) -> UsageRules:
    """The combination itself; a sheet has a few of them only."""
    rules = sheet_rules if label_rules == usage.ALL_USES else sheet_rules.combine(label_rules)
    return rules.combine(HELD_OUT) if is_held_out else rules
