"""Turn the rows of a sheet into questions and answers: `?sheet=` and `?template=` fill the steps.

`?training_sheet=<id>` opens what was generated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.components.address import pick_row
from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, page_header, run_progress
from pages.components.preflight import include_set_aside, show_preflight
from pages.components.rights import why_not
from pages.components.training_sheet_details import SOURCES, details, show_counts, show_failures
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import AnswerSource, PromptTemplate, TemplateStatus
from workbench_core.sheets import Sheet, SheetStatus
from workbench_core.training_sheets import GenerationRequest, TrainingSheet, TrainingSheetStatus
from workbench_core.training_sheets.answer_column import propose_answer_column
from workbench_core.training_sheets.model import DEFAULT_ROW_LIMIT

MAX_SHEETS = 500
MAX_FAILED = 3
workbench, user = cached.workbench(), current_user()
training_sheets = workbench.training_sheets


# --- the steps -----------------------------------------------------------------------------------------------------


def show_steps() -> None:
    """What to generate on the left, what would happen on the right."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        step("1", "Sheet", "The rows that become items")
        sheet = choose_sheet()
        step("2", "Template", "The question that is asked about each item")
        template = choose_template()
        request = complete(sheet, template) if sheet and template else None
    with right, st.container(border=True):
        st.subheader("Pre-flight", anchor=False)
        if request is None:
            st.caption(
                "Choose a sheet and a template to see what would happen. Nothing is written before you generate."
            )
        else:
            preflight(request)


def step(number: str, title: str, sentence: str) -> None:
    """The heading of one step."""
    st.markdown(f":blue-badge[{number}] **{title}**  \n:small[:gray[{sentence}]]")


def choose_sheet() -> Sheet | None:
    """The sheet of the address, or one from the list; drafts are listed, and the pre-flight says what they lack."""
    listed = [
        sheet for sheet in cached.sheets(limit=MAX_SHEETS) if sheet.status in {SheetStatus.ACTIVE, SheetStatus.DRAFT}
    ]
    known = {sheet.id: sheet for sheet in listed}
    wanted = st.query_params.get("sheet", "")
    if wanted and wanted not in known:
        with guard():
            known[wanted] = workbench.sheets.get(wanted)
    titles = {
        sheet.id: sheet.name if sheet.status is SheetStatus.ACTIVE else f"{sheet.name} ({sheet.status})"
        for sheet in known.values()
    }
    return known.get(choose_record("Sheet", "sheet", titles))


def choose_template() -> PromptTemplate | None:
    """The template of the address, or one from the list."""
    found = workbench.prompt_templates.find(limit=MAX_SHEETS)
    listed = [template for template in found if template.status is not TemplateStatus.ARCHIVED]
    known = {template.id: template for template in listed}
    wanted = st.query_params.get("template", "")
    if wanted and wanted not in known:
        with guard():
            known[wanted] = workbench.prompt_templates.get(wanted)
    titles = {
        template.id: f"{template.name} v{template.version} · {template.label_type}"
        + ("" if template.status is TemplateStatus.PUBLISHED else f" ({template.status})")
        for template in known.values()
    }
    if not titles:
        st.caption("There is no prompt template yet.")
        st.page_link("prompt_templates.py", label="Write a template", icon=":material/edit_note:")
    return known.get(choose_record("Template", "template", titles))


def choose_record(label: str, param: str, titles: Mapping[str, str]) -> str:
    """A choice among records that stands in the address by its id; empty without one.

    Streamlit tells options apart by their titles only, so those that repeat get the end of the id.
    """
    widget = f"generate_{param}"
    often = Counter(titles.values())
    titles = {record: title if often[title] == 1 else f"{title} · {record[-6:]}" for record, title in titles.items()}
    wanted = st.query_params.get(param, "")
    st.session_state[widget] = wanted if wanted in titles else None

    def write() -> None:
        if chosen := st.session_state[widget]:
            st.query_params[param] = chosen
        else:
            st.query_params.pop(param, None)

    return (
        st.selectbox(
            label,
            list(titles),
            index=None,
            format_func=lambda record: titles[record],
            key=widget,
            on_change=write,
            placeholder=f"Choose a {label.lower()}",
            label_visibility="collapsed",
        )
        or ""
    )


