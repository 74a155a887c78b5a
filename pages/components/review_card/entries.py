"""What a person did on the review card: read from the browser's log, carried out once, answered one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench_core.errors import WorkbenchError
from workbench_core.pairs import Decision, Pairs

ACTIONS = frozenset({"approve", "edit", "reject", "flag", "reopen", "undo"})


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
class Reply:
    """What became of an entry: nothing to say, or the reason why not. `focus` is a pair to show next."""

    number: int
    pair_id: str
    reason: str = ""
    focus: str = ""


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
            if group[0].action == "undo":
                replies.append(_undo(group[0], pairs, training_sheet_id, by=by))
            else:
                result = pairs.decide(
                    [entry.decision for entry in group], by=by, replace_labels=group[0].replaces_label
                )
                replies += [Reply(e.number, e.pair_id, result.refused.get(e.pair_id, "")) for e in group]
        except WorkbenchError as error:
            reason = " ".join(part for part in (error.message, error.hint) if part)
            replies += [Reply(entry.number, entry.pair_id, reason) for entry in group]
    return replies


def _undo(entry: Entry, pairs: Pairs, training_sheet_id: str, *, by: str) -> Reply:
    """Take back the latest decision, unless the pair is not what the person saw: then a repeated entry does no harm."""
    if entry.pair_id and pairs.get(entry.pair_id).row_version != entry.row_version:
        return Reply(entry.number, entry.pair_id, "This item changed since your decision.")
    undone = pairs.undo(training_sheet_id, by=by)
    if undone.pair_id == entry.pair_id or not entry.pair_id:
        return Reply(entry.number, entry.pair_id, focus=undone.pair_id)
    item_ref = pairs.get(undone.pair_id).item_ref
    return Reply(
        entry.number, entry.pair_id, f"Your latest decision was {undone.action} of item {item_ref}: that was undone."
    )


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries that can go in one call: decisions in a row, the same about labels, each pair once."""
    group: list[Entry] = []
    for entry in entries:
        fits = group and (
            entry.action != "undo"
            and group[0].action != "undo"
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
