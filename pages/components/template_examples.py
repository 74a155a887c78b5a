"""The worked examples of a template: one by one or as a grid, each with what is wrong with its output."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.template_form import PARTS_OF_EXAMPLE, fill_examples, short, show_problems, typed, typed_examples
from pages.components.template_table import kept_table, set_table
from pages.components.words import plain
from workbench_core import cached
from workbench_core.prompt_templates import TemplateDraft, TemplateExample

VIEWS = {"single": "One by one", "grid": "As a grid"}
MAX_EXAMPLES = 10


def examples_part(base: str, *, is_open: bool) -> None:
    """Worked examples, placed before each item as a question and its answer."""
    view = f"{base}_examples_view"
    st.session_state.setdefault(view, "single")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "Placed before each item as a question and its answer. The explanation is for people only.", width="stretch"
        )
        st.segmented_control(
            "Show", list(VIEWS), key=view, format_func=VIEWS.__getitem__, required=True, persist_state="session",
            label_visibility="collapsed", on_change=_begin_grid, args=(base,),
        )  # fmt: skip
    if st.session_state[view] == "grid":
        _grid(base, is_open=is_open)
        show_problems(cached.workbench().prompt_templates.lint(typed(base)), "examples")
        return
    _cards(base, is_open=is_open)


def _cards(base: str, *, is_open: bool) -> None:
    """Each example in a box of its own."""
    draft = typed(base)
    numbers = st.session_state[f"{base}_examples"]
    if not numbers:
        st.caption("No examples. One or two that show the form of a good answer help small models most.")
    for place in range(len(numbers)):
        with st.container(border=True):
            _card(base, draft, place, is_open=is_open)
    problems = cached.workbench().prompt_templates.lint(draft)
    show_problems([each for each in problems if not each.message.startswith("Example ")], "examples")
    if is_open:
        st.button(
            "Add example", key=f"{base}_add", icon=":material/add:", on_click=_add, args=(base,),
            disabled=len(numbers) >= MAX_EXAMPLES,
            help=f"{MAX_EXAMPLES} are enough." if len(numbers) >= MAX_EXAMPLES else None,
        )  # fmt: skip


def _card(base: str, draft: TemplateDraft, place: int, *, is_open: bool) -> None:
    """One example with its faults; an output that is not valid stays as it was typed."""
    number = st.session_state[f"{base}_examples"][place]
    left, right = st.columns(2)
    left.text_area(
        f"Example {place + 1}: input", key=f"{base}_input_{number}", disabled=not is_open, persist_state="session"
    )
    right.text_area(
        f"Example {place + 1}: output", key=f"{base}_output_{number}", disabled=not is_open, persist_state="session"
    )
    for fault in faults_of(draft, draft.examples[place]):
        right.markdown(f":red[:material/error: {plain(short(fault))}]")
    st.text_input(
        "Explanation", key=f"{base}_explanation_{number}", disabled=not is_open, persist_state="session",
        help="For people; not part of the prompt.",
    )  # fmt: skip
    if is_open:
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Move up", key=f"{base}_up_{number}", icon=":material/arrow_upward:", type="tertiary",
                disabled=not place, on_click=_move_up, args=(base, place),
            )  # fmt: skip
            st.button(
                "Remove", key=f"{base}_remove_{number}", icon=":material/delete:", type="tertiary",
                on_click=st.session_state[f"{base}_examples"].remove, args=(number,),
            )  # fmt: skip


def faults_of(draft: TemplateDraft, example: TemplateExample) -> tuple[str, ...]:
    """What is wrong with an example, as sentences."""
    return (*(() if example.input.strip() else ("The input is empty.",)), *draft.answer_faults(example.output))


def _add(base: str) -> None:
    numbers = st.session_state[f"{base}_examples"]
    number = max(numbers, default=-1) + 1
    numbers.append(number)
    for part in PARTS_OF_EXAMPLE:
        st.session_state[f"{base}_{part}_{number}"] = ""


def _move_up(base: str, place: int) -> None:
    numbers = st.session_state[f"{base}_examples"]
    numbers[place - 1], numbers[place] = numbers[place], numbers[place - 1]


# --- as a grid -----------------------------------------------------------------------------------------------------


def _begin_grid(base: str) -> None:
    """Fill the grid from the single examples each time it is opened."""
    rows = [[getattr(example, part) for part in PARTS_OF_EXAMPLE] for example in typed_examples(base)]
    set_table(f"{base}_examples_grid", pd.DataFrame(rows, columns=list(PARTS_OF_EXAMPLE), dtype="string"))


def _grid(base: str, *, is_open: bool) -> None:
    """All examples at once; rows can be pasted from a spreadsheet."""
    if f"{base}_examples_grid" not in st.session_state:
        _begin_grid(base)
    column = st.column_config
    rows = kept_table(
        f"{base}_examples_grid",
        {
            "input": column.TextColumn("Input", width="large"),
            "output": column.TextColumn("Output", width="medium"),
            "explanation": column.TextColumn("Explanation", width="medium"),
        },
        alt="Examples",
        is_open=is_open,
    )
    filled = rows.fillna("").to_dict("records")
    fill_examples(base, [TemplateExample(*(str(row[part]) for part in PARTS_OF_EXAMPLE)) for row in filled])
