"""What the lake says about a choice while it is made: a unique identifier, items found again, what a filter keeps."""

from __future__ import annotations

import streamlit as st

from pages.components.errors import guard
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.sheets import SheetDraft, Source


def identifier_verdict(source: Source, column: str) -> bool:
    """Say whether a column tells every row from every other one (INV-3); give whether it does."""
    is_unique = False
    with guard():
        is_unique, words = _identifier_words(source, column)
        st.caption(words)
    return is_unique


def _identifier_words(source: Source, column: str) -> tuple[bool, str]:
    if not column:
        return False, ":red[:material/error:] The sheet has no identifier. Choose a column of its primary source."
    check = cached.identifier_check(source, column)
    if check.is_valid:
        ok = ":green[:material/check_circle:]"
        return True, f"{ok} {plain(column)} is unique and never empty in all {check.rows:,} rows."
    faults = [
        f"empty in {check.nulls:,} rows" if check.nulls else "",
        f"repeats itself in {check.duplicates:,} rows" if check.duplicates else "",
    ]
    reason = " and ".join(fault for fault in faults if fault) or "the source has no rows"
    return False, f":red[:material/error:] {plain(column)}: {reason}. Labels need an identifier that is unique."


def items_verdict(sheet_id: str, draft: SheetDraft) -> None:
    """Say how many labelled items of a sheet are found again with another source or identifier (SH-4)."""
    with guard():
        stake = cached.sheet_stake(sheet_id, draft)
        if stake is None:
            return
        if not stake.labelled:
            words = f"{stake.used.words()} refer to the present items and stay as they are."
            st.caption(f":orange[:material/warning:] {plain(words)}")
            return
        is_all = stake.found == stake.labelled
        mark = ":green[:material/check_circle:]" if is_all else ":orange[:material/warning:]"
        rest = "" if is_all else " Labels of the others stay and count again when their items come back."
        st.caption(f"{mark} **{stake.found:,} of {counted(stake.labelled, 'labelled item')}** found again.{rest}")


def filter_verdict(source: Source, expression: str) -> bool:
    """Say how many rows a filter keeps, or why it cannot be read (SH-11); give whether it can."""
    is_readable = False
    with guard():
        verdict = cached.filter_verdict(source, expression)
        is_readable = not verdict.problem
        mark = ":green[:material/check_circle:]" if verdict.kept else ":orange[:material/warning:]"
        st.caption(
            f"{mark} **{verdict.kept:,} of {verdict.every:,} rows**"
            if is_readable
            else f":red[:material/error:] {plain(verdict.problem)} {plain(verdict.hint)}"
        )
    return is_readable
