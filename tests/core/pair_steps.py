"""What a reviewer does at the desk, as steps that the tests of pairs share."""

from __future__ import annotations

from collections.abc import Iterable

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import AI, generate
from workbench_core.pairs import BulkAction, BulkOutcome, BulkPreview, Decision, Pair, PairFilter, Selection

FLAG = {"note": "odd"}
VALUES: dict[str, dict[str, str]] = {"edit": {"answer": "ham"}, "flag": FLAG}


def made(parts: Parts, count: int, **changes: object) -> str:
    """A training sheet in review whose answers come from the model."""
    return generate(parts, parts.make_sheet(count), source=AI, **changes).id  # type: ignore[arg-type]


def pairs_in(parts: Parts, training_sheet_id: str, wanted: PairFilter | None = None) -> list[Pair]:
    """The pairs of a training sheet in their order."""
    return parts.pairs.find(training_sheet_id, wanted, limit=100_000)


def decide(parts: Parts, pair: Pair, action: str, *, by: str = ANN, replace_labels: bool = False, **values: object):
    """One decision on the version of the pair as it is given."""
    decision = Decision(pair.id, action, pair.row_version, **values)  # type: ignore[arg-type]
    return parts.pairs.decide([decision], by=by, replace_labels=replace_labels)


def state(pair: Pair) -> dict[str, object]:
    """All of a pair but for its version and its time of change."""
    return {
        name: getattr(pair, name)
        for name in type(pair).__dataclass_fields__
        if name not in {"row_version", "updated_at"}
    }


def states(parts: Parts, training_sheet_id: str) -> list[dict[str, object]]:
    """The same for all pairs of a training sheet."""
    return [state(pair) for pair in pairs_in(parts, training_sheet_id)]


def labels_of(parts: Parts, sheet_id: str) -> dict[str, tuple[str, str]]:
    """Answer and usage of the canonical labels of a sheet, by item; versions count on whatever happens."""
    found = parts.store.query(
        "SELECT item_ref, answer, allowed_uses FROM canonical_labels WHERE sheet_id = :sheet ORDER BY item_ref",
        sheet=sheet_id,
    )
    return {str(row["item_ref"]): (str(row["answer"]), str(row["allowed_uses"])) for row in found}


def bulk(parts: Parts, selection: Selection, action: BulkAction, *, by: str = ANN) -> tuple[BulkPreview, BulkOutcome]:
    """Preview, then do it."""
    return parts.pairs.preview_bulk(selection, action, by=by), parts.pairs.decide_all(selection, action, by=by)


def ids(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(pair.id for pair in pairs)
