"""The rules of a sheet: edited in a grid or a form, read as YAML, imported, exported, and made of sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.grid import Cell, CellEdit, GridColumn, clear_selection, edit_grid
from pages.components.identity import current_user
from pages.components.layout import close_popover, empty_state, flash, plain, work_popover
from pages.components.quality_look import CRITICALITIES, ORIGINS, counted, go_within, sentence
from pages.components.quality_profile import profile_button
from pages.components.quality_rule_form import NEW, rule_form
from workbench_core import cached, cached_quality
from workbench_core.data_quality import EXAMPLES, Criticality, Format, ImportPreview, Proposals, Rule, RuleDraft
from workbench_core.errors import ChangedByOthers, Invalid
from workbench_core.sheets import Sheet

GRID = "quality_rules_grid"
COLUMNS = [
    GridColumn("is_enabled", "On", width=86, kind="check", is_editable=True),
    GridColumn("name", "Name", width=210, is_editable=True),
    GridColumn("meaning", "Demands", share=3, least=300),
    GridColumn("criticality", "A failure is", width=120, is_editable=True, options=tuple(CRITICALITIES.values())),
    GridColumn("filter", "Only where", width=150, kind="mono", is_editable=True),
    GridColumn("function", "Function", width=170, kind="mono"),
    GridColumn("columns", "Columns", width=150),
    GridColumn("arguments", "Arguments", width=220, kind="mono"),
    GridColumn("origin", "From", width=100, kind="badge", colors={"Profile": "blue", "Sentence": "violet"}),
]
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
        list_rules(rules, refusal=refusal)
    elif not opened:
        with empty_state(
            "No rules yet. Profile this sheet to get suggestions, describe a rule in a sentence, or add one by hand.",
            icon=":material/rule:",
        ):
            profile_button(sheet, refusal=refusal, kind="primary", place="rules")
    from_sentences(sheet, refusal=refusal)


def toolbar(sheet: Sheet, rules: Sequence[Rule], *, refusal: str) -> None:
    """Add, import, export, read as YAML."""
    with st.container(horizontal=True, vertical_alignment="center"):
        enabled = sum(rule.is_enabled for rule in rules)
        on = f"{counted(enabled, 'rule')} on" + (f", {len(rules) - enabled} off" if enabled < len(rules) else "")
        st.markdown(f"**{on}**" if rules else "**Rules**", width="content")
        st.space("stretch")
        st.button(
            "Add rule", icon=":material/add:", key="quality_new", on_click=go_within, kwargs={"rule": NEW},
            disabled=bool(refusal), help=refusal or None,
        )  # fmt: skip
        with work_popover("Import", key="quality_import", icon=":material/upload:", disabled=bool(refusal)):
            import_rules(sheet)
        with work_popover("Export", key="quality_export", icon=":material/download:", disabled=not rules):
            export_rules(sheet)
    if refusal:
        st.caption(refusal)


# --- the grid --------------------------------------------------------------------------------------------------------


def list_rules(rules: Sequence[Rule], *, refusal: str) -> None:
    """The rules as a grid whose cells are saved as they are edited, and what can be done with the selected ones."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    columns = [replace(column, is_editable=False) for column in COLUMNS] if refusal else COLUMNS
    given = edit_grid(
        pd.DataFrame([line(rule) for rule in rules]), key=GRID, row_id="id", columns=columns, selection="multi",
        height=min(640, 46 + 38 * max(len(rules), 3)), save=lambda edits: save_edits(rules, edits),
    )  # fmt: skip
    with bar:
        bulk_bar([rule for rule in rules if rule.id in given.selected], refusal=refusal)


def line(rule: Rule) -> dict[str, Cell]:
    """One line of the grid."""
    draft = rule.draft
    return {
        "id": rule.id,
        "is_enabled": draft.is_enabled,
        "name": draft.name,
        "meaning": draft.meaning,
        "criticality": CRITICALITIES[draft.criticality],
        "filter": draft.filter,
        "function": draft.function,
        "columns": ", ".join(draft.columns),
        "arguments": json.dumps(dict(draft.arguments), ensure_ascii=False) if draft.arguments else "",
        "origin": ORIGINS[draft.origin],
    }


def save_edits(rules: Sequence[Rule], edits: Sequence[CellEdit]) -> None:
    """Save the edited cells, all of one rule together; a cell that somebody else changed meanwhile is refused."""
    known = {rule.id: rule for rule in rules}
    changed: dict[str, RuleDraft] = {}
    with guard():
        for edit in edits:
            rule = known.get(edit.row_id)
            if rule is None:
                raise ChangedByOthers("This rule was deleted meanwhile.", hint="Reload the page.")
            if (line(rule)[edit.column] or "") != (edit.before or "") and rule.id not in changed:
                raise ChangedByOthers(f"“{rule.name}” was just changed by {rule.updated_by}.", hint="Look at it anew.")
            changed[rule.id] = edited(changed.get(rule.id, rule.draft), edit)
        for rule_id, draft in changed.items():
            cached.workbench().data_quality.update_rule(
                rule_id, draft, by=current_user(), row_version=known[rule_id].row_version
            )
        st.rerun()


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
    for label, icon, is_enabled in (("Switch on", "toggle_on", True), ("Switch off", "toggle_off", False)):
        if any(rule.is_enabled is not is_enabled for rule in chosen):
            st.button(
                label, icon=f":material/{icon}:", key=f"quality_enable_{is_enabled}", on_click=enable,
                args=(chosen,), kwargs={"is_enabled": is_enabled}, disabled=off, help=refusal or None,
            )  # fmt: skip
    with st.popover("Delete", icon=":material/delete:", disabled=off):
        st.markdown(f"Delete {counted(len(chosen), 'rule')}? What past runs found is kept.")
        st.button("Delete for good", type="primary", key="quality_delete", on_click=delete, args=(chosen,))


