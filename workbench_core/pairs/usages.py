"""What pairs may be used for, changed in sets: each change is a step that can be undone, and leaves an audit row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from workbench_core import rows, usage
from workbench_core.canonical_labels import chunks
from workbench_core.clock import Clock
from workbench_core.errors import ChangedByOthers
from workbench_core.history import History
from workbench_core.pairs.steps import Step
from workbench_core.ports import Json, Row, Store
from workbench_core.usage import UsageRules

_COLUMNS = ("allowed_uses", "prohibited_uses", "usage_reason", "classification")


class PairUsages:
    """Set the usage rules of pairs for a step, take them back, set them again; inside a transaction of the caller."""

    def __init__(self, store: Store, history: History, clock: Clock) -> None:
        self._store = store
        self._history = history
        self._clock = clock

    def set(self, pair_ids: Sequence[str], rules: UsageRules, step_id: str, *, by: str) -> int:
        """Give these pairs the rules of a step, keep what they had, and give the number of pairs changed."""
        changed = 0
        for chunk in chunks(pair_ids):
            self._store.execute(
                "INSERT INTO former_usages (step_id, pair_id, allowed_uses, prohibited_uses, usage_reason, "
                "classification) SELECT :step, id, allowed_uses, prohibited_uses, usage_reason, classification "
                "FROM pairs WHERE id IN :ids",
                touches="former_usages",
                step=step_id,
                ids=chunk,
            )
            changed += self._set(chunk, rules)
            self._record(step_id, chunk, rules, "set usage", by=by)
        return changed

    def undo(self, step: Step, pair_ids: Sequence[str], *, by: str) -> None:
        """Give these pairs of a step back the rules that they had. Raises ChangedByOthers naming who changed which."""
        self._check_unchanged(step, pair_ids, rules_of(step))
        for former, ids in self._former(step.id, pair_ids).items():
            self._set(ids, former)
            self._audit("undo set usage", ids, former, rules_of(step), by=by)

    def redo(self, step: Step, pair_ids: Sequence[str], *, by: str) -> None:
        """Give these pairs the rules of a step again. Raises ChangedByOthers naming who changed which."""
        for former, ids in self._former(step.id, pair_ids).items():
            self._check_unchanged(step, ids, former)
        self._set(pair_ids, rules_of(step))
        self._record(step.id, pair_ids, rules_of(step), "set usage", by=by)

    def changed(self, step: Step, pair_ids: Sequence[str], *, is_undo: bool) -> frozenset[str]:
        """Those of these pairs of a step whose rules are not those that undo, or redo, starts from."""
        found: set[str] = set()
        for former, ids in self._former(step.id, pair_ids).items():
            expected = rules_of(step) if is_undo else former
            for chunk in chunks(ids):
                found |= {rows.text(row, "id") for row in self._others(chunk, expected)}
        return frozenset(found)

    def pairs_of(self, step_id: str, *, after: str, limit: int) -> list[str]:
        """The pairs of a step in the order of their ids, from behind one."""
        found = self._store.query(
            "SELECT pair_id FROM former_usages WHERE step_id = :step AND pair_id > :after "
            "ORDER BY pair_id LIMIT :limit",
            step=step_id,
            after=after,
            limit=limit,
        )
        return [rows.text(row, "pair_id") for row in found]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _set(self, pair_ids: Sequence[str], rules: UsageRules) -> int:
        return sum(
            self._store.execute(
                "UPDATE pairs SET allowed_uses = :allowed_uses, prohibited_uses = :prohibited_uses, "
                "usage_reason = :usage_reason, classification = :classification, updated_at = :now WHERE id IN :ids",
                touches="pairs",
                ids=chunk,
                now=self._clock(),
                **rules.columns(),
            )
            for chunk in chunks(pair_ids)
        )

    def _former(self, step_id: str, pair_ids: Sequence[str]) -> dict[UsageRules, list[str]]:
        """Pairs of a step by the rules that they had before."""
        groups: dict[UsageRules, list[str]] = defaultdict(list)
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                f"SELECT pair_id, {', '.join(_COLUMNS)} FROM former_usages "
                "WHERE step_id = :step AND pair_id IN :ids ORDER BY pair_id",
                step=step_id,
                ids=chunk,
            ):
                groups[usage.from_row(row)].append(rows.text(row, "pair_id"))
        return groups

    def _others(self, pair_ids: Sequence[str], expected: UsageRules) -> list[Row]:
        """Those of these pairs that have other rules."""
        other = " OR ".join(f"{name} <> :{name}" for name in _COLUMNS)
        return self._store.query(
            f"SELECT id, item_ref FROM pairs WHERE id IN :ids AND ({other}) ORDER BY sequence_number, id",
            ids=list(pair_ids),
            **expected.columns(),
        )

    def _check_unchanged(self, step: Step, pair_ids: Sequence[str], expected: UsageRules) -> None:
        for chunk in chunks(pair_ids):
            for row in self._others(chunk, expected)[:1]:
                changes = self._history.of("pair", rows.text(row, "id"), limit=1)
                who = changes[0].by if changes else "somebody else"
                raise ChangedByOthers(
                    f"The usage of item {rows.text(row, 'item_ref')} was changed by {who} since your {step.told}.",
                    hint="Set its usage anew.",
                )

    def _record(self, step_id: str, pair_ids: Sequence[str], rules: UsageRules, action: str, *, by: str) -> None:
        """One history line for each pair, with the rules it had before."""
        for former, ids in self._former(step_id, pair_ids).items():
            self._audit(action, ids, rules, former, by=by)

    def _audit(self, action: str, pair_ids: Sequence[str], now: UsageRules, former: UsageRules, *, by: str) -> None:
        was = {f"former_{name}": value for name, value in former.columns().items()}
        self._history.add_many("pair", pair_ids, action, by=by, **now.columns(), **was)


def request_of(rules: UsageRules) -> dict[str, Json]:
    """Usage rules as a step keeps them."""
    return {"rules": dict(rules.columns())}


def rules_of(step: Step) -> UsageRules:
    """The usage rules that a step sets."""
    kept = step.request["rules"]
    assert isinstance(kept, dict)
    return usage.from_row({name: str(value) for name, value in kept.items()})
