"""Turn the rows of a sheet into questions and answers: `?sheet=` and `?template=` fill the steps.

`?view=batch` takes several sheets (`?sheets=`) with one template; `?training_sheet=<id>` opens what was generated.
`?status=`, `?of=` and `?search=` filter the list below.
"""

from __future__ import annotations

import streamlit as st

from pages.components.address import choose_in_url
from pages.components.errors import guard
from pages.components.generation_batch import show_batch
from pages.components.generation_list import show_recent
from pages.components.generation_run import Done, act_button
from pages.components.generation_steps import choose_request, limit_key
from pages.components.generation_usage import rules_of, usage_badges
from pages.components.identity import current_user
from pages.components.layout import empty_state, page_header
from pages.components.preflight import show_preflight
from pages.components.rights import why_not
from pages.components.training_sheet_details import show_training_sheet
from pages.components.words import plain
from workbench_core import cached, cached_generation
from workbench_core.permissions import Action
from workbench_core.training_sheets import GenerationRequest, Preflight

workbench, user = cached.workbench(), current_user()
VIEWS = {"one": "One sheet", "batch": "Several sheets"}


def show_steps() -> None:
    """What to generate on the left, what would happen on the right."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        request = choose_request()
    with right, st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader("Pre-flight", anchor=False, width="content")
            if request is not None:
                restrictions(request)
        if request is None:
            st.caption(
                "Choose a sheet and a template to see what would happen: what is known already, what it would cost, "
                "and what may not be used. Nothing is written before you generate."
            )
        else:
            preflight(request)


def restrictions(request: GenerationRequest) -> None:
    """What source and template restrict, as badges."""
    with guard():
        template = workbench.prompt_templates.get(request.prompt_template_id)
        usage_badges(rules_of(request.sheet_id, template))


def preflight(request: GenerationRequest) -> None:
    """What would happen, and the one button that makes it happen."""
    with guard():
        found = cached_generation.preflight(request)

        def raise_limit() -> None:
            key = limit_key(request.sheet_id, request.prompt_template_id)
            st.session_state[key] = found.selected + found.left_out

        show_preflight(
            found, request, key="generate_preflight", start=lambda: start_button(request, found),
            raise_limit=raise_limit,
        )  # fmt: skip


def start_button(request: GenerationRequest, found: Preflight) -> None:
    """The one button; a double click starts once."""
    round_: int = st.session_state.get("generate_round", 0)

    def act() -> Done:
        started = workbench.training_sheets.generate(request, by=user)
        return Done(f"“{started.name}” has started.", (started.id,))

    def open_it(done: Done) -> None:
        st.session_state["generate_round"] = round_ + 1
        st.query_params.from_dict({"training_sheet": str(done.made[0])})

    with st.container(key="generate_start"):
        act_button(
            "Generate", icon="auto_awesome", key=f"generate_go_{round_}", kind="primary", width="stretch",
            reason="" if found.can_generate else "Clear the problems first.",
            sentence="Makes a training sheet and opens it", act=act, then=open_it,
        )  # fmt: skip
    if refusal := why_not(Action.GENERATE):
        st.caption(f"{plain(refusal)} You can look at everything here.")


def show_nothing() -> None:
    """Without any sheet there is nothing to generate from."""
    with empty_state(
        "Nothing to generate from yet. First make a sheet of a table or folder; then a template turns each of its "
        "rows into a question, and answers become pairs that people review.",
        icon=":material/auto_awesome:",
    ):
        st.page_link("data.py", label="Make a sheet", icon=":material/table_view:")


if training_sheet_id := st.query_params.get("training_sheet"):
    show_training_sheet(workbench.training_sheets.get(training_sheet_id))
else:
    with page_header("Generate", "Turn rows into questions and answers. What is labelled once is reused everywhere."):
        view = choose_in_url("View", list(VIEWS), key="view", default="one", titles=VIEWS) if cached.sheets() else ""
    if view == "batch":
        show_batch()
    elif view:
        show_steps()
    else:
        show_nothing()
    show_recent()
