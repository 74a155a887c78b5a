"""Write prompt templates, try them on real rows, publish and version them; `?template=<id>` opens one.

`?show=` chooses the part of an open template and `?sheet=` the sheet that it is looked at on. `?status=`,
`?label_type=`, `?search=` and `?page=` filter the list.
"""

from __future__ import annotations

import streamlit as st

from pages.components.address import choose_in_url
from pages.components.errors import guard
from pages.components.layout import page_header
from pages.components.rights import why_not
from pages.components.template_actions import PARTS, act, draw_actions, part_of, troubled
from pages.components.template_answer import answer_part, read_schema_text, schema_fault
from pages.components.template_examples import examples_part
from pages.components.template_form import opened, typed, version_key
from pages.components.template_inputs import inputs_part
from pages.components.template_list import show_list
from pages.components.template_prompt import prompt_part
from pages.components.template_settings import settings_part
from pages.components.template_trial import trial_part
from pages.components.template_versions import versions_part
from pages.components.words import plain
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import Problem, PromptTemplate, TemplateStatus

templates = cached.workbench().prompt_templates


def show_template(template: PromptTemplate) -> None:
    """One version: its editor, or the same fields read-only."""
    refusal = why_not(Action.EDIT_TEMPLATES)
    is_open = template.status is TemplateStatus.DRAFT and not refusal
    st.button(
        "All templates", key="prompt_templates_back", icon=":material/arrow_back:", type="tertiary",
        on_click=st.query_params.clear,
    )  # fmt: skip
    actions = page_header(
        plain(template.name), f"Version {template.version} · label type {plain(template.label_type)}",
        status=template.status, is_demo=template.is_demo,
    )  # fmt: skip
    message = st.container()
    base = opened(template)
    read_schema_text(base)
    known = templates.versions(template.lineage_id)
    problems = templates.lint(typed(base))
    part = choose_in_url("Part", list(PARTS), key="show", default="prompt", titles=part_titles(problems, base))
    with guard():
        show_part(template, part, base, is_open=is_open)
    draft = typed(base)  # after the part, whose tables say only while they are drawn what is typed in them
    problems = templates.lint(draft)
    with actions:
        pressed = draw_actions(template, draft, base, known)
    with message, guard():
        is_older = show_changed_by_others(template, is_saving=pressed == "save")
        show_state(template, problems, refusal, is_changed=draft != template.draft or bool(schema_fault(base)))
        if pressed and not (is_older and pressed == "save"):
            act(template, pressed, draft)


def part_titles(problems: list[Problem], base: str) -> dict[str, str]:
    """The names of the parts; a mark on those in which something is to solve."""
    red = {part_of(problem) for problem in problems if not problem.is_warning}
    red |= {"answer"} if schema_fault(base) else set()
    return {part: f"{title} :red[:material/error:]" if part in red else title for part, title in PARTS.items()}


def show_part(template: PromptTemplate, part: str, base: str, *, is_open: bool) -> None:
    """The part that the address names."""
    match part:
        case "prompt":
            prompt_part(template, base, is_open=is_open)
        case "inputs":
            inputs_part(template, base, is_open=is_open)
        case "answer":
            answer_part(base, is_open=is_open)
        case "examples":
            examples_part(base, is_open=is_open)
        case "settings":
            settings_part(base, is_open=is_open)
        case "test":
            trial_part(template, typed(base), templates.versions(template.lineage_id))
        case _:
            versions_part(template, templates.versions(template.lineage_id))


def show_changed_by_others(template: PromptTemplate, *, is_saving: bool) -> bool:
    """Say that the draft was saved elsewhere meanwhile, and offer to take that over; give whether it was."""
    if st.session_state[version_key(template)] == template.row_version:
        return False
    not_saved = " Nothing was saved." if is_saving else ""
    st.warning(
        f"{plain(template.updated_by)} changed this draft after you opened it.{not_saved} Copy what you want to "
        "keep of yours, then load their version.",
        icon=":material/group:",
    )
    if st.button("Load their version", key=f"load_{template.id}", help="What you typed here is lost."):
        del st.session_state[version_key(template)]
        st.rerun()
    return True


def show_state(template: PromptTemplate, problems: list[Problem], refusal: str, *, is_changed: bool) -> None:
    """Why this version cannot be changed, or what is left to do before it can be published."""
    if refusal:
        st.caption(f"{plain(refusal)} You can read it, and export it.")
    elif template.status is not TemplateStatus.DRAFT:
        st.caption("A published or archived version never changes. To change it, make a new version.")
    else:
        parts = troubled(problems)
        said = ["Changes are not saved yet." if is_changed else "Everything is saved."]
        if parts:
            said.append(f"Before this template can be published, something is to solve in: {', '.join(parts)}.")
        st.caption(" ".join(said))


if template_id := st.query_params.get("template"):
    show_template(templates.get(template_id))
else:
    show_list()
