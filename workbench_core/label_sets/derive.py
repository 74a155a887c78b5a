"""Classes proposed from data: the values of a column, or the answers of canonical labels (LS-7)."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core import rows
from workbench_core.errors import Invalid
from workbench_core.label_sets.checks import MAX_CLASS_NAME, MAX_CLASSES, tidied
from workbench_core.label_sets.colours import free_colours
from workbench_core.label_sets.hotkeys import free_hotkeys
from workbench_core.label_sets.model import Derived, LabelClass, LabelSetDraft
from workbench_core.metrics import normalise
from workbench_core.ports import Lake, Selection, Store


def from_column(lake: Lake, selection: Selection, column: str) -> list[tuple[str, int]]:
    """The values of a column in a selection with their rows, the most frequent first; empty ones are left out.

    Raises Invalid when there are more than `MAX_CLASSES`: they are not even counted then.
    """
    if len(lake.values(selection, column, limit=MAX_CLASSES + 1)) > MAX_CLASSES:
        raise Invalid(
            f"“{column}” has more than {MAX_CLASSES} different values: too many for classes.",
            hint="Choose a column with fewer values.",
        )
    return [(str(value), times) for value, times in lake.classes(selection, column) if value and str(value).strip()]


def from_labels(store: Store, label_type: str, sheet_id: str) -> list[tuple[str, int]]:
    """The answers of the labels of a type with how often each was given, the most frequent first.

    An empty sheet id stands for all sheets. Raises Invalid for too many, too long or structured answers.
    """
    of_type = "label_type = :label_type AND (:sheet = '' OR sheet_id = :sheet)"
    longest = store.query(
        f"SELECT MAX(LENGTH(answer)) AS longest FROM canonical_labels WHERE {of_type}", label_type=label_type,
        sheet=sheet_id,
    )  # fmt: skip
    if rows.whole(longest[0], "longest") > MAX_CLASS_NAME:
        raise Invalid(
            f"Answers of “{label_type}” are longer than {MAX_CLASS_NAME} characters: they are texts, not classes.",
            hint="Write a response schema instead.",
        )
    found = store.query(
        f"SELECT answer, COUNT(*) AS labels FROM canonical_labels WHERE {of_type} "
        "GROUP BY answer ORDER BY labels DESC, answer LIMIT :most",
        label_type=label_type,
        sheet=sheet_id,
        most=MAX_CLASSES + 1,
    )
    if len(found) > MAX_CLASSES:
        raise Invalid(
            f"The labels of “{label_type}” have more than {MAX_CLASSES} different answers: too many for classes.",
            hint="Write a response schema instead.",
        )
    counts = [(rows.text(row, "answer"), rows.whole(row, "labels")) for row in found]
    if any(answer.lstrip()[:1] in "{[" for answer, _ in counts):
        raise Invalid(
            f"Answers of “{label_type}” are JSON, not classes.", hint="Write a response schema for them instead."
        )
    return counts


def proposed(values: Sequence[tuple[str, int]], *, name: str, label_type: str, origin: str) -> Derived:
    """Classes for values, each with a readable colour and a hotkey; other spellings of a value are counted with it.

    Raises Invalid when there is no value, or one that is too long for a class.
    """
    if not values:
        raise Invalid(f"{origin} is empty: there is no value to make a class of.", hint="Choose another one.")
    counts: dict[str, int] = {}
    spelled: dict[str, str] = {}
    merged: list[str] = []
    for value, times in values:
        first = spelled.setdefault(normalise(value), value.strip())
        if first in counts and value.strip() != first:
            merged.append(value.strip())
        counts[first] = counts.get(first, 0) + times
    for value in counts:
        if len(value) > MAX_CLASS_NAME or "\n" in value:
            raise Invalid(f"{origin} holds texts, not classes: “{value[:60]} …”.", hint="Choose another one.")
    names = sorted(counts, key=lambda each: (-counts[each], each))
    looks = zip(names, free_colours(len(names)), free_hotkeys(len(names)), strict=True)
    classes = tuple(LabelClass(one, _title(one), colour, "", key) for one, colour, key in looks)
    tidy = tidied(LabelSetDraft(name, label_type, classes=classes))
    return Derived(name, label_type, tidy.classes, tuple(counts[one] for one in names), tuple(merged))


def label_type_of(column: str) -> str:
    """A label type for a column: its name without the alias of a join, in small letters with _ between words."""
    plain = column.rsplit("__", 1)[-1]
    return "_".join("".join(letter if letter.isalnum() else " " for letter in plain).lower().split()) or "label"


def _title(name: str) -> str:
    """A name such as `not_ok` as people read it; any other name stays as it is."""
    return name.replace("_", " ").capitalize() if name.islower() and "_" in name else ""
