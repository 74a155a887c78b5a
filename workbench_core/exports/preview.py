"""What an export would hold, worked out from counted pairs: quick enough to follow every click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from workbench_core.eligibility import Excluded, most_frequent
from workbench_core.exports.files import ONE_FILE
from workbench_core.exports.reading import Plan, Tally, Verdict, verdict_of
from workbench_core.exports.requests import ExportPreview, ExportRequest
from workbench_core.exports.splits import quotas
from workbench_core.training_gate import USE_OF, Split

EXACT_UP_TO = 20_000  # exported pairs; the parts of more are given in proportion until the files are written


def preview_of(request: ExportRequest, tally: Tally, *, plan: Callable[[], Plan], problem: str) -> ExportPreview:
    """Counts in and out; `plan` reads the pairs one by one and is asked only for the parts of not too many."""
    excluded: Counter[str] = Counter()
    eligible: list[tuple[Verdict, int]] = []
    pictures = 0
    for key, count in tally:
        verdict = verdict_of(key, request)
        if verdict.reason:
            excluded[verdict.reason] += count
        else:
            eligible.append((verdict, count))
            pictures += count if key.has_pictures else 0
    total, exported = sum(count for _, count in tally), sum(count for _, count in eligible)
    is_exact = not request.is_split or exported <= EXACT_UP_TO
    if request.is_split and is_exact and exported and not problem:
        decided = plan()
        total, exported, excluded = decided.total, decided.exported, Counter(decided.excluded)
        by_part, pictures = decided.by_part(request), decided.pictures
    else:
        by_part = _in_proportion(request, eligible)
    reasons = most_frequent(excluded)
    if not exported and not problem:
        problem = nothing_left(reasons)
    return ExportPreview(total, exported, reasons, by_part, is_exact, pictures, problem)


def nothing_left(excluded: Sequence[Excluded]) -> str:
    """One sentence with all the reasons why there is nothing to export."""
    reasons = ", ".join(f"{each.count:,} {each.reason}" for each in excluded)
    return f"No pair can be exported: {reasons or 'there are none'}."


def _in_proportion(request: ExportRequest, eligible: list[tuple[Verdict, int]]) -> dict[str, int]:
    """The parts as their shares say; what permits only some parts goes to those."""
    if request.shares is None:
        return {ONE_FILE: sum(count for _, count in eligible)}
    found = {part.value: 0 for part in request.shares.by_part}
    for verdict, count in eligible:
        for part, share in zip(USE_OF, quotas(count, request.shares), strict=True):
            goes = _allowed_part(part, verdict.permitted)
            if share:
                found[goes.value] += share
    return found


def _allowed_part(wanted: Split, permitted: int) -> Split:
    """The wanted part, or the first that is permitted, in the order of the gate."""
    order = list(USE_OF)
    for part in (wanted, Split.TRAIN, Split.TEST, Split.VALIDATION):
        if permitted >> order.index(part) & 1:
            return part
    return wanted
