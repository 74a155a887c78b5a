"""Which column fills which placeholder: the same names are filled in, similar ones are offered with one click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from pages.components.words import plain
from workbench_core.prompt_templates import (
    MappingProposal,
    TemplateDraft,
    propose_for,
    suggest_mapping,
    unmapped,
)


def choose_mapping(
    template: TemplateDraft, columns: Sequence[str], *, key: str, start: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Draw one list of columns for each placeholder, and give what is chosen now as placeholder → column.

    Only placeholders with a column are in the answer; `unmapped(template, answer)` names required ones that still lack
    one, and this component lists them too. The answer has the order of the prompt. It is filled at first from `start`
    (a mapping that was kept, for example), or else from columns whose names are the same but for case and punctuation;
    never from the target column. A similar name is not taken by itself: it is offered below its list.

    What a person chooses is kept for the session: let `key` name the template and the sheet. A column that is no longer
    among `columns` is dropped. Nothing is written to the store. The widgets have the keys `<key>_map_<placeholder>`
    (the list), `<key>_use_<placeholder>` (take the similar column) and `<key>_match` (take all similar ones).
    """
    names = template.placeholders
    if not names:
        st.caption("This template has no placeholder: every item would get the same question.")
        return {}
    chosen = chosen_mapping(template, columns, key=key, start=start)
    left = [name for name in names if name not in chosen]
    offered = suggest_mapping(left, columns, taken=tuple(chosen.values())) if left else {}
    with st.grid(min_column_width=180, gap="small"):
        for name in names:
            with st.container(gap="xxsmall"):
                _choice(template, name, columns, key=key)
                if name in offered:
                    _offer(name, offered[name], key=key)
    _show_unmapped(unmapped(template, chosen), offered, key=key)
    return chosen


def chosen_mapping(
    template: TemplateDraft, columns: Sequence[str], *, key: str, start: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What `choose_mapping` would give, without drawing it: for what stands above it on the page."""
    _fill(template, columns, key=key, start=start)
    return {name: column for name in template.placeholders if (column := st.session_state[_widget(key, name)])}


def _widget(key: str, placeholder: str) -> str:
    return f"{key}_map_{placeholder}"


def _fill(template: TemplateDraft, columns: Sequence[str], *, key: str, start: Mapping[str, str] | None) -> None:
    """Fill lists that are shown for the first time, and empty those whose column is gone."""
    proposed = propose_for(template, columns)
    for name in template.placeholders:
        widget = _widget(key, name)
        if widget not in st.session_state:
            kept = (start or {}).get(name, "")
            st.session_state[widget] = kept if kept in columns else proposed.get(name)
        elif st.session_state[widget] not in columns:
            st.session_state[widget] = None


def _choice(template: TemplateDraft, name: str, columns: Sequence[str], *, key: str) -> None:
    """One list, and what the author says of the placeholder."""
    is_optional = name in template.optional_placeholders
    # signs that keep a label plain are read out; a placeholder has letters, digits and _ only
    label = plain(name) if name.startswith("_") or name.endswith("_") else name
    st.selectbox(
        f"{label} (optional)" if is_optional else label, columns, index=None, key=_widget(key, name),
        placeholder="Left empty" if is_optional else "Choose a column", persist_state="session",
    )  # fmt: skip
    if described := next((entry.description for entry in template.inputs if entry.name == name), ""):
        st.caption(plain(described))


def _offer(name: str, proposal: MappingProposal, *, key: str) -> None:
    """The column with a similar name, to be taken with one click."""
    st.button(
        f"Use {plain(proposal.column)}: {plain(proposal.reason)}",
        key=f"{key}_use_{name}", icon=":material/auto_fix_high:", type="tertiary",
        on_click=partial(_take, {name: proposal.column}, key=key),
    )  # fmt: skip


def _take(columns: Mapping[str, str], *, key: str) -> None:
    """Take over columns that were offered."""
    for name, column in columns.items():
        st.session_state[_widget(key, name)] = column


def _show_unmapped(missing: Sequence[str], offered: Mapping[str, MappingProposal], *, key: str) -> None:
    """What still needs a column, and all similar names in one click."""
    if not missing and len(offered) < 2:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if missing:
            names = ", ".join(plain(name) for name in missing)
            st.markdown(f":orange[:material/link_off: Without a column: {names}]", width="content")
        if offered:
            st.button(
                "Try auto-match", key=f"{key}_match", icon=":material/auto_fix_high:",
                help="Takes every similar column that is offered above; look at them before you go on.",
                on_click=partial(_take, {name: each.column for name, each in offered.items()}, key=key),
            )  # fmt: skip