def complete(sheet: Sheet, template: PromptTemplate) -> GenerationRequest:
    """The rest of the request: mapping, answers, rows and name."""
    every = [column.name for column in cached.sheet_columns(sheet.id)]
    columns = list(dict.fromkeys((*sheet.columns, *every)))
    key = f"generate_{sheet.id}_{template.id}"
    step("3", "Mapping", "Which column fills which placeholder of the template")
    mapping = choose_mapping(sheet, template, columns, key=key)
    step("4", "Answers", "Where answers come from when an item has no canonical label yet")
    source = choose_answer_source(template, key=key)
    answer_column = ""
    if source is AnswerSource.EXISTING_COLUMN:
        answer_column = choose_answer_column(template, columns, mapping, key=key)
    step("5", "Rows", "All items of the sheet, or only some of them")
    where = st.text_input(
        "Filter", key=f"{key}_filter", placeholder="Optional, for example: topic = 'general'", live="600ms",
        help="One condition on the columns, in addition to the filter of the sheet",
    )  # fmt: skip
    with_set_aside = include_set_aside(sheet.id, key=key)
    with st.grid(2, min_column_width=200):
        limit = st.number_input("Row limit", 1, value=DEFAULT_ROW_LIMIT, key=f"{key}_limit", step=1000)
        name = st.text_input(
            "Name", key=f"{key}_name", placeholder=f"{sheet.name} - {template.name} v{template.version}", max_chars=200
        )
    return GenerationRequest(
        sheet_id=sheet.id,
        prompt_template_id=template.id,
        mapping=mapping,
        name=name or "",
        answer_source=source,
        answer_column=answer_column,
        filter=where or "",
        row_limit=int(limit or DEFAULT_ROW_LIMIT),
        includes_set_aside=with_set_aside,
    )


def choose_mapping(sheet: Sheet, template: PromptTemplate, columns: list[str], *, key: str) -> dict[str, str]:
    """A column for each placeholder; those whose names fit are filled in."""
    proposed = training_sheets.propose_mapping(template.id, sheet.id)
    if not template.placeholders:
        st.caption("This template has no placeholder: every item would get the same question.")
    chosen: dict[str, str] = {}
    with st.grid(2, min_column_width=200):
        for name in template.placeholders:
            start = proposed.get(name)
            chosen[name] = (
                st.selectbox(
                    name, columns, index=columns.index(start) if start in columns else None,
                    key=f"{key}_map_{name}", placeholder="Choose a column",
                ) or ""
            )  # fmt: skip
    return chosen


def choose_answer_source(template: PromptTemplate, *, key: str) -> AnswerSource:
    """Where the answers come from; the model says what it is and whether it can answer now."""
    captions = {
        AnswerSource.EXISTING_COLUMN: "Known answers, to be reviewed",
        AnswerSource.MANUAL: "Pairs without an answer, to be labelled by hand",
        AnswerSource.AI_GENERATED: model_caption(),
        AnswerSource.CANONICAL: "Items without a canonical label of this label type are left out",
    }
    source = st.radio(
        "Answers",
        list(SOURCES),
        index=list(SOURCES).index(template.answer_source),
        format_func=lambda each: SOURCES[each],
        captions=[captions[each] for each in SOURCES],
        key=f"{key}_source",
        label_visibility="collapsed",
    )
    return AnswerSource(source)


def model_caption() -> str:
    """What the model is called, and why it cannot answer when it cannot."""
    model = workbench.chat_model
    availability = model.availability()
    title = plain(model.title[:1].upper() + model.title[1:])
    if availability.is_ready:
        return f"{title}, ready"
    return f"{title} cannot answer now: {plain(availability.reason)} {plain(availability.hint)}".strip()


