"""New label sets: from a preset, empty, from a column of a sheet, from labels that are there, or from a file."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.label_set_look import class_chips
from pages.components.layout import close_popover, flash, work_popover
from pages.components.rights import why_not
from pages.components.template_sheet import listed_sheets
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.errors import Invalid
from workbench_core.label_sets import (
    PRESETS,
    Derived,
    LabelSet,
    LabelSetDraft,
    LabelSetFilter,
    draft_from_definition,
    tidied,
)
from workbench_core.permissions import Action

_POPOVER = "label_sets_new"
_AS_NEW = ""
WAYS = {"preset": "Preset", "blank": "Blank", "column": "Column", "labels": "Labels", "file": "File"}
STARTERS = ("Sentiment", "Defect detection", "Quality inspection", "Yes or no")


def open_label_set(label_set: LabelSet, message: str) -> None:
    """Go to a label set with a message about what was done."""
    flash(message)
    close_popover(_POPOVER)
    st.query_params.from_dict({"label_set": label_set.id})
    st.rerun()


def new_label_set() -> None:
    """The ways to a new label set."""
    refusal = why_not(Action.EDIT_LABEL_SETS)
    with work_popover("New label set", key=_POPOVER, icon=":material/add:", kind="primary", disabled=bool(refusal)):
        if refusal:
            st.caption(plain(refusal))
            return
        way = st.segmented_control(
            "Begin with", list(WAYS), key="label_sets_way", default="preset", required=True,
            format_func=WAYS.__getitem__,
        )  # fmt: skip
        with guard():
            match way:
                case "blank":
                    _make(LabelSetDraft("", ""), key="blank", said="Add its classes.")
                case "column":
                    _from_column()
                case "labels":
                    _from_labels()
                case "file":
                    _from_file()
                case _:
                    _from_preset()


def starter_buttons() -> None:
    """A few presets as buttons with their classes, for who has no label set yet."""
    refusal = why_not(Action.EDIT_LABEL_SETS)
    for name in STARTERS:
        with st.container(gap="xsmall", width=225):
            is_chosen = st.button(
                name, key=f"label_sets_first_{name}", help=refusal or None, disabled=bool(refusal), width="stretch"
            )
            class_chips(PRESETS[name].classes, most=4)
        if is_chosen:
            with guard():
                made = cached.workbench().label_sets.create(PRESETS[name], by=current_user())
                open_label_set(made, "Draft created. Change it to fit your data.")


def _from_preset() -> None:
    name = str(st.selectbox("Preset", list(PRESETS), key="label_sets_preset"))
    st.caption(PRESETS[name].description)
    class_chips(PRESETS[name].classes)
    _make(PRESETS[name], key=f"preset_{name}", said="Change it to fit your data.")


def _make(draft: LabelSetDraft, *, key: str, said: str) -> None:
    """Ask for name and label type, which stays, and make the draft."""
    name = st.text_input("Name", draft.name, key=f"label_sets_{key}_name", max_chars=255)
    label_type = st.text_input(
        "Label type", draft.label_type, key=f"label_sets_{key}_type", max_chars=100,
        placeholder="The question that labels answer, such as defect_class",
        help="Templates and labels of the same label type belong to the set. It cannot be changed later.",
    )  # fmt: skip
    is_named = bool(name.strip() and label_type.strip())
    if st.button(
        "Make a draft", key=f"label_sets_{key}_make", type="primary", disabled=not is_named,
        help=None if is_named else "Give it a name and a label type first.",
    ):  # fmt: skip
        made = cached.workbench().label_sets.create(replace(draft, name=name, label_type=label_type), by=current_user())
        open_label_set(made, f"Draft created. {said}")


# --- from data -------------------------------------------------------------------------------------------------------


def _from_column() -> None:
    """Classes out of the values of a column (LS-7)."""
    known = listed_sheets()
    if not known:
        st.caption("There is no sheet yet. Make one on the Data page.")
        return
    sheet_id = st.selectbox(
        "Sheet", list(known), key="label_sets_sheet", index=None, placeholder="Choose a sheet",
        format_func=lambda one: known[one].name,
    )  # fmt: skip
    if sheet_id is None:
        st.caption("Its values become classes, the most frequent first. There can be 200 of them.")
        return
    names = [column.name for column in cached.sheet_columns(str(sheet_id))]
    column = st.selectbox(
        "Column", names, key=f"label_sets_column_{sheet_id}", index=None, placeholder="Choose a column"
    )
    if column is not None:
        _show_derived(_kept("column", str(sheet_id), str(column)), key=f"column_{sheet_id}_{column}")


def _from_labels() -> None:
    """Classes out of the answers of canonical labels (LS-7)."""
    sheets = {sheet.id: sheet.name for sheet in cached.sheets(limit=500)}
    types = {one.label_type for sheet_id in sheets for one in cached.workbench().canonical_labels.coverage(sheet_id)}
    if not types:
        st.caption("No item has a label yet. Labels are made while pairs are reviewed.")
        return
    label_type = st.selectbox(
        "Label type", sorted(types), key="label_sets_labels_type", index=None, placeholder="Choose a label type"
    )
    sheet_id = st.selectbox(
        "Sheet", ["", *sheets], key="label_sets_labels_sheet", format_func=lambda one: sheets.get(one, "All sheets")
    )
    if label_type is not None:
        _show_derived(_kept("labels", str(sheet_id), str(label_type)), key=f"labels_{sheet_id}_{label_type}")


def _kept(way: str, sheet_id: str, name: str) -> Derived:
    """The proposal for a choice; counted once and kept while it is looked at."""
    asked, place = (way, sheet_id, name), "label_sets_derived"
    if st.session_state.get(place, (None,))[0] != asked:
        label_sets = cached.workbench().label_sets
        derive = label_sets.derive_from_column if way == "column" else label_sets.derive_from_labels
        st.session_state[place] = (asked, derive(sheet_id, name))
    found: Derived = st.session_state[place][1]
    return found


def _show_derived(found: Derived, *, key: str) -> None:
    rows, number = sum(found.counts), len(found.classes)
    st.caption(f"{number:,} {'class' if number == 1 else 'classes'} out of {counted(rows, 'value')}:")
    counts = zip(found.classes, found.counts, strict=True)
    class_chips([replace(one, title=f"{one.shown} · {times:,}") for one, times in counts], most=12)
    if found.merged:
        spelled = ", ".join(f"“{plain(one)}”" for one in found.merged[:5])
        st.caption(f"Other spellings are counted with them: {spelled}. Labels must say the proposed ones.")
    _make(found.draft, key=key, said="Look its classes through.")


# --- files -----------------------------------------------------------------------------------------------------------


def _from_file() -> None:
    """A definition as a new label set, or as the next version of one with the same name (LS-6)."""
    uploaded = st.file_uploader("Label set file", type=["json"], key="label_sets_file", max_upload_size=2)
    if uploaded is None:
        st.caption("A JSON definition as Export makes it.")
        return
    try:
        text = uploaded.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("This file is no text in UTF-8.", hint="Choose a label set file.") from None
    draft = tidied(draft_from_definition(text))
    st.markdown(f"**{plain(draft.name)}** · label type {plain(draft.label_type)}")
    class_chips(draft.classes)
    lineage_id = _choose_lineage(draft)
    if st.button("Import", key="label_sets_import", type="primary", icon=":material/upload_file:"):
        made = cached.workbench().label_sets.import_definition(text, by=current_user(), lineage_id=lineage_id)
        open_label_set(made, f"Imported as draft {made.version}.")


def _choose_lineage(draft: LabelSetDraft) -> str:
    """The lineage that the file continues; empty for a new set. Asked only when name and label type are there."""
    label_sets = cached.workbench().label_sets
    same = {
        one.lineage_id: one.name
        for one in label_sets.find(LabelSetFilter(label_type=draft.label_type, search=draft.name), limit=100)
        if one.name.casefold() == draft.name.casefold()
    }
    if not same:
        return _AS_NEW
    titles = {
        lineage: f"Next version of “{plain(name)}” after {label_sets.versions(lineage)[0].version}"
        for lineage, name in list(same.items())[:5]
    }
    titles[_AS_NEW] = "A new label set with the same name"
    return str(st.radio("Import as", list(titles), key="label_sets_import_as", format_func=titles.__getitem__))
