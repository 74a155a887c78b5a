"""Roles, what each may do, and the check that every command makes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import Conflict, Invalid, NotPermitted
from workbench_core.history import History
from workbench_core.ports import Store


class Role(StrEnum):
    """What a person is in the workbench."""

    ADMIN = "admin"
    DATA_STEWARD = "data_steward"
    DATA_PRODUCER = "data_producer"
    ML_OPERATOR = "ml_operator"
    REVIEWER = "reviewer"
    LABELER = "labeler"
    DATA_CONSUMER = "data_consumer"


class Action(StrEnum):
    """What a command does, in words that complete “may not …”."""

    EDIT_SHEETS = "edit sheets"
    MANAGE_QUALITY = "manage data quality"
    EDIT_TEMPLATES = "edit templates"
    PUBLISH_TEMPLATES = "publish templates"
    EDIT_LABEL_SETS = "edit label sets"
    PUBLISH_LABEL_SETS = "publish or archive label sets"
    GENERATE = "generate training sheets"
    ANSWER = "answer pairs"
    REVIEW = "review pairs"
    GOVERN = "change usage rules"
    EXPORT = "export training sheets"
    TRAIN = "train models"
    DEPLOY = "deploy models"
    DELETE_ENDPOINTS = "stop endpoints"
    QUERY = "ask endpoints"
    GIVE_FEEDBACK = "give feedback"
    MONITOR = "manage alerts"
    IMPROVE = "manage gaps"
    ADMINISTER = "change settings"


_CONSUMER = {Action.QUERY, Action.GIVE_FEEDBACK}
_LABELER = {Action.ANSWER, Action.GIVE_FEEDBACK}
_REVIEWER = _LABELER | {Action.REVIEW}
_OPERATOR = _CONSUMER | {Action.TRAIN, Action.DEPLOY, Action.DELETE_ENDPOINTS, Action.MONITOR, Action.IMPROVE}
_PRODUCER = _CONSUMER | {
    Action.EDIT_SHEETS,
    Action.MANAGE_QUALITY,
    Action.EDIT_TEMPLATES,
    Action.EDIT_LABEL_SETS,
    Action.GENERATE,
    Action.ANSWER,
    Action.EXPORT,
    Action.TRAIN,
    Action.DEPLOY,
    Action.MONITOR,
    Action.IMPROVE,
}
_STEWARD = _PRODUCER | _REVIEWER | {Action.PUBLISH_TEMPLATES, Action.PUBLISH_LABEL_SETS, Action.GOVERN}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.DATA_STEWARD: frozenset(_STEWARD),
    Role.DATA_PRODUCER: frozenset(_PRODUCER),
    Role.ML_OPERATOR: frozenset(_OPERATOR),
    Role.REVIEWER: frozenset(_REVIEWER),
    Role.LABELER: frozenset(_LABELER),
    Role.DATA_CONSUMER: frozenset(_CONSUMER),
}


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """The role of one person."""

    email: str
    role: Role
    assigned_by: str
    assigned_at: datetime


class Permissions:
    """Know each person's role; refuse what the role does not include."""

    def __init__(self, store: Store, history: History, clock: Clock, *, default_role: str) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._default_role = _role(default_role)

    def role_of(self, person: str) -> Role:
        """The role of a person; the default role without an assignment."""
        found = self._store.query("SELECT role FROM role_assignments WHERE email = :email", email=person)
        return Role(rows.text(found[0], "role")) if found else self._default_role

    def allows(self, person: str, action: Action) -> bool:
        """Whether the person may do this; pages use it to hide buttons."""
        return bool(person) and action in ALLOWED[self.role_of(person)]

    def check(self, person: str, action: Action) -> None:
        """Raise NotPermitted unless the person may do this. Every command calls it first."""
        if not person:
            raise NotPermitted("Nobody is signed in.", hint="Sign in and try again.")
        role = self.role_of(person)
        if action not in ALLOWED[role]:
            able = ", ".join(name.replace("_", " ") for name, allowed in ALLOWED.items() if action in allowed)
            raise NotPermitted(
                f"Your role, {role.replace('_', ' ')}, may not {action}.", hint=f"Roles that may: {able}."
            )

    def assign(self, email: str, role: str, *, by: str) -> RoleAssignment:
        """Give a person a role, replacing the former one. Raises Conflict when no administrator would be left."""
        self.check(by, Action.ADMINISTER)
        if not email.strip():
            raise Invalid("The person is missing.", hint="Enter an e-mail address.")
        assignment = RoleAssignment(email.strip(), _role(role), by, self._clock())
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO role_assignments (email, role, assigned_by, assigned_at) "
                "VALUES (:email, :role, :by, :assigned_at) ON CONFLICT (email) DO UPDATE SET "
                "role = excluded.role, assigned_by = excluded.assigned_by, assigned_at = excluded.assigned_at",
                touches="role_assignments",
                email=assignment.email,
                role=assignment.role,
                by=by,
                assigned_at=assignment.assigned_at,
            )
            self._check_admin_left()
            self._history.add("person", assignment.email, "assign role", by=by, role=assignment.role)
        return assignment

    def assignments(self) -> list[RoleAssignment]:
        """Everybody with a role of their own, by e-mail."""
        found = self._store.query("SELECT email, role, assigned_by, assigned_at FROM role_assignments ORDER BY email")
        return [
            RoleAssignment(
                email=rows.text(row, "email"),
                role=Role(rows.text(row, "role")),
                assigned_by=rows.text(row, "assigned_by"),
                assigned_at=rows.time(row, "assigned_at"),
            )
            for row in found
        ]

    def _check_admin_left(self) -> None:
        if self._default_role is Role.ADMIN:
            return
        found = self._store.query("SELECT COUNT(*) AS admins FROM role_assignments WHERE role = :role", role=Role.ADMIN)
        if not found[0]["admins"]:
            raise Conflict("This is the last administrator.", hint="Make somebody else an administrator first.")


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise Invalid(f"There is no role “{name}”.", hint=f"Roles: {', '.join(Role)}.") from None
