"""The steps of a generation for one sheet: sheet, template, mapping, answers and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.errors import guard
from pages.components.generation_answers import choose_answer_column, choose_answers, complete_with
from pages.components.generation_sampling import choose_sampling
from pages.components.mapping_editor import choose_mapping
from pages.components.preflight import include_set_aside
from pages.components.words import counted, plain
from workbench_core import cached, cached_generation
from workbench_core.errors import WorkbenchError
from workbench_core.prompt_templates import (
    AnswerSource,
    AttachedTemplate,
    PromptTemplate,
    TemplateStatus,
    target_column_of,
)
from workbench_core.sheets import Sheet, SheetStatus
from workbench_core.training_sheets import GenerationRequest, Sampling
from workbench_core.training_sheets.model import DEFAULT_ROW_LIMIT, MOST_SEED, asks_model

MAX_SHEETS = 500
MAX_ROWS = 10_000_000
DEFAULT_SEED = 42
USABLE = (SheetStatus.ACTIVE, SheetStatus.DRAFT)


@dataclass(frozen=True, slots=True)
class Options:
    """What is seldom needed of a request; without a name one is made of sheet and template."""

    name: str
    description: str
    seed: int
    sampling: Sampling | None


def step(number: int, title: str, sentence: str) -> None:
    """The heading of one step."""
    st.markdown(f":blue-badge[{number}] **{title}**  \n:small[:gray[{sentence}]]")


def choose_request() -> GenerationRequest | None:
    """All steps; the request that they make, or nothing before a sheet and a template are chosen."""
    step(1, "Sheet", "The rows that become items")
    sheet = choose_sheet()
    attached = cached_generation.attached_template(sheet.id) if sheet else None
    if attached:
        _prefill(attached)
    step(2, "Template", "The question that is asked about each item")
    template = choose_template()
    if template is None or sheet is None:
        return None
    is_attached = attached is not None and attached.prompt_template_id == template.id
    if is_attached and template.status is TemplateStatus.ARCHIVED:
        _archived_note(template)
    elif attached:
        _attachment_note(attached, is_chosen=is_attached)
    return _complete(sheet, template, attached if is_attached else None)


# --- sheet and template ----------------------------------------------------------------------------------------------


def usable_sheets() -> dict[str, Sheet]:
    """Published sheets and drafts; the pre-flight says what a draft lacks."""
    return {sheet.id: sheet for sheet in cached.sheets(limit=MAX_SHEETS) if sheet.status in USABLE}


def choose_sheet() -> Sheet | None:
    """The sheet of the address, or one from the list. A sheet with a template of its own brings that along."""
    known = usable_sheets()
    wanted = st.query_params.get("sheet", "")
    if wanted and wanted not in known:
        with guard():
            known[wanted] = cached.workbench().sheets.get(wanted)

    def bring_template() -> None:
        st.session_state.pop("generate_prefilled", None)
        if attached := cached_generation.attached_template(st.query_params.get("sheet", "")):
            _prefill(attached, is_replaced=True)

    return known.get(_choose_record("Sheet", "sheet", sheet_titles(known), then=bring_template))


def sheet_titles(known: Mapping[str, Sheet]) -> dict[str, str]:
    """Sheets by name, drafts marked as such."""
    return {
        sheet.id: sheet.name if sheet.status is SheetStatus.ACTIVE else f"{sheet.name} ({sheet.status})"
        for sheet in known.values()
    }


def choose_template() -> PromptTemplate | None:
    """The template of the address, or one from the list."""
    templates = cached.workbench().prompt_templates
    listed = [each for each in templates.find(limit=MAX_SHEETS) if each.status is not TemplateStatus.ARCHIVED]
    known = {template.id: template for template in listed}
    wanted = st.query_params.get("template", "")
    if wanted and wanted not in known:
        with guard():
            known[wanted] = templates.get(wanted)
    titles = {
        template.id: f"{template.name} v{template.version} · {template.label_type}"
        + ("" if template.status is TemplateStatus.PUBLISHED else f" ({template.status})")
        for template in known.values()
    }
    if not titles:
        st.caption("There is no prompt template yet.")
        st.page_link("prompt_templates.py", label="Write a template", icon=":material/edit_note:")
        return None
    return known.get(_choose_record("Template", "template", titles))


def _prefill(attached: AttachedTemplate, *, is_replaced: bool = False) -> None:
    """Put the attached template of a sheet into the address once; what a person chose there stays."""
    if st.session_state.get("generate_prefilled") == attached.sheet_id:
        return
    st.session_state["generate_prefilled"] = attached.sheet_id
    if is_replaced or not st.query_params.get("template"):
        st.query_params["template"] = attached.prompt_template_id


def _attachment_note(attached: AttachedTemplate, *, is_chosen: bool) -> None:
    """Say that the sheet has a template of its own, and that a newer version of it exists."""
    if not is_chosen:
        name = plain(f"{attached.template.name} v{attached.template.version}")
        st.caption(f":material/attach_file: The template attached to this sheet is another one: {name}.")
    elif attached.newer_version:
        st.caption(
            f":material/attach_file: Attached to this sheet; mapping and answers come with it. Version "
            f"{plain(attached.newer_version)} is newer: attach it on the Data page, or choose it here."
        )
    else:
        st.caption(":material/attach_file: Attached to this sheet; mapping and answers come with it.")


def _archived_note(template: PromptTemplate) -> None:
    """Say that the template attached to the sheet is archived, and offer its newer version or the list."""

    def take(template_id: str) -> None:
        if template_id:
            st.query_params["template"] = template_id
        else:
            st.query_params.pop("template", None)

    newer = next(iter(cached_generation.newer_versions(template.id)), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":small[:orange[:material/archive: This template is attached to the sheet, but it is archived.]]",
            width="content",
        )
        if newer:
            st.button(
                f"Take version {newer.version}", type="tertiary", icon=":material/update:", key="generate_newer",
                on_click=take, args=(newer.id,),
            )  # fmt: skip
        st.button(
            "Choose another template", type="tertiary", icon=":material/swap_horiz:", key="generate_other_template",
            on_click=take, args=("",),
        )  # fmt: skip


def _choose_record(label: str, param: str, titles: Mapping[str, str], *, then: Callable[[], None] | None = None) -> str:
    """A choice among records that stands in the address by its id; empty without one. `then` follows a change.

    Streamlit tells options apart by their titles only, so those that repeat get the end of the id.
    """
    widget = f"generate_{param}"
    titles = distinct(titles)
    wanted = st.query_params.get(param, "")
    st.session_state[widget] = wanted if wanted in titles else None

    def write() -> None:
        if chosen := st.session_state[widget]:
            st.query_params[param] = chosen
        else:
            st.query_params.pop(param, None)
        if then:
            then()

    return (
        st.selectbox(
            label, list(titles), index=None, format_func=lambda record: titles.get(record, ""), key=widget,
            on_change=write, placeholder=f"Choose a {label.lower()}", label_visibility="collapsed",
        )
        or ""
    )  # fmt: skip


def distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """Titles that repeat with the end of the id behind them."""
    often = Counter(titles.values())
    return {record: title if often[title] == 1 else f"{title} · {record[-6:]}" for record, title in titles.items()}


# --- the rest of the request -----------------------------------------------------------------------------------------


def _complete(sheet: Sheet, template: PromptTemplate, attached: AttachedTemplate | None) -> GenerationRequest:
    """Mapping, answers, rows and what is seldom needed."""
    columns = columns_of(sheet)
    key = f"generate_{sheet.id}_{template.id}"
    step(3, "Mapping", "Which column fills which placeholder of the template")
    mapping = choose_mapping(template, columns, key=key, start=attached.mapping if attached else None)
    step(4, "Answers", "Where answers come from when an item has no canonical label yet")
    answers = choose_answers(template, key=key, start=attached.answer_source if attached else None)
    column = ""
    if answers.needs_column:
        start = attached.answer_column if attached else target_column_of(template, columns)
        column = choose_answer_column(
            template.label_type, columns, mapping, key=key, start=start, is_warned=False
        )  # the pre-flight does
    step(5, "Rows", _rows_of(sheet))
    request = complete_with(_choose_rows(sheet, template, mapping, key=key), answers, column)
    name = f"{sheet.name} - {template.name} v{template.version}"
    options = choose_options(answers.source, key=key, name=name, sheet=sheet)
    return replace(
        request, name=options.name, description=options.description, seed=options.seed, sampling=options.sampling
    )


def _rows_of(sheet: Sheet) -> str:
    """Which items there are to choose from."""
    if sheet.sample_size is None:
        return "All items of the sheet, or only some of them"
    kind = "stratified" if sheet.stratify_column else "random"
    size = counted(sheet.sample_size, "row")
    return f"The sheet is a {kind} sample of {size} with the seed {sheet.sample_seed}: all of them, or only some"


def columns_of(sheet: Sheet) -> list[str]:
    """The columns that the rows of a sheet have now, those with a role first.

    When they cannot be read, those with a role: the pre-flight says what is wrong with the source.
    """
    try:
        present = [column.name for column in cached.sheet_columns(sheet.id)]
    except WorkbenchError:
        return list(sheet.columns)
    return list(dict.fromkeys((*(name for name in sheet.columns if name in present), *present)))


def _class_columns(sheet: Sheet) -> list[str]:
    """The columns whose values can be the classes of a sample."""
    try:
        return [column.name for column in cached.sheet_columns(sheet.id) if column.kind not in {"nested", "binary"}]
    except WorkbenchError:
        return []


def _choose_rows(sheet: Sheet, template: PromptTemplate, mapping: Mapping[str, str], *, key: str) -> GenerationRequest:
    """A filter, how many, and items that were set aside: of one generation, the next one starts without."""
    key = f"{key}_{generation_round()}"
    limit_widget = limit_key(sheet.id, template.id)
    st.session_state.setdefault(limit_widget, DEFAULT_ROW_LIMIT)  # a click in the pre-flight may raise it
    left, right = st.columns([2, 1])
    where = left.text_input(
        "Filter", key=f"{key}_filter", placeholder="Optional, for example: topic = 'general'", live="600ms",
        help="One condition on the columns, in addition to the filter of the sheet", persist_state="session",
    )  # fmt: skip
    limit = right.number_input(
        "Row limit", 1, MAX_ROWS, key=limit_widget, step=1000, persist_state="session",
        help="At most so many items are taken: the first ones in the order of their identifiers",
    )  # fmt: skip
    return GenerationRequest(
        sheet_id=sheet.id,
        prompt_template_id=template.id,
        mapping=mapping,
        filter=where or "",
        row_limit=int(limit or DEFAULT_ROW_LIMIT),
        includes_set_aside=include_set_aside(sheet.id, key=key),
    )


def choose_options(source: AnswerSource, *, key: str, name: str = "", sheet: Sheet | None = None) -> Options:
    """What is seldom needed: a sample, name (where one is proposed), description, the seed where a model is asked.

    Without a `sheet` it is about several: their samples have no classes.
    """
    key = f"{key}_{generation_round()}"
    is_asked = asks_model(source)
    offered = ["which items", *(["name"] if name else []), "description", *(["seed"] if is_asked else [])]
    with st.expander(f"Options: {', '.join(offered)}", key=f"{key}_options"):
        sampling = choose_sampling(
            key=key, columns=_class_columns(sheet) if sheet else (),
            is_sampled=sheet is not None and sheet.sample_size is not None,
        )  # fmt: skip
        return Options(
            name=_text("Name", key=f"{key}_name", placeholder=name, most=200) if name else "",
            description=_text("Description", key=f"{key}_description", placeholder="What it is made for", most=1000),
            seed=_choose_seed(key=key) if is_asked else DEFAULT_SEED,
            sampling=sampling,
        )


def _text(label: str, *, key: str, placeholder: str, most: int) -> str:
    typed = st.text_input(label, key=key, placeholder=placeholder, max_chars=most, persist_state="session")
    return (typed or "").strip()


def _choose_seed(*, key: str) -> int:
    """The number that goes to the model with each question."""
    seed = st.number_input(
        "Seed", 0, MOST_SEED, DEFAULT_SEED, key=f"{key}_seed", persist_state="session", width=220,
        help="Goes to the model with each question: the same seed gives the same answers again, as far as the model "
        "can do that, and answers that are kept cost nothing. Another seed asks every question anew.",
    )  # fmt: skip
    return DEFAULT_SEED if seed is None else int(seed)


def limit_key(sheet_id: str, template_id: str) -> str:
    """Where the row limit of these two is kept, so that one click can raise it."""
    return f"generate_{sheet_id}_{template_id}_{generation_round()}_limit"


def generation_round() -> int:
    """How many generations this session has started: part of the keys of what belongs to one of them alone."""
    started: int = st.session_state.get("generate_round", 0)
    return started
