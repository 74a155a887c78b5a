"""A state machine as one table: action = (allowed from, leads to)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from workbench_core.errors import InvalidTransition

Status = TypeVar("Status", bound=str)


class Lifecycle(Generic[Status]):
    """The actions of one kind of record. Buttons, refusals and tests all come from this table.

    >>> LIFE = Lifecycle(publish=({"draft"}, "active"))
    >>> LIFE.next("draft", "publish")
    'active'
    """

    def __init__(self, **actions: tuple[Collection[Status], Status]) -> None:
        self._actions: Mapping[str, tuple[Collection[Status], Status]] = actions

    @property
    def table(self) -> Mapping[str, tuple[Collection[Status], Status]]:
        """The whole table, for tests and documentation."""
        return self._actions

    def actions(self, status: Status) -> list[str]:
        """Name the actions that are possible from `status`, in the order of the table."""
        return [name for name, (allowed, _) in self._actions.items() if status in allowed]

    def next(self, status: Status, action: str, *, subject: str = "This record") -> Status:
        """Give the status that `action` leads to. Raises InvalidTransition when not allowed from `status`."""
        allowed, leads_to = self._actions[action]
        if status not in allowed:
            possible = ", ".join(self.actions(status)) or "none"
            raise InvalidTransition(
                f"{subject} is {status}: it cannot {action.replace('_', ' ')}.",
                hint=f"Possible now: {possible.replace('_', ' ')}.",
            )
        return leads_to
