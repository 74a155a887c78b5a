"""What a generation would do, before it does it: numbers, hindrances and rendered samples."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, stacked_bar
from pages.components.layout import metric_row
from pages.components.records import show_messages
from pages.components.words import percent, plain
from workbench_core import cached_quality
from workbench_core.prompt_templates import AnswerSource, RenderedItem
from workbench_core.training_sheets import Preflight

_HITS = "Canonical label"
_MISSES = {
    AnswerSource.AI_GENERATED: ("To generate", "info"),
    AnswerSource.EXISTING_COLUMN: ("From the column", "info"),
    AnswerSource.MANUAL: ("Without answer", "neutral"),
    AnswerSource.CANONICAL: ("Left out", "neutral"),
}


def include_set_aside(sheet_id: str, *, key: str) -> bool:
    """Ask whether items that were set aside for their quality shall take part all the same; only when there are any."""
    aside = cached_quality.set_aside_count(sheet_id)
    if not aside:
        return False
    return st.toggle(
        f"Include the {aside:,} items set aside by data quality", key=f"{key}_aside",
        help="They were set aside by a person, with a reason; without this they are left out",
    )  # fmt: skip


def show_preflight(found: Preflight, source: AnswerSource, *, key: str, includes_set_aside: bool = False) -> None:
    """Show what is known about a generation with this answer source."""
    for problem in found.problems:
        st.warning(plain(problem), icon=":material/error:")
    _set_aside(found, includes_set_aside=includes_set_aside)
    if not found.selected:
        return
    _numbers(found)
    _bar(found, source, key=key)
    _notes(found)
    if found.samples:
        _samples(found.samples, key=key)


def _set_aside(found: Preflight, *, includes_set_aside: bool) -> None:
    """How many items of the selection were set aside for their quality, and what becomes of them."""
    if not found.quarantined:
        return
    fate = "included all the same" if includes_set_aside else "left out"
    st.markdown(f":material/do_not_disturb_on: **{found.quarantined:,} set aside by data quality**, {fate}.")


def _numbers(found: Preflight) -> None:
    left_out = f"{found.left_out:,} more items lie above the row limit" if found.left_out else None
    metric_row(
        [
            ("Items", f"{found.selected:,}", left_out or "Items that would be worked through"),
            (
                "Canonical",
                percent(found.hits / found.selected),
                f"{found.hits:,} items have a canonical label of this label type: they need no new work",
            ),
        ]
    )


def _bar(found: Preflight, source: AnswerSource, *, key: str) -> None:
    """Canonical hits, and what happens to the others."""
    name, tone = _MISSES[source]
    frame = pd.DataFrame({"Items": [""] * 2, "Part": [_HITS, name], "Count": [found.hits, found.misses]})
    stacked_bar(
        frame,
        "Items",
        "Count",
        series="Part",
        key=f"{key}_bar",
        alt=f"{found.hits:,} items with a canonical label, {found.misses:,} {name.lower()}",
        tones={_HITS: "good", name: tone},
        is_horizontal=True,
        look=Look(height=110, unit="items"),
    )


def _notes(found: Preflight) -> None:
    """The model, the row limit, and what keeps pairs from training."""
    lines = []
    if found.model is not None and found.model_calls:
        lines.append(f":material/smart_toy: {found.model_calls:,} questions to the {plain(found.model_title)}.")
    if found.left_out:
        lines.append(f":material/content_cut: {found.left_out:,} more items lie above the row limit.")
    for reason, count in found.barred.items():
        lines.append(f":material/shield: {count:,} pairs would be barred from training: {plain(reason)}.")
    if lines:
        st.markdown("  \n".join(lines))


def _samples(samples: tuple[RenderedItem, ...], *, key: str) -> None:
    """The first items as they would be asked."""
    st.markdown("**Rendered samples**")
    number = st.segmented_control(
        "Sample",
        range(len(samples)),
        format_func=lambda index: str(index + 1),
        default=0,
        required=True,
        key=f"{key}_sample_{len(samples)}",
        label_visibility="collapsed",
    )
    sample = samples[number or 0]
    st.caption(f"Item {plain(sample.item_ref)}")
    if sample.error:
        st.warning(plain(sample.error), icon=":material/error:")
        return
    show_messages(sample.messages)
