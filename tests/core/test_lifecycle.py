"""A state machine as one table."""

from __future__ import annotations

import pytest

from workbench_core.errors import InvalidTransition
from workbench_core.lifecycle import Lifecycle

LIFE: Lifecycle[str] = Lifecycle(
    publish=({"draft"}, "active"), archive=({"draft", "active"}, "archived"), restore=({"archived"}, "draft")
)


def test_actions_come_in_the_order_of_the_table():
    assert LIFE.actions("draft") == ["publish", "archive"]
    assert LIFE.actions("archived") == ["restore"]


def test_a_refusal_names_the_state_and_what_is_possible():
    assert LIFE.next("draft", "publish") == "active"
    with pytest.raises(InvalidTransition, match="“Mails” is archived: it cannot publish") as caught:
        LIFE.next("archived", "publish", subject="“Mails”")
    assert caught.value.hint == "Possible now: restore."
