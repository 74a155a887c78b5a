"""What the lake says about a choice while it is made: whether an identifier is unique, and what a filter keeps."""

from __future__ import annotations

import streamlit as st

from pages.components.errors import guard
from pages.components.layout import plain
from workbench_core import cached
from workbench_core.sheets import Source


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
