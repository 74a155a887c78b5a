"""About one sheet: its quality in a line, what it may be used for, what stands on it, and its history."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.errors import guard
from pages.components.layout import ago, empty_state, plain, words
from pages.components.quality_look import score_badge
from pages.components.records import cell_text
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
    """What the last quality run said, with the way to all of it."""
    with guard():
        latest = cached_quality.latest(sheet.id)
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data_quality_line"):
            if latest is None:
                st.caption(":material/verified: The quality of its rows was not checked yet.", width="content")
            else:
                st.markdown(":material/verified: **Quality**", width="content")
                score_badge(latest)
                st.caption(
                    f"{latest.passed:,} of {latest.total:,} rows pass, checked {ago(latest.run_at)}", width="content"
                )
            st.page_link("data_quality.py", label="Data quality", query_params={"sheet": sheet.id}, width="content")


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


def show_history(sheet: Sheet) -> None:
    """Who did what to the sheet, newest first."""
    events = cached.workbench().history.of("sheet", sheet.id)
    frame = pd.DataFrame(
        {
            "When": [event.happened_at for event in events],
            "Who": [event.by for event in events],
            "What": [words(event.action) for event in events],
            "Details": [
                ", ".join(f"{name}: {cell_text(value)}" for name, value in event.details.items()) for event in events
            ],
        }
    )
    st.dataframe(frame, hide_index=True, height="content", alt="History of the sheet")
