"""The prompts of a template, and beside them what they become on real rows while they are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.components.errors import guard
from pages.components.prompt_editor import PromptField, prompt_editor
from pages.components.records import show_messages
from pages.components.template_form import show_problems, typed
from pages.components.template_sheet import choose_rows, columns_of, mapping_now, sheet_now
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.prompt_templates import PromptTemplate, RenderedItem, TemplateDraft, unmapped

ROWS = 10


def prompt_part(template: PromptTemplate, base: str, *, is_open: bool) -> None:
    """Name and prompts on the left; the sheet, the mapping and one rendered row on the right."""
    left, right = st.columns([1, 1], gap="medium")
    draft = typed(base)
    with left:
        if is_open:  # else they stand in the header
            _names(base)
        _prompts(template, base, draft, is_open=is_open)
    with right, st.container(border=True), guard():
        _preview(template, draft)


def _names(base: str) -> None:
    with st.grid(2, min_column_width=200):
        st.text_input("Name", key=f"{base}_name", max_chars=255, persist_state="session")
        st.text_input(
            "Label type", key=f"{base}_label_type", max_chars=100, persist_state="session",
            help="The question that the labels answer. Labels are reused wherever the same label type is asked for.",
        )  # fmt: skip


def _prompts(template: PromptTemplate, base: str, draft: TemplateDraft, *, is_open: bool) -> None:
    """Both prompts, their placeholders and what is wrong with them."""
    with guard():
        sheet = sheet_now(template, draft)
        mapping = mapping_now(template, draft)
        columns = tuple(columns_of(sheet)) if sheet else ()
        states = placeholder_states(draft, mapping) if sheet else {}
        problems = cached.workbench().prompt_templates.lint(draft)
        faults = [each for each in problems if not each.is_warning]
        for name, label, lines, sentence in (
            ("system_prompt", "System prompt", 3, "What the model is and how it answers. May be empty."),
            ("user_prompt", "User prompt", 10, "Write {{ name }} where a value of the item belongs. Conditions, "
             "loops and filters of Jinja work too."),
        ):  # fmt: skip
            look = PromptField(
                label, sentence, lines, is_open, states, columns if name == "user_prompt" else (),
                [each for each in faults if each.field == name],
            )  # fmt: skip
            with st.container():  # what comes and goes below a field must not move the other one
                prompt_editor(look, key=f"{base}_{name}")
                show_problems(problems, name)
        if any(each.line is not None for each in faults):
            st.caption("The placeholders show again when the prompts can be read.")
        else:
            show_placeholders(draft, mapping, has_sheet=sheet is not None)


def placeholder_states(draft: TemplateDraft, mapping: Mapping[str, str]) -> dict[str, str]:
    """Whether each placeholder is mapped, unmapped or optional."""
    missing = unmapped(draft, mapping)
    return {
        name: "mapped" if name in mapping else "unmapped" if name in missing else "optional"
        for name in draft.placeholders
    }


def show_placeholders(draft: TemplateDraft, mapping: Mapping[str, str], *, has_sheet: bool) -> None:
    """The values that the prompts ask for, as they are typed, and the column that fills each."""
    if not draft.placeholders:
        st.caption("No placeholders found. Write {{ name }} where a value of the item belongs.")
        return
    badges = []
    for name, state in placeholder_states(draft, mapping).items():
        if not has_sheet:
            badges.append(f":blue-badge[{plain(name)}]")
        elif state == "mapped":
            same = mapping[name] == name
            badges.append(f":blue-badge[:material/link: {plain(name)}{'' if same else f' ← {plain(mapping[name])}'}]")
        elif state == "optional":
            badges.append(f":gray-badge[{plain(name)} · optional, left empty]")
        else:
            badges.append(f":orange-badge[:material/link_off: {plain(name)} · no column]")
    st.markdown(f"Placeholders: {' '.join(badges)}")


# --- the preview ---------------------------------------------------------------------------------------------------


def _preview(template: PromptTemplate, draft: TemplateDraft) -> None:
    """One of the first rows of a sheet as the model would read it."""
    st.subheader("Preview", anchor=False)
    looked = choose_rows(template, draft)
    if looked is None:
        return
    if any(each.line is not None and not each.is_warning for each in cached.workbench().prompt_templates.lint(draft)):
        st.caption(":material/edit: The preview shows again when the prompts can be read.")
        return
    items = cached.workbench().prompt_templates.preview(draft, looked.sheet.id, looked.mapping, limit=ROWS)
    if not items:
        st.caption("This sheet has no rows.")
        return
    number = choose_row(items, key=f"prompt_templates_{template.lineage_id}_{looked.sheet.id}_row")
    show_item(items[number])
    if items[number].messages:
        token_line(draft, [items[number]])


def choose_row(items: Sequence[RenderedItem], *, key: str) -> int:
    """The number of the row that is shown, with the way to the one before and after."""
    number = min(int(st.session_state.get(key, 0)), len(items) - 1)

    def go(step: int) -> None:
        st.session_state[key] = min(max(number + step, 0), len(items) - 1)

    broken = sum(bool(item.error) for item in items)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Previous", key=f"{key}_before", icon=":material/chevron_left:", disabled=number == 0,
            on_click=go, args=(-1,), type="tertiary",
        )  # fmt: skip
        st.button(
            "Next", key=f"{key}_after", icon=":material/chevron_right:", disabled=number == len(items) - 1,
            on_click=go, args=(1,), type="tertiary",
        )  # fmt: skip
        st.markdown(f"**{plain(items[number].item_ref)}** · row {number + 1} of {len(items)}", width="content")
    if broken and not items[number].error:
        st.markdown(
            f":small[:orange[:material/warning: {counted(broken, 'row')} of these {len(items)} cannot be rendered.]]"
        )
    return number


def show_item(item: RenderedItem) -> None:
    """The messages of one item, or why there are none."""
    if item.error:
        st.markdown(f":red[:material/error: {plain(item.error)}]")
    if item.shortened:
        st.caption(f"Cut because it is very long: {plain(', '.join(item.shortened))}.")
    show_messages(item.messages)


def token_line(draft: TemplateDraft, items: Sequence[RenderedItem]) -> None:
    """How many tokens the shown prompt takes, as measured for its model."""
    characters = sum(len(message.content) for item in items for message in item.messages)
    models = cached.workbench().chat_models
    if draft.model and draft.model not in {model.name for model in models.all()}:
        st.caption(f"{characters:,} characters")
        return
    estimate = models.estimate(draft.model, calls=len(items), characters=characters)
    how = "measured" if estimate.is_measured else "estimated"
    st.caption(f"About {estimate.tokens_in:,.0f} tokens ({characters:,} characters), {how} for "
               f"{plain(models.get(draft.model).title)}")  # fmt: skip
