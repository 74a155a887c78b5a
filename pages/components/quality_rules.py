"""The rules of a sheet: edited in a grid or a form, read as YAML, imported, exported, and made of sentences."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.address import go_within
from pages.components.errors import guard, guard_callback, show_error
from pages.components.grid import Cell, CellEdit, GridColumn, clear_selection, edit_grid
from pages.components.identity import current_user
from pages.components.layout import close_popover, empty_state, flash, work_popover
from pages.components.quality_look import (
    CRITICALITIES,
    ORIGINS,
    column_title,
    column_words,
    meaning,
    rules_and_checks,
    sentence,
)
from pages.components.quality_profile import profile_button
from pages.components.quality_rule_form import NEW, rule_form
from pages.components.quality_sentences import from_sentences
from pages.components.words import ago, counted, plain, words
from workbench_core import cached, cached_quality
from workbench_core.data_quality import (
    DQX_VERSION,
    Criticality,
    Format,
    ImportPreview,
    Rule,
    RuleDraft,
    words_of,
)
from workbench_core.errors import ChangedByOthers, Invalid
from workbench_core.sheets import Sheet

GRID = "quality_rules_grid"
REFUSED = "quality_rules_refused"
COLUMNS = [
    GridColumn("is_enabled", "Enabled", width=122, kind="check", is_editable=True),
    GridColumn("name", "Name", width=250, is_editable=True),
    GridColumn("meaning", "Demands", share=3, least=300),
    GridColumn("criticality", "A failure is", width=120, is_editable=True, options=tuple(CRITICALITIES.values())),
    GridColumn("filter", "Only where", width=150, kind="mono", is_editable=True),
    GridColumn("function", "Function", width=170, kind="mono"),
    GridColumn("columns", "Columns", width=210),
    GridColumn("arguments", "Arguments", width=220, kind="mono"),
    GridColumn("origin", "From", width=100, kind="badge", colors={"Profile": "blue", "Sentence": "violet"}),
]
MAX_EVENTS, MAX_CHANGES, MAX_LINES = 200, 20, 20
FORMATS = {"yaml": ("YAML", "application/yaml"), "json": ("JSON", "application/json")}


def show_rules(sheet: Sheet, *, refusal: str) -> None:
    """The rules with everything that can be done with them; one of them, or a new one, opens as a form."""
    rules = cached_quality.rules(sheet.id)
    opened = st.query_params.get("rule", "")
    toolbar(sheet, rules, refusal=refusal)
    if opened == NEW:
        rule_form(sheet, None, refusal=refusal)
    elif opened:
        chosen = next((rule for rule in rules if rule.id == opened), None)
        if chosen is None:
            st.warning("There is no such rule any more.", icon=":material/search_off:")
        else:
            rule_form(sheet, chosen, refusal=refusal)
    if rules:
        list_rules(sheet, rules, refusal=refusal)
    elif not opened:
        with empty_state(
            "No rules yet. Profile this sheet to get suggestions, describe a rule in a sentence, or add one by hand.",
            icon=":material/rule:",
        ):
            profile_button(sheet, refusal=refusal, kind="primary", place="rules")
    from_sentences(sheet, refusal=refusal)
    show_changes(sheet)


def toolbar(sheet: Sheet, rules: Sequence[Rule], *, refusal: str) -> None:
    """Add, import, export, read as YAML."""
    with st.container(horizontal=True, vertical_alignment="center"):
        enabled = [rule for rule in rules if rule.is_enabled]
        disabled = f", {len(rules) - len(enabled)} disabled" if len(enabled) < len(rules) else ""
        said, _, checks = rules_and_checks(enabled).partition(", ")
        of = f" ({checks})" if checks else ""
        st.markdown(f"**{said} enabled{of}{disabled}**" if rules else "**Rules**", width="content")
        st.space("stretch")
        st.button(
            "Add rule", icon=":material/add:", key="quality_new", on_click=go_within, kwargs={"rule": NEW},
            disabled=bool(refusal), help=refusal or None,
        )  # fmt: skip
        with work_popover("Import", key="quality_import", icon=":material/upload:", disabled=bool(refusal)):
            import_rules(sheet, rules)
        with work_popover("Export", key="quality_export", icon=":material/download:", disabled=not rules):
            export_rules(sheet)
    if refusal:
        st.caption(refusal)


# --- the grid --------------------------------------------------------------------------------------------------------


def list_rules(sheet: Sheet, rules: Sequence[Rule], *, refusal: str) -> None:
    """The rules as a grid whose cells are saved as they are edited, and what can be done with the selected ones."""
    for error in st.session_state.get(f"{REFUSED}_{sheet.id}", ()):
        show_error(error)
    bar = st.container(horizontal=True, vertical_alignment="center")
    columns = [replace(column, is_editable=False) for column in COLUMNS] if refusal else COLUMNS
    words = column_words(sheet)
    lines = [
        {**line(rule), "meaning": meaning(rule.draft, words), "columns": columns_shown(sheet, rule)} for rule in rules
    ]
    given = edit_grid(
        pd.DataFrame(lines), key=GRID, row_id="id", columns=columns, selection="multi",
        height=min(640, 46 + 38 * max(len(rules), 3)), save=lambda edits: save_edits(rules, edits),
    )  # fmt: skip
    with bar:
        bulk_bar([rule for rule in rules if rule.id in given.selected], refusal=refusal)


def columns_shown(sheet: Sheet, rule: Rule) -> str:
    """The columns of a rule with their sources."""
    return ", ".join(column_title(sheet, name) for name in rule.draft.columns)


def line(rule: Rule) -> dict[str, Cell]:
    """One line of the grid, as far as it is about the rule alone."""
    draft = rule.draft
    return {
        "id": rule.id,
        "is_enabled": draft.is_enabled,
        "name": draft.name,
        "criticality": CRITICALITIES[draft.criticality],
        "filter": draft.filter,
        "function": draft.function,
        "arguments": json.dumps(dict(draft.arguments), ensure_ascii=False) if draft.arguments else "",
        "origin": ORIGINS[draft.origin],
    }


def save_edits(rules: Sequence[Rule], edits: Sequence[CellEdit]) -> None:
    """Save the edited cells, all of one rule together.

    What is refused goes back to the value that the server has, by a fresh grid, and the reason stays above the grid
    until the next edit.
    """
    known = {rule.id: rule for rule in rules}
    by_rule: dict[str, list[CellEdit]] = {}
    for edit in edits:
        by_rule.setdefault(edit.row_id, []).append(edit)
    for rule_id, several in by_rule.items():
        with guard_callback():
            save_rule(known.get(rule_id), several)
    refused = st.session_state.pop("kept_errors", [])
    st.session_state[f"{REFUSED}_{rules[0].sheet_id}"] = refused
    if refused:
        clear_selection(GRID)
    st.rerun()


def save_rule(rule: Rule | None, edits: Sequence[CellEdit]) -> None:
    """Save the edited cells of one rule; a cell that somebody else changed meanwhile is refused."""
    if rule is None:
        raise ChangedByOthers("This rule was deleted meanwhile.", hint="The grid shows the rules that are left.")
    first = edits[0]
    if (line(rule)[first.column] or "") != (first.before or ""):
        seen = str(first.before or "") if first.column == "name" else rule.name
        raise ChangedByOthers(
            f"“{seen}” was just changed by {rule.updated_by}. Your change is not saved.",
            hint="The grid shows the rule as it is now.",
        )
    draft = rule.draft
    for edit in edits:
        draft = edited(draft, edit)
    cached.workbench().data_quality.update_rule(rule.id, draft, by=current_user(), row_version=rule.row_version)


def edited(draft: RuleDraft, edit: CellEdit) -> RuleDraft:
    """The rule with one edited cell."""
    if edit.column == "is_enabled":
        return replace(draft, is_enabled=edit.after in (True, "true", 1))
    text = str(edit.after or "").strip()
    if edit.column == "criticality":
        return replace(draft, criticality=criticality_of(text))
    if edit.column == "name" and not text:
        raise Invalid("A rule needs a name.", hint="Enter one.")
    return replace(draft, name=text) if edit.column == "name" else replace(draft, filter=text)


def criticality_of(title: str) -> Criticality:
    """The criticality that a title stands for."""
    return next((one for one, shown in CRITICALITIES.items() if shown == title), Criticality.ERROR)


def bulk_bar(chosen: Sequence[Rule], *, refusal: str) -> None:
    """What can be done with the selected rules."""
    hint = "Double-click a cell to change it; tick rules to do more."
    st.markdown(f"**{len(chosen)} selected**" if chosen else f":small[:gray[{hint}]]", width="content")
    st.space("stretch")
    if not chosen:
        return
    off = bool(refusal)
    if len(chosen) == 1:
        st.button(
            "Edit", icon=":material/edit:", key="quality_edit", on_click=go_within, kwargs={"rule": chosen[0].id},
        )  # fmt: skip
    for label, icon, is_enabled in (("Enable", "toggle_on", True), ("Disable", "toggle_off", False)):
        if any(rule.is_enabled is not is_enabled for rule in chosen):
            st.button(
                label, icon=f":material/{icon}:", key=f"quality_enable_{is_enabled}", on_click=enable,
                args=(chosen,), kwargs={"is_enabled": is_enabled}, disabled=off, help=refusal or None,
            )  # fmt: skip
    with st.popover("Delete", icon=":material/delete:", disabled=off):
        st.markdown(f"Delete {counted(len(chosen), 'rule')}? What past runs found is kept.")
        st.button("Delete for good", type="primary", key="quality_delete", on_click=delete, args=(chosen,))


def enable(chosen: Sequence[Rule], *, is_enabled: bool) -> None:
    """Let rules take part in runs, or not."""
    with guard_callback():
        cached.workbench().data_quality.enable_rules(chosen, is_enabled=is_enabled, by=current_user())


def delete(chosen: Sequence[Rule]) -> None:
    """Delete rules."""
    with guard_callback():
        cached.workbench().data_quality.delete_rules(chosen, by=current_user())
        clear_selection(GRID)
        flash(f"{counted(len(chosen), 'rule')} deleted.")
        go_within(rule="")


# --- files -----------------------------------------------------------------------------------------------------------


def import_rules(sheet: Sheet, rules: Sequence[Rule]) -> None:
    """Upload or paste a rule set; what would be taken and what not is listed before anything is saved."""
    round_ = st.session_state.get("quality_import_round", 0)
    file = st.file_uploader(
        "Rules in the format of DQX", type=["yaml", "yml", "json"], key=f"quality_import_file_{round_}"
    )
    pasted = st.text_area(
        "Or paste them", key=f"quality_import_text_{round_}", height=120,
        placeholder="- name: dep_time_in_range\n  criticality: error\n  check:\n    function: is_in_range",
    )  # fmt: skip
    text = file.getvalue().decode("utf-8-sig", errors="replace") if file else (pasted or "")
    if not text.strip():
        return
    replaces = st.toggle(
        "Replace rules of the same name", key=f"quality_import_replace_{round_}",
        help="Otherwise a rule whose name is taken is left out. What a rule was before stays in the history.",
    )  # fmt: skip
    replacing = rules if replaces else ()
    with guard():
        found = cached.workbench().data_quality.preview_import(sheet.id, text, replacing=replacing)
        list_import(found, {rule.name for rule in replacing})
        if st.button(
            f"Import {counted(len(found.accepted), 'rule')}", type="primary", key="quality_import_save",
            disabled=not found.accepted,
        ):  # fmt: skip
            added = cached.workbench().data_quality.import_rules(sheet.id, text, by=current_user(), replacing=replacing)
            st.session_state["quality_import_round"] = round_ + 1
            close_popover("quality_import")
            flash(f"{counted(len(added.accepted), 'rule')} imported.")
            st.rerun()


def list_import(found: ImportPreview, replaced: Collection[str]) -> None:
    """Which rules of a file are taken, which of them in place of another, and why the others are not."""
    for draft in found.accepted:
        mark = ":orange[:material/sync:]" if draft.name in replaced else ":green[:material/check_circle:]"
        how = " (replaces the rule of this name)" if draft.name in replaced else ""
        st.markdown(f"{mark} {plain(draft.proposed_name)}{how}: {sentence(draft.meaning)}")
    for refused in found.refused:
        st.markdown(f":red[:material/cancel:] {plain(refused.sentence)}")


def export_rules(sheet: Sheet) -> None:
    """The rule set as a file: for DQX as it is, or with everything that only the workbench knows."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Format", list(FORMATS), default="yaml", required=True, key="quality_export_format",
            format_func=lambda one: FORMATS[one][0],
        )  # fmt: skip
        format_: Format = "json" if chosen == "json" else "yaml"
        everything = st.toggle(
            "Everything", key="quality_export_all",
            help="Also disabled rules and those that DQX does not have; for another workbench",
        )  # fmt: skip
    if not everything:
        st.caption(
            f"For Databricks DQX {DQX_VERSION} or newer. In older releases every row would fail where texts are listed."
        )
    with guard():
        written = cached.workbench().data_quality.export_rules(sheet.id, format=format_, for_dqx=not everything)
        for note in written.notes:
            st.caption(f":material/info: {plain(note)}")
        st.download_button(
            "Download", written.text, f"{file_stem(sheet.name)}-rules.{format_}", FORMATS[format_][1],
            key="quality_export_file", icon=":material/download:", type="primary", on_click="ignore",
        )  # fmt: skip
        st.code(written.text, language=format_, height=320)


def file_stem(name: str) -> str:
    """A name that every system takes as a file name."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")[:60] or "sheet"


# --- what happened to them -------------------------------------------------------------------------------------------


def show_changes(sheet: Sheet) -> None:
    """Who changed which rule, from what to what, newest first."""
    events = cached.workbench().history.of("sheet", sheet.id, limit=MAX_EVENTS)
    changes = [(event, lines) for event in events if (lines := words_of(event.details))][:MAX_CHANGES]
    if not changes:
        return
    with st.expander("Changes of the rules", icon=":material/history:", key="quality_rule_changes"):
        for event, lines in changes:
            said = [f"- {plain(line)}" for line in lines[:MAX_LINES]]
            if len(lines) > MAX_LINES:
                said.append(f"- and {counted(len(lines) - MAX_LINES, 'rule')} more")
            who = plain(f"{words(event.action)}: {event.by}, {ago(event.happened_at)}")
            st.markdown("\n".join([f"**{who}**", *said]))
