"""Answers for pairs that exist: for those without one, or anew with a newer version of the template."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.errors import guard
from pages.components.generation_answers import ModelChoice, choose_model
from pages.components.generation_run import act_button, answering_work, resume_button
from pages.components.generation_words import calls_words, spent_words
from pages.components.identity import current_user
from pages.components.layout import close_popover, work_popover
from pages.components.words import ago, counted, plain, words
from workbench_core import cached, cached_generation
from workbench_core.pairs import PairFilter, ResponseSource, ReviewStatus
from workbench_core.prompt_templates import PromptTemplate
from workbench_core.training_sheets import Answering, AnsweringPreview, AnsweringStatus, AnswerRequest, TrainingSheet

BLANK = PairFilter(statuses=(ReviewStatus.PENDING,), sources=(ResponseSource.EMPTY,))
_ALL, _SOME = "All pending pairs", "Those that match a filter"


def tell_answering(answering: Answering) -> None:
    """What came of the latest answering that is over."""
    answered = answering.done - answering.errors - answering.left_alone
    parts = [
        f"{counted(answered, 'pair')} answered",
        f":red[{answering.errors:,} failed]" if answering.errors else "",
        f"{answering.left_alone:,} left alone, because somebody changed them meanwhile" if answering.left_alone else "",
        plain(spent_words(answering.spent, None, None)),
    ]
    told = ", ".join(part for part in parts if part)
    begun = f"{ago(answering.started_at)} by {plain(answering.started_by)} with {plain(answering.model_title)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":small[:material/smart_toy: Latest answering, {words(answering.status).lower()}, {begun}: {told}.]",
            width="stretch",
        )
        if answering.status is AnsweringStatus.CANCELLED and answering.done < answering.total:
            resume_button(answering_work(answering))


def unanswered_card(sheet: TrainingSheet, *, busy: str) -> None:
    """Pairs without an answer, and a model that proposes one for each (TS-11)."""
    blank = cached_generation.count_pairs(sheet.id, BLANK)
    said = f"{counted(blank, 'pending pair')} without one." if blank else "Every pending pair has one."
    st.markdown(f"**Missing answers**  \n:small[:gray[{said} A model can propose them, to be reviewed.]]")
    key = f"generate_answers_{sheet.id}"
    with work_popover(
        f"Generate {counted(blank, 'answer')}" if blank else "Generate answers", key=key, icon=":material/smart_toy:",
        disabled=not blank or bool(busy),
    ) as popover:  # fmt: skip
        if popover.open:
            with guard():
                request = _with_model(AnswerRequest(), choose_model(key=key, start=sheet.model_name))
                _preview_and_start(sheet, request, popover=key)


def regenerate_card(sheet: TrainingSheet, *, busy: str) -> None:
    """Questions and answers made anew with a newer version of the template."""
    newer = cached_generation.newer_versions(sheet.prompt_template_id)
    version = f"v{sheet.template_version}"
    said = f"Made with {version}; v{newer[0].version} is published." if newer else f"{version} is the newest published."
    st.markdown(f"**Newer template**  \n:small[:gray[{plain(said)} Approved and edited pairs are never touched.]]")
    key = f"generate_anew_{sheet.id}"
    with work_popover("Re-generate", key=key, icon=":material/autorenew:", disabled=not newer or bool(busy)) as popover:
        if popover.open:
            with guard():
                _regenerate(sheet, newer, key=key)


def _regenerate(sheet: TrainingSheet, newer: list[PromptTemplate], *, key: str) -> None:
    """Which version, which pairs, which model; the numbers; the button."""
    with st.grid(2, min_column_width=180):
        template = st.selectbox(
            "Version", newer, format_func=lambda one: f"v{one.version} · {one.name}", key=f"{key}_version"
        )
        which = st.selectbox("Pairs", [_ALL, _SOME], key=f"{key}_which")
    wanted = PairFilter(statuses=(ReviewStatus.PENDING,))
    if which == _SOME:
        wanted = _choose_filter(wanted, key=key)
    chosen = template or newer[0]
    model = choose_model(key=key, start=chosen.model or sheet.model_name)
    request = _with_model(AnswerRequest(overwrite=True, template_id=chosen.id), model)
    _preview_and_start(sheet, request, popover=key, wanted=wanted)


def _choose_filter(wanted: PairFilter, *, key: str) -> PairFilter:
    """A narrower choice of pairs: by words in them, by where the answer came from, by failure, or any status."""
    with st.grid(2, min_column_width=180):
        search = st.text_input("Search", key=f"{key}_search", placeholder="Item, answer or source", live="600ms")
        source = st.selectbox(
            "Answer from", ["", *ResponseSource], key=f"{key}_source",
            format_func=lambda one: words(one) if one else "Everywhere",
        )  # fmt: skip
        status = st.selectbox(
            "Review", ["", *ReviewStatus], index=1, key=f"{key}_status",
            format_func=lambda one: words(one) if one else "Every status",
        )  # fmt: skip
    return replace(
        wanted,
        search=(search or "").strip(),
        sources=(ResponseSource(source),) if source else (),
        statuses=(ReviewStatus(status),) if status else (),
    )


def _with_model(request: AnswerRequest, model: ModelChoice) -> AnswerRequest:
    return replace(
        request, model_name=model.name, examples=model.examples, budget=model.budget, call_limit=model.call_limit
    )


def _preview_and_start(
    sheet: TrainingSheet, request: AnswerRequest, *, popover: str, wanted: PairFilter | None = None
) -> None:
    """The numbers before the click, and the click; `wanted` says which pairs, else all without an answer."""
    preview = cached_generation.answering_preview(sheet.id, request, wanted)
    _show_preview(preview)
    state = f"{sheet.row_version}_{sheet.updated_at:%H%M%S%f}_{preview.pairs}"
    act_button(
        f"Answer {counted(preview.pairs, 'pair')}", icon="smart_toy", kind="primary", width="stretch",
        key=f"{popover}_go_{state}_{hash((request, wanted))}",
        reason="" if preview.pairs else "No pair would be answered.",
        sentence="Answers come in place and wait for review",
        act=lambda: _start(sheet.id, cached_generation.for_pairs(sheet.id, request, wanted)),
        then=lambda _: close_popover(popover),
    )  # fmt: skip


def _show_preview(preview: AnsweringPreview) -> None:
    """How many pairs, where their answers come from, what the calls take, and which pairs are left alone."""
    cost = plain(calls_words(preview.estimate)) if preview.estimate else "no call to a model"
    pairs = f"**{counted(preview.pairs, 'pair')}** would be answered"
    if free := _free_answers(preview):
        calls = preview.estimate.calls if preview.estimate else 0
        about = "" if preview.is_exact else "about "
        asked = f"{about}{calls:,} {'is' if calls == 1 else 'are'} asked" if calls else "none is asked"
        st.markdown(f"{pairs}: {', '.join([*free, asked])}.  \n:small[:gray[{cost[:1].upper()}{cost[1:]}.]]")
    else:
        st.markdown(f"{pairs}: {cost}.")
    if preview.skipped:
        lines = [f"- {count:,} left alone: {plain(reason)}" for reason, count in preview.skipped.items()]
        st.markdown("\n".join(lines))


def _free_answers(preview: AnsweringPreview) -> list[str]:
    """What costs nothing, as parts of a sentence: canonical labels and answers that are kept."""
    about = "" if preview.is_exact else "about "
    labels, kept = preview.from_labels, preview.kept_answers
    parts = []
    if labels:
        parts.append(f"{about}{labels:,} {'has' if labels == 1 else 'have'} a canonical label by now")
    if kept:
        parts.append(f"{about}{kept:,} {'was' if kept == 1 else 'were'} answered before and cost nothing")
    return parts


def _start(training_sheet_id: str, request: AnswerRequest) -> str:
    run = cached.workbench().training_sheets.answer_pairs(training_sheet_id, request, by=current_user())
    return f"{counted(run.total, 'pair')}: the model has started to answer."
