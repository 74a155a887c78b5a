"""The keyboard review card: the browser holds a short queue, shows the next item at once and loses no key press.

Actions come back as an append-only log. They are carried out once, before the page reads anything, and each is
answered: a refused decision returns to the card with its reason. What the browser has already is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import streamlit as st

from pages.components.browser_log import Ledger
from pages.components.layout import STATUS_COLORS
from pages.components.review_card.classes import CardClass, class_data
from pages.components.review_card.entries import Entry, Reply, carry_out, read_log
from pages.components.review_card.items import Around, item_data, mark_of
from pages.components.review_card.window import Window, card_key, card_log, card_logs, card_window, queue_name
from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.pairs import LIFECYCLE, Draft, Pair, Pairs, ReviewStatus

__all__ = [
    "CardClass",
    "CardView",
    "Reply",
    "Window",
    "card_window",
    "carry_out_decisions",
    "comments_asked",
    "review_card",
]

_HERE = Path(__file__).parent
_SCRIPTS = ("parts", "diff", "schema", "form", "editor", "outbox", "queue", "drafts", "views", "card")
LEDGER: Ledger[Entry, Reply] = Ledger()
_mount = st.components.v2.component(
    "workbench_review_card",
    html=(_HERE / "card.html").read_text(encoding="utf-8"),
    css=(_HERE / "card.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS),  # one module, in this order
)


@dataclass(frozen=True, slots=True)
class CardView:
    """What the card is about: its training sheet, the queue and what is around it.

    `queue` names the queue: when it changes, the card starts anew. With `is_cut` there are more items behind the last
    one; `after` is that of `card_window`. `pending` and `total` count the whole training sheet. `locked` says why
    nothing can be decided, if so. With a `volume`, the items are its files, and pictures among them are shown; those
    of a question always are. `labels` and `other_labels` are by item, `drafts` and `comments` (their number) by pair.
    `schema` is the JSON Schema of a structured answer: with one, it is edited in a form.
    """

    training_sheet_id: str
    queue: str
    kind: str  # label, structured or text
    classes: tuple[CardClass | str, ...] = ()
    pending: int = 0
    total: int = 0
    is_cut: bool = False
    is_pending_queue: bool = True
    locked: str = ""
    done_title: str = "Nothing left to review here"
    done_text: str = "Every item of this queue has been decided."
    labels: Mapping[str, CanonicalLabel] = field(default_factory=dict)
    volume: str = ""
    after: int = 0
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    other_labels: Mapping[str, Sequence[CanonicalLabel]] = field(default_factory=dict)
    schema: Mapping[str, object] | None = None
    comments: Mapping[str, int] = field(default_factory=dict)


def carry_out_decisions(training_sheet_id: str, service: Pairs, *, by: str) -> None:
    """Carry out what the person did on the card of a training sheet since; call it before the page reads anything."""
    for log in card_logs(training_sheet_id):
        nonce, entries = read_log(log)
        LEDGER.once(nonce, entries, lambda fresh: carry_out(fresh, service, training_sheet_id, by=by))


def review_card(queue: Sequence[Pair], view: CardView, *, service: Pairs, by: str) -> str:
    """Show the card over a queue of pairs.

    Gives the id of a pair whose history the person asked for in this run, else an empty text. The callback carries out
    decisions even when the person leaves the page right after the last key.
    """

    def act() -> None:
        carry_out_decisions(view.training_sheet_id, service, by=by)

    result = _mount(
        key=card_key(view.training_sheet_id),
        data=_data(queue, view),
        default={"log": None},
        on_log_change=act,
        on_acted_change=act,
        on_orphan_change=act,
        on_opened_change=lambda: None,
        on_comments_change=lambda: None,
    )
    return str(result.opened or "")


def comments_asked(training_sheet_id: str) -> str:
    """The id of a pair whose comments the person asked for on the card in this run, else an empty text."""
    return str((st.session_state.get(card_key(training_sheet_id)) or {}).get("comments") or "")


def _data(queue: Sequence[Pair], view: CardView) -> dict[str, object]:
    log = card_log(view.training_sheet_id)
    nonce, _ = read_log(log)
    last, replies = LEDGER.answered(nonce)
    rules = _rules(view)
    rules_mark = mark_of(rules)
    return {
        "card": view.training_sheet_id,
        "rev": queue_name(view.training_sheet_id, view.queue),
        "items": _items(queue, view, log.get("known")),
        "rules": {"mark": rules_mark, **({} if log.get("rules") == rules_mark else rules)},
        "pending": view.pending,
        "total": view.total,
        "is_cut": view.is_cut,
        "after": view.after,
        "is_pending": view.is_pending_queue,
        "locked": view.locked,
        "done_title": view.done_title,
        "done_text": view.done_text,
        "acked": {"nonce": nonce, "seq": last},
        "replies": [_reply(reply) for reply in replies],
    }


def _rules(view: CardView) -> dict[str, object]:
    """What stays the same for all items of a training sheet."""
    return {
        "kind": view.kind,
        "classes": class_data(view.classes),
        "schema": view.schema,
        "actions": {status.value: LIFECYCLE.actions(status) for status in ReviewStatus},
        "leads": {action: str(leads_to) for action, (_, leads_to) in LIFECYCLE.table.items()},
        "status_colors": {status.value: STATUS_COLORS[status] for status in ReviewStatus},
    }


def _items(queue: Sequence[Pair], view: CardView, known: object) -> list[dict[str, object]]:
    """The items of the queue; of those that the browser has as they are, only their names."""
    marks = {mark for mark in known if isinstance(mark, str)} if isinstance(known, list) else set()
    items = [item_data(pair, _around(pair, view)) for pair in queue]
    return [{"id": each["id"], "mark": each["mark"]} if each["mark"] in marks else each for each in items]


def _around(pair: Pair, view: CardView) -> Around:
    return Around(
        label=view.labels.get(pair.item_ref),
        others=view.other_labels.get(pair.item_ref, ()),
        draft=view.drafts.get(pair.id),
        comments=view.comments.get(pair.id, 0),
        volume=view.volume,
    )


def _reply(reply: Reply) -> dict[str, object]:
    values = asdict(reply)
    values["seq"] = values.pop("number")
    return values
