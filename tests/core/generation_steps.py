"""What a person does on the Generate and Label pages, as steps that the tests of training sheets share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tests.core.generation_parts import ANN, BEN, Parts, truth
from workbench_core.canonical_labels import LabelEntry
from workbench_core.pairs import Decision, Pair
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest, TrainingSheet

AI = AnswerSource.AI_GENERATED


def request(
    parts: Parts,
    sheet_id: str,
    *,
    source: AnswerSource = AnswerSource.MANUAL,
    template_id: str = "",
    **changes: object,
) -> GenerationRequest:
    """A request for mails; a column of answers is named when the source reads one."""
    reads_column = source in {AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID}
    values = {"answer_source": source, "answer_column": "verdict" if reads_column else "", **changes}
    return GenerationRequest(sheet_id, template_id or parts.make_template(), {"subject": "subject"}, **values)  # type: ignore[arg-type]


def generate(parts: Parts, sheet_id: str, **changes: object) -> TrainingSheet:
    """Generate, and do all that is queued."""
    made = parts.training_sheets.generate(request(parts, sheet_id, **changes), by=ANN)  # type: ignore[arg-type]
    parts.work()
    return parts.training_sheets.get(made.id)


def label(parts: Parts, sheet_id: str, items: Iterable[int], **rules: object) -> None:
    """Give mails their true canonical label."""
    entries = [LabelEntry(f"m{item:05d}", truth(item), **rules) for item in items]  # type: ignore[arg-type]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=BEN)


def approve_all(parts: Parts, training_sheet_id: str) -> None:
    """Decide about every pending pair."""
    waiting = parts.pairs.queue(training_sheet_id, limit=1000)
    parts.pairs.decide(
        [Decision(pair.id, "edit", pair.row_version, answer="spam") for pair in waiting], by=ANN, replace_labels=True
    )


def pairs_of(parts: Parts, training_sheet_id: str) -> dict[str, Pair]:
    """The pairs of a training sheet by item."""
    return {pair.item_ref: pair for pair in parts.pairs.find(training_sheet_id, limit=1000)}


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.01)
