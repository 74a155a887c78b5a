"""What a person did on the review card: read from the browser's log, carried out once, answered one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pages.components.records import pretty
from workbench_core.errors import WorkbenchError
from workbench_core.pairs import Decision, Pair, PairChange, Pairs, Undone

DECISIONS = frozenset({"approve", "edit", "reject", "flag", "reopen"})
STEPS = frozenset({"undo", "redo"})
ACTIONS = DECISIONS | STEPS | {"draft"}
MOST_CHANGES = 20  # refused decisions of one batch that are told who was first


@dataclass(frozen=True, slots=True)
class Entry:
    """One action on the card, on the version of the pair that the person saw. `number` grows within a log."""

    number: int
    action: str
    pair_id: str
    row_version: int
    answer: str | None = None
    note: str = ""
    replaces_label: bool = False

    @property
    def decision(self) -> Decision:
        """The same as the pairs service takes it."""
        return Decision(self.pair_id, self.action, self.row_version, self.answer, self.note)


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody else made of a pair meanwhile: who, when (ISO), and what it is now."""

    by: str
    at: str
    status: str
    answer: str
    row_version: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an entry: nothing to say, or the reason why not.

    `focus` is a pair to show next, `words` a sentence about more than that pair, `saved_at` (ISO) when a draft was
    stored, `change` what somebody else did to the pair before.
    """

    number: int
    pair_id: str
    reason: str = ""
    focus: str = ""
    words: str = ""
    saved_at: str = ""
    change: Change | None = None


def read_log(log: object) -> tuple[str, list[Entry]]:
    """The nonce and the entries of a log; what is not an entry is left out, because a browser may send anything."""
    if not isinstance(log, Mapping) or not isinstance(log.get("entries"), list):
        return "", []
    found = [_entry(each) for each in log["entries"] if isinstance(each, Mapping)]
    return str(log.get("nonce")), [each for each in found if each]


def carry_out(entries: Sequence[Entry], pairs: Pairs, training_sheet_id: str, *, by: str) -> list[Reply]:
    """Do what the entries say, in their order, with as few calls as possible; a refusal answers, it never raises."""
    replies: list[Reply] = []
    for group in _groups(entries):
        try:
            if group[0].action in STEPS:
                replies.append(_step(group[0], pairs, training_sheet_id, by=by))
            elif group[0].action == "draft":
                replies.append(_keep_draft(group[0], pairs, by=by))
            else:
                replies += _decide(group, pairs, by=by)
        except WorkbenchError as error:
            reason = " ".join(part for part in (error.message, error.hint) if part)
            replies += [Reply(entry.number, entry.pair_id, reason) for entry in group]
    return replies


def _decide(group: Sequence[Entry], pairs: Pairs, *, by: str) -> list[Reply]:
    replaces = group[0].replaces_label
    result = pairs.decide([entry.decision for entry in group], by=by, replace_labels=replaces)
    told = list(result.changes.values())[:MOST_CHANGES]
    changes = {change.pair_id: _change(change, pairs.get(change.pair_id)) for change in told}
    return [
        Reply(each.number, each.pair_id, result.refused.get(each.pair_id, ""), change=changes.get(each.pair_id))
        for each in group
    ]


def _change(change: PairChange, pair: Pair) -> Change:
    """Who was first, and what the pair is now."""
    status = pair.review_status.value
    return Change(change.by, change.changed_at.isoformat(), status, pretty(pair.answer), pair.row_version)


def _keep_draft(entry: Entry, pairs: Pairs, *, by: str) -> Reply:
    moment = pairs.keep_draft(entry.pair_id, entry.answer or "", by=by, row_version=entry.row_version)
    return Reply(entry.number, entry.pair_id, saved_at=moment.isoformat())


def _step(entry: Entry, pairs: Pairs, training_sheet_id: str, *, by: str) -> Reply:
    """Take the latest step back, or do it again, unless the pair is not what the person saw.

    So an entry that comes a second time does no harm.
    """
    if entry.pair_id and pairs.get(entry.pair_id).row_version != entry.row_version:
        return Reply(entry.number, entry.pair_id, "This item changed since your decision.")
    step = pairs.undo if entry.action == "undo" else pairs.redo
    done = step(training_sheet_id, by=by)
    words = _words(entry.action, done, pairs)
    if done.pairs > 1 or (entry.pair_id and done.pair_id != entry.pair_id):
        return Reply(entry.number, entry.pair_id, reason=words if entry.pair_id else "", words=words)
    return Reply(entry.number, entry.pair_id, focus=done.pair_id, words=words)


def _words(action: str, done: Undone, pairs: Pairs) -> str:
    beginning = "Undone" if action == "undo" else "Done again"
    if done.pairs > 1:
        return f"{beginning}: {done.action} of {done.pairs:,} pairs."
    return f"{beginning}: {done.action} of item {done.item_ref or pairs.get(done.pair_id).item_ref}."


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries that can go in one call: decisions in a row, the same about labels, each pair once."""
    group: list[Entry] = []
    for entry in entries:
        fits = group and (
            entry.action in DECISIONS
            and group[0].action in DECISIONS
            and entry.replaces_label == group[0].replaces_label
            and entry.pair_id not in {other.pair_id for other in group}
        )
        if group and not fits:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _entry(values: Mapping[str, object]) -> Entry | None:
    number, action, version = values.get("seq"), values.get("action"), values.get("row_version")
    if not isinstance(number, int) or not isinstance(version, int) or action not in ACTIONS:
        return None
    answer = values.get("answer")
    return Entry(
        number=number,
        action=str(action),
        pair_id=str(values.get("pair_id") or ""),
        row_version=version,
        answer=answer if isinstance(answer, str) else None,
        note=str(values.get("note") or ""),
        replaces_label=values.get("replace") is True,
    )