def choose_answer_column(template: PromptTemplate, columns: list[str], mapping: dict[str, str], *, key: str) -> str:
    """The column that holds the answers; the one with a fitting name is filled in."""
    proposed = propose_answer_column(template.label_type, columns, mapped=list(mapping.values()))
    chosen = st.selectbox(
        "Column that holds the answers", columns, index=columns.index(proposed) if proposed else None,
        key=f"{key}_answer_column", placeholder="Choose a column",
    )  # fmt: skip
    if chosen and chosen in mapping.values():
        st.caption(":orange[:material/warning:] This column is part of the question: it gives the answer away.")
    return chosen or ""


def preflight(request: GenerationRequest) -> None:
    """What would happen, and the one button that makes it happen."""
    with guard():
        found = cached.preflight(request)
        refusal = why_not(Action.GENERATE)
        reason = refusal or ("" if found.can_generate else "Clear the problems first.")
        if st.button(
            "Generate", type="primary", icon=":material/auto_awesome:", key="generate_start", width="stretch",
            disabled=bool(reason), help=reason or None,
        ):  # fmt: skip
            made = training_sheets.generate(request, by=user)
            st.query_params.from_dict({"training_sheet": made.id})
            st.rerun()
        show_preflight(
            found, request.answer_source or AnswerSource.MANUAL, key="generate_preflight",
            includes_set_aside=request.includes_set_aside,
        )  # fmt: skip


# --- what was generated --------------------------------------------------------------------------------------------


