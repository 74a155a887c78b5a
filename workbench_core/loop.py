"""The loop at a glance: how far each of the seven stages is, what waits for a person, and the one next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from workbench_core import rows
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store
from workbench_core.runs import Run, Runs


class StageState(StrEnum):
    """What a stage is doing: nothing yet, ready for use, working by itself, or waiting for a person."""

    EMPTY = "empty"
    READY = "ready"
    WORKING = "working"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person can do now: its words, and where (a page name and what stands in its address)."""

    title: str
    sentence: str
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its number in the loop, its page, the number that says most, and a sentence on what is there."""

    number: int
    page: str
    title: str
    state: StageState
    count: int
    unit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LoopOverview:
    """Mission control for one person. `next_step` is empty only when nothing can be done with the person's role."""

    stages: tuple[Stage, ...]
    waiting: tuple[Step, ...]
    next_step: Step | None
    running: tuple[Run, ...]
    is_empty: bool


_COUNTS: Mapping[str, str] = {
    "sheets": "sheets WHERE status IN ('draft', 'active')",
    "active_sheets": "sheets WHERE status = 'active'",
    "templates": "prompt_templates WHERE status = 'published'",
    "training_sheets": "training_sheets WHERE status NOT IN ('archived', 'rejected')",
    "generating": "training_sheets WHERE status = 'generating'",
    "failed_generations": "training_sheets WHERE status = 'failed'",
    "in_review": "training_sheets WHERE status = 'review'",
    "approved_sheets": "training_sheets WHERE status = 'approved'",
    "labels": "canonical_labels",
    "active_jobs": "training_jobs WHERE status IN ('pending', 'queued', 'running')",
    "versions": "model_versions",
    "endpoints": "endpoints WHERE status IN ('ready', 'updating', 'creating')",
    "broken_endpoints": "endpoints WHERE status = 'failed'",
    "rules": "alert_rules WHERE is_enabled = TRUE",
    "incidents": "incidents WHERE status = 'open'",
    "acknowledged": "incidents WHERE status = 'acknowledged'",
    "feedback": "feedback WHERE status = 'new'",
    "open_gaps": "gaps WHERE status IN ('identified', 'task_created', 'in_progress')",
    "gaps_without_task": "gaps WHERE status = 'identified'",
    "closed_gaps": "gaps WHERE status = 'resolved'",
    "open_tasks": "labeling_tasks WHERE status NOT IN ('completed', 'cancelled')",
}
_REVIEWING = (
    "SELECT training_sheets.id AS id, training_sheets.name AS name, "
    "SUM(CASE WHEN pairs.review_status = 'pending' THEN 1 ELSE 0 END) AS pending, "
    "SUM(CASE WHEN pairs.review_status = 'flagged' THEN 1 ELSE 0 END) AS flagged "
    "FROM training_sheets LEFT JOIN pairs ON pairs.training_sheet_id = training_sheets.id "
    "WHERE training_sheets.status = 'review' GROUP BY training_sheets.id, training_sheets.name "
    "ORDER BY pending DESC, training_sheets.id"
)
_NEXT = (
    "SELECT (SELECT id FROM training_sheets WHERE status = 'approved' ORDER BY updated_at DESC, id LIMIT 1) "
    "AS approved, "
    "(SELECT COUNT(*) FROM model_versions WHERE model_name NOT IN (SELECT model_name FROM endpoints "
    "WHERE status <> 'stopped')) AS undeployed, "
    "(SELECT COUNT(*) FROM labeling_tasks WHERE assigned_to = :by "
    "AND status IN ('assigned', 'in_progress')) AS my_tasks"
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything the overview is made of."""

    counts: Mapping[str, int]
    reviewing: tuple[tuple[str, str, int, int], ...]  # training sheet id, name, pending, flagged; most pending first
    approved: str
    undeployed: int
    my_tasks: int

    @property
    def pending(self) -> int:
        return sum(entry[2] for entry in self.reviewing)

    @property
    def flagged(self) -> int:
        return sum(entry[3] for entry in self.reviewing)


class Loop:
    """Look at all stages at once."""

    def __init__(self, store: Store, runs: Runs, permissions: Permissions) -> None:
        self._store = store
        self._runs = runs
        self._permissions = permissions

    def overview(self, by: str) -> LoopOverview:
        """Where the loop stands for this person, from three aggregate statements and the list of active runs."""
        facts = self._facts(by)
        steps = (step for action, step in _steps(facts) if self._permissions.allows(by, action))
        return LoopOverview(
            stages=_stages(facts),
            waiting=_waiting(facts),
            next_step=next(steps, None),
            running=tuple(self._runs.find(active_only=True, limit=10)),
            is_empty=not any(facts.counts[name] for name in ("sheets", "templates", "training_sheets", "versions")),
        )

    def _facts(self, by: str) -> _Facts:
        selects = ", ".join(f"(SELECT COUNT(*) FROM {source}) AS {name}" for name, source in _COUNTS.items())
        counts = self._store.query(f"SELECT {selects}")[0]
        more = self._store.query(_NEXT, by=by)[0]
        return _Facts(
            counts={name: rows.whole(counts, name) for name in _COUNTS},
            reviewing=tuple(
                (rows.text(row, "id"), rows.text(row, "name"), rows.whole(row, "pending"), rows.whole(row, "flagged"))
                for row in self._store.query(_REVIEWING)
            ),
            approved=rows.text(more, "approved"),
            undeployed=rows.whole(more, "undeployed"),
            my_tasks=rows.whole(more, "my_tasks"),
        )


def _stages(facts: _Facts) -> tuple[Stage, ...]:
    n = facts.counts
    return (
        Stage(
            1,
            "data",
            "Data",
            _state(n["sheets"]),
            n["sheets"],
            "sheets",
            f"{n['active_sheets']:,} published" if n["sheets"] else "Point at a table or a folder of pictures",
        ),
        Stage(
            2,
            "generate",
            "Generate",
            _state(n["training_sheets"], n["generating"], n["failed_generations"]),
            n["training_sheets"],
            "training sheets",
            _generate_sentence(facts),
        ),
        Stage(
            3,
            "label",
            "Label",
            _state(n["labels"] + n["in_review"], 0, facts.pending + facts.flagged),
            n["labels"],
            "canonical labels",
            _label_sentence(facts),
        ),
        Stage(
            4,
            "train",
            "Train",
            _state(n["versions"], n["active_jobs"], n["approved_sheets"]),
            n["versions"],
            "model versions",
            _train_sentence(facts),
        ),
        Stage(
            5,
            "deploy",
            "Deploy",
            _state(n["endpoints"], 0, n["broken_endpoints"] + facts.undeployed),
            n["endpoints"],
            "endpoints",
            _deploy_sentence(facts),
        ),
        Stage(
            6,
            "monitor",
            "Monitor",
            _state(n["rules"], 0, n["incidents"]),
            n["incidents"] + n["acknowledged"],
            "open incidents",
            _monitor_sentence(facts),
        ),
        Stage(
            7,
            "improve",
            "Improve",
            _state(n["open_gaps"] + n["closed_gaps"], 0, n["gaps_without_task"] + n["feedback"]),
            n["open_gaps"],
            "open gaps",
            _improve_sentence(facts),
        ),
    )


def _state(there: int, working: int = 0, waiting: int = 0) -> StageState:
    if working:
        return StageState.WORKING
    if waiting:
        return StageState.WAITING
    return StageState.READY if there else StageState.EMPTY


def _generate_sentence(facts: _Facts) -> str:
    n = facts.counts
    if n["generating"]:
        return f"{n['generating']:,} generating now"
    if n["failed_generations"]:
        return f"{n['failed_generations']:,} stopped before the end"
    return f"{n['templates']:,} published templates" if n["templates"] else "Publish a prompt template first"


def _label_sentence(facts: _Facts) -> str:
    if facts.pending:
        return f"{facts.pending:,} pairs wait for review"
    if facts.flagged:
        return f"{facts.flagged:,} flagged pairs"
    return "Everything is reviewed" if facts.counts["labels"] else "Approve pairs; each gives a label"


def _train_sentence(facts: _Facts) -> str:
    n = facts.counts
    if n["active_jobs"]:
        return f"{n['active_jobs']:,} in training"
    if n["approved_sheets"]:
        return f"{n['approved_sheets']:,} approved sheets to train on"
    return "Train on the labelled pairs" if not n["versions"] else "Every approved sheet was trained on"


def _deploy_sentence(facts: _Facts) -> str:
    n = facts.counts
    if n["broken_endpoints"]:
        return f"{n['broken_endpoints']:,} failed"
    if facts.undeployed:
        return f"{facts.undeployed:,} versions of models without an endpoint"
    return "All models are served" if n["endpoints"] else "Serve a version behind a stable name"


def _monitor_sentence(facts: _Facts) -> str:
    n = facts.counts
    if n["incidents"]:
        return f"{n['incidents']:,} nobody has acknowledged"
    if not n["rules"]:
        return "No alert rule watches yet"
    return "1 alert rule watches" if n["rules"] == 1 else f"{n['rules']:,} alert rules watch"


def _improve_sentence(facts: _Facts) -> str:
    n = facts.counts
    if n["gaps_without_task"]:
        return f"{n['gaps_without_task']:,} without a labelling task"
    if n["feedback"]:
        return f"{n['feedback']:,} pieces of feedback to look at"
    return f"{n['closed_gaps']:,} closed so far" if n["closed_gaps"] else "Feedback and errors show the gaps"


def _waiting(facts: _Facts) -> tuple[Step, ...]:
    """Everything that waits for a person, in the order of its urgency."""
    n = facts.counts
    review = {"sheet": facts.reviewing[0][0]} if facts.reviewing else {}
    flagged = {"sheet": max(facts.reviewing, key=lambda entry: entry[3])[0], "show": "flagged"} if facts.flagged else {}
    found = (
        Step(
            "Open incidents", "An alert rule is breached and nobody has acknowledged it", "monitor", {}, n["incidents"]
        ),
        Step("Pairs to review", "Answers that nobody has approved yet", "label", review, facts.pending),
        Step("Flagged pairs", "Somebody asked for a second look", "label", flagged, facts.flagged),
        Step("My labelling tasks", "Assigned to you and not finished", "improve", {"view": "tasks"}, facts.my_tasks),
        Step("Gaps without a task", "Weaknesses that nobody works on", "improve", {}, n["gaps_without_task"]),
        Step("New feedback", "What people said about answers", "improve", {"view": "feedback"}, n["feedback"]),
        Step("Failed endpoints", "They do not answer", "deploy", {}, n["broken_endpoints"]),
        Step("Stopped generations", "They can be resumed where they stood", "generate", {}, n["failed_generations"]),
    )
    return tuple(step for step in found if step.count)


def _steps(facts: _Facts) -> list[tuple[Action, Step]]:
    """The steps that make sense now, the most useful first, each with the action that a role needs for it."""
    n, reviewing = facts.counts, facts.reviewing
    sheet_id, name, pending, flagged = reviewing[0] if reviewing else ("", "", 0, 0)
    undecided = f"{pending + flagged:,} pairs are undecided" if pending + flagged else "All its pairs are decided"
    found: list[tuple[bool, Action, Step]] = [
        (n["incidents"] > 0, Action.MONITOR, Step("Look at the incident", "An alert rule is breached.", "monitor")),
        (
            pending > 0,
            Action.REVIEW,
            Step(f"Review {pending:,} pairs", f"“{name}” waits for you.", "label", {"sheet": sheet_id}),
        ),
        (
            bool(sheet_id) and not pending,
            Action.REVIEW,
            Step("Close the review", f"“{name}”: {undecided}.", "label", {"sheet": sheet_id}),
        ),
        (
            bool(facts.approved),
            Action.TRAIN,
            Step("Train a model", "A reviewed training sheet is ready.", "train", {"training_sheet": facts.approved}),
        ),
        (
            facts.undeployed > 0,
            Action.DEPLOY,
            Step("Deploy the model", "A trained version has no endpoint yet.", "deploy"),
        ),
        (
            n["gaps_without_task"] > 0,
            Action.IMPROVE,
            Step("Work on a gap", "A weakness of a model has no labelling task yet.", "improve"),
        ),
        (
            not n["sheets"],
            Action.EDIT_SHEETS,
            Step("Make a sheet", "Point at a table or a folder of pictures.", "data"),
        ),
        (
            not n["active_sheets"],
            Action.EDIT_SHEETS,
            Step("Publish the sheet", "Only published sheets can be generated from.", "data"),
        ),
        (
            not n["templates"],
            Action.EDIT_TEMPLATES,
            Step("Write a prompt template", "It turns rows into questions.", "prompt_templates"),
        ),
        (
            not n["training_sheets"],
            Action.GENERATE,
            Step("Generate pairs", "Apply the template to the sheet.", "generate"),
        ),
        (n["endpoints"] > 0, Action.IMPROVE, Step("Look for gaps", "See where the model is weak.", "improve")),
        (n["endpoints"] > 0, Action.QUERY, Step("Ask the model", "Try it, and say what is wrong.", "deploy")),
    ]
    return [(action, step) for applies, action, step in found if applies]
