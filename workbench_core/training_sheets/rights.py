"""Who may do what with a training sheet: the role decides, for some actions also who made or began it (2.5)."""

from __future__ import annotations

from collections.abc import Callable, Set

from workbench_core.errors import Invalid, NotPermitted
from workbench_core.permissions import Action, Permissions
from workbench_core.runs import Run
from workbench_core.training_sheets.model import TrainingSheet

STEERING = frozenset({"pause", "cancel", "resume"})
REVIEWED = frozenset({"close_review", "reject", "reopen"})
_PRODUCED = STEERING | {"append_new", "archive", "delete"}


class Rights:
    """Check persons; `run_of` gives the newest generation run of a training sheet."""

    def __init__(self, permissions: Permissions, run_of: Callable[[str], Run | None]) -> None:
        self._permissions = permissions
        self._run_of = run_of

    def refusal(self, training_sheet: TrainingSheet, action: str, *, by: str) -> str:
        """The sentence of the error that `check` raises; empty when the person may. Raises Invalid likewise."""
        try:
            self.check(training_sheet, action, by=by)
        except NotPermitted as refused:
            return refused.message
        return ""

    def check(self, training_sheet: TrainingSheet, action: str, *, by: str) -> None:
        """Raise NotPermitted unless this person may do it, whatever its status; Invalid for what is no action.

        A generation is steered by whoever began it, the owner and data stewards. The owner and data stewards archive,
        the owner and administrators delete. All else is a matter of the role alone.
        """
        if action not in REVIEWED | _PRODUCED:
            raise Invalid(f"A training sheet has no action “{action}”.", hint="See its buttons.")
        self._permissions.check(by, Action.REVIEW if action in REVIEWED else Action.GENERATE)
        if action == "delete":
            self._check_deletion(training_sheet, by=by)
        elif action == "archive":
            self._check_person(training_sheet, {training_sheet.created_by}, action, by=by)
        elif action in STEERING:
            run = self._run_of(training_sheet.id)
            starters = {training_sheet.created_by, *([run.started_by] if run else [])}
            self._check_person(training_sheet, starters, action, by=by)

    def _check_deletion(self, training_sheet: TrainingSheet, *, by: str) -> None:
        if by != training_sheet.created_by and not self._permissions.allows(by, Action.ADMINISTER):
            raise NotPermitted(
                f"Only {training_sheet.created_by} or an administrator may delete “{training_sheet.name}”.",
                hint="Archive it instead.",
            )

    def _check_person(self, training_sheet: TrainingSheet, owners: Set[str], action: str, *, by: str) -> None:
        if by not in owners and not self._permissions.allows(by, Action.GOVERN):
            raise NotPermitted(
                f"Only {', '.join(sorted(owners))} or a data steward may {action} “{training_sheet.name}”.",
                hint="Ask one of them to do it.",
            )
