"""One pair after the other: the review card over the pairs that match the filter, or from the pair of a link on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.address import go_within
from pages.components.identity import current_user
from pages.components.pair_details import COMMENTS, open_details
from pages.components.review_card import (
    CardClass,
    CardView,
    Window,
    card_window,
    comments_asked,
    review_card,
)
from pages.components.review_filters import ALL, PLACE, is_narrowed, shown_status
from pages.components.review_pages import position, show_steps_between_pages
from pages.components.review_rights import reason_locked
from pages.components.words import plain
from workbench_core import cached, cached_review
from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.errors import NotFound
from workbench_core.label_sets import LabelSet
from workbench_core.metrics import AnswerKind
from workbench_core.pairs import Pair, PairFilter
from workbench_core.prompt_templates import json_schema
from workbench_core.training_sheets import TrainingSheet

WINDOW = 40  # items the card holds; decided ones make room for the next
PAGE_SIZE = 100
_LINKED = "label_linked"


@dataclass(frozen=True, slots=True)
class Held:
    """What the card holds; `linked` is the pair of the address, with `is_outside` one that the filter has not."""

    window: Window
    linked: Pair | None = None
    is_outside: bool = False


def show_focus(sheet: TrainingSheet, wanted: PairFilter, total: int) -> None:
    """The card over the queue."""
    is_pending = shown_status(sheet) == "pending"
    held = _window(sheet, wanted, limit=WINDOW if is_pending else PAGE_SIZE)
    _tell_linked(held)
    asked = review_card(
        held.window.pairs, _view(sheet, wanted, held.window, total), service=cached.workbench().pairs, by=current_user()
    )
    if not is_pending and held.linked is None:
        show_steps_between_pages(sheet, wanted, total, size=PAGE_SIZE)
    if asked:
        open_details(asked)
    elif asked := comments_asked(sheet.id):
        open_details(asked, tab=COMMENTS)


# --- which pairs -----------------------------------------------------------------------------------------------------


def _window(sheet: TrainingSheet, wanted: PairFilter, *, limit: int) -> Held:
    linked = _linked(sheet)
    first = linked.sequence_number - 1 if linked else _first(sheet, wanted)

    def read(after: int, limit: int) -> list[Pair]:
        return cached_review.queue(sheet.id, wanted, max(after, first), limit)

    window = card_window(sheet.id, _queue_name(wanted), read, limit=limit)
    if linked and _is_as_opened(linked) and linked.id not in [pair.id for pair in window.pairs]:
        return Held(replace(window, pairs=(linked, *window.pairs)), linked, is_outside=True)
    return Held(window, linked)


def _first(sheet: TrainingSheet, wanted: PairFilter) -> int:
    """The position behind which the window begins, as the list's page does."""
    after, before = position("after"), position("before")
    if before is None:
        return after or 0
    lines = cached_review.pair_page(sheet.id, wanted, 0, before, PAGE_SIZE).lines
    return lines[0].sequence_number - 1 if lines else 0


def _linked(sheet: TrainingSheet) -> Pair | None:
    """The pair of the address. Raises NotFound when the training sheet has none like it."""
    pair_id = st.query_params.get("pair", "")
    if not pair_id:
        return None
    pair = cached.workbench().pairs.get(pair_id)
    if pair.training_sheet_id != sheet.id:
        raise NotFound("This pair belongs to another training sheet.", hint="Open it from the list of its sheet.")
    return pair


def _is_as_opened(pair: Pair) -> bool:
    """Whether nobody has changed the linked pair since it was opened: then it stays on the card."""
    seen: tuple[str, int] = st.session_state.get(_LINKED, ("", 0))
    if seen[0] != pair.id:
        st.session_state[_LINKED] = seen = (pair.id, pair.row_version)
    return seen[1] == pair.row_version


