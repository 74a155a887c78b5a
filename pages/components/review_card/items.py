"""One item of the review card as the browser gets it: its source, its answers, what is known about it besides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pages.components.records import pretty
from pages.components.sheet_pictures import address_of
from workbench_core.canonical_labels import CanonicalLabel, same_answer
from workbench_core.pairs import Draft, Pair, ResponseSource
from workbench_core.pictures import IMAGE_ENDINGS, PicturePlace, place_of
from workbench_core.usage import Use

LONGEST = 8_000  # characters of one value that travel to the browser
LONGEST_LABEL = 2_000  # characters of a label of another type
_SOURCES: Mapping[ResponseSource, tuple[str, str]] = {
    ResponseSource.EMPTY: ("No answer yet", "gray"),
    ResponseSource.IMPORTED: ("Imported", "gray"),
    ResponseSource.AI_GENERATED: ("AI generated", "blue"),
    ResponseSource.HUMAN_LABELED: ("Answered, not verified", "gray"),
    ResponseSource.HUMAN_VERIFIED: ("Verified", "green"),
    ResponseSource.CANONICAL: ("Canonical label", "violet"),
}


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a pair: its canonical label, those of other types, the person's draft, the comments."""

    label: CanonicalLabel | None = None
    others: Sequence[CanonicalLabel] = field(default_factory=tuple)
    draft: Draft | None = None
    comments: int = 0
    volume: str = ""


def item_data(pair: Pair, around: Around) -> dict[str, object]:
    """Everything about a pair that the card shows; `mark` is the same as long as nothing of it changes."""
    prompts = [message.content for message in pair.messages if message.role == "user"]
    label, draft = around.label, around.draft
    differs = label is not None and not same_answer(label.answer, pair.answer)
    is_changed = pair.original_answer is not None and not same_answer(pair.original_answer, pair.answer)
    values: dict[str, object] = {
        "id": pair.id,
        "ref": pair.item_ref,
        "number": pair.sequence_number,
        "version": pair.row_version,
        "status": pair.review_status.value,
        "answer": pretty(pair.answer),
        "original": pretty(pair.original_answer or "") if is_changed else None,
        "variables": [{"name": name, "text": shortened(text)} for name, text in pair.variables.items()],
        "pictures": _picture_addresses(pair, around.volume),
        "prompt": shortened(prompts[-1]) if prompts else "",
        "canonical": label.answer if label is not None and differs else "",
        "others": [
            {"type": each.label_type, "answer": shortened(each.answer, LONGEST_LABEL)} for each in around.others
        ],
        "saved": draft and {"answer": draft.answer, "at": draft.saved_at.isoformat(), "version": draft.row_version},
        "comments": around.comments,
        "badges": _badges(pair),
        "hint": _hint(pair),
    }
    return {"mark": mark_of(values), **values}


def mark_of(values: object) -> str:
    """A short name for these values; others have another one."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text of at most so many characters; one that is cut says how much is missing."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n… {len(text) - longest:,} more characters; the history shows them all."


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
