"""About one sheet: its quality in a line, what it may be used for, and what stands on it."""

from __future__ import annotations

import streamlit as st

from pages.components.address import go_within
from pages.components.errors import guard
from pages.components.layout import empty_state
from pages.components.quality_look import score_color, score_word
from pages.components.words import ago, plain, words
from workbench_core import cached, cached_quality
from workbench_core.sheets import Dependants, Sheet
from workbench_core.sheets.model import MOST_NAMES
from workbench_core.usage import UsageRules


def tags_note(rules: UsageRules) -> None:
    """What the tags of a source impose, if anything."""
    if rules.reason:
        uses = ", ".join(sorted(use.replace("_", " ") for use in rules.prohibited))
        st.warning(
            f"Prohibited uses of everything made from it: {uses}. Classification: {rules.classification}.",
            icon=":material/shield:",
            title=f"{rules.reason[:1].upper()}{plain(rules.reason[1:])}",
        )


def quality_line(sheet: Sheet) -> None:
    """What the last quality run said, in a few words that lead to it."""
    with guard():
        latest = cached_quality.latest(sheet.id)
        said = "Quality not checked yet"
        if latest is not None:
            said = f"Quality :{score_color(latest)}-badge[{score_word(latest)}]"
            if latest.passed is not None:
                said += f" {latest.passed:,} of {latest.total:,} rows pass"
        st.button(
            said, type="tertiary", icon=":material/verified:", key="data_quality_more", on_click=go_within,
            kwargs={"show": "quality"}, help=f"Checked {ago(latest.run_at)}" if latest else None,
        )  # fmt: skip


def show_usage(sheet: Sheet, rules: UsageRules) -> None:
    """What its content may be used for, and what was made from it."""
    st.markdown(f"**{plain(rules.summary())}** · {words(rules.classification)}")
    st.caption("From the tags of the source. Labels and pairs made from this sheet inherit it.")
    used, made = cached.sheet_dependants(sheet.id), cached.training_sheets(sheet.id)
    if not used.total and not made:
        with empty_state("Nothing is made from this sheet yet.", icon=":material/auto_awesome:"):
            st.page_link("generate.py", label="Generate pairs", query_params={"sheet": sheet.id})
        return
    st.subheader("What stands on it", anchor=False)
    named_dependants(used, leaving_out="training sheets")
    for training_sheet in made:
        counts = training_sheet.counts
        st.page_link(
            "generate.py",
            label=f"{plain(training_sheet.name)} · {words(training_sheet.status)} · {counts.total:,} pairs",
            icon=":material/dataset:",
            query_params={"training_sheet": training_sheet.id},
        )


def named_dependants(used: Dependants, *, leaving_out: str = "") -> None:
    """What stands on a sheet, kind by kind, with the newest names."""
    for kind, count in used.counts.items():
        if not count or kind == leaving_out:
            continue
        names = used.names.get(kind, ())
        shown = ", ".join(f"“{plain(name)}”" for name in names)
        more = ", …" if len(names) == MOST_NAMES and count > MOST_NAMES else ""
        st.markdown(f"- {count:,} {kind if count > 1 else kind.removesuffix('s')}: {shown}{more}")
