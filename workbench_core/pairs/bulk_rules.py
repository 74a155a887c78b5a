"""The rules of bulk decisions: why a pair is left as it is, in the same sentences for preview and result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from workbench_core import usage
from workbench_core.canonical_labels import checked_rules
from workbench_core.errors import Invalid
from workbench_core.metrics import AnswerKind
from workbench_core.pairs.answers import check_answer
from workbench_core.pairs.bulk import BULK_ACTIONS, BulkAction, Selection
from workbench_core.pairs.decisions import LIFECYCLE, SET_FLAGS, Decision
from workbench_core.pairs.filters import PairFilter
from workbench_core.pairs.model import Pair, QualityFlag, ResponseSource, ReviewStatus
from workbench_core.permissions import Action
from workbench_core.ports import Json
from workbench_core.prompt_templates import TemplateSnapshot
from workbench_core.usage import Use

SET_USAGE = "set_usage"
GONE = "The pair no longer exists."
CHANGED = "The pair was changed meanwhile."
EMPTY = "The answer is empty."
NO_CLASS = "The answer is none of the classes."
OTHER_LABEL = "The item has another canonical label."
SAME_FLAGS = "The pair has these quality flags already."
SAME_USAGE = "The pair has these usage rules already."
_DONE_WORDS = {"approve": "approved", "reject": "rejected", "flag": "flagged", "reopen": "reopened"}


def needed_right(action: str) -> Action:
    """What a person must be allowed to do for a step of this action, its undoing included."""
    return {"save": Action.ANSWER, SET_USAGE: Action.GOVERN}.get(action, Action.REVIEW)


def checked_action(action: BulkAction) -> BulkAction:
    """The action as it is carried out. Raises Invalid: unknown, a flag without a reason, usage rules that overlap."""
    if action.action not in BULK_ACTIONS:
        raise Invalid(f"There is no bulk action “{action.action}”.", hint=f"Actions: {', '.join(BULK_ACTIONS)}.")
    if action.action == "flag" and not action.note.strip():
        raise Invalid("A flag needs a reason.", hint="Say what needs a second look.")
    if action.action == SET_USAGE:
        if action.rules is None:
            raise Invalid("The usage rules are missing.", hint="Choose what the pairs may be used for.")
        return replace(action, rules=checked_rules(action.rules))
    return action


def status_refusal(action: BulkAction, status: ReviewStatus) -> str:
    """Why pairs of a status are left as they are; empty when the action is possible."""
    if action.action in {SET_FLAGS, SET_USAGE}:
        return ""
    allowed, leads_to = LIFECYCLE.table[action.action]
    if status in allowed:
        return ""
    if status is leads_to:
        return f"The pair is {status} already."
    return f"The pair is {status} and cannot be {_DONE_WORDS[action.action]}."


def answer_refusal(answer: str, template: TemplateSnapshot) -> str:
    """Why an answer cannot be approved; empty when it can."""
    if not answer.strip():
        return EMPTY
    verdict = check_answer(template, answer)
    return NO_CLASS if template.answer_kind is AnswerKind.LABEL and verdict.note else ""


def refusal_of(pair: Pair, action: BulkAction, template: TemplateSnapshot, *, as_of: datetime | None) -> str:
    """Why a pair is left as it is, canonical labels apart; empty when the action changes it."""
    if as_of is not None and pair.updated_at > as_of:
        return CHANGED
    if action.action == SET_USAGE:
        return SAME_USAGE if pair.usage == action.rules else ""
    if action.action == SET_FLAGS:
        return SAME_FLAGS if set(pair.quality_flags) == set(action.flags) else ""
    refusal = status_refusal(action, pair.review_status)
    if not refusal and action.action == "approve":
        return answer_refusal(pair.answer, template)
    return refusal


def decision_of(pair: Pair, action: BulkAction) -> Decision:
    """The single decision that a bulk action is for one pair."""
    flags: tuple[QualityFlag, ...] | None = None
    if action.action == SET_FLAGS:
        flags = action.flags
    elif action.action == "flag" and action.flags:
        flags = (*pair.quality_flags, *action.flags)
    return Decision(pair.id, action.action, pair.row_version, note=action.note, flags=flags)


# --- a request as a step keeps it ------------------------------------------------------------------------------------


def kept_request(selection: Selection, action: BulkAction, *, until: int) -> dict[str, Json]:
    """A selection and an action as JSON; `until` is the last position of the training sheet."""
    wanted = selection.wanted
    return {
        "pair_ids": list(selection.pair_ids),
        "wanted": None if wanted is None else _kept_filter(wanted),
        "as_of": selection.as_of.isoformat() if selection.as_of else None,
        "until": until,
        "note": action.note,
        "flags": [flag.value for flag in action.flags],
        "rules": None if action.rules is None else dict(action.rules.columns()),
        "replace_labels": action.replace_labels,
    }


def read_request(training_sheet_id: str, action: str, kept: Mapping[str, Any]) -> tuple[Selection, BulkAction]:
    """The selection and the action of a step."""
    selection = Selection(
        training_sheet_id,
        tuple(kept["pair_ids"]),
        None if kept["wanted"] is None else _read_filter(kept["wanted"]),
        datetime.fromisoformat(kept["as_of"]) if kept["as_of"] else None,
    )
    rules = None if kept["rules"] is None else usage.from_row(kept["rules"])
    flags = tuple(QualityFlag(flag) for flag in kept["flags"])
    return selection, BulkAction(action, kept["note"], flags, rules, kept["replace_labels"])


_FILTER_READERS: Mapping[str, Callable[[Any], Any]] = {
    "statuses": lambda kept: tuple(ReviewStatus(value) for value in kept),
    "sources": lambda kept: tuple(ResponseSource(value) for value in kept),
    "flags": lambda kept: tuple(QualityFlag(value) for value in kept),
    "eligible_for": Use,
    "not_eligible_for": Use,
    "changed_since": datetime.fromisoformat,
}


def _kept_filter(wanted: PairFilter) -> dict[str, Json]:
    """The parts of a filter that restrict."""
    kept: dict[str, Json] = {}
    for name in PairFilter.__dataclass_fields__:
        value = getattr(wanted, name)
        if value is None or value in {(), ""}:
            continue
        kept[name] = (
            [entry.value for entry in value]
            if isinstance(value, tuple)
            else value.isoformat() if isinstance(value, datetime) else value
        )  # fmt: skip
    return kept


def _read_filter(kept: Mapping[str, Any]) -> PairFilter:
    return PairFilter(**{name: _FILTER_READERS.get(name, lambda value: value)(value) for name, value in kept.items()})
