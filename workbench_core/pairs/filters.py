"""Which pairs of a training sheet are meant: a filter, and the condition that it is in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from workbench_core import rows, usage
from workbench_core.pairs.model import QualityFlag, ResponseSource, ReviewStatus
from workbench_core.ports import Value
from workbench_core.usage import Use


@dataclass(frozen=True, slots=True)
class PairFilter:
    """Which pairs to list; empty parts do not restrict (TS-6).

    Of several statuses, sources or flags a pair needs one. Scores are between 0 and 1, both ends included;
    `changed_since` means later than that moment; `search` looks into item, answer, values and note, whatever the case.
    """

    statuses: tuple[ReviewStatus, ...] = ()
    sources: tuple[ResponseSource, ...] = ()
    flags: tuple[QualityFlag, ...] = ()
    search: str = ""
    has_error: bool | None = None
    eligible_for: Use | None = None
    not_eligible_for: Use | None = None
    score_from: float | None = None
    score_to: float | None = None
    changed_since: datetime | None = None
    reviewed_by: str = ""


# the few pairs that index pairs_special has: its condition has to stand in a statement word by word
SPECIAL = (
    "(quality_flags <> '[]' OR prohibited_uses <> '[]' "
    f"OR allowed_uses <> '{usage.ALL_USES.columns()['allowed_uses']}' OR generation_error <> '')"
)
PENDING = PairFilter(statuses=(ReviewStatus.PENDING,))
Params: TypeAlias = dict[str, "Value | Sequence[Value]"]


def where_of(training_sheet_id: str, wanted: PairFilter) -> tuple[str, Params]:
    """The condition on table pairs that a filter means, and its parameters."""
    parts, params = ["training_sheet_id = :sheet"], Params(sheet=training_sheet_id)
    if wanted.statuses:
        parts.append("review_status IN :statuses")
        params["statuses"] = [status.value for status in wanted.statuses]
    if wanted.sources:
        parts.append("response_source IN :sources")
        params["sources"] = [source.value for source in wanted.sources]
    if wanted.flags or wanted.not_eligible_for is not None or wanted.has_error:
        parts.append(SPECIAL)
    for part, values in (_flags(wanted), _uses(wanted), _numbers(wanted), _people(wanted), _texts(wanted)):
        parts += part
        params |= values
    return " AND ".join(parts), params


def _flags(wanted: PairFilter) -> tuple[list[str], Params]:
    names = {f"flag_{number}": f'%"{flag.value}"%' for number, flag in enumerate(wanted.flags)}
    conditions = " OR ".join(f"quality_flags LIKE :{name}" for name in names)
    return ([f"({conditions})"] if names else []), Params(names)


def _uses(wanted: PairFilter) -> tuple[list[str], Params]:
    """Prohibition wins (INV-6): a use is permitted when it is allowed and not prohibited."""
    parts, params = [], Params()
    if wanted.eligible_for is not None:
        parts.append("allowed_uses LIKE :use AND prohibited_uses NOT LIKE :use")
        params["use"] = f"%{json.dumps(wanted.eligible_for.value)}%"
    if wanted.not_eligible_for is not None:
        parts.append("(allowed_uses NOT LIKE :other_use OR prohibited_uses LIKE :other_use)")
        params["other_use"] = f"%{json.dumps(wanted.not_eligible_for.value)}%"
    return parts, params


def _numbers(wanted: PairFilter) -> tuple[list[str], Params]:
    parts, params = [], Params()
    if wanted.score_from is not None:
        parts.append("quality_score >= :score_from")
        params["score_from"] = wanted.score_from
    if wanted.score_to is not None:
        parts.append("quality_score <= :score_to")
        params["score_to"] = wanted.score_to
    if wanted.has_error is not None:
        parts.append("generation_error <> ''" if wanted.has_error else "generation_error = ''")
    return parts, params


def _people(wanted: PairFilter) -> tuple[list[str], Params]:
    parts, params = [], Params()
    if wanted.changed_since is not None:
        parts.append("updated_at > :changed_since")
        params["changed_since"] = wanted.changed_since
    if wanted.reviewed_by:
        parts.append("reviewed_by = :reviewed_by")
        params["reviewed_by"] = wanted.reviewed_by
    return parts, params


def _texts(wanted: PairFilter) -> tuple[list[str], Params]:
    if not wanted.search.strip():
        return [], Params()
    text = "LOWER(item_ref || ' ' || answer || ' ' || variables || ' ' || review_note) LIKE LOWER(:pattern) ESCAPE '!'"
    return [text], Params(pattern=rows.search_pattern(wanted.search))
