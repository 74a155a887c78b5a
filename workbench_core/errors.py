"""Every error a person can meet: a sentence that says what happened, and a hint that says what to do next."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of all expected errors. `message` is a sentence for the person, `hint` the next step (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Invalid(WorkbenchError):
    """The input cannot be accepted as it is."""


class NotFound(WorkbenchError):
    """The named thing does not exist, or no longer exists."""


class NotPermitted(WorkbenchError):
    """The person's role does not include this action."""


class Conflict(WorkbenchError):
    """The action does not fit the present state."""


class InvalidTransition(Conflict):
    """The state machine does not allow this action now."""


class ChangedByOthers(Conflict):
    """Somebody else changed the record since it was read."""


class AlreadyExists(Conflict):
    """A record with this key exists already."""


class Stopped(WorkbenchError):
    """The person, or the end of the process, stopped work that was under way."""


class NotSupported(WorkbenchError):
    """This backend or installation cannot do this."""


class BackendError(WorkbenchError):
    """Something outside the workbench failed."""


class Unavailable(BackendError):
    """The other side cannot be reached or is not ready."""


class TimedOut(BackendError):
    """The other side did not answer in time."""


class NotAuthorized(BackendError):
    """The other side refused our credentials."""
