"""Demo data, the parts and their health, roles, configuration and versions; `?view=` chooses."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash, page_header
from pages.components.rights import why_not
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.demo import DemoSource
from workbench_core.installation import QUESTION, Part
from workbench_core.permissions import ALLOWED, Action, Role

VIEWS = {"demo": "Demo data", "parts": "Parts", "roles": "Roles", "configuration": "Configuration"}

workbench, user = cached.workbench(), current_user()
refusal = why_not(Action.ADMINISTER)


# --- demo data -------------------------------------------------------------------------------------------------------


def show_demo() -> None:
    """What the demo data is, whether it is there, and one button to put it there or take it away."""
    content = workbench.demo.content()
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall"):
            if content.is_loaded:
                st.markdown(":green[:material/check_circle:] **The demo data is loaded**")
                st.caption(f"On it stand {told(content.told)}.")
            else:
                st.markdown(":material/science: **The demo data is not loaded**")
                st.caption("Real data under open licences, with sheets and prompt templates, to look around with.")
        if content.is_loaded:
            with st.popover("Remove", icon=":material/delete:", disabled=bool(refusal)):
                remove_demo(content.told)
        elif st.button(
            "Load the demo data", type="primary", icon=":material/science:", key="settings_load",
            disabled=bool(refusal), help=refusal or None,
        ):  # fmt: skip
            load_demo()
    st.subheader("Where it comes from", anchor=False)
    with st.grid(min_column_width=280):
        for source in workbench.demo.sources():
            show_source(source)


def told(counts: dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(counted(name, count) for name, count in counts.items())


def counted(name: str, count: int) -> str:
    """One sheet, two sheets."""
    return f"{count:,} {name.removesuffix('s') if count == 1 else name}"


def load_demo() -> None:
    """Put the demo data in place."""
    with guard(), st.spinner("Loading the demo data"):
        workbench.demo.load(by=user)
        flash("The demo data is loaded.")
        st.rerun()


def remove_demo(counts: dict[str, int]) -> None:
    """Say what goes, and remove it."""
    st.markdown("**This takes away the demo data and everything that was made from it:**")
    st.markdown("\n".join(f"- {counted(name, count)}" for name, count in counts.items()))
    st.caption("Your own tables, sheets, labels and models stay. The history keeps that it happened.")
    if st.button("Remove all of it", type="primary", icon=":material/delete:", key="settings_remove"):
        with guard(), st.spinner("Removing the demo data"):
            removed = workbench.demo.remove(by=user)
            flash(f"Removed: {told(removed.told)}.", icon=":material/delete:")
            st.rerun()


def show_source(source: DemoSource) -> None:
    """One source with its licence."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.markdown(f"**{plain(source.title)}**")
        st.markdown(plain(source.description))
        st.caption(plain(f"{source.rows:,} rows · {source.name}"))
        st.caption(plain(source.source))
        st.link_button(source.licence, source.licence_url, type="tertiary", icon=":material/license:")


# --- parts -----------------------------------------------------------------------------------------------------------


def show_parts() -> None:
    """Every part with its readiness; the language models can be asked."""
    with st.spinner("Looking at the parts"):
        found = cached.parts()
    ready = [part for part in found if part.is_ready]
    st.caption(f"{len(ready)} of {len(found)} parts are ready.")
    with st.grid(min_column_width=280):
        for part in found:
            show_part(part)


