"""Why pairs of a training sheet cannot be decided now, in words for disabled buttons."""

from __future__ import annotations

from pages.components.rights import why_not
from workbench_core.permissions import Action
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus


def reason_locked(sheet: TrainingSheet, action: str = "approve") -> str:
    """Why this person may not do this with pairs of the training sheet; empty when they may."""
    if action == "set_usage":
        return why_not(Action.GOVERN)
    return why_not(Action.REVIEW) or reason_closed(sheet)


def reason_closed(sheet: TrainingSheet) -> str:
    """Why nobody decides about pairs now; empty while the review is open."""
    if sheet.status is TrainingSheetStatus.REVIEW:
        return ""
    hint = " Reopen it to change decisions." if "reopen" in sheet.actions else ""
    return f"The training sheet is {sheet.status}.{hint}"
