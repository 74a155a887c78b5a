"""Carrying decisions out: judge them on the present rows, write labels, pairs, reviews and steps together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from workbench_core.canonical_labels import CanonicalLabels, LabelEntry, LabelingMode, RecordResult
from workbench_core.clock import Clock
from workbench_core.errors import WorkbenchError
from workbench_core.pairs.decisions import Decision, DecisionResult, Outcome, check_open, judge
from workbench_core.pairs.drafts import Drafts
from workbench_core.pairs.model import PairChange, ResponseSource, ReviewStatus
from workbench_core.pairs.records import PairRecords
from workbench_core.pairs.steps import NewStep, ReviewSteps, new_step_id


@dataclass(slots=True)
class _Refused:
    """Why decisions were refused, and what somebody else had changed, by pair."""

    reasons: dict[str, str] = field(default_factory=dict)
    changes: dict[str, PairChange] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """A decision that would give an item another canonical label than it has: `answer` is what it has."""

    outcome: Outcome
    answer: str


class Deciding:
    """Carry out decisions inside a transaction of the caller, who has checked the role."""

    def __init__(
        self, records: PairRecords, labels: CanonicalLabels, steps: ReviewSteps, drafts: Drafts, clock: Clock
    ) -> None:
        self._records = records
        self._labels = labels
        self._steps = steps
        self._drafts = drafts
        self._clock = clock

    def decide(self, decisions: Sequence[Decision], *, by: str, replace_labels: bool) -> DecisionResult:
        """Do what can be done, each decision as a step of its own, and say why the rest is refused.

        Raises ChangedByOthers or AlreadyExists when another writer was faster: nothing is kept then, try again.
        """
        done: list[str] = []
        refused = _Refused()
        for turn in _turns(decisions):
            outcomes, conflicts = self.labelled(self._judged(turn, refused, by=by), by=by, replaces=replace_labels)
            for conflict in conflicts:
                pair = conflict.outcome.before
                refused.reasons[pair.id] = (
                    f"Item {pair.item_ref} conflicts with the existing canonical label “{conflict.answer[:80]}”."
                )
            self.write(outcomes, by=by, replaces=replace_labels)
            done += [outcome.before.id for outcome in outcomes]
        return DecisionResult(tuple(dict.fromkeys(done)), refused.reasons, refused.changes)

    def write(self, outcomes: Sequence[Outcome], *, by: str, replaces: bool = False) -> None:
        """Store outcomes, each as a step of its own; the person's drafts of these pairs are done with."""
        groups: dict[str, list[NewStep]] = defaultdict(list)
        step_ids = [new_step_id() for _ in outcomes]
        for outcome, step_id in zip(outcomes, step_ids, strict=True):
            groups[outcome.before.training_sheet_id].append(NewStep(step_id, outcome.action, replaces_labels=replaces))
        for training_sheet_id, steps in groups.items():
            self._steps.add(training_sheet_id, steps, by=by)
        self.write_in_step(outcomes, step_ids, by=by)

    def write_in_step(self, outcomes: Sequence[Outcome], step_ids: Sequence[str], *, by: str) -> None:
        """Store outcomes of steps that are recorded already."""
        self._records.write(outcomes, step_ids, by=by)
        self._drafts.forget([outcome.before.id for outcome in outcomes], by=by)

    def labelled(
        self, outcomes: Sequence[Outcome], *, by: str, replaces: bool
    ) -> tuple[list[Outcome], list[LabelConflict]]:
        """Record the canonical labels of approved and edited pairs; those in conflict fall out."""
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            if outcome.writes_label:
                groups[outcome.before.training_sheet_id].append(outcome)
        results = {sheet_id: self._record(group, by=by, replaces=replaces) for sheet_id, group in groups.items()}
        kept: list[Outcome] = []
        conflicts: list[LabelConflict] = []
        for outcome in outcomes:
            result = results.get(outcome.before.training_sheet_id)
            if result is None or not outcome.writes_label:
                kept.append(outcome)
            elif (answer := result.conflicts.get(outcome.after.item_ref)) is not None:
                conflicts.append(LabelConflict(outcome, answer))
            else:
                kept.append(_linked(outcome, result))
        return kept, conflicts

    def with_sources(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Outcomes of which the reopened ones have the source back that their answer had before its approval."""
        reopened = [outcome.before.id for outcome in outcomes if outcome.action == "reopen"]
        sources = self._records.sources_before(reopened)
        return [_with_source(outcome, sources) for outcome in outcomes]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _judged(self, turn: Sequence[Decision], refused: _Refused, *, by: str) -> list[Outcome]:
        """What each decision makes of its pair, but for those that are refused. No pair appears twice."""
        pairs = self._records.to_decide([decision.pair_id for decision in turn])
        origins = self._records.origins(list(pairs.values()))
        seen = {d.pair_id: d.row_version for d in turn if d.pair_id in pairs}
        stale = {pair_id: version for pair_id, version in seen.items() if pairs[pair_id].row_version != version}
        refused.changes |= self._records.changes_since(stale)
        start, outcomes = self._clock(), []
        for number, decision in enumerate(turn):
            pair = pairs.get(decision.pair_id)
            if pair is None:
                refused.reasons[decision.pair_id] = "This pair no longer exists."
            elif pair.id in stale:
                change = refused.changes.get(pair.id)
                who = change.by if change else "somebody else"
                refused.reasons[pair.id] = f"Item {pair.item_ref} was just changed by {who}."
            else:
                origin = origins[pair.training_sheet_id]
                now = start + timedelta(microseconds=number)  # keeps the order of one batch
                try:
                    check_open(origin.name, origin.status)
                    outcomes.append(judge(pair, decision, origin.template, by=by, now=now))
                except WorkbenchError as error:
                    refused.reasons[pair.id] = error.message
        return self.with_sources(outcomes)

    def _record(self, outcomes: Sequence[Outcome], *, by: str, replaces: bool) -> RecordResult:
        origin = next(iter(self._records.origins([outcomes[0].before]).values()))
        return self._labels.record(
            [LabelEntry(outcome.after.item_ref, outcome.after.answer, outcome.after.usage) for outcome in outcomes],
            sheet_id=origin.sheet_id,
            label_type=origin.label_type,
            mode=LabelingMode.DURING_REVIEW,
            training_sheet_id=origin.id,
            prompt_template_id=origin.prompt_template_id,
            by=by,
            replace=replaces,
        )


def _turns(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """Split decisions so that no pair appears twice in one turn; nearly always there is one turn."""
    turns: list[list[Decision]] = []
    seen: dict[str, int] = defaultdict(int)
    for decision in decisions:
        number = seen[decision.pair_id]
        if number == len(turns):
            turns.append([])
        turns[number].append(decision)
        seen[decision.pair_id] += 1
    return turns


def _with_source(outcome: Outcome, sources: Mapping[str, ResponseSource]) -> Outcome:
    """A reopened answer is no longer verified: it is what it was before, or a person's own."""
    if outcome.action != "reopen" or outcome.before.response_source is not ResponseSource.HUMAN_VERIFIED:
        return outcome
    unchanged = outcome.before.review_status is not ReviewStatus.EDITED
    source = sources.get(outcome.before.id) if unchanged else None
    return replace(outcome, after=replace(outcome.after, response_source=source or ResponseSource.HUMAN_LABELED))


def _linked(outcome: Outcome, result: RecordResult) -> Outcome:
    item_ref = outcome.after.item_ref
    wrote = item_ref in result.created or item_ref in result.updated
    return replace(
        outcome,
        after=replace(outcome.after, canonical_label_id=result.ids[item_ref]),
        label_version=result.versions[item_ref] if wrote else None,
    )