def show_part(part: Part) -> None:
    """One part: ready, or why not and what to do."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(part.title)}**", width="stretch")
            st.badge("Ready" if part.is_ready else "Not ready", color="green" if part.is_ready else "orange")
        for name, value in part.details.items():
            if value:
                st.caption(f"{name}: {plain(value)}")
        if not part.is_ready:
            st.markdown(plain(part.availability.reason))
            st.caption(plain(part.availability.hint))
        if part.model_name:
            ask_model(part)


def ask_model(part: Part) -> None:
    """A real question to a language model, with its answer and the time it took."""
    cannot = refusal or ("" if part.is_ready else part.availability.reason)
    asked = st.button(
        "Ask a test question", key=f"settings_ask_{part.model_name}", icon=":material/chat:", disabled=bool(cannot),
        help=cannot or QUESTION,
    )  # fmt: skip
    if not asked:
        return
    with guard(), st.spinner("Waiting for the answer"):
        answer = workbench.installation.ask_model(part.model_name, by=user)
        if answer.error:
            st.error(plain(answer.error), icon=":material/error:")
        else:
            st.caption(QUESTION)
            st.text(answer.text or "An empty answer.")
            st.caption(f"{answer.latency_ms:,.0f} ms · {answer.tokens_out:,} tokens")


# --- roles -----------------------------------------------------------------------------------------------------------


def show_roles() -> None:
    """Who is what, and what each role may do."""
    left, right = st.columns([3, 2])
    with left:
        st.subheader("People", anchor=False)
        list_people()
    with right, st.container(border=True):
        assign_role()
    st.subheader("What each role may do", anchor=False)
    frame = pd.DataFrame(
        {role_title(role): [action in allowed for action in Action] for role, allowed in ALLOWED.items()},
        index=pd.Index([words(action) for action in Action], name="Action"),
    )
    st.dataframe(frame, alt="Which role may do what", height="content")


def role_title(role: str) -> str:
    """A role as people read it."""
    return words(role).replace("Ml ", "ML ")


def list_people() -> None:
    """Everybody with a role of their own."""
    found = workbench.permissions.assignments()
    default = role_title(workbench.settings.default_role)
    if found:
        st.dataframe(
            pd.DataFrame(
                {
                    "Person": [one.email for one in found],
                    "Role": [role_title(one.role) for one in found],
                    "Assigned by": [one.assigned_by for one in found],
                    "When": [one.assigned_at for one in found],
                }
            ),
            hide_index=True,
            height="content",
            alt="People and their roles",
            column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        )
    st.caption(f"{'Everybody else is' if found else 'Nobody has a role of their own; everybody is'}: {plain(default)}.")


def assign_role() -> None:
    """Give a person a role."""
    with st.form("settings_role", border=False, clear_on_submit=True):
        st.markdown("**Give a role**")
        person = st.text_input("Person", placeholder="name@example.com", disabled=bool(refusal))
        role = st.selectbox("Role", list(Role), format_func=role_title, disabled=bool(refusal))
        if st.form_submit_button("Assign", type="primary", disabled=bool(refusal), help=refusal or None):
            with guard():
                workbench.permissions.assign(person, role, by=user)
                flash(f"{person.strip()} is now {role.replace('_', ' ')}.")
                st.rerun()
    if refusal:
        st.caption(refusal)


# --- configuration ---------------------------------------------------------------------------------------------------


def show_configuration() -> None:
    """Environment variables with their present values, and versions."""
    st.subheader("Environment variables", anchor=False)
    st.caption("Read once when the app starts. Passwords and keys are never shown.")
    found = workbench.installation.variables()
    st.dataframe(
        pd.DataFrame(
            {
                "Variable": [one.name for one in found],
                "Present value": [one.value for one in found],
                "Without it": [one.default or "–" for one in found],
                "Meaning": [one.meaning for one in found],
            }
        ),
        hide_index=True,
        height="content",
        alt="Environment variables",
        column_config={"Meaning": st.column_config.TextColumn(width="large")},
    )
    st.subheader("Versions", anchor=False)
    versions = workbench.installation.versions()
    frame = pd.DataFrame({"Package": list(versions), "Version": list(versions.values())})
    st.dataframe(frame, hide_index=True, height="content", width=420, alt="Versions")


page_header("Settings", "Demo data, the parts of this workbench and their health, roles and configuration.")
view = choose_in_url("View", list(VIEWS), key="view", default="demo", titles=VIEWS)
{"demo": show_demo, "parts": show_parts, "roles": show_roles, "configuration": show_configuration}[view]()