def enable(chosen: Sequence[Rule], *, is_enabled: bool) -> None:
    """Switch rules on or off."""
    with guard_callback():
        cached.workbench().data_quality.enable_rules(chosen, is_enabled=is_enabled, by=current_user())


def delete(chosen: Sequence[Rule]) -> None:
    """Delete rules."""
    with guard_callback():
        cached.workbench().data_quality.delete_rules([rule.id for rule in chosen], by=current_user())
        clear_selection(GRID)
        flash(f"{counted(len(chosen), 'rule')} deleted.")
        go_within(rule="")


# --- files -----------------------------------------------------------------------------------------------------------


def import_rules(sheet: Sheet) -> None:
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
    with guard():
        found = cached.workbench().data_quality.preview_import(sheet.id, text)
        list_import(found)
        if st.button(
            f"Add {counted(len(found.accepted), 'rule')}", type="primary", key="quality_import_save",
            disabled=not found.accepted,
        ):  # fmt: skip
            added = cached.workbench().data_quality.import_rules(sheet.id, text, by=current_user())
            st.session_state["quality_import_round"] = round_ + 1
            close_popover("quality_import")
            flash(f"{counted(len(added.accepted), 'rule')} imported.")
            st.rerun()


def list_import(found: ImportPreview) -> None:
    """Which rules of a file are taken, and why the others are not."""
    for draft in found.accepted:
        st.markdown(f":green[:material/check_circle:] {plain(draft.proposed_name)}: {sentence(draft.meaning)}")
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
            help="Also rules that are off and checks that DQX does not have; for another workbench",
        )  # fmt: skip
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


# --- sentences -------------------------------------------------------------------------------------------------------


def from_sentences(sheet: Sheet, *, refusal: str) -> None:
    """Describe rules in words; what comes back is accepted rule by rule."""
    with st.container(border=True):
        st.markdown(":material/draw: **Rules from sentences**")
        with st.form("quality_sentences", border=False):
            text = st.text_area(
                "What must hold", key="quality_sentence", height=90, label_visibility="collapsed",
                placeholder=example(sheet),
            )  # fmt: skip
            asked = st.form_submit_button(
                "Propose rules", icon=":material/auto_awesome:", disabled=bool(refusal), help=refusal or None
            )
        if asked and (text or "").strip():
            with guard(), st.spinner("Reading"):
                found = cached.workbench().data_quality.propose_from_text(sheet.id, text or "", by=current_user())
                st.session_state["quality_proposals"] = (sheet.id, found)
        kept = st.session_state.get("quality_proposals")
        if kept and kept[0] == sheet.id:
            show_proposals(sheet, kept[1], refusal=refusal)


def example(sheet: Sheet) -> str:
    """A sentence about columns that this sheet has."""
    others = [name for name in sheet.columns if name != sheet.item_id_column]
    second = f"\n{others[0]} is not empty" if others else ""
    return f"{sheet.item_id_column} is unique{second}"


def show_proposals(sheet: Sheet, found: Proposals, *, refusal: str) -> None:
    """The proposed rules to accept one by one, what was not understood, and who answered."""
    st.caption(plain(f"Proposed by the {found.proposed_by}. Nothing is saved before you accept it."))
    present = {(rule.draft.function, rule.draft.columns) for rule in cached_quality.rules(sheet.id)}
    for number, one in enumerate(found.rules):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(gap="xsmall", width="stretch"):
                st.markdown(sentence(one.draft.meaning))
                where = f" · only rows where {one.draft.filter}" if one.draft.filter else ""
                st.caption(plain(f"{one.draft.function} · {CRITICALITIES[one.draft.criticality].lower()}{where}"))
            is_saved = (one.draft.function, one.draft.columns) in present
            st.button(
                "Added" if is_saved else "Accept", key=f"quality_accept_{number}",
                icon=":material/check:" if is_saved else ":material/add:", on_click=accept,
                args=(sheet.id, [one.draft]), disabled=is_saved or bool(refusal), help=refusal or None,
            )  # fmt: skip
    for note in found.notes:
        st.markdown(f":orange[:material/help:] {plain(note)}")
    if not found.rules:
        st.caption(f"Sentences like these are understood: {', '.join(f'“{plain(one)}”' for one in EXAMPLES[:4])}.")


def accept(sheet_id: str, drafts: Sequence[RuleDraft]) -> None:
    """Save a proposed rule."""
    with guard_callback():
        cached.workbench().data_quality.save_rules(sheet_id, drafts, by=current_user())