def _tell_linked(held: Held) -> None:
    """Say which pair a link opened, and the way to all the others."""
    if held.linked is None:
        return
    ref = plain(held.linked.item_ref)
    said = f"Item {ref}, opened by a link; the next pairs of the filter follow."
    if held.is_outside:
        said = f"Item {ref} is {held.linked.review_status}: it is not among the pairs of the filter, which follow it."
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":small[:material/link: {said}]", width="content")
        st.button(
            "From the first pair", key="label_unlink", type="tertiary", icon=":material/first_page:",
            on_click=go_within, kwargs=dict.fromkeys(PLACE, ""),
        )  # fmt: skip


# --- the card --------------------------------------------------------------------------------------------------------


def _view(sheet: TrainingSheet, wanted: PairFilter, window: Window, total: int) -> CardView:
    source, user = cached.workbench().sheets.get(sheet.sheet_id), current_user()
    show, refs = shown_status(sheet), [pair.item_ref for pair in window.pairs]
    ids = tuple(pair.id for pair in window.pairs)
    title, text = _done_words(wanted, show)
    label_set = cached_review.label_set(sheet.label_type)
    return CardView(
        training_sheet_id=sheet.id,
        queue=_queue_name(wanted),
        kind=sheet.template.answer_kind,
        classes=_classes(sheet, label_set),
        pending=total if show == "pending" else sheet.counts.pending,
        total=sheet.counts.total,
        is_cut=window.is_cut,
        is_pending_queue=show == "pending",
        locked=reason_locked(sheet),
        done_title=title,
        done_text=text,
        labels=cached.workbench().canonical_labels.lookup(sheet.sheet_id, refs, sheet.label_type),
        volume=source.source if source.source_kind == "volume" else "",
        after=window.after,
        drafts=cached_review.drafts(ids, user),
        other_labels=_other_labels(sheet, refs),
        schema=_schema(sheet, label_set),
        comments=cached_review.comment_counts(ids),
    )


def _classes(sheet: TrainingSheet, label_set: LabelSet | None) -> tuple[CardClass, ...]:
    """The classes of the template, with title, colour and key where the label set of the type has them."""
    known = {one.name: one for one in label_set.classes} if label_set else {}
    return tuple(
        CardClass(name, one.title, one.colour, one.hotkey, one.description)
        if (one := known.get(name))
        else CardClass(name)
        for name in sheet.template.label_classes
    )


def _schema(sheet: TrainingSheet, label_set: LabelSet | None) -> Mapping[str, object] | None:
    """The JSON Schema of a structured answer, for its form."""
    if sheet.template.answer_kind is not AnswerKind.STRUCTURED:
        return None
    if sheet.template.output_schema:
        return json_schema(sheet.template.output_schema)
    return label_set.response_schema or None if label_set else None


def _other_labels(sheet: TrainingSheet, refs: Sequence[str]) -> dict[str, list[CanonicalLabel]]:
    """The canonical labels of other types that these items have, by item."""
    found: dict[str, list[CanonicalLabel]] = {}
    for label_type in cached_review.label_types(sheet.sheet_id):
        if label_type != sheet.label_type:
            for ref, label in cached.workbench().canonical_labels.lookup(sheet.sheet_id, refs, label_type).items():
                found.setdefault(ref, []).append(label)
    return found


def _queue_name(wanted: PairFilter) -> str:
    """The same for the same filter from the same place on: else the card begins anew."""
    query = st.query_params
    return "|".join([str(hash(wanted)), *(query.get(part, "") for part in ("pair", "after", "before"))])


def _done_words(wanted: PairFilter, show: str) -> tuple[str, str]:
    """What the card says when nothing is left of the queue."""
    if show == "pending" and not is_narrowed(wanted):
        return "Everything is reviewed", "Close the review to train a model on the labelled pairs."
    if show == "pending":
        return "Everything that matches is reviewed", "Clear the filters to see what else is pending."
    return ("No pair matches" if is_narrowed(wanted) or show == ALL else f"No {show} pairs"), ""