def show_recent() -> None:
    """The latest training sheets: work under way, work that failed, and all of them."""
    found = cached.training_sheets()
    if not found:
        return
    st.subheader("Recent training sheets", anchor=False)
    active = tuple(sheet.id for sheet in found if is_active(sheet.id, sheet.status))
    if active:
        follow(active)
    for sheet in [sheet for sheet in found if sheet.status is TrainingSheetStatus.FAILED][:MAX_FAILED]:
        failed_card(sheet)
    pick_row(
        pd.DataFrame([line(sheet) for sheet in found]),
        [sheet.id for sheet in found],
        param="training_sheet",
        alt="Recent training sheets",
        columns={
            "Reviewed": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
            "Created": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )


def line(sheet: TrainingSheet) -> dict[str, object]:
    """One line of the list."""
    counts = sheet.counts
    return {
        "Training sheet": sheet.name,
        "Status": words(sheet.status),
        "Pairs": counts.total,
        "Reviewed": 1 - counts.pending / counts.total if counts.total else 0.0,
        "Errors": counts.errors,
        "Answers": SOURCES[sheet.answer_source],
        "Created": sheet.created_at,
        "By": sheet.created_by,
    }


def is_active(training_sheet_id: str, status: TrainingSheetStatus) -> bool:
    """Whether its generation waits or works now."""
    run = training_sheets.run_of(training_sheet_id) if status is TrainingSheetStatus.GENERATING else None
    return bool(run and run.is_active)


@st.fragment(run_every="2s")
def follow(active: tuple[str, ...]) -> None:
    """Progress of generations; the whole page comes back when one of them has ended."""
    for training_sheet_id in active:
        run = training_sheets.run_of(training_sheet_id)
        if run is None or not run.is_active:
            st.rerun()
        with st.container(border=True):
            st.markdown(plain(run.title))
            run_progress(run)
            refusal = why_not(Action.GENERATE)
            st.button(
                "Cancel", icon=":material/stop_circle:", key=f"generate_cancel_{training_sheet_id}", on_click=act,
                args=("cancel", training_sheet_id), disabled=bool(refusal), help=refusal or None,
            )  # fmt: skip


def failed_card(sheet: TrainingSheet) -> None:
    """A generation that stopped: why, and the way on."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":red[:material/error:] **{plain(sheet.name)}** · {sheet.counts.total:,} of "
            f"{sheet.selected_items:,} pairs  \n{plain(sheet.error)}",
            width="stretch",
        )
        resume_button(sheet)


def resume_button(sheet: TrainingSheet) -> None:
    """Go on at the first missing item."""
    refusal = why_not(Action.GENERATE)
    st.button(
        "Resume", icon=":material/play_arrow:", key=f"generate_resume_{sheet.id}", on_click=act,
        args=("resume", sheet.id), disabled=bool(refusal), help=refusal or "Goes on at the first missing item",
    )  # fmt: skip


def act(action: str, training_sheet_id: str) -> None:
    """One step in the life of a training sheet, from a button."""
    with guard_callback():
        if action == "cancel":
            training_sheets.cancel(training_sheet_id, by=user)
        elif action == "resume":
            training_sheets.resume(training_sheet_id, by=user)
        elif action == "append_new":
            training_sheets.append_new(training_sheet_id, by=user)
        elif action == "archive":
            training_sheets.move(training_sheet_id, "archive", by=user)
        else:
            training_sheets.delete(training_sheet_id, by=user)
            flash("The training sheet is deleted. Canonical labels stay.")
            st.query_params.clear()


# --- one training sheet --------------------------------------------------------------------------------------------


def show_training_sheet(sheet: TrainingSheet) -> None:
    """One training sheet: progress, counts, what went wrong, and how it was made."""
    st.button(
        "Generate", type="tertiary", icon=":material/arrow_back:", key="generate_back", on_click=st.query_params.clear
    )
    made = f"Generated by {plain(sheet.created_by)}, {ago(sheet.created_at)}"
    actions = page_header(plain(sheet.name), made, status=sheet.status, is_demo=sheet.is_demo)
    with actions:
        sheet_actions(sheet)
    if sheet.is_test:
        st.info("Made with a draft template: a test.", icon=":material/science:")
    if is_active(sheet.id, sheet.status):
        follow((sheet.id,))
    elif sheet.status is TrainingSheetStatus.GENERATING:
        st.warning("The generation was interrupted. It goes on at the first missing item.", icon=":material/pause:")
    if sheet.error:
        st.error(plain(sheet.error), icon=":material/error:")
    show_counts(sheet)
    show_failures(sheet)
    st.subheader("Details", anchor=False)
    st.dataframe(details(sheet), hide_index=True, height="content", alt="How the training sheet was made")


def sheet_actions(sheet: TrainingSheet) -> None:
    """Review, go on, and the other steps that are possible now."""
    can_review = sheet.counts.total > 0 and sheet.status is not TrainingSheetStatus.GENERATING
    if can_review and st.button("Review", type="primary", icon=":material/rate_review:", key="generate_review"):
        st.switch_page("label.py", query_params={"sheet": sheet.id})
    is_orphan = sheet.status is TrainingSheetStatus.GENERATING and not is_active(sheet.id, sheet.status)
    if "resume" in sheet.actions or is_orphan:
        resume_button(sheet)
    others = {
        "append_new": ("Add new items", "add", "Generate pairs for the items that the sheet has gained since"),
        "archive": ("Archive", "archive", "Hide it from the lists; everything is kept"),
        "delete": ("Delete", "delete", "Remove it with its pairs; canonical labels stay"),
    }
    possible = [action for action in others if action in sheet.actions]
    if possible:
        refusal = why_not(Action.GENERATE)
        with st.popover("More", icon=":material/more_horiz:"):
            for action in possible:
                title, icon, sentence = others[action]
                st.button(
                    title, icon=f":material/{icon}:", key=f"generate_{action}", on_click=act, args=(action, sheet.id),
                    disabled=bool(refusal), help=refusal or sentence, width="stretch",
                )  # fmt: skip


def show_nothing() -> None:
    """Without any sheet there is nothing to generate from."""
    with empty_state(
        "Nothing to generate from yet. First make a sheet of a table or folder; then a template turns each of its "
        "rows into a question, and answers become pairs that people review.",
        icon=":material/auto_awesome:",
    ):
        st.page_link("data.py", label="Make a sheet", icon=":material/table_view:")


if training_sheet_id := st.query_params.get("training_sheet"):
    show_training_sheet(training_sheets.get(training_sheet_id))
else:
    page_header("Generate", "Turn the rows of a sheet into questions and answers. What is labelled once is reused.")
    if cached.sheets():
        show_steps()
    else:
        show_nothing()
    show_recent()
