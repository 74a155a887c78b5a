"""The allowed answers of label types: write label sets, publish and version them; `?label_set=<id>` opens one.

`?show=` chooses the part of an open set, `?find=` and `?page=` its labels. `?status=`, `?label_type=`, `?tag=`,
`?use_case=`, `?search=` and `?page=` filter the list.
"""

from __future__ import annotations

import streamlit as st

from pages.components.address import choose_in_url
from pages.components.errors import guard
from pages.components.label_set_actions import PARTS, act, draw_actions, part_of, troubled
from pages.components.label_set_classes import classes_part
from pages.components.label_set_form import opened, schema_fault, typed, version_key
from pages.components.label_set_list import show_list
from pages.components.label_set_overview import labels_part, overview_part
from pages.components.label_set_settings import about_part, schema_part
from pages.components.label_set_versions import versions_part
from pages.components.layout import page_header
from pages.components.rights import why_not
from pages.components.words import plain
from workbench_core import cached
from workbench_core.label_sets import LabelSet, LabelSetStatus, Problem, problems_of
from workbench_core.permissions import Action

label_sets = cached.workbench().label_sets


def show_label_set(label_set: LabelSet) -> None:
    """One version: its numbers, and its editor or the same fields read-only."""
    refusal = why_not(Action.EDIT_LABEL_SETS)
    is_open = label_set.status is LabelSetStatus.DRAFT and not refusal
    st.button(
        "All label sets", key="label_sets_back", icon=":material/arrow_back:", type="tertiary",
        on_click=st.query_params.clear,
    )  # fmt: skip
    actions = page_header(
        plain(label_set.name), f"Version {label_set.version} · label type {plain(label_set.label_type)}",
        status=label_set.status, is_demo=label_set.is_demo,
    )  # fmt: skip
    message = st.container()
    base, known = opened(label_set), label_sets.versions(label_set.lineage_id)
    titles = part_titles(problems_of(typed(base, label_set)), base)
    part = choose_in_url("Part", list(PARTS), key="show", default="classes" if is_open else "overview", titles=titles)
    with guard():
        show_part(label_set, part, base, is_open=is_open)
    draft = typed(base, label_set)  # after the part, whose table says only while it is drawn what is typed in it
    with actions:
        pressed = draw_actions(label_set, base, known)
    with message, guard():
        is_older = show_changed_by_others(label_set, is_saving=pressed == "save")
        is_changed = draft != label_set.draft or bool(schema_fault(base))
        show_state(label_set, problems_of(draft), refusal, is_changed=is_changed)
        if pressed and not (is_older and pressed == "save"):
            act(label_set, pressed, draft)


def part_titles(problems: list[Problem], base: str) -> dict[str, str]:
    """The names of the parts; a mark on those in which something is to solve."""
    red = {part_of(problem) for problem in problems if not problem.is_warning}
    red |= {"schema"} if schema_fault(base) else set()
    return {part: f"{title} :red[:material/error:]" if part in red else title for part, title in PARTS.items()}


def show_part(label_set: LabelSet, part: str, base: str, *, is_open: bool) -> None:
    """The part that the address names."""
    match part:
        case "classes":
            classes_part(label_set, base, is_open=is_open)
        case "schema":
            schema_part(label_set, base, is_open=is_open)
        case "about":
            about_part(label_set, base, is_open=is_open)
        case "labels":
            labels_part(label_set)
        case "versions":
            versions_part(label_set, label_sets.versions(label_set.lineage_id))
        case _:
            overview_part(label_set)


def show_changed_by_others(label_set: LabelSet, *, is_saving: bool) -> bool:
    """Say that the draft was saved elsewhere meanwhile, and offer to take that over; give whether it was."""
    if st.session_state[version_key(label_set)] == label_set.row_version:
        return False
    not_saved = " Nothing was saved." if is_saving else ""
    st.warning(
        f"{plain(label_set.updated_by)} changed this label set after you opened it.{not_saved} Copy what you want to "
        "keep of yours, then load their version.",
        icon=":material/group:",
    )
    if st.button("Load their version", key=f"load_{label_set.id}", help="What you typed here is lost."):
        del st.session_state[version_key(label_set)]
        st.rerun()
    return True


def show_state(label_set: LabelSet, problems: list[Problem], refusal: str, *, is_changed: bool) -> None:
    """Why this version cannot be changed, or what is left to do before it can be published."""
    if refusal:
        st.caption(f"{plain(refusal)} You can read it, and export it.")
    elif label_set.status is not LabelSetStatus.DRAFT:
        st.caption("A published or archived version never changes. To change it, make a new version.")
    else:
        said = ["Changes are not saved yet." if is_changed else "Everything is saved."]
        if parts := troubled(problems):
            said.append(f"Before this set can be published, something is to solve in: {', '.join(parts)}.")
        st.caption(" ".join(said))


if label_set_id := st.query_params.get("label_set"):
    show_label_set(label_sets.get(label_set_id))
else:
    show_list()
