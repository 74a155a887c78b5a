"""The keyboard review card: the browser holds a short queue, shows the next item at once and loses no key press.

Actions come back as an append-only log. They are carried out once, before the page reads anything, and each is
answered: a refused decision returns to the card with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import streamlit as st

from pages.components.browser_log import Ledger
from pages.components.layout import STATUS_COLORS
from pages.components.records import pretty
from pages.components.review_card.entries import Entry, Reply, carry_out, read_log
from pages.components.sheet_pictures import address_of
from workbench_core.canonical_labels import CanonicalLabel, same_answer
from workbench_core.pairs import LIFECYCLE, Pair, Pairs, ResponseSource, ReviewStatus
from workbench_core.pictures import IMAGE_ENDINGS, PicturePlace, place_of
from workbench_core.usage import Use

__all__ = ["CardView", "Reply", "carry_out_decisions", "review_card"]

LONGEST = 8_000  # characters of one value that travel to the browser
_HERE = Path(__file__).parent
_SOURCES: Mapping[ResponseSource, tuple[str, str]] = {
    ResponseSource.EMPTY: ("No answer yet", "gray"),
    ResponseSource.IMPORTED: ("Imported", "gray"),
    ResponseSource.AI_GENERATED: ("AI generated", "blue"),
    ResponseSource.HUMAN_LABELED: ("Answered, not verified", "gray"),
    ResponseSource.HUMAN_VERIFIED: ("Verified", "green"),
    ResponseSource.CANONICAL: ("Canonical label", "violet"),
}
LEDGER: Ledger[Entry, Reply] = Ledger()
_mount = st.components.v2.component(
    "workbench_review_card",
    html=(_HERE / "card.html").read_text(encoding="utf-8"),
    css=(_HERE / "card.css").read_text(encoding="utf-8"),
    js=(_HERE / "card.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class CardView:
    """What the card is about: its training sheet, the queue and what is around it.

    `queue` names the queue: when it changes, the card starts anew. With `is_cut` there are more items behind the last
    one. `pending` and `total` count the whole training sheet. `locked` says why nothing can be decided, if so. With a
    `volume`, the items are its files, and pictures among them are shown; those of a question always are.
    """

    training_sheet_id: str
    queue: str
    kind: str  # label, structured or text
    classes: tuple[str, ...] = ()
    pending: int = 0
    total: int = 0
    is_cut: bool = False
    is_pending_queue: bool = True
    locked: str = ""
    done_title: str = "Nothing left to review here"
    done_text: str = "Every item of this queue has been decided."
    labels: Mapping[str, CanonicalLabel] = field(default_factory=dict)
    volume: str = ""


def carry_out_decisions(training_sheet_id: str, service: Pairs, *, by: str) -> None:
    """Carry out what the person did on the card of a training sheet since; call it before the page reads anything."""
    nonce, entries = _log(training_sheet_id)
    LEDGER.once(nonce, entries, lambda fresh: carry_out(fresh, service, training_sheet_id, by=by))


def review_card(queue: Sequence[Pair], view: CardView, *, service: Pairs, by: str) -> str:
    """Show the card over a queue of pairs.

    Gives the id of a pair whose history the person asked for in this run, else an empty text. The callback carries out
    decisions even when the person leaves the page right after the last key.
    """
    key = _key(view.training_sheet_id)
    result = _mount(
        key=key,
        data=_data(queue, view),
        default={"log": None},
        on_log_change=lambda: carry_out_decisions(view.training_sheet_id, service, by=by),
        on_opened_change=lambda: None,
    )
    return str(result.opened or "")


def _key(training_sheet_id: str) -> str:
    return f"review_{training_sheet_id}"


def _log(training_sheet_id: str) -> tuple[str, list[Entry]]:
    return read_log((st.session_state.get(_key(training_sheet_id)) or {}).get("log"))


def _data(queue: Sequence[Pair], view: CardView) -> dict[str, object]:
    nonce, _ = _log(view.training_sheet_id)
    last, replies = LEDGER.answered(nonce)
    return {
        "card": view.training_sheet_id,
        "rev": f"{view.training_sheet_id}:{view.queue}",
        "items": [_item(pair, view.labels.get(pair.item_ref), view.volume) for pair in queue],
        "kind": view.kind,
        "classes": list(view.classes),
        "actions": {status.value: LIFECYCLE.actions(status) for status in ReviewStatus},
        "leads": {action: str(leads_to) for action, (_, leads_to) in LIFECYCLE.table.items()},
        "status_colors": {status.value: STATUS_COLORS[status] for status in ReviewStatus},
        "pending": view.pending,
        "total": view.total,
        "is_cut": view.is_cut,
        "is_pending": view.is_pending_queue,
        "locked": view.locked,
        "done_title": view.done_title,
        "done_text": view.done_text,
        "acked": {"nonce": nonce, "seq": last},
        "replies": [_reply(reply) for reply in replies],
    }


def _reply(reply: Reply) -> dict[str, object]:
    values = asdict(reply)
    values["seq"] = values.pop("number")
    return values


def _item(pair: Pair, label: CanonicalLabel | None, volume: str) -> dict[str, object]:
    prompts = [message.content for message in pair.messages if message.role == "user"]
    differs = label is not None and not same_answer(label.answer, pair.answer)
    return {
        "id": pair.id,
        "ref": pair.item_ref,
        "number": pair.sequence_number,
        "version": pair.row_version,
        "status": pair.review_status.value,
        "answer": pretty(pair.answer),
        "variables": [{"name": name, "text": _shortened(text)} for name, text in pair.variables.items()],
        "pictures": _picture_addresses(pair, volume),
        "prompt": _shortened(prompts[-1]) if prompts else "",
        "canonical": label.answer if label is not None and differs else "",
        "badges": _badges(pair),
        "hint": _hint(pair),
    }


def _picture_addresses(pair: Pair, volume: str) -> list[str]:
    """Where the app serves the pictures of the question; without any, the item's own file if it is a picture."""
    attached = [address_of(place_of(name)) for message in pair.messages[-1:] for name in message.attachments]
    if attached or not volume or not pair.item_ref.lower().endswith(IMAGE_ENDINGS):
        return attached
    return [address_of(PicturePlace(volume, pair.item_ref))]


def _badges(pair: Pair) -> list[dict[str, str]]:
    text, color = _SOURCES[pair.response_source]
    summary = pair.usage.summary()
    uses = "green" if all(pair.usage.permits(use) for use in Use) else "orange"
    uses = uses if pair.usage.permits(Use.TRAINING) else "red"
    return [
        {"text": text, "color": color, "help": "Where the answer came from"},
        {"text": summary, "color": uses, "help": f"{summary} ({pair.usage.classification})"},
    ]


def _hint(pair: Pair) -> str:
    if pair.generation_error:
        return f"No answer was generated: {pair.generation_error}"
    if pair.review_note:
        return f"Note: {pair.review_note}"
    if pair.quality_score == 0:
        return f"The answer is not valid. {pair.generation_note}"
    return ""


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters; the history shows them all."
