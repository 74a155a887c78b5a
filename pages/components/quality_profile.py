"""What the columns of a sheet are like, as shapes to look at, and the rules that this suggests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, go_within, pick_row
from pages.components.charts import Look, bar_chart, histogram
from pages.components.data_navigation import back_within
from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, metric_row, run_progress
from pages.components.quality_look import FAILURES, KIND_ICONS, column_title, column_words, meaning, sentence
from pages.components.words import ago, counted, duration, percent, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import ColumnProfile, RuleSuggestion, SheetProfile
from workbench_core.sheets import Sheet

MAX_COLUMNS = 100
MAX_SUGGESTIONS = 60
BARS = 20


def profile_button(sheet: Sheet, *, refusal: str, kind: str = "secondary", place: str = "header") -> None:
    """Look at all rows of all columns, and suggest rules."""
    st.button(
        "Profile and suggest", icon=":material/query_stats:", key=f"quality_profile_{place}",
        type="primary" if kind == "primary" else "secondary", on_click=make_profile, args=(sheet.id,),
        disabled=bool(refusal), help=refusal or "Looks at every row; what it finds is kept until you do it again",
    )  # fmt: skip


def make_profile(sheet_id: str) -> None:
    """Profile the sheet and show what was found."""
    with guard_callback():
        cached.workbench().data_quality.profile(sheet_id, by=current_user())
        go_within(show="profile", column="")


@st.fragment(run_every="1s")
def follow_profile(sheet_id: str, run_id: str, refusal: str) -> None:
    """Progress of a long profile with the way to stop it; the whole page comes back when it has ended."""
    run = cached.workbench().runs.get(run_id)
    if not run.is_active:
        st.rerun()
    with st.container(border=True):
        st.markdown(f":material/query_stats: **{plain(run.title)}**")
        run_progress(run, unit="%")
        st.button(
            "Cancel", icon=":material/stop_circle:", key="quality_profile_cancel", on_click=cancel_profile,
            args=(sheet_id,), disabled=bool(refusal) or run.cancel_requested, help=refusal or None,
        )  # fmt: skip


def cancel_profile(sheet_id: str) -> None:
    """Stop a long profile; the former one stays."""
    with guard_callback():
        cached.workbench().data_quality.cancel_profile(sheet_id, by=current_user())
        flash("The profile is cancelled. The former one stays.", icon=":material/cancel:")


def show_profile(sheet: Sheet, *, refusal: str) -> None:
    """All columns or one of them, and the suggested rules."""
    found = cached_quality.profile(sheet.id)
    run = cached.workbench().data_quality.profiling(sheet.id)
    if found is None and run and run.is_active:
        empty_state(
            "The profile is being made. It appears here when every row was read.", icon=":material/query_stats:"
        )
        return
    if found is None:
        with empty_state(
            "Profile this sheet to get suggestions: what every column holds, and the rules that hold for it today.",
            icon=":material/query_stats:",
        ):
            profile_button(sheet, refusal=refusal, kind="primary", place="empty")
        return
    if name := st.query_params.get("column"):
        show_column(sheet, found, name, refusal=refusal)
    else:
        show_whole(sheet, found, refusal=refusal)


def show_whole(sheet: Sheet, found: SheetProfile, *, refusal: str) -> None:
    """When the profile was made, its columns, and the suggested rules."""
    made = f"{found.rows:,} rows, profiled by {found.computed_by}, {ago(found.computed_at)}"
    st.caption(plain(f"{made}, in {duration(found.seconds)}"))
    if found.is_stale(sheet):
        st.warning("The sheet has changed since. Profile it again.", icon=":material/history:")
    suggestions = cached_quality.suggestions(sheet.id)
    view = choose_in_url(
        "Profile", ["columns", "suggestions"], key="view", default="columns",
        counts={"columns": len(found.columns), "suggestions": len(suggestions)},
        titles={"columns": "Columns", "suggestions": "Suggested rules"},
    )  # fmt: skip
    if view == "suggestions":
        show_suggestions(sheet, suggestions, refusal=refusal)
    else:
        list_columns(sheet, found)


# --- all columns -----------------------------------------------------------------------------------------------------


def list_columns(sheet: Sheet, found: SheetProfile) -> None:
    """One line for each column; a click opens it."""
    columns = list(found.columns)
    if len(columns) > MAX_COLUMNS:
        search = st.text_input("Search columns", key="quality_columns", type="search", live="300ms", width=320)
        columns = [column for column in columns if (search or "").casefold() in column.column.casefold()]
    lines = [{"Column": column_title(sheet, one.column), **column_line(one)} for one in columns[:MAX_COLUMNS]]
    pick_row(
        pd.DataFrame(lines),
        [column.column for column in columns[:MAX_COLUMNS]],
        param="column",
        alt="The columns of the sheet with the shape of their values",
        columns={
            "Column": st.column_config.TextColumn(width=230),
            "Missing": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=120),
            "Different": st.column_config.NumberColumn(format="localized", width=80),
            "Duplicates": st.column_config.NumberColumn(
                format="localized", width=85, help="Rows that repeat the value of another row"
            ),
            "Blank": st.column_config.NumberColumn(
                format="localized", width=70, help="Texts that are empty or of spaces only; they count as a value"
            ),
            "Values": st.column_config.BarChartColumn(
                width=170, y_min=0, help="Numbers and times: how often each range. Others: the frequent values."
            ),
            "Range": st.column_config.TextColumn(width=170),
            "Most frequent": st.column_config.TextColumn(width=270),
        },
    )
    if len(columns) > MAX_COLUMNS:
        st.caption(f"The first {MAX_COLUMNS} of {len(columns):,}; search to see others.")


def column_line(column: ColumnProfile) -> dict[str, object]:
    """One line of the list, but for the name; what is not counted is empty."""
    return {
        "Values": shape_of(column),
        "Missing": column.nulls / column.rows if column.rows else 0.0,
        "Different": column.distinct if has_values(column) else None,
        "Duplicates": column.duplicates if has_values(column) else None,
        "Blank": column.empty + column.blank if column.kind == "string" else None,
        "Range": range_of(column),
        "Most frequent": most_frequent(column),
        "Type": column.data_type.lower(),
    }


def has_values(column: ColumnProfile) -> bool:
    """Whether its values are compared with each other; of nested and binary ones only the missing are counted."""
    return column.kind not in {"nested", "binary"}


def shape_of(column: ColumnProfile) -> list[int]:
    """The heights of the small chart of a column."""
    if column.histogram:
        return [rows for _, _, rows in column.histogram]
    return [] if column.is_unique else [rows for _, rows in column.top_values[:BARS]]


def range_of(column: ColumnProfile) -> str:
    """Smallest and largest value; for texts their lengths."""
    if column.kind in {"number", "time"} and column.minimum is not None:
        return f"{short(column.minimum)} to {short(column.maximum or '')}"
    if column.shortest is not None and column.longest is not None:
        if column.shortest == column.longest:
            return counted(column.longest, "character")
        return f"{column.shortest:,} to {column.longest:,} characters"
    return ""


def short(text: str) -> str:
    """A limit without digits that nobody reads."""
    try:
        number = float(text)
    except ValueError:
        return text[:16].replace("T", " ").removesuffix(" 00:00")
    return f"{number:.6g}" if abs(number) < 10_000 else f"{number:,.6g}"


def most_frequent(column: ColumnProfile) -> str:
    """The first values with their shares."""
    if column.is_unique:
        return "every row has its own"
    known = column.rows - column.nulls
    parts = [f"{shown(column, text)} ({small_share(rows / known)})" for text, rows in column.top_values[:3] if known]
    return " · ".join(parts)


def shown(column: ColumnProfile, text: str) -> str:
    """A value as a line has room for it."""
    return short(text) if column.kind in {"number", "time"} else visible(text[:40])


def visible(text: str) -> str:
    """A text, or in brackets why there is nothing to see of it."""
    if text.strip():
        return text
    return "(blank)" if text else "(empty)"


def small_share(share: float) -> str:
    """A share in whole percent that does not round a small one away."""
    return "<1 %" if share < 0.005 else percent(share, digits=0)


# --- one column ------------------------------------------------------------------------------------------------------


def show_column(sheet: Sheet, found: SheetProfile, name: str, *, refusal: str) -> None:
    """Everything about the values of one column, and the rules they suggest."""
    names = [column.column for column in found.columns]
    with st.container(horizontal=True, vertical_alignment="center"):
        back_within("All columns", column="")
        st.space("stretch")
        if name in names:
            at = names.index(name)
            step("Previous", names[at - 1] if at else "", icon="chevron_left", shortcut="Alt+ArrowLeft")
            step("Next", names[at + 1] if at + 1 < len(names) else "", icon="chevron_right", shortcut="Alt+ArrowRight")
    if name not in names:
        st.warning(f"The profile has no column “{plain(name)}”.", icon=":material/search_off:")
        return
    column = found.columns[names.index(name)]
    st.subheader(f"{KIND_ICONS.get(column.kind, '')} {plain(column_title(sheet, name))}", anchor=False)
    metric_row(tiles_of(column), width=130)
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True, height="stretch"):
        show_values(column)
    with right, st.container(border=True, height="stretch"):
        show_facts(column)
    mine = [one for one in cached_quality.suggestions(sheet.id) if one.draft.columns == (name,)]
    if mine:
        st.subheader("Suggested rules", anchor=False)
        show_suggestions(sheet, mine, refusal=refusal)


def step(label: str, name: str, *, icon: str, shortcut: str) -> None:
    """To the column before or after."""
    st.button(
        label, icon=f":material/{icon}:", key=f"quality_column_{label}", shortcut=shortcut, disabled=not name,
        on_click=go_within, kwargs={"column": name},
    )  # fmt: skip


def tiles_of(column: ColumnProfile) -> list[tuple[str, str] | tuple[str, str, str]]:
    """The numbers of a column."""
    missing = percent(column.nulls / column.rows) if column.rows else "–"
    tiles: list[tuple[str, str] | tuple[str, str, str]] = [
        ("Rows", f"{column.rows:,}"),
        ("Missing", missing, f"{column.nulls:,} rows without a value"),
    ]
    if has_values(column):
        different = "Every row has its own" if column.is_unique else "Different values"
        tiles.append(("Different", f"{column.distinct:,}", different))
        tiles.append(("Duplicates", f"{column.duplicates:,}", "Rows that repeat the value of another row"))
    if column.kind == "string":
        tiles.append(("Empty texts", f"{column.empty:,}", "Texts without a character"))
        tiles.append(("Blank texts", f"{column.blank:,}", "Texts of spaces only"))
    if column.mean is not None:
        tiles.append(("Mean", f"{column.mean:,.4g}", f"Standard deviation {column.deviation or 0:,.4g}"))
    return tiles


def show_values(column: ColumnProfile) -> None:
    """The distribution of numbers and times, else the most frequent values."""
    if column.histogram:
        st.markdown("**How the values are spread**")
        histogram(
            column.histogram, key="quality_histogram", look=Look(height=470), is_time=column.kind == "time",
            alt=f"Histogram of {column.column}: {range_of(column)}",
        )  # fmt: skip
        return
    st.markdown("**Most frequent values**")
    if column.is_unique or not column.top_values:
        examples = ", ".join(text for text, _ in column.top_values[:5])
        st.caption(plain(f"Every row has its own, for example {examples}" if examples else "There is no value."))
        return
    frame = pd.DataFrame(column.top_values[:BARS], columns=["value", "rows"])
    frame["value"] = [visible(text) for text in frame["value"]]
    frame = frame.groupby("value", sort=False, as_index=False).sum()  # blanks of several lengths are one bar
    bar_chart(
        frame, "value", "rows", key="quality_top_values", is_horizontal=True, look=Look(height=0, unit="rows"),
        alt=f"Most frequent values of {column.column}: {most_frequent(column)}",
    )  # fmt: skip


def show_facts(column: ColumnProfile) -> None:
    """Range, quantiles, lengths, pattern, and the values that the chart does not show."""
    facts = [("Type", column.data_type.lower())]
    if column.kind == "time":
        facts += [("First", short(column.minimum or "")), ("Last", short(column.maximum or ""))]
    else:
        facts.append(("Range", range_of(column)))
    if column.quantiles:
        facts += [(f"{100 * at:g} % lie below", f"{value:,.6g}") for at, value in sorted(column.quantiles.items())]
    if column.ahead:
        facts.append(("In the future", f"{column.ahead:,} rows when the profile was made"))
    if column.mean_length is not None:
        facts.append(("Mean length", f"{column.mean_length:,.1f} characters"))
    if column.pattern:
        facts.append(("Shape", f"{column.pattern} ({percent(column.pattern_share)})"))
        facts.append(("As a pattern", column.pattern_regex))
    if column.histogram:
        facts += [(f"Frequent: {text[:60]}", f"{rows:,} rows") for text, rows in column.top_values[:5]]
    st.markdown("**In numbers**")
    frame = pd.DataFrame([fact for fact in facts if fact[1]], columns=["What", "Value"])
    st.dataframe(frame, hide_index=True, height="content", alt=f"Facts about {column.column}")


# --- suggestions -----------------------------------------------------------------------------------------------------


def show_suggestions(sheet: Sheet, found: Sequence[RuleSuggestion], *, refusal: str) -> None:
    """Suggested rules by column with the reason for each; those that are ticked are added together."""
    if not found:
        empty_state("Every suggestion is a rule already.", icon=":material/task_alt:")
        return
    shown = found[:MAX_SUGGESTIONS]
    toolbar = st.container(horizontal=True, vertical_alignment="center")
    st.caption(
        "Ticked is what follows from how the data is built; the others hold for the values so far: read them first. "
        "A failure that is an error fails the row; a warning is counted, and the row passes."
    )
    ticked: list[RuleSuggestion] = []
    words = column_words(sheet)
    with st.grid(2, min_column_width=340):
        for name, several in by_column(shown).items():
            with st.container(border=True, gap="small", height="stretch"):
                st.markdown(f"**{plain(column_title(sheet, name))}**")
                ticked += [one for one in several if suggestion_box(one, words)]
    if len(found) > len(shown):
        st.caption(f"{len(found) - len(shown):,} more appear when these are added, or in their columns.")
    with toolbar:
        add_bar(sheet, shown, ticked, refusal=refusal)


def by_column(found: Sequence[RuleSuggestion]) -> dict[str, list[RuleSuggestion]]:
    """The suggestions of each column, in their order."""
    columns: dict[str, list[RuleSuggestion]] = {}
    for one in found:
        columns.setdefault(one.draft.columns[0], []).append(one)
    return columns


def add_bar(sheet: Sheet, shown: Sequence[RuleSuggestion], ticked: Sequence[RuleSuggestion], *, refusal: str) -> None:
    """Add what is ticked; tick all, or none."""
    reason = refusal or ("" if ticked else "Tick the rules that shall hold.")
    st.button(
        f"Add {counted(len(ticked), 'rule')}", type="primary", icon=":material/add_task:", key="quality_add",
        on_click=add_rules, args=(sheet.id, ticked), disabled=bool(reason), help=reason or None,
    )  # fmt: skip
    for label, is_ticked, is_so in (
        ("Tick all", True, len(ticked) == len(shown)), ("Untick all", False, not ticked),
    ):  # fmt: skip
        st.button(
            label, type="tertiary", key=f"quality_tick_{is_ticked}", on_click=tick_all, args=(shown,),
            kwargs={"is_ticked": is_ticked}, disabled=is_so,
        )  # fmt: skip


def suggestion_box(one: RuleSuggestion, words: Mapping[str, str]) -> bool:
    """One suggestion to tick: what it demands, and why it is proposed."""
    key = box_key(one)
    st.session_state.setdefault(key, one.is_structural)
    with st.container(gap="xsmall"):
        ticked = st.checkbox(sentence(meaning(one.draft, words)), key=key)
        reason = plain(one.reason[:1].upper() + one.reason[1:])
        st.markdown(f"{FAILURES[one.draft.criticality]} :small[:gray[{reason}]]")
    return bool(ticked)


def box_key(one: RuleSuggestion) -> str:
    """The key of the box of a suggestion."""
    return f"quality_suggested_{one.draft.function}_{'_'.join(one.draft.columns)}"


def tick_all(shown: Sequence[RuleSuggestion], *, is_ticked: bool) -> None:
    """Tick or untick these suggestions."""
    for one in shown:
        st.session_state[box_key(one)] = is_ticked


def add_rules(sheet_id: str, ticked: Sequence[RuleSuggestion]) -> None:
    """Save the ticked suggestions as rules."""
    with guard_callback():
        added = cached.workbench().data_quality.save_rules(sheet_id, [one.draft for one in ticked], by=current_user())
        flash(f"{counted(len(added), 'rule')} added. Run the checks to see what they find.")
        go_within(show="rules", column="", view="")
