"""What a generation would do, before it does it: what it costs, what comes out, what is barred, and samples."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from pages.components.charts import Look, stacked_bar
from pages.components.generation_words import cost_words, time_words, tokens_words
from pages.components.records import show_messages
from pages.components.words import counted, percent, plain
from workbench_core import cached_quality
from workbench_core.chat_models import CallEstimate
from workbench_core.prompt_templates import RenderedItem
from workbench_core.training_sheets import GenerationRequest, Preflight

NO_CALLS = CallEstimate(0, 0, 0, 0.0, "", 0.0, True)
MAX_REASONS = 5


def include_set_aside(sheet_id: str, *, key: str) -> bool:
    """Ask whether items that were set aside for their quality shall take part all the same; only when there are any."""
    aside = cached_quality.set_aside_count(sheet_id)
    if not aside:
        return False
    return st.toggle(
        f"Include the {counted(aside, 'item')} set aside by data quality", key=f"{key}_aside",
        help="They were set aside by a person, with a reason; without this they are left out",
        persist_state="session",
    )  # fmt: skip


def show_preflight(
    found: Preflight,
    request: GenerationRequest,
    *,
    key: str,
    start: Callable[[], None],
    raise_limit: Callable[[], None],
) -> None:
    """Show what is known about a generation; `start` draws its button, `raise_limit` takes what the row limit cuts."""
    for problem in found.problems:
        st.error(plain(problem), icon=":material/block:")
    _set_aside(found, includes_set_aside=request.includes_set_aside)
    if found.selected:
        _numbers(found)
        _bar(found, key=key)
        for sentence in (*found.warnings, *found.render_problems):
            st.warning(plain(sentence), icon=":material/warning:")
        _barred(found)
        _left_out(found, key=key, raise_limit=raise_limit)
    start()
    if found.samples:
        _samples(found.samples, key=key)


# --- what it costs and what comes out --------------------------------------------------------------------------------


def _numbers(found: Preflight) -> None:
    """Items, what is known of them, and what the rest costs."""
    estimate = found.estimate or NO_CALLS
    about = "" if found.is_kept_exact else "about "
    kept = f", {about}{found.kept_answers:,} kept" if found.kept_answers else ""
    currency = estimate.currency if estimate.cost else ""
    aside = f"{counted(found.quarantined, 'row')} set aside" if found.quarantined else ""
    with st.grid(2, min_column_width=120):
        _tile("Items", f"{found.selected:,}", aside)
        _tile(
            "Canonical", f"{found.hits:,}", f"{percent(found.hits / found.selected, digits=0)} of the items",
            "They have a canonical label of this label type already: no call, and no review if the template knows it",
        )  # fmt: skip
        _tile(
            f"Cost in {currency}" if currency else "Cost", cost_words(estimate),
            f"{about}{counted(found.model_calls, 'call')}{kept}", _tokens(found, estimate),
        )  # fmt: skip
        if found.model_calls:
            measured = "measured" if estimate.is_measured else "not measured yet"
            _tile("Time", time_words(estimate), measured, _speed(estimate))
        else:
            to_review = found.to_review
            _tile("To review", f"{to_review:,}", "no call, no waiting" if to_review else "nothing to do")


def _tile(label: str, value: str, note: str, help_: str = "") -> None:
    st.metric(
        label, value, note or None, delta_color="off", delta_arrow="off", border=True, help=help_ or None,
        height="stretch",
    )  # fmt: skip


def _tokens(found: Preflight, estimate: CallEstimate) -> str:
    """What stands behind the cost."""
    if not found.model_calls and not found.kept_answers:
        return "No language model is asked"
    parts = [
        f"{counted(found.model_calls, 'call')} to the {plain(found.model_title)}",
        f"about {tokens_words(estimate.tokens_in, estimate.tokens_out)}",
    ]
    if found.kept_answers:
        parts.append(f"{found.kept_answers:,} questions were answered before and cost nothing")
    if estimate.cost is None:
        parts.append("nobody said what this model costs: see Settings")
    return "; ".join(parts)


def _speed(estimate: CallEstimate) -> str:
    if estimate.is_measured:
        return "From the answers that this model gave before"
    return "Estimated: this model has not answered here yet"


def _bar(found: Preflight, *, key: str) -> None:
    """Where the answers of all items come from."""
    generated = max(found.misses - found.from_column - found.blank, 0)
    blank = "without a label, left out" if found.unlabelled else "without answer"
    parts = [
        (f"{found.hits:,} canonical", found.hits, "good"),
        (f"{found.from_column:,} from the column", found.from_column, "info"),
        (f"{generated:,} to generate", generated, "warning"),
        (f"{found.blank:,} {blank}", found.blank, "neutral"),
    ]
    shown = [part for part in parts if part[1]]
    if len(shown) < 2:
        st.markdown(" ".join(f":material/stacked_bar_chart: **{part[0]}**" for part in shown))
        return
    frame = pd.DataFrame({"Items": "", "Part": [part[0] for part in shown], "Count": [part[1] for part in shown]})
    stacked_bar(
        frame, "Items", "Count", series="Part", key=f"{key}_bar", alt=", ".join(part[0] for part in shown),
        tones={part[0]: part[2] for part in shown}, is_horizontal=True, look=Look(height=110, unit="items"),
    )  # fmt: skip


# --- what is barred --------------------------------------------------------------------------------------------------


def _set_aside(found: Preflight, *, includes_set_aside: bool) -> None:
    """How many items of the selection were set aside for their quality, and what becomes of them."""
    if not found.quarantined:
        return
    fate = "included all the same" if includes_set_aside else "left out"
    st.markdown(f":material/do_not_disturb_on: **{found.quarantined:,} set aside by data quality**, {fate}.")


def _barred(found: Preflight) -> None:
    """What keeps pairs from training, with counts."""
    if not found.barred:
        return
    most = sorted(found.barred.items(), key=lambda one: -one[1])
    lines = [f"- {count:,}: {plain(reason)}" for reason, count in most[:MAX_REASONS]]
    if len(most) > MAX_REASONS:
        lines.append(f"- {sum(count for _, count in most[MAX_REASONS:]):,} for other reasons")
    total = sum(found.barred.values())
    st.markdown(f":material/shield: **{counted(total, 'pair')} would be barred from training**\n\n" + "\n".join(lines))


def _left_out(found: Preflight, *, key: str, raise_limit: Callable[[], None]) -> None:
    """What the row limit cuts off, and the click that takes it too."""
    if not found.left_out:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/content_cut: {counted(found.left_out, 'more item')} above the row limit.", width="content"
        )
        every = found.selected + found.left_out
        st.button(
            f"Take all {every:,}", type="tertiary", icon=":material/select_all:", key=f"{key}_all_{every}",
            on_click=raise_limit,
        )  # fmt: skip


# --- samples ---------------------------------------------------------------------------------------------------------


def _samples(samples: tuple[RenderedItem, ...], *, key: str) -> None:
    """The first items as they would be asked, one at a time."""
    place = f"{key}_sample"
    number = min(int(st.session_state.get(place, 0)), len(samples) - 1)
    sample = samples[number]

    def go(by: int) -> None:
        st.session_state[place] = (number + by) % len(samples)

    st.markdown(f"**Sample {number + 1} of {len(samples)}** · item {plain(sample.item_ref)}")
    with st.container(horizontal=True, gap="small"):
        for name, by, icon in (("Previous", -1, "left"), ("Next", 1, "right")):
            st.button(
                name, key=f"{place}_{by}", on_click=go, args=(by,), disabled=len(samples) < 2, type="tertiary",
                icon=f":material/chevron_{icon}:",
            )  # fmt: skip
    if sample.error:
        st.warning(plain(sample.error), icon=":material/error:")
        return
    if sample.shortened:
        st.caption(f"Too long and cut: {', '.join(map(plain, sample.shortened))}.")
    show_messages(sample.messages)
