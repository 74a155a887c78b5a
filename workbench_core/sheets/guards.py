"""Who may move a sheet through its life, and what stands in the way."""

from __future__ import annotations

from workbench_core.errors import Conflict, NotPermitted
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store
from workbench_core.sheets import records
from workbench_core.sheets.model import Sheet

_OWNED = {  # what only the owner may do, or a person with this wider right (spec 2.1)
    "unpublish": Action.GOVERN,
    "archive": Action.GOVERN,
    "restore": Action.GOVERN,
    "delete": Action.ADMINISTER,
}


def check_person(permissions: Permissions, sheet: Sheet, action: str, *, by: str) -> None:
    """Raise NotPermitted unless role or ownership allow the action."""
    permissions.check(by, Action.ADMINISTER if action == "undelete" else Action.EDIT_SHEETS)
    wider = _OWNED.get(action)
    if wider is None or by == sheet.created_by or permissions.allows(by, wider):
        return
    others = "an administrator" if wider is Action.ADMINISTER else "a data steward"
    raise NotPermitted(
        f"Only {sheet.created_by} or {others} may {action} “{sheet.name}”.", hint="Ask one of them to do it."
    )


def check_free_for(store: Store, sheet: Sheet, action: str) -> None:
    """Raise Conflict when something stands in the way; call it inside the transaction."""
    if action == "delete" and (used := records.dependants(store, sheet.id)).total:
        raise Conflict(f"“{sheet.name}” is in use: {used.words()}.", hint="Archive it instead.")
    if action == "unpublish" and (busy := records.busy(store, sheet.id)):
        raise Conflict(f"“{sheet.name}” is in use: {', '.join(busy)}.", hint="Wait until that is done, or cancel it.")
