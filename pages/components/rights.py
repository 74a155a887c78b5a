"""What the signed-in person may not do, in words for a disabled button."""

from __future__ import annotations

from pages.components.identity import current_user
from workbench_core import cached
from workbench_core.permissions import Action


def why_not(action: Action) -> str:
    """Why the person may not do this; empty when they may. The service checks again."""
    permissions, person = cached.workbench().permissions, current_user()
    if permissions.allows(person, action):
        return ""
    if not person:
        return "Nobody is signed in."
    return f"Your role, {permissions.role_of(person).replace('_', ' ')}, may not {action}."
