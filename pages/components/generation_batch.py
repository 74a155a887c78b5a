"""Several sheets with the same template at once: a mapping, a pre-flight and an outcome for each, and one button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from pages.components.address import pick_row
from pages.components.generation_answers import Answers, choose_answer_column, choose_answers, complete_with
from pages.components.generation_run import Done, act_button
from pages.components.generation_steps import (
    choose_options,
    choose_template,
    columns_of,
    distinct,
    sheet_titles,
    step,
    usable_sheets,
)
from pages.components.generation_words import cost_words, money, state_of
from pages.components.identity import current_user
from pages.components.layout import metric_row
from pages.components.mapping_editor import choose_mapping
from pages.components.preflight import NO_CALLS
from pages.components.words import counted, plain, words
from workbench_core import cached, cached_generation
from workbench_core.chat_models import CallEstimate
from workbench_core.prompt_templates import PromptTemplate, propose_for, target_column_of, unmapped
from workbench_core.sheets import Sheet
from workbench_core.training_sheets import BatchOutcome, GenerationRequest, Preflight
from workbench_core.training_sheets.answer_column import propose_answer_column
from workbench_core.training_sheets.model import DEFAULT_ROW_LIMIT, asks_model

MAX_SHEETS = 50
_OUTCOMES = "generate_outcomes"
_COUNTS = ("Items", "Canonical", "Calls", "Barred from training")


@dataclass(frozen=True, slots=True)
class Planned:
    """A sheet with its request and what the pre-flight says of it."""

    sheet: Sheet
    request: GenerationRequest
    found: Preflight


def show_batch() -> None:
    """The steps for several sheets, the table of their pre-flights, and what came of the last batch."""
    step(1, "Template", "The question that is asked about each item of every sheet")
    template = choose_template()
    step(2, "Sheets", "Each becomes a training sheet of its own")
    sheets = _choose_sheets()
    if template and sheets:
        _plan(template, sheets)
    else:
        st.caption("Choose a template and sheets to see what would happen. Nothing is written before you generate.")
    _show_outcomes()


def _choose_sheets() -> list[Sheet]:
    """Several sheets, which stand in the address as `?sheets=`."""
    known, widget = usable_sheets(), "generate_sheets"
    titles = distinct(sheet_titles(known))
    present = [one for one in st.query_params.get("sheets", "").split(",") if one in known]
    st.session_state[widget] = present

    def write() -> None:
        if chosen := st.session_state[widget]:
            st.query_params["sheets"] = ",".join(chosen)
        else:
            st.query_params.pop("sheets", None)

    chosen = st.multiselect(
        "Sheets", list(titles), key=widget, format_func=lambda one: titles.get(one, one), on_change=write,
        placeholder="Choose sheets", label_visibility="collapsed", max_selections=MAX_SHEETS, select_all=False,
    )  # fmt: skip
    return [known[one] for one in chosen]


def _plan(template: PromptTemplate, sheets: Sequence[Sheet]) -> None:
    key = f"generate_batch_{template.id}"
    step(3, "Answers", "Where answers come from when an item has no canonical label yet")
    answers = choose_answers(template, key=key)
    _limits_note(answers, sheets)
    limit = st.number_input(
        "Row limit for each sheet", 1, value=DEFAULT_ROW_LIMIT, key=f"{key}_limit", step=1000, width=300,
        persist_state="session",
    )  # fmt: skip
    options = choose_options(answers.source, key=key)
    step(4, "Mapping", "For each sheet; names that fit are filled in")
    planned = [_request(template, sheet, answers, key=key) for sheet in sheets]
    rows = int(limit or DEFAULT_ROW_LIMIT)
    requests = tuple(
        replace(one, row_limit=rows, description=options.description, seed=options.seed, sampling=options.sampling)
        for one in planned
    )
    step(5, "Pre-flight", "What each sheet would become")
    found = cached_generation.batch_preflight(requests)
    _preflights([Planned(*each) for each in zip(sheets, requests, found, strict=True)])


def _limits_note(answers: Answers, sheets: Sequence[Sheet]) -> None:
    """Say that each sheet has a limit of its own, and what all of them may take together."""
    if not asks_model(answers.source):
        return
    chosen, many = answers.model, len(sheets)
    together = ""
    if chosen.budget is not None:
        prices = {model.name: model.price for model in cached_generation.models()}
        price = prices.get(chosen.name)
        together = f": together at most {money(chosen.budget * many, price.currency if price else '')}"
    elif chosen.call_limit is not None:
        together = f": together at most {counted(chosen.call_limit * many, 'call')}"
    st.caption(plain(f"Budget and call limit apply to each sheet{together}."))


def _request(template: PromptTemplate, sheet: Sheet, answers: Answers, *, key: str) -> GenerationRequest:
    """The request of one sheet; its mapping is open when something is missing."""
    columns, own = columns_of(sheet), f"{key}_{sheet.id}"
    attached = cached_generation.attached_template(sheet.id)
    if attached and attached.prompt_template_id != template.id:
        attached = None
    start = {name: one for name, one in attached.mapping.items() if one in columns} if attached else None
    proposed = {**propose_for(template, columns), **(start or {})}
    answer = attached.answer_column if attached else target_column_of(template, columns)
    if answer not in columns:
        answer = propose_answer_column(template.label_type, columns, mapped=list(proposed.values()))
    missing = [*unmapped(template, proposed), *(["the answers"] if answers.needs_column and not answer else [])]
    with st.expander(_title(sheet, proposed, answer if answers.needs_column else "", missing), expanded=bool(missing)):
        mapping = choose_mapping(template, columns, key=own, start=start)
        column = ""
        if answers.needs_column:
            column = choose_answer_column(template.label_type, columns, mapping, key=own, start=answer)
    return complete_with(GenerationRequest(sheet.id, template.id, mapping), answers, column)


def _title(sheet: Sheet, proposed: Mapping[str, str], answer: str, missing: Sequence[str]) -> str:
    """A sheet with what was proposed for it, and what has to be chosen."""
    told = [f"{name} ← {column}" for name, column in {**proposed, **({"answers": answer} if answer else {})}.items()]
    title = f"**{plain(sheet.name)}** {plain(', '.join(told))}".rstrip()
    return f"{title} · :orange[choose {plain(', '.join(missing))}]" if missing else title


# --- the table and the button ----------------------------------------------------------------------------------------


def _preflights(planned: Sequence[Planned]) -> None:
    """One line for each sheet, the sum, and the button."""
    ready = [each for each in planned if each.found.can_generate]
    _sum(ready, of=len(planned))
    st.dataframe(
        pd.DataFrame([_line(each) for each in planned]), hide_index=True, height="content",
        alt="What each sheet would become",
        column_config={
            **{name: st.column_config.TextColumn(width="large") for name in ("Problems", "Warnings")},
            **{name: st.column_config.NumberColumn(format="localized") for name in _COUNTS},
        },
    )  # fmt: skip
    _start_button(ready)
    if len(ready) < len(planned):
        st.caption(f"{counted(len(planned) - len(ready), 'sheet')} with problems would be left out.")


def _start_button(ready: Sequence[Planned]) -> None:
    """One button for all sheets without a problem; a double click starts them once."""
    calls = sum(each.found.model_calls for each in ready)
    round_: int = st.session_state.get("generate_round", 0)

    def act() -> Done:
        requests = [each.request for each in ready]
        outcomes = cached.workbench().training_sheets.generate_many(requests, by=current_user())
        started = sum(each.training_sheet is not None for each in outcomes)
        return Done(f"{counted(started, 'generation')} started.", tuple(_outcome(each) for each in outcomes))

    def keep(done: Done) -> None:
        st.session_state["generate_round"] = round_ + 1
        st.session_state[_OUTCOMES] = list(done.made)

    ids = "_".join(each.sheet.id[-6:] for each in ready)
    act_button(
        f"Generate {counted(len(ready), 'training sheet')}", icon="auto_awesome", kind="primary",
        key=f"generate_batch_go_{round_}_{ids}",
        reason="" if ready else "Every sheet has a problem: clear at least one.",
        sentence=f"{counted(calls, 'call')} to a model in all" if calls else "No call to a model", act=act, then=keep,
    )  # fmt: skip


def _sum(ready: Sequence[Planned], *, of: int) -> None:
    estimates = [each.found.estimate or NO_CALLS for each in ready]
    known = [one.cost for one in estimates if one.cost is not None]
    currency = next((one.currency for one in estimates if one.currency), "")
    cost = money(sum(known)) if sum(known) else "Nothing"
    metric_row(
        [
            ("Sheets", f"{len(ready)} of {of}", "Without a problem that keeps them from being generated"),
            ("Items", f"{sum(each.found.selected for each in ready):,}"),
            ("Canonical", f"{sum(each.found.hits for each in ready):,}", "Items that need no call and no review"),
            ("Calls", f"{sum(each.found.model_calls for each in ready):,}"),
            (f"Cost in {currency}" if sum(known) else "Cost", cost if len(known) == len(estimates) else "Not known"),
        ],
        width=120,
    )


def _line(planned: Planned) -> dict[str, object]:
    found = planned.found
    barred = sum(found.barred.values())
    return {
        "Sheet": planned.sheet.name,
        "Items": found.selected,
        "Canonical": found.hits,
        "Calls": found.model_calls,
        "Cost": _cost(found.estimate or NO_CALLS) if found.can_generate else "–",
        "Barred from training": barred,
        "Problems": " ".join(found.problems) or "None",
        "Warnings": " ".join(found.warnings) or "None",
    }


def _cost(estimate: CallEstimate) -> str:
    return f"{cost_words(estimate)} {estimate.currency if estimate.cost else ''}".rstrip()


def _outcome(outcome: BatchOutcome) -> tuple[str, str, str]:
    """The id of what was made, the sheet, and what kept it from being made."""
    made = outcome.training_sheet
    return (made.id if made else "", outcome.request.sheet_id, " ".join(outcome.problems))


def _show_outcomes() -> None:
    """What came of the last batch of this session; a row opens its training sheet."""
    outcomes: list[tuple[str, str, str]] = st.session_state.get(_OUTCOMES, [])
    if not outcomes:
        return
    st.subheader("The last batch", anchor=False)
    names = {sheet.id: sheet.name for sheet in cached.sheets(limit=500)}
    started = [(made, names.get(sheet, sheet)) for made, sheet, _ in outcomes if made]
    for _, sheet, problems in (one for one in outcomes if not one[0]):
        st.error(f"**{plain(names.get(sheet, sheet))}** was not started: {plain(problems)}", icon=":material/block:")
    if started:
        states = [cached.workbench().training_sheets.get(made) for made, _ in started]
        frame = pd.DataFrame(
            {
                "Training sheet": [state.name for state in states],
                "Sheet": [name for _, name in started],
                "Status": [words(state_of(state)) for state in states],
                "Pairs": [state.counts.total for state in states],
                "To review": [state.counts.pending for state in states],
            }
        )
        pick_row(
            frame, [made for made, _ in started], param="training_sheet", key="generate_batch",
            alt="Training sheets of the last batch",
            columns={name: st.column_config.NumberColumn(format="localized") for name in ("Pairs", "To review")},
        )  # fmt: skip
