"""What pairs may be used for, as badges: how sensitive they are, whether an agreement binds, what is prohibited."""

from __future__ import annotations

import re
from collections.abc import Mapping

import streamlit as st

from pages.components.layout import Color
from pages.components.words import plain, words
from workbench_core import cached_generation
from workbench_core.prompt_templates import TemplateDraft
from workbench_core.usage import ALL_USES, Classification, UsageRules, Use

_SENSITIVE: Mapping[Classification, Color] = {Classification.CONFIDENTIAL: "orange", Classification.RESTRICTED: "red"}
_AGREEMENT = re.compile(r"\b(NDA|non-disclosure)\b", re.IGNORECASE)


def rules_of(sheet_id: str, template: TemplateDraft) -> UsageRules:
    """What source and template impose on every pair; the canonical label of an item may add to it."""
    return cached_generation.source_rules(sheet_id).combine(template.usage)


def is_restricted(rules: UsageRules) -> bool:
    """Whether there is anything to say about the use."""
    return bool(uses_words(rules)) or rules.classification in _SENSITIVE or bool(_AGREEMENT.search(rules.reason))


def usage_badges(rules: UsageRules) -> None:
    """Badges for what restricts the use, each with its reasons; nothing when all uses are allowed."""
    why = _why(rules)
    if color := _SENSITIVE.get(rules.classification):
        st.badge(words(rules.classification), color=color, icon=":material/lock:", help=why)
    if _AGREEMENT.search(rules.reason):
        st.badge("NDA", color="violet", icon=":material/handshake:", help=why)
    if uses := uses_words(rules):
        st.badge(uses, color="gray" if rules.permits(Use.TRAINING) else "red", icon=":material/shield:", help=why)


def uses_words(rules: UsageRules) -> str:
    """Which uses are restricted, without the reason, which the summary of the rules repeats; empty when none is."""
    if all(rules.permits(use) for use in Use):
        return ""
    return rules.summary().partition(":")[0]


def usage_line(rules: UsageRules) -> str:
    """The rules in one line of a table; empty when there are none."""
    if rules == ALL_USES:
        return ""
    reason = f": {rules.reason}" if rules.reason else ""
    return f"{uses_words(rules) or 'All uses allowed'}, {rules.classification}{reason}"


def _why(rules: UsageRules) -> str:
    """The reason, and the uses that are left."""
    allowed = [words(use).lower() for use in Use if rules.permits(use)]
    reason = f"{rules.reason[:1].upper()}{plain(rules.reason[1:])}. " if rules.reason else ""
    return f"{reason}May be used for: {', '.join(allowed) or 'nothing'}."
