"""The fix queue: single items with everything that is wrong with them, and what people decide about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import queue_conditions as conditions
from workbench_core.data_quality import queue_records as records
from workbench_core.data_quality.queue_items import (
    Decision,
    DecisionResult,
    ItemDetails,
    ItemState,
    QueueFilter,
    QueuePage,
    queue_item_from,
)
from workbench_core.data_quality.results import ItemKind
from workbench_core.data_quality.rules import Criticality
from workbench_core.errors import ChangedByOthers, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Store, Value
from workbench_core.sheets import Sheet, Sheets

MAX_REASON = 1_000
MOST_AT_ONCE = 5_000
_LEADS_TO = {Decision.SET_ASIDE: ItemState.SET_ASIDE, Decision.ACCEPT: ItemState.ACCEPTED}
_DONE = {ItemState.SET_ASIDE: "set aside", ItemState.ACCEPTED: "accepted"}
_FAILING = QueueFilter()
Choice = TypeVar("Choice", bound=StrEnum)


class FixQueue:
    """List what a run found, open one item, and decide about many in one transaction."""

    def __init__(
        self, store: Store, lake: Lake, history: History, permissions: Permissions, clock: Clock, *, sheets: Sheets
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._sheets = sheets

    # --- looking -----------------------------------------------------------------------------------------------------

    def items(self, sheet_id: str, wanted: QueueFilter = _FAILING, *, limit: int = 50, offset: int = 0) -> QueuePage:
        """A page of items of the newest run that looked for this kind; failing ones with most problems first.

        A kind or state that there is not, as an address may name it, is taken for failing and open.
        """
        wanted = replace(wanted, kind=_known(ItemKind, wanted.kind, ItemKind.FAILING), state=_state(wanted.state))
        run_id = self._run_with(sheet_id, wanted.kind)
        given = conditions.parameters(sheet_id, run_id, wanted)
        counted = self._store.query(
            f"SELECT COUNT(DISTINCT f.item_ref) AS items {conditions.LISTED} WHERE {conditions.where(wanted)}", **given
        )
        found = self._store.query(
            "SELECT f.item_ref, COUNT(*) AS problems, MIN(f.group_number) AS group_number, MAX(f.score) AS score, "
            "MAX(q.state) AS state, MAX(q.reason) AS reason, MAX(q.decided_by) AS decided_by, "
            f"MAX(q.decided_at) AS decided_at {conditions.LISTED} WHERE {conditions.where(wanted)} GROUP BY f.item_ref "
            f"ORDER BY {conditions.ORDER[wanted.kind]} LIMIT :limit OFFSET :offset",
            limit=min(max(limit, 1), 1_000),
            offset=max(offset, 0),
            **given,
        )
        shown = records.problems(self._store, [rows.text(row, "item_ref") for row in found], {wanted.kind: run_id})
        items = tuple(queue_item_from(row, shown.get(rows.text(row, "item_ref"), ())) for row in found)
        note = records.cut_note(self._store, run_id, wanted.kind)
        return QueuePage(items, rows.whole(counted[0], "items"), run_id, note)

    def decided(
        self, sheet_id: str, *, state: ItemState | str = ItemState.SET_ASIDE, search: str = "", limit: int = 50,
        offset: int = 0,
    ) -> QueuePage:  # fmt: skip
        """A page of all items that are set aside or accepted, latest first, also those that fail no more.

        A state that there is not, as an address may name it, is taken for set aside.
        """
        wanted: dict[str, Value] = {
            "sheet": sheet_id, "state": _known(ItemState, state, ItemState.SET_ASIDE).value,
            "pattern": rows.search_pattern(search),
        }  # fmt: skip
        where = (
            "FROM quarantined_items WHERE sheet_id = :sheet AND state = :state "
            "AND LOWER(item_ref || ' ' || reason || ' ' || decided_by) LIKE LOWER(:pattern) ESCAPE '!'"
        )
        total = rows.whole(self._store.query(f"SELECT COUNT(*) AS items {where}", **wanted)[0], "items")
        found = self._store.query(
            f"SELECT item_ref, state, reason, decided_by, decided_at {where} "
            "ORDER BY decided_at DESC, item_ref LIMIT :limit OFFSET :offset",
            limit=min(max(limit, 1), 1_000),
            offset=max(offset, 0),
            **wanted,
        )
        shown = records.problems(
            self._store, [rows.text(row, "item_ref") for row in found], records.runs_of(self._store, sheet_id)
        )
        counted = [row | {"problems": None, "group_number": None, "score": None} for row in found]
        items = [queue_item_from(row, shown.get(rows.text(row, "item_ref"), ())) for row in counted]
        return QueuePage(tuple(items), total, "")

    def counts_by_severity(self, sheet_id: str) -> dict[Criticality, int]:
        """How many open items fail an error, and how many fail warnings alone; empty before the first run."""
        run_id = self._run_with(sheet_id, ItemKind.FAILING)
        if not run_id:
            return {}
        counted = self._store.query(
            "SELECT COUNT(*) AS items, COALESCE(SUM(found.is_error), 0) AS errors FROM (SELECT f.item_ref, "
            "MAX(CASE WHEN f.is_error THEN 1 ELSE 0 END) AS is_error FROM quality_failures f "
            "LEFT JOIN quarantined_items q ON q.sheet_id = :sheet AND q.item_ref = f.item_ref "
            "WHERE f.quality_run_id = :run AND f.kind = :kind AND q.item_ref IS NULL GROUP BY f.item_ref) found",
            sheet=sheet_id,
            run=run_id,
            kind=ItemKind.FAILING.value,
        )
        errors = rows.whole(counted[0], "errors")
        return {Criticality.ERROR: errors, Criticality.WARN: rows.whole(counted[0], "items") - errors}

    def count_of_all(
        self, sheet_id: str, decision: Decision, wanted: QueueFilter = _FAILING, *, keep_first: bool = True
    ) -> int:
        """How many items `decide_all` would decide about, to ask before."""
        counted = self._store.query(
            f"SELECT COUNT(DISTINCT f.item_ref) AS items {conditions.LISTED} WHERE "
            f"{conditions.where_of_all(decision, wanted, keep_first=keep_first)}",
            **conditions.parameters(sheet_id, self._run_with(sheet_id, wanted.kind), wanted),
        )
        return rows.whole(counted[0], "items")

    def counts(self, sheet_id: str) -> dict[ItemKind, int]:
        """How many items of each kind are open; a kind that no run looked for is left out."""
        runs = records.runs_of(self._store, sheet_id)
        found = {}
        for kind, run_id in runs.items():
            counted = self._store.query(
                "SELECT COUNT(DISTINCT f.item_ref) AS items FROM quality_failures f LEFT JOIN quarantined_items q "
                "ON q.sheet_id = :sheet AND q.item_ref = f.item_ref "
                "WHERE f.quality_run_id = :run AND f.kind = :kind AND q.item_ref IS NULL",
                sheet=sheet_id,
                run=run_id,
                kind=kind.value,
            )
            found[kind] = rows.whole(counted[0], "items")
        return found

    def item(self, sheet_id: str, item_ref: str) -> ItemDetails:
        """Everything about one item. Raises NotFound when neither the sheet nor a run knows it."""
        sheet = self._sheets.get(sheet_id)
        problems = records.problems(self._store, [item_ref], records.runs_of(self._store, sheet_id)).get(item_ref, ())
        past = records.decisions(self._store, sheet_id, item_ref)
        values = self._values(sheet, item_ref)
        if values is None and not problems and not past:
            raise NotFound(f"“{item_ref}” is no item of “{sheet.name}”.", hint="Choose one in the fix queue.")
        current = self._store.query(
            "SELECT state, reason FROM quarantined_items WHERE sheet_id = :sheet AND item_ref = :item",
            sheet=sheet_id,
            item=item_ref,
        )
        return ItemDetails(
            item_ref=item_ref,
            values=values,
            problems=problems,
            state=ItemState(rows.text(current[0], "state")) if current else ItemState.OPEN,
            reason=rows.text(current[0], "reason") if current else "",
            decisions=past,
            group_members=records.members_of(self._store, sheet_id, problems),
        )

    # --- deciding ----------------------------------------------------------------------------------------------------

    def decide(
        self, sheet_id: str, item_refs: Sequence[str], decision: Decision | str, *, reason: str, by: str
    ) -> DecisionResult:
        """Set items aside, accept or reopen them, with a reason; what somebody else decided meanwhile is refused.

        Raises Invalid without a reason or for more than 5,000 items at once, NotPermitted.
        """
        decision, reason = self._checked(decision, reason, by=by)
        sheet = self._sheets.get(sheet_id)
        refs = tuple(dict.fromkeys(item_refs))
        if not refs or len(refs) > MOST_AT_ONCE:
            raise Invalid(f"{len(refs):,} items are chosen.", hint=f"Choose 1 to {MOST_AT_ONCE:,}.")
        refused = {} if decision is Decision.REOPEN else self._unknown(sheet, refs)
        decision_id = new_id("decision")
        with self._store.transaction():
            refused |= self._not_now(sheet_id, refs, decision)
            able = [ref for ref in refs if ref not in refused]
            if able:
                self._log(decision_id, sheet_id, able, decision, reason=reason, by=by)
                self._apply(decision_id, sheet_id, decision)
                self._note(sheet_id, decision, len(able), reason=reason, by=by)
        return DecisionResult(len(able), refused)

    def decide_all(
        self,
        sheet_id: str,
        decision: Decision | str,
        wanted: QueueFilter = _FAILING,
        *,
        reason: str,
        by: str,
        shown_run: str = "",
        keep_first: bool = True,
    ) -> DecisionResult:
        """Decide about all items that the queue lists with this filter, in SQL.

        `shown_run` is the run whose list the person saw; without it the newest counts. With `keep_first`, the first
        item of a group of duplicates that is not set aside stays. Raises Invalid without a reason or for a state that
        does not allow the decision, ChangedByOthers when the list is of an older run, NotPermitted.
        """
        decision, reason = self._checked(decision, reason, by=by)
        _check_allowed(decision, wanted.state)
        with self._store.transaction():
            self._sheets.get(sheet_id)
            run_id, decision_id = self._run_as_shown(sheet_id, wanted.kind, shown_run), new_id("decision")
            where = conditions.where_of_all(decision, wanted, keep_first=keep_first)
            given = conditions.parameters(sheet_id, run_id, wanted)
            done = self._log_all(decision_id, decision, where, given, reason=reason, by=by)
            if done:
                self._apply(decision_id, sheet_id, decision)
                self._note(sheet_id, decision, done, reason=reason, by=by)
        return DecisionResult(done, {}, records.cut_note(self._store, run_id, wanted.kind))

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _time_type(self) -> str:
        """SQLite keeps times as text; a cast to a time would cut them down to the year."""
        return "TEXT" if self._store.dialect == "sqlite" else "TIMESTAMP"

    def _checked(self, decision: Decision | str, reason: str, *, by: str) -> tuple[Decision, str]:
        self._permissions.check(by, Action.MANAGE_QUALITY)
        if decision not in tuple(Decision):
            raise Invalid(f"“{decision}” is no decision.", hint=f"Decisions: {', '.join(Decision)}.")
        if not reason.strip():
            raise Invalid("A reason is needed.", hint="Say in a sentence why.")
        if len(reason) > MAX_REASON:
            raise Invalid(f"The reason has more than {MAX_REASON:,} characters.", hint="Shorten it.")
        return Decision(decision), reason.strip()

    def _unknown(self, sheet: Sheet, refs: tuple[str, ...]) -> dict[str, str]:
        """The items that the sheet does not have."""
        known: set[str] = set()
        columns = (sheet.item_id_column,)
        for frame in self._lake.batches(sheet.selection(item_refs=refs), columns=columns, size=MOST_AT_ONCE):
            known.update(frame["item_ref"].astype(str))
        return {ref: f"“{ref}” is no item of “{sheet.name}”." for ref in refs if ref not in known}

    def _not_now(self, sheet_id: str, refs: Sequence[str], decision: Decision) -> dict[str, str]:
        """The items that are not in the state this decision needs, with who brought them there."""
        found = self._store.query(
            "SELECT item_ref, state, decided_by FROM quarantined_items WHERE sheet_id = :sheet AND item_ref IN :refs",
            sheet=sheet_id,
            refs=list(refs),
        )
        decided = {rows.text(row, "item_ref"): row for row in found}
        if decision is Decision.REOPEN:
            return {ref: f"“{ref}” is open already." for ref in refs if ref not in decided}
        return {
            ref: f"“{ref}” was {_DONE[ItemState(rows.text(row, 'state'))]} by {rows.text(row, 'decided_by')} already. "
            "Reopen it to decide anew."
            for ref, row in decided.items()
        }

    def _log(
        self, decision_id: str, sheet_id: str, refs: Sequence[str], decision: Decision, *, reason: str, by: str
    ) -> None:
        run_id = next(iter(records.runs_of(self._store, sheet_id).values()), "")
        now = self._clock()
        self._store.append(
            "quality_decisions",
            [
                {
                    "decision_id": decision_id,
                    "sheet_id": sheet_id,
                    "item_ref": ref,
                    "decision": decision.value,
                    "reason": reason,
                    "quality_run_id": run_id,
                    "decided_by": by,
                    "decided_at": now,
                }
                for ref in refs
            ],
        )

    def _log_all(
        self, decision_id: str, decision: Decision, where: str, given: Mapping[str, Value], *, reason: str, by: str
    ) -> int:
        """Log a decision about every item that the condition finds; how many they are."""
        return self._store.execute(
            "INSERT INTO quality_decisions (decision_id, sheet_id, item_ref, decision, reason, quality_run_id, "
            "decided_by, decided_at) SELECT DISTINCT CAST(:id AS TEXT), CAST(:sheet AS TEXT), f.item_ref, "
            "CAST(:decision AS TEXT), CAST(:reason AS TEXT), f.quality_run_id, CAST(:by AS TEXT), "
            f"CAST(:now AS {self._time_type}) {conditions.LISTED} WHERE {where}",
            touches="quality_decisions",
            id=decision_id,
            decision=decision.value,
            reason=reason,
            by=by,
            now=self._clock(),
            **given,
        )

    def _apply(self, decision_id: str, sheet_id: str, decision: Decision) -> None:
        """Bring the items of a logged decision into their new state."""
        if decision is Decision.REOPEN:
            self._store.execute(
                "DELETE FROM quarantined_items WHERE sheet_id = :sheet AND item_ref IN "
                "(SELECT item_ref FROM quality_decisions WHERE decision_id = :id)",
                touches="quarantined_items",
                sheet=sheet_id,
                id=decision_id,
            )
            return
        self._store.execute(
            "INSERT INTO quarantined_items (sheet_id, item_ref, state, reason, decided_by, decided_at) "
            "SELECT sheet_id, item_ref, CAST(:state AS TEXT), reason, decided_by, decided_at FROM quality_decisions "
            "WHERE decision_id = :id",
            touches="quarantined_items",
            state=_LEADS_TO[decision].value,
            id=decision_id,
        )

    def _note(self, sheet_id: str, decision: Decision, items: int, *, reason: str, by: str) -> None:
        action = f"{decision.value.replace('_', ' ')} items"
        self._history.add("sheet", sheet_id, action, by=by, items=items, reason=reason)

    def _run_with(self, sheet_id: str, kind: ItemKind) -> str:
        return records.runs_of(self._store, sheet_id).get(kind, "")

    def _run_as_shown(self, sheet_id: str, kind: ItemKind, shown_run: str) -> str:
        """The newest run that looked for a kind. Raises ChangedByOthers when a person saw the list of another."""
        newest = self._run_with(sheet_id, kind)
        if shown_run not in ("", newest):
            raise ChangedByOthers(
                "The checks have run again since this list was shown, so nothing was decided.",
                hint="The list is now the one of the newest run: look at it and decide again.",
            )
        return newest

    def _values(self, sheet: Sheet, item_ref: str) -> Mapping[str, object] | None:
        page = self._lake.page(sheet.selection(item_refs=(item_ref,)), limit=1)
        if page.empty:
            return None
        return {str(name): value for name, value in page.iloc[0].items() if name != "item_ref"}


def _check_allowed(decision: Decision, state: ItemState) -> None:
    """Raise Invalid when items in this state cannot be decided like this."""
    if state not in tuple(ItemState):
        raise Invalid(f"“{state}” is no state of an item.", hint=f"States: {', '.join(ItemState)}.")
    if (decision is Decision.REOPEN) == (state is ItemState.OPEN):
        raise Invalid(
            f"Items that are {state.replace('_', ' ')} cannot be decided like this.",
            hint="Reopen what was decided; set aside or accept what is open.",
        )


def _state(state: ItemState | str) -> ItemState:
    return _known(ItemState, state, ItemState.OPEN)


def _known(kind: type[Choice], value: str, fallback: Choice) -> Choice:
    """The choice that a text names, or the fallback."""
    return next((one for one in kind if one.value == value), fallback)
