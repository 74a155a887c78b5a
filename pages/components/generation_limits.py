"""A limit that is used up, and the fields that raise or lift it, at the button that goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import streamlit as st

from pages.components.generation_answers import budget_field, calls_field
from pages.components.generation_words import money
from pages.components.words import plain
from workbench_core.training_sheets import Spending

_HIGHER, _NONE = "A higher limit", "No limit"


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A limit that leaves no room for one more call: which it is, what was spent, and what was allowed.

    `growth` is by how much the spending so far grows until the end, with a tenth in reserve; None when nobody knows.
    """

    limit: str
    spent: Spending
    budget: float | None
    call_limit: int | None
    growth: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How far it may go in all from now on; 0 lifts a limit, None leaves it as it is."""

    budget: float | None
    call_limit: int | None

    def words(self, currency: str) -> str:
        """The limits as the end of a sentence: “up to 0.66 USD and 80 calls”."""
        parts = [money(self.budget, currency)] if self.budget else []
        if self.call_limit:
            parts.append(f"{self.call_limit:,} {'call' if self.call_limit == 1 else 'calls'}")
        return f"up to {' and '.join(parts)}" if parts else "without a limit"


def choose_limits(used_up: UsedUp, *, key: str) -> Limits:
    """Ask how far it may go in all: the fields of the limits that there are, or none."""
    st.caption(f"{plain(used_up.limit)} is used up. Say how far it may go in all.{_to_the_end(used_up)}")
    kind = st.segmented_control(
        "How far", [_HIGHER, _NONE], default=_HIGHER, required=True, key=f"{key}_kind", label_visibility="collapsed"
    )
    spent, budget, calls = used_up.spent, used_up.budget, used_up.call_limit
    if kind == _NONE:
        return Limits(None if budget is None else 0, None if calls is None else 0)
    # the fields begin low, so that no click spends much more than was allowed before
    growth = min(2.0, used_up.growth or 2.0)
    if budget is not None:
        start = round(growth * max(budget, spent.cost), 4)
        budget = budget_field(spent.currency, key=f"{key}_budget", least=_above(spent.cost), start=start)
    if calls is not None:
        start_calls = max(calls + 1, math.ceil(growth * spent.calls))
        calls = calls_field(key=f"{key}_calls", least=spent.calls + 1, start=start_calls)
    return Limits(budget, calls)


def _to_the_end(used_up: UsedUp) -> str:
    """What all of it would take."""
    if used_up.growth is None:
        return ""
    parts = []
    if used_up.budget is not None:
        parts.append(money(used_up.growth * used_up.spent.cost, used_up.spent.currency))
    if used_up.call_limit is not None:
        parts.append(f"{math.ceil(used_up.growth * used_up.spent.calls):,} calls")
    return f" To the end it takes about {plain(' and '.join(parts))}."


def _above(amount: float) -> float:
    """The next amount with four digits above this one."""
    return round(amount + 0.0001, 4)
