"""The answers that a pair had before a model gave it another one: nothing is overwritten without its predecessor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.pairs import ResponseSource
from workbench_core.ports import Row, Store


@dataclass(frozen=True, slots=True)
class ReplacedAnswer:
    """What a pair answered until the answering `answering_id`, which `replaced_by` had started, changed it.

    `model` is the one that had given `answer`; empty when no model had. An empty answer was none: the pair is kept
    because it had another question then, and `error` says why there was no answer where a model had failed.
    """

    answer: str
    response_source: ResponseSource
    model: str
    error: str
    answering_id: str
    replaced_by: str
    replaced_at: datetime


def replaced_answers(store: Store, pair_id: str) -> list[ReplacedAnswer]:
    """The former answers of a pair, newest first."""
    found = store.query(
        "SELECT answer, response_source, generation_error, generation_details, answering_id, replaced_by, "
        " replaced_at FROM replaced_answers WHERE pair_id = :pair ORDER BY row_version DESC",
        pair=pair_id,
    )
    return [_replaced_answer(row) for row in found]


def _replaced_answer(row: Row) -> ReplacedAnswer:
    return ReplacedAnswer(
        answer=rows.text(row, "answer"),
        response_source=ResponseSource(rows.text(row, "response_source")),
        model=str(rows.json_object(row, "generation_details").get("model", "")),
        error=rows.text(row, "generation_error"),
        answering_id=rows.text(row, "answering_id"),
        replaced_by=rows.text(row, "replaced_by"),
        replaced_at=rows.time(row, "replaced_at"),
    )
