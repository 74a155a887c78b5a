"""A first draft of a template from the columns of a sheet: inputs, prompt, classes and label type (TP-11)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench_core.metrics import FieldType
from workbench_core.ports import Column, Lake
from workbench_core.prompt_rendering import faults, placeholders
from workbench_core.prompt_templates.fields import InputField
from workbench_core.prompt_templates.lint import MAX_LABEL_TYPE, MAX_NAME
from workbench_core.prompt_templates.template import AnswerSource, TemplateDraft

if TYPE_CHECKING:
    from workbench_core.sheets import Sheet

MOST_CLASSES = 20  # more different values are hardly classes
MAX_CLASS = 60  # characters of a value that may be a class
_TYPES = {"number": FieldType.NUMBER, "boolean": FieldType.BOOLEAN, "nested": FieldType.OBJECT}
_GENERAL = "general"  # the label type of a template of which nothing better is known


def draft_from(lake: Lake, sheet: Sheet) -> TemplateDraft:
    """What the columns with a role suggest, the identifier left out; nothing is stored."""
    kinds = {column.name: column for column in lake.columns(sheet.relation)}
    columns = [name for name in sheet.columns if name != sheet.item_id_column and name in kinds]
    target, classes = _answers_of(lake, sheet, columns)
    features = [name for name in columns if name != target] or [sheet.item_id_column]
    names = placeholder_names(features)
    texts = [name for name in features if name in sheet.text_columns]
    return TemplateDraft(
        name=f"Answers for {sheet.name}"[:MAX_NAME],
        description=f"Proposed from the columns of the sheet “{sheet.name}”.",
        label_type=_label_type(target),
        system_prompt="You sort items. Answer with the name of one class and nothing else." if classes else "",
        user_prompt=_prompt(names, texts or features, features, classes),
        label_classes=classes,
        answer_source=AnswerSource.EXISTING_COLUMN if target else AnswerSource.MANUAL,
        inputs=tuple(_input(names[name], kinds.get(name)) for name in features),
        feature_columns=tuple(features),
        target_column=target,
    )


def placeholder_names(columns: Sequence[str]) -> dict[str, str]:
    """A name that prompts can use for each column; `propose_mapping` leads from it back to the column.

    A column whose name has no letter or digit gets one by its number.
    """
    names: dict[str, str] = {}
    for number, column in enumerate(columns, start=1):
        name = re.sub(r"\W+", "_", column)
        if not re.search(r"[^\W_]", name):
            name = f"column_{number}"
        if not name.isidentifier():
            name = f"_{name}"  # it begins with a digit
        while name in names.values() or not _can_be_a_placeholder(name):
            name += "_"
        names[column] = name
    return names


def _can_be_a_placeholder(name: str) -> bool:
    """Whether prompts take this name; Jinja keeps some words for itself."""
    text = "{{ " + name + " }}"
    return not faults(text) and placeholders(text) == (name,)


def _answers_of(lake: Lake, sheet: Sheet, columns: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The column that most likely holds known answers, and its values when they look like classes."""
    from workbench_core.training_sheets.answer_column import propose_answer_column

    usual = propose_answer_column("", columns)
    for column in dict.fromkeys([*([usual] if usual else []), *columns]):
        is_text = column in sheet.text_columns or column in sheet.image_columns
        if (column == usual or not is_text) and (classes := _classes_of(lake, sheet, column)):
            return column, classes
    return usual, ()


def _classes_of(lake: Lake, sheet: Sheet, column: str) -> tuple[str, ...]:
    """The values of a column when they are few words that come again and again, the most frequent first."""
    found = lake.distinct(sheet.relation, column, limit=MOST_CLASSES + 1)
    values = {str(value).strip(): rows for value, rows in found if value is not None and str(value).strip()}
    if not 2 <= len(values) <= MOST_CLASSES or sum(values.values()) < 2 * len(values):
        return ()
    if any(len(value) > MAX_CLASS or not re.search(r"[^\W\d_]", value) for value in values):
        return ()
    return tuple(values) if len({value.casefold() for value in values}) == len(values) else ()


def _label_type(target: str) -> str:
    """The name of the answer column in the usual spelling of label types."""
    return re.sub(r"\W+", "_", target).strip("_").lower()[:MAX_LABEL_TYPE] or _GENERAL


def _input(name: str, column: Column | None) -> InputField:
    kind = column.kind if column else "string"
    return InputField(name, _TYPES.get(kind, FieldType.STRING), column.comment if column else "")


def _prompt(names: Mapping[str, str], texts: Sequence[str], features: Sequence[str], classes: Sequence[str]) -> str:
    """Short columns on a line each, then the texts, then the question."""
    short = [f"{_title(column)}: {{{{ {names[column]} }}}}" for column in features if column not in texts]
    blocks = ["\n".join(short)] if short else []
    blocks += [f"{_title(column)}:\n{{{{ {names[column]} }}}}" for column in texts]
    if classes:
        blocks.append(f"Classes: {', '.join(map(_plain_text, classes))}.\nWhich class fits best?")
    return "\n\n".join(blocks)


def _title(column: str) -> str:
    words = " ".join(_plain_text(column).replace("_", " ").split())
    return f"{words[:1].upper()}{words[1:]}" or "Value"


def _plain_text(text: str) -> str:
    """A text of the data that no prompt reads as Jinja."""
    return re.sub(r"[{}]", "", text)
